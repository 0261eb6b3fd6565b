package oauth

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// An app in test takes its owner and its test accounts: in step 1, and again in step 3,
// where someone may have been taken off the list since the code was given.
func TestAnAppInTest(t *testing.T) {
	w := newWorld(t)
	app := w.app(w.C1.ID)
	code := w.code(&app)
	w.edit(app.ID, func(a *symbolon.App) { a.Settings.Status = symbolon.StatusTest })
	app = w.app(app.ID)
	_, err := w.redeem(&app, code)
	w.refused(err, InvalidGrant)
	who := w.allowing()
	_, err = w.Engine.Authorize(w.ctx, w.request(&app), who)
	if r := w.page(err, AccessDenied); !r.Testing {
		t.Error("the page cannot say why")
	}
	silent := who
	silent.Allowed = false
	_, err = w.Engine.Authorize(w.ctx, w.request(&app, "prompt=none"), silent)
	if r := storeError(err); r.Refusal != AccessDenied || r.Redirect == "" {
		t.Errorf("prompt=none: %+v", r)
	}
	for _, admit := range []func(*symbolon.App){
		func(a *symbolon.App) { a.Settings.TestAccounts = []symbolon.AccountID{who.Chosen} },
		func(a *symbolon.App) { a.Settings.TestAccounts, a.Owner = nil, who.Chosen },
		func(a *symbolon.App) { a.Owner, a.Settings.Status = "", symbolon.StatusLive },
	} {
		w.edit(app.ID, admit)
		app = w.app(app.ID)
		w.alive(w.connected(&app))
	}
	// An app that owns nothing admits nobody who has no account.
	app.Settings.Status = symbolon.StatusTest
	if app.Admits("") {
		t.Error("it admits an account that is none")
	}
}

// The use of a secret is written down once an hour, beside the requests, and an edit at
// that moment goes first.
func TestUsesOfSecretsAreRecorded(t *testing.T) {
	w := newWorld(t)
	used := func() time.Time { a := w.app(w.C1.ID); return a.Secrets[0].UsedAt }
	app := w.app(w.C1.ID)
	w.connected(&app)
	if !used().IsZero() {
		t.Error("it is written before it is recorded")
	}
	w.ok(w.Engine.RecordUses(w.ctx))
	first := used()
	if first.IsZero() {
		t.Fatal("it is not written")
	}
	version := w.app(w.C1.ID).Version
	app = w.app(w.C1.ID)
	w.ok(w.feed.Poll(w.ctx))
	w.connected(&app)
	w.ok(w.Engine.RecordUses(w.ctx))
	if got := w.app(w.C1.ID); got.Version != version || !got.Secrets[0].UsedAt.Equal(first) {
		t.Errorf("written again within the hour: version %d, then %d", version, got.Version)
	}
	_, err := w.redeem(&app, "x", "client_secret=wrong")
	w.refused(err, InvalidClient)
	w.clock.pass(symbolon.SecretUsePrecision)
	w.ok(w.Engine.RecordUses(w.ctx))
	if !used().Equal(first) {
		t.Error("a wrong secret counts as a use")
	}
}
