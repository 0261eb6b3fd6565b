package storetest

import (
	"time"

	"github.com/symbolon/symbolon"
)

// faultCases show that whoever repeats a call that failed, in whichever way,
// ends up where one call would have brought them, or is safely told no.
var faultCases = []testCase{
	{"a refresh that failed is repeated: one rotation, one successor", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			id := w.connected()
			w.suffer("Refresh", fault, func(s symbolon.Store) error {
				_, err := s.Refresh(w.ctx, w.token(id, 0))
				return err
			})
			rotated := w.now
			w.later(time.Minute)
			if fault == Unanswered {
				w.refresh(w.token(id, 0), symbolon.Repeated, 1, rotated)
			} else {
				w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
			}
			w.refresh(w.token(id, 1), symbolon.Rotated, 2, w.now)
		}
	}},
	{"a redemption that failed is repeated: one connection or none, never two", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			c := w.code()
			w.suffer("Connect", fault, func(s symbolon.Store) error {
				_, err := s.Connect(w.ctx, c)
				return err
			})
			if fault == Unanswered {
				w.connect(c, symbolon.CodeReplayed)
				w.refused(w.token(c.Connection.ID, 0), symbolon.RefreshEnded)
			} else {
				w.connect(c, symbolon.Connected)
				w.refresh(w.token(c.Connection.ID, 0), symbolon.Rotated, 1, w.now)
			}
		}
	}},
	{"an end that failed is repeated: over, and in Changes once", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			id := w.connected()
			left := w.changed(func() {
				e := symbolon.End{Connection: id, Reason: symbolon.ByApp, Now: w.now}
				w.suffer("End", fault, func(s symbolon.Store) error {
					_, err := s.End(w.ctx, e)
					return err
				})
				_, err := w.End(w.ctx, e)
				w.ok(err)
			})
			w.equal(len(left), 1)
			w.refused(w.token(id, 0), symbolon.RefreshEnded)
		}
	}},
	{"an edit that failed is repeated: taken once, and a conflict if it was taken before", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			app := w.newApp()
			app.Name = "renamed"
			w.suffer("PutApp", fault, func(s symbolon.Store) error { return s.PutApp(w.ctx, app) })
			if err := w.PutApp(w.ctx, app); fault == Unanswered {
				w.fails(err, symbolon.Conflict)
			} else {
				w.ok(err)
			}
			app.Version++
			w.equal(w.oneApp(app.ID), app)
		}
	}},
}

// suffer makes one call that fails in the way of the fault, and checks that the
// failure is told as what it is.
func (w *world) suffer(verb string, fault Fault, call func(symbolon.Store) error) {
	w.Helper()
	f := NewFaulty(w.Store)
	f.FailNext(verb, fault)
	want := symbolon.Unknown
	if fault == Lost {
		want = symbolon.Busy
	}
	w.fails(call(f), want)
}
