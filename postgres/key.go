package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// Keys implements symbolon.Store.
func (db *DB) Keys(ctx context.Context, put []symbolon.Key, onlyFirst bool) ([]symbolon.Key, error) {
	const op = "postgres: keys"
	if len(put) > 0 {
		err := db.write(ctx, op, func(tx *transaction) error { return tx.putKeys(op, put, onlyFirst) })
		if err != nil {
			return nil, err
		}
		ctx = context.WithoutCancel(ctx)
	}
	var keys []symbolon.Key
	err := db.read(ctx, op, func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx,
			`SELECT id, algorithm, wrapped, active_from, coalesce(retired_at, 0) FROM sealing_key ORDER BY active_from, id`)
		keys, err = collect(rows, err, func(row pgx.CollectableRow) (key symbolon.Key, err error) {
			var activeFrom, retiredAt int64
			err = row.Scan((*uint32)(&key.ID), &key.Algorithm, &key.Wrapped, &activeFrom, &retiredAt)
			key.ActiveFrom, key.RetiredAt = moment(activeFrom), moment(retiredAt)
			return key, err
		})
		return err
	})
	if err != nil && len(put) > 0 {
		err = symbolon.Wrap(symbolon.Unknown, op, err) // Busy would say that nothing was done
	}
	return keys, err
}

// putKeys takes the row of feed at its start, which every change of keys writes
// at its end: of two first keys, the second finds the first.
func (tx *transaction) putKeys(op string, put []symbolon.Key, onlyFirst bool) error {
	var last int64
	if err := tx.row(`SELECT last FROM feed FOR UPDATE`, nil, &last); err != nil {
		return err
	}
	for _, key := range put {
		if !onlyFirst {
			break
		}
		var some bool
		if err := tx.row(`SELECT EXISTS (SELECT 1 FROM sealing_key WHERE algorithm = $1)`, []any{key.Algorithm}, &some); err != nil {
			return err
		}
		if some {
			return symbolon.Errorf(symbolon.Conflict, op, "there are keys already")
		}
	}
	for _, key := range put {
		_, err := tx.exec(`
			INSERT INTO sealing_key (id, algorithm, wrapped, active_from, retired_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET algorithm = excluded.algorithm, wrapped = excluded.wrapped,
				active_from = excluded.active_from, retired_at = excluded.retired_at`,
			int64(key.ID), key.Algorithm, append([]byte{}, key.Wrapped...), millis(key.ActiveFrom), optional(key.RetiredAt))
		if err != nil {
			return err
		}
	}
	tx.change(change{kind: symbolon.KeysChanged, at: tx.clock()})
	return nil
}
