//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// postgresSettings are what PostgreSQL runs with beside its defaults, which make
// every commit durable: memory and log as whoever sets up a small server gives it.
var postgresSettings = []string{"shared_buffers=512MB", "max_wal_size=4GB"}

// shared is a server of one or more nodes on a PostgreSQL of their own.
type shared struct {
	target
	database string
	greeting greeting
	settings []string
}

// startShared makes a temporary cluster with an empty database, and starts nodes
// on it.
func (b *bench) startShared(nodes int) (_ *shared, err error) {
	s := &shared{target: target{name: onPostgres}, settings: lastOfEach(postgresSettings, b.Settings)}
	if s.cluster, err = pgtest.New(pgtest.Options{Settings: s.settings}); err != nil {
		return nil, err
	}
	if s.database, err = s.cluster.NewDatabase(""); err == nil {
		err = b.startNodes(s, nodes)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// lastOfEach puts settings together. The later of two with the same name counts.
func lastOfEach(lists ...[]string) []string {
	var all []string
	for _, setting := range slices.Concat(lists...) {
		name, _, _ := strings.Cut(setting, "=")
		all = slices.DeleteFunc(all, func(s string) bool { return strings.HasPrefix(s, name+"=") })
		all = append(all, setting)
	}
	return all
}

// dir is the data directory of a node, counted from 0.
func (b *bench) dir(s *shared, node int) string {
	return filepath.Join(b.Dir, s.database+"-node"+strconv.Itoa(node+1))
}

// startNodes starts nodes on the database. The second and later ones have the root
// key and the sandbox app of the first.
func (b *bench) startNodes(s *shared, nodes int) error {
	for i := range nodes {
		if i > 0 {
			if err := copyFiles(b.dir(s, 0), b.dir(s, i), "root.key", "sandbox.json"); err != nil {
				return err
			}
		}
		p, g, err := startServer(b.Server, b.dir(s, i), filepath.Join(b.Dir, s.database+".log"), "--database", s.cluster.URL(s.database))
		if err != nil {
			return fmt.Errorf("node %d on PostgreSQL: %w", i+1, err)
		}
		if i == 0 {
			s.greeting = g
		}
		s.nodes = append(s.nodes, p)
	}
	return nil
}

// copyFiles makes a directory with copies of another's files.
func copyFiles(from, to string, names ...string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stopNodes ends the nodes, and leaves the cluster.
func (s *shared) stopNodes() error {
	var first error
	for _, p := range s.nodes {
		if err := p.stop(); err != nil && first == nil {
			first = fmt.Errorf("the server did not stop well: %w", err)
		}
	}
	s.nodes = nil
	return first
}

func (s *shared) stop() error {
	defer s.cluster.Remove()
	return s.stopNodes()
}

// postgres measures info and refresh, or whatever was asked for, with a server on
// PostgreSQL beside a bare handler, and nothing else.
func (b *bench) postgres() error {
	if err := b.describe(); err != nil {
		return err
	}
	s, err := b.startShared(1)
	if err != nil {
		return err
	}
	defer s.stop()
	b.report.Postgres = s.settings
	answers, err := sample(s.nodes[0], s.greeting)
	if err != nil {
		return fmt.Errorf("the first answers of the server: %w", err)
	}
	bare, err := startBare(b.Dir, answers)
	if err != nil {
		return err
	}
	defer bare.stop()
	time.Sleep(b.Rest / 5)
	if err := b.measure([]target{{name: onNothing, nodes: []*process{bare}}, s.target}); err != nil {
		return err
	}
	return b.finish(os.Stdout)
}

// clusterTime returns how long all of a cluster's processes have run so far, with
// those that have ended, to 10 ms each.
func clusterTime(c *pgtest.Cluster) (time.Duration, error) {
	list, err := c.Processes()
	if err != nil {
		return 0, err
	}
	var all time.Duration
	for _, pid := range list {
		worked, err := processorTime(pid)
		if err != nil && !os.IsNotExist(err) { // it has ended, and the first now has its time
			return 0, err
		}
		all += worked
	}
	return all, nil
}

// clusterMemory returns how many bytes a cluster keeps in memory, what its processes
// share counted once.
func clusterMemory(c *pgtest.Cluster) (int64, error) {
	list, err := c.Processes()
	if err != nil {
		return 0, err
	}
	var all int64
	for _, pid := range list {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		_, rest, found := strings.Cut(string(text), "\nPss:")
		f := strings.Fields(rest)
		if !found || len(f) < 1 {
			return 0, fmt.Errorf("/proc/%d/smaps_rollup has no Pss", pid)
		}
		kib, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return 0, err
		}
		all += kib << 10
	}
	return all, nil
}
