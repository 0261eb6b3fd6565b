//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// shows checks the latest exchange of a step of the playground: its status, and
// parts of the request and of the answer.
func (p *tab) shows(step int, status string, parts ...string) {
	p.t.Helper()
	type latest struct{ Status, Wire string }
	got := tabEval[latest](p, fmt.Sprintf(`(() => {
		const e = document.querySelector('#step-%d article.exchange');
		return {Status: e ? e.querySelector('.badge').innerText : '', Wire: e ? e.innerText : ''};
	})()`, step))
	if !strings.HasPrefix(got.Status, status) {
		p.t.Fatalf("step %d shows %q, want %s\n%s", step, got.Status, status, got.Wire)
	}
	for _, part := range parts {
		if !strings.Contains(strings.ToLower(got.Wire), strings.ToLower(part)) { // names of headers in any case
			p.t.Errorf("step %d does not show %q\n%s", step, part, got.Wire)
		}
	}
}

// The playground plays the app's side: each of the six steps is seen as it goes
// over the wire, step 2's callback included, and what goes wrong is seen too.
func testPlayground(t *testing.T, b *chromium) {
	p := b.window(t)
	p.visit(b.s.base + "/")
	p.at("Playground")
	p.guarded("playground")

	p.press("Open it in this browser")
	p.press("Jane Doe")
	if p.heading() != "Playground" { // another test may have allowed it before
		p.press("Allow")
	}
	p.shows(2, "303", "GET /playground/callback?code=", "state=", "iss=")
	p.press("Trade the code for tokens")
	p.shows(3, "200", "POST /token", "grant_type=authorization_code", `"access_token"`, `"expires_in"`, "Cache-Control: no-store")
	p.press("Ask whose account it is")
	p.shows(4, "200", "GET /info", "Authorization: Bearer ", "Jane Doe", b.jane().ID)
	p.press("Refresh")
	p.shows(5, "200", "POST /refresh", `"refresh_token"`)
	p.press("Send the last refresh again")
	p.shows(5, "200", "byte for byte")
	p.press("Refresh")
	p.press("Replay an older refresh token")
	p.shows(5, "400", "invalid_grant")

	p.press("Send it as an API caller")
	p.shows(1, "200", "GET /authorize?", `"code"`)
	p.press("Call the redirect URI")
	p.shows(2, "200", "GET /playground/callback?code=")
	p.press("Trade the code for tokens")
	p.press("End the connection")
	p.shows(6, "204", "GET /invalidate")
	p.press("Ask again with the same token")
	p.shows(6, "401", "invalid_token", "Www-Authenticate: Bearer")
	p.reload()
	p.shows(6, "401")

	p.press("Start over")
	if n := tabEval[int](p, `document.querySelectorAll('article.exchange').length`); n != 0 {
		t.Errorf("%d exchanges are left after starting over", n)
	}
}

// The playground without scripts, and without the keyboard's user noticing.
func testPlaygroundByKeyboard(t *testing.T, b *chromium) {
	p := b.window(t)
	p.scriptsOff()
	p.visit(b.s.base + "/playground")
	p.tabsThrough()
	p.press("Send it as an API caller")
	p.press("Trade the code for tokens")
	p.shows(3, "200")
}

// The app's own refusals: a scope that does not exist, a person who says no, a
// code that comes twice.
func testPlaygroundRefusals(t *testing.T, b *chromium) {
	p := b.window(t)
	p.visit(b.s.base + "/playground")
	p.fill("scope", "connect everything")
	p.press("Prepare a new request")
	p.press("Send it as an API caller")
	p.shows(1, "400", "invalid_scope")
	p.press("Open it in this browser")
	p.shows(2, "303", "error=invalid_scope")
	p.fill("scope", "connect")
	p.press("Prepare a new request")
	p.press("Open it in this browser")
	p.press("Cancel")
	p.shows(2, "303", "error=access_denied")
	p.press("Send it as an API caller")
	p.press("Trade the code for tokens")
	p.press("Send the same code again")
	p.shows(3, "400", "invalid_grant")
}

func testLooksOfThePlayground(t *testing.T, b *chromium) {
	p := b.window(t)
	p.visit(b.s.base + "/playground")
	p.looksRight("playground")
	p.press("Open it in this browser")
	p.press("John Doe")
	if p.heading() != "Playground" {
		p.press("Allow")
	}
	p.looksRight("playground-callback")
	for _, press := range []string{"Trade the code for tokens", "Ask whose account it is", "Refresh", "Refresh", "Send the last refresh again"} {
		p.press(press)
	}
	p.looksRight("playground-refreshed")
	p.press("Replay an older refresh token")
	p.press("Send it as an API caller")
	p.looksRight("playground-answered")
	p.press("Trade the code for tokens")
	p.press("End the connection")
	p.press("Ask again with the same token")
	p.looksRight("playground-ended")
}
