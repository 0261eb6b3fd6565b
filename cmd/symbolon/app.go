package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
)

// appCmds are the commands for apps.
type appCmds struct {
	Create       appCreateCmd       `cmd:"" help:"Register an app and print its secret, once."`
	List         appListCmd         `cmd:"" help:"List the apps."`
	Show         appShowCmd         `cmd:"" help:"Show an app."`
	Edit         appEditCmd         `cmd:"" help:"Change an app; what is not named stays."`
	RotateSecret appRotateSecretCmd `cmd:"" help:"Give an app a further secret; the old ones keep working."`
	RetireSecret appRetireSecretCmd `cmd:"" help:"Stop honouring a secret of an app."`
	Check        appCheckCmd        `cmd:"" help:"Hold an app to the rules of its profile, and of the others."`
	Log          appLogCmd          `cmd:"" help:"Show the last requests of an app, and why they were refused."`
	Delete       appDeleteCmd       `cmd:"" help:"Delete an app and end all its connections."`
}

// Help implements kong.HelpProvider.
func (appCmds) Help() string {
	return "Example:\n\n    symbolon app create --name Make --redirect-uri https://www.make.com/oauth/cb/app"
}

// appArg names the app that a command is about.
type appArg struct {
	place
	ClientID string `arg:"" name:"client-id" help:"The app's client_id."`
}

// app returns the app with an id.
func (d *desk) app(ctx context.Context, id string) (symbolon.App, error) {
	apps, err := d.store.Apps(ctx, symbolon.AppQuery{ID: symbolon.ClientID(id), Limit: 1})
	if err != nil {
		return symbolon.App{}, err
	}
	if id == "" || len(apps) == 0 {
		return symbolon.App{}, mend(fmt.Errorf("there is no app %q", id), "“symbolon app list” shows them all")
	}
	return apps[0], nil
}

// checkApp holds an app that is about to be stored to the rules for all.
func checkApp(app *symbolon.App) error {
	if err := checkName("name of the app", app.Name); err != nil {
		return err
	}
	if err := checkHome(app.Home); err != nil {
		return err
	}
	if len(app.RedirectURIs) == 0 && app.MayUse(symbolon.GrantCode) {
		return mend(fmt.Errorf("an app needs a redirect URI, unless it may not use codes"), "add --redirect-uri https://app.example/callback; or name its grants, such as --grant client_credentials")
	}
	if len(app.RedirectURIs) > 50 {
		return fmt.Errorf("an app has at most 50 redirect URIs")
	}
	seen := make(map[string]bool)
	for _, uri := range app.RedirectURIs {
		if err := oauth.CheckRedirectURI(uri); err != nil {
			return fmt.Errorf("redirect URI %q: %s", printable(uri), detail(err))
		}
		if seen[uri] {
			return fmt.Errorf("redirect URI %q is there twice", uri)
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
	return checkAppSettings(app)
}

// remarkScopes notes on standard error the scopes of an app of which the consent
// page has nothing to say yet.
func (sh *shell) remarkScopes(app *symbolon.App) {
	known := append(sh.scopes(), symbolon.ScopeConnect)
	for _, s := range oidc.Scopes {
		known = append(known, s.Name)
	}
	if app.Sandbox {
		for _, s := range sandboxScopes {
			known = append(known, s.Name)
		}
	}
	for _, name := range app.Scope {
		if !slices.Contains(known, name) {
			fmt.Fprintf(sh.stderr, "symbolon: note: the consent page has no sentence for the scope %s; give the server one in %s: [scopes] %q = \"…\"\n", name, configName, name)
		}
	}
}

// parseScope reads a space-separated list of scopes.
func parseScope(s string) (symbolon.Scopes, error) {
	scope, err := symbolon.ParseScopes(strings.TrimSpace(s))
	if err != nil {
		return nil, mend(fmt.Errorf("scope %q: %s", printable(s), detail(err)), "write the names with a space between: --scope \"connect files.read\"")
	}
	return scope, nil
}
