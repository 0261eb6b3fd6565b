package web

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// httpError is a refusal that is about HTTP, not about OAuth.
type httpError struct {
	status      int
	code        string
	description string
	body        []byte // what could not be read, for the trail, or nil
}

func (e *httpError) Error() string { return e.description }

// deniedError is a page that was refused for the person's own safety.
type deniedError struct {
	reason string // the key of a sentence
	retry  string
}

func (e *deniedError) Error() string { return e.reason }

// Headers of every answer in JSON (RFC 6749 §5.1), made once.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noCache  = []string{"no-cache"}
	noSniff  = []string{"nosniff"}
)

func jsonHeaders(header http.Header) {
	header["Content-Type"] = jsonType
	header["Cache-Control"] = noStore
	header["Pragma"] = noCache
	header["X-Content-Type-Options"] = noSniff
}

// writeJSON answers with a body that is JSON already.
func writeJSON(w http.ResponseWriter, ev *event, status int, body []byte) error {
	header := w.Header()
	jsonHeaders(header)
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	ev.status = status
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone cannot be told
	return nil
}

// writeTyped is writeJSON for a body of another type.
func writeTyped(w http.ResponseWriter, ev *event, mediaType string, body []byte) error {
	header := w.Header()
	jsonHeaders(header)
	header["Content-Type"] = []string{mediaType}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	ev.status = http.StatusOK
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that has gone cannot be told
	return nil
}

// writePublic answers with a document that is the same for everyone, and may be
// kept for publicAge.
func (h *Handler) writePublic(w http.ResponseWriter, ev *event, body []byte) error {
	header := w.Header()
	jsonHeaders(header)
	delete(header, "Pragma")
	header.Set("Cache-Control", publicAge)
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	ev.status, ev.quiet = http.StatusOK, true
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
	return nil
}

// publicAge is how long the metadata and the key set may be kept: less than a
// new signing key is announced before it signs.
const publicAge = "public, max-age=300"

// writeTokens answers steps 3 and 5, and every other grant.
func writeTokens(w http.ResponseWriter, ev *event, t *oauth.TokenResponse) error {
	line := linePool.Get().(*[]byte)
	defer linePool.Put(line)
	b := appendField((*line)[:0], '{', "access_token", t.AccessToken)
	b = appendField(b, ',', "token_type", t.TokenType)
	b = append(b, `,"expires_in":`...)
	b = strconv.AppendInt(b, t.ExpiresIn, 10)
	if t.RefreshToken != "" {
		b = appendField(b, ',', "refresh_token", t.RefreshToken)
		b = append(b, `,"refresh_expires_in":`...)
		b = strconv.AppendInt(b, t.RefreshExpiresIn, 10)
	}
	b = appendField(b, ',', "scope", t.Scope)
	if t.Details != "" {
		b = append(append(b, `,"authorization_details":`...), t.Details...)
	}
	if t.IDToken != "" {
		b = appendField(b, ',', "id_token", t.IDToken)
	}
	if t.IssuedTokenType != "" {
		b = appendField(b, ',', "issued_token_type", t.IssuedTokenType)
	}
	*line = append(b, '}')
	return writeJSON(w, ev, http.StatusOK, *line)
}

// appendField appends a member of a JSON object with a string value.
func appendField(b []byte, sep byte, name, value string) []byte {
	b = append(b, sep, '"')
	b = append(b, name...)
	b = append(b, `":`...)
	plain := true
	for i := range len(value) {
		if c := value[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, value...)
		return append(b, '"')
	}
	quoted, _ := json.Marshal(value) // a string always has JSON
	return append(b, quoted...)
}

// fail answers with an error: JSON to an API caller, a page or a redirect to a
// person.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, ev *event, err error) {
	var denied *deniedError
	if errors.As(err, &denied) {
		ev.code, ev.why, ev.detail = accessDenied, whyPage, h.Pages.inEnglish(denied.reason)
		h.render(w, r, ev, http.StatusForbidden, &DeniedPage{Reason: denied.reason, Retry: denied.retry})
		return
	}
	var he *httpError
	refusal := oauthError(err)
	if errors.As(err, &he) {
		refusal = nil
	}
	ev.sent.refusal, ev.sent.problem = refusal, he
	html := ev.kind == people || ev.kind == browser || ev.kind == both && prefersHTML(r.Header)
	switch {
	case refusal != nil:
		h.logRefusal(ev, refusal)
		if refusal.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((refusal.RetryAfter+time.Second-1)/time.Second)))
		}
		if html {
			h.failPerson(w, r, ev, refusal)
			return
		}
		basic := r.Header.Get("Authorization") != ""
		code := status(refusal.Refusal, ev.surface, basic)
		if refusal.Shown && (refusal.Refusal == oauth.InvalidDPoPProof || refusal.Refusal == oauth.UseDPoPNonce) {
			code = http.StatusUnauthorized // RFC 9449 §7.1, §9
		}
		challenge(w.Header(), refusal, code)
		h.writeError(w, ev, code, refusal.Refusal.Code(), refusal.Description)
	default:
		ev.code, ev.why = he.code, whyRequest
		ev.detail = he.description
		if html {
			h.render(w, r, ev, he.status, h.httpErrorPage(ev, he))
			return
		}
		h.writeError(w, ev, he.status, he.code, he.description)
	}
}

// oauthError returns the engine's error, whatever it is wrapped in.
func oauthError(err error) *oauth.Error {
	var e *oauth.Error
	if errors.As(err, &e) {
		return e
	}
	switch symbolon.KindOf(err) {
	case symbolon.Busy, symbolon.Unknown:
		return &oauth.Error{Refusal: oauth.Unavailable, Description: "The server cannot do this right now; send the same request again shortly.", RetryAfter: time.Second, Err: err}
	default:
		return &oauth.Error{Refusal: oauth.ServerError, Description: "The server failed; its operator finds the cause in the log under this request_id.", Err: err}
	}
}

func (h *Handler) logRefusal(ev *event, e *oauth.Error) {
	ev.code, ev.why = e.Refusal.Code(), e.Refusal.String()
	if e.Client != "" {
		ev.client = e.Client
	}
	ev.detail = e.Description
	if e.Detail != "" {
		ev.detail += " (" + e.Detail + ")"
	}
	if e.Err != nil {
		ev.detail += ": " + e.Err.Error()
	}
	switch e.Refusal {
	case oauth.ServerError:
		ev.level = slog.LevelError
	case oauth.Unavailable:
		// The store says once why it is away; a line a request would drown it.
		ev.level = slog.LevelDebug
	}
}

// challenge sets WWW-Authenticate where HTTP asks for it.
func challenge(header http.Header, e *oauth.Error, code int) {
	set := func(value string) { header["WWW-Authenticate"] = []string{value} } // as the RFCs spell it
	if e.DPoP && (code == http.StatusUnauthorized || code == http.StatusForbidden) {
		challengeDPoP(set, e)
		return
	}
	switch e.Refusal {
	case oauth.MissingToken:
		// RFC 6750 §3.1: without credentials, no error code.
		set(`Bearer realm="symbolon"` + needed(e, ""))
	case oauth.InvalidToken:
		set(`Bearer realm="symbolon", error="invalid_token", error_description="` + e.Description + `"` + needed(e, ""))
	case oauth.InsufficientScope:
		set(`Bearer realm="symbolon", error="insufficient_scope", error_description="` + e.Description + `"` + needed(e, symbolon.ScopeConnect))
	case oauth.InsufficientAuthentication:
		set(`Bearer realm="symbolon", error="insufficient_user_authentication", error_description="` + e.Description + `"` + needed(e, ""))
	default:
		if code == http.StatusUnauthorized {
			set(`Basic realm="symbolon", charset="UTF-8"`)
		}
	}
}

// needed says in a challenge which scopes were needed, how the person must have
// signed in (RFC 9470 §3) and, of another API than this server's own, where its
// metadata is (RFC 9728 §5.1).
func needed(e *oauth.Error, scope string) string {
	if len(e.Scope) > 0 {
		scope = e.Scope.String()
	}
	if scope != "" {
		scope = `, scope="` + scope + `"`
	}
	if s := e.SignIn; s != nil && len(s.ACR) > 0 {
		scope += `, acr_values="` + strings.Join(s.ACR, " ") + `"`
	}
	if s := e.SignIn; s != nil && s.MaxAge > 0 {
		scope += `, max_age="` + strconv.Itoa(int(s.MaxAge/time.Second)) + `"`
	}
	if e.Resource != "" {
		if at := resourceMetadata(e.Resource); at != "" {
			scope += `, resource_metadata="` + at + `"`
		}
	}
	return scope
}

// challengeDPoP is challenge for a token that is to be shown under the scheme DPoP
// (RFC 9449 §7.1).
func challengeDPoP(set func(string), e *oauth.Error) {
	value := `DPoP realm="symbolon"`
	if e.Refusal != oauth.MissingToken {
		value += `, error="` + e.Refusal.Code() + `", error_description="` + e.Description + `"`
	}
	scope := ""
	if e.Refusal == oauth.InsufficientScope {
		scope = "connect"
	}
	set(value + needed(e, scope) + `, algs="` + strings.Join(jwt.Algorithms, " ") + `"`)
}

// writeError answers with the one shape of every refusal.
func (h *Handler) writeError(w http.ResponseWriter, ev *event, code int, errorCode, description string) {
	b := appendField(nil, '{', "error", errorCode)
	b = appendField(b, ',', "error_description", description)
	b = appendField(b, ',', "error_uri", h.issuer+"/docs/errors#"+errorCode)
	b = appendField(b, ',', "request_id", ev.id)
	_ = writeJSON(w, ev, code, append(b, '}'))
}
