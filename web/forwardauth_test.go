package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// The answers that a reverse proxy gets: nginx takes 2xx, 401 and 403, and calls
// all else its own failure, so what the caller did wrong is one of these.
func TestForwardAuth(t *testing.T) {
	f := newFixture(t)
	token := f.tokens(t)["access_token"].(string)
	good := []string{"Authorization", "Bearer " + token}
	const meta = `, resource_metadata="https://api.test/.well-known/oauth-protected-resource/v1"`
	for name, c := range map[string]struct {
		query     string
		header    []string
		status    int
		challenge string // after realm="symbolon", where it begins so
	}{
		"good":                       {"", good, 200, ""},
		"with the scope":             {"?scope=connect", good, 200, ""},
		"in small letters":           {"", []string{"Authorization", "bearer " + token}, 200, ""},
		"RFC6750-3-a no token":       {"?scope=a+b", nil, 401, `, scope="a b"`},
		"another scheme":             {"", []string{"Authorization", "Basic eDp5"}, 401, ""},
		"RFC6750-3.1-a a bad one":    {"", []string{"Authorization", "Bearer x"}, 401, `, error="invalid_token"`},
		"a scope is lacking":         {"?scope=connect%20write", good, 403, `, error="insufficient_scope"`},
		"RFC6750-2-a two headers":    {"", append([]string{"Authorization", "Bearer x"}, good...), 401, `, error="invalid_token"`},
		"RFC9728-5.1-a for another":  {"?resource=https://api.test/v1", good, 401, `, error="invalid_token"`},
		"RFC9728-5.1-a none, for it": {"?resource=https://api.test/v1", nil, 401, meta},
		"RFC9470-3 signed in so":     {"?acr_values=2+1&max_age=3600", good, 200, ""},
		"RFC9470-3 not so":           {"?acr_values=2+phr", good, 401, `, error="insufficient_user_authentication", error_description="The person must`},
		// Mistakes of the proxy's configuration let no one through.
		"a misspelt name":  {"?scopes=connect", good, 400, ""},
		"no value":         {"?scope=", good, 400, ""},
		"no value for it":  {"?resource=", good, 400, ""},
		"twice":            {"?scope=connect&scope=connect", good, 400, ""},
		"two spaces":       {"?scope=a++b", good, 400, ""},
		"a quote in scope": {"?scope=a%22", good, 400, ""},
		"no URI":           {"?resource=api", good, 400, ""},
		"a quote in it":    {"?resource=https://api.test/%22", nil, 400, ""},
		"a broken escape":  {"?scope=%zz", good, 400, ""},
		"no acr":           {"?acr_values=", good, 400, ""},
		"a quote in acr":   {"?acr_values=%22", good, 400, ""},
		"no max_age":       {"?max_age=0", good, 400, ""},
		"a bad max_age":    {"?max_age=10m", good, 400, ""},
		"a huge max_age":   {"?max_age=99999999999", good, 400, ""},
		"a semicolon":      {"?scope=connect;x", good, 400, ""},
		"a token in it":    {"?access_token=" + token, nil, 400, ""},
	} {
		resp, body := f.call(t, "GET", "/forward-auth"+c.query, nil, c.header...)
		challenge := resp.Header.Get("WWW-Authenticate")
		want := `Bearer realm="symbolon"` + c.challenge
		switch {
		case resp.StatusCode != c.status:
			t.Errorf("%s: %d %v, want %d", name, resp.StatusCode, body, c.status)
		case c.status == 200:
			if resp.ContentLength != 0 || resp.Header.Get("X-Auth-Subject") != string(jane) || resp.Header.Get("X-Auth-Client") != string(f.app.ID) ||
				resp.Header.Get("X-Auth-Scope") != "connect" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", name, resp.Header)
			}
		case c.status == 400:
			if challenge != "" {
				t.Errorf("%s: challenge %s", name, challenge)
			}
		case !strings.HasPrefix(challenge, want) || !strings.Contains(c.challenge, "error=") && challenge != want:
			t.Errorf("%s: challenge %s, want %s", name, challenge, want)
		}
		if c.status != 200 && (resp.Header.Get("X-Auth-Subject") != "" || body["error"] == nil) {
			t.Errorf("%s: refused with %v %v", name, resp.Header, body)
		}
		if strings.Contains(c.query, "api.test/v1") && !strings.HasSuffix(challenge, meta) {
			t.Errorf("%s: %s does not say where the API's metadata is", name, challenge)
		}
		if c.status == 403 && !strings.Contains(challenge, `scope="connect write"`) {
			t.Errorf("%s: %s does not say which scopes are needed", name, challenge)
		}
	}
	// Step 4 says what it always said.
	_, narrow := f.call(t, "GET", f.authorize("scope", "other"), nil)
	_, tokens := f.call(t, "POST", "/token", url.Values{"grant_type": {"authorization_code"}, "code": {narrow["code"].(string)}, "client_id": {string(f.app.ID)},
		"client_secret": {f.secret}, "redirect_uri": {f.app.RedirectURIs[0]}})
	resp, _ := f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+tokens["access_token"].(string))
	if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 403 || !strings.HasSuffix(got, `, scope="connect"`) {
		t.Errorf("/info: %d %s", resp.StatusCode, got)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		if resp, _ := f.call(t, method, "/forward-auth", nil, good...); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

// RFC9449-7.1-a: a bound token is taken when a trusted proxy says what its proof
// must be for, and from no one else.
func TestForwardAuthBound(t *testing.T) {
	f := newFixture(t)
	p := newProver(t)
	_, a := f.call(t, "GET", f.authorize(), nil)
	_, tokens := f.call(t, "POST", "/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {a["code"].(string)}, "client_id": {string(f.app.ID)}, "client_secret": {f.secret},
		"redirect_uri": {f.app.RedirectURIs[0]}}, "DPoP", p.proof(t, "POST", f.URL+"/oauth2/token", "", ""))
	token, _ := tokens["access_token"].(string)
	if tokens["token_type"] != "DPoP" {
		t.Fatalf("%v", tokens)
	}
	const target = "https://api.test/orders"
	from := func(changes ...string) []string {
		said := []string{"X-Forwarded-Method", "PUT", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.test", "X-Forwarded-Uri", "/orders?a=b"}
		for i := 0; i < len(changes); i += 2 {
			for j := range said {
				if said[j] == changes[i] {
					said[j+1] = changes[i+1]
				}
			}
		}
		return said
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		query   string
		scheme  string
		proof   string
		said    []string
		status  int
	}{
		{"good", trusted, "", "DPoP", target, from(), 200},
		{"no proxy is trusted", nil, "", "DPoP", target, from(), 401},
		{"another is", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "", "DPoP", target, from(), 401},
		{"a proof for this server", trusted, "", "DPoP", f.URL + "/forward-auth", from(), 401},
		{"a proof for this server, and nothing said", trusted, "", "DPoP", f.URL + "/forward-auth", nil, 401},
		{"nothing is said", trusted, "", "DPoP", target, nil, 401},
		{"another method", trusted, "", "DPoP", target, from("X-Forwarded-Method", "GET"), 401},
		{"another path", trusted, "", "DPoP", target, from("X-Forwarded-Uri", "/orders/"), 401},
		{"no path", trusted, "", "DPoP", target, from("X-Forwarded-Uri", ""), 401},
		{"another host", trusted, "", "DPoP", target, from("X-Forwarded-Host", "evil.test"), 401},
		{"a host and more", trusted, "", "DPoP", "https://api.test/orders/orders", from("X-Forwarded-Host", "api.test/orders"), 401},
		{"another scheme", trusted, "", "DPoP", target, from("X-Forwarded-Proto", "http"), 401},
		{"no scheme", trusted, "", "DPoP", target, from("X-Forwarded-Proto", "https,http"), 401},
		{"said twice", trusted, "", "DPoP", target, append(from(), "X-Forwarded-Host", "api.test"), 401},
		{"as Bearer", trusted, "", "Bearer", target, from(), 401},
		// For an API with a URL, the host is known.
		{"for another API", trusted, "?resource=https://other.test", "DPoP", "https://other.test/orders", from(), 401},
	} {
		f.handler.TrustedProxies = c.trusted
		header := append([]string{"Authorization", c.scheme + " " + token, "DPoP", p.proof(t, "PUT", c.proof, token, "")}, c.said...)
		resp, body := f.call(t, "GET", "/forward-auth"+c.query, nil, header...)
		if resp.StatusCode != c.status || c.status == 401 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%s: %d %v %v", c.name, resp.StatusCode, body, resp.Header)
		}
	}
	for resource, want := range map[string]string{"": "https://api.test/orders", "https://r1.test/v1": "https://r1.test/orders", "urn:api:1": "https://api.test/orders"} {
		r := httptest.NewRequest("GET", "/forward-auth", nil)
		r.RemoteAddr = "127.0.0.1:1"
		said := from()
		for i := 0; i < len(said); i += 2 {
			r.Header.Set(said[i], said[i+1])
		}
		f.handler.TrustedProxies = trusted
		if method, got := f.handler.original(r, resource); method != "PUT" || got != want {
			t.Errorf("for %q: %s %s, want %s", resource, method, got, want)
		}
	}
}

// The server away is 503: a proxy that knows it says so, nginx makes it 500, and
// none lets anyone through.
func TestForwardAuthAway(t *testing.T) {
	f := newFixture(t)
	token := f.tokens(t)["access_token"].(string)
	s := f.broken(t, symbolon.Busy)
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/forward-auth", nil)
	check(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("X-Auth-Subject") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

func TestPlainHeader(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "a b": true, "https://x.test/?a=b": true, " a": false, "a ": false, "a\r\nX: y": false, "a\tb": false, "Jané": false, "a\x00": false, "a\x7f": false,
	} {
		if got := plainHeader(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func FuzzReadForward(f *testing.F) {
	f.Add("scope=a+b&resource=https://api.test/v1")
	f.Add("scope=%22")
	f.Add("resource=https://x/%0d%0a")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := readForward(query)
		if err != nil {
			return
		}
		for _, s := range []string{q.Scope.String(), q.Resource, resourceMetadata(q.Resource)} {
			if !plainHeader(s) || strings.ContainsAny(s, `"\`) {
				t.Fatalf("%q: %q in a quoted string", query, s)
			}
		}
		if query != "" && strings.Trim(query, "&") != "" && len(q.Scope) == 0 && q.Resource == "" {
			t.Fatalf("%q asks for nothing", query)
		}
	})
}
