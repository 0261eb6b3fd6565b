package web

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
)

// adminRoutes are the admin API. Ids stand in the query.
func (h *Handler) adminRoutes() []route {
	routes := []route{
		{path: "/me", get: h.adminOp(h.adminMe)},
		{path: "/apps", get: h.adminOp(h.adminApps), post: h.adminOp(h.adminCreateApp)},
		{path: "/app", get: h.adminOp(h.adminApp), patch: h.adminOp(h.adminEditApp), delete: h.adminOp(h.adminDeleteApp)},
		{path: "/app/secret", post: h.adminOp(h.adminAddSecret), delete: h.adminOp(h.adminRetireSecret)},
		{path: "/app/checklist", get: h.adminOp(h.adminChecklist)},
		{path: "/connections", get: h.adminOp(h.adminConnections), delete: h.adminOp(h.adminEndConnections)},
		{path: "/connection", delete: h.adminOp(h.adminEndConnection)},
		{path: "/requests", get: h.adminOp(h.adminRequests)},
		{path: "/request", get: h.adminOp(h.adminExplained)},
		{path: "/accounts", get: h.adminOp(h.adminAccounts), post: h.adminOp(h.adminCreateAccount)},
		{path: "/account", get: h.adminOp(h.adminAccount), patch: h.adminOp(h.adminEditAccount), delete: h.adminOp(h.adminDeleteAccount)},
		{path: "/account/disable", post: h.adminOp(h.adminDisable)},
		{path: "/account/enable", post: h.adminOp(h.adminEnable)},
		{path: "/account/password", post: h.adminOp(h.adminPassword)},
		{path: "/scopes", get: h.adminOp(h.adminScopes), post: h.adminOp(h.adminSetScope)},
		{path: "/scope", get: h.adminOp(h.adminScope), delete: h.adminOp(h.adminRemoveScope)},
		{path: "/settings", get: h.adminOp(h.adminSettings)},
	}
	for i := range routes {
		routes[i].path, routes[i].surface = oauth.AdminPath+routes[i].path, standard
	}
	return append(routes, route{path: "/admin/openapi.json", get: h.adminDescription})
}

// adminRequest is a request of the admin API, read.
type adminRequest struct {
	who   admin.Actor
	query oauth.Params
	body  []byte
	// match is If-Match, without its quotes.
	match string
	// tag is what the answer's ETag is to be, or empty.
	tag string
}

// adminOperation does what is asked and returns what to answer: nil is an empty object.
type adminOperation func(ctx context.Context, r *adminRequest) (answer any, err error)

// adminOp answers an operation of the admin API.
func (h *Handler) adminOp(do adminOperation) handler {
	return func(w http.ResponseWriter, r *http.Request, ev *event) error {
		// Who asks comes first: a stranger learns nothing, not even what is wrong.
		who, err := h.adminActor(r, ev)
		if err != nil {
			return err
		}
		req := &adminRequest{who: who}
		if req.query, err = oauth.ParseForm(r.URL.RawQuery); err != nil {
			return &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The query is broken."}
		}
		if req.body, err = readBody(w, r); err != nil {
			return err
		}
		if len(req.body) > 0 && mediaType(r.Header) != "application/json" {
			return &httpError{status: http.StatusUnsupportedMediaType, code: "invalid_request", description: "The body must be sent as application/json."}
		}
		if match := r.Header.Get("If-Match"); match != "" && match != "*" {
			req.match = strings.Trim(strings.TrimPrefix(match, "W/"), `"`)
			if req.match == "" || strings.ContainsAny(req.match, `",`) {
				req.match = "none" // which no row has
			}
		}
		answer, err := do(r.Context(), req)
		if err != nil {
			return h.adminFault(w, ev, req, err)
		}
		if answer == nil {
			answer = struct{}{}
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return symbolon.Wrap(symbolon.Internal, "admin API", err)
		}
		if req.tag != "" {
			w.Header().Set("ETag", `"`+req.tag+`"`)
		}
		code := http.StatusOK
		if _, made := answer.(made); made {
			code = http.StatusCreated
		}
		return writeJSON(w, ev, code, text)
	}
}

// made marks an answer that says what was just made.
type made interface{ made() }

// adminActor returns who shows a token at the admin API. What the token allows is held
// against the account's row, each time: an operator who is none any more is none here.
func (h *Handler) adminActor(r *http.Request, ev *event) (admin.Actor, error) {
	shown, err := h.shown(r, ev)
	if err != nil {
		return admin.Actor{}, err
	}
	m, err := h.Engine.Admin(r.Context(), shown)
	if err != nil {
		return admin.Actor{}, err
	}
	ev.about(&m.Grant)
	if m.Account == "" {
		return admin.Actor{Operator: true}, nil
	}
	account, err := h.account(r.Context(), m.Account)
	if err != nil {
		return admin.Actor{}, err
	}
	if account == nil {
		return admin.Actor{}, &httpError{status: http.StatusForbidden, code: accessDenied, description: "The account is locked or gone."}
	}
	if r.Method != http.MethodGet && lacksProof(&symbolon.SignedIn{Account: *account, Session: symbolon.Session{ACR: oauth.ACR(&m.Grant)}}) {
		return admin.Actor{}, tooWeak(account, m, shown.DPoP)
	}
	who := h.actor(account)
	who.Operator = who.Operator && m.Admin
	if !who.Operator && !m.Apps {
		return admin.Actor{}, &httpError{status: http.StatusForbidden, code: accessDenied, description: "The account is no operator; for apps of its own, ask for the scope " + oauth.ScopeApps + "."}
	}
	return who, nil
}

// tooWeak refuses a token that was given for less than what protects its account (RFC 9470
// §3): what the console does not do for a password alone, no app does in its stead.
func tooWeak(account *symbolon.Account, m *oauth.Managed, dpop bool) error {
	need := &oauth.SignIn{}
	for _, acr := range []string{oauth.ACRTwo, oauth.ACRPasskey} {
		if oauth.Reaches(account, acr) {
			need.ACR = append(need.ACR, acr)
		}
	}
	return &oauth.Error{
		Refusal: oauth.InsufficientAuthentication, Client: m.Grant.Client, SignIn: need, Shown: true, DPoP: dpop,
		Description: "The account is protected by more than a password, and that was not shown when this token was given; begin an authorization request with the acr_values of this challenge.",
	}
}

// actor returns an account as one who does something. A sandbox account, as which anyone
// may sign in, is an operator of a sandbox only.
func (h *Handler) actor(account *symbolon.Account) admin.Actor {
	return admin.Actor{Account: account.ID, Operator: account.Operator && (h.Sandbox || !account.Sandbox)}
}

// faultStatus are the statuses and codes of faults.
var faultStatus = map[symbolon.Kind]httpError{
	symbolon.Invalid:  {status: http.StatusBadRequest, code: "invalid_request"},
	symbolon.Denied:   {status: http.StatusForbidden, code: accessDenied},
	symbolon.NotFound: {status: http.StatusNotFound, code: "not_found"},
	symbolon.Conflict: {status: http.StatusConflict, code: "conflict"},
}

// adminFault answers what is wrong with what was asked; any other error is returned.
func (h *Handler) adminFault(w http.ResponseWriter, ev *event, req *adminRequest, err error) error {
	faults := admin.Faults(err)
	if len(faults) == 0 {
		var e *symbolon.Error
		if !errors.As(err, &e) || e.Kind != symbolon.Conflict && e.Kind != symbolon.Invalid {
			return err
		}
		faults = []*admin.Fault{{Kind: e.Kind, Says: e.Detail}}
	}
	answer := faultStatus[faults[0].Kind]
	if faults[0].Kind == symbolon.Conflict && req.match != "" {
		answer.status, answer.code = http.StatusPreconditionFailed, "precondition_failed" // RFC 9110 §13.1.1
	}
	var all []string
	for _, f := range faults {
		all = append(all, sentenceOf(f))
	}
	ev.code, ev.why, ev.detail = answer.code, whyRequest, faults[0].Says
	b := appendField(nil, '{', "error", answer.code)
	b = appendField(b, ',', "error_description", strings.Join(all, " "))
	b = appendField(b, ',', "request_id", ev.id)
	return writeJSON(w, ev, answer.status, append(b, '}'))
}

// sentenceOf is a fault as a sentence.
func sentenceOf(f *admin.Fault) string {
	text := f.Plain()
	if text == "" {
		return "It cannot be done."
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

//go:embed admin.json
var adminDescription []byte

// adminDescription describes the admin API (OpenAPI 3.1), to anyone.
func (h *Handler) adminDescription(w http.ResponseWriter, _ *http.Request, ev *event) error {
	return h.writePublic(w, ev, []byte(strings.ReplaceAll(string(adminDescription), exampleIssuer, h.issuer)))
}

type meAnswer struct {
	Account  string `json:"account,omitempty"`
	Operator bool   `json:"operator"`
}

func (h *Handler) adminMe(_ context.Context, r *adminRequest) (any, error) {
	return meAnswer{Account: string(r.who.Account), Operator: r.who.Operator}, nil
}

type appsAnswer struct {
	Apps []admin.AppView `json:"apps"`
	Next string          `json:"next,omitempty"`
}

// number reads a parameter of the query that is a count, 0 when it is none.
func (r *adminRequest) number(name string) int {
	n, _ := strconv.Atoi(r.query.First(name))
	return n
}

func (r *adminRequest) clientID() symbolon.ClientID {
	return symbolon.ClientID(r.query.First("client_id"))
}

func (h *Handler) adminApps(ctx context.Context, r *adminRequest) (any, error) {
	apps, next, err := h.admin.Apps(ctx, r.who, admin.AppFilter{
		Owner: symbolon.AccountID(r.query.First("owner")), Text: r.query.First("q"), After: symbolon.ClientID(r.query.First("after")), Limit: r.number("limit"),
	})
	answer := appsAnswer{Apps: []admin.AppView{}, Next: string(next)}
	for i := range apps {
		answer.Apps = append(answer.Apps, admin.ViewApp(&apps[i]))
	}
	return answer, err
}

// createdApp is an app that was just registered.
type createdApp struct{ admin.AppView }

func (createdApp) made() {}

// newApp is the body of a registration: an edit of an app that has nothing yet.
type newApp struct {
	admin.AppEdit
	Public bool `json:"public"`
}

func (h *Handler) adminCreateApp(ctx context.Context, r *adminRequest) (any, error) {
	var body newApp
	if err := admin.DecodeStrict(r.body, &body); err != nil {
		return nil, err
	}
	app := symbolon.App{Public: body.Public, Owner: r.who.Account, Rotation: symbolon.RotateAlways, Scope: symbolon.Scopes{symbolon.ScopeConnect}}
	app.Settings.Status = symbolon.StatusTest
	if body.AuthMethod != nil && *body.AuthMethod == string(symbolon.AuthNone) {
		app.Public = true
	}
	if _, _, err := body.Apply(&app); err != nil {
		return nil, err
	}
	app.ID = symbolon.NewClientID() // by which the secret of a webhook is kept
	hook, err := body.WebhookSecret(h.Ring, &app, h.Engine.Now())
	if err != nil {
		return nil, err
	}
	created, err := h.admin.CreateApp(ctx, r.who, app)
	if err != nil {
		return nil, err
	}
	r.tag = admin.Tag(created.App)
	view := admin.ViewApp(created.App)
	view.ClientSecret, view.WebhookSecret = created.Secret, hook
	return createdApp{view}, nil
}

func (h *Handler) adminApp(ctx context.Context, r *adminRequest) (any, error) {
	return h.appAnswer(r)(h.admin.App(ctx, r.who, r.clientID()))
}

// appAnswer answers with an app and its tag.
func (h *Handler) appAnswer(r *adminRequest) func(*symbolon.App, error) (any, error) {
	return func(app *symbolon.App, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		r.tag = admin.Tag(app)
		return admin.ViewApp(app), nil
	}
}

func (h *Handler) adminEditApp(ctx context.Context, r *adminRequest) (any, error) {
	var edit admin.AppEdit
	if err := admin.DecodeStrict(r.body, &edit); err != nil {
		return nil, err
	}
	app, secret, err := h.changeApp(ctx, r.who, r.clientID(), r.match, &edit)
	if err != nil {
		return nil, err
	}
	r.tag = admin.Tag(app)
	view := admin.ViewApp(app)
	view.WebhookSecret = secret
	return view, nil
}

func (h *Handler) adminDeleteApp(ctx context.Context, r *adminRequest) (any, error) {
	return nil, h.admin.DeleteApp(ctx, r.who, r.clientID())
}

func (h *Handler) adminAddSecret(ctx context.Context, r *adminRequest) (any, error) {
	var body struct {
		RetireOthers bool `json:"retire_others"`
	}
	if len(r.body) > 0 {
		if err := admin.DecodeStrict(r.body, &body); err != nil {
			return nil, err
		}
	}
	created, err := h.admin.AddSecret(ctx, r.who, r.clientID(), body.RetireOthers)
	if err != nil {
		return nil, err
	}
	r.tag = admin.Tag(created.App)
	view := admin.ViewApp(created.App)
	view.ClientSecret = created.Secret
	return createdApp{view}, nil
}

func (h *Handler) adminRetireSecret(ctx context.Context, r *adminRequest) (any, error) {
	return h.appAnswer(r)(h.admin.RetireSecret(ctx, r.who, r.clientID(), r.query.First("id"), r.query.First("last") == "true"))
}

type checklistAnswer struct {
	Checks []admin.Check `json:"checks"`
}

func (h *Handler) adminChecklist(ctx context.Context, r *adminRequest) (any, error) {
	list, err := h.admin.Checklist(ctx, r.who, r.clientID())
	return checklistAnswer{list}, err
}

type connectionsAnswer struct {
	Connections []admin.ConnectionView `json:"connections"`
	Next        string                 `json:"next,omitempty"`
}

// connectionID reads an id of a connection; one that is none is zero.
func connectionID(text string) symbolon.ConnectionID {
	id, err := symbolon.ParseConnectionID(text)
	if err != nil {
		return symbolon.ConnectionID{}
	}
	return id
}

func (h *Handler) adminConnections(ctx context.Context, r *adminRequest) (any, error) {
	rows, next, err := h.admin.Connections(ctx, r.who, admin.ConnectionFilter{
		App: r.clientID(), Account: symbolon.AccountID(r.query.First("account")), Live: r.query.First("live") == "true",
		Before: connectionID(r.query.First("before")), Limit: r.number("limit"),
	})
	if err != nil {
		return nil, err
	}
	var app *symbolon.App
	if !r.who.Operator {
		if app, err = h.admin.App(ctx, r.who, r.clientID()); err != nil {
			return nil, err
		}
	}
	answer := connectionsAnswer{Connections: []admin.ConnectionView{}}
	for i := range rows {
		answer.Connections = append(answer.Connections, h.shownConnection(r.who, app, &rows[i]))
	}
	if next != (symbolon.ConnectionID{}) {
		answer.Next = next.String()
	}
	return answer, nil
}

func (h *Handler) adminEndConnections(ctx context.Context, r *adminRequest) (any, error) {
	return nil, h.admin.EndConnectionsOf(ctx, r.who, r.clientID())
}

func (h *Handler) adminEndConnection(ctx context.Context, r *adminRequest) (any, error) {
	return nil, h.admin.EndConnection(ctx, r.who, connectionID(r.query.First("id")))
}

type settingAnswer struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type settingsAnswer struct {
	Settings []settingAnswer `json:"settings"`
}

func (h *Handler) adminSettings(_ context.Context, r *adminRequest) (any, error) {
	if !r.who.Operator {
		return nil, &admin.Fault{Kind: symbolon.Denied, Says: "only an operator sees the settings"}
	}
	answer := settingsAnswer{Settings: []settingAnswer{}}
	for _, name := range slices.Sorted(maps.Keys(h.Settings)) {
		answer.Settings = append(answer.Settings, settingAnswer{name, h.Settings[name]})
	}
	return answer, nil
}
