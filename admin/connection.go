package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// ConnectionFilter selects connections.
type ConnectionFilter struct {
	// App and Account narrow it. An actor who is no operator names an app of its own.
	App     symbolon.ClientID
	Account symbolon.AccountID
	// Live leaves out those that are over.
	Live bool
	// Before selects those made before this one, and Limit is how many at most: 50 when
	// 0, and never more than 200.
	Before symbolon.ConnectionID
	Limit  int
}

// Connections returns connections, the newest first, and from where to go on; zero at
// the end.
func (s *Service) Connections(ctx context.Context, who Actor, f ConnectionFilter) (rows []symbolon.Connection, next symbolon.ConnectionID, err error) {
	if f.App != "" || !who.Operator {
		app, err := s.App(ctx, who, f.App)
		if err != nil {
			return nil, next, err
		}
		if f.Account != "" && app.Settings.OpenID.Pairwise && !who.Operator {
			// By way of two apps, an owner could tell who is who.
			return nil, next, denied("connections of an app with pairwise subjects are looked for by account by an operator only")
		}
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	rows, err = s.Store.Connections(ctx, symbolon.ConnectionQuery{
		Client: f.App, Account: f.Account, Before: f.Before, Live: f.Live, Now: s.Now(), Limit: limit + 1,
	})
	if err == nil && len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].ID
	}
	return rows, next, err
}

// ConnectionView is a connection as JSON shows it.
type ConnectionView struct {
	ID       string `json:"id"`
	Account  string `json:"account"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	// State is live, expired or ended.
	State       string `json:"state"`
	CreatedAt   Stamp  `json:"created_at"`
	RefreshedAt Stamp  `json:"refreshed_at"`
	ExpiresAt   Stamp  `json:"expires_at"`
	EndedAt     Stamp  `json:"ended_at"`
	EndedBy     string `json:"ended_by,omitempty"`
	// Label is what the person calls it, UsedFrom the address of the last token or refresh
	// request.
	Label    string `json:"label,omitempty"`
	UsedFrom string `json:"used_from,omitempty"`
	// Expiring says that it dies soon, Failing why its last refresh was refused, at
	// FailedAt. Whoever shows it fills them in.
	Expiring bool   `json:"expiring,omitempty"`
	Failing  string `json:"failing,omitempty"`
	FailedAt Stamp  `json:"failed_at,omitzero"`
}

// ViewConnection returns what is shown of a connection.
func ViewConnection(c *symbolon.Connection, now time.Time) ConnectionView {
	v := ConnectionView{
		ID: c.ID.String(), Account: string(c.Account), ClientID: string(c.Client), Scope: c.Scope.String(), State: "live",
		CreatedAt: Stamp(c.CreatedAt), RefreshedAt: Stamp(c.RefreshedAt), ExpiresAt: Stamp(c.ExpiresAt), EndedAt: Stamp(c.EndedAt), EndedBy: string(c.EndedBy), Label: c.Label,
	}
	if c.UsedFrom.IsValid() {
		v.UsedFrom = c.UsedFrom.String()
	}
	switch {
	case !c.EndedAt.IsZero():
		v.State = "ended"
	case !c.ExpiresAt.After(now):
		v.State = "expired"
	}
	return v
}

// EndConnection ends one connection. Where no other lives between its account and its
// app, what the person had allowed is forgotten too, so that the app has to ask again.
func (s *Service) EndConnection(ctx context.Context, who Actor, id symbolon.ConnectionID) error {
	none := &Fault{Kind: symbolon.NotFound, Says: fmt.Sprintf("there is no connection %s", id)}
	if id == (symbolon.ConnectionID{}) { // the store reads zero as any
		return none
	}
	found, err := s.Store.Connections(ctx, symbolon.ConnectionQuery{ID: id, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return none
	}
	if _, err := s.App(ctx, who, found[0].Client); err != nil {
		if symbolon.KindOf(err) == symbolon.NotFound && !who.Operator {
			return none
		}
		if symbolon.KindOf(err) != symbolon.NotFound {
			return err
		}
	}
	end, err := oauth.EndOf(ctx, s.Store, &found[0], symbolon.ByOperator, s.Now())
	if err != nil {
		return err
	}
	_, err = s.End(ctx, end)
	return err
}

// EndConnectionsOf ends every connection of an app.
func (s *Service) EndConnectionsOf(ctx context.Context, who Actor, id symbolon.ClientID) error {
	if _, err := s.App(ctx, who, id); err != nil {
		return err
	}
	_, err := s.End(ctx, symbolon.End{Client: id, Reason: symbolon.ByOperator})
	return err
}
