package web

import (
	"net/http"
	"net/url"

	"github.com/symbolon/symbolon"
)

// playground plays the app's side of the six steps, so that a newcomer sees
// each request and answer as it happens. It is there on sandbox servers only.
// Its requests are real: they go over the network to this very server. What it
// remembers lies sealed in the browser's cookie, and nothing on the server.
type playground struct {
	h *Handler
	// callback is the redirect URI, of which the sandbox app has registered the
	// loopback form.
	callback string
}

// The playground's own paths.
const (
	playPath     = "/playground"
	callbackPath = "/playground/callback"
)

// newPlayground returns nil when the server has no sandbox app to play.
func newPlayground(h *Handler) (*playground, error) {
	if h.SandboxApp == "" {
		return nil, nil
	}
	return &playground{h: h, callback: h.issuer + callbackPath}, nil
}

func (p *playground) routes() []route {
	return []route{
		{path: playPath, get: p.page, post: p.act, kind: people},
		{path: callbackPath, get: p.arrive, kind: both},
	}
}

// page shows the six steps and what has gone over the wire so far.
func (p *playground) page(w http.ResponseWriter, r *http.Request, ev *event) error {
	if to := p.elsewhere(r); to != "" {
		return p.h.redirect(w, r, ev, to)
	}
	s, ok := p.open(r)
	if !ok {
		s = newPlay()
		if err := p.keep(w, s); err != nil {
			return err
		}
	}
	page := &PlaygroundPage{
		Developer: Developer{Here: "playground", Playground: true},
		Issuer:    p.h.issuer,
		ClientID:  string(p.h.SandboxApp),
		Secret:    p.h.SandboxSecret,
		Callback:  p.callback,
		Request:   p.authorizeQuery(s),
		State:     s,
	}
	accounts, err := p.h.Store.Accounts(r.Context(), symbolon.AccountQuery{Limit: maxSandboxShown})
	if err != nil {
		return err
	}
	for i := range accounts {
		if accounts[i].Sandbox && accounts[i].Enabled() {
			page.Accounts = append(page.Accounts, NewAccountView(&accounts[i]))
		}
	}
	p.h.render(w, r, ev, http.StatusOK, page)
	return nil
}

// elsewhere returns where to send a browser that came by another name of this
// computer than the issuer's: the cookie it gets here would not come to the
// callback there. It is "" when the browser is right here.
func (p *playground) elsewhere(r *http.Request) string {
	issuer, err := url.Parse(p.h.issuer)
	if err != nil || r.URL.RawQuery != "" {
		return ""
	}
	here := url.URL{Host: r.Host}
	if r.Host == issuer.Host || here.Port() != issuer.Port() || !isLoopback(here.Hostname()) || !isLoopback(issuer.Hostname()) {
		return ""
	}
	return p.h.issuer + playPath + "?moved=1" // the query ends any loop
}

// authorizeQuery is the query of the authorization request that is prepared.
func (p *playground) authorizeQuery(s *play) string {
	// By hand, in the order in which the page lists them: url.Values sorts.
	q := "response_type=code&client_id=" + url.QueryEscape(string(p.h.SandboxApp)) +
		"&redirect_uri=" + url.QueryEscape(p.callback) +
		"&scope=" + url.QueryEscape(s.Scope) +
		"&state=" + url.QueryEscape(s.AppState)
	if s.PKCE {
		q += "&code_challenge=" + challengeOf(s.Verifier) + "&code_challenge_method=S256"
	}
	if s.Hint != "" {
		q += "&login_hint=" + url.QueryEscape(s.Hint)
	}
	return q
}
