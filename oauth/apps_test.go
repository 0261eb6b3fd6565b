package oauth

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func TestApps(t *testing.T) {
	w := newWorld(t)
	reads := 0
	w.store.Plan(func(verb string) storetest.Fault {
		if verb == "Apps" {
			reads++
		}
		return storetest.NoFault
	})
	for range 10 {
		app, err := w.App(w.ctx, w.C1.ID)
		w.ok(err)
		if app.ID != w.C1.ID {
			t.Fatalf("%+v", app)
		}
	}
	if reads != 1 {
		t.Errorf("%d reads for one app", reads)
	}
	for _, id := range []symbolon.ClientID{"", "a b", "a-b", "a.b", "../x", "é", "' OR 1=1", "a\x00", symbolon.ClientID(make([]byte, 101))} {
		_, err := w.App(w.ctx, id)
		w.refused(err, UnknownClient)
	}
	if reads != 1 {
		t.Error("nonsense reaches the store")
	}
	for range 2 { // who does not exist is not remembered, and may be made later
		_, err := w.App(w.ctx, "sym_app_new")
		w.refused(err, UnknownClient)
	}
	w.ok(w.store.PutApp(w.ctx, symbolon.App{ID: "sym_app_new"}))
	_, err := w.App(w.ctx, "sym_app_new")
	w.ok(err)

	w.start()
	w.store.FailNext("Apps", storetest.Lost)
	_, err = w.App(w.ctx, w.C1.ID)
	w.refused(err, Unavailable)
	_, err = w.App(w.ctx, w.C1.ID)
	w.ok(err)
}

// What the command line changes is taken up at once: within the feed's bound.
func TestAppsAreForgottenWhenTheyChange(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		if _, err := w.App(w.ctx, w.C1.ID); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint("name ", i)
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Name = want })
		app, err := w.App(w.ctx, w.C1.ID)
		w.ok(err)
		if app.Name != want {
			t.Errorf("%q, want %q", app.Name, want)
		}
	}
	w.end(symbolon.End{Client: w.C1.ID, Delete: true})
	_, err := w.App(w.ctx, w.C1.ID)
	w.refused(err, UnknownClient)
}

func TestAppsAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range maxApps {
		id := symbolon.ClientID(fmt.Sprint("sym_app_", i))
		w.Engine.apps.byID[id] = &symbolon.App{ID: id}
	}
	for _, id := range []symbolon.ClientID{w.C1.ID, w.C2.ID, w.P1.ID} {
		_, err := w.App(w.ctx, id)
		w.ok(err)
	}
	if n := len(w.Engine.apps.byID); n > maxApps {
		t.Errorf("%d are held", n)
	}
}

// A row that is older than a change is not kept, whichever comes first.
func TestAppsKeepNoRowOlderThanAChange(t *testing.T) {
	w := newWorld(t)
	a := w.Engine.apps
	// The change is told of while the row is on its way.
	w.store.Plan(func(verb string) storetest.Fault {
		if verb == "Apps" {
			a.changed(symbolon.Change{Kind: symbolon.AppChanged, Client: w.C1.ID})
		}
		return storetest.NoFault
	})
	if _, err := a.get(w.ctx, w.C1.ID); err != nil {
		t.Fatal(err)
	}
	if a.byID[w.C1.ID] != nil {
		t.Error("a row that was read before a change is kept after it")
	}
}

func TestAppsUnderRace(t *testing.T) {
	w := newWorld(t)
	w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
	w.feed.bound = 0 // every use reads the changes first
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var last sync.Map // what was durable at least
	last.Store("version", int64(w.C1.Version))
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, _ := last.Load("version")
				app, err := w.App(w.ctx, w.C1.ID)
				if err != nil {
					t.Error(err)
					return
				}
				if app.Version < v.(int64) {
					t.Errorf("version %d after %d was durable", app.Version, v)
					return
				}
			}
		})
	}
	for range 200 {
		app := w.app(w.C1.ID)
		app.CreatedAt = app.CreatedAt.Add(time.Millisecond)
		if err := w.store.PutApp(w.ctx, app); err != nil {
			t.Error(err)
		}
		last.Store("version", app.Version+1)
	}
	close(stop)
	wg.Wait()
}

func TestOrigins(t *testing.T) {
	w := newWorld(t)
	knows := func(origin string, want bool) {
		w.Helper()
		got, err := w.KnowsOrigin(w.ctx, origin)
		w.ok(err)
		if got != want {
			w.Errorf("%q is known: %v", origin, got)
		}
	}
	w.run("BBA-CORS-b", func(t *testing.T) {
		for _, origin := range []string{"https://c1.test", "https://c2.test", "http://127.0.0.1", "http://[::1]"} {
			knows(origin, true)
		}
		for _, origin := range []string{"", "null", "https://evil.test", "https://c1.test.evil.test", "https://c1.test:443", "https://c1.test/", "http://c1.test", "https://C1.test", "https://sub.c1.test", "com.example.app://", "com.example.app"} {
			knows(origin, false)
		}
	})
	w.run("changes", func(t *testing.T) {
		w.edit(w.C1.ID, func(a *symbolon.App) { a.RedirectURIs = []string{"https://spa.test:8443/cb"} })
		knows("https://c1.test", false)
		knows("https://spa.test:8443", true)
		knows("https://c2.test", true)
		w.end(symbolon.End{Client: w.C2.ID, Delete: true})
		knows("https://c2.test", false)
	})
	w.run("two apps with one origin", func(t *testing.T) {
		w.ok(w.store.PutApp(w.ctx, symbolon.App{ID: "sym_app_twin", RedirectURIs: []string{"https://spa.test:8443/x", "https://spa.test:8443/y"}}))
		w.ok(w.feed.Poll(w.ctx))
		w.end(symbolon.End{Client: "sym_app_twin", Delete: true})
		knows("https://spa.test:8443", true)
	})
	w.run("a store that is away", func(t *testing.T) {
		w.start()
		w.store.FailNext("Apps", storetest.Lost)
		_, err := w.KnowsOrigin(w.ctx, "https://evil.test")
		w.refused(err, Unavailable)
		knows("https://spa.test:8443", true)
	})
}
