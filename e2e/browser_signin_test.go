//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// signIn signs in by username and password on the sign-in page.
func (p *tab) signIn(who demoAccount) {
	p.t.Helper()
	p.at(atSignIn)
	p.fill("username", who.Username)
	p.fill("password", who.Password)
	p.press("Sign in")
}

// A person signs in by username and password, allows, and is connected.
func testPassword(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--home", "https://weathermill.example")
	p := b.window(t)
	p.mayVisit(a.URL)
	if r := p.visit(a.link("state", "a b&c=d%é")); r.Status != 200 {
		t.Errorf("the sign-in page comes with %d", r.Status)
	}
	p.reads("Weather Mill")
	p.signIn(b.jane())
	p.at(atConsent)
	p.reads("Weather Mill", "weathermill.example", "Jane Doe", "llows connection to resources")
	p.press("Allow")
	p.at(atApp)
	a.connects(1, b.jane())
	if got := a.last(1).Get("state"); got != "a b&c=d%é" {
		t.Errorf("state came back as %q", got)
	}
}

// Usernames are taken in any case and with spaces around them, as people type
// them on a phone.
func testPasswordTypedOnAPhone(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.visit(a.link())
	p.fill("username", " "+strings.ToUpper(b.jane().Username)+" ")
	p.fill("password", b.jane().Password)
	p.press("Sign in")
	p.at(atConsent)
	p.reads("Jane Doe")
}

// A wrong password, and a username that no one has, are announced in the same
// words, and the person goes on from there.
func testWrongPassword(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	var said []string
	for _, username := range []string{b.john().Username, "nobody-at-all"} {
		p.fill("username", username)
		p.fill("password", "not the password")
		p.press("Sign in")
		p.at(atSignIn)
		said = append(said, p.announced())
		if got := tabEval[string](p, `document.getElementById('username').value`); got != username {
			t.Errorf("the username is %q after a refusal, want what was typed", got)
		}
		if got := tabEval[string](p, `document.getElementById('password').value`); got != "" {
			t.Errorf("the password is filled in after a refusal")
		}
		if title := tabEval[string](p, `document.title`); !strings.HasPrefix(title, "Problem") {
			t.Errorf("the title %q does not begin with the problem", title)
		}
	}
	if said[0] == "" || said[0] != said[1] {
		t.Errorf("a wrong password and an unknown username get different words: %q", said)
	}
	p.fill("username", b.john().Username)
	p.fill("password", b.john().Password)
	p.press("Sign in")
	p.at(atConsent)
	p.press("Allow")
	a.connects(1, b.john())
}

// announced returns what an assistive technology reads out when the page has
// come: an alert that the fields point to, with the focus in one of them.
func (p *tab) announced() string {
	p.t.Helper()
	p.until("the focus on a field to correct", func() bool {
		return tabEval[bool](p, `['username', 'password'].includes(document.activeElement.id)`)
	})
	type found struct {
		Alert, Described, Invalid string
	}
	f := tabEval[found](p, `(() => {
		const alert = document.querySelector('[role=alert]'), username = document.getElementById('username');
		const by = username.getAttribute('aria-describedby');
		return {
			Alert: alert ? alert.innerText.trim() : '',
			Described: by && document.getElementById(by) ? document.getElementById(by).innerText.trim() : '',
			Invalid: username.getAttribute('aria-invalid') || '',
		};
	})()`)
	if f.Alert == "" || f.Alert != f.Described {
		p.t.Errorf("the problem is not announced: alert %q, the field is described by %q", f.Alert, f.Described)
	}
	if f.Invalid != "true" {
		p.t.Errorf("the field is not marked as invalid")
	}
	return f.Alert
}

// The sandbox accounts are buttons below the form, no password needed.
func testSandboxButtons(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.reads("Jane Doe", "John Doe", "Jane Black")
	if !tabEval[bool](p, `document.getElementById('password').getBoundingClientRect().bottom <= document.querySelector('button[name=sandbox]').getBoundingClientRect().top`) {
		t.Error("the sandbox buttons are not below the form")
	}
	p.press("Jane Black")
	p.at(atConsent)
	p.reads("Jane Black")
	p.press("Allow")
	a.connects(1, b.black())
}

// Cancel sends the person back to the app, which is told access_denied.
func testCancel(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link("state", "s1"))
	p.press("Cancel")
	p.at(atRefused)
	a.refusedWith(1, "access_denied")
	if got := a.last(1).Get("state"); got != "s1" {
		t.Errorf("state came back as %q", got)
	}
}

// Two accounts are signed in at once: the person chooses, or takes another.
func testChoose(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.press("Jane Doe")
	p.at(atConsent)
	p.press("Use another account")
	p.at(atSignIn)
	p.press("John Doe")
	p.at(atConsent)
	p.reads("John Doe")
	p.press("Allow")
	a.connects(1, b.john())

	// Both are signed in now, so they are asked which.
	p.visit(a.link())
	p.at(atChoose)
	p.press("Jane Doe")
	p.at(atConsent)
	p.reads("Jane Doe")
	p.press("Allow")
	a.connects(2, b.jane())

	// A third, by password, from the choice.
	p.visit(a.link())
	p.at(atChoose)
	p.press("Use another account")
	p.at(atSignIn)
	p.signIn(b.black())
	p.at(atConsent)
	p.reads("Jane Black")
	p.press("Allow")
	a.connects(3, b.black())

	// And back from the sign-in page to the choice; then given up.
	p.visit(a.link())
	p.press("Use another account")
	p.press("Choose among the accounts")
	p.at(atChoose)
	p.reads("Jane Doe", "John Doe", "Jane Black")
	p.press("Cancel")
	a.refusedWith(4, "access_denied")
}

// With scripts off, everything works.
func testScriptsOff(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.scriptsOff()
	p.visit(a.link())
	p.fill("username", b.jane().Username)
	p.fill("password", "wrong")
	p.press("Sign in")
	p.announced()
	p.signIn(b.jane())
	p.at(atConsent)
	p.press("Use another account")
	p.at(atSignIn)
	p.press("John Doe")
	p.at(atConsent)
	p.press("Allow")
	p.at(atApp)
	a.connects(1, b.john())
	p.visit(a.link())
	p.at(atChoose)
	p.press("Jane Doe")
	p.at(atConsent)
	p.press("Deny")
	p.at(atRefused)
	a.refusedWith(2, "access_denied")
	p.visit(b.s.base + "/sign-out")
	p.press("Sign out of all")
	p.at("signed out")
}

// scriptsOff turns scripts off in the tab, and makes sure that they are.
func (p *tab) scriptsOff() {
	p.t.Helper()
	tabCall(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.visit("data:text/html,<title>off</title><script>document.title='on'</script>")
	if got := tabEval[string](p, `document.title`); got != "off" {
		p.t.Fatalf("scripts still run: the title is %q", got)
	}
}
