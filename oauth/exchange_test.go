package oauth

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
	"pgregory.net/rapid"
)

func TestExchange(t *testing.T) {
	w := newWide(t)
	subject := func(changes ...string) *TokenResponse {
		w.Helper()
		return w.redeemed(&w.C1, append([]string{"scope=connect read write"}, changes...))
	}
	traded := func(a *TokenResponse, changes ...string) *TokenResponse {
		w.Helper()
		b, err := w.exchange(&w.R1, a.AccessToken, changes...)
		w.ok(err)
		return b
	}
	refused := func(want Refusal, changes ...string) {
		w.Helper()
		_, err := w.exchange(&w.R1, subject().AccessToken, changes...)
		w.refused(err, want)
	}
	w.run("RFC8693-2.1-a", func(t *testing.T) {
		for _, change := range []string{"-subject_token", "subject_token=", "-subject_token_type", "subject_token_type="} {
			refused(InvalidRequest, change)
		}
		refused(InvalidRequest, "actor_token=x")
		refused(InvalidRequest, "actor_token_type="+typeAccessToken)
		for _, typ := range []string{"urn:ietf:params:oauth:token-type:refresh_token", "urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:saml2", "access_token"} {
			refused(InvalidRequest, "subject_token_type="+typ)
			refused(InvalidRequest, "requested_token_type="+typ)
			refused(InvalidRequest, "actor_token="+subject().AccessToken, "actor_token_type="+typ)
		}
	})
	w.run("RFC8693-2.2-a", func(t *testing.T) {
		for requested, want := range map[string]string{"": typeAccessToken, typeAccessToken: typeAccessToken, typeJWT: typeJWT} {
			b := traded(subject(), "requested_token_type="+requested)
			if b.IssuedTokenType != want || b.TokenType != "Bearer" || b.RefreshToken != "" || strings.HasPrefix(b.AccessToken, "eyJ") != (want == typeJWT) {
				t.Errorf("%q: %+v", requested, b)
			}
		}
	})
	w.run("RFC8693-2.2.2-a", func(t *testing.T) {
		for _, uri := range []string{r3, "r1.test", "https://r1.test#x", "sym_app_r2"} {
			refused(InvalidTarget, "audience="+uri)
			refused(InvalidTarget, "resource="+uri)
			refused(InvalidTarget, "resource="+r1, "+audience="+uri)
		}
		ended := subject()
		w.ok(w.revoke(&w.C1, ended.AccessToken))
		expired := subject()
		w.clock.pass(10 * time.Minute)
		live := subject()
		for _, token := range []string{"nonsense", ended.AccessToken, expired.AccessToken, live.RefreshToken, w.code(&w.C1), live.AccessToken + "x"} {
			_, err := w.exchange(&w.R1, token)
			w.refused(err, InvalidRequest)
		}
		own, err := w.own(&w.R1)
		w.ok(err)
		w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.ExchangeFor = []symbolon.ClientID{"*"} })
		_, err = w.exchange(&w.R1, own.AccessToken) // an app's own: no one to act for
		w.refused(err, InvalidRequest)
		w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.ExchangeFor = []symbolon.ClientID{w.C1.ID} })
	})
	w.run("RFC8693-D", func(t *testing.T) {
		// Scope: never more than the subject's, nor than the app's own.
		narrow := subject("scope=connect")
		for _, scope := range []string{"read", "connect read", "connect write"} {
			_, err := w.exchange(&w.R1, narrow.AccessToken, "scope="+scope)
			w.refused(err, InvalidScope)
		}
		for _, scope := range []string{"admin", "connect  read", "connect,read"} {
			refused(InvalidScope, "scope="+scope)
		}
		if b := traded(narrow); b.Scope != "connect" {
			t.Errorf("%q", b.Scope)
		}
		if b := traded(subject(), "scope=read"); b.Scope != "read" {
			t.Errorf("%q", b.Scope)
		}
		w.edit(w.R1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"connect"} })
		if b := traded(subject()); b.Scope != "connect" {
			t.Errorf("the app itself may have connect only, and got %q", b.Scope)
		}
		refused(InvalidScope, "scope=read")
		w.edit(w.R1.ID, func(a *symbolon.App) { a.Scope = w.R1.Scope })
		if b := traded(subject(), "resource="+r2); b.Scope != "connect write" {
			t.Errorf("for r2: %q", b.Scope)
		}

		// Lifetime.
		a := subject()
		w.clock.pass(9 * time.Minute)
		b := traded(a)
		if b.ExpiresIn != 60 {
			t.Errorf("of a token that has a minute left, one of %d s", b.ExpiresIn)
		}
		w.clock.pass(time.Minute)
		if w.active(&w.R1, b.AccessToken) {
			t.Error("it outlives what it was made from")
		}

		// Only apps that may, and for tokens of those apps only.
		for _, tt := range []struct {
			app  *symbolon.App
			from *symbolon.App
			want Refusal
		}{
			{&w.C1, &w.C1, UnauthorizedClient}, {&w.C2, &w.C1, UnauthorizedClient}, {&w.M1, &w.C1, UnauthorizedClient},
			{&w.R1, &w.C2, UnauthorizedClient}, {&w.R1, &w.P1, UnauthorizedClient}, {&w.R2, &w.C1, UnauthorizedClient},
		} {
			_, err := w.exchange(tt.app, w.redeemed(tt.from, []string{"scope=connect"}).AccessToken)
			w.refused(err, tt.want)
		}
		_, err := w.exchange(&w.R1, subject().AccessToken, "client_secret=wrong")
		w.refused(err, InvalidClient)
		w.edit(w.D1.ID, func(a *symbolon.App) {
			a.Settings.Grants, a.Settings.ExchangeFor = append(a.Settings.Grants, symbolon.GrantExchange), []symbolon.ClientID{"*"}
		})
		_, err = w.exchange(&w.D1, subject().AccessToken)
		w.refused(err, UnauthorizedClient)
	})
	w.run("RFC8693-4.1-a", func(t *testing.T) {
		b := traded(subject(), "requested_token_type="+typeJWT, "resource="+r2)
		_, claims := w.claims(b.AccessToken)
		act := fmt.Sprint(claims["act"])
		if claims["sub"] != string(w.U1.ID) || claims["client_id"] != string(w.R1.ID) || claims["aud"] != r2 || act != fmt.Sprint(map[string]any{"sub": string(w.R1.ID)}) {
			t.Errorf("%v", claims)
		}
		// The next API in the row.
		w.edit(w.R2.ID, func(a *symbolon.App) { a.Settings.ExchangeFor = []symbolon.ClientID{w.R1.ID} })
		c, err := w.exchange(&w.R2, b.AccessToken, "resource="+r1)
		w.ok(err)
		said := w.told(&w.R2, c.AccessToken)
		if want := fmt.Sprint(map[string]any{"sub": string(w.R2.ID), "act": map[string]any{"sub": string(w.R1.ID)}}); fmt.Sprint(said["act"]) != want || said["sub"] != string(w.U1.ID) || said["client_id"] != string(w.R2.ID) {
			t.Errorf("%v", said)
		}
		// An actor_token must be the app's own.
		actor, err := w.own(&w.R1)
		w.ok(err)
		d := traded(subject(), "actor_token="+actor.AccessToken, "actor_token_type="+typeAccessToken)
		if fmt.Sprint(w.told(&w.R1, d.AccessToken)["act"]) != fmt.Sprint(map[string]any{"sub": string(w.R1.ID)}) {
			t.Errorf("%v", w.told(&w.R1, d.AccessToken))
		}
		other, err := w.own(&w.M1)
		w.ok(err)
		refused(InvalidRequest, "actor_token="+other.AccessToken, "actor_token_type="+typeAccessToken)
		refused(InvalidRequest, "actor_token=x", "actor_token_type="+typeAccessToken)
		// Who may impersonate need not say who acts, but what was said stays.
		w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.Impersonate = true })
		if said := w.told(&w.R1, traded(subject()).AccessToken); said["act"] != nil {
			t.Errorf("%v", said)
		}
		w.edit(w.R1.ID, func(a *symbolon.App) {
			a.Settings.ExchangeFor = []symbolon.ClientID{w.C1.ID, w.R1.ID, w.R2.ID}
		})
		e, err := w.exchange(&w.R1, c.AccessToken)
		w.ok(err)
		if fmt.Sprint(w.told(&w.R1, e.AccessToken)["act"]) != fmt.Sprint(said["act"]) {
			t.Errorf("%v", w.told(&w.R1, e.AccessToken))
		}
		w.edit(w.R1.ID, func(a *symbolon.App) {
			a.Settings.Impersonate, a.Settings.ExchangeFor = false, []symbolon.ClientID{w.C1.ID}
		})
	})
	for _, impersonate := range []bool{false, true} {
		w.run(fmt.Sprintf("B99 impersonate=%v", impersonate), func(t *testing.T) {
			w.edit(w.R1.ID, func(a *symbolon.App) {
				a.Settings.Impersonate, a.Settings.ExchangeFor = impersonate, []symbolon.ClientID{"*"}
			})
			token := subject().AccessToken
			n := 0
			for ; n < 100; n++ {
				b, err := w.exchange(&w.R1, token)
				if err != nil {
					w.refused(err, InvalidRequest)
					break
				}
				token = b.AccessToken
			}
			if n != maxSources {
				t.Errorf("exchanged %d times, one after the other", n)
			}
			w.edit(w.R1.ID, func(a *symbolon.App) {
				a.Settings.Impersonate, a.Settings.ExchangeFor = false, []symbolon.ClientID{w.C1.ID}
			})
		})
	}
	w.run("a bound subject_token", func(t *testing.T) {
		// It was shown to an API, which has checked the key and does not have it
		// (docs/divergences.md). The result is bound to no key of another.
		g := subject().Grant
		g.Binding = symbolon.Binding{Kind: symbolon.BoundByDPoP, Thumbprint: sha256.Sum256([]byte("key"))}
		text, err := w.sealed(seal.AccessToken, &symbolon.AccessToken{Grant: g}, w.clock.Now())
		w.ok(err)
		b, err := w.exchange(&w.R1, text)
		w.ok(err)
		if said := w.told(&w.R1, b.AccessToken); said["cnf"] != nil || b.TokenType != "Bearer" {
			t.Errorf("%v", said)
		}
		w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.BoundTokens = true })
		if _, err := w.exchange(&w.R1, text); err == nil {
			t.Error("an app that gets bound tokens only got one that is not")
		}
		w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.BoundTokens = false })
	})
	w.run("it writes nothing, and a store that fails refuses nothing", func(t *testing.T) {
		a := subject()
		w.store.Plan(func(verb string) storetest.Fault {
			if verb != "Changes" && verb != "Apps" {
				t.Errorf("calls %s", verb)
			}
			return storetest.NoFault
		})
		traded(a)
		w.store.Plan(func(verb string) storetest.Fault { return storetest.Lost })
		w.start2()
		_, err := w.exchange(&w.R1, a.AccessToken)
		w.refused(err, Unavailable)
		w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
		traded(a)
	})
	w.run("it cannot be revoked alone", func(t *testing.T) {
		a := subject()
		b := traded(a)
		w.refused(w.revoke(&w.R1, b.AccessToken), UnsupportedTokenType)
		w.refused(w.revoke(&w.C1, b.AccessToken), InvalidGrant)
		if !w.active(&w.R1, b.AccessToken) || !w.active(&w.C1, a.AccessToken) {
			t.Error("the connection of another app is over")
		}
	})
	w.run("a lifetime that was shortened", func(t *testing.T) {
		w.cfg.AccessLifetime = time.Hour
		w.start()
		a := subject()
		w.clock.pass(9 * time.Minute)
		w.cfg.AccessLifetime = 10 * time.Minute
		w.start()
		if b := traded(a); b.ExpiresIn != 60 {
			t.Errorf("a token that is good for a minute more became one of %d s", b.ExpiresIn)
		}
	})
}

// start2 makes the node's knowledge of what has ended too old.
func (w *world) start2() {
	w.feed.began.Store(nil)
}

// RFC8693-D: what ends the source ends the result, at once and on every node.
func TestExchangeEndsWithItsSource(t *testing.T) {
	for name, end := range map[string]func(w *wide, a, b *TokenResponse){
		"the access token is revoked":  func(w *wide, a, _ *TokenResponse) { w.ok(w.revoke(&w.C1, a.AccessToken)) },
		"the refresh token is revoked": func(w *wide, a, _ *TokenResponse) { w.ok(w.revoke(&w.C1, a.RefreshToken)) },
		"step 6":                       func(w *wide, a, _ *TokenResponse) { _, err := w.Invalidate(w.ctx, Bearer(a.AccessToken)); w.ok(err) },
		"the consent is withdrawn":     func(w *wide, _, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID}) },
		"the source app is deleted":    func(w *wide, _, _ *TokenResponse) { w.end(symbolon.End{Client: w.C1.ID, Delete: true}) },
		"all of the source app":        func(w *wide, _, _ *TokenResponse) { w.end(symbolon.End{Client: w.C1.ID}) },
		"the account is disabled":      func(w *wide, _, _ *TokenResponse) { w.disable(w.U1.ID) },
		"all of the account":           func(w *wide, _, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID}) },
		"a refresh token is replayed": func(w *wide, a, _ *TokenResponse) {
			w.refreshed(&w.C1, w.refreshed(&w.C1, a.RefreshToken).RefreshToken)
			_, err := w.refresh(&w.C1, a.RefreshToken)
			w.refused(err, InvalidGrant)
		},
		"all of the API between": func(w *wide, _, _ *TokenResponse) { w.end(symbolon.End{Client: w.R1.ID}) },
	} {
		for _, format := range []string{typeAccessToken, typeJWT} {
			t.Run(name+" "+format[len(format)-5:], func(t *testing.T) {
				w := newWide(t)
				a := w.redeemed(&w.C1, []string{"scope=connect"})
				b, err := w.exchange(&w.R1, a.AccessToken, "requested_token_type="+format)
				w.ok(err)
				c, err := w.exchange(&w.R2, b.AccessToken, "requested_token_type="+format)
				w.ok(err)
				if !w.active(&w.R1, b.AccessToken) || !w.active(&w.R2, c.AccessToken) {
					t.Fatal("dead before")
				}
				w.clock.pass(2 * time.Second)
				end(w, a, b)
				for range 2 {
					for app, token := range map[*symbolon.App]string{&w.R1: b.AccessToken, &w.R2: c.AccessToken} {
						answer, err := w.Introspect(w.ctx, w.query(app, token))
						w.ok(err)
						if string(answer.Body) != `{"active":false}` {
							t.Errorf("%s holds one that is active", app.Name)
						}
					}
					w.start() // another node
				}
				if _, err := w.exchange(&w.R1, a.AccessToken); err == nil && name != "all of the API between" {
					t.Error("it is exchanged anew")
				}
			})
		}
	}
	t.Run("what the API does after all of its own was ended", func(t *testing.T) {
		w := newWide(t)
		a := w.redeemed(&w.C1, []string{"scope=connect"})
		w.clock.pass(time.Second)
		w.end(symbolon.End{Client: w.R1.ID})
		w.clock.pass(2 * time.Second)
		for _, format := range []string{typeAccessToken, typeJWT} {
			b, err := w.exchange(&w.R1, a.AccessToken, "requested_token_type="+format)
			w.ok(err)
			c, err := w.exchange(&w.R2, b.AccessToken, "requested_token_type="+format)
			w.ok(err)
			if !w.active(&w.R1, b.AccessToken) || !w.active(&w.R2, c.AccessToken) {
				t.Error("a token that is dead at birth")
			}
		}
	})
}

// RFC8693-D as a property: whatever is asked, the result is never more than the
// subject.
func TestExchangeNeverGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWide(t)
		some := func(what string, of ...string) string {
			return strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 3, rapid.ID[string]).Draw(t, what), " ")
		}
		granted := some("granted", "connect", "read", "write")
		if granted == "" {
			granted = "connect"
		}
		w.edit(w.R1.ID, func(a *symbolon.App) {
			a.Settings.ExchangeFor = []symbolon.ClientID{"*"}
			a.Scope = strings.Fields(some("the API's", "connect", "read", "write"))
		})
		token := w.redeemed(&w.C1, []string{"scope=" + granted})
		api := w.app(w.R1.ID)
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			passed := rapid.IntRange(0, 300).Draw(t, "seconds")
			w.clock.pass(time.Duration(passed) * time.Second)
			next, err := w.exchange(&w.R1, token.AccessToken, "scope="+some("asked", "connect", "read", "write", "admin"),
				"resource="+rapid.SampledFrom([]string{"", r1, r2, r3}).Draw(t, "resource"), "requested_token_type="+rapid.SampledFrom([]string{"", typeJWT}).Draw(t, "type"))
			if err != nil {
				storeError(err) // whichever refusal
				return
			}
			if !token.Grant.Scope.Covers(next.Grant.Scope) || !api.Scope.Covers(next.Grant.Scope) || len(next.Grant.Scope) == 0 || next.Grant.ExpiresAt.After(token.Grant.ExpiresAt) ||
				next.Grant.Account != w.U1.ID || next.Grant.Connection != token.Grant.Connection || next.RefreshToken != "" {
				t.Fatalf("from %+v came %+v", token.Grant, next.Grant)
			}
			token = next
		}
	})
}

func TestDetails(t *testing.T) {
	w := newWide(t)
	const payment = `{"type":"payment","amount":{"value":"12.50","currency":"EUR"},"creditor":"Merchant A"}`
	const file = `{"type":"file","identifier":"a.txt","actions":["read"]}`
	list := "[" + payment + "," + file + "]"
	w.run("RFC9396-2", func(t *testing.T) {
		for what, text := range map[string]string{
			"no JSON": "[", "an object": payment, "empty": "[]", "null": "null", "a list of lists": "[[]]", "a number in it": "[1]", "null in it": "[null]", "something behind": list + "x",
			"no type": `[{"amount":1}]`, "a type that is no string": `[{"type":1}]`, "an unknown type": `[{"type":"root"}]`, "another case": `[{"type":"Payment","amount":1}]`, "Type": `[{"Type":"payment","amount":1}]`,
			"a member too few": `[{"type":"payment"}]`, "a member too many": `[{"type":"file","identifier":"x","sudo":true}]`, "actions no list": `[{"type":"file","actions":"read"}]`, "actions of numbers": `[{"type":"file","actions":[1]}]`,
			"an identifier that is no string": `[{"type":"file","identifier":{}}]`, "a name twice": `[{"type":"file","type":"payment","amount":1}]`, "a name twice, deep": `[{"type":"payment","amount":{"a":1,"a":2}}]`,
			"too long": `[{"type":"file","identifier":"` + strings.Repeat("x", maxDetails) + `"}]`, "too many": "[" + strings.Repeat(`{"type":"file"},`, maxDetailItems) + `{"type":"file"}]`,
			"deep": `[{"type":"payment","amount":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}]`, "a number too large": `[{"type":"payment","amount":1e400}]`, "NaN": `[{"type":"payment","amount":NaN}]`,
		} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "authorization_details="+text), w.allowing())
			if err == nil {
				t.Errorf("%s is taken", what)
				continue
			}
			w.redirected(err, InvalidDetails, uriC1, "xyz")
			_, err = w.own(&w.M1, "authorization_details="+text)
			w.refused(err, InvalidDetails)
			_, err = w.device(&w.D1, "authorization_details="+text)
			w.refused(err, InvalidDetails)
		}
	})
	w.run("RFC9396-7", func(t *testing.T) {
		a := w.redeemed(&w.C1, []string{"authorization_details= " + strings.ReplaceAll(list, ":", " : ")})
		if a.Details != list {
			t.Errorf("granted: %s", a.Details)
		}
		// Fewer at redemption, and at a refresh; never others.
		b := w.redeemed(&w.C1, []string{"authorization_details=" + list}, "authorization_details=["+file+"]")
		if b.Details != "["+file+"]" {
			t.Errorf("fewer: %s", b.Details)
		}
		c := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+b.RefreshToken)
		if c.Details != list {
			t.Errorf("the refresh token has %s", c.Details)
		}
		for _, more := range []string{`[{"type":"file","identifier":"b.txt"}]`, "[" + strings.Replace(payment, "12.50", "9912.50", 1) + "]", "[" + file + `,{"type":"file"}]`} {
			_, err := w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+c.RefreshToken, "authorization_details="+more)
			w.refused(err, InvalidDetails)
			_, err = w.exchange(&w.R1, c.AccessToken, "authorization_details="+more)
			w.refused(err, InvalidDetails)
		}
		d := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+c.RefreshToken, "authorization_details=["+payment+"]")
		if d.Details != "["+payment+"]" {
			t.Errorf("%s", d.Details)
		}
		if e, err := w.exchange(&w.R1, a.AccessToken, "authorization_details=["+file+"]"); err != nil || e.Details != "["+file+"]" {
			t.Errorf("%+v %v", e, err)
		}
		none := w.redeemed(&w.C1, nil)
		_, err := w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+none.RefreshToken, "authorization_details=["+file+"]")
		w.refused(err, InvalidDetails)
	})
	w.run("RFC9396-9", func(t *testing.T) {
		for _, resource := range []string{r1, r2} {
			a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + resource, "authorization_details=" + list})
			said, _ := json.Marshal(w.told(&w.C1, a.AccessToken)["authorization_details"])
			var want, got any
			w.ok(json.Unmarshal([]byte(list), &want))
			w.ok(json.Unmarshal(said, &got))
			if fmt.Sprint(want) != fmt.Sprint(got) {
				t.Errorf("%s is told %s", resource, said)
			}
		}
	})
	w.run("RFC9396-13", func(t *testing.T) {
		// Shown in words, and asked for each time.
		for range 2 {
			who := Actor{Interactive: true, SignedIn: w.signedIn(w.U1)}
			answer, err := w.Authorize(w.ctx, w.request(&w.C1, "authorization_details="+list), who)
			w.ok(err)
			if answer.Need != NeedConsent || len(answer.Details) != 2 || answer.Details[0] != "pay 12.50 EUR to Merchant A" || answer.Details[1] != "read a.txt" {
				t.Errorf("%d %q", answer.Need, answer.Details)
			}
			w.authorized(&w.C1, "authorization_details="+list)
		}
		// What is not there is seen to be missing; braces in a value are a value.
		for text, want := range map[string]string{
			`[{"type":"payment","amount":5}]`: "pay … … to …", `[{"type":"payment","amount":{"value":1.50,"currency":["EUR","USD"]},"creditor":"{creditor}"}]`: "pay 1.50 EUR, USD to {creditor}",
			`[{"type":"payment","amount":{"value":null},"creditor":"` + strings.Repeat("é", 300) + `"}]`: "pay … … to " + strings.Repeat("é", maxShown) + "…",
		} {
			if got := w.sentences(text); len(got) != 1 || got[0] != want {
				t.Errorf("%s is shown as %q", text, got)
			}
		}
	})
}

// FuzzDetails: what is taken is an array that is taken again and stays as it is,
// and is shown in as many sentences.
func FuzzDetails(f *testing.F) {
	w := newWide(f)
	for _, seed := range []string{`[{"type":"file"}]`, `[{"type":"payment","amount":{"value":1e3,"currency":"EUR"},"creditor":"\ud800"}]`, `[{"type":"file","locations":["a","b"],"identifier":"{x"}]`, "[]", "[[[", `[{"type":"file","type":"file"}]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, why := w.readDetails(text)
		if (why == "") == (list == nil) {
			t.Fatalf("%q: %q and %q", text, list, why)
		}
		if why != "" {
			checkDescription(t, why)
			return
		}
		joined := joinDetails(list)
		again, why := w.readDetails(joined)
		if why != "" || joinDetails(again) != joined || !json.Valid([]byte(joined)) || len(joined) > len(text) {
			t.Fatalf("%q became %q, and that %q: %s", text, joined, again, why)
		}
		if n := len(w.sentences(joined)); n != len(list) {
			t.Fatalf("%q has %d objects and %d sentences", joined, len(list), n)
		}
		if got, err := w.fewerDetails(&caller{app: &w.C1}, joined, joined); err != nil || got != joined {
			t.Fatalf("%q is not among itself: %v", joined, err)
		}
	})
}
