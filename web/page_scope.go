package web

import (
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// readScopes takes the sentences of scopes. "reports.read#cs" is that of reports.read in
// Czech (as RFC 7591 §2.2 names what is in a language).
func (h *Handler) readScopes(scopes []symbolon.Scope) {
	h.translated = map[string]map[string]string{}
	for _, s := range scopes {
		name, lang := ScopeLanguage(s.Name)
		if lang == "" {
			h.scopes[s.Name] = s.Description
			continue
		}
		if h.translated[name] == nil {
			h.translated[name] = map[string]string{}
		}
		h.translated[name][lang] = s.Description
	}
}

// ScopeLanguage splits a name under which a sentence stands into that of the scope and
// the language, which may be "".
func ScopeLanguage(name string) (scope, lang string) {
	if i := strings.LastIndexByte(name, '#'); i > 0 && isLanguage(name[i+1:]) {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// offered is a scope that the console offers, with what was said of it in each language.
func (h *Handler) offered(s *symbolon.Scope) ScopeView {
	return ScopeView{Name: s.Name, Description: s.Description, Local: h.translated[s.Name]}
}

// spoken are the scopes that there are, without the names of their sentences in other
// languages, which are none.
func (h *Handler) spoken() []symbolon.Scope {
	return slices.DeleteFunc(slices.Clone(h.Scopes), func(s symbolon.Scope) bool {
		_, lang := ScopeLanguage(s.Name)
		return lang != ""
	})
}

// scopeView is a scope for a page, with what was said of it in each language.
func (h *Handler) scopeView(name string, isNew bool) ScopeView {
	return ScopeView{Name: name, Description: h.scopes[name], Local: h.translated[name], New: isNew}
}
