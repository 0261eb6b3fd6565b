package oauth

import (
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// TrustedIssuer is someone whose signed statements about people are believed: an
// app may exchange one for tokens (RFC 7523 §2.1).
type TrustedIssuer struct {
	// Issuer is its iss, byte for byte.
	Issuer string
	// Keys are its public keys, or nil when they are fetched from KeysURI.
	Keys    *jwt.Set
	KeysURI string
	// Audience is what aud must name; empty means this server's issuer or the URL
	// of its token endpoint (RFC 7523 §3).
	Audience string
	// Apps are those that may present what it signs; empty means every one that
	// may use the grant.
	Apps []symbolon.ClientID
	// ByUsername: its sub is the username of an account. Otherwise it is the id.
	ByUsername bool
}
