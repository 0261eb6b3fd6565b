package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
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
	App string `arg:"" help:"The app: its client_id or its name."`
}

// app returns the app with an id, or else the only one with a name. Strangers may
// give their apps any name: one that two have is no name, nor is what looks like an id,
// and an app that registered itself goes by its id alone.
func (d *desk) app(sh *shell, text string) (symbolon.App, error) {
	app, err := d.service().App(sh.ctx, operator, symbolon.ClientID(text))
	if err == nil {
		return *app, nil
	}
	if symbolon.KindOf(err) != symbolon.NotFound || strings.HasPrefix(text, symbolon.ClientIDPrefix) || strings.Contains(text, "://") {
		return symbolon.App{}, err
	}
	all, listErr := d.apps(sh)
	if listErr != nil {
		return symbolon.App{}, listErr
	}
	var found []symbolon.App
	for _, a := range all {
		if strings.EqualFold(a.Name, text) && a.Settings.Registration == nil {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 0:
		return symbolon.App{}, err
	case 1:
		fmt.Fprintf(sh.stderr, "symbolon: note: %s is the app %s\n", printable(found[0].Name), found[0].ID)
		return found[0], nil
	}
	return symbolon.App{}, mend(fmt.Errorf("%d apps are called %q", len(found), text), "name it by its client_id; “symbolon app list” shows them all")
}

// remarkScopes notes on standard error the scopes of an app of which the consent
// page has nothing to say yet.
func (sh *shell) remarkScopes(d *desk, app *symbolon.App) {
	said, err := d.speaking(sh).Said(sh.ctx)
	if err != nil {
		return // it is a remark, and what it is about is done
	}
	for _, name := range app.Scope {
		if !admin.Explained(said, name) {
			fmt.Fprintf(sh.stderr, "symbolon: note: the consent page has no sentence for the scope %s; give it one: symbolon scope set '%s' \"…\"\n", name, strings.ReplaceAll(name, "'", `'\''`))
		}
	}
}

// speaking is the service with what the configuration says of scopes, as far as it can be
// seen from here. That of a node elsewhere counts there all the same.
func (d *desk) speaking(sh *shell) *admin.Service {
	service := d.service()
	service.Scopes = sh.scopes()
	if d.sandbox {
		service.Scopes = append(service.Scopes, sandboxScopes...)
	}
	return service
}

// operator is who works at the command line: whoever can read the database can do
// anything.
var operator = admin.Actor{Operator: true}

// service does what can be done to what the desk is on.
func (d *desk) service() *admin.Service {
	return &admin.Service{
		Store: d.store, Now: d.clock.Now, Sandbox: d.sandbox, End: d.end,
		Changed: func(ctx context.Context) error {
			d.settle(ctx)
			return nil
		},
	}
}
