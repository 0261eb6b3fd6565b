package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// maxObject is how far ahead the exp of a request object may lie, and how far
// behind its nbf.
const maxObject = time.Hour

// objectNames are the claims of a request object that are no parameters.
var objectNames = []string{"iss", "aud", "exp", "nbf", "iat", "jti", "sub"}

// openObject reads a signed request object of an app (RFC 9101). Begun is when
// the person came with it.
func (e *Engine) openObject(ctx context.Context, app *symbolon.App, text string, fetched bool, begun, now time.Time) (*AuthorizeRequest, error) {
	no := func(why string) *Error { return refuse(InvalidRequestObject, why) }
	token, err := jwt.Parse(text)
	switch {
	case err != nil && jwt.Unsigned(text) && !app.Settings.RequireSigned && app.Settings.RequestSigning == "":
		// RFC 9101 §10.1 makes alg none an owner's choice, and no owner is asked here: it
		// has no use that the parameters themselves do not have (OpenID Connect Core §3.1.2.6).
		return nil, refuse(RequestNotSupported, "The request object has the algorithm none; sign it by ES256, RS256, PS256 or EdDSA, or send its claims as parameters.")
	case err != nil:
		return nil, no("The request object is not a JWT, signed by ES256, RS256, PS256 or EdDSA, in the compact form.").detail(err.Error())
	}
	switch token.Type {
	case "oauth-authz-req+jwt", "jwt", "":
	default:
		// One kind of JWT is never taken for another (RFC 9101 §10.8, RFC 8725 §3.11).
		return nil, no("The request object has a typ that is not that of a request object; it is oauth-authz-req+jwt.")
	}
	if only := app.Settings.RequestSigning; only != "" && token.Algorithm != only { // OpenID Connect Registration §2
		return nil, no("The request object must be signed by the one algorithm that is registered for this app, as request_object_signing_alg.")
	}
	if !mayBeSigned(app, token.Algorithm) { // FAPI 2.0 §5.4.1
		return nil, no("The request object of this app must be signed by ES256, PS256 or EdDSA: its profile is fapi2.")
	}
	if app.Settings.Keys == "" && app.Settings.KeysURI == "" {
		return nil, no("This app has registered no public key by which its request objects could be checked.")
	}
	set, err := e.appKeys(ctx, app, named(token.KeyID), now)
	if err != nil {
		return nil, err
	}
	payload, err := token.VerifyWith(set)
	if err != nil {
		return nil, no("The request object is not signed by a key that is registered for this app; compare kid and alg with its JWK Set.").detail(err.Error())
	}
	var claims struct {
		signedClaims
		Subject  string `json:"sub"`
		ClientID string `json:"client_id"`
	}
	var members map[string]json.RawMessage
	if jwt.Decode(payload, &claims) != nil || jwt.Decode(payload, &members) != nil {
		return nil, no("The claims of the request object are not JSON of the right types, or one stands twice.")
	}
	switch own := app.ClientID(); {
	case claims.ClientID != own: // RFC 9101 §5
		return nil, no("The request object must have the client_id of the app, the same as beside it.")
	case claims.Issuer != "" && claims.Issuer != own:
		return nil, no("The iss of the request object must be the client_id of the app.")
	case claims.Subject == own: // RFC 9101 §10.8
		return nil, no("A request object must not have the client_id as sub: it could be taken for an assertion.")
	case !e.namesIssuer(claims.Audience):
		return nil, no("The aud of the request object must be this server's issuer, or a list with it.")
	case isFAPI(app) && claims.NotBefore == nil: // FAPI 2.0 Message Signing §5.3.1
		return nil, no("The request object of this app needs an nbf: its profile is fapi2.")
	case members["request"] != nil || members["request_uri"] != nil: // RFC 9101 §4
		return nil, refuse(InvalidRequest, "A request object must not have request or request_uri inside.")
	}
	if fetched && claims.Expires == nil {
		// Who can take it away from where it stands need not say when it ends.
		claims.Expires = &numericDate{begun.Add(maxObject)}
	}
	if why := claims.when(begun, maxObject); why != "" {
		return nil, no("The request object " + why + ".")
	}
	if nbf := claims.NotBefore; nbf != nil && (begun.Sub(nbf.Time) > maxObject || claims.Expires.Sub(nbf.Time) > maxObject) {
		return nil, no("The request object may be good for at most 60 minutes from its nbf to its exp, and not longer ago.")
	}
	params := objectParams(members)
	inner := ReadAuthorize(&params)
	inner.signed = true
	return &inner, nil
}

// namesIssuer reports whether aud is the issuer, or a list with it (RFC 9101 §4).
// Another audience could do nothing with the object but send it here.
func (e *Engine) namesIssuer(aud json.RawMessage) bool {
	var list audience
	return len(aud) > 0 && !bytes.Equal(aud, []byte("null")) && list.UnmarshalJSON(aud) == nil && slices.Contains(list, e.cfg.Issuer)
}

// objectParams returns the claims as parameters (RFC 9101 §4): strings as they
// are, each resource of a list, and all else as its JSON.
func objectParams(members map[string]json.RawMessage) Params {
	var p Params
	add := func(name, value string) {
		pr := pair{name: name, value: value}
		if !clean(value) {
			pr.fault = faultCharacter
		}
		p.pairs = append(p.pairs, pr)
	}
	for name, raw := range members {
		if slices.Contains(objectNames, name) || string(raw) == "null" {
			continue
		}
		var text string
		var list []string
		var compact bytes.Buffer
		switch {
		case json.Unmarshal(raw, &text) == nil:
			add(name, text)
		case name == "resource" && json.Unmarshal(raw, &list) == nil:
			for _, uri := range list {
				add(name, uri)
			}
		case json.Compact(&compact, raw) == nil:
			add(name, compact.String())
		}
	}
	return p
}
