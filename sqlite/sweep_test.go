package sqlite

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

const day = 24 * time.Hour

// counts returns how many rows the tables that are swept have.
func (w *seeded) counts(t *testing.T) (connections, sessions, changes int) {
	t.Helper()
	err := w.read(t.Context(), "test", func(f *file) error {
		return f.reads.QueryRowContext(t.Context(), `
			SELECT (SELECT count(*) FROM connection), (SELECT count(*) FROM session), (SELECT count(*) FROM change)`,
		).Scan(&connections, &sessions, &changes)
	})
	if err != nil {
		t.Fatal(err)
	}
	return connections, sessions, changes
}

// writeAt writes something at a time, so that some rows are swept.
func (w *seeded) writeAt(t *testing.T, now time.Time) {
	t.Helper()
	c := w.code(now)
	c.Connection.ExpiresAt = now.Add(1000 * day)
	if err := w.redeem(c); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsLongOverIsSwept(t *testing.T) {
	w := seed(t, 300) // they expire after 90 days
	for i := range 100 {
		session := symbolon.Session{
			Browser: [32]byte{byte(i), 1}, Account: w.account, AuthAt: w.now, ExpiresAt: w.now.Add(90 * day),
		}
		if err := w.SignIn(t.Context(), session, [32]byte{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.End(t.Context(), symbolon.End{Connection: w.ids[i], Now: w.now.Add(89 * day)}); err != nil {
			t.Fatal(err)
		}
	}
	connections, sessions, changes := w.counts(t)

	// Before the margin has passed nothing goes but changes, which stay a day.
	for range 40 {
		w.writer.sweep.last = time.Time{} // no write runs now
		w.writeAt(t, w.now.Add(96*day))
	}
	c, s, ch := w.counts(t)
	if c != connections+40 || s != sessions || ch != 0 {
		t.Fatalf("from %d, %d, %d to %d, %d, %d", connections, sessions, changes, c, s, ch)
	}

	// After it everything goes, a few rows at a time.
	before, most := c, 0
	for range 60 {
		w.writer.sweep.last = time.Time{}
		w.writeAt(t, w.now.Add(98*day))
		after, _, _ := w.counts(t)
		most, before = max(most, before+1-after), after
	}
	c, s, _ = w.counts(t)
	if c != 100 || s != 0 {
		t.Fatalf("%d connections and %d sessions are left, want 100 and 0", c, s)
	}
	if most > sweepRows+2 {
		t.Fatalf("%d rows were swept at once", most)
	}
}

func TestChangesStayADay(t *testing.T) {
	w := seed(t, 2)
	for i := range w.ids {
		if _, err := w.End(t.Context(), symbolon.End{Connection: w.ids[i], Now: w.now}); err != nil {
			t.Fatal(err)
		}
	}
	list, cursor, err := w.Changes(t.Context(), 0, 100)
	if err != nil || len(list) < 2 {
		t.Fatalf("got %v, %v", list, err)
	}
	w.writer.sweep.last = time.Time{}
	w.writeAt(t, w.now.Add(2*day))
	if again, _, err := w.Changes(t.Context(), 0, 100); err != nil || len(again) != len(list) {
		t.Fatalf("after two days: got %v, %v", again, err)
	}
	w.writer.sweep.last = time.Time{}
	w.writeAt(t, w.now.Add(10*day))
	if again, next, err := w.Changes(t.Context(), cursor, 100); err != nil || len(again) != 0 || next != cursor {
		t.Fatalf("after ten days: got %v, %v, %v", again, next, err)
	}
	// The numbers go on where they were, so that no cursor misses anything.
	if err := w.PutApp(t.Context(), symbolon.App{ID: "app"}); err != nil {
		t.Fatal(err)
	}
	if again, next, err := w.Changes(t.Context(), cursor, 100); err != nil || len(again) != 1 || next <= cursor {
		t.Fatalf("after the sweep: got %v, %v, %v", again, next, err)
	}
}

// TestRefreshesDoNotGrowTheFile runs a tenth of what the benchmark does.
func TestRefreshesDoNotGrowTheFile(t *testing.T) {
	w := seed(t, 300)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := foreign(t, w.path, `VACUUM`).Close(); err != nil { // no page has room to spare
		t.Fatal(err)
	}
	w.DB = open(t, w.path, Options{})
	size := func() (pages int) {
		t.Helper()
		err := w.read(t.Context(), "test", func(f *file) error {
			return f.reads.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages)
		})
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	before := size()
	// Sequence numbers as they are after years of refreshing.
	for _, seq := range []uint64{0, 1, 126, 127, 128, 32766, 32767, 32768, 1 << 23, 1<<31 - 1, 1 << 32, maxSeq - 1} {
		results := make(chan error, len(w.ids))
		for i := range w.ids {
			go func() {
				_, err := w.Refresh(t.Context(), w.token(i, seq))
				results <- err
			}()
		}
		for range w.ids {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := size(); after != before {
		t.Fatalf("from %d to %d pages", before, after)
	}
}

// TestWhatWasUsedOnceDoesNotGrowTheFile uses many things, again and again: each
// round is over when the next begins, but for the margin.
func TestWhatWasUsedOnceDoesNotGrowTheFile(t *testing.T) {
	w := seed(t, 1)
	count := func() (rows, pages int) {
		t.Helper()
		err := w.read(t.Context(), "test", func(f *file) error {
			return f.reads.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM once), page_count FROM pragma_page_count`).Scan(&rows, &pages)
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows, pages
	}
	const each = 1000
	round := func(n int) {
		t.Helper()
		now := w.now.Add(time.Duration(n) * (onceMargin + 2*time.Minute))
		results := make(chan error, each)
		for i := range each {
			go func() {
				_, first, err := w.Once(t.Context(), symbolon.Once{
					Key: [32]byte{byte(n), byte(i), byte(i >> 8)}, Value: make([]byte, 200), ExpiresAt: now.Add(time.Minute), Now: now,
				})
				if err == nil && !first {
					err = errDamaged
				}
				results <- err
			}()
		}
		for range each {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range 3 {
		round(n)
	}
	rows, pages := count()
	if rows > 2*each+sweepRows {
		t.Fatalf("%d records are kept after 3 rounds of %d", rows, each)
	}
	for n := range 12 {
		round(3 + n)
	}
	// Nothing but what is used sweeps: no connection is made here.
	if after, grown := count(); after > 2*each+sweepRows || grown > pages+pages/4 {
		t.Fatalf("from %d records and %d pages to %d and %d", rows, pages, after, grown)
	}
}

func TestWhatWasUsedOnceStaysAnHourLonger(t *testing.T) {
	w := seed(t, 1)
	o := symbolon.Once{Key: [32]byte{1}, Value: []byte("x"), ExpiresAt: w.now.Add(time.Minute), Now: w.now}
	if _, _, err := w.Once(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Look = true // at the time when it was used, as after a clock was set right
	for _, c := range []struct {
		after time.Duration
		gone  bool
	}{{time.Minute + onceMargin, false}, {time.Minute + onceMargin + time.Millisecond, true}} {
		w.writer.sweep.last = time.Time{} // no write runs now
		w.writeAt(t, w.now.Add(c.after))
		if _, gone, err := w.Once(t.Context(), o); err != nil || gone != c.gone {
			t.Errorf("%v later: gone %v, %v", c.after, gone, err)
		}
	}
}
