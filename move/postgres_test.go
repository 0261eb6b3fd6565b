package move

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/sqlite"
)

// cluster is the PostgreSQL of these tests.
var (
	cluster    *pgtest.Cluster
	clusterErr error
	clustered  sync.Once
)

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
	clustered.Do(func() { cluster, clusterErr = pgtest.New(pgtest.Options{}) })
	must(t, clusterErr)
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
	scopes, err := db.Scopes(ctx)
	add(scopes, err)
	changes, last, err := db.Changes(ctx, 0, 100)
	add(changes, err)
	add(last, nil)
	if len(apps) != 1 || len(accounts) != 3 || len(connections) != 9 || len(sessions) != 1 || len(keys) != 3 || len(scopes) != 4 || len(changes) < 5 {
		t.Errorf("the store shows %d apps, %d accounts, %d connections, %d sessions, %d keys, %d scopes, %d changes",
			len(apps), len(accounts), len(connections), len(sessions), len(keys), len(scopes), len(changes))
	}
	return lines, failed
}

// TestFromPostgres moves to PostgreSQL and back into another directory, once it has
// gone on there.
func TestFromPostgres(t *testing.T) {
	t.Parallel()
	w, url := newWorld(t), database(t)
	source, target := carrier(t, w.path), taker(t, url)
	_, err := once(t.Context(), source, target)
	must(t, errors.Join(err, source.Close(), target.Close()))
	node, err := postgres.Open(t.Context(), postgres.Options{URL: url, Wait: time.Second})
	must(t, err)
	w.refresh(t, node, 1)
	was, err := observe(t, node, w)
	must(t, err)

	back := fresh(t)
	try := func(left int) (err error) {
		source, target := taker(t, url), carrier(t, back)
		err = source.Hold(t.Context())
		if err == nil {
			k := &torn{Target: target, left: left}
			_, err = once(t.Context(), leaver{source, k}, k)
		}
		must(t, errors.Join(source.Close(), target.Close()))
		return err
	}
	// Not while a node is there; and what it changes meanwhile waits in vain.
	if err := try(1000); symbolon.KindOf(err) != symbolon.Denied {
		t.Errorf("moved while a node was there: %v", err)
	}
	if !serves(t, url) || !serves(t, back) {
		t.Error("a move that was refused has left something")
	}
	holding := taker(t, url)
	if err := holding.Leave(t.Context(), symbolon.StoreState{}, "elsewhere"); symbolon.KindOf(err) != symbolon.Internal {
		t.Errorf("left without being held: %v", err)
	}
	_ = holding.Hold(t.Context()) // denied, and the lock is held all the same
	if err := node.PutAccount(t.Context(), symbolon.Account{ID: symbolon.NewAccountID(), Username: "late", CreatedAt: w.now}); symbolon.KindOf(err) != symbolon.Busy && symbolon.KindOf(err) != symbolon.Unknown {
		t.Errorf("a change while it is held: %v", err)
	}
	must(t, errors.Join(holding.Close(), node.Close()))

	if err := try(5); !errors.Is(err, errTorn) { // amid the accounts
		t.Fatal(err)
	}
	if !serves(t, url) || serves(t, back) {
		t.Error("half moved, the source is to be served and the target not")
	}
	// It goes on meanwhile, and the next run begins anew.
	node, err = postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	w.refresh(t, node, 2)
	for _, name := range [][2]string{{"jane", "jane.doe"}, {"éva\u0301", "jane"}} { // one takes the other's name
		accounts, err := node.Accounts(t.Context(), symbolon.AccountQuery{Username: name[0], Limit: 1})
		must(t, err)
		accounts[0].Username = name[1]
		must(t, node.PutAccount(t.Context(), accounts[0]))
	}
	was, err = observe(t, node, w)
	must(t, errors.Join(err, node.Close()))
	must(t, try(1000))
	if serves(t, url) || !serves(t, back) {
		t.Error("the wrong one of the two would be served")
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: back})
	must(t, err)
	if is, err := observe(t, db, w); err != nil || !slices.Equal(is, was) {
		t.Errorf("the target shows\n%q\nthe source showed\n%q (%v)", is, was, err)
	}
	if out := w.refresh(t, db, 3); out.Result != symbolon.Rotated || out.Seq != 4 {
		t.Errorf("a refresh: %+v", out)
	}
	must(t, db.Close())
	left := taker(t, url)
	must(t, errors.Join(left.Stay(t.Context()), left.Close()))
	if !serves(t, url) {
		t.Error("what was taken back is not served")
	}
}
