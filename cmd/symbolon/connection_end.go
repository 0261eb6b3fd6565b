package main

import (
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// connectionEndCmd ends connections.
type connectionEndCmd struct {
	place
	ID      string `arg:"" optional:"" help:"The connection's id in “symbolon connection list”."`
	Account string `help:"All of this account: its username or id. With --app, only those to the app; alone, its sessions too."`
	App     string `placeholder:"APP" help:"All of this app: its client_id or its name."`
	Yes     bool   `help:"Do not ask before ending all of an account or of an app."`
	JSON    bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (connectionEndCmd) Help() string {
	return "When the command returns, no server honours anything of what it ended. What the person had allowed is forgotten with the last connection between the two, so that the app has to ask again.\n\nExample:\n\n    symbolon connection end --account jane --app sym_app_qn3y5b7k2m4p6r8t"
}

// Run implements the command.
func (c *connectionEndCmd) Run(sh *shell) error {
	if (c.ID == "") == (c.Account == "" && c.App == "") {
		return mend(fmt.Errorf("say what to end: either a connection's id, or --account, --app or both"), "“symbolon connection list” shows the ids")
	}
	return c.with(sh, false, func(d *desk) error {
		end := symbolon.End{Reason: symbolon.ByOperator, Now: d.clock.Now()}
		var err error
		if c.ID != "" {
			end, err = d.endOne(sh, c.ID, end)
		} else {
			err = c.endMany(sh, d, &end)
		}
		if err != nil {
			return err
		}
		n, err := d.end(sh.ctx, end)
		if err != nil {
			return err
		}
		d.settle(sh.ctx)
		if c.JSON {
			return sh.printJSON(map[string]int{"ended": n})
		}
		switch {
		case n == 0:
			fmt.Fprintln(sh.stdout, "There was nothing left to end.")
		case end.Connection != symbolon.ConnectionID{}:
			fmt.Fprintln(sh.stdout, "The connection is over, on every server. Others between the two live on, so the app may connect again without asking.")
		case end.Account != "" && end.Client != "":
			fmt.Fprintf(sh.stdout, "%s over, on every server. The app has to ask again.\n", count(n, "connection is", "connections are"))
		default:
			fmt.Fprintln(sh.stdout, "Everything of it is over, on every server.")
		}
		return nil
	})
}

// endOne returns the change that ends one connection.
func (d *desk) endOne(sh *shell, id string, end symbolon.End) (symbolon.End, error) {
	cid, err := symbolon.ParseConnectionID(id)
	if err != nil || cid == (symbolon.ConnectionID{}) { // the store reads zero as any
		return end, mend(fmt.Errorf("%q is not the id of a connection", printable(id)), "“symbolon connection list” shows the ids")
	}
	found, err := d.store.Connections(sh.ctx, symbolon.ConnectionQuery{ID: cid, Limit: 1})
	if err != nil {
		return end, err
	}
	if len(found) == 0 {
		return end, mend(fmt.Errorf("there is no connection %s", cid), "“symbolon connection list” shows those there are")
	}
	return oauth.EndOf(sh.ctx, d.store, &found[0], end.Reason, end.Now)
}

// endMany fills in the change that ends everything of an account, of an app, or
// between the two.
func (c *connectionEndCmd) endMany(sh *shell, d *desk, end *symbolon.End) error {
	if err := d.narrow(sh, c.Account, c.App, &end.Account, &end.Client); err != nil {
		return err
	}
	if c.Account != "" && c.App != "" {
		return nil
	}
	what, word := "ending all connections and sessions of the account "+printable(c.Account), c.Account
	if c.App != "" {
		what, word = "ending all connections of the app "+printable(c.App), c.App
	}
	return sh.confirm(c.Yes, word, what)
}
