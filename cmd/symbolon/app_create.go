package main

import (
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// appCreateCmd registers an app.
type appCreateCmd struct {
	place
	Name         string   `required:"" help:"What the consent page calls the app."`
	RedirectURIs []string `name:"redirect-uri" sep:"none" placeholder:"URI" help:"Where people are sent back to. Repeat it for several. An app that may not use codes needs none."`
	Scope        string   `default:"connect" help:"All that the app may ask for, separated by spaces."`
	Public       bool     `help:"The app cannot keep a secret: it gets none, and must use PKCE."`
	Rotation     string   `enum:"always,never" default:"always" help:"What refreshing does to the refresh token. “always”: the app gets a new one in its place. “never”: the app keeps the one it has; not for a public app."`
	RequirePKCE  bool     `name:"require-pkce" help:"Refuse authorization requests without PKCE. Platforms such as Zapier send none."`
	Home         string   `placeholder:"URL" help:"Site of the app's owner, https."`
	Owner        string   `placeholder:"USERNAME" help:"Account that may manage the app in the console. Operators alone may, when it is left out."`
	settingFlags
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (appCreateCmd) Help() string {
	return "The secret is shown once and cannot be shown again.\n\nExample:\n\n    symbolon app create --name Make --redirect-uri https://www.make.com/oauth/cb/app --scope connect"
}

// Run implements the command.
func (c *appCreateCmd) Run(sh *shell) error {
	scope, err := admin.ParseScope(c.Scope)
	if err != nil {
		return err
	}
	app := symbolon.App{
		ID:           symbolon.NewClientID(),
		Name:         c.Name,
		Home:         c.Home,
		Public:       c.Public,
		RedirectURIs: c.RedirectURIs,
		Scope:        scope,
		Rotation:     symbolon.Rotation(c.Rotation),
		RequirePKCE:  c.RequirePKCE,
	}
	if c.Auth != nil && symbolon.AuthMethod(*c.Auth) == symbolon.AuthNone {
		app.Public = true
	}
	if _, err := c.settingFlags.apply(&app); err != nil {
		return err
	}
	if err := admin.CheckApp(&app); err != nil {
		return err
	}
	c.announce(sh)
	return c.with(sh, true, func(d *desk) error {
		if c.Owner != "" {
			owner, err := d.account(sh, c.Owner)
			if err != nil {
				return err
			}
			app.Owner = owner.ID
		}
		if _, err := c.testAccounts(sh, d, &app); err != nil {
			return err
		}
		hook, err := c.webhookSecret(sh, d, &app)
		if err != nil {
			return err
		}
		created, err := d.service().CreateApp(sh.ctx, operator, app)
		if err != nil {
			return err
		}
		app := created.App
		sh.remarkScopes(d, app)
		c.remarkProfile(sh)
		view := admin.ViewApp(app)
		view.ClientSecret = created.Secret
		view.WebhookSecret = hook
		if c.JSON {
			return sh.printJSON(view)
		}
		if err := printApp(sh, &view); err != nil {
			return err
		}
		if created.Secret != "" {
			fmt.Fprintln(sh.stdout, "\nThe secret is not shown again: put it where the app keeps it now.")
		}
		remarkWebhook(sh, hook)
		return nil
	})
}
