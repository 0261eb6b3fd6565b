package gather

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// What an operator sees of a group: how large its batches were, what waits, and
// what was refused.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		g := New(4, 6, func([]*job) { <-hold })
		var asked sync.WaitGroup
		ask := func(n int) {
			for range n {
				asked.Go(func() {
					if err := g.Do(t.Context(), new(job)); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		ask(1) // runs alone, and is held
		ask(6) // wait
		if err := g.Do(t.Context(), new(job)); !errors.Is(err, ErrFull) {
			t.Errorf("the seventh that would wait got %v", err)
		}
		if s := g.Stats(); s.Waiting != 6 || s.Depth != 6 || s.Full != 1 {
			t.Errorf("while one runs: %+v", s)
		}
		close(hold)
		asked.Wait()
		g.Close()
		// 1, 4 and 2: the limits are 1, 2, 4.
		if s := g.Stats(); s.Sizes != [sizes]uint64{1, 1, 1} || s.Changes != 7 || s.Waiting != 0 {
			t.Errorf("at the end: %+v", s)
		}
	})
}

func TestSizesOfBatches(t *testing.T) {
	for n, class := range map[int]int{1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 512: 9, 513: 10, 1 << 20: 10} {
		var c count
		c.ran(n)
		if c.sizes[class].Load() != 1 || class < sizes-1 && (n > Limit(class) || class > 0 && n <= Limit(class-1)) {
			t.Errorf("a batch of %d is not counted under %d", n, class)
		}
	}
}
