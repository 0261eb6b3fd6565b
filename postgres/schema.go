package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/symbolon/symbolon"
)

//go:embed schema/*.sql
var schema embed.FS

// schemaVersion is the number of the last file in schema.
const schemaVersion = 10

// versionTable says which files were run. It has our name, since other programs
// keep theirs in the same database.
const versionTable = "symbolon_version"

const opOpen = "postgres: open"

// settleSchema makes or migrates the tables where that is needed, and decides or
// demands the sort of the database.
func (db *DB) settleSchema(ctx context.Context) (Mark, error) {
	var mark Mark
	err := onConn(ctx, db.pool, func(c *pgxpool.Conn) error {
		version, err := readVersion(ctx, c)
		switch {
		case err != nil:
			return err
		case version == 0 && db.options.Create == nil:
			return symbolon.Errorf(symbolon.NotFound, opOpen, "there are no tables of this program in the database")
		case version > schemaVersion:
			if err := known(ctx, c, version); err != nil {
				return err
			}
		case version < schemaVersion:
			if err := db.migrate(ctx); err != nil {
				return err
			}
		}
		mark, err = db.settleSort(ctx, c)
		return err
	})
	if err != nil {
		return Mark{}, openError(err)
	}
	return mark, nil
}

// readVersion returns the version of the schema, 0 when there is none.
func readVersion(ctx context.Context, c *pgxpool.Conn) (int64, error) {
	var version int64
	err := c.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable+` WHERE is_applied`).Scan(&version)
	if sqlState(err) == undefinedTable {
		return 0, nil
	}
	return version, err
}

// known returns an error of kind Denied when a database of a newer version has
// something that this program would have to know. Otherwise nodes of both releases
// work side by side, while one is replaced by the other.
func known(ctx context.Context, c *pgxpool.Conn, version int64) error {
	var oldest int64
	if err := c.QueryRow(ctx, `SELECT oldest FROM mark`).Scan(&oldest); err != nil {
		return err
	}
	if oldest > schemaVersion {
		return &symbolon.Error{Kind: symbolon.Denied, Op: opOpen, Err: symbolon.ErrNewer,
			Detail: fmt.Sprintf("the database was written by a newer version of this program (its schema is %d and needs a program that knows %d, this one knows %d)",
				version, oldest, schemaVersion)}
	}
	return nil
}

// migrate brings the database to the version of this program, while no other
// node does. Each migration is one transaction, so that one that is interrupted
// is simply run again.
func (db *DB) migrate(ctx context.Context) (err error) {
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return err
	}
	one, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	writes := stdlib.OpenDBFromPool(db.pool)
	defer func() { err = errors.Join(err, writes.Close()) }()
	migrations, err := goose.NewProvider(goose.DialectPostgres, writes, files, goose.WithTableName(versionTable),
		goose.WithSessionLocker(one), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = migrations.Up(ctx)
	if sqlState(err) == duplicateTable {
		return symbolon.Errorf(symbolon.Denied, opOpen, "the database has tables of another program under our names: give this program a database or a schema of its own")
	}
	return err
}

// settleSort decides the sort of a database that has none yet, if it is to be made,
// and demands it of one that has.
func (db *DB) settleSort(ctx context.Context, c *pgxpool.Conn) (Mark, error) {
	want := db.options.Create
	if want != nil {
		if _, err := c.Exec(ctx, `UPDATE mark SET sandbox = $1 WHERE sandbox IS NULL`, want.Sandbox); err != nil {
			return Mark{}, err
		}
	} else {
		var decided bool
		if err := c.QueryRow(ctx, `SELECT sandbox IS NOT NULL FROM mark`).Scan(&decided); err != nil {
			return Mark{}, err
		}
		if !decided {
			return Mark{}, symbolon.Errorf(symbolon.NotFound, opOpen, "the tables in the database were made and never used: whoever made them has not said for what")
		}
	}
	mark, err := readMark(ctx, c)
	if err == nil && !db.options.Transfer {
		err = whole(ctx, c)
	}
	if err != nil {
		return Mark{}, err
	}
	if want != nil && want.Sandbox != mark.Sandbox {
		return Mark{}, symbolon.Errorf(symbolon.Denied, opOpen, "the database holds %s, and %s was asked for: the two are never mixed",
			sort(mark.Sandbox), sort(want.Sandbox))
	}
	return mark, nil
}

// whole returns an error of kind Denied unless all of the data is in this database,
// and nowhere else: see the schema of mark.
func whole(ctx context.Context, c *pgxpool.Conn) error {
	var moving bool
	var moved string
	err := c.QueryRow(ctx, `SELECT moving IS NOT NULL, coalesce(moved, '') FROM mark`).Scan(&moving, &moved)
	switch {
	case err != nil:
		return err
	case moved != "":
		return &symbolon.Error{Kind: symbolon.Denied, Op: opOpen, Detail: "the data was moved from this database to " + moved, Err: symbolon.ErrMoved}
	case moving:
		return &symbolon.Error{Kind: symbolon.Denied, Op: opOpen, Detail: "data is being moved into this database, and that is not finished", Err: symbolon.ErrMoving}
	}
	return nil
}

func sort(sandbox bool) string {
	if sandbox {
		return "sandbox data"
	}
	return "real data"
}

func openError(err error) error {
	var own *symbolon.Error
	if errors.As(err, &own) {
		return own
	}
	return &symbolon.Error{Kind: symbolon.Busy, Op: opOpen, Detail: "the database cannot be opened", Err: err}
}
