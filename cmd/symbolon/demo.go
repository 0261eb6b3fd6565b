package main

import (
	"fmt"
	"net"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/web"
)

// demoCmd runs a server for trying out.
type demoCmd struct {
	Data     string `setting:"data" default:".demo" placeholder:"DIR" help:"Directory with the database, made when it is missing (${default})."`
	Database string `setting:"database" placeholder:"URL" help:"PostgreSQL database in place of the one in the data directory: postgres://user:password@host/name."`
	Config   string `setting:"config" placeholder:"FILE" help:"Read settings from this TOML file. Otherwise from symbolon.toml in the data directory, if it is there."`
	Listen   string `setting:"listen" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address and port to listen on, of this computer (${default}). Port 0 takes a free one."`
	JSON     bool   `name:"json" help:"Print one line of JSON once it answers requests, and nothing else."`
	appearanceSettings
	watchSettings
	logSettings
}

// Help implements kong.HelpProvider.
func (demoCmd) Help() string {
	return `Three people and one app are there from the start, and stay over restarts. Anyone may sign in as them, so the demo listens on this computer only.

Example:

    symbolon demo --listen 127.0.0.1:8080`
}

// welcome is what a demo says once it answers requests, as --json prints it.
type welcome struct {
	BaseURL      string           `json:"base_url"`
	ClientID     string           `json:"client_id"`
	ClientSecret string           `json:"client_secret"`
	RedirectURIs []string         `json:"redirect_uris"`
	Accounts     []welcomeAccount `json:"accounts"`
}

// welcomeAccount is a sandbox account with its password, which is empty when
// someone has changed it.
type welcomeAccount struct {
	Username string `json:"username"`
	Password string `json:"password"`
	User     string `json:"user"`
	ID       string `json:"id"`
}

// sandboxScopes are the scopes of the demo.
var sandboxScopes = []symbolon.Scope{
	{Name: symbolon.ScopeConnect, Description: "allows connection to resources"},
	{Name: "home", Description: "see your home page"},
}

// sandboxDetails are the types of authorization_details of the demo.
var sandboxDetails = []oauth.DetailType{{
	Type:     "payment",
	Sentence: "pay {amount.value} {amount.currency} to {creditor}",
	Fields:   []string{"amount", "creditor"},
	Required: []string{"amount", "creditor"},
}}

// Run implements the command.
func (c *demoCmd) Run(sh *shell) error {
	host, _, err := splitListen(c.Listen)
	if err != nil {
		return err
	}
	if host != "127.0.0.1" && host != "::1" && host != "localhost" {
		return mend(fmt.Errorf("the demo lets anyone sign in, so it listens on this computer only, not on %q", c.Listen), "write --listen 127.0.0.1:8080, or run “symbolon serve”")
	}
	if err := c.watchSettings.check(false); err != nil {
		return err
	}
	if err := c.logSettings.check(); err != nil {
		return err
	}
	look, err := c.appearanceSettings.read()
	if err != nil {
		return err
	}
	_, quiet := terminal(sh.stderr)
	lines := web.NewLines(sh.stderr)
	defer lines.Close()
	box := &sandbox{host: host, mails: lines}
	s := &server{
		settings: settings{
			place: place{Data: c.Data, Database: c.Database, DatabaseNotify: "on"}, Listen: c.Listen, ConsoleApps: string(admin.ByAnyone), standardSettings: demoStandard, lifetimes: demoLifetimes, appearanceSettings: c.appearanceSettings, watchSettings: c.watchSettings, logSettings: c.logSettings,
		},
		checked: checked{listen: c.Listen, scopes: withOpenID(sandboxScopes), look: look, registrationScopes: demoRegistrationScopes},
		sandbox: box,
		env:     sh.env,
		log:     c.logs(lines, quiet),
	}
	s.ready = func(address net.Addr) error {
		w := box.welcome("http://" + address.String())
		if c.JSON {
			return sh.printJSON(w)
		}
		return w.print(sh, c.Data)
	}
	return s.run(sh.ctx)
}

// demoStandard lets whatever is tried against a demo register itself.
var demoStandard = standardSettings{DPoPNonces: "off", ClientDocuments: true, Registration: true, RegistrationScopes: demoRegistrationScopes.String()}

var demoRegistrationScopes = symbolon.Scopes{symbolon.ScopeConnect, "home"}

// demoLifetimes are the defaults of serve.
var demoLifetimes = lifetimes{
	CodeLifetime:    span(time.Minute),
	AccessLifetime:  span(10 * time.Minute),
	RefreshLifetime: span(180 * 24 * time.Hour),
	PublicGrace:     span(30 * time.Second),
	SessionLifetime: span(7 * 24 * time.Hour),
}

func (b *sandbox) welcome(base string) *welcome {
	w := &welcome{
		BaseURL:      base,
		ClientID:     string(b.app.ID),
		ClientSecret: b.secret,
		RedirectURIs: b.app.RedirectURIs,
	}
	for _, p := range b.people {
		w.Accounts = append(w.Accounts, welcomeAccount{Username: p.account.Username, Password: p.password, User: p.account.Name, ID: string(p.account.ID)})
	}
	return w
}
