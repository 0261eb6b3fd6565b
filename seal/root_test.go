package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

func TestParseRootKeys(t *testing.T) {
	a, b := newRoot(t), newRoot(t)
	for _, text := range []string{
		a.Reveal() + "\n" + b.Reveal(),
		"# the current one\n" + a.Reveal() + "\n\n#" + b.Reveal() + "\n  " + b.Reveal() + "\t\r\n",
	} {
		roots, err := ParseRootKeys(text)
		if err != nil || len(roots) != 2 || roots[0].Reveal() != a.Reveal() || roots[1].Reveal() != b.Reveal() {
			t.Errorf("%d keys, %v", len(roots), err)
		}
	}
	good, material := a.Reveal(), a.hidden().material
	for name, text := range map[string]string{
		"empty":               "",
		"blank":               " \n\t\n",
		"only a comment":      "# " + good,
		"cut":                 good[:len(good)-1],
		"one character wrong": strings.Replace(good, good[20:21], "!", 1),
		"two on one line":     good + " " + good,
		"a quoted one":        `"` + good + `"`,
		"no prefix":           good[len(Root):],
		"another prefix":      AccessToken.spell(material[:]),
		"128 bits":            Root.spell(material[:16]),
		"264 bits":            Root.spell(append(material[:len(material):len(material)], 0)),
		"hex":                 hex.EncodeToString(material[:]),
		"the second is wrong": good + "\n" + good[:30],
	} {
		roots, err := ParseRootKeys(text)
		if err == nil || roots != nil || symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%s: %d keys, %v", name, len(roots), err)
			continue
		}
		if strings.Contains(err.Error(), good[len(Root):len(Root)+8]) {
			t.Errorf("%s: the error shows a part of the key: %v", name, err)
		}
	}
	if _, err := ParseRootKeys(good + "\n# a comment\nwrong"); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("the line is not named: %v", err)
	}
}

// SYM-LOG-1: whoever logs the key by mistake shows nothing of it.
func TestRootKeyIsHidden(t *testing.T) {
	root := newRoot(t)
	type holder struct {
		Name    string
		Key     *RootKey
		Copy    RootKey
		Keys    []*RootKey
		ByName  map[string]RootKey
		hidden  *RootKey
		within  RootKey
		several []RootKey
	}
	h := holder{"n", root, *root, []*RootKey{root}, map[string]RootKey{"k": *root}, root, *root, []RootKey{*root}}

	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%T", "%p", "%t", "%!"} {
		for _, value := range []any{root, *root, h, &h, h.Keys, h.ByName, fmt.Errorf("around %v", root)} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	fmt.Fprintln(&out, root, *root, h, &h)
	for _, value := range []any{root, *root, h} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "root", root, "copy", *root, "holder", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "root", root, "copy", *root, "holder", h)
	out.Write(log.Bytes())

	shown := out.String()
	material := root.hidden().material
	m := material[:]
	for name, secret := range map[string]string{
		"its text":          root.Reveal()[len(Root) : len(Root)+12],
		"hex":               fmt.Sprintf("%x", m[:4]),
		"upper-case hex":    fmt.Sprintf("%X", m[:4]),
		"decimal":           strings.Trim(fmt.Sprint(m[:4]), "[]"),
		"Go's syntax":       strings.Trim(fmt.Sprintf("%#v", m[:4]), "[]byte{}"),
		"octal":             strings.Trim(fmt.Sprintf("%o", m[:4]), "[]"),
		"binary":            strings.Trim(fmt.Sprintf("%b", m[:4]), "[]"),
		"characters":        string(m[:4]),
		"a quoted text":     strings.Trim(fmt.Sprintf("%q", m[:6]), `"`),
		"decimal by commas": strings.ReplaceAll(strings.Trim(fmt.Sprint(m[:4]), "[]"), " ", ","),
	} {
		if strings.Contains(shown, secret) {
			t.Errorf("the root key is shown as %s", name)
		}
	}
	// The key that wraps is as secret as what it is derived from.
	derived, err := hkdf.Key(sha256.New, m, nil, "symbolon root key wraps sealing keys, v1", 64)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown, strings.Trim(fmt.Sprint(derived[:4]), "[]")) || strings.Contains(shown, fmt.Sprintf("%x", derived[:4])) {
		t.Error("the derived key is shown")
	}
	if !strings.Contains(shown, "root key (hidden)") {
		t.Error("what is printed does not say what it hides")
	}
}

func FuzzParseRootKeys(f *testing.F) {
	v, _, _ := readVectors(f)
	for _, s := range []string{"", "#", v.RootKey, v.RootKey + "\n" + v.RootKey, " " + v.RootKey + "\r\n", v.RootKey[:20], "sym_root_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		roots, err := ParseRootKeys(text)
		if err != nil {
			if roots != nil || symbolon.KindOf(err) != symbolon.Invalid {
				t.Fatalf("%d keys, %v", len(roots), err)
			}
			return
		}
		for _, root := range roots {
			if !strings.Contains(text, root.Reveal()) {
				t.Fatal("a key is read that does not stand in the text")
			}
		}
	})
}
