package oauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

func TestRevoke(t *testing.T) {
	w := newWide(t)
	w.run("RFC7009-2.1-a", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		for _, token := range []string{a.AccessToken, a.RefreshToken, "nonsense"} {
			w.refused(w.revoke(&w.C1, token, "client_secret=wrong"), InvalidClient)
			w.refused(w.revoke(&w.C1, token, "-client_secret"), InvalidClient)
			w.refused(w.revoke(&w.C1, token, "client_id=sym_app_nope"), UnknownClient)
			w.refused(w.revoke(&w.C1, token, "-client_id", "-client_secret"), InvalidClient)
			w.refused(w.revoke(&w.C1, token, "-client_id"), InvalidRequest)
		}
		w.alive(a)
		// A public app is who it says it is; what it revokes must be its own.
		p := w.redeemed(&w.P1, nil)
		w.refused(w.revoke(&w.P1, a.RefreshToken), InvalidGrant)
		w.ok(w.revoke(&w.P1, p.RefreshToken))
		w.dead(p)
		w.alive(a)
	})
	w.run("RFC7009-2.2-a", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		for _, token := range []string{"nonsense", "sym_at_x", "sym_rt_x", "eyJx", a.AccessToken[:30], a.RefreshToken + "x", w.code(&w.C1)} {
			w.ok(w.revoke(&w.C1, token))
		}
		w.alive(a)
		for range 3 {
			w.ok(w.revoke(&w.C1, a.AccessToken))
			w.ok(w.revoke(&w.C1, a.RefreshToken))
		}
		b := w.redeemed(&w.C1, nil)
		w.clock.pass(time.Hour) // the access token has expired; its connection ends all the same
		w.ok(w.revoke(&w.C1, b.AccessToken))
		_, err := w.refresh(&w.C1, b.RefreshToken)
		w.refused(err, InvalidGrant)
	})
	for _, id := range []string{"RFC7009-2.1-b", "B46"} {
		w.run(id, func(t *testing.T) {
			a := w.redeemed(&w.C1, nil)
			j := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r2})
			for _, token := range []string{a.AccessToken, a.RefreshToken, j.AccessToken, j.RefreshToken} {
				for _, other := range []*symbolon.App{&w.C2, &w.P1, &w.R1, &w.R2} {
					if other.Public {
						w.refused(w.revoke(other, token), InvalidGrant)
						continue
					}
					w.refused(w.revoke(other, token), InvalidGrant)
				}
			}
			w.alive(a)
			w.refreshed(&w.C1, a.RefreshToken)
			if !w.active(&w.R2, j.AccessToken) {
				t.Error("it is dead")
			}
		})
	}
	w.run("RFC7009-2.1-c", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		nodes := w.nodes()
		_, err := nodes[0].Revoke(w.ctx, w.query(&w.C1, a.RefreshToken))
		w.ok(err)
		_, err = nodes[1].Refresh(w.ctx, w.calling(&w.C1, "refresh_token="+a.RefreshToken))
		w.refused(err, InvalidGrant)
		time.Sleep(w.cfg.withDefaults().FeedBound + 10*time.Millisecond) // D of DESIGN 4
		said, err := nodes[1].Introspect(w.ctx, w.query(&w.C1, a.AccessToken))
		w.ok(err)
		if !bytes.Equal(said.Body, inactive) {
			t.Errorf("another node says %s", said.Body)
		}
		w.dead(a) // and this one at once
	})
	w.run("RFC7009-2.1-d", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		b := w.refreshed(&w.C1, a.RefreshToken)
		w.ok(w.revoke(&w.C1, b.RefreshToken))
		for _, token := range []string{a.AccessToken, b.AccessToken, a.RefreshToken, b.RefreshToken} {
			if w.active(&w.C1, token) {
				t.Error("something of the grant lives")
			}
		}
	})
	w.run("RFC7009-2.1-e", func(t *testing.T) {
		// docs/divergences.md: the whole connection, as at step 6.
		a := w.redeemed(&w.C1, nil)
		w.ok(w.revoke(&w.C1, a.AccessToken))
		_, err := w.refresh(&w.C1, a.RefreshToken)
		w.refused(err, InvalidGrant)
		if row := w.row(a); row.EndedBy != symbolon.ByApp {
			t.Errorf("ended: %s", row.EndedBy)
		}
	})
	w.run("RFC7009-2.1-f", func(t *testing.T) {
		for _, hint := range []string{"access_token", "refresh_token", "pizza", ""} {
			a := w.redeemed(&w.C1, nil)
			w.ok(w.revoke(&w.C1, a.RefreshToken, "token_type_hint="+hint))
			w.dead(a)
			b := w.redeemed(&w.C1, nil)
			w.ok(w.revoke(&w.C1, b.AccessToken, "token_type_hint="+hint))
			w.dead(b)
		}
	})
	w.run("RFC7009-2.2.1-a", func(t *testing.T) {
		for _, fault := range storetest.Faults {
			for _, own := range []bool{false, true} {
				app, a := &w.C1, w.redeemed(&w.C1, nil)
				if own {
					app = &w.M1
					var err error
					a, err = w.own(app)
					w.ok(err)
				}
				w.store.FailNext("End", fault)
				if e := w.refused(w.revoke(app, a.AccessToken), Unavailable); e.RetryAfter <= 0 {
					t.Errorf("%s: no time to try again", fault)
				}
				w.ok(w.revoke(app, a.AccessToken)) // the same request again
				if w.active(app, a.AccessToken) {
					t.Errorf("%s: it lives", fault)
				}
			}
		}
	})
	w.run("RFC7009-2-a", func(t *testing.T) {
		w.refused(w.revoke(&w.C1, ""), InvalidRequest)
		w.refused(w.revoke(&w.C1, "", "-token"), InvalidRequest)
		for _, name := range tokenQueryNames { // B68, RFC6749-3.2-c
			w.refused(w.revoke(&w.C1, "x", name+"=a", "+"+name+"=b"), InvalidRequest)
			w.refused(w.revoke(&w.C1, "x", "-"+name, "%"+name+"=%00"), InvalidRequest)
		}
	})
	w.run("RFC7009-2.1-g", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		b := w.refreshed(&w.C1, a.RefreshToken)
		c := w.refreshed(&w.C1, b.RefreshToken)
		w.ok(w.revoke(&w.C1, a.RefreshToken))
		_, err := w.refresh(&w.C1, c.RefreshToken)
		w.refused(err, InvalidGrant)
		w.dead(c)
	})
}

func TestIntrospect(t *testing.T) {
	w := newWide(t)
	w.run("RFC7662-2.1-a", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		for change, want := range map[string]Refusal{"client_secret=wrong": InvalidClient, "-client_secret": InvalidClient, "client_id=sym_app_nope": UnknownClient} {
			_, err := w.Introspect(w.ctx, w.query(&w.C1, a.AccessToken, change))
			w.refused(err, want)
		}
		_, err := w.Introspect(w.ctx, w.query(&w.C1, a.AccessToken, "-client_id", "-client_secret"))
		w.refused(err, InvalidClient)
		_, err = w.Introspect(w.ctx, w.query(&w.P1, a.AccessToken)) // it cannot prove itself
		w.refused(err, InvalidClient)
		_, err = w.Introspect(w.ctx, w.query(&w.C1, ""))
		w.refused(err, InvalidRequest)
	})
	w.run("RFC7662-2.2-a", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		ended := w.redeemed(&w.C1, nil)
		w.ok(w.revoke(&w.C1, ended.AccessToken))
		foreign := w.redeemed(&w.C2, []string{"-resource"})
		for what, token := range map[string]string{
			"unknown": "nonsense", "ended": ended.AccessToken, "an ended refresh token": ended.RefreshToken, "foreign": foreign.AccessToken, "a foreign refresh token": foreign.RefreshToken,
			"a code": w.code(&w.C1), "changed": a.AccessToken[:20] + "." + a.AccessToken[21:], "a broken JWT": "eyJ.x.y",
		} {
			answer, err := w.Introspect(w.ctx, w.query(&w.C1, token))
			w.ok(err)
			if string(answer.Body) != `{"active":false}` || answer.Grant.Client != "" {
				t.Errorf("%s: %s", what, answer.Body)
			}
		}
	})
	w.run("RFC7662-2.2-b", func(t *testing.T) {
		for name, event := range map[string]func(w *wide, a *TokenResponse){
			"it expired":              func(w *wide, _ *TokenResponse) { w.clock.pass(10 * time.Minute) },
			"step 6":                  func(w *wide, a *TokenResponse) { _, err := w.Invalidate(w.ctx, Bearer(a.AccessToken)); w.ok(err) },
			"the account is disabled": func(w *wide, _ *TokenResponse) { w.disable(w.U1.ID) },
			"the account is deleted":  func(w *wide, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID, Delete: true}) },
			"all of the account":      func(w *wide, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID}) },
			"all of the app":          func(w *wide, _ *TokenResponse) { w.end(symbolon.End{Client: w.C1.ID}) },
			"the app is deleted":      func(w *wide, _ *TokenResponse) { w.end(symbolon.End{Client: w.C1.ID, Delete: true}) },
			"the consent":             func(w *wide, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID}) },
			"a replay": func(w *wide, a *TokenResponse) {
				w.refreshed(&w.C1, w.refreshed(&w.C1, a.RefreshToken).RefreshToken)
				_, err := w.refresh(&w.C1, a.RefreshToken)
				w.refused(err, InvalidGrant)
			},
		} {
			for _, resource := range []string{r1, r2} {
				w := newWide(t)
				api := map[string]*symbolon.App{r1: &w.R1, r2: &w.R2}[resource]
				a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + resource})
				if !w.active(api, a.AccessToken) || !w.active(&w.C1, a.RefreshToken) {
					t.Fatalf("%s: not active before", name)
				}
				w.clock.pass(time.Second)
				event(w, a)
				if w.active(api, a.AccessToken) {
					t.Errorf("%s, and the access token is active", name)
				}
				if answer, err := w.Introspect(w.ctx, w.query(&w.C1, a.RefreshToken)); err == nil && name != "it expired" && !bytes.Equal(answer.Body, inactive) {
					t.Errorf("%s, and the refresh token is active", name)
				}
			}
		}
	})
	w.run("RFC7662-2.2-c", func(t *testing.T) {
		for _, resource := range []string{r1, r2} {
			a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + resource})
			asker := map[string]*symbolon.App{r1: &w.R1, r2: &w.R2}[resource]
			said := w.told(asker, a.AccessToken)
			now := float64(w.clock.Now().Unix())
			for name, want := range map[string]any{
				"client_id": string(w.C1.ID), "sub": string(w.U1.ID), "scope": "connect", "iss": w.cfg.Issuer, "aud": resource, "token_type": "Bearer",
				"iat": now, "exp": now + 600, "auth_time": now - 1, "cnf": nil, "act": nil, "authorization_details": nil,
			} {
				if said[name] != want {
					t.Errorf("%s is %v, want %v", name, said[name], want)
				}
			}
			if resource == r1 && said["username"] != w.U1.Name || said["jti"] == nil || said["jti"] == a.AccessToken {
				t.Errorf("%v", said)
			}
			if again := w.told(&w.C1, a.AccessToken); again["jti"] != said["jti"] {
				t.Error("one token has two names")
			}
			if _, claims := map[bool]func() (map[string]any, map[string]any){true: func() (map[string]any, map[string]any) { return w.claims(a.AccessToken) }, false: func() (map[string]any, map[string]any) { return nil, said }}[resource == r2](); claims["jti"] != said["jti"] {
				t.Error("the jti of the JWT is another")
			}
		}
	})
	for _, id := range []string{"RFC7662-4-a", "B47"} {
		w.run(id, func(t *testing.T) {
			a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1})
			own := w.redeemed(&w.C1, nil)
			j := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r2})
			both := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1, "+resource=" + r2})
			for _, tt := range []struct {
				app  *symbolon.App
				want [4]bool // of a, own, j, both
			}{{&w.C1, [4]bool{true, true, true, true}}, {&w.R1, [4]bool{true, false, false, true}}, {&w.R2, [4]bool{false, false, true, true}}, {&w.C2, [4]bool{}}, {&w.M1, [4]bool{}}} {
				for i, token := range []*TokenResponse{a, own, j, both} {
					if got := w.active(tt.app, token.AccessToken); got != tt.want[i] {
						t.Errorf("%s asks about token %d: active %v", tt.app.Name, i, got)
					}
				}
			}
			// An API for what names no resource.
			w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.APIResources = nil })
			if w.active(&w.R1, a.AccessToken) || !w.active(&w.R1, own.AccessToken) {
				t.Error("the API of this server itself")
			}
			w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.API, a.Settings.APIResources = false, []string{r1} })
			if w.active(&w.R1, a.AccessToken) {
				t.Error("an app that is no API may know")
			}
			w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.API, a.Settings.APIResources = true, []string{"HTTPS://R1.test/"} })
			if !w.active(&w.R1, a.AccessToken) {
				t.Error("another spelling of its resource")
			}
			w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.APIResources = []string{r1} })
		})
	}
	w.run("RFC7662-4-b", func(t *testing.T) {
		// docs/divergences.md: who guesses is not slowed, since there is nothing to
		// guess, and no question about a token that is none reaches the store.
		w.active(&w.R1, "x")
		w.store.Plan(func(verb string) storetest.Fault {
			if verb != "Changes" {
				t.Errorf("calls %s", verb)
			}
			return storetest.NoFault
		})
		for range 1000 {
			w.active(&w.R1, "sym_at_nonsense")
			w.active(&w.R1, "sym_rt_nonsense")
		}
		w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
		// Whoever guesses the API's secret is.
		for i := 0; ; i++ {
			q := w.query(&w.R1, "x", "client_secret=wrong")
			q.Credentials.Address = "192.0.2.1"
			_, err := w.Introspect(w.ctx, q)
			if storeError(err).Refusal == TooManyGuesses {
				break
			}
			if i > guessesLimit {
				t.Fatal("secrets may be guessed without end")
			}
		}
	})
	w.run("B48", func(t *testing.T) {
		a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r2})
		ended := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1})
		w.ok(w.revoke(&w.C1, ended.AccessToken))
		expired := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1})
		w.clock.pass(time.Hour)
		for _, token := range []string{"random", "eyJ.eyJ.x", a.AccessToken, ended.AccessToken, expired.AccessToken, a.RefreshToken} {
			answer, err := w.Introspect(w.ctx, w.query(&w.R1, token))
			w.ok(err)
			if !bytes.Equal(answer.Body, inactive) {
				t.Errorf("%s", answer.Body)
			}
		}
	})
	w.run("RFC7662-4-c", func(t *testing.T) {
		a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1})
		said := w.told(&w.C1, a.RefreshToken)
		if said["active"] != true || said["token_type"] != nil || said["exp"] != float64(w.clock.Now().Add(180*24*time.Hour).Unix()) || said["client_id"] != string(w.C1.ID) {
			t.Errorf("%v", said)
		}
		for _, other := range []*symbolon.App{&w.R1, &w.R2, &w.C2, &w.M1} {
			if w.active(other, a.RefreshToken) {
				t.Errorf("%s is told of another's refresh token", other.Name)
			}
		}
		b := w.refreshed(&w.C1, a.RefreshToken)
		if !w.active(&w.C1, a.RefreshToken) || !w.active(&w.C1, b.RefreshToken) {
			t.Error("the predecessor counts until its successor is used")
		}
		c := w.refreshed(&w.C1, b.RefreshToken)
		if w.active(&w.C1, a.RefreshToken) || !w.active(&w.C1, b.RefreshToken) || !w.active(&w.C1, c.RefreshToken) {
			t.Error("what would be a replay is said to be good")
		}
		// One that does not rotate says nothing of its expiry itself; the row does.
		w.edit(w.C2.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateNever })
		fixed := w.redeemed(&w.C2, nil)
		if said := w.told(&w.C2, fixed.RefreshToken); said["exp"] != float64(w.clock.Now().Add(180*24*time.Hour).Unix()) {
			t.Errorf("%v", said["exp"])
		}
		w.store.FailNext("Connections", storetest.Lost)
		_, err := w.Introspect(w.ctx, w.query(&w.C1, c.RefreshToken))
		w.refused(err, Unavailable) // never that it is not active
		w.clock.pass(180 * 24 * time.Hour)
		if w.active(&w.C1, c.RefreshToken) {
			t.Error("it has expired")
		}
	})
	for _, id := range []string{"RFC9470-6-a", "B37"} {
		w.run(id, func(t *testing.T) {
			a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r2})
			_, claims := w.claims(a.AccessToken)
			if claims["auth_time"] == nil || claims["auth_time"] != w.told(&w.R2, a.AccessToken)["auth_time"] {
				t.Error("auth_time")
			}
			w.clock.pass(time.Hour) // a refresh is no sign-in
			b := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken)
			if _, later := w.claims(b.AccessToken); later["auth_time"] != claims["auth_time"] {
				t.Error("auth_time moved")
			}
		})
	}
	w.run("RFC9449-6.2-a", func(t *testing.T) {
		// Whatever made the binding, it is told.
		for kind, name := range map[symbolon.BindingKind]string{symbolon.BoundByDPoP: "jkt", symbolon.BoundByTLS: "x5t#S256"} {
			g := w.redeemed(&w.C1, nil).Grant
			g.Binding = symbolon.Binding{Kind: kind, Thumbprint: sha256.Sum256([]byte("key"))}
			text, err := w.sealed(seal.AccessToken, &symbolon.AccessToken{Grant: g}, w.clock.Now())
			w.ok(err)
			said := w.told(&w.C1, text)
			bound, _ := said["cnf"].(map[string]any)
			if len(bound) != 1 || len(bound[name].(string)) != 43 || (said["token_type"] == "DPoP") != (kind == symbolon.BoundByDPoP) {
				t.Errorf("%v", said)
			}
			if got, ok := confirm(g.Binding).binding(); !ok || got != g.Binding {
				t.Errorf("read again it is %v", got)
			}
		}
	})
}

// Signed answers: RFC 9701.
func TestSignedIntrospection(t *testing.T) {
	w := newWide(t)
	ask := func(app *symbolon.App, token string) map[string]any {
		w.Helper()
		q := w.query(app, token)
		q.Signed = true
		answer, err := w.Introspect(w.ctx, q)
		w.ok(err)
		if !answer.Signed || answer.Caller != app.ID {
			w.Fatalf("%+v", answer)
		}
		header, claims := w.claims(string(answer.Body))
		var into map[string]any
		w.ok(w.cfg.Signing.Open(typIntrospection, string(answer.Body), &into, w.clock.Now()))
		if header["typ"] != typIntrospection || claims["iss"] != w.cfg.Issuer || claims["aud"] != string(app.ID) || claims["iat"] != float64(w.clock.Now().Unix()) {
			w.Fatalf("%v %v", header, claims)
		}
		for _, name := range []string{"sub", "exp"} { // RFC 9701 §5: so that it is no access token
			if claims[name] != nil {
				w.Fatalf("the answer has %s", name)
			}
		}
		return claims["token_introspection"].(map[string]any)
	}
	a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1})
	if said := ask(&w.R1, a.AccessToken); said["active"] != true || said["sub"] != string(w.U1.ID) || said["client_id"] != string(w.C1.ID) {
		t.Errorf("%v", said)
	}
	for _, token := range []string{"nonsense", a.RefreshToken} {
		if said := ask(&w.R1, token); len(said) != 1 || said["active"] != false {
			t.Errorf("%v", said)
		}
	}
	if said := ask(&w.R2, a.AccessToken); len(said) != 1 || said["active"] != false {
		t.Errorf("R2 is told %v", said)
	}
	w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.SignedIntrospection = true })
	answer, err := w.Introspect(w.ctx, w.query(&w.R1, a.AccessToken))
	w.ok(err)
	if !answer.Signed {
		t.Error("not signed, though the app's owner wants it")
	}
}

// A person's or an app's all is over for good, also when the feed has forgotten
// it: RFC7662-2.2-b for refresh tokens.
func TestRefreshTokensLongAfterTheEnd(t *testing.T) {
	for name, end := range map[string]symbolon.End{"account": {}, "app": {}, "pair": {}} {
		w := newWide(t)
		switch name {
		case "account":
			end.Account = w.U1.ID
		case "app":
			end.Client = w.C1.ID
		case "pair":
			end.Account, end.Client = w.U1.ID, w.C1.ID
		}
		a := w.redeemed(&w.C1, nil)
		w.clock.pass(time.Second)
		w.end(end)
		w.clock.pass(24 * time.Hour)
		w.start()
		if w.active(&w.C1, a.RefreshToken) {
			t.Errorf("%s: the refresh token is active", name)
		}
	}
}

// Whatever is asked about, the answer is JSON of one shape, or a refusal.
func FuzzIntrospect(f *testing.F) {
	w := newWide(f)
	a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r2})
	own := w.redeemed(&w.C1, nil)
	for _, seed := range []string{a.AccessToken, a.RefreshToken, own.AccessToken, "eyJ..", "sym_rt_", "sym_at_", "\x00", strings.Repeat("eyJ.", 100), "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	known := map[string]bool{a.AccessToken: true, a.RefreshToken: true, own.AccessToken: true}
	f.Fuzz(func(t *testing.T, token string) {
		c := Credentials{BodyID: string(w.C1.ID), BodySecret: w.secrets[w.C1.ID]}
		answer, err := w.Introspect(w.ctx, &TokenQuery{Credentials: c, Token: token})
		if token == "" {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", token, err)
		}
		var said struct {
			Active bool `json:"active"`
		}
		if json.Unmarshal(answer.Body, &said) != nil || said.Active != known[token] {
			t.Errorf("%q: %s", token, answer.Body)
		}
		if !known[token] {
			if _, err := w.Revoke(w.ctx, &TokenQuery{Credentials: c, Token: token}); err != nil {
				t.Errorf("%q: to revoke it: %v", token, err)
			}
		}
	})
}
