package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// connectionCmd are the commands for connections.
type connectionCmd struct {
	List connectionListCmd `cmd:"" help:"List connections, the newest first."`
	Show connectionShowCmd `cmd:"" help:"Show a connection and how it fares."`
	End  connectionEndCmd  `cmd:"" help:"End connections."`
}

// Help implements kong.HelpProvider.
func (connectionCmd) Help() string {
	return "Example:\n\n    symbolon connection list --account jane --live"
}

// connectionView is a connection as --json prints it.
type connectionView struct {
	admin.ConnectionView
	Username string `json:"username,omitempty"`
	App      string `json:"app,omitempty"`
}

func viewConnection(c *symbolon.Connection, now time.Time) connectionView {
	return connectionView{ConnectionView: admin.ViewConnection(c, now)}
}

// connectionListCmd lists connections.
type connectionListCmd struct {
	place
	Account string `help:"Only those of this account: its username or id."`
	App     string `placeholder:"APP" help:"Only those of this app: its client_id or its name."`
	Live    bool   `help:"Leave out what has ended or is expired."`
	Limit   int    `default:"100" help:"At most so many."`
	Long    bool   `help:"Show the ids of accounts and apps, scopes and all times too. The lines are then long."`
	JSON    bool   `name:"json" help:"Print one JSON array."`
}

// Help implements kong.HelpProvider.
func (connectionListCmd) Help() string {
	return "Example:\n\n    symbolon connection list --account jane --live"
}

// Run implements the command.
func (c *connectionListCmd) Run(sh *shell) error {
	if c.Limit < 1 {
		return fmt.Errorf("--limit must be at least 1")
	}
	return c.with(sh, false, func(d *desk) error {
		now := d.clock.Now()
		q := symbolon.ConnectionQuery{Live: c.Live, Now: now, Limit: c.Limit}
		if err := d.narrow(sh, c.Account, c.App, &q.Account, &q.Client); err != nil {
			return err
		}
		list, err := d.store.Connections(sh.ctx, q)
		if err != nil {
			return err
		}
		views := []connectionView{}
		for i := range list {
			views = append(views, viewConnection(&list[i], now))
		}
		if err := d.nameEnds(sh, views); err != nil {
			return err
		}
		if c.JSON {
			return sh.printJSON(views)
		}
		if len(views) == 0 {
			fmt.Fprintln(sh.stdout, "There are no connections.")
			return nil
		}
		rows := connectionRows(views)
		if c.Long {
			rows = longConnectionRows(views)
		}
		if err := sh.printTable(rows); err != nil {
			return err
		}
		if len(views) == c.Limit {
			fmt.Fprintf(sh.stdout, "\nThere may be more: these are the newest %d. --limit shows more.\n", c.Limit)
		}
		return nil
	})
}

// nameEnds fills in the usernames and the names of the apps. Those of what was
// deleted stay empty.
func (d *desk) nameEnds(sh *shell, views []connectionView) error {
	usernames, apps := make(map[string]string), make(map[string]string)
	for i := range views {
		v := &views[i]
		if _, ok := usernames[v.Account]; !ok {
			found, err := d.store.Accounts(sh.ctx, symbolon.AccountQuery{ID: symbolon.AccountID(v.Account), Limit: 1})
			if err != nil {
				return err
			}
			usernames[v.Account] = first(found).Username
		}
		if _, ok := apps[v.ClientID]; !ok {
			found, err := d.store.Apps(sh.ctx, symbolon.AppQuery{ID: symbolon.ClientID(v.ClientID), Limit: 1})
			if err != nil {
				return err
			}
			apps[v.ClientID] = ""
			if len(found) == 1 {
				apps[v.ClientID] = found[0].Name
			}
		}
		v.Username, v.App = usernames[v.Account], apps[v.ClientID]
	}
	return nil
}

// connectionRows are connections for a terminal of 120 columns: an id has 32 characters,
// why it ended at most 22, a date 10.
func connectionRows(views []connectionView) [][]string {
	rows := [][]string{{"ID", "USERNAME", "APP", "STATE", "REFRESHED"}}
	for _, v := range views {
		state := v.State
		if v.EndedBy != "" {
			state = strings.TrimPrefix(v.EndedBy, "authorization ")
		}
		refreshed := strings.Split(whenStamp(v.RefreshedAt), " ")[0]
		rows = append(rows, []string{v.ID, shorten(orDash(v.Username), 20), shorten(orDash(v.App), 24), state, refreshed})
	}
	return rows
}

func longConnectionRows(views []connectionView) [][]string {
	rows := [][]string{{"ID", "USERNAME", "ACCOUNT", "APP", "CLIENT_ID", "SCOPE", "STATE", "CREATED", "REFRESHED", "FROM", "EXPIRES", "LABEL"}}
	for _, v := range views {
		state := v.State
		if v.EndedBy != "" {
			state += ": " + v.EndedBy
		}
		rows = append(rows, []string{v.ID, orDash(v.Username), v.Account, orDash(v.App), v.ClientID, v.Scope, state, whenStamp(v.CreatedAt), whenStamp(v.RefreshedAt), orDash(v.UsedFrom), whenStamp(v.ExpiresAt), orDash(v.Label)})
	}
	return rows
}

// shorten cuts a text to a number of characters, and shows that it did.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// narrow fills in the account and the app that were named.
func (d *desk) narrow(sh *shell, account, app string, id *symbolon.AccountID, client *symbolon.ClientID) error {
	if account != "" {
		a, err := d.account(sh, account)
		if err != nil {
			return err
		}
		*id = a.ID
	}
	if app != "" {
		a, err := d.app(sh, app)
		if err != nil {
			return err
		}
		*client = a.ID
	}
	return nil
}
