package storetest

import (
	"time"

	"github.com/symbolon/symbolon"
)

var keyCases = []testCase{
	{"a new store has no keys", func(w *world) {
		w.equal(len(w.keys()), 0)
	}},
	{"keys come in the order of ActiveFrom", func(w *world) {
		late := symbolon.Key{ID: 1, Wrapped: []byte("late"), ActiveFrom: w.now.Add(time.Hour)}
		soon := symbolon.Key{ID: 1<<32 - 1, Wrapped: []byte("soon"), ActiveFrom: w.now, RetiredAt: w.now.Add(time.Minute)}
		w.ok(w.putKeys([]symbolon.Key{late, soon}, true))
		w.equal(w.keys(), []symbolon.Key{soon, late})
	}},
	{"a key that is there is replaced, the others stay", func(w *world) {
		one, two := symbolon.Key{ID: 1, Wrapped: []byte{1}, ActiveFrom: w.now}, symbolon.Key{ID: 2, Wrapped: []byte{2}, ActiveFrom: w.now}
		w.ok(w.putKeys([]symbolon.Key{one, two}, false))
		one.RetiredAt = w.now
		w.ok(w.putKeys([]symbolon.Key{one}, false))
		w.equal(w.keys(), []symbolon.Key{one, two})
	}},
	{"onlyFirst does nothing when there are keys already", func(w *world) {
		one := symbolon.Key{ID: 1, Wrapped: []byte{1}, ActiveFrom: w.now}
		w.ok(w.putKeys([]symbolon.Key{one}, true))
		w.equal(len(w.changed(func() {
			w.fails(w.putKeys([]symbolon.Key{{ID: 2, Wrapped: []byte{2}, ActiveFrom: w.now}}, true), symbolon.Conflict)
		})), 0)
		w.equal(w.keys(), []symbolon.Key{one})
	}},
	{"a key has its algorithm, or none", func(w *world) {
		seals, signs := w.key(1, ""), w.key(2, "ES256")
		w.ok(w.putKeys([]symbolon.Key{seals, signs}, true))
		w.equal(w.keys(), []symbolon.Key{seals, signs})
	}},
	{"onlyFirst asks for the algorithm: the first of another is put beside", func(w *world) {
		var all []symbolon.Key
		for i, algorithm := range []string{"", "ES256", "RS256", "EdDSA"} {
			key := w.key(symbolon.KeyID(i+1), algorithm)
			all = append(all, key)
			w.ok(w.putKeys([]symbolon.Key{key}, true))
			w.fails(w.putKeys([]symbolon.Key{w.key(symbolon.KeyID(i+50), algorithm)}, true), symbolon.Conflict)
			w.equal(w.keys(), all)
		}
	}},
	{"onlyFirst does nothing when there is a key for one of the algorithms, wherever it stands", func(w *world) {
		there := w.key(1, "ES256")
		w.ok(w.putKeys([]symbolon.Key{there}, true))
		for _, put := range [][]symbolon.Key{
			{w.key(2, "ES256"), w.key(3, "RS256")},
			{w.key(2, "RS256"), w.key(3, "ES256")},
		} {
			w.equal(len(w.changed(func() { w.fails(w.putKeys(put, true), symbolon.Conflict) })), 0)
			w.equal(w.keys(), []symbolon.Key{there})
		}
	}},
	{"onlyFirst puts two of one algorithm when there was none", func(w *world) {
		two := []symbolon.Key{w.key(1, "ES256"), w.key(2, "ES256")}
		w.ok(w.putKeys(two, true))
		w.equal(w.keys(), two)
	}},
	{"onlyFirst counts a key that is retired", func(w *world) {
		old := w.key(1, "ES256")
		old.RetiredAt = w.now
		w.ok(w.putKeys([]symbolon.Key{old}, false))
		w.fails(w.putKeys([]symbolon.Key{w.key(2, "ES256")}, true), symbolon.Conflict)
	}},
	{"putting returns every key that there is then", func(w *world) {
		one, two := w.key(1, ""), w.key(2, "ES256")
		for want, key := range []symbolon.Key{one, two} {
			got, err := w.Keys(w.ctx, []symbolon.Key{key}, true)
			w.ok(err)
			w.equal(got, []symbolon.Key{one, two}[:want+1])
		}
	}},
	{"a key belongs to the store: who changes his own changes nothing", func(w *world) {
		key := w.key(1, "ES256")
		w.ok(w.putKeys([]symbolon.Key{key}, false))
		key.Wrapped[0]++
		w.keys()[0].Wrapped[0]++
		w.equal(w.keys(), []symbolon.Key{w.key(1, "ES256")})
	}},
	{"of 64 first keys at one instant exactly one is taken, for each algorithm", func(w *world) {
		algorithms := []string{"", "ES256"}
		errs := make([]error, 64)
		w.atOnce(len(errs), func(i int) error {
			errs[i] = w.putKeys([]symbolon.Key{w.key(symbolon.KeyID(i+1), algorithms[i%2])}, true)
			return nil
		})
		taken := 0
		for _, err := range errs {
			if err == nil {
				taken++
			} else {
				w.fails(err, symbolon.Conflict)
			}
		}
		w.equal(taken, 2)
		keys := w.keys()
		w.equal(len(keys), 2)
		w.equal(keys[0].Algorithm != keys[1].Algorithm, true)
	}},
	{"first keys that failed are repeated: there once, and a conflict if they were taken before", func(w *world) {
		for i, fault := range Faults {
			w.Log(fault)
			key := w.key(symbolon.KeyID(i+1), fault.String())
			w.suffer("Keys", fault, func(s symbolon.Store) error {
				_, err := s.Keys(w.ctx, []symbolon.Key{key}, true)
				return err
			})
			if err := w.putKeys([]symbolon.Key{key}, true); fault == Unanswered {
				w.fails(err, symbolon.Conflict)
			} else {
				w.ok(err)
			}
			w.equal(len(w.keys()), i+1)
		}
	}},
	{"the change is in Changes", func(w *world) {
		w.equal(w.changed(func() { w.ok(w.putKeys([]symbolon.Key{{ID: 1, Wrapped: []byte{1}, ActiveFrom: w.now}}, false)) }),
			[]symbolon.Change{{Kind: symbolon.KeysChanged}})
	}},
}

func (w *world) putKeys(put []symbolon.Key, onlyFirst bool) error {
	w.Helper()
	return symbolon.PutKeys(w.ctx, w, put, onlyFirst)
}

func (w *world) keys() []symbolon.Key {
	w.Helper()
	keys, err := w.Keys(w.ctx, nil, false)
	w.ok(err)
	return keys
}

func (w *world) key(id symbolon.KeyID, algorithm string) symbolon.Key {
	return symbolon.Key{ID: id, Algorithm: algorithm, Wrapped: []byte{byte(id), 1}, ActiveFrom: w.now}
}
