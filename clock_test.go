package symbolon

import (
	"sync"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// reading is what the machine shows: a clock on the wall, which people set, and
// a monotonic one, which no one can.
type reading struct {
	start           time.Time // with both
	wall, monotonic time.Duration
}

// now makes a time.Time whose two readings differ. The standard library offers
// no way to, since real ones come from the kernel; newReading checks that this
// one still works.
func (r *reading) now() time.Time {
	t := r.start.Add(r.wall)
	layout := (*struct {
		wall uint64
		ext  int64 // monotonic nanoseconds, when the top bit of wall is set
	})(unsafe.Pointer(&t))
	layout.ext += int64(r.monotonic - r.wall)
	return t
}

func newReading(t testing.TB) *reading {
	r := &reading{start: time.Now(), wall: -time.Hour, monotonic: time.Second}
	if got := r.now(); got.Sub(r.start) != time.Second || got.Round(0).Sub(r.start.Round(0)) != -time.Hour {
		t.Fatal("time.Time is laid out in another way now; this test needs another way to make one")
	}
	r.wall, r.monotonic = 0, 0
	return r
}

// pass lets both readings run.
func (r *reading) pass(d time.Duration) { r.wall += d; r.monotonic += d }

// set sets the clock on the wall forward or back.
func (r *reading) set(d time.Duration) { r.wall += d }

// at is what the clock should show after d, in whole milliseconds.
func (r *reading) at(d time.Duration) time.Time {
	return r.start.Round(0).UTC().Add(d).Truncate(time.Millisecond)
}

func TestSteadyClock(t *testing.T) {
	want := func(t *testing.T, r *reading, c *SteadyClock, after time.Duration) {
		t.Helper()
		if got := c.Now(); !got.Equal(r.at(after)) {
			t.Fatalf("the clock is at %v after its start, want %v", got.Sub(r.at(0)), after)
		}
	}
	t.Run("follows the machine", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(time.Time{}, r.now)
		want(t, r, c, 0)
		r.pass(90 * time.Second)
		want(t, r, c, 90*time.Second)
		if c.Ahead() != 0 {
			t.Errorf("ahead by %v", c.Ahead())
		}
	})
	t.Run("C15 set back, it goes on at the pace of the monotonic clock", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(time.Time{}, r.now)
		r.pass(time.Minute)
		want(t, r, c, time.Minute)
		r.set(-time.Hour)
		want(t, r, c, time.Minute)
		r.pass(30 * time.Second) // a lifetime of 30 s is over 30 s later, not an hour later
		want(t, r, c, 90*time.Second)
		if got := c.Ahead(); got != time.Hour {
			t.Errorf("ahead by %v, want the hour by which the machine was set back", got)
		}
	})
	t.Run("C15 set back before the first reading", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(time.Time{}, r.now)
		r.set(-time.Hour)
		r.pass(time.Second)
		want(t, r, c, time.Second)
	})
	t.Run("C16 set forward, it follows", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(time.Time{}, r.now)
		r.set(time.Hour)
		want(t, r, c, time.Hour)
		r.pass(time.Second)
		want(t, r, c, time.Hour+time.Second)
		if c.Ahead() != 0 {
			t.Errorf("ahead by %v", c.Ahead())
		}
	})
	t.Run("C16 set forward and corrected, it goes on from the highest", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(time.Time{}, r.now)
		r.set(time.Hour)
		want(t, r, c, time.Hour)
		r.set(-time.Hour)
		r.pass(time.Minute)
		want(t, r, c, time.Hour+time.Minute)
		r.pass(time.Hour)
		r.set(time.Hour) // the machine catches up
		want(t, r, c, 2*time.Hour+time.Minute)
	})
	t.Run("two calls that read the machine in one order and are served in the other", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(time.Time{}, r.now)
		r.pass(time.Second)
		want(t, r, c, time.Second)
		r.pass(-time.Millisecond)
		want(t, r, c, time.Second)
	})
	t.Run("starts at the floor", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(r.start.Add(time.Hour), r.now)
		want(t, r, c, time.Hour)
		r.pass(time.Minute)
		want(t, r, c, time.Hour+time.Minute)
		if got := c.Ahead(); got != time.Hour {
			t.Errorf("ahead by %v, want the hour of the floor", got)
		}
	})
	t.Run("passes over a floor that lies behind", func(t *testing.T) {
		r := newReading(t)
		c := newSteadyClock(r.start.Add(-time.Hour), r.now)
		want(t, r, c, 0)
	})
	t.Run("UTC and whole milliseconds", func(t *testing.T) {
		got := NewSteadyClock(time.Time{}).Now()
		if got.Location() != time.UTC || got.Nanosecond()%int(time.Millisecond) != 0 || got != got.Round(0) {
			t.Errorf("%#v", got)
		}
	})
}

// Whatever is done to the machine's clock, the steady one never goes back, never
// runs slower than the monotonic clock and never behind the machine's.
func TestSteadyClockInRandomOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newReading(t)
		floor := r.start.Add(time.Duration(rapid.Int64Range(-1e13, 1e13).Draw(rt, "floor")))
		c := newSteadyClock(floor, r.now)
		last, lastMonotonic := c.Now(), r.monotonic
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			r.pass(time.Duration(rapid.Int64Range(0, 1e12).Draw(rt, "pass")))
			if rapid.Bool().Draw(rt, "set") {
				r.set(time.Duration(rapid.Int64Range(-1e14, 1e14).Draw(rt, "by")))
			}
			now := c.Now()
			if passed := r.monotonic - lastMonotonic; now.Sub(last) < passed-time.Millisecond {
				rt.Fatalf("%v passed and the clock moved by %v", passed, now.Sub(last))
			}
			if machine := r.now().Round(0).Truncate(time.Millisecond); now.Before(machine) {
				rt.Fatalf("the clock is at %v and the machine at %v", now, machine)
			}
			last, lastMonotonic = now, r.monotonic
		}
	})
}

func TestSteadyClockByManyAtOnce(t *testing.T) {
	c := NewSteadyClock(time.Time{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			last := c.Now()
			for range 1000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("from %v back to %v", last, now)
				}
				last = now
				c.Ahead()
			}
		})
	}
	wg.Wait()
}
