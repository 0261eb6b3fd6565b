package web

import (
	"net/http"
	"strconv"

	"github.com/symbolon/symbolon/oauth"
)

// push is the pushed authorization request endpoint (RFC 9126 §2).
func (h *Handler) push(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, credentials, err := h.readCaller(w, r, ev)
	if err != nil {
		return err
	}
	req := oauth.ReadPush(&params, credentials)
	req.Proof = h.proof(r, ev)
	answer, err := h.Engine.Push(r.Context(), &req)
	if err != nil {
		return err
	}
	ev.client = answer.Client
	b := appendField(nil, '{', "request_uri", answer.RequestURI)
	b = append(b, `,"expires_in":`...)
	b = strconv.AppendInt(b, answer.ExpiresIn, 10)
	return writeJSON(w, ev, http.StatusCreated, append(b, '}')) // RFC 9126 §2.2
}
