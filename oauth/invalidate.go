package oauth

import (
	"context"

	"github.com/symbolon/symbolon"
)

// Invalidate is step 6: the access token and its whole connection are over,
// everywhere, when it returns. A second call is refused like any dead token.
func (e *Engine) Invalidate(ctx context.Context, shown Shown) (symbolon.Grant, error) {
	token, err := e.held(ctx, &shown)
	if err != nil {
		return symbolon.Grant{}, err
	}
	if len(token.Sources) > 0 {
		// As at revocation: the connection is another app's to end, and the token
		// ends with it.
		return token.Grant, shown.challenged(refuse(InvalidToken, "The access token came of an exchange, so its connection is another app's, and only that ends it.").from(token.Client))
	}
	now := e.clock.Now()
	n, err := e.store.End(context.WithoutCancel(ctx), symbolon.End{Connection: token.Connection, Token: true, Reason: symbolon.ByApp, Now: now})
	if err != nil {
		return token.Grant, storeError(err).from(token.Client)
	}
	e.announced()
	// This node knows it at once; the others are waited for.
	e.feed.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: token.Connection, At: now})
	if err := e.settle(ctx, token.Connection); err != nil {
		return token.Grant, storeError(err).from(token.Client)
	}
	if n == 0 {
		return token.Grant, refuse(InvalidToken, "The connection was ended before.").of(&token.Grant).whyEnded()
	}
	return token.Grant, nil
}
