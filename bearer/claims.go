package bearer

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	strict "github.com/go-jose/go-jose/v4/json"
)

// claims are those of a JWT access token (RFC 9068 §2.2) and of an introspection
// answer (RFC 7662 §2.2), whose names are the same.
type claims struct {
	Active    bool            `json:"active"`
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Username  string          `json:"username"`
	ClientID  string          `json:"client_id"`
	Scope     string          `json:"scope"`
	Audience  audience        `json:"aud"`
	Expires   moment          `json:"exp"`
	NotBefore moment          `json:"nbf"`
	Issued    moment          `json:"iat"`
	ID        string          `json:"jti"`
	TokenType string          `json:"token_type"`
	Actor     *actor          `json:"act"`
	Details   json.RawMessage `json:"authorization_details"`
	Confirm   *confirm        `json:"cnf"`
	ACR       string          `json:"acr"`
	AuthTime  moment          `json:"auth_time"`
}

type actor struct {
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
	Actor    *actor `json:"act"`
}

type confirm struct {
	Key         string `json:"jkt"`
	Certificate string `json:"x5t#S256"`
}

// audience is a string or a list of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON takes both forms.
func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*a = audience{""}
		return strict.Unmarshal(b, &(*a)[0])
	}
	return strict.Unmarshal(b, (*[]string)(a))
}

// moment is a NumericDate (RFC 7519 §2): seconds, which may have a fraction; 0
// when there is none.
type moment int64

// UnmarshalJSON takes numbers until the year 9999.
func (m *moment) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var f float64
	if err := strict.Unmarshal(b, &f); err != nil {
		return err
	}
	if !(f > 0 && f < 253402300800) {
		return errNoMoment
	}
	*m = moment(math.Floor(f))
	return nil
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(int64(m), 0).UTC()
}

// decode reads JSON whose names are case-sensitive and stand once.
func decode(text []byte, into any) error { return strict.Unmarshal(text, into) }

// expired and early judge by a clock that may differ by Leeway.
func (c *claims) expired(now time.Time) bool {
	return c.Expires != 0 && !now.Before(c.Expires.time().Add(Leeway))
}

func (c *claims) early(now time.Time) bool {
	limit := now.Add(Leeway)
	return c.NotBefore.time().After(limit) || c.Issued.time().After(limit)
}

// meant reports whether the token is for this API.
func (o *Options) meant(aud audience) bool {
	if o.TakeUnnamed && (len(aud) == 0 || len(aud) == 1 && aud[0] == o.Issuer) {
		return true
	}
	for _, a := range aud {
		if a != "" && a == o.Resource {
			return true
		}
		for _, own := range o.Audience {
			if a == own {
				return true
			}
		}
	}
	return false
}

// maxActors bounds a chain of actors.
const maxActors = 8

// token turns claims into what an API reads. The error says what cannot be
// enforced and must therefore be refused.
func (c *claims) token() (*Token, error) {
	t := &Token{
		Subject: c.Subject, Username: c.Username, ClientID: c.ClientID, ID: c.ID,
		Audience: c.Audience, IssuedAt: c.Issued.time(), ExpiresAt: c.Expires.time(),
		ACR: c.ACR, AuthTime: c.AuthTime.time(),
	}
	for s := range strings.FieldsFuncSeq(c.Scope, func(r rune) bool { return r == ' ' }) {
		t.Scopes = append(t.Scopes, s)
	}
	if c.Confirm != nil {
		t.Confirmation = Confirmation{Key: c.Confirm.Key, Certificate: c.Confirm.Certificate}
		if t.Confirmation == (Confirmation{}) {
			return nil, errUnknownBinding // RFC 7800 §3.1: it was to be proven, and we know not how
		}
	}
	switch s := string(c.Details); {
	case s == "" || s == "null":
	case s[0] != '[':
		return nil, errDetails // RFC 9396 §2
	default:
		t.AuthorizationDetails = c.Details
	}
	at := &t.Actor
	for a, n := c.Actor, 0; a != nil; a, n = a.Actor, n+1 {
		if n == maxActors {
			return nil, errActors
		}
		*at = &Actor{Subject: a.Subject, ClientID: a.ClientID}
		at = &(*at).Actor
	}
	return t, nil
}
