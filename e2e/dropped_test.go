//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// loser is a proxy that loses answers: it brings a request to the server, reads
// the answer to its end, so that the server has done what it was asked, and
// then cuts the connection to the client.
type loser struct {
	to    string
	share float64 // of the answers that are lost
	twice float64 // of the requests that are brought twice (C20)
	lost  atomic.Int64
	// given are the refresh tokens of all answers, lost ones too, by request.
	given sync.Map
	fault atomic.Bool // one request got two successors
}

func (l *loser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	times := 1
	if rand.Float64() < l.twice {
		times = 2
	}
	var res *http.Response
	var answer []byte
	for range times {
		req, err := http.NewRequest(r.Method, l.to+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		for _, name := range []string{"Content-Type", "Authorization"} {
			if value := r.Header.Get(name); value != "" {
				req.Header.Set(name, value)
			}
		}
		if res, err = bare.Do(req); err != nil {
			panic(http.ErrAbortHandler)
		}
		answer, err = io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		l.note(body, answer)
	}
	if rand.Float64() < l.share {
		l.lost.Add(1)
		panic(http.ErrAbortHandler) // the server cuts the connection
	}
	w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	w.WriteHeader(res.StatusCode)
	w.Write(answer)
}

// note compares an answer with those to the same request before.
func (l *loser) note(body, answer []byte) {
	var v struct {
		Token string `json:"refresh_token"`
	}
	if json.Unmarshal(answer, &v) != nil || v.Token == "" {
		return
	}
	secret(kindSecret, v.Token)
	if before, ok := l.given.LoadOrStore(string(body), v.Token); ok && before != v.Token {
		l.fault.Store(true)
	}
}

// C3, C19, C20, SYM-RT-2: answers are lost on the way, and requests arrive
// twice. Every client recovers by sending the same request again.
func TestDroppedAnswers(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	public := d.newApp(t, "https://spa.test/cb", "--public")
	keep := d.newApp(t, "https://keep.test/cb", "--rotation", "never")
	l := &loser{to: d.base, share: 0.3, twice: 0.1}
	proxy := httptest.NewServer(l)
	defer proxy.Close()
	var wg sync.WaitGroup
	for i := range 32 {
		a := []*app{d.theApp(), public, keep}[i%3]
		h := &holder{held: a.connect(t).refresh}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
		wg.Go(func() {
			for step := 0; step < rounds(30, 300); {
				r, err := tryPost(client, proxy.URL+"/refresh", a.refreshing(h.held))
				if err != nil {
					if rand.N(20) == 0 {
						time.Sleep(time.Second) // a late retry
					}
					continue
				}
				if r.Status != 200 {
					t.Errorf("client %d lost its connection at step %d: %d %s", i, step, r.Status, r.Body)
					return
				}
				if a == keep {
					h.held = r.tokens().refresh
				} else {
					h.take(r.tokens().refresh)
				}
				if h.fault != "" {
					t.Errorf("client %d: %s", i, h.fault)
					return
				}
				step++
			}
		})
	}
	wg.Wait()
	if l.fault.Load() {
		t.Error("one refresh token got two successors")
	}
	if l.lost.Load() == 0 {
		t.Error("no answer was lost")
	}
	t.Logf("%d answers were lost", l.lost.Load())
}

// A lost answer to a redemption: sent again, the code is spent, and nothing
// that it made lives. A lost answer to step 6: sent again, it is 401.
func TestDroppedRedemption(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	proxy := httptest.NewServer(&loser{to: d.base, share: 1})
	defer proxy.Close()
	v := a.redemption(a.code(t))
	if _, err := tryPost(bare, proxy.URL+"/token", v); err == nil {
		t.Fatal("the answer was not lost")
	}
	refused(t, d.post(t, "/token", v), 400, "invalid_grant")
	tk := a.connect(t)
	if _, err := trySend(bare, request(t, http.MethodPost, proxy.URL+"/invalidate", nil, bearer(tk.access))); err == nil {
		t.Fatal("the answer was not lost")
	}
	a.over(t, tk)
	refused(t, d.get(t, "/invalidate", bearer(tk.access)), 401, "invalid_token")
}
