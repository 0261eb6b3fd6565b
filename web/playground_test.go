package web

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/seal"
)

// player is a newcomer's browser in front of the playground.
type player struct {
	t      *testing.T
	f      *fixture
	client *http.Client
}

func newPlayer(t *testing.T, f *fixture) *player {
	jar, err := cookiejar.New(nil)
	check(t, err)
	return &player{t: t, f: f, client: &http.Client{Jar: jar}}
}

// get loads a page, with redirects, and returns where it ended and its text.
func (p *player) get(target string) (*http.Response, string) {
	p.t.Helper()
	return p.do("GET", target, nil)
}

func (p *player) do(method, target string, form url.Values) (*http.Response, string) {
	p.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = p.f.URL + target
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(form.Encode()))
	check(p.t, err)
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := p.client.Do(req)
	check(p.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(p.t, err)
	for _, c := range resp.Cookies() {
		if c.Name == playCookie && len(c.Value) > maxPlayCookie {
			p.t.Errorf("the cookie has %d bytes, browsers take 4096", len(c.Value))
		}
	}
	return resp, string(body)
}

// press posts one of the playground's buttons.
func (p *player) press(action string, more ...string) string {
	p.t.Helper()
	form := url.Values{"action": {action}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	resp, page := p.do("POST", playPath, form)
	if resp.StatusCode != 200 {
		p.t.Fatalf("%s: %d\n%s", action, resp.StatusCode, page)
	}
	return page
}

// latest returns the exchange that the page marks as the latest, as text.
func (p *player) latest(page string) string {
	p.t.Helper()
	for _, article := range regexp.MustCompile(`(?s)<article.*?</article>`).FindAllString(page, -1) {
		if strings.Contains(article, ">latest<") {
			return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(article, ""))
		}
	}
	p.t.Fatalf("no exchange is the latest in\n%s", page)
	return ""
}

// want checks that the latest exchange shows all these texts.
func (p *player) want(page string, texts ...string) string {
	p.t.Helper()
	got := p.latest(page)
	for _, text := range texts {
		if !strings.Contains(got, text) {
			p.t.Fatalf("the latest exchange lacks %q:\n%s", text, got)
		}
	}
	return got
}

// field returns the value of a member of the JSON in an exchange.
func field(exchange, name string) string {
	m := regexp.MustCompile(`"` + name + `":"([^"]*)"`).FindStringSubmatch(exchange)
	if m == nil {
		return ""
	}
	return m[1]
}

// link returns where a page's button-like link leads.
func link(page string) string {
	m := regexp.MustCompile(`class="button primary" href="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

func TestPlaygroundAsCaller(t *testing.T) {
	p := newPlayer(t, newFixture(t))
	resp, page := p.get("/playground")
	if resp.StatusCode != 200 || strings.Contains(page, "<article") {
		t.Fatalf("at first: %d\n%s", resp.StatusCode, page)
	}
	got := p.want(p.press("authorize"), "200 OK", "GET /authorize?response_type=code&", "Host: "+p.f.Listener.Addr().String(), "code_challenge_method=S256",
		"HTTP/1.1 200 OK", "Cache-Control: no-store", `"iss":"`+p.f.URL+`"`, "state and iss are right")
	code := field(got, "code")
	p.want(p.press("callback"), "GET /playground/callback?code="+code, "HTTP/1.1 200 OK", `"code":"`+code+`"`)
	got = p.want(p.press("token", "as", "form"), "POST /token HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "grant_type=authorization_code&code="+code, "client_secret="+p.f.secret,
		"code_verifier=", "200 OK", `"expires_in":600`)
	access, first := field(got, "access_token"), field(got, "refresh_token")
	p.want(p.press("info"), "GET /info HTTP/1.1", "Authorization: Bearer "+access, `"user":"Jane Doe"`, "200 OK")
	got = p.want(p.press("refresh"), "POST /refresh", "refresh_token="+first, "200 OK")
	second := field(got, "refresh_token")
	got = p.want(p.press("again"), "refresh_token="+first, "byte for byte")
	if field(got, "refresh_token") != second || second == first || second == "" {
		t.Errorf("the same refresh again gave %q, want %q", field(got, "refresh_token"), second)
	}
	got = p.want(p.press("refresh"), "refresh_token="+second, "200 OK")
	p.want(p.press("replay"), "refresh_token="+first, "400 Bad Request", "invalid_grant", "Refused as a replay")
	p.want(p.press("info"), "Bearer "+field(got, "access_token"), "401 Unauthorized", `realm="symbolon", error="invalid_token"`)
}

// The ways in which the app sends its parameters, and the end in step 6.
func TestPlaygroundInvalidate(t *testing.T) {
	for as, want := range map[string]string{
		asJSON:  `{"grant_type":"authorization_code","code":"sym_ac_`,
		asBasic: "Authorization: Basic ",
	} {
		p := newPlayer(t, newFixture(t))
		p.get("/playground")
		p.press("prepare", "scope", "connect", "login_hint", "jane") // without PKCE
		p.press("authorize")
		got := p.want(p.press("token", "as", as), want, "200 OK")
		if strings.Contains(got, "code_verifier") {
			t.Errorf("%s: a code_verifier without PKCE:\n%s", as, got)
		}
		p.want(p.press("refresh"), "200 OK")
		p.want(p.press("invalidate"), "GET /invalidate", "204 No Content")
		p.want(p.press("after"), "GET /info", "401 Unauthorized")
		p.want(p.press("refresh"), "400 Bad Request", "connection was ended")
		p.press("authorize")
		p.want(p.press("token"), "200 OK")
		p.want(p.press("token"), "400 Bad Request", "The code was used before")
		p.want(p.press("info"), "401 Unauthorized")
	}
}

// walk goes from the prepared request through sign-in and consent back to the
// playground.
func (p *player) walk(authorize, answer string) (*http.Response, string) {
	p.t.Helper()
	flow := func(page string) string {
		m := regexp.MustCompile(`name="flow" value="([^"]*)"`).FindStringSubmatch(page)
		if m == nil {
			p.t.Fatalf("no flow in\n%s", page)
		}
		return m[1]
	}
	_, page := p.get(authorize)
	if strings.Contains(page, `action="/sign-in"`) {
		_, page = p.do("POST", "/sign-in", url.Values{"flow": {flow(page)}, "sandbox": {jane}})
	}
	return p.do("POST", "/consent", url.Values{"flow": {flow(page)}, "action": {answer}})
}

func TestPlaygroundInBrowser(t *testing.T) {
	p := newPlayer(t, newFixture(t))
	_, page := p.get("/playground")
	first := link(page)
	if !strings.HasPrefix(first, p.f.URL+"/authorize?") {
		t.Fatalf("the prepared request is %q", first)
	}
	resp, page := p.walk(first, "allow")
	if resp.Request.URL.Path != playPath {
		t.Fatalf("ended at %s", resp.Request.URL)
	}
	p.want(page, "GET /playground/callback?code=sym_ac_", "303 See Other", "the app keeps it")
	if link(page) == first {
		t.Error("the next request has the same state")
	}
	// The same callback once more: its state was used.
	_, page = p.get(callbackPath + "?code=sym_ac_x&state=" + stateOf(t, first) + "&iss=" + url.QueryEscape(p.f.URL))
	p.want(page, "not that of the request")
	// What came before is still there.
	p.want(p.press("token"), "POST /token", "200 OK")

	_, page = p.get("/playground")
	resp, page = p.walk(link(page)+"&prompt=consent", "deny")
	p.want(page, "error=access_denied", "No code came")
	if resp.Request.URL.Path != playPath {
		t.Errorf("ended at %s", resp.Request.URL)
	}
}

func stateOf(t *testing.T, authorize string) string {
	t.Helper()
	u, err := url.Parse(authorize)
	check(t, err)
	return u.Query().Get("state")
}

// A good app uses nothing of a callback that is not the answer to its request.
func TestPlaygroundCallbackBelievesNothing(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct{ name, change, verdict string }{
		{"no state", "state=&iss=ISS&code=sym_ac_x", "not that of the request"},
		{"another state", "state=x&iss=ISS&code=sym_ac_x", "not that of the request"},
		{"a state twice", "state=STATE&state=STATE&iss=ISS&code=sym_ac_x", "not that of the request"},
		{"no issuer", "state=STATE&code=sym_ac_x", "another server"},
		{"another issuer", "state=STATE&iss=https://evil.example&code=sym_ac_x", "another server"},
		{"a code too long", "state=STATE&iss=ISS&code=" + strings.Repeat("x", maxPlayCode+1), "No code came"},
		{"markup", "state=STATE&iss=ISS&error=%3Cscript%3Ealert(1)%3C/script%3E", "No code came"},
	} {
		p := newPlayer(t, f)
		_, page := p.get("/playground")
		query := strings.NewReplacer("STATE", stateOf(t, link(page)), "ISS", url.QueryEscape(f.URL)).Replace(c.change)
		_, page = p.get(callbackPath + "?" + query)
		p.want(page, c.verdict)
		if strings.Contains(page, "<script") {
			t.Errorf("%s: a script on the page", c.name)
		}
		if strings.Contains(page, `value="token"`) {
			t.Errorf("%s: the app would redeem what came", c.name)
		}
	}
	// A browser that began nothing, and a program.
	p := newPlayer(t, f)
	if resp, page := p.get(callbackPath + "?code=x&state=y"); resp.StatusCode != 403 || !strings.Contains(page, "begun nothing") {
		t.Errorf("a browser without a cookie: %d\n%s", resp.StatusCode, page)
	}
	resp, got := f.call(t, "GET", callbackPath+"?code=x&state=y%22&iss=z&other=w", nil)
	if resp.StatusCode != 200 || len(got) != 3 || got["code"] != "x" || got["state"] != `y"` || got["iss"] != "z" {
		t.Errorf("a program: %d %v", resp.StatusCode, got)
	}
}

// Whatever the cookie holds, it opens only if this server sealed it, and what
// grows in it is forgotten from its old end.
func TestPlaygroundCookie(t *testing.T) {
	f := newFixture(t)
	p := newPlayer(t, f)
	p.get("/playground")
	p.press("authorize")
	p.press("token")
	var page string
	for range 20 { // each with tokens that were never seen before
		page = p.press("refresh")
	}
	p.want(page, "200 OK")
	if n := strings.Count(page, "<article"); n < 5 || n > 21 {
		t.Errorf("%d exchanges are shown", n)
	}
	if n := strings.Count(page, `<li class="done">`); n != 4 { // 1, 2 with it, 3 and 5
		t.Errorf("%d steps are done, want 4", n)
	}
	for _, first := range []string{"GET /authorize?", "POST /token"} {
		if !strings.Contains(page, first) {
			t.Errorf("%s is forgotten, and it is the last of its step", first)
		}
	}
	home, err := url.Parse(f.URL + playPath)
	check(t, err)
	sealed := ""
	for _, c := range p.client.Jar.Cookies(home) {
		if c.Name == playCookie {
			sealed = c.Value
		}
	}
	if !strings.HasPrefix(sealed, string(seal.Play)) || strings.Contains(sealed, "sym_at_") {
		t.Errorf("the cookie is not sealed: %s", sealed)
	}
	for name, value := range map[string]string{
		"changed": sealed[:len(sealed)-8] + "AAAAAAAA", "cut": sealed[:len(sealed)/2], "empty": "",
	} {
		r, _ := http.NewRequest("GET", f.URL+playPath, nil)
		r.AddCookie(&http.Cookie{Name: playCookie, Value: value})
		if _, ok := f.handler.play.open(r); ok {
			t.Errorf("%s: it opens", name)
		}
	}
	// A form of another site does nothing.
	req, _ := http.NewRequestWithContext(t.Context(), "POST", f.URL+playPath, strings.NewReader("action=invalidate"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := p.client.Do(req)
	check(t, err)
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("a form of another site: %d", resp.StatusCode)
	}
	p.want(p.press("info"), "200 OK")
	if page := p.press("reset"); strings.Contains(page, "<article") {
		t.Error("starting over kept exchanges")
	}
}

// A browser that came by another name of this computer is sent to the issuer's,
// once.
func TestPlaygroundMovesToIssuer(t *testing.T) {
	f := newFixture(t)
	port := f.Listener.Addr().String()[len("127.0.0.1"):]
	for host, want := range map[string]string{
		"localhost" + port:      f.URL + "/playground?moved=1",
		"127.0.0.1" + port:      "",
		"localhost:1":           "",
		"symbolon.example":      "",
		"evil.example" + port:   "",
		"localhost.evil" + port: "",
	} {
		r, _ := http.NewRequest("GET", f.URL+playPath, nil)
		r.Host = host
		if got := f.handler.play.elsewhere(r); got != want {
			t.Errorf("Host %s: %q, want %q", host, got, want)
		}
	}
}

// Without a way to itself, the playground says so and goes on.
func TestPlaygroundUnreachable(t *testing.T) {
	f := newFixture(t)
	r, _ := http.NewRequest("POST", f.URL+playPath, nil)
	nowhere := &playground{h: &Handler{Options: f.handler.Options, issuer: "http://127.0.0.1:1"}, callback: f.URL + callbackPath}
	s := newPlay()
	if err := nowhere.authorize(r, s); err == nil {
		t.Fatal("no error")
	}
	if e := s.Exchanges[0]; e.Verdict != "unreachable" || e.Response != "" || !strings.HasPrefix(e.Request, "GET /authorize?") {
		t.Errorf("the exchange is %+v", e)
	}
}
