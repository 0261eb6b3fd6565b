package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/trail"
)

// sent is what a request leaves behind for the trail, secrets and all, until it is
// answered.
type sent struct {
	body    oauth.Params // the parameters of the body
	flow    string       // the authorization request of the pages that it is part of
	back    bool         // the browser was sent back to the app
	refusal *oauth.Error
	problem *httpError
}

// trailed are the routes that are written down, by what they are for. Pages of a flow
// count as its authorization request, when they end it.
var trailed = map[string]string{
	"/authorize": "authorize", "/oauth2/authorize": "authorize",
	"/token": "token", "/oauth2/token": "token", "/refresh": "refresh",
	"/info": "info", "/oauth2/userinfo": "info", "/forward-auth": "info",
	"/invalidate": "invalidate", "/oauth2/revoke": "invalidate",
	"/oauth2/par": "par", "/oauth2/device_authorization": "device", "/oauth2/introspect": "introspect", "/oauth2/logout": "logout",
}

// record writes a request down that was answered, where it is one of an app. It is in
// the way of every answer, so it does as little as it can until it knows that the
// request is taken up.
func (h *Handler) record(r *http.Request, ev *event, took time.Duration) {
	defer func() {
		if cause := recover(); cause != nil { // the answer is out, and goes before the log of it
			h.Trail.Log.Error("a request could not be written down", "request_id", ev.id, "cause", fmt.Sprint(cause))
		}
	}()
	endpoint := trailed[ev.route]
	if endpoint == "" {
		if ev.sent.flow == "" || ev.code == "" && !ev.sent.back {
			return
		}
		endpoint = "authorize"
	}
	if endpoint == "token" && ev.sent.body.First("grant_type") == string(symbolon.GrantRefresh) {
		endpoint = "refresh"
	}
	client, bucket, ok := h.whose(r, ev, endpoint)
	if !ok || !h.Trail.Admits(client, bucket, endpoint, ev.code != "", ev.start.Add(took)) {
		return
	}
	h.Trail.Record(h.entry(r, ev, endpoint, client, bucket, took))
}

// whose says which app a request is written down for, and who can have made it.
func (h *Handler) whose(r *http.Request, ev *event, endpoint string) (symbolon.ClientID, symbolon.TrailBucket, bool) {
	client := ev.client
	proven := false
	switch refusal := ev.sent.refusal; {
	case refusal != nil:
		proven = refusal.Proven
	case ev.code == "":
		// Whoever was answered by these had something of the app's.
		proven = endpoint != "authorize" && endpoint != "logout" && endpoint != "par" && endpoint != "device"
	}
	if client == "" {
		if ev.code == "" {
			return "", 0, endpoint == "introspect" // of a token that is none
		}
		// What names an app is looked up for as many requests as are taken up.
		id := named(r, ev)
		if id == "" || ev.why == oauth.UnknownClient.String() || !h.Trail.Admits("", symbolon.NamedNoApp, "", true, time.Now()) {
			return "", symbolon.NamedNoApp, true
		}
		app, err := h.Engine.App(r.Context(), symbolon.ClientID(id))
		if err != nil || app.ClientID() != id {
			return "", symbolon.NamedNoApp, true
		}
		client = app.ID
	}
	switch {
	case !proven:
		return client, symbolon.NamedApp, true
	case strings.HasPrefix(string(client), "sym_dyn_") || strings.HasPrefix(string(client), "sym_doc_"):
		return client, symbolon.ProvenStranger, true
	}
	return client, symbolon.ProvenApp, true
}

// named returns the client_id that a request names, or "".
func named(r *http.Request, ev *event) string {
	for _, a := range arrived(r, ev) {
		if a.Name == "client_id" && a.Fault == "" && a.Value != "" {
			return a.Value
		}
	}
	return ""
}

// entry makes what is written down.
func (h *Handler) entry(r *http.Request, ev *event, endpoint string, client symbolon.ClientID, bucket symbolon.TrailBucket, took time.Duration) *symbolon.TrailEntry {
	all := arrived(r, ev)
	e := &symbolon.TrailEntry{
		Bucket: bucket, RequestID: ev.id, At: ev.start.Add(took).UTC().Truncate(time.Millisecond), Micros: took.Microseconds(),
		Client: client, Account: ev.account, Endpoint: endpoint, Route: ev.route, Method: knownMethod(ev.method),
		Status: ev.status, Error: ev.code, Reason: ev.why,
	}
	connection := ev.connection
	if ev.kind == api {
		e.Address = ev.address // else it is that of a person
	}
	switch refusal, problem := ev.sent.refusal, ev.sent.problem; {
	case refusal != nil:
		e.Description, e.Why = refusal.Description, trail.Explain(refusal.Why, all)
		if refusal.Account != "" {
			e.Account = refusal.Account
		}
		if refusal.Connection != (symbolon.ConnectionID{}) {
			connection = refusal.Connection
		}
	case problem != nil:
		e.Description, e.Why = problem.description, trail.Explain(whyHTTP(r, problem), all)
	case ev.code != "":
		e.Description = ev.detail // of a page: it is one of a few sentences
	}
	if connection != (symbolon.ConnectionID{}) {
		e.Connection = connection.String()
	}
	e.Sent, e.More = trail.Mask(all)
	return e
}

// whyHTTP explains a refusal that is about HTTP.
func whyHTTP(r *http.Request, e *httpError) *symbolon.Explanation {
	switch e.status {
	case http.StatusUnsupportedMediaType:
		return &symbolon.Explanation{
			Check: "the body is of a media type that is taken", Source: "RFC 6749 §3.2, RFC 9110 §15.5.16",
			Compared: []symbolon.Comparison{{What: "Content-Type", Came: strings.Join(r.Header["Content-Type"], ", "), Expected: []string{"application/x-www-form-urlencoded", "application/json"}}},
			Mend:     "Send the parameters as a form, and say so in Content-Type. Many HTTP clients call it x-www-form-urlencoded; multipart/form-data is another thing.",
		}
	case http.StatusMethodNotAllowed:
		return &symbolon.Explanation{Check: "the path takes the method", Source: "RFC 9110 §15.5.6", Compared: []symbolon.Comparison{{What: "method", Came: knownMethod(r.Method), Expected: []string{e.description}}}}
	}
	if e.body != nil && looksLikeJSON(e.body) {
		return &symbolon.Explanation{
			Check: "the body is what its Content-Type says", Source: "RFC 9110 §8.3",
			Compared: []symbolon.Comparison{{What: "body", Came: "what begins like JSON", Expected: []string{"a form, as the Content-Type says"}}},
			Mend:     "Send Content-Type: application/json with JSON, or the parameters as name=value&name=value.",
		}
	}
	return nil
}

// arrived lists what came with a request, in its order: what stands in the headers that
// matter, the query and the body. There are secrets in it.
func arrived(r *http.Request, ev *event) []trail.Arrived {
	list := make([]trail.Arrived, 0, 16)
	for _, value := range r.Header["Authorization"] {
		list = append(list, trail.Authorization(value)...)
	}
	names := []string{"Content-Type", "Dpop"}
	if ev.kind == api {
		names = append(names, "Origin", "User-Agent")
	}
	for _, name := range names {
		for i, value := range r.Header[name] {
			fault := ""
			if i > 0 {
				fault = "is repeated"
			}
			if name == "Dpop" {
				name = "DPoP"
			}
			list = append(list, trail.Arrived{In: "header", Name: name, Value: value, Fault: fault})
		}
	}
	params := func(in string, p *oauth.Params) {
		seen := make(map[string]bool)
		p.Each(func(name, value, fault string) bool {
			if seen[name] && fault == "" && name != "resource" && name != "audience" {
				fault = "is repeated"
			}
			seen[name] = true
			list = append(list, trail.Arrived{In: in, Name: name, Value: value, Fault: fault})
			return true
		})
	}
	query := r.URL.RawQuery
	if ev.sent.flow != "" {
		query = ev.sent.flow
	}
	if p, err := oauth.ParseForm(query); err == nil && (trailed[ev.route] != "" || ev.sent.flow != "") {
		params("query", &p)
	}
	body := ev.sent.body
	if e := ev.sent.problem; e != nil && e.body != nil {
		// It is of another type than it says; what is in it says whose it is.
		if p, err := oauth.ParseJSON(e.body); err == nil {
			body = p
		} else if p, err := oauth.ParseForm(string(e.body)); err == nil {
			body = p
		}
	}
	params("body", &body)
	return list
}

// TrailEntry returns the entry of a request, or nil. Whoever shows it looks first whose
// it is: only the owner of its Client may see it, and nobody but an operator one that
// names no app.
func (h *Handler) TrailEntry(ctx context.Context, requestID string) (*symbolon.TrailEntry, error) {
	if h.Trail == nil || !isRequestID(requestID) {
		return nil, nil
	}
	list, err := h.Trail.Store.Trail(ctx, symbolon.TrailQuery{RequestID: requestID, Limit: 1})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// isRequestID reports whether a text has the form of a request id.
func isRequestID(s string) bool {
	return len(s) == 26 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
