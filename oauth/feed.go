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

	now   func() moment
	start moment                 // of the feed
	began atomic.Pointer[moment] // of the last complete reading; nil before the first

	poll       chan struct{} // full while someone reads; guards cursor and listeners
	cursor     symbolon.Cursor
	tell       []func(symbolon.Change) error
	rolledBack []func()

	wake         chan struct{} // full while a poll is asked for
	failing      atomic.Bool   // the last reading failed
	done, failed atomic.Uint64 // readings

	mu       sync.RWMutex
	ended    [2]map[symbolon.ConnectionID]time.Duration // when first noted, by the monotonic clock; [0] is being filled, [1] is older
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
		now:      clocks(),
		poll:     make(chan struct{}, 1),
		wake:     make(chan struct{}, 1),
		turnedAt: clock.Now(),
		accounts: make(map[symbolon.AccountID]time.Time),
		clients:  make(map[symbolon.ClientID]time.Time),
		pairs:    make(map[pairKey]time.Time),
	}
	f.ended = [2]map[symbolon.ConnectionID]time.Duration{{}, {}}
	f.start = f.now()
	return f
}

// OnChange adds a function that is told of every change, in order, before the
// feed counts as fresh. When it fails, the feed does not get fresh, and it is told of
// the change again at the next reading. It must be added before Run.
func (f *Feed) OnChange(tell func(symbolon.Change) error) {
	f.poll <- struct{}{}
	f.tell = append(f.tell, tell)
	<-f.poll
}

// OnRolledBack adds a function that is told when the store turns out to have been
// put back to an older state while this feed ran. All that the store keeps is read
// again then, and nothing that was known to be over is forgotten. It must be added
// before Run.
func (f *Feed) OnRolledBack(tell func()) {
	f.poll <- struct{}{}
	f.rolledBack = append(f.rolledBack, tell)
	<-f.poll
}

// Run reads the changes until the context ends. Failures show as age, and are
// counted.
func (f *Feed) Run(ctx context.Context) {
	t := time.NewTicker(f.bound / 4)
	defer t.Stop()
	var began time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-f.wake:
			// Those who wake it meanwhile are served by the same poll.
			time.Sleep(wakeEvery - time.Since(began))
			select {
			case <-f.wake:
			default:
			}
		}
		began = time.Now()
		f.Poll(ctx) //nolint:errcheck // the age tells
	}
}

// wakeEvery is how long after one poll the next begins that was asked for, at
// least: so many are a cost of 200 small queries a second at the most.
const wakeEvery = 5 * time.Millisecond

// Wake asks for a poll at once, where the store can say that there is something
// new. It does not block, and may be called at any rate.
func (f *Feed) Wake() {
	select {
	case f.wake <- struct{}{}:
	default: // a poll is asked for already, and has not begun
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

// changesTimeout bounds one call of Changes, so that one that hangs does not keep
// the others away. What a reading of many calls has got so far is not lost.
const changesTimeout = time.Second

func (f *Feed) read(ctx context.Context) error {
	began := f.now()
	err := f.readAll(ctx)
	if ctx.Err() != context.Canceled { // that says nothing of the store
		f.failing.Store(err != nil)
	}
	if err != nil {
		f.failed.Add(1)
		return err
	}
	f.done.Add(1)
	f.began.Store(&began) // not the end: what is committed meanwhile may be missing
	return nil
}

func (f *Feed) readAll(ctx context.Context) error {
	for {
		changes, cursor, err := f.changes(ctx)
		if err != nil {
			return err
		}
		for _, c := range changes {
			f.Note(c)
			for _, tell := range f.tell {
				if err := tell(c); err != nil {
					return err
				}
			}
		}
		back := cursor < f.cursor
		f.cursor = cursor
		if back {
			for _, tell := range f.rolledBack {
				tell()
			}
		}
		// After a step back there is more to read, before this counts.
		if !back && len(changes) < changesAtOnce {
			return nil
		}
	}
}

func (f *Feed) changes(ctx context.Context) ([]symbolon.Change, symbolon.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, changesTimeout)
	defer cancel()
	return f.store.Changes(ctx, f.cursor, changesAtOnce)
}

// Age returns how long ago the last complete reading began.
func (f *Feed) Age() time.Duration {
	began := f.began.Load()
	if began == nil {
		began = &f.start
	}
	return f.now().since(*began)
}

// Entries returns how many things that ended are remembered.
func (f *Feed) Entries() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.ended[0]) + len(f.ended[1]) + len(f.accounts) + len(f.clients) + len(f.pairs)
}

// Polls returns how many readings of the changes were completed, and how many
// failed.
func (f *Feed) Polls() (done, failed uint64) { return f.done.Load(), f.failed.Load() }

func (f *Feed) fresh() bool {
	began := f.began.Load()
	return began != nil && upToDate(*began, f.now(), f.bound)
}

// freshWait is how long a request waits for a feed that is out of date, and
// failingWait how long when the last reading failed: those who ask while the store
// is away are told so soon, and do not gather.
const (
	freshWait   = 2 * time.Second
	failingWait = 250 * time.Millisecond
)

// Fresh returns nil when the feed is within its bound. When it is not, it reads
// the changes first, and what was read since it was called is as good; the error is
// then the store's.
func (f *Feed) Fresh(ctx context.Context) error {
	if f.fresh() {
		return nil
	}
	wait := freshWait
	if f.failing.Load() {
		wait = failingWait
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
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
			f.ended[0][c.ID] = f.firstNoted(c.ID)
		}
	case symbolon.AccountEnded:
		later(f.accounts, c.Account, c.Before)
	case symbolon.AppEnded:
		later(f.clients, c.Client, c.Before)
	case symbolon.PairEnded:
		later(f.pairs, pairKey{c.Account, c.Client}, c.Before)
	}
}

// firstNoted is heard, for whoever holds mu.
func (f *Feed) firstNoted(id symbolon.ConnectionID) time.Duration {
	for _, ended := range f.ended {
		if at, ok := ended[id]; ok {
			return at
		}
	}
	return f.now().mono
}

// turn forgets what no living access token can be about: the store refuses to
// refresh for what has ended, so what was issued before has expired since.
func (f *Feed) turn(now time.Time) {
	f.ended[1], f.ended[0] = f.ended[0], make(map[symbolon.ConnectionID]time.Duration)
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
	if g.Account == "" {
		// Nothing was asked of the store when it was made: the app may have been
		// over already, as far as a node knew that was no older than the bound.
		born = born.Add(-f.bound)
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
