package oidc

import (
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// Userinfo is the answer of userinfo (OpenID Connect Core §5.3.2).
type Userinfo struct {
	Body []byte
	// Signed is set when Body is a JWT: application/jwt.
	Signed bool
}

// Userinfo answers what an access token may know of the person. The error is of
// kind Internal.
func (p *Teller) Userinfo(r *oauth.Userinfo, now time.Time) (Userinfo, error) {
	_, named := oauth.NamedClaims(r.App, &r.Grant)
	claims := Claims(&r.Account, r.Grant.Scope, named)
	claims["sub"] = r.Subject
	algorithm := r.App.Settings.OpenID.UserinfoSigning
	if algorithm == "" {
		body, err := json.Marshal(claims)
		if err != nil {
			return Userinfo{}, symbolon.Wrap(symbolon.Internal, "userinfo", err)
		}
		return Userinfo{Body: body}, nil
	}
	claims["iss"], claims["aud"] = p.Issuer, r.App.ClientID()
	text, err := p.Signing.Sign(typUserinfo, algorithm, claims, now)
	return Userinfo{Body: []byte(text), Signed: true}, err
}

// typUserinfo keeps a signed answer from being taken for an ID token
// (RFC 8725 §3.11).
const typUserinfo = "userinfo+jwt"
