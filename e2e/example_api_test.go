//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// exampleAPI builds the example API, registers it at the server and starts it. It
// returns where it is.
func (d *server) exampleAPI(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "example-api")
	if out, err := exec.Command("go", "build", "-o", binary, "../docs/example-api").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var own struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	d.cli(t, "", &own, "app", "create", "--name", "Orders", "--api", "--grant", "client_credentials")
	secret(kindSecret, own.Secret)
	listen := freePort(t)
	cmd := exec.Command(binary)
	cmd.Env = append(environ(), "LISTEN="+listen, "ISSUER="+d.base, "CLIENT_ID="+own.ID, "CLIENT_SECRET="+own.Secret)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); _ = cmd.Wait() })
	base := "http://" + listen
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if res, err := bare.Get(base + "/"); err == nil {
			res.Body.Close()
			break
		} else if time.Now().After(until) {
			t.Fatal(err)
		}
	}
	return base
}

// The example API of the documentation, built and run against a real server.
func TestExampleAPI(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	base := d.exampleAPI(t)
	call := func(method, path string, opts ...option) *reply {
		t.Helper()
		return send(t, bare, request(t, method, base+path, nil, opts...))
	}
	a := d.newApp(t, d.greet.RedirectURIs[0])
	signed := d.newApp(t, d.greet.RedirectURIs[0], "--token-format", "jwt")
	want := func(name string, r *reply, status int, text string) {
		t.Helper()
		if r.Status != status || !strings.Contains(r.Header.Get("WWW-Authenticate")+string(r.Body), text) {
			t.Errorf("%s: %d %v %s, want %d with %s", name, r.Status, r.Header, r.Body, status, text)
		}
	}

	// RFC9728-5.1-a: who comes without a token finds the server.
	r := call("GET", "/orders")
	want("no token", r, 401, "resource_metadata=")
	at := regexp.MustCompile(`resource_metadata="([^"]*)"`).FindStringSubmatch(r.Header.Get("WWW-Authenticate"))
	if len(at) != 2 || !strings.HasPrefix(at[1], base) {
		t.Fatalf("challenge: %v", r.Header)
	}
	r = call("GET", strings.TrimPrefix(at[1], base))
	if servers, _ := r.JSON["authorization_servers"].([]any); r.Status != 200 || r.text("resource") != base || len(servers) != 1 || servers[0] != d.base {
		t.Errorf("metadata: %d %s", r.Status, r.Body)
	}

	// A token that names no API, sealed and signed; one that names this API; and
	// those that do not count.
	sealed, jwt := a.connect(t), signed.connect(t)
	named := signed.connectFor(t, base)
	if strings.Count(sealed.access, ".") != 0 || strings.Count(jwt.access, ".") != 2 || strings.Count(named.access, ".") != 2 {
		t.Fatal("the tokens are not of the formats that were asked for")
	}
	want("sealed", call("GET", "/orders", bearer(sealed.access)), 200, "account "+janeID+", for app "+a.ID)
	want("a JWT", call("GET", "/orders", bearer(jwt.access)), 200, "account "+janeID+", for app "+signed.ID)
	want("a JWT for it", call("GET", "/orders", bearer(named.access)), 200, "for app "+signed.ID)
	want("a JWT for another", call("GET", "/orders", bearer(signed.connectFor(t, "https://other.test").access)), 401, "invalid_token")
	want("a sealed one for another", call("GET", "/orders", bearer(a.connectFor(t, "https://other.test").access)), 401, "invalid_token")
	want("a refresh token", call("GET", "/orders", bearer(sealed.refresh)), 401, "invalid_token")
	want("without the scope", call("POST", "/orders", bearer(sealed.access)), 403, `scope="connect orders:write"`)

	// RFC9449-7.1-a: tokens that the server bound, with proofs for this API.
	for _, b := range []*app{a, signed} {
		k := newProofKey(t)
		v := b.redemption(b.code(t))
		r := d.post(t, "/oauth2/token", v, header("DPoP", k.proof(t, "POST", d.base+"/oauth2/token", "")))
		if r.Status != 200 || r.text("token_type") != "DPoP" {
			t.Fatalf("a bound token: %d %s", r.Status, r.Body)
		}
		token := r.text("access_token")
		proof := header("DPoP", k.proof(t, "GET", base+"/orders", token))
		want("bound", call("GET", "/orders", header("Authorization", "DPoP "+token), proof), 200, "for app "+b.ID)
		want("bound, the proof again", call("GET", "/orders", header("Authorization", "DPoP "+token), proof), 401, "invalid_dpop_proof")
		want("bound, as Bearer", call("GET", "/orders", bearer(token)), 401, "DPoP algs=")
		proof = header("DPoP", newProofKey(t).proof(t, "GET", base+"/orders", token))
		want("bound to another key", call("GET", "/orders", header("Authorization", "DPoP "+token), proof), 401, "invalid_dpop_proof")
	}

	// Ended is over when the answer is no longer believed, after 5 s.
	if r := d.get(t, "/invalidate", bearer(sealed.access)); r.Status != 204 {
		t.Fatalf("/invalidate: %d %s", r.Status, r.Body)
	}
	end := time.Now()
	for call("GET", "/orders", bearer(sealed.access)).Status != 401 {
		if time.Since(end) > 6*time.Second {
			t.Fatal("a token that was ended 6 s ago is taken")
		}
		time.Sleep(100 * time.Millisecond)
	}

	// The server away: JWTs go on, and about the others no one is told 401.
	fresh := a.connect(t)
	d.stop()
	want("a JWT, the server away", call("GET", "/orders", bearer(jwt.access)), 200, janeID)
	r = call("GET", "/orders", bearer(fresh.access))
	want("a sealed one, the server away", r, 503, "temporarily_unavailable")
	if r.Header.Get("Retry-After") == "" {
		t.Errorf("503 without Retry-After: %v", r.Header)
	}
}

// connectFor is connect for an API (RFC 8707).
func (a *app) connectFor(t testing.TB, resource string) tokens {
	t.Helper()
	v := a.redemption(a.code(t, "resource", resource))
	return granted(t, a.s.post(t, "/oauth2/token", v))
}

// proofKey is the key of an app that proves to have it (RFC 9449).
type proofKey struct{ *ecdsa.PrivateKey }

func newProofKey(t testing.TB) proofKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return proofKey{key}
}

// proof is a DPoP proof for a request, and for the token that it shows, if any.
func (k proofKey) proof(t testing.TB, method, url, token string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	point, err := k.PublicKey.Bytes()
	must(t, err)
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix()}
	if token != "" {
		hash := sha256.Sum256([]byte(token))
		claims["ath"] = b64.EncodeToString(hash[:])
	}
	head, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]any{
		"kty": "EC", "crv": "P-256", "x": b64.EncodeToString(point[1:33]), "y": b64.EncodeToString(point[33:])}})
	must(t, err)
	body, err := json.Marshal(claims)
	must(t, err)
	text := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	hash := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, hash[:])
	must(t, err)
	return text + "." + b64.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}
