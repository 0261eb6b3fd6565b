package oauth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	w.run("happy", func(t *testing.T) {
		a := w.connected(&w.C1)
		w.clock.pass(time.Hour)
		b := w.refreshed(&w.C1, a.RefreshToken)
		if b.RefreshToken == a.RefreshToken || b.TokenType != "Bearer" || b.ExpiresIn != 600 || b.RefreshExpiresIn != 180*24*3600 || b.Scope != "connect read" {
			t.Errorf("%+v", b)
		}
		w.alive(b)
		w.refreshed(&w.C1, b.RefreshToken)
	})
	w.run("grant_type may be left out, and be no other", func(t *testing.T) {
		a := w.connected(&w.C1)
		_, err := w.refresh(&w.C1, a.RefreshToken, "grant_type=authorization_code")
		w.refused(err, UnsupportedGrantType)
		_, err = w.refresh(&w.C1, a.RefreshToken, "-grant_type")
		w.ok(err)
	})
	w.run("missing", func(t *testing.T) {
		_, err := w.refresh(&w.C1, "")
		w.refused(err, InvalidRequest)
		_, err = w.refresh(&w.C1, "x", "-refresh_token")
		w.refused(err, InvalidRequest)
		_, err = w.refresh(&w.C1, "x", "+refresh_token=y")
		w.refused(err, InvalidRequest)
	})
	w.run("RFC6749-6-a", func(t *testing.T) {
		a := w.connected(&w.C1)
		_, err := w.refresh(&w.C2, a.RefreshToken)
		w.refused(err, InvalidGrant)
		_, err = w.refresh(&w.P1, a.RefreshToken)
		w.refused(err, InvalidGrant)
		w.alive(a)
		w.refreshed(&w.C1, a.RefreshToken)
	})
	w.run("RFC6749-6-b", func(t *testing.T) {
		a := w.connected(&w.C1)
		_, err := w.refresh(&w.C1, a.RefreshToken, "-client_secret")
		w.refused(err, InvalidClient)
		_, err = w.refresh(&w.C1, a.RefreshToken, "client_secret=wrong")
		w.refused(err, InvalidClient)
		w.refreshed(&w.C1, a.RefreshToken)
	})
	w.run("RFC6749-6-c", func(t *testing.T) {
		a := w.connected(&w.C1)
		b := w.refreshed(&w.C1, a.RefreshToken, "scope=connect")
		if b.Scope != "connect" {
			t.Errorf("scope %q", b.Scope)
		}
		c := w.refreshed(&w.C1, b.RefreshToken)
		if c.Scope != "connect read" {
			t.Errorf("left out, the scope is %q", c.Scope)
		}
		for _, scope := range []string{"connect admin", "admin", "connect  read", "Connect", "connect read openid", "connect ", `"`} {
			_, err := w.refresh(&w.C1, c.RefreshToken, "scope="+scope)
			w.refused(err, InvalidScope)
		}
		w.refreshed(&w.C1, c.RefreshToken) // none of it spent the token
		// More than was granted, though the app may ask for it.
		d := w.connected(&w.C1, "scope=connect")
		_, err := w.refresh(&w.C1, d.RefreshToken, "scope=connect read")
		w.refused(err, InvalidScope)
	})
	w.run("RFC6749-6-d", func(t *testing.T) {
		a := w.connected(&w.C1)
		b := w.refreshed(&w.C1, a.RefreshToken, "scope=read")
		if _, err := w.Info(w.ctx, Bearer(b.AccessToken)); err == nil {
			t.Error("an access token that was narrowed is not narrow")
		}
		if c := w.refreshed(&w.C1, b.RefreshToken, "scope=connect read"); c.Scope != "connect read" {
			t.Errorf("scope %q", c.Scope)
		}
	})
	w.run("B45", func(t *testing.T) {
		a := w.connected(&w.C1)
		for _, scope := range []string{"connect read admin", "a  b", "connect\u00a0admin"} {
			_, err := w.refresh(&w.C1, a.RefreshToken, "scope="+scope)
			w.refused(err, InvalidScope)
		}
		// A resource here changes nothing: the token keeps what was granted.
		b := w.refreshed(&w.C1, a.RefreshToken, "resource=https://r3.test")
		if len(b.Grant.Resource) != 0 {
			t.Errorf("for %q", b.Grant.Resource)
		}
	})
	w.run("CLIENTS-3", func(t *testing.T) {
		a := w.connected(&w.C1)
		if b := w.refreshed(&w.C1, a.RefreshToken, "scope=connect read"); b.Scope != "connect read" {
			t.Errorf("scope %q", b.Scope)
		}
	})
	w.run("RFC6749-10.4-a", func(t *testing.T) {
		a := w.connected(&w.C1)
		_, err := w.Info(w.ctx, Bearer(a.RefreshToken))
		w.refused(err, InvalidToken)
		_, err = w.Invalidate(w.ctx, Bearer(a.RefreshToken))
		w.refused(err, InvalidToken)
		_, err = w.refresh(&w.C1, a.AccessToken)
		w.refused(err, InvalidGrant)
	})
	w.run("B97", func(t *testing.T) {
		code := w.code(&w.C1)
		a := w.connected(&w.C1)
		_, err := w.refresh(&w.C1, code)
		w.refused(err, InvalidGrant)
		_, err = w.Info(w.ctx, Bearer(code))
		w.refused(err, InvalidToken)
		for _, token := range []string{a.AccessToken, a.RefreshToken} {
			_, err = w.redeem(&w.C1, token)
			w.refused(err, InvalidGrant)
		}
		w.connectedWith(code)
		w.refreshed(&w.C1, a.RefreshToken)
	})
	w.run("B98", func(t *testing.T) {
		a := w.connected(&w.C1)
		for _, change := range []func(string) string{
			func(s string) string { return s[:len(s)-1] }, func(s string) string { return s + "A" }, func(s string) string { return s + " " }, func(s string) string { return s + "=" },
			strings.ToUpper, strings.ToLower, func(s string) string { return s + s }, func(s string) string { return " " + s },
		} {
			_, err := w.refresh(&w.C1, change(a.RefreshToken))
			w.refused(err, InvalidGrant)
			_, err = w.Info(w.ctx, Bearer(change(a.AccessToken)))
			w.refused(err, InvalidToken)
		}
		w.refreshed(&w.C1, a.RefreshToken)
	})
}

func TestRefreshExpiry(t *testing.T) {
	day := 24 * time.Hour
	t.Run("RFC6749-6-e", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.RefreshLifetime = 30 * day })
		a := w.connected(&w.C1)
		w.clock.pass(30*day - time.Millisecond)
		b := w.refreshed(&w.C1, a.RefreshToken)
		w.clock.pass(30 * day)
		_, err := w.refresh(&w.C1, b.RefreshToken)
		w.refused(err, InvalidGrant)
		_, err = w.refresh(&w.C1, a.RefreshToken) // nor what is older, and it ends nothing
		w.refused(err, InvalidGrant)
		if row := w.row(a); !row.EndedAt.IsZero() {
			t.Errorf("ended: %s", row.EndedBy)
		}
	})
	t.Run("RFC9700-4.14.2-c", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.RefreshLifetime, c.ConnectionLifetime = 30*day, 50*day })
		a := w.connected(&w.C1)
		w.clock.pass(29 * day)
		b := w.refreshed(&w.C1, a.RefreshToken)
		if b.RefreshExpiresIn != int64(21*day/time.Second) {
			t.Errorf("the rotation says %d s: it moved the absolute limit", b.RefreshExpiresIn)
		}
		w.clock.pass(21*day - time.Second)
		c := w.refreshed(&w.C1, b.RefreshToken)
		w.clock.pass(time.Second)
		_, err := w.refresh(&w.C1, c.RefreshToken)
		w.refused(err, InvalidGrant)
	})
	t.Run("without rotation the row decides", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.RefreshLifetime = 30 * day })
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateNever })
		a := w.connected(&w.C1)
		for range 5 {
			w.clock.pass(29 * day)
			b := w.refreshed(&w.C1, a.RefreshToken)
			if b.RefreshToken != a.RefreshToken || b.RefreshExpiresIn < int64(29*day/time.Second) {
				t.Fatalf("%+v", b)
			}
		}
		w.clock.pass(31 * day)
		_, err := w.refresh(&w.C1, a.RefreshToken)
		w.refused(err, InvalidGrant)
	})
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	w.run("RFC9700-4.14.2-a", func(t *testing.T) {
		a := w.connected(&w.P1)
		b := w.refreshed(&w.P1, a.RefreshToken)
		if b.RefreshToken == a.RefreshToken {
			t.Error("not rotated")
		}
		w.clock.pass(30*time.Second + time.Millisecond)
		_, err := w.refresh(&w.P1, a.RefreshToken)
		w.refused(err, InvalidGrant)
		w.dead(b)
	})
	w.run("SYM-RT-2", func(t *testing.T) {
		// An app with a secret: until the successor is used, however late.
		a := w.connected(&w.C1)
		b := w.refreshed(&w.C1, a.RefreshToken)
		for _, later := range []time.Duration{0, time.Second, time.Minute, 100 * 24 * time.Hour} {
			w.clock.pass(later)
			again := w.refreshed(&w.C1, a.RefreshToken)
			if again.RefreshToken != b.RefreshToken {
				t.Fatalf("after %v another successor:\n%s\n%s", later, b.RefreshToken, again.RefreshToken)
			}
			w.alive(again)
		}
		w.refreshed(&w.C1, b.RefreshToken)
		// A public app: within 30 s.
		a = w.connected(&w.P1)
		b = w.refreshed(&w.P1, a.RefreshToken)
		w.clock.pass(30 * time.Second)
		if again := w.refreshed(&w.P1, a.RefreshToken); again.RefreshToken != b.RefreshToken {
			t.Error("another successor")
		}
		w.refreshed(&w.P1, b.RefreshToken)
	})
	w.run("SYM-RT-3", func(t *testing.T) {
		for _, app := range []*symbolon.App{&w.C1, &w.P1} {
			r1 := w.connected(app)
			r2 := w.refreshed(app, r1.RefreshToken)
			r3 := w.refreshed(app, r2.RefreshToken)
			_, err := w.refresh(app, r1.RefreshToken) // within the window
			w.refused(err, InvalidGrant)
			for _, dead := range []*TokenResponse{r1, r2, r3} {
				w.dead(dead)
			}
			_, err = w.refresh(app, r3.RefreshToken)
			w.refused(err, InvalidGrant)
		}
	})
	w.run("RFC9700-4.14.2-b", func(t *testing.T) {
		r1 := w.connected(&w.C1)
		other := w.connected(&w.C1)
		r2 := w.refreshed(&w.C1, r1.RefreshToken)
		r3 := w.refreshed(&w.C1, r2.RefreshToken)
		w.clock.pass(time.Hour)
		_, err := w.refresh(&w.C1, r1.RefreshToken)
		e := w.refused(err, InvalidGrant)
		if !strings.Contains(e.Detail, r1.Grant.Connection.String()) {
			t.Errorf("the log does not name the connection: %q", e.Detail)
		}
		_, err = w.refresh(&w.C1, r3.RefreshToken)
		w.refused(err, InvalidGrant)
		if row := w.row(r1); row.EndedBy != symbolon.ByRefreshReplay {
			t.Errorf("ended: %s", row.EndedBy)
		}
		w.refreshed(&w.C1, other.RefreshToken) // of another connection of the two
	})
	w.run("B38", func(t *testing.T) {
		r1 := w.connected(&w.P1)
		r2 := w.refreshed(&w.P1, r1.RefreshToken)
		w.clock.pass(31 * time.Second)
		_, err := w.refresh(&w.P1, r1.RefreshToken)
		w.refused(err, InvalidGrant)
		w.dead(r2)
	})
	w.run("B43", func(t *testing.T) {
		// Thief and victim alternate within the window: one chain lives, until
		// one of them falls behind; then none.
		r1 := w.connected(&w.P1)
		victim, thief := w.refreshed(&w.P1, r1.RefreshToken), w.refreshed(&w.P1, r1.RefreshToken)
		if victim.RefreshToken != thief.RefreshToken {
			t.Fatal("two live siblings")
		}
		next := w.refreshed(&w.P1, thief.RefreshToken)
		again := w.refreshed(&w.P1, victim.RefreshToken)
		if next.RefreshToken != again.RefreshToken {
			t.Fatal("two live siblings")
		}
		last := w.refreshed(&w.P1, next.RefreshToken)
		_, err := w.refresh(&w.P1, r1.RefreshToken)
		w.refused(err, InvalidGrant)
		w.dead(last)
	})
	w.run("SYM-RT-4", func(t *testing.T) {
		// No time passes between the rotations, and a restart changes nothing.
		r1 := w.connected(&w.C1)
		r2 := w.refreshed(&w.C1, r1.RefreshToken)
		r3 := w.refreshed(&w.C1, r2.RefreshToken)
		w.start()
		if again := w.refreshed(&w.C1, r2.RefreshToken); again.RefreshToken != r3.RefreshToken {
			t.Error("another successor after a restart")
		}
		_, err := w.refresh(&w.C1, r1.RefreshToken)
		w.refused(err, InvalidGrant)
	})
	w.run("B40", func(t *testing.T) {
		r1 := w.connected(&w.C1)
		r3 := w.refreshed(&w.C1, w.refreshed(&w.C1, r1.RefreshToken).RefreshToken)
		w.start()
		_, err := w.refresh(&w.C1, r1.RefreshToken)
		w.refused(err, InvalidGrant)
		w.start()
		w.dead(r3)
	})
	w.run("B41", func(t *testing.T) {
		chain := []*TokenResponse{w.connected(&w.C1)}
		for range 3 {
			chain = append(chain, w.refreshed(&w.C1, chain[len(chain)-1].RefreshToken))
		}
		_, err := w.refresh(&w.C1, chain[0].RefreshToken)
		w.refused(err, InvalidGrant)
		w.dead(chain[3])
	})
	w.run("B44", func(t *testing.T) {
		// Who is not the app ends nothing, with whatever token.
		r1 := w.connected(&w.C1)
		r3 := w.refreshed(&w.C1, w.refreshed(&w.C1, r1.RefreshToken).RefreshToken)
		_, err := w.refresh(&w.C2, r1.RefreshToken)
		w.refused(err, InvalidGrant)
		_, err = w.refresh(&w.C1, r1.RefreshToken, "client_secret=wrong")
		w.refused(err, InvalidClient)
		_, err = w.refresh(&w.C1, r1.RefreshToken, "-client_secret")
		w.refused(err, InvalidClient)
		_, err = w.refresh(&w.C1, r1.RefreshToken, "scope=admin")
		w.refused(err, InvalidScope)
		_, err = w.refresh(&w.C1, r1.RefreshToken, "grant_type=foo")
		w.refused(err, UnsupportedGrantType)
		_, err = w.refresh(&w.C1, "sym_rt_nonsense")
		w.refused(err, InvalidGrant)
		w.alive(r3)
		w.refreshed(&w.C1, r3.RefreshToken)
	})
	w.run("K1 rotation: never", func(t *testing.T) {
		w.edit(w.C2.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateNever })
		a := w.connected(&w.C2)
		for range 3 {
			w.clock.pass(24 * time.Hour)
			if b := w.refreshed(&w.C2, a.RefreshToken); b.RefreshToken != a.RefreshToken {
				t.Fatal("another refresh token")
			}
		}
		// The owner turns rotation on again, and off again.
		w.edit(w.C2.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateAlways })
		b := w.refreshed(&w.C2, a.RefreshToken)
		if b.RefreshToken == a.RefreshToken {
			t.Fatal("not rotated")
		}
		w.edit(w.C2.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateNever })
		c := w.refreshed(&w.C2, b.RefreshToken)
		w.refreshed(&w.C2, c.RefreshToken)
	})
	w.run("a key becomes active meanwhile", func(t *testing.T) {
		// The successor is made again at its own time, by that time's key.
		root, err := seal.NewRootKey()
		w.ok(err)
		first, err := root.NewKey()
		w.ok(err)
		second, err := root.NewKey()
		w.ok(err)
		second.ActiveFrom = w.clock.Now().Add(time.Hour)
		w.ok(w.ring.Load([]*seal.RootKey{root}, []symbolon.Key{first, second}))
		r1 := w.connected(&w.C1)
		r2 := w.refreshed(&w.C1, r1.RefreshToken)
		w.clock.pass(2 * time.Hour)
		if again := w.refreshed(&w.C1, r1.RefreshToken); again.RefreshToken != r2.RefreshToken {
			t.Error("another successor after the rotation of keys")
		}
	})
}

// What has ended is over for its refresh tokens, too.
func TestRefreshAfterTheEnd(t *testing.T) {
	for name, event := range map[string]func(w *world, a *TokenResponse){
		"OAUTH21-4.3.1-a disabled":         func(w *world, _ *TokenResponse) { w.disable(w.U1.ID) },
		"OAUTH21-4.3.1-a deleted":          func(w *world, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID, Delete: true}) },
		"OAUTH21-4.3.1-a consent deleted":  func(w *world, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID}) },
		"OAUTH21-4.3.1-a app ended":        func(w *world, _ *TokenResponse) { w.end(symbolon.End{Client: w.C1.ID}) },
		"RFC9700-4.14.2-d password change": func(w *world, _ *TokenResponse) { w.end(symbolon.End{Account: w.U1.ID}) },
		"RFC9700-4.14.2-d operator": func(w *world, a *TokenResponse) {
			w.end(symbolon.End{Connection: a.Grant.Connection, Reason: symbolon.ByOperator})
		},
		"invalidated": func(w *world, a *TokenResponse) { _, err := w.Invalidate(w.ctx, Bearer(a.AccessToken)); w.ok(err) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, pause := range []time.Duration{0, time.Second} {
				w := newWorld(t)
				a := w.connected(&w.C1)
				w.clock.pass(pause)
				b := w.refreshed(&w.C1, a.RefreshToken)
				w.clock.pass(pause)
				event(w, b)
				for range 2 {
					for _, token := range []string{b.RefreshToken, a.RefreshToken} {
						_, err := w.refresh(&w.C1, token)
						w.refused(err, InvalidGrant)
					}
					w.dead(a)
					w.dead(b)
					w.start() // a restart forgets nothing
				}
			}
		})
	}
}

func TestRefreshAndAStoreThatFails(t *testing.T) {
	w := newWorld(t)
	w.run("SYM-RT-5", func(t *testing.T) {
		for _, app := range []*symbolon.App{&w.C1, &w.P1} {
			a := w.connected(app)
			for _, fault := range storetest.Faults {
				w.store.FailNext("Refresh", fault)
				_, err := w.refresh(app, a.RefreshToken)
				if e := w.refused(err, Unavailable); e.RetryAfter <= 0 {
					t.Errorf("%s: to be tried again after %v", fault, e.RetryAfter)
				}
				a = w.refreshed(app, a.RefreshToken)
				w.alive(a)
			}
		}
	})
	w.run("B39 in sequence", func(t *testing.T) {
		// C20: the same request three times is one successor.
		a := w.connected(&w.C1)
		var got []string
		for range 3 {
			got = append(got, w.refreshed(&w.C1, a.RefreshToken).RefreshToken)
		}
		if len(slices.Compact(got)) != 1 {
			t.Errorf("%q", got)
		}
	})
	w.run("C36 the store was rolled back", func(t *testing.T) {
		// Only this server can have made a token that is newer than the row.
		a := w.connected(&w.C1)
		grant := a.Grant
		newer, err := w.refreshToken(grant, symbolon.RotateAlways, 5, w.clock.Now(), w.clock.Now().Add(time.Hour))
		w.ok(err)
		b, err := w.refresh(&w.C1, newer)
		w.ok(err)
		if !b.Rollback || b.RefreshToken == newer {
			t.Errorf("%+v", b)
		}
		c := w.refreshed(&w.C1, b.RefreshToken)
		if c.Rollback {
			t.Error("caught up twice")
		}
		_, err = w.refresh(&w.C1, a.RefreshToken)
		w.refused(err, InvalidGrant)
		w.dead(c)
	})
}
