//go:build linux

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/symbolon/symbolon"
)

// sizesReport is what was found with stores of several sizes. It is what --json
// writes then.
type sizesReport struct {
	Machine  machine  `json:"machine"`
	Postgres []string `json:"postgres_settings"` // beside the defaults
	Version  string   `json:"postgres_version"`
	Rest     float64  `json:"rest_s"` // between a load and the look at the memory
	Rows     []size   `json:"rows"`
	Growth   *growth  `json:"growth,omitempty"`
	LeftOut  []string `json:"left_out,omitempty"` // sizes, each with the reason
	Minutes  float64  `json:"minutes"`            // that all of it took
	Failures uint64   `json:"failures"`
}

// size is one server with one number of connections.
type size struct {
	Connections int     `json:"connections"`
	Server      string  `json:"server"` // onSQLite, onPostgres or onThree
	Nodes       int     `json:"nodes"`
	Filled      float64 `json:"filled_s"` // how long it took to fill the store
	// Info has each client show the tokens of many connections in turn, Spread
	// refreshes those in turn, and Hot has each client refresh one connection
	// again and again. Many says how many those are. First is what Spread showed
	// right after a checkpoint of PostgreSQL, until each was refreshed once.
	Info   figures `json:"info"`
	First  figures `json:"refresh_first,omitzero"`
	Spread figures `json:"refresh_spread"`
	Hot    figures `json:"refresh_hot"`
	Many   int     `json:"many"`
	// Memory is that of each node, after the load and a rest, and Database that
	// of PostgreSQL, what its processes share counted once.
	Memory   []int64 `json:"node_resident_bytes"`
	Database int64   `json:"postgres_proportional_bytes,omitempty"`
	Before   stored  `json:"stored_before"`
	After    stored  `json:"stored_after"` // the refreshes
	// WAL is how many bytes PostgreSQL logs for a refresh of one among many, and
	// FirstWAL how many in First.
	WAL      float64 `json:"wal_bytes_per_refresh,omitempty"`
	FirstWAL float64 `json:"first_wal_bytes_per_refresh,omitempty"`
}

// manyInTurn is how many connections are refreshed in turn at most. Each is
// refreshed once or twice then.
const manyInTurn = 200_000

// onThree is what a server of three nodes on PostgreSQL is called.
const onThree = "postgres, three nodes"

// stored is how many bytes a store takes.
type stored struct {
	Heap  int64 `json:"heap"`  // the table connection; 0 with SQLite
	Index int64 `json:"index"` // its indexes
	All   int64 `json:"all"`   // with accounts, consents and apps
}

// sizes measures every size that was asked for, and writes what it found.
func (b *bench) sizes() error {
	if b.From != "" {
		return b.again(b.From)
	}
	began := time.Now()
	if err := b.describe(); err != nil {
		return err
	}
	r := &sizesReport{Machine: b.report.Machine, Rest: b.Rest.Seconds()}
	b.Settings = lastOfEach(sizesSettings, b.Settings)
	r.Postgres = lastOfEach(postgresSettings, b.Settings)
	if b.Refreshes > 0 {
		g, err := b.growth()
		if err != nil {
			return fmt.Errorf("growth: %w", err)
		}
		r.Growth = g
	}
	for _, n := range b.Sizes {
		if why := b.tooLarge(n, time.Since(began)); why != "" {
			b.progress("%d connections: left out: %s", n, why)
			r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s connections: %s", grouped(n), why))
			continue
		}
		rows, err := b.size(n)
		if err != nil {
			return fmt.Errorf("%d connections: %w", n, err)
		}
		r.Rows = append(r.Rows, rows...)
		b.fillTime = time.Duration((rows[0].Filled + rows[1].Filled) / float64(n) * float64(time.Second))
		if r.Version == "" {
			r.Version = b.version
		}
	}
	r.Minutes = math.Round(time.Since(began).Minutes()*10) / 10
	r.Failures = b.report.Failures
	return b.publish(r)
}

// What a size takes, of disk in bytes a connection, log included, and of time.
const (
	diskPerConnection = 1500
	sizeTime          = 2 * time.Minute // beside the filling
	firstTime         = 40 * time.Second
)

// sizesSettings are PostgreSQL's after postgresSettings: a table of ten million
// connections fits into its memory.
var sizesSettings = []string{"shared_buffers=2GB", "max_wal_size=8GB"}

// tooLarge says why a size cannot be measured, or "".
func (b *bench) tooLarge(n int, gone time.Duration) string {
	free, err := freeDisk(b.Dir)
	if err != nil {
		return err.Error()
	}
	if need := int64(n) * diskPerConnection; need > free {
		return fmt.Sprintf("needs about %.0f GB of disk, and %.0f are free", float64(need)/1e9, float64(free)/1e9)
	}
	// Larger stores take longer to fill, for each connection.
	if takes := sizeTime + time.Duration(n)*b.fillTime*3/2; b.Limit > 0 && gone+takes > b.Limit {
		return fmt.Sprintf("may take %v, and %v of %v are gone", takes.Round(time.Minute), gone.Round(time.Minute), b.Limit)
	}
	return ""
}

// size measures one number of connections: SQLite, then PostgreSQL with one node
// and with three. Each store is compared with a bare handler just before.
func (b *bench) size(n int) ([]size, error) {
	onFile, err := b.sizeSQLite(n)
	if err != nil {
		return nil, fmt.Errorf("SQLite: %w", err)
	}
	onServer, err := b.sizePostgres(n)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	return append([]size{onFile}, onServer...), nil
}

// yardstick is what the bare handler showed beside a size.
type yardstick struct{ info, refresh figures }

func (b *bench) sizeSQLite(n int) (s size, err error) {
	s = size{Connections: n, Server: onSQLite, Nodes: 1}
	dir, log := filepath.Join(b.Dir, "file"+strconv.Itoa(n)), filepath.Join(b.Dir, "file.log")
	defer os.RemoveAll(dir)
	p, g, err := startServer(b.Server, dir, log)
	if err != nil {
		return s, err
	}
	answers, err := sample(p, g)
	if err := errors.Join(err, p.stop()); err != nil {
		return s, err
	}
	b.progress("%d connections: filling SQLite", n)
	began := time.Now()
	f := &filling{app: symbolon.ClientID(g.ClientID), connections: n, every: 5, tokens: manyInTurn, now: began.Truncate(time.Millisecond)}
	list, err := fillSQLite(dir, f)
	if err != nil {
		return s, err
	}
	s.Filled = time.Since(began).Seconds()
	bare, err := b.yardstick(n, answers)
	if err != nil {
		return s, err
	}
	if s.Before, err = storedInFile(dir); err != nil {
		return s, err
	}
	if p, _, err = startServer(b.Server, dir, log); err != nil {
		return s, err
	}
	t := target{name: onSQLite, nodes: []*process{p}}
	refresh, err := refreshTokens(f.ring, list, f.now)
	if err == nil {
		err = b.measureSize(&s, t, bare, f, list, &inTurn{tokens: refresh})
	}
	if err := errors.Join(err, p.stop()); err != nil {
		return s, err
	}
	s.After, err = storedInFile(dir)
	return s, err
}

func storedInFile(dir string) (stored, error) {
	f, err := filesIn(dir)
	return stored{All: f.Database}, err
}

// yardstick measures the bare handler.
func (b *bench) yardstick(n int, answers script) (y yardstick, err error) {
	p, err := startBare(b.Dir, answers)
	if err != nil {
		return y, err
	}
	defer p.stop()
	t := target{name: onNothing, nodes: []*process{p}}
	for i, into := range []*figures{&y.info, &y.refresh} {
		talks, err := b.same(scenarios[i])(t)
		if err != nil {
			return y, err
		}
		if *into, err = b.one(fmt.Sprintf("%d connections: %s, bare", n, scenarios[i].name), t, talks); err != nil {
			return y, err
		}
	}
	return y, nil
}

// one is a load without rounds.
func (b *bench) one(what string, t target, talks []talk) (figures, error) {
	b.progress("%s", what)
	return b.loaded(what, t, talks, span{warm: b.Warm, time: b.Time})
}

func (b *bench) loaded(what string, t target, talks []talk, s span) (figures, error) {
	o, err := load(t, talks, s)
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w", what, err)
	}
	b.check(what, o)
	return summarize(t.name, []*outcome{o}), nil
}

// inTurn is a load that refreshes many connections in turn. The tokens go on
// from one target to the next.
type inTurn struct {
	tokens [][]byte
	talks  []talk
}

// on has the load go to a target.
func (s *inTurn) on(t target, clients int) []talk {
	if s.talks == nil {
		s.talks = make([]talk, clients)
		for i := range s.talks {
			r := &refresh{}
			for at := i; at < len(s.tokens); at += clients {
				r.tokens = append(r.tokens, s.tokens[at])
			}
			s.talks[i] = r
		}
	}
	for i, said := range s.talks {
		said.(*refresh).caller = t.node(i).app
	}
	return s.talks
}

// measureSize puts the three loads on a target, and looks at the memory of its
// nodes after a rest.
func (b *bench) measureSize(s *size, t target, bare yardstick, f *filling, list []held, many *inTurn) error {
	what := fmt.Sprintf("%d connections: %%s, %s", s.Connections, s.Server)
	s.Many = len(list)
	access, err := accessTokens(f.ring, list, time.Now())
	if err != nil {
		return err
	}
	asks := make([]talk, b.Connections)
	for i := range asks {
		r := &repeat{what: "GET /info", want: `"id"`}
		for at := i; at < len(access); at += len(asks) {
			r.requests = append(r.requests, t.node(i).app.appendInfo(nil, access[at]))
		}
		asks[i] = r
	}
	if s.Info, err = b.one(fmt.Sprintf(what, "info"), t, asks); err != nil {
		return err
	}
	turns := many.on(t, b.Connections)
	if s.Server == onPostgres { // its first, so that the pages are as a checkpoint has left them
		b.progress(what, "first refresh of many")
		s.FirstWAL, err = t.logs(&s.First, func() (figures, error) {
			return b.loaded(fmt.Sprintf(what, "first refresh of many"), t, turns, span{count: uint64(len(list)), time: firstTime})
		})
		if err != nil {
			return err
		}
	}
	s.WAL, err = t.logs(&s.Spread, func() (figures, error) { return b.one(fmt.Sprintf(what, "refresh of many"), t, turns) })
	if err != nil {
		return err
	}
	hot, err := b.same(scenarios[1])(t)
	if err != nil {
		return err
	}
	if s.Hot, err = b.one(fmt.Sprintf(what, "refresh of a few"), t, hot); err != nil {
		return err
	}
	compare(&s.Info, bare.info)
	compare(&s.First, bare.refresh)
	compare(&s.Spread, bare.refresh)
	compare(&s.Hot, bare.refresh)
	time.Sleep(b.Rest)
	for _, p := range t.nodes {
		all, _, err := resident(p.pid())
		if err != nil {
			return err
		}
		s.Memory = append(s.Memory, all)
	}
	return nil
}

func compare(f *figures, bare figures) {
	f.ToFirst, f.ToFirstByCPU = spreadOf(ratios(f.Rounds, bare.Rounds)), byCPU(*f, bare)
}

// freeDisk is how many bytes may still be written where a directory is.
func freeDisk(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// parseSizes reads numbers of connections, such as 1e4,1e5.
func parseSizes(text string) (list []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseFloat(word, 64)
		if err != nil || n < 1000 || n > 1e9 || n != math.Trunc(n) {
			return nil, fmt.Errorf("%q is no number of connections, from 1000 to 1e9", word)
		}
		list = append(list, int(n))
	}
	return list, nil
}

// grouped writes a number with a comma before each three digits.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
