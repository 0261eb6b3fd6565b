package oauth

import (
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// clientCredentials gives an app a token in its own name (RFC 6749 §4.4). There
// is no account and no connection, so nothing is written; the token has an id by
// which it can be ended.
func (e *Engine) clientCredentials(c *caller, req *TokenRequest) (*TokenResponse, error) {
	// RFC 6749 §4.4: for apps that can prove themselves only.
	if c.app.Public {
		return nil, c.no(UnauthorizedClient, "A public app cannot prove itself, so it gets no token in its own name.")
	}
	scope, err := e.askedScope(c, req.Scope)
	if err != nil {
		return nil, err
	}
	grant := symbolon.Grant{Connection: symbolon.NewConnectionID(c.now), Client: c.app.ID, Name: c.app.Name}
	if grant.Resource, err = e.target(c.app, req.Resource); err != nil {
		return nil, storeError(err).from(c.app.ID)
	}
	if grant, err = e.narrow(c, grant, scope, &TokenRequest{}); err != nil {
		return nil, err
	}
	if grant.Details, err = e.askedDetails(c, req.Details); err != nil {
		return nil, err
	}
	if e.feed.Over(&grant) {
		r := c.no(Unavailable, "All that the app had was ended in this moment; send the same request again shortly.")
		r.RetryAfter = time.Second
		return nil, r
	}
	// RFC 6749 §4.4.3: no refresh token.
	return e.issue(c, grant, "", c.now)
}

// askedScope reads the scope of a request that no authorization came before.
func (e *Engine) askedScope(c *caller, text string) (symbolon.Scopes, error) {
	if text == "" {
		// RFC 6749 §3.3: a default that is documented, never all scopes.
		if scope := e.cfg.DefaultScope.Within(c.app.Scope); len(scope) > 0 {
			return scope, nil
		}
		return nil, c.no(InvalidScope, "The parameter scope is missing, and this app may not have the scope that is the default.")
	}
	scope, err := symbolon.ParseScopes(text)
	if err != nil || !mayHave(c.app).Covers(scope) {
		if strings.Contains(text, ",") {
			return nil, c.no(InvalidScope, "The names in scope are separated by single spaces, not by commas.")
		}
		return nil, c.no(InvalidScope, "A scope was asked for that does not exist or is not among those registered for this app.")
	}
	return scope, nil
}
