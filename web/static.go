package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

//go:embed static
var staticFiles embed.FS

// staticTypes are the types of files that may be in static/.
var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".png": "image/png",
	".ico": "image/x-icon",
}

// Static serves the embedded files of static/, each under a name that changes
// with its content, so that browsers keep it for good.
type Static struct {
	files map[string]staticFile // by hashed name
	urls  map[string]string     // by plain name
}

type staticFile struct {
	content     []byte
	contentType string
}

// NewStatic reads the embedded files.
func NewStatic() (*Static, error) {
	s := &Static{files: map[string]staticFile{}, urls: map[string]string{}}
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "read static files", err)
	}
	for _, e := range entries {
		content, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, symbolon.Wrap(symbolon.Internal, "read static files", err)
		}
		if err := s.add(e.Name(), content); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add serves one more file. Once the server answers, none may be added.
func (s *Static) add(name string, content []byte) error {
	ext := path.Ext(name)
	contentType, ok := staticTypes[ext]
	if !ok {
		return symbolon.Errorf(symbolon.Internal, "read static files", "%s has a type that we do not serve", name)
	}
	sum := sha256.Sum256(content)
	hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
	s.files[hashed] = staticFile{content: content, contentType: contentType}
	s.urls[name] = "/static/" + hashed
	return nil
}

// URL returns the path under which a file is served, such as
// "/static/style.0123456789abcdef.css" for "style.css", or "" if there is none.
func (s *Static) URL(name string) string { return s.urls[name] }

// Has reports whether there is a file under a path that URL returns.
func (s *Static) Has(path string) bool {
	name, ok := strings.CutPrefix(path, "/static/")
	_, found := s.files[name]
	return ok && found
}

// ServeHTTP serves the paths that URL returns, to GET and HEAD. It is meant for
// "GET /static/".
func (s *Static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, "/static/")
	file, found := s.files[name]
	if !ok || !found {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// An SVG that is opened by itself is a document: it may do nothing.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
}
