package oauth

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// A machine that was suspended shows it by its wall clock only; a wall clock that
// is set makes nothing younger than it is.
func TestFeedAgeByBothClocks(t *testing.T) {
	w := newWorld(t)
	now := moment{mono: time.Hour, wall: time.Hour}
	w.feed.now = func() moment { return now }
	for _, tt := range []struct {
		name       string
		mono, wall time.Duration // how far each goes on
		age        time.Duration
	}{
		{"both go on", 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
		{"suspended", 10 * time.Millisecond, time.Minute, time.Minute},
		{"the wall clock is set back", 240 * time.Millisecond, -time.Hour, 240 * time.Millisecond},
		{"set back while it is too old", 251 * time.Millisecond, -time.Hour, 251 * time.Millisecond},
		{"the wall clock is set forward", time.Millisecond, time.Hour, time.Hour},
	} {
		w.ok(w.feed.Poll(w.ctx))
		now.mono += tt.mono
		now.wall += tt.wall
		if got := w.feed.Age(); got != tt.age || w.feed.fresh() != (tt.age <= 250*time.Millisecond) {
			t.Errorf("%s: %v old, fresh %v", tt.name, got, w.feed.fresh())
		}
		// It costs one reading.
		w.ok(w.feed.Fresh(w.ctx))
		if !w.feed.fresh() {
			t.Errorf("%s: it stays too old", tt.name)
		}
	}
	// A wait is by the monotonic clock alone: setting the other ends none early.
	known := now.mono
	now.wall += time.Hour
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Millisecond)
	defer cancel()
	if err := w.feed.settle(ctx, known); err == nil {
		t.Error("setting the wall clock forward ends a wait")
	}
}

// However often it is woken, it polls once in five milliseconds; and woken once,
// at once.
func TestFeedWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		before, _ := w.feed.Polls()
		polls := func() uint64 { done, _ := w.feed.Polls(); return done - before }
		w.feed.Wake() // before it runs: not lost
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan struct{})
		go func() { w.feed.Run(ctx); close(done) }()
		synctest.Wait()
		if polls() != 1 {
			t.Fatalf("%d polls after the first wake", polls())
		}
		time.Sleep(20 * time.Millisecond)
		a := w.connected(&w.C1)
		_, err := w.store.End(w.ctx, symbolon.End{Connection: a.Grant.Connection, Now: w.clock.Now()})
		w.ok(err)
		w.feed.Wake()
		synctest.Wait()
		if !w.feed.Over(&a.Grant) {
			t.Error("woken, it does not read at once")
		}
		// A flood: each wake comes before the poll that the last asked for, or after.
		time.Sleep(20 * time.Millisecond)
		before += polls()
		for range 10_000 { // in a second
			w.feed.Wake()
			time.Sleep(100 * time.Microsecond)
		}
		if n := polls(); n < 190 || n > 217 { // 200, and 16 that are due anyhow
			t.Errorf("a flood of wakes costs %d polls in a second", n)
		}
		time.Sleep(20 * time.Millisecond)
		before += polls()
		time.Sleep(time.Second)
		if n := polls(); n != 16 {
			t.Errorf("after the flood there are %d polls in a second", n)
		}
		stop()
		<-done
	})
}

// hanging is a store whose Changes do not return while it hangs.
type hanging struct {
	symbolon.Store
	hangs atomic.Bool
}

func (h *hanging) Changes(ctx context.Context, after symbolon.Cursor, limit int) ([]symbolon.Change, symbolon.Cursor, error) {
	if h.hangs.Load() {
		<-ctx.Done()
		return nil, after, symbolon.Wrap(symbolon.Busy, "changes", ctx.Err())
	}
	return h.Store.Changes(ctx, after, limit)
}

// C35: a node that is cut off honours nothing after its bound, says so soon, and
// recovers by itself when the store is back.
func TestFeedOfAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &hanging{Store: w.store}
		w.feed.store = store
		a := w.connected(&w.C1)
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan struct{})
		go func() { w.feed.Run(ctx); close(done) }()
		time.Sleep(100 * time.Millisecond)
		w.alive(a)

		store.hangs.Store(true)
		time.Sleep(251 * time.Millisecond)
		refused := func(within time.Duration) {
			got := took(func() {
				_, err := w.Info(w.ctx, Bearer(a.AccessToken))
				if e := w.refused(err, Unavailable); e.RetryAfter <= 0 {
					t.Error("no time to try again")
				}
			})
			if got > within {
				t.Errorf("refused after %v", got)
			}
		}
		refused(freshWait)
		for range 20 {
			refused(failingWait)
		}
		_, failed := w.feed.Polls()
		if failed < 4 {
			t.Errorf("%d polls failed", failed)
		}
		store.hangs.Store(false)
		time.Sleep(changesTimeout + 250*time.Millisecond/4) // the one that hangs is given up
		if !w.feed.fresh() {
			t.Errorf("not fresh after %v", w.feed.Age())
		}
		if got := took(func() { w.alive(a) }); got != 0 {
			t.Errorf("honoured after %v", got)
		}
		stop()
		<-done
	})
}

// The store is put back to an older copy while the feed runs: that is told once,
// all that it keeps is read before the feed counts as fresh, and what was known to
// be over stays so.
func TestFeedOfAStoreThatWasRolledBack(t *testing.T) {
	w := newWorld(t)
	a, b := w.connected(&w.C1), w.connected(&w.C1)
	told := 0
	w.feed.OnRolledBack(func() { told++ })
	for range 3 {
		w.end(symbolon.End{Connection: a.Grant.Connection, Token: true})
		w.end(symbolon.End{Connection: w.connected(&w.C1).Grant.Connection})
	}
	if w.dead(a); told != 0 {
		t.Fatalf("told %d times of nothing", told)
	}
	older := storetest.NewMemory()
	w.feed.store = older
	if _, err := older.End(w.ctx, symbolon.End{Connection: b.Grant.Connection, Token: true, Now: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	w.ok(w.feed.Poll(w.ctx))
	w.dead(a)
	w.dead(b) // by one reading
	for range 3 {
		w.ok(w.feed.Poll(w.ctx))
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if _, err := older.End(w.ctx, symbolon.End{Connection: symbolon.NewConnectionID(w.clock.Now()), Token: true, Now: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	n := w.feed.Entries()
	w.ok(w.feed.Poll(w.ctx))
	if w.feed.Entries() != n+1 || told != 1 {
		t.Errorf("%d entries of %d, told %d times", w.feed.Entries(), n+1, told)
	}
}
