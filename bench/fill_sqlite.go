//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/sqlite"
)

// sqliteSeq is what SQLite's schema adds to a sequence number.
const sqliteSeq = 1 << 32

// fillSQLite fills the database of a data directory that a demo has made and on
// which no server runs.
func fillSQLite(dir string, f *filling) (_ []held, err error) {
	path := filepath.Join(dir, "symbolon.db")
	store, err := sqlite.Open(context.Background(), sqlite.Options{Path: path})
	if err != nil {
		return nil, err
	}
	f.ring, err = openRing(dir, store)
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	// Nothing has to survive a crash while it is filled.
	for _, pragma := range []string{"journal_mode=DELETE", "journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-2000000"} {
		if _, err := db.Exec("PRAGMA " + pragma); err != nil {
			return nil, err
		}
	}
	if err := db.QueryRow("SELECT no FROM app WHERE id = ?", string(f.app)).Scan(&f.appNo); err != nil {
		return nil, err
	}
	var one sync.Mutex // SQLite has one writer
	f.put = func(table string, columns []string, rows iter.Seq[[]any]) error {
		one.Lock()
		defer one.Unlock()
		return putSQLite(db, table, columns, rows)
	}
	list, err := f.fill()
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec("PRAGMA journal_mode=WAL"); err != nil {
		return nil, err
	}
	return list, syncFile(path)
}

// putSQLite inserts many rows with each statement.
func putSQLite(db *sql.DB, table string, columns []string, rows iter.Seq[[]any]) (err error) {
	const many = 100
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert := func(n int) string {
		row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
		return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + row + strings.Repeat(", "+row, n-1)
	}
	whole, err := tx.Prepare(insert(many))
	if err != nil {
		return err
	}
	defer whole.Close()
	seq := -1
	if table == "connection" {
		seq = slices.Index(columns, "seq")
	}
	args := make([]any, 0, many*len(columns))
	for row := range rows {
		for i, value := range row {
			switch v := value.(type) {
			case symbolon.ConnectionID:
				value = v[:]
			case int64:
				if i == seq {
					value = v + sqliteSeq
				}
			}
			args = append(args, value)
		}
		if len(args) == cap(args) {
			if _, err := whole.Exec(args...); err != nil {
				return err
			}
			args = args[:0]
		}
	}
	if len(args) > 0 {
		if _, err := tx.Exec(insert(len(args)/len(columns)), args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// openRing opens the sealing keys of a store with the root key in a directory.
func openRing(dir string, store symbolon.Store) (*seal.Ring, error) {
	text, err := os.ReadFile(filepath.Join(dir, "root.key"))
	if err != nil {
		return nil, err
	}
	roots, err := seal.ParseRootKeys(string(text))
	if err != nil {
		return nil, err
	}
	keys, err := store.Keys(context.Background(), nil, false)
	if err != nil {
		return nil, err
	}
	return seal.NewRing(roots, keys)
}
