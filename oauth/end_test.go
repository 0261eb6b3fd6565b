package oauth

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// quicker is a store in which something happens between the reading of the clock by who
// ends something, and the commit.
type quicker struct {
	symbolon.Store
	before func()
}

func (s *quicker) End(ctx context.Context, e symbolon.End) (int, error) {
	s.before()
	return s.Store.End(ctx, e)
}

// What connects between the reading of the clock and the commit is over as well, when all
// of an account or of an app ends.
func TestEndEndsWhatConnectsMeanwhile(t *testing.T) {
	for name, of := range map[string]func(w *world) symbolon.End{
		"account": func(w *world) symbolon.End { return symbolon.End{Account: w.U1.ID} },
		"app":     func(w *world) symbolon.End { return symbolon.End{Client: w.C1.ID} },
		"pair":    func(w *world) symbolon.End { return symbolon.End{Account: w.U1.ID, Client: w.C1.ID} },
	} {
		store := &quicker{Store: storetest.NewMemory(), before: func() {}}
		w := newWorldOn(t, func(symbolon.Clock) symbolon.Store { return store })
		first := w.connected(&w.C1)
		w.clock.pass(time.Second)
		var tokens *TokenResponse
		store.before = sync.OnceFunc(func() {
			w.clock.pass(time.Millisecond)
			tokens = w.connected(&w.C1)
			w.clock.pass(time.Millisecond)
		})
		end := of(w)
		end.Reason = symbolon.ByPerson
		if _, err := w.Engine.End(w.ctx, end); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.dead(first)
		w.dead(tokens)
	}
}
