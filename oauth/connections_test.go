package oauth

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// telling is a world whose app C1 has a webhook, with what it is told.
type telling struct {
	*world
	told []symbolon.Delivery
}

func newTelling(t *testing.T, configure ...func(*Config)) *telling {
	t.Helper()
	tell := &telling{}
	tell.world = newWorld(t, append(configure, func(c *Config) {
		c.Tell = func(ctx context.Context, d symbolon.Delivery) error {
			tell.told = append(tell.told, d)
			return tell.store.Tell(ctx, d)
		}
	})...)
	tell.edit(tell.C1.ID, func(a *symbolon.App) {
		a.Settings.Webhook = &symbolon.Webhook{URL: "https://c1.test/hook", Secret: []byte{1}, Events: symbolon.EventKinds()}
	})
	tell.C1 = tell.app(tell.C1.ID)
	return tell
}

// events are what waits in the outbox, and are taken out of it.
func (w *telling) events() []symbolon.Event {
	w.Helper()
	got, err := w.store.Claim(w.ctx, symbolon.Claim{Limit: 99, PerApp: 99, Lease: time.Minute, Now: w.clock.Now()})
	w.ok(err)
	var list []symbolon.Event
	for _, d := range got.Due {
		var e symbolon.Event
		w.ok(e.UnmarshalText(d.Body))
		if d.Client != w.C1.ID {
			w.Errorf("%s is told %v", d.Client, e)
		}
		list = append(list, e)
		w.ok(w.store.Told(w.ctx, d, time.Time{}))
	}
	return list
}

func (w *telling) tells(want ...symbolon.EventKind) {
	w.Helper()
	var got []symbolon.EventKind
	for _, e := range w.events() {
		got = append(got, e.Type)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Fatalf("told %v, want %v", got, want)
	}
}

func TestALabelGoesFromThePageToTheConnection(t *testing.T) {
	w := newWorld(t)
	who := w.allowing()
	who.Label = " my\nshop \u202e"
	a, err := w.Authorize(w.ctx, w.request(&w.C1), who)
	w.ok(err)
	req := w.tokenRequest(&w.C1, []string{"grant_type=authorization_code", "code=" + a.Callback.Code, "redirect_uri=" + uriC1, "code_verifier=" + verifier}, nil)
	req.Credentials.Address = "[2001:db8::7]"
	tokens, err := w.Token(w.ctx, req)
	w.ok(err)
	row := w.row(tokens)
	if row.Label != "my shop" || row.UsedFrom != netip.MustParseAddr("2001:db8::7") {
		t.Errorf("%+v", row)
	}
	req = w.tokenRequest(&w.C1, []string{"grant_type=refresh_token", "refresh_token=" + tokens.RefreshToken}, nil)
	req.Credentials.Address = "192.0.2.9"
	_, err = w.Refresh(w.ctx, req)
	w.ok(err)
	if row = w.row(tokens); row.UsedFrom != netip.MustParseAddr("192.0.2.9") || row.Label != "my shop" {
		t.Errorf("%+v", row)
	}
}

func TestWhereACallIsFrom(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "[::1]": "::1", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::1",
		"": "invalid IP", "[": "invalid IP", "[]": "invalid IP", "host": "invalid IP", "@": "invalid IP",
	} {
		if got := addressOf(text).String(); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestOneConnection(t *testing.T) {
	for _, shared := range []bool{false, true} {
		w := newWorld(t, func(c *Config) { c.Shared = shared })
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.OneConnection = true })
		w.C1 = w.app(w.C1.ID)
		first, other := w.connected(&w.C1), w.connected(&w.C2)
		w.clock.pass(time.Second)
		old := w.code(&w.C1)
		w.clock.pass(time.Second)
		second := w.connected(&w.C1)
		w.dead(first)
		w.alive(second)
		w.alive(other)
		if by := w.row(first).EndedBy; by != symbolon.ByNewer {
			t.Errorf("ended by %q", by)
		}
		_, err := w.redeem(&w.C1, old)
		w.refused(err, InvalidGrant)
		w.alive(second)
		w.refreshed(&w.C1, second.RefreshToken)
	}
}

func TestAPersonEndsWhatIsTheirs(t *testing.T) {
	l := newLeaving(t)
	w := l.world
	end := func(end symbolon.End) {
		t.Helper()
		end.Reason = symbolon.ByPerson
		_, err := w.End(w.ctx, end)
		w.ok(err)
	}
	end(symbolon.End{Account: w.U2.ID, Session: l.in[0].Session.ID}) // another's
	end(symbolon.End{Account: w.U2.ID, Client: w.C1.ID})
	w.alive(l.tokens)
	mine := w.row(l.tokens)
	for range 2 { // the second time it is over as they want
		_, err := w.EndConnection(w.ctx, &mine, symbolon.ByPerson)
		w.ok(err)
	}
	w.dead(l.tokens)
	if by := w.row(l.tokens).EndedBy; by != symbolon.ByPerson {
		t.Errorf("ended by %q", by)
	}
	// It was the last one between the two.
	if _, err := w.store.Consent(w.ctx, w.U1.ID, w.C1.ID); symbolon.KindOf(err) != symbolon.NotFound {
		t.Errorf("the consent stands: %v", err)
	}

	w.clock.pass(time.Second)
	of := l.connect(&w.C1)
	end(symbolon.End{Account: w.U1.ID, Session: l.in[0].Session.ID})
	w.dead(of)
	if len(l.look()) != 0 {
		t.Error("the session is there still")
	}
	l.signIn(w.U1)
	of, second := l.connect(&w.C1), l.connect(&w.C1)
	w.clock.pass(time.Second)
	one := w.row(of)
	_, err := w.EndConnection(w.ctx, &one, symbolon.ByPerson)
	w.ok(err)
	w.dead(of)
	w.alive(second)
	_, err = w.EndConnection(w.ctx, &one, symbolon.ByPerson) // once more: the other is not the last of what it ends
	w.ok(err)
	w.alive(second)
	end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID})
	w.dead(second)
	if _, err := w.store.Consent(w.ctx, w.U1.ID, w.C1.ID); symbolon.KindOf(err) != symbolon.NotFound {
		t.Errorf("the consent stands: %v", err)
	}
}

func TestWhatAWebhookIsToldByTheSteps(t *testing.T) {
	w := newTelling(t)
	tokens := w.connected(&w.C1)
	w.tells(symbolon.EventConnected)
	next := w.refreshed(&w.C1, tokens.RefreshToken)
	w.tells(symbolon.EventRefreshed)
	w.refreshed(&w.C1, tokens.RefreshToken) // the answer was lost
	w.tells()
	w.refreshed(&w.C1, next.RefreshToken)
	w.tells(symbolon.EventRefreshed)
	_, err := w.refresh(&w.C1, tokens.RefreshToken)
	w.refused(err, InvalidGrant)
	w.tells(symbolon.EventReplayed, symbolon.EventEnded)
	_, err = w.refresh(&w.C1, tokens.RefreshToken) // of what is over
	w.refused(err, InvalidGrant)
	w.tells()

	code := w.code(&w.C1)
	_, err = w.redeem(&w.C1, code)
	w.ok(err)
	_, err = w.redeem(&w.C1, code)
	w.refused(err, InvalidGrant)
	w.tells(symbolon.EventConnected, symbolon.EventReplayed, symbolon.EventEnded)

	tokens = w.connected(&w.C1)
	_, err = w.Invalidate(w.ctx, Bearer(tokens.AccessToken))
	w.ok(err)
	w.tells(symbolon.EventConnected, symbolon.EventEnded)

	w.refreshed(&w.C2, w.connected(&w.C2).RefreshToken) // it has no webhook
	w.tells()
}

// An owner is told once an hour that a connection fails, and only when it is the holder
// of its refresh token who fails.
func TestFailing(t *testing.T) {
	w := newTelling(t)
	tokens := w.connected(&w.C1)
	w.tells(symbolon.EventConnected)
	refuse := func(app *symbolon.App, token string, want Refusal, changes ...string) {
		t.Helper()
		_, err := w.refresh(app, token, changes...)
		w.refused(err, want)
	}
	row := w.row(tokens)
	if h := w.Health(&row); h != (Health{State: "live"}) {
		t.Errorf("health %+v", h)
	}
	refuse(&w.C1, tokens.RefreshToken, InvalidScope, "scope=write")
	w.tells(symbolon.EventFailing)
	if h := w.Health(&row); h.Failure.Why == "" || !h.Failure.At.Equal(w.clock.Now()) {
		t.Errorf("health %+v", h)
	}
	refuse(&w.C1, tokens.RefreshToken, InvalidScope, "scope=write")
	w.start() // another node, or this one again: what is told is in the store
	refuse(&w.C1, tokens.RefreshToken, InvalidClient, "client_secret=wrong")
	w.tells()
	w.clock.pass(time.Hour)
	refuse(&w.C1, tokens.RefreshToken, InvalidClient, "client_secret=wrong")
	events := w.events()
	if len(events) != 1 || events[0].Type != symbolon.EventFailing || events[0].Connection != row.ID || events[0].Why == "" {
		t.Fatalf("told %+v", events)
	}
	w.refreshed(&w.C1, tokens.RefreshToken)
	if h := w.Health(&row); h.Failure != (Failure{}) {
		t.Errorf("it works, and counts as failing: %+v", h)
	}
	w.tells(symbolon.EventRefreshed)

	// What strangers do is told nobody.
	w.clock.pass(2 * time.Hour)
	next := w.refreshed(&w.C1, tokens.RefreshToken)
	w.events()
	refuse(&w.C1, next.RefreshToken[:len(next.RefreshToken)-4]+"AAAA", InvalidGrant)
	refuse(&w.C1, "", InvalidRequest)
	refuse(&w.C2, next.RefreshToken, InvalidGrant) // another app has it
	w.tells()
	w.end(symbolon.End{Connection: next.Grant.Connection, Reason: symbolon.ByOperator})
	w.events()
	refuse(&w.C1, next.RefreshToken, InvalidGrant)
	w.tells()
	row = w.row(next)
	if h := w.Health(&row); h.State != "ended" {
		t.Errorf("health %+v", h)
	}
	if len(w.told) != 2 {
		t.Errorf("%d deliveries were made beside the store's own", len(w.told))
	}
}

func TestFailuresAreBounded(t *testing.T) {
	f := newFailures()
	now := time.Now()
	for range 2 * maxFailures {
		f.note(symbolon.NewConnectionID(now), Failure{At: now, Why: "x"})
	}
	if n := len(f.of); n > maxFailures {
		t.Errorf("%d are remembered", n)
	}
}

func TestExpiring(t *testing.T) {
	w := newTelling(t)
	first := w.connected(&w.C1)
	w.connected(&w.C2) // has no webhook
	w.events()
	due := func(want int) {
		t.Helper()
		n, err := w.TellExpiring(w.ctx)
		w.ok(err)
		if n != want {
			t.Fatalf("told of %d, want %d", n, want)
		}
	}
	dies := w.row(first).ExpiresAt
	due(0)
	w.clock.pass(dies.Sub(w.clock.Now()) - expiringNotice - 30*time.Hour)
	w.clock.pass(29 * time.Hour)
	due(0) // what was missed is looked through whole, and it is not in there yet
	for range 3 {
		w.clock.pass(time.Hour)
		if _, err := w.TellExpiring(w.ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := w.TellExpiring(w.ctx); err != nil { // the hour is done
			t.Fatal(err)
		}
	}
	events := w.events()
	if len(events) != 1 || events[0].Type != symbolon.EventExpiring || events[0].Connection != first.Grant.Connection {
		t.Fatalf("told %+v", events)
	}
	row := w.row(first)
	if h := w.Health(&row); !h.Expiring {
		t.Errorf("health %+v", h)
	}

	// An outage of some hours: nothing is told twice, nothing left out.
	w.clock.pass(10 * time.Hour)
	due(0)
	// A longer one: all that die soon are told again, by the same id.
	w.clock.pass(30 * time.Hour)
	due(1)
	if w.told[0].ID != w.told[1].ID {
		t.Error("the second telling has another id, so that nobody knows that it is one")
	}
	w.events()
	w.refreshed(&w.C1, first.RefreshToken)
	w.tells(symbolon.EventRefreshed)
	w.clock.pass(30 * time.Hour)
	due(0)
	w.tells()
}

// Who dies in the middle of an hour's work leaves it to another.
func TestExpiringIsTakenUpAgain(t *testing.T) {
	w := newTelling(t)
	tokens := w.connected(&w.C1)
	w.events()
	w.clock.pass(w.row(tokens).ExpiresAt.Sub(w.clock.Now()) - time.Hour)
	away := errors.New("away")
	tell := w.cfg.Tell
	w.Engine.cfg.Tell = func(context.Context, symbolon.Delivery) error { return away }
	if _, err := w.TellExpiring(w.ctx); !errors.Is(err, away) {
		t.Fatal(err)
	}
	w.Engine.cfg.Tell = tell
	if n, err := w.TellExpiring(w.ctx); n != 0 || err != nil {
		t.Fatalf("the lease is not over: %d, %v", n, err)
	}
	w.clock.pass(expiringLease)
	if n, err := w.TellExpiring(w.ctx); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
}

// Where connections live for two days, the warning comes after one.
func TestExpiringOfShortLives(t *testing.T) {
	w := newTelling(t, func(c *Config) { c.RefreshLifetime = 48 * time.Hour })
	w.connected(&w.C1)
	w.events()
	for _, want := range []int{0, 0, 1, 0} {
		n := 0
		for range 12 {
			told, err := w.TellExpiring(w.ctx)
			w.ok(err)
			n += told
			w.clock.pass(time.Hour)
		}
		if n != want {
			t.Fatalf("told of %d in half a day, want %d", n, want)
		}
	}
}

func TestWatching(t *testing.T) {
	w := newTelling(t)
	watcher, err := w.Watch(w.C1.ID)
	w.ok(err)
	other, err := w.Watch(w.C2.ID)
	w.ok(err)
	next := func() Happening {
		t.Helper()
		w.ok(w.feed.Poll(w.ctx))
		select {
		case h := <-watcher.What():
			ours, err := watcher.About(w.ctx, &h)
			w.ok(err)
			if !ours {
				return Happening{}
			}
			return h
		default:
			t.Fatal("nothing happened")
			return Happening{}
		}
	}
	tokens := w.connected(&w.C1)
	if h := next(); h.Type != symbolon.EventConnected || h.Connection != tokens.Grant.Connection || h.Account != w.U1.ID || h.Client != w.C1.ID {
		t.Fatalf("%+v", h)
	}
	_, err = w.refresh(&w.C1, tokens.RefreshToken, "scope=write")
	w.refused(err, InvalidScope)
	if h := next(); h.Type != symbolon.EventFailing || h.Why == "" {
		t.Fatalf("%+v", h)
	}
	tokens = w.refreshed(&w.C1, tokens.RefreshToken)
	if h := next(); h.Type != symbolon.EventRefreshed {
		t.Fatalf("%+v", h)
	}
	// Another node ends it: the changes say so, and the row why.
	_, err = w.store.End(w.ctx, symbolon.End{Connection: tokens.Grant.Connection, Reason: symbolon.ByOperator, Now: w.clock.Now()})
	w.ok(err)
	if h := next(); h.Type != symbolon.EventEnded || h.Connection != tokens.Grant.Connection || h.Why != string(symbolon.ByOperator) {
		t.Fatalf("%+v", h)
	}
	if len(other.What()) != 0 {
		t.Error("what is C1's is told who watches C2")
	}
	// An account that is over is the app's business when it had a connection to it.
	w.end(symbolon.End{Account: w.U1.ID})
	if h := next(); h.Type != symbolon.EventEnded || h.Account != w.U1.ID || h.Client != w.C1.ID {
		t.Fatalf("%+v", h)
	}
	w.end(symbolon.End{Account: w.U2.ID})
	if h := next(); h != (Happening{}) {
		t.Fatalf("of an account that never connected the app: %+v", h)
	}
	watcher.Stop()
	other.Stop()
	w.clock.pass(time.Second)
	w.connected(&w.C2)
	if n := w.Engine.watchers.count.Load(); n != 0 || len(w.Engine.watchers.of) != 0 || len(watcher.What()) != 0 {
		t.Errorf("%d watch still", n)
	}
}

func TestWatchersAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range maxWatchersOfApp + 1 {
		if _, err := w.Watch(w.C1.ID); (err != nil) != (i == maxWatchersOfApp) {
			t.Fatalf("watcher %d: %v", i, err)
		}
	}
	slow, err := w.Watch(w.C2.ID)
	w.ok(err)
	for range watcherBuffer + 5 {
		w.happened(Happening{Client: w.C2.ID, Type: symbolon.EventRefreshed})
	}
	if len(slow.What()) != watcherBuffer || !slow.Lost() || slow.Lost() {
		t.Errorf("%d wait", len(slow.What()))
	}
}

// What an app says of itself anew takes nothing from its owner, and gives the app no
// webhook.
func TestReregisteringKeepsTheOwnersWebhook(t *testing.T) {
	w := newRegistry(t)
	info, app := w.joined(map[string]any{"webhook": map[string]any{"url": "https://evil.test/"}})
	w.connected(app)
	w.ok(w.feed.Poll(w.ctx))
	id := w.found(app.ID).ID
	if w.app(id).Settings.Webhook != nil {
		t.Fatal("an app that registers itself has a webhook")
	}
	w.edit(id, func(a *symbolon.App) {
		a.Settings.OneConnection, a.Settings.Webhook = true, &symbolon.Webhook{URL: "https://owner.test/", Secret: []byte{1}}
	})
	_, err := w.Reregister(w.ctx, info.ClientID, info.RegistrationAccessToken,
		[]byte(changed(metadataX1, map[string]any{"client_id": info.ClientID, "client_name": "New"})), Registrant{Address: "192.0.2.7"})
	w.ok(err)
	if a := w.app(id); a.Name != "New" || !a.Settings.OneConnection || a.Settings.Webhook == nil || a.Settings.Webhook.URL != "https://owner.test/" {
		t.Errorf("%+v", a)
	}
}
