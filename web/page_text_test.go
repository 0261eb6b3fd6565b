package web

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"html/template"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/net/html"
	"golang.org/x/text/language"

	"github.com/symbolon/symbolon"
)

// developerTables are for developers, and in English alone.
var developerTables = []string{"developer", "docs", "errors", "play"}

func forDevelopers(key string) bool {
	table, _, _ := strings.Cut(key, ".")
	return slices.Contains(developerTables, table)
}

// parsed are the Go files of this package that are no tests; those of the pages for
// developers are left out unless they are asked for.
func parsed(t *testing.T, developers bool) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if !developers && strings.HasPrefix(name, "docs") {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func TestEverySentenceIsUsed(t *testing.T) {
	p := newPages(t)
	text := p.speech.byLang[firstLanguage]
	used := map[string]bool{"layout.*": true, "scope.*": true}
	set, err := p.templates(firstLanguage)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range set {
		for _, part := range page.Templates() {
			for _, key := range keysUsed(part.Tree) {
				used[key] = true
			}
		}
	}
	if len(used) < 40 {
		t.Errorf("only %d sentences were found to be used", len(used))
	}
	for _, f := range parsed(t, true) {
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == gotoken.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					used[s] = true
					if strings.HasSuffix(s, "_") {
						used[s+"*"] = true
					}
				}
			}
			return true
		})
	}
	for key := range text.sentence {
		isUsed := used[key]
		for i := range key {
			isUsed = isUsed || used[key[:i]+"*"]
		}
		if !isUsed {
			t.Errorf("no page says %q", key)
		}
	}
}

// What a handler says to a person is a key, so that it can be said in any language.
func TestHandlersSayKeys(t *testing.T) {
	text := newPages(t).speech.byLang[firstLanguage]
	said := map[string]bool{"reason": true, "Reason": true, "Problem": true, "Error": true, "Title": true, "WhoMends": true, "How": true}
	n := 0
	for _, f := range parsed(t, false) {
		check := func(name string, value ast.Expr) {
			lit, ok := value.(*ast.BasicLit)
			if !ok || lit.Kind != gotoken.STRING || !said[name] {
				return
			}
			s, err := strconv.Unquote(lit.Value)
			if err != nil || s == "" || !strings.ContainsAny(s, " .") {
				return
			}
			if n++; !text.known(s) {
				t.Errorf("a handler says %q to people, which is no key of the texts", s)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok {
					check(id.Name, n.Value)
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if sel, ok := left.(*ast.SelectorExpr); ok && i < len(n.Rhs) {
						check(sel.Sel.Name, n.Rhs[i])
					}
				}
			}
			return true
		})
	}
	if n < 30 {
		t.Errorf("only %d such sentences were found", n)
	}
}

// Every language of ours says everything, with the same values in it. What is missing is
// listed by table, to be written at once.
func TestLanguagesAgree(t *testing.T) {
	all, err := readLanguages(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 || all[0].lang != firstLanguage {
		t.Fatalf("%d languages", len(all))
	}
	english := all[0]
	for _, text := range all[1:] {
		lacks := map[string][]string{}
		for key := range english.sentence {
			if _, ok := text.sentence[key]; !ok && !forDevelopers(key) {
				table, name, _ := strings.Cut(key, ".")
				lacks[table] = append(lacks[table], name)
			}
		}
		for _, table := range slices.Sorted(maps.Keys(lacks)) {
			slices.Sort(lacks[table])
			t.Errorf("text/%s.toml lacks in [%s]: %s", text.lang, table, strings.Join(lacks[table], " "))
		}
		if err := text.fits(english); err != nil {
			t.Errorf("%s: %v", text.lang, err)
		}
		for key, forms := range english.plural {
			if len(text.plural[key]) == 0 && len(forms) > 0 && !forDevelopers(key) {
				t.Errorf("%s: %s has no forms by number", text.lang, key)
			}
		}
		for key := range text.sentence {
			if forDevelopers(key) {
				t.Errorf("%s: %s is for developers, whose pages are in English", text.lang, key)
			}
			for form, sentence := range text.plural[key] {
				reachable := false
				for n := range 1000 {
					reachable = reachable || category(text.tag, n) == form
				}
				if !reachable {
					t.Errorf("%s: no number has the form %s of %s, %q", text.lang, form, key, sentence)
				}
			}
		}
	}
}

// The categories of CLDR: https://cldr.unicode.org/index/cldr-spec/plural-rules
func TestPlurals(t *testing.T) {
	p := newPages(t)
	for _, c := range []struct {
		lang string
		n    int
		want string
	}{
		{"en", 1, "One is left."}, {"en", 2, "2 are left."}, {"en", 10, "10 are left."},
		{"cs", 1, "Zbývá jeden kód."}, {"cs", 2, "Zbývají 2 kódy."}, {"cs", 4, "Zbývají 4 kódy."}, {"cs", 5, "Zbývá 5 kódů."}, {"cs", 22, "Zbývá 22 kódů."}, {"cs", 100_000_002, "Zbývá"},
	} {
		got, err := p.speech.byLang[c.lang].markup("security.recovery_left", "count", c.n)
		if err != nil || !strings.HasPrefix(string(got), c.want) {
			t.Errorf("%s, %d: %q, %v; want %q", c.lang, c.n, got, err, c.want)
		}
	}
	for lang, want := range map[string]map[int]string{"ru": {1: "one", 21: "one", 3: "few", 11: "many"}, "ar": {0: "zero", 2: "two", 3: "few", 11: "many"}, "ja": {1: "other"}} {
		for n, form := range want {
			if got := category(language.Make(lang), n); got != form {
				t.Errorf("%s, %d: %s, want %s", lang, n, got, form)
			}
		}
	}
}

func TestDays(t *testing.T) {
	p := newPages(t)
	for lang, want := range map[string]string{"en": "3 May 2026", "cs": "3. května 2026"} {
		text := p.speech.byLang[lang]
		for _, got := range []func() (template.HTML, error){
			func() (template.HTML, error) { return text.day("2026-05-03") },
			func() (template.HTML, error) { return text.markup("passkey.added", "day", "2026-05-03") },
		} {
			if s, err := got(); err != nil || !strings.Contains(string(s), `<time datetime="2026-05-03">`+want+`</time>`) {
				t.Errorf("%s: %q, %v", lang, s, err)
			}
		}
	}
	if s, err := p.speech.byLang["en"].markup("passkey.added", "day", `<b>`); err != nil || strings.Contains(string(s), "<b>") {
		t.Errorf("a day that is none: %q, %v", s, err)
	}
}

// pseudo is a language in which each sentence of ours is between brackets.
func pseudo(t testing.TB, lang string) fstest.MapFS {
	t.Helper()
	raw, err := textFiles.ReadFile("text/en.toml")
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string]map[string]any
	if err := toml.Unmarshal(raw, &tables); err != nil {
		t.Fatal(err)
	}
	tables["language"] = map[string]any{"name": "Pseudo"}
	for table, sentences := range tables {
		for key, s := range sentences {
			switch s := s.(type) {
			case string:
				if table != "language" {
					sentences[key] = "⟦" + s + "⟧"
				}
			case map[string]any:
				for form := range s {
					s[form] = fmt.Sprint("⟦", s[form], "⟧")
				}
			}
		}
	}
	raw, err = toml.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{lang + ".toml": {Data: raw}}
}

// No page for people has a sentence that is not of the texts: in a language whose
// sentences are marked, nothing that can be read is left unmarked but names, addresses
// and codes.
func TestEverySentenceIsTranslated(t *testing.T) {
	p, err := NewPages("", Appearance{Name: "Weather", Privacy: "https://owner.example/privacy", Texts: pseudo(t, "en-XA")})
	if err != nil {
		t.Fatal(err)
	}
	// What apps and owners say, in a language that only they know.
	theirs := map[string]bool{"allows reading your reports": true, "pay 123.50 EUR to Merchant A": true}
	seen := 0
	for i, sample := range pageSamples() {
		if sample.headers().English {
			continue
		}
		body, err := p.draw("en-XA", "/x", sample)
		if err != nil {
			t.Fatal(err)
		}
		root, err := html.ParseWithOptions(strings.NewReader(string(body)), html.ParseOptionEnableScripting(false))
		if err != nil {
			t.Fatal(err)
		}
		depth := 0
		for n := range root.Descendants() {
			if n.Type == html.ElementNode {
				for _, a := range n.Attr {
					switch a.Key {
					case "title", "aria-label", "alt", "placeholder", "data-failed", "data-twice":
						if !strings.HasPrefix(a.Val, "⟦") && a.Val != "" && a.Val != "XXXX-XXXX" && a.Val != "https://" {
							t.Errorf("%d %s: %s=%q is not translated", i, sample.template(), a.Key, a.Val)
						}
					}
				}
			}
			if n.Type != html.TextNode {
				continue
			}
			var outside strings.Builder
			for _, r := range n.Data {
				switch r {
				case '⟦':
					depth++
					seen++
				case '⟧':
					depth--
				default:
					if depth == 0 {
						outside.WriteRune(r)
					}
				}
			}
			rest := strings.TrimSpace(outside.String())
			if !strings.ContainsFunc(rest, unicode.IsLetter) || rest == "· Weather" || theirs[rest] {
				continue
			}
			if within(n, "code") || within(n, "svg") || within(n, "textarea") || withinLang(n) || within(n, "bdi") && len(strings.Fields(rest)) <= 3 || hasClass(n.Parent, "avatar") {
				continue
			}
			t.Errorf("%d %s: %q is not translated", i, sample.template(), rest)
		}
		if depth != 0 {
			t.Errorf("%d %s: brackets do not match", i, sample.template())
		}
	}
	if seen < 400 {
		t.Errorf("only %d sentences were seen", seen)
	}
}

// withinLang reports whether a text is marked to be in another language than the page.
func withinLang(n *html.Node) bool {
	for up := range n.Ancestors() {
		if up.Data != "html" && slices.ContainsFunc(up.Attr, func(a html.Attribute) bool { return a.Key == "lang" }) {
			return true
		}
	}
	return false
}

func hasClass(n *html.Node, class string) bool {
	for _, a := range n.Attr {
		if a.Key == "class" && slices.Contains(strings.Fields(a.Val), class) {
			return true
		}
	}
	return false
}

func TestOwnersTexts(t *testing.T) {
	file := func(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }
	p, err := NewPages("", Appearance{Texts: fstest.MapFS{
		"cs.toml": {Data: []byte("[consent]\nallow = \"Jasně\"\n")},
		"he.toml": {Data: []byte("[language]\nname = \"עברית\"\n[consent]\nallow = \"אישור\"\n")},
		"note.md": {Data: []byte("no texts")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Languages(); !slices.Equal(got, []string{"en", "cs", "he"}) {
		t.Errorf("languages %v", got)
	}
	consent := &ConsentPage{App: AppView{Name: "A"}}
	draw := func(lang string) string {
		body, err := p.draw(lang, "/", consent)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if page := draw("cs"); !strings.Contains(page, ">Jasně<") || !strings.Contains(page, ">Odmítnout<") {
		t.Error("a sentence is not replaced, or another is")
	}
	if page := draw("he"); !strings.Contains(page, ">אישור<") || !strings.Contains(page, `<html lang="he" dir="rtl">`) ||
		!strings.Contains(page, `><span lang="en" dir="ltr">Deny</span><`) {
		t.Error("a language that says little does not fall back on English, marked as such")
	}
	if page := draw("en"); !strings.Contains(page, ">Allow<") {
		t.Error("English has changed")
	}
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  []string
	}{
		"no TOML":           {file("cs.toml", "[consent]\nallow = \"Jasně\nx"), []string{"cs.toml", "line 2"}},
		"an unknown key":    {file("cs.toml", "[consent]\nalow = \"Jasně\""), []string{"cs.toml", "consent.alow"}},
		"a value unknown":   {file("cs.toml", "[consent]\nheading = \"{app} {who}\""), []string{"cs.toml", "consent.heading", "{who}", "app"}},
		"a value left out":  {file("cs.toml", "[consent]\nheading = \"Povolit?\""), []string{"cs.toml", "consent.heading", "{app}"}},
		"no sentence":       {file("cs.toml", "[consent]\nallow = 3"), []string{"cs.toml", "consent.allow"}},
		"empty":             {file("cs.toml", "[consent]\nallow = \" \""), []string{"cs.toml", "consent.allow"}},
		"an open brace":     {file("cs.toml", "[consent]\nheading = \"{app} {\""), []string{"cs.toml", "consent.heading"}},
		"turning text":      {file("cs.toml", "[consent]\nallow = \"a\\u202eb\""), []string{"cs.toml", "consent.allow"}},
		"a wrong form":      {file("cs.toml", "[sign_in]\nwait.lots = \"{seconds}\""), []string{"cs.toml", "sign_in.wait"}},
		"no form for other": {file("cs.toml", "[sign_in]\nwait.one = \"{seconds}\""), []string{"cs.toml", "sign_in.wait", "other"}},
		"no name":           {file("de.toml", "[consent]\nallow = \"Erlauben\""), []string{"de.toml", "language.name"}},
		"no direction":      {file("cs.toml", "[language]\ndir = \"up\""), []string{"cs.toml", "language.dir"}},
		"no language":       {file("klingonese.toml", ""), []string{"klingonese.toml"}},
		"another spelling":  {file("pt-br.toml", ""), []string{"pt-br.toml"}},
	} {
		err := (&Appearance{Texts: c.files}).Check()
		if symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not name %s", name, err, want)
			}
		}
	}
	if err := (&Appearance{Language: "fr"}).Check(); symbolon.KindOf(err) != symbolon.Invalid || !strings.Contains(err.Error(), "cs") {
		t.Errorf("a default without texts: %v", err)
	}
}

func FuzzTexts(f *testing.F) {
	raw, err := os.ReadFile("text/cs.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add("[consent]\nheading = \"{app}\"\nheading_growth.few = \"{app}\"\nheading_growth.other = \"{app} {app}\"")
	f.Add("[language]\ndir = \"rtl\"\n[date]\nday = \"{day}{month}{year}\"")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readLanguages(fstest.MapFS{"cs.toml": {Data: []byte(text)}})
		if err != nil {
			return
		}
		for _, lang := range all {
			for _, key := range []string{"consent.heading", "consent.heading_growth"} {
				s, err := lang.markup(key, "app", "A<b>")
				if err != nil || strings.Contains(string(s), "<b>") {
					t.Fatalf("%s in %s: %q, %v", key, lang.lang, s, err)
				}
			}
			if _, err := lang.day("2026-05-03"); err != nil {
				t.Fatal(err)
			}
			if _, err := lang.markup("sign_in.wait", "seconds", 3); err != nil {
				t.Fatal(err)
			}
		}
	})
}
