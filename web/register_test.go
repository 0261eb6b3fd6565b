package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

const (
	x1Document = "https://x1.test/client.json"
	x1Redirect = "https://x1.test/cb"
	// x1Challenge is the example of RFC 7636, appendix B.
	x1Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// newOpen is a server at which apps may register themselves. What it fetches is in
// documents.
func newOpen(t *testing.T, documents map[string]string, configure ...func(*oauth.Config)) *fixture {
	return newFixtureAt(t, "", append([]func(*oauth.Config){func(c *oauth.Config) {
		c.Registration, c.ClientDocuments = true, true
		c.RegistrationScopes = symbolon.Scopes{"connect", "other"}
		c.Fetch = func(_ context.Context, url string) ([]byte, time.Duration, error) {
			if text, there := documents[url]; there {
				return []byte(text), 0, nil // so that it is read each time
			}
			return nil, 0, symbolon.Errorf(symbolon.NotFound, "fetch", "404")
		}
	}}, configure...)...)
}

// send sends a body as it is.
func (f *fixture) send(t *testing.T, method, target, body string, header ...string) (*http.Response, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+strings.TrimPrefix(target, f.URL), strings.NewReader(body))
	check(t, err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	check(t, err)
	var object map[string]any
	if len(raw) > 0 {
		check(t, json.Unmarshal(raw, &object)) // CLIENTS.md 7: JSON, whatever goes wrong
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("RFC6749-5.1-b: %s %s is answered with %v", method, target, resp.Header)
	}
	return resp, object
}

// RFC7591-3-a, RFC7592: an app registers, connects, reads, changes and deletes
// itself.
func TestRegistration(t *testing.T) {
	f := newOpen(t, nil)
	resp, info := f.send(t, "POST", "/oauth2/register", `{"client_name":"X1","redirect_uris":["`+x1Redirect+`"]}`)
	if resp.StatusCode != 201 || info["client_secret"] == nil || info["client_secret_expires_at"] != 0.0 {
		t.Fatalf("%d %v", resp.StatusCode, info)
	}
	id, secret := info["client_id"].(string), info["client_secret"].(string)
	verifier := strings.Repeat("v", 43)
	hash := sha256.Sum256([]byte(verifier))
	connect := func() (*http.Response, map[string]any) {
		t.Helper()
		resp, _ := f.call(t, "GET", "/oauth2/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {id}, "redirect_uri": {x1Redirect}, "scope": {"connect"}, "state": {"s"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(hash[:])}, "code_challenge_method": {"S256"},
		}.Encode(), nil)
		u, err := url.Parse(resp.Header.Get("Location"))
		check(t, err)
		form := url.Values{"grant_type": {"authorization_code"}, "code": {u.Query().Get("code")}, "redirect_uri": {x1Redirect}, "code_verifier": {verifier}}
		return f.call(t, "POST", "/oauth2/token", form, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
	}
	resp, tokens := connect()
	if resp.StatusCode != 200 {
		t.Fatalf("%d %v", resp.StatusCode, tokens)
	}

	at, bearer := info["registration_client_uri"].(string), "Bearer "+info["registration_access_token"].(string)
	resp, read := f.send(t, "GET", at, "", "Authorization", bearer)
	if resp.StatusCode != 200 || read["client_name"] != "X1" || read["client_secret"] != nil {
		t.Errorf("RFC7592-2.1-a: %d %v", resp.StatusCode, read)
	}
	resp, read = f.send(t, "PUT", at, `{"client_id":"`+id+`","client_name":"New","redirect_uris":["`+x1Redirect+`"]}`, "Authorization", bearer)
	if resp.StatusCode != 200 || read["client_name"] != "New" {
		t.Errorf("RFC7592-2.2-a: %d %v", resp.StatusCode, read)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		body := ""
		if method == "PUT" {
			body = "{}"
		}
		resp, refusal := f.send(t, method, at, body, "Authorization", "Bearer sym_reg_x")
		if resp.StatusCode != 401 || refusal["error"] != "invalid_token" || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("RFC7592-3-a: %s with a wrong token: %d %v %v", method, resp.StatusCode, refusal, resp.Header)
		}
		if resp, _ := f.send(t, method, at, body); resp.StatusCode != 401 {
			t.Errorf("%s without a token: %d", method, resp.StatusCode)
		}
		if resp, _ := f.send(t, method, "/oauth2/register", body, "Authorization", bearer); resp.StatusCode != 401 {
			t.Errorf("%s without a client_id: %d", method, resp.StatusCode)
		}
	}
	resp, _ = f.send(t, "DELETE", at, "", "Authorization", bearer)
	if resp.StatusCode != 204 {
		t.Errorf("RFC7592-2.3-a: %d", resp.StatusCode)
	}
	resp, refusal := f.call(t, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}, "client_id": {id}, "client_secret": {secret}})
	if resp.StatusCode != 401 || refusal["error"] != "invalid_client" {
		t.Errorf("CLIENTS.md 18: %d %v", resp.StatusCode, refusal)
	}
	if resp, _ := f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+tokens["access_token"].(string)); resp.StatusCode != 401 {
		t.Errorf("its token is %d", resp.StatusCode)
	}
}

// RFC7591-3.2.2-a, B69, B70 and HTTP's own.
func TestRegistrationRefusals(t *testing.T) {
	f := newOpen(t, nil)
	for _, c := range []struct {
		name, method, body, mediaType string
		status                        int
		code                          string
	}{
		{"a redirect URI", "POST", `{"redirect_uris":["javascript:x"]}`, "application/json", 400, "invalid_redirect_uri"},
		{"a field", "POST", `{"redirect_uris":["https://x1.test/cb"],"jwks":{},"jwks_uri":"https://x1.test/"}`, "application/json", 400, "invalid_client_metadata"},
		{"a statement", "POST", `{"redirect_uris":["https://x1.test/cb"],"software_statement":"x"}`, "application/json", 400, "invalid_software_statement"},
		{"B69", "POST", `{"redirect_uris":["https://x1.test/cb"],"redirect_uris":[]}`, "application/json", 400, "invalid_client_metadata"},
		{"no JSON", "POST", `redirect_uris=x`, "application/json", 400, "invalid_client_metadata"},
		{"B70: a form", "POST", `redirect_uris=x`, "application/x-www-form-urlencoded", 415, "invalid_client_metadata"},
		{"another character set", "POST", `{}`, "application/json; charset=utf-16", 415, "invalid_client_metadata"},
		{"too large", "POST", strings.Repeat(" ", 65<<10), "application/json", 413, "invalid_request"},
		{"another method", "PATCH", `{}`, "application/json", 405, "invalid_request"},
	} {
		resp, refusal := f.send(t, c.method, "/oauth2/register", c.body, "Content-Type", c.mediaType)
		if resp.StatusCode != c.status || refusal["error"] != c.code || refusal["error_description"] == nil {
			t.Errorf("%s: %d %v", c.name, resp.StatusCode, refusal)
		}
		if c.status == 405 && resp.Header.Get("Allow") != "GET, POST, PUT, DELETE" {
			t.Errorf("Allow: %s", resp.Header.Get("Allow"))
		}
	}
	var limited *http.Response
	for range 40 {
		if limited, _ = f.send(t, "POST", "/oauth2/register", `{"redirect_uris":["https://x1.test/cb"]}`); limited.StatusCode == 429 {
			break
		}
	}
	if limited.StatusCode != 429 || limited.Header.Get("Retry-After") == "" {
		t.Errorf("B88: %d %v", limited.StatusCode, limited.Header)
	}
}

// K10: where the owner has not turned it on, there is nothing at the path.
func TestRegistrationIsOff(t *testing.T) {
	f := newFixture(t)
	if resp, _ := f.send(t, "POST", "/oauth2/register", `{}`); resp.StatusCode != 404 {
		t.Errorf("%d", resp.StatusCode)
	}
	_, m := f.call(t, "GET", "/.well-known/oauth-authorization-server", nil)
	if m["registration_endpoint"] != nil || m["client_id_metadata_document_supported"] != nil {
		t.Errorf("%v", m)
	}
	f = newOpen(t, nil)
	// MCP-2025-06-a, MCP-2025-11-a: by either name of the metadata.
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		_, m = f.call(t, "GET", path, nil)
		methods, _ := m["code_challenge_methods_supported"].([]any)
		if m["registration_endpoint"] != f.URL+"/oauth2/register" || m["client_id_metadata_document_supported"] != true || len(methods) != 1 || methods[0] != "S256" {
			t.Errorf("%s: %v", path, m)
		}
	}
}

// RFC7591-3-b: an initial access token.
func TestRegistrationByInvitation(t *testing.T) {
	hash := sha256.Sum256([]byte("let me in"))
	f := newOpen(t, nil, func(c *oauth.Config) { c.RegistrationToken = hash[:] })
	for header, want := range map[string]int{"": 401, "Bearer x": 401, "Basic bGV0IG1lIGlu": 401, "Bearer let me in": 201} {
		resp, answer := f.send(t, "POST", "/oauth2/register", `{"redirect_uris":["https://x1.test/cb"]}`, "Authorization", header)
		if resp.StatusCode != want {
			t.Errorf("%q: %d %v", header, resp.StatusCode, answer)
		}
	}
}

// BBA-CORS-a: apps in browsers may register themselves, from anywhere.
func TestRegistrationCORS(t *testing.T) {
	f := newOpen(t, nil)
	resp, _ := f.call(t, "OPTIONS", "/oauth2/register", nil, "Origin", "http://localhost:6274", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,mcp-protocol-version")
	h := resp.Header
	if resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "PUT") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", resp.StatusCode, h)
	}
	for _, body := range []string{`{"redirect_uris":["https://x1.test/cb"]}`, `{}`} {
		if resp, _ := f.send(t, "POST", "/oauth2/register", body, "Origin", "http://localhost:6274"); resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", body, resp.StatusCode, resp.Header)
		}
	}
}

// person is a browser with its cookies.
type person struct {
	*fixture
	t       *testing.T
	cookies map[string]string
}

func (p *person) open(method, target string, form url.Values, header ...string) (*http.Response, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.URL+target, strings.NewReader(form.Encode()))
	check(p.t, err)
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for name, value := range p.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(p.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	check(p.t, err)
	for _, c := range resp.Cookies() {
		p.cookies[c.Name] = c.Value
	}
	return resp, string(raw)
}

// post sends the form of a page, and follows to the next page of ours.
func (p *person) post(target, page string, form url.Values) (*http.Response, string) {
	p.t.Helper()
	_, rest, ok := strings.Cut(page, `name="flow" value="`)
	if !ok {
		p.t.Fatalf("no flow in the page:\n%s", page)
	}
	value, _, _ := strings.Cut(rest, `"`)
	form.Set("flow", value)
	resp, body := p.open("POST", target, form)
	if to := resp.Header.Get("Location"); strings.HasPrefix(to, "/") {
		return p.open("GET", to, nil)
	}
	return resp, body
}

// K7, CIMD-8-a, MCP-2025-11-c, OIDCR-2-b, RFC7591-5-b: what a person meets when an
// app that nobody knows sends them.
func TestPersonMeetsStranger(t *testing.T) {
	documents := map[string]string{x1Document: `{"client_id":"` + x1Document + `","client_name":"Evil <b>\u202eBank</b>","redirect_uris":["` + x1Redirect + `"],
		"client_uri":"https://bank.example/","logo_uri":"https://x1.test/logo.png","tos_uri":"https://x1.test/terms","policy_uri":"https://policy.test/x"}`}
	f := newOpen(t, documents)
	p := &person{fixture: f, t: t, cookies: make(map[string]string)}
	link := func(changes ...string) string {
		return f.authorize(append([]string{"client_id", x1Document, "redirect_uri", x1Redirect, "code_challenge", x1Challenge, "code_challenge_method", "S256"}, changes...)...)
	}
	// Not signed in: the host of the document, and nothing that it says.
	for _, target := range []string{link(), link("scope", "bad")} {
		resp, page := p.open("GET", target, nil, "Sec-Fetch-Site", "cross-site")
		if resp.StatusCode != 200 || !strings.Contains(page, "x1.test") || strings.Contains(page, "Bank") || resp.Header.Get("Location") != "" {
			t.Fatalf("%s: %d %v\n%s", target, resp.StatusCode, resp.Header, page)
		}
	}
	long := url.Values{"client_id": {x1Document}, "state": {strings.Repeat("s", 60<<10)}}
	if resp, _ := p.open("POST", "/oauth2/authorize", long, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != 400 {
		t.Errorf("a request of 60 KB: %d", resp.StatusCode)
	}
	resp, page := p.open("GET", link(), nil, "Sec-Fetch-Site", "cross-site")
	if resp, _ := p.post("/sign-in", page, url.Values{"action": {"cancel"}}); resp.StatusCode != 403 || resp.Header.Get("Location") != "" {
		t.Errorf("cancelled: %d %v", resp.StatusCode, resp.Header)
	}
	resp, page = p.post("/sign-in", page, url.Values{"sandbox": {jane}})
	if resp.StatusCode != 200 {
		t.Fatalf("%d\n%s", resp.StatusCode, page)
	}
	for _, want := range []string{"Nobody has checked this app", ">x1.test<", "Evil &lt;b&gt;Bank&lt;/b&gt;", `href="https://x1.test/terms"`, `href="https://policy.test/x"`, "policy.test<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for _, never := range []string{"logo.png", "bank.example", "\u202e", "<b>"} {
		if strings.Contains(page, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	// The document changes while the person looks: they are asked anew.
	shown := page
	documents[x1Document] = strings.Replace(documents[x1Document], "Evil", "Other", 1)
	resp, page = p.post("/consent", shown, url.Values{"action": {"allow"}})
	if resp.StatusCode != 200 || !strings.Contains(page, "Other") {
		t.Errorf("changed while shown: %d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ = p.post("/consent", page, url.Values{"action": {"allow"}}); resp.StatusCode != 303 {
		t.Errorf("allowed: %d", resp.StatusCode)
	}

	// It was allowed, and from this site it is remembered; from another it is not.
	resp, _ = p.open("GET", link(), nil, "Sec-Fetch-Site", "none")
	if resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), x1Redirect+"?code=") {
		t.Errorf("remembered: %d %v", resp.StatusCode, resp.Header)
	}
	for _, site := range []string{"same-site", "", "cross-site"} { // a neighbour's, or a browser's that does not say
		resp, page = p.open("GET", link(), nil, "Sec-Fetch-Site", site)
		if resp.StatusCode != 200 || !strings.Contains(page, "Nobody has checked this app") {
			t.Errorf("B106, %q: %d %v", site, resp.StatusCode, resp.Header)
		}
	}
	if resp, _ = p.post("/consent", page, url.Values{"action": {"allow"}}); resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), x1Redirect+"?code=") {
		t.Errorf("allowed: %d %v", resp.StatusCode, resp.Header)
	}
	// RFC9700-4.11.2-a: once the person is signed in, errors go to the app.
	resp, _ = p.open("GET", link("scope", "bad"), nil)
	if resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), x1Redirect+"?error=invalid_scope") {
		t.Errorf("signed in: %d %v", resp.StatusCode, resp.Header)
	}
	// And before, for an app that is known by now, never: an error is a page.
	fresh := &person{fixture: f, t: t, cookies: make(map[string]string)}
	if resp, page := fresh.open("GET", link("scope", "bad"), nil); resp.StatusCode != 400 || resp.Header.Get("Location") != "" || !strings.Contains(page, "<h1") {
		t.Errorf("not signed in: %d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := fresh.open("GET", link("prompt", "none"), nil); resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), x1Redirect+"?error=login_required") {
		t.Errorf("prompt=none: %d %v", resp.StatusCode, resp.Header)
	}
}

// MCP-2025-11-c: an app on the person's own computer, whatever it says of itself.
func TestLocalAppIsWarnedOf(t *testing.T) {
	for uris, want := range map[string]bool{`"http://localhost:1/cb"`: true, `"http://127.0.0.1/cb","http://[::1]/cb"`: true, `"http://127.0.0.1/cb","` + x1Redirect + `"`: false, `"com.example.app:/cb"`: false} {
		f := newOpen(t, nil)
		_, info := f.send(t, "POST", "/oauth2/register", `{"redirect_uris":[`+uris+`],"token_endpoint_auth_method":"none"}`)
		p := &person{fixture: f, t: t, cookies: make(map[string]string)}
		_, page := p.open("GET", f.authorize("client_id", info["client_id"].(string), "redirect_uri", info["redirect_uris"].([]any)[0].(string), "code_challenge", x1Challenge, "code_challenge_method", "S256"), nil)
		_, page = p.post("/sign-in", page, url.Values{"sandbox": {jane}})
		if !strings.Contains(page, "Nobody has checked this app") || strings.Contains(page, "any program can pass for it") != want {
			t.Errorf("%s:\n%s", uris, page)
		}
	}
}
