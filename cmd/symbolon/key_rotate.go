package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
)

// keyRotateCmd makes a new sealing key, new signing keys, or a new root key.
type keyRotateCmd struct {
	keyPlace
	Signing     bool   `xor:"what" help:"Make new signing keys instead, one for each algorithm. They are in the key set (JWKS) at once, and sign once every API has read them there."`
	Algorithm   string `placeholder:"ALG" help:"With --signing: make one for this algorithm alone, also one that there was none for: ES256, RS256, PS256 or EdDSA."`
	ActiveAfter span   `default:"1h" help:"How long after that new signing keys sign, 0s to 30d (${default}): at least as long as an API keeps the set."`
	Root        bool   `xor:"what" help:"Make a new root key instead, and wrap all other keys by it. Tokens do not change."`
	JSON        bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (keyRotateCmd) Help() string {
	return "No connection is touched. The running server takes the new key up by itself.\n\nExample:\n\n    symbolon key rotate"
}

// Run implements the command.
func (c *keyRotateCmd) Run(sh *shell) error {
	if time.Duration(c.ActiveAfter) > 30*24*time.Hour {
		return fmt.Errorf("--active-after is %s, want 0s to 30d", c.ActiveAfter)
	}
	if c.Algorithm != "" && (!c.Signing || !slices.Contains(jwt.Algorithms, c.Algorithm)) {
		return mend(fmt.Errorf("there are no signing keys for %q to be made", printable(c.Algorithm)), "write --signing --algorithm ALG, one of %s", strings.Join(jwt.Algorithms, ", "))
	}
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
		opened, err := source.ringsOf(keys)
		switch {
		case err != nil:
			return err
		case c.Root:
			return c.rotateRoot(sh, d, source, opened.roots, keys)
		case c.Signing:
			return c.rotateSigning(sh, d, opened.roots[0], keys)
		}
		return c.rotateSealing(sh, d, opened.roots[0], keys)
	})
}

// activeAfter is how long after it was made a key is first used, at least: by
// then every server has read it.
const activeAfter = 2 * feedBound

// unused makes a key whose id no other has: or it would take the place of a key
// that is in use.
func unused(keys []symbolon.Key, make func() (symbolon.Key, error)) (symbolon.Key, error) {
	key, err := make()
	for err == nil && slices.ContainsFunc(keys, func(k symbolon.Key) bool { return k.ID == key.ID }) {
		key, err = make()
	}
	return key, err
}

func newSigningKey(root *seal.RootKey, algorithm string, keys []symbolon.Key) (symbolon.Key, error) {
	return unused(keys, func() (symbolon.Key, error) { return jwt.NewKey(root, algorithm) })
}

func (c *keyRotateCmd) rotateSealing(sh *shell, d *desk, root *seal.RootKey, keys []symbolon.Key) error {
	key, err := unused(keys, root.NewKey)
	if err != nil {
		return err
	}
	key.ActiveFrom = d.clock.Now().Add(activeAfter)
	if err := symbolon.PutKeys(sh.ctx, d.store, []symbolon.Key{key}, false); err != nil {
		return err
	}
	waitFor(sh, activeAfter) // until it seals
	if c.JSON {
		return sh.printJSON(map[string]any{"kid": key.ID.String(), "active_from": stamp(key.ActiveFrom)})
	}
	fmt.Fprintf(sh.stdout, "The key %s seals from now on. What the older keys sealed stays good until they are retired.\n", key.ID)
	return nil
}

func (c *keyRotateCmd) rotateSigning(sh *shell, d *desk, root *seal.RootKey, keys []symbolon.Key) error {
	var made []symbolon.Key
	for _, algorithm := range jwt.Algorithms {
		switch c.Algorithm {
		case algorithm:
		case "":
			// Those that sign, and those that every server has.
			if !slices.Contains(admin.SigningAlgorithms, algorithm) && activeKey(keys, algorithm, d.clock.Now()) == 0 {
				continue
			}
		default:
			continue
		}
		key, err := newSigningKey(root, algorithm, slices.Concat(keys, made))
		if err != nil {
			return err
		}
		made = append(made, key)
	}
	after := max(time.Duration(c.ActiveAfter), activeAfter)
	from := d.clock.Now().Add(after) // after they were made, which takes a while
	for i := range made {
		made[i].ActiveFrom = from
	}
	if err := symbolon.PutKeys(sh.ctx, d.store, made, false); err != nil {
		return err
	}
	if after == activeAfter {
		waitFor(sh, activeAfter)
	} else {
		d.settle(sh.ctx)
	}
	views := []keyView{}
	for _, v := range viewKeys(slices.Concat(keys, made), d.clock.Now()) {
		if slices.ContainsFunc(made, func(k symbolon.Key) bool { return k.ID.String() == v.KID }) {
			views = append(views, v)
		}
	}
	if c.JSON {
		return sh.printJSON(map[string]any{"keys": views})
	}
	for _, v := range views {
		if v.State == active {
			fmt.Fprintf(sh.stdout, "The key %s signs with %s from now on.\n", v.KID, v.Algorithm)
		} else {
			fmt.Fprintf(sh.stdout, "The key %s is in the key set, and signs with %s from %s on.\n", v.KID, v.Algorithm, whenStamp(v.ActiveFrom))
		}
	}
	fmt.Fprintln(sh.stdout, "What the older keys signed stays good until they are retired.")
	return nil
}

// waitFor waits, unless the command is interrupted.
func waitFor(sh *shell, d time.Duration) {
	select {
	case <-time.After(d):
	case <-sh.ctx.Done():
	}
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
// file; the other keys wrapped by the new one; the new one alone in the file.
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
