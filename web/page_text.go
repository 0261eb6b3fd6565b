package web

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/symbolon/symbolon"
)

// texts are the sentences of the pages in one language.
type texts struct {
	// lang is the BCP 47 tag for the lang attribute, dir "ltr" or "rtl".
	lang, dir string
	tag       language.Tag
	// name is what the language calls itself.
	name string
	// sentence has the sentences by key ("consent.title"). "{name}" in one
	// stands for a value.
	sentence map[string]string
	// plural has those that differ by a number, by its CLDR category ("one", "few"); the
	// one for "other" is in sentence as well.
	plural map[string]map[string]string
	// fallback has the sentences that are missing here; nil in English.
	fallback *texts
}

// markup returns a sentence as HTML. What stands between backticks is code. Args are pairs of a name and a value, which
// replaces "{name}": cleaned, escaped and isolated, or as it is if it is
// template.HTML. A value named "day" that is a date is written out. The first value
// that is an int chooses the plural.
func (t *texts) markup(key string, args ...any) (template.HTML, error) {
	if t.lacks(key) {
		s, err := t.fallback.markup(key, args...)
		return template.HTML(`<span lang="` + t.fallback.lang + `" dir="` + t.fallback.dir + `">` + string(s) + `</span>`), err
	}
	s, err := t.fill(key, func(s string) string { return string(inline(s)) }, func(name string, v any) (string, error) {
		switch v := v.(type) {
		case template.HTML:
			return string(v), nil
		case int:
			return fmt.Sprint(v), nil
		}
		if text := fmt.Sprint(v); name == "day" && isDay(text) {
			s, err := t.day(text)
			return string(s), err
		}
		return string(isolate(clean(fmt.Sprint(v), maxName))), nil
	}, args)
	return template.HTML(s), err
}

// plain returns a sentence for places that take no markup, such as <title>.
func (t *texts) plain(key string, args ...any) (string, error) {
	if t.lacks(key) {
		return t.fallback.plain(key, args...)
	}
	return t.fill(key, func(s string) string { return s }, func(name string, v any) (string, error) {
		text := fmt.Sprint(v)
		if name == "day" && isDay(text) {
			return t.plainDay(text)
		}
		// U+2068 and U+2069 are what <bdi> is in plain text.
		return "\u2068" + clean(text, maxName) + "\u2069", nil
	}, args)
}

func (t *texts) lacks(key string) bool {
	_, ok := t.sentence[key]
	return !ok && t.fallback != nil
}

// said returns a sentence that a handler chose, by its key, as HTML; what is no key is
// text from elsewhere and stands as it is.
func (t *texts) said(s string) (template.HTML, error) {
	if t.known(s) {
		return t.markup(s)
	}
	return isolate(clean(s, maxSentence)), nil
}

// english is said for what the engine and package admin say to developers, in English: what
// is no key is marked as such, for screen readers and for pages in another language.
func (t *texts) english(s string) (template.HTML, error) {
	if t.known(s) {
		return t.markup(s)
	}
	text := isolate(clean(s, maxSentence))
	if t.fallback == nil {
		return text, nil
	}
	return `<span lang="en" dir="ltr">` + text + `</span>`, nil
}

// moment writes a time out, in UTC.
func (t *texts) moment(m Moment) (template.HTML, error) {
	return t.markup("account.moment", "day", m.Day, "clock", m.Clock)
}

// scope says what a scope allows; "" when nobody said it.
func (t *texts) scope(s ScopeView) (template.HTML, error) {
	tag := t.tag
	for ; tag != language.Und; tag = tag.Parent() {
		if text := s.Local[tag.String()]; text != "" {
			return isolate(clean(text, maxSentence)), nil
		}
	}
	if key := "scope." + s.Name; t.isOwn(key, s.Description) {
		own, err := t.markup(key)
		return "<bdi>" + own + "</bdi>", err
	}
	if s.Description == "" {
		return "", nil
	}
	return isolate(clean(s.Description, maxSentence)), nil
}

// isOwn reports whether a sentence is the English one of a key, which has translations.
func (t *texts) isOwn(key, sentence string) bool {
	for t.fallback != nil {
		t = t.fallback
	}
	own, ok := t.sentence[key]
	return ok && own == sentence
}

// headline is said for <title>.
func (t *texts) headline(s string) (string, error) {
	if t.known(s) {
		return t.plain(s)
	}
	return clean(s, maxName), nil
}

// known reports whether there is a sentence for a key, here or to fall back on.
func (t *texts) known(key string) bool {
	for ; t != nil; t = t.fallback {
		if _, ok := t.sentence[key]; ok {
			return true
		}
	}
	return false
}

// dayForm is how a day is handed to a page, which writes it in its own language.
const dayForm = time.DateOnly

func isDay(s string) bool {
	_, err := time.Parse(dayForm, s)
	return err == nil
}

// day writes a date out: 2026-05-03 as "3 May 2026".
func (t *texts) day(s string) (template.HTML, error) {
	text, err := t.plainDay(s)
	return template.HTML(`<time datetime="` + template.HTMLEscapeString(s) + `">` + template.HTMLEscapeString(text) + `</time>`), err
}

func (t *texts) plainDay(s string) (string, error) {
	day, err := time.Parse(dayForm, s)
	if err != nil {
		return s, nil
	}
	if t.lacks("date.day") {
		return t.fallback.plainDay(s)
	}
	as := func(s string) string { return s }
	month, err := t.plain(fmt.Sprint("date.month_", int(day.Month())))
	if err != nil {
		return "", err
	}
	return t.fill("date.day", as, func(_ string, v any) (string, error) { return fmt.Sprint(v), nil },
		[]any{"day", fmt.Sprint(day.Day()), "month", month, "year", fmt.Sprint(day.Year())})
}

// fill puts the sentence of key together: outer makes its own text, inner the
// values that stand in it.
func (t *texts) fill(key string, outer func(string) string, inner func(string, any) (string, error), args []any) (string, error) {
	rest, ok := t.sentence[key]
	if !ok {
		return "", symbolon.Errorf(symbolon.Internal, "page text", "no sentence %q in %s", key, t.lang)
	}
	values := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		values[fmt.Sprint(args[i])] = args[i+1]
	}
	counted := ""
	if forms := t.plural[key]; forms != nil {
		for i := 0; i+1 < len(args); i += 2 {
			if n, ok := args[i+1].(int); ok {
				counted = fmt.Sprint(args[i])
				if form, ok := forms[category(t.tag, n)]; ok {
					rest = form
				}
				break
			}
		}
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(rest, "{")
		b.WriteString(outer(before))
		if !ok {
			break
		}
		name, after, ok := strings.Cut(after, "}")
		value, known := values[name]
		if !ok || !known {
			return "", symbolon.Errorf(symbolon.Internal, "page text", "%q of %s has a value %q that no one gives", key, t.lang, name)
		}
		text, err := inner(name, value)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		rest = after
	}
	for _, used := range valuesIn(t.sentence[key]) {
		delete(values, used)
	}
	delete(values, counted) // "one is left" says it without
	if len(values) > 0 {
		return "", symbolon.Errorf(symbolon.Internal, "page text", "%q of %s leaves out %v", key, t.lang, slices.Sorted(maps.Keys(values)))
	}
	return b.String(), nil
}

// categories are those of CLDR's plural rules, as they are named in the files.
var categories = map[plural.Form]string{plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}

// category returns the plural category of a number in a language.
func category(tag language.Tag, n int) string {
	const many = 10_000_000 // from here on only the last digits count
	if n = max(n, -n); n >= many {
		n = n%many + many
	}
	return categories[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]
}

// valuesIn returns the names of the values in a sentence, in their order.
func valuesIn(sentence string) []string {
	var names []string
	for {
		_, after, ok := strings.Cut(sentence, "{")
		if !ok {
			return names
		}
		name, after, ok := strings.Cut(after, "}")
		if !ok {
			return names
		}
		names, sentence = append(names, name), after
	}
}

// has reports whether there is a sentence for a key that keysUsed returned.
func (t *texts) has(key string) bool {
	for ; t != nil; t = t.fallback {
		prefix, many := strings.CutSuffix(key, "*")
		if _, ok := t.sentence[key]; ok && !many {
			return true
		}
		for k := range t.sentence {
			if many && strings.HasPrefix(k, prefix) {
				return true
			}
		}
	}
	return false
}
