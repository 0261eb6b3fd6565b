package web

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/softkey"
	"github.com/symbolon/symbolon/oauth"
)

const passkeyIssuer = "https://as.test"

var optionsOnPage = regexp.MustCompile(`data-passkey="(ask|make)" data-options="([^"]*)"`)

// passkeyChallenge is the challenge that a page's script is given.
func passkeyChallenge(t *testing.T, page, kind string) []byte {
	t.Helper()
	m := optionsOnPage.FindStringSubmatch(page)
	if m == nil || m[1] != kind {
		t.Fatalf("the page does not %s a passkey:\n%.4000s", kind, page)
	}
	var o struct{ Challenge string }
	check(t, json.Unmarshal([]byte(html.UnescapeString(m[2])), &o))
	raw, err := base64.RawURLEncoding.DecodeString(o.Challenge)
	check(t, err)
	return raw
}

func (s *maryWorld) key() *softkey.Key {
	handle, _ := hex.DecodeString(string(s.mary))
	return softkey.New(handle, "as.test", passkeyIssuer)
}

// add adds a passkey to her account, by the pages.
func (s *maryWorld) add(b *browserOf, key *softkey.Key, name string) string {
	s.t.Helper()
	_, page := b.get("/account/security")
	if strings.Contains(page, `name="password"`) {
		_, page = b.password(page)
	}
	challenge := passkeyChallenge(s.t, page, "make")
	_, page = b.send("/account/security", page, "action", "passkey", "passkey", key.Make(challenge), "name", name)
	return page
}

// sign signs in with a passkey at a page, by its challenge.
func (b *browserOf) sign(path, page string, key *softkey.Key) (*http.Response, string) {
	b.t.Helper()
	return b.send(path, page, "action", "passkey", "passkey", key.Sign(passkeyChallenge(b.t, page, "ask")))
}

func TestPasskey(t *testing.T) {
	s := newMaryAt(t, passkeyIssuer)
	b, key := s.browser(), s.key()
	page := s.add(b, key, " <b>My phone</b> ")
	wants(t, page, "&lt;b&gt;My phone&lt;/b&gt;")
	if f := s.account().Factors; len(f.Passkeys) != 1 {
		t.Fatalf("%+v", f)
	}
	q := s.browser()
	resp, signIn := q.get("/sign-in")
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") {
		t.Error(csp)
	}
	posted := []string{"flow", flowOf(t, signIn), "action", "passkey", "passkey", key.Sign(passkeyChallenge(t, signIn, "ask"))}
	q.follow(q.post("/sign-in", posted...))
	list := s.sessions(q)
	if len(list) != 1 || list[0].Session.ACR != oauth.ACRPasskey || list[0].Account.ID != s.mary {
		t.Fatalf("%+v", list)
	}
	// The same once more, in the same browser: what was signed counts once.
	delete(q.jar, "__Host-symbolon-session")
	_, again := q.follow(q.post("/sign-in", posted...))
	wants(t, again, "does not sign in here")
	if len(s.sessions(q)) != 0 {
		t.Error("what was signed counts twice")
	}
	// And in another browser, which has not been asked.
	other := s.browser()
	other.get("/sign-in")
	if resp, _ := other.post("/sign-in", posted...); resp.StatusCode != 403 {
		t.Errorf("another browser: %d", resp.StatusCode)
	}
	refused := func(name string, change func(k *softkey.Key)) {
		t.Helper()
		bad := *key
		change(&bad)
		r := s.browser()
		_, page := r.get("/sign-in")
		_, page = r.sign("/sign-in", page, &bad)
		wants(t, page, "does not sign in here")
		if len(s.sessions(r)) != 0 {
			t.Errorf("%s signs in", name)
		}
	}
	refused("another page", func(k *softkey.Key) { k.Origin = "https://evil.test" })
	refused("one that knew nobody", func(k *softkey.Key) { k.Flags = softkey.Present })
	refused("another account's", func(k *softkey.Key) { k.Handle, _ = hex.DecodeString(jane) })
	refused("nobody's", func(k *softkey.Key) { k.Handle = make([]byte, 20) })
	refused("one that is not known", func(k *softkey.Key) { k.ID = []byte("unknown") })
	// The challenge of one page is none of another's.
	r := s.browser()
	_, one := r.get("/sign-in")
	_, two := r.get("/sign-in")
	_, page = r.send("/sign-in", two, "action", "passkey", "passkey", key.Sign(passkeyChallenge(t, one, "ask")))
	wants(t, page, "does not sign in here")
	// A flow that asked for none.
	_, out := b.get("/sign-out")
	if resp, _ := b.post("/sign-in", "flow", flowOf(t, out), "action", "passkey", "passkey", key.Sign(make([]byte, 32))); resp.StatusCode != 403 {
		t.Errorf("a page without a challenge: %d", resp.StatusCode)
	}
	t.Run("a disabled account", func(t *testing.T) {
		s.edit(func(a *symbolon.Account) { a.DisabledAt = s.handler.Engine.Now() })
		refused("a disabled account", func(*softkey.Key) {})
		s.edit(func(a *symbolon.Account) { a.DisabledAt = time.Time{} })
	})
}

// Whoever has the password alone neither adds a passkey nor takes one away, where there
// is one.
func TestPasskeyPages(t *testing.T) {
	s := newMaryAt(t, passkeyIssuer)
	b, key := s.browser(), s.key()
	page := s.add(b, key, "")
	wants(t, page, "Passkey of ")
	id := base64.RawURLEncoding.EncodeToString(key.ID)
	wants(t, page, `value="`+id+`"`)
	if optionsOnPage.MatchString(page) {
		t.Error("a second one is offered to the password alone")
	}
	flow := flowOf(t, page)
	for _, change := range [][]string{
		{"action", "remove", "id", id}, {"action", "rename", "id", id, "name", "x"}, {"action", "app"},
		{"action", "passkey", "passkey", s.key().Make(make([]byte, 32))},
	} {
		_, asked := b.follow(b.post("/account/security", append([]string{"flow", flow}, change...)...))
		wants(t, asked, "Use your passkey")
		if f := s.account().Factors; len(f.Passkeys) != 1 || f.Passkeys[0].Name == "x" || f.App != nil {
			t.Fatalf("%q: %+v", change, f)
		}
	}
	_, asked := b.follow(b.post("/account/security", "flow", flow, "action", "more"))
	wants(t, asked, "Use your passkey")
	if strings.Contains(asked, `id="code"`) {
		t.Error("a code is asked for, of which there is none")
	}
	stranger := s.key() // of hers, and not known here
	_, refused := b.sign("/sign-in/code", asked, stranger)
	wants(t, refused, "does not sign in here")
	_, page = b.sign("/sign-in/code", refused, key)
	wants(t, page, "Add a passkey")
	// An account's other passkey; the same twice is one.
	second := s.key()
	challenge := passkeyChallenge(t, page, "make")
	flow = flowOf(t, page)
	for range 2 {
		b.post("/account/security", "flow", flow, "action", "passkey", "passkey", second.Make(challenge), "name", "Second")
	}
	if f := s.account().Factors; len(f.Passkeys) != 2 || f.Passkeys[1].Name != "Second" {
		t.Fatalf("%+v", f)
	}
	// One that was made for another page is not taken.
	evil := s.key()
	evil.Origin = "https://evil.test"
	_, page = b.get("/account/security")
	if resp, _ := b.send("/account/security", page, "action", "passkey", "passkey", evil.Make(passkeyChallenge(t, page, "make"))); resp.StatusCode != 403 {
		t.Errorf("%d", resp.StatusCode)
	}
	b.send("/account/security", page, "action", "rename", "id", id, "name", strings.Repeat("ä", 200))
	if name := s.account().Factors.Passkeys[0].Name; len([]rune(name)) != maxPasskeyName {
		t.Errorf("%q", name)
	}
	for _, gone := range []string{"", "x", id} {
		b.send("/account/security", page, "action", "remove", "id", gone)
	}
	if f := s.account().Factors; len(f.Passkeys) != 1 || f.Passkeys[0].Name != "Second" {
		t.Fatalf("%+v", f)
	}
	// What was removed signs nobody in.
	q := s.browser()
	_, signIn := q.get("/sign-in")
	_, page = q.sign("/sign-in", signIn, key)
	wants(t, page, "does not sign in here")
}

// A passkey does where a code is asked for, and where an app asks for one.
func TestPasskeyStepUp(t *testing.T) {
	s := newMaryAt(t, passkeyIssuer)
	s.edit(func(a *symbolon.Account) { a.Factors.Passkeys = nil })
	b, key := s.browser(), s.key()
	s.add(b, key, "Phone")
	ask := strings.Replace(s.authorize("acr_values", "phr"), "/authorize", "/oauth2/authorize", 1)
	_, page := b.follow(b.get(ask))
	wants(t, page, "Use your passkey")
	wants(t, page, "Go on without")
	jane := *key
	jane.Handle, _ = hex.DecodeString("d1b03e513fbc5881651d6c149fd259506f975ae1")
	_, refused := b.sign("/sign-in/code", page, &jane) // another account's factor in the flow
	wants(t, refused, "does not sign in here")
	_, page = b.sign("/sign-in/code", refused, key)
	wants(t, page, `action="/consent"`)
	if list := s.sessions(b); len(list) != 1 || list[0].Session.ACR != oauth.ACRPasskey {
		t.Fatalf("%+v", list)
	}
	// Behind the password, in place of the code.
	wrapped, err := s.handler.Ring.Wrap(appSecretOf(s.mary), []byte("12345678901234567890"), s.handler.Engine.Now())
	check(t, err)
	s.edit(func(a *symbolon.Account) { a.Factors.App = &symbolon.AuthenticatorApp{Secret: wrapped} })
	q := s.browser()
	_, page = q.get("/sign-in")
	_, page = q.password(page)
	wants(t, page, `id="code"`)
	q.sign("/sign-in/code", page, key)
	if list := s.sessions(q); len(list) != 1 || list[0].Session.ACR != oauth.ACRPasskey {
		t.Fatalf("%+v", list)
	}
}

// acr_values_supported is what can be reached: a bare address has no passkeys.
func TestPasskeyMetadata(t *testing.T) {
	for issuer, want := range map[string]int{passkeyIssuer: 3, "": 2} {
		f := newFixtureAt(t, issuer)
		_, m := described(t, f, "/.well-known/oauth-authorization-server")
		if got := listOf(m["acr_values_supported"]); len(got) != want {
			t.Errorf("%q: %q", issuer, got)
		}
		_, page := (&browserOf{t: t, f: f, accept: "text/html"}).get("/sign-in")
		if strings.Contains(page, "data-passkey") != (want == 3) {
			t.Errorf("%q: %s", issuer, page)
		}
	}
}
