//go:build linux

package e2e

import (
	"net/url"
	"testing"
	"time"
)

// Step 5: CONTRACT.md "Steps 3 and 5", ledger A5.
func TestRefresh(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	for _, e := range encodings {
		for _, p := range proofs {
			t.Run(e.name+", "+p.name, func(t *testing.T) {
				tk := a.connect(t)
				v, opts := p.apply(a, a.refreshing(tk.refresh))
				next := granted(t, d.postAs(t, e, "/refresh", v, opts...))
				if next.refresh == tk.refresh {
					t.Error("the refresh token was not rotated")
				}
				if next.access == tk.access {
					t.Error("the access token is the old one")
				}
				a.alive(t, next)
			})
		}
		t.Run(e.name+", Basic and refresh_token alone: the page's optional", func(t *testing.T) {
			v := url.Values{"refresh_token": {a.connect(t).refresh}}
			granted(t, d.postAs(t, e, "/refresh", v, basic(a.ID, a.Secret)))
		})
	}
	t.Run("grant_type may be left out", func(t *testing.T) {
		granted(t, a.refresh(t, a.connect(t).refresh, "grant_type", ""))
	})
	t.Run("RFC6749-6-c scope may shrink, and comes back whole", func(t *testing.T) {
		b := d.newApp(t, "https://c1.test/cb")
		tk := b.connect(t, "scope", "connect other")
		r := b.refresh(t, tk.refresh, "scope", "other")
		next := granted(t, r)
		if r.text("scope") != "other" {
			t.Errorf("scope %q, want other", r.text("scope"))
		}
		refused(t, d.info(t, next.access), 403, "insufficient_scope")
		for _, v := range []url.Values{b.refreshing(next.refresh, "scope", "connect admin"), b.refreshing(next.refresh, "scope", "connect  other"), b.refreshing(next.refresh, "scope", "Connect")} {
			refused(t, d.post(t, "/refresh", v), 400, "invalid_scope")
		}
		r = b.refresh(t, next.refresh)
		if granted(t, r); r.text("scope") != "connect other" {
			t.Errorf("RFC6749-6-d: scope %q, want connect other", r.text("scope"))
		}
		granted(t, b.refresh(t, r.tokens().refresh, "scope", "connect other"))
	})
	t.Run("the access token of before stays good", func(t *testing.T) {
		tk := a.connect(t)
		granted(t, a.refresh(t, tk.refresh))
		if r := d.info(t, tk.access); r.Status != 200 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

var refreshWants = []want{
	{"refresh_token missing", unset("refresh_token"), 400, "invalid_request"},
	{"refresh_token empty", set("refresh_token", ""), 400, "invalid_request"},
	{"refresh_token repeated", twice("refresh_token"), 400, "invalid_request"},
	{"refresh_token that is none", set("refresh_token", "0123456789abcdef0123456789abcdef0123456789a"), 400, "invalid_grant"},
	{"grant_type of step 3", set("grant_type", "authorization_code"), 501, "unsupported_grant_type"},
	{"grant_type unknown", set("grant_type", "foo"), 501, "unsupported_grant_type"},
	{"grant_type repeated", twice("grant_type"), 400, "invalid_request"},
	{"client_id missing", unset("client_id"), 400, "invalid_request"},
	{"client_id of no app", set("client_id", "sym_app_nobodyhasthisone"), 404, "invalid_client"},
	{"RFC6749-6-b client_secret missing", unset("client_secret"), 400, "invalid_client"},
	{"client_secret wrong", set("client_secret", "sym_secret_wrongwrongwrongwrong"), 400, "invalid_client"},
	{"B45 scope that was not granted", set("scope", "connect admin"), 400, "invalid_scope"},
	{"scope repeated", twice2("scope", "connect", "connect"), 400, "invalid_request"},
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	tk := a.connect(t)
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			for _, w := range refreshWants {
				t.Run(w.name, func(t *testing.T) {
					v := a.refreshing(tk.refresh)
					w.change(v)
					if e.name == "json" && repeated(v) != "" {
						refused(t, d.postRaw(t, "/refresh", "application/json", jsonTwice(v)), w.status, w.code)
						return
					}
					refused(t, d.postAs(t, e, "/refresh", v), w.status, w.code)
				})
			}
		})
	}
	t.Run("by Basic", func(t *testing.T) {
		r := d.post(t, "/refresh", url.Values{"refresh_token": {tk.refresh}}, basic(a.ID, "sym_secret_wrongwrongwrongwrong"))
		refused(t, r, 401, "invalid_client")
		challenged(t, r, "Basic", "")
	})
	t.Run("RFC6749-6-a of another app", func(t *testing.T) {
		b := d.newApp(t, "https://c2.test/cb")
		refused(t, b.refresh(t, tk.refresh), 400, "invalid_grant")
	})
	t.Run("in the query", func(t *testing.T) {
		refused(t, d.post(t, "/refresh?"+a.refreshing(tk.refresh).Encode(), url.Values{}), 400, "invalid_request")
	})
	t.Run("bodies that cannot be read", func(t *testing.T) { unreadableBodies(t, d, "/refresh", a.refreshing(tk.refresh)) })
	// Nothing of that spent or ended anything.
	a.alive(t, tk)
}

// What rotation does: CONTRACT.md, DESIGN 3, SYM-RT-1 to 4.
func TestRotation(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	t.Run("SYM-RT-2 C20 a retry gets the same successor, however often", func(t *testing.T) {
		r0 := a.connect(t).refresh
		r1 := granted(t, a.refresh(t, r0)).refresh
		for range 5 {
			again := granted(t, a.refresh(t, r0))
			if again.refresh != r1 {
				t.Fatal("the retry got another successor")
			}
			if r := d.info(t, again.access); r.Status != 200 {
				t.Fatalf("the retry's access token: %d", r.Status)
			}
		}
		time.Sleep(1100 * time.Millisecond)
		if got := granted(t, a.refresh(t, r0)).refresh; got != r1 {
			t.Error("the retry after a second got another successor")
		}
		granted(t, a.refresh(t, r1))
	})
	t.Run("a late retry of an app with a secret", func(t *testing.T) {
		needLong(t)
		t.Parallel()
		r0 := a.connect(t).refresh
		r1 := granted(t, a.refresh(t, r0)).refresh
		time.Sleep(75 * time.Second)
		if got := granted(t, a.refresh(t, r0)).refresh; got != r1 {
			t.Error("another successor")
		}
		granted(t, a.refresh(t, r1))
	})
	replay := func(t *testing.T, a *app) {
		t.Helper()
		first := a.connect(t)
		second := granted(t, a.refresh(t, first.refresh))
		third := granted(t, a.refresh(t, second.refresh))
		refused(t, a.refresh(t, first.refresh), 400, "invalid_grant")
		a.over(t, third)
		refused(t, a.s.info(t, first.access), 401, "invalid_token")
		refused(t, a.refresh(t, second.refresh), 400, "invalid_grant")
	}
	t.Run("SYM-RT-3 B38 B41 a replay ends the connection, within one second too", func(t *testing.T) { replay(t, a) })
	t.Run("the predecessor of the current one is no replay", func(t *testing.T) {
		r0 := a.connect(t).refresh
		r1 := granted(t, a.refresh(t, r0)).refresh
		r2 := granted(t, a.refresh(t, r1)).refresh
		if granted(t, a.refresh(t, r1)).refresh != r2 {
			t.Error("another successor")
		}
		granted(t, a.refresh(t, r2))
	})
	t.Run("a public app rotates, retries, and is ended by a replay", func(t *testing.T) {
		p := d.newApp(t, "https://spa.test/cb", "--public")
		r0 := p.connect(t).refresh
		r1 := granted(t, p.refresh(t, r0)).refresh
		if granted(t, p.refresh(t, r0)).refresh != r1 {
			t.Error("another successor")
		}
		replay(t, p)
	})
	t.Run("a public app's grace ends after 30 s", func(t *testing.T) {
		needLong(t)
		t.Parallel()
		p := d.newApp(t, "https://spa.test/cb", "--public")
		r0 := p.connect(t).refresh
		next := granted(t, p.refresh(t, r0))
		time.Sleep(25 * time.Second)
		if granted(t, p.refresh(t, r0)).refresh != next.refresh {
			t.Error("another successor after 25 s")
		}
		time.Sleep(6 * time.Second)
		refused(t, p.refresh(t, r0), 400, "invalid_grant")
		p.over(t, next)
	})
	t.Run("rotation never: the same token again, and no replay", func(t *testing.T) {
		k := d.newApp(t, "https://keep.test/cb", "--rotation", "never")
		tk := k.connect(t)
		for range 4 {
			next := granted(t, k.refresh(t, tk.refresh))
			if next.refresh != tk.refresh {
				t.Fatal("it was rotated")
			}
			if r := d.info(t, next.access); r.Status != 200 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
		r := d.get(t, "/invalidate", bearer(tk.access))
		if r.Status != 204 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		k.over(t, tk)
	})
	t.Run("an owner turns rotation off, and on", func(t *testing.T) {
		b := d.newApp(t, "https://turn.test/cb")
		r0 := b.connect(t).refresh
		d.cli(t, "", nil, "app", "edit", b.ID, "--rotation", "never")
		if got := granted(t, b.refresh(t, r0)).refresh; got != r0 {
			t.Error("it was rotated")
		}
		d.cli(t, "", nil, "app", "edit", b.ID, "--rotation", "always")
		r1 := granted(t, b.refresh(t, r0)).refresh
		if r1 == r0 {
			t.Error("it was not rotated")
		}
		granted(t, b.refresh(t, r1))
	})
}
