package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// TokenRequest is the body of step 3 (RFC 6749 §4.1.3 and §6).
type TokenRequest struct {
	Credentials  Credentials
	GrantType    string
	Code         string
	RedirectURI  string
	CodeVerifier string
	RefreshToken string
	Scope        string

	faults map[string]string
}

// tokenNames are the parameters of a token request.
var tokenNames = []string{"grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token", "scope"}

// ReadToken reads the parameters of a token or refresh request. The credentials
// of an Authorization header are in c.
func ReadToken(p *Params, c Credentials) TokenRequest {
	f := fields{params: p}
	c.BodyID, c.BodySecret = f.read("client_id"), f.read("client_secret")
	r := TokenRequest{
		Credentials:  c,
		GrantType:    f.read("grant_type"),
		Code:         f.read("code"),
		RedirectURI:  f.read("redirect_uri"),
		CodeVerifier: f.read("code_verifier"),
		RefreshToken: f.read("refresh_token"),
		Scope:        f.read("scope"),
	}
	r.faults = f.faults
	return r
}

func (r *TokenRequest) fault() error {
	for _, name := range tokenNames {
		if fault := r.faults[name]; fault != "" {
			return refuse(InvalidRequest, "The parameter "+name+" "+fault+".")
		}
	}
	return nil
}

// Token is step 3: it trades a code for tokens (RFC 6749 §4.1.3). With
// grant_type=refresh_token it is step 5, as every OAuth library sends it.
//
// Redeeming a code is the birth of its connection: one insert, which a second
// redemption collides with.
func (e *Engine) Token(ctx context.Context, req *TokenRequest) (*TokenResponse, error) {
	switch {
	case req.fault() != nil:
		return nil, req.fault()
	case req.GrantType == "":
		return nil, refuse(InvalidRequest, "The parameter grant_type is missing; it must be authorization_code or refresh_token.")
	case req.GrantType == "refresh_token":
		return e.Refresh(ctx, req)
	case req.GrantType != "authorization_code":
		return nil, refuse(UnsupportedGrantType, "The grant_types offered are authorization_code and refresh_token.")
	}
	now := e.clock.Now()

	// 1. Who asks?
	app, err := e.authenticate(ctx, &req.Credentials, now)
	if err != nil {
		return nil, err
	}
	no := func(r Refusal, description string) error { return refuse(r, description).from(app.ID) }

	// 2. What is presented?
	if req.Code == "" {
		return nil, no(InvalidRequest, "The parameter code is missing.")
	}
	if req.RedirectURI == "" {
		return nil, no(InvalidRequest, "The parameter redirect_uri is missing; it must be the one of the authorization request.")
	}
	var code symbolon.Code
	if err := e.open(seal.Code, req.Code, &code, now); err != nil {
		return nil, refuse(InvalidGrant, notOurs(seal.Code, "code", req.Code)).from(app.ID).detail(err.Error())
	}

	// 3. Is it allowed? All is checked before anything is spent, so that a
	// request that fails any check spends nothing (RFC 9700 §4.5).
	if code.Client != app.ID {
		return nil, no(InvalidGrant, "The code was given to another app.")
	}
	if uri := sha256.Sum256([]byte(req.RedirectURI)); subtle.ConstantTimeCompare(uri[:], code.RedirectURI[:]) != 1 {
		return nil, no(InvalidGrant, "The redirect_uri differs from the one in the authorization request.")
	}
	if why := checkVerifier(&code, req.CodeVerifier); why != "" {
		return nil, no(InvalidGrant, why)
	}
	if !now.Before(code.ExpiresAt) {
		return nil, no(InvalidGrant, "The code has expired; it must be redeemed at once.")
	}

	scope := code.Scope.Within(app.Scope) // an owner may have taken one meanwhile
	if len(scope) == 0 {
		return nil, no(InvalidScope, "The app may no longer have any of the scopes that were granted.")
	}

	// 4. Spend. From here on, a client that hangs up undoes nothing.
	expires := e.expiry(code.Connection, now)
	outcome, err := e.store.Connect(context.WithoutCancel(ctx), symbolon.Connect{
		Connection: symbolon.Connection{
			ID: code.Connection, Account: code.Account, Client: app.ID, Scope: code.Scope,
			CreatedAt: now, RefreshedAt: now, ExpiresAt: expires,
		},
		CodeIssuedAt: code.IssuedAt,
		Sandbox:      code.Sandbox,
		Now:          now,
	})
	switch {
	case err != nil:
		return nil, storeError(err).from(app.ID)
	case outcome == symbolon.CodeReplayed:
		e.feed.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: code.Connection, At: now})
		return nil, refuse(InvalidGrant, "The code was used before; the connection that it made is ended, so the account must be connected anew.").from(app.ID).detail("code replayed, connection " + code.Connection.String())
	case outcome != symbolon.Connected:
		return nil, no(InvalidGrant, "The account or the app was disabled, or the consent was withdrawn, since the code was given.")
	}

	// 5. Answer.
	refresh, err := e.refreshToken(code.Grant, app.Rotation, 0, now, expires)
	if err != nil {
		return nil, err
	}
	return e.issue(code.Grant, scope, refresh, expires, now)
}

// HasTokenParams reports whether any of the parameters is one of a token
// request, which a query must not have (RFC 6749 §2.3.1).
func HasTokenParams(p *Params) bool {
	for _, name := range tokenNames {
		if p.Has(name) {
			return true
		}
	}
	return false
}
