package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon/oauth"
)

// authorize is step 1: for a browser it begins a flow of pages, for an API
// caller it answers at once.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request, ev *event) error {
	w.Header().Set("Vary", "Accept, Cookie, Sec-Fetch-Site")
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The query has more than 100 parameters."}
	}
	req := oauth.ReadAuthorize(&params)
	if prefersHTML(r.Header) {
		return h.begin(w, r, ev, &req)
	}
	// A page of another site must not fetch a code in the person's name.
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "A page of another site cannot fetch a code; send the person's browser to this address instead."}
	}
	signedIn, err := h.sessions(r)
	if err != nil {
		return err
	}
	answer, err := h.Engine.Authorize(r.Context(), &req, oauth.Actor{SignedIn: signedIn})
	if err != nil {
		return err
	}
	ev.client, ev.account = answer.App.ID, answer.Account.ID
	var b []byte
	sep := byte('{')
	for _, f := range answer.Callback.Fields() {
		b, sep = appendField(b, sep, f.Name, f.Value), ','
	}
	return writeJSON(w, ev, http.StatusOK, append(b, '}'))
}

// token is step 3.
func (h *Handler) token(w http.ResponseWriter, r *http.Request, ev *event) error {
	return h.tokens(w, r, ev, h.Engine.Token)
}

// refresh is step 5.
func (h *Handler) refresh(w http.ResponseWriter, r *http.Request, ev *event) error {
	return h.tokens(w, r, ev, h.Engine.Refresh)
}

// tokenStep is a step that is answered with tokens.
type tokenStep func(context.Context, *oauth.TokenRequest) (*oauth.TokenResponse, error)

func (h *Handler) tokens(w http.ResponseWriter, r *http.Request, ev *event, step tokenStep) error {
	params, credentials, err := h.readCaller(w, r, ev)
	if err != nil {
		return err
	}
	req := oauth.ReadToken(&params, credentials)
	req.Proof = h.proof(r, ev)
	req.Standard = ev.surface == standard
	answer, err := step(r.Context(), &req)
	if err != nil {
		return err
	}
	ev.about(&answer.Grant)
	if answer.Rollback {
		ev.note = "the refresh token is newer than the store, which must have been restored from an older copy; the connection has caught up"
	}
	return writeTokens(w, ev, answer)
}

// readCaller reads a POST in which an app proves itself.
func (h *Handler) readCaller(w http.ResponseWriter, r *http.Request, ev *event) (oauth.Params, oauth.Credentials, error) {
	credentials := oauth.Credentials{Address: ev.address, Certificate: h.certificate(r)}
	params, err := readParams(w, r)
	ev.sent.body = params
	if err != nil {
		return params, credentials, err
	}
	switch headers := r.Header["Authorization"]; len(headers) {
	case 0:
	case 1:
		credentials.ParseBasic(headers[0])
	default:
		return params, credentials, &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "There is more than one Authorization header."}
	}
	return params, credentials, nil
}

// info is step 4.
func (h *Handler) info(w http.ResponseWriter, r *http.Request, ev *event) error {
	shown, err := h.shown(r, ev)
	if err != nil {
		return err
	}
	info, err := h.Engine.Info(r.Context(), shown)
	if err != nil {
		return err
	}
	ev.about(&info.Grant)
	b := make([]byte, 0, 256)
	b = appendField(b, '{', "id", string(info.ID))
	b = appendField(b, ',', "user", info.User)
	return writeJSON(w, ev, http.StatusOK, append(b, '}'))
}

// invalidate is step 6. GET is what the page says; POST and DELETE are for
// callers who will not change state by GET.
func (h *Handler) invalidate(w http.ResponseWriter, r *http.Request, ev *event) error {
	shown, err := h.shown(r, ev)
	if err != nil {
		return err
	}
	grant, err := h.Engine.Invalidate(r.Context(), shown)
	if err != nil {
		return err
	}
	ev.about(&grant)
	w.Header()["Cache-Control"] = noStore
	ev.status = http.StatusNoContent
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tokenTwice refuses what RFC 6750 §2 does: two ways of sending the token.
var tokenTwice = &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The access token is sent twice; send it in the Authorization header only."}

// bearerToken returns the access token of the Authorization header (RFC 6750
// §2.1), or "" when none was sent. Tokens in a query are not taken.
func bearerToken(r *http.Request) (string, error) {
	headers := r.Header["Authorization"]
	switch {
	case len(headers) > 1:
		return "", &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "There is more than one Authorization header."}
	case len(headers) == 0:
		return "", nil
	case strings.Contains(r.URL.RawQuery, "access_token="):
		// RFC 6750 §2: one way of sending the token, not two.
		return "", tokenTwice
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	if token = strings.Trim(token, " "); token == "" {
		return "", nil
	}
	return token, nil
}
