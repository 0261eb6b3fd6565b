//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// A redirect URI that is not registered: the page shows what was sent, what is
// registered, and where the two differ; and no one is sent anywhere.
func testMismatchPage(t *testing.T, b *chromium) {
	const registered = "https://weathermill.example/oauth/callback"
	a := b.newSite(t, "Weather Mill", "--redirect-uri", registered)
	p := b.window(t)
	for _, c := range []struct{ name, sent, says string }{
		{"a slash at the end", "https://weathermill.example/oauth/callback/", "slash at the end"},
		{"another scheme", "http://weathermill.example/oauth/callback", "http is not https"},
		{"another host", "https://www.weathermill.example/oauth/callback", "Only www. differs"},
		{"another path", "https://weathermill.example/oauth/return", "Only the path differs"},
	} {
		r := p.visit(a.link("redirect_uri", c.sent))
		if r.Status != 400 {
			t.Errorf("%s: status %d, want 400", c.name, r.Status)
		}
		p.reads(a.redirect, "The developer of the app", c.says)
		// The addresses, put together of their parts: the one that was sent comes
		// first, the nearest of those registered next.
		type parts struct{ All, Same string }
		shown := tabEval[[]parts](p, `[...document.querySelectorAll('.mismatch dd code')].map(e => {
			const texts = list => [...list].map(e => e.textContent).join('');
			return {All: texts(e.querySelectorAll('bdi')), Same: texts(e.querySelectorAll(':scope > bdi'))};
		})`)
		if len(shown) != 3 || shown[0].All != c.sent || shown[1].All != registered || shown[2].All != a.redirect {
			t.Fatalf("%s: the page shows %q", c.name, shown)
		}
		// What is not marked as different is the same in both, and is not all.
		if shown[0].Same != shown[1].Same || shown[0].Same == c.sent && shown[1].Same == registered || len(shown[0].Same) < 20 {
			t.Errorf("%s: not marked as different is %q of %q and %q of %q", c.name, shown[0].Same, c.sent, shown[1].Same, registered)
		}
	}
	if n := len(a.arrivedSoFar()); n != 0 {
		t.Errorf("%d callbacks came", n)
	}
}

// Each refusal before app and redirect URI are proven is a page with a status,
// the RFC's code, the request id that the log has, and a way on.
func testErrorPages(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	for _, c := range []struct {
		name, address string
		status        int64
		says          []string
	}{
		{"unknown app", a.link("client_id", "sym_app_nobody"), 404, []string{"No such app", "invalid_client", "client_id"}},
		{"no app", a.link("client_id", ""), 400, []string{"invalid_request", "client_id"}},
		{"no redirect URI", a.link("redirect_uri", ""), 400, []string{"invalid_request", "redirect_uri"}},
		{"the app named twice", a.link() + "&client_id=" + a.ID, 400, []string{"invalid_request", "client_id"}},
		{"unknown path", b.s.base + "/nothing-here", 404, []string{"Not found"}},
		{"wrong method", b.s.base + "/consent", 405, []string{"Method not allowed"}},
		{"too long an address", b.s.base + "/sign-in?" + strings.Repeat("x", 13<<10), 414, []string{"12 KiB"}},
	} {
		r := p.visit(c.address)
		if r.Status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, r.Status, c.status)
		}
		p.reads(c.says...)
		id, _ := r.Headers["X-Request-Id"].(string)
		if id == "" {
			t.Errorf("%s: no X-Request-Id", c.name)
		} else {
			p.reads(id)
		}
	}
}

// A flow that is broken or no longer good: the person is told, and can start
// again.
func testBrokenFlow(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.refuses(b.s.base + "/continue")
	p.refuses(b.s.base + "/continue?flow=nonsense")
	p.visit(a.link())
	f := p.flow()
	p.refuses(b.s.base + "/continue?flow=" + f[:len(f)-8])
	p.refuses(b.s.base + "/continue?flow=" + f[:20] + "AAAA" + f[24:])
	// A flow of another browser can be started again in this one.
	other := b.window(t)
	other.refuses(b.s.base + "/continue?flow=" + f)
	other.press("Start again")
	other.at(atSignIn)
	other.press("Jane Doe")
	other.at(atConsent)
}

// Once app and redirect URI are proven, what is wrong goes to the app.
func testErrorsGoToTheApp(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	for i, c := range []struct{ code, name, value string }{
		{"invalid_scope", "scope", "everything"},
		{"unsupported_response_type", "response_type", "token"},
		{"login_required", "prompt", "none"},
		{"invalid_request", "code_challenge_method", "plain"},
	} {
		p.visit(a.link(c.name, c.value))
		p.at(atRefused)
		a.refusedWith(i+1, c.code)
	}
}
