package signin

import (
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// Ledger B102: one account has one spelling.
func TestNormalUsername(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"jane", "jane"},
		{"JANE", "jane"},
		{"ａdmin", "admin"},           // full width
		{" admin\u00a0", "admin"},    // spaces around it
		{"\u212aelvin", "kelvin"},    // the Kelvin sign
		{"re\u0301ne\u0301", "réné"}, // composed
		{"Jane.Doe@Example.COM", "jane.doe@example.com"},
		{"ΣΊΣΥΦΟΣ", "σίσυφοσ"}, // lower case regards no neighbours
		{"עברית", "עברית"},
		{strings.Repeat("a", MaxUsername), strings.Repeat("a", MaxUsername)},
	} {
		got, err := NormalUsername(c.in)
		if err != nil || got != c.want {
			t.Errorf("NormalUsername(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestNormalUsernameRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"empty":            "",
		"only spaces":      " \u3000 ",
		"space within":     "jane doe",
		"new line around":  "admin\n",
		"control":          "ad\x00min",
		"trailing dot":     "admin.",
		"leading dot":      ".admin",
		"ligature":         "of\ufb01ce", // NFKC would make it "office"
		"direction":        "ad\u202emin",
		"invisible":        "ad\u200bmin",
		"soft hyphen":      "ad\u00admin",
		"superscript":      "admin²",
		"not UTF-8":        "admin\xff",
		"too long":         strings.Repeat("a", MaxUsername+1),
		"far too long":     strings.Repeat("a", 1<<20),
		"mixed directions": "אa",
		"unassigned":       "a\U000e0080",
	} {
		got, err := NormalUsername(in)
		if err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		} else if symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%s: error %v is not of kind Invalid", name, err)
		}
	}
}

func FuzzNormalUsername(f *testing.F) {
	for _, s := range []string{"jane", "ＪＡＮＥ", "İ", "ς", "ǅ", "a\u0345", "\u1e9e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := NormalUsername(s)
		if err != nil {
			return
		}
		if again, err := NormalUsername(name); err != nil || again != name {
			t.Errorf("%q becomes %q, which becomes %q, %v", s, name, again, err)
		}
		if name == "" || len(name) > MaxUsername {
			t.Errorf("%q becomes %d bytes", s, len(name))
		}
	})
}
