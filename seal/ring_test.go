package seal

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"pgregory.net/rapid"
)

var t0 = time.UnixMilli(1_790_000_000_000).UTC()

func newRoot(t testing.TB) *RootKey {
	t.Helper()
	root, err := NewRootKey()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func newKey(t testing.TB, root *RootKey, activeFrom time.Time) symbolon.Key {
	t.Helper()
	key, err := root.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key.ActiveFrom = activeFrom
	return key
}

func newRing(t testing.TB, root *RootKey, keys ...symbolon.Key) *Ring {
	t.Helper()
	ring, err := NewRing([]*RootKey{root}, keys)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func mustSeal(t testing.TB, ring *Ring, p Prefix, plain string, at time.Time) string {
	t.Helper()
	text, err := ring.Seal(p, []byte(plain), at)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// refused fails unless opening the text is refused as Invalid, without an echo.
func refused(t testing.TB, ring *Ring, p Prefix, text string, now time.Time) {
	t.Helper()
	plain, err := ring.Open(p, text, now)
	if err == nil {
		t.Fatalf("%q is opened under %s as %q", text, p, plain)
	}
	if symbolon.KindOf(err) != symbolon.Invalid {
		t.Fatalf("opening %q: the kind of %v is %v", text, err, symbolon.KindOf(err))
	}
	if len(text) > 20 && strings.Contains(err.Error(), text[7:]) {
		t.Fatalf("the error repeats the text: %v", err)
	}
}

func TestSealAndOpen(t *testing.T) {
	root := newRoot(t)
	ring := newRing(t, root, newKey(t, root, t0))
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]Prefix{Code, AccessToken, RefreshToken, Flow, Device}).Draw(t, "prefix")
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		text, err := ring.Seal(p, plain, t0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ring.Open(p, text, t0)
		if err != nil || string(got) != string(plain) {
			t.Fatalf("sealed %x, opened %x, %v", plain, got, err)
		}
	})
}

// SYM-RT-2: the successor of a refresh token is the same on every node, and
// when it is made again after a key became active in the meantime.
func TestSealIsTheSameEverywhere(t *testing.T) {
	root := newRoot(t)
	first, second := newKey(t, root, t0), newKey(t, root, t0.Add(time.Hour))
	one := newRing(t, root, first)
	text := mustSeal(t, one, RefreshToken, "value", t0.Add(time.Minute))

	other := newRoot(t)
	rewrapped, err := other.Rewrap(first, []*RootKey{newRoot(t), root})
	if err != nil {
		t.Fatal(err)
	}
	for name, ring := range map[string]*Ring{
		"another node":                newRing(t, root, first),
		"after a rotation":            newRing(t, root, second, first),
		"wrapped by another root key": newRing(t, other, rewrapped),
	} {
		if again := mustSeal(t, ring, RefreshToken, "value", t0.Add(time.Minute)); again != text {
			t.Errorf("%s: %s, was %s", name, again, text)
		}
	}
	if err := one.Load([]*RootKey{root}, []symbolon.Key{first, second}); err != nil {
		t.Fatal(err)
	}
	if again := mustSeal(t, one, RefreshToken, "value", t0.Add(time.Minute)); again != text {
		t.Errorf("loaded again: %s, was %s", again, text)
	}
	later := mustSeal(t, one, RefreshToken, "value", t0.Add(time.Hour))
	if later == text {
		t.Error("the second key is not used once it is active")
	}
	for _, text := range []string{text, later} {
		if got, err := one.Open(RefreshToken, text, t0.Add(24*time.Hour)); err != nil || string(got) != "value" {
			t.Errorf("opened %q, %v", got, err)
		}
	}
}

func TestWhichKeyIsActive(t *testing.T) {
	root := newRoot(t)
	a, b, c := newKey(t, root, t0), newKey(t, root, t0.Add(time.Hour)), newKey(t, root, t0.Add(2*time.Hour))
	b.RetiredAt = t0.Add(90 * time.Minute)
	ring := newRing(t, root, c, a, b)
	for _, tt := range []struct {
		after time.Duration
		want  symbolon.Key
	}{
		{-time.Hour, a}, {0, a}, {time.Hour - 1, a}, {time.Hour, b}, {90*time.Minute - 1, b},
		{90 * time.Minute, a}, {2 * time.Hour, c}, {100 * time.Hour, c},
	} {
		if got := ring.active(t0.Add(tt.after)); got == nil || got.id != tt.want.ID {
			t.Errorf("at %v: %+v, want %s", tt.after, got, tt.want.ID)
		}
	}
	if _, err := newRing(t, root).Seal(Code, nil, t0); err == nil || symbolon.KindOf(err) != symbolon.Internal {
		t.Errorf("a ring without keys: %v", err)
	}
}

func TestRetiredAndForeignKeys(t *testing.T) {
	root := newRoot(t)
	key := newKey(t, root, t0)
	key.RetiredAt = t0.Add(time.Hour)
	ring := newRing(t, root, key)
	text := mustSeal(t, ring, Code, "value", t0)
	if _, err := ring.Open(Code, text, key.RetiredAt.Add(-1)); err != nil {
		t.Errorf("before the key is retired: %v", err)
	}
	refused(t, ring, Code, text, key.RetiredAt)

	t.Run("the same id with another key", func(t *testing.T) {
		twin := newKey(t, root, t0)
		twin.ID = key.ID // wrapped under another id: it cannot be passed off as this one
		if _, err := NewRing([]*RootKey{root}, []symbolon.Key{twin}); symbolon.KindOf(err) != symbolon.Denied {
			t.Errorf("a key under another id is taken: %v", err)
		}
	})
	t.Run("another key", func(t *testing.T) {
		refused(t, newRing(t, root, newKey(t, root, t0)), Code, text, t0)
	})
	t.Run("C24 another root key", func(t *testing.T) {
		_, err := NewRing([]*RootKey{newRoot(t), newRoot(t)}, []symbolon.Key{key})
		if err == nil || symbolon.KindOf(err) != symbolon.Denied {
			t.Errorf("a foreign root key: %v", err)
		}
		if err := ring.Load([]*RootKey{newRoot(t)}, []symbolon.Key{key}); symbolon.KindOf(err) != symbolon.Denied {
			t.Errorf("loading with a foreign root key: %v", err)
		}
		if _, err := ring.Open(Code, text, t0); err != nil {
			t.Errorf("after a failed Load the keys from before are gone: %v", err)
		}
		if _, err := newRoot(t).Rewrap(key, []*RootKey{newRoot(t)}); symbolon.KindOf(err) != symbolon.Denied {
			t.Errorf("rewrapping a foreign key: %v", err)
		}
	})
	t.Run("a damaged wrapped key", func(t *testing.T) {
		for i := range key.Wrapped {
			bad := key
			bad.Wrapped = append([]byte(nil), key.Wrapped...)
			bad.Wrapped[i] ^= 1
			if _, err := NewRing([]*RootKey{root}, []symbolon.Key{bad}); symbolon.KindOf(err) != symbolon.Denied {
				t.Fatalf("byte %d changed: %v", i, err)
			}
		}
	})
}

func TestSealRefusesWhatOpenWould(t *testing.T) {
	root := newRoot(t)
	ring := newRing(t, root, newKey(t, root, t0))
	fits := strings.Repeat("x", (MaxLen-len(Code)-Code.sumLen())/4*3-idLen-16)
	text := mustSeal(t, ring, Code, fits, t0)
	if got, err := ring.Open(Code, text, t0); err != nil || string(got) != fits {
		t.Errorf("%d characters: %v", len(text), err)
	}
	if _, err := ring.Seal(Code, []byte(fits+"xxx"), t0); err == nil {
		t.Error("a value too long to be opened is sealed")
	}
}

// RFC6749-10.10-a, RFC6749-A.12.
func TestTokensAreLongAndRandom(t *testing.T) {
	root := newRoot(t)
	ring := newRing(t, root, newKey(t, root, t0))
	// RFC 6750 §2.1, token68; without "=" there is nothing to encode.
	const token68 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	seen := make(map[string]bool)
	var counts [256]int
	grant := symbolon.Grant{Account: symbolon.NewAccountID(), Client: "c", Name: "", IssuedAt: t0, ExpiresAt: t0}
	total := 0
	samples := 20_000
	if os.Getenv("SYMBOLON_LONG") != "" {
		samples = 100_000
	}
	for i := range samples {
		// The least that a token can hold: one grant beside the other, made in
		// the same millisecond.
		grant.Connection = symbolon.NewConnectionID(t0)
		plain, err := (&symbolon.AccessToken{Grant: grant}).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		text := mustSeal(t, ring, AccessToken, string(plain), t0)
		switch {
		case seen[text]:
			t.Fatal("made twice")
		case len(text) < 43 || !strings.HasPrefix(text, "sym_at_"):
			t.Fatalf("%q is too short, or does not say what it is", text)
		case strings.Trim(text, token68) != "":
			t.Fatalf("%q has a character that does not belong", text)
		}
		seen[text] = true
		// What follows the prefix and the key's id (5 characters and a part).
		random := text[len(AccessToken)+6:]
		if i < 10_000 {
			if h := shannon(random); h <= 96 {
				t.Fatalf("%q has an entropy of %.0f bits by Shannon's formula, want more than 96", text, h)
			}
		}
		for _, c := range []byte(random[:64]) {
			counts[c]++
			total++
		}
	}
	// Each of the 64 characters as often as the others, within six standard
	// deviations.
	want := float64(total) / 64
	for c := range 256 {
		if counts[c] != 0 && math.Abs(float64(counts[c])-want) > 6*math.Sqrt(want) {
			t.Errorf("%q appears %d times of %d", rune(c), counts[c], total)
		}
	}
}

// shannon returns the entropy of a text in bits, as certification suites
// estimate it: that of its characters, times their number.
func shannon(s string) float64 {
	var counts [256]float64
	for _, c := range []byte(s) {
		counts[c]++
	}
	h := 0.0
	for _, n := range counts {
		if n > 0 {
			h -= n * math.Log2(n/float64(len(s)))
		}
	}
	return h
}

func TestRingByManyAtOnce(t *testing.T) {
	root := newRoot(t)
	keys := []symbolon.Key{newKey(t, root, t0), newKey(t, root, t0.Add(time.Hour))}
	ring := newRing(t, root, keys...)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				want := fmt.Sprint("value ", i)
				got, err := ring.Open(Flow, mustSeal(t, ring, Flow, want, t0), t0)
				if err != nil || string(got) != want {
					t.Errorf("opened %q, %v", got, err)
				}
				if err := ring.Load([]*RootKey{root}, keys[:1+i%2]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// What is told of the keys has no secret in it.
func TestKeysOfTheRing(t *testing.T) {
	root, err := NewRootKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := root.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key.ActiveFrom, key.RetiredAt = time.UnixMilli(1), time.UnixMilli(2)
	ring, err := NewRing([]*RootKey{root}, []symbolon.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	key.Wrapped = nil
	if got := ring.Keys(); !reflect.DeepEqual(got, []symbolon.Key{key}) {
		t.Errorf("got %+v, want %+v", got, key)
	}
}
