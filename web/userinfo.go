package web

import (
	"net/http"

	"github.com/symbolon/symbolon/oauth"
)

// userinfo is the userinfo endpoint (OpenID Connect Core §5.3), by GET or POST.
func (h *Handler) userinfo(w http.ResponseWriter, r *http.Request, ev *event) error {
	shown, err := h.shown(r, ev)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost && mediaType(r.Header) == "application/x-www-form-urlencoded" {
		// RFC 6750 §2.2: in the body of a form, where no log writes it down.
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		params, err := oauth.ParseForm(string(body))
		if err != nil {
			return &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The request has more than 100 parameters."}
		}
		token, err := oauth.TokenInBody(&params)
		switch {
		case err != nil:
			return err
		case token != "" && r.Header.Get("Authorization") != "":
			return tokenTwice // RFC 6750 §2
		case token != "":
			shown.Token = token
		}
	}
	about, err := h.Engine.Userinfo(r.Context(), shown)
	if err != nil {
		return err
	}
	ev.about(&about.Grant)
	answer, err := h.OpenID.Userinfo(about, h.Engine.Now())
	if err != nil {
		return err
	}
	if answer.JWT {
		return writeTyped(w, ev, "application/jwt", answer.Body)
	}
	return writeJSON(w, ev, http.StatusOK, answer.Body)
}
