package bearer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// jkt is the thumbprint of a public key (RFC 7638).
func jkt(t testing.TB, key any) string {
	t.Helper()
	k := jose.JSONWebKey{Key: key}
	sum, err := k.Thumbprint(crypto.SHA256)
	check(t, err)
	return b64.EncodeToString(sum)
}

func ath(token string) string {
	sum := sha256.Sum256([]byte(token))
	return b64.EncodeToString(sum[:])
}

// proof signs a good proof by otherKey, with header and claims changed.
func (f *fakeServer) proof(token string, header, claims []any) string {
	return f.proofBy(otherKey, token, header, claims)
}

func (f *fakeServer) proofBy(key crypto.Signer, token string, header, claims []any) string {
	alg := "ES256"
	if _, ok := key.(*ecdsa.PrivateKey); !ok {
		alg = "RS256"
	}
	h := map[string]any{"alg": alg, "typ": "dpop+jwt", "jwk": json.RawMessage(mustJSON(jose.JSONWebKey{Key: key.Public()}))}
	change(h, header)
	c := map[string]any{"jti": rnd(), "htm": "GET", "htu": "https://api.test/v1/orders", "iat": f.clock.now().Unix(), "ath": ath(token)}
	change(c, claims)
	return sign(f.t, key, h, c)
}

// bound is a JWT that is bound to otherKey.
func (f *fakeServer) bound() string {
	return f.jwt("cnf", map[string]any{"jkt": jkt(f.t, otherKey.Public())})
}

func show(v *Verifier, target, token string, proofs ...string) (int, string) {
	headers := []string{"Authorization: DPoP " + token}
	for _, p := range proofs {
		headers = append(headers, "DPoP: "+p)
	}
	w, _ := call(v, request("GET", target, headers...))
	return w.Code, w.Header().Get("WWW-Authenticate") + w.Body.String()
}

// RFC9449-4.3: what proofs are taken.
func TestProof(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	token := f.bound()
	now := f.clock.now().Unix()
	in := f.opaque("opaque", "token_type", "DPoP", "cnf", map[string]any{"jkt": jkt(t, otherKey.Public())})
	for name, c := range map[string]struct {
		target, token string
		proof         string
	}{
		"good":                          {"/v1/orders", token, f.proof(token, nil, nil)},
		"an opaque token":               {"/v1/orders", in, f.proof(in, nil, nil)},
		"a query is not part of htu":    {"/v1/orders?a=b", token, f.proof(token, nil, nil)},
		"htu with query and fragment":   {"/v1/orders", token, f.proof(token, nil, []any{"htu", "https://api.test/v1/orders?x#y"})},
		"4.3-4 scheme and host in caps": {"/v1/orders", token, f.proof(token, nil, []any{"htu", "HTTPS://API.test/v1/orders"})},
		"4.3-4 the usual port":          {"/v1/orders", token, f.proof(token, nil, []any{"htu", "https://api.test:443/v1/orders"})},
		"4.3-4 percent-encoding":        {"/v1/%7Ea%2fb", token, f.proof(token, nil, []any{"htu", "https://api.test/v1/~a%2Fb"})},
		"4.3-5 10 s old":                {"/v1/orders", token, f.proof(token, nil, []any{"iat", now - 10})},
		"4.3-5 10 s ahead":              {"/v1/orders", token, f.proof(token, nil, []any{"iat", now + 10})},
		"4.3-5 60 s old":                {"/v1/orders", token, f.proof(token, nil, []any{"iat", now - 60})},
		"4.3-6 more claims":             {"/v1/orders", token, f.proof(token, []any{"x", 1}, []any{"exp", 1, "nbf", now + 500, "nonce", "n", "more", []any{}})},
		"typ in full":                   {"/v1/orders", token, f.proof(token, []any{"typ", "application/dpop+jwt"}, nil)},
		"scopes are asked after it":     {"/v1/orders", token, f.proof(token, nil, nil)},
	} {
		if code, body := show(v, c.target, c.token, c.proof); code != 200 {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	rs := f.jwt("cnf", map[string]any{"jkt": jkt(t, rsaKey.Public())})
	if code, body := show(v, "/v1/orders", rs, f.proofBy(rsaKey, rs, nil, nil)); code != 200 {
		t.Errorf("RS256: %d %s", code, body)
	}
}

// RFC9449-4.3, RFC9449-7.1-a, RFC9449-11.1-a, B55, B64, B65: what proofs are refused.
func TestProofRefused(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	token := f.bound()
	now := f.clock.now().Unix()
	header := func(c ...any) []string { return []string{f.proof(token, c, nil)} }
	claim := func(c ...any) []string { return []string{f.proof(token, nil, c)} }
	good := f.proof(token, nil, nil)
	parts := strings.Split(good, ".")
	private := json.RawMessage(mustJSON(jose.JSONWebKey{Key: otherKey}))
	foreign := json.RawMessage(mustJSON(jose.JSONWebKey{Key: ecKey.Public()}))
	for name, proofs := range map[string][]string{
		"4.3-1 none":               nil,
		"4.3-1 two":                {f.proof(token, nil, nil), f.proof(token, nil, nil)},
		"4.3-1 two in one":         {f.proof(token, nil, nil) + ", " + f.proof(token, nil, nil)},
		"4.3-1 empty":              {""},
		"4.3-1 garbage":            {"garbage"},
		"4.3-1 another typ":        header("typ", "at+jwt"),
		"4.3-1 no typ":             header("typ", nil),
		"4.3-2 no jti":             claim("jti", nil),
		"4.3-2 jti is a number":    claim("jti", 7),
		"B63 jti is long":          claim("jti", strings.Repeat("j", 257)),
		"4.3-2 no htm":             claim("htm", nil),
		"4.3-2 no htu":             claim("htu", nil),
		"4.3-2 no iat":             claim("iat", nil),
		"4.3-2 no ath":             claim("ath", nil),
		"another token's ath":      claim("ath", ath("other")),
		"B55 alg none":             {b64.EncodeToString([]byte(`{"alg":"none","typ":"dpop+jwt"}`)) + "." + parts[1] + "."},
		"4.3-3 HS256":              header("alg", "HS256"),
		"4.3-3 alg is not the key": header("alg", "RS256"),
		"4.3-3 no jwk":             header("jwk", nil),
		"4.3-3 a private jwk":      header("jwk", private),
		"4.3-3 a secret jwk":       header("jwk", map[string]any{"kty": "oct", "k": "c2VjcmV0"}),
		"4.3-3 another's jwk":      header("jwk", foreign),
		"4.3-3 bad signature":      {parts[0] + "." + parts[1] + "." + b64.EncodeToString(make([]byte, 64))},
		"another key":              {f.proofBy(ecKey, token, nil, nil)},
		"4.3-4 PUT":                claim("htm", "PUT"),
		"11.1 get":                 claim("htm", "get"),
		"4.3-4 another path":       claim("htu", "https://api.test/v1/other"),
		"B65 a slash more":         claim("htu", "https://api.test/v1/orders/"),
		"B65 two slashes":          claim("htu", "https://api.test//v1/orders"),
		"B65 dots":                 claim("htu", "https://api.test/x/../v1/orders"),
		"B65 a user":               claim("htu", "https://x@api.test/v1/orders"),
		"B65 another host":         claim("htu", "https://evil.test/v1/orders"),
		"B65 a longer host":        claim("htu", "https://api.test.evil.test/v1/orders"),
		"B65 another port":         claim("htu", "https://api.test:8443/v1/orders"),
		"B65 by http":              claim("htu", "http://api.test/v1/orders"),
		"B65 http's port":          claim("htu", "https://api.test:80/v1/orders"),
		"B65 relative":             claim("htu", "/v1/orders"),
		"4.3-5 61 s old":           claim("iat", now-61),
		"B64 61 s ahead":           claim("iat", now+61),
		"4.3-5 an hour old":        claim("iat", now-3600),
		"long":                     claim("x", strings.Repeat("x", maxProof)),
		"crit":                     header("crit", []any{"x"}, "x", 1),
	} {
		code, body := show(v, "/v1/orders", token, proofs...)
		if code != 401 || !strings.HasPrefix(body, `DPoP algs="ES256 RS256 PS256 EdDSA", error="invalid_dpop_proof"`) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	weak := f.jwt("cnf", map[string]any{"jkt": jkt(t, weakKey.Public())})
	if code, body := show(v, "/v1/orders", weak, f.proofBy(weakKey, weak, nil, nil)); code != 401 {
		t.Errorf("B60 a weak key: %d %s", code, body)
	}
	// Nothing of this spent the good one, which works once.
	if code, body := show(v, "/v1/orders", token, good); code != 200 {
		t.Errorf("the good one: %d %s", code, body)
	}
	if code, _ := show(v, "/v1/orders", token, good); code != 401 {
		t.Errorf("B64 the same again: %d", code)
	}
	// Spelt in another way, it is the same; after its time it is refused for that.
	id := rnd()
	if code, _ := show(v, "/v1/orders", token, f.proof(token, nil, []any{"jti", id})); code != 200 {
		t.Error("a fresh one is refused")
	}
	if code, _ := show(v, "/v1/orders", token, f.proof(token, nil, []any{"jti", id, "htu", "https://API.TEST:443/v1/orders"})); code != 401 {
		t.Error("11.1 a jti is taken twice when the URL is spelt in another way")
	}
	f.clock.pass(59 * time.Second)
	if code, _ := show(v, "/v1/orders", token, good); code != 401 {
		t.Error("B64 a proof is taken again while it is good")
	}
}

// RFC9449-7.1-a: bound and unbound tokens do not pass for one another.
func TestSchemes(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	w, _ := get(v, f.bound())
	if w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), `DPoP algs=`) {
		t.Errorf("a bound token by Bearer: %d %v", w.Code, w.Header())
	}
	token := f.bound()
	w, _ = call(v, request("GET", "/v1/orders", "Authorization: Bearer "+token, "DPoP: "+f.proof(token, nil, nil)))
	wantStatus(t, w, 401)
	token = f.jwt()
	if code, body := show(v, "/v1/orders", token, f.proof(token, nil, nil)); code != 401 || !strings.Contains(body, "invalid_token") {
		t.Errorf("an unbound token by DPoP: %d %s", code, body)
	}
	// Any case of the scheme (RFC 9110 §11.1).
	token = f.bound()
	w, _ = call(v, request("GET", "/v1/orders", "Authorization: dpop "+token, "DPoP: "+f.proof(token, nil, nil)))
	wantStatus(t, w, 200)
	// An insufficient scope is said by the scheme that was used.
	w, _ = call(v, request("GET", "/v1/orders", "Authorization: DPoP "+token, "DPoP: "+f.proof(token, nil, nil)), "admin")
	if w.Code != 403 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "DPoP ") {
		t.Errorf("a bound token without the scope: %d %v", w.Code, w.Header())
	}
}

// RFC9449-4.3-7: htu is held to the public URL, never to the Host header, and
// what is not known is not taken.
func TestPublicURL(t *testing.T) {
	f := newFake(t)
	token := f.bound()
	proof := func(htu string) string { return f.proof(token, nil, []any{"htu", htu}) }
	try := func(v *Verifier, host, htu string) int {
		r := request("GET", "/v1/orders", "Authorization: DPoP "+token, "DPoP: "+proof(htu))
		r.Host = host
		w := 0
		http.StripPrefix("/v1", v.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { w = 200 }))).ServeHTTP(&nothing{status: &w}, r)
		return w
	}
	v := f.verifier()
	if code := try(v, "10.0.0.7:8080", "https://api.test/v1/orders"); code != 200 {
		t.Errorf("behind a proxy, and stripped of a prefix: %d", code)
	}
	if code := try(v, "evil.test", "https://evil.test/v1/orders"); code != 401 {
		t.Errorf("a proof for the Host header: %d", code)
	}
	v = f.verifier(func(o *Options) { o.Base = "https://gate.test/api/" })
	if code := try(v, "x", "https://gate.test/api/v1/orders"); code != 200 {
		t.Errorf("by Base: %d", code)
	}
	v = f.verifier(func(o *Options) { o.Resource, o.Audience = "", []string{resource} })
	if code := try(v, "api.test", "https://api.test/v1/orders"); code != 401 {
		t.Errorf("without Base and Resource: %d", code)
	}
}

// nothing is a ResponseWriter that keeps the status.
type nothing struct {
	header http.Header
	status *int
}

func (n *nothing) Header() http.Header {
	if n.header == nil {
		n.header = http.Header{}
	}
	return n.header
}
func (n *nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n *nothing) WriteHeader(code int)        { *n.status = code }

// B64: of many at once, one gets through.
func TestProofRace(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	token := f.bound()
	proof := f.proof(token, nil, nil)
	var through atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if code, _ := show(v, "/v1/orders", token, proof); code == 200 {
				through.Add(1)
			}
		})
	}
	wg.Wait()
	if through.Load() != 1 {
		t.Errorf("one proof got %d requests through", through.Load())
	}
}

// B63: what is remembered is bounded; when it is full, nothing is forgotten early.
func TestProofsAreBounded(t *testing.T) {
	var p proofs
	now := time.Unix(1_000_000, 0)
	id := func(i int) (k [32]byte) {
		copy(k[:], fmt.Sprint(i))
		return k
	}
	for i := range maxProofs {
		if s := p.once(id(i), now.Add(Leeway), now); s != proofFresh {
			t.Fatalf("proof %d: %d", i, s)
		}
	}
	if s := p.once(id(-1), now.Add(Leeway), now); s != proofFull {
		t.Errorf("one too many: %d", s)
	}
	if s := p.once(id(0), now.Add(Leeway), now.Add(Leeway)); s != proofUsed {
		t.Errorf("the first, while it is good: %d", s)
	}
	later := now.Add(3 * Leeway)
	if s := p.once(id(0), later.Add(Leeway), later); s != proofFresh || p.count != 1 || len(p.buckets) != 1 {
		t.Errorf("later: %d, with %d remembered in %d buckets", s, p.count, len(p.buckets))
	}

	f := newFake(t)
	v := f.verifier()
	v.proofs.count = maxProofs
	token := f.bound()
	if code, body := show(v, "/v1/orders", token, f.proof(token, nil, nil)); code != 503 || strings.HasPrefix(body, "DPoP") {
		t.Errorf("when it is full: %d %s", code, body)
	}
}

// RFC 8705 §3: bound to a certificate.
func TestCertificate(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	cert, other := &x509.Certificate{Raw: []byte("certificate")}, &x509.Certificate{Raw: []byte("other")}
	token := f.jwt("cnf", map[string]any{"x5t#S256": ath("certificate")})
	for name, c := range map[string]struct {
		state *tls.ConnectionState
		want  int
	}{
		"its own":        {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert, other}}, 200},
		"another":        {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{other, cert}}, 401},
		"no certificate": {&tls.ConnectionState{}, 401},
		"no TLS":         {nil, 401},
	} {
		r := request("GET", "/", "Authorization: Bearer "+token)
		r.TLS = c.state
		w, _ := call(v, r)
		if w.Code != c.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// Bound in both ways, both are needed.
	token = f.jwt("cnf", map[string]any{"x5t#S256": ath("certificate"), "jkt": jkt(t, otherKey.Public())})
	if code, _ := show(v, "/v1/orders", token, f.proof(token, nil, nil)); code != 401 {
		t.Errorf("a proof alone: %d", code)
	}
}
