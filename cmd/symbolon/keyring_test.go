package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// TestTheFirstSigningKeys opens data directories of several pasts: each has a
// signing key of every algorithm then, and no more than one.
func TestTheFirstSigningKeys(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sealingKey := func(root *seal.RootKey) symbolon.Key {
		key, err := root.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		key.ActiveFrom = now.Add(-time.Hour)
		return key
	}
	signingKey := func(root *seal.RootKey, algorithm string) symbolon.Key {
		key, err := newSigningKey(root, algorithm, nil)
		if err != nil {
			t.Fatal(err)
		}
		key.ActiveFrom = now.Add(-time.Hour)
		return key
	}
	for _, c := range []struct {
		name string
		past func(root *seal.RootKey) []symbolon.Key // nil: there is none
		made []string
		sign []string
	}{
		{"a new one", nil, []string{"", "ES256", "RS256"}, []string{"ES256", "RS256"}},
		{"one from before there were signing keys", func(root *seal.RootKey) []symbolon.Key {
			return []symbolon.Key{sealingKey(root)}
		}, []string{"ES256", "RS256"}, []string{"ES256", "RS256"}},
		{"one whose first start was cut short", func(root *seal.RootKey) []symbolon.Key {
			return []symbolon.Key{sealingKey(root), signingKey(root, "ES256")}
		}, []string{"RS256"}, []string{"ES256", "RS256"}},
		{"one that lacks nothing", func(root *seal.RootKey) []symbolon.Key {
			return []symbolon.Key{sealingKey(root), signingKey(root, "ES256"), signingKey(root, "RS256")}
		}, nil, []string{"ES256", "RS256"}},
		{"one whose owner retired the only key of an algorithm", func(root *seal.RootKey) []symbolon.Key {
			gone := signingKey(root, "RS256")
			gone.RetiredAt = now.Add(-time.Minute)
			return []symbolon.Key{sealingKey(root), signingKey(root, "ES256"), gone}
		}, nil, []string{"ES256"}},
	} {
		store := storetest.NewMemory()
		source := findRoot(t.TempDir(), "", noEnv)
		var before []symbolon.Key
		if c.past != nil {
			root, err := source.make()
			if err != nil {
				t.Fatal(err)
			}
			if before, err = store.Keys(t.Context(), c.past(root), false); err != nil {
				t.Fatal(err)
			}
		}
		// Twice, since the second start must make nothing; and two at once.
		for range 2 {
			var all sync.WaitGroup
			for range 2 {
				if c.past == nil && len(before) == 0 {
					before = []symbolon.Key{} // a root key is made by one process: the directory is locked
					openKeyring(t, source, store, now)
				}
				all.Go(func() {
					k := openKeyring(t, source, store, now)
					if k != nil && !slices.Equal(k.signing.Algorithms(now), c.sign) {
						t.Errorf("%s: it signs with %v, want %v", c.name, k.signing.Algorithms(now), c.sign)
					}
				})
			}
			all.Wait()
			keys, err := store.Keys(t.Context(), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			var made []string
			for _, key := range keys {
				if !slices.ContainsFunc(before, func(k symbolon.Key) bool { return k.ID == key.ID }) {
					made = append(made, key.Algorithm)
				}
			}
			slices.Sort(made)
			if !slices.Equal(made, c.made) {
				t.Errorf("%s: keys of %q were made, want %q", c.name, made, c.made)
			}
		}
	}
}

func openKeyring(t *testing.T, source rootSource, store symbolon.Store, now time.Time) *keyring {
	k := &keyring{source: source, store: store, log: discard()}
	if err := k.open(t.Context(), now); err != nil {
		t.Error(err)
		return nil
	}
	return k
}

func TestStatesOfKeys(t *testing.T) {
	t.Parallel()
	now := time.Now()
	key := func(id symbolon.KeyID, algorithm string, from, retired time.Duration) symbolon.Key {
		k := symbolon.Key{ID: id, Algorithm: algorithm, ActiveFrom: now.Add(from)}
		if retired != 0 {
			k.RetiredAt = now.Add(retired)
		}
		return k
	}
	const h = time.Hour
	keys := []symbolon.Key{
		key(1, "", -5*h, -h), key(2, "ES256", -5*h, -h), key(3, "", -4*h, 0), key(4, "ES256", -4*h, 0),
		key(5, "", -3*h, 0), key(6, "ES256", -3*h, 0), key(7, "RS256", -3*h, 0), key(8, "ES256", h, 0), key(9, "", h, 0),
	}
	want := []struct {
		id    symbolon.KeyID
		state keyState
	}{
		{1, retired}, {3, retiring}, {5, active}, {9, announced},
		{2, retired}, {4, retiring}, {6, active}, {8, announced},
		{7, active},
	}
	for i, v := range viewKeys(keys, now) {
		if v.KID != want[i].id.String() || v.State != want[i].state {
			t.Errorf("place %d: key %s of %q is %s, want %v", i, v.KID, v.Algorithm, v.State, want[i])
		}
	}
}
