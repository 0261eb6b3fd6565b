package web

import (
	"context"

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
	// Fixed: it stands in the configuration.
	Fixed bool `json:"fixed"`
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
	for _, s := range offered {
		answer.Scopes = append(answer.Scopes, scopeAnswer{scopeBody{s.Name, s.Description, s.Local}, s.Fixed})
	}
	return answer, nil
}

func (h *Handler) adminSetScope(ctx context.Context, r *adminRequest) (any, error) {
	if !r.who.Operator { // before the body is read
		return nil, &admin.Fault{Kind: symbolon.Denied, Says: "only an operator says what scopes mean"}
	}
	var body scopeBody
	if err := admin.DecodeStrict(r.body, &body); err != nil {
		return nil, err
	}
	scope := admin.Scope{Name: body.Name, Description: body.Description, Local: body.Translations}
	if err := h.admin.SetScope(ctx, r.who, scope); err != nil {
		return nil, err
	}
	return scopeAnswer{scopeBody: body}, nil
}

func (h *Handler) adminRemoveScope(ctx context.Context, r *adminRequest) (any, error) {
	return nil, h.admin.RemoveScope(ctx, r.who, r.query.First("name"))
}
