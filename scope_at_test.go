package symbolon

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What was allowed at one API is not allowed at another, nor anywhere; what was
// allowed anywhere is allowed at each.
func TestScopesAt(t *testing.T) {
	s := Scopes{"connect", "read"}
	at := s.ScopesAt([]string{"https://a.test", "urn:b c"})
	if strings.Join(strings.Fields(at.String()), " ") != at.String() || len(at) != 4 {
		t.Errorf("%q", at)
	}
	for _, c := range []struct {
		remembered Scopes
		name       string
		resources  []string
		want       bool
	}{
		{at, "connect", []string{"https://a.test"}, true},
		{at, "read", []string{"urn:b c", "https://a.test"}, true},
		{at, "read", []string{"https://a.test", "https://other.test"}, false},
		{at, "write", []string{"https://a.test"}, false},
		{at, "connect", nil, false},
		{s, "connect", nil, true},
		{s, "connect", []string{"https://a.test"}, true},
		{s, "write", []string{"https://a.test"}, false},
		{s.ScopesAt(nil), "read", nil, true},
		{nil, "read", nil, false},
		{nil, "read", []string{"https://a.test"}, false},
	} {
		if got := c.remembered.Allows(c.name, c.resources); got != c.want {
			t.Errorf("%q allows %s at %q: %t", c.remembered, c.name, c.resources, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		uri := rapid.StringN(1, 20, -1)
		a, b := uri.Draw(t, "a"), uri.Draw(t, "b")
		if got := (Scopes{"x"}).ScopesAt([]string{a}).Allows("x", []string{b}); got != (a == b) {
			t.Errorf("allowed at %q, asked at %q: %t", a, b, got)
		}
		if fields := strings.Fields((Scopes{"x"}).ScopesAt([]string{a}).String()); len(fields) != 1 {
			t.Errorf("%q is remembered in %d parts", a, len(fields))
		}
	})
}
