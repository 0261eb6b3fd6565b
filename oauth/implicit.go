package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// What is brought to the app by the browser itself, without a code (OpenID Connect Core
// §3.2). RFC 9700 §2.1.2 advises against it, so it is off unless the owner turns it on
// for the server and for the app: docs/decisions/0031-implicit.md.

// front is what of tokens a response type brings by the browser.
type front struct{ idToken, token bool }

// any reports whether it brings one at all; otherwise there is a code.
func (f front) any() bool { return f.idToken || f.token }

// front reads the response type. Names in any order are the same one (RFC 6749 §3.1.1).
func (r *AuthorizeRequest) front() front {
	names := strings.Split(r.ResponseType, " ")
	slices.Sort(names)
	switch {
	case !r.Standard: // the page knows codes alone
	case slices.Equal(names, []string{"id_token"}):
		return front{idToken: true}
	case slices.Equal(names, []string{"id_token", "token"}):
		return front{idToken: true, token: true}
	}
	return front{}
}

// offersFront reports whether the owner lets this server bring tokens by the browser.
func (e *Engine) offersFront() bool { return e.cfg.Implicit && e.cfg.IDToken != nil }

// checkFront says what is wrong with a request that wants tokens by the browser.
func (e *Engine) checkFront(req *AuthorizeRequest, app *symbolon.App) *Error {
	f := req.front()
	scope := strings.Fields(req.Scope)
	switch {
	case !f.any() || !e.offersFront():
		return refuse(UnsupportedResponseType, "The only response_type offered is code.") // RFC 9700 §2.1.2
	case !app.MayUse(symbolon.GrantImplicit) || isFAPI(app):
		return refuse(UnauthorizedClient, "This app is not registered for this response_type; its owner can allow it by the grant implicit.")
	case f.token && (app.Settings.BoundTokens || app.Settings.TLSTokens):
		return refuse(UnauthorizedClient, "This app gets only tokens that are bound to a key, and none is bound that the browser brings.")
	case !slices.Contains(scope, scopeOpenID): // OpenID Connect Core §3.2.2.1
		return refuse(InvalidScope, "This response_type needs the scope openid.")
	case req.OpenID.Nonce == "": // OpenID Connect Core §3.2.2.1
		return refuse(InvalidRequest, "This response_type needs a nonce.")
	case req.ResponseMode == string(ModeQuery) || req.ResponseMode == string(ModeQueryJWT):
		// Multiple Response Types §2.1: in a query it would be in logs and in histories.
		return refuse(InvalidRequest, "This response_type brings tokens, which never stand in a query; leave response_mode out, or send form_post.")
	}
	return nil
}

// respond brings a code to the app, as the request wants it, or the tokens themselves.
func (e *Engine) respond(ctx context.Context, app *symbolon.App, req *AuthorizeRequest, code *symbolon.Code, account *symbolon.Account, now time.Time) (Callback, error) {
	c := Callback{App: app, Mode: e.mode(req), RedirectURI: req.RedirectURI, State: req.State, Issuer: e.cfg.Issuer}
	if f := req.front(); f.any() {
		if err := e.bring(ctx, &c, f, code, account, now); err != nil {
			return c, err
		}
		return c, e.sign(&c, now)
	}
	text, err := e.sealed(seal.Code, code, now)
	if err != nil {
		return Callback{}, err
	}
	c.Code = text
	return c, e.sign(&c, now)
}

// bring puts the tokens into the answer. There is no connection, and nothing to
// refresh: they end of themselves, or with all that is between account and app.
func (e *Engine) bring(ctx context.Context, c *Callback, f front, code *symbolon.Code, account *symbolon.Account, now time.Time) error {
	grant := code.Grant
	who := &caller{app: c.App, now: now, account: account}
	if err := e.person(ctx, who, grant.Scope, &grant); err != nil {
		return err
	}
	who.account = account
	if f.token {
		answer, err := e.issueSigned(who, grant, "", time.Time{}, issued{nonce: code.Nonce})
		if err != nil {
			return err
		}
		c.Tokens = answer
		return nil
	}
	// OpenID Connect Core §5.4: what the scopes stand for is here, since there is no
	// access token for userinfo.
	text, err := e.cfg.IDToken(&IDTokenRequest{
		App: c.App, Grant: grant, Account: account, Scopes: grant.Scope, Subject: e.SubjectOf(c.App, grant.Account),
		Nonce: code.Nonce, Reader: who.reads, Now: now,
	})
	if err != nil {
		return storeError(err).from(c.App.ID)
	}
	c.Tokens = &TokenResponse{IDToken: text}
	return nil
}
