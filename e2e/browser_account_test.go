//go:build linux

package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Without scripts and by the keyboard alone, a person names a connection where they
// allow it, finds it on their own page, gives it another name, signs another browser out,
// and ends the connection: the app has nothing of it any more.
func testMyConnections(t *testing.T, b *chromium) {
	a := b.newSite(t, "Two Mills")
	who := b.newAccount(t, "connie", "Connie Ng")
	p := b.window(t)
	p.scriptsOff()
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.signIn(who)
	p.at(atConsent)
	p.tabTo("Give the connection a name")
	p.keys(" ")
	p.tabTo("label")
	p.keys("For the office")
	p.leads(chromedp.KeyEvent(kb.Enter)) // as the first button says: allow
	p.at(atApp)
	tk := a.connects(1, who)

	q := b.window(t)
	q.visit(b.s.base + "/account")
	q.signIn(who)
	q.at("My connections")

	p.visit(b.s.base + "/account")
	p.at("My connections")
	p.reads("Two Mills", "For the office", "This browser")
	p.tabsThrough()
	p.tabTo("Name it")
	p.keys(" " + kb.Tab)
	tabEval[bool](p, `document.activeElement.select(), true`)
	p.keys("At home")
	p.tabTo("Save")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.reads("The name is saved.", "At home")
	p.lacks("For the office")
	p.tabTo("Sign out everywhere else")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.reads("signed out everywhere but here")
	q.visit(b.s.base + "/account")
	q.at(atSignIn)

	p.tabTo("Two Mills At home") // “End”, and of which
	p.keys(" ")
	p.reads("loses access to your account at once")
	p.tabTo("End this connection")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.reads("The connection is over, everywhere.", "No app is connected")
	if r := b.s.info(t, tk.access); r.Status != 401 {
		t.Errorf("the app's token is answered %d", r.Status)
	}

	p.visit(b.s.base + "/account/details")
	p.reads("sandbox account") // in the demo they are anyone's
	p.visit(b.s.base + "/account/data")
	p.reads("Download my data")
}
