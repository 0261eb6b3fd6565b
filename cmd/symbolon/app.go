package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// appCmds are the commands for apps.
type appCmds struct {
	Create       appCreateCmd       `cmd:"" help:"Register an app and print its secret, once."`
	List         appListCmd         `cmd:"" help:"List the apps."`
	Show         appShowCmd         `cmd:"" help:"Show an app."`
	Edit         appEditCmd         `cmd:"" help:"Change an app; what is not named stays."`
	RotateSecret appRotateSecretCmd `cmd:"" help:"Give an app a further secret; the old ones keep working."`
	RetireSecret appRetireSecretCmd `cmd:"" help:"Stop honouring a secret of an app."`
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

// appView is an app as --json prints it.
type appView struct {
	ClientID string `json:"client_id"`
	// ClientSecret is set only by the command that made it.
	ClientSecret string       `json:"client_secret,omitempty"`
	Name         string       `json:"name"`
	Home         string       `json:"home,omitempty"`
	Public       bool         `json:"public"`
	RedirectURIs []string     `json:"redirect_uris"`
	Scope        string       `json:"scope"`
	Rotation     string       `json:"rotation"`
	RequirePKCE  bool         `json:"require_pkce"`
	Sandbox      bool         `json:"sandbox"`
	CreatedAt    stamp        `json:"created_at"`
	Secrets      []secretView `json:"secrets"`
}

// secretView is a live secret as --json prints it: never the secret itself.
type secretView struct {
	ID        string `json:"id"`
	CreatedAt stamp  `json:"created_at"`
}

func viewApp(app *symbolon.App) appView {
	v := appView{
		ClientID:     string(app.ID),
		Name:         app.Name,
		Home:         app.Home,
		Public:       app.Public,
		RedirectURIs: append([]string{}, app.RedirectURIs...),
		Scope:        app.Scope.String(),
		Rotation:     string(app.Rotation),
		RequirePKCE:  app.RequirePKCE,
		Sandbox:      app.Sandbox,
		CreatedAt:    stamp(app.CreatedAt),
		Secrets:      []secretView{},
	}
	for _, s := range app.Secrets {
		v.Secrets = append(v.Secrets, secretView{ID: s.ID, CreatedAt: stamp(s.CreatedAt)})
	}
	return v
}

// print prints an app for people.
func (v *appView) print(sh *shell) error {
	kind := "with a secret"
	if v.Public {
		kind = "public: no secret, PKCE required"
	}
	if v.RequirePKCE && !v.Public {
		kind += ", PKCE required"
	}
	rows := [][]string{
		{"client_id", v.ClientID},
		{"name", v.Name},
		{"home", orDash(v.Home)},
		{"kind", kind},
		{"scope", orDash(v.Scope)},
		{"rotation", v.Rotation},
		{"created", whenStamp(v.CreatedAt)},
	}
	for i, uri := range v.RedirectURIs {
		rows = append(rows, []string{label(i, "redirect uri"), uri})
	}
	for i, s := range v.Secrets {
		rows = append(rows, []string{label(i, "secrets"), s.ID + "  made " + whenStamp(s.CreatedAt)})
	}
	if v.ClientSecret != "" {
		rows = append(rows, []string{"client_secret", v.ClientSecret})
	}
	return sh.printTable(rows)
}

// label is the label of a list's first row only.
func label(i int, s string) string {
	if i > 0 {
		return ""
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// checkApp holds an app that is about to be stored to the rules for all.
func checkApp(app *symbolon.App) error {
	if err := checkName("name of the app", app.Name); err != nil {
		return err
	}
	if err := checkHome(app.Home); err != nil {
		return err
	}
	if len(app.RedirectURIs) == 0 {
		return mend(fmt.Errorf("an app needs a redirect URI"), "add --redirect-uri https://app.example/callback")
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
	if app.Public && app.Rotation == symbolon.RotateNever {
		// RFC 9700 §4.14.2: nothing else would show that the token was stolen.
		return mend(fmt.Errorf("a public app must not keep its refresh token"), "leave --rotation at always, or register an app with a secret")
	}
	if len(app.Scope) == 0 {
		return mend(fmt.Errorf("an app needs a scope"), "add --scope connect, which every endpoint of the API needs")
	}
	return nil
}

// remarkScopes notes on standard error the scopes of an app of which the consent
// page has nothing to say yet.
func (sh *shell) remarkScopes(app *symbolon.App) {
	known := append(sh.scopes(), symbolon.ScopeConnect)
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
