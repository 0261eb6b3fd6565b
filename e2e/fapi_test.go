//go:build linux

package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fapiClient is an app of the profile fapi2 as a developer writes it.
type fapiClient struct {
	*app
	issuer string
	// speaks makes the app's requests; stranger has not its certificate, and other, where
	// it is set, another one.
	speaks, stranger, other *http.Client
	key                     jwtSigner
	// bearer is the token_type that it gets.
	bearer string
	// asserts: it proves itself by an assertion. dpop: it sends proofs of this key.
	asserts bool
	dpop    *jwtSigner
}

// proves adds what the app proves itself with.
func (c *fapiClient) proves(t testing.TB, v url.Values) url.Values {
	t.Helper()
	v.Set("client_id", c.ID)
	if c.asserts {
		now := time.Now().Unix()
		v.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		v.Set("client_assertion", c.key.sign(t, map[jose.HeaderKey]any{"kid": "k1", "typ": "JWT", "x-more": "passed over"}, map[string]any{
			"iss": c.ID, "sub": c.ID, "aud": c.issuer, "iat": now + 8, "nbf": now + 8, "exp": now + 60, "jti": rand.Text(), "more": []int{1},
		}))
	}
	return v
}

// holds is what shows, with a request, that the app has the key of its tokens.
func (c *fapiClient) holds(t testing.TB, method, path, token string) []option {
	t.Helper()
	if c.dpop == nil {
		return nil
	}
	claims := map[string]any{"htm": method, "htu": c.issuer + path, "iat": time.Now().Unix() - 10, "exp": time.Now().Unix() + 50, "jti": rand.Text()}
	if token != "" {
		hash := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	// In capitals, as one client writes it.
	proof := c.dpop.sign(t, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: c.dpop.key.Public()}}, claims)
	return []option{header("DPOP", proof)}
}

func (c *fapiClient) sends(t testing.TB, by *http.Client, path string, v url.Values, opts ...option) *reply {
	t.Helper()
	opts = append(opts, header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"), header("Accept", "application/json, */*;q=0.1"), header("Accept-Charset", "utf-8"))
	return send(t, by, request(t, http.MethodPost, c.s.base+path, strings.NewReader(v.Encode()), opts...))
}

// shows asks for something with a token.
func (c *fapiClient) shows(t testing.TB, by *http.Client, path, scheme, token string, opts ...option) *reply {
	t.Helper()
	return send(t, by, request(t, http.MethodGet, c.s.base+path, nil, append(opts, header("Authorization", scheme+" "+token))...))
}

// FAPI2-5.3.2.1-b, FAPI2-5.3.2.2-a: an app of FAPI 2.0 from its pushed request to its refreshed
// token, over HTTP, with OpenID Connect and without.
func (c *fapiClient) walks(t *testing.T, allow func(t *testing.T, link string) url.Values) {
	described := send(t, c.stranger, request(t, http.MethodGet, c.s.base+"/.well-known/oauth-authorization-server", nil))
	if described.text("issuer") != c.issuer || described.text("pushed_authorization_request_endpoint") != c.issuer+"/oauth2/par" {
		t.Fatalf("the metadata: %s", described.Body)
	}
	for _, scope := range []string{"connect", "openid connect"} {
		t.Run(scope, func(t *testing.T) {
			verifier, challenge := pkce()
			state := strings.Repeat("s", 1000)
			asks := func() url.Values {
				return url.Values{"response_type": {"code"}, "redirect_uri": {c.redirect}, "scope": {scope}, "state": {state}, "nonce": {strings.Repeat("n", 64)}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
			}
			if r := c.sends(t, c.stranger, "/oauth2/par", with(asks(), "client_id", c.ID)); r.Status != 401 || r.text("error") != "invalid_client" {
				t.Errorf("pushed by a stranger: %d %s", r.Status, r.Body)
			}
			pushed := c.sends(t, c.speaks, "/oauth2/par", c.proves(t, asks()))
			if pushed.Status != 201 {
				t.Fatalf("pushed: %d %s", pushed.Status, pushed.Body)
			}
			link := "/oauth2/authorize?" + url.Values{"client_id": {c.ID}, "request_uri": {pushed.text("request_uri")}}.Encode()
			back := allow(t, link)
			if back.Get("code") == "" || back.Get("state") != state || back.Get("iss") != c.issuer {
				t.Fatalf("the answer: %v", back)
			}
			unpushed := asks()
			unpushed.Set("client_id", c.ID)
			r := send(t, c.stranger, request(t, http.MethodGet, c.s.base+"/oauth2/authorize?"+unpushed.Encode(), nil, asBrowser))
			redirectedWith(t, c.app, r, "invalid_request")

			trade := url.Values{"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {c.redirect}, "code_verifier": {verifier}}
			for path := range map[string]bool{"/oauth2/token": true, "/token": true} {
				if r := c.sends(t, c.stranger, path, c.proves(t, trade)); r.Status != 400 && r.Status != 401 || r.text("error") != "invalid_request" && r.text("error") != "invalid_client" || r.text("access_token") != "" {
					t.Errorf("%s without a key: %d %s", path, r.Status, r.Body)
				}
			}
			r = c.sends(t, c.speaks, "/oauth2/token", c.proves(t, trade), c.holds(t, "POST", "/oauth2/token", "")...)
			if r.Status != 200 || r.text("token_type") != c.bearer || (r.text("id_token") != "") != strings.Contains(scope, "openid") {
				t.Fatalf("tokens: %d %s", r.Status, r.Body)
			}
			refresh := r.text("refresh_token")
			secret(kindSecret, r.text("access_token"))
			secret(kindSecret, refresh)
			if id := r.text("id_token"); id != "" {
				parsed, err := jose.ParseSigned(id, []jose.SignatureAlgorithm{jose.ES256})
				must(t, err)
				if parsed.Signatures[0].Protected.KeyID == "" {
					t.Error("the ID token has no kid")
				}
			}
			for range 2 {
				token := r.text("access_token")
				for _, scheme := range []string{c.bearer, strings.ToLower(c.bearer), strings.ToUpper(c.bearer)} {
					if r := c.shows(t, c.speaks, "/info", scheme, token, c.holds(t, "GET", "/info", token)...); r.Status != 200 {
						t.Errorf("/info by %s: %d %s", scheme, r.Status, r.Body)
					}
				}
				for _, scheme := range []string{"Bearer", "DPoP"} {
					if r := c.shows(t, c.stranger, "/info", scheme, token); r.Status != 401 {
						t.Errorf("/info by a stranger: %d %s", r.Status, r.Body)
					}
				}
				if c.other != nil {
					if r := c.shows(t, c.other, "/info", "Bearer", token); r.Status != 401 {
						t.Errorf("/info with another certificate: %d %s", r.Status, r.Body)
					}
				}
				v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {scope}}
				if r := c.sends(t, c.stranger, "/oauth2/token", c.proves(t, v)); r.Status != 400 && r.Status != 401 {
					t.Errorf("refreshed without a key: %d %s", r.Status, r.Body)
				}
				r = c.sends(t, c.speaks, "/oauth2/token", c.proves(t, v), c.holds(t, "POST", "/oauth2/token", "")...)
				if r.Status != 200 || r.text("refresh_token") != refresh || r.text("token_type") != c.bearer {
					t.Fatalf("FAPI2-5.3.2.1-d refreshed: %d %s", r.Status, r.Body)
				}
				secret(kindSecret, r.text("access_token"))
			}
		})
	}
}

// keySetFile is a file with the public key of a signer.
func (s jwtSigner) keySetFile(t testing.TB) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: s.kid}}})
	must(t, err)
	file := filepath.Join(t.TempDir(), "jwks.json")
	must(t, os.WriteFile(file, text, 0o600))
	return file
}

// selfSigned is a certificate of the signer's key.
func (s jwtSigner) selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bank"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.key}
}

// shown is a client that shows a certificate of the signer's.
func (s jwtSigner) shown(t testing.TB, client *http.Client) *http.Client {
	t.Helper()
	tr := client.Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.Certificates = []tls.Certificate{s.selfSigned(t)}
	c := newClient()
	c.Transport = tr
	return c
}

// FAPI2-5.3.2.2-c by private_key_jwt and DPoP.
func TestFAPI2ByKey(t *testing.T) {
	t.Parallel()
	d := demo(t)
	key, proof := newSigner(t), newSigner(t)
	c := &fapiClient{issuer: d.base, speaks: newClient(), stranger: newClient(), key: key, asserts: true, dpop: &proof, bearer: "DPoP"}
	c.app = d.newApp(t, "https://bank.test/cb?tenant=1", "--scope", "connect openid", "--profile", "fapi2", "--auth", "private_key_jwt", "--keys", key.keySetFile(t))
	c.walks(t, func(t *testing.T, link string) url.Values {
		p := d.newPerson(t, newClient())
		p.open(t, link)
		p.submit(t, "/sign-in", "sandbox", d.greet.Accounts[0].ID)
		back := redirected(t, c.app, p.submit(t, "/consent", "action", "allow"))
		// It works once.
		pageOf(t, send(t, p.client, request(t, http.MethodGet, d.base+link, nil, asBrowser)), 400)
		return back
	})
}

// FAPI2-5.3.2.1-a, FAPI2-5.3.2.1-b by TLS that ends here: the certificate is how the app proves itself,
// and what its tokens are bound to.
func TestFAPI2ByCertificate(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	cert, private, client := certificate(t, address)
	s := startServe(t, newDir(), address, client, "https://auth.test", "--tls-cert", cert, "--tls-key", private)
	password, _ := s.newAccount(t, "jane", "Jane Real")
	key, other := newSigner(t), newSigner(t)
	c := &fapiClient{issuer: "https://auth.test", speaks: key.shown(t, client), stranger: other.shown(t, client), key: key, bearer: "Bearer"}
	c.app = s.newApp(t, "https://bank.test/cb", "--scope", "connect openid", "--profile", "fapi2", "--auth", "self_signed_tls_client_auth", "--keys", key.keySetFile(t))
	if !eventually(func() bool { // the server hears of the app, and asks for certificates
		r, err := trySend(c.speaks, request(t, http.MethodPost, s.base+"/oauth2/token", strings.NewReader("grant_type=client_credentials&client_id="+c.ID), header("Content-Type", "application/x-www-form-urlencoded")))
		c.speaks.CloseIdleConnections()
		return err == nil && r.text("error") == "unauthorized_client"
	}) {
		t.Fatal(s.logTail())
	}
	c.walks(t, func(t *testing.T, link string) url.Values {
		p := s.newPerson(t, client)
		p.open(t, link)
		p.signIn(t, "jane", password)
		return redirected(t, c.app, p.submit(t, "/consent", "action", "allow"))
	})
}

// FAPI2-5.3.2.1-b by TLS that ends at a proxy: the app proves itself by an assertion, and its tokens
// are bound to the certificate that the proxy forwards.
func TestFAPI2ByForwardedCertificate(t *testing.T) {
	t.Parallel()
	address, front := freePort(t), freePort(t)
	dir := newDir()
	s, out := start(t, dir, nil, "serve", "--listen", address, "--data", dir, "--base-url", "https://auth.test", "--trusted-proxy", "127.0.0.1/32", "--client-certificate-header", "Client-Cert")
	s.watch(out)
	t.Cleanup(func() { s.stop() })
	cert, private, client := certificate(t, front)
	pair, err := tls.LoadX509KeyPair(cert, private)
	must(t, err)
	l, err := tls.Listen("tcp", front, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12})
	must(t, err)
	proxy := &http.Server{ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.SetXForwarded()
		r.Out.Host = r.In.Host
		r.Out.Header.Del("Client-Cert") // what a caller sends there is none
		if shown := r.In.TLS.PeerCertificates; len(shown) > 0 {
			r.Out.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(shown[0].Raw)+":")
		}
	}}}
	go proxy.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { proxy.Close() })
	s.base = "https://auth.test"
	if !eventually(func() bool {
		r, err := trySend(client, request(t, http.MethodGet, s.base+"/readyz", nil))
		return err == nil && r.Status == http.StatusOK
	}) {
		t.Fatal(s.logTail())
	}
	password, _ := s.newAccount(t, "jane", "Jane Real")
	key, other := newSigner(t), newSigner(t)
	c := &fapiClient{issuer: s.base, speaks: key.shown(t, client), stranger: client, other: other.shown(t, client), key: key, asserts: true, bearer: "Bearer"}
	c.app = s.newApp(t, "https://bank.test/cb", "--scope", "connect openid", "--profile", "fapi2", "--auth", "private_key_jwt", "--tls-tokens", "--keys", key.keySetFile(t))
	c.walks(t, func(t *testing.T, link string) url.Values {
		p := s.newPerson(t, client)
		p.open(t, link)
		p.signIn(t, "jane", password)
		return redirected(t, c.app, p.submit(t, "/consent", "action", "allow"))
	})
}
