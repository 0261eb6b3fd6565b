package web

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// signsIn is a fixture whose app signs people in, and Jane with an address.
func signsIn(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.change(t, func(a *symbolon.App) {
		a.Scope = symbolon.Scopes{"connect", "openid", "profile", "email"}
		a.Settings.OpenID.IDTokenSigning = "ES256"
		a.RedirectURIs = append(a.RedirectURIs, "https://app.test/cb")
	})
	rows, err := f.store.Accounts(t.Context(), symbolon.AccountQuery{ID: jane, Limit: 1})
	check(t, err)
	rows[0].Profile = symbolon.Profile{GivenName: "Jane", Email: "jane@example.com", EmailVerified: true}
	check(t, f.store.PutAccount(t.Context(), rows[0]))
	return f
}

// change changes the fixture's app, and lets the node hear of it.
func (f *fixture) change(t *testing.T, change func(*symbolon.App)) {
	t.Helper()
	rows, err := f.store.Apps(t.Context(), symbolon.AppQuery{ID: f.app.ID, Limit: 1})
	check(t, err)
	change(&rows[0])
	check(t, f.store.PutApp(t.Context(), rows[0]))
	check(t, f.feed.Poll(t.Context()))
}

// grant is the answer of the token endpoint, for what is asked with changes.
func (f *fixture) grant(t *testing.T, changes ...string) map[string]any {
	t.Helper()
	_, a := f.call(t, "GET", f.authorize(changes...), nil)
	if a["code"] == nil {
		t.Fatalf("%q: %v", changes, a)
	}
	resp, b := f.post(t, "/oauth2/token", "grant_type", "authorization_code", "code", a["code"].(string), "redirect_uri", f.app.RedirectURIs[0])
	if resp.StatusCode != 200 {
		t.Fatalf("%d %v", resp.StatusCode, b)
	}
	return b
}

func TestUserinfoEndpoint(t *testing.T) {
	f := signsIn(t)
	tokens := f.grant(t, "scope", "openid email connect", "nonce", "n")
	token := tokens["access_token"].(string)
	if strings.Count(tokens["id_token"].(string), ".") != 2 {
		t.Errorf("the ID token is %v", tokens["id_token"])
	}
	bearer := []string{"Authorization", "Bearer " + token}
	want := map[string]any{"sub": jane, "email": "jane@example.com", "email_verified": true}
	form := url.Values{"access_token": {token}}
	// OIDCC-5.3.1-a, OIDCC-5.3.1-b: by GET and POST, in the header or a form.
	for name, ask := range map[string]func() (*http.Response, map[string]any){
		"GET":  func() (*http.Response, map[string]any) { return f.call(t, "GET", "/oauth2/userinfo", nil, bearer...) },
		"POST": func() (*http.Response, map[string]any) { return f.call(t, "POST", "/oauth2/userinfo", nil, bearer...) },
		"POST an empty form": func() (*http.Response, map[string]any) {
			return f.call(t, "POST", "/oauth2/userinfo", url.Values{}, bearer...)
		},
		"POST a form": func() (*http.Response, map[string]any) { return f.call(t, "POST", "/oauth2/userinfo", form) },
		"a script": func() (*http.Response, map[string]any) {
			return f.call(t, "GET", "/oauth2/userinfo", nil, append(bearer, "Origin", "https://app.test")...)
		},
	} {
		resp, got := ask()
		if resp.StatusCode != 200 || !reflect.DeepEqual(got, want) || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %v", name, resp.StatusCode, got, resp.Header)
		}
		if origin := resp.Header.Get("Access-Control-Allow-Origin"); (origin == "https://app.test") != (name == "a script") || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: answers scripts of %q", name, origin)
		}
	}
	// OIDCC-5.3.3-a: by RFC 6750.
	none := f.grant(t, "scope", "connect")["access_token"].(string)
	for _, c := range []struct {
		name      string
		method    string
		form      url.Values
		header    []string
		status    int
		challenge string
	}{
		{"no token", "GET", nil, nil, 401, `Bearer realm=`},
		{"an empty form", "POST", url.Values{}, nil, 401, `Bearer realm=`},
		// FAPI2 rule no-query-tokens.
		{"in the query", "GET", nil, nil, 401, `Bearer realm=`},
		{"an ID token", "GET", nil, []string{"Authorization", "Bearer " + tokens["id_token"].(string)}, 401, `error="invalid_token"`},
		{"an ID token in a form", "POST", url.Values{"access_token": {tokens["id_token"].(string)}}, nil, 401, `error="invalid_token"`},
		{"no openid", "GET", nil, []string{"Authorization", "Bearer " + none}, 403, `error="insufficient_scope"`},
		{"twice", "POST", form, bearer, 400, ""},
		{"twice in the form", "POST", url.Values{"access_token": {token, token}}, nil, 400, ""},
		{"another method", "PUT", nil, bearer, 405, ""},
	} {
		path := "/oauth2/userinfo"
		if c.name == "in the query" {
			path += "?access_token=" + token
		}
		resp, body := f.call(t, c.method, path, c.form, c.header...)
		got := resp.Header.Get("WWW-Authenticate")
		if resp.StatusCode != c.status || (got != "") != (c.challenge != "") || !strings.Contains(got, c.challenge) {
			t.Errorf("%s: %d %q %v", c.name, resp.StatusCode, got, body)
		}
		if strings.HasPrefix(c.challenge, "Bearer") && strings.Contains(got, "error=") {
			t.Errorf("%s: the challenge is %q", c.name, got)
		}
		if body["sub"] != nil || body["email"] != nil {
			t.Errorf("%s: %v", c.name, body)
		}
	}
	// The store is away: 503, never a refusal.
	f.faulty.FailNext("Accounts", storetest.Lost)
	if resp, _ := f.call(t, "GET", "/oauth2/userinfo", nil, bearer...); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("without the store: %d", resp.StatusCode)
	}
	// OIDCC-5.3.2-b: signed, where the app has it so.
	f.change(t, func(a *symbolon.App) { a.Settings.OpenID.UserinfoSigning = "ES256" })
	resp, _ := f.call(t, "GET", "/oauth2/userinfo", nil, bearer...)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/jwt" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("signed: %d %v", resp.StatusCode, resp.Header)
	}
	// OIDCC-5.3-a: over means over, here too.
	f.call(t, "GET", "/invalidate", nil, bearer...)
	if resp, _ := f.call(t, "GET", "/oauth2/userinfo", nil, bearer...); resp.StatusCode != 401 {
		t.Errorf("after the end: %d", resp.StatusCode)
	}
}

// OIDCD-3-b, RFC9470-7-a: what the metadata says of OpenID Connect, and of how strongly
// a person can sign in.
func TestOpenIDMetadata(t *testing.T) {
	f := newFixture(t)
	_, m := described(t, f, "/.well-known/openid-configuration")
	if m["userinfo_endpoint"] != f.URL+"/oauth2/userinfo" || m["claims_parameter_supported"] != true {
		t.Errorf("%v", m)
	}
	for name, want := range map[string][]string{
		"subject_types_supported": {"public", "pairwise"}, "id_token_signing_alg_values_supported": {"ES256"}, "userinfo_signing_alg_values_supported": {"ES256"},
		"claim_types_supported": {"normal"}, "acr_values_supported": {"1", "2"}, "prompt_values_supported": {"none", "login", "consent", "select_account"}, "display_values_supported": {"page"},
	} {
		if got := listOf(m[name]); !slices.Equal(got, want) {
			t.Errorf("%s is %q", name, got)
		}
	}
	for _, name := range []string{"sub", "iss", "auth_time", "acr", "email", "address"} {
		if !slices.Contains(listOf(m["claims_supported"]), name) {
			t.Errorf("claims_supported lacks %s", name)
		}
	}
}

// OIDCC-3.1.2.1-p: what an app says of the person comes escaped into the page, or not
// at all.
func TestLoginHintIsEscaped(t *testing.T) {
	f := signsIn(t)
	b := &browserOf{t: t, f: f, accept: "text/html"}
	resp, text := b.get(f.authorize("scope", "openid connect", "login_hint", `"><img src=x>`, "display", `"><b>`, "ui_locales", "<i>", "claims", `{"id_token":{"<u>":null}}`))
	if resp.StatusCode != 200 || !strings.Contains(text, "/sign-in") {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	for _, raw := range []string{"<img", "<b>", "<i>", "<u>"} {
		if strings.Contains(text, raw) {
			t.Errorf("the page has %s", raw)
		}
	}
}

// The page shows the sentence behind a claim that is asked for by name, and an app
// that demands a fresh sign-in gets one, once.
func TestSignInPages(t *testing.T) {
	f := signsIn(t)
	b := &browserOf{t: t, f: f, accept: "text/html"}
	_, text := b.get(f.authorize("scope", "openid", "claims", `{"userinfo":{"email":null}}`))
	resp, _ := b.post("/sign-in", "flow", flowOf(t, text), "sandbox", jane)
	_, text = b.get(resp.Header.Get("Location"))
	if !strings.Contains(text, ">openid<") && !strings.Contains(text, "openid") || !strings.Contains(text, "email") {
		t.Errorf("the consent page does not name email:\n%s", text)
	}
	resp, _ = b.post("/consent", "flow", flowOf(t, text), "action", "allow")
	if to, _ := url.Parse(resp.Header.Get("Location")); to.Query().Get("code") == "" {
		t.Fatalf("%v", resp.Header)
	}
	for _, fresh := range []string{"max_age", "prompt"} {
		value := map[string]string{"max_age": "0", "prompt": "login"}[fresh]
		resp, text = b.get(f.authorize("scope", "openid", fresh, value))
		if resp.StatusCode != 200 || !strings.Contains(text, "/sign-in") {
			t.Fatalf("%s: %d, no sign-in page", fresh, resp.StatusCode)
		}
		resp, _ = b.post("/sign-in", "flow", flowOf(t, text), "sandbox", jane)
		resp, _ = b.get(resp.Header.Get("Location"))
		if to, _ := url.Parse(resp.Header.Get("Location")); resp.StatusCode != 303 || to.Query().Get("code") == "" {
			t.Errorf("%s: it goes in circles: %d %v", fresh, resp.StatusCode, resp.Header)
		}
	}
	// prompt=none shows nothing, whatever is asked.
	for _, more := range []string{"max_age", "claims"} {
		value := map[string]string{"max_age": "0", "claims": `{"id_token":{"name":null}}`}[more]
		resp, _ = b.get(f.authorize("scope", "openid", "prompt", "none", more, value))
		if to, _ := url.Parse(resp.Header.Get("Location")); resp.StatusCode != 303 || !strings.HasSuffix(to.Query().Get("error"), "_required") {
			t.Errorf("%s: %d %v", more, resp.StatusCode, resp.Header)
		}
	}
}
