package main

import (
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// page is how many rows are read at a time.
const page = 500

// appListCmd lists the apps.
type appListCmd struct {
	place
	JSON bool `name:"json" help:"Print one JSON array."`
}

// Help implements kong.HelpProvider.
func (appListCmd) Help() string { return "Example:\n\n    symbolon app list" }

// Run implements the command.
func (c *appListCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		apps, err := d.apps(sh)
		if err != nil {
			return err
		}
		if c.JSON {
			views := []admin.AppView{}
			for i := range apps {
				views = append(views, admin.ViewApp(&apps[i]))
			}
			return sh.printJSON(views)
		}
		if len(apps) == 0 {
			fmt.Fprintln(sh.stdout, "There are no apps. “symbolon app create” registers one.")
			return nil
		}
		rows := [][]string{{"CLIENT_ID", "NAME", "SCOPE", "CREATED"}}
		for _, app := range apps {
			rows = append(rows, []string{string(app.ID), app.Name, app.Scope.String(), when(app.CreatedAt)})
		}
		return sh.printTable(rows)
	})
}

// apps returns every app.
func (d *desk) apps(sh *shell) ([]symbolon.App, error) {
	var all []symbolon.App
	for {
		q := symbolon.AppQuery{Limit: page}
		if len(all) > 0 {
			q.After = all[len(all)-1].ID
		}
		some, err := d.store.Apps(sh.ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
	}
}

// appShowCmd shows an app.
type appShowCmd struct {
	appArg
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (appShowCmd) Help() string {
	return "Example:\n\n    symbolon app show sym_app_qn3y5b7k2m4p6r8t"
}

// Run implements the command.
func (c *appShowCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		app, err := d.app(sh, c.App)
		if err != nil {
			return err
		}
		view := admin.ViewApp(&app)
		if c.JSON {
			return sh.printJSON(view)
		}
		return printApp(sh, &view)
	})
}
