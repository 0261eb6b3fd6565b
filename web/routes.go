package web

import (
	"net/http"
	"strings"
)

// handler answers a request, or returns the error that the wrapper answers.
type handler func(w http.ResponseWriter, r *http.Request, ev *event) error

// route is one path. Paths are matched whole: there is no cleaning, no
// redirect, and no second spelling.
type route struct {
	path    string
	get     handler
	post    handler
	put     handler
	delete  handler
	patch   handler
	kind    kind
	surface surface // whose statuses its refusals have
	cors    bool    // scripts of registered origins may call it
	open    bool    // scripts of any origin may
	methods string  // for Allow
}

// kind is who a route is for.
type kind uint8

const (
	// api: callers of the page's API. Every answer is JSON.
	api kind = iota
	// both: /authorize, where a browser gets pages and an API caller JSON.
	both
	// people: pages. Their forms are protected against other sites.
	people
	// browser: the authorization endpoint of the standard surface, which other
	// sites send people to, by links and by forms.
	browser
)

// table is every route of the server.
func (h *Handler) table() map[string]*route {
	routes := []route{
		// The six steps. Step 2 is the app's own.
		{path: "/authorize", get: h.authorize, kind: both},
		{path: "/token", post: h.token, cors: true},
		{path: "/info", get: h.info, cors: true},
		{path: "/refresh", post: h.refresh, cors: true},
		{path: "/invalidate", get: h.invalidate, post: h.invalidate, delete: h.invalidate, cors: true},

		// The standard surface: the same engine, by the names of the RFCs.
		{path: "/oauth2/authorize", get: h.standardAuthorize, post: h.standardAuthorize, kind: browser, surface: standard},
		{path: "/oauth2/token", post: h.standardToken, surface: standard, cors: true},
		{path: "/oauth2/device_authorization", post: h.deviceAuthorization, surface: standard, cors: true},
		{path: "/oauth2/par", post: h.push, surface: standard, cors: true},
		{path: "/oauth2/revoke", post: h.revoke, surface: standard, cors: true},
		{path: "/oauth2/introspect", post: h.introspect, surface: standard},
		{path: "/oauth2/jwks", get: h.keySet, surface: standard, open: true},
		{path: "/.well-known/oauth-authorization-server", get: h.metadata, surface: standard, open: true},
		{path: "/.well-known/openid-configuration", get: h.metadata, surface: standard, open: true},

		// The owner's API, by its reverse proxy.
		{path: "/forward-auth", get: h.forwardAuth, surface: standard},

		// People.
		{path: "/sign-in", get: h.signInPage, post: h.signIn, kind: people},
		{path: "/sign-in/code", post: h.signInCode, kind: people},
		{path: accountPath, get: h.accountPage, post: h.takeBack, kind: people},
		{path: detailsPath, get: h.detailsPage, post: h.details, kind: people},
		{path: dataPath, get: h.dataPage, post: h.data, kind: people},
		{path: securityPath, get: h.securityPage, post: h.security, kind: people},
		{path: "/choose", post: h.choose, kind: people},
		{path: "/consent", post: h.consent, kind: people},
		{path: "/device", get: h.devicePage, post: h.deviceCode, kind: people},
		{path: "/continue", get: h.proceed, kind: people},
		{path: "/language", post: h.chooseLanguage, kind: people},
		{path: "/sign-out", get: h.signOutPage, post: h.signOut, kind: people},
		{path: "/signed-out", get: h.signedOutPage, kind: people},

		// Developers.
		{path: "/", get: h.home, kind: people},
		{path: "/docs", get: h.docsPage, kind: people},
		{path: "/docs/errors", get: h.docsErrors, kind: people},
		{path: "/openapi.json", get: h.openAPI},

		// Operators.
		{path: "/healthz", get: h.healthz},
		{path: "/readyz", get: h.readyz},
	}
	if h.OpenID != nil {
		routes = append(routes,
			route{path: "/oauth2/userinfo", get: h.userinfo, post: h.userinfo, surface: standard, cors: true},
			route{path: "/oauth2/logout", get: h.logout, post: h.logout, kind: browser, surface: standard})
	}
	if len(h.Upstreams) > 0 {
		routes = append(routes, route{path: upstreamPath, get: h.upstreamCallback, kind: people})
	}
	if h.Handoff != nil { // another site posts there
		routes = append(routes, route{path: handoffPath, get: h.handoffPage, post: h.handoff, kind: browser})
	}
	if h.resets() {
		routes = append(routes,
			route{path: resetPath, get: h.resetPage, post: h.reset, kind: people},
			route{path: resetSentPath, get: h.resetSentPage, kind: people},
			route{path: resetLinkPath, get: h.resetLinkPage, post: h.resetNew, kind: people},
			route{path: resetDonePath, get: h.resetDonePage, kind: people})
	}
	routes = append(routes, h.registrationRoutes()...)
	routes = append(routes, h.adminRoutes()...)
	routes = append(routes, h.consoleRoutes()...)
	if h.play != nil {
		routes = append(routes, h.play.routes()...)
	}
	table := make(map[string]*route, len(routes))
	for i := range routes {
		r := &routes[i]
		r.methods = r.allow()
		for _, path := range h.paths(r.path) {
			table[path] = r
		}
	}
	return table
}

// allow is what the route takes, as the header Allow says it.
func (r *route) allow() string {
	var methods []string
	if r.get != nil {
		methods = append(methods, http.MethodGet)
		if r.kind == people || r.kind == browser {
			methods = append(methods, http.MethodHead)
		}
	}
	if r.post != nil {
		methods = append(methods, http.MethodPost)
	}
	if r.put != nil {
		methods = append(methods, http.MethodPut)
	}
	if r.delete != nil {
		methods = append(methods, http.MethodDelete)
	}
	if r.patch != nil {
		methods = append(methods, http.MethodPatch)
	}
	return strings.Join(methods, ", ")
}

// paths are those under which a route is found. An issuer with a path has it in
// front of each. What is well known stands at the host's root with the issuer's
// path behind (RFC 8414 §3.1, RFC 8615 §3), and, as OpenID Connect Discovery §4
// has it, also with the issuer's path in front; what operators ask is at the root
// as well.
func (h *Handler) paths(path string) []string {
	list := []string{h.prefix + path}
	switch {
	case h.prefix == "":
	case strings.HasPrefix(path, "/.well-known/"):
		list = append(list, path+h.prefix)
	case path == "/healthz" || path == "/readyz":
		list = append(list, path)
	}
	return list
}

// handler returns what answers a method, or nil.
func (r *route) handler(method string) handler {
	switch method {
	case http.MethodGet:
		return r.get
	case http.MethodHead:
		if r.kind == people || r.kind == browser {
			return r.get
		}
	case http.MethodPost:
		return r.post
	case http.MethodPut:
		return r.put
	case http.MethodDelete:
		return r.delete
	case http.MethodPatch:
		return r.patch
	}
	return nil
}

// ServeHTTP is the one wrapper around every handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ev := newEvent(r)
	h.inFlight.Add(1)
	defer h.finish(w, r, ev)
	w.Header()["X-Request-Id"] = []string{ev.id}
	ev.address = h.address(r)
	if h.secure {
		w.Header()["Strict-Transport-Security"] = hsts
	}
	if r.TransferEncoding != nil {
		// Whoever sends lengths in two ways may have a proxy that reads the
		// other one: no second request on this connection.
		w.Header().Set("Connection", "close")
	}
	rt := h.routes[r.URL.Path]
	if r.URL.RawPath != "" {
		rt = nil // a second spelling
	}
	if rt == nil {
		if path, ours := strings.CutPrefix(r.URL.Path, h.prefix); ours && h.Pages.Static().Has(path) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			ev.route, ev.quiet = staticRoute, true
			http.StripPrefix(h.prefix, h.Pages.Static()).ServeHTTP(&countingWriter{ResponseWriter: w, ev: ev}, r)
			return
		}
		ev.route, ev.kind = unknownRoute, both
		r = h.traced(r, ev)
		h.fail(w, r, ev, &httpError{status: http.StatusNotFound, code: "invalid_request", description: "There is nothing at this path; the API is described under /docs."})
		return
	}
	ev.route, ev.kind, ev.surface = rt.path, rt.kind, rt.surface
	r = h.traced(r, ev)
	if err := h.dispatch(w, r, ev, rt); err != nil {
		h.fail(w, r, ev, err)
	}
}

// hsts keeps browsers on https for a year (RFC 6797).
var hsts = []string{"max-age=31536000"}

// maxTarget bounds a request's path and query, in bytes; maxHeader each header,
// maxHeaders all of them.
const (
	maxTarget  = 12 << 10
	maxHeader  = 16 << 10
	maxHeaders = 64 << 10
)

func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, ev *event, rt *route) error {
	if (rt.cors || rt.open) && r.Header["Origin"] != nil {
		if done := h.cors(w, r, ev, rt); done {
			return nil
		}
	}
	if r.Header["Dpop"] != nil && rt.kind == api {
		// RFC 9449 §8.2: the nonce for the next proof comes with every answer.
		if nonce, err := h.Engine.Nonce(); err == nil {
			w.Header()["Dpop-Nonce"] = []string{nonce}
		}
	}
	handle := rt.handler(r.Method)
	if handle == nil {
		w.Header().Set("Allow", rt.methods)
		return &httpError{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "This path takes " + rt.methods + " only."}
	}
	if len(r.RequestURI) > maxTarget {
		return &httpError{status: http.StatusRequestURITooLong, code: "invalid_request", description: "The address with its query is longer than 12 KiB."}
	}
	total := 0
	for name, values := range r.Header {
		for _, v := range values {
			total += len(name) + len(v)
			if len(v) > maxHeader || total > maxHeaders {
				return &httpError{status: http.StatusRequestHeaderFieldsTooLarge, code: "invalid_request", description: "A header is longer than 16 KiB, or all together than 64 KiB."}
			}
		}
	}
	if rt.kind == people {
		if err := h.cross.Check(r); err != nil {
			return &deniedError{reason: "denied.other_site"}
		}
	}
	return handle(w, r, ev)
}
