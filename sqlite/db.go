// Package sqlite is the Store that needs nothing else: one file, which SQLite
// keeps durable by its write-ahead log and synchronous=FULL.
//
// One goroutine writes. It gathers the changes that wait into one transaction
// with one fsync and gives each caller its own outcome. Reads run beside it on
// a few connections of their own. Other processes, such as the command line,
// may open the same file at the same time.
//
// Whatever happens to the file (full disk, lock, damage, deletion), calls return
// Busy or Unknown and the store comes back by itself when the cause is gone:
// recovery opens the file afresh, exactly as the start does.
package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/gather"
)

// Options say which database to open and how.
type Options struct {
	// Path is the database file. Files beside it whose names begin with its
	// name belong to it.
	Path string
	// Create makes the database when there is none, and demands its sort of
	// one that is there. Without it, a database of either sort is opened, and
	// it must exist.
	Create *Create
	// Log receives one line when the store goes away and one when it is back.
	// Nil discards them.
	Log *slog.Logger
	// Clock dates the changes whose methods carry no time. Nil is the
	// machine's.
	Clock symbolon.Clock
	// Wait is how long a write waits for another process that holds the write
	// lock before it gives up with Busy. Zero is two seconds.
	Wait time.Duration
	// Transfer opens a database that is being filled from another as well, and one
	// that was left for another. It is for who carries the data, and serves nobody.
	Transfer bool
}

// Create says what a new database is for.
type Create struct {
	// Sandbox makes a database for trying out. Only such a one takes accounts
	// and apps that are marked as sandbox ones.
	Sandbox bool
}

// Mark identifies a database and the state it is in. Who remembers the last Mark
// elsewhere can tell that a database was restored from an older copy: the epoch
// is the same and Commits has gone back.
type Mark struct {
	// Epoch is random and made with the database.
	Epoch Epoch
	// Commits counts the transactions that have written.
	Commits uint64
	// Sandbox is set in a database for trying out.
	Sandbox bool
}

// Epoch is the 128-bit identity of a database.
type Epoch [16]byte

// String returns 32 lower-case hex digits.
func (e Epoch) String() string { return hex.EncodeToString(e[:]) }

// DB is an open database. It implements symbolon.Store.
type DB struct {
	options Options
	epoch   Epoch
	sandbox bool
	writer  *writer
	group   *gather.Group[*request]
	file    atomic.Pointer[file] // stored by the writer; nil while the store is away
	closed  atomic.Bool
}

var _ symbolon.Store = (*DB)(nil)

const (
	maxBatch = 512  // changes in one transaction
	maxQueue = 4096 // changes that wait; more are refused with Busy
)

// Open opens the database, after creating and migrating it where needed. Two
// processes may do so at once. Errors are of kind NotFound when there is no
// database and none is to be created, Denied when it is of the other sort, of a
// newer version or of another program, or when its data was moved away
// (symbolon.ErrMoved) or is still on its way here (symbolon.ErrMoving), and Busy
// when it cannot be read now.
func Open(ctx context.Context, options Options) (*DB, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Clock == nil {
		options.Clock = symbolon.NewSteadyClock(time.Time{})
	}
	if options.Wait == 0 {
		options.Wait = 2 * time.Second
	}
	f, mark, err := openMigrated(ctx, options)
	if err != nil {
		return nil, err
	}
	db := &DB{options: options, epoch: mark.Epoch, sandbox: mark.Sandbox}
	db.file.Store(f)
	db.writer = newWriter(db, mark.Commits)
	db.group = gather.New(maxBatch, maxQueue, db.writer.run)
	return db, nil
}

// Close finishes the changes that were accepted, then closes the file. Calls
// that come later return Busy.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	db.group.Close()
	return db.writer.close()
}

// Mark returns the identity and the state of the database.
func (db *DB) Mark(ctx context.Context) (Mark, error) {
	var mark Mark
	err := db.read(ctx, "sqlite: mark", func(f *file) (err error) {
		mark, err = readMark(ctx, f)
		return err
	})
	return mark, err
}

func readMark(ctx context.Context, f *file) (Mark, error) {
	var mark Mark
	var epoch []byte
	err := f.row(ctx, `SELECT epoch, commits, coalesce(sandbox, 0) FROM mark`, nil, &epoch, &mark.Commits, &mark.Sandbox)
	if err != nil {
		return Mark{}, err
	}
	if copy(mark.Epoch[:], epoch) != len(mark.Epoch) {
		return Mark{}, errDamaged
	}
	return mark, nil
}

// Check reads the whole database and returns an error of kind Busy that says
// what is damaged. It takes seconds for a large one.
func (db *DB) Check(ctx context.Context) error { return db.check(ctx, `PRAGMA quick_check(1)`) }

// CheckAll is like Check and compares the indexes with their tables as well, which
// takes some five times as long.
func (db *DB) CheckAll(ctx context.Context) error { return db.check(ctx, `PRAGMA integrity_check(1)`) }

func (db *DB) check(ctx context.Context, pragma string) error {
	return db.read(ctx, "sqlite: check", func(f *file) error {
		var verdict string
		if err := f.reads.QueryRowContext(ctx, pragma).Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return errors.New(verdict)
		}
		return nil
	})
}

// opened returns the file, after having the writer open it where it has gone or was
// replaced.
func (db *DB) opened(ctx context.Context, op string) (*file, error) {
	f := db.file.Load()
	if f != nil && f.moved() == nil {
		return f, nil
	}
	if err := db.write(ctx, op, func(*transaction) error { return nil }); err != nil {
		return nil, err
	}
	if f = db.file.Load(); f == nil {
		return nil, symbolon.Errorf(symbolon.Busy, op, "the store is away")
	}
	return f, nil
}

// read runs a read on the file that is open now. When the file has gone or was
// replaced, it has the writer open the one that is there and looks once more.
func (db *DB) read(ctx context.Context, op string, look func(f *file) error) error {
	if err := ctx.Err(); err != nil {
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
	f, err := db.opened(ctx, op)
	if err != nil {
		return err
	}
	err = look(f)
	if err != nil && blameFor(err) != ownFault {
		// Perhaps the file was overwritten: have the writer look at it.
		_ = db.write(ctx, op, func(*transaction) error { return nil })
	}
	return readError(op, err)
}
