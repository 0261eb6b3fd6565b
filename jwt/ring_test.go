package jwt

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

var now = time.UnixMilli(1_790_000_000_000).UTC()

type world struct {
	root *seal.RootKey
	keys []symbolon.Key
	*Ring
}

func newWorld(t testing.TB) *world {
	t.Helper()
	root, err := seal.NewRootKey()
	check(t, err)
	w := &world{root: root}
	for _, a := range Algorithms {
		k, err := NewKey(root, a)
		check(t, err)
		k.ActiveFrom = now.Add(-time.Hour)
		w.keys = append(w.keys, k)
	}
	sealing, err := root.NewKey()
	check(t, err)
	w.keys = append(w.keys, sealing)
	w.Ring, err = NewRing([]*seal.RootKey{root}, w.keys)
	check(t, err)
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type claims struct {
	Issuer string `json:"iss"`
}

func TestSignAndOpen(t *testing.T) {
	w := newWorld(t)
	for _, a := range Algorithms {
		text, err := w.Sign("at+jwt", a, claims{"https://as.test"}, now)
		check(t, err)
		var got claims
		check(t, w.Open("at+jwt", text, &got, now))
		if got.Issuer != "https://as.test" {
			t.Errorf("%s: %+v", a, got)
		}
		if err := w.Open("jwt", text, &got, now); symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%s: another typ: %v", a, err)
		}
		for i := range text {
			// The last character of a part may have bits that mean nothing.
			if text[i] == '.' || i+1 == len(text) || text[i+1] == '.' {
				continue
			}
			c := byte('A')
			if text[i] == c {
				c = 'B'
			}
			if w.Open("at+jwt", text[:i]+string(c)+text[i+1:], &got, now) == nil {
				t.Fatalf("%s: it is honoured with byte %d changed", a, i)
			}
		}
	}
	// The case of a typ says nothing (RFC 7515 §4.1.9).
	text, err := w.Sign("JWT", "ES256", claims{"https://as.test"}, now)
	check(t, err)
	for _, typ := range []string{"JWT", "jwt"} {
		check(t, w.Open(typ, text, new(claims), now))
	}
	if _, err := w.Sign("at+jwt", "HS256", claims{}, now); err == nil {
		t.Error("HS256 signs")
	}
	if _, err := NewKey(w.root, "none"); symbolon.KindOf(err) != symbolon.Invalid {
		t.Errorf("a key for none: %v", err)
	}
}

// OIDCC-10.1-c, OIDCC-16-a: distinct kid, use, and public members only.
func TestSet(t *testing.T) {
	w := newWorld(t)
	b, err := w.Set(now)
	check(t, err)
	var set struct{ Keys []map[string]any }
	check(t, json.Unmarshal(b, &set))
	if len(set.Keys) != len(Algorithms) {
		t.Fatalf("%d keys", len(set.Keys))
	}
	kids := map[any]bool{}
	for _, k := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if k[private] != nil {
				t.Errorf("the set has %q", private)
			}
		}
		if k["use"] != "sig" || k["alg"] == nil || k["kid"] == nil || kids[k["kid"]] {
			t.Errorf("%v", k)
		}
		kids[k["kid"]] = true
	}
	empty, err := NewRing(nil, nil)
	check(t, err)
	if b, _ := empty.Set(now); string(b) != `{"keys":[]}` {
		t.Errorf("an empty ring: %s", b)
	}
}

// OIDCC-10.1.1-a: a key is announced, then signs, then its signatures count, then it is gone.
func TestLifeOfAKey(t *testing.T) {
	w := newWorld(t)
	next, err := NewKey(w.root, "ES256")
	check(t, err)
	next.ActiveFrom = now.Add(time.Hour)
	check(t, w.Load([]*seal.RootKey{w.root}, append(w.keys, next)))
	kid := func(at time.Time) string {
		t.Helper()
		text, err := w.Sign("at+jwt", "ES256", claims{}, at)
		check(t, err)
		parsed, err := Parse(text)
		check(t, err)
		return parsed.KeyID
	}
	first := w.keys[0].ID.String()
	if b, _ := w.Set(now); !strings.Contains(string(b), next.ID.String()) {
		t.Error("a key to come is not announced")
	}
	if got := kid(now); got != first {
		t.Errorf("%s signs before its time", got)
	}
	// A clock that is behind: the first key, not the one that is announced.
	if got := kid(now.Add(-2 * time.Hour)); got != first {
		t.Errorf("before any is active, %s signs", got)
	}
	old, err := w.Sign("at+jwt", "ES256", claims{}, now)
	check(t, err)
	now := now.Add(time.Hour)
	if got := kid(now); got != next.ID.String() {
		t.Errorf("%s signs", got)
	}
	check(t, w.Open("at+jwt", old, new(claims), now))
	w.keys[0].RetiredAt = now
	w.Retire(w.keys)
	if w.Open("at+jwt", old, new(claims), now) == nil {
		t.Error("what a retired key signed is honoured")
	}
	if b, _ := w.Set(now); strings.Contains(string(b), first) {
		t.Error("a retired key is in the set")
	}
	if got := kid(now); got != next.ID.String() {
		t.Errorf("%s signs", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	w := newWorld(t)
	other, err := seal.NewRootKey()
	check(t, err)
	if err := w.Load([]*seal.RootKey{other}, w.keys); symbolon.KindOf(err) != symbolon.Denied {
		t.Errorf("another root key: %v", err)
	}
	swapped := w.keys[1]
	swapped.Algorithm = "PS256"
	if err := w.Load([]*seal.RootKey{w.root}, []symbolon.Key{swapped}); symbolon.KindOf(err) != symbolon.Denied {
		t.Errorf("a key under another algorithm: %v", err)
	}
	swapped.Algorithm = "XS256"
	if err := w.Load([]*seal.RootKey{w.root}, []symbolon.Key{swapped}); symbolon.KindOf(err) != symbolon.Denied {
		t.Errorf("an unknown algorithm: %v", err)
	}
	if len(w.Ring.Algorithms(now)) != len(Algorithms) {
		t.Error("a failed loading changed the ring")
	}
}

// B55, B56, B57: what a header says is not believed.
func TestOpenRefuses(t *testing.T) {
	w := newWorld(t)
	kid := w.keys[0].ID.String()
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	foreign := func(alg jose.SignatureAlgorithm, key any, options *jose.SignerOptions) string {
		t.Helper()
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options.WithType("at+jwt").WithHeader("kid", kid))
		check(t, err)
		signed, err := s.Sign([]byte(`{"iss":"x"}`))
		check(t, err)
		text, err := signed.CompactSerialize()
		check(t, err)
		return text
	}
	public, err := w.Set(now)
	check(t, err)
	own, err := w.Sign("at+jwt", "ES256", claims{"x"}, now)
	check(t, err)
	parts := strings.Split(own, ".")
	for what, text := range map[string]string{
		"none":          part(`{"alg":"none","typ":"at+jwt"}`) + "." + part(`{}`) + ".",
		"nOnE":          part(`{"alg":"nOnE","typ":"at+jwt"}`) + "." + part(`{}`) + ".",
		"HS256":         foreign(jose.HS256, public, &jose.SignerOptions{}),
		"a foreign key": foreign(jose.EdDSA, newEd25519(t), &jose.SignerOptions{}),
		"crit":          foreign(jose.EdDSA, newEd25519(t), (&jose.SignerOptions{}).WithCritical("x").WithHeader("x", 1)),
		"embedded key":  foreign(jose.EdDSA, newEd25519(t), &jose.SignerOptions{EmbedJWK: true}),
		"no signature":  parts[0] + "." + parts[1] + ".",
		"no header":     "." + parts[1] + "." + parts[2],
		"twice alg":     part(`{"alg":"none","alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"JSON form":     `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"a line break":  own + "\n",
		"nothing":       "",
		"too long":      own + strings.Repeat("A", MaxLen),
		"encrypted":     own + ".x.y",
	} {
		if err := w.Open("at+jwt", text, new(claims), now); symbolon.KindOf(err) != symbolon.Invalid || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if Decode([]byte(`{"iss":"a","iss":"b"}`), new(claims)) == nil {
		t.Error("a claim may stand twice")
	}
	var c claims
	if err := Decode([]byte(`{"Iss":"a"}`), &c); err != nil || c.Issuer != "" {
		t.Errorf("names are read in any case: %v %+v", err, c)
	}
}

// B98: a JWT has one spelling.
func TestOneSpelling(t *testing.T) {
	w := newWorld(t)
	for _, a := range Algorithms {
		text, err := w.Sign("at+jwt", a, claims{"https://as.test"}, now)
		check(t, err)
		for _, c := range strings.TrimSuffix(compact, ".") {
			other := text[:len(text)-1] + string(c)
			var got claims
			if err := w.Open("at+jwt", other, &got, now); (err == nil) != (other == text) {
				t.Errorf("%s: with %c at its end: %v", a, c, err)
			}
		}
	}
}

// What is told of the keys has no secret in it.
func TestKeysOfTheRing(t *testing.T) {
	root, err := seal.NewRootKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey(root, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	key.ActiveFrom, key.RetiredAt = time.UnixMilli(1), time.UnixMilli(2)
	ring, err := NewRing([]*seal.RootKey{root}, []symbolon.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	key.Wrapped = nil
	if got := ring.Keys(); !reflect.DeepEqual(got, []symbolon.Key{key}) {
		t.Errorf("got %+v, want %+v", got, key)
	}
}
