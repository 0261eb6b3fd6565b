package postgres

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon"
)

func (w *seeded) beat(t *testing.T, db *DB) uint64 {
	t.Helper()
	mark, err := db.Beat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return mark.Commits
}

func TestBeats(t *testing.T) { // C36
	w := seed(t, 2, Options{})
	other := open(t, theCluster(t).URL(w.name), Options{})
	first := w.beat(t, w.DB)
	if first == 0 {
		t.Fatal("what was seeded is not counted")
	}
	// Whoever changes nothing asks nothing; what he is told may be of before.
	if got := w.beat(t, w.DB); got != first {
		t.Errorf("%d after %d, and nothing was changed", got, first)
	}
	idle := w.beat(t, other)
	for want, change := range []func() error{
		func() error { return w.rotate(0) },
		func() error { return w.redeem(w.code(time.Now())) },
		func() error { return w.PutApp(t.Context(), symbolon.App{ID: "x", CreatedAt: w.now}) },
		func() error {
			_, err := w.End(t.Context(), symbolon.End{Connection: w.ids[1], Now: time.Now()})
			return err
		},
		func() error {
			_, _, err := w.Once(t.Context(), symbolon.Once{Now: time.Now(), ExpiresAt: time.Now().Add(time.Minute)})
			return err
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got := w.beat(t, w.DB); got != first+uint64(want)+1 {
			t.Errorf("change %d: %d beats, began with %d", want, got, first)
		}
	}
	if got := w.beat(t, other); got != idle {
		t.Errorf("a node that rests: %d after %d", got, idle)
	}
	mark, err := other.Mark(t.Context())
	if err != nil || mark.Commits != first+5 {
		t.Errorf("%+v, %v", mark, err)
	}
}

// A database is put back to an older copy while two nodes have it open. They know
// it from the beats and from the changes, and no connection is stranded.
func TestTheDatabaseIsPutBack(t *testing.T) { // C36, B43
	c := theCluster(t)
	w := seed(t, 3, Options{})
	if err := w.rotate(0); err != nil {
		t.Fatal(err)
	}
	if n, err := w.End(t.Context(), symbolon.End{Connection: w.ids[2], Now: time.Now()}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.beat(t, w.DB)
	// The copy is made while nobody is connected, which its maker demands.
	w.pool.Reset()
	w.hot.Reset()
	backup := "backup_of_" + w.name
	var err error
	for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		if err = c.Exec("postgres", "CREATE DATABASE "+backup+" TEMPLATE "+w.name); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.DropDatabase(backup); err != nil {
			t.Error(err)
		}
	})
	// It goes on.
	for range 3 {
		if err := w.rotate(0); err != nil {
			t.Fatal(err)
		}
		if err := w.rotate(1); err != nil {
			t.Fatal(err)
		}
		w.beat(t, w.DB)
	}
	if n, err := w.End(t.Context(), symbolon.End{Account: w.account, Client: w.client, Now: time.Now()}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	before := w.beat(t, w.DB)
	_, cursor, err := w.Changes(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	aside := "aside_" + w.name
	err = c.Exec("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+w.name+"'",
		"ALTER DATABASE "+w.name+" RENAME TO "+aside, "ALTER DATABASE "+backup+" RENAME TO "+w.name, "ALTER DATABASE "+aside+" RENAME TO "+backup)
	if err != nil {
		t.Fatal(err)
	}
	// A node that starts compares what it has kept outside the database.
	later, err := open(t, c.URL(w.name), Options{}).Mark(t.Context())
	if err != nil || later.Commits >= before {
		t.Errorf("%d beats in the older copy, %d were seen, %v", later.Commits, before, err)
	}
	// One that runs learns it from what it reads, and reads all that there is anew.
	_, next, err := w.Changes(t.Context(), cursor, 100)
	if err != nil || next != 0 {
		t.Errorf("the cursor goes from %d to %d, %v", cursor, next, err)
	}
	// No connection is stranded; what was ended before is over, and what was ended
	// since lives.
	for i, want := range []symbolon.RefreshResult{symbolon.CaughtUp, symbolon.CaughtUp, symbolon.RefreshEnded} {
		got, err := w.Refresh(t.Context(), w.token(i, w.seqs[i]))
		if err != nil || got.Result != want || want == symbolon.CaughtUp && got.Seq != w.seqs[i]+1 {
			t.Errorf("connection %d, holding %d: got %+v, %v", i, w.seqs[i], got, err)
		}
	}
	if after := w.beat(t, w.DB); after >= before {
		t.Errorf("%d beats after %d: whoever compares them learns nothing", after, before)
	}
}

func TestListen(t *testing.T) { // C34
	w := seed(t, 3, Options{})
	c := theCluster(t)
	other := open(t, c.URL(w.name), Options{})
	var woken atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		other.Listen(ctx, func() { woken.Add(1) })
		close(ended)
	}()
	await := func(what string, more int64) {
		t.Helper()
		for start := time.Now(); woken.Load() < more; time.Sleep(time.Millisecond) {
			if time.Since(start) > 10*time.Second {
				t.Fatal("not woken: " + what)
			}
		}
	}
	await("at the start", 1)
	end := func(i int) {
		t.Helper()
		if n, err := w.End(t.Context(), symbolon.End{Connection: w.ids[i], Now: time.Now()}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	before := time.Now()
	end(0)
	await("by an end", 2)
	t.Logf("woken %v after the end began", time.Since(before))
	if err := w.rotate(1); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if n := woken.Load(); n != 2 {
		t.Errorf("woken %d times: a refresh is no change that others must learn", n)
	}
	// After the connection broke.
	err := c.Exec("postgres", "SELECT 1 / count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = '"+w.name+"'")
	if err != nil {
		t.Fatal(err)
	}
	await("by a new connection", 3)
	end(1)
	await("by an end that it heard", 4)
	cancel()
	<-ended
}

func TestNoNotify(t *testing.T) {
	w := seed(t, 1, Options{NoNotify: true})
	w.Listen(t.Context(), func() { t.Error("woken") }) // returns at once
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, theCluster(t).URL(w.name))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		t.Fatal(err)
	}
	if n, err := w.End(ctx, symbolon.End{Connection: w.ids[0], Now: time.Now()}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	within, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if got, err := conn.WaitForNotification(within); err == nil {
		t.Errorf("heard %+v", got)
	}
}
