package storetest

import (
	"context"
	"reflect"
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
		app.NotBefore, app.Owner = w.now, w.account.ID
		app.Secrets[0].UsedAt = w.now
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
	{"the apps of one owner come alone, in pages", func(w *world) {
		for id, owner := range map[symbolon.ClientID]symbolon.AccountID{"~1": "ann", "~2": "ben", "~3": "ann", "~4": ""} {
			w.ok(w.PutApp(w.ctx, symbolon.App{ID: id, Owner: owner, Rotation: symbolon.RotateAlways, CreatedAt: w.now}))
		}
		page, err := w.Apps(w.ctx, symbolon.AppQuery{Owner: "ann", Limit: 1})
		w.ok(err)
		w.equal([]symbolon.ClientID{page[0].ID}, []symbolon.ClientID{"~1"})
		page, err = w.Apps(w.ctx, symbolon.AppQuery{Owner: "ann", After: "~1", Limit: 2})
		w.ok(err)
		w.equal(len(page), 1)
		page, err = w.Apps(w.ctx, symbolon.AppQuery{Owner: "ben", ID: "~3", Limit: 2})
		w.ok(err)
		w.equal(len(page), 0)
		// An app changes hands, or is deleted and made again by another.
		app := w.oneApp("~3")
		app.Owner = "ben"
		w.ok(w.PutApp(w.ctx, app))
		w.end(symbolon.End{Client: "~1", Delete: true}, 1)
		page, err = w.Apps(w.ctx, symbolon.AppQuery{Owner: "ann", Limit: 2})
		w.ok(err)
		w.equal(len(page), 0)
		w.ok(w.PutApp(w.ctx, symbolon.App{ID: "~1", Rotation: symbolon.RotateAlways, CreatedAt: w.now}))
		w.equal(w.oneApp("~1").Owner, symbolon.AccountID(""))
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
	{"settings of which every field is set read back, and go again", func(w *world) {
		app := w.app
		fill(w, reflect.ValueOf(&app.Settings).Elem())
		want := cloneApp(app)
		w.ok(w.PutApp(w.ctx, app))
		want.Version++
		w.equal(w.oneApp(app.ID), want)
		app = w.oneApp(app.ID)
		app.Settings = symbolon.Settings{}
		w.ok(w.PutApp(w.ctx, app))
		w.equal(w.oneApp(app.ID).Settings, symbolon.Settings{})
	}},
	{"each field of the settings is kept by itself", func(w *world) {
		for i := range reflect.TypeFor[symbolon.Settings]().NumField() {
			app := w.oneApp(w.app.ID)
			app.Settings = symbolon.Settings{}
			fill(w, reflect.ValueOf(&app.Settings).Elem().Field(i))
			w.ok(w.PutApp(w.ctx, app))
			w.equal(w.oneApp(app.ID).Settings, app.Settings)
		}
	}},
	{"settings belong to the store: who changes his own changes nothing", func(w *world) {
		app := w.app
		fill(w, reflect.ValueOf(&app.Settings).Elem())
		want := cloneApp(app).Settings
		w.ok(w.PutApp(w.ctx, app))
		for range 2 { // what was put, then what was read
			app.Settings.Grants[0], app.Settings.Resources[0], app.Settings.APIResources[0] = "lost", "lost", "lost"
			app.Settings.ExchangeFor[0], app.Settings.TestAccounts[0], app.Settings.Registration.ClientID = "lost", "lost", "lost"
			app.Settings.Registration.Digest[0], app.Settings.Registration.Token[0] = 0, 0
			w.equal(w.oneApp(app.ID).Settings, want)
			app = w.oneApp(app.ID)
		}
	}},
	{"times in the settings are kept in whole milliseconds, UTC", func(w *world) {
		app := w.app
		fine := w.now.Add(999_999).In(time.FixedZone("east", 3600))
		app.Settings.Registration = &symbolon.Registration{ChangedAt: fine, ExpiresAt: fine, DeletedAt: fine}
		w.ok(w.PutApp(w.ctx, app))
		w.equal(*w.oneApp(app.ID).Settings.Registration, symbolon.Registration{ChangedAt: w.now, ExpiresAt: w.now, DeletedAt: w.now})
	}},
	{"a deleted app that is made again has no settings of the old one", func(w *world) {
		app := w.app
		app.Settings.RequirePAR = true
		w.ok(w.PutApp(w.ctx, app))
		w.end(symbolon.End{Client: app.ID, Delete: true}, 1)
		again := w.app
		again.Version = 0
		w.ok(w.PutApp(w.ctx, again))
		w.equal(w.oneApp(app.ID).Settings, symbolon.Settings{})
	}},
}

// fill gives every field a value that is not its zero value, so that a field that
// is added later is held to the contract as well.
func fill(w *world, v reflect.Value) {
	w.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(w.now))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("\"ünïcode\" <&> " + v.Type().Name())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(1<<40 + 7)
	case reflect.Uint8:
		v.SetUint(255)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(w, v.Index(0))
		fill(w, v.Index(1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(w, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(w, v.Field(i))
		}
	default:
		w.Fatalf("a field of type %v: say here how to fill it", v.Type())
	}
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
