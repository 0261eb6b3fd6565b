//go:build linux

package main

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// filling puts accounts, apps, consents and connections into a new store, as if
// they had come one after another in the last months. It goes around the store's
// verbs, of which ten million would take an hour.
type filling struct {
	put         put
	ring        *seal.Ring
	app         symbolon.ClientID // the app of the load
	appNo       int64             // its number in the store
	connections int
	every       int // one connection in so many is of app, 1 or 5
	tokens      int // of about how many of these the load has the tokens, never of more
	now         time.Time
}

// put puts rows into a table, in their order. The values of a row are int64,
// string, bool and symbolon.ConnectionID, and the slice is used again.
type put func(table string, columns []string, rows iter.Seq[[]any]) error

const (
	otherApps = 49                  // beside that of the load
	firstNo   = 1001                // of an account or an app that is filled in
	history   = 90 * 24 * time.Hour // over which they connected
	lifetime  = 180 * 24 * time.Hour
)

// held is a connection of which the load has the tokens.
type held struct {
	seq   uint64
	grant symbolon.Grant
}

// perAccount is how many connections an account has, each with another app.
func (f *filling) perAccount() int { return min(4, f.every) }

func (f *filling) accounts() int { return (f.connections + f.perAccount() - 1) / f.perAccount() }

func accountName(i int) string { return fmt.Sprintf("Load Person %07d", i) }

// bond says with which app and of which account a connection is. The slots of an
// account lie together: slot/perAccount is its index.
type bond struct {
	account int // index of filling.accounts
	ours    bool
	app     int // index of the other apps, unless ours
}

func (f *filling) bond(slot uint32) bond {
	return bond{account: int(slot) / f.perAccount(), ours: int(slot)%f.every == 0, app: int(slot) % otherApps}
}

// fill fills the store and returns the connections of which the load has the
// tokens, in random order.
func (f *filling) fill() ([]held, error) {
	random := rand.New(rand.NewPCG(1, uint64(f.connections)))
	began := f.now.Add(-history)
	clients := make([]symbolon.ClientID, otherApps)
	for i := range clients {
		clients[i] = symbolon.NewClientID()
	}
	ids := make([]symbolon.AccountID, f.accounts())
	for i := range ids {
		ids[i] = symbolon.NewAccountID()
	}
	// The accounts connect in random order, so that what an account has lies far
	// apart, as it would.
	slots := make([]uint32, f.accounts()*f.perAccount())
	for i := range slots {
		slots[i] = uint32(i)
	}
	random.Shuffle(len(slots), func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
	slots = slots[:f.connections]

	done := make(chan error)
	go func() {
		done <- errors.Join(f.fillApps(clients, began), f.fillAccounts(ids, began), f.fillConsents(slots, clients, began))
	}()
	list, err := f.fillConnections(slots, ids, began, random)
	if err := errors.Join(<-done, err); err != nil {
		return nil, err
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list, nil
}

func (f *filling) fillApps(clients []symbolon.ClientID, began time.Time) error {
	columns := []string{"no", "id", "name", "home", "public", "secrets", "redirect_uris", "scope", "rotation", "require_pkce",
		"settings", "sandbox", "created_at", "not_before", "version"}
	return f.put("app", columns, func(yield func([]any) bool) {
		for i, id := range clients {
			if !yield([]any{int64(firstNo + i), string(id), fmt.Sprintf("Load app %d", i+1), "", false, "[]", `["https://app.example/cb"]`,
				symbolon.ScopeConnect, string(symbolon.RotateAlways), false, "{}", true, began.UnixMilli(), int64(0), int64(1)}) {
				return
			}
		}
	})
}

func (f *filling) fillAccounts(ids []symbolon.AccountID, began time.Time) error {
	columns := []string{"no", "id", "username", "name", "password", "sandbox", "created_at", "not_before", "version"}
	return f.put("account", columns, func(yield func([]any) bool) {
		for i, id := range ids {
			if !yield([]any{int64(firstNo + i), string(id), fmt.Sprintf("load.person%07d", i), accountName(i), "", true, began.UnixMilli(), int64(0), int64(1)}) {
				return
			}
		}
	})
}

func (f *filling) fillConsents(slots []uint32, clients []symbolon.ClientID, began time.Time) error {
	return f.put("consent", []string{"account_no", "client", "scope", "granted_at"}, func(yield func([]any) bool) {
		for _, slot := range slots {
			b := f.bond(slot)
			client := f.app
			if !b.ours {
				client = clients[b.app]
			}
			if !yield([]any{int64(firstNo + b.account), string(client), symbolon.ScopeConnect, began.UnixMilli()}) {
				return
			}
		}
	})
}

// usedFrom is the address that connections were last used from: 16 bytes, as an id.
var usedFrom = symbolon.ConnectionID(symbolon.AppendAddress(nil, netip.MustParseAddr("192.0.2.1")))

// fillConnections makes the connections as they would be some time after their
// births.
func (f *filling) fillConnections(slots []uint32, ids []symbolon.AccountID, began time.Time, random *rand.Rand) (list []held, err error) {
	ours, nth := (f.connections+f.every-1)/f.every, 0 // about, and how many there have been
	columns := []string{"id", "account_no", "app_no", "seq", "created_at", "refreshed_at", "expires_at", "scope", "used_from"}
	err = f.put("connection", columns, func(yield func([]any) bool) {
		for i, slot := range slots {
			b := f.bond(slot)
			at := began.Add(time.Duration(float64(history) / float64(f.connections) * float64(i))).Truncate(time.Millisecond)
			id, seq, refreshed := symbolon.NewConnectionID(at), uint64(0), at
			if random.IntN(4) > 0 { // the others were never refreshed
				seq = 1 + random.Uint64N(1000)
				refreshed = at.Add(time.Duration(random.Int64N(int64(f.now.Sub(at)) + 1))).Truncate(time.Millisecond)
			}
			app := int64(firstNo + b.app)
			if b.ours {
				app = f.appNo
				if nth++; nth*f.tokens/ours > (nth-1)*f.tokens/ours || f.tokens >= ours {
					list = append(list, held{seq, symbolon.Grant{Connection: id, Client: f.app, Account: ids[b.account],
						Name: accountName(b.account), Scope: symbolon.Scopes{symbolon.ScopeConnect}, AuthAt: at}})
				}
			}
			if !yield([]any{id, int64(firstNo + b.account), app, int64(seq), at.UnixMilli(), refreshed.UnixMilli(),
				refreshed.Add(lifetime).UnixMilli(), symbolon.ScopeConnect, usedFrom}) {
				return
			}
		}
	})
	return list, err
}

// refreshTokens makes the current refresh token of each connection.
func refreshTokens(ring *seal.Ring, list []held, now time.Time) ([][]byte, error) {
	return sealEach(list, func(h held) (string, error) {
		h.grant.IssuedAt, h.grant.ExpiresAt = now, now.Add(lifetime)
		token := symbolon.RefreshToken{Grant: h.grant, Seq: h.seq}
		plain, err := token.AppendBinary(nil)
		if err != nil {
			return "", err
		}
		return ring.Seal(seal.RefreshToken, plain, now)
	})
}

// accessTokens makes an access token for each connection, as it would be given out
// now.
func accessTokens(ring *seal.Ring, list []held, now time.Time) ([][]byte, error) {
	return sealEach(list, func(h held) (string, error) {
		h.grant.IssuedAt, h.grant.ExpiresAt = now, now.Add(10*time.Minute)
		token := symbolon.AccessToken{Grant: h.grant}
		plain, err := token.AppendBinary(nil)
		if err != nil {
			return "", err
		}
		return ring.Seal(seal.AccessToken, plain, now)
	})
}

func sealEach(list []held, token func(held) (string, error)) ([][]byte, error) {
	texts := make([][]byte, len(list))
	for i, h := range list {
		text, err := token(h)
		if err != nil {
			return nil, err
		}
		texts[i] = []byte(text)
	}
	return texts, nil
}
