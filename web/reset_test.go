package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/mail"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/seal"
)

// postbox keeps the letters that a handler hands on.
type postbox struct {
	mu   sync.Mutex
	list []mail.Letter
}

func (p *postbox) send(_ context.Context, l mail.Letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, l)
	return nil
}

// newReset is a server with mail, and Mary with an address.
func newReset(t *testing.T) (*maryWorld, *postbox) {
	t.Helper()
	s, box := newMary(t), new(postbox)
	s.offer(func(h *Handler) { h.Mail = box.send })
	s.edit(func(a *symbolon.Account) {
		a.Profile = symbolon.Profile{Email: "mary@example.com", EmailVerified: true}
	})
	return s, box
}

// mails writes and sends all that waits, and returns it.
func (s *maryWorld) mails(box *postbox) []mail.Letter {
	s.t.Helper()
	for {
		select {
		case write := <-s.handler.letters.wait:
			s.handler.send(s.t.Context(), write)
		default:
			list := box.list
			box.list = nil
			return list
		}
	}
}

// forget asks for a link, and returns the answer's page.
func (s *maryWorld) forget(b *browserOf, username string) string {
	s.t.Helper()
	_, page := b.get("/reset")
	resp, page := b.send("/reset", page, "username", username)
	if resp.StatusCode != 200 {
		s.t.Fatalf("%d %s", resp.StatusCode, page)
	}
	return page
}

var linkInMail = regexp.MustCompile(`(?m)^(https?://\S+)/reset/new(\?link=\S+)$`)

// mailed asks for a link, and returns its path.
func (s *maryWorld) mailed(box *postbox) string {
	s.t.Helper()
	s.handler.letters = newLetters()
	s.forget(s.browser(), "mary")
	list := s.mails(box)
	if len(list) != 1 || list[0].To != "mary@example.com" {
		s.t.Fatalf("%+v", list)
	}
	m := linkInMail.FindStringSubmatch(list[0].Text)
	if m == nil || m[1] != s.URL {
		s.t.Fatalf("no link of ours:\n%s", list[0].Text)
	}
	return "/reset/new" + m[2]
}

func (s *maryWorld) checks(password string) bool {
	s.t.Helper()
	ok, err := s.handler.Hasher.Check(s.t.Context(), s.account().Password, password)
	check(s.t, err)
	return ok
}

const newPassword = "another long enough password"

// A forgotten password, from the sign-in page to the new one.
func TestReset(t *testing.T) {
	s, box := newReset(t)
	victim := s.browser()
	_, page := victim.get("/sign-in")
	wants(t, page, `href="/reset"`)
	victim.password(page)
	s.signedIn(victim, s.mary)

	link := s.mailed(box)
	// Programs that look at mails follow links: nothing is spent by that.
	for range 3 {
		if resp, page := s.browser().get(link); resp.StatusCode != 200 || !strings.Contains(page, `name="password"`) || resp.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Fatalf("%d %s", resp.StatusCode, page)
		}
		s.browser().do("HEAD", link, nil)
	}
	s.signedIn(victim, s.mary)

	b := s.browser()
	_, page = b.get(link)
	_, short := b.send("/reset/new", page, "password", "short")
	wants(t, short, "at least 8 characters")
	if strings.Contains(short, link[len("/reset/new?link="):]) {
		t.Error("the link stands in the page")
	}
	_, done := b.send("/reset/new", short, "password", newPassword)
	wants(t, done, "Your password is set")
	if !s.checks(newPassword) || s.checks(maryPassword) {
		t.Fatal("the password is not the new one alone")
	}
	if len(s.sessions(victim)) != 0 || len(s.sessions(b)) != 0 {
		t.Error("someone is signed in")
	}
	list := s.mails(box)
	if len(list) != 1 || !strings.Contains(list[0].Text, "was just changed") || strings.Contains(list[0].Text, "/reset/new") {
		t.Errorf("%+v", list)
	}
	// The same link, the same page, and a page from before: once.
	for what, again := range map[string]func() (*http.Response, string){
		"the link": func() (*http.Response, string) { return b.get(link) },
		"the page": func() (*http.Response, string) {
			return b.send("/reset/new", page, "password", "a third long password")
		},
		"the flow": func() (*http.Response, string) {
			return b.send("/reset/new", short, "password", "a third long password")
		},
	} {
		resp, text := again()
		wants(t, text, "This link is over")
		if resp.StatusCode != 400 || !s.checks(newPassword) {
			t.Errorf("%s: %d", what, resp.StatusCode)
		}
	}
}

// What ends a link, and what is none.
func TestResetLinkIsOver(t *testing.T) {
	s, box := newReset(t)
	for what, change := range map[string]func(*symbolon.Account){
		"another password":                func(a *symbolon.Account) { a.Password += "x" },
		"no password":                     func(a *symbolon.Account) { a.Password = "" },
		"another address":                 func(a *symbolon.Account) { a.Profile.Email = "other@example.com" },
		"an address that is not verified": func(a *symbolon.Account) { a.Profile.EmailVerified = false },
		"all was ended":                   func(a *symbolon.Account) { a.NotBefore = s.handler.Engine.Now() },
		"disabled":                        func(a *symbolon.Account) { a.DisabledAt = s.handler.Engine.Now() },
	} {
		link := s.mailed(box)
		b := s.browser()
		_, page := b.get(link)
		before := s.account()
		s.edit(change)
		hash := s.account().Password
		_, text := b.send("/reset/new", page, "password", newPassword)
		wants(t, text, "This link is over")
		if s.account().Password != hash {
			t.Errorf("%s: the password was set", what)
		}
		s.edit(func(a *symbolon.Account) {
			a.Password, a.Profile, a.DisabledAt = before.Password, before.Profile, time.Time{}
		})
	}
	// Two that were asked for: the first that is used ends the other.
	one, two := s.mailed(box), s.mailed(box)
	b := s.browser()
	_, page := b.get(two)
	b.send("/reset/new", page, "password", newPassword)
	_, text := b.get(one)
	wants(t, text, "This link is over")

	// For another account: a link says whose it is, and nothing beside it counts.
	hash := s.account().Password
	john := symbolon.Account{ID: symbolon.NewAccountID(), Username: "john", Password: hash, Profile: symbolon.Profile{Email: "john@example.com", EmailVerified: true}, CreatedAt: time.Now()}
	check(t, s.store.PutAccount(t.Context(), john))
	link := s.mailed(box)
	_, page = b.get(link)
	b.send("/reset/new", page, "password", "for nobody but mary", "username", "john", "account", string(john.ID), "link", "x")
	found, err := s.store.Accounts(t.Context(), symbolon.AccountQuery{ID: john.ID, Limit: 1})
	check(t, err)
	if found[0].Password != hash || !s.checks("for nobody but mary") {
		t.Error("another account's password was set")
	}
	// Its stamp on another account, its time, and values of other kinds.
	now := s.handler.Engine.Now()
	account := s.account()
	sealed := func(p seal.Prefix, l resetLink) string {
		plain, _ := json.Marshal(l)
		text, err := s.handler.Ring.Seal(p, plain, now)
		check(t, err)
		return "/reset/new?link=" + url.QueryEscape(text)
	}
	good := resetLink{Account: s.mary, Stamp: resetStamp(&account), Expires: now.Add(time.Minute)}
	if resp, _ := b.get(sealed(seal.Reset, good)); resp.StatusCode != 200 {
		t.Fatal("the test makes no links")
	}
	stolen, late := good, good
	stolen.Account, late.Expires = john.ID, now
	for what, path := range map[string]string{"another's": sealed(seal.Reset, stolen), "late": sealed(seal.Reset, late), "another kind": sealed(seal.Flow, good), "nothing": "/reset/new", "cut": link[:len(link)-3]} {
		if resp, _ := b.get(path); resp.StatusCode != 400 {
			t.Errorf("%s: %d", what, resp.StatusCode)
		}
	}
	// The page of one browser, from another (CSRF).
	fresh := s.mailed(box)
	_, page = s.browser().get(fresh)
	other := s.browser()
	other.get("/sign-in")
	if resp, _ := other.post("/reset/new", "flow", flowOf(t, page), "password", "set by a stranger"); resp.StatusCode != 403 || s.checks("set by a stranger") {
		t.Errorf("another browser: %d", resp.StatusCode)
	}
}

// Whoever asks learns nothing of who has an account: the same page, and nothing of the
// account is looked at before the answer.
func TestResetTellsNothing(t *testing.T) {
	s, box := newReset(t)
	put := func(name string, change func(*symbolon.Account)) {
		a := symbolon.Account{ID: symbolon.NewAccountID(), Username: name, Password: "$argon2id$", Profile: symbolon.Profile{Email: name + "@example.com", EmailVerified: true}, CreatedAt: time.Now()}
		change(&a)
		check(t, s.store.PutAccount(t.Context(), a))
	}
	put("unverified", func(a *symbolon.Account) { a.Profile.EmailVerified = false })
	put("nowhere", func(a *symbolon.Account) { a.Profile.Email, a.Profile.EmailVerified = "", false })
	put("passwordless", func(a *symbolon.Account) { a.Password = "" })
	put("disabled", func(a *symbolon.Account) { a.DisabledAt = time.Now() })
	want := s.forget(s.browser(), "mary")
	if len(s.mails(box)) != 1 {
		t.Fatal("no mail for mary")
	}
	for _, name := range []string{"nobody", "unverified", "nowhere", "passwordless", "disabled", "", "\x00", strings.Repeat("x", 5000), "mary@example.com"} {
		s.handler.letters = newLetters()
		if got := s.forget(s.browser(), name); got != want {
			t.Errorf("%.20q gets another page", name)
		}
		if list := s.mails(box); len(list) != 0 {
			t.Errorf("%.20q: %+v", name, list)
		}
	}
	// The store is not asked: it may be away, and the answer is the same.
	s.handler.letters = newLetters()
	counted := &counting{Store: s.store}
	s.handler.Store = counted
	s.forget(s.browser(), "mary")
	s.forget(s.browser(), "nobody")
	if counted.accounts != 0 {
		t.Errorf("accounts were read %d times before the answer", counted.accounts)
	}
	s.handler.Store = s.store
}

// counting counts the readings of accounts.
type counting struct {
	symbolon.Store
	accounts int
}

func (c *counting) Accounts(ctx context.Context, q symbolon.AccountQuery) ([]symbolon.Account, error) {
	c.accounts++
	return c.Store.Accounts(ctx, q)
}

// A flood: a few mails an account and an address, the same page for all.
func TestResetFlood(t *testing.T) {
	s, box := newReset(t)
	b := s.browser()
	for range 20 {
		s.forget(b, "mary")
	}
	if n := len(s.mails(box)); n != 3 {
		t.Errorf("%d mails to one account, want 3", n)
	}
	s.handler.letters = newLetters()
	for i := range 15 {
		s.forget(b, fmt.Sprint("someone", i))
	}
	if n := len(s.handler.letters.wait); n != 10 {
		t.Errorf("%d are looked at for one address, want 10", n)
	}
	s.forget(b, "mary") // from the same address
	if n := len(s.mails(box)); n != 0 {
		t.Errorf("%d mails from an address that asked too often", n)
	}
}

// The link is made of the base URL, whatever Host says.
func TestResetHost(t *testing.T) {
	s, box := newReset(t)
	b := s.browser()
	_, page := b.get("/reset")
	req, _ := http.NewRequest("POST", s.URL+"/reset", strings.NewReader(url.Values{"flow": {flowOf(t, page)}, "username": {"mary"}}.Encode()))
	req.Host = "evil.test"
	req.Header.Set("Content-Type", formType)
	req.Header.Set("X-Forwarded-Host", "evil.test")
	req.Header.Set("Forwarded", "host=evil.test")
	for name, value := range b.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	resp.Body.Close()
	list := s.mails(box)
	if len(list) != 1 || strings.Contains(list[0].Text+list[0].Subject, "evil") || !strings.Contains(list[0].Text, s.URL+"/reset/new?link=") {
		t.Errorf("%d %+v", resp.StatusCode, list)
	}
}

// A name cannot write the mail.
func TestResetName(t *testing.T) {
	s, box := newReset(t)
	s.edit(func(a *symbolon.Account) { a.Name = "Mary\r\nBcc: all@example.com\r\n\r\nhttps://evil.test/" })
	s.forget(s.browser(), "mary")
	list := s.mails(box)
	if len(list) != 1 || strings.Contains(list[0].Text, "\nBcc") || strings.Contains(list[0].Text, "\nhttps://evil") || strings.ContainsAny(list[0].Subject, "\r\n") {
		t.Errorf("%+v", list)
	}
}

// A reset takes no second factor away: the code is asked for afterwards.
func TestResetKeepsFactors(t *testing.T) {
	s, box := newReset(t)
	s.setUp(s.browser())
	b := s.browser()
	_, page := b.get(s.mailed(box))
	b.send("/reset/new", page, "password", newPassword)
	if s.account().Factors.App == nil || len(s.account().Factors.Recovery) != 10 {
		t.Fatal("the factors are gone")
	}
	for !s.handler.Engine.Now().After(s.account().NotBefore) { // one in the same millisecond is over, too
	}
	_, page = b.get("/sign-in")
	_, page = b.send("/sign-in", page, "username", "mary", "password", newPassword)
	wants(t, page, `name="code"`)
	if len(s.sessions(b)) != 0 {
		t.Fatal("signed in without the code")
	}
	_, page = b.send("/sign-in/code", page, "code", s.code())
	if one := s.signedIn(b, s.mary); one.Session.ACR != oauth.ACRTwo {
		t.Errorf("%+v", one)
	}
}

// What apps hold ends with the password.
func TestResetEndsConnections(t *testing.T) {
	s, box := newReset(t)
	b := s.browser()
	_, page := b.get(s.authorize())
	_, page = b.password(page)
	resp, _ := b.post("/consent", "flow", flowOf(t, page), "action", "allow")
	u, err := url.Parse(resp.Header.Get("Location"))
	check(t, err)
	_, tokens := s.post(t, "/token", "grant_type", "authorization_code", "code", u.Query().Get("code"), "redirect_uri", s.app.RedirectURIs[0])
	if tokens["access_token"] == nil {
		t.Fatalf("%v", tokens)
	}
	info := func() int {
		req, _ := http.NewRequest("GET", s.URL+"/info", nil)
		req.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := info(); got != 200 {
		t.Fatal(got)
	}
	_, page = b.get(s.mailed(box))
	b.send("/reset/new", page, "password", newPassword)
	if got := info(); got == 200 {
		t.Error("the access token is honoured still")
	}
	if _, again := s.post(t, "/refresh", "refresh_token", tokens["refresh_token"].(string)); again["access_token"] != nil {
		t.Error("the connection lives")
	}
}

// Where there is no mail, there is no such page.
func TestNoReset(t *testing.T) {
	s := newMary(t)
	b := s.browser()
	_, page := b.get("/sign-in")
	if resp, _ := b.get("/reset"); resp.StatusCode != 404 || strings.Contains(page, "/reset") {
		t.Errorf("%d", resp.StatusCode)
	}
}

// A relay that is busy is asked again; one that refuses is not.
func TestPost(t *testing.T) {
	s, box := newReset(t)
	fails := errors.New("never")
	tries := 0
	s.handler.Mail = func(ctx context.Context, l mail.Letter) error {
		tries++
		return fails
	}
	s.forget(s.browser(), "mary")
	s.mails(box)
	if tries != 1 {
		t.Errorf("%d attempts", tries)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	sent := make(chan mail.Letter, 1)
	s.handler.Mail = func(ctx context.Context, l mail.Letter) error { sent <- l; return nil }
	go func() { s.handler.Post(ctx); close(done) }()
	s.forget(s.browser(), "mary")
	if l := <-sent; l.To != "mary@example.com" {
		t.Errorf("%+v", l)
	}
	stop()
	<-done
}
