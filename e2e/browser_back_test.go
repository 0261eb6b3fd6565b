//go:build linux

package e2e

import (
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The back button, after each step, leads to a page from which the person can
// go on. No form is sent a second time, and the first connection lives.
func testBack(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	a.page("/start", "The app's own page", `<a href="`+a.link()+`">Connect</a>`)
	p.visit(a.URL + "/start")
	p.press("Connect")
	p.at(atSignIn)
	p.back()
	p.at("The app's own page")
	p.press("Connect")

	p.fill("username", b.jane().Username)
	p.fill("password", "wrong")
	p.press("Sign in")
	p.reload() // the refusal
	p.at(atSignIn)
	p.back()
	p.at(atSignIn)
	p.signIn(b.jane())
	p.at(atConsent)
	p.reload()
	p.at(atConsent)
	p.back() // to what was the sign-in page
	p.at(atConsent)
	p.reads("Jane Doe")

	p.press("Use another account")
	p.at(atSignIn)
	p.back()
	p.at(atConsent)
	p.press("Allow")
	p.at(atApp)
	first := a.connects(1, b.jane())

	// Back from the app: the consent is remembered by now, so this leads to the
	// app again at once, with a code of its own.
	p.back()
	p.at(atApp)
	a.connects(2, b.jane())
	a.alive(t, first)

	// And out again.
	for range 8 {
		if p.heading() == "The app's own page" {
			return
		}
		p.back()
	}
	p.at("The app's own page")
}

// Back over a refused password, after the right one.
func testBackOverAWrongPassword(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.fill("username", b.jane().Username)
	p.fill("password", "wrong")
	p.press("Sign in")
	p.signIn(b.jane())
	p.at(atConsent)
	p.back()
	if h := p.heading(); h == "" {
		t.Fatalf("back leads to a dead end\n%s", p.look())
	}
	p.back()
	p.at(atConsent)
	p.press("Allow")
	a.connects(1, b.jane())
}

// Back to the choice, then another account.
func testBackToTheChoice(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.mayVisit(a.URL)
	for _, name := range []string{"Jane Doe", "John Doe"} {
		p.visit(b.s.base + "/sign-in")
		p.press(name)
	}
	p.visit(a.link())
	p.press("Jane Doe")
	p.at(atConsent)
	p.back()
	p.at(atChoose)
	p.press("John Doe")
	p.at(atConsent)
	p.reads("John Doe")
	p.press("Deny")
	p.back()
	p.at(atConsent)
	p.press("Allow")
	a.connects(2, b.john())
}

// back presses the browser's back button; no form may be sent by that, and no
// page may be missing.
func (p *tab) back() {
	p.t.Helper()
	p.quietly("back", func() {
		h := tabRun(p, chromedp.NavigationEntries())
		if h.CurrentIndex == 0 {
			p.t.Fatalf("there is nothing to go back to\n%s", p.look())
		}
		to := h.Entries[h.CurrentIndex-1].ID
		tabCall(p, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: to})
		p.until("the page before", func() bool {
			// While one page gives way to the other there is nothing to ask.
			h, err := chromedp.Run(p.ctx, chromedp.NavigationEntries())
			if err != nil || h.Entries[h.CurrentIndex].ID != to {
				return false
			}
			state, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.readyState`))
			return err == nil && state == "complete"
		})
	})
}

func (p *tab) reload() {
	p.t.Helper()
	p.quietly("loading again", func() { p.do(chromedp.Reload()) })
}

func (p *tab) quietly(what string, do func()) {
	p.t.Helper()
	p.mu.Lock()
	posts, failed := p.posts, len(p.failed)
	p.mu.Unlock()
	do()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.posts != posts {
		p.t.Errorf("%s sends a form again", what)
	}
	for _, why := range p.failed[failed:] {
		if why != "net::ERR_ABORTED" {
			p.t.Errorf("%s fails: %s", what, why)
		}
	}
}
