package main

import (
	"fmt"
	"slices"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// appEditCmd changes an app.
type appEditCmd struct {
	appArg
	Name         *string  `help:"What the consent page calls the app."`
	RedirectURIs []string `name:"redirect-uri" sep:"none" placeholder:"URI" xor:"uris" help:"All redirect URIs, in place of those there are. Repeat it for several."`
	AddURIs      []string `name:"add-redirect-uri" sep:"none" placeholder:"URI" xor:"uris" help:"A further redirect URI."`
	RemoveURIs   []string `name:"remove-redirect-uri" sep:"none" placeholder:"URI" help:"A redirect URI to take away."`
	Scope        *string  `help:"All that the app may ask for, separated by spaces."`
	Rotation     *string  `enum:"always,never" help:"What refreshing does to the refresh token. “always”: the app gets a new one in its place. “never”: the app keeps the one it has; not for a public app."`
	RequirePKCE  *bool    `name:"require-pkce" negatable:"" help:"Refuse authorization requests without PKCE, or no longer."`
	Home         *string  `placeholder:"URL" help:"Site of the app's owner, https, or empty for none."`
	Owner        *string  `placeholder:"USERNAME" help:"Account that may manage the app in the console; empty for operators alone."`
	settingFlags
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (appEditCmd) Help() string {
	return "Example:\n\n    symbolon app edit sym_app_qn3y5b7k2m4p6r8t --add-redirect-uri https://www.make.com/oauth/cb/app"
}

// Run implements the command.
func (c *appEditCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		named, err := d.app(sh, c.App)
		if err != nil {
			return err
		}
		hook := ""
		app, err := d.service().EditApp(sh.ctx, operator, named.ID, "", func(app *symbolon.App) error {
			changed, err := c.apply(sh, d, app)
			if err == nil && !changed {
				err = mend(fmt.Errorf("nothing to change was named"), "for instance --name, --redirect-uri or --scope")
			}
			if err == nil {
				hook, err = c.webhookSecret(sh, d, app)
			}
			return err
		})
		if err != nil {
			return err
		}
		if c.Scope != nil {
			sh.remarkScopes(d, app)
		}
		if c.Auth != nil {
			sh.remarkSecrets(app)
		}
		c.remarkProfile(sh)
		view := admin.ViewApp(app)
		view.WebhookSecret = hook
		if c.JSON {
			return sh.printJSON(view)
		}
		if err := printApp(sh, &view); err != nil {
			return err
		}
		remarkWebhook(sh, hook)
		return nil
	})
}

// apply makes the changes that were named, and reports whether there were any.
func (c *appEditCmd) apply(sh *shell, d *desk, app *symbolon.App) (bool, error) {
	changed := false
	if c.Owner != nil {
		app.Owner, changed = "", true
		if *c.Owner != "" {
			owner, err := d.account(sh, *c.Owner)
			if err != nil {
				return false, err
			}
			app.Owner = owner.ID
		}
	}
	if c.Name != nil {
		app.Name, changed = *c.Name, true
	}
	if c.Home != nil {
		app.Home, changed = *c.Home, true
	}
	if c.Scope != nil {
		scope, err := admin.ParseScope(*c.Scope)
		if err != nil {
			return false, err
		}
		app.Scope, changed = scope, true
	}
	if c.Rotation != nil {
		app.Rotation, changed = symbolon.Rotation(*c.Rotation), true
	}
	if c.RequirePKCE != nil {
		app.RequirePKCE, changed = *c.RequirePKCE, true
	}
	if len(c.RedirectURIs) > 0 {
		app.RedirectURIs, changed = c.RedirectURIs, true
	}
	for _, uri := range c.RemoveURIs {
		i := slices.Index(app.RedirectURIs, uri)
		if i < 0 {
			return false, mend(fmt.Errorf("the app has no redirect URI %q", printable(uri)), "“symbolon app show %s” shows them", app.ID)
		}
		app.RedirectURIs, changed = slices.Delete(app.RedirectURIs, i, i+1), true
	}
	for _, uri := range c.AddURIs {
		app.RedirectURIs, changed = append(app.RedirectURIs, uri), true
	}
	tests, err := c.testAccounts(sh, d, app)
	if err != nil {
		return false, err
	}
	more, err := c.settingFlags.apply(app)
	return changed || tests || more, err
}

// remarkSecrets notes on standard error what a change of how an app proves itself
// means for its secrets.
func (sh *shell) remarkSecrets(app *symbolon.App) {
	switch {
	case admin.HasSecret(app) && len(app.Secrets) == 0:
		fmt.Fprintf(sh.stderr, "symbolon: note: the app has no secret yet; “symbolon app rotate-secret %s” makes one\n", app.ID)
	case !admin.HasSecret(app) && len(app.Secrets) > 0:
		fmt.Fprintf(sh.stderr, "symbolon: note: the app's secrets do not count any more; “symbolon app retire-secret” takes them away\n")
	}
}
