package main

import (
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/signin"
)

// accountCreateCmd makes an account.
type accountCreateCmd struct {
	place
	passwordFlags
	Username string `required:"" help:"What the person types to sign in."`
	Name     string `help:"What apps and pages show. The username, when it is left out."`
	Operator bool   `help:"The person may manage every app, account and connection in the console."`
	profileFlags
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountCreateCmd) Help() string {
	return "Example:\n\n    symbolon account create --username jane --name \"Jane Doe\""
}

// Run implements the command.
func (c *accountCreateCmd) Run(sh *shell) error {
	username, err := signin.NormalUsername(c.Username)
	if err != nil {
		return fmt.Errorf("username %q: %s", printable(c.Username), detail(err))
	}
	if c.Name == "" {
		c.Name = username
	}
	if err := admin.CheckName("name of the account", c.Name); err != nil {
		return err
	}
	var profile symbolon.Profile
	if _, err := c.profileFlags.apply(&profile); err != nil {
		return err
	}
	c.announce(sh) // before anyone types a password
	phc, err := c.hash(sh)
	if err != nil {
		return err
	}
	return c.with(sh, true, func(d *desk) error {
		taken, err := d.store.Accounts(sh.ctx, symbolon.AccountQuery{Username: username, Limit: 1})
		if err != nil {
			return err
		}
		if len(taken) > 0 {
			return mend(fmt.Errorf("the username %q is taken", username), "choose another, or change that account: symbolon account show %s", username)
		}
		account := symbolon.Account{
			ID:        symbolon.NewAccountID(),
			Username:  username,
			Name:      c.Name,
			Password:  phc,
			Sandbox:   d.sandbox,
			Operator:  c.Operator,
			CreatedAt: d.clock.Now(),
			Profile:   profile,
		}
		if profile != (symbolon.Profile{}) {
			account.Profile.UpdatedAt = account.CreatedAt
		}
		if err := d.store.PutAccount(sh.ctx, account); err != nil {
			return err
		}
		view := viewAccount(&account)
		if c.JSON {
			return sh.printJSON(view)
		}
		return view.print(sh)
	})
}

// accountListCmd lists the accounts.
type accountListCmd struct {
	place
	JSON bool `name:"json" help:"Print one JSON array."`
}

// Help implements kong.HelpProvider.
func (accountListCmd) Help() string { return "Example:\n\n    symbolon account list" }

// Run implements the command.
func (c *accountListCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		accounts, err := d.accounts(sh)
		if err != nil {
			return err
		}
		if c.JSON {
			views := []accountView{}
			for i := range accounts {
				views = append(views, viewAccount(&accounts[i]))
			}
			return sh.printJSON(views)
		}
		if len(accounts) == 0 {
			fmt.Fprintln(sh.stdout, "There are no accounts. “symbolon account create” makes one.")
			return nil
		}
		rows := [][]string{{"USERNAME", "NAME", "ID", "DISABLED"}}
		for _, a := range accounts {
			rows = append(rows, []string{a.Username, a.Name, string(a.ID), when(a.DisabledAt)})
		}
		return sh.printTable(rows)
	})
}

// accounts returns every account.
func (d *desk) accounts(sh *shell) ([]symbolon.Account, error) {
	var all []symbolon.Account
	for {
		q := symbolon.AccountQuery{Limit: page}
		if len(all) > 0 {
			q.After = all[len(all)-1].Username
		}
		some, err := d.store.Accounts(sh.ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
	}
}

// accountShowCmd shows an account.
type accountShowCmd struct {
	accountArg
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountShowCmd) Help() string { return "Example:\n\n    symbolon account show jane" }

// Run implements the command.
func (c *accountShowCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		account, err := d.account(sh, c.Account)
		if err != nil {
			return err
		}
		view := viewAccount(&account)
		if c.JSON {
			return sh.printJSON(view)
		}
		return view.print(sh)
	})
}
