package oauth

import (
	"context"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// Userinfo is whom an access token is about (OpenID Connect Core §5.3), and what it
// may know of them.
type Userinfo struct {
	App     *symbolon.App
	Account symbolon.Account
	Grant   symbolon.Grant
	// Subject is the claim sub, the same as in the ID token.
	Subject string
	// Reader is the app's key set, with a key that fits, where it wants the answer
	// encrypted.
	Reader *jwt.Set
}

// Userinfo is the engine's part of the userinfo endpoint: whose the token is.
func (e *Engine) Userinfo(ctx context.Context, shown Shown) (*Userinfo, error) {
	token, err := e.held(ctx, &shown)
	if err != nil {
		return nil, err
	}
	switch {
	case !e.meantForUs(&token.Grant):
		return nil, shown.challenged(refuse(InvalidToken, "The access token is for another resource; ask for one without a resource, or for this server's own.").of(&token.Grant).whyResource(&token.Grant, e.cfg.Issuer))
	case !e.openID(token.Scope):
		r := refuse(InsufficientScope, "The access token lacks the scope openid.").of(&token.Grant).whyLacks(token.Scope, "openid")
		r.Scope = symbolon.Scopes{scopeOpenID}
		return nil, shown.challenged(r)
	case token.Account == "":
		return nil, shown.challenged(refuse(InvalidToken, "The access token is the app's own: there is no account to tell of.").from(token.Client))
	}
	app, err := e.App(ctx, token.Client)
	if err != nil {
		return nil, err
	}
	found, err := e.store.Accounts(ctx, symbolon.AccountQuery{ID: token.Account, Limit: 1})
	switch {
	case err != nil:
		return nil, storeError(err).from(token.Client)
	case len(found) == 0 || !found[0].Enabled():
		return nil, shown.challenged(refuse(InvalidToken, "The account is gone.").from(token.Client))
	}
	reader, err := e.readerKeys(ctx, app, app.Settings.OpenID.UserinfoEncryption, "userinfo_encrypted_response_alg", e.clock.Now())
	if err != nil {
		return nil, err
	}
	return &Userinfo{App: app, Account: found[0], Grant: token.Grant, Subject: e.SubjectOf(app, token.Account), Reader: reader}, nil
}

// TokenInBody returns the access token of a form (RFC 6750 §2.2), or nothing.
func TokenInBody(p *Params) (string, error) {
	f := fields{params: p}
	token := f.read("access_token")
	if fault := f.faults["access_token"]; fault != "" {
		return "", refuse(InvalidRequest, "The parameter access_token "+fault+".")
	}
	return token, nil
}
