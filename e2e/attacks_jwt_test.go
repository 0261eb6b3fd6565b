//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// jwtSigner signs what an app with a key of its own sends.
type jwtSigner struct {
	key *ecdsa.PrivateKey
	kid string
}

func newSigner(t testing.TB) jwtSigner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return jwtSigner{key, "k1"}
}

func (s jwtSigner) sign(t testing.TB, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	return signWith(t, jose.ES256, s.key, header, claims)
}

func signWith(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	must(t, err)
	b, err := json.Marshal(claims)
	must(t, err)
	signed, err := signer.Sign(b)
	must(t, err)
	text, err := signed.CompactSerialize()
	must(t, err)
	return text
}

func edited(m map[string]any, changes map[string]any) map[string]any {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	return m
}

// Attacks on what apps sign: assertions, request objects and DPoP proofs. Each
// forgery is tried in all three places.
func TestAttackSigned(t *testing.T) {
	t.Parallel()
	d := demo(t)
	base := d.greet.BaseURL
	s, stranger := newSigner(t), newSigner(t)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: s.kid}}})
	must(t, err)
	file := filepath.Join(t.TempDir(), "jwks.json")
	must(t, os.WriteFile(file, set, 0o600))
	a := d.newApp(t, "https://j1.test/cb", "--auth", "private_key_jwt", "--keys", file, "--grant", "client_credentials", "--grant", "code")

	now := time.Now().Unix()
	assertion := func() map[string]any {
		return map[string]any{"iss": a.ID, "sub": a.ID, "aud": base, "exp": now + 120, "jti": rand.Text()}
	}
	object := func() map[string]any {
		return map[string]any{"iss": a.ID, "client_id": a.ID, "aud": base, "exp": now + 120, "response_type": "code", "redirect_uri": a.redirect, "scope": "connect"}
	}
	proof := func() map[string]any {
		return map[string]any{"htm": "POST", "htu": base + "/oauth2/token", "iat": time.Now().Unix(), "jti": rand.Text()}
	}
	ask := func(text string, opts ...option) *reply {
		return d.post(t, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion": {text},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, opts...)
	}
	prove := func(text string) *reply { return ask(s.sign(t, kid(s), assertion()), header("DPoP", text)) }
	authorize := func(text string) *reply {
		return d.get(t, "/authorize?"+url.Values{"client_id": {a.ID}, "request": {text}}.Encode(), header("Accept", "application/json"))
	}
	own := func(s jwtSigner) map[jose.HeaderKey]any {
		return map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: s.key.Public()}}
	}

	// What is good, so that the refusals below have a reason.
	if r := ask(s.sign(t, kid(s), assertion())); r.Status != 200 {
		t.Fatalf("a good assertion: %d %s", r.Status, r.Body)
	}
	if r := prove(s.sign(t, own(s), proof())); r.Status != 200 || r.text("token_type") != "DPoP" {
		t.Fatalf("a good proof: %d %s", r.Status, r.Body)
	}
	if r := authorize(s.sign(t, kid(s), object())); r.Status != 200 || r.text("code") == "" {
		t.Fatalf("a good request object: %d %s", r.Status, r.Body)
	}

	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	everywhere := func(name string, forge func(header map[jose.HeaderKey]any, claims map[string]any) string) {
		t.Run(name, func(t *testing.T) {
			refused(t, ask(forge(kid(s), assertion())), 401, "invalid_client")
			code := "invalid_request_object"
			if name == "B55 none" {
				code = "request_not_supported" // OpenID Connect Core §3.1.2.6
			}
			refused(t, authorize(forge(kid(s), object())), 400, code)
			refused(t, prove(forge(own(s), proof())), 400, "invalid_dpop_proof")
		})
	}
	for _, alg := range []string{"none", "None", "nOnE"} {
		everywhere("B55 "+alg, func(header map[jose.HeaderKey]any, claims map[string]any) string {
			header["alg"] = alg
			h, _ := json.Marshal(header)
			c, _ := json.Marshal(claims)
			return part(string(h)) + "." + part(string(c)) + "."
		})
	}
	everywhere("B56 HS256 by the public key", func(header map[jose.HeaderKey]any, claims map[string]any) string {
		return signWith(t, jose.HS256, set, header, claims)
	})
	everywhere("B57 keys in the header", func(header map[jose.HeaderKey]any, claims map[string]any) string {
		if header["jwk"] == nil {
			header["jwk"] = jose.JSONWebKey{Key: stranger.key.Public()}
		}
		header["jku"], header["x5u"] = "https://evil.test/jwks", "https://evil.test/cert"
		return stranger.sign(t, header, claims)
	})
	for _, id := range []string{"../../dev/null", "' OR 1=1 --", strings.Repeat("k", 5000)} {
		t.Run("B57 kid", func(t *testing.T) {
			refused(t, ask(stranger.sign(t, map[jose.HeaderKey]any{"kid": id}, assertion())), 401, "invalid_client")
		})
	}
	for _, typ := range []string{"at+jwt", "logout+jwt", "client-authentication+jwt", "oauth-authz-req+jwt", "dpop+jwt", "JWT"} {
		t.Run("B58 "+typ, func(t *testing.T) {
			h := func(h map[jose.HeaderKey]any) map[jose.HeaderKey]any { h["typ"] = typ; return h }
			if typ != "client-authentication+jwt" && typ != "JWT" {
				refused(t, ask(s.sign(t, h(kid(s)), assertion())), 401, "invalid_client")
			}
			if typ != "oauth-authz-req+jwt" && typ != "JWT" {
				refused(t, authorize(s.sign(t, h(kid(s)), object())), 400, "invalid_request_object")
			}
			if typ != "dpop+jwt" {
				refused(t, prove(s.sign(t, h(own(s)), proof())), 400, "invalid_dpop_proof")
			}
		})
	}
	t.Run("B58 one for another", func(t *testing.T) {
		refused(t, ask(s.sign(t, kid(s), object())), 401, "invalid_client")
		refused(t, authorize(s.sign(t, kid(s), assertion())), 400, "invalid_request_object")
		if r := d.info(t, s.sign(t, kid(s), assertion())); r.Status != 401 {
			t.Errorf("as an access token: %d", r.Status)
		}
	})
	everywhere("B59 deep", func(header map[jose.HeaderKey]any, claims map[string]any) string {
		return s.sign(t, header, edited(claims, map[string]any{"exp": json.RawMessage(strings.Repeat("[", 3000) + strings.Repeat("]", 3000))}))[1:]
	})
	t.Run("B59 large", func(t *testing.T) {
		refused(t, ask(s.sign(t, kid(s), edited(assertion(), map[string]any{"x": strings.Repeat("x", 30_000)}))), 401, "invalid_client")
	})
	everywhere("B60 r and s are 0", func(header map[jose.HeaderKey]any, claims map[string]any) string {
		text := s.sign(t, header, claims)
		return text[:strings.LastIndexByte(text, '.')+1] + strings.Repeat("A", 86)
	})
	t.Run("B61 audience", func(t *testing.T) {
		for _, aud := range []any{[]string{base, "https://evil.test"}, []string{base}, base + "/", "http://evil.test", nil} {
			refused(t, ask(s.sign(t, kid(s), edited(assertion(), map[string]any{"aud": aud}))), 401, "invalid_client")
		}
	})
	t.Run("B62 replay", func(t *testing.T) {
		text := s.sign(t, kid(s), assertion())
		if r := ask(text); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		refused(t, ask(text), 401, "invalid_client")
	})
	t.Run("B63 exp in ten years", func(t *testing.T) {
		refused(t, ask(s.sign(t, kid(s), edited(assertion(), map[string]any{"exp": now + 10*365*86400}))), 401, "invalid_client")
	})
	t.Run("B64 proof", func(t *testing.T) {
		text := s.sign(t, own(s), proof())
		if r := prove(text); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		refused(t, prove(text), 400, "invalid_dpop_proof")
		refused(t, prove(s.sign(t, own(s), edited(proof(), map[string]any{"iat": now + 3600}))), 400, "invalid_dpop_proof")
	})
	t.Run("B65 htu", func(t *testing.T) {
		for _, htu := range []string{base + "/oauth2/token/", base + "//oauth2/token", strings.Replace(base, "//", "//x@", 1) + "/oauth2/token", base + "/oauth2/token/../token", base + "/token"} {
			refused(t, prove(s.sign(t, own(s), edited(proof(), map[string]any{"htu": htu}))), 400, "invalid_dpop_proof")
		}
	})
	t.Run("B64 a stolen token", func(t *testing.T) {
		access := prove(s.sign(t, own(s), proof())).text("access_token")
		hash := sha256.Sum256([]byte(access))
		shown := map[string]any{"htm": "GET", "htu": base + "/info", "iat": time.Now().Unix(), "jti": rand.Text(), "ath": base64.RawURLEncoding.EncodeToString(hash[:])}
		if r := d.info(t, access); r.Status != 401 {
			t.Errorf("as a bearer token: %d", r.Status)
		}
		r := d.get(t, "/info", header("Authorization", "DPoP "+access), header("DPoP", stranger.sign(t, own(stranger), shown)))
		refused(t, r, 401, "invalid_token")
	})
}

func kid(s jwtSigner) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": s.kid} }
