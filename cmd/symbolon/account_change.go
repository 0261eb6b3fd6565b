package main

import (
	"fmt"
	"time"

	"github.com/symbolon/symbolon"
)

// ended is what is over when an account was ended.
const ended = "Its sessions and connections are over, on every server."

// accountSetPasswordCmd sets the password of an account.
type accountSetPasswordCmd struct {
	accountArg
	passwordFlags
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountSetPasswordCmd) Help() string {
	return "Whoever knew the old password may have signed in and connected apps, so all of the account's sessions and connections end.\n\nExample:\n\n    symbolon account set-password jane"
}

// Run implements the command.
func (c *accountSetPasswordCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		account, err := d.account(sh, c.Account)
		if err != nil {
			return err
		}
		if account.Password, err = c.hash(sh); err != nil {
			return err
		}
		account.NotBefore = d.clock.Now()
		said := "The password is set. "
		if account.Password == "" {
			said = "The account can no longer sign in by password. "
		}
		return c.put(sh, d, account, true, c.JSON, said+ended)
	})
}

// put stores a changed account, ends everything of it if that is meant, and says
// so.
func (accountArg) put(sh *shell, d *desk, account symbolon.Account, ends, asJSON bool, said string) error {
	if err := d.store.PutAccount(sh.ctx, account); err != nil {
		return err
	}
	if ends {
		if _, err := d.end(sh.ctx, symbolon.End{Account: account.ID, Reason: symbolon.ByOperator}); err != nil {
			return err
		}
	}
	d.settle(sh.ctx)
	if asJSON {
		return sh.printJSON(viewAccount(&account))
	}
	fmt.Fprintln(sh.stdout, said)
	return nil
}

// accountDisableCmd locks an account.
type accountDisableCmd struct {
	accountArg
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountDisableCmd) Help() string { return "Example:\n\n    symbolon account disable jane" }

// Run implements the command.
func (c *accountDisableCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		account, err := d.account(sh, c.Account)
		if err != nil {
			return err
		}
		if !account.Enabled() {
			return fmt.Errorf("the account %s is disabled already, since %s", account.Username, when(account.DisabledAt))
		}
		now := d.clock.Now()
		// NotBefore as well: enabling it again must not revive what was ended.
		account.DisabledAt, account.NotBefore = now, now
		return c.put(sh, d, account, true, c.JSON, "The account is disabled. "+ended)
	})
}

// accountEnableCmd unlocks an account.
type accountEnableCmd struct {
	accountArg
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountEnableCmd) Help() string {
	return "The person can sign in again. What was ended stays ended: apps are connected anew.\n\nExample:\n\n    symbolon account enable jane"
}

// Run implements the command.
func (c *accountEnableCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		account, err := d.account(sh, c.Account)
		if err != nil {
			return err
		}
		if account.Enabled() {
			return fmt.Errorf("the account %s is not disabled", account.Username)
		}
		account.DisabledAt = time.Time{}
		return c.put(sh, d, account, false, c.JSON, "The account is enabled. Apps must be connected anew.")
	})
}

// accountDeleteCmd deletes an account.
type accountDeleteCmd struct {
	accountArg
	Yes  bool `help:"Do not ask."`
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountDeleteCmd) Help() string { return "Example:\n\n    symbolon account delete jane --yes" }

// Run implements the command.
func (c *accountDeleteCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		account, err := d.account(sh, c.Account)
		if err != nil {
			return err
		}
		if err := sh.confirm(c.Yes, account.Username, fmt.Sprintf("deleting the account %s (%s)", account.Username, printable(account.Name))); err != nil {
			return err
		}
		end := symbolon.End{Account: account.ID, Delete: true, Reason: symbolon.ByOperator}
		if _, err := d.end(sh.ctx, end); err != nil {
			return err
		}
		d.settle(sh.ctx)
		if c.JSON {
			return sh.printJSON(map[string]any{"id": account.ID, "deleted": true})
		}
		fmt.Fprintln(sh.stdout, "The account is deleted. "+ended)
		return nil
	})
}
