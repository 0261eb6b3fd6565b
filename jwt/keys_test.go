package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
)

func newEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	check(t, err)
	return private
}

func newEC(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	check(t, err)
	return k
}

// theRSA is made once, since making one takes long.
var theRSA = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		panic(err)
	}
	return k
})

// member returns a public key as a JWK with some members set, or taken out when
// the value is nil.
func member(t testing.TB, key crypto.PublicKey, changes map[string]any) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKey{Key: key})
	check(t, err)
	var m map[string]any
	check(t, json.Unmarshal(b, &m))
	for name, v := range changes {
		m[name] = v
		if v == nil {
			delete(m, name)
		}
	}
	b, err = json.Marshal(m)
	check(t, err)
	return string(b)
}

func setOf(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

func sign(t testing.TB, key any, alg jose.SignatureAlgorithm, header map[jose.HeaderKey]any, claims string) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: header}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	check(t, err)
	signed, err := s.Sign([]byte(claims))
	check(t, err)
	text, err := signed.CompactSerialize()
	check(t, err)
	return text
}

// RFC7517-4.5, B60.
func TestParseSetRefuses(t *testing.T) {
	ec := newEC(t, elliptic.P256())
	ed := newEd25519(t).Public()
	good := member(t, ec.Public(), nil)
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	rsaKey := func(n *big.Int, e string) string { return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":%q}`, number(n), e) }
	n := theRSA().N
	low := base64.RawURLEncoding.EncodeToString(append([]byte{1}, make([]byte, 31)...))
	cases := map[string][]byte{
		"nothing":               nil,
		"no object":             []byte(`[]`),
		"null":                  []byte(`null`),
		"no keys":               []byte(`{}`),
		"keys null":             []byte(`{"keys":null}`),
		"Keys":                  []byte(`{"Keys":[]}`),
		"keys twice":            []byte(`{"keys":[],"keys":[` + good + `]}`),
		"something behind":      append(setOf(good), '{'),
		"a key that is null":    setOf("null"),
		"a key of 1":            setOf("1"),
		"no kty":                setOf(member(t, ec.Public(), map[string]any{"kty": nil})),
		"a member twice":        setOf(strings.Replace(good, `{`, `{"kty":"EC",`, 1)),
		"private d":             setOf(member(t, ec.Public(), map[string]any{"d": "AQ"})),
		"private d null":        setOf(strings.Replace(good, `{`, `{"d":null,`, 1)),
		"private of Ed25519":    setOf(member(t, ed, map[string]any{"d": low})),
		"a prime":               setOf(member(t, theRSA().Public(), map[string]any{"p": "AQ"})),
		"priv of AKP":           setOf(`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA","priv":"AA"}`),
		"symmetric":             setOf(`{"kty":"oct","k":"c2VjcmV0"}`),
		"symmetric without k":   setOf(`{"kty":"oct"}`),
		"one kid twice":         setOf(member(t, ec.Public(), map[string]any{"kid": "a"}), member(t, ed, map[string]any{"kid": "a"})),
		"a long kid":            setOf(member(t, ec.Public(), map[string]any{"kid": strings.Repeat("a", 257)})),
		"a kid that is 1":       setOf(member(t, ec.Public(), map[string]any{"kid": 1})),
		"off the curve":         setOf(member(t, ec.Public(), map[string]any{"x": number(big.NewInt(1).Lsh(big.NewInt(1), 250))})),
		"no y":                  setOf(member(t, ec.Public(), map[string]any{"y": nil})),
		"RSA of 1024 bits":      setOf(rsaKey(new(big.Int).SetBit(big.NewInt(1), 1023, 1), "AQAB")),
		"RSA of 2047 bits":      setOf(rsaKey(new(big.Int).SetBit(big.NewInt(1), 2046, 1), "AQAB")),
		"RSA of 16384 bits":     setOf(rsaKey(new(big.Int).SetBit(big.NewInt(1), 16383, 1), "AQAB")),
		"RSA, e=1":              setOf(rsaKey(n, "AQ")),
		"RSA, e=2":              setOf(rsaKey(n, "Ag")),
		"RSA, e=4":              setOf(rsaKey(n, "BA")),
		"RSA, e of 5 bytes":     setOf(rsaKey(n, "AQAAAAE")),
		"RSA, even modulus":     setOf(rsaKey(new(big.Int).Add(n, big.NewInt(1)), "AQAB")),
		"Ed25519 of low order":  setOf(`{"kty":"OKP","crv":"Ed25519","x":"` + low + `"}`),
		"Ed25519 too short":     setOf(`{"kty":"OKP","crv":"Ed25519","x":"AQ"}`),
		"21 keys":               setOf(strings.Split(strings.Repeat(good+"|", 20)+good, "|")...),
		"too long":              append(setOf(good), []byte(strings.Repeat(" ", MaxSet))...),
		"deeper than is useful": []byte(`{"keys":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`),
	}
	for what, text := range cases {
		if _, err := ParseSet(text); symbolon.KindOf(err) != symbolon.Invalid || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is passed over, and what is kept though nothing is verified with it.
func TestParseSetKeeps(t *testing.T) {
	ec, ec384, ed := newEC(t, elliptic.P256()), newEC(t, elliptic.P384()), newEd25519(t)
	for _, c := range []struct {
		name   string
		key    string
		public crypto.PublicKey
		signs  string
	}{
		{"P-256", member(t, ec.Public(), nil), ec.Public(), "ES256"},
		{"P-256 for ES256", member(t, ec.Public(), map[string]any{"alg": "ES256", "use": "sig", "key_ops": []string{"verify"}}), ec.Public(), "ES256"},
		{"Ed25519", member(t, ed.Public(), nil), ed.Public(), "EdDSA"},
		{"RSA", member(t, theRSA().Public(), nil), theRSA().Public(), "RS256 PS256"},
		{"RSA for PS256", member(t, theRSA().Public(), map[string]any{"alg": "PS256"}), theRSA().Public(), "PS256"},
		{"P-384", member(t, ec384.Public(), nil), ec384.Public(), ""},
		{"use enc", member(t, ec.Public(), map[string]any{"use": "enc"}), ec.Public(), ""},
		{"key_ops encrypt", member(t, ec.Public(), map[string]any{"key_ops": []string{"encrypt"}}), ec.Public(), ""},
		{"another alg", member(t, ec.Public(), map[string]any{"alg": "ECDH-ES"}), ec.Public(), ""},
		{"RS512", member(t, theRSA().Public(), map[string]any{"alg": "RS512"}), theRSA().Public(), ""},
		{"an unknown kty", `{"kty":"XYZ"}`, nil, ""},
		{"X25519", `{"kty":"OKP","crv":"X25519","x":"AQ"}`, nil, ""},
		{"secp256k1", `{"kty":"EC","crv":"secp256k1","x":"AQ","y":"AQ"}`, nil, ""},
	} {
		set, err := ParseSet(setOf(c.key))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if (c.public != nil) != (len(set.keys) == 1) || c.public != nil && !set.Has(c.public) {
			t.Errorf("%s: %d keys", c.name, len(set.keys))
		}
		got := ""
		if len(set.keys) == 1 {
			got = strings.Join(set.keys[0].algorithms, " ")
		}
		if got != c.signs || set.Signs() != (c.signs != "") {
			t.Errorf("%s: signs by %q, want %q", c.name, got, c.signs)
		}
		if set.Has(newEd25519(t).Public()) || set.HasKeyID("x") {
			t.Errorf("%s: it has what it has not", c.name)
		}
	}
}

// RFC7523-3-e, B55, B56, B57.
func TestVerifyWith(t *testing.T) {
	ec, other, ed := newEC(t, elliptic.P256()), newEC(t, elliptic.P256()), newEd25519(t)
	kid := func(s string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": s} }
	set, err := ParseSet(setOf(
		member(t, ec.Public(), map[string]any{"kid": "ec"}),
		member(t, ed.Public(), map[string]any{"kid": "ed"}),
		member(t, theRSA().Public(), map[string]any{"kid": "rsa", "alg": "PS256"}),
		member(t, other.Public(), map[string]any{"kid": "enc", "use": "enc"}),
	))
	check(t, err)
	for _, c := range []struct {
		name, text string
		good       bool
	}{
		{"by kid", sign(t, ec, jose.ES256, kid("ec"), `{"a":1}`), true},
		{"without kid", sign(t, ed, jose.EdDSA, nil, `{"a":1}`), true},
		{"PS256", sign(t, theRSA(), jose.PS256, kid("rsa"), `{"a":1}`), true},
		{"RS256 with a key for PS256", sign(t, theRSA(), jose.RS256, kid("rsa"), `{"a":1}`), false},
		{"another kid", sign(t, ec, jose.ES256, kid("ed"), `{"a":1}`), false},
		{"unknown kid", sign(t, ec, jose.ES256, kid("../../dev/null"), `{"a":1}`), false},
		{"use enc", sign(t, other, jose.ES256, kid("enc"), `{"a":1}`), false},
		{"use enc, without kid", sign(t, other, jose.ES256, nil, `{"a":1}`), false},
		{"a foreign key under our kid", sign(t, other, jose.ES256, kid("ec"), `{"a":1}`), false},
		{"jwk in the header", sign(t, other, jose.ES256, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: other.Public()}}, `{"a":1}`), false},
		{"jku in the header", sign(t, other, jose.ES256, map[jose.HeaderKey]any{"kid": "ec", "jku": "https://evil.test/keys"}, `{"a":1}`), false},
	} {
		token, err := Parse(c.text)
		check(t, err)
		claims, err := token.VerifyWith(set)
		if c.good != (err == nil) || c.good != (string(claims) == `{"a":1}`) {
			t.Errorf("%s: %s, %v", c.name, claims, err)
		}
	}
	// r = s = 0, and all zeros for a key that never signed.
	parts := strings.Split(sign(t, ec, jose.ES256, kid("ec"), `{"a":1}`), ".")
	for _, sig := range []string{strings.Repeat("A", 86), strings.Repeat("A", 43) + strings.Repeat("B", 43), ""} {
		token, err := Parse(parts[0] + "." + parts[1] + "." + sig)
		if err != nil {
			continue
		}
		if _, err := token.VerifyWith(set); err == nil {
			t.Errorf("the signature %q counts", sig)
		}
	}
}

func TestVerifyWithOwn(t *testing.T) {
	ec, other := newEC(t, elliptic.P256()), newEC(t, elliptic.P256())
	header := func(jwk any) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"jwk": jwk} }
	raw := func(text string) map[jose.HeaderKey]any { return header(json.RawMessage(text)) }
	good := jose.JSONWebKey{Key: ec.Public()}
	for _, c := range []struct {
		name   string
		header map[jose.HeaderKey]any
		good   bool
	}{
		{"its own key", header(good), true},
		{"with kid and use", raw(member(t, ec.Public(), map[string]any{"kid": "x", "use": "sig"})), true},
		{"another key", header(jose.JSONWebKey{Key: other.Public()}), false},
		{"none", nil, false},
		{"with d", raw(member(t, ec.Public(), map[string]any{"d": "AQ"})), false},
		{"with p", raw(member(t, ec.Public(), map[string]any{"p": "AQ"})), false},
		{"private", header(jose.JSONWebKey{Key: ec}), false},
		{"symmetric", raw(`{"kty":"oct","k":"AQ"}`), false},
		{"for encryption", raw(member(t, ec.Public(), map[string]any{"use": "enc"})), false},
		{"of another kind", header(jose.JSONWebKey{Key: theRSA().Public()}), false},
	} {
		token, err := Parse(sign(t, ec, jose.ES256, c.header, `{"a":1}`))
		if err != nil {
			if c.good {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		claims, thumbprint, err := token.VerifyWithOwn()
		want, _ := good.Thumbprint(crypto.SHA256)
		if c.good != (err == nil) || c.good != (string(claims) == `{"a":1}` && string(thumbprint[:]) == string(want)) {
			t.Errorf("%s: %s, %v", c.name, claims, err)
		}
	}
}

func FuzzParseSet(f *testing.F) {
	ec := newEC(f, elliptic.P256())
	f.Add(setOf(member(f, ec.Public(), map[string]any{"kid": "a"})))
	f.Add(setOf(member(f, theRSA().Public(), nil), member(f, newEd25519(f).Public(), nil)))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AQ"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := ParseSet(text)
		if err != nil {
			if symbolon.KindOf(err) != symbolon.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		if len(set.keys) > maxKeys {
			t.Fatalf("%d keys", len(set.keys))
		}
		for i, k := range set.keys {
			if Weak(k.key) != "" {
				t.Fatal("a weak key is kept")
			}
			if _, ok := k.key.(interface{ Equal(crypto.PublicKey) bool }); !ok {
				t.Fatalf("%T", k.key)
			}
			if _, private := k.key.(crypto.Signer); private {
				t.Fatal("a private key is kept")
			}
			for _, o := range set.keys[:i] {
				if k.id != "" && k.id == o.id {
					t.Fatal("a kid is there twice")
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	ec := newEC(f, elliptic.P256())
	f.Add(sign(f, ec, jose.ES256, map[jose.HeaderKey]any{"kid": "a"}, `{"iss":"x"}`))
	f.Add(sign(f, ec, jose.ES256, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: ec.Public()}}, `{"iss":"x"}`))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	set, err := ParseSet(setOf(member(f, ec.Public(), nil)))
	check(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			if symbolon.KindOf(err) != symbolon.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		if !slices.Contains(Algorithms, token.Algorithm) {
			t.Fatalf("alg %s", token.Algorithm)
		}
		_, _ = token.VerifyWith(set)
		_, _, _ = token.VerifyWithOwn()
	})
}
