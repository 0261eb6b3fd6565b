//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/sqlite"
)

// made is a store with keys and one app, as a demo leaves it.
func made(t *testing.T, dir string, store symbolon.Store) symbolon.ClientID {
	t.Helper()
	root, err := seal.NewRootKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "root.key"), []byte(root.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := root.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Keys(t.Context(), []symbolon.Key{key}, false); err != nil {
		t.Fatal(err)
	}
	app := symbolon.App{ID: symbolon.NewClientID(), Name: "The load", Scope: symbolon.Scopes{"connect"},
		Rotation: symbolon.RotateAlways, Sandbox: true, CreatedAt: time.Now().Add(-2 * history)}
	if err := store.PutApp(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	return app.ID
}

// What is filled in is what the store itself reads, and the tokens are good.
func TestFilledConnectionsCanBeRefreshed(t *testing.T) {
	cluster, err := pgtest.New(pgtest.Options{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Remove()
	type store interface {
		symbolon.Store
		Close() error
	}
	for name, s := range map[string]struct {
		open func(dir string, create bool) (store, error)
		fill func(dir string, f *filling) ([]held, error)
	}{
		onSQLite: {func(dir string, create bool) (store, error) {
			o := sqlite.Options{Path: filepath.Join(dir, "symbolon.db")}
			if create {
				o.Create = &sqlite.Create{Sandbox: true}
			}
			return sqlite.Open(t.Context(), o)
		}, fillSQLite},
		onPostgres: {func(dir string, create bool) (store, error) {
			o := postgres.Options{URL: cluster.URL("postgres")}
			if create {
				o.Create = &postgres.Create{Sandbox: true}
			}
			return postgres.Open(t.Context(), o)
		}, func(dir string, f *filling) ([]held, error) { return fillPostgres(dir, cluster.URL("postgres"), f) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db, err := s.open(dir, true)
			if err != nil {
				t.Fatal(err)
			}
			app := made(t, dir, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			now := time.Now().Truncate(time.Millisecond)
			f := &filling{app: app, connections: 1003, every: 5, tokens: 100, now: now}
			list, err := s.fill(dir, f)
			if err != nil {
				t.Fatal(err)
			}
			if db, err = s.open(dir, false); err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			checkFilled(t, db, f, list)
		})
	}
}

func checkFilled(t *testing.T, db symbolon.Store, f *filling, list []held) {
	ctx := t.Context()
	all, err := db.Connections(ctx, symbolon.ConnectionQuery{Live: true, Now: f.now, Limit: 2000})
	if err != nil || len(all) != 1003 || len(list) < 90 || len(list) > 100 {
		t.Fatalf("%d connections, %d of which we have the tokens, %v", len(all), len(list), err)
	}
	ours, err := db.Connections(ctx, symbolon.ConnectionQuery{Client: f.app, Limit: 2000})
	if err != nil || len(ours) < 150 || len(ours) > 250 {
		t.Errorf("%d connections of the load's app, %v", len(ours), err)
	}
	people, err := db.Accounts(ctx, symbolon.AccountQuery{Limit: 2000})
	if err != nil || len(people) != 251 {
		t.Errorf("%d accounts, %v", len(people), err)
	}
	if err := db.PutAccount(ctx, symbolon.Account{ID: symbolon.NewAccountID(), Username: "next", Sandbox: true, CreatedAt: f.now}); err != nil {
		t.Errorf("the next account: %v", err)
	}
	refresh, err := refreshTokens(f.ring, list, f.now)
	if err != nil {
		t.Fatal(err)
	}
	access, err := accessTokens(f.ring, list, f.now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		var r symbolon.RefreshToken
		plain, err := f.ring.Open(seal.RefreshToken, string(refresh[i]), f.now)
		if err == nil {
			err = r.UnmarshalBinary(plain)
		}
		if err != nil {
			t.Fatal(err)
		}
		var a symbolon.AccessToken
		if plain, err = f.ring.Open(seal.AccessToken, string(access[i]), f.now); err == nil {
			err = a.UnmarshalBinary(plain)
		}
		if err != nil || a.Connection != r.Connection || a.Account != r.Account {
			t.Fatalf("%+v, %v", a, err)
		}
		row, err := db.Connections(ctx, symbolon.ConnectionQuery{ID: r.Connection, Limit: 1})
		if err != nil || len(row) != 1 || row[0].Account != r.Account || row[0].Client != f.app {
			t.Fatalf("%+v is stored as %+v, %v", r, row, err)
		}
		o, err := db.Refresh(ctx, symbolon.Refresh{ID: r.Connection, Seq: r.Seq, Rotation: symbolon.RotateAlways, Grace: -1, ExpiresAt: r.ExpiresAt, Now: f.now})
		if err != nil || o.Result != symbolon.Rotated {
			t.Fatalf("%+v, %v", o, err)
		}
	}
}
