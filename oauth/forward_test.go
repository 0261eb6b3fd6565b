package oauth

import (
	"crypto"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

func TestForward(t *testing.T) {
	w := newWorld(t)
	a := w.connected(&w.C1)
	ask := func(token string, scope string, resource string) (*Forwarded, error) {
		w.Helper()
		s, err := symbolon.ParseScopes(scope)
		w.ok(err)
		return w.Forward(w.ctx, &ForwardQuery{Shown: Bearer(token), Scope: s, Resource: resource})
	}
	w.run("good", func(t *testing.T) {
		for _, scope := range []string{"", "connect", "read connect"} {
			who, err := ask(a.AccessToken, scope, "")
			w.ok(err)
			if who.Subject != string(w.U1.ID) || who.ClientID != string(w.C1.ID) || !slices.Equal(who.Scope, symbolon.Scopes{"connect", "read"}) || who.Grant.Connection != a.Grant.Connection {
				t.Errorf("%+v", who)
			}
		}
	})
	w.run("RFC6750-3-a", func(t *testing.T) {
		_, err := ask("", "read", "https://r1.test")
		if e := w.refused(err, MissingToken); e.Scope.String() != "read" || e.Resource != "https://r1.test" {
			t.Errorf("the challenge will not say what is needed: %+v", e)
		}
	})
	w.run("RFC6750-3.1-a", func(t *testing.T) {
		for _, token := range []string{"x", "sym_at_", a.AccessToken + "x", a.RefreshToken, "eyJhbGciOiJub25lIn0.e30."} {
			_, err := ask(token, "", "")
			w.refused(err, InvalidToken)
		}
		for _, scope := range []string{"write", "read write", "rea", "READ"} {
			_, err := ask(a.AccessToken, scope, "")
			if e := w.refused(err, InsufficientScope); e.Client != w.C1.ID || e.Scope.String() != scope {
				t.Errorf("%+v", e)
			}
		}
	})
	w.run("RFC9068-3-a", func(t *testing.T) {
		r1 := w.connected(&w.C1, "resource=https://r1.test/v1")
		for resource, good := range map[string]bool{
			"https://r1.test/v1": true, "HTTPS://R1.test:443/v1": true, "https://r1.test/v1/": true, "https://r1.test": false, "https://r1.test/v1//": false,
			"https://r2.test": false, "": false, "no uri": false,
		} {
			_, err := ask(r1.AccessToken, "read", resource)
			if good {
				w.ok(err)
			} else {
				w.refused(err, InvalidToken)
			}
		}
		// A token that names no API is for the one beside the server, and no other.
		_, err := ask(a.AccessToken, "read", "https://r1.test/v1")
		w.refused(err, InvalidToken)
	})
	w.run("RFC9449-7.1-a", func(t *testing.T) {
		key := newPair(t, "bound", "ES256")
		public := jose.JSONWebKey{Key: key.public}
		thumb, err := public.Thumbprint(crypto.SHA256)
		w.ok(err)
		const target = "https://api.test/orders"
		bound := func(b symbolon.Binding) string {
			token := symbolon.AccessToken{Grant: a.Grant}
			token.Binding = b
			text, err := w.sealed(seal.AccessToken, &token, w.clock.Now())
			w.ok(err)
			return text
		}
		text := bound(symbolon.Binding{Kind: symbolon.BoundByDPoP, Thumbprint: [32]byte(thumb)})
		show := func(token, scheme, url, htu string) error {
			s := Shown{Token: token, DPoP: scheme == "DPoP"}
			s.Proof = Proof{Method: "PUT", URL: url, DPoP: []string{key.proves(t, w.proofOf("PUT", htu).with(claimsOf{"ath": athOf(token)}))}}
			_, err := w.Forward(w.ctx, &ForwardQuery{Shown: s, Scope: symbolon.Scopes{"read"}})
			return err
		}
		w.ok(show(text, "DPoP", target, target))
		if e := w.refused(show(text, "DPoP", target, "https://as.test/forward-auth"), InvalidDPoPProof); !e.Shown || !e.DPoP || e.Scope.String() != "read" {
			t.Errorf("%+v", e)
		}
		// What the proxy does not say cannot be checked.
		w.refused(show(text, "DPoP", "", target), InvalidToken)
		w.refused(show(text, "Bearer", target, target), InvalidToken)
		w.refused(show(a.AccessToken, "DPoP", target, target), InvalidToken)
		w.refused(show(bound(symbolon.Binding{Kind: symbolon.BoundByTLS, Thumbprint: [32]byte{1}}), "Bearer", target, target), InvalidToken)
	})
	w.run("an app in its own name", func(t *testing.T) {
		token := symbolon.AccessToken{Grant: a.Grant}
		token.Account, token.Name = "", ""
		text, err := w.sealed(seal.AccessToken, &token, w.clock.Now())
		w.ok(err)
		who, err := ask(text, "", "")
		w.ok(err)
		if who.Subject != string(w.C1.ID) || who.ClientID != string(w.C1.ID) {
			t.Errorf("%+v", who)
		}
	})
	w.run("an app by its URL", func(t *testing.T) {
		w.edit(w.C1.ID, func(app *symbolon.App) {
			app.Settings.Registration = &symbolon.Registration{ClientID: "https://c1.test/app.json", Document: true}
		})
		who, err := ask(a.AccessToken, "", "")
		w.ok(err)
		if who.ClientID != "https://c1.test/app.json" {
			t.Errorf("%+v", who)
		}
	})
	w.run("ended", func(t *testing.T) {
		b := w.connected(&w.C2)
		_, err := w.Invalidate(w.ctx, Bearer(b.AccessToken))
		w.ok(err)
		_, err = ask(b.AccessToken, "nothing-it-has", "")
		w.refused(err, InvalidToken) // 401 comes before 403
	})
	w.run("expired", func(t *testing.T) {
		w.clock.pass(10 * time.Minute)
		_, err := ask(a.AccessToken, "", "")
		w.refused(err, InvalidToken)
	})
}

// Who knows not what has ended honours nothing.
func TestForwardWithoutTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.connected(&w.C1)
		w.store.Plan(func(string) storetest.Fault { return storetest.Lost })
		time.Sleep(w.cfg.withDefaults().FeedBound + time.Millisecond)
		_, err := w.Forward(w.ctx, &ForwardQuery{Shown: Bearer(a.AccessToken)})
		w.refused(err, Unavailable)
	})
}
