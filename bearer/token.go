package bearer

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Token is an access token that was found good.
type Token struct {
	// Subject is the account that the token was given for. A token that an app
	// got for itself (client credentials) has the app's own id here, as in
	// ClientID.
	Subject string
	// Username is the account's name for people to read, where the server says
	// it. It identifies no one.
	Username string
	// ClientID is the app that the token was given to.
	ClientID string
	// Scopes are what the token allows.
	Scopes []string
	// Audience are the APIs that it is for. It is empty when it names none.
	Audience []string
	// ID is the token's own id (jti), where it has one.
	ID string
	// IssuedAt and ExpiresAt are in whole seconds; zero where the server does not
	// say.
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Actor is who acts for Subject (RFC 8693 §4.1), or nil.
	Actor *Actor
	// AuthorizationDetails is what was allowed in particular (RFC 9396), a JSON
	// array, or nil.
	AuthorizationDetails json.RawMessage
	// Confirmation is the key that the token is bound to (RFC 7800), with which
	// the request was proven to come from the app. It is zero for most.
	Confirmation Confirmation
	// ACR is how the person had proved who they are when the token's story began
	// (RFC 9470 §6), a name that the server gives it, and AuthTime when, in whole
	// seconds. Each is zero where the server does not say, and in a token that an app
	// got for itself.
	ACR      string
	AuthTime time.Time
}

// Actor is who acts for somebody else, and who acts for the actor in turn.
type Actor struct {
	Subject  string
	ClientID string
	Actor    *Actor
}

// Confirmation names a key.
type Confirmation struct {
	// Key is the thumbprint of a DPoP key (RFC 9449 §6.1, jkt), or empty.
	Key string
	// Certificate is the SHA-256 of a TLS certificate (RFC 8705 §3.1, x5t#S256),
	// or empty.
	Certificate string
}

// Has reports whether the token allows a scope.
func (t *Token) Has(scope string) bool { return slices.Contains(t.Scopes, scope) }

// clone returns a copy that its holder may change.
func (t *Token) clone() *Token {
	c := *t
	c.Scopes, c.Audience = slices.Clone(t.Scopes), slices.Clone(t.Audience)
	c.AuthorizationDetails = slices.Clone(t.AuthorizationDetails)
	for at := &c.Actor; *at != nil; at = &(*at).Actor {
		a := **at
		*at = &a
	}
	return &c
}

// contextKey is under which Handler puts the Token.
type contextKey struct{}

// FromContext returns the token with which a request was let in by Handler, or
// nil when it was not.
func FromContext(ctx context.Context) *Token {
	t, _ := ctx.Value(contextKey{}).(*Token)
	return t
}

// NewContext returns a context with a token, for tests of an API's handlers and
// for other ways in.
func NewContext(ctx context.Context, t *Token) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}
