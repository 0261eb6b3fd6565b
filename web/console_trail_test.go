package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/storetest"
	"github.com/symbolon/symbolon/trail"
)

// newTrailWorld is an adminWorld that writes requests down.
func newTrailWorld(t *testing.T) *adminWorld {
	t.Helper()
	a := newAdminWorld(t)
	a.handler.Trail = trail.New(trail.Options{Store: storetest.NewMemory()})
	return a
}

// refused has an app refused, and returns the request's id. An app without an id is none
// that there is.
func (a *adminWorld) refused(id string) string {
	a.t.Helper()
	if id == "" {
		id = "sym_app_nope"
	}
	resp, body := a.post(a.t, "/oauth2/token", "grant_type", "authorization_code", "code", "nonsense", "client_id", id)
	if resp.StatusCode < 400 || body["request_id"] == nil {
		a.t.Fatalf("%d %v", resp.StatusCode, body)
	}
	a.handler.Trail.Flush(a.t.Context())
	return body["request_id"].(string)
}

// Who sees which requests: the owner those of the app, an operator all, and nobody else
// any; what is another's looks as what is not there.
func TestConsoleExplainsToTheOwner(t *testing.T) {
	a := newTrailWorld(t)
	mine, none := a.refused(a.johns), a.refused("")
	operator, owner, other := a.at(jane), a.at(a.john.ID), a.at(a.mary.ID)
	const unknown = "AAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct {
		path                    string
		operators, owns, others int
	}{
		{"/console/request?id=" + mine, 200, 200, 404},
		{"/console/request?id=" + strings.ToLower(mine) + "+", 200, 200, 404},
		{"/console/request?id=" + none, 200, 404, 404},
		{"/console/request?id=" + unknown, 404, 404, 404},
		{"/console/request?id=%00", 404, 404, 404},
		{"/console/request", 404, 404, 404},
		{"/console/requests?app=" + a.johns, 200, 200, 404},
		{"/console/requests?app=" + a.johns + "&failed=1&live=1", 200, 200, 404},
		{"/console/requests?app=sym_app_nope", 404, 404, 404},
		{"/console/requests", 200, 404, 404},
		{"/console/events?app=sym_app_nope", 404, 404, 404},
		{"/console/events", 404, 404, 404},
	} {
		for who, b := range []*browserOf{operator, owner, other} {
			resp, page := b.get(c.path)
			if want := []int{c.operators, c.owns, c.others}[who]; resp.StatusCode != want {
				t.Errorf("%s by %d: %d, want %d", c.path, who, resp.StatusCode, want)
			}
			if resp.StatusCode == 404 && (strings.Contains(page, "authorization code") || strings.Contains(page, a.johns) && !strings.Contains(c.path, a.johns)) {
				t.Errorf("%s by %d says something:\n%s", c.path, who, page)
			}
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be kept", c.path)
			}
		}
	}
	// Not to be told apart, but by what was asked for and the ids of the answers.
	same := func(id string) string {
		resp, page := other.get("/console/request?id=" + id)
		return strings.NewReplacer(id, "", resp.Header.Get("X-Request-Id"), "").Replace(page)
	}
	if same(mine) != same(unknown) || same(none) != same(unknown) {
		t.Error("what is another's differs from what is not there")
	}
	_, page := owner.get("/console/request?id=" + mine)
	wants(t, page, "This request was refused")
	wants(t, page, "/console/requests?app="+a.johns)
	wants(t, page, `aria-label="Console"`)
	if strings.Contains(page, "/console/accounts") {
		t.Error("an owner is shown the pages of operators")
	}
	_, page = owner.get("/console/requests?app=" + a.johns)
	wants(t, page, "/console/request?id="+mine)
	_, page = owner.get(appAddress(symbolon.ClientID(a.johns)))
	wants(t, page, "/console/requests?app="+a.johns)
	_, page = operator.get("/console/requests")
	wants(t, page, "/console/request?id="+none)
	_, page = owner.get(consolePath)
	wants(t, page, `action="/console/request"`)
	if strings.Contains(page, `href="/console/requests"`) {
		t.Error("an owner is led to what is for operators")
	}
	// By who is not signed in, what is asked for is shown after that.
	stranger := &browserOf{t: t, f: a.fixture, accept: "text/html"}
	resp, page := stranger.get("/console/request?id=" + mine)
	if resp.StatusCode != 200 || strings.Contains(page, "refused") {
		t.Errorf("a stranger: %d", resp.StatusCode)
	}
	stranger.send("/sign-in", page, "sandbox", string(a.john.ID))
	_, page = stranger.get("/console/request?id=" + mine)
	wants(t, page, "This request was refused")
}

// Where an app knows people by pairwise subjects, so does its owner.
func TestConsoleNamesPeopleAsTheAppDoes(t *testing.T) {
	a := newTrailWorld(t)
	pair := a.with(t, "pair", func(app *symbolon.App) {
		app.Owner, app.Sandbox, app.RedirectURIs = a.john.ID, true, []string{"https://pair.example/cb"}
		app.Settings.OpenID.Pairwise, app.Settings.OpenID.Sector = true, "pair.example"
	})
	q := url.Values{"client_id": {pair}, "redirect_uri": {"https://pair.example/cb"}, "response_type": {"code"}, "scope": {"connect"}, "state": {"s"}}
	_, body := a.call(t, "GET", "/authorize?"+q.Encode(), nil)
	code, _ := body["code"].(string)
	_, tokens := a.post(t, "/oauth2/token", "grant_type", "authorization_code", "code", code, "client_id", pair, "redirect_uri", "https://pair.example/cb")
	resp, body := a.post(t, "/oauth2/token", "grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string), "client_id", pair, "scope", "connect other")
	if resp.StatusCode != 400 {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	a.handler.Trail.Flush(t.Context())
	subject := a.handler.Engine.SubjectOf(a.theApp(pair), jane)
	owner := a.at(a.john.ID)
	for _, path := range []string{appAddress(symbolon.ClientID(pair)), "/console/request?id=" + body["request_id"].(string)} {
		_, page := owner.get(path)
		wants(t, page, subject)
		if strings.Contains(page, jane) || strings.Contains(page, "Jane Doe") {
			t.Errorf("%s tells the owner who it is", path)
		}
	}
	operator := a.at(jane)
	_, page := operator.get(appAddress(symbolon.ClientID(pair)))
	wants(t, page, "Jane Doe")
	// What fails is marked, with why.
	wants(t, page, `<span class="badge bad">failing</span>`)
	wants(t, page, "It was used last from <bdi>127.0.0.1</bdi>.")
	// The same by the admin API.
	token := a.token("john", "symbolon.apps", a.resource())
	resp, body = a.ask(token, "GET", "/connections?client_id="+pair, "")
	row := a.wants("connections", resp, body, 200)["connections"].([]any)[0].(map[string]any)
	if row["account"] != subject || row["failing"] == nil || row["failed_at"] == nil || row["used_from"] != "127.0.0.1" {
		t.Errorf("%v", row)
	}
	resp, body = a.ask(token, "GET", "/connections?client_id="+pair+"&account="+jane, "")
	a.wants("looking for an account", resp, body, 403)
	resp, body = a.ask(a.token("jane", "symbolon.admin", a.resource()), "GET", "/connections?client_id="+pair+"&account="+jane, "")
	if row = a.wants("an operator", resp, body, 200)["connections"].([]any)[0].(map[string]any); row["account"] != jane {
		t.Errorf("%v", row)
	}
}

// The page of an app streams what happens to it, to those who may see it.
func TestConsoleWatches(t *testing.T) {
	a := newAdminWorld(t)
	owner, other := a.at(a.john.ID), a.at(a.mary.ID)
	_, page := owner.get(appAddress(symbolon.ClientID(a.johns)))
	wants(t, page, `data-watch="/console/events?app=`+a.johns+`"`)
	resp, _ := owner.get(appAddress(symbolon.ClientID(a.johns)))
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'; connect-src 'self'") {
		t.Errorf("the policy of the page: %s", csp)
	}
	ask := func(b *browserOf, header ...string) *stream {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		r, err := http.NewRequestWithContext(ctx, "GET", a.URL+"/console/events?app="+a.johns, nil)
		check(t, err)
		r.Header.Set("Accept", "text/event-stream")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		for name, value := range b.jar {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		return streamOf(ctx, t, cancel, r)
	}
	for what, s := range map[string]*stream{
		"another owner": ask(other), "nobody": ask(&browserOf{}), "another site": ask(owner, "Sec-Fetch-Site", "same-site"),
	} {
		want := map[string]int{"another owner": 404, "nobody": 200, "another site": 403}[what]
		if s.StatusCode != want || s.Header.Get("Content-Type") == "text/event-stream" {
			t.Errorf("%s: %d %v", what, s.StatusCode, s.Header)
		}
	}
	s := ask(owner, "Sec-Fetch-Site", "same-origin")
	if s.StatusCode != 200 || s.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", s.StatusCode, s.Header)
	}
	q := url.Values{"client_id": {a.johns}, "redirect_uri": {"https://owned.example/cb"}, "response_type": {"code"}, "scope": {"connect"}, "state": {"s"}}
	_, body := a.call(t, "GET", "/authorize?"+q.Encode(), nil)
	code, _ := body["code"].(string)
	a.post(t, "/oauth2/token", "grant_type", "authorization_code", "code", code, "client_id", a.johns, "redirect_uri", "https://owned.example/cb")
	if v := s.next(t, symbolon.EventConnected); v.Account != jane || v.ClientID != a.johns || time.Since(v.At).Abs() > time.Minute {
		t.Errorf("%+v", v)
	}
	r, err := http.NewRequestWithContext(t.Context(), "HEAD", a.URL+"/console/events?app="+a.johns, nil)
	check(t, err)
	for name, value := range owner.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	head, err := http.DefaultTransport.RoundTrip(r)
	check(t, err)
	head.Body.Close()
	if head.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", head.StatusCode)
	}
}

// Who may not see an app any more, or is signed out, is told nothing more of it.
func TestConsoleWatchesNoLongerThanItMay(t *testing.T) {
	a := newAdminWorld(t)
	for what, lose := range map[string]func(b *browserOf){
		"another owner": func(*browserOf) {
			app := *a.theApp(a.johns)
			app.Owner = a.mary.ID
			check(t, a.store.PutApp(t.Context(), app))
		},
		"signed out": func(b *browserOf) {
			_, page := b.get("/sign-out")
			b.post("/sign-out", "flow", flowOf(t, page), "account", "all")
		},
	} {
		app := *a.theApp(a.johns)
		app.Owner = a.john.ID
		check(t, a.store.PutApp(t.Context(), app))
		b := a.at(a.john.ID)
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		r, err := http.NewRequestWithContext(ctx, "GET", a.URL+"/console/events?app="+a.johns, nil)
		check(t, err)
		for name, value := range b.jar {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		s := streamOf(ctx, t, cancel, r)
		lose(b)
		q := url.Values{"client_id": {a.johns}, "redirect_uri": {"https://owned.example/cb"}, "response_type": {"code"}, "scope": {"connect"}, "state": {"s"}}
		_, body := a.call(t, "GET", "/authorize?"+q.Encode(), nil)
		code, _ := body["code"].(string)
		a.post(t, "/oauth2/token", "grant_type", "authorization_code", "code", code, "client_id", a.johns, "redirect_uri", "https://owned.example/cb")
		select {
		case got, ok := <-s.events:
			if ok {
				t.Errorf("%s: told of %q", what, got)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the stream goes on", what)
		}
	}
}

// The admin API explains as the console does, to the same people.
func TestAdminExplains(t *testing.T) {
	a := newTrailWorld(t)
	mine, none := a.refused(a.johns), a.refused("")
	operator, owner, other := a.token("jane", oauth.ScopeAdmin, a.resource()), a.token("john", oauth.ScopeApps, a.resource()), a.token("mary", oauth.ScopeApps, a.resource())
	for _, c := range []struct {
		path                    string
		operators, owns, others int
	}{
		{"/request?id=" + mine, 200, 200, 404},
		{"/request?id=" + none, 200, 404, 404},
		{"/request?id=AAAAAAAAAAAAAAAAAAAAAAAAAA", 404, 404, 404},
		{"/request", 404, 404, 404},
		{"/requests?client_id=" + a.johns, 200, 200, 404},
		{"/requests?failed=true&limit=1&before=9999999&client_id=" + a.johns, 200, 200, 404},
		{"/requests", 200, 404, 404},
		{"/requests?client_id=sym_app_nope", 404, 404, 404},
	} {
		for who, token := range []string{operator, owner, other} {
			resp, body := a.ask(token, "GET", c.path, "")
			if want := []int{c.operators, c.owns, c.others}[who]; resp.StatusCode != want {
				t.Errorf("%s by %d: %d, want %d: %v", c.path, who, resp.StatusCode, want, body)
			}
		}
	}
	_, body := a.ask(owner, "GET", "/request?id="+mine, "")
	if body["request_id"] != mine || body["error"] != "invalid_grant" || body["why"] == nil {
		t.Errorf("%v", body)
	}
	if text := fmt.Sprint(body); strings.Contains(text, "nonsense") {
		t.Errorf("what came is shown: %v", text)
	}
	_, body = a.ask(owner, "GET", "/requests?client_id="+a.johns, "")
	if list, _ := body["requests"].([]any); len(list) != 1 {
		t.Errorf("%v", body)
	}
}
