package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	firstPause = 20 * time.Millisecond // after the first failure to open
	maxPause   = time.Second           // between two tries to open
	lookPause  = 10 * time.Millisecond // between two looks at the file before a batch
)

// away remembers whether the store can be written, and says so in the log when
// that changes.
type away struct {
	log   *slog.Logger
	is    atomic.Bool   // for those who only want to know
	since time.Time     // zero while the store is there
	cause error         // of the last failure
	pause time.Duration // how long the next failure to open rests
	until time.Time     // before which nothing is tried
	hurts time.Time     // when damage was last told
}

func (a *away) gone(cause error) {
	a.cause = cause
	if a.since.IsZero() {
		a.since = time.Now()
		a.is.Store(true)
		a.log.Error("the store is away", "cause", cause)
	}
}

// hurt tells of damage that only some changes meet, at most once a minute.
func (a *away) hurt(op string, cause error) {
	if now := time.Now(); now.Sub(a.hurts) > time.Minute {
		a.hurts = now
		a.log.Error("the store is damaged", "op", op, "cause", cause)
	}
}

func (a *away) back() {
	if !a.since.IsZero() {
		a.is.Store(false)
		a.log.Info("the store is back", "after", time.Since(a.since).Round(time.Millisecond))
	}
	a.since, a.cause, a.pause, a.until = time.Time{}, nil, 0, time.Time{}
}

// rest puts the next try off, longer from time to time.
func (a *away) rest() {
	a.pause = min(max(firstPause, 2*a.pause), maxPause)
	a.until = time.Now().Add(a.pause)
}

// ready makes sure that there is a connection to the file at the path. The
// first use and every recovery come this way.
func (w *writer) ready() error {
	f, now := w.db.file.Load(), time.Now()
	if f != nil && w.conn != nil {
		if now.Sub(w.looked) < lookPause {
			return nil // each commit looks again, so nothing is believed on this
		}
		err := f.intact()
		if err == nil {
			w.looked = now
			return nil
		}
		w.drop()
		w.left.overwritten = errors.Is(err, errGarbage)
		w.away.gone(err)
	}
	if now.Before(w.away.until) {
		return w.away.cause
	}
	if err := w.open(); err != nil {
		w.drop()
		w.away.rest()
		return err
	}
	return nil
}

// open opens the file unless it is open, checks that it is the same database as
// ever, and connects the writer to it.
func (w *writer) open() error {
	ctx := context.Background()
	f := w.db.file.Load()
	if f == nil {
		if err := w.left.clear(w.db.options.Path); err != nil {
			return err
		}
		var err error
		if f, err = openFile(w.db.options.Path, w.db.options.Wait); err != nil {
			return err
		}
		w.db.file.Store(f)
		mark, err := readMark(ctx, f)
		if err != nil {
			return err
		}
		if err := w.same(mark); err != nil {
			return err
		}
	}
	c, err := f.connect(ctx)
	if err != nil {
		return err
	}
	w.conn = c
	if _, err := c.exec(`PRAGMA busy_timeout = 0`); err != nil { // begin waits instead
		return err
	}
	return f.intact()
}

// same returns an error when the database that was found is not the one that
// was opened at the start, or lacks commits that callers were told of.
func (w *writer) same(mark Mark) error {
	switch {
	case mark.Epoch != w.db.epoch:
		return errors.New("another database is in the place of the one that was opened: put that back, or start again")
	case mark.Commits < w.commits:
		return errors.New("the database was put back to an older state while it was open: start again to accept that")
	}
	return nil
}

// disconnect closes the connection, so that the next batch makes another.
func (w *writer) disconnect() {
	if w.conn != nil {
		w.conn.close()
		w.conn = nil
	}
}

// drop closes everything, so that the next batch opens it afresh.
func (w *writer) drop() {
	w.disconnect()
	if f := w.db.file.Swap(nil); f != nil {
		w.left = remains{main: f.main, log: f.log}
		_ = f.close()
	}
}

// close is the end of the writer, after its last batch.
func (w *writer) close() error {
	w.disconnect()
	if f := w.db.file.Swap(nil); f != nil {
		return f.close()
	}
	return nil
}
