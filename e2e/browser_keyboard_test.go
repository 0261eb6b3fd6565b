//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// With the keyboard alone, a person signs in, is refused, signs in again, takes
// another account, and allows. The focus is always seen, and goes the way that
// the eye does.
func testKeyboard(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--home", "https://weathermill.example")
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.until("the focus in the first field", func() bool { return p.focused().ID == "username" })
	p.keys(b.jane().Username + kb.Tab + "wrong")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.announced()
	p.tabsThrough()
	p.tabTo("username")
	p.keys(kb.Tab + b.jane().Password) // the username is still there
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.at(atConsent)
	p.tabsThrough()
	p.tabTo("Use another account")
	p.leads(chromedp.KeyEvent(" "))
	p.at(atSignIn)
	p.tabTo("John Doe")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.at(atConsent)
	p.reads("John Doe")
	if tabEval[bool](p, `!!document.querySelector('details')`) {
		p.tabTo("ddress") // the exact address unfolds
		p.keys(" ")
		p.until("the exact address", func() bool { return tabEval[bool](p, `document.querySelector('details').open`) })
		p.reads(a.redirect)
	}
	p.tabTo("Allow")
	p.leads(chromedp.KeyEvent(" "))
	p.at(atApp)
	a.connects(1, b.john())

	p.visit(a.link())
	p.at(atChoose)
	p.tabsThrough()
	p.tabTo("Jane Doe")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.at(atConsent)
	p.tabTo("Deny")
	p.leads(chromedp.KeyEvent(kb.Enter))
	a.refusedWith(2, "access_denied")

	p.visit(b.s.base + "/sign-out")
	p.tabsThrough()
	p.tabTo("Sign out of all")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.at("signed out")
}

// Enter in the consent form must not answer for the person: the focus is on no
// button when the page comes.
func testNothingIsAllowedByHabit(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill")
	p := b.window(t)
	p.visit(a.link())
	p.press("Jane Doe")
	p.at(atConsent)
	// Two frames later, a control that asks for the focus has it.
	tabRun(p, chromedp.Evaluate[bool](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise))
	if f := p.focused(); f.Tag != "BODY" {
		t.Errorf("the fresh page has the focus on %s %q", f.Tag, f.Text)
	}
	posts := p.posted()
	p.keys(kb.Enter + " " + kb.Enter)
	p.at(atConsent)
	if p.posted() != posts || len(a.arrivedSoFar()) != 0 {
		t.Errorf("Enter on the fresh page answers for the person")
	}
}

// focus describes the element with the keyboard's focus.
type focus struct {
	ID, Text, Tag string
	Top, Left     float64
	Bottom        float64
	Seen          bool // it differs from how it looks without the focus
	InView        bool
}

func (p *tab) focused() focus {
	p.t.Helper()
	return tabEval[focus](p, `(() => {
		const e = document.activeElement, box = e.getBoundingClientRect(), s = getComputedStyle(e);
		const outlined = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1.5 && s.outlineColor !== 'rgba(0, 0, 0, 0)';
		return {
			ID: e.id, Text: e.innerText || '', Tag: e.tagName,
			Top: box.top + scrollY, Left: box.left + scrollX, Bottom: box.bottom + scrollY,
			Seen: outlined || s.boxShadow !== 'none',
			InView: box.top >= 0 && box.bottom <= innerHeight + 1,
		};
	})()`)
}

func (p *tab) keys(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// tabTo presses Tab until the focus is on an element with an id or a text.
func (p *tab) tabTo(what string) {
	p.t.Helper()
	for range 40 {
		p.keys(kb.Tab)
		if f := p.focused(); f.ID == what || strings.Contains(f.Text, what) && f.Tag != "BODY" {
			return
		}
	}
	p.t.Fatalf("Tab does not lead to %q\n%s", what, p.look())
}

// tabsThrough presses Tab through the whole page: each control has its turn
// once, from top to bottom and from left to right, and the focus is seen.
func (p *tab) tabsThrough() {
	p.t.Helper()
	want := tabEval[int](p, `[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')].filter(e => e.offsetParent !== null && !e.closest('details:not([open]) > :not(summary)')).length`)
	tabEval[bool](p, `document.activeElement.blur(), getSelection().removeAllRanges(), true`)
	var all []focus
	for range want + 3 {
		p.keys(kb.Tab)
		f := p.focused()
		if f.Tag == "BODY" {
			continue // around the end
		}
		if slices.ContainsFunc(all, func(o focus) bool { return o.Top == f.Top && o.Left == f.Left }) {
			break
		}
		if !f.Seen || !f.InView {
			p.t.Errorf("the focus on %s %q is not seen (marked %v, in view %v)", f.Tag, f.Text+f.ID, f.Seen, f.InView)
		}
		all = append(all, f)
	}
	if len(all) != want {
		p.t.Errorf("Tab reaches %d controls of %d: %+v\n%s", len(all), want, all, p.look())
	}
	// Blur leaves the place where Tab goes on from, so the first may come last:
	// begin at the topmost.
	first := 0
	for i, f := range all {
		if f.Top < all[first].Top || f.Top == all[first].Top && f.Left < all[first].Left {
			first = i
		}
	}
	all = append(all[first:], all[:first]...)
	for i := 1; i < len(all); i++ {
		before, f := all[i-1], all[i]
		beside := f.Top < before.Bottom && before.Top < f.Bottom
		if beside && f.Left < before.Left || !beside && f.Top < before.Top {
			p.t.Errorf("Tab goes from %q up or back to %q", before.Text+before.ID, f.Text+f.ID)
		}
	}
}
