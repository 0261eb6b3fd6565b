package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/storetest"
)

func described(t *testing.T, f *fixture, path string) (*http.Response, map[string]any) {
	t.Helper()
	resp, m := f.call(t, "GET", path, nil)
	if resp.StatusCode != 200 || m == nil {
		t.Fatalf("%s: %d", path, resp.StatusCode)
	}
	return resp, m
}

func listOf(v any) []string {
	var list []string
	all, _ := v.([]any)
	for _, s := range all {
		list = append(list, s.(string))
	}
	return list
}

func TestMetadata(t *testing.T) {
	const issuer = "https://as.test"
	f := newFixtureAt(t, issuer, func(c *oauth.Config) {
		c.Scopes = symbolon.Scopes{"connect", "other"}
		c.Resources = []oauth.Resource{{URI: "https://r1.test", Scopes: symbolon.Scopes{"r1:read"}}}
		c.Details = []oauth.DetailType{{Type: "payment", Sentence: "pay"}}
	})
	const path = "/.well-known/oauth-authorization-server"
	resp, m := described(t, f, path)
	t.Run("RFC8414-3.2-a", func(t *testing.T) {
		if resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%v", resp.Header)
		}
		for _, origin := range []string{"https://any.test", "https://evil.test"} { // BBA-CORS-a
			for _, p := range []string{path, "/.well-known/openid-configuration", "/oauth2/jwks"} {
				resp, _ := f.call(t, "GET", p, nil, "Origin", origin)
				if resp.Header.Get("Access-Control-Allow-Origin") != "*" || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: %v", p, resp.Header)
				}
			}
		}
	})
	t.Run("RFC8414-3.3-a", func(t *testing.T) {
		if m["issuer"] != issuer {
			t.Errorf("%v", m["issuer"])
		}
		_, other := described(t, f, "/.well-known/openid-configuration")
		if !reflect.DeepEqual(m, other) {
			t.Error("the two documents differ")
		}
		resp, err := http.DefaultTransport.RoundTrip(mustGet(t, f.URL+strings.Replace(f.authorize(), "/authorize", "/oauth2/authorize", 1)))
		check(t, err)
		resp.Body.Close()
		to, _ := url.Parse(resp.Header.Get("Location"))
		if to.Query().Get("iss") != issuer {
			t.Errorf("iss=%s", to.Query().Get("iss"))
		}
		_, tokens := f.post(t, "/oauth2/token", "grant_type", "authorization_code", "code", to.Query().Get("code"), "redirect_uri", f.app.RedirectURIs[0])
		_, said := f.post(t, "/oauth2/introspect", "token", tokens["access_token"].(string))
		if said["iss"] != issuer || said["aud"] != issuer {
			t.Errorf("%v", said)
		}
	})
	t.Run("RFC6749-3.1-e RFC8414-2-a", func(t *testing.T) {
		for name, value := range m {
			text, ok := value.(string)
			if !ok || name == "issuer" {
				continue
			}
			u, err := url.Parse(text)
			if err != nil || u.Scheme != "https" || strings.Contains(text, "#") || !strings.HasPrefix(text, issuer+"/") {
				t.Errorf("%s is %s", name, text)
			}
		}
	})
	t.Run("OIDCD-3-a", func(t *testing.T) {
		for _, name := range []string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"} {
			if m[name] == nil {
				t.Errorf("%s is missing", name)
			}
		}
	})
	t.Run("RFC8414-2-c RFC9207-3-a RFC9700-2.1.1-a RFC8628-4-a", func(t *testing.T) {
		for name, want := range map[string][]string{
			"response_types_supported": {"code"}, "response_modes_supported": {"query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"}, "authorization_signing_alg_values_supported": {"ES256"}, "code_challenge_methods_supported": {"S256"},
			"scopes_supported": {"connect", "other", "r1:read", "offline_access"}, "authorization_details_types_supported": {"payment"}, "introspection_signing_alg_values_supported": {"ES256"},
		} {
			if got := listOf(m[name]); !slices.Equal(got, want) {
				t.Errorf("%s is %q", name, got)
			}
		}
		if m["authorization_response_iss_parameter_supported"] != true || m["device_authorization_endpoint"] != issuer+"/oauth2/device_authorization" {
			t.Errorf("%v", m)
		}
		for _, name := range []string{"token_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported", "introspection_endpoint_auth_methods_supported"} {
			if got := listOf(m[name]); !slices.Contains(got, "client_secret_basic") || slices.Contains(got, "none") == strings.HasPrefix(name, "intro") {
				t.Errorf("%s is %q", name, got)
			}
		}
	})
	t.Run("RFC8414-2-b", func(t *testing.T) {
		for name, value := range m {
			if list, ok := value.([]any); ok && len(list) == 0 || value == nil || value == "" {
				t.Errorf("%s is empty", name)
			}
			// Every address leads somewhere.
			if text, ok := value.(string); ok && strings.HasPrefix(text, issuer+"/") {
				if resp, err := http.DefaultTransport.RoundTrip(mustGet(t, f.URL+strings.TrimPrefix(text, issuer))); err != nil || resp.StatusCode == 404 {
					t.Errorf("%s leads nowhere", name)
				}
			}
		}
	})
	t.Run("SYM-META-1", func(t *testing.T) { // B90
		want, _ := json.Marshal(m)
		for _, header := range []string{"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Original-URL", "X-Rewrite-URL"} {
			req := mustGet(t, f.URL+path)
			req.Header.Set(header, "evil.test")
			if header == "Host" {
				req.Host = "evil.test"
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			check(t, err)
			var got map[string]any
			check(t, json.NewDecoder(resp.Body).Decode(&got))
			resp.Body.Close()
			if text, _ := json.Marshal(got); string(text) != string(want) {
				t.Errorf("%s: %s", header, text)
			}
		}
	})
	t.Run("SYM-META-2", func(t *testing.T) {
		f.faulty.Plan(func(string) storetest.Fault { return storetest.Lost })
		defer f.faulty.Plan(func(string) storetest.Fault { return storetest.NoFault })
		for _, p := range []string{path, "/.well-known/openid-configuration", "/oauth2/jwks"} {
			for _, origin := range []string{"", "https://any.test"} {
				var header []string
				if origin != "" {
					header = []string{"Origin", origin}
				}
				resp, body := f.call(t, "GET", p, nil, header...)
				if resp.StatusCode != 200 || body == nil || resp.Header.Get("Cache-Control") != "public, max-age=300" || resp.Header.Get("Pragma") != "" {
					t.Errorf("%s: %d %v", p, resp.StatusCode, resp.Header)
				}
			}
		}
	})
	t.Run("SYM-META-3", func(t *testing.T) {
		// Bytes that were made before, and no call of the store.
		f.faulty.Plan(func(verb string) storetest.Fault {
			if verb != "Changes" {
				t.Errorf("calls %s", verb)
			}
			return storetest.NoFault
		})
		defer f.faulty.Plan(func(string) storetest.Fault { return storetest.NoFault })
		for range 100 {
			if resp, _ := f.call(t, "GET", "/oauth2/jwks", nil); resp.StatusCode != 200 {
				t.Fatal(resp.StatusCode)
			}
		}
	})
	t.Run("OIDCC-10.1-c", func(t *testing.T) {
		_, set := f.call(t, "GET", "/oauth2/jwks", nil)
		seen := make(map[any]bool)
		keys, _ := set["keys"].([]any)
		for _, k := range keys {
			key := k.(map[string]any)
			if seen[key["kid"]] || key["kid"] == "" || key["use"] != "sig" || key["alg"] == nil || key["d"] != nil || key["kty"] == "oct" || key["kty"] == "EC" && key["crv"] != "P-256" {
				t.Errorf("%v", key)
			}
			seen[key["kid"]] = true
		}
		if len(keys) == 0 {
			t.Error("no key")
		}
	})
}

func mustGet(t *testing.T, target string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
	check(t, err)
	return req
}

// RFC8414-2-b: what is advertised works, and what is known and not advertised
// fails: grants, ways to prove oneself, challenges.
func TestMetadataIsTrue(t *testing.T) {
	f := newFixture(t)
	_, m := described(t, f, "/.well-known/oauth-authorization-server")
	form := func(pairs ...string) []string { return pairs }
	authorize := func(changes ...string) url.Values {
		t.Helper()
		resp, err := http.DefaultTransport.RoundTrip(mustGet(t, f.URL+strings.Replace(f.authorize(changes...), "/authorize", "/oauth2/authorize", 1)))
		check(t, err)
		resp.Body.Close()
		to, err := url.Parse(resp.Header.Get("Location"))
		check(t, err)
		return to.Query()
	}
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	redemption := func(code string, more ...string) []string {
		return append(form("grant_type", "authorization_code", "code", code, "redirect_uri", f.app.RedirectURIs[0]), more...)
	}
	api := f.with(t, "api", func(a *symbolon.App) {
		a.Settings.Grants, a.Settings.ExchangeFor = []symbolon.GrantType{symbolon.GrantExchange}, []symbolon.ClientID{f.app.ID}
	})
	subject := f.tokens(t)
	_, device := f.post(t, "/oauth2/device_authorization")
	b := &browserOf{t: t, f: f, accept: "text/html"}
	_, text := b.get("/device?user_code=" + device["user_code"].(string))
	resp, _ := b.post("/sign-in", "flow", flowOf(t, text), "sandbox", jane)
	_, text = b.get(resp.Header.Get("Location"))
	resp, _ = b.post("/device", "flow", flowOf(t, text), "user_code", device["user_code"].(string))
	_, text = b.get(resp.Header.Get("Location"))
	b.post("/consent", "flow", flowOf(t, text), "action", "allow")

	tries := map[string][]string{
		"authorization_code":                            redemption(authorize().Get("code")),
		"refresh_token":                                 form("grant_type", "refresh_token", "refresh_token", subject["refresh_token"].(string)),
		"client_credentials":                            form("grant_type", "client_credentials"),
		string(symbolon.GrantDevice):                    form("grant_type", string(symbolon.GrantDevice), "device_code", device["device_code"].(string)),
		string(symbolon.GrantExchange):                  form("grant_type", string(symbolon.GrantExchange), "client_id", api, "subject_token", subject["access_token"].(string), "subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
		string(symbolon.GrantAssertion):                 form("grant_type", string(symbolon.GrantAssertion), "assertion", "x"),
		"password":                                      form("grant_type", "password", "username", "jane", "password", "x"),
		"implicit":                                      form("grant_type", "implicit"),
		"urn:openid:params:grant-type:ciba":             form("grant_type", "urn:openid:params:grant-type:ciba", "auth_req_id", "x"),
		"urn:ietf:params:oauth:grant-type:saml2-bearer": form("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer", "assertion", "x"),
	}
	for grant, pairs := range tries {
		resp, body := f.post(t, "/oauth2/token", pairs...)
		if advertised := slices.Contains(listOf(m["grant_types_supported"]), grant); (resp.StatusCode == 200) != advertised {
			t.Errorf("grant %s, advertised %v: %d %v", grant, advertised, resp.StatusCode, body)
		}
	}
	for _, grant := range listOf(m["grant_types_supported"]) {
		if tries[grant] == nil {
			t.Errorf("grant %s is advertised and not tried", grant)
		}
	}
	for _, kind := range []string{"code", "token", "id_token", "code token", "code id_token", "none"} {
		got := authorize("response_type", kind)
		if slices.Contains(listOf(m["response_types_supported"]), kind) != (got.Get("code") != "") {
			t.Errorf("response_type %s: %v", kind, got)
		}
	}
	for method, challenge := range map[string]string{"S256": challenge, "plain": verifier, "S512": challenge, "": challenge} {
		code := authorize("code_challenge", challenge, "code_challenge_method", method).Get("code")
		works := code != ""
		if works {
			resp, _ := f.post(t, "/oauth2/token", redemption(code, "code_verifier", verifier)...)
			works = resp.StatusCode == 200
		}
		if works != slices.Contains(listOf(m["code_challenge_methods_supported"]), method) {
			t.Errorf("challenge %q works: %v", method, works)
		}
	}
	public := f.with(t, "public", func(a *symbolon.App) {
		a.Public, a.Settings.Grants = true, []symbolon.GrantType{symbolon.GrantDevice}
	})
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		path := map[string]string{"token": "/oauth2/token", "revocation": "/oauth2/revoke", "introspection": "/oauth2/introspect"}[endpoint]
		methods := listOf(m[endpoint+"_endpoint_auth_methods_supported"])
		what := url.Values{"token": {"x"}, "grant_type": {"client_credentials"}}
		post := url.Values{"token": {"x"}, "grant_type": {"client_credentials"}, "client_id": {string(f.app.ID)}, "client_secret": {f.secret}}
		none := url.Values{"token": {"x"}, "grant_type": {string(symbolon.GrantDevice)}, "device_code": {"x"}, "client_id": {public}}
		for method, proven := range map[string]func() bool{
			"client_secret_basic": func() bool {
				resp, _ := f.call(t, "POST", path, what, "Authorization", basicAuth(string(f.app.ID), f.secret))
				return resp.StatusCode == 200
			},
			"client_secret_post": func() bool { resp, _ := f.call(t, "POST", path, post); return resp.StatusCode == 200 },
			"none":               func() bool { _, body := f.call(t, "POST", path, none); return body["error"] != "invalid_client" },
		} {
			if proven() != slices.Contains(methods, method) {
				t.Errorf("%s at %s: %v, advertised %q", method, path, proven(), methods)
			}
		}
	}
	// The signed answer of introspection, by an algorithm that is advertised.
	resp, _ = f.call(t, "POST", "/oauth2/introspect", url.Values{"token": {"x"}, "client_id": {string(f.app.ID)}, "client_secret": {f.secret}}, "Accept", introspectionType)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != introspectionType || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a signed answer: %d %v", resp.StatusCode, resp.Header)
	}
	for _, accept := range []string{"application/json", "*/*", ""} {
		resp, body := f.call(t, "POST", "/oauth2/introspect", url.Values{"token": {"x"}, "client_id": {string(f.app.ID)}, "client_secret": {f.secret}}, "Accept", accept)
		if resp.StatusCode != 200 || len(body) != 1 || body["active"] != false {
			t.Errorf("RFC7662-2.2-a: %d %v", resp.StatusCode, body)
		}
	}
}

// RFC8628-3.2-b, RFC8628-5.4-a, B87, RFC8628-3.2-a: what a person sees who comes
// with a device's code.
func TestDevicePages(t *testing.T) {
	f := newFixture(t)
	resp, d := f.post(t, "/oauth2/device_authorization", "scope", "connect other")
	if resp.StatusCode != 200 || d["interval"] != float64(5) || d["expires_in"] != float64(600) || d["verification_uri"] != f.URL+"/device" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", resp.StatusCode, d)
	}
	code := d["user_code"].(string)
	complete := strings.TrimPrefix(d["verification_uri_complete"].(string), f.URL)
	if complete != "/device?user_code="+code {
		t.Errorf("%s", complete)
	}
	poll := func(want string) {
		t.Helper()
		resp, body := f.post(t, "/oauth2/token", "grant_type", string(symbolon.GrantDevice), "device_code", d["device_code"].(string))
		if want == "" && resp.StatusCode != 200 || want != "" && (resp.StatusCode != 400 || body["error"] != want) {
			t.Fatalf("%d %v, want %q", resp.StatusCode, body, want)
		}
	}
	poll("authorization_pending")
	poll("slow_down")
	b := &browserOf{t: t, f: f, accept: "text/html"}
	_, text := b.get(complete)
	if strings.Contains(text, "Sandbox app") {
		t.Error("a stranger learns whose the code is")
	}
	resp, _ = b.post("/sign-in", "flow", flowOf(t, text), "sandbox", jane)
	_, text = b.get(resp.Header.Get("Location"))
	if !strings.Contains(text, code) || strings.Contains(text, "Sandbox app") { // compare it first
		t.Errorf("the page before the consent:\n%s", text)
	}
	resp, _ = b.post("/device", "flow", flowOf(t, text), "user_code", "BBBB-BBBB")
	resp, wrong := b.get(resp.Header.Get("Location"))
	if resp.StatusCode != 400 || !strings.Contains(wrong, "No device shows this code") {
		t.Errorf("a wrong code: %d", resp.StatusCode)
	}
	resp, _ = b.post("/device", "flow", flowOf(t, wrong), "user_code", " "+strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	_, text = b.get(resp.Header.Get("Location"))
	for _, must := range []string{"Sandbox app", code, "Jane Doe", "other"} {
		if !strings.Contains(text, must) {
			t.Errorf("the consent page does not say %q", must)
		}
	}
	consent := flowOf(t, text)
	// B24, B26: not from another site, nor from another browser.
	stranger := &browserOf{t: t, f: f, accept: "text/html"}
	stranger.get("/device")
	if resp, _ := stranger.post("/consent", "flow", consent, "action", "allow"); resp.StatusCode != 403 {
		t.Errorf("another browser: %d", resp.StatusCode)
	}
	poll("slow_down")
	resp, _ = b.post("/consent", "flow", consent, "action", "nonsense")
	if resp.StatusCode != 303 {
		t.Errorf("an answer that is none: %d", resp.StatusCode)
	}
	poll("slow_down")
	resp, _ = b.post("/consent", "flow", consent, "action", "allow")
	_, text = b.get(resp.Header.Get("Location"))
	if !strings.Contains(text, "Sandbox app") {
		t.Errorf("the last page:\n%s", text)
	}
	// C22, C23: twice changes nothing, and a denial comes too late.
	resp, _ = b.post("/consent", "flow", consent, "action", "deny")
	if _, text = b.get(resp.Header.Get("Location")); !strings.Contains(text, "No device shows this code") {
		t.Errorf("the second answer:\n%s", text)
	}
	poll("")
	poll("invalid_grant")
	// RFC8628-5.1-a: who guesses is stopped, and told so by a status.
	status := 0
	for range 30 {
		_, page := b.get("/device")
		resp, _ = b.post("/device", "flow", flowOf(t, page), "user_code", "BBBB-BBBB")
		resp, _ = b.get(resp.Header.Get("Location"))
		status = resp.StatusCode
	}
	if status != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("after 30 guesses: %d %v", status, resp.Header)
	}
}

// RFC9068-3-a: the audience, and every kind of token at the page's own API.
func TestTokensAtTheAPI(t *testing.T) {
	f := newFixtureAt(t, "", func(c *oauth.Config) {
		c.Resources = []oauth.Resource{{URI: "https://r1.test"}, {URI: "https://r2.test", Token: symbolon.TokenJWT}}
	})
	own := func(pairs ...string) string {
		t.Helper()
		resp, body := f.post(t, "/oauth2/token", append([]string{"grant_type", "client_credentials"}, pairs...)...)
		if resp.StatusCode != 200 {
			t.Fatalf("%d %v", resp.StatusCode, body)
		}
		return body["access_token"].(string)
	}
	for _, token := range []string{own(), own("resource", "https://r1.test"), own("resource", "https://r2.test"), "eyJ.eyJ.x", "sym_rt_x"} {
		resp, body := f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+token)
		refusal(t, "a token that is not for a person, or not for here", resp, body, 401, "invalid_token")
	}
	token := own("resource", "https://r2.test")
	_, said := f.post(t, "/oauth2/introspect", "token", token)
	if said["aud"] != "https://r2.test" || said["active"] != true {
		t.Errorf("%v", said)
	}
	f.post(t, "/oauth2/revoke", "token", token)
	if _, said = f.post(t, "/oauth2/introspect", "token", token); said["active"] != false {
		t.Errorf("%v", said)
	}
}
