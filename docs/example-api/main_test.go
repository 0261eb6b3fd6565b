package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/bearer"
)

func TestProtect(t *testing.T) {
	api, err := protect(bearer.Options{Issuer: "https://auth.test", Resource: "https://api.test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/orders", 401, "missing"},
		{"POST", "/orders", 401, "missing"},
		{"DELETE", "/orders", 401, "missing"},
		{"PUT", "/orders", 405, ""},
		{"GET", "/.well-known/oauth-protected-resource", 200, `"resource":"https://api.test"`},
	} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	if _, err := protect(bearer.Options{}); err == nil {
		t.Error("an API without a server starts")
	}
}

func TestOrders(t *testing.T) {
	r := httptest.NewRequest("GET", "/orders", nil)
	w := httptest.NewRecorder()
	orders(w, r.WithContext(bearer.NewContext(r.Context(), &bearer.Token{Subject: "jane", ClientID: "make"})))
	if got := w.Body.String(); got != "The orders of account jane, for app make.\n" {
		t.Error(got)
	}
}
