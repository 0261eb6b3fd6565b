package web

import (
	"context"

	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
)

// saidOfScopes is what people read of scopes, by their names.
type saidOfScopes map[string]*admin.Scope

// saidOfScopes reads what is said of scopes: by the configuration, by operators, and by
// ourselves. An operator's word is on every node's next page, so it is read for each.
func (h *Handler) saidOfScopes(ctx context.Context) (saidOfScopes, error) {
	said, err := h.admin.Said(ctx)
	if err != nil {
		return nil, err
	}
	for name, sentence := range map[string]string{oauth.ScopeAdmin: adminSentence, oauth.ScopeApps: appsSentence} {
		said[name] = &admin.Scope{Name: name, Description: sentence, Fixed: true}
	}
	return said, nil
}

// view is a scope for a page, with what was said of it in each language.
func (s saidOfScopes) view(name string, isNew bool) ScopeView {
	v := ScopeView{Name: name, New: isNew}
	if said := s[name]; said != nil {
		v.Description, v.Local = said.Description, said.Local
	}
	return v
}
