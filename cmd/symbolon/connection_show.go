package main

import (
	"fmt"

	"github.com/symbolon/symbolon"
)

// connectionShowCmd shows one connection.
type connectionShowCmd struct {
	place
	ID   string `arg:"" help:"The connection's id."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (connectionShowCmd) Help() string {
	return "Example:\n\n    symbolon connection show 019a2b3c4d5e6f708192a3b4c5d6e7f8"
}

// Run implements the command.
func (c *connectionShowCmd) Run(sh *shell) error {
	id, err := symbolon.ParseConnectionID(c.ID)
	if err != nil {
		return mend(fmt.Errorf("%q is no id of a connection", printable(c.ID)), "“symbolon connection list” shows them")
	}
	return c.with(sh, false, func(d *desk) error {
		list, err := d.store.Connections(sh.ctx, symbolon.ConnectionQuery{ID: id, Limit: 1})
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].ID != id {
			return mend(fmt.Errorf("there is no connection %s", id), "“symbolon connection list” shows them")
		}
		views := []connectionView{viewConnection(&list[0], d.clock.Now())}
		if err := d.nameEnds(sh, views); err != nil {
			return err
		}
		if c.JSON {
			return sh.printJSON(views[0])
		}
		return sh.printTable(views[0].rows())
	})
}

// rows are the connection, a line for each thing.
func (v *connectionView) rows() [][]string {
	rows := [][]string{
		{"id", v.ID},
		{"label", orDash(v.Label)},
		{"account", orDash(v.Username) + " (" + v.Account + ")"},
		{"app", orDash(v.App) + " (" + v.ClientID + ")"},
		{"scope", v.Scope},
		{"state", v.State},
		{"connected", whenStamp(v.CreatedAt)},
		{"last used", whenStamp(v.RefreshedAt)},
		{"from", orDash(v.UsedFrom)},
	}
	if v.State == "live" {
		return append(rows, []string{"dies unless refreshed", whenStamp(v.ExpiresAt)})
	}
	if v.State == "expired" {
		return append(rows, []string{"expired", whenStamp(v.ExpiresAt)})
	}
	return append(rows, []string{"ended", whenStamp(v.EndedAt)}, []string{"why", orDash(v.EndedBy)})
}
