package web

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// pushForm is a request to push, by the sandbox app.
func (f *fixture) pushForm(changes ...string) url.Values {
	form := url.Values{
		"client_id": {string(f.app.ID)}, "client_secret": {f.secret}, "redirect_uri": {f.app.RedirectURIs[0]},
		"response_type": {"code"}, "scope": {"connect"}, "state": {"pushed"},
	}
	for i := 0; i < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	return form
}

// RFC9126-2.1-a, RFC9126-2.2-a, RFC9126-2.1-c, RFC9126-2.3-a: the endpoint.
func TestPAREndpoint(t *testing.T) {
	f := newFixture(t)
	resp, body := f.call(t, "POST", "/oauth2/par", f.pushForm())
	if resp.StatusCode != 201 || resp.Header.Get("Cache-Control") != "no-store" || body["expires_in"] != 90.0 || !strings.HasPrefix(body["request_uri"].(string), "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	for _, c := range []struct {
		name, method string
		form         url.Values
		status       int
		code         string
	}{
		{"GET", "GET", nil, 405, "invalid_request"},
		{"no secret", "POST", f.pushForm("client_secret", ""), 401, "invalid_client"},
		{"unknown app", "POST", f.pushForm("client_id", "sym_app_x"), 401, "invalid_client"},
		{"bad scope", "POST", f.pushForm("scope", "x"), 400, "invalid_scope"},
		{"bad redirect URI", "POST", f.pushForm("redirect_uri", "https://evil.test/"), 400, "invalid_request"},
		{"request_uri", "POST", f.pushForm("request_uri", "x"), 400, "invalid_request"},
		{"bad request object", "POST", f.pushForm("request", "x"), 400, "invalid_request_object"},
		{"1 MB", "POST", f.pushForm("state", strings.Repeat("x", 1<<20)), 413, "invalid_request"},
	} {
		resp, body := f.call(t, c.method, "/oauth2/par", c.form)
		if resp.StatusCode != c.status || body["error"] != c.code {
			t.Errorf("%s: %d %v", c.name, resp.StatusCode, body)
		}
	}
	// An API caller's way, at both surfaces; once.
	for _, path := range []string{"/authorize", "/oauth2/authorize"} {
		_, body := f.call(t, "POST", "/oauth2/par", f.pushForm())
		at := path + "?client_id=" + string(f.app.ID) + "&state=other&request_uri=" + url.QueryEscape(body["request_uri"].(string))
		resp, answer := f.call(t, "GET", at, nil)
		switch {
		case path == "/authorize" && (resp.StatusCode != 200 || answer["code"] == nil || answer["state"] != "pushed"):
			t.Errorf("%s: %d %v", path, resp.StatusCode, answer)
		case path != "/authorize" && (resp.StatusCode != 303 || !strings.Contains(resp.Header.Get("Location"), "state=pushed")):
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
		if resp, _ := f.call(t, "GET", at, nil); resp.StatusCode != 400 {
			t.Errorf("%s again: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

var flowField = regexp.MustCompile(`name="flow" value="([^"]+)"`)

// RFC9126-4-b: in a browser, by the pages, loaded again and again, and once.
func TestPARInBrowser(t *testing.T) {
	f := newFixture(t)
	_, body := f.call(t, "POST", "/oauth2/par", f.pushForm())
	start := "/oauth2/authorize?client_id=" + string(f.app.ID) + "&request_uri=" + url.QueryEscape(body["request_uri"].(string))
	jar := map[string]string{}
	visit := func(method, target string, form url.Values) (*http.Response, string) {
		t.Helper()
		var sent io.Reader
		if form != nil {
			sent = strings.NewReader(form.Encode())
		}
		req, err := http.NewRequestWithContext(t.Context(), method, f.URL+target, sent)
		check(t, err)
		req.Header.Set("Accept", "text/html")
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for name, value := range jar {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		defer resp.Body.Close()
		for _, c := range resp.Cookies() {
			jar[c.Name] = c.Value
		}
		b, err := io.ReadAll(resp.Body)
		check(t, err)
		return resp, string(b)
	}
	flow := func(page string) string {
		t.Helper()
		m := flowField.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no form in %s", page)
		}
		return m[1]
	}
	for range 2 {
		if resp, _ := visit("GET", start, nil); resp.StatusCode != 200 {
			t.Fatalf("sign-in page: %d", resp.StatusCode)
		}
	}
	_, page := visit("GET", start, nil)
	resp, page := visit("POST", "/sign-in", url.Values{"flow": {flow(page)}, "sandbox": {string(jane)}})
	if resp.StatusCode != 303 { // FAPI2 rule see-other
		t.Fatalf("signing in: %d %s", resp.StatusCode, page)
	}
	next := resp.Header.Get("Location")
	if len(next) > 8000 {
		t.Errorf("an address of %d bytes", len(next))
	}
	for range 2 {
		if resp, page = visit("GET", next, nil); resp.StatusCode != 200 || !strings.Contains(page, "www.make.com") {
			t.Fatalf("consent page: %d %s", resp.StatusCode, page)
		}
	}
	allow := url.Values{"flow": {flow(page)}, "action": {"allow"}}
	resp, page = visit("POST", "/consent", allow)
	to := resp.Header.Get("Location")
	if resp.StatusCode != 303 || !strings.HasPrefix(to, f.app.RedirectURIs[0]+"?code=") || !strings.Contains(to, "state=pushed") {
		t.Fatalf("allowed: %d %s %s", resp.StatusCode, to, page)
	}
	// Used: the same page posted again, and the link followed again.
	resp, _ = visit("POST", "/consent", allow)
	if to := resp.Header.Get("Location"); resp.StatusCode != 303 || !strings.Contains(to, "error=invalid_request_uri") || !strings.Contains(to, "state=pushed") {
		t.Errorf("posted again: %d %s", resp.StatusCode, to)
	}
	resp, page = visit("GET", start, nil)
	if resp.StatusCode != 400 || !strings.Contains(page, "was used before") {
		t.Errorf("used: %d %s", resp.StatusCode, page)
	}
}

// RFC9126-5-a over HTTP: the metadata says it, and the page sends the person back.
func TestRequirePAR(t *testing.T) {
	f := newFixture(t)
	app := f.app
	app.Version, app.Settings = 1, symbolon.Settings{RequirePAR: true}
	check(t, f.store.PutApp(t.Context(), app))
	check(t, f.feed.Poll(t.Context()))
	resp, _ := f.get("/oauth2" + f.authorize())
	if loc := resp.Header.Get("Location"); resp.StatusCode != 303 || !strings.Contains(loc, "error=invalid_request") {
		t.Errorf("%d %s", resp.StatusCode, loc)
	}
}
