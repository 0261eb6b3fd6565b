package gather

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Who wants to know of batches is told whose changes were in them and how long they
// took, and keeps no caller waiting.
func TestOnBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(4, 8, func([]*job) { time.Sleep(time.Second) })
		var told []Batch
		g.OnBatch(func(b Batch) {
			time.Sleep(time.Hour)
			told = append(told, b)
		})
		type name struct{}
		began := time.Now()
		if err := g.Do(context.WithValue(t.Context(), name{}, "jane"), new(job)); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("the caller waited %v for a batch of a second", waited)
		}
		g.Close()
		if len(told) != 1 || len(told[0].Callers) != 1 || told[0].Callers[0].Value(name{}) != "jane" || told[0].Ended.Sub(told[0].Began) != time.Second {
			t.Errorf("told %+v", told)
		}
	})
}

// Nobody who does not ask pays for it.
func TestABatchAllocatesNothing(t *testing.T) {
	g := New(4, 8, func([]*job) {})
	defer g.Close()
	j, ctx := new(job), t.Context()
	if n := testing.AllocsPerRun(500, func() { _ = g.Do(ctx, j) }); n >= 1 {
		t.Errorf("%v allocations a change", n)
	}
}
