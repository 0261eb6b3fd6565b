package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// newSignIns is a world whose apps C1, C2 and P1 sign people in, with ID tokens by
// ES256. What package oidc would say, an ID token says here as it is handed over.
func newSignIns(t *testing.T, configure ...func(*Config)) *world {
	t.Helper()
	var w *world
	w = newWorld(t, append([]func(*Config){func(c *Config) {
		c.PairwiseKey = [32]byte{1}
		c.IDToken = func(r *IDTokenRequest) (string, error) {
			named, _ := NamedClaims(r.App, &r.Grant)
			claims := map[string]any{
				"iss": w.cfg.Issuer, "sub": r.Subject, "aud": r.App.ClientID(), "nonce": r.Nonce, "sid": r.Grant.Session.String(), "acr": r.Grant.ACR,
				"auth_time": r.Grant.AuthAt.Unix(), "iat": r.Now.Unix(), "exp": r.Now.Unix() + 600, "named": strings.Join(named, " "), "person": r.Account != nil, "at": r.AccessToken,
			}
			return w.cfg.Signing.Sign(TypeIDToken, r.App.Settings.OpenID.SigningAlgorithm(), claims, r.Now)
		}
	}}, configure...)...)
	for _, a := range []*symbolon.App{&w.C1, &w.C2, &w.P1} {
		w.edit(a.ID, func(a *symbolon.App) {
			a.Scope = symbolon.Scopes{"connect", "read", "openid", "profile", "email"}
			a.Settings.OpenID.IDTokenSigning = "ES256"
		})
		*a = w.app(a.ID)
	}
	w.ok(w.store.Allow(w.ctx, symbolon.Consent{Account: w.U1.ID, Client: w.C1.ID, Scope: symbolon.Scopes{"openid"}, GrantedAt: w.clock.Now()}))
	w.clock.pass(time.Second)
	return w
}

// idToken is what the ID token of A(changes) says, for an app that asks to sign a
// person in.
func (w *world) idToken(app *symbolon.App, changes ...string) map[string]any {
	w.Helper()
	a := w.connected(app, append([]string{"scope=openid"}, changes...)...)
	if a.IDToken == "" {
		w.Fatal("no ID token")
	}
	_, claims := w.claims(a.IDToken)
	return claims
}

// saidOf is what the ID token says of a person who is signed in, with nobody asked.
func (w *world) saidOf(who Actor, changes ...string) map[string]any {
	w.Helper()
	a, err := w.Authorize(w.ctx, w.request(&w.C1, append([]string{"scope=openid"}, changes...)...), who)
	w.ok(err)
	tokens, err := w.redeem(&w.C1, a.Callback.Code)
	w.ok(err)
	_, claims := w.claims(tokens.IDToken)
	return claims
}

// at is a person who signed in some time ago.
func (w *world) at(ago time.Duration, a symbolon.Account) symbolon.SignedIn {
	return symbolon.SignedIn{Account: a, Session: symbolon.Session{ID: symbolon.NewSessionID(), Account: a.ID, AuthAt: w.clock.Now().Add(-ago), ACR: ACROne}}
}

// What OpenID Connect adds to an authorization request, and what becomes of it.
func TestOpenIDRequest(t *testing.T) {
	w := newSignIns(t)
	one := Actor{Interactive: true, SignedIn: w.signedIn(w.U1)}
	refused := func(t *testing.T, want Refusal, changes ...string) {
		t.Helper()
		for _, who := range []Actor{w.allowing(), one, {Interactive: true}} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, append([]string{"scope=openid"}, changes...)...), who)
			w.redirected(err, want, uriC1, "xyz")
		}
	}
	w.run("OIDCC-3.1.2.1-c", func(t *testing.T) {
		for _, scope := range []string{"connect", "read"} {
			// All of it is ignored, even what is wrong, but how to sign in (RFC 9470).
			if a := w.connected(&w.C1, "scope="+scope, "nonce=n", "claims={", "id_token_hint=x"); a.IDToken != "" || a.Grant.ACR != "" || a.Grant.Session != (symbolon.SessionID{}) {
				t.Errorf("%s: %+v", scope, a)
			}
		}
		w.idToken(&w.C1)
	})
	w.run("OIDCC-3.1.2.1-d", func(t *testing.T) {
		for _, nonce := range []string{"", "n", strings.Repeat("n", 64), strings.Repeat("é", 192), strings.Repeat("n", 1024)} {
			if got := w.idToken(&w.C1, "nonce="+nonce)["nonce"]; got != nonce {
				t.Errorf("of %d bytes comes back %q", len(nonce), got)
			}
		}
		refused(t, InvalidRequest, "nonce="+strings.Repeat("n", 1025))
		refused(t, InvalidRequest, "nonce="+strings.Repeat("n", 1<<20))
		refused(t, InvalidRequest, "+nonce=a", "+nonce=b")
	})
	w.run("OIDCC-3.1.2.1-e", func(t *testing.T) {
		w.cannot(LoginRequired, &w.C1, Actor{Interactive: true}, "scope=openid", "prompt=none")
	})
	w.run("OIDCC-3.1.2.1-f", func(t *testing.T) {
		who := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{w.at(time.Hour, w.U1)}}
		var seen []string
		for range 2 {
			claims := w.saidOf(who, "prompt=none")
			seen = append(seen, claims["sub"].(string)+time.Unix(int64(claims["auth_time"].(float64)), 0).String()+claims["sid"].(string))
			w.clock.pass(time.Minute)
		}
		if seen[0] != seen[1] {
			t.Errorf("%q", seen)
		}
	})
	w.run("OIDCC-3.1.2.6-a", func(t *testing.T) {
		w.cannot(ConsentRequired, &w.C1, one, "scope=openid connect email", "prompt=none")
		// account_selection_required is not told apart: docs/divergences.md.
		w.cannot(LoginRequired, &w.C1, Actor{Interactive: true, SignedIn: w.signedIn(w.U1, w.U2)}, "scope=openid", "prompt=none")
	})
	w.run("OIDCC-3.1.2.1-g", func(t *testing.T) { refused(t, InvalidRequest, "prompt=none login") })
	w.run("OIDCC-3.1.2.1-h", func(t *testing.T) {
		who := Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: []symbolon.SignedIn{w.at(time.Second, w.U1)}}
		w.needs(NeedSignIn, &w.C1, who, "scope=openid", "prompt=login")
		w.clock.pass(time.Minute)
		who.SignedIn[0].Session.AuthAt = w.clock.Now()
		if claims := w.saidOf(who, "prompt=login"); claims["auth_time"] != float64(w.clock.Now().Unix()) {
			t.Errorf("auth_time %v", claims["auth_time"])
		}
	})
	w.run("OIDCC-3.1.2.1-i", func(t *testing.T) { w.needs(NeedConsent, &w.C1, one, "scope=openid", "prompt=consent") })
	w.run("OIDCC-3.1.2.1-j", func(t *testing.T) {
		w.needs(NeedChoice, &w.C1, one, "scope=openid", "prompt=select_account")
	})
	w.run("OIDCC-3.1.2.1-q", func(t *testing.T) {
		w.idToken(&w.C1, "display=popup", "ui_locales=cs en", "claims_locales=cs")
		w.idToken(&w.C1, "display=holo\"gram", "ui_locales=<>")
	})
	w.run("OIDCC-3.1.2.4-a", func(t *testing.T) {
		a := w.needs(NeedConsent, &w.C1, one, "scope=openid connect email")
		if a.New.String() != "email" {
			t.Errorf("new: %q", a.New)
		}
	})
	w.run("OIDCC-3.1.2.3-b", func(t *testing.T) {
		// U1 was there by a passkey; with prompt=login it is U2, by a password.
		first, second := w.at(time.Hour, w.U1), w.at(0, w.U2)
		first.Session.ACR = ACRPasskey
		who := Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: []symbolon.SignedIn{second, first}, Chosen: w.U2.ID, Allowed: true}
		if claims := w.saidOf(who, "prompt=login"); claims["sub"] != string(w.U2.ID) || claims["sid"] != second.Session.ID.String() || claims["acr"] != ACROne {
			t.Errorf("%v", claims)
		}
	})
}

// How old a sign-in may be.
func TestMaxAge(t *testing.T) {
	w := newSignIns(t)
	old := Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: []symbolon.SignedIn{w.at(10*time.Second, w.U1)}}
	w.run("OIDCC-3.1.2.1-k", func(t *testing.T) {
		w.needs(NeedSignIn, &w.C1, old, "scope=openid", "max_age=9")
		w.cannot(LoginRequired, &w.C1, old, "scope=openid", "max_age=9", "prompt=none")
		posted := old
		posted.Chosen, posted.Allowed = w.U1.ID, true
		w.needs(NeedSignIn, &w.C1, posted, "scope=openid", "max_age=9") // a posted form does not help
		// Signed in since it began: however long the person then thinks.
		again := Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: []symbolon.SignedIn{w.at(0, w.U1)}}
		w.clock.pass(time.Minute)
		w.isFor(w.U1.ID, &w.C1, again, "scope=openid connect", "max_age=1")
	})
	w.run("OIDCC-3.1.2.1-l", func(t *testing.T) {
		if claims := w.saidOf(old, "max_age=10000"); claims["auth_time"] != float64(old.SignedIn[0].Session.AuthAt.Unix()) {
			t.Errorf("auth_time %v", claims["auth_time"])
		}
	})
	w.run("OIDCC-3.1.2.1-m", func(t *testing.T) {
		now := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{w.at(0, w.U1)}}
		w.needs(NeedSignIn, &w.C1, now, "scope=openid", "max_age=0")
		for _, bad := range []string{"-1", "1.5", "x", "1e3", " 1", "+1", "2147483648", "99999999999999999999", "0x10"} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=openid", "max_age="+bad), w.allowing())
			w.redirected(err, InvalidRequest, uriC1, "xyz")
		}
		w.isFor(w.U1.ID, &w.C1, old, "scope=openid connect", "max_age=2147483647")
	})
	w.run("the app's own", func(t *testing.T) {
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.OpenID.DefaultMaxAge = 9 })
		w.needs(NeedSignIn, &w.C1, old, "scope=openid")
		w.isFor(w.U1.ID, &w.C1, old, "scope=openid connect", "max_age=1000")
		w.isFor(w.U1.ID, &w.C1, old, "scope=connect")
	})
}

// Whom a request is for, when the app says so: OIDCC-3.1.2.1-n, OIDCC-3.1.2.1-o,
// OIDCC-5.5-b.
func TestHintedPerson(t *testing.T) {
	w := newSignIns(t)
	tokens := w.connected(&w.C1, "scope=openid connect")
	hint := "id_token_hint=" + tokens.IDToken
	u1, u2 := w.at(time.Hour, w.U1), w.at(time.Hour, w.U2)
	w.ok(w.store.Allow(w.ctx, symbolon.Consent{Account: w.U2.ID, Client: w.C1.ID, Scope: symbolon.Scopes{"openid"}, GrantedAt: w.clock.Now()}))
	named := func(member, id string) string { return `claims={"` + member + `":{"sub":{"value":"` + id + `"}}}` }
	for _, about := range []string{hint, named("id_token", string(w.U1.ID)), named("userinfo", string(w.U1.ID))} {
		other := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{u2}}
		w.cannot(LoginRequired, &w.C1, other, "scope=openid", "prompt=none", about)
		w.needs(NeedSignIn, &w.C1, other, "scope=openid", about)
		other.Chosen, other.Allowed = w.U2.ID, true
		w.needs(NeedSignIn, &w.C1, other, "scope=openid", about)
		// Both are there: it is for the one, and no choice is offered.
		w.isFor(w.U1.ID, &w.C1, Actor{Interactive: true, SignedIn: []symbolon.SignedIn{u2, u1}}, "scope=openid connect", "prompt=none", about)
		// Another person signs in: told, not asked in circles.
		fresh := w.at(0, w.U2)
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=openid", about), Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: []symbolon.SignedIn{fresh}})
		w.redirected(err, LoginRequired, uriC1, "xyz")
		// In another tab of a browser where the right one is signed in, it is no matter.
		w.isFor(w.U1.ID, &w.C1, Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: []symbolon.SignedIn{fresh, u1}}, "scope=openid connect", about)
	}
	u1s, u2s := named("id_token", string(w.U1.ID)), named("id_token", string(w.U2.ID))
	good := func(changes ...string) {
		t.Helper()
		w.isFor(w.U1.ID, &w.C1, Actor{Interactive: true, SignedIn: []symbolon.SignedIn{u1}}, append([]string{"scope=openid connect", "prompt=none"}, changes...)...)
	}
	good(hint, u1s)
	w.clock.pass(24 * time.Hour) // long expired
	good(hint)
	good("id_token_hint=" + w.connected(&w.C2, "scope=openid connect").IDToken) // another app's

	// OIDCC-3.1.2.1-o: what is none, or not ours, is refused.
	parts := strings.Split(tokens.IDToken, ".")
	encode := func(v any) string { b, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(b) }
	sign := func(typ string, claims map[string]any) string {
		text, err := w.cfg.Signing.Sign(typ, "ES256", claims, w.clock.Now())
		w.ok(err)
		return text
	}
	own := map[string]any{"iss": w.cfg.Issuer, "sub": string(w.U1.ID), "aud": string(w.C1.ID)}
	good("id_token_hint=" + sign(TypeIDToken, own))
	stranger := newSignIns(t)
	for name, bad := range map[string]string{
		"rubbish":                "x",
		"no signature":           parts[0] + "." + parts[1] + ".",
		"another's signature":    parts[0] + "." + parts[1] + "." + strings.Split(stranger.connected(&stranger.C1, "scope=openid").IDToken, ".")[2],
		"alg none":               encode(map[string]any{"alg": "none", "typ": "JWT"}) + "." + parts[1] + ".",
		"other claims":           parts[0] + "." + encode(own) + "." + parts[2],
		"another server's":       stranger.connected(&stranger.C1, "scope=openid").IDToken,
		"another issuer":         sign(TypeIDToken, map[string]any{"iss": "https://evil.test", "sub": string(w.U1.ID)}),
		"no issuer":              sign(TypeIDToken, map[string]any{"sub": string(w.U1.ID)}),
		"no sub":                 sign(TypeIDToken, map[string]any{"iss": w.cfg.Issuer}),
		"a sub that is a list":   sign(TypeIDToken, map[string]any{"iss": w.cfg.Issuer, "sub": []string{string(w.U1.ID)}}),
		"a JWT access token":     sign("at+jwt", own),
		"a logout token":         sign("logout+jwt", own),
		"a signed userinfo":      sign("userinfo+jwt", own),
		"a sealed access token":  tokens.AccessToken,
		"a sealed refresh token": tokens.RefreshToken,
	} {
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=openid", "id_token_hint="+bad), Actor{Interactive: true, SignedIn: []symbolon.SignedIn{u1}})
		if e := new(Error); !errors.As(err, &e) || e.Refusal != InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=openid", hint, u2s), w.allowing())
	w.redirected(err, InvalidRequest, uriC1, "xyz") // two people
}

// The parameter claims, and acr.
func TestClaimsParameter(t *testing.T) {
	w := newSignIns(t)
	one := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{w.at(time.Hour, w.U1)}}
	w.run("OIDCC-5.5-a", func(t *testing.T) {
		for _, bad := range []string{
			"{", "[]", "null", `""`, "1", `{"id_token":[]}`, `{"id_token":{"email":1}}`, `{"id_token":{"email":{"essential":"yes"}}}`,
			`{"id_token":{"sub":{"value":5}}}`, `{"id_token":{"acr":{"essential":true,"values":[5]}}}`, `{"id_token":{"sub":{"values":["a","b"]}}}`,
			`{"id_token":{"email":null},"id_token":{}}`, `{"id_token":{"email":null,"email":{"essential":true}}}`, `{"id_token":{"acr":{"values":"1"}}}`,
			`{"userinfo":{"sub":{"value":"a"}},"id_token":{"sub":{"value":"b"}}}`,
			strings.Repeat(`{"id_token":`, 2000), strings.Repeat("[", 7000),
		} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=openid", "claims="+bad), w.allowing())
			w.redirected(err, InvalidRequest, uriC1, "xyz")
		}
		// An essential claim that is not known, or whose scope the app may not have, is left out.
		got := w.idToken(&w.C1, `claims={"id_token":{"email":{"essential":true},"hair":{"essential":true},"phone_number":null,"given_name":null},"userinfo":{"name":null},"other":5}`)
		if got["named"] != "email given_name" || got["person"] != true {
			t.Errorf("%v", got)
		}
		// Many that are not known cost nothing later.
		var many strings.Builder
		for i := range 200 {
			many.WriteString(`,"x` + strings.Repeat("y", i%9) + string(rune('a'+i%26)) + time.Duration(i).String() + `":null`)
		}
		if got := w.idToken(&w.C1, `claims={"id_token":{"email":null`+many.String()+`}}`); got["named"] != "email" {
			t.Errorf("%v", got)
		}
	})
	t.Run("named claims need the consent of their scopes", func(t *testing.T) {
		w := newSignIns(t)
		one := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{w.at(time.Hour, w.U1)}}
		a := w.needs(NeedConsent, &w.C1, one, "scope=openid connect", `claims={"userinfo":{"email":null}}`)
		if a.New.String() != "email" || a.Scope.String() != "openid connect email" {
			t.Errorf("the page shows %q, of which %q is new", a.Scope, a.New)
		}
		w.cannot(ConsentRequired, &w.C1, one, "scope=openid connect", "prompt=none", `claims={"id_token":{"email":null}}`)
		allowing := one
		allowing.Chosen, allowing.Allowed = w.U1.ID, true
		w.isFor(w.U1.ID, &w.C1, allowing, "scope=openid connect", `claims={"userinfo":{"email":null}}`)
		w.isFor(w.U1.ID, &w.C1, one, "scope=openid connect", "prompt=none", `claims={"id_token":{"email":null}}`)
	})
	w.run("what the owner took from the app is told no more", func(t *testing.T) {
		a := w.connected(&w.C1, "scope=openid", `claims={"id_token":{"email":null},"userinfo":{"email":null}}`)
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"connect", "read", "openid"} })
		_, claims := w.claims(w.refreshed(&w.C1, a.RefreshToken).IDToken)
		if claims["named"] != "" || claims["person"] != false {
			t.Errorf("%v", claims)
		}
		u, err := w.Userinfo(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		if _, named := NamedClaims(u.App, &u.Grant); len(named) != 0 {
			t.Errorf("%q", named)
		}
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = w.C1.Scope })
	})
	w.run("OIDCC-3.1.2.1-r", func(t *testing.T) {
		for _, change := range []string{"acr_values=2 phr", "acr_values=x", `claims={"id_token":{"acr":{"value":"phr"}}}`, `claims={"id_token":{"acr":{"essential":true}}}`, `claims={"id_token":{"acr":{"essential":true,"values":["x","1"]}}}`} {
			if got := w.idToken(&w.C1, change); got["acr"] != ACROne {
				t.Errorf("%s: acr %v", change, got["acr"])
			}
		}
	})
	w.run("OIDCC-5.5.1.1-a", func(t *testing.T) {
		const must = `claims={"id_token":{"acr":{"essential":true,"values":["phr"]}}}`
		w.needs(NeedSignIn, &w.C1, one, "scope=openid", must)
		w.cannot(LoginRequired, &w.C1, one, "scope=openid", "prompt=none", must)
		// The person signed in, by no more than a password: told, and not asked again for ever.
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=openid", must), Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: []symbolon.SignedIn{w.at(0, w.U1)}})
		w.redirected(err, UnmetAuthentication, uriC1, "xyz")
		strong := one
		strong.SignedIn = slices.Clone(one.SignedIn)
		strong.SignedIn[0].Session.ACR = ACRPasskey
		w.isFor(w.U1.ID, &w.C1, strong, "scope=openid connect", must)
	})
}

// An ID token comes with the tokens, or nothing does and nothing is spent.
func TestIDTokenFailures(t *testing.T) {
	w := newSignIns(t)
	const named = `claims={"id_token":{"email":null}}`
	t.Run("the store cannot say who it is", func(t *testing.T) {
		code := w.code(&w.C1, "scope=openid", named)
		w.store.FailNext("Accounts", storetest.Lost)
		_, err := w.redeem(&w.C1, code)
		w.refused(err, Unavailable)
		a, err := w.redeem(&w.C1, code) // nothing was spent
		w.ok(err)
		w.store.FailNext("Accounts", storetest.Lost)
		_, err = w.refresh(&w.C1, a.RefreshToken)
		w.refused(err, Unavailable)
		if row := w.row(a); row.Seq != 0 || !row.EndedAt.IsZero() {
			t.Errorf("%+v", row)
		}
		if b := w.refreshed(&w.C1, a.RefreshToken); b.IDToken == "" {
			t.Error("no ID token after it")
		}
	})
	t.Run("OIDCC-2-e", func(t *testing.T) {
		// There is no key for what the app wants: found before a person is asked, and
		// before anything is spent.
		for _, algorithm := range []string{"RS256", "none", "HS256", "es256", "EdDSA"} {
			code := w.code(&w.C1, "scope=openid")
			a := w.connected(&w.C1, "scope=openid connect")
			w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.OpenID.IDTokenSigning = algorithm })
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=openid"), Actor{Interactive: true})
			w.redirected(err, ServerError, uriC1, "xyz")
			_, err = w.redeem(&w.C1, code)
			w.refused(err, ServerError)
			_, err = w.refresh(&w.C1, a.RefreshToken)
			w.refused(err, ServerError)
			w.connected(&w.C1, "scope=connect") // what has none needs no key
			w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.OpenID.IDTokenSigning = "ES256" })
			if b, err := w.redeem(&w.C1, code); err != nil || b.IDToken == "" {
				t.Errorf("%s: the code was spent: %v", algorithm, err)
			}
			w.refreshed(&w.C1, a.RefreshToken)
		}
	})
}

// OIDCC-12.2-a: a refresh says who it is, when they signed in, and no nonce.
func TestRefreshedIDToken(t *testing.T) {
	w := newSignIns(t)
	a := w.connected(&w.C1, "scope=openid connect", "nonce=n")
	_, first := w.claims(a.IDToken)
	w.clock.pass(time.Hour)
	b := w.refreshed(&w.C1, a.RefreshToken)
	_, second := w.claims(b.IDToken)
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "acr", "sid"} {
		if first[name] != second[name] {
			t.Errorf("%s was %v and is %v", name, first[name], second[name])
		}
	}
	if second["nonce"] != "" || second["iat"].(float64) != first["iat"].(float64)+3600 || second["at"] != b.AccessToken {
		t.Errorf("%v", second)
	}
	if c := w.refreshed(&w.C1, b.RefreshToken, "scope=connect"); c.IDToken != "" {
		t.Error("a narrowed refresh has an ID token without its scope")
	}
}

// A device that asks for openid gets an ID token as well; what has no person, none.
func TestIDTokenByGrant(t *testing.T) {
	w := newSignIns(t, func(c *Config) { c.Resources = []Resource{{URI: r1, Scopes: symbolon.Scopes{"read"}}} })
	// The token is for an API, at which openid means nothing.
	b := w.connected(&w.C1, "scope=openid read", "resource="+r1)
	if b.Grant.Scope.String() != "read" || b.IDToken == "" {
		t.Errorf("for an API: scope %q, ID token %t", b.Grant.Scope, b.IDToken != "")
	}
	if b = w.refreshed(&w.C1, b.RefreshToken); b.IDToken == "" {
		t.Error("for an API: no ID token after a refresh")
	}
	for _, a := range []*symbolon.App{&w.C1, &w.P1} {
		w.edit(a.ID, func(a *symbolon.App) {
			a.Settings.Grants = []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantRefresh, symbolon.GrantDevice}
			if !a.Public {
				a.Settings.Grants = append(a.Settings.Grants, symbolon.GrantClient)
			}
		})
	}
	a, err := w.poll(&w.P1, w.allowed(&w.P1, "scope=openid"))
	w.ok(err)
	if _, claims := w.claims(a.IDToken); claims["sub"] != string(w.U1.ID) || claims["aud"] != string(w.P1.ID) || claims["acr"] != ACROne || claims["nonce"] != "" {
		t.Errorf("%v", claims)
	}
	a, err = w.own(&w.C1, "scope=openid")
	w.ok(err)
	if a.IDToken != "" {
		t.Error("an ID token for nobody")
	}
	_, err = w.Userinfo(w.ctx, Bearer(a.AccessToken))
	w.refused(err, InvalidToken)
}

// Whose token it is, at userinfo.
func TestUserinfo(t *testing.T) {
	w := newSignIns(t, func(c *Config) { c.Resources = []Resource{{URI: r1}, {URI: r2, Token: symbolon.TokenJWT}} })
	w.run("OIDCC-5.3.2-a", func(t *testing.T) {
		a := w.connected(&w.C1, "scope=openid email")
		u, err := w.Userinfo(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		if _, claims := w.claims(a.IDToken); u.Subject != claims["sub"] || u.Account.ID != w.U1.ID || u.App.ID != w.C1.ID {
			t.Errorf("%+v, %v", u, claims)
		}
	})
	w.run("OIDCC-5.3.3-a", func(t *testing.T) {
		_, err := w.Userinfo(w.ctx, Shown{})
		w.refused(err, MissingToken)
		_, err = w.Userinfo(w.ctx, Bearer(w.connected(&w.C1, "scope=connect email").AccessToken))
		if e := w.refused(err, InsufficientScope); e.Scope.String() != "openid" {
			t.Errorf("the scope %q is said to be missing", e.Scope)
		}
		a := w.connected(&w.C1, "scope=openid")
		w.clock.pass(time.Hour)
		_, err = w.Userinfo(w.ctx, Bearer(a.AccessToken))
		w.refused(err, InvalidToken)
	})
	w.run("OIDCC-5.3-b", func(t *testing.T) {
		a := w.connected(&w.C1, "scope=openid connect")
		for _, text := range []string{a.IDToken, a.RefreshToken, w.code(&w.C1, "scope=openid")} {
			_, err := w.Userinfo(w.ctx, Bearer(text))
			w.refused(err, InvalidToken)
			_, err = w.Info(w.ctx, Bearer(text))
			w.refused(err, InvalidToken)
		}
		for _, api := range []string{r1, r2} {
			_, err := w.Userinfo(w.ctx, Bearer(w.connected(&w.C1, "scope=openid", "resource="+api).AccessToken))
			w.refused(err, InvalidToken)
		}
		// Nor is an ID token a code, or one to refresh with.
		_, err := w.redeem(&w.C1, a.IDToken)
		w.refused(err, InvalidGrant)
		_, err = w.refresh(&w.C1, a.IDToken)
		w.refused(err, InvalidGrant)
	})
	w.run("OIDCC-5.3-a", func(t *testing.T) {
		a, b := w.connected(&w.C1, "scope=openid"), w.connected(&w.C2, "scope=openid")
		w.store.FailNext("Accounts", storetest.Lost)
		_, err := w.Userinfo(w.ctx, Bearer(a.AccessToken))
		w.refused(err, Unavailable) // never a refusal
		w.end(symbolon.End{Connection: a.Grant.Connection})
		_, err = w.Userinfo(w.ctx, Bearer(a.AccessToken))
		w.refused(err, InvalidToken)
		_, err = w.Userinfo(w.ctx, Bearer(b.AccessToken))
		w.ok(err)
		// Disabled, and the node has not heard of it: the account itself says so.
		account := w.account(w.U1.ID)
		account.DisabledAt = w.clock.Now()
		w.ok(w.store.PutAccount(w.ctx, account))
		_, err = w.Userinfo(w.ctx, Bearer(b.AccessToken))
		w.refused(err, InvalidToken)
	})
}

// OIDCC-8.1-a: one name a sector, which says nothing of the account.
func TestPairwiseSubjects(t *testing.T) {
	w := newSignIns(t)
	sub := func(app *symbolon.App) string {
		t.Helper()
		return w.idToken(app)["sub"].(string)
	}
	public := sub(&w.C1)
	for _, a := range []symbolon.App{w.C1, w.C2, w.P1} {
		w.edit(a.ID, func(a *symbolon.App) { a.Settings.OpenID.Pairwise, a.Settings.OpenID.Sector = true, "one.test" })
	}
	w.edit(w.P1.ID, func(a *symbolon.App) { a.Settings.OpenID.Sector = "two.test" })
	one, two, other := sub(&w.C1), sub(&w.C2), sub(&w.P1)
	if one != two || one == other || one == public || public != string(w.U1.ID) || len(one) != 40 {
		t.Errorf("%s, %s, %s, public %s", one, two, other, public)
	}
	if app := w.app(w.C1.ID); w.SubjectOf(&app, w.U2.ID) == one {
		t.Error("two people have one name")
	}
	u, err := w.Userinfo(w.ctx, Bearer(w.connected(&w.C1, "scope=openid").AccessToken))
	w.ok(err)
	if u.Subject != one {
		t.Errorf("userinfo says %s", u.Subject)
	}
	if said := w.told(&w.C1, w.connected(&w.C1, "scope=openid").AccessToken); said["sub"] != one || said["username"] != nil {
		t.Errorf("introspection says %v", said)
	}
	// Whom the app asks for, it asks for by the name that it knows.
	who := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{w.at(time.Hour, w.U1)}}
	w.isFor(w.U1.ID, &w.C1, who, "scope=openid connect", "prompt=none", `claims={"id_token":{"sub":{"value":"`+one+`"}}}`)
	w.cannot(LoginRequired, &w.C1, who, "scope=openid", "prompt=none", `claims={"id_token":{"sub":{"value":"`+public+`"}}}`)
	w.cannot(LoginRequired, &w.C1, who, "scope=openid", "prompt=none", `claims={"id_token":{"sub":{"value":"`+other+`"}}}`)
	// Another server's key makes others.
	if before := w.cfg.PairwiseKey; before != [32]byte{} {
		w.cfg.PairwiseKey[0]++
		w.start()
		if sub(&w.C1) == one {
			t.Error("the key does not matter")
		}
	}
}

// An API caller in the sandbox is asked nothing, and still gets no other's code.
func TestSandboxSignIns(t *testing.T) {
	w := newSignIns(t)
	w.cfg.Sandbox, w.cfg.SandboxAccount = true, w.U1.ID
	for _, u := range []symbolon.Account{w.U1, w.U2} {
		u = w.account(u.ID)
		u.Sandbox = true
		w.ok(w.store.PutAccount(w.ctx, u))
	}
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Sandbox = true })
	w.start()
	sub := func(id symbolon.AccountID) string {
		return `claims={"id_token":{"sub":{"value":"` + string(id) + `"}}}`
	}
	for range 2 { // the second time from memory
		w.isFor(w.U1.ID, &w.C1, Actor{}, "scope=openid connect")
		w.isFor(w.U2.ID, &w.C1, Actor{}, "scope=openid connect", sub(w.U2.ID))
		w.isFor(w.U1.ID, &w.C1, Actor{}, "scope=openid connect", sub(w.U1.ID))
	}
	w.cannot(LoginRequired, &w.C1, Actor{}, "scope=openid", sub(symbolon.NewAccountID()))
	w.cannot(LoginRequired, &w.C1, Actor{}, "scope=openid", sub(w.U2.ID), "login_hint=jane")
	w.cannot(LoginRequired, &w.C1, Actor{}, "scope=openid", `claims={"id_token":{"acr":{"essential":true,"value":"phr"}}}`)
}

// FuzzClaims: whatever is sent, only what the app may be told is named, in one
// spelling that reads back.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"id_token":{"email":null,"sub":{"value":"x"}},"userinfo":{"name":{"essential":true}}}`,
		`{"id_token":{"acr":{"essential":true,"values":["1","2"]}}}`, `{"id_token":{"address":{}}}`, `{"id_token":null}`, "[[[[", `{"userinfo":{"sub":{"values":[]}}}`,
	} {
		f.Add(seed)
	}
	app := &symbolon.App{Scope: symbolon.Scopes{"openid", "email"}}
	f.Fuzz(func(t *testing.T, text string) {
		w := wish{maxAge: -1}
		if err := w.readClaims(text, app); err != nil {
			checkDescription(t, storeError(err).Description)
			return
		}
		idToken, userinfo := NamedClaims(app, &symbolon.Grant{Claims: w.claims.String()})
		if !slices.Equal(idToken, w.claims.idToken) || !slices.Equal(userinfo, w.claims.userinfo) {
			t.Errorf("%q becomes %q and %q", w.claims, idToken, userinfo)
		}
		for _, name := range slices.Concat(idToken, userinfo) {
			if scope := claimScopes[name]; scope != "" && scope != "email" {
				t.Errorf("%s is told without its scope", name)
			}
		}
		if len(w.claims.String()) > 600 {
			t.Errorf("%+v", w)
		}
	})
}

// OIDCC-6.1-a: what a signed request says of the person counts, whatever stands
// beside it; what cannot be processed is refused and never passed over.
func TestRequestObjectSignsIn(t *testing.T) {
	w := newSignIns(t)
	J1, key := w.newJ1(func(a *symbolon.App) {
		a.Scope = append(a.Scope, "openid", "email")
		a.Settings.OpenID.IDTokenSigning = "ES256"
	})
	ask := func(changes claimsOf, beside ...string) *AuthorizeRequest {
		return w.byObject(&J1, key.sign(t, nil, w.objectOf(&J1).with(claimsOf{"scope": "openid connect", "nonce": "inside"}).with(changes)), beside...)
	}
	who := Actor{Interactive: true, SignedIn: []symbolon.SignedIn{w.at(10*time.Second, w.U1)}, Chosen: w.U1.ID, Allowed: true}
	answer, err := w.Authorize(w.ctx, ask(claimsOf{"claims": map[string]any{"id_token": map[string]any{"email": nil}}, "max_age": 100}, "nonce=beside", "max_age=1"), who)
	w.ok(err)
	if answer.Need != NeedNothing || !answer.Scope.Has("email") {
		t.Fatalf("needs %d for %q", answer.Need, answer.Scope)
	}
	var code symbolon.Code
	w.ok(w.Engine.open(seal.Code, answer.Callback.Code, &code, w.clock.Now()))
	if code.Nonce != "inside" || code.Claims != "email/" {
		t.Errorf("nonce %q, claims %q", code.Nonce, code.Claims)
	}
	answer, err = w.Authorize(w.ctx, ask(claimsOf{"max_age": 5}), who)
	w.ok(err)
	if answer.Need != NeedSignIn {
		t.Errorf("needs %d", answer.Need)
	}
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	// Never passed over, and told to the app where it can be.
	unsigned, there := part(`{"alg":"none"}`)+"."+part(`{"client_id":"sym_app_j1"}`)+".", "request_uri=https://j1.test/request"
	_, err = w.Authorize(w.ctx, w.byObject(&J1, unsigned), who)
	w.page(err, RequestNotSupported)
	_, err = w.Authorize(w.ctx, w.byObject(&J1, unsigned, "redirect_uri=https://j1.test/cb", "state=xyz"), who)
	w.redirected(err, RequestNotSupported, "https://j1.test/cb", "xyz")
	_, err = w.Authorize(w.ctx, w.reference("client_id="+string(J1.ID), there), who)
	w.page(err, RequestURINotSupported)
	_, err = w.Authorize(w.ctx, w.reference("client_id="+string(J1.ID), there, "redirect_uri=https://evil.test/cb"), who)
	w.page(err, RequestURINotSupported)
	_, err = w.Authorize(w.ctx, w.reference("client_id="+string(J1.ID), there, "redirect_uri=https://j1.test/cb", "state=xyz"), who)
	w.redirected(err, RequestURINotSupported, "https://j1.test/cb", "xyz")
	// An app that must sign has sent what is wrong, not what there is none of.
	for _, change := range []func(*symbolon.Settings){func(s *symbolon.Settings) { s.RequireSigned = true }, func(s *symbolon.Settings) { s.RequestSigning = "ES256" }} {
		w.edit(J1.ID, func(a *symbolon.App) {
			a.Settings.RequireSigned, a.Settings.RequestSigning = false, ""
			change(&a.Settings)
		})
		_, err = w.Authorize(w.ctx, w.byObject(&J1, unsigned), who)
		w.page(err, InvalidRequestObject)
	}
}

// OIDCC-5.7-a: whoever takes a username after its owner was deleted is somebody else.
func TestSubjectIsNeverGivenAgain(t *testing.T) {
	w := newSignIns(t)
	before := w.idToken(&w.C1)["sub"]
	w.clock.pass(time.Second)
	w.end(symbolon.End{Account: w.U1.ID, Delete: true})
	w.clock.pass(time.Second)
	w.U1 = w.newAccount("jane", "Jane Doe")
	w.clock.pass(time.Second)
	if after := w.idToken(&w.C1)["sub"]; after == before || after != string(w.U1.ID) {
		t.Errorf("sub was %v and is %v", before, after)
	}
}
