package bearer

import (
	"net/http"
	"time"
)

// Error is why a request was refused, with what Verifier.Refuse answers.
type Error struct {
	// Status is 400, 401, 403 or 503.
	Status int
	// Code is the error code of RFC 6750 §3.1, RFC 9449 §7.1 or RFC 9470 §3. It is
	// empty when no token was sent.
	Code string
	// Description is one sentence for the app's developer. It repeats nothing
	// that was sent.
	Description string
	// Scopes are those that the request needs.
	Scopes []string
	// RetryAfter is how long to wait before the same request may succeed, with
	// status 503.
	RetryAfter time.Duration
	// SignIn is how the person must have signed in, with the code
	// insufficient_user_authentication.
	SignIn SignIn
	// Err is the cause, or nil. It holds neither token nor secret.
	Err error

	dpop bool // the challenge is DPoP's
}

func (e *Error) Error() string {
	s := "bearer: " + e.Description
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func missing() *Error {
	return &Error{Status: http.StatusUnauthorized, Description: "An access token is missing; send it as Authorization: Bearer TOKEN."}
}

func malformed(description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

func invalid(description string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "invalid_token", Description: description}
}

// unbound refuses a bound token that was not shown as RFC 9449 §7.1 asks.
func unbound(description string) *Error {
	e := invalid(description)
	e.dpop = true
	return e
}

func badProof(description string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "invalid_dpop_proof", Description: description, dpop: true}
}
