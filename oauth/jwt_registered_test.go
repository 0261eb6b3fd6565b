package oauth

import (
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// A JWT of an app that registered itself is that app's: it is over with the app
// and with what the person allowed it (A8, ended means ended), its app may revoke
// it and ask about it, and what comes of an exchange ends with it, too.
func TestJWTsOfRegisteredApps(t *testing.T) {
	w := newRegistry(t, func(c *Config) {
		c.Resources = []Resource{{URI: r2, Name: "two", Token: symbolon.TokenJWT}}
	})
	info, app := w.joined(nil)
	id := idOf(dynamicID, info.ClientID)
	w.edit(w.C1.ID, func(a *symbolon.App) {
		a.Settings.Grants = []symbolon.GrantType{symbolon.GrantExchange}
		a.Settings.ExchangeFor = []symbolon.ClientID{id}
	})
	connect := func() *TokenResponse {
		w.Helper()
		w.clock.pass(time.Second)
		tokens := w.connected(app, "resource="+r2)
		w.ok(w.feed.Poll(w.ctx))
		if !strings.HasPrefix(tokens.AccessToken, "eyJ") {
			t.Fatalf("no JWT: %.10s", tokens.AccessToken)
		}
		w.clock.pass(time.Second)
		return tokens
	}
	good := func(token string) bool {
		w.Helper()
		_, err := w.Forward(w.ctx, &ForwardQuery{Shown: Bearer(token), Resource: r2})
		return err == nil
	}
	for name, end := range map[string]symbolon.End{
		"the app":      {Client: id},
		"the two":      {Client: id, Account: w.U1.ID},
		"the account":  {Account: w.U1.ID},
		"the deletion": {Client: id, Delete: true},
	} {
		tokens := connect()
		traded, err := w.exchange(&w.C1, tokens.AccessToken)
		w.ok(err)
		if !good(tokens.AccessToken) || !good(traded.AccessToken) || !w.active(app, tokens.AccessToken) {
			t.Errorf("%s: not good before", name)
		}
		end.Now, end.Reason = w.clock.Now(), symbolon.ByOperator
		_, err = w.store.End(w.ctx, end)
		w.ok(err)
		w.ok(w.feed.Poll(w.ctx))
		if good(tokens.AccessToken) {
			t.Errorf("%s ended, and the JWT is honoured", name)
		}
		if good(traded.AccessToken) {
			t.Errorf("%s ended, and what came of an exchange is honoured", name)
		}
	}
	tokens := connect()
	w.ok(w.revoke(app, tokens.AccessToken))
	if good(tokens.AccessToken) {
		t.Error("it was revoked, and is honoured")
	}
	if w.active(app, tokens.AccessToken) {
		t.Error("it was revoked, and is active")
	}
}

// The same of an app that is known by its document, whose client_id is a URL.
func TestJWTsOfDocumentApps(t *testing.T) {
	w, _ := newSite(t, func(c *Config) {
		c.Resources = []Resource{{URI: r2, Name: "two", Token: symbolon.TokenJWT}}
	})
	w.clock.pass(time.Second)
	tokens := w.connected(x1, "resource="+r2)
	query := ForwardQuery{Shown: Bearer(tokens.AccessToken), Resource: r2}
	who, err := w.Forward(w.ctx, &query)
	w.ok(err)
	if who.ClientID != urlX1 || who.Grant.Client != idOf(documentID, urlX1) {
		t.Errorf("%s, %s", who.ClientID, who.Grant.Client)
	}
	w.clock.pass(time.Second)
	w.end(symbolon.End{Client: idOf(documentID, urlX1), Reason: symbolon.ByOperator, Now: w.clock.Now()})
	w.ok(w.feed.Poll(w.ctx))
	_, err = w.Forward(w.ctx, &query)
	w.refused(err, InvalidToken)
}
