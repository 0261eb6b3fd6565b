package oauth

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// TypeHandoff is the typ of a statement of the owner's own site about who sits at a
// browser (docs/decisions/0034). Nothing else that the site signs counts as one, and
// it counts as nothing else (RFC 8725 §3.11).
const TypeHandoff = "handoff+jwt"

// maxHandoff is how far ahead the exp of such a statement may lie.
const maxHandoff = 5 * time.Minute

// HandoffClaims are what such a statement says. All but Subject may be missing.
type HandoffClaims struct {
	// Subject is what the owner's site calls the person, the same each time.
	Subject string
	// SignedIn is when the person signed in there, or zero.
	SignedIn time.Time
	Username string
	Name     string
	Email    string
	// EmailVerified says that the site knows the address to be the person's.
	EmailVerified bool
}

// handoffClaims is HandoffClaims as it is written.
type handoffClaims struct {
	signedClaims
	Subject       string       `json:"sub"`
	Nonce         string       `json:"nonce"`
	AuthTime      *numericDate `json:"auth_time"`
	Username      string       `json:"preferred_username"`
	Name          string       `json:"name"`
	Email         string       `json:"email"`
	EmailVerified bool         `json:"email_verified"`
}

// Handoff reads what the owner's site says of who sits at a browser. Bound is asked,
// once all else is right, whether the nonce is that of this browser's flow; after it,
// the statement is spent. The error is that of bound, or one of this package.
func (e *Engine) Handoff(ctx context.Context, text string, bound func(nonce string) error) (*HandoffClaims, error) {
	no := func(why string) *Error { return refuse(AccessDenied, why) }
	now := e.clock.Now()

	// 1. Is it one?
	by := e.cfg.Handoff
	if by == nil {
		return nil, no("No other site may say here who you are.")
	}
	token, err := jwt.Parse(text)
	if err != nil {
		return nil, no("The statement of the site is not a JWT, signed by ES256, RS256, PS256 or EdDSA.").detail(err.Error())
	}
	if token.Type != TypeHandoff {
		return nil, no("The statement of the site has another typ than handoff+jwt.")
	}

	// 2. Who signed it?
	set := by.Keys
	if set == nil {
		if set, err = e.keySet(ctx, e.keys, "", "", by.KeysURI, named(token.KeyID), now); err != nil {
			return nil, storeError(err)
		}
	}
	payload, err := token.VerifyWith(set)
	if err != nil {
		return nil, no("The statement is not signed by a key of the site.").detail(err.Error())
	}

	// 3. What does it say?
	var c handoffClaims
	if err := jwt.Decode(payload, &c); err != nil {
		return nil, no("The claims of the statement are not JSON of the right types, or one stands twice.").detail(err.Error())
	}
	switch {
	case c.Issuer != by.Issuer:
		return nil, no("The iss of the statement is not that of the site.")
	case !e.isIssuer(c.Audience):
		return nil, no("The aud of the statement must be this server's issuer, as one string.")
	case c.IssuedAt == nil:
		return nil, no("The statement needs an iat.")
	case c.Subject == "" || len(c.Subject) > symbolon.MaxIdentity || c.ID == "" || len(c.ID) > maxID:
		return nil, no("The statement needs a sub and a jti of at most 512 bytes each.")
	case c.Nonce == "":
		return nil, no("The statement needs the nonce that the site was sent.")
	}
	if why := c.when(now, maxHandoff); why != "" {
		return nil, no("The statement " + why + ".")
	}
	if err := bound(c.Nonce); err != nil {
		return nil, err
	}

	// 4. Spend: a statement works once, on any node.
	first, err := e.once(ctx, "handoff", by.Issuer, c.ID, c.Expires.Add(behind), now)
	if err != nil {
		return nil, storeError(err)
	}
	if !first {
		return nil, no("The statement was used before; the site must sign another one, with another jti, each time.")
	}
	said := &HandoffClaims{Subject: c.Subject, Username: c.Username, Name: c.Name, Email: c.Email, EmailVerified: c.EmailVerified}
	if c.AuthTime != nil {
		said.SignedIn = c.AuthTime.Time
	}
	return said, nil
}

// Used records, for a while, that what another issuer answered was used, and reports
// whether that was for the first time, on any node. Life is a day at most.
func (e *Engine) Used(ctx context.Context, issuer, answer string, life time.Duration) (bool, error) {
	now := e.clock.Now()
	return e.once(ctx, "upstream", issuer, answer, now.Add(life), now)
}
