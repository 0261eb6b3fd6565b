package storetest

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
)

var appCases = []testCase{
	{"a new app reads back as it was put, with version 1", func(w *world) {
		w.equal(w.oneApp(w.app.ID), w.app)
	}},
	{"an app of which every field is set reads back", func(w *world) {
		app := w.oneApp(w.app.ID)
		_, second := symbolon.NewSecret(w.now)
		app.Name, app.Home, app.Public, app.RequirePKCE = "Ünïcode \"app\"", "", true, true
		app.Secrets = append(app.Secrets, second)
		app.RedirectURIs, app.Scope, app.Rotation = []string{"https://b.test/?a=%2Fb&c"}, symbolon.Scopes{"read"}, symbolon.RotateNever
		app.NotBefore = w.now
		w.ok(w.PutApp(w.ctx, app))
		app.Version++
		w.equal(w.oneApp(app.ID), app)
	}},
	{"an app without lists reads back without lists", func(w *world) {
		app := symbolon.App{ID: "bare", CreatedAt: w.now, Rotation: symbolon.RotateAlways}
		w.ok(w.PutApp(w.ctx, app))
		app.Version = 1
		w.equal(w.oneApp("bare"), app)
	}},
	{"version 0 conflicts with a row that is there", func(w *world) {
		again := w.app
		again.Version = 0
		w.fails(w.PutApp(w.ctx, again), symbolon.Conflict)
	}},
	{"a stale version conflicts and changes nothing", func(w *world) {
		first, second := w.app, w.app
		first.Name, second.Name = "first", "second"
		w.ok(w.PutApp(w.ctx, first))
		w.fails(w.PutApp(w.ctx, second), symbolon.Conflict)
		w.equal(w.oneApp(w.app.ID).Name, "first")
	}},
	{"a version of a row that is not there conflicts", func(w *world) {
		w.fails(w.PutApp(w.ctx, symbolon.App{ID: "nobody", Version: 3}), symbolon.Conflict)
	}},
	{"a conflict leaves no change", func(w *world) {
		w.equal(len(w.changed(func() { _ = w.PutApp(w.ctx, symbolon.App{ID: "nobody", Version: 3}) })), 0)
	}},
	{"an edit is in Changes", func(w *world) {
		w.equal(w.changed(func() { w.ok(w.PutApp(w.ctx, w.app)) }),
			[]symbolon.Change{{Kind: symbolon.AppChanged, Client: w.app.ID}})
	}},
	{"what was over stays over", func(w *world) {
		app := w.app
		app.NotBefore = w.now
		w.ok(w.PutApp(w.ctx, app))
		app.Version, app.NotBefore = 2, time.Time{}
		w.ok(w.PutApp(w.ctx, app))
		w.equal(w.oneApp(app.ID).NotBefore, w.now)
	}},
	{"apps are ordered by id and come in pages", func(w *world) {
		for _, id := range []symbolon.ClientID{"~3", "~1", "~2"} {
			w.ok(w.PutApp(w.ctx, symbolon.App{ID: id, Rotation: symbolon.RotateAlways, CreatedAt: w.now}))
		}
		page, err := w.Apps(w.ctx, symbolon.AppQuery{After: w.app.ID, Limit: 2})
		w.ok(err)
		w.equal([]symbolon.ClientID{page[0].ID, page[1].ID}, []symbolon.ClientID{"~1", "~2"})
		page, err = w.Apps(w.ctx, symbolon.AppQuery{After: page[1].ID, Limit: 2})
		w.ok(err)
		w.equal(len(page), 1)
	}},
	{"an app that is not there is an empty list", func(w *world) {
		list, err := w.Apps(w.ctx, symbolon.AppQuery{ID: "nobody", Limit: 1})
		w.ok(err)
		w.equal(len(list), 0)
	}},
	{"a limit below 1 is invalid", func(w *world) {
		_, err := w.Apps(w.ctx, symbolon.AppQuery{})
		w.fails(err, symbolon.Invalid)
	}},
	{"times are kept in whole milliseconds", func(w *world) {
		w.ok(w.PutApp(w.ctx, symbolon.App{ID: "fine", CreatedAt: w.now.Add(999_999), Rotation: symbolon.RotateAlways}))
		w.equal(w.oneApp("fine").CreatedAt, w.now)
	}},
	{"a context that has ended stops a read", func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		_, err := w.Apps(ctx, symbolon.AppQuery{Limit: 1})
		w.fails(err, symbolon.Busy)
	}},
	{"a deleted app is gone, and does not come back with what was ended", func(w *world) {
		id := w.connected()
		w.later(time.Second)
		w.end(symbolon.End{Client: w.app.ID, Delete: true}, 1)
		list, err := w.Apps(w.ctx, symbolon.AppQuery{ID: w.app.ID, Limit: 1})
		w.ok(err)
		w.equal(len(list), 0)
		again := w.app
		again.Version = 0
		w.ok(w.PutApp(w.ctx, again))
		w.refused(w.token(id, 0), symbolon.RefreshDenied)
		w.equal(w.oneApp(w.app.ID).NotBefore, w.now)
	}},
}

func (w *world) oneApp(id symbolon.ClientID) symbolon.App {
	w.Helper()
	list, err := w.Apps(w.ctx, symbolon.AppQuery{ID: id, Limit: 2})
	w.ok(err)
	if len(list) != 1 {
		w.Fatalf("Apps: %d rows with id %s, want 1", len(list), id)
	}
	return list[0]
}

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
