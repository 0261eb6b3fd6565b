package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/gather"
)

// request is one gathered change on its way.
type request[Q, O any] struct {
	ask   Q
	since time.Time // when it came
	out   O
	err   error
	// done is set when the outcome is known and durable, or when it failed.
	done bool
}

// ask has a change made together with others and returns its own outcome.
func ask[Q, O any](ctx context.Context, g *gather.Group[*request[Q, O]], op string, q Q) (O, error) {
	r := &request[Q, O]{ask: q, since: time.Now()}
	var none O
	if err := g.Do(ctx, r); err != nil {
		return none, symbolon.Wrap(symbolon.Busy, op, err)
	}
	if r.err != nil {
		return none, r.err
	}
	return r.out, nil
}

// pending returns the requests that are not done yet.
func pending[Q, O any](batch []*request[Q, O]) []*request[Q, O] {
	var rest []*request[Q, O]
	for _, r := range batch {
		if !r.done {
			rest = append(rest, r)
		}
	}
	return rest
}

// runner returns what runs a batch by apply, which marks those that are done. When
// the server refuses a value of one, nothing of that statement is kept; the halves
// are run on their own then, so that it fails alone. A batch has what is left of the
// store's Wait for the one of it that came first, whoever waits for it.
func runner[Q, O any](db *DB, op string, apply func(ctx context.Context, c *pgxpool.Conn, batch []*request[Q, O]) error) func([]*request[Q, O]) {
	var run func(ctx context.Context, batch []*request[Q, O])
	run = func(ctx context.Context, batch []*request[Q, O]) {
		err := db.again(ctx, func() error {
			return onConn(ctx, db.hot, func(c *pgxpool.Conn) error { return apply(ctx, c, pending(batch)) })
		})
		rest := pending(batch)
		if half := len(rest) / 2; half > 0 && err != nil && ownFault(err) {
			run(ctx, rest[:half])
			run(ctx, rest[half:])
			return
		}
		if err == nil && len(rest) > 0 {
			err = symbolon.Errorf(symbolon.Busy, op, "others were in the way each time")
		}
		db.noticed(context.Background(), err)
		db.pulse.changed.Store(true)
		for _, r := range rest {
			r.done, r.err = true, changeError(op, err)
		}
	}
	return func(batch []*request[Q, O]) {
		// Who has waited for more than half of his time gives up here, so that the
		// others have the rest of theirs: nobody waits for longer than that.
		now := time.Now()
		first := now
		for _, r := range batch {
			switch waited := now.Sub(r.since); {
			case waited > db.options.Wait/2:
				r.done, r.err = true, symbolon.Errorf(symbolon.Busy, op, "no turn for %v", waited.Round(time.Millisecond))
			case r.since.Before(first):
				first = r.since
			}
		}
		if batch = pending(batch); len(batch) == 0 {
			return
		}
		ctx, cancel := context.WithDeadline(context.Background(), first.Add(db.options.Wait))
		defer cancel()
		run(ctx, batch)
	}
}

// transaction is a change of several statements. What it leaves in changes is
// written when everything else is.
type transaction struct {
	pgx.Tx
	ctx     context.Context
	db      *DB
	changes []change
	events  []symbolon.Delivery // of changes, to be told
	wrote   bool
}

// write runs a change in a transaction of its own, again if it must.
func (db *DB) write(ctx context.Context, op string, apply func(tx *transaction) error) error {
	defer db.pulse.changed.Store(true)
	return db.silently(ctx, op, apply)
}

// silently is write for what Beat does, which is no reason for another.
func (db *DB) silently(ctx context.Context, op string, apply func(tx *transaction) error) error {
	if err := ctx.Err(); err != nil {
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
	// A caller that leaves undoes nothing that has begun.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.options.Wait)
	defer cancel()
	err := db.again(within, func() error {
		return onConn(within, db.pool, func(c *pgxpool.Conn) error { return db.transact(within, c, apply) })
	})
	db.noticed(ctx, err)
	return changeError(op, err)
}

// transact runs a change and commits it, if it has changed anything. The error is
// an unknownError only when COMMIT was sent and it is not known what came of it.
func (db *DB) transact(ctx context.Context, c *pgxpool.Conn, apply func(tx *transaction) error) error {
	begun, err := c.Begin(ctx)
	if err != nil {
		return errors.Join(errLost, err)
	}
	tx := &transaction{Tx: begun, ctx: ctx, db: db}
	err = apply(tx)
	if err == nil {
		err = tx.tellEvents()
	}
	if err == nil {
		err = tx.tell()
	}
	if err != nil || !tx.wrote {
		_ = begun.Rollback(ctx) // the pool throws a connection away that is still in a transaction
		if err != nil && sqlState(err) == "" && c.Conn().IsClosed() {
			return errors.Join(errLost, err) // COMMIT was not sent, so nothing was done
		}
		return err
	}
	return committed(c, begun.Commit(ctx))
}

// exec returns how many rows the statement changed.
func (tx *transaction) exec(query string, args ...any) (int64, error) {
	tag, err := tx.Tx.Exec(tx.ctx, query, args...)
	if tag.RowsAffected() > 0 {
		tx.wrote = true
	}
	return tag.RowsAffected(), err
}

// row reads one row into the destinations. The error is pgx.ErrNoRows when there
// is none.
func (tx *transaction) row(query string, args []any, into ...any) error {
	return tx.Tx.QueryRow(tx.ctx, query, args...).Scan(into...)
}

// returning runs a statement that changes at most one row and reads what it
// returns. The error is pgx.ErrNoRows when it changed none.
func (tx *transaction) returning(query string, args []any, into ...any) error {
	err := tx.row(query, args, into...)
	if err == nil {
		tx.wrote = true
	}
	return err
}

// change leaves a change to be told of.
func (tx *transaction) change(c change) { tx.changes = append(tx.changes, c) }

// clock returns the time for changes that carry none.
func (tx *transaction) clock() int64 { return millis(tx.db.options.Clock.Now()) }

// collect reads every row by scan, and closes them.
func collect[T any](rows pgx.Rows, err error, scan func(pgx.CollectableRow) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]T(nil), rows, scan)
}

func atLeastOne(op string, limit int) error {
	if limit < 1 {
		return symbolon.Errorf(symbolon.Invalid, op, "the limit is %d, want at least 1", limit)
	}
	return nil
}

// millis returns a time as it is stored.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// optional returns a time as it is stored where it may be missing.
func optional(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// moment returns the time that is stored as ms.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
