package jwt

import (
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"

	"github.com/symbolon/symbolon"
)

const opParse = "read JWT"

// MaxLen bounds the text of a JWT, in bytes.
const MaxLen = 16 << 10

// compact are the characters of the compact form; the library would pass over
// spaces.
const compact = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// Token is a JWT whose signature has not been checked yet.
type Token struct {
	// Type, Algorithm and KeyID are typ, alg and kid of the header. Type is in
	// lower case and without "application/" in front (RFC 7515 §4.1.9).
	Type      string
	Algorithm string
	KeyID     string

	text string
	jws  *jose.JSONWebSignature
}

// Parse reads a JWT in the compact form that is signed with one of Algorithms.
// An error of kind Invalid means that it is none; it holds nothing of the text.
func Parse(text string) (*Token, error) {
	if len(text) > MaxLen || strings.Count(text, ".") != 2 || strings.Trim(text, compact) != "" {
		return nil, symbolon.Errorf(symbolon.Invalid, opParse, "it is not a signed JWT in the compact form")
	}
	// Each token has one spelling: the last character of a signature holds bits that
	// mean nothing, which the library passes over (RFC 4648 §3.5).
	if _, err := base64.RawURLEncoding.Strict().DecodeString(text[strings.LastIndexByte(text, '.')+1:]); err != nil {
		return nil, symbolon.Errorf(symbolon.Invalid, opParse, "its signature is not base64url as this is written")
	}
	jws, err := jose.ParseSignedCompact(text, known)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, symbolon.Errorf(symbolon.Invalid, opParse, "it is not a JWT, or is signed with an algorithm that does not count here")
	}
	h := jws.Signatures[0].Protected
	// RFC 7515 §4.1.11: what must be understood is not.
	if _, critical := h.ExtraHeaders["crit"]; critical {
		return nil, symbolon.Errorf(symbolon.Invalid, opParse, "its header has crit")
	}
	t := &Token{Algorithm: h.Algorithm, KeyID: h.KeyID, text: text, jws: jws}
	if typ, ok := h.ExtraHeaders[jose.HeaderType].(string); ok {
		t.Type = strings.TrimPrefix(strings.ToLower(typ), "application/")
	}
	return t, nil
}

// Unsigned reports whether a text is a JWT that says of itself that nobody signed it
// (RFC 7519 §6), which Parse takes for none.
func Unsigned(text string) bool {
	part, rest, found := strings.Cut(text, ".")
	if !found || len(text) > MaxLen || strings.Count(rest, ".") != 1 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	return strict.Unmarshal(raw, &header) == nil && header.Algorithm == "none"
}

// Unverified returns the claims as they stand, whoever wrote them: to learn whose
// key is to be tried, and for nothing else.
func (t *Token) Unverified() []byte { return t.jws.UnsafePayloadWithoutVerification() }

// verify checks the signature by one key and returns the claims.
func (t *Token) verify(key any) ([]byte, error) {
	payload, err := t.jws.Verify(key)
	if err != nil {
		return nil, symbolon.Errorf(symbolon.Invalid, opParse, "its signature is not by this key")
	}
	return payload, nil
}

// Decode reads claims. Names are case-sensitive and stand once (RFC 7519 §4).
// The error is of kind Invalid.
func Decode(payload []byte, claims any) error {
	if err := strict.Unmarshal(payload, claims); err != nil {
		return symbolon.Errorf(symbolon.Invalid, opParse, "its claims are not JSON of the right types, or one stands twice")
	}
	return nil
}
