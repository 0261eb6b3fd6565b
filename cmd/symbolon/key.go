package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/symbolon/symbolon"
)

// keyCmds are the commands for keys.
type keyCmds struct {
	List   keyListCmd   `cmd:"" help:"List the keys that seal and those that sign."`
	Rotate keyRotateCmd `cmd:"" help:"Seal, or sign, by a new key; what the old ones made stays good."`
	Retire keyRetireCmd `cmd:"" help:"Stop honouring everything that a key sealed or signed."`
}

// Help implements kong.HelpProvider.
func (keyCmds) Help() string {
	return "Example:\n\n    symbolon key rotate"
}

// keyPlace says on which keys a command works.
type keyPlace struct {
	place
	RootKeyFile string `setting:"root_key_file" placeholder:"FILE" help:"Root key, as the server has it."`
}

// keyView is a key as --json prints it: never the key itself.
type keyView struct {
	KID string `json:"kid"`
	Use string `json:"use"` // sealing or signing
	// Algorithm is that of a signing key.
	Algorithm  string   `json:"algorithm,omitempty"`
	State      keyState `json:"state"`
	ActiveFrom stamp    `json:"active_from"`
	RetiredAt  stamp    `json:"retired_at"`
}

// keyState is where a key stands in its life.
type keyState string

const (
	// announced: every server knows it, and the key set has it; it makes nothing
	// yet.
	announced keyState = "announced"
	// active: it seals, or signs with its algorithm.
	active keyState = "active"
	// retiring: it makes nothing any more, and what it made is honoured.
	retiring keyState = "retiring"
	// retired: nothing that it made is honoured.
	retired keyState = "retired"
)

// activeKey returns the id of the key that seals (algorithm "") or signs at a
// moment, as seal.Ring and jwt.Ring choose it, or 0.
func activeKey(keys []symbolon.Key, algorithm string, now time.Time) symbolon.KeyID {
	var first symbolon.KeyID
	for _, k := range slices.Backward(keys) {
		if k.Algorithm != algorithm || !k.RetiredAt.IsZero() && !now.Before(k.RetiredAt) {
			continue
		}
		if !k.ActiveFrom.After(now) {
			return k.ID
		}
		first = k.ID
	}
	return first
}

func viewKeys(keys []symbolon.Key, now time.Time) []keyView {
	views := []keyView{}
	for _, k := range keys {
		v := keyView{KID: k.ID.String(), Use: "sealing", Algorithm: k.Algorithm, State: retiring, ActiveFrom: stamp(k.ActiveFrom), RetiredAt: stamp(k.RetiredAt)}
		if k.Algorithm != "" {
			v.Use = "signing"
		}
		switch {
		case !k.RetiredAt.IsZero():
			v.State = retired
		case k.ID == activeKey(keys, k.Algorithm, now):
			v.State = active
		case k.ActiveFrom.After(now):
			v.State = announced
		}
		views = append(views, v)
	}
	// What belongs together stands together, each in the order of ActiveFrom.
	slices.SortStableFunc(views, func(a, b keyView) int { return strings.Compare(a.Algorithm, b.Algorithm) })
	return views
}

// keyListCmd lists the keys.
type keyListCmd struct {
	place
	JSON bool `name:"json" help:"Print one JSON array."`
}

// Help implements kong.HelpProvider.
func (keyListCmd) Help() string { return "Example:\n\n    symbolon key list" }

// Run implements the command.
func (c *keyListCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		keys, err := d.store.Keys(sh.ctx, nil, false)
		if err != nil {
			return err
		}
		views := viewKeys(keys, d.clock.Now())
		if c.JSON {
			return sh.printJSON(views)
		}
		if len(views) == 0 {
			fmt.Fprintln(sh.stdout, "There are no keys yet: the server makes them when it first starts.")
			return nil
		}
		rows := [][]string{{"KID", "USE", "ALGORITHM", "STATE", "ACTIVE FROM", "RETIRED"}}
		for _, v := range views {
			rows = append(rows, []string{v.KID, v.Use, orDash(v.Algorithm), string(v.State), whenStamp(v.ActiveFrom), whenStamp(v.RetiredAt)})
		}
		return sh.printTable(rows)
	})
}

// keyRetireCmd retires a key.
type keyRetireCmd struct {
	place
	KID  string `arg:"" name:"kid" help:"Which key: its kid in “symbolon key list”."`
	Yes  bool   `help:"Do not ask."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (keyRetireCmd) Help() string {
	return "Connections whose refresh token was sealed by the key must be made anew. After a rotation, every connection that was refreshed since is safe; all are once the refresh lifetime has passed.\n\nA signing key leaves the key set (JWKS) at once. An API that checks by that set refuses what the key signed when it next reads it; most keep it for an hour. After a rotation, every token is safe once the access lifetime has passed since the new key became active.\n\nExample:\n\n    symbolon key retire 1f0c9a3e --yes"
}

// Run implements the command.
func (c *keyRetireCmd) Run(sh *shell) error {
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
		i := slices.IndexFunc(keys, func(k symbolon.Key) bool { return k.ID.String() == c.KID })
		switch now := d.clock.Now(); {
		case i < 0:
			return mend(fmt.Errorf("there is no key %q", printable(c.KID)), "“symbolon key list” shows them all")
		case !keys[i].RetiredAt.IsZero():
			return fmt.Errorf("the key %s is retired already, since %s", c.KID, when(keys[i].RetiredAt))
		case keys[i].Algorithm == "" && (keys[i].ID == activeKey(keys, "", now) || keys[i].ActiveFrom.After(now)):
			return mend(fmt.Errorf("the key %s is the one that seals now, or will next", c.KID), "make another first: symbolon key rotate")
		case keys[i].Algorithm != "" && keys[i].ID == activeKey(keys, keys[i].Algorithm, now):
			return mend(fmt.Errorf("the key %s is the one that signs with %s now", c.KID, keys[i].Algorithm), "make another first: symbolon key rotate --signing; when it must go at once, with --active-after 0s")
		}
		made := "sealed"
		if keys[i].Algorithm != "" {
			made = "signed"
		}
		if err := sh.confirm(c.Yes, c.KID, "retiring the key "+c.KID+", after which nothing that it "+made+" is honoured,"); err != nil {
			return err
		}
		keys[i].RetiredAt = d.clock.Now()
		if err := symbolon.PutKeys(sh.ctx, d.store, keys[i:i+1], false); err != nil {
			return err
		}
		d.settle(sh.ctx)
		if c.JSON {
			return sh.printJSON(map[string]any{"kid": c.KID, "retired_at": stamp(keys[i].RetiredAt)})
		}
		fmt.Fprintf(sh.stdout, "The key %s is retired: nothing that it %s is honoured any more.\n", c.KID, made)
		return nil
	})
}

// lockKeys makes sure that one command at a time changes keys.
func (d *desk) lockKeys() (unlock func(), err error) {
	f, err := os.Open(d.dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another command is changing the keys of %s at this moment", d.dir)
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}
