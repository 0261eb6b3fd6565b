package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// Scopes implements symbolon.Store.
func (db *DB) Scopes(ctx context.Context) ([]symbolon.Scope, error) {
	var scopes []symbolon.Scope
	err := db.read(ctx, "postgres: scopes", func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, `SELECT name, description FROM scope ORDER BY name`)
		scopes, err = collect(rows, err, func(row pgx.CollectableRow) (scope symbolon.Scope, err error) {
			err = row.Scan(&scope.Name, &scope.Description)
			return scope, err
		})
		return err
	})
	return scopes, err
}

// PutScope implements symbolon.Store.
func (db *DB) PutScope(ctx context.Context, scope symbolon.Scope) error {
	const op = "postgres: put scope"
	if err := scope.Check(op); err != nil {
		return err
	}
	return db.write(ctx, op, func(tx *transaction) (err error) {
		if scope.Description == "" {
			_, err = tx.exec(`DELETE FROM scope WHERE name = $1`, scope.Name)
			return err
		}
		_, err = tx.exec(`
			INSERT INTO scope (name, description) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET description = excluded.description`, scope.Name, scope.Description)
		return err
	})
}
