//go:build linux

package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// postgres is the PostgreSQL of every test that does not hurt it.
var postgres struct {
	once    sync.Once
	cluster *pgtest.Cluster
	err     error
}

// newDatabase returns the URL of an empty database in a cluster that tests share.
// The cluster ends with the suite.
func newDatabase(t testing.TB) string {
	t.Helper()
	postgres.once.Do(func() { postgres.cluster, postgres.err = pgtest.New(pgtest.Options{}) })
	must(t, postgres.err)
	name, err := postgres.cluster.NewDatabase("")
	must(t, err)
	return postgres.cluster.URL(name)
}

// postgresEnviron is the environment in which PostgreSQL's own programs find that
// cluster.
func postgresEnviron(t testing.TB) []string {
	t.Helper()
	u, err := url.Parse(newDatabase(t))
	must(t, err)
	return []string{"PGHOST=" + u.Query().Get("host"), "PGPORT=" + u.Query().Get("port"), "PGUSER=" + u.User.Username()}
}

// startNodes starts demos that share a database, as an owner would: each has a
// data directory of its own, with the same root key, and here with the same
// sandbox. They are stopped when the test ends.
func startNodes(t testing.TB, n int, database string, more ...string) []*server {
	t.Helper()
	var nodes []*server
	for i := range n {
		dir := newDir()
		if i > 0 {
			copyNode(t, nodes[0].dir, dir)
		}
		nodes = append(nodes, startDemo(t, dir, append([]string{"--database", database}, more...)...))
	}
	return nodes
}

// copyNode gives a new node what the nodes of one database have in common.
func copyNode(t testing.TB, from, to string) {
	t.Helper()
	must(t, os.Mkdir(to, 0o700))
	for _, name := range [...]string{"root.key", "sandbox.json", "issuer.pem"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue
		}
		must(t, err)
		must(t, os.WriteFile(filepath.Join(to, name), text, 0o600))
	}
}

// at returns the app as it is seen at a node: the same, asked there.
func (a *app) at(s *server) *app {
	b := *a
	b.s = s
	return &b
}

// What the nodes of one database have in common, as the API of one node has it.
func TestNodesAreOne(t *testing.T) { // RFC7009-2.1-c, C34
	t.Parallel()
	nodes := startNodes(t, 2, newDatabase(t))
	a, b := nodes[0].theApp(), nodes[0].theApp().at(nodes[1])
	tk := a.connect(t)
	b.alive(t, tk)
	next := granted(t, b.refresh(t, tk.refresh))
	if again := granted(t, a.refresh(t, tk.refresh)); again.refresh != next.refresh {
		t.Errorf("two nodes gave two successors of one refresh token")
	}
	if r := nodes[1].get(t, "/invalidate", bearer(next.access)); r.Status != 204 {
		t.Fatalf("invalidate: %d %s", r.Status, r.Body)
	}
	a.over(t, next)
	b.over(t, next)

	// A code that is redeemed at both.
	code := a.code(t)
	tk = granted(t, nodes[1].post(t, "/token", b.redemption(code)))
	refused(t, nodes[0].post(t, "/token", a.redemption(code)), 400, "invalid_grant")
	b.over(t, tk)
}
