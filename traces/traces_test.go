package traces

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/gather"
)

// receiver takes spans as a collector does.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []*otlp.Span
	resource map[string]string
	headers  []http.Header
}

func newReceiver(t testing.TB) *receiver {
	r := new(receiver)
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var m collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &m)
	}
	if err != nil || req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headers = append(r.headers, req.Header)
	for _, rs := range m.GetResourceSpans() {
		r.resource = texts(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			r.spans = append(r.spans, ss.GetSpans()...)
		}
	}
}

// texts are attributes as texts.
func texts(list []*common.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		default:
			m[a.GetKey()] = "?"
		}
	}
	return m
}

// named returns the one span with a name.
func (r *receiver) named(t testing.TB, name string) *otlp.Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found *otlp.Span
	var names []string
	for _, s := range r.spans {
		names = append(names, s.GetName())
		if s.GetName() == name {
			if found != nil {
				t.Fatalf("there are two spans named %s", name)
			}
			found = s
		}
	}
	if found == nil {
		t.Fatalf("there is no span named %q among %q", name, names)
	}
	return found
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.spans)
}

func newTracer(t testing.TB, o Options) *Tracer {
	tr := New(o)
	t.Cleanup(func() { shut(t, tr) })
	return tr
}

// shut sends what waits.
func shut(t testing.TB, tr *Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Error(err)
	}
}

func request(method, path string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	r.Method = method
	return r
}

// A request, its call of the store and the batch that its change was in are one trace;
// who shared the batch is linked.
func TestSpans(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	tr := newTracer(t, Options{URL: to.URL + "/v1/traces", Ratio: 1, Version: "v9", Header: http.Header{"Authorization": {"Bearer x"}}})
	one, two := tr.Begin(request("POST", "/x?code=secret"), "/refresh", "ID1", false), tr.Begin(request("BREW", "/x"), "/info", "ID2", false)
	ctx1, end1 := tr.Store(one.Context, "sqlite", "refresh")
	ctx2, end2 := tr.Store(two.Context, "sqlite", "end")
	began := time.Now().Add(-time.Second)
	tr.Batch("writes", gather.Batch{Callers: []context.Context{t.Context(), ctx1, ctx2}, Began: began, Ended: began.Add(time.Millisecond)})
	end1(nil)
	end2(symbolon.Errorf(symbolon.Busy, "x", "the password is 1234"))
	one.End(200, "", "")
	two.End(503, "temporarily_unavailable", "unavailable")
	shut(t, tr)

	if to.resource["service.name"] != "symbolon" || to.resource["service.version"] != "v9" || to.headers[0].Get("Authorization") != "Bearer x" {
		t.Errorf("resource %v, headers %v", to.resource, to.headers)
	}
	root, store, batch := to.named(t, "POST /refresh"), to.named(t, "store refresh"), to.named(t, "batch writes")
	if hex.EncodeToString(root.GetTraceId()) != one.ID || len(one.ID) != 32 || root.GetParentSpanId() != nil || root.GetKind() != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("the request is %v, its id %s", root, one.ID)
	}
	if string(store.GetParentSpanId()) != string(root.GetSpanId()) || string(batch.GetParentSpanId()) != string(store.GetSpanId()) || string(batch.GetTraceId()) != string(root.GetTraceId()) {
		t.Errorf("one is not within the other: %v\n%v\n%v", root, store, batch)
	}
	other := to.named(t, "store end")
	if l := batch.GetLinks(); len(l) != 1 || string(l[0].GetSpanId()) != string(other.GetSpanId()) {
		t.Errorf("the batch is linked to %v", batch.GetLinks())
	}
	if batch.GetEndTimeUnixNano()-batch.GetStartTimeUnixNano() != 1e6 {
		t.Errorf("the batch took %d ns", batch.GetEndTimeUnixNano()-batch.GetStartTimeUnixNano())
	}
	if other.GetStatus().GetCode() != otlp.Status_STATUS_CODE_ERROR || texts(other.GetAttributes())["error.type"] != "busy" {
		t.Errorf("a store that is busy is %v", other)
	}
	want := map[string]string{"http.request.method": "_OTHER", "http.route": "/info", "symbolon.request_id": "ID2", "error.type": "temporarily_unavailable", "symbolon.reason": "unavailable"}
	second := to.named(t, "_OTHER /info")
	got := texts(second.GetAttributes())
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
	for _, s := range to.spans {
		for _, sent := range []string{"secret", "/x", "BREW", "1234"} {
			if strings.Contains(s.String(), sent) {
				t.Errorf("%q was sent and is in %v", sent, s)
			}
		}
	}
}

// Whoever sends a traceparent and is not trusted begins a trace of ours, and has no
// say in whether there is one; who is trusted has both.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	const id = "0af7651916cd43dd8448eb211c80319c"
	to := newReceiver(t)
	tr := newTracer(t, Options{URL: to.URL + "/v1/traces", Ratio: 1e-18})
	begin := func(flags string, parent bool) Request {
		r := request("GET", "/info")
		r.Header.Set("traceparent", "00-"+id+"-b7ad6b7169203331-"+flags)
		return tr.Begin(r, "/info", "", parent)
	}
	// A small id, which a ratio that is decided by the id would take.
	small := request("GET", "/info")
	small.Header.Set("traceparent", "00-00000000000000010000000000000001-b7ad6b7169203331-01")
	for name, r := range map[string]Request{"sampled": begin("01", false), "not sampled": begin("00", false), "small": tr.Begin(small, "/info", "", false), "trusted and not sampled": begin("00", true)} {
		if r.ID != "" {
			t.Errorf("%s: it is traced as %s", name, r.ID)
		}
		_, end := tr.Store(r.Context, "sqlite", "apps")
		end(nil)
		r.End(200, "", "")
	}
	trusted := begin("01", true)
	if trusted.ID != id {
		t.Errorf("who is trusted is traced as %q, want %s", trusted.ID, id)
	}
	trusted.End(200, "", "")
	shut(t, tr)
	if to.count() != 1 || hex.EncodeToString(to.named(t, "GET /info").GetParentSpanId()) != "b7ad6b7169203331" {
		t.Errorf("%d spans came", to.count())
	}
}

// About as many are traced as the ratio says.
func TestRatio(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	tr := newTracer(t, Options{URL: to.URL + "/v1/traces", Ratio: .1})
	n := 0
	for range 2000 {
		r := tr.Begin(request("GET", "/info"), "/info", "", false)
		if r.ID != "" {
			n++
		}
		r.End(200, "", "")
	}
	if n < 130 || n > 270 { // five deviations
		t.Errorf("%d of 2000 were traced, want about 200", n)
	}
}

// C43: a collector that hangs holds up no request, and the end of the server only as long
// as that waits.
func TestCollectorThatHangs(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer s.Close()
	defer close(hold)
	tr := New(Options{URL: s.URL, Ratio: 1})
	began := time.Now()
	for range 3 * maxWaiting {
		r := tr.Begin(request("GET", "/info"), "/info", "", false)
		r.End(200, "", "")
	}
	if took := time.Since(began); took > sendTimeout/2 {
		t.Errorf("requests took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began = time.Now()
	if err := tr.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
		t.Errorf("closed with %v after %v", err, time.Since(began))
	}
}

// A collector that is away, or sends us elsewhere, is told of once, and nothing that
// was to be sent goes anywhere else.
func TestCollectorThatFails(t *testing.T) {
	t.Parallel()
	elsewhere := newReceiver(t)
	s := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/v1/traces", http.StatusTemporaryRedirect))
	var failures []error
	tr := New(Options{URL: s.URL, Ratio: 1, Failed: func(err error) { failures = append(failures, err) }})
	for range 3 * maxTogether {
		r := tr.Begin(request("GET", "/info"), "/info", "", false)
		r.End(200, "", "")
	}
	shut(t, tr)
	s.Close()
	if len(failures) != 1 || !strings.Contains(failures[0].Error(), "307") || elsewhere.count() != 0 {
		t.Errorf("told %v, elsewhere are %d spans", failures, elsewhere.count())
	}
}

// A request that is not traced costs little, and its calls nothing.
func TestCallsThatAreNotTracedAllocateNothing(t *testing.T) {
	tr := newTracer(t, Options{URL: "http://127.0.0.1:1", Ratio: 1e-18})
	ctx := tr.Begin(request("GET", "/info"), "/info", "", false).Context
	if n := testing.AllocsPerRun(100, func() {
		_, end := tr.Store(ctx, "sqlite", "refresh")
		end(nil)
	}); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkBegin(b *testing.B) {
	for name, ratio := range map[string]float64{"not traced": 1e-18, "traced": 1} {
		b.Run(name, func(b *testing.B) {
			to := newReceiver(b)
			tr := newTracer(b, Options{URL: to.URL + "/v1/traces", Ratio: ratio})
			r := request("POST", "/refresh")
			b.ReportAllocs()
			for b.Loop() {
				one := tr.Begin(r, "/refresh", "ID", false)
				one.End(200, "", "")
			}
		})
	}
}
