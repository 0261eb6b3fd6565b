package signin

import (
	"hash/maphash"
	"sync"
	"time"
)

// Rate is what a bucket allows: Burst uses at once, and one more each Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Buckets is a table of token buckets, one a key, all of one Rate. A bucket is
// one moment: when it will be full again. It holds a bounded number of keys;
// past that, those that were not used for longest are forgotten, which fills
// their buckets. It is safe for concurrent use.
type Buckets struct {
	rate Rate
	half int // keys a generation
	seed maphash.Seed

	mu sync.Mutex
	// Keys are kept as 64-bit hashes under a secret seed, so that a key costs
	// the same memory however long a stranger makes it. A use moves a key to
	// young; when young is half the table, old is forgotten and young grows
	// old.
	young, old map[uint64]time.Time
}

// NewBuckets returns a table for at most keys keys, at least 2.
func NewBuckets(rate Rate, keys int) *Buckets {
	return &Buckets{
		rate:  rate,
		half:  max(keys/2, 1),
		seed:  maphash.MakeSeed(),
		young: map[uint64]time.Time{},
	}
}

// Take uses one token of the bucket of key and returns 0, or, when there is
// none, uses nothing and returns how long it will be until there is one.
func (b *Buckets) Take(now time.Time, key string) (wait time.Duration) {
	k := maphash.String(b.seed, key)
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.full(now, k)
	if wait := full.Sub(now) - time.Duration(b.rate.Burst-1)*b.rate.Every; wait > 0 {
		return wait
	}
	b.put(k, full.Add(b.rate.Every))
	return 0
}

// GiveBack returns the token that a Take of key used.
func (b *Buckets) GiveBack(now time.Time, key string) {
	k := maphash.String(b.seed, key)
	b.mu.Lock()
	defer b.mu.Unlock()
	if full := b.full(now, k); full.After(now) {
		b.put(k, full.Add(-b.rate.Every))
	}
}

// full returns when the bucket is full again: now, if it is.
func (b *Buckets) full(now time.Time, k uint64) time.Time {
	full, ok := b.young[k]
	if !ok {
		full = b.old[k]
	}
	if full.Before(now) {
		return now
	}
	return full
}

func (b *Buckets) put(k uint64, full time.Time) {
	if _, ok := b.young[k]; !ok && len(b.young) >= b.half {
		b.old, b.young = b.young, make(map[uint64]time.Time)
	}
	b.young[k] = full
}

// len returns how many keys are held.
func (b *Buckets) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.young) + len(b.old)
}
