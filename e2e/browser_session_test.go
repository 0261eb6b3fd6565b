//go:build linux

package e2e

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// B34: a session cookie that was planted before the sign-in is worth nothing
// after it.
func testPlantedCookie(t *testing.T, b *chromium) {
	planted := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	plant := func(p *tab) {
		for _, name := range []string{"symbolon-session", "symbolon-flow"} {
			tabCall(p, network.SetCookies, network.SetCookiesParams{Cookies: []*network.CookieParam{{Name: name, Value: planted, URL: b.s.base + "/"}}})
		}
	}
	p := b.window(t)
	plant(p)
	p.visit(b.s.base + "/sign-in")
	p.press("Jane Doe")
	if got := p.cookie("symbolon-session").Value; got == planted || got == "" {
		t.Errorf("the planted session cookie is still in force after the sign-in")
	}
	p.visit(b.s.base + "/sign-out")
	p.reads("Jane Doe")

	thief := b.window(t)
	plant(thief)
	thief.visit(b.s.base + "/sign-out")
	thief.at("You are not signed in")
}

// SYM-HTTP-3, B35: no script reads a cookie, and no other site has it sent with
// a form.
func testCookieAttributes(t *testing.T, b *chromium) {
	p := b.window(t)
	p.visit(b.s.base + "/sign-in")
	p.press("Jane Doe")
	for _, name := range []string{"symbolon-session", "symbolon-flow", "symbolon-device"} {
		c := p.cookie(name)
		if !c.HTTPOnly || c.SameSite != "Lax" || c.Path != "/" || strings.HasPrefix(c.Domain, ".") {
			t.Errorf("%s: HttpOnly %v, SameSite %s, Path %s, Domain %s", name, c.HTTPOnly, c.SameSite, c.Path, c.Domain)
		}
	}
	if got := tabEval[string](p, `document.cookie`); got != "" {
		t.Errorf("a script reads cookies: %d bytes", len(got))
	}
}

func (p *tab) cookie(name string) *network.Cookie {
	p.t.Helper()
	r := tabCall(p, network.GetCookies, network.GetCookiesParams{URLs: []string{p.s.base + "/"}})
	i := slices.IndexFunc(r.Cookies, func(c *network.Cookie) bool { return c.Name == name })
	if i < 0 {
		p.t.Fatalf("there is no cookie %s", name)
	}
	secret(kindPassing, r.Cookies[i].Value)
	return r.Cookies[i]
}

// A person signs out one account, then all; each is asked again.
func testSignOut(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	for _, name := range []string{"Jane Doe", "John Doe", "Jane Black"} {
		p.visit(b.s.base + "/sign-in")
		p.press(name)
	}
	p.visit(b.s.base + "/sign-out")
	p.reads("Jane Doe", "John Doe", "Jane Black")
	p.press("John Doe")
	p.at("signed out")

	p.visit(a.link("prompt", "select_account"))
	p.at(atChoose)
	p.reads("Jane Doe", "Jane Black")
	p.lacks("John Doe")

	old := p.cookie("symbolon-session")
	p.visit(b.s.base + "/sign-out")
	p.press("Sign out of all")
	p.at("signed out")
	p.visit(b.s.base + "/sign-out")
	p.at("You are not signed in")
	p.visit(a.link())
	p.at(atSignIn)

	// The cookie of before is worth nothing now.
	thief := b.window(t)
	tabCall(thief, network.SetCookies, network.SetCookiesParams{Cookies: []*network.CookieParam{{Name: old.Name, Value: old.Value, URL: b.s.base + "/"}}})
	thief.visit(b.s.base + "/sign-out")
	thief.at("You are not signed in")
}
