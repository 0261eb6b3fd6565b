package web

import (
	"html/template"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/symbolon/symbolon"
)

func newPages(t testing.TB) *Pages {
	t.Helper()
	p, err := NewPages("", Appearance{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// drawn returns the HTML of a page, as a browser gets it.
func drawn(t testing.TB, p *Pages, page Page) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := p.Render(w, httptest.NewRequest("GET", "/", nil), http.StatusOK, page); err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}

// Every template is executed at start-up: one without a sample would not be.
func TestEveryTemplateHasASample(t *testing.T) {
	if err := newPages(t).drawAll(); err != nil {
		t.Error(err)
	}
	sampled := map[string]bool{"layout": true, "parts": true}
	for _, s := range pageSamples() {
		sampled[s.template()] = true
	}
	files, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(strings.TrimPrefix(file, "pages/"), ".html"); !sampled[name] {
			t.Errorf("no sample for %s", file)
		}
	}
}

func TestTexts(t *testing.T) {
	text := &texts{lang: "xx", sentence: map[string]string{"a.b": "<{app}> & {n}"}}
	got, err := text.markup("a.b", "app", "A\u202e<b>", "n", 3)
	if want := template.HTML("&lt;<bdi>A&lt;b&gt;</bdi>&gt; &amp; 3"); err != nil || got != want {
		t.Errorf("markup = %q, %v; want %q", got, err, want)
	}
	plain, err := text.plain("a.b", "app", "A\u202e", "n", 3)
	if want := "<\u2068A\u2069> & \u20683\u2069"; err != nil || plain != want {
		t.Errorf("plain = %q, %v; want %q", plain, err, want)
	}
	for name, args := range map[string][]any{
		"a value that no one gives": {"app", "A"},
		"a value too many":          {"app", "A", "n", 3, "m", 4},
	} {
		if s, err := text.markup("a.b", args...); err == nil {
			t.Errorf("%s: %q", name, s)
		}
	}
	if s, err := text.markup("a.c"); err == nil {
		t.Errorf("a sentence that is missing: %q", s)
	}
}

// Ledger B27, SYM-HTTP-1, SYM-HTTP-2, RFC9700-4.2.4-a: what every page's
// headers say, and what only some may.
func TestPageHeaders(t *testing.T) {
	p := newPages(t)
	for _, sample := range pageSamples() {
		w := httptest.NewRecorder()
		if err := p.Render(w, httptest.NewRequest("GET", "/", nil), http.StatusTeapot, sample); err != nil {
			t.Fatal(err)
		}
		name := sample.template()
		if w.Code != http.StatusTeapot {
			t.Errorf("%s: status %d", name, w.Code)
		}
		for header, want := range map[string]string{
			"Content-Type":           "text/html; charset=utf-8",
			"Cache-Control":          "no-store",
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "no-referrer",
			"X-Frame-Options":        "DENY",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "img-src 'self' data:", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp+";", want+";") {
				t.Errorf("%s: policy %q lacks %q", name, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") && (!sample.headers().Scripts || !strings.Contains(csp+";", "script-src 'self';")) {
			t.Errorf("%s: policy %q allows too much", name, csp)
		}
		signIn, isSignIn := sample.(*SignInPage)
		code, isCode := sample.(*CodePage)
		signOut, isSignOut := sample.(*SignOutPage)
		back := isSignOut && signOut.BackHost != ""
		security, isSecurity := sample.(*SecurityPage)
		away := isSignIn && signIn.App == nil && len(signIn.Aways) > 0 || isSecurity && len(security.Links) > 0 // to other sites
		leads := name == "choose" || name == "consent" || name == "form-post" || isSignIn && signIn.App != nil || away || isCode && code.Leads || back
		if got := !strings.Contains(csp, "form-action 'self'"); got != leads {
			t.Errorf("%s: form-action left out is %v, want %v", name, got, leads)
		}
		flow := leads && !back && !away || name == "denied" || name == "error"
		if got := w.Header().Get("Cross-Origin-Opener-Policy") == ""; got != flow {
			t.Errorf("%s: opener kept is %v, want %v", name, got, flow)
		}
	}
}

// Ledger RFC9700-4.2.4-a: pages load nothing from elsewhere, run nothing but
// what lies in static/, and have no script or style within.
func TestPagesAreBare(t *testing.T) {
	p := newPages(t)
	for _, sample := range pageSamples() {
		page := drawn(t, p, sample)
		root, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]int{}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" && sample.headers().Scripts && n.FirstChild == nil && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "src" }) {
				// a file of ours, which the policy lets in
			} else if n.Data == "script" || n.Data == "style" || n.Data == "iframe" || n.Data == "img" {
				t.Errorf("%s has <%s>", sample.template(), n.Data)
			}
			for _, a := range n.Attr {
				// html/template takes data-on… for a handler of events, and quotes what is in it.
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "data-on") {
					t.Errorf("%s: <%s> has %s", sample.template(), n.Data, a.Key)
				}
				if n.Data == "form" && sample.template() == "form-post" {
					continue // it is to lead to the app
				}
				if (a.Key == "href" && n.Data == "link" || a.Key == "src" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") {
					t.Errorf("%s: <%s %s=%q> leads elsewhere", sample.template(), n.Data, a.Key, a.Val)
				}
				if a.Key == "id" {
					ids[a.Val]++
				}
			}
			if n.Data == "form" && !slices.Contains(n.Attr, html.Attribute{Key: "method", Val: "post"}) && !slices.Contains(n.Attr, html.Attribute{Key: "role", Val: "search"}) {
				t.Errorf("%s: a form does not post", sample.template())
			}
		}
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%s: id %q is there %d times", sample.template(), id, n)
			}
		}
		if strings.Contains(page, "ZgotmplZ") {
			t.Errorf("%s: html/template refused a value", sample.template())
		}
	}
}

// hostile is text that an app or an account may call itself.
const hostile = "\u202eEvil\u2066 </bdi></title><script>alert(1)</script>\x00\x1b[2J \u3164\u200b Zalgo\u0300\u0301\u0302\u0303\u0304 \"'>"

func TestHostileText(t *testing.T) {
	p := newPages(t)
	hostile := hostile + strings.Repeat("A", 1000)
	app := AppView{ID: hostile, Name: hostile, Home: "javascript:alert(1)", HomeHost: hostile}
	person := AccountView{ID: hostile, Name: hostile, Username: hostile, Initials: hostile}
	for _, page := range []Page{
		&SignInPage{App: &app, Username: hostile, Error: hostile, Flow: hostile, Sandbox: []AccountView{person}},
		&ChoosePage{App: app, Accounts: []AccountView{person}, Flow: hostile},
		&ConsentPage{App: app, Account: person, Scopes: []ScopeView{{Name: hostile, Description: hostile}}, RedirectHost: hostile, RedirectURI: "javascript:" + hostile, Flow: hostile},
		&DeniedPage{Title: hostile, Reason: hostile, Retry: "javascript:alert(1)"},
		&ErrorPage{Code: hostile, Title: hostile, Description: hostile, WhoMends: hostile, How: hostile, RequestID: hostile, DocsURL: "javascript:alert(1)", Mismatch: NewMismatch(hostile, []string{hostile + "x", "y"})},
		&SignOutPage{Accounts: []AccountView{person}, Asked: true, App: &app, Wrong: hostile, BackHost: hostile},
		&SignedOutPage{Wrong: hostile, Back: "javascript:alert(1)", BackHost: hostile},
	} {
		root, err := html.Parse(strings.NewReader(drawn(t, p, page)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type == html.ElementNode {
				if n.Data == "script" {
					t.Errorf("%s: a script came through", page.template())
				}
				for _, a := range n.Attr {
					if a.Key == "href" && strings.Contains(a.Val, "javascript") {
						t.Errorf("%s: a link to %q came through", page.template(), a.Val)
					}
				}
			}
			if n.Type == html.TextNode {
				if i := strings.IndexFunc(n.Data, func(r rune) bool { return hidden(r) && r != '\u2068' && r != '\u2069' }); i >= 0 {
					t.Errorf("%s: %q holds what cannot be seen", page.template(), n.Data)
				}
				if len([]rune(n.Data)) > 254 && !within(n, "code") {
					t.Errorf("%s: %d bytes of text came through", page.template(), len(n.Data))
				}
			}
		}
	}
}

// within reports whether a node stands in an element.
func within(n *html.Node, element string) bool {
	for up := range n.Ancestors() {
		if up.Data == element {
			return true
		}
	}
	return false
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Jane Doe":                    "Jane Doe",
		"  Jane \t\n Doe  ":           "Jane Doe",
		"\u202eenaJ":                  "enaJ",
		"a\u200bb\ufeffc\u00add":      "abcd",
		"Za\u0300\u0301\u0302\u0303l": "Za\u0300\u0301l",
		"\u0300x":                     "x",
		"می\u200cخواهم":               "می\u200cخواهم",
		"a\u200d\u200db":              "a\u200db",
		"\u3164\u115f\u2800":          "",
		"bad\xffbyte":                 "badbyte",
		"👩\u200d👩\u200d👧":             "👩\u200d👩\u200d👧",
		"tag\U000e0041\ue000":         "tag",
		strings.Repeat("ab", 40):      strings.Repeat("ab", 40),
		strings.Repeat("ab", 41):      strings.Repeat("ab", 40) + "…",
	} {
		if got := clean(in, maxName); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add(hostile)
	f.Add("a\u0300\u200d \u200c\u0301")
	f.Fuzz(func(t *testing.T, s string) {
		c := clean(s, maxName)
		if n := len([]rune(c)); n > maxName+1 {
			t.Errorf("%q becomes %d characters", s, n)
		}
		if strings.ContainsFunc(c, func(r rune) bool { return hidden(r) || r < ' ' }) {
			t.Errorf("%q becomes %q", s, c)
		}
		if again := clean(c, maxName+1); again != c {
			t.Errorf("%q becomes %q, which becomes %q", s, c, again)
		}
		if v := visible(s); visible(v) != v {
			t.Errorf("%q is shown as %q, which is shown as %q", s, v, visible(v))
		}
	})
}

func TestLinks(t *testing.T) {
	for in, want := range map[string]string{
		"https://weathermill.example/x?y#z": "https://weathermill.example/x?y#z",
		"http://weathermill.example/":       "",
		"http://127.0.0.1:8080/":            "http://127.0.0.1:8080/",
		"http://[::1]/":                     "http://[::1]/",
		"http://localhost.evil.example/":    "",
		"https://user@weathermill.example/": "",
		"javascript:alert(1)":               "",
		"data:text/html,x":                  "",
		"//weathermill.example/":            "",
		"https:weathermill.example":         "",
		"":                                  "",
	} {
		if got := outsideLink(in); got != want {
			t.Errorf("outsideLink(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"/authorize?x=y":        "/authorize?x=y",
		"//evil.example":        "",
		`/\evil.example`:        "",
		"/\t/evil.example":      "",
		"https://fine.example/": "https://fine.example/",
		"javascript:alert(1)":   "",
	} {
		if got := retryLink(in); got != want {
			t.Errorf("retryLink(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestViews(t *testing.T) {
	app := NewAppView(&symbolon.App{ID: "sym_app_1", Name: "Weather Mill", Home: "https://weathermill.example/about"})
	if app.HomeHost != "weathermill.example" || app.Initials() != "WM" {
		t.Errorf("app %+v, initials %q", app, app.Initials())
	}
	if app := NewAppView(&symbolon.App{Name: "x", Home: "not a URL"}); app.Home != "" || app.HomeHost != "" {
		t.Errorf("app %+v has a home", app)
	}
	if a := NewAccountView(&symbolon.Account{Name: "…", Username: "jane"}); a.Initials != "J" {
		t.Errorf("account %+v", a)
	}
	for in, want := range map[string]string{
		"Jane Doe": "JD", "jane": "J", "": "", "-- !": "", "Jane van der Doe": "JD", "éva ünal": "ÉÜ", "(Jane) [Doe]": "JD", "3 Ducks": "3D", "山田 太郎": "山太",
	} {
		if got := Initials(in); got != want {
			t.Errorf("Initials(%q) = %q, want %q", in, got, want)
		}
	}
}

// What the handlers rely on: the names and values that the forms post.
func TestForms(t *testing.T) {
	p := newPages(t)
	people := []AccountView{{ID: "id1", Name: "Jane"}}
	for _, c := range []struct {
		page Page
		want []string
	}{
		{&SignInPage{Flow: "f", Username: "jane", Sandbox: people, Others: true}, []string{
			`action="/sign-in"`, `name="username" type="text" value="jane"`, `autocomplete="username"`, `name="password" type="password"`, `autocomplete="current-password"`,
			`id="username"`, `id="password"`, `id="sign-in"`, `id="cancel"`,
			`name="action" value="cancel" formnovalidate`, `name="action" value="choose" formnovalidate`, `name="sandbox" value="id1"`, `type="hidden" name="flow" value="f"`}},
		{&ChoosePage{Flow: "f", Accounts: people}, []string{`action="/choose"`, `name="account" value="id1"`, `name="account" value="other"`, `name="action" value="cancel"`, `name="flow" value="f"`}},
		{&ConsentPage{Flow: "f"}, []string{`action="/consent"`, `id="allow"`, `id="deny"`, `name="action" value="allow"`, `name="action" value="deny"`, `name="action" value="other"`, `name="flow" value="f"`}},
		{&SignOutPage{Flow: "f", Accounts: people}, []string{`action="/sign-out"`, `id="sign-out"`, `name="account" value="id1"`, `name="account" value="all"`, `name="flow" value="f"`}},
	} {
		page := drawn(t, p, c.page)
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %s", c.page.template(), want)
			}
		}
	}
	// Enter in a field presses the first button: it must be the one to sign in.
	page := drawn(t, p, &SignInPage{Flow: "f", Sandbox: people, Others: true})
	if first := strings.Index(page, "<button"); !strings.HasPrefix(page[first:], `<button class="primary" id="sign-in" type="submit">`) {
		t.Error("the first button of the sign-in page is another")
	}
}

func TestSignInProblems(t *testing.T) {
	p := newPages(t)
	refused := drawn(t, p, &SignInPage{Username: "jane", Error: "No."})
	if !strings.Contains(refused, `role="alert" id="problem"`) || strings.Count(refused, `aria-describedby="problem"`) != 2 {
		t.Error("a refusal is not tied to the fields")
	}
	if waits := drawn(t, p, &SignInPage{Wait: 12, Error: "No."}); !strings.Contains(waits, "12 seconds") || strings.Contains(waits, "No.") {
		t.Error("the wait is not what is shown")
	}
}

func TestHeadHasNoBody(t *testing.T) {
	w := httptest.NewRecorder()
	if err := newPages(t).Render(w, httptest.NewRequest("HEAD", "/", nil), http.StatusOK, &SignedOutPage{}); err != nil || w.Body.Len() != 0 {
		t.Errorf("%d bytes, %v", w.Body.Len(), err)
	}
}

func BenchmarkRenderConsent(b *testing.B) {
	p := newPages(b)
	page := pageSamples()[5]
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Render(httptest.NewRecorder(), r, http.StatusOK, page); err != nil {
			b.Fatal(err)
		}
	}
}

// A sentence that is missing is found before the server serves anyone.
func TestMissingSentenceRefusesToStart(t *testing.T) {
	p := newPages(t)
	text := p.speech.byLang["en"]
	if _, err := p.parse(text); err != nil {
		t.Fatal(err)
	}
	delete(text.sentence, "consent.allow")
	if _, err := p.parse(text); err == nil || !strings.Contains(err.Error(), `"consent.allow"`) {
		t.Errorf("error %v, want one that names the sentence", err)
	}
}
