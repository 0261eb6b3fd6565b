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
		rows, err := f.query(ctx, `SELECT name, description FROM scope ORDER BY name`)
		scopes, err = collect(rows, err, func(rows *sql.Rows) (scope symbolon.Scope, err error) {
			err = rows.Scan(&scope.Name, &scope.Description)
			return scope, err
		})
		return err
	})
	return scopes, err
}

// PutScope implements symbolon.Store.
func (db *DB) PutScope(ctx context.Context, scope symbolon.Scope) error {
	const op = "sqlite: put scope"
	if err := scope.Check(op); err != nil {
		return err
	}
	return db.write(ctx, op, func(tx *transaction) (err error) {
		if scope.Description == "" {
			_, err = tx.exec(`DELETE FROM scope WHERE name = ?`, scope.Name)
			return err
		}
		_, err = tx.exec(`
			INSERT INTO scope (name, description) VALUES (?1, ?2)
			ON CONFLICT (name) DO UPDATE SET description = ?2`, scope.Name, scope.Description)
		return err
	})
}
