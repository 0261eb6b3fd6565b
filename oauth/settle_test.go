package oauth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func shared(c *Config) { c.Shared = true }

// took returns how long something took, by the clock of the bubble.
func took(act func()) time.Duration {
	began := time.Now()
	act()
	return time.Since(began)
}

// C34, RFC7009-2.1-c: what is said to be over is over at a node that has not heard
// of it, which goes on for as long as its feed may be old.
func TestEndedAnswersWait(t *testing.T) {
	const whole = 312500 * time.Microsecond
	for _, tt := range []struct {
		name string
		// act ends the connection of a, and says so.
		act func(w *world, node *Engine, a *TokenResponse) error
		// want is how it is said, when it is a refusal.
		want Refusal
	}{
		{"step 6", func(w *world, node *Engine, a *TokenResponse) error {
			_, err := node.Invalidate(w.ctx, Bearer(a.AccessToken))
			return err
		}, 0},
		{"revoke an access token", func(w *world, node *Engine, a *TokenResponse) error {
			_, err := node.Revoke(w.ctx, w.query(&w.C1, a.AccessToken))
			return err
		}, 0},
		{"revoke a refresh token", func(w *world, node *Engine, a *TokenResponse) error {
			_, err := node.Revoke(w.ctx, w.query(&w.C1, a.RefreshToken))
			return err
		}, 0},
		{"a refresh token again", func(w *world, node *Engine, a *TokenResponse) error {
			b := w.refreshed(&w.C1, a.RefreshToken)
			w.refreshed(&w.C1, b.RefreshToken)
			_, err := node.Refresh(w.ctx, w.tokenRequest(&w.C1, []string{"refresh_token=" + a.RefreshToken}, nil))
			return err
		}, InvalidGrant},
	} {
		for _, many := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *Config) { c.Shared = many })
				nodes := w.nodes()
				a := w.connected(&w.C1)
				want := whole
				if !many {
					want = 0
				}
				time.Sleep(time.Second)
				w.ok(nodes[0].feed.Poll(w.ctx))
				w.ok(nodes[1].feed.Poll(w.ctx))
				var err error
				if got := took(func() { err = tt.act(w, nodes[0], a) }); got != want {
					t.Errorf("%s, many nodes %v: answered after %v, want %v", tt.name, many, got, want)
				}
				if tt.want != 0 {
					w.refused(err, tt.want)
				} else {
					w.ok(err)
				}
				if !many {
					return
				}
				// The other node has not read since, and must not go by what it knew.
				reads := 0
				w.store.Plan(func(verb string) storetest.Fault {
					if verb == "Changes" {
						reads++
					}
					return storetest.NoFault
				})
				_, err = nodes[1].Info(w.ctx, Bearer(a.AccessToken))
				w.refused(err, InvalidToken)
				if reads != 1 {
					t.Errorf("%s: it reads %d times", tt.name, reads)
				}
			})
		}
	}
}

// C34: a second answer that says that something is over waits for the rest of the
// time, at the same node and at one that hears of it by this; after that none does.
func TestEndedBeforeWaitsForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, shared)
		nodes := w.nodes()
		settle := SettleTime(w.cfg.withDefaults().FeedBound)
		a := w.connected(&w.C1)
		refresh := func(node *Engine) {
			_, err := node.Refresh(w.ctx, w.tokenRequest(&w.C1, []string{"refresh_token=" + a.RefreshToken}, nil))
			w.refused(err, InvalidGrant)
		}
		revoke := func(token string) func(*Engine) {
			return func(node *Engine) {
				_, err := node.Revoke(w.ctx, w.query(&w.C1, token))
				w.ok(err)
			}
		}
		acts := map[string]func(*Engine){"refresh": refresh, "revoke": revoke(a.AccessToken), "revoke refresh": revoke(a.RefreshToken)}

		first := make(chan struct{})
		go func() {
			if _, err := nodes[0].Invalidate(w.ctx, Bearer(a.AccessToken)); err != nil {
				t.Error(err)
			}
			close(first)
		}()
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		// This node heard of it 100 ms ago.
		var wg sync.WaitGroup
		for name, act := range acts {
			wg.Go(func() {
				if got := took(func() { act(nodes[0]) }); got != settle-100*time.Millisecond {
					t.Errorf("%s at the same node: answered after %v", name, got)
				}
			})
		}
		wg.Wait()
		<-first
		for name, act := range acts {
			if got := took(func() { act(nodes[0]) }); got != 0 {
				t.Errorf("%s, later, at the same node: answered after %v", name, got)
			}
		}
		// The other hears of it now, by the store's answer, and cannot know since when.
		if got := took(func() { refresh(nodes[1]) }); got != settle {
			t.Errorf("at the other node: answered after %v", got)
		}
		for name, act := range acts {
			if got := took(func() { act(nodes[1]) }); got != 0 {
				t.Errorf("%s, later, at the other node: answered after %v", name, got)
			}
		}
		// A race for step 6, which the store decides.
		b := w.connected(&w.C1)
		_, err := w.store.End(w.ctx, symbolon.End{Connection: b.Grant.Connection, Now: w.clock.Now()})
		w.ok(err)
		got := took(func() {
			_, err := nodes[0].Invalidate(w.ctx, Bearer(b.AccessToken))
			w.refused(err, InvalidToken)
		})
		if got != settle {
			t.Errorf("“was ended before” is said after %v", got)
		}
	})
}

// B1, C21: a code that is spent twice ends its connection everywhere.
func TestReplayedCodeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, shared)
		nodes := w.nodes()
		request := w.redemption(&w.C1, w.code(&w.C1))
		var a *TokenResponse
		if got := took(func() {
			var err error
			a, err = nodes[0].Token(w.ctx, request)
			w.ok(err)
		}); got != 0 {
			t.Errorf("a code is redeemed after %v", got)
		}
		if got := took(func() {
			_, err := nodes[1].Token(w.ctx, request)
			w.refused(err, InvalidGrant)
		}); got != 312500*time.Microsecond {
			t.Errorf("the replay is answered after %v", got)
		}
		_, err := nodes[0].Info(w.ctx, Bearer(a.AccessToken))
		w.refused(err, InvalidToken)
	})
}

// RFC7592-2.2, RFC7592-2.3-a: a registration that is changed or deleted counts at
// no node as it was.
func TestChangedRegistrationWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRegistry(t, shared)
		info, app := w.joined(nil)
		w.connected(app)
		w.ok(w.feed.Poll(w.ctx))
		node := w.nodes()[1]
		_, err := node.App(w.ctx, symbolon.ClientID(info.ClientID)) // it holds the app in memory
		w.ok(err)
		if got := took(func() {
			body := changed(metadataX1, map[string]any{"client_id": info.ClientID, "client_name": "Another"})
			_, err := w.Reregister(w.ctx, info.ClientID, info.RegistrationAccessToken, []byte(body), Registrant{})
			w.ok(err)
		}); got != 312500*time.Microsecond {
			t.Errorf("a change is answered after %v", got)
		}
		now, err := node.App(w.ctx, symbolon.ClientID(info.ClientID))
		w.ok(err)
		if now.Name != "Another" {
			t.Errorf("another node goes by %q", now.Name)
		}
		if got := took(func() {
			_, err := w.Unregister(w.ctx, info.ClientID, info.RegistrationAccessToken, Registrant{})
			w.ok(err)
		}); got != 312500*time.Microsecond {
			t.Errorf("answered after %v", got)
		}
		_, err = node.App(w.ctx, symbolon.ClientID(info.ClientID))
		w.refused(err, UnknownClient)
	})
}

// Whoever hangs up ends the wait and undoes nothing; no success can be made of it,
// and a replay stays in the log.
func TestHangingUpWhileOthersAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, shared)
		a, b := w.connected(&w.C1), w.connected(&w.C1)
		c := w.refreshed(&w.C1, b.RefreshToken)
		w.refreshed(&w.C1, c.RefreshToken)
		for _, act := range []func(ctx context.Context) error{
			func(ctx context.Context) error { _, err := w.Invalidate(ctx, Bearer(a.AccessToken)); return err },
			func(ctx context.Context) error {
				_, err := w.Revoke(ctx, w.query(&w.C1, w.connected(&w.C1).AccessToken))
				return err
			},
			func(ctx context.Context) error {
				_, err := w.Refresh(ctx, w.tokenRequest(&w.C1, []string{"refresh_token=" + b.RefreshToken}, nil))
				if e := w.refused(err, Unavailable); e.Detail == "" {
					t.Error("the log does not say that a refresh token was replayed")
				}
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
			var err error
			if got := took(func() { err = act(ctx) }); got != 50*time.Millisecond {
				t.Errorf("answered after %v", got)
			}
			if e := w.refused(err, Unavailable); e.RetryAfter <= 0 {
				t.Error("no time to try again")
			}
			cancel()
		}
		w.dead(a)
		w.dead(b)
		w.dead(c)
	})
}

// So many that wait are too many, and are told so; those that wait are served.
func TestTooManyWaitForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, shared)
		a, b := w.connected(&w.C1), w.connected(&w.C1)
		w.settling.Store(maxSettling - 1)
		done := make(chan error)
		go func() { _, err := w.Invalidate(w.ctx, Bearer(a.AccessToken)); done <- err }()
		synctest.Wait()
		_, err := w.Invalidate(w.ctx, Bearer(b.AccessToken))
		w.refused(err, Unavailable)
		w.ok(<-done)
		w.dead(b) // it was ended all the same
		if n := w.settling.Load(); n != maxSettling-1 {
			t.Errorf("%d are counted as waiting", n)
		}
	})
}

func TestSettleTime(t *testing.T) {
	// By clocks that run 10.05 % too slow and too fast, the bound is over when the
	// time is.
	const wrong = 0.1005
	for _, bound := range []time.Duration{time.Millisecond, 250 * time.Millisecond, 10 * time.Second} {
		longest := float64(bound) / (1 - wrong)
		if shortest := float64(SettleTime(bound)) / (1 + wrong); shortest <= longest {
			t.Errorf("%v: only %v", bound, time.Duration(shortest))
		}
	}
}

// C34: a token in an app's own name, got from a node that does not know yet that
// the app is over, is over with it. One that was got later than that is good.
func TestOwnTokenFromANodeThatDoesNotKnowYet(t *testing.T) {
	w := newWide(t)
	stale := w.nodes()[1]
	const bound = 250 * time.Millisecond
	_, err := w.store.End(w.ctx, symbolon.End{Client: w.M1.ID, Now: w.clock.Now()})
	w.ok(err)
	w.clock.pass(bound)
	a, err := stale.Token(w.ctx, w.calling(&w.M1, "grant_type=client_credentials"))
	w.ok(err)
	w.ok(stale.feed.Poll(w.ctx))
	_, err = stale.Info(w.ctx, Bearer(a.AccessToken))
	if e := w.refused(err, InvalidToken); !strings.Contains(e.Description, "ended") {
		t.Errorf("refused for another reason: %v", e)
	}
	// Nor does anyone get one that would be dead.
	_, err = stale.Token(w.ctx, w.calling(&w.M1, "grant_type=client_credentials"))
	if e := w.refused(err, Unavailable); e.RetryAfter <= 0 {
		t.Error("no time to try again")
	}
	w.clock.pass(time.Millisecond)
	if b, err := w.own(&w.M1); err != nil || !w.active(&w.M1, b.AccessToken) {
		t.Errorf("a token that was got later: %v", err)
	}
}
