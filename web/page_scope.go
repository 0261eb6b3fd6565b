package web

import (
	"context"

	"github.com/symbolon/symbolon/admin"
)

// saidScopes is what people read of scopes, by their names.
type saidScopes map[string]*admin.Scope

// said reads what is said of scopes. An operator's word is on every node's next page, so it
// is read for each.
func (h *Handler) said(ctx context.Context) (saidScopes, error) {
	said, err := h.admin.Said(ctx)
	return said, err
}

// view is a scope for a page, with what is said of it in each language.
func (s saidScopes) view(name string, isNew bool) ScopeView {
	v := ScopeView{Name: name, New: isNew}
	if said := s[name]; said != nil {
		v.Description, v.Local = said.Description, said.Local
	}
	return v
}
