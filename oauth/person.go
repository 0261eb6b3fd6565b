package oauth

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// pickAccount decides which account an authorization request is for.
func (e *Engine) pickAccount(ctx context.Context, req *AuthorizeRequest, prompt []string, app *symbolon.App, code *symbolon.Code, who *Actor, wants *wish, now time.Time) (symbolon.SignedIn, Need, error) {
	var none symbolon.SignedIn
	if !who.Interactive && len(who.SignedIn) == 0 && e.cfg.Sandbox && app.Sandbox {
		return e.pickSandbox(ctx, req.LoginHint, app, wants)
	}
	// prompt=login: only a sign-in since the flow began counts.
	live := who.SignedIn
	if slices.Contains(prompt, "login") {
		live = slices.DeleteFunc(slices.Clone(live), func(s symbolon.SignedIn) bool {
			return who.Begun.IsZero() || s.Session.AuthAt.Before(who.Begun)
		})
	}
	live, err := e.asWanted(live, app, who, wants, now)
	if err != nil {
		return none, NeedSignIn, err
	}
	picked := func(s symbolon.SignedIn) (symbolon.SignedIn, Need, error) {
		asked := who.Interactive && !slices.Contains(prompt, "none")
		if wants.lacks(&s) != "" || asked && !who.Declined && wants.wouldLike(&s) != "" {
			return s, NeedStepUp, nil
		}
		return s, NeedNothing, nil
	}
	if len(live) == 0 {
		return none, NeedSignIn, nil
	}
	if who.Chosen != "" {
		for _, s := range live {
			if s.Account.ID == who.Chosen {
				return picked(s)
			}
		}
		return none, NeedSignIn, nil
	}
	if slices.Contains(prompt, "select_account") {
		return none, NeedChoice, nil
	}
	if req.LoginHint != "" {
		for _, s := range live {
			if hints(req.LoginHint, &s.Account) {
				return picked(s)
			}
		}
		// Whoever is hinted at is not signed in: never another's code.
		if !who.Interactive && e.cfg.Sandbox && app.Sandbox {
			return e.pickSandbox(ctx, req.LoginHint, app, wants)
		}
		return none, NeedSignIn, nil
	}
	if len(live) == 1 {
		return picked(live[0])
	}
	if who.Interactive {
		return none, NeedChoice, nil
	}
	// An API caller cannot be asked: whoever has allowed the app this, the
	// latest sign-in first.
	for _, s := range live {
		consent, err := e.store.Consent(ctx, s.Account.ID, app.ID)
		if err != nil && symbolon.KindOf(err) != symbolon.NotFound {
			return none, NeedSignIn, err
		}
		if err == nil && remembered(&consent, app) && allows(&consent, code.Scope, code.Resource) {
			return picked(s)
		}
	}
	return picked(live[0])
}

// asWanted returns the sign-ins that are as the request wants them, or can be made so
// by one thing more (OpenID Connect Core §3.1.2.1). Where the person has just signed
// in and it is still none of them, asking again would go in circles.
func (e *Engine) asWanted(live []symbolon.SignedIn, app *symbolon.App, who *Actor, wants *wish, now time.Time) ([]symbolon.SignedIn, error) {
	var list []symbolon.SignedIn
	var circle error
	for _, s := range live {
		fresh := !who.Begun.IsZero() && !s.Session.AuthAt.Before(who.Begun)
		switch {
		case !e.about(wants, app, s.Account.ID):
			if fresh {
				circle = refuse(LoginRequired, "The person who signed in is not the one whom the app asked for.")
			}
		case !wants.recent(&s.Session, who.Begun, now):
		case len(wants.acr) > 0 && !slices.Contains(wants.acr, acrOf(&s.Session)) && wants.lacks(&s) == "":
			if fresh {
				return nil, refuse(UnmetAuthentication, "The sign-in is none of those that the app demands (acr).")
			}
		default:
			list = append(list, s)
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	return nil, circle
}

// about reports whether a request may be for an account.
func (e *Engine) about(wants *wish, app *symbolon.App, account symbolon.AccountID) bool {
	return wants.subject == "" || e.SubjectOf(app, account) == wants.subject
}

// sandboxAccount is the account for whom no login_hint is needed, as it was read.
type sandboxAccount struct {
	symbolon.SignedIn
	readAt time.Time
}

// pickSandbox finds the sandbox account that an API caller's request is for.
func (e *Engine) pickSandbox(ctx context.Context, hint string, app *symbolon.App, wants *wish) (symbolon.SignedIn, Need, error) {
	if len(wants.acr) > 0 && !slices.Contains(wants.acr, ACROne) {
		return symbolon.SignedIn{}, NeedSignIn, nil
	}
	// Like all that is held in memory, it may be as old as the feed.
	if known := e.sandbox.Load(); hint == "" && wants.subject == "" && known != nil && time.Since(known.readAt) < e.cfg.FeedBound {
		signedIn := known.SignedIn
		signedIn.Session.AuthAt = e.clock.Now()
		return signedIn, NeedNothing, nil
	}
	readAt := time.Now()
	query := symbolon.AccountQuery{ID: e.cfg.SandboxAccount, Limit: 1}
	if hint != "" || wants.subject != "" {
		query = symbolon.AccountQuery{Limit: 1000}
	}
	accounts, err := e.store.Accounts(ctx, query)
	if err != nil {
		return symbolon.SignedIn{}, NeedSignIn, err
	}
	for _, a := range accounts {
		if a.Sandbox && a.Enabled() && (hint == "" || hints(hint, &a)) && e.about(wants, app, a.ID) {
			signedIn := symbolon.SignedIn{Account: a, Session: symbolon.Session{Account: a.ID, AuthAt: e.clock.Now()}}
			if hint == "" && wants.subject == "" {
				e.sandbox.Store(&sandboxAccount{signedIn, readAt})
			}
			return signedIn, NeedNothing, nil
		}
	}
	return symbolon.SignedIn{}, NeedSignIn, nil
}

// hints reports whether a login_hint (OpenID Connect Core §3.1.2.1) means the
// account: by its username, its id or its name.
func hints(hint string, a *symbolon.Account) bool {
	return strings.EqualFold(hint, a.Username) || hint == string(a.ID) || strings.EqualFold(hint, a.Name)
}

// checkConsent decides whether the account has allowed the app what it asks.
func (e *Engine) checkConsent(ctx context.Context, prompt []string, answer *Authorization, code *symbolon.Code, who *Actor) (Need, error) {
	if !answer.App.Admits(answer.Account.ID) {
		r := refuse(AccessDenied, "The app is in test, and this account is not one that its owner lets try it out.")
		r.Testing = true
		return NeedNothing, r
	}
	app, account := answer.App, &answer.Account
	if !who.Interactive && e.cfg.Sandbox && app.Sandbox && account.Sandbox {
		code.Sandbox = true
		return NeedNothing, nil
	}
	if who.Allowed && who.Chosen == account.ID {
		if r := app.Settings.Registration; r != nil && who.Said != nil && !bytes.Equal(r.Digest, who.Said) {
			return NeedConsent, nil
		}
		return NeedNothing, nil
	}
	answer.New = answer.Scope
	consent, err := e.store.Consent(ctx, account.ID, app.ID)
	switch {
	case symbolon.KindOf(err) == symbolon.NotFound:
		return NeedConsent, nil
	case err != nil:
		return NeedConsent, err
	}
	if !remembered(&consent, app) {
		return NeedConsent, nil
	}
	answer.New = slices.DeleteFunc(slices.Clone(answer.Scope), func(name string) bool { return consent.Scope.Allows(name, code.Resource) })
	if app.Settings.Registration != nil && who.CrossSite {
		return NeedConsent, nil
	}
	// RFC 6749 §10.2: whoever can listen on this computer could pose as a
	// public app, so a remembered consent does not count for one.
	// What authorization_details ask for is asked each time: it is no permission
	// that lasts (RFC 9396 §13).
	if code.Details != "" || len(answer.New) > 0 || slices.Contains(prompt, "consent") || app.Public && !claimed(app) {
		return NeedConsent, nil
	}
	return NeedNothing, nil
}

// allows reports whether a consent covers these scopes at these APIs.
func allows(consent *symbolon.Consent, scope symbolon.Scopes, resources []string) bool {
	return !slices.ContainsFunc(scope, func(name string) bool { return !consent.Scope.Allows(name, resources) })
}

// claimed reports whether every redirect URI of the app is an https address,
// which only the owner of its domain can answer at (RFC 8252 §7.2).
func claimed(app *symbolon.App) bool {
	for _, uri := range app.RedirectURIs {
		if !strings.HasPrefix(uri, "https://") {
			return false
		}
	}
	return true
}

// allow records that the account allows the app these scopes, at the APIs that a
// code names, or else anywhere.
func (e *Engine) allow(ctx context.Context, app *symbolon.App, account symbolon.AccountID, scope symbolon.Scopes, code *symbolon.Code, now time.Time) error {
	if err := e.keepApp(ctx, app); err != nil {
		return storeError(err).from(app.ID)
	}
	consent := symbolon.Consent{Account: account, Client: app.ID, Scope: scope.ScopesAt(code.Resource), GrantedAt: now}
	if r := app.Settings.Registration; r != nil {
		consent.Since = r.ChangedAt
	}
	switch err := e.store.Allow(context.WithoutCancel(ctx), consent); {
	case err == nil:
		return nil
	case symbolon.KindOf(err) == symbolon.Denied:
		return refuse(AccessDenied, "The account was disabled or deleted while the person was asked.").from(app.ID)
	default:
		return storeError(err).from(app.ID)
	}
}
