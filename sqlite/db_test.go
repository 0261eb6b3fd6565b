package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) symbolon.Store { return open(t, freshDatabase(t), Options{}) })
}

// databasePath returns where a test may make a database.
func databasePath(t testing.TB) string { return filepath.Join(t.TempDir(), "symbolon.db") }

// freshDatabase returns the path of an empty database: a copy of one that is
// made once, since making one takes a while with the race detector. All have
// the same epoch.
func freshDatabase(t testing.TB) string {
	t.Helper()
	content, err := template()
	if err != nil {
		t.Fatal(err)
	}
	path := databasePath(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "symbolon")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "symbolon.db")
	db, err := Open(context.Background(), Options{Path: path, Create: &Create{}})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// open opens a database with real data, new or not, and closes it at the end of
// the test.
func open(t testing.TB, path string, options Options) *DB {
	t.Helper()
	options.Path, options.Create = path, &Create{}
	db, err := Open(t.Context(), options)
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
	path    string
	account symbolon.AccountID
	client  symbolon.ClientID
	now     time.Time
	ids     []symbolon.ConnectionID
	seqs    []uint64 // of the current refresh token of each
}

func seed(t testing.TB, connections int) *seeded {
	t.Helper()
	return seedWith(t, connections, Options{})
}

func seedWith(t testing.TB, connections int, options Options) *seeded {
	t.Helper()
	return seedAt(t, freshDatabase(t), connections, options)
}

func seedAt(t testing.TB, path string, connections int, options Options) *seeded {
	t.Helper()
	w := &seeded{
		DB: open(t, path, options), path: path, account: symbolon.NewAccountID(), client: symbolon.NewClientID(),
		// The connections are born a tenth of a millisecond apart, up to now.
		now: time.Now().Add(-time.Duration(connections) * time.Millisecond / 10).Truncate(time.Millisecond),
	}
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

// eventually tries until it works, for at most ten seconds.
func eventually(t testing.TB, try func() error) {
	t.Helper()
	var err error
	for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("not even after ten seconds: %v", err)
}
