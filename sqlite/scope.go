package sqlite

import (
	"context"
	"database/sql"

	"github.com/symbolon/symbolon"
)

// Scopes implements symbolon.Store.
func (db *DB) Scopes(ctx context.Context) ([]symbolon.Scope, error) {
	var scopes []symbolon.Scope
	err := db.read(ctx, "sqlite: scopes", func(f *file) error {
		rows, err := f.query(ctx, `SELECT name, description, local FROM scope ORDER BY name`)
		scopes, err = collect(rows, err, func(rows *sql.Rows) (scope symbolon.Scope, err error) {
			local := ""
			if err := rows.Scan(&scope.Name, &scope.Description, &local); err != nil {
				return scope, err
			}
			return scope, scope.DecodeLocal(local)
		})
		return err
	})
	return scopes, err
}

// PutScope implements symbolon.Store.
func (db *DB) PutScope(ctx context.Context, was, scope symbolon.Scope) error {
	const op = "sqlite: put scope"
	if err := scope.Check(op); err != nil {
		return err
	}
	now, before := scope.EncodeLocal(), was.EncodeLocal()
	return db.write(ctx, op, func(tx *transaction) error {
		n, err := int64(0), error(nil)
		switch {
		case scope.Description == "":
			if n, err = tx.exec(`DELETE FROM scope WHERE name = ?1 AND description = ?2 AND local = ?3`, scope.Name, was.Description, before); n > 0 || err != nil {
				return err
			}
			// It is gone already, or it is another.
			n, err = tx.exec(`UPDATE scope SET description = description WHERE name = ?1`, scope.Name)
			n = 1 - n
		case was.Description == "":
			n, err = tx.exec(`
				INSERT INTO scope (name, description, local) VALUES (?1, ?2, ?3)
				ON CONFLICT (name) DO UPDATE SET local = excluded.local
				WHERE scope.description = excluded.description AND scope.local = excluded.local`, scope.Name, scope.Description, now)
		default:
			n, err = tx.exec(`
				UPDATE scope SET description = ?2, local = ?3
				WHERE name = ?1 AND (description = ?4 AND local = ?5 OR description = ?2 AND local = ?3)`,
				scope.Name, scope.Description, now, was.Description, before)
		}
		if err == nil && n == 0 {
			err = symbolon.Errorf(symbolon.Conflict, op, "the scope has other sentences now")
		}
		return err
	})
}
