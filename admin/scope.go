package admin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	tags "golang.org/x/text/language"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
)

// Scope is a scope with all that people read of it.
type Scope struct {
	symbolon.Scope
	// From is FromServer, FromConfiguration or FromOperator.
	From string
	// Fixed is set where operators have no say.
	Fixed bool
}

// Whose word a scope's sentences are.
const (
	// FromServer is what comes with the program.
	FromServer = "server"
	// FromConfiguration is what stands in the configuration.
	FromConfiguration = "configuration"
	// FromOperator is what an operator said while the server runs.
	FromOperator = "operator"
)

// MaxScopes bounds the scopes to which operators may give sentences.
const MaxScopes = 500

// maxSentence bounds a sentence of a scope, in characters.
const maxSentence = 200

// own are the scopes that come with the program. Of connect an operator may say something
// else; of the others only the configuration.
func own() []Scope {
	list := []Scope{
		{Scope: symbolon.Scope{Name: symbolon.ScopeConnect, Description: "allows connection to resources"}, From: FromServer},
		{Scope: symbolon.Scope{Name: oauth.ScopeAdmin, Description: "rule this server as you may: every app, every account and every connection"}, From: FromServer, Fixed: true},
		{Scope: symbolon.Scope{Name: oauth.ScopeApps, Description: "manage the apps that you own: change them, make secrets of them, end their connections"}, From: FromServer, Fixed: true},
	}
	for _, scope := range oidc.Scopes {
		list = append(list, Scope{Scope: scope, From: FromServer, Fixed: true})
	}
	return list
}

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
// configuration is as it says there, in every language, whatever an operator said.
func (s *Service) Said(ctx context.Context) (map[string]*Scope, error) {
	stored, err := s.Store.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	said := map[string]*Scope{}
	for _, scope := range own() {
		said[scope.Name] = &scope
	}
	for _, scope := range stored {
		if old := said[scope.Name]; old == nil || !old.Fixed {
			said[scope.Name] = &Scope{Scope: scope, From: FromOperator}
		}
	}
	for _, scope := range s.Scopes {
		if _, lang := ScopeLanguage(scope.Name); lang != "" || oauth.IsAdminScope(scope.Name) {
			continue
		}
		// A sentence of ours that only comes by way of the configuration is ours still.
		if old := said[scope.Name]; old == nil || old.Description != scope.Description || !old.Fixed {
			said[scope.Name] = &Scope{Scope: symbolon.Scope{Name: scope.Name, Description: scope.Description}, From: FromConfiguration, Fixed: true}
		}
	}
	for _, scope := range s.Scopes {
		name, lang := ScopeLanguage(scope.Name)
		of := said[name]
		if lang == "" || of == nil || of.From == FromOperator {
			continue
		}
		if of.Local == nil {
			of.Local = map[string]string{}
		}
		of.Local[lang] = scope.Description
	}
	return said, nil
}

// Offered are the scopes that an owner may give an app: those that the consent page has
// a sentence for, connect first and what operators added last. Those of the admin API are
// given by operators.
func (s *Service) Offered(ctx context.Context) ([]Scope, error) {
	said, err := s.Said(ctx)
	return OfferedOf(said), err
}

// OfferedOf is Offered of what Said returned.
func OfferedOf(said map[string]*Scope) []Scope {
	place := func(scope *Scope) int {
		switch {
		case scope.Name == symbolon.ScopeConnect:
			return 0
		case scope.From == FromConfiguration:
			return 1
		case scope.From == FromServer:
			return 2 + slices.IndexFunc(oidc.Scopes, func(o symbolon.Scope) bool { return o.Name == scope.Name })
		}
		return 2 + len(oidc.Scopes)
	}
	list := []Scope{}
	for _, scope := range said {
		if !oauth.IsAdminScope(scope.Name) {
			list = append(list, *scope)
		}
	}
	slices.SortFunc(list, func(a, b Scope) int { return cmp.Or(place(&a)-place(&b), cmp.Compare(a.Name, b.Name)) })
	return list
}

// Tag stands for what an operator said of the scope, as an ETag: NoScopeTag where none
// said anything.
func (s *Scope) Tag() string {
	if s.From != FromOperator {
		return NoScopeTag
	}
	return ScopeTag(&s.Scope)
}

// NoScopeTag stands for nothing being said of a scope by an operator.
const NoScopeTag = "none"

// ScopeTag stands for sentences that an operator gives a scope.
func ScopeTag(scope *symbolon.Scope) string {
	if scope.Description == "" {
		return NoScopeTag
	}
	sum := sha256.Sum256([]byte(scope.Description + "\x00" + scope.EncodeLocal()))
	return hex.EncodeToString(sum[:8])
}

// given returns what an operator said of a scope, also of one that stands in the
// configuration by now; nothing but the name where none did.
func (s *Service) given(ctx context.Context, name string) (symbolon.Scope, error) {
	stored, err := s.Store.Scopes(ctx)
	if err != nil {
		return symbolon.Scope{}, err
	}
	if i := slices.IndexFunc(stored, func(o symbolon.Scope) bool { return o.Name == name }); i >= 0 {
		return stored[i], nil
	}
	return symbolon.Scope{Name: name}, nil
}

// SetScope has the consent page say something of a scope, which owners may give their
// apps from then on. It replaces what an operator said before, in every language; with a
// tag, only what that stands for.
func (s *Service) SetScope(ctx context.Context, who Actor, tag string, scope symbolon.Scope) error {
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
	if len(scope.Local) > 40 {
		return fault("a scope has sentences in at most 40 other languages")
	}
	stored, err := s.Store.Scopes(ctx)
	if err != nil {
		return err
	}
	was := symbolon.Scope{Name: scope.Name}
	if i := slices.IndexFunc(stored, func(o symbolon.Scope) bool { return o.Name == scope.Name }); i >= 0 {
		was = stored[i]
	} else if len(stored) >= MaxScopes {
		return fault("operators said something of %d scopes already, which is the most", len(stored))
	}
	return s.putScope(ctx, tag, was, scope)
}

// RemoveScope takes away what operators said of a scope; with a tag, only what that stands
// for. Apps that have the scope keep it; owners can give it to no other.
func (s *Service) RemoveScope(ctx context.Context, who Actor, tag, name string) error {
	if !who.Operator {
		return denied("only an operator says what scopes mean")
	}
	was, err := s.given(ctx, name)
	if err != nil {
		return err
	}
	if was.Description != "" {
		return s.putScope(ctx, tag, was, symbolon.Scope{Name: name})
	}
	if err := s.settable(name); err != nil {
		return err
	}
	return &Fault{Kind: symbolon.NotFound, Says: fmt.Sprintf("no operator said anything of the scope %q", printable(name)), Hint: "“symbolon scope list” shows them all"}
}

func (s *Service) putScope(ctx context.Context, tag string, was, scope symbolon.Scope) error {
	changed := &Fault{Kind: symbolon.Conflict, Says: fmt.Sprintf("something else is said of the scope %s now", scope.Name), Hint: "look at it again"}
	if tag != "" && tag != ScopeTag(&was) {
		return changed
	}
	err := s.Store.PutScope(ctx, was, scope)
	if err != nil && symbolon.KindOf(err) == symbolon.Conflict {
		return changed
	}
	return err
}

// settable refuses a name of which an operator has no say.
func (s *Service) settable(name string) error {
	names, err := symbolon.ParseScopes(name)
	_, lang := ScopeLanguage(name)
	named := func(o symbolon.Scope) bool { return o.Name == name }
	switch {
	case err != nil || !slices.Equal(names, symbolon.Scopes{name}) || lang != "" || name[0] == '-' || len(name) > 100:
		return mend(fault("%q is not the name of one scope", printable(name)), "a name has no spaces and no quotes, and at most 100 characters, such as files.read")
	case oauth.IsAdminScope(name), name == oauth.ScopeOffline:
		return denied("the scope %s is this server's own", name)
	case slices.ContainsFunc(oidc.Scopes, named):
		return &Fault{Kind: symbolon.Conflict, Says: fmt.Sprintf("the scope %s is of OpenID Connect", name), Hint: "[scopes] in the configuration may give it another sentence"}
	case slices.ContainsFunc(s.Scopes, named):
		return &Fault{Kind: symbolon.Conflict, Says: fmt.Sprintf("the sentence of %s stands in the configuration", name), Hint: "change it there, or take it out and give the scope one here"}
	}
	return nil
}

// Explained reports whether the consent page has something to say of a scope.
func Explained(said map[string]*Scope, name string) bool {
	return said[name] != nil || name == oauth.ScopeOffline
}

// checkSentence reports whether people may read a sentence about a scope.
func checkSentence(text string) error {
	switch {
	case !utf8.ValidString(text) || strings.TrimSpace(text) == "" || strings.TrimSpace(text) != text:
		return mend(fault("the sentence of the scope is empty, or begins or ends with a space"), "say what the app may do, such as “see your files”")
	case !strings.ContainsFunc(text, seen):
		return fault("the sentence of the scope has no letter")
	case utf8.RuneCountInString(text) > maxSentence || len(text) > 500:
		return fault("the sentence of the scope has more than %d characters", maxSentence)
	case strings.ContainsFunc(text, Unfit):
		return fault("the sentence of the scope has control characters, or characters that change the direction of text")
	}
	return nil
}

// seen reports whether a character is one that people read: a letter or a number, and not
// one of the letters that show as nothing.
func seen(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsNumber(r)) && !strings.ContainsRune("\u115f\u1160\u3164\uffa0", r)
}
