package web

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
)

// at returns a browser in which an account is signed in.
func (a *adminWorld) at(id symbolon.AccountID) *browserOf {
	a.t.Helper()
	b := &browserOf{t: a.t, f: a.fixture, accept: "text/html"}
	resp, page := b.get(consolePath)
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "/sign-in") {
		a.t.Fatalf("%d, want the page to sign in", resp.StatusCode)
	}
	resp, page = b.send("/sign-in", page, "sandbox", string(id))
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "Signed in as") {
		a.t.Fatalf("after the sign-in: %d %.600s", resp.StatusCode, page)
	}
	return b
}

// age makes the browser's sign-in older.
func (a *adminWorld) age(b *browserOf, id symbolon.AccountID, by time.Duration) {
	a.t.Helper()
	raw, err := cookieText.DecodeString(b.jar[sessionCookie])
	check(a.t, err)
	now := a.handler.Engine.Now()
	check(a.t, a.store.SignIn(a.t.Context(), symbolon.Session{ID: symbolon.NewSessionID(), Browser: sha256.Sum256(raw), Account: id, AuthAt: now.Add(-by), ExpiresAt: now.Add(time.Hour)}, [32]byte{}))
}

func (a *adminWorld) theApp(id string) *symbolon.App {
	a.t.Helper()
	rows, err := a.store.Apps(a.t.Context(), symbolon.AppQuery{ID: symbolon.ClientID(id), Limit: 1})
	check(a.t, err)
	if len(rows) == 0 {
		return nil
	}
	return &rows[0]
}

var secretShown = regexp.MustCompile(`<dt><code>client_secret</code></dt><dd><code>(sym_secret_[A-Z0-9]+)</code>`)

// From a preset to a connection and its end, by the pages alone.
func TestConsoleFromPresetToConnection(t *testing.T) {
	a := newAdminWorld(t)
	b := a.at(jane)
	_, page := b.get("/console/new?preset=claude")
	wants(t, page, "https://claude.ai/api/mcp/auth_callback")
	fields := []string{"preset", "claude", "name", "My Claude", "home", "https://example.com/", "redirect_uris", "https://claude.ai/api/mcp/auth_callback\r\nhttps://claude.com/api/mcp/auth_callback\r\n", "auth", "client_secret", "pkce", "on", "scope.connect", "on"}
	form := append([]string{"flow", flowOf(t, page)}, fields...)
	resp, page := b.post("/console/new", form...)
	found := secretShown.FindStringSubmatch(page)
	if resp.StatusCode != 200 || found == nil || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %.2000s", resp.StatusCode, resp.Header, page)
	}
	id := regexp.MustCompile(`<dt><code>client_id</code></dt><dd><code>([a-z0-9_]+)</code>`).FindStringSubmatch(page)[1]
	app := a.theApp(id)
	if app.Owner != jane || !app.CheckSecret(found[1]) || !app.RequirePKCE || len(app.RedirectURIs) != 2 || app.Settings.Status != symbolon.StatusTest || !app.Sandbox {
		t.Errorf("%+v", app)
	}
	// The page that was loaded again registers nothing more, and shows no secret.
	before, _, err := a.handler.admin.Apps(t.Context(), admin.Actor{Operator: true}, admin.AppFilter{})
	check(t, err)
	if resp, page = b.post("/console/new", form...); resp.StatusCode != http.StatusSeeOther || strings.Contains(page, "sym_secret_") {
		t.Errorf("posted again: %d", resp.StatusCode)
	}
	if after, _, _ := a.handler.admin.Apps(t.Context(), admin.Actor{Operator: true}, admin.AppFilter{}); len(after) != len(before) {
		t.Errorf("%d apps, then %d", len(before), len(after))
	}
	// Someone who is no test account gets a page, and the app nothing.
	check(t, a.feed.Poll(t.Context()))
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"client_id": {id}, "redirect_uri": {app.RedirectURIs[0]}, "response_type": {"code"}, "scope": {"connect"}, "state": {"s"}, "code_challenge": {cookieText.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	stranger := a.at(a.mary.ID)
	if resp, page = stranger.get("/oauth2/authorize?" + q.Encode()); resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, "being tried out") || resp.Header.Get("Location") != "" {
		t.Errorf("a stranger: %d %.500s", resp.StatusCode, page)
	}
	// prompt=none is answered to the app.
	silent := url.Values{"prompt": {"none"}}
	for k, v := range q {
		silent[k] = v
	}
	if resp, _ = stranger.get("/oauth2/authorize?" + silent.Encode()); !strings.Contains(resp.Header.Get("Location"), "error=access_denied") {
		t.Errorf("a stranger, silently: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	// Its owner connects it.
	_, page = b.get("/oauth2/authorize?" + q.Encode())
	resp, _ = b.post("/consent", "flow", flowOf(t, page), "action", "allow")
	to, err := url.Parse(resp.Header.Get("Location"))
	check(t, err)
	_, tokens := a.call(t, "POST", "/oauth2/token", url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {app.RedirectURIs[0]}, "client_id": {id}, "client_secret": {found[1]}, "code_verifier": {verifier}})
	if tokens["access_token"] == nil {
		t.Fatalf("%v", tokens)
	}
	_, page = b.get(appAddress(app.ID))
	wants(t, page, "Jane Doe")
	// One more secret, and the first retired.
	resp, page = b.send(appAddress(app.ID), page, "action", "secret")
	second := secretShown.FindStringSubmatch(page)
	if resp.StatusCode != 200 || second == nil || !a.theApp(id).CheckSecret(second[1]) || !a.theApp(id).CheckSecret(found[1]) {
		t.Fatalf("a further secret: %d %.500s", resp.StatusCode, page)
	}
	_, page = b.get(appAddress(app.ID))
	if strings.Contains(page, second[1]) || strings.Contains(page, found[1]) {
		t.Error("a secret is shown a second time")
	}
	b.send(appAddress(app.ID), page, "action", "retire", "secret", app.Secrets[0].ID)
	if a.theApp(id).CheckSecret(found[1]) {
		t.Error("the retired secret is honoured")
	}
	// Live, then the end of the connection, then of the app.
	_, page = b.send(appAddress(app.ID), page, "action", "live")
	if a.theApp(id).Settings.Status != symbolon.StatusLive {
		t.Errorf("not live: %.1500s", page)
	}
	rows, err := a.store.Connections(t.Context(), symbolon.ConnectionQuery{Client: app.ID, Limit: 2})
	check(t, err)
	b.send(appAddress(app.ID), page, "action", "end", "id", rows[0].ID.String())
	if resp, body := a.call(t, "GET", "/info", nil, "Authorization", "Bearer "+tokens["access_token"].(string)); resp.StatusCode != 401 {
		t.Errorf("the token of a connection that was ended: %d %v", resp.StatusCode, body)
	}
	if resp, _ = b.send(appAddress(app.ID), page, "action", "delete", "confirm", "another name"); resp.StatusCode != 400 || a.theApp(id) == nil {
		t.Errorf("deleted without its name: %d", resp.StatusCode)
	}
	b.send(appAddress(app.ID), page, "action", "delete", "confirm", "My Claude")
	if a.theApp(id) != nil {
		t.Error("it is not deleted")
	}
}

// What is another's is not there, for each action; and nothing comes of a form of another
// site, of another browser, or without a sign-in.
func TestConsoleIsEachOnesOwn(t *testing.T) {
	a := newAdminWorld(t)
	john := a.at(a.john.ID)
	_, page := john.get(appAddress(symbolon.ClientID(a.johns)))
	wants(t, page, "client_id")
	before := *a.theApp(a.marys)
	for _, action := range []string{"edit", "secret", "retire", "live", "test", "tester", "untester", "owner", "end", "end-all", "delete", ""} {
		resp, text := john.post(appAddress(symbolon.ClientID(a.marys)), "flow", flowOf(t, page), "action", action, "confirm", before.Name, "name", "Stolen", "secret", before.Secrets[0].ID, "last", "1", "username", "john", "id", string(a.john.ID),
			"redirect_uris", "https://evil.example/cb", "auth", "client_secret", "scope.connect", "on", "tag", admin.Tag(&before))
		if resp.StatusCode != http.StatusNotFound || strings.Contains(text, "sym_secret") {
			t.Errorf("%s of another's app: %d", action, resp.StatusCode)
		}
	}
	if after := a.theApp(a.marys); after == nil || admin.Tag(after) != admin.Tag(&before) || after.Version != before.Version {
		t.Errorf("another's app was changed: %+v", after)
	}
	for _, path := range []string{appAddress(symbolon.ClientID(a.marys)), "/console/app", "/console/app?app=nope", "/console/accounts", "/console/account?id=" + jane, "/console/scopes"} {
		if resp, _ := john.get(path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, resp.StatusCode)
		}
	}
	// A form of one page is none of another; and that of an operator who is none any more
	// does nothing.
	for _, path := range []string{"/console/accounts", "/console/account?id=" + string(a.mary.ID), "/console/scopes"} {
		if resp, _ := john.post(path, "flow", flowOf(t, page), "action", "password", "username", "evil"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s with the form of an app: %d", path, resp.StatusCode)
		}
		a.edit(a.john.ID, func(account *symbolon.Account) { account.Operator = true })
		_, form := john.get(path)
		a.edit(a.john.ID, func(account *symbolon.Account) { account.Operator = false })
		if resp, _ := john.post(path, "flow", flowOf(t, form), "action", "password", "username", "evil", "name", "evil", "sentence", "do nothing much"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, resp.StatusCode)
		}
	}
	if stored, err := a.store.Scopes(t.Context()); err != nil || len(stored) != 0 {
		t.Errorf("scopes were said something of: %v, %v", stored, err)
	}
	if resp, _ := john.get("/console/new"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("registering where operators do: %d", resp.StatusCode)
	}
	// A connection of another's app, ended by way of one's own.
	tokens := a.tokens(t)
	rows, err := a.store.Connections(t.Context(), symbolon.ConnectionQuery{Client: a.app.ID, Limit: 1})
	check(t, err)
	if resp, _ := john.post(appAddress(symbolon.ClientID(a.johns)), "flow", flowOf(t, page), "action", "end", "id", rows[0].ID.String()); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another's connection: %d", resp.StatusCode)
	}
	if resp, _ := a.call(t, "GET", "/info", nil, "Authorization", "Bearer "+tokens["access_token"].(string)); resp.StatusCode != 200 {
		t.Errorf("it was ended: %d", resp.StatusCode)
	}
	// Another browser brings John's form; and one that is not signed in any more.
	mary := a.at(a.mary.ID)
	if resp, _ := mary.post(appAddress(symbolon.ClientID(a.johns)), "flow", flowOf(t, page), "action", "delete", "confirm", "johns"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another browser: %d", resp.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", a.URL+appAddress(symbolon.ClientID(a.johns)), strings.NewReader(url.Values{"flow": {flowOf(t, page)}, "action": {"delete"}, "confirm": {"johns"}}.Encode()))
	check(t, err)
	req.Header.Set("Content-Type", formType)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	for name, value := range john.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden || a.theApp(a.johns) == nil {
		t.Errorf("another site: %d", resp.StatusCode)
	}
	check(t, a.handler.Engine.SignOut(t.Context(), sha256.Sum256(func() []byte { raw, _ := cookieText.DecodeString(john.jar[sessionCookie]); return raw }()), ""))
	if resp, _ := john.post(appAddress(symbolon.ClientID(a.johns)), "flow", flowOf(t, page), "action", "delete", "confirm", "johns"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/continue") || a.theApp(a.johns) == nil {
		t.Errorf("signed out: %d", resp.StatusCode)
	}
}

// Dangerous things take a sign-in of the last 15 minutes; harmless ones do not.
func TestConsoleAsksForARecentSignIn(t *testing.T) {
	a := newAdminWorld(t)
	b := a.at(jane)
	a.age(b, jane, 16*time.Minute)
	address := appAddress(symbolon.ClientID(a.johns))
	_, page := b.get(address)
	secrets := len(a.theApp(a.johns).Secrets)
	for _, action := range risky {
		resp, _ := b.post(address, "flow", flowOf(t, page), "action", action, "confirm", "johns", "username", "mary", "secret", a.theApp(a.johns).Secrets[0].ID, "last", "1")
		if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/continue") {
			t.Errorf("%s: %d %s", action, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if app := a.theApp(a.johns); app == nil || len(app.Secrets) != secrets || app.Owner != a.john.ID {
		t.Fatalf("it was done: %+v", app)
	}
	resp, _ := b.post(address, "flow", flowOf(t, page), "action", "test")
	if resp.StatusCode != http.StatusSeeOther || a.theApp(a.johns).Settings.Status != symbolon.StatusTest {
		t.Errorf("what is harmless: %d", resp.StatusCode)
	}
	for path, form := range map[string][]string{"/console/accounts": {"username", "new"}, "/console/account?id=" + string(a.mary.ID): {"action", "disable"}} {
		_, page := b.get(path)
		if resp, _ := b.post(path, append(form, "flow", flowOf(t, page))...); !strings.HasPrefix(resp.Header.Get("Location"), "/continue") {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	// The page says why, and after the sign-in it is back where it was.
	resp, page = b.send(address, page, "action", "secret")
	wants(t, page, "last 15 minutes")
	resp, page = b.send("/sign-in", page, "sandbox", jane)
	if resp.StatusCode != 200 {
		t.Fatalf("%d", resp.StatusCode)
	}
	resp, page = b.send(address, page, "action", "secret")
	if secretShown.FindString(page) == "" {
		t.Errorf("after the sign-in: %d %.500s", resp.StatusCode, page)
	}
}

// Operators manage accounts; what was typed wrong is told and kept, and names are shown
// as they are.
func TestConsoleAccountsAndForms(t *testing.T) {
	a := newAdminWorld(t)
	b := a.at(jane)
	_, page := b.get("/console/accounts")
	resp, page := b.send("/console/accounts", page, "username", "Newcomer", "name", `<script>alert(1)</script>`)
	if resp.StatusCode != 200 || !strings.Contains(page, "shown this once") {
		t.Fatalf("%d %.500s", resp.StatusCode, page)
	}
	rows, err := a.store.Accounts(t.Context(), symbolon.AccountQuery{Username: "newcomer", Limit: 1})
	check(t, err)
	plain := regexp.MustCompile(`<code>([a-z2-7]{6}-[a-z2-7-]+)</code>`).FindStringSubmatch(page)[1]
	if ok, err := a.handler.Hasher.Check(t.Context(), rows[0].Password, plain); !ok || err != nil {
		t.Errorf("the password does not open the account: %v %v", ok, err)
	}
	address := accountAddress(rows[0].ID)
	_, page = b.get(address)
	if strings.Contains(page, "<script>alert") {
		t.Error("a name is markup")
	}
	for _, c := range []struct {
		action string
		done   func(*symbolon.Account) bool
	}{
		{"disable", func(x *symbolon.Account) bool { return !x.Enabled() }},
		{"enable", func(x *symbolon.Account) bool { return x.Enabled() }},
		{"edit", func(x *symbolon.Account) bool { return x.Operator && x.Name == "New" }},
	} {
		b.send(address, page, "action", c.action, "name", "New", "operator", "on", "tag", func() string {
			now, err := a.handler.admin.Account(t.Context(), admin.Actor{Operator: true}, string(rows[0].ID))
			check(t, err)
			return admin.AccountTag(now)
		}())
		now, err := a.handler.admin.Account(t.Context(), admin.Actor{Operator: true}, string(rows[0].ID))
		check(t, err)
		if !c.done(now) {
			t.Errorf("%s: %+v", c.action, now)
		}
	}
	if resp, _ = b.send(accountAddress(jane), page, "action", "disable"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("an operator locks itself out: %d", resp.StatusCode)
	}
	b.send(address, page, "action", "delete", "confirm", "newcomer")
	if resp, _ = b.get(address); resp.StatusCode != http.StatusNotFound {
		t.Errorf("deleted: %d", resp.StatusCode)
	}
	// A preset whose address has a part to fill in is not registered with the braces.
	_, page = b.get("/console/new?preset=zapier")
	resp, page = b.send("/console/new", page, "preset", "zapier", "name", "Zap \"&<", "redirect_uris", "https://zapier.com/dashboard/auth/oauth/return/{App}/", "auth", "client_secret", "scope.connect", "on")
	if resp.StatusCode != 400 || !strings.Contains(page, "braces") || !strings.Contains(page, `value="Zap &#34;&amp;&lt;"`) {
		t.Errorf("%d %.3000s", resp.StatusCode, page)
	}
	for _, pairs := range [][]string{{"name", ""}, {"redirect_uris", "javascript:alert(1)"}, {"redirect_uris", ""}, {"home", "http://x.example"}, {"scope.connect", ""}, {"auth", "nonsense"}} {
		form := map[string]string{"name": "X", "redirect_uris": "https://x.example/cb", "auth": "client_secret", "scope.connect": "on"}
		form[pairs[0]] = pairs[1]
		list := []string{}
		for k, v := range form {
			list = append(list, k, v)
		}
		if resp, _ := b.send("/console/new", page, list...); resp.StatusCode != 400 {
			t.Errorf("%v: %d", pairs, resp.StatusCode)
		}
	}
	// A scope of the admin API is not to be had by ticking.
	b.send("/console/new", page, "name", "Greedy", "redirect_uris", "https://x.example/cb", "auth", "client_secret", "scope.connect", "on", "scope."+oauth.ScopeAdmin, "on")
	apps, _, err := a.handler.admin.Apps(t.Context(), admin.Actor{Operator: true}, admin.AppFilter{Text: "greedy"})
	check(t, err)
	if len(apps) != 1 || apps[0].Scope.Has(oauth.ScopeAdmin) {
		t.Errorf("%+v", apps)
	}
}

// Where codes go to and by what an app proves itself is changed by who has just signed in:
// a browser that was left open must not do with it what it must not do by a new secret.
func TestConsoleAsksForARecentSignInToRedirect(t *testing.T) {
	a := newAdminWorld(t)
	b := a.at(a.john.ID)
	a.age(b, a.john.ID, 16*time.Minute)
	address := appAddress(symbolon.ClientID(a.johns))
	uri := a.theApp(a.johns).RedirectURIs[0]
	edit := func(fields ...string) *http.Response {
		t.Helper()
		_, page := b.get(address)
		form := append([]string{"flow", flowOf(t, page), "action", "edit", "name", "Johns", "home", "", "scope.connect", "on", "tag", admin.Tag(a.theApp(a.johns))}, fields...)
		resp, _ := b.post(address, form...)
		return resp
	}
	for what, fields := range map[string][]string{
		"another redirect URI": {"redirect_uris", uri + "\nhttps://evil.example/cb", "auth", "client_secret"},
		"keys at a URL":        {"redirect_uris", uri, "auth", "private_key_jwt", "jwks_uri", "https://evil.example/jwks"},
	} {
		if resp := edit(fields...); !strings.HasPrefix(resp.Header.Get("Location"), "/continue") {
			t.Errorf("%s: %d %s", what, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if app := a.theApp(a.johns); len(app.RedirectURIs) != 1 || app.Settings.KeysURI != "" || app.Name == "Johns" {
		t.Errorf("it was changed: %+v", app)
	}
	if resp := edit("redirect_uris", uri, "auth", "client_secret"); resp.StatusCode != http.StatusSeeOther || a.theApp(a.johns).Name != "Johns" {
		t.Errorf("another name: %d", resp.StatusCode)
	}
}

// The console is no list of who has an account: an owner tries out a few usernames, and
// learns of none by a form that is not theirs.
func TestConsoleTellsFewUsernames(t *testing.T) {
	a := newAdminWorld(t)
	b := a.at(a.john.ID)
	address := appAddress(symbolon.ClientID(a.johns))
	_, page := b.get(address)
	said := map[string]string{}
	for _, name := range []string{"mary", "nobody"} {
		resp, text := b.post(address, "flow", flowOf(t, page), "action", "owner", "username", name)
		_, text, _ = strings.Cut(text, `role="alert"`)
		text, _, _ = strings.Cut(text, "</div>")
		said[name] = resp.Status + text
	}
	if said["mary"] != said["nobody"] || !strings.HasPrefix(said["mary"], "403") {
		t.Errorf("%q", said)
	}
	try := func(name string) int {
		resp, _ := b.post(address, "flow", flowOf(t, page), "action", "tester", "username", name)
		return resp.StatusCode
	}
	for range usernamesAtOnce {
		if code := try("nobody"); code != http.StatusBadRequest {
			t.Fatalf("%d", code)
		}
	}
	if code := try("mary"); code != http.StatusForbidden || len(a.theApp(a.johns).Settings.TestAccounts) != 0 {
		t.Errorf("after %d: %d", usernamesAtOnce, code)
	}
	operator := a.at(jane)
	_, page = operator.get(address)
	if resp, _ := operator.post(address, "flow", flowOf(t, page), "action", "tester", "username", "mary"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("an operator: %d", resp.StatusCode)
	}
}
