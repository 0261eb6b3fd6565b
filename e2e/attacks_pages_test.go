//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Attacks on the pages: forms of other sites, other browsers and other
// sessions.
func TestAttackPages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a, evil := s.newApp(t, "https://c1.test/cb"), s.newApp(t, "https://evil.test/cb")
	password, id := s.newAccount(t, "victim", "Victim")
	attackerPassword, attackerID := s.newAccount(t, "attacker", "Attacker")
	atConsent := func(t *testing.T, a *app, user, password string) *person {
		t.Helper()
		p := s.newPerson(t, bare)
		p.open(t, "/authorize?"+a.authorization("prompt", "consent").Encode())
		p.signIn(t, user, password)
		p.form(t, "/consent")
		return p
	}
	nothing := func(t *testing.T, r *reply, status int) {
		t.Helper()
		pageOf(t, r, status)
		if strings.Contains(string(r.Body), "sym_ac_") {
			t.Error("the page holds a code")
		}
	}
	t.Run("B24 consent by a form of another site", func(t *testing.T) {
		victim := atConsent(t, a, "victim", password)
		own := victim.form(t, "/consent").fields
		attackers := atConsent(t, evil, "attacker", attackerPassword).form(t, "/consent").fields
		foreign := map[string][]option{
			"Sec-Fetch-Site":      {header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.test")},
			"a sibling":           {header("Sec-Fetch-Site", "same-site"), header("Origin", "http://sub.127.0.0.1")},
			"Origin alone":        {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, header("Origin", "https://evil.test")},
			"the origin null":     {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, header("Origin", "null")},
			"Sec-Fetch-Site none": nil, // the attacker's own flow, in the victim's browser
		}
		for name, opts := range foreign {
			for from, fields := range map[string]url.Values{"nothing": {}, "the victim's": own, "the attacker's": attackers} {
				if opts == nil && from == "the victim's" {
					continue // that is the victim
				}
				r := victim.postForm(t, "/consent", with(fields, "action", "allow", "client_id", evil.ID, "account", id), opts...)
				if t.Run(name+", flow: "+from, func(t *testing.T) { nothing(t, r, 403) }); t.Failed() {
					return
				}
			}
		}
		// The victim's own answer is still good.
		victim.page.Body = nil
		redirected(t, a, victim.postForm(t, "/consent", with(own, "action", "allow")))
	})
	t.Run("B25 sign-in by a form of another site", func(t *testing.T) {
		attacker := s.newPerson(t, bare)
		attacker.open(t, "/sign-in")
		f := attacker.form(t, "/sign-in")
		victim := s.newPerson(t, bare)
		v := with(f.fields, "username", "attacker", "password", attackerPassword)
		nothing(t, victim.postForm(t, "/sign-in", v, header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.test")), 403)
		nothing(t, victim.postForm(t, "/sign-in", v), 403) // no flow cookie
		victim.open(t, "/sign-in")
		nothing(t, victim.postForm(t, "/sign-in", v), 403) // another flow cookie
		nothing(t, victim.postForm(t, "/sign-in", with(v, "flow", "")), 403)
		if victim.cookie("symbolon-session") != "" {
			t.Error("the victim is signed in as the attacker")
		}
	})
	t.Run("B26 the attacker's flow in the victim's browser", func(t *testing.T) {
		attacker := s.newPerson(t, bare)
		attacker.open(t, "/authorize?"+evil.authorization("prompt", "consent").Encode())
		attacker.signIn(t, "attacker", attackerPassword)
		victim := s.newPerson(t, bare)
		victim.allow(t, a, "victim", password)
		nothing(t, victim.open(t, attacker.at.RequestURI()), 403) // /continue?flow=…
		nothing(t, victim.postForm(t, "/consent", with(attacker.form(t, "/consent").fields, "action", "allow")), 403)
		nothing(t, victim.postForm(t, "/choose", with(attacker.form(t, "/consent").fields, "account", id)), 403)
	})
	t.Run("B30 B31 B32 nothing that is added to the consent form counts", func(t *testing.T) {
		p := atConsent(t, a, "victim", password)
		r := p.submit(t, "/consent", "action", "allow", "scope", "connect other", "client_id", evil.ID, "redirect_uri", evil.redirect, "account", attackerID, "username", "attacker")
		code := redirected(t, a, r).Get("code")
		answer := s.post(t, "/token", a.redemption(code))
		tk := granted(t, answer)
		if answer.text("scope") != "connect" || s.info(t, tk.access).text("id") != id {
			t.Errorf("%s", answer.text("scope"))
		}
		redirectedWith(t, a, p.open(t, "/authorize?"+a.authorization("scope", "connect other", "prompt", "none").Encode()), "consent_required")
		redirectedWith(t, evil, p.open(t, "/authorize?"+evil.authorization("prompt", "none").Encode()), "consent_required")
	})
	t.Run("B32 a flow that was changed, or is of another page", func(t *testing.T) {
		p := s.newPerson(t, bare)
		p.open(t, "/authorize?"+a.authorization("prompt", "consent").Encode())
		signInFlow := p.form(t, "/sign-in").fields.Get("flow")
		p.signIn(t, "victim", password)
		f := p.form(t, "/consent").fields.Get("flow")
		for _, bad := range []string{"", "x", f[:len(f)-1], f + "A", strings.ToUpper(f), strings.Replace(f, f[20:24], "AAAA", 1), signInFlow} {
			r := p.postForm(t, "/consent", url.Values{"flow": {bad}, "action": {"allow"}})
			nothing(t, r, 403)
		}
		r := p.postForm(t, "/consent", url.Values{"flow": {f, signInFlow}, "action": {"allow"}})
		nothing(t, r, 403)
	})
	t.Run("B33 another session between page and answer", func(t *testing.T) {
		p := atConsent(t, a, "victim", password)
		shown := p.form(t, "/consent").fields
		p.open(t, "/sign-out")
		p.submit(t, "/sign-out", "account", "all")
		p.open(t, "/sign-in")
		p.signIn(t, "attacker", attackerPassword)
		// The page named the victim, who is not signed in now.
		r := p.postForm(t, "/consent", with(shown, "action", "allow"))
		if loc := r.Header.Get("Location"); strings.Contains(loc, "code=") {
			code := redirected(t, a, r).Get("code")
			tk := granted(t, s.post(t, "/token", a.redemption(code)))
			t.Errorf("a code for %s", s.info(t, tk.access).Body)
		}
	})
	t.Run("B34 cookies that were planted", func(t *testing.T) {
		planted := s.newPerson(t, bare)
		planted.open(t, "/sign-in")
		flow := planted.cookie("symbolon-flow")
		planted.signIn(t, "attacker", attackerPassword)
		session := planted.cookie("symbolon-session")
		victim := s.newPerson(t, bare)
		u, _ := url.Parse(s.base)
		victim.client.Jar.SetCookies(u, []*http.Cookie{{Name: "symbolon-session", Value: session, Path: "/"}, {Name: "symbolon-flow", Value: flow, Path: "/"}})
		victim.open(t, "/sign-in")
		victim.signIn(t, "victim", password)
		now := victim.cookie("symbolon-session")
		if now == "" || now == session {
			t.Fatal("the session's cookie is the planted one")
		}
		// The planted cookie does not know the victim.
		r := s.get(t, "/authorize?"+a.authorization("login_hint", "victim", "prompt", "none").Encode(), asBrowser, header("Cookie", "symbolon-session="+session))
		redirectedWith(t, a, r, "login_required")
		// Two cookies of one name: one of them was planted, and neither counts.
		r = s.get(t, "/authorize?"+a.authorization("prompt", "none").Encode(), asBrowser, header("Cookie", "symbolon-session="+session+"; symbolon-session="+now))
		redirectedWith(t, a, r, "login_required")
		// At the next sign-in it changes again.
		victim.open(t, "/sign-in")
		victim.signIn(t, "victim", password)
		if victim.cookie("symbolon-session") == now {
			t.Error("the session's cookie did not change at a sign-in")
		}
	})
	t.Run("B8 every way back carries iss", func(t *testing.T) {
		p := atConsent(t, a, "victim", password)
		redirectedWith(t, a, p.submit(t, "/consent", "action", "deny"), "access_denied") // it checks iss
	})
	t.Run("the consent form by GET does nothing", func(t *testing.T) {
		p := atConsent(t, a, "victim", password)
		f := p.form(t, "/consent").fields
		pageOf(t, p.open(t, "/consent?"+with(f, "action", "allow").Encode()), 405)
	})
}

// tries posts the sign-in page's form, and returns the page that answers. It
// may be called many times at once.
func (p *person) tries(t testing.TB, v url.Values, where option) (*reply, error) {
	r, err := trySend(p.client, request(t, http.MethodPost, p.s.base+"/sign-in", strings.NewReader(v.Encode()), asBrowser,
		header("Content-Type", "application/x-www-form-urlencoded"), header("Origin", p.s.base), header("Sec-Fetch-Site", "same-origin"), where))
	if err != nil || r.Status != http.StatusSeeOther {
		return r, err
	}
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	secret(kindPassing, to.Query().Get("flow"))
	return trySend(p.client, request(t, http.MethodGet, p.s.base+to.RequestURI(), nil, asBrowser, where))
}

// B52, B53: guessing is slowed, for one address and for a thousand, no stranger
// shuts anyone out, and the API does not feel it.
func TestAttackPasswords(t *testing.T) {
	t.Parallel()
	address, dir := freePort(t), newDir()
	client := newClient()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	s, out := start(t, dir, nil, "serve", "--listen", address, "--data", dir, "--base-url", "http://localhost", "--trusted-proxy", "127.0.0.1/32")
	s.watch(out)
	t.Cleanup(func() { s.stop() })
	s.base = "http://localhost" // the test speaks for the proxy
	if !eventually(func() bool {
		r, err := trySend(client, request(t, http.MethodGet, s.base+"/readyz", nil))
		return err == nil && r.Status == http.StatusOK
	}) {
		t.Fatal(s.logTail())
	}
	password, _ := s.newAccount(t, "owner", "Owner")
	from := func(n int) option {
		return header("X-Forwarded-For", fmt.Sprintf("203.0.%d.%d", 113+n/250, 1+n%250))
	}
	owner := s.newPerson(t, client)
	owner.open(t, "/sign-in", from(0))
	if r := owner.postForm(t, "/sign-in", with(owner.form(t, "/sign-in").fields, "username", "owner", "password", password), from(0)); r.Status >= 400 {
		t.Fatalf("the owner cannot sign in: %d", r.Status)
	}
	stranger := s.newPerson(t, client)
	stranger.open(t, "/sign-in")
	fields := with(stranger.form(t, "/sign-in").fields, "username", "owner", "password", "a wrong password")
	guess := func(n int) *reply {
		t.Helper()
		r, err := stranger.tries(t, fields, from(n))
		must(t, err)
		return r
	}
	slowed := func(r *reply) bool {
		if r.Status == 429 {
			if r.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			pageOf(t, r, 429)
			return true
		}
		if r.Status != 400 && r.Status != 503 {
			t.Fatalf("a wrong password: %d", r.Status)
		}
		return false
	}
	heard := 0
	for range 40 {
		if !slowed(guess(7)) {
			heard++
		}
	}
	if heard > 10 {
		t.Errorf("from one address, %d of 40 guesses at one account were heard", heard)
	}
	began := time.Now()
	heard = 0
	for n := range 170 {
		if !slowed(guess(10 + n)) {
			heard++
		}
	}
	if limit := 130 + int(time.Since(began)/(20*time.Second)); heard > limit {
		t.Errorf("from 170 addresses, %d of 170 guesses at one account were heard", heard)
	}
	// The owner is known to their browser, and signs in all the same.
	owner.open(t, "/sign-in", from(0))
	if r := owner.postForm(t, "/sign-in", with(owner.form(t, "/sign-in").fields, "username", "owner", "password", password), from(0)); r.Status >= 400 {
		t.Errorf("strangers have shut the owner out: %d\n%s", r.Status, visibleText(r.Body))
	}
	passwordFlood(t, s, stranger, fields, from)
}

// passwordFlood is B53: many sign-ins at once. Memory is bounded, the others
// wait or get 503, and step 4 is as quick as before.
func passwordFlood(t *testing.T, s *server, stranger *person, fields url.Values, from func(int) option) {
	t.Helper()
	before := s.resident(t)
	var wg sync.WaitGroup
	var busy, checked, slow atomic.Int64
	flooding := make(chan struct{})
	for n := range 200 {
		wg.Go(func() {
			v := with(fields, "username", fmt.Sprintf("someone-%d", n), "password", strings.Repeat("x", 1000))
			<-flooding
			r, err := stranger.tries(t, v, from(1000+n))
			switch {
			case err != nil:
				t.Error(err)
			case r.Status == 503 && r.Header.Get("Retry-After") != "":
				busy.Add(1)
			case r.Status == 400:
				checked.Add(1)
			case r.Status == 429:
				slow.Add(1)
			default:
				t.Errorf("%d", r.Status)
			}
		})
	}
	close(flooding)
	time.Sleep(30 * time.Millisecond)
	began := time.Now()
	for range 20 {
		if r := send(t, stranger.client, request(t, http.MethodGet, s.base+"/info", nil, bearer("x"))); r.Status != 401 {
			t.Errorf("/info: %d", r.Status)
		}
	}
	took := time.Since(began)
	peak := s.resident(t)
	wg.Wait()
	t.Logf("200 at once: %d checked, %d told to wait, %d busy; 20 calls of /info in %v; memory %d → %d MB", checked.Load(), slow.Load(), busy.Load(), took, before>>20, peak>>20)
	if took > 10*time.Second {
		t.Errorf("20 calls of /info took %v meanwhile", took)
	}
	if peak > before+400<<20 {
		t.Errorf("memory went from %d to %d MB", before>>20, peak>>20)
	}
}
