package main

import (
	"bytes"
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
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// writePair writes a certificate of its own making with its key.
func writePair(t *testing.T, cert, key, host string, notAfter time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := replaceFile(path, pem.EncodeToMemory(block)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, "a.example", time.Now().Add(time.Hour))
	p, err := loadPair(cert, key, discard())
	if err != nil {
		t.Fatal(err)
	}
	host := func() string {
		t.Helper()
		p.lookAt = time.Time{} // as if a second had passed
		c, err := p.certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.DNSNames[0]
	}
	if got := host(); got != "a.example" {
		t.Errorf("the certificate is for %s", got)
	}
	// Only one of the two is replaced yet: they do not belong together.
	newCert, newKey := filepath.Join(dir, "new.cert"), filepath.Join(dir, "new.key")
	writePair(t, newCert, newKey, "b.example", time.Now().Add(time.Hour))
	if err := os.Rename(newCert, cert); err != nil {
		t.Fatal(err)
	}
	if got := host(); got != "a.example" {
		t.Errorf("with half of the pair replaced, the certificate is for %s", got)
	}
	if err := os.Rename(newKey, key); err != nil {
		t.Fatal(err)
	}
	if got := host(); got != "b.example" {
		t.Errorf("with the pair replaced, the certificate is for %s", got)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if got := host(); got != "b.example" {
		t.Errorf("with the file gone, the certificate is for %s", got)
	}
}

// TestDoctorOnCertificates looks at certificates that are good, old, and not
// for this server.
func TestDoctorOnCertificates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host string
		left time.Duration
		want string
	}{
		{"auth.example", 60 * 24 * time.Hour, fine},
		{"auth.example", 3 * 24 * time.Hour, warning},
		{"auth.example", -time.Minute, broken},
		{"other.example", 60 * 24 * time.Hour, broken},
	} {
		dir := t.TempDir()
		cmd := doctorCmd{settings: settings{BaseURL: "https://auth.example", TLSCert: filepath.Join(dir, "c"), TLSKey: filepath.Join(dir, "k")}}
		writePair(t, cmd.TLSCert, cmd.TLSKey, c.host, time.Now().Add(c.left))
		d := new(diagnosis)
		cmd.checkTLS(d, time.Now())
		worst := fine
		for _, f := range d.Findings {
			if f.Status == broken || f.Status == warning && worst == fine {
				worst = f.Status
			}
		}
		if worst != c.want {
			t.Errorf("%s, %v left: %s, want %s: %+v", c.host, c.left, worst, c.want, d.Findings)
		}
	}
}

// TestOnlyProxiesAreServed asks who may connect where a proxy is trusted.
func TestOnlyProxiesAreServed(t *testing.T) {
	t.Parallel()
	g := &guarded{allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	for peer, want := range map[string]bool{
		"10.1.2.3:1": true, "[::ffff:10.1.2.3]:1": true, "[fd00::1]:1": true,
		"127.0.0.1:1": true, "[::1]:1": true,
		"11.0.0.1:1": false, "192.0.2.1:1": false, "[2001:db8::1]:1": false, "[::ffff:192.0.2.1]:1": false,
	} {
		if got := g.allows(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(peer))); got != want {
			t.Errorf("%s: served %v, want %v", peer, got, want)
		}
	}
	if g.allows(&net.UnixAddr{Name: "x"}) {
		t.Error("a peer without an address is served")
	}
}

// TestServeTLS ends TLS in the built program, and renews its certificate while
// it runs.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, "auth.example", time.Now().Add(time.Hour))
	p := startServe(t, "--tls-cert", cert, "--tls-key", key)
	address := strings.TrimPrefix(p.address(), "http://")
	get := func() *http.Response {
		t.Helper()
		pool := x509.NewCertPool()
		text, err := os.ReadFile(cert)
		if err != nil || !pool.AppendCertsFromPEM(text) {
			t.Fatalf("the certificate cannot be read: %v", err)
		}
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: "auth.example"},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true,
		}}
		resp, err := client.Get("https://" + address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if resp := get(); resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("%s by %s, want 200 by HTTP/2", resp.Status, resp.Proto)
	}
	writePair(t, cert, key, "auth.example", time.Now().Add(2*time.Hour))
	time.Sleep(lookEvery + 100*time.Millisecond)
	get() // fails unless the new certificate is shown
	resp, err := http.Get("http://" + address + "/readyz")
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("plain HTTP is answered on the port of TLS")
		}
	}
}

// TestClientsAreAskedForACertificate: only when there is an app that shows one,
// whoever has none is served all the same, and whatever is shown is taken.
func TestClientsAreAskedForACertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, data := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "data")
	writePair(t, cert, key, "auth.example", time.Now().Add(time.Hour))
	writePair(t, filepath.Join(dir, "app.pem"), filepath.Join(dir, "app.key"), "app.example", time.Now().Add(-time.Minute))
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "app.pem"), filepath.Join(dir, "app.key"))
	if err != nil {
		t.Fatal(err)
	}
	create := func(args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		args = append([]string{"app", "create", "--name", "X", "--redirect-uri", "https://app.example/cb", "--data", data}, args...)
		if status := run(t.Context(), args, nil, &out, &errs, noEnv); status != exitOK {
			t.Fatalf("%s", errs.String())
		}
	}
	asked := func(address string, certificate *tls.Certificate) bool {
		t.Helper()
		pool := x509.NewCertPool()
		text, err := os.ReadFile(cert)
		if err != nil || !pool.AppendCertsFromPEM(text) {
			t.Fatalf("the certificate cannot be read: %v", err)
		}
		asked := false
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "auth.example", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return certificate, nil
			}},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true,
		}}
		resp, err := client.Get("https://" + address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
			t.Errorf("%s by %s, want 200 by HTTP/2", resp.Status, resp.Proto)
		}
		return asked
	}
	start := func() (*process, string) {
		p := startServe(t, "--tls-cert", cert, "--tls-key", key, "--data", data)
		return p, strings.TrimPrefix(p.address(), "http://")
	}
	first, address := start()
	create()
	if asked(address, &own) {
		t.Error("a client is asked for a certificate although no app shows one")
	}
	create("--auth", "tls_client_auth", "--tls-subject", "dns:app.example")
	// The command returned, so the server knows.
	if !asked(address, &own) || !asked(address, new(tls.Certificate)) {
		t.Error("a client is not asked for a certificate although an app shows one")
	}
	if err := first.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if _, address = start(); !asked(address, &own) {
		t.Error("after a new start, a client is not asked for a certificate although an app shows one")
	}
}

// CLIENTS.md: no browser is asked for a certificate for the sake of an app that
// registered itself.
func TestWhoIsAskedForACertificate(t *testing.T) {
	for _, c := range []struct {
		settings symbolon.Settings
		want     bool
	}{
		{symbolon.Settings{}, false},
		{symbolon.Settings{Auth: symbolon.AuthKey}, false},
		{symbolon.Settings{Auth: symbolon.AuthTLS}, true},
		{symbolon.Settings{Auth: symbolon.AuthSelfSignedTLS}, true},
		{symbolon.Settings{TLSTokens: true}, true},
		{symbolon.Settings{TLSTokens: true, Registration: &symbolon.Registration{}}, false},
	} {
		if got := showsCertificate(&symbolon.App{Settings: c.settings}); got != c.want {
			t.Errorf("%+v: %v", c.settings, got)
		}
	}
}
