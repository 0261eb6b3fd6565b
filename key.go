package symbolon

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// KeyID names a key. It stands in clear at the front of every sealed value.
type KeyID uint32

// String returns 8 lower-case hex digits.
func (id KeyID) String() string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(id))
	return hex.EncodeToString(b[:])
}

// Key is a sealing key or a signing key as the store keeps it: wrapped by the
// root key, which the store never sees.
type Key struct {
	ID KeyID
	// Algorithm is the JWS algorithm of a signing key (RFC 7518 §3.1, RFC 8037
	// §3.1), such as ES256, and empty for a sealing key.
	Algorithm string
	// Wrapped is the key material, sealed by the root key.
	Wrapped []byte
	// ActiveFrom is from when on new values are sealed by this key, until a
	// later key becomes active. It lies far enough in the future for every
	// node to have read the key before.
	ActiveFrom time.Time
	// RetiredAt is from when on nothing made by this key is honoured; zero
	// while it is.
	RetiredAt time.Time
}

// NewKeyID returns a random key id.
func NewKeyID() KeyID {
	var b [4]byte
	rand.Read(b[:])
	return KeyID(binary.BigEndian.Uint32(b[:]))
}
