package symbolon

import (
	"errors"
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

func TestScopeCheck(t *testing.T) {
	for _, tt := range []struct {
		what, name, sentence string
		bad                  bool
	}{
		{"a name and a sentence", "read", "Read your reports", false},
		{"a name with a language", "reports.read#cs", "Číst vaše zprávy", false},
		{"a URI", "https://api.example/read:all", "Read all", false},
		{"no sentence, which takes it away", "read", "", false},
		{"the longest name", strings.Repeat("n", maxScopeName), "x", false},
		{"a longer name", strings.Repeat("n", maxScopeName+1), "x", true},
		{"the longest sentence, in bytes", "read", strings.Repeat("ž", maxScopeSentence/2), false},
		{"a longer sentence", "read", strings.Repeat("s", maxScopeSentence+1), true},
		{"a longer sentence, though not in letters", "read", strings.Repeat("ž", maxScopeSentence/2) + "s", true},
		{"no text", "read", "\xff", true},
		{"half a letter", "read", "Č"[:1], true},
		{"NUL, which PostgreSQL keeps in no text", "read", "Read\x00", true},
		{"no name", "", "x", true},
		{"no name and no sentence", "", "", true},
		{"two names", "read write", "x", true},
		{"one name twice", "read read", "x", true},
		{"a space around it", "read ", "x", true},
		{"a line break", "read\n", "x", true},
		{"NUL in the name", "re\x00ad", "x", true},
		{"a quote", `re"ad`, "x", true},
		{"not ASCII", "číst", "x", true},
		{"a bad name without a sentence", "read write", "", true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s := Scope{Name: tt.name, Description: tt.sentence}
			err := s.Check("here")
			if (err != nil) != tt.bad {
				t.Fatalf("Check of %q: %v", tt.name, err)
			}
			var own *Error
			if err != nil && (!errors.As(err, &own) || own.Kind != Invalid || own.Op != "here") {
				t.Errorf("got %#v", err)
			}
		})
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
