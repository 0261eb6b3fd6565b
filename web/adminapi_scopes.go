package web

import (
	"context"
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// scopeBody is a scope in the admin API.
type scopeBody struct {
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	Translations map[string]string `json:"translations,omitempty"`
}

type scopeAnswer struct {
	scopeBody
	// From is as in admin.Scope; Fixed: operators have no say.
	From  string `json:"from"`
	Fixed bool   `json:"fixed"`
}

func viewScope(s *admin.Scope) scopeAnswer {
	return scopeAnswer{scopeBody{s.Name, s.Description, s.Local}, s.From, s.Fixed}
}

type scopesAnswer struct {
	Scopes []scopeAnswer `json:"scopes"`
}

func (h *Handler) adminScopes(ctx context.Context, _ *adminRequest) (any, error) {
	offered, err := h.admin.Offered(ctx)
	if err != nil {
		return nil, err
	}
	answer := scopesAnswer{Scopes: []scopeAnswer{}}
	for i := range offered {
		answer.Scopes = append(answer.Scopes, viewScope(&offered[i]))
	}
	return answer, nil
}

// adminScope answers with one scope, and a tag for what an operator said of it.
func (h *Handler) adminScope(ctx context.Context, r *adminRequest) (any, error) {
	name := r.query.First("name")
	said, err := h.admin.Said(ctx)
	if err != nil {
		return nil, err
	}
	if said[name] == nil {
		return nil, &admin.Fault{Kind: symbolon.NotFound, Says: fmt.Sprintf("nothing is said of a scope %q", name)}
	}
	if !said[name].Fixed {
		r.tag = said[name].Tag()
	}
	return viewScope(said[name]), nil
}

func (h *Handler) adminSetScope(ctx context.Context, r *adminRequest) (any, error) {
	if !r.who.Operator { // before the body is read
		return nil, &admin.Fault{Kind: symbolon.Denied, Says: "only an operator says what scopes mean"}
	}
	var body scopeBody
	if err := admin.DecodeStrict(r.body, &body); err != nil {
		return nil, err
	}
	scope := symbolon.Scope{Name: body.Name, Description: body.Description, Local: body.Translations}
	if err := h.admin.SetScope(ctx, r.who, r.match, scope); err != nil {
		return nil, err
	}
	r.tag = admin.ScopeTag(&scope)
	return scopeAnswer{scopeBody: body, From: admin.FromOperator}, nil
}

func (h *Handler) adminRemoveScope(ctx context.Context, r *adminRequest) (any, error) {
	return nil, h.admin.RemoveScope(ctx, r.who, r.match, r.query.First("name"))
}
