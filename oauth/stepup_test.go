package oauth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// RFC9470-6-a: tokens of either form and introspection say how and when the person
// signed in, through every refresh.
func TestStepUpTokens(t *testing.T) {
	w := newWide(t)
	for _, acr := range []string{"", ACROne, ACRTwo, ACRPasskey} {
		for _, resource := range []string{r1, r2} {
			w.run("RFC9470-6-a", func(t *testing.T) {
				said := func(a *TokenResponse) map[string]any {
					return w.told(map[string]*symbolon.App{r1: &w.R1, r2: &w.R2}[resource], a.AccessToken)
				}
				who := w.allowing()
				for i := range who.SignedIn {
					who.SignedIn[i].Session.ACR = acr
				}
				answer, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=connect", "resource="+resource), who)
				w.ok(err)
				a, err := w.redeem(&w.C1, answer.Callback.Code)
				w.ok(err)
				want := acr
				if acr == "" {
					want = ACROne
				}
				for range 2 {
					info := said(a)
					if info["acr"] != want || info["auth_time"] == nil {
						t.Errorf("%q at %s: %v", acr, resource, info)
					}
					if strings.HasPrefix(a.AccessToken, "eyJ") {
						if _, claims := w.claims(a.AccessToken); claims["acr"] != want || claims["auth_time"] != info["auth_time"] {
							t.Errorf("%q: %v", acr, claims)
						}
					}
					w.clock.pass(time.Hour)
					a = w.refreshed(&w.C1, a.RefreshToken)
				}
			})
		}
	}
	w.run("an app in its own name has signed in nobody", func(t *testing.T) {
		if ACR(&symbolon.Grant{Client: w.C1.ID}) != "" || ACR(&symbolon.Grant{Account: w.U1.ID}) != "" {
			t.Error("nobody signed in here")
		}
	})
	w.run("a password alone makes no sealed token longer", func(t *testing.T) {
		if a := w.connected(&w.C1); a.Grant.ACR != "" {
			t.Errorf("%q", a.Grant.ACR)
		}
	})
}

// max_age and acr_values count in plain OAuth as well (RFC 9470 §4).
func TestStepUpRequest(t *testing.T) {
	w := newSignIns(t)
	for _, scope := range []string{"scope=connect", "scope=openid connect"} {
		who := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{w.at(time.Hour, w.U1)}, Chosen: w.U1.ID, Allowed: true}
		w.isFor(w.U1.ID, &w.C1, who, scope, "max_age=3600")
		w.isFor(w.U1.ID, &w.C1, who, scope, "max_age=3600", "acr_values=2 phr") // voluntary
		w.needs(NeedSignIn, &w.C1, who, scope, "max_age=3599")
		w.needs(NeedSignIn, &w.C1, who, scope, "max_age=0")
		w.cannot(LoginRequired, &w.C1, who, scope, "max_age=3599", "prompt=none")
		for _, bad := range []string{"max_age=-1", "max_age=x", "max_age=1.5", "max_age=99999999999", "acr_values=" + strings.Repeat("x", 1025)} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, scope, bad), who)
			w.redirected(err, InvalidRequest, uriC1, "xyz")
		}
	}
	// What was asked for is not lost on the way through the pages.
	r := w.request(&w.C1, "acr_values=phr 2", "max_age=5")
	p, err := ParseForm(r.Query())
	w.ok(err)
	again := ReadAuthorize(&p)
	if again.OpenID != r.OpenID || again.OpenID.ACRValues != "phr 2" {
		t.Errorf("%+v", again.OpenID)
	}
}

// What an API demands by the reverse proxy in front of it (RFC 9470 §3).
func TestForwardStepUp(t *testing.T) {
	w := newWorld(t)
	a := w.connected(&w.C1) // signed in a second ago
	for _, c := range []struct {
		need SignIn
		good bool
	}{
		{SignIn{}, true},
		{SignIn{ACR: []string{ACROne}}, true},
		{SignIn{ACR: []string{ACRTwo, ACROne}, MaxAge: time.Second}, true},
		{SignIn{ACR: []string{ACRTwo, ACRPasskey}}, false},
		{SignIn{ACR: []string{""}}, false},
	} {
		_, err := w.Forward(w.ctx, &ForwardQuery{Shown: Bearer(a.AccessToken), SignIn: c.need})
		if c.good {
			w.ok(err)
			continue
		}
		if e := w.refused(err, InsufficientAuthentication); e.SignIn == nil || !slices.Equal(e.SignIn.ACR, c.need.ACR) || e.Client != w.C1.ID {
			t.Errorf("the challenge will not say what is needed: %+v", e)
		}
	}
	w.clock.pass(time.Second)
	_, err := w.Forward(w.ctx, &ForwardQuery{Shown: Bearer(a.AccessToken), SignIn: SignIn{MaxAge: time.Second}})
	w.refused(err, InsufficientAuthentication)
	// A bad token is called that, whatever else is lacking.
	_, err = w.Forward(w.ctx, &ForwardQuery{Shown: Bearer("x"), SignIn: SignIn{ACR: []string{ACRTwo}}})
	if e := w.refused(err, InvalidToken); e.SignIn != nil {
		t.Error("it says how to sign in, which is not what is wrong")
	}
}
