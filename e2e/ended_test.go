//go:build linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

const (
	// feedBound is how old a node's knowledge may be when it honours a token, and
	// settleTime how long after a commit an answer comes that says that it is over.
	feedBound  = 250 * time.Millisecond
	settleTime = feedBound * 5 / 4
	// soon is how long an answer of 503 may take, of a node that has no database,
	// on a machine that has other things to do.
	soon = 5 * time.Second
)

// C34, C35, RFC7009-2.1-c: three nodes under load on one database. Connections are
// made, used, refreshed and ended at whichever node; each time that an answer says
// that one is over, all nodes are asked about its tokens at once. None is honoured:
// not by a node that was frozen when the answer came, nor by one that is cut off
// from the database. That one refuses all tokens, and is back by itself.
func TestEndedEverywhere(t *testing.T) {
	t.Parallel()
	cluster, err := pgtest.New(pgtest.Options{TCP: true, NoFsync: true})
	must(t, err)
	t.Cleanup(cluster.Remove)
	name, err := cluster.NewDatabase("")
	must(t, err)
	cable := newWire(t, cluster.Address())
	nodes := startNodes(t, 2, cluster.URL(name))
	far := newDir()
	copyNode(t, nodes[0].dir, far)
	nodes = append(nodes, startDemo(t, far, "--database", cluster.TCPURL(name, cable.Address())))

	c := gather(nodes, 8)
	defer c.halt()
	time.Sleep(2 * time.Second)
	c.holds(t)
	if n := c.ended.Load(); n < 5 {
		t.Fatalf("only %d connections were ended in 2 s", n)
	}

	for range rounds(6, 200) {
		n := rand.N(len(nodes))
		c.freeze(t, n, 2*feedBound+rand.N(700*time.Millisecond))
		time.Sleep(rand.N(300 * time.Millisecond))
		c.holds(t)
	}
	if n := c.asleep.Load(); n < 10 {
		t.Errorf("frozen nodes were asked only %d times", n)
	}

	for range rounds(1, 20) {
		for what, cut := range map[string]func(){"bytes stop": cable.stall, "connections are reset": cable.refuse} {
			c.cutOff(t, what, 2, cut, cable.mend)
			c.holds(t)
		}
	}
	eventually(c.enough) // on a machine that has other things to do
	c.halt()
	c.holds(t)
	c.counts(t)
}

// The ways in which it can be said that a connection is over.
const (
	invalidated = iota
	revoked
	revokedByRefresh
	revokedTwice // at two nodes at once: the first answer counts
	refreshReplayed
	codeReplayed
	waysToEnd
)

var ways = [waysToEnd]string{"invalidate", "revoke", "revoke a refresh token", "revoke at two nodes", "replay a refresh token", "replay a code"}

// crowd are clients of several nodes who make connections and end them.
type crowd struct {
	app    *app
	nodes  []*server
	client *http.Client
	away   [3]atomic.Bool // frozen or cut off: not asked for anything that must succeed
	frozen [3]atomic.Bool

	stop     chan struct{}
	stopped  sync.Once
	over     sync.WaitGroup // the clients
	asking   sync.WaitGroup // who asks nodes about what is over
	used     atomic.Int64   // tokens that were honoured while they had to be
	ended    atomic.Int64
	by       [waysToEnd]atomic.Int64
	asked    atomic.Int64 // times that a node was asked about what is over
	asleep   atomic.Int64 // of these, while it was frozen
	refused  atomic.Int64 // of these, by 401, 400 or "active": false
	busy     atomic.Int64 // of these, by 503
	mu       sync.Mutex
	faults   []string // mu
	quickest time.Duration
}

func gather(nodes []*server, clients int) *crowd {
	c := &crowd{app: nodes[0].theApp(), nodes: nodes, client: newClient(), stop: make(chan struct{})}
	c.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 256
	for range clients {
		c.over.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				default:
					c.life()
				}
			}
		})
	}
	return c
}

// halt stops the clients, and waits until every question is answered.
func (c *crowd) halt() {
	c.stopped.Do(func() { close(c.stop) })
	c.over.Wait()
	c.asking.Wait()
}

func (c *crowd) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// holds fails the test when something was that must not be.
func (c *crowd) holds(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) > 0 {
		t.Fatalf("%d faults:\n%s", len(c.faults), strings.Join(c.faults[:min(len(c.faults), 10)], "\n"))
	}
}

// enough reports whether the test has tested something.
func (c *crowd) enough() bool {
	for i := range ways {
		if c.by[i].Load() < 3 {
			return false
		}
	}
	return c.ended.Load() >= 60 && c.used.Load() >= 200 && c.asked.Load() >= 10*c.ended.Load()
}

// counts sees to it that the test has tested something.
func (c *crowd) counts(t testing.TB) {
	t.Helper()
	for i := range ways {
		if n := c.by[i].Load(); n < 3 {
			t.Errorf("%s: only %d times", ways[i], n)
		}
	}
	if !c.enough() || c.refused.Load() < c.asked.Load()/2 {
		t.Errorf("too little was done")
	}
	if c.quickest < settleTime {
		t.Errorf("an answer came after %v, before a node that knows nothing of it must stop", c.quickest)
	}
	t.Logf("%d tokens were honoured while they had to be; %d connections ended, the soonest answer after %v; nodes were asked %d times about what was over, %d times while frozen: %d refused, %d answered 503, none honoured",
		c.used.Load(), c.ended.Load(), c.quickest, c.asked.Load(), c.asleep.Load(), c.refused.Load(), c.busy.Load())
}

// pick returns a node that is well.
func (c *crowd) pick() string {
	for {
		if n := rand.N(len(c.nodes)); !c.away[n].Load() {
			return c.nodes[n].base
		}
	}
}

func (c *crowd) post(path string, v url.Values) (*reply, error) {
	return tryPost(c.client, c.pick()+path, v)
}

func (c *crowd) get(base, path, token string) (*reply, error) {
	req, err := http.NewRequest(http.MethodGet, base+path, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return trySend(c.client, req)
}

// belongings are the tokens of one connection, the latest last.
type belongings struct {
	code            string
	access, refresh []string
}

// life is that of one connection, each step at another node.
func (c *crowd) life() {
	var b belongings
	r := again(func() (*reply, error) { return c.get(c.pick(), "/authorize?"+c.app.authorization().Encode(), "") })
	if b.code = r.text("code"); b.code == "" {
		c.fault("authorize: %d %s", r.Status, r.Body)
		return
	}
	r = again(func() (*reply, error) { return c.post("/token", c.app.redemption(b.code)) })
	way := rand.N(waysToEnd)
	for n := rand.N(2); ; n-- {
		switch {
		case r.Status == 400 && len(b.access) == 0:
			return // an answer of 503 had been done: asked again, it was a replay
		case r.Status != 200:
			c.fault("no tokens: %d %s", r.Status, r.Body)
			return
		}
		b.access, b.refresh = append(b.access, r.text("access_token")), append(b.refresh, r.text("refresh_token"))
		if n <= 0 && (way != refreshReplayed || len(b.refresh) >= 3) {
			break
		}
		r = again(func() (*reply, error) { return c.post("/refresh", c.app.refreshing(b.refresh[len(b.refresh)-1])) })
	}
	for _, token := range b.access {
		if r = again(func() (*reply, error) { return c.get(c.pick(), "/info", token) }); r.Status != 200 {
			c.fault("a token that lives: %d %s", r.Status, r.Body)
			return
		}
		c.used.Add(1)
	}
	began := time.Now()
	if !c.end(way, &b) {
		return
	}
	c.mu.Lock()
	if took := time.Since(began); c.quickest == 0 || took < c.quickest {
		c.quickest = took
	}
	c.mu.Unlock()
	c.ended.Add(1)
	c.by[way].Add(1)
	c.askAll(ways[way], &b)
}

// end ends a connection, and reports whether an answer has said so.
func (c *crowd) end(way int, b *belongings) bool {
	revoke := func(token string) (*reply, error) {
		return c.post("/oauth2/revoke", with(c.app.credentials(), "token", token))
	}
	access, refresh := b.access[len(b.access)-1], b.refresh[len(b.refresh)-1]
	switch way {
	case invalidated:
		r := again(func() (*reply, error) { return c.get(c.pick(), "/invalidate", access) })
		if r.Status == 401 {
			return false // an answer of 503 had been done; a refusal promises nothing
		}
		return c.want(r, 204, "")
	case revoked:
		return c.want(again(func() (*reply, error) { return revoke(access) }), 200, "")
	case revokedByRefresh:
		return c.want(again(func() (*reply, error) { return revoke(refresh) }), 200, "")
	case revokedTwice:
		first := make(chan *reply, 2)
		for _, token := range []string{access, refresh} {
			c.asking.Go(func() {
				time.Sleep(rand.N(2 * settleTime))
				first <- again(func() (*reply, error) { return revoke(token) })
			})
		}
		return c.want(<-first, 200, "")
	case refreshReplayed:
		return c.want(again(func() (*reply, error) { return c.post("/refresh", c.app.refreshing(b.refresh[0])) }), 400, "invalid_grant")
	default:
		return c.want(again(func() (*reply, error) { return c.post("/token", c.app.redemption(b.code)) }), 400, "invalid_grant")
	}
}

func (c *crowd) want(r *reply, status int, code string) bool {
	if r.Status != status || r.text("error") != code {
		c.fault("ended: %d %s", r.Status, r.Body)
		return false
	}
	return true
}

// askAll asks all nodes at once about what is over. Those that are away are not
// waited for.
func (c *crowd) askAll(how string, b *belongings) {
	said := time.Now()
	var here sync.WaitGroup
	for n := range c.nodes {
		wait := &here
		if c.away[n].Load() {
			wait = &c.asking
		}
		ask := func(what string, send func(base string) (*reply, error)) {
			wait.Go(func() { c.ask(n, said, how+", then "+what, send) })
		}
		for _, token := range b.access {
			ask("info", func(base string) (*reply, error) { return c.get(base, "/info", token) })
		}
		for _, token := range []string{b.access[0], b.refresh[len(b.refresh)-1]} {
			ask("introspect", func(base string) (*reply, error) {
				return tryPost(c.client, base+"/oauth2/introspect", with(c.app.credentials(), "token", token))
			})
		}
		ask("refresh", func(base string) (*reply, error) {
			return tryPost(c.client, base+"/refresh", c.app.refreshing(b.refresh[len(b.refresh)-1]))
		})
	}
	here.Wait()
}

// ask asks one node one thing about what is over.
func (c *crowd) ask(n int, said time.Time, what string, send func(base string) (*reply, error)) {
	asleep, away := c.frozen[n].Load(), c.away[n].Load()
	sent := time.Now()
	r, err := send(c.nodes[n].base)
	if err != nil && away {
		return // when it wakes, it may find that the connection has waited too long
	}
	if err != nil {
		c.fault("%s at node %d: %v", what, n, err)
		return
	}
	c.asked.Add(1)
	if asleep {
		c.asleep.Add(1)
	}
	switch {
	case r.Status == 503 && r.Header.Get("Retry-After") != "":
		c.busy.Add(1)
	case r.Status == 401 && r.text("error") == "invalid_token", r.Status == 400 && r.text("error") == "invalid_grant", r.Status == 200 && r.JSON["active"] == false:
		c.refused.Add(1)
	default:
		c.fault("%s at node %d: %d, asked %v after the answer and answered after %v; it was frozen: %v\n%s",
			what, n, r.Status, sent.Sub(said), time.Since(sent), asleep, r.Body)
	}
}

// freeze stops a node for a while, as a hypervisor or a stuck machine does.
func (c *crowd) freeze(t testing.TB, n int, span time.Duration) {
	t.Helper()
	c.away[n].Store(true)
	must(t, c.nodes[n].cmd.Process.Signal(syscall.SIGSTOP))
	c.frozen[n].Store(true)
	time.Sleep(span)
	c.frozen[n].Store(false)
	must(t, c.nodes[n].cmd.Process.Signal(syscall.SIGCONT))
	c.away[n].Store(false)
}

// cutOff cuts a node off from its database, and sees it refuse every token until
// it is joined again.
func (c *crowd) cutOff(t testing.TB, what string, n int, cut, mend func()) {
	t.Helper()
	node := c.app.at(c.nodes[n])
	tk := node.connect(t) // it lives all the time
	ended := c.ended.Load()
	c.away[n].Store(true)
	cut()
	at := time.Now()
	var refusals, slowest atomic.Int64
	var probes sync.WaitGroup
	for range 4 {
		probes.Go(func() {
			for time.Since(at) < 3*time.Second {
				sent := time.Now()
				r, err := c.get(c.nodes[n].base, "/info", tk.access)
				took := time.Since(sent)
				switch {
				case err != nil:
					c.fault("%s: %v", what, err)
				case sent.Sub(at) <= feedBound:
				case r.Status != 503 || r.text("error") != "temporarily_unavailable":
					c.fault("%s: a token is answered %d, %v after the cut: %s", what, r.Status, sent.Sub(at), r.Body)
				default:
					if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || seconds < 1 {
						c.fault("%s: Retry-After is %q", what, r.Header.Get("Retry-After"))
					}
					refusals.Add(1)
					for old := slowest.Load(); int64(took) > old && !slowest.CompareAndSwap(old, int64(took)); old = slowest.Load() {
					}
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	time.Sleep(time.Second)
	if r := c.nodes[n].post(t, "/oauth2/revoke", with(c.app.credentials(), "token", tk.refresh)); r.Status != 503 {
		t.Errorf("%s: a revocation is answered %d %s", what, r.Status, r.Body)
	}
	probes.Wait()
	if refusals.Load() < 8 || time.Duration(slowest.Load()) > soon {
		t.Errorf("%s: %d refusals, the slowest after %v", what, refusals.Load(), time.Duration(slowest.Load()))
	}
	if n := c.ended.Load() - ended; n < 5 {
		t.Errorf("%s: the other nodes ended only %d connections meanwhile", what, n)
	}
	mend()
	joined := time.Now()
	for {
		r, err := c.get(c.nodes[n].base, "/info", tk.access)
		if err == nil && r.Status == 200 {
			break
		}
		if time.Since(joined) > 20*time.Second {
			t.Fatalf("%s: not back after %v: %v %+v", what, time.Since(joined), err, r)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%s: %d tokens refused, the slowest answer after %v; back %v after it was joined again",
		what, refusals.Load(), time.Duration(slowest.Load()).Round(time.Millisecond), time.Since(joined).Round(time.Millisecond))
	c.away[n].Store(false)
}
