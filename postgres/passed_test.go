package postgres

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// A database that lost its last changes, to a failover or a restore, may have passed
// the reader's place by new ones before the reader looks. It must not go on from there.
func TestAReaderWhosePlaceWasPassed(t *testing.T) { // C10, C34
	w := seed(t, 8, Options{})
	end := func(i int) {
		t.Helper()
		if n, err := w.End(t.Context(), symbolon.End{Connection: w.ids[i], Now: time.Now()}); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	}
	for i := range 3 {
		end(i)
	}
	_, cursor, err := w.Changes(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	// The last two are lost.
	for _, statement := range []string{
		`UPDATE connection SET ended_at = NULL WHERE id IN (SELECT connection FROM change WHERE no > (SELECT last - 2 FROM feed))`,
		`DELETE FROM change WHERE no > (SELECT last - 2 FROM feed)`,
		`UPDATE feed SET last = last - 2`,
	} {
		if _, err := w.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for i := 3; i < 7; i++ { // at another node
		end(i)
	}
	known := map[symbolon.ConnectionID]bool{}
	for range 2 {
		list, next, err := w.Changes(t.Context(), cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			known[c.ID] = true
		}
		cursor = next
	}
	for i := 3; i < 7; i++ {
		if !known[w.ids[i]] {
			t.Errorf("connection %d was ended, and the reader never hears of it", i)
		}
	}
}
