package web

import "net/http"

// cors lets scripts of registered origins call the API and read its answers,
// refusals too (Fetch standard, CORS protocol). Cookies are never taken with
// it. It reports whether the request was a preflight that is answered now.
func (h *Handler) cors(w http.ResponseWriter, r *http.Request, ev *event, rt *route) bool {
	header := w.Header()
	header.Add("Vary", "Origin")
	origins := r.Header["Origin"]
	if len(origins) != 1 || origins[0] == "null" {
		return false
	}
	if rt.open {
		// Nothing in it is private, and no cookie counts there.
		header.Set("Access-Control-Allow-Origin", "*")
	} else {
		known, err := h.Engine.KnowsOrigin(r.Context(), origins[0])
		if err != nil || !known {
			return false // the browser keeps the answer from the script
		}
		header.Set("Access-Control-Allow-Origin", origins[0])
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		header.Set("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce, Retry-After, X-Request-Id")
		return false
	}
	header.Set("Access-Control-Allow-Methods", rt.methods)
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, MCP-Protocol-Version")
	header.Set("Access-Control-Max-Age", "600")
	ev.status = http.StatusNoContent
	w.WriteHeader(http.StatusNoContent)
	return true
}
