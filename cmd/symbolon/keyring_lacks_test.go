package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// A node whose root key is out of date goes on while it has every key that is used,
// and not when another node seals by one that it lacks.
func TestANodeThatLacksAKey(t *testing.T) { // C20
	ctx, store, now := t.Context(), storetest.NewMemory(), time.Now()
	source := rootSource{path: filepath.Join(t.TempDir(), "root.key")}
	k := openKeyring(t, source, store, now)
	k.late.Store(true) // it is not tried again meanwhile
	keys := func(put ...symbolon.Key) []symbolon.Key {
		t.Helper()
		list, err := store.Keys(ctx, put, false)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	// Another node rotates the root key: all keys are wrapped anew.
	old, err := source.read()
	if err != nil {
		t.Fatal(err)
	}
	root, err := seal.NewRootKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys() {
		if key, err = root.Rewrap(key, old); err != nil {
			t.Fatal(err)
		}
		keys(key)
	}
	if err := k.changed(ctx); err != nil {
		t.Errorf("it has all keys that are used, and does not go on: %v", err)
	}
	// And then a sealing key.
	key, err := root.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key.ActiveFrom = now
	keys(key)
	if err := k.changed(ctx); symbolon.KindOf(err) != symbolon.Busy {
		t.Errorf("another node seals by a key that it lacks, and it goes on: %v", err)
	}
	// Retired, nothing counts that was sealed by it.
	key.RetiredAt = now
	keys(key)
	if err := k.changed(ctx); err != nil {
		t.Errorf("it lacks a retired key only, and does not go on: %v", err)
	}
}
