package main

import (
	"fmt"
	"slices"

	"github.com/symbolon/symbolon"
)

// identityView is whom others know an account as.
type identityView struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	Name    string `json:"name,omitempty"`
	AddedAt stamp  `json:"added_at"`
}

func viewIdentities(a *symbolon.Account) []identityView {
	var list []identityView
	for _, i := range a.Identities {
		list = append(list, identityView{Issuer: i.Issuer, Subject: i.Subject, Name: i.Name, AddedAt: stamp(i.AddedAt)})
	}
	return list
}

// identityRows are whom others know an account as, for people.
func identityRows(list []identityView) [][]string {
	var rows [][]string
	for _, i := range list {
		text := fmt.Sprintf("%s at %s", printable(i.Subject), printable(i.Issuer))
		if i.Name != "" {
			text += " (" + printable(i.Name) + ")"
		}
		rows = append(rows, []string{"signs in as", text})
	}
	return rows
}

// accountUnlinkCmd takes away that an account is signed in to by another server.
type accountUnlinkCmd struct {
	accountArg
	Issuer  string `required:"" placeholder:"URL" help:"The other server, as “symbolon account show” has it."`
	Subject string `help:"Who the person is there. It may be left out when there is one only."`
	JSON    bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountUnlinkCmd) Help() string {
	return "Whoever signed in by it may have connected apps, so all of the account's sessions and connections end.\n\nExample:\n\n    symbolon account unlink jane --issuer https://accounts.google.com"
}

// Run implements the command.
func (c *accountUnlinkCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		account, err := d.account(sh, c.Account)
		if err != nil {
			return err
		}
		var of []symbolon.Identity
		for _, i := range account.Identities {
			if i.Issuer == c.Issuer && (c.Subject == "" || i.Subject == c.Subject) {
				of = append(of, i)
			}
		}
		switch {
		case len(of) == 0:
			return mend(fmt.Errorf("the account %s is not linked with that", account.Username), "“symbolon account show %s” says with what it is", account.Username)
		case len(of) > 1:
			return mend(fmt.Errorf("the account %s is linked with %d of that issuer", account.Username, len(of)), "say which, with --subject")
		}
		account.Identities = slices.DeleteFunc(slices.Clone(account.Identities), func(i symbolon.Identity) bool { return i == of[0] })
		account.NotBefore = d.clock.Now()
		return c.put(sh, d, account, true, c.JSON, "It is unlinked. "+ended)
	})
}
