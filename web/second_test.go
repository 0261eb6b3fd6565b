package web

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// maryWorld is a server with Mary, who has a password, and a browser of hers.
type maryWorld struct {
	*fixture
	t      *testing.T
	mary   symbolon.AccountID
	secret string // of her authenticator app
	codes  []string
}

const maryPassword = "correct horse battery staple"

func newMary(t *testing.T) *maryWorld {
	t.Helper()
	return newMaryAt(t, "")
}

func newMaryAt(t *testing.T, issuer string) *maryWorld {
	t.Helper()
	s := &maryWorld{fixture: newFixtureAt(t, issuer), t: t, mary: symbolon.NewAccountID()}
	hash, err := s.handler.Hasher.Hash(t.Context(), maryPassword)
	check(t, err)
	check(t, s.store.PutAccount(t.Context(), symbolon.Account{ID: s.mary, Username: "mary", Name: "Mary Major", Password: hash, CreatedAt: time.Now()}))
	return s
}

func (s *maryWorld) browser() *browserOf {
	return &browserOf{t: s.t, f: s.fixture, accept: "text/html"}
}

func (s *maryWorld) account() symbolon.Account {
	s.t.Helper()
	found, err := s.store.Accounts(s.t.Context(), symbolon.AccountQuery{ID: s.mary, Limit: 1})
	check(s.t, err)
	return found[0]
}

// edit changes her row, as another node may.
func (s *maryWorld) edit(change func(*symbolon.Account)) {
	s.t.Helper()
	a := s.account()
	if a.Factors.App != nil {
		app := *a.Factors.App
		a.Factors.App = &app
	}
	change(&a)
	check(s.t, s.store.PutAccount(s.t.Context(), a))
}

// code is what her app shows now. What it showed before counts again.
func (s *maryWorld) code() string {
	s.t.Helper()
	s.edit(func(a *symbolon.Account) { a.Factors.App.Step = 0 })
	code, err := totp.GenerateCode(s.secret, time.Now())
	check(s.t, err)
	return code
}

// follow goes where an answer leads.
func (b *browserOf) follow(resp *http.Response, text string) (*http.Response, string) {
	b.t.Helper()
	for resp.StatusCode == http.StatusSeeOther && strings.HasPrefix(resp.Header.Get("Location"), "/") {
		resp, text = b.get(resp.Header.Get("Location"))
	}
	return resp, text
}

// send posts the flow of a page to a path, and follows.
func (b *browserOf) send(path, page string, pairs ...string) (*http.Response, string) {
	b.t.Helper()
	resp, text := b.post(path, append([]string{"flow", flowOf(b.t, page)}, pairs...)...)
	return b.follow(resp, text)
}

func (b *browserOf) password(page string) (*http.Response, string) {
	b.t.Helper()
	return b.send("/sign-in", page, "username", "mary", "password", maryPassword)
}

// wants fails unless a page has this text.
func wants(t *testing.T, page, text string) {
	t.Helper()
	if !strings.Contains(page, text) {
		t.Fatalf("the page lacks %q:\n%.3000s", text, page)
	}
}

var (
	secretOnPage = regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`)
	codesOnPage  = regexp.MustCompile(`<code>([0-9a-z]{4}(?:-[0-9a-z]{4}){3})</code>`)
)

// setUp sets up her authenticator app, by the pages.
func (s *maryWorld) setUp(b *browserOf) {
	s.t.Helper()
	_, page := b.get("/account/security")
	wants(s.t, page, `name="password"`)
	_, page = b.password(page)
	wants(s.t, page, "Set up an app")
	_, page = b.send("/account/security", page, "action", "app")
	found := secretOnPage.FindStringSubmatch(page)
	if found == nil {
		s.t.Fatalf("no secret:\n%s", page)
	}
	s.secret = strings.ReplaceAll(found[1], " ", "")
	wants(s.t, page, `href="otpauth://totp/`)
	if s.account().Factors.App != nil {
		s.t.Fatal("it counts before it was confirmed")
	}
	_, wrong := b.send("/account/security", page, "action", "confirm", "code", "000000")
	wants(s.t, wrong, "That is not the code")
	wants(s.t, wrong, found[1])
	code, err := totp.GenerateCode(s.secret, time.Now())
	check(s.t, err)
	resp, done := b.send("/account/security", wrong, "action", "confirm", "code", code[:3]+" "+code[3:])
	if resp.StatusCode != 200 {
		s.t.Fatalf("%d %s", resp.StatusCode, done)
	}
	s.codes = nil
	for _, m := range codesOnPage.FindAllStringSubmatch(done, -1) {
		s.codes = append(s.codes, m[1])
	}
	if len(s.codes) != 10 {
		s.t.Fatalf("%d recovery codes:\n%s", len(s.codes), done)
	}
	// Neither the same page nor the one before it does it again.
	if _, again := b.send("/account/security", wrong, "action", "confirm", "code", code); codesOnPage.MatchString(again) {
		s.t.Error("the codes are shown twice")
	}
}

func (s *maryWorld) sessions(b *browserOf) []symbolon.SignedIn {
	s.t.Helper()
	req, _ := http.NewRequest("GET", "/", nil)
	for name, value := range b.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	list, err := s.handler.sessions(req)
	check(s.t, err)
	return list
}

// A person with an authenticator app is not signed in before its code is right.
func TestSecondFactor(t *testing.T) {
	s := newMary(t)
	s.setUp(s.browser())
	if f := s.account().Factors; strings.Contains(string(f.App.Secret), s.secret) || len(f.Recovery) != 10 {
		t.Fatal("the secret lies open")
	}
	b := s.browser()
	_, page := b.get("/sign-in")
	_, page = b.password(page)
	wants(t, page, `name="code"`)
	none := func() {
		t.Helper()
		if list := s.sessions(b); len(list) != 0 {
			t.Fatalf("signed in by the password alone: %+v", list)
		}
	}
	none()
	flow := flowOf(t, page)
	for _, path := range []string{"/continue?flow=" + url.QueryEscape(flow), "/authorize?" + strings.SplitN(s.authorize(), "?", 2)[1], "/account/security", "/device"} {
		b.follow(b.get(path))
		none()
	}
	for _, path := range []string{"/consent", "/choose", "/account/security", "/device"} {
		b.follow(b.post(path, "flow", flow, "action", "allow", "account", string(s.mary), "code", s.code()))
		none()
	}
	for _, wrong := range []string{"", "12345", "1234567", "abcdef", "000000", strings.Repeat("0", 70), "0000-0000-0000-0000", "١٢٣٤٥٦"} {
		_, refused := b.send("/sign-in/code", page, "code", wrong)
		wants(t, refused, `role="alert"`)
		none()
	}
	// Another browser has nothing from the flow.
	other := s.browser()
	other.get("/sign-in")
	if resp, _ := other.post("/sign-in/code", "flow", flow, "code", s.code()); resp.StatusCode != 403 {
		t.Errorf("another browser: %d", resp.StatusCode)
	}
	code := s.code()
	resp, _ := b.send("/sign-in/code", page, "code", code)
	list := s.sessions(b)
	if len(list) != 1 || list[0].Session.ACR != oauth.ACRTwo {
		t.Fatalf("%d %+v", resp.StatusCode, list)
	}
	// The same code, in the same flow, once more.
	b2 := &browserOf{t: t, f: s.fixture, accept: "text/html", jar: map[string]string{"symbolon-flow": b.jar["symbolon-flow"]}}
	_, again := b2.post("/sign-in/code", "flow", flow, "code", code)
	if list := s.sessions(b2); len(list) != 0 {
		t.Errorf("a code counts twice: %s", again)
	}
	t.Run("what was proven is over after a while, and after a change of the password", func(t *testing.T) {
		b := s.browser()
		_, page := b.get("/sign-in")
		_, page = b.password(page)
		s.edit(func(a *symbolon.Account) { a.NotBefore = s.handler.Engine.Now() })
		_, page = b.send("/sign-in/code", page, "code", s.code())
		wants(t, page, "disabled or changed")
		if len(s.sessions(b)) != 0 {
			t.Error("signed in")
		}
	})
}

// Recovery codes stand for the app's, once each, while the app's are not looked at.
func TestRecoveryCodes(t *testing.T) {
	s := newMary(t)
	s.setUp(s.browser())
	b := s.browser()
	_, page := b.get("/sign-in")
	_, page = b.password(page)
	s.edit(func(a *symbolon.Account) { a.Factors.Missed, a.Factors.MissedAt = 100, s.handler.Engine.Now() })
	_, refused := b.send("/sign-in/code", page, "code", s.code())
	wants(t, refused, "Too many attempts")
	b.send("/sign-in/code", page, "code", " "+strings.ToUpper(s.codes[3])+" ")
	if list := s.sessions(b); len(list) != 1 || list[0].Session.ACR != oauth.ACRTwo {
		t.Fatalf("%+v", list)
	}
	if f := s.account().Factors; len(f.Recovery) != 9 || f.Missed != 0 {
		t.Errorf("%d left, %d missed", len(f.Recovery), f.Missed)
	}
	again := s.browser()
	_, page = again.get("/sign-in")
	_, page = again.password(page)
	_, refused = again.send("/sign-in/code", page, "code", s.codes[3])
	wants(t, refused, "was used before")
	// New ones are made by who has signed in so, and the old ones are over.
	_, page = b.get("/account/security")
	wants(t, page, "9 are left")
	_, page = b.send("/account/security", page, "action", "recovery")
	fresh := codesOnPage.FindAllStringSubmatch(page, -1)
	if len(fresh) != 10 || strings.Contains(page, s.codes[4]) {
		t.Fatal(page)
	}
	_, page = again.get("/sign-in")
	_, page = again.password(page)
	_, refused = again.send("/sign-in/code", page, "code", s.codes[4])
	wants(t, refused, "was used before")
	again.send("/sign-in/code", page, "code", fresh[0][1])
	if len(s.sessions(again)) != 1 {
		t.Error("a new one does not count")
	}
}

// Many guesses at one moment are no more guesses than one after the other; and a code
// that is shown to many nodes at once counts at one.
func TestCodeRace(t *testing.T) {
	s := newMary(t)
	s.setUp(s.browser())
	run := func(typed string) (right, wrong, later int) {
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				req, _ := http.NewRequestWithContext(context.Background(), "POST", "/", nil)
				ev := newEvent(req)
				ev.address = "192.0.2." + ev.id // a network of its own, so that the row alone counts
				account, try, err := s.handler.checkCode(req, ev, s.mary, typed)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					if symbolon.KindOf(err) != symbolon.Busy {
						t.Error(err)
					}
				case account != nil:
					right++
				case try.Until.IsZero():
					wrong++
				default:
					later++
				}
			})
		}
		all.Wait()
		return right, wrong, later
	}
	if right, _, _ := run(s.code()); right != 1 {
		t.Errorf("a code counted %d times", right)
	}
	s.edit(func(a *symbolon.Account) { a.Factors.Missed = 0 })
	bad := "000000"
	if s.code() == bad {
		bad = "000001"
	}
	right, wrong, _ := run(bad)
	if f := s.account().Factors; right != 0 || wrong > 5 || f.Missed > 5 {
		t.Errorf("%d right, %d wrong were answered, %d counted", right, wrong, f.Missed)
	}
}

// Whoever has the password alone cannot turn the app off, and whoever left the page
// open cannot either.
func TestSecurityPages(t *testing.T) {
	s := newMary(t)
	b := s.browser()
	s.setUp(b) // signed in by the password alone, before there was an app
	_, page := b.get("/account/security")
	_, page = b.send("/account/security", page, "action", "app-off")
	wants(t, page, `name="code"`)
	if s.account().Factors.App == nil {
		t.Fatal("turned off without a code")
	}
	_, page = b.send("/sign-in/code", page, "code", s.code())
	wants(t, page, "Turn it off")
	list := s.sessions(b)
	if len(list) != 1 || list[0].Session.ACR != oauth.ACRTwo {
		t.Fatalf("%+v", list)
	}
	// A page of another flow, and of nobody.
	_, foreign := b.get("/sign-out")
	if resp, _ := b.post("/account/security", "flow", flowOf(t, foreign), "action", "app-off"); resp.StatusCode != 403 {
		t.Errorf("a flow of another page: %d", resp.StatusCode)
	}
	kept := flowOf(t, page)
	session := b.jar["symbolon-session"]
	delete(b.jar, "symbolon-session")
	b.post("/account/security", "flow", kept, "action", "app-off")
	if s.account().Factors.App == nil {
		t.Fatal("turned off by who is not signed in")
	}
	b.jar["symbolon-session"] = session
	_, page = b.send("/account/security", page, "action", "app-off")
	wants(t, page, "Set up an app")
	if f := s.account().Factors; !f.Empty() || len(f.Recovery) != 0 {
		t.Errorf("%+v", f)
	}
	// An old sign-in is asked for again.
	w := nowhere{http.Header{}}
	check(t, s.handler.startSession(w, httpRequest(b), symbolon.Session{
		ID: symbolon.NewSessionID(), Account: s.mary, AuthAt: s.handler.Engine.Now().Add(-freshFor - time.Second), ExpiresAt: s.handler.Engine.Now().Add(time.Hour)}))
	for _, c := range (&http.Response{Header: w.header}).Cookies() {
		b.jar[c.Name] = c.Value
	}
	if len(s.sessions(b)) != 1 {
		t.Fatal("not signed in")
	}
	_, page = b.get("/account/security")
	wants(t, page, `name="password"`)
}

// nowhere is an answer that nobody reads.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func httpRequest(b *browserOf) *http.Request {
	req, _ := http.NewRequest("GET", "/", nil)
	for name, value := range b.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return req
}

// An app asks by acr_values: who has an authenticator app is asked for its code alone,
// may go on without, and has what they proved in the token. Ledger B36.
func TestStepUpOfASession(t *testing.T) {
	s := newMary(t)
	b := s.browser()
	s.setUp(b)
	ask := strings.Replace(s.authorize("acr_values", "phr 2"), "/authorize", "/oauth2/authorize", 1)
	_, page := b.follow(b.get(ask))
	wants(t, page, "asks for more than your password")
	wants(t, page, "Go on without")
	_, declined := b.send("/sign-in/code", page, "action", "decline")
	wants(t, declined, `action="/consent"`)
	before := s.sessions(b)[0].Session
	_, page = b.send("/sign-in/code", page, "code", s.code())
	wants(t, page, `action="/consent"`)
	after := s.sessions(b)[0].Session
	if after.ACR != oauth.ACRTwo || !after.AuthAt.Equal(before.AuthAt) || after.ID != before.ID || !after.ExpiresAt.Equal(before.ExpiresAt) {
		t.Errorf("from %+v to %+v", before, after)
	}
	_, page = b.follow(b.get(ask))
	wants(t, page, `action="/consent"`) // not asked again
	// What is weaker does not inherit it: another account, by password alone.
	resp, _ := b.send("/consent", page, "action", "allow")
	to, err := url.Parse(resp.Header.Get("Location"))
	check(t, err)
	_, tokens := s.post(t, "/oauth2/token", "grant_type", "authorization_code", "code", to.Query().Get("code"), "redirect_uri", s.app.RedirectURIs[0])
	_, info := s.post(t, "/oauth2/introspect", "token", tokens["access_token"].(string))
	if info["acr"] != oauth.ACRTwo {
		t.Errorf("%v", info)
	}
}
