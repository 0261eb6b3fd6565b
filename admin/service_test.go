package admin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/storetest"
)

// desk is a service on a store in memory, with two accounts.
type desk struct {
	*admin.Service
	t         *testing.T
	now       time.Time
	ann, ben  admin.Actor
	operators admin.Actor
}

func newDesk(t *testing.T, registering admin.Registering) *desk {
	t.Helper()
	store := storetest.NewMemory()
	d := &desk{t: t, now: time.UnixMilli(1_800_000_000_000).UTC()}
	d.Service = &admin.Service{
		Store: store, Now: func() time.Time { return d.now }, Registering: registering,
		End: func(ctx context.Context, end symbolon.End) (int, error) {
			end.Now = d.now
			return store.End(ctx, end)
		},
		Changed: func(context.Context) error { return nil },
		Hash:    func(_ context.Context, password string) (string, error) { return "hash of " + password, nil },
	}
	for name, who := range map[string]*admin.Actor{"ann": &d.ann, "ben": &d.ben} {
		who.Account = symbolon.NewAccountID()
		d.ok(store.PutAccount(t.Context(), symbolon.Account{ID: who.Account, Username: name, Name: name, CreatedAt: d.now}))
	}
	d.operators = admin.Actor{Account: symbolon.NewAccountID(), Operator: true}
	return d
}

func (d *desk) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) fails(err error, kind symbolon.Kind) {
	d.t.Helper()
	if err == nil || symbolon.KindOf(err) != kind || len(admin.Faults(err)) == 0 {
		d.t.Fatalf("%v, want a fault of kind %v", err, kind)
	}
}

func app() symbolon.App {
	a := symbolon.App{Name: "App", Home: "https://app.example/", RedirectURIs: []string{"https://app.example/cb"}, Scope: symbolon.Scopes{"connect"}, Rotation: symbolon.RotateAlways}
	a.Settings.Status = symbolon.StatusTest
	return a
}

// Each setting says who registers, and who sets live.
func TestRegistering(t *testing.T) {
	for registering, want := range map[admin.Registering]struct{ register, live bool }{
		"": {}, admin.ByOperators: {}, admin.ByReview: {register: true}, admin.ByAnyone: {register: true, live: true},
	} {
		d := newDesk(t, registering)
		if d.MayRegister(admin.Actor{}) {
			t.Errorf("%s: nobody may register", registering)
		}
		created, err := d.CreateApp(t.Context(), d.ann, app())
		if !want.register {
			d.fails(err, symbolon.Denied)
			continue
		}
		d.ok(err)
		id := created.App.ID
		if created.App.Owner != d.ann.Account || !created.App.CheckSecret(created.Secret) {
			t.Errorf("%+v", created.App)
		}
		live := func(a *symbolon.App) error { a.Settings.Status = symbolon.StatusLive; return nil }
		// Before it was connected nobody sets it live but an operator.
		_, err = d.EditApp(t.Context(), d.ann, id, "", live)
		d.fails(err, map[bool]symbolon.Kind{true: symbolon.Invalid, false: symbolon.Denied}[want.live])
		d.now = d.now.Add(time.Second)
		d.ok(d.Store.Allow(t.Context(), symbolon.Consent{Account: d.ann.Account, Client: id, Scope: symbolon.Scopes{"connect"}, GrantedAt: d.now}))
		d.now = d.now.Add(time.Second)
		_, err = d.Store.Connect(t.Context(), symbolon.Connect{CodeIssuedAt: d.now, Now: d.now, Connection: symbolon.Connection{
			ID: symbolon.NewConnectionID(d.now), Account: d.ann.Account, Client: id, Scope: symbolon.Scopes{"connect"}, CreatedAt: d.now, RefreshedAt: d.now, ExpiresAt: d.now.Add(time.Hour)}})
		d.ok(err)
		checks, err := d.Checklist(t.Context(), d.ann, id)
		d.ok(err)
		for _, c := range checks {
			if !c.Done {
				t.Errorf("%s: %s is not done", registering, c.Name)
			}
		}
		if _, err = d.EditApp(t.Context(), d.ann, id, "", live); want.live {
			d.ok(err)
		} else {
			d.fails(err, symbolon.Denied)
		}
		_, err = d.EditApp(t.Context(), d.operators, id, "", live)
		d.ok(err)
		// Where operators review, what people are shown of an app that is live is theirs.
		_, err = d.EditApp(t.Context(), d.ann, id, "", func(a *symbolon.App) error { a.Name = "Your Bank"; return nil })
		if want.live {
			d.ok(err)
		} else {
			d.fails(err, symbolon.Denied)
		}
		_, err = d.EditApp(t.Context(), d.ben, id, "", func(a *symbolon.App) error { a.Name = "Stolen"; return nil })
		d.fails(err, symbolon.NotFound)
	}
}

// A set of secrets is bounded, overlaps, and the last is not lost by a slip.
func TestSecrets(t *testing.T) {
	d := newDesk(t, admin.ByAnyone)
	created, err := d.CreateApp(t.Context(), d.ann, app())
	d.ok(err)
	id, first := created.App.ID, created.App.Secrets[0].ID
	_, err = d.RetireSecret(t.Context(), d.ann, id, first, false)
	d.fails(err, symbolon.Invalid)
	for range admin.MaxSecrets - 1 {
		more, err := d.AddSecret(t.Context(), d.ann, id, false)
		d.ok(err)
		if !more.App.CheckSecret(created.Secret) || !more.App.CheckSecret(more.Secret) {
			t.Error("the secrets do not overlap")
		}
	}
	_, err = d.AddSecret(t.Context(), d.ann, id, false)
	d.fails(err, symbolon.Invalid)
	_, err = d.AddSecret(t.Context(), d.ben, id, false)
	d.fails(err, symbolon.NotFound)
	left, err := d.RetireSecret(t.Context(), d.ann, id, first, false)
	d.ok(err)
	if left.CheckSecret(created.Secret) || len(left.Secrets) != admin.MaxSecrets-1 {
		t.Errorf("%d secrets", len(left.Secrets))
	}
}

// What is said of a flag on the command line is said of a member of the admin API there.
func TestFaultsInPlainWords(t *testing.T) {
	a := app()
	a.Settings.APIResources = []string{"https://api.example"}
	err := admin.CheckApp(&a)
	faults := admin.Faults(err)
	if len(faults) != 1 || !strings.Contains(faults[0].Says, "--api-resource") || strings.Contains(faults[0].Plain(), "--") || faults[0].Hint == "" {
		t.Errorf("%v", err)
	}
	a = app()
	a.Settings.Profile = symbolon.ProfileFAPI2
	if faults := admin.Faults(admin.CheckApp(&a)); len(faults) < 2 {
		t.Errorf("%d faults of an app that breaks several rules of its profile", len(faults))
	}
}

// An owner does not come to know people by the names that another's app has for them: the
// sector goes with the hosts of the redirect URIs, unless an operator has set it (OpenID
// Connect Core §8.1).
func TestSectorStaysWithItsHosts(t *testing.T) {
	d := newDesk(t, admin.ByAnyone)
	pairwise := app()
	pairwise.Scope, pairwise.RedirectURIs, pairwise.Settings.OpenID.Pairwise = symbolon.Scopes{"openid"}, []string{"https://victim.example/cb"}, true
	created, err := d.CreateApp(t.Context(), d.ann, pairwise)
	d.ok(err)
	uris := func(list ...string) func(*symbolon.App) error {
		return func(a *symbolon.App) error { a.RedirectURIs = list; return nil }
	}
	for _, list := range [][]string{{"https://evil.example/cb"}, {"https://victim.example/cb", "https://evil.example/cb"}, {"evil.app:/cb"}} {
		_, err = d.EditApp(t.Context(), d.ann, created.App.ID, "", uris(list...))
		d.fails(err, symbolon.Denied)
	}
	_, err = d.EditApp(t.Context(), d.ann, created.App.ID, "", uris("https://victim.example/cb", "https://victim.example:8443/other"))
	d.ok(err)
	// Nor by a redirect URI that has no host, or by a grant without one.
	aside := pairwise
	aside.RedirectURIs = []string{"https://victim.example/cb", "com.evil.app:/cb"}
	_, err = d.CreateApp(t.Context(), d.ann, aside)
	d.fails(err, symbolon.Denied)
	aside = pairwise
	aside.Settings.Grants = []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantDevice}
	_, err = d.CreateApp(t.Context(), d.ann, aside)
	d.fails(err, symbolon.Denied)
	// Without a sector of its own it takes that of its new host.
	_, err = d.EditApp(t.Context(), d.ann, created.App.ID, "", func(a *symbolon.App) error {
		a.Settings.OpenID.Sector = ""
		return uris("https://evil.example/cb")(a)
	})
	d.ok(err)
	moved, err := d.App(t.Context(), d.ann, created.App.ID)
	d.ok(err)
	if moved.Settings.OpenID.Sector != "evil.example" {
		t.Errorf("sector %q", moved.Settings.OpenID.Sector)
	}
	// What an operator has set may have hosts of its own, and the owner keeps those.
	_, err = d.EditApp(t.Context(), d.operators, created.App.ID, "", func(a *symbolon.App) error {
		a.Settings.OpenID.Sector = "shared.example"
		return nil
	})
	d.ok(err)
	_, err = d.EditApp(t.Context(), d.ann, created.App.ID, "", uris("https://evil.example/other"))
	d.ok(err)
	_, err = d.EditApp(t.Context(), d.ann, created.App.ID, "", uris("https://third.example/cb"))
	d.fails(err, symbolon.Denied)
}
