package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

var outboxCases = []testCase{
	{"BCL-2.5-a: a session that ends is told to each of its apps once, however many connections they have", func(w *world) {
		session := w.signIn(1, w.account)
		other := w.another()
		w.connectedIn(session, "openid")
		w.connectedIn(session, "openid", "offline_access")
		mine := w.app
		w.app = other
		w.connectedIn(session, "openid")
		w.app = mine
		w.connected() // of no session: its app need not be told
		made := w.now
		w.end(symbolon.End{Browser: browser(1), Reason: symbolon.BySignOut}, 1)
		claimed := w.claim(10)
		w.equal(len(claimed.Over), 0)
		w.equal(len(claimed.Due), 2)
		for _, d := range claimed.Due {
			w.equal(d, symbolon.Delivery{
				ID: d.ID, Kind: symbolon.TellLogout, Client: d.Client, Account: w.account.ID, Session: session.ID,
				Body: d.Body, MadeAt: made, ExpiresAt: made.Add(symbolon.DeliveryLife), Attempts: 1,
			})
			w.equal(len(d.Body), 0)
		}
		w.equal(clients(claimed.Due), slices.Sorted(slices.Values([]symbolon.ClientID{mine.ID, other.ID})))
	}},
	{"a connection says of which session it came", func(w *world) {
		session := w.signIn(1, w.account)
		w.equal(w.row(w.connectedIn(session, "openid")).Session, session.ID)
		w.equal(w.row(w.connected()).Session, symbolon.SessionID{})
	}},
	{"a session of which no app has a connection is told to none", func(w *world) {
		w.signIn(1, w.account)
		w.connected()
		w.end(symbolon.End{Browser: browser(1)}, 1)
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"only the session that ends is told: not that of another account, nor in another browser", func(w *world) {
		here, there := w.signIn(1, w.account), w.signIn(2, w.account)
		a, b := w.connectedIn(here, "openid"), w.connectedIn(there, "openid")
		w.signIn(1, w.newAccount("john"))
		w.end(symbolon.End{Browser: browser(1), Account: w.account.ID, Reason: symbolon.BySignOut}, 1)
		claimed := w.claim(10)
		w.equal(len(claimed.Due), 1)
		w.equal(claimed.Due[0].Session, here.ID)
		w.equal(w.row(a).EndedBy, symbolon.BySignOut)
		w.equal(w.row(b).EndedAt, time.Time{})
		w.end(symbolon.End{Browser: browser(1), Account: w.account.ID, Reason: symbolon.BySignOut}, 0)
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"BCL-2.7-a: a connection ends with its session and is in Changes, unless offline_access was granted", func(w *world) {
		session := w.signIn(1, w.account)
		dies, stays, none := w.connectedIn(session, "openid"), w.connectedIn(session, "openid", "offline_access"), w.connected()
		near := w.connectedIn(session, "openid", "offline_access.not") // a name that only begins like it
		over := w.connectedIn(session, "openid")
		w.end(symbolon.End{Connection: over, Reason: symbolon.ByApp}, 1)
		w.later(time.Minute)
		left := w.changed(func() { w.end(symbolon.End{Browser: browser(1), Reason: symbolon.BySignOut}, 1) })
		slices.SortFunc(left, func(a, b symbolon.Change) int { return compareID(a.ID, b.ID) })
		var want []symbolon.Change
		for _, id := range []symbolon.ConnectionID{dies, near} {
			want = append(want, symbolon.Change{Kind: symbolon.ConnectionEnded, ID: id, Account: w.account.ID, Client: w.app.ID})
			w.equal(w.row(id).EndedAt, w.now)
			w.equal(w.row(id).EndedBy, symbolon.BySignOut)
			w.refused(w.token(id, 0), symbolon.RefreshEnded)
		}
		slices.SortFunc(want, func(a, b symbolon.Change) int { return compareID(a.ID, b.ID) })
		w.equal(left, want)
		w.equal(w.row(over).EndedBy, symbolon.ByApp)
		for _, id := range []symbolon.ConnectionID{stays, none} {
			w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		}
	}},
	{"whatever ends an account's sessions is told: disabled, password changed, ended, deleted", func(w *world) {
		for name, end := range map[string]func(a symbolon.Account){
			"disabled": func(a symbolon.Account) { a.DisabledAt, a.NotBefore = w.now, w.now; w.ok(w.PutAccount(w.ctx, a)) },
			"password": func(a symbolon.Account) { a.Password, a.NotBefore = "$argon2id$2", w.now; w.ok(w.PutAccount(w.ctx, a)) },
			"ended":    func(a symbolon.Account) { w.end(symbolon.End{Account: a.ID}, 1) },
			"deleted":  func(a symbolon.Account) { w.end(symbolon.End{Account: a.ID, Delete: true}, 1) },
		} {
			w.Log(name)
			w.account = w.newAccount(name)
			w.later(time.Second)
			w.allow("openid")
			first, second := w.signIn(3, w.account), w.signIn(4, w.account)
			w.connectedIn(first, "openid")
			w.connectedIn(second, "openid", "offline_access")
			w.later(time.Minute)
			w.equal(len(w.changed(func() { end(w.account) })), 1)
			claimed := w.claim(10)
			w.equal(len(claimed.Due), 2)
			for _, d := range claimed.Due {
				w.equal(d.Account, w.account.ID)
				w.equal(d.Session == first.ID || d.Session == second.ID, true)
				w.ok(w.Told(w.ctx, d, time.Time{}))
			}
		}
	}},
	{"an edit that ends nothing tells nobody", func(w *world) {
		w.connectedIn(w.signIn(1, w.account), "openid")
		w.account.Name = "Jane Roe"
		w.ok(w.PutAccount(w.ctx, w.account))
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"an app that was deleted is not told", func(w *world) {
		w.connectedIn(w.signIn(1, w.account), "openid")
		w.later(time.Second)
		w.end(symbolon.End{Client: w.app.ID, Delete: true}, 1)
		w.end(symbolon.End{Browser: browser(1)}, 1)
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"no connection is born of a session that has ended, or of another's", func(w *world) {
		session := w.signIn(1, w.account)
		c := w.codeIn(session, "openid")
		w.end(symbolon.End{Browser: browser(1)}, 1)
		w.connect(c, symbolon.ConnectDenied)
		john := w.newAccount("john")
		w.connect(w.codeIn(w.signIn(2, john), "openid"), symbolon.ConnectDenied)
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"a session that moved to another browser's cookie is the same", func(w *world) {
		session := w.signIn(1, w.account)
		w.connectedIn(session, "openid")
		w.ok(w.SignIn(w.ctx, w.session(2, w.newAccount("john")), browser(1)))
		w.connectedIn(session, "openid")
		w.end(symbolon.End{Browser: browser(2), Account: w.account.ID}, 1)
		w.equal(len(w.claim(10).Due), 1)
	}},
	{"what was claimed is nobody else's until the lease is over, and gone when it was told", func(w *world) {
		w.due(1)
		first := w.claim(10).Due[0]
		w.equal(w.claim(10), symbolon.Claimed{})
		w.later(lease - time.Millisecond)
		w.equal(w.claim(10), symbolon.Claimed{})
		w.later(time.Millisecond)
		second := w.claim(10).Due[0]
		w.equal(second.ID, first.ID)
		w.equal(second.Attempts, 2)
		w.ok(w.Told(w.ctx, first, time.Time{})) // too late: another has it
		w.ok(w.Told(w.ctx, first, w.now))
		w.equal(w.claim(10), symbolon.Claimed{})
		w.ok(w.Told(w.ctx, second, time.Time{}))
		w.later(lease)
		w.equal(w.claim(10), symbolon.Claimed{})
		w.ok(w.Told(w.ctx, second, time.Time{}))
	}},
	{"what is to be tried again is due when it was said, and when it is over at the latest", func(w *world) {
		w.due(1)
		d := w.claim(10).Due[0]
		w.ok(w.Told(w.ctx, d, w.now.Add(time.Hour)))
		w.later(time.Hour - time.Millisecond)
		w.equal(w.claim(10), symbolon.Claimed{})
		w.later(time.Millisecond)
		d = w.claim(10).Due[0]
		w.ok(w.Told(w.ctx, d, w.now.Add(48*time.Hour)))
		w.now = d.ExpiresAt
		w.equal(w.claim(10), symbolon.Claimed{Over: []symbolon.Delivery{d}})
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"what is over is removed, whatever else the claim asks for", func(w *world) {
		w.due(3)
		w.later(symbolon.DeliveryLife)
		claimed := w.claim(1, w.app.ID)
		w.equal(len(claimed.Over), 3)
		w.equal(len(claimed.Due), 0)
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"a claim takes as many as it says, in all and of one app, and none of those it excepts", func(w *world) {
		mine, other := w.app, w.another()
		w.due(4)
		w.app = other
		w.due(4)
		got, err := w.outbox().Claim(w.ctx, symbolon.Claim{Limit: 10, PerApp: 2, Lease: lease, Now: w.now})
		w.ok(err)
		w.equal(len(got.Due), 4)
		w.equal(len(clients(got.Due)), 2)
		got = w.claim(10, mine.ID)
		w.equal(clients(got.Due), []symbolon.ClientID{other.ID})
		w.equal(len(got.Due), 2)
		w.equal(len(w.claim(1).Due), 1)
		w.equal(len(w.claim(10).Due), 1)
		w.equal(w.claim(10), symbolon.Claimed{})
	}},
	{"a claim of nothing is invalid", func(w *world) {
		for _, c := range []symbolon.Claim{{PerApp: 1, Lease: lease}, {Limit: 1, Lease: lease}, {Limit: 1, PerApp: 1}} {
			_, err := w.outbox().Claim(w.ctx, c)
			w.fails(err, symbolon.Invalid)
		}
	}},
	{"eight who claim at one instant share, and each delivery is claimed once", func(w *world) {
		w.due(64)
		var mu sync.Mutex
		seen := map[symbolon.DeliveryID]int{}
		for len(seen) < 64 {
			before := len(seen)
			w.atOnce(8, func(int) error {
				got, err := w.outbox().Claim(w.ctx, symbolon.Claim{Limit: 4, PerApp: 4, Lease: lease, Now: w.now})
				mu.Lock()
				defer mu.Unlock()
				for _, d := range got.Due {
					seen[d.ID]++
				}
				return err
			})
			if len(seen) == before {
				w.Fatalf("%d of 64 were claimed, and no more", before)
			}
		}
		for id, n := range seen {
			w.equal(fmt.Sprint(id, n), fmt.Sprint(id, 1))
		}
	}},
	{"redeeming against signing out: whatever was born of the session is over and its app is told", func(w *world) {
		for round := range rounds {
			session := w.signIn(1, w.account)
			codes := make([]symbolon.Connect, 17)
			for i := range codes {
				codes[i] = w.codeIn(session, "openid")
			}
			born := make([]bool, len(codes))
			w.atOnce(len(born), func(i int) error {
				if i == round%len(born) {
					_, err := w.End(w.ctx, symbolon.End{Browser: browser(1), Reason: symbolon.BySignOut, Now: w.now})
					return err
				}
				out, err := w.Connect(w.ctx, codes[i])
				born[i] = out == symbolon.Connected
				return err
			})
			claimed := w.claim(10).Due
			want := 0
			if slices.Contains(born, true) {
				want = 1
			}
			w.equal(len(claimed), want)
			for i, alive := range born {
				if alive {
					w.equal(w.row(codes[i].Connection.ID).EndedBy, symbolon.BySignOut)
				}
			}
			w.later(time.Second)
		}
	}},
	{"signing out that failed is repeated: told once", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			w.connectedIn(w.signIn(1, w.account), "openid")
			e := symbolon.End{Browser: browser(1), Reason: symbolon.BySignOut, Now: w.now}
			w.suffer("End", fault, func(s symbolon.Store) error {
				_, err := s.End(w.ctx, e)
				return err
			})
			_, err := w.End(w.ctx, e)
			w.ok(err)
			w.equal(len(w.claim(10).Due), 1)
		}
	}},
	{"a claim that failed loses nothing: it is due again, at once or after the lease", func(w *world) {
		for _, fault := range Faults {
			w.Log(fault)
			w.due(1)
			w.suffer("Claim", fault, func(s symbolon.Store) error {
				_, err := s.(symbolon.Outbox).Claim(w.ctx, symbolon.Claim{Limit: 9, PerApp: 9, Lease: lease, Now: w.now})
				return err
			})
			if fault == Unanswered {
				w.equal(w.claim(10), symbolon.Claimed{})
				w.later(lease)
			}
			d := w.claim(10).Due[0]
			w.suffer("Told", fault, func(s symbolon.Store) error { return s.(symbolon.Outbox).Told(w.ctx, d, time.Time{}) })
			w.later(lease)
			again := w.claim(10).Due
			if fault == Unanswered {
				w.equal(len(again), 0)
				continue
			}
			w.equal(again[0].ID, d.ID)
			w.ok(w.Told(w.ctx, again[0], time.Time{}))
		}
	}},
}

// lease is that of the suite's claims.
const lease = 30 * time.Second

func (w *world) outbox() symbolon.Outbox { return w.Store.(symbolon.Outbox) }

// Told is that of the outbox.
func (w *world) Told(ctx context.Context, d symbolon.Delivery, retryAt time.Time) error {
	return w.outbox().Told(ctx, d, retryAt)
}

// claim takes up to limit of what is due, but none of some apps.
func (w *world) claim(limit int, except ...symbolon.ClientID) symbolon.Claimed {
	w.Helper()
	got, err := w.outbox().Claim(w.ctx, symbolon.Claim{Limit: limit, PerApp: limit, Except: except, Lease: lease, Now: w.now})
	w.ok(err)
	return got
}

// due has n sessions end, of each of which the app is to be told.
func (w *world) due(n int) {
	w.Helper()
	w.allow("openid")
	for i := range n {
		w.connectedIn(w.signIn(byte(10+i), w.account), "openid")
		w.end(symbolon.End{Browser: browser(byte(10 + i)), Reason: symbolon.BySignOut}, 1)
	}
}

// another returns a further app, which the account has allowed, too.
func (w *world) another() symbolon.App {
	w.Helper()
	mine := w.app
	defer func() { w.app = mine }()
	w.app = w.newApp()
	w.later(time.Second)
	w.allow("openid")
	return w.app
}

// codeIn returns what redeeming a code that was given in a session asks for.
func (w *world) codeIn(session symbolon.Session, scope ...string) symbolon.Connect {
	c := w.code()
	c.Connection.Session, c.Connection.Scope = session.ID, scope
	return c
}

func (w *world) connectedIn(session symbolon.Session, scope ...string) symbolon.ConnectionID {
	w.Helper()
	c := w.codeIn(session, scope...)
	w.connect(c, symbolon.Connected)
	return c.Connection.ID
}

// clients are the apps of deliveries, each once and in order.
func clients(list []symbolon.Delivery) []symbolon.ClientID {
	var ids []symbolon.ClientID
	for _, d := range list {
		ids = append(ids, d.Client)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
