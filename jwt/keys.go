package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"

	"github.com/symbolon/symbolon"
)

const opKeys = "read JWK Set"

// What a set of another may hold.
const (
	// MaxSet bounds the text of a JWK Set, in bytes.
	MaxSet = 64 << 10
	// maxKeys bounds the keys of a set, of which each may have to be tried.
	maxKeys = 20
	// maxKeyID bounds a kid, in bytes.
	maxKeyID = 256
)

// Set is a JWK Set of another (RFC 7517 §5): public keys of those that it signs with,
// and of those that it reads by what is encrypted to it. It is never changed once it
// is read.
type Set struct {
	keys []publicKey
}

// publicKey is one key of a set.
type publicKey struct {
	id  string
	key crypto.PublicKey
	// algorithms are those of Algorithms by which its signatures count; none
	// for a key that is there for something else.
	algorithms []string
	// encrypts are those of KeyAlgorithms by which may be encrypted to it. Meant is set
	// when it says that it is there for that, and nothing else.
	encrypts []string
	meant    bool
}

// ParseSet reads a JWK Set. It refuses a set with a private or symmetric key, a
// weak one, or two of one kid. Keys of a kind that is not known are passed over
// (RFC 7517 §5). The error, of kind Invalid, is a sentence for whoever made the
// set; it holds nothing of the text.
func ParseSet(text []byte) (*Set, error) {
	no := func(why string) error { return symbolon.Errorf(symbolon.Invalid, opKeys, "%s", why) }
	if len(text) > MaxSet {
		return nil, no("it is longer than 64 KiB")
	}
	var raw struct {
		Keys []strict.RawMessage `json:"keys"`
	}
	if err := strict.Unmarshal(text, &raw); err != nil || raw.Keys == nil {
		return nil, no(`it is not a JSON object with a list "keys", or a name stands twice`)
	}
	if len(raw.Keys) > maxKeys {
		return nil, no("it has more than 20 keys")
	}
	set := new(Set)
	for _, text := range raw.Keys {
		k, err := parseKey(text)
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		// RFC 7517 §4.5: kid tells the keys apart.
		if k.id != "" && slices.ContainsFunc(set.keys, func(o publicKey) bool { return o.id == k.id }) {
			return nil, no("two keys have the same kid")
		}
		set.keys = append(set.keys, *k)
	}
	return set, nil
}

// secrets are the members of a JWK that only its owner may know (RFC 7518 §6.2.2,
// §6.3.2, §6.4.1; RFC 8037 §2; RFC 9964).
var secrets = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// parseKey reads one public key; nil without an error is one of a kind that is
// not known.
func parseKey(text []byte) (*publicKey, error) {
	no := func(why string) error { return symbolon.Errorf(symbolon.Invalid, opKeys, "%s", why) }
	var members map[string]strict.RawMessage
	if err := strict.Unmarshal(text, &members); err != nil || members == nil {
		return nil, no("a key is not a JSON object, or a name stands twice in it")
	}
	for _, name := range secrets {
		if _, found := members[name]; found {
			return nil, no("a key has a private or symmetric part; keep that, make a new key, and send the public part only")
		}
	}
	var about struct {
		Type       string   `json:"kty"`
		Curve      string   `json:"crv"`
		Use        string   `json:"use"`
		Operations []string `json:"key_ops"`
		Algorithm  string   `json:"alg"`
		ID         string   `json:"kid"`
	}
	if err := strict.Unmarshal(text, &about); err != nil {
		return nil, no("a member of a key has the wrong type")
	}
	switch {
	case about.Type == "":
		return nil, no("a key has no kty")
	case about.Type == "oct":
		return nil, no("a key is symmetric; only public keys are taken")
	case len(about.ID) > maxKeyID:
		return nil, no("a kid is longer than 256 bytes")
	case about.Type != "EC" && about.Type != "RSA" && about.Type != "OKP",
		about.Type == "EC" && !slices.Contains([]string{"P-256", "P-384", "P-521"}, about.Curve),
		about.Type == "OKP" && about.Curve != "Ed25519":
		return nil, nil
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(text); err != nil {
		return nil, no("a key is malformed, weak or too large")
	}
	if why := Weak(jwk.Key); why != "" {
		return nil, no(why)
	}
	k := &publicKey{id: about.ID, key: jwk.Key}
	k.readEncryption(about.Use, about.Operations, about.Algorithm)
	if about.Use != "" && about.Use != "sig" || len(about.Operations) > 0 && !slices.Contains(about.Operations, "verify") {
		return k, nil // RFC 7517 §4.2, §4.3: it is for something else
	}
	for _, a := range fitting(jwk.Key) {
		if about.Algorithm == "" || about.Algorithm == a {
			k.algorithms = append(k.algorithms, a)
		}
	}
	return k, nil
}

// Weak says why a public key is not good enough for anything here, or "". A curve
// that go-jose or crypto/x509 reads has 224 bits or more.
func Weak(key crypto.PublicKey) string {
	if k, ok := key.(*rsa.PublicKey); ok {
		switch {
		case k.N.BitLen() < rsaBits: // RFC 7518 §3.3
			return "an RSA key has fewer than 2048 bits"
		case k.E < 3 || k.E%2 == 0 || k.E > 1<<31-1 || k.N.Bit(0) == 0:
			return "an RSA key is none that can be used: its modulus or exponent is wrong"
		}
	}
	return ""
}

// fitting returns the algorithms that a key can be used with.
func fitting(key any) []string {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() { // RFC 7518 §3.4: ES256 and no other curve
			return []string{string(jose.ES256)}
		}
	case *rsa.PublicKey:
		return []string{string(jose.RS256), string(jose.PS256)}
	case ed25519.PublicKey:
		return []string{string(jose.EdDSA)}
	}
	return nil
}

// HasKeyID reports whether a key of the set has this kid. A set that lacks it may
// be an old copy.
func (s *Set) HasKeyID(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k publicKey) bool { return k.id == kid })
}

// Has reports whether a public key is in the set, whatever it is there for.
func (s *Set) Has(key crypto.PublicKey) bool {
	return slices.ContainsFunc(s.keys, func(k publicKey) bool {
		own, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
		return ok && own.Equal(key)
	})
}

// Signs reports whether any key of the set can verify a signature.
func (s *Set) Signs() bool {
	return slices.ContainsFunc(s.keys, func(k publicKey) bool { return len(k.algorithms) > 0 })
}

// Verifies reports whether a key of the set can verify a signature by one of Algorithms.
func (s *Set) Verifies(algorithm string) bool {
	return slices.ContainsFunc(s.keys, func(k publicKey) bool { return slices.Contains(k.algorithms, algorithm) })
}

// VerifyWith checks the signature by the key of the set that the header names by
// kid, or else by each that fits, and returns the claims. What the header says of
// keys beside kid and alg is never looked at. An error of kind Invalid means that
// none of them made it.
func (t *Token) VerifyWith(s *Set) ([]byte, error) {
	tried := false
	for i := range s.keys {
		k := &s.keys[i]
		if t.KeyID != "" && k.id != t.KeyID || !slices.Contains(k.algorithms, t.Algorithm) {
			continue
		}
		tried = true
		if claims, err := t.verify(k.key); err == nil {
			return claims, nil
		}
	}
	if !tried {
		return nil, symbolon.Errorf(symbolon.Invalid, opParse, "no key for its kid and alg is known")
	}
	return nil, symbolon.Errorf(symbolon.Invalid, opParse, "its signature is by none of the keys that are known")
}

// VerifyWithOwn checks the signature by the key in the header jwk, and returns
// the claims and the key's thumbprint (RFC 7638). It proves that whoever made the
// JWT has that key, and nothing else (RFC 9449 §4.2).
func (t *Token) VerifyWithOwn() (claims []byte, thumbprint [32]byte, err error) {
	no := func(why string) error { return symbolon.Errorf(symbolon.Invalid, opParse, "%s", why) }
	part, _, _ := strings.Cut(t.text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, thumbprint, no("its header is not base64url")
	}
	var header struct {
		Key strict.RawMessage `json:"jwk"`
	}
	if err := strict.Unmarshal(raw, &header); err != nil || len(header.Key) == 0 {
		return nil, thumbprint, no("its header has no jwk")
	}
	k, err := parseKey(header.Key)
	if err != nil {
		return nil, thumbprint, err
	}
	if k == nil || !slices.Contains(k.algorithms, t.Algorithm) {
		return nil, thumbprint, no("the key in its header does not belong to its alg")
	}
	if claims, err = t.verify(k.key); err != nil {
		return nil, thumbprint, err
	}
	sum, err := (&jose.JSONWebKey{Key: k.key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, thumbprint, no("its key has no thumbprint")
	}
	copy(thumbprint[:], sum)
	return claims, thumbprint, nil
}
