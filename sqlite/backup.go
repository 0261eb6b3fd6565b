package sqlite

import (
	"context"
	"errors"
	"os"

	"github.com/symbolon/symbolon"
)

const opBackup = "sqlite: backup"

// Backup writes a copy of the database to path, where there may be an empty file
// and must not be another. It has what was committed when it was begun, in as few
// pages as it needs, and is a database that can be opened like this one. Meanwhile
// others go on reading and writing; the log is not given back before the end. When
// it returns without an error, the copy is on stable storage.
func (db *DB) Backup(ctx context.Context, path string) (err error) {
	if err := db.read(ctx, opBackup, func(f *file) error { return f.copy(ctx, path) }); err != nil {
		return err
	}
	// Written so far without a log and without a sync.
	f, err := openFile(path, db.options.Wait)
	if err != nil {
		return symbolon.Wrap(symbolon.Busy, opBackup, err)
	}
	c, err := f.connect(ctx)
	if err == nil {
		err = c.row(`PRAGMA journal_mode = WAL`, nil, new(string))
		c.close()
	}
	if err = errors.Join(err, f.close()); err == nil {
		err = toDisk(path)
	}
	if err != nil {
		return symbolon.Wrap(symbolon.Busy, opBackup, err)
	}
	return nil
}

// copy writes what the database has now into an empty file, on a connection of its
// own, since those that read may write nowhere.
func (f *file) copy(ctx context.Context, path string) error {
	c, err := f.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	s, err := c.prepare(`VACUUM INTO ?`)
	if err != nil {
		return err
	}
	args, err := c.bind([]any{path})
	if err == nil {
		_, err = s.ExecContext(ctx, args)
	}
	return err
}

// toDisk brings a file to stable storage.
func toDisk(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
