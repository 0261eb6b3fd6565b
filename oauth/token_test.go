package oauth

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func TestToken(t *testing.T) {
	w := newWorld(t)
	w.run("RFC6749-5.1-a", func(t *testing.T) {
		a := w.connected(&w.C1)
		if a.AccessToken == "" || a.TokenType != "Bearer" || a.RefreshToken == "" || a.Scope != "connect read" {
			t.Errorf("%+v", a)
		}
		w.alive(a)
	})
	w.run("RFC6749-5.1-c", func(t *testing.T) {
		a := w.connected(&w.C1)
		if a.ExpiresIn != 600 || a.RefreshExpiresIn != 180*24*3600 {
			t.Errorf("expires in %d and %d s", a.ExpiresIn, a.RefreshExpiresIn)
		}
		w.clock.pass(600*time.Second - time.Millisecond)
		w.alive(a)
		w.clock.pass(time.Millisecond)
		w.dead(a)
	})
	w.run("RFC6749-3.2-c", func(t *testing.T) {
		// CLIENTS 13: response_type and scope arrive here, too.
		_, err := w.redeem(&w.C1, w.code(&w.C1), "foo=1", "+foo=2", "response_type=code", "access_type=offline", "scope=connect read", "resource=https://r1.test")
		w.ok(err)
		for _, name := range tokenNames {
			code := w.code(&w.C1)
			_, err := w.redeem(&w.C1, code, name+"=a", "+"+name+"=b")
			w.refused(err, InvalidRequest)
			_, err = w.redeem(&w.C1, code) // and nothing was spent
			w.ok(err)
		}
	})
	w.run("RFC6749-4.1.2-c", func(t *testing.T) {
		code := w.code(&w.C1)
		w.clock.pass(time.Minute - time.Millisecond)
		_, err := w.redeem(&w.C1, code)
		w.ok(err)
		code = w.code(&w.C1)
		w.clock.pass(time.Minute)
		_, err = w.redeem(&w.C1, code)
		w.refused(err, InvalidGrant)
	})
	w.run("RFC6749-4.1.3-a", func(t *testing.T) {
		code := w.code(&w.C1)
		_, err := w.redeem(&w.C2, code, "redirect_uri="+uriC1)
		w.refused(err, InvalidGrant)
		_, err = w.redeem(&w.C1, code)
		w.ok(err)
	})
	w.run("RFC6749-4.1.3-b", func(t *testing.T) {
		code := w.code(&w.C1)
		for _, uri := range []string{uriC1 + "/", strings.ToUpper(uriC1), uriC1 + "?", "https://evil.test/cb"} {
			_, err := w.redeem(&w.C1, code, "redirect_uri="+uri)
			w.refused(err, InvalidGrant)
		}
		// Registered as well, and not what was asked with.
		code2 := w.code(&w.C2)
		_, err := w.redeem(&w.C2, code2, "redirect_uri=https://c2.test/other")
		w.refused(err, InvalidGrant)
		// The port of a loopback address counts as well, once it was sent.
		code3 := w.code(&w.P1, "redirect_uri=http://127.0.0.1:5000/cb")
		_, err = w.redeem(&w.P1, code3, "redirect_uri=http://127.0.0.1:5001/cb")
		w.refused(err, InvalidGrant)
		_, err = w.redeem(&w.P1, code3, "redirect_uri=http://127.0.0.1:5000/cb")
		w.ok(err)
	})
	w.run("OAUTH21-10.2-a", func(t *testing.T) {
		// Always required here; docs/divergences.md.
		code := w.code(&w.C1)
		_, err := w.redeem(&w.C1, code, "-redirect_uri")
		w.refused(err, InvalidRequest)
		_, err = w.redeem(&w.C1, code, "redirect_uri=")
		w.refused(err, InvalidRequest)
		_, err = w.redeem(&w.C1, code)
		w.ok(err)
	})
	w.run("RFC6749-5.2-b", func(t *testing.T) {
		code := w.code(&w.C1)
		for cause, changes := range map[string][]string{
			"unknown":          {"code=nonsense"},
			"changed":          {"code=" + code[:20] + "." + code[21:]},
			"cut":              {"code=" + code[:40]},
			"of another kind":  {"code=" + w.connected(&w.C1).AccessToken},
			"wrong verifier":   {"code_verifier=" + strings.Repeat("x", 43)},
			"another redirect": {"redirect_uri=https://c1.test/"},
		} {
			_, err := w.redeem(&w.C1, code, changes...)
			if e := w.refused(err, InvalidGrant); e.Client != w.C1.ID {
				t.Errorf("%s: the log does not know the app", cause)
			}
		}
		w.connectedWith(code)
	})
	w.run("RFC6749-5.2-c", func(t *testing.T) {
		code := w.code(&w.C1)
		for changes, want := range map[string]Refusal{
			"-grant_type": InvalidRequest, "grant_type=": InvalidRequest, "grant_type=foo": UnsupportedGrantType, "grant_type=Authorization_Code": UnsupportedGrantType,
			"grant_type=client_credentials": UnsupportedGrantType, "grant_type=implicit": UnsupportedGrantType,
		} {
			_, err := w.redeem(&w.C1, code, changes)
			w.refused(err, want)
		}
		w.connectedWith(code)
	})
	w.run("RFC9700-2.4-a", func(t *testing.T) {
		w.store.Plan(func(verb string) storetest.Fault {
			t.Errorf("grant_type=password calls %s: no user may be looked up", verb)
			return storetest.NoFault
		})
		_, err := w.redeem(&w.C1, "x", "grant_type=password", "username=jane", "password=x")
		w.refused(err, UnsupportedGrantType)
		w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
	})
	w.run("missing code", func(t *testing.T) {
		for _, change := range []string{"-code", "code="} {
			_, err := w.redeem(&w.C1, "x", change)
			w.refused(err, InvalidRequest)
		}
	})
	w.run("RFC6749-5.2-e", func(t *testing.T) {
		for _, change := range []string{"code=<script>xyzzy", "grant_type=xyzzy", "redirect_uri=xyzzy", "code_verifier=xyzzy", "client_id=xyzzy", "client_secret=xyzzy", "code=xyzzy\x00"} {
			_, err := w.redeem(&w.C1, w.code(&w.C1), change)
			if err == nil || strings.Contains(err.Error(), "xyzzy") {
				t.Errorf("%s: %v", change, err)
			}
		}
	})
	w.run("B68", func(t *testing.T) {
		code := w.code(&w.C1)
		for _, name := range tokenNames {
			for _, value := range []string{"%00", "a%0d%0ab", "%ff", "%zz", "%"} {
				_, err := w.redeem(&w.C1, code, "-"+name, "%"+name+"="+value)
				w.refused(err, InvalidRequest)
			}
		}
		w.connectedWith(code)
	})
	w.run("grant_type=refresh_token", func(t *testing.T) {
		a := w.connected(&w.C1)
		b, err := w.redeem(&w.C1, "", "grant_type=refresh_token", "-code", "-redirect_uri", "-code_verifier", "refresh_token="+a.RefreshToken)
		w.ok(err)
		if b.RefreshToken == a.RefreshToken {
			t.Error("not rotated")
		}
	})
}

func (w *world) connectedWith(code string) *TokenResponse {
	w.Helper()
	a, err := w.redeem(&w.C1, code)
	w.ok(err)
	return a
}

// A code is good once, and never again.
func TestCodeReplay(t *testing.T) {
	w := newWorld(t)
	w.run("RFC6749-4.1.2-d", func(t *testing.T) {
		code := w.code(&w.C1)
		w.connectedWith(code)
		for range 3 {
			_, err := w.redeem(&w.C1, code)
			w.refused(err, InvalidGrant)
		}
	})
	w.run("RFC6749-4.1.2-e", func(t *testing.T) {
		code := w.code(&w.C1)
		a := w.connectedWith(code)
		b := w.refreshed(&w.C1, a.RefreshToken)
		_, err := w.redeem(&w.C1, code)
		w.refused(err, InvalidGrant)
		w.dead(a)
		w.dead(b)
		_, err = w.refresh(&w.C1, b.RefreshToken)
		w.refused(err, InvalidGrant)
		if row := w.row(a); row.EndedBy != symbolon.ByCodeReplay {
			t.Errorf("ended: %s", row.EndedBy)
		}
	})
	w.run("B1", func(t *testing.T) {
		for _, pause := range []time.Duration{0, time.Second, 30 * time.Second} {
			code := w.code(&w.C1)
			a := w.connectedWith(code)
			w.clock.pass(pause)
			_, err := w.redeem(&w.C1, code)
			w.refused(err, InvalidGrant)
			w.dead(a)
		}
	})
	w.run("OAUTH21-7.5.2-a", func(t *testing.T) {
		code := w.code(&w.C1)
		a := w.connectedWith(code)
		for change, want := range map[string]Refusal{
			"code_verifier=" + strings.Repeat("x", 43): InvalidGrant, "-code_verifier": InvalidGrant, "client_secret=wrong": InvalidClient, "-client_secret": InvalidClient,
			"redirect_uri=https://c1.test/": InvalidGrant, "client_id=nope": UnknownClient, "-redirect_uri": InvalidRequest, "grant_type=foo": UnsupportedGrantType,
		} {
			_, err := w.redeem(&w.C1, code, change)
			w.refused(err, want)
			w.alive(a)
		}
		_, err := w.redeem(&w.C2, code, "redirect_uri="+uriC1)
		w.refused(err, InvalidGrant)
		w.alive(a)
		w.refreshed(&w.C1, a.RefreshToken)
	})
	w.run("OAUTH21-4.1.3-b", func(t *testing.T) {
		code := w.code(&w.C1)
		_, err := w.redeem(&w.C1, code, "code_verifier="+strings.Repeat("x", 43))
		w.refused(err, InvalidGrant)
		w.connectedWith(code)
	})
	w.run("B4", func(t *testing.T) {
		code := w.code(&w.C1)
		for change, want := range map[string]Refusal{
			"client_secret=wrong": InvalidClient, "client_id=sym_app_nope": UnknownClient, "code_verifier=" + strings.Repeat("y", 43): InvalidGrant, "redirect_uri=https://x.test": InvalidGrant, "+code=x": InvalidRequest,
		} {
			_, err := w.redeem(&w.C1, code, change)
			w.refused(err, want)
		}
		w.connectedWith(code)
	})
	w.run("B5", func(t *testing.T) {
		// The attacker's own client has another verifier.
		code := w.code(&w.C1)
		_, err := w.redeem(&w.C1, code, "code_verifier="+strings.Repeat("attacker-", 6))
		w.refused(err, InvalidGrant)
		w.connectedWith(code)
	})
	w.run("B6", func(t *testing.T) {
		code := w.code(&w.C1)
		_, err := w.redeem(&w.C2, code, "redirect_uri="+uriC1)
		w.refused(err, InvalidGrant)
		_, err = w.redeem(&w.P1, code, "redirect_uri="+uriC1)
		w.refused(err, InvalidGrant)
		w.connectedWith(code)
	})
	w.run("B23", func(t *testing.T) {
		code := w.code(&w.C1)
		for i := range 100 {
			_, err := w.redeem(&w.C1, code, fmt.Sprintf("code_verifier=%043d", i))
			w.refused(err, InvalidGrant)
		}
		w.connectedWith(code) // it stays, and expires after a minute
	})
	w.run("after it has expired, a replay ends nothing", func(t *testing.T) {
		code := w.code(&w.C1)
		a := w.connectedWith(code)
		w.clock.pass(time.Minute)
		_, err := w.redeem(&w.C1, code)
		w.refused(err, InvalidGrant)
		w.alive(a)
	})
}

// What happens between the code and its redemption.
func TestCodeAfterEvents(t *testing.T) {
	events := map[string]func(w *world){
		"the account is disabled":     func(w *world) { w.disable(w.U1.ID) },
		"the account is deleted":      func(w *world) { w.end(symbolon.End{Account: w.U1.ID, Delete: true}) },
		"the password is changed":     func(w *world) { w.end(symbolon.End{Account: w.U1.ID}) },
		"the consent is withdrawn":    func(w *world) { w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID}) },
		"all of the app is ended":     func(w *world) { w.end(symbolon.End{Client: w.C1.ID}) },
		"withdrawn and allowed again": nil,
	}
	events["withdrawn and allowed again"] = func(w *world) {
		w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID})
		w.clock.pass(time.Second)
		w.ok(w.store.Allow(w.ctx, symbolon.Consent{Account: w.U1.ID, Client: w.C1.ID, Scope: w.C1.Scope, GrantedAt: w.clock.Now()}))
	}
	t.Run("SYM-GRANT-1", func(t *testing.T) {
		for name, event := range events {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				code := w.code(&w.C1)
				event(w)
				_, err := w.redeem(&w.C1, code)
				w.refused(err, InvalidGrant)
			})
		}
	})
	t.Run("B7", func(t *testing.T) {
		for name, event := range events {
			t.Run(name+" a second later", func(t *testing.T) {
				w := newWorld(t)
				code := w.code(&w.C1)
				w.clock.pass(time.Second)
				event(w)
				w.clock.pass(time.Second)
				_, err := w.redeem(&w.C1, code)
				w.refused(err, InvalidGrant)
			})
		}
		t.Run("the app is deleted", func(t *testing.T) {
			w := newWorld(t)
			code := w.code(&w.C1)
			w.end(symbolon.End{Client: w.C1.ID, Delete: true})
			_, err := w.redeem(&w.C1, code)
			w.refused(err, UnknownClient)
		})
		t.Run("of another account and another app", func(t *testing.T) {
			w := newWorld(t)
			code := w.code(&w.C1)
			w.disable(w.U2.ID)
			w.end(symbolon.End{Client: w.C2.ID})
			w.end(symbolon.End{Account: w.U1.ID, Client: w.C2.ID})
			w.connectedWith(code)
		})
	})
}

// A store that fails: 503, never a refusal, and the same request again works as
// far as it can.
func TestTokenAndAStoreThatFails(t *testing.T) {
	w := newWorld(t)
	w.run("RFC6749-5.2-f", func(t *testing.T) {
		for _, fault := range storetest.Faults {
			code := w.code(&w.C1)
			w.store.FailNext("Connect", fault)
			_, err := w.redeem(&w.C1, code)
			if e := w.refused(err, Unavailable); e.RetryAfter <= 0 {
				t.Errorf("%s: to be tried again after %v", fault, e.RetryAfter)
			}
			a, err := w.redeem(&w.C1, code)
			if fault != storetest.Unanswered {
				w.ok(err)
				w.alive(a)
				continue
			}
			// C2: committed and not answered. The code is spent, so the person
			// must be asked again; nothing of it is left alive.
			w.refused(err, InvalidGrant)
		}
	})
	w.run("SYM-GRANT-2", func(t *testing.T) {
		// No tokens without the answer of the store that they are durable.
		for _, fault := range storetest.Faults {
			w.store.FailNext("Connect", fault)
			if a, err := w.redeem(&w.C1, w.code(&w.C1)); a != nil || err == nil {
				t.Errorf("%s: answered with %+v", fault, a)
			}
		}
	})
	w.run("who is asked for is not known", func(t *testing.T) {
		w.start()
		w.store.FailNext("Apps", storetest.Lost)
		_, err := w.redeem(&w.C1, "x")
		w.refused(err, Unavailable)
	})
}

// Rule 4 of the house: once it is spent, hanging up undoes nothing.
func TestTokenAndHangUp(t *testing.T) {
	w := newWorld(t)
	code := w.code(&w.C1)
	var hangUp func()
	w.store.Plan(func(verb string) storetest.Fault {
		if verb == "Connect" || verb == "Refresh" || verb == "End" {
			hangUp()
		}
		return storetest.NoFault
	})
	connect := func() { // what follows is one request
		w.ctx, hangUp = context.WithCancel(context.Background())
		t.Cleanup(hangUp)
	}
	connect()
	a, err := w.redeem(&w.C1, code)
	w.ok(err)
	connect()
	b, err := w.refresh(&w.C1, a.RefreshToken)
	w.ok(err)
	connect()
	_, err = w.Invalidate(w.ctx, Bearer(b.AccessToken))
	w.ok(err)
	connect()
	w.dead(b)
}

// RFC6749-10.3-a, RFC6749-2.3.1-f: what the store holds is no credential.
func TestStoreHoldsNoCredential(t *testing.T) {
	w := newWorld(t)
	code := w.code(&w.C1)
	a := w.connectedWith(code)
	b := w.refreshed(&w.C1, a.RefreshToken)
	rows, err := w.store.Connections(w.ctx, symbolon.ConnectionQuery{Limit: 100})
	w.ok(err)
	apps, err := w.store.Apps(w.ctx, symbolon.AppQuery{Limit: 100})
	w.ok(err)
	changes, _, err := w.store.Changes(w.ctx, 0, 100)
	w.ok(err)
	held := fmt.Sprintf("%+v %+v %+v", rows, apps, changes)
	for name, secret := range map[string]string{
		"code": code, "access token": a.AccessToken, "refresh token": a.RefreshToken, "successor": b.RefreshToken, "secret": w.secrets[w.C1.ID], "verifier": verifier, "challenge": challenge,
	} {
		if strings.Contains(held, secret) || strings.Contains(held, secret[len(secret)-20:]) {
			t.Errorf("the store holds the %s", name)
		}
	}
}
