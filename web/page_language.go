package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/symbolon/symbolon"
)

// speech is the languages that pages are drawn in, and the choice among them. It is made
// once and safe for concurrent use.
type speech struct {
	all     []*texts // the default first
	byLang  map[string]*texts
	matcher language.Matcher
}

// newSpeech returns the languages with one as the default.
func newSpeech(all []*texts, preferred string) (*speech, error) {
	s := &speech{byLang: map[string]*texts{}}
	var tags []language.Tag
	var names []string
	for _, t := range all {
		s.byLang[t.lang] = t
		names = append(names, t.lang)
		if t.lang == preferred {
			s.all, tags = append([]*texts{t}, s.all...), append([]language.Tag{t.tag}, tags...)
			continue
		}
		s.all, tags = append(s.all, t), append(tags, t.tag)
	}
	if s.byLang[preferred] == nil {
		return nil, symbolon.Errorf(symbolon.Invalid, "texts", "there are no texts in the language %q; there are: %s", preferred, strings.Join(names, ", "))
	}
	s.matcher = language.NewMatcher(tags)
	return s, nil
}

// Bounds of what anyone may ask for: bytes that are looked at, and languages.
const (
	maxWishes = 1 << 10
	maxTags   = 20
)

// wished returns the best of the languages for a wish, or "" when none fits. The wish is
// the value of Accept-Language (RFC 9110 §12.5.4), or tags with spaces between, the
// dearest first (OpenID Connect Core §3.1.2.1). What cannot be read in it is passed over.
func (s *speech) wished(text string) string {
	if len(text) > maxWishes {
		text = text[:maxWishes]
		text = text[:max(strings.LastIndexAny(text, ", "), 0)]
	}
	var wishes []language.Tag
	if strings.ContainsAny(text, ",;") {
		var weights []float32
		var err error
		if wishes, weights, err = language.ParseAcceptLanguage(text); err != nil {
			wishes = nil
			for part := range strings.SplitSeq(text, ",") { // one by one, in the order they came in
				if some, _, err := language.ParseAcceptLanguage(part); err == nil {
					wishes = append(wishes, some...)
				}
			}
		}
		for i := range weights {
			if weights[i] == 0 { // not wanted; they come last
				wishes = wishes[:i]
				break
			}
		}
	} else {
		for part := range strings.FieldsSeq(text) {
			if tag, err := language.Parse(part); err == nil {
				wishes = append(wishes, tag)
			}
		}
	}
	for _, tag := range wishes[:min(len(wishes), maxTags)] {
		if tag == language.Und {
			continue
		}
		if _, i, sure := s.matcher.Match(tag); sure > language.No {
			return s.all[i].lang
		}
	}
	return ""
}

// languageCookie remembers the language that a person chose, and when.
const languageCookie = "symbolon-language"

// chosenFor is how long a choice outdoes what an app wishes for the person: as long as
// the pages of a flow are good.
const chosenFor = flowLifetime

// language returns the language to draw a page in: what the person has just chosen; what
// the app says of the person (ui_locales); what the person chose earlier; what the browser
// says; the owner's.
func (h *Handler) language(r *http.Request, ev *event) string {
	s := h.Pages.speech
	chosen, lately := h.chosenLanguage(r)
	if lately {
		return chosen
	}
	if lang := s.wished(ev.locales); lang != "" {
		return lang
	}
	if chosen != "" {
		return chosen
	}
	if lang := s.wished(strings.Join(r.Header["Accept-Language"], ",")); lang != "" {
		return lang
	}
	return s.all[0].lang
}

// chosenLanguage returns the language of the cookie, or "".
func (h *Handler) chosenLanguage(r *http.Request) (lang string, lately bool) {
	cookies := r.CookiesNamed(h.cookieName(languageCookie))
	if len(cookies) != 1 {
		return "", false
	}
	lang, at, _ := strings.Cut(cookies[0].Value, ".")
	if h.Pages.speech.byLang[lang] == nil {
		return "", false
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	age := h.Engine.Now().Unix() - seconds
	return lang, err == nil && age >= 0 && age < int64(chosenFor/time.Second)
}

// chooseLanguage takes what a person chose at the foot of a page, and shows the page in
// it. Where the page is stands in the form; only an address of a page of ours counts.
func (h *Handler) chooseLanguage(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, err := readPlainForm(w, r, nil)
	if err != nil {
		return err
	}
	if lang := form.First("lang"); h.Pages.speech.byLang[lang] != nil {
		h.setCookie(w, languageCookie, lang+"."+strconv.FormatInt(h.Engine.Now().Unix(), 10), deviceLifetime)
	}
	return h.redirect(w, r, ev, h.ownPage(form.First("back")))
}

// ownPage returns an address if it is one of a page of this server, without the path of
// the issuer in front; else that of the front door.
func (h *Handler) ownPage(address string) string {
	const door = "/"
	if len(address) > maxTarget || !strings.HasPrefix(address, "/") || retryLink(address) != address {
		return door
	}
	u, err := url.Parse(address)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil || u.RawPath != "" {
		return door
	}
	rt := h.routes[u.Path]
	path, ours := strings.CutPrefix(u.Path, h.prefix)
	if rt == nil || !ours || rt.get == nil || rt.kind == api {
		return door
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path
}

// way is the address by which a page can be drawn once more, or "".
func way(r *http.Request, ev *event) string {
	switch {
	case ev.back != "":
		return ev.back
	case r.Method == http.MethodGet && ev.route != unknownRoute && len(r.URL.RequestURI()) <= maxTarget:
		return r.URL.RequestURI()
	}
	return ""
}

// inEnglish is a sentence for the log, by its key.
func (p *Pages) inEnglish(key string) string {
	if s, err := p.Sentence(firstLanguage, key); err == nil {
		return s
	}
	return key
}
