package oauth

import (
	"context"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// keySets holds the public keys of others in memory: those that stand in an
// app's settings, once they are parsed, and those that were fetched.
type keySets struct {
	mu    sync.Mutex
	known map[string]*keySet // by where they are from
}

// keySet is one set. What changes is guarded by the mutex of keySets.
type keySet struct {
	text string   // of which set was parsed, when it stands in settings
	set  *jwt.Set // nil until it could be had

	fetchedAt time.Time     // when set was fetched
	goodUntil time.Time     // when it is fetched again, whatever is asked of it
	triedAt   time.Time     // when fetching was last begun
	fetching  chan struct{} // closed when it ends; nil when no one fetches
}

const (
	// maxKeySets bounds the sets in memory.
	maxKeySets = 1000
	// A set that was fetched is kept for as long as its headers say, within these.
	minKeysAge, maxKeysAge = time.Minute, time.Hour
	// keysRetry is how long nothing is fetched after a fetch, whatever key is asked
	// for and however it ended, so that no one can make us send requests; while
	// there is no set yet, keysFirst.
	keysRetry = time.Minute
	keysFirst = 10 * time.Second
	// keysStale is how long a set still counts whose address does not answer.
	keysStale = 24 * time.Hour
)

func newKeySets() *keySets { return &keySets{known: make(map[string]*keySet)} }

// entry returns the set from a place, which may not have been had yet. The mutex
// is held.
func (k *keySets) entry(from string) *keySet {
	s := k.known[from]
	if s == nil {
		if len(k.known) >= maxKeySets {
			for other := range k.known { // any one: maps are in no order
				delete(k.known, other)
				break
			}
		}
		s = new(keySet)
		k.known[from] = s
	}
	return s
}

// appKeys returns the public keys of an app, from its settings or from where they
// say (RFC 7591 §2, jwks and jwks_uri). When the one that is looked for is not among
// those that are known, they are fetched again, since the app may have new ones.
func (e *Engine) appKeys(ctx context.Context, app *symbolon.App, has func(*jwt.Set) bool, now time.Time) (*jwt.Set, error) {
	set, err := e.keySet(ctx, string(app.ID), app.Settings.Keys, app.Settings.KeysURI, has, now)
	if err != nil {
		return nil, storeError(err).from(app.ID)
	}
	return set, nil
}

// keySet returns the set that stands in text, or else the one at uri. Owner tells
// apart the texts.
func (e *Engine) keySet(ctx context.Context, owner, text, uri string, has func(*jwt.Set) bool, now time.Time) (*jwt.Set, error) {
	if text != "" {
		return e.parsedSet(owner, text)
	}
	if uri == "" || e.cfg.Fetch == nil {
		return nil, refuse(InvalidClient, "No public key is registered with which the signature could be checked.")
	}
	for {
		e.keys.mu.Lock()
		s := e.keys.entry("uri " + uri)
		stale := s.set == nil || !now.Before(s.goodUntil) || !has(s.set)
		retry := keysRetry
		if s.set == nil {
			retry = keysFirst
		}
		if !stale || now.Sub(s.triedAt) < retry && s.fetching == nil {
			set := s.set
			usable := set != nil && now.Sub(s.fetchedAt) < keysStale
			wait := retry - now.Sub(s.triedAt)
			e.keys.mu.Unlock()
			if !usable {
				r := refuse(Unavailable, "The keys of the app cannot be fetched from its jwks_uri; see that it answers with a JWK Set.")
				r.RetryAfter = wait
				return nil, r
			}
			return set, nil
		}
		if wait := s.fetching; wait != nil {
			e.keys.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, symbolon.Wrap(symbolon.Busy, "fetch keys", ctx.Err())
			}
		}
		s.fetching, s.triedAt = make(chan struct{}), now
		e.keys.mu.Unlock()
		e.fetchSet(ctx, s, uri, now)
	}
}

// named is what a set must have for a JWT with this kid: that, or anything.
func named(kid string) func(*jwt.Set) bool {
	return func(s *jwt.Set) bool { return kid == "" || s.HasKeyID(kid) }
}

// parsedSet returns a set of the settings, which is parsed once.
func (e *Engine) parsedSet(owner, text string) (*jwt.Set, error) {
	e.keys.mu.Lock()
	defer e.keys.mu.Unlock()
	s := e.keys.entry("of " + owner)
	if s.set == nil || s.text != text {
		set, err := jwt.ParseSet([]byte(text))
		if err != nil {
			return nil, refuse(InvalidClient, "The public keys that are registered cannot be read; register them again.").detail(err.Error())
		}
		s.text, s.set = text, set
	}
	return s.set, nil
}

// fetchSet fetches a set that no one else fetches. When that fails, the one from
// before is kept.
func (e *Engine) fetchSet(ctx context.Context, s *keySet, uri string, now time.Time) {
	var set *jwt.Set
	var maxAge time.Duration
	defer func() {
		e.keys.mu.Lock()
		defer e.keys.mu.Unlock()
		if set != nil {
			s.set, s.fetchedAt, s.goodUntil = set, now, now.Add(min(max(maxAge, minKeysAge), maxKeysAge))
		}
		close(s.fetching)
		s.fetching = nil
	}()
	// Others wait for it too, so it does not end with this request.
	body, age, err := e.cfg.Fetch(context.WithoutCancel(ctx), uri)
	if err != nil {
		return
	}
	if parsed, err := jwt.ParseSet(body); err == nil {
		set, maxAge = parsed, age
	}
}
