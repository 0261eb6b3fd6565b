package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// TokenQuery is a request about a token: to introspect it (RFC 7662 §2.1) or to
// revoke it (RFC 7009 §2.1). A token_type_hint is not needed: a token says itself
// what it is.
type TokenQuery struct {
	Credentials Credentials
	Proof       Proof
	Token       string
	// Signed asks for a signed answer (RFC 9701 §4).
	Signed bool

	faults map[string]string
}

// tokenQueryNames are the parameters of such a request.
var tokenQueryNames = []string{"token", "client_id", "client_secret", "client_assertion", "client_assertion_type"}

// ReadTokenQuery reads the parameters of an introspection or revocation request.
// The credentials of an Authorization header are in c.
func ReadTokenQuery(p *Params, c Credentials) TokenQuery {
	f := fields{params: p}
	f.credentials(&c)
	q := TokenQuery{Credentials: c, Token: f.read("token")}
	q.faults = f.faults
	return q
}

// asker is the first phase of both: who asks, and about what?
func (e *Engine) asker(ctx context.Context, q *TokenQuery) (*caller, error) {
	for _, name := range tokenQueryNames {
		if fault := q.faults[name]; fault != "" {
			return nil, faulty(name, fault)
		}
	}
	// RFC 7662 §2.1, RFC 7009 §2.1: who says nothing of who it is has not proven
	// itself, which is 401.
	if q.Credentials.sentNothing() {
		return nil, refuse(InvalidClient, "The app that asks must prove itself; send its client_id and client_secret in an Authorization header of the scheme Basic, or in the body.")
	}
	now := e.clock.Now()
	app, err := e.authenticate(ctx, &q.Credentials, now)
	if err != nil {
		return nil, err
	}
	c := &caller{app: app, now: now}
	if q.Token == "" {
		return nil, c.no(InvalidRequest, "The parameter token is missing.")
	}
	return c, nil
}

// Introspection is what is said of a token.
type Introspection struct {
	// Body is the answer: a JSON object, or a JWT when Signed is set.
	Body   []byte
	Signed bool
	// Caller is the app that asked.
	Caller symbolon.ClientID
	// Grant is what the token stands for, for the log; empty when it is not
	// active.
	Grant symbolon.Grant
}

// tokenInfo are the members of an introspection response (RFC 7662 §2.2, RFC
// 9449 §6.2, RFC 8705 §3.2, RFC 9396 §9.2, RFC 8693 §4).
type tokenInfo struct {
	Active    bool            `json:"active"`
	Scope     string          `json:"scope,omitempty"`
	ClientID  string          `json:"client_id,omitempty"`
	Username  string          `json:"username,omitempty"`
	TokenType string          `json:"token_type,omitempty"`
	Expires   int64           `json:"exp,omitempty"`
	IssuedAt  int64           `json:"iat,omitempty"`
	Subject   string          `json:"sub,omitempty"`
	Audience  audience        `json:"aud,omitempty"`
	Issuer    string          `json:"iss,omitempty"`
	ID        string          `json:"jti,omitempty"`
	AuthTime  int64           `json:"auth_time,omitempty"`
	ACR       string          `json:"acr,omitempty"` // RFC 9470 §6.2
	Confirm   *confirmation   `json:"cnf,omitempty"`
	Details   json.RawMessage `json:"authorization_details,omitempty"`
	Actor     json.RawMessage `json:"act,omitempty"`
}

// inactive is the whole of what is said of every token that is not good, not
// known, or none of the caller's business (RFC 7662 §2.2).
var inactive = []byte(`{"active":false}`)

// Introspect says what a token stands for, to the app that it was given to and
// to the APIs that it is for (RFC 7662). About an access token it reads nothing
// from the store.
func (e *Engine) Introspect(ctx context.Context, q *TokenQuery) (*Introspection, error) {
	// 1. Who asks?
	c, err := e.asker(ctx, q)
	if err != nil {
		return nil, err
	}
	// RFC 7662 §2.1: whoever asks must prove who it is, so that tokens cannot be
	// tried out.
	if c.app.Public {
		return nil, c.no(InvalidClient, "A public app cannot prove itself, so it may not ask about tokens.")
	}

	// 2. What is presented, and is it good?
	info, grant, err := e.look(ctx, c, q.Token)
	if err != nil {
		return nil, storeError(err).from(c.app.ID)
	}

	// 3. Answer.
	answer := &Introspection{Body: inactive, Caller: c.app.ID, Signed: q.Signed || c.app.Settings.SignedIntrospection}
	if info != nil {
		answer.Grant = *grant
		if answer.Body, err = json.Marshal(info); err != nil {
			return nil, storeError(symbolon.Wrap(symbolon.Internal, "introspect", err))
		}
	}
	if answer.Signed {
		text, err := e.cfg.Signing.Sign(typIntrospection, e.algorithmFor(c.app), map[string]any{
			"iss": e.cfg.Issuer, "aud": c.app.ClientID(), "iat": c.now.Unix(), "token_introspection": json.RawMessage(answer.Body),
		}, c.now)
		if err != nil {
			return nil, storeError(err).from(c.app.ID)
		}
		answer.Body = []byte(text)
	}
	return answer, nil
}

// typIntrospection is the typ of a signed answer (RFC 9701 §5).
const typIntrospection = "token-introspection+jwt"

// look returns what is said of a token, or nil when it is inactive to the caller.
// An error means that it cannot be known.
func (e *Engine) look(ctx context.Context, c *caller, text string) (*tokenInfo, *symbolon.Grant, error) {
	var grant symbolon.Grant
	kind := ""
	if strings.HasPrefix(text, string(seal.RefreshToken)) {
		token, err := e.liveRefresh(ctx, c, text)
		if token == nil {
			return nil, nil, err
		}
		grant = token.Grant
	} else {
		token, err := e.bearer(ctx, text)
		if err != nil {
			if r := storeError(err).Refusal; r == Unavailable || r == ServerError {
				return nil, nil, err
			}
			return nil, nil, nil
		}
		grant, kind = token.Grant, "Bearer"
		if grant.Binding.Kind == symbolon.BoundByDPoP {
			kind = "DPoP"
		}
		if !e.entitled(c.app, &grant) {
			return nil, nil, nil
		}
	}
	// RFC 7662 §2.2: client_id is that of the app that the token was given to.
	clientID := string(grant.Client)
	if app, err := e.apps.get(ctx, grant.Client); err != nil {
		return nil, nil, err
	} else if app != nil {
		clientID = app.ClientID()
	}
	info := &tokenInfo{
		Active: true, Scope: grant.Scope.String(), ClientID: clientID, Username: grant.Name, TokenType: kind,
		Expires: grant.ExpiresAt.Unix(), IssuedAt: grant.IssuedAt.Unix(), Subject: e.subject(&grant, clientID),
		Audience: e.audience(&grant), Issuer: e.cfg.Issuer, ID: tokenID(text), Confirm: confirm(grant.Binding),
		Details: json.RawMessage(grant.Details), Actor: json.RawMessage(grant.Actor),
	}
	if grant.Account == "" {
		info.Username = ""
	} else if own := c.app; own.ID == grant.Client && own.Settings.OpenID.Pairwise && !own.Settings.API {
		// OpenID Connect Core §8.1: what it cannot learn elsewhere, it does not here.
		info.Subject, info.Username = e.SubjectOf(own, grant.Account), ""
	}
	if !grant.AuthAt.IsZero() {
		info.AuthTime, info.ACR = grant.AuthAt.Unix(), ACR(&grant)
	}
	return info, &grant, nil
}

// entitled reports whether an app may know what an access token says: it is its
// own, or the app is an API that the token is for (RFC 7662 §4).
func (e *Engine) entitled(app *symbolon.App, g *symbolon.Grant) bool {
	switch {
	case g.Client == app.ID:
		return true
	case !app.Settings.API:
		return false
	case len(app.Settings.APIResources) == 0 || len(g.Resource) == 0:
		return len(app.Settings.APIResources) == 0 && e.meantForUs(g)
	}
	return slices.ContainsFunc(app.Settings.APIResources, func(own string) bool {
		return slices.ContainsFunc(g.Resource, func(uri string) bool { return sameResource(uri, own) })
	})
}

// liveRefresh returns a refresh token of the caller's own that could be used
// now, or nil.
func (e *Engine) liveRefresh(ctx context.Context, c *caller, text string) (*symbolon.RefreshToken, error) {
	token := new(symbolon.RefreshToken)
	if err := e.open(seal.RefreshToken, text, token, c.now); err != nil || token.Client != c.app.ID || !c.now.Before(token.ExpiresAt) {
		return nil, nil
	}
	rows, err := e.store.Connections(ctx, symbolon.ConnectionQuery{ID: token.Connection, Live: true, Now: c.now, Limit: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	// The predecessor still counts while its successor has not been used.
	row := &rows[0]
	graced := token.Seq+1 == row.Seq && (!c.app.Public || looseLateRetry.InForce(c.app) || c.now.Sub(row.RefreshedAt) <= e.cfg.PublicGrace)
	if token.Seq < row.Seq && !graced {
		return nil, nil
	}
	token.ExpiresAt = row.ExpiresAt
	return token, nil
}

// tokenID returns what a token is called where it must not be shown: the claim
// jti of a JWT, or a hash of it otherwise.
func tokenID(text string) string {
	if parts := strings.Split(text, "."); len(parts) == 3 {
		var claims struct {
			ID string `json:"jti"`
		}
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(payload, &claims) == nil {
			return claims.ID
		}
	}
	hash := symbolon.HashSecret(text, time.Time{}).Hash
	return base64.RawURLEncoding.EncodeToString(hash[:16])
}
