package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	code "modernc.org/sqlite/lib"

	"github.com/symbolon/symbolon"
)

// request is one change on its way through the writer. Its outcome is what
// apply leaves behind, and err.
type request struct {
	op    string
	apply func(tx *transaction) error
	err   error
	// unfit is set when the change met damage: the batch is run without it.
	unfit bool
}

// write has the change applied in one transaction with others and returns once
// it is durable. An error of kind Unknown says that it may be.
func (db *DB) write(ctx context.Context, op string, apply func(tx *transaction) error) error {
	r := &request{op: op, apply: apply}
	if err := db.group.Do(ctx, r); err != nil {
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
	return r.err
}

// writer owns the connection that writes. All its methods run on the goroutine
// of the group, but close, which runs after it.
type writer struct {
	db      *DB
	conn    *conn     // nil until it is needed and after a failure
	commits uint64    // at least so many are durable: ours, and those before ours
	looked  time.Time // when the file was last found intact
	left    remains   // of the file that was given up last
	sweep   sweep
	away    away
}

func newWriter(db *DB, commits uint64) *writer {
	return &writer{db: db, commits: commits, away: away{log: db.options.Log}}
}

// run makes one transaction of the batch. A change that cannot be made fails
// alone; when the store cannot be written, all of them fail.
func (w *writer) run(batch []*request) {
	err := w.transact(batch)
	if err == nil {
		return
	}
	w.away.gone(err)
	kind := symbolon.Busy
	var unknown *unknownError
	if errors.As(err, &unknown) {
		kind = symbolon.Unknown
	}
	for _, r := range batch {
		r.err = symbolon.Wrap(kind, r.op, err)
	}
}

// unknownError wraps the failure of a COMMIT that may have happened.
type unknownError struct{ error }

func (e *unknownError) Unwrap() error { return e.error }

// transact runs the batch. When a change meets damage, nothing is kept; each is
// tried alone to find all that do, and the batch is run without them.
func (w *writer) transact(batch []*request) error {
	if err := w.ready(); err != nil {
		return err
	}
	met, err := w.attempt(batch, true)
	if met == nil {
		return err
	}
	w.away.hurt(met.op, err)
	for i := range batch {
		// Alone, since SQLite lets a transaction that has met damage see
		// nothing else.
		met, err := w.attempt(batch[i:i+1], false)
		switch {
		case met != nil:
			met.unfit, met.err = true, symbolon.Wrap(symbolon.Busy, met.op, err)
		case err != nil:
			return err
		}
	}
	met, err = w.attempt(batch, true)
	if met != nil {
		w.drop()
	}
	return err
}

// attempt runs the batch once, and commits it if keep is set. It returns the
// request that met damage, if one did, with the error; otherwise an error means
// that the whole batch failed.
func (w *writer) attempt(batch []*request, keep bool) (*request, error) {
	if err := w.begin(); err != nil {
		return nil, w.failed(err)
	}
	tx := &transaction{w: w}
	for _, r := range batch {
		if r.unfit {
			continue
		}
		err := r.apply(tx)
		if err == nil {
			r.err = nil
			continue
		}
		switch blameFor(err) {
		case ownFault:
			r.err = changeError(r.op, err)
		case damage:
			w.rollback()
			return r, err
		default:
			w.rollback()
			return nil, w.failed(err)
		}
	}
	if !tx.wrote || !keep {
		w.rollback()
		return nil, nil
	}
	return nil, w.commit(tx)
}

// lockPause is how long to wait before asking for the write lock again. SQLite's
// own wait grows to a tenth of a second, in which a process that writes without
// pause would seldom be caught between two transactions.
const lockPause = 500 * time.Microsecond

// begin takes the write lock, waiting for another process that holds it.
func (w *writer) begin() error {
	start := time.Now()
	for {
		_, err := w.conn.exec(`BEGIN IMMEDIATE`)
		if resultCode(err) != code.SQLITE_BUSY || time.Since(start) > w.db.options.Wait {
			return err
		}
		time.Sleep(lockPause)
	}
}

func (w *writer) commit(tx *transaction) error {
	err := w.sweep.some(tx)
	if err == nil {
		err = tx.count()
	}
	if err != nil {
		w.rollback()
		return w.failed(err)
	}
	if _, err := w.conn.exec(`COMMIT`); err != nil {
		w.rollback()
		if uncertain(err) {
			err = &unknownError{err}
		}
		return w.failed(err)
	}
	// A commit into a file that is no longer in its place is none.
	if err := w.db.file.Load().inPlace(); err != nil {
		return w.failed(&unknownError{err})
	}
	w.commits++
	w.away.back()
	return nil
}

// count counts the commit, unless the data has meanwhile been moved away: then
// nothing is written here any more.
func (tx *transaction) count() error {
	n, err := tx.exec(`UPDATE mark SET commits = commits + 1 WHERE moved IS NULL`)
	if err == nil && n == 0 {
		return symbolon.ErrMoved
	}
	return err
}

// rollback ends the transaction, if SQLite has not done so itself.
func (w *writer) rollback() {
	if w.conn != nil {
		_, _ = w.conn.exec(`ROLLBACK`)
	}
}

// failed drops what the failure may have hurt, to be opened afresh: nothing
// when another process holds the lock, only the connection when the file cannot
// be written, and everything otherwise. Reads go on where they can.
func (w *writer) failed(err error) error {
	switch resultCode(err) {
	case code.SQLITE_BUSY:
	case code.SQLITE_FULL, code.SQLITE_READONLY, code.SQLITE_NOMEM:
		w.disconnect()
	default:
		w.drop()
	}
	return err
}

// transaction is what the changes of one batch write together.
type transaction struct {
	w     *writer
	wrote bool
	born  int       // connections and records of what was used once, inserted
	at    time.Time // the latest now that a change has carried
}

// exec returns how many rows the statement changed.
func (tx *transaction) exec(query string, args ...any) (int64, error) {
	n, err := tx.w.conn.exec(query, args...)
	if n > 0 {
		tx.wrote = true
	}
	return n, err
}

// row reads one row into the destinations. The error is sql.ErrNoRows when
// there is none.
func (tx *transaction) row(query string, args []any, into ...any) error {
	return tx.w.conn.row(query, args, into...)
}

// returning runs a statement that changes at most one row and reads what it
// returns. The error is sql.ErrNoRows when it changed none.
func (tx *transaction) returning(query string, args []any, into ...any) error {
	err := tx.row(query, args, into...)
	if err == nil {
		tx.wrote = true
	}
	return err
}

// atomically runs a change of several statements: when it fails, what it has
// done so far is undone, and the transaction goes on.
func (tx *transaction) atomically(change func() error) error {
	if _, err := tx.w.conn.exec(`SAVEPOINT change`); err != nil {
		return err
	}
	err := change()
	if err != nil {
		if _, e := tx.w.conn.exec(`ROLLBACK TO change`); e != nil {
			return e
		}
	}
	if _, e := tx.w.conn.exec(`RELEASE change`); e != nil {
		return e
	}
	return err
}

// clock returns the time for changes that carry none.
func (tx *transaction) clock() int64 { return millis(tx.w.db.options.Clock.Now()) }

// saw notes the time that a change carries, by which the sweep goes.
func (tx *transaction) saw(now time.Time) {
	if now.After(tx.at) {
		tx.at = now
	}
}

// millis returns a time as it is stored.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// optional returns a time as it is stored where it may be missing.
func optional(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: millis(t), Valid: !t.IsZero()}
}

// moment returns the time that is stored as ms.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
