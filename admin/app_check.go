package admin

import (
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// CheckApp holds an app that is about to be stored to the rules for all.
func CheckApp(app *symbolon.App) error {
	if err := CheckName("name of the app", app.Name); err != nil {
		return err
	}
	if err := CheckHome(app.Home); err != nil {
		return err
	}
	if len(app.RedirectURIs) == 0 && app.MayUse(symbolon.GrantCode) {
		return mend(fmt.Errorf("an app needs a redirect URI, unless it may not use codes"), "add --redirect-uri https://app.example/callback; or name its grants, such as --grant client_credentials")
	}
	if len(app.RedirectURIs) > 50 {
		return fault("an app has at most 50 redirect URIs")
	}
	seen := make(map[string]bool)
	for _, uri := range app.RedirectURIs {
		if err := oauth.CheckRedirectURI(uri); err != nil {
			return fault("redirect URI %q: %s", printable(uri), detail(err))
		}
		if seen[uri] {
			return fault("redirect URI %q is there twice", uri)
		}
		seen[uri] = true
	}
	if err := checkAppProfile(app); err != nil {
		return err
	}
	if app.Public && app.Rotation == symbolon.RotateNever {
		// RFC 9700 §4.14.2: nothing else would show that the token was stolen.
		return mend(fmt.Errorf("a public app must not keep its refresh token"), "leave --rotation at always, or register an app with a secret")
	}
	if len(app.Scope) == 0 {
		return mend(fmt.Errorf("an app needs a scope"), "add --scope connect, which every endpoint of the API needs")
	}
	return CheckAppSettings(app)
}
