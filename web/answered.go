package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/oauth"
)

// Answered is what is told of a request once it is answered, for metrics. Each
// text in it is one of a few that stand in the program, whatever was sent, but
// Method.
type Answered struct {
	// Route is the path of the route, as Routes has it.
	Route string
	// Method is what was sent.
	Method string
	// Status is that of HTTP.
	Status int
	// Code is the error code, and Why the reason behind it, as Reasons has them;
	// both are empty when nothing was refused.
	Code, Why string
	// Took is how long it took.
	Took time.Duration
}

// OnAnswer has a function told of every request once it is answered. It must not
// block, and be set before the first request.
func (h *Handler) OnAnswer(tell func(Answered)) { h.tell = tell }

// InFlight returns how many requests are being answered.
func (h *Handler) InFlight() int { return int(h.inFlight.Load()) }

// Route is one path of the server with the methods that it takes.
type Route struct {
	Path    string
	Methods []string
}

// The routes of what is in no table.
const (
	staticRoute  = "/static/"
	unknownRoute = "unknown"
)

// Routes returns every route that Answered may name, in the order of the paths.
func (h *Handler) Routes() []Route {
	list := []Route{{Path: staticRoute, Methods: []string{http.MethodGet, http.MethodHead}}, {Path: unknownRoute}}
	seen := make(map[string]bool)
	for _, r := range h.routes {
		if seen[r.path] {
			continue // found under several paths
		}
		seen[r.path] = true
		methods := strings.Split(r.methods, ", ")
		if r.cors || r.open {
			methods = append(methods, http.MethodOptions)
		}
		list = append(list, Route{Path: r.path, Methods: methods})
	}
	slices.SortFunc(list, func(a, b Route) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// Reason is an error code, and why it is answered.
type Reason struct {
	Code, Why string
}

// Why something was refused that is not for the engine to refuse.
const (
	whyRequest = "request" // it breaks a rule of HTTP, or a bound
	whyPage    = "page"    // a page that another site sent, or that is of another browser
	whySignIn  = "sign_in" // a wrong password, or too many
)

// accessDenied is the error code of what is refused for a person's own safety.
const accessDenied = "access_denied"

// Reasons returns every reason that Answered may name.
func Reasons() []Reason {
	list := []Reason{{"invalid_request", whyRequest}, {oauth.InvalidClientMetadata.Code(), whyRequest}, {accessDenied, whyPage}, {accessDenied, whySignIn}}
	for _, r := range oauth.Refusals() {
		list = append(list, Reason{r.Code(), r.String()})
	}
	return list
}

// answered tells of a request that was answered.
func (h *Handler) answered(ev *event, took time.Duration) {
	if h.tell == nil && ev.span.End == nil {
		return
	}
	a := Answered{Route: ev.route, Method: ev.method, Status: ev.status, Code: ev.code, Why: ev.why, Took: took}
	if h.tell != nil {
		h.tell(a)
	}
	if ev.span.End != nil {
		ev.span.End(a)
	}
}
