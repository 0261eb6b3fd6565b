package web

import (
	"context"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// requestsAnswer are the last requests of an app, the newest first. Next is where the
// following ones are.
type requestsAnswer struct {
	Requests []symbolon.TrailEntry `json:"requests"`
	Next     string                `json:"next,omitempty"`
}

// maxRequests is how many requests an answer has at most.
const maxRequests = 200

// adminRequests lists the last requests of an app or, to operators who name none, those
// that named no app.
func (h *Handler) adminRequests(ctx context.Context, r *adminRequest) (any, error) {
	var app *symbolon.App
	var err error
	if id := r.clientID(); id != "" || !r.who.Operator {
		if app, err = h.admin.App(ctx, r.who, id); err != nil {
			return nil, err
		}
	}
	answer := requestsAnswer{Requests: []symbolon.TrailEntry{}}
	if h.Trail == nil {
		return answer, nil
	}
	q := symbolon.TrailQuery{Client: r.clientID(), Failed: r.query.First("failed") == "true", Limit: 50}
	q.Before, _ = strconv.ParseInt(r.query.First("before"), 10, 64)
	if n := r.number("limit"); n > 0 {
		q.Limit = min(n, maxRequests)
	}
	entries, err := h.Trail.Store.Trail(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		h.asOwnerKnows(r.who, app, &entries[i])
		answer.Requests = append(answer.Requests, entries[i])
	}
	if len(entries) == q.Limit {
		answer.Next = strconv.FormatInt(entries[len(entries)-1].ID, 10)
	}
	return answer, nil
}

// adminExplained explains one request by the request_id that its answer had. One that is
// another's is as one that is not there.
func (h *Handler) adminExplained(ctx context.Context, r *adminRequest) (any, error) {
	none := &admin.Fault{Kind: symbolon.NotFound, Says: "there is no such request in the log"}
	entry, err := h.TrailEntry(ctx, strings.ToUpper(r.query.First("id")))
	if err != nil {
		return nil, err
	}
	if entry == nil || entry.Client == "" && !r.who.Operator {
		return nil, none
	}
	if !r.who.Operator {
		app, err := h.admin.App(ctx, r.who, entry.Client)
		if err != nil {
			return nil, none
		}
		h.asOwnerKnows(r.who, app, entry)
	}
	return entry, nil
}

// asOwnerKnows has an entry name its account as the app knows it, but to an operator.
func (h *Handler) asOwnerKnows(who admin.Actor, app *symbolon.App, entry *symbolon.TrailEntry) {
	if !who.Operator && entry.Account != "" {
		entry.Account = symbolon.AccountID(h.Engine.SubjectOf(app, entry.Account))
	}
}
