//go:build linux

package e2e

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// person is someone in front of a browser without scripts: a cookie jar, and
// the page they look at.
type person struct {
	s      *server
	client *http.Client
	page   *reply
	at     *url.URL // where the page is
}

// newPerson returns someone with an empty cookie jar. Base is a client whose
// transport reaches the server.
func (s *server) newPerson(t testing.TB, base *http.Client) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	c := *base
	c.Jar = jar
	return &person{s: s, client: &c}
}

// open goes to an address of the server and follows its redirects as long as
// they stay on the server.
func (p *person) open(t testing.TB, path string, opts ...option) *reply {
	t.Helper()
	return p.follow(t, send(t, p.client, request(t, http.MethodGet, p.s.base+path, nil, append([]option{asBrowser}, opts...)...)), p.s.base+path)
}

func (p *person) follow(t testing.TB, r *reply, at string) *reply {
	t.Helper()
	var err error
	if p.at, err = url.Parse(at); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		to := r.Header.Get("Location")
		if to == "" {
			break
		}
		u, err := p.at.Parse(to)
		must(t, err)
		if u.Scheme+"://"+u.Host != p.s.base {
			break // to the app
		}
		if r.Status != http.StatusSeeOther {
			t.Errorf("RFC9700-4.12-a: redirect by %d, want 303", r.Status)
		}
		for _, v := range u.Query()["flow"] {
			secret(kindPassing, v)
		}
		p.at = u
		r = send(t, p.client, request(t, http.MethodGet, u.String(), nil, asBrowser))
	}
	p.page = r
	for _, f := range forms(r.Body) {
		secret(kindPassing, f.fields.Get("flow"))
	}
	return r
}

// form is a form of a page.
type form struct {
	action string
	fields url.Values // what is filled in
	text   string     // its HTML
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]*>`)
	attr     = regexp.MustCompile(`(\w+)="([^"]*)"`)
	anyTag   = regexp.MustCompile(`(?s)<[^>]*>`)
	// ownScript is a file of ours in a page.
	ownScript = regexp.MustCompile(`<script defer src="[^":]*/static/[a-z-]+\.[0-9a-f]{16}\.js"></script>`)
	unseen    = regexp.MustCompile(`(?s)<span class="unseen">.*?</span>`)
)

// forms reads the forms of a page.
func forms(body []byte) []form {
	var list []form
	for _, m := range formTag.FindAllStringSubmatch(string(body), -1) {
		f := form{action: html.UnescapeString(m[1]), fields: url.Values{}, text: m[2]}
		for _, input := range inputTag.FindAllString(m[2], -1) {
			attrs := map[string]string{}
			for _, a := range attr.FindAllStringSubmatch(input, -1) {
				attrs[a[1]] = html.UnescapeString(a[2])
			}
			f.fields.Set(attrs["name"], attrs["value"])
		}
		list = append(list, f)
	}
	return list
}

// visibleText is what a person sees of a page.
func visibleText(body []byte) string {
	return html.UnescapeString(anyTag.ReplaceAllString(unseen.ReplaceAllString(string(body), ""), ""))
}

// form returns the page's first form for this action.
func (p *person) form(t testing.TB, action string) form {
	t.Helper()
	for _, f := range forms(p.page.Body) {
		if f.action == action {
			return f
		}
	}
	t.Fatalf("the page at %s (status %d) has no form for %s:\n%.1500s", p.at, p.page.Status, action, visibleText(p.page.Body))
	return form{}
}

// submit fills the page's form for an action and posts it as a browser does.
func (p *person) submit(t testing.TB, action string, pairs ...string) *reply {
	t.Helper()
	return p.postForm(t, action, with(p.form(t, action).fields, pairs...))
}

func (p *person) postForm(t testing.TB, action string, v url.Values, opts ...option) *reply {
	t.Helper()
	secret(kindSecret, v.Get("password"))
	req := request(t, http.MethodPost, p.s.base+action, strings.NewReader(v.Encode()), asBrowser,
		header("Content-Type", "application/x-www-form-urlencoded"),
		header("Origin", p.s.base), header("Sec-Fetch-Site", "same-origin"))
	for _, o := range opts {
		o(req)
	}
	return p.follow(t, send(t, p.client, req), p.s.base+action)
}

// signIn fills in the sign-in page.
func (p *person) signIn(t testing.TB, username, password string) *reply {
	t.Helper()
	return p.submit(t, "/sign-in", "username", username, "password", password)
}

// allow walks a person with a session, or who signs in, through step 1 to the
// app, and returns the code.
func (p *person) allow(t testing.TB, a *app, username, password string, pairs ...string) string {
	t.Helper()
	p.open(t, "/authorize?"+a.authorization(pairs...).Encode())
	if username != "" {
		p.signIn(t, username, password)
	}
	r := p.page
	if r.Header.Get("Location") == "" {
		r = p.submit(t, "/consent", "action", "allow")
	}
	return redirected(t, a, r).Get("code")
}

// cookie returns the person's cookie of this name, prefixed or not.
func (p *person) cookie(name string) string {
	u, _ := url.Parse(p.s.base)
	for _, c := range p.client.Jar.Cookies(u) {
		if strings.TrimPrefix(c.Name, "__Host-") == name {
			return c.Value
		}
	}
	return ""
}

// pageOf holds an answer to what every page keeps: no redirect, the headers
// of SYM-HTTP-1 and nothing from elsewhere.
func pageOf(t testing.TB, r *reply, status int) {
	t.Helper()
	if r.Status != status {
		t.Errorf("status %d, want %d\n%.600s", r.Status, status, visibleText(r.Body))
	}
	if r.Header.Get("Location") != "" {
		t.Errorf("a page redirects to %s", r.Header.Get("Location"))
	}
	for name, want := range map[string]string{
		"Content-Type":           "text/html; charset=utf-8",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy":        "no-referrer",
		"X-Frame-Options":        "DENY",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	csp := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("Content-Security-Policy %q lacks %s", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	if r.Header.Get("Permissions-Policy") == "" {
		t.Error("no Permissions-Policy")
	}
	body := strings.ToLower(string(r.Body))
	// Scripts are files of ours, which the policy lets in; there is none within a page.
	body = ownScript.ReplaceAllString(body, "")
	for _, bad := range []string{"<script", " style=", "<style", "javascript:", " onclick=", "src=\"http"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}
