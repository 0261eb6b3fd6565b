package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
)

// keyring keeps the rings of a running server as the store has its keys.
type keyring struct {
	source  rootSource
	store   symbolon.Store
	log     *slog.Logger
	ring    *seal.Ring
	signing *jwt.Ring
	// sandbox says that nothing here is worth a copy.
	sandbox bool
	late    atomic.Bool // a reading failed and is being tried again
}

// open makes the keys that a new database lacks, or one from before there were
// signing keys, and opens those that are there.
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
	rings, err := k.source.ringsOf(keys)
	if err != nil {
		// A rotation of the root key may have come between the two readings.
		if again, kerr := k.store.Keys(ctx, nil, false); kerr == nil {
			keys = again
			rings, err = k.source.ringsOf(keys)
		}
	}
	if err != nil {
		return err
	}
	if len(missingAlgorithms(keys)) > 0 {
		if keys, err = k.beginSigning(ctx, rings.roots, keys, now); err != nil {
			return err
		}
		if rings, err = k.source.ringsOf(keys); err != nil {
			return err
		}
	}
	k.ring, k.signing = rings.sealing, rings.signing
	return nil
}

// missingAlgorithms returns those of admin.SigningAlgorithms for which there never was
// a key. An owner may retire the last one: it does not come back by itself.
func missingAlgorithms(keys []symbolon.Key) []string {
	var missing []string
	for _, algorithm := range admin.SigningAlgorithms {
		if !slices.ContainsFunc(keys, func(key symbolon.Key) bool { return key.Algorithm == algorithm }) {
			missing = append(missing, algorithm)
		}
	}
	return missing
}

// beginSigning makes the first signing keys and returns all keys. They sign at
// once, since nobody holds a set from before that lacks them.
func (k *keyring) beginSigning(ctx context.Context, roots []*seal.RootKey, keys []symbolon.Key, now time.Time) ([]symbolon.Key, error) {
	for _, algorithm := range missingAlgorithms(keys) {
		key, err := newSigningKey(roots[0], algorithm, keys)
		if err != nil {
			return nil, err
		}
		key.ActiveFrom = now
		err = symbolon.PutKeys(ctx, k.store, []symbolon.Key{key}, true)
		if err != nil && symbolon.KindOf(err) != symbolon.Conflict { // another made it at this moment
			return nil, err
		}
		if keys, err = k.store.Keys(ctx, nil, false); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// begin makes the first sealing key, and before it, if the owner named no
// other source, the root key.
func (k *keyring) begin(ctx context.Context, now time.Time) error {
	made := false
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
		roots, made = []*seal.RootKey{root}, true
	case err != nil:
		return err
	}
	key, err := roots[0].NewKey()
	if err != nil {
		return err
	}
	key.ActiveFrom = now
	err = symbolon.PutKeys(ctx, k.store, []symbolon.Key{key}, true)
	if symbolon.KindOf(err) == symbolon.Conflict && made {
		// Another node made the keys at this moment, wrapped by a root key of its own:
		// this one has wrapped nothing.
		return mend(errors.Join(errOtherRoot, os.Remove(k.source.path)), "copy its root.key into the data directory of this one, or name it with --root-key-file, and start again")
	}
	if symbolon.KindOf(err) == symbolon.Conflict {
		return nil // another made it at this moment
	}
	return err
}

// errOtherRoot means that the root key is in the hands of another node.
var errOtherRoot = errors.New("another node has made the first keys, and this one lacks their root key")

// changed is told that the keys in the store are others now. The root key is
// read again too, since it may be what changed. An error means that it is not known
// which keys are retired, or that others seal by a key that this server lacks: it
// would call what they gave out none of theirs, and must answer nothing until it has
// the key.
func (k *keyring) changed(ctx context.Context) error {
	keys, err := k.store.Keys(ctx, nil, false)
	if err != nil {
		return err
	}
	err = k.take(keys)
	if err == nil {
		return nil
	}
	lacks := k.lacks(keys)
	if k.late.CompareAndSwap(false, true) {
		does := "the server goes on with those it has"
		if lacks {
			does = "the server lacks one that others use, and answers 503 until it has it"
		}
		k.log.Error("the keys changed and cannot be opened; "+does+", and tries again", "cause", err.Error())
		go k.retry(ctx)
	}
	if lacks {
		return symbolon.Wrap(symbolon.Busy, "open keys", err)
	}
	return nil
}

// lacks reports whether a key that is not retired is none of those that were opened.
func (k *keyring) lacks(keys []symbolon.Key) bool {
	own := append(k.ring.Keys(), k.signing.Keys()...)
	return slices.ContainsFunc(keys, func(key symbolon.Key) bool {
		return key.RetiredAt.IsZero() && !slices.ContainsFunc(own, func(o symbolon.Key) bool { return o.ID == key.ID })
	})
}

// reload reads the keys, and goes on trying when that fails.
func (k *keyring) reload(ctx context.Context) {
	if k.load(ctx) != nil && k.late.CompareAndSwap(false, true) {
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
	return k.take(keys)
}

// take takes up keys as the store has them.
func (k *keyring) take(keys []symbolon.Key) error {
	k.ring.Retire(keys) // whatever becomes of the root key
	k.signing.Retire(keys)
	roots, err := k.source.read() // after the keys: see rootSteps
	if err != nil {
		return err
	}
	return errors.Join(k.ring.Load(roots, keys), k.signing.Load(roots, keys))
}
