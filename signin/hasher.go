package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"runtime"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"

	"github.com/symbolon/symbolon"
)

const (
	// MinPassword is the length of the shortest password that may be chosen,
	// in characters.
	MinPassword = 8
	// MaxPassword is the length of the longest password, in bytes. A longer
	// one is refused before any work is done for it.
	MaxPassword = 1024
	// maxWaiting is how many callers may wait for a slot.
	maxWaiting = 32
)

// standard is what a new hash costs: 19 MiB and two passes, about 25 ms.
var standard = cost{memory: 19456, time: 2, threads: 1}

// Hasher makes and checks the slow hashes of passwords, by argon2id
// (RFC 9106). As many run at a time as there are processors, so that a flood of
// sign-ins takes bounded memory: 19 MiB each, and never above 256 MiB for a
// hash that was made elsewhere. A few callers wait; the others are refused
// with an error of kind symbolon.Busy.
type Hasher struct {
	slots   chan struct{}
	waiting atomic.Int64
	derive  func(password, salt []byte, c cost, size uint32) []byte
}

// NewHasher returns a Hasher with a slot for each processor.
func NewHasher() *Hasher {
	return &Hasher{
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		derive: func(password, salt []byte, c cost, size uint32) []byte {
			return argon2.IDKey(password, salt, c.time, c.memory, c.threads, size)
		},
	}
}

// Hash returns the PHC string of a password that someone has chosen. The error
// is of kind Invalid, with a sentence for that person, when the password is too
// short, too long or has control characters; of kind Busy when too many wait or
// ctx ends before it is this caller's turn.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	const op = "password"
	if len(password) > MaxPassword {
		return "", symbolon.Errorf(symbolon.Invalid, op, "a password has at most %d bytes", MaxPassword)
	}
	if utf8.RuneCountInString(password) < MinPassword {
		return "", symbolon.Errorf(symbolon.Invalid, op, "a password has at least %d characters", MinPassword)
	}
	normal, ok := normalPassword(password)
	if !ok {
		return "", symbolon.Errorf(symbolon.Invalid, op, "a password has no control characters")
	}
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	made := hash{cost: standard, salt: make([]byte, 16)}
	rand.Read(made.salt)
	made.tag = h.derive(normal, made.salt, made.cost, 32)
	return made.String(), nil
}

// Check reports whether password is the one that phc was made from. An empty
// phc (no such account, or none that signs in by password) is false, after the
// same time as a wrong password. Passwords that no one can have are false at
// once, whoever the account is. A short one is not among them, since phc may
// have been made elsewhere, with other parameters.
//
// The error is of kind Busy when too many wait or ctx ends before it is this
// caller's turn, and of kind Internal when phc cannot be read.
func (h *Hasher) Check(ctx context.Context, phc, password string) (bool, error) {
	if password == "" || len(password) > MaxPassword {
		return false, nil
	}
	normal, ok := normalPassword(password)
	if !ok {
		return false, nil
	}
	known := &dummy
	if phc != "" {
		var err error
		if known, err = parsePHC(phc); err != nil {
			return false, symbolon.Wrap(symbolon.Internal, "check password", err)
		}
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	tag := h.derive(normal, known.salt, known.cost, uint32(len(known.tag)))
	equal := subtle.ConstantTimeCompare(tag, known.tag) == 1
	return equal && phc != "", nil
}

// dummy stands in for the hash of an account that has none.
var dummy = hash{cost: standard, salt: make([]byte, 16), tag: make([]byte, 32)}

// enter takes a slot, or waits for one.
func (h *Hasher) enter(ctx context.Context) error {
	const op = "hash password"
	if err := ctx.Err(); err != nil {
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxWaiting {
		return symbolon.Errorf(symbolon.Busy, op, "too many sign-ins at this moment")
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return symbolon.Wrap(symbolon.Busy, op, ctx.Err())
	}
}

func (h *Hasher) leave() { <-h.slots }

// normalPassword brings a password to the one form in which it is hashed,
// however a keyboard composes its characters (OpaqueString, RFC 8265 §4.2).
func normalPassword(s string) ([]byte, bool) {
	normal, err := precis.OpaqueString.Bytes([]byte(s))
	return normal, err == nil
}
