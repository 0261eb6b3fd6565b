//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon"
)

// sizePostgres measures one number of connections on PostgreSQL, with one node and
// then with three.
func (b *bench) sizePostgres(n int) ([]size, error) {
	filled, err := b.fillShared(n, 5, manyInTurn)
	if err != nil {
		return nil, err
	}
	defer filled.stop()
	many := &inTurn{tokens: filled.refresh}
	bare, err := b.yardstick(n, filled.answers)
	if err != nil {
		return nil, err
	}
	var rows []size
	for _, nodes := range []int{1, 3} {
		s := size{Connections: n, Server: onPostgres, Nodes: nodes, Filled: filled.took.Seconds()}
		if nodes > 1 {
			s.Server = onThree
		}
		if s.Before, err = filled.stored(); err != nil {
			return nil, err
		}
		if err := b.startNodes(filled.shared, nodes); err != nil {
			return nil, err
		}
		if err := b.measureSize(&s, filled.target, bare, filled.filling, filled.held, many); err != nil {
			return nil, err
		}
		if s.Database, err = clusterMemory(filled.cluster); err != nil {
			return nil, err
		}
		if s.After, err = filled.stored(); err != nil {
			return nil, err
		}
		if err := filled.stopNodes(); err != nil {
			return nil, err
		}
		rows = append(rows, s)
	}
	return rows, filled.ask(`SELECT current_setting('server_version')`, &b.version)
}

// filled is a PostgreSQL with connections, on which no node works yet.
type filled struct {
	*shared
	*filling
	answers script
	held    []held
	refresh [][]byte // their refresh tokens
	took    time.Duration
}

// fillShared makes a cluster with n connections, of which one in every is of the
// app of the load.
func (b *bench) fillShared(n, every, tokens int) (*filled, error) {
	s, err := b.startShared(1) // makes the tables, the keys and the sandbox app
	if err != nil {
		return nil, err
	}
	f := &filled{shared: s}
	if err := b.fillIt(f, n, every, tokens); err != nil {
		s.stop()
		return nil, err
	}
	return f, nil
}

func (b *bench) fillIt(f *filled, n, every, tokens int) error {
	var err error
	if f.answers, err = sample(f.nodes[0], f.greeting); err != nil {
		return err
	}
	if err := f.stopNodes(); err != nil {
		return err
	}
	b.progress("%d connections: filling PostgreSQL", n)
	began := time.Now()
	f.filling = &filling{app: symbolon.ClientID(f.greeting.ClientID), connections: n, every: every, tokens: tokens, now: began.Truncate(time.Millisecond)}
	if f.held, err = fillPostgres(b.dir(f.shared, 0), f.cluster.URL(f.database), f.filling); err != nil {
		return err
	}
	f.took = time.Since(began)
	f.refresh, err = refreshTokens(f.ring, f.held, f.now)
	return err
}

// ask reads one row into the destinations.
func (s *shared) ask(query string, into ...any) error {
	return askAt(s.cluster.URL(s.database), query, into...)
}

func askAt(url, query string, into ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(conn.QueryRow(ctx, query).Scan(into...), conn.Close(ctx))
}

// stored asks what the tables take now.
func (s *shared) stored() (at stored, err error) {
	err = s.ask(`
		SELECT pg_table_size('connection'), pg_indexes_size('connection'),
			pg_total_relation_size('connection') + pg_total_relation_size('consent')
				+ pg_total_relation_size('account') + pg_total_relation_size('app')`, &at.Heap, &at.Index, &at.All)
	return at, err
}

// logged returns how many bytes PostgreSQL has written to its log so far, 0
// without PostgreSQL.
func (t target) logged() (bytes int64, err error) {
	if t.cluster == nil {
		return 0, nil
	}
	err = askAt(t.cluster.URL("postgres"), `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`, &bytes)
	return bytes, err
}

// logs returns how many bytes PostgreSQL writes to its log for each unit of a load,
// 0 without PostgreSQL.
func (t target) logs(into *figures, load func() (figures, error)) (float64, error) {
	before, err := t.logged()
	if err != nil {
		return 0, err
	}
	if *into, err = load(); err != nil {
		return 0, err
	}
	after, err := t.logged()
	return float64(after-before) / float64(max(into.All, 1)), err
}

// growth is what many refreshes of few connections did to the tables, while
// autovacuum ran as it does by default.
type growth struct {
	Connections int          `json:"connections"`
	PerSecond   float64      `json:"per_second"`
	Steps       []growthStep `json:"steps"`
	// Hot is the share of the updates that touched no index.
	Hot     float64 `json:"hot_share"`
	Vacuums int64   `json:"autovacuums"`
	WAL     float64 `json:"wal_bytes_per_refresh"`
}

// growthStep is the state after so many refreshes.
type growthStep struct {
	Refreshes uint64 `json:"refreshes"`
	Heap      int64  `json:"heap_bytes"`
	Index     int64  `json:"index_bytes"`
	Dead      int64  `json:"dead_rows"`
}

// grownConnections is how many connections are refreshed for the growth, all of
// them, over and over.
const grownConnections = 10_000

// growth refreshes few connections very often, and looks at the tables after each
// tenth of that.
func (b *bench) growth() (*growth, error) {
	filled, err := b.fillShared(grownConnections, 1, grownConnections)
	if err != nil {
		return nil, err
	}
	defer filled.stop()
	if err := b.startNodes(filled.shared, 1); err != nil {
		return nil, err
	}
	g := &growth{Connections: len(filled.held)}
	look := func(done uint64) error {
		at, err := filled.stored()
		if err != nil {
			return err
		}
		step := growthStep{Refreshes: done, Heap: at.Heap, Index: at.Index}
		g.Steps = append(g.Steps, step)
		return filled.ask(`SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'connection'`, &g.Steps[len(g.Steps)-1].Dead)
	}
	if err := look(0); err != nil {
		return nil, err
	}
	const parts = 10
	talks := (&inTurn{tokens: filled.refresh}).on(filled.target, b.Connections)
	before, err := filled.logged()
	if err != nil {
		return nil, err
	}
	var done uint64
	var elapsed time.Duration
	for part := range parts {
		b.progress("growth: %d refreshes of %d connections, part %d of %d", b.Refreshes, len(filled.held), part+1, parts)
		o, err := load(filled.target, talks, span{count: uint64(b.Refreshes / parts)})
		if err != nil {
			return nil, err
		}
		b.check("growth", o)
		done, elapsed = done+o.all, elapsed+o.elapsed
		if err := look(done); err != nil {
			return nil, err
		}
	}
	after, err := filled.logged()
	if err != nil {
		return nil, err
	}
	g.PerSecond, g.WAL = float64(done)/elapsed.Seconds(), float64(after-before)/float64(max(done, 1))
	time.Sleep(time.Second) // until then a backend may keep its counts to itself
	err = filled.ask(`SELECT n_tup_hot_upd / greatest(n_tup_upd, 1)::float8, autovacuum_count FROM pg_stat_user_tables WHERE relname = 'connection'`, &g.Hot, &g.Vacuums)
	if err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	return g, nil
}
