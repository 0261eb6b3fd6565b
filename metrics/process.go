package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Build says which program it is.
type Build struct {
	Version, Commit string
}

// newProcess makes what Go and the system know of the process: go_* and
// process_*, by the library's own collectors, and which build it is.
func (m *Metrics) newProcess(b Build) {
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	const help = "Always 1; the labels say which build it is."
	labels := []string{"version", "commit", "go"}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: m.note("build_info", "gauge", help, labels), Help: help,
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(info)
}
