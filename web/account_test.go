package web

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// connected gives an account a connection to an app, and returns it with an access token.
func (s *maryWorld) connected(account symbolon.AccountID, label string) symbolon.Connection {
	s.t.Helper()
	now := time.Now()
	c := symbolon.Connection{
		ID: symbolon.NewConnectionID(now), Account: account, Client: s.app.ID, Scope: symbolon.Scopes{symbolon.ScopeConnect},
		CreatedAt: now, RefreshedAt: now, ExpiresAt: now.Add(time.Hour), Label: label,
	}
	check(s.t, s.store.Allow(s.t.Context(), symbolon.Consent{Account: account, Client: s.app.ID, Scope: c.Scope, GrantedAt: now}))
	out, err := s.store.Connect(s.t.Context(), symbolon.Connect{Connection: c, CodeIssuedAt: now.Add(time.Millisecond), From: netip.MustParseAddr("192.0.2.7"), Now: now})
	check(s.t, err)
	if out != symbolon.Connected {
		s.t.Fatalf("not connected: %v", out)
	}
	return c
}

// live reports whether a connection lives, and what it is called.
func (s *maryWorld) live(id symbolon.ConnectionID) (bool, string) {
	s.t.Helper()
	found, err := s.store.Connections(s.t.Context(), symbolon.ConnectionQuery{ID: id, Limit: 1})
	check(s.t, err)
	return found[0].EndedAt.IsZero(), found[0].Label
}

// A person sees what is connected, names it, and ends it: one, those of an app, or all.
func TestMyConnections(t *testing.T) {
	s := newMary(t)
	one, two := s.connected(s.mary, ""), s.connected(s.mary, "<b>office</b>")
	b := s.browser()
	_, page := b.get("/account")
	wants(t, page, `name="password"`)
	_, page = b.password(page)
	for _, want := range []string{s.app.Name, one.ID.String(), two.ID.String(), "&lt;b&gt;office&lt;/b&gt;", "192.0.2.7", "This browser"} {
		wants(t, page, want)
	}
	_, page = b.send("/account", page, "action", "label", "connection", one.ID.String(), "label", "  at \u202e home ")
	wants(t, page, "The name is saved.")
	if _, label := s.live(one.ID); label != "at home" {
		t.Errorf("it is called %q", label)
	}
	_, page = b.send("/account", page, "action", "end", "connection", one.ID.String())
	wants(t, page, "The connection is over, everywhere.")
	if alive, _ := s.live(one.ID); alive {
		t.Error("it lives on")
	}
	if alive, _ := s.live(two.ID); !alive {
		t.Error("the other ended with it")
	}
	// What was allowed is remembered as long as there is another.
	if _, err := s.store.Consent(t.Context(), s.mary, s.app.ID); err != nil {
		t.Errorf("the consent: %v", err)
	}
	_, page = b.send("/account", page, "action", "end-app", "app", string(s.app.ID))
	wants(t, page, "No app is connected")
	if _, err := s.store.Consent(t.Context(), s.mary, s.app.ID); symbolon.KindOf(err) != symbolon.NotFound {
		t.Errorf("the consent outlives its connections: %v", err)
	}
	three := s.connected(s.mary, "")
	_, page = b.get("/account")
	_, page = b.send("/account", page, "action", "end-all")
	wants(t, page, "All connections are over")
	if alive, _ := s.live(three.ID); alive {
		t.Error("it lives on")
	}
	if n := len(s.sessions(b)); n != 1 {
		t.Errorf("%d sessions are left, want the one", n)
	}
}

// Nobody ends or names what is another's, without a page of their own, or from another
// browser.
func TestAnothersConnections(t *testing.T) {
	s := newMary(t)
	hers := s.connected(s.mary, "hers")
	other := symbolon.Account{ID: symbolon.NewAccountID(), Username: "eve", Name: "Eve", Password: s.account().Password, CreatedAt: time.Now()}
	check(t, s.store.PutAccount(t.Context(), other))
	var page string
	eve := s.browser()
	for _, b := range []*browserOf{s.browser(), eve} { // two, so that there is something to sign out of
		_, page = b.get("/account")
		_, page = b.send("/sign-in", page, "username", "eve", "password", maryPassword)
	}
	wants(t, page, "No app is connected")
	for _, form := range [][]string{
		{"action", "end", "connection", hers.ID.String()},
		{"action", "label", "connection", hers.ID.String(), "label", "taken"},
		{"action", "end-app", "app", string(s.app.ID)},
		{"action", "end-all"},
		{"action", "end", "connection", ""},
		{"action", "end", "connection", strings.Repeat("0", 32)},
	} {
		_, page = eve.get("/account")
		eve.send("/account", page, form...)
		if alive, label := s.live(hers.ID); !alive || label != "hers" {
			t.Fatalf("%v: another's connection lives %v, is called %q", form, alive, label)
		}
	}
	mary := s.browser()
	_, page = mary.get("/account")
	_, page = mary.password(page)
	session := s.sessions(mary)[0].Session.ID
	eve.send("/account", page, "action", "end", "connection", hers.ID.String()) // her page, in another browser
	_, evePage := eve.get("/account")
	eve.send("/account", evePage, "action", "sign-out", "session", session.String())
	if alive, _ := s.live(hers.ID); !alive || len(s.sessions(mary)) != 1 {
		t.Error("another browser ended what is hers")
	}
	// A form of one page is none of another.
	resp, _ := mary.post("/account/data", "flow", flowOf(t, page), "action", "delete", "username", "mary")
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a form of the page of connections deletes the account: %d", resp.StatusCode)
	}
	if a := s.account(); a.Username != "mary" {
		t.Error("the account is gone")
	}
}

// Signed in in two browsers, a person signs one out from the other.
func TestMyBrowsers(t *testing.T) {
	s := newMary(t)
	one, two := s.browser(), s.browser()
	for _, b := range []*browserOf{one, two} {
		_, page := b.get("/account")
		b.password(page)
	}
	_, page := one.get("/account")
	_, page = one.send("/account", page, "action", "sign-out", "session", s.sessions(two)[0].Session.ID.String())
	wants(t, page, "That browser is signed out.")
	if len(s.sessions(two)) != 0 || len(s.sessions(one)) != 1 {
		t.Errorf("%d sessions there, %d here; want 0 and 1", len(s.sessions(two)), len(s.sessions(one)))
	}
	_, page = two.get("/account")
	two.password(page)
	_, page = one.get("/account")
	_, page = one.send("/account", page, "action", "sign-out-all")
	wants(t, page, "everywhere but here")
	if len(s.sessions(two)) != 0 || len(s.sessions(one)) != 1 {
		t.Errorf("%d sessions there, %d here; want 0 and 1", len(s.sessions(two)), len(s.sessions(one)))
	}
}

// A new password needs the old one, and ends all else.
func TestMyPassword(t *testing.T) {
	s := newMary(t)
	c := s.connected(s.mary, "")
	b := s.browser()
	_, page := b.get("/account/details")
	_, page = b.password(page)
	for problem, form := range map[string][]string{
		"is another":    {"current", "wrong", "new", "a whole new password"},
		"too short":     {"current", maryPassword, "new", "short"},
		"Nothing was c": {"current", "", "new", "a whole new password"},
	} {
		_, again := b.post("/account/details", append([]string{"flow", flowOf(t, page), "action", "password"}, form...)...)
		wants(t, again, problem)
		if alive, _ := s.live(c.ID); !alive {
			t.Fatal("a refused change ended a connection")
		}
	}
	_, page = b.get("/account/details")
	_, page = b.send("/account/details", page, "action", "password", "current", maryPassword, "new", "a whole new password")
	wants(t, page, `name="password"`) // signed out, here too
	if alive, _ := s.live(c.ID); alive {
		t.Error("the connection lives on")
	}
	_, refused := b.password(page)
	wants(t, refused, "do not go together")
	_, page = b.send("/sign-in", refused, "username", "mary", "password", "a whole new password")
	wants(t, page, "My connections")
}

// A name that pages and apps can show is taken, and no other.
func TestMyName(t *testing.T) {
	s := newMary(t)
	b := s.browser()
	_, page := b.get("/account/details")
	_, page = b.password(page)
	for _, name := range []string{"", "  ", "a\u202eb", strings.Repeat("x", 81), "a\x00b"} {
		_, again := b.post("/account/details", "flow", flowOf(t, page), "action", "name", "name", name)
		wants(t, again, "A name has 1 to 80")
	}
	_, page = b.send("/account/details", page, "action", "name", "name", "Mary <i>Minor</i>")
	wants(t, page, "Mary &lt;i&gt;Minor")
	if name := s.account().Name; name != "Mary <i>Minor</i>" {
		t.Errorf("the name is %q", name)
	}
}

// The copy of one's data has what is kept and no secret; the account is deleted only by
// whoever types its username.
func TestMyData(t *testing.T) {
	s := newMary(t)
	c := s.connected(s.mary, "office")
	b := s.browser()
	s.setUp(b)
	s.edit(func(a *symbolon.Account) {
		a.Identities = []symbolon.Identity{{Issuer: "https://other.example", Subject: "sub-1", Name: "mary@example.com", AddedAt: a.CreatedAt}}
	})
	_, page := b.get("/account/data")
	// The session is by password alone, and the account has more: that is asked for first.
	resp, text := b.post("/account/data", "flow", flowOf(t, page), "action", "export")
	if resp.Header.Get("Content-Disposition") != "" {
		t.Fatal("the copy is given by a password alone")
	}
	_, text = b.follow(resp, text)
	_, text = b.send("/sign-in/code", text, "code", s.code())
	resp, text = b.post("/account/data", "flow", flowOf(t, text), "action", "export")
	if resp.Header.Get("Content-Disposition") == "" {
		t.Fatalf("%d:\n%.500s", resp.StatusCode, text)
	}
	var e exported
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v:\n%.500s", err, text)
	}
	if e.Username != "mary" || len(e.Connections) != 1 || e.Connections[0].ID != c.ID.String() || e.Connections[0].Label != "office" || len(e.Sessions) == 0 {
		t.Errorf("the copy: %+v", e)
	}
	if len(e.Identities) != 1 || e.Identities[0].Subject != "sub-1" {
		t.Errorf("who the person is elsewhere: %+v", e.Identities)
	}
	a := s.account()
	for _, secret := range []string{a.Password, string(a.Factors.App.Secret), s.secret} {
		if strings.Contains(text, secret) {
			t.Error("a secret is in it")
		}
	}
	_, page = b.get("/account/data")
	_, again := b.post("/account/data", "flow", flowOf(t, page), "action", "delete", "username", "jane")
	wants(t, again, "Nothing was deleted")
	s.edit(func(a *symbolon.Account) { a.Operator = true })
	_, again = b.post("/account/data", "flow", flowOf(t, page), "action", "delete", "username", "mary")
	wants(t, again, "another operator can")
	s.edit(func(a *symbolon.Account) { a.Operator = false })
	resp, _ = b.post("/account/data", "flow", flowOf(t, page), "action", "delete", "username", " MARY ")
	if to := resp.Header.Get("Location"); to != "/signed-out" {
		t.Fatalf("it leads to %q", to)
	}
	found, err := s.store.Accounts(t.Context(), symbolon.AccountQuery{ID: s.mary, Limit: 1})
	check(t, err)
	if len(found) != 0 {
		t.Error("the account is there still")
	}
	if alive, _ := s.live(c.ID); alive && !deletedCounts(s, c.ID) {
		t.Error("its connection lives on")
	}
}

// deletedCounts reports whether a connection of an account that is gone can be used by
// nobody: no row says so, the account's absence does.
func deletedCounts(s *maryWorld, id symbolon.ConnectionID) bool {
	out, err := s.store.Refresh(s.t.Context(), symbolon.Refresh{ID: id, Rotation: symbolon.RotateAlways, Now: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
	check(s.t, err)
	return out.Result == symbolon.RefreshDenied || out.Result == symbolon.RefreshEnded
}

// Whoever may not come in is asked who they are, and comes back to where they wanted.
func TestOwnPagesAskWhoItIs(t *testing.T) {
	s := newMary(t)
	for _, path := range []string{"/account", "/account?done=end", "/account/details", "/account/data"} {
		b := s.browser()
		_, page := b.get(path)
		wants(t, page, `name="password"`)
		resp, text := b.post("/sign-in", "flow", flowOf(t, page), "username", "mary", "password", maryPassword)
		for resp.StatusCode == http.StatusSeeOther {
			to := resp.Header.Get("Location")
			if u, err := url.Parse(to); err != nil || u.Host != "" {
				t.Fatalf("%s leads to %q", path, to)
			}
			if to == path {
				break
			}
			resp, text = b.get(to)
		}
		if resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: after the sign-in comes\n%.300s", path, text)
		}
	}
}

// What a person calls a connection on the consent page is what it is called.
func TestNamedOnTheConsentPage(t *testing.T) {
	s := newMary(t)
	b := s.browser()
	_, page := b.get(s.authorize())
	_, page = b.password(page)
	resp, _ := b.post("/consent", "flow", flowOf(t, page), "action", "allow", "label", " the  office \u202e")
	to, err := url.Parse(resp.Header.Get("Location"))
	check(t, err)
	code := to.Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %s", to)
	}
	resp, body := s.post(t, "/token", "grant_type", "authorization_code", "code", code, "redirect_uri", s.app.RedirectURIs[0], "client_id", string(s.app.ID), "client_secret", s.fixture.secret)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	found, err := s.store.Connections(t.Context(), symbolon.ConnectionQuery{Account: s.mary, Limit: 2})
	check(t, err)
	if len(found) != 1 || found[0].Label != "the office" || !found[0].UsedFrom.IsLoopback() {
		t.Errorf("the connection: %+v", found)
	}
}
