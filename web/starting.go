package web

import (
	"net/http"
	"sync/atomic"

	"github.com/symbolon/symbolon/oauth"
)

// Front stands before a Handler that is not there yet, since the database that it
// needs cannot be reached. Until it is, every request but /healthz is answered as
// when the database goes away later: 503, to be tried again. The zero value is
// ready for use.
type Front struct {
	handler atomic.Pointer[Handler]
}

// Open has the handler answer from now on.
func (f *Front) Open(h *Handler) { f.handler.Store(h) }

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.handler.Load(); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	ev := newEvent(r)
	w.Header()["X-Request-Id"] = []string{ev.id}
	if r.URL.Path == "/healthz" {
		_ = writeJSON(w, ev, http.StatusOK, []byte(`{"status":"ok"}`))
		return
	}
	w.Header().Set("Retry-After", "1")
	b := appendField(nil, '{', "error", oauth.Unavailable.Code())
	b = appendField(b, ',', "error_description", "The server is starting and waits for its database; nothing was done, so send the same request again shortly.")
	b = appendField(b, ',', "request_id", ev.id)
	_ = writeJSON(w, ev, http.StatusServiceUnavailable, append(b, '}'))
}
