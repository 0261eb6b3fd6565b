package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

const bye = "https://app.test/bye"

// leaves is a fixture whose app takes part in signing out, and a browser in which
// Jane is signed in and has connected it; hint is the ID token that it got.
func leaves(t *testing.T) (f *fixture, b *browserOf, hint string) {
	t.Helper()
	f = signsIn(t)
	f.change(t, func(a *symbolon.App) {
		a.Settings.OpenID.PostLogoutRedirectURIs = []string{bye, "com.example.app:/bye"}
		a.Settings.OpenID.BackchannelLogoutURI = "https://app.test/ended"
	})
	b = &browserOf{t: t, f: f, accept: "text/html"}
	return f, b, f.hint(t, b)
}

// hint signs Jane in in a browser, connects the app and returns its ID token.
func (f *fixture) hint(t *testing.T, b *browserOf) string {
	t.Helper()
	resp, text := b.get(f.authorize("scope", "openid"))
	resp, _ = b.post("/sign-in", "flow", flowOf(t, text), "sandbox", jane)
	resp, text = b.get(resp.Header.Get("Location"))
	if resp.StatusCode == 200 {
		resp, _ = b.post("/consent", "flow", flowOf(t, text), "action", "allow")
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	check(t, err)
	resp, body := f.post(t, "/oauth2/token", "grant_type", "authorization_code", "code", to.Query().Get("code"), "redirect_uri", f.app.RedirectURIs[0])
	if resp.StatusCode != 200 {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	return body["id_token"].(string)
}

func logoutPath(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "/oauth2/logout?" + q.Encode()
}

// in reports whether someone is signed in in a browser.
func (b *browserOf) in() bool {
	b.t.Helper()
	_, text := b.get("/sign-out")
	return strings.Contains(text, `value="all"`)
}

// silent is the error of an authorization request with prompt=none.
func (b *browserOf) silent() string {
	b.t.Helper()
	resp, _ := b.get(b.f.authorize("scope", "openid", "prompt", "none"))
	u, err := url.Parse(resp.Header.Get("Location"))
	check(b.t, err)
	return u.Query().Get("error")
}

// RPL-2-b, RPL-2-c: the app's own ID token signs out at once, and leads back.
func TestLogoutByHint(t *testing.T) {
	for _, state := range []string{"", "a b\"<x>&c"} {
		f, b, hint := leaves(t)
		if b.silent() != "" {
			t.Fatal("not signed in")
		}
		resp, _ := b.get(logoutPath("id_token_hint", hint, "post_logout_redirect_uri", bye, "state", state))
		want := bye
		if state != "" {
			want += "?state=" + url.QueryEscape(state)
		}
		if resp.StatusCode != 303 || resp.Header.Get("Location") != want || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%d %v, want %s", resp.StatusCode, resp.Header, want)
		}
		if b.in() || b.silent() != "login_required" {
			t.Error("still signed in")
		}
		// Again, as by the back button: nobody is signed in, and the way back is the same.
		if resp, _ := b.get(logoutPath("id_token_hint", hint, "post_logout_redirect_uri", bye)); resp.Header.Get("Location") != bye {
			t.Errorf("again: %d", resp.StatusCode)
		}
		// The app is to be told.
		got, err := f.faulty.Claim(t.Context(), symbolon.Claim{Limit: 9, PerApp: 9, Lease: 1, Now: f.handler.Engine.Now()})
		if err != nil || len(got.Due) != 1 || got.Due[0].Client != f.app.ID {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// RPL-2-a: both ways of asking. By POST, a browser does not show its cookie to us, so
// it is sent on by GET; the ID token is in no address.
func TestLogoutByPost(t *testing.T) {
	f, b, hint := leaves(t)
	cookies := b.jar
	b.jar = nil
	resp, _ := b.post("/oauth2/logout", "id_token_hint", hint, "post_logout_redirect_uri", bye, "state", "s")
	on := resp.Header.Get("Location")
	if resp.StatusCode != 303 || !strings.HasPrefix(on, "/oauth2/logout?carried=") || strings.Contains(on, hint[:40]) || len(resp.Cookies()) != 0 {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	b.jar = cookies
	if resp, _ = b.get(on); resp.Header.Get("Location") != bye+"?state=s" || b.in() {
		t.Errorf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	// What is wrong stays wrong on the way.
	resp, _ = b.do("POST", "/oauth2/logout?state=x", url.Values{"state": {"y"}, "post_logout_redirect_uri": {bye}, "id_token_hint": {hint}})
	resp, text := b.get(resp.Header.Get("Location"))
	if resp.StatusCode != 400 || !strings.Contains(text, "mistake in the link") {
		t.Errorf("a state twice: %d %s", resp.StatusCode, text)
	}
	for _, path := range []string{"/oauth2/logout?carried=x", "/oauth2/logout?carried=" + hint, strings.Replace(on, "carried=", "carried=A", 1)} {
		if resp, _ := b.get(path); resp.StatusCode != 403 || resp.Header.Get("Location") != "" {
			t.Errorf("%.40s: %d", path, resp.StatusCode)
		}
	}
	// A form of ours is no such request, and the other way round.
	_, text = b.get("/sign-in")
	if resp, _ := b.get("/oauth2/logout?carried=" + url.QueryEscape(flowOf(t, text))); resp.StatusCode != 403 {
		t.Errorf("a flow is taken: %d", resp.StatusCode)
	}
	if resp, _ := b.post("/sign-out", "flow", strings.TrimPrefix(on, "/oauth2/logout?carried="), "account", "all"); resp.StatusCode != 403 {
		t.Errorf("it is taken for a flow: %d", resp.StatusCode)
	}
	if resp, _ := b.post("/oauth2/logout", "state", strings.Repeat("x", maxCarried)); resp.StatusCode != 413 {
		t.Errorf("too long: %d", resp.StatusCode)
	}
	if resp, _ := b.post("/oauth2/logout"); resp.Header.Get("Location") != "/oauth2/logout" {
		t.Errorf("nothing at all: %d", resp.StatusCode)
	}
	if resp, _ := f.call(t, "POST", "/oauth2/logout", nil); resp.StatusCode != 415 {
		t.Errorf("no form: %d", resp.StatusCode)
	}
	if resp, _ := f.call(t, "PUT", "/oauth2/logout", nil); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("%d, Allow: %s", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

// RPL-6-a, RPL-2-d, RPL-4-a: without an ID token the person is asked, signs out all the
// same, and goes back only where that is proven.
func TestLogoutAsks(t *testing.T) {
	for name, c := range map[string]struct {
		pairs  []string
		status int
		back   string
	}{
		"nothing":                {nil, 200, ""},
		"only state":             {[]string{"state", "x"}, 200, ""},
		"client_id":              {[]string{"client_id", "APP"}, 200, ""},
		"client_id and back":     {[]string{"client_id", "APP", "post_logout_redirect_uri", bye, "state", "s"}, 200, bye + "?state=s"},
		"a native app":           {[]string{"client_id", "APP", "post_logout_redirect_uri", "com.example.app:/bye"}, 200, "com.example.app:/bye"},
		"back of nobody":         {[]string{"post_logout_redirect_uri", bye, "state", "s"}, 400, ""},
		"not registered":         {[]string{"client_id", "APP", "post_logout_redirect_uri", bye + "?foo=bar"}, 400, ""},
		"a forged hint":          {[]string{"id_token_hint", "eyJhbGciOiJub25lIn0.e30.", "client_id", "APP", "post_logout_redirect_uri", bye}, 400, ""},
		"evil":                   {[]string{"post_logout_redirect_uri", "https://evil.test/", "client_id", "nobody"}, 400, ""},
		"another app's hint sid": {[]string{"logout_hint", "jane", "client_id", "APP"}, 200, ""},
	} {
		f, b, _ := leaves(t)
		for i, v := range c.pairs {
			if v == "APP" {
				c.pairs[i] = string(f.app.ID)
			}
		}
		resp, text := b.get(logoutPath(c.pairs...))
		if resp.StatusCode != c.status || resp.Header.Get("Location") != "" || !b.in() || !strings.Contains(text, "Jane Doe") {
			t.Errorf("%s: %d %s\n%s", name, resp.StatusCode, resp.Header.Get("Location"), text)
			continue
		}
		leads := !strings.Contains(resp.Header.Get("Content-Security-Policy"), "form-action")
		if leads != (c.back != "") || strings.Contains(text, "mistake in the link") != (c.status == 400) {
			t.Errorf("%s: leads %v\n%s", name, leads, text)
		}
		want := c.back
		if want == "" {
			want = "/signed-out"
		}
		resp, _ = b.post("/sign-out", "flow", flowOf(t, text), "account", "all")
		if resp.StatusCode != 303 || resp.Header.Get("Location") != want || b.in() {
			t.Errorf("%s: %d to %s", name, resp.StatusCode, resp.Header.Get("Location"))
		}
		// Nobody is signed in now.
		resp, text = b.get(logoutPath(c.pairs...))
		if resp.Header.Get("Location") != c.back || strings.Contains(text, "mistake in the link") != (c.status == 400) {
			t.Errorf("%s, with nobody: %d to %q", name, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// A form that ends a session belongs to the browser that it was shown in, and comes
// from our own page.
func TestLogoutForgery(t *testing.T) {
	f, b, hint := leaves(t)
	_, text := b.get(logoutPath("client_id", string(f.app.ID), "post_logout_redirect_uri", bye))
	thief := &browserOf{t: t, f: f, accept: "text/html"}
	thief.get("/sign-in")
	if resp, _ := thief.post("/sign-out", "flow", flowOf(t, text), "account", "all"); resp.StatusCode != 403 {
		t.Errorf("in another browser: %d", resp.StatusCode)
	}
	req, err := http.NewRequest("POST", f.URL+"/sign-out", strings.NewReader(url.Values{"flow": {flowOf(t, text)}, "account": {"all"}}.Encode()))
	check(t, err)
	req.Header.Set("Content-Type", formType)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	for name, value := range b.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	resp.Body.Close()
	if resp.StatusCode != 403 || !b.in() {
		t.Errorf("from another site: %d", resp.StatusCode)
	}
	// A look at the headers ends nothing.
	if resp, _ := b.do("HEAD", logoutPath("id_token_hint", hint), nil); resp.StatusCode != 200 || !b.in() {
		t.Errorf("HEAD: %d", resp.StatusCode)
	}
	// RPL-2-g: that of another browser's sign-in asks here.
	other := &browserOf{t: t, f: f, accept: "text/html"}
	hers := f.hint(t, other)
	if resp, _ := b.get(logoutPath("id_token_hint", hers, "post_logout_redirect_uri", bye)); resp.StatusCode != 200 || !b.in() || !other.in() {
		t.Errorf("%d", resp.StatusCode)
	}
}

// What is sent is on no page as markup, and only what the person knows is on it at all.
func TestLogoutInjection(t *testing.T) {
	f, b, _ := leaves(t)
	f.change(t, func(a *symbolon.App) { a.Name = `"><script>alert(1)</script>` })
	for _, name := range []string{"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"} {
		pairs := []string{"client_id", string(f.app.ID), name, `"><script>alert(2)</script>`}
		for _, in := range []*browserOf{b, {t: t, f: f, accept: "text/html"}} {
			_, text := in.get(logoutPath(pairs...))
			if strings.Contains(text, "<script>alert") || strings.Contains(text, "alert(2)") {
				t.Errorf("%s is on the page:\n%s", name, text)
			}
		}
	}
}

// An app that registered itself is gone back to by a link that shows where.
func TestLogoutOfStranger(t *testing.T) {
	f, b, _ := leaves(t)
	f.change(t, func(a *symbolon.App) { a.Settings.Registration = &symbolon.Registration{ClientID: string(a.ID)} })
	b.jar = nil
	resp, text := b.get(logoutPath("client_id", string(f.app.ID), "post_logout_redirect_uri", bye, "state", "s"))
	if resp.StatusCode != 200 || !strings.Contains(text, `href="`+bye+`?state=s"`) || !strings.Contains(text, "app.test") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// The store may be away.
func TestLogoutUnavailable(t *testing.T) {
	f, b, hint := leaves(t)
	for _, verb := range []string{"Sessions", "End"} {
		f.faulty.FailNext(verb, storetest.Lost)
		if resp, _ := b.get(logoutPath("id_token_hint", hint, "post_logout_redirect_uri", bye)); resp.StatusCode != 503 {
			t.Errorf("%s: %d", verb, resp.StatusCode)
		}
	}
	if !b.in() {
		t.Error("the session is gone")
	}
}

// RPL-2-a, BCL-2.1-a: what the metadata says of signing out.
func TestLogoutMetadata(t *testing.T) {
	f := newFixture(t)
	_, m := f.call(t, "GET", "/.well-known/openid-configuration", nil)
	if m["end_session_endpoint"] != f.URL+"/oauth2/logout" || m["backchannel_logout_supported"] != true || m["backchannel_logout_session_supported"] != true {
		t.Errorf("%v", m)
	}
	for _, name := range []string{"frontchannel_logout_supported", "check_session_iframe"} {
		if m[name] != nil {
			t.Errorf("%s: %v", name, m[name])
		}
	}
}
