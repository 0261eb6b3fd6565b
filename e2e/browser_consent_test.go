//go:build linux

package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Deny sends the person back to the app, which is told access_denied; the app
// may ask again, and is allowed then.
func testDeny(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.press("Jane Doe")
	p.press("Deny")
	p.at(atRefused)
	a.refusedWith(1, "access_denied")
	p.visit(a.link())
	p.at(atConsent)
	p.press("Allow")
	a.connects(2, b.jane())
}

// What was allowed is remembered: the second time leads straight to the app,
// for that account and no other.
func testRemembered(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.press("Jane Doe")
	p.press("Allow")
	first := a.connects(1, b.jane())
	p.visit(a.link())
	p.at(atApp)
	a.connects(2, b.jane())
	a.alive(t, first)

	// In another window, the sign-in alone leads to the app; John is asked.
	q := b.window(t)
	q.mayVisit(a.URL)
	q.visit(a.link())
	q.press("Jane Doe")
	q.at(atApp)
	a.connects(3, b.jane())
	q.visit(a.link("prompt", "login"))
	q.press("John Doe")
	q.at(atConsent)

	// prompt=consent asks again.
	p.visit(a.link("prompt", "consent"))
	p.at(atConsent)
}

// RFC 6749 §10.2: anyone on this computer could pose as an app without a secret
// that listens on it, so that its consent is asked each time.
func testPublicAppIsAskedEachTime(t *testing.T, b *chromium) {
	a := b.newSite(t, "Notes", "--public")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.press("Jane Doe")
	for n := 1; n <= 2; n++ {
		p.at(atConsent)
		p.reads("on your own computer")
		p.press("Allow")
		a.connects(n, b.jane())
		p.visit(a.link())
	}
}

// B31: an app that asks for more than was allowed is asked about again, and the
// page says what is new.
func testGrowth(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--scope", "connect reports.read")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.press("Jane Doe")
	p.lacks("reports.read")
	p.press("Allow")
	a.connects(1, b.jane())

	p.visit(a.link("scope", "connect reports.read"))
	p.at(atGrowth)
	p.reads("reports.read", "New", "Already allowed")
	p.press("Deny")
	a.refusedWith(2, "access_denied")

	// What was allowed before is still allowed, and still only that.
	p.visit(a.link())
	p.at(atApp)
	a.connects(3, b.jane())
	p.visit(a.link("scope", "connect reports.read"))
	p.at(atGrowth)
	p.press("Allow")
	r := a.s.post(t, "/token", a.redemption(a.last(4).Get("code")))
	granted(t, r)
	if got := r.text("scope"); got != "connect reports.read" {
		t.Errorf("the scope is %q, want both", got)
	}
	p.visit(a.link("scope", "connect reports.read"))
	p.at(atApp)
}

// C22: a double click on Allow sends the form twice, and both are answered: the
// app gets what it can use, and the one hurts the other in nothing.
func testDoubleClick(t *testing.T, b *chromium) {
	slow := before(t, b.s.base, func(proxy *httputil.ReverseProxy) {
		proxy.ModifyResponse = func(r *http.Response) error {
			if r.Request.Method == http.MethodPost {
				time.Sleep(2 * time.Second) // so that both clicks come before an answer
			}
			return nil
		}
	})
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL, slow)
	p.visit(strings.Replace(a.link(), b.s.base, slow, 1))
	p.press("Jane Doe")
	p.at(atConsent)
	posts := p.posted()
	p.doubleClick("Allow")
	p.until("the app's page", func() bool {
		h, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.querySelector('h1').innerText`))
		return err == nil && h == atApp
	})
	if got := p.posted() - posts; got != 2 {
		t.Errorf("the double click sent the form %d times, want 2", got)
	}
	time.Sleep(300 * time.Millisecond) // a second answer would be here by now
	var all []tokens
	for _, v := range a.came(1) {
		all = append(all, a.redeem(v))
	}
	for _, tk := range all {
		a.alive(t, tk)
	}
}

// doubleClick clicks a button twice, as fast as the browser takes it.
func (p *tab) doubleClick(text string) {
	p.t.Helper()
	type point struct{ X, Y float64 }
	at := tabEval[point](p, fmt.Sprintf(`(e => {
		e.scrollIntoView({block: 'center', behavior: 'instant'});
		const box = e.getBoundingClientRect();
		return {X: box.left + box.width / 2, Y: box.top + box.height / 2};
	})(%s)`, buttonNamed(text)))
	for count := range 2 {
		if count > 0 {
			// As a hand does it. Without a pause Chromium takes both for one.
			time.Sleep(200 * time.Millisecond)
		}
		p.do(chromedp.MouseClickXY(at.X, at.Y, chromedp.ClickCount(count+1)))
	}
}

// before starts a proxy before a server and returns its address.
func before(t *testing.T, base string, change func(*httputil.ReverseProxy)) string {
	t.Helper()
	to, err := url.Parse(base)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // a browser hangs up as it likes
	change(proxy)
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// heading returns the page's heading, or "" while there is none.
func (p *tab) heading() string {
	p.t.Helper()
	return tabEval[string](p, `document.querySelector('h1') ? document.querySelector('h1').innerText : ''`)
}

// until waits for a condition.
func (p *tab) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("waited in vain for %s\n%s", what, p.look())
		}
	}
}

// What was begun in one tab may be finished in another of the same window.
func testTwoTabs(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	one := b.window(t)
	one.mayVisit(a.URL)
	one.visit(a.link("state", "one"))
	two := one.beside()
	two.visit(a.link("state", "two"))
	two.at(atSignIn)
	one.press("Jane Doe")
	one.at(atConsent)

	// The other tab still shows the sign-in page. Signing in there works too,
	// and so does loading it again.
	two.press("Jane Doe")
	two.at(atConsent)
	two.press("Allow")
	two.at(atApp)
	first := a.connects(1, b.jane())
	if got := a.last(1).Get("state"); got != "two" {
		t.Errorf("state %q, want that of the second tab", got)
	}
	one.press("Allow")
	one.at(atApp)
	second := a.connects(2, b.jane())
	a.alive(t, first)
	a.alive(t, second)
}

// B33: whoever signs in in another tab meanwhile, the code is for the account
// that the consent page named.
func testAccountsSwappedBetweenTabs(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	one := b.window(t)
	one.mayVisit(a.URL)
	one.visit(a.link())
	one.press("Jane Doe")
	one.at(atConsent)

	two := one.beside()
	two.visit(a.link("prompt", "login"))
	two.press("John Doe")
	two.at(atConsent)
	two.reads("John Doe")

	one.reads("Jane Doe")
	one.press("Allow")
	a.connects(1, b.jane())
	two.press("Allow")
	a.connects(2, b.john())
}

// B33: once the account is signed out in another tab, its consent page is good
// for nothing but signing in again.
func testSignedOutInAnotherTab(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	one := b.window(t)
	one.mayVisit(a.URL)
	one.visit(a.link())
	one.press("Jane Doe")
	one.at(atConsent)

	two := one.beside()
	two.visit(b.s.base + "/sign-out")
	two.press("Sign out of all")
	two.visit(b.s.base + "/sign-in")
	two.press("John Doe")

	one.press("Allow")
	one.at(atSignIn)
	one.press("Jane Doe")
	one.at(atConsent) // what was pressed before the sign-in allows nothing
	one.reads("Jane Doe")
	one.press("Allow")
	a.connects(1, b.jane())
}
