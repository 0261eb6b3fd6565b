package symbolon

import (
	"sync"
	"time"
)

// Clock tells the time that decides every expiry. One answer reads it once.
type Clock interface {
	Now() time.Time
}

// SteadyClock is a Clock that never goes back. It follows the machine's clock
// forward; when that is set back, it goes on from where it was, at the pace of
// the monotonic clock, so that setting a clock back lengthens no lifetime.
type SteadyClock struct {
	mu    sync.Mutex
	wall  func() time.Time
	start time.Time     // of the process, with its monotonic reading; written once
	base  time.Time     // what Now returned for start; mu
	last  time.Time     // what Now returned last; mu
	ahead time.Duration // how far Now is ahead of the machine's clock; mu
}

// NewSteadyClock returns a clock that starts at the machine's time or at floor,
// whichever is later. Floor is the highest time that an earlier run has used.
func NewSteadyClock(floor time.Time) *SteadyClock {
	return newSteadyClock(floor, time.Now)
}

func newSteadyClock(floor time.Time, wall func() time.Time) *SteadyClock {
	now := wall()
	c := &SteadyClock{wall: wall, start: now, base: now.Round(0)}
	if floor.After(c.base) {
		c.base = floor
	}
	c.last = c.base
	return c
}

// Now returns the time, in UTC and whole milliseconds.
func (c *SteadyClock) Now() time.Time {
	wall := c.wall()
	c.mu.Lock()
	defer c.mu.Unlock()
	// wall.Sub(start) uses the monotonic readings, which no one can set.
	now := c.base.Add(wall.Sub(c.start))
	if machine := wall.Round(0); machine.After(now) {
		// The machine's clock was set forward: follow it.
		c.base = c.base.Add(machine.Sub(now))
		now = machine
	}
	if now.Before(c.last) {
		now = c.last
	}
	c.last = now
	c.ahead = now.Sub(wall.Round(0))
	return now.UTC().Truncate(time.Millisecond)
}

// Ahead returns how far this clock ran ahead of the machine's clock when Now
// was last called. More than a few seconds means that the machine's clock was
// set back.
func (c *SteadyClock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}
