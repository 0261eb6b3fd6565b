package admin

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// ownersGrants are the grants that an owner may give an app. With the others it would act
// without a person, or for people who never saw it.
var ownersGrants = []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantRefresh, symbolon.GrantDevice}

// ownersMethods are the ways in which an owner may have an app prove itself. For a
// certificate the whole server would ask every browser.
var ownersMethods = []symbolon.AuthMethod{symbolon.AuthSecret, symbolon.AuthBasic, symbolon.AuthPost, symbolon.AuthKey}

// operatorOnly refuses what an owner may not change: whatever reaches beyond the app. What
// an operator has set stays, and goes when the owner takes it away.
func (s *Service) operatorOnly(ctx context.Context, was, app *symbolon.App) error {
	a, b := &was.Settings, &app.Settings
	more := func(list, before []string) bool {
		return slices.ContainsFunc(list, func(v string) bool { return !slices.Contains(before, v) })
	}
	no := func(what string) error { return denied("%s is set by an operator", what) }
	switch {
	case app.Owner != was.Owner:
		return no("the owner of an app")
	case app.Public != was.Public:
		return no("whether an app is public, once it is registered,")
	case app.NotBefore != was.NotBefore:
		return no("when connections ended")
	case was.Settings.Registration != b.Registration:
		return no("what an app said that registered itself")
	case b.Profile == symbolon.ProfileLegacy && a.Profile != symbolon.ProfileLegacy:
		return no("the profile legacy")
	case b.API && !a.API, b.API && more(b.APIResources, a.APIResources):
		return no("that an app is an API")
	case b.Impersonate && !a.Impersonate:
		return no("impersonate")
	case b.TLSTokens && !a.TLSTokens:
		return no("that tokens are bound to a certificate")
	case b.Auth != a.Auth && !slices.Contains(ownersMethods, b.Auth):
		return no("that an app proves itself by " + string(b.Auth))
	case b.OpenID.Sector != a.OpenID.Sector && b.OpenID.Sector != "":
		return no("the sector of an app")
	case leavesSector(was, app):
		return denied("an app with pairwise subjects is sent back to https URLs of one host, which is its sector, and does without the device grant; an operator may set others, or another sector")
	case len(b.Resources) == 0 && len(a.Resources) > 0, len(a.Resources) > 0 && more(b.Resources, a.Resources):
		return no("which APIs an app may ask tokens for")
	}
	for _, g := range b.Grants {
		if !slices.Contains(ownersGrants, g) && !slices.Contains(a.Grants, g) {
			return no("the grant " + string(g))
		}
	}
	for _, id := range b.ExchangeFor {
		if !slices.Contains(a.ExchangeFor, id) {
			return no("whose tokens an app may exchange")
		}
	}
	offered, err := s.Offered(ctx)
	if err != nil {
		return err
	}
	for _, name := range app.Scope {
		if !was.Scope.Has(name) && name != oauth.ScopeOffline && !slices.ContainsFunc(offered, func(o Scope) bool { return o.Name == name }) {
			return denied("the scope %q is not one that the server offers; an operator may give it to the app", printable(name))
		}
	}
	if s.Registering == ByReview && a.Status == symbolon.StatusLive && was.Version > 0 &&
		(app.Name != was.Name || app.Home != was.Home || more(app.RedirectURIs, was.RedirectURIs) || more(app.Scope, was.Scope)) {
		return denied("the name, the home, new redirect URIs and new scopes of an app that is live are set by an operator here; set it back to test to change them")
	}
	return nil
}

// leavesSector reports whether an app with pairwise subjects would be told, in a way that
// it had not before, how the apps of its sector know people, although nothing shows that
// it is one of them: by a redirect URI that is not https at the sector's own host (OpenID
// Connect Core §8.1), or by the device grant, which has none.
func leavesSector(was, app *symbolon.App) bool {
	if !app.Settings.OpenID.Pairwise {
		return false
	}
	sector := app.Settings.OpenID.Sector
	if hosts := redirectHosts(app); sector == "" && len(hosts) > 0 {
		sector = hosts[0] // and if there are more, the app is refused for that
	}
	known := was.Settings.OpenID.Pairwise && was.Settings.OpenID.Sector == sector
	if app.MayUse(symbolon.GrantDevice) && !(known && was.MayUse(symbolon.GrantDevice)) && !app.Sandbox {
		return true
	}
	before := redirectHosts(was)
	for _, uri := range app.RedirectURIs {
		if known && slices.Contains(was.RedirectURIs, uri) {
			continue
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "https" && !app.Sandbox {
			return true
		}
		if host := strings.ToLower(u.Hostname()); host != sector && !(known && slices.Contains(before, host)) {
			return true
		}
	}
	return false
}
