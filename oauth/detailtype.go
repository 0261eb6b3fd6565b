package oauth

import (
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// Check reports whether requests can be held to the type, and be shown in words.
// The error, of kind Invalid, says why not.
func (d *DetailType) Check() error {
	const op = "type of authorization_details"
	names := slices.Concat(commonFields, d.Fields)
	switch {
	case d.Type == "" || !clean(d.Type):
		return symbolon.Errorf(symbolon.Invalid, op, "it needs a name without control characters")
	case strings.TrimSpace(d.Sentence) == "" || !clean(d.Sentence):
		return symbolon.Errorf(symbolon.Invalid, op, "it needs a sentence for the consent page")
	case slices.Contains(names, ""):
		return symbolon.Errorf(symbolon.Invalid, op, "one of its fields has no name")
	}
	for _, name := range d.Required {
		if !slices.Contains(names, name) {
			return symbolon.Errorf(symbolon.Invalid, op, "it requires %s, which is none of its fields", name)
		}
	}
	for rest := d.Sentence; ; {
		before, after, found := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return symbolon.Errorf(symbolon.Invalid, op, "its sentence has a } without a {")
		}
		if !found {
			return nil
		}
		path, next, closed := strings.Cut(after, "}")
		if !closed || strings.Contains(path, "{") {
			return symbolon.Errorf(symbolon.Invalid, op, "its sentence has a { without a }")
		}
		if member, _, _ := strings.Cut(path, "."); !slices.Contains(names, member) {
			return symbolon.Errorf(symbolon.Invalid, op, "its sentence shows {%s}, which is none of its fields", path)
		}
		rest = next
	}
}
