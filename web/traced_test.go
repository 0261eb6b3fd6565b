package web

import (
	"bytes"
	"context"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// The span of a request is around all that is done for it, is in the log, and ends
// with the answer. What operators ask, and files, have none.
func TestSpans(t *testing.T) {
	f := newFixture(t)
	type key struct{}
	var began []Begun
	var ended []Answered
	f.handler.OnRequest(func(b Begun) Span {
		began = append(began, b)
		return Span{Context: context.WithValue(b.Request.Context(), key{}, b.ID), ID: "trace-1", End: func(a Answered) { ended = append(ended, a) }}
	})
	var log bytes.Buffer
	f.handler.Requests = &log
	f.handler.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, from := range []string{"192.0.2.1:5", "198.51.100.1:5", "nonsense"} {
		req := httptest.NewRequest("GET", "/info", nil)
		req.RemoteAddr = from
		f.handler.ServeHTTP(httptest.NewRecorder(), req)
	}
	for _, path := range []string{"/healthz", "/readyz", "/static/none"} {
		f.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	if len(began) != 4 || !began[0].Trusted || began[1].Trusted || began[2].Trusted || began[3].Route != "unknown" {
		t.Fatalf("began %+v", began)
	}
	if len(ended) != 4 || ended[0].Route != "/info" || ended[0].Status != 401 || ended[0].Why != "missing_token" {
		t.Errorf("ended %+v", ended)
	}
	if n := strings.Count(log.String(), `"trace_id":"trace-1"`); n != 4 || !strings.Contains(log.String(), began[0].ID) {
		t.Errorf("%d lines have the trace's id:\n%s", n, log.String())
	}
}
