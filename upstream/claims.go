package upstream

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// claims are what an ID token says beside what go-oidc reads (OpenID Connect Core §2,
// §5.1).
type claims struct {
	Party    string   `json:"azp"`
	AuthTime *float64 `json:"auth_time"`
	about
}

// about is what it or the userinfo endpoint says of the person.
type about struct {
	Username      string `json:"preferred_username"`
	Name          string `json:"name"`
	Given         string `json:"given_name"`
	Family        string `json:"family_name"`
	Picture       string `json:"picture"`
	Locale        string `json:"locale"`
	Email         string `json:"email"`
	EmailVerified yes    `json:"email_verified"`
}

// yes is a bool that some servers write as a text.
type yes bool

// UnmarshalJSON implements json.Unmarshaler.
func (y *yes) UnmarshalJSON(text []byte) error {
	*y = string(text) == "true" || string(text) == `"true"`
	return nil
}

// fill asks the userinfo endpoint for what the ID token leaves out. What it says of
// another, or says not at all, counts as nothing (OpenID Connect Core §5.3.2).
func (c *claims) fill(ctx context.Context, issuer *oidc.Provider, tokens *oauth2.Token, subject string) {
	info, err := issuer.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil || info.Subject != subject {
		return
	}
	var more about
	if info.Claims(&more) != nil {
		return
	}
	if c.Email == "" { // an address and whether it is verified come from one place
		c.Email, c.EmailVerified = more.Email, more.EmailVerified
	}
	for _, pair := range []struct {
		into *string
		from string
	}{{&c.Username, more.Username}, {&c.Name, more.Name}, {&c.Given, more.Given}, {&c.Family, more.Family}, {&c.Picture, more.Picture}, {&c.Locale, more.Locale}} {
		if *pair.into == "" {
			*pair.into = pair.from
		}
	}
}

func (c *claims) person(subject string) *Person {
	p := &Person{
		Subject: subject, Username: c.Username, Name: c.Name, Given: c.Given, Family: c.Family, Picture: c.Picture,
		Locale: c.Locale, Email: c.Email, EmailVerified: bool(c.EmailVerified) && c.Email != "",
	}
	if t := c.AuthTime; t != nil && *t > 0 && *t < math.MaxInt32*2 {
		p.SignedIn = time.Unix(int64(*t), 0).UTC()
	}
	return p
}

var _ json.Unmarshaler = (*yes)(nil)
