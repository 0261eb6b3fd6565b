package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// TokenRequest is a token request of any grant: RFC 6749 §4.1.3, §4.4.2 and §6,
// and the RFCs of the other grants, which stand in their files.
type TokenRequest struct {
	Credentials Credentials
	// Proof is what shows that the caller holds a key.
	Proof Proof
	// Standard is set on the standard surface: every grant is offered, and a
	// redirect URI that the challenge makes needless may be left out.
	Standard bool

	GrantType    string
	Code         string
	RedirectURI  string
	CodeVerifier string
	RefreshToken string
	Scope        string
	// Resource are the APIs that the token is for (RFC 8707 §2.2).
	Resource []string
	// Details are authorization_details (RFC 9396 §6).
	Details string
	// DeviceCode is that of RFC 8628 §3.4, Assertion that of RFC 7523 §2.1.
	DeviceCode string
	Assertion  string
	Exchange   ExchangeRequest

	faults map[string]string
}

// tokenNames are the parameters of a token request.
var tokenNames = []string{
	"grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token", "scope",
	"client_assertion", "client_assertion_type", "authorization_details", "device_code", "assertion",
}

// tokenLists are those that may appear more than once.
var tokenLists = []string{"resource", "audience"}

// ReadToken reads the parameters of a token or refresh request. The credentials
// of an Authorization header are in c.
func ReadToken(p *Params, c Credentials) TokenRequest {
	f := fields{params: p}
	f.credentials(&c)
	r := TokenRequest{
		Credentials:  c,
		GrantType:    f.read("grant_type"),
		Code:         f.read("code"),
		RedirectURI:  f.read("redirect_uri"),
		CodeVerifier: f.read("code_verifier"),
		RefreshToken: f.read("refresh_token"),
		Scope:        f.read("scope"),
		Resource:     f.all("resource"),
		Details:      f.read("authorization_details"),
		DeviceCode:   f.read("device_code"),
		Assertion:    f.read("assertion"),
	}
	if r.GrantType == string(symbolon.GrantExchange) {
		r.Exchange = readExchange(&f)
	}
	r.faults = f.faults
	return r
}

// fault returns the refusal of the first parameter that is broken.
func (r *TokenRequest) fault() error {
	if len(r.faults) == 0 {
		return nil
	}
	for _, names := range [][]string{tokenNames, exchangeNames, tokenLists} {
		for _, name := range names {
			if fault := r.faults[name]; fault != "" {
				return faulty(name, fault)
			}
		}
	}
	return nil
}

// Token is step 3: it trades a code for tokens (RFC 6749 §4.1.3). With
// grant_type=refresh_token it is step 5, as every OAuth library sends it. On the
// standard surface it takes the other grants, too.
func (e *Engine) Token(ctx context.Context, req *TokenRequest) (*TokenResponse, error) {
	if err := req.fault(); err != nil {
		return nil, err
	}
	grant := symbolon.GrantType(req.GrantType)
	switch {
	case grant == "":
		if req.Standard {
			return nil, refuse(InvalidRequest, "The parameter grant_type is missing; the server's metadata lists its values under grant_types_supported.").absent("grant_type", "RFC 6749 §4.1.3")
		}
		return nil, refuse(InvalidRequest, "The parameter grant_type is missing; it must be authorization_code or refresh_token.").absent("grant_type", "RFC 6749 §4.1.3")
	case grant == symbolon.GrantRefresh:
		return e.Refresh(ctx, req)
	case grant != symbolon.GrantCode && !(req.Standard && slices.Contains(Grants, grant)):
		return nil, refuse(UnsupportedGrantType, "The grant_type is none that this endpoint offers; the server's metadata lists those that /oauth2/token takes.").whyGrant(req)
	}

	// Who asks? No grant can forget it.
	c, err := e.caller(ctx, req, grant)
	if err != nil {
		return nil, err
	}
	switch grant {
	case symbolon.GrantClient:
		return e.clientCredentials(c, req)
	case symbolon.GrantDevice:
		return e.deviceToken(ctx, c, req)
	case symbolon.GrantExchange:
		return e.exchange(ctx, c, req)
	case symbolon.GrantAssertion:
		return e.assertionGrant(ctx, c, req)
	default:
		return e.redeem(ctx, c, req)
	}
}

// Grants are those that the token endpoint of the standard surface offers.
var Grants = []symbolon.GrantType{
	symbolon.GrantCode, symbolon.GrantRefresh, symbolon.GrantClient, symbolon.GrantDevice, symbolon.GrantExchange, symbolon.GrantAssertion,
}

// redeem trades a code: the birth of its connection is one insert, which a
// second redemption collides with.
func (e *Engine) redeem(ctx context.Context, c *caller, req *TokenRequest) (*TokenResponse, error) {
	app, now := c.app, c.now

	// 2. What is presented?
	if req.Code == "" {
		return nil, c.no(InvalidRequest, "The parameter code is missing.").absent("code", "RFC 6749 §4.1.3")
	}
	var code symbolon.Code
	if err := e.open(seal.Code, req.Code, &code, now); err != nil {
		return nil, c.no(InvalidGrant, notOurs(seal.Code, "code", req.Code)).detail(err.Error()).whyNotOurs("code", err)
	}
	if req.RedirectURI == "" && !(req.Standard && (code.ImpliedURI || code.HasChallenge || looseNoRedirect.InForce(app))) {
		return nil, c.no(InvalidRequest, "The parameter redirect_uri is missing; it must be the one of the authorization request.").absent("redirect_uri", "RFC 6749 §4.1.3")
	}

	// 3. Is it allowed? All is checked before anything is spent, so that a
	// request that fails any check spends nothing (RFC 9700 §4.5).
	if code.Client != app.ID {
		return nil, c.no(InvalidGrant, "The code was given to another app.").whyAnother("code", "RFC 6749 §4.1.3")
	}
	if uri := sha256.Sum256([]byte(req.RedirectURI)); req.RedirectURI != "" && subtle.ConstantTimeCompare(uri[:], code.RedirectURI[:]) != 1 {
		return nil, c.no(InvalidGrant, "The redirect_uri differs from the one in the authorization request.").of(&code.Grant).whySameURI(app, code.RedirectURI, req.RedirectURI)
	}
	if why := checkVerifier(&code, req.CodeVerifier); why != "" {
		return nil, c.no(InvalidGrant, why).of(&code.Grant).whyVerifier(&code, req.CodeVerifier)
	}
	// RFC 9449 §10: the code may be bound to the key already.
	if code.Binding.Kind != symbolon.Unbound && code.Binding != c.binding {
		return nil, c.no(InvalidGrant, "The code is bound to the key of a DPoP proof, and the request does not prove to have that key.").of(&code.Grant).whyBinding(code.Binding, c.binding)
	}
	if !now.Before(code.ExpiresAt) {
		return nil, c.no(InvalidGrant, "The code has expired; it must be redeemed at once.").of(&code.Grant).because("the code is redeemed in time", "RFC 6749 §4.1.2").expired("The code", code.IssuedAt, code.ExpiresAt, now).mend("Redeem the code as soon as the person comes back, in the callback itself, and not in a job that runs later.")
	}

	// 4. Spend, and 5. answer.
	return e.born(ctx, c, &code, req, false)
}

// born makes a connection of a code, or of a device code that was allowed, and
// the first tokens of it. With spare set, a code that is spent a second time is
// refused and ends nothing.
func (e *Engine) born(ctx context.Context, c *caller, code *symbolon.Code, req *TokenRequest, spare bool) (*TokenResponse, error) {
	// The last of what is checked: an owner may have taken a scope meanwhile.
	scope := code.Scope.Within(mayHave(c.app))
	if len(scope) == 0 {
		return nil, c.no(InvalidScope, "The app may no longer have any of the scopes that were granted.").of(&code.Grant).whyScope(code.Scope.String(), mayHave(c.app))
	}
	token, err := e.narrow(c, code.Grant, scope, req)
	if err != nil {
		return nil, err
	}
	if err := e.person(ctx, c, scope, &token); err != nil {
		return nil, err
	}
	// From here on, a client that hangs up undoes nothing.
	expires, err := e.connect(ctx, c, code, spare)
	if err != nil {
		return nil, err
	}
	refresh, err := e.firstRefresh(c, code.Grant, expires)
	if err != nil {
		return nil, err
	}
	return e.issueSigned(c, token, refresh, expires, issued{nonce: code.Nonce})
}

// connect spends what a connection is made of: a code, or a device code that was
// allowed. It returns when the connection dies unless it is refreshed. With spare
// set, what is spent a second time is refused and ends nothing.
func (e *Engine) connect(ctx context.Context, c *caller, code *symbolon.Code, spare bool) (time.Time, error) {
	expires := e.expiry(code.Connection, c.now)
	if !c.app.Admits(code.Account) {
		return expires, c.no(InvalidGrant, "The app is in test, and the account is not, or no longer, one that its owner lets try it out.")
	}
	var session symbolon.SessionID
	if c.app.Settings.OpenID.BackchannelLogoutURI != "" && !spare {
		session = code.Session // a device is not of the browser in which it was allowed
	}
	outcome, err := e.store.Connect(context.WithoutCancel(ctx), symbolon.Connect{
		Connection: symbolon.Connection{
			ID: code.Connection, Account: code.Account, Client: c.app.ID, Scope: code.Scope, Session: session,
			Label:     code.Label,
			CreatedAt: c.now, RefreshedAt: c.now, ExpiresAt: expires,
		},
		CodeIssuedAt: code.IssuedAt,
		Sandbox:      code.Sandbox,
		Spare:        spare,
		One:          c.app.Settings.OneConnection,
		Tell:         tells(c.app, symbolon.EventConnected),
		From:         c.from,
		Now:          c.now,
	})
	switch {
	case err != nil:
		return expires, storeError(err).from(c.app.ID)
	case outcome == symbolon.CodeReplayed && spare:
		return expires, c.no(InvalidGrant, "The device_code was used before; the tokens that it brought go on working.").of(&code.Grant).because("a device_code is used once", "RFC 8628 §3.5").mend("Stop asking once there was an answer with tokens.")
	case outcome == symbolon.CodeReplayed:
		e.happened(Happening{Type: symbolon.EventReplayed, Connection: code.Connection, Account: code.Account, Client: c.app.ID, Why: string(symbolon.ByCodeReplay), At: c.now})
		e.announced()
		return expires, e.ended(ctx, c, code.Connection, c.no(InvalidGrant, "The code was used before; the connection that it made is ended, so the account must be connected anew.").detail("code replayed, connection "+code.Connection.String()).of(&code.Grant).whyReplay(code, c.now))
	case outcome != symbolon.Connected:
		return expires, c.no(InvalidGrant, "The account or the app was disabled, the consent was withdrawn, the person signed out, or connected the app anew, since the code was given.").of(&code.Grant).because("what was allowed is allowed still", "RFC 6749 §5.2").mend("Connect the account anew.")
	}
	e.happened(Happening{Type: symbolon.EventConnected, Connection: code.Connection, Account: code.Account, Client: c.app.ID, At: c.now})
	if c.app.Settings.Webhook != nil {
		e.announced()
	}
	if c.app.Settings.OneConnection {
		// What the new one has replaced, the changes say.
		if err := e.endedSome(ctx); err != nil {
			return expires, storeError(err).from(c.app.ID)
		}
	}
	return expires, nil
}

// HasTokenParams reports whether any of the parameters is one of a token request,
// or of one about a token, which a query must not have (RFC 6749 §2.3.1).
func HasTokenParams(p *Params) bool {
	for _, names := range [][]string{tokenNames, exchangeNames, tokenQueryNames} {
		if slices.ContainsFunc(names, p.Has) {
			return true
		}
	}
	return false
}
