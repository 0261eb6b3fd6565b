//go:build linux

package e2e

import (
	"net/url"
	"strings"
	"testing"
)

// Attacks on the redirect URI. The registered one is https://c1.test/cb. Every
// other spelling gets a page, or 400 for an API caller, and no redirect.
var evilRedirects = map[string][]string{
	"B9 prefix and suffix": {"https://c1.test/cb/", "https://c1.test/cb/x", "https://c1.test/cbx", "https://c1.test/cb;a", "https://c1.test/c", "https://c1.test",
		"https://c1.test/", "https://c1.test.evil.test/cb", "https://evilc1.test/cb", "http://c1.test/cb", "https://c1.test/cb?", "https://c1.test/cb?x=1"},
	"B10 path traversal": {"https://c1.test/cb/../x", "https://c1.test/cb/%2e%2e/x", "https://c1.test/./cb", "https://c1.test//cb", `https://c1.test/cb\..\x`, "https://c1.test/x/../cb"},
	"B11 userinfo": {"https://c1.test@evil.test/cb", "https://evil@c1.test/cb", "https://c1.test:pw@evil.test/cb", "http://127.0.0.1:80@evil.test/cb",
		"http://localhost:8090%25@evil", "https://a@b@c1.test/cb", "https://@c1.test/cb"},
	"B12 fragment":          {"https://c1.test/cb#", "https://c1.test/cb#code=", "https://c1.test/cb%23x"},
	"B13 percent-encoding":  {"https://c1.test/%63b", "https://c1.test/cb%00", "https://c1.test/cb%0d%0aSet-Cookie:x", "https://c1.test/cb%2f", "https://c1.test/cb%c0%af", "https://c1.test/cb\r\nSet-Cookie: x=y", "https://c1.test/cb\x00"},
	"B14 IDN and case":      {"https://С1.test/cb", "https://C1.TEST/cb", "https://c1.test./cb", "https://xn--1-stb.test/cb", "HTTPS://c1.test/cb", "https://c1.test/CB"},
	"B15 port":              {"https://c1.test:443/cb", "https://c1.test:8443/cb", "https://c1.test:0/cb", "https://c1.test:/cb"},
	"B17 other spellings":   {`https:\\evil`, "//evil", "https:evil", "\thttps://c1.test/cb", "https://c1.test/cb ", " https://c1.test/cb", "https:/c1.test/cb", `https://c1.test\cb`, "javascript:alert(1)", "data:text/html,x"},
	"B18 a query of theirs": {"https://c1.test/cb?code=attacker", "https://c1.test/cb&code=attacker", "https://c1.test/cb?state=x"},
}

// B16: spellings of loopback. Registered is http://127.0.0.1/cb.
var evilLoopbacks = []string{"http://127.1/cb", "http://0x7f000001/cb", "http://2130706433/cb", "http://0.0.0.0/cb", "http://localhost/cb", "http://localhost.evil/cb",
	"http://[::ffff:7f00:1]/cb", "http://[::1]/cb", "http://127.0.0.1%09/cb", "http://127.0.0.1.evil.test/cb", "http://127.0.0.1:80@evil.test/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:/cb",
	"http://127.0.0.1:8080/cb/x", "http://127.0.0.1:80 80/cb", "http://127.0.0.1:08080/cb", "https://127.0.0.1/cb", "http://127.0.0.1:x/cb", "http://127.0.0.1:+80/cb"}

func TestAttackRedirect(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.newApp(t, "https://c1.test/cb")
	loopback := d.newApp(t, "http://127.0.0.1/cb", "--public")
	for name, uris := range evilRedirects {
		t.Run(name, func(t *testing.T) {
			for _, uri := range uris {
				noRedirect(t, a, uri)
			}
		})
	}
	t.Run("B16 loopback", func(t *testing.T) {
		for _, uri := range evilLoopbacks {
			noRedirect(t, loopback, uri)
		}
	})
	t.Run("B16 the registered loopback address with another port passes", func(t *testing.T) {
		_, challenge := pkce()
		for _, uri := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"} {
			loopback.code(t, "redirect_uri", uri, "code_challenge", challenge, "code_challenge_method", "S256")
		}
	})
	t.Run("B19 one good and one evil, in both orders", func(t *testing.T) {
		for _, pair := range [][]string{{a.redirect, "https://evil.test/cb"}, {"https://evil.test/cb", a.redirect}} {
			v := a.authorization()
			v["redirect_uri"] = pair
			refused(t, a.authorize(t, v), 400, "invalid_request")
			pageOf(t, a.authorize(t, v, asBrowser), 400)
		}
		for _, pair := range [][]string{{a.ID, loopback.ID}, {loopback.ID, a.ID}} {
			v := a.authorization()
			v["client_id"] = pair
			refused(t, a.authorize(t, v), 400, "invalid_request")
			pageOf(t, a.authorize(t, v, asBrowser), 400)
		}
	})
	t.Run("B28 nothing that looks like an address is followed", func(t *testing.T) {
		for _, path := range []string{"/sign-in", "/sign-out", "/continue", "/", "/docs", "/authorize", "/choose", "/consent"} {
			for _, name := range []string{"return_to", "next", "redirect", "redirect_uri", "post_logout_redirect_uri", "url", "continue", "flow", "iss", "RelayState"} {
				for _, evil := range []string{"https://evil.test/", "//evil.test/", `/\evil.test`} {
					r := d.get(t, path+"?"+url.Values{name: {evil}}.Encode(), asBrowser)
					if loc := r.Header.Get("Location"); loc != "" && (!strings.HasPrefix(loc, "/") || strings.HasPrefix(loc, "//") || strings.Contains(loc, "evil")) {
						t.Errorf("%s?%s=%s leads to %s", path, name, evil, loc)
					}
					if r.Status >= 500 {
						t.Errorf("%s?%s: %d", path, name, r.Status)
					}
				}
			}
		}
	})
	t.Run("RFC6749-3.1.2-a B18 what may not be registered", func(t *testing.T) {
		for _, uri := range []string{"https://c1.test/cb#x", "https://c1.test/cb#", "/cb", "c1.test/cb", "http://c1.test/cb", "https://u@c1.test/cb", "javascript:alert(1)", "data:text/html,x",
			"https://c1.test/cb?code=1", "https://c1.test/cb?state=1&x", "https://c1.test/cb?iss=1", "https://c1.test/cb?error=1", "ftp://c1.test/cb", "https://c1.test/c b", `https://c1.test\cb`, "https:///cb", "", "myapp:/cb"} {
			if _, _, status := command(t, "", "app", "create", "--data", d.dir, "--name", "X", "--redirect-uri", uri); status == 0 {
				t.Errorf("%q was registered", uri)
			}
		}
	})
}

// noRedirect checks that a redirect URI is refused, whoever asks.
func noRedirect(t *testing.T, a *app, uri string) {
	t.Helper()
	v := a.authorization("redirect_uri", uri)
	if a.Secret == "" {
		_, challenge := pkce()
		v = with(v, "code_challenge", challenge, "code_challenge_method", "S256")
	}
	r := a.authorize(t, v)
	if r.Status != 400 || r.text("error") != "invalid_request" || r.Header.Get("Location") != "" {
		t.Errorf("%q: %d %s", uri, r.Status, r.Body)
	}
	p := a.authorize(t, v, asBrowser)
	if p.Status != 400 || p.Header.Get("Location") != "" || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%q for a browser: %d %s", uri, p.Status, p.Header.Get("Location"))
	}
	if p.Header.Get("Set-Cookie") == "x=y" || p.Header.Get("X") != "" {
		t.Errorf("%q: a header was injected", uri)
	}
}
