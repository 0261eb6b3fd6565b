//go:build linux

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// janeID is the id of the first sandbox account, which the page's own example
// shows.
const janeID = "d1b03e513fbc5881651d6c149fd259506f975ae1"

// bare is a client that follows no redirect and keeps no cookie.
var bare = newClient()

func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: 5 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Timeout: 60 * time.Second,
	}
}

// app is an app as its developer knows it.
type app struct {
	s        *server
	ID       string `json:"client_id"`
	Secret   string `json:"client_secret"`
	redirect string
}

// theApp is the demo's own app.
func (s *server) theApp() *app {
	return &app{s: s, ID: s.greet.ClientID, Secret: s.greet.ClientSecret, redirect: s.greet.RedirectURIs[0]}
}

// newApp registers an app by the command line, for the scopes connect and
// other. More arguments may follow.
func (s *server) newApp(t testing.TB, redirect string, more ...string) *app {
	t.Helper()
	a := &app{s: s, redirect: redirect}
	args := []string{"app", "create", "--name", "Test " + t.Name(), "--redirect-uri", redirect, "--scope", "connect other"}
	s.cli(t, "", a, append(args, more...)...)
	secret(kindSecret, a.Secret)
	return a
}

// credentials are the app's, as fields of a body.
func (a *app) credentials() url.Values {
	v := url.Values{"client_id": {a.ID}}
	if a.Secret != "" {
		v.Set("client_secret", a.Secret)
	}
	return v
}

// with returns the fields with others set; an empty value takes one out.
func with(v url.Values, pairs ...string) url.Values {
	w := url.Values{}
	for k, values := range v {
		w[k] = slices.Clone(values)
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			w.Del(pairs[i])
		} else {
			w.Set(pairs[i], pairs[i+1])
		}
	}
	return w
}

// reply is an answer, read to its end.
type reply struct {
	Status int
	Header http.Header
	Body   []byte
	JSON   map[string]any // nil when the body is no JSON object
	sent   []string       // what the request held, which no refusal may repeat
}

func (r *reply) text(name string) string {
	s, _ := r.JSON[name].(string)
	return s
}

// send sends a request and notes every secret in its answer.
func send(t testing.TB, c *http.Client, req *http.Request) *reply {
	t.Helper()
	r, err := trySend(c, req)
	must(t, err)
	return r
}

func trySend(c *http.Client, req *http.Request) (*reply, error) {
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	r := &reply{Status: res.StatusCode, Header: res.Header}
	if r.Body, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.UseNumber()
	if d.Decode(&r.JSON) != nil {
		r.JSON = nil
	}
	secret(kindSecret, r.text("code"), r.text("access_token"), r.text("refresh_token"))
	for _, c := range res.Cookies() {
		secret(kindPassing, c.Value)
	}
	return r, nil
}

// option changes a request before it is sent.
type option func(*http.Request)

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func bearer(token string) option { return header("Authorization", "Bearer "+token) }

func basic(id, secret string) option {
	return func(r *http.Request) { r.SetBasicAuth(id, secret) }
}

func request(t testing.TB, method, url string, body io.Reader, opts ...option) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	must(t, err)
	req.Header.Set("User-Agent", "symbolon-e2e")
	for _, o := range opts {
		o(req)
	}
	return req
}

// get asks for a path of the server.
func (s *server) get(t testing.TB, path string, opts ...option) *reply {
	t.Helper()
	return send(t, bare, request(t, http.MethodGet, s.base+path, nil, opts...))
}

// encoding is a type of body that the contract names.
type encoding struct {
	name string
	body func(url.Values) (contentType, body string)
}

var encodings = []encoding{
	{"form", func(v url.Values) (string, string) { return "application/x-www-form-urlencoded", v.Encode() }},
	{"json", func(v url.Values) (string, string) {
		flat := map[string]string{}
		for k := range v {
			flat[k] = v.Get(k)
		}
		b, _ := json.Marshal(flat)
		return "application/json", string(b)
	}},
}

// post posts fields, as a form.
func (s *server) post(t testing.TB, path string, v url.Values, opts ...option) *reply {
	t.Helper()
	return s.postAs(t, encodings[0], path, v, opts...)
}

func (s *server) postAs(t testing.TB, e encoding, path string, v url.Values, opts ...option) *reply {
	t.Helper()
	contentType, body := e.body(v)
	r := s.postRaw(t, path, contentType, body, opts...)
	for _, values := range v {
		r.sent = append(r.sent, values...)
	}
	return r
}

func (s *server) postRaw(t testing.TB, path, contentType, body string, opts ...option) *reply {
	t.Helper()
	req := request(t, http.MethodPost, s.base+path, strings.NewReader(body))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for _, o := range opts {
		o(req)
	}
	return send(t, bare, req)
}

// authorization is the query of a good authorization request of the app.
func (a *app) authorization(pairs ...string) url.Values {
	return with(url.Values{
		"response_type": {"code"},
		"client_id":     {a.ID},
		"redirect_uri":  {a.redirect},
		"scope":         {"connect"},
	}, pairs...)
}

// authorize asks for a code as an API caller.
func (a *app) authorize(t testing.TB, v url.Values, opts ...option) *reply {
	t.Helper()
	r := a.s.get(t, "/authorize?"+v.Encode(), opts...)
	for _, values := range v {
		r.sent = append(r.sent, values...)
	}
	return r
}

// code returns a fresh code.
func (a *app) code(t testing.TB, pairs ...string) string {
	t.Helper()
	r := a.authorize(t, a.authorization(pairs...))
	if r.Status != 200 || r.text("code") == "" {
		t.Fatalf("GET /authorize: %d %s", r.Status, r.Body)
	}
	return r.text("code")
}

// redemption is the body of a good token request for a code.
func (a *app) redemption(code string, pairs ...string) url.Values {
	v := a.credentials()
	v.Set("grant_type", "authorization_code")
	v.Set("code", code)
	v.Set("redirect_uri", a.redirect)
	return with(v, pairs...)
}

// tokens are what steps 3 and 5 answer with.
type tokens struct {
	access, refresh string
}

func (r *reply) tokens() tokens {
	return tokens{r.text("access_token"), r.text("refresh_token")}
}

// connect walks steps 1 to 3.
func (a *app) connect(t testing.TB, pairs ...string) tokens {
	t.Helper()
	var verifier string
	if a.Secret == "" {
		var challenge string
		verifier, challenge = pkce()
		pairs = append(pairs, "code_challenge", challenge, "code_challenge_method", "S256")
	}
	r := a.s.post(t, "/token", a.redemption(a.code(t, pairs...), "code_verifier", verifier))
	return granted(t, r)
}

// refreshing is the body of a good refresh request.
func (a *app) refreshing(token string, pairs ...string) url.Values {
	v := a.credentials()
	v.Set("grant_type", "refresh_token")
	v.Set("refresh_token", token)
	return with(v, pairs...)
}

func (a *app) refresh(t testing.TB, token string, pairs ...string) *reply {
	t.Helper()
	return a.s.post(t, "/refresh", a.refreshing(token, pairs...))
}

func (s *server) info(t testing.TB, access string) *reply {
	t.Helper()
	return s.get(t, "/info", bearer(access))
}

// pkce returns a code verifier and its S256 challenge.
func pkce() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	secret(kindPassing, verifier)
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// granted holds an answer of steps 3 and 5 to all that the contract says of it.
func granted(t testing.TB, r *reply) tokens {
	t.Helper()
	if r.Status != 200 {
		t.Fatalf("status %d, want 200: %s", r.Status, r.Body)
	}
	isJSON(t, r)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"expires_in", "refresh_expires_in"} {
		n, ok := r.JSON[name].(json.Number)
		// A float breaks Go's clients, a string others (CLIENTS.md 5).
		if seconds, err := strconv.ParseInt(n.String(), 10, 64); !ok || err != nil || seconds <= 0 {
			t.Errorf("%s is %v (%T), want a whole number of seconds", name, r.JSON[name], r.JSON[name])
		}
	}
	if got := r.text("token_type"); got != "Bearer" {
		t.Errorf("token_type %q, want Bearer", got)
	}
	if _, ok := r.JSON["scope"].(string); !ok {
		t.Errorf("scope is %v, want a string", r.JSON["scope"])
	}
	for _, name := range []string{"access_token", "refresh_token"} {
		// RFC 6749 A.12; token68, at least 43 characters.
		if s := r.text(name); !regexp.MustCompile(`^[A-Za-z0-9._~+/-]{43,}=*$`).MatchString(s) {
			t.Errorf("%s is %q", name, s)
		}
	}
	if len(r.JSON) != 6 {
		t.Errorf("%d members, want 6: %v", len(r.JSON), slices.Sorted(keys(r.JSON)))
	}
	return r.tokens()
}

func keys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func isJSON(t testing.TB, r *reply) {
	t.Helper()
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q, want application/json", got)
	}
	if r.JSON == nil {
		t.Errorf("the body is no JSON object: %q", r.Body)
	}
}

// description is what error_description may be made of (RFC 6749 §5.2).
var description = regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]{10,}$`)

// refused holds an answer to the one shape of every refusal of the API.
func refused(t testing.TB, r *reply, status int, code string) {
	t.Helper()
	if r.Status != status || r.text("error") != code {
		t.Errorf("answer %d %s, want %d %s\n%s", r.Status, r.text("error"), status, code, r.Body)
		return
	}
	isJSON(t, r)
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
	if got := r.Header.Get("Pragma"); got != "no-cache" {
		t.Errorf("Pragma %q, want no-cache", got)
	}
	if got := r.text("error_description"); !description.MatchString(got) {
		t.Errorf("error_description %q", got)
	}
	if u, err := url.Parse(r.text("error_uri")); err != nil || !u.IsAbs() || u.Host == "" {
		t.Errorf("error_uri %q", r.text("error_uri"))
	}
	if id := r.text("request_id"); id == "" || id != r.Header.Get("X-Request-Id") {
		t.Errorf("request_id %q in the body, %q in the header", id, r.Header.Get("X-Request-Id"))
	}
	for _, name := range []string{"code", "access_token", "refresh_token", "state"} {
		if r.JSON[name] != nil {
			t.Errorf("a refusal has a member %s", name)
		}
	}
	for _, s := range r.sent {
		if len(s) >= 8 && !ours[s] && bytes.Contains(r.Body, []byte(s)) {
			t.Errorf("the refusal repeats %q, which was sent: %s", s, r.Body)
		}
	}
}

// ours are words of the protocol: a refusal may name them whoever sent them.
var ours = map[string]bool{"authorization_code": true, "refresh_token": true}

// challenged checks WWW-Authenticate: its scheme, and that it is well formed.
func challenged(t testing.TB, r *reply, scheme, code string) {
	t.Helper()
	values := r.Header.Values("WWW-Authenticate")
	if len(values) != 1 {
		t.Fatalf("WWW-Authenticate %q, want one", values)
	}
	m := regexp.MustCompile(`^(\w+) (\w+="[\x20-\x21\x23-\x5b\x5d-\x7e]*")(, \w+="[\x20-\x21\x23-\x5b\x5d-\x7e]*")*$`).FindStringSubmatch(values[0])
	if m == nil || m[1] != scheme {
		t.Fatalf("WWW-Authenticate %q, want the scheme %s", values[0], scheme)
	}
	has := strings.Contains(values[0], ` error="`)
	if code == "" && has || code != "" && !strings.Contains(values[0], fmt.Sprintf(` error="%s"`, code)) {
		t.Errorf("WWW-Authenticate %q, want the error %q", values[0], code)
	}
}

// over checks that a connection is over: neither token is honoured.
func (a *app) over(t testing.TB, tk tokens) {
	t.Helper()
	refused(t, a.s.info(t, tk.access), 401, "invalid_token")
	refused(t, a.refresh(t, tk.refresh), 400, "invalid_grant")
}

// alive checks that the access token is honoured, and the refresh token too.
func (a *app) alive(t testing.TB, tk tokens) tokens {
	t.Helper()
	if r := a.s.info(t, tk.access); r.Status != 200 {
		t.Errorf("GET /info: %d %s", r.Status, r.Body)
	}
	return granted(t, a.refresh(t, tk.refresh))
}
