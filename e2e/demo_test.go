//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// The demo: one line of JSON, and what it serves stays over a restart.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := newDir()
	d := startDemo(t, dir)
	g := d.greet
	if !strings.HasPrefix(g.BaseURL, "http://127.0.0.1:") || g.ClientID == "" || g.ClientSecret == "" {
		t.Errorf("%+v", g)
	}
	for _, uri := range []string{"https://www.integromat.com/oauth/cb/app", "https://www.make.com/oauth/cb/app"} {
		if !slices.Contains(g.RedirectURIs, uri) {
			t.Errorf("the redirect URIs lack %s", uri)
		}
	}
	loopback := slices.IndexFunc(g.RedirectURIs, func(uri string) bool { return strings.HasPrefix(uri, "http://127.0.0.1") })
	if len(g.RedirectURIs) != 3 || loopback < 0 {
		t.Errorf("redirect URIs %q", g.RedirectURIs)
	}
	names := map[string]string{}
	for _, a := range g.Accounts {
		names[a.User] = a.ID
	}
	if len(g.Accounts) != 3 || names["Jane Doe"] != janeID || names["John Doe"] == "" || names["Jane Black"] == "" {
		t.Errorf("accounts %v", names)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := d.get(t, path); r.Status != 200 {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}

	a, b := d.theApp(), d.newApp(t, "https://c1.test/cb")
	password, id := d.newAccount(t, "anna", "Anna Real")
	live := map[*app]tokens{a: a.connect(t, "login_hint", "anna"), b: b.connect(t)}
	ended := b.connect(t)
	if r := d.get(t, "/invalidate", bearer(ended.access)); r.Status != 204 {
		t.Fatalf("%d", r.Status)
	}
	p := d.newPerson(t, bare)
	p.open(t, "/sign-in")
	p.signIn(t, "anna", password)
	session := p.cookie("symbolon-session")
	for _, how := range []string{"stopped", "killed"} {
		if how == "stopped" {
			if status := d.stop(); status != 0 {
				t.Errorf("exit status %d\n%s", status, d.logTail())
			}
		} else {
			d.kill()
		}
		if d.stdout.Len() > 0 {
			t.Errorf("it printed more than one line: %q", d.stdout)
		}
		d = startDemo(t, dir)
		if d.greet.ClientID != g.ClientID || d.greet.ClientSecret != g.ClientSecret || !slices.Equal(d.greet.Accounts, g.Accounts) {
			t.Errorf("%s, it greets with %+v, before with %+v", how, d.greet, g)
		}
		for _, x := range []*app{a, b} {
			x.s = d
			live[x] = x.alive(t, live[x])
		}
		if r := d.info(t, live[a].access); r.text("id") != id || r.text("user") != "Anna Real" {
			t.Errorf("%s: %s", how, r.Body)
		}
		b.over(t, ended)
		b.connect(t, "login_hint", "anna")
		if r := d.get(t, "/authorize?"+a.authorization("prompt", "consent").Encode(), asBrowser, header("Cookie", "symbolon-session="+session)); !strings.Contains(string(r.Body), "Anna Real") {
			t.Errorf("%s, the session is over", how)
		}
	}
}

// One line of JSON, with the names that scripts rely on.
func TestGreetingNames(t *testing.T) {
	t.Parallel()
	d := demo(t)
	text, err := json.Marshal(d.greet)
	must(t, err)
	var v map[string]any
	must(t, json.Unmarshal(text, &v))
	for _, name := range []string{"base_url", "client_id", "client_secret", "redirect_uris", "accounts"} {
		if !slices.Contains(slices.Collect(maps.Keys(v)), name) || v[name] == nil {
			t.Errorf("the greeting lacks %s", name)
		}
	}
	for _, a := range d.greet.Accounts {
		if a.Username == "" || a.Password == "" || a.User == "" || len(a.ID) != 40 {
			t.Errorf("%+v", a)
		}
	}
}

// The six lines, as they are printed, pasted into sh one after another.
func TestSixLines(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("there is no %s on this machine; “make setup” installs it", tool)
		}
	}
	dir := newDir()
	d, out := start(t, dir, nil, "demo", "--listen", "127.0.0.1:0", "--data", dir)
	t.Cleanup(func() { d.stop() })
	var script strings.Builder
	lines := 0
	for deadline := time.Now().Add(30 * time.Second); lines < 6; {
		line, err := out.ReadString('\n')
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d lines of curl, then %v\n%s", lines, err, d.logTail())
		}
		if strings.Contains(line, "curl ") {
			script.WriteString(line)
			lines++
		}
	}
	d.watch(out)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu")
	cmd.Stdin = strings.NewReader(script.String())
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	for _, want := range []string{`"code"`, `"access_token"`, `"refresh_token"`, janeID, "Jane Doe", " 204 "} {
		if !strings.Contains(string(printed), want) {
			t.Errorf("the six lines do not show %s:\n%s", want, printed)
		}
	}
}

// What the command line changes is taken up at once by the running server.
func TestCommandsWhileRunning(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.newApp(t, "https://c1.test/cb")
	t.Run("secrets overlap while one is replaced", func(t *testing.T) {
		tk := a.connect(t)
		var fresh app
		d.cli(t, "", &fresh, "app", "rotate-secret", a.ID)
		secret(kindSecret, fresh.Secret)
		if fresh.Secret == "" || fresh.Secret == a.Secret {
			t.Fatalf("rotate-secret printed %d characters", len(fresh.Secret))
		}
		old := *a
		tk = old.alive(t, tk)
		a.Secret = fresh.Secret
		tk = a.alive(t, tk)
		var show struct {
			Secrets []struct{ ID string } `json:"secrets"`
		}
		d.cli(t, "", &show, "app", "show", a.ID)
		if len(show.Secrets) != 2 {
			t.Fatalf("app show names %d secrets", len(show.Secrets))
		}
	})
	t.Run("app edit", func(t *testing.T) {
		d.cli(t, "", nil, "app", "edit", a.ID, "--add-redirect-uri", "https://c1.test/second")
		a.code(t, "redirect_uri", "https://c1.test/second")
		d.cli(t, "", nil, "app", "edit", a.ID, "--remove-redirect-uri", "https://c1.test/second")
		refused(t, a.authorize(t, a.authorization("redirect_uri", "https://c1.test/second")), 400, "invalid_request")
		d.cli(t, "", nil, "app", "edit", a.ID, "--scope", "connect other third")
		a.code(t, "scope", "third")
	})
	t.Run("connection list and end", func(t *testing.T) {
		tk, other := a.connect(t), a.connect(t, "login_hint", "john")
		var list []struct {
			ID, Account, State string
		}
		d.cli(t, "", &list, "connection", "list", "--app", a.ID, "--account", "jane", "--live", "--limit", "1")
		if len(list) != 1 || list[0].Account != janeID || list[0].State != "live" {
			t.Fatalf("%+v", list)
		}
		d.cli(t, "", nil, "connection", "end", list[0].ID)
		a.over(t, tk)
		a.alive(t, other)
	})
	t.Run("app delete", func(t *testing.T) {
		tk := a.connect(t)
		d.cli(t, "", nil, "app", "delete", a.ID, "--yes")
		refused(t, d.info(t, tk.access), 401, "invalid_token")
		refused(t, a.authorize(t, a.authorization()), 404, "invalid_client")
	})
	t.Run("a key that is rotated", func(t *testing.T) {
		b := d.theApp()
		tk, code := b.connect(t), b.code(t)
		d.cli(t, "", nil, "key", "rotate")
		tk = b.alive(t, tk)
		b.alive(t, granted(t, d.post(t, "/token", b.redemption(code))))
	})
}
