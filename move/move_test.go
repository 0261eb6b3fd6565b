package move

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/sqlite"
)

// small are the tables with pages of three rows, so that a few rows take several.
func small() []symbolon.Table {
	tables := symbolon.Tables()
	for i := range tables {
		tables[i].Page = 3
	}
	return tables
}

// once moves in pages of three rows.
func once(ctx context.Context, from symbolon.Source, into symbolon.Target) (Result, error) {
	m := &mover{from: from, into: into, tables: small(), report: func(Progress) {}}
	return m.run(ctx, "the target")
}

// pair opens both, runs a step and closes them.
func pair(t testing.TB, from, into string, step func(from, into *sqlite.DB)) {
	t.Helper()
	source, target := carrier(t, from), carrier(t, into)
	step(source, target)
	must(t, errors.Join(source.Close(), target.Close()))
}

func TestEverythingIsCarried(t *testing.T) { // C30
	w, into := newWorld(t), fresh(t)
	was := contents(t, w.path)
	seen := make(map[Phase]Progress)
	pair(t, w.path, into, func(source, target *sqlite.DB) {
		m := &mover{from: source, into: target, tables: small(), report: func(p Progress) {
			if before := seen[p.Phase]; p.Done < before.Done || p.Done > p.Total {
				t.Errorf("%+v after %+v", p, before)
			}
			seen[p.Phase] = p
		}}
		result, err := m.run(t.Context(), "the target")
		must(t, err)
		if result.Rows["connection"] != 9 || result.Rows["delivery"] != 1 || result.Rows["account"] != 4 || result.Rows["app"] != 2 || result.Rows["once"] != 3 || result.Rows["scope"] != 4 || result.Before != 0 {
			t.Errorf("moved %+v", result)
		}
		result, err = once(t.Context(), source, target)
		if must(t, err); !result.Already {
			t.Error("it was not noticed that everything was moved before")
		}
	})
	for phase, p := range seen {
		if p.Done != p.Total || p.Total == 0 {
			t.Errorf("%s ended at %+v", phase, p)
		}
	}
	if len(seen) != 2 {
		t.Errorf("phases %v", seen)
	}
	if is := contents(t, into); !slices.Equal(is, was) {
		t.Errorf("the target has\n%q\nthe source had\n%q", is, was)
	}
	if serves(t, w.path) || !serves(t, into) {
		t.Error("the wrong one of the two would be served")
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: into})
	must(t, err)
	if out := w.refresh(t, db, 1); out.Result != symbolon.Rotated || out.Seq != 2 {
		t.Errorf("a refresh after the move: %+v", out)
	}
	must(t, db.Close())
}

// torn is a target whose process is killed at a call: before it has done anything,
// or after it has done everything.
type torn struct {
	symbolon.Target
	left  int
	after bool
}

var errTorn = errors.New("the process was killed")

func (k *torn) at(act func() error) error {
	k.left--
	switch {
	case k.left > 0:
		return act()
	case k.left == 0 && k.after:
		return errors.Join(act(), errTorn)
	default:
		return errTorn
	}
}

func (k *torn) Enter(ctx context.Context, from symbolon.StoreState) error {
	return k.at(func() error { return k.Target.Enter(ctx, from) })
}

func (k *torn) Clear(ctx context.Context, t symbolon.Table) error {
	return k.at(func() error { return k.Target.Clear(ctx, t) })
}

func (k *torn) Load(ctx context.Context, t symbolon.Table, rows []symbolon.Row) error {
	return k.at(func() error { return k.Target.Load(ctx, t, rows) })
}

func (k *torn) Settle(ctx context.Context, from symbolon.StoreState) error {
	return k.at(func() error { return k.Target.Settle(ctx, from) })
}

// leaver is the source's side of torn.
type leaver struct {
	symbolon.Source
	k *torn
}

func (l leaver) Leave(ctx context.Context, as symbolon.StoreState, to string) error {
	return l.k.at(func() error { return l.Source.Leave(ctx, as, to) })
}

// TestKilledAtAnyMoment interrupts a move at every change that it makes, before and
// after it, some of them a second time, and then runs it to its end.
func TestKilledAtAnyMoment(t *testing.T) { // C30
	t.Parallel()
	w := newWorld(t)
	was := contents(t, w.path)
	attempt := func(from, into string, left int, after bool) (err error) {
		pair(t, from, into, func(source, target *sqlite.DB) {
			k := &torn{Target: target, left: left, after: after}
			_, err = once(t.Context(), leaver{source, k}, k)
			here, err1 := source.State(t.Context())
			there, err2 := target.State(t.Context())
			must(t, errors.Join(err1, err2))
			// An empty target may be opened: it has no keys, and gets its own.
			begun := there.Epoch == here.Epoch
			switch {
			case here.MovedTo == "" && begun && !there.Moving:
				t.Fatalf("after %d changes (%v) both would be served", left, err)
			case err == nil && (here.MovedTo == "" || there.Moving):
				t.Fatal("none would be served")
			}
		})
		return err
	}
	runs := 0
	for first := 1; ; first++ {
		for _, after := range []bool{false, true} {
			from, into := copyOf(t, w.path), fresh(t)
			err := attempt(from, into, first, after)
			if err == nil {
				t.Logf("%d interrupted runs; a whole one makes %d changes", runs, first-1)
				return
			}
			runs++
			if !errors.Is(err, errTorn) {
				t.Fatal(err)
			}
			if first%4 == 1 { // a second time, some way on
				if err := attempt(from, into, 3, !after); err != nil && !errors.Is(err, errTorn) {
					t.Fatal(err)
				}
			}
			must(t, attempt(from, into, 1000, false))
			if is := contents(t, into); !slices.Equal(is, was) {
				t.Fatalf("killed at change %d: the target has\n%q\nthe source had\n%q", first, is, was)
			}
		}
	}
}

// copyOf copies a database that nobody has open.
func copyOf(t testing.TB, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "symbolon.db")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o600))
	return to
}

// TestASourceThatWentOn moves half, lets the source go on, and moves again.
func TestASourceThatWentOn(t *testing.T) {
	w, into := newWorld(t), fresh(t)
	half := func(left int) {
		pair(t, w.path, into, func(source, target *sqlite.DB) {
			k := &torn{Target: target, left: left}
			if _, err := once(t.Context(), leaver{source, k}, k); !errors.Is(err, errTorn) {
				t.Fatal(err)
			}
		})
	}
	half(12)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: w.path})
	must(t, err)
	if out := w.refresh(t, db, 1); out.Result != symbolon.Rotated {
		t.Fatal(out)
	}
	// The name of an account that the target has goes over to another.
	accounts, err := db.Accounts(t.Context(), symbolon.AccountQuery{Username: "jane", Limit: 1})
	must(t, err)
	accounts[0].Username = "jane.doe"
	must(t, db.PutAccount(t.Context(), accounts[0]))
	must(t, db.PutAccount(t.Context(), symbolon.Account{ID: symbolon.NewAccountID(), Username: "jane", CreatedAt: w.now}))
	_, err = db.End(t.Context(), symbolon.End{Account: w.jane, Delete: true, Now: w.now.Add(time.Hour)})
	must(t, err)
	must(t, db.Close())
	was := contents(t, w.path)
	half(2) // killed while it empties the target
	pair(t, w.path, into, func(source, target *sqlite.DB) {
		_, err := once(t.Context(), source, target)
		must(t, err)
	})
	if is := contents(t, into); !slices.Equal(is, was) {
		t.Errorf("the target has\n%q\nthe source had\n%q", is, was)
	}
}

// between is a source that is changed just before it is left.
type between struct {
	symbolon.Source
	change func()
}

func (b between) Leave(ctx context.Context, as symbolon.StoreState, to string) error {
	b.change()
	return b.Source.Leave(ctx, as, to)
}

func TestASourceThatIsChangedMeanwhileIsNotLeft(t *testing.T) {
	w, into := newWorld(t), fresh(t)
	beside, err := sqlite.Open(t.Context(), sqlite.Options{Path: w.path})
	must(t, err)
	pair(t, w.path, into, func(source, target *sqlite.DB) {
		_, err := once(t.Context(), between{source, func() { w.refresh(t, beside, 1) }}, target)
		if symbolon.KindOf(err) != symbolon.Conflict {
			t.Errorf("got %v, want a conflict", err)
		}
	})
	if !serves(t, w.path) || serves(t, into) {
		t.Error("the source is to be served, and the target not")
	}
	pair(t, w.path, into, func(source, target *sqlite.DB) {
		_, err := once(t.Context(), source, target)
		must(t, err)
	})
	// Who had the source open all the while changes nothing any more.
	err = beside.PutAccount(t.Context(), symbolon.Account{ID: symbolon.NewAccountID(), Username: "late", CreatedAt: w.now})
	if kind := symbolon.KindOf(err); kind != symbolon.Busy || !errors.Is(err, symbolon.ErrMoved) {
		t.Errorf("a change of what was left: %v", err)
	}
	must(t, beside.Close())
}

// falsified is a source that says something else at its second reading.
type falsified struct {
	symbolon.Source
	table string
	bend  func(row symbolon.Row)
	first map[string]bool
}

func (f *falsified) Page(ctx context.Context, t symbolon.Table, after symbolon.Row) ([]symbolon.Row, error) {
	rows, err := f.Source.Page(ctx, t, after)
	key := fmt.Sprint(t.Name, after)
	if t.Name == f.table && len(rows) > 0 && !f.first[key] {
		f.bend(rows[0])
	}
	f.first[key] = true
	return rows, err
}

func TestWhatDiffersIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		table string
		bend  func(row symbolon.Row)
	}{
		{"connection", func(row symbolon.Row) { row[4] = row[4].(int64) + 1 }},
		{"connection", func(row symbolon.Row) { row[8] = int64(0) }},
		{"account", func(row symbolon.Row) { row[3] = "Somebody Else" }},
		{"app", func(row symbolon.Row) { row[4] = !row[4].(bool) }},
		{"once", func(row symbolon.Row) { row[1] = []byte("another") }},
		{"scope", func(row symbolon.Row) { row[1] = "It is another" }},
	} {
		w, into := newWorld(t), fresh(t)
		pair(t, w.path, into, func(source, target *sqlite.DB) {
			_, err := once(t.Context(), &falsified{source, c.table, c.bend, make(map[string]bool)}, target)
			if symbolon.KindOf(err) != symbolon.Internal || !errors.Is(err, errDiffers) {
				t.Errorf("%s: got %v", c.table, err)
			}
		})
		if !serves(t, w.path) || serves(t, into) {
			t.Errorf("%s: the source is to be served, and the target not", c.table)
		}
		// Run again, it does the table again.
		pair(t, w.path, into, func(source, target *sqlite.DB) {
			_, err := once(t.Context(), source, target)
			must(t, err)
		})
	}
}

func TestRefusedTargets(t *testing.T) {
	w := newWorld(t)
	try := func(what, into string, prepare func(*sqlite.DB), want error) {
		t.Helper()
		pair(t, w.path, into, func(source, target *sqlite.DB) {
			prepare(target)
			_, err := once(t.Context(), source, target)
			if symbolon.KindOf(err) != symbolon.Denied || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: got %v", what, err)
			}
		})
		if !serves(t, w.path) {
			t.Errorf("%s: the source was left", what)
		}
	}
	try("one with data", newWorld(t).path, func(*sqlite.DB) {}, nil)
	try("one with keys only", fresh(t), func(db *sqlite.DB) {
		_, err := db.Keys(t.Context(), []symbolon.Key{{ID: 1, Wrapped: []byte("k"), ActiveFrom: w.now}}, false)
		must(t, err)
	}, nil)
	try("one that another fills", fresh(t), func(db *sqlite.DB) {
		must(t, db.Enter(t.Context(), symbolon.StoreState{Epoch: [16]byte{1}}))
	}, nil)
	sandbox := filepath.Join(t.TempDir(), "symbolon.db")
	box, err := sqlite.Open(t.Context(), sqlite.Options{Path: sandbox, Create: &sqlite.Create{Sandbox: true}})
	must(t, err)
	source := carrier(t, w.path)
	if _, err := once(t.Context(), source, box); symbolon.KindOf(err) != symbolon.Denied {
		t.Errorf("one of the other sort: got %v", err)
	}
	must(t, errors.Join(box.Close(), source.Close()))

	// A source that was left goes nowhere else, and one that is not whole neither.
	first := fresh(t)
	pair(t, w.path, first, func(source, target *sqlite.DB) {
		_, err := once(t.Context(), source, target)
		must(t, err)
	})
	pair(t, w.path, fresh(t), func(source, target *sqlite.DB) {
		if _, err := once(t.Context(), source, target); !errors.Is(err, symbolon.ErrMoved) {
			t.Errorf("a source that was left: %v", err)
		}
		must(t, target.Enter(t.Context(), symbolon.StoreState{Epoch: [16]byte{1}}))
		if _, err := once(t.Context(), target, source); !errors.Is(err, symbolon.ErrMoving) {
			t.Errorf("a source that is not whole: %v", err)
		}
	})
	db := carrier(t, w.path)
	must(t, db.Stay(t.Context()))
	must(t, db.Close())
	if !serves(t, w.path) {
		t.Error("what was taken back is not served")
	}
}
