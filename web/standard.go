package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/oauth"
)

// standardAuthorize is the authorization endpoint (RFC 6749 §3.1). It always
// answers with pages and ends with a redirect, whoever asks.
func (h *Handler) standardAuthorize(w http.ResponseWriter, r *http.Request, ev *event) error {
	w.Header().Set("Vary", "Accept, Cookie, Sec-Fetch-Site")
	params, err := readBrowserParams(w, r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		ev.sent.body = params
	}
	req := oauth.ReadAuthorize(&params)
	req.Standard = true
	// Where no one needs to be asked, as in the sandbox, a program is not shown a
	// page. A page of another site must not fetch a code in the person's name.
	site := r.Header.Get("Sec-Fetch-Site")
	if !prefersHTML(r.Header) && (site == "" || site == "none" || site == "same-origin") {
		signedIn, err := h.sessions(r)
		if err != nil {
			return err
		}
		asked := req // as it came: what goes without saying must stay unsaid in the flow
		answer, err := h.Engine.Authorize(r.Context(), &asked, oauth.Actor{SignedIn: signedIn})
		if err == nil {
			ev.client, ev.account = answer.App.ID, answer.Account.ID
			return h.callBack(w, r, ev, &answer.Callback)
		}
		asks := oauthError(err).Refusal
		if asks != oauth.LoginRequired && asks != oauth.ConsentRequired || slices.Contains(strings.Fields(req.Prompt), "none") {
			return err
		}
	}
	return h.begin(w, r, ev, &req)
}

// readBrowserParams reads what an app sends the browser with, from the query of a GET
// or the form of a POST (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2). A
// parameter that stands in both is repeated.
func readBrowserParams(w http.ResponseWriter, r *http.Request) (oauth.Params, error) {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if mediaType(r.Header) != "application/x-www-form-urlencoded" {
			return oauth.Params{}, &httpError{status: http.StatusUnsupportedMediaType, code: "invalid_request", description: "Such a request by POST must be a form: application/x-www-form-urlencoded, in UTF-8."}
		}
		body, err := readBody(w, r)
		if err != nil {
			return oauth.Params{}, err
		}
		text += "&" + string(body)
	}
	params, err := oauth.ParseForm(text)
	if err != nil {
		return params, &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The request has more than 100 parameters."}
	}
	return params, nil
}

// standardToken is the token endpoint (RFC 6749 §3.2), with every grant.
func (h *Handler) standardToken(w http.ResponseWriter, r *http.Request, ev *event) error {
	return h.tokens(w, r, ev, h.Engine.Token)
}

// revoke is the revocation endpoint (RFC 7009).
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, credentials, err := h.readCaller(w, r, ev)
	if err != nil {
		return err
	}
	req := oauth.ReadTokenQuery(&params, credentials)
	grant, err := h.Engine.Revoke(r.Context(), &req)
	if err != nil {
		return err
	}
	ev.about(&grant)
	// RFC 7009 §2.2 leaves the body open; some clients cannot read an empty one.
	return writeJSON(w, ev, http.StatusOK, []byte("{}"))
}

// introspect is the introspection endpoint (RFC 7662).
func (h *Handler) introspect(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, credentials, err := h.readCaller(w, r, ev)
	if err != nil {
		return err
	}
	req := oauth.ReadTokenQuery(&params, credentials)
	req.Signed = accepts(r.Header, introspectionType)
	answer, err := h.Engine.Introspect(r.Context(), &req)
	if err != nil {
		return err
	}
	ev.about(&answer.Grant)
	ev.client = answer.Caller
	if !answer.Signed {
		return writeJSON(w, ev, http.StatusOK, answer.Body)
	}
	// RFC 9701 §5.
	return writeTyped(w, ev, introspectionType, answer.Body)
}

// introspectionType is that of a signed answer (RFC 9701 §4).
const introspectionType = "application/token-introspection+jwt"

// accepts reports whether the Accept header names a type.
func accepts(header http.Header, mediaType string) bool {
	for _, value := range header["Accept"] {
		for item := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), mediaType) {
				return true
			}
		}
	}
	return false
}

// keySet is the JWK Set (RFC 7517 §5) of the keys that sign.
func (h *Handler) keySet(w http.ResponseWriter, _ *http.Request, ev *event) error {
	set, err := h.Engine.KeySet()
	if err != nil {
		return err
	}
	return h.writePublic(w, ev, set)
}
