package web

import (
	"slices"

	"github.com/symbolon/symbolon/oauth"
)

// pageSamples returns every page with sample data, in every shape that its
// template tells apart. Each template of pages/ is here at least once: NewPages
// executes them all.
func pageSamples() []Page {
	app := AppView{ID: "sym_app_sample", Name: "Weather Mill", Home: "https://weathermill.example/", HomeHost: "weathermill.example"}
	plain := AppView{ID: "sym_app_plain", Name: "notes"}
	jane := AccountView{ID: "d1b03e513fbc5881651d6c149fd259506f975ae1", Name: "Jane Doe", Username: "jane", Initials: "JD"}
	john := AccountView{ID: "0f8fad5bd9cb469fa165408f3c5b9a2e1d4c7b6a", Name: "John Doe", Username: "john", Initials: "JD"}
	black := AccountView{ID: "7c9e6679f4b24a5e8d1f3b2a6c5d4e3f2a1b0c9d", Name: "Jane Black", Username: "jane.black@example.com", Initials: "JB"}
	people := []AccountView{jane, john, black}
	connect := ScopeView{Name: "connect", Description: "allows connection to resources"}
	read := ScopeView{Name: "reports.read", Description: "allows reading your reports", New: true}
	const flow = "sealed"

	visit := VisitView{Account: jane, Here: accountPath}
	visits := VisitView{Account: jane, Here: accountPath, Others: []AccountView{john}, As: jane.ID}
	moment := Moment{"2026-05-03", "14:05"}
	connections := []ConnectionView{
		{ID: "0199", Label: "for the office", Scopes: []ScopeView{connect, read}, Since: moment, Used: moment, From: "192.0.2.7", Dies: moment},
		{ID: "0198", Scopes: []ScopeView{{Name: "unknown"}}, Since: moment, Dies: moment},
		{ID: "0197", Scopes: []ScopeView{connect}, Since: moment, Dies: moment},
	}
	pages := []Page{
		&AccountPage{Visit: visit, First: true, Flow: flow, Devices: []DeviceView{{Since: moment, Here: true}}},
		&AccountPage{Visit: visits, Flow: flow, Done: "label", More: "/account?before=0198",
			Apps:    []ConnectedApp{{App: app, Connections: connections[:2]}, {App: plain, Unverified: true, Connections: connections[2:]}},
			Devices: []DeviceView{{Session: "07", Agent: "Firefox on Linux", From: "192.0.2.7", Since: moment, Here: true}, {Session: "08", Agent: "Safari on iPhone", Since: moment}, {Since: moment}}},
		&AccountPage{Visit: visit, Flow: flow, Done: "nothing"},
		&DetailsPage{Visit: visit, Username: "jane", Name: "Jane Doe", HasPassword: true, Done: "name", Flow: flow},
		&DetailsPage{Visit: visit, Username: "jane", Email: "jane@example.com", Name: "", NameProblem: "unfit", PasswordProblem: "wrong", Flow: flow},
		&DetailsPage{Visit: visit, Username: "jane", Name: "Jane Doe", Sandbox: true, Flow: flow},
		&DataPage{Visit: visit, Username: "jane", Flow: flow},
		&DataPage{Visit: visit, Username: "jane", Problem: "unsure", Flow: flow},
		&DataPage{Visit: visit, Username: "jane", Sandbox: true, Flow: flow},
		&SignInPage{App: &app, Flow: flow},
		&SignInPage{App: &app, Flow: flow, Username: "jane", Error: "problem.password", Sandbox: people, Others: true},
		&SignInPage{Flow: flow, Username: "jane", Wait: 12},
		&SignInPage{Flow: flow, Wait: 1},
		&CodePage{Account: jane, Code: true, Flow: flow, Leads: true},
		&CodePage{Account: jane, Code: true, Flow: flow, Error: "problem.code"},
		&CodePage{Account: jane, Code: true, Flow: flow, Wait: 30},
		&CodePage{Account: jane, Code: true, Flow: flow, Raise: true, Optional: true, App: &app, Leads: true},
		&CodePage{Account: jane, Code: true, Flow: flow, Raise: true},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow, AppSince: "2026-05-03", Recovery: 10},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow, AppSince: "2026-05-03", Recovery: 1},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow, AppSince: "2026-05-03", Recovery: 3},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow, AppSince: "2026-05-03"},
		&SetupPage{Account: jane, Flow: flow, Secret: "JBSW Y3DP EHPK 3PXP", Link: "otpauth://totp/auth.example:jane?secret=JBSWY3DPEHPK3PXP", QRSize: 25, QRPath: "M0 0h7v1h-7z"},
		&SetupPage{Account: jane, Flow: flow, Error: "problem.setup_code", QRSize: 25, QRPath: "M0 0h7v1h-7z"},
		&RecoveryPage{Account: jane, Codes: []string{"abcd-efgh-jkmn-pqrs", "0123-4567-89ab-cdef"}},
		&SignInPage{Flow: flow, Passkey: `{"challenge":"AAAA"}`},
		&CodePage{Account: jane, Code: true, Flow: flow, Passkey: `{"challenge":"AAAA"}`},
		&CodePage{Account: jane, Flow: flow, Raise: true, Optional: true, Passkey: `{"challenge":"AAAA"}`},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow, Possible: true, Offer: `{"challenge":"AAAA"}`},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow, Possible: true, More: true, Passkeys: []PasskeyView{{ID: "AQ", Name: "My phone", Added: "2026-05-03", Used: "2026-05-04", Copied: true}, {ID: "Ag", Name: "Key", Added: "2026-05-03"}}},
		&SecurityPage{Visit: visit, Account: jane, Flow: flow, Passkeys: []PasskeyView{{ID: "AQ", Name: "My phone", Added: "2026-05-03"}}},
		&ChoosePage{App: app, Accounts: people, Flow: flow},
		&ConsentPage{App: app, Account: jane, Scopes: []ScopeView{connect}, RedirectHost: "www.weathermill.example", RedirectURI: "https://www.weathermill.example/oauth/callback", Flow: flow},
		&ConsentPage{App: app, Account: black, Scopes: []ScopeView{connect, read}, RedirectHost: "www.weathermill.example", RedirectURI: "https://www.weathermill.example/oauth/callback", Flow: flow, Growth: true},
		&ConsentPage{App: plain, Account: john, Scopes: []ScopeView{connect}, RedirectHost: "127.0.0.1:49152", RedirectURI: "http://127.0.0.1:49152/callback", Loopback: true, Flow: flow},
		&ConsentPage{App: app, Account: jane, Scopes: []ScopeView{connect}, Details: []string{"pay 123.50 EUR to Merchant A"}, APIs: []string{"Payments", "https://api.example.com/v1"}, RedirectHost: "www.weathermill.example", Flow: flow},
		&ConsentPage{App: plain, Account: jane, Scopes: []ScopeView{connect}, RedirectHost: "notes.example", RedirectURI: "https://notes.example/callback", Flow: flow,
			Unverified: &UnverifiedView{Host: "notes.example", Policy: "https://notes.example/privacy", PolicyHost: "notes.example", Terms: "https://notes.example/terms", TermsHost: "notes.example"}},
		&ConsentPage{App: plain, Account: jane, Scopes: []ScopeView{connect}, RedirectHost: "127.0.0.1:49152", RedirectURI: "http://127.0.0.1:49152/callback", Loopback: true, Flow: flow,
			Unverified: &UnverifiedView{Local: true}},
		&ConsentPage{App: app, Account: jane, Scopes: []ScopeView{connect}, Device: "WDJB-MJHT", Flow: flow},
		&FormPostPage{App: app, RedirectURI: "https://www.weathermill.example/oauth/callback", Host: "www.weathermill.example", Fields: []oauth.Field{{Name: "code", Value: "sym_code_sample"}, {Name: "state", Value: "s"}}},
		&FormPostPage{App: app, RedirectURI: "https://www.weathermill.example/oauth/callback", Host: "www.weathermill.example", Fields: []oauth.Field{{Name: "error", Value: "access_denied"}}, Failed: true},
		&DevicePage{Flow: flow},
		&DevicePage{Code: "WDJB-MJHT", Flow: flow},
		&DevicePage{Code: "WDJB", Error: "problem.device_code", Flow: flow},
		&DeviceDonePage{App: "Weather Mill", Allowed: true},
		&DeviceDonePage{App: "Weather Mill"},
		&DeniedPage{},
		&DeniedPage{Title: "denied.heading", Reason: "denied.too_long", Retry: "/authorize"},
		&ErrorPage{
			Status: 400, Code: "invalid_request", Title: "error.title_mismatch",
			Description: "The app asked to send you to an address that its developer has not registered.",
			WhoMends:    "error.who_developer", How: "error.how_mismatch",
			Mismatch:  NewMismatch("https://weathermill.example/oauth/callback/", []string{"https://weathermill.example/oauth/callback", "http://127.0.0.1/callback"}),
			RequestID: "01J9ZC7T3V8Q", DocsURL: "/docs/errors#invalid_request",
		},
		&ErrorPage{Status: 400, Code: "invalid_request", Title: "error.title_mismatch", Mismatch: NewMismatch("https://weathermill.example/", nil)},
		&ErrorPage{Status: 503, Title: "error.title_unavailable", Description: "The server cannot reach its store."},
		&SignOutPage{Accounts: people, Flow: flow},
		&SignOutPage{},
		&SignOutPage{Accounts: people, Asked: true, App: &app, BackHost: "weathermill.example", Flow: flow},
		&SignOutPage{Accounts: people[:1], Asked: true, Wrong: "The id_token_hint is no ID token that this server signed.", Flow: flow},
		&SignedOutPage{},
		&SignedOutPage{Others: true},
		&SignedOutPage{Wrong: "The post_logout_redirect_uri is none of those that the app has registered."},
		&SignedOutPage{Back: "https://weathermill.example/bye", BackHost: "weathermill.example"},
	}
	return slices.Concat(pages, resetSamples(), playgroundSamples(), docsSamples(), trailSamples(), consoleSamples())
}
