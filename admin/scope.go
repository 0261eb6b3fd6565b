package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	tags "golang.org/x/text/language"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
)

// Scope is a scope with all that people read of it.
type Scope struct {
	Name string
	// Description is the sentence in English, or empty where there is none.
	Description string
	// Local has the sentences in other languages, by their tags.
	Local map[string]string
	// Fixed is set where the sentence is of the configuration or of OpenID Connect, which
	// operators do not change; Given where it is an operator's.
	Fixed, Given bool
}

// MaxScopes bounds the sentences that operators may give, in all languages together.
const MaxScopes = 500

// maxSentence bounds a sentence of a scope, in characters.
const maxSentence = 200

// ScopeLanguage splits a name under which a sentence stands ("reports.read#cs") into that
// of the scope and the language, which may be "".
func ScopeLanguage(name string) (scope, lang string) {
	if i := strings.LastIndexByte(name, '#'); i > 0 && IsLanguage(name[i+1:]) {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// IsLanguage reports whether a text is a language's tag, in its usual spelling.
func IsLanguage(s string) bool {
	tag, err := tags.Parse(s)
	return err == nil && tag != tags.Und && tag.String() == s
}

// Said returns every scope that has a sentence, by its name. One that stands in the
// configuration is as it says there, whatever an operator said before.
func (s *Service) Said(ctx context.Context) (map[string]*Scope, error) {
	stored, err := s.Store.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	said := map[string]*Scope{}
	say := func(list []symbolon.Scope, fixed bool) {
		for _, one := range list {
			name, lang := ScopeLanguage(one.Name)
			scope := said[name]
			if scope == nil {
				scope = &Scope{Name: name, Local: map[string]string{}}
				said[name] = scope
			}
			switch {
			case lang != "" && (fixed || scope.Local[lang] == ""):
				scope.Local[lang] = one.Description
			case lang == "" && (fixed || scope.Description == ""):
				scope.Description, scope.Fixed, scope.Given = one.Description, fixed, !fixed
			}
		}
	}
	say(s.configured(), true)
	if said[symbolon.ScopeConnect] == nil {
		said[symbolon.ScopeConnect] = &Scope{Name: symbolon.ScopeConnect, Local: map[string]string{}}
	}
	say(stored, false)
	if connect := said[symbolon.ScopeConnect]; connect.Description == "" {
		connect.Description = "allows connection to resources"
	}
	return said, nil
}

// configured are the scopes of the configuration, and those of OpenID Connect that it says
// nothing of.
func (s *Service) configured() []symbolon.Scope {
	list := slices.Clone(s.Scopes)
	for _, own := range oidc.Scopes {
		if !slices.ContainsFunc(list, func(o symbolon.Scope) bool { return o.Name == own.Name }) {
			list = append(list, own)
		}
	}
	return list
}

// Offered are the scopes that an owner may give an app: those that the consent page has
// a sentence for, connect first. Those of the admin API are given by operators.
func (s *Service) Offered(ctx context.Context) ([]Scope, error) {
	said, err := s.Said(ctx)
	if err != nil {
		return nil, err
	}
	configured := s.configured()
	place := func(scope *Scope) int { // what operators added comes last
		i := slices.IndexFunc(configured, func(o symbolon.Scope) bool { return o.Name == scope.Name })
		switch {
		case scope.Name == symbolon.ScopeConnect:
			return -1
		case i >= 0:
			return i
		}
		return len(configured)
	}
	list := []Scope{}
	for _, scope := range said {
		if scope.Description != "" && !oauth.IsAdminScope(scope.Name) {
			list = append(list, *scope)
		}
	}
	slices.SortFunc(list, func(a, b Scope) int { return cmp.Or(place(&a)-place(&b), cmp.Compare(a.Name, b.Name)) })
	return list, nil
}

// SetScope has the consent page say something of a scope, which owners may give their
// apps from then on. It replaces what an operator said before, in every language.
func (s *Service) SetScope(ctx context.Context, who Actor, scope Scope) error {
	if !who.Operator {
		return denied("only an operator says what scopes mean")
	}
	if err := s.settable(scope.Name); err != nil {
		return err
	}
	if err := checkSentence(scope.Description); err != nil {
		return err
	}
	for _, lang := range slices.Sorted(maps.Keys(scope.Local)) {
		if !IsLanguage(lang) || lang == "en" {
			return mend(fault("%q is no language's tag beside English", printable(lang)), "write it as cs or pt-BR")
		}
		if err := checkSentence(scope.Local[lang]); err != nil {
			return err
		}
	}
	stored, err := s.Store.Scopes(ctx)
	if err != nil {
		return err
	}
	if len(stored)+1+len(scope.Local) > MaxScopes {
		return fault("there are %d sentences of scopes already, and at most %d", len(stored), MaxScopes)
	}
	for _, old := range stored {
		if name, lang := ScopeLanguage(old.Name); name == scope.Name && lang != "" && scope.Local[lang] == "" {
			if err := s.Store.PutScope(ctx, symbolon.Scope{Name: old.Name}); err != nil {
				return err
			}
		}
	}
	for lang, sentence := range scope.Local {
		if err := s.Store.PutScope(ctx, symbolon.Scope{Name: scope.Name + "#" + lang, Description: sentence}); err != nil {
			return err
		}
	}
	return s.Store.PutScope(ctx, symbolon.Scope{Name: scope.Name, Description: scope.Description})
}

// RemoveScope takes away what operators said of a scope. Apps that have the scope keep it;
// owners can give it to no other.
func (s *Service) RemoveScope(ctx context.Context, who Actor, name string) error {
	if !who.Operator {
		return denied("only an operator says what scopes mean")
	}
	stored, err := s.Store.Scopes(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, old := range stored {
		if of, _ := ScopeLanguage(old.Name); of == name {
			found = true
			if err := s.Store.PutScope(ctx, symbolon.Scope{Name: old.Name}); err != nil {
				return err
			}
		}
	}
	if found {
		return nil
	}
	if err := s.settable(name); err != nil {
		return err
	}
	return &Fault{Kind: symbolon.NotFound, Says: fmt.Sprintf("no operator said anything of the scope %q", printable(name)), Hint: "“symbolon scope list” shows them all"}
}

// settable refuses a name of which an operator has no say.
func (s *Service) settable(name string) error {
	names, err := symbolon.ParseScopes(name)
	_, lang := ScopeLanguage(name)
	switch {
	case err != nil || !slices.Equal(names, symbolon.Scopes{name}) || lang != "" || len(name) > 100:
		return mend(fault("%q is not the name of one scope", printable(name)), "a name has no spaces and no quotes, and at most 100 characters, such as files.read")
	case oauth.IsAdminScope(name):
		return denied("the scope %s is this server's own", name)
	case slices.ContainsFunc(s.configured(), func(o symbolon.Scope) bool { return o.Name == name }):
		return &Fault{Kind: symbolon.Conflict, Says: fmt.Sprintf("the sentence of %s stands in the configuration", name), Hint: "change it there, or take it out and give the scope one here"}
	}
	return nil
}

// checkSentence reports whether people may read a sentence about a scope.
func checkSentence(text string) error {
	switch {
	case !utf8.ValidString(text) || strings.TrimSpace(text) == "" || strings.TrimSpace(text) != text:
		return mend(fault("the sentence of the scope is empty, or begins or ends with a space"), "say what the app may do, such as “see your files”")
	case utf8.RuneCountInString(text) > maxSentence || len(text) > 500:
		return fault("the sentence of the scope has more than %d characters", maxSentence)
	case strings.ContainsFunc(text, Unfit):
		return fault("the sentence of the scope has control characters, or characters that change the direction of text")
	}
	return nil
}
