//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// A person connects an app in Czech, on pages with the owner's name and colours: by the
// choice at the foot of the page, which the flow survives, and by what the app says of
// them, without a script in either.
func TestCzechInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	t.Parallel()
	b := startChromium(t)
	b.s = startDemo(t, newDir(), "--appearance", "name=Meteostanice", "--appearance", "accent=#7a1fa2", "--appearance", "privacy=https://owner.example/privacy")
	a := b.newSite(t, "Weather Mill")

	p := b.window(t)
	p.mayVisit(a.URL)
	p.scriptsOff()
	p.visit(a.link("state", "abc"))
	p.reads("Sign in", "Meteostanice", "Privacy")
	p.press("Čeština")
	p.at("Přihlášení")
	p.fill("username", b.jane().Username)
	p.fill("password", "wrong")
	p.press("Přihlásit se")
	if said := p.announced(); !strings.Contains(said, "sobě nepatří") {
		t.Errorf("a wrong password is announced as %q", said)
	}
	p.fill("username", b.jane().Username)
	p.fill("password", b.jane().Password)
	p.press("Přihlásit se")
	p.at("Povolit aplikaci Weather Mill")
	p.reads("Ochrana soukromí", "možňuje připojení")
	tabCall(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
	p.looksRight("consent-cs")
	p.press("Povolit")
	p.at(atApp)
	a.connects(1, b.jane())
	if got := a.last(1).Get("state"); got != "abc" {
		t.Errorf("state came back as %q", got)
	}

	q := b.window(t)
	q.visit(a.link("ui_locales", "cs"))
	q.at("Přihlášení")
	if lang := tabEval[string](q, `document.documentElement.lang`); lang != "cs" {
		t.Errorf("the page is in %q", lang)
	}
	q.press("English") // which the person knows better
	q.at(atSignIn)
}
