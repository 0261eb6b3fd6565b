package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/signin"
)

// The pages of the console.
const (
	consolePath  = "/console"
	consoleNew   = "/console/new"
	consoleApp   = "/console/app"
	consoleUsers = "/console/accounts"
	consoleUser  = "/console/account"
	consoleSetup = "/console/scopes"
)

// consoleRoutes are the pages for those who own apps, and for operators.
func (h *Handler) consoleRoutes() []route {
	return []route{
		{path: consolePath, get: h.consolePage, kind: people},
		{path: consoleNew, get: h.consoleNewPage, post: h.consoleCreate, kind: people},
		{path: consoleApp, get: h.consoleAppPage, post: h.consoleChange, kind: people},
		{path: consoleUsers, get: h.consoleAccountsPage, post: h.consoleCreateAccount, kind: people},
		{path: consoleUser, get: h.consoleAccountPage, post: h.consoleChangeAccount, kind: people},
		{path: consoleSetup, get: h.consoleScopesPage, post: h.consoleSetScope, kind: people},
		{path: consoleRequests, get: h.consoleTrail, kind: people},
		{path: consoleRequest, get: h.consoleTrailEntry, kind: people},
		{path: consoleEvents, get: h.consoleWatch, kind: people},
	}
}

// consoleFresh is how long ago a person may have signed in who does something dangerous
// in the console.
const consoleFresh = 15 * time.Minute

// oneLine makes spaces of the ends of lines in a form, which no other parameter may have.
var oneLine = strings.NewReplacer("%0D%0A", "+", "%0d%0a", "+", "%0A", "+", "%0a", "+")

// consoleVisitor is a person at the console.
type consoleVisitor struct {
	signedIn *symbolon.SignedIn
	who      admin.Actor
	// here is the path with its query, to come back to.
	here  string
	query oauth.Params
	// form is what was posted, or nil; flow is the sealed flow that came with it.
	form *oauth.Params
	flow *flow
}

// consoleVisit returns who is at the console, or nil when a page was shown that asks for a
// sign-in.
func (h *Handler) consoleVisit(w http.ResponseWriter, r *http.Request, ev *event) (*consoleVisitor, error) {
	query, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return nil, &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The query is broken."}
	}
	v := &consoleVisitor{query: query, here: strings.TrimPrefix(r.URL.Path, h.prefix)}
	if r.URL.RawQuery != "" {
		v.here += "?" + r.URL.RawQuery
	}
	id := symbolon.AccountID("")
	if r.Method == http.MethodPost {
		form, f, err := h.readFormBy(w, r, oneLine.Replace)
		if err != nil {
			return nil, err
		}
		if !f.ownedBy(ev.route) {
			return nil, &deniedError{reason: "denied.not_console", retry: consolePath}
		}
		v.form, v.flow, id = &form, f, f.Chosen
	}
	signedIn, err := h.sessions(r)
	if err != nil {
		return nil, err
	}
	for i := range signedIn {
		if id == "" || signedIn[i].Account.ID == id {
			v.signedIn = &signedIn[i]
			break
		}
	}
	if v.signedIn == nil {
		f := h.consoleFlow(w, r, v)
		if r.Method == http.MethodPost {
			return nil, h.goOn(w, r, ev, f)
		}
		return nil, h.showSignIn(w, r, ev, f, nil, false)
	}
	v.who = h.actor(&v.signedIn.Account)
	ev.account = v.who.Account
	return v, nil
}

// consoleFlow begins a flow that comes back to where the person is.
func (h *Handler) consoleFlow(w http.ResponseWriter, r *http.Request, v *consoleVisitor) *flow {
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	f := &flow{Browser: browser[:], Begun: h.Engine.Now(), Own: v.here}
	if v.signedIn != nil {
		f.Chosen = v.signedIn.Account.ID
	}
	return f
}

// formFlow is the sealed flow of a form of the console. No two are alike, so that what was
// posted twice can be told.
func (h *Handler) formFlow(w http.ResponseWriter, r *http.Request, v *consoleVisitor) (string, error) {
	f := h.consoleFlow(w, r, v)
	f.Challenge = signin.NewChallenge()
	return h.sealFlow(*f)
}

// mayRisk reports whether the person has proven enough, and lately, to do something
// dangerous. Otherwise it asks for that; what they wanted to do is done anew after it.
func (h *Handler) mayRisk(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor) (bool, error) {
	f := h.consoleFlow(w, r, v)
	switch {
	case h.Engine.Now().Sub(v.signedIn.Session.AuthAt) > consoleFresh:
		f.Other = true
		f.Try = &signInTry{Username: v.signedIn.Account.Username, Problem: "problem.lately"}
	case lacksProof(v.signedIn):
		f.Raise = &raise{Account: v.signedIn.Account.ID, ACR: oauth.ACRTwo, Demanded: true, Passkey: true}
	default:
		return true, nil
	}
	return false, h.goOn(w, r, ev, f)
}

// firstTime reports whether a form comes for the first time. What makes a secret is done
// once, however often the page is loaded again.
func (h *Handler) firstTime(r *http.Request, v *consoleVisitor) (bool, error) {
	now := h.Engine.Now()
	_, first, err := h.Store.Once(r.Context(), symbolon.Once{
		Key: sha256.Sum256(append([]byte("console form "), v.flow.Challenge...)), ExpiresAt: now.Add(flowLifetime + time.Minute), Now: now,
	})
	return first, err
}

// problemsOf returns what is wrong with what was posted, as sentences; an error that is not
// about that is returned.
func problemsOf(err error) ([]string, int, error) {
	if err == nil {
		return nil, http.StatusOK, nil
	}
	faults := admin.Faults(err)
	if len(faults) == 0 {
		var e *symbolon.Error
		if errors.As(err, &e) && e.Kind == symbolon.Invalid && e.Detail != "" {
			faults = []*admin.Fault{{Kind: e.Kind, Says: e.Detail}}
		} else {
			return nil, 0, err
		}
	}
	if faults[0].Kind == symbolon.NotFound {
		return nil, 0, err
	}
	var list []string
	for _, f := range faults {
		list = append(list, sentenceOf(f))
	}
	return list, faultStatus[faults[0].Kind].status, nil
}

// consoleError makes of a fault that no page can tell the page for it. What is not there
// and what is another's are the same.
func consoleError(err error) error {
	faults := admin.Faults(err)
	if len(faults) == 0 {
		return err
	}
	if faults[0].Kind == symbolon.NotFound {
		return &httpError{status: http.StatusNotFound, code: "invalid_request", description: "There is nothing at this address for the account that you are signed in with."}
	}
	return &deniedError{reason: sentenceOf(faults[0]) + " Nothing was done.", retry: consolePath}
}

// frame is what every page of the console has.
func (h *Handler) frame(v *consoleVisitor, at string) ConsoleFrame {
	return ConsoleFrame{Account: NewAccountView(&v.signedIn.Account), Operator: v.who.Operator, MayRegister: h.admin.MayRegister(v.who), At: at}
}

// consolePage lists the apps of a person; to an operator, all.
func (h *Handler) consolePage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	text := firstRunes(v.query.First("q"), maxName)
	filter := admin.AppFilter{Text: text, After: symbolon.ClientID(v.query.First("after")), Limit: 50}
	mine := v.query.First("mine") == "1"
	if mine {
		filter.Owner = v.who.Account
	}
	apps, next, err := h.admin.Apps(r.Context(), v.who, filter)
	if err != nil {
		return err
	}
	p := &ConsolePage{ConsoleFrame: h.frame(v, "apps"), Search: text, Mine: mine, Further: filter.After != "", Explain: h.Trail != nil}
	for i := range apps {
		row := ConsoleAppRow{App: NewAppView(&apps[i]), Test: apps[i].Settings.Status == symbolon.StatusTest, Registered: apps[i].Settings.Registration != nil}
		if v.who.Operator && apps[i].Owner != "" {
			row.Owner = h.nameOf(r, apps[i].Owner)
		}
		p.Apps = append(p.Apps, row)
	}
	if next != "" {
		q := url.Values{"after": {string(next)}}
		if text != "" {
			q.Set("q", text)
		}
		if mine {
			q.Set("mine", "1")
		}
		p.Next = consolePath + "?" + q.Encode()
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// nameOf returns the name of an account, or its id when it is gone.
func (h *Handler) nameOf(r *http.Request, id symbolon.AccountID) string {
	rows, err := h.Store.Accounts(r.Context(), symbolon.AccountQuery{ID: id, Limit: 1})
	if err != nil || len(rows) == 0 {
		return string(id)
	}
	return rows[0].Name
}

// consoleNewPage shows the form that registers an app.
func (h *Handler) consoleNewPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	if !h.admin.MayRegister(v.who) {
		return &deniedError{reason: "denied.operators_register", retry: consolePath}
	}
	preset := admin.PresetOf(v.query.First("preset"))
	if v.query.First("preset") == "" {
		preset = admin.PresetOf("custom")
	}
	fields := AppFields{Name: preset.Name, RedirectURIs: strings.Join(preset.RedirectURIs, "\n"), Auth: preset.Auth, RequirePKCE: preset.PKCE}
	return h.showConsoleNew(w, r, ev, v, preset, fields, map[string]bool{symbolon.ScopeConnect: true}, nil, http.StatusOK)
}

func (h *Handler) showConsoleNew(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, preset admin.Preset, fields AppFields, chosen map[string]bool, problems []string, status int) error {
	p := &ConsoleNewPage{ConsoleFrame: h.frame(v, "new"), Preset: preset.ID, Fields: fields, Problems: problems}
	for _, uri := range preset.RedirectURIs {
		p.Fill = p.Fill || admin.Unfilled(uri)
	}
	for _, other := range admin.Presets {
		p.Presets = append(p.Presets, PresetView{ID: other.ID, Name: other.Name, Here: other.ID == preset.ID})
	}
	p.Fields.New = true
	var err error
	if p.Fields.Scopes, err = h.scopeChoices(r.Context(), nil, chosen); err != nil {
		return err
	}
	if p.Flow, err = h.formFlow(w, r, v); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

// scopeChoices are the scopes that may be ticked for an app: those that the server
// offers, and those that the app has.
func (h *Handler) scopeChoices(ctx context.Context, app *symbolon.App, chosen map[string]bool) ([]ScopeChoice, error) {
	said, err := h.admin.Said(ctx)
	if err != nil {
		return nil, err
	}
	var list []ScopeChoice
	for _, s := range admin.OfferedOf(said) {
		list = append(list, ScopeChoice{scopeView(said, s.Name, false), chosen[s.Name]})
	}
	if app != nil {
		for _, name := range app.Scope {
			if !slices.ContainsFunc(list, func(c ScopeChoice) bool { return c.Name == name }) {
				list = append(list, ScopeChoice{scopeView(said, name, false), chosen[name]})
			}
		}
	}
	return list, nil
}

// readFields reads what a person typed about an app, and which scopes they ticked.
func readFields(form *oauth.Params, offered []ScopeChoice) (AppFields, map[string]bool) {
	f := AppFields{
		Name: strings.TrimSpace(form.First("name")), Home: strings.TrimSpace(form.First("home")), RedirectURIs: strings.Join(strings.Fields(form.First("redirect_uris")), "\n"),
		Auth: form.First("auth"), RequirePKCE: form.First("pkce") != "", KeepRefresh: form.First("keep") != "", JWKSURI: strings.TrimSpace(form.First("jwks_uri")),
		OneConnection: form.First("one") != "",
	}
	chosen := make(map[string]bool)
	for _, c := range offered {
		chosen[c.Name] = form.First("scope."+c.Name) != ""
	}
	return f, chosen
}

// edit returns the change that what was typed stands for.
func (f *AppFields) edit(offered []ScopeChoice, chosen map[string]bool) (admin.AppEdit, error) {
	uris := strings.Fields(f.RedirectURIs)
	for _, uri := range uris {
		if admin.Unfilled(uri) {
			return admin.AppEdit{}, &admin.Fault{Kind: symbolon.Invalid, Says: "a redirect URI has a part in braces, which is yours to fill in: the platform shows it"}
		}
	}
	var scope []string
	for _, c := range offered {
		if chosen[c.Name] {
			scope = append(scope, c.Name)
		}
	}
	if len(scope) == 0 {
		return admin.AppEdit{}, &admin.Fault{Kind: symbolon.Invalid, Says: "an app needs a scope; tick at least one"}
	}
	rotation := symbolon.RotateAlways
	if f.KeepRefresh {
		rotation = symbolon.RotateNever
	}
	text := strings.Join(scope, " ")
	e := admin.AppEdit{Name: &f.Name, Home: &f.Home, RedirectURIs: &uris, Scope: &text, RequirePKCE: &f.RequirePKCE, Rotation: &rotation, OneConnection: &f.OneConnection}
	if f.Auth != "" && f.Auth != string(symbolon.AuthNone) {
		e.AuthMethod = &f.Auth
		e.JWKSURI = &f.JWKSURI
	}
	return e, nil
}

// consoleCreate registers an app.
func (h *Handler) consoleCreate(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.consoleVisit(w, r, ev)
	if v == nil {
		return err
	}
	if !h.admin.MayRegister(v.who) {
		return &deniedError{reason: "denied.operators_register", retry: consolePath}
	}
	preset := admin.PresetOf(v.form.First("preset"))
	offered, err := h.scopeChoices(r.Context(), nil, nil)
	if err != nil {
		return err
	}
	fields, chosen := readFields(v.form, offered)
	app := symbolon.App{Owner: v.who.Account, Rotation: symbolon.RotateAlways, Public: fields.Auth == string(symbolon.AuthNone), Settings: symbolon.Settings{Status: symbolon.StatusTest}}
	edit, err := fields.edit(offered, chosen)
	if err == nil {
		_, _, err = edit.Apply(&app)
	}
	if err == nil {
		err = admin.CheckApp(&app)
	}
	var created *admin.Created
	if err == nil {
		first, err2 := h.firstTime(r, v)
		if err2 != nil {
			return err2
		}
		if !first {
			return h.redirect(w, r, ev, consolePath)
		}
		created, err = h.admin.CreateApp(r.Context(), v.who, app)
	}
	if err != nil {
		problems, status, err := problemsOf(err)
		if err != nil {
			return consoleError(err)
		}
		return h.showConsoleNew(w, r, ev, v, preset, fields, chosen, problems, status)
	}
	ev.client, ev.detail = created.App.ID, "an app was registered in the console"
	if created.Secret == "" {
		return h.redirect(w, r, ev, appAddress(created.App.ID))
	}
	h.render(w, r, ev, http.StatusOK, h.secretPage(v, created, true))
	return nil
}

func appAddress(id symbolon.ClientID) string {
	return consoleApp + "?app=" + url.QueryEscape(string(id))
}

// secretPage shows a secret that was just made, this once.
func (h *Handler) secretPage(v *consoleVisitor, created *admin.Created, fresh bool) *ConsoleSecretPage {
	return &ConsoleSecretPage{
		ConsoleFrame: h.frame(v, "app"), App: NewAppView(created.App), Secret: created.Secret, New: fresh, Back: appAddress(created.App.ID),
		Authorize: h.issuer + "/oauth2/authorize", Token: h.issuer + "/oauth2/token", Scope: created.App.Scope.String(),
	}
}
