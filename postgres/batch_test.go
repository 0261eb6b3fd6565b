package postgres

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// together has the changes made in one batch, as a group would.
func together[Q, O any](t *testing.T, run func([]*request[Q, O]), asked ...Q) ([]O, []error) {
	t.Helper()
	batch := make([]*request[Q, O], len(asked))
	for i, q := range asked {
		batch[i] = &request[Q, O]{ask: q, since: time.Now()}
	}
	run(batch)
	outs, errs := make([]O, len(asked)), make([]error, len(asked))
	for i, r := range batch {
		if !r.done {
			t.Fatalf("request %d has no outcome", i)
		}
		outs[i], errs[i] = r.out, r.err
	}
	return outs, errs
}

func want[T comparable](t *testing.T, got, want []T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestOneConnectionManyTimesInABatch(t *testing.T) { // B38, B39, B43
	w := seed(t, 4, Options{})
	run := runner(w.DB, opRefresh, w.refreshAll)
	results := func(asked ...symbolon.Refresh) (list []symbolon.RefreshResult) {
		t.Helper()
		outs, errs := together(t, run, asked...)
		want(t, errs, make([]error, len(errs)))
		for _, o := range outs {
			list = append(list, o.Result)
		}
		return list
	}
	type all = []symbolon.RefreshResult
	want(t, results(w.token(0, 0), w.token(1, 0), w.token(0, 0), w.token(0, 0)),
		all{symbolon.Rotated, symbolon.Rotated, symbolon.Repeated, symbolon.Repeated})
	// A whole chain, and a replay of its start, which the ones after it see.
	want(t, results(w.token(0, 1), w.token(0, 2), w.token(0, 2), w.token(0, 0), w.token(0, 3), w.token(1, 1)),
		all{symbolon.Rotated, symbolon.Rotated, symbolon.Repeated, symbolon.RefreshReplayed, symbolon.RefreshEnded, symbolon.Rotated})
	// Newer than the row, and then its own successor.
	want(t, results(w.token(2, 7), w.token(2, 8), w.token(2, 7)), all{symbolon.CaughtUp, symbolon.Rotated, symbolon.RefreshReplayed})
	never := w.token(3, 0)
	never.Rotation = symbolon.RotateNever
	// All came at the same moment: which of them is first is for the store to say.
	want(t, results(never, w.token(3, 0), never), all{symbolon.Repeated, symbolon.Rotated, symbolon.Repeated})
	changes, _, err := w.Changes(t.Context(), 0, 100)
	ended := 0
	for _, c := range changes {
		if c.Kind == symbolon.ConnectionEnded {
			ended++
		}
	}
	if err != nil || ended != 2 {
		t.Fatalf("%d ends in %v, %v", ended, changes, err)
	}
}

func TestOneCodeManyTimesInABatch(t *testing.T) { // B1, B2
	w := seed(t, 0, Options{})
	run := runner(w.DB, opConnect, w.connectAll)
	type all = []symbolon.ConnectOutcome
	good, other, spare := w.code(time.Now()), w.code(time.Now()), w.code(time.Now())
	spare.Spare = true
	outs, errs := together(t, run, good, spare, good, other, spare)
	want(t, errs, make([]error, 5))
	want(t, outs, all{symbolon.Connected, symbolon.Connected, symbolon.CodeReplayed, symbolon.Connected, symbolon.CodeReplayed})
	live, err := w.Connections(t.Context(), symbolon.ConnectionQuery{Live: true, Now: time.Now(), Limit: 9})
	if err != nil || len(live) != 2 {
		t.Fatalf("%v, %v", live, err)
	}
	// One that is denied takes nothing from another of the same id that is not.
	denied := w.code(time.Now())
	allowed := denied
	denied.Connection.Client = "nobody"
	outs, errs = together(t, run, denied, denied, allowed, denied, allowed)
	want(t, errs, make([]error, 5))
	want(t, outs, all{symbolon.ConnectDenied, symbolon.ConnectDenied, symbolon.Connected, symbolon.ConnectDenied, symbolon.CodeReplayed})
}

func TestOneEndManyTimesInABatch(t *testing.T) { // C23
	w := seed(t, 2, Options{})
	run := runner(w.DB, opEnd, w.endAll)
	end := symbolon.End{Connection: w.ids[0], Now: time.Now()}
	token := symbolon.End{Connection: symbolon.NewConnectionID(time.Now()), Token: true, Now: time.Now()}
	outs, errs := together(t, run, end, token, end, token, symbolon.End{Connection: w.ids[1], Token: true, Now: time.Now()})
	want(t, errs, make([]error, 5))
	want(t, outs, []int{1, 1, 0, 1, 1})
}

func TestOneUseManyTimesInABatch(t *testing.T) { // B2
	w := seed(t, 0, Options{})
	run := runner(w.DB, opOnce, w.useAll)
	now := time.Now()
	o := func(value string, at time.Time) symbolon.Once {
		return symbolon.Once{Key: [32]byte{9}, Value: []byte(value), Now: at, ExpiresAt: at.Add(time.Minute)}
	}
	// The third is of a clock to which the first is over.
	outs, errs := together(t, run, o("a", now), o("b", now), o("c", now.Add(time.Hour)), o("d", now))
	want(t, errs, make([]error, 4))
	var got []string
	for _, u := range outs {
		got = append(got, fmt.Sprint(string(u.value), u.first))
	}
	want(t, got, []string{"atrue", "afalse", "ctrue", "afalse"})
}

func TestAValueThatIsRefusedFailsAlone(t *testing.T) { // I5
	w := seed(t, 5, Options{})
	now := time.Now()
	var asked []symbolon.End
	for i, id := range w.ids {
		e := symbolon.End{Connection: id, Reason: symbolon.ByApp, Now: now}
		if i == 3 {
			e.Reason = "a \x00 that no text can hold"
		}
		asked = append(asked, e)
	}
	outs, errs := together(t, runner(w.DB, opEnd, w.endAll), asked...)
	for i := range asked {
		if i == 3 {
			if symbolon.KindOf(errs[i]) != symbolon.Internal || errs[i] == nil {
				t.Errorf("got %v, want an internal error", errs[i])
			}
		} else if outs[i] != 1 || errs[i] != nil {
			t.Errorf("a neighbour: got %d, %v", outs[i], errs[i])
		}
	}
	bad := w.code(now)
	bad.Connection.Scope = symbolon.Scopes{"\xff"}
	connected, errs2 := together(t, runner(w.DB, opConnect, w.connectAll), w.code(now), bad, w.code(now))
	if connected[0] != symbolon.Connected || connected[2] != symbolon.Connected || symbolon.KindOf(errs2[1]) != symbolon.Internal || errs2[1] == nil {
		t.Errorf("got %v, %v", connected, errs2)
	}
}

func TestADeadlockIsRetried(t *testing.T) { // C12
	w := seed(t, 2, Options{})
	if err := theCluster(t).Exec(w.name, "ALTER DATABASE "+w.name+" SET deadlock_timeout = '20ms'"); err != nil {
		t.Fatal(err)
	}
	w.pool.Reset()
	tries := 0
	var mu sync.Mutex
	var met sync.WaitGroup
	met.Add(2)
	cross := func(first, second int) error {
		once := sync.OnceFunc(func() { met.Done(); met.Wait() })
		return w.write(t.Context(), "cross", func(tx *transaction) error {
			mu.Lock()
			tries++
			mu.Unlock()
			if _, err := tx.exec(`UPDATE connection SET seq = seq + 1 WHERE id = $1`, [16]byte(w.ids[first])); err != nil {
				return err
			}
			once()
			_, err := tx.exec(`UPDATE connection SET seq = seq + 1 WHERE id = $1`, [16]byte(w.ids[second]))
			return err
		})
	}
	var errs [2]error
	var all sync.WaitGroup
	all.Go(func() { errs[0] = cross(0, 1) })
	all.Go(func() { errs[1] = cross(1, 0) })
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil || tries < 3 {
		t.Fatalf("%d tries, %v", tries, err)
	}
	for i := range w.ids {
		rows, err := w.Connections(t.Context(), symbolon.ConnectionQuery{ID: w.ids[i], Limit: 1})
		if err != nil || rows[0].Seq != 2 {
			t.Fatalf("%+v, %v", rows, err)
		}
	}
}

// What a reader has passed by is never filled in later: ids from a sequence would
// be, since they become visible in another order than they are given out.
func TestNoReaderMissesAChange(t *testing.T) { // C34
	w := seed(t, 400, Options{})
	url := theCluster(t).URL(w.name)
	nodes := []*DB{w.DB, open(t, url, Options{}), open(t, url, Options{})}
	var writers sync.WaitGroup
	for i, id := range w.ids {
		writers.Go(func() {
			if i%7 == 0 { // another sort of transaction that leaves changes
				if err := nodes[i%3].PutApp(t.Context(), symbolon.App{ID: symbolon.ClientID(fmt.Sprint("app", i)), CreatedAt: w.now}); err != nil {
					t.Error(err)
				}
			}
			if _, err := nodes[i%3].End(t.Context(), symbolon.End{Connection: id, Now: time.Now()}); err != nil {
				t.Error(err)
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	reader := open(t, url, Options{})
	seen := make(map[symbolon.ConnectionID]bool)
	var cursor symbolon.Cursor
	for last := false; ; {
		list, next, err := reader.Changes(t.Context(), cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			seen[c.ID] = true
		}
		if next-cursor != symbolon.Cursor(len(list)) {
			t.Fatalf("from %d to %d by %d changes: a gap", cursor, next, len(list))
		}
		cursor = next
		if len(list) == 0 {
			if last {
				break
			}
			select {
			case <-done:
				last = true
			default:
			}
		}
	}
	for i, id := range w.ids {
		if !seen[id] {
			t.Fatalf("the reader has missed the end of connection %d", i)
		}
	}
}

// Of a pair that is ended while codes are redeemed on another node, nothing lives.
func TestAPairThatEndsWhileItConnects(t *testing.T) { // B42
	w := seed(t, 0, Options{})
	other := open(t, theCluster(t).URL(w.name), Options{})
	for round := range 30 {
		consent := symbolon.Consent{Account: w.account, Client: w.client, Scope: symbolon.Scopes{"connect"}, GrantedAt: w.now}
		if err := w.Allow(t.Context(), consent); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := w.Connect(t.Context(), w.code(time.Now())); err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if _, err := other.End(t.Context(), symbolon.End{Account: w.account, Client: w.client, Now: time.Now()}); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		live, err := w.Connections(t.Context(), symbolon.ConnectionQuery{Live: true, Now: time.Now(), Limit: 9})
		if err != nil || len(live) != 0 {
			t.Fatalf("round %d: %d connections outlived the end of the pair, %v", round, len(live), err)
		}
	}
}
