package web

import (
	"encoding/json"
	"net/http"

	"github.com/symbolon/symbolon/oauth"
)

// registrationRoutes are the client registration endpoint (RFC 7591 §3) and, told
// apart by the query, the client configuration endpoint of each app (RFC 7592 §2):
// paths are matched whole.
func (h *Handler) registrationRoutes() []route {
	if !h.Engine.Offers().Registration {
		return nil
	}
	return []route{{
		path: "/oauth2/register", surface: standard, open: true,
		get: h.registered, post: h.register, put: h.reregister, delete: h.unregister,
	}}
}

// register registers an app.
func (h *Handler) register(w http.ResponseWriter, r *http.Request, ev *event) error {
	body, err := readMetadata(w, r)
	if err != nil {
		return err
	}
	bearer, err := bearerToken(r)
	if err != nil {
		return err
	}
	info, err := h.Engine.Register(r.Context(), body, oauth.Registrant{Token: bearer, Address: ev.address})
	if err != nil {
		return err
	}
	return writeRegistration(w, ev, http.StatusCreated, info)
}

// registered says what an app is registered with.
func (h *Handler) registered(w http.ResponseWriter, r *http.Request, ev *event) error {
	id, bearer, err := configured(r)
	if err != nil {
		return err
	}
	info, err := h.Engine.Registered(r.Context(), id, bearer)
	if err != nil {
		return err
	}
	return writeRegistration(w, ev, http.StatusOK, info)
}

// reregister replaces what an app is registered with.
func (h *Handler) reregister(w http.ResponseWriter, r *http.Request, ev *event) error {
	body, err := readMetadata(w, r)
	if err != nil {
		return err
	}
	id, bearer, err := configured(r)
	if err != nil {
		return err
	}
	info, err := h.Engine.Reregister(r.Context(), id, bearer, body, oauth.Registrant{Address: ev.address})
	if err != nil {
		return err
	}
	return writeRegistration(w, ev, http.StatusOK, info)
}

// unregister deletes an app.
func (h *Handler) unregister(w http.ResponseWriter, r *http.Request, ev *event) error {
	id, bearer, err := configured(r)
	if err != nil {
		return err
	}
	if ev.client, err = h.Engine.Unregister(r.Context(), id, bearer, oauth.Registrant{Address: ev.address}); err != nil {
		return err
	}
	w.Header()["Cache-Control"] = noStore
	w.Header()["Pragma"] = noCache
	ev.status = http.StatusNoContent
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readMetadata reads the body of a registration, which is JSON and nothing else.
func readMetadata(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if mediaType(r.Header) != "application/json" {
		return nil, &httpError{status: http.StatusUnsupportedMediaType, code: oauth.InvalidClientMetadata.Code(), description: "The body must be application/json, in UTF-8; say so in Content-Type."}
	}
	return readBody(w, r)
}

// configured reads which app a request to the client configuration endpoint is
// about, and its registration access token.
func configured(r *http.Request) (id, bearer string, err error) {
	query, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return "", "", &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The query has more than 100 parameters."}
	}
	bearer, err = bearerToken(r)
	return query.First("client_id"), bearer, err
}

func writeRegistration(w http.ResponseWriter, ev *event, status int, info *oauth.ClientInformation) error {
	ev.client = info.App
	body, err := json.Marshal(info)
	if err != nil {
		return err
	}
	return writeJSON(w, ev, status, body)
}
