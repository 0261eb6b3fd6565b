package main

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/signin"
)

// accountCmds are the commands for accounts.
type accountCmds struct {
	Create      accountCreateCmd      `cmd:"" help:"Make an account."`
	List        accountListCmd        `cmd:"" help:"List the accounts."`
	Show        accountShowCmd        `cmd:"" help:"Show an account."`
	Edit        accountEditCmd        `cmd:"" help:"Change what apps are told of a person; what is not named stays."`
	SetPassword accountSetPasswordCmd `cmd:"" help:"Set the password of an account, and end its sessions and connections."`
	Unlink      accountUnlinkCmd      `cmd:"" help:"Take away that another server signs people in to an account, and end its sessions and connections."`
	Disable     accountDisableCmd     `cmd:"" help:"Lock an account, and end its sessions and connections."`
	Enable      accountEnableCmd      `cmd:"" help:"Unlock an account."`
	Delete      accountDeleteCmd      `cmd:"" help:"Delete an account, and end its sessions and connections."`
}

// Help implements kong.HelpProvider.
func (accountCmds) Help() string {
	return "Example:\n\n    symbolon account create --username jane --name \"Jane Doe\""
}

// accountArg names the account that a command is about.
type accountArg struct {
	place
	Account string `arg:"" help:"The account's username or id."`
}

// account returns the account with a username or an id.
func (d *desk) account(sh *shell, name string) (symbolon.Account, error) {
	if id := symbolon.AccountID(name); id.Valid() {
		accounts, err := d.store.Accounts(sh.ctx, symbolon.AccountQuery{ID: id, Limit: 1})
		if err != nil || len(accounts) == 1 {
			return first(accounts), err
		}
	}
	if username, err := signin.NormalUsername(name); err == nil {
		accounts, err := d.store.Accounts(sh.ctx, symbolon.AccountQuery{Username: username, Limit: 1})
		if err != nil || len(accounts) == 1 {
			return first(accounts), err
		}
	}
	return symbolon.Account{}, mend(fmt.Errorf("there is no account %q", printable(name)), "“symbolon account list” shows them all")
}

func first(accounts []symbolon.Account) symbolon.Account {
	if len(accounts) == 0 {
		return symbolon.Account{}
	}
	return accounts[0]
}

// accountView is an account as --json prints it. It holds no password, nor its
// hash.
type accountView struct {
	ID          string `json:"id"`
	Username    string `json:"username"`
	User        string `json:"user"`
	HasPassword bool   `json:"has_password"`
	Operator    bool   `json:"operator,omitempty"`
	Sandbox     bool   `json:"sandbox"`
	CreatedAt   stamp  `json:"created_at"`
	DisabledAt  stamp  `json:"disabled_at"`
	// Profile has the names of the standard claims (OpenID Connect Core §5.1).
	Profile symbolon.Profile `json:"profile,omitzero"`
	// Factors are "app", "recovery" and "passkey", those that there are.
	Factors []string `json:"factors,omitempty"`
	// Identities are what other servers call the person, who may sign in by them.
	Identities []identityView `json:"identities,omitempty"`
}

func viewAccount(a *symbolon.Account) accountView {
	return accountView{
		ID:          string(a.ID),
		Username:    a.Username,
		User:        a.Name,
		HasPassword: a.Password != "",
		Operator:    a.Operator,
		Sandbox:     a.Sandbox,
		CreatedAt:   stamp(a.CreatedAt),
		DisabledAt:  stamp(a.DisabledAt),
		Profile:     a.Profile,
		Factors:     a.Factors.Kinds(),
		Identities:  viewIdentities(a),
	}
}

func (v *accountView) print(sh *shell) error {
	password := "none: it cannot sign in by password"
	if v.HasPassword {
		password = "set"
	}
	factors := "none"
	if len(v.Factors) > 0 {
		factors = strings.Join(v.Factors, ", ")
	}
	rights := [][]string{}
	if v.Operator {
		rights = append(rights, []string{"operator", "yes: may manage everything"})
	}
	return sh.printTable(append(append([][]string{
		{"id", v.ID},
		{"username", v.Username},
		{"name", v.User},
		{"password", password},
		{"second factors", factors},
		{"created", whenStamp(v.CreatedAt)},
		{"disabled", whenStamp(v.DisabledAt)},
	}, rights...), append(identityRows(v.Identities), profileRows(&v.Profile)...)...))
}

// passwordFlags say where a command finds the password.
type passwordFlags struct {
	PasswordStdin bool `xor:"password" help:"Read the password from standard input instead of asking for it."`
	NoPassword    bool `xor:"password" help:"The account cannot sign in by password."`
}

// hash returns the hash of the password, or empty for none.
func (f *passwordFlags) hash(sh *shell) (string, error) {
	if f.NoPassword {
		return "", nil
	}
	password, err := f.read(sh)
	if err != nil {
		return "", err
	}
	phc, err := signin.NewHasher().Hash(sh.ctx, password)
	if err != nil {
		return "", fmt.Errorf("the password was refused: %s", detail(err))
	}
	return phc, nil
}

func (f *passwordFlags) read(sh *shell) (string, error) {
	if f.PasswordStdin {
		b, err := io.ReadAll(io.LimitReader(sh.stdin, signin.MaxPassword+3))
		if err != nil {
			return "", fmt.Errorf("the password cannot be read: %w", err)
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
	}
	password, err := sh.askSecret("Password: ")
	if err != nil {
		return "", err
	}
	again, err := sh.askSecret("The same again: ")
	if err != nil {
		return "", err
	}
	if password != again {
		return "", fmt.Errorf("nothing was done: the two passwords differ")
	}
	return password, nil
}

// askSecret reads a line at a terminal without showing it.
func (sh *shell) askSecret(prompt string) (string, error) {
	tty, ok := terminal(sh.stdin)
	if !ok {
		return "", mend(fmt.Errorf("there is no terminal to ask for the password at"), "pipe it in with --password-stdin, or give --no-password")
	}
	state, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	type answer struct {
		secret []byte
		err    error
	}
	got := make(chan answer, 1)
	fmt.Fprint(sh.stderr, prompt)
	go func() {
		secret, err := term.ReadPassword(int(tty.Fd()))
		got <- answer{secret, err}
	}()
	defer fmt.Fprintln(sh.stderr)
	select {
	case a := <-got:
		return string(a.secret), a.err
	case <-sh.ctx.Done():
		term.Restore(int(tty.Fd()), state) //nolint:errcheck // we are leaving
		return "", fmt.Errorf("nothing was done: interrupted")
	}
}
