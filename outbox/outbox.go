// Package outbox tells apps what a symbolon.Outbox holds for them. Nothing waits for
// it: what is to be told is written with the change that it is about, and is told
// from there, again and again until the app has heard or a day has passed.
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// Message is a delivery as it is sent: an HTTP POST.
type Message struct {
	URL  string
	Type string // of the body, a media type
	Body []byte
	// Header are further headers, or nil.
	Header http.Header
}

// Options are what a Deliverer is made of.
type Options struct {
	Outbox symbolon.Outbox
	Clock  symbolon.Clock
	Log    *slog.Logger
	// Make makes what is sent of a delivery, by its kind. Nil, without an error,
	// means that there is nothing to tell any more. An error means that it cannot
	// be made now.
	Make map[symbolon.DeliveryKind]func(ctx context.Context, d *symbolon.Delivery) (*Message, error)
	// Post sends a message and returns the status of the answer.
	Post func(ctx context.Context, m *Message) (status int, err error)
	// Came, unless it is nil, is told what came of each attempt.
	Came func(outcome Outcome)
}

// Outcome is what came of an attempt to tell an app something.
type Outcome uint8

const (
	// Delivered: the app has said that it heard.
	Delivered Outcome = iota
	// Retried: it has not, and will be told again.
	Retried
	// Refused: it has said that it cannot take it (400), and is not told again.
	Refused
	// GivenUp: it was not heard for too long, and is not told again.
	GivenUp
	// Moot: there was nothing to tell any more.
	Moot
)

var outcomes = [...]string{"delivered", "retried", "refused", "given_up", "moot"}

// String returns its name, for metrics.
func (o Outcome) String() string { return outcomes[o] }

// Outcomes returns every outcome there is.
func Outcomes() []Outcome { return []Outcome{Delivered, Retried, Refused, GivenUp, Moot} }

const (
	// atOnce bounds the attempts that run at the same time, perApp those of one app:
	// one that hangs holds up few, and not the others.
	atOnce, perApp = 16, 4
	// timeout bounds an attempt.
	timeout = 5 * time.Second
	// lease is for how long a delivery is ours: longer than an attempt, and than the
	// store may take to hear of it.
	lease = 30 * time.Second
	// every is how often it is looked for what is due.
	every = time.Second
	// firstPause is how long after the first attempt the second is made. Each further
	// pause is three times as long, and lastPause at most.
	firstPause, lastPause = 5 * time.Second, 4 * time.Hour
	// firstRest and lastRest are how long an app is let alone that did not answer,
	// however much there is to tell it.
	firstRest, lastRest = time.Second, 5 * time.Minute
)

// Deliverer tells apps. There is one a node; those of several nodes share what
// there is to do.
type Deliverer struct {
	Options
	wake chan struct{}

	mu      sync.Mutex // guards what is below
	running map[symbolon.ClientID]int
	total   int
	resting map[symbolon.ClientID]rest
}

// rest is that of an app which did not answer.
type rest struct {
	failures int // in a row
	until    time.Time
}

// New returns a Deliverer that does nothing until Run.
func New(o Options) *Deliverer {
	return &Deliverer{
		Options: o, wake: make(chan struct{}, 1),
		running: make(map[symbolon.ClientID]int), resting: make(map[symbolon.ClientID]rest),
	}
}

// Wake says that there may be something to tell. It does not block.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run tells apps until the context ends. What was claimed then and not told is told
// by whoever claims it next.
func (d *Deliverer) Run(ctx context.Context) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		d.round(ctx, &attempts)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-d.wake:
		}
	}
}

// round claims what there is hands for, and begins to tell it.
func (d *Deliverer) round(ctx context.Context, attempts *sync.WaitGroup) {
	now := d.Clock.Now()
	free, except := d.free(now)
	if free == 0 || ctx.Err() != nil {
		return
	}
	claimed, err := d.Outbox.Claim(ctx, symbolon.Claim{Limit: free, PerApp: perApp, Except: except, Lease: lease, Now: now})
	if err != nil {
		return // the store says elsewhere that it is away, and nothing is lost
	}
	for i := range claimed.Over {
		d.give(&claimed.Over[i], "nobody could tell it in time")
		d.came(GivenUp)
	}
	for _, one := range claimed.Due {
		d.count(one.Client, 1)
		attempts.Go(func() {
			d.tell(ctx, one)
			d.count(one.Client, -1)
			d.Wake() // there may be more for which there were no hands
		})
	}
}

// free returns how many more attempts may begin, and the apps that are not to be
// told anything now: those that are being told something, and those that rest.
func (d *Deliverer) free(now time.Time) (int, []symbolon.ClientID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var except []symbolon.ClientID
	for id := range d.running {
		except = append(except, id)
	}
	for id, r := range d.resting {
		switch {
		case now.Before(r.until):
			except = append(except, id)
		case now.Sub(r.until) > lastPause:
			delete(d.resting, id) // nothing was left to tell it
		}
	}
	return atOnce - d.total, except
}

func (d *Deliverer) count(id symbolon.ClientID, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total += n
	if d.running[id] += n; d.running[id] == 0 {
		delete(d.running, id)
	}
}

// tell makes one attempt, and says to the store what came of it.
func (d *Deliverer) tell(ctx context.Context, one symbolon.Delivery) {
	retryAt, outcome, err := d.attempt(ctx, &one)
	switch {
	case err != nil && ctx.Err() != nil:
		return // we were stopped, and the app is not to blame
	case err != nil:
		retryAt, outcome = d.again(&one, err)
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	// Should it fail, the app is told again: at least once.
	_ = d.Outbox.Told(bound, one, retryAt)
	d.came(outcome)
}

// attempt tells an app. An error means that it is to be told again; else retryAt says
// when, or is zero.
func (d *Deliverer) attempt(ctx context.Context, one *symbolon.Delivery) (retryAt time.Time, outcome Outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	build := d.Make[one.Kind]
	if build == nil {
		// A newer program wrote it, which is for its nodes to tell.
		return d.Clock.Now().Add(lease), Retried, nil
	}
	m, err := build(ctx, one)
	switch {
	case err != nil:
		return retryAt, Retried, &spared{err}
	case m == nil:
		return retryAt, Moot, nil
	}
	status, err := d.Post(ctx, m)
	switch {
	case err != nil && symbolon.KindOf(err) == symbolon.Busy:
		return retryAt, Retried, &spared{err}
	case err != nil:
		return retryAt, Retried, err
	case status >= 200 && status < 300:
		d.heard(one.Client)
		return retryAt, Delivered, nil
	case status == http.StatusGone && one.Kind == symbolon.TellEvent:
		// Standard Webhooks, Response codes: nobody is there any more to hear of this.
		d.heard(one.Client)
		d.Log.Warn("a webhook is gone (410): what was to be told is dropped, and the app's owner should take its address out", "client", string(one.Client))
		return retryAt, Refused, nil
	case status == http.StatusBadRequest && one.Kind == symbolon.TellLogout:
		// Back-Channel Logout §2.8: it was understood, and could not be done.
		d.heard(one.Client)
		d.Log.Warn("an app refused what it was told (400), and is not told again", "client", string(one.Client), "kind", string(one.Kind), "account", string(one.Account))
		return retryAt, Refused, nil
	default:
		return retryAt, Retried, errors.New("the answer has status " + strconv.Itoa(status))
	}
}

// spared is an error for which the app is not to blame.
type spared struct{ error }
