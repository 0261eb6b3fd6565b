package web

import (
	"context"
	"net/http"
	"net/netip"
)

// Span is a request that is being traced, or not.
type Span struct {
	// Context takes the place of the request's, unless nil.
	Context context.Context
	// ID is that of the trace, for the log; empty when the request is not traced.
	ID string
	// End is told of the answer, unless nil.
	End func(Answered)
}

// Begun is what is told of a request when it begins. Route is as in Answered.
type Begun struct {
	Request *http.Request
	Route   string
	// ID is the request's own, which is in the log and in the answer.
	ID string
	// Trusted is set when the request came from a trusted proxy.
	Trusted bool
}

// OnRequest has a function asked for the span of every request but those for files
// and of operators. It must be set before the first request.
func (h *Handler) OnRequest(begin func(Begun) Span) { h.spans = begin }

// traced begins the span of a request, and returns the request to go on with.
func (h *Handler) traced(r *http.Request, ev *event) *http.Request {
	if h.spans == nil || ev.route == "/healthz" || ev.route == "/readyz" {
		return r
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	ev.span = h.spans(Begun{Request: r, Route: ev.route, ID: ev.id, Trusted: err == nil && h.trusts(peer.Addr())})
	if ev.span.Context != nil {
		r = r.WithContext(ev.span.Context)
	}
	return r
}
