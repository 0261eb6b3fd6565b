package symbolon

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseScopes(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Scopes
		bad      bool
	}{
		{"none", "", nil, false},
		{"one", "connect", Scopes{"connect"}, false},
		{"order is kept", "b a", Scopes{"b", "a"}, false},
		{"RFC6749-3.3-a case-sensitive", "connect Connect", Scopes{"connect", "Connect"}, false},
		{"a repeated name counts once", "a b a", Scopes{"a", "b"}, false},
		{"RFC6749-3.3-b first and last characters", "! # [ ] ~", Scopes{"!", "#", "[", "]", "~"}, false},
		{"a URI is a name", "https://api.example/read:all", Scopes{"https://api.example/read:all"}, false},
		{"RFC6749-3.3-b two spaces", "a  b", nil, true},
		{"RFC6749-3.3-b leading space", " a", nil, true},
		{"RFC6749-3.3-b trailing space", "a ", nil, true},
		{"RFC6749-3.3-b only a space", " ", nil, true},
		{"RFC6749-3.3-b tab", "a\tb", nil, true},
		{"RFC6749-3.3-b line break", "a\nb", nil, true},
		{"RFC6749-3.3-b NUL", "a\x00", nil, true},
		{"RFC6749-3.3-b quote", `a"b`, nil, true},
		{"RFC6749-3.3-b backslash", `a\b`, nil, true},
		{"RFC6749-3.3-b DEL", "a\x7f", nil, true},
		{"RFC6749-3.3-b not ASCII", "é", nil, true},
		{"RFC6749-3.3-b no-break space", "a\u00a0b", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseScopes(tt.in)
			if (err != nil) != tt.bad || !slices.Equal(got, tt.want) {
				t.Fatalf("ParseScopes(%q) = %q, %v", tt.in, got, err)
			}
			if err != nil && KindOf(err) != Invalid {
				t.Errorf("its kind is %v", KindOf(err))
			}
		})
	}
}

func TestParseScopesRepeatsNothing(t *testing.T) {
	for _, s := range []string{"xyzzy\x00", "xyzzy  xyzzy", "\"xyzzy"} {
		if _, err := ParseScopes(s); err == nil || strings.Contains(err.Error(), "xyzzy") {
			t.Errorf("the error repeats what was sent: %v", err)
		}
	}
}

// C47: a list without bound would be compared with itself, name by name.
func TestParseScopesIsBounded(t *testing.T) {
	var names []string
	for i := range maxScopes + 1 {
		names = append(names, fmt.Sprint(i))
	}
	if got, err := ParseScopes(strings.Join(names[:maxScopes], " ")); err != nil || len(got) != maxScopes {
		t.Errorf("%d names: %d, %v", maxScopes, len(got), err)
	}
	if _, err := ParseScopes(strings.Join(names, " ")); KindOf(err) != Invalid || err == nil {
		t.Errorf("%d names: %v", len(names), err)
	}
	if got, err := ParseScopes(strings.TrimSpace(strings.Repeat("a ", 100_000))); err != nil || len(got) != 1 {
		t.Errorf("one name 100,000 times: %d, %v", len(got), err)
	}
}

func FuzzParseScopes(f *testing.F) {
	for _, s := range []string{"", "connect", "a b", "a  b", " ", "a\x00", "é", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		scopes, err := ParseScopes(s)
		if err != nil {
			return
		}
		again, err := ParseScopes(scopes.String())
		if err != nil || !slices.Equal(again, scopes) {
			t.Fatalf("%q is read as %q, which is read as %q, %v", s, scopes, again, err)
		}
		if !scopes.Covers(again) || !again.Covers(scopes) {
			t.Fatalf("%q does not cover itself", scopes)
		}
	})
}

func TestScopesAsSets(t *testing.T) {
	names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "A", "connect"}), rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		x, y := Scopes(names.Draw(t, "x")), Scopes(names.Draw(t, "y"))
		before := slices.Clone(x)
		sum := x.With(y)
		if !sum.Covers(x) || !sum.Covers(y) {
			t.Fatalf("%q with %q is %q", x, y, sum)
		}
		for i, name := range sum {
			if !x.Has(name) && !y.Has(name) || slices.Contains(sum[:i], name) {
				t.Fatalf("%q with %q is %q", x, y, sum)
			}
		}
		if x.Covers(y) != (len(sum) == len(x)) {
			t.Fatalf("%q covers %q: %v", x, y, x.Covers(y))
		}
		if !slices.Equal(x, before) {
			t.Fatalf("With changed its receiver from %q to %q", before, x)
		}
	})
}
