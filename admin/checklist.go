package admin

import (
	"context"
	"net/url"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// Check is one thing to be done before an app goes live.
type Check struct {
	// Name is home, redirect_https, redirect_loopback, connected, secret_used or profile.
	Name string `json:"name"`
	Done bool   `json:"done"`
	// Required says that an owner cannot set the app live without it.
	Required bool `json:"required"`
}

// checkWords say what is missing.
var checkWords = map[string]string{
	"home":              "give it a home, the site where people can read about it",
	"redirect_https":    "register a redirect URI that is https",
	"redirect_loopback": "take away the redirect URIs of this computer, which anyone's program can listen at",
	"connected":         "connect it once, as you or as a test account",
	"secret_used":       "have it prove itself by its secret once",
	"profile":           "mend what breaks the rules of its profile",
}

// Checklist returns what is to be done before the app goes live, each done or not.
func (s *Service) Checklist(ctx context.Context, who Actor, id symbolon.ClientID) ([]Check, error) {
	app, err := s.App(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return s.checklist(ctx, app)
}

func (s *Service) checklist(ctx context.Context, app *symbolon.App) ([]Check, error) {
	https, loopback := false, false
	for _, uri := range app.RedirectURIs {
		u, err := url.Parse(uri)
		https = https || err == nil && u.Scheme == "https"
		loopback = loopback || err == nil && u.Scheme == "http"
	}
	rows, err := s.Store.Connections(ctx, symbolon.ConnectionQuery{Client: app.ID, Limit: 1})
	if err != nil {
		return nil, err
	}
	list := []Check{{"home", app.Home != "", true}}
	if app.MayUse(symbolon.GrantCode) {
		if !app.Public { // a program on the person's own computer has none but those (RFC 8252 §7.3)
			list = append(list, Check{"redirect_https", https, true}, Check{"redirect_loopback", !loopback, true})
		}
		list = append(list, Check{"connected", len(rows) > 0, true})
	}
	if HasSecret(app) {
		used := len(rows) > 0 // its first connection took the secret
		for _, s := range app.Secrets {
			used = used || !s.UsedAt.IsZero()
		}
		list = append(list, Check{"secret_used", used, true})
	}
	kept := true
	for _, r := range oauth.RulesOf(app.Settings.Profile, app) {
		kept = kept && r.Of(app) != oauth.Broken
	}
	return append(list, Check{"profile", kept, true}), nil
}
