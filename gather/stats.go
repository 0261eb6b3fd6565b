package gather

import (
	"math/bits"
	"sync/atomic"
)

// sizes is how many classes of batches are told apart: up to 1, 2, 4 and so on
// to 512 changes, and more.
const sizes = 11

// Stats is what a group has done since it was made, and what waits now.
type Stats struct {
	// Sizes counts the batches: Sizes[i] those of at most Limit(i) changes and
	// more than Limit(i-1), the last those that are larger still.
	Sizes [sizes]uint64
	// Changes is how many changes were in them.
	Changes uint64
	// Full is how many changes were refused with ErrFull.
	Full uint64
	// Waiting is how many changes wait now, of Depth that may.
	Waiting, Depth int
}

// Limit is the most changes in a batch that Stats.Sizes counts under i.
func Limit(i int) int { return 1 << i }

// count is what a group counts as it goes. Each is one addition, without a lock.
type count struct {
	sizes   [sizes]atomic.Uint64
	changes atomic.Uint64
	full    atomic.Uint64
}

// ran counts a batch of n changes.
func (c *count) ran(n int) {
	c.sizes[min(bits.Len(uint(n-1)), sizes-1)].Add(1)
	c.changes.Add(uint64(n))
}

// Stats returns what the group has done and what waits. The counts are read one
// after the other while it goes on.
func (g *Group[T]) Stats() Stats {
	s := Stats{Changes: g.count.changes.Load(), Full: g.count.full.Load(), Waiting: g.waiting(), Depth: g.depth}
	for i := range s.Sizes {
		s.Sizes[i] = g.count.sizes[i].Load()
	}
	return s
}
