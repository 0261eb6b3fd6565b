package oauth

import "time"

// What the promise "ended means ended, everywhere" rests on is arithmetic of two
// durations: how old a feed may be when a token is honoured, and how long whoever
// ended something waits before it says so. Both are in this file, and the model
// in feed_model_test.go goes through them.

// moment is one reading of both clocks of the machine, each since some start.
type moment struct {
	mono time.Duration // only goes forward, but may stand still while the machine is suspended
	wall time.Duration // goes on meanwhile, but can be set
}

// clocks returns what reads the machine's clocks, from now on.
func clocks() func() moment {
	start := time.Now()
	return func() moment {
		now := time.Now()
		return moment{mono: now.Sub(start), wall: now.Round(0).Sub(start.Round(0))}
	}
}

// since returns how long ago an earlier moment was: by the clock that says more.
// A machine that was suspended shows it by the wall clock only. One whose wall
// clock was set forward seems too old for a moment, which costs a reading; one
// whose wall clock was set back is as old as the other clock says.
func (m moment) since(earlier moment) time.Duration {
	return max(m.mono-earlier.mono, m.wall-earlier.wall)
}

// upToDate reports whether what was read from a moment on may still be gone by.
func upToDate(began, now moment, bound time.Duration) bool {
	return now.since(began) <= bound
}

// SettleTime is how long after a commit its outcome may be called true on every
// node, where no node honours a token by what it knew longer ago than bound.
//
// The two durations are measured on two machines. Linux lets nobody make a clock
// run more than 10 % too fast or too slow (adjtimex: the tick; and 0.05 % by the
// frequency). At the worst, bound by a clock that runs 10 % slow is bound/0.9 in
// truth, and this time by one that runs 10 % fast is the time/1.1: it must be
// 1.1/0.9 = 1.23 times the bound. It is 1.25 times the bound, which is good for
// clocks that are 11 % wrong.
func SettleTime(bound time.Duration) time.Duration { return bound + bound/4 }

// unsettled returns how much of it is left. Both times are by the monotonic clock,
// which no one can set: a machine that was suspended waits the longer for it.
func unsettled(known, now, bound time.Duration) time.Duration {
	return SettleTime(bound) - (now - known)
}
