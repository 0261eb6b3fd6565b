package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// readDescription fetches the description from a running server.
func readDescription(t *testing.T, f *fixture) (validator.Validator, map[string]bool) {
	t.Helper()
	resp, err := http.Get(f.URL + "/openapi.json")
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	var doc struct {
		OpenAPI string
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct{ Responses map[string]any }
	}
	check(t, json.Unmarshal(text, &doc))
	if doc.OpenAPI != "3.1.1" || doc.Servers[0].URL != f.URL || bytes.Contains(text, []byte(exampleIssuer)) {
		t.Errorf("OpenAPI %s for %s, want 3.1.1 for %s and for no other", doc.OpenAPI, doc.Servers[0].URL, f.URL)
	}
	document, err := libopenapi.NewDocument(text)
	check(t, err)
	v, errs := validator.NewValidator(document, config.WithStrictMode(), config.WithFormatAssertions(), config.WithURLEncodedBodyValidation(), config.WithOpenAPIMode(),
		// What every server sends, or a proxy may add, needs no description.
		config.WithStrictIgnoredHeadersExtra("vary", "content-language", "x-content-type-options", "pragma", "cache-control", "x-request-id", "content-security-policy",
			"referrer-policy", "x-frame-options", "cross-origin-resource-policy", "permissions-policy", "cross-origin-opener-policy", "retry-after"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, p := range problems {
			t.Errorf("the description is not OpenAPI 3.1: %s: %s", p.Message, p.Reason)
		}
	}
	documented := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			for code := range op.Responses {
				documented[strings.ToUpper(method)+" "+path+" "+code] = false
			}
		}
	}
	return v, documented
}

// provocation is a request that gets one documented answer.
type provocation struct {
	status int
	method string // of the operation
	path   string
	query  string
	form   string
	json   string
	header []string
	// sent is the method that is sent, when it is another than the operation's.
	sent string
	// foreign says that the request is not one that is described: it is
	// malformed, or has something more.
	foreign bool
	// broken is the kind of error that the store gives, or nil.
	broken *symbolon.Kind
	// repeat sends it so many times more before.
	repeat int
}

var busy, internal = symbolon.Busy, symbolon.Internal

// TestDescription holds openapi.json to the running server: each status of each
// operation is provoked, and request and answer are held to the description. A
// status that is not described, or never comes, fails.
func TestDescription(t *testing.T) {
	f := newFixture(t)
	v, documented := readDescription(t, f)
	broken := map[*symbolon.Kind]*httptest.Server{&busy: f.broken(t, busy), &internal: f.broken(t, internal)}
	for _, p := range f.provocations(t) {
		name := fmt.Sprintf("%s %s %d", p.method, p.path, p.status)
		server := f.Server
		if p.broken != nil {
			server = broken[p.broken]
		}
		for range p.repeat {
			resp, err := http.DefaultTransport.RoundTrip(p.request(t, server.URL))
			check(t, err)
			resp.Body.Close()
		}
		req := p.request(t, server.URL)
		req.Method = cmp.Or(p.sent, p.method)
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		body, err := io.ReadAll(resp.Body)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != p.status {
			t.Errorf("%s: got %d %s", name, resp.StatusCode, body)
			continue
		}
		documented[name] = true
		resp.Body = io.NopCloser(bytes.NewReader(body))
		described := p.request(t, f.URL)
		ok, problems := v.ValidateHttpRequest(described)
		if ok == p.foreign {
			t.Errorf("%s: the description takes the request: %v, want %v", name, ok, !p.foreign)
			for _, e := range problems {
				t.Log(e.Message, e.Reason)
			}
		}
		if ok, problems := v.ValidateHttpResponse(p.request(t, f.URL), resp); !ok {
			for _, e := range problems {
				t.Errorf("%s: the answer is not as described: %s: %s\n%s", name, e.Message, e.Reason, body)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if !documented[name] {
			t.Errorf("%s is described, and was never seen", name)
		}
	}
}

func (p *provocation) request(t *testing.T, base string) *http.Request {
	t.Helper()
	target := base + p.path
	if p.query != "" {
		target += "?" + p.query
	}
	req, err := http.NewRequestWithContext(t.Context(), p.method, target, strings.NewReader(p.form+p.json))
	check(t, err)
	switch {
	case p.form != "":
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case p.json != "":
		req.Header.Set("Content-Type", "application/json")
	default:
		req.Body, req.ContentLength = http.NoBody, 0
	}
	for i := 0; i < len(p.header); i += 2 {
		req.Header.Add(p.header[i], p.header[i+1])
	}
	return req
}

// broken is the same server with a store that fails at everything.
func (f *fixture) broken(t *testing.T, kind symbolon.Kind) *httptest.Server {
	t.Helper()
	clock := symbolon.NewSteadyClock(time.Time{})
	store := failing{f.store, kind}
	feed := oauth.NewFeed(store, clock, time.Millisecond, 10*time.Minute)
	options := f.handler.Options
	options.Store = store
	options.Engine = oauth.New(oauth.Config{Issuer: f.URL, Sandbox: true, SandboxAccount: jane}, store, options.Ring, clock, feed)
	h, err := New(options)
	check(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// failing is a store whose changes cannot be read, so that no one knows what
// has ended.
type failing struct {
	symbolon.Store
	kind symbolon.Kind
}

func (s failing) Changes(context.Context, symbolon.Cursor, int) ([]symbolon.Change, symbolon.Cursor, error) {
	return nil, 0, symbolon.Errorf(s.kind, "test", "broken")
}

// provocations has a request for every status of every operation.
func (f *fixture) provocations(t *testing.T) []provocation {
	t.Helper()
	var all, last []provocation
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	html := []string{"Accept", "text/html"}
	tokens := func() map[string]any { return f.tokens(t) }
	access := func() string { return tokens()["access_token"].(string) }
	form := func(pairs ...string) string {
		q := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			q.Add(pairs[i], pairs[i+1])
		}
		return q.Encode()
	}
	uri := f.app.RedirectURIs[0]
	authorize := func(pairs ...string) string {
		q := url.Values{"scope": {"connect"}, "client_id": {string(f.app.ID)}, "redirect_uri": {uri}, "response_type": {"code"}}
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return q.Encode()
	}

	// Step 1.
	step1 := []provocation{
		{status: 200, query: authorize("state", "a b")},
		{status: 200, query: authorize("login_hint", "jane", "resource", "https://api.example/", "code_challenge", challengeOf("v"), "code_challenge_method", "S256")},
		{status: 200, query: authorize(), header: html},
		{status: 303, query: authorize("scope", "unknown"), header: html},
		{status: 400, query: authorize("scope", "unknown")},
		{status: 400, query: authorize("scope", ""), foreign: true},
		{status: 400, query: authorize("redirect_uri", "https://evil.example/")},
		{status: 400, query: authorize("redirect_uri", "https://evil.example/"), header: html},
		{status: 400, query: authorize("resource", "no uri")},
		{status: 400, query: authorize("login_hint", "nobody")},
		{status: 400, query: authorize("code_challenge_method", "plain", "code_challenge", challengeOf("v")), foreign: true},
		{status: 404, query: authorize("client_id", "nobody")},
		{status: 404, query: authorize("client_id", "nobody"), header: html},
		{status: 501, query: authorize("response_type", "token"), foreign: true},
		{status: 503, query: authorize(), broken: &busy},
		{status: 503, query: authorize(), broken: &busy, header: html},
	}
	for _, p := range step1 {
		p.method, p.path = "GET", "/authorize"
		all = append(all, p)
	}

	// Steps 3 and 5.
	id, secret := string(f.app.ID), f.secret
	code := func() string {
		_, got := f.call(t, "GET", f.authorize(), nil)
		return got["code"].(string)
	}
	grant := func(pairs ...string) string {
		return form(append([]string{"grant_type", "authorization_code", "redirect_uri", uri, "client_id", id}, pairs...)...)
	}
	refresh := func(pairs ...string) string {
		return form(append([]string{"client_id", id, "refresh_token", tokens()["refresh_token"].(string)}, pairs...)...)
	}
	asJSON := func(form string) string {
		q, err := url.ParseQuery(form)
		check(t, err)
		object := map[string]string{}
		for name := range q {
			object[name] = q.Get(name)
		}
		text, err := json.Marshal(object)
		check(t, err)
		return string(text)
	}
	basic := func(secret string) []string {
		r, _ := http.NewRequest("GET", "/", nil)
		r.SetBasicAuth(id, secret)
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	large := strings.Repeat("x", maxBody)
	for path, good := range map[string]func(...string) string{
		"/token":   func(more ...string) string { return grant(append(more, "code", code())...) },
		"/refresh": refresh,
	} {
		posts := []provocation{
			{status: 200, form: good("client_secret", secret)},
			{status: 200, json: asJSON(good("client_secret", secret))},
			{status: 200, form: good(), header: basic(secret)},
			{status: 400, form: good("client_secret", "wrong")},
			{status: 400, form: form("client_id", id, "client_secret", secret), foreign: true},
			{status: 400, json: `{"grant_type":"refresh_token","refresh_token":1}`, foreign: true},
			{status: 400, json: `{"client_id":`, foreign: true},
			{status: 401, form: good(), header: basic("wrong")},
			{status: 404, json: strings.Replace(asJSON(good()), id, "nobody", 1)},
			{status: 413, form: good("client_secret", large)},
			{status: 415, form: "a=b", header: []string{"Content-Type", "text/plain"}, foreign: true},
			{status: 501, json: asJSON(form("grant_type", "password", "client_id", id, "refresh_token", "x")), foreign: true},
			{status: 503, form: good("client_secret", secret), broken: &busy},
		}
		for _, p := range posts {
			p.method, p.path = "POST", path
			all = append(all, p)
		}
		// Last, since wrong secrets are answered so for a minute.
		last = append(last, provocation{status: 429, method: "POST", path: path, form: good("client_secret", "wrong"), repeat: 60})
	}
	// /token takes the other grant too, as libraries send it.
	all = append(all, provocation{status: 200, method: "POST", path: "/token", form: refresh("client_secret", secret, "grant_type", "refresh_token")})

	// Steps 4 and 6.
	_, other := f.call(t, "GET", f.authorize("scope", "other"), nil)
	_, narrow := f.call(t, "POST", "/token", url.Values{"grant_type": {"authorization_code"}, "code": {other["code"].(string)}, "client_id": {id}, "client_secret": {secret}, "redirect_uri": {uri}})
	all = append(all,
		provocation{status: 200, method: "GET", path: "/info", header: bearer(access())},
		provocation{status: 403, method: "GET", path: "/info", header: bearer(narrow["access_token"].(string))},
	)
	for _, op := range []string{"GET /info", "GET /invalidate", "POST /invalidate", "DELETE /invalidate"} {
		method, path, _ := strings.Cut(op, " ")
		if path == "/invalidate" {
			all = append(all, provocation{status: 204, method: method, path: path, header: bearer(access())})
		}
		all = append(all,
			provocation{status: 400, method: method, path: path, header: append(bearer("a"), bearer("b")...)},
			provocation{status: 401, method: method, path: path, header: bearer("sym_at_none")},
			provocation{status: 401, method: method, path: path},
			provocation{status: 503, method: method, path: path, header: bearer(access()), broken: &busy},
		)
	}

	// What every path answers alike.
	for _, op := range []struct{ method, path, query, form, wrong string }{
		{"GET", "/authorize", authorize(), "", "POST"}, {"POST", "/token", "", grant("code", code(), "client_secret", secret), "GET"},
		{"GET", "/info", "", "", "POST"}, {"POST", "/refresh", "", refresh("client_secret", secret), "PUT"},
		{"GET", "/invalidate", "", "", "PUT"}, {"POST", "/invalidate", "", "", "PUT"}, {"DELETE", "/invalidate", "", "", "PUT"},
	} {
		p := provocation{method: op.method, path: op.path, query: op.query, form: op.form}
		if op.form == "" && op.query == "" {
			p.header = bearer(access())
		}
		wrong, long, header, failed := p, p, p, p
		wrong.status, wrong.sent = 405, op.wrong
		long.status, long.foreign, long.query = 414, true, op.query+"&x="+strings.Repeat("x", maxTarget)
		header.status, header.header = 431, append(slices.Clone(p.header), "User-Agent", strings.Repeat("x", maxHeader+1))
		failed.status, failed.broken = 500, &internal
		all = append(all, wrong, long, header, failed)
	}
	return append(all, last...)
}
