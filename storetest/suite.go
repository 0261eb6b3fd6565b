package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// Run holds the stores that open returns to the contract of symbolon.Store.
// Each subtest opens a fresh, empty store, which open closes by t.Cleanup.
func Run(t *testing.T, open func(t testing.TB) symbolon.Store) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"Apps", appCases},
		{"Accounts", accountCases},
		{"Identities", identityCases},
		{"Sessions", sessionCases},
		{"Consents", consentCases},
		{"Connect", connectCases},
		{"Refresh", refreshCases},
		{"End", endCases},
		{"Connections", connectionCases},
		{"Changes", changeCases},
		{"Keys", keyCases},
		{"Once", onceCases},
		{"Scopes", scopeCases},
		{"Outbox", outboxCases},
		{"Health", healthCases},
		{"Concurrent", concurrentCases},
		{"Faults", faultCases},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					store := open(t)
					if _, ok := store.(symbolon.Outbox); !ok && (group.name == "Outbox" || group.name == "Health") {
						t.Skip("the store is no outbox")
					}
					c.run(newWorld(t, store))
				})
			}
		})
	}
}

// testCase is one sentence of the contract.
type testCase struct {
	name string
	run  func(w *world)
}

// world is an empty store with one account, one app and their consent, and a
// clock that stands still unless it is told to move.
type world struct {
	testing.TB
	symbolon.Store
	ctx     context.Context
	now     time.Time
	account symbolon.Account
	app     symbolon.App
}

func newWorld(t testing.TB, store symbolon.Store) *world {
	t.Helper()
	w := &world{TB: t, Store: store, ctx: t.Context(), now: time.UnixMilli(1_800_000_000_000).UTC()}
	w.account = w.newAccount("jane")
	w.app = w.newApp()
	w.later(time.Second)
	w.allow("connect")
	return w
}

func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) newAccount(username string) symbolon.Account {
	w.Helper()
	account := symbolon.Account{
		ID: symbolon.NewAccountID(), Username: username, Name: "Jane Doe", Password: "$argon2id$", CreatedAt: w.now,
		Profile: symbolon.Profile{
			Email: username + "@example.com", EmailVerified: true, Locale: "cs", UpdatedAt: w.now,
			Address: &symbolon.Address{Formatted: "Karlův most\nPraha", Country: "CZ"},
		},
		Factors: symbolon.Factors{
			App:      &symbolon.AuthenticatorApp{Secret: []byte{1, 2, 3}, Step: 1 << 40, AddedAt: w.now},
			Recovery: [][]byte{{1}, {2}}, Missed: 2, MissedAt: w.now,
			Passkeys: []symbolon.Passkey{{ID: []byte{1}, Key: []byte{2}, Name: "Jane’s phone", Count: 1 << 31, Synced: true, Transports: []string{"internal"}, AddedAt: w.now}},
		},
	}
	w.ok(w.PutAccount(w.ctx, account))
	account.Version = 1
	return account
}

func (w *world) newApp() symbolon.App {
	w.Helper()
	_, secret := symbolon.NewSecret(w.now)
	app := symbolon.App{
		ID: symbolon.NewClientID(), Name: "Make", Home: "https://app.test", Secrets: []symbolon.Secret{secret},
		RedirectURIs: []string{"https://app.test/cb", "http://127.0.0.1/cb"}, Scope: symbolon.Scopes{"connect", "read"},
		Rotation: symbolon.RotateAlways, CreatedAt: w.now,
	}
	w.ok(w.PutApp(w.ctx, app))
	app.Version = 1
	return app
}

func (w *world) allow(scope ...string) {
	w.Helper()
	w.ok(w.Allow(w.ctx, symbolon.Consent{Account: w.account.ID, Client: w.app.ID, Scope: scope, GrantedAt: w.now}))
}

// code returns what redeeming a code issued now asks for.
func (w *world) code() symbolon.Connect {
	return symbolon.Connect{
		Connection: symbolon.Connection{
			ID: symbolon.NewConnectionID(w.now), Account: w.account.ID, Client: w.app.ID,
			Scope: symbolon.Scopes{"connect"}, CreatedAt: w.now, RefreshedAt: w.now, ExpiresAt: w.now.Add(90 * day),
		},
		CodeIssuedAt: w.now,
		Now:          w.now,
	}
}

// connected makes a connection and returns its id.
func (w *world) connected() symbolon.ConnectionID {
	w.Helper()
	c := w.code()
	w.connect(c, symbolon.Connected)
	return c.Connection.ID
}

func (w *world) connect(c symbolon.Connect, want symbolon.ConnectOutcome) {
	w.Helper()
	got, err := w.Connect(w.ctx, c)
	w.ok(err)
	if got != want {
		w.Fatalf("Connect: outcome %d, want %d", got, want)
	}
}

// token returns what presenting the refresh token seq of a connection asks for.
func (w *world) token(id symbolon.ConnectionID, seq uint64) symbolon.Refresh {
	return symbolon.Refresh{
		ID: id, Seq: seq, Rotation: symbolon.RotateAlways, Grace: -1, ExpiresAt: w.now.Add(90 * day), Now: w.now,
	}
}

// refresh presents a refresh token and checks the result, the sequence number
// and, when it is not zero, the time that comes back.
func (w *world) refresh(r symbolon.Refresh, want symbolon.RefreshResult, seq uint64, at time.Time) {
	w.Helper()
	got, err := w.Refresh(w.ctx, r)
	w.ok(err)
	var expires time.Time
	if !at.IsZero() { // there is a token to answer with: it says what the row says
		expires = w.row(r.ID).ExpiresAt
	}
	if want := (symbolon.RefreshOutcome{Result: want, Seq: seq, At: at, ExpiresAt: expires}); got != want {
		w.Fatalf("Refresh: got %+v, want %+v", got, want)
	}
}

func (w *world) refused(r symbolon.Refresh, want symbolon.RefreshResult) {
	w.Helper()
	w.refresh(r, want, 0, time.Time{})
}

func (w *world) end(e symbolon.End, want int) {
	w.Helper()
	e.Now = w.now
	got, err := w.End(w.ctx, e)
	w.ok(err)
	if got != want {
		w.Fatalf("End: ended %d rows, want %d", got, want)
	}
}

// row returns the connection, which must be there.
func (w *world) row(id symbolon.ConnectionID) symbolon.Connection {
	w.Helper()
	list, err := w.Connections(w.ctx, symbolon.ConnectionQuery{ID: id, Limit: 2})
	w.ok(err)
	if len(list) != 1 {
		w.Fatalf("Connections: %d rows with id %v, want 1", len(list), id)
	}
	return list[0]
}

// feed returns every change so far.
func (w *world) feed() []symbolon.Change {
	w.Helper()
	all, _, err := w.Changes(w.ctx, 0, 10_000)
	w.ok(err)
	return all
}

// changed runs act and returns the changes that it left, without their times.
func (w *world) changed(act func()) []symbolon.Change {
	w.Helper()
	// By the cursor: what is older may be swept meanwhile.
	var cursor symbolon.Cursor
	for {
		list, next, err := w.Changes(w.ctx, cursor, 10_000)
		w.ok(err)
		cursor = next
		if len(list) == 0 {
			break
		}
	}
	act()
	left, _, err := w.Changes(w.ctx, cursor, 10_000)
	w.ok(err)
	for i := range left {
		left[i].At = time.Time{}
	}
	return left
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v", err)
	}
}

func (w *world) fails(err error, want symbolon.Kind) {
	w.Helper()
	if err == nil || symbolon.KindOf(err) != want {
		w.Fatalf("error %v, want one of kind %q", err, want)
	}
	if _, ok := err.(*symbolon.Error); !ok {
		w.Fatalf("error of type %T, want *symbolon.Error", err)
	}
}

func (w *world) equal(got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Fatalf("got  %+v\nwant %+v", got, want)
	}
}
