//go:build linux

package e2e

import (
	"html"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
)

var resetLink = regexp.MustCompile(`http://[^\s"\\]+/reset/new\?link=[^\s"\\]+`)

// A person who has forgotten the password gets a link by mail, which the demo prints,
// and signs in by the new one. Without scripts.
func testReset(t *testing.T, b *chromium) {
	who := b.newAccount(t, "rosa", "Rosa Lima")
	b.s.cli(t, "", nil, "account", "edit", "rosa", "--email", "rosa@example.com", "--email-verified")
	p := b.window(t)
	p.scriptsOff()
	p.visit(b.s.base + "/sign-in")
	p.leads(chromedp.Click(`//a[contains(., "Forgot")]`))
	p.fill("username", "rosa")
	p.press("Send the link")
	p.at("Look at your mail")
	link := ""
	p.until("the mail in the log", func() bool {
		link = html.UnescapeString(resetLink.FindString(b.s.logText()))
		return link != ""
	})
	p.visit(link)
	p.fill("password", "another password of rosa")
	p.press("Set")
	p.visit(b.s.base + "/account")
	p.at(atSignIn)
	p.signIn(who)
	p.reads("do not go together")
	who.Password = "another password of rosa"
	p.signIn(who)
	p.at("My connections")
}
