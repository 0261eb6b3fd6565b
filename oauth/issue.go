package oauth

import (
	"encoding"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// TokenResponse is the answer of steps 3 and 5 and of the other grants (RFC 6749
// §5.1), with the refresh token's lifetime beside it, if there is a refresh
// token. Both lifetimes are whole seconds.
type TokenResponse struct {
	AccessToken      string
	TokenType        string
	ExpiresIn        int64
	RefreshToken     string
	RefreshExpiresIn int64
	Scope            string
	// Details are the authorization_details that were granted, a JSON array
	// (RFC 9396 §7), or empty.
	Details string
	// IssuedTokenType is set for an exchange (RFC 8693 §2.2.1).
	IssuedTokenType string
	// Grant is what the tokens stand for, for the log.
	Grant symbolon.Grant
	// IDToken is set with the scope openid (OpenID Connect Core §3.1.3.3).
	IDToken string
	// Rollback is set when the refresh token was newer than the store, so that
	// the store must have been restored from an older copy.
	Rollback bool
}

// scratches are buffers that hold an encoded noun for the moment of sealing.
var scratches = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// sealed encodes a noun and seals it as made at this moment.
func (e *Engine) sealed(p seal.Prefix, noun encoding.BinaryAppender, at time.Time) (string, error) {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	plain, err := noun.AppendBinary((*scratch)[:0])
	if err != nil {
		return "", storeError(err)
	}
	*scratch = plain
	text, err := e.ring.Seal(p, plain, at)
	if err != nil {
		return "", storeError(err)
	}
	return text, nil
}

// open opens a sealed noun. The refusal says in words what is wrong with it.
func (e *Engine) open(p seal.Prefix, text string, into encoding.BinaryUnmarshaler, now time.Time) error {
	plain, err := e.ring.Open(p, text, now)
	if err != nil {
		return err
	}
	return into.UnmarshalBinary(plain)
}

// issue makes the answer of a token request: an access token for the grant, and
// beside it the refresh token, if there is one, with its expiry.
func (e *Engine) issue(c *caller, grant symbolon.Grant, refresh string, refreshExpires time.Time) (*TokenResponse, error) {
	now := c.now
	access := symbolon.AccessToken{Grant: grant}
	access.Binding = c.binding
	access.IssuedAt, access.ExpiresAt = now, now.Add(e.cfg.AccessLifetime)
	if !c.until.IsZero() && c.until.Before(access.ExpiresAt) {
		access.ExpiresAt = c.until
	}
	text, err := e.accessToken(c, &access)
	if err != nil {
		return nil, err
	}
	t := &TokenResponse{
		AccessToken:  text,
		TokenType:    "Bearer",
		ExpiresIn:    int64(access.ExpiresAt.Sub(now) / time.Second),
		RefreshToken: refresh,
		Scope:        access.Scope.String(),
		Details:      access.Details,
		Grant:        access.Grant,
	}
	if refresh != "" {
		t.RefreshExpiresIn = int64(refreshExpires.Sub(now) / time.Second)
	}
	if access.Binding.Kind == symbolon.BoundByDPoP {
		t.TokenType = "DPoP" // RFC 9449 §5
	}
	return t, nil
}

// expiry returns when a connection dies that is refreshed at this moment.
func (e *Engine) expiry(id symbolon.ConnectionID, now time.Time) time.Time {
	at := now.Add(e.cfg.RefreshLifetime)
	if e.cfg.ConnectionLifetime > 0 {
		if last := id.Time().Add(e.cfg.ConnectionLifetime); last.Before(at) {
			return last
		}
	}
	return at
}

// farAway is what the refresh token of an app that does not rotate says of its
// expiry: the connection's row decides, since the token cannot change.
const farAway = 10 * 365 * 24 * time.Hour

// firstRefresh makes the first refresh token of a connection, or none for an app
// that may not refresh.
func (e *Engine) firstRefresh(c *caller, g symbolon.Grant, expires time.Time) (string, error) {
	if !c.app.MayUse(symbolon.GrantRefresh) {
		return "", nil
	}
	return e.refreshToken(c.refreshGrant(g), c.app.Rotation, 0, c.now, expires)
}

// refreshToken seals the refresh token with a sequence number, made at this
// moment. The same arguments give the same text.
func (e *Engine) refreshToken(grant symbolon.Grant, rotation symbolon.Rotation, seq uint64, at, expires time.Time) (string, error) {
	t := symbolon.RefreshToken{Grant: grant, Seq: seq}
	t.IssuedAt, t.ExpiresAt = at, expires
	if rotation == symbolon.RotateNever {
		t.ExpiresAt = at.Add(farAway)
	}
	return e.sealed(seal.RefreshToken, &t, at)
}
