package web

import (
	"embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"text/template/parse"

	"github.com/pelletier/go-toml/v2"

	"github.com/symbolon/symbolon"
)

//go:embed text/*.toml
var textFiles embed.FS

// texts are the sentences of the pages in one language.
type texts struct {
	// lang is the BCP 47 tag for the lang attribute, dir "ltr" or "rtl".
	lang, dir string
	// sentence has the sentences by key ("consent.title"). "{name}" in one
	// stands for a value.
	sentence map[string]string
}

// readTexts reads text/<lang>.toml: tables of sentences.
func readTexts(lang string) (*texts, error) {
	raw, err := textFiles.ReadFile("text/" + lang + ".toml")
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "read texts", err)
	}
	var tables map[string]map[string]string
	if err := toml.Unmarshal(raw, &tables); err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "read texts of "+lang, err)
	}
	t := &texts{lang: lang, dir: tables["language"]["dir"], sentence: map[string]string{}}
	delete(tables, "language")
	for table, sentences := range tables {
		for key, sentence := range sentences {
			t.sentence[table+"."+key] = sentence
		}
	}
	if t.dir != "ltr" && t.dir != "rtl" {
		return nil, symbolon.Errorf(symbolon.Internal, "read texts of "+lang, "language.dir is neither ltr nor rtl")
	}
	return t, nil
}

// markup returns a sentence as HTML. What stands between backticks is code. Args are pairs of a name and a value, which
// replaces "{name}": cleaned, escaped and isolated, or as it is if it is
// template.HTML.
func (t *texts) markup(key string, args ...any) (template.HTML, error) {
	s, err := t.fill(key, func(s string) string { return string(inline(s)) }, func(v any) string {
		switch v := v.(type) {
		case template.HTML:
			return string(v)
		case int:
			return fmt.Sprint(v)
		default:
			return string(isolate(clean(fmt.Sprint(v), maxName)))
		}
	}, args)
	return template.HTML(s), err
}

// plain returns a sentence for places that take no markup, such as <title>.
func (t *texts) plain(key string, args ...any) (string, error) {
	return t.fill(key, func(s string) string { return s }, func(v any) string {
		// U+2068 and U+2069 are what <bdi> is in plain text.
		return "\u2068" + clean(fmt.Sprint(v), maxName) + "\u2069"
	}, args)
}

// fill puts the sentence of key together: outer makes its own text, inner the
// values that stand in it.
func (t *texts) fill(key string, outer func(string) string, inner func(any) string, args []any) (string, error) {
	rest, ok := t.sentence[key]
	if !ok {
		return "", symbolon.Errorf(symbolon.Internal, "page text", "no sentence %q in %s", key, t.lang)
	}
	values := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		values[fmt.Sprint(args[i])] = args[i+1]
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
		delete(values, name)
		b.WriteString(inner(value))
		rest = after
	}
	if len(values) > 0 {
		return "", symbolon.Errorf(symbolon.Internal, "page text", "%q of %s leaves out %v", key, t.lang, slices.Sorted(maps.Keys(values)))
	}
	return b.String(), nil
}

// has reports whether there is a sentence for a key that keysUsed returned.
func (t *texts) has(key string) bool {
	prefix, many := strings.CutSuffix(key, "*")
	if !many {
		_, ok := t.sentence[key]
		return ok
	}
	for k := range t.sentence {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}

// keysUsed returns the keys that a template names in calls of t and plain. Of a
// key that is put together, as in (print "play.step_" .Number), it returns the
// front with a star: "play.step_*".
func keysUsed(tree *parse.Tree) []string {
	var keys []string
	var walk func(parse.Node)
	list := func(l *parse.ListNode) {
		if l != nil {
			for _, n := range l.Nodes {
				walk(n)
			}
		}
	}
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe)
		list(b.List)
		list(b.ElseList)
	}
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			list(n)
		case *parse.ActionNode:
			walk(n.Pipe)
		case *parse.TemplateNode:
			if n.Pipe != nil {
				walk(n.Pipe)
			}
		case *parse.IfNode:
			branch(&n.BranchNode)
		case *parse.RangeNode:
			branch(&n.BranchNode)
		case *parse.WithNode:
			branch(&n.BranchNode)
		case *parse.PipeNode:
			for _, c := range n.Cmds {
				walk(c)
			}
		case *parse.CommandNode:
			if id, ok := n.Args[0].(*parse.IdentifierNode); ok && (id.Ident == "t" || id.Ident == "plain") && len(n.Args) > 1 {
				keys = append(keys, keyOf(n.Args[1])...)
			}
			for _, a := range n.Args {
				walk(a)
			}
		}
	}
	walk(tree.Root)
	return keys
}

// keyOf returns the key, or the front of the key, that the argument of t or of
// plain is.
func keyOf(arg parse.Node) []string {
	switch arg := arg.(type) {
	case *parse.StringNode:
		return []string{arg.Text}
	case *parse.PipeNode:
		if len(arg.Cmds) == 1 && len(arg.Cmds[0].Args) > 1 {
			if front, ok := arg.Cmds[0].Args[1].(*parse.StringNode); ok {
				return []string{front.Text + "*"}
			}
		}
	}
	return nil
}
