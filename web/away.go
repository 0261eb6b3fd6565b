package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/upstream"
)

// away is what is remembered while a person is at another site to sign in. It is sealed
// into what that site sends back, so that who goes and never comes back costs no row,
// and it belongs to the browser of its flow alone.
type away struct {
	Flow flow `json:"flow"`
	// To is the name of the upstream server, or handoffName.
	To string `json:"to"`
	// Secret is what nonce and verifier are made of. It is in no page.
	Secret []byte `json:"secret"`
	// Link: the person is signed in here, and wants to sign in by that site from now on.
	Link bool `json:"link,omitempty"`
	// MaxAge is how long ago they may have signed in there, in seconds; -1 without limit.
	MaxAge int `json:"max_age"`
	// Fresh: that site was told to have them sign in anew.
	Fresh bool `json:"fresh,omitempty"`
}

// handoffName is what the owner's own site is called among the upstream servers.
const handoffName = "handoff"

// awayLife is how long a person may take there.
const awayLife = 15 * time.Minute

// awaySkew is how far the clock there may be off.
const awaySkew = 30 * time.Second

func (a *away) value(use string) string {
	sum := sha256.Sum256(append([]byte("symbolon "+use+" "), a.Secret...))
	return cookieText.EncodeToString(sum[:])
}

// depart sends a person to another site to sign in there, and to come back to the flow.
func (h *Handler) depart(w http.ResponseWriter, r *http.Request, ev *event, f *flow, to string, link bool) error {
	server := h.upstream(to)
	if server == nil && (to != handoffName || h.Handoff == nil || link) {
		return &deniedError{reason: "denied.no_such_way", retry: f.startAgain()}
	}
	a := &away{Flow: *f, To: to, Link: link, MaxAge: -1, Secret: make([]byte, 32)}
	rand.Read(a.Secret)
	a.Flow.Proven, a.Flow.Raise, a.Flow.Setup, a.Flow.Challenge, a.Flow.Try, a.Flow.Consent = nil, nil, nil, nil, nil, false
	if !link {
		a.Flow.Chosen = ""
	}
	a.Flow.Expires = h.Engine.Now().Add(awayLife)
	ask := h.wanted(f, a)
	a.Fresh = ask.Fresh
	plain, err := json.Marshal(a)
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, "seal flow", err)
	}
	if ask.State, err = h.Ring.Seal(seal.Away, plain, h.Engine.Now()); err != nil {
		return err
	}
	if server == nil {
		return h.redirect(w, r, ev, h.handoffURL(ask))
	}
	ask.Nonce, ask.Verifier = a.value("nonce"), a.value("verifier")
	address, err := server.Send(r.Context(), ask)
	if err != nil {
		return h.unreached(w, r, ev, a, server, err)
	}
	return h.redirect(w, r, ev, address)
}

// wanted says how the flow wants the person to sign in there.
func (h *Handler) wanted(f *flow, a *away) *upstream.Ask {
	// Who came back from there and is to sign in all the same has to do it anew.
	ask := &upstream.Ask{Fresh: f.Came, Choose: f.Other, MaxAge: -1}
	// What protects the account is changed by who has just signed in, and so is what an
	// earlier sign-in was too old for.
	ask.Fresh = ask.Fresh || f.Security || f.Other && f.Own != ""
	if req, err := f.request(); err == nil && f.Query != "" {
		ask.Fresh = ask.Fresh || slices.Contains(strings.Fields(req.Prompt), "login")
		ask.LoginHint = req.LoginHint
		if n, err := strconv.ParseUint(req.OpenID.MaxAge, 10, 31); err == nil {
			a.MaxAge = int(n)
		}
	}
	if a.MaxAge >= 0 {
		ask.MaxAge = time.Duration(a.MaxAge) * time.Second
	}
	return ask
}

// openAway reads what a browser brings back from another site. The error is a
// *deniedError.
func (h *Handler) openAway(r *http.Request, text string) (*away, error) {
	a := new(away)
	plain, err := h.Ring.Open(seal.Away, text, h.Engine.Now())
	if err != nil || json.Unmarshal(plain, a) != nil || a.To == "" {
		return nil, &deniedError{reason: "denied.not_sent_away", retry: "/sign-in"}
	}
	// Login CSRF: who began in another browser, or never began, is not signed in here.
	return a, h.ofBrowser(r, &a.Flow)
}

// upstream returns the upstream server of a name, or nil.
func (h *Handler) upstream(name string) *upstream.Server {
	for _, s := range h.Upstreams {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// unreached goes on when another site cannot be asked now.
func (h *Handler) unreached(w http.ResponseWriter, r *http.Request, ev *event, a *away, s *upstream.Server, err error) error {
	ev.code, ev.why, ev.detail = accessDenied, whySignIn, err.Error()
	const again = " cannot be reached right now. Try again in a moment"
	if a.Link {
		return &deniedError{reason: s.Title + again + ".", retry: securityPath}
	}
	return h.signInAgain(w, r, ev, &a.Flow, &signInTry{Problem: s.Title + again + ", or sign in in another way."})
}

// upstreamCallback takes up a person who comes back from an upstream server (OpenID
// Connect Core §3.1.2.5).
func (h *Handler) upstreamCallback(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &deniedError{reason: "denied.broken_address", retry: "/sign-in"}
	}
	state := params.First("state")
	a, err := h.openAway(r, state)
	if err != nil {
		return err
	}
	server := h.upstream(a.To)
	if server == nil {
		return &deniedError{reason: "denied.no_such_way", retry: a.Flow.startAgain()}
	}
	ctx := context.WithoutCancel(r.Context())
	answer := &upstream.Answer{Code: params.First("code"), Issuer: params.First("iss"), Error: params.First("error")}
	who, err := server.Read(ctx, answer, &upstream.Ask{Nonce: a.value("nonce"), Verifier: a.value("verifier")})
	switch {
	case err != nil && symbolon.KindOf(err) == symbolon.Busy:
		return h.unreached(w, r, ev, a, server, err)
	case err != nil && answer.Error != "" && !a.Link:
		ev.code, ev.why, ev.detail = accessDenied, whySignIn, err.Error()
		return h.signInAgain(w, r, ev, &a.Flow, &signInTry{Problem: "problem.not_signed_in_there"})
	case err != nil:
		return h.disbelieved(ev, a, server.Title, err)
	}
	first, err := h.Engine.Used(ctx, server.Issuer, state, awayLife)
	if err != nil {
		return err
	}
	if !first {
		return h.disbelieved(ev, a, server.Title, symbolon.Errorf(symbolon.Denied, "sign in upstream", "the answer was used before"))
	}
	return h.arrived(w, r, ev, a, &guest{issuer: server.Issuer, title: server.Title, creates: server.Creates, Person: *who})
}

// disbelieved says that what another site answered counts for nothing.
func (h *Handler) disbelieved(ev *event, a *away, title string, err error) error {
	ev.note = err.Error()
	retry := a.Flow.startAgain()
	return &deniedError{reason: "denied.not_believed", retry: retry}
}

// handoffPage takes up a person whom the owner's own site sends back by a link, or by
// handoff.
func (h *Handler) handoffPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &deniedError{reason: "denied.broken_address", retry: "/sign-in"}
	}
	token := params.First("token")
	if text := params.First("posted"); text != "" {
		plain, err := h.Ring.Open(seal.Away, text, h.Engine.Now())
		var p posted
		if err != nil || json.Unmarshal(plain, &p) != nil || p.Posted == "" {
			return &deniedError{reason: "denied.not_ours", retry: "/sign-in"}
		}
		token = p.Posted
	}
	if token == "" {
		return &deniedError{reason: "denied.site_said_nothing", retry: "/sign-in"}
	}
	var a *away
	said, err := h.Engine.Handoff(r.Context(), token, func(nonce string) error {
		found, err := h.openAway(r, nonce)
		if err == nil && found.To != handoffName {
			err = &deniedError{reason: "denied.site_not_asked", retry: "/sign-in"}
		}
		a = found
		return err
	})
	if e, ok := err.(*oauth.Error); ok && e.Refusal == oauth.AccessDenied {
		ev.note = e.Error()
		return &deniedError{reason: "denied.not_believed", retry: "/sign-in"}
	}
	if err != nil {
		return err
	}
	return h.arrived(w, r, ev, a, &guest{issuer: h.Handoff.Issuer, title: h.Handoff.Title, creates: h.Handoff.Creates, Person: upstream.Person{
		Subject: said.Subject, SignedIn: said.SignedIn, Username: said.Username, Name: said.Name, Email: said.Email, EmailVerified: said.EmailVerified && said.Email != "",
	}})
}

// posted is a statement on its way through a redirect.
type posted struct {
	Posted string `json:"posted"`
}

// handoff takes the statement of the owner's own site as a form. A browser sends no
// cookies of ours with a form of another site, so it comes back by a redirect, in which
// the statement is sealed: it is in no log and no history.
func (h *Handler) handoff(w http.ResponseWriter, r *http.Request, ev *event) error {
	if mediaType(r.Header) != "application/x-www-form-urlencoded" {
		return &deniedError{reason: "denied.not_a_form"}
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	form, err := oauth.ParseForm(string(body))
	if err != nil {
		return &deniedError{reason: "denied.too_many_fields"}
	}
	plain, err := json.Marshal(posted{form.First("token")})
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, "handoff", err)
	}
	text, err := h.Ring.Seal(seal.Away, plain, h.Engine.Now())
	if err != nil || len(text) > maxTarget-1024 {
		return &deniedError{reason: "denied.site_said_too_much", retry: "/sign-in"}
	}
	return h.redirect(w, r, ev, handoffPath+"?posted="+url.QueryEscape(text))
}

// handoffURL is the page of the owner's own site, with what it must sign.
func (h *Handler) handoffURL(ask *upstream.Ask) string {
	u, err := url.Parse(h.Handoff.URL)
	if err != nil {
		return h.Handoff.URL // it was read when the server started
	}
	q := u.Query()
	q.Set("handoff", ask.State)
	q.Set("return_to", h.issuer+handoffPath)
	switch {
	case ask.Fresh:
		q.Set("prompt", "login")
	case ask.Choose:
		q.Set("prompt", "select_account")
	}
	if ask.MaxAge >= 0 {
		q.Set("max_age", strconv.Itoa(int(ask.MaxAge/time.Second)))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Where the answers of other sites are taken up.
const (
	upstreamPath = "/sign-in/upstream/callback"
	handoffPath  = "/sign-in/handoff"
)

// HandoffSite is the owner's own site, which may say who sits at a browser. Its keys are
// the engine's.
type HandoffSite struct {
	// Title is what people call it, URL its page, and Issuer its iss.
	Title, URL, Issuer string
	// Creates makes an account for whoever has none here.
	Creates bool
}
