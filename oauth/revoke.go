package oauth

import (
	"context"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// Revoke ends the connection that a token belongs to, or a token that has none
// (RFC 7009). That of an access token ends too, with its refresh token, as at
// step 6. A token that is over or is none of ours is no error.
func (e *Engine) Revoke(ctx context.Context, q *TokenQuery) (symbolon.Grant, error) {
	var none symbolon.Grant

	// 1. Who asks?
	c, err := e.asker(ctx, q)
	if err != nil {
		return none, err
	}

	// 2. What is presented? A refresh token always has a connection; an access
	// token may be all there is.
	var grant symbolon.Grant
	alone := false
	if strings.HasPrefix(q.Token, string(seal.RefreshToken)) {
		var token symbolon.RefreshToken
		if e.open(seal.RefreshToken, q.Token, &token, c.now) != nil {
			return none, nil
		}
		grant = token.Grant
	} else {
		var token symbolon.AccessToken
		if e.openAccess(q.Token, &token, c.now) != nil {
			return none, nil // RFC 7009 §2.2: as good as revoked
		}
		grant, alone = token.Grant, true
	}

	// 3. Is it allowed? Only a holder of another's token learns that it is one
	// (RFC 7009 §2.1).
	if grant.Client != c.app.ID {
		return none, c.no(InvalidGrant, "The token was given to another app; nothing was revoked.")
	}

	switch {
	case len(grant.Sources) > 0:
		// What came of an exchange has no id of its own, and the connection is
		// another app's to end.
		return none, c.no(UnsupportedTokenType, "A token that came of an exchange cannot be revoked alone; it is over with the token that it was made from.")
	case grant.Account == "" && !c.now.Before(grant.ExpiresAt):
		return none, nil // where there is no row, nothing keeps a second change from being written
	case e.feed.Over(&grant):
		// The answer says that it is over, which it may be only here so far.
		if err := e.settle(ctx, grant.Connection); err != nil {
			return none, storeError(err).from(c.app.ID)
		}
		return none, nil
	}

	// 4. Spend: as it was ended before, so it stays.
	end := symbolon.End{Connection: grant.Connection, Token: alone, Reason: symbolon.ByApp, Now: c.now}
	if _, err := e.store.End(context.WithoutCancel(ctx), end); err != nil {
		return grant, storeError(err).from(c.app.ID)
	}
	e.announced()
	e.feed.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: grant.Connection, At: c.now})
	if err := e.settle(ctx, grant.Connection); err != nil {
		return grant, storeError(err).from(c.app.ID)
	}
	return grant, nil
}
