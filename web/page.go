package web

import (
	"html/template"
	"net/url"
	"strings"
	"unicode"

	"github.com/symbolon/symbolon"
)

// Page is what Pages.Render makes a page of: a struct of this package, drawn by
// the template of pages/ that it names.
type Page interface {
	// template is the file name in pages/, without ".html".
	template() string
	// headers says what the page's forms and its window may do.
	headers() pageHeaders
}

// pageHeaders is what differs between the headers of pages; all else is alike.
type pageHeaders struct {
	// Leads is set where posting a form of the page may lead, by redirects, to
	// an app: form-action is then left out, since Chromium applies it to the
	// whole chain (docs/decisions/0005-form-action.md).
	Leads bool
	// Flow is set where the page is part of connecting an app, which may have
	// opened it in a popup and awaits word from it: its opener is then kept.
	Flow bool
	// Scripts is set where the page has a script, which is one of static/.
	Scripts bool
	// Streams is set where a script of the page reads a stream of ours.
	Streams bool
	// English is set for pages that are for developers, and in English alone.
	English bool
	// Once is set where drawing the page a second time would not show the same.
	Once bool
}

// AppView is an app as a page shows it. Every field may be hostile.
type AppView struct {
	ID   string
	Name string
	// Home is the absolute URL of the site of the app's owner, or empty. It
	// becomes a link only if it is https, or http on this computer.
	Home string
	// HomeHost is the host of Home, for people to read.
	HomeHost string
}

// NewAppView returns what a page shows of an app. The site that an app names which
// registered itself is left out, unless it is where the app's document lies: it
// would stand there as if someone had checked it.
func NewAppView(app *symbolon.App) AppView {
	v := AppView{ID: string(app.ID), Name: app.Name}
	u, err := url.Parse(app.Home)
	if err != nil || u.Host == "" || app.Settings.Registration != nil && u.Host != documentHost(app) {
		return v
	}
	v.Home, v.HomeHost = app.Home, u.Host
	return v
}

// documentHost returns the host of an app's client ID metadata document, or "".
func documentHost(app *symbolon.App) string {
	if r := app.Settings.Registration; r != nil && r.Document {
		if u, err := url.Parse(r.ClientID); err == nil {
			return u.Host
		}
	}
	return ""
}

// UnverifiedView is what a page shows of an app that registered itself. Every
// field may be hostile.
type UnverifiedView struct {
	// Host is where its client ID metadata document lies, or empty.
	Host string
	// Local says that it can be reached on the person's own computer only.
	Local bool
	// Policy and Terms are https URLs that it names, or empty. They become links
	// that show their hosts. Its logo is never shown: it would be fetched from
	// elsewhere, and could be anyone's.
	Policy, Terms         string
	PolicyHost, TermsHost string
}

// NewUnverifiedView returns what a page shows of an app that registered itself, or
// nil for another.
func NewUnverifiedView(app *symbolon.App) *UnverifiedView {
	r := app.Settings.Registration
	if r == nil {
		return nil
	}
	v := &UnverifiedView{Host: documentHost(app), Local: true}
	for _, uri := range app.RedirectURIs {
		if u, err := url.Parse(uri); err != nil || !isLoopback(u.Hostname()) {
			v.Local = false
		}
	}
	if u, err := url.Parse(r.PolicyURI); err == nil && u.Host != "" {
		v.Policy, v.PolicyHost = r.PolicyURI, u.Host
	}
	if u, err := url.Parse(r.TermsURI); err == nil && u.Host != "" {
		v.Terms, v.TermsHost = r.TermsURI, u.Host
	}
	return v
}

// Initials returns one or two letters that stand for the app.
func (v AppView) Initials() string { return Initials(v.Name) }

// AccountView is an account as a page shows it. Every field may be hostile.
type AccountView struct {
	ID       string
	Name     string
	Username string
	// Initials are one or two letters that stand for the person.
	Initials string
}

// NewAccountView returns what a page shows of an account.
func NewAccountView(account *symbolon.Account) AccountView {
	v := AccountView{
		ID:       string(account.ID),
		Name:     account.Name,
		Username: account.Username,
		Initials: Initials(account.Name),
	}
	if v.Initials == "" {
		v.Initials = Initials(account.Username)
	}
	return v
}

// Initials returns the first letter or digit of the first and of the last word
// of a name, in upper case; of a name of one word, one; of a name without
// letters and digits, "".
func Initials(name string) string {
	var first, last rune
	for word := range strings.FieldsSeq(name) {
		i := strings.IndexFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
		if i < 0 {
			continue
		}
		r := unicode.ToUpper([]rune(word[i:])[0])
		if first == 0 {
			first = r
		} else {
			last = r
		}
	}
	switch {
	case first == 0:
		return ""
	case last == 0:
		return string(first)
	default:
		return string([]rune{first, last})
	}
}

// ScopeView is one permission that an app asks for.
type ScopeView struct {
	Name        string
	Description string
	// Local has the descriptions in other languages, by their tags; it may be nil.
	Local map[string]string
	// New is set when the app asks for it for the first time (see
	// ConsentPage.Growth).
	New bool
}

// SignInPage asks who the person is. It posts to /sign-in: username, password
// and flow, with action "cancel" when the person gives up, or sandbox, the id of
// a sandbox account, instead of username and password.
type SignInPage struct {
	// App is the app on whose behalf the person came, or nil.
	App *AppView
	// Username is filled in: what was typed before, or a login_hint.
	Username string
	// Error is the key of a sentence that says why the last attempt was refused, or
	// empty.
	Error string
	// Wait is how many seconds until the next attempt is heard, or 0.
	Wait int
	// Flow is the sealed state, posted back as it is.
	Flow string
	// Sandbox are the accounts that need no password.
	Sandbox []AccountView
	// Others says that other accounts are signed in in this browser: the page
	// offers to choose among them (action "choose").
	Others bool
	// Passkey is what a script asks the browser for, or empty where there are none.
	// What it got is posted as passkey, with action "passkey".
	Passkey string
	// NoPassword says that nobody signs in by a password here; Forgot that one that was
	// forgotten can be reset by mail.
	NoPassword, Forgot bool
	// Aways are other sites by which people sign in.
	Aways []AwayView
}

func (*SignInPage) template() string { return "sign-in" }
func (p *SignInPage) headers() pageHeaders {
	return pageHeaders{Leads: p.App != nil || len(p.Aways) > 0, Flow: p.App != nil, Scripts: p.Passkey != ""}
}

// CodePage asks for a code of an authenticator app, or a recovery code: behind the
// password or, with Raise, of a person who is signed in. It posts to /sign-in/code:
// flow and code, or action, which is "cancel" or, where it is Optional, "decline".
type CodePage struct {
	Account AccountView
	// App is the app for which more is asked, or nil.
	App *AppView
	// Raise says that the person is signed in; Optional that they may go on as they
	// are.
	Raise, Optional bool
	// Code says that there is an authenticator app.
	Code bool
	// Error and Wait are as those of SignInPage.
	Error string
	Wait  int
	Flow  string
	// Leads is set where it may lead to an app.
	Leads bool
	// Passkey is as in SignInPage: one of this account's will do.
	Passkey string
}

func (*CodePage) template() string { return "code" }
func (p *CodePage) headers() pageHeaders {
	return pageHeaders{Leads: p.Leads, Flow: p.Leads, Scripts: p.Passkey != ""}
}

// SecurityPage shows what an account signs in with beside the password. It posts to
// /account/security: flow, and action, which is "app" (set up an authenticator app),
// "app-off", "recovery" (new recovery codes), "more" (prove more first); "passkey" with
// name and passkey, which a script made; "rename" and "remove" with id and name.
type SecurityPage struct {
	Visit   VisitView
	Account AccountView
	// AppSince is the day (2026-05-03) on which the authenticator app was set up, or empty.
	AppSince string
	// Recovery is how many recovery codes are left.
	Recovery int
	Passkeys []PasskeyView
	// Possible says that browsers have passkeys for this server; More that the person
	// has to prove more before one is made, and Offer is else what a script asks for.
	Possible, More bool
	Offer          string
	Flow           string
	// NoPassword says that the account does not sign in by a password.
	NoPassword bool
	// Identities are what others call the person, and Links those with which the account
	// can be linked: action "unlink" with id, and "link" with by.
	Identities []IdentityView
	Links      []AwayView
}

func (*SecurityPage) template() string { return "security" }
func (p *SecurityPage) headers() pageHeaders {
	return pageHeaders{Scripts: p.Offer != "", Leads: len(p.Links) > 0}
}

// PasskeyView is a passkey as a page shows it. Its name may be hostile.
type PasskeyView struct {
	ID, Name string
	// Added and Used are days (2026-05-03); Used is empty for one that was never used.
	Added, Used string
	// Copied says that it is kept on several devices.
	Copied bool
}

// SetupPage shows the secret of an authenticator app that is being set up. It posts to
// /account/security: flow and code, with action "confirm".
type SetupPage struct {
	Account AccountView
	// Secret is in groups, to be typed; Link is the same as a link.
	Secret, Link string
	// QRSize and QRPath draw the link.
	QRSize int
	QRPath string
	Error  string
	Flow   string
}

// QRRoom is the side of the code with the white around it.
func (p *SetupPage) QRRoom() int { return p.QRSize + 8 }

// Open is Link as a link, whose scheme html/template would not let through.
func (p *SetupPage) Open() template.URL { return template.URL(p.Link) }

func (*SetupPage) template() string     { return "setup" }
func (*SetupPage) headers() pageHeaders { return pageHeaders{} }

// RecoveryPage shows recovery codes, this once.
type RecoveryPage struct {
	Account AccountView
	Codes   []string
}

func (*RecoveryPage) template() string     { return "recovery" }
func (*RecoveryPage) headers() pageHeaders { return pageHeaders{Once: true} }

// ChoosePage asks which account to connect. It posts to /choose: flow, and
// account, which is an id or "other"; or action "cancel".
type ChoosePage struct {
	App      AppView
	Accounts []AccountView
	Flow     string
}

func (*ChoosePage) template() string     { return "choose" }
func (*ChoosePage) headers() pageHeaders { return pageHeaders{Leads: true, Flow: true} }

// ConsentPage asks whether an app may act for an account. It posts to /consent:
// flow, and action, which is "allow", "deny" or "other" (another account).
type ConsentPage struct {
	App     AppView
	Account AccountView
	Scopes  []ScopeView
	// Details says in sentences what else the app asks for, this once.
	Details []string
	// APIs are those that the app's tokens are for, when it says which.
	APIs []string
	// RedirectHost is the host, or the scheme of an app's own, to which the
	// person is sent afterwards; RedirectURI is the whole URI.
	RedirectHost string
	RedirectURI  string
	// Loopback says that this is an app on the person's own computer, whose
	// name no one can vouch for: the page warns of it.
	Loopback bool
	// Unverified is set for an app that registered itself.
	Unverified *UnverifiedView
	// Device is the code that a device shows, which is connected instead of an
	// app that the person comes from; empty otherwise. The page asks to compare
	// it, and there is no way back.
	Device string
	Flow   string
	// Growth says that the person has allowed the app before and it now asks
	// for more: the scopes marked New.
	Growth bool
}

func (*ConsentPage) template() string     { return "consent" }
func (*ConsentPage) headers() pageHeaders { return pageHeaders{Leads: true, Flow: true} }

// DeniedPage says that something was refused where no app can be told: a page
// that belongs to another browser, that has expired, that was left.
type DeniedPage struct {
	// Title is the key of a sentence that says what happened, in a few words; empty for
	// the general one.
	Title string
	// Reason is the key of a sentence or two for the person.
	Reason string
	// Retry is where to start again, a path of this server or an https URL,
	// or empty.
	Retry string
}

func (*DeniedPage) template() string     { return "denied" }
func (*DeniedPage) headers() pageHeaders { return pageHeaders{Flow: true} }

// ErrorPage says in plain words what is wrong, who can mend it and how.
type ErrorPage struct {
	// Status is that of the answer.
	Status int
	// Code is the RFC's code, such as "invalid_request".
	Code string
	// Title is the key of what is wrong in a few words. Description is the sentence that
	// developers get, in English.
	Title       string
	Description string
	// WhoMends is the key of a heading that says who can mend it; How that of a sentence
	// that says what to do.
	WhoMends string
	How      string
	// Mismatch is set when the redirect URI is none of those registered.
	Mismatch *Mismatch
	// RequestID finds the request in the log.
	RequestID string
	// DocsURL explains Code, or is empty.
	DocsURL string
}

func (*ErrorPage) template() string     { return "error" }
func (*ErrorPage) headers() pageHeaders { return pageHeaders{Flow: true} }

// SignOutPage asks which accounts to sign out of this browser. It posts to
// /sign-out: account, which is an id or "all". With no accounts it says that
// no one is signed in.
type SignOutPage struct {
	Accounts []AccountView
	// Asked is set when a link brought the person, to sign out; App is the app that
	// the link names, or nil.
	Asked bool
	App   *AppView
	// Wrong says what is wrong with the link, or is empty.
	Wrong string
	// BackHost is the host, or the scheme of an app's own, to which the person is
	// sent afterwards; empty when they stay.
	BackHost string
	// Flow is a sealed value that binds the form to the browser, posted back as
	// it is; left out when empty.
	Flow string
}

func (*SignOutPage) template() string       { return "sign-out" }
func (p *SignOutPage) headers() pageHeaders { return pageHeaders{Leads: p.BackHost != ""} }

// SignedOutPage says that it is done.
type SignedOutPage struct {
	// Others says that other accounts are still signed in in this browser.
	Others bool
	// Wrong says what is wrong with the link that brought the person, or is empty.
	Wrong string
	// Back is where the app wants the person back, when they are to see that first,
	// and BackHost is its host, or its scheme.
	Back, BackHost string
}

func (*SignedOutPage) template() string     { return "signed-out" }
func (*SignedOutPage) headers() pageHeaders { return pageHeaders{} }
