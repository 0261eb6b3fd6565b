//go:build linux

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate makes a certificate for 127.0.0.1, localhost and auth.test, writes it and
// its key as PEM files, and returns a client that trusts it and that reaches
// every host at address.
func certificate(t testing.TB, address string) (cert, key string, client *http.Client) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "symbolon e2e"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"auth.test", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	pool.AddCert(parsed)
	client = newClient()
	tr := client.Transport.(*http.Transport)
	tr.TLSClientConfig = &tls.Config{RootCAs: pool}
	var dialer net.Dialer
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
	return cert, key, client
}

// newAccount makes an account by the command line, and returns its password.
func (s *server) newAccount(t testing.TB, username, name string) (password, id string) {
	t.Helper()
	password = newPassword()
	var v struct {
		ID string `json:"id"`
	}
	s.cli(t, password+"\n", &v, "account", "create", "--username", username, "--name", name, "--password-stdin")
	if len(v.ID) != 40 {
		t.Fatalf("account create printed the id %q", v.ID)
	}
	return password, v.ID
}

// serve starts a server for real use on plain HTTP on loopback.
func serve(t testing.TB, more ...string) *server {
	t.Helper()
	address := freePort(t)
	return startServe(t, newDir(), address, bare, "http://"+address, more...)
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	cert, key, client := certificate(t, address)
	s := startServe(t, newDir(), address, client, "https://auth.test", "--tls-cert", cert, "--tls-key", key)
	a := s.newApp(t, "https://c1.test/cb")
	password, id := s.newAccount(t, "jane", "Jane Real")
	p := s.newPerson(t, client)
	r := p.open(t, "/authorize?"+a.authorization("state", "s 1").Encode())
	pageOf(t, r, 200)
	for _, c := range cookiesOf(r) {
		hostCookie(t, c)
	}
	// The sign-in answers with the session's cookie before it leads on.
	f := p.form(t, "/sign-in")
	req := request(t, http.MethodPost, s.base+"/sign-in", strings.NewReader(with(f.fields, "username", "jane", "password", password).Encode()),
		asBrowser, header("Content-Type", "application/x-www-form-urlencoded"), header("Origin", s.base), header("Sec-Fetch-Site", "same-origin"))
	signed := send(t, p.client, req)
	if signed.Status != 303 || len(cookiesOf(signed)) == 0 {
		t.Fatalf("sign-in: %d, cookies %v\n%s", signed.Status, cookiesOf(signed), visibleText(signed.Body))
	}
	for _, c := range cookiesOf(signed) {
		hostCookie(t, c)
	}
	pageOf(t, p.follow(t, signed, s.base+"/sign-in"), 200)
	q := redirected(t, a, p.submit(t, "/consent", "action", "allow"))
	if q.Get("state") != "s 1" {
		t.Errorf("state %q", q.Get("state"))
	}
	tlsPost := func(path string, v map[string][]string) *reply {
		req := request(t, http.MethodPost, s.base+path, strings.NewReader(with(v).Encode()), header("Content-Type", "application/x-www-form-urlencoded"))
		return send(t, client, req)
	}
	tk := granted(t, tlsPost("/token", a.redemption(q.Get("code"))))
	info := send(t, client, request(t, http.MethodGet, s.base+"/info", nil, bearer(tk.access)))
	if info.text("id") != id || info.text("user") != "Jane Real" {
		t.Errorf("/info: %s", info.Body)
	}
	// Plain HTTP on the port of TLS gives nothing away.
	plain, err := trySend(bare, request(t, http.MethodGet, "http://"+address+"/healthz", nil))
	if err == nil && plain.Status == 200 {
		t.Error("it answers plain HTTP too")
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("it speaks TLS 1.1")
	}
	// FAPI2-5.2-a: of TLS 1.2, what BCP 195 recommends and nothing else.
	for suite, want := range map[uint16]bool{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: true,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: false, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: false,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: false,
	} {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if (err == nil) != want {
			t.Errorf("FAPI2-5.2-a %s: %v", tls.CipherSuiteName(suite), err)
		}
		if err == nil {
			must(t, c.Close())
		}
	}
	// A certificate that changes is taken up without a restart.
	cert2, key2, client2 := certificate(t, address)
	for from, to := range map[string]string{cert2: cert, key2: key} {
		text, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(to, text, 0o600))
	}
	if !eventually(func() bool {
		client2.CloseIdleConnections()
		_, err := trySend(client2, request(t, http.MethodGet, s.base+"/healthz", nil))
		return err == nil
	}) {
		t.Error("the new certificate is not taken up")
	}
}

func cookiesOf(r *reply) []*http.Cookie {
	return (&http.Response{Header: r.Header}).Cookies()
}

// hostCookie holds a cookie of an https server to SYM-HTTP-3, B35.
func hostCookie(t testing.TB, c *http.Cookie) {
	t.Helper()
	if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %s", strings.Replace(c.String(), c.Value, "…", 1))
	}
}

// Plain HTTP is for loopback only, and the base URL has one spelling.
func TestServeRefusals(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t, "")
	for name, args := range map[string][]string{
		"no base URL":                     {"--listen", "127.0.0.1:0"},
		"plain HTTP on every address":     {"--listen", "0.0.0.0:0", "--base-url", "https://auth.test"},
		"plain HTTP on a name":            {"--listen", ":0", "--base-url", "https://auth.test"},
		"a plain base URL elsewhere":      {"--listen", "127.0.0.1:0", "--base-url", "http://auth.test"},
		"a final slash":                   {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test/"},
		"a final slash after a path":      {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test/oauth/"},
		"two slashes":                     {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test//oauth"},
		"a path with dots":                {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test/a/../oauth"},
		"an escaped path":                 {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test/o%61uth"},
		"a query":                         {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test/oauth?x"},
		"upper case":                      {"--listen", "127.0.0.1:0", "--base-url", "https://Auth.test"},
		"a certificate without its key":   {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test", "--tls-cert", cert},
		"a key that is none":              {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test", "--tls-cert", cert, "--tls-key", cert},
		"a certificate that is not there": {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test", "--tls-cert", "/nonexistent", "--tls-key", key},
		"a proxy that is everyone":        {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test", "--trusted-proxy", "0.0.0.0/0"},
		"a proxy that is no network":      {"--listen", "127.0.0.1:0", "--base-url", "https://auth.test", "--trusted-proxy", "proxy"},
		"a flag that there is not":        {"--sandbox"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := commandFor(t, 30*time.Second, append([]string{"serve", "--data", newDir()}, args...)...)
			if status <= 0 || stdout != "" || !strings.Contains(stderr, "symbolon: error: ") || !strings.Contains(stderr, "symbolon: hint: ") {
				t.Errorf("exit status %d, printed %q and %q", status, stdout, stderr)
			}
		})
	}
}

// RFC8414-3-a, RFC8414-3.3-a: an issuer with a path, behind a proxy that keeps it:
// where things are, the flow of pages below it, and one spelling of the issuer.
func TestServeWithAPath(t *testing.T) {
	t.Parallel()
	listen := freePort(t)
	s := startServe(t, newDir(), listen, bare, "http://"+listen+"/t1")
	password, _ := s.newAccount(t, "jane", "Jane Real")
	a := s.newApp(t, "https://c1.test/cb")
	root := strings.TrimSuffix(s.base, "/t1")
	for _, at := range []string{root + "/.well-known/oauth-authorization-server/t1", root + "/.well-known/openid-configuration/t1", s.base + "/.well-known/openid-configuration"} {
		r := send(t, bare, request(t, "GET", at, nil))
		if r.Status != 200 || r.text("issuer") != s.base || r.text("token_endpoint") != s.base+"/oauth2/token" {
			t.Errorf("%s: %d %s", at, r.Status, r.Body)
		}
	}
	verifier, challenge := pkce()
	req := a.authorization("code_challenge", challenge, "code_challenge_method", "S256").Encode()
	jar, err := cookiejar.New(nil)
	must(t, err)
	browser := *bare
	browser.Jar = jar
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), s.base+"/") {
			return http.ErrUseLastResponse // to the app
		}
		return nil
	}
	page := send(t, &browser, request(t, "GET", s.base+"/oauth2/authorize?"+req, nil, asBrowser))
	for _, answer := range []url.Values{{"username": {"jane"}, "password": {password}}, {"action": {"allow"}}} {
		list := forms(page.Body)
		if len(list) == 0 || !strings.HasPrefix(list[0].action, "/t1/") {
			t.Fatalf("no form below the path: %d %s", page.Status, visibleText(page.Body))
		}
		v := list[0].fields
		secret(kindPassing, v.Get("flow"))
		for name := range answer {
			v.Set(name, answer.Get(name))
		}
		page = send(t, &browser, request(t, "POST", root+list[0].action, strings.NewReader(v.Encode()), asBrowser,
			header("Content-Type", "application/x-www-form-urlencoded"), header("Origin", root), header("Sec-Fetch-Site", "same-origin")))
	}
	back, err := url.Parse(page.Header.Get("Location"))
	must(t, err)
	if back.Query().Get("iss") != s.base {
		t.Fatalf("the answer is %d to %q", page.Status, page.Header.Get("Location"))
	}
	granted(t, s.post(t, "/oauth2/token", a.redemption(back.Query().Get("code"), "code_verifier", verifier)))
}

// A server for real use has nothing of the sandbox, and the two never mix.
func TestServeHasNoSandbox(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a := s.newApp(t, "https://c1.test/cb")
	s.newAccount(t, "jane", "Jane Real")
	refused(t, a.authorize(t, a.authorization()), 400, "login_required")
	refused(t, a.authorize(t, a.authorization("login_hint", "jane")), 400, "login_required")
	p := s.newPerson(t, bare)
	r := p.open(t, "/authorize?"+a.authorization().Encode())
	if text := string(r.Body); strings.Contains(text, `name="sandbox"`) || strings.Contains(text, "Jane") {
		t.Error("the sign-in page shows accounts")
	}
	if r := p.submit(t, "/sign-in", "sandbox", janeID); r.Status == 200 && r.Header.Get("Location") != "" || p.cookie("symbolon-session") != "" {
		t.Errorf("a sandbox account signs in: %d", r.Status)
	}
	if r := s.get(t, "/playground"); r.Status != 404 {
		t.Errorf("/playground: %d", r.Status)
	}
	s.stop()
	stdout, stderr, status := commandFor(t, 30*time.Second, "demo", "--listen", "127.0.0.1:0", "--data", s.dir, "--json")
	if status <= 0 || stdout != "" {
		t.Errorf("a demo runs on the data of a server: %d %q %q", status, stdout, stderr)
	}
	d := startDemo(t, newDir())
	d.stop()
	stdout, stderr, status = commandFor(t, 30*time.Second, "serve", "--listen", "127.0.0.1:0", "--base-url", "http://127.0.0.1:1", "--data", d.dir)
	if status <= 0 {
		t.Errorf("a server runs on the data of a demo: %d %q %q", status, stdout, stderr)
	}
	if _, _, status := commandFor(t, 30*time.Second, "demo", "--listen", "0.0.0.0:0", "--data", newDir(), "--json"); status <= 0 {
		t.Error("a demo listens on every address")
	}
}

// SYM-HTTP-6, B52: X-Forwarded-For is believed from the trusted proxy alone.
// What it decides shows in the log, and in who is slowed.
func TestServeBehindProxy(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	client := newClient()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	// The proxy is 127.0.0.1; the test speaks for it.
	dir := newDir()
	s, out := start(t, dir, nil, "serve", "--listen", address, "--data", dir, "--base-url", "https://auth.test", "--trusted-proxy", "127.0.0.1/32")
	s.watch(out)
	t.Cleanup(func() { s.stop() })
	s.base = "http://auth.test" // as the proxy speaks to it
	if !eventually(func() bool {
		r, err := trySend(client, request(t, http.MethodGet, s.base+"/readyz", nil))
		return err == nil && r.Status == http.StatusOK
	}) {
		t.Fatal(s.logTail())
	}
	ask := func(opts ...option) *reply {
		t.Helper()
		return send(t, client, request(t, http.MethodGet, s.base+"/info", nil, opts...))
	}
	logged := func(r *reply, address string) {
		t.Helper()
		id := r.Header.Get("X-Request-Id")
		if !eventually(func() bool {
			for line := range strings.Lines(s.logText()) {
				if strings.Contains(line, id) {
					return strings.Contains(line, `"address":"`+address+`"`)
				}
			}
			return false
		}) {
			t.Errorf("the log does not name %s for %s\n%s", address, id, s.logTail())
		}
	}
	logged(ask(header("X-Forwarded-For", "203.0.113.7")), "203.0.113.7")
	logged(ask(header("X-Forwarded-For", "198.51.100.1, 203.0.113.8")), "203.0.113.8") // what the caller wrote comes first
	logged(ask(header("X-Forwarded-For", "203.0.113.9, 127.0.0.1")), "203.0.113.9")
	logged(ask(header("X-Forwarded-For", "nonsense")), "127.0.0.1")
	logged(ask(header("Forwarded", "for=203.0.113.10"), header("X-Real-Ip", "203.0.113.10"), header("X-Forwarded-Host", "evil.test")), "127.0.0.1")
	// The issuer comes from the settings, never from what is sent.
	r := ask(header("X-Forwarded-Host", "evil.test"), header("X-Forwarded-Proto", "http"), func(r *http.Request) { r.Host = "evil.test" })
	if uri := r.text("error_uri"); !strings.HasPrefix(uri, "https://auth.test/") {
		t.Errorf("error_uri %q", uri)
	}
	// Without a trusted proxy, no one's X-Forwarded-For is believed.
	plain := serve(t)
	got := plain.get(t, "/info", header("X-Forwarded-For", "203.0.113.7"))
	if !eventually(func() bool { return strings.Contains(plain.logText(), got.Header.Get("X-Request-Id")) }) || strings.Contains(plain.logText(), "203.0.113.7") {
		t.Error("a forged X-Forwarded-For is believed")
	}
}

// This computer is served beside the trusted proxy, for the operator's own
// checks, but what it says about others is not believed. (Peers from elsewhere
// are refused; no test here may listen where they could be.)
func TestServeOtherPeer(t *testing.T) {
	t.Parallel()
	address, dir := freePort(t), newDir()
	s, out := start(t, dir, nil, "serve", "--listen", address, "--data", dir, "--base-url", "https://auth.test", "--trusted-proxy", "192.0.2.1")
	s.watch(out)
	t.Cleanup(func() { s.stop() })
	if !eventually(func() bool {
		r, err := trySend(bare, request(t, http.MethodGet, "http://"+address+"/info", nil, header("X-Forwarded-For", "203.0.113.7")))
		return err == nil && r.Status == 401
	}) {
		t.Fatal(s.logTail())
	}
	if strings.Contains(s.logText(), "203.0.113.7") {
		t.Error("X-Forwarded-For is believed from a peer that is not the proxy")
	}
}
