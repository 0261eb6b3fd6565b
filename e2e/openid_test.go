//go:build linux

package e2e

import (
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// A client library of OpenID Connect, with the issuer and nothing else: discovery,
// the code flow with PKCE and a nonce, the ID token against the key set, userinfo.
func TestGoOIDC(t *testing.T) {
	t.Parallel()
	d := demo(t)
	issuer, err := oidc.NewProvider(t.Context(), d.base)
	must(t, err)
	for _, way := range []struct {
		algorithm, signed string
		more              []string
	}{
		{"RS256", "", nil},
		{"ES256", "", []string{"--id-token-alg", "ES256"}},
		{"RS256", "ES256", []string{"--userinfo-alg", "ES256", "--public"}},
	} {
		t.Run(way.algorithm+" "+way.signed, func(t *testing.T) {
			const redirect = "http://127.0.0.1/callback"
			a := &app{s: d, redirect: redirect}
			d.cli(t, "", a, append([]string{"app", "create", "--name", "Portal", "--redirect-uri", redirect, "--scope", "openid profile email"}, way.more...)...)
			if a.Secret != "" {
				secret(kindSecret, a.Secret)
			}
			cfg := &oauth2.Config{ClientID: a.ID, ClientSecret: a.Secret, Endpoint: issuer.Endpoint(), RedirectURL: redirect, Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}
			verifier := oauth2.GenerateVerifier()
			u, err := url.Parse(cfg.AuthCodeURL("state", oidc.Nonce("n-"+way.algorithm), oauth2.S256ChallengeOption(verifier)))
			must(t, err)
			// In a browser, with a real sign-in.
			p := d.newPerson(t, newClient())
			p.open(t, u.RequestURI())
			p.submit(t, "/sign-in", "sandbox", d.greet.Accounts[0].ID)
			code := redirected(t, a, p.submit(t, "/consent", "action", "allow")).Get("code")
			token, err := cfg.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
			must(t, err)
			noteToken(token)
			raw, _ := token.Extra("id_token").(string)
			id, err := issuer.VerifierContext(t.Context(), &oidc.Config{ClientID: a.ID, SupportedSigningAlgs: []string{way.algorithm}}).Verify(t.Context(), raw)
			must(t, err)
			must(t, id.VerifyAccessToken(token.AccessToken))
			var claims struct {
				Session string `json:"sid"`
				ACR     string `json:"acr"`
				Email   string `json:"email"`
				AuthAt  int64  `json:"auth_time"`
			}
			must(t, id.Claims(&claims))
			if id.Subject != d.greet.Accounts[0].ID || id.Nonce != "n-"+way.algorithm || len(claims.Session) != 32 || claims.ACR != "1" || claims.AuthAt == 0 || claims.Email != "" {
				t.Errorf("%+v %+v", id, claims)
			}
			info, err := issuer.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
			must(t, err)
			if info.Subject != id.Subject || info.Email != "jane.doe@example.com" || !info.EmailVerified {
				t.Errorf("%+v", info)
			}
			// Of another app, it is refused.
			if _, err := issuer.VerifierContext(t.Context(), &oidc.Config{ClientID: "sym_app_other"}).Verify(t.Context(), raw); err == nil {
				t.Error("it is good for another app")
			}
			// In the same browser, without a page; and of a public app, which is asked every time.
			r := p.open(t, u.RequestURI()+"&prompt=none&id_token_hint="+raw)
			if got := redirected(t, a, r); (got.Get("code") != "") != (a.Secret != "") {
				t.Errorf("prompt=none: %v", got.Get("error"))
			}
			fresh, err := cfg.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
			must(t, err)
			noteToken(fresh)
			again, err := issuer.Verifier(&oidc.Config{ClientID: a.ID, SupportedSigningAlgs: []string{way.algorithm}}).Verify(t.Context(), fresh.Extra("id_token").(string))
			must(t, err)
			if again.Subject != id.Subject || again.Nonce != "" {
				t.Errorf("after a refresh: %+v", again)
			}
		})
	}
}
