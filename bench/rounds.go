//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// scenario is one kind of work under load.
type scenario struct {
	name string
	goal goals              // least ratios to the bare handler
	talk func(*caller) talk // nil for one of the standard surface
}

// goals are least ratios to the bare handler, 0 where there is none.
type goals struct {
	SQLite   float64 `json:"sqlite,omitempty"`
	Postgres float64 `json:"postgres,omitempty"` // which shares the cores, too
}

var scenarios = []scenario{
	{"info", goals{0.85, 0.85}, func(c *caller) talk { return &info{flow: flow{caller: c}} }},
	{"refresh", goals{0.60, 0.40}, func(c *caller) talk { return &refresh{flow: flow{caller: c}} }},
	{"flow", goals{0.35, 0}, func(c *caller) talk { return &flow{caller: c} }},

	{"credentials", goals{}, nil}, // POST /oauth2/token, client credentials
	{"introspect", goals{}, nil},  // POST /oauth2/introspect of such a token
	{"jwt-issue", goals{}, nil},   // POST /oauth2/token, an access token that is a JWT
	{"jwt-check", goals{}, nil},   // GET /info with one
	{"dpop", goals{}, nil},        // GET /info with a bound token and a proof
}

// target is a server under load, with what tells it from the others.
type target struct {
	name    string
	nodes   []*process      // the load is spread over them
	cluster *pgtest.Cluster // the PostgreSQL that they share, or nil
}

// The names of targets.
const (
	onNothing  = "bare"
	onSQLite   = "sqlite"
	onPostgres = "postgres"
	onLarge    = "large" // SQLite, too
)

// node is where connection i of the load goes.
func (t target) node(i int) *process { return t.nodes[i%len(t.nodes)] }

// used returns what the nodes, their database, the load and all others have
// used so far.
func (t target) used() (u used, err error) {
	for _, p := range t.nodes {
		worked, err := processorTime(p.pid())
		if err != nil {
			return u, err
		}
		u.server += worked
	}
	if t.cluster != nil {
		if u.database, err = clusterTime(t.cluster); err != nil {
			return u, err
		}
	}
	return u, u.readOthers()
}

// figures is what one target showed in one scenario.
type figures struct {
	Target    string    `json:"target"`
	PerSecond float64   `json:"per_second"` // median of the rounds
	Rounds    []float64 `json:"rounds_per_second"`
	P50       float64   `json:"p50_ms"` // over all rounds, of one unit of work
	P99       float64   `json:"p99_ms"`
	// ServerCPU, DatabaseCPU and LoadCPU are microseconds of processor time per
	// unit of work: of the server's processes, of PostgreSQL's, and of the load.
	ServerCPU   float64 `json:"server_cpu_us"`
	DatabaseCPU float64 `json:"database_cpu_us,omitempty"`
	LoadCPU     float64 `json:"load_cpu_us"`
	// The same ratios as the processor time alone would allow them, load
	// included. Work of others on the machine moves them less.
	ToFirstByCPU  float64 `json:"to_first_by_cpu"`
	ToSecondByCPU float64 `json:"to_second_by_cpu"`
	// LoadBusy is the share of one core that the load used. It has one thread:
	// near 1, the figures say more about the load than about the server.
	LoadBusy float64 `json:"load_busy"`
	// Others is how many cores were busy with none of these.
	Others float64 `json:"others_busy"`
	// ToFirst compares each round with the same round of the first target, and
	// ToSecond with that of the second. They are empty for those themselves.
	ToFirst  spread `json:"to_first"`
	ToSecond spread `json:"to_second"`
	Failures uint64 `json:"failures"`
	// All counts the units of work that were done, those before and after the
	// measured time included.
	All uint64 `json:"-"`
}

// spread is a median with what lay around it.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{median(values), slices.Min(values), slices.Max(values)}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// ratios divides each value by the one at the same place in base. It is 0
// where base is, which only a load that failed can bring about.
func ratios(values, base []float64) []float64 {
	r := make([]float64, len(values))
	for i := range values {
		if base[i] > 0 {
			r[i] = values[i] / base[i]
		}
	}
	return r
}

// rounds loads the targets in turn, as often as asked. Each ratio is of two
// loads that followed each other at once, so that a slow minute of the
// machine falls on both.
func (b *bench) rounds(name string, targets []target, talks func(target) ([]talk, error)) ([]figures, error) {
	all := make([][]*outcome, len(targets))
	for round := range b.Rounds {
		for i, t := range targets {
			b.progress("%s: round %d of %d, %s", name, round+1, b.Rounds, t.name)
			said, err := talks(t)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, t.name, err)
			}
			o, err := load(t, said, span{warm: b.Warm, time: b.Time})
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, t.name, err)
			}
			b.check(name+", "+t.name, o)
			all[i] = append(all[i], o)
		}
	}
	result := make([]figures, len(targets))
	for i, t := range targets {
		result[i] = summarize(t.name, all[i])
		if i > 0 {
			result[i].ToFirst = spreadOf(ratios(result[i].Rounds, result[0].Rounds))
			result[i].ToFirstByCPU = byCPU(result[i], result[0])
		}
		if i > 1 {
			result[i].ToSecond = spreadOf(ratios(result[i].Rounds, result[1].Rounds))
			result[i].ToSecondByCPU = byCPU(result[i], result[1])
		}
	}
	return result, nil
}

func byCPU(f, base figures) float64 {
	return ratios([]float64{base.ServerCPU + base.LoadCPU}, []float64{f.ServerCPU + f.DatabaseCPU + f.LoadCPU})[0]
}

func summarize(name string, outcomes []*outcome) figures {
	f := figures{Target: name}
	var latency histogram
	var done uint64
	var elapsed time.Duration
	var u used
	for _, o := range outcomes {
		f.Rounds = append(f.Rounds, math.Round(o.perSecond()))
		f.Failures += o.failures
		f.All += o.all
		latency.merge(&o.latency)
		done += o.done
		elapsed += o.elapsed
		u.server += o.used.server
		u.database += o.used.database
		u.own += o.used.own
		u.all += o.used.all
	}
	f.PerSecond = median(f.Rounds)
	f.P50 = milliseconds(latency.quantile(0.50))
	f.P99 = milliseconds(latency.quantile(0.99))
	if done > 0 {
		f.ServerCPU = float64(u.server.Microseconds()) / float64(done)
		f.DatabaseCPU = float64(u.database.Microseconds()) / float64(done)
		f.LoadCPU = float64(u.own.Microseconds()) / float64(done)
		f.LoadBusy = u.own.Seconds() / elapsed.Seconds()
		f.Others = (u.all - u.server - u.database - u.own).Seconds() / elapsed.Seconds()
	}
	return f
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
