package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func TestStore(t *testing.T) {
	c := theCluster(t)
	withoutFsync(t, c)
	holds(t, database(t, c, "fresh"))
}

// holds runs the contract on a database, which is emptied before each case.
func holds(t *testing.T, name string) {
	c := theCluster(t)
	storetest.Run(t, func(t testing.TB) symbolon.Store {
		var statements []string
		for _, table := range []string{"account", "identity", "app", "session", "consent", "connection", "change", "sealing_key", "once", "delivery", "scope"} {
			statements = append(statements, "DELETE FROM "+table)
		}
		if err := c.Exec(name, append(statements, "UPDATE feed SET last = 0")...); err != nil {
			t.Fatal(err)
		}
		return open(t, c.URL(name), Options{})
	})
	storetest.RunTrail(t, func(t testing.TB) symbolon.Trail {
		if err := c.Exec(name, "DELETE FROM trail"); err != nil {
			t.Fatal(err)
		}
		return open(t, c.URL(name), Options{})
	})
}

// open opens a database with real data, new or not, and closes it at the end of
// the test.
func open(t testing.TB, url string, options Options) *DB {
	t.Helper()
	options.URL, options.Create = url, &Create{}
	if options.Wait == 0 {
		options.Wait = 20 * time.Second // the machine may be busy
	}
	db, err := Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// seeded is a database with one account, one app, and connections.
type seeded struct {
	*DB
	name    string // of the database, where it is on the tests' cluster
	account symbolon.AccountID
	client  symbolon.ClientID
	now     time.Time
	ids     []symbolon.ConnectionID
	seqs    []uint64 // of the current refresh token of each
}

func seed(t testing.TB, connections int, options Options) *seeded {
	t.Helper()
	return seedOn(t, database(t, theCluster(t), "fresh"), connections, options)
}

// seedOn fills the database of that name.
func seedOn(t testing.TB, name string, connections int, options Options) *seeded {
	t.Helper()
	w := seedAt(t, theCluster(t).URL(name), connections, options)
	w.name = name
	return w
}

// seedAt fills the database that the URL names.
func seedAt(t testing.TB, url string, connections int, options Options) *seeded {
	t.Helper()
	w := &seeded{
		account: symbolon.NewAccountID(), client: symbolon.NewClientID(),
		// The connections are born a tenth of a millisecond apart, up to now.
		now: time.Now().Add(-time.Duration(connections) * time.Millisecond / 10).Truncate(time.Millisecond),
	}
	w.DB = open(t, url, options)
	ctx := t.Context()
	for _, err := range []error{
		w.PutAccount(ctx, symbolon.Account{ID: w.account, Username: "jane", CreatedAt: w.now}),
		w.PutApp(ctx, symbolon.App{ID: w.client, Rotation: symbolon.RotateAlways, CreatedAt: w.now}),
		w.Allow(ctx, symbolon.Consent{Account: w.account, Client: w.client, Scope: symbolon.Scopes{"connect"}, GrantedAt: w.now}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.ids, w.seqs = make([]symbolon.ConnectionID, connections), make([]uint64, connections)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(connections); i = next.Add(1) - 1 {
				c := w.code(w.now.Add(time.Duration(i) * time.Millisecond / 10))
				w.ids[i] = c.Connection.ID
				if err := w.redeem(c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	return w
}

// code returns what redeeming a code asks for.
func (w *seeded) code(now time.Time) symbolon.Connect {
	return symbolon.Connect{
		Connection: symbolon.Connection{
			ID: symbolon.NewConnectionID(now), Account: w.account, Client: w.client,
			Scope: symbolon.Scopes{"connect"}, CreatedAt: now, ExpiresAt: now.Add(90 * 24 * time.Hour),
		},
		CodeIssuedAt: now, Now: now,
	}
}

func (w *seeded) redeem(c symbolon.Connect) error {
	got, err := w.Connect(context.Background(), c)
	if err == nil && got != symbolon.Connected {
		return fmt.Errorf("Connect: outcome %d", got)
	}
	return err
}

// token returns what presenting a refresh token of connection i asks for.
func (w *seeded) token(i int, seq uint64) symbolon.Refresh {
	now := time.Now()
	return symbolon.Refresh{
		ID: w.ids[i], Seq: seq, Rotation: symbolon.RotateAlways, Grace: -1, ExpiresAt: now.Add(90 * 24 * time.Hour), Now: now,
	}
}

// rotate refreshes connection i by its current token.
func (w *seeded) rotate(i int) error {
	got, err := w.Refresh(context.Background(), w.token(i, w.seqs[i]))
	if err != nil {
		return err
	}
	if got.Result != symbolon.Rotated {
		return fmt.Errorf("Refresh: %+v", got)
	}
	w.seqs[i] = got.Seq
	return nil
}
