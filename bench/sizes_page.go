//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// Between these lines of the page, the tables and plots are written.
const (
	pageBegins = "<!-- bench-scale: written by make bench-scale -->"
	pageEnds   = "<!-- bench-scale ends -->"
)

// again writes the page from the figures of an earlier run.
func (b *bench) again(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	r := new(sizesReport)
	if err := json.Unmarshal(data, r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return b.publish(r)
}

// publish prints the tables, and writes the figures, the page and the plots where
// asked. The error is about answers that were not as they must be.
func (b *bench) publish(r *sizesReport) error {
	if r.Failures > 0 {
		return fmt.Errorf("%d unexpected answers: the figures are worth nothing", r.Failures)
	}
	if b.JSON != "" {
		data, err := json.MarshalIndent(r, "", "\t")
		if err == nil {
			err = writeFile(b.JSON, append(data, '\n'))
		}
		if err != nil {
			return err
		}
	}
	folder := strings.TrimSuffix(b.Page, ".md")
	tables := r.markdown(filepath.Base(folder))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	printGoals(w, r.goals())
	if err := w.Flush(); err != nil {
		return err
	}
	if b.Page == "" {
		fmt.Print("\n", tables)
		return b.missed(r.goals())
	}
	for name, c := range r.charts() {
		if err := writeFile(filepath.Join(folder, name+".svg"), c.svg()); err != nil {
			return err
		}
	}
	page, err := os.ReadFile(b.Page)
	if err != nil {
		return err
	}
	if page, err = between(page, tables); err != nil {
		return fmt.Errorf("%s: %w", b.Page, err)
	}
	if err := writeFile(b.Page, page); err != nil {
		return err
	}
	return b.missed(r.goals())
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// between puts text between the two lines of a page.
func between(page []byte, text string) ([]byte, error) {
	head, rest, found := bytes.Cut(page, []byte(pageBegins+"\n"))
	_, tail, ends := bytes.Cut(rest, []byte(pageEnds))
	if !found || !ends {
		return nil, fmt.Errorf("has no lines %s and %s", pageBegins, pageEnds)
	}
	return slices.Concat(head, []byte(pageBegins+"\n\n"+text+"\n"+pageEnds), tail), nil
}

// serverName is how the page calls a server.
var serverName = map[string]string{onSQLite: "SQLite, one node", onPostgres: "PostgreSQL, one node", onThree: "PostgreSQL, three nodes"}

var servers = []string{onSQLite, onPostgres, onThree}

// markdown writes the tables and shows the plots, which lie in a folder.
func (r *sizesReport) markdown(folder string) string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Measured in %.0f minutes on %s, %d cores for all of it: the load, the nodes and PostgreSQL.\n", r.Minutes, m.CPU, m.Cores)
	fmt.Fprintf(&b, "%s, %s, PostgreSQL %s with its defaults and `%s`;\n", m.Kernel, m.Go, r.Version, strings.Join(r.Postgres, "`, `"))
	fmt.Fprintf(&b, "data on %s, where making 4 KiB durable takes %.2f ms. The load has 64 connections, each with one\nrequest under way.\n\n", m.FileSystem, m.Sync)
	for _, left := range r.LeftOut {
		fmt.Fprintf(&b, "Left out: %s.\n\n", left)
	}
	if busy := r.busy(); busy > quiet {
		fmt.Fprintf(&b, "**Up to %.1f cores were busy with other work meanwhile: on a quiet machine the figures will differ.**\n\n", busy)
	}
	if len(r.Rows) == 0 {
		r.growthTable(&b)
		return b.String()
	}
	for _, name := range chartNames {
		c := r.charts()[name]
		fmt.Fprintf(&b, "![%s](%s/%s.svg)\n\n", c.alt, folder, name)
	}
	r.rates(&b)
	r.sizesTable(&b)
	r.carries(&b)
	r.growthTable(&b)
	return b.String()
}

// busy is how many cores were busy with other work, at most.
func (r *sizesReport) busy() float64 {
	most := 0.0
	for _, s := range r.Rows {
		most = max(most, s.Info.Others, s.Spread.Others, s.Hot.Others)
	}
	return most
}

func (r *sizesReport) rates(b *strings.Builder) {
	b.WriteString("Requests a second, in brackets the share of what a bare handler does, then the median and the 99th\npercentile in milliseconds:\n\n")
	b.WriteString("| connections | server | `GET /info` | `POST /refresh`, many in turn | `POST /refresh`, 64 connections |\n|--:|---|--:|--:|--:|\n")
	for _, s := range r.Rows {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", grouped(s.Connections), serverName[s.Server], rate(s.Info), rate(s.Spread), rate(s.Hot))
	}
	b.WriteString("\nWhere the processors' time of one refresh, many in turn, goes, in microseconds (the load needs some, too), and how\nmany bytes PostgreSQL logs for it; then the same right after a checkpoint, until each was refreshed once:\n\n")
	b.WriteString("| connections | server | nodes | PostgreSQL | log, bytes | `POST /refresh` after a checkpoint | log, bytes |\n|--:|---|--:|--:|--:|--:|--:|\n")
	for _, s := range r.Rows {
		database, wal, first, firstWAL := "", "", "", ""
		if s.Server != onSQLite {
			database, wal = fmt.Sprintf("%.0f", s.Spread.DatabaseCPU), fmt.Sprintf("%.0f", s.WAL)
		}
		if s.First.PerSecond > 0 {
			first, firstWAL = rate(s.First), fmt.Sprintf("%.0f", s.FirstWAL)
		}
		fmt.Fprintf(b, "| %s | %s | %.0f | %s | %s | %s | %s |\n", grouped(s.Connections), serverName[s.Server], s.Spread.ServerCPU,
			database, wal, first, firstWAL)
	}
	b.WriteString("\n")
}

func rate(f figures) string {
	return fmt.Sprintf("%s (%.2f) · %.1f · %.1f", grouped(int(f.PerSecond)), f.ToFirst.Median, f.P50, f.P99)
}

func (r *sizesReport) sizesTable(b *strings.Builder) {
	fmt.Fprintf(b, "Memory %.0f s after the load, in MB, and what is stored, in bytes a connection:\n\n", r.Rest)
	b.WriteString("| connections | server | each node | PostgreSQL | table | indexes | after the refreshes | with accounts and consents |\n|--:|---|--:|--:|--:|--:|--:|--:|\n")
	for _, s := range r.Rows {
		n := float64(s.Connections)
		database, heap, index, after := "", "", "", ""
		if s.Server != onSQLite {
			database = fmt.Sprintf("%.0f", float64(s.Database)/1e6)
			heap, index = fmt.Sprintf("%.0f", float64(s.Before.Heap)/n), fmt.Sprintf("%.0f", float64(s.Before.Index)/n)
			after = fmt.Sprintf("%.0f", ofConnections(s))
		}
		fmt.Fprintf(b, "| %s | %s | %.0f | %s | %s | %s | %s | %.0f |\n", grouped(s.Connections), serverName[s.Server],
			nodeMemory(s), database, heap, index, after, everything(s))
	}
	b.WriteString("\n")
}

// The refreshes a day of a connection whose app works all the time, each hour, or
// once a day.
var perDay = []struct {
	name  string
	times float64
}{{"every 10 minutes", 144}, {"every hour", 24}, {"once a day", 1}}

// carries says how many connections the rates suffice for.
func (r *sizesReport) carries(b *strings.Builder) {
	b.WriteString("How many connections that rate suffices for, where half of it is left for peaks:\n\n")
	b.WriteString("| at | server | refreshes a second |")
	for _, d := range perDay {
		fmt.Fprintf(b, " %s |", d.name)
	}
	b.WriteString("\n|--:|---|--:|--:|--:|--:|\n")
	for _, name := range servers {
		s := r.largest(name)
		if s == nil {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s |", grouped(s.Connections), serverName[name], grouped(int(s.Spread.PerSecond)))
		for _, d := range perDay {
			fmt.Fprintf(b, " %s |", short(rounded(s.Spread.PerSecond/2*86400/d.times)))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// rounded keeps two digits.
func rounded(v float64) float64 {
	step := 1.0
	for v/step >= 100 {
		step *= 10
	}
	return float64(int(v/step)) * step
}

// largest returns the row of a server with the most connections, or nil.
func (r *sizesReport) largest(server string) *size {
	var found *size
	for i := range r.Rows {
		if s := &r.Rows[i]; s.Server == server && (found == nil || s.Connections > found.Connections) {
			found = s
		}
	}
	return found
}

func (r *sizesReport) growthTable(b *strings.Builder) {
	g := r.Growth
	if g == nil {
		return
	}
	last := g.Steps[len(g.Steps)-1]
	fmt.Fprintf(b, "%s refreshes of %s connections, one after the other at random, on PostgreSQL with one node and autovacuum as it is\nby default: %s a second, %.1f %% of the updates within their page (HOT), %d runs of autovacuum, %.0f bytes of log a\nrefresh.\n\n",
		grouped(int(last.Refreshes)), grouped(g.Connections), grouped(int(g.PerSecond)), 100*g.Hot, g.Vacuums, g.WAL)
	b.WriteString("| after refreshes | table, MB | indexes, MB | dead rows |\n|--:|--:|--:|--:|\n")
	for i, s := range g.Steps {
		if i > 2 && i < len(g.Steps)-1 && i%2 == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s | %.2f | %.2f | %s |\n", grouped(int(s.Refreshes)), float64(s.Heap)/1e6, float64(s.Index)/1e6, grouped(int(s.Dead)))
	}
	b.WriteString("\n")
}
