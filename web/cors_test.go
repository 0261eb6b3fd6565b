package web

import (
	"net/http"
	"net/url"
	"testing"
)

// BBA-CORS-a, BBA-CORS-b, B81: registered origins only, on refusals too, never
// with credentials, never the null origin; RFC9700-2.6-a: not at /authorize.
func TestCORS(t *testing.T) {
	f := newFixture(t)
	preflight := func(origin, path string) *http.Response {
		t.Helper()
		resp, _ := f.call(t, "OPTIONS", path, nil, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
		return resp
	}
	const spa = "https://www.make.com"
	if resp := preflight(spa, "/token"); resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != spa || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", resp.StatusCode, resp.Header)
	}
	resp, _ := f.call(t, "POST", "/token", url.Values{"grant_type": {"authorization_code"}}, "Origin", spa)
	if resp.StatusCode != 400 || resp.Header.Get("Access-Control-Allow-Origin") != spa || resp.Header.Get("Vary") != "Origin" {
		t.Errorf("refusal: %d %v", resp.StatusCode, resp.Header)
	}
	for _, evil := range []string{"https://evil.test", "null", "https://www.make.com.evil.test", "http://www.make.com", "https://WWW.make.com", "https://www.make.com:443", ""} {
		if resp := preflight(evil, "/token"); resp.StatusCode != 405 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight of %q: %d %v", evil, resp.StatusCode, resp.Header)
		}
		resp, _ := f.call(t, "GET", "/info", nil, "Origin", evil)
		if resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("answer to %q: %v", evil, resp.Header)
		}
	}
	if resp := preflight(spa, "/authorize"); resp.StatusCode != 405 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of /authorize: %d %v", resp.StatusCode, resp.Header)
	}
	// A changed app changes the set.
	app := f.app
	app.Version, app.RedirectURIs = 1, []string{"https://spa.test/cb"}
	check(t, f.store.PutApp(t.Context(), app))
	check(t, f.feed.Poll(t.Context()))
	if resp := preflight(spa, "/token"); resp.StatusCode != 405 {
		t.Errorf("an origin that is gone: %d", resp.StatusCode)
	}
	if resp := preflight("https://spa.test", "/token"); resp.StatusCode != 204 {
		t.Errorf("an origin that is new: %d", resp.StatusCode)
	}
}
