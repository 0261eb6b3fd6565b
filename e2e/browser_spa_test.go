//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"testing"
)

// A single-page app by oidc-client-ts, whose origin is another than the server's: PKCE
// without a secret, userinfo, a refresh and a revocation from the page, and signing
// out and back.
func testSinglePageApp(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--public", "--scope", "openid profile email")
	b.s.cli(t, "", nil, "app", "edit", a.ID, "--post-logout-redirect-uri", a.URL+"/goodbye")
	for path, file := range map[string]string{
		"/oidc-client-ts.js": "../.tools/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js",
		"/single-page.js":    "javascript/single-page.js",
	} {
		a.handle(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	for _, path := range []string{"/", "/callback", "/goodbye"} {
		a.page(path, "", fmt.Sprintf(`<p></p><script src="/oidc-client-ts.js"></script><script src="/single-page.js" data-issuer="%s" data-client="%s"></script>`, b.s.base, a.ID))
	}
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.URL + "/")
	p.arrives("Nobody")
	p.press("Sign in")
	p.signIn(b.jane())
	p.at(atConsent)
	p.press("Allow")
	p.arrives("Hello")
	p.reads(`{"sub":"` + b.jane().ID + `","name":"Jane Doe","email":"jane.doe@example.com","email_verified":true,"page":"?seven"}`)
	p.click("Renew")
	p.arrives("Renewed")
	p.reads(`{"tokens":true,"same":true}`)
	p.click("Leave")
	p.arrives("Goodbye")
	p.visit(b.s.base + "/sign-out")
	p.reads("You are not signed in")
	p.visit(a.URL + "/")
	p.arrives("Nobody")
}
