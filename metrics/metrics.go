// Package metrics owns every metric of the server, for Prometheus to read. Each
// noun has one file: requests, the store, its pools, the gatherers, the feed,
// keys, fetches, the process.
//
// No label carries what a caller chose, no client_id and no secret: a label has
// one of a few values that stand in the program. So the number of series is
// bounded, whatever is sent. Names follow the field's conventions: base units,
// _total for what only grows.
package metrics

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is every metric of one server. It may be used by many goroutines at
// once.
type Metrics struct {
	registry *prometheus.Registry
	described
	store    storeMetrics
	request  requestMetrics
	fetch    fetchMetrics
	delivery deliveryMetrics
}

// Described is what is told of one metric, for the documents.
type Described struct {
	Name   string
	Type   string   // counter, gauge or histogram
	Labels []string // with the values that each may have, when they are few
	Help   string
}

// described collects what is made.
type described struct{ list []Described }

// New returns the metrics of a server of this build.
func New(b Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.newProcess(b)
	m.newRequest()
	m.newStore()
	m.newFetch()
	m.newDeliveries()
	return m
}

// List returns what there is, in the order of the names.
func (m *Metrics) List() []Described {
	list := slices.Clone(m.list)
	slices.SortFunc(list, func(a, b Described) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Handler answers with all metrics, in the format that is asked for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// A scrape that hangs must not gather others behind it.
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}

// note keeps what is told of a metric and returns its name in full.
func (m *Metrics) note(name, kind, help string, labels []string) string {
	name = "symbolon_" + name
	m.list = append(m.list, Described{Name: name, Type: kind, Labels: labels, Help: help})
	return name
}

// counters makes a counter for each combination of the labels' values.
func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.note(name, "counter", help, labels), Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

// histograms makes a histogram for each combination of the labels' values.
func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.note(name, "histogram", help, labels), Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// gaugeOf makes a gauge that is read when it is asked for.
func (m *Metrics) gaugeOf(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: m.note(name, "gauge", help, nil), Help: help}, read))
}

// counterOf makes a counter that is read when it is asked for.
func (m *Metrics) counterOf(name, help string, read func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: m.note(name, "counter", help, nil), Help: help}, func() float64 { return float64(read()) }))
}

// desc makes the description of metrics that a collector reads when it is asked.
func (m *Metrics) desc(name, kind, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(m.note(name, kind, help, labels), help, labels, nil)
}

// collect registers a collector of such metrics.
func (m *Metrics) collect(descs []*prometheus.Desc, read func(chan<- prometheus.Metric)) {
	m.registry.MustRegister(collector{descs, read})
}

// collector implements prometheus.Collector by a function.
type collector struct {
	descs []*prometheus.Desc
	read  func(chan<- prometheus.Metric)
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) { c.read(to) }

// send sends one value of a collector.
func send(to chan<- prometheus.Metric, d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, kind, value, labels...)
}

func seconds(d time.Duration) float64 { return d.Seconds() }

// truth is 1 when something holds and 0 when it does not.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
