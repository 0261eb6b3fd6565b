package postgres

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// nodes returns two nodes on one database.
func nodes(t *testing.T, connections int) (*seeded, [2]*DB) {
	t.Helper()
	w := seed(t, connections, Options{})
	return w, [2]*DB{w.DB, open(t, theCluster(t).URL(w.name), Options{})}
}

func TestTwoNodesOneOutcome(t *testing.T) { // B2, B39, C33
	w, stores := nodes(t, 50)
	for i := range w.ids {
		code := w.code(time.Now())
		use := symbolon.Once{Key: [32]byte{byte(i)}, Now: time.Now(), ExpiresAt: time.Now().Add(time.Minute)}
		var mu sync.Mutex
		connected, firsts, ended, seqs := 0, 0, 0, map[uint64]int{}
		var all sync.WaitGroup
		for n := range 32 {
			all.Go(func() {
				store := stores[n%2]
				made, err := store.Connect(t.Context(), code)
				if err != nil {
					t.Error(err)
				}
				got, err := store.Refresh(t.Context(), w.token(i, 0))
				if err != nil || (got.Result != symbolon.Rotated && got.Result != symbolon.Repeated) {
					t.Errorf("got %+v, %v", got, err)
				}
				use := use
				use.Value = []byte(fmt.Sprint(n))
				_, first, err := store.Once(t.Context(), use)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				seqs[got.Seq]++
				if made == symbolon.Connected {
					connected++
				}
				if first {
					firsts++
				}
			})
		}
		all.Wait()
		for n := range 8 {
			all.Go(func() {
				n, err := stores[n%2].End(t.Context(), symbolon.End{Connection: w.ids[i], Now: time.Now()})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				ended += n
				mu.Unlock()
			})
		}
		all.Wait()
		if connected != 1 || len(seqs) != 1 || firsts != 1 || ended != 1 {
			t.Fatalf("%d connected, successors %v, %d first, %d ended", connected, seqs, firsts, ended)
		}
	}
}

// Chains and ends on two nodes at full speed: what ended is over on both, and
// nothing stands still.
func TestTwoNodesRefreshAndEnd(t *testing.T) { // B42, C12
	w, stores := nodes(t, 24)
	var all sync.WaitGroup
	for n := range 48 {
		all.Go(func() {
			for k := range uint64(12) {
				for i := range w.ids {
					// In another order on each node, so that batches cross.
					i := (i*(1+n%2*4) + n) % len(w.ids)
					if _, err := stores[n%2].Refresh(t.Context(), w.token(i, k)); err != nil {
						t.Error(err)
						return
					}
					if k == 6 && i == n/2 {
						if _, err := stores[n%2].End(t.Context(), symbolon.End{Connection: w.ids[i], Now: time.Now()}); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	all.Wait()
	for i := range w.ids {
		for seq := range uint64(14) {
			got, err := stores[1].Refresh(t.Context(), w.token(i, seq))
			if err != nil || got.Result != symbolon.RefreshEnded {
				t.Fatalf("connection %d, token %d: got %+v, %v", i, seq, got, err)
			}
		}
	}
}

func TestADisabledAccountKeepsNoSession(t *testing.T) { // part F.2, 9
	w, stores := nodes(t, 0)
	account := symbolon.Account{ID: w.account, Username: "jane", CreatedAt: w.now, Version: 1}
	edit := func(disabledAt time.Time) {
		t.Helper()
		account.DisabledAt = disabledAt
		if err := stores[1].PutAccount(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		account.Version++
	}
	browser := [32]byte{1}
	for round := range 40 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				err := stores[0].SignIn(t.Context(), symbolon.Session{
					Browser: browser, Account: w.account, AuthAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
				}, [32]byte{})
				if err != nil && symbolon.KindOf(err) != symbolon.Denied {
					t.Error(err)
				}
			})
		}
		edit(time.Now())
		all.Wait()
		edit(time.Time{})
		if list, err := stores[0].Sessions(t.Context(), browser, time.Now()); err != nil || len(list) != 0 {
			t.Fatalf("round %d: signed in after all: %v, %v", round, list, err)
		}
	}
}

func TestTwoNodesAllowOneApp(t *testing.T) { // part F.2, 5
	w, stores := nodes(t, 0)
	for round := range 30 {
		client := symbolon.ClientID(fmt.Sprint("app", round))
		var all sync.WaitGroup
		for n := range 6 {
			all.Go(func() {
				err := stores[n%2].Allow(t.Context(), symbolon.Consent{
					Account: w.account, Client: client, Scope: symbolon.Scopes{fmt.Sprint("s", n)}, GrantedAt: time.Now(),
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got, err := w.Consent(t.Context(), w.account, client)
		if err != nil || len(got.Scope) != 6 {
			t.Fatalf("round %d: of six scopes there are %v, %v", round, got.Scope, err)
		}
	}
}

func TestTwoNodesPutFirstKeys(t *testing.T) { // part F.2, 10
	w, stores := nodes(t, 0)
	for round := range 30 {
		var mu sync.Mutex
		taken := 0
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				key := symbolon.Key{ID: symbolon.KeyID(100*round + n), Algorithm: fmt.Sprint(round), Wrapped: []byte{1}, ActiveFrom: w.now}
				err := symbolon.PutKeys(t.Context(), stores[n%2], []symbolon.Key{key}, true)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					taken++
				} else if symbolon.KindOf(err) != symbolon.Conflict {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if taken != 1 {
			t.Fatalf("round %d: %d first keys were taken", round, taken)
		}
	}
}
