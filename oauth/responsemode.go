package oauth

import (
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// ResponseMode is how the answer to an authorization request comes back to the app
// (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, Form Post Response
// Mode §2, JARM §2.3).
type ResponseMode string

// The response modes. Those that end in jwt bring the answer as one signed JWT.
const (
	// ModeQuery adds the answer to the query of the redirect URI. It is the default.
	ModeQuery ResponseMode = "query"
	// ModeFragment puts it behind a #, where no server sees it.
	ModeFragment ResponseMode = "fragment"
	// ModeFormPost has the browser post it by a form.
	ModeFormPost ResponseMode = "form_post"
	// ModeJWT is ModeQueryJWT for a code, and ModeFragmentJWT for what is never in a
	// query.
	ModeJWT ResponseMode = "jwt"
	// ModeQueryJWT is ModeQuery, signed.
	ModeQueryJWT ResponseMode = "query.jwt"
	// ModeFragmentJWT is ModeFragment, signed.
	ModeFragmentJWT ResponseMode = "fragment.jwt"
	// ModeFormPostJWT is ModeFormPost, signed.
	ModeFormPostJWT ResponseMode = "form_post.jwt"
)

// ResponseModes are all that there are. Those that are signed come last, and need a
// key that signs.
var ResponseModes = []ResponseMode{ModeQuery, ModeFragment, ModeFormPost, ModeQueryJWT, ModeFragmentJWT, ModeFormPostJWT, ModeJWT}

// Signed reports whether the answer is a JWT.
func (m ResponseMode) Signed() bool { return m == ModeJWT || strings.HasSuffix(string(m), ".jwt") }

// Posted reports whether the browser posts the answer by a form.
func (m ResponseMode) Posted() bool { return m == ModeFormPost || m == ModeFormPostJWT }

// inFragment reports whether the answer stands behind a #, where no server sees it.
func (m ResponseMode) inFragment() bool { return m == ModeFragment || m == ModeFragmentJWT }

// mode returns the response mode of a request, as far as it has one that can be
// honoured: an error about the mode itself has to come back in some way, too.
func (e *Engine) mode(r *AuthorizeRequest) ResponseMode {
	m := ResponseMode(r.ResponseMode)
	fits := r.faults["response_mode"] == "" && slices.Contains(ResponseModes, m) && (!m.Posted() || postable(r.RedirectURI))
	if r.front().any() && e.offersFront() {
		// Multiple Response Types §3: never by the query.
		switch {
		case fits && (m == ModeJWT || m == ModeQueryJWT):
			return ModeFragmentJWT
		case !fits || m == ModeQuery:
			return ModeFragment
		}
		return m
	}
	if !fits {
		return ModeQuery
	}
	return m
}

// postable reports whether a form can be posted to an address: not to a program
// that is called by a scheme of its own.
func postable(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

// checkMode says what is wrong with the response mode of a request, or "".
func (e *Engine) checkMode(req *AuthorizeRequest, app *symbolon.App, now time.Time) *Error {
	m := ResponseMode(req.ResponseMode)
	switch {
	case app.Settings.RequireSignedResponse && !m.Signed():
		return refuse(InvalidRequest, "This app gets signed answers only; send response_mode=jwt, or one that ends in .jwt.")
	case m == "":
		return nil
	case !slices.Contains(ResponseModes, m):
		return refuse(InvalidRequest, "There is no such response_mode here; the server's metadata lists them under response_modes_supported.")
	case m.Posted() && !postable(req.RedirectURI):
		return refuse(InvalidRequest, "The response_mode form_post needs a redirect_uri with the scheme https or, on loopback, http.")
	case m.Signed() && !slices.Contains(e.cfg.Signing.Algorithms(now), app.Settings.ResponseAlgorithm()):
		return refuse(ServerError, "The server has no key to sign the answers to this app with; its operator finds the cause in the log under this request_id.").
			detail("no signing key for " + app.Settings.ResponseAlgorithm() + ", which the app " + app.ClientID() + " has as authorization_signed_response_alg")
	}
	return nil
}

// typResponse is the typ of a signed answer, which tells it from every other JWT
// that this server signs (RFC 8725 §3.11); JARM names none.
const typResponse = "oauth-authz-resp+jwt"

// responseLifetime is how long a signed answer is good: JARM §2.1 has ten minutes at
// most. The code in it lives no longer than any other.
const responseLifetime = 5 * time.Minute

// sign puts the answer into a JWT, when it is to come as one (JARM §2.1).
func (e *Engine) sign(c *Callback, now time.Time) error {
	if !c.Mode.Signed() {
		return nil
	}
	claims := map[string]any{"iss": c.Issuer, "aud": c.App.ClientID(), "exp": now.Add(responseLifetime).Unix()}
	for _, f := range c.plain() {
		claims[f.Name] = f.Value
	}
	text, err := e.cfg.Signing.Sign(typResponse, c.App.Settings.ResponseAlgorithm(), claims, now)
	if err != nil {
		return storeError(err).from(c.App.ID)
	}
	c.response = text
	return nil
}
