package storetest

import (
	"time"

	"github.com/symbolon/symbolon"
)

var identityCases = []testCase{
	{"identities read back with the row, with a session as well, in the order in which they were added", func(w *world) {
		a := w.account
		a.Identities = []symbolon.Identity{
			{Issuer: "https://b.example", Subject: "\"1\" — é\\", Name: "Jane", AddedAt: w.now},
			{Issuer: "https://a.example", Subject: "2", AddedAt: w.now.Add(time.Second)},
		}
		w.ok(w.PutAccount(w.ctx, a))
		w.equal(w.oneAccount(a.ID).Identities, a.Identities)
		w.signIn(1, a)
		w.equal(w.sessions(1)[0].Account.Identities, a.Identities)
		a.Version++
		a.Identities = a.Identities[1:]
		w.ok(w.PutAccount(w.ctx, a))
		w.equal(w.oneAccount(a.ID).Identities, a.Identities)
		a.Version++
		a.Identities = nil
		w.ok(w.PutAccount(w.ctx, a))
		w.equal(w.oneAccount(a.ID).Identities, []symbolon.Identity(nil))
	}},
	{"an account is found by what another issuer calls it, and by nothing like it", func(w *world) {
		a := w.account
		a.Identities = []symbolon.Identity{{Issuer: "https://a.example", Subject: "Jane", AddedAt: w.now}}
		w.ok(w.PutAccount(w.ctx, a))
		for who, want := range map[[2]string]int{
			{"https://a.example", "Jane"}: 1, {"https://a.example", "jane"}: 0, {"https://a.example/", "Jane"}: 0,
			{"https://b.example", "Jane"}: 0, {"https://a.example", ""}: 0,
		} {
			list, err := w.Accounts(w.ctx, symbolon.AccountQuery{Issuer: who[0], Subject: who[1], Limit: 2})
			w.ok(err)
			w.equal(len(list), want)
		}
	}},
	{"an identity belongs to one account at most, at birth and at an edit, and nothing of the change is made", func(w *world) {
		one := []symbolon.Identity{{Issuer: "https://a.example", Subject: "1", AddedAt: w.now}}
		a := w.account
		a.Identities = one
		w.ok(w.PutAccount(w.ctx, a))
		w.fails(w.PutAccount(w.ctx, symbolon.Account{ID: symbolon.NewAccountID(), Username: "born", Identities: one}), symbolon.Conflict)
		john := w.newAccount("john")
		john.Name, john.Identities = "Johnny", one
		w.fails(w.PutAccount(w.ctx, john), symbolon.Conflict)
		w.equal(w.oneAccount(john.ID).Name, "Jane Doe")
		list, err := w.Accounts(w.ctx, symbolon.AccountQuery{Username: "born", Limit: 1})
		w.ok(err)
		w.equal(len(list), 0)
		john.Identities = []symbolon.Identity{{Issuer: "x", Subject: "1", AddedAt: w.now}, {Issuer: "x", Subject: "1", AddedAt: w.now}}
		w.fails(w.PutAccount(w.ctx, john), symbolon.Conflict)
		w.equal(w.oneAccount(a.ID).Identities, one)
	}},
	{"the identities of a deleted account are free again, and do not come back with it", func(w *world) {
		one := []symbolon.Identity{{Issuer: "https://a.example", Subject: "1", AddedAt: w.now}}
		a := w.account
		a.Identities = one
		w.ok(w.PutAccount(w.ctx, a))
		w.end(symbolon.End{Account: a.ID, Delete: true}, 1)
		list, err := w.Accounts(w.ctx, symbolon.AccountQuery{Issuer: one[0].Issuer, Subject: "1", Limit: 1})
		w.ok(err)
		w.equal(len(list), 0)
		john := w.newAccount("john")
		john.Identities = one
		w.ok(w.PutAccount(w.ctx, john))
		a.Version, a.Identities = 0, nil
		w.ok(w.PutAccount(w.ctx, a))
		w.equal(w.oneAccount(a.ID).Identities, []symbolon.Identity(nil))
		w.equal(w.oneAccount(john.ID).Identities, one)
	}},
}
