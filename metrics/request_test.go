package metrics

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var routes = []Route{{"/info", []string{"GET", "OPTIONS"}}, {"/refresh", []string{"POST"}}, {"unknown", nil}}

// Whatever is sent, there are no more series than there are routes, methods,
// statuses and reasons in the program.
func TestCardinalityIsBounded(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	r := m.Requests(routes, []Reason{{"invalid_grant", "invalid_grant"}}, func() int { return 0 })
	for i := range 1000 {
		wild := fmt.Sprintf("x%d\"\n\xff{}", i)
		r.Answered("/"+wild, wild, i, Reason{wild, wild}, time.Duration(i))
		r.Answered("/info", wild, i, Reason{"invalid_grant", wild}, 0)
		r.Answered("unknown", "GET", i, Reason{}, 0)
	}
	got := text(t, m)
	if strings.Contains(got, "x1") {
		t.Errorf("what was sent is in a label:\n%s", grep(got, "x1"))
	}
	// Three ways to be counted, each with every status that there is.
	if n, most := strings.Count(got, "symbolon_http_requests_total{"), 3*(len(statuses)+1); n != most {
		t.Errorf("%d series of requests, want %d", n, most)
	}
	if n := strings.Count(got, "symbolon_http_request_duration_seconds_count{"); n != 3 {
		t.Errorf("%d series of durations, want 3", n)
	}
	if n := strings.Count(got, "symbolon_refusals_total{"); n != 2 {
		t.Errorf("%d series of refusals, want 2", n)
	}
	has(t, m, `symbolon_refusals_total{error="other",reason="other"} 2000`)
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	r := m.Requests(routes, nil, func() int { return 0 })
	r.Answered("/info", "GET", 200, Reason{}, 3*time.Millisecond)
	r.Answered("/info", "GET", 200, Reason{}, 200*time.Millisecond)
	r.Answered("/info", "POST", 405, Reason{}, 0)
	r.Answered("/refresh", "POST", 503, Reason{}, 0)
	r.Answered("/refresh", "POST", 599, Reason{}, 0)
	has(t, m,
		`symbolon_http_requests_total{method="GET",route="/info",status="200"} 2`,
		`symbolon_http_requests_total{method="other",route="/info",status="405"} 1`,
		`symbolon_http_requests_total{method="POST",route="/refresh",status="503"} 1`,
		`symbolon_http_requests_total{method="POST",route="/refresh",status="other"} 1`,
		`symbolon_http_request_duration_seconds_bucket{method="GET",route="/info",le="0.0025"} 0`,
		`symbolon_http_request_duration_seconds_bucket{method="GET",route="/info",le="0.005"} 1`,
		`symbolon_http_request_duration_seconds_bucket{method="GET",route="/info",le="0.25"} 2`,
	)
}

// A request that is counted leaves nothing for the collector.
func TestAnsweredAllocatesNothing(t *testing.T) {
	m := New(Build{})
	refused := Reason{"invalid_grant", "invalid_grant"}
	r := m.Requests(routes, []Reason{refused}, func() int { return 0 })
	if n := testing.AllocsPerRun(1000, func() {
		r.Answered("/refresh", "POST", 200, Reason{}, time.Millisecond)
		r.Answered("/refresh", "POST", 400, refused, time.Millisecond)
		r.Answered("/elsewhere", "BREW", 418, Reason{}, time.Millisecond)
	}); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkAnswered(b *testing.B) {
	m := New(Build{})
	r := m.Requests(routes, nil, func() int { return 0 })
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Answered("/refresh", "POST", 200, Reason{}, time.Millisecond)
		}
	})
}
