//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// leaves posts the sign-in page's form for another way, and returns where that leads.
func (p *person) leaves(t *testing.T, by string) *url.URL {
	t.Helper()
	for _, f := range forms(p.page.Body) {
		if f.action == "/sign-in" && strings.Contains(f.text, `name="by" value="`+by+`"`) {
			p.postForm(t, "/sign-in", with(f.fields, "by", by))
			u, err := url.Parse(p.page.Header.Get("Location"))
			must(t, err)
			return u
		}
	}
	t.Fatalf("the page has no way %q:\n%.1500s", by, visibleText(p.page.Body))
	return nil
}

// One Symbolon signs people in by another one: a real server of OpenID Connect, with
// its own account, consent and userinfo endpoint.
func TestUpstream(t *testing.T) {
	t.Parallel()
	first := serve(t)
	// Under another name, since cookies do not tell ports apart.
	address := freePort(t)
	base := "http://" + strings.Replace(address, "127.0.0.1", "localhost", 1)
	a := &app{}
	first.cli(t, "", a, "app", "create", "--name", "The second", "--redirect-uri", base+"/sign-in/upstream/callback", "--scope", "openid profile email")
	secret(kindSecret, a.Secret)
	hush := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(hush, []byte(a.Secret+"\n"), 0o600))
	password, _ := first.newAccount(t, "jane", "Jane Elsewhere")
	first.cli(t, "", nil, "account", "edit", "jane", "--email", "jane@example.com", "--email-verified")

	second := startServe(t, newDir(), address, bare, base, "--sign-in", "upstream",
		"--upstream", fmt.Sprintf(`{"name":"first","title":"The First","issuer":%q,"client_id":%q,"client_secret_file":%q,"create_accounts":true}`, first.base, a.ID, hush))
	c := second.newApp(t, "https://c1.test/cb")

	here := second.newPerson(t, bare)
	here.open(t, "/authorize?"+c.authorization("state", "s").Encode())
	if strings.Contains(string(here.page.Body), `name="password"`) {
		t.Error("a password is asked for")
	}
	to := here.leaves(t, "first")
	there := first.newPerson(t, here.client)
	there.open(t, to.RequestURI())
	there.submit(t, "/sign-in", "username", "jane", "password", password)
	there.submit(t, "/consent", "action", "allow")
	back, err := url.Parse(there.page.Header.Get("Location"))
	must(t, err)
	if !strings.HasPrefix(back.String(), base+"/sign-in/upstream/callback?") || back.Query().Get("iss") != first.base {
		t.Fatalf("back to %s", back)
	}
	secret(kindPassing, back.Query().Get("state"))
	here.open(t, back.RequestURI())
	q := redirected(t, c, here.submit(t, "/consent", "action", "allow"))
	tk := granted(t, second.post(t, "/token", c.redemption(q.Get("code"))))
	info := second.info(t, tk.access)
	if info.text("user") != "Jane Elsewhere" {
		t.Errorf("/info: %s", info.Body)
	}
	// The same answer once more, and in the browser of someone else.
	for _, p := range []*person{here, second.newPerson(t, bare)} {
		if r := p.open(t, back.RequestURI()); r.Status != http.StatusForbidden {
			t.Errorf("the answer again: %d", r.Status)
		}
	}

	var shown struct {
		HasPassword bool `json:"has_password"`
		Profile     struct {
			Email    string
			Verified bool `json:"email_verified"`
		}
		Identities []struct{ Issuer, Subject, Name string }
	}
	second.cli(t, "", &shown, "account", "show", info.text("id"))
	if shown.HasPassword || shown.Profile.Email != "jane@example.com" || !shown.Profile.Verified || len(shown.Identities) != 1 || shown.Identities[0].Issuer != first.base {
		t.Fatalf("%+v", shown)
	}
	second.cli(t, "", nil, "account", "unlink", info.text("id"), "--issuer", first.base)
	shown.Identities = nil
	second.cli(t, "", &shown, "account", "show", info.text("id"))
	if len(shown.Identities) != 0 {
		t.Errorf("%+v", shown)
	}
	if r := second.info(t, tk.access); r.Status != http.StatusUnauthorized {
		t.Errorf("/info after it was unlinked: %d", r.Status)
	}
}

// The examples of docs/handoff, in Go and in JavaScript, run as a site of the owner's.
func TestHandoffExamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	private, public, binary := filepath.Join(dir, "handoff.pem"), filepath.Join(dir, "jwks.json"), filepath.Join(dir, "handoff")
	must(t, os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	if out, err := exec.Command("go", "build", "-o", binary, "../docs/handoff").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	set, err := exec.Command(binary, "-key", private, "-jwks").Output()
	must(t, err)
	must(t, os.WriteFile(public, set, 0o600))

	site := freePort(t)
	s := serve(t, "--handoff", fmt.Sprintf(`{"title":"The Mill","url":"http://%s/handoff","issuer":"http://%s","keys":%q}`, site, site, public))
	ids := make(map[string]bool)
	try := func(t *testing.T, cmd *exec.Cmd) {
		c := s.newApp(t, "https://c1.test/cb")
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		defer func() { cmd.Process.Kill(); _ = cmd.Wait() }()
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if res, err := bare.Get("http://" + site + "/"); err == nil {
				res.Body.Close()
				break
			} else if time.Now().After(until) {
				t.Fatal(err)
			}
		}
		p := s.newPerson(t, bare)
		p.open(t, "/authorize?"+c.authorization("state", "s").Encode())
		if !strings.Contains(visibleText(p.page.Body), "Continue with The Mill") {
			t.Errorf("%s", visibleText(p.page.Body))
		}
		to := p.leaves(t, "handoff")
		secret(kindPassing, to.Query().Get("handoff"))
		page := send(t, bare, request(t, http.MethodGet, to.String(), nil, asBrowser))
		list := forms(page.Body)
		if page.Status != 200 || len(list) != 1 || list[0].action != s.base+"/sign-in/handoff" {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
		statement := list[0].fields.Get("token")
		secret(kindPassing, statement)
		// A browser sends none of our cookies with the form of another site.
		posted := send(t, bare, request(t, http.MethodPost, s.base+"/sign-in/handoff", strings.NewReader(list[0].fields.Encode()), asBrowser,
			header("Content-Type", "application/x-www-form-urlencoded"), header("Origin", "http://"+site), header("Sec-Fetch-Site", "cross-site")))
		u, err := url.Parse(posted.Header.Get("Location"))
		must(t, err)
		if posted.Status != http.StatusSeeOther || u.Path != "/sign-in/handoff" {
			t.Fatalf("%d %s", posted.Status, u)
		}
		secret(kindPassing, u.Query().Get("posted"))
		p.open(t, u.RequestURI())
		q := redirected(t, c, p.submit(t, "/consent", "action", "allow"))
		tk := granted(t, s.post(t, "/token", c.redemption(q.Get("code"))))
		info := s.info(t, tk.access)
		if info.text("user") != "Ada Example" {
			t.Errorf("/info: %s", info.Body)
		}
		ids[info.text("id")] = true
		// Once.
		if jar, err := cookiejar.New(nil); err == nil {
			p.client.Jar = jar
		}
		if r := p.open(t, u.RequestURI()); r.Status != http.StatusForbidden {
			t.Errorf("in another browser: %d", r.Status)
		}
		// The example sends nobody anywhere but to its own server.
		elsewhere := strings.Replace(to.String(), "return_to="+url.QueryEscape(s.base), "return_to="+url.QueryEscape("https://evil.test"), 1)
		if r := send(t, bare, request(t, http.MethodGet, elsewhere, nil, asBrowser)); r.Status != http.StatusBadRequest {
			t.Errorf("another return_to: %d", r.Status)
		}
	}
	t.Run("Go", func(t *testing.T) {
		try(t, exec.Command(binary, "-key", private, "-listen", site, "-symbolon", s.base))
	})
	t.Run("JavaScript", func(t *testing.T) {
		tools, err := filepath.Abs("../.tools/node_modules")
		must(t, err)
		must(t, os.Symlink(tools, filepath.Join(dir, "node_modules")))
		text, err := os.ReadFile("../docs/handoff/handoff.mjs")
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, "handoff.mjs"), text, 0o600))
		cmd := exec.Command(filepath.Join(tools, ".bin/node"), "handoff.mjs")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "KEY="+private, "LISTEN="+site, "SYMBOLON="+s.base)
		try(t, cmd)
	})
	if len(ids) != 1 {
		t.Errorf("%d accounts of one person", len(ids))
	}
}
