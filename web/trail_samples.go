package web

import (
	"time"

	"github.com/symbolon/symbolon"
)

// trailSamples are the pages about the requests of an app, in every shape.
func trailSamples() []Page {
	links := TrailLinks{List: "/console/requests?app=sym_app_sample", Entry: "/console/request", Back: "/console"}
	frame := ConsoleFrame{Account: AccountView{Name: "Jane Doe"}, Operator: true, MayRegister: true, At: "app"}
	app := AppView{ID: "sym_app_sample", Name: "Weather Mill"}
	entry := symbolon.TrailEntry{
		RequestID: "GBIQKG3XK2HDR5CZTSCVTR2M2Q", At: time.Unix(1_800_000_000, 0), Micros: 812, Client: "sym_app_sample", Endpoint: "token", Route: "/token", Method: "POST",
		Bucket: symbolon.ProvenApp, Account: "d1b03e513fbc5881651d6c149fd259506f975ae1", Connection: "0192f3a1c5d47b8e9f00112233445566", Address: "192.0.2.1",
		Status: 400, Error: "invalid_grant", Reason: "invalid_grant", Description: "The redirect_uri differs from the one in the authorization request.",
		Sent: []symbolon.TrailValue{
			{In: "header", Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
			{In: "body", Name: "redirect_uri", Value: "https://weathermill.example/oauth/callback/"},
			{In: "body", Name: "code", Masked: true, Length: 240, Kind: "authorization code of this server"},
			{In: "body", Name: "client_secret", Masked: true, Length: 64, Kind: "client_secret of this server", Notes: []string{"ends with white space"}},
			{In: "body", Name: "state", Masked: true, Length: 1, Kind: "text"},
		},
		More: 2,
		Why: &symbolon.Explanation{
			Check: "the redirect_uri is that of the authorization request", Source: "RFC 6749 §4.1.3",
			Compared: []symbolon.Comparison{
				{What: "redirect_uri", Came: "https://weathermill.example/oauth/callback/", Expected: []string{"https://weathermill.example/oauth/callback", "http://127.0.0.1/callback"}},
				{What: "code", Expected: []string{"a value", "another"}},
				{What: "time", Came: "2027-01-15T08:00:00.000Z", Expected: []string{"before 2027-01-15T07:59:00.000Z"}},
			},
			Facts: []string{"The code was given 72.0 seconds ago."}, Mend: "Send the very redirect_uri that was sent at the authorization endpoint.",
		},
	}
	good := symbolon.TrailEntry{RequestID: "7Z3JX5J6L4OBBNDAP5N6KF2WXE", At: entry.At, Micros: 91, Client: entry.Client, Bucket: symbolon.NamedApp, Endpoint: "authorize", Route: "/authorize", Method: "GET", Status: 200}
	ended := symbolon.Connection{EndedAt: entry.At, EndedBy: symbolon.ByApp, Seq: 4, RefreshedAt: entry.At}
	rows := []TrailView{NewTrailView(&entry, nil), NewTrailView(&good, nil)}
	return []Page{
		&TrailPage{TrailLinks: links, Console: frame, App: app, Named: true, Rows: rows, last: 7},
		&TrailPage{TrailLinks: links, Console: frame, App: app, Named: true, Rows: rows, Failed: true, Live: true, last: 7},
		&TrailPage{TrailLinks: links, Console: frame, App: app, Named: true, Failed: true},
		&TrailPage{TrailLinks: links, Console: frame, App: app, Named: true},
		&TrailPage{TrailLinks: links, Console: frame, Off: true},
		&TrailEntryPage{TrailView: NewTrailView(&entry, &ended), TrailLinks: links, Console: frame},
		&TrailEntryPage{TrailView: NewTrailView(&good, nil), TrailLinks: links, Console: frame},
	}
}
