package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
)

// adminWorld is a server with an operator (Jane), two owners, and an app of each.
type adminWorld struct {
	*fixture
	t          *testing.T
	john, mary symbolon.Account
	tool       string // the app that has the scopes of the admin API
	johns      string
	marys      string
}

func newAdminWorld(t *testing.T) *adminWorld {
	t.Helper()
	a := &adminWorld{fixture: newFixture(t), t: t}
	a.edit(jane, func(x *symbolon.Account) { x.Operator = true })
	for name, account := range map[string]*symbolon.Account{"john": &a.john, "mary": &a.mary} {
		*account = symbolon.Account{ID: symbolon.NewAccountID(), Username: name, Name: strings.ToUpper(name[:1]) + name[1:], Sandbox: true, CreatedAt: a.app.CreatedAt}
		check(t, a.store.PutAccount(t.Context(), *account))
	}
	a.tool = a.with(t, "tool", func(app *symbolon.App) {
		app.Sandbox, app.RedirectURIs = true, []string{"https://tool.example/cb"}
		app.Scope = symbolon.Scopes{"connect", oauth.ScopeAdmin, oauth.ScopeApps}
	})
	own := func(id symbolon.AccountID) func(*symbolon.App) {
		return func(app *symbolon.App) {
			app.Owner, app.Sandbox, app.RedirectURIs, app.Scope = id, true, []string{"https://owned.example/cb"}, symbolon.Scopes{"connect"}
		}
	}
	a.johns, a.marys = a.with(t, "johns", own(a.john.ID)), a.with(t, "marys", own(a.mary.ID))
	return a
}

// edit changes an account's row, as another node may.
func (a *adminWorld) edit(id symbolon.AccountID, change func(*symbolon.Account)) {
	a.t.Helper()
	rows, err := a.store.Accounts(a.t.Context(), symbolon.AccountQuery{ID: id, Limit: 1})
	check(a.t, err)
	change(&rows[0])
	check(a.t, a.store.PutAccount(a.t.Context(), rows[0]))
	check(a.t, a.feed.Poll(a.t.Context()))
}

func (a *adminWorld) resource() string { return a.URL + oauth.AdminPath }

// token returns an access token of the tool for an account, by the authorization code.
func (a *adminWorld) token(username, scope string, resources ...string) string {
	a.t.Helper()
	q := url.Values{"client_id": {a.tool}, "redirect_uri": {"https://tool.example/cb"}, "response_type": {"code"}, "scope": {scope}, "state": {"s"}, "login_hint": {username}}
	if len(resources) > 0 {
		q["resource"] = resources
	}
	resp, body := a.call(a.t, "GET", "/authorize?"+q.Encode(), nil)
	code, _ := body["code"].(string)
	if code == "" {
		a.t.Fatalf("no code for %s: %d %v", username, resp.StatusCode, body)
	}
	resp, body = a.post(a.t, "/oauth2/token", "grant_type", "authorization_code", "code", code, "redirect_uri", "https://tool.example/cb", "client_id", a.tool)
	token, _ := body["access_token"].(string)
	if token == "" {
		a.t.Fatalf("no token for %s: %d %v", username, resp.StatusCode, body)
	}
	return token
}

// ask sends a request to the admin API.
func (a *adminWorld) ask(token, method, path, body string, header ...string) (*http.Response, map[string]any) {
	a.t.Helper()
	if token != "" {
		header = append(header, "Authorization", "Bearer "+token)
	}
	if body != "" {
		header = append(header, "Content-Type", "application/json")
	}
	return a.send(a.t, method, oauth.AdminPath+path, body, header...)
}

func (a *adminWorld) wants(what string, resp *http.Response, body map[string]any, status int) map[string]any {
	a.t.Helper()
	if resp.StatusCode != status {
		a.t.Fatalf("%s: %d %v, want %d", what, resp.StatusCode, body, status)
	}
	return body
}

// Who may do what: by nobody, by another owner, by the owner, by an operator; and each
// token that is for something else. Whatever is refused says nothing of what is there.
func TestAdminAPIMatrix(t *testing.T) {
	a := newAdminWorld(t)
	operator := a.token("jane", oauth.ScopeAdmin, a.resource())
	owner, other := a.token("john", oauth.ScopeApps, a.resource()), a.token("mary", oauth.ScopeApps, a.resource())
	john, johns := string(a.john.ID), "?client_id="+a.johns
	for _, c := range []struct {
		method, path, body             string
		nobody, other, mine, operators int
	}{
		{"GET", "/me", "", 401, 200, 200, 200},
		{"GET", "/apps", "", 401, 200, 200, 200},
		{"GET", "/app" + johns, "", 401, 404, 200, 200},
		{"GET", "/app?client_id=sym_app_nope", "", 401, 404, 404, 404},
		{"GET", "/app/checklist" + johns, "", 401, 404, 200, 200},
		{"PATCH", "/app" + johns, `{"name":"New name"}`, 401, 404, 200, 200},
		{"PATCH", "/app" + johns, `{"name":""}`, 401, 404, 400, 400},
		{"PATCH", "/app" + johns, `{"nonsense":1}`, 401, 400, 400, 400},
		{"PATCH", "/app" + johns, `{"owner":"` + jane + `"}`, 401, 404, 403, 200},
		{"PATCH", "/app" + johns, `{"owner":"` + john + `"}`, 401, 404, 404, 200}, // it is Jane's now
		{"PATCH", "/app" + johns, `{"scope":"connect symbolon.admin"}`, 401, 404, 403, 200},
		{"PATCH", "/app" + johns, `{"scope":"connect"}`, 401, 404, 200, 200},
		{"PATCH", "/app" + johns, `{"api":true}`, 401, 404, 403, 200},
		{"PATCH", "/app" + johns, `{"grant_types":["authorization_code","client_credentials"]}`, 401, 404, 403, 200},
		{"PATCH", "/app" + johns, `{"token_endpoint_auth_method":"tls_client_auth","tls_subject":"dns:a.example"}`, 401, 404, 403, 200},
		{"PATCH", "/app" + johns, `{"token_endpoint_auth_method":"client_secret","tls_subject":"","api":false,"grant_types":[]}`, 401, 404, 200, 200},
		{"POST", "/app/secret" + johns, "", 401, 404, 201, 201},
		{"DELETE", "/app/secret" + johns + "&id=nope", "", 401, 404, 404, 404},
		{"GET", "/connections" + johns, "", 401, 404, 200, 200},
		{"GET", "/connections", "", 401, 404, 404, 200}, // an owner names an app
		{"GET", "/connections?account=" + jane, "", 401, 404, 404, 200},
		{"DELETE", "/connection?id=" + symbolon.NewConnectionID(a.app.CreatedAt).String(), "", 401, 404, 404, 404},
		{"DELETE", "/connection", "", 401, 404, 404, 404},
		{"DELETE", "/connections" + johns, "", 401, 404, 200, 200},
		{"DELETE", "/connections", "", 401, 404, 404, 404},
		{"GET", "/accounts", "", 401, 403, 403, 200},
		{"GET", "/account?id=" + john, "", 401, 403, 403, 200},
		{"GET", "/account?username=john", "", 401, 403, 403, 200},
		{"GET", "/account?username=nobody", "", 401, 403, 403, 404},
		{"PATCH", "/account?id=" + john, `{"user":"Johnny"}`, 401, 403, 403, 200},
		{"PATCH", "/account?id=" + jane, `{"operator":false}`, 401, 403, 403, 403},
		{"POST", "/account/disable?id=" + jane, "", 401, 403, 403, 403},
		{"DELETE", "/account?id=" + jane, "", 401, 403, 403, 403},
		{"POST", "/accounts", `{"username":"new","with_password":true}`, 401, 403, 403, 201},
		{"POST", "/accounts", `{"username":"new"}`, 401, 403, 403, 409},
		{"POST", "/accounts", `{"username":" "}`, 401, 400, 400, 400},
		{"GET", "/scopes", "", 401, 200, 200, 200},
		{"POST", "/scopes", `{"name":"reports.read","description":"see your reports","translations":{"cs":"číst vaše přehledy"}}`, 401, 403, 403, 200},
		{"POST", "/scopes", `{"name":"reports.read","description":" "}`, 401, 403, 403, 400},
		{"POST", "/scopes", `{"name":"two names","description":"x"}`, 401, 403, 403, 400},
		{"POST", "/scopes", `{"name":"reports.read","description":"x","translations":{"nonsense":"x"}}`, 401, 403, 403, 400},
		{"POST", "/scopes", `{"name":"symbolon.admin","description":"nothing much"}`, 401, 403, 403, 403},
		{"POST", "/scopes", `{"name":"openid","description":"nothing much"}`, 401, 403, 403, 409},
		{"POST", "/scopes", `{"nonsense":1}`, 401, 403, 403, 400},
		{"PATCH", "/app" + johns, `{"scope":"connect reports.read"}`, 401, 404, 200, 200}, // owners may give it
		{"DELETE", "/scope?name=reports.read", "", 401, 403, 403, 200},
		{"DELETE", "/scope?name=reports.read", "", 401, 403, 403, 404},
		{"DELETE", "/scope?name=openid", "", 401, 403, 403, 409},
		{"DELETE", "/scope", "", 401, 403, 403, 400},
		{"GET", "/settings", "", 401, 403, 403, 200},
		{"POST", "/apps", `{"name":"Mine","redirect_uris":["https://a.example/cb"]}`, 401, 403, 403, 201}, // operators register here
		{"DELETE", "/app" + johns, "", 401, 404, 200, 404},
		{"GET", "/app" + johns, "", 401, 404, 404, 404},
	} {
		for who, call := range []struct {
			token string
			want  int
		}{{"", c.nobody}, {other, c.other}, {owner, c.mine}, {operator, c.operators}} {
			resp, body := a.ask(call.token, c.method, c.path, c.body)
			if resp.StatusCode != call.want {
				t.Errorf("%s %s %s by %d: %d %v, want %d", c.method, c.path, c.body, who, resp.StatusCode, body, call.want)
			}
			if resp.StatusCode >= 400 && (body["error"] == nil || body["error_description"] == nil || body["request_id"] != resp.Header.Get("X-Request-Id")) {
				t.Errorf("%s %s: %v", c.method, c.path, body)
			}
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s may be kept: %q", c.method, c.path, resp.Header.Get("Cache-Control"))
			}
		}
	}
	resp, body := a.ask(operator, "GET", "/apps?owner="+string(a.mary.ID), "")
	if list := a.wants("apps of Mary", resp, body, 200)["apps"].([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	resp, body = a.ask(other, "GET", "/apps?owner="+jane, "")
	if list := a.wants("an owner asks for another's", resp, body, 200)["apps"].([]any); len(list) != 1 || list[0].(map[string]any)["client_id"] != a.marys {
		t.Errorf("an owner sees %v", list)
	}
}

// A token for one thing is not good for another: the confused deputy, both ways.
func TestAdminAPITokensAreForItAlone(t *testing.T) {
	a := newAdminWorld(t)
	// An ordinary token of the operator's, of the same app: it rules nothing.
	plain := a.token("jane", "connect")
	resp, body := a.ask(plain, "GET", "/me", "")
	a.wants("an ordinary token", resp, body, 401)
	// A token for the admin API is none for the API beside it.
	operator := a.token("jane", oauth.ScopeAdmin, a.resource())
	resp, body = a.call(t, "GET", "/info", nil, "Authorization", "Bearer "+operator)
	a.wants("an admin token at /info", resp, body, 401)
	// What asks for the scopes without the resource, or for the resource beside another,
	// gets no code; nor does an app that registered itself, or that lacks the scope.
	loose := a.with(t, "loose", func(app *symbolon.App) {
		app.Sandbox, app.RedirectURIs, app.Scope = true, []string{"https://tool.example/cb"}, symbolon.Scopes{"connect", "admin"}
	})
	wild := a.with(t, "wild", func(app *symbolon.App) {
		app.Sandbox, app.RedirectURIs, app.Scope = true, []string{"https://tool.example/cb"}, symbolon.Scopes{"connect", oauth.ScopeAdmin}
		app.Settings.Registration = &symbolon.Registration{ClientID: "sym_app_wild"}
	})
	for _, c := range []struct {
		app, scope string
		resources  []string
		code       string
	}{
		{a.tool, oauth.ScopeAdmin, nil, "invalid_target"},
		{a.tool, oauth.ScopeAdmin, []string{"https://api.example"}, "invalid_target"},
		{a.tool, oauth.ScopeAdmin, []string{a.resource(), "https://api.example"}, "invalid_target"},
		{a.tool, "connect", []string{a.resource()}, "invalid_target"},
		{loose, "admin", []string{a.resource()}, "invalid_target"},
		{loose, oauth.ScopeAdmin, []string{a.resource()}, "invalid_scope"},
		{wild, oauth.ScopeAdmin, []string{a.resource()}, "invalid_target"},
	} {
		q := url.Values{"client_id": {c.app}, "redirect_uri": {"https://tool.example/cb"}, "response_type": {"code"}, "scope": {c.scope}, "state": {"s"}, "login_hint": {"jane"}, "resource": c.resources}
		resp, body := a.call(t, "GET", "/authorize?"+q.Encode(), nil)
		if body["error"] != c.code {
			t.Errorf("%s %s %v: %d %v, want %s", c.app, c.scope, c.resources, resp.StatusCode, body, c.code)
		}
	}
	// An app in its own name: only with the grant by name and the scope.
	job := a.with(t, "job", func(app *symbolon.App) {
		app.Scope, app.Settings.Grants = symbolon.Scopes{oauth.ScopeAdmin}, []symbolon.GrantType{symbolon.GrantClient}
	})
	resp, body = a.post(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", job, "scope", oauth.ScopeAdmin, "resource", a.resource())
	own := a.wants("client_credentials", resp, body, 200)["access_token"].(string)
	resp, body = a.ask(own, "GET", "/accounts", "")
	a.wants("an app in its own name", resp, body, 200)
	resp, body = a.post(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", a.tool, "scope", oauth.ScopeAdmin, "resource", a.resource())
	sandbox := a.wants("client_credentials by default", resp, body, 200)["access_token"].(string)
	resp, body = a.ask(sandbox, "GET", "/accounts", "")
	a.wants("a sandbox app that was not given the grant", resp, body, 401)
	// Taken from the app, the scope is gone from its tokens as well.
	rows, err := a.store.Apps(t.Context(), symbolon.AppQuery{ID: symbolon.ClientID(job), Limit: 1})
	check(t, err)
	rows[0].Scope = symbolon.Scopes{"connect"}
	check(t, a.store.PutApp(t.Context(), rows[0]))
	check(t, a.feed.Poll(t.Context()))
	resp, body = a.ask(own, "GET", "/accounts", "")
	a.wants("an app whose scope was taken", resp, body, 403)
	// Wrong ways to show one.
	resp, body = a.call(t, "GET", oauth.AdminPath+"/me?access_token="+operator, nil)
	if resp.StatusCode == 200 {
		t.Errorf("in the query: %v", body)
	}
}

// An operator is one as long as the row says so, whatever the token says.
func TestAdminAPIAndAnOperatorWhoIsNoneAnyMore(t *testing.T) {
	a := newAdminWorld(t)
	both := a.token("jane", oauth.ScopeAdmin+" "+oauth.ScopeApps, a.resource())
	admins := a.token("jane", oauth.ScopeAdmin, a.resource())
	johns := a.token("john", oauth.ScopeAdmin, a.resource()) // he may ask; he is none
	resp, body := a.ask(johns, "GET", "/me", "")
	a.wants("someone who is no operator", resp, body, 403)
	a.edit(jane, func(x *symbolon.Account) { x.Operator = false })
	resp, body = a.ask(admins, "GET", "/accounts", "")
	a.wants("demoted", resp, body, 403)
	resp, body = a.ask(both, "GET", "/me", "")
	if a.wants("demoted, for her own apps", resp, body, 200)["operator"] != false {
		t.Errorf("%v", body)
	}
	resp, body = a.ask(both, "GET", "/accounts", "")
	a.wants("demoted, for accounts", resp, body, 403)
	// An operator's token for apps alone is no operator's.
	a.edit(jane, func(x *symbolon.Account) { x.Operator = true })
	apps := a.token("jane", oauth.ScopeApps, a.resource())
	resp, body = a.ask(apps, "GET", "/app?client_id="+a.johns, "")
	a.wants("an operator's token for apps", resp, body, 404)
	a.edit(jane, func(x *symbolon.Account) { x.DisabledAt, x.NotBefore = a.handler.Engine.Now(), a.handler.Engine.Now() })
	resp, body = a.ask(both, "GET", "/me", "")
	a.wants("disabled", resp, body, 401)
}

// Whoever has the password alone of an account that more protects gets no further by a
// token than in the console.
func TestAdminAPITakesWhatTheConsoleTakes(t *testing.T) {
	a := newAdminWorld(t)
	operator, owner := a.token("jane", oauth.ScopeAdmin, a.resource()), a.token("john", oauth.ScopeApps, a.resource())
	resp, body := a.ask(operator, "GET", "/me", "")
	a.wants("before there is a passkey", resp, body, 200)
	for _, id := range []symbolon.AccountID{jane, a.john.ID} {
		a.edit(id, func(x *symbolon.Account) {
			x.Factors.Passkeys = []symbolon.Passkey{{ID: []byte(x.ID[:16]), Name: "key", AddedAt: x.CreatedAt}}
		})
	}
	for _, token := range []string{operator, owner} {
		resp, body = a.ask(token, "POST", "/app/secret?client_id="+a.johns, "")
		a.wants("by the password alone", resp, body, 401)
		if how := resp.Header.Get("WWW-Authenticate"); body["error"] != "insufficient_user_authentication" || !strings.Contains(how, `acr_values="`+oauth.ACRPasskey+`"`) {
			t.Errorf("%v %s", body, how)
		}
	}
}

// An edit of what was changed meanwhile is refused, and that a secret was used is no such
// change.
func TestAdminAPITags(t *testing.T) {
	a := newAdminWorld(t)
	operator := a.token("jane", oauth.ScopeAdmin, a.resource())
	path := "/app?client_id=" + a.johns
	resp, _ := a.ask(operator, "GET", path, "")
	tag := resp.Header.Get("ETag")
	resp, body := a.post(t, "/oauth2/token", "grant_type", "refresh_token", "refresh_token", "x", "client_id", a.johns) // proves itself
	if body["error"] != "invalid_grant" {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	check(t, a.handler.Engine.RecordUses(t.Context()))
	check(t, a.feed.Poll(t.Context()))
	_, body = a.ask(operator, "GET", path, "")
	if used := body["secrets"].([]any)[0].(map[string]any)["used_at"]; used == nil {
		t.Errorf("the use of the secret was not recorded: %v", body["secrets"])
	}
	// So it is with scopes.
	resp, _ = a.ask(operator, "POST", "/scopes", `{"name":"a","description":"one"}`)
	one := resp.Header.Get("ETag")
	resp, body = a.ask(operator, "POST", "/scopes", `{"name":"a","description":"two"}`, "If-Match", one)
	a.wants("the second sentence", resp, body, 200)
	for method, path := range map[string]string{"POST": "/scopes", "DELETE": "/scope?name=a"} {
		text := ""
		if method == "POST" {
			text = `{"name":"a","description":"three"}`
		}
		resp, body = a.ask(operator, method, path, text, "If-Match", one)
		a.wants(method+" with an old tag", resp, body, 412)
	}
	if resp, body = a.ask(operator, "GET", "/scope?name=a", ""); body["description"] != "two" || body["from"] != "operator" || resp.Header.Get("ETag") == "" || resp.Header.Get("ETag") == one {
		t.Errorf("%v %v", resp.Header, body)
	}
	resp, body = a.ask(operator, "GET", "/scope?name=nothing", "")
	a.wants("a scope of which nothing is said", resp, body, 404)
	resp, body = a.ask(operator, "PATCH", path, `{"name":"First"}`, "If-Match", tag)
	a.wants("with the tag", resp, body, 200)
	resp, body = a.ask(operator, "PATCH", path, `{"name":"Second"}`, "If-Match", tag)
	if a.wants("with a tag of before", resp, body, 412)["error"] != "precondition_failed" {
		t.Errorf("%v", body)
	}
	for _, bad := range []string{`""`, `"a","b"`, "x"} {
		resp, body = a.ask(operator, "PATCH", path, `{"name":"Third"}`, "If-Match", bad)
		a.wants("with the tag "+bad, resp, body, 412)
	}
	_, body = a.ask(operator, "GET", path, "")
	if body["name"] != "First" {
		t.Errorf("%v", body["name"])
	}
}

// The description names every route with its methods, and every member that is answered
// or taken.
func TestAdminDescription(t *testing.T) {
	a := newAdminWorld(t)
	_, text := a.get("/admin/openapi.json")
	var doc struct {
		Servers    []struct{ URL string }
		Paths      map[string]map[string]struct{ Responses map[string]any }
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	check(t, json.Unmarshal([]byte(text), &doc))
	if doc.Servers[0].URL != a.URL || bytes.Contains([]byte(text), []byte(exampleIssuer)) {
		t.Errorf("it is for %v", doc.Servers)
	}
	document, err := libopenapi.NewDocument([]byte(text))
	check(t, err)
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, p := range problems {
			t.Errorf("it is not OpenAPI 3.1: %s: %s", p.Message, p.Reason)
		}
	}
	routes := 0
	for _, r := range a.handler.adminRoutes() {
		for method, there := range map[string]bool{"get": r.get != nil, "post": r.post != nil, "patch": r.patch != nil, "delete": r.delete != nil} {
			if _, described := doc.Paths[r.path][method]; r.path != "/admin/openapi.json" && described != there {
				t.Errorf("%s %s: described %v, there %v", method, r.path, described, there)
			}
		}
		routes++
	}
	if routes != len(doc.Paths)+1 {
		t.Errorf("%d routes, %d described", routes, len(doc.Paths))
	}
	for name, types := range map[string][]reflect.Type{
		"App": {reflect.TypeFor[admin.AppView]()}, "AppEdit": {reflect.TypeFor[admin.AppEdit]()}, "NewApp": {reflect.TypeFor[newApp]()},
		"Connection": {reflect.TypeFor[admin.ConnectionView]()}, "Account": {reflect.TypeFor[admin.AccountView]()}, "AccountEdit": {reflect.TypeFor[accountEdit]()},
		"NewAccount": {reflect.TypeFor[newAccount]()}, "AccountWithPassword": {reflect.TypeFor[accountWithPassword]()}, "Me": {reflect.TypeFor[meAnswer]()},
		"Apps": {reflect.TypeFor[appsAnswer]()}, "Accounts": {reflect.TypeFor[accountsAnswer]()}, "Connections": {reflect.TypeFor[connectionsAnswer]()},
		"Checklist": {reflect.TypeFor[checklistAnswer]()}, "Scopes": {reflect.TypeFor[scopesAnswer]()}, "Scope": {reflect.TypeFor[scopeAnswer]()}, "NewScope": {reflect.TypeFor[scopeBody]()}, "Settings": {reflect.TypeFor[settingsAnswer]()},
		"Request": {reflect.TypeFor[symbolon.TrailEntry]()}, "Requests": {reflect.TypeFor[requestsAnswer]()},
	} {
		var want, got []string
		for _, typ := range types {
			want = append(want, jsonMembers(typ)...)
		}
		for property := range doc.Components.Schemas[name].Properties {
			got = append(got, property)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s is described with\n%v, and has\n%v", name, got, want)
		}
	}
	// And what is answered is as described.
	operator := a.token("jane", oauth.ScopeAdmin, a.resource())
	for _, path := range []string{"/me", "/apps", "/app?client_id=" + a.johns, "/app/checklist?client_id=" + a.johns, "/connections", "/requests", "/requests?client_id=" + a.johns, "/accounts", "/account?username=john", "/scopes", "/settings"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", a.resource()+path, nil)
		check(t, err)
		req.Header.Set("Authorization", "Bearer "+operator)
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		if ok, problems := v.ValidateHttpResponse(req, resp); !ok {
			for _, p := range problems {
				t.Errorf("%s: %s %s", path, p.Message, p.Reason)
			}
		}
		resp.Body.Close()
	}
}

// jsonMembers are the names of a struct's members in JSON.
func jsonMembers(typ reflect.Type) []string {
	var list []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			list = append(list, jsonMembers(f.Type)...)
		case name != "-" && name != "":
			list = append(list, name)
		}
	}
	return list
}
