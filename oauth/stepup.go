package oauth

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// How strongly and how lately a person has signed in (RFC 9470): what an app may ask
// for, with the scope openid or without, and what the tokens say of it.

// maxACRValues bounds the parameter acr_values, in bytes.
const maxACRValues = 1024

// readSignIn reads max_age and acr_values, which count in plain OAuth as well (RFC
// 9470 §4): an app that an API sent away has just been told to send them.
func (r *AuthorizeRequest) readSignIn(w *wish) error {
	if text := r.OpenID.MaxAge; text != "" {
		// OpenID Connect Core §3.1.2.1: seconds; 0 is as prompt=login.
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refuse(InvalidRequest, "The max_age must be a whole number of seconds, 0 or more.")
		}
		w.maxAge = time.Duration(n) * time.Second
	}
	if len(r.OpenID.ACRValues) > maxACRValues {
		return refuse(InvalidRequest, "The acr_values are longer than 1024 bytes.")
	}
	// OpenID Connect Core §3.1.2.1: in order of preference.
	w.preferred = strings.Fields(r.OpenID.ACRValues)
	return nil
}

// recent reports whether a sign-in is as late as an authorization request wants it.
func (w *wish) recent(s *symbolon.Session, begun, now time.Time) bool {
	// A sign-in since the flow began is fresh, however short max_age is.
	fresh := !begun.IsZero() && !s.AuthAt.Before(begun)
	return w.maxAge < 0 || fresh || w.maxAge > 0 && now.Sub(s.AuthAt) <= w.maxAge
}

// Reaches reports whether an account has what it takes to sign in with this acr.
func Reaches(a *symbolon.Account, acr string) bool {
	switch acr {
	case ACROne:
		return true
	case ACRTwo:
		return a.Factors.App != nil
	case ACRPasskey:
		return len(a.Factors.Passkeys) > 0
	}
	return false
}

// lacks returns the acr to which a sign-in must be raised, or "" when it is what the
// request demands, or cannot be raised to that.
func (w *wish) lacks(s *symbolon.SignedIn) string {
	if len(w.acr) == 0 || slices.Contains(w.acr, acrOf(&s.Session)) {
		return ""
	}
	return raise(w.acr, s)
}

// wouldLike is lacks for what is not demanded. What is weaker than the sign-in, or as
// good, has been reached (OpenID Connect Core §3.1.2.1).
func (w *wish) wouldLike(s *symbolon.SignedIn) string {
	if slices.Contains(w.preferred, acrOf(&s.Session)) && acrOf(&s.Session) != ACROne {
		return ""
	}
	return raise(w.preferred, s)
}

// ask says in an answer what the request still needs.
func (w *wish) ask(answer *Authorization, need Need, s *symbolon.SignedIn) {
	answer.Need = need
	if need != NeedStepUp {
		return
	}
	answer.Account, answer.StepUp, answer.Demanded = s.Account, w.lacks(s), true
	if answer.StepUp == "" {
		answer.StepUp, answer.Demanded = w.wouldLike(s), false
	}
	list := w.acr
	if !answer.Demanded {
		list = w.preferred
	}
	answer.Passkey = slices.Contains(list, ACRPasskey) && Reaches(&s.Account, ACRPasskey)
}

// raise returns the first of these to which a sign-in can be raised by one thing more.
func raise(list []string, s *symbolon.SignedIn) string {
	for _, acr := range list {
		switch {
		case acr == ACROne:
			return ""
		case acr == ACRTwo && acrOf(&s.Session) != ACROne:
			// By a passkey: no password was typed, which a code would be beside.
		case Reaches(&s.Account, acr):
			return acr
		}
	}
	return ""
}

// signedInBy records in a grant how the person signed in. By a password alone goes
// without saying in plain OAuth, where it would make every token longer.
func (e *Engine) signedInBy(g *symbolon.Grant, s *symbolon.Session) {
	if acr := acrOf(s); e.openID(g.Scope) {
		g.Session, g.ACR = s.ID, acr
	} else if acr != ACROne {
		g.ACR = acr
	}
}

// ACR returns the claim acr of an access token (RFC 9470 §6.1): how the person had
// proved who they are at AuthAt. It is empty where no person did, here or ever: the app
// acts in its own name, or another issuer vouches for the person.
func ACR(g *symbolon.Grant) string {
	if g.Account == "" || g.AuthAt.IsZero() {
		return ""
	}
	return cmp.Or(g.ACR, ACROne)
}

// SignIn is how the person must have signed in for whom a token was given: what an API
// demands (RFC 9470 §3). The zero value demands nothing.
type SignIn struct {
	// ACR are the values of acr that count, or nil for any.
	ACR []string
	// MaxAge is how long ago the person may have signed in at most, in whole
	// seconds; 0 is without limit.
	MaxAge time.Duration
}

// meets reports whether a grant is as an API demands it.
func (s *SignIn) meets(g *symbolon.Grant, now time.Time) bool {
	if len(s.ACR) > 0 && !slices.Contains(s.ACR, ACR(g)) {
		return false
	}
	return s.MaxAge == 0 || !g.AuthAt.IsZero() && now.Sub(g.AuthAt) <= s.MaxAge
}
