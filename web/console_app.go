package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// consoleAppPage shows an app to who may manage it.
func (h *Handler) consoleAppPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	app, err := h.admin.App(r.Context(), v.who, symbolon.ClientID(v.query.First("app")))
	if err != nil {
		return consoleError(err)
	}
	return h.showConsoleApp(w, r, ev, v, app, typedApp{}, nil, http.StatusOK)
}

// shownConnections is how many connections the page of an app shows.
const shownConnections = 50

// typedApp is what was typed into a form of the page of an app, when it could not be taken.
type typedApp struct {
	fields *AppFields // or nil
	chosen map[string]bool
	hook   *HookFields // or nil
}

// showConsoleApp shows an app.
func (h *Handler) showConsoleApp(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, app *symbolon.App, typed typedApp, problems []string, status int) error {
	ev.client = app.ID
	s := &app.Settings
	p := &ConsoleAppPage{
		ConsoleFrame: h.frame(v, "app"), App: NewAppView(app), Problems: problems, ClientID: app.ClientID(), Tag: admin.Tag(app),
		Authorize: h.issuer + "/oauth2/authorize", Token: h.issuer + "/oauth2/token", Info: h.issuer + "/info", Issuer: h.issuer,
		Revoke: h.issuer + "/oauth2/revoke", Scope: app.Scope.String(), Test: s.Status == symbolon.StatusTest, Public: app.Public,
		HasSecret: admin.HasSecret(app), Registered: s.Registration != nil, Address: appAddress(app.ID), Profile: s.Profile.String(),
		MayAdd: admin.HasSecret(app) && len(app.Secrets) < admin.MaxSecrets, Review: !v.who.Operator && h.Registering == admin.ByReview,
	}
	p.Requests, p.Events = consoleRequests+strings.TrimPrefix(p.Address, consoleApp), consoleEvents+strings.TrimPrefix(p.Address, consoleApp)
	p.Hook = hookFields(app)
	if typed.hook != nil {
		p.Hook = *typed.hook
	}
	fields, chosen := typed.fields, typed.chosen
	if fields == nil {
		fields = &AppFields{
			Name: app.Name, Home: app.Home, RedirectURIs: strings.Join(app.RedirectURIs, "\n"), Auth: admin.ViewApp(app).AuthMethod,
			RequirePKCE: app.RequirePKCE, KeepRefresh: app.Rotation == symbolon.RotateNever, JWKSURI: s.KeysURI, OneConnection: s.OneConnection,
		}
		chosen = make(map[string]bool)
		for _, name := range app.Scope {
			chosen[name] = true
		}
	}
	p.Fields = *fields
	p.Fields.Public = app.Public
	var err error
	if p.Fields.Scopes, err = h.scopeChoices(r.Context(), app, chosen); err != nil {
		return err
	}
	if app.Owner != "" {
		p.Owner = h.nameOf(r, app.Owner)
	}
	for i := range app.Secrets {
		secret := &app.Secrets[i]
		p.Secrets = append(p.Secrets, SecretRow{ID: secret.ID, Made: day(secret.CreatedAt), Used: newMoment(secret.UsedAt)})
	}
	for _, id := range s.TestAccounts {
		p.Testers = append(p.Testers, TesterRow{ID: string(id), Name: h.nameOf(r, id)})
	}
	if p.Checks, err = h.admin.Checklist(r.Context(), v.who, app.ID); err != nil {
		return err
	}
	p.Ready = true
	for _, c := range p.Checks {
		p.Ready = p.Ready && (c.Done || !c.Required)
	}
	rows, next, err := h.admin.Connections(r.Context(), v.who, admin.ConnectionFilter{App: app.ID, Before: connectionID(v.query.First("before")), Limit: shownConnections})
	if err != nil {
		return err
	}
	names := make(map[symbolon.AccountID]string)
	for i := range rows {
		row := h.connectionRow(r, v, app, &rows[i], names)
		if row.State == "live" {
			p.Live++
		}
		p.Connections = append(p.Connections, row)
	}
	if next != (symbolon.ConnectionID{}) {
		p.Further = p.Address + "&before=" + next.String() + "#connections"
	}
	if p.Flow, err = h.formFlow(w, r, v); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

// reasonKeys are what the sentences call the reasons for which connections end.
var reasonKeys = map[symbolon.Reason]string{
	symbolon.ByApp: "console.why_app", symbolon.ByOperator: "console.why_operator", symbolon.ByCodeReplay: "console.why_code_replay",
	symbolon.BySignOut: "console.why_sign_out", symbolon.ByNewer: "console.why_newer", symbolon.ByPerson: "console.why_person",
	symbolon.ByRefreshReplay: "console.why_refresh_replay", symbolon.ByPassword: "console.why_password", symbolon.ByMass: "console.why_mass",
}

// risky are what may be done to an app only by who has just signed in.
var risky = []string{"secret", "retire", "live", "end-all", "delete", "owner", "webhook"}

// consoleChange does to an app what one of the forms of its page asks for. Whose app it is
// is asked anew, by each method of the service.
func (h *Handler) consoleChange(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	ctx, id := r.Context(), symbolon.ClientID(v.query.First("app"))
	app, err := h.admin.App(ctx, v.who, id)
	if err != nil {
		return consoleError(err)
	}
	ev.client = app.ID
	action := v.form.First("action")
	if slices.Contains(risky, action) {
		if ok, err := h.mayRisk(w, r, ev, v); !ok {
			return err
		}
	}
	switch action {
	case "edit":
		return h.consoleEdit(w, r, ev, v, app)
	case "webhook":
		return h.consoleHook(w, r, ev, v, app)
	case "secret":
		first, err := h.firstTime(r, v)
		if err != nil {
			return err
		}
		if !first {
			return h.redirect(w, r, ev, appAddress(id))
		}
		created, err := h.admin.AddSecret(ctx, v.who, id, false)
		if err == nil {
			ev.detail = "a secret was made in the console"
			h.render(w, r, ev, http.StatusOK, h.secretPage(v, created, false))
			return nil
		}
		return h.afterChange(w, r, ev, v, app, err, "#secrets")
	}
	at, err := h.consoleAct(r, v, app, action)
	if err == nil && action == "delete" {
		ev.detail = "an app was deleted in the console"
		return h.redirect(w, r, ev, consolePath)
	}
	return h.afterChange(w, r, ev, v, app, err, at)
}

// consoleAct does what needs nothing shown, and returns the place of the page to go to.
func (h *Handler) consoleAct(r *http.Request, v *consoleVisitor, app *symbolon.App, action string) (string, error) {
	ctx := r.Context()
	change := func(edit func(*symbolon.App) error) error {
		_, err := h.admin.EditApp(ctx, v.who, app.ID, "", edit)
		return err
	}
	status := func(to symbolon.AppStatus) error {
		return change(func(a *symbolon.App) error { a.Settings.Status = to; return nil })
	}
	switch action {
	case "retire":
		_, err := h.admin.RetireSecret(ctx, v.who, app.ID, v.form.First("secret"), v.form.First("last") != "")
		return "#secrets", err
	case "live":
		return "#status", status(symbolon.StatusLive)
	case "test":
		return "#status", status(symbolon.StatusTest)
	case "tester":
		if !v.who.Operator && h.usernames.Take(h.Engine.Now(), string(v.who.Account)) > 0 {
			return "#testers", &admin.Fault{Kind: symbolon.Denied, Says: "too many usernames were tried; wait a few minutes, or ask an operator"}
		}
		account, err := h.tester(r, v.form.First("username"))
		if err == nil {
			err = change(func(a *symbolon.App) error {
				if !slices.Contains(a.Settings.TestAccounts, account) {
					a.Settings.TestAccounts = append(a.Settings.TestAccounts, account)
				}
				return nil
			})
		}
		return "#testers", err
	case "untester":
		return "#testers", change(func(a *symbolon.App) error {
			a.Settings.TestAccounts = slices.DeleteFunc(a.Settings.TestAccounts, func(id symbolon.AccountID) bool { return string(id) == v.form.First("id") })
			return nil
		})
	case "owner":
		if !v.who.Operator { // before anyone is looked for
			return "#owner", &admin.Fault{Kind: symbolon.Denied, Says: "the owner of an app is set by an operator"}
		}
		owner := symbolon.AccountID("")
		if typed := strings.TrimSpace(v.form.First("username")); typed != "" {
			var err error
			if owner, err = h.tester(r, typed); err != nil {
				return "#owner", err
			}
		}
		return "#owner", change(func(a *symbolon.App) error { a.Owner = owner; return nil })
	case "end":
		return "#connections", h.endOf(r, v, app)
	case "end-all":
		return "#connections", h.admin.EndConnectionsOf(ctx, v.who, app.ID)
	case "delete":
		if strings.TrimSpace(v.form.First("confirm")) != app.Name {
			return "#delete", &admin.Fault{Kind: symbolon.Invalid, Says: "type the name of the app to delete it"}
		}
		return "", h.admin.DeleteApp(ctx, v.who, app.ID)
	}
	return "", nil
}

// endOf ends a connection of an app, and of no other that the actor may manage.
func (h *Handler) endOf(r *http.Request, v *consoleVisitor, app *symbolon.App) error {
	id := connectionID(v.form.First("id"))
	rows, err := h.Store.Connections(r.Context(), symbolon.ConnectionQuery{ID: id, Client: app.ID, Limit: 1})
	if err != nil {
		return err
	}
	if id == (symbolon.ConnectionID{}) || len(rows) == 0 {
		return &admin.Fault{Kind: symbolon.NotFound, Says: "there is no such connection"}
	}
	return h.admin.EndConnection(r.Context(), v.who, id)
}

// usernamesAtOnce is how many usernames an owner types at once to let someone try an app
// out, and after usernameEvery one more.
const (
	usernamesAtOnce = 20
	usernameEvery   = 3 * time.Minute
)

// tester returns the account with a username that a person typed. One that is not there is
// told in the same words as one that is locked: the console is no list of who has an
// account.
func (h *Handler) tester(r *http.Request, typed string) (symbolon.AccountID, error) {
	username, err := usernameOf(typed)
	if err != nil {
		return "", err
	}
	rows, err := h.Store.Accounts(r.Context(), symbolon.AccountQuery{Username: username, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(rows) == 0 || !rows[0].Enabled() {
		return "", &admin.Fault{Kind: symbolon.Invalid, Says: "no account with this username can be added; it is what the person types to sign in here"}
	}
	return rows[0].ID, nil
}

// afterChange goes back to the page of an app, or shows what was wrong.
func (h *Handler) afterChange(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, app *symbolon.App, err error, at string) error {
	if err == nil {
		return h.redirect(w, r, ev, appAddress(app.ID)+at)
	}
	problems, status, err := problemsOf(err)
	if err != nil {
		return consoleError(err)
	}
	return h.showConsoleApp(w, r, ev, v, app, typedApp{}, problems, status)
}

// riskyEdit reports whether an edit changes where codes are sent to, or by what the app
// proves itself: whoever may do that may as well have a secret of it.
func riskyEdit(was *symbolon.App, edit *admin.AppEdit) bool {
	app := *was
	if _, _, err := edit.Apply(&app); err != nil {
		return false // it is refused
	}
	return app.Method() != was.Method() || app.Settings.KeysURI != was.Settings.KeysURI ||
		slices.ContainsFunc(app.RedirectURIs, func(uri string) bool { return !slices.Contains(was.RedirectURIs, uri) })
}

// consoleEdit changes an app by the form of its settings, unless it was changed since the
// form was shown.
func (h *Handler) consoleEdit(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, app *symbolon.App) error {
	offered, err := h.scopeChoices(r.Context(), app, nil)
	if err != nil {
		return err
	}
	fields, chosen := readFields(v.form, offered)
	edit, err := fields.edit(offered, chosen)
	if err == nil && riskyEdit(app, &edit) {
		if ok, err := h.mayRisk(w, r, ev, v); !ok {
			return err
		}
	}
	if err == nil {
		_, _, err = h.changeApp(r.Context(), v.who, app.ID, v.form.First("tag"), &edit)
	}
	if err == nil {
		ev.detail = "an app was changed in the console"
		return h.redirect(w, r, ev, appAddress(app.ID))
	}
	problems, status, err := problemsOf(err)
	if err != nil {
		return consoleError(err)
	}
	return h.showConsoleApp(w, r, ev, v, app, typedApp{fields: &fields, chosen: chosen}, problems, status)
}
