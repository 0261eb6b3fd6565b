package oauth

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// Inside synctest the machine's clocks move only when all wait, so that the age
// of a feed is exact.
func TestFeedThatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.connected(&w.C1)
		away := false
		w.store.Plan(func(verb string) storetest.Fault {
			if away && verb == "Changes" {
				return storetest.Lost
			}
			return storetest.NoFault
		})
		w.ok(w.feed.Poll(w.ctx))
		away = true
		time.Sleep(250 * time.Millisecond)
		w.alive(a) // at its bound
		time.Sleep(time.Nanosecond)
		for _, use := range []func() error{
			func() error { _, err := w.Info(w.ctx, Bearer(a.AccessToken)); return err },
			func() error { _, err := w.Invalidate(w.ctx, Bearer(a.AccessToken)); return err },
			func() error { _, err := w.refresh(&w.C1, a.RefreshToken); return err },
			func() error { _, err := w.redeem(&w.C1, "x"); return err },
			func() error { _, err := w.Authorize(w.ctx, w.request(&w.C1), w.allowing()); return err },
			func() error { return w.Ready(w.ctx) },
		} {
			if e := w.refused(use(), Unavailable); e.RetryAfter <= 0 {
				t.Errorf("to be tried again after %v", e.RetryAfter)
			}
		}
		// What needs no knowledge of what has ended is refused as ever.
		_, err := w.Info(w.ctx, Bearer("x"))
		w.refused(err, InvalidToken)

		away = false
		w.alive(a) // the one who needs it reads it
		w.ok(w.Ready(w.ctx))
	})
}

func TestFeedRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		reads := 0
		w.store.Plan(func(verb string) storetest.Fault {
			if verb == "Changes" {
				reads++
			}
			return storetest.NoFault
		})
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan struct{})
		go func() { w.feed.Run(ctx); close(done) }()
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if age := w.feed.Age(); age > 250*time.Millisecond/4 {
				t.Fatalf("%v old", age)
			}
		}
		if reads < 150 || reads > 165 { // 10 s at 62.5 ms
			t.Errorf("%d reads in 10 s", reads)
		}
		stop()
		<-done
	})
}

func TestFeedThatNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := NewFeed(w.store, w.clock, 250*time.Millisecond, time.Minute)
		w.store.Plan(func(string) storetest.Fault { return storetest.Lost })
		if err := f.Fresh(w.ctx); symbolon.KindOf(err) != symbolon.Busy {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second)
		if f.fresh() || f.Age() != time.Second {
			t.Errorf("fresh %v, age %v", f.fresh(), f.Age())
		}
		w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
		w.ok(f.Fresh(w.ctx))
		if !f.fresh() || f.Age() != 0 {
			t.Errorf("fresh %v, age %v", f.fresh(), f.Age())
		}
	})
}

// A reading that took long is as old as its beginning.
func TestFeedAgeBeginsWithTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.Plan(func(verb string) storetest.Fault {
			time.Sleep(200 * time.Millisecond)
			return storetest.NoFault
		})
		w.ok(w.feed.Poll(w.ctx))
		if w.feed.Age() != 200*time.Millisecond {
			t.Errorf("age %v", w.feed.Age())
		}
	})
}

func connectionAt(at time.Time) symbolon.Grant {
	return symbolon.Grant{Connection: symbolon.NewConnectionID(at), Account: symbolon.NewAccountID(), Client: "sym_app_x"}
}

func TestFeedOver(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_000).UTC()
	g := connectionAt(now)
	newFeed := func() *Feed {
		return NewFeed(storetest.NewMemory(), &clock{now: now}, time.Second, 10*time.Minute)
	}
	for _, tt := range []struct {
		name   string
		change symbolon.Change
		over   bool
	}{
		{"its connection", symbolon.Change{Kind: symbolon.ConnectionEnded, ID: g.Connection, At: now}, true},
		{"another connection", symbolon.Change{Kind: symbolon.ConnectionEnded, ID: symbolon.NewConnectionID(now), At: now}, false},
		{"its account, at that moment", symbolon.Change{Kind: symbolon.AccountEnded, Account: g.Account, Before: now, At: now}, true},
		{"its account, later", symbolon.Change{Kind: symbolon.AccountEnded, Account: g.Account, Before: now.Add(time.Hour), At: now}, true},
		{"its account, before its birth", symbolon.Change{Kind: symbolon.AccountEnded, Account: g.Account, Before: now.Add(-time.Millisecond), At: now}, false},
		{"another account", symbolon.Change{Kind: symbolon.AccountEnded, Account: symbolon.NewAccountID(), Before: now, At: now}, false},
		{"its app", symbolon.Change{Kind: symbolon.AppEnded, Client: g.Client, Before: now, At: now}, true},
		{"its app, before its birth", symbolon.Change{Kind: symbolon.AppEnded, Client: g.Client, Before: now.Add(-time.Millisecond), At: now}, false},
		{"another app", symbolon.Change{Kind: symbolon.AppEnded, Client: "sym_app_y", Before: now, At: now}, false},
		{"the pair", symbolon.Change{Kind: symbolon.PairEnded, Account: g.Account, Client: g.Client, Before: now, At: now}, true},
		{"the account and another app", symbolon.Change{Kind: symbolon.PairEnded, Account: g.Account, Client: "sym_app_y", Before: now, At: now}, false},
		{"another account and the app", symbolon.Change{Kind: symbolon.PairEnded, Account: symbolon.NewAccountID(), Client: g.Client, Before: now, At: now}, false},
		{"the app was edited", symbolon.Change{Kind: symbolon.AppChanged, Client: g.Client, At: now}, false},
		{"the keys changed", symbolon.Change{Kind: symbolon.KeysChanged, At: now}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed()
			f.Note(tt.change)
			f.Note(tt.change) // idempotent
			if f.Over(&g) != tt.over {
				t.Errorf("over: %v", f.Over(&g))
			}
			// An older change that is read again takes nothing back.
			old := tt.change
			old.Before = now.Add(-time.Hour)
			f.Note(old)
			if f.Over(&g) != tt.over {
				t.Errorf("after an older change, over: %v", f.Over(&g))
			}
		})
	}
}

// RFC8693-D: what came of an exchange is over with the connection, with any app
// that it passed through, and with what was ended while a node did not know it yet.
func TestFeedOverExchanged(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_000).UTC()
	g := connectionAt(now)
	first, between, own := g.Client, symbolon.ClientID("sym_app_between"), symbolon.ClientID("sym_app_own")
	g.Client, g.Sources, g.IssuedAt = own, []symbolon.ClientID{first, between}, now.Add(time.Minute)
	app := func(id symbolon.ClientID, at time.Duration) symbolon.Change {
		return symbolon.Change{Kind: symbolon.AppEnded, Client: id, Before: now.Add(at), At: now}
	}
	pair := func(id symbolon.ClientID, at time.Duration) symbolon.Change {
		return symbolon.Change{Kind: symbolon.PairEnded, Account: g.Account, Client: id, Before: now.Add(at), At: now}
	}
	for name, tt := range map[string]struct {
		change symbolon.Change
		over   bool
	}{
		"the first app, at the connection's birth": {app(first, 0), true},
		"the first app, before it":                 {app(first, -time.Millisecond), false},
		"the consent of the first app":             {pair(first, 0), true},
		"the app between, before the exchange":     {app(between, 58*time.Second), false},
		"the app between, within the bound":        {app(between, 59*time.Second), true},
		"the app between, later":                   {app(between, time.Hour), true},
		"the consent of the app between":           {pair(between, time.Minute), true},
		"the app itself, before the exchange":      {app(own, 58*time.Second), false},
		"the app itself, later":                    {app(own, time.Hour), true},
		"the consent of the app itself":            {pair(own, time.Minute), true},
		"another app":                              {app("sym_app_other", time.Hour), false},
		"the account":                              {symbolon.Change{Kind: symbolon.AccountEnded, Account: g.Account, Before: now, At: now}, true},
		"the connection":                           {symbolon.Change{Kind: symbolon.ConnectionEnded, ID: g.Connection, At: now}, true},
	} {
		f := NewFeed(storetest.NewMemory(), &clock{now: now}, time.Second, 10*time.Minute)
		if f.Note(tt.change); f.Over(&g) != tt.over {
			t.Errorf("%s: over is %v", name, !tt.over)
		}
	}
}

// Two generations: what ended is remembered for as long as an access token may
// live, and not much longer.
func TestFeedForgets(t *testing.T) {
	const lifetime = 10 * time.Minute
	c := &clock{now: time.UnixMilli(1_790_000_000_000).UTC()}
	f := NewFeed(storetest.NewMemory(), c, time.Second, lifetime)
	type entry struct {
		grant symbolon.Grant
		at    time.Time
	}
	var all []entry
	most := 0
	for range 24 * 60 { // a day, a change a minute
		c.pass(time.Minute)
		g := connectionAt(c.now)
		all = append(all, entry{g, c.now})
		f.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: g.Connection, At: c.now})
		h := connectionAt(c.now)
		f.Note(symbolon.Change{Kind: symbolon.AccountEnded, Account: h.Account, Before: c.now, At: c.now})
		f.Note(symbolon.Change{Kind: symbolon.AppEnded, Client: symbolon.ClientID(h.Account), Before: c.now, At: c.now})
		f.Note(symbolon.Change{Kind: symbolon.PairEnded, Account: h.Account, Client: h.Client, Before: c.now, At: c.now})
		most = max(most, len(f.ended[0])+len(f.ended[1]), len(f.accounts), len(f.clients), len(f.pairs))
		for i := len(all) - 1; i >= 0 && c.now.Sub(all[i].at) <= lifetime; i-- {
			if !f.Over(&all[i].grant) {
				t.Fatalf("what ended %v ago is forgotten", c.now.Sub(all[i].at))
			}
		}
	}
	if limit := 2 * int((lifetime+2*time.Minute)/time.Minute); most > limit {
		t.Errorf("%d are remembered, want at most %d", most, limit)
	}
	// What is read long after (a restart) is not taken up at all.
	g := connectionAt(c.now)
	f.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: g.Connection, At: c.now.Add(-time.Hour)})
	if f.Over(&g) {
		t.Error("what no living token can be about is kept")
	}
}

// More changes than are read at a time, and who is told of them.
func TestFeedReadsAllAndTells(t *testing.T) {
	w := newWorld(t)
	w.feed = NewFeed(w.store, w.clock, time.Hour, time.Hour)
	var told []symbolon.Change
	w.feed.OnChange(func(c symbolon.Change) error {
		if w.feed.fresh() {
			t.Fatal("fresh before all listeners know")
		}
		told = append(told, c)
		return nil
	})
	for range changesAtOnce + changesAtOnce/2 {
		w.clock.pass(time.Millisecond)
		_, err := w.store.End(w.ctx, symbolon.End{Client: w.C1.ID, Now: w.clock.Now()})
		w.ok(err)
	}
	all, _, err := w.store.Changes(w.ctx, 0, 1<<20)
	w.ok(err)
	if len(all) < 2*changesAtOnce {
		t.Fatalf("only %d changes", len(all))
	}
	w.ok(w.feed.Poll(w.ctx))
	if len(told) != len(all) || told[len(told)-1] != all[len(all)-1] {
		t.Errorf("%d of %d changes are told", len(told), len(all))
	}
	if !w.feed.fresh() {
		t.Error("not fresh after all is read")
	}
	told = nil
	w.feed.began.Store(nil)
	w.ok(w.feed.Poll(w.ctx))
	if len(told) != 0 {
		t.Errorf("%d are told twice", len(told))
	}
}

// Who cannot take up a change is told of it again, and until then nothing is fresh.
func TestFeedWaitsForWhoIsTold(t *testing.T) {
	w := newWorld(t)
	w.feed = NewFeed(w.store, w.clock, time.Hour, time.Hour)
	told, fails := 0, true
	w.feed.OnChange(func(c symbolon.Change) error {
		if c.Kind != symbolon.KeysChanged {
			return nil
		}
		if told++; fails {
			return symbolon.Errorf(symbolon.Busy, "test", "away")
		}
		return nil
	})
	root, err := seal.NewRootKey()
	w.ok(err)
	key, err := root.NewKey()
	w.ok(err)
	w.ok(symbolon.PutKeys(w.ctx, w.store, []symbolon.Key{key}, false))
	for range 2 {
		if err := w.feed.Poll(w.ctx); symbolon.KindOf(err) != symbolon.Busy || w.feed.fresh() {
			t.Fatalf("it is fresh: %v", err)
		}
	}
	fails = false
	w.ok(w.feed.Poll(w.ctx))
	if told != 3 || !w.feed.fresh() {
		t.Errorf("told %d times, fresh %v", told, w.feed.fresh())
	}
}

// A reading that fails half-way goes on from there, and does not count.
func TestFeedFailsHalfWay(t *testing.T) {
	w := newWorld(t)
	w.feed = NewFeed(w.store, w.clock, time.Hour, time.Hour)
	for range changesAtOnce {
		w.clock.pass(time.Millisecond)
		_, err := w.store.End(w.ctx, symbolon.End{Client: w.C1.ID, Now: w.clock.Now()})
		w.ok(err)
	}
	a := w.connected(&w.C2)
	_, err := w.store.End(w.ctx, symbolon.End{Connection: a.Grant.Connection, Now: w.clock.Now()})
	w.ok(err)
	calls := 0
	w.store.Plan(func(verb string) storetest.Fault {
		if calls++; calls == 2 {
			return storetest.Lost
		}
		return storetest.NoFault
	})
	if err := w.feed.Poll(w.ctx); symbolon.KindOf(err) != symbolon.Busy {
		t.Fatalf("%v", err)
	}
	if w.feed.fresh() || w.feed.Over(&a.Grant) {
		t.Fatal("half a reading counts")
	}
	w.ok(w.feed.Poll(w.ctx))
	if !w.feed.Over(&a.Grant) {
		t.Error("what ended is not known")
	}
}

func TestFeedByManyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.feed.bound = 0 // every use reads
	a := w.connected(&w.C1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := w.feed.Fresh(w.ctx); err != nil {
					t.Error(err)
				}
				w.feed.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: symbolon.NewConnectionID(w.clock.Now()), At: w.clock.Now()})
				w.feed.Over(&a.Grant)
			}
		})
	}
	wg.Wait()
}
