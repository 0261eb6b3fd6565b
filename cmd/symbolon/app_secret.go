package main

import (
	"fmt"

	"github.com/symbolon/symbolon/admin"
)

// appRotateSecretCmd gives an app a further secret.
type appRotateSecretCmd struct {
	appArg
	RetireOld bool `help:"Stop honouring the old secrets at once."`
	JSON      bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (appRotateSecretCmd) Help() string {
	return "The new secret is shown once. The old ones work until they are retired, so that the app can change over without an outage.\n\nExample:\n\n    symbolon app rotate-secret sym_app_qn3y5b7k2m4p6r8t"
}

// Run implements the command.
func (c *appRotateSecretCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		named, err := d.app(sh, c.App)
		if err != nil {
			return err
		}
		created, err := d.service().AddSecret(sh.ctx, operator, named.ID, c.RetireOld)
		if err != nil {
			return err
		}
		app, plain, old := created.App, created.Secret, len(created.App.Secrets)-1
		view := admin.ViewApp(app)
		view.ClientSecret = plain
		if c.JSON {
			return sh.printJSON(view)
		}
		fmt.Fprintf(sh.stdout, "client_secret  %s\n\nIt is not shown again: put it where the app keeps it now.\n", plain)
		if old > 0 {
			fmt.Fprintf(sh.stdout, "%s: once the app uses the new one, retire what “symbolon app show %s” lists.\n", count(old, "older secret still works", "older secrets still work"), app.ID)
		}
		return nil
	})
}

// appRetireSecretCmd ends a secret of an app.
type appRetireSecretCmd struct {
	appArg
	Secret string `arg:"" help:"Which secret: its id in “symbolon app show”."`
	Yes    bool   `help:"Also retire the last one, which leaves the app unable to connect."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (appRetireSecretCmd) Help() string {
	return "Example:\n\n    symbolon app retire-secret sym_app_qn3y5b7k2m4p6r8t 3f9a01bc"
}

// Run implements the command.
func (c *appRetireSecretCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		named, err := d.app(sh, c.App)
		if err != nil {
			return err
		}
		app, err := d.service().RetireSecret(sh.ctx, operator, named.ID, c.Secret, c.Yes)
		if err != nil {
			return err
		}
		if c.JSON {
			return sh.printJSON(admin.ViewApp(app))
		}
		fmt.Fprintf(sh.stdout, "Secret %s is no longer honoured.\n", c.Secret)
		return nil
	})
}

// appDeleteCmd deletes an app.
type appDeleteCmd struct {
	appArg
	Yes  bool `help:"Do not ask."`
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (appDeleteCmd) Help() string {
	return "Example:\n\n    symbolon app delete sym_app_qn3y5b7k2m4p6r8t --yes"
}

// Run implements the command.
func (c *appDeleteCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		app, err := d.app(sh, c.App)
		if err != nil {
			return err
		}
		if err := sh.confirm(c.Yes, string(app.ID), fmt.Sprintf("deleting the app “%s” and ending all its connections", printable(app.Name))); err != nil {
			return err
		}
		if err := d.service().DeleteApp(sh.ctx, operator, app.ID); err != nil {
			return err
		}
		if c.JSON {
			return sh.printJSON(map[string]any{"client_id": app.ID, "deleted": true})
		}
		fmt.Fprintf(sh.stdout, "The app %s is deleted, and all its connections are over.\n", app.ID)
		return nil
	})
}
