package sqlite

import (
	"context"
	"database/sql"

	"github.com/symbolon/symbolon"
)

// Keys implements symbolon.Store.
func (db *DB) Keys(ctx context.Context) ([]symbolon.Key, error) {
	var keys []symbolon.Key
	err := db.read(ctx, "sqlite: keys", func(f *file) error {
		rows, err := f.query(ctx,
			`SELECT id, wrapped, active_from, retired_at FROM sealing_key ORDER BY active_from, id`)
		keys, err = collect(rows, err, func(rows *sql.Rows) (key symbolon.Key, err error) {
			var activeFrom int64
			var retiredAt sql.NullInt64
			err = rows.Scan(&key.ID, &key.Wrapped, &activeFrom, &retiredAt)
			key.ActiveFrom, key.RetiredAt = moment(activeFrom), moment(retiredAt.Int64)
			return key, err
		})
		return err
	})
	return keys, err
}

// PutKeys implements symbolon.Store.
func (db *DB) PutKeys(ctx context.Context, keys []symbolon.Key, onlyFirst bool) error {
	const op = "sqlite: put keys"
	return db.write(ctx, op, func(tx *transaction) error {
		return tx.atomically(func() error { return tx.putKeys(op, keys, onlyFirst) })
	})
}

func (tx *transaction) putKeys(op string, keys []symbolon.Key, onlyFirst bool) error {
	if onlyFirst {
		var some bool
		if err := tx.row(`SELECT EXISTS (SELECT 1 FROM sealing_key)`, nil, &some); err != nil {
			return err
		}
		if some {
			return symbolon.Errorf(symbolon.Conflict, op, "there are keys already")
		}
	}
	for _, key := range keys {
		_, err := tx.exec(`INSERT OR REPLACE INTO sealing_key (id, wrapped, active_from, retired_at) VALUES (?, ?, ?, ?)`,
			key.ID, key.Wrapped, millis(key.ActiveFrom), optional(key.RetiredAt))
		if err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return tx.change(change{kind: symbolon.KeysChanged, at: tx.clock()})
}
