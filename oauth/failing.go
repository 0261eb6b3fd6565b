package oauth

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// Failure is the last refresh of a connection that was refused although its refresh
// token is genuine.
type Failure struct {
	At time.Time
	// Why is what the app was told.
	Why string
}

// failures knows what was refused lately, on this node. What is lost with it is only
// the mark on a page.
type failures struct {
	known atomic.Int64 // how many there are
	mu    sync.Mutex
	of    map[symbolon.ConnectionID]failure
}

type failure struct {
	Failure
	told time.Time
}

// maxFailures bounds the connections that are known to fail.
const maxFailures = 10_000

// failingEvery is how often an app's webhook is told of a connection that fails, and
// how long a failure counts.
const failingEvery = time.Hour

func newFailures() *failures {
	return &failures{of: make(map[symbolon.ConnectionID]failure)}
}

// note records a failure, and reports whether it may be time to tell of it.
func (f *failures) note(id symbolon.ConnectionID, one Failure) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, found := f.of[id]
	if !found && len(f.of) >= maxFailures {
		for other, old := range f.of {
			if one.At.Sub(old.At) > failingEvery {
				delete(f.of, other)
			}
		}
		if len(f.of) >= maxFailures {
			clear(f.of)
		}
	}
	due := before.told.IsZero() || one.At.Sub(before.told) >= failingEvery
	if due {
		before.told = one.At
	}
	f.of[id] = failure{one, before.told}
	f.known.Store(int64(len(f.of)))
	return due
}

// mended forgets the failure of a connection that was refreshed. It costs nothing
// while nothing fails.
func (f *failures) mended(id symbolon.ConnectionID) {
	if f.known.Load() == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, found := f.of[id]; found {
		// That it was told is kept: one that works now and then is told once an hour.
		one.Failure = Failure{}
		f.of[id] = one
	}
}

// last returns the failure of a connection since its last refresh, if it is no older
// than a day.
func (f *failures) last(id symbolon.ConnectionID, now time.Time) Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.of[id].Failure
	if now.Sub(one.At) > 24*time.Hour {
		return Failure{}
	}
	return one
}

// noteRefused takes up that a refresh was refused. Who presents a genuine refresh token is
// no stranger, so nobody else can have an app's owner told anything. That of a
// connection that is over says nothing new.
func (e *Engine) noteRefused(ctx context.Context, req *TokenRequest, err error) {
	refusal := storeError(err)
	if req.RefreshToken == "" || refusal.Refusal == Unavailable || refusal.Refusal == ServerError || refusal.Refusal == TooManyRequests {
		return
	}
	now := e.clock.Now()
	var token symbolon.RefreshToken
	if e.open(seal.RefreshToken, req.RefreshToken, &token, now) != nil {
		return
	}
	if refusal.Client != "" && refusal.Client != token.Client {
		return // another app's, which its owner need not hear of from that one
	}
	rows, err := e.store.Connections(ctx, symbolon.ConnectionQuery{ID: token.Connection, Client: token.Client, Live: true, Now: now, Limit: 1})
	if err != nil || len(rows) == 0 {
		return
	}
	why := refusal.Description
	due := e.failures.note(token.Connection, Failure{At: now, Why: why})
	e.happened(Happening{Type: symbolon.EventFailing, Connection: token.Connection, Account: token.Account, Client: token.Client, Why: why, At: now})
	if !due || e.cfg.Tell == nil {
		return
	}
	app, err := e.apps.get(ctx, token.Client)
	if err != nil || app == nil || !tells(app, symbolon.EventFailing) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	key := sha256.Sum256(append([]byte("failing event of "), token.Connection[:]...))
	_, first, err := e.store.Once(ctx, symbolon.Once{Key: key, ExpiresAt: now.Add(failingEvery), Now: now})
	if err != nil || !first {
		return // another node has told it
	}
	event := symbolon.Event{Type: symbolon.EventFailing, Connection: token.Connection, Why: why}
	if e.cfg.Tell(ctx, symbolon.NewEvent(token.Client, token.Account, event, now)) == nil {
		e.announced()
	}
}

// Health is how a connection fares.
type Health struct {
	// State is "live", "expired" or "ended".
	State string
	// Failure is the last refresh that was refused since the last that was not, as
	// far as this node knows; its At is zero when there is none.
	Failure Failure
	// Expiring says that it dies within the time in which an owner is warned.
	Expiring bool
}

// Health says how a connection fares. When it was last used, from where, and when it
// dies, its row says.
func (e *Engine) Health(c *symbolon.Connection) Health {
	now := e.clock.Now()
	switch {
	case !c.EndedAt.IsZero():
		return Health{State: "ended"}
	case !now.Before(c.ExpiresAt):
		return Health{State: "expired"}
	}
	return Health{State: "live", Failure: e.failures.last(c.ID, now), Expiring: c.ExpiresAt.Sub(now) <= e.notice()}
}
