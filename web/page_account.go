package web

import (
	"time"

	"github.com/symbolon/symbolon"
)

// VisitView is who is at a page of theirs, and which one it is.
type VisitView struct {
	Account AccountView
	// Others are the other accounts that are signed in in this browser.
	Others []AccountView
	// Here is the page's path.
	Here string
	// As is set, to the account's id, where others are signed in too: links keep it.
	As string
}

func newVisitView(v *visit, here string) VisitView {
	view := VisitView{Account: NewAccountView(&v.Account), Here: here}
	for i := range v.Others {
		view.Others = append(view.Others, NewAccountView(&v.Others[i].Account))
		view.As = string(v.Account.ID)
	}
	return view
}

// ownPage is one of the pages of an account: its path, and what the sentences call it.
type ownPage struct{ Path, Name string }

var ownPages = []ownPage{
	{accountPath, "connections"},
	{securityPath, "security"},
	{detailsPath, "details"},
	{dataPath, "data"},
}

// Moment is a time as a page shows it.
type Moment struct {
	// Day is the date as 2026-05-03, Clock the time of day as 14:05, both in UTC. Both
	// are empty for none.
	Day, Clock string
}

func newMoment(t time.Time) Moment {
	if t.IsZero() {
		return Moment{}
	}
	return Moment{t.UTC().Format(dayForm), t.UTC().Format("15:04")}
}

// AccountPage shows the connections of an account and where it is signed in. It posts to
// /account: flow and action, which is "end" or "label" with connection (and label),
// "end-app" with app, "end-all", "sign-out" with session, or "sign-out-all".
type AccountPage struct {
	Visit VisitView
	Apps  []ConnectedApp
	// First says that it is the first page of connections, More is where there are more.
	First   bool
	More    string
	Devices []DeviceView
	// Done is the action that was just done, or something else.
	Done string
	Flow string
}

func (*AccountPage) template() string     { return "account" }
func (*AccountPage) headers() pageHeaders { return pageHeaders{} }

// Said is what was just done, as the sentences name it, or "".
func (p *AccountPage) Said() string {
	switch p.Done {
	case "end", "label", "end-app", "end-all", "sign-out", "sign-out-all":
		return p.Done
	}
	return ""
}

// ConnectedApp is an app with its connections to the account.
type ConnectedApp struct {
	App AppView
	// Unverified says that it registered itself, and nobody has checked what it says.
	Unverified  bool
	Connections []ConnectionView
}

// ConnectionView is a connection as a page shows it to whom it belongs. Its label may be
// hostile.
type ConnectionView struct {
	ID, Label string
	Scopes    []ScopeView
	Since     Moment
	// Used is when it was last refreshed, or none; From is the address of the request
	// that it was last used by, or empty.
	Used Moment
	From string
	// Dies is when it is over unless it is used.
	Dies Moment
}

// DeviceView is a browser in which an account is signed in.
type DeviceView struct {
	// Session is empty for a sign-in that cannot be named.
	Session string
	// Agent is which browser it says it is, or empty; From its address, or empty.
	Agent, From string
	Since       Moment
	// Here says that it is the browser that shows the page.
	Here bool
}

func newDeviceView(s *symbolon.Session, here [32]byte) DeviceView {
	v := DeviceView{Agent: s.Agent, Since: newMoment(s.AuthAt), Here: s.Browser == here}
	if s.ID != (symbolon.SessionID{}) {
		v.Session = s.ID.String()
	}
	if s.From.IsValid() {
		v.From = s.From.String()
	}
	return v
}

// DetailsPage shows a person's name, and lets them change it and the password. It posts
// to /account/details: flow and action, which is "name" with name, or "password" with
// current and new.
type DetailsPage struct {
	Visit           VisitView
	Username, Email string
	Name            string
	// NameProblem and PasswordProblem are what was wrong, as the sentences name it, or empty.
	NameProblem, PasswordProblem string
	HasPassword                  bool
	Sandbox                      bool
	Done                         string
	Flow                         string
}

func (*DetailsPage) template() string     { return "details" }
func (*DetailsPage) headers() pageHeaders { return pageHeaders{} }

// DataPage lets a person take a copy of what is kept of them, or have it deleted. It
// posts to /account/data: flow and action, which is "export", or "delete" with username.
type DataPage struct {
	Visit    VisitView
	Username string
	Sandbox  bool
	Problem  string
	Flow     string
}

func (*DataPage) template() string     { return "data" }
func (*DataPage) headers() pageHeaders { return pageHeaders{} }
