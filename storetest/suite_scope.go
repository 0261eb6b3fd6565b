package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

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
	{"what is said in other languages comes along, and goes", func(w *world) {
		read := symbolon.Scope{Name: "read", Description: "Read your reports", Local: map[string]string{"cs": "Číst vaše „zprávy“", "pt-BR": "<ler>"}}
		w.ok(w.PutScope(w.ctx, symbolon.Scope{}, read))
		w.equal(w.scopes(), []symbolon.Scope{read})
		less := symbolon.Scope{Name: "read", Description: "Read your reports"}
		w.ok(w.PutScope(w.ctx, read, less))
		w.equal(w.scopes(), []symbolon.Scope{less})
	}},
	{"one that was changed meanwhile is not replaced, and what is so already is no conflict", func(w *world) {
		one := symbolon.Scope{Name: "read", Description: "Read", Local: map[string]string{"cs": "Číst"}}
		two := symbolon.Scope{Name: "read", Description: "Read", Local: map[string]string{"cs": "Vidět"}}
		w.ok(w.PutScope(w.ctx, symbolon.Scope{}, one))
		w.ok(w.PutScope(w.ctx, symbolon.Scope{}, one)) // it came to nobody's ears
		w.fails(w.PutScope(w.ctx, symbolon.Scope{}, two), symbolon.Conflict)
		w.fails(w.PutScope(w.ctx, two, symbolon.Scope{Name: "read", Description: "Another"}), symbolon.Conflict)
		w.fails(w.PutScope(w.ctx, two, symbolon.Scope{Name: "read"}), symbolon.Conflict)
		w.fails(w.PutScope(w.ctx, symbolon.Scope{}, symbolon.Scope{Name: "read"}), symbolon.Conflict)
		w.equal(w.scopes(), []symbolon.Scope{one})
		w.ok(w.PutScope(w.ctx, one, two))
		w.ok(w.PutScope(w.ctx, one, two))
		w.equal(w.scopes(), []symbolon.Scope{two})
		w.ok(w.PutScope(w.ctx, two, symbolon.Scope{Name: "read"}))
		w.ok(w.PutScope(w.ctx, two, symbolon.Scope{Name: "read"}))
		w.fails(w.PutScope(w.ctx, one, two), symbolon.Conflict)
		w.equal(len(w.scopes()), 0)
	}},
	{"of two who change one scope at one instant, one does", func(w *world) {
		was := symbolon.Scope{Name: "read", Description: "Read"}
		w.ok(w.PutScope(w.ctx, symbolon.Scope{}, was))
		var won atomic.Int32
		w.atOnce(16, func(i int) error {
			err := w.PutScope(w.ctx, was, symbolon.Scope{Name: "read", Description: fmt.Sprintf("Read %d", i)})
			if err == nil {
				won.Add(1)
			} else if symbolon.KindOf(err) != symbolon.Conflict {
				return err
			}
			return nil
		})
		w.equal(won.Load(), int32(1))
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
			{Name: "read", Description: strings.Repeat("s", 501)}, {Name: "read", Description: "\xff"}, {Name: "read", Description: "NUL\x00"}, {Name: "read", Description: "x", Local: map[string]string{"cs": "NUL\x00"}},
			// Nothing is taken away by a name that none can have.
			{Name: ""}, {Name: "read write"}, {Name: strings.Repeat("n", 201)},
		} {
			w.fails(w.PutScope(w.ctx, symbolon.Scope{}, bad), symbolon.Invalid)
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
				if err := w.PutScope(w.ctx, symbolon.Scope{}, symbolon.Scope{Name: "a b", Description: "x"}); symbolon.KindOf(err) != symbolon.Invalid {
					return symbolon.Errorf(symbolon.Internal, "neighbours", "got %v, want it invalid", err)
				}
				return nil
			case 1:
				return w.PutScope(w.ctx, symbolon.Scope{}, symbolon.Scope{Name: "gone"})
			case 2:
				return w.PutScope(w.ctx, symbolon.Scope{}, symbolon.Scope{Name: "one", Description: "One"})
			default:
				return w.PutScope(w.ctx, symbolon.Scope{}, symbolon.Scope{Name: fmt.Sprintf("own-%02d", i), Description: "Own"})
			}
		})
		list := w.scopes()
		w.equal(len(list), 1+16)
		w.equal(list[0], symbolon.Scope{Name: "one", Description: "One"})
	}},
	{"a scope that failed to be put, or taken away, is put or taken away again", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			scope, none := symbolon.Scope{Name: "read", Description: "Read your reports"}, symbolon.Scope{Name: "read"}
			w.suffer("PutScope", fault, func(s symbolon.Store) error { return s.PutScope(w.ctx, none, scope) })
			w.equal(len(w.scopes()) == 1, fault == Unanswered)
			w.ok(w.PutScope(w.ctx, none, scope))
			w.equal(w.scopes(), []symbolon.Scope{scope})
			w.suffer("PutScope", fault, func(s symbolon.Store) error { return s.PutScope(w.ctx, scope, none) })
			w.ok(w.PutScope(w.ctx, scope, none))
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
	var was symbolon.Scope
	for _, s := range w.scopes() {
		if s.Name == name {
			was = s
		}
	}
	w.ok(w.PutScope(w.ctx, was, symbolon.Scope{Name: name, Description: sentence}))
}

func (w *world) scopes() []symbolon.Scope {
	w.Helper()
	list, err := w.Scopes(w.ctx)
	w.ok(err)
	return list
}
