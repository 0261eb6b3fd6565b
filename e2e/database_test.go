//go:build linux

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// ownCluster starts a cluster for a test that stops or kills it.
func ownCluster(t testing.TB) *pgtest.Cluster {
	t.Helper()
	cluster, err := pgtest.New(pgtest.Options{})
	must(t, err)
	t.Cleanup(cluster.Remove)
	return cluster
}

// away checks that a request is answered 503 as RFC 9110 §15.6.4 has it, and soon.
func away(t testing.TB, s *server, within time.Duration, ask func() *reply) {
	t.Helper()
	began := time.Now()
	r := ask()
	if took := time.Since(began); r.Status != 503 || r.Header.Get("Retry-After") == "" || r.text("error") != "temporarily_unavailable" || took > within {
		t.Errorf("%s: %d %s after %v, want 503 within %v", s.base, r.Status, r.Body, took, within)
	}
}

// C8: a server that is started before its database waits for it, says so, and is
// ready by itself.
func TestDatabaseComesLater(t *testing.T) {
	t.Parallel()
	cluster := ownCluster(t)
	name, err := cluster.NewDatabase("")
	must(t, err)
	must(t, cluster.Stop())
	address := freePort(t)
	s := startServeUntil(t, "/healthz", newDir(), address, bare, "http://"+address, "--database", cluster.URL(name))
	for _, path := range []string{"/info", "/readyz", "/authorize", "/nowhere"} {
		away(t, s, time.Second, func() *reply { return s.get(t, path, bearer("x")) })
	}
	if r := s.get(t, "/healthz"); r.Status != 200 {
		t.Errorf("/healthz: %d", r.Status)
	}
	must(t, cluster.Start())
	if !eventually(func() bool { return s.get(t, "/readyz").Status == 200 }) {
		t.Fatalf("it is not ready\n%s", s.logTail())
	}
	refused(t, s.get(t, "/info", bearer("x")), 401, "invalid_token")
	if n := strings.Count(s.logText(), "the database cannot be used"); n != 1 {
		t.Errorf("it is told %d times that the database is away\n%s", n, s.logTail())
	}
}

// One that is told to stop before its database is there stops, and that is no fault.
func TestStopBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	s := startServeUntil(t, "/healthz", newDir(), address, bare, "http://"+address, "--database", "postgres://u@127.0.0.1:1/none")
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.gone:
	case <-time.After(10 * time.Second):
		t.Fatalf("it does not stop\n%s", s.dump())
	}
	if s.err != nil || !strings.Contains(s.logText(), `"msg":"stopped"`) {
		t.Errorf("it ended with %v\n%s", s.err, s.logTail())
	}
}

// C9, C11: the database dies under load, is started again, hangs, and goes on.
// Requests are answered 503 soon, and the nodes come back by themselves.
func TestDatabaseDiesAndHangs(t *testing.T) {
	t.Parallel()
	cluster := ownCluster(t)
	name, err := cluster.NewDatabase("")
	must(t, err)
	nodes := startNodes(t, 2, cluster.URL(name))
	a := nodes[0].theApp()
	tk := a.connect(t)
	f := launch(t, a, 48, nodes...)
	info := func(s *server) func() *reply {
		return func() *reply { return s.get(t, "/info", bearer(tk.access)) }
	}
	working := func(what string) {
		t.Helper()
		from := f.done.Load()
		began := time.Now()
		back := eventually(func() bool {
			return f.done.Load() > from+100 && info(nodes[0])().Status == 200 && info(nodes[1])().Status == 200
		})
		if took := time.Since(began); !back || took > 10*time.Second {
			t.Fatalf("%s: %d refreshes after %v", what, f.done.Load()-from, took)
		}
		f.holds(t)
	}
	working("at first")

	must(t, cluster.Kill())
	time.Sleep(500 * time.Millisecond)
	for _, s := range nodes {
		away(t, s, time.Second, info(s))
		away(t, s, 4*time.Second, func() *reply { return a.at(s).refresh(t, tk.refresh) })
	}
	must(t, cluster.Start())
	working("after the crash")

	must(t, cluster.Freeze())
	time.Sleep(500 * time.Millisecond)
	for _, s := range nodes {
		away(t, s, 4*time.Second, info(s))
		away(t, s, 8*time.Second, func() *reply { return a.at(s).refresh(t, tk.refresh) })
		if r := s.get(t, "/oauth2/jwks"); r.Status != 200 { // C7: what needs no database
			t.Errorf("/oauth2/jwks: %d", r.Status)
		}
	}
	for _, s := range nodes {
		if !eventually(func() bool { return strings.Count(s.logText(), "the store is away") > 1 }) {
			t.Errorf("it does not say that the store is away\n%s", s.logTail())
		}
	}
	must(t, cluster.Thaw())
	working("after it hung")
	if f.busy.Load() == 0 {
		t.Error("no refresh was answered 503: neither hit anything")
	}
	if f.lost.Load() > 0 {
		t.Errorf("%d requests got no answer", f.lost.Load())
	}
	f.halt(t, nodes[1])
	for _, s := range nodes {
		if n := strings.Count(s.logText(), "the store is away"); n > 6 {
			t.Errorf("it is told %d times that the store is away\n%s", n, s.logTail())
		}
	}
}
