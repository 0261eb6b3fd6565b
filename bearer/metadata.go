package bearer

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// describe makes the metadata of this API (RFC 9728 §2).
func (v *Verifier) describe() {
	v.metaURL = wellKnown(v.o.Resource, "oauth-protected-resource")
	u, _ := url.Parse(v.metaURL)
	v.metaPath = u.EscapedPath()
	v.metadata, _ = json.Marshal(struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers"`
		Methods       []string `json:"bearer_methods_supported"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
		Proofs        []string `json:"dpop_signing_alg_values_supported"`
	}{v.o.Resource, []string{v.o.Issuer}, []string{"header"}, v.o.Scopes, v.o.Name, v.o.Documentation, algorithmNames})
}

// MetadataPath is where Metadata answers: /.well-known/oauth-protected-resource
// and the path of Resource. It is empty without Resource.
func (v *Verifier) MetadataPath() string { return v.metaPath }

// Metadata serves the metadata of this API (RFC 9728), with which apps find the
// server. It answers at MetadataPath only, since the metadata of another path is
// another resource's, and to scripts of every site. Register it at
// MetadataPath.
func (v *Verifier) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v.metaPath == "" || r.URL.EscapedPath() != v.metaPath {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		switch r.Method {
		case http.MethodGet, http.MethodHead:
		case http.MethodOptions: // MCP clients in browsers send a header of their own
			header.Set("Access-Control-Allow-Methods", "GET")
			header.Set("Access-Control-Allow-Headers", "*")
			header.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			header.Set("Allow", "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(v.metadata)))
		header.Set("Cache-Control", "public, max-age=300")
		header.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(v.metadata)
	})
}
