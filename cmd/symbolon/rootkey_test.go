package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
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
		key.ActiveFrom = now.Add(-time.Minute)
		put := func(keys []symbolon.Key) error { return symbolon.PutKeys(t.Context(), store, keys, false) }
		if err := put([]symbolon.Key{key}); err != nil {
			t.Fatal(err)
		}
		ring := openRing(t, source, store)
		text, err := ring.Seal(seal.Code, []byte("plain"), now)
		if err != nil {
			t.Fatal(err)
		}
		rotate := func(steps int) *seal.RootKey {
			t.Helper()
			keys, err := store.Keys(t.Context(), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			_, roots, err := source.ringOf(keys)
			if err != nil {
				t.Fatalf("cut after %d: %v", cut, err)
			}
			next, err := seal.NewRootKey()
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range rootSteps(source, next, roots, keys, put)[:steps] {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			return next
		}
		rotate(cut)
		if plain, err := openRing(t, source, store).Open(seal.Code, text, now); err != nil || string(plain) != "plain" {
			t.Errorf("cut after %d: what was sealed before opens to %q, %v", cut, plain, err)
		}
		last := rotate(3)
		if plain, err := openRing(t, source, store).Open(seal.Code, text, now); err != nil || string(plain) != "plain" {
			t.Errorf("cut after %d and run again: what was sealed before opens to %q, %v", cut, plain, err)
		}
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

func openRing(t *testing.T, source rootSource, store symbolon.Store) *seal.Ring {
	t.Helper()
	keys, err := store.Keys(t.Context(), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	ring, _, err := source.ringOf(keys)
	if err != nil {
		t.Fatal(err)
	}
	return ring
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
	if err := symbolon.PutKeys(t.Context(), store, []symbolon.Key{next}, false); err != nil {
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
	if err := os.Rename(other, k.source.path); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); k.late.Load(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not try again")
		}
	}
	text, err := openRing(t, k.source, store).Seal(seal.Code, []byte("x"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.ring.Open(seal.Code, text, time.Now()); err != nil {
		t.Errorf("the new key is not in the ring: %v", err)
	}
}
