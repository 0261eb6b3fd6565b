package bearer

import (
	"context"
	"sync"
	"time"
)

// flights makes callers who want the same thing at the same moment share one
// request for it.
type flights[K comparable, V any] struct {
	mu      sync.Mutex
	running map[K]*flight[V]
}

type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// do returns what fetch returns, for all that call with the same key before it
// has. A caller that goes takes nothing from the others.
func (f *flights[K, V]) do(ctx context.Context, key K, fetch func(context.Context) (V, error)) (V, error) {
	f.mu.Lock()
	c := f.running[key]
	if c == nil {
		c = &flight[V]{done: make(chan struct{})}
		if f.running == nil {
			f.running = make(map[K]*flight[V])
		}
		f.running[key] = c
		go func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
			defer cancel()
			c.value, c.err = fetch(ctx)
			f.mu.Lock()
			delete(f.running, key)
			f.mu.Unlock()
			close(c.done)
		}()
	}
	f.mu.Unlock()
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// kept is a document of the server that is read when it is needed, and again
// when it is old.
type kept[V any] struct {
	fetch func(context.Context) (V, error)
	now   func() time.Time

	flights flights[struct{}, V]
	mu      sync.Mutex
	value   V
	good    time.Time // when value was read; zero before
	tried   time.Time // when reading it ended last, well or not
	err     error     // how
}

// failedFor is how long a failure is remembered, so that a server that comes back
// is not met by all at once.
const failedFor = time.Second

// get returns the document, read again when it is older than age. It reports
// whether there is one: an old one is better than none, for keysStale. The error
// is why it could not be read the last time.
func (k *kept[V]) get(ctx context.Context, age time.Duration) (V, bool, error) {
	now := k.now()
	k.mu.Lock()
	if !k.good.IsZero() && now.Sub(k.good) < age {
		defer k.mu.Unlock()
		return k.value, true, nil
	}
	if k.err != nil && now.Sub(k.tried) < failedFor && !now.Before(k.tried) {
		defer k.mu.Unlock()
		return k.held(now)
	}
	k.mu.Unlock()
	_, err := k.flights.do(ctx, struct{}{}, func(ctx context.Context) (V, error) {
		value, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tried, k.err = k.now(), err
		if err == nil {
			k.value, k.good = value, k.tried
		}
		return value, err
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	value, have, last := k.held(k.now())
	if err != nil {
		last = err // this caller's own, when it was the one to go
	}
	return value, have, last
}

// held returns what there is. The lock is held.
func (k *kept[V]) held(now time.Time) (V, bool, error) {
	if k.good.IsZero() || now.Sub(k.good) >= keysStale {
		var none V
		return none, false, k.err
	}
	return k.value, true, k.err
}

// cache holds values for a short time, in two generations of half its size each:
// when the younger is full it becomes the older, and what was older is forgotten.
type cache[V any] struct {
	mu            sync.Mutex
	half          int
	recent, older map[[32]byte]cached[V]
}

type cached[V any] struct {
	value V
	until time.Time
}

func newCache[V any](size int) *cache[V] {
	return &cache[V]{half: size / 2, recent: make(map[[32]byte]cached[V])}
}

func (c *cache[V]) find(key [32]byte, now time.Time) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.recent[key]
	if !ok {
		e, ok = c.older[key]
	}
	if !ok || !now.Before(e.until) {
		var none V
		return none, false
	}
	return e.value, true
}

func (c *cache[V]) keep(key [32]byte, value V, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.recent[key]; !there && len(c.recent) >= c.half {
		c.older, c.recent = c.recent, make(map[[32]byte]cached[V])
	}
	c.recent[key] = cached[V]{value, until}
}

func (c *cache[V]) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.recent) + len(c.older)
}
