package main

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/admin"
	letters "github.com/symbolon/symbolon/mail"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/upstream"
	"github.com/symbolon/symbolon/web"
)

// waysSettings are how people sign in.
type waysSettings struct {
	// SignIn are the ways that are offered, of those that are set up.
	SignIn []string `setting:"sign_in" name:"sign-in" group:"ways" default:"password,passkey,upstream,handoff" placeholder:"WAY,…" help:"The ways to sign in that are offered, of password, passkey, upstream and handoff (${default}). The last two need the tables below."`
	// Upstreams are other OpenID Connect servers.
	Upstreams []upstreamSetting `setting:"upstreams" name:"upstream" sep:"none" group:"ways" placeholder:"JSON" help:"Another OpenID Connect server by which people sign in. Better in the file, as tables [[upstreams]] with name, title, issuer, client_id, client_secret_file, scopes, create_accounts, and email_domains."`
	// Handoff is the owner's own site.
	Handoff handoffSetting `setting:"handoff" group:"ways" placeholder:"JSON" help:"Your own site, which signs who its visitors are. Better in the file, as a table [handoff] with title, url, issuer, keys (a file) or keys_uri, and create_accounts."`
	// SMTPURL is where mails are handed on. Without it there are none.
	SMTPURL          string `setting:"smtp_url" name:"smtp-url" group:"ways" placeholder:"URL" help:"Where mails are handed on: smtp://user@host:587, or smtps://user@host:465. Without it, nobody can reset a password by mail."`
	SMTPPasswordFile string `setting:"smtp_password_file" name:"smtp-password-file" group:"ways" placeholder:"FILE" help:"File with the password for that, instead of SYMBOLON_SMTP_PASSWORD."`
	MailFrom         string `setting:"mail_from" name:"mail-from" group:"ways" placeholder:"ADDRESS" help:"Who mails are from: \"Weather Mill <no-reply@example.com>\"."`
}

// upstreamSetting is another OpenID Connect server, as a table of the configuration
// file.
type upstreamSetting struct {
	Name           string   `json:"name"`
	Title          string   `json:"title,omitempty"` // the name when it is empty
	Issuer         string   `json:"issuer"`
	ClientID       string   `json:"client_id"`
	SecretFile     string   `json:"client_secret_file,omitempty"`
	Scopes         []string `json:"scopes,omitempty"` // profile and email when it is empty
	CreateAccounts bool     `json:"create_accounts,omitempty"`
	EmailDomains   []string `json:"email_domains,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *upstreamSetting) UnmarshalJSON(text []byte) error {
	type plain upstreamSetting
	return readTable(text, (*plain)(s), "name", "title", "issuer", "client_id", "client_secret_file", "scopes", "create_accounts", "email_domains")
}

// UnmarshalText implements encoding.TextUnmarshaler, for the flag.
func (s *upstreamSetting) UnmarshalText(text []byte) error { return s.UnmarshalJSON(text) }

func (s upstreamSetting) String() string { return fmt.Sprintf("%s=%s", s.Name, s.Issuer) }

// handoffSetting is the owner's own site, as a table of the configuration file. It is
// not set when it has no URL.
type handoffSetting struct {
	Title          string `json:"title,omitempty"` // the host of url when it is empty
	URL            string `json:"url"`
	Issuer         string `json:"issuer"`
	Keys           string `json:"keys,omitempty"` // a file with a JWK Set
	KeysURI        string `json:"keys_uri,omitempty"`
	CreateAccounts *bool  `json:"create_accounts,omitempty"` // true when it is left out
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *handoffSetting) UnmarshalJSON(text []byte) error {
	type plain handoffSetting
	return readTable(text, (*plain)(s), "title", "url", "issuer", "keys", "keys_uri", "create_accounts")
}

// UnmarshalText implements encoding.TextUnmarshaler, for the flag.
func (s *handoffSetting) UnmarshalText(text []byte) error { return s.UnmarshalJSON(text) }

func (s handoffSetting) String() string { return s.URL }

// ways are the settings of signing in, checked.
type ways struct {
	password, passkey bool
	upstreams         []upstream.Config // without Redirect
	handoff           *oauth.TrustedIssuer
	site              *web.HandoffSite
	relay             *letters.Where
}

var upstreamName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// checkWays checks how people sign in.
func (s *settings) checkWays(c *checked, note func(error)) {
	has := make(map[string]bool)
	for _, way := range s.SignIn {
		if !slices.Contains([]string{"password", "passkey", "upstream", "handoff"}, way) {
			note(mend(fmt.Errorf("sign_in: there is no way %q", printable(way)), "the ways are password, passkey, upstream and handoff"))
		}
		has[way] = true
	}
	w := &c.ways
	w.password, w.passkey = has["password"], has["passkey"]
	names, issuers := make(map[string]bool), make(map[string]bool)
	for _, one := range s.Upstreams {
		u, err := one.check()
		switch {
		case err != nil:
		case names[one.Name]:
			err = fmt.Errorf("upstreams: %s is there twice", one.Name)
		case issuers[one.Issuer]:
			err = mend(fmt.Errorf("upstreams: the issuer %s is there twice", printable(one.Issuer)), "one person would be two accounts apart by chance; keep one of them")
		case one.Issuer == s.BaseURL:
			err = fmt.Errorf("upstreams: %s is this server itself", one.Issuer)
		}
		names[one.Name], issuers[one.Issuer] = true, true
		if note(err); err == nil && has["upstream"] {
			w.upstreams = append(w.upstreams, u)
		}
	}
	if s.Handoff != (handoffSetting{}) {
		keys, site, err := s.Handoff.check()
		if err == nil && issuers[s.Handoff.Issuer] {
			err = fmt.Errorf("handoff: its issuer is that of one of upstreams as well")
		}
		if note(err); err == nil && has["handoff"] {
			w.handoff, w.site = keys, site
		}
	}
	if !w.password && !w.passkey && len(w.upstreams) == 0 && w.handoff == nil {
		note(mend(fmt.Errorf("sign_in leaves no way in"), "add password, or set up the way that is named"))
	}
	note(s.checkMail(w))
}

func (s *settings) checkMail(w *ways) error {
	if s.SMTPURL == "" {
		if s.MailFrom != "" || s.SMTPPasswordFile != "" {
			return mend(fmt.Errorf("mail_from or smtp_password_file is set, and smtp_url is not: no mail is sent"), "set smtp_url = \"smtp://user@host:587\", or take the others out")
		}
		return nil
	}
	where, err := letters.ParseURL(s.SMTPURL)
	if err != nil {
		return mend(fmt.Errorf("smtp_url: %s", detail(err)), "write it as smtp://user@host:587; the password belongs into smtp_password_file or SYMBOLON_SMTP_PASSWORD")
	}
	if _, err := mail.ParseAddress(s.MailFrom); err != nil {
		return mend(fmt.Errorf("mail_from is not an address"), "write it as --mail-from \"Weather Mill <no-reply@example.com>\"")
	}
	w.relay = &where
	return nil
}

// relayOf makes what hands mails on.
func (s *settings) relayOf(where letters.Where, env lookup) (*letters.Relay, error) {
	password, _ := env("SYMBOLON_SMTP_PASSWORD")
	if s.SMTPPasswordFile != "" {
		text, err := readSecret(s.SMTPPasswordFile)
		if err != nil {
			return nil, mend(fmt.Errorf("smtp_password_file: %w", err), "it is a file that the user that runs the server can read")
		}
		password = text
	}
	if where.Username != "" && password == "" {
		return nil, mend(fmt.Errorf("smtp_url names a user, and there is no password"), "put it into a file and name that with smtp_password_file, or into SYMBOLON_SMTP_PASSWORD")
	}
	return letters.NewRelay(where, password, s.MailFrom)
}

// readSecret reads a file with one secret in it.
func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || len(secret) > 4096 || strings.ContainsAny(secret, "\r\n") {
		return "", errors.New(path + " does not hold one line with a secret")
	}
	return secret, nil
}

// checkSite reports whether a URL may be that of another site that people are sent to:
// https, or http on this computer.
func checkSite(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%q is not an absolute URL", printable(text))
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return fmt.Errorf("%q is not https", printable(text))
	}
	return nil
}

func (s *upstreamSetting) check() (upstream.Config, error) {
	u := upstream.Config{Name: s.Name, Title: s.Title, Issuer: s.Issuer, ClientID: s.ClientID, Scopes: s.Scopes, Creates: s.CreateAccounts, EmailDomains: s.EmailDomains}
	if !upstreamName.MatchString(s.Name) || s.Name == "handoff" {
		return u, mend(fmt.Errorf("upstreams: the name %q is not one", printable(s.Name)), "each table needs name = \"google\", of small letters, digits and hyphens")
	}
	about := "upstreams: " + s.Name
	if u.Title == "" {
		u.Title = s.Name
	} else if err := admin.CheckName("title of the upstream "+s.Name, s.Title); err != nil {
		return u, err
	}
	if err := checkSite(s.Issuer); err != nil || strings.Contains(s.Issuer, "?") {
		return u, mend(fmt.Errorf("%s: its issuer %q is not an https URL", about, printable(s.Issuer)), "write it as the server itself writes it under /.well-known/openid-configuration")
	}
	if s.ClientID == "" {
		return u, mend(fmt.Errorf("%s has no client_id", about), "register this server there, with the redirect URI of --base-url and /sign-in/upstream/callback behind it")
	}
	if s.SecretFile != "" {
		secret, err := readSecret(s.SecretFile)
		if err != nil {
			return u, mend(fmt.Errorf("%s: client_secret_file: %w", about, err), "it is a file that the user that runs the server can read")
		}
		u.ClientSecret = secret
	}
	if u.Scopes == nil {
		u.Scopes = []string{"profile", "email"}
	}
	u.Scopes = slices.DeleteFunc(slices.Clone(u.Scopes), func(scope string) bool { return scope == "openid" })
	for _, domain := range s.EmailDomains {
		if domain == "" || strings.ContainsAny(domain, "@ /*") {
			return u, mend(fmt.Errorf("%s: %q in email_domains is no domain", about, printable(domain)), "write them as email_domains = [\"example.com\"]")
		}
	}
	return u, nil
}

func (s *handoffSetting) check() (*oauth.TrustedIssuer, *web.HandoffSite, error) {
	if err := checkSite(s.URL); err != nil {
		return nil, nil, mend(fmt.Errorf("handoff: its url %w", err), "it is the page of your site that signs who its visitor is: url = \"https://www.example.com/handoff\"")
	}
	trusted := issuerSetting{Issuer: s.Issuer, Keys: s.Keys, KeysURI: s.KeysURI}
	keys, err := trusted.check()
	if err != nil {
		return nil, nil, mend(errors.New(strings.Replace(err.Error(), "trusted_issuers", "handoff", 1)), "%s", hintFor(err))
	}
	site := &web.HandoffSite{Title: s.Title, URL: s.URL, Issuer: s.Issuer, Creates: s.CreateAccounts == nil || *s.CreateAccounts}
	if site.Title == "" {
		u, err := url.Parse(s.URL)
		if err != nil {
			return nil, nil, err
		}
		site.Title = u.Host
	} else if err := admin.CheckName("title of the handoff", s.Title); err != nil {
		return nil, nil, err
	}
	return &keys, site, nil
}

// takeWays has the server offer the ways to sign in.
func (s *server) takeWays(cfg *oauth.Config, options *web.Options) error {
	if s.sandbox != nil {
		options.Mail = letters.NewShown(s.sandbox.mails).Send
		return nil
	}
	w := &s.ways
	options.NoPassword, options.NoPasskeys = !w.password, !w.passkey
	cfg.Handoff, options.Handoff = w.handoff, w.site
	for _, u := range w.upstreams {
		u.Redirect = web.Callback(cfg.Issuer)
		options.Upstreams = append(options.Upstreams, upstream.New(u, s.clock.Now))
	}
	if w.relay == nil {
		return nil
	}
	relay, err := s.relayOf(*w.relay, s.env)
	if err != nil {
		return err
	}
	options.Mail = s.telling(relay, w.relay.String())
	return nil
}
