package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/symbolon/symbolon"
)

//go:embed pages/*.html
var pageFiles embed.FS

// Pages draws the pages. It is made once, at start-up, and is safe for
// concurrent use.
type Pages struct {
	static *Static
	prefix string // the path of the issuer, in front of every path of ours
	look   Appearance
	made   *readyLook
	speech *speech
	// sets are the templates by language.
	sets map[string]*pageSet
}

// pageSet are the templates in one language. They are read when a page is first drawn in
// it: that takes a tenth of a second, and a server that is asked for none need not wait.
type pageSet struct {
	once sync.Once
	text *texts
	by   map[string]*template.Template
	err  error
}

// templates returns the templates in a language, by Page.template.
func (p *Pages) templates(lang string) (map[string]*template.Template, error) {
	set := p.sets[lang]
	if set == nil {
		return nil, symbolon.Errorf(symbolon.Internal, "read pages", "no language %q", lang)
	}
	set.once.Do(func() { set.by, set.err = p.parse(set.text) })
	return set.by, set.err
}

// NewPages returns the pages of a server whose issuer has this path, which is
// empty or begins with a slash and does not end with one.
//
// An error of kind Invalid is about the appearance. Sentences of the owner's are tried
// here on every page, so that what is wrong with one is never an error before a person.
func NewPages(prefix string, a Appearance) (*Pages, error) {
	static, err := NewStatic()
	if err != nil {
		return nil, err
	}
	made, err := a.look()
	if err != nil {
		return nil, err
	}
	for name, content := range made.files {
		if err := static.add(name, content); err != nil {
			return nil, err
		}
	}
	p := &Pages{static: static, prefix: prefix, look: a, made: made, speech: made.speech, sets: map[string]*pageSet{}}
	for _, text := range p.speech.all {
		p.sets[text.lang] = &pageSet{text: text}
	}
	if a.Texts != nil {
		return p, p.drawAll()
	}
	return p, nil
}

// drawAll draws every page with sample data, in every language. That takes a third of a
// second, so at the start only sentences that nobody has tried are tried by it: the
// owner's. A test does it for ours.
func (p *Pages) drawAll() error {
	for _, sample := range pageSamples() {
		for _, text := range p.speech.all {
			if _, err := p.draw(text.lang, "/", sample); err != nil {
				return err
			}
		}
	}
	return nil
}

// Name is what the service calls itself to people.
func (p *Pages) Name() string { return cmp.Or(p.look.Name, "Symbolon") }

// Languages are the tags of those that pages are drawn in, the default first.
func (p *Pages) Languages() []string {
	var list []string
	for _, t := range p.speech.all {
		list = append(list, t.lang)
	}
	return list
}

// Sentence returns a sentence of the texts for what is no page, such as a letter: plain
// text in a language, or in the default one when there is no such language. Args are
// pairs of a name and a value.
func (p *Pages) Sentence(lang, key string, args ...any) (string, error) {
	text := p.speech.byLang[lang]
	if text == nil {
		text = p.speech.all[0]
	}
	s, err := text.plain(key, args...)
	return strings.NewReplacer("\u2068", "", "\u2069", "").Replace(s), err
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
		"sentence": text.said,
		"passage":  func(s string) template.HTML { return isolate(clean(s, maxPassage)) },
		"headline": text.headline,
		"day":      text.day,
		"moment":   text.moment,
		"english":  text.english,
		"scope":    text.scope,
		"service":  func() string { return p.Name() },
		"look":     func() lookView { return p.lookView() },
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
		"pages": func() []ownPage { return ownPages },
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
	return p.render(w, r, status, page, p.speech.all[0].lang, "")
}

// render is Render in a language; back is the address by which the page can be drawn
// once more, in another, or "".
func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, page Page, lang, back string) error {
	headers := page.headers()
	if headers.English {
		lang, back = firstLanguage, ""
	}
	if headers.Once {
		back = ""
	}
	body, err := p.draw(lang, back, page)
	if err != nil {
		return err
	}
	headers.set(w.Header())
	w.Header().Set("Content-Language", lang)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the person has gone; there is no one to tell
	}
	return nil
}

// frame is what the layout is drawn with: the page, and what stands around it.
type frame struct {
	Page Page
	// Back is the address of the page, to which a choice of language leads; empty where
	// there is none to be had.
	Back      string
	Languages []languageView
}

// languageView is a language in the choice at the foot of a page.
type languageView struct {
	Lang, Dir, Name string
	Here            bool
}

// lookView is what the layout shows of the owner's appearance.
type lookView struct {
	Logo, LogoDark string // names in static/, or empty
	Style          bool
	HideName       bool
	Links          []ownerLink // those that there are
}

// IconType is the type of the logo: a part of image/….
func (v lookView) IconType() string {
	if strings.HasSuffix(v.Logo, ".png") {
		return "png"
	}
	return "svg+xml"
}

func (p *Pages) lookView() lookView {
	v := lookView{Logo: p.made.logo, LogoDark: p.made.dark, Style: p.made.style, HideName: p.look.HideName}
	for _, link := range p.look.links() {
		if link.URL != "" {
			v.Links = append(v.Links, link)
		}
	}
	return v
}

// draw makes the HTML of a page.
func (p *Pages) draw(lang, back string, page Page) ([]byte, error) {
	set, err := p.templates(lang)
	if err != nil {
		return nil, err
	}
	t := set[page.template()]
	if t == nil {
		return nil, symbolon.Errorf(symbolon.Internal, "draw page", "no template %q in %s", page.template(), lang)
	}
	f := frame{Page: page}
	if len(p.speech.all) > 1 && back != "" {
		f.Back = back
		for _, text := range p.speech.all {
			f.Languages = append(f.Languages, languageView{Lang: text.lang, Dir: text.dir, Name: text.name, Here: text.lang == lang})
		}
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", f); err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, fmt.Sprintf("draw page %s in %s", page.template(), lang), err)
	}
	return b.Bytes(), nil
}

// set writes the headers of a page.
func (p pageHeaders) set(h http.Header) {
	csp := "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
	if p.Scripts {
		csp += "; script-src 'self'"
	}
	if p.Streams {
		csp += "; connect-src 'self'"
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
