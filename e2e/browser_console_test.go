//go:build linux

package e2e

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// An app is registered by a preset, connected, seen, and its connection ended, by the
// pages alone; a request of it that was refused is explained. How the pages look is seen
// to in package web, by their samples.
func testConsole(t *testing.T, b *chromium) {
	a := b.unregistered(t, httptest.NewServer)
	a.redirect = a.Server.URL + "/callback"
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(b.s.base + "/console")
	p.press("Jane Doe")
	p.at("All apps")
	p.press("Register an app")
	p.press("Postman")
	p.reads("Authorize using browser")
	p.press("Something else")
	p.fill("name", "Console app")
	p.fill("redirect_uris", a.redirect)
	p.press("Register")
	p.at("Console app is registered")
	a.ID = tabEval[string](p, `document.querySelectorAll('.copies dd')[0].innerText.trim()`)
	a.Secret = tabEval[string](p, `document.querySelectorAll('.copies dd')[1].innerText.trim()`)
	secret(kindSecret, a.Secret)
	p.press("I have kept it")
	p.at("Console app")
	p.reads("in test", "Nobody has connected it yet", "No use is written down yet")

	p.until("the stream", func() bool { return strings.HasPrefix(p.live(), "Watching.") })

	q := p.beside()
	q.mayVisit(a.URL)
	verifier, challenge := pkce()
	q.visit(a.link("code_challenge", challenge, "code_challenge_method", "S256"))
	q.press("Allow")
	code := a.last(1).Get("code")
	refused := a.s.post(t, "/token", a.redemption(code, "code_verifier", challenge))
	if refused.Status != 400 || refused.text("request_id") == "" {
		t.Fatalf("%d %s", refused.Status, refused.Body)
	}
	granted(t, a.s.post(t, "/token", a.redemption(code, "code_verifier", verifier)))
	p.until("what happened", func() bool {
		return strings.Contains(p.live(), "It was connected.") && strings.Contains(p.live(), b.jane().ID)
	})

	// From the request_id of an error to its cause, once it is written down.
	p.until("the request", func() bool {
		p.visit(b.s.base + "/console/requests?app=" + a.ID)
		return strings.Contains(tabEval[string](p, `document.body.innerText`), "invalid_grant")
	})
	p.visit(b.s.base + "/console")
	p.fill("request", refused.text("request_id"))
	p.press("Explain")
	p.at("This request was refused")
	p.reads("the code_verifier belongs to the code_challenge", "RFC 7636 §4.6", "is the code_challenge itself", "client_secret of this server")

	p.visit(b.s.base + "/console/app?app=" + a.ID)
	p.reads("Last refreshed")
	p.press("End")
	p.reads("ended by the operator")

	// Operators also have the accounts.
	p.press("Accounts")
	p.at("Accounts")
	p.press("John Doe")
	p.at("John Doe")
	p.press("Scopes and settings")
	p.fill("name", "reports.read")
	p.fill("sentence", "see your reports")
	p.press("Save")
	p.reads("see your reports")
	p.press("reports.read")
	p.reads("Change reports.read")
	p.press("Take it away")
	p.reads("Add a scope")

	// Who is no test account reads why, and so does who owns nothing.
	j := b.window(t)
	j.visit(a.link())
	j.press("John Doe")
	j.at("This app is still being tried out")
	j.visit(b.s.base + "/console")
	j.reads("You have no apps yet")
}

// live is what the page of an app shows of the events that come.
func (p *tab) live() string {
	return tabEval[string](p, `document.querySelector('[data-watch]').innerText`)
}
