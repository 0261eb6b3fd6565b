package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// keyring keeps the ring of a running server as the store has its keys.
type keyring struct {
	source rootSource
	store  symbolon.Store
	log    *slog.Logger
	ring   *seal.Ring
	// sandbox says that nothing here is worth a copy.
	sandbox bool
	late    atomic.Bool // a reading failed and is being tried again
}

// open makes the first key of a new database, and opens the keys of any other.
func (k *keyring) open(ctx context.Context, now time.Time) error {
	keys, err := k.store.Keys(ctx, nil, false)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		if err := k.begin(ctx, now); err != nil {
			return err
		}
		if keys, err = k.store.Keys(ctx, nil, false); err != nil {
			return err
		}
	}
	k.ring, _, err = k.source.ringOf(keys)
	if err != nil {
		// A rotation of the root key may have come between the two readings.
		if keys, kerr := k.store.Keys(ctx, nil, false); kerr == nil {
			k.ring, _, err = k.source.ringOf(keys)
		}
	}
	return err
}

// begin makes the first sealing key, and before it, if the owner named no
// other source, the root key.
func (k *keyring) begin(ctx context.Context, now time.Time) error {
	roots, err := k.source.read()
	switch {
	case errors.Is(err, errNoRoot) && k.source.given:
		return mend(fmt.Errorf("%w at %s", errNoRoot, k.source.path), "put one there; to have one made, start once without --root-key-file and move root.key out of the data directory")
	case errors.Is(err, errNoRoot):
		root, err := k.source.make()
		if err != nil {
			return err
		}
		if !k.sandbox {
			k.log.Info("a root key was made: save a copy apart from the database", "file", k.source.path)
		}
		roots = []*seal.RootKey{root}
	case err != nil:
		return err
	}
	key, err := roots[0].NewKey()
	if err != nil {
		return err
	}
	key.ActiveFrom = now
	err = symbolon.PutKeys(ctx, k.store, []symbolon.Key{key}, true)
	if symbolon.KindOf(err) == symbolon.Conflict {
		return nil // another made it at this moment
	}
	return err
}

// changed is told that the keys in the store are others now. The root key is
// read again too, since it may be what changed.
func (k *keyring) changed(ctx context.Context) {
	if err := k.load(ctx); err != nil && k.late.CompareAndSwap(false, true) {
		k.log.Error("the keys changed and cannot be read; the server goes on with those it has, and tries again", "cause", err.Error())
		go k.retry(ctx)
	}
}

func (k *keyring) retry(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if k.load(ctx) == nil {
				k.late.Store(false)
				k.log.Info("the keys were read again")
				return
			}
		}
	}
}

func (k *keyring) load(ctx context.Context) error {
	keys, err := k.store.Keys(ctx, nil, false)
	if err != nil {
		return err
	}
	k.ring.Retire(keys)           // whatever becomes of the root key
	roots, err := k.source.read() // after the keys: see rootSteps
	if err != nil {
		return err
	}
	return k.ring.Load(roots, keys)
}
