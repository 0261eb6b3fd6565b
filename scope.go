package symbolon

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Scope is a named permission, with the sentence that the consent page shows. In the
// configuration, a name with "#" and a language behind it ("reports.read#cs") has what is
// said in that language.
type Scope struct {
	Name        string
	Description string
	// Local has the sentences in other languages than English, by their tags. It may be
	// nil.
	Local map[string]string
}

// What bounds a scope that is stored.
const (
	maxScopeName     = 200 // bytes
	maxScopeSentence = 500 // bytes
	maxScopeLocal    = 50  // languages
)

// Check reports what no store may keep of a scope, as an error of kind Invalid.
func (s *Scope) Check(op string) error {
	if names, err := ParseScopes(s.Name); err != nil || !slices.Equal(names, Scopes{s.Name}) || len(s.Name) > maxScopeName {
		return Errorf(Invalid, op, "%q is not the name of one scope of at most %d bytes", s.Name, maxScopeName)
	}
	if len(s.Local) > maxScopeLocal {
		return Errorf(Invalid, op, "there are sentences in more than %d languages", maxScopeLocal)
	}
	sentences := append(slices.Collect(maps.Keys(s.Local)), slices.Collect(maps.Values(s.Local))...)
	for _, text := range append(sentences, s.Description) {
		if len(text) > maxScopeSentence || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return Errorf(Invalid, op, "the sentence is longer than %d bytes, or no text", maxScopeSentence)
		}
	}
	return nil
}

// EncodeLocal returns the sentences in other languages as stores keep them: alike for
// whatever is equal.
func (s *Scope) EncodeLocal() string {
	if len(s.Local) == 0 {
		return "{}"
	}
	text, err := json.Marshal(s.Local) // in the order of the tags
	if err != nil {
		panic(err) // of a map of strings
	}
	return string(text)
}

// DecodeLocal reads what EncodeLocal wrote. The error is of kind Internal.
func (s *Scope) DecodeLocal(text string) error {
	if err := json.Unmarshal([]byte(text), &s.Local); err != nil {
		return Wrap(Internal, "scope", err)
	}
	if len(s.Local) == 0 {
		s.Local = nil
	}
	return nil
}

// maxScopes bounds the names in one list, since anyone may send one.
const maxScopes = 200

// Scopes is a set of scope names in the order in which they were asked for.
type Scopes []string

// ParseScopes reads a space-separated list of scope names (RFC 6749 §3.3).
// Names are case-sensitive and made of %x21, %x23-5B and %x5D-7E; exactly one
// space separates them. A name that is repeated counts once. There may be 200.
// The error is of kind Invalid.
func ParseScopes(s string) (Scopes, error) {
	if s == "" {
		return nil, nil
	}
	var scopes Scopes
	for name := range strings.SplitSeq(s, " ") {
		if name == "" {
			return nil, Errorf(Invalid, "scope", "names are separated by exactly one space")
		}
		for i := range len(name) {
			if c := name[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
				return nil, Errorf(Invalid, "scope", "a name has a character that RFC 6749 does not allow")
			}
		}
		if !slices.Contains(scopes, name) {
			scopes = append(scopes, name)
		}
		if len(scopes) > maxScopes {
			return nil, Errorf(Invalid, "scope", "there are more than %d names", maxScopes)
		}
	}
	return scopes, nil
}

// String returns the names joined by single spaces.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Has reports whether name is in the set.
func (s Scopes) Has(name string) bool { return slices.Contains(s, name) }

// Covers reports whether every name of other is in the set.
func (s Scopes) Covers(other Scopes) bool {
	for _, name := range other {
		if !s.Has(name) {
			return false
		}
	}
	return true
}

// Within returns the names that are in other too.
func (s Scopes) Within(other Scopes) Scopes {
	if other.Covers(s) {
		return s
	}
	return slices.DeleteFunc(slices.Clone(s), func(name string) bool { return !other.Has(name) })
}

// With returns the set with the names of other added.
func (s Scopes) With(other Scopes) Scopes {
	sum := slices.Clone(s)
	for _, name := range other {
		if !sum.Has(name) {
			sum = append(sum, name)
		}
	}
	return sum
}

// scopeAt stands between a scope and an API. No scope has it (RFC 6749 §3.3).
const scopeAt = "\""

// ScopesAt returns the names of s as they are remembered when they were allowed
// at some APIs (RFC 8707): each with each API. With no API they are those of s,
// which means anywhere.
func (s Scopes) ScopesAt(resources []string) Scopes {
	if len(resources) == 0 {
		return s
	}
	var at Scopes
	for _, name := range s {
		for _, uri := range resources {
			at = append(at, name+scopeAt+url.QueryEscape(uri))
		}
	}
	return at
}

// Allows reports whether the names of s, as they are remembered, allow a scope at
// these APIs; with none, anywhere.
func (s Scopes) Allows(name string, resources []string) bool {
	return s.Has(name) || s.Covers(Scopes{name}.ScopesAt(resources))
}
