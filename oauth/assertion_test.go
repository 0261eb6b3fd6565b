package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
	"pgregory.net/rapid"
)

// keyPair is a key of an app in the tests.
type keyPair struct {
	kid     string
	alg     jose.SignatureAlgorithm
	private any
	public  any
}

func newPair(t rapid.TB, kid string, alg jose.SignatureAlgorithm) keyPair {
	t.Helper()
	k := keyPair{kid: kid, alg: alg}
	var err error
	switch alg {
	case jose.ES256:
		var ec *ecdsa.PrivateKey
		ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		k.private, k.public = ec, ec.Public()
	case jose.EdDSA:
		k.public, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		r := theRSA()
		k.private, k.public = r, r.Public()
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return k
}

var theRSA = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// set is a JWK Set of keys.
func set(t rapid.TB, keys ...keyPair) string {
	t.Helper()
	s := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range keys {
		s.Keys = append(s.Keys, jose.JSONWebKey{Key: k.public, KeyID: k.kid})
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(b)
}

// claimsOf are claims in a test. A value of nil takes one out.
type claimsOf map[string]any

func (c claimsOf) with(changes claimsOf) claimsOf {
	c = maps.Clone(c)
	for name, v := range changes {
		c[name] = v
		if v == nil {
			delete(c, name)
		}
	}
	return c
}

// sign makes a JWT. The header's kid is that of the key unless it is set.
func (k keyPair) sign(t rapid.TB, header map[jose.HeaderKey]any, claims any) string {
	t.Helper()
	h := map[jose.HeaderKey]any{"kid": k.kid}
	maps.Copy(h, header)
	maps.DeleteFunc(h, func(_ jose.HeaderKey, v any) bool { return v == nil || v == "" })
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.private}, &jose.SignerOptions{ExtraHeaders: h})
	if err != nil {
		t.Fatalf("%v", err)
	}
	b, ok := claims.([]byte)
	if !ok {
		if b, err = json.Marshal(claims); err != nil {
			t.Fatalf("%v", err)
		}
	}
	signed, err := s.Sign(b)
	if err != nil {
		t.Fatalf("%v", err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return text
}

// newJ1 registers J1 of the ledger: an app that proves itself by an assertion.
func (w *world) newJ1(change ...func(*symbolon.App)) (symbolon.App, keyPair) {
	w.Helper()
	key := newPair(w, "k1", jose.ES256)
	app := symbolon.App{ID: "sym_app_j1", Name: "j1", RedirectURIs: []string{"https://j1.test/cb"},
		Scope: symbolon.Scopes{"connect", "read"}, Rotation: symbolon.RotateAlways, CreatedAt: w.clock.Now(),
		Settings: symbolon.Settings{Auth: symbolon.AuthKey, Keys: set(w, key), Grants: []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantRefresh, symbolon.GrantClient}}}
	for _, f := range change {
		f(&app)
	}
	w.ok(w.store.PutApp(w.ctx, app))
	w.ok(w.feed.Poll(w.ctx))
	w.ok(w.store.Allow(w.ctx, symbolon.Consent{Account: w.U1.ID, Client: app.ID, Scope: app.Scope, GrantedAt: w.clock.Now()}))
	w.clock.pass(time.Second)
	return w.app(app.ID), key
}

// assertionOf are the claims of a good assertion.
func (w *world) assertionOf(app *symbolon.App) claimsOf {
	now := w.clock.Now().Unix()
	return claimsOf{"iss": app.ClientID(), "sub": app.ClientID(), "aud": w.cfg.Issuer, "iat": now, "exp": now + 60, "jti": rand.Text()}
}

// askBy asks for a token in the app's own name, proving itself by an assertion.
func (w *world) askBy(app *symbolon.App, text string, changes ...string) error {
	w.Helper()
	req := w.tokenRequest(app, []string{
		"grant_type=client_credentials", "client_assertion=" + text, "client_assertion_type=" + AssertionType,
	}, append([]string{"-client_secret"}, changes...))
	req.Standard = true
	_, err := w.Token(w.ctx, req)
	return err
}

func TestAssertion(t *testing.T) {
	w := newWorld(t)
	J1, key := w.newJ1()
	strange := newPair(t, "k1", jose.ES256)
	typ := func(s string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"typ": s} }
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	now := w.clock.Now().Unix()
	good := func(changes claimsOf) string { return key.sign(t, nil, w.assertionOf(&J1).with(changes)) }
	list := func(s ...string) []string { return s }
	for _, c := range []struct {
		name    string
		text    string
		want    Refusal
		changes []string
	}{
		{"RFC7523-2.2-a", good(nil), 0, nil},
		{"RFC7523-2.2-a another type", good(nil), InvalidClient, list("client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer")},
		{"RFC7523-2.2-a no type", good(nil), InvalidRequest, list("-client_assertion_type")},
		{"RFC7523-2.2-a no assertion", "", InvalidRequest, nil},
		{"RFC7523-2.2-a without client_id", good(nil), 0, list("-client_id")},
		{"RFC7523-2.2-a another client_id", good(nil), InvalidClient, list("client_id=sym_app_c2")},
		{"RFC6749-5.2-d secret", good(nil), InvalidRequest, list("client_secret=x")},
		{"RFC6749-5.2-d basic", good(nil), InvalidRequest, list("Authorization: " + basic(string(J1.ID), "x"))},
		{"RFC7523-3-a no sub", good(claimsOf{"sub": nil}), InvalidClient, nil},
		{"RFC7523-3-a no sub, no client_id", good(claimsOf{"sub": nil}), InvalidClient, list("-client_id")},
		{"RFC7523-3-a another sub", good(claimsOf{"sub": "sym_app_c1"}), InvalidClient, nil},
		{"RFC7523-3-a another iss", good(claimsOf{"iss": "sym_app_c1"}), InvalidClient, nil},
		{"RFC7523-3-a no iss", good(claimsOf{"iss": nil}), InvalidClient, nil},
		{"RFC7523-3-a unknown app", good(claimsOf{"iss": "sym_app_xx", "sub": "sym_app_xx"}), UnknownClient, list("-client_id")},
		{"RFC7523-3-b another aud", good(claimsOf{"aud": "https://evil.test"}), InvalidClient, nil},
		{"RFC7523-3-b no aud", good(claimsOf{"aud": nil}), InvalidClient, nil},
		{"RFC7523-3-b token endpoint", good(claimsOf{"aud": "https://as.test/oauth2/token"}), 0, nil},
		{"RFC7523-3-b the page's token endpoint", good(claimsOf{"aud": "https://as.test/token"}), 0, nil},
		{"RFC9126-2-aud", good(claimsOf{"aud": "https://as.test/oauth2/par"}), 0, nil},
		{"B61 a list", good(claimsOf{"aud": list("https://as.test", "https://evil.test")}), InvalidClient, nil},
		{"B61 a list of one", good(claimsOf{"aud": list("https://as.test")}), InvalidClient, nil},
		{"B61 a slash more", good(claimsOf{"aud": "https://as.test/"}), InvalidClient, nil},
		{"B61 upper case", good(claimsOf{"aud": "https://AS.test"}), InvalidClient, nil},
		{"RFC7523-3-c no exp", good(claimsOf{"exp": nil}), InvalidClient, nil},
		{"RFC7523-3-c null", good(claimsOf{}.with(claimsOf{"exp": json.RawMessage("null")})), InvalidClient, nil},
		{"RFC7523-3-c 5 minutes ago", good(claimsOf{"exp": now - 300}), InvalidClient, nil},
		{"RFC7523-3-c 60 s ago", good(claimsOf{"exp": now - 60}), InvalidClient, nil},
		{"RFC7523-3-c 50 s ago, by another clock", good(claimsOf{"exp": now - 50}), 0, nil},
		{"RFC7523-3-c a fraction", good(claimsOf{"exp": float64(now) + 30.5}), 0, nil},
		{"RFC7523-3-c a string", good(claimsOf{"exp": "2030-01-01"}), InvalidClient, nil},
		{"RFC7523-3-d exp tomorrow", good(claimsOf{"exp": now + 86400}), InvalidClient, nil},
		{"RFC7523-3-d exp in 10 minutes", good(claimsOf{"exp": now + 600}), 0, nil},
		{"B63 exp in 10 years", good(claimsOf{"exp": now + 10*365*86400}), InvalidClient, nil},
		{"B101 exp beyond all", good(claimsOf{"exp": 1e300}), InvalidClient, nil},
		{"RFC7523-3-d iat and nbf 8 s ahead", good(claimsOf{"iat": now + 8, "nbf": now + 8}), 0, nil},
		{"RFC7523-3-d iat 60 s ahead", good(claimsOf{"iat": now + 60}), InvalidClient, nil},
		{"RFC7523-3-d nbf 60 s ahead", good(claimsOf{"nbf": now + 60}), InvalidClient, nil},
		{"OIDCC-9-a no jti", good(claimsOf{"jti": nil}), InvalidClient, nil},
		{"OIDCC-9-a jti is 1", good(claimsOf{"jti": 1}), InvalidClient, nil},
		{"OIDCC-9-a a long jti", good(claimsOf{"jti": strings.Repeat("a", 513)}), InvalidClient, nil},
		{"RFC7523BIS-typ its own", key.sign(t, typ("client-authentication+jwt"), w.assertionOf(&J1)), 0, nil},
		{"RFC7523BIS-typ JWT", key.sign(t, typ("JWT"), w.assertionOf(&J1)), 0, nil},
		{"RFC7523BIS-typ request object", key.sign(t, typ("oauth-authz-req+jwt"), w.assertionOf(&J1)), InvalidClient, nil},
		{"RFC7523BIS-typ by its claims", good(claimsOf{"response_type": "code"}), InvalidClient, nil},
		{"B58 a proof", key.sign(t, typ("dpop+jwt"), w.assertionOf(&J1)), InvalidClient, nil},
		{"B58 an access token", key.sign(t, typ("at+jwt"), w.assertionOf(&J1)), InvalidClient, nil},
		{"B58 a logout token", key.sign(t, typ("logout+jwt"), w.assertionOf(&J1)), InvalidClient, nil},
		{"RFC7523-3-e without kid", key.sign(t, map[jose.HeaderKey]any{"kid": nil}, w.assertionOf(&J1)), 0, nil},
		{"RFC7523-3-e unknown kid", key.sign(t, map[jose.HeaderKey]any{"kid": "k2"}, w.assertionOf(&J1)), InvalidClient, nil},
		{"B57 kid is a path", key.sign(t, map[jose.HeaderKey]any{"kid": "../../dev/null"}, w.assertionOf(&J1)), InvalidClient, nil},
		{"RFC7523-3-e another key", strange.sign(t, nil, w.assertionOf(&J1)), InvalidClient, nil},
		{"B57 its own key", strange.sign(t, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: strange.public}}, w.assertionOf(&J1)), InvalidClient, nil},
		{"B57 jku", strange.sign(t, map[jose.HeaderKey]any{"jku": "https://evil.test/jwks"}, w.assertionOf(&J1)), InvalidClient, nil},
		{"B55 none", part(`{"alg":"none"}`) + "." + part(`{"sub":"sym_app_j1"}`) + ".", InvalidClient, nil},
		{"B55 nOnE", part(`{"alg":"nOnE"}`) + "." + part(`{"sub":"sym_app_j1"}`) + ".", InvalidClient, nil},
		{"B56 HS256", keyPair{alg: jose.HS256, private: []byte(J1.Settings.Keys)}.sign(t, nil, w.assertionOf(&J1)), InvalidClient, nil},
		{"B59 a bomb", strings.Repeat("A", 1<<20) + ".A.A", InvalidClient, nil},
		{"B59 10^4 deep", key.sign(t, nil, []byte(`{"sub":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`)), InvalidClient, nil},
		{"B69 sub twice", key.sign(t, nil, []byte(`{"sub":"sym_app_c1","sub":"sym_app_j1"}`)), InvalidClient, nil},
	} {
		w.run(c.name, func(t *testing.T) {
			err := w.askBy(&J1, c.text, c.changes...)
			if c.want == 0 {
				w.ok(err)
				return
			}
			w.refused(err, c.want)
		})
	}
}

// OIDCC-9-a, B62: once, on two nodes, before and after a restart, and what was
// refused has not spent it.
func TestAssertionReplay(t *testing.T) {
	w := newWorld(t)
	J1, key := w.newJ1()
	claims := w.assertionOf(&J1).with(claimsOf{"exp": w.clock.Now().Unix() + 300})
	w.refused(w.askBy(&J1, key.sign(t, nil, claims.with(claimsOf{"aud": "x"}))), InvalidClient)
	w.refused(w.askBy(&J1, newPair(t, "k1", jose.ES256).sign(t, nil, claims)), InvalidClient)
	text := key.sign(t, nil, claims)
	w.ok(w.askBy(&J1, text))
	w.refused(w.askBy(&J1, text), InvalidClient)
	w.refused(w.askBy(&J1, key.sign(t, nil, claims.with(claimsOf{"iat": nil}))), InvalidClient) // signed anew
	w.start()
	w.refused(w.askBy(&J1, text), InvalidClient)
	// For as long as it could be taken by its exp.
	w.clock.pass(359 * time.Second)
	w.ok(w.feed.Poll(w.ctx))
	w.refused(w.askBy(&J1, text), InvalidClient)
	w.clock.pass(2 * time.Minute)
	w.ok(w.feed.Poll(w.ctx))
	w.refused(w.askBy(&J1, text), InvalidClient)

	// Of many at once, one.
	claims = w.assertionOf(&J1)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		text := key.sign(t, nil, claims)
		all.Go(func() {
			if w.askBy(&J1, text) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 16 were taken", won.Load())
	}

	// A store that is away has not refused anything.
	for _, f := range storetest.Faults {
		w.store.FailNext("Once", f)
		w.refused(w.askBy(&J1, key.sign(t, nil, w.assertionOf(&J1))), Unavailable)
	}
}

// RFC7591-2-auth: the method that is registered, and no other.
func TestRegisteredMethod(t *testing.T) {
	w := newWorld(t)
	J1, key := w.newJ1()
	secret := w.secrets[w.C1.ID]
	header := "Authorization: " + basic(string(w.C1.ID), secret)
	for _, c := range []struct {
		name    string
		method  symbolon.AuthMethod
		changes []string
		want    Refusal
	}{
		{"secret by body", symbolon.AuthSecret, nil, 0},
		{"secret by basic", symbolon.AuthSecret, []string{header, "-client_secret"}, 0},
		{"basic by body", symbolon.AuthBasic, nil, InvalidClient},
		{"basic by basic", symbolon.AuthBasic, []string{header, "-client_secret"}, 0},
		{"basic by both, as Node-RED does", symbolon.AuthBasic, []string{header}, 0},
		{"post by body", symbolon.AuthPost, nil, 0},
		{"post by basic", symbolon.AuthPost, []string{header, "-client_secret", "-client_id"}, InvalidClient},
		{"key by body", symbolon.AuthKey, nil, InvalidClient},
		{"key by nothing", symbolon.AuthKey, []string{"-client_secret"}, InvalidClient},
		{"tls by body", symbolon.AuthTLS, nil, InvalidClient},
		{"self-signed by body", symbolon.AuthSelfSignedTLS, nil, InvalidClient},
		{"tls by nothing", symbolon.AuthTLS, []string{"-client_secret"}, InvalidClient},
		{"a method of tomorrow", "tomorrow", []string{"-client_secret"}, InvalidClient},
	} {
		w.run(c.name, func(t *testing.T) {
			w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Auth = symbolon.AuthSecret })
			refresh := w.connected(&w.C1).RefreshToken
			w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Auth, a.Settings.Keys = c.method, J1.Settings.Keys })
			_, err := w.refresh(&w.C1, refresh, c.changes...)
			if c.want != 0 {
				w.refused(err, c.want)
				return
			}
			w.ok(err)
		})
	}
	// A secret where none is registered, and an assertion where a secret is.
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Auth = symbolon.AuthSecret })
	C1 := w.app(w.C1.ID)
	w.refused(w.askBy(&C1, key.sign(t, nil, w.assertionOf(&C1))), InvalidClient)
	w.refused(w.askBy(&w.P1, key.sign(t, nil, w.assertionOf(&w.P1))), InvalidClient)
}

// OIDCC-10.1-a, B83, C44: keys at an address.
func TestKeysURI(t *testing.T) {
	var fetches atomic.Int32
	var answer atomic.Pointer[string]
	maxAge := 5 * time.Minute
	w := newWorld(t, func(c *Config) {
		c.Fetch = func(_ context.Context, url string) ([]byte, time.Duration, error) {
			fetches.Add(1)
			if url != "https://j1.test/jwks" {
				t.Errorf("fetched %s", url)
			}
			body := answer.Load()
			if body == nil {
				return nil, 0, errors.New("away")
			}
			return []byte(*body), maxAge, nil
		}
	})
	J1, _ := w.newJ1(func(a *symbolon.App) { a.Settings.Keys, a.Settings.KeysURI = "", "https://j1.test/jwks" })
	one, two := newPair(t, "k1", jose.ES256), newPair(t, "k2", jose.EdDSA)
	serve := func(body string) { answer.Store(&body) }
	try := func(k keyPair) error { return w.askBy(&J1, k.sign(t, nil, w.assertionOf(&J1))) }
	fetched := func(want int32) {
		t.Helper()
		if got := fetches.Load(); got != want {
			t.Errorf("%d fetches, want %d", got, want)
		}
	}
	pass := func(d time.Duration) {
		t.Helper()
		w.clock.pass(d)
		w.ok(w.feed.Poll(w.ctx))
	}
	w.refused(try(one), Unavailable) // away
	w.refused(try(one), Unavailable)
	fetched(1)
	pass(keysFirst)
	serve(`{"keys":[{"kty":"oct","k":"AQ"}]}`) // no good
	w.refused(try(one), Unavailable)
	fetched(2)
	pass(keysFirst)
	serve(set(t, one))
	w.ok(try(one))
	w.ok(try(one))
	fetched(3)
	// A new kid: fetched again, once a minute.
	serve(set(t, one, two))
	w.refused(try(two), InvalidClient)
	fetched(3)
	pass(keysRetry)
	w.ok(try(two))
	fetched(4)
	for range 20 {
		w.refused(try(newPair(t, "k3", jose.ES256)), InvalidClient)
	}
	fetched(4)
	// Away, the set from before counts, for a day.
	answer.Store(nil)
	pass(maxAge)
	w.ok(try(one))
	w.ok(try(two))
	fetched(5)
	pass(keysStale)
	w.refused(try(one), Unavailable)
	fetched(6)
	// A key that is gone is gone when the set is fetched again.
	serve(set(t, two))
	pass(keysRetry)
	w.ok(try(two))
	w.refused(try(one), InvalidClient)

	// Many at once fetch once.
	pass(2 * time.Hour)
	before := fetches.Load()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := try(two); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	fetched(before + 1)

	// Without a fetcher no app has keys elsewhere.
	w.cfg.Fetch = nil
	w.start()
	w.refused(try(two), InvalidClient)
}

// The sets that are held do not grow without bound.
func TestKeySetsAreBounded(t *testing.T) {
	k := newKeySets()
	for range 3 * maxKeySets {
		k.entry(rand.Text())
	}
	if len(k.known) > maxKeySets {
		t.Errorf("%d sets are held", len(k.known))
	}
}

func FuzzAssertion(f *testing.F) {
	w := newWorld(f)
	J1, key := w.newJ1()
	f.Add(key.sign(f, nil, w.assertionOf(&J1)), "")
	f.Add("eyJhbGciOiJub25lIn0.e30.", "sym_app_j1")
	stranger := newPair(f, "k1", jose.ES256)
	f.Fuzz(func(t *testing.T, text, id string) {
		c := Credentials{Assertion: text, AssertionType: AssertionType, BodyID: id}
		app, err := w.authenticate(w.ctx, &c, w.clock.Now())
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Refusal == ServerError) {
			t.Fatalf("%v", err)
		}
		if err == nil && app.ID != J1.ID {
			t.Fatal("someone else proved to be J1")
		}
		// What a stranger signs proves nothing, whatever it says.
		if json.Valid([]byte(text)) {
			c.Assertion = stranger.sign(t, nil, []byte(text))
			if _, err := w.authenticate(w.ctx, &c, w.clock.Now()); err == nil {
				t.Fatal("a stranger's signature counts")
			}
		}
	})
}
