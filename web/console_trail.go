package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// The pages about what apps send, and the stream of what happens to their connections.
const (
	consoleRequests = "/console/requests"
	consoleRequest  = "/console/request"
	consoleEvents   = "/console/events"
)

// consoleTrail lists the last requests of an app; to an operator, where no app is named,
// those that named none.
func (h *Handler) consoleTrail(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	id := symbolon.ClientID(v.query.First("app"))
	links := trailLinks(id)
	if id == "" && v.who.Operator {
		links.Back = consolePath
		return h.trailPage(w, r, ev, nil, links, h.frame(v, "app"))
	}
	app, err := h.admin.App(r.Context(), v.who, id)
	if err != nil {
		return consoleError(err)
	}
	ev.client, links.Back = app.ID, appAddress(app.ID)
	return h.trailPage(w, r, ev, app, links, h.frame(v, "app"))
}

// trailLinks are the pages about the requests of an app, and behind each that of one lies
// that of all.
func trailLinks(id symbolon.ClientID) TrailLinks {
	links := TrailLinks{List: consoleRequests, Entry: consoleRequest}
	if id != "" {
		links.List += "?app=" + url.QueryEscape(string(id))
	}
	links.Back = links.List
	return links
}

// consoleTrailEntry explains one request to the owner of its app, and to operators. One
// that is another's is as one that is not there.
func (h *Handler) consoleTrailEntry(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	entry, err := h.TrailEntry(r.Context(), strings.ToUpper(strings.TrimSpace(v.query.First("id"))))
	if err != nil {
		return err
	}
	none := consoleError(&admin.Fault{Kind: symbolon.NotFound})
	if entry == nil || entry.Client == "" && !v.who.Operator {
		return none
	}
	if !v.who.Operator { // who also sees those of an app that is deleted
		app, err := h.admin.App(r.Context(), v.who, entry.Client)
		if err != nil {
			return consoleError(err)
		}
		h.asOwnerKnows(v.who, app, entry)
	}
	return h.trailEntryPage(w, r, ev, entry, trailLinks(entry.Client), h.frame(v, "app"))
}

// consoleWatch streams what happens to the connections of an app.
func (h *Handler) consoleWatch(w http.ResponseWriter, r *http.Request, ev *event) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		// It could not read the stream, but hold it: there are only so many.
		return &deniedError{reason: "denied.other_site"}
	}
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	app, err := h.admin.App(r.Context(), v.who, symbolon.ClientID(v.query.First("app")))
	if err != nil {
		return consoleError(err)
	}
	if r.Method == http.MethodHead {
		return &httpError{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "This path takes GET only."}
	}
	return h.watchConnections(w, r, ev, app.ID, func() bool {
		signedIn, err := h.sessions(r)
		at := slices.IndexFunc(signedIn, func(s symbolon.SignedIn) bool { return s.Account.ID == v.who.Account })
		if err != nil || at < 0 {
			return false
		}
		_, err = h.admin.App(r.Context(), h.actor(&signedIn[at].Account), app.ID)
		return err == nil
	})
}

// connectionRow is what the page of an app shows of a connection. Names has those of
// accounts that were looked up before.
func (h *Handler) connectionRow(r *http.Request, v *consoleVisitor, app *symbolon.App, c *symbolon.Connection, names map[symbolon.AccountID]string) ConnectionRow {
	health := h.Engine.Health(c)
	row := ConnectionRow{
		ID: c.ID.String(), Subject: h.Engine.SubjectOf(app, c.Account), State: health.State, Label: c.Label, Made: newMoment(c.CreatedAt),
		Refreshed: newMoment(c.RefreshedAt), Expires: newMoment(c.ExpiresAt), EndedBy: cmp.Or(reasonKeys[c.EndedBy], string(c.EndedBy)), Expiring: health.Expiring, Failing: health.Failure.Why,
	}
	if row.Failing != "" {
		row.Failed = newMoment(health.Failure.At)
	}
	if c.UsedFrom.IsValid() {
		row.From = c.UsedFrom.String()
	}
	row.Ended = newMoment(c.EndedAt)
	if v.who.Operator || !app.Settings.OpenID.Pairwise {
		// To the owner of an app with pairwise subjects a person is the one name that
		// the app has for them.
		if names[c.Account] == "" {
			names[c.Account] = h.nameOf(r, c.Account)
		}
		row.Account = names[c.Account]
	}
	return row
}

// shownConnection is what the admin API shows of a connection of an app: its account as
// the app knows it, but to an operator, for whom app may be nil.
func (h *Handler) shownConnection(who admin.Actor, app *symbolon.App, c *symbolon.Connection) admin.ConnectionView {
	view, health := admin.ViewConnection(c, h.Engine.Now()), h.Engine.Health(c)
	view.Expiring, view.Failing, view.FailedAt = health.Expiring, health.Failure.Why, admin.Stamp(health.Failure.At)
	if !who.Operator {
		view.Account = h.Engine.SubjectOf(app, c.Account)
	}
	return view
}
