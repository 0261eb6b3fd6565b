package sqlite

import (
	"context"

	"github.com/symbolon/symbolon"
)

// Once implements symbolon.Store.
func (db *DB) Once(ctx context.Context, o symbolon.Once) (value []byte, first bool, err error) {
	const op = "sqlite: once"
	if o.Look {
		err = db.read(ctx, op, func(f *file) error {
			err := f.row(ctx, `SELECT value FROM once WHERE key = ? AND expires_at > ?`, []any{o.Key[:], millis(o.Now)}, &value)
			if missing(err) {
				value, first = nil, true
				return nil
			}
			return err
		})
		return value, first && err == nil, err
	}
	if err := o.Check(op); err != nil {
		return nil, false, err
	}
	err = db.write(ctx, op, func(tx *transaction) error {
		tx.saw(o.Now)
		n, err := tx.exec(`
			INSERT INTO once (key, value, expires_at) VALUES (?1, ?2, ?3)
			ON CONFLICT (key) DO UPDATE SET value = ?2, expires_at = ?3 WHERE expires_at <= ?4`,
			o.Key[:], append([]byte{}, o.Value...), millis(o.ExpiresAt), millis(o.Now))
		if err != nil {
			return err
		}
		if first = n == 1; first {
			tx.born++
			value = o.Value
			return nil
		}
		return tx.row(`SELECT value FROM once WHERE key = ?`, []any{o.Key[:]}, &value)
	})
	if err != nil {
		return nil, false, err
	}
	return value, first, nil
}
