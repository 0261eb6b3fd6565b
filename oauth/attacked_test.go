package oauth

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// A15: whoever exchanged a token, or was shown one that came of it, does not end
// the connection of the app that it came from.
func TestExchangedTokensEndNothing(t *testing.T) {
	w := newWide(t)
	a := w.redeemed(&w.C1, nil)
	b, err := w.exchange(&w.R1, a.AccessToken)
	w.ok(err)
	_, err = w.Invalidate(w.ctx, Bearer(b.AccessToken))
	w.refused(err, InvalidToken)
	w.alive(a)
	_, err = w.Invalidate(w.ctx, Bearer(a.AccessToken))
	w.ok(err)
	w.dead(a)
	_, err = w.Forward(w.ctx, &ForwardQuery{Shown: Bearer(b.AccessToken)})
	w.refused(err, InvalidToken)
}

// A13, RFC8707-2.2: an API that the owner takes from an app is taken from what it
// gets from then on, whatever was granted, as a scope is.
func TestTakenResources(t *testing.T) {
	w := newWide(t)
	mine := func(uris ...string) {
		t.Helper()
		for _, id := range []symbolon.ClientID{w.C1.ID, w.D1.ID} {
			w.edit(id, func(a *symbolon.App) { a.Settings.Resources = uris })
		}
		w.clock.pass(time.Second)
	}
	asks := []string{"resource=" + r1, "+resource=" + r2}
	one := w.redeemed(&w.C1, asks[:1])
	both := w.redeemed(&w.C1, asks)
	code := w.code(&w.C1, asks[:1]...)
	device := w.allowed(&w.D1, asks[:1]...)

	mine(r2)
	_, err := w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+one.RefreshToken)
	w.refused(err, InvalidTarget)
	_, err = w.call(&w.C1, "grant_type=authorization_code", "code="+code, "redirect_uri="+uriC1, "code_verifier="+verifier)
	w.refused(err, InvalidTarget)
	_, err = w.poll(&w.D1, device)
	w.refused(err, InvalidTarget)
	left := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+both.RefreshToken)
	if g := left.Grant.Resource; len(g) != 1 || g[0] != r2 {
		t.Errorf("left are %v", g)
	}

	// Nothing was spent by what was refused, and all of it was granted.
	mine()
	w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+one.RefreshToken)
	all := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+left.RefreshToken)
	if g := all.Grant.Resource; len(g) != 2 {
		t.Errorf("granted were two, and there are %v", g)
	}
}

// A15, RFC8693-5: an exchange brings no token for an API that the caller may not
// ask for, also when it names none.
func TestExchangeForOwnResources(t *testing.T) {
	w := newWide(t)
	a := w.redeemed(&w.C1, []string{"resource=" + r1})
	w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.Resources = []string{r2} })
	_, err := w.exchange(&w.R1, a.AccessToken)
	w.refused(err, InvalidTarget)
	_, err = w.exchange(&w.R1, a.AccessToken, "audience="+r1)
	w.refused(err, InvalidTarget)
	b, err := w.exchange(&w.R1, a.AccessToken, "audience="+r2)
	w.ok(err)
	if g := b.Grant.Resource; len(g) != 1 || g[0] != r2 {
		t.Errorf("it is for %v", g)
	}
}
