package gather

import (
	"context"
	"time"
)

// Batch is what is told of a batch that has run.
type Batch struct {
	// Callers are the contexts of those whose changes were in it. They are not to be
	// kept.
	Callers []context.Context
	// Began is when it was taken up, Ended when its outcomes were there.
	Began, Ended time.Time
}

// OnBatch has a function told of every batch from now on, after those who waited
// for it. It holds up the next batch.
func (g *Group[T]) OnBatch(tell func(Batch)) { g.tell.Store(&tell) }

// begin notes what is to be told of a batch: nothing when no one wants to know.
func (g *Group[T]) begin(waiters []*waiter[T]) Batch {
	if g.tell.Load() == nil {
		return Batch{}
	}
	b := Batch{Began: time.Now(), Callers: make([]context.Context, 0, len(waiters))}
	for _, w := range waiters {
		if w.caller != nil { // else it came before anyone wanted to know
			b.Callers = append(b.Callers, w.caller)
		}
	}
	return b
}

func (g *Group[T]) end(b Batch) {
	if tell := g.tell.Load(); tell != nil && len(b.Callers) > 0 {
		b.Ended = time.Now()
		(*tell)(b)
	}
}
