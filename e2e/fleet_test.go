//go:build linux

package e2e

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fleet is many clients of several nodes: each holds one refresh token, and sends
// it to any node until it has an answer, as platforms do behind a load balancer.
type fleet struct {
	app     *app
	holders []*holder
	bases   atomic.Pointer[[]string] // where the nodes answer
	began   time.Time

	done atomic.Int64 // refreshes that were answered 200
	busy atomic.Int64 // that were answered 503
	out  sync.Map     // base → *atomic.Int64: requests without an answer yet
	lost atomic.Int64 // that got no answer

	mu   sync.Mutex
	rate []int // answers of 200 in each tenth of a second since began; mu

	stop chan struct{}
	over sync.WaitGroup
}

// launch connects n clients and lets them refresh until halt.
func launch(t testing.TB, a *app, n int, nodes ...*server) *fleet {
	t.Helper()
	f := &fleet{app: a, stop: make(chan struct{})}
	for range n {
		f.holders = append(f.holders, &holder{held: a.connect(t).refresh, rest: 10 * time.Millisecond})
	}
	f.to(nodes...)
	client := newClient()
	client.Timeout = 15 * time.Second
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = n
	f.began = time.Now()
	for _, h := range f.holders {
		f.over.Go(func() { f.refresh(client, h) })
	}
	return f
}

// to sends the clients to these nodes from now on, and returns when no other has a
// request of theirs any more, as a load balancer takes a node out.
func (f *fleet) to(nodes ...*server) {
	var bases []string
	for _, s := range nodes {
		bases = append(bases, s.base)
	}
	f.bases.Store(&bases)
	f.out.Range(func(base, n any) bool {
		for !slices.Contains(bases, base.(string)) && n.(*atomic.Int64).Load() > 0 {
			time.Sleep(time.Millisecond)
		}
		return true
	})
}

// begin chooses a node for a request, and counts it there until end is called.
func (f *fleet) begin() (base string, end func()) {
	for {
		bases := *f.bases.Load()
		base := bases[rand.N(len(bases))]
		n, _ := f.out.LoadOrStore(base, new(atomic.Int64))
		out := n.(*atomic.Int64)
		out.Add(1)
		if slices.Contains(*f.bases.Load(), base) { // it was not taken out meanwhile
			return base, func() { out.Add(-1) }
		}
		out.Add(-1)
	}
}

func (f *fleet) refresh(client *http.Client, h *holder) {
	for {
		select {
		case <-f.stop:
			return
		case <-time.After(rand.N(h.rest)):
		}
		base, end := f.begin()
		h.asked = true
		r, err := tryPost(client, base+"/refresh", f.app.refreshing(h.held))
		end()
		switch {
		case err != nil:
			f.lost.Add(1) // it may have been done: the same token again
			time.Sleep(20 * time.Millisecond)
		case r.Status == 503 && r.Header.Get("Retry-After") != "" && r.text("error") == "temporarily_unavailable":
			f.busy.Add(1)
			time.Sleep(20 * time.Millisecond)
		case r.Status != 200:
			h.fault = "refused: " + string(r.Body)
			return
		default:
			h.take(r.tokens().refresh)
			if h.fault != "" {
				return
			}
			f.done.Add(1)
			f.note()
		}
	}
}

func (f *fleet) note() {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := int(time.Since(f.began) / (100 * time.Millisecond))
	for len(f.rate) <= at {
		f.rate = append(f.rate, 0)
	}
	f.rate[at]++
}

// between returns how many refreshes a second were answered between two times.
func (f *fleet) between(from, to time.Time) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum, i, j := 0, int(from.Sub(f.began)/(100*time.Millisecond)), int(to.Sub(f.began)/(100*time.Millisecond))
	for k := i; k < j && k < len(f.rate); k++ {
		sum += f.rate[k]
	}
	return float64(sum) / (float64(j-i) / 10)
}

// holds fails the test when a client was refused or got two successors.
func (f *fleet) holds(t testing.TB) {
	t.Helper()
	for i, h := range f.holders {
		if h.fault != "" {
			t.Fatalf("client %d: %s", i, h.fault)
		}
	}
}

// halt stops the clients, and has each go on at a node with what it holds: no
// rotation that was answered is lost, and no client is stranded.
func (f *fleet) halt(t testing.TB, at *server) {
	t.Helper()
	close(f.stop)
	f.over.Wait()
	f.holds(t)
	a := f.app.at(at)
	for i, h := range f.holders {
		h.keeps(t, a)
		r := a.refresh(t, h.held)
		if r.Status != 200 {
			t.Fatalf("client %d is stranded: %d %s", i, r.Status, r.Body)
		}
		if h.take(r.tokens().refresh); h.fault != "" {
			t.Fatalf("client %d: %s", i, h.fault)
		}
	}
}
