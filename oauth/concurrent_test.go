package oauth

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
	"pgregory.net/rapid"
)

// atOnce runs act n times, released at one instant.
func atOnce(n int, act func(i int)) {
	var ready, done sync.WaitGroup
	barrier := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-barrier
			act(i)
		})
	}
	ready.Wait()
	close(barrier)
	done.Wait()
}

// nodes are two engines on one store, with one ring: two nodes.
func (w *world) nodes() []*Engine {
	w.Helper()
	feed := NewFeed(w.store, w.clock, w.cfg.withDefaults().FeedBound, w.cfg.withDefaults().AccessLifetime)
	w.ok(feed.Poll(w.ctx))
	return []*Engine{w.Engine, New(w.cfg, w.store, w.ring, w.clock, feed)}
}

func (w *world) redemption(app *symbolon.App, code string, changes ...string) *TokenRequest {
	w.Helper()
	return w.tokenRequest(app, []string{"grant_type=authorization_code", "code=" + code, "redirect_uri=" + app.RedirectURIs[0], "code_verifier=" + verifier}, changes)
}

// won sorts the outcomes of a race: the answers, and how many refusals there
// were of each sort.
func won(t rapid.TB, answers []*TokenResponse, errs []error) (ok []*TokenResponse, refused map[Refusal]int) {
	t.Helper()
	refused = make(map[Refusal]int)
	for i, err := range errs {
		var e *Error
		switch {
		case err == nil:
			ok = append(ok, answers[i])
		case errors.As(err, &e):
			refused[e.Refusal]++
		default:
			t.Fatal(err)
		}
	}
	return ok, refused
}

func TestCodeUnderConcurrency(t *testing.T) {
	w := newWorld(t)
	nodes := w.nodes()
	race := func(requests []*TokenRequest) ([]*TokenResponse, map[Refusal]int) {
		answers, errs := make([]*TokenResponse, len(requests)), make([]error, len(requests))
		atOnce(len(requests), func(i int) { answers[i], errs[i] = nodes[i%2].Token(w.ctx, requests[i]) })
		return won(w, answers, errs)
	}
	w.run("OAUTH21-4.1.3-a", func(t *testing.T) {
		for range 50 {
			ok, refused := race(slices.Repeat([]*TokenRequest{w.redemption(&w.C1, w.code(&w.C1))}, 64))
			if len(ok) != 1 || refused[InvalidGrant] != 63 {
				t.Fatalf("%d got tokens, refused %v", len(ok), refused)
			}
			w.ok(w.feed.Poll(w.ctx))
			w.dead(ok[0]) // the rule: a replay ends what the winner got
			_, err := w.refresh(&w.C1, ok[0].RefreshToken)
			w.refused(err, InvalidGrant)
		}
	})
	w.run("B2", func(t *testing.T) {
		for _, n := range []int{2, 3, 8, 32, 256, 256, 256} {
			ok, refused := race(slices.Repeat([]*TokenRequest{w.redemption(&w.C1, w.code(&w.C1))}, n))
			if len(ok) != 1 || refused[InvalidGrant] != n-1 {
				t.Fatalf("of %d, %d got tokens, refused %v", n, len(ok), refused)
			}
		}
	})
	w.run("B3", func(t *testing.T) {
		for range 20 {
			code := w.code(&w.C1)
			good, wrong := w.redemption(&w.C1, code), w.redemption(&w.C1, code, "code_verifier="+strings.Repeat("x", 43))
			mixed := slices.Repeat([]*TokenRequest{good, wrong}, 32)
			if ok, refused := race(mixed); len(ok) != 1 || refused[InvalidGrant] != 63 {
				t.Fatalf("%d got tokens, refused %v", len(ok), refused)
			}
			// One good one among wrong ones: nothing is ended.
			code = w.code(&w.C1)
			mixed = slices.Repeat([]*TokenRequest{w.redemption(&w.C1, code, "code_verifier="+strings.Repeat("x", 43))}, 63)
			mixed = append(mixed, w.redemption(&w.C1, code))
			ok, _ := race(mixed)
			if len(ok) != 1 {
				t.Fatalf("%d got tokens", len(ok))
			}
			w.ok(w.feed.Poll(w.ctx))
			w.alive(ok[0])
		}
	})
}

func TestRefreshUnderConcurrency(t *testing.T) {
	w := newWorld(t)
	nodes := w.nodes()
	race := func(app *symbolon.App, token string, n int) ([]*TokenResponse, map[Refusal]int) {
		request := w.tokenRequest(app, []string{"refresh_token=" + token}, nil)
		answers, errs := make([]*TokenResponse, n), make([]error, n)
		atOnce(n, func(i int) { answers[i], errs[i] = nodes[i%2].Refresh(w.ctx, request) })
		return won(w, answers, errs)
	}
	for _, name := range []string{"SYM-RT-1", "B39"} {
		w.run(name, func(t *testing.T) {
			for _, app := range []*symbolon.App{&w.C1, &w.P1} {
				a := w.connected(app)
				for range 25 {
					ok, refused := race(app, a.RefreshToken, 64)
					if len(ok) != 64 {
						t.Fatalf("%d of 64 are answered, refused %v", len(ok), refused)
					}
					for _, other := range ok {
						if other.RefreshToken != ok[0].RefreshToken || other.RefreshToken == a.RefreshToken {
							t.Fatal("not one and the same successor")
						}
						w.alive(other)
					}
					a = ok[0]
				}
			}
		})
	}
	w.run("SYM-RT-6", func(t *testing.T) { w.refreshAgainstEnd(nodes, 300) })
	w.run("B42", func(t *testing.T) { w.refreshAgainstEnd(nodes, 300) })
}

// refreshAgainstEnd races a refresh against step 6 on two nodes. Afterwards
// nothing of the connection lives, whoever was first.
func (w *world) refreshAgainstEnd(nodes []*Engine, rounds int) {
	w.Helper()
	first := [2]int{}
	for round := range rounds {
		a := w.connected(&w.C1)
		request := w.tokenRequest(&w.C1, []string{"refresh_token=" + a.RefreshToken}, nil)
		answers, errs := make([]*TokenResponse, 4), make([]error, 4)
		ended := make([]error, 4)
		atOnce(8, func(i int) {
			node := nodes[(i+round)%2]
			if i%2 == 0 {
				answers[i/2], errs[i/2] = node.Refresh(w.ctx, request)
			} else {
				_, ended[i/2] = node.Invalidate(w.ctx, Bearer(a.AccessToken))
			}
		})
		n := 0
		for _, err := range ended {
			if err == nil {
				n++
			} else {
				w.refused(err, InvalidToken)
			}
		}
		if n != 1 {
			w.Fatalf("%d of 4 invalidations are answered as done", n)
		}
		ok, _ := won(w, answers, errs)
		first[min(len(ok), 1)]++
		for _, node := range nodes {
			w.ok(node.feed.Poll(w.ctx))
			for _, token := range append(ok, a) {
				if _, err := node.Info(w.ctx, Bearer(token.AccessToken)); err == nil {
					w.Fatal("an access token lives after the end")
				}
				_, err := node.Refresh(w.ctx, w.tokenRequest(&w.C1, []string{"refresh_token=" + token.RefreshToken}, nil))
				w.refused(err, InvalidGrant)
			}
		}
	}
	w.Logf("%d rounds: in %d the end came before every refresh", rounds, first[0])
}

// B100, SYM-GRANT-1: a person is disabled while consent is given and codes are
// redeemed. Nothing lives afterwards.
func TestDisableAgainstConnect(t *testing.T) {
	for range 50 {
		w := newWorld(t)
		code := w.redemption(&w.C1, w.code(&w.C1))
		req, who := w.request(&w.C1), w.allowing()
		off := w.account(w.U1.ID)
		off.DisabledAt, off.NotBefore = w.clock.Now(), w.clock.Now()
		var got []*TokenResponse
		var mu sync.Mutex
		atOnce(6, func(i int) {
			switch i {
			case 0:
				if err := w.store.PutAccount(w.ctx, off); err != nil {
					t.Error(err)
				}
				return
			case 1, 2:
				if a, err := w.Token(w.ctx, code); err == nil {
					mu.Lock()
					got = append(got, a)
					mu.Unlock()
				}
			default:
				w.Authorize(w.ctx, req, who) //nolint:errcheck // whether it succeeds is chance
			}
		})
		w.ok(w.feed.Poll(w.ctx))
		for _, a := range got {
			w.dead(a)
			_, err := w.refresh(&w.C1, a.RefreshToken)
			w.refused(err, InvalidGrant)
		}
		rows, err := w.store.Connections(w.ctx, symbolon.ConnectionQuery{Live: true, Now: w.clock.Now(), Limit: 10})
		w.ok(err)
		if len(rows) > 0 {
			t.Fatalf("alive: %+v", rows)
		}
	}
}

// Contention, or a store that is away, is 503 for whoever meets it and for no
// one else.
func TestOneFailureFailsOne(t *testing.T) {
	w := newWorld(t)
	tokens := make([]*TokenRequest, 32)
	for i := range tokens {
		tokens[i] = w.tokenRequest(&w.C1, []string{"refresh_token=" + w.connected(&w.C1).RefreshToken}, nil)
	}
	calls := 0
	w.store.Plan(func(verb string) storetest.Fault {
		if verb != "Refresh" {
			return storetest.NoFault
		}
		calls++
		return []storetest.Fault{storetest.NoFault, storetest.Lost, storetest.NoFault, storetest.Unanswered}[calls%4]
	})
	answers, errs := make([]*TokenResponse, len(tokens)), make([]error, len(tokens))
	atOnce(len(tokens), func(i int) { answers[i], errs[i] = w.Refresh(w.ctx, tokens[i]) })
	ok, refused := won(t, answers, errs)
	if len(ok) != 16 || refused[Unavailable] != 16 {
		t.Errorf("%d are answered, refused %v", len(ok), refused)
	}
	w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
	for i := range tokens { // whoever sends the same again recovers
		if _, err := w.Refresh(w.ctx, tokens[i]); err != nil {
			t.Error(err)
		}
	}
}
