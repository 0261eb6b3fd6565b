package jwt

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
)

const opEncrypt = "encrypt JWT"

// KeyAlgorithms are those by which the key of an encrypted JWT is told to whoever
// may read it (RFC 7518 §4). RSA1_5 is none of them: whoever answers differently to a
// wrong padding lets others read by asking often (RFC 8725 §3.2). Nor is any by a
// shared secret, of which this server keeps the hash alone.
var KeyAlgorithms = []string{string(jose.RSA_OAEP_256), string(jose.ECDH_ES), string(jose.ECDH_ES_A128KW), string(jose.ECDH_ES_A256KW)}

// ContentAlgorithms are those by which what is in it is encrypted (RFC 7518 §5).
var ContentAlgorithms = []string{string(jose.A128CBC_HS256), string(jose.A256CBC_HS512), string(jose.A128GCM), string(jose.A256GCM)}

// DefaultContent is the one that goes without saying (OpenID Connect Dynamic Client
// Registration §2).
const DefaultContent = string(jose.A128CBC_HS256)

// encrypting returns the KeyAlgorithms that a key can be used with. Ed25519 signs
// only, and X25519 the library does not know.
func encrypting(key any) []string {
	switch key.(type) {
	case *rsa.PublicKey:
		return []string{string(jose.RSA_OAEP_256)}
	case *ecdsa.PublicKey:
		return []string{string(jose.ECDH_ES), string(jose.ECDH_ES_A128KW), string(jose.ECDH_ES_A256KW)}
	}
	return nil
}

// encryptOperations are the key_ops of a public key that is there for encryption
// (RFC 7517 §4.3): that of an EC key has none to name.
var encryptOperations = []string{"encrypt", "wrapKey", "deriveKey", "deriveBits"}

// readEncryption notes what may be encrypted to a key.
func (k *publicKey) readEncryption(use string, operations []string, algorithm string) {
	if use != "" && use != "enc" {
		return // RFC 7517 §4.2: it is for something else
	}
	if len(operations) > 0 && !slices.ContainsFunc(operations, func(o string) bool { return slices.Contains(encryptOperations, o) }) {
		return
	}
	for _, a := range encrypting(k.key) {
		if algorithm == "" || algorithm == a {
			k.encrypts = append(k.encrypts, a)
		}
	}
	k.meant = use == "enc" && len(k.encrypts) > 0
}

// forEncryption returns the key that is encrypted to by one of KeyAlgorithms, or nil:
// the first that says that it is there for that, or else the first that fits.
func (s *Set) forEncryption(algorithm string) *publicKey {
	var found *publicKey
	for i := range s.keys {
		k := &s.keys[i]
		if !slices.Contains(k.encrypts, algorithm) {
			continue
		}
		if k.meant {
			return k
		}
		if found == nil {
			found = k
		}
	}
	return found
}

// Encrypts reports whether the set has a key for one of KeyAlgorithms.
func (s *Set) Encrypts(algorithm string) bool { return s.forEncryption(algorithm) != nil }

// Encrypt returns a JWT in the compact form, encrypted to a key of the set, whose kid
// is in the header (RFC 7516 §7.1, RFC 7519 §5.2). An error of kind Invalid means that the
// set has no key that fits, or that an algorithm is none of those known.
func (s *Set) Encrypt(algorithm, content, signed string) (string, error) {
	return s.encrypt(algorithm, content, []byte(signed), "JWT")
}

// EncryptClaims is as Encrypt, of claims that nobody has signed.
func (s *Set) EncryptClaims(algorithm, content string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, opEncrypt, err)
	}
	return s.encrypt(algorithm, content, payload, "")
}

func (s *Set) encrypt(algorithm, content string, plain []byte, contentType jose.ContentType) (string, error) {
	if !slices.Contains(KeyAlgorithms, algorithm) || !slices.Contains(ContentAlgorithms, content) {
		return "", symbolon.Errorf(symbolon.Invalid, opEncrypt, "there is no encryption by %q and %q", algorithm, content)
	}
	key := s.forEncryption(algorithm)
	if key == nil {
		return "", symbolon.Errorf(symbolon.Invalid, opEncrypt, "no key of the set is for %s", algorithm)
	}
	options := new(jose.EncrypterOptions).WithType("JWT")
	if contentType != "" {
		options = options.WithContentType(contentType)
	}
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(algorithm), Key: jose.JSONWebKey{Key: key.key, KeyID: key.id}}
	e, err := jose.NewEncrypter(jose.ContentEncryption(content), to, options)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, opEncrypt, err)
	}
	sealed, err := e.Encrypt(plain)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, opEncrypt, err)
	}
	text, err := sealed.CompactSerialize()
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, opEncrypt, err)
	}
	return text, nil
}
