// Package move carries everything that one store holds to another, so that what
// was issued before goes on working there.
//
// The rows are copied in pages, in the order of their keys, so that the last key
// in the target says how far a move has come that was interrupted. Then every row
// of both is read, and the two readings are compared. Only after that is the
// source marked as left, and only after that is the target opened for a server: at
// no moment is there none that knows everything, nor two that serve.
package move

import (
	"context"
	"errors"
	"fmt"

	"github.com/symbolon/symbolon"
)

// Phase is what a move is doing.
type Phase string

// The phases, in their order.
const (
	Copying   Phase = "copying"   // the rows that the target does not have
	Verifying Phase = "verifying" // every row of both
)

// Progress is how far a move has come.
type Progress struct {
	Phase Phase
	// Table is the one at hand.
	Table string
	// Done and Total count rows, of all tables together.
	Done, Total int64
}

// Result is what a move has done.
type Result struct {
	// Rows are counted by the names of their tables.
	Rows map[string]int64
	// Before is how many rows an earlier move, which was interrupted, had copied.
	Before int64
	// Already says that everything was moved before, and nothing was done.
	Already bool
}

const op = "move"

// mover is one move on its way.
type mover struct {
	from   symbolon.Source
	into   symbolon.Target
	tables []symbolon.Table
	counts map[string]int64 // rows in the source
	total  int64
	report func(Progress)
	// begun are the tables that were not empty when this move began.
	begun map[string]bool
}

// Run moves everything from one store into another and marks the source as left
// for where to says. After an error, or when the process ends in between, it can
// be run again and goes on. Memory is three pages of a table. Report is called
// after each page, on one goroutine at a time.
//
// Errors are of kind Denied when the target has data of its own, is of the other
// sort, or is being filled from another source, and when the source was moved to
// another place; Conflict when the source was changed meanwhile, and Internal when
// the two differ in the end. The target is not opened then.
func Run(ctx context.Context, from symbolon.Source, into symbolon.Target, to string, report func(Progress)) (Result, error) {
	m := &mover{from: from, into: into, tables: symbolon.Tables(), report: report}
	return m.run(ctx, to)
}

func (m *mover) run(ctx context.Context, to string) (Result, error) {
	m.counts, m.begun = make(map[string]int64), make(map[string]bool)
	state, already, err := m.settled(ctx)
	if err != nil || already {
		return Result{Already: already}, err
	}
	if err := m.into.Enter(ctx, state); err != nil {
		return Result{}, err
	}
	result := Result{Rows: m.counts}
	if result.Before, err = m.copyAll(ctx); err != nil {
		return Result{}, err
	}
	if err := m.verifyAll(ctx); err != nil {
		return Result{}, err
	}
	if err := m.from.Leave(ctx, state, to); err != nil {
		return Result{}, err
	}
	// From here on the source is left, so what hinders the rest only puts it off.
	return result, m.into.Settle(ctx, state)
}

// settled decides whether the one may be moved into the other, and whether that
// was done before. It returns the state of the source.
func (m *mover) settled(ctx context.Context) (from symbolon.StoreState, already bool, err error) {
	if from, err = m.from.State(ctx); err != nil {
		return from, false, err
	}
	into, err := m.into.State(ctx)
	if err != nil {
		return from, false, err
	}
	if err := m.look(ctx); err != nil {
		return from, false, err
	}
	// By the identity and not by the name, which has several spellings.
	same := into.Epoch == from.Epoch
	switch {
	case from.Moving:
		return from, false, &symbolon.Error{Kind: symbolon.Denied, Op: op, Detail: "the source is itself being filled from another, and that is not finished", Err: symbolon.ErrMoving}
	case into.Sandbox != from.Sandbox:
		return from, false, symbolon.Errorf(symbolon.Denied, op, "one holds sandbox data and the other real data: the two are never mixed")
	case from.MovedTo != "" && same && !into.Moving && into.MovedTo == "" && len(m.begun) > 0:
		return from, true, nil
	case from.MovedTo != "" && !(same && into.Moving && into.Commits == from.Commits):
		return from, false, &symbolon.Error{Kind: symbolon.Denied, Op: op, Detail: "the data was moved to " + from.MovedTo + " before", Err: symbolon.ErrMoved}
	case into.Moving && !same:
		return from, false, symbolon.Errorf(symbolon.Denied, op, "the target is being filled from another source, and that is not finished: give this one an empty target")
	case into.Moving && into.Commits != from.Commits:
		// The source went on since: what was copied may be out of date.
		err = m.clear(ctx, m.tables...)
	case !into.Moving && len(m.begun) > 0:
		err = symbolon.Errorf(symbolon.Denied, op, "the target has data of its own: give this one an empty target")
	}
	return from, false, err
}

// look counts what there is to move, and finds what the target has.
func (m *mover) look(ctx context.Context) error {
	for _, t := range m.tables {
		n, err := m.from.Count(ctx, t)
		if err != nil {
			return err
		}
		m.counts[t.Name] = n
		m.total += n
		last, err := m.into.Last(ctx, t)
		if err != nil {
			return err
		}
		if last != nil {
			m.begun[t.Name] = true
		}
	}
	return nil
}

// clear empties tables of the target.
func (m *mover) clear(ctx context.Context, tables ...symbolon.Table) error {
	for _, t := range tables {
		if err := m.into.Clear(ctx, t); err != nil {
			return err
		}
		delete(m.begun, t.Name)
	}
	return nil
}

// copyAll copies every table from where the target has come to. It returns how many
// rows the target had.
func (m *mover) copyAll(ctx context.Context) (before int64, err error) {
	done := int64(0)
	for _, t := range m.tables {
		if m.begun[t.Name] {
			had, err := m.into.Count(ctx, t)
			if err != nil {
				return 0, err
			}
			before, done = before+had, done+had
		}
		if err := m.copy(ctx, t, &done); err != nil {
			return 0, fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	return before, nil
}

// copy copies the rows of a table that the target does not have yet. While one
// page is written, the next is read.
func (m *mover) copy(ctx context.Context, t symbolon.Table, done *int64) error {
	after, err := m.into.Last(ctx, t)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pages, failed := make(chan []symbolon.Row, 1), make(chan error, 1)
	go func() {
		defer close(pages)
		failed <- walk(ctx, m.from, t, after, func(rows []symbolon.Row) error {
			select {
			case pages <- rows:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	for rows := range pages {
		if err := m.into.Load(ctx, t, rows); err != nil {
			return err
		}
		*done += int64(len(rows))
		m.report(Progress{Phase: Copying, Table: t.Name, Done: *done, Total: m.total})
	}
	return <-failed
}

// walk hands over the rows of a table that come after a row, page by page.
func walk(ctx context.Context, from symbolon.Holder, t symbolon.Table, after symbolon.Row, take func([]symbolon.Row) error) error {
	for {
		rows, err := from.Page(ctx, t, after)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1]
		if err := take(rows); err != nil {
			return err
		}
	}
}

// verifyAll compares every table of both. One that was partly there before, and
// differs, is copied again.
func (m *mover) verifyAll(ctx context.Context) error {
	done := int64(0)
	for _, t := range m.tables {
		err := m.verify(ctx, t, &done)
		if errors.Is(err, errDiffers) && m.begun[t.Name] {
			if err := m.clear(ctx, t); err != nil {
				return err
			}
			again := done - m.counts[t.Name]
			if err := m.copy(ctx, t, &again); err != nil {
				return err
			}
			done -= m.counts[t.Name]
			err = m.verify(ctx, t, &done)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
