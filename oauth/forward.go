package oauth

import (
	"context"
	"slices"

	"github.com/symbolon/symbolon"
)

// ForwardQuery is what a reverse proxy asks about a request that it holds back:
// may it go through to the API?
type ForwardQuery struct {
	// Shown is the access token of the request. Its proof is held to the method and
	// URL of the request that is held back; they are empty when the proxy does not
	// say them, or is none that is believed.
	Shown Shown
	// Scope are the scopes that the request needs, all of them; Resource is the
	// API that the token must be for, or empty for the one that this server
	// stands beside. The proxy's configuration says both.
	Scope    symbolon.Scopes
	Resource string
	// SignIn is how the person must have signed in.
	SignIn SignIn
}

// Forwarded is whose request goes through.
type Forwarded struct {
	// Subject is the account, or the app's client_id when it acts in its own name.
	Subject  string
	ClientID string
	Scope    symbolon.Scopes
	// Grant is what the token stands for, for the log.
	Grant symbolon.Grant
}

// Forward decides on a request that a reverse proxy holds back. It reads nothing
// from the store but an app that it does not know yet.
func (e *Engine) Forward(ctx context.Context, q *ForwardQuery) (*Forwarded, error) {
	// 1. Is the token good, and may its bearer show it?
	if q.Shown.DPoP && q.Shown.Proof.URL == "" {
		return nil, q.needs(refuse(InvalidToken, "The DPoP proof cannot be checked, since the reverse proxy does not say for which URL it must be; use a token that is not bound."))
	}
	token, err := e.held(ctx, &q.Shown)
	if err != nil {
		return nil, q.needs(err)
	}

	// 2. Is it for this API (RFC 8707 §2)?
	if !e.forwardable(&token.Grant, q.Resource) {
		return nil, q.needs(refuse(InvalidToken, "The access token is for another API; ask for one with this API as resource.").from(token.Client))
	}

	// 3. Does it allow what is asked?
	for _, s := range q.Scope {
		if !token.Scope.Has(s) {
			return nil, q.needs(refuse(InsufficientScope, "The access token lacks a scope that this request needs.").from(token.Client))
		}
	}

	// 4. Has the person signed in as it takes (RFC 9470 §3)?
	if !q.SignIn.meets(&token.Grant, e.clock.Now()) {
		return nil, q.needs(refuse(InsufficientAuthentication, "The person must sign in again, or more strongly; begin an authorization request with the acr_values and the max_age of this challenge.").from(token.Client))
	}

	// 5. Whose is it?
	clientID := string(token.Client)
	if app, err := e.apps.get(ctx, token.Client); err != nil {
		return nil, storeError(err).from(token.Client)
	} else if app != nil {
		clientID = app.ClientID()
	}
	return &Forwarded{Subject: e.subject(&token.Grant, clientID), ClientID: clientID, Scope: token.Scope, Grant: token.Grant}, nil
}

// forwardable reports whether a token is for an API.
func (e *Engine) forwardable(g *symbolon.Grant, resource string) bool {
	if resource == "" {
		return e.meantForUs(g)
	}
	return slices.ContainsFunc(g.Resource, func(uri string) bool { return sameResource(uri, resource) })
}

// needs adds to a refusal what the request needs, for the challenge.
func (q *ForwardQuery) needs(err error) error {
	refused := storeError(q.Shown.challenged(err))
	refused.Scope, refused.Resource = q.Scope, q.Resource
	if refused.Refusal == InsufficientAuthentication {
		refused.SignIn = &q.SignIn
	}
	return refused
}
