package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/metrics"
)

// BenchmarkInfo is the handler of step 4 alone, without the network.
func BenchmarkInfo(b *testing.B) {
	f := newBench(b)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	f.handler.Requests = NewLines(null)
	req := httptest.NewRequest("GET", "/info", nil)
	req.Header.Set("Authorization", "Bearer "+f.access)
	b.ReportAllocs()
	for b.Loop() {
		w := nullWriter{header: make(http.Header)}
		f.handler.ServeHTTP(&w, req)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

type nullWriter struct {
	header http.Header
	status int
}

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) WriteHeader(status int)      { w.status = status }
func (w *nullWriter) Write(b []byte) (int, error) { return len(b), nil }

type benchFixture struct {
	*fixture
	access string
}

func newBench(b *testing.B) *benchFixture {
	f := newFixture(b)
	return &benchFixture{f, f.tokens(b)["access_token"].(string)}
}

// BenchmarkRefresh is the handler of step 5 alone, on a store in memory.
func BenchmarkRefresh(b *testing.B) {
	f := newBench(b)
	first := f.tokens(b)
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {string(f.app.ID)}, "client_secret": {f.secret}, "refresh_token": {first["refresh_token"].(string)}}.Encode()
	b.ReportAllocs()
	for b.Loop() {
		req, _ := http.NewRequest("POST", "/refresh", strings.NewReader(form))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.RequestURI, req.RemoteAddr = "/refresh", "127.0.0.1:1"
		w := nullWriter{header: make(http.Header)}
		f.handler.ServeHTTP(&w, req)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

// watchedBy has the handler tell real metrics of its requests, as the program does.
func watchedBy(f *fixture) {
	m := metrics.New(metrics.Build{})
	var routes []metrics.Route
	for _, r := range f.handler.Routes() {
		routes = append(routes, metrics.Route(r))
	}
	requests := m.Requests(routes, nil, f.handler.InFlight)
	f.handler.OnAnswer(func(a Answered) {
		requests.Answered(a.Route, a.Method, a.Status, metrics.Reason{Code: a.Code, Why: a.Why}, a.Took)
	})
}

// BenchmarkWatched is step 4 with metrics and without, and with no log.
func BenchmarkWatched(b *testing.B) {
	for name, watch := range map[string]func(*fixture){"with": watchedBy, "without": func(*fixture) {}} {
		b.Run(name, func(b *testing.B) {
			f := newBench(b)
			watch(f.fixture)
			f.handler.Requests = io.Discard
			req := httptest.NewRequest("GET", "/info", nil)
			req.Header.Set("Authorization", "Bearer "+f.access)
			b.ReportAllocs()
			for b.Loop() {
				w := nullWriter{header: make(http.Header)}
				f.handler.ServeHTTP(&w, req)
			}
		})
	}
}

// Metrics leave nothing for the collector, and what is not watched pays for nothing.
func TestWatchingAllocatesNothing(t *testing.T) {
	f := newFixture(t)
	access := f.tokens(t)["access_token"].(string)
	f.handler.Requests = io.Discard
	req := httptest.NewRequest("GET", "/info", nil)
	req.Header.Set("Authorization", "Bearer "+access)
	allocations := func() float64 {
		return testing.AllocsPerRun(500, func() {
			w := nullWriter{header: make(http.Header)}
			f.handler.ServeHTTP(&w, req)
			if w.status != 200 {
				t.Fatal(w.status)
			}
		})
	}
	without := allocations()
	watchedBy(f)
	if with := allocations(); with > without {
		t.Errorf("%v allocations a request with metrics, %v without", with, without)
	}
}
