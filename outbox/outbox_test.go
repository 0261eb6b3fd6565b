package outbox

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now() }

// office is a store with deliveries, and the apps that hear of them.
type office struct {
	*testing.T
	store *storetest.Memory
	box   *storetest.Faulty
	log   *lockedBuffer

	mu       sync.Mutex
	came     []Outcome
	heard    map[string]int // by app
	at       []time.Time
	running  map[string]int
	most     map[string]int
	mostAll  int
	answer   func(ctx context.Context, app string) (int, error)
	made     func(d *symbolon.Delivery) (*Message, error)
	accounts int
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newOffice(t *testing.T) *office {
	o := &office{T: t, store: storetest.NewMemory(), log: new(lockedBuffer), heard: map[string]int{}, running: map[string]int{}, most: map[string]int{}}
	o.box = storetest.NewFaulty(o.store)
	o.answer = func(context.Context, string) (int, error) { return 200, nil }
	o.made = func(d *symbolon.Delivery) (*Message, error) { return &Message{URL: string(d.Client)}, nil }
	return o
}

func (o *office) deliverer() *Deliverer {
	return New(Options{
		Outbox: o.box, Clock: bubbleClock{}, Log: slog.New(slog.NewTextHandler(o.log, nil)),
		Make: map[symbolon.DeliveryKind]func(context.Context, *symbolon.Delivery) (*Message, error){
			symbolon.TellLogout: func(_ context.Context, d *symbolon.Delivery) (*Message, error) { return o.made(d) },
		},
		Post: o.post,
		Came: func(out Outcome) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.came = append(o.came, out)
		},
	})
}

func (o *office) post(ctx context.Context, m *Message) (int, error) {
	o.mu.Lock()
	o.heard[m.URL]++
	o.at = append(o.at, time.Now())
	o.running[m.URL]++
	o.most[m.URL] = max(o.most[m.URL], o.running[m.URL])
	all := 0
	for _, n := range o.running {
		all += n
	}
	o.mostAll = max(o.mostAll, all)
	answer := o.answer
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.running[m.URL]--
		o.mu.Unlock()
	}()
	return answer(ctx, m.URL)
}

// due puts n deliveries for an app into the outbox: as many sessions that ended.
func (o *office) due(app string, n int) {
	o.Helper()
	ctx := o.Context()
	check := func(err error) {
		o.Helper()
		if err != nil {
			o.Fatal(err)
		}
	}
	if rows, _ := o.store.Apps(ctx, symbolon.AppQuery{ID: symbolon.ClientID(app), Limit: 1}); len(rows) == 0 {
		check(o.store.PutApp(ctx, symbolon.App{ID: symbolon.ClientID(app), CreatedAt: time.Now()}))
	}
	for range n {
		o.accounts++
		a := symbolon.Account{ID: symbolon.NewAccountID(), CreatedAt: time.Now()}
		a.Username = string(a.ID)
		check(o.store.PutAccount(ctx, a))
		time.Sleep(time.Millisecond)
		now := time.Now()
		s := symbolon.Session{ID: symbolon.NewSessionID(), Browser: [32]byte{1}, Account: a.ID, AuthAt: now, ExpiresAt: now.Add(time.Hour)}
		check(o.store.SignIn(ctx, s, [32]byte{}))
		out, err := o.store.Connect(ctx, symbolon.Connect{Connection: symbolon.Connection{
			ID: symbolon.NewConnectionID(now), Account: a.ID, Client: symbolon.ClientID(app), Session: s.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		}, CodeIssuedAt: now, Sandbox: true, Now: now})
		check(err)
		if out != symbolon.Connected {
			o.Fatal(out)
		}
		_, err = o.store.End(ctx, symbolon.End{Browser: [32]byte{1}, Now: now})
		check(err)
	}
}

// during runs a deliverer, and what happens meanwhile.
func (o *office) during(happens func(d *Deliverer)) {
	ctx, stop := context.WithCancel(o.Context())
	d := o.deliverer()
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	happens(d)
	synctest.Wait()
	stop()
	running.Wait()
}

func (o *office) count(out Outcome) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, c := range o.came {
		if c == out {
			n++
		}
	}
	return n
}

func bubble(t *testing.T, test func(o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newOffice(t)) })
}

func TestDelivered(t *testing.T) {
	for _, status := range []int{200, 204, 202} {
		bubble(t, func(o *office) {
			o.answer = func(context.Context, string) (int, error) { return status, nil }
			o.during(func(d *Deliverer) {
				time.Sleep(10 * time.Second)
				o.due("c1", 3)
				o.due("c2", 1)
				d.Wake()
				synctest.Wait()
				if o.heard["c1"] != 3 || o.heard["c2"] != 1 {
					o.Errorf("at once: %v", o.heard)
				}
				time.Sleep(3 * time.Hour)
			})
			if o.count(Delivered) != 4 || len(o.came) != 4 || o.log.String() != "" {
				o.Errorf("%v %s", o.came, o.log)
			}
		})
	}
}

// Without a Wake, as when a command ended it, it is found within the second.
func TestFound(t *testing.T) {
	bubble(t, func(o *office) {
		o.during(func(*Deliverer) {
			o.due("c1", 1)
			time.Sleep(every)
			synctest.Wait()
			if o.heard["c1"] != 1 {
				o.Error(o.heard)
			}
		})
	})
}

// BCL-2.5-b: bounded retries with backoff, and then the log says who was not told.
func TestRetries(t *testing.T) {
	for name, answer := range map[string]func(context.Context, string) (int, error){
		"500":      func(context.Context, string) (int, error) { return 500, nil },
		"redirect": func(context.Context, string) (int, error) { return 302, nil },
		"404":      func(context.Context, string) (int, error) { return 404, nil },
		"nobody": func(context.Context, string) (int, error) {
			return 0, symbolon.Errorf(symbolon.NotFound, "post", "nobody")
		},
		"denied": func(context.Context, string) (int, error) {
			return 0, symbolon.Errorf(symbolon.Denied, "post", "not public")
		},
		"hangs": func(ctx context.Context, _ string) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		},
	} {
		bubble(t, func(o *office) {
			o.answer = answer
			o.due("c1", 1)
			began := time.Now()
			if name != "500" && name != "hangs" { // what comes of a whole day takes seconds to see
				o.during(func(*Deliverer) { time.Sleep(10 * time.Minute) })
				if n := len(o.at); n < 4 || n > 8 || o.count(Retried) != n || !strings.Contains(o.log.String(), "cannot be told") {
					o.Errorf("%s: %d attempts, %v, %s", name, n, o.came, o.log)
				}
				return
			}
			o.during(func(*Deliverer) { time.Sleep(26 * time.Hour) })
			if n := len(o.at); n < 8 || n > 20 || o.count(GivenUp) != 1 || o.count(Retried) != n-1 {
				o.Errorf("%s: %d attempts, %v", name, n, o.came)
			}
			if first, last := o.at[1].Sub(o.at[0]), o.at[len(o.at)-1].Sub(began); first > 12*time.Second || last > symbolon.DeliveryLife {
				o.Errorf("%s: the second after %v, the last after %v", name, first, last)
			}
			if log := o.log.String(); !strings.Contains(log, "client=c1") || !strings.Contains(log, "could not be told") || strings.Count(log, "\n") != 2 {
				o.Errorf("%s: the log says %q", name, log)
			}
		})
	}
}

func TestHeardInTheEnd(t *testing.T) {
	bubble(t, func(o *office) {
		n := 0
		o.answer = func(context.Context, string) (int, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if n++; n < 4 {
				return 503, nil
			}
			return 200, nil
		}
		o.due("c1", 1)
		o.during(func(*Deliverer) { time.Sleep(time.Hour) })
		if !slices.Equal(o.came, []Outcome{Retried, Retried, Retried, Delivered}) {
			o.Error(o.came)
		}
	})
}

func TestRefused(t *testing.T) {
	bubble(t, func(o *office) {
		o.answer = func(context.Context, string) (int, error) { return 400, nil }
		o.due("c1", 1)
		o.during(func(*Deliverer) { time.Sleep(3 * time.Hour) })
		if !slices.Equal(o.came, []Outcome{Refused}) || !strings.Contains(o.log.String(), "refused") {
			o.Error(o.came, o.log.String())
		}
	})
}

func TestMoot(t *testing.T) {
	bubble(t, func(o *office) {
		o.made = func(*symbolon.Delivery) (*Message, error) { return nil, nil }
		o.due("c1", 1)
		o.during(func(*Deliverer) { time.Sleep(time.Hour) })
		if !slices.Equal(o.came, []Outcome{Moot}) || len(o.at) != 0 {
			o.Error(o.came)
		}
	})
}

// What cannot be made now, or not sent since there is too much, is no fault of the app.
func TestSpared(t *testing.T) {
	bubble(t, func(o *office) {
		var bad atomic.Bool
		bad.Store(true)
		o.made = func(d *symbolon.Delivery) (*Message, error) {
			if bad.Load() {
				return nil, errors.New("no key")
			}
			return &Message{URL: string(d.Client)}, nil
		}
		o.due("c1", 1)
		o.during(func(d *Deliverer) {
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if len(d.resting) != 0 || o.log.String() != "" {
				o.Error("the app is let alone")
			}
			bad.Store(false)
			time.Sleep(10 * time.Second)
		})
		if o.heard["c1"] != 1 {
			o.Error(o.came)
		}
	})
}

// An app that hangs, with thousands to tell it, holds up no other.
func TestFlood(t *testing.T) {
	bubble(t, func(o *office) {
		o.answer = func(ctx context.Context, app string) (int, error) {
			if strings.HasPrefix(app, "hangs") {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return 200, nil
		}
		for _, app := range []string{"hangs", "hangs2", "hangs3"} {
			o.due(app, 200)
		}
		o.during(func(d *Deliverer) {
			time.Sleep(6 * time.Second)
			o.due("c1", 200)
			began := time.Now()
			for o.count(Delivered) < 200 {
				if time.Since(began) > time.Minute {
					o.Fatalf("%d of 200 within %v", o.count(Delivered), time.Since(began))
				}
				time.Sleep(100 * time.Millisecond)
			}
			o.Logf("200 within %v, beside 600 that hang", time.Since(began))
			time.Sleep(10 * time.Minute)
		})
		if o.most["hangs"] > perApp || o.most["c1"] > perApp || o.mostAll > atOnce {
			o.Errorf("at once: %v, in all %d", o.most, o.mostAll)
		}
		if o.heard["hangs"] > 60 {
			o.Errorf("an app that hangs was asked %d times in ten minutes", o.heard["hangs"])
		}
	})
}

// What nobody told in time is given up, however much of it there is.
func TestTooLate(t *testing.T) {
	bubble(t, func(o *office) {
		o.due("c1", 40)
		time.Sleep(symbolon.DeliveryLife)
		o.during(func(*Deliverer) { time.Sleep(time.Minute) })
		if o.count(GivenUp) != 40 || len(o.at) != 0 {
			o.Error(o.came)
		}
	})
}

// At least once, whatever the store fails at.
func TestFaults(t *testing.T) {
	for _, verb := range []string{"Claim", "Told"} {
		for _, fault := range storetest.Faults {
			bubble(t, func(o *office) {
				o.due("c1", 2)
				o.box.FailNext(verb, fault)
				o.during(func(*Deliverer) { time.Sleep(2 * lease) })
				if n := o.heard["c1"]; n < 2 || n > 3 {
					o.Errorf("%s %v: told %d times", verb, fault, n)
				}
				got, err := o.store.Claim(o.Context(), symbolon.Claim{Limit: 9, PerApp: 9, Lease: lease, Now: time.Now().Add(time.Hour)})
				if err != nil || len(got.Due) != 0 {
					o.Errorf("%s %v: %v are left, %v", verb, fault, got, err)
				}
			})
		}
	}
}

// One who is stopped in the middle leaves it to the next.
func TestStopped(t *testing.T) {
	bubble(t, func(o *office) {
		o.answer = func(ctx context.Context, _ string) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		o.due("c1", 1)
		began := time.Now()
		o.during(func(*Deliverer) { time.Sleep(2 * time.Second) })
		if took := time.Since(began); took > 3*time.Second || o.log.String() != "" {
			o.Errorf("stopped after %v: %s", took, o.log)
		}
		o.mu.Lock()
		o.answer = func(context.Context, string) (int, error) { return 200, nil }
		o.mu.Unlock()
		o.during(func(*Deliverer) { time.Sleep(lease + every) })
		if !slices.Equal(o.came, []Outcome{Delivered}) {
			o.Error(o.came)
		}
	})
}

// Several nodes share the work, and tell each thing once.
func TestShared(t *testing.T) {
	bubble(t, func(o *office) {
		o.due("c1", 50)
		o.due("c2", 50)
		o.during(func(*Deliverer) {
			o.during(func(*Deliverer) { time.Sleep(time.Minute) })
		})
		if o.heard["c1"] != 50 || o.heard["c2"] != 50 || o.count(Delivered) != 100 {
			o.Error(o.heard)
		}
	})
}

// What a newer program wrote is left to it.
func TestUnknownKind(t *testing.T) {
	bubble(t, func(o *office) {
		o.due("c1", 1)
		ctx, stop := context.WithCancel(o.Context())
		d := o.deliverer()
		d.Make = nil
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx) })
		time.Sleep(time.Minute)
		stop()
		running.Wait()
		if len(o.at) != 0 || o.count(Retried) < 1 || o.log.String() != "" {
			o.Error(o.came, o.log.String())
		}
		o.during(func(*Deliverer) { time.Sleep(time.Minute) })
		if o.count(Delivered) != 1 {
			o.Error(o.came)
		}
	})
}

func TestOutcomes(t *testing.T) {
	seen := map[string]bool{}
	for i, o := range Outcomes() {
		if int(o) != i || o.String() == "" || seen[o.String()] {
			t.Errorf("outcome %d is called %q", o, o)
		}
		seen[o.String()] = true
	}
	if len(seen) != len(outcomes) {
		t.Errorf("%d outcomes have %d names", len(seen), len(outcomes))
	}
}
