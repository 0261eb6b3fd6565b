//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// C9, C10: the primary dies under load and its synchronous standby takes its
// place. Nothing that was acknowledged is lost, nothing is honoured twice, clients
// see 503 with Retry-After and nothing else, and the rate is back soon.
//
// It is not run beside the other tests, since it compares rates seconds apart.
func TestFailover(t *testing.T) {
	primary := ownCluster(t)
	standby, err := primary.Standby("standby")
	must(t, err)
	t.Cleanup(standby.Remove)
	must(t, primary.Synchronous("standby"))
	name, err := primary.NewDatabase("")
	must(t, err)

	nodes := startNodes(t, 2, pgtest.URL(name, primary, standby))
	a := nodes[0].theApp()
	var ended, kept []tokens
	f := launch(t, a, 64, nodes...)
	for range 10 {
		tk := a.connect(t)
		if r := nodes[1].get(t, "/invalidate", bearer(tk.access)); r.Status != 204 {
			t.Fatalf("invalidate: %d %s", r.Status, r.Body)
		}
		ended, kept = append(ended, tk), append(kept, a.connect(t))
	}
	other := workOn(t, a, nodes)
	time.Sleep(2 * time.Second)
	killed := time.Now()
	before := f.between(killed.Add(-2*time.Second), killed)
	must(t, primary.Kill())
	time.Sleep(time.Second)
	for i, s := range nodes {
		r := s.get(t, "/info", bearer(kept[0].access))
		if r.Status != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("node %d without a database: %d %s", i, r.Status, r.Body)
		}
	}
	promoted := time.Now() // from the order on, not from when it was carried out
	must(t, standby.Promote())
	back := time.Duration(-1)
	for deadline := promoted.Add(20 * time.Second); back < 0 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if now := time.Now(); now.Sub(promoted) >= time.Second && f.between(now.Add(-time.Second), now) >= 0.8*before {
			back = now.Sub(promoted) - time.Second // the second in which it was measured began then
		}
	}
	if back < 0 || back > 5*time.Second {
		t.Errorf("the rate, %.0f/s before, is back %v after the promotion, want at most 5 s", before, back)
	}
	other.halt(t)
	if f.lost.Load() > 0 {
		t.Errorf("%d requests got no answer", f.lost.Load())
	}
	if f.busy.Load() == 0 {
		t.Error("no request was answered 503: the failover hit nothing")
	}
	f.halt(t, nodes[1])
	for i := range ended {
		a.over(t, ended[i])
		a.at(nodes[1]).over(t, ended[i])
		a.alive(t, kept[i])
	}
	t.Logf("%.0f refreshes/s before; back %v after the promotion; %d answered 503, none lost", before, back.Round(100*time.Millisecond), f.busy.Load())
}

// chores are what else goes on beside the refreshes: codes are redeemed, twice
// each, and connections are ended.
type chores struct {
	stop chan struct{}
	over sync.WaitGroup
	mu   sync.Mutex
	// fault is what must not be; ended are tokens whose 204 was seen.
	fault    string
	ended    []tokens
	redeemed int
	app      *app
}

func workOn(t testing.TB, a *app, nodes []*server) *chores {
	c := &chores{stop: make(chan struct{}), app: a}
	for n := range 4 {
		c.over.Go(func() {
			for i := n; ; i++ {
				select {
				case <-c.stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				if fault := c.one(nodes[i%len(nodes)], nodes[(i+1)%len(nodes)]); fault != "" {
					c.mu.Lock()
					c.fault = fault
					c.mu.Unlock()
					return
				}
			}
		})
	}
	return c
}

// one redeems a code, once more at another node, and sees to it that nothing of it
// lives. Whatever is answered 503 is asked again.
func (c *chores) one(first, second *server) string {
	r := again(func() (*reply, error) { return tryGet(first.base + "/authorize?" + c.app.authorization().Encode()) })
	if r.Status != 200 {
		return fmt.Sprintf("authorize: %d %s", r.Status, r.Body)
	}
	code := r.text("code")
	r = again(func() (*reply, error) { return tryPost(bare, first.base+"/token", c.app.redemption(code)) })
	if r.Status == 400 && r.text("error") == "invalid_grant" {
		return "" // an answer that was 503 had been done: asked again, it is a replay
	}
	if r.Status != 200 {
		return fmt.Sprintf("token: %d %s", r.Status, r.Body)
	}
	tk := r.tokens()
	r = again(func() (*reply, error) { return tryPost(bare, second.base+"/token", c.app.redemption(code)) })
	if r.Status != 400 || r.text("error") != "invalid_grant" {
		return fmt.Sprintf("a code was honoured twice: %d %s", r.Status, r.Body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.redeemed++
	c.ended = append(c.ended, tk)
	return ""
}

// halt stops the chores, and looks whether what they ended is over.
func (c *chores) halt(t testing.TB) {
	t.Helper()
	close(c.stop)
	c.over.Wait()
	if c.fault != "" {
		t.Fatal(c.fault)
	}
	for _, tk := range c.ended {
		c.app.over(t, tk)
	}
	if c.redeemed < 5 {
		t.Errorf("only %d codes were redeemed", c.redeemed)
	}
}

func tryGet(from string) (*reply, error) {
	req, err := http.NewRequest(http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	return trySend(bare, req)
}

// again asks until the answer is another than 503.
func again(ask func() (*reply, error)) *reply {
	for {
		r, err := ask()
		switch {
		case err != nil:
			return &reply{Body: []byte(err.Error())}
		case r.Status != 503 || r.Header.Get("Retry-After") == "":
			return r
		}
		time.Sleep(50 * time.Millisecond)
	}
}
