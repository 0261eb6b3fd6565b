package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// Info is what step 4 says of the connected account.
type Info struct {
	ID   symbolon.AccountID
	User string
	// Grant is what the token stands for, for the log.
	Grant symbolon.Grant
}

// Info is step 4: it says whose the access token is. It reads nothing from the
// store.
func (e *Engine) Info(ctx context.Context, shown Shown) (*Info, error) {
	token, err := e.held(ctx, &shown)
	if err != nil {
		return nil, err
	}
	// RFC 8707 §2: a token for another API is none for this one.
	if !e.meantForUs(&token.Grant) {
		return nil, shown.challenged(refuse(InvalidToken, "The access token is for another resource; ask for one without a resource, or for this server's own.").of(&token.Grant).whyResource(&token.Grant, e.cfg.Issuer))
	}
	// RFC 6750 §3.1: good, but not for this.
	if !token.Scope.Has(symbolon.ScopeConnect) {
		return nil, shown.challenged(refuse(InsufficientScope, "The access token lacks the scope connect.").of(&token.Grant).whyLacks(token.Scope, symbolon.ScopeConnect))
	}
	if token.Account == "" {
		return nil, shown.challenged(refuse(InvalidToken, "The access token is the app's own: there is no account to tell of.").of(&token.Grant).because("the token is of an account", "").mend("Connect an account, and use its token: one of client_credentials is of the app itself."))
	}
	if token.Name == "" {
		return e.namedInfo(ctx, shown.Token, token)
	}
	return &Info{ID: token.Account, User: token.Name, Grant: token.Grant}, nil
}

// namedInfo reads the name from the store, which a JWT does not say. It is kept
// with what was opened, as it is sealed into other tokens.
func (e *Engine) namedInfo(ctx context.Context, text string, token *symbolon.AccessToken) (*Info, error) {
	keys := e.generation(e.clock.Now())
	rows, err := e.store.Accounts(ctx, symbolon.AccountQuery{ID: token.Account, Limit: 1})
	if err != nil {
		return nil, storeError(err).from(token.Client)
	}
	if len(rows) == 0 {
		return nil, refuse(InvalidToken, "The account is gone.").from(token.Client)
	}
	named := *token
	named.Name = rows[0].Name
	e.seen.keep(text, &named, keys)
	return &Info{ID: named.Account, User: named.Name, Grant: named.Grant}, nil
}

// bearer checks an access token (RFC 6750 §2.1), which steps 4 and 6 share.
func (e *Engine) bearer(ctx context.Context, text string) (*symbolon.AccessToken, error) {
	if text == "" {
		return nil, refuse(MissingToken, "An access token is missing; send it as Authorization: Bearer TOKEN.").because("an access token was sent", "RFC 6750 §2.1").compare("Authorization", "", "Bearer and the access token").mend("Send the access_token in the header Authorization, behind the word Bearer and one space.")
	}
	now := e.clock.Now()
	keys := e.generation(now)
	token := e.seen.find(text, keys)
	if token == nil {
		token = new(symbolon.AccessToken)
		err := e.openAccess(text, token, now)
		if errors.Is(err, seal.ErrUnknownKey) {
			// Who is behind may lack the key, and must not call it none of ours.
			if err := e.feed.Fresh(ctx); err != nil {
				return nil, storeError(err)
			}
			if again := e.generation(now); again != keys { // it has read of another key
				keys, err = again, e.openAccess(text, token, now)
			}
		}
		if err != nil {
			return nil, refuse(InvalidToken, notOurs(seal.AccessToken, "access token", text)).detail(err.Error()).whyNotOurs("access token", err)
		}
		e.seen.keep(text, token, keys)
	}
	// A lifetime that was shortened since holds for older tokens too: the feed
	// remembers what has ended for the present lifetime only.
	if !now.Before(token.ExpiresAt) || !now.Before(token.IssuedAt.Add(e.cfg.AccessLifetime)) {
		return nil, refuse(InvalidToken, "The access token has expired; refresh it.").of(&token.Grant).because("the access token is used in time", "RFC 6750 §3.1").
			expired("The access token", token.IssuedAt, earlier(token.ExpiresAt, token.IssuedAt.Add(e.cfg.AccessLifetime)), now).mend("Refresh when the answer is 401, or shortly before expires_in is over, and send the request again with the new token.")
	}
	// DESIGN 4: who does not know what has ended honours nothing.
	if err := e.feed.Fresh(ctx); err != nil {
		return nil, storeError(err).from(token.Client)
	}
	if e.feed.Over(&token.Grant) {
		return nil, refuse(InvalidToken, "The connection was ended; the account must be connected anew.").of(&token.Grant).whyEnded()
	}
	return token, nil
}

// generation grows with every change of a key by which a token is opened.
func (e *Engine) generation(now time.Time) uint64 {
	return e.ring.Generation(now) + e.cfg.Signing.Generation(now)
}
