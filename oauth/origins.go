package oauth

import (
	"context"
	"net/url"
	"sync"

	"github.com/symbolon/symbolon"
)

// origins knows from which origins apps in browsers may call: those of the
// registered redirect URIs (RFC 9700 §2.6, OAuth for browser-based apps). A
// preflight names no app, so the set is that of all apps together; what an app
// may do is decided by the request itself.
type origins struct {
	store symbolon.Store

	mu     sync.Mutex
	loaded bool                           // all apps were read once
	stale  map[symbolon.ClientID]struct{} // to be read again
	byApp  map[symbolon.ClientID][]string
	count  map[string]int // by how many redirect URIs an origin is named
}

func newOrigins(store symbolon.Store) *origins {
	return &origins{
		store: store,
		stale: make(map[symbolon.ClientID]struct{}),
		byApp: make(map[symbolon.ClientID][]string),
		count: make(map[string]int),
	}
}

// appsAtOnce is how many apps are read at a time.
const appsAtOnce = 500

// has reports whether an Origin header names the origin of a registered app,
// byte for byte.
func (o *origins) has(ctx context.Context, origin string) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.loaded {
		var after symbolon.ClientID
		for {
			apps, err := o.store.Apps(ctx, symbolon.AppQuery{After: after, Limit: appsAtOnce})
			if err != nil {
				return false, err
			}
			for i := range apps {
				o.set(apps[i].ID, apps[i].RedirectURIs)
				after = apps[i].ID
			}
			if len(apps) < appsAtOnce {
				break
			}
		}
		o.loaded = true
	}
	for id := range o.stale {
		apps, err := o.store.Apps(ctx, symbolon.AppQuery{ID: id, Limit: 1})
		if err != nil {
			return false, err
		}
		var uris []string
		if len(apps) == 1 {
			uris = apps[0].RedirectURIs
		}
		o.set(id, uris)
		delete(o.stale, id)
	}
	return o.count[origin] > 0, nil
}

func (o *origins) set(id symbolon.ClientID, uris []string) {
	for _, origin := range o.byApp[id] {
		if o.count[origin]--; o.count[origin] == 0 {
			delete(o.count, origin)
		}
	}
	delete(o.byApp, id)
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			continue
		}
		origin := u.Scheme + "://" + u.Host
		o.byApp[id] = append(o.byApp[id], origin)
		o.count[origin]++
	}
}

// changed is told of every change in the store.
func (o *origins) changed(c symbolon.Change) error {
	if c.Kind != symbolon.AppChanged && c.Kind != symbolon.AppEnded {
		return nil
	}
	o.mu.Lock()
	o.stale[c.Client] = struct{}{}
	o.mu.Unlock()
	return nil
}

// forgetAll is told that what is held may be anything: all of it is read again.
func (o *origins) forgetAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.loaded = false
	clear(o.stale)
	clear(o.byApp)
	clear(o.count)
}

// KnowsOrigin reports whether a script of this origin may read the answers of
// the API.
func (e *Engine) KnowsOrigin(ctx context.Context, origin string) (bool, error) {
	if err := e.feed.Fresh(ctx); err != nil {
		return false, storeError(err)
	}
	known, err := e.origins.has(ctx, origin)
	if err != nil {
		return false, storeError(err)
	}
	return known, nil
}
