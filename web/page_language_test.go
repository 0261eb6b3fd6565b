package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"

	"github.com/symbolon/symbolon"
)

func TestWishedLanguage(t *testing.T) {
	all, err := readLanguages(fstest.MapFS{"pt-BR.toml": {Data: []byte("[language]\nname = \"Português\"")}, "he.toml": {Data: []byte("[language]\nname = \"עברית\"")}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSpeech(all, "en")
	if err != nil {
		t.Fatal(err)
	}
	for wish, want := range map[string]string{
		"":                                  "",
		"cs":                                "cs",
		"cs-CZ":                             "cs",
		"CS":                                "cs",
		"fr cs en":                          "cs",
		"fr":                                "",
		"pt":                                "pt-BR",
		"pt-PT":                             "pt-BR",
		"iw":                                "he",
		"en-GB":                             "en",
		"cs;q=0.5,en;q=0.8":                 "en",
		"cs;q=0.9, en;q=0.8":                "cs",
		"cs;q=0, en;q=0.1":                  "en",
		"cs;q=0, de":                        "",
		"fr-CH, fr;q=0.9, *;q=0.5":          "",
		"xx, yy-ZZ, cs":                     "cs",
		"!!, cs":                            "cs",
		"<script> cs":                       "cs",
		"und":                               "",
		"cs\x00":                            "",
		"cs;q=nonsense, en":                 "en",
		strings.Repeat("fr,", 4000) + "cs":  "",
		"cs," + strings.Repeat("x-", 5000):  "cs",
		strings.Repeat("-", 10<<10):         "",
		strings.Repeat("a ", 5<<10):         "",
		"cs " + strings.Repeat("a", 10<<10): "cs",
	} {
		if got := s.wished(wish); got != want {
			t.Errorf("%.60q: %q, want %q", wish, got, want)
		}
	}
}

func FuzzWishedLanguage(f *testing.F) {
	all, err := readLanguages(nil)
	if err != nil {
		f.Fatal(err)
	}
	s, err := newSpeech(all, "en")
	if err != nil {
		f.Fatal(err)
	}
	for _, wish := range []string{"cs", "cs;q=0.5,en;q=0.8", "fr cs en", "und-x-!!", strings.Repeat("a-", 600), "*", "cs-u-co-phonebk, en-GB-oed;q=1.0000"} {
		f.Add(wish)
	}
	f.Fuzz(func(t *testing.T, wish string) {
		if got := s.wished(wish); got != "" && s.byLang[got] == nil {
			t.Errorf("%q: %q", wish, got)
		}
	})
}

// langOf is the language of a page, which its header says too.
func langOf(t *testing.T, resp *http.Response, body string) string {
	t.Helper()
	m := regexp.MustCompile(`<html lang="([^"]*)" dir="ltr">`).FindStringSubmatch(body)
	if m == nil || resp.Header.Get("Content-Language") != m[1] {
		t.Fatalf("the page says %v, its header %q", m, resp.Header.Get("Content-Language"))
	}
	return m[1]
}

// What decides about the language, the strongest first: a choice just made, ui_locales, an
// older choice, the browser, the owner.
func TestLanguageOfAPage(t *testing.T) {
	f := newFixture(t)
	now := f.handler.Engine.Now().Unix()
	text := func(n int64) string { return strconv.FormatInt(n, 10) }
	lately, earlier := func(lang string) string { return lang + "." + text(now-60) }, func(lang string) string { return lang + "." + text(now-7200) }
	for name, c := range map[string]struct {
		locales, cookie, accept string
		want                    string
	}{
		"nothing":                          {want: "en"},
		"the browser":                      {accept: "cs-CZ,cs;q=0.9,en;q=0.8", want: "cs"},
		"a browser of another language":    {accept: "fr", want: "en"},
		"a choice, before the browser":     {cookie: earlier("en"), accept: "cs", want: "en"},
		"the app, before an older choice":  {locales: "cs", cookie: earlier("en"), accept: "en", want: "cs"},
		"a choice just made, before all":   {locales: "en", cookie: lately("cs"), accept: "en", want: "cs"},
		"an app that wants none of ours":   {locales: "fr de", accept: "cs", want: "cs"},
		"an app that wants a region of it": {locales: "fr-CA cs-CZ", want: "cs"},
		"a broken wish":                    {locales: "<script>", accept: "cs", want: "cs"},
		"a cookie of no language":          {cookie: lately("xx"), accept: "cs", want: "cs"},
		"a cookie of garbage":              {cookie: "%00.<>", accept: "cs", want: "cs"},
		"a cookie from the future":         {locales: "en", cookie: "cs." + text(now+9999), want: "en"},
		"a cookie without a time":          {locales: "en", cookie: "cs", want: "en"},
		"such a cookie, otherwise":         {cookie: "cs", want: "cs"},
		"a long header":                    {accept: strings.Repeat("fr,", 3000) + "cs", want: "en"},
	} {
		q := []string{}
		if c.locales != "" {
			q = append(q, "ui_locales", c.locales)
		}
		req := httptest.NewRequest("GET", f.authorize(q...), nil)
		req.Header.Set("Accept", "text/html")
		if c.accept != "" {
			req.Header.Set("Accept-Language", c.accept)
		}
		if c.cookie != "" {
			req.Header.Set("Cookie", languageCookie+"="+c.cookie)
		}
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, req)
		if got := langOf(t, w.Result(), w.Body.String()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// A page sends the choice of a language with its own address, and is shown in it; the
// flow goes on, and what the app wished does not undo what the person just chose.
func TestChoosingALanguage(t *testing.T) {
	f := newFixture(t)
	send := func(method, target string, form url.Values, cookies []*http.Cookie) (*http.Response, string) {
		req := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
		req.Header.Set("Accept", "text/html")
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for _, c := range cookies {
			req.AddCookie(c)
		}
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, req)
		return w.Result(), w.Body.String()
	}
	backOf := func(page string) string {
		m := regexp.MustCompile(`name="back" value="([^"]*)"`).FindStringSubmatch(page)
		if m == nil {
			return ""
		}
		return html.UnescapeString(m[1])
	}
	asked := f.authorize("ui_locales", "en")
	q, err := url.Parse(asked)
	check(t, err)
	for name, begin := range map[string]func() (*http.Response, string){
		"by a link": func() (*http.Response, string) { return send("GET", asked, nil, nil) },
		"by a form": func() (*http.Response, string) { return send("POST", "/oauth2/authorize", q.Query(), nil) },
	} {
		resp, page := begin()
		if got := langOf(t, resp, page); got != "en" {
			t.Fatalf("%s: %s", name, got)
		}
		cookies := resp.Cookies()
		resp, _ = send("POST", "/language", url.Values{"lang": {"cs"}, "back": {backOf(page)}}, cookies)
		if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/") {
			t.Fatalf("%s: %d to %q", name, resp.StatusCode, resp.Header.Get("Location"))
		}
		cookies = append(cookies, resp.Cookies()...)
		resp, page = send("GET", resp.Header.Get("Location"), nil, cookies)
		if got := langOf(t, resp, page); got != "cs" || resp.StatusCode != http.StatusOK || !strings.Contains(page, `name="password"`) {
			t.Errorf("%s: afterwards %d in %s", name, resp.StatusCode, got)
		}
	}
	// A page that came of a POST and cannot be had again has no choice.
	_, page := send("POST", "/consent", url.Values{"flow": {"x"}}, nil)
	if backOf(page) != "" {
		t.Error("a page that cannot be drawn again offers a choice")
	}
	// An unknown language changes nothing.
	if resp, _ := send("POST", "/language", url.Values{"lang": {"xx"}, "back": {"/sign-in"}}, nil); len(resp.Cookies()) != 0 || resp.Header.Get("Location") != "/sign-in" {
		t.Errorf("an unknown language: %v to %q", resp.Cookies(), resp.Header.Get("Location"))
	}
	// Another site cannot choose for the person.
	req := httptest.NewRequest("POST", "/language", strings.NewReader("lang=cs"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, req)
	if w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
		t.Errorf("another site: %d, %v", w.Code, w.Result().Cookies())
	}
}

// No address but that of a page of ours is gone to (RFC 9700 §4.11: no open redirector).
func TestOwnPage(t *testing.T) {
	f := newFixture(t)
	for address, want := range map[string]string{
		"/sign-in":                       "/sign-in",
		"/continue?flow=abc":             "/continue?flow=abc",
		"/authorize?a=b&c=https://x.y/":  "/authorize?a=b&c=https://x.y/",
		"/oauth2/logout?x":               "/oauth2/logout?x",
		"":                               "/",
		"sign-in":                        "/",
		"//evil.example":                 "/",
		"///evil.example":                "/",
		"/\\evil.example":                "/",
		"/\t/evil.example":               "/",
		"/\n/evil.example":               "/",
		"https://evil.example/sign-in":   "/",
		"https:/sign-in":                 "/",
		"javascript:alert(1)":            "/",
		"/sign-in/../../x":               "/",
		"/%2fevil.example":               "/",
		"/sign%2din":                     "/",
		"/none":                          "/",
		"/language":                      "/",
		"/consent":                       "/",
		"/token":                         "/",
		"/info":                          "/",
		"/static/x.css":                  "/",
		"/@evil.example":                 "/",
		"/sign-in\r\nX: y":               "/",
		"/" + strings.Repeat("a", 20000): "/",
	} {
		if got := f.handler.ownPage(address); got != want {
			t.Errorf("%.60q: %q, want %q", address, got, want)
		}
	}
	f2 := newFixtureAt(t, "https://example.com/auth")
	for address, want := range map[string]string{"/auth/sign-in?x=y": "/sign-in?x=y", "/sign-in": "/", "/auth//evil.example": "/"} {
		if got := f2.handler.ownPage(address); got != want {
			t.Errorf("under a path, %q: %q, want %q", address, got, want)
		}
	}
}

func FuzzOwnPage(f *testing.F) {
	fix := newFixture(f)
	for _, s := range []string{"/sign-in", "//evil.example", "/\\evil.example", "/continue?flow=%0d%0a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		got := fix.handler.ownPage(address)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Errorf("%q leads to %q", address, got)
		}
	})
}

// A scope is described in the person's language, if the owner wrote it in that.
func TestScopesInLanguages(t *testing.T) {
	f := newFixture(t)
	f.handler.admin.Scopes = []symbolon.Scope{{Name: "reports.read", Description: "see your reports"}, {Name: "reports.read#cs", Description: "zobrazit vaše výkazy"},
		{Name: "home", Description: "see your home page"}, {Name: "email", Description: "see where we can reach you"}, {Name: "a#b!", Description: "odd"}}
	said, err := f.handler.admin.Said(t.Context())
	check(t, err)
	p := newPages(t)
	for _, c := range []struct{ scope, lang, want string }{
		{"reports.read", "en", "see your reports"},
		{"reports.read", "cs", "zobrazit vaše výkazy"},
		{"connect", "cs", "umožňuje připojení k\u00a0prostředkům"},
		{"home", "cs", "zobrazit vaši domovskou stránku"},
		{"email", "cs", "see where we can reach you"},
		{"a#b!", "en", "odd"},
		{"none", "cs", ""},
	} {
		got, err := p.speech.byLang[c.lang].scope(scopeView(said, c.scope, false))
		if err != nil || strings.TrimSuffix(strings.TrimPrefix(string(got), "<bdi>"), "</bdi>") != c.want {
			t.Errorf("%s in %s: %q, %v; want %q", c.scope, c.lang, got, err, c.want)
		}
	}
}

// What was pushed says it as well (RFC 9126 §4), and so it stays for the rest of the flow,
// also behind a password that is wrong.
func TestLanguageOfAPushedRequest(t *testing.T) {
	f := newFixture(t)
	_, pushed := f.call(t, "POST", "/oauth2/par", f.pushForm("ui_locales", "cs"))
	b := &browserOf{t: t, f: f, accept: "text/html"}
	resp, page := b.get("/oauth2/authorize?client_id=" + string(f.app.ID) + "&request_uri=" + url.QueryEscape(pushed["request_uri"].(string)))
	if got := langOf(t, resp, page); got != "cs" {
		t.Fatalf("the first page is in %s", got)
	}
	flow := flowOf(t, page)
	resp, page = b.post("/sign-in", "flow", flow, "username", "jane", "password", "wrong")
	resp, page = b.get(resp.Header.Get("Location"))
	if got := langOf(t, resp, page); got != "cs" || !strings.Contains(page, "nepatří") {
		t.Errorf("behind a wrong password it is in %s", got)
	}
}
