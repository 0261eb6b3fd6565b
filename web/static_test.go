package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestStatic(t *testing.T) {
	s, err := NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	url := s.URL("style.css")
	if !regexp.MustCompile(`^/static/style\.[0-9a-f]{16}\.css$`).MatchString(url) {
		t.Fatalf("the style sheet is at %q", url)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	w := get(url)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/css; charset=utf-8" ||
		w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.Contains(w.Body.String(), "--paper") {
		t.Errorf("style sheet: %d %v", w.Code, w.Header())
	}
	if w := get(s.URL("symbolon.svg")); w.Header().Get("Content-Type") != "image/svg+xml" || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("picture: %v", w.Header())
	}
	for _, path := range []string{"/static/", "/static/style.css", "/static/../page.go", "/static/style.0000000000000000.css", "/other"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	if s.URL("none.css") != "" {
		t.Error("a file that is not there has a URL")
	}
}
