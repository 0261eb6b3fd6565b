package oauth

import (
	"context"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// Refresh is step 5: it trades a refresh token for fresh tokens (RFC 6749 §6).
//
// It is one compare-and-set on the connection's sequence number. An app that
// lost our answer sends the same token again and gets the same successor; one
// that sends an older token has been copied, and the connection is ended
// (RFC 9700 §4.14.2).
func (e *Engine) Refresh(ctx context.Context, req *TokenRequest) (*TokenResponse, error) {
	answer, err := e.renew(ctx, req)
	if err != nil {
		e.noteRefused(ctx, req, err)
	}
	return answer, err
}

func (e *Engine) renew(ctx context.Context, req *TokenRequest) (*TokenResponse, error) {
	if err := req.fault(); err != nil {
		return nil, err
	}
	if req.GrantType != "" && req.GrantType != "refresh_token" {
		return nil, refuse(UnsupportedGrantType, "The only grant_type offered here is refresh_token; it may be left out.").whyGrant(req)
	}

	// 1. Who asks?
	c, err := e.caller(ctx, req, symbolon.GrantRefresh)
	if err != nil {
		return nil, err
	}
	app, now := c.app, c.now

	// 2. What is presented?
	if req.RefreshToken == "" {
		return nil, c.no(InvalidRequest, "The parameter refresh_token is missing.").absent("refresh_token", "RFC 6749 §6")
	}
	var token symbolon.RefreshToken
	if err := e.open(seal.RefreshToken, req.RefreshToken, &token, now); err != nil {
		return nil, c.no(InvalidGrant, notOurs(seal.RefreshToken, "refresh_token", req.RefreshToken)).detail(err.Error()).whyNotOurs("refresh_token", err)
	}

	// 3. Is it allowed? All is checked before anything is spent.
	if token.Client != app.ID {
		return nil, c.no(InvalidGrant, "The refresh_token was given to another app.").whyAnother("refresh_token", "RFC 6749 §6")
	}
	scope := token.Scope
	if req.Scope != "" {
		// RFC 6749 §6: it may name fewer scopes than were granted, never more.
		if scope, err = symbolon.ParseScopes(req.Scope); err != nil || !token.Scope.Covers(scope) {
			if strings.Contains(req.Scope, ",") {
				return nil, c.no(InvalidScope, "The names in scope are separated by single spaces, not by commas.").of(&token.Grant).whyScope(req.Scope, token.Scope)
			}
			return nil, c.no(InvalidScope, "A refresh may ask for fewer scopes than were granted, never for others.").of(&token.Grant).whyScope(req.Scope, token.Scope)
		}
	}
	// An owner who takes a scope from the app takes it from its tokens as well.
	if scope = scope.Within(mayHave(app)); len(scope) == 0 {
		return nil, c.no(InvalidScope, "The app may no longer have any of the scopes that were granted.").of(&token.Grant).whyScope(token.Scope.String(), mayHave(app))
	}
	// RFC 9449 §5: the refresh token of a public app is bound to its key.
	if token.Binding.Kind != symbolon.Unbound && token.Binding != c.binding {
		return nil, c.no(InvalidGrant, "The refresh_token is bound to the key of a DPoP proof, and the request does not prove to have that key.").of(&token.Grant).whyBinding(token.Binding, c.binding)
	}
	access, err := e.narrow(c, token.Grant, scope, req)
	if err == nil {
		err = e.person(ctx, c, scope, &access)
	}
	if err != nil {
		return nil, err
	}
	if !now.Before(token.ExpiresAt) {
		return nil, c.no(InvalidGrant, "The refresh_token has expired; the account must be connected anew.").of(&token.Grant).because("the refresh_token is used in time", "RFC 6749 §6").expired("The refresh_token", token.IssuedAt, token.ExpiresAt, now).mend("Connect the account anew. To keep a connection alive, refresh it before it expires, also when nothing is asked of it.")
	}

	// 4. Spend. From here on, a client that hangs up undoes nothing.
	change := symbolon.Refresh{ID: token.Connection, Seq: token.Seq, Rotation: app.Rotation, Grace: -1, ExpiresAt: e.expiry(token.Connection, now),
		From: c.from, Tell: tells(app, symbolon.EventRefreshed), Now: now}
	if !now.Before(change.ExpiresAt) {
		return nil, c.no(InvalidGrant, "The connection is older than connections may become; the account must be connected anew.").of(&token.Grant).because("a connection has an end", "connection_lifetime").expired("The connection", token.Connection.Time(), change.ExpiresAt, now).mend("Connect the account anew; the server's operator says how long connections live (connection_lifetime).")
	}
	if app.Public && !looseLateRetry.InForce(app) {
		change.Grace = e.cfg.PublicGrace
	}
	outcome, err := e.store.Refresh(context.WithoutCancel(ctx), change)
	switch {
	case err != nil:
		return nil, storeError(err).from(app.ID)
	case outcome.Result == symbolon.RefreshReplayed:
		e.happened(Happening{Type: symbolon.EventReplayed, Connection: token.Connection, Account: token.Account, Client: app.ID, Why: string(symbolon.ByRefreshReplay), At: now})
		e.announced()
		return nil, e.ended(ctx, c, token.Connection, c.no(InvalidGrant, "The refresh_token was used before and its successor was used too, so one of the two was copied; the connection is ended and the account must be connected anew.").detail("refresh token replayed, connection "+token.Connection.String()).of(&token.Grant).whyOlder(&token))
	case outcome.Result == symbolon.RefreshEnded:
		return nil, e.ended(ctx, c, token.Connection, c.no(InvalidGrant, "The connection was ended; the account must be connected anew.").of(&token.Grant).whyEnded())
	case outcome.Result == symbolon.RefreshDenied:
		return nil, c.no(InvalidGrant, "The connection has expired, or its account was disabled; the account must be connected anew.").of(&token.Grant).because("the connection lives", "RFC 6749 §6").fact("This was the refresh token number %d of the connection.", token.Seq).mend("Connect the account anew.")
	}

	e.failures.mended(token.Connection)
	e.happened(Happening{Type: symbolon.EventRefreshed, Connection: token.Connection, Account: token.Account, Client: app.ID, At: now})
	if change.Tell {
		e.announced()
	}

	// 5. Answer. The successor is made from what it succeeds and from the row,
	// so that it is the same however often it is made.
	refresh := req.RefreshToken
	if outcome.Result != symbolon.Kept || outcome.Seq != token.Seq || token.ExpiresAt.Before(outcome.ExpiresAt) {
		if refresh, err = e.refreshToken(token.Grant, app.Rotation, outcome.Seq, outcome.At, outcome.ExpiresAt); err != nil {
			return nil, err
		}
	}
	return e.issueSigned(c, access, refresh, outcome.ExpiresAt, issued{rollback: outcome.Result == symbolon.CaughtUp})
}
