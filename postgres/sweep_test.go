package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

const day = 24 * time.Hour

// counts returns how many rows the tables that are swept have.
func (w *seeded) counts(t *testing.T) (n [4]int) {
	t.Helper()
	err := onConn(t.Context(), w.pool, func(c *pgxpool.Conn) error {
		return c.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM connection), (SELECT count(*) FROM session), (SELECT count(*) FROM change), (SELECT count(*) FROM once)`,
		).Scan(&n[0], &n[1], &n[2], &n[3])
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatIsLongOverIsSwept(t *testing.T) { // C16, C38
	w := seed(t, 100, Options{}) // they expire after 90 days
	w.sweep.stop()
	s := &sweep{db: w.DB}
	for i := range 50 {
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
	used := symbolon.Once{Key: [32]byte{1}, Now: w.now, ExpiresAt: w.now.Add(time.Minute)}
	if _, _, err := w.Once(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	before := w.counts(t)
	sweepAt := func(at time.Time) {
		s.saw(at)
		for range 20 {
			if err := s.some(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweepAt(w.now.Add(59 * time.Minute))
	if got := w.counts(t); got != before {
		t.Fatalf("from %v to %v", before, got)
	}
	// Before the margin has passed nothing goes but changes, and what was used.
	sweepAt(w.now.Add(96 * day))
	if got := w.counts(t); got != [4]int{before[0], before[1], 1, 0} {
		t.Fatalf("from %v to %v", before, got)
	}
	// After it everything goes, a few rows at a time.
	s.saw(w.now.Add(98 * day))
	if err := s.some(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.counts(t); got[0] != before[0]-sweepRows || got[1] != before[1]-sweepRows {
		t.Fatalf("one sweep went from %v to %v", before, got)
	}
	sweepAt(w.now.Add(98 * day))
	if got := w.counts(t); got != [4]int{0, 0, 1, 0} {
		t.Fatalf("%v are left", got)
	}
	// The numbers of changes go on from where they were.
	_, last, err := w.Changes(t.Context(), 0, 10)
	if err != nil || last != 51 {
		t.Fatal(last, err)
	}
	if err := w.PutApp(t.Context(), symbolon.App{ID: "late", CreatedAt: w.now}); err != nil {
		t.Fatal(err)
	}
	if _, last, err = w.Changes(t.Context(), 0, 10); err != nil || last != 52 {
		t.Fatalf("the last change has the number %d, %v", last, err)
	}
	// A reader that is ahead, since the database was put back, begins again.
	if _, next, err := w.Changes(t.Context(), 1000, 10); err != nil || next != 0 {
		t.Fatalf("from the future to %d, %v", next, err)
	}
	if _, next, err := w.Changes(t.Context(), 52, 10); err != nil || next != 52 {
		t.Fatalf("from the end to %d, %v", next, err)
	}
}

func TestWhoeverWritesHasSomeSwept(t *testing.T) {
	w := seed(t, 50, Options{})
	late := w.code(w.now.Add(98 * day))
	for start := time.Now(); ; time.Sleep(sweepPause) {
		late.Connection.ID = symbolon.NewConnectionID(late.Now)
		if err := w.redeem(late); err != nil {
			t.Fatal(err)
		}
		rows, err := w.Connections(t.Context(), symbolon.ConnectionQuery{ID: w.ids[49], Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("nothing was swept")
		}
	}
}
