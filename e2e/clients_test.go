//go:build linux

package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// What real clients send and expect. The numbers are those of the list of
// facts that the server was built on.
func TestClients(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.newApp(t, "https://c1.test/cb")
	t.Run("1 Basic, percent-encoded or raw", func(t *testing.T) {
		for _, s := range []string{a.ID, a.Secret} {
			if !regexp.MustCompile(`^[A-Za-z0-9_]+$`).MatchString(s) {
				t.Errorf("%q has characters that clients encode in two ways", s)
			}
		}
		every := func(s string) string {
			var b strings.Builder
			for i := range len(s) {
				fmt.Fprintf(&b, "%%%02X", s[i])
			}
			return b.String()
		}
		for _, pair := range [][2]string{{a.ID, a.Secret}, {url.QueryEscape(a.ID), url.QueryEscape(a.Secret)}, {every(a.ID), every(a.Secret)}, {strings.ReplaceAll(a.ID, "_", "%5f"), strings.ReplaceAll(a.Secret, "_", "%5F")}} {
			for _, scheme := range []string{"Basic ", "basic ", "BASIC "} {
				h := header("Authorization", scheme+base64.StdEncoding.EncodeToString([]byte(pair[0]+":"+pair[1])))
				granted(t, d.post(t, "/token", with(a.redemption(a.code(t)), "client_id", "", "client_secret", ""), h))
			}
		}
	})
	t.Run("2 Basic and body: agreeing is fine, differing is not", func(t *testing.T) {
		r0 := a.connect(t).refresh
		granted(t, d.post(t, "/refresh", a.refreshing(r0), basic(a.ID, a.Secret)))
		refused(t, d.post(t, "/refresh", a.refreshing(r0, "client_secret", "another_secret"), basic(a.ID, a.Secret)), 400, "invalid_request")
		refused(t, d.post(t, "/refresh", a.refreshing(r0), basic(a.ID, "another_secret")), 400, "invalid_request")
		granted(t, a.refresh(t, r0))
	})
	t.Run("3 scope is what was asked for, and may be sent again", func(t *testing.T) {
		for _, scope := range []string{"connect", "other connect", "connect other"} {
			r := d.post(t, "/token", a.redemption(a.code(t, "scope", scope)))
			for range 3 {
				tk := granted(t, r)
				if r.JSON["scope"] != scope {
					t.Errorf("asked for %q, got %v", scope, r.JSON["scope"])
				}
				r = a.refresh(t, tk.refresh, "scope", scope)
			}
		}
	})
	t.Run("6 a code that was refused for its client is good at the second try", func(t *testing.T) {
		v := a.redemption(a.code(t))
		first := d.post(t, "/token", with(v, "client_secret", ""), basic(a.ID, "wrong_place"))
		refused(t, first, 401, "invalid_client")
		granted(t, d.post(t, "/token", v))
	})
	t.Run("4 5 7 9 steps 3 and 5: 200, JSON, whole seconds, a refresh token", func(t *testing.T) {
		keep := d.newApp(t, "https://keep.test/cb", "--rotation", "never")
		for _, b := range []*app{a, keep} {
			tk := b.connect(t) // granted looks at all of it
			for range 2 {
				tk = granted(t, b.refresh(t, tk.refresh))
			}
		}
	})
	t.Run("7 JSON whatever goes wrong", func(t *testing.T) {
		for _, req := range []*http.Request{
			request(t, "GET", d.base+"/info", nil),
			request(t, "PUT", d.base+"/token", strings.NewReader("x")),
			request(t, "POST", d.base+"/token", strings.NewReader(strings.Repeat("x", 100<<10))),
			request(t, "POST", d.base+"/nowhere", strings.NewReader("x")),
			request(t, "POST", d.base+"/token", strings.NewReader("x"), header("Content-Type", "text/html")),
			request(t, "POST", d.base+"/token", strings.NewReader("x"), header("Accept", "text/html"), header("Content-Type", "application/x-www-form-urlencoded")),
			request(t, "POST", d.base+"/refresh", nil, header("Accept", "text/html,*/*")),
			request(t, "GET", d.base+"/info", nil, header("Accept", "text/html")),
			request(t, "GET", d.base+"/authorize?"+strings.Repeat("x", 20<<10), nil),
		} {
			r := send(t, bare, req)
			if r.Status < 400 || r.text("error") == "" {
				t.Errorf("%s %.40s: %d %.200s", req.Method, req.URL.Path, r.Status, r.Body)
			}
			isJSON(t, r)
		}
	})
	t.Run("11 the issuer has one spelling", func(t *testing.T) {
		if strings.HasSuffix(d.base, "/") {
			t.Error("it has a final slash")
		}
		r := a.authorize(t, a.authorization())
		q := redirected(t, a, a.authorize(t, a.authorization("prompt", "none"), asBrowser))
		if r.text("iss") != d.base || q.Get("iss") != d.base {
			t.Errorf("%q, %q and %q", d.base, r.text("iss"), q.Get("iss"))
		}
	})
	t.Run("12 PKCE: as an app with a secret likes, but enforced once sent", func(t *testing.T) {
		granted(t, d.post(t, "/token", a.redemption(a.code(t))))
		verifier, challenge := pkce()
		code := a.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
		refused(t, d.post(t, "/token", a.redemption(code)), 400, "invalid_grant")
		granted(t, d.post(t, "/token", a.redemption(code, "code_verifier", verifier)))
		public := d.newApp(t, "https://spa.test/cb", "--public")
		refused(t, public.authorize(t, public.authorization()), 400, "invalid_request")
		public.connect(t)
		refused(t, d.post(t, "/token", public.redemption(a.code(t), "client_secret", a.Secret)), 400, "invalid_client")
	})
	t.Run("13 parameters that arrive beside the known ones", func(t *testing.T) {
		state := "n8n:42:{\"token\":\"x\"}:https://host:5678/"
		r := a.authorize(t, a.authorization("resource", "https://api.test/v1", "access_type", "offline", "prompt", "consent", "include_granted_scopes", "true", "audience", "x", "state", state))
		if r.Status != 200 || r.text("state") != state {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		tk := granted(t, d.post(t, "/token", a.redemption(r.text("code"), "response_type", "code", "scope", "connect", "resource", "https://api.test/v1", "state", "x", "username", "")))
		granted(t, a.refresh(t, tk.refresh, "response_type", "code", "redirect_uri", a.redirect, "access_type", "offline"))
	})
	t.Run("16 JSON at every POST of the API", func(t *testing.T) {
		tk := granted(t, d.postAs(t, encodings[1], "/token", a.redemption(a.code(t))))
		tk = granted(t, d.postAs(t, encodings[1], "/refresh", a.refreshing(tk.refresh)))
		if r := d.postRaw(t, "/invalidate", "application/json", `{"token":"x"}`, bearer(tk.access)); r.Status != 204 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
	t.Run("19 exactly 401 for a dead token, 403 for a scope alone", func(t *testing.T) {
		tk := a.connect(t, "scope", "other")
		refused(t, d.info(t, tk.access), 403, "insufficient_scope")
		if r := d.get(t, "/invalidate", bearer(tk.access)); r.Status != 204 {
			t.Fatalf("%d", r.Status)
		}
		refused(t, d.info(t, tk.access), 401, "invalid_token")
	})
	t.Run("20 form-action stands in no one's way", func(t *testing.T) {
		p := d.newPerson(t, bare)
		p.open(t, "/authorize?"+a.authorization().Encode())
		for {
			csp := p.page.Header.Get("Content-Security-Policy")
			if strings.Contains(csp, "form-action") && !strings.Contains(csp, "https://c1.test") {
				t.Errorf("%s: the form may not lead to the app: %s", p.at.Path, csp)
			}
			if !strings.Contains(string(p.page.Body), `name="sandbox"`) {
				break
			}
			p.submit(t, "/sign-in", "sandbox", janeID, "username", "", "password", "")
		}
		redirected(t, a, p.submit(t, "/consent", "action", "allow"))
	})
	t.Run("21 several redirect URIs per app", func(t *testing.T) {
		many := d.newApp(t, "https://www.make.com/oauth/cb/app", "--redirect-uri", "https://www.integromat.com/oauth/cb/app", "--redirect-uri", "http://localhost:5678/cb", "--redirect-uri", "http://127.0.0.1/cb")
		for _, uri := range []string{"https://www.make.com/oauth/cb/app", "https://www.integromat.com/oauth/cb/app", "http://localhost:5678/cb", "http://127.0.0.1:9/cb"} {
			code := many.code(t, "redirect_uri", uri)
			granted(t, d.post(t, "/token", many.redemption(code, "redirect_uri", uri)))
		}
	})
}
