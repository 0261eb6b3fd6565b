//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a tab of a window. It collects what must not happen in any: requests
// to origins that no one allowed, complaints of the browser, scripts that fail.
type tab struct {
	t   *testing.T
	s   *server
	ctx context.Context

	mu      sync.Mutex
	origins []string // that may be asked
	excused []string // parts of complaints that a test expects
	trouble []string
	posts   int               // how many forms were sent
	sent    []network.Request // every request, in order
	failed  []string          // why loads failed
	answer  *network.Response // of the page; the test's own, not mu's
}

// window opens a window with no cookies.
func (b *chromium) window(t *testing.T) *tab {
	t.Helper()
	return b.open(t, b.ctx, chromedp.WithNewBrowserContext())
}

// beside opens another tab of the same window.
func (p *tab) beside() *tab {
	p.t.Helper()
	b := &chromium{s: p.s}
	q := b.open(p.t, p.ctx)
	q.origins = slices.Clone(p.origins)
	return q
}

func (b *chromium) open(t *testing.T, parent context.Context, opts ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, opts...)
	p := &tab{t: t, s: b.s, ctx: ctx, origins: []string{b.s.base}}
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, s := range p.trouble {
			if !slices.ContainsFunc(p.excused, func(part string) bool { return strings.Contains(s, part) }) {
				t.Errorf("in the browser: %s", s)
			}
		}
	})
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	tabCall(p, log.Enable, cdp.Empty{})
	return p
}

// hear takes an event of the tab. It must not wait.
func (p *tab) hear(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wrong := func(format string, args ...any) { p.trouble = append(p.trouble, fmt.Sprintf(format, args...)) }
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		p.sent = append(p.sent, *ev.Request)
		if ev.Request.Method == "POST" {
			p.posts++
		}
		if !p.allowed(ev.Request.URL) {
			wrong("it asked another origin: %s", ev.Request.URL)
		}
	case *network.EventLoadingFailed:
		p.failed = append(p.failed, ev.ErrorText)
	case *log.EventEntryAdded:
		if ev.Entry.Level == "info" || ev.Entry.Level == "verbose" {
			return
		}
		// A refusal is a page with a status of its own; the browser notes those.
		if ev.Entry.Source == "network" && strings.HasPrefix(ev.Entry.Text, "Failed to load resource: the server responded with a status of 4") {
			return
		}
		wrong("%s %s: %s %s", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
	case *runtime.EventExceptionThrown:
		wrong("a script failed: %s", ev.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == "error" || ev.Type == "warning" {
			wrong("the console got a %s", ev.Type)
		}
	}
}

func (p *tab) allowed(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	return u.Scheme == "data" || u.Scheme == "about" || slices.Contains(p.origins, u.Scheme+"://"+u.Host)
}

// posted returns how many forms the tab has sent.
func (p *tab) posted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts
}

// mayVisit allows requests to other origins.
func (p *tab) mayVisit(origins ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.origins = append(p.origins, origins...)
}

// excuse expects complaints with these parts.
func (p *tab) excuse(parts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.excused = append(p.excused, parts...)
}

// patience is how long one action may take.
const patience = 30 * time.Second

func tabRun[T any](p *tab, a chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.t.Fatalf("in the browser: %v\n%s", err, p.look())
	}
	return v
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	tabRun(p, chromedp.Steps(steps...))
}

func tabCall[P, R any](p *tab, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	return tabRun(p, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, cmd, params) })
}

// tabEval evaluates an expression in the page.
func tabEval[T any](p *tab, js string) T {
	p.t.Helper()
	return tabRun(p, chromedp.Evaluate[T](js))
}

// look describes the page for a failed test.
func (p *tab) look() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href.replace(/(code|flow)=[^&]*/g, '$1=…') + "\n" + (document.body ? document.body.innerText : "")`))
	if err != nil {
		return err.Error()
	}
	if len(text) > 1500 {
		text = text[:1500] + "…"
	}
	return "the page is " + text
}

// visit goes to an address and returns the answer that the page came with.
func (p *tab) visit(address string) *network.Response {
	p.t.Helper()
	p.answer = tabRun(p, chromedp.NavigateResponse(address))
	return p.answer
}

// leads does what leads to another page and waits for that.
func (p *tab) leads(steps ...chromedp.Action[chromedp.Void]) *network.Response {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	r, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		p.t.Fatalf("in the browser: %v\n%s", err, p.look())
	}
	p.answer = r
	return r
}

// buttonNamed finds a button or a link by its text: the whole of it, or else a
// part; and rather a button than a link.
func buttonNamed(text string) chromedp.JSPath {
	return chromedp.JSPath(fmt.Sprintf(`((text) => {
		const all = [...document.querySelectorAll('button'), ...document.querySelectorAll('a')];
		const says = e => e.textContent.replace(/\s+/g, ' ').trim();
		return all.find(e => says(e) === text) || all.find(e => says(e).includes(text));
	})(%q)`, text))
}

// press clicks a button and waits for the page that it leads to.
func (p *tab) press(text string) *network.Response {
	p.t.Helper()
	p.wantsButton(text)
	return p.leads(chromedp.Click(buttonNamed(text)))
}

// click clicks a button of which the page, a script of it or one after it makes
// something, so that there is no telling which page comes first.
func (p *tab) click(text string) {
	p.t.Helper()
	p.wantsButton(text)
	p.do(chromedp.Click(buttonNamed(text)))
}

// arrives waits for a page by its heading.
func (p *tab) arrives(heading string) {
	p.t.Helper()
	p.until(heading, func() bool { return strings.Contains(p.heading(), heading) })
}

// wantsButton fails at once, rather than after all patience, when the page has
// no such button.
func (p *tab) wantsButton(text string) {
	p.t.Helper()
	if !tabEval[bool](p, "!!"+string(buttonNamed(text))) {
		p.t.Fatalf("there is no button %q\n%s", text, p.look())
	}
}

// fill types into an empty field.
func (p *tab) fill(id, text string) {
	p.t.Helper()
	tabEval[bool](p, fmt.Sprintf(`document.getElementById(%q).value = "", true`, id))
	p.do(chromedp.SendKeys(chromedp.ID(id), text))
}

// reads checks that the page shows a text.
func (p *tab) reads(want ...string) {
	p.t.Helper()
	text := tabEval[string](p, `document.body.innerText.replace(/\s+/g, ' ')`)
	for _, w := range want {
		if !strings.Contains(text, w) {
			p.t.Fatalf("the page does not say %q\n%s", w, p.look())
		}
	}
}

// lacks checks that the page does not show a text.
func (p *tab) lacks(text string) {
	p.t.Helper()
	if strings.Contains(tabEval[string](p, `document.body.innerText`), text) {
		p.t.Errorf("the page says %q\n%s", text, p.look())
	}
}

// at checks which page is shown, by its heading.
func (p *tab) at(heading string) {
	p.t.Helper()
	got := tabEval[string](p, `[...document.querySelectorAll('h1')].map(e => e.innerText).join(' / ')`)
	if !strings.Contains(got, heading) {
		p.t.Fatalf("the page is %q, want %q\n%s", got, heading, p.look())
	}
}

// The headings of the pages.
const (
	atSignIn  = "Sign in"
	atChoose  = "Choose an account"
	atConsent = "to use your account?"
	atGrowth  = "asks for more"
	atApp     = "Connected to the app"
	atRefused = "The app was told"
)
