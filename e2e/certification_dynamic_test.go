//go:build linux

package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// suiteKey is the key that the apps of the plan Dynamic OP prove themselves by. It has
// no kid, as the suite's has none.
var suiteKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// registration is what the suite says of an app, with changes.
func registration(changes map[string]any) map[string]any {
	m := map[string]any{
		"client_name": "Suite registered", "grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
		"redirect_uris": []string{suiteRedirect}, "contacts": []string{"certification@suite.test"}, "token_endpoint_auth_method": "private_key_jwt",
		"jwks": map[string]any{"keys": []any{jose.JSONWebKey{Key: suiteKey().Public(), Algorithm: "RS256", Use: "sig"}}},
	}
	maps.Copy(m, changes)
	return m
}

// register sends a registration to the server.
func (c *certified) register(t testing.TB, changes map[string]any) *reply {
	t.Helper()
	body, err := json.Marshal(registration(changes))
	must(t, err)
	r := c.ask(t, request(t, "POST", c.at("registration_endpoint"), strings.NewReader(string(body)), header("Content-Type", "application/json"), header("Accept", "application/json")))
	secret(kindSecret, r.text("client_secret"), r.text("registration_access_token"))
	return r
}

// registered registers an app, which is taken away by its own request when the test ends.
func (c *certified) registered(t testing.TB, changes map[string]any) *relying {
	t.Helper()
	r := c.register(t, changes)
	if r.Status != http.StatusCreated || r.text("client_id") == "" {
		t.Fatalf("registration: %d %s", r.Status, r.Body)
	}
	isJSON(t, r)
	uri, token := r.text("registration_client_uri"), r.text("registration_access_token")
	if !strings.HasPrefix(uri, "https://") || token == "" {
		t.Errorf("registration_client_uri %q", uri)
	}
	t.Cleanup(func() {
		if r := c.ask(t, request(t, "DELETE", uri, nil, bearer(token))); r.Status != http.StatusNoContent {
			t.Errorf("taking the app away: %d %s", r.Status, r.Body)
		}
	})
	redirects := r.JSON["redirect_uris"].([]any)
	re := &relying{c: c, app: &app{s: c.s, ID: r.text("client_id"), redirect: redirects[0].(string)}}
	re.prove = func(v url.Values) option {
		v.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		v.Set("client_assertion", re.assertion(t, c.at("token_endpoint")))
		return func(*http.Request) {}
	}
	return re
}

// assertion is what the app proves itself by.
func (r *relying) assertion(t testing.TB, audience string) string {
	t.Helper()
	now := time.Now().Unix()
	return signWith(t, jose.RS256, suiteKey(), nil, map[string]any{
		"iss": r.app.ID, "sub": r.app.ID, "aud": audience, "jti": rand.Text()[:20], "iat": now, "exp": now + 60,
	})
}

// goesWell is a module that registers an app, and then all goes well.
func goesWell(changes map[string]any, pairs ...string) func(*testing.T, *relying) {
	return func(t *testing.T, r *relying) {
		c := r.c
		v, _ := c.registered(t, changes).happy(t, c.known(), pairs...)
		if !slices.Contains(v.shown, "/consent") {
			t.Errorf("shown %v: nobody has allowed this app", v.shown)
		}
	}
}

// dynamicPlan is the plan Dynamic OP, but for what it asks of the implicit grant, which
// this server does not have (docs/certification.md).
var dynamicPlan = []module{
	{"OIDCCServerTest", goesWell(nil)},
	{"OIDCCIdTokenUnsigned", func(t *testing.T, r *relying) {
		if list, _ := r.c.meta["id_token_signing_alg_values_supported"].([]any); slices.Contains(list, any("none")) {
			t.Errorf("algorithms of ID tokens: %v", list)
		}
	}},
	{"OIDCCEnsureRedirectUriInAuthorizationRequest", func(t *testing.T, r *relying) {
		two := r.c.registered(t, map[string]any{"redirect_uris": []string{suiteRedirect, suiteRedirect + "2"}})
		two.visit(t, r.c.browser(t), "redirect_uri", "").page(t, "redirect_uri")
	}},
	{"OIDCCRedirectUriQueryOK", goesWell(map[string]any{"redirect_uris": []string{suiteRedirect + "?dummy1=lorem&dummy2=ipsum"}})},
	{"OIDCCRedirectUriQueryMismatch", func(t *testing.T, r *relying) {
		a := r.c.registered(t, map[string]any{"redirect_uris": []string{suiteRedirect + "?dummy1=lorem&dummy2=ipsum"}})
		a.visit(t, r.c.browser(t), "redirect_uri", suiteRedirect+"?dummy1=lorem&dummy2=dolor").page(t, "dolor")
	}},
	{"OIDCCRedirectUriQueryAdded", func(t *testing.T, r *relying) {
		r.c.registered(t, nil).visit(t, r.c.browser(t), "redirect_uri", suiteRedirect+"?foo=bar").page(t, "foo=bar")
	}},
	{"OIDCCRedirectUriRegFrag", func(t *testing.T, r *relying) {
		if r := r.c.register(t, map[string]any{"redirect_uris": []string{suiteRedirect + "#fragment"}}); r.Status != http.StatusBadRequest || r.text("error") != "invalid_redirect_uri" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}},
	{"OIDCCServerRotateKeys", func(t *testing.T, r *relying) {
		before := r.c.keySet(t)
		r.c.s.cli(t, "", nil, "key", "rotate", "--signing")
		var after []string
		if !eventually(func() bool {
			after = r.c.keySet(t)
			return len(after) > len(before)
		}) {
			t.Fatalf("the key set had %v and has %v", before, after)
		}
		for _, id := range before {
			if !slices.Contains(after, id) {
				t.Errorf("the key %s is gone", id)
			}
		}
	}},
	{"OIDCCRefreshToken", func(t *testing.T, r *relying) {
		more := map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}}
		refreshesOf(t, r.c.registered(t, more), r.c.registered(t, more))
	}},
	{"OIDCCEnsureClientAssertionWithIssAudSucceeds", func(t *testing.T, r *relying) {
		a := r.c.registered(t, nil)
		prove := a.prove
		a.prove = func(v url.Values) option {
			o := prove(v)
			v.Set("client_assertion", a.assertion(t, r.c.s.base))
			return o
		}
		a.happy(t, r.c.known())
	}},
}
