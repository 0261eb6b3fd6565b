package oauth

import (
	"context"
	"slices"

	"github.com/symbolon/symbolon"
)

// The scopes of the admin API. An operator alone gives them to an app, and they mean
// something in tokens for the admin API only: an API of the owner's may have a scope
// called admin without anybody ruling this server by it (docs/decisions/0036-admin-api.md).
const (
	// ScopeAdmin: an operator's token may do what operators do.
	ScopeAdmin = "symbolon.admin"
	// ScopeApps: a person's token may manage the apps of that person.
	ScopeApps = "symbolon.apps"
)

// IsAdminScope reports whether a scope is one of the admin API.
func IsAdminScope(name string) bool { return name == ScopeAdmin || name == ScopeApps }

// AdminPath is where the admin API is below the issuer. The two together are what its
// tokens are for (RFC 8707).
const AdminPath = "/admin/v1"

func (e *Engine) adminResource() string { return e.cfg.Issuer + AdminPath }

// isAdmin reports whether a resource is the admin API.
func (e *Engine) isAdmin(uri string) bool { return sameResource(uri, e.adminResource()) }

// adminTarget holds a grant to what the scopes of the admin API and its resource say
// together: each asks for the other, and that resource stands alone, so that no other API
// ever gets a token that rules this server.
func (e *Engine) adminTarget(app *symbolon.App, scope symbolon.Scopes, resources []string) error {
	wanted := slices.ContainsFunc(scope, IsAdminScope)
	aimed := slices.ContainsFunc(resources, e.isAdmin)
	switch {
	case !wanted && !aimed:
		return nil
	case aimed && len(resources) > 1:
		return refuse(InvalidTarget, "A token for the admin API is for nothing else; name it as the only resource.")
	case aimed && (!wanted || app.Settings.Registration != nil):
		return refuse(InvalidTarget, "Only an app that an operator gave a scope of the admin API may ask for tokens for it, and must ask for that scope.")
	case !aimed:
		return refuse(InvalidTarget, "The scopes of the admin API go with its resource: add resource="+e.adminResource()+".")
	}
	return nil
}

// Managed is whose token was shown at the admin API, and what it allows.
type Managed struct {
	// Account is empty for an app that acts in its own name.
	Account symbolon.AccountID
	// Admin and Apps say which scopes it has.
	Admin, Apps bool
	// Grant is what the token stands for, for the log.
	Grant symbolon.Grant
}

// Admin says whose an access token is that is shown at the admin API. Whether the account
// may do what is asked is not looked at.
func (e *Engine) Admin(ctx context.Context, shown Shown) (*Managed, error) {
	// 1. Is the token good, and may its bearer show it?
	token, err := e.held(ctx, &shown)
	if err != nil {
		return nil, err
	}
	no := func(r *Error) error {
		if r.Refusal == InsufficientScope {
			r.Scope = symbolon.Scopes{ScopeAdmin}
		}
		return shown.challenged(r.from(token.Client))
	}
	// 2. Is it for this API, and for no other (RFC 8707 §2, RFC 9068 §4)?
	if len(token.Resource) != 1 || !e.isAdmin(token.Resource[0]) {
		return nil, no(refuse(InvalidToken, "The access token is not for the admin API; ask for one with resource="+e.adminResource()+"."))
	}
	// What came of an exchange says of an operator what an app asked for in their stead.
	if len(token.Sources) > 0 {
		return nil, no(refuse(InvalidToken, "The access token came of an exchange, and the admin API takes only what a person has allowed."))
	}
	// 3. Does the app still have the scope? An operator who takes it away is not waiting
	// for tokens to expire.
	app, err := e.apps.get(ctx, token.Client)
	if err != nil {
		return nil, storeError(err).from(token.Client)
	}
	m := &Managed{Account: token.Account, Grant: token.Grant}
	if app != nil {
		m.Admin = token.Scope.Has(ScopeAdmin) && app.Scope.Has(ScopeAdmin)
		m.Apps = token.Scope.Has(ScopeApps) && app.Scope.Has(ScopeApps)
	}
	if !m.Admin && !m.Apps {
		return nil, no(refuse(InsufficientScope, "The access token lacks a scope of the admin API."))
	}
	// An app in its own name is an operator only if one has said so for it in particular.
	if token.Account == "" && (!m.Admin || !slices.Contains(app.Settings.Grants, symbolon.GrantClient)) {
		return nil, no(refuse(InvalidToken, "The access token is the app's own: an operator must have given it the grant client_credentials."))
	}
	return m, nil
}

// ChangedEverywhere returns when every node knows of the change of an app that was just
// made.
func (e *Engine) ChangedEverywhere(ctx context.Context) error { return e.endedSome(ctx) }

// withoutAdmin returns the scopes without those of the admin API.
func withoutAdmin(scope symbolon.Scopes) symbolon.Scopes {
	if !slices.ContainsFunc(scope, IsAdminScope) {
		return scope
	}
	return slices.DeleteFunc(slices.Clone(scope), IsAdminScope)
}
