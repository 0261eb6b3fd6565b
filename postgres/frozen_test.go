package postgres

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// C35: a node that is frozen, or cut off, between the numbering of its changes and
// the commit holds up the ends of all the others. The server ends its transaction
// when no call could still be waiting for it.
func TestAFrozenNodeDoesNotHoldUpTheOthers(t *testing.T) {
	w := seed(t, 2, Options{Wait: time.Second})
	other := open(t, theCluster(t).URL(w.name), Options{Wait: time.Second})
	frozen, err := w.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Release()
	for _, statement := range []string{"BEGIN", "UPDATE feed SET last = last + 1"} {
		if _, err := frozen.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	busy := 0
	for {
		n, err := other.End(t.Context(), symbolon.End{Connection: w.ids[0], Now: time.Now()})
		if err == nil && n == 1 {
			break
		}
		if symbolon.KindOf(err) != symbolon.Busy {
			t.Fatalf("%d, %v", n, err)
		}
		busy++
		if time.Since(began) > 20*time.Second {
			t.Fatal("the ends of the other node wait for one that is frozen")
		}
	}
	if busy == 0 {
		t.Error("nothing was held up")
	}
	t.Logf("held up for %v", time.Since(began).Round(time.Millisecond))
	// What the frozen one had begun was not done, and it is told.
	if _, err := frozen.Exec(t.Context(), "COMMIT"); err == nil {
		t.Error("its transaction was committed")
	}
}
