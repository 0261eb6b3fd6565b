package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

const where = `resource_metadata="https://api.test/.well-known/oauth-protected-resource/v1"`

// RFC6750-2, -2.3-a, -3-a, -3.1-a, RFC9728-5.1-a: each way to ask, and the
// answer.
func TestAnswers(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	good := "Authorization: Bearer " + f.jwt()
	for name, c := range map[string]struct {
		target  string
		headers []string
		scopes  []string
		status  int
		want    string // of WWW-Authenticate, by its beginning
		code    string
	}{
		"good":                    {"/", []string{good}, []string{"connect", "read"}, 200, "", ""},
		"scheme in small letters": {"/", []string{strings.Replace(good, "Bearer", "bearer", 1)}, nil, 200, "", ""},
		"scheme in capitals":      {"/", []string{strings.Replace(good, "Bearer", "BEARER", 1)}, nil, 200, "", ""},
		"more spaces":             {"/", []string{strings.Replace(good, "Bearer", "Bearer  ", 1)}, nil, 200, "", ""},
		"nothing":                 {"/", nil, nil, 401, `Bearer ` + where, "invalid_token"},
		"nothing, with scopes":    {"/", nil, []string{"a", "b"}, 401, `Bearer scope="a b", ` + where, "invalid_token"},
		"another scheme":          {"/", []string{"Authorization: Basic eDp5"}, nil, 401, `Bearer ` + where, "invalid_token"},
		"a scheme alone":          {"/", []string{"Authorization: Bearer"}, nil, 401, `Bearer ` + where, "invalid_token"},
		"an empty header":         {"/", []string{"Authorization: "}, nil, 401, `Bearer ` + where, "invalid_token"},
		"in the query":            {"/?access_token=x", nil, nil, 401, `Bearer ` + where, "invalid_token"},
		"in the query, encoded":   {"/?access%5Ftoken=x", nil, nil, 401, `Bearer ` + where, "invalid_token"},
		"in both":                 {"/?a=b&access_token=x", []string{good}, nil, 400, `Bearer error="invalid_request", `, "invalid_request"},
		"two headers":             {"/", []string{good, good}, nil, 400, `Bearer error="invalid_request", `, "invalid_request"},
		"another parameter":       {"/?my_access_token=x&access=y", []string{good}, nil, 200, "", ""},
		"garbage":                 {"/", []string{"Authorization: Bearer a b"}, nil, 401, `Bearer error="invalid_token", `, "invalid_token"},
		"quotes":                  {"/", []string{`Authorization: Bearer a", error="x`}, nil, 401, `Bearer error="invalid_token", `, "invalid_token"},
		"only padding":            {"/", []string{`Authorization: Bearer ===`}, nil, 401, `Bearer error="invalid_token", `, "invalid_token"},
		"unknown":                 {"/", []string{`Authorization: Bearer sym_at_x`}, nil, 401, `Bearer error="invalid_token", `, "invalid_token"},
		"a scope is lacking":      {"/", []string{good}, []string{"read", "write"}, 403, `Bearer error="insufficient_scope", `, "insufficient_scope"},
		"a scope in part":         {"/", []string{good}, []string{"rea"}, 403, `Bearer error="insufficient_scope", `, "insufficient_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			w, token := call(v, request("GET", c.target, c.headers...), c.scopes...)
			wantStatus(t, w, c.status)
			got := w.Header().Values("WWW-Authenticate")
			if c.status == 200 {
				if token == nil || len(got) > 0 {
					t.Errorf("let in with %v and %v", token, got)
				}
				return
			}
			if token != nil {
				t.Error("the handler was called")
			}
			if len(got) != 1 || !strings.HasPrefix(got[0], c.want) || !strings.HasSuffix(got[0], where) || c.want == "Bearer "+where && got[0] != c.want {
				t.Errorf("WWW-Authenticate: %q", got)
			}
			wantChallenge(t, got[0])
			var body struct {
				Error       string
				Description string `json:"error_description"`
			}
			check(t, json.Unmarshal(w.Body.Bytes(), &body))
			if body.Error != c.code || body.Description == "" || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v %s", w.Header(), w.Body)
			}
			if c.status == 403 && !strings.Contains(got[0], `scope="`+strings.Join(c.scopes, " ")+`"`) {
				t.Errorf("%s does not say which scopes are needed", got[0])
			}
		})
	}
}

// wantChallenge holds a challenge to the grammar of RFC 9110 §11.6.1, with each
// parameter once (RFC6750-3-b).
func wantChallenge(t *testing.T, s string) {
	t.Helper()
	if !regexp.MustCompile(`^(Bearer|DPoP) [a-z_]+="[ !#-\[\]-~]*"(, [a-z_]+="[ !#-\[\]-~]*")*$`).MatchString(s) {
		t.Errorf("%s is no challenge", s)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(s, -1) {
		if seen[m[1]] {
			t.Errorf("%s has %s twice", s, m[1])
		}
		seen[m[1]] = true
	}
}

func TestChallengeWithoutResource(t *testing.T) {
	f := newFake(t)
	v := f.verifier(func(o *Options) { o.Resource = "" })
	w, _ := call(v, request("GET", "/"))
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || got != `Bearer realm="api"` {
		t.Errorf("%d %s", w.Code, got)
	}
	if v.MetadataPath() != "" {
		t.Errorf("an API without a URL has metadata at %s", v.MetadataPath())
	}
	w = httptest.NewRecorder()
	v.Metadata().ServeHTTP(w, request("GET", "/.well-known/oauth-protected-resource"))
	wantStatus(t, w, 404)
}

func TestRefuseAnyError(t *testing.T) {
	f := newFake(t)
	w := httptest.NewRecorder()
	f.verifier().Refuse(w, request("GET", "/"), errors.New("a secret"))
	if w.Code != 503 || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestErrorSays(t *testing.T) {
	cause := errors.New("cause")
	e := &Error{Description: "No.", Err: cause}
	if e.Error() != "bearer: No. (cause)" || !errors.Is(e, cause) {
		t.Error(e)
	}
	if FromContext(context.Background()) != nil {
		t.Error("there is a token where none was put")
	}
}

func TestHandlerTakesNoScopeThatIsNone(t *testing.T) {
	f := newFake(t)
	for _, s := range []string{"", "a b", `a"b`, `a\b`, "ä", "a\n"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", s)
				}
			}()
			f.verifier().Handler(http.NotFoundHandler(), s)
		}()
	}
}

// RFC9728-4-a, RFC9728-5.1-a: the metadata of the API.
func TestMetadata(t *testing.T) {
	f := newFake(t)
	v := f.verifier(func(o *Options) {
		o.Name, o.Scopes, o.Documentation = "Orders", []string{"connect", "read"}, "https://api.test/docs"
	})
	const at = "/.well-known/oauth-protected-resource/v1"
	if v.MetadataPath() != at {
		t.Errorf("it is at %s", v.MetadataPath())
	}
	ask := func(method, target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		v.Metadata().ServeHTTP(w, request(method, target))
		return w
	}
	w := ask("GET", at)
	want := `{"resource":"https://api.test/v1","authorization_servers":["` + f.URL + `"],"bearer_methods_supported":["header"],` +
		`"scopes_supported":["connect","read"],"resource_name":"Orders","resource_documentation":"https://api.test/docs",` +
		`"dpop_signing_alg_values_supported":["ES256","RS256","PS256","EdDSA"]}`
	if w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"HEAD", at, 200}, {"OPTIONS", at, 204}, {"POST", at, 405}, {"GET", at + "?x=y", 200},
		{"GET", at + "/", 404}, {"GET", "/.well-known/oauth-protected-resource", 404}, {"GET", at + "/more", 404}, {"GET", "/v1", 404},
	} {
		if w := ask(c.method, c.target); w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.target, w.Code, c.status)
		}
	}
	if f.count("/.well-known/oauth-authorization-server") != 0 {
		t.Error("the server is asked for our own metadata")
	}
	// An app finds the metadata from the resource and from the challenge alike, and
	// reads the resource that it began with (RFC 9728 §3.3).
	for res, path := range map[string]string{
		"https://api.test": "/.well-known/oauth-protected-resource", "https://api.test/": "/.well-known/oauth-protected-resource",
		"http://127.0.0.1:9/a/b/": "/.well-known/oauth-protected-resource/a/b/", "https://api.test/a%20b": "/.well-known/oauth-protected-resource/a%20b",
	} {
		v := f.verifier(func(o *Options) { o.Resource = res })
		w := httptest.NewRecorder()
		v.Metadata().ServeHTTP(w, request("GET", path))
		var doc struct{ Resource string }
		check(t, json.Unmarshal(w.Body.Bytes(), &doc))
		if doc.Resource != res || v.MetadataPath() != path {
			t.Errorf("%s: at %s, and says %s", res, v.MetadataPath(), doc.Resource)
		}
	}
}

func TestOptions(t *testing.T) {
	const as = "https://as.test"
	for name, o := range map[string]Options{
		"only a resource":  {Issuer: as, Resource: resource},
		"only an audience": {Issuer: as, Audience: []string{"orders"}},
		"only credentials": {Issuer: as, ClientID: "a", ClientSecret: "b"},
		"issuer by http":   {Issuer: "http://127.0.0.1:8080", Resource: resource},
		"issuer with path": {Issuer: as + "/tenant", Resource: resource},
	} {
		if _, err := New(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]Options{
		"nothing":                 {},
		"no issuer":               {Resource: resource},
		"only an issuer":          {Issuer: as},
		"issuer is a host":        {Issuer: "as.test", Resource: resource},
		"issuer with query":       {Issuer: as + "?a=b", Resource: resource},
		"issuer with fragment":    {Issuer: as + "#", Resource: resource},
		"issuer with user":        {Issuer: "https://u:p@as.test", Resource: resource},
		"issuer of a file":        {Issuer: "file:///etc/passwd", Resource: resource},
		"resource is relative":    {Issuer: as, Resource: "/v1"},
		"resource with fragment":  {Issuer: as, Resource: resource + "#x"},
		"resource with quote":     {Issuer: as, Resource: resource + `"`},
		"resource with backslash": {Issuer: as, Resource: resource + `\`},
		"resource not ASCII":      {Issuer: as, Resource: resource + "/ä"},
		"base is relative":        {Issuer: as, Resource: resource, Base: "/v1"},
		"endpoint is relative":    {Issuer: as, ClientID: "a", ClientSecret: "b", IntrospectionEndpoint: "/x"},
		"keys are relative":       {Issuer: as, Resource: resource, JWKSURI: "x"},
		"documentation is script": {Issuer: as, Resource: resource, Documentation: "javascript:x"},
		"an empty audience":       {Issuer: as, Audience: []string{""}},
		"no secret":               {Issuer: as, Resource: resource, ClientID: "a"},
		"no id":                   {Issuer: as, Resource: resource, ClientSecret: "supersecret"},
		"asking as nobody":        {Issuer: as, Resource: resource, AlwaysAsk: true},
		"a scope with a space":    {Issuer: as, Resource: resource, Scopes: []string{"a b"}},
	} {
		_, err := New(o)
		if err == nil || !strings.HasPrefix(err.Error(), "bearer: ") || strings.Contains(err.Error(), "supersecret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The options of the caller and its client are left as they were.
	c := &http.Client{}
	_, err := New(Options{Issuer: as, Resource: resource, Client: c})
	check(t, err)
	if c.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}
