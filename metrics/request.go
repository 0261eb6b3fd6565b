package metrics

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// other stands for every value that is none of a label's own.
const other = "other"

// requestBuckets are seconds: from a token that is looked at in memory to
// a password that is hashed behind others.
var requestBuckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

type requestMetrics struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
}

func (m *Metrics) newRequest() {
	m.request = requestMetrics{
		total:    m.counters("http_requests_total", "Requests that were answered.", "route", "method", "status"),
		duration: m.histograms("http_request_duration_seconds", "How long requests took, from the head that was read to the answer that was written.", requestBuckets, "route", "method"),
		refused:  m.counters("refusals_total", "Requests that were refused, by the error code that was answered and the reason behind it.", "error", "reason"),
	}
}

// Route is one path of the server, as it stands in its table, with the methods
// that it takes.
type Route struct {
	Path    string
	Methods []string
}

// Reason is why a request may be refused: the error code that the answer has, and
// what is behind it.
type Reason struct {
	Code, Why string
}

// Requests counts requests. What there can be is known from the start: whatever
// else comes counts as "other".
type Requests struct {
	routes   map[string]*route
	refusals map[Reason]prometheus.Counter
	rest     *route
	unknown  prometheus.Counter
}

// Requests returns what counts requests for these routes, and refusals for these
// reasons; inFlight says how many requests are being answered. It is called once.
func (m *Metrics) Requests(routes []Route, reasons []Reason, inFlight func() int) *Requests {
	m.gaugeOf("http_requests_in_flight", "Requests that are being answered now.", func() float64 { return float64(inFlight()) })
	r := &Requests{routes: make(map[string]*route, len(routes)), refusals: make(map[Reason]prometheus.Counter, len(reasons))}
	for _, one := range routes {
		r.routes[one.Path] = m.request.newRoute(one.Path, one.Methods)
	}
	r.rest = m.request.newRoute(other, nil)
	for _, reason := range reasons {
		r.refusals[reason] = m.request.refused.WithLabelValues(reason.Code, reason.Why)
	}
	r.unknown = m.request.refused.WithLabelValues(other, other)
	return r
}

// Answered counts a request that was answered. It allocates nothing but the first
// time that a route answers in a new way. Reason is the zero value when nothing
// was refused.
func (r *Requests) Answered(path, method string, status int, reason Reason, took time.Duration) {
	rt := r.routes[path]
	if rt == nil {
		rt = r.rest
	}
	rt.of(method).answered(status, took)
	if reason.Code == "" {
		return
	}
	if c, ok := r.refusals[reason]; ok {
		c.Inc()
		return
	}
	r.unknown.Inc()
}

// route holds the metrics of one route by method; the last are those of every
// method that it does not take.
type route struct {
	methods []*method
}

// method holds the metrics of one route and method. They are made when they are
// first needed, so that what never happens costs nothing.
type method struct {
	metrics  *requestMetrics
	route    string
	name     string
	duration atomic.Pointer[prometheus.Observer]
	statuses [len(statuses) + 1]atomic.Pointer[prometheus.Counter]
}

func (m *requestMetrics) newRoute(path string, methods []string) *route {
	rt := new(route)
	for _, name := range append(methods[:len(methods):len(methods)], other) {
		rt.methods = append(rt.methods, &method{metrics: m, route: path, name: name})
	}
	return rt
}

func (rt *route) of(name string) *method {
	last := len(rt.methods) - 1
	for _, m := range rt.methods[:last] {
		if m.name == name {
			return m
		}
	}
	return rt.methods[last]
}

func (m *method) answered(status int, took time.Duration) {
	class := statusClass(status)
	total := m.statuses[class].Load()
	if total == nil {
		c := m.metrics.total.WithLabelValues(m.route, m.name, statusName(class))
		total = &c
		m.statuses[class].Store(total)
	}
	(*total).Inc()
	duration := m.duration.Load()
	if duration == nil {
		o := m.metrics.duration.WithLabelValues(m.route, m.name)
		duration = &o
		m.duration.Store(duration)
	}
	(*duration).Observe(took.Seconds())
}

// statuses are those that the server answers with.
var statuses = [...]int{
	http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusPartialContent,
	http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusNotModified, http.StatusTemporaryRedirect,
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
	http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType,
	http.StatusRequestedRangeNotSatisfiable, http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge,
	http.StatusInternalServerError, http.StatusNotImplemented, http.StatusServiceUnavailable,
}

func statusClass(status int) int {
	for i, s := range statuses {
		if s == status {
			return i
		}
	}
	return len(statuses)
}

func statusName(class int) string {
	if class == len(statuses) {
		return other
	}
	s := statuses[class]
	return string([]byte{byte('0' + s/100), byte('0' + s/10%10), byte('0' + s%10)})
}
