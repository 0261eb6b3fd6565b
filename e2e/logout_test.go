//go:build linux

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// toldApp is an app that is told of ended sessions, by a server of its own.
type toldApp struct {
	*app
	*httptest.Server
	mu     sync.Mutex
	told   []string // the logout tokens, in order
	answer func(w http.ResponseWriter, r *http.Request)
}

// newToldApp registers such an app. More arguments for "app create" may follow.
func newToldApp(t testing.TB, s *server, more ...string) *toldApp {
	t.Helper()
	p := &toldApp{app: &app{s: s, redirect: "https://portal.example/cb"}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Server.Close)
	s.cli(t, "", p.app, append([]string{"app", "create", "--name", "Portal", "--redirect-uri", p.redirect, "--scope", "openid connect",
		"--post-logout-redirect-uri", "https://portal.example/bye", "--backchannel-logout-uri", p.URL + "/ended"}, more...)...)
	secret(kindSecret, p.Secret)
	return p
}

func (p *toldApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("logout_token")
	if r.Method != http.MethodPost || r.URL.Path != "/ended" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || token == "" || len(r.PostForm) != 1 {
		http.Error(w, "not a logout token", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.told = append(p.told, token)
	answer := p.answer
	p.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func (p *toldApp) answers(answer func(w http.ResponseWriter, r *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// heard returns what the app was told, once there are n tokens.
func (p *toldApp) heard(t testing.TB, n int, within time.Duration) []string {
	t.Helper()
	for until := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		got := append([]string{}, p.told...)
		p.mu.Unlock()
		if len(got) >= n || time.Now().After(until) {
			if len(got) != n {
				t.Errorf("the app was told %d times, want %d", len(got), n)
			}
			return got
		}
	}
}

// connectsIn connects the app in a browser where jane may be signed in, and returns
// its ID token and its tokens.
func (p *toldApp) connectsIn(t testing.TB, b *person, pairs ...string) (string, tokens) {
	t.Helper()
	v := p.authorization(append([]string{"scope", "openid connect"}, pairs...)...)
	r := b.open(t, "/authorize?"+v.Encode())
	if strings.Contains(string(r.Body), `action="/sign-in"`) {
		r = b.submit(t, "/sign-in", "sandbox", b.s.greet.Accounts[0].ID)
	}
	if r.Header.Get("Location") == "" {
		r = b.submit(t, "/consent", "action", "allow")
	}
	answer := b.s.post(t, "/token", p.redemption(redirected(t, p.app, r).Get("code")))
	if answer.Status != 200 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	return answer.text("id_token"), answer.tokens()
}

// said are the claims of a JWT, unchecked, and its header.
func said(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %.40s", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		must(t, err)
		must(t, json.Unmarshal(raw, into))
	}
	return header, claims
}

func logoutAt(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return "/oauth2/logout?" + v.Encode()
}

// BCL-2.4-a, BCL-2.4-b, BCL-2.5-a, BCL-2.7-a: an app signs a person out, and each app
// of that session is sent a logout token, which a foreign library verifies.
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	d := demo(t)
	one, two := newToldApp(t, d), newToldApp(t, d, "--id-token-alg", "ES256", "--scope", "openid", "--pairwise")
	none := newToldApp(t, d, "--backchannel-logout-uri", "")
	b := d.newPerson(t, newClient())
	hint, dies := one.connectsIn(t, b)
	_, stays := one.connectsIn(t, b, "scope", "openid connect offline_access")
	hers, _ := two.connectsIn(t, b, "scope", "openid")
	_, apart := none.connectsIn(t, b)
	r := b.open(t, logoutAt("id_token_hint", hint, "post_logout_redirect_uri", "https://portal.example/bye", "state", "s"))
	if r.Status != 303 || r.Header.Get("Location") != "https://portal.example/bye?state=s" {
		t.Fatalf("%d to %s", r.Status, r.Header.Get("Location"))
	}
	issuer, err := oidc.NewProvider(t.Context(), d.base)
	must(t, err)
	for _, c := range []struct {
		app       *toldApp
		hint      string
		algorithm string
	}{{one, hint, "RS256"}, {two, hers, "ES256"}} {
		token := c.app.heard(t, 1, 10*time.Second)[0]
		checked, err := issuer.VerifierContext(t.Context(), &oidc.Config{ClientID: c.app.ID, SupportedSigningAlgs: []string{c.algorithm}}).Verify(t.Context(), token)
		must(t, err)
		var claims struct {
			Session string                    `json:"sid"`
			ID      string                    `json:"jti"`
			Events  map[string]map[string]any `json:"events"`
			Nonce   *string                   `json:"nonce"`
		}
		must(t, checked.Claims(&claims))
		header, _ := said(t, token)
		_, of := said(t, c.hint)
		event, ok := claims.Events["http://schemas.openid.net/event/backchannel-logout"]
		if header["typ"] != "logout+jwt" || checked.Subject != of["sub"] || claims.Session == "" || claims.Session != of["sid"] || claims.ID == "" || !ok || len(event) != 0 || claims.Nonce != nil {
			t.Errorf("header %v, %+v, %+v", header, checked, claims)
		}
		if life := checked.Expiry.Sub(checked.IssuedAt); life <= 0 || life > 2*time.Minute {
			t.Errorf("it is good for %v", life)
		}
	}
	none.heard(t, 0, 500*time.Millisecond)
	one.over(t, dies)
	for a, tk := range map[*toldApp]tokens{one: stays, none: apart} {
		if r := d.info(t, tk.access); r.Status != 200 {
			t.Errorf("what stays is over: %d %s", r.Status, r.Body)
		}
		if r := d.post(t, "/refresh", with(a.credentials(), "refresh_token", tk.refresh)); r.Status != 200 {
			t.Errorf("what stays cannot be refreshed: %d %s", r.Status, r.Body)
		}
	}
}

// Whatever ends a session tells: the page for it, and the operator's commands while the
// server runs.
func TestEndedSessionsAreTold(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	p := newToldApp(t, d)
	jane := d.greet.Accounts[0].ID
	n := 0
	for name, end := range map[string]func(b *person){
		"sign out": func(b *person) {
			b.open(t, "/sign-out")
			b.submit(t, "/sign-out", "account", "all")
		},
		"disabled": func(*person) {
			d.cli(t, "", nil, "account", "disable", jane)
			d.cli(t, "", nil, "account", "enable", jane)
		},
		"ended": func(*person) { d.cli(t, "", nil, "connection", "end", "--account", jane, "--yes") },
	} {
		b := d.newPerson(t, newClient())
		p.connectsIn(t, b)
		end(b)
		n++
		if got := p.heard(t, n, 10*time.Second); len(got) != n {
			t.Fatalf("%s is not told", name)
		}
	}
}

// BCL-2.5-b: an app that hangs is not waited for.
func TestLogoutDoesNotWait(t *testing.T) {
	t.Parallel()
	d := demo(t)
	p := newToldApp(t, d)
	leave := make(chan struct{})
	defer close(leave)
	p.answers(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-leave:
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	b := d.newPerson(t, newClient())
	hint, _ := p.connectsIn(t, b)
	began := time.Now()
	r := b.open(t, logoutAt("id_token_hint", hint, "post_logout_redirect_uri", "https://portal.example/bye"))
	if took := time.Since(began); r.Status != 303 || took > time.Second {
		t.Errorf("%d after %v", r.Status, took)
	}
	p.heard(t, 1, 10*time.Second)
}

// BCL-2.5-b: what was not told when the server was killed is told by the next.
func TestLogoutSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := newDir()
	d := startDemo(t, dir)
	p := newToldApp(t, d)
	p.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	b := d.newPerson(t, newClient())
	hint, _ := p.connectsIn(t, b)
	if r := b.open(t, logoutAt("id_token_hint", hint)); r.Status != 200 {
		t.Fatal(r.Status)
	}
	d.kill()
	p.answers(nil)
	p.mu.Lock()
	tried := len(p.told)
	p.mu.Unlock()
	startDemo(t, dir)
	// At the latest when the lease of the one who was killed is over.
	got := p.heard(t, tried+1, time.Minute)
	_, claims := said(t, got[len(got)-1])
	if _, of := said(t, hint); claims["sid"] != of["sid"] || claims["aud"] != p.ID {
		t.Errorf("%v", claims)
	}
}

// BCL-2.5-b: two nodes share the work, and tell each thing once when nothing fails.
func TestLogoutNodes(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	nodes := startNodes(t, 2, database)
	p := newToldApp(t, nodes[0], "--database", database)
	const n = 12
	seen := map[any]int{}
	for i := range n {
		s := nodes[i%2]
		at := &toldApp{app: p.at(s), Server: p.Server}
		b := s.newPerson(t, newClient())
		hint, tk := at.connectsIn(t, b)
		began := time.Now()
		b.open(t, logoutAt("id_token_hint", hint))
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("signing out took %v", took)
		}
		// What ended with the session is over at the other node as well.
		p.at(nodes[(i+1)%2]).over(t, tk)
		_, claims := said(t, hint)
		seen[claims["sid"]] = 0
	}
	p.heard(t, n, 20*time.Second)
	time.Sleep(2 * time.Second)
	for _, token := range p.heard(t, n, 0) {
		_, claims := said(t, token)
		seen[claims["sid"]]++
	}
	for sid, times := range seen {
		if times != 1 {
			t.Errorf("the end of %v was told %d times", sid, times)
		}
	}
}
