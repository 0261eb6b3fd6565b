package web

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"

	"github.com/symbolon/symbolon"
)

//go:embed text/*.toml
var textFiles embed.FS

// firstLanguage is the one that is always whole, and fallen back on.
const firstLanguage = "en"

// maxTextFile bounds a file of texts, in bytes.
const maxTextFile = 1 << 20

// builtIn reads every file of text/, English first.
var builtIn = sync.OnceValues(func() ([]*texts, error) {
	english, err := readTexts(textFiles, "text/"+firstLanguage+".toml")
	if err != nil {
		return nil, err
	}
	all := map[string]*texts{firstLanguage: english}
	err = readMore(all, textFiles, "text", "")
	return inOrder(all), err
})

// readLanguages returns the languages of text/ and those of extra, which is nil or holds
// files of the same kind: one of a language that is there replaces single sentences, any
// other adds a language. English comes first, the others by their tags.
func readLanguages(extra fs.FS) ([]*texts, error) {
	own, err := builtIn()
	if err != nil {
		return nil, err
	}
	all := map[string]*texts{}
	for _, t := range own { // English is the first
		t = t.clone()
		if t.fallback != nil {
			t.fallback = all[firstLanguage]
		}
		all[t.lang] = t
	}
	if extra != nil {
		if err := readMore(all, extra, ".", "the texts’ directory: "); err != nil {
			return nil, err
		}
	}
	return inOrder(all), nil
}

// readMore reads every file of a directory but ours of English, and puts it over or
// beside those that there are.
func readMore(all map[string]*texts, files fs.FS, dir, where string) error {
	names, err := fs.Glob(files, path.Join(dir, "*.toml"))
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, "read texts", err)
	}
	english := all[firstLanguage]
	for _, name := range names {
		if files == fs.FS(textFiles) && name == "text/"+firstLanguage+".toml" {
			continue
		}
		t, err := readTexts(files, name)
		if err == nil {
			err = t.fits(english)
		}
		if err == nil {
			err = add(all, t, english)
		}
		if err != nil {
			return symbolon.Errorf(symbolon.Invalid, "texts", "%s%s: %s", where, name, plainly(err))
		}
	}
	return nil
}

func inOrder(all map[string]*texts) []*texts {
	return slices.SortedFunc(maps.Values(all), func(a, b *texts) int {
		return cmp.Or(-boolInt(a.lang == firstLanguage)+boolInt(b.lang == firstLanguage), cmp.Compare(a.lang, b.lang))
	})
}

// clone returns a copy to which sentences may be added.
func (t *texts) clone() *texts {
	c := *t
	c.sentence, c.plural = maps.Clone(t.sentence), maps.Clone(t.plural)
	return &c
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// plainly is an error without the kind in front, which only this program is told.
func plainly(err error) string {
	if e, ok := errors.AsType[*symbolon.Error](err); ok && e.Err == nil {
		return e.Detail
	}
	return err.Error()
}

// add puts a file's sentences over those of its language, or beside the others.
func add(all map[string]*texts, t, english *texts) error {
	old := all[t.lang]
	if old == nil {
		if t.name == "" {
			return fmt.Errorf("language.name is missing: what the language calls itself")
		}
		t.fallback = english
		all[t.lang] = t
		return nil
	}
	for key, sentence := range t.sentence {
		old.sentence[key] = sentence
		delete(old.plural, key)
		if forms := t.plural[key]; forms != nil {
			old.plural[key] = forms
		}
	}
	if t.name != "" {
		old.name = t.name
	}
	return nil
}

// fits reports what makes a file of texts unfit to stand in for the English one.
func (t *texts) fits(english *texts) error {
	for _, key := range slices.Sorted(maps.Keys(t.sentence)) {
		model, ok := english.sentence[key]
		if !ok {
			return fmt.Errorf("%s: there is no such sentence", key)
		}
		want := valuesIn(model)
		for _, form := range append(slices.Collect(maps.Values(t.plural[key])), t.sentence[key]) {
			for _, name := range valuesIn(form) {
				if !slices.Contains(want, name) {
					return fmt.Errorf("%s: there is no value {%s} for this sentence; those there are: %v", key, name, want)
				}
			}
		}
		for _, name := range want {
			if !slices.Contains(valuesIn(t.sentence[key]), name) {
				return fmt.Errorf("%s: the value {%s} is left out", key, name)
			}
		}
	}
	return nil
}

// readTexts reads a file of tables of sentences, whose name is the language's tag.
func readTexts(files fs.FS, name string) (*texts, error) {
	lang := strings.TrimSuffix(path.Base(name), ".toml")
	tag, err := language.Parse(lang)
	if err != nil || tag == language.Und || tag.String() != lang {
		return nil, symbolon.Errorf(symbolon.Invalid, "read texts", "the file is to be named by a language’s tag, such as cs.toml or pt-BR.toml")
	}
	if info, err := fs.Stat(files, name); err != nil || info.Size() > maxTextFile {
		return nil, symbolon.Errorf(symbolon.Invalid, "read texts", "the file cannot be read, or is larger than 1 MiB")
	}
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "read texts", err)
	}
	t := &texts{lang: lang, tag: tag, dir: direction(tag), sentence: map[string]string{}, plural: map[string]map[string]string{}}
	return t, t.parse(raw)
}

// parse reads a file's text.
func (t *texts) parse(raw []byte) error {
	var tables map[string]map[string]any
	if err := toml.Unmarshal(raw, &tables); err != nil {
		text := err.Error()
		if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, _ := wrong.Position()
			text = fmt.Sprintf("line %d (%s): %s", row, strings.Join(wrong.Key(), "."), text)
		}
		return symbolon.Errorf(symbolon.Invalid, "read texts", "not tables of sentences: %s", text)
	}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		for _, key := range slices.Sorted(maps.Keys(tables[table])) {
			if err := t.put(table, key, tables[table][key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// put takes one sentence of a file.
func (t *texts) put(table, key string, value any) error {
	full := table + "." + key
	broken := func(why string) error {
		return symbolon.Errorf(symbolon.Invalid, "read texts", "%s: %s", full, why)
	}
	if forms, ok := value.(map[string]any); ok && table != "language" {
		t.plural[full] = map[string]string{}
		for form, v := range forms {
			s, ok := v.(string)
			if !ok || !slices.Contains(slices.Collect(maps.Values(categories)), form) || !sound(s) {
				return broken(form + " is no sentence; the forms are zero, one, two, few, many and other")
			}
			t.plural[full][form] = t.tie(s)
		}
		value = t.plural[full]["other"]
	}
	s, ok := value.(string)
	line := s
	if table == "mail" && !strings.HasSuffix(key, "_subject") { // a letter has lines
		line = strings.ReplaceAll(s, "\n", " ")
	}
	switch {
	case !ok || !sound(line):
		return broken("it is to be a sentence, without control characters and with each { closed, or forms of one by number, of which one is “other”")
	case full == "language.dir":
		if s != "ltr" && s != "rtl" {
			return broken("it is to be ltr or rtl")
		}
		t.dir = s
	case full == "language.name":
		t.name = s
	case table == "language":
		return broken("there is no such setting of a language; there are name and dir")
	default:
		t.sentence[full] = t.tie(s)
	}
	return nil
}

// oneLetter are the languages in which no line may end with a word of one letter, and
// oneLetterWord is such a word with the space behind it.
var (
	oneLetter     = []string{"cs", "pl", "sk"}
	oneLetterWord = regexp.MustCompile(`(^|[ \x{a0}(„])(\pL) `)
)

// tie keeps words of one letter on the line of the next word, where that is the custom.
func (t *texts) tie(s string) string {
	if base, _ := t.tag.Base(); slices.Contains(oneLetter, base.String()) {
		return oneLetterWord.ReplaceAllString(s, "$1$2\u00a0")
	}
	return s
}

// sound reports whether a sentence may stand on a page.
func sound(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= 4<<10 && strings.Count(s, "{") == len(valuesIn(s)) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.Is(unicode.Cc, r) || hidden(r) && r != '\u200e' && r != '\u200f' && r != '\u00ad'
	})
}

// direction is that of the script in which a language is written.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Adlm", "Arab", "Aran", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi":
		return "rtl"
	}
	return "ltr"
}
