package web

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

const formType = "application/x-www-form-urlencoded"

// apis are the endpoints of the standard surface that programs call.
var apis = []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/device_authorization"}

// with registers another app, which proves itself by f.secret, and returns its id.
func (f *fixture) with(t testing.TB, name string, change func(*symbolon.App)) string {
	t.Helper()
	app := symbolon.App{ID: symbolon.ClientID("sym_app_" + name), Name: name, Secrets: f.app.Secrets, Scope: symbolon.Scopes{"connect", "other"}, CreatedAt: f.app.CreatedAt, Rotation: symbolon.RotateAlways}
	if change(&app); app.Public {
		app.Secrets = nil
	}
	check(t, f.store.PutApp(t.Context(), app))
	check(t, f.feed.Poll(t.Context()))
	return string(app.ID)
}

// post sends a form with the sandbox app's credentials, changed by pairs.
func (f *fixture) post(t testing.TB, path string, pairs ...string) (*http.Response, map[string]any) {
	t.Helper()
	form := url.Values{"client_id": {string(f.app.ID)}, "client_secret": {f.secret}}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return f.call(t, "POST", path, form)
}

func basicAuth(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// refusal checks what holds for every refusal at an API endpoint: JSON, of one
// shape, kept by no one (RFC6749-5.1-b, RFC6749-5.2-e).
func refusal(t *testing.T, what string, resp *http.Response, body map[string]any, status int, code string) {
	t.Helper()
	if resp.StatusCode != status || body["error"] != code {
		t.Errorf("%s: %d %v, want %d %s", what, resp.StatusCode, body, status, code)
	}
	description, _ := body["error_description"].(string)
	if resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Pragma") != "no-cache" || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
		!regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`).MatchString(description) || body["error_uri"] == nil || body["request_id"] != resp.Header.Get("X-Request-Id") || body["access_token"] != nil {
		t.Errorf("%s: %v %v", what, resp.Header, body)
	}
	if resp.StatusCode == 401 && resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s: %d with WWW-Authenticate %q", what, resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
	}
}

// RFC6749-5.2-a, RFC6749-5.2-c, RFC7009-2.1-a, RFC7662-2.1-a, CLIENTS-18: the
// RFCs' statuses where the page has its own.
func TestStandardStatuses(t *testing.T) {
	f := newFixture(t)
	m1 := f.with(t, "m1", func(a *symbolon.App) { a.Settings.Grants = []symbolon.GrantType{symbolon.GrantClient} })
	for _, tt := range []struct {
		pairs  string
		status int
		code   string
	}{
		{"grant_type=foo", 400, "unsupported_grant_type"}, {"grant_type=password&username=jane&password=x", 400, "unsupported_grant_type"}, {"", 400, "invalid_request"},
		{"grant_type=authorization_code", 400, "invalid_request"}, {"grant_type=authorization_code&code=x&redirect_uri=x", 400, "invalid_grant"},
		{"grant_type=refresh_token&refresh_token=x", 400, "invalid_grant"}, {"grant_type=refresh_token", 400, "invalid_request"},
		{"grant_type=refresh_token&refresh_token=x&client_id=" + m1, 400, "unauthorized_client"},
		{"grant_type=client_credentials&scope=admin", 400, "invalid_scope"}, {"grant_type=client_credentials&resource=x", 400, "invalid_target"},
		{"grant_type=client_credentials&authorization_details=x", 400, "invalid_authorization_details"},
		{"grant_type=client_credentials&client_id=sym_app_nope", 401, "invalid_client"}, {"grant_type=client_credentials&client_secret=wrong", 401, "invalid_client"},
		{"grant_type=client_credentials&client_secret=", 401, "invalid_client"}, {"grant_type=client_credentials&client_id=", 400, "invalid_request"},
		{"grant_type=" + string(symbolon.GrantDevice) + "&device_code=x", 400, "invalid_grant"}, {"grant_type=" + string(symbolon.GrantExchange), 400, "unauthorized_client"},
	} {
		var pairs []string
		for pair := range strings.SplitSeq(tt.pairs, "&") {
			name, value, _ := strings.Cut(pair, "=")
			pairs = append(pairs, name, value)
		}
		resp, body := f.post(t, "/oauth2/token", pairs...)
		refusal(t, tt.pairs, resp, body, tt.status, tt.code)
		if text := body["error_description"].(string); tt.pairs == "" && !strings.Contains(text, "grant_types_supported") {
			t.Errorf("without a grant_type: %s", text)
		}
	}
	for _, path := range apis {
		for _, who := range []string{string(f.app.ID), "sym_app_nope"} {
			for _, form := range []url.Values{{"token": {"x"}, "grant_type": {"client_credentials"}}} {
				resp, body := f.call(t, "POST", path, form, "Authorization", basicAuth(who, "wrong"))
				refusal(t, path, resp, body, 401, "invalid_client")
				if got := resp.Header.Values("WWW-Authenticate"); len(got) != 1 || !strings.HasPrefix(got[0], "Basic realm=") {
					t.Errorf("%s: %q", path, got)
				}
			}
			resp, body := f.post(t, path, "client_id", who, "client_secret", "wrong", "token", "x", "grant_type", "client_credentials")
			refusal(t, path, resp, body, 401, "invalid_client")
		}
		resp, body := f.post(t, path, "client_id", string(f.app.ID), "client_secret", f.secret, "Authorization", "x")
		if path != "/oauth2/device_authorization" {
			refusal(t, path, resp, body, 400, "invalid_request") // token or grant_type is missing
		}
		resp, body = f.call(t, "POST", path, url.Values{"token": {"x"}, "grant_type": {"client_credentials"}}, "Authorization", "Bearer x")
		refusal(t, path, resp, body, 400, "invalid_request")
	}
	for _, path := range []string{"/oauth2/revoke", "/oauth2/introspect"} {
		resp, body := f.call(t, "POST", path, url.Values{"token": {"x"}})
		refusal(t, path, resp, body, 401, "invalid_client")
	}
	// RFC6749-5.2-d: RFC 6749 §2.3.
	resp, body := f.call(t, "POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_secret": {"other"}}, "Authorization", basicAuth(string(f.app.ID), f.secret))
	refusal(t, "two methods", resp, body, 400, "invalid_request")
	// The page's own stay as they are.
	resp, body = f.post(t, "/token", "grant_type", "client_credentials")
	refusal(t, "the page", resp, body, 501, "unsupported_grant_type")
	resp, body = f.post(t, "/token", "grant_type", "authorization_code", "client_id", "sym_app_nope")
	refusal(t, "the page", resp, body, 404, "invalid_client")
}

// CLIENTS-7, B70, B71, B66, RFC6749-3.2-a, RFC7009-2-a: JSON, whatever goes wrong,
// also to who prefers HTML.
func TestStandardErrorsAreJSON(t *testing.T) {
	f := newFixture(t)
	html := []string{"Accept", "text/html,*/*;q=0.8"}
	for _, path := range apis {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			resp, body := f.call(t, method, path, nil, html...)
			refusal(t, method+" "+path, resp, body, 405, "invalid_request")
			if resp.Header.Get("Allow") != "POST" {
				t.Errorf("%s %s: Allow %q", method, path, resp.Header.Get("Allow"))
			}
		}
		resp, err := http.Head(f.URL + path)
		check(t, err)
		if resp.StatusCode != 405 || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("HEAD %s: %d", path, resp.StatusCode)
		}
		resp, body := f.call(t, "GET", path, nil, "X-HTTP-Method-Override", "POST")
		refusal(t, "an override", resp, body, 405, "invalid_request")
		for contentType, want := range map[string]int{
			"": 415, "text/plain": 415, "multipart/form-data; boundary=x": 415, formType + ";charset=utf-16": 415, "application/json; charset=latin1": 415, "application/jwt": 415, "nonsense;;": 415,
		} {
			resp, body := f.send(t, "POST", path, "token=x&grant_type=client_credentials", "Content-Type", contentType, "Accept", "text/html")
			refusal(t, path+" "+contentType, resp, body, want, "invalid_request")
		}
		for text, contentType := range map[string]string{
			"{": "application/json", "[]": "application/json", `{"token":1}`: "application/json", `{"token":"x"}{}`: "application/json", `{"a":` + strings.Repeat("[", 10_000): "application/json",
			`{"client_id":"a","client_id":"b","grant_type":"client_credentials","token":"x"}`: "application/json", `{"token":"x"}`: formType, "client_id=%00&grant_type=client_credentials&token=x": formType,
			strings.Repeat("a=b&", 101): formType, "client_id=a&client_id=b&token=x&grant_type=client_credentials": formType, "\xff\xfe": "application/json",
		} {
			resp, body := f.send(t, "POST", path, text, "Content-Type", contentType)
			if path == "/oauth2/revoke" || path == "/oauth2/introspect" {
				if strings.HasPrefix(text, `{"token":1}`) { // who asks comes first, and says nothing
					continue
				}
			}
			if resp.StatusCode != 400 {
				t.Errorf("%s %.40q: %d %v", path, text, resp.StatusCode, body)
			}
			refusal(t, path, resp, body, 400, "invalid_request")
		}
		for _, body := range []io.Reader{strings.NewReader(strings.Repeat("a", maxBody+1)), io.LimitReader(zeros{}, maxBody+1)} { // with a length, and in chunks
			req, _ := http.NewRequestWithContext(t.Context(), "POST", f.URL+path, body)
			req.Header.Set("Content-Type", formType)
			resp, err := http.DefaultTransport.RoundTrip(req)
			check(t, err)
			raw, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 413 || resp.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(string(raw), `{"error":"invalid_request"`) {
				t.Errorf("%s: %d %s", path, resp.StatusCode, raw)
			}
		}
		resp, body = f.call(t, "POST", path, url.Values{"token": {"x"}}, "X-Long", strings.Repeat("x", maxHeader+1)) // B67
		refusal(t, "a long header", resp, body, 431, "invalid_request")
		resp, body = f.call(t, "POST", path+"?x="+strings.Repeat("x", maxTarget), url.Values{"token": {"x"}})
		refusal(t, "a long address", resp, body, 414, "invalid_request")
		// RFC6749-2.3.1-c, B20: nothing of it is read from the query.
		for _, query := range []string{"token=x", "client_secret=x", "code=x", "client_id=x", "subject_token=x", "device_code=x", "refresh_token=x"} {
			resp, body = f.post(t, path+"?"+query, "token", "x", "grant_type", "client_credentials")
			refusal(t, path+"?"+query, resp, body, 400, "invalid_request")
		}
		// Paths have one spelling, and what is not there is JSON as well.
		for _, other := range []string{path + "/", "/" + path, strings.ToUpper(path), path + "%2f", path + "/../token", path + ";x"} {
			if resp, body := f.call(t, "POST", other, url.Values{}); resp.StatusCode != 404 || body["error"] != "invalid_request" {
				t.Errorf("%s: %d %v", other, resp.StatusCode, body)
			}
		}
	}
	for _, path := range []string{"/oauth2/jwks", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		resp, body := f.call(t, "POST", path, url.Values{}, html...)
		refusal(t, path, resp, body, 405, "invalid_request")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// RFC6749-5.2-f, RFC7009-2.2.1-a, CLIENTS-17: the store is away: 503 with
// Retry-After, and nothing is lost.
func TestStandardAndAStoreThatFails(t *testing.T) {
	f := newFixture(t)
	tokens := f.tokens(t)
	_, device := f.post(t, "/oauth2/device_authorization")
	for _, tt := range []struct {
		verb, path string
		pairs      []string
		again      int // when it was applied but not answered
	}{
		{"Refresh", "/oauth2/token", []string{"grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)}, 200},
		{"Once", "/oauth2/token", []string{"grant_type", string(symbolon.GrantDevice), "device_code", device["device_code"].(string)}, 400},
		{"Once", "/oauth2/device_authorization", nil, 200},
		{"Connections", "/oauth2/introspect", []string{"token", tokens["refresh_token"].(string)}, 200},
		{"End", "/oauth2/revoke", []string{"token", tokens["access_token"].(string)}, 200},
	} {
		for _, fault := range storetest.Faults {
			f.faulty.FailNext(tt.verb, fault)
			resp, body := f.post(t, tt.path, tt.pairs...)
			refusal(t, tt.verb+" "+fault.String(), resp, body, 503, "temporarily_unavailable")
			if resp.Header.Get("Retry-After") != "1" {
				t.Errorf("%s: Retry-After %q", tt.verb, resp.Header.Get("Retry-After"))
			}
			if tt.verb == "End" {
				continue
			}
			if resp, body := f.post(t, tt.path, tt.pairs...); resp.StatusCode != tt.again {
				t.Errorf("%s %s, and again: %d %v", tt.verb, fault, resp.StatusCode, body)
			}
		}
	}
	if resp, body := f.post(t, "/oauth2/revoke", "token", tokens["refresh_token"].(string)); resp.StatusCode != 200 {
		t.Errorf("%d %v", resp.StatusCode, body)
	}
}

// What the clients of CLIENTS.md send and expect, at the standard surface.
func TestStandardClients(t *testing.T) {
	f := newFixture(t)
	id := string(f.app.ID)
	own := url.Values{"grant_type": {"client_credentials"}}
	ok := func(what string, resp *http.Response, body map[string]any) map[string]any {
		t.Helper()
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Pragma") != "no-cache" {
			t.Fatalf("%s: %d %v %v", what, resp.StatusCode, resp.Header, body)
		}
		return body
	}
	post := func(what string, pairs ...string) map[string]any {
		t.Helper()
		resp, body := f.post(t, "/oauth2/token", pairs...)
		return ok(what, resp, body)
	}
	t.Run("CLIENTS-1", func(t *testing.T) {
		for _, header := range []string{basicAuth(id, f.secret), basicAuth(strings.ReplaceAll(id, "_", "%5F"), strings.ReplaceAll(f.secret, "_", "%5f")), "basic " + basicAuth(id, f.secret)[6:]} {
			resp, body := f.call(t, "POST", "/oauth2/token", own, "Authorization", header)
			ok(header, resp, body)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9_]+$`).MatchString(id + f.secret + string(symbolon.NewClientID())) {
			t.Error("ids and secrets that some encode and some do not")
		}
	})
	t.Run("CLIENTS-2", func(t *testing.T) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {f.secret}}
		resp, body := f.call(t, "POST", "/oauth2/token", form, "Authorization", basicAuth(id, f.secret))
		ok("both", resp, body)
	})
	code := func(changes ...string) string {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), "GET", f.URL+strings.Replace(f.authorize(changes...), "/authorize", "/oauth2/authorize", 1), nil)
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		resp.Body.Close()
		to, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || resp.StatusCode != 303 || to.Query().Get("code") == "" {
			t.Fatalf("%d %s", resp.StatusCode, to)
		}
		return to.Query().Get("code")
	}
	redeem := func(code string, more ...string) map[string]any {
		t.Helper()
		return post("redeem", append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", f.app.RedirectURIs[0]}, more...)...)
	}
	t.Run("CLIENTS-3", func(t *testing.T) {
		a := redeem(code("scope", "other connect offline_access"))
		if a["scope"] != "other connect offline_access" {
			t.Errorf("%v", a["scope"])
		}
		b := post("refresh", "grant_type", "refresh_token", "refresh_token", a["refresh_token"].(string), "scope", "other connect offline_access")
		if b["scope"] != "other connect offline_access" {
			t.Errorf("%v", b["scope"])
		}
	})
	t.Run("CLIENTS-4 5 9", func(t *testing.T) {
		a := redeem(code())
		for range 2 {
			if a["token_type"] != "Bearer" || a["expires_in"] != float64(600) || a["refresh_token"] == nil || a["refresh_token"] == "" {
				t.Errorf("%v", a)
			}
			a = post("refresh", "grant_type", "refresh_token", "refresh_token", a["refresh_token"].(string))
		}
		if _, there := post("own", "grant_type", "client_credentials")["refresh_token"]; there { // never null
			t.Error("a refresh token, or null, in the app's own name")
		}
	})
	t.Run("CLIENTS-6", func(t *testing.T) {
		c := code()
		resp, body := f.call(t, "POST", "/oauth2/token", url.Values{"grant_type": {"authorization_code"}, "code": {c}, "redirect_uri": {f.app.RedirectURIs[0]}}, "Authorization", basicAuth(id, "wrong"))
		refusal(t, "a wrong secret", resp, body, 401, "invalid_client")
		redeem(c)
	})
	t.Run("CLIENTS-8", func(t *testing.T) {
		resp, body := f.post(t, "/oauth2/revoke", "token", "unknown") // RFC7009-2.2-a
		if ok("revoke", resp, body); body == nil || len(body) != 0 {
			t.Errorf("%v, want an empty object", body)
		}
	})
	t.Run("CLIENTS-13", func(t *testing.T) {
		c := code("access_type", "offline", "prompt", "", "state", "a:b:c", "nonce", "n", "foo", "bar")
		redeem(c, "response_type", "code", "scope", "connect", "access_type", "offline", "foo", "bar", "resource", "https://any.test/")
	})
	t.Run("CLIENTS-14", func(t *testing.T) {
		resp, body := f.post(t, "/oauth2/device_authorization", "client_secret", "")
		ok("device", resp, body)
	})
	t.Run("CLIENTS-16", func(t *testing.T) {
		credentials := `"client_id":"` + id + `","client_secret":"` + f.secret + `"`
		resp, a := f.send(t, "POST", "/oauth2/token", `{"grant_type":"client_credentials",`+credentials+`}`)
		token := ok("token", resp, a)["access_token"].(string)
		resp, b := f.send(t, "POST", "/oauth2/introspect", `{"token":"`+token+`",`+credentials+`}`)
		if ok("introspect", resp, b)["active"] != true {
			t.Errorf("%v", b)
		}
		resp, b = f.send(t, "POST", "/oauth2/revoke", `{"token":"`+token+`",`+credentials+`}`)
		ok("revoke", resp, b)
		resp, b = f.send(t, "POST", "/oauth2/introspect", `{"token":"`+token+`",`+credentials+`}`)
		if ok("introspect", resp, b)["active"] != false {
			t.Errorf("%v", b)
		}
		resp, b = f.send(t, "POST", "/oauth2/device_authorization", `{`+credentials+`}`)
		ok("device", resp, b)
	})
	t.Run("CLIENTS-19", func(t *testing.T) {
		a := redeem(code())
		f.post(t, "/oauth2/revoke", "token", a["access_token"].(string))
		resp, body := f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+a["access_token"].(string))
		refusal(t, "a dead token", resp, body, 401, "invalid_token")
		b := redeem(code("scope", "other"))
		resp, body = f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+b["access_token"].(string))
		refusal(t, "a token without the scope", resp, body, 403, "insufficient_scope")
	})
	t.Run("BBA-CORS-a", func(t *testing.T) {
		const spa = "https://www.make.com"
		for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/device_authorization"} {
			resp, _ := f.call(t, "OPTIONS", path, nil, "Origin", spa, "Access-Control-Request-Method", "POST")
			if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != spa {
				t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
			}
			for _, origin := range []string{spa, "https://evil.test", "null"} {
				want := map[bool]string{true: spa}[origin == spa]
				resp, _ = f.call(t, "POST", path, url.Values{}, "Origin", origin)
				if resp.Header.Get("Access-Control-Allow-Origin") != want || resp.Header.Get("Access-Control-Allow-Credentials") != "" || resp.Header.Get("Vary") != "Origin" {
					t.Errorf("%s from %s: %v", path, origin, resp.Header)
				}
			}
		}
		for _, path := range []string{"/oauth2/introspect", "/oauth2/authorize"} { // RFC9700-2.6-a
			resp, _ := f.call(t, "POST", path, url.Values{}, "Origin", spa)
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", path, resp.Header)
			}
		}
	})
}

// The authorization endpoint: GET and POST, always a page or a redirect.
func TestStandardAuthorize(t *testing.T) {
	f := newFixture(t)
	query := func(changes ...string) string {
		return strings.TrimPrefix(f.authorize(changes...), "/authorize?")
	}
	ask := func(method, query, body string, header ...string) *http.Response {
		t.Helper()
		target := f.URL + "/oauth2/authorize"
		if query != "" {
			target += "?" + query
		}
		req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		check(t, err)
		if method == "POST" {
			req.Header.Set("Content-Type", formType)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		resp.Body.Close()
		return resp
	}
	sent := func(what string, resp *http.Response) url.Values {
		t.Helper()
		to := resp.Header.Get("Location")
		if resp.StatusCode != 303 || !strings.HasPrefix(to, f.app.RedirectURIs[0]+"?") {
			t.Fatalf("%s: %d to %q", what, resp.StatusCode, to)
		}
		u, err := url.Parse(to)
		check(t, err)
		if u.Query().Get("iss") != f.URL { // RFC9207-2-a, RFC9207-2-b
			t.Errorf("%s: iss %q", what, u.Query().Get("iss"))
		}
		return u.Query()
	}
	page := func(what string, resp *http.Response, status int) {
		t.Helper()
		if resp.StatusCode != status || resp.Header.Get("Location") != "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %d %v", what, resp.StatusCode, resp.Header)
		}
	}
	html := []string{"Accept", "text/html"}
	t.Run("OIDCC-3.1.2.1-a RFC6749-3.1-a", func(t *testing.T) {
		for _, method := range []string{"GET", "POST"} {
			q, body := query("state", "s 1"), ""
			if method == "POST" {
				q, body = "", q
			}
			if got := sent(method, ask(method, q, body)); got.Get("code") == "" || got.Get("state") != "s 1" {
				t.Errorf("%s: %v", method, got)
			}
			page(method, ask(method, q, body, html...), 200) // sign in
			page(method, ask(method, q, body, "Sec-Fetch-Site", "cross-site"), 200)
			page(method, ask(method, q, body, "Accept", "text/html", "Sec-Fetch-Site", "cross-site", "Origin", "https://other.test"), 200) // a form of the app's site
		}
		page("JSON", ask("POST", "", "{}", "Content-Type", "application/json"), 415)
		page("PUT", ask("PUT", query(), ""), 405)
	})
	t.Run("RFC6749-3.1-d", func(t *testing.T) {
		page("twice", ask("POST", query(), "client_id="+string(f.app.ID)), 400)
		page("redirect_uri twice", ask("POST", query(), "redirect_uri="+f.app.RedirectURIs[0]), 400)
		if got := sent("state twice", ask("POST", query("state", "a"), "state=a")); got.Get("error") != "invalid_request" || got.Has("state") {
			t.Errorf("%v", got)
		}
		page("too many", ask("GET", strings.Repeat("a=b&", 101), ""), 400)
	})
	t.Run("RFC6749-4.1.2.1-a", func(t *testing.T) {
		page("unknown", ask("GET", query("client_id", "nope", "redirect_uri", "https://evil.test/"), "", html...), 404)
		page("unknown, to a program", ask("GET", query("client_id", "nope"), ""), 404)
		page("another redirect", ask("GET", query("redirect_uri", "https://evil.test/"), "", html...), 400)
		page("another redirect, by POST", ask("POST", "", query("redirect_uri", "https://evil.test/"), html...), 400)
		page("none, of two", ask("GET", query("redirect_uri", ""), ""), 400)
	})
	t.Run("RFC6749-4.1.2.1-b", func(t *testing.T) {
		for want, changes := range map[string][]string{
			"invalid_scope": {"scope", "admin"}, "unsupported_response_type": {"response_type", "token"}, "invalid_request": {"code_challenge", "x"}, "invalid_target": {"resource", "x"}, "invalid_authorization_details": {"authorization_details", "x"},
		} {
			for _, accept := range []string{"text/html", "*/*", "application/json"} { // always redirects, whoever asks
				got := sent(want, ask("GET", query(append(changes, "state", "s")...), "", "Accept", accept))
				if got.Get("error") != want || got.Get("state") != "s" || got.Has("code") {
					t.Errorf("%v, want %s", got, want)
				}
			}
		}
		if got := sent("prompt=none", ask("GET", query("prompt", "none"), "", html...)); got.Get("error") != "login_required" {
			t.Errorf("%v", got)
		}
		app := f.with(t, "m1", func(a *symbolon.App) {
			a.Settings.Grants, a.RedirectURIs = []symbolon.GrantType{symbolon.GrantClient}, f.app.RedirectURIs
		})
		if got := sent("no codes", ask("GET", query("client_id", app), "")); got.Get("error") != "unauthorized_client" {
			t.Errorf("%v", got)
		}
	})
	t.Run("RFC6749-4.1.2.1-c", func(t *testing.T) {
		f.faulty.FailNext("Accounts", storetest.Lost)
		if got := sent("the store is away", ask("GET", query("state", "s", "login_hint", "jane"), "")); got.Get("error") != "temporarily_unavailable" || got.Get("state") != "s" {
			t.Errorf("%v", got)
		}
	})
	t.Run("RFC6749-3.1.2.3-a RFC6749-3.3-d", func(t *testing.T) {
		one := f.with(t, "one", func(a *symbolon.App) { a.Sandbox, a.RedirectURIs = true, f.app.RedirectURIs[:1] })
		got := sent("all that goes without saying", ask("GET", "response_type=code&client_id="+one, ""))
		resp, body := f.post(t, "/oauth2/token", "client_id", one, "grant_type", "authorization_code", "code", got.Get("code"))
		if resp.StatusCode != 200 || body["scope"] != "connect" {
			t.Errorf("%d %v", resp.StatusCode, body)
		}
	})
}

// What was sent by POST is shown beside what is registered, too.
func TestMismatchByPost(t *testing.T) {
	f := newFixture(t)
	b := &browserOf{t: t, f: f, accept: "text/html"}
	resp, page := b.post("/oauth2/authorize", "client_id", string(f.app.ID), "response_type", "code", "redirect_uri", "https://www.make.com/oauth/cb/typo")
	if resp.StatusCode != 400 || !strings.Contains(page, "typo") {
		t.Errorf("%d\n%s", resp.StatusCode, page)
	}
}

// RFC6749-3.1.2.3-a: a redirect URI that went without saying goes without saying
// at the end of the pages, too.
func TestImpliedRedirectThroughPages(t *testing.T) {
	f := newFixture(t)
	one := f.with(t, "one", func(a *symbolon.App) { a.RedirectURIs = []string{"https://one.test/cb"} })
	for _, accept := range []string{"text/html", "*/*"} {
		b := &browserOf{t: t, f: f, accept: accept}
		resp, text := b.get("/oauth2/authorize?response_type=code&client_id=" + one)
		resp, _ = b.post("/sign-in", "flow", flowOf(t, text), "sandbox", jane)
		resp, text = b.get(resp.Header.Get("Location"))
		if resp.StatusCode == 200 { // the second time it is remembered
			resp, _ = b.post("/consent", "flow", flowOf(t, text), "action", "allow")
		}
		to, err := url.Parse(resp.Header.Get("Location"))
		check(t, err)
		if to.Host != "one.test" {
			t.Fatalf("sent to %s", to)
		}
		resp, body := f.post(t, "/oauth2/token", "client_id", one, "grant_type", "authorization_code", "code", to.Query().Get("code"))
		if resp.StatusCode != 200 {
			t.Errorf("Accept %s: %d %v", accept, resp.StatusCode, body)
		}
	}
}

// browserOf keeps cookies, and follows nothing.
type browserOf struct {
	t      *testing.T
	f      *fixture
	accept string
	jar    map[string]string
}

func (b *browserOf) get(path string) (*http.Response, string) { return b.do("GET", path, nil) }

func (b *browserOf) post(path string, pairs ...string) (*http.Response, string) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.do("POST", path, form)
}

func (b *browserOf) do(method, path string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.f.URL+path, strings.NewReader(form.Encode()))
	check(b.t, err)
	if form != nil {
		req.Header.Set("Content-Type", formType)
	}
	req.Header.Set("Accept", b.accept)
	for name, value := range b.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(b.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	check(b.t, err)
	for _, c := range resp.Cookies() {
		if b.jar == nil {
			b.jar = make(map[string]string)
		}
		b.jar[c.Name] = c.Value
	}
	return resp, string(raw)
}

func flowOf(t *testing.T, page string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, `name="flow" value="`)
	if !ok {
		t.Fatalf("no flow in page:\n%.500s", page)
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
