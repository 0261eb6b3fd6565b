package oauth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// RFC 7523 §2.1 and §3: an assertion of a trusted issuer, and every way in which
// it is none. B55, B56, B58, B61, B62, B63.
func TestAssertionGrant(t *testing.T) {
	signer, stranger := newPair(t, "issuer-key", jose.ES256), newPair(t, "issuer-key", jose.ES256)
	keys, err := jwt.ParseSet([]byte(set(t, signer)))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) {
		c.TrustedIssuers = []TrustedIssuer{
			{Issuer: "https://idp.test", Keys: keys, ByUsername: true},
			{Issuer: "https://ids.test", Keys: keys, Audience: "urn:symbolon", Apps: []symbolon.ClientID{"sym_app_c1"}},
		}
	})
	for _, id := range []symbolon.ClientID{w.C1.ID, w.C2.ID} {
		w.edit(id, func(a *symbolon.App) {
			a.Settings.Grants = []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantAssertion}
		})
	}
	now := w.clock.Now()
	good := func() map[string]any {
		return map[string]any{"iss": "https://idp.test", "sub": "jane", "aud": "https://as.test", "exp": now.Add(time.Minute).Unix(), "jti": symbolon.NewConnectionID(now).String()}
	}
	ask := func(app *symbolon.App, assertion string, more ...string) (*TokenResponse, error) {
		req := w.tokenRequest(app, []string{"grant_type=" + string(symbolon.GrantAssertion), "assertion=" + assertion}, more)
		req.Standard = true
		return w.Token(w.ctx, req)
	}

	used := signer.sign(t, nil, good())
	a, err := ask(&w.C1, used)
	w.ok(err)
	if a.RefreshToken != "" || a.Scope != "connect" {
		t.Errorf("%+v", a)
	}
	info, err := w.Info(w.ctx, Bearer(a.AccessToken))
	w.ok(err)
	if info.ID != w.U1.ID {
		t.Errorf("the token is for %s", info.ID)
	}
	_, err = ask(&w.C1, used)
	w.refused(err, InvalidGrant)
	_, err = ask(&w.C2, used)
	w.refused(err, InvalidGrant)

	// Without a connection, the token can be ended all the same.
	_, err = w.Invalidate(w.ctx, Bearer(a.AccessToken))
	w.ok(err)
	_, err = w.Info(w.ctx, Bearer(a.AccessToken))
	w.refused(err, InvalidToken)

	byID := func() map[string]any {
		c := good()
		c["iss"], c["sub"], c["aud"] = "https://ids.test", string(w.U2.ID), "urn:symbolon"
		return c
	}
	a, err = ask(&w.C1, signer.sign(t, typ("JWT"), byID()), "scope=read")
	w.ok(err)
	if a.Grant.Account != w.U2.ID || a.Scope != "read" {
		t.Errorf("%+v", a)
	}
	_, err = ask(&w.C2, signer.sign(t, nil, byID()))
	w.refused(err, UnauthorizedClient)

	for what, change := range map[string]func(map[string]any){
		"another issuer":            func(c map[string]any) { c["iss"] = "https://other.test" },
		"no issuer":                 func(c map[string]any) { delete(c, "iss") },
		"no subject":                func(c map[string]any) { delete(c, "sub") },
		"nobody":                    func(c map[string]any) { c["sub"] = "nobody" },
		"an id where a name counts": func(c map[string]any) { c["sub"] = string(w.U1.ID) },
		"another audience":          func(c map[string]any) { c["aud"] = "https://other.test" },
		"two audiences":             func(c map[string]any) { c["aud"] = []string{"https://as.test", "https://other.test"} },
		"no audience":               func(c map[string]any) { delete(c, "aud") },
		"no end":                    func(c map[string]any) { delete(c, "exp") },
		"an end long ago":           func(c map[string]any) { c["exp"] = now.Add(-5 * time.Minute).Unix() },
		"an end far ahead":          func(c map[string]any) { c["exp"] = now.Add(24 * time.Hour).Unix() },
		"not yet":                   func(c map[string]any) { c["nbf"] = now.Add(5 * time.Minute).Unix() },
		"no jti":                    func(c map[string]any) { delete(c, "jti") },
		"a long jti":                func(c map[string]any) { c["jti"] = strings.Repeat("x", 600) },
	} {
		c := good()
		change(c)
		_, err := ask(&w.C1, signer.sign(t, nil, c))
		if e := (*Error)(nil); !errors.As(err, &e) || e.Refusal != InvalidGrant {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, text := range map[string]string{
		"another key":         stranger.sign(t, nil, good()),
		"an access token":     signer.sign(t, typ("at+jwt"), good()),
		"one of an extension": signer.sign(t, typ("oauth-id-jag+jwt"), good()),
		"a client assertion":  signer.sign(t, typ("client-authentication+jwt"), good()),
		"nonsense":            "nonsense",
		"our own JWT":         "eyJhbGciOiJub25lIn0.e30.",
	} {
		_, err := ask(&w.C1, text)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Refusal != InvalidGrant {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = ask(&w.C1, "")
	w.refused(err, InvalidRequest)
	_, err = ask(&w.C1, signer.sign(t, nil, good()), "scope=admin")
	w.refused(err, InvalidScope)

	// What was refused is not spent.
	spare := signer.sign(t, nil, good())
	_, err = ask(&w.C1, spare, "scope=admin")
	w.refused(err, InvalidScope)
	_, err = ask(&w.C1, spare)
	w.ok(err)

	// An app that was not allowed the grant, and an account that may not be used.
	_, err = ask(&w.P1, signer.sign(t, nil, good()))
	w.refused(err, UnauthorizedClient)
	w.disable(w.U1.ID)
	w.clock.pass(30 * time.Second) // beyond the moment up to which all was ended
	_, err = ask(&w.C1, signer.sign(t, nil, good()))
	w.refused(err, InvalidGrant)
}

func typ(s string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{jose.HeaderType: s} }
