package storetest

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

var (
	here  = netip.MustParseAddr("192.0.2.7")
	there = netip.MustParseAddr("2001:db8::9")
)

var healthCases = []testCase{
	{"a connection has the label and the address of its birth, and the address of its last refresh", func(w *world) {
		c := w.code()
		c.Connection.Label, c.From = "Jane’s shop", here
		w.connect(c, symbolon.Connected)
		w.equal(w.row(c.Connection.ID).Label, "Jane’s shop")
		w.equal(w.row(c.Connection.ID).UsedFrom, here)
		r := w.token(c.Connection.ID, 0)
		r.From = there
		w.refresh(r, symbolon.Rotated, 1, w.now)
		w.equal(w.row(c.Connection.ID).UsedFrom, there)
		w.equal(w.row(c.Connection.ID).Label, "Jane’s shop")
		r.From = here // the same token again: nothing is written
		w.refresh(r, symbolon.Repeated, 1, w.now)
		w.equal(w.row(c.Connection.ID).UsedFrom, there)
		r = w.token(c.Connection.ID, 7) // the store was put back
		r.From = here
		w.refresh(r, symbolon.CaughtUp, 8, w.now)
		w.equal(w.row(c.Connection.ID).UsedFrom, here)
		w.refresh(w.token(c.Connection.ID, 8), symbolon.Rotated, 9, w.now) // from who knows where
		w.equal(w.row(c.Connection.ID).UsedFrom, netip.Addr{})
	}},
	{"where nothing rotates, the address is written with the expiry", func(w *world) {
		id := w.connected()
		r := w.token(id, 0)
		r.Rotation, r.From = symbolon.RotateNever, here
		w.refresh(r, symbolon.Kept, 0, w.now)
		w.equal(w.row(id).UsedFrom, netip.Addr{})
		born := w.now
		w.later(2 * day)
		r = w.token(id, 0)
		r.Rotation, r.From = symbolon.RotateNever, there
		w.refresh(r, symbolon.Kept, 0, born)
		w.equal(w.row(id).UsedFrom, there)
	}},
	{"a label is edited by its account alone, and only one that may be", func(w *world) {
		id := w.connected()
		john := w.newAccount("john")
		before := w.row(id)
		w.fails(w.Label(w.ctx, id, john.ID, "mine"), symbolon.NotFound)
		w.fails(w.Label(w.ctx, symbolon.NewConnectionID(w.now), w.account.ID, "none"), symbolon.NotFound)
		w.fails(w.Label(w.ctx, id, "", "none"), symbolon.NotFound)
		for _, bad := range []string{strings.Repeat("ž", symbolon.MaxLabel+1), "two\nlines", "\u202eturned", " padded ", "\xff"} {
			w.fails(w.Label(w.ctx, id, w.account.ID, bad), symbolon.Invalid)
		}
		w.equal(w.row(id), before)
		long := strings.Repeat("ž", symbolon.MaxLabel)
		w.equal(len(w.changed(func() { w.ok(w.Label(w.ctx, id, w.account.ID, long)) })), 0)
		before.Label = long
		w.equal(w.row(id), before)
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		w.equal(w.row(id).Label, long)
		w.ok(w.Label(w.ctx, id, w.account.ID, ""))
		w.equal(w.row(id).Label, "")
	}},
	{"a label that failed to be set is set again", func(w *world) {
		id := w.connected()
		for _, fault := range Faults {
			w.suffer("Label", fault, func(s symbolon.Store) error { return s.Label(w.ctx, id, w.account.ID, "shop") })
			w.ok(w.Label(w.ctx, id, w.account.ID, "shop"))
			w.equal(w.row(id).Label, "shop")
		}
	}},
	{"an account's live sessions are listed across browsers, with where and by what", func(w *world) {
		first := w.session(1, w.account)
		first.Agent, first.From = "Firefox on Linux", here
		w.ok(w.SignIn(w.ctx, first, [32]byte{}))
		w.later(time.Minute)
		second := w.session(2, w.account)
		second.Agent, second.From = "Safari on iPhone", there
		w.ok(w.SignIn(w.ctx, second, [32]byte{}))
		w.signIn(2, w.newAccount("john"))
		w.equal(w.sessionsOf(), []symbolon.Session{second, first})
		w.equal(w.sessions(1)[0].Session, first)

		// Another cookie, the same session; a new sign-in in it tells the new place.
		w.later(time.Minute)
		again := first
		again.Browser, again.AuthAt, again.From, again.ID = browser(3), w.now, there, symbolon.NewSessionID()
		w.ok(w.SignIn(w.ctx, again, first.Browser))
		again.ID = first.ID
		w.equal(w.sessionsOf(), []symbolon.Session{again, second})
		moved := w.session(4, w.newAccount("jack"))
		w.ok(w.SignIn(w.ctx, moved, second.Browser))
		second.Browser = browser(4)
		w.equal(w.sessionsOf(), []symbolon.Session{again, second})

		w.now = first.ExpiresAt
		w.equal(w.sessionsOf(), []symbolon.Session{second})
		w.account.DisabledAt, w.account.NotBefore = w.now, w.now
		w.ok(w.PutAccount(w.ctx, w.account))
		w.equal(len(w.sessionsOf()), 0)
	}},
	{"one session is ended by its id, with all that ending a browser's has", func(w *world) {
		one, two := w.signIn(1, w.account), w.signIn(2, w.account)
		dies, stays := w.connectedIn(one, "openid"), w.connectedIn(one, "openid", "offline_access")
		other := w.connectedIn(two, "openid")
		left := w.changed(func() {
			w.end(symbolon.End{Session: one.ID, Account: w.account.ID, Reason: symbolon.BySignOut}, 1)
		})
		w.equal(left, []symbolon.Change{{Kind: symbolon.ConnectionEnded, ID: dies, Account: w.account.ID, Client: w.app.ID}})
		w.equal(w.row(dies).EndedBy, symbolon.BySignOut)
		w.refresh(w.token(stays, 0), symbolon.Rotated, 1, w.now)
		w.refresh(w.token(other, 0), symbolon.Rotated, 1, w.now)
		claimed := w.claim(10)
		w.equal(len(claimed.Due), 1)
		w.equal(claimed.Due[0].Session, one.ID)
		w.equal(w.sessionsOf(), []symbolon.Session{two})
		w.end(symbolon.End{Session: one.ID, Account: w.account.ID}, 0)
	}},
	{"another's session is not ended, nor one that has no id, nor one without its account", func(w *world) {
		mine := w.signIn(1, w.account)
		old := w.session(2, w.account)
		old.ID = symbolon.SessionID{}
		w.ok(w.SignIn(w.ctx, old, [32]byte{}))
		john := w.newAccount("john")
		w.end(symbolon.End{Session: mine.ID, Account: john.ID}, 0)
		_, err := w.End(w.ctx, symbolon.End{Session: mine.ID, Now: w.now})
		w.fails(err, symbolon.Invalid)
		w.equal(len(w.sessionsOf()), 2)
		w.later(time.Second)
		w.end(symbolon.End{Account: w.account.ID}, 1)
		w.equal(len(w.sessionsOf()), 0)
	}},
	{"with One, the newest connection of the pair is the only one, and the consent stays", func(w *world) {
		first, second := w.connected(), w.connected()
		over := w.connected()
		w.end(symbolon.End{Connection: over, Reason: symbolon.ByApp}, 1)
		john := *w
		john.account = w.newAccount("john")
		john.allow("connect")
		his := john.connected()
		w.later(time.Second)
		c := w.code()
		c.One = true
		left := w.changed(func() { w.connect(c, symbolon.Connected) })
		slices.SortFunc(left, func(a, b symbolon.Change) int { return compareID(a.ID, b.ID) })
		want := []symbolon.Change{}
		for _, id := range []symbolon.ConnectionID{first, second} {
			want = append(want, symbolon.Change{Kind: symbolon.ConnectionEnded, ID: id, Account: w.account.ID, Client: w.app.ID})
			w.equal(w.row(id).EndedBy, symbolon.ByNewer)
			w.equal(w.row(id).EndedAt, w.now)
			w.refused(w.token(id, 0), symbolon.RefreshEnded)
		}
		slices.SortFunc(want, func(a, b symbolon.Change) int { return compareID(a.ID, b.ID) })
		w.equal(left, want)
		w.equal(w.row(over).EndedBy, symbolon.ByApp)
		w.refresh(w.token(his, 0), symbolon.Rotated, 1, w.now)
		w.refresh(w.token(c.Connection.ID, 0), symbolon.Rotated, 1, w.now)
		_, err := w.Consent(w.ctx, w.account.ID, w.app.ID)
		w.ok(err)
		w.connect(c, symbolon.CodeReplayed)
		w.equal(w.row(c.Connection.ID).EndedBy, symbolon.ByCodeReplay)
	}},
	{"with One, a code that is older than the connection there is none to be born of", func(w *world) {
		old := w.code()
		old.One = true
		w.later(time.Second)
		c := w.code()
		c.One = true
		w.connect(c, symbolon.Connected)
		w.denied(old)
		w.refresh(w.token(c.Connection.ID, 0), symbolon.Rotated, 1, w.now)
		w.end(symbolon.End{Connection: c.Connection.ID, Reason: symbolon.ByApp}, 1)
		w.connect(old, symbolon.Connected) // nothing is in its way any more
	}},
	{"with One, of many that connect at one instant the newest alone lives", func(w *world) {
		for range rounds {
			w.later(time.Second)
			codes := make([]symbolon.Connect, 16)
			for i := range codes {
				codes[i] = w.code()
				codes[i].One = true
			}
			w.atOnce(len(codes), func(i int) error {
				_, err := w.Connect(w.ctx, codes[i])
				return err
			})
			newest := slices.MaxFunc(codes, func(a, b symbolon.Connect) int { return compareID(a.Connection.ID, b.Connection.ID) })
			w.equal(w.list(symbolon.ConnectionQuery{Account: w.account.ID, Live: true, Now: w.now, Limit: 99}), []symbolon.ConnectionID{newest.Connection.ID})
		}
	}},
	{"an app's webhook is told of what it asked for, in the transaction that makes it so", func(w *world) {
		w.hook(symbolon.EventConnected, symbolon.EventRefreshed, symbolon.EventEnded, symbolon.EventReplayed)
		c := w.code()
		c.Tell = true
		w.connect(c, symbolon.Connected)
		id := c.Connection.ID
		w.told(told{symbolon.EventConnected, id, w.account.ID, ""})
		r := w.token(id, 0)
		r.Tell = true
		w.refresh(r, symbolon.Rotated, 1, w.now)
		w.told(told{symbolon.EventRefreshed, id, w.account.ID, ""})
		w.refresh(r, symbolon.Repeated, 1, w.now)
		w.told()
		r.Seq = 6
		w.refresh(r, symbolon.CaughtUp, 7, w.now)
		w.told(told{symbolon.EventRefreshed, id, w.account.ID, ""})
		r.Seq, r.Rotation = 7, symbolon.RotateNever
		w.refresh(r, symbolon.Kept, 7, w.now)
		w.told(told{symbolon.EventRefreshed, id, w.account.ID, ""})
		r.Seq, r.Rotation = 2, symbolon.RotateAlways
		w.refused(r, symbolon.RefreshReplayed)
		why := string(symbolon.ByRefreshReplay)
		w.told(told{symbolon.EventEnded, id, w.account.ID, why}, told{symbolon.EventReplayed, id, w.account.ID, why})
		w.refused(r, symbolon.RefreshEnded)
		w.connect(c, symbolon.CodeReplayed) // it was over before
		w.told()

		id = w.connected()
		w.end(symbolon.End{Connection: id, Reason: symbolon.ByApp}, 1)
		w.told(told{symbolon.EventEnded, id, w.account.ID, string(symbolon.ByApp)})
		w.end(symbolon.End{Connection: id, Reason: symbolon.ByApp}, 0)
		w.end(symbolon.End{Connection: symbolon.NewConnectionID(w.now), Token: true, Reason: symbolon.ByApp}, 1)
		w.told()
	}},
	{"every way in which connections end is told: one by one, or once where they end by the thousand", func(w *world) {
		w.hook(symbolon.EventEnded)
		ended := func(id symbolon.ConnectionID, why symbolon.Reason) told {
			return told{symbolon.EventEnded, id, w.account.ID, string(why)}
		}
		a, b := w.connected(), w.connected()
		w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID, Reason: symbolon.ByPerson}, 2)
		w.told(ended(a, symbolon.ByPerson), ended(b, symbolon.ByPerson))

		w.later(time.Second)
		w.allow("connect")
		a = w.connected()
		w.later(time.Second)
		c := w.code()
		c.One = true
		w.connect(c, symbolon.Connected)
		w.told(ended(a, symbolon.ByNewer))

		a = w.connectedIn(w.signIn(1, w.account), "openid")
		w.end(symbolon.End{Browser: browser(1), Reason: symbolon.BySignOut}, 1)
		w.told(ended(a, symbolon.BySignOut))

		w.connected()
		w.later(time.Second)
		w.end(symbolon.End{Account: w.account.ID}, 1)
		w.told(ended(symbolon.ConnectionID{}, symbolon.ByMass))
		w.later(time.Second)
		w.end(symbolon.End{Account: w.account.ID}, 1) // nothing was left
		w.told()

		w.later(time.Second)
		w.allow("connect")
		w.connected()
		w.later(time.Second)
		account, err := w.Accounts(w.ctx, symbolon.AccountQuery{ID: w.account.ID, Limit: 1})
		w.ok(err)
		account[0].NotBefore, account[0].DisabledAt = w.now, w.now
		w.ok(w.PutAccount(w.ctx, account[0]))
		w.told(ended(symbolon.ConnectionID{}, symbolon.ByMass))
		w.later(time.Second)
		w.end(symbolon.End{Account: w.account.ID, Delete: true}, 1)
		w.told()

		w.end(symbolon.End{Client: w.app.ID}, 1)
		w.told(told{symbolon.EventEnded, symbolon.ConnectionID{}, "", string(symbolon.ByMass)})
		w.later(time.Second)
		w.end(symbolon.End{Client: w.app.ID, Delete: true}, 1)
		w.told()
	}},
	{"an app without a webhook is told nothing, nor one of what it did not ask for", func(w *world) {
		c := w.code()
		c.Tell = true
		w.connect(c, symbolon.Connected)
		r := w.token(c.Connection.ID, 0)
		r.Tell = true
		w.refresh(r, symbolon.Rotated, 1, w.now)
		w.end(symbolon.End{Connection: c.Connection.ID, Reason: symbolon.ByApp}, 1)
		w.told()
		w.hook(symbolon.EventFailing)
		c = w.code()
		c.Tell = true
		w.connect(c, symbolon.Connected)
		r = w.token(c.Connection.ID, 0)
		r.Tell = true
		w.refresh(r, symbolon.Rotated, 1, w.now)
		w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID}, 1)
		w.told()
	}},
	{"what is told of refreshes of one connection at one instant is of those that moved it", func(w *world) {
		w.hook(symbolon.EventRefreshed)
		id := w.connected()
		var mu sync.Mutex
		rotated := 0
		w.atOnce(32, func(i int) error {
			r := w.token(id, uint64(i/8))
			r.Tell, r.Grace = true, -1
			out, err := w.Refresh(w.ctx, r)
			mu.Lock()
			defer mu.Unlock()
			if out.Result == symbolon.Rotated || out.Result == symbolon.CaughtUp {
				rotated++
			}
			return err
		})
		w.equal(len(w.claim(99).Due), rotated)
	}},
	{"an app that is edited keeps what it is told of", func(w *world) {
		w.hook(symbolon.EventEnded)
		app := w.oneApp(w.app.ID)
		w.equal(app, w.app)
		app.Settings.Webhook = nil
		w.ok(w.PutApp(w.ctx, app))
		w.end(symbolon.End{Connection: w.connected(), Reason: symbolon.ByApp}, 1)
		w.told()
	}},
	{"a delivery that nobody's change makes is there once, however often it is told", func(w *world) {
		d := symbolon.NewEvent(w.app.ID, w.account.ID, symbolon.Event{Type: symbolon.EventExpiring, Connection: symbolon.NewConnectionID(w.now)}, w.now)
		w.ok(w.outbox().Tell(w.ctx, d))
		w.ok(w.outbox().Tell(w.ctx, d))
		claimed := w.claim(10)
		w.equal(len(claimed.Due), 1)
		d.Attempts = 1
		w.equal(claimed.Due[0], d)
		big := d
		big.Body = make([]byte, symbolon.MaxDeliveryBody+1)
		w.fails(w.outbox().Tell(w.ctx, big), symbolon.Invalid)
		for _, fault := range Faults {
			again := symbolon.NewEvent(w.app.ID, "", symbolon.Event{Type: symbolon.EventFailing}, w.now)
			w.suffer("Tell", fault, func(s symbolon.Store) error { return s.(symbolon.Outbox).Tell(w.ctx, again) })
			w.ok(w.outbox().Tell(w.ctx, again))
			w.equal(len(w.claim(10).Due), 1)
		}
	}},
	{"connections are found by when they die", func(w *world) {
		soon := w.code()
		soon.Connection.ExpiresAt = w.now.Add(3 * day)
		w.connect(soon, symbolon.Connected)
		w.connected()
		from, before := soon.Connection.ExpiresAt, soon.Connection.ExpiresAt.Add(time.Millisecond)
		want := []symbolon.ConnectionID{soon.Connection.ID}
		w.equal(w.list(symbolon.ConnectionQuery{DiesFrom: from, DiesBefore: before, Limit: 9}), want)
		w.equal(w.list(symbolon.ConnectionQuery{DiesBefore: before, Limit: 9}), want)
		w.equal(len(w.list(symbolon.ConnectionQuery{DiesBefore: from, Limit: 9})), 0)
		w.equal(len(w.list(symbolon.ConnectionQuery{DiesFrom: from, Limit: 9})), 2)
		w.equal(len(w.list(symbolon.ConnectionQuery{DiesFrom: before, Limit: 9})), 1)
	}},
}

// hook gives the app a webhook.
func (w *world) hook(kinds ...symbolon.EventKind) {
	w.Helper()
	w.app.Settings.Webhook = &symbolon.Webhook{
		URL: "https://hooks.test/in", Secret: []byte{1, 2}, Previous: []byte{3}, PreviousUntil: w.now, Events: kinds,
	}
	w.ok(w.PutApp(w.ctx, w.app))
	w.app.Version++
}

// told is what a webhook is told of.
type told struct {
	Type       symbolon.EventKind
	Connection symbolon.ConnectionID
	Account    symbolon.AccountID
	Why        string
}

// told claims what is due and checks that it is this, in any order.
func (w *world) told(want ...told) {
	w.Helper()
	got := []told{}
	for _, d := range w.claim(99).Due {
		if d.Kind != symbolon.TellEvent {
			continue
		}
		var e symbolon.Event
		w.ok(e.UnmarshalText(d.Body))
		w.equal(d.Client, w.app.ID)
		w.equal(d.MadeAt, w.now)
		w.equal(d.ExpiresAt, w.now.Add(symbolon.DeliveryLife))
		got = append(got, told{e.Type, e.Connection, d.Account, e.Why})
		w.ok(w.Told(w.ctx, d, time.Time{}))
	}
	order := func(a, b told) int {
		return cmp.Or(compareID(a.Connection, b.Connection), strings.Compare(string(a.Type), string(b.Type)))
	}
	slices.SortFunc(got, order)
	want = append([]told{}, want...)
	slices.SortFunc(want, order)
	w.equal(got, want)
}

func (w *world) sessionsOf() []symbolon.Session {
	w.Helper()
	list, err := w.AccountSessions(w.ctx, w.account.ID, w.now)
	w.ok(err)
	return list
}
