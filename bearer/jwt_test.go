package bearer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestJWT(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	w, token := get(v, f.jwt("act", map[string]any{"sub": "svc", "client_id": "c2", "act": map[string]any{"sub": "svc2"}},
		"authorization_details", []any{map[string]any{"type": "pay"}}, "aud", []any{"https://other.test", resource}))
	wantStatus(t, w, 200)
	now := f.clock.now().Truncate(time.Second).UTC()
	want := &Token{
		Subject: "d1b03e513fbc5881651d6c149fd259506f975ae1", ClientID: "sym_app_1", Scopes: []string{"connect", "read"},
		Audience: []string{"https://other.test", resource}, ID: "id-1", IssuedAt: now, ExpiresAt: now.Add(10 * time.Minute),
		Actor:                &Actor{Subject: "svc", ClientID: "c2", Actor: &Actor{Subject: "svc2"}},
		AuthorizationDetails: json.RawMessage(`[{"type":"pay"}]`),
	}
	if !reflect.DeepEqual(token, want) {
		t.Errorf("got %+v\nwant %+v", token, want)
	}
	if !token.Has("read") || token.Has("write") || token.Has("") {
		t.Error("Has does not say which scopes there are")
	}
	for range 20 {
		get(v, f.jwt())
	}
	if f.count("/introspect") != 0 || f.count("/jwks") != 1 || f.count("/.well-known/oauth-authorization-server") != 1 {
		t.Errorf("21 checks asked the server %v, want one request for the metadata and one for the keys", f.asked)
	}
}

// Every algorithm and spelling that counts.
func TestJWTForms(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	for name, text := range map[string]string{
		"typ in full":                      sign(t, ecKey, map[string]any{"alg": "ES256", "typ": "application/at+jwt", "kid": "ec"}, f.claims()),
		"typ in capital":                   sign(t, ecKey, map[string]any{"alg": "ES256", "typ": "AT+JWT", "kid": "ec"}, f.claims()),
		"no kid, one key of the algorithm": sign(t, ecKey, map[string]any{"alg": "ES256", "typ": "at+jwt"}, f.claims()),
		"RS256":                            sign(t, rsaKey, map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": "rsa"}, f.claims()),
		"PS256":                            sign(t, rsaKey, map[string]any{"alg": "PS256", "typ": "at+jwt", "kid": "rsa"}, f.claims()),
		"EdDSA":                            sign(t, edKey, map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"}, f.claims()),
		"a fraction":                       f.jwt("exp", float64(f.clock.now().Unix())+10.5),
		"expired by 59 s":                  f.jwt("exp", f.clock.now().Unix()-59),
		"from 60 s ahead":                  f.jwt("iat", f.clock.now().Unix()+60, "nbf", f.clock.now().Unix()+60),
		"claims of others":                 f.jwt("email", "x@test", "auth_time", 1, "deep", map[string]any{"a": []any{1}}),
		"a foreign jku":                    sign(t, ecKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "ec", "jku": "http://evil.test/jwks", "x5u": "http://evil.test/"}, f.claims()),
		"no scope at all":                  f.jwt("scope", nil),
		"null details, no cnf":             f.jwt("authorization_details", json.RawMessage("null"), "cnf", json.RawMessage("null")),
	} {
		if w, token := get(v, text); w.Code != 200 || token == nil {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// RFC9068-2.1-a, RFC9068-2.2-a, RFC9068-5-a, B55 to B61: what a token is refused
// for, without a word to the server.
func TestJWTRefused(t *testing.T) {
	f := newFake(t)
	v := f.verifier(func(o *Options) { o.ClientID, o.ClientSecret = "", "" })
	now := f.clock.now().Unix()
	head := func(changes ...any) map[string]any {
		h := map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "ec"}
		change(h, changes)
		return h
	}
	signed := func(changes ...any) string { return sign(t, ecKey, head(changes...), f.claims()) }
	good := f.jwt()
	parts := strings.Split(good, ".")
	public, err := json.Marshal(jose.JSONWebKey{Key: ecKey.Public(), KeyID: "ec"})
	check(t, err)
	hs := func(secret []byte) string {
		input := b64.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"ec"}`)) + "." + parts[1]
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(input))
		return input + "." + b64.EncodeToString(m.Sum(nil))
	}
	unsigned := func(alg string) string {
		return b64.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"at+jwt","kid":"ec"}`)) + "." + parts[1] + "."
	}
	other := json.RawMessage(`{"kty":"EC"}`)
	if b, err := json.Marshal(jose.JSONWebKey{Key: otherKey.Public()}); err == nil {
		other = b
	}
	cases := map[string]string{
		"B55 alg none":             unsigned("none"),
		"B55 alg None":             unsigned("None"),
		"B55 alg nOnE":             unsigned("nOnE"),
		"B55 no signature":         parts[0] + "." + parts[1] + ".",
		"B56 HS256 by the JWK":     hs(public),
		"B56 HS256 by no key":      hs(nil),
		"B57 kid is a path":        signed("kid", "../../dev/null"),
		"B57 kid is SQL":           signed("kid", "' OR 1=1 --"),
		"B57 kid is long":          signed("kid", strings.Repeat("k", 8<<10)),
		"B57 kid is a number":      signed("kid", 7),
		"B57 jwk in the header":    sign(t, otherKey, head("kid", nil, "jwk", other), f.claims()),
		"B57 jwk and kid":          sign(t, otherKey, head("jwk", other), f.claims()),
		"B58 an ID token":          signed("typ", "JWT"),
		"B58 a logout token":       signed("typ", "logout+jwt"),
		"B58 a proof":              signed("typ", "dpop+jwt"),
		"B58 no typ":               signed("typ", nil),
		"B59 a long token":         f.jwt("x", strings.Repeat("x", maxToken)),
		"B59 deep JSON":            sign(t, ecKey, head(), `{"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`,"iss":1}`),
		"B59 an encrypted one":     "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..YQ.YQ.YQ",
		"B60 r=s=0":                parts[0] + "." + parts[1] + "." + b64.EncodeToString(make([]byte, 64)),
		"B60 a short signature":    parts[0] + "." + parts[1] + "." + b64.EncodeToString(make([]byte, 63)),
		"B61 for another API":      f.jwt("aud", "https://r2.test"),
		"B61 for this as a prefix": f.jwt("aud", resource+"/more"),
		"B61 in other case":        f.jwt("aud", strings.ToUpper(resource)),
		"B61 for none":             f.jwt("aud", []any{}),
		"B69 a claim twice":        sign(t, ecKey, head(), `{"iss":"x",`+strings.TrimPrefix(mustJSON(f.claims()), "{")),
		"B69 trailing data":        sign(t, ecKey, head(), mustJSON(f.claims())+"{}"),
		"B69 not an object":        sign(t, ecKey, head(), `[]`),
		"another key":              sign(t, otherKey, head(), f.claims()),
		"another key's kid":        signed("kid", "rsa"),
		"crit":                     signed("crit", []any{"x"}, "x", 1),
		"b64":                      signed("crit", []any{"b64"}, "b64", true),
		"another alg":              signed("alg", "ES384"),
		"changed claims":           parts[0] + "." + b64.EncodeToString([]byte(mustJSON(f.claims("sub", "evil")))) + "." + parts[2],
		"no iss":                   f.jwt("iss", nil),
		"another iss":              f.jwt("iss", "https://evil.test"),
		"iss with a slash":         f.jwt("iss", f.URL+"/"),
		"no sub":                   f.jwt("sub", nil),
		"no client_id":             f.jwt("client_id", nil),
		"no aud":                   f.jwt("aud", nil),
		"no jti":                   f.jwt("jti", nil),
		"no exp":                   f.jwt("exp", nil),
		"no iat":                   f.jwt("iat", nil),
		"expired by 60 s":          f.jwt("exp", now-60),
		"not before 61 s":          f.jwt("nbf", now+61),
		"issued in 61 s":           f.jwt("iat", now+61),
		"exp is text":              f.jwt("exp", "1"),
		"exp is huge":              f.jwt("exp", 1e300),
		"exp is negative":          f.jwt("exp", -1),
		"aud is a number":          f.jwt("aud", 1),
		"scope is a list":          f.jwt("scope", []any{"connect"}),
		"cnf of another kind":      f.jwt("cnf", map[string]any{"jwk": map[string]any{}}),
		"details are an object":    f.jwt("authorization_details", map[string]any{}),
		"nine actors":              f.jwt("act", json.RawMessage(strings.Repeat(`{"sub":"a","act":`, 8)+`{"sub":"a"}`+strings.Repeat("}", 8))),
		"padding":                  good + "=",
		"four parts":               good + ".x",
		"opaque":                   "sym_at_1234",
	}
	for name, text := range cases {
		w, token := get(v, text)
		if w.Code != 401 || token != nil || !strings.Contains(w.Header().Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s: got %d %s %s", name, w.Code, w.Header().Get("WWW-Authenticate"), w.Body)
		}
	}
	if n := f.count("/jwks"); n != 1 {
		t.Errorf("the keys were read %d times by a stream of bad tokens, want once", n)
	}
	if w, _ := get(v, good); w.Code != 200 {
		t.Errorf("the good one: %d %s", w.Code, w.Body)
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// B57, B60: which keys of the server count.
func TestKeys(t *testing.T) {
	member := func(key any, id, alg, use string) string {
		return mustJSON(jose.JSONWebKey{Key: key, KeyID: id, Algorithm: alg, Use: use})
	}
	ec := member(ecKey.Public(), "a", "", "sig")
	for name, c := range map[string]struct {
		keys []string
		want int // keys times algorithms; 0 is an error
	}{
		"one":                  {[]string{ec}, 1},
		"RSA signs in two":     {[]string{member(rsaKey.Public(), "r", "", "")}, 2},
		"RSA for one":          {[]string{member(rsaKey.Public(), "r", "PS256", "")}, 1},
		"unknown kty beside":   {[]string{`{"kty":"XYZ","kid":"x"}`, ec}, 1},
		"broken beside":        {[]string{`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, `7`, ec}, 1},
		"B60 off the curve":    {[]string{`{"kty":"EC","crv":"P-256","x":"` + b64.EncodeToString(make([]byte, 31)) + `AQ","y":"` + b64.EncodeToString(make([]byte, 31)) + `AQ"}`}, 0},
		"a private key":        {[]string{member(ecKey, "p", "", "sig")}, 0},
		"a secret":             {[]string{`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","kid":"s","alg":"HS256"}`}, 0},
		"for encryption":       {[]string{member(ecKey.Public(), "e", "", "enc")}, 0},
		"B60 1024 bits":        {[]string{member(weakKey.Public(), "w", "", "sig")}, 0},
		"B60 e = 1":            {[]string{`{"kty":"RSA","e":"AQ","n":"` + b64.EncodeToString(rsaKey.N.Bytes()) + `"}`}, 0},
		"EC for another alg":   {[]string{member(ecKey.Public(), "e", "ES384", "sig")}, 0},
		"none":                 {nil, 0},
		"more than are looked": {strings.Split(strings.Repeat(ec+"|", 40)+ec, "|"), maxKeys},
	} {
		set, err := parseKeys([]byte(`{"keys":[` + strings.Join(c.keys, ",") + `]}`))
		if len(set) != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%s: %d keys, %v; want %d", name, len(set), err, c.want)
		}
	}
	if _, err := parseKeys([]byte(`{"keys":{}}`)); err == nil {
		t.Error("keys that are no list are taken")
	}
}

// A JWT that names no API is taken only where that was said; aud is required even
// then (RFC 9068 §2.2).
func TestUnnamedJWT(t *testing.T) {
	f := newFake(t)
	take := func(o *Options) { o.TakeUnnamed = true }
	for _, c := range []struct {
		v    *Verifier
		aud  any
		want int
	}{
		{f.verifier(take), f.URL, 200}, {f.verifier(), f.URL, 401}, {f.verifier(take), nil, 401},
		{f.verifier(take), "https://r2.test", 401}, {f.verifier(take), resource, 200},
	} {
		w, _ := get(c.v, f.jwt("aud", c.aud))
		if w.Code != c.want {
			t.Errorf("aud %v: %d, want %d", c.aud, w.Code, c.want)
		}
	}
}

func TestTwoKeysAndNoKid(t *testing.T) {
	f := newFake(t)
	f.keys = []any{jwk(ecKey.Public(), "a", ""), jwk(otherKey.Public(), "b", "")}
	w, _ := get(f.verifier(), sign(t, ecKey, map[string]any{"alg": "ES256", "typ": "at+jwt"}, f.claims()))
	wantStatus(t, w, 401)
	// Two keys of one kid: either may have signed.
	f = newFake(t)
	f.keys = []any{jwk(otherKey.Public(), "ec", ""), jwk(ecKey.Public(), "ec", "")}
	w, _ = get(f.verifier(), f.jwt())
	wantStatus(t, w, 200)
}

// A key that is new is found at once, or after keysRetry when somebody invented
// one just before; one that was withdrawn is forgotten after keysFresh.
func TestKeysRotate(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	w, _ := get(v, f.jwt())
	wantStatus(t, w, 200)
	f.clock.pass(keysRetry)
	f.set(func() { f.keys = []any{jwk(otherKey.Public(), "next", "")} })
	next := func() string {
		return sign(t, otherKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "next"}, f.claims())
	}
	w, _ = get(v, next())
	wantStatus(t, w, 200)
	w, _ = get(v, f.jwt())
	wantStatus(t, w, 401)
	for range 100 { // strangers invent key ids
		w, _ = get(v, sign(t, otherKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "x" + rnd()}, f.claims()))
		wantStatus(t, w, 401)
	}
	if n := f.count("/jwks"); n != 2 {
		t.Errorf("the keys were read %d times, want 2: an unknown kid costs a request in %v", n, keysRetry)
	}
	f.clock.pass(keysFresh)
	w, _ = get(v, next())
	wantStatus(t, w, 200)
	if n := f.count("/jwks"); n != 3 {
		t.Errorf("the keys were read %d times, want 3: they are read again when they are old", n)
	}
}

// The server away: what is known goes on, what is not is 503, never 401.
func TestServerAwayForJWTs(t *testing.T) {
	f := newFake(t)
	f.down = 500
	v := f.verifier()
	w, _ := get(v, f.jwt())
	wantStatus(t, w, 503)
	if w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("503 with %v, want Retry-After and no challenge", w.Header())
	}
	for range 50 {
		get(v, f.jwt())
	}
	if n := f.count("/.well-known/oauth-authorization-server"); n != 1 {
		t.Errorf("a server that is away was asked %d times within a second, want once", n)
	}
	f.set(func() { f.down = 0 })
	f.clock.pass(failedFor)
	w, _ = get(v, f.jwt())
	wantStatus(t, w, 200)

	f.set(func() { f.down = 502 })
	f.clock.pass(keysFresh)
	w, _ = get(v, f.jwt()) // by the keys that are known
	wantStatus(t, w, 200)
	w, _ = get(v, sign(t, otherKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "new"}, f.claims()))
	wantStatus(t, w, 503)
	f.clock.pass(keysStale)
	w, _ = get(v, f.jwt())
	wantStatus(t, w, 503)
}

// AlwaysAsk: a JWT whose connection was ended is over.
func TestAlwaysAsk(t *testing.T) {
	f := newFake(t)
	v := f.verifier(func(o *Options) { o.AlwaysAsk = true })
	text := f.jwt("cnf", nil)
	f.opaque(text, "sub", "another")
	w, token := get(v, text)
	wantStatus(t, w, 200)
	if token.Subject != f.claims()["sub"] {
		t.Error("what the token says is taken from the answer, not from what is signed")
	}
	f.set(func() { f.tokens[text] = nil })
	f.clock.pass(5 * time.Second)
	w, _ = get(v, text)
	wantStatus(t, w, 401)
	// A bad signature is not asked about.
	n := f.count("/introspect")
	w, _ = get(v, text[:len(text)-4]+"AAAA")
	wantStatus(t, w, 401)
	if f.count("/introspect") != n {
		t.Error("a forged JWT reaches the server")
	}
}

func TestCheck(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	token, err := v.Check(context.Background(), f.jwt())
	check(t, err)
	if token.ClientID != "sym_app_1" {
		t.Errorf("got %+v", token)
	}
	for name, text := range map[string]string{
		"nothing": "", "spaces": "a b", "bound": f.jwt("cnf", map[string]any{"jkt": "x"}), "by certificate": f.jwt("cnf", map[string]any{"x5t#S256": "x"}),
	} {
		token, err := v.Check(context.Background(), text)
		var e *Error
		if token != nil || !errors.As(err, &e) || e.Status != http.StatusUnauthorized {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
}
