//go:build linux

package e2e

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

// scheme is the address of an app on a phone or a desktop.
const scheme = "com.example.app:/callback"

// wayBack is a kind of redirect URI.
type wayBack struct {
	name string
	app  func(*testing.T, *chromium) *site
	// ends is what the address begins with at which the way ends.
	ends func(*site) string
}

var waysBack = []wayBack{
	{"http on loopback", func(t *testing.T, b *chromium) *site { return b.newSite(t, "Notes") },
		func(a *site) string { return a.URL + "/callback?" }},
	{"https that leads on to another origin", func(t *testing.T, b *chromium) *site {
		a := b.newSecureSite(t)
		other := b.unregistered(t, httptest.NewServer)
		other.page("/landed", "Landed", "")
		a.handle("/callback", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere(other.URL)+"/landed", http.StatusFound)
		})
		a.next = elsewhere(other.URL) + "/landed"
		return a
	}, func(a *site) string { return a.next }},
	{"https that leads on to a scheme", func(t *testing.T, b *chromium) *site {
		a := b.newSecureSite(t)
		a.handle("/callback", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, scheme+"?"+r.URL.RawQuery, http.StatusFound)
		})
		return a
	}, func(*site) string { return scheme + "?code=" }},
	{"a scheme", func(t *testing.T, b *chromium) *site {
		a := b.unregistered(t, httptest.NewServer)
		a.register("Notes", scheme)
		return a
	}, func(*site) string { return scheme + "?code=" }},
	{"a scheme, and no secret", func(t *testing.T, b *chromium) *site {
		a := b.unregistered(t, httptest.NewServer)
		a.register("Notes", scheme, "--public")
		return a
	}, func(*site) string { return scheme + "?code=" }},
}

// newSecureSite registers an app whose server speaks https.
func (b *chromium) newSecureSite(t *testing.T) *site {
	t.Helper()
	a := b.unregistered(t, func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // the certificate is nobody's
		s.StartTLS()
		return s
	})
	a.register("Weather Mill", a.URL+"/callback")
	return a
}

// elsewhere is the same server under another host, so of another site.
func elsewhere(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }

// SYM-HTTP-2, CLIENTS.md 20: Chromium holds the whole chain of redirects after
// a form against form-action. The pages' policy lets each kind of app have its
// answer; with form-action 'self' none gets it, which shows that this test can
// fail.
func testWaysBack(t *testing.T, b *chromium) {
	strict := withFormAction(t, b.s.base)
	for _, way := range waysBack {
		a := way.app(t, b)
		p := b.window(t)
		// The control has a tab of its own: where an address of a scheme was opened, Chromium
		// may take no click for a while.
		q := p.beside()
		for _, tab := range []*tab{p, q} {
			tabCall(tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
			tab.mayVisit(a.URL, strings.TrimSuffix(a.next, "/landed"), "com.example.app://", strict)
		}
		allow := func(p *tab, base string) {
			p.visit(strings.Replace(a.link("prompt", "consent"), b.s.base, base, 1))
			if p.heading() == atSignIn {
				p.press("Jane Doe")
			}
			p.at(atConsent)
			p.do(chromedp.Click(buttonNamed("Allow")))
		}
		allow(p, b.s.base)
		p.until(way.name+", which the policy must let through", func() bool { return p.asked(way.ends(a)) })

		q.excuse("form-action")
		q.blocked(way.name, func() { allow(q, strict) })
		if q.asked(way.ends(a)) {
			t.Errorf("%s: form-action 'self' blocks nothing, so this test proves nothing", way.name)
		}
	}
}

// blocked does what form-action 'self' must block, and waits for the browser to
// say so. Now and then the browser blocks and does not say it, when another
// navigation of the same tab is not over yet: then it counts that a form was sent and
// what it led to was not loaded.
func (p *tab) blocked(name string, try func()) {
	p.t.Helper()
	for range 6 { // Chromium on a busy machine may miss a click
		posts, failed := p.counts()
		try()
		for deadline := time.Now().Add(patience / 4); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if p.complained("form-action") {
				return
			}
		}
		if nowPosts, nowFailed := p.counts(); nowPosts > posts && nowFailed > failed {
			return
		}
	}
	posts, failed := p.counts()
	p.t.Errorf("%s is not blocked by form-action 'self', so this test proves nothing: %d forms were sent, %d loads failed\n%s", name, posts, failed, p.look())
}

// asked reports whether the tab asked for an address that begins with prefix.
func (p *tab) asked(prefix string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.sent {
		if strings.HasPrefix(r.URL, prefix) {
			return true
		}
	}
	return false
}

// counts returns how many forms the tab has sent, and how many loads failed.
func (p *tab) counts() (posts, failed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts, len(p.failed)
}

// complained reports whether the browser complained with a part.
func (p *tab) complained(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.trouble, func(s string) bool { return strings.Contains(s, part) })
}

// withFormAction starts a proxy before a server that adds form-action 'self' to
// every policy that has none, and returns its address.
func withFormAction(t *testing.T, base string) string {
	t.Helper()
	return before(t, base, func(proxy *httputil.ReverseProxy) {
		proxy.ModifyResponse = func(r *http.Response) error {
			if csp := r.Header.Get("Content-Security-Policy"); csp != "" && !strings.Contains(csp, "form-action") {
				r.Header.Set("Content-Security-Policy", csp+"; form-action 'self'")
			}
			return nil
		}
	})
}

// The other forms lead to the app too: signing in and choosing where the
// consent is remembered, cancelling, denying.
func testEveryFormLeadsBack(t *testing.T, b *chromium) {
	strict := withFormAction(t, b.s.base)
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL, strict)
	p.excuse("form-action")
	for _, name := range []string{"Jane Doe", "John Doe"} {
		p.visit(a.link("prompt", "login"))
		p.press(name)
		p.press("Allow")
		p.at(atApp)
	}
	forms := []struct {
		name, button, lands string
		ask                 []string
	}{
		{"sign-in", "Jane Doe", atApp, []string{"prompt", "login"}},
		{"sign-in, cancelled", "Cancel", atRefused, []string{"prompt", "login"}},
		{"choice", "Jane Doe", atApp, []string{"prompt", "select_account"}},
		{"choice, cancelled", "Cancel", atRefused, []string{"prompt", "select_account"}},
		{"consent, denied", "Deny", atRefused, []string{"prompt", "consent", "login_hint", b.jane().Username}},
	}
	for _, f := range forms {
		p.visit(a.link(f.ask...))
		p.press(f.button)
		if !strings.Contains(p.heading(), f.lands) {
			t.Errorf("the form of the %s does not lead to the app\n%s", f.name, p.look())
		}
	}
	// And none does under form-action 'self'.
	for _, f := range forms {
		n := len(a.arrivedSoFar())
		p.mu.Lock()
		p.trouble = nil
		p.mu.Unlock()
		p.blocked("the form of the "+f.name, func() {
			p.visit(strings.Replace(a.link(f.ask...), b.s.base, strict, 1))
			p.wantsButton(f.button)
			p.do(chromedp.Click(buttonNamed(f.button)))
		})
		if len(a.arrivedSoFar()) != n {
			t.Errorf("form-action 'self' does not block the form of the %s, so this test proves nothing", f.name)
		}
	}
}
