package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

var onceCases = []testCase{
	{"the first call makes the record, and is told so", func(w *world) {
		w.once(w.used("jti", "value"), "value", true)
	}},
	{"a second call is told that it is the second, and gets what the first left", func(w *world) {
		w.once(w.used("jti", "first"), "first", true)
		w.later(time.Second)
		w.once(w.used("jti", "second"), "first", false)
		w.once(w.used("jti", ""), "first", false)
	}},
	{"another key is another thing", func(w *world) {
		w.once(w.used("one", "1"), "1", true)
		w.once(w.used("two", "2"), "2", true)
		w.once(w.look("one"), "1", false)
	}},
	{"a value may be empty, and is a record all the same", func(w *world) {
		w.once(w.used("jti", ""), "", true)
		w.once(w.used("jti", "x"), "", false)
		w.once(w.look("jti"), "", false)
	}},
	{"a value is kept byte for byte", func(w *world) {
		var value []byte
		for i := range 256 {
			value = append(value, byte(i))
		}
		w.once(w.used("jti", string(value)), string(value), true)
		w.once(w.look("jti"), string(value), false)
	}},
	{"a value belongs to the store: who changes his own changes nothing", func(w *world) {
		o := w.used("jti", "kept")
		got, _, err := w.Once(w.ctx, o)
		w.ok(err)
		copy(o.Value, "lost")
		w.once(w.look("jti"), "kept", false)
		copy(got, "lost")
		w.once(w.look("jti"), "kept", false)
	}},
	{"Look finds nothing before, the value after, and makes no record", func(w *world) {
		w.once(w.look("jti"), "", true)
		w.once(w.look("jti"), "", true)
		w.once(w.used("jti", "value"), "value", true)
		w.once(w.look("jti"), "value", false)
	}},
	{"Look returns no value when there is no record", func(w *world) {
		value, _, err := w.Once(w.ctx, w.look("jti"))
		w.ok(err)
		w.equal(value == nil, true)
	}},
	{"Look needs no time to keep it, and no value", func(w *world) {
		w.once(symbolon.Once{Key: onceKey("jti"), Now: w.now, Look: true}, "", true)
	}},
	{"a record holds until it expires, and not at that moment", func(w *world) {
		w.once(w.used("jti", "old"), "old", true)
		w.later(time.Minute - time.Millisecond)
		w.once(w.used("jti", "new"), "old", false)
		w.once(w.look("jti"), "old", false)
		w.later(time.Millisecond)
		w.once(w.look("jti"), "", true)
		w.once(w.used("jti", "new"), "new", true)
		w.once(w.used("jti", "newer"), "new", false)
		w.later(time.Minute - time.Millisecond)
		w.once(w.look("jti"), "new", false) // with the time of the second, not the first
	}},
	{"a second call does not make a record live longer", func(w *world) {
		w.once(w.used("jti", "x"), "x", true)
		longer := w.used("jti", "y")
		longer.ExpiresAt = w.now.Add(time.Hour)
		w.once(longer, "x", false)
		w.later(time.Minute)
		w.once(w.look("jti"), "", true)
	}},
	{"a clock that was set back finds the record", func(w *world) {
		w.later(time.Hour)
		w.once(w.used("jti", "x"), "x", true)
		w.later(-time.Hour)
		w.once(w.used("jti", "y"), "x", false)
	}},
	{"a value of 64 KiB is taken, one byte more is invalid, and nothing is recorded", func(w *world) {
		o := w.used("jti", string(make([]byte, 64<<10+1)))
		w.invalidOnce(o)
		o.Value = o.Value[:64<<10]
		w.once(o, string(o.Value), true)
	}},
	{"a day is taken, a millisecond more is invalid", func(w *world) {
		o := w.used("jti", "x")
		o.ExpiresAt = w.now.Add(day + time.Millisecond)
		w.invalidOnce(o)
		o.ExpiresAt = w.now.Add(day)
		w.once(o, "x", true)
	}},
	{"what would be forgotten at once is invalid, since it would be first each time", func(w *world) {
		o := w.used("jti", "x")
		for _, d := range []time.Duration{-time.Hour, 0, 999 * time.Microsecond} {
			o.ExpiresAt = w.now.Add(d)
			w.invalidOnce(o)
		}
		o.ExpiresAt = time.Time{}
		w.invalidOnce(o)
		o.ExpiresAt = w.now.Add(time.Millisecond)
		w.once(o, "x", true)
	}},
	{"it is in no one's Changes", func(w *world) {
		w.equal(len(w.changed(func() { w.once(w.used("jti", "x"), "x", true) })), 0)
	}},
	{"a context that has ended stops a look", func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		_, first, err := w.Once(ctx, w.look("jti"))
		w.fails(err, symbolon.Busy)
		w.equal(first, false) // who overlooks the error must not go on
	}},
	{"B2: of 64 at one instant exactly one is first, and all get its value", func(w *world) {
		for round := range rounds {
			firsts, values := make([]bool, 64), make([]string, 64)
			w.atOnce(len(firsts), func(i int) error {
				value, first, err := w.Once(w.ctx, w.used(fmt.Sprint("jti", round), fmt.Sprint(i)))
				firsts[i], values[i] = first, string(value)
				return err
			})
			winner := slices.Index(firsts, true)
			if winner < 0 || slices.Contains(firsts[winner+1:], true) {
				w.Fatalf("first: %v, want one", firsts)
			}
			for _, value := range values {
				w.equal(value, fmt.Sprint(winner))
			}
		}
	}},
	{"of 64 at one instant after it expired exactly one is first again", func(w *world) {
		w.once(w.used("jti", "old"), "old", true)
		w.later(time.Minute)
		firsts := make([]bool, 64)
		w.atOnce(len(firsts), func(i int) (err error) {
			_, firsts[i], err = w.Once(w.ctx, w.used("jti", "new"))
			return err
		})
		winner := slices.Index(firsts, true)
		w.equal(winner >= 0 && !slices.Contains(firsts[winner+1:], true), true)
	}},
	{"a use that failed is repeated: first at most once, and its own value tells", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			what := fault.String()
			mine := w.used(what, "mine")
			w.suffer("Once", fault, func(s symbolon.Store) error {
				_, first, err := s.Once(w.ctx, mine)
				w.equal(first, false)
				return err
			})
			// Unanswered: it was used, by this caller, which only the value can tell.
			w.once(mine, "mine", fault != Unanswered)
			w.once(w.used(what, "theirs"), "mine", false)
		}
	}},
}

func onceKey(what string) [32]byte { return sha256.Sum256([]byte(what)) }

// used returns a use that is remembered for a minute.
func (w *world) used(what, value string) symbolon.Once {
	return symbolon.Once{Key: onceKey(what), Value: []byte(value), ExpiresAt: w.now.Add(time.Minute), Now: w.now}
}

func (w *world) look(what string) symbolon.Once {
	o := w.used(what, "")
	o.Look = true
	return o
}

func (w *world) once(o symbolon.Once, value string, first bool) {
	w.Helper()
	got, isFirst, err := w.Once(w.ctx, o)
	w.ok(err)
	if string(got) != value || isFirst != first {
		w.Fatalf("Once: got %.60q, %v; want %.60q, %v", got, isFirst, value, first)
	}
}

// invalidOnce makes a use that must be refused without a trace.
func (w *world) invalidOnce(o symbolon.Once) {
	w.Helper()
	_, first, err := w.Once(w.ctx, o)
	w.fails(err, symbolon.Invalid)
	w.equal(first, false)
	o.Look = true
	w.once(o, "", true)
}
