package seal

import (
	"bytes"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// A wrapped secret outlives every rotation, and is good for one use only.
func TestWrap(t *testing.T) {
	root := newRoot(t)
	first, second := newKey(t, root, t0), newKey(t, root, t0.Add(time.Hour))
	ring := newRing(t, root, first)
	secret := []byte("the secret of an app")
	wrapped, err := ring.Wrap("jane", secret, t0)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(wrapped, secret[:5]) {
		t.Error("it lies open")
	}
	good := func(name string, ring *Ring) {
		t.Helper()
		if got, err := ring.Unwrap("jane", wrapped); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	good("as it was", ring)
	good("after a rotation", newRing(t, root, first, second))
	retired := first
	retired.RetiredAt = t0.Add(2 * time.Hour)
	good("after the key was retired", newRing(t, root, retired, second))
	other := newRoot(t)
	rewrapped, err := other.Rewrap(retired, []*RootKey{root})
	if err != nil {
		t.Fatal(err)
	}
	good("under another root key", newRing(t, other, rewrapped))
	for name, bad := range map[string][]byte{"nothing": nil, "short": wrapped[:4], "cut": wrapped[:len(wrapped)-1], "changed": append([]byte{wrapped[0], wrapped[1], wrapped[2], wrapped[3], wrapped[4] ^ 1}, wrapped[5:]...), "another key": append([]byte{0, 0, 0, 0}, wrapped[4:]...)} {
		if got, err := ring.Unwrap("jane", bad); symbolon.KindOf(err) != symbolon.Denied || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := ring.Unwrap("john", wrapped); err == nil {
		t.Error("one account's secret is another's")
	}
	// What is wrapped is no sealed value, and the other way about.
	if _, err := ring.Open(Flow, Flow.spell(wrapped), t0); err == nil {
		t.Error("it opens as a sealed value")
	}
	if _, err := new(Ring).unready().Wrap("x", secret, t0); err == nil {
		t.Error("without a key")
	}
}

// unready is a ring without a key.
func (r *Ring) unready() *Ring {
	r.boxes.Store(new([]box))
	return r
}
