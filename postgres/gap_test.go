package postgres

import (
	"testing"

	"github.com/symbolon/symbolon"
)

// Who stood still for so long that changes were swept begins again, and so knows that
// what he holds in memory may be anything.
func TestChangesThatWereSwept(t *testing.T) {
	w := seed(t, 1, Options{})
	app := symbolon.App{ID: "sym_app_gap", Name: "n", Rotation: symbolon.RotateAlways, CreatedAt: w.now}
	var cursor symbolon.Cursor
	for version := range int64(4) {
		app.Version = version
		if err := w.PutApp(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		if version == 0 {
			cursor = last(t, w.DB)
		}
	}
	gone := func(statement string) {
		t.Helper()
		if err := theCluster(t).Exec(w.name, statement); err != nil {
			t.Fatal(err)
		}
	}
	read := func(after symbolon.Cursor) (int, symbolon.Cursor) {
		t.Helper()
		list, next, err := w.Changes(t.Context(), after, 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(list), next
	}
	if n, next := read(cursor); n != 3 || next != cursor+3 {
		t.Errorf("before the sweep: %d changes, then %d", n, next)
	}
	gone("DELETE FROM change WHERE no <= (SELECT last - 2 FROM feed)")
	if n, next := read(cursor); n != 0 || next != 0 {
		t.Errorf("with a gap: %d changes, then %d", n, next)
	}
	if n, next := read(cursor + 1); n != 2 || next != cursor+3 {
		t.Errorf("without a gap: %d changes, then %d", n, next)
	}
	gone("DELETE FROM change")
	if n, next := read(cursor + 2); n != 0 || next != 0 {
		t.Errorf("with all of it gone: %d changes, then %d", n, next)
	}
	if n, next := read(cursor + 3); n != 0 || next != cursor+3 {
		t.Errorf("with nothing missed: %d changes, then %d", n, next)
	}
	if n, next := read(0); n != 0 || next != cursor+3 {
		t.Errorf("from the start: %d changes, then %d", n, next)
	}
}

func last(t *testing.T, db *DB) symbolon.Cursor {
	t.Helper()
	_, next, err := db.Changes(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return next
}
