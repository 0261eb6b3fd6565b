package oauth

import (
	"encoding"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// TokenResponse is the answer of steps 3 and 5 (RFC 6749 §5.1), with the
// refresh token's lifetime beside it. Both lifetimes are whole seconds.
type TokenResponse struct {
	AccessToken      string
	TokenType        string
	ExpiresIn        int64
	RefreshToken     string
	RefreshExpiresIn int64
	Scope            string
	// Grant is what the tokens stand for, for the log.
	Grant symbolon.Grant
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

// issue makes the answer of steps 3 and 5. The refresh token is refresh; the
// access token gets the same grant, narrowed to scope.
func (e *Engine) issue(grant symbolon.Grant, scope symbolon.Scopes, refresh string, refreshExpires, now time.Time) (*TokenResponse, error) {
	access := symbolon.AccessToken{Grant: grant}
	access.Scope = scope
	access.IssuedAt, access.ExpiresAt = now, now.Add(e.cfg.AccessLifetime)
	text, err := e.sealed(seal.AccessToken, &access, now)
	if err != nil {
		return nil, err
	}
	return &TokenResponse{
		AccessToken:      text,
		TokenType:        "Bearer",
		ExpiresIn:        int64(e.cfg.AccessLifetime / time.Second),
		RefreshToken:     refresh,
		RefreshExpiresIn: int64(refreshExpires.Sub(now) / time.Second),
		Scope:            scope.String(),
		Grant:            access.Grant,
	}, nil
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
