//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/sqlite"
)

// openData opens the store and the sealing keys of a data directory that a
// demo has made and on which no server runs.
func openData(dir string) (*sqlite.DB, *seal.Ring, error) {
	text, err := os.ReadFile(filepath.Join(dir, "root.key"))
	if err != nil {
		return nil, nil, err
	}
	roots, err := seal.ParseRootKeys(string(text))
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	store, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "symbolon.db")})
	if err != nil {
		return nil, nil, err
	}
	keys, err := store.Keys(ctx, nil, false)
	if err == nil {
		var ring *seal.Ring
		if ring, err = seal.NewRing(roots, keys); err == nil {
			return store, ring, nil
		}
	}
	store.Close()
	return nil, nil, err
}
