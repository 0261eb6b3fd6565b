package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// profileFlags are what apps may be told of a person beside the name. Each that is
// not given leaves the account as it is; an empty one takes away.
type profileFlags struct {
	Profile       *string `placeholder:"FILE" help:"All of it at once, in place of what there is: a JSON object by the names of OpenID Connect's standard claims, such as {\"given_name\":\"Jane\",\"address\":{\"country\":\"CZ\"}}; empty for none. The other flags change what it says."`
	GivenName     *string `placeholder:"NAME" help:"First name."`
	FamilyName    *string `placeholder:"NAME" help:"Last name."`
	Email         *string `placeholder:"ADDRESS" help:"Email address. A new one is not verified unless --email-verified is given as well."`
	EmailVerified *bool   `negatable:"" help:"The address is known to be the person's."`
	Phone         *string `placeholder:"NUMBER" help:"Telephone number, best as +420555012345. A new one is not verified unless --phone-verified is given as well."`
	PhoneVerified *bool   `negatable:"" help:"The number is known to be the person's."`
	Locale        *string `placeholder:"TAG" help:"Language, such as en-GB."`
	Zone          *string `name:"zoneinfo" placeholder:"ZONE" help:"Time zone, such as Europe/Prague."`
	Picture       *string `placeholder:"URL" help:"Picture of the person."`
}

// apply makes the changes that were named, and reports whether there were any.
func (c *profileFlags) apply(p *symbolon.Profile) (changed bool, err error) {
	if c.Profile != nil {
		if *p, err = readProfile(*c.Profile); err != nil {
			return false, err
		}
		changed = true
	}
	if c.Email != nil && *c.Email != p.Email {
		p.EmailVerified = false
	}
	if c.Phone != nil && *c.Phone != p.Phone {
		p.PhoneVerified = false
	}
	set(&p.GivenName, c.GivenName, &changed)
	set(&p.FamilyName, c.FamilyName, &changed)
	set(&p.Email, c.Email, &changed)
	set(&p.EmailVerified, c.EmailVerified, &changed)
	set(&p.Phone, c.Phone, &changed)
	set(&p.PhoneVerified, c.PhoneVerified, &changed)
	set(&p.Locale, c.Locale, &changed)
	set(&p.Zone, c.Zone, &changed)
	set(&p.Picture, c.Picture, &changed)
	return changed, admin.CheckProfile(p)
}

func set[T any](field *T, flag *T, changed *bool) {
	if flag != nil {
		*field, *changed = *flag, true
	}
}

// maxProfile bounds the file of a profile, in bytes.
const maxProfile = 64 << 10

// readProfile reads the file of a profile.
func readProfile(path string) (symbolon.Profile, error) {
	var p symbolon.Profile
	if path == "" {
		return p, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, mend(fmt.Errorf("there is no file %s", path), "--profile names a file with a JSON object, such as {\"given_name\":\"Jane\"}")
	}
	if err != nil {
		return p, fmt.Errorf("the profile cannot be read: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxProfile+1))
	if err != nil || len(text) > maxProfile {
		return p, fmt.Errorf("the profile cannot be read, or is longer than %d KiB", maxProfile>>10)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || decoder.More() {
		return symbolon.Profile{}, mend(fmt.Errorf("%s is not a JSON object of standard claims: %v", path, err), "their names are those that “symbolon account show --json” prints under profile, and those of OpenID Connect Core, section 5.1")
	}
	p.UpdatedAt = time.Time{} // the server keeps it
	return p, nil
}

// profileRows are what is known of a person, for people.
func profileRows(p *symbolon.Profile) [][]string {
	var rows [][]string
	add := func(name, value, more string) {
		if value != "" {
			rows = append(rows, []string{name, value + more})
		}
	}
	verified := func(is bool) string {
		if is {
			return " (verified)"
		}
		return ""
	}
	add("given name", p.GivenName, "")
	add("family name", p.FamilyName, "")
	add("email", p.Email, verified(p.EmailVerified))
	add("phone", p.Phone, verified(p.PhoneVerified))
	add("locale", p.Locale, "")
	add("zoneinfo", p.Zone, "")
	add("picture", p.Picture, "")
	if a := p.Address; a != nil {
		add("address", strings.ReplaceAll(a.Formatted, "\n", ", "), "")
		add("country", a.Country, "")
	}
	return rows
}

// accountEditCmd changes what apps are told of a person.
type accountEditCmd struct {
	accountArg
	Name     *string `help:"What apps and pages show."`
	Operator *bool   `negatable:"" help:"The person may manage every app, account and connection in the console, or no longer."`
	profileFlags
	RemoveSecondFactors bool `help:"Forget the authenticator app, the recovery codes and the passkeys, for a person who has lost them: the password alone signs in again. Make sure that it is the person who asks."`
	JSON                bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (accountEditCmd) Help() string {
	return "Sessions and connections go on. Apps see the change when they next ask.\n\nExample:\n\n    symbolon account edit jane --email jane@example.com --email-verified"
}

// Run implements the command.
func (c *accountEditCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		account, err := d.account(sh, c.Account)
		if err != nil {
			return err
		}
		changed, err := c.profileFlags.apply(&account.Profile)
		if err != nil {
			return err
		}
		if c.Name != nil {
			if err := admin.CheckName("name of the account", *c.Name); err != nil {
				return err
			}
			account.Name, changed = *c.Name, true
		}
		right := false
		set(&account.Operator, c.Operator, &right)
		if !changed && !right && !c.RemoveSecondFactors {
			return mend(fmt.Errorf("nothing to change was named"), "for instance --name or --email")
		}
		if c.RemoveSecondFactors {
			account.Factors = symbolon.Factors{}
		}
		if changed {
			account.Profile.UpdatedAt = d.clock.Now()
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
