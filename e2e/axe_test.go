//go:build linux

package e2e

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeFile is axe-core, which is fetched and not kept in the repository.
const axeFile = "../.tools/node_modules/axe-core/axe.min.js"

var axeSource = sync.OnceValues(func() ([]byte, error) { return os.ReadFile(axeFile) })

// screen is what a page is looked at on.
type screen struct {
	name          string
	width, height int64
	scheme        string // of colours
	axe           bool
}

// Colours are judged in both schemes and layouts on every width; what axe says
// does not change between the widths of two phones.
var screens = []screen{
	{"small-phone-light", 320, 640, "light", true},
	{"phone-dark", 390, 844, "dark", true},
	{"desktop-dark", 1280, 800, "dark", true},
	{"desktop-light", 1280, 800, "light", true},
}

// looksRight looks at the page on every screen: axe-core finds no violation,
// nothing scrolls sideways, and the headers keep the page to itself.
// SYMBOLON_SHOTS names a directory to keep a picture of each in.
func (p *tab) looksRight(name string) {
	p.t.Helper()
	axe, err := axeSource()
	if err != nil {
		p.t.Fatalf("there is no axe-core; “make setup” fetches it: %v", err)
	}
	p.guarded(name)
	tabRun(p, chromedp.Evaluate[int](string(axe)+";0"))
	for _, on := range screens {
		tabCall(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: on.scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		p.do(chromedp.EmulateViewport(on.width, on.height))
		if over := tabEval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			p.t.Errorf("%s on %s scrolls %d pixels sideways", name, on.name, over)
		}
		for _, v := range p.axe() {
			p.t.Errorf("%s on %s: axe: %s", name, on.name, v)
		}
		if dir := os.Getenv("SYMBOLON_SHOTS"); dir != "" {
			shot := tabRun(p, chromedp.FullScreenshot(100))
			must(p.t, os.WriteFile(filepath.Join(dir, name+"-"+on.name+".png"), shot, 0o644))
		}
	}
	p.do(chromedp.ResetViewport())
}

// axe returns what axe-core finds. Its script runs beside the page, out of
// reach of the page's policy. Beside its rules by default, it holds controls to
// the size that WCAG 2.2 AA asks for.
func (p *tab) axe() []string {
	p.t.Helper()
	return tabRun(p, chromedp.Evaluate[[]string](`axe.run({resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}).then(r =>
		r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join(' | ')))`, chromedp.EvalAwaitPromise))
}

// guarded holds the page's headers to SYM-HTTP-1 and B27.
func (p *tab) guarded(name string) {
	p.t.Helper()
	header := map[string]string{}
	for k, v := range p.answer.Headers {
		header[strings.ToLower(k)] = fmt.Sprint(v)
	}
	for name2, want := range map[string]string{
		"content-type":           "text/html; charset=utf-8",
		"x-frame-options":        "DENY",
		"x-content-type-options": "nosniff",
		"cache-control":          "no-store",
	} {
		if got := header[name2]; got != want {
			p.t.Errorf("%s: %s: %q, want %q", name, name2, got, want)
		}
	}
	csp := header["content-security-policy"]
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(csp, part) {
			p.t.Errorf("%s: the policy %q lacks %s", name, csp, part)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http:") || strings.Contains(csp, "https:") || strings.Contains(csp, "*") {
		p.t.Errorf("%s: the policy %q lets in too much", name, csp)
	}
	for _, name2 := range []string{"referrer-policy", "permissions-policy"} {
		if header[name2] == "" {
			p.t.Errorf("%s: no %s", name, name2)
		}
	}
}

// Each of these reaches pages as a person does, in every state that they have,
// and looks at them.

func testLooksOfSigningIn(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--home", "https://weathermill.example")
	p := b.window(t)
	p.visit(b.s.base + "/sign-in")
	p.looksRight("sign-in-alone")
	p.visit(a.link())
	p.looksRight("sign-in")
	who := b.newAccount(t, "slow", "Slow Coach")
	for range 12 {
		p.fill("username", who.Username)
		p.fill("password", "not the password")
		p.press("Sign in")
		if p.answer.Status == 429 {
			break
		}
	}
	if p.answer.Status != 429 {
		t.Fatalf("12 wrong passwords are not slowed down: the last answer is %d", p.answer.Status)
	}
	if p.answer.Headers["Retry-After"] == nil {
		t.Error("the page that asks to wait has no Retry-After")
	}
	p.reads("Too many attempts")
	p.looksRight("sign-in-throttled")
	p.fill("username", "nobody")
	p.fill("password", "not the password")
	p.press("Sign in")
	p.looksRight("sign-in-refused")
	p.press("Jane Doe")
	p.press("Use another account")
	p.looksRight("sign-in-other")
}

// newAccount makes an account by the command line.
func (b *chromium) newAccount(t *testing.T, username, name string) demoAccount {
	t.Helper()
	who := demoAccount{Username: username, User: name, Password: "a password of " + username}
	b.s.cli(t, who.Password+"\n", &who, "account", "create", "--username", username, "--name", name, "--password-stdin")
	return who
}

func testLooksOfConsent(t *testing.T, b *chromium) {
	home := []string{"--home", "https://weathermill.example"}
	a := b.unregistered(t, httptest.NewServer)
	a.register("Weather Mill", "https://weathermill.example/oauth/callback", append(home, "--scope", "connect reports.read")...)
	p := b.window(t)
	p.excuse("net::ERR_", "asked another origin: https://weathermill.example/") // it is not there
	for _, name := range []string{"Jane Doe", "John Doe", "Jane Black"} {
		p.visit(b.s.base + "/sign-in")
		p.press(name)
	}
	p.visit(a.link())
	p.at(atChoose)
	p.looksRight("choose")
	p.press("Jane Doe")
	p.at(atConsent)
	p.looksRight("consent")
	p.do(chromedp.Click(buttonNamed("Allow")))
	p.until("the consent to be kept", func() bool { return p.asked("https://weathermill.example/oauth/callback?code=") })
	p.visit(a.link("scope", "connect reports.read", "login_hint", b.jane().Username))
	p.at(atGrowth)
	p.looksRight("consent-growth")

	person := b.newSite(t, "Weather Mill", "--scope", "connect openid profile email")
	p.visit(person.link("scope", "connect openid profile email", "nonce", "n", "login_hint", b.jane().Username))
	for _, sentence := range []string{"Sign you in", "See your name and the rest of your profile", "See your email address"} {
		p.reads(sentence)
	}
	p.looksRight("consent-openid")

	native := b.newSite(t, "Notes", "--public")
	p.visit(native.link("login_hint", b.john().Username))
	p.reads("on your own computer")
	p.looksRight("consent-loopback")
	opener := b.unregistered(t, httptest.NewServer)
	opener.register("Notes", scheme, "--public")
	p.visit(opener.link("login_hint", b.john().Username))
	p.looksRight("consent-scheme")
	long := b.newSite(t, strings.Repeat("Long name of an app that says much of itself ", 2)+"indeed", "--scope", "connect "+strings.Repeat("a", 120))
	p.visit(long.link("login_hint", b.john().Username, "scope", "connect "+strings.Repeat("a", 120)))
	p.looksRight("consent-long")
}

func testLooksOfRefusals(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--redirect-uri", "https://weathermill.example/oauth/callback")
	p := b.window(t)
	for _, c := range []struct{ name, address string }{
		{"error-mismatch", a.link("redirect_uri", "https://weathermill.example/oauth/callback/")},
		{"error-unlike", a.link("redirect_uri", "https://elsewhere.example/"+strings.Repeat("long/", 60))},
		{"error-unknown-app", a.link("client_id", "sym_app_nobody")},
		{"error-missing", a.link("redirect_uri", "")},
		{"error-not-found", b.s.base + "/nothing-here"},
		{"error-method", b.s.base + "/consent"},
		{"denied", b.s.base + "/continue?flow=nonsense"},
		{"sign-out-nobody", b.s.base + "/sign-out"},
	} {
		p.visit(c.address)
		p.looksRight(c.name)
	}
	p.visit(a.link())
	foreign := p.flow()
	q := b.window(t)
	q.visit(b.s.base + "/continue?flow=" + foreign)
	q.looksRight("denied-foreign")
	for _, name := range []string{"Jane Doe", "John Doe"} {
		q.visit(b.s.base + "/sign-in")
		q.press(name)
	}
	q.visit(b.s.base + "/sign-out")
	q.looksRight("sign-out")
	q.press("John Doe")
	q.reads("That account is signed out")
	q.looksRight("signed-out-one")
	q.press("Show them")
	q.press("Sign out of all")
	q.looksRight("signed-out")
}

func testLooksOfDocuments(t *testing.T, b *chromium) {
	p := b.window(t)
	p.visit(b.s.base + "/docs")
	p.looksRight("docs")
	p.visit(b.s.base + "/docs/errors")
	p.looksRight("docs-errors")
}
