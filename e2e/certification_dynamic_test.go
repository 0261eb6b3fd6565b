//go:build linux

package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
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

// suiteHost is where the suite answers: what its apps publish, by https.
type suiteHost struct {
	base, cert string
	mu         sync.Mutex
	files      map[string]any          // by path, as JSON, or a string as a JWT; mu
	heard      map[string][]url.Values // by path, the forms that were posted; mu
}

func newSuiteHost(t *testing.T) *suiteHost {
	t.Helper()
	h := &suiteHost{files: make(map[string]any), heard: make(map[string][]url.Values)}
	site := httptest.NewUnstartedServer(h)
	var key string
	h.cert, key, _ = certificate(t, site.Listener.Addr().String())
	pair, err := tls.LoadX509KeyPair(h.cert, key)
	must(t, err)
	site.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	site.StartTLS()
	t.Cleanup(site.Close)
	h.base = site.URL
	return h
}

// publish puts a document at a path, and returns its address.
func (h *suiteHost) publish(path string, document any) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files[path] = document
	return h.base + path
}

func (h *suiteHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Method == http.MethodPost && err == nil {
		h.heard[r.URL.Path] = append(h.heard[r.URL.Path], r.PostForm)
		return
	}
	document, ok := h.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if text, ok := document.(string); ok {
		w.Header().Set("Content-Type", "application/jwt")
		io.WriteString(w, text) //nolint:errcheck // the client may be gone
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(document) //nolint:errcheck // the client may be gone
}

// suiteKeys is a set with a key in it.
func suiteKeys(key *rsa.PrivateKey, kid string) map[string]any {
	return map[string]any{"keys": []any{jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"}}}
}

// registration is what the suite says of an app, with changes; nil takes a member out.
func registration(changes map[string]any) map[string]any {
	m := map[string]any{
		"client_name": "Suite registered", "grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
		"redirect_uris": []string{suiteRedirect}, "contacts": []string{"certification@suite.test"}, "token_endpoint_auth_method": "private_key_jwt",
		"jwks": suiteKeys(suiteKey(), ""),
	}
	maps.Copy(m, changes)
	maps.DeleteFunc(m, func(_ string, value any) bool { return value == nil })
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
	return r.assertionBy(t, suiteKey(), nil, audience)
}

func (r *relying) assertionBy(t testing.TB, key *rsa.PrivateKey, header map[jose.HeaderKey]any, audience string) string {
	t.Helper()
	now := time.Now().Unix()
	return signWith(t, jose.RS256, key, header, map[string]any{
		"iss": r.app.ID, "sub": r.app.ID, "aud": audience, "jti": rand.Text()[:20], "iat": now, "exp": now + 60,
	})
}

// provesBy makes the app prove itself by a key with an id.
func (r *relying) provesBy(t testing.TB, key *rsa.PrivateKey, kid string) {
	prove := r.prove
	r.prove = func(v url.Values) option {
		o := prove(v)
		v.Set("client_assertion", r.assertionBy(t, key, map[jose.HeaderKey]any{"kid": kid}, r.c.at("token_endpoint")))
		return o
	}
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

// dynamicPlan is the plan Dynamic OP, but for the pictures of an app's logo and policy
// (docs/certification.md).
var dynamicPlan = []module{
	{"OIDCCDiscoveryEndpointVerification", func(t *testing.T, r *relying) {
		discovers(t, r)
		for name, want := range map[string][]string{
			"response_types_supported": {"code", "id_token", "id_token token"}, "grant_types_supported": {"authorization_code", "implicit"},
		} {
			list, _ := r.c.meta[name].([]any)
			for _, item := range want {
				if !slices.Contains(list, any(item)) {
					t.Errorf("%s lacks %s: %v", name, item, list)
				}
			}
		}
		if r.c.at("registration_endpoint") == "" {
			t.Error("no registration_endpoint")
		}
	}},
	{"OIDCCRequestUriSignedRS256", func(t *testing.T, r *relying) {
		if r.c.meta["request_uri_parameter_supported"] != true {
			t.Error("request_uri_parameter_supported is not true")
		}
		path := "/request-uri/" + rand.Text()
		uri := r.c.suite.base + path
		a := r.c.registered(t, map[string]any{"request_uris": []string{uri}})
		asked := a.asking()
		claims := map[string]any{"iss": a.app.ID, "aud": r.c.s.base} // and no exp
		for name := range asked {
			claims[name] = asked.Get(name)
		}
		r.c.suite.publish(path, signWith(t, jose.RS256, suiteKey(), nil, claims))
		p := r.c.known()
		v := a.walk(t, p, asked, func(endpoint string) *reply {
			beside := url.Values{"client_id": {a.app.ID}, "response_type": {"code"}, "scope": {"openid"}, "request_uri": {uri}}
			return send(t, p.client, request(t, "GET", endpoint+"?"+beside.Encode(), nil, asBrowser))
		})
		v.tokens(t).userinfo(t, v)
	}},
	{"the request object changed while the person looks", func(t *testing.T, r *relying) {
		path := "/request-uri/" + rand.Text()
		uri := r.c.suite.base + path
		a := r.c.registered(t, map[string]any{"request_uris": []string{uri}})
		object := func(scope string) string {
			claims := map[string]any{"iss": a.app.ID, "aud": r.c.s.base}
			for name, values := range a.asking("scope", scope) {
				claims[name] = values[0]
			}
			return signWith(t, jose.RS256, suiteKey(), nil, claims)
		}
		r.c.suite.publish(path, object("openid"))
		p := r.c.known()
		endpoint := r.c.at("authorization_endpoint")
		p.follow(t, send(t, p.client, request(t, "GET", endpoint+"?"+url.Values{"client_id": {a.app.ID}, "request_uri": {uri}}.Encode(), nil, asBrowser)), endpoint)
		p.form(t, "/consent")
		r.c.suite.publish(path, object("openid email phone"))
		time.Sleep(11 * time.Second) // until the server has forgotten what it fetched
		p.submit(t, "/consent", "action", "allow")
		code := redirected(t, a.app, p.page).Get("code")
		answer := a.redeem(t, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.app.redirect}})
		if answer.text("scope") != "openid" {
			t.Errorf("allowed was openid, and granted %q", answer.text("scope"))
		}
	}},
	{"OIDCCServerTest", goesWell(nil)},
	{"OIDCCIdTokenRS256", goesWell(map[string]any{"id_token_signed_response_alg": "RS256"})},
	{"OIDCCUserInfoRS256", func(t *testing.T, r *relying) {
		v := r.c.registered(t, map[string]any{"userinfo_signed_response_alg": "RS256"}).visit(t, r.c.known())
		a := v.tokens(t)
		info := r.c.ask(t, request(t, "GET", r.c.at("userinfo_endpoint"), nil, bearer(a.text("access_token"))))
		if got := info.Header.Get("Content-Type"); info.Status != http.StatusOK || got != "application/jwt" {
			t.Fatalf("userinfo: %d %s", info.Status, got)
		}
		claims := v.verified(t, string(info.Body))
		if claims["iss"] != r.c.s.base || claims["aud"] != v.r.app.ID || claims["sub"] != r.c.id || claims["nonce"] != nil {
			t.Errorf("userinfo tells %v", claims)
		}
	}},
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
	{"OIDCCRegistrationJwksUri", func(t *testing.T, r *relying) {
		uri := r.c.suite.publish("/jwks-uri", suiteKeys(suiteKey(), "k1"))
		a := r.c.registered(t, map[string]any{"jwks": nil, "jwks_uri": uri})
		a.provesBy(t, suiteKey(), "k1")
		a.happy(t, r.c.known())
	}},
	{"OIDCCRegistrationSectorUri", func(t *testing.T, r *relying) {
		uri := r.c.suite.publish("/sector/redirect_uris.json", []string{suiteRedirect})
		r.c.registered(t, map[string]any{"subject_type": "pairwise", "sector_identifier_uri": uri})
	}},
	{"OIDCCRegistrationSectorBad", func(t *testing.T, r *relying) {
		uri := r.c.suite.publish("/bad/redirect_uris.json", []string{"https://suite.test/other"})
		if r := r.c.register(t, map[string]any{"subject_type": "pairwise", "sector_identifier_uri": uri}); r.Status != http.StatusBadRequest || r.text("error") != "invalid_client_metadata" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}},
	{"OIDCCRefreshTokenRPKeyRotation", func(t *testing.T, r *relying) {
		needLong(t)
		uri := r.c.suite.publish("/rotating", suiteKeys(suiteKey(), "old"))
		a := r.c.registered(t, map[string]any{"jwks": nil, "jwks_uri": uri, "grant_types": []string{"authorization_code", "refresh_token"}})
		a.provesBy(t, suiteKey(), "old")
		v := a.visit(t, r.c.known(), "scope", "openid offline_access", "prompt", "consent")
		first := v.tokens(t)
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		must(t, err)
		r.c.suite.publish("/rotating", suiteKeys(key, "new"))
		time.Sleep(61 * time.Second) // as long as the suite leaves between the two
		a.provesBy(t, key, "new")
		v.check(t, a.redeem(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.text("refresh_token")}, "scope": {first.text("scope")}}), "").userinfo(t, v)
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
