package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

var scopeCases = []testCase{
	{"a new store has no scopes", func(w *world) {
		w.equal(w.scopes(), []symbolon.Scope(nil))
	}},
	{"a sentence reads back as it was given, as long as it may be", func(w *world) {
		want := []symbolon.Scope{
			{Name: "!#[]~", Description: "Čte „vše“, i 100 % \\ ' \" ; -- $1 ?1"},
			{Name: strings.Repeat("n", 200), Description: strings.Repeat("ž", 250)},
			{Name: "x", Description: "x"},
		}
		for _, s := range want {
			w.putScope(s.Name, s.Description)
		}
		w.equal(w.scopes(), want)
	}},
	{"a sentence takes the place of the one before, and the others stay", func(w *world) {
		w.putScope("read", "Read your reports")
		w.putScope("write", "Write reports")
		w.putScope("read", "See your reports")
		w.putScope("read", "See your reports") // once more
		w.equal(w.scopes(), []symbolon.Scope{{Name: "read", Description: "See your reports"}, {Name: "write", Description: "Write reports"}})
	}},
	{"without a sentence a scope is taken away, and may come back", func(w *world) {
		w.putScope("read", "Read your reports")
		w.putScope("write", "Write reports")
		w.putScope("read", "")
		w.equal(w.scopes(), []symbolon.Scope{{Name: "write", Description: "Write reports"}})
		w.putScope("read", "See your reports")
		w.equal(w.scopes(), []symbolon.Scope{{Name: "read", Description: "See your reports"}, {Name: "write", Description: "Write reports"}})
	}},
	{"one that is not there is taken away all the same", func(w *world) {
		w.putScope("read", "")
		w.putScope("write", "Write reports")
		w.putScope("read", "")
		w.putScope("Write", "")
		w.putScope("writ", "")
		w.equal(w.scopes(), []symbolon.Scope{{Name: "write", Description: "Write reports"}})
	}},
	{"what is said in a language is a scope of its own", func(w *world) {
		w.putScope("read#cs", "Číst vaše zprávy")
		w.putScope("read", "Read your reports")
		w.putScope("read#CS", "another")
		w.equal(w.scopes(), []symbolon.Scope{
			{Name: "read", Description: "Read your reports"}, {Name: "read#CS", Description: "another"}, {Name: "read#cs", Description: "Číst vaše zprávy"},
		})
		w.putScope("read", "")
		w.putScope("read#CS", "")
		w.equal(w.scopes(), []symbolon.Scope{{Name: "read#cs", Description: "Číst vaše zprávy"}})
	}},
	{"scopes come in the order of the bytes of their names, as no language orders them", func(w *world) {
		names := []string{"b", "a_b", "a", "B", "a-b", "ab", "a.b", "a#cs", "A", "a:b", "aB", "~", "!", "a/b", "Z", "10", "9"}
		for _, name := range names {
			w.putScope(name, "It is "+name)
		}
		slices.Sort(names)
		var got []string
		for _, s := range w.scopes() {
			w.equal(s.Description, "It is "+s.Name)
			got = append(got, s.Name)
		}
		w.equal(got, names)
	}},
	{"what no store may keep is refused, and what is there stays", func(w *world) {
		w.putScope("read", "Read your reports")
		for _, bad := range []symbolon.Scope{
			{Name: "", Description: "none"}, {Name: "read write", Description: "two"}, {Name: "read read", Description: "twice"},
			{Name: " read", Description: "space"}, {Name: "read\n", Description: "line"}, {Name: "re\x00ad", Description: "NUL"},
			{Name: "číst", Description: "not ASCII"}, {Name: `re"ad`, Description: "quote"},
			{Name: strings.Repeat("n", 201), Description: "long name"},
			{Name: "read", Description: strings.Repeat("s", 501)}, {Name: "read", Description: "\xff"}, {Name: "read", Description: "NUL\x00"},
			// Nothing is taken away by a name that none can have.
			{Name: ""}, {Name: "read write"}, {Name: strings.Repeat("n", 201)},
		} {
			w.fails(w.PutScope(w.ctx, bad), symbolon.Invalid)
		}
		w.equal(w.scopes(), []symbolon.Scope{{Name: "read", Description: "Read your reports"}})
	}},
	{"a scope is not in Changes", func(w *world) {
		w.equal(len(w.changed(func() {
			w.putScope("read", "Read your reports")
			w.putScope("read", "See your reports")
			w.putScope("read", "")
		})), 0)
	}},
	{"what accounts and apps have of a scope has nothing to do with its sentence", func(w *world) {
		w.putScope("connect", "Connect")
		id := w.connected()
		w.putScope("connect", "")
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		consent, err := w.Consent(w.ctx, w.account.ID, w.app.ID)
		w.ok(err)
		w.equal(consent.Scope, symbolon.Scopes{"connect"})
		w.equal(w.oneApp(w.app.ID).Scope, w.app.Scope)
	}},
	{"of many put at one instant each is there, and those that are refused fail no other", func(w *world) {
		w.atOnce(64, func(i int) error {
			switch i % 4 {
			case 0:
				if err := w.PutScope(w.ctx, symbolon.Scope{Name: "a b", Description: "x"}); symbolon.KindOf(err) != symbolon.Invalid {
					return symbolon.Errorf(symbolon.Internal, "neighbours", "got %v, want it invalid", err)
				}
				return nil
			case 1:
				return w.PutScope(w.ctx, symbolon.Scope{Name: "gone"})
			case 2:
				return w.PutScope(w.ctx, symbolon.Scope{Name: "one", Description: "One"})
			default:
				return w.PutScope(w.ctx, symbolon.Scope{Name: fmt.Sprintf("own-%02d", i), Description: "Own"})
			}
		})
		list := w.scopes()
		w.equal(len(list), 1+16)
		w.equal(list[0], symbolon.Scope{Name: "one", Description: "One"})
	}},
	{"a scope that failed to be put, or taken away, is put or taken away again", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			scope := symbolon.Scope{Name: "read", Description: "Read your reports"}
			w.suffer("PutScope", fault, func(s symbolon.Store) error { return s.PutScope(w.ctx, scope) })
			w.equal(len(w.scopes()) == 1, fault == Unanswered)
			w.ok(w.PutScope(w.ctx, scope))
			w.equal(w.scopes(), []symbolon.Scope{scope})
			scope.Description = ""
			w.suffer("PutScope", fault, func(s symbolon.Store) error { return s.PutScope(w.ctx, scope) })
			w.ok(w.PutScope(w.ctx, scope))
			w.equal(len(w.scopes()), 0)
		}
	}},
	{"a read that fails is told as one after which nothing has happened", func(w *world) {
		f := NewFaulty(w.Store)
		f.FailNext("Scopes", Unanswered)
		_, err := f.Scopes(w.ctx)
		w.fails(err, symbolon.Busy)
	}},
}

func (w *world) putScope(name, sentence string) {
	w.Helper()
	w.ok(w.PutScope(w.ctx, symbolon.Scope{Name: name, Description: sentence}))
}

func (w *world) scopes() []symbolon.Scope {
	w.Helper()
	list, err := w.Scopes(w.ctx)
	w.ok(err)
	return list
}
