package signin

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakeClock is a symbolon.Clock that stands still until it is moved.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time          { return c.now }
func (c *fakeClock) forward(d time.Duration) { c.now = c.now.Add(d) }

func newThrottle() (*Throttle, *fakeClock) {
	c := &fakeClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return NewThrottle(c), c
}

// passes counts how many of n attempts at one moment pass, and returns the wait
// of the last.
func passes(t *Throttle, n int, account, address string, known bool) (passed int, wait time.Duration) {
	for range n {
		if wait = t.Attempt(account, address, known); wait == 0 {
			passed++
		}
	}
	return passed, wait
}

func TestThrottleOneAddressOneAccount(t *testing.T) {
	throttle, clock := newThrottle()
	if n, wait := passes(throttle, 20, "jane", "192.0.2.1", false); n != 5 || wait != 10*time.Second {
		t.Errorf("%d passed, wait %v; want 5 and 10s", n, wait)
	}
	clock.forward(9999 * time.Millisecond)
	if wait := throttle.Attempt("jane", "192.0.2.1", false); wait != time.Millisecond {
		t.Errorf("just too early: wait %v", wait)
	}
	clock.forward(time.Millisecond)
	if n, _ := passes(throttle, 20, "jane", "192.0.2.1", false); n != 1 {
		t.Errorf("after 10 s %d passed, want 1", n)
	}
	// Another address and another account are not touched by it.
	if wait := throttle.Attempt("jane", "192.0.2.2", false); wait != 0 {
		t.Errorf("another address waits %v", wait)
	}
	if wait := throttle.Attempt("john", "192.0.2.1", false); wait != 0 {
		t.Errorf("another account waits %v", wait)
	}
	// The bucket is full again after a minute, and no fuller.
	clock.forward(time.Hour)
	if n, _ := passes(throttle, 20, "jane", "192.0.2.1", false); n != 5 {
		t.Errorf("after an hour %d passed, want 5", n)
	}
}

// Ledger B52: ten thousand pairs of names and passwords from one address.
func TestThrottleStuffingFromOneAddress(t *testing.T) {
	throttle, clock := newThrottle()
	passed := 0
	for i := range 10_000 {
		if throttle.Attempt(fmt.Sprint("account", i), "2001:db8:1:2:3::4", false) == 0 {
			passed++
		}
	}
	if passed != 30 {
		t.Errorf("%d passed at once, want 30", passed)
	}
	clock.forward(time.Minute)
	if n, _ := passes(throttle, 1, "jane", "2001:db8:1:2:ffff::9", false); n != 1 {
		t.Error("the same /64 a minute later is refused")
	}
	for i := range 1000 {
		if throttle.Attempt(fmt.Sprint("b", i), fmt.Sprintf("2001:db8:1:2:%x::1", i), false) == 0 {
			passed++
		}
	}
	if passed != 30+29 {
		t.Errorf("%d passed from one /64, want 59", passed)
	}
}

// Ledger B52: a stranger with a thousand addresses cannot keep the owner's
// known browser out, nor guess faster than once in 30 seconds.
func TestThrottleThousandStrangers(t *testing.T) {
	throttle, clock := newThrottle()
	passed := 0
	for hour := range 3 {
		for i := range 1000 {
			n, _ := passes(throttle, 3, "jane", fmt.Sprintf("10.%d.%d.1", i/250, i%250), false)
			passed += n
		}
		// The owner, in a browser of old, even at the stranger's own address.
		if wait := throttle.Attempt("jane", "10.0.0.1", true); wait != 0 {
			t.Fatalf("hour %d: the owner waits %v", hour, wait)
		}
		throttle.Succeeded("jane", "10.0.0.1", true)
		// Others are not touched.
		if wait := throttle.Attempt("john", "198.51.100.7", false); wait != 0 {
			t.Fatalf("hour %d: another account waits %v", hour, wait)
		}
		clock.forward(time.Hour)
	}
	// 100 at first, then what 30 s each fills up in an hour: 120, at most 100.
	if passed != 300 {
		t.Errorf("%d guesses passed in three hours, want 300", passed)
	}
}

// A device cookie that was stolen buys no more than its own bucket.
func TestThrottleKnownBrowserIsSlowedToo(t *testing.T) {
	throttle, _ := newThrottle()
	passed := 0
	for i := range 1000 {
		if throttle.Attempt("jane", fmt.Sprintf("10.0.%d.%d", i/250, i%250), true) == 0 {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d passed, want 5", passed)
	}
}

func TestThrottleSuccessGivesBack(t *testing.T) {
	throttle, _ := newThrottle()
	for i := range 200 { // more than any bucket holds
		if wait := throttle.Attempt("jane", "192.0.2.1", false); wait != 0 {
			t.Fatalf("sign-in %d waits %v", i, wait)
		}
		throttle.Succeeded("jane", "192.0.2.1", false)
	}
	// A success in between forgives no guess at another account.
	guesses := 0
	for range 50 {
		if throttle.Attempt("victim", "192.0.2.1", false) == 0 {
			guesses++
		}
		if throttle.Attempt("attacker", "192.0.2.1", false) == 0 {
			throttle.Succeeded("attacker", "192.0.2.1", false)
		}
	}
	if guesses != 5 {
		t.Errorf("%d guesses passed between successes, want 5", guesses)
	}
}

// An attempt that is refused by one bucket takes nothing from the others.
func TestThrottleRefusalTakesNothing(t *testing.T) {
	throttle, clock := newThrottle()
	passes(throttle, 1000, "jane", "192.0.2.1", false)
	passed := 0
	for i := range 95 {
		n, _ := passes(throttle, 1, "jane", fmt.Sprintf("10.0.0.%d", i), false)
		passed += n
	}
	if passed != 95 {
		t.Errorf("%d others passed, want the 95 that the account had left", passed)
	}
	// Now the account is drained for strangers; 10.1.0.1 is refused often, and
	// pays nothing for it.
	if _, wait := passes(throttle, 1000, "jane", "10.1.0.1", false); wait != 30*time.Second {
		t.Errorf("a thousandth attempt waits %v, want the 30s of the account", wait)
	}
	if n, _ := passes(throttle, 30, "john", "10.1.0.1", false); n != 5 {
		t.Errorf("%d passed, want 5", n)
	}
	clock.forward(30 * time.Second)
	if n, _ := passes(throttle, 9, "jane", "10.1.0.1", false); n != 1 {
		t.Errorf("%d passed, want the one that was filled up", n)
	}
}

func TestThrottleAddressRefusalTakesNothing(t *testing.T) {
	throttle, _ := newThrottle()
	for i := range 30 {
		throttle.Attempt(fmt.Sprint(i), "192.0.2.1", false)
	}
	if _, wait := passes(throttle, 1000, "jane", "192.0.2.1", false); wait != 2*time.Second {
		t.Errorf("a thousandth attempt waits %v, want the 2s of the address", wait)
	}
}

func TestThrottleReservesBeforeHashing(t *testing.T) {
	throttle, _ := newThrottle()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if throttle.Attempt("jane", "192.0.2.1", false) == 0 {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 5 {
		t.Errorf("%d of 64 at one moment passed, want 5", passed.Load())
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":             "192.0.2.1",
		"192.0.2.1:443":         "192.0.2.1",
		"::ffff:192.0.2.1":      "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::/64",
		"[2001:db8:1:2::1]:443": "2001:db8:1:2::/64",
		"fe80::1%eth0":          "fe80::/64",
		"2001:db8:1:3::":        "2001:db8:1:3::/64",
		"@":                     "@",
		"":                      "",
	} {
		if got := Network(in); got != want {
			t.Errorf("Network(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBucketsAreBounded(t *testing.T) {
	b := NewBuckets(Rate{Burst: 2, Every: time.Second}, 1000)
	now := time.Unix(1e9, 0)
	b.Take(now, "mine")
	b.Take(now, "mine")
	for i := range 100_000 {
		b.Take(now, fmt.Sprint(i))
		if i%400 == 0 {
			// What is in use is not forgotten for what a stranger makes up.
			b.GiveBack(now, "mine")
			if wait := b.Take(now, "mine"); wait != 0 {
				t.Fatalf("what was given back is not there: %v", wait)
			}
			if wait := b.Take(now, "mine"); wait != time.Second {
				t.Fatalf("after %d keys, wait %v, want 1s", i, wait)
			}
		}
	}
	if n := b.len(); n > 1000 {
		t.Errorf("%d keys are held, want at most 1000", n)
	}
}

func BenchmarkAttempt(b *testing.B) {
	throttle, _ := newThrottle()
	i := 0
	for b.Loop() {
		i++
		throttle.Attempt("jane", fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), false)
	}
}

func TestThrottleCountsWhatItRefuses(t *testing.T) {
	throttle, _ := newThrottle()
	for range 7 {
		throttle.Attempt("jane", "192.0.2.1", false)
	}
	if n := throttle.Refused(); n != 2 {
		t.Errorf("of 7 attempts at once %d were refused, want 2", n)
	}
}
