package postgres

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// away remembers whether the database can be reached, and says so in the log
// when that changes.
type away struct {
	log   *slog.Logger
	mu    sync.Mutex
	since time.Time // zero while it can; mu
}

// noticed learns from the outcome of a call how the database is. What has broken
// one connection has often broken all, so that those that rest are given up.
func (db *DB) noticed(ctx context.Context, err error) {
	if err == nil {
		db.away.back()
		return
	}
	if ownFault(err) || ctx.Err() != nil || db.closed.Load() {
		return // it says nothing about the database
	}
	switch state := sqlState(err); {
	case state == "", state == readOnlyTransaction, fatal(err):
		// Gone, or a standby now, or about to go.
		db.hot.Reset()
		db.pool.Reset()
		db.away.gone(err)
	}
}

func (a *away) gone(cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.IsZero() {
		a.since = time.Now()
		a.log.Error("the store is away", "cause", cause)
	}
}

func (a *away) back() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.since.IsZero() {
		a.log.Info("the store is back", "after", time.Since(a.since).Round(time.Millisecond))
		a.since = time.Time{}
	}
}

// is reports whether the database cannot be reached.
func (a *away) is() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.since.IsZero()
}

const (
	tries      = 6                    // of a change that fails for what passes
	firstPause = 2 * time.Millisecond // before the second, at most
)

// again runs something until it fails for another reason than one that passes:
// a serialization failure, a deadlock, or a connection that was dead before
// anything was sent. Nothing was done then, so it is safe to run it again.
func (db *DB) again(ctx context.Context, act func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := act()
		if err == nil || n == tries || !passing(err) {
			return err
		}
		// By chance, so that two that stood in each other's way do not again.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(pause)):
		}
		pause *= 2
	}
}
