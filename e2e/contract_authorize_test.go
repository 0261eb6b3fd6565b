//go:build linux

package e2e

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Step 1 for an API caller: CONTRACT.md "Step 1", ledger A1 and A3.
func TestAuthorizeAsAPICaller(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	good := func(t *testing.T, r *reply) {
		t.Helper()
		if r.Status != 200 {
			t.Fatalf("status %d: %s", r.Status, r.Body)
		}
		isJSON(t, r)
		if code := r.text("code"); len(code) < 43 {
			t.Errorf("code %q is shorter than 43 characters", code)
		}
		if r.text("iss") != d.base {
			t.Errorf("iss %q, want %q byte for byte", r.text("iss"), d.base)
		}
		if got := r.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q", got)
		}
	}
	t.Run("code and iss, and no state when none was sent", func(t *testing.T) {
		r := a.authorize(t, a.authorization())
		good(t, r)
		if _, ok := r.JSON["state"]; ok {
			t.Error("a state came back that was not sent")
		}
	})
	t.Run("RFC6749-3.1-c an empty state counts as absent", func(t *testing.T) {
		v := a.authorization()
		v.Set("state", "")
		r := a.authorize(t, v)
		good(t, r)
		if _, ok := r.JSON["state"]; ok {
			t.Error("a state came back")
		}
	})
	t.Run("RFC6749-4.1.2-a state comes back byte for byte", func(t *testing.T) {
		for _, state := range states {
			r := a.authorize(t, a.authorization("state", state))
			good(t, r)
			if r.text("state") != state {
				t.Errorf("state %q came back as %q", state, r.text("state"))
			}
		}
	})
	t.Run("RFC6749-3.1-b unknown parameters are ignored", func(t *testing.T) {
		v := a.authorization("access_type", "offline", "extra", "foobar", "prompt", "consent")
		v["unknown"] = []string{"a", "b"}
		good(t, a.authorize(t, v))
	})
	t.Run("Accept that asks for no page", func(t *testing.T) {
		for _, accept := range []string{"", "*/*", "application/json", "application/json, text/plain, */*", "text/*;q=0.5",
			"text/html;q=0.5, application/json", "text/html;q=0, */*", "application/json;q=0.9, text/html;q=0.8", "nonsense", "text/html;q=nonsense", "text/htmlx"} {
			r := a.authorize(t, a.authorization(), header("Accept", accept))
			if r.Status != 200 || r.text("code") == "" {
				t.Errorf("Accept %q: %d %.80s", accept, r.Status, r.Body)
			}
		}
	})
	t.Run("Accept that asks for a page", func(t *testing.T) {
		for _, accept := range []string{"text/html", "text/html, application/json;q=0.5", "TEXT/HTML;q=0.9, */*;q=0.8",
			"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "*/*;q=0.1, text/html"} {
			r := a.authorize(t, a.authorization(), header("Accept", accept))
			if got := r.Header.Get("Content-Type"); r.Status != 200 || got != "text/html; charset=utf-8" {
				t.Errorf("Accept %q: %d %s", accept, r.Status, got)
			}
		}
	})
	t.Run("login_hint names another sandbox account", func(t *testing.T) {
		for _, acc := range d.greet.Accounts {
			for _, hint := range []string{acc.Username, acc.ID} {
				tk := a.connect(t, "login_hint", hint)
				r := d.info(t, tk.access)
				if r.text("id") != acc.ID || r.text("user") != acc.User {
					t.Errorf("login_hint %q: the token is for %s", hint, r.Body)
				}
			}
		}
		refused(t, a.authorize(t, a.authorization("login_hint", "nobody-of-this-name")), 400, "login_required")
	})
	t.Run("without a hint it is Jane Doe", func(t *testing.T) {
		r := d.info(t, a.connect(t).access)
		if r.text("id") != janeID || r.text("user") != "Jane Doe" {
			t.Errorf("%s", r.Body)
		}
	})
	t.Run("a session of a sandbox account changes nothing", func(t *testing.T) {
		p := d.newPerson(t, bare)
		p.open(t, "/sign-in")
		p.submit(t, "/sign-in", "sandbox", d.greet.Accounts[1].ID)
		if p.cookie("symbolon-session") == "" {
			t.Fatal("the button of a sandbox account does not sign in")
		}
		r := send(t, p.client, request(t, http.MethodGet, d.base+"/authorize?"+a.authorization().Encode(), nil))
		good(t, r)
		tk := granted(t, d.post(t, "/token", a.redemption(r.text("code"))))
		if r := d.info(t, tk.access); r.text("id") != d.greet.Accounts[1].ID {
			t.Errorf("the code is for %s, not for who is signed in", r.Body)
		}
	})
	t.Run("Sec-Fetch-Site: pages of other sites get no JSON", func(t *testing.T) {
		for _, site := range []string{"cross-site", "same-site"} {
			r := a.authorize(t, a.authorization(), header("Sec-Fetch-Site", site))
			if r.Status == 200 || r.text("code") != "" {
				t.Errorf("%s: %d %s", site, r.Status, r.Body)
			}
		}
		for _, site := range []string{"none", "same-origin"} {
			good(t, a.authorize(t, a.authorization(), header("Sec-Fetch-Site", site)))
		}
	})
	t.Run("RFC9700-2.6-a no CORS", func(t *testing.T) {
		r := a.authorize(t, a.authorization(), header("Origin", "https://evil.test"))
		o := send(t, bare, request(t, http.MethodOptions, d.base+"/authorize", nil, header("Origin", "https://evil.test"), header("Access-Control-Request-Method", "GET")))
		for _, r := range []*reply{r, o} {
			for name := range r.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: %s", name, r.Header.Get(name))
				}
			}
		}
	})
}

var states = []string{"a b", "a+b", "%2B", "a&b=c", "é ☃ \U0001F600", "user:42:/path?x=1#y", `"quoted\`, "'<script>", "=", "%", strings.Repeat("x", 1500)}

// want is a refusal of step 1 and what to change in a good request to get it.
type want struct {
	name   string
	change func(v url.Values)
	status int
	code   string
}

func set(pairs ...string) func(url.Values) {
	return func(v url.Values) {
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
	}
}

func unset(name string) func(url.Values) { return func(v url.Values) { v.Del(name) } }

func twice(name string) func(url.Values) {
	return func(v url.Values) { v[name] = append(v[name], v.Get(name)) }
}

// unproven are refusals before app and redirect URI are proven: never a redirect.
var unproven = []want{
	{"unknown client_id", set("client_id", "sym_app_nobodyhasthisone"), 404, "invalid_client"},
	{"RFC6749-4.1.2.1-a unknown client_id and evil redirect_uri", set("client_id", "nope", "redirect_uri", "https://evil.test/cb"), 404, "invalid_client"},
	{"client_id that cannot be one", set("client_id", "' OR 1=1 --"), 404, "invalid_client"},
	{"client_id missing", unset("client_id"), 400, "invalid_request"},
	{"client_id empty", set("client_id", ""), 400, "invalid_request"},
	{"RFC6749-3.1-d client_id repeated", twice("client_id"), 400, "invalid_request"},
	{"client_id with NUL", set("client_id", "sym_app\x00"), 400, "invalid_request"},
	{"redirect_uri missing", unset("redirect_uri"), 400, "invalid_request"},
	{"redirect_uri empty", set("redirect_uri", ""), 400, "invalid_request"},
	{"redirect_uri repeated", twice("redirect_uri"), 400, "invalid_request"},
	{"redirect_uri not registered", set("redirect_uri", "https://evil.test/cb"), 400, "invalid_request"},
	{"RFC6749-3.1.2.4-a evil redirect_uri beside other errors", set("redirect_uri", "https://evil.test/cb", "scope", "bad", "prompt", "none", "response_mode", "form_post"), 400, "invalid_request"},
	{"redirect_uri malformed", set("redirect_uri", "::::"), 400, "invalid_request"},
}

// proven are refusals after that: for a browser, a redirect.
var proven = []want{
	{"RFC6749-3.1.1-a response_type missing", unset("response_type"), 400, "invalid_request"},
	{"response_type repeated", twice("response_type"), 400, "invalid_request"},
	{"RFC6749-3.1.1-b response_type unknown", set("response_type", "foo"), 501, "unsupported_response_type"},
	{"RFC9700-2.1.2-a response_type token", set("response_type", "token"), 501, "unsupported_response_type"},
	{"response_type code token", set("response_type", "code token"), 501, "unsupported_response_type"},
	{"response_type id_token token", set("response_type", "id_token token"), 501, "unsupported_response_type"},
	{"response_type in another case", set("response_type", "CODE"), 501, "unsupported_response_type"},
	{"RFC6749-3.3-d scope missing", unset("scope"), 400, "invalid_request"},
	{"scope empty", set("scope", ""), 400, "invalid_request"},
	{"scope repeated", twice("scope"), 400, "invalid_request"},
	{"scope unknown", set("scope", "no-such-scope"), 400, "invalid_scope"},
	{"RFC6749-3.3-a scope in another case", set("scope", "Connect"), 400, "invalid_scope"},
	{"ASVS-10.4.11 scope beyond the registration", set("scope", "connect admin"), 400, "invalid_scope"},
	{"RFC6749-3.3-b scope with two spaces", set("scope", "connect  connect"), 400, "invalid_scope"},
	{"scope with a quote", set("scope", `connect "x"`), 400, "invalid_scope"},
	{"scope with markup", set("scope", "<script>alert(1)</script>"), 400, "invalid_scope"},
	{"RFC6749-3.1-d state repeated", twice2("state", "a", "b"), 400, "invalid_request"},
	{"state of 1 MB is too long for a redirect", nil, 0, ""}, // see TestAttackHTTP/B66
	{"FAPI2-PKCE-a plain", set("code_challenge", strings.Repeat("a", 43), "code_challenge_method", "plain"), 400, "invalid_request"},
	{"RFC7636-4.3-a no method", set("code_challenge", strings.Repeat("a", 43)), 400, "invalid_request"},
	{"RFC7636-4.4.1-a method S512", set("code_challenge", strings.Repeat("a", 43), "code_challenge_method", "S512"), 400, "invalid_request"},
	{"method s256", set("code_challenge", strings.Repeat("A", 43), "code_challenge_method", "s256"), 400, "invalid_request"},
	{"method without a challenge", set("code_challenge_method", "S256"), 400, "invalid_request"},
	{"RFC7636-4.2-b challenge of 42", set("code_challenge", strings.Repeat("A", 42), "code_challenge_method", "S256"), 400, "invalid_request"},
	{"challenge with padding", set("code_challenge", strings.Repeat("A", 43)+"=", "code_challenge_method", "S256"), 400, "invalid_request"},
	{"challenge in the other alphabet", set("code_challenge", strings.Repeat("A", 41)+"+/", "code_challenge_method", "S256"), 400, "invalid_request"},
	{"challenge repeated", func(v url.Values) {
		_, c := pkce()
		v["code_challenge"] = []string{c, c}
		v.Set("code_challenge_method", "S256")
	}, 400, "invalid_request"},
	{"RFC8707-2-a resource relative", set("resource", "r1.test"), 400, "invalid_target"},
	{"resource with a fragment", set("resource", "https://r1.test/#x"), 400, "invalid_target"},
	{"prompt none with another", set("prompt", "none login"), 400, "invalid_request"},
	{"prompt repeated", twice2("prompt", "none", "none"), 400, "invalid_request"},
}

func twice2(name, a, b string) func(url.Values) {
	return func(v url.Values) { v[name] = []string{a, b} }
}

func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	a := demo(t).theApp()
	run := func(t *testing.T, w want, check func(t *testing.T, v url.Values)) {
		t.Helper()
		if w.change == nil {
			return
		}
		t.Run(w.name, func(t *testing.T) {
			v := a.authorization()
			w.change(v)
			check(t, v)
		})
	}
	t.Run("API caller", func(t *testing.T) {
		for _, w := range append(unproven[:len(unproven):len(unproven)], proven...) {
			run(t, w, func(t *testing.T, v url.Values) {
				r := a.authorize(t, v)
				refused(t, r, w.status, w.code)
				if r.Header.Get("Location") != "" {
					t.Error("an API caller is redirected")
				}
			})
		}
	})
	t.Run("browser, unproven: a page", func(t *testing.T) {
		for _, w := range unproven {
			run(t, w, func(t *testing.T, v url.Values) {
				r := a.authorize(t, v, asBrowser)
				pageOf(t, r, w.status)
				if !bytes.Contains(r.Body, []byte(w.code)) || !bytes.Contains(r.Body, []byte(r.Header.Get("X-Request-Id"))) {
					t.Error("the page names neither the error nor the request")
				}
			})
		}
	})
	t.Run("browser, proven: a redirect", func(t *testing.T) {
		for _, w := range proven {
			run(t, w, func(t *testing.T, v url.Values) {
				sent := v.Get("state")
				if len(v["state"]) == 0 {
					sent = "x y+%2B"
					v.Set("state", sent)
				}
				if len(v["state"]) > 1 {
					sent = "" // which of the two cannot be known
				}
				q := redirectedWith(t, a, a.authorize(t, v, asBrowser), w.code)
				if q.Get("state") != sent {
					t.Errorf("state %q came back as %q", sent, q.Get("state"))
				}
			})
		}
	})
}

// asBrowser makes a request one that a browser's address bar makes.
func asBrowser(r *http.Request) {
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
}

// redirectedWith checks an error that is brought to the app (RFC 6749
// §4.1.2.1, RFC 9207) and returns its parameters.
func redirectedWith(t testing.TB, a *app, r *reply, code string) url.Values {
	t.Helper()
	q := redirected(t, a, r)
	if q.Get("error") != code {
		t.Errorf("error %q, want %q", q.Get("error"), code)
	}
	if !description.MatchString(q.Get("error_description")) {
		t.Errorf("error_description %q", q.Get("error_description"))
	}
	if q.Has("code") {
		t.Error("RFC6749-4.1.2.1-e: an error carries a code")
	}
	return q
}

// redirected checks a redirect to the app's own redirect URI and returns the
// parameters that were added.
func redirected(t testing.TB, a *app, r *reply) url.Values {
	t.Helper()
	location := r.Header.Get("Location")
	rest, ok := strings.CutPrefix(location, a.redirect)
	if r.Status != http.StatusSeeOther || !ok || rest == "" || !strings.Contains("?&", rest[:1]) {
		t.Fatalf("status %d, Location %q: want 303 to %q", r.Status, location, a.redirect)
	}
	q, err := url.ParseQuery(rest[1:])
	must(t, err)
	secret(kindSecret, q.Get("code"))
	for name, values := range q {
		switch name {
		case "code", "state", "iss", "error", "error_description", "error_uri":
		default:
			t.Errorf("the redirect has a parameter %s", name)
		}
		if len(values) != 1 {
			t.Errorf("%s is repeated", name)
		}
	}
	if q.Get("iss") != a.s.base {
		t.Errorf("RFC9207-2: iss %q, want %q", q.Get("iss"), a.s.base)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	if got := r.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy %q", got)
	}
	if strings.ContainsAny(location, "#\r\n ") {
		t.Errorf("Location %q", location)
	}
	return q
}

func TestAuthorizeBrowser(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	t.Run("prompt=none without a session goes back", func(t *testing.T) {
		redirectedWith(t, a, a.authorize(t, a.authorization("prompt", "none"), asBrowser), "login_required")
	})
	t.Run("no session: the sign-in page", func(t *testing.T) {
		r := a.authorize(t, a.authorization(), asBrowser)
		pageOf(t, r, 200)
		if !bytes.Contains(r.Body, []byte(`name="password"`)) {
			t.Error("it asks for no password")
		}
		if bytes.Index(r.Body, []byte(`name="sandbox"`)) < bytes.Index(r.Body, []byte(`name="password"`)) {
			t.Error("the sandbox accounts are not below the real form")
		}
		for _, acc := range d.greet.Accounts {
			if !bytes.Contains(r.Body, []byte(acc.User)) {
				t.Errorf("the sandbox account %s is no button", acc.User)
			}
		}
	})
	t.Run("the mismatch page shows what was sent and what is registered", func(t *testing.T) {
		r := a.authorize(t, a.authorization("redirect_uri", "https://www.make.com/oauth/cb/app-2"), asBrowser)
		pageOf(t, r, 400)
		text := visibleText(r.Body)
		for _, want := range []string{"https://www.make.com/oauth/cb/app-2", "https://www.make.com/oauth/cb/app"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s is not on the page:\n%s", want, text)
			}
		}
	})
	t.Run("RFC6749-3.1.2-b the redirect URI's own query stays as it is", func(t *testing.T) {
		b := d.newApp(t, "https://c1.test/cb?a=%2Fb&c")
		redirectedWith(t, b, b.authorize(t, b.authorization("scope", "nope"), asBrowser), "invalid_scope")
		e := d.newApp(t, "https://c1.test/cb?")
		r := e.authorize(t, e.authorization("scope", "nope"), asBrowser)
		if loc := r.Header.Get("Location"); !strings.HasPrefix(loc, "https://c1.test/cb?error=") {
			t.Errorf("Location %q", loc)
		}
	})
	t.Run("OAUTH21-4.1.2.1-a a public app must send a challenge", func(t *testing.T) {
		p := d.newApp(t, "https://spa.test/cb", "--public")
		redirectedWith(t, p, p.authorize(t, p.authorization(), asBrowser), "invalid_request")
		refused(t, p.authorize(t, p.authorization()), 400, "invalid_request")
	})
	t.Run("an owner may require PKCE of an app with a secret", func(t *testing.T) {
		p := d.newApp(t, "https://pkce.test/cb", "--require-pkce")
		refused(t, p.authorize(t, p.authorization()), 400, "invalid_request")
		_, challenge := pkce()
		p.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
	})
}
