package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/storetest"
	"github.com/symbolon/symbolon/trail"
)

// trailing is a fixture whose requests are written down.
type trailing struct {
	*fixture
	*trail.Recorder
	t testing.TB
}

func newTrailing(t testing.TB, configure ...func(*oauth.Config)) *trailing {
	f := &trailing{fixture: newFixtureAt(t, "", configure...), Recorder: trail.New(trail.Options{Store: storetest.NewMemory()}), t: t}
	f.handler.Trail = f.Recorder
	return f
}

// entry returns what was written down of an answer.
func (f *trailing) entry(resp *http.Response) *symbolon.TrailEntry {
	f.t.Helper()
	f.Flush(f.t.Context())
	e, err := f.handler.TrailEntry(f.t.Context(), resp.Header.Get("X-Request-Id"))
	check(f.t, err)
	if e == nil {
		f.t.Fatal("nothing was written down of the request")
	}
	return e
}

func (f *trailing) list(client symbolon.ClientID) []symbolon.TrailEntry {
	f.t.Helper()
	f.Flush(f.t.Context())
	list, err := f.Store.Trail(f.t.Context(), symbolon.TrailQuery{Client: client, Limit: 10_000})
	check(f.t, err)
	return list
}

func (f *trailing) code(t testing.TB, pairs ...string) string {
	t.Helper()
	_, a := f.call(t, "GET", f.authorize(pairs...), nil)
	code, _ := a["code"].(string)
	return code
}

const verifier = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

func s256(text string) string {
	hash := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// trailCase is something that connectors do wrong, and what their owner is told.
type trailCase struct {
	name   string
	do     func(t testing.TB, f *trailing) *http.Response
	app    bool // it is written down for the app
	proven bool
	says   []string // in the entry
}

// redeem trades a code, with changes to what is right.
func (f *trailing) redeem(t testing.TB, code string, pairs ...string) *http.Response {
	t.Helper()
	all := append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", f.app.RedirectURIs[0]}, pairs...)
	resp, _ := f.post(t, "/token", all...)
	return resp
}

var trailCases = []trailCase{
	{"redirect URI at authorize", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "GET", f.authorize("redirect_uri", f.app.RedirectURIs[0]+"/"), nil)
		return resp
	}, true, false, []string{"byte for byte", `"came":"https://www.make.com/oauth/cb/app/"`, `"expected":["https://www.make.com/oauth/cb/app","http://127.0.0.1/playground/callback"]`}},
	{"redirect URI at token", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, f.code(t), "redirect_uri", "https://www.make.com/oauth/cb/ap")
	}, true, true, []string{"RFC 6749 §4.1.3", `"came":"https://www.make.com/oauth/cb/ap"`, `"expected":["https://www.make.com/oauth/cb/app"]`, `"connection":"`, `"account":"` + jane}},
	{"the challenge sent as verifier", func(t testing.TB, f *trailing) *http.Response {
		challenge := s256(verifier)
		return f.redeem(t, f.code(t, "code_challenge", challenge, "code_challenge_method", "S256"), "code_verifier", challenge)
	}, true, true, []string{"RFC 7636 §4.6", s256(s256(verifier)), `"expected":["` + s256(verifier) + `"]`, "the code_challenge itself"}},
	{"a wrong verifier", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, f.code(t, "code_challenge", s256(verifier), "code_challenge_method", "S256"), "code_verifier", verifier+"x")
	}, true, true, []string{`"came":"` + s256(verifier+"x") + `"`, s256(verifier)}},
	{"a verifier that is hashed twice", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, f.code(t, "code_challenge", s256(s256(verifier)), "code_challenge_method", "S256"), "code_verifier", verifier)
	}, true, true, []string{"hashed twice"}},
	{"a verifier that is too short", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, f.code(t, "code_challenge", s256(verifier), "code_challenge_method", "S256"), "code_verifier", "short")
	}, true, true, []string{"one of 5 characters", "RFC 7636 §4.1"}},
	{"no verifier", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, f.code(t, "code_challenge", s256(verifier), "code_challenge_method", "S256"))
	}, true, true, []string{"there is a code_verifier where there was a code_challenge"}},
	{"a verifier for nothing", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, f.code(t), "code_verifier", verifier)
	}, true, true, []string{"RFC 9700 §4.8.2"}},
	{"the method plain", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "GET", f.authorize("code_challenge", verifier, "code_challenge_method", "plain"), nil)
		return resp
	}, true, false, []string{`"came":"plain"`, `"expected":["S256"]`}},
	{"a secret with a space", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, "x", "client_secret", f.secret+" ")
	}, true, false, []string{"It is right but for white space", "ends with white space", "secret " + "", "client_secret of this server"}},
	{"a secret encoded twice", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, "x", "client_secret", strings.Replace(f.secret, "_", "%5F", 1))
	}, true, false, []string{"percent-encoded once too often"}},
	{"the client_id for a secret", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, "x", "client_secret", string(f.app.ID))
	}, true, false, []string{"The client_id was sent in its place"}},
	{"a secret that was retired", func(t testing.TB, f *trailing) *http.Response {
		plain, _ := symbolon.NewSecret(time.Now())
		resp := f.redeem(t, "x", "client_secret", plain)
		if id := symbolon.HashSecret(plain, time.Time{}).ID; !strings.Contains(f.text(resp), `"came":"secret `+id) {
			t.Errorf("the secret's id %s is not named", id)
		}
		return resp
	}, true, false, []string{"it is retired, or another app's"}},
	{"a secret that was cut", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, "x", "client_secret", f.secret[:40])
	}, true, false, []string{"has 40 characters instead of 63"}},
	{"a foreign secret, by Basic", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "POST", "/token", url.Values{"grant_type": {"authorization_code"}}, "Authorization", basicAuth(string(f.app.ID), "hunter2hunter2"))
		return resp
	}, true, false, []string{"client_secret by HTTP Basic", "no secret that this server made", "in Authorization"}},
	{"secrets in two places", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "POST", "/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {string(f.app.ID)}, "client_secret": {"another"}}, "Authorization", basicAuth(string(f.app.ID), f.secret))
		return resp
	}, true, false, []string{"the app proves itself in one way"}},
	{"no secret", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, "x", "client_secret", "")
	}, true, false, []string{"the app proves itself as it is registered"}},
	{"no such app", func(t testing.TB, f *trailing) *http.Response {
		return f.redeem(t, "x", "client_id", "sym_app_nobody")
	}, false, false, []string{"the client_id is that of an app", `"value":"sym_app_nobody"`}},
	{"a code used twice", func(t testing.TB, f *trailing) *http.Response {
		code := f.code(t)
		f.redeem(t, code)
		return f.redeem(t, code)
	}, true, true, []string{"a code is used once", "seconds ago", `"connection":"`}},
	{"a code of another app", func(t testing.TB, f *trailing) *http.Response {
		id := f.with(t, "other", func(*symbolon.App) {})
		resp := f.redeem(t, f.code(t), "client_id", id)
		if strings.Contains(f.text(resp), string(f.app.ID)) || strings.Contains(f.text(resp), jane) {
			t.Error("an app is told whose code it has")
		}
		return resp
	}, false, true, []string{"the code was given to this app"}},
	{"a code that was cut", func(t testing.TB, f *trailing) *http.Response {
		code := f.code(t)
		return f.redeem(t, code[:len(code)-4])
	}, true, true, []string{"checksum is wrong", "authorization code of this server"}},
	{"a refresh token that is older than its successor", func(t testing.TB, f *trailing) *http.Response {
		first := f.tokens(t)
		_, second := f.post(t, "/refresh", "refresh_token", first["refresh_token"].(string))
		f.post(t, "/refresh", "refresh_token", second["refresh_token"].(string))
		resp, _ := f.post(t, "/token", "grant_type", "refresh_token", "refresh_token", first["refresh_token"].(string))
		return resp
	}, true, true, []string{"a refresh_token is not used after its successor", "number 0", `"endpoint":"refresh"`}},
	{"a refresh of what has ended", func(t testing.TB, f *trailing) *http.Response {
		first := f.tokens(t)
		f.call(t, "GET", "/invalidate", nil, "Authorization", "Bearer "+first["access_token"].(string))
		resp, _ := f.post(t, "/refresh", "refresh_token", first["refresh_token"].(string))
		return resp
	}, true, true, []string{"the connection has not ended"}},
	{"a scope that is not the app's", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "GET", f.authorize("scope", "connect admin"), nil)
		return resp
	}, true, false, []string{"Not among them: admin", `"came":"connect admin"`}},
	{"a scope that a refresh cannot add", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.post(t, "/refresh", "refresh_token", f.tokens(t)["refresh_token"].(string), "scope", "connect other")
		return resp
	}, true, true, []string{"Not among them: other", `"expected":["connect"]`}},
	{"a parameter that is missing", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.post(t, "/token", "grant_type", "authorization_code")
		return resp
	}, true, true, []string{"the parameter code is there"}},
	{"a parameter twice", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "POST", "/token", url.Values{"client_id": {string(f.app.ID)}, "grant_type": {"a", "b"}})
		return resp
	}, true, false, []string{"each parameter stands once", "is repeated"}},
	{"a body of another type", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "POST", "/token", url.Values{"client_id": {string(f.app.ID)}, "client_secret": {f.secret}}, "Content-Type", "text/plain")
		return resp
	}, true, false, []string{}},
	{"JSON sent as a form", func(t testing.TB, f *trailing) *http.Response {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", f.URL+"/token", strings.NewReader(`{"client_id":"`+string(f.app.ID)+`","client_secret":"`+f.secret+`"}`))
		req.Header.Set("Content-Type", formType)
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		resp.Body.Close()
		return resp
	}, true, false, []string{"what begins like JSON", "client_secret of this server"}},
	{"a grant that is not offered", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.post(t, "/token", "grant_type", "password", "username", "jane", "password", "correct horse battery")
		return resp
	}, true, false, []string{`"came":"password"`, `"name":"username","masked":true`}},
	{"no token", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "GET", "/info", nil)
		return resp
	}, false, false, []string{"an access token was sent"}},
	{"an access token of a connection that has ended", func(t testing.TB, f *trailing) *http.Response {
		bearer := "Bearer " + f.tokens(t)["access_token"].(string)
		f.call(t, "GET", "/invalidate", nil, "Authorization", bearer)
		resp, _ := f.call(t, "GET", "/info", nil, "Authorization", bearer)
		return resp
	}, true, true, []string{"the connection has not ended", `"connection":"`}},
	{"a refresh token shown as an access token", func(t testing.TB, f *trailing) *http.Response {
		resp, _ := f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+f.tokens(t)["refresh_token"].(string))
		return resp
	}, false, false, []string{"Bearer, then refresh token of this server"}},
	{"a token without the scope", func(t testing.TB, f *trailing) *http.Response {
		_, a := f.call(t, "GET", f.authorize("scope", "other"), nil)
		_, b := f.post(t, "/token", "grant_type", "authorization_code", "code", a["code"].(string), "redirect_uri", f.app.RedirectURIs[0])
		resp, _ := f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+b["access_token"].(string))
		return resp
	}, true, true, []string{"the token has the scope connect", `"came":"other"`}},
}

// text is an entry as it is stored.
func (f *trailing) text(resp *http.Response) string {
	f.t.Helper()
	text, err := f.entry(resp).Encode()
	check(f.t, err)
	return string(text)
}

// Each failure of a connector is explained to its owner, by what came and what was
// expected, without a secret.
func TestTrailExplains(t *testing.T) {
	for _, c := range trailCases {
		t.Run(c.name, func(t *testing.T) {
			f := newTrailing(t)
			e := f.entry(c.do(t, f))
			text, err := e.Encode()
			check(t, err)
			for _, s := range c.says {
				if !bytes.Contains(text, []byte(s)) {
					t.Errorf("it does not say %q", s)
				}
			}
			if own := e.Client == f.app.ID; own != c.app && c.name != "a code of another app" {
				t.Errorf("it is of the app %q", e.Client)
			}
			if proven := e.Bucket == symbolon.ProvenApp; proven != c.proven {
				t.Errorf("proven: %v", proven)
			}
			if bytes.Contains(text, []byte(f.secret[:24])) {
				t.Error("the secret is in it")
			}
			if t.Failed() {
				t.Logf("%s", text)
			}
		})
	}
}

// What is past its time says since when.
func TestTrailExplainsTime(t *testing.T) {
	f := newTrailing(t, func(c *oauth.Config) { c.CodeLifetime, c.RefreshLifetime = time.Nanosecond, time.Nanosecond })
	if text := f.text(f.redeem(t, f.code(t))); !strings.Contains(text, "the code is redeemed in time") || !strings.Contains(text, "it expired 0.0 seconds ago") || !strings.Contains(text, `"expected":["before 20`) {
		t.Error(text)
	}
	f = newTrailing(t, func(c *oauth.Config) { c.AccessLifetime, c.RefreshLifetime = time.Nanosecond, time.Nanosecond })
	tokens := f.tokens(t)
	resp, _ := f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+tokens["access_token"].(string))
	if text := f.text(resp); !strings.Contains(text, "the access token is used in time") || !strings.Contains(text, "The access token was given") {
		t.Error(text)
	}
	resp, _ = f.post(t, "/refresh", "refresh_token", tokens["refresh_token"].(string))
	if text := f.text(resp); !strings.Contains(text, "in time") || !strings.Contains(text, `"connection":"`) {
		t.Error(text)
	}
}

// Whoever sent the request is told the same as ever: nothing of the explanation is in the
// answer, with the trail and without it.
func TestTrailChangesNoAnswer(t *testing.T) {
	for _, c := range trailCases {
		f := newTrailing(t)
		var answers []*httptest.ResponseRecorder
		f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			again := httptest.NewRecorder()
			f.handler.Trail = nil
			if !strings.HasPrefix(r.URL.Path, "/token") && r.URL.Path != "/refresh" && r.URL.Path != "/invalidate" {
				// What can be asked twice is.
				r.Body = io.NopCloser(bytes.NewReader(body))
				f.handler.ServeHTTP(again, r)
			}
			f.handler.Trail = f.Recorder
			r.Body = io.NopCloser(bytes.NewReader(body))
			one := httptest.NewRecorder()
			f.handler.ServeHTTP(one, r)
			answers = []*httptest.ResponseRecorder{one, again}
			maps.Copy(w.Header(), one.Header())
			w.WriteHeader(one.Code)
			_, _ = w.Write(one.Body.Bytes())
		})
		e := f.entry(c.do(t, f))
		answer := answers[0].Body.String()
		for _, h := range answers[0].Header() {
			answer += strings.Join(h, " ")
		}
		if e.Error == "" || !strings.Contains(answer, e.RequestID) {
			t.Errorf("%s: %s", c.name, answer)
		}
		if e.Why != nil {
			secret := append([]string{e.Why.Check, e.Why.Mend}, e.Why.Facts...)
			for _, compared := range e.Why.Compared {
				secret = append(secret, compared.Expected...)
			}
			for _, s := range secret {
				if len(s) > 8 && strings.Contains(answer, s) && !strings.Contains(e.Description, s) {
					t.Errorf("%s: the answer has %q in it", c.name, s)
				}
			}
		}
		if again := answers[1]; again.Body.Len() > 0 {
			id := again.Header().Get("X-Request-Id")
			if got, want := strings.ReplaceAll(answers[0].Body.String(), e.RequestID, ""), strings.ReplaceAll(again.Body.String(), id, ""); got != want {
				t.Errorf("%s: with the trail %s, without it %s", c.name, got, want)
			}
		}
	}
}

// An attacker who knows the client_id, as everyone does, cannot push out what the app
// itself did, nor what other apps did.
func TestTrailIsNotFlooded(t *testing.T) {
	f := newTrailing(t)
	mine := f.entry(f.redeem(t, "x")) // proven by its secret
	other := f.with(t, "other", func(*symbolon.App) {})
	resp, _ := f.post(t, "/token", "client_id", other, "client_secret", "wrong")
	theirs := f.entry(resp)
	for range 2000 {
		f.handler.ServeHTTP(httptest.NewRecorder(), tokenRequest("client_id="+string(f.app.ID)+"&client_secret=wrong&grant_type=authorization_code"))
		f.handler.ServeHTTP(httptest.NewRecorder(), tokenRequest("client_id=nobody&client_secret=wrong&grant_type=authorization_code"))
	}
	written, lost := f.Counts()
	f.Flush(t.Context())
	if total, _ := f.Counts(); total-written > 400 || lost > 0 {
		t.Errorf("%d were taken up of 4000 that came at once, and %d lost", total-written, lost)
	}
	for _, e := range []*symbolon.TrailEntry{mine, theirs} {
		again, err := f.handler.TrailEntry(t.Context(), e.RequestID)
		check(t, err)
		if again == nil {
			t.Errorf("%s is gone", e.RequestID)
		}
	}
}

func tokenRequest(body string) *http.Request {
	r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	return r
}

// The steps that succeed are written down, once a second or so of each.
func TestTrailOfWhatSucceeds(t *testing.T) {
	f := newTrailing(t)
	tokens := f.tokens(t)
	for range 50 {
		f.call(t, "GET", "/info", nil, "Authorization", "Bearer "+tokens["access_token"].(string))
	}
	f.post(t, "/refresh", "refresh_token", tokens["refresh_token"].(string))
	f.call(t, "GET", "/invalidate", nil, "Authorization", "Bearer "+tokens["access_token"].(string))
	count := make(map[string]int)
	for _, e := range f.list(f.app.ID) {
		count[e.Endpoint]++
		if e.Failed() || e.Why != nil {
			t.Errorf("%+v", e)
		}
	}
	if count["authorize"] != 1 || count["token"] != 1 || count["refresh"] != 1 || count["invalidate"] != 1 || count["info"] < 1 || count["info"] > 10 {
		t.Error(count)
	}
}

// A person's address is nobody's to see, and what they refuse is written down.
func TestTrailOfABrowser(t *testing.T) {
	f := newTrailing(t)
	b := &browserOf{t: t, f: f.fixture, accept: "text/html"}
	_, page := b.get(f.authorize("state", "s"))
	resp, _ := b.post("/sign-in", "flow", flowOf(t, page), "sandbox", jane)
	_, page = b.get(resp.Header.Get("Location"))
	resp, _ = b.post("/consent", "flow", flowOf(t, page), "action", "deny")
	e := f.entry(resp)
	if e.Error != "access_denied" || e.Endpoint != "authorize" || e.Route != "/consent" || e.Address != "" || e.Client != f.app.ID {
		t.Errorf("%+v", e)
	}
	for _, v := range e.Sent {
		if v.Name == "state" && !v.Masked || v.Name == "flow" || v.In == "body" {
			t.Errorf("%+v", v)
		}
	}
}

// However much is sent, an entry has its bound.
func TestTrailEntryIsBounded(t *testing.T) {
	f := newTrailing(t)
	form := url.Values{"client_id": {string(f.app.ID)}, "client_secret": {"wrong"}, "redirect_uri": {"https://x.example/" + strings.Repeat("y", 5000)}}
	for i := range 90 {
		form.Set("p"+strings.Repeat("x", i), strings.Repeat("z", 300))
		form.Add("resource", "https://x.example/"+strings.Repeat("y", 400))
	}
	resp, _ := f.call(t, "POST", "/token", form)
	if text := f.text(resp); len(text) > symbolon.MaxTrailEntry {
		t.Errorf("%d bytes", len(text))
	}
}

// Whoever looks for the request of an id finds it by that alone.
func TestTrailEntryOfNone(t *testing.T) {
	f := newTrailing(t)
	for _, id := range []string{"", "x", strings.Repeat("A", 26), "' OR 1=1 --"} {
		if e, err := f.handler.TrailEntry(t.Context(), id); e != nil || err != nil {
			t.Errorf("%q: %v, %v", id, e, err)
		}
	}
}

// The pages, as the console shows them.
func TestTrailPages(t *testing.T) {
	f := newTrailing(t)
	bad := f.entry(f.redeem(t, f.code(t), "redirect_uri", "https://www.make.com/oauth/cb/ap"))
	links := TrailLinks{List: "/console/requests?app=x", Entry: "/console/request", Back: "/console"}
	show := func(target string, page func(w http.ResponseWriter, r *http.Request, ev *event) error) (*httptest.ResponseRecorder, string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", target, nil)
		check(t, page(w, r, newEvent(r)))
		return w, w.Body.String()
	}
	list := func(w http.ResponseWriter, r *http.Request, ev *event) error {
		return f.handler.trailPage(w, r, ev, &f.app, links, ConsoleFrame{})
	}
	w, page := show("/console/requests?app=x", list)
	if !strings.Contains(page, "/console/request?id="+bad.RequestID) || !strings.Contains(page, "/console/requests?app=x&amp;live=1") || w.Header().Get("Refresh") != "" {
		t.Error(page)
	}
	if w, page = show("/console/requests?app=x&live=1&failed=1", list); w.Header().Get("Refresh") != "3" || strings.Contains(page, "GET /authorize") || !strings.Contains(page, "POST /token") {
		t.Error(w.Header(), page)
	}
	if _, page = show("/console/requests", func(w http.ResponseWriter, r *http.Request, ev *event) error {
		return f.handler.trailPage(w, r, ev, nil, links, ConsoleFrame{})
	}); strings.Contains(page, bad.RequestID) {
		t.Error("what is of an app is shown as of none")
	}
	_, page = show("/console/request", func(w http.ResponseWriter, r *http.Request, ev *event) error {
		return f.handler.trailEntryPage(w, r, ev, bad, links, ConsoleFrame{})
	})
	if !strings.Contains(page, "<mark") || !strings.Contains(page, "RFC 6749 §4.1.3") || strings.Contains(page, f.secret) {
		t.Error(page)
	}
}

// BenchmarkTrailed is step 4 with the trail and without.
func BenchmarkTrailed(b *testing.B) {
	for _, name := range []string{"without", "with"} {
		b.Run(name, func(b *testing.B) {
			f := newTrailing(b)
			if name == "without" {
				f.handler.Trail = nil
			}
			req := httptest.NewRequest("GET", "/info", nil)
			req.Header.Set("Authorization", "Bearer "+f.tokens(b)["access_token"].(string))
			b.ReportAllocs()
			for b.Loop() {
				w := nullWriter{header: make(http.Header)}
				f.handler.ServeHTTP(&w, req)
			}
		})
	}
}
