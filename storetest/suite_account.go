package storetest

import (
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

var accountCases = []testCase{
	{"a new account reads back as it was put, with version 1", func(w *world) {
		w.equal(w.oneAccount(w.account.ID), w.account)
	}},
	{"an account of which every field is set reads back", func(w *world) {
		account := w.account
		account.Username, account.Name, account.Password = "jänè", "", ""
		account.DisabledAt, account.NotBefore, account.Operator = w.now, w.now.Add(-time.Minute), true
		w.ok(w.PutAccount(w.ctx, account))
		account.Version++
		w.equal(w.oneAccount(account.ID), account)
	}},
	{"an id that is taken conflicts", func(w *world) {
		again := symbolon.Account{ID: w.account.ID, Username: "other"}
		w.fails(w.PutAccount(w.ctx, again), symbolon.Conflict)
	}},
	{"a username that is taken conflicts, at birth and at an edit", func(w *world) {
		w.fails(w.PutAccount(w.ctx, symbolon.Account{ID: symbolon.NewAccountID(), Username: "jane"}), symbolon.Conflict)
		john := w.newAccount("john")
		john.Username = "jane"
		w.fails(w.PutAccount(w.ctx, john), symbolon.Conflict)
		w.equal(w.oneAccount(john.ID).Username, "john")
	}},
	{"a stale version conflicts and changes nothing", func(w *world) {
		first, second := w.account, w.account
		first.Name, second.Name = "first", "second"
		w.ok(w.PutAccount(w.ctx, first))
		w.fails(w.PutAccount(w.ctx, second), symbolon.Conflict)
		w.equal(w.oneAccount(w.account.ID).Name, "first")
	}},
	{"factors go and come with the row, and a code counts at one of two at once", func(w *world) {
		first, second := w.account, w.account
		first.Factors, second.Factors = symbolon.Factors{App: &symbolon.AuthenticatorApp{Secret: []byte{1}, Step: 7, AddedAt: w.now}}, symbolon.Factors{}
		w.ok(w.PutAccount(w.ctx, first))
		w.fails(w.PutAccount(w.ctx, second), symbolon.Conflict)
		w.equal(w.oneAccount(w.account.ID).Factors, first.Factors)
		second.Version = 2
		w.ok(w.PutAccount(w.ctx, second))
		w.equal(w.oneAccount(w.account.ID).Factors, symbolon.Factors{})
	}},
	{"a version of a row that is not there conflicts", func(w *world) {
		w.fails(w.PutAccount(w.ctx, symbolon.Account{ID: symbolon.NewAccountID(), Username: "x", Version: 1}), symbolon.Conflict)
	}},
	{"accounts are ordered by username and come in pages", func(w *world) {
		for _, name := range []string{"zoe", "ann", "bob"} {
			w.newAccount(name)
		}
		page, err := w.Accounts(w.ctx, symbolon.AccountQuery{After: "ann", Limit: 2})
		w.ok(err)
		w.equal([]string{page[0].Username, page[1].Username}, []string{"bob", "jane"})
	}},
	{"an account is found by its username", func(w *world) {
		w.newAccount("john")
		list, err := w.Accounts(w.ctx, symbolon.AccountQuery{Username: "jane", Limit: 5})
		w.ok(err)
		w.equal(list, []symbolon.Account{w.account})
	}},
	{"NotBefore that moves forward ends the sessions and is in Changes", func(w *world) {
		w.signIn(1, w.account)
		account := w.account
		account.NotBefore = w.now
		w.equal(w.changed(func() { w.ok(w.PutAccount(w.ctx, account)) }),
			[]symbolon.Change{{Kind: symbolon.AccountEnded, Account: account.ID, Before: w.now}})
		w.equal(len(w.sessions(1)), 0)
	}},
	{"disabling ends the sessions and is in Changes; they do not come back", func(w *world) {
		w.signIn(1, w.account)
		account := w.account
		account.DisabledAt = w.now
		w.equal(w.changed(func() { w.ok(w.PutAccount(w.ctx, account)) }),
			[]symbolon.Change{{Kind: symbolon.AccountEnded, Account: account.ID, Before: w.now}})
		account.DisabledAt, account.Version = time.Time{}, 2
		w.ok(w.PutAccount(w.ctx, account))
		w.equal(len(w.sessions(1)), 0)
	}},
	{"another edit leaves the sessions and no change", func(w *world) {
		w.signIn(1, w.account)
		account := w.account
		account.Name = "Jane Roe"
		w.equal(len(w.changed(func() { w.ok(w.PutAccount(w.ctx, account)) })), 0)
		list := w.sessions(1)
		w.equal(len(list), 1)
		w.equal(list[0].Account.Name, "Jane Roe")
	}},
	{"what was over stays over", func(w *world) {
		account := w.account
		account.NotBefore = w.now
		w.ok(w.PutAccount(w.ctx, account))
		account.Version, account.NotBefore = 2, time.Time{}
		w.ok(w.PutAccount(w.ctx, account))
		w.equal(w.oneAccount(account.ID).NotBefore, w.now)
	}},
	{"the username of a deleted account is free again", func(w *world) {
		w.end(symbolon.End{Account: w.account.ID, Delete: true}, 1)
		w.newAccount("jane")
	}},
	{"a deleted account does not come back with what was ended", func(w *world) {
		id := w.connected()
		w.later(time.Second)
		w.end(symbolon.End{Account: w.account.ID, Delete: true}, 1)
		again := w.account
		again.Version = 0
		w.ok(w.PutAccount(w.ctx, again))
		w.refused(w.token(id, 0), symbolon.RefreshDenied)
		w.equal(w.oneAccount(again.ID).NotBefore, w.now)
	}},
}

func (w *world) oneAccount(id symbolon.AccountID) symbolon.Account {
	w.Helper()
	list, err := w.Accounts(w.ctx, symbolon.AccountQuery{ID: id, Limit: 2})
	w.ok(err)
	if len(list) != 1 {
		w.Fatalf("Accounts: %d rows with id %s, want 1", len(list), id)
	}
	return list[0]
}

var sessionCases = []testCase{
	{"a sign-in reads back with its account", func(w *world) {
		session := w.signIn(1, w.account)
		w.equal(w.sessions(1), []symbolon.SignedIn{{Session: session, Account: w.account}})
		w.equal(len(w.sessions(2)), 0)
	}},
	{"the latest sign-in comes first", func(w *world) {
		john := w.newAccount("john")
		w.signIn(1, w.account)
		w.later(time.Second)
		w.signIn(1, john)
		w.equal(w.signedIn(1), []symbolon.AccountID{john.ID, w.account.ID})
		w.later(time.Second)
		w.signIn(1, w.account)
		w.equal(w.signedIn(1), []symbolon.AccountID{w.account.ID, john.ID})
	}},
	{"the sessions of the previous browser move along", func(w *world) {
		john := w.newAccount("john")
		w.signIn(1, w.account)
		w.later(time.Second)
		w.ok(w.SignIn(w.ctx, w.session(2, john), browser(1)))
		w.equal(w.signedIn(2), []symbolon.AccountID{john.ID, w.account.ID})
		w.equal(len(w.sessions(1)), 0)
	}},
	{"signing in again as the same account moves and renews, and keeps its id", func(w *world) {
		first := w.signIn(1, w.account)
		w.later(time.Second)
		again := w.session(2, w.account)
		again.ACR = "2"
		w.ok(w.SignIn(w.ctx, again, browser(1)))
		again.ID = first.ID
		w.equal(w.sessions(2), []symbolon.SignedIn{{Session: again, Account: w.account}})
		w.equal(len(w.sessions(1)), 0)
	}},
	{"a session dies at its expiry", func(w *world) {
		session := w.signIn(1, w.account)
		w.now = session.ExpiresAt.Add(-time.Millisecond)
		w.equal(len(w.sessions(1)), 1)
		w.later(time.Millisecond)
		w.equal(len(w.sessions(1)), 0)
	}},
	{"an account that is missing, disabled or ended since is denied, and nothing moves", func(w *world) {
		w.signIn(1, w.account)
		missing := symbolon.Account{ID: symbolon.NewAccountID()}
		disabled, ended := w.newAccount("john"), w.newAccount("jack")
		disabled.DisabledAt, ended.NotBefore = w.now, w.now
		w.ok(w.PutAccount(w.ctx, disabled))
		w.ok(w.PutAccount(w.ctx, ended))
		for _, account := range []symbolon.Account{missing, disabled, ended} {
			w.fails(w.SignIn(w.ctx, w.session(2, account), browser(1)), symbolon.Denied)
		}
		w.equal(w.signedIn(1), []symbolon.AccountID{w.account.ID})
		w.later(time.Millisecond)
		w.ok(w.SignIn(w.ctx, w.session(2, ended), browser(1)))
	}},
	{"ending the session of one account leaves the others and no change", func(w *world) {
		john := w.newAccount("john")
		w.signIn(1, w.account)
		w.signIn(1, john)
		w.equal(len(w.changed(func() { w.end(symbolon.End{Browser: browser(1), Account: john.ID}, 1) })), 0)
		w.equal(w.signedIn(1), []symbolon.AccountID{w.account.ID})
		w.end(symbolon.End{Browser: browser(1), Account: john.ID}, 0)
	}},
	{"ending a browser ends all of its sessions and no other's", func(w *world) {
		john := w.newAccount("john")
		w.signIn(1, w.account)
		w.signIn(1, john)
		w.signIn(2, john)
		w.end(symbolon.End{Browser: browser(1)}, 2)
		w.equal(len(w.sessions(1)), 0)
		w.equal(len(w.sessions(2)), 1)
	}},
}

// browser returns the hash of the nth browser's cookie.
func browser(n byte) [32]byte { return [32]byte{0: n, 31: n} }

func (w *world) session(n byte, account symbolon.Account) symbolon.Session {
	return symbolon.Session{ID: symbolon.NewSessionID(), Browser: browser(n), Account: account.ID, AuthAt: w.now, ACR: "1", ExpiresAt: w.now.Add(day)}
}

func (w *world) signIn(n byte, account symbolon.Account) symbolon.Session {
	w.Helper()
	session := w.session(n, account)
	w.ok(w.SignIn(w.ctx, session, [32]byte{}))
	return session
}

func (w *world) sessions(n byte) []symbolon.SignedIn {
	w.Helper()
	list, err := w.Sessions(w.ctx, browser(n), w.now)
	w.ok(err)
	return list
}

func (w *world) signedIn(n byte) []symbolon.AccountID {
	w.Helper()
	var ids []symbolon.AccountID
	for _, s := range w.sessions(n) {
		ids = append(ids, s.Account.ID)
	}
	return ids
}

var consentCases = []testCase{
	{"a consent reads back", func(w *world) {
		w.equal(w.consent(), symbolon.Consent{
			Account: w.account.ID, Client: w.app.ID, Scope: symbolon.Scopes{"connect"}, GrantedAt: w.now,
		})
	}},
	{"what is allowed later is added, and GrantedAt stays that of the first", func(w *world) {
		first := w.now
		w.later(time.Hour)
		w.allow("read", "connect")
		got := w.consent()
		slices.Sort(got.Scope)
		w.equal(got.Scope, symbolon.Scopes{"connect", "read"})
		w.equal(got.GrantedAt, first)
	}},
	{"what was allowed up to a change of the app counts no more", func(w *world) {
		changed := w.now
		w.later(time.Millisecond)
		again := symbolon.Consent{Account: w.account.ID, Client: w.app.ID, Scope: symbolon.Scopes{"read"}, GrantedAt: w.now, Since: changed}
		w.ok(w.Allow(w.ctx, again))
		again.Since = time.Time{}
		w.equal(w.consent(), again)
		// What was allowed after the change counts.
		w.later(time.Hour)
		w.ok(w.Allow(w.ctx, symbolon.Consent{Account: w.account.ID, Client: w.app.ID, Scope: symbolon.Scopes{"connect"}, GrantedAt: w.now, Since: changed}))
		again.Scope = symbolon.Scopes{"read", "connect"}
		got := w.consent()
		slices.Sort(got.Scope)
		slices.Sort(again.Scope)
		w.equal(got, again)
	}},
	{"a consent that is not there is not found", func(w *world) {
		_, err := w.Consent(w.ctx, w.account.ID, "nobody")
		w.fails(err, symbolon.NotFound)
		_, err = w.Consent(w.ctx, symbolon.NewAccountID(), w.app.ID)
		w.fails(err, symbolon.NotFound)
	}},
	{"an account that is missing or disabled is denied", func(w *world) {
		disabled := w.newAccount("john")
		disabled.DisabledAt = w.now
		w.ok(w.PutAccount(w.ctx, disabled))
		for _, id := range []symbolon.AccountID{symbolon.NewAccountID(), disabled.ID} {
			w.fails(w.Allow(w.ctx, symbolon.Consent{Account: id, Client: w.app.ID, GrantedAt: w.now}), symbolon.Denied)
			_, err := w.Consent(w.ctx, id, w.app.ID)
			w.fails(err, symbolon.NotFound)
		}
	}},
	{"what was forgotten and is allowed again is as old as the second time", func(w *world) {
		w.later(time.Hour)
		w.end(symbolon.End{Account: w.account.ID, Client: w.app.ID}, 1)
		w.later(time.Hour)
		w.allow("read")
		w.equal(w.consent().GrantedAt, w.now)
		w.equal(w.consent().Scope, symbolon.Scopes{"read"})
	}},
}

func (w *world) consent() symbolon.Consent {
	w.Helper()
	consent, err := w.Consent(w.ctx, w.account.ID, w.app.ID)
	w.ok(err)
	return consent
}
