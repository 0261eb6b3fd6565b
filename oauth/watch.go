package oauth

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
)

// Happening is something that happened to a connection, for a page that watches.
type Happening struct {
	Type symbolon.EventKind
	// Connection is zero when it is about all of the account's, or all of the app's.
	Connection symbolon.ConnectionID
	Account    symbolon.AccountID
	Client     symbolon.ClientID
	Why        string
	At         time.Time
}

// watchers are those who watch the connections of an app. What a node does itself they
// hear at once; of other nodes, what ended there, as the changes say it.
type watchers struct {
	count atomic.Int64
	mu    sync.Mutex
	of    map[symbolon.ClientID][]*Watcher
}

const (
	// maxWatchers bounds those of a node, maxWatchersOfApp those of one app.
	maxWatchers      = 256
	maxWatchersOfApp = 16
	// watcherBuffer is how much a watcher may have before it that it has not read.
	watcherBuffer = 64
	// freshChange is how old a change may be that is still told: after a start and
	// after a restore the changes of days are read.
	freshChange = time.Minute
)

// Watcher hears what happens to the connections of one app.
type Watcher struct {
	engine *Engine
	client symbolon.ClientID
	what   chan Happening
	lost   atomic.Bool
}

// Watch begins to watch the connections of an app, until Stop. It is for whoever may see
// them all: the caller has made sure of that. The error is of kind Busy when too many
// watch.
func (e *Engine) Watch(client symbolon.ClientID) (*Watcher, error) {
	w := &Watcher{engine: e, client: client, what: make(chan Happening, watcherBuffer)}
	e.watchers.mu.Lock()
	defer e.watchers.mu.Unlock()
	if e.watchers.count.Load() >= maxWatchers || len(e.watchers.of[client]) >= maxWatchersOfApp {
		return nil, symbolon.Errorf(symbolon.Busy, "watch", "too many watch already")
	}
	e.watchers.of[client] = append(e.watchers.of[client], w)
	e.watchers.count.Add(1)
	return w, nil
}

// Stop ends it. It may be called once.
func (w *Watcher) Stop() {
	all := &w.engine.watchers
	all.mu.Lock()
	defer all.mu.Unlock()
	list := all.of[w.client]
	for i, other := range list {
		if other == w {
			list = append(list[:i:i], list[i+1:]...)
			all.count.Add(-1)
			break
		}
	}
	if all.of[w.client] = list; len(list) == 0 {
		delete(all.of, w.client)
	}
}

// What brings what happens. Each goes through About before it is shown.
func (w *Watcher) What() <-chan Happening { return w.what }

// Lost reports, once, whether something was left out since the watcher was too slow:
// then what it shows must be read anew.
func (w *Watcher) Lost() bool { return w.lost.Swap(false) }

// About completes what happened from the store, and reports whether it is about the app
// at all: the end of an account is, when it had a connection to the app.
func (w *Watcher) About(ctx context.Context, h *Happening) (bool, error) {
	if h.Client != "" && (h.Connection == symbolon.ConnectionID{} || h.Type != symbolon.EventEnded) {
		return true, nil
	}
	q := symbolon.ConnectionQuery{ID: h.Connection, Account: h.Account, Client: w.client, Limit: 1}
	rows, err := w.engine.store.Connections(ctx, q)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	h.Client = w.client
	if h.Why == "" {
		h.Why = string(rows[0].EndedBy)
	}
	return true, nil
}

// happened tells those who watch. It never waits, and costs nothing when nobody does.
func (e *Engine) happened(h Happening) {
	if e.watchers.count.Load() == 0 {
		return
	}
	e.watchers.mu.Lock()
	defer e.watchers.mu.Unlock()
	if h.Client != "" {
		for _, w := range e.watchers.of[h.Client] {
			w.put(h)
		}
		return
	}
	for _, list := range e.watchers.of {
		for _, w := range list {
			w.put(h)
		}
	}
}

func (w *Watcher) put(h Happening) {
	select {
	case w.what <- h:
	default:
		w.lost.Store(true)
	}
}

// heardOf takes up a change of the feed for those who watch.
func (e *Engine) heardOf(c symbolon.Change) error {
	if e.watchers.count.Load() == 0 || e.clock.Now().Sub(c.At) > freshChange {
		return nil
	}
	h := Happening{Type: symbolon.EventEnded, Connection: c.ID, Account: c.Account, Client: c.Client, At: c.At}
	switch c.Kind {
	case symbolon.ConnectionEnded:
		if c.Client == "" {
			return nil // a token that has no connection
		}
	case symbolon.AccountEnded, symbolon.AppEnded, symbolon.PairEnded:
	default:
		return nil
	}
	e.happened(h)
	return nil
}
