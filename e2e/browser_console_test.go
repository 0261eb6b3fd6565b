//go:build linux

package e2e

import (
	"net/http/httptest"
	"testing"
)

// An app is registered by a preset, connected, seen, and its connection ended, by the
// pages alone. Every page of the console is looked at on the way.
func testConsole(t *testing.T, b *chromium) {
	a := b.unregistered(t, httptest.NewServer)
	a.redirect = a.Server.URL + "/callback"
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(b.s.base + "/console")
	p.press("Jane Doe")
	p.at("All apps")
	p.looksRight("console")
	p.press("Register an app")
	p.press("Postman")
	p.reads("Authorize using browser")
	p.looksRight("console-new")
	p.press("Something else")
	p.fill("name", "Console app")
	p.fill("redirect_uris", a.redirect)
	p.press("Register")
	p.at("Console app is registered")
	p.looksRight("console-secret")
	a.ID = tabEval[string](p, `document.querySelectorAll('.copies dd')[0].innerText.trim()`)
	a.Secret = tabEval[string](p, `document.querySelectorAll('.copies dd')[1].innerText.trim()`)
	secret(kindSecret, a.Secret)
	p.press("I have kept it")
	p.at("Console app")
	p.reads("in test", "Nobody has connected it yet", "No use is written down yet")
	p.looksRight("console-app")

	q := p.beside()
	q.mayVisit(a.URL)
	q.visit(a.link())
	q.press("Allow")
	a.connects(1, b.jane())

	p.visit(b.s.base + "/console/app?app=" + a.ID)
	p.reads("Last refreshed")
	p.looksRight("console-connection")
	p.press("End")
	p.reads("ended by the operator")

	// Operators also have the accounts.
	p.press("Accounts")
	p.at("Accounts")
	p.looksRight("console-accounts")
	p.press("John Doe")
	p.at("John Doe")
	p.looksRight("console-account")
	p.press("Scopes and settings")
	p.looksRight("console-scopes")

	// Who is no test account reads why, and so does who owns nothing.
	j := b.window(t)
	j.visit(a.link())
	j.press("John Doe")
	j.at("This app is still being tried out")
	j.visit(b.s.base + "/console")
	j.reads("You have no apps yet")
	j.looksRight("console-none")
}
