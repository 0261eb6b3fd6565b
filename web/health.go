package web

import "net/http"

// healthz says that the process answers. It touches nothing else.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request, ev *event) error {
	ev.quiet = true
	return writeJSON(w, ev, http.StatusOK, []byte(`{"status":"ok"}`))
}

// readyz says whether requests can be served: the store answers, and the server
// is not about to stop.
func (h *Handler) readyz(w http.ResponseWriter, r *http.Request, ev *event) error {
	ev.quiet = true
	if h.leaving.Load() {
		w.Header().Set("Retry-After", "1")
		return writeJSON(w, ev, http.StatusServiceUnavailable, []byte(`{"status":"stopping"}`))
	}
	if err := h.Engine.Ready(r.Context()); err != nil {
		return err
	}
	return writeJSON(w, ev, http.StatusOK, []byte(`{"status":"ready"}`))
}
