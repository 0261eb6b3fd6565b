package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
)

//go:embed pages/*.html
var pageFiles embed.FS

// Pages draws the pages. It is made once, at start-up, and is safe for
// concurrent use.
type Pages struct {
	static *Static
	prefix string // the path of the issuer, in front of every path of ours
	// sets are the templates by language and by Page.template.
	sets map[string]map[string]*template.Template
	// texts are those of the first language, for what is no page.
	texts *texts
}

// languages are those of text/, the first being the one to fall back on.
var languages = []string{"en"}

// NewPages returns the pages of a server whose issuer has this path, which is
// empty or begins with a slash and does not end with one.
//
// It reads the templates and the texts, and executes every template with
// sample data. A template that is broken, or names a sentence that is missing,
// is an error here and never before a person.
func NewPages(prefix string) (*Pages, error) {
	static, err := NewStatic()
	if err != nil {
		return nil, err
	}
	p := &Pages{static: static, prefix: prefix, sets: map[string]map[string]*template.Template{}}
	for _, lang := range languages {
		text, err := readTexts(lang)
		if err != nil {
			return nil, err
		}
		if p.sets[lang], err = p.parse(text); err != nil {
			return nil, err
		}
		if p.texts == nil {
			p.texts = text
		}
	}
	for _, sample := range pageSamples() {
		for _, lang := range languages {
			if _, err := p.draw(lang, sample); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// Static returns the handler for "GET /static/".
func (p *Pages) Static() *Static { return p.static }

// parse reads each template of pages/ over a copy of the layout.
func (p *Pages) parse(text *texts) (map[string]*template.Template, error) {
	const op = "read pages"
	layout, err := template.New("layout.html").Funcs(p.funcs(text)).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html")
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, op, err)
	}
	entries, err := pageFiles.ReadDir("pages")
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, op, err)
	}
	set := map[string]*template.Template{}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		page, err := layout.Clone()
		if err == nil {
			page, err = page.ParseFS(pageFiles, "pages/"+e.Name())
		}
		if err != nil {
			return nil, symbolon.Wrap(symbolon.Internal, op, err)
		}
		for _, t := range page.Templates() {
			for _, key := range keysUsed(t.Tree) {
				if !text.has(key) {
					return nil, symbolon.Errorf(symbolon.Internal, op, "%s names the sentence %q, which %s has not", e.Name(), key, text.lang)
				}
			}
		}
		set[name] = page
	}
	return set, nil
}

// funcs are what templates may call.
func (p *Pages) funcs(text *texts) template.FuncMap {
	return template.FuncMap{
		"t":        text.markup,
		"plain":    text.plain,
		"lang":     func() string { return text.lang },
		"dir":      func() string { return text.dir },
		"static":   p.staticURL,
		"path":     func(path string) string { return p.prefix + path },
		"name":     func(s string) template.HTML { return isolate(clean(s, maxName)) },
		"sentence": func(s string) template.HTML { return isolate(clean(s, maxSentence)) },
		"oneline":  func(s string) string { return clean(s, maxName) },
		"letters":  func(s string) string { return firstRunes(clean(s, 4), 2) },
		"uri":      readableURI,
		"host":     readableHost,
		"outside":  outsideLink,
		"retry": func(s string) string {
			if s = retryLink(s); strings.HasPrefix(s, "/") {
				return p.prefix + s
			}
			return s
		},
		"tint":  tint,
		"token": newToken,
	}
}

func (p *Pages) staticURL(name string) (string, error) {
	if url := p.static.URL(name); url != "" {
		return p.prefix + url, nil
	}
	return "", symbolon.Errorf(symbolon.Internal, "draw page", "no static file %q", name)
}

// tint chooses one of six colours for an account, always the same one.
func tint(id string) int {
	sum := 0
	for i := range len(id) {
		sum = (sum*31 + int(id[i])) & 0xffff
	}
	return sum % 6
}

// token is the picture of a token broken in two, as parts.html draws it.
type token struct {
	// State is "waiting" (the account's half is not there yet), "offered" (both
	// halves, about to be joined), "joined", "apart" or "foreign" (two halves that do not
	// fit).
	State string
	// App and Account are the letters on the halves; either may be empty.
	App, Account string
}

func newToken(state, app, account string) token {
	return token{State: state, App: app, Account: account}
}

// Render answers a request with a page, drawn whole before the first byte is
// sent. On an error, which is a fault of ours, nothing has been sent.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, page Page) error {
	body, err := p.draw(languages[0], page)
	if err != nil {
		return err
	}
	page.headers().set(w.Header())
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the person has gone; there is no one to tell
	}
	return nil
}

// draw makes the HTML of a page.
func (p *Pages) draw(lang string, page Page) ([]byte, error) {
	t := p.sets[lang][page.template()]
	if t == nil {
		return nil, symbolon.Errorf(symbolon.Internal, "draw page", "no template %q in %s", page.template(), lang)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", page); err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, fmt.Sprintf("draw page %s", page.template()), err)
	}
	return b.Bytes(), nil
}

// set writes the headers of a page.
func (p pageHeaders) set(h http.Header) {
	csp := "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
	if p.Scripts {
		csp += "; script-src 'self'"
	}
	if !p.Leads {
		csp += "; form-action 'self'"
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if !p.Flow {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
}
