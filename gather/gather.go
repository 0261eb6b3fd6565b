// Package gather lets many goroutines share one commit. Changes that wait at
// the same moment are handed to one goroutine as one batch; each caller gets its
// own outcome once the whole batch is done.
//
// A change that comes alone runs alone, at once. A batch is what came while the
// one before it ran, and what others that are ready to run bring along; under
// load it is waited for half a millisecond, which costs nobody anything that a
// smaller batch would not cost all.
package gather

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrFull means that too many changes wait. Nothing was done.
	ErrFull = errors.New("gather: too many changes wait")
	// ErrClosed means that Close was called before. Nothing was done.
	ErrClosed = errors.New("gather: closed")
	// ErrAbandoned means that the caller's context ended before its change was
	// taken up. Nothing was done.
	ErrAbandoned = errors.New("gather: the caller left before its turn")
)

// Group gathers changes of type T. T is a pointer to something that also takes
// the outcome: the batch function writes it, the caller reads it after Do.
type Group[T any] struct {
	run   func(batch []T)
	batch int // the most changes in one batch
	depth int // the most changes that wait
	tell  atomic.Pointer[func(Batch)]

	count count
	pool  sync.Pool     // of *waiter[T]
	wake  chan struct{} // tells the sleeping loop that there is something to do
	done  chan struct{} // closed when the loop has ended

	mu     sync.Mutex
	queue  []*waiter[T] // in the order of arrival; mu
	live   int          // how many of the queue still wait; mu
	closed bool         // mu
}

// waiter is one change on its way. It belongs to the queue until it is taken
// up, then to the loop until it is told, then to its caller again.
type waiter[T any] struct {
	change T
	caller context.Context // set while someone is told of batches
	state  state           // the group's mu
	told   chan struct{}   // holds one signal: the outcome is there
}

type state uint8

const (
	waiting state = iota
	taken
	abandoned
)

const (
	// crowd is how many changes in one batch count as load.
	crowd = 16
	// pause is how long the next batch is waited for then: less than a batch
	// and its commit take.
	pause = 500 * time.Microsecond
)

// New starts a group whose batches are run by run, one at a time, with at most
// batch changes each. More than depth waiting changes are refused. run must
// not keep the slice.
func New[T any](batch, depth int, run func(batch []T)) *Group[T] {
	g := &Group[T]{
		run:   run,
		batch: batch,
		depth: depth,
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	g.pool.New = func() any { return &waiter[T]{told: make(chan struct{}, 1)} }
	go g.loop()
	return g
}

// Do has the change run in a batch and returns nil after that batch. Any error
// means that the change was not taken up and never will be: ErrFull, ErrClosed,
// or ErrAbandoned when ctx ended first. Once a change is taken up, Do waits for
// its outcome whatever becomes of ctx.
func (g *Group[T]) Do(ctx context.Context, change T) error {
	w := g.pool.Get().(*waiter[T])
	w.change, w.state = change, waiting
	if g.tell.Load() != nil {
		w.caller = ctx
	}
	if err := g.enqueue(ctx, w); err != nil {
		g.release(w)
		return err
	}
	select {
	case <-w.told:
	case <-ctx.Done():
		if g.abandon(w) {
			return ErrAbandoned // still in the queue, so not back to the pool
		}
		<-w.told
	}
	g.release(w)
	return nil
}

func (g *Group[T]) enqueue(ctx context.Context, w *waiter[T]) error {
	if ctx.Err() != nil {
		return ErrAbandoned
	}
	g.mu.Lock()
	switch {
	case g.closed:
		g.mu.Unlock()
		return ErrClosed
	case g.live >= g.depth:
		g.mu.Unlock()
		g.count.full.Add(1)
		return ErrFull
	}
	g.queue = append(g.queue, w)
	g.live++
	first := len(g.queue) == 1
	g.mu.Unlock()
	if first { // otherwise the loop has been told already, and has not looked yet
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// abandon takes a change back, unless it was taken up already.
func (g *Group[T]) abandon(w *waiter[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.state == taken {
		return false
	}
	w.state = abandoned
	g.live--
	if len(g.queue) >= 2*g.depth {
		// A long batch and impatient callers: do not let the queue grow.
		g.queue = slices.DeleteFunc(g.queue, func(w *waiter[T]) bool { return w.state == abandoned })
	}
	return true
}

func (g *Group[T]) release(w *waiter[T]) {
	var none T
	w.change, w.caller = none, nil
	g.pool.Put(w)
}

// loop runs batch after batch until the group is closed and nothing waits.
func (g *Group[T]) loop() {
	defer close(g.done)
	waiters := make([]*waiter[T], 0, g.batch)
	changes := make([]T, 0, g.batch)
	for {
		if len(waiters) >= crowd {
			// Under load the next batch would be cut short by whoever comes
			// first. The commit costs much the same however many share it, so
			// a moment's wait for the others is less for all of them.
			time.Sleep(pause)
		}
		g.invite()
		var closed bool
		waiters, closed = g.take(waiters[:0])
		if len(waiters) == 0 {
			if closed {
				return
			}
			<-g.wake
			continue
		}
		changes = changes[:0]
		for _, w := range waiters {
			changes = append(changes, w.change)
		}
		g.count.ran(len(changes)) // before anyone is told, so that who was told is counted
		batch := g.begin(waiters)
		g.run(changes)
		clear(changes)
		for _, w := range waiters {
			w.told <- struct{}{} // never blocks: told has room for the one signal
		}
		g.end(batch)
	}
}

// invite lets callers run that are ready to, when some wait already. With
// nothing else to do for the processor it takes no time; on a busy one those
// callers join this batch instead of the next, and a larger batch costs less for
// each. Once is enough: to wait until no more come would gather everyone into
// one batch, with nobody left to use the processor while it is made durable.
func (g *Group[T]) invite() {
	if n := g.waiting(); n > 0 && n < g.batch {
		runtime.Gosched()
	}
}

func (g *Group[T]) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.live
}

// take moves the front of the queue into into.
func (g *Group[T]) take(into []*waiter[T]) ([]*waiter[T], bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for n < len(g.queue) && len(into) < g.batch {
		w := g.queue[n]
		n++
		if w.state == abandoned {
			continue
		}
		w.state = taken
		g.live--
		into = append(into, w)
	}
	rest := copy(g.queue, g.queue[n:])
	clear(g.queue[rest:])
	g.queue = g.queue[:rest]
	return into, g.closed
}

// Close refuses further changes, waits until those that were accepted have
// run, and ends the group's goroutine. It may be called more than once.
func (g *Group[T]) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	<-g.done
}
