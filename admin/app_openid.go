package admin

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// maxDefaultAge bounds --default-max-age, in seconds: as max_age of a request.
const maxDefaultAge = 1<<31 - 1

// checkOpenID holds what an app wants of OpenID Connect to what the server can do,
// and fills in the sector that goes without saying.
func checkOpenID(app *symbolon.App) error {
	o := &app.Settings.OpenID
	for flag, algorithm := range appAlgorithms(app) {
		if algorithm != "" && !slices.Contains(jwt.Algorithms, algorithm) {
			return mend(fmt.Errorf("%s: the server does not sign with %q", flag, printable(algorithm)), "the algorithms are %s", strings.Join(jwt.Algorithms, ", "))
		}
	}
	for _, acr := range o.DefaultACR {
		// An app may register any by itself; an owner who types one means one of these.
		if app.Settings.Registration == nil && !slices.Contains([]string{oauth.ACROne, oauth.ACRTwo, oauth.ACRPasskey}, acr) {
			return mend(fmt.Errorf("--default-acr: no sign-in here is %q", printable(acr)), "they are %s (a password), %s (two factors) and %s (a passkey)", oauth.ACROne, oauth.ACRTwo, oauth.ACRPasskey)
		}
	}
	if o.DefaultMaxAge < 0 || o.DefaultMaxAge > maxDefaultAge {
		return fault("--default-max-age must be from 0 to %d seconds", maxDefaultAge)
	}
	if !o.Pairwise {
		if o.Sector != "" {
			return mend(fmt.Errorf("a sector says nothing of an app that knows people by their account's id"), "add --pairwise, or take it away: --sector ''")
		}
		return nil
	}
	if app.Scope.Has(symbolon.ScopeConnect) || app.Settings.Token == symbolon.TokenJWT {
		// Either would tell the app the account's id.
		return mend(fmt.Errorf("--pairwise is for an app that cannot learn the account's id in another way, as by the scope connect (GET /info) or from a JWT access token"),
			"name its scopes without connect, such as --scope \"openid email\", and leave --token-format at sealed or default")
	}
	if o.Sector == "" {
		hosts := redirectHosts(app)
		if len(hosts) != 1 {
			return mend(fmt.Errorf("--pairwise needs to know the app's sector, since its redirect URIs have %s", count(len(hosts), "host", "hosts")), "add --sector HOST")
		}
		o.Sector = hosts[0] // OpenID Connect Core §8.1
	}
	if u, err := url.Parse("https://" + o.Sector); err != nil || u.Host != o.Sector || u.Hostname() == "" || strings.ToLower(o.Sector) != o.Sector || len(o.Sector) > 253 {
		return mend(fmt.Errorf("the sector %q is not a host in lower case", printable(o.Sector)), "write it as app.example.com")
	}
	return nil
}

// appAlgorithms are those that an app's settings name for what the server signs for
// it, by flag.
func appAlgorithms(app *symbolon.App) map[string]string {
	o := &app.Settings.OpenID
	return map[string]string{"--response-alg": app.Settings.ResponseSigning, "--id-token-alg": o.IDTokenSigning, "--userinfo-alg": o.UserinfoSigning}
}

// checkSigning looks whether there are keys for what an app wants signed.
func (s *Service) checkSigning(ctx context.Context, app *symbolon.App) error {
	for flag, algorithm := range appAlgorithms(app) {
		if algorithm == "" || slices.Contains(SigningAlgorithms, algorithm) {
			continue // every server makes those
		}
		keys, err := s.Store.Keys(ctx, nil, false)
		if err != nil {
			return err
		}
		if !hasKey(keys, algorithm, s.Now()) {
			return mend(fmt.Errorf("%s: the server has no key for %s", flag, algorithm), "make one: symbolon key rotate --signing --algorithm %s", algorithm)
		}
	}
	return nil
}

// redirectHosts are the hosts of an app's redirect URIs, each once.
func redirectHosts(app *symbolon.App) []string {
	var hosts []string
	for _, uri := range app.RedirectURIs {
		u, err := url.Parse(uri)
		if err != nil || u.Hostname() == "" {
			continue
		}
		if host := strings.ToLower(u.Hostname()); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// checkLogout holds to the rules what an app says about signing out. It needs to
// know whether the app is a sandbox one.
func checkLogout(app *symbolon.App) error {
	o := &app.Settings.OpenID
	if len(o.PostLogoutRedirectURIs) > oauth.MaxPostLogoutURIs {
		return fault("an app has at most %d post-logout redirect URIs", oauth.MaxPostLogoutURIs)
	}
	seen := make(map[string]bool)
	for _, uri := range o.PostLogoutRedirectURIs {
		if err := oauth.CheckPostLogoutURI(uri); err != nil {
			return fault("post-logout redirect URI %q: %s", printable(uri), detail(err))
		}
		if seen[uri] {
			return fault("post-logout redirect URI %q is there twice", uri)
		}
		seen[uri] = true
	}
	if o.BackchannelLogoutURI == "" {
		if o.BackchannelLogoutSessionRequired {
			return mend(fmt.Errorf("an app that is not told of ended sessions cannot want to know which"), "add --backchannel-logout-uri, or take it away: --no-backchannel-logout-session-required")
		}
		return nil
	}
	if err := oauth.CheckBackchannelURI(o.BackchannelLogoutURI, app.Sandbox); err != nil {
		return fault("back-channel logout URI %q: %s", printable(o.BackchannelLogoutURI), detail(err))
	}
	return nil
}

// SigningAlgorithms are those of which every server has a key: ES256, which is small and
// quick, and RS256, which OpenID Connect's clients take without being told to (OpenID
// Connect Core §15.1).
var SigningAlgorithms = []string{"ES256", "RS256"}

// hasKey reports whether there is a key for an algorithm, now or announced.
func hasKey(keys []symbolon.Key, algorithm string, now time.Time) bool {
	return slices.ContainsFunc(keys, func(k symbolon.Key) bool {
		return k.Algorithm == algorithm && (k.RetiredAt.IsZero() || now.Before(k.RetiredAt))
	})
}
