package outbox

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/symbolon/symbolon"
)

// heard notes that an app answers.
func (d *Deliverer) heard(id symbolon.ClientID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.resting, id)
}

// again says when a delivery is tried again or, when that would be too late, gives it
// up. An app that did not answer is let alone for a while.
func (d *Deliverer) again(one *symbolon.Delivery, err error) (time.Time, Outcome) {
	now, cause := d.Clock.Now(), err.Error()
	if _, innocent := errors.AsType[*spared](err); !innocent && d.rests(one.Client, now) {
		d.Log.Warn("an app cannot be told what it asked to be told; it is tried again for a day", "client", string(one.Client), "kind", string(one.Kind), "cause", cause)
	}
	retryAt := now.Add(pause(firstPause, lastPause, 3, one.Attempts-1))
	if !retryAt.Before(one.ExpiresAt) {
		d.give(one, cause)
		return time.Time{}, GivenUp
	}
	return retryAt, Retried
}

// rests lets an app alone for a while, and reports whether it answered up to now.
func (d *Deliverer) rests(id symbolon.ClientID, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.resting[id]
	first := r.failures == 0
	if !now.Before(r.until) { // several attempts that fail at the same time count as one
		r = rest{r.failures + 1, now.Add(pause(firstRest, lastRest, 2, r.failures))}
	}
	d.resting[id] = r
	return first
}

// give says in the log who could not be told.
func (d *Deliverer) give(one *symbolon.Delivery, cause string) {
	d.Log.Warn("an app could not be told, and is not told again", "client", string(one.Client), "kind", string(one.Kind),
		"account", string(one.Account), "made", one.MadeAt.Format(time.RFC3339), "attempts", one.Attempts, "cause", cause)
}

func (d *Deliverer) came(outcome Outcome) {
	if d.Came != nil {
		d.Came(outcome)
	}
}

// pause returns first, times factor for each of n, but last at most; up to a fifth of
// it is left to chance, so that what failed together is not tried together.
func pause(first, last time.Duration, factor, n int) time.Duration {
	p := first
	for range n {
		if p *= time.Duration(factor); p >= last {
			p = last
			break
		}
	}
	return p - time.Duration(rand.Int64N(int64(p)/5+1))
}
