package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// changed is a JSON object with something changed; nil takes a member out.
func changed(object map[string]any, changes map[string]any) string {
	all := make(map[string]any)
	for name, value := range object {
		all[name] = value
	}
	for name, value := range changes {
		if value == nil {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// site is where documents lie, and counts who gets them.
type site struct {
	documents map[string]string
	fails     map[string]error
	maxAge    time.Duration
	fetched   []string
}

func (s *site) fetch(_ context.Context, url string) ([]byte, time.Duration, error) {
	s.fetched = append(s.fetched, url)
	if err := s.fails[url]; err != nil {
		return nil, 0, err
	}
	text, there := s.documents[url]
	if !there {
		return nil, 0, symbolon.Errorf(symbolon.NotFound, "fetch", "404")
	}
	return []byte(text), s.maxAge, nil
}

const (
	urlX1 = "https://x1.test/client.json"
	uriX1 = "https://x1.test/cb"
)

var documentX1 = map[string]any{
	"client_id":                  urlX1,
	"client_name":                "X1",
	"redirect_uris":              []string{uriX1, "http://127.0.0.1/cb"},
	"token_endpoint_auth_method": "none",
	"logo_uri":                   "https://x1.test/logo.png",
}

// newSite is a world in which X1 of the ledger has its document.
func newSite(t *testing.T, configure ...func(*Config)) (*world, *site) {
	s := &site{documents: map[string]string{urlX1: changed(documentX1, nil)}, fails: make(map[string]error), maxAge: 10 * time.Minute}
	w := newWorld(t, append([]func(*Config){func(c *Config) {
		c.ClientDocuments, c.Fetch = true, s.fetch
		c.RegistrationScopes = symbolon.Scopes{"connect", "read"}
	}}, configure...)...)
	return w, s
}

// known is how the tests name an app that registered itself.
func known(clientID, uri string) *symbolon.App {
	return &symbolon.App{ID: symbolon.ClientID(clientID), RedirectURIs: []string{uri}}
}

var x1 = known(urlX1, uriX1)

func (w *world) rows(id symbolon.ClientID) []symbolon.App {
	w.Helper()
	rows, err := w.store.Apps(w.ctx, symbolon.AppQuery{ID: id, Limit: 1})
	w.ok(err)
	return rows
}

// MCP-2025-11-b, MCP-2025-06-d, CIMD-4-c, RFC7591-5-a: an app that is known by its document goes
// through every step, by its URL, with the redirect URIs and scopes that it may
// have, and is kept from the first consent on.
func TestDocumentApp(t *testing.T) {
	w, s := newSite(t)
	id := idOf(documentID, urlX1)
	answer, err := w.Authorize(w.ctx, w.request(x1), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
	w.ok(err)
	if answer.Need != NeedConsent || answer.App.ID != id || answer.App.Name != "X1" || !answer.App.Public || answer.App.ClientID() != urlX1 {
		t.Fatalf("need %d, app %+v", answer.Need, answer.App)
	}
	if n := len(w.rows(id)); n != 0 {
		t.Errorf("%d rows are kept before the consent", n)
	}
	tokens := w.connected(x1)
	w.ok(w.feed.Poll(w.ctx))
	if rows := w.rows(id); len(rows) != 1 || rows[0].Settings.Registration.ClientID != urlX1 || !rows[0].Settings.Registration.Document {
		t.Fatalf("rows %+v", rows)
	}
	w.alive(tokens)
	if tokens.Grant.Client != id {
		t.Errorf("the tokens are for %s", tokens.Grant.Client)
	}
	tokens = w.refreshed(x1, tokens.RefreshToken)
	w.alive(tokens)
	if len(s.fetched) != 1 {
		t.Errorf("fetched %d times", len(s.fetched))
	}
	// MCP-2025-06-d: the token is for the API that was asked for.
	if g := w.connected(x1, "resource=https://mcp.test/x").Grant; len(g.Resource) != 1 || g.Resource[0] != "https://mcp.test/x" {
		t.Errorf("resource %v", g.Resource)
	}
	// The id within this server is no second client_id.
	_, err = w.Authorize(w.ctx, w.request(known(string(id), uriX1)), w.allowing())
	w.page(err, UnknownClient)
	_, err = w.refresh(known(string(id), uriX1), tokens.RefreshToken)
	w.refused(err, UnknownClient)
	// CIMD-4-c: no other redirect URI, and loopback by the rules for it.
	_, err = w.Authorize(w.ctx, w.request(x1, "redirect_uri=https://x1.test/other"), w.allowing())
	w.page(err, InvalidRequest)
	w.code(x1, "redirect_uri=http://127.0.0.1:4711/cb")
	// RFC7591-5-a: no scope beyond those for such apps.
	_, err = w.Authorize(w.ctx, w.request(x1, "scope=connect admin"), w.allowing())
	w.redirected(err, InvalidScope, uriX1, "xyz")
}

// K10: off unless the owner turns it on.
func TestDocumentsAreOff(t *testing.T) {
	w, s := newSite(t, func(c *Config) { c.ClientDocuments = false })
	_, err := w.Authorize(w.ctx, w.request(x1), w.allowing())
	w.page(err, UnknownClient)
	_, err = w.redeem(x1, "sym_ac_x")
	w.refused(err, UnknownClient)
	if len(s.fetched) != 0 || w.Offers().ClientDocuments {
		t.Errorf("fetched %v", s.fetched)
	}
}

// CIMD-3-a.
func TestDocumentURLs(t *testing.T) {
	w, s := newSite(t)
	for _, url := range []string{
		"https://", "https:///x", "https://x1.test", "https://x1.test/", "https://x1.test?x", "https://x1.test/client.json#x", "https://x1.test/client.json#",
		"https://u@x1.test/client.json", "https://u:p@x1.test/client.json", "https://x1.test/./client.json", "https://x1.test/a/../client.json",
		"https://x1.test/%2e/client.json", "https://x1.test/a/%2E%2e/client.json", "https://x1.test/..", "https://x1.test/a/.", "https://X1.test/client.json",
		"https://x1.test./client.json", "https://x1.test:/client.json", "https://x1.test/client json", "https://x1.test\\client.json", "https://x1.test/cl\u00efent.json",
		"https://x1.test/" + strings.Repeat("x", 500), "https://x1.test/%zz",
	} {
		for _, who := range []Actor{w.allowing(), {Interactive: true}, {}} {
			_, err := w.Authorize(w.ctx, w.request(x1, "client_id="+url), who)
			w.page(err, InvalidDocument)
		}
		_, err := w.redeem(known(url, uriX1), "sym_ac_x")
		w.refused(err, InvalidDocument)
	}
	for _, url := range []string{"http://x1.test/client.json", "HTTPS://x1.test/client.json", "ftp://x1.test/client.json", "http://127.0.0.1/client.json"} {
		_, err := w.Authorize(w.ctx, w.request(x1, "client_id="+url), w.allowing())
		w.page(err, UnknownClient)
	}
	if len(s.fetched) != 0 {
		t.Errorf("fetched %v", s.fetched)
	}
	for _, url := range []string{"https://x1.test:8443/client.json", "https://x1.test/a/b", "https://x1.test/client.json?version=1", "https://x1.test/..x/y"} {
		s.documents[url] = changed(documentX1, map[string]any{"client_id": url})
		w.code(known(url, uriX1))
	}
}

// In the sandbox, a document may lie on this computer.
func TestDocumentOnLoopback(t *testing.T) {
	w, s := newSite(t, func(c *Config) { c.Sandbox = true })
	for _, url := range []string{"http://127.0.0.1:9000/client.json", "http://localhost:9000/client.json", "http://[::1]:9000/c"} {
		s.documents[url] = changed(documentX1, map[string]any{"client_id": url})
		w.code(known(url, uriX1))
	}
	_, err := w.Authorize(w.ctx, w.request(x1, "client_id=http://x1.test/client.json"), w.allowing())
	w.page(err, InvalidDocument)
}

// CIMD-4-a, CIMD-4-b, B69, B78 and what RFC 7591 says of each field.
func TestDocuments(t *testing.T) {
	keys := `{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"1"}]}`
	private := `{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}`
	set := func(name string, value any) string { return changed(documentX1, map[string]any{name: value}) }
	uri := func(uri string) string { return set("redirect_uris", []string{uriX1, uri}) }
	whole := set("", nil)
	for _, c := range []struct {
		name, document string
		ok             bool
	}{
		{"as it should be", whole, true},
		{"CIMD-4-a: another client_id", set("client_id", "https://x1.test/client.jso"), false},
		{"CIMD-4-a: another spelling", set("client_id", "https://x1.test:443/client.json"), false},
		{"CIMD-4-a: no client_id", set("client_id", nil), false},
		{"CIMD-4-a: a client_id that is no string", set("client_id", 7), false},
		{"CIMD-4-b: a secret", set("client_secret", "x"), false},
		{"CIMD-4-b: an empty secret", strings.Replace(whole, "{", `{"client_secret":null,`, 1), false},
		{"CIMD-4-b: when a secret expires", set("client_secret_expires_at", 0), false},
		{"CIMD-4-b: client_secret_basic", set("token_endpoint_auth_method", "client_secret_basic"), false},
		{"CIMD-4-b: client_secret_post", set("token_endpoint_auth_method", "client_secret_post"), false},
		{"CIMD-4-b: client_secret_jwt", set("token_endpoint_auth_method", "client_secret_jwt"), false},
		{"no method", set("token_endpoint_auth_method", nil), true},
		{"private_key_jwt without keys", set("token_endpoint_auth_method", "private_key_jwt"), false},
		{"private_key_jwt", changed(documentX1, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(keys)}), true},
		{"private_key_jwt by URL", changed(documentX1, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://x1.test/jwks"}), true},
		{"RFC7591-2-c: both", changed(documentX1, map[string]any{"jwks_uri": "https://x1.test/jwks", "jwks": json.RawMessage(keys)}), false},
		{"RFC7517-4.5: a private key", set("jwks", json.RawMessage(private)), false},
		{"keys by http", set("jwks_uri", "http://x1.test/jwks"), false},
		{"no redirect URIs", set("redirect_uris", nil), false},
		{"an empty list of them", set("redirect_uris", []string{}), false},
		{"one that is no list", set("redirect_uris", uriX1), false},
		{"one that is a number", set("redirect_uris", []any{7}), false},
		{"21 of them", set("redirect_uris", strings.Split(strings.Repeat(uriX1+" ", 20)+uriX1, " ")), false},
		{"B78: javascript", uri("javascript:alert(1)"), false},
		{"B78: data", uri("data:text/html,x"), false},
		{"B78: vbscript", uri("vbscript:x"), false},
		{"RFC9700-2.6-b: http", uri("http://x1.test/cb"), false},
		{"RFC6749-3.1.2-a: a fragment", uri("https://x1.test/cb#"), false},
		{"RFC8252-7.1-a: a scheme of one's own", uri("com.example.app:/cb"), true},
		{"RFC8252-7.1-a: without a dot", uri("myapp:/cb"), false},
		{"grants beside the code", set("grant_types", []string{"authorization_code", "implicit", "client_credentials"}), true},
		{"grants without the code", set("grant_types", []string{"client_credentials"}), false},
		{"response types without code", set("response_types", []string{"token"}), false},
		{"no scope that is offered", set("scope", "admin"), false},
		{"some that are", set("scope", "admin read"), true},
		{"unknown fields", set("x", map[string]any{"y": []any{1, true, nil}}), true},
		{"a name that is no string", set("client_name", []string{"X1"}), false},
		{"another application_type", set("application_type", "spa"), false},
		{"B69: a name twice", strings.Replace(whole, "{", `{"client_id":"https://x1.test/client.json",`, 1), false},
		{"B69: a name twice, deep down", strings.Replace(whole, "{", `{"x":{"a":1,"a":2},`, 1), false},
		{"B69: names in another case", strings.Replace(whole, `"redirect_uris"`, `"Redirect_URIs"`, 1), false},
		{"B69: another case beside", strings.Replace(whole, "{", `{"Client_ID":"https://evil.test/x",`, 1), true},
		{"B69: something behind", whole + "{}", false},
		{"B69: NaN", strings.Replace(whole, "{", `{"x":NaN,`, 1), false},
		{"B69: 1e400", strings.Replace(whole, "{", `{"x":1e400,`, 1), true},
		{"B69: deep nesting", strings.Replace(whole, "{", `{"x":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+`,`, 1), false},
		{"CIMD-5-a: too large", whole + strings.Repeat(" ", 5<<10), false},
		{"a list", "[" + whole + "]", false},
		{"nothing", "", false},
		{"not UTF-8", strings.Replace(whole, "X1", "\xff", 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s := newSite(t)
			s.documents[urlX1] = c.document
			answer, err := w.Authorize(w.ctx, w.request(x1, "scope=read"), w.allowing())
			if c.ok {
				w.ok(err)
				if answer.App.ClientID() != urlX1 || !answer.App.MayUse(symbolon.GrantRefresh) || answer.App.MayUse(symbolon.GrantClient) {
					t.Errorf("%+v", answer.App)
				}
				return
			}
			w.page(err, InvalidDocument)
			// CIMD-5.2-a: not read again at once, nor kept for long.
			_, err = w.Authorize(w.ctx, w.request(x1), w.allowing())
			w.page(err, InvalidDocument)
			if len(s.fetched) != 1 {
				t.Errorf("fetched %d times", len(s.fetched))
			}
			s.documents[urlX1] = whole
			w.clock.pass(31 * time.Second)
			w.code(x1)
		})
	}
}

// CIMD-8-a: whoever is not signed in makes us fetch nothing, wherever they ask.
func TestStrangersFetchNothing(t *testing.T) {
	w, s := newSite(t)
	for i := range 1000 {
		url := fmt.Sprintf("https://h%d.test/client.json", i)
		app := known(url, uriX1)
		answer, err := w.Authorize(w.ctx, w.request(app), Actor{Interactive: true})
		w.ok(err)
		if answer.Need != NeedSignIn || answer.App.Name != fmt.Sprintf("h%d.test", i) {
			t.Fatalf("need %d, app %+v", answer.Need, answer.App)
		}
		_, err = w.Authorize(w.ctx, w.request(app), Actor{})
		w.page(err, LoginRequired)
		_, err = w.Authorize(w.ctx, w.request(app, "prompt=none"), Actor{Interactive: true})
		w.page(err, LoginRequired)
		_, err = w.Authorize(w.ctx, w.request(app), Actor{Interactive: true, Denied: true})
		w.page(err, AccessDenied)
		_, err = w.redeem(app, "sym_ac_x")
		w.refused(err, UnknownClient)
		_, err = w.refresh(app, "sym_rt_x")
		w.refused(err, UnknownClient)
	}
	if len(s.fetched) != 0 {
		t.Errorf("%d documents were fetched", len(s.fetched))
	}
	// Once someone has allowed the app, it is known to everyone, and still not
	// fetched for them.
	w.connected(x1)
	w.ok(w.feed.Poll(w.ctx))
	w.clock.pass(time.Hour)
	answer, err := w.Authorize(w.ctx, w.request(x1), Actor{Interactive: true})
	w.ok(err)
	if answer.Need != NeedSignIn || answer.App.Name != "X1" || len(s.fetched) != 1 {
		t.Errorf("need %d, app %+v, fetched %d times", answer.Need, answer.App, len(s.fetched))
	}
}

// In memory there is room for some documents, not for all.
func TestDocumentsAreBounded(t *testing.T) {
	w, s := newSite(t)
	for i := range maxDocuments + 50 {
		url := fmt.Sprintf("https://h%d.test/client.json", i)
		s.documents[url] = changed(documentX1, map[string]any{"client_id": url})
		_, err := w.Authorize(w.ctx, w.request(known(url, uriX1)), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
		w.ok(err)
	}
	if n := len(w.documents.byURL); n != maxDocuments {
		t.Errorf("%d are held", n)
	}
}

// CIMD-8-b, B30: what was allowed before a change is asked again, once.
func TestChangedDocument(t *testing.T) {
	keys := json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`)
	for name, change := range map[string]map[string]any{
		"redirect URIs": {"redirect_uris": []string{uriX1, "https://x1.test/other"}},
		"name":          {"client_name": "Another"},
		"logo":          {"logo_uri": "https://x1.test/other.png"},
		"terms":         {"tos_uri": "https://x1.test/terms"},
		"keys":          {"jwks": keys, "token_endpoint_auth_method": "private_key_jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newSite(t)
			plain := map[string]any{"redirect_uris": []string{uriX1}} // https alone, so that consent is remembered
			s.documents[urlX1] = changed(documentX1, plain)
			before := w.connected(x1)
			w.ok(w.feed.Poll(w.ctx))
			asks := func(want Need) {
				t.Helper()
				w.ok(w.feed.Poll(w.ctx))
				answer, err := w.Authorize(w.ctx, w.request(x1), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
				w.ok(err)
				if answer.Need != want {
					t.Fatalf("need %d, want %d", answer.Need, want)
				}
				_, err = w.Authorize(w.ctx, w.request(x1, "prompt=none"), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
				if want == NeedConsent {
					w.redirected(err, ConsentRequired, uriX1, "xyz")
				} else {
					w.ok(err)
				}
			}
			asks(NeedNothing)
			w.clock.pass(11 * time.Minute)
			asks(NeedNothing) // it is fetched anew, and is the same
			if len(s.fetched) != 2 {
				t.Fatalf("fetched %d times", len(s.fetched))
			}
			for n, v := range change {
				plain[n] = v
			}
			s.documents[urlX1] = changed(documentX1, plain)
			asks(NeedNothing) // it is not known yet
			w.clock.pass(11 * time.Minute)
			asks(NeedConsent)
			w.start() // nor forgotten by another start
			asks(NeedConsent)
			w.clock.pass(time.Second)
			code := w.code(x1) // the person allows it anew
			asks(NeedNothing)
			w.clock.pass(11 * time.Minute)
			asks(NeedNothing)
			if rows := w.rows(idOf(documentID, urlX1)); len(rows) != 1 || rows[0].Version != 2 {
				t.Errorf("rows %+v", rows)
			}
			_ = code
			if name != "keys" { // an app that must now prove itself differently
				w.refreshed(x1, before.RefreshToken)
			}
		})
	}
}

// What only the owner decides survives a change of the document.
func TestOwnersSettingsStay(t *testing.T) {
	w, s := newSite(t)
	w.connected(x1)
	id := idOf(documentID, urlX1)
	w.edit(id, func(a *symbolon.App) {
		a.Rotation, a.RequirePKCE, a.Settings.Resources = symbolon.RotateNever, true, []string{"https://r1.test"}
		a.Settings.OneConnection, a.Settings.Webhook = true, &symbolon.Webhook{URL: "https://owner.test/", Secret: []byte{1}}
	})
	s.documents[urlX1] = changed(documentX1, map[string]any{"client_name": "Another"})
	w.clock.pass(time.Hour)
	_, err := w.Authorize(w.ctx, w.request(x1), w.allowing())
	w.ok(err)
	if a := w.app(id); a.Name != "Another" || a.Rotation != symbolon.RotateNever || !a.RequirePKCE || len(a.Settings.Resources) != 1 || !a.Settings.OneConnection || a.Settings.Webhook == nil {
		t.Errorf("%+v", a)
	}
}

// C44: a document that cannot be fetched stops no one who is connected, and is
// an error that says so for who wants to be.
func TestDocumentIsAway(t *testing.T) {
	w, s := newSite(t)
	tokens := w.connected(x1)
	code := w.code(x1)
	w.ok(w.feed.Poll(w.ctx))
	s.fails[urlX1] = errors.New("no route to host")
	answer, err := w.redeem(x1, code)
	w.ok(err)
	w.clock.pass(time.Hour)
	w.ok(w.feed.Poll(w.ctx))
	w.refreshed(x1, answer.RefreshToken)
	w.start()
	w.refreshed(x1, tokens.RefreshToken)
	_, err = w.Authorize(w.ctx, w.request(x1), w.allowing())
	w.page(err, InvalidDocument)
	// Whoever chose the URL learns nothing of why.
	if d := w.refused(err, InvalidDocument).Description; strings.Contains(d, "route") {
		t.Error(d)
	}
	s.fails[urlX1] = symbolon.Errorf(symbolon.Busy, "fetch", "too many")
	_, err = w.Authorize(w.ctx, w.request(x1), w.allowing())
	if e := w.page(err, TooManyRequests); e.RetryAfter == 0 {
		t.Error("no Retry-After")
	}
	delete(s.fails, urlX1)
	w.code(x1)
}

// C44: nor does a document with keys in it, which is read again for their sake.
func TestDocumentWithKeysIsAway(t *testing.T) {
	w, s := newSite(t)
	keys := json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`)
	s.documents[urlX1] = changed(documentX1, map[string]any{"jwks": keys, "token_endpoint_auth_method": "private_key_jwt"})
	w.code(x1)
	w.ok(w.feed.Poll(w.ctx))
	w.clock.pass(time.Hour)
	_, err := w.App(w.ctx, urlX1)
	w.ok(err)
	if len(s.fetched) != 2 {
		t.Errorf("fetched %d times: new keys would not be seen", len(s.fetched))
	}
	s.fails[urlX1] = errors.New("no route to host")
	w.clock.pass(time.Hour)
	app, err := w.App(w.ctx, urlX1)
	w.ok(err)
	if app.Settings.Keys == "" || len(s.fetched) != 3 {
		t.Errorf("fetched %d times, app %+v", len(s.fetched), app)
	}
}

// Two people allow the app at the same moment: both are right.
func TestKeptOnce(t *testing.T) {
	w, _ := newSite(t)
	app, err := w.client(w.ctx, urlX1, true)
	w.ok(err)
	w.ok(w.keepApp(w.ctx, app))
	w.ok(w.keepApp(w.ctx, app)) // of Version 0 still, as another request has it
	if rows := w.rows(app.ID); len(rows) != 1 || rows[0].Version != 1 {
		t.Errorf("rows %+v", rows)
	}
}

// RFC9700-4.11.2-a, K7, B29: no one who is not signed in is sent to an app that
// registered itself, but with prompt=none, or after they said no on a page.
func TestUntrustedErrors(t *testing.T) {
	w, s := newSite(t)
	s.documents[urlX1] = changed(documentX1, map[string]any{"redirect_uris": []string{uriX1}})
	w.connected(x1)
	w.ok(w.feed.Poll(w.ctx))
	stranger, person := Actor{Interactive: true}, Actor{Interactive: true, SignedIn: w.signedIn(w.U1)}
	for _, change := range []string{"scope=bad", "response_type=token", "+state=twice", "%scope=%zz", "code_challenge_method=plain", "-code_challenge"} {
		req := w.request(x1, change)
		_, err := w.Authorize(w.ctx, req, stranger)
		var e *Error
		if !errors.As(err, &e) || w.Callback(e) != nil || e.Client == "" {
			t.Errorf("%s: %v is sent to the app", change, err)
		}
		_, err = w.Authorize(w.ctx, w.request(x1, change), person)
		if !errors.As(err, &e) || w.Callback(e) == nil {
			t.Errorf("%s: %v is not sent to the app once the person is signed in", change, err)
		}
		// An app that the owner registered is told at once.
		_, err = w.Authorize(w.ctx, w.request(&w.P1, change), stranger)
		if !errors.As(err, &e) || w.Callback(e) == nil {
			t.Errorf("%s: %v is not sent to an app that is trusted", change, err)
		}
	}
	_, err := w.Authorize(w.ctx, w.request(x1, "scope=bad", "prompt=none"), stranger)
	w.redirected(err, InvalidScope, uriX1, "xyz")
	_, err = w.Authorize(w.ctx, w.request(x1, "prompt=none"), stranger)
	w.redirected(err, LoginRequired, uriX1, "xyz")
	_, err = w.Authorize(w.ctx, w.request(x1), Actor{Interactive: true, Denied: true})
	w.redirected(err, AccessDenied, uriX1, "xyz")
}

// B106: a remembered consent is not used when another site sent the browser.
func TestCrossSite(t *testing.T) {
	w, s := newSite(t)
	s.documents[urlX1] = changed(documentX1, map[string]any{"redirect_uris": []string{uriX1}})
	w.connected(x1)
	who := Actor{Interactive: true, SignedIn: w.signedIn(w.U1)}
	for _, c := range []struct {
		app  *symbolon.App
		site bool
		want Need
	}{{x1, false, NeedNothing}, {x1, true, NeedConsent}, {&w.C1, true, NeedNothing}} {
		who.CrossSite = c.site
		answer, err := w.Authorize(w.ctx, w.request(c.app), who)
		w.ok(err)
		if answer.Need != c.want {
			t.Errorf("%s, another site %v: need %d, want %d", c.app.ID, c.site, answer.Need, c.want)
		}
	}
	who.CrossSite = true
	_, err := w.Authorize(w.ctx, w.request(x1, "prompt=none"), who)
	w.redirected(err, ConsentRequired, uriX1, "xyz")
}

// What was not shown was not allowed: a document that changes while the person
// looks at the page.
func TestChangedWhileAsked(t *testing.T) {
	w, s := newSite(t)
	answer, err := w.Authorize(w.ctx, w.request(x1), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
	w.ok(err)
	who := w.allowing()
	who.Said = answer.App.Settings.Registration.Digest
	s.documents[urlX1] = changed(documentX1, map[string]any{"client_name": "Another"})
	w.clock.pass(11 * time.Minute)
	answer, err = w.Authorize(w.ctx, w.request(x1), who)
	w.ok(err)
	if answer.Need != NeedConsent || answer.App.Name != "Another" {
		t.Errorf("need %d, app %+v", answer.Need, answer.App)
	}
	who.Said = answer.App.Settings.Registration.Digest
	answer, err = w.Authorize(w.ctx, w.request(x1), who)
	w.ok(err)
	if answer.Need != NeedNothing {
		t.Errorf("need %d", answer.Need)
	}
}

// Whatever a document holds: no panic, and no app that breaks a rule.
func FuzzDocument(f *testing.F) {
	f.Add(changed(documentX1, nil))
	f.Add(`{"client_id":"https://x1.test/client.json","redirect_uris":["javascript:x"]}`)
	f.Add(`{"client_id":"https://x1.test/client.json","redirect_uris":["com.example.app:/cb"],"jwks":{"keys":[]},"scope":"read","application_type":"web"}`)
	f.Add(changed(documentX1, map[string]any{"redirect_uris": []string{uriX1}, "subject_type": "pairwise", "sector_identifier_uri": "https://sector.test/all.json"}))
	e := newRegistrar(f)
	cfg := e.cfg
	f.Fuzz(func(t *testing.T, text string) {
		app, err := e.parseDocument(t.Context(), urlX1, []byte(text), time.Unix(1_790_000_000, 0))
		if err != nil {
			checkDescription(t, storeError(err).Description)
			return
		}
		if app.ClientID() != urlX1 || len(app.RedirectURIs) == 0 || app.Name == "" || len(app.Secrets) != 0 || !cfg.RegistrationScopes.Covers(app.Scope) || len(app.Scope) == 0 {
			t.Errorf("%+v", app)
		}
		checkRegistered(t, e, app)
		for _, uri := range app.RedirectURIs {
			if CheckRedirectURI(uri) != nil {
				t.Errorf("%q is taken", uri)
			}
		}
		if app.Method() != symbolon.AuthNone && (app.Method() != symbolon.AuthKey || app.Settings.Keys == "" && app.Settings.KeysURI == "") {
			t.Errorf("method %q", app.Method())
		}
		for _, link := range []string{app.Home, app.Settings.Registration.LogoURI, app.Settings.Registration.PolicyURI, app.Settings.Registration.TermsURI} {
			if link != "" && !strings.HasPrefix(link, "https://") {
				t.Errorf("link %q", link)
			}
		}
	})
}
