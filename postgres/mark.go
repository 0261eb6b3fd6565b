package postgres

import (
	"context"
	"encoding/hex"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Mark identifies a database, and how far it has come.
type Mark struct {
	// Epoch is random and made with the tables.
	Epoch Epoch
	// Sandbox is set in a database for trying out.
	Sandbox bool
	// Commits grows while anything is changed, with every Beat of a node that has
	// changed something. A database that has less than it had before is an older
	// copy.
	Commits uint64
}

// Epoch is the 128-bit identity of a database.
type Epoch [16]byte

// String returns 32 lower-case hex digits.
func (e Epoch) String() string { return hex.EncodeToString(e[:]) }

// pulse is what Beat knows.
type pulse struct {
	changed atomic.Bool // something was committed since the last Beat, or may have been

	mu   sync.Mutex
	last *Mark // that was read; nil before the first; mu
}

const opMark = "postgres: mark"

// Mark returns the identity of the database.
func (db *DB) Mark(ctx context.Context) (Mark, error) {
	var mark Mark
	err := db.read(ctx, opMark, func(ctx context.Context, c *pgxpool.Conn) (err error) {
		mark, err = readMark(ctx, c)
		return err
	})
	return mark, err
}

const markColumns = `epoch, coalesce(sandbox, false), beats`

func readMark(ctx context.Context, c *pgxpool.Conn) (Mark, error) {
	return scanMark(c.QueryRow(ctx, `SELECT `+markColumns+` FROM mark`))
}

func scanMark(row pgx.Row) (Mark, error) {
	var mark Mark
	var beats int64
	err := row.Scan((*[16]byte)(&mark.Epoch), &mark.Sandbox, &beats)
	if beats < 0 {
		return mark, errDamaged
	}
	mark.Commits = uint64(beats)
	return mark, err
}

// Beat returns what Mark does, after it has raised Commits if this node has changed
// anything since it was last called. Otherwise it returns what it returned then, and
// asks the database nothing. It is to be called about once a second, by a server
// that keeps what it returns outside the database, and a last time before Close:
// what was changed after the last call is not known to be missing from a copy that
// is older.
func (db *DB) Beat(ctx context.Context) (Mark, error) {
	p := &db.pulse
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.changed.Swap(false) {
		if p.last != nil {
			return *p.last, nil
		}
		mark, err := db.Mark(ctx)
		if err == nil {
			p.last = &mark
		}
		return mark, err
	}
	var mark Mark
	err := db.silently(ctx, opMark, func(tx *transaction) (err error) {
		mark, err = scanMark(tx.QueryRow(tx.ctx, `UPDATE mark SET beats = beats + 1 RETURNING `+markColumns))
		tx.wrote = err == nil
		return err
	})
	if err != nil {
		p.changed.Store(true)
		return Mark{}, err
	}
	p.last = &mark
	return mark, nil
}
