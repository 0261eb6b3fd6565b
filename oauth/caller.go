package oauth

import (
	"context"
	"net/netip"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// Proof is what shows that a caller holds a key: a DPoP proof (RFC 9449), a TLS
// client certificate (RFC 8705), or neither.
type Proof struct {
	// DPoP are the values of the request's DPoP headers, of which there may be one.
	DPoP []string
	// Method and URL are those of the request, by which the proof goes. URL is
	// made of the issuer, never of what the caller says the host is.
	Method, URL string
	// Certificate is that of the TLS connection, or nil.
	Certificate *Certificate
}

// caller is the app that asks at the token endpoint, once it has proven itself.
type caller struct {
	app *symbolon.App
	// binding is the key that its tokens are to be bound to.
	binding symbolon.Binding
	now     time.Time
	// from is where the request came from, or the zero value.
	from netip.Addr
	// until is when the access token expires at the latest, unless zero, and
	// format what it looks like, unless empty: for an exchange.
	until  time.Time
	format symbolon.TokenFormat
	// signsIn is set when the tokens come with an ID token; account is whom they act
	// for, when more of it is needed than a grant says.
	signsIn bool
	account *symbolon.Account
	// reads is the app's key set, when the ID token is to be encrypted to it.
	reads *jwt.Set
}

// addressOf reads the address of a caller as the server knows it: an IPv6 one may be
// in brackets. What is none is the zero value.
func addressOf(text string) netip.Addr {
	if n := len(text); n > 1 && text[0] == '[' && text[n-1] == ']' {
		text = text[1 : n-1]
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.WithZone("").Unmap()
}

// no refuses what the caller asks.
func (c *caller) no(r Refusal, description string) *Error {
	e := refuse(r, description).from(c.app.ID)
	e.Proven = !c.app.Public // knowing the client_id of one that is public proves nothing
	return e
}

// caller is the first phase of every grant: who asks, may it use the grant, and
// to which key are its tokens bound?
func (e *Engine) caller(ctx context.Context, req *TokenRequest, grant symbolon.GrantType) (*caller, error) {
	now := e.clock.Now()
	app, err := e.authenticate(ctx, &req.Credentials, now)
	if err != nil {
		return nil, err
	}
	c := &caller{app: app, now: now, from: addressOf(req.Credentials.Address)}
	if !app.MayUse(grant) {
		return nil, c.no(UnauthorizedClient, "This app is not registered for this grant_type; its owner can allow it.").
			because("the app may use the grant", "RFC 6749 §5.2").compare("grant_type", string(grant), grantNames(app)...).mend("Allow the app the grant: symbolon app edit --grant; or have it use another.")
	}
	if c.binding, err = e.boundTo(ctx, app, &req.Proof, now); err != nil {
		r := storeError(err)
		r.Proven = !app.Public
		return nil, r
	}
	return c, nil
}

func grantNames(app *symbolon.App) []string {
	var list []string
	for _, g := range Grants {
		if app.MayUse(g) {
			list = append(list, string(g))
		}
	}
	return list
}

// refreshGrant returns the grant for a refresh token. That of a public app is
// bound to the key that it proved to have, since it proves nothing else (RFC 9449
// §5); that of another app is bound by its credentials.
func (c *caller) refreshGrant(g symbolon.Grant) symbolon.Grant {
	g.Binding = symbolon.Binding{}
	if c.app.Public {
		g.Binding = c.binding
	}
	return g
}
