package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"

	"github.com/symbolon/symbolon"
)

//go:embed schema/*.sql
var schema embed.FS

// schemaVersion is the number of the last file in schema.
const schemaVersion = 10

const opOpen = "sqlite: open"

// openMigrated opens the database of the options, after creating or migrating
// it under a lock where that is needed. When it is not, it writes nothing.
func openMigrated(ctx context.Context, options Options) (*file, Mark, error) {
	f, version, err := openAny(ctx, options)
	if err == nil && version < schemaVersion {
		err = f.close()
		if err == nil {
			f, err = migrate(ctx, options)
		}
	}
	if err != nil {
		return nil, Mark{}, openError(options.Path, err)
	}
	mark, err := f.settle(ctx, options)
	if err != nil {
		return nil, Mark{}, openError(options.Path, errors.Join(err, f.close()))
	}
	return f, mark, nil
}

// openAny opens what is there and returns the version of its schema, which is
// 0 when it is empty.
func openAny(ctx context.Context, options Options) (*file, int, error) {
	if err := create(ctx, options); err != nil {
		return nil, 0, err
	}
	f, err := openFile(options.Path, options.Wait)
	if err != nil {
		return nil, 0, err
	}
	version, err := f.version(ctx)
	if err == nil && version == 0 && options.Create == nil {
		err = symbolon.Errorf(symbolon.NotFound, opOpen, "%s is empty: there is no database in it", options.Path)
	}
	if err == nil && version > schemaVersion {
		err = &symbolon.Error{Kind: symbolon.Denied, Op: opOpen, Err: symbolon.ErrNewer,
			Detail: fmt.Sprintf("%s was written by a newer version of this program (its schema is %d, this program knows %d)",
				options.Path, version, schemaVersion)}
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.close())
	}
	return f, version, nil
}

// create makes an empty file that only its owner can read, unless there is one.
func create(ctx context.Context, options Options) error {
	_, err := os.Stat(options.Path)
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if options.Create == nil {
		return symbolon.Errorf(symbolon.NotFound, opOpen, "there is no database at %s", options.Path)
	}
	empty, err := os.OpenFile(options.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	return empty.Close()
}

// version returns the version of the schema, 0 for an empty file.
func (f *file) version(ctx context.Context) (int, error) {
	var ours, others, version int
	err := f.reads.QueryRowContext(ctx,
		`SELECT count(*) FILTER (WHERE name = 'goose_db_version'), count(*) FROM sqlite_schema WHERE type = 'table'`,
	).Scan(&ours, &others)
	switch {
	case err != nil:
		return 0, err
	case others == 0:
		return 0, nil
	case ours == 0:
		return 0, symbolon.Errorf(symbolon.Denied, opOpen, "%s is the database of another program", f.path)
	}
	err = f.reads.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	return version, err
}

// migrate brings the database to the version of this program, while no other
// process does. Each migration is one transaction, so that one that is
// interrupted is simply run again.
func migrate(ctx context.Context, options Options) (*file, error) {
	unlock, err := lock(ctx, options.Path+".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	f, _, err := openAny(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := f.up(ctx); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// up runs the migrations.
func (f *file) up(ctx context.Context) (err error) {
	writes := sql.OpenDB(f.writing)
	writes.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, writes.Close()) }()
	for _, pragma := range []string{"PRAGMA page_size = 4096", "PRAGMA journal_mode = WAL"} {
		if _, err := writes.ExecContext(ctx, pragma); err != nil {
			return err
		}
	}
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return err
	}
	migrations, err := goose.NewProvider(goose.DialectSQLite3, writes, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = migrations.Up(ctx)
	return err
}

// lock takes the lock file at path, which no two processes hold at once.
func lock(ctx context.Context, path string) (func(), error) {
	held, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(held.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = held.Close() }, nil // closing it gives the lock back
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, held.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), held.Close())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// settle decides the sort of a database that has none yet, if it is to be made, and
// demands it of one that has, and demands that the data is here.
func (f *file) settle(ctx context.Context, options Options) (Mark, error) {
	want := options.Create
	undecided := false
	if err := f.reads.QueryRowContext(ctx, `SELECT sandbox IS NULL FROM mark`).Scan(&undecided); err != nil {
		return Mark{}, err
	}
	if undecided && want == nil {
		return Mark{}, symbolon.Errorf(symbolon.NotFound, opOpen, "%s was made and never used: whoever made it has not said for what", f.path)
	}
	if undecided {
		c, err := f.connect(ctx)
		if err != nil {
			return Mark{}, err
		}
		defer c.close()
		if _, err := c.exec(`UPDATE mark SET sandbox = ? WHERE sandbox IS NULL`, want.Sandbox); err != nil {
			return Mark{}, err
		}
	}
	mark, err := readMark(ctx, f)
	if err != nil {
		return Mark{}, err
	}
	if want != nil && want.Sandbox != mark.Sandbox {
		return Mark{}, symbolon.Errorf(symbolon.Denied, opOpen, "%s holds %s, and %s was asked for: the two are never mixed",
			f.path, sort(mark.Sandbox), sort(want.Sandbox))
	}
	if options.Transfer {
		return mark, nil
	}
	return mark, f.whole(ctx)
}

// whole returns an error of kind Denied unless all of the data is in this database,
// and nowhere else: see the schema of mark.
func (f *file) whole(ctx context.Context) error {
	var moving bool
	var moved string
	err := f.reads.QueryRowContext(ctx, `SELECT moving IS NOT NULL, coalesce(moved, '') FROM mark`).Scan(&moving, &moved)
	switch {
	case err != nil:
		return err
	case moved != "":
		return &symbolon.Error{Kind: symbolon.Denied, Op: opOpen, Detail: "the data was moved from " + f.path + " to " + moved, Err: symbolon.ErrMoved}
	case moving:
		return &symbolon.Error{Kind: symbolon.Denied, Op: opOpen, Detail: "data is being moved into " + f.path + ", and that is not finished", Err: symbolon.ErrMoving}
	}
	return nil
}

func sort(sandbox bool) string {
	if sandbox {
		return "sandbox data"
	}
	return "real data"
}

func openError(path string, err error) error {
	var own *symbolon.Error
	if errors.As(err, &own) {
		return own
	}
	return &symbolon.Error{Kind: symbolon.Busy, Op: opOpen, Detail: path + " cannot be opened", Err: err}
}
