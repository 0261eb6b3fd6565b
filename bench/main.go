//go:build linux

// Bench measures a Symbolon server beside a bare net/http handler that moves
// the same bytes, each in a process of its own, on loopback. What counts is
// the ratio between the two: it says what the server adds, and it holds on
// machines of other speeds.
//
//	make bench                        about two minutes
//	go run ./bench --full             with 1,000,000 connections, about ten minutes
//	go run ./bench --scenario info    one scenario only
//	go run ./bench postgres           info and refresh on PostgreSQL only, half a minute
//	make bench-scale                  10⁴ to 10⁷ connections on both stores, about twenty minutes
//	go run ./bench scale --sizes 1e4  one size only
//	go run ./bench generator          the load against the bare handler alone
//
// It ends with 1 when any answer was not as it must be, with --strict also
// when a goal was missed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run: how it shall go, and what it found.
type bench struct {
	Server      string        // path of the built program
	Dir         string        // for data directories and logs; made and removed by the run
	Connections int           // keep-alive connections of the load
	Rounds      int           // for each scenario and target
	Warm, Time  time.Duration // of each round: not measured, measured
	Scenarios   []string
	Postgres    bool          // also on PostgreSQL
	Settings    []string      // of PostgreSQL, after postgresSettings
	Full        bool          // also with a store of Many connections
	Many        int           // connections in the large store
	Refreshes   int           // of which the growth of the files is measured
	Rest        time.Duration // between the load and the look at the memory
	Starts      int           // of which the median is taken
	Sizes       []int         // numbers of connections, for the form scale
	Limit       time.Duration // sizes that may end later are left out
	Page        string        // where the tables of the form scale go
	From        string        // figures of an earlier run, of which the page is made
	JSON        string
	Strict      bool

	report  report
	version string // PostgreSQL's
	// fillTime is how long filling both stores took for each connection, with the
	// last size.
	fillTime time.Duration
	log      io.Writer // progress, one line a step
}

func main() {
	b := &bench{Rest: 10 * time.Second, Starts: 10, log: os.Stderr}
	if len(os.Args) == 3 && os.Args[1] == "bare" { // started by startBare
		fmt.Fprintln(os.Stderr, "bare handler:", serveBare(os.Args[2], os.Stdout))
		os.Exit(1)
	}
	keep := flag.Bool("keep", false, "keep the directory with data and logs")
	parent := flag.String("dir", os.TempDir(), "where to make data directories; on the disk to be measured")
	names := flag.String("scenario", "", "scenarios to run, separated by commas (default all of info,refresh,flow,credentials,introspect,jwt-issue,jwt-check,dpop)")
	flag.BoolVar(&b.Postgres, "postgres", true, "also measure on PostgreSQL, in a temporary cluster")
	flag.Func("setting", "one of PostgreSQL's settings, as name=value; repeat it for several", func(s string) error {
		b.Settings = append(b.Settings, s)
		return nil
	})
	flag.StringVar(&b.Server, "server", "bin/symbolon", "the built program")
	flag.IntVar(&b.Connections, "connections", 64, "keep-alive connections of the load")
	flag.IntVar(&b.Rounds, "rounds", 0, "rounds for each scenario (default 3, with --full 5)")
	flag.DurationVar(&b.Time, "time", 0, "measured time of each round (default 2s, with --full 4s)")
	flag.DurationVar(&b.Warm, "warm", 700*time.Millisecond, "time of each round before that")
	flag.BoolVar(&b.Full, "full", false, "also measure with a large store")
	flag.IntVar(&b.Many, "many", 1_000_000, "connections in the large store")
	flag.IntVar(&b.Refreshes, "refreshes", 1_000_000, "refreshes over which the files may not grow")
	sizes := flag.String("sizes", "1e4,1e5,1e6,1e7", "scale: numbers of connections, separated by commas")
	flag.DurationVar(&b.Limit, "limit", 25*time.Minute, "scale: leave out the sizes that may end later")
	flag.StringVar(&b.Page, "page", "", "scale: write the tables into this page, and the plots into the folder of its name")
	flag.StringVar(&b.From, "from", "", "scale: measure nothing, and take the figures of this file")
	flag.StringVar(&b.JSON, "json", "", "also write all figures to this file")
	flag.BoolVar(&b.Strict, "strict", false, "a missed goal is a failure")
	form, args := "", os.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		form, args = args[0], args[1:]
	}
	flag.CommandLine.Parse(args) // ends the program when it fails

	run := map[string]func() error{"": b.run, "generator": b.generator, onPostgres: b.postgres, "scale": b.sizes}[form]
	if run == nil || flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: error: unknown argument %q\n", append(flag.Args(), form))
		os.Exit(2)
	}
	err := b.settle(form, *names)
	if err == nil {
		b.Sizes, err = parseSizes(*sizes)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v; see --help\n", err)
		os.Exit(2)
	}
	if *parent != os.TempDir() {
		os.Setenv("TMPDIR", *parent) // where clusters are made
	}
	dir, err := os.MkdirTemp(*parent, "symbolon-bench-")
	if err == nil {
		b.Dir = dir
		if !*keep {
			defer os.RemoveAll(dir)
			stop := make(chan os.Signal, 1)
			signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
			go func() {
				<-stop
				os.RemoveAll(dir)
				os.Exit(130)
			}()
		}
		err = run()
	}
	code := 0
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		code = 1
	}
	if *keep {
		fmt.Fprintln(os.Stderr, "bench: kept", dir)
	} else if dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// settle fills in what was not given, for a form of the run, and checks what was.
func (b *bench) settle(form, names string) error {
	if b.Rounds == 0 {
		b.Rounds = 3
		if b.Full {
			b.Rounds = 5
		}
	}
	if b.Time == 0 {
		b.Time = 2 * time.Second
		if b.Full {
			b.Time = 4 * time.Second
		}
	}
	b.Scenarios = strings.Split(names, ",")
	switch {
	case names == "" && form == onPostgres:
		b.Scenarios = []string{"info", "refresh"}
	case names == "":
		b.Scenarios = nil
		for _, s := range scenarios {
			if form == "" || s.talk != nil { // there is a second app in a whole run only
				b.Scenarios = append(b.Scenarios, s.name)
			}
		}
	}
	for _, name := range b.Scenarios {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("no scenario %q", name)
		}
		if form != "" && scenarios[i].talk == nil {
			return fmt.Errorf("%s is not measured by %q", name, form)
		}
	}
	return nil
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}

// check notes the answers of a load that were not as they must be.
func (b *bench) check(what string, o *outcome) {
	if o.failures == 0 {
		return
	}
	b.report.Failures += o.failures
	for _, sample := range o.samples {
		b.progress("%s: unexpected answer: %s", what, sample)
	}
	b.progress("%s: %d unexpected answers", what, o.failures)
}

// same makes one talk of a kind for each connection.
func (b *bench) same(s scenario) func(target) ([]talk, error) {
	if s.talk == nil {
		return b.standardTalks(s.name)
	}
	return func(t target) ([]talk, error) {
		talks := make([]talk, b.Connections)
		for i := range talks {
			talks[i] = s.talk(t.node(i).app)
		}
		return talks, nil
	}
}

// standard reports whether anything of the standard surface is measured.
func (b *bench) standard() bool {
	return slices.ContainsFunc(scenarios, func(s scenario) bool { return s.talk == nil && slices.Contains(b.Scenarios, s.name) })
}

// run measures everything that was asked for, and prints it.
func (b *bench) run() error {
	if err := b.describe(); err != nil {
		return err
	}
	data := filepath.Join(b.Dir, "small")
	real, g, err := startServer(b.Server, data, filepath.Join(b.Dir, "small.log"))
	if err != nil {
		return err
	}
	defer func() { real.stop() }()
	time.Sleep(b.Rest / 5)
	if err := b.idle("after start", "new store", real); err != nil {
		return err
	}
	var second greeting
	if b.standard() {
		if second, err = addJWTApp(b.Server, data, real.addr); err != nil {
			return err
		}
		real.standard = newStandardCaller(real.addr, real.app, g, second)
	}
	answers, err := sample(real, g)
	if err != nil {
		return fmt.Errorf("the first answers of the server: %w", err)
	}
	answers.Second = second
	bare, err := startBare(b.Dir, answers)
	if err != nil {
		return err
	}
	defer bare.stop()
	targets := []target{{name: onNothing, nodes: []*process{bare}}, {name: onSQLite, nodes: []*process{real}}}
	if b.Postgres {
		s, err := b.startShared(1)
		if err != nil {
			return err
		}
		defer s.stop()
		b.report.Postgres = s.settings
		time.Sleep(b.Rest / 5)
		if err := b.idle("after start", "PostgreSQL", s.nodes[0]); err != nil {
			return err
		}
		targets = append(targets, s.target)
	}
	var many *large
	if b.Full {
		if many, err = b.enlarge(); err != nil {
			return fmt.Errorf("the large store: %w", err)
		}
		defer many.stop()
		targets = append(targets, target{name: onLarge, nodes: []*process{many.process}})
	}
	if err := b.measure(targets); err != nil {
		return err
	}
	if b.Full {
		if err := b.scale(many, targets); err != nil {
			return fmt.Errorf("the large store: %w", err)
		}
	}
	b.progress("%v of rest, then the memory", b.Rest)
	time.Sleep(b.Rest)
	for _, t := range targets[1:] {
		if err := b.idle("after load and rest", storeName[t.name], t.nodes[0]); err != nil {
			return err
		}
	}
	if err := real.stop(); err != nil {
		return fmt.Errorf("the server did not stop well: %w", err)
	}
	real.exited <- nil // for the deferred stop
	if err := b.startups(data); err != nil {
		return fmt.Errorf("start-up: %w", err)
	}
	return b.finish(os.Stdout)
}

// storeName is how a report calls what a target has its data in.
var storeName = map[string]string{onSQLite: "small store", onPostgres: "PostgreSQL", onLarge: "large store"}

// measure goes through the scenarios that were asked for.
func (b *bench) measure(targets []target) error {
	for _, s := range scenarios {
		if !slices.Contains(b.Scenarios, s.name) {
			continue
		}
		measured := targets
		if s.talk == nil {
			measured = targets[:2] // the store is nothing to them
		}
		f, err := b.rounds(s.name, measured, b.same(s))
		if err != nil {
			return err
		}
		b.report.Scenarios = append(b.report.Scenarios, measurement{Name: s.name, Goal: s.goal, Figures: f})
	}
	return nil
}

// generator shows how much the load itself can do, against the bare handler
// with answers of about the server's size. No figure of it is a result.
func (b *bench) generator() error {
	bare, err := startBare(b.Dir, standIn())
	if err != nil {
		return err
	}
	defer bare.stop()
	fmt.Printf("%-8s %10s %8s %8s %11s %9s %9s\n", "", "per second", "p50 ms", "p99 ms", "server µs", "load µs", "load busy")
	for _, s := range scenarios {
		if !slices.Contains(b.Scenarios, s.name) {
			continue
		}
		f, err := b.rounds(s.name, []target{{name: onNothing, nodes: []*process{bare}}}, b.same(s))
		if err != nil {
			return err
		}
		fmt.Printf("%-8s %10.0f %8.2f %8.2f %11.1f %9.1f %8.0f%%\n", s.name, f[0].PerSecond, f[0].P50, f[0].P99,
			f[0].ServerCPU, f[0].LoadCPU, 100*f[0].LoadBusy)
	}
	if b.report.Failures > 0 {
		return fmt.Errorf("%d unexpected answers", b.report.Failures)
	}
	return nil
}
