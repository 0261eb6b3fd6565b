package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// TrailLinks are the paths of the pages about the requests of an app, each with its query:
// "/console/requests?app=…". The id of a request, and what is shown, is added to it.
type TrailLinks struct {
	// List is the page of all, Entry that of one, and Back leads out of them, or is
	// empty.
	List, Entry, Back string
}

// TrailPage lists the last requests of an app. It loads itself again when it is Live.
type TrailPage struct {
	TrailLinks
	Console ConsoleFrame
	prefix  string // of our paths
	// App is whose requests they are; Named is not set for those that named none.
	App   AppView
	Named bool
	Rows  []TrailView
	// Failed says that only what failed is shown, Off that nothing is kept.
	Failed, Live, Off bool
	last              int64 // the id of the last row, where there are more
}

func (*TrailPage) template() string     { return "trail" }
func (*TrailPage) headers() pageHeaders { return pageHeaders{} }

// URL is the address of the page, as it shows other things.
func (p *TrailPage) URL(failed, live bool) string {
	q := url.Values{}
	if failed {
		q.Set("failed", "1")
	}
	if live {
		q.Set("live", "1")
	}
	return p.prefix + with(p.List, q)
}

// Older is the address of the page of what came before, or empty.
func (p *TrailPage) Older() string {
	if p.last == 0 {
		return ""
	}
	q := url.Values{"before": {strconv.FormatInt(p.last, 10)}}
	if p.Failed {
		q.Set("failed", "1")
	}
	return p.prefix + with(p.List, q)
}

// EntryURL is the address of the page of one request.
func (p *TrailPage) EntryURL(id string) string {
	return p.prefix + with(p.Entry, url.Values{"id": {id}})
}

// with adds parameters to a path, which may have some.
func with(path string, q url.Values) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	all := u.Query()
	for name, values := range q {
		all[name] = values
	}
	u.RawQuery = all.Encode()
	return u.String()
}

// TrailEntryPage explains one request.
type TrailEntryPage struct {
	TrailView
	TrailLinks
	Console ConsoleFrame
}

func (*TrailEntryPage) template() string     { return "trail-entry" }
func (*TrailEntryPage) headers() pageHeaders { return pageHeaders{} }

// trailRows is how many requests a page lists.
const trailRows = 50

// trailRefresh is after how many seconds a live page loads itself again.
const trailRefresh = "3"

// trailPage shows the last requests of an app, or, where app is nil, those that named
// none. Whoever calls it has looked whether the person may see them.
func (h *Handler) trailPage(w http.ResponseWriter, r *http.Request, ev *event, app *symbolon.App, links TrailLinks, frame ConsoleFrame) error {
	p := &TrailPage{TrailLinks: links, Console: frame, prefix: h.prefix, Off: h.Trail == nil}
	q := symbolon.TrailQuery{Limit: trailRows + 1}
	if app != nil {
		p.App, p.Named, q.Client = NewAppView(app), true, app.ID
	}
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The query has more than 100 parameters."}
	}
	p.Failed, p.Live = params.First("failed") == "1", params.First("live") == "1"
	q.Failed = p.Failed
	if before, err := strconv.ParseInt(params.First("before"), 10, 64); err == nil && before > 0 {
		q.Before, p.Live = before, false
	}
	if !p.Off {
		list, err := h.Trail.Store.Trail(r.Context(), q)
		if err != nil {
			return err
		}
		if len(list) > trailRows {
			list = list[:trailRows]
			p.last = list[trailRows-1].ID
		}
		for i := range list {
			p.Rows = append(p.Rows, NewTrailView(&list[i], nil))
		}
	}
	if p.Live {
		// A header, so that it works without a script: the person asked for it, and can
		// stop it.
		w.Header().Set("Refresh", trailRefresh)
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// trailEntryPage explains a request, which TrailEntry returned. Whoever calls it has
// looked whether the person may see the entry's app, or is an operator where it has none.
func (h *Handler) trailEntryPage(w http.ResponseWriter, r *http.Request, ev *event, entry *symbolon.TrailEntry, links TrailLinks, frame ConsoleFrame) error {
	connection, err := h.trailConnection(r.Context(), entry)
	if err != nil {
		return err
	}
	h.render(w, r, ev, http.StatusOK, &TrailEntryPage{TrailView: NewTrailView(entry, connection), TrailLinks: links, Console: frame})
	return nil
}

// trailConnection returns the connection that an entry names, or nil.
func (h *Handler) trailConnection(ctx context.Context, e *symbolon.TrailEntry) (*symbolon.Connection, error) {
	return TrailConnection(ctx, h.Store, e)
}

// TrailConnection returns the row of the connection that an entry names, as it is now, or
// nil.
func TrailConnection(ctx context.Context, store symbolon.Store, e *symbolon.TrailEntry) (*symbolon.Connection, error) {
	id, err := symbolon.ParseConnectionID(e.Connection)
	if err != nil {
		return nil, nil
	}
	list, err := store.Connections(ctx, symbolon.ConnectionQuery{ID: id, Limit: 1})
	if err != nil || len(list) == 0 || list[0].Client != e.Client {
		return nil, err
	}
	return &list[0], nil
}
