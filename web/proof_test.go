package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// prover makes DPoP proofs.
type prover struct{ key *ecdsa.PrivateKey }

func newProver(t testing.TB) prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return prover{key}
}

func (p prover) proof(t testing.TB, method, url, token, nonce string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	check(t, err)
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix()}
	if token != "" {
		hash := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	b, err := json.Marshal(claims)
	check(t, err)
	signed, err := s.Sign(b)
	check(t, err)
	text, err := signed.CompactSerialize()
	check(t, err)
	return text
}

// The whole way of a bound token over HTTP: RFC9449-5-a, RFC9449-7.1-a,
// RFC9449-8-a, RFC9449-8.2-a, RFC9449-4.3-7 and the statuses of each.
func TestDPoP(t *testing.T) {
	const issuer = "https://as.test/t1" // as behind a proxy that ends TLS
	f := newFixtureAt(t, issuer)
	p := newProver(t)
	_, a := f.call(t, "GET", "/t1"+f.authorize(), nil)
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {a["code"].(string)}, "client_id": {string(f.app.ID)},
		"client_secret": {f.secret}, "redirect_uri": {f.app.RedirectURIs[0]},
	}
	resp, body := f.call(t, "POST", "/t1/oauth2/token", form, "DPoP", p.proof(t, "POST", f.URL+"/t1/oauth2/token", "", ""))
	if resp.StatusCode != 400 || body["error"] != "invalid_dpop_proof" || resp.Header.Get("DPoP-Nonce") == "" {
		t.Fatalf("a proof for our own address: %d %v %v", resp.StatusCode, body, resp.Header)
	}
	resp, body = f.call(t, "POST", "/t1/oauth2/token", form, "DPoP", p.proof(t, "POST", issuer+"/oauth2/token", "", "x"))
	nonce := resp.Header.Get("DPoP-Nonce")
	if resp.StatusCode != 400 || body["error"] != "use_dpop_nonce" || nonce == "" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("a wrong nonce: %d %v %v", resp.StatusCode, body, resp.Header)
	}
	resp, body = f.call(t, "POST", "/t1/oauth2/token", form, "DPoP", p.proof(t, "POST", issuer+"/oauth2/token", "", nonce))
	if resp.StatusCode != 200 || body["token_type"] != "DPoP" || resp.Header.Get("DPoP-Nonce") == "" {
		t.Fatalf("token: %d %v", resp.StatusCode, body)
	}
	token := body["access_token"].(string)
	show := func(scheme, proof string, more ...string) (*http.Response, map[string]any) {
		t.Helper()
		header := append([]string{"Authorization", scheme + " " + token}, more...)
		if proof != "" {
			header = append(header, "DPoP", proof)
		}
		return f.call(t, "GET", "/t1/info", nil, header...)
	}
	good := func() string { return p.proof(t, "GET", issuer+"/info", token, "") }
	for _, c := range []struct {
		name, scheme, proof string
		more                []string
		status              int
		code                string
	}{
		{"with its proof", "DPoP", good(), nil, 200, ""},
		{"in any case", "dpop", good(), nil, 200, ""},
		{"as Bearer", "Bearer", "", nil, 401, "invalid_token"},
		{"as Bearer with a proof", "Bearer", good(), nil, 401, "invalid_token"},
		{"without a proof", "DPoP", "", nil, 401, "invalid_dpop_proof"},
		{"with two", "DPoP", good(), []string{"DPoP", good()}, 401, "invalid_dpop_proof"},
		{"by another key", "DPoP", newProver(t).proof(t, "GET", issuer+"/info", token, ""), nil, 401, "invalid_token"},
		{"for another token", "DPoP", p.proof(t, "GET", issuer+"/info", "x", ""), nil, 401, "invalid_dpop_proof"},
		{"with a nonce of nobody's", "DPoP", p.proof(t, "GET", issuer+"/info", token, "x"), nil, 401, "use_dpop_nonce"},
	} {
		resp, body := show(c.scheme, c.proof, c.more...)
		challenge := strings.Join(resp.Header.Values("WWW-Authenticate"), "|")
		if resp.StatusCode != c.status || c.code != "" && (body["error"] != c.code || !strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `error="`+c.code+`"`) || !strings.Contains(challenge, `algs="ES256 RS256 PS256 EdDSA"`)) {
			t.Errorf("%s: %d %v %s", c.name, resp.StatusCode, body, challenge)
		}
		if (resp.Header.Get("DPoP-Nonce") != "") != (c.proof != "") {
			t.Errorf("%s: DPoP-Nonce %q", c.name, resp.Header.Get("DPoP-Nonce"))
		}
	}
	// Scripts may send the one header and read the others.
	const spa = "https://www.make.com"
	resp, _ = f.call(t, "OPTIONS", "/t1/oauth2/token", nil, "Origin", spa, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "dpop")
	if !strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "DPoP") {
		t.Errorf("preflight: %v", resp.Header)
	}
	resp, _ = show("DPoP", "", "Origin", spa)
	if exposed := resp.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "DPoP-Nonce") || !strings.Contains(exposed, "WWW-Authenticate") {
		t.Errorf("exposed: %v", resp.Header)
	}
	// RFC9449-5.1-a.
	_, meta := f.call(t, "GET", "/.well-known/oauth-authorization-server/t1", nil)
	if algs, _ := meta["dpop_signing_alg_values_supported"].([]any); len(algs) != 4 {
		t.Errorf("metadata: %v", meta["dpop_signing_alg_values_supported"])
	}
	if resp, _ := f.call(t, "GET", "/t1/info", nil); resp.Header.Get("DPoP-Nonce") != "" {
		t.Error("a nonce for whoever uses no DPoP")
	}
}

// RFC9449-8-a: where a nonce is required, one retry is enough.
func TestDPoPNonceRequired(t *testing.T) {
	f := newFixtureAt(t, "https://as.test", func(c *oauth.Config) { c.RequireDPoPNonce = true })
	p := newProver(t)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {string(f.app.ID)}, "client_secret": {f.secret}}
	resp, body := f.call(t, "POST", "/oauth2/token", form, "DPoP", p.proof(t, "POST", "https://as.test/oauth2/token", "", ""))
	if resp.StatusCode != 400 || body["error"] != "use_dpop_nonce" {
		t.Fatalf("without: %d %v", resp.StatusCode, body)
	}
	resp, body = f.call(t, "POST", "/oauth2/token", form, "DPoP", p.proof(t, "POST", "https://as.test/oauth2/token", "", resp.Header.Get("DPoP-Nonce")))
	if resp.StatusCode != 200 || body["token_type"] != "DPoP" {
		t.Fatalf("with: %d %v", resp.StatusCode, body)
	}
	// Who uses no DPoP is asked for nothing.
	if resp, body := f.call(t, "POST", "/oauth2/token", form); resp.StatusCode != 200 || body["token_type"] != "Bearer" {
		t.Fatalf("bearer: %d %v", resp.StatusCode, body)
	}
}

func newCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	c, err := x509.ParseCertificate(der)
	check(t, err)
	return c
}

// RFC8705-2: a certificate is believed from the connection and from a trusted
// proxy, and from no one else.
func TestCertificate(t *testing.T) {
	c, proxys := newCertificate(t), newCertificate(t)
	structured := ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
	escaped := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	escaped = strings.ReplaceAll(escaped, "+", "%2B") // as nginx does
	for _, k := range []struct {
		name, header, peer string
		sent               []string
		tls                *x509.Certificate
		want               *x509.Certificate
		forwarded          bool
	}{
		{"RFC 9440", "Client-Cert", "10.0.0.1:1", []string{structured}, nil, c, true},
		{"nginx", "Client-Cert", "10.0.0.1:1", []string{escaped}, nil, c, true},
		{"base64 alone", "X-Client-Cert", "10.0.0.1:1", []string{base64.StdEncoding.EncodeToString(c.Raw)}, nil, c, true},
		{"a forged header", "Client-Cert", "192.0.2.1:1", []string{structured}, nil, nil, false},
		{"a forged header over TLS", "Client-Cert", "192.0.2.1:1", []string{structured}, proxys, proxys, false},
		{"no header is configured", "", "10.0.0.1:1", []string{structured}, nil, nil, false},
		{"the proxy's own certificate", "Client-Cert", "10.0.0.1:1", nil, proxys, nil, false},
		{"an empty header", "Client-Cert", "10.0.0.1:1", []string{""}, proxys, nil, false},
		{"two headers", "Client-Cert", "10.0.0.1:1", []string{structured, structured}, nil, nil, false},
		{"two in one", "Client-Cert", "10.0.0.1:1", []string{structured + ", " + structured}, nil, nil, false},
		{"garbage", "Client-Cert", "10.0.0.1:1", []string{"x"}, proxys, nil, false},
		{"a key", "Client-Cert", "10.0.0.1:1", []string{strings.ReplaceAll(escaped, "CERTIFICATE", "PRIVATE%20KEY")}, nil, nil, false},
		{"TLS ends here", "", "192.0.2.1:1", nil, c, c, false},
	} {
		h := &Handler{Options: Options{ClientCertHeader: k.header, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
		r := httptest.NewRequest("GET", "/info", nil)
		r.RemoteAddr = k.peer
		r.Header["X-Client-Cert"], r.Header["Client-Cert"] = k.sent, k.sent
		if k.tls != nil {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{k.tls}}
		}
		got := h.certificate(r)
		if (got != nil) != (k.want != nil) || got != nil && (!got.Equal(k.want) || got.Forwarded != k.forwarded) {
			t.Errorf("%s: %+v", k.name, got)
		}
	}
}

func FuzzForwardedCertificate(f *testing.F) {
	c := newCertificate(f)
	f.Add(":" + base64.StdEncoding.EncodeToString(c.Raw) + ":")
	f.Add(url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))))
	f.Fuzz(func(t *testing.T, text string) {
		if c := parseForwarded(text); c != nil && len(c.Raw) > len(text) {
			t.Fatal("a certificate out of nothing")
		}
	})
}

// RFC8705-2, over a real handshake: an app with a self-signed certificate gets a
// token that is bound to it, and nobody else may show that.
func TestSelfSignedOverTLS(t *testing.T) {
	f := newFixtureAt(t, "https://as.test")
	newClient := func() (*http.Client, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		check(t, err)
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}} //nolint:gosec // the test's own server
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}, key
	}
	server := httptest.NewUnstartedServer(f.handler)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	own, key := newClient()
	other, _ := newClient()

	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	check(t, err)
	app := f.app
	app.Version, app.Secrets = 1, nil
	app.Settings = symbolon.Settings{Auth: symbolon.AuthSelfSignedTLS, Keys: string(set), TLSTokens: true}
	check(t, f.store.PutApp(t.Context(), app))
	check(t, f.feed.Poll(t.Context()))
	_, a := f.call(t, "GET", f.authorize(), nil)

	ask := func(c *http.Client) (int, map[string]any) {
		t.Helper()
		resp, err := c.PostForm(server.URL+"/oauth2/token", url.Values{
			"grant_type": {"authorization_code"}, "code": {a["code"].(string)}, "client_id": {string(app.ID)}, "redirect_uri": {app.RedirectURIs[0]},
		})
		check(t, err)
		defer resp.Body.Close()
		var body map[string]any
		check(t, json.NewDecoder(resp.Body).Decode(&body))
		return resp.StatusCode, body
	}
	if status, body := ask(other); status != 401 || body["error"] != "invalid_client" {
		t.Fatalf("another certificate: %d %v", status, body)
	}
	status, body := ask(own)
	if status != 200 || body["token_type"] != "Bearer" {
		t.Fatalf("its own: %d %v", status, body)
	}
	for _, c := range []struct {
		name   string
		client *http.Client
		status int
	}{{"its own", own, 200}, {"another's", other, 401}} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/info", nil)
		check(t, err)
		req.Header.Set("Authorization", "Bearer "+body["access_token"].(string))
		req.Header.Set("Client-Cert", "x") // says nothing
		resp, err := c.client.Do(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d", c.name, resp.StatusCode)
		}
	}
}
