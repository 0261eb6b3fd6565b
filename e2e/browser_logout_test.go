//go:build linux

package e2e

import (
	"html"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
)

// RPL-2-b, RPL-6-a: an app sends a person to sign out, with the ID token and without.
func testLogout(t *testing.T, b *chromium) {
	a := b.unregistered(t, httptest.NewServer)
	a.register("Weather Mill", a.URL+"/callback", "--scope", "openid connect", "--post-logout-redirect-uri", a.URL+"/bye")
	a.page("/bye", "You left the app", "")
	p := b.window(t)
	p.mayVisit(a.URL)
	back := b.s.base + logoutAt("client_id", a.ID, "post_logout_redirect_uri", a.URL+"/bye", "state", "s")

	// Nobody is signed in: at once.
	p.visit(back)
	p.at("You left the app")

	// Who is asked, and goes back afterwards.
	p.visit(a.link("scope", "openid connect"))
	p.press("Jane Doe")
	p.press("Allow")
	p.at(atApp)
	p.visit(back)
	p.at("Sign out")
	p.reads("Weather Mill asks to sign you out.", "Jane Doe", "Afterwards you are sent back to")
	p.leads(chromedp.Click(chromedp.ID("sign-out")))
	p.at("You left the app")
	if got := tabEval[string](p, "location.search"); got != "?state=s" {
		t.Errorf("came back with %q", got)
	}
	p.visit(b.s.base + "/sign-out")
	p.at("You are not signed in")

	// The app posts its ID token from its own site: nobody is asked.
	p.visit(a.link("scope", "openid connect"))
	p.press("Jane Doe")
	p.at(atApp)
	r := a.s.post(t, "/token", a.redemption(a.last(2).Get("code")))
	hint := r.text("id_token")
	a.page("/leave", "Leave", `<form method="post" action="`+b.s.base+`/oauth2/logout"><input type="hidden" name="id_token_hint" value="`+html.EscapeString(hint)+`">
		<input type="hidden" name="post_logout_redirect_uri" value="`+a.URL+`/bye"><button>Leave everything</button></form>`)
	// By another site's name, as it is for real.
	p.mayVisit(elsewhere(a.URL))
	p.visit(elsewhere(a.URL) + "/leave")
	p.press("Leave everything")
	p.at("You left the app")
	p.visit(a.link("scope", "openid connect", "prompt", "none"))
	p.at("The app was told login_required")

	// What another site posts without it ends nothing unasked.
	a.page("/trap", "Trap", `<form method="post" action="`+b.s.base+`/oauth2/logout"><button>Win</button></form>`)
	p.visit(a.link("scope", "openid connect"))
	p.press("Jane Doe")
	p.at(atApp)
	p.visit(elsewhere(a.URL) + "/trap")
	p.press("Win")
	p.at("Sign out")
	p.reads("A link asks to sign you out.", "Jane Doe")
	p.visit(b.s.base + "/sign-out")
	p.reads("Jane Doe")
}

func testLooksOfLogout(t *testing.T, b *chromium) {
	a := b.newSite(t, "Weather Mill", "--scope", "openid connect", "--post-logout-redirect-uri", "https://weathermill.example/bye")
	p := b.window(t)
	for _, name := range []string{"Jane Doe", "John Doe"} {
		p.visit(b.s.base + "/sign-in")
		p.press(name)
	}
	p.visit(b.s.base + logoutAt("client_id", a.ID, "post_logout_redirect_uri", "https://weathermill.example/bye", "logout_hint", b.jane().Username))
	p.looksRight("sign-out-asked")
	p.visit(b.s.base + logoutAt("client_id", a.ID, "post_logout_redirect_uri", "https://weathermill.example/by"))
	p.looksRight("sign-out-wrong")
	p.press("Sign out of all")
	p.at("You are signed out")
	p.visit(b.s.base + logoutAt("client_id", a.ID, "post_logout_redirect_uri", "https://weathermill.example/by"))
	p.looksRight("signed-out-wrong")
}
