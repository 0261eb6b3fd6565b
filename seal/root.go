package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// RootKey wraps the sealing keys, which lie in the store. It lies outside the
// store: whoever has one of the two can read and make nothing.
type RootKey struct {
	// A function, of which fmt prints the address: it follows pointers in a
	// field that it may not call the methods of.
	hidden func() secrets
}

type secrets struct {
	material [32]byte
	wrap     *subtle.AESSIV
}

// NewRootKey returns a random root key of 256 bits.
func NewRootKey() (*RootKey, error) {
	var material [32]byte
	rand.Read(material[:])
	return newRootKey(material)
}

func newRootKey(material [32]byte) (*RootKey, error) {
	siv, err := derive(material[:], "symbolon root key wraps sealing keys, v1")
	if err != nil {
		return nil, err
	}
	return &RootKey{func() secrets { return secrets{material, siv} }}, nil
}

// derive makes an AES-SIV key (512 bits) of 256 random ones (RFC 5869).
func derive(material []byte, purpose string) (*subtle.AESSIV, error) {
	long, err := hkdf.Key(sha256.New, material, nil, purpose, subtle.AESSIVKeySize)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "derive key", err)
	}
	siv, err := subtle.NewAESSIV(long)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "derive key", err)
	}
	return siv, nil
}

// ParseRootKeys reads one or more root keys, one a line, the current one first.
// Blank lines and lines that begin with "#" are passed over. The error is of
// kind Invalid and names the line, not the key.
func ParseRootKeys(text string) ([]*RootKey, error) {
	var roots []*RootKey
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		body, err := Root.read(line)
		if err != nil || len(body) != 32 {
			return nil, symbolon.Errorf(symbolon.Invalid, "root key", "line %d is not a root key: %s…, 256 bits in base64url and a checksum", i+1, string(Root))
		}
		root, err := newRootKey([32]byte(body))
		if err != nil {
			return nil, err
		}
		roots = append(roots, root)
	}
	if len(roots) == 0 {
		return nil, symbolon.Errorf(symbolon.Invalid, "root key", "it is empty")
	}
	return roots, nil
}

// Reveal returns the key's text, which ParseRootKeys reads. It is the greatest
// secret that there is.
func (r *RootKey) Reveal() string {
	material := r.hidden().material
	return Root.spell(material[:])
}

// String hides the key from logs.
func (r RootKey) String() string { return "root key (hidden)" }

// Format hides the key from every verb of fmt, %d and %x included.
func (r RootKey) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// NewKey returns a sealing key of fresh random material, wrapped by r.
func (r *RootKey) NewKey() (symbolon.Key, error) {
	var material [32]byte
	rand.Read(material[:])
	return r.WrapKey(symbolon.Key{ID: symbolon.NewKeyID()}, material[:])
}

// WrapKey returns the key with its material wrapped by r.
func (r *RootKey) WrapKey(k symbolon.Key, material []byte) (symbolon.Key, error) {
	wrapped, err := r.hidden().wrap.EncryptDeterministically(material, wrapContext(k))
	if err != nil {
		return k, symbolon.Wrap(symbolon.Internal, "wrap key", err)
	}
	k.Wrapped = wrapped
	return k, nil
}

// Rewrap returns the key wrapped by r, whichever of roots wraps it now.
func (r *RootKey) Rewrap(k symbolon.Key, roots []*RootKey) (symbolon.Key, error) {
	material, err := UnwrapKey(k, roots)
	if err != nil {
		return k, err
	}
	return r.WrapKey(k, material)
}

// UnwrapKey returns the material of a key, which one of roots wraps. The error is
// of kind Denied when none of them does.
func UnwrapKey(k symbolon.Key, roots []*RootKey) ([]byte, error) {
	for _, r := range roots {
		if material, err := r.hidden().wrap.DecryptDeterministically(k.Wrapped, wrapContext(k)); err == nil {
			return material, nil
		}
	}
	return nil, symbolon.Errorf(symbolon.Denied, "unwrap key", "key %s was wrapped by another root key", k.ID)
}

// wrapContext binds the wrapped material to what the key is for.
func wrapContext(k symbolon.Key) []byte {
	use := "sealing key "
	if k.Algorithm != "" {
		use = "signing key " + k.Algorithm + " "
	}
	return binary.BigEndian.AppendUint32([]byte(use), uint32(k.ID))
}
