//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// atDenied is the heading of the page that refuses what is not this browser's.
const atDenied = "This cannot go on here"

// B26: what began in one browser is refused in another, at every page, and
// remains good in its own.
func testTwoBrowsers(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	own := b.window(t)
	own.mayVisit(a.URL)
	own.visit(a.link())
	signIn := own.flow()
	own.press("Jane Doe")
	own.at(atConsent)
	page := tabEval[string](own, `location.href`)
	consent := own.flow()

	// Someone else, whether signed in or not, has nothing of it.
	other := b.window(t)
	other.mayVisit(a.URL)
	other.refuses(page)
	other.visit(a.link())
	other.swapFlow(signIn)
	other.press("John Doe")
	other.at(atDenied)
	other.visit(a.link())
	other.press("John Doe")
	other.at(atConsent)
	other.swapFlow(consent)
	for _, answer := range []string{"Allow", "Deny", "Use another account"} {
		other.press(answer)
		other.at(atDenied)
		other.back()
		other.swapFlow(consent)
	}
	other.refuses(page)
	if n := len(a.arrivedSoFar()); n != 0 {
		t.Fatalf("%d callbacks came of another browser's flow", n)
	}

	own.press("Allow")
	a.connects(1, b.jane())
}

// flow returns the sealed state in the page's form.
func (p *tab) flow() string {
	p.t.Helper()
	f := tabEval[string](p, `document.querySelector('input[name=flow]').value`)
	secret(kindPassing, f)
	return f
}

// swapFlow puts another sealed state into every form of the page.
func (p *tab) swapFlow(f string) {
	p.t.Helper()
	tabEval[bool](p, fmt.Sprintf(`document.querySelectorAll('input[name=flow]').forEach(e => e.value = %q), true`, f))
}

// refuses checks that an address is refused to this browser.
func (p *tab) refuses(address string) {
	p.t.Helper()
	r := p.visit(address)
	p.at(atDenied)
	if r.Status != 403 {
		p.t.Errorf("the refusal comes with %d, want 403", r.Status)
	}
}

// B24, B25: forms that another page sends in the person's name are refused,
// whether it is of another site or only of another port of this host, for
// which the browser sends the cookies.
func testForgedForms(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	evil := b.unregistered(t, httptest.NewServer)
	attacker := b.window(t)
	attacker.visit(a.link())
	attackersFlow := attacker.flow()

	p := b.window(t)
	p.visit(a.link())
	p.press("Jane Doe")
	p.at(atConsent)
	consent := p.flow()
	forms := map[string]map[string]string{
		"/consent":  {"flow": consent, "action": "allow"},
		"/choose":   {"flow": consent, "account": b.jane().ID},
		"/sign-in":  {"flow": attackersFlow, "username": b.john().Username, "password": b.john().Password},
		"/sign-out": {"flow": consent, "account": "all"},
	}
	for _, origin := range []string{evil.URL, elsewhere(evil.URL)} {
		p.mayVisit(origin, a.URL)
		for path, fields := range forms {
			evil.page("/", "You have won", forgedForm(b.s.base+path, fields))
			p.visit(origin + "/")
			r := p.leads(chromedp.Click(chromedp.ID("go")))
			if h := p.heading(); h != atDenied || r.Status != 403 {
				t.Errorf("a form to %s from %s leads to %d %q", path, origin, r.Status, h)
			}
		}
	}
	if n := len(a.arrivedSoFar()); n != 0 {
		t.Fatalf("%d callbacks came of a forged form", n)
	}
	// Jane alone is signed in, and has allowed nothing.
	p.visit(b.s.base + "/sign-out")
	p.reads("Jane Doe")
	p.lacks("John Doe")
	p.visit(a.link())
	p.at(atConsent)
}

func forgedForm(to string, fields map[string]string) string {
	var s strings.Builder
	fmt.Fprintf(&s, `<form method="post" action="%s">`, html.EscapeString(to))
	for name, value := range fields {
		fmt.Fprintf(&s, `<input type="hidden" name="%s" value="%s">`, name, html.EscapeString(value))
	}
	s.WriteString(`<button id="go">Claim your prize</button></form>`)
	return s.String()
}

// B32: what the consent form says besides its sealed state is not heard.
func testTamperedForm(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--scope", "connect reports.read")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.press("John Doe")
	p.visit(a.link("prompt", "login"))
	p.press("Jane Doe")
	p.at(atConsent)
	fields, err := json.Marshal(map[string]string{
		"scope": "connect reports.read", "account": b.john().ID, "chosen": b.john().ID, "client_id": b.s.greet.ClientID,
		"redirect_uri": elsewhere(a.URL) + "/callback", "state": "forged",
	})
	must(t, err)
	tabEval[bool](p, fmt.Sprintf(`Object.entries(%s).forEach(([name, value]) => {
		const e = document.createElement('input');
		e.type = 'hidden'; e.name = name; e.value = value;
		document.querySelector('form').append(e);
	}), true`, fields))
	p.press("Allow")
	p.at(atApp)
	v := a.last(1)
	if v.Get("state") == "forged" {
		t.Error("the state of the form was taken")
	}
	r := a.s.post(t, "/token", a.redemption(v.Get("code")))
	tk := granted(t, r)
	if got := r.text("scope"); got != "connect" {
		t.Errorf("the scope is %q, want what the page showed", got)
	}
	if r := a.s.info(t, tk.access); r.text("id") != b.jane().ID {
		t.Errorf("the code is for %s, want Jane Doe", r.text("user"))
	}
}

// B27: no page of ours is shown within another's.
func testFraming(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	evil := b.unregistered(t, httptest.NewServer)
	p := b.window(t)
	p.visit(b.s.base + "/sign-in")
	p.press("Jane Doe")
	p.mayVisit(evil.URL)
	for _, path := range []string{"/sign-in", "/sign-out", "/docs", "/docs/errors", "/playground", "/authorize?client_id=nobody", strings.TrimPrefix(a.link(), b.s.base)} {
		evil.page("/", "You have won", `<iframe src="`+html.EscapeString(b.s.base+path)+`"></iframe>`)
		p.excuse("frame")
		p.mu.Lock()
		p.failed = nil
		p.mu.Unlock()
		p.visit(evil.URL + "/")
		p.mu.Lock()
		failed := strings.Join(p.failed, " ")
		p.mu.Unlock()
		if !strings.Contains(failed, "net::ERR_BLOCKED_BY_RESPONSE") {
			t.Errorf("%s is shown in a frame: %q", path, failed)
		}
	}
}

// B76, B77: names of apps and accounts, and parameters, are text and nothing
// else. Scripts that ran, and what the policy kept from running, would be
// complaints of the tab.
func testMarkupIsText(t *testing.T, b *chromium) {
	const markup = `<img src=x onerror=alert(1)><script>alert(2)</script>"'`
	a := b.newSite(t, "Mill "+markup)
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link("login_hint", markup, "state", markup))
	p.reads("Mill " + markup)
	if got := tabEval[string](p, `document.getElementById('username').value`); got != markup {
		t.Errorf("the login_hint is filled in as %q", got)
	}
	p.press("Jane Doe")
	p.reads("Mill " + markup)
	p.press("Deny")
	if got := a.last(1).Get("state"); got != markup {
		t.Errorf("state came back as %q", got)
	}
	p.visit(a.link("redirect_uri", a.redirect+"?"+markup))
	p.visit(b.s.base + "/" + strings.ReplaceAll(markup, " ", "%20"))
	p.visit(b.s.base + "/continue?flow=%3Cscript%3Ealert(3)%3C/script%3E")
	if n := tabEval[int](p, `document.scripts.length`); n != 0 {
		t.Errorf("%d scripts are in the page", n)
	}
}
