package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// fetchBuckets are seconds.
var fetchBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

type fetchMetrics struct {
	total    [len(kindNames)]prometheus.Counter
	duration prometheus.Observer
}

func (m *Metrics) newFetch() {
	total := m.counters("fetches_total", "Documents that were asked for from addresses that apps named (metadata documents, key sets), by what came of it: ok, or the kind of the error.", "outcome")
	for k, kind := range kindNames {
		m.fetch.total[k] = total.WithLabelValues(kind)
	}
	m.fetch.duration = m.histograms("fetch_duration_seconds", "How long it took to get such a document, or to fail.", fetchBuckets).WithLabelValues()
}

// Fetched counts a document that was asked for, with the error that came of it.
func (m *Metrics) Fetched(err error, took time.Duration) {
	m.fetch.total[kindOf(err)].Inc()
	m.fetch.duration.Observe(took.Seconds())
}
