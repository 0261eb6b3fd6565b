package oauth

import (
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

func TestCheckResource(t *testing.T) {
	for _, uri := range []string{"https://api.example", "https://api.example/v1?a=b", "http://127.0.0.1:8080", "urn:example:api", "https://api.example/%20"} {
		if err := CheckResource(uri); err != nil {
			t.Errorf("%q: %v", uri, err)
		}
	}
	// RFC 8707 §2: an absolute URI without a fragment.
	for _, uri := range []string{"", "api.example", "/api", "https://api.example#", "https://api.example/#a", "https://u@api.example", "https://api.example/a b", "https://api.example/\n", "https:///x y", "https://api.example/" + strings.Repeat("x", 2000)} {
		if err := CheckResource(uri); symbolon.KindOf(err) != symbolon.Invalid || err == nil {
			t.Errorf("%q: %v, want it to be invalid", uri, err)
		}
	}
}
