package web

import (
	"cmp"

	"github.com/symbolon/symbolon/admin"
)

// ConsoleFrame is what every page of the console has.
type ConsoleFrame struct {
	// Account is who is signed in.
	Account     AccountView
	Operator    bool
	MayRegister bool
	// At is the page: apps, new, app, accounts or scopes.
	At string
}

func (*ConsoleFrame) headers() pageHeaders { return pageHeaders{} }

// ConsolePage lists apps.
type ConsolePage struct {
	ConsoleFrame
	// Search is what was looked for, and Mine says that only the person's own are shown.
	Search string
	Mine   bool
	Apps   []ConsoleAppRow
	// Next is the address of the next page, or empty; Further says that this is not the
	// first.
	Next    string
	Further bool
	// Explain says that requests are written down.
	Explain bool
}

func (*ConsolePage) template() string { return "console" }

// ConsoleAppRow is an app in a list.
type ConsoleAppRow struct {
	App AppView
	// Owner is a name, or empty.
	Owner string
	// Test says that it is in test, Registered that it registered itself.
	Test, Registered bool
}

// AppFields are the fields of a form about an app, as they were typed.
type AppFields struct {
	Name, Home string
	// RedirectURIs has one a line.
	RedirectURIs string
	// Auth is a name of RFC 7591, or client_secret.
	Auth    string
	JWKSURI string
	// KeepRefresh says that refreshing does not change the refresh token.
	// OneConnection says that each account has one connection to the app only.
	RequirePKCE, KeepRefresh, OneConnection bool
	Scopes                                  []ScopeChoice
	// New says that the app is not there yet; Public that it has no secret, which cannot
	// be changed.
	New, Public bool
}

// ScopeChoice is a scope that can be ticked.
type ScopeChoice struct {
	ScopeView
	On bool
}

// PresetView is a platform to choose. Name is empty for the one that is none.
type PresetView struct {
	ID, Name string
	Here     bool
}

// ConsoleNewPage registers an app. It posts to /console/new.
type ConsoleNewPage struct {
	ConsoleFrame
	Presets []PresetView
	Preset  string
	// Fill says that a redirect URI has a part that the developer fills in.
	Fill     bool
	Fields   AppFields
	Problems []string
	Flow     string
}

func (*ConsoleNewPage) template() string { return "console-new" }

// ConsoleSecretPage shows a secret, this once.
type ConsoleSecretPage struct {
	ConsoleFrame
	App    AppView
	Secret string
	// New says that the app was just registered, Webhook that the secret is that of its
	// webhook.
	New, Webhook            bool
	Authorize, Token, Scope string
	Back                    string
}

func (*ConsoleSecretPage) template() string { return "console-secret" }

// ConsoleAppPage shows an app. Its forms post to its own address, with action: edit,
// secret, retire, live, test, tester, untester, owner, end, end-all, webhook or delete.
// Its script shows what comes from Events.
type ConsoleAppPage struct {
	ConsoleFrame
	App      AppView
	ClientID string
	Address  string
	Problems []string
	// Owner is a name, or empty.
	Owner string
	// What is to be copied.
	Authorize, Token, Info, Issuer, Revoke, Scope string
	Profile                                       string
	Fields                                        AppFields
	// Tag is the app as it was shown.
	Tag string

	HasSecret, Public, MayAdd bool
	Secrets                   []SecretRow

	Test, Ready, Registered bool
	// Review says that an operator has to set it live.
	Review bool
	Checks []admin.Check
	// Testers may connect it in test, beside its owner.
	Testers []TesterRow

	Connections []ConnectionRow
	// Requests is the address of the app's log of requests, Events that of the stream of
	// what happens to its connections.
	Requests, Events string
	Hook             HookFields
	// Live is how many of those shown live; Further is the address of the next page.
	Live    int
	Further string
	Flow    string
}

func (*ConsoleAppPage) template() string     { return "console-app" }
func (*ConsoleAppPage) headers() pageHeaders { return pageHeaders{Scripts: true, Streams: true} }

// HookFields are the fields of the form about an app's webhook. There says that it has one.
type HookFields struct {
	There  bool
	URL    string
	Events []EventChoice
}

// EventChoice is a kind of event that can be ticked: connected, refreshed and so on.
type EventChoice struct {
	Name string
	On   bool
}

// SecretRow is a live secret. Made is a day; Used is none when it was never used.
type SecretRow struct {
	ID, Made string
	Used     Moment
}

// TesterRow is an account that may connect an app in test.
type TesterRow struct{ ID, Name string }

// ConnectionRow is a connection of an app. State is live, expired or ended.
type ConnectionRow struct {
	ID, State string
	// Account is the name of the account, empty where it is not to be known; Subject is
	// how the app knows it, and Label what the person calls the connection.
	Account, Subject, Label         string
	Made, Refreshed, Expires, Ended Moment
	// EndedBy is why, as the sentences name it, or in English.
	EndedBy string
	// From is the address of the last token or refresh request, or empty.
	From string
	// Failed is when a refresh was refused last, if none was answered since, and Failing
	// why.
	Failed   Moment
	Failing  string
	Expiring bool
}

// Who is what the row is called: by the account's name, or how the app knows it.
func (r ConnectionRow) Who() string { return cmp.Or(r.Account, r.Subject) }

// ConsoleAccountsPage lists accounts. It posts to /console/accounts: username and name.
type ConsoleAccountsPage struct {
	ConsoleFrame
	Search   string
	Problems []string
	Accounts []ConsoleAccountRow
	Next     string
	Further  bool
	Flow     string
}

func (*ConsoleAccountsPage) template() string { return "console-accounts" }

// ConsoleAccountRow is an account in a list.
type ConsoleAccountRow struct {
	Account          AccountView
	Operator, Locked bool
	Address          string
}

// ConsoleAccountPage shows an account. Its forms post to its own address, with action:
// edit, disable, enable, factors, password or delete.
type ConsoleAccountPage struct {
	ConsoleFrame
	Of       AccountView
	Problems []string
	Tag      string
	// Self says that it is the person's own, Factors that it has second ones.
	IsOperator, Locked, Self, HasPassword, Factors bool
	Made                                           string // a day
	Address                                        string
	// Live is how many of its connections live, 50 at most.
	Live int
	Apps []AppView
	Flow string
}

func (*ConsoleAccountPage) template() string { return "console-account" }

// ConsolePasswordPage shows a password, this once.
type ConsolePasswordPage struct {
	ConsoleFrame
	Of       AccountView
	Password string
	// Reset says that there was an account before.
	Reset bool
	Back  string
}

func (*ConsolePasswordPage) template() string { return "console-password" }

// ConsoleScopesPage shows the scopes and the settings in force. It posts to itself: action
// "save", name, sentence and sentence_ with a language's tag behind it, or action "remove"
// and name; both with tag.
type ConsoleScopesPage struct {
	ConsoleFrame
	Problems []string
	Scopes   []ScopeRow
	Settings []SettingRow
	// Name, Sentence and Others are what the form holds; Old is set where the scope has a
	// sentence already.
	Name, Sentence string
	Others         []LocalSentence
	Old            bool
	Tag            string
	Flow           string
}

// ScopeRow is a scope of the console. Address is of the page with its sentence in the
// form, or empty where it stands in the configuration.
type ScopeRow struct {
	ScopeView
	Address string
}

// LocalSentence is a sentence about a scope in another language than English.
type LocalSentence struct{ Lang, Language, Text string }

func (*ConsoleScopesPage) template() string { return "console-scopes" }

// SettingRow is a setting in force.
type SettingRow struct{ Name, Value string }

// consoleSamples are the pages of the console with sample data.
func consoleSamples() []Page {
	app := AppView{ID: "sym_app_sample", Name: "Weather Mill", Home: "https://weathermill.example/", HomeHost: "weathermill.example"}
	jane := AccountView{ID: "d1b03e513fbc5881651d6c149fd259506f975ae1", Name: "Jane Doe", Username: "jane", Initials: "JD"}
	owner := ConsoleFrame{Account: jane, MayRegister: true, At: "apps"}
	operator := ConsoleFrame{Account: jane, MayRegister: true, Operator: true, At: "apps"}
	at := func(f ConsoleFrame, at string) ConsoleFrame { f.At = at; return f }
	sooner, later := Moment{"2026-05-03", "10:00"}, Moment{"2026-05-04", "10:00"}
	fields := AppFields{Name: "Weather Mill", Home: "https://weathermill.example/", RedirectURIs: "https://www.make.com/oauth/cb/app", Auth: "client_secret",
		RequirePKCE: true, KeepRefresh: true, Scopes: []ScopeChoice{{ScopeView{Name: "connect", Description: "allows connection to resources"}, true}, {ScopeView: ScopeView{Name: "x"}}}}
	scopes := []ScopeRow{
		{ScopeView: ScopeView{Name: "connect", Description: "allows connection to resources"}},
		{ScopeView: ScopeView{Name: "reports.read", Description: "see your reports"}, Address: "/console/scopes?name=reports.read"},
	}
	fresh := fields
	fresh.New = true
	public, keyed := fields, fields
	public.Public, public.Auth = true, "none"
	keyed.Auth, keyed.JWKSURI = "private_key_jwt", "https://weathermill.example/jwks.json"
	presets := []PresetView{{ID: "make", Name: "Make", Here: true}, {ID: "custom"}}
	checks := []admin.Check{{Name: "home", Done: true, Required: true}, {Name: "redirect_https", Required: true}, {Name: "redirect_loopback", Required: true}, {Name: "connected", Required: true}, {Name: "secret_used", Required: true}, {Name: "profile", Done: true, Required: true}}
	hook := HookFields{There: true, URL: "https://weathermill.example/hooks", Events: []EventChoice{{"connected", true}, {"refreshed", false}, {"failing", true}, {"expiring", true}, {"ended", true}, {"replayed", true}}}
	full := ConsoleAppPage{ConsoleFrame: at(operator, "app"), App: app, ClientID: app.ID, Address: "/console/app?app=x", Owner: "Jane Doe", Authorize: "https://auth.example/oauth2/authorize", Token: "https://auth.example/oauth2/token",
		Info: "https://auth.example/info", Issuer: "https://auth.example", Revoke: "https://auth.example/oauth2/revoke", Scope: "connect", Profile: "oauth2.1", Fields: fields, Tag: "t", HasSecret: true, MayAdd: true,
		Secrets: []SecretRow{{"3f9a01bc", "2026-05-03", later}, {ID: "77aa01bc", Made: "2026-05-05"}}, Test: true, Checks: checks, Testers: []TesterRow{{jane.ID, "Jane Doe"}},
		Connections: []ConnectionRow{{ID: "01", Account: "Jane Doe", State: "live", Made: sooner, Subject: jane.ID, Label: "for the office", From: "192.0.2.7", Failed: later, Failing: "The scope is wider than what was granted.", Expiring: true, Refreshed: later, Expires: Moment{"2026-11-03", "10:00"}}, {ID: "02", Account: "John Doe", State: "ended", Made: sooner, Ended: later, EndedBy: "console.why_code_replay"}, {ID: "03", Subject: "0f8fad5bd9cb469fa165408f3c5b9a2e1d4c7b6a", State: "expired", Expires: sooner}},
		Live:        1, Requests: "/console/requests?app=x", Events: "/console/events?app=x", Hook: hook, Further: "/console/app?app=x&before=02", Flow: "sealed"}
	bare := ConsoleAppPage{ConsoleFrame: at(owner, "app"), App: app, ClientID: app.ID, Address: "/console/app?app=x", Fields: public, Public: true, Events: "/console/events?app=x", Hook: HookFields{Events: hook.Events}, Problems: []string{"The name of the app is empty."}, Flow: "sealed"}
	review := full
	review.ConsoleFrame, review.Review, review.Ready, review.Secrets, review.Fields, review.HasSecret = at(owner, "app"), true, true, nil, keyed, false
	registered := full
	registered.Registered, registered.Test = true, false
	return []Page{
		&ConsolePage{ConsoleFrame: ConsoleFrame{Account: jane, At: "apps"}}, &ConsolePage{ConsoleFrame: owner},
		&ConsolePage{ConsoleFrame: operator, Explain: true, Search: "mill", Mine: true, Further: true, Next: "/console?after=x", Apps: []ConsoleAppRow{{App: app, Owner: "Jane Doe", Test: true}, {App: app, Registered: true}}},
		&ConsolePage{ConsoleFrame: operator, Search: "mill"},
		&ConsoleNewPage{ConsoleFrame: at(owner, "new"), Presets: presets, Preset: "make", Fields: fresh, Flow: "sealed"},
		&ConsoleNewPage{ConsoleFrame: at(owner, "new"), Presets: presets, Preset: "zapier", Fill: true, Fields: fresh, Problems: []string{"An app needs a scope."}, Flow: "sealed"},
		&ConsoleSecretPage{ConsoleFrame: at(owner, "app"), App: app, Secret: "sym_secret_sample", New: true, Authorize: "https://auth.example/oauth2/authorize", Token: "https://auth.example/oauth2/token", Scope: "connect", Back: "/console/app?app=x"},
		&ConsoleSecretPage{ConsoleFrame: at(owner, "app"), App: app, Secret: "sym_secret_sample", Back: "/console/app?app=x"},
		&ConsoleSecretPage{ConsoleFrame: at(owner, "app"), App: app, Secret: "whsec_sample", Webhook: true, Back: "/console/app?app=x#webhook"},
		&full, &bare, &review, &registered,
		&ConsoleAccountsPage{ConsoleFrame: at(operator, "accounts"), Flow: "sealed"},
		&ConsoleAccountsPage{ConsoleFrame: at(operator, "accounts"), Search: "j", Further: true, Next: "/console/accounts?after=j", Problems: []string{"The username is taken."}, Accounts: []ConsoleAccountRow{{Account: jane, Operator: true, Address: "/console/account?id=x"}, {Account: jane, Locked: true, Address: "/console/account?id=x"}}, Flow: "sealed"},
		&ConsoleAccountPage{ConsoleFrame: at(operator, "accounts"), Of: jane, IsOperator: true, HasPassword: true, Factors: true, Made: "2026-05-03", Address: "/console/account?id=x", Live: 2, Apps: []AppView{app}, Flow: "sealed"},
		&ConsoleAccountPage{ConsoleFrame: at(operator, "accounts"), Of: jane, Locked: true, Made: "2026-05-03", Address: "/console/account?id=x", Problems: []string{"Type it."}, Flow: "sealed"},
		&ConsoleAccountPage{ConsoleFrame: at(operator, "accounts"), Of: jane, Self: true, Made: "2026-05-03", Address: "/console/account?id=x", Flow: "sealed"},
		&ConsolePasswordPage{ConsoleFrame: at(operator, "accounts"), Of: jane, Password: "abcdef-ghijkl", Back: "/console/account?id=x"},
		&ConsolePasswordPage{ConsoleFrame: at(operator, "accounts"), Of: jane, Password: "abcdef-ghijkl", Reset: true, Back: "/console/account?id=x"},
		&ConsoleScopesPage{ConsoleFrame: at(operator, "scopes"), Scopes: scopes, Settings: []SettingRow{{"base_url", "https://auth.example"}}, Others: []LocalSentence{{"cs", "Čeština", ""}}, Flow: "sample"},
		&ConsoleScopesPage{ConsoleFrame: at(operator, "scopes"), Scopes: scopes, Settings: []SettingRow{{"base_url", "https://auth.example"}}, Name: "reports.read", Sentence: "see your reports", Others: []LocalSentence{{"cs", "Čeština", "číst tvé přehledy"}}, Old: true,
			Problems: []string{"The sentence of the scope is empty, or begins or ends with a space."}, Flow: "sample"},
	}
}
