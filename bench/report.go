//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is all that a run found. It is what --json writes.
type report struct {
	Machine   machine       `json:"machine"`
	Postgres  []string      `json:"postgres_settings,omitempty"` // beside the defaults
	Scenarios []measurement `json:"scenarios"`
	Scale     *scale        `json:"scale,omitempty"`
	Memory    []memory      `json:"memory"`
	Startup   startup       `json:"startup"`
	Goals     []goal        `json:"goals"`
	// Failures counts the answers that were not as they must be. Any makes
	// the figures worthless.
	Failures uint64 `json:"failures"`
}

type measurement struct {
	Name    string    `json:"name"`
	Goal    goals     `json:"goal_ratio"`
	Figures []figures `json:"figures"`
}

// on returns what a target showed, or nil when it was not measured.
func (m measurement) on(target string) *figures {
	for i := range m.Figures {
		if m.Figures[i].Target == target {
			return &m.Figures[i]
		}
	}
	return nil
}

// goal is one promise beside what was found.
type goal struct {
	Name  string `json:"name"`
	Want  string `json:"want"`
	Found string `json:"found"`
	Met   bool   `json:"met"`
	// Measured is false when this run did not look.
	Measured bool `json:"measured"`
}

// quiet is how many cores may be busy with other work before the report warns.
const quiet = 0.2

// goals compares what the report holds with what was promised.
func (r *report) goals() []goal {
	var goals []goal
	for _, s := range r.Scenarios {
		goals = appendRatio(goals, s.Name, s.on(onSQLite), s.Goal.SQLite)
		goals = appendRatio(goals, s.Name+" on PostgreSQL", s.on(onPostgres), s.Goal.Postgres)
	}
	if r.Startup.Runs == 0 { // a short form
		return goals
	}
	if r.Scale == nil {
		goals = append(goals, goal{Name: "change with 1,000,000 connections in the store", Want: "< 10 %"},
			goal{Name: "growth of the database file over 1,000,000 refreshes", Want: "0"})
	} else {
		for _, s := range r.Scenarios {
			if s.on(onLarge) != nil {
				goals = append(goals, changeGoal(s, r.Scale.Connections))
			}
		}
		grown := r.Scale.After.Database - r.Scale.Before.Database
		goals = append(goals, changeGoal(r.Scale.InTurn, r.Scale.Connections),
			goal{Name: fmt.Sprintf("growth of the database file over %d refreshes", r.Scale.Refreshes), Want: "0",
				Found: fmt.Sprintf("%+.2f %%", 100*float64(grown)/float64(r.Scale.Before.Database)),
				Met:   grown <= 0, Measured: true})
	}
	goals = append(goals, goal{Name: "start to the first answer", Want: "≤ 100 ms",
		Found: fmt.Sprintf("%.0f ms (%.0f to %.0f)", r.Startup.Request.Median, r.Startup.Request.Min, r.Startup.Request.Max),
		Met:   r.Startup.Request.Median <= 100, Measured: true})
	for _, m := range r.Memory {
		goals = append(goals, goal{Name: "memory, " + m.Store + ", " + m.When, Want: "< 40 MB",
			Found: fmt.Sprintf("%.1f MB", float64(m.Resident)/1e6), Met: m.Resident < 40e6, Measured: true})
	}
	return goals
}

func appendRatio(list []goal, name string, f *figures, want float64) []goal {
	if f == nil || want == 0 {
		return list
	}
	return append(list, goal{
		Name: name + ", ratio to the bare handler", Want: fmt.Sprintf("≥ %.2f", want),
		Found: fmt.Sprintf("%.2f (%.2f to %.2f), by CPU %.2f", f.ToFirst.Median, f.ToFirst.Min, f.ToFirst.Max, f.ToFirstByCPU),
		Met:   f.ToFirst.Median >= want, Measured: true})
}

func changeGoal(m measurement, connections int) goal {
	large := m.on(onLarge)
	change := func(ratio float64) float64 { return 100 * (ratio - 1) }
	return goal{Name: fmt.Sprintf("%s, change with %d connections", m.Name, connections), Want: "> −10 %",
		Found: fmt.Sprintf("%+.1f %% (%+.1f to %+.1f), by CPU %+.1f %%", change(large.ToSecond.Median),
			change(large.ToSecond.Min), change(large.ToSecond.Max), change(large.ToSecondByCPU)),
		Met: change(large.ToSecond.Median) > -10, Measured: true}
}

// finish prints the report, writes it where asked, and returns an error when
// the run has failed.
func (b *bench) finish(w io.Writer) error {
	r := &b.report
	r.Goals = r.goals()
	if err := r.print(w, b); err != nil {
		return err
	}
	if b.JSON != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(b.JSON, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if r.Failures > 0 {
		return fmt.Errorf("%d unexpected answers: the figures are worth nothing", r.Failures)
	}
	return b.missed(r.Goals)
}

// missed is about the first goal that was missed, where that is a failure.
func (b *bench) missed(goals []goal) error {
	for _, g := range goals {
		if b.Strict && g.Measured && !g.Met {
			return fmt.Errorf("goal missed: %s: want %s, found %s", g.Name, g.Want, g.Found)
		}
	}
	return nil
}

// printGoals prints a line for each, with tabs between the columns.
func printGoals(w io.Writer, goals []goal) {
	fmt.Fprintln(w, "\ngoal\twant\tfound\t")
	for _, g := range goals {
		verdict := "met"
		switch {
		case !g.Measured:
			verdict = "not measured (--full)"
		case !g.Met:
			verdict = "MISSED"
		}
		fmt.Fprintln(w, strings.Join([]string{g.Name, g.Want, g.Found, verdict}, "\t"))
	}
}

func (r *report) print(out io.Writer, b *bench) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	m := r.Machine
	fmt.Fprintf(w, "\n%s, %d cores shared with the load; %s; %s\n", m.CPU, m.Cores, m.Kernel, m.Go)
	fmt.Fprintf(w, "data on %s, where making 4 KiB durable takes %.2f ms\n", m.FileSystem, m.Sync)
	if r.Postgres != nil {
		fmt.Fprintf(w, "PostgreSQL with its defaults, and %s\n", strings.Join(r.Postgres, ", "))
	}
	fmt.Fprintf(w, "%d connections, %d rounds of %v each, in turn\n\n", b.Connections, b.Rounds, b.Time)
	fmt.Fprintln(w, "\t\tper second\tof bare (min to max)\tby CPU\tp50 ms\tp99 ms\tserver µs\tdatabase µs\tload µs")
	scenarios := r.Scenarios
	if r.Scale != nil {
		scenarios = append(slices.Clip(scenarios), r.Scale.InTurn)
	}
	busy := []float64{0}
	for _, s := range scenarios {
		for i, f := range s.Figures {
			name, ratio, byCPU := "", "", ""
			if i == 0 {
				name = s.Name
			} else {
				ratio = fmt.Sprintf("%.2f (%.2f to %.2f)", f.ToFirst.Median, f.ToFirst.Min, f.ToFirst.Max)
				byCPU = fmt.Sprintf("%.2f", f.ToFirstByCPU)
			}
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%s\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\n", name, f.Target, f.PerSecond, ratio,
				byCPU, f.P50, f.P99, f.ServerCPU, f.DatabaseCPU, f.LoadCPU)
			busy = append(busy, f.Others)
		}
	}
	if others := slices.Max(busy); others > quiet {
		fmt.Fprintf(w, "\nUp to %.1f cores were busy with other work meanwhile: on a quiet machine the figures will differ.\n", others)
	}
	if s := r.Scale; s != nil {
		fmt.Fprintf(w, "\n%d connections in the large store, filled in %.0f s; %d refreshes of %d connections in turn, %.0f a second\n",
			s.Connections, s.Filled, s.Refreshes, s.Spread, s.PerSecond)
		fmt.Fprintf(w, "files before: %s\nfiles after:  %s\n", s.Before, s.After)
	}
	if r.Startup.Runs > 0 {
		fmt.Fprintf(w, "\nstart, median of %d: greeting after %.0f ms, /healthz after %.0f ms, GET /info after %.0f ms, with %.0f ms of processor time\n",
			r.Startup.Runs, r.Startup.Greeting.Median, r.Startup.Healthz.Median, r.Startup.Request.Median, r.Startup.CPU.Median)
	}
	printGoals(w, r.Goals)
	if r.Failures > 0 {
		fmt.Fprintf(w, "\n%d UNEXPECTED ANSWERS: the figures are worth nothing\n", r.Failures)
	}
	return w.Flush()
}
