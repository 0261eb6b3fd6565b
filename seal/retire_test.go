package seal

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// A key is retired without the root key, and what was opened by it counts as
// unopened from then on.
func TestRetireNeedsNoRootKey(t *testing.T) {
	root, err := NewRootKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := root.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	key.ActiveFrom = now.Add(-time.Hour)
	ring, err := NewRing([]*RootKey{root}, []symbolon.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	text, err := ring.Seal(AccessToken, []byte("x"), now)
	if err != nil {
		t.Fatal(err)
	}
	before := ring.Generation(now)
	key.RetiredAt = now
	ring.Retire([]symbolon.Key{key})
	if _, err := ring.Open(AccessToken, text, now); symbolon.KindOf(err) != symbolon.Invalid {
		t.Errorf("opened by a retired key: %v", err)
	}
	if ring.Generation(now) <= before {
		t.Error("the generation did not move on")
	}
}
