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

// A sign-in is raised to what the app would like, when the account has what it takes; to
// what it demands there is no way around. Ledger B36.
func TestStepUpNeed(t *testing.T) {
	w := newSignIns(t)
	plain := w.U1
	plain.Factors = symbolon.Factors{}
	withApp, withKey := w.U1, w.U1
	withApp.Factors = symbolon.Factors{App: &symbolon.AuthenticatorApp{Secret: []byte{1}}}
	withKey.Factors = symbolon.Factors{Passkeys: []symbolon.Passkey{{ID: []byte{1}, Key: []byte{1}}}}
	const must = `claims={"id_token":{"acr":{"essential":true,"values":["2","phr"]}}}`
	for name, c := range map[string]struct {
		account symbolon.Account
		acr     string
		ask     string
		need    Need
		to      string
		demand  bool
	}{
		"it would like two, and there is an app":         {withApp, ACROne, "acr_values=2", NeedStepUp, ACRTwo, false},
		"from before there was an acr":                   {withApp, "", "acr_values=2", NeedStepUp, ACRTwo, false},
		"the best that can be reached":                   {withApp, ACROne, "acr_values=phr 2", NeedStepUp, ACRTwo, false},
		"a key":                                          {withKey, ACROne, "acr_values=phr 2", NeedStepUp, ACRPasskey, false},
		"nothing can be reached":                         {plain, ACROne, "acr_values=phr 2", NeedNothing, "", false},
		"nothing that is known":                          {withApp, ACROne, "acr_values=x gold", NeedNothing, "", false},
		"a password is preferred":                        {withApp, ACROne, "acr_values=1 2", NeedNothing, "", false},
		"two are preferred to a password":                {withApp, ACROne, "acr_values=2 1", NeedStepUp, ACRTwo, false},
		"it is there":                                    {withApp, ACRTwo, "acr_values=2", NeedNothing, "", false},
		"another that will do is there":                  {withApp, ACRPasskey, "acr_values=2 phr", NeedNothing, "", false},
		"a passkey has no password beside":               {withApp, ACRPasskey, "acr_values=2", NeedNothing, "", false},
		"it demands two, and there is an app":            {withApp, ACROne, must, NeedStepUp, ACRTwo, true},
		"it demands a key as well as two":                {withKey, ACROne, must, NeedStepUp, ACRPasskey, true},
		"it demands what is there":                       {withApp, ACRTwo, must, NeedNothing, "", false},
		"it demands what is not there: someone else may": {plain, ACROne, must, NeedSignIn, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			at := w.at(time.Hour, c.account)
			at.Account, at.Session.ACR = c.account, c.acr
			for _, scope := range []string{"scope=connect", "scope=openid connect"} {
				if c.ask == must && scope == "scope=connect" {
					continue // claims are of OpenID Connect
				}
				who := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{at}, Chosen: w.U1.ID, Allowed: true}
				answer, err := w.Authorize(w.ctx, w.request(&w.C1, scope, c.ask), who)
				w.ok(err)
				if answer.Need != c.need || answer.StepUp != c.to || answer.Demanded != c.demand || c.to != "" && answer.Account.ID != w.U1.ID {
					t.Fatalf("%s: needs %d, %q, %v", scope, answer.Need, answer.StepUp, answer.Demanded)
				}
				if c.need != NeedStepUp {
					continue
				}
				who.Declined = true
				answer, err = w.Authorize(w.ctx, w.request(&w.C1, scope, c.ask), who)
				w.ok(err)
				if (answer.Need == NeedStepUp) != c.demand {
					t.Errorf("declined: needs %d", answer.Need)
				}
				if c.demand {
					w.cannot(LoginRequired, &w.C1, who, scope, c.ask, "prompt=none")
					w.cannot(LoginRequired, &w.C1, Actor{SignedIn: who.SignedIn}, scope, c.ask)
				} else {
					w.isFor(w.U1.ID, &w.C1, Actor{Interactive: true, SignedIn: who.SignedIn, Chosen: w.U1.ID, Allowed: true}, scope, c.ask, "prompt=none")
				}
			}
		})
	}
	w.run("what the app registered counts where the request does not say", func(t *testing.T) {
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.OpenID.DefaultACR = []string{ACRTwo} })
		defer w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.OpenID.DefaultACR = nil })
		at := w.at(time.Hour, withApp)
		at.Account = withApp
		who := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{at}, Chosen: w.U1.ID, Allowed: true}
		w.needs(NeedStepUp, &w.C1, who, "scope=openid connect")
		w.isFor(w.U1.ID, &w.C1, who, "scope=openid connect", "acr_values=1")
		w.isFor(w.U1.ID, &w.C1, who, "scope=connect") // it is of OpenID Connect
	})
	w.run("a sign-in that is too old is not only raised", func(t *testing.T) {
		at := w.at(time.Hour, withApp)
		at.Account = withApp
		who := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{at}, Chosen: w.U1.ID, Allowed: true}
		w.needs(NeedSignIn, &w.C1, who, "acr_values=2", "max_age=60")
		w.needs(NeedSignIn, &w.C1, who, "acr_values=2", "prompt=login")
	})
}
