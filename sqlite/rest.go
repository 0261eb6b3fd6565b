package sqlite

import "context"

// Rest gives back the memory in which the store holds pages of the file, 8 MB at
// most for writes. They are read again when they are needed, from the system's
// cache as a rule. Errors are of kind Busy.
func (db *DB) Rest(ctx context.Context) error {
	return db.write(ctx, "sqlite: rest", func(tx *transaction) error {
		_, err := tx.exec(`PRAGMA shrink_memory`)
		return err
	})
}
