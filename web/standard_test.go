package web

import (
	"net/http"
	"strings"
	"testing"
)

// RFC8414-3-a, OIDCD-4-a, MCP-DISC-a: where an issuer with a path has its things.
func TestIssuerWithAPath(t *testing.T) {
	f := newFixtureAt(t, "https://as.test/t1")
	for path, want := range map[string]int{
		"/.well-known/oauth-authorization-server/t1": 200,
		"/.well-known/openid-configuration/t1":       200,
		"/t1/.well-known/openid-configuration":       200,
		"/t1/oauth2/jwks":                            200,
		"/t1/healthz":                                200,
		"/healthz":                                   200,
		"/.well-known/oauth-authorization-server":    404,
		"/oauth2/jwks":                               404,
		"/t1t1/oauth2/jwks":                          404,
		"/t1":                                        404,
	} {
		r, body := f.get(path)
		if r.StatusCode != want {
			t.Errorf("GET %s: %d", path, r.StatusCode)
		}
		if want == 200 && strings.Contains(path, "well-known") && !strings.Contains(body, `"issuer":"https://as.test/t1"`) {
			t.Errorf("GET %s: %s", path, body)
		}
	}
	// Every address of a page stays below the path.
	r, body := f.get("/t1/sign-in")
	if r.StatusCode != 200 {
		t.Fatalf("the sign-in page: %d", r.StatusCode)
	}
	for _, attribute := range []string{`href="/`, `action="/`, `src="/`} {
		for part := range strings.SplitSeq(body, attribute) {
			if part != body[:len(part)] && !strings.HasPrefix(part, "t1/") {
				t.Errorf("%s%.40s", attribute, part)
			}
		}
	}
	style := body[strings.Index(body, `href="/t1/static/`)+len(`href="`):]
	if r, _ := f.get(style[:strings.IndexByte(style, '"')]); r.StatusCode != 200 {
		t.Errorf("the style sheet: %d", r.StatusCode)
	}
	if r, _ := f.get("/t1/"); r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), "/t1/") {
		t.Errorf("the front door leads to %q", r.Header.Get("Location"))
	}
}
