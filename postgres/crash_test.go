package postgres

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

func TestKilledAmidRefreshes(t *testing.T) { // C1, C9, B40
	w := seed(t, 64, Options{Wait: 3 * time.Second})
	c := theCluster(t)
	var stop atomic.Bool
	var rotated, busy, unknown atomic.Int64
	var back atomic.Int64 // when the first refresh after the kill succeeded, in nanoseconds
	var killed atomic.Bool
	var all sync.WaitGroup
	for i := range w.ids {
		all.Go(func() {
			for !stop.Load() {
				after := killed.Load()
				// After an error the client holds the token that it held before.
				got, err := w.Refresh(t.Context(), w.token(i, w.seqs[i]))
				switch {
				case err == nil && (got.Result == symbolon.Rotated || got.Result == symbolon.Repeated) && got.Seq == w.seqs[i]+1:
					w.seqs[i] = got.Seq
					rotated.Add(1)
					if after {
						back.CompareAndSwap(0, time.Now().UnixNano())
					}
				case err == nil:
					t.Errorf("holding %d: got %+v", w.seqs[i], got)
					return
				case symbolon.KindOf(err) == symbolon.Busy:
					busy.Add(1)
					time.Sleep(5 * time.Millisecond)
				case symbolon.KindOf(err) == symbolon.Unknown:
					unknown.Add(1)
				default:
					t.Errorf("holding %d: %v", w.seqs[i], err)
					return
				}
			}
		})
	}
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		before := rotated.Load()
		for start := time.Now(); rotated.Load() < before+200 && time.Since(start) < 20*time.Second; {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(round) * 7 * time.Millisecond)
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		back.Store(0)
		killed.Store(true)
		time.Sleep(100 * time.Millisecond)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		answers := time.Now()
		for back.Load() == 0 && time.Since(answers) < 20*time.Second {
			time.Sleep(time.Millisecond)
		}
		took := time.Duration(back.Load() - answers.UnixNano())
		if back.Load() == 0 || took > 5*time.Second {
			t.Errorf("round %d: back after %v, want within 5 s of the restart", round, took)
		}
		t.Logf("round %d: %d rotations so far, %d busy, %d unknown; back %v after the restart", round, rotated.Load(), busy.Load(), unknown.Load(), took)
		killed.Store(false)
	}
	stop.Store(true)
	all.Wait()
	if busy.Load() == 0 {
		t.Error("no call was refused: the kill has hit nothing")
	}
	for i, seq := range w.seqs {
		// What was acknowledged is there; what was not may be there, once.
		got, err := w.Refresh(t.Context(), w.token(i, seq))
		if err != nil || (got.Result != symbolon.Rotated && got.Result != symbolon.Repeated) || got.Seq != seq+1 {
			t.Fatalf("told of %d, got %+v, %v", seq, got, err)
		}
		if seq > 1 {
			got, err := w.Refresh(t.Context(), w.token(i, seq-1))
			if err != nil || got.Result != symbolon.RefreshReplayed {
				t.Fatalf("a token from before: got %+v, %v", got, err)
			}
		}
	}
}

func TestAwayAtTheStart(t *testing.T) { // C8
	w := seed(t, 1, Options{Wait: 3 * time.Second})
	c := theCluster(t)
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{URL: c.URL(w.name), Wait: time.Second})
	if symbolon.KindOf(err) != symbolon.Busy {
		t.Errorf("Open: got %v, want Busy", err)
	}
	// Every method, so that none calls an outage a refusal.
	ctx, now := t.Context(), time.Now()
	for what, call := range map[string]func() error{
		"Apps":        func() error { _, err := w.Apps(ctx, symbolon.AppQuery{Limit: 1}); return err },
		"PutApp":      func() error { return w.PutApp(ctx, symbolon.App{ID: "x"}) },
		"Accounts":    func() error { _, err := w.Accounts(ctx, symbolon.AccountQuery{Limit: 1}); return err },
		"PutAccount":  func() error { return w.PutAccount(ctx, symbolon.Account{ID: "x"}) },
		"SignIn":      func() error { return w.SignIn(ctx, symbolon.Session{Account: w.account}, [32]byte{}) },
		"Sessions":    func() error { _, err := w.Sessions(ctx, [32]byte{}, now); return err },
		"Allow":       func() error { return w.Allow(ctx, symbolon.Consent{Account: w.account}) },
		"Consent":     func() error { _, err := w.Consent(ctx, w.account, w.client); return err },
		"Connect":     func() error { return w.redeem(w.code(now)) },
		"Refresh":     func() error { return w.rotate(0) },
		"End":         func() error { _, err := w.End(ctx, symbolon.End{Connection: w.ids[0], Now: now}); return err },
		"End account": func() error { _, err := w.End(ctx, symbolon.End{Account: w.account, Now: now}); return err },
		"Connections": func() error { _, err := w.Connections(ctx, symbolon.ConnectionQuery{Limit: 1}); return err },
		"Changes":     func() error { _, _, err := w.Changes(ctx, 0, 1); return err },
		"Once": func() error {
			_, _, err := w.Once(ctx, symbolon.Once{Now: now, ExpiresAt: now.Add(time.Minute)})
			return err
		},
		"Once, looking": func() error { _, _, err := w.Once(ctx, symbolon.Once{Now: now, Look: true}); return err },
		"Keys":          func() error { _, err := w.Keys(ctx, nil, false); return err },
		"Keys, putting": func() error { _, err := w.Keys(ctx, []symbolon.Key{{ID: 1}}, false); return err },
		"Scopes":        func() error { _, err := w.Scopes(ctx); return err },
		"PutScope":      func() error { return w.PutScope(ctx, symbolon.Scope{}, symbolon.Scope{Name: "x", Description: "x"}) },
		"Mark":          func() error { _, err := w.Mark(ctx); return err },
	} {
		before := time.Now()
		if err := call(); symbolon.KindOf(err) != symbolon.Busy && symbolon.KindOf(err) != symbolon.Unknown {
			t.Errorf("%s: got %v, want Busy or Unknown", what, err)
		}
		if took := time.Since(before); took > 2*time.Second {
			t.Errorf("%s: refused after %v", what, took)
		}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.rotate(0); err != nil {
		t.Error(err)
	}
}

// A primary that has become a standby refuses writes, on connections that work.
func TestConnectionsToAStandbyAreGivenUp(t *testing.T) { // C10
	w := seed(t, 1, Options{})
	c := theCluster(t)
	if err := c.Exec("postgres", "ALTER DATABASE "+w.name+" SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	w.hot.Reset()
	w.pool.Reset()
	if err := w.rotate(0); symbolon.KindOf(err) != symbolon.Busy || err == nil {
		t.Fatalf("a refresh: got %v, want Busy", err)
	}
	if err := w.PutApp(t.Context(), symbolon.App{ID: "x"}); symbolon.KindOf(err) != symbolon.Busy || err == nil {
		t.Fatalf("an edit: got %v, want Busy", err)
	}
	if err := c.Exec("postgres", "ALTER DATABASE "+w.name+" RESET default_transaction_read_only"); err != nil {
		t.Fatal(err)
	}
	// What was open then is not used again.
	if err := w.rotate(0); err != nil {
		t.Error(err)
	}
	if err := w.PutApp(t.Context(), symbolon.App{ID: "x"}); err != nil {
		t.Error(err)
	}
}
