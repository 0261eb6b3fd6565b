//go:build linux

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseSizes(t *testing.T) {
	if got, err := parseSizes("1e4,100000,1e7"); err != nil || !slices.Equal(got, []int{10_000, 100_000, 10_000_000}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "1e4,", "999", "1e10", "1000.5", "many", "-1e4", "NaN"} {
		if got, err := parseSizes(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func TestShortAndGrouped(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.5: "0.5", 40: "40", 400: "400", 8000: "8 k", 12_500: "12.5 k", 1e6: "1 M", 1e7: "10 M"} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12_345_678: "12,345,678"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
	if got := rounded(123_456); got != 120_000 {
		t.Errorf("rounded: %v", got)
	}
}

func TestNiceStep(t *testing.T) {
	for _, top := range []float64{0.013, 0.9, 1, 4, 7, 40, 99, 440, 61_234, 1e9} {
		if n := top / niceStep(top); n < 4 || n > 10 {
			t.Errorf("%v steps up to %v", n, top)
		}
	}
}

// found is a report as a run leaves it.
func found() *sizesReport {
	r := &sizesReport{Version: "17", Rest: 10, Minutes: 12, Growth: &growth{Connections: 10_000, Hot: 0.999, Steps: []growthStep{{}, {Refreshes: 1_000_000, Heap: 2e6}}}}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		for i, server := range servers {
			s := size{Connections: n, Server: server, Memory: []int64{30e6, 35e6}, Info: figures{PerSecond: 40_000, P99: 5}, Spread: figures{PerSecond: 12_345, P99: 20}}
			s.After = stored{All: int64(300 * n)}
			if i > 0 {
				s.Database, s.After.Heap, s.After.Index = 100e6, int64(130*n), int64(60*n)
			}
			r.Rows = append(r.Rows, s)
		}
	}
	return r
}

// Every plot is well-formed, has words for those who do not see it, and as many
// marks as there are values; none of them lies outside.
func TestChartsAreWhole(t *testing.T) {
	all := found().charts()
	if len(all) != len(chartNames) {
		t.Errorf("%d charts, %d names", len(all), len(chartNames))
	}
	for _, name := range chartNames {
		c := all[name]
		texts, marks, elements := 0, 0, xml.NewDecoder(bytes.NewReader(c.svg()))
		for {
			token, err := elements.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			at, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			for _, a := range at.Attr {
				switch {
				case a.Name.Local == "class" && len(a.Value) == 2 && a.Value[0] == 'm' && a.Value[1] != ' ':
					marks++
				case strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf"):
					t.Errorf("%s: %s", name, a.Value)
				}
			}
			if at.Name.Local == "text" {
				texts++
			}
		}
		points, legend := 0, len(c.panels[0].lines)
		for _, p := range c.panels {
			for _, l := range p.lines {
				points += len(l.points)
			}
		}
		if marks != points+legend || points < 6 || texts < 15 {
			t.Errorf("%s: %d marks for %d values, %d texts", name, marks, points, texts)
		}
		if !strings.Contains(c.alt, "at 10 k") || !strings.Contains(c.alt, "PostgreSQL, three nodes") {
			t.Errorf("%s: alt %q", name, c.alt)
		}
	}
}

func TestSizesGoals(t *testing.T) {
	r := found()
	r.Growth.Steps = []growthStep{{Heap: 50}, {Heap: 100, Index: 100}, {Heap: 100, Index: 100}}
	verdicts := func() (met, missed int) {
		for _, g := range r.goals() {
			if g.Met {
				met++
			} else {
				missed++
			}
		}
		return met, missed
	}
	// A ratio and bytes for each size on PostgreSQL, memory for each server, growth.
	if met, missed := verdicts(); met != 3+9+1 || missed != 3 {
		t.Errorf("%d met, %d missed: %+v", met, missed, r.goals())
	}
	for i := range r.Rows {
		r.Rows[i].Spread.ToFirst.Median = 0.4
	}
	r.Growth.Steps[2].Index, r.Rows[0].Memory, r.Rows[1].After.Heap = 102, []int64{30e6, 40e6}, 400*int64(r.Rows[1].Connections)
	if met, missed := verdicts(); met != 13 || missed != 3 {
		t.Errorf("%d met, %d missed: %+v", met, missed, r.goals())
	}
	b := &bench{Strict: true}
	if b.missed(r.goals()) == nil {
		t.Error("a missed goal passes as strict")
	}
}

// The page keeps what stands around the figures, however often they are written.
func TestPublish(t *testing.T) {
	dir := t.TempDir()
	page, figures := filepath.Join(dir, "big.md"), filepath.Join(dir, "big", "figures.json")
	if err := os.WriteFile(page, []byte("# Big\n\n"+pageBegins+"\nold\n"+pageEnds+"\n\nThe end.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bench{Page: page, JSON: figures}
	if err := b.publish(found()); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Big\n", "\n\nThe end.\n", "](big/rate.svg)", "| 1,000,000 | PostgreSQL, one node | 12,345 |", "1,000,000 refreshes of 10,000 connections"} {
		if !strings.Contains(string(first), want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	if strings.Contains(string(first), "old") {
		t.Error("the figures of before are still there")
	}
	b.From = figures
	if err := b.sizes(); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(page); err != nil || !bytes.Equal(first, second) {
		t.Errorf("written again from its figures, the page is another (%v)", err)
	}
	spoilt := found()
	spoilt.Failures = 1
	if err := b.publish(spoilt); err == nil {
		t.Error("figures with unexpected answers are published")
	}
	if _, err := between([]byte("# A page without a place\n"), "x"); err == nil {
		t.Error("a page without the two lines is taken")
	}
}
