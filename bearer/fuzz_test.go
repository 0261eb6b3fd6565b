package bearer

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzToken: no header gets in, and every refusal is well formed.
func FuzzToken(f *testing.F) {
	as := newFake(f)
	v := as.verifier(func(o *Options) { o.Client = &http.Client{Transport: direct(as.serve)} })
	good := as.jwt()
	f.Add("Bearer "+good[:len(good)-3], "a=b")
	f.Add("Bearer a.b.c", "access_token=x")
	f.Add("DPoP "+as.bound(), "")
	f.Add("bearer sym_at_x==", "%zz")
	f.Add("Basic x", "access%5ftoken")
	f.Add("Bearer "+sign(f, otherKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "ec"}, as.claims()), "")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		r.URL.RawQuery = query
		w, token := call(v, r, "connect")
		if token != nil && !strings.HasSuffix(header, good) {
			t.Fatalf("%q got in as %+v", header, token)
		}
		if token == nil {
			if w.Code != 400 && w.Code != 401 && w.Code != 403 {
				t.Fatalf("%q: %d %s", header, w.Code, w.Body)
			}
			wantChallenge(t, w.Header().Get("WWW-Authenticate"))
		}
	})
}

// FuzzClaims: what a signed token or the server says never makes a token without
// what it must have.
func FuzzClaims(f *testing.F) {
	as := newFake(f)
	v := as.verifier(func(o *Options) { o.Client = &http.Client{Transport: direct(as.serve)} })
	f.Add(mustJSON(as.claims()), true)
	f.Add(mustJSON(as.claims("active", true, "cnf", map[string]any{"jkt": "x"})), false)
	f.Add(`{"active":true,"aud":["`+resource+`"],"sub":"x","exp":1e9}`, false)
	f.Add(`{"act":{"act":{"act":{}}},"authorization_details":[1]}`, true)
	f.Fuzz(func(t *testing.T, payload string, jwt bool) {
		var token *Token
		var err error
		if jwt {
			token, err = v.Check(context.Background(), sign(t, ecKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "ec"}, payload))
		} else {
			as.set(func() { as.answer = payload + " " })
			token, err = v.Check(context.Background(), rnd())
		}
		switch {
		case err == nil:
			if !v.o.meant(token.Audience) || token.Confirmation != (Confirmation{}) || token.Subject == "" && token.ClientID == "" {
				t.Fatalf("%s got in as %+v", payload, token)
			}
		default:
			var e *Error
			if !errors.As(err, &e) || token != nil {
				t.Fatalf("%s: %v, %v", payload, token, err)
			}
		}
	})
}

// FuzzMetadata: no document of the server makes us ask elsewhere than it says.
func FuzzMetadata(f *testing.F) {
	f.Add(`{"issuer":"https://as.test","jwks_uri":"https://as.test/jwks"}`)
	f.Add(`{"issuer":"https://as.test","introspection_endpoint":"http://as.test/"}`)
	f.Add(`{"issuer":["x"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseMetadata([]byte(text), "https://as.test")
		for _, u := range []string{at.introspection, at.jwks} {
			if u != "" && (err != nil || !strings.HasPrefix(u, "https:") || checkURL("", u) != nil) {
				t.Fatalf("%s: %q, %v", text, u, err)
			}
		}
	})
}

// FuzzKeys: every key that counts is public and strong enough.
func FuzzKeys(f *testing.F) {
	f.Add(mustJSON(map[string]any{"keys": []any{jwk(ecKey.Public(), "a", ""), jwk(rsaKey.Public(), "b", "")}}))
	f.Add(`{"keys":[{"kty":"oct","k":"AA"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		set, err := parseKeys([]byte(text))
		if (err == nil) != (len(set) > 0) {
			t.Fatalf("%d keys and %v", len(set), err)
		}
		for _, k := range set {
			if !signsWith(k.key, k.algorithm) {
				t.Fatalf("%+v counts", k)
			}
		}
	})
}

// FuzzNormalURL: to normalise twice is to normalise once, and nothing makes two
// hosts or paths of different meaning equal.
func FuzzNormalURL(f *testing.F) {
	for _, s := range []string{"https://api.test:443/a%2fb?x#y", "HTTP://A.b", "https://[::1]:80/", "https://a/%7e%zz", "//x", "https://x:/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := normalURL(text)
		if once == "" {
			return
		}
		if twice := normalURL(once); twice != once {
			t.Fatalf("%q: %q, then %q", text, once, twice)
		}
		if strings.ContainsAny(once, "?#") || !strings.HasPrefix(once, "http") {
			t.Fatalf("%q: %q", text, once)
		}
	})
}
