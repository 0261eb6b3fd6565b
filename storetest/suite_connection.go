package storetest

import (
	"time"

	"github.com/symbolon/symbolon"
)

var connectCases = []testCase{
	{"a row that is spared stays alive", func(w *world) {
		c := w.code()
		w.connect(c, symbolon.Connected)
		c.Spare = true
		w.equal(len(w.changed(func() { w.connect(c, symbolon.CodeReplayed) })), 0)
		w.refresh(w.token(c.Connection.ID, 0), symbolon.Rotated, 1, w.now)
	}},
	{"a code gives birth to the connection that it names", func(w *world) {
		c := w.code()
		c.Connection.Scope = symbolon.Scopes{"connect", "read"}
		w.later(time.Second)
		c.Connection.CreatedAt, c.Connection.RefreshedAt, c.Now = w.now, w.now, w.now
		w.connect(c, symbolon.Connected)
		w.equal(w.row(c.Connection.ID), c.Connection)
	}},
	{"B1: a second redemption ends the connection, and is in Changes", func(w *world) {
		c := w.code()
		w.connect(c, symbolon.Connected)
		w.later(time.Second)
		c.Now = w.now
		w.equal(w.changed(func() { w.connect(c, symbolon.CodeReplayed) }), []symbolon.Change{
			{Kind: symbolon.ConnectionEnded, ID: c.Connection.ID, Account: w.account.ID, Client: w.app.ID},
		})
		row := w.row(c.Connection.ID)
		w.equal(row.EndedAt, w.now)
		w.equal(row.EndedBy, symbolon.ByCodeReplay)
		w.refused(w.token(c.Connection.ID, 0), symbolon.RefreshEnded)
	}},
	{"B1: a third redemption is a replay too, and ends nothing more", func(w *world) {
		c := w.code()
		w.connect(c, symbolon.Connected)
		w.connect(c, symbolon.CodeReplayed)
		before := w.row(c.Connection.ID)
		w.later(time.Second)
		c.Now = w.now
		w.equal(len(w.changed(func() { w.connect(c, symbolon.CodeReplayed) })), 0)
		w.equal(w.row(c.Connection.ID), before)
	}},
	{"a replay is told from a denial even when the account is gone", func(w *world) {
		c := w.code()
		w.connect(c, symbolon.Connected)
		w.end(symbolon.End{Account: w.account.ID, Delete: true}, 1)
		w.connect(c, symbolon.CodeReplayed)
	}},
	{"a missing account or app is denied, and nothing is written", func(w *world) {
		c := w.code()
		c.Connection.Account = symbolon.NewAccountID()
		w.denied(c)
		c = w.code()
		c.Connection.Client = "nobody"
		w.denied(c)
	}},
	{"a disabled account is denied", func(w *world) {
		w.account.DisabledAt = w.now
		w.ok(w.PutAccount(w.ctx, w.account))
		w.later(time.Second)
		w.denied(w.code())
	}},
	{"an account ended at the moment of the code or later is denied, one ended before is not", func(w *world) {
		w.aroundNotBefore(func(end time.Time) {
			w.account.NotBefore = end
			w.ok(w.PutAccount(w.ctx, w.account))
		})
	}},
	{"an app ended at the moment of the code or later is denied, one ended before is not", func(w *world) {
		w.aroundNotBefore(func(end time.Time) {
			w.app.NotBefore = end
			w.ok(w.PutApp(w.ctx, w.app))
		})
	}},
	{"without a consent it is denied", func(w *world) {
		w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID}, 1)
		w.denied(w.code())
	}},
	{"a consent that is younger than the code is not its consent", func(w *world) {
		w.later(time.Second)
		c := w.code()
		w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID}, 1)
		w.later(time.Second)
		w.allow("connect")
		w.denied(c)
		w.connected()
	}},
	{"Sandbox leaves the consent out, and nothing else", func(w *world) {
		w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID}, 1)
		w.later(time.Second)
		c := w.code()
		c.Sandbox = true
		w.connect(c, symbolon.Connected)
		c = w.code()
		c.Sandbox, c.Connection.Account = true, symbolon.NewAccountID()
		w.denied(c)
	}},
}

// denied redeems a code that must be refused without a trace.
func (w *world) denied(c symbolon.Connect) {
	w.Helper()
	w.equal(len(w.changed(func() { w.connect(c, symbolon.ConnectDenied) })), 0)
	list, err := w.Connections(w.ctx, symbolon.ConnectionQuery{ID: c.Connection.ID, Limit: 1})
	w.ok(err)
	w.equal(len(list), 0)
}

func (w *world) aroundNotBefore(end func(time.Time)) {
	w.Helper()
	before := w.code()
	w.later(time.Millisecond)
	at := w.code()
	end(w.now)
	w.denied(before)
	w.denied(at)
	w.later(time.Millisecond)
	w.connected()
}

var endCases = []testCase{
	{"ending a connection is final, once, and in Changes", func(w *world) {
		id := w.connected()
		w.later(time.Second)
		w.equal(w.changed(func() { w.end(symbolon.End{Connection: id, Reason: symbolon.ByApp}, 1) }), []symbolon.Change{
			{Kind: symbolon.ConnectionEnded, ID: id, Account: w.account.ID, Client: w.app.ID},
		})
		ended := w.row(id)
		w.equal(ended.EndedAt, w.now)
		w.equal(ended.EndedBy, symbolon.ByApp)
		w.later(time.Second)
		w.equal(len(w.changed(func() { w.end(symbolon.End{Connection: id, Reason: symbolon.ByOperator}, 0) })), 0)
		w.equal(w.row(id), ended)
		w.refused(w.token(id, 0), symbolon.RefreshEnded)
	}},
	{"the entry in Changes says when", func(w *world) {
		id := w.connected()
		w.later(time.Second)
		w.end(symbolon.End{Connection: id}, 1)
		all := w.feed()
		w.equal(all[len(all)-1].At, w.now)
	}},
	{"ending what is not there ends nothing", func(w *world) {
		w.end(symbolon.End{Connection: symbolon.NewConnectionID(w.now)}, 0)
		w.end(symbolon.End{Account: symbolon.NewAccountID()}, 0)
		w.end(symbolon.End{Client: "nobody"}, 0)
		w.end(symbolon.End{Client: "nobody", Delete: true}, 0)
		w.end(symbolon.End{Account: symbolon.NewAccountID(), Client: w.app.ID}, 0)
		w.end(symbolon.End{Browser: browser(9)}, 0)
	}},
	{"ending nothing at all is invalid", func(w *world) {
		_, err := w.End(w.ctx, symbolon.End{Now: w.now})
		w.fails(err, symbolon.Invalid)
	}},
	{"a pair: what a clock that is ahead has made is over, its tokens as well", func(w *world) {
		now := w.now
		w.later(time.Second)
		id := w.connected()
		w.now = now
		w.equal(w.changed(func() { w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID}, 1) }),
			[]symbolon.Change{{Kind: symbolon.PairEnded, Account: w.account.ID, Client: w.app.ID, Before: id.Time()}})
	}},
	{"a pair: its connections end, its consent is forgotten, others live", func(w *world) {
		one, two := w.connected(), w.connected()
		otherAccount, otherApp := *w, *w
		otherAccount.account = w.newAccount("john")
		otherAccount.allow("connect")
		otherApp.app = w.newApp()
		otherApp.allow("connect")
		three, four := otherAccount.connected(), otherApp.connected()
		w.later(time.Second)
		w.equal(w.changed(func() {
			w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID, Reason: symbolon.ByOperator}, 2)
		}), []symbolon.Change{{Kind: symbolon.PairEnded, Account: w.account.ID, Client: w.app.ID, Before: w.now}})
		_, err := w.Consent(w.ctx, w.account.ID, w.app.ID)
		w.fails(err, symbolon.NotFound)
		w.equal(w.row(one).EndedBy, symbolon.ByOperator)
		w.refused(w.token(one, 0), symbolon.RefreshEnded)
		w.refused(w.token(two, 0), symbolon.RefreshEnded)
		w.refresh(w.token(three, 0), symbolon.Rotated, 1, w.now)
		w.refresh(w.token(four, 0), symbolon.Rotated, 1, w.now)
		w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID}, 0)
	}},
	{"an account: all of it is over, up to and including now", func(w *world) {
		w.signIn(1, w.account)
		id := w.connected()
		w.equal(w.changed(func() { w.end(symbolon.End{Account: w.account.ID}, 1) }),
			[]symbolon.Change{{Kind: symbolon.AccountEnded, Account: w.account.ID, Before: w.now}})
		w.refused(w.token(id, 0), symbolon.RefreshDenied)
		w.equal(len(w.sessions(1)), 0)
		_, err := w.Consent(w.ctx, w.account.ID, w.app.ID)
		w.fails(err, symbolon.NotFound)
		w.end(symbolon.End{Account: w.account.ID}, 0)
		w.later(time.Millisecond)
		w.allow("connect")
		w.connected()
	}},
	{"an app: all of it is over, up to and including now", func(w *world) {
		id := w.connected()
		w.equal(w.changed(func() { w.end(symbolon.End{Client: w.app.ID}, 1) }), []symbolon.Change{
			{Kind: symbolon.AppEnded, Client: w.app.ID, Before: w.now},
			{Kind: symbolon.AppChanged, Client: w.app.ID},
		})
		w.refused(w.token(id, 0), symbolon.RefreshDenied)
		_, err := w.Consent(w.ctx, w.account.ID, w.app.ID)
		w.fails(err, symbolon.NotFound)
		w.later(time.Millisecond)
		w.allow("connect")
		w.connected()
	}},
	{"an end counts as a change of the row: who edits what it read before conflicts", func(w *world) {
		w.end(symbolon.End{Account: w.account.ID}, 1)
		w.end(symbolon.End{Client: w.app.ID}, 1)
		w.fails(w.PutAccount(w.ctx, w.account), symbolon.Conflict)
		w.fails(w.PutApp(w.ctx, w.app), symbolon.Conflict)
	}},
	{"a token that belongs to no row is ended: in Changes, and counted", func(w *world) {
		id := symbolon.NewConnectionID(w.now)
		w.equal(w.changed(func() { w.end(symbolon.End{Connection: id, Token: true, Reason: symbolon.ByApp}, 1) }),
			[]symbolon.Change{{Kind: symbolon.ConnectionEnded, ID: id}})
		all := w.feed()
		w.equal(all[len(all)-1].At, w.now)
		w.equal(len(w.list(symbolon.ConnectionQuery{ID: id, Limit: 1})), 0)
	}},
	{"a token that belongs to no row is ended again: counted again, and harmless", func(w *world) {
		id := symbolon.NewConnectionID(w.now)
		for range 2 {
			w.equal(w.changed(func() { w.end(symbolon.End{Connection: id, Token: true}, 1) }),
				[]symbolon.Change{{Kind: symbolon.ConnectionEnded, ID: id}})
		}
	}},
	{"a token that belongs to a row ends the row, once", func(w *world) {
		id := w.connected()
		w.equal(w.changed(func() { w.end(symbolon.End{Connection: id, Token: true, Reason: symbolon.ByApp}, 1) }), []symbolon.Change{
			{Kind: symbolon.ConnectionEnded, ID: id, Account: w.account.ID, Client: w.app.ID},
		})
		ended := w.row(id)
		w.equal(ended.EndedBy, symbolon.ByApp)
		w.later(time.Second)
		w.equal(len(w.changed(func() { w.end(symbolon.End{Connection: id, Token: true}, 0) })), 0)
		w.equal(w.row(id), ended)
	}},
	{"Delete also deletes the row", func(w *world) {
		id := w.connected()
		w.end(symbolon.End{Account: w.account.ID, Delete: true}, 1)
		list, err := w.Accounts(w.ctx, symbolon.AccountQuery{ID: w.account.ID, Limit: 1})
		w.ok(err)
		w.equal(len(list), 0)
		w.refused(w.token(id, 0), symbolon.RefreshDenied)
		w.end(symbolon.End{Account: w.account.ID, Delete: true}, 0)
		w.end(symbolon.End{Client: w.app.ID, Delete: true}, 1)
	}},
}

var connectionCases = []testCase{
	{"the newest come first, in pages, as many as asked for", func(w *world) {
		var ids []symbolon.ConnectionID
		for range 5 {
			ids = append(ids, w.connected())
			w.later(time.Millisecond)
		}
		page := w.list(symbolon.ConnectionQuery{Limit: 2})
		w.equal(page, []symbolon.ConnectionID{ids[4], ids[3]})
		page = w.list(symbolon.ConnectionQuery{Before: page[1], Limit: 2})
		w.equal(page, []symbolon.ConnectionID{ids[2], ids[1]})
		w.equal(w.list(symbolon.ConnectionQuery{Account: w.account.ID, Before: page[1], Limit: 2}), []symbolon.ConnectionID{ids[0]})
	}},
	{"account and client each narrow the selection", func(w *world) {
		mine := w.connected()
		other := *w
		other.account, other.app = w.newAccount("john"), w.newApp()
		other.allow("connect")
		theirs := other.connected()
		w.equal(w.list(symbolon.ConnectionQuery{Account: w.account.ID, Limit: 9}), []symbolon.ConnectionID{mine})
		w.equal(w.list(symbolon.ConnectionQuery{Client: other.app.ID, Limit: 9}), []symbolon.ConnectionID{theirs})
		w.equal(len(w.list(symbolon.ConnectionQuery{Account: w.account.ID, Client: other.app.ID, Limit: 9})), 0)
		w.equal(len(w.list(symbolon.ConnectionQuery{Account: symbolon.NewAccountID(), Limit: 9})), 0)
		w.equal(len(w.list(symbolon.ConnectionQuery{ID: mine, Client: other.app.ID, Limit: 9})), 0)
	}},
	{"Live leaves out what is ended or expired", func(w *world) {
		short := w.code()
		short.Connection.ExpiresAt = w.now.Add(time.Second)
		w.connect(short, symbolon.Connected)
		alive, ended := w.connected(), w.connected()
		w.end(symbolon.End{Connection: ended}, 1)
		w.equal(len(w.list(symbolon.ConnectionQuery{Live: true, Now: w.now, Limit: 9})), 2)
		w.later(time.Second)
		w.equal(w.list(symbolon.ConnectionQuery{Live: true, Now: w.now, Limit: 9}), []symbolon.ConnectionID{alive})
		w.equal(len(w.list(symbolon.ConnectionQuery{Limit: 9})), 3)
	}},
	{"Live leaves out what ended with its account or its app, and the row says when", func(w *world) {
		id := w.connected()
		w.later(time.Second)
		w.end(symbolon.End{Account: w.account.ID, Delete: true}, 1)
		w.equal(len(w.list(symbolon.ConnectionQuery{Live: true, Now: w.now, Limit: 9})), 0)
		w.equal(w.row(id).EndedAt, w.now)
		w.equal(w.row(id).Account, w.account.ID)
		other := *w
		other.account = w.newAccount("john")
		other.allow("connect")
		id = other.connected()
		w.end(symbolon.End{Client: w.app.ID}, 1)
		w.equal(len(w.list(symbolon.ConnectionQuery{Live: true, Now: w.now, Limit: 9})), 0)
		w.equal(w.row(id).EndedAt, w.now)
	}},
	{"a refresh shows in the row", func(w *world) {
		id := w.connected()
		w.later(time.Hour)
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		row := w.row(id)
		w.equal(row.Seq, uint64(1))
		w.equal(row.RefreshedAt, w.now)
		w.equal(row.CreatedAt, w.now.Add(-time.Hour))
		w.equal(row.ExpiresAt, w.now.Add(90*day))
	}},
}

func (w *world) list(q symbolon.ConnectionQuery) []symbolon.ConnectionID {
	w.Helper()
	rows, err := w.Connections(w.ctx, q)
	w.ok(err)
	var ids []symbolon.ConnectionID
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

var changeCases = []testCase{
	{"from the zero cursor everything comes, in the order of the commits", func(w *world) {
		var want []symbolon.ConnectionID
		for range 7 {
			id := w.connected()
			w.end(symbolon.End{Connection: id}, 1)
			want = append(want, id)
		}
		var got []symbolon.ConnectionID
		for _, c := range w.feed() {
			if c.Kind == symbolon.ConnectionEnded {
				got = append(got, c.ID)
			}
		}
		w.equal(got, want)
	}},
	{"pages join without gap or repeat, and the end of the feed keeps the cursor", func(w *world) {
		for range 7 {
			w.end(symbolon.End{Connection: w.connected()}, 1)
		}
		all := w.feed()
		var got []symbolon.Change
		var cursor symbolon.Cursor
		for {
			page, next, err := w.Changes(w.ctx, cursor, 3)
			w.ok(err)
			if len(page) == 0 {
				w.equal(next, cursor)
				break
			}
			w.equal(len(page) <= 3, true)
			got, cursor = append(got, page...), next
		}
		w.equal(got, all)
		id := w.connected()
		w.end(symbolon.End{Connection: id}, 1)
		page, _, err := w.Changes(w.ctx, cursor, 3)
		w.ok(err)
		w.equal(len(page), 1)
		w.equal(page[0].ID, id)
	}},
	{"a refresh leaves no change", func(w *world) {
		id := w.connected()
		w.equal(len(w.changed(func() { w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now) })), 0)
	}},
}
