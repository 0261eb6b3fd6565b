package seal

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// Ring holds the sealing keys. It may be used by many goroutines at once, and
// loaded again while it is. Signing keys are not its business.
type Ring struct {
	boxes      atomic.Pointer[[]box] // in the order of activeFrom; replaced, never changed
	generation atomic.Uint64
}

// box is one sealing key, ready for use.
type box struct {
	id         symbolon.KeyID
	activeFrom time.Time
	retiredAt  time.Time
	siv        *subtle.AESSIV
	wrap       *subtle.AESSIV // for Wrap
}

// idLen is the length of the key id in front of the ciphertext, in bytes.
const idLen = 4

// NewRing returns a ring of the keys, which were wrapped by one of roots. An
// error of kind Denied means that some key was wrapped by another root key.
func NewRing(roots []*RootKey, keys []symbolon.Key) (*Ring, error) {
	r := new(Ring)
	return r, r.Load(roots, keys)
}

// Load replaces the keys of the ring. After an error it has those from before.
func (r *Ring) Load(roots []*RootKey, keys []symbolon.Key) error {
	boxes := make([]box, 0, len(keys))
	for _, k := range keys {
		if k.Algorithm != "" {
			continue // it signs
		}
		material, err := UnwrapKey(k, roots)
		if err != nil {
			return err
		}
		siv, err := derive(material, "symbolon sealed values, v1")
		if err != nil {
			return err
		}
		wrap, err := derive(material, "symbolon wrapped secrets, v1")
		if err != nil {
			return err
		}
		boxes = append(boxes, box{id: k.ID, activeFrom: k.ActiveFrom, retiredAt: k.RetiredAt, siv: siv, wrap: wrap})
	}
	slices.SortStableFunc(boxes, func(a, b box) int { return a.activeFrom.Compare(b.activeFrom) })
	r.boxes.Store(&boxes)
	r.generation.Add(1)
	return nil
}

// Retire takes up which of the ring's keys are retired. It needs no root key, so
// that a key can be retired even while that is out of reach.
func (r *Ring) Retire(keys []symbolon.Key) {
	old := r.boxes.Load()
	boxes := slices.Clone(*old)
	for i := range boxes {
		for _, k := range keys {
			if k.ID == boxes[i].id && !k.RetiredAt.IsZero() {
				boxes[i].retiredAt = k.RetiredAt
			}
		}
	}
	if r.boxes.CompareAndSwap(old, &boxes) { // else Load has just read them all
		r.generation.Add(1)
	}
}

// Keys returns the ring's keys without what is secret in them.
func (r *Ring) Keys() []symbolon.Key {
	var list []symbolon.Key
	for _, b := range *r.boxes.Load() {
		list = append(list, symbolon.Key{ID: b.id, ActiveFrom: b.activeFrom, RetiredAt: b.retiredAt})
	}
	return list
}

// Generation grows with each loading and with each key that is retired by now.
// What was opened in an earlier generation must be opened again: its key may be
// gone.
func (r *Ring) Generation(now time.Time) uint64 {
	n := r.generation.Load() << 32
	for _, b := range *r.boxes.Load() {
		if !b.retiredAt.IsZero() && !now.Before(b.retiredAt) {
			n++
		}
	}
	return n
}

// Seal seals plain as a value made at this moment, by the key that was active
// then. The same arguments give the same text on every node.
func (r *Ring) Seal(p Prefix, plain []byte, at time.Time) (string, error) {
	b := r.active(at)
	if b == nil {
		return "", symbolon.Errorf(symbolon.Internal, "seal", "no sealing key is active")
	}
	ciphertext, err := b.siv.EncryptDeterministically(plain, []byte(p))
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, "seal", err)
	}
	scratch := scratches.Get().(*[]byte)
	body := append(binary.BigEndian.AppendUint32((*scratch)[:0], uint32(b.id)), ciphertext...)
	text := p.spell(body)
	*scratch = body
	scratches.Put(scratch)
	if len(text) > MaxLen {
		return "", symbolon.Errorf(symbolon.Internal, "seal", "%d bytes are too many to be opened again", len(plain))
	}
	return text, nil
}

// ErrUnknownKey is why something could not be opened that names a key which is not in
// the ring: it is a forgery, or the ring is behind.
var ErrUnknownKey = errors.New("unknown key")

// Open returns what was sealed under this prefix. The error is of kind Invalid,
// says what is wrong with the text and does not hold it.
func (r *Ring) Open(p Prefix, text string, now time.Time) ([]byte, error) {
	body, err := p.read(text)
	if err != nil {
		return nil, err
	}
	if len(body) <= idLen {
		return nil, symbolon.Errorf(symbolon.Invalid, "open", "it is too short")
	}
	id := symbolon.KeyID(binary.BigEndian.Uint32(body))
	for _, b := range *r.boxes.Load() {
		if b.id != id {
			continue
		}
		if !b.retiredAt.IsZero() && !now.Before(b.retiredAt) {
			return nil, symbolon.Errorf(symbolon.Invalid, "open", "it was sealed by a key that is retired")
		}
		plain, err := b.siv.DecryptDeterministically(body[idLen:], []byte(p))
		if err != nil {
			return nil, symbolon.Errorf(symbolon.Invalid, "open", "it was not made by this server")
		}
		return plain, nil
	}
	return nil, &symbolon.Error{Kind: symbolon.Invalid, Op: "open", Detail: "it was sealed by a key that this server does not have", Err: ErrUnknownKey}
}

// scratches are buffers that hold what is sealed, for the moment of sealing.
var scratches = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// active returns the key for values made at this moment: the latest that was
// active by then, or the first when all became active later (a clock was set
// back). A key that was retired by then is passed over.
func (r *Ring) active(at time.Time) *box {
	boxes := *r.boxes.Load()
	var first *box
	for i := len(boxes) - 1; i >= 0; i-- {
		b := &boxes[i]
		if !b.retiredAt.IsZero() && !at.Before(b.retiredAt) {
			continue
		}
		if !b.activeFrom.After(at) {
			return b
		}
		first = b
	}
	return first
}
