package web

import "github.com/symbolon/symbolon/admin"

// scopeView is a scope for a page, with what is said of it in each language: by an operator,
// whose word is on every node's next page, so that it is read for each (see admin.Said).
func scopeView(said map[string]*admin.Scope, name string, isNew bool) ScopeView {
	v := ScopeView{Name: name, New: isNew}
	if said := said[name]; said != nil {
		v.Description, v.Local = said.Description, said.Local
	}
	return v
}
