package web

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/signin"
	"github.com/symbolon/symbolon/storetest"
)

// fixture is a whole server on a store in memory.
type fixture struct {
	*httptest.Server
	handler *Handler
	store   symbolon.Store
	faulty  *storetest.Faulty
	app     symbolon.App
	secret  string
	jane    symbolon.Account
	feed    *oauth.Feed
}

const jane = "d1b03e513fbc5881651d6c149fd259506f975ae1"

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureAt(t, "")
}

// newFixtureAt is a fixture with an issuer that is not its own address, unless
// empty, and with changes to the engine's configuration.
func newFixtureAt(t testing.TB, issuer string, configure ...func(*oauth.Config)) *fixture {
	t.Helper()
	ctx := t.Context()
	store := storetest.NewFaulty(storetest.NewMemory())
	clock := symbolon.NewSteadyClock(time.Time{})
	root, err := seal.NewRootKey()
	check(t, err)
	key, err := root.NewKey()
	check(t, err)
	key.ActiveFrom = clock.Now()
	signing, err := jwt.NewKey(root, "ES256")
	check(t, err)
	signing.ActiveFrom = clock.Now()
	keys := []symbolon.Key{key, signing}
	check(t, symbolon.PutKeys(ctx, store, keys, true))
	ring, err := seal.NewRing([]*seal.RootKey{root}, keys)
	check(t, err)
	signer, err := jwt.NewRing([]*seal.RootKey{root}, keys)
	check(t, err)

	f := &fixture{store: store, faulty: store}
	plain, hash := symbolon.NewSecret(clock.Now())
	f.secret = plain
	f.app = symbolon.App{
		ID: symbolon.NewClientID(), Name: "Sandbox app", Secrets: []symbolon.Secret{hash}, Scope: symbolon.Scopes{"connect", "other"},
		RedirectURIs: []string{"https://www.make.com/oauth/cb/app", "http://127.0.0.1/playground/callback"},
		Rotation:     symbolon.RotateAlways, Sandbox: true, CreatedAt: clock.Now(),
	}
	check(t, store.PutApp(ctx, f.app))
	f.jane = symbolon.Account{ID: jane, Username: "jane", Name: "Jane Doe", Sandbox: true, CreatedAt: clock.Now()}
	check(t, store.PutAccount(ctx, f.jane))

	feed := oauth.NewFeed(store, clock, 250*time.Millisecond, 10*time.Minute)
	check(t, feed.Poll(ctx))
	f.feed = feed
	f.Server = httptest.NewUnstartedServer(nil)
	if issuer == "" {
		issuer = "http://" + f.Listener.Addr().String()
	}
	base, err := url.Parse(issuer)
	check(t, err)
	pages, err := NewPages(base.Path, Appearance{})
	check(t, err)
	cfg := oauth.Config{Issuer: issuer, Sandbox: true, SandboxAccount: jane, Signing: signer}
	for _, change := range configure {
		change(&cfg)
	}
	teller := &oidc.Teller{Issuer: issuer, Signing: cfg.Signing, Lifetime: 10 * time.Minute}
	cfg.IDToken = teller.IDToken
	engine := oauth.New(cfg, store, ring, clock, feed)
	f.handler, err = New(Options{
		Engine: engine, Store: store, Ring: ring, Hasher: signin.NewHasher(), Throttle: signin.NewThrottle(clock), Pages: pages,
		Requests: io.Discard, OpenID: teller, Sandbox: true, SandboxApp: f.app.ID, SandboxSecret: plain,
	})
	check(t, err)
	f.Config.Handler = f.handler
	f.Start()
	t.Cleanup(f.Close)
	return f
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get returns the answer to a GET, redirects included, and its body.
func (f *fixture) get(path string) (*http.Response, string) {
	req, err := http.NewRequest("GET", f.URL+path, nil)
	if err != nil {
		return nil, err.Error()
	}
	req.Header.Set("Accept", "text/html, application/json")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return &http.Response{}, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

// call sends a request and returns the answer with its body as a JSON object.
func (f *fixture) call(t testing.TB, method, target string, form url.Values, header ...string) (*http.Response, map[string]any) {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+target, body)
	check(t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	check(t, err)
	var object map[string]any
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &object); err != nil {
			t.Fatalf("%s %s: %v in %s", method, target, err, raw)
		}
	}
	return resp, object
}

func (f *fixture) authorize(changes ...string) string {
	q := url.Values{"scope": {"connect"}, "client_id": {string(f.app.ID)}, "redirect_uri": {f.app.RedirectURIs[0]}, "response_type": {"code"}}
	for i := 0; i < len(changes); i += 2 {
		q.Set(changes[i], changes[i+1])
	}
	return "/authorize?" + q.Encode()
}

func (f *fixture) tokens(t testing.TB) map[string]any {
	t.Helper()
	_, a := f.call(t, "GET", f.authorize(), nil)
	resp, b := f.call(t, "POST", "/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {a["code"].(string)}, "client_id": {string(f.app.ID)},
		"client_secret": {f.secret}, "redirect_uri": {f.app.RedirectURIs[0]},
	})
	if resp.StatusCode != 200 {
		t.Fatalf("token: %d %v", resp.StatusCode, b)
	}
	return b
}

// TestSixSteps walks the page's six steps as a client written from the page
// alone does.
func TestSixSteps(t *testing.T) {
	f := newFixture(t)
	first := f.tokens(t)
	bearer := []string{"Authorization", "Bearer " + first["access_token"].(string)}
	resp, info := f.call(t, "GET", "/info", nil, bearer...)
	if resp.StatusCode != 200 || info["id"] != jane || info["user"] != "Jane Doe" {
		t.Fatalf("info: %d %v", resp.StatusCode, info)
	}
	resp, second := f.call(t, "POST", "/refresh", url.Values{"client_id": {string(f.app.ID)}, "client_secret": {f.secret}, "refresh_token": {first["refresh_token"].(string)}})
	if resp.StatusCode != 200 || second["refresh_token"] == first["refresh_token"] {
		t.Fatalf("refresh: %d %v", resp.StatusCode, second)
	}
	resp, _ = f.call(t, "GET", "/invalidate", nil, bearer...)
	if resp.StatusCode != 204 {
		t.Fatalf("invalidate: %d", resp.StatusCode)
	}
	for _, step := range []string{"/info", "/invalidate"} {
		if resp, body := f.call(t, "GET", step, nil, bearer...); resp.StatusCode != 401 {
			t.Errorf("%s afterwards: %d %v", step, resp.StatusCode, body)
		}
	}
}

// TestBrowserFlow walks step 1 as a browser: sign in, allow, back to the app.
func TestBrowserFlow(t *testing.T) {
	f := newFixture(t)
	html := []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}
	jar := map[string]string{}
	get := func(method, target string, form url.Values) (*http.Response, string) {
		t.Helper()
		h := html
		for name, value := range jar {
			h = append(h, "Cookie", name+"="+value)
		}
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		req, _ := http.NewRequestWithContext(t.Context(), method, f.URL+target, body)
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i < len(h); i += 2 {
			req.Header.Add(h[i], h[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		defer resp.Body.Close()
		raw, _ := io.ReadAll(resp.Body)
		for _, c := range resp.Cookies() {
			jar[c.Name] = c.Value
		}
		return resp, string(raw)
	}
	flow := func(page string) string {
		t.Helper()
		_, rest, ok := strings.Cut(page, `name="flow" value="`)
		if !ok {
			t.Fatalf("no flow in page:\n%s", page)
		}
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	resp, page := get("GET", f.authorize("state", "s 1"), nil)
	if resp.StatusCode != 200 {
		t.Fatalf("sign-in page: %d\n%s", resp.StatusCode, page)
	}
	resp, _ = get("POST", "/sign-in", url.Values{"flow": {flow(page)}, "sandbox": {jane}})
	if resp.StatusCode != 303 {
		t.Fatalf("sign in: %d", resp.StatusCode)
	}
	resp, page = get("GET", resp.Header.Get("Location"), nil)
	if resp.StatusCode != 200 || !strings.Contains(page, "Sandbox app") {
		t.Fatalf("consent page: %d\n%s", resp.StatusCode, page)
	}
	resp, page = get("POST", "/consent", url.Values{"flow": {flow(page)}, "action": {"allow"}})
	if resp.StatusCode != 303 {
		t.Fatalf("allow: %d\n%s", resp.StatusCode, page)
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	check(t, err)
	if q := to.Query(); q.Get("state") != "s 1" || q.Get("iss") != f.URL || q.Get("code") == "" || to.Host != "www.make.com" {
		t.Fatalf("callback: %s", to)
	}
}
