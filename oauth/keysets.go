package oauth

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// keySets holds the public keys of others in memory: those that stand in an
// app's settings, once they are parsed, and those that were fetched.
type keySets struct {
	// pace bounds the fetches for strangers; nil where there are none.
	pace *pace

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

// Fetches in a minute for apps that registered themselves and that no one has
// allowed yet: of the key sets at one host, and of all.
const (
	strangersPerHost = 5
	strangersInAll   = 30
)

// newStrangers holds the key sets of apps that registered themselves and that no
// one has allowed yet. Anyone can make as many of these as they like, so they are
// kept apart: they neither drive out the keys of an app that is used nor take from
// it what may be fetched in a minute.
func newStrangers() *keySets {
	k := newKeySets()
	k.pace = newPace(strangersPerHost, strangersInAll)
	return k
}

// tooMany counts a fetch and returns how long to wait when there were too many.
func (k *keySets) tooMany(uri string, now time.Time) time.Duration {
	if k.pace == nil {
		return 0
	}
	host := uri
	if u, err := url.Parse(uri); err == nil {
		host = strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	}
	return k.pace.add(host, now)
}

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
	from := e.keys
	if r := app.Settings.Registration; r != nil && (app.Version == 0 || !used(app)) {
		from = e.strangers
	}
	set, err := e.keySet(ctx, from, string(app.ID), app.Settings.Keys, app.Settings.KeysURI, has, now)
	if err != nil {
		return nil, storeError(err).from(app.ID)
	}
	return set, nil
}

// keySet returns the set that stands in text, or else the one at uri. Owner tells
// apart the texts.
func (e *Engine) keySet(ctx context.Context, known *keySets, owner, text, uri string, has func(*jwt.Set) bool, now time.Time) (*jwt.Set, error) {
	if text != "" {
		return known.parsed(owner, text)
	}
	if uri == "" || e.cfg.Fetch == nil {
		return nil, refuse(InvalidClient, "No public key is registered with which the signature could be checked.")
	}
	for {
		known.mu.Lock()
		s := known.entry("uri " + uri)
		stale := s.set == nil || !now.Before(s.goodUntil) || !has(s.set)
		retry := keysRetry
		if s.set == nil {
			retry = keysFirst
		}
		if !stale || now.Sub(s.triedAt) < retry && s.fetching == nil {
			set := s.set
			usable := set != nil && now.Sub(s.fetchedAt) < keysStale
			wait := retry - now.Sub(s.triedAt)
			known.mu.Unlock()
			if !usable {
				r := refuse(Unavailable, "The keys of the app cannot be fetched from its jwks_uri; see that it answers with a JWK Set.")
				r.RetryAfter = wait
				return nil, r
			}
			return set, nil
		}
		if wait := s.fetching; wait != nil {
			known.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, symbolon.Wrap(symbolon.Busy, "fetch keys", ctx.Err())
			}
		}
		if wait := known.tooMany(uri, now); wait > 0 {
			known.mu.Unlock()
			r := refuse(TooManyRequests, "Too many keys of apps that no one has allowed yet are being fetched; wait as long as Retry-After says.")
			r.RetryAfter = wait
			return nil, r
		}
		s.fetching, s.triedAt = make(chan struct{}), now
		known.mu.Unlock()
		e.fetchSet(ctx, known, s, uri, now)
	}
}

// named is what a set must have for a JWT with this kid: that, or anything.
func named(kid string) func(*jwt.Set) bool {
	return func(s *jwt.Set) bool { return kid == "" || s.HasKeyID(kid) }
}

// parsed returns a set of the settings, which is parsed once.
func (k *keySets) parsed(owner, text string) (*jwt.Set, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.entry("of " + owner)
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
func (e *Engine) fetchSet(ctx context.Context, known *keySets, s *keySet, uri string, now time.Time) {
	var set *jwt.Set
	var maxAge time.Duration
	defer func() {
		known.mu.Lock()
		defer known.mu.Unlock()
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
