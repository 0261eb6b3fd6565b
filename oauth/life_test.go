package oauth

import (
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
	"pgregory.net/rapid"
)

// life is the model that the life of connections is compared with, in random
// order and with a store that fails: what an app and a person may expect, and
// no more. It knows nothing of sealed values.
type life struct {
	*world
	R1    symbolon.App // exchanges the tokens of all
	bonds []*bond
	ended map[string]time.Time // of an account, an app, or both: up to when all is over
	off   map[symbolon.AccountID]bool
}

// bond is what an app holds of one connection, and what it may expect of it.
type bond struct {
	app     *symbolon.App
	account symbolon.AccountID
	code    string
	codeAt  time.Time
	over    bool              // ended on its own
	seq     int               // the refresh token that may be spent next
	tokens  map[int]string    // every refresh token that was acknowledged
	movedAt time.Time         // when seq moved
	expires time.Time         // of the connection, unless it is refreshed
	expiry  map[int]time.Time // of each refresh token
	access  []*TokenResponse  // every access token that was acknowledged
	until   []time.Time       // and its expiry
	device  *DeviceAuthorization
	traded  []*TokenResponse // what R1 got for its access tokens
	lasts   []time.Time      // and the expiry of what it was made from
}

const lifeOfRefresh = 30 * 24 * time.Hour

func TestLifeOfConnections(t *testing.T) {
	memory := func() func(symbolon.Clock) symbolon.Store {
		store := storetest.NewMemory()
		return func(symbolon.Clock) symbolon.Store { return store }
	}
	t.Run("on a store that works", func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { live(t, false, memory()) }) })
	t.Run("on a store that fails", func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { live(t, true, memory()) }) })
}

func live(t *rapid.T, faults bool, open func(symbolon.Clock) symbolon.Store) {
	l := &life{
		world: newWorldOn(t, open, func(c *Config) { c.RefreshLifetime = lifeOfRefresh }),
		ended: make(map[string]time.Time), off: make(map[symbolon.AccountID]bool),
	}
	l.edit(l.C2.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateNever })
	l.C2 = l.app(l.C2.ID)
	l.edit(l.C1.ID, func(a *symbolon.App) {
		a.Settings.Grants = []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantRefresh, symbolon.GrantDevice}
	})
	l.C1 = l.app(l.C1.ID)
	plain, stored := symbolon.NewSecret(l.clock.Now())
	l.R1 = symbolon.App{ID: "sym_app_r1", Name: "r1", Scope: l.C1.Scope, Secrets: []symbolon.Secret{stored}, CreatedAt: l.clock.Now(),
		Settings: symbolon.Settings{Grants: []symbolon.GrantType{symbolon.GrantExchange}, ExchangeFor: []symbolon.ClientID{"*"}}}
	l.secrets[l.R1.ID] = plain
	l.ok(l.store.PutApp(l.ctx, l.R1))
	fault := func(verb string) storetest.Fault {
		if !faults {
			return storetest.NoFault
		}
		f := rapid.SampledFrom(append([]storetest.Fault{storetest.NoFault, storetest.NoFault}, storetest.Faults...)).Draw(t, "fault")
		l.store.FailNext(verb, f)
		return f
	}
	some := func(t *rapid.T) *bond {
		if len(l.bonds) == 0 {
			t.Skip("no connection yet")
		}
		return rapid.SampledFrom(l.bonds).Draw(t, "connection")
	}
	l.U1, l.U2 = l.account(l.U1.ID), l.account(l.U2.ID)
	account := rapid.SampledFrom([]symbolon.AccountID{l.U1.ID, l.U2.ID})
	app := rapid.SampledFrom([]*symbolon.App{&l.C1, &l.C2, &l.P1})
	while := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 29 * time.Second, 31 * time.Second, time.Minute, 9 * time.Minute, time.Hour, 20 * 24 * time.Hour})
	t.Repeat(map[string]func(*rapid.T){
		"connect": func(t *rapid.T) {
			if len(l.bonds) > 2 { // few at a time, so that much happens to each
				l.bonds = slices.DeleteFunc(l.bonds, l.dead)
			}
			if len(l.bonds) > 2 {
				t.Skip("enough")
			}
			l.connect(app.Draw(t, "app"), account.Draw(t, "account"), fault("Connect"))
		},
		"connect a device": func(t *rapid.T) {
			if len(l.bonds) > 3 {
				t.Skip("enough")
			}
			l.connectDevice(account.Draw(t, "account"), fault("Connect"))
		},
		"revoke": func(t *rapid.T) {
			b := some(t)
			token := b.access[rapid.IntRange(0, len(b.access)-1).Draw(t, "which")].AccessToken
			if rapid.Bool().Draw(t, "the refresh token") {
				token = b.tokens[b.held()]
			}
			l.revokeOne(b, token, fault("End"))
		},
		"exchange": func(t *rapid.T) {
			b := some(t)
			l.trade(b, rapid.IntRange(0, len(b.access)-1).Draw(t, "which"))
		},
		"refresh": func(t *rapid.T) {
			b := some(t)
			for range rapid.IntRange(1, 3).Draw(t, "times") {
				l.present(b, b.held(), fault("Refresh"))
			}
		},
		"retry or replay": func(t *rapid.T) {
			b := some(t)
			l.present(b, b.seq-rapid.IntRange(0, b.seq).Draw(t, "how old"), fault("Refresh"))
		},
		"replay the code": func(t *rapid.T) { l.replayCode(some(t)) },
		"invalidate":      func(t *rapid.T) { l.invalidate(some(t), fault("End")) },
		"withdraw": func(t *rapid.T) {
			a, who := app.Draw(t, "app"), account.Draw(t, "account")
			if l.end(symbolon.End{Account: who, Client: a.ID}) > 0 {
				l.ended[string(a.ID)+string(who)] = l.clock.Now()
			}
			for _, b := range l.bonds {
				b.over = b.over || b.app == a && b.account == who
			}
		},
		"change the password": func(t *rapid.T) {
			who := account.Draw(t, "account")
			l.end(symbolon.End{Account: who})
			l.ended[string(who)] = l.clock.Now()
		},
		"end the app": func(t *rapid.T) {
			a := app.Draw(t, "app")
			l.end(symbolon.End{Client: a.ID})
			l.ended[string(a.ID)] = l.clock.Now()
		},
		"disable or enable": func(t *rapid.T) {
			who := account.Draw(t, "account")
			row := l.account(who)
			row.DisabledAt = time.Time{}
			if l.off[who] = !l.off[who]; l.off[who] {
				row.DisabledAt, row.NotBefore = l.clock.Now(), l.clock.Now()
				l.ended[string(who)] = l.clock.Now()
			}
			l.ok(l.store.PutAccount(l.ctx, row))
			l.ok(l.feed.Poll(l.ctx))
		},
		"restart": func(*rapid.T) { l.start() },
		"retry late": func(t *rapid.T) {
			b := some(t)
			l.clock.pass(while.Draw(t, "time"))
			l.present(b, max(0, b.seq-1), fault("Refresh"))
		},
		"time passes": func(t *rapid.T) { l.clock.pass(while.Draw(t, "time")) },
		"":            func(*rapid.T) { l.look() },
	})
	// No one is stranded: with what it holds, every app goes on.
	for _, b := range l.bonds {
		if !l.dead(b) {
			l.present(b, b.held(), storetest.NoFault)
		}
	}
}

// held is the newest refresh token that the app has.
func (b *bond) held() int {
	for seq := b.seq; ; seq-- {
		if b.tokens[seq] != "" || seq == 0 {
			return seq
		}
	}
}

// stands reports whether the connection was not ended with its account, with
// its app, or with all between the two.
func (l *life) stands(b *bond) bool {
	account, app := string(b.account), string(b.app.ID)
	return b.codeAt.After(l.ended[account]) && b.codeAt.After(l.ended[app]) && b.codeAt.After(l.ended[app+account])
}

func (l *life) dead(b *bond) bool {
	return b.over || l.off[b.account] || !l.stands(b) || !l.clock.Now().Before(b.expires)
}

// connect is steps 1 to 3: the person allows, the app redeems, and redeems again
// when it has no answer.
func (l *life) connect(app *symbolon.App, who symbolon.AccountID, fault storetest.Fault) {
	b := &bond{app: app, account: who, codeAt: l.clock.Now(), tokens: make(map[int]string), expiry: make(map[int]time.Time)}
	actor := Actor{Interactive: true, SignedIn: l.signedIn(l.account(who)), Chosen: who, Allowed: true}
	answer, err := l.Authorize(l.ctx, l.request(app), actor)
	if l.off[who] {
		l.refused(err, AccessDenied)
		return
	}
	if !l.stands(b) {
		l.refused(err, Unavailable) // in the very millisecond of an end
		return
	}
	l.ok(err)
	b.code = answer.Callback.Code
	tokens, err := l.redeem(app, b.code)
	switch {
	case fault == storetest.NoFault:
	case fault == storetest.Unanswered:
		l.refused(err, Unavailable)
		_, err = l.redeem(app, b.code)
		l.refused(err, InvalidGrant)
		return
	default:
		l.refused(err, Unavailable)
		tokens, err = l.redeem(app, b.code)
	}
	l.ok(err)
	b.movedAt, b.expires = l.clock.Now(), l.clock.Now().Add(lifeOfRefresh)
	l.acknowledge(b, 0, tokens)
	l.bonds = append(l.bonds, b)
}

// acknowledge takes an answer: the refresh token for a sequence number is one
// and the same for ever.
func (l *life) acknowledge(b *bond, seq int, t *TokenResponse) {
	l.Helper()
	if known := b.tokens[seq]; known != "" && known != t.RefreshToken {
		l.Fatalf("two refresh tokens %d:\n%s\n%s", seq, known, t.RefreshToken)
	}
	for other, text := range b.tokens {
		if other != seq && text == t.RefreshToken {
			l.Fatalf("the refresh token %d is that of %d", seq, other)
		}
	}
	b.tokens[seq], b.expiry[seq] = t.RefreshToken, b.expires
	b.access, b.until = append(b.access, t), append(b.until, l.clock.Now().Add(10*time.Minute))
}

// present is step 5 with the token of a sequence number: it refreshes, retries
// or replays. An app that gets no answer sends the same again.
func (l *life) present(b *bond, seq int, fault storetest.Fault) {
	l.Helper()
	text := b.tokens[seq]
	if text == "" {
		return
	}
	now := l.clock.Now()
	tokens, err := l.refresh(b.app, text)
	if err != nil && l.refusalOf(err) == Unavailable && fault != storetest.NoFault {
		tokens, err = l.refresh(b.app, text)
	}
	rotates := b.app.Rotation != symbolon.RotateNever
	switch {
	case l.dead(b), rotates && !now.Before(b.expiry[seq]): // it is refused, and nothing is ended
		l.refused(err, InvalidGrant)
	case !rotates:
		l.ok(err)
		b.expires = l.row(tokens).ExpiresAt
		if b.expires.Before(now.Add(lifeOfRefresh - 24*time.Hour)) {
			l.Fatalf("refreshed and dies in %v", b.expires.Sub(now))
		}
		l.acknowledge(b, seq, tokens)
	case seq == b.seq:
		l.ok(err)
		b.seq, b.movedAt, b.expires = seq+1, now, now.Add(lifeOfRefresh)
		l.acknowledge(b, b.seq, tokens)
	case seq == b.seq-1 && (!b.app.Public || now.Sub(b.movedAt) <= 30*time.Second):
		l.ok(err) // the same successor again
		l.acknowledge(b, b.seq, tokens)
	default:
		l.refused(err, InvalidGrant)
		b.over = true
	}
}

func (l *life) refusalOf(err error) Refusal { return storeError(err).Refusal }

// connectDevice is RFC 8628: the person allows C1's device, which asks, and asks
// again when it has no answer.
func (l *life) connectDevice(who symbolon.AccountID, fault storetest.Fault) {
	b := &bond{app: &l.C1, account: who, codeAt: l.clock.Now(), tokens: make(map[int]string), expiry: make(map[int]time.Time)}
	var err error
	if b.device, err = l.world.device(b.app); err != nil {
		l.refused(err, TooManyRequests)
		return
	}
	pending, err := l.Device(l.ctx, b.device.UserCode, who, "")
	l.ok(err)
	err = l.Answer(l.ctx, pending, l.signedIn(l.account(who))[0], true)
	if l.off[who] {
		l.refused(err, AccessDenied)
		return
	}
	if !l.stands(b) {
		l.refused(err, Unavailable) // in the very millisecond of an end
		return
	}
	l.ok(err)
	tokens, err := l.poll(b.app, b.device)
	if fault != storetest.NoFault {
		l.refused(err, Unavailable)
		tokens, err = l.poll(b.app, b.device)
	}
	if fault == storetest.Unanswered {
		l.refused(err, InvalidGrant)
		return
	}
	l.ok(err)
	b.movedAt, b.expires = l.clock.Now(), l.clock.Now().Add(lifeOfRefresh)
	l.acknowledge(b, 0, tokens)
	l.bonds = append(l.bonds, b)
}

// revokeOne is RFC 7009: whatever was so before, it is over then.
func (l *life) revokeOne(b *bond, token string, fault storetest.Fault) {
	err := l.revoke(b.app, token)
	if err != nil && l.refusalOf(err) == Unavailable && fault != storetest.NoFault {
		err = l.revoke(b.app, token)
	}
	l.ok(err)
	b.over = true
}

// trade is RFC 8693: R1 exchanges an access token.
func (l *life) trade(b *bond, i int) {
	answer, err := l.exchange(&l.R1, b.access[i].AccessToken)
	if !l.lives(b, i) {
		l.refused(err, InvalidRequest)
		return
	}
	l.ok(err)
	b.traded, b.lasts = append(b.traded, answer), append(b.lasts, b.until[i])
}

func (l *life) replayCode(b *bond) {
	if b.device != nil { // it is refused, and ends nothing
		_, err := l.poll(b.app, b.device)
		if l.clock.Now().Before(b.codeAt.Add(10 * time.Minute)) {
			l.refused(err, InvalidGrant)
		} else {
			l.refused(err, ExpiredToken)
		}
		return
	}
	_, err := l.redeem(b.app, b.code)
	l.refused(err, InvalidGrant)
	if l.clock.Now().Before(b.codeAt.Add(time.Minute)) {
		b.over = true
	}
}

func (l *life) invalidate(b *bond, fault storetest.Fault) {
	i := len(b.access) - 1
	expect := l.lives(b, i)
	_, err := l.Invalidate(l.ctx, Bearer(b.access[i].AccessToken))
	if err != nil && l.refusalOf(err) == Unavailable && fault != storetest.NoFault {
		l.ok(l.feed.Poll(l.ctx))
		_, err = l.Invalidate(l.ctx, Bearer(b.access[i].AccessToken))
		if fault == storetest.Unanswered && expect {
			l.refused(err, InvalidToken)
			b.over = true
			return
		}
	}
	if !expect {
		l.refused(err, InvalidToken)
		return
	}
	l.ok(err)
	b.over = true
}

// lives reports whether an access token must be honoured now.
func (l *life) lives(b *bond, i int) bool {
	return !b.over && l.stands(b) && l.clock.Now().Before(b.until[i])
}

// look compares every access token and every row with the model.
func (l *life) look() {
	l.store.Plan(func(string) storetest.Fault { return storetest.NoFault })
	for _, b := range l.bonds {
		for i, t := range b.access {
			if _, err := l.Info(l.ctx, Bearer(t.AccessToken)); (err == nil) != l.lives(b, i) {
				l.Fatalf("an access token is honoured: %v, expected: %v (%v)", err == nil, l.lives(b, i), err)
			}
			if !b.app.Public && l.active(b.app, t.AccessToken) != l.lives(b, i) {
				l.Fatalf("an access token is said to be active: %v", !l.lives(b, i))
			}
		}
		for i, t := range b.traded {
			if want := !b.over && l.stands(b) && l.clock.Now().Before(b.lasts[i]); l.active(&l.R1, t.AccessToken) != want {
				l.Fatalf("what came of an exchange is active: %v", !want)
			}
		}
		for seq, text := range b.tokens {
			if b.app != &l.C1 {
				break // the rule is another for those who do not rotate
			}
			if want := !l.dead(b) && seq >= b.seq-1 && l.clock.Now().Before(b.expiry[seq]); l.active(b.app, text) != want {
				l.Fatalf("the refresh token %d of %d is said to be active: %v", seq, b.seq, !want)
			}
		}
		if l.dead(b) {
			continue // a store may forget what is over
		}
		if row := l.row(b.access[0]); int(row.Seq) != b.seq || !row.EndedAt.IsZero() {
			l.Fatalf("the row is %+v, expected sequence number %d, and not ended", row, b.seq)
		}
	}
}
