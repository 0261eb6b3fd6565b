package web

// ResetPage asks whose password is to be reset. It posts to /reset: flow and username.
type ResetPage struct{ Flow string }

func (*ResetPage) template() string     { return "reset" }
func (*ResetPage) headers() pageHeaders { return pageHeaders{} }

// ResetSentPage says that a mail is on its way, if there is whom to send it to.
type ResetSentPage struct {
	// Minutes is how long the link in it is good.
	Minutes int
}

func (*ResetSentPage) template() string     { return "reset-sent" }
func (*ResetSentPage) headers() pageHeaders { return pageHeaders{} }

// ResetNewPage asks for a new password. It posts to /reset/new: flow and password.
type ResetNewPage struct {
	// Over says that the link is good for nothing any more; nothing else is set then.
	Over    bool
	Account AccountView
	// Least is the length of the shortest password, in characters.
	Least int
	Error string
	Flow  string
}

func (*ResetNewPage) template() string     { return "reset-new" }
func (*ResetNewPage) headers() pageHeaders { return pageHeaders{} }

// ResetDonePage says that the password was changed.
type ResetDonePage struct{}

func (*ResetDonePage) template() string     { return "reset-done" }
func (*ResetDonePage) headers() pageHeaders { return pageHeaders{} }

// resetSamples are those pages with sample data.
func resetSamples() []Page {
	jane := AccountView{ID: "d1b03e513fbc5881651d6c149fd259506f975ae1", Name: "Jane Doe", Username: "jane", Initials: "JD"}
	const mill = "Weather Mill"
	aways := []AwayView{{Name: "google", Title: "Google"}, {Name: handoffName, Title: mill}}
	identities := []IdentityView{{ID: "00ff", Title: "Google", Name: "jane@example.com", Added: "2026-05-03"}, {ID: "01ff", Title: mill, Added: "2026-05-03"}}
	return []Page{
		&SignInPage{Flow: "sealed", Forgot: true, Aways: aways},
		&SignInPage{Flow: "sealed", NoPassword: true, Aways: aways, Error: "problem.not_signed_in_there", Others: true},
		&SignInPage{Flow: "sealed", NoPassword: true, Passkey: `{"challenge":"AAAA"}`},
		&SecurityPage{Account: jane, Flow: "sealed", Links: aways, Identities: identities},
		&SecurityPage{Account: jane, Flow: "sealed", Links: aways, NoPassword: true},
		&ResetPage{Flow: "sealed"},
		&ResetSentPage{Minutes: 30},
		&ResetNewPage{Over: true},
		&ResetNewPage{Account: jane, Least: 8, Flow: "sealed"},
		&ResetNewPage{Account: jane, Least: 8, Error: "problem.password_unfit", Flow: "sealed"},
		&ResetDonePage{},
	}
}
