//go:build linux

package e2e

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Go's own client library, with nothing but what the metadata says.
func TestXOAuth2(t *testing.T) {
	t.Parallel()
	d := demo(t)
	const redirect = "http://127.0.0.1/callback"
	described := d.get(t, "/.well-known/oauth-authorization-server")
	endpoint := oauth2.Endpoint{
		AuthURL: described.text("authorization_endpoint"), TokenURL: described.text("token_endpoint"),
		DeviceAuthURL: described.text("device_authorization_endpoint"),
	}
	for _, way := range []struct {
		name  string
		style oauth2.AuthStyle
		more  []string
	}{
		{"a secret, wherever it works", oauth2.AuthStyleAutoDetect, nil},
		{"a secret in the header", oauth2.AuthStyleInHeader, nil},
		{"a secret in the body", oauth2.AuthStyleInParams, nil},
		{"no secret", oauth2.AuthStyleAutoDetect, []string{"--public"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			a := d.newApp(t, redirect, way.more...)
			endpoint := endpoint
			endpoint.AuthStyle = way.style
			cfg := &oauth2.Config{ClientID: a.ID, ClientSecret: a.Secret, Endpoint: endpoint, RedirectURL: "http://127.0.0.1:4711/callback", Scopes: []string{"connect", "offline_access"}}
			verifier := oauth2.GenerateVerifier()
			r := send(t, newClient(), request(t, "GET", cfg.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.AccessTypeOffline), nil))
			back, err := url.Parse(r.Header.Get("Location"))
			must(t, err)
			if back.Query().Get("state") != "state" || back.Query().Get("iss") != d.base {
				t.Fatalf("the answer is %q", r.Header.Get("Location"))
			}
			token, err := cfg.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
			must(t, err)
			noteToken(token)
			if token.Type() != "Bearer" || token.RefreshToken == "" || token.Extra("scope") != "connect offline_access" {
				t.Errorf("the token: %s, scope %v", token.Type(), token.Extra("scope"))
			}
			// An expired token is refreshed by the library itself.
			token.Expiry = time.Now().Add(-time.Minute)
			client := cfg.Client(t.Context(), token)
			for range 2 {
				resp, err := client.Get(d.base + "/info")
				must(t, err)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("GET /info: %d", resp.StatusCode)
				}
			}
			fresh, err := cfg.TokenSource(t.Context(), token).Token()
			must(t, err) // the same successor again, as if the first answer was lost
			noteToken(fresh)
		})
	}

	t.Run("client credentials", func(t *testing.T) {
		a := d.newApp(t, redirect)
		cfg := clientcredentials.Config{ClientID: a.ID, ClientSecret: a.Secret, TokenURL: endpoint.TokenURL, Scopes: []string{"connect"}}
		token, err := cfg.Token(t.Context())
		must(t, err)
		noteToken(token)
		if token.RefreshToken != "" || token.Extra("scope") != "connect" {
			t.Errorf("scope %v, refresh token %t", token.Extra("scope"), token.RefreshToken != "")
		}
		p := d.newApp(t, redirect, "--public")
		cfg.ClientID, cfg.ClientSecret = p.ID, ""
		_, err = cfg.Token(t.Context())
		if refusal := new(oauth2.RetrieveError); !errors.As(err, &refusal) || refusal.ErrorCode != "unauthorized_client" {
			t.Errorf("without a secret: %v", err)
		}
	})

	t.Run("a device", func(t *testing.T) {
		a := d.newApp(t, redirect)
		cfg := &oauth2.Config{ClientID: a.ID, ClientSecret: a.Secret, Endpoint: endpoint, Scopes: []string{"connect"}}
		device, err := cfg.DeviceAuth(t.Context())
		must(t, err)
		secret(kindPassing, device.DeviceCode)
		if device.VerificationURI != d.base+"/device" || device.Interval < 1 {
			t.Errorf("%s every %d s", device.VerificationURI, device.Interval)
		}
		allowed := make(chan struct{})
		go func() {
			defer close(allowed)
			p := d.newPerson(t, newClient())
			p.open(t, "/device")
			p.submit(t, "/sign-in", "sandbox", d.greet.Accounts[0].ID)
			p.submit(t, "/device", "user_code", device.UserCode)
			p.submit(t, "/consent", "action", "allow")
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		token, err := cfg.DeviceAccessToken(ctx, device)
		<-allowed
		must(t, err)
		noteToken(token)
		if r := d.info(t, token.AccessToken); r.text("id") != d.greet.Accounts[0].ID {
			t.Errorf("GET /info: %d %s", r.Status, r.Body)
		}
	})
}

// noteToken notes what may be in no log.
func noteToken(token *oauth2.Token) {
	secret(kindPassing, token.AccessToken)
	if token.RefreshToken != "" {
		secret(kindPassing, token.RefreshToken)
	}
}
