package web

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon/oauth"
)

// arrive is the app's side of step 2: what comes to its redirect URI. It
// believes nothing before state and issuer are right (RFC 6749 §10.12,
// RFC 9207 §2.4). A caller that shows no pages gets back in JSON what it
// brought, and nothing comes of it.
func (p *playground) arrive(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The query has more than 100 parameters."}
	}
	w.Header().Set("Vary", "Accept")
	if !prefersHTML(r.Header) {
		return writeJSON(w, ev, http.StatusOK, received(&params))
	}
	s, ok := p.open(r)
	if !ok {
		return &deniedError{reason: "denied.playground_stranger", retry: playPath}
	}
	e := exchange{Step: 2, Status: http.StatusSeeOther, Request: arrival(r)}
	state, code := params.First("state"), params.First("code")
	switch {
	case subtle.ConstantTimeCompare([]byte(state), []byte(s.AppState)) != 1:
		e.Verdict = "state_differs"
	case params.First("iss") != p.h.issuer:
		e.Verdict = "issuer_differs"
	case code != "" && len(code) <= maxPlayCode:
		e.Verdict = "code"
		s.Answered = ""
		s.arrived(code)
	default:
		e.Verdict = "callback_error"
		s.renew()
	}
	to := playPath + "#step-2"
	e.Response = "HTTP/1.1 303 See Other\nLocation: " + to + "\n\n"
	s.add(e)
	if err := p.keep(w, s); err != nil {
		return err
	}
	return p.h.redirect(w, r, ev, to)
}

// received is the JSON of what a callback brought.
func received(params *oauth.Params) []byte {
	var b []byte
	sep := byte('{')
	for _, name := range [...]string{"code", "state", "iss", "error", "error_description"} {
		if value := params.First(name); value != "" {
			b = appendField(b, sep, name, value)
			sep = ','
		}
	}
	if sep == '{' {
		b = append(b, '{')
	}
	return append(b, '}')
}

// arrival is the request of a callback as a page shows it. The browser's
// cookies are its own and are left out, as are headers that say nothing here.
func arrival(r *http.Request) string {
	var b strings.Builder
	b.WriteString(r.Method + " " + r.RequestURI + " " + r.Proto + "\nHost: " + r.Host + "\n")
	for _, name := range [...]string{"User-Agent", "Accept", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode"} {
		if value := r.Header.Get(name); value != "" {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	if n := len(r.Cookies()); n > 0 {
		b.WriteString("Cookie: (" + strconv.Itoa(n) + " of this browser's)\n")
	}
	return shown([]byte(b.String() + "\n"))
}
