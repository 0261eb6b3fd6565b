package web

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// forwardAuth answers a reverse proxy that holds a request back until it knows
// whose it is: nginx's auth_request, Caddy's forward_auth, Traefik's forwardAuth.
// The proxy passes the request's Authorization header on; its own configuration
// says in the query what is needed. Nginx takes 2xx, 401 and 403, and answers
// 500 for all else, so what the caller did wrong is 401 or 403 here, whatever it
// was.
func (h *Handler) forwardAuth(w http.ResponseWriter, r *http.Request, ev *event) error {
	query, err := readForward(r.URL.RawQuery)
	if err != nil {
		return err
	}
	query.Shown, err = h.shown(r, ev)
	var fault *httpError
	if errors.As(err, &fault) {
		return &oauth.Error{Refusal: oauth.InvalidToken, Description: fault.description, Scope: query.Scope, Resource: query.Resource}
	}
	query.Shown.Proof.Method, query.Shown.Proof.URL = h.original(r, query.Resource)
	who, err := h.Engine.Forward(r.Context(), &query)
	if err != nil {
		return err
	}
	ev.about(&who.Grant)
	header := w.Header()
	for _, field := range [...]struct{ name, value string }{
		{"X-Auth-Subject", who.Subject}, {"X-Auth-Client", who.ClientID}, {"X-Auth-Scope", who.Scope.String()},
	} {
		if !plainHeader(field.value) {
			return symbolon.Errorf(symbolon.Internal, "forward-auth", "%s cannot stand in a header", field.name)
		}
		header[field.name] = []string{field.value}
	}
	header["Cache-Control"] = noStore
	header["Content-Length"] = []string{"0"}
	// The proxy has a line for it, and it is asked at every request.
	ev.status, ev.quiet = http.StatusOK, true
	w.WriteHeader(http.StatusOK)
	return nil
}

// readForward reads what the proxy's configuration asks for. A mistake in it is
// 400, which every proxy turns into a failure of its own: it is not the caller's,
// and must not let anyone through.
func readForward(text string) (oauth.ForwardQuery, error) {
	var q oauth.ForwardQuery
	wrong := &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The reverse proxy asks with a query that cannot be read; it takes scope and acr_values (names separated by one space), resource (an absolute URI) and max_age (seconds, at least 1), each at most once."}
	values, err := url.ParseQuery(text)
	if err != nil {
		return q, wrong
	}
	for name, list := range values {
		switch {
		case len(list) != 1 || list[0] == "":
			return q, wrong
		case name == "scope":
			if q.Scope, err = symbolon.ParseScopes(list[0]); err != nil {
				return q, wrong
			}
		case name == "resource":
			if oauth.CheckResource(list[0]) != nil || !plainHeader(list[0]) || strings.ContainsAny(list[0], `"\`) {
				return q, wrong
			}
			q.Resource = list[0]
		case name == "acr_values":
			// The same characters as in a scope: they stand in the challenge.
			if q.SignIn.ACR, err = symbolon.ParseScopes(list[0]); err != nil {
				return q, wrong
			}
		case name == "max_age":
			n, err := strconv.ParseUint(list[0], 10, 31)
			if err != nil || n == 0 { // no token is as fresh
				return q, wrong
			}
			q.SignIn.MaxAge = time.Duration(n) * time.Second
		default: // misspelt, it would ask for nothing and let everyone through
			return q, wrong
		}
	}
	return q, nil
}

// original returns method and URL of the request that a proxy holds back, as the
// proxy says them: Traefik and Caddy do so unasked, nginx as it is configured. From
// anyone but a trusted proxy they say nothing. The host is that of the API where
// its URL is known, since a proxy may pass on what the caller wrote.
func (h *Handler) original(r *http.Request, resource string) (method, target string) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !h.trusts(peer.Addr()) {
		return "", ""
	}
	one := func(name string) string {
		if values := r.Header[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	method = one("X-Forwarded-Method")
	proto, host, path := one("X-Forwarded-Proto"), one("X-Forwarded-Host"), one("X-Forwarded-Uri")
	if u, err := url.Parse(resource); err == nil && u.Host != "" {
		proto, host = u.Scheme, u.Host
	}
	if method == "" || proto != "https" && proto != "http" || host == "" || strings.ContainsAny(host, "/?#@,\\ ") || !strings.HasPrefix(path, "/") {
		return "", ""
	}
	path, _, _ = strings.Cut(path, "?")
	return method, proto + "://" + host + path
}

// plainHeader reports whether a value may stand in a header as it is: printable
// ASCII, without spaces around it.
func plainHeader(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.Trim(s, " ") == s
}

// resourceMetadata returns where the metadata of an API is (RFC 9728 §3.1), or
// "" when its name is no URL.
func resourceMetadata(resource string) string {
	u, err := url.Parse(resource)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	p := u.EscapedPath()
	if p == "/" {
		p = ""
	}
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return u.Scheme + "://" + u.Host + "/.well-known/oauth-protected-resource" + p
}
