package oauth

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// readerKeys returns the key set of an app that wants what it is told encrypted, once it
// has a key that fits; nil where it wants nothing of the kind (OpenID Connect Core
// §10.2). It comes before anything is spent. Name is that of the wish.
//
// Where the key cannot be had, the answer is that of a server that is away: platforms
// take any other for the end of the connection.
func (e *Engine) readerKeys(ctx context.Context, app *symbolon.App, how symbolon.Encryption, name string, now time.Time) (*jwt.Set, error) {
	if how.Key == "" {
		return nil, nil
	}
	set, err := e.appKeys(ctx, app, func(s *jwt.Set) bool { return s.Encrypts(how.Key) }, now)
	if err == nil && set.Encrypts(how.Key) {
		return set, nil
	}
	if err != nil {
		if r := storeError(err); r.Refusal != InvalidClient {
			return nil, r // it says how long to wait
		}
	}
	r := refuse(Unavailable, "The app wants what it is told encrypted ("+name+"), and its JWK Set has no public key for that; add one with use enc.").from(app.ID)
	r.RetryAfter, r.Err = keysRetry, err
	return nil, r
}
