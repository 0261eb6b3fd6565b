package oidc

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// Userinfo is the answer of userinfo (OpenID Connect Core §5.3.2).
type Userinfo struct {
	Body []byte
	// JWT is set when Body is one, signed, encrypted, or both: application/jwt.
	JWT bool
}

// Userinfo answers what an access token may know of the person. The error is of
// kind Internal.
func (p *Teller) Userinfo(r *oauth.Userinfo, now time.Time) (Userinfo, error) {
	_, named := oauth.NamedClaims(r.App, &r.Grant)
	claims := Claims(&r.Account, r.Grant.Scope, named)
	claims["sub"] = r.Subject
	o := &r.App.Settings.OpenID
	if o.UserinfoSigning == "" && r.Reader == nil {
		body, err := json.Marshal(claims)
		if err != nil {
			return Userinfo{}, symbolon.Wrap(symbolon.Internal, "userinfo", err)
		}
		return Userinfo{Body: body}, nil
	}
	claims["iss"], claims["aud"] = p.Issuer, r.App.ClientID()
	content := cmp.Or(o.UserinfoEncryption.Content, jwt.DefaultContent)
	if o.UserinfoSigning == "" {
		text, err := r.Reader.EncryptClaims(o.UserinfoEncryption.Key, content, claims)
		return Userinfo{Body: []byte(text), JWT: true}, err
	}
	text, err := p.Signing.Sign(typUserinfo, o.UserinfoSigning, claims, now)
	if err == nil && r.Reader != nil {
		// OpenID Connect Core §5.3.2: signed first, and then encrypted.
		text, err = r.Reader.Encrypt(o.UserinfoEncryption.Key, content, text)
	}
	return Userinfo{Body: []byte(text), JWT: true}, err
}

// typUserinfo keeps a signed answer from being taken for an ID token
// (RFC 8725 §3.11).
const typUserinfo = "userinfo+jwt"
