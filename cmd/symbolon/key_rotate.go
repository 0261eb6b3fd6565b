package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// keyRotateCmd makes a new sealing key, or a new root key.
type keyRotateCmd struct {
	keyPlace
	Root bool `help:"Make a new root key instead, and wrap the sealing keys by it. Tokens do not change."`
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (keyRotateCmd) Help() string {
	return "No connection is touched. The running server takes the new key up by itself.\n\nExample:\n\n    symbolon key rotate"
}

// Run implements the command.
func (c *keyRotateCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		unlock, err := d.lockKeys()
		if err != nil {
			return err
		}
		defer unlock()
		keys, err := d.store.Keys(sh.ctx, nil, false)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return fmt.Errorf("there are no keys yet: the server makes them when it first starts")
		}
		source := findRoot(d.dir, c.RootKeyFile, sh.env)
		_, roots, err := source.ringOf(keys)
		if err != nil {
			return err
		}
		if c.Root {
			return c.rotateRoot(sh, d, source, roots, keys)
		}
		return c.rotateSealing(sh, d, roots[0], keys)
	})
}

// activeAfter is how long after it was made a sealing key is first used: by
// then every server has read it.
const activeAfter = 2 * feedBound

func (c *keyRotateCmd) rotateSealing(sh *shell, d *desk, root *seal.RootKey, keys []symbolon.Key) error {
	key, err := root.NewKey()
	for err == nil && slices.ContainsFunc(keys, func(k symbolon.Key) bool { return k.ID == key.ID }) {
		key, err = root.NewKey() // or it would take the place of a key that is in use
	}
	if err != nil {
		return err
	}
	key.ActiveFrom = d.clock.Now().Add(activeAfter)
	if err := symbolon.PutKeys(sh.ctx, d.store, []symbolon.Key{key}, false); err != nil {
		return err
	}
	select { // until it seals
	case <-time.After(activeAfter):
	case <-sh.ctx.Done():
	}
	if c.JSON {
		return sh.printJSON(map[string]any{"kid": key.ID.String(), "active_from": stamp(key.ActiveFrom)})
	}
	fmt.Fprintf(sh.stdout, "The key %s seals from now on. What the older keys sealed stays good until they are retired.\n", key.ID)
	return nil
}

func (c *keyRotateCmd) rotateRoot(sh *shell, d *desk, source rootSource, roots []*seal.RootKey, keys []symbolon.Key) error {
	if source.path == "" || source.credential {
		return mend(fmt.Errorf("the root key is in %s, which this command cannot write", source.what),
			"put it in a file of mode 0600, run “symbolon key rotate --root --root-key-file FILE”, put what the file then holds in its place, and restart the server")
	}
	path, err := filepath.EvalSymlinks(source.path) // it is the file that is replaced, not a link to it
	if err != nil {
		return err
	}
	source.path = path
	root, err := seal.NewRootKey()
	if err != nil {
		return err
	}
	put := func(keys []symbolon.Key) error { return symbolon.PutKeys(sh.ctx, d.store, keys, false) }
	for _, step := range rootSteps(source, root, roots, keys, put) {
		if err := step(); err != nil {
			return mend(fmt.Errorf("the root key was not rotated wholly: %w", err), "the server can still open its keys; run the command again")
		}
	}
	d.settle(sh.ctx)
	if c.JSON {
		return sh.printJSON(map[string]any{"root_key_file": source.path, "keys": len(keys)})
	}
	fmt.Fprintf(sh.stdout, "There is a new root key in %s. Save it apart from the database. Backups of the database from before need the old one: keep it with them, or make a new backup now.\n", source.path)
	return nil
}

// rootSteps are the steps of a rotation of the root key: both root keys in the
// file; the sealing keys wrapped by the new one; the new one alone in the file.
// After each, the file opens the keys, so that a rotation that was cut short
// may be run again.
func rootSteps(source rootSource, root *seal.RootKey, roots []*seal.RootKey, keys []symbolon.Key, put func([]symbolon.Key) error) []func() error {
	return []func() error{
		func() error {
			return replaceFile(source.path, rootText(slices.Concat([]*seal.RootKey{root}, roots)...))
		},
		func() error {
			wrapped := make([]symbolon.Key, 0, len(keys))
			for _, k := range keys {
				k, err := root.Rewrap(k, roots)
				if err != nil {
					return err
				}
				wrapped = append(wrapped, k)
			}
			return put(wrapped)
		},
		func() error { return replaceFile(source.path, rootText(root)) },
	}
}
