package seal

import (
	"encoding/binary"
	"time"

	"github.com/symbolon/symbolon"
)

// Wrap encrypts a secret that lies in the store for as long as its owner wants, such as
// that of an authenticator app. It is bound to what it is for, and to whom. The key is
// made from the sealing key that is active, which the root key wraps: so it outlives
// every rotation and comes along wherever the keys do.
func (r *Ring) Wrap(use string, secret []byte, at time.Time) ([]byte, error) {
	b := r.active(at)
	if b == nil {
		return nil, symbolon.Errorf(symbolon.Internal, "wrap", "no sealing key is active")
	}
	text, err := b.wrap.EncryptDeterministically(secret, []byte(use))
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "wrap", err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(b.id)), text...), nil
}

// Unwrap returns what was wrapped for this use. A key that is retired opens it still:
// who retires a key ends what was sealed by it and handed out, and this never was. The
// error is of kind Denied.
func (r *Ring) Unwrap(use string, wrapped []byte) ([]byte, error) {
	if len(wrapped) > idLen {
		for _, b := range *r.boxes.Load() {
			if b.id != symbolon.KeyID(binary.BigEndian.Uint32(wrapped)) {
				continue
			}
			if secret, err := b.wrap.DecryptDeterministically(wrapped[idLen:], []byte(use)); err == nil {
				return secret, nil
			}
		}
	}
	return nil, symbolon.Errorf(symbolon.Denied, "unwrap", "it was not wrapped by a key of this server for this use")
}
