package symbolon

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an Error is, so that a caller can decide what
// to do without reading its text.
type Kind uint8

const (
	// Internal is a fault of this program. Nothing the caller sends will mend it.
	Internal Kind = iota
	// Invalid means that the values given can never be accepted.
	Invalid
	// Denied means that the values are well formed but not allowed.
	Denied
	// NotFound means that the thing named does not exist.
	NotFound
	// Conflict means that the thing exists already, or changed meanwhile.
	Conflict
	// Busy means that nothing was done and the same call may succeed later:
	// the store is away, full, locked or too far behind.
	Busy
	// Unknown means that the outcome cannot be known: the change may or may
	// not be durable. It must be answered like Busy, never as a refusal.
	Unknown
)

func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Denied:
		return "denied"
	case NotFound:
		return "not found"
	case Conflict:
		return "conflict"
	case Busy:
		return "busy"
	case Unknown:
		return "unknown outcome"
	default:
		return "internal"
	}
}

// Error is the error of this package and of every Store.
type Error struct {
	Kind Kind
	// Op names what was being done, for instance "sqlite: refresh".
	Op string
	// Detail is a sentence for an operator. It holds no secret.
	Detail string
	// Err is the cause, or nil.
	Err error
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a kind whose Detail is formatted from format.
func Errorf(kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Detail: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error of a kind around its cause.
func Wrap(kind Kind, op string, cause error) *Error {
	return &Error{Kind: kind, Op: op, Err: cause}
}

// KindOf returns the kind of the first Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
