package oauth

import (
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// A node that is behind, and so may lack the key of a token, does not call it none of
// ours: it reads first, and refuses for now when it cannot.
func TestATokenOfAKeyThatANodeHasNotHeardOf(t *testing.T) { // C20
	w := newWorld(t)
	root, err := seal.NewRootKey()
	w.ok(err)
	key, err := root.NewKey()
	w.ok(err)
	other := *w
	other.ring, err = seal.NewRing([]*seal.RootKey{root}, []symbolon.Key{key})
	w.ok(err)
	other.start() // the node that seals by the new key
	a := other.connected(&w.C1)
	ask := func() error {
		_, err := w.Info(w.ctx, Bearer(a.AccessToken))
		return err
	}
	w.refused(ask(), InvalidToken) // as far as it knows

	away := true
	w.store.Plan(func(verb string) storetest.Fault {
		if away && verb == "Changes" {
			return storetest.Lost
		}
		return storetest.NoFault
	})
	w.feed.began.Store(nil)
	w.refused(ask(), Unavailable)

	away = false
	w.feed.OnChange(func(c symbolon.Change) error {
		if c.Kind != symbolon.KeysChanged {
			return nil
		}
		return w.ring.Load([]*seal.RootKey{root}, []symbolon.Key{key})
	})
	_, err = w.store.Keys(w.ctx, []symbolon.Key{key}, false)
	w.ok(err)
	w.ok(ask())
}
