// Package oidc is what OpenID Connect adds to the engine: what a server says of the
// person who signed in, in ID tokens and at userinfo. Package oauth decides who may
// ask and what was granted; here stands what is said.
package oidc

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// Teller tells apps who signed in. It may be used by many goroutines at once.
type Teller struct {
	// Issuer is the claim iss.
	Issuer string
	// Signing are the keys.
	Signing *jwt.Ring
	// Lifetime is how long an ID token is good.
	Lifetime time.Duration
}

// IDToken returns an ID token (OpenID Connect Core §2, §3.1.3.6). The error is of
// kind Internal.
func (p *Teller) IDToken(r *oauth.IDTokenRequest) (string, error) {
	algorithm := r.App.Settings.OpenID.SigningAlgorithm()
	claims := map[string]any{}
	if r.Account != nil {
		named, _ := oauth.NamedClaims(r.App, &r.Grant)
		claims = Claims(r.Account, r.Scopes, named)
	}
	claims["iss"] = p.Issuer
	claims["sub"] = r.Subject
	claims["aud"] = r.App.ClientID()
	claims["iat"] = r.Now.Unix()
	claims["exp"] = r.Now.Add(p.Lifetime).Unix()
	if !r.Grant.AuthAt.IsZero() {
		claims["auth_time"] = r.Grant.AuthAt.Unix()
	}
	set := func(name, value string) {
		if value != "" {
			claims[name] = value
		}
	}
	set("nonce", r.Nonce)
	set("sid", r.Grant.Session.String())
	set("acr", r.Grant.ACR)
	if amr := methods(r.Grant.ACR); amr != nil {
		claims["amr"] = amr
	}
	set("at_hash", halfHash(algorithm, r.AccessToken))
	text, err := p.Signing.Sign(oauth.TypeIDToken, algorithm, claims, r.Now)
	if err != nil || r.Reader == nil {
		return text, err
	}
	// OpenID Connect Core §2: signed first, and then encrypted.
	how := r.App.Settings.OpenID.IDTokenEncryption
	return r.Reader.Encrypt(how.Key, cmp.Or(how.Content, jwt.DefaultContent), text)
}

// methods returns the claim amr (RFC 8176 §2) for how a person signed in.
func methods(acr string) []string {
	switch acr {
	case oauth.ACROne:
		return []string{"pwd"}
	case oauth.ACRTwo:
		return []string{"pwd", "otp", "mfa"}
	case oauth.ACRPasskey:
		return []string{"hwk", "user", "mfa"}
	}
	return nil
}

// halfHash returns the left half of a hash of a token, in base64url: at_hash
// (OpenID Connect Core §3.1.3.6). The hash is that of the algorithm.
func halfHash(algorithm, token string) string {
	if token == "" {
		return ""
	}
	if algorithm == "EdDSA" { // Ed25519 signs by SHA-512 (RFC 8032 §5.1)
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:sha512.Size/2])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}

// scopeClaims are the claims that a scope stands for (OpenID Connect Core §5.4).
var scopeClaims = map[string][]string{
	"profile": {"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
		"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// Scopes are those of OpenID Connect, with a sentence for the consent page each.
var Scopes = []symbolon.Scope{
	{Name: "openid", Description: "sign you in"},
	{Name: "profile", Description: "see your name and the rest of your profile"},
	{Name: "email", Description: "see your email address"},
	{Name: "address", Description: "see your postal address"},
	{Name: "phone", Description: "see your telephone number"},
}

// Supported are the claims that a server may say, for its metadata.
func Supported() []string {
	list := []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
	for _, names := range scopeClaims {
		list = append(list, names...)
	}
	slices.Sort(list)
	return list
}

// Claims returns what is said of an account: the claims that the scopes stand for,
// and those that are named. What is not known is left out (OpenID Connect Core
// §5.3.2).
func Claims(a *symbolon.Account, scopes symbolon.Scopes, named []string) map[string]any {
	wanted := slices.Clone(named)
	for _, scope := range scopes {
		wanted = append(wanted, scopeClaims[scope]...)
	}
	all := known(a)
	claims := make(map[string]any, len(wanted)+1)
	for _, name := range wanted {
		if value, ok := all[name]; ok {
			claims[name] = value
		}
	}
	return claims
}

// known is all that is known of an account, in the types of OpenID Connect Core
// §5.1.
func known(a *symbolon.Account) map[string]any {
	p := &a.Profile
	all := make(map[string]any)
	for name, value := range map[string]string{
		"name": a.Name, "given_name": p.GivenName, "family_name": p.FamilyName, "middle_name": p.MiddleName,
		"nickname": p.Nickname, "preferred_username": p.PreferredUsername, "profile": p.Page, "picture": p.Picture,
		"website": p.Website, "gender": p.Gender, "birthdate": p.Birthdate, "zoneinfo": p.Zone, "locale": p.Locale,
		"email": p.Email, "phone_number": p.Phone,
	} {
		if value != "" {
			all[name] = value
		}
	}
	if all["preferred_username"] == nil && a.Username != "" {
		all["preferred_username"] = a.Username
	}
	if p.Email != "" {
		all["email_verified"] = p.EmailVerified
	}
	if p.Phone != "" {
		all["phone_number_verified"] = p.PhoneVerified
	}
	if p.Address != nil && *p.Address != (symbolon.Address{}) {
		all["address"] = p.Address
	}
	if !p.UpdatedAt.IsZero() {
		all["updated_at"] = p.UpdatedAt.Unix()
	}
	return all
}
