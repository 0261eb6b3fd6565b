package oidc

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// typLogout keeps a logout token from being taken for an ID token (Back-Channel
// Logout §2.4).
const typLogout = "logout+jwt"

// logoutEvent is what the claim events says of a logout token (Back-Channel Logout
// §2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutLifetime is how long a logout token is good: two minutes at most
// (Back-Channel Logout §2.4).
const logoutLifetime = 2 * time.Minute

// LogoutToken returns a logout token (Back-Channel Logout §2.4) for an app that is
// told that a sign-in is over, of the person whom it knows as subject. The error is
// of kind Internal.
func (p *Teller) LogoutToken(app *symbolon.App, subject string, session symbolon.SessionID, now time.Time) (string, error) {
	// No nonce: it must not be there.
	return p.Signing.Sign(typLogout, app.Settings.OpenID.SigningAlgorithm(), map[string]any{
		"iss":    p.Issuer,
		"sub":    subject,
		"aud":    app.ClientID(),
		"iat":    now.Unix(),
		"exp":    now.Add(logoutLifetime).Unix(),
		"jti":    rand.Text(),
		"sid":    session.String(),
		"events": map[string]any{logoutEvent: struct{}{}},
	}, now)
}

// LogoutMessage returns what an app is sent so that it learns that a sign-in is over
// (Back-Channel Logout §2.5): where to, by its settings as they are now, and the
// form. It is sent nothing, and the URL is empty, when it is gone or does not want
// to be told any more. The token is made now, so that it is good when it is sent
// again.
func (p *Teller) LogoutMessage(ctx context.Context, e *oauth.Engine, d *symbolon.Delivery) (address, form string, err error) {
	app, err := e.App(ctx, d.Client)
	if err != nil {
		if refusal, ok := errors.AsType[*oauth.Error](err); ok && refusal.Refusal != oauth.Unavailable && refusal.Refusal != oauth.ServerError {
			return "", "", nil
		}
		return "", "", err
	}
	address = app.Settings.OpenID.BackchannelLogoutURI
	if address == "" {
		return "", "", nil
	}
	token, err := p.LogoutToken(app, e.SubjectOf(app, d.Account), d.Session, e.Now())
	return address, url.Values{"logout_token": {token}}.Encode(), err
}
