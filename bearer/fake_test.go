package bearer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const resource = "https://api.test/v1"

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock moves when it is told to.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

// Keys that all tests share, since RSA ones take time to make.
var ecKey, otherKey, edKey, rsaKey, weakKey = func() (a, b *ecdsa.PrivateKey, c ed25519.PrivateKey, d, e *rsa.PrivateKey) {
	a, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, c, _ = ed25519.GenerateKey(rand.Reader)
	d, _ = rsa.GenerateKey(rand.Reader, 2048)
	e, _ = rsa.GenerateKey(rand.Reader, 1024)
	return a, b, c, d, e
}()

// fakeServer is an authorization server that says what a test wants.
type fakeServer struct {
	*httptest.Server
	t     testing.TB
	clock *clock

	mu       sync.Mutex
	keys     []any                     // members of the JWK Set
	tokens   map[string]map[string]any // opaque token → its introspection answer
	metadata map[string]any            // changes to the metadata
	down     int                       // the status of every answer, or 0
	answer   string                    // the body of introspection, or ""
	hold     chan struct{}             // introspection waits for it
	asked    map[string]int            // path → requests
	form     url.Values                // of the last introspection
	user     string
	pass     string
}

func newFake(t testing.TB) *fakeServer {
	f := &fakeServer{t: t, clock: new(clock), tokens: map[string]map[string]any{}, metadata: map[string]any{}, asked: map[string]int{}}
	f.clock.at.Store(1_790_000_000_000_000_000)
	f.keys = []any{jwk(ecKey.Public(), "ec", ""), jwk(rsaKey.Public(), "rsa", ""), jwk(edKey.Public(), "ed", "EdDSA")}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func jwk(key any, id, alg string) any {
	return jose.JSONWebKey{Key: key, KeyID: id, Algorithm: alg, Use: "sig"}
}

func (f *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked[r.URL.Path]++
	down, hold := f.down, f.hold
	f.mu.Unlock()
	if hold != nil && r.URL.Path == "/introspect" {
		<-hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if down != 0 {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", f.URL+"/elsewhere")
		w.WriteHeader(down)
		return
	}
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		doc := map[string]any{"issuer": f.URL, "introspection_endpoint": f.URL + "/introspect", "jwks_uri": f.URL + "/jwks"}
		maps.Copy(doc, f.metadata)
		if doc["issuer"] == nil {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(doc)
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": f.URL, "introspection_endpoint": f.URL + "/introspect", "jwks_uri": f.URL + "/jwks"})
	case "/jwks":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": f.keys})
	case "/introspect":
		_ = r.ParseForm()
		f.form = r.PostForm
		f.user, f.pass, _ = r.BasicAuth()
		if f.answer != "" {
			_, _ = w.Write([]byte(f.answer))
			return
		}
		answer := f.tokens[r.PostForm.Get("token")]
		if answer == nil {
			answer = map[string]any{"active": false}
		}
		_ = json.NewEncoder(w).Encode(answer)
	default:
		f.t.Errorf("the server is asked for %s", r.URL.Path)
	}
}

// set changes the server under its lock.
func (f *fakeServer) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeServer) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

// verifier is one for resource, by JWT and by introspection.
func (f *fakeServer) verifier(change ...func(*Options)) *Verifier {
	f.t.Helper()
	o := Options{Issuer: f.URL, Resource: resource, ClientID: "api one", ClientSecret: "s:e+c", Now: f.clock.now}
	for _, c := range change {
		c(&o)
	}
	v, err := New(o)
	check(f.t, err)
	return v
}

// claims are those of a good token, changed: nil takes one away.
func (f *fakeServer) claims(changes ...any) map[string]any {
	now := f.clock.now().Unix()
	c := map[string]any{
		"iss": f.URL, "sub": "d1b03e513fbc5881651d6c149fd259506f975ae1", "client_id": "sym_app_1", "aud": resource,
		"exp": now + 600, "iat": now, "jti": "id-1", "scope": "connect read",
	}
	change(c, changes)
	return c
}

func change(m map[string]any, changes []any) {
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(m, changes[i].(string))
		} else {
			m[changes[i].(string)] = changes[i+1]
		}
	}
}

// jwt signs a good token, changed.
func (f *fakeServer) jwt(changes ...any) string {
	return sign(f.t, ecKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "ec"}, f.claims(changes...))
}

// opaque makes a token that the server knows, with an answer that is changed.
func (f *fakeServer) opaque(text string, changes ...any) string {
	c := f.claims("active", true, "username", "Jane Doe", "token_type", "Bearer")
	change(c, changes)
	f.set(func() { f.tokens[text] = c })
	return text
}

var b64 = base64.RawURLEncoding

// sign makes a JWS of any header, which the library would not make.
func sign(t testing.TB, key crypto.Signer, header map[string]any, payload any) string {
	t.Helper()
	h, err := json.Marshal(header)
	check(t, err)
	p, ok := payload.(string)
	if !ok {
		text, err := json.Marshal(payload)
		check(t, err)
		p = string(text)
	}
	input := b64.EncodeToString(h) + "." + b64.EncodeToString([]byte(p))
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
		check(t, err)
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		if header["alg"] == "PS256" {
			sig, err = rsa.SignPSS(rand.Reader, k, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 32})
		} else {
			sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
		}
		check(t, err)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, []byte(input))
	}
	return input + "." + b64.EncodeToString(sig)
}

// request makes a request with headers, "Name: value" each.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// call sends a request through the wrapper, and returns the answer and the token
// that got through.
func call(v *Verifier, r *http.Request, scopes ...string) (*httptest.ResponseRecorder, *Token) {
	var token *Token
	w := httptest.NewRecorder()
	v.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { token = FromContext(r.Context()) }), scopes...).ServeHTTP(w, r)
	return w, token
}

// get is call for a token sent by Bearer.
func get(v *Verifier, token string, scopes ...string) (*httptest.ResponseRecorder, *Token) {
	return call(v, request("GET", "/v1/orders", "Authorization: Bearer "+token), scopes...)
}

// wantStatus says what went wrong when a status is another.
func wantStatus(t testing.TB, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Errorf("got %d %s, want %d", w.Code, w.Body, status)
	}
}
