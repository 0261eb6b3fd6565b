//go:build linux

package e2e

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Attacks on codes, tokens and secrets.
func TestAttackTokens(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a, b := d.newApp(t, "https://c1.test/cb"), d.newApp(t, "https://c2.test/cb")
	t.Run("B5 a code injected into another session of the same app", func(t *testing.T) {
		verifier, challenge := pkce()
		attackers, _ := pkce()
		code := a.code(t, "code_challenge", challenge, "code_challenge_method", "S256", "login_hint", "john")
		refused(t, d.post(t, "/token", a.redemption(code, "code_verifier", attackers)), 400, "invalid_grant")
		granted(t, d.post(t, "/token", a.redemption(code, "code_verifier", verifier)))
	})
	t.Run("B21 PKCE taken out of the request on the way", func(t *testing.T) {
		verifier, _ := pkce()
		code := a.code(t)
		refused(t, d.post(t, "/token", a.redemption(code, "code_verifier", verifier)), 400, "invalid_grant")
	})
	t.Run("B22 methods that are not S256", func(t *testing.T) {
		verifier, challenge := pkce()
		for _, method := range []string{"plain", "PLAIN", "s256", "", "S256 ", "none"} {
			for _, c := range []string{challenge, verifier} {
				refused(t, a.authorize(t, a.authorization("code_challenge", c, "code_challenge_method", method)), 400, "invalid_request")
			}
		}
	})
	t.Run("B23 a hundred wrong verifiers spend nothing", func(t *testing.T) {
		verifier, challenge := pkce()
		code := a.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
		for range 100 {
			wrong, _ := pkce()
			r := d.post(t, "/token", a.redemption(code, "code_verifier", wrong))
			if r.Status != 400 && r.Status != 429 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
		granted(t, d.post(t, "/token", a.redemption(code, "code_verifier", verifier)))
	})
	t.Run("B44 no stranger ends a connection", func(t *testing.T) {
		r0 := a.connect(t).refresh
		r1 := granted(t, a.refresh(t, r0)).refresh
		next := granted(t, a.refresh(t, r1))
		// The oldest token would end it, if its own app sent it.
		for range 3 {
			refused(t, b.refresh(t, r0), 400, "invalid_grant")
			refused(t, a.refresh(t, r0, "client_secret", "sym_secret_wrong"), 400, "invalid_client")
			refused(t, a.refresh(t, r0, "scope", "admin"), 400, "invalid_scope")
			refused(t, a.refresh(t, "sym_rt_"+rand.Text()+rand.Text()), 400, "invalid_grant")
			refused(t, d.post(t, "/refresh", a.refreshing(r0), basic(b.ID, b.Secret)), 400, "invalid_request")
		}
		a.alive(t, next)
	})
	t.Run("B97 one kind of value in the place of another", func(t *testing.T) {
		tk, code := a.connect(t), a.code(t)
		for _, v := range []string{tk.access, code, a.Secret, a.ID} {
			refused(t, a.refresh(t, v), 400, "invalid_grant")
		}
		for _, v := range []string{tk.access, tk.refresh, a.Secret} {
			refused(t, d.post(t, "/token", a.redemption(v)), 400, "invalid_grant")
		}
		for _, v := range []string{tk.refresh, code, a.Secret} {
			refused(t, d.info(t, v), 401, "invalid_token")
		}
		a.alive(t, tk)
		granted(t, d.post(t, "/token", a.redemption(code)))
	})
}

// B98: each value has one spelling, and a changed one is refused.
func TestAttackSpelling(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.newApp(t, "https://c1.test/cb")
	tk := a.connect(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := d.newBurst(t, 16)
	var requests []string
	var what []string
	try := func(token string) {
		if token != tk.access {
			requests, what = append(requests, d.getText("/info", token)), append(what, token)
		}
	}
	step := 1
	if !long {
		step = 5
	}
	for i := 0; i < len(tk.access); i += step {
		at := strings.IndexByte(alphabet, tk.access[i])
		for _, bit := range []int{1, 2, 32} {
			try(tk.access[:i] + string(alphabet[(at^bit)&63]) + tk.access[i+1:])
		}
		try(tk.access[:i] + tk.access[i+1:])
	}
	for _, c := range alphabet { // other spellings of the last bits
		try(tk.access[:len(tk.access)-1] + string(c))
	}
	for _, s := range []string{strings.ToUpper(tk.access), strings.ToLower(tk.access), tk.access + "=", tk.access + "==", tk.access + tk.access, tk.access[:len(tk.access)/2],
		strings.ReplaceAll(strings.ReplaceAll(tk.access, "-", "+"), "_", "/"), strings.TrimPrefix(tk.access, "sym_at_"), "%73" + tk.access[1:], tk.access + "\t" + "x"} {
		try(s)
	}
	for len(requests) > 0 {
		n := min(16, len(requests))
		for i, r := range b.release(t, requests[:n]) {
			if r.Status != 401 || r.text("error") != "invalid_token" {
				t.Errorf("%q for %q: %d", what[i], tk.access, r.Status)
			}
		}
		requests, what = requests[n:], what[n:]
	}
	for _, s := range []string{tk.refresh + " ", " " + tk.refresh, tk.refresh + "=", tk.refresh + "\n", tk.refresh[:len(tk.refresh)-1], strings.ToLower(tk.refresh)} {
		if r := a.refresh(t, s); r.Status != 400 {
			t.Errorf("%q: %d", s, r.Status)
		}
	}
	code := a.code(t)
	for _, s := range []string{code + " ", code + "=", code + "A", code[1:]} {
		if r := d.post(t, "/token", a.redemption(s)); r.Status != 400 {
			t.Errorf("%q: %d", s, r.Status)
		}
	}
	a.alive(t, tk)
	granted(t, d.post(t, "/token", a.redemption(code)))
}

// B54, RFC6749-2.3.1-e, SYM-AUTH-1: wrong secrets cost little, are slowed, and
// shut no one out.
func TestAttackWrongSecrets(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	tk := a.connect(t)
	statuses := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				r, err := tryPost(bare, d.base+"/refresh", a.refreshing(tk.refresh, "client_secret", "sym_secret_"+rand.Text()))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				statuses[r.Status]++
				if r.Status == 429 && r.Header.Get("Retry-After") == "" {
					t.Error("429 without Retry-After")
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if statuses[400]+statuses[429] != 800 || statuses[429] == 0 {
		t.Errorf("answers by status: %v", statuses)
	}
	began := time.Now()
	a.alive(t, tk) // the right secret still works, from the same address
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the right secret took %v", took)
	}
}

// B49: a secret that begins right takes as long as one that does not.
func TestAttackSecretTiming(t *testing.T) {
	needLong(t)
	d := startDemo(t, newDir())
	a := d.theApp()
	close := a.Secret[:len(a.Secret)-1] + "!"
	far := "!" + a.Secret[1:]
	var times [2][]time.Duration
	for range 5000 {
		for i, s := range []string{close, far} {
			req := request(t, http.MethodPost, d.base+"/refresh", strings.NewReader(url.Values{"client_id": {a.ID}, "client_secret": {s}, "refresh_token": {"x"}}.Encode()),
				header("Content-Type", "application/x-www-form-urlencoded"))
			began := time.Now()
			send(t, bare, req)
			times[i] = append(times[i], time.Since(began))
		}
	}
	slices.Sort(times[0])
	slices.Sort(times[1])
	x, y := times[0][len(times[0])/2], times[1][len(times[1])/2]
	if diff := (x - y).Abs(); diff > x/20 {
		t.Errorf("median %v for a secret that is right but for its end, %v for one that is wrong from its start", x, y)
	}
}

// B7: what was given before an account or an app is over is over too.
func TestAttackAfterTheEnd(t *testing.T) {
	t.Parallel()
	d := demo(t)
	events := map[string]func(a *app, user string){
		"the account is disabled": func(_ *app, user string) { d.cli(t, "", nil, "account", "disable", user) },
		"the account's password is set": func(_ *app, user string) {
			d.cli(t, newPassword()+"\n", nil, "account", "set-password", user, "--password-stdin")
		},
		"the account is deleted": func(_ *app, user string) { d.cli(t, "", nil, "account", "delete", user, "--yes") },
		"the app is deleted":     func(a *app, _ string) { d.cli(t, "", nil, "app", "delete", a.ID, "--yes") },
		"all of the app is ended": func(a *app, _ string) {
			d.cli(t, "", nil, "connection", "end", "--app", a.ID, "--yes")
		},
	}
	n := 0
	for name, event := range events {
		n++
		user := "b7-" + strings.Repeat("x", n)
		t.Run(name, func(t *testing.T) {
			a := d.newApp(t, "https://c1.test/cb")
			password := newPassword()
			d.cli(t, password+"\n", nil, "account", "create", "--username", user, "--name", "B Seven", "--password-stdin")
			tk, code := a.connect(t, "login_hint", user), a.code(t, "login_hint", user)
			other := a.connect(t, "login_hint", "john")
			event(a, user)
			r := d.post(t, "/token", a.redemption(code))
			gone := strings.HasPrefix(name, "the app is deleted")
			if gone {
				refused(t, r, 404, "invalid_client")
				refused(t, a.refresh(t, tk.refresh), 404, "invalid_client")
			} else {
				refused(t, r, 400, "invalid_grant")
				refused(t, a.refresh(t, tk.refresh), 400, "invalid_grant")
			}
			refused(t, d.info(t, tk.access), 401, "invalid_token")
			if strings.HasPrefix(name, "the account") {
				a.alive(t, other)
			}
		})
	}
}
