package main

import (
	"fmt"
	"slices"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// maxSecrets is how many secrets of an app may be live at once.
const maxSecrets = 5

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
		app, err := d.app(sh.ctx, c.ClientID)
		if err != nil {
			return err
		}
		if app.Public {
			return fmt.Errorf("a public app has no secret")
		}
		if !hasSecret(&app) {
			return mend(fmt.Errorf("the app proves itself by %s, not by a secret", app.Method()), "symbolon app edit %s --auth %s lets it use one", app.ID, authSecret)
		}
		if c.RetireOld {
			app.Secrets = nil
		}
		if len(app.Secrets) >= maxSecrets {
			return mend(fmt.Errorf("the app has %d live secrets, and may have no more", len(app.Secrets)), "retire one first: symbolon app retire-secret %s %s", app.ID, app.Secrets[0].ID)
		}
		old := len(app.Secrets)
		plain, secret := symbolon.NewSecret(d.clock.Now())
		app.Secrets = append(slices.Clone(app.Secrets), secret)
		if err := d.store.PutApp(sh.ctx, app); err != nil {
			return err
		}
		d.settle(sh.ctx)
		view := viewApp(&app)
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
		app, err := d.app(sh.ctx, c.ClientID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(app.Secrets, func(s symbolon.Secret) bool { return s.ID == c.Secret })
		if i < 0 {
			return mend(fmt.Errorf("the app has no live secret %q", printable(c.Secret)), "“symbolon app show %s” shows their ids", app.ID)
		}
		if len(app.Secrets) == 1 && !c.Yes {
			return mend(fmt.Errorf("it is the app's last secret"), "“symbolon app rotate-secret %s” makes another first; or add --yes", app.ID)
		}
		app.Secrets = slices.Delete(app.Secrets, i, i+1)
		if err := d.store.PutApp(sh.ctx, app); err != nil {
			return err
		}
		d.settle(sh.ctx)
		if c.JSON {
			return sh.printJSON(viewApp(&app))
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
		app, err := d.app(sh.ctx, c.ClientID)
		if err != nil {
			return err
		}
		if err := sh.confirm(c.Yes, string(app.ID), fmt.Sprintf("deleting the app “%s” and ending all its connections", printable(app.Name))); err != nil {
			return err
		}
		end := symbolon.End{Client: app.ID, Delete: true, Reason: symbolon.ByOperator}
		if gone, needed := oauth.Gone(&app, oauth.UnusedLifetime, d.clock.Now()); needed {
			// Its client_id alone would bring it back, with its secret.
			if err := d.store.PutApp(sh.ctx, gone); err != nil {
				return err
			}
			end.Delete = false
		}
		if _, err := d.end(sh.ctx, end); err != nil {
			return err
		}
		d.settle(sh.ctx)
		if c.JSON {
			return sh.printJSON(map[string]any{"client_id": app.ID, "deleted": true})
		}
		fmt.Fprintf(sh.stdout, "The app %s is deleted, and all its connections are over.\n", app.ID)
		return nil
	})
}
