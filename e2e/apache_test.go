//go:build linux

package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/security"
)

// apacheConf is Apache with what Debian's has of modules and those that the page turns
// on, and nothing outside its directory. %s are its address and the site.
const apacheConf = `
ServerName localhost
PidFile apache.pid
DefaultRuntimeDir .
ErrorLog error.log
LogLevel warn
User nobody
Group nogroup
Listen %s
StartServers 1
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule auth_openidc_module /usr/lib/apache2/modules/mod_auth_openidc.so
%s
`

// apache is a real Apache in front of an application that knows nothing of OpenID
// Connect, set up as docs/sign-in-to/apache.md says.
type apache struct {
	dir     string
	address string // where it listens
	url     string // another site than the server's, so that cookies are as in life
	cert    string
	client  *http.Client
}

// newApache makes Apache's directory and its certificate.
func newApache(t *testing.T) *apache {
	t.Helper()
	a := &apache{dir: t.TempDir(), address: freePort(t)}
	a.url = "https://" + strings.Replace(a.address, "127.0.0.1", "localhost", 1)
	cert, key, client := certificate(t, a.address)
	a.cert, a.client = cert, client
	must(t, os.Rename(key, filepath.Join(a.dir, "key.pem")))
	text, err := os.ReadFile(cert)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(a.dir, "cert.pem"), text, 0o600))
	return a
}

// newWiki registers the application as the page says.
func (s *server) newWiki(t *testing.T, a *apache, more ...string) *app {
	t.Helper()
	wiki := &app{s: s, redirect: a.url + "/oidc"}
	s.cli(t, "", wiki, append([]string{"app", "create", "--name", "Wiki", "--redirect-uri", wiki.redirect, "--scope", "openid profile email",
		"--post-logout-redirect-uri", a.url + "/goodbye", "--backchannel-logout-uri", a.url + "/oidc?logout=backchannel"}, more...)...)
	return wiki
}

// start starts it with the site that change makes of the blocks of the page.
func (a *apache) start(t *testing.T, wiki *app, change func(blocks []string) string) {
	t.Helper()
	const program = "/usr/sbin/apache2"
	if _, err := os.Stat(program); err != nil {
		t.Fatal("there is no Apache on this machine; “make setup” installs it")
	}
	app := httptest.NewServer(http.HandlerFunc(a.application))
	t.Cleanup(app.Close)
	passphrase := rand.Text()
	secret(kindSecret, passphrase)
	blocks := quoted(t, "sign-in-to/apache.md", "apache", map[string]string{
		"https://auth.example.com": wiki.s.base, "wiki.example.com": strings.TrimPrefix(a.url, "https://"), "*:443": a.address,
		"/etc/ssl/wiki": a.dir, "http://127.0.0.1:9000": app.URL,
		"CLIENT_ID": wiki.ID, "CLIENT_SECRET": wiki.Secret, "PASSPHRASE": passphrase,
	})
	must(t, os.WriteFile(filepath.Join(a.dir, "apache2.conf"), fmt.Appendf(nil, apacheConf, a.address, change(blocks)), 0o600))
	t.Cleanup(func() {
		if text, err := os.ReadFile(filepath.Join(a.dir, "error.log")); err == nil && t.Failed() {
			t.Logf("Apache's log:\n%s", text)
		}
	})
	startFront(t, exec.Command(program, "-d", a.dir, "-f", "apache2.conf", "-DFOREGROUND"), filepath.Join(a.dir, "error.log"), a.client, a.url)
}

// application shows whom Apache says it has before it, and would believe a stranger
// whom Apache lets say so.
func (a *apache) application(w http.ResponseWriter, r *http.Request) {
	heading, link := "The wiki", `<p><a href="/oidc?logout=`+url.QueryEscape(a.url+"/goodbye")+`">Leave</a>`
	if r.URL.Path == "/goodbye" {
		heading, link = "Goodbye", ""
	}
	var list strings.Builder
	for _, claim := range []string{"sub", "email", "email_verified", "name", "preferred_username"} {
		fmt.Fprintf(&list, "<p>%s is “%s”", claim, html.EscapeString(r.Header.Get("OIDC_CLAIM_"+claim)))
	}
	writePage(w, heading, list.String()+link)
}

// reader is a window of somebody who reads the wiki.
func (a *apache) reader(t *testing.T, b *chromium) *tab {
	t.Helper()
	p := b.window(t)
	tabCall(p, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	p.mayVisit(a.url)
	return p
}

// leavesAndIsTold signs out at the wiki and comes back to it; signs in again; signs
// out at the server, of which Apache is told.
func (a *apache) leavesAndIsTold(p *tab, signIn func()) {
	p.t.Helper()
	p.press("Leave")
	p.arrives("Goodbye")
	p.reads("sub is “”")
	p.visit(a.url + "/page")
	p.at(atSignIn) // there is no session, neither here nor there
	signIn()
	p.arrives("The wiki")
	q := p.beside()
	q.visit(p.s.base + "/sign-out")
	q.press("Sign out")
	q.at("signed out")
	p.until("Apache, which is told that the session is over", func() bool {
		p.visit(a.url + "/page")
		return p.heading() == atSignIn
	})
}

// The first block of docs/sign-in-to/apache.md, run by a real Apache: a secret and
// PKCE, who signed in, and out again, from either side.
func testApache(t *testing.T, b *chromium) {
	a := newApache(t)
	dir := newDir()
	moreEnviron.Store(dir, []string{"SSL_CERT_FILE=" + a.cert})
	b = &chromium{ctx: b.ctx, s: startDemo(t, dir)}
	wiki := b.s.newWiki(t, a)
	secret(kindSecret, wiki.Secret)
	a.start(t, wiki, func(blocks []string) string { return blocks[0] })

	p := a.reader(t, b)
	p.visit(a.url + "/page")
	p.signIn(b.jane())
	p.at(atConsent)
	p.press("Allow")
	p.arrives("The wiki")
	if at := tabEval[string](p, "location.href"); at != a.url+"/page" {
		t.Errorf("it leads back to %s", at)
	}
	p.reads("sub is “"+b.jane().ID+"”", "email is “jane.doe@example.com”", "email_verified is “1”", "name is “Jane Doe”", "preferred_username is “"+b.jane().Username+"”")
	a.leavesAndIsTold(p, func() { p.signIn(b.jane()) })

	// Nobody is who they say in a header, where Apache asks and where it lets through.
	for path, want := range map[string]int{"/goodbye": 200, "/page": 302} {
		r := send(t, a.client, request(t, "GET", a.url+path, nil, asBrowser, header("OIDC_CLAIM_sub", "evil"), header("OIDC_CLAIM_email", "evil")))
		if r.Status != want || strings.Contains(string(r.Body), "evil") {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
}

// The same with the second block, in front of a server for real use: a key instead of
// the secret, and the answer by a form from another site.
func testApacheWithAKey(t *testing.T, b *chromium) {
	a := newApache(t)
	signing, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(signing)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(signing.Public())
	must(t, err)
	for name, block := range map[string]*pem.Block{"sign.key": {Type: "PRIVATE KEY", Bytes: private}, "sign.pub": {Type: "PUBLIC KEY", Bytes: public}} {
		must(t, os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(block), 0o600))
	}
	dir, address := newDir(), freePort(t)
	moreEnviron.Store(dir, []string{"SSL_CERT_FILE=" + a.cert})
	b = &chromium{ctx: b.ctx, s: startServe(t, dir, address, bare, "http://"+address, "--fetch-network", "127.0.0.1", "--fetch-network", "::1")}
	password, id := b.s.newAccount(t, "jane", "Jane Real")
	b.s.cli(t, "", nil, "account", "edit", "jane", "--email", "jane@real.example")
	jane := demoAccount{Username: "jane", Password: password, User: "Jane Real", ID: id}
	wiki := b.s.newWiki(t, a, "--auth", "private_key_jwt", "--keys-uri", a.url+"/oidc?jwks=rsa")
	a.start(t, wiki, func(blocks []string) string {
		site := regexp.MustCompile(` *OIDCClientSecret .*\n`).ReplaceAllString(blocks[0], "")
		before, after, ok := strings.Cut(site, "    <Location />")
		if !ok {
			t.Fatal("the site protects nothing")
		}
		return before + blocks[1] + blocks[2] + "<Location />" + after
	})

	p := a.reader(t, b)
	p.visit(a.url + "/page")
	p.signIn(jane)
	p.at(atConsent)
	p.click("Allow")
	p.arrives("The wiki")
	p.reads("sub is “"+id+"”", "email is “jane@real.example”", "email_verified is “0”", "name is “Jane Real”")
	a.leavesAndIsTold(p, func() {
		p.fill("username", jane.Username)
		p.fill("password", jane.Password)
		p.click("Sign in")
	})
}
