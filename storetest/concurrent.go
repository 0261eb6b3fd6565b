package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// rounds is how often each race is run.
const rounds = 20

var concurrentCases = []testCase{
	{"B2: of 256 identical redemptions at one instant exactly one connects", func(w *world) {
		for range rounds {
			c := w.code()
			outcomes := make([]symbolon.ConnectOutcome, 256)
			w.atOnce(len(outcomes), func(i int) (err error) {
				outcomes[i], err = w.Connect(w.ctx, c)
				return err
			})
			tally := map[symbolon.ConnectOutcome]int{}
			for _, o := range outcomes {
				tally[o]++
			}
			w.equal(tally, map[symbolon.ConnectOutcome]int{symbolon.Connected: 1, symbolon.CodeReplayed: 255})
			w.equal(w.row(c.Connection.ID).EndedBy, symbolon.ByCodeReplay)
		}
	}},
	{"B39, SYM-RT-1: 64 identical refreshes at one instant have one and the same successor", func(w *world) {
		for range rounds {
			w.later(time.Second)
			id := w.connected()
			outcomes := make([]symbolon.RefreshOutcome, 64)
			w.atOnce(len(outcomes), func(i int) (err error) {
				r := w.token(id, 0)
				r.Now = w.now.Add(time.Duration(i) * time.Millisecond)
				outcomes[i], err = w.Refresh(w.ctx, r)
				return err
			})
			rotated := 0
			for _, o := range outcomes {
				if o.Result == symbolon.Rotated {
					rotated++
				}
				if o.Seq != 1 || !o.At.Equal(outcomes[0].At) || (o.Result != symbolon.Rotated && o.Result != symbolon.Repeated) {
					w.Fatalf("two answers to one refresh: %+v and %+v", o, outcomes[0])
				}
			}
			w.equal(rotated, 1)
		}
	}},
	{"B42, SYM-RT-6: refresh against end leaves nothing alive", func(w *world) {
		for range rounds {
			id := w.connected()
			w.atOnce(32, func(i int) error {
				if i == 16 {
					_, err := w.End(w.ctx, symbolon.End{Connection: id, Reason: symbolon.ByApp, Now: w.now})
					return err
				}
				_, err := w.Refresh(w.ctx, w.token(id, uint64(i/8)))
				return err
			})
			for seq := range uint64(6) {
				w.refused(w.token(id, seq), symbolon.RefreshEnded)
			}
		}
	}},
	{"what one caller was told is there for its next call, whatever others do", func(w *world) {
		w.atOnce(32, func(int) error {
			c := w.code()
			if _, err := w.Connect(w.ctx, c); err != nil {
				return err
			}
			for seq := range uint64(20) {
				got, err := w.Refresh(w.ctx, w.token(c.Connection.ID, seq))
				if err != nil {
					return err
				}
				if want := (symbolon.RefreshOutcome{Result: symbolon.Rotated, Seq: seq + 1, At: w.now, ExpiresAt: w.now.Add(90 * day)}); got != want {
					return symbolon.Errorf(symbolon.Internal, "chain", "got %+v, want %+v", got, want)
				}
				rows, err := w.Connections(w.ctx, symbolon.ConnectionQuery{ID: c.Connection.ID, Limit: 1})
				if err != nil {
					return err
				}
				if len(rows) != 1 || rows[0].Seq != seq+1 {
					return symbolon.Errorf(symbolon.Internal, "chain", "the row does not show the rotation to %d", seq+1)
				}
			}
			return nil
		})
	}},
	{"every connection that is ended at one instant is in Changes, once", func(w *world) {
		ids := make([]symbolon.ConnectionID, 100)
		for i := range ids {
			ids[i] = w.connected()
		}
		w.atOnce(2*len(ids), func(i int) error {
			_, err := w.End(w.ctx, symbolon.End{Connection: ids[i/2], Now: w.now})
			return err
		})
		seen := map[symbolon.ConnectionID]int{}
		for _, c := range w.feed() {
			if c.Kind == symbolon.ConnectionEnded {
				seen[c.ID]++
			}
		}
		for _, id := range ids {
			w.equal(seen[id], 1)
		}
	}},
	{"of many edits of one version exactly one is taken", func(w *world) {
		errs := make([]error, 32)
		w.atOnce(len(errs), func(i int) error {
			errs[i] = w.PutApp(w.ctx, w.app)
			return nil
		})
		taken := 0
		for _, err := range errs {
			if err == nil {
				taken++
			} else {
				w.fails(err, symbolon.Conflict)
			}
		}
		w.equal(taken, 1)
		w.equal(w.oneApp(w.app.ID).Version, int64(2))
	}},
	{"changes that fail do not fail their neighbours", func(w *world) {
		w.atOnce(64, func(i int) error {
			if i%2 == 0 {
				err := w.PutAccount(w.ctx, symbolon.Account{ID: symbolon.NewAccountID(), Username: "jane"})
				if symbolon.KindOf(err) != symbolon.Conflict {
					return symbolon.Errorf(symbolon.Internal, "neighbours", "got %v, want a conflict", err)
				}
				return nil
			}
			_, err := w.Connect(w.ctx, w.code())
			return err
		})
		w.equal(len(w.list(symbolon.ConnectionQuery{Account: w.account.ID, Limit: 99})), 32)
	}},
	{"a context that ends leaves each call done or not done, never between", func(w *world) {
		id := w.connected()
		seq := uint64(0)
		for i := range 200 {
			ctx, cancel := context.WithCancel(w.ctx)
			go func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				cancel()
			}()
			got, err := w.Refresh(ctx, w.token(id, seq))
			switch {
			case err == nil:
				w.equal(got.Result, symbolon.Rotated)
				seq = got.Seq
			case symbolon.KindOf(err) == symbolon.Busy:
				w.equal(w.row(id).Seq, seq)
			default:
				w.Fatalf("unexpected error: %v", err)
			}
			cancel()
		}
	}},
}

// atOnce releases n goroutines at one instant and waits for them. It fails the
// test when one returns an error.
func (w *world) atOnce(n int, act func(i int) error) {
	w.Helper()
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, n)
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-start
			errs[i] = act(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	for _, err := range errs {
		w.ok(err)
	}
}
