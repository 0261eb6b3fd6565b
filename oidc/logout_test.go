package oidc

import (
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// BCL-2.4-a: what a logout token says, and what it must not.
func TestLogoutToken(t *testing.T) {
	p := newTeller(t)
	seen := map[any]bool{}
	for _, algorithm := range append([]string{""}, jwt.Algorithms...) {
		app := &symbolon.App{ID: "sym_app_c1", Settings: symbolon.Settings{OpenID: symbolon.OpenID{IDTokenSigning: algorithm}}}
		text, err := p.LogoutToken(app, "pairwise", symbolon.SessionID{1}, now)
		check(t, err)
		header, claims := read(t, text)
		if want := app.Settings.OpenID.SigningAlgorithm(); header["alg"] != want || header["typ"] != "logout+jwt" || header["kid"] == nil {
			t.Errorf("%s: header %v", want, header)
		}
		events, _ := claims["events"].(map[string]any)
		event, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
		if !ok || len(event) != 0 || len(events) != 1 {
			t.Errorf("events %v", claims["events"])
		}
		iat, exp := claims["iat"].(float64), claims["exp"].(float64)
		if claims["iss"] != "https://as.test" || claims["aud"] != "sym_app_c1" || claims["sub"] != "pairwise" || claims["sid"] != (symbolon.SessionID{1}).String() ||
			int64(iat) != now.Unix() || exp <= iat || exp > iat+120 || len(claims) != 8 {
			t.Errorf("claims %v", claims)
		}
		if jti, ok := claims["jti"].(string); !ok || len(jti) < 20 || seen[jti] {
			t.Errorf("jti %v", claims["jti"])
		}
		seen[claims["jti"]] = true
		if _, has := claims["nonce"]; has {
			t.Error("it has a nonce")
		}
		// It is no ID token, and no ID token is one.
		var any map[string]any
		if p.Signing.Open(oauth.TypeIDToken, text, &any, now) == nil {
			t.Error("it is taken for an ID token")
		}
		id, err := p.IDToken(asked(algorithm))
		check(t, err)
		if p.Signing.Open(typLogout, id, &any, now) == nil {
			t.Error("an ID token is taken for it")
		}
	}
	if _, err := p.LogoutToken(&symbolon.App{Settings: symbolon.Settings{OpenID: symbolon.OpenID{IDTokenSigning: "HS256"}}}, "s", symbolon.SessionID{1}, now); symbolon.KindOf(err) != symbolon.Internal {
		t.Error(err)
	}
}
