package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// TestRootRotationCutShort cuts a rotation of the root key short after each of
// its steps, and before the first: the file always opens the keys, what was
// sealed before can be read, and running it again ends it.
func TestRootRotationCutShort(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for cut := range 4 {
		dir := t.TempDir()
		store := storetest.NewMemory()
		source := findRoot(dir, "", noEnv)
		old, err := source.make()
		if err != nil {
			t.Fatal(err)
		}
		key, err := old.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		signs, err := jwt.NewKey(old, "ES256")
		if err != nil {
			t.Fatal(err)
		}
		key.ActiveFrom, signs.ActiveFrom = now.Add(-time.Minute), now.Add(-time.Minute)
		put := func(keys []symbolon.Key) error { return symbolon.PutKeys(t.Context(), store, keys, false) }
		if err := put([]symbolon.Key{key, signs}); err != nil {
			t.Fatal(err)
		}
		before := openRings(t, source, store)
		text, err := before.sealing.Seal(seal.Code, []byte("plain"), now)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := before.signing.Sign("at+jwt", "ES256", map[string]string{"sub": "jane"}, now)
		if err != nil {
			t.Fatal(err)
		}
		stillOpens := func(when string) {
			t.Helper()
			opened := openRings(t, source, store)
			if plain, err := opened.sealing.Open(seal.Code, text, now); err != nil || string(plain) != "plain" {
				t.Errorf("cut after %d%s: what was sealed before opens to %q, %v", cut, when, plain, err)
			}
			var claims map[string]string
			if err := opened.signing.Open("at+jwt", signed, &claims, now); err != nil || claims["sub"] != "jane" {
				t.Errorf("cut after %d%s: what was signed before opens to %q, %v", cut, when, claims, err)
			}
		}
		rotate := func(steps int) *seal.RootKey {
			t.Helper()
			keys, err := store.Keys(t.Context(), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := source.ringsOf(keys)
			if err != nil {
				t.Fatalf("cut after %d: %v", cut, err)
			}
			next, err := seal.NewRootKey()
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range rootSteps(source, next, opened.roots, keys, put)[:steps] {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			return next
		}
		rotate(cut)
		stillOpens("")
		last := rotate(3)
		stillOpens(" and run again")
		roots, err := source.read()
		if err != nil || len(roots) != 1 || roots[0].Reveal() != last.Reveal() {
			t.Errorf("cut after %d and run again: the file has %d root keys, %v; want the last one alone", cut, len(roots), err)
		}
		keys, _ := store.Keys(t.Context(), nil, false)
		if _, err := seal.NewRing([]*seal.RootKey{old}, keys); symbolon.KindOf(err) != symbolon.Denied {
			t.Errorf("cut after %d and run again: the old root key still opens the keys: %v", cut, err)
		}
	}
}

func openRings(t *testing.T, source rootSource, store symbolon.Store) rings {
	t.Helper()
	keys, err := store.Keys(t.Context(), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := source.ringsOf(keys)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func noEnv(string) (string, bool) { return "", false }

// TestRootKeyNeverReplacesAnother makes a root key where there is one.
func TestRootKeyNeverReplacesAnother(t *testing.T) {
	t.Parallel()
	source := findRoot(t.TempDir(), "", noEnv)
	if _, err := source.make(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(source.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.make(); !errors.Is(err, os.ErrExist) {
		t.Errorf("making it again: %v, want fs.ErrExist", err)
	}
	after, err := os.ReadFile(source.path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the root key changed: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(source.path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left over, %v", len(entries)-1, err)
	}
}

// TestKeyringTriesAgain changes keys while the root key cannot be read: the
// ring stays, and is read once it can be.
func TestKeyringTriesAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := storetest.NewMemory()
	k := &keyring{source: findRoot(dir, "", noEnv), store: store, log: discard()}
	if err := k.open(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	roots, err := k.source.read()
	if err != nil {
		t.Fatal(err)
	}
	next, err := roots[0].NewKey()
	if err != nil {
		t.Fatal(err)
	}
	next.ActiveFrom = time.Now()
	signs, err := jwt.NewKey(roots[0], "EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	signs.ActiveFrom = next.ActiveFrom
	keys, err := store.Keys(t.Context(), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	gone := keys[slices.IndexFunc(keys, func(k symbolon.Key) bool { return k.Algorithm == "RS256" })]
	gone.RetiredAt = next.ActiveFrom
	if err := symbolon.PutKeys(t.Context(), store, []symbolon.Key{next, signs, gone}, false); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	if err := os.Rename(k.source.path, other); err != nil {
		t.Fatal(err)
	}
	k.changed(t.Context())
	if !k.late.Load() {
		t.Fatal("it counts as read although there is no root key")
	}
	if _, err := k.ring.Seal(seal.Code, nil, time.Now()); err != nil {
		t.Errorf("the ring from before is gone: %v", err)
	}
	if _, err := k.signing.Sign("JWT", "ES256", struct{}{}, time.Now()); err != nil {
		t.Errorf("the signing keys from before are gone: %v", err)
	}
	// Retiring needs no root key: there may be a thief who has the key.
	if set, err := k.signing.Set(time.Now()); err != nil || strings.Contains(string(set), gone.ID.String()) {
		t.Errorf("a key that was retired is in the set: %s, %v", set, err)
	}
	if err := os.Rename(other, k.source.path); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); k.late.Load(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not try again")
		}
	}
	text, err := openRings(t, k.source, store).sealing.Seal(seal.Code, []byte("x"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.ring.Open(seal.Code, text, time.Now()); err != nil {
		t.Errorf("the new key is not in the ring: %v", err)
	}
	if _, err := k.signing.Sign("JWT", "EdDSA", struct{}{}, time.Now()); err != nil {
		t.Errorf("the new signing key is not in the ring: %v", err)
	}
}
