package oauth

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

func TestInfo(t *testing.T) {
	w := newWorld(t)
	a := w.connected(&w.C1)
	w.run("happy", func(t *testing.T) {
		info, err := w.Info(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		if info.ID != w.U1.ID || info.User != "Jane Doe" || info.Grant.Client != w.C1.ID {
			t.Errorf("%+v", info)
		}
	})
	w.run("RFC6750-3-a", func(t *testing.T) {
		_, err := w.Info(w.ctx, Bearer(""))
		w.refused(err, MissingToken)
	})
	w.run("RFC6750-3.1-a", func(t *testing.T) {
		for _, token := range []string{"x", "sym_at_", a.AccessToken + "x", "Bearer " + a.AccessToken, w.secrets[w.C1.ID], "eyJhbGciOiJub25lIn0.e30."} {
			_, err := w.Info(w.ctx, Bearer(token))
			w.refused(err, InvalidToken)
		}
		narrow := w.connected(&w.C1, "scope=read")
		_, err := w.Info(w.ctx, Bearer(narrow.AccessToken))
		if e := w.refused(err, InsufficientScope); e.Client != w.C1.ID {
			t.Error("the log does not know the app")
		}
		// Which is over comes first: 401 when it has ended, not 403.
		_, err = w.Invalidate(w.ctx, Bearer(narrow.AccessToken))
		w.ok(err)
		_, err = w.Info(w.ctx, Bearer(narrow.AccessToken))
		w.refused(err, InvalidToken)
	})
	w.run("RFC9700-2.3-a", func(t *testing.T) {
		if a.ExpiresIn > 15*60 {
			t.Errorf("an access token lives %d s", a.ExpiresIn)
		}
	})
	w.run("a token of another server", func(t *testing.T) {
		other := newWorld(t)
		_, err := w.Info(w.ctx, Bearer(other.connected(&other.C1).AccessToken))
		w.refused(err, InvalidToken)
	})
	w.run("sealed, and no grant inside", func(t *testing.T) {
		text, err := w.ring.Seal(seal.AccessToken, []byte("nonsense"), w.clock.Now())
		w.ok(err)
		_, err = w.Info(w.ctx, Bearer(text))
		w.refused(err, InvalidToken)
	})
	w.run("reads nothing", func(t *testing.T) {
		w.ok(w.feed.Poll(w.ctx))
		w.store.Plan(func(verb string) storetest.Fault {
			if verb != "Changes" {
				t.Errorf("step 4 calls %s", verb)
			}
			return storetest.NoFault
		})
		w.alive(a)
		w.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
	})
}

func TestInvalidate(t *testing.T) {
	w := newWorld(t)
	w.run("the whole connection", func(t *testing.T) {
		a := w.connected(&w.C1)
		other := w.connected(&w.C1)
		b := w.refreshed(&w.C1, a.RefreshToken)
		grant, err := w.Invalidate(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		if grant.Connection != a.Grant.Connection {
			t.Errorf("%+v", grant)
		}
		w.dead(a)
		w.dead(b)
		for _, token := range []string{a.RefreshToken, b.RefreshToken} {
			_, err := w.refresh(&w.C1, token)
			w.refused(err, InvalidGrant)
		}
		if row := w.row(a); row.EndedBy != symbolon.ByApp {
			t.Errorf("ended: %s", row.EndedBy)
		}
		w.alive(other)
		w.refreshed(&w.C1, other.RefreshToken)
	})
	w.run("a second call", func(t *testing.T) {
		a := w.connected(&w.C1)
		_, err := w.Invalidate(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		for range 2 {
			_, err = w.Invalidate(w.ctx, Bearer(a.AccessToken))
			w.refused(err, InvalidToken)
		}
	})
	w.run("without the scope connect", func(t *testing.T) {
		// Ending asks for less than using: whoever holds a token may end it.
		a := w.connected(&w.C1, "scope=read")
		_, err := w.Invalidate(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
	})
	w.run("no token, a wrong one, an expired one", func(t *testing.T) {
		_, err := w.Invalidate(w.ctx, Bearer(""))
		w.refused(err, MissingToken)
		_, err = w.Invalidate(w.ctx, Bearer("x"))
		w.refused(err, InvalidToken)
		a := w.connected(&w.C1)
		w.clock.pass(10 * time.Minute)
		_, err = w.Invalidate(w.ctx, Bearer(a.AccessToken))
		w.refused(err, InvalidToken)
		if row := w.row(a); !row.EndedAt.IsZero() {
			t.Error("an expired token ended its connection")
		}
	})
	w.run("the code cannot be redeemed again", func(t *testing.T) {
		code := w.code(&w.C1)
		a := w.connectedWith(code)
		_, err := w.Invalidate(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		_, err = w.redeem(&w.C1, code)
		w.refused(err, InvalidGrant)
		if row := w.row(a); row.EndedBy != symbolon.ByApp {
			t.Errorf("ended: %s", row.EndedBy)
		}
	})
	w.run("a store that fails", func(t *testing.T) {
		for _, fault := range storetest.Faults {
			a := w.connected(&w.C1)
			w.store.FailNext("End", fault)
			_, err := w.Invalidate(w.ctx, Bearer(a.AccessToken))
			w.refused(err, Unavailable) // never 204 on a guess
			w.ok(w.feed.Poll(w.ctx))
			_, err = w.Invalidate(w.ctx, Bearer(a.AccessToken))
			if fault == storetest.Unanswered {
				w.refused(err, InvalidToken) // it was over
			} else {
				w.ok(err)
			}
			w.dead(a)
		}
	})
	w.run("another node", func(t *testing.T) {
		a := w.connected(&w.C1)
		there := New(w.cfg, w.store, w.ring, w.clock, NewFeed(w.store, w.clock, 250*time.Millisecond, 10*time.Minute))
		if _, err := there.Info(w.ctx, Bearer(a.AccessToken)); err != nil {
			t.Fatal(err)
		}
		_, err := w.Invalidate(w.ctx, Bearer(a.AccessToken))
		w.ok(err)
		w.ok(there.feed.Poll(w.ctx)) // within its bound
		_, err = there.Info(w.ctx, Bearer(a.AccessToken))
		w.refused(err, InvalidToken)
		_, err = there.Invalidate(w.ctx, Bearer(a.AccessToken))
		w.refused(err, InvalidToken)
	})
}
