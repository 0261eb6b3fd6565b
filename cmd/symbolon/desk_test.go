package main

import (
	"context"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/sqlite"
	"github.com/symbolon/symbolon/storetest"
)

// ending is a store whose ends are seen.
type ending struct {
	symbolon.Store
	before func()
}

func (s *ending) End(ctx context.Context, e symbolon.End) (int, error) {
	s.before()
	return s.Store.End(ctx, e)
}

// What a command ends for all at once is over although it was made by a node whose
// clock is ahead, or between the reading of the clock and the commit.
func TestACommandEndsWhatClocksAheadHaveMade(t *testing.T) { // C20
	for _, tt := range []struct {
		name   string
		shared bool
		ahead  time.Duration
	}{
		{"one server", false, time.Millisecond},
		{"nodes whose clocks differ", true, clocksApart},
	} {
		for name, e := range map[string]symbolon.End{
			"account":        {Account: "a"},
			"app":            {Client: "c"},
			"delete account": {Account: "a", Delete: true},
			"delete app":     {Client: "c", Delete: true},
		} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				endedBeside(t, e, tt.shared, tt.ahead)
			})
		}
	}
}

// endedBeside runs an end beside another node, whose clock is ahead and which is
// quicker.
func endedBeside(t *testing.T, e symbolon.End, shared bool, ahead time.Duration) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(t.TempDir(), "db"), Create: &sqlite.Create{}})
	must(err)
	defer db.Close()
	clock, long := symbolon.NewSteadyClock(time.Time{}), time.Now().Add(-time.Hour)
	must(db.PutAccount(ctx, symbolon.Account{ID: "a", Username: "jane", CreatedAt: long}))
	must(db.PutApp(ctx, symbolon.App{ID: "c", Rotation: symbolon.RotateAlways, CreatedAt: long}))
	must(db.Allow(ctx, symbolon.Consent{Account: "a", Client: "c", Scope: symbolon.Scopes{"connect"}, GrantedAt: long}))
	feed := oauth.NewFeed(db, clock, feedBound, time.Hour)

	made := symbolon.Grant{Account: "a", Client: "c"}
	store := &ending{Store: db, before: sync.OnceFunc(func() {
		now := clock.Now().Add(ahead)
		made.Connection, made.IssuedAt = symbolon.NewConnectionID(now), now
		outcome, err := db.Connect(ctx, symbolon.Connect{Connection: symbolon.Connection{
			ID: made.Connection, Account: "a", Client: "c", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		}, CodeIssuedAt: now, Now: now})
		must(err)
		if outcome != symbolon.Connected {
			t.Fatal(outcome)
		}
	})}
	d := &desk{store: &database{Store: store, shared: shared}, clock: newUsedClock(time.Time{})}
	e.Reason = symbolon.ByOperator
	if n, err := d.end(ctx, e); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	must(feed.Poll(ctx))
	if !feed.Over(&made) {
		t.Errorf("an access token that was made %v ahead is alive", ahead)
	}
	row := symbolon.Refresh{ID: made.Connection, Rotation: symbolon.RotateAlways, Grace: -1, Now: clock.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	if got, err := db.Refresh(ctx, row); err != nil || got.Result != symbolon.RefreshDenied {
		t.Errorf("its refresh token is alive: %+v, %v", got, err)
	}
}

// away is a store that cannot be asked for one app.
type away struct{ symbolon.Store }

func (s away) Apps(ctx context.Context, q symbolon.AppQuery) ([]symbolon.App, error) {
	if q.ID != "" {
		return nil, symbolon.Errorf(symbolon.Busy, "apps", "away")
	}
	return s.Store.Apps(ctx, q)
}

// A name leads to an app only where it is sure to be the one that is meant.
func TestAnAppByItsName(t *testing.T) {
	m := storetest.NewMemory()
	for _, app := range []symbolon.App{
		{ID: "sym_app_one", Name: "Crew"},
		{ID: "sym_app_stranger", Name: "Self-made", Settings: symbolon.Settings{Registration: &symbolon.Registration{}}},
	} {
		app.Rotation, app.CreatedAt = symbolon.RotateAlways, time.Now()
		if err := m.PutApp(t.Context(), app); err != nil {
			t.Fatal(err)
		}
	}
	clock := &usedClock{Clock: symbolon.NewSteadyClock(time.Time{})}
	sh := &shell{ctx: t.Context(), stderr: io.Discard}
	d := &desk{store: &database{Store: m}, clock: clock}
	if app, err := d.app(sh, "crew"); err != nil || app.ID != "sym_app_one" {
		t.Errorf("%v, %v", app.ID, err)
	}
	if app, err := d.app(sh, "Self-made"); err == nil || symbolon.KindOf(err) != symbolon.NotFound {
		t.Errorf("one that registered itself: %v, %v", app.ID, err)
	}
	d.store.Store = away{m}
	if app, err := d.app(sh, "Crew"); err == nil || symbolon.KindOf(err) != symbolon.Busy {
		t.Errorf("while it is not known whether there is such an id: %v, %v", app.ID, err)
	}
}
