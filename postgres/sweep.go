package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// What is over stays for a while. The margins are days, so that a clock that
// jumps forward deletes nothing that is needed when it is set right.
const (
	connectionMargin = 7 * 24 * time.Hour // after a connection's expiry
	sessionMargin    = 7 * 24 * time.Hour // after a session's expiry
	onceMargin       = time.Hour          // after a record of what was used once
	changeMargin     = 3 * 24 * time.Hour // after a change; readers need one day
)

const (
	sweepPause = 50 * time.Millisecond // between two sweeps
	sweepRows  = 32                    // looked at in one sweep, at least
)

// sweep deletes what has long been over, a few rows at a time, while others
// write. It walks each table by its key and begins again at the end, so that no
// index on an expiry is needed. Every node does so for itself, and passes over
// rows that someone else holds.
type sweep struct {
	db   *DB
	wake chan struct{} // tells the goroutine that there may be something to do
	quit chan struct{} // closed when it is to end
	end  sync.Once
	done sync.WaitGroup
	at   atomic.Int64 // the latest now that a change has carried, in milliseconds
	born atomic.Int64 // rows inserted since the last sweep, of those that many requests insert

	connection symbolon.ConnectionID // where the walks have come to; of the goroutine
	browser    [32]byte
}

func (s *sweep) start(db *DB) {
	s.db, s.wake, s.quit = db, make(chan struct{}, 1), make(chan struct{})
	s.done.Go(func() {
		for {
			select {
			case <-s.quit:
				return
			case <-s.wake:
				_ = s.some(context.Background()) // the next finds what this one has left
			}
			select {
			case <-s.quit:
				return
			case <-time.After(sweepPause):
			}
		}
	})
}

func (s *sweep) stop() {
	s.end.Do(func() { close(s.quit) })
	s.done.Wait()
}

// saw notes the time that a change carries, by which the sweep goes.
func (s *sweep) saw(now time.Time) {
	for at := s.at.Load(); millis(now) > at && !s.at.CompareAndSwap(at, millis(now)); at = s.at.Load() {
	}
}

// bore notes how many rows were inserted, and has some swept.
func (s *sweep) bore(rows int) {
	if rows == 0 {
		return
	}
	s.born.Add(int64(rows))
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// some sweeps a few rows. It looks at two rows for each that was born, so that
// it keeps up with whatever load there is.
func (s *sweep) some(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.db.options.Wait)
	defer cancel()
	at, rows := s.at.Load(), sweepRows+2*int(s.born.Swap(0))
	return onConn(ctx, s.db.pool, func(c *pgxpool.Conn) error {
		for _, step := range []func(context.Context, *pgxpool.Conn, int64, int) error{s.connections, s.sessions, s.changes, s.once} {
			if err := step(ctx, c, at, rows); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *sweep) connections(ctx context.Context, c *pgxpool.Conn, at int64, rows int) error {
	before := at - connectionMargin.Milliseconds()
	over, seen := [][16]byte(nil), 0
	found, err := c.Query(ctx, `SELECT id, expires_at < $1 FROM connection WHERE id > $2 ORDER BY id LIMIT $3`,
		before, [16]byte(s.connection), rows)
	if err != nil {
		return err
	}
	var id [16]byte
	var gone bool
	_, err = pgx.ForEachRow(found, []any{&id, &gone}, func() error {
		if seen++; gone {
			over = append(over, id)
		}
		s.connection = id
		return nil
	})
	if err != nil {
		return err
	}
	if seen < rows {
		s.connection = symbolon.ConnectionID{}
	}
	if len(over) == 0 {
		return nil
	}
	_, err = c.Exec(ctx, `
		DELETE FROM connection
		WHERE id IN (SELECT id FROM connection WHERE id = ANY ($1) AND expires_at < $2 FOR UPDATE SKIP LOCKED)`, over, before)
	return err
}

func (s *sweep) sessions(ctx context.Context, c *pgxpool.Conn, at int64, rows int) error {
	before := at - sessionMargin.Milliseconds()
	over, seen := [][]byte(nil), 0
	found, err := c.Query(ctx, `SELECT browser, expires_at < $1 FROM session WHERE browser > $2 ORDER BY browser LIMIT $3`,
		before, s.browser[:], rows)
	if err != nil {
		return err
	}
	var browser []byte
	var gone bool
	_, err = pgx.ForEachRow(found, []any{&browser, &gone}, func() error {
		if seen++; gone {
			over = append(over, append([]byte{}, browser...))
		}
		copy(s.browser[:], browser)
		return nil
	})
	if err != nil {
		return err
	}
	if seen < rows {
		clear(s.browser[:])
	}
	if len(over) == 0 {
		return nil
	}
	_, err = c.Exec(ctx, `
		DELETE FROM session
		WHERE (browser, account_no) IN (
			SELECT browser, account_no FROM session WHERE browser = ANY ($1) AND expires_at < $2 FOR UPDATE SKIP LOCKED)`, over, before)
	return err
}

// changes deletes from the front only, so that what is left has no gap. The last one
// stays: by it readers see that they are where they were.
func (s *sweep) changes(ctx context.Context, c *pgxpool.Conn, at int64, rows int) error {
	_, err := c.Exec(ctx, `
		DELETE FROM change
		WHERE no IN (
			SELECT no FROM change
			WHERE no <= (SELECT min(no) FROM change) + $1
				AND no < coalesce((SELECT min(no) FROM change WHERE at >= $2), (SELECT last FROM feed))
			FOR UPDATE SKIP LOCKED)`,
		int64(rows), at-changeMargin.Milliseconds())
	return err
}

// once deletes records whose time is over, by their index.
func (s *sweep) once(ctx context.Context, c *pgxpool.Conn, at int64, rows int) error {
	_, err := c.Exec(ctx, `
		DELETE FROM once
		WHERE key IN (
			SELECT key FROM once WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
		at-onceMargin.Milliseconds(), rows)
	return err
}
