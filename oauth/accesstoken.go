package oauth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// typAccess is the typ of a JWT access token (RFC 9068 §2.1).
const typAccess = "at+jwt"

// accessClaims are the claims of a JWT access token (RFC 9068 §2.2). There is no
// claim about the person beyond who it is (RFC 9068 §6).
type accessClaims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience audience        `json:"aud"`
	ClientID string          `json:"client_id"`
	IssuedAt int64           `json:"iat"`
	Expires  int64           `json:"exp"`
	ID       string          `json:"jti"`
	Scope    string          `json:"scope,omitempty"`
	AuthTime int64           `json:"auth_time,omitempty"`
	ACR      string          `json:"acr,omitempty"` // RFC 9470 §6.1
	Confirm  *confirmation   `json:"cnf,omitempty"`
	Details  json.RawMessage `json:"authorization_details,omitempty"`
	Actor    json.RawMessage `json:"act,omitempty"`
	// Sources are Grant.Sources, for this server alone.
	Sources []symbolon.ClientID `json:"symbolon_sources,omitempty"`
}

// confirmation is the claim cnf (RFC 7800): a JWK thumbprint (RFC 9449 §6.1) or
// that of a certificate (RFC 8705 §3.1).
type confirmation struct {
	JKT  string `json:"jkt,omitempty"`
	X5TS string `json:"x5t#S256,omitempty"`
}

// audience is the claim aud: one string, or a list of them (RFC 7519 §4.1.3).
type audience []string

// MarshalJSON implements json.Marshaler.
func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	if strings.HasPrefix(string(b), "[") {
		return json.Unmarshal(b, (*[]string)(a))
	}
	*a = make(audience, 1)
	return json.Unmarshal(b, &(*a)[0])
}

func confirm(b symbolon.Binding) *confirmation {
	text := base64.RawURLEncoding.EncodeToString(b.Thumbprint[:])
	switch b.Kind {
	case symbolon.BoundByDPoP:
		return &confirmation{JKT: text}
	case symbolon.BoundByTLS:
		return &confirmation{X5TS: text}
	}
	return nil
}

func (c *confirmation) binding() (symbolon.Binding, bool) {
	b := symbolon.Binding{}
	if c == nil {
		return b, true
	}
	b.Kind = symbolon.BoundByDPoP
	text := c.JKT
	if text == "" {
		b.Kind, text = symbolon.BoundByTLS, c.X5TS
	}
	raw, err := challengeText.DecodeString(text)
	return b, err == nil && copy(b.Thumbprint[:], raw) == len(b.Thumbprint) && len(raw) == len(b.Thumbprint)
}

// subject returns the claim sub of a grant: the account, or the app when it acts
// in its own name. The two cannot be mistaken for each other: an account's id is
// 40 hex digits, and no client_id is (RFC 9068 §5, RFC 9700 §4.15).
func (e *Engine) subject(g *symbolon.Grant, clientID string) string {
	if g.Account != "" {
		return string(g.Account)
	}
	return clientID
}

// accessToken writes an access token in the format that its app or its
// resources want.
func (e *Engine) accessToken(c *caller, t *symbolon.AccessToken) (string, error) {
	app, format := c.app, c.format
	if format == symbolon.TokenDefault {
		format = e.format(app, t.Resource)
	}
	if format != symbolon.TokenJWT {
		return e.sealed(seal.AccessToken, t, t.IssuedAt)
	}
	// The connection is what a JWT can be ended by. Its id proves nothing.
	id := make([]byte, len(t.Connection), 2*len(t.Connection))
	copy(id, t.Connection[:])
	id = id[:cap(id)]
	rand.Read(id[len(t.Connection):])
	claims := accessClaims{
		Issuer: e.cfg.Issuer, Subject: e.subject(&t.Grant, app.ClientID()), Audience: e.audience(&t.Grant), ClientID: app.ClientID(),
		IssuedAt: t.IssuedAt.Unix(), Expires: t.ExpiresAt.Unix(), ID: base64.RawURLEncoding.EncodeToString(id),
		Scope: t.Scope.String(), Confirm: confirm(t.Binding), Details: json.RawMessage(t.Details), Actor: json.RawMessage(t.Actor), Sources: t.Sources,
	}
	if !t.AuthAt.IsZero() {
		claims.AuthTime, claims.ACR = t.AuthAt.Unix(), ACR(&t.Grant)
	}
	text, err := e.cfg.Signing.Sign(typAccess, e.algorithmFor(app), &claims, t.IssuedAt)
	if err != nil {
		return "", storeError(err)
	}
	return text, nil
}

// openAccess reads an access token of either format. What it says is the
// caller's to check; the error says in words what is wrong with it.
func (e *Engine) openAccess(text string, t *symbolon.AccessToken, now time.Time) error {
	if !strings.HasPrefix(text, "eyJ") {
		return e.open(seal.AccessToken, text, t, now)
	}
	var c accessClaims
	if err := e.cfg.Signing.Open(typAccess, text, &c, now); err != nil {
		return err
	}
	bad := symbolon.Errorf(symbolon.Invalid, "read access token", "a claim is missing or none of ours")
	id, err := challengeText.DecodeString(c.ID)
	binding, ok := c.Confirm.binding()
	if err != nil || len(id) != 2*len(t.Connection) || !ok || c.Issuer != e.cfg.Issuer || c.ClientID == "" || len(c.Audience) == 0 {
		return bad
	}
	scope, err := symbolon.ParseScopes(c.Scope)
	if err != nil {
		return bad
	}
	*t = symbolon.AccessToken{Grant: symbolon.Grant{
		Connection: symbolon.ConnectionID(id[:len(t.Connection)]), Client: internalID(c.ClientID), Scope: scope,
		Binding: binding, Details: string(c.Details), Actor: string(c.Actor), Sources: c.Sources,
		IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(c.Expires, 0).UTC(),
	}}
	if c.Subject != c.ClientID {
		t.Account = symbolon.AccountID(c.Subject)
	}
	if c.AuthTime != 0 {
		t.AuthAt = time.Unix(c.AuthTime, 0).UTC()
	}
	if c.ACR != ACROne {
		t.ACR = c.ACR // the other one goes without saying
	}
	if !slices.Equal(c.Audience, audience{e.cfg.Issuer}) {
		t.Resource = c.Audience
	}
	return nil
}

// internalID returns what stands for a client_id within this server: a JWT says
// the client_id that the app is known by outside, and what ends is named by the id
// in the store. What is turned off by now was not when the JWT was signed.
func internalID(clientID string) symbolon.ClientID {
	switch {
	case strings.HasPrefix(clientID, "https://"), strings.HasPrefix(clientID, "http://"):
		return idOf(documentID, clientID)
	case strings.HasPrefix(clientID, string(seal.Client)):
		return idOf(dynamicID, clientID)
	}
	return symbolon.ClientID(clientID)
}
