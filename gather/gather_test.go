package gather

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// job is a change that counts how often it ran and in which company.
type job struct {
	n    int
	ran  int
	size int
}

func run(batch []*job) {
	for _, j := range batch {
		j.ran++
		j.size = len(batch)
	}
}

func TestAChangeThatComesAloneRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(8, 8, run)
		defer g.Close()
		before := time.Now()
		j := &job{}
		if err := g.Do(t.Context(), j); err != nil || j.ran != 1 || j.size != 1 {
			t.Fatalf("got %v, %+v", err, j)
		}
		if waited := time.Since(before); waited != 0 {
			t.Fatalf("waited %v for company", waited)
		}
	})
}

func TestEachChangeRunsOnceInOrderAndWithItsOwnOutcome(t *testing.T) {
	const callers, each = 64, 500
	var total atomic.Int64
	var running atomic.Bool
	g := New(16, callers, func(batch []*job) {
		if running.Swap(true) {
			t.Error("two batches at a time")
		}
		if len(batch) > 16 {
			t.Errorf("%d changes in a batch", len(batch))
		}
		run(batch)
		total.Add(int64(len(batch)))
		running.Store(false)
	})
	var callersDone sync.WaitGroup
	for range callers {
		callersDone.Go(func() {
			for i := range each {
				j := &job{n: i}
				if err := g.Do(t.Context(), j); err != nil || j.ran != 1 || j.n != i {
					t.Errorf("got %v, %+v", err, j)
				}
			}
		})
	}
	callersDone.Wait()
	g.Close()
	if total.Load() != callers*each {
		t.Fatalf("%d changes ran, want %d", total.Load(), callers*each)
	}
}

func TestWhoIsReadyToRunJoins(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const callers = 32
	g := New(callers, callers, run)
	defer g.Close()
	jobs := make([]job, callers)
	var all sync.WaitGroup
	for i := range jobs {
		all.Go(func() {
			if err := g.Do(t.Context(), &jobs[i]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	largest := 0
	for i := range jobs {
		largest = max(largest, jobs[i].size)
	}
	if largest < callers/2 {
		t.Fatalf("the largest batch has %d of %d", largest, callers)
	}
}

// held returns a group that waits in its first batch until it is let go.
func held(batch, depth int) (*Group[*job], func()) {
	gate := make(chan struct{})
	var once sync.Once
	g := New(batch, depth, func(batch []*job) {
		<-gate
		run(batch)
	})
	return g, func() { once.Do(func() { close(gate) }) }
}

func TestWhatWaitsTogetherRunsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, release := held(8, 100)
		jobs := make([]*job, 21)
		for i := range jobs {
			jobs[i] = &job{}
			go g.Do(t.Context(), jobs[i])
			synctest.Wait()
		}
		release()
		time.Sleep(time.Second) // the pauses between crowded batches
		synctest.Wait()
		want := []int{1, 8, 8, 4} // the first was alone when it came
		var got []int
		for i := 0; i < len(jobs); i += jobs[i].size {
			got = append(got, jobs[i].size)
		}
		if len(got) != len(want) {
			t.Fatalf("batches of %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("batches of %v, want %v", got, want)
			}
		}
		g.Close()
	})
}

func TestAFullQueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, release := held(1, 2)
		for range 3 { // one runs, two wait
			go g.Do(t.Context(), &job{})
			synctest.Wait()
		}
		refused := &job{}
		if err := g.Do(t.Context(), refused); !errors.Is(err, ErrFull) {
			t.Fatalf("got %v", err)
		}
		release()
		synctest.Wait()
		if refused.ran != 0 {
			t.Fatal("a change that was refused ran")
		}
		if err := g.Do(t.Context(), &job{}); err != nil {
			t.Fatalf("after the queue emptied: %v", err)
		}
		g.Close()
	})
}

func TestAContextThatEndsBeforeItsTurnTakesTheChangeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, release := held(8, 1)
		go g.Do(t.Context(), &job{})
		synctest.Wait()
		left, ctx := &job{}, context.Context(nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := g.Do(ctx, left); !errors.Is(err, ErrAbandoned) {
			t.Fatalf("got %v", err)
		}
		// Its place is free again at once.
		next := &job{}
		go g.Do(t.Context(), next)
		synctest.Wait()
		release()
		synctest.Wait()
		if left.ran != 0 || next.ran != 1 {
			t.Fatalf("left ran %d times, next %d", left.ran, next.ran)
		}
		if err := g.Do(ctx, left); !errors.Is(err, ErrAbandoned) {
			t.Fatalf("a context that had ended before: got %v", err)
		}
		g.Close()
	})
}

func TestImpatientCallersDoNotMakeTheQueueGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, release := held(8, 4)
		go g.Do(t.Context(), &job{})
		synctest.Wait()
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if err := g.Do(ctx, &job{}); !errors.Is(err, ErrAbandoned) {
				t.Fatalf("got %v", err)
			}
			cancel()
		}
		if n := len(g.queue); n > 8 {
			t.Fatalf("%d entries in the queue", n)
		}
		release()
		g.Close()
	})
}

func TestAContextThatEndsAfterItsTurnWaitsForTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, release := held(8, 8)
		ctx, cancel := context.WithCancel(t.Context())
		j, result := &job{}, make(chan error, 1)
		go func() { result <- g.Do(ctx, j) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("returned %v before the outcome was known", err)
		default:
		}
		release()
		if err := <-result; err != nil || j.ran != 1 {
			t.Fatalf("got %v, %+v", err, j)
		}
		g.Close()
	})
}

func TestCloseFinishesWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, release := held(2, 100)
		jobs := make([]*job, 9)
		for i := range jobs {
			jobs[i] = &job{}
			go g.Do(t.Context(), jobs[i])
		}
		synctest.Wait()
		closed := make(chan struct{})
		go func() { g.Close(); close(closed) }()
		synctest.Wait()
		if err := g.Do(t.Context(), &job{}); !errors.Is(err, ErrClosed) {
			t.Fatalf("while closing: got %v", err)
		}
		release()
		<-closed
		synctest.Wait()
		for i, j := range jobs {
			if j.ran != 1 {
				t.Fatalf("job %d ran %d times", i, j.ran)
			}
		}
		g.Close()
	})
}

func BenchmarkDo(b *testing.B) {
	g := New(512, 4096, func(batch []*job) {})
	defer g.Close()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		j := &job{}
		for pb.Next() {
			if err := g.Do(ctx, j); err != nil {
				b.Error(err)
			}
		}
	})
}
