package oauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// AssertionType is the only client_assertion_type (RFC 7523 §2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// How far the clocks of others may be off, and how long what they sign may live.
const (
	// ahead is how far in the future iat and nbf may lie.
	ahead = 30 * time.Second
	// behind is how long after its exp a JWT is still taken.
	behind = 60 * time.Second
	// maxAssertion is how far ahead exp may lie: each jti is kept until then.
	maxAssertion = 10 * time.Minute
)

// maxID bounds a jti, in bytes.
const maxID = 512

// assertion is a client_assertion that was read and is not proven yet.
type assertion struct {
	token    *jwt.Token
	unproven assertionClaims
}

// assertionClaims are those of RFC 7523 §3, and one by which a request object
// betrays itself.
type assertionClaims struct {
	signedClaims
	Subject      string          `json:"sub"`
	ResponseType json.RawMessage `json:"response_type"`
}

// signedClaims are what assertions and request objects share.
type signedClaims struct {
	Issuer    string          `json:"iss"`
	Audience  json.RawMessage `json:"aud"`
	Expires   *numericDate    `json:"exp"`
	NotBefore *numericDate    `json:"nbf"`
	IssuedAt  *numericDate    `json:"iat"`
	ID        string          `json:"jti"`
}

// numericDate is a NumericDate (RFC 7519 §2): seconds since 1970, which may have
// a fraction.
type numericDate struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (d *numericDate) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return err
	}
	// Beyond the year 9999 it is no date, and would overflow one.
	if math.Abs(seconds) > 253_402_300_799 {
		return symbolon.Errorf(symbolon.Invalid, "read date", "it is too far away")
	}
	d.Time = time.UnixMilli(int64(seconds * 1000))
	return nil
}

// readAssertion reads a client_assertion. Whose it is, is not proven yet.
func readAssertion(c *Credentials) (*assertion, error) {
	switch {
	case c.AssertionType == "":
		return nil, refuse(InvalidRequest, "A client_assertion was sent without a client_assertion_type; it must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer.")
	case c.AssertionType != AssertionType:
		return nil, refuse(InvalidClient, "The only client_assertion_type offered is urn:ietf:params:oauth:client-assertion-type:jwt-bearer.")
	case c.Assertion == "":
		return nil, refuse(InvalidRequest, "A client_assertion_type was sent without a client_assertion.")
	}
	a := new(assertion)
	var err error
	if a.token, err = jwt.Parse(c.Assertion); err != nil {
		return nil, refuse(InvalidClient, "The client_assertion is not a JWT, signed by ES256, RS256, PS256 or EdDSA, in the compact form.").detail(err.Error())
	}
	if err := jwt.Decode(a.token.Unverified(), &a.unproven); err != nil {
		return nil, refuse(InvalidClient, "The claims of the client_assertion are not JSON of the right types, or one stands twice.").detail(err.Error())
	}
	return a, nil
}

// checkAssertion checks that an app signed an assertion, for this server, lately
// and not before (RFC 7523 §3).
func (e *Engine) checkAssertion(ctx context.Context, app *symbolon.App, a *assertion, now time.Time) error {
	no := func(why string) *Error { return refuse(InvalidClient, why) }
	switch a.token.Type {
	case "client-authentication+jwt", "jwt", "":
	default:
		// One kind of JWT is never taken for another (RFC 8725 §3.11).
		return no("The client_assertion has a typ that is not that of an assertion; it is client-authentication+jwt.")
	}
	if only := app.Settings.AuthSigning; only != "" && a.token.Algorithm != only { // OpenID Connect Registration §2
		return no("The client_assertion must be signed by the one algorithm that is registered for this app, as token_endpoint_auth_signing_alg.")
	}
	if !mayBeSigned(app, a.token.Algorithm) { // FAPI 2.0 §5.4.1
		return no("The client_assertion of this app must be signed by ES256, PS256 or EdDSA: its profile is fapi2.")
	}
	set, err := e.appKeys(ctx, app, named(a.token.KeyID), now)
	if err != nil {
		return err
	}
	payload, err := a.token.VerifyWith(set)
	if err != nil {
		return no("The client_assertion is not signed by a key that is registered for this app; compare kid and alg with its JWK Set.").detail(err.Error())
	}
	var claims assertionClaims
	if err := jwt.Decode(payload, &claims); err != nil {
		return no("The claims of the client_assertion cannot be read.").detail(err.Error())
	}
	switch own := app.ClientID(); {
	case claims.Issuer != own || claims.Subject != own: // RFC 7523 §3, 1 and 2B
		return no("Both iss and sub of the client_assertion must be the client_id.")
	case claims.ResponseType != nil:
		return no("This is a request object, and proves nothing about who sends it.")
	}
	if why := e.wrongAudience(app, claims.Audience); why != "" {
		return no(why)
	}
	if why := claims.when(now, maxAssertion); why != "" {
		return no("The client_assertion " + why + ".")
	}
	if claims.ID == "" || len(claims.ID) > maxID {
		return no("The client_assertion needs a jti of at most 512 bytes, another each time.")
	}
	// Spent last, when all else is good: no stranger can spend it, and none but
	// the app can fill the store.
	first, err := e.once(ctx, "assertion", string(app.ID), claims.ID, claims.Expires.Add(behind), now)
	if err != nil {
		return err
	}
	if !first {
		return no("The client_assertion was used before; sign another one, with another jti, for each request.")
	}
	return nil
}

// when says what is wrong with the times in claims, as the end of a sentence, or
// "". They must end within most.
func (c *signedClaims) when(now time.Time, most time.Duration) string {
	switch {
	case c.Expires == nil:
		return "needs an exp"
	case !now.Before(c.Expires.Add(behind)): // RFC 7523 §3, 4
		return "has expired"
	case c.Expires.Sub(now) > most+ahead:
		return "may end at most " + minutes(most) + " from now; its exp is later"
	case c.NotBefore != nil && c.NotBefore.Sub(now) > ahead, c.IssuedAt != nil && c.IssuedAt.Sub(now) > ahead:
		return "is from the future by its nbf or iat; set the clock of the app"
	}
	return ""
}

func minutes(d time.Duration) string {
	switch d {
	case time.Hour:
		return "60 minutes"
	case maxHandoff:
		return "5 minutes"
	}
	return "10 minutes"
}

// wrongAudience says what is wrong with the aud of an assertion of an app, or "".
func (e *Engine) wrongAudience(app *symbolon.App, aud json.RawMessage) string {
	var list audience
	switch {
	case isFAPI(app): // FAPI 2.0 §5.3.2.1, 8
		if e.isIssuer(aud) {
			return ""
		}
		return "The aud of the client_assertion must be this server's issuer, as one string, and nothing else: the profile of this app is fapi2."
	case e.isAudience(aud):
		return ""
	case looseAudience.InForce(app) && list.UnmarshalJSON(aud) == nil && len(list) > 0:
		// Whoever else is named could use the same assertion here, so nobody else is.
		if !slices.ContainsFunc(list, func(one string) bool { return !e.isAddress(one) }) {
			return ""
		}
		return "The aud of the client_assertion names another server as well, which could use it here; it must name this one alone."
	}
	return "The aud of the client_assertion must be this server's issuer, as one string; the URL of its token endpoint is taken as well."
}

// isIssuer reports whether aud is the issuer, as one string.
func (e *Engine) isIssuer(aud json.RawMessage) bool {
	var one string
	return bytes.HasPrefix(aud, []byte(`"`)) && json.Unmarshal(aud, &one) == nil && one == e.cfg.Issuer
}

// isAudience reports whether aud is one string that names this server. A list
// could name others as well, who could then use the same assertion here. It is
// compared with what is configured, never with the address that was asked.
func (e *Engine) isAudience(aud json.RawMessage) bool {
	var one string
	return bytes.HasPrefix(aud, []byte(`"`)) && json.Unmarshal(aud, &one) == nil && e.isAddress(one)
}

// isAddress reports whether text names this server, in an aud.
func (e *Engine) isAddress(text string) bool {
	switch text {
	case e.cfg.Issuer, e.cfg.Issuer + "/oauth2/token", e.cfg.Issuer + "/token", e.cfg.Issuer + "/oauth2/par": // RFC 9126 §2
		return true
	}
	return false
}

// once records that something was used, and reports whether that was for the
// first time, on any node.
func (e *Engine) once(ctx context.Context, kind, owner, value string, until, now time.Time) (bool, error) {
	_, first, err := e.store.Once(context.WithoutCancel(ctx), symbolon.Once{
		Key: onceKey(kind, owner, value), ExpiresAt: until.Add(time.Second), Now: now,
	})
	if err != nil {
		return false, storeError(err)
	}
	return first, nil
}

func onceKey(parts ...string) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		var length [8]byte
		for i := range length {
			length[i] = byte(len(p) >> (8 * i))
		}
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return [32]byte(h.Sum(nil))
}
