package oauth

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// assertionGrant gives an app a token for the account that a trusted issuer's JWT
// names (RFC 7523 §2.1). The owner has said by the configuration that the
// issuer's word is the person's; nothing is asked. There is no connection, so the
// token has an id of its own by which it can be ended, and no refresh token comes
// with it (RFC 7521 §4.1): whoever wants another shows another assertion.
func (e *Engine) assertionGrant(ctx context.Context, c *caller, req *TokenRequest) (*TokenResponse, error) {
	// 2. What is presented?
	if req.Assertion == "" {
		return nil, c.no(InvalidRequest, "The parameter assertion is missing.")
	}
	issuer, claims, err := e.readGrantAssertion(ctx, c, req.Assertion)
	if err != nil {
		return nil, err
	}

	// 3. Is it allowed?
	query := symbolon.AccountQuery{ID: symbolon.AccountID(claims.Subject), Limit: 1}
	if issuer.ByUsername {
		query = symbolon.AccountQuery{Username: claims.Subject, Limit: 1}
	}
	accounts, err := e.store.Accounts(ctx, query)
	if err != nil {
		return nil, storeError(err).from(c.app.ID)
	}
	if len(accounts) == 0 || !accounts[0].Enabled() {
		return nil, c.no(InvalidGrant, "The sub of the assertion is no account of this server that may be used.")
	}
	account := &accounts[0]
	scope, err := e.askedScope(c, req.Scope)
	if err != nil {
		return nil, err
	}
	if !c.app.Admits(account.ID) {
		return nil, c.no(InvalidGrant, "The app is in test, and the account is not one that its owner lets try it out.")
	}
	scope = withoutAdmin(scope) // which takes a person who allows it
	grant := symbolon.Grant{Connection: symbolon.NewConnectionID(c.now), Client: c.app.ID, Account: account.ID, Name: account.Name}
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
		return nil, c.no(InvalidGrant, "All that the account allowed was ended in this moment; show another assertion.")
	}

	// 4. Spend: an assertion works once, on any node.
	first, err := e.once(ctx, "grant", issuer.Issuer, claims.ID, claims.Expires.Add(behind), c.now)
	if err != nil {
		return nil, storeError(err).from(c.app.ID)
	}
	if !first {
		return nil, c.no(InvalidGrant, "The assertion was used before; show another one, with another jti, for each token.")
	}

	// 5. Answer.
	return e.issue(c, grant, "", c.now)
}

// maxGrantAssertion is how far ahead the exp of such an assertion may lie.
const maxGrantAssertion = 10 * time.Minute

// readGrantAssertion checks that a trusted issuer signed an assertion, for this
// server, lately (RFC 7523 §3).
func (e *Engine) readGrantAssertion(ctx context.Context, c *caller, text string) (*TrustedIssuer, *assertionClaims, error) {
	no := func(why string) *Error { return c.no(InvalidGrant, why) }
	token, err := jwt.Parse(text)
	if err != nil {
		return nil, nil, no("The assertion is not a JWT, signed by ES256, RS256, PS256 or EdDSA, in the compact form.").detail(err.Error())
	}
	switch token.Type {
	case "at+jwt", "client-authentication+jwt", "oauth-authz-req+jwt", "dpop+jwt", "token-introspection+jwt", "oauth-id-jag+jwt", TypeHandoff:
		// The last has rules of its own, by which it is one app's; they are not kept here.
		return nil, nil, no("The assertion has the typ of another kind of JWT (RFC 8725 section 3.11).")
	}
	var unproven assertionClaims
	if err := jwt.Decode(token.Unverified(), &unproven); err != nil {
		return nil, nil, no("The claims of the assertion are not JSON of the right types, or one stands twice.").detail(err.Error())
	}
	i := slices.IndexFunc(e.cfg.TrustedIssuers, func(t TrustedIssuer) bool { return t.Issuer == unproven.Issuer })
	if i < 0 {
		return nil, nil, no("The iss of the assertion is none whose word counts here.")
	}
	issuer := &e.cfg.TrustedIssuers[i]
	if len(issuer.Apps) > 0 && !slices.Contains(issuer.Apps, c.app.ID) {
		return nil, nil, c.no(UnauthorizedClient, "This app may not present what this issuer signs.")
	}
	set := issuer.Keys
	if set == nil {
		if set, err = e.keySet(ctx, e.keys, "", "", issuer.KeysURI, named(token.KeyID), c.now); err != nil {
			return nil, nil, storeError(err).from(c.app.ID)
		}
	}
	payload, err := token.VerifyWith(set)
	if err != nil {
		return nil, nil, no("The assertion is not signed by a key of its issuer.").detail(err.Error())
	}
	claims := new(assertionClaims)
	if err := jwt.Decode(payload, claims); err != nil {
		return nil, nil, no("The claims of the assertion cannot be read.").detail(err.Error())
	}
	if !e.namesUs(claims.Audience, issuer.Audience) {
		return nil, nil, no("The aud of the assertion must be this server's issuer, as one string; the URL of its token endpoint is taken as well.")
	}
	if why := claims.when(c.now, maxGrantAssertion); why != "" {
		return nil, nil, no("The assertion " + why + ".")
	}
	if claims.Subject == "" || claims.ID == "" || len(claims.ID) > maxID {
		return nil, nil, no("The assertion needs a sub, and a jti of at most 512 bytes, another each time.")
	}
	return issuer, claims, nil
}

// namesUs reports whether the aud of an assertion is what its issuer was told to
// write there, or names this server.
func (e *Engine) namesUs(aud json.RawMessage, agreed string) bool {
	if agreed == "" {
		return e.isAudience(aud)
	}
	var one string
	return json.Unmarshal(aud, &one) == nil && one == agreed
}
