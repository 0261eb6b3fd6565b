package oauth

import (
	"errors"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// whyNotOurs explains a code or a token that could not be opened.
func (e *Error) whyNotOurs(name string, err error) *Error {
	e.because("the "+name+" is one that this server made", "RFC 6749 §5.2, RFC 6750 §3.1")
	switch own, ok := errors.AsType[*symbolon.Error](err); {
	case errors.Is(err, seal.ErrUnknownKey):
		e.fact("It was sealed by a key that this server does not have: another server made it.")
	case ok && own.Detail != "":
		e.fact("%s%s.", strings.ToUpper(own.Detail[:1]), own.Detail[1:])
	}
	return e.mend("Send the " + name + " exactly as it came. It may have been cut by a field that is too short, percent-encoded twice, or made by another server: the sandbox and the real one have keys of their own.")
}

// whyAnother explains a code or a refresh token of another app. Which app that is, is for
// nobody here to know.
func (e *Error) whyAnother(name, source string) *Error {
	return e.because("the "+name+" was given to this app", source).compare("client_id", string(e.Client), "the one for which the "+name+" was given").
		mend("Use the client_id and the secret with which the authorization request was made. Two apps, such as one for tests and one in production, must not share what they keep.")
}

// whyBinding explains a key that is not the one.
func (e *Error) whyBinding(want, came symbolon.Binding) *Error {
	name := func(b symbolon.Binding) string {
		if b.Kind == symbolon.Unbound {
			return ""
		}
		return challengeText.EncodeToString(b.Thumbprint[:])
	}
	return e.because("the request proves the key that it is bound to", "RFC 9449 §5, §7.1, §10; RFC 8705 §3").compare("thumbprint of the key", name(came), name(want)).
		mend("Keep the key for as long as the connection, and use the same for each of its requests.")
}

// whyReplay explains a code that was used before.
func (e *Error) whyReplay(code *symbolon.Code, now time.Time) *Error {
	return e.because("a code is used once", "RFC 6749 §4.1.2, §10.5").
		fact("The code was given %s, for the connection %s.", ago(now.Sub(code.IssuedAt)), code.Connection).
		mend("Redeem each code once. Usual causes: the callback is run twice when the person loads it again, a retry after an answer that had come, two workers with one queue. Then connect the account anew.")
}

// whyOlder explains a refresh token that is older than it may be.
func (e *Error) whyOlder(token *symbolon.RefreshToken) *Error {
	return e.because("a refresh_token is not used after its successor", "RFC 9700 §4.14.2, RFC 6749 §10.4").
		fact("This was the refresh token number %d of the connection.", token.Seq).
		mend("Keep the refresh_token of each answer in place of the one before, in one step, before it is used; and let one worker at a time refresh a connection. Then connect the account anew.")
}

// whyEnded explains what is over. Who ended it, and when, the row of the connection says
// to whoever reads this.
func (e *Error) whyEnded() *Error {
	return e.because("the connection has not ended", "RFC 6749 §5.2, RFC 6750 §3.1").
		mend("Have the person connect the account anew. An app should stop asking when it is told so.")
}

// whyResource explains a token that is for another API.
func (e *Error) whyResource(g *symbolon.Grant, own string) *Error {
	came := ""
	if len(g.Resource) > 0 {
		came = g.Resource[0]
	}
	return e.because("the token is for this API", "RFC 8707 §2, RFC 6750 §3.1").compare("resource of the token", came, "none, or "+own).
		mend("Ask for a token without resource, or with that of this server, beside the one for the other API.")
}

// whyLacks explains a token without a scope that is needed.
func (e *Error) whyLacks(has symbolon.Scopes, needs string) *Error {
	return e.because("the token has the scope "+needs, "RFC 6750 §3.1").compare("scope of the token", has.String(), "with "+needs).
		mend("Ask for the scope " + needs + " in the authorization request, and connect the account anew; a refresh cannot add a scope.")
}

// whyGrant explains a grant that is not offered at this endpoint.
func (e *Error) whyGrant(req *TokenRequest) *Error {
	expected := []string{string(symbolon.GrantCode), string(symbolon.GrantRefresh)}
	if req.Standard {
		expected = nil
		for _, g := range Grants {
			expected = append(expected, string(g))
		}
	}
	return e.because("the endpoint offers the grant", "RFC 6749 §5.2").compare("grant_type", req.GrantType, expected...).
		mend("Send a grant_type that is offered here; /oauth2/token takes all of them.")
}

// whyChallenge explains a code challenge that is not good.
func (e *Error) whyChallenge(req *AuthorizeRequest) *Error {
	e.because("the code_challenge is by S256 and well formed", "RFC 7636 §4.2, §4.3, RFC 9700 §2.1.1")
	switch {
	case req.CodeChallenge == "":
		e.compare("code_challenge", "", "43 characters")
	case req.CodeChallengeMethod != "S256":
		e.compare("code_challenge_method", req.CodeChallengeMethod, "S256")
	default:
		e.compare("code_challenge", "one that is not S256 of anything", "43 characters of base64url, without =")
	}
	return e.mend("Send code_challenge=BASE64URL(SHA256(code_verifier)) without padding, and code_challenge_method=S256.")
}

// whyMethod explains that an app proves itself in another way than it is registered for.
func (e *Error) whyMethod(app *symbolon.App, came string) *Error {
	return e.because("the app proves itself as it is registered", "RFC 6749 §2.3.1, RFC 7591 §2").compare("client authentication", came, methodNames(app)...).
		mend("Set the platform to the way that is expected, or change the app: symbolon app edit --auth. Look whether the secret is empty on its side.")
}

func methodNames(app *symbolon.App) []string {
	if m := app.Method(); m != "" {
		return []string{string(m)}
	}
	return []string{string(symbolon.AuthBasic), string(symbolon.AuthPost)}
}

// sentMethod names how credentials came.
func sentMethod(c *Credentials) string {
	switch {
	case c.Assertion != "":
		return string(symbolon.AuthKey)
	case c.Basic && c.BasicSecret != "":
		return string(symbolon.AuthBasic)
	case c.BodySecret != "":
		return string(symbolon.AuthPost)
	}
	return ""
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
