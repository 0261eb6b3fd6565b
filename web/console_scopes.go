package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// consoleScopesPage shows operators the scopes and the settings in force. The settings
// stand in the configuration, which is changed there.
func (h *Handler) consoleScopesPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.operatorVisit(w, r, ev)
	if v == nil {
		return err
	}
	said, err := h.admin.Said(r.Context())
	if err != nil {
		return err
	}
	typed := typedScope{tag: admin.NoScopeTag}
	if old := said[v.query.First("name")]; old != nil && !old.Fixed {
		typed = typedScope{old.Scope, old.Tag()}
	}
	return h.showScopes(w, r, ev, v, said, &typed, nil, http.StatusOK)
}

// typedScope is what the form of a scope holds, with a tag for what was said of it when
// the form was first shown.
type typedScope struct {
	symbolon.Scope
	tag string
}

// showScopes shows the page, with a scope in the form.
func (h *Handler) showScopes(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, said map[string]*admin.Scope, scope *typedScope, problems []string, status int) error {
	p := &ConsoleScopesPage{ConsoleFrame: h.frame(v, "scopes"), Problems: problems, Name: scope.Name, Sentence: scope.Description, Tag: scope.tag, Old: scope.tag != admin.NoScopeTag}
	for _, s := range admin.OfferedOf(said) {
		row := ScopeRow{ScopeView: scopeView(said, s.Name, false)}
		if !s.Fixed {
			row.Address = consoleSetup + "?" + url.Values{"name": {s.Name}}.Encode()
		}
		p.Scopes = append(p.Scopes, row)
	}
	for _, t := range h.Pages.speech.all {
		if t.lang != firstLanguage {
			p.Others = append(p.Others, LocalSentence{t.lang, t.name, scope.Local[t.lang]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Settings)) {
		p.Settings = append(p.Settings, SettingRow{Name: name, Value: h.Settings[name]})
	}
	var err error
	if p.Flow, err = h.formFlow(w, r, v); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

// consoleSetScope gives a scope its sentence, or takes it away.
func (h *Handler) consoleSetScope(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.operatorVisit(w, r, ev)
	if v == nil {
		return err
	}
	if ok, err := h.mayRisk(w, r, ev, v); !ok {
		return err
	}
	scope := &typedScope{symbolon.Scope{Name: strings.TrimSpace(v.form.First("name")), Description: strings.TrimSpace(v.form.First("sentence")), Local: map[string]string{}}, v.form.First("tag")}
	said, err := h.admin.Said(r.Context())
	if err != nil {
		return err
	}
	if old := said[scope.Name]; old != nil { // the form has no field for a language that is not spoken here
		maps.Copy(scope.Local, old.Local)
	}
	for _, t := range h.Pages.speech.all {
		delete(scope.Local, t.lang)
		if text := strings.TrimSpace(v.form.First("sentence_" + t.lang)); text != "" && t.lang != firstLanguage {
			scope.Local[t.lang] = text
		}
	}
	tag := cmp.Or(scope.tag, "missing") // which nothing has
	remove := v.form.First("action") == "remove"
	if remove {
		err = h.admin.RemoveScope(r.Context(), v.who, tag, scope.Name)
	} else {
		err = h.admin.SetScope(r.Context(), v.who, tag, scope.Scope)
	}
	if err != nil {
		problems, status, err := problemsOf(err)
		if err != nil {
			return consoleError(err)
		}
		return h.showScopes(w, r, ev, v, said, scope, problems, status)
	}
	ev.detail = "a scope was given a sentence in the console: " + scope.Name
	if remove {
		ev.detail = "the sentence of a scope was taken away in the console: " + scope.Name
	}
	return h.redirect(w, r, ev, consoleSetup)
}
