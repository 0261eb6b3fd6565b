//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// holder is a client of the program as they are in the field: it holds one
// refresh token, and sends it again when it got no answer.
type holder struct {
	held     string        // the refresh token that it would send next
	previous string        // the one that it sent before, or ""
	asked    bool          // it has sent held, and has no answer
	rest     time.Duration // how long it rests between requests, at most
	// given are the successors that were answered, by the token presented.
	given map[string]string
	fault string
}

// take takes up an answer of 200.
func (h *holder) take(next string) {
	if h.given == nil {
		h.given = map[string]string{}
	}
	if old, ok := h.given[h.held]; ok && old != next {
		h.fault = "one refresh token was honoured twice, with two successors"
	}
	h.given[h.held] = next
	h.previous, h.held, h.asked = h.held, next, false
}

// refreshing lets clients refresh at full speed until stop is closed or the
// server is gone. Base is where it answers now.
func refreshing(a *app, base string, holders []*holder, stop <-chan struct{}, done *atomic.Int64) {
	client := newClient()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = len(holders)
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for _, h := range holders {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				h.asked = true
				r, err := tryPost(client, base+"/refresh", a.refreshing(h.held))
				if err != nil {
					// No answer: the same token is sent again later. A
					// connection that was refused has carried nothing.
					h.asked = !errors.Is(err, syscall.ECONNREFUSED)
					return
				}
				if r.Status != 200 {
					h.fault = "refused: " + string(r.Body)
					return
				}
				h.take(r.tokens().refresh)
				done.Add(1)
				if h.rest > 0 {
					time.Sleep(rand.N(h.rest))
				}
			}
		})
	}
	wg.Wait()
}

// keeps checks, after a crash, that no acknowledged rotation is lost: what a
// client without an open request sent last gets just what it got. Had the row
// gone back, it would be rotated anew, to another successor.
func (h *holder) keeps(t testing.TB, a *app) {
	t.Helper()
	if h.previous == "" || h.asked {
		return // a request that was not answered may have been done
	}
	if r := a.refresh(t, h.previous); r.Status != 200 || r.tokens().refresh != h.held {
		t.Fatalf("a rotation that was acknowledged is lost: %d %s", r.Status, r.Body)
	}
}

func tryPost(c *http.Client, to string, v url.Values) (*reply, error) {
	req, err := http.NewRequest(http.MethodPost, to, strings.NewReader(v.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return trySend(c, req)
}

// C1, C3, B40: kill -9 amid refreshes.
func TestKillAmidRefreshes(t *testing.T) {
	t.Parallel()
	dir := newDir()
	d := startDemo(t, dir)
	a := d.theApp()
	holders := make([]*holder, 64)
	for i := range holders {
		holders[i] = &holder{held: a.connect(t).refresh}
		if i%4 == 0 {
			holders[i].rest = 100 * time.Millisecond
		}
	}
	var done atomic.Int64
	kept := 0
	for round := range rounds(20, 200) {
		over := make(chan struct{})
		go func() {
			defer close(over)
			refreshing(a, d.base, holders, nil, &done)
		}()
		time.Sleep(100*time.Millisecond + rand.N(300*time.Millisecond))
		d.kill()
		<-over
		d = startDemo(t, dir)
		a.s = d
		for i, h := range holders {
			if h.fault != "" {
				t.Fatalf("round %d, client %d: %s", round, i, h.fault)
			}
			if !h.asked && h.previous != "" {
				kept++
			}
			h.keeps(t, a)
		}
		// Every client goes on with what it holds.
		for i, h := range holders {
			r := a.refresh(t, h.held)
			if r.Status != 200 {
				t.Fatalf("round %d, client %d is stranded: %d %s", round, i, r.Status, r.Body)
			}
			if h.take(r.tokens().refresh); h.fault != "" {
				t.Fatalf("round %d, client %d: %s", round, i, h.fault)
			}
		}
		// What was replaced before a crash is refused after it.
		if round == 0 {
			v := a.connect(t)
			second := granted(t, a.refresh(t, v.refresh))
			third := granted(t, a.refresh(t, second.refresh))
			d.kill()
			d = startDemo(t, dir)
			a.s = d
			refused(t, a.refresh(t, v.refresh), 400, "invalid_grant")
			a.over(t, third)
		}
		if strings.Contains(d.logText(), "newer than the store") {
			t.Fatal("after the crash, a refresh token is newer than the database")
		}
	}
	if kept == 0 {
		t.Error("no client was found with an acknowledged rotation and no open request")
	}
	if done.Load() < int64(rounds(20, 200))*16 { // of 64 clients, on a machine that has other things to do
		t.Errorf("only %d refreshes in all: the kills did not hit anything", done.Load())
	}
	t.Logf("%d refreshes; %d acknowledged rotations looked at", done.Load(), kept)
}

// C2: kill -9 amid redemptions. Sent again after the restart, a redemption
// succeeds, or is refused and nothing of it lives.
func TestKillAmidRedemptions(t *testing.T) {
	t.Parallel()
	dir := newDir()
	d := startDemo(t, dir)
	a := d.theApp()
	for round := range rounds(8, 100) {
		const clients, each = 16, 40
		type attempt struct {
			v  url.Values
			tk tokens // when it was answered
		}
		attempts := make([][]*attempt, clients)
		for i := range attempts {
			for range each {
				attempts[i] = append(attempts[i], &attempt{v: a.redemption(a.code(t))})
			}
		}
		client := newClient()
		client.Transport.(*http.Transport).MaxIdleConnsPerHost = clients
		var wg sync.WaitGroup
		var answered atomic.Int64
		enough := make(chan struct{})
		unclear := make([]*attempt, clients) // sent, and not answered
		for i := range attempts {
			wg.Go(func() {
				for _, at := range attempts[i] {
					unclear[i] = at
					r, err := tryPost(client, d.base+"/token", at.v)
					if err != nil {
						return
					}
					if r.Status != 200 {
						t.Errorf("round %d: %d %s", round, r.Status, r.Body)
						return
					}
					at.tk, unclear[i] = r.tokens(), nil
					if answered.Add(1) == int64(20+rand.N(100)) || answered.Load() > 200 {
						select {
						case <-enough:
						default:
							close(enough)
						}
					}
				}
			})
		}
		select {
		case <-enough:
		case <-time.After(400 * time.Millisecond):
		}
		d.kill()
		wg.Wait()
		d = startDemo(t, dir)
		a.s = d
		var retried, again int
		for i := range attempts {
			for _, at := range attempts[i] {
				switch {
				case at.tk.access != "":
					a.alive(t, at.tk) // what was acknowledged counts
				case at == unclear[i]:
					retried++
					r := d.post(t, "/token", at.v)
					if r.Status == 200 {
						a.alive(t, granted(t, r))
						again++
					} else {
						refused(t, r, 400, "invalid_grant")
					}
				}
			}
		}
		t.Logf("round %d: %d answered, %d not; of those %d succeeded when sent again", round, answered.Load(), retried, again)
		if t.Failed() {
			return
		}
		// What was refused just now is over: only what is known to live, lives.
		if round == 0 {
			var live []struct{ ID, State string }
			d.cli(t, "", &live, "connection", "list", "--app", a.ID, "--live", "--limit", "100000")
			if want := int(answered.Load()) + again; len(live) != want {
				t.Errorf("%d connections live, want %d", len(live), want)
			}
		}
	}
}

// What the command line has printed is there, whenever it or the server is
// killed.
func TestKillAmidCommands(t *testing.T) {
	t.Parallel()
	dir := newDir()
	d := startDemo(t, dir)
	began := time.Now()
	d.newApp(t, "https://crash.test/cb")
	usual := time.Since(began)
	printed, cut := 0, 0
	for round := range rounds(16, 200) {
		before := cut
		var a app
		var person struct {
			ID string `json:"id"`
		}
		username := fmt.Sprintf("person-%d", round)
		password := newPassword()
		wait := usual/2 + rand.N(usual)
		if round%2 == 0 {
			if killed(t, wait, "", &a, "app", "create", "--data", dir, "--name", "Crash", "--redirect-uri", "https://crash.test/cb", "--json") {
				cut++
			}
		} else if killed(t, wait, password+"\n", &person, "account", "create", "--data", dir, "--username", username, "--name", "X", "--password-stdin", "--json") {
			cut++
		}
		if cut > before { // how long a command takes depends on what else runs here
			usual += usual / 3
		} else {
			usual -= usual / 4
		}
		if round%4 > 1 {
			d.kill()
			d = startDemo(t, dir)
		}
		if a.ID != "" {
			printed++
			secret(kindSecret, a.Secret)
			a.s, a.redirect = d, "https://crash.test/cb"
			a.alive(t, a.connect(t))
		}
		if person.ID != "" {
			printed++
			if r := d.info(t, d.theApp().connect(t, "login_hint", username).access); r.text("id") != person.ID {
				t.Errorf("the account that was printed is not there: %s", r.Body)
			}
		}
	}
	t.Logf("%d were printed, %d commands were cut short", printed, cut)
	if printed == 0 || cut == 0 {
		t.Error("the kills came too early or too late to say anything")
	}
}

// C42: SIGTERM under load. What was acknowledged counts, what was accepted is
// answered, and the end comes soon with status 0.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	for round := range rounds(3, 20) {
		dir := newDir()
		d := startDemo(t, dir)
		a := d.theApp()
		holders := make([]*holder, 32)
		for i := range holders {
			holders[i] = &holder{held: a.connect(t).refresh, rest: time.Duration(i) * time.Millisecond}
		}
		// Two requests are in flight when the signal comes: their last byte is not.
		v := a.connect(t)
		half := d.newBurst(t, 2)
		texts := []string{d.postText("/refresh", a.refreshing(v.refresh)), d.getText("/info", v.access)}
		for i, c := range half.conns {
			c.Write([]byte(texts[i][:len(texts[i])-1]))
		}
		var done atomic.Int64
		over := make(chan struct{})
		go func() {
			defer close(over)
			refreshing(a, d.base, holders, nil, &done)
		}()
		time.Sleep(200*time.Millisecond + rand.N(200*time.Millisecond))
		began := time.Now()
		stopped := make(chan int)
		go func() { stopped <- d.stop() }()
		time.Sleep(150 * time.Millisecond)
		half.conns[0].Write([]byte(texts[0][len(texts[0])-1:]))
		r, err := readReply(half.read[0])
		if err != nil || r.Status != 200 {
			t.Errorf("the request in flight was not answered: %v %+v", err, r)
		}
		half.conns[1].Close()
		if status := <-stopped; status != 0 {
			t.Errorf("exit status %d\n%s", status, d.logTail())
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("the end took %v", took)
		}
		<-over
		d = startDemo(t, dir)
		a.s = d
		for i, h := range holders {
			if h.fault != "" {
				t.Errorf("round %d, client %d: %s", round, i, h.fault)
			}
			h.keeps(t, a)
			granted(t, a.refresh(t, h.held))
		}
		d.stop()
	}
}
