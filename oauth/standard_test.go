package oauth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// What the standard surface takes that the page does not (A1, A2).
func TestStandardAuthorize(t *testing.T) {
	w := newWide(t)
	standard := func(app *symbolon.App, changes ...string) *AuthorizeRequest {
		w.Helper()
		req := w.request(app, changes...)
		req.Standard = true
		return req
	}
	code := func(req *AuthorizeRequest) string {
		w.Helper()
		answer, err := w.Authorize(w.ctx, req, w.allowing())
		w.ok(err)
		return answer.Callback.Code
	}
	w.run("RFC6749-3.1.2.3-a", func(t *testing.T) {
		c := code(standard(&w.C1, "-redirect_uri", "-code_challenge", "-code_challenge_method"))
		// What was implied need not be repeated, and if it is, it must be right.
		_, err := w.call(&w.C1, "grant_type=authorization_code", "code="+c, "redirect_uri=https://c1.test/other")
		w.refused(err, InvalidGrant)
		_, err = w.redeem(&w.C1, c, "-redirect_uri", "-code_verifier") // the page's surface always wants it
		w.refused(err, InvalidRequest)
		w.called(&w.C1, "grant_type=authorization_code", "code="+c)
		_, err = w.Authorize(w.ctx, standard(&w.C2, "-redirect_uri"), w.allowing()) // it has two
		w.page(err, InvalidRequest)
	})
	w.run("OIDCC-3.1.2.1-b", func(t *testing.T) {
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = append(slices.Clone(a.Scope), "openid") })
		_, err := w.Authorize(w.ctx, standard(&w.C1, "-redirect_uri", "scope=openid connect"), w.allowing())
		w.page(err, InvalidRequest)
		code(standard(&w.C1, "scope=openid connect"))
		code(standard(&w.C1, "-redirect_uri"))
	})
	w.run("RFC6749-3.3-d", func(t *testing.T) {
		answer, err := w.Authorize(w.ctx, standard(&w.C1, "-scope"), w.allowing())
		w.ok(err)
		if answer.Scope.String() != "connect" {
			t.Errorf("the default is %q, never all scopes", answer.Scope)
		}
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"read"} })
		_, err = w.Authorize(w.ctx, standard(&w.C1, "-scope"), w.allowing())
		w.redirected(err, InvalidScope, uriC1, "xyz")
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"connect", "read", "write"} })
	})
	w.run("RFC6749-4.1.2.1-c", func(t *testing.T) {
		w.edit(w.M1.ID, func(a *symbolon.App) { a.RedirectURIs = []string{"https://m1.test/cb"} })
		m1 := w.app(w.M1.ID)
		_, err := w.Authorize(w.ctx, standard(&m1, "scope=connect"), w.allowing())
		w.redirected(err, UnauthorizedClient, "https://m1.test/cb", "xyz")
	})
	w.run("OAUTH21-10.2-a", func(t *testing.T) {
		// K4: with a challenge the redirect URI may be left out; without, not; and if
		// it is there it must be right.
		c := code(standard(&w.C1))
		_, err := w.call(&w.C1, "grant_type=authorization_code", "code="+c, "code_verifier="+verifier, "redirect_uri=https://c1.test/cb/")
		w.refused(err, InvalidGrant)
		w.called(&w.C1, "grant_type=authorization_code", "code="+c, "code_verifier="+verifier)
		c = code(standard(&w.C1, "-code_challenge", "-code_challenge_method"))
		_, err = w.call(&w.C1, "grant_type=authorization_code", "code="+c)
		w.refused(err, InvalidRequest)
		w.called(&w.C1, "grant_type=authorization_code", "code="+c, "redirect_uri="+uriC1)
	})
	w.run("OIDCC-11-a", func(t *testing.T) {
		// offline_access is understood and stays in; it decides nothing: every app
		// that may refresh can, and no other may ask for it.
		a := w.redeemed(&w.C1, []string{"scope=connect offline_access"})
		if a.Scope != "connect offline_access" || a.RefreshToken == "" {
			t.Errorf("%+v", a)
		}
		if b := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken, "scope=connect offline_access"); b.Scope != "connect offline_access" {
			t.Errorf("CLIENTS-3: %q", b.Scope)
		}
		if w.redeemed(&w.C1, []string{"scope=connect"}).RefreshToken == "" {
			t.Error("no refresh token without offline_access")
		}
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Grants = []symbolon.GrantType{symbolon.GrantCode} })
		_, err := w.Authorize(w.ctx, standard(&w.C1, "scope=connect offline_access"), w.allowing())
		w.redirected(err, InvalidScope, uriC1, "xyz")
		if a := w.redeemed(&w.C1, []string{"scope=connect"}); a.RefreshToken != "" || a.RefreshExpiresIn != 0 {
			t.Errorf("an app that may not refresh got %+v", a)
		}
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Grants = nil })
	})
}

func TestStandardToken(t *testing.T) {
	w := newWide(t)
	w.run("RFC6749-5.2-c", func(t *testing.T) {
		for _, tt := range []struct {
			app   *symbolon.App
			grant symbolon.GrantType
			want  Refusal
		}{
			{&w.M1, symbolon.GrantCode, UnauthorizedClient}, {&w.M1, symbolon.GrantRefresh, UnauthorizedClient}, {&w.M1, symbolon.GrantDevice, UnauthorizedClient},
			{&w.M1, symbolon.GrantExchange, UnauthorizedClient}, {&w.M1, symbolon.GrantAssertion, UnauthorizedClient}, {&w.C1, symbolon.GrantClient, UnauthorizedClient},
			{&w.C1, symbolon.GrantDevice, UnauthorizedClient}, {&w.C1, symbolon.GrantExchange, UnauthorizedClient}, {&w.D1, symbolon.GrantCode, UnauthorizedClient},
			{&w.C1, "foo", UnsupportedGrantType}, {&w.C1, "password", UnsupportedGrantType}, {&w.C1, "implicit", UnsupportedGrantType}, {&w.C1, "", InvalidRequest},
			{&w.M1, "CLIENT_CREDENTIALS", UnsupportedGrantType},
		} {
			_, err := w.call(tt.app, "grant_type="+string(tt.grant), "code=x", "refresh_token=x")
			w.refused(err, tt.want)
		}
		// The page offers two of them, whatever the app may.
		for _, grant := range Grants[2:] {
			req := w.calling(&w.M1, "grant_type="+string(grant))
			req.Standard = false
			_, err := w.Token(w.ctx, req)
			w.refused(err, UnsupportedGrantType)
			_, err = w.Refresh(w.ctx, w.calling(&w.M1, "grant_type="+string(grant)))
			w.refused(err, UnsupportedGrantType)
		}
	})
	w.run("RFC6749-3.2-c", func(t *testing.T) {
		a := w.redeemed(&w.C1, nil)
		for _, name := range slices.Concat(tokenNames, exchangeNames) {
			_, err := w.exchange(&w.R1, a.AccessToken, name+"=a", "+"+name+"=b")
			w.refused(err, InvalidRequest)
		}
		for _, name := range tokenLists {
			_, err := w.exchange(&w.R1, a.AccessToken, "%"+name+"=%ff")
			w.refused(err, InvalidRequest)
		}
		_, err := w.exchange(&w.R1, a.AccessToken, "foo=1", "+foo=2")
		w.ok(err)
	})
	w.run("RFC6749-2.3.1-c", func(t *testing.T) {
		for _, name := range slices.Concat(exchangeNames, tokenQueryNames) {
			if p, _ := ParseForm(name + "=x"); !HasTokenParams(&p) {
				t.Errorf("%s in a query is passed over", name)
			}
		}
	})
	w.run("B4", func(t *testing.T) {
		// What a request is refused for at this surface spends nothing either.
		c := w.code(&w.C1, "resource="+r1)
		for change, want := range map[string]Refusal{
			"resource=" + r2: InvalidTarget, "resource=x": InvalidTarget, "authorization_details=[]": InvalidDetails,
			`authorization_details=[{"type":"file","identifier":"a"}]`: InvalidDetails,
		} {
			_, err := w.call(&w.C1, "grant_type=authorization_code", "code="+c, "code_verifier="+verifier, change)
			w.refused(err, want)
		}
		a := w.called(&w.C1, "grant_type=authorization_code", "code="+c, "code_verifier="+verifier)
		for _, change := range []string{"resource=" + r2, "authorization_details=[{}]", "scope=admin"} {
			_, err := w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken, change)
			if err == nil {
				t.Errorf("%s is taken", change)
			}
		}
		if row := w.row(a); row.Seq != 0 || !row.EndedAt.IsZero() {
			t.Errorf("a refused refresh left %+v", row)
		}
	})
}

func TestClientCredentials(t *testing.T) {
	w := newWide(t)
	w.run("RFC6749-4.4-a", func(t *testing.T) {
		a, err := w.own(&w.M1)
		w.ok(err)
		if a.Scope != "connect" || a.ExpiresIn != 600 || a.TokenType != "Bearer" {
			t.Errorf("%+v", a)
		}
		for _, change := range []string{"-client_secret", "client_secret=wrong"} {
			_, err := w.own(&w.M1, change)
			w.refused(err, InvalidClient)
		}
		// Whatever is set for it, a public app gets none.
		w.edit(w.D1.ID, func(a *symbolon.App) { a.Settings.Grants = append(a.Settings.Grants, symbolon.GrantClient) })
		_, err = w.own(&w.D1)
		w.refused(err, UnauthorizedClient)
	})
	w.run("RFC6749-4.4.3-a", func(t *testing.T) {
		w.edit(w.M1.ID, func(a *symbolon.App) { a.Settings.Grants = append(a.Settings.Grants, symbolon.GrantRefresh) })
		a, err := w.own(&w.M1)
		w.ok(err)
		if a.RefreshToken != "" || a.RefreshExpiresIn != 0 {
			t.Errorf("%+v", a)
		}
	})
	w.run("scope", func(t *testing.T) {
		for scope, want := range map[string]Refusal{"admin": InvalidScope, "connect,read": InvalidScope, "connect  read": InvalidScope, `"`: InvalidScope} {
			_, err := w.own(&w.M1, "scope="+scope)
			w.refused(err, want)
		}
		if a, err := w.own(&w.M1, "scope=read write"); err != nil || a.Scope != "read write" {
			t.Errorf("%+v %v", a, err)
		}
		w.edit(w.M1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"write"} })
		_, err := w.own(&w.M1)
		w.refused(err, InvalidScope)
		w.edit(w.M1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"connect", "read", "write"} })
	})
	w.run("RFC9068-2.2-b", func(t *testing.T) {
		// The app's own sub is its client_id, which no account's id can be, and there
		// is no account behind it.
		a, err := w.own(&w.M1, "resource="+r2)
		w.ok(err)
		_, claims := w.claims(a.AccessToken)
		if claims["sub"] != string(w.M1.ID) || claims["client_id"] != string(w.M1.ID) || claims["auth_time"] != nil {
			t.Errorf("%v", claims)
		}
		if symbolon.AccountID(w.M1.ID).Valid() || symbolon.AccountID(symbolon.NewClientID()).Valid() {
			t.Error("a client_id could be an account's id")
		}
		b, err := w.own(&w.M1)
		w.ok(err)
		_, err = w.Info(w.ctx, Bearer(b.AccessToken))
		w.refused(err, InvalidToken)
		if said := w.told(&w.M1, b.AccessToken); said["sub"] != string(w.M1.ID) || said["username"] != nil {
			t.Errorf("%v", said)
		}
	})
	w.run("it writes nothing, and it ends", func(t *testing.T) {
		w.store.Plan(func(verb string) storetest.Fault {
			if verb != "Changes" && verb != "Apps" {
				t.Errorf("calls %s", verb)
			}
			return storetest.NoFault
		})
		a, err := w.own(&w.M1)
		w.ok(err)
		w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
		b, err := w.own(&w.M1)
		w.ok(err)
		_, err = w.Invalidate(w.ctx, Bearer(a.AccessToken)) // step 6
		w.ok(err)
		w.ok(w.revoke(&w.M1, b.AccessToken)) // RFC7009-2.1-c
		w.start()                            // another node
		if w.active(&w.M1, a.AccessToken) || w.active(&w.M1, b.AccessToken) {
			t.Error("an ended token is active")
		}
		c, err := w.own(&w.M1)
		w.ok(err)
		w.end(symbolon.End{Client: w.M1.ID})
		if w.active(&w.M1, c.AccessToken) {
			t.Error("all of the app was ended, and its token lives")
		}
	})
	w.run("B84 what is over is not ended again", func(t *testing.T) {
		w.clock.pass(time.Second)
		a, err := w.own(&w.M1)
		w.ok(err)
		ends := 0
		w.store.Plan(func(verb string) storetest.Fault {
			if verb == "End" {
				ends++
			}
			return storetest.NoFault
		})
		for range 10 {
			w.ok(w.revoke(&w.M1, a.AccessToken))
		}
		b, err := w.own(&w.M1)
		w.ok(err)
		w.clock.pass(time.Hour)
		w.ok(w.revoke(&w.M1, b.AccessToken))
		if ends != 1 {
			t.Errorf("%d changes are kept", ends)
		}
	})
}

// Every token of one kind is refused where another is wanted.
func TestKindsOfTokens(t *testing.T) {
	w := newWide(t)
	d := w.allowed(&w.D1)
	code := w.code(&w.C1)
	a := w.redeemed(&w.C1, nil)
	signed := w.query(&w.C1, a.AccessToken)
	signed.Signed = true
	said, err := w.Introspect(w.ctx, signed)
	w.ok(err)
	tokens := map[string]string{
		"code": code, "sealed": a.AccessToken, "JWT": w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r2}).AccessToken,
		"refresh": a.RefreshToken, "device": d.DeviceCode, "answer": string(said.Body), "nonsense": "eyJhbGciOiJub25lIn0.e30.", "empty JWT": "..", "": "x",
	}
	want := func(what string, err error, refusal Refusal, good ...string) {
		w.Helper()
		if !slices.Contains(good, what) {
			w.refused(err, refusal)
		} else if err != nil {
			w.Fatalf("%s: %v", what, err)
		}
	}
	for _, id := range []string{"RFC9068-5-a", "B58", "B97"} {
		w.run(id, func(t *testing.T) {
			for what, token := range tokens {
				_, err := w.Info(w.ctx, Bearer(token))
				want(what, err, InvalidToken, "sealed")
				_, err = w.exchange(&w.R1, token)
				want(what, err, InvalidRequest, "sealed", "JWT")
				if got := w.active(&w.C1, token); got != (what == "sealed" || what == "JWT" || what == "refresh") {
					t.Errorf("introspection of %q: active %v", what, got)
				}
				if what != "refresh" {
					_, err = w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+token)
					w.refused(err, InvalidGrant)
				}
				if what != "code" {
					_, err = w.call(&w.C1, "grant_type=authorization_code", "code="+token, "code_verifier="+verifier)
					w.refused(err, InvalidGrant)
				}
				if what != "device" {
					_, err = w.call(&w.D1, "grant_type="+string(symbolon.GrantDevice), "device_code="+token)
					w.refused(err, InvalidGrant)
				}
				if what == "sealed" || what == "JWT" || what == "refresh" {
					continue
				}
				_, err = w.Invalidate(w.ctx, Bearer(token))
				w.refused(err, InvalidToken)
				w.ok(w.revoke(&w.C1, token)) // RFC7009-2.2-a: as good as revoked
			}
			// And none of that hurt what was presented.
			w.alive(a)
		})
	}
	w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken)
	w.called(&w.C1, "grant_type=authorization_code", "code="+code, "code_verifier="+verifier)
	_, err = w.poll(&w.D1, d)
	w.ok(err)
	if !strings.HasPrefix(tokens["JWT"], "eyJ") {
		t.Error("there was no JWT")
	}
}

// What apps on a computer or a phone need (A11), from the request to the tokens.
func TestNativeApps(t *testing.T) {
	w := newWide(t)
	ask := func(app *symbolon.App, uri string) (*Authorization, error) {
		req := w.request(app, "redirect_uri="+uri)
		req.Standard = true
		return w.Authorize(w.ctx, req, w.allowing())
	}
	walk := func(uri string) {
		w.Helper()
		answer, err := ask(&w.P1, uri)
		w.ok(err)
		w.called(&w.P1, "grant_type=authorization_code", "code="+answer.Callback.Code, "redirect_uri="+uri, "code_verifier="+verifier)
	}
	refused := func(uris ...string) {
		w.Helper()
		for _, uri := range uris {
			_, err := ask(&w.P1, uri)
			w.page(err, InvalidRequest)
		}
	}
	w.run("RFC8252-7.3-a", func(t *testing.T) {
		walk("http://127.0.0.1:51004/cb")
		walk("http://127.0.0.1/cb")
		refused("http://127.0.0.1:51004/cb2", "https://127.0.0.1/cb", "https://127.0.0.1:51004/cb", "http://127.0.0.2/cb", "http://user@127.0.0.1:1/cb", "http://127.0.0.1:1/%63b", "http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:1/cb?x")
	})
	w.run("RFC8252-7.3-b", func(t *testing.T) {
		walk("http://[::1]:7/cb")
		refused("http://[::ffff:127.0.0.1]/cb", "http://[::1]:7/cb/", "http://[0:0:0:0:0:0:0:1]:7/cb")
	})
	w.run("RFC8252-7.3-c", func(t *testing.T) {
		answer, err := ask(&w.P1, "http://127.0.0.1:5000/cb")
		w.ok(err)
		for _, uri := range []string{"http://127.0.0.1:5001/cb", uriP1, "http://[::1]:5000/cb"} {
			_, err = w.call(&w.P1, "grant_type=authorization_code", "code="+answer.Callback.Code, "redirect_uri="+uri, "code_verifier="+verifier)
			w.refused(err, InvalidGrant)
		}
	})
	w.run("RFC8252-8.3-a", func(t *testing.T) {
		// K5: localhost floats for public apps only.
		w.edit(w.P1.ID, func(a *symbolon.App) { a.RedirectURIs = append(a.RedirectURIs, "http://localhost/cb") })
		walk("http://localhost:4711/cb")
		w.edit(w.C2.ID, func(a *symbolon.App) {
			a.RedirectURIs = append(a.RedirectURIs, "http://localhost/cb", "http://127.0.0.1/cb")
		})
		_, err := ask(&w.C2, "http://localhost:4711/cb")
		w.page(err, InvalidRequest)
		_, err = ask(&w.C2, "http://127.0.0.1:4711/cb")
		w.ok(err)
	})
	w.run("RFC8252-7.1-a", func(t *testing.T) {
		walk("com.example.app:/cb")
		refused("com.example.app:/cb2", "com.example.app://cb", "COM.example.app:/cb", "com.example.app:cb")
		if CheckRedirectURI("myapp:/cb") == nil || CheckRedirectURI("com.example.app:/cb") != nil {
			t.Error("a scheme without a dot, or one with")
		}
	})
	w.run("RFC8252-7.1-b", func(t *testing.T) {
		for _, uri := range []string{"javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://x", "about:blank", "view-source:https://x", "intent://x", "JAVASCRIPT:x", "java\tscript:x"} {
			if CheckRedirectURI(uri) == nil {
				t.Errorf("%s may be registered", uri)
			}
			refused(uri)
		}
	})
	w.run("RFC8252-7.2-a", func(t *testing.T) {
		w.edit(w.P1.ID, func(a *symbolon.App) { a.RedirectURIs = append(a.RedirectURIs, "https://app.test/cb") })
		walk("https://app.test/cb")
		refused("https://app.test:8443/cb") // only loopback ports float
	})
	w.run("RFC8252-8.5-a", func(t *testing.T) {
		walk(uriP1) // without a secret
		_, err := w.Authorize(w.ctx, w.request(&w.P1, "-code_challenge", "-code_challenge_method"), w.allowing())
		w.redirected(err, InvalidRequest, uriP1, "xyz")
	})
	w.run("RFC8252-8.4-a", func(t *testing.T) {
		if app := w.app(w.P1.ID); !app.Public || app.Method() != symbolon.AuthNone || app.MayUse(symbolon.GrantClient) {
			t.Errorf("%+v", app)
		}
	})
}

// Whichever reading of what has ended fails, no token is refused for it, nor said
// to be dead: RFC6749-5.2-f, DESIGN 4.
func TestAFeedThatFails(t *testing.T) {
	w := newWide(t, func(c *Config) { c.FeedBound = time.Nanosecond }) // it is read each time
	a := w.redeemed(&w.C1, nil)
	own, err := w.own(&w.R1)
	w.ok(err)
	for name, act := range map[string]func() error{
		"exchange": func() error {
			_, err := w.exchange(&w.R1, a.AccessToken, "actor_token="+own.AccessToken, "actor_token_type="+typeAccessToken)
			return err
		},
		"introspect":  func() error { _, err := w.Introspect(w.ctx, w.query(&w.C1, a.AccessToken)); return err },
		"own token":   func() error { _, err := w.own(&w.M1); return err },
		"device":      func() error { _, err := w.device(&w.D1); return err },
		"who is read": func() error { _, err := w.Info(w.ctx, Bearer(a.AccessToken)); return err },
	} {
		failed := 0
		for nth := 1; ; nth++ {
			n := 0
			w.store.Plan(func(verb string) storetest.Fault {
				if verb == "Changes" {
					if n++; n == nth {
						return storetest.Lost
					}
				}
				return storetest.NoFault
			})
			err := act()
			if n < nth {
				w.ok(err)
				break
			}
			w.refused(err, Unavailable)
			failed++
		}
		if want := map[string]int{"exchange": 3, "introspect": 2}[name]; failed < max(want, 1) {
			t.Errorf("%s: what has ended is read %d times", name, failed)
		}
	}
}
