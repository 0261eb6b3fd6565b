package oauth

import (
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// A lifetime that an owner shortens holds for tokens made before: the feed
// remembers what has ended for the present lifetime only.
func TestShorterLifetimeHoldsForOlderTokens(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AccessLifetime = time.Hour })
	old := w.connected(&w.C1)
	w.cfg.AccessLifetime = time.Minute
	w.start()
	w.alive(old)
	w.clock.pass(time.Minute)
	_, err := w.Info(t.Context(), Bearer(old.AccessToken))
	w.refused(err, InvalidToken)
}

// ASVS-10.4.11: an owner who takes a scope from an app takes it from what was
// granted before, too.
func TestNarrowedAppNarrowsItsTokens(t *testing.T) {
	w := newWorld(t)
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"connect", "admin"} })
	w.ok(w.store.Allow(t.Context(), symbolon.Consent{Account: w.U1.ID, Client: w.C1.ID, Scope: symbolon.Scopes{"connect", "admin"}, GrantedAt: w.clock.Now()}))
	w.clock.pass(time.Second)
	first := w.connected(&w.C1, "scope=connect admin")
	if first.Scope != "connect admin" {
		t.Fatalf("scope %q", first.Scope)
	}
	code := w.code(&w.C1, "scope=connect admin")
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"connect"} })
	w.ok(w.feed.Poll(t.Context()))
	if got := w.refreshed(&w.C1, first.RefreshToken); got.Scope != "connect" {
		t.Errorf("refreshed with scope %q", got.Scope)
	}
	got, err := w.redeem(&w.C1, code)
	w.ok(err)
	if got.Scope != "connect" {
		t.Errorf("redeemed with scope %q", got.Scope)
	}
}

// A request that the pages could not carry is refused before anyone types a
// password.
func TestRequestTooLongForThePages(t *testing.T) {
	w := newWorld(t)
	state := strings.Repeat("{", 3000) // 9000 bytes when it is encoded
	req := w.request(&w.C1)
	req.State = state
	_, err := w.Authorize(t.Context(), req, Actor{Interactive: true})
	w.refused(err, InvalidRequest)
	if _, err := w.Authorize(t.Context(), req, Actor{SignedIn: w.signedIn(w.U1)}); err != nil {
		t.Errorf("an API caller, who needs no page: %v", err)
	}
}

// A connection that is older than connections may become is not refreshed.
func TestConnectionLifetimeThatIsSetLater(t *testing.T) {
	w := newWorld(t)
	old := w.connected(&w.C1)
	w.clock.pass(2 * time.Hour)
	w.cfg.ConnectionLifetime = time.Hour
	w.start()
	_, err := w.refresh(&w.C1, old.RefreshToken)
	w.refused(err, InvalidGrant)
}
