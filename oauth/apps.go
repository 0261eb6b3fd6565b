package oauth

import (
	"context"
	"sync"

	"github.com/symbolon/symbolon"
)

// maxApps bounds the apps held in memory.
const maxApps = 10_000

// apps holds registered apps in memory, until a change says that one is out of
// date.
type apps struct {
	store symbolon.Store

	mu   sync.RWMutex
	byID map[symbolon.ClientID]*symbolon.App
	// edits counts the changes seen, so that a row read before a change is not
	// kept after it.
	edits uint64
}

func newApps(store symbolon.Store) *apps {
	return &apps{store: store, byID: make(map[symbolon.ClientID]*symbolon.App)}
}

// get returns an app as its profile makes it, which must not be changed, or nil
// when there is none.
func (a *apps) get(ctx context.Context, id symbolon.ClientID) (*symbolon.App, error) {
	a.mu.RLock()
	app, edits := a.byID[id], a.edits
	a.mu.RUnlock()
	if app != nil {
		return app, nil
	}
	if !plausible(id) {
		return nil, nil
	}
	rows, err := a.store.Apps(ctx, symbolon.AppQuery{ID: id, Limit: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	app = byProfile(&rows[0])
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.edits == edits {
		if len(a.byID) >= maxApps {
			for other := range a.byID { // any one: maps are in no order
				delete(a.byID, other)
				break
			}
		}
		a.byID[id] = app
	}
	return app, nil
}

// plausible reports whether an id could be one of ours, so that nonsense does
// not reach the store.
func plausible(id symbolon.ClientID) bool {
	if id == "" || len(id) > 100 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return true
}

// forgetAll is told that what is held may be anything: all of it is read again.
func (a *apps) forgetAll() {
	a.mu.Lock()
	clear(a.byID)
	a.edits++
	a.mu.Unlock()
}

// changed is told of every change in the store.
func (a *apps) changed(c symbolon.Change) error {
	if c.Kind != symbolon.AppChanged && c.Kind != symbolon.AppEnded {
		return nil
	}
	a.mu.Lock()
	delete(a.byID, c.Client)
	a.edits++
	a.mu.Unlock()
	return nil
}
