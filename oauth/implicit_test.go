package oauth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
)

// newImplicit is a world whose app C1 gets tokens by the browser, and C2 does not.
func newImplicit(t *testing.T) *world {
	t.Helper()
	w := newSignIns(t, func(c *Config) { c.Implicit = true })
	w.edit(w.C1.ID, func(a *symbolon.App) {
		a.Settings.Grants = []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantRefresh, symbolon.GrantImplicit}
	})
	w.C1 = w.app(w.C1.ID)
	return w
}

// browsing is a request of the standard surface for tokens by the browser.
func (w *world) browsing(app *symbolon.App, changes ...string) *AuthorizeRequest {
	w.Helper()
	req := w.request(app, append([]string{"scope=openid connect", "nonce=n", "response_type=id_token token"}, changes...)...)
	req.Standard = true
	return req
}

// Tokens by the browser (OpenID Connect Core §3.2): for whom the owner has said so.
func TestImplicit(t *testing.T) {
	w := newImplicit(t)
	w.run("id_token token", func(t *testing.T) {
		for _, order := range []string{"id_token token", "token id_token"} {
			a, err := w.Authorize(w.ctx, w.browsing(&w.C1, "response_type="+order), w.allowing())
			w.ok(err)
			if a.Callback.Mode != ModeFragment || !strings.HasPrefix(a.Callback.URL(), uriC1+"#") {
				t.Errorf("%s", a.Callback.URL())
			}
			got := w.answered(&a.Callback)
			if got["token_type"] != "Bearer" || got["expires_in"] != "600" || got["scope"] != "openid connect" || got["state"] != "xyz" || got["iss"] != w.cfg.Issuer || got["code"] != "" {
				t.Errorf("%v", got)
			}
			_, claims := w.claims(got["id_token"])
			if claims["nonce"] != "n" || claims["sub"] != string(w.U1.ID) || claims["at"] != got["access_token"] {
				t.Errorf("%v", claims)
			}
			info, err := w.Info(w.ctx, Bearer(got["access_token"]))
			w.ok(err)
			if info.ID != w.U1.ID {
				t.Errorf("%v", info)
			}
			// It is over when its app or its person says so, on every node.
			w.ok(w.revoke(&w.C1, got["access_token"]))
			_, err = w.Info(w.ctx, Bearer(got["access_token"]))
			w.refused(err, InvalidToken)
		}
	})
	w.run("ended with all that the person allowed", func(t *testing.T) {
		a, err := w.Authorize(w.ctx, w.browsing(&w.C1), w.allowing())
		w.ok(err)
		token := w.answered(&a.Callback)["access_token"]
		w.clock.pass(time.Second)
		w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID, Reason: symbolon.ByOperator, Now: w.clock.Now()})
		_, err = w.Info(w.ctx, Bearer(token))
		w.refused(err, InvalidToken)
		w.clock.pass(time.Second)
	})
	w.run("id_token alone", func(t *testing.T) {
		a, err := w.Authorize(w.ctx, w.browsing(&w.C1, "response_type=id_token", "response_mode=form_post"), w.allowing())
		w.ok(err)
		got := w.answered(&a.Callback)
		_, claims := w.claims(got["id_token"])
		if got["access_token"] != "" || got["token_type"] != "" || claims["person"] != true || claims["at"] != "" {
			t.Errorf("%v %v", got, claims)
		}
	})
	w.run("signed", func(t *testing.T) {
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.ResponseSigning = "ES256" })
		a, err := w.Authorize(w.ctx, w.browsing(&w.C1, "response_mode=jwt"), w.allowing())
		w.ok(err)
		if got := w.answered(&a.Callback); a.Callback.Mode != ModeFragmentJWT || got["id_token"] == "" || got["access_token"] == "" {
			t.Errorf("%v", got)
		}
	})
	w.run("nobody is connected by it", func(t *testing.T) {
		rows, err := w.store.Connections(w.ctx, symbolon.ConnectionQuery{Client: w.C1.ID, Limit: 10})
		w.ok(err)
		if len(rows) != 0 {
			t.Errorf("%d connections", len(rows))
		}
	})

	refused := func(want Refusal, app *symbolon.App, changes ...string) {
		t.Helper()
		a, err := w.Authorize(w.ctx, w.browsing(app, changes...), w.allowing())
		if err == nil {
			t.Fatalf("%q: %v", changes, a.Callback.Tokens)
		}
		c := w.Callback(w.refused(err, want))
		if c == nil || c.Tokens != nil || c.Code != "" {
			t.Errorf("%q: %+v", changes, c)
		}
	}
	refused(InvalidRequest, &w.C1, "nonce=")
	refused(InvalidScope, &w.C1, "scope=connect")
	for _, m := range []string{"query", "query.jwt"} {
		refused(InvalidRequest, &w.C1, "response_mode="+m)
	}
	for _, types := range []string{"token", "code token", "code id_token", "code id_token token", "id_token id_token", "none", "id_token  token", "ID_TOKEN"} {
		refused(UnsupportedResponseType, &w.C1, "response_type="+types)
	}
	refused(UnauthorizedClient, &w.C2)
	for name, change := range map[string]func(*symbolon.App){
		"bound":  func(a *symbolon.App) { a.Settings.BoundTokens = true },
		"by TLS": func(a *symbolon.App) { a.Settings.TLSTokens = true },
		"FAPI":   func(a *symbolon.App) { a.Settings.Profile = symbolon.ProfileFAPI2 },
	} {
		w.run(name, func(t *testing.T) {
			w.edit(w.C1.ID, change)
			defer w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings = w.C1.Settings })
			_, err := w.Authorize(w.ctx, w.browsing(&w.C1, "code_challenge="+challenge, "code_challenge_method=S256"), w.allowing())
			if err == nil {
				t.Error("tokens by the browser")
			}
		})
	}
	w.run("the page's surface knows codes alone", func(t *testing.T) {
		req := w.browsing(&w.C1)
		req.Standard = false
		_, err := w.Authorize(w.ctx, req, w.allowing())
		w.refused(err, UnsupportedResponseType)
	})
	w.run("a server that does not offer it", func(t *testing.T) {
		w.Engine.cfg.Implicit = false
		defer func() { w.Engine.cfg.Implicit = true }()
		// RFC9700-2.1.2-a: nothing in a fragment.
		for _, types := range []string{"id_token", "id_token token", "token"} {
			_, err := w.Authorize(w.ctx, w.browsing(&w.C1, "response_type="+types), w.allowing())
			w.redirected(err, UnsupportedResponseType, uriC1+"?", "xyz")
		}
		if w.Offers().Implicit {
			t.Error("it is said to be offered")
		}
	})
}

// An app that registers itself says which response types it wants, and gets those that
// the server offers.
func TestImplicitByRegistration(t *testing.T) {
	w, _ := newSectors(t, func(c *Config) { c.Implicit = true })
	info, app := w.joined(map[string]any{"response_types": []string{"code", "token id_token"}, "grant_types": []string{"authorization_code", "implicit"}, "scope": "openid", "id_token_signed_response_alg": "ES256"})
	if got := fmt.Sprint(info.ResponseTypes, info.GrantTypes); got != "[code id_token id_token token] [authorization_code refresh_token implicit]" {
		t.Error(got)
	}
	who := Actor{Interactive: true, SignedIn: w.signedIn(w.U1), Allowed: true, Chosen: w.U1.ID}
	found := w.found(symbolon.ClientID(info.ClientID))
	who.Said = found.Settings.Registration.Digest
	a, err := w.Authorize(w.ctx, w.browsing(app, "scope=openid", "redirect_uri="+uriX1), who)
	w.ok(err)
	if a.Callback.Tokens == nil || a.Callback.Tokens.IDToken == "" {
		t.Errorf("%+v", a.Callback)
	}
	for _, types := range [][]string{{"id_token", "token"}, {"code id_token", "code"}, {"code id_token token"}} {
		_, err := w.register(map[string]any{"response_types": types})
		w.refused(err, InvalidClientMetadata)
	}
	// Without a word of it, it has codes alone.
	_, plain := w.joined(map[string]any{"scope": "openid", "id_token_signed_response_alg": "ES256"})
	_, err = w.Authorize(w.ctx, w.browsing(plain, "scope=openid", "redirect_uri="+uriX1), who)
	w.refused(err, UnauthorizedClient)
}

// RFC9101-10.4-a, OIDCC-6.1-a, RFC9101-5-a: a request object is fetched from where the app's owner said,
// and from nowhere else.
func TestFetchedRequestObject(t *testing.T) {
	const at = "https://c1.test/request.jwt"
	fetched := []string{}
	var served string
	var failing error
	w := newWorld(t, func(c *Config) {
		c.FetchObject = func(_ context.Context, url string) ([]byte, error) {
			fetched = append(fetched, url)
			return []byte(served), failing
		}
	})
	root, err := seal.NewRootKey()
	w.ok(err)
	key, err := jwt.NewKey(root, "ES256")
	w.ok(err)
	ring, err := jwt.NewRing([]*seal.RootKey{root}, []symbolon.Key{key})
	w.ok(err)
	set, err := ring.Set(w.clock.Now())
	w.ok(err)
	w.edit(w.C1.ID, func(a *symbolon.App) {
		a.Settings.Keys, a.Settings.RequestURIs = string(set), []string{at, at + "#any"}
	})
	w.C1 = w.app(w.C1.ID)
	object := func(scope string, without ...string) string {
		claims := map[string]any{
			"iss": w.C1.ID, "client_id": w.C1.ID, "aud": w.cfg.Issuer, "exp": w.clock.Now().Add(time.Minute).Unix(),
			"response_type": "code", "scope": scope, "redirect_uri": uriC1, "state": "inner",
		}
		for _, name := range without {
			delete(claims, name)
		}
		text, err := ring.Sign("oauth-authz-req+jwt", "ES256", claims, w.clock.Now())
		w.ok(err)
		return text
	}
	ask := func(uri string, who Actor) (*Authorization, *AuthorizeRequest, error) {
		params, err := ParseForm("client_id=" + string(w.C1.ID) + "&scope=nothing&state=outer&request_uri=" + strings.ReplaceAll(uri, "#", "%23"))
		w.ok(err)
		req := ReadAuthorize(&params)
		req.Standard = true
		a, err := w.Authorize(w.ctx, &req, who)
		return a, &req, err
	}
	served = object("connect") + "\n"
	a, req, err := ask(at, w.allowing())
	w.ok(err)
	if a.Callback.State != "inner" || !slices.Equal(fetched, []string{at}) {
		t.Errorf("%+v, fetched %q", a.Callback, fetched)
	}
	// From then on it is what was found that counts.
	if req.RequestURI != "" || req.Object != strings.TrimSpace(served) || !strings.Contains(req.Query(), "request=") {
		t.Errorf("carried as %s", req.Query())
	}
	served = object("connect read")
	if a, _, err := ask(at, w.allowing()); err != nil || len(a.Scope) != 1 || len(fetched) != 1 {
		t.Errorf("%v %v %q", a, err, fetched)
	}
	w.clock.pass(objectKept)
	if a, _, err := ask(at, w.allowing()); err != nil || len(a.Scope) != 2 || len(fetched) != 2 {
		t.Errorf("%v %v %q", a, err, fetched)
	}
	// Where it stands it may do without exp; sent by anyone it may not, and aud it needs.
	w.clock.pass(objectKept)
	fetched, served = fetched[:2], object("connect", "exp")
	if _, req, err := ask(at, w.allowing()); err != nil || !req.Fetched {
		t.Errorf("without exp: %v", err)
	}
	params, err := ParseForm("client_id=" + string(w.C1.ID) + "&request=" + served)
	w.ok(err)
	sent := ReadAuthorize(&params)
	_, err = w.Authorize(w.ctx, &sent, w.allowing())
	w.page(err, InvalidRequestObject)
	w.clock.pass(objectKept)
	served = object("connect", "aud")
	_, _, err = ask(at, w.allowing())
	w.page(err, InvalidRequestObject)
	w.clock.pass(objectKept)
	fetched, served = fetched[:2], object("connect")
	if _, _, err := ask(at+"#any", w.allowing()); err != nil || fetched[2] != at {
		t.Errorf("with a fragment: %v %q", err, fetched)
	}
	for _, uri := range []string{"https://evil.test/x", at + "?x", "https://C1.test/request.jwt", "http://c1.test/request.jwt", at + "#other"} {
		_, _, err := ask(uri, w.allowing())
		w.page(err, InvalidRequestURI)
	}
	if len(fetched) != 3 {
		t.Errorf("fetched %q", fetched)
	}
	w.clock.pass(objectKept)
	failing = symbolon.Errorf(symbolon.NotFound, "fetch", "the answer has status 404")
	_, _, err = ask(at, w.allowing())
	w.page(err, InvalidRequestURI)
	failing = symbolon.Errorf(symbolon.Busy, "fetch", "too many")
	_, _, err = ask(at, w.allowing())
	w.page(err, Unavailable)
	failing, served = nil, strings.Repeat("x", maxObjectText+1)
	_, _, err = ask(at, w.allowing())
	w.page(err, InvalidRequestURI)
	served = object("connect")
	served = served[:len(served)-4] + "AAAA"
	_, _, err = ask(at, w.allowing())
	w.page(err, InvalidRequestObject)
}
