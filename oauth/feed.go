package oauth

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
)

// Feed knows what has ended lately: all that is needed to honour an access
// token without reading the store (DESIGN 4). It reads the store's changes
// every quarter of its bound. When it is older than the bound, whoever needs it
// reads them at once, or gets Busy; no token is honoured on a guess.
type Feed struct {
	store symbolon.Store
	clock symbolon.Clock
	bound time.Duration
	keep  time.Duration // how long an ended connection is remembered

	start  time.Time    // for monotonic readings
	readAt atomic.Int64 // when the last complete reading began, after start; -1 before the first

	poll   chan struct{} // full while someone reads; guards cursor and listeners
	cursor symbolon.Cursor
	tell   []func(symbolon.Change)

	mu       sync.RWMutex
	ended    [2]map[symbolon.ConnectionID]struct{} // [0] is being filled, [1] is older
	turnedAt time.Time
	accounts map[symbolon.AccountID]time.Time // everything made up to then is over
	clients  map[symbolon.ClientID]time.Time
	pairs    map[pairKey]time.Time
}

type pairKey struct {
	account symbolon.AccountID
	client  symbolon.ClientID
}

// changesAtOnce is how many changes are read at a time.
const changesAtOnce = 1000

// NewFeed returns a feed with a bound on its age. It remembers what ended for
// as long as an access token lives, which is at most lifetime.
func NewFeed(store symbolon.Store, clock symbolon.Clock, bound, lifetime time.Duration) *Feed {
	f := &Feed{
		store:    store,
		clock:    clock,
		bound:    bound,
		keep:     lifetime + time.Minute,
		start:    time.Now(),
		poll:     make(chan struct{}, 1),
		turnedAt: clock.Now(),
		accounts: make(map[symbolon.AccountID]time.Time),
		clients:  make(map[symbolon.ClientID]time.Time),
		pairs:    make(map[pairKey]time.Time),
	}
	f.ended = [2]map[symbolon.ConnectionID]struct{}{{}, {}}
	f.readAt.Store(-1)
	return f
}

// OnChange adds a function that is told of every change, in order, before the
// feed counts as fresh. It must be added before Run.
func (f *Feed) OnChange(tell func(symbolon.Change)) {
	f.poll <- struct{}{}
	f.tell = append(f.tell, tell)
	<-f.poll
}

// Run reads the changes until the context ends. Failures show as age: it has
// nothing to report.
func (f *Feed) Run(ctx context.Context) {
	t := time.NewTicker(f.bound / 4)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f.Poll(ctx) //nolint:errcheck // the age tells
		}
	}
}

// Poll reads all changes since the last time.
func (f *Feed) Poll(ctx context.Context) error {
	if err := f.enter(ctx); err != nil {
		return err
	}
	defer f.leave()
	return f.read(ctx)
}

// enter waits for its turn to read, but no longer than ctx: a store that hangs
// must not gather callers who have long gone.
func (f *Feed) enter(ctx context.Context) error {
	select {
	case f.poll <- struct{}{}:
		return nil
	case <-ctx.Done():
		return symbolon.Wrap(symbolon.Busy, "read changes", ctx.Err())
	}
}

func (f *Feed) leave() { <-f.poll }

func (f *Feed) read(ctx context.Context) error {
	began := time.Since(f.start)
	for {
		changes, cursor, err := f.store.Changes(ctx, f.cursor, changesAtOnce)
		if err != nil {
			return err
		}
		for _, c := range changes {
			f.Note(c)
			for _, tell := range f.tell {
				tell(c)
			}
		}
		f.cursor = cursor
		if len(changes) < changesAtOnce {
			f.readAt.Store(int64(began))
			return nil
		}
	}
}

// Age returns how long ago the last complete reading began.
func (f *Feed) Age() time.Duration {
	at := f.readAt.Load()
	if at < 0 {
		return time.Since(f.start)
	}
	return time.Since(f.start) - time.Duration(at)
}

func (f *Feed) fresh() bool { return f.readAt.Load() >= 0 && f.Age() <= f.bound }

// freshWait is how long a request waits for a feed that is out of date.
const freshWait = 2 * time.Second

// Fresh returns nil when the feed is within its bound. When it is not, it reads
// the changes first; the error is then the store's.
func (f *Feed) Fresh(ctx context.Context) error {
	if f.fresh() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, freshWait)
	defer cancel()
	if err := f.enter(ctx); err != nil {
		return err
	}
	defer f.leave()
	if f.fresh() { // someone else has read them while we waited
		return nil
	}
	return f.read(ctx)
}

// Note takes up one change. It is idempotent, so that a node can note at once
// what it has ended itself.
func (f *Feed) Note(c symbolon.Change) {
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.turnedAt) > f.keep {
		f.turn(now)
	}
	switch c.Kind {
	case symbolon.ConnectionEnded:
		if now.Sub(c.At) <= f.keep {
			f.ended[0][c.ID] = struct{}{}
		}
	case symbolon.AccountEnded:
		later(f.accounts, c.Account, c.Before)
	case symbolon.AppEnded:
		later(f.clients, c.Client, c.Before)
	case symbolon.PairEnded:
		later(f.pairs, pairKey{c.Account, c.Client}, c.Before)
	}
}

// turn forgets what no living access token can be about: the store refuses to
// refresh for what has ended, so what was issued before has expired since.
func (f *Feed) turn(now time.Time) {
	f.ended[1], f.ended[0] = f.ended[0], make(map[symbolon.ConnectionID]struct{})
	f.turnedAt = now
	old := now.Add(-f.keep)
	maps.DeleteFunc(f.accounts, func(_ symbolon.AccountID, t time.Time) bool { return t.Before(old) })
	maps.DeleteFunc(f.clients, func(_ symbolon.ClientID, t time.Time) bool { return t.Before(old) })
	maps.DeleteFunc(f.pairs, func(_ pairKey, t time.Time) bool { return t.Before(old) })
}

func later[K comparable](m map[K]time.Time, key K, t time.Time) {
	if t.After(m[key]) {
		m[key] = t
	}
}

// Over reports whether what was sealed with this grant has ended.
func (f *Feed) Over(g *symbolon.Grant) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if _, ok := f.ended[0][g.Connection]; ok {
		return true
	}
	if _, ok := f.ended[1][g.Connection]; ok {
		return true
	}
	// Compared with the connection's birth, not the token's: a token that was
	// refreshed in the moment of the ending belongs to a connection that is over.
	born := g.Connection.Time()
	over := func(since time.Time, app symbolon.ClientID) bool {
		return !since.After(f.clients[app]) || !since.After(f.pairs[pairKey{g.Account, app}])
	}
	if len(g.Sources) == 0 {
		return !born.After(f.accounts[g.Account]) || over(born, g.Client)
	}
	// What came of an exchange is of the first app's connection. The others' part
	// began with it, made from what lived as far as a node knew that was no older
	// than the bound.
	made := g.IssuedAt.Add(-f.bound)
	return !born.After(f.accounts[g.Account]) || over(born, g.Sources[0]) || over(made, g.Client) ||
		slices.ContainsFunc(g.Sources[1:], func(app symbolon.ClientID) bool { return over(made, app) })
}
