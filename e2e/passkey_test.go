//go:build linux

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// withKey gives a tab an authenticator that recognises its person.
func (p *tab) withKey() webauthn.AuthenticatorID {
	p.t.Helper()
	tabCall(p, webauthn.Enable, webauthn.EnableParams{})
	return tabCall(p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}}).AuthenticatorID
}

// passkeyProblem waits for what the script says of a passkey that did not come about.
func (p *tab) passkeyProblem(says string) {
	p.t.Helper()
	p.until("word of what happened", func() bool {
		return tabEval[bool](p, fmt.Sprintf(`[...document.querySelectorAll('[data-problem]')].some(e => !e.hidden && e.innerText.includes(%q))`, says))
	})
}

// A person adds a passkey, signs in by it alone and by the keyboard, is refused when the
// authenticator does not recognise them, and takes the passkey away again. The server has
// a name, since browsers have no passkeys for a bare address.
func TestPasskeyInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	t.Parallel()
	b := startChromium(t)
	listen := freePort(t)
	_, port, _ := strings.Cut(listen, ":")
	b.s = startServe(t, newDir(), listen, bare, "http://localhost:"+port)
	who := b.newAccount(t, "mary", "Mary Major")
	a := b.newSite(t, "Weather Mill", "--scope", "connect openid")

	p := b.window(t)
	p.mayVisit(a.URL)
	key := p.withKey()
	p.visit(b.s.base + "/account/security")
	p.looksRight("sign-in-passkey")
	p.tabsThrough()
	p.do(chromedp.Click(buttonNamed("Sign in with a passkey"))) // of which there is none
	p.passkeyProblem("no passkey from this device")
	p.signIn(who)
	p.reads("Passkeys", "Add a passkey")
	p.looksRight("passkeys-none")
	p.tabsThrough()
	p.fill("passkey-name", "My phone")
	p.press("Add a passkey")
	p.reads("My phone", "Not used yet")
	p.looksRight("passkeys-one")
	p.tabsThrough()
	// The password alone may not add another.
	p.press("Sign in more strongly to add one")
	p.at("Use your passkey")
	p.looksRight("passkey-raise")
	p.tabsThrough()
	p.press("Use a passkey")
	p.reads("My phone", "Last used on", "Add a passkey")
	// This device has one already: the page says so, and is still there.
	p.do(chromedp.Click(buttonNamed("Add a passkey")))
	p.passkeyProblem("already")
	p.looksRight("passkeys-twice")

	// Signed out, an app asks: by a passkey alone, from the keyboard.
	p.visit(b.s.base + "/sign-out")
	p.press("Mary Major")
	p.visit(a.link("scope", "openid connect", "nonce", "n"))
	p.looksRight("sign-in-passkey-app")
	p.tabTo("Sign in with a passkey")
	p.leads(chromedp.KeyEvent(kb.Enter))
	p.at(atConsent)
	p.press("Allow")
	p.at(atApp)
	r := b.s.post(t, "/oauth2/token", a.redemption(a.last(1).Get("code")))
	parts := strings.Split(r.text("id_token"), ".")
	if len(parts) != 3 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var claims map[string]any
	must(t, json.Unmarshal(payload, &claims))
	if claims["acr"] != "phr" || claims["sub"] == "" {
		t.Errorf("%v", claims)
	}
	if amr, _ := claims["amr"].([]any); len(amr) != 3 || amr[0] != "hwk" {
		t.Errorf("%v", claims["amr"])
	}
	if info := b.s.post(t, "/oauth2/introspect", with(a.credentials(), "token", r.text("access_token"))); info.text("acr") != "phr" {
		t.Errorf("%s", info.Body)
	}

	// Who is not recognised, and who cancels, is told on the page, and can go on.
	p.visit(b.s.base + "/sign-in")
	tabCall(p, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: key, IsUserVerified: false})
	p.do(chromedp.Click(buttonNamed("Sign in with a passkey")))
	p.passkeyProblem("no passkey from this device")
	p.looksRight("sign-in-passkey-failed")
	tabCall(p, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: key, IsUserVerified: true})
	p.press("Sign in with a passkey")
	p.reads("You are signed in as Mary Major")

	// Renamed, and removed: it signs in no more.
	p.visit(b.s.base + "/account/security")
	p.fill("name-0", "Old phone")
	p.press("Rename")
	p.reads("Old phone")
	p.press("Remove")
	p.lacks("Old phone")
	p.visit(b.s.base + "/sign-out")
	p.press("Mary Major")
	p.visit(b.s.base + "/sign-in")
	p.press("Sign in with a passkey")
	p.reads("does not sign in here")
	p.looksRight("sign-in-passkey-refused")

	// Without scripts there is no button, and the page says why.
	q := b.window(t)
	q.scriptsOff()
	q.visit(b.s.base + "/sign-in")
	q.reads("Passkeys need JavaScript")
	q.lacks("Sign in with a passkey")
	q.signIn(who)
	q.reads("You are signed in as Mary Major")

	// The metadata says what can be reached.
	meta := b.s.get(t, "/.well-known/oauth-authorization-server")
	if !strings.Contains(string(meta.Body), `"acr_values_supported":["1","2","phr"]`) {
		t.Errorf("%s", meta.Body)
	}
	if u, err := url.Parse(b.s.base); err != nil || u.Hostname() != "localhost" {
		t.Error(b.s.base)
	}
}
