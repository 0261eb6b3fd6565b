//go:build linux

package main

import "fmt"

// goals compares what was found with what was promised.
func (r *sizesReport) goals() []goal {
	var list []goal
	for i := range r.Rows {
		s := &r.Rows[i]
		name := fmt.Sprintf("%s, %s connections: ", serverName[s.Server], grouped(s.Connections))
		if s.Server == onPostgres {
			list = appendRatio(list, name+"refresh, many in turn", &s.Spread, scenarios[1].goal.Postgres)
			bytes := ofConnections(*s)
			list = append(list, goal{Name: name + "table and indexes", Want: "< 400 bytes a connection",
				Found: fmt.Sprintf("%.0f", bytes), Met: bytes < 400, Measured: true})
		}
		memory := nodeMemory(*s)
		list = append(list, goal{Name: name + "memory of a node", Want: "< 40 MB",
			Found: fmt.Sprintf("%.1f MB", memory), Met: memory < 40, Measured: true})
	}
	if g := r.Growth; g != nil && len(g.Steps) > 2 {
		// The first tenth may still take the room that the fill factor leaves.
		early, last := g.Steps[1], g.Steps[len(g.Steps)-1]
		grown := 100 * (float64(last.Heap+last.Index)/float64(early.Heap+early.Index) - 1)
		list = append(list, goal{Name: fmt.Sprintf("growth of table and indexes over %s refreshes", grouped(int(last.Refreshes))), Want: "0",
			Found: fmt.Sprintf("%+.2f %%", grown), Met: grown < 0.5, Measured: true})
	}
	return list
}
