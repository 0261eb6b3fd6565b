//go:build linux

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// posts has the app take its answers by POST at /callback.
func (a *site) posts() {
	a.handle("/callback", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.ParseForm() != nil {
			http.Error(w, "not by a form", http.StatusBadRequest)
			return
		}
		a.mu.Lock()
		a.arrived[len(a.arrived)-1] = r.PostForm // in place of the query, which is empty
		secret(kindSecret, r.PostForm.Get("code"))
		a.mu.Unlock()
		if code := r.PostForm.Get("error"); code != "" {
			writePage(w, "The app was told "+code, "")
			return
		}
		writePage(w, "Connected to the app", "")
	})
}

// OAUTH-FP-2: the answer is posted, by the page's script or, without scripts, by its
// button.
func testFormPost(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	a.posts()
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link("response_mode", "form_post"))
	p.press("Jane Doe")
	p.at(atConsent)
	p.do(chromedp.Click(buttonNamed("Allow")))
	a.connects(1, b.jane())
	p.visit(a.link("response_mode", "form_post", "prompt", "consent"))
	p.do(chromedp.Click(buttonNamed("Deny")))
	a.refusedWith(2, "access_denied")

	off := b.window(t)
	off.mayVisit(a.URL)
	off.scriptsOff()
	off.visit(a.link("response_mode", "form_post"))
	off.press("John Doe")
	off.press("Allow")
	off.reads("Back to Weather Mill")
	if got := len(a.arrivedSoFar()); got != 2 {
		t.Errorf("%d answers came before the button was pressed", got)
	}
	off.press("Continue")
	off.at(atApp)
	a.connects(3, b.john())
}

// The page that posts, and that it can post nowhere but to the app's own address.
func testLooksOfFormPost(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--redirect-uri", "https://weathermill.example/oauth/callback?a=%2Fb&c")
	p := b.window(t)
	p.scriptsOff()
	p.visit(a.link("response_mode", "form_post", "redirect_uri", "https://weathermill.example/oauth/callback?a=%2Fb&c", "state", `"><script>alert(1)</script>`))
	p.press("Jane Doe")
	p.press("Allow")
	p.reads("Back to Weather Mill", "weathermill.example")
	got := tabEval[string](p, `document.forms[0].getAttribute("action") + " " + document.forms[0].elements["state"].value`)
	if got != `https://weathermill.example/oauth/callback?a=%2Fb&c "><script>alert(1)</script>` {
		t.Errorf("the form has %s", got)
	}
	tabCall(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
	p.looksRight("form-post")
	if csp, _ := p.answer.Headers["Content-Security-Policy"].(string); !strings.Contains(csp, "script-src 'self'") {
		t.Errorf("the policy is %q", csp)
	}
}
