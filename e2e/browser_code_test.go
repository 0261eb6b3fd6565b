//go:build linux

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/pquerna/otp/totp"
)

// phone is an authenticator app.
type phone struct {
	t      *testing.T
	secret string
	last   int64 // the step whose code was used last
}

// code is a code that was not used before. A phone may be half a minute ahead.
func (c *phone) code() string {
	c.t.Helper()
	for {
		now := time.Now().Unix() / 30
		for step := max(now, c.last+1); step <= now+1; step++ {
			c.last = step
			code, err := totp.GenerateCode(c.secret, time.Unix(step*30, 0))
			must(c.t, err)
			return code
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// wrong is a code that is none.
func (c *phone) wrong() string {
	now := time.Now()
	for _, code := range []string{"000000", "111111", "222222", "333333"} {
		if ok, _ := totp.ValidateCustom(code, c.secret, now, totp.ValidateOpts{Period: 30, Skew: 2, Digits: 6}); !ok {
			return code
		}
	}
	return "444444"
}

// withPhone sets up an authenticator app for who is signed in lately, or signs in
// first, and returns it with the recovery codes.
func (p *tab) withPhone(who demoAccount, looks bool) (*phone, []string) {
	p.t.Helper()
	p.visit(p.s.base + "/account/security")
	if tabEval[bool](p, `!!document.getElementById('password')`) {
		p.signIn(who)
	}
	p.at("How you sign in")
	if looks {
		p.looksRight("security")
		p.tabsThrough()
	}
	p.press("Set up an app")
	c := &phone{t: p.t, secret: strings.ReplaceAll(tabEval[string](p, `document.querySelector('.secret').innerText`), " ", "")}
	secret(kindSecret, c.secret)
	if got := tabEval[string](p, `document.querySelector('a[href^="otpauth:"]').href`); !strings.Contains(got, "secret="+c.secret) {
		p.t.Error("the link has another secret")
	}
	if looks {
		p.looksRight("setup")
		p.tabsThrough()
	}
	p.fill("code", c.wrong())
	p.press("Turn it on")
	p.reads("That is not the code")
	if looks {
		p.looksRight("setup-wrong")
	}
	p.fill("code", c.code())
	p.press("Turn it on")
	p.at("Keep these codes")
	codes := tabEval[[]string](p, `[...document.querySelectorAll('.keep code')].map(e => e.innerText)`)
	if len(codes) != 10 {
		p.t.Fatalf("%d recovery codes", len(codes))
	}
	secret(kindSecret, codes...)
	if looks {
		p.looksRight("recovery")
		p.tabsThrough()
	}
	p.press("I have kept them")
	p.reads("10 are left")
	if looks {
		p.looksRight("security-on")
		p.tabsThrough()
	}
	return c, codes
}

// A person sets up an authenticator app, signs in with its codes and with a recovery
// code, is slowed when guessing, is asked for a code alone when an API wants more than
// the password, and turns the app off again.
func testCodes(t *testing.T, b *chromium) {
	who := b.newAccount(t, "mary", "Mary Major")
	p := b.window(t)
	c, codes := p.withPhone(who, true)

	// With scripts off, and the keyboard alone.
	q := b.window(t)
	q.scriptsOff()
	q.visit(b.s.base + "/sign-in")
	q.signIn(who)
	q.at("Enter your code")
	q.tabsThrough()
	q.fill("code", "not a code")
	q.press("Continue")
	q.reads("That is no code")
	q.tabTo("code")
	used := c.code()
	q.keys(used[:3] + " " + used[3:])
	q.leads(chromedp.KeyEvent(kb.Enter))
	q.reads("You are signed in as Mary Major")

	// What was used is over, in this browser and in another.
	r := b.window(t)
	r.visit(b.s.base + "/sign-in")
	r.signIn(who)
	r.looksRight("code")
	r.fill("code", used)
	r.press("Continue")
	r.reads("was used before")
	r.looksRight("code-refused")
	r.fill("code", strings.ToUpper(codes[0]))
	r.press("Continue")
	r.reads("You are signed in as Mary Major")
	r.press("Mary Major")
	r.visit(b.s.base + "/sign-in")
	r.signIn(who)
	r.fill("code", codes[0])
	r.press("Continue")
	r.reads("was used before")
	for range 12 {
		r.fill("code", c.wrong())
		r.press("Continue")
		if r.answer.Status == 429 {
			break
		}
	}
	if r.answer.Status != 429 || r.answer.Headers["Retry-After"] == nil {
		t.Fatalf("guessing is not slowed down: the last answer is %d", r.answer.Status)
	}
	r.looksRight("code-throttled")

	// By the command line, an operator sees what there is.
	var shown struct {
		Factors []string `json:"factors"`
	}
	b.s.cli(t, "", &shown, "account", "show", who.Username)
	if strings.Join(shown.Factors, " ") != "app recovery" {
		t.Errorf("%q", shown.Factors)
	}

	// Who set the app up signed in by the password alone: more is asked, once. A
	// recovery code does, while guesses keep the app's codes waiting.
	p.press("Turn it off")
	p.at("Enter your code")
	p.reads("more than your password is needed")
	p.looksRight("code-raise")
	p.tabsThrough()
	p.fill("code", codes[1])
	p.press("Continue")
	p.reads("8 are left")
	p.press("Make new ones")
	p.at("Keep these codes")
	p.press("I have kept them")
	p.reads("10 are left")
	p.press("Turn it off")
	p.reads("Your password alone signs you in")
	s := b.window(t)
	s.visit(b.s.base + "/sign-in")
	s.signIn(who)
	s.reads("You are signed in as Mary Major")
}

// B36: an API refuses a token that was had by a password alone; the app sends the
// person back with what the API told it, they type a code, and the new token will do.
func testStepUp(t *testing.T, b *chromium) {
	who := b.newAccount(t, "max", "Max Power")
	a := b.newSite(t, "Weather Mill")
	api := b.s.exampleAPI(t)
	p := b.window(t)
	p.mayVisit(a.URL)
	p.visit(a.link())
	p.signIn(who)
	p.press("Allow")
	redeem := func(n int) string {
		t.Helper()
		return granted(t, b.s.post(t, "/oauth2/token", a.redemption(a.last(n).Get("code")))).access
	}
	remove := func(token string) *reply {
		t.Helper()
		return send(t, bare, request(t, "DELETE", api+"/orders", nil, bearer(token)))
	}
	weak := redeem(1)
	r := remove(weak)
	if r.Status != 401 || !strings.Contains(r.Header.Get("WWW-Authenticate"), `error="insufficient_user_authentication"`) || !strings.Contains(r.Header.Get("WWW-Authenticate"), `acr_values="2 phr", max_age="600"`) {
		t.Fatalf("%d %v", r.Status, r.Header)
	}
	// Who has nothing more is not asked for it, and the token says so.
	p.visit(a.link("acr_values", "2 phr", "max_age", "600"))
	p.at(atApp)
	if r := remove(redeem(2)); r.Status != 401 {
		t.Errorf("a password is taken for two factors: %d", r.Status)
	}
	c, _ := p.withPhone(who, false)
	p.visit(a.link("acr_values", "2 phr", "max_age", "600"))
	p.at("Enter your code")
	p.reads("Weather Mill asks for more than your password")
	p.looksRight("code-asked")
	p.tabsThrough()
	p.press("Go on without")
	p.at(atApp)
	if r := remove(redeem(3)); r.Status != 401 {
		t.Errorf("going on without is taken for two factors: %d", r.Status)
	}
	p.visit(a.link("acr_values", "2 phr", "max_age", "600"))
	p.fill("code", c.code())
	p.press("Continue")
	p.at(atApp)
	if r := remove(redeem(4)); r.Status != 200 {
		t.Errorf("%d %v %s", r.Status, r.Header, r.Body)
	}
	p.visit(a.link("acr_values", "2 phr", "max_age", "600")) // not asked again
	p.at(atApp)
	if r := remove(weak); r.Status != 401 {
		t.Errorf("the old token grew stronger: %d", r.Status)
	}
}
