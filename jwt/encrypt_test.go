package jwt

import (
	"crypto"
	"crypto/elliptic"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
)

// decrypted opens an encrypted JWT with a private key, by the library alone.
func decrypted(t testing.TB, key any, text string) (jose.Header, string) {
	t.Helper()
	var keys []jose.KeyAlgorithm
	for _, a := range KeyAlgorithms {
		keys = append(keys, jose.KeyAlgorithm(a))
	}
	var contents []jose.ContentEncryption
	for _, a := range ContentAlgorithms {
		contents = append(contents, jose.ContentEncryption(a))
	}
	sealed, err := jose.ParseEncryptedCompact(text, keys, contents)
	check(t, err)
	plain, err := sealed.Decrypt(key)
	check(t, err)
	return sealed.Header, string(plain)
}

// Every pair of algorithms, to a key that fits.
func TestEncrypt(t *testing.T) {
	ec := newEC(t, elliptic.P256())
	ec521 := newEC(t, elliptic.P521())
	for _, algorithm := range KeyAlgorithms {
		for _, content := range ContentAlgorithms {
			keys := map[string]crypto.Signer{"p256": ec, "p521": ec521}
			if strings.HasPrefix(algorithm, "RSA") {
				keys = map[string]crypto.Signer{"rsa": theRSA()}
			}
			for name, key := range keys {
				set, err := ParseSet(setOf(member(t, key.Public(), map[string]any{"kid": name, "use": "enc"})))
				check(t, err)
				if set.Signs() {
					t.Errorf("%s: a key for encryption verifies", name)
				}
				text, err := set.Encrypt(algorithm, content, "signed.by.us")
				check(t, err)
				header, plain := decrypted(t, key, text)
				if plain != "signed.by.us" || header.KeyID != name || header.Algorithm != algorithm || header.ExtraHeaders["enc"] != nil && header.ExtraHeaders["enc"] != content || header.ExtraHeaders["cty"] != "JWT" {
					t.Errorf("%s %s: %v %s", algorithm, content, header, plain)
				}
				again, err := set.Encrypt(algorithm, content, "signed.by.us")
				check(t, err)
				if again == text {
					t.Errorf("%s %s: two are the same", algorithm, content)
				}
				text, err = set.EncryptClaims(algorithm, content, map[string]any{"sub": "a"})
				check(t, err)
				if header, plain := decrypted(t, key, text); plain != `{"sub":"a"}` || header.ExtraHeaders["cty"] != nil {
					t.Errorf("%s %s: claims %v %s", algorithm, content, header, plain)
				}
			}
		}
	}
}

// Which key of several is taken, and which is none.
func TestEncryptionKeys(t *testing.T) {
	ec, other, ec384 := newEC(t, elliptic.P256()), newEC(t, elliptic.P256()), newEC(t, elliptic.P384())
	key := func(key crypto.Signer, kid string, changes map[string]any) string {
		m := map[string]any{"kid": kid}
		for name, value := range changes {
			m[name] = value
		}
		return member(t, key.Public(), m)
	}
	for _, c := range []struct {
		name      string
		set       []byte
		algorithm string
		want      string
	}{
		{"use enc before none", setOf(key(ec, "a", nil), key(other, "b", map[string]any{"use": "enc"})), "ECDH-ES", "b"},
		{"the first that fits", setOf(key(ec, "a", nil), key(other, "b", nil)), "ECDH-ES", "a"},
		{"use sig never", setOf(key(ec, "a", map[string]any{"use": "sig"})), "ECDH-ES", ""},
		{"another use", setOf(key(ec, "a", map[string]any{"use": "tls"})), "ECDH-ES", ""},
		{"of another type", setOf(key(ec, "a", nil)), "RSA-OAEP-256", ""},
		{"an RSA key for EC", setOf(key(theRSA(), "a", nil)), "ECDH-ES+A256KW", ""},
		{"alg of another", setOf(key(ec, "a", map[string]any{"alg": "ECDH-ES+A128KW"}), key(ec384, "b", map[string]any{"alg": "ECDH-ES"})), "ECDH-ES", "b"},
		{"alg that signs", setOf(key(ec, "a", map[string]any{"alg": "ES256"})), "ECDH-ES", ""},
		{"key_ops that sign", setOf(key(ec, "a", map[string]any{"key_ops": []string{"verify"}})), "ECDH-ES", ""},
		{"key_ops that derive", setOf(key(ec, "a", map[string]any{"key_ops": []string{"deriveBits"}})), "ECDH-ES", "a"},
		{"Ed25519", setOf(member(t, newEd25519(t).Public(), nil)), "ECDH-ES", ""},
		{"RSA1_5", setOf(key(theRSA(), "a", nil)), "RSA1_5", ""},
		{"RSA-OAEP, by SHA-1", setOf(key(theRSA(), "a", nil)), "RSA-OAEP", ""},
		{"dir", setOf(key(theRSA(), "a", nil)), "dir", ""},
		{"none", setOf(), "ECDH-ES", ""},
	} {
		set, err := ParseSet(c.set)
		check(t, err)
		if set.Encrypts(c.algorithm) != (c.want != "") {
			t.Errorf("%s: %v", c.name, set.Encrypts(c.algorithm))
		}
		text, err := set.Encrypt(c.algorithm, DefaultContent, "x")
		if c.want == "" {
			if text != "" || symbolon.KindOf(err) != symbolon.Invalid || err == nil {
				t.Errorf("%s: %q, %v", c.name, text, err)
			}
			continue
		}
		check(t, err)
		sealed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.KeyAlgorithm(c.algorithm)}, []jose.ContentEncryption{jose.ContentEncryption(DefaultContent)})
		check(t, err)
		if sealed.Header.KeyID != c.want {
			t.Errorf("%s: to %s", c.name, sealed.Header.KeyID)
		}
	}
	set, err := ParseSet(setOf(key(ec, "a", nil)))
	check(t, err)
	for _, content := range []string{"", "A192GCM", "none", "A128CBC"} {
		if text, err := set.Encrypt("ECDH-ES", content, "x"); err == nil {
			t.Errorf("%q encrypts %s", content, text)
		}
	}
}

// FuzzSet: whatever set is read, what is encrypted to a key of it is for none but a key
// of a fitting kind, and nothing private was in it.
func FuzzSet(f *testing.F) {
	ec := newEC(f, elliptic.P256())
	for _, changes := range []map[string]any{nil, {"use": "enc"}, {"use": "sig"}, {"alg": "ECDH-ES"}, {"key_ops": []string{"deriveKey"}}, {"d": "AQ"}} {
		f.Add(string(setOf(member(f, ec.Public(), changes))))
	}
	f.Add(string(setOf(member(f, theRSA().Public(), map[string]any{"use": "enc", "kid": "a"}))))
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseSet([]byte(text))
		if err != nil {
			if symbolon.KindOf(err) != symbolon.Invalid {
				t.Fatal(err)
			}
			return
		}
		var raw struct{ Keys []map[string]any }
		check(t, json.Unmarshal([]byte(text), &raw))
		for _, key := range raw.Keys {
			for _, name := range secrets {
				if _, there := key[name]; there {
					t.Fatal("a private part is taken")
				}
			}
		}
		for i, algorithm := range KeyAlgorithms {
			sealed, err := set.Encrypt(algorithm, ContentAlgorithms[i], "x")
			if set.Encrypts(algorithm) != (err == nil) {
				t.Fatalf("%s: %v", algorithm, err)
			}
			if err == nil && strings.Count(sealed, ".") != 4 {
				t.Fatal(sealed)
			}
		}
		for _, k := range set.keys {
			if len(k.encrypts) > 0 && k.meant && slices.Contains(k.algorithms, "ES256") {
				t.Fatal("a key of use enc verifies")
			}
		}
	})
}
