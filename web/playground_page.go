package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// PlaygroundPage shows the six steps from the app's side. Its forms post to
// /playground: action, which names a step or a variation of one, and what that
// takes (see playground.do).
type PlaygroundPage struct {
	Developer
	Issuer   string
	ClientID string
	Secret   string
	Callback string
	// Request is the query of the authorization request that is prepared.
	Request string
	// Accounts are the sandbox accounts, for login_hint.
	Accounts []AccountView
	State    *play
}

func (*PlaygroundPage) template() string     { return "playground" }
func (*PlaygroundPage) headers() pageHeaders { return pageHeaders{English: true} }

// verdicts name the sentences that say what an exchange means: those of text/
// whose keys begin with "play.verdict_".
var verdicts = slices.Concat(goodVerdicts, badVerdicts)

var (
	goodVerdicts = []string{"code_json", "code", "callback_json", "tokens", "info", "refreshed", "repeated", "invalidated"}
	badVerdicts  = []string{"refused", "foreign", "state_differs", "issuer_differs", "callback_error", "code_replayed", "replayed", "dead", "unreachable"}
)

// AuthorizeURL is the whole authorization request.
func (p *PlaygroundPage) AuthorizeURL() string { return p.Issuer + "/authorize?" + p.Request }

// Parameters are those of the authorization request, one by one.
func (p *PlaygroundPage) Parameters() []string { return strings.Split(p.Request, "&") }

// HasCode reports whether there is a code that has not been redeemed.
func (p *PlaygroundPage) HasCode() bool { return p.State.Code != "" && !p.State.Redeemed }

// Spent reports whether there is a code that has been redeemed.
func (p *PlaygroundPage) Spent() bool { return p.State.Code != "" && p.State.Redeemed }

// HasTokens reports whether steps 4 to 6 can be done.
func (p *PlaygroundPage) HasTokens() bool { return p.State.Access != "" }

// CanRepeat reports whether there is a refresh token whose successor is unused.
func (p *PlaygroundPage) CanRepeat() bool { return p.State.refreshToken("again") != "" }

// CanReplay reports whether there is a refresh token whose successor was used
// too.
func (p *PlaygroundPage) CanReplay() bool { return p.State.refreshToken("replay") != "" }

// Done reports whether a step has been done, for the list of them. A code that
// a browser brought is also the answer to step 1.
func (p *PlaygroundPage) Done(step int) bool {
	return p.State.Done>>step&1 == 1 || step < 3 && p.State.Code != ""
}

// Steps are the numbers of the steps.
func (*PlaygroundPage) Steps() []int { return []int{1, 2, 3, 4, 5, 6} }

// ExchangeView is an exchange as the page shows it.
type ExchangeView struct {
	Number   int
	Verdict  string
	Good     bool
	Status   string // "200 OK"
	Latest   bool
	Request  MessageView
	Response MessageView
}

// MessageView is a request or an answer, in the parts that it has on the wire.
type MessageView struct {
	First string // the request or status line
	Head  string // the headers, one a line
	Body  string
}

// Of returns the exchanges of a step, the newest first.
func (p *PlaygroundPage) Of(step int) []ExchangeView {
	var views []ExchangeView
	for _, e := range slices.Backward(p.State.Exchanges) {
		if e.Step != step {
			continue
		}
		v := ExchangeView{
			Number: e.Number, Verdict: e.Verdict, Good: slices.Contains(goodVerdicts, e.Verdict), Latest: e.Number == p.State.Count,
			Request: newMessageView(e.Request), Response: newMessageView(e.Response),
		}
		if e.Status != 0 {
			v.Status = strings.TrimSpace(strconv.Itoa(e.Status) + " " + http.StatusText(e.Status))
		}
		views = append(views, v)
	}
	return views
}

func newMessageView(text string) MessageView {
	head, body, _ := strings.Cut(text, "\n\n")
	first, head, _ := strings.Cut(head, "\n")
	return MessageView{First: first, Head: head, Body: body}
}

// playgroundSamples are the playground at its start and with every verdict.
func playgroundSamples() []Page {
	page := func(s *play) *PlaygroundPage {
		return &PlaygroundPage{
			Developer: Developer{Here: "playground", Playground: true},
			Issuer:    "http://127.0.0.1:8080", ClientID: "sym_app_sample", Secret: "sym_secret_SAMPLE", Callback: "http://127.0.0.1:8080/playground/callback",
			Request:  "response_type=code&client_id=sym_app_sample&scope=connect&state=SAMPLE",
			Accounts: []AccountView{{ID: "d1b03e513fbc5881651d6c149fd259506f975ae1", Name: "Jane Doe", Username: "jane"}},
			State:    s,
		}
	}
	fresh := &play{Scope: "connect", PKCE: true, AppState: "SAMPLE", Verifier: "SAMPLE", As: asForm}
	full := &play{Scope: "connect", Hint: "jane", AppState: "SAMPLE", Verifier: "SAMPLE", As: asBasic, Answered: "code=SAMPLE",
		Code: "sym_ac_SAMPLE", Redeemed: true, Access: "sym_at_SAMPLE", Refresh: []string{"sym_rt_1", "sym_rt_2", "sym_rt_3"}}
	for i, v := range verdicts {
		e := exchange{Step: i%6 + 1, Verdict: v, Status: http.StatusOK, Request: "GET /info HTTP/1.1\nHost: 127.0.0.1:8080\nAuthorization: Bearer sym_at_SAMPLE\n\n",
			Response: "HTTP/1.1 200 OK\nContent-Type: application/json\n\n{\"id\":\"d1b03e513fbc5881651d6c149fd259506f975ae1\",\"user\":\"Jane Doe\"}"}
		if v == "unreachable" {
			e.Status, e.Response = 0, ""
		}
		full.add(e)
	}
	return []Page{page(fresh), page(full)}
}
