//go:build linux

package main

import (
	"fmt"
	"slices"
)

// chartNames are the plots in the order of the page.
var chartNames = []string{"rate", "latency", "bytes", "memory"}

// charts draws what was found, by the names of the files.
func (r *sizesReport) charts() map[string]chart {
	info := func(s size) float64 { return s.Info.PerSecond }
	refresh := func(s size) float64 { return s.Spread.PerSecond }
	return map[string]chart{
		"rate": {
			title: "Requests a second",
			alt:   r.alt("Requests a second against the number of connections", "GET /info", info, "POST /refresh", refresh),
			panels: []panel{
				{title: "GET /info, a second", lines: r.lines(servers, info)},
				{title: "POST /refresh of many in turn, a second", lines: r.lines(servers, refresh)},
			},
		},
		"latency": {
			title: "99th percentile at that rate",
			alt: r.alt("99th percentile in milliseconds, under full load, against the number of connections",
				"GET /info", func(s size) float64 { return s.Info.P99 }, "POST /refresh", func(s size) float64 { return s.Spread.P99 }),
			panels: []panel{
				{title: "GET /info, milliseconds", lines: r.lines(servers, func(s size) float64 { return s.Info.P99 })},
				{title: "POST /refresh of many in turn, milliseconds", lines: r.lines(servers, func(s size) float64 { return s.Spread.P99 })},
			},
		},
		"bytes": {
			title: "Bytes stored for a connection",
			alt: r.alt("Bytes stored for each connection against the number of connections",
				"table and indexes of connections", ofConnections, "everything", everything),
			panels: []panel{
				{title: "Its row and its entries in indexes, bytes", goal: 400, lines: r.lines(servers, ofConnections)},
				{title: "With accounts, consents and apps, bytes", lines: r.lines(servers, everything)},
			},
		},
		"memory": {
			title: "Memory after the load",
			alt: r.alt("Memory in MB against the number of connections",
				"each node", nodeMemory, "PostgreSQL", func(s size) float64 { return float64(s.Database) / 1e6 }),
			panels: []panel{
				{title: "Each node, MB resident", goal: 40, lines: r.lines(servers, nodeMemory)},
				{title: "PostgreSQL, MB, what is shared counted once", lines: r.lines(servers, func(s size) float64 { return float64(s.Database) / 1e6 })},
			},
		},
	}
}

// ofConnections is 0 for SQLite, whose file holds all in one.
func ofConnections(s size) float64 {
	return float64(s.After.Heap+s.After.Index) / float64(s.Connections)
}

func everything(s size) float64 { return float64(s.After.All) / float64(s.Connections) }

// nodeMemory is that of the node that has the most, in MB.
func nodeMemory(s size) float64 { return float64(slices.Max(s.Memory)) / 1e6 }

// lines returns the values of servers, in order. One that has no value has a line
// without points, so that the others keep their look.
func (r *sizesReport) lines(names []string, value func(size) float64) []line {
	var list []line
	for _, name := range names {
		l := line{name: serverName[name]}
		for _, s := range r.Rows {
			if v := value(s); s.Server == name && v > 0 {
				l.points = append(l.points, point{float64(s.Connections), v})
			}
		}
		list = append(list, l)
	}
	return list
}

// alt says in a sentence what two panels show: each server's first and last value.
func (r *sizesReport) alt(what, first string, firstValue func(size) float64, second string, secondValue func(size) float64) string {
	text := what
	for _, p := range []struct {
		name  string
		value func(size) float64
	}{{first, firstValue}, {second, secondValue}} {
		text += ". " + p.name + ": "
		separator := ""
		for _, l := range r.lines(servers, p.value) {
			if len(l.points) == 0 {
				continue
			}
			begin, end := l.points[0], l.points[len(l.points)-1]
			text += separator + l.name + fmt.Sprintf(" %.0f at %s", begin.value, short(begin.connections))
			if len(l.points) > 1 {
				text += fmt.Sprintf(" and %.0f at %s", end.value, short(end.connections))
			}
			separator = "; "
		}
	}
	return text + "."
}
