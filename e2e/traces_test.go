//go:build linux

package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans takes spans as a collector does, and keeps what came in a file as well, which
// is searched for secrets like a data directory.
type spans struct {
	*httptest.Server
	mu   sync.Mutex
	list []*otlp.Span
	all  strings.Builder
}

func collect(t *testing.T) *spans {
	t.Helper()
	file := newDir() + ".spans"
	c := new(spans)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &m)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all.Write(body)
		for _, rs := range m.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				c.list = append(c.list, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(func() {
		c.Close()
		must(t, os.WriteFile(file, []byte(c.all.String()), 0o600))
	})
	return c
}

// named returns the spans with a name.
func (c *spans) named(name string) []*otlp.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*otlp.Span
	for _, s := range c.list {
		if s.GetName() == name {
			list = append(list, s)
		}
	}
	return list
}

// SYM-LOG-1: the six steps, as a collector sees them: a refresh, its call of the store and its
// batch are one trace, the log names it, and nothing that was sent is in any span.
func TestTraces(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { tracesOf(t, "sqlite", "batch writes") })
	t.Run("PostgreSQL", func(t *testing.T) { tracesOf(t, "postgresql", "batch refreshes", "--database", newDatabase(t)) })
}

func tracesOf(t *testing.T, system, batch string, more ...string) {
	c := collect(t)
	d := startDemo(t, newDir(), append(more, "--traces", c.URL, "--traces-ratio", "1")...)
	a := d.theApp()
	tk := a.connect(t, "state", "the-state-of-a-stranger")
	// A stranger has no say in the trace.
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	parent := header("traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
	r := a.refresh(t, tk.refresh)
	id := r.Header.Get("X-Request-Id")
	next := granted(t, r)
	d.get(t, "/info?q=the-query-of-a-stranger", bearer(next.access), parent)
	d.get(t, "/the-path-of-a-stranger", parent)
	d.get(t, "/healthz")
	if r := d.get(t, "/invalidate", bearer(next.access)); r.Status != 204 {
		t.Fatal(r.Status)
	}
	refused(t, d.get(t, "/info", bearer(next.access)), 401, "invalid_token")
	if status := d.stop(); status != 0 { // which sends what waits
		t.Fatalf("exit status %d\n%s", status, d.logTail())
	}

	refresh, stored, batches := c.named("POST /refresh"), c.named("store refresh"), c.named(batch)
	if len(refresh) != 1 || len(stored) != 1 || len(batches) == 0 {
		t.Fatalf("%d refreshes, %d of them in the store, %d batches", len(refresh), len(stored), len(batches))
	}
	within := func(inner, outer *otlp.Span) bool {
		return string(inner.GetParentSpanId()) == string(outer.GetSpanId()) && string(inner.GetTraceId()) == string(outer.GetTraceId()) &&
			inner.GetStartTimeUnixNano() >= outer.GetStartTimeUnixNano()
	}
	if !within(stored[0], refresh[0]) {
		t.Errorf("the call of the store is not within the request:\n%v\n%v", stored[0], refresh[0])
	}
	if !slices.ContainsFunc(batches, func(b *otlp.Span) bool { return within(b, stored[0]) }) {
		t.Errorf("no batch is within the call of the store: %v", batches)
	}
	if !strings.Contains(stored[0].String(), `"`+system+`"`) {
		t.Errorf("the call of the store is not of %s: %v", system, stored[0])
	}
	trace := hex.EncodeToString(refresh[0].GetTraceId())
	logged := false
	for line := range strings.Lines(d.logText()) {
		logged = logged || strings.Contains(line, id) && strings.Contains(line, `"trace_id":"`+trace+`"`)
	}
	if !logged || !strings.Contains(refresh[0].String(), id) {
		t.Errorf("neither log nor span tie the request %s to the trace %s", id, trace)
	}
	if n := len(c.named("GET /info")); n != 2 {
		t.Errorf("%d spans of /info", n)
	}
	if n := len(c.named("GET unknown")); n != 1 {
		t.Errorf("%d spans of unknown paths", n)
	}
	for _, s := range c.list {
		if hex.EncodeToString(s.GetTraceId()) == theirs || strings.Contains(s.GetName(), "healthz") {
			t.Errorf("there is %v", s)
		}
	}
	for _, private := range []string{"stranger", a.ID, janeID, "Jane", "127.0.0.1", "sym_", "symbolon-e2e"} {
		if strings.Contains(c.all.String(), private) {
			t.Errorf("%q is in a span", private)
		}
	}
}

// A proxy that is trusted may say what is traced, once the owner says that it does.
func TestTracesOfAProxy(t *testing.T) {
	t.Parallel()
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	c := collect(t)
	address := freePort(t)
	s := startServe(t, newDir(), address, bare, "http://"+address, "--traces", c.URL, "--traces-ratio", "0.000001", "--trusted-proxy", "127.0.0.1/32", "--traces-parent")
	if !eventually(func() bool { return s.get(t, "/readyz").Status == 200 }) {
		t.Fatalf("it is not ready\n%s", s.logTail())
	}
	s.get(t, "/info", header("traceparent", "00-"+theirs+"-b7ad6b7169203331-01"))
	s.get(t, "/info", header("traceparent", "00-"+theirs+"-b7ad6b7169203331-00"))
	s.get(t, "/info")
	if status := s.stop(); status != 0 {
		t.Fatalf("exit status %d\n%s", status, s.logTail())
	}
	list := c.named("GET /info")
	if len(list) != 1 || hex.EncodeToString(list[0].GetTraceId()) != theirs || hex.EncodeToString(list[0].GetParentSpanId()) != "b7ad6b7169203331" {
		t.Errorf("traced are %v", list)
	}
}

// C43: a collector that takes a connection and says nothing is no hindrance, not even at
// the end.
func TestCollectorThatHangs(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	c := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer c.Close()
	defer close(hold)
	d := startDemo(t, newDir(), "--traces", c.URL, "--traces-ratio", "1")
	a := d.theApp()
	tk := a.connect(t)
	for range 50 {
		tk = granted(t, a.refresh(t, tk.refresh))
	}
	if status := d.stop(); status != 0 || !strings.Contains(d.logText(), "the last traces were not taken in time") {
		t.Errorf("exit status %d\n%s", status, d.logTail())
	}
}
