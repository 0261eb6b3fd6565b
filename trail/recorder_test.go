package trail_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
	"github.com/symbolon/symbolon/trail"
)

// slow is a trail whose store stands still until it is let go.
type slow struct {
	*storetest.Memory
	gate   chan struct{}
	writes atomic.Int64
}

func (s *slow) Record(ctx context.Context, entries []symbolon.TrailEntry, keep int) error {
	select {
	case <-s.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.writes.Add(1)
	return s.Memory.Record(ctx, entries, keep)
}

func entry(n int) *symbolon.TrailEntry {
	return &symbolon.TrailEntry{RequestID: fmt.Sprint(n), Client: "a", Bucket: symbolon.ProvenApp, Error: "x", At: time.Now()}
}

// A store that stands still keeps nobody waiting: what there is no room for is lost, and
// counted. When it goes on, so does the log.
func TestRecordNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{Memory: storetest.NewMemory(), gate: make(chan struct{})}
		r := trail.New(trail.Options{Store: store, Keep: 10_000})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { r.Run(ctx); close(done) }()
		for n := range 2000 {
			r.Record(entry(n))
		}
		_, lost := r.Counts()
		if lost < 1000 {
			t.Errorf("%d were lost of 2000, and there is no room for so many", lost)
		}
		time.Sleep(10 * time.Second) // the write that hangs is given up
		if _, more := r.Counts(); more <= lost {
			t.Error("a write that hangs is never given up")
		}
		close(store.gate)
		for n := range 100 {
			r.Record(entry(n))
		}
		time.Sleep(time.Second)
		if n := store.writes.Load(); n != 1 {
			t.Errorf("100 entries took %d writes, want 1", n)
		}
		r.Record(entry(1000)) // before the end, and written at it
		stop()
		<-done
		if written, _ := r.Counts(); written != 101 {
			t.Errorf("%d were written, want 101", written)
		}
	})
}

// Each app has so many a second, of each bucket, and all together have so many.
func TestAdmits(t *testing.T) {
	r := trail.New(trail.Options{Store: storetest.NewMemory()})
	now := time.Unix(1_800_000_000, 0)
	count := func(client string, bucket symbolon.TrailBucket, endpoint string, failed bool) (n int) {
		for range 1000 {
			if r.Admits(symbolon.ClientID(client), bucket, endpoint, failed, now) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		client   string
		bucket   symbolon.TrailBucket
		endpoint string
		failed   bool
		want     int
	}{
		{"a", symbolon.NamedApp, "token", true, 20},
		{"a", symbolon.NamedApp, "info", true, 0}, // what failed is counted together
		{"a", symbolon.ProvenApp, "token", true, 20},
		{"a", symbolon.ProvenApp, "token", false, 2},
		{"a", symbolon.ProvenApp, "info", false, 2},
		{"b", symbolon.NamedApp, "token", true, 20},
	} {
		if got := count(c.client, c.bucket, c.endpoint, c.failed); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	total := 0
	for n := range 100 {
		total += count(fmt.Sprint("x", n), symbolon.NamedApp, "", true)
	}
	if total != 60 { // of 100, of which a and b have had 20 each
		t.Errorf("%d of all apps", total)
	}
	now = now.Add(time.Second)
	if got := count("a", symbolon.NamedApp, "", true); got != 20 {
		t.Errorf("in the next second: %d", got)
	}
}
