//go:build linux

package e2e

import (
	"html"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The pages of a real server: sign in, choose, allow, deny.
func TestPages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a := s.newApp(t, "https://c1.test/cb", "--home", "https://c1.test/")
	janePassword, janeID := s.newAccount(t, "jane", "Jane Real")
	johnPassword, johnID := s.newAccount(t, "john", "John Real")
	who := func(t *testing.T, code string) string {
		t.Helper()
		return s.info(t, granted(t, s.post(t, "/token", a.redemption(code))).access).text("id")
	}
	t.Run("B27 every page keeps its headers; consent names app, site, account and scope", func(t *testing.T) {
		p := s.newPerson(t, bare)
		pageOf(t, p.open(t, "/authorize?"+a.authorization().Encode()), 200)
		pageOf(t, p.signIn(t, "jane", "a password that is wrong"), 400)
		pageOf(t, p.signIn(t, "jane", janePassword), 200)
		text := visibleText(p.page.Body)
		for _, want := range []string{"Test TestPages", "c1.test", "Jane Real", "connect", "Allows connection to resources"} {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
				t.Errorf("the consent page lacks %q:\n%s", want, text)
			}
		}
		p.submit(t, "/consent", "action", "other")
		pageOf(t, p.page, 200)
		p.signIn(t, "john", johnPassword)
		pageOf(t, p.open(t, "/authorize?"+a.authorization().Encode()), 200)
		p.form(t, "/choose")
		for _, path := range []string{"/sign-in", "/sign-out"} {
			pageOf(t, p.open(t, path), 200)
		}
		p.open(t, "/sign-out")
		pageOf(t, p.submit(t, "/sign-out", "account", "all"), 200)
		pageOf(t, p.open(t, "/nothing"), 404)
		pageOf(t, p.open(t, "/continue?flow=x"), 403)
	})
	t.Run("consent is remembered, and asked again when scopes grow", func(t *testing.T) {
		p := s.newPerson(t, bare)
		if got := who(t, p.allow(t, a, "jane", janePassword)); got != janeID {
			t.Errorf("the code is for %s", got)
		}
		r := p.open(t, "/authorize?"+a.authorization().Encode())
		redirected(t, a, r) // at once
		// B31, B30: more than before is asked for, by page or not at all.
		redirectedWith(t, a, p.open(t, "/authorize?"+a.authorization("scope", "connect other", "prompt", "none").Encode()), "consent_required")
		p.open(t, "/authorize?"+a.authorization("scope", "connect other").Encode())
		if !strings.Contains(visibleText(p.page.Body), "other") {
			t.Error("the page does not name the new scope")
		}
		if q := redirected(t, a, p.submit(t, "/consent", "action", "deny", "scope", "connect other")); q.Get("error") != "access_denied" || q.Has("code") {
			t.Errorf("denied: %v", q)
		}
		p.open(t, "/authorize?"+a.authorization("scope", "connect other").Encode())
		redirected(t, a, p.submit(t, "/consent", "action", "allow"))
		redirected(t, a, p.open(t, "/authorize?"+a.authorization("scope", "other connect").Encode()))
		// prompt=consent asks all the same.
		p.open(t, "/authorize?"+a.authorization("prompt", "consent").Encode())
		p.form(t, "/consent")
	})
	t.Run("an API caller with the person's session", func(t *testing.T) {
		b := s.newApp(t, "https://c2.test/cb")
		p := s.newPerson(t, bare)
		ask := func(opts ...option) *reply {
			t.Helper()
			return send(t, p.client, request(t, "GET", s.base+"/authorize?"+b.authorization("state", "x").Encode(), nil, opts...))
		}
		refused(t, ask(), 400, "login_required")
		p.open(t, "/sign-in")
		p.signIn(t, "john", johnPassword)
		refused(t, ask(), 400, "consent_required")
		p.allow(t, b, "", "")
		r := ask()
		if r.Status != 200 || r.text("code") == "" || r.text("state") != "x" || r.text("iss") != s.base {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if got := s.info(t, granted(t, s.post(t, "/token", b.redemption(r.text("code")))).access).text("id"); got != johnID {
			t.Errorf("the code is for %s", got)
		}
		if r := ask(header("Sec-Fetch-Site", "cross-site")); r.Status == 200 {
			t.Error("another site fetches a code")
		}
		if r := ask(header("Sec-Fetch-Site", "same-site")); r.Status == 200 {
			t.Error("a sibling site fetches a code")
		}
	})
	t.Run("two accounts in one browser", func(t *testing.T) {
		p := s.newPerson(t, bare)
		p.open(t, "/sign-in")
		p.signIn(t, "jane", janePassword)
		p.open(t, "/sign-in")
		p.signIn(t, "john", johnPassword)
		for id, hint := range map[string]string{janeID: "jane", johnID: "john"} {
			p.open(t, "/authorize?"+a.authorization("prompt", "consent").Encode())
			p.submit(t, "/choose", "account", id)
			if got := who(t, redirected(t, a, p.submit(t, "/consent", "action", "allow")).Get("code")); got != id {
				t.Errorf("chose %s, and the code is for %s", id, got)
			}
			if got := who(t, redirected(t, a, p.open(t, "/authorize?"+a.authorization("login_hint", hint).Encode())).Get("code")); got != id {
				t.Errorf("login_hint %s, and the code is for %s", hint, got)
			}
		}
		p.open(t, "/sign-out")
		p.submit(t, "/sign-out", "account", janeID)
		// B33: whose turn it is, is john's, and only john's.
		if got := who(t, redirected(t, a, p.open(t, "/authorize?"+a.authorization().Encode())).Get("code")); got != johnID {
			t.Errorf("after jane signed out, the code is for %s", got)
		}
		p.open(t, "/authorize?"+a.authorization("login_hint", "jane").Encode())
		p.form(t, "/sign-in")
	})
	t.Run("cancel leads back to the app", func(t *testing.T) {
		p := s.newPerson(t, bare)
		p.open(t, "/authorize?"+a.authorization("state", "z").Encode())
		if q := redirectedWith(t, a, p.submit(t, "/sign-in", "action", "cancel"), "access_denied"); q.Get("state") != "z" {
			t.Errorf("state %q", q.Get("state"))
		}
	})
	t.Run("prompt=login wants a fresh sign-in", func(t *testing.T) {
		p := s.newPerson(t, bare)
		p.allow(t, a, "jane", janePassword)
		p.open(t, "/authorize?"+a.authorization("prompt", "login").Encode())
		p.signIn(t, "jane", janePassword)
		redirected(t, a, p.page)
	})
	t.Run("RFC6749-10.2-a a public app on loopback is asked about each time", func(t *testing.T) {
		pub := s.newApp(t, "http://127.0.0.1/cb", "--public")
		p := s.newPerson(t, bare)
		_, challenge := pkce()
		pairs := []string{"code_challenge", challenge, "code_challenge_method", "S256", "redirect_uri", "http://127.0.0.1:4711/cb"}
		for range 2 {
			p.open(t, "/authorize?"+pub.authorization(pairs...).Encode())
			if strings.Contains(string(p.page.Body), `name="password"`) {
				p.signIn(t, "jane", janePassword)
			}
			p.form(t, "/consent")
			if r := p.submit(t, "/consent", "action", "allow"); !strings.HasPrefix(r.Header.Get("Location"), "http://127.0.0.1:4711/cb?code=") {
				t.Errorf("%d %s", r.Status, r.Header.Get("Location"))
			}
		}
	})
	t.Run("C22 a consent that is posted twice", func(t *testing.T) {
		p := s.newPerson(t, bare)
		p.open(t, "/authorize?"+a.authorization("prompt", "consent").Encode())
		p.signIn(t, "jane", janePassword)
		f := p.form(t, "/consent")
		first := redirected(t, a, p.postForm(t, "/consent", with(f.fields, "action", "allow"))).Get("code")
		second := redirected(t, a, p.postForm(t, "/consent", with(f.fields, "action", "allow"))).Get("code")
		one := granted(t, s.post(t, "/token", a.redemption(first)))
		if first == second {
			t.Error("one code was given twice")
		}
		granted(t, s.post(t, "/token", a.redemption(second)))
		a.alive(t, one)
	})
}

// Sessions end by sign-out, by the operator, and with the account.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a := s.newApp(t, "https://c1.test/cb")
	for name, end := range map[string]func(t *testing.T, p *person, user string){
		"signed out": func(t *testing.T, p *person, _ string) {
			p.open(t, "/sign-out")
			p.submit(t, "/sign-out", "account", "all")
		},
		"disabled": func(t *testing.T, _ *person, user string) { s.cli(t, "", nil, "account", "disable", user) },
		"another password": func(t *testing.T, _ *person, user string) {
			s.cli(t, newPassword()+"\n", nil, "account", "set-password", user, "--password-stdin")
		},
		"all ended": func(t *testing.T, _ *person, user string) {
			s.cli(t, "", nil, "connection", "end", "--account", user, "--yes")
		},
		"deleted": func(t *testing.T, _ *person, user string) { s.cli(t, "", nil, "account", "delete", user, "--yes") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := "user-" + strings.ReplaceAll(name, " ", "-")
			password, _ := s.newAccount(t, user, "Someone")
			p := s.newPerson(t, bare)
			code := p.allow(t, a, user, password)
			tk := granted(t, s.post(t, "/token", a.redemption(code)))
			pending := p.allow(t, a, "", "")
			p.open(t, "/authorize?"+a.authorization("prompt", "consent").Encode())
			consent := p.form(t, "/consent")
			before := p.cookie("symbolon-session")
			end(t, p, user)
			if r := p.open(t, "/authorize?"+a.authorization("prompt", "none").Encode()); redirected(t, a, r).Get("error") != "login_required" {
				t.Errorf("the session lives: %s", r.Header.Get("Location"))
			}
			// An open consent page does not go through (B100), and an old cookie is nothing.
			r := p.postForm(t, "/consent", with(consent.fields, "action", "allow"))
			if loc := r.Header.Get("Location"); strings.Contains(loc, "code=") {
				t.Error("an open consent page still gives a code")
			}
			if r := s.get(t, "/authorize?"+a.authorization().Encode(), header("Cookie", "symbolon-session="+before)); r.Status == 200 {
				t.Error("the old cookie still gives a code")
			}
			if name == "signed out" {
				a.alive(t, tk) // apps stay connected
				granted(t, s.post(t, "/token", a.redemption(pending)))
			} else {
				a.over(t, tk)
				refused(t, s.post(t, "/token", a.redemption(pending)), 400, "invalid_grant") // B7
			}
			p.open(t, "/authorize?"+a.authorization("prompt", "login").Encode())
			if r := p.signIn(t, user, password); name != "signed out" && name != "all ended" && r.Status < 400 {
				t.Errorf("signs in again: %d", r.Status)
			}
		})
	}
	t.Run("B7 consent withdrawn between code and redemption", func(t *testing.T) {
		t.Parallel()
		password, _ := s.newAccount(t, "withdraws", "Someone")
		p := s.newPerson(t, bare)
		code := p.allow(t, a, "withdraws", password)
		s.cli(t, "", nil, "connection", "end", "--account", "withdraws", "--app", a.ID, "--yes")
		refused(t, s.post(t, "/token", a.redemption(code)), 400, "invalid_grant")
		p.open(t, "/authorize?"+a.authorization().Encode())
		p.form(t, "/consent")
	})
}

// Who signs in: names are normal, errors say nothing of whether a name is
// known, and take the same time (B51).
func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	password, _ := s.newAccount(t, "known-person", "Known")
	p := s.newPerson(t, bare)
	p.open(t, "/sign-in")
	try := func(username string) (string, time.Duration) {
		f := p.form(t, "/sign-in")
		began := time.Now()
		r := p.postForm(t, "/sign-in", with(f.fields, "username", username, "password", "a wrong password entirely"))
		took := time.Since(began)
		pageOf(t, r, 400)
		text := string(r.Body)
		for _, f := range forms(r.Body) {
			if flow := f.fields.Get("flow"); flow != "" {
				text = strings.ReplaceAll(text, flow, "FLOW")
			}
			if back := f.fields.Get("back"); back != "" { // where the choice of a language leads, with a flow of its own
				text = strings.ReplaceAll(text, html.EscapeString(back), "BACK")
			}
		}
		return strings.ReplaceAll(text, username, "NAME"), took
	}
	best := map[string]time.Duration{}
	pages := map[string]string{}
	for range 4 {
		for _, username := range []string{"known-person", "other-person"} {
			page, took := try(username)
			if best[username] == 0 || took < best[username] {
				best[username] = took
			}
			pages[username] = page
		}
	}
	if pages["known-person"] != pages["other-person"] {
		t.Error("the pages for a known and an unknown name differ")
	}
	k, u := best["known-person"], best["other-person"]
	if k > 3*u || u > 3*k {
		t.Errorf("a known name takes %v, an unknown one %v", k, u)
	}
	// B102: what is typed is brought to its normal form.
	if r := p.signIn(t, "ＫNOWN-person", password); r.Status >= 400 {
		t.Errorf("%d\n%s", r.Status, visibleText(r.Body))
	}
	if _, _, status := command(t, password+"\n", "account", "create", "--data", s.dir, "--username", "KNOWN-Person", "--name", "Twin", "--password-stdin"); status == 0 {
		t.Error("two accounts whose names differ in case only")
	}
	for _, bad := range []url.Values{{"username": {""}, "password": {"x"}}, {"username": {"x"}, "password": {""}}, {"username": {"known-person"}, "password": {strings.Repeat("x", 60_000)}}, {}} {
		p := s.newPerson(t, bare)
		p.open(t, "/sign-in")
		f := p.form(t, "/sign-in")
		if r := p.postForm(t, "/sign-in", with(bad, "flow", f.fields.Get("flow"))); r.Status != 400 && r.Status != 429 || p.cookie("symbolon-session") != "" {
			t.Errorf("%v: %d", bad, r.Status)
		}
	}
}
