package sqlite

import (
	"context"
	"database/sql"

	"github.com/symbolon/symbolon"
)

// Keys implements symbolon.Store.
func (db *DB) Keys(ctx context.Context, put []symbolon.Key, onlyFirst bool) ([]symbolon.Key, error) {
	const op = "sqlite: keys"
	if len(put) > 0 {
		err := db.write(ctx, op, func(tx *transaction) error {
			return tx.atomically(func() error { return tx.putKeys(op, put, onlyFirst) })
		})
		if err != nil {
			return nil, err
		}
		ctx = context.WithoutCancel(ctx)
	}
	var keys []symbolon.Key
	err := db.read(ctx, op, func(f *file) error {
		rows, err := f.query(ctx,
			`SELECT id, algorithm, wrapped, active_from, retired_at FROM sealing_key ORDER BY active_from, id`)
		keys, err = collect(rows, err, func(rows *sql.Rows) (key symbolon.Key, err error) {
			var activeFrom int64
			var retiredAt sql.NullInt64
			err = rows.Scan(&key.ID, &key.Algorithm, &key.Wrapped, &activeFrom, &retiredAt)
			key.ActiveFrom, key.RetiredAt = moment(activeFrom), moment(retiredAt.Int64)
			return key, err
		})
		return err
	})
	if err != nil && len(put) > 0 {
		err = symbolon.Wrap(symbolon.Unknown, op, err) // Busy would say that nothing was done
	}
	return keys, err
}

func (tx *transaction) putKeys(op string, put []symbolon.Key, onlyFirst bool) error {
	for _, key := range put {
		if !onlyFirst {
			break
		}
		var some bool
		if err := tx.row(`SELECT EXISTS (SELECT 1 FROM sealing_key WHERE algorithm = ?)`, []any{key.Algorithm}, &some); err != nil {
			return err
		}
		if some {
			return symbolon.Errorf(symbolon.Conflict, op, "there are keys already")
		}
	}
	for _, key := range put {
		_, err := tx.exec(`INSERT OR REPLACE INTO sealing_key (id, algorithm, wrapped, active_from, retired_at) VALUES (?, ?, ?, ?, ?)`,
			key.ID, key.Algorithm, key.Wrapped, millis(key.ActiveFrom), optional(key.RetiredAt))
		if err != nil {
			return err
		}
	}
	return tx.change(change{kind: symbolon.KeysChanged, at: tx.clock()})
}
