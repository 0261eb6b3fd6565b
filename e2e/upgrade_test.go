//go:build linux

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// previousRelease builds the program of the release before this one, from the
// sources that are kept of it.
func previousRelease(t testing.TB) (path, version string) {
	t.Helper()
	text, err := os.ReadFile("testdata/previous-release.version")
	must(t, err)
	dir := t.TempDir()
	out, err := exec.Command("tar", "xzf", "testdata/previous-release.tar.gz", "-C", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("the sources of the previous release: %v\n%s", err, out)
	}
	path = filepath.Join(dir, "symbolon")
	build := exec.Command("go", "build", "-mod=mod", "-o", path, "./cmd/symbolon")
	build.Dir = filepath.Join(dir, "release")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the previous release: %v\n%s", err, out)
	}
	return path, strings.TrimSpace(string(text))
}

// C30, C31, C32: the previous release and this one side by side on one database,
// from the first node that is new to the last that is old, under load.
func TestUpgradeWithoutAStop(t *testing.T) {
	t.Parallel()
	before, version := previousRelease(t)
	database := newDatabase(t)
	startOld := func(from *server) *server {
		dir := newDir()
		if from != nil {
			copyNode(t, from.dir, dir)
		}
		otherProgram.Store(dir, before)
		return startDemo(t, dir, "--database", database)
	}
	startNew := func(from *server) *server {
		dir := newDir()
		copyNode(t, from.dir, dir)
		return startDemo(t, dir, "--database", database)
	}
	old1 := startOld(nil)
	old2 := startOld(old1)
	a := old1.theApp()
	f := launch(t, a, 48, old1, old2)
	pause := func(what string) {
		t.Helper()
		from := f.done.Load()
		time.Sleep(time.Second)
		if n := f.done.Load() - from; n < 100 {
			t.Fatalf("%s: only %d refreshes in a second", what, n)
		}
		f.holds(t)
	}
	pause(version + " alone")

	was := schemaOf(t, database)
	fresh := startNew(old1) // which migrates the database under the old nodes
	if now := schemaOf(t, database); now <= was {
		t.Errorf("the schema went from %d to %d: there is no migration that the old nodes live through", was, now)
	}
	f.to(old1, old2, fresh)
	pause("both")
	both(t, a.at(old1), a.at(fresh))
	both(t, a.at(fresh), a.at(old2))

	f.to(old2, fresh) // and then old1 stops, and comes again as the old one: a step back
	if status := old1.stop(); status != 0 {
		t.Fatalf("%s ended with %d\n%s", version, status, old1.logTail())
	}
	pause("one of each")
	again := startOld(old2)
	f.to(again, fresh)
	pause("an old node that was started on the new schema")
	both(t, a.at(again), a.at(fresh))

	last := startNew(fresh)
	f.to(fresh, last)
	old2.stop()
	again.stop()
	pause("new nodes alone")
	f.halt(t, last)
	if f.busy.Load() > 0 || f.lost.Load() > 0 {
		t.Errorf("%d requests were answered 503 and %d not at all", f.busy.Load(), f.lost.Load())
	}
	t.Logf("from %s: %d refreshes, none refused, none lost", version, f.done.Load())
}

// schemaOf returns the version of a database's schema.
func schemaOf(t testing.TB, database string) (version int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, database)
	must(t, err)
	defer c.Close(ctx)
	must(t, c.QueryRow(ctx, `SELECT max(version_id) FROM symbolon_version WHERE is_applied`).Scan(&version))
	return version
}

// both has what one program made honoured, moved on and ended by the other.
func both(t testing.TB, one, other *app) {
	t.Helper()
	code := one.code(t)
	tk := granted(t, other.s.post(t, "/token", other.redemption(code)))
	one.alive(t, tk)
	next := granted(t, one.refresh(t, tk.refresh))
	if repeated := granted(t, other.refresh(t, tk.refresh)); repeated.refresh != next.refresh {
		t.Error("the two programs gave two successors of one refresh token")
	}
	if r := other.s.get(t, "/invalidate", bearer(next.access)); r.Status != 204 {
		t.Fatalf("invalidate: %d %s", r.Status, r.Body)
	}
	// The previous release may not wait for the other nodes before its 204.
	time.Sleep(300 * time.Millisecond)
	one.over(t, next)
	other.over(t, next)
}
