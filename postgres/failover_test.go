package postgres

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/pgtest"
)

// pair returns a primary with a synchronous standby, each with an open database
// that is as Open makes it.
func pair(t *testing.T) (primary, standby *pgtest.Cluster) {
	t.Helper()
	primary, err := pgtest.New(pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Remove)
	if err := template(primary); err != nil {
		t.Fatal(err)
	}
	standby, err = primary.Standby("second")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Remove)
	if err := primary.Synchronous("second"); err != nil {
		t.Fatal(err)
	}
	return primary, standby
}

// load is what clients do all the time, and what they were told.
type load struct {
	*seeded
	stores [2]*DB
	t      *testing.T
	stop   atomic.Bool
	all    sync.WaitGroup

	done, busy, unknown atomic.Int64
	since               atomic.Int64 // in nanoseconds; where it is set, the first success after it is noted
	back                atomic.Int64 // how long that took, in nanoseconds

	mu    sync.Mutex
	codes []symbolon.Connect      // that were redeemed
	ended []symbolon.ConnectionID // for which an end was acknowledged
	used  []symbolon.Once
}

// told counts an outcome and reports whether it was a success.
func (l *load) told(what string, err error) bool {
	switch {
	case err == nil:
		l.done.Add(1)
		if since := l.since.Load(); since != 0 {
			l.back.CompareAndSwap(0, time.Now().UnixNano()-since)
		}
		return true
	case symbolon.KindOf(err) == symbolon.Busy:
		l.busy.Add(1)
	case symbolon.KindOf(err) == symbolon.Unknown:
		l.unknown.Add(1)
	default:
		l.t.Errorf("%s: %v", what, err)
	}
	time.Sleep(5 * time.Millisecond)
	return false
}

// refresh rotates connection i for as long as the load lasts.
func (l *load) refresh(i int) {
	for n := 0; !l.stop.Load(); n++ {
		got, err := l.stores[n%2].Refresh(context.Background(), l.token(i, l.seqs[i]))
		switch {
		case !l.told("refresh", err):
		case (got.Result == symbolon.Rotated || got.Result == symbolon.Repeated) && got.Seq == l.seqs[i]+1:
			l.seqs[i] = got.Seq
		default:
			l.t.Errorf("holding %d: got %+v", l.seqs[i], got)
			return
		}
	}
}

// live redeems codes, each at two nodes at once, and ends every other connection
// that comes of it. Records of what was used once are made by two at once as well.
func (l *load) live(who int) {
	for n := 0; !l.stop.Load(); n++ {
		code := l.code(time.Now())
		code.Spare = true // or the second would end it
		use := symbolon.Once{Key: [32]byte{1, byte(who), byte(n >> 16), byte(n >> 8), byte(n)}, Value: []byte{1}, Now: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
		var connected, firsts atomic.Int64
		var both sync.WaitGroup
		for _, store := range l.stores {
			both.Go(func() {
				got, err := store.Connect(context.Background(), code)
				if l.told("connect", err) && got == symbolon.Connected {
					connected.Add(1)
				}
				_, first, err := store.Once(context.Background(), use)
				if l.told("once", err) && first {
					firsts.Add(1)
				}
			})
		}
		both.Wait()
		if connected.Load() > 1 || firsts.Load() > 1 {
			l.t.Errorf("honoured twice: %d connected, %d first", connected.Load(), firsts.Load())
		}
		l.mu.Lock()
		if connected.Load() == 1 {
			l.codes = append(l.codes, code)
		}
		if firsts.Load() == 1 {
			l.used = append(l.used, use)
		}
		l.mu.Unlock()
		if connected.Load() == 1 && n%2 == 0 {
			_, err := l.stores[n/2%2].End(context.Background(), symbolon.End{Connection: code.Connection.ID, Now: time.Now()})
			if l.told("end", err) {
				l.mu.Lock()
				l.ended = append(l.ended, code.Connection.ID)
				l.mu.Unlock()
			}
		}
	}
}

// start has the load begin.
func (l *load) start() {
	for i := range l.ids {
		l.all.Go(func() { l.refresh(i) })
	}
	for who := range 8 {
		l.all.Go(func() { l.live(who) })
	}
}

// end ends the load and looks whether all is there that was acknowledged.
func (l *load) end() {
	t, ctx := l.t, context.Background()
	t.Helper()
	l.stop.Store(true)
	l.all.Wait()
	for i, seq := range l.seqs {
		got, err := l.stores[1].Refresh(ctx, l.token(i, seq))
		if err != nil || (got.Result != symbolon.Rotated && got.Result != symbolon.Repeated) || got.Seq != seq+1 {
			t.Fatalf("told of %d, got %+v, %v", seq, got, err)
		}
		if seq < 1 {
			continue
		}
		if got, err := l.stores[0].Refresh(ctx, l.token(i, seq-1)); err != nil || got.Result != symbolon.RefreshReplayed {
			t.Fatalf("a token from before: got %+v, %v", got, err)
		}
	}
	over := make(map[symbolon.ConnectionID]bool)
	for _, id := range l.ended {
		over[id] = true
	}
	for i, code := range l.codes {
		got, err := l.stores[i%2].Connect(ctx, code)
		if err != nil || got != symbolon.CodeReplayed {
			t.Fatalf("a code that was redeemed: got %v, %v", got, err)
		}
		asked := l.token(0, 0)
		asked.ID = code.Connection.ID
		want := symbolon.Rotated
		if over[asked.ID] {
			want = symbolon.RefreshEnded
		}
		if i%2 == 1 && !over[asked.ID] {
			continue // its end may have been of an unknown outcome
		}
		if got, err := l.stores[i%2].Refresh(ctx, asked); err != nil || got.Result != want && over[asked.ID] {
			t.Fatalf("a connection whose end was acknowledged (%v): got %+v, %v", over[asked.ID], got, err)
		}
	}
	for i, use := range l.used {
		if _, first, err := l.stores[i%2].Once(ctx, use); err != nil || first {
			t.Fatalf("what was used: first %v, %v", first, err)
		}
	}
	if len(l.codes) < 50 || len(l.ended) < 20 || len(l.used) < 50 {
		t.Errorf("only %d codes, %d ends and %d uses were acknowledged", len(l.codes), len(l.ended), len(l.used))
	}
}

// newLoad prepares a load on a database that two nodes reach by the URL.
func newLoad(t *testing.T, url string, wait time.Duration) *load {
	l := &load{t: t, seeded: seedAt(t, url, 24, Options{Wait: wait})}
	l.stores = [2]*DB{l.DB, open(t, url, Options{Wait: wait})}
	return l
}

func TestFailover(t *testing.T) { // C9, C10, B40
	primary, standby := pair(t)
	l := newLoad(t, pgtest.URL("fresh", primary, standby), 3*time.Second)
	l.start()
	rate := func() int64 {
		before := l.done.Load()
		time.Sleep(time.Second)
		return l.done.Load() - before
	}
	before := rate()
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	time.Sleep(300 * time.Millisecond)
	refused := l.busy.Load() + l.unknown.Load()
	l.since.Store(time.Now().UnixNano())
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	outage := time.Since(killed)
	for start := time.Now(); l.back.Load() == 0 && time.Since(start) < 20*time.Second; {
		time.Sleep(time.Millisecond)
	}
	after := rate()
	l.end()
	back := time.Duration(l.back.Load())
	t.Logf("promoted %v after the kill; the first success %v after the promotion was asked for; %d/s before, %d/s in the second after it; %d busy, %d unknown",
		outage.Round(time.Millisecond), back.Round(time.Millisecond), before, after, l.busy.Load(), l.unknown.Load())
	if back == 0 || back > 5*time.Second {
		t.Errorf("back %v after the promotion, want within 5 s", back)
	}
	if refused == 0 || before < 100 || after < before/4 {
		t.Errorf("%d calls were refused; %d/s before, %d/s after", refused, before, after)
	}
}

// A commit that the standby does not have is not acknowledged, by whatever way the
// primary goes on.
func TestNothingIsAcknowledgedWithoutTheStandby(t *testing.T) { // C9, C10
	const wait = time.Second
	primary, standby := pair(t)
	w := seedAt(t, pgtest.URL("fresh", primary, standby), 8, Options{Wait: wait})
	ctx, now := t.Context(), time.Now()
	if err := w.rotate(0); err != nil {
		t.Fatal(err)
	}
	if n, err := w.End(ctx, symbolon.End{Connection: w.ids[1], Now: now}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := standby.Freeze(); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || symbolon.KindOf(err) != symbolon.Busy && symbolon.KindOf(err) != symbolon.Unknown {
			t.Errorf("%s: got %v, want Busy or Unknown", what, err)
		}
	}
	calls := map[string]func() error{
		"Refresh":   func() error { return w.rotate(2) },
		"Connect":   func() error { return w.redeem(w.code(now)) },
		"End":       func() error { _, err := w.End(ctx, symbolon.End{Connection: w.ids[3], Now: now}); return err },
		"PutApp":    func() error { return w.PutApp(ctx, symbolon.App{ID: "x", CreatedAt: now}) },
		"End again": func() error { _, err := w.End(ctx, symbolon.End{Connection: w.ids[1], Now: now}); return err },
		"Once": func() error {
			_, _, err := w.Once(ctx, symbolon.Once{Now: now, ExpiresAt: now.Add(time.Minute)})
			return err
		},
	}
	var all sync.WaitGroup
	for what, call := range calls {
		for range 3 { // the second and the third wait for a turn, too
			all.Go(func() {
				before := time.Now()
				refused(what, call())
				if took := time.Since(before); took > wait+wait/2 {
					t.Errorf("%s: refused after %v", what, took)
				}
			})
		}
	}
	all.Wait()

	// The driver cancels what it leaves, which breaks the wait off: the commits are
	// there, on the primary alone. Nothing that is read from there is acknowledged
	// either, nor is a commit whose wait an operator breaks off.
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		rows, err := w.Connections(ctx, symbolon.ConnectionQuery{ID: w.ids[2], Limit: 1})
		if err != nil || time.Since(start) > 10*time.Second {
			t.Fatal("the refresh is not there: ", err)
		}
		if rows[0].Seq == 1 {
			break
		}
	}
	breakOff := func() {
		t.Helper()
		const query = `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' HAVING count(*) > 0`
		for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
			if err := primary.Exec("postgres", "SELECT 1 / (SELECT count(*) FROM ("+query+") AS found)"); err == nil {
				return
			}
		}
		t.Fatal("nobody waits")
	}
	slow := open(t, w.options.URL, Options{Wait: 10 * time.Second})
	result := make(chan error, 2)
	go func() {
		_, err := slow.Refresh(ctx, w.token(4, 0))
		result <- err
	}()
	breakOff()
	if err := <-result; symbolon.KindOf(err) != symbolon.Unknown || err == nil {
		t.Errorf("a refresh whose wait was broken off: got %v, want Unknown", err)
	}
	for what, e := range map[string]symbolon.End{
		"a connection": {Connection: w.ids[3], Now: now}, "an account": {Account: w.account, Now: now.Add(-time.Hour)},
		"an app": {Client: w.client, Now: now.Add(-time.Hour)}, "a pair": {Account: w.account, Client: "nobody", Now: now},
	} {
		for range 2 {
			go func() {
				_, err := slow.End(ctx, e)
				result <- err
			}()
			breakOff()
			if err := <-result; symbolon.KindOf(err) != symbolon.Unknown || err == nil {
				t.Errorf("the end of %s: got %v, want Unknown", what, err)
			}
		}
	}

	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	if err := w.rotate(0); err != nil {
		t.Error(err)
	}
	if got, err := w.Refresh(ctx, w.token(1, 0)); err != nil || got.Result != symbolon.RefreshEnded {
		t.Errorf("an end that was acknowledged: got %+v, %v", got, err)
	}
}

// silent returns the address of a host that takes connections and says nothing, and
// how many it has taken.
func silent(t *testing.T) (address string, taken *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			go func() {
				_, _ = io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().String(), taken
}

func TestTheHostThatTakesChangesIsFound(t *testing.T) { // C10
	primary, err := pgtest.New(pgtest.Options{TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Remove)
	if err := template(primary); err != nil {
		t.Fatal(err)
	}
	standby, err := primary.Standby("second")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Remove)
	// A host that says nothing, one that is not there, a standby, and the primary;
	// whatever the URL says of standbys.
	dumb, taken := silent(t)
	url := primary.TCPURL("fresh", dumb, "127.0.0.1:1", standby.Address(), primary.Address()) + "&target_session_attrs=prefer-standby"
	before := time.Now()
	w := seedAt(t, url, 1, Options{Wait: 3 * time.Second})
	took := time.Since(before)
	if took > 10*time.Second {
		t.Errorf("opened and filled after %v", took)
	}
	if taken.Load() == 0 {
		t.Error("the silent host was not tried")
	}
	tried := taken.Load()
	for range 3 {
		w.hot.Reset()
		w.pool.Reset()
		if err := w.rotate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Apps(t.Context(), symbolon.AppQuery{Limit: 1}); err != nil {
			t.Fatal(err)
		}
		if taken.Load() != tried {
			t.Error("the silent host was waited for again")
		}
	}
	// What was the primary is gone: the others are tried in their order.
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	before = time.Now()
	for err = w.rotate(0); err != nil && time.Since(before) < 5*time.Second; err = w.rotate(0) {
		if kind := symbolon.KindOf(err); kind != symbolon.Busy && kind != symbolon.Unknown {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Error(err)
	}
	t.Logf("opened in %v, on the new primary after %v", took, time.Since(before))
}
