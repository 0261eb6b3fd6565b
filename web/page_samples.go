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

	pages := []Page{
		&SignInPage{App: &app, Flow: flow},
		&SignInPage{App: &app, Flow: flow, Username: "jane", Error: "That name and password do not belong together.", Sandbox: people, Others: true},
		&SignInPage{Flow: flow, Username: "jane", Wait: 12},
		&SignInPage{Flow: flow, Wait: 1},
		&CodePage{Account: jane, Code: true, Flow: flow, Leads: true},
		&CodePage{Account: jane, Code: true, Flow: flow, Error: "That code is wrong."},
		&CodePage{Account: jane, Code: true, Flow: flow, Wait: 30},
		&CodePage{Account: jane, Code: true, Flow: flow, Raise: true, Optional: true, App: &app, Leads: true},
		&CodePage{Account: jane, Code: true, Flow: flow, Raise: true},
		&SecurityPage{Account: jane, Flow: flow},
		&SecurityPage{Account: jane, Flow: flow, AppSince: "3 May 2026", Recovery: 10},
		&SecurityPage{Account: jane, Flow: flow, AppSince: "3 May 2026", Recovery: 1},
		&SecurityPage{Account: jane, Flow: flow, AppSince: "3 May 2026"},
		&SetupPage{Account: jane, Flow: flow, Secret: "JBSW Y3DP EHPK 3PXP", Link: "otpauth://totp/auth.example:jane?secret=JBSWY3DPEHPK3PXP", QRSize: 25, QRPath: "M0 0h7v1h-7z"},
		&SetupPage{Account: jane, Flow: flow, Error: "That is not the code.", QRSize: 25, QRPath: "M0 0h7v1h-7z"},
		&RecoveryPage{Account: jane, Codes: []string{"abcd-efgh-jkmn-pqrs", "0123-4567-89ab-cdef"}},
		&SignInPage{Flow: flow, Passkey: `{"challenge":"AAAA"}`},
		&CodePage{Account: jane, Code: true, Flow: flow, Passkey: `{"challenge":"AAAA"}`},
		&CodePage{Account: jane, Flow: flow, Raise: true, Optional: true, Passkey: `{"challenge":"AAAA"}`},
		&SecurityPage{Account: jane, Flow: flow, Possible: true, Offer: `{"challenge":"AAAA"}`},
		&SecurityPage{Account: jane, Flow: flow, Possible: true, More: true, Passkeys: []PasskeyView{{ID: "AQ", Name: "My phone", Added: "3 May 2026", Used: "4 May 2026", Copied: true}, {ID: "Ag", Name: "Key", Added: "3 May 2026"}}},
		&SecurityPage{Account: jane, Flow: flow, Passkeys: []PasskeyView{{ID: "AQ", Name: "My phone", Added: "3 May 2026"}}},
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
		&DevicePage{Code: "WDJB", Error: "No device shows this code now.", Flow: flow},
		&DeviceDonePage{App: "Weather Mill", Allowed: true},
		&DeviceDonePage{App: "Weather Mill"},
		&DeniedPage{},
		&DeniedPage{Title: "This page has expired", Reason: "It was open for more than ten minutes.", Retry: "/authorize"},
		&ErrorPage{
			Status: 400, Code: "invalid_request", Title: "The way back to the app is not registered",
			Description: "The app asked to send you to an address that its developer has not registered.",
			WhoMends:    "The developer of the app", How: "Register the address that was sent, or send the one that is registered.",
			Mismatch:  NewMismatch("https://weathermill.example/oauth/callback/", []string{"https://weathermill.example/oauth/callback", "http://127.0.0.1/callback"}),
			RequestID: "01J9ZC7T3V8Q", DocsURL: "/docs/errors#invalid_request",
		},
		&ErrorPage{Status: 400, Code: "invalid_request", Title: "The way back to the app is not registered", Mismatch: NewMismatch("https://weathermill.example/", nil)},
		&ErrorPage{Status: 503, Title: "Not just now", Description: "The server cannot reach its store."},
		&SignOutPage{Accounts: people, Flow: flow},
		&SignOutPage{},
		&SignOutPage{Accounts: people, Asked: true, App: &app, BackHost: "weathermill.example", Flow: flow},
		&SignOutPage{Accounts: people[:1], Asked: true, Wrong: "The id_token_hint is no ID token that this server signed.", Flow: flow},
		&SignedOutPage{},
		&SignedOutPage{Others: true},
		&SignedOutPage{Wrong: "The post_logout_redirect_uri is none of those that the app has registered."},
		&SignedOutPage{Back: "https://weathermill.example/bye", BackHost: "weathermill.example"},
	}
	return slices.Concat(pages, playgroundSamples(), docsSamples(), consoleSamples())
}
