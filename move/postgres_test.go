package move

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/postgres"
)

// cluster is the PostgreSQL of these tests.
var cluster *pgtest.Cluster

func TestMain(m *testing.M) {
	code := m.Run()
	if cluster != nil {
		cluster.Remove()
	}
	os.Exit(code)
}

// database makes an empty database and returns its URL.
func database(t testing.TB) string {
	t.Helper()
	if cluster == nil {
		var err error
		cluster, err = pgtest.New(pgtest.Options{})
		must(t, err)
	}
	name, err := cluster.NewDatabase("")
	must(t, err)
	t.Cleanup(func() { must(t, cluster.DropDatabase(name)) })
	return cluster.URL(name)
}

func taker(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url, Create: &postgres.Create{}, Transfer: true, Wait: 30 * time.Second})
	must(t, err)
	return db
}

// TestToPostgres moves to PostgreSQL, with an interruption, and then looks at the
// data as a server does.
func TestToPostgres(t *testing.T) {
	t.Parallel()
	w, url := newWorld(t), database(t)
	node := func() (*postgres.DB, error) {
		return postgres.Open(t.Context(), postgres.Options{URL: url, Create: &postgres.Create{}})
	}
	was, err := observe(t, carrier(t, w.path), w)
	must(t, err)
	for left := 9; ; left += 9 {
		source, target := carrier(t, w.path), taker(t, url)
		k := &torn{Target: target, left: left, after: left%2 == 0}
		_, err := once(t.Context(), leaver{source, k}, k)
		must(t, errors.Join(source.Close(), target.Close()))
		if err == nil {
			break
		}
		if !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
		if db, err := node(); err == nil || !errors.Is(err, symbolon.ErrMoving) {
			t.Fatalf("half moved, and opened for a server: %v, %v", db, err)
		}
	}
	if serves(t, w.path) {
		t.Error("the source would be served")
	}
	db, err := node()
	must(t, err)
	defer db.Close()
	if is, err := observe(t, db, w); err != nil || !slices.Equal(is, was) {
		t.Errorf("the target shows\n%q\nthe source showed\n%q (%v)", is, was, err)
	}
	// The life goes on where it was.
	if out := w.refresh(t, db, 0); out.Result != symbolon.Repeated || out.Seq != 1 {
		t.Errorf("a repeated refresh: %+v", out)
	}
	if out := w.refresh(t, db, 1); out.Result != symbolon.Rotated || out.Seq != 2 {
		t.Errorf("a refresh: %+v", out)
	}
	if _, first, err := db.Once(t.Context(), symbolon.Once{Key: [32]byte{1, 2}, ExpiresAt: w.now.Add(time.Hour), Now: w.now}); err != nil || first {
		t.Errorf("what was used once can be used again: %v", err)
	}
	// New rows get numbers of their own, and changes go on behind those of before.
	_, before, err := db.Changes(t.Context(), 0, 1000)
	must(t, err)
	a := symbolon.Account{ID: symbolon.NewAccountID(), Username: "new", CreatedAt: w.now}
	must(t, db.PutAccount(t.Context(), a))
	must(t, db.PutApp(t.Context(), symbolon.App{ID: symbolon.NewClientID(), Rotation: symbolon.RotateAlways, CreatedAt: w.now}))
	list, after, err := db.Changes(t.Context(), before, 1000)
	if err != nil || len(list) != 1 || after != before+1 {
		t.Errorf("changes %+v up to %d after %d, %v", list, after, before, err)
	}
}

// observe returns what a server sees of a store, a line each.
func observe(t testing.TB, db symbolon.Store, w *world) ([]string, error) {
	ctx := context.Background()
	var lines []string
	var failed error
	add := func(v any, err error) {
		lines, failed = append(lines, sprint(v)), errors.Join(failed, err)
	}
	apps, err := db.Apps(ctx, symbolon.AppQuery{Limit: 100})
	add(apps, err)
	accounts, err := db.Accounts(ctx, symbolon.AccountQuery{Limit: 100})
	add(accounts, err)
	connections, err := db.Connections(ctx, symbolon.ConnectionQuery{Limit: 100})
	add(connections, err)
	consent, err := db.Consent(ctx, w.jane, w.app)
	add(consent, err)
	sessions, err := db.Sessions(ctx, [32]byte{1, 255}, w.now)
	add(sessions, err)
	keys, err := db.Keys(ctx, nil, false)
	add(keys, err)
	changes, last, err := db.Changes(ctx, 0, 100)
	add(changes, err)
	add(last, nil)
	if len(apps) != 1 || len(accounts) != 3 || len(connections) != 7 || len(sessions) != 1 || len(keys) != 3 || len(changes) < 5 {
		t.Errorf("the store shows %d apps, %d accounts, %d connections, %d sessions, %d keys, %d changes",
			len(apps), len(accounts), len(connections), len(sessions), len(keys), len(changes))
	}
	return lines, failed
}
