//go:build linux

package e2e

import (
	"crypto/rand"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// site is an app that people see: it has a page that sends them to /authorize,
// and takes them back at its redirect URI.
type site struct {
	*app
	*httptest.Server
	t    *testing.T
	next string // where its callback sends people on to, if anywhere

	mu       sync.Mutex
	verifier string                      // of a public app
	arrived  []url.Values                // what came to the redirect URI, in order
	pages    map[string]http.HandlerFunc // further pages
}

// newSite registers an app that takes people back at /callback of a server on
// loopback. Arguments for "app create" may follow.
func (b *chromium) newSite(t *testing.T, name string, more ...string) *site {
	t.Helper()
	a := b.unregistered(t, httptest.NewServer)
	a.register(name, a.Server.URL+"/callback", more...)
	return a
}

// unregistered starts the app's server.
func (b *chromium) unregistered(t *testing.T, start func(http.Handler) *httptest.Server) *site {
	t.Helper()
	a := &site{app: &app{s: b.s}, t: t, pages: map[string]http.HandlerFunc{}}
	a.Server = start(a)
	t.Cleanup(a.Server.Close)
	return a
}

func (a *site) register(name, redirect string, more ...string) {
	a.t.Helper()
	a.redirect = redirect
	a.s.cli(a.t, "", a.app, append([]string{"app", "create", "--name", name, "--redirect-uri", redirect}, more...)...)
	secret(kindSecret, a.Secret)
	if a.Secret == "" {
		a.verifier, _ = pkce()
	}
}

// ServeHTTP is the app's web site.
func (a *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	page := a.pages[r.URL.Path]
	if r.URL.Path == "/callback" {
		a.arrived = append(a.arrived, r.URL.Query())
		secret(kindSecret, r.URL.Query().Get("code"))
	}
	a.mu.Unlock()
	switch {
	case page != nil:
		page(w, r)
	case r.URL.Path == "/callback" && r.URL.Query().Get("error") != "":
		writePage(w, "The app was told "+r.URL.Query().Get("error"), "")
	case r.URL.Path == "/callback":
		writePage(w, "Connected to the app", "")
	default:
		http.NotFound(w, r)
	}
}

// page adds a page with HTML of its own.
func (a *site) page(path, heading, body string) {
	a.handle(path, func(w http.ResponseWriter, _ *http.Request) { writePage(w, heading, body) })
}

func (a *site) handle(path string, h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pages[path] = h
}

// writePage answers with a page that needs no other request.
func writePage(w http.ResponseWriter, heading, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,"><h1>%s</h1>%s`, html.EscapeString(heading), body)
}

// link is an address that starts the flow, with a state of its own.
func (a *site) link(pairs ...string) string {
	a.t.Helper()
	state := rand.Text()
	pairs = append([]string{"state", state}, pairs...)
	if a.Secret == "" {
		var challenge string
		a.verifier, challenge = pkce()
		pairs = append(pairs, "code_challenge", challenge, "code_challenge_method", "S256")
	}
	return a.s.base + "/authorize?" + a.authorization(pairs...).Encode()
}

// came returns what has come to the redirect URI, once there are n of them.
func (a *site) came(n int) []url.Values {
	a.t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got := a.arrivedSoFar()
		if len(got) >= n {
			return got
		}
		if time.Now().After(until) {
			a.t.Fatalf("%d callbacks came, want %d", len(got), n)
		}
	}
}

func (a *site) arrivedSoFar() []url.Values {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.arrived)
}

// last returns the latest callback, the n-th.
func (a *site) last(n int) url.Values {
	a.t.Helper()
	all := a.came(n)
	if len(all) != n {
		a.t.Fatalf("%d callbacks came, want %d", len(all), n)
	}
	v := all[n-1]
	if v.Get("iss") != a.s.base {
		a.t.Errorf("iss is %q, want %q", v.Get("iss"), a.s.base)
	}
	return v
}

// redeem trades the code of a callback for tokens.
func (a *site) redeem(v url.Values) tokens {
	a.t.Helper()
	code := v.Get("code")
	if code == "" {
		a.t.Fatalf("the callback holds no code but the error %q: %s", v.Get("error"), v.Get("error_description"))
	}
	return granted(a.t, a.s.post(a.t, "/token", a.redemption(code, "code_verifier", a.verifier)))
}

// connects checks that the n-th callback connects an account.
func (a *site) connects(n int, who demoAccount) tokens {
	a.t.Helper()
	tk := a.redeem(a.last(n))
	r := a.s.info(a.t, tk.access)
	if r.Status != 200 || r.text("id") != who.ID || r.text("user") != who.User {
		a.t.Errorf("the app is connected to %d %s, want %s (%s)", r.Status, r.Body, who.User, who.ID)
	}
	return tk
}

// refusedWith checks that the n-th callback carries an error and no code.
func (a *site) refusedWith(n int, code string) {
	a.t.Helper()
	v := a.last(n)
	if v.Get("error") != code || v.Has("code") || v.Get("error_description") == "" {
		a.t.Errorf("the app was told %q, want %q, in %v", v.Get("error"), code, slices.Sorted(maps.Keys(v)))
	}
}

// jane, john and black are the sandbox accounts.
func (b *chromium) jane() demoAccount  { return b.s.greet.Accounts[0] }
func (b *chromium) john() demoAccount  { return b.s.greet.Accounts[1] }
func (b *chromium) black() demoAccount { return b.s.greet.Accounts[2] }
