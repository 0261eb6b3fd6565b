package bearer

import (
	"net/http"
	"slices"
	"time"
)

// SignIn is how the person must have signed in for whom a token was given (RFC 9470).
// The zero value demands nothing.
type SignIn struct {
	// ACR are the values of the claim acr that count, the preferred one first; nil is
	// any. They are compared byte by byte: a stronger one that is not listed does not
	// count, since only the server knows which is stronger.
	ACR []string
	// MaxAge is how long ago the person may have signed in at most, in whole
	// seconds; 0 is without limit. As with the expiry of tokens, clocks may differ by
	// Leeway.
	MaxAge time.Duration
}

const insufficientAuthentication = "insufficient_user_authentication"

// StepUp lets requests through to next for whom the person has signed in as it is
// demanded, and answers the others as Refuse does: 401, with the acr_values and the
// max_age for a new authorization request (RFC 9470 §3, §4). It stands within Handler,
// which has checked the token; a request without one is refused. It panics when what is
// demanded could be had by nobody: that is a mistake in the code.
func (v *Verifier) StepUp(need SignIn, next http.Handler) http.Handler {
	need.ACR = slices.Clone(need.ACR)
	need.check()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := FromContext(r.Context())
		if t == nil {
			v.Refuse(w, r, missing())
			return
		}
		if err := v.CheckSignIn(t, need); err != nil {
			v.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// CheckSignIn reports whether the person has signed in as it is demanded for a request
// with this token: nil, or an *Error for Refuse. It panics as StepUp does.
func (v *Verifier) CheckSignIn(t *Token, need SignIn) error {
	need.check()
	switch {
	case len(need.ACR) > 0 && !slices.Contains(need.ACR, t.ACR):
		return t.insufficient(need, "The person has not signed in strongly enough for this; begin an authorization request with these acr_values.")
	case need.MaxAge > 0 && (t.AuthTime.IsZero() || v.o.Now().After(t.AuthTime.Add(need.MaxAge+Leeway))):
		return t.insufficient(need, "The person signed in too long ago for this; begin an authorization request with this max_age.")
	}
	return nil
}

func (t *Token) insufficient(need SignIn, description string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: insufficientAuthentication, Description: description, SignIn: need, dpop: t.Confirmation.Key != ""}
}

// check panics over a demand that cannot be met, or not be written in a header.
func (s *SignIn) check() {
	if s.MaxAge < 0 || s.MaxAge%time.Second != 0 {
		panic("bearer: the MaxAge of a SignIn is not a whole number of seconds")
	}
	for _, value := range s.ACR {
		if !validScope(value) {
			panic("bearer: an ACR of a SignIn is empty, or has characters that no header may have")
		}
	}
}
