//go:build linux

package e2e

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// script runs one of the clients of javascript/ with the Node.js that make setup
// installs, and returns what it printed.
func script(t *testing.T, name string, env ...string) string {
	t.Helper()
	tools, err := filepath.Abs("../.tools/node_modules")
	must(t, err)
	if _, err := os.Stat(filepath.Join(tools, ".bin/node")); err != nil {
		t.Fatalf("the clients in JavaScript are missing: %v; make setup installs them", err)
	}
	// Modules are looked for beside the script.
	dir := t.TempDir()
	must(t, os.Symlink(tools, filepath.Join(dir, "node_modules")))
	text, err := os.ReadFile(filepath.Join("javascript", name))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	cmd := exec.CommandContext(t.Context(), filepath.Join(tools, ".bin/node"), name)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "done") {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// What most clients in JavaScript are made with.
func TestOpenIDClient(t *testing.T) {
	t.Parallel()
	d := demo(t)
	const redirect = "http://127.0.0.1/callback"
	a, public := d.newApp(t, redirect), d.newApp(t, redirect, "--public")
	script(t, "openid-client.mjs", "ISSUER="+d.base, "CLIENT_ID="+a.ID, "CLIENT_SECRET="+a.Secret, "PUBLIC_ID="+public.ID,
		"REDIRECT_URI="+redirect, "JANE="+d.greet.Accounts[0].ID, "DPOP=1", "PAR=1")
}

// What is encrypted here, a client opens by another library than ours, with keys that this
// server never saw.
func TestEncryptedClient(t *testing.T) {
	t.Parallel()
	d := demo(t)
	const redirect = "http://127.0.0.1/callback"
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	type reader struct {
		ID       string `json:"id"`
		Secret   string `json:"secret"`
		Key      string `json:"key"`
		Alg      string `json:"alg"`
		Enc      string `json:"enc"`
		Kid      string `json:"kid"`
		identity crypto.Signer
	}
	apps := []*reader{
		{Alg: "ECDH-ES", Enc: "A128CBC-HS256", identity: ec}, {Alg: "ECDH-ES+A128KW", Enc: "A256CBC-HS512", identity: ec},
		{Alg: "ECDH-ES+A256KW", Enc: "A256GCM", identity: ec}, {Alg: "RSA-OAEP-256", Enc: "A128GCM", identity: suiteKey()},
	}
	for _, a := range apps {
		a.Kid = "reads"
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: a.identity.Public(), KeyID: a.Kid, Use: "enc"}}})
		must(t, err)
		file := filepath.Join(t.TempDir(), "jwks.json")
		must(t, os.WriteFile(file, set, 0o600))
		how := a.Alg + "/" + a.Enc
		made := d.newApp(t, redirect, "--scope", "openid email", "--keys", file, "--id-token-alg", "ES256", "--userinfo-alg", "ES256", "--id-token-encryption", how, "--userinfo-encryption", how)
		key, err := x509.MarshalPKCS8PrivateKey(a.identity)
		must(t, err)
		a.ID, a.Secret, a.Key = made.ID, made.Secret, base64.StdEncoding.EncodeToString(key)
	}
	text, err := json.Marshal(apps)
	must(t, err)
	script(t, "encrypted.mjs", "ISSUER="+d.base, "REDIRECT_URI="+redirect, "JANE="+d.greet.Accounts[0].ID, "APPS="+string(text))
}

// The MCP SDK: a client that no one registered before.
func TestMCPClient(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t, "")
	// The demo fetches the client's document, so it must believe its certificate.
	dir := newDir()
	moreEnviron.Store(dir, []string{"SSL_CERT_FILE=" + cert})
	d := startDemo(t, dir)
	script(t, "mcp.mjs", "ISSUER="+d.base, "CERT="+cert, "KEY="+key, "JANE="+d.greet.Accounts[0].ID)
}

// The MCP conformance tool's checks of an authorization server. A person would
// open the address that it prints; where no one needs to be asked, a program may.
func TestMCPConformance(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.newApp(t, "http://127.0.0.1/callback", "--public")
	tools, err := filepath.Abs("../.tools/node_modules")
	must(t, err)
	_, port, err := net.SplitHostPort(freePort(t))
	must(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(tools, ".bin/node"), filepath.Join(tools, "@modelcontextprotocol/conformance/dist/index.js"),
		"authorization", "--url", d.base, "--client-id", a.ID, "--resource", "https://mcp.test/mcp", "--port", port)
	cmd.Dir = t.TempDir()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var text strings.Builder
	asked := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if line := lines.Text(); !asked && strings.HasPrefix(line, d.base+"/oauth2/authorize?") {
			asked = true
			go openAsCaller(t, line, port)
		}
	}
	err = cmd.Wait()
	for _, want := range []string{"✓ authorization-server-metadata-endpoint: 2 passed, 0 failed", "✓ authorization-code-grant: 1 passed, 0 failed"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tool does not say %q (%v):\n%s", want, err, text.String())
		}
	}
}

// openAsCaller sends a request to the authorization endpoint, and its answer to
// the app that listens on a port of this machine.
func openAsCaller(t *testing.T, address, port string) {
	r := send(t, newClient(), request(t, "GET", address, nil))
	to := r.Header.Get("Location")
	if !strings.HasPrefix(to, "http://127.0.0.1:"+port+"/callback?") {
		t.Errorf("the answer is %d and leads to %q", r.Status, to)
		return
	}
	for range 50 { // it may not listen yet
		if resp, err := http.Get(to); err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("no one listens on port %s", port)
}
