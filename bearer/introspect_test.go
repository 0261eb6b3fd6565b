package bearer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func rnd() string { return strings.ToLower(rand.Text()) }

func TestIntrospection(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	text := f.opaque("sym_at_1")
	w, token := get(v, text, "connect")
	wantStatus(t, w, 200)
	if token.Subject != f.claims()["sub"] || token.Username != "Jane Doe" || token.ClientID != "sym_app_1" || !token.Has("read") || token.ExpiresAt.IsZero() {
		t.Errorf("got %+v", token)
	}
	// RFC 6749 §2.3.1: credentials are encoded before they are joined.
	if f.user != "api+one" || f.pass != "s%3Ae%2Bc" || f.form.Get("token") != text || f.form.Get("token_type_hint") != "access_token" {
		t.Errorf("asked as %q %q with %v", f.user, f.pass, f.form)
	}
	// What one handler does to its token is nothing to the next.
	token.Scopes[0], token.Audience[0] = "admin", "x"
	for range 2 { // from the server's answer, and from what is remembered of it
		_, again := get(v, text)
		if again.Has("admin") || again.Audience[0] == "x" {
			t.Error("a handler changed the token of another request")
		}
		again.Scopes[0], again.Audience[0] = "admin", "x"
	}
}

// What an answer must say (RFC7662-2.2-b, RFC7662-4-a, RFC9449-6.2-a).
func TestIntrospectionAnswers(t *testing.T) {
	f := newFake(t)
	now := f.clock.now().Unix()
	strictly, named := f.verifier(), f.verifier(func(o *Options) { o.TakeUnnamed = true })
	open := f.verifier(func(o *Options) { o.Resource = "" })
	list := f.verifier(func(o *Options) { o.Resource, o.Audience = "", []string{"orders"} })
	for name, c := range map[string]struct {
		v       *Verifier
		changes []any
		want    int
	}{
		"good":                     {strictly, nil, 200},
		"not active":               {strictly, []any{"active", false}, 401},
		"no active":                {strictly, []any{"active", nil}, 401},
		"expired":                  {strictly, []any{"exp", now - 60}, 401},
		"not yet":                  {strictly, []any{"nbf", now + 61}, 401},
		"no exp":                   {strictly, []any{"exp", nil}, 200},
		"no iss":                   {strictly, []any{"iss", nil}, 200},
		"another iss":              {strictly, []any{"iss", "https://evil.test"}, 401},
		"for another API":          {strictly, []any{"aud", "https://r2.test"}, 401},
		"for several":              {strictly, []any{"aud", []any{"https://r2.test", resource}}, 200},
		"unnamed":                  {strictly, []any{"aud", nil}, 401},
		"unnamed, taken":           {named, []any{"aud", nil}, 200},
		"the server's, taken":      {named, []any{"aud", f.URL}, 200},
		"the server's":             {strictly, []any{"aud", f.URL}, 401},
		"the server's and another": {named, []any{"aud", []any{f.URL, "https://r2.test"}}, 401},
		"another API, taken":       {named, []any{"aud", "https://r2.test"}, 401},
		"unnamed, server decides":  {open, []any{"aud", nil}, 200},
		"named, server decides":    {open, nil, 200},
		"by Audience":              {list, []any{"aud", "orders"}, 200},
		"not by Audience":          {list, nil, 401},
		"DPoP without a key":       {strictly, []any{"token_type", "DPoP"}, 401},
		"bound in an unknown way":  {strictly, []any{"cnf", map[string]any{"jwk": 1}}, 401},
		"whose is not said":        {strictly, []any{"sub", nil, "client_id", nil}, 401},
		"of an app without a user": {strictly, []any{"sub", nil}, 200},
		"details are text":         {strictly, []any{"authorization_details", "x"}, 401},
	} {
		w, _ := get(c.v, f.opaque("sym_at_"+rnd(), c.changes...))
		if w.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, c.want)
		}
	}
	for name, answer := range map[string]string{
		"no JSON": "<html>", "a list": "[]", "a member twice": `{"active":true,"sub":"a","active":true}`, "another case": `{"Active":true,"sub":"a"}`,
		"null": "null", "deep": `{"active":true,"x":` + strings.Repeat("[", 30000), "long": `{"x":"` + strings.Repeat("x", maxBody) + `"}`, "long with spaces": `{"active":true,"sub":"a"}` + strings.Repeat(" ", maxBody),
	} {
		f.set(func() { f.answer = answer })
		w, token := get(open, "sym_at_"+rnd())
		if w.Code == 200 || token != nil {
			t.Errorf("%s: got %d", name, w.Code)
		}
	}
}

// JWTs of another kind, and JWTs where nothing says what they must be for, are
// the server's to judge.
func TestWhatIsAskedAbout(t *testing.T) {
	f := newFake(t)
	other := f.opaque(sign(t, ecKey, map[string]any{"alg": "ES256", "typ": "JWT", "kid": "ec"}, f.claims()))
	w, _ := get(f.verifier(), other)
	wantStatus(t, w, 200)
	own := f.opaque(f.jwt())
	w, _ = get(f.verifier(func(o *Options) { o.Resource = "" }), own)
	wantStatus(t, w, 200)
	if f.count("/introspect") != 2 || f.count("/jwks") != 0 {
		t.Errorf("asked %v, want 2 introspections and no keys", f.asked)
	}
}

// A good token is believed for 5 s, to its expiry at most; a bad one for 1 s.
func TestHowLongIsBelieved(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	good, short := f.opaque("good"), f.opaque("short", "exp", f.clock.now().Unix()+2)
	step := func(d time.Duration, text string, status, asked int) {
		t.Helper()
		f.clock.pass(d)
		w, _ := get(v, text)
		wantStatus(t, w, status)
		if n := f.count("/introspect"); n != asked {
			t.Errorf("%d requests, want %d", n, asked)
		}
	}
	step(0, good, 200, 1)
	f.set(func() { delete(f.tokens, "good") })
	step(4999*time.Millisecond, good, 200, 1)
	step(time.Millisecond, good, 401, 2)
	step(999*time.Millisecond, good, 401, 2)
	f.opaque("good")
	step(time.Millisecond, good, 200, 3)

	f.opaque("short", "exp", f.clock.now().Unix()+2)
	step(0, short, 200, 4)
	step(1900*time.Millisecond, short, 200, 4)
	step(200*time.Millisecond, short, 200, 5) // within the leeway, the server says so

	none := f.verifier(func(o *Options) { o.CacheFor = -1 })
	get(none, good)
	get(none, good)
	if n := f.count("/introspect"); n != 7 {
		t.Errorf("%d requests, want 7: nothing is kept when CacheFor is negative", n)
	}
}

// The server away: 503 with Retry-After, never 401, whatever it answers.
func TestServerAwayForOpaqueTokens(t *testing.T) {
	for _, status := range []int{301, 302, 307, 400, 401, 403, 404, 429, 500, 503} {
		f := newFake(t)
		var log bytes.Buffer
		v := f.verifier(func(o *Options) {
			o.IntrospectionEndpoint = f.URL + "/introspect"
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		good := f.opaque("sym_at_secret")
		f.down = status
		for range 5 {
			w, _ := get(v, good)
			if w.Code != 503 || w.Header().Get("Retry-After") != "7" || w.Header().Get("WWW-Authenticate") != "" {
				t.Errorf("%d: got %d %v", status, w.Code, w.Header())
			}
		}
		if s := log.String(); strings.Count(s, "\n") != 1 || strings.Contains(s, "sym_at_secret") || strings.Contains(s, "s:e+c") {
			t.Errorf("the log says %q, want one line without token and secret", s)
		}
		if f.count("/elsewhere") != 0 {
			t.Error("a redirect was followed, with the token and our secret")
		}
		f.set(func() { f.down = 0 })
		w, _ := get(v, good) // a failure is not kept
		wantStatus(t, w, 200)
		f.set(func() { f.down = 500 })
		w, _ = get(v, good) // what is known goes on for its 5 s
		wantStatus(t, w, 200)
		f.Close()
		f.clock.pass(5 * time.Second)
		w, _ = get(v, good) // no one answers
		wantStatus(t, w, 503)
	}
}

// Many who show the same token at the same moment cost one question, and one who
// hangs up takes nothing from the others.
func TestOneQuestionForMany(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	f.hold = make(chan struct{})
	good := f.opaque("good")
	gone, hangUp := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	results := make(chan int, 51)
	wg.Go(func() {
		w, _ := call(v, request("GET", "/", "Authorization: Bearer "+good).WithContext(gone))
		results <- w.Code
	})
	for f.count("/introspect") == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 50 {
		wg.Go(func() {
			w, _ := get(v, good)
			results <- w.Code
		})
	}
	hangUp()
	if code := <-results; code != 503 {
		t.Errorf("the one who hung up got %d", code)
	}
	close(f.hold)
	wg.Wait()
	for range 50 {
		if code := <-results; code != 200 {
			t.Errorf("got %d", code)
		}
	}
	if n := f.count("/introspect"); n != 1 {
		t.Errorf("51 at once cost %d questions", n)
	}
}

// A server that hangs holds maxAsking questions at most; the rest are answered
// at once.
func TestHangingServer(t *testing.T) {
	f := newFake(t)
	v := f.verifier(func(o *Options) { o.IntrospectionEndpoint = f.URL + "/introspect" })
	f.hold = make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range maxAsking {
		wg.Go(func() { _, _ = v.Check(ctx, rnd()) })
	}
	for v.asking.Load() < maxAsking {
		time.Sleep(time.Millisecond)
	}
	begin := time.Now()
	w, _ := get(v, "one-more")
	wantStatus(t, w, 503)
	if d := time.Since(begin); d > timeout/2 {
		t.Errorf("one too many waited %v", d)
	}
	if n := f.count("/introspect"); n > maxTurns {
		t.Errorf("%d requests at once, want %d at most", n, maxTurns)
	}
	stop()
	close(f.hold)
	wg.Wait()
}

// A flood of inventions takes bounded memory and drives no good token out.
func TestFlood(t *testing.T) {
	f := newFake(t)
	// The server is asked in memory, which is faster and counts no sockets.
	v := f.verifier(func(o *Options) {
		o.IntrospectionEndpoint, o.JWKSURI = f.URL+"/introspect", f.URL+"/jwks"
		o.Client = &http.Client{Transport: direct(f.serve)}
	})
	good := f.opaque("good")
	w, _ := get(v, good)
	wantStatus(t, w, 200)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	flood := func(n int) {
		for range n {
			_, _ = v.Check(context.Background(), rnd())
		}
	}
	flood(2 * maxBad)
	before := heap()
	flood(2 * maxBad)
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("another %d inventions took %d bytes more", 2*maxBad, grown)
	}
	if n := v.bad.len(); n > maxBad {
		t.Errorf("%d inventions are remembered, want %d at most", n, maxBad)
	}
	if v.known.len() != 1 {
		t.Errorf("%d good tokens are remembered, want 1", v.known.len())
	}
	n := f.count("/introspect")
	w, _ = get(v, good)
	wantStatus(t, w, 200)
	if f.count("/introspect") != n {
		t.Error("the flood drove out a good token")
	}
	// Without the server, an invention costs next to nothing.
	invented := sign(t, otherKey, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "invented"}, f.claims())
	_, _ = v.Check(context.Background(), invented)
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Check(context.Background(), invented) }); n > 250 {
		t.Errorf("an invented JWT takes %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Check(context.Background(), good) }); n > 5 {
		t.Errorf("a known token takes %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Check(context.Background(), strings.Repeat("x", maxToken+1)) }); n > 10 {
		t.Errorf("a token that is too long takes %v allocations", n)
	}
}

// direct is a transport that calls a handler.
type direct func(http.ResponseWriter, *http.Request)

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d(w, r)
	return w.Result(), nil
}

func TestCache(t *testing.T) {
	c := newCache[int](8)
	now := time.Unix(1000, 0)
	key := func(i int) [32]byte { return [32]byte{byte(i), byte(i >> 8)} }
	for i := range 1000 {
		c.keep(key(i), i, now.Add(time.Second))
		if got, ok := c.find(key(i), now); !ok || got != i {
			t.Fatalf("%d is not found", i)
		}
		if c.len() > 8 {
			t.Fatalf("%d are held, want 8 at most", c.len())
		}
	}
	if _, ok := c.find(key(999), now.Add(time.Second)); ok {
		t.Error("what is over is found")
	}
	c.keep(key(999), 7, now.Add(time.Second))
	if got, _ := c.find(key(999), now); got != 7 {
		t.Errorf("the older of two is found: %d", got)
	}
}

func TestMetadataOfTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]any
		want   int
	}{
		"as it is":          {nil, 200},
		"OpenID Connect's":  {map[string]any{"issuer": nil}, 200},
		"another issuer":    {map[string]any{"issuer": "https://evil.test"}, 503},
		"no endpoint":       {map[string]any{"introspection_endpoint": nil}, 503},
		"a relative one":    {map[string]any{"introspection_endpoint": "/introspect"}, 503},
		"of another type":   {map[string]any{"introspection_endpoint": 7}, 503},
		"of another scheme": {map[string]any{"introspection_endpoint": "file:///etc/passwd"}, 503},
	} {
		f := newFake(t)
		f.metadata = c.change
		w, _ := get(f.verifier(), f.opaque("x"))
		if w.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, c.want)
		}
	}
	// Who reads the issuer by https is not led to http (RFC 8414 §2).
	doc := map[string]any{"issuer": "https://as.test", "jwks_uri": "http://as.test/jwks"}
	text, err := json.Marshal(doc)
	check(t, err)
	if _, err := parseMetadata(text, "https://as.test"); err == nil {
		t.Error("an https issuer may name an http endpoint")
	}
	for _, u := range []string{"https:///jwks", "https://u:p@as.test/jwks", "https:jwks", "https://as.test/#x", "https://as.test/\n"} {
		doc["jwks_uri"] = u
		text, err := json.Marshal(doc)
		check(t, err)
		if _, err := parseMetadata(text, "https://as.test"); err == nil {
			t.Errorf("%q is taken for an endpoint", u)
		}
	}
	for at, want := range map[string]string{
		"https://as.test":        "https://as.test/.well-known/x",
		"https://as.test/":       "https://as.test/.well-known/x",
		"https://as.test/a/b":    "https://as.test/.well-known/x/a/b",
		"https://as.test/a/":     "https://as.test/.well-known/x/a/",
		"https://as.test:8443/a": "https://as.test:8443/.well-known/x/a",
		"https://as.test?q=1":    "https://as.test/.well-known/x?q=1",
	} {
		if got := wellKnown(at, "x"); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}
