package oauth

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
)

// encrypted is how the apps of these tests want to be told.
var encrypted = symbolon.Encryption{Key: "ECDH-ES"}

// What is encrypted needs a key before anything is spent; where it is missing, nothing
// is, and the same request works once it is there.
func TestEncryptionKeys(t *testing.T) {
	key := newPair(t, "e1", jose.ES256)
	sets := map[string]string{}
	w := newSignIns(t, func(c *Config) {
		c.Fetch = func(_ context.Context, url string) ([]byte, time.Duration, error) {
			if text, there := sets[url]; there {
				return []byte(text), time.Minute, nil
			}
			return nil, 0, symbolon.Errorf(symbolon.NotFound, "fetch", "404")
		}
		c.IDToken = func(r *IDTokenRequest) (string, error) {
			if r.Reader == nil {
				return "plain", nil
			}
			return r.Reader.Encrypt(r.App.Settings.OpenID.IDTokenEncryption.Key, "A256GCM", "signed")
		}
	})
	wants := func(change func(*symbolon.Settings)) {
		w.edit(w.C1.ID, func(a *symbolon.App) {
			a.Settings.OpenID = symbolon.OpenID{IDTokenSigning: "ES256", IDTokenEncryption: encrypted, UserinfoEncryption: encrypted}
			a.Settings.Keys, a.Settings.KeysURI = "", ""
			change(&a.Settings)
		})
	}
	w.run("in its settings", func(t *testing.T) {
		wants(func(s *symbolon.Settings) { s.Keys = keySetOf(t, key, "enc") })
		a := w.connected(&w.C1, "scope=openid")
		if strings.Count(a.IDToken, ".") != 4 {
			t.Errorf("%s", a.IDToken)
		}
		if again := w.refreshed(&w.C1, a.RefreshToken); strings.Count(again.IDToken, ".") != 4 {
			t.Errorf("%s", again.IDToken)
		}
		u, err := w.Userinfo(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		if u.Reader == nil || !u.Reader.Encrypts("ECDH-ES") {
			t.Error("userinfo has no key")
		}
		// OIDCC-3.1.2.1-o: as a hint, the app sends what is inside.
		_, err = w.Authorize(w.ctx, w.request(&w.C1, "scope=openid", "id_token_hint="+a.IDToken), w.allowing())
		w.redirected(err, InvalidRequest, uriC1, "xyz")
	})
	w.run("none that fits", func(t *testing.T) {
		for name, change := range map[string]func(*symbolon.Settings){
			"no keys at all":    func(*symbolon.Settings) {},
			"one that verifies": func(s *symbolon.Settings) { s.Keys = keySetOf(t, key, "sig") },
			"of another kind": func(s *symbolon.Settings) {
				s.Keys, s.OpenID.IDTokenEncryption.Key = keySetOf(t, key, "enc"), "RSA-OAEP-256"
			},
			"away": func(s *symbolon.Settings) { s.KeysURI = "https://c1.test/away" },
		} {
			wants(func(s *symbolon.Settings) { s.Keys = keySetOf(t, key, "enc") })
			first := w.connected(&w.C1, "scope=openid")
			code := w.code(&w.C1, "scope=openid")
			wants(func(s *symbolon.Settings) { change(s) })
			_, err := w.redeem(&w.C1, code)
			if r := w.refused(err, Unavailable); r.RetryAfter <= 0 {
				t.Errorf("%s: no Retry-After", name)
			}
			_, err = w.refresh(&w.C1, first.RefreshToken)
			w.refused(err, Unavailable)
			// Nothing was spent.
			wants(func(s *symbolon.Settings) { s.Keys = keySetOf(t, key, "enc") })
			_, err = w.redeem(&w.C1, code)
			w.ok(err)
			w.refreshed(&w.C1, first.RefreshToken)
		}
	})
	w.run("at its jwks_uri, and a new one there", func(t *testing.T) {
		const at = "https://c1.test/jwks"
		sets[at] = keySetOf(t, key, "sig")
		wants(func(s *symbolon.Settings) { s.KeysURI = at })
		code := w.code(&w.C1, "scope=openid")
		_, err := w.redeem(&w.C1, code)
		w.refused(err, Unavailable)
		sets[at] = keySetOf(t, newPair(t, "e2", jose.ES256), "enc")
		w.clock.pass(30 * time.Second)
		_, err = w.redeem(&w.C1, code) // no one makes us fetch at every request
		w.refused(err, Unavailable)
		w.clock.pass(40 * time.Second)
		w.connected(&w.C1, "scope=openid")
	})
}

// keySetOf is a set of one key, with a use.
func keySetOf(t *testing.T, key keyPair, use string) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.public, KeyID: key.kid, Use: use}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
