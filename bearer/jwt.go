package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var (
	errNoMoment       = errors.New("a time is out of range")
	errUnknownBinding = errors.New("the token is bound in a way that is not known")
	errDetails        = errors.New("authorization_details is not an array")
	errActors         = errors.New("there are too many actors")
)

// maxToken bounds the text of a token, in bytes.
const maxToken = 16 << 10

// compact are the characters of a JWT; the library would pass over spaces.
const compact = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// isAccessJWT reports whether a text says of itself that it is a JWT access
// token. It is not checked.
func isAccessJWT(text string) bool {
	if strings.Count(text, ".") != 2 {
		return false
	}
	head, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return false
	}
	var h struct {
		Type string `json:"typ"`
	}
	return decode(raw, &h) == nil && mediaType(h.Type) == "at+jwt"
}

// mediaType spells a typ header shortly (RFC 7515 §4.1.9).
func mediaType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// parseJWS reads a signed JWT in the compact form. Only the header of a proof
// may bring its own key.
func parseJWS(text, typ string) (*jose.JSONWebSignature, *jose.Header) {
	if len(text) > maxToken || strings.Count(text, ".") != 2 || strings.Trim(text, compact) != "" {
		return nil, nil
	}
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, nil
	}
	h := &jws.Signatures[0].Protected
	if name, _ := h.ExtraHeaders[jose.HeaderType].(string); mediaType(name) != typ {
		return nil, nil
	}
	if _, critical := h.ExtraHeaders["crit"]; critical { // RFC 7515 §4.1.11
		return nil, nil
	}
	return jws, h
}

// checkJWT checks a JWT access token (RFC 9068 §4).
func (v *Verifier) checkJWT(ctx context.Context, text string) (*Token, error) {
	jws, head := parseJWS(text, "at+jwt")
	if jws == nil {
		return nil, invalid("The access token is malformed, or signed with an algorithm that does not count here.")
	}
	// jku, x5u, x5c and jwk are not looked at: the keys are the issuer's own.
	payload, err := v.verify(ctx, jws, head)
	if err != nil {
		return nil, err
	}
	var c claims
	if decode(payload, &c) != nil {
		return nil, invalid("The access token has claims that cannot be read.")
	}
	switch now := v.o.Now(); {
	case c.Issuer != v.o.Issuer:
		return nil, invalid("The access token is from another server.")
	case c.Subject == "" || c.ClientID == "" || c.ID == "" || c.Expires == 0 || c.Issued == 0 || len(c.Audience) == 0:
		return nil, invalid("The access token lacks a claim that RFC 9068 requires.")
	case !v.o.meant(c.Audience):
		return nil, invalid("The access token is for another API; ask for one with this API as resource.")
	case c.expired(now):
		return nil, invalid("The access token has expired; refresh it.")
	case c.early(now):
		return nil, invalid("The access token is not good yet; compare the clocks.")
	}
	t, err := c.token()
	if err != nil {
		return nil, invalid("The access token asks for something that cannot be checked here.")
	}
	return t, nil
}

// verify returns the payload when a key of the issuer signed it.
func (v *Verifier) verify(ctx context.Context, jws *jose.JSONWebSignature, head *jose.Header) ([]byte, error) {
	set, have, err := v.keys.get(ctx, keysFresh)
	if !have {
		return nil, v.away(ctx, 0, err)
	}
	keys := set.find(head.KeyID, head.Algorithm)
	if len(keys) == 0 {
		// It may be newer than what we know; strangers' inventions cost a request
		// in so long only.
		set, _, err = v.keys.get(ctx, keysRetry)
		if keys = set.find(head.KeyID, head.Algorithm); len(keys) == 0 && err != nil {
			return nil, v.away(ctx, 0, err)
		}
	}
	for _, k := range keys {
		if payload, err := jws.Verify(k); err == nil {
			return payload, nil
		}
	}
	return nil, invalid("The access token is not signed by the server that this API trusts.")
}

const (
	// keysFresh is after how long the server's keys are read again, and keysRetry
	// when one is missing. Keys that could not be read again count for keysStale:
	// an outage of the server is not ours.
	keysFresh = 15 * time.Minute
	keysRetry = 10 * time.Second
	keysStale = 24 * time.Hour

	maxKeys     = 32
	maxKeysBody = 256 << 10
)

// keySet are the issuer's keys that count.
type keySet []issuerKey

type issuerKey struct {
	id, algorithm string
	key           any
}

// find returns the keys for a token: those of its kid, or the only one for its
// algorithm when it has none.
func (s keySet) find(id, algorithm string) []any {
	var list []any
	for _, k := range s {
		if k.algorithm == algorithm && (id == "" || k.id == id) {
			list = append(list, k.key)
		}
	}
	if id == "" && len(list) > 1 {
		return nil
	}
	return list
}

func (v *Verifier) fetchKeys(ctx context.Context) (keySet, error) {
	uri := v.o.JWKSURI
	if uri == "" {
		at, have, err := v.server.get(ctx, metadataFresh)
		if !have {
			return nil, err
		}
		if uri = at.jwks; uri == "" {
			return nil, errors.New("the server's metadata has no jwks_uri; set JWKSURI")
		}
	}
	body, err := v.fetch(ctx, uri, maxKeysBody)
	if err != nil {
		return nil, fmt.Errorf("jwks_uri: %w", err)
	}
	return parseKeys(body)
}

// parseKeys reads a JWK Set (RFC 7517 §5). A key that is not for us is passed
// over (§5): unknown, secret, weak, or for something else.
func parseKeys(body []byte) (keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := decode(body, &doc); err != nil {
		return nil, errors.New("jwks_uri: it is no JWK Set")
	}
	var set keySet
	for _, raw := range doc.Keys {
		var jwk jose.JSONWebKey
		if jwk.UnmarshalJSON(raw) != nil || jwk.Use != "" && jwk.Use != "sig" {
			continue
		}
		for _, a := range keyAlgorithms(jwk.Key) {
			if jwk.Algorithm == "" || jwk.Algorithm == string(a) {
				set = append(set, issuerKey{jwk.KeyID, string(a), jwk.Key})
			}
		}
		if len(set) >= maxKeys {
			break
		}
	}
	if len(set) == 0 {
		return nil, errors.New("jwks_uri: it has no key of a known kind")
	}
	return set, nil
}

// keyAlgorithms returns what a public key may sign with, and nothing for one
// that is weak or not public.
func keyAlgorithms(key any) []jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize == 256 {
			return []jose.SignatureAlgorithm{jose.ES256}
		}
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return []jose.SignatureAlgorithm{jose.EdDSA}
		}
	case *rsa.PublicKey:
		// RFC 7518 §3.3; the upper bound is on the work of one check.
		if n := k.N.BitLen(); n >= 2048 && n <= 8192 && k.E >= 3 && k.E%2 == 1 {
			return []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
		}
	}
	return nil
}
