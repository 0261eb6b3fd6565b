package web

import (
	"net/http"
	"net/url"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// readForm reads the form of one of our own pages and the flow in it.
func (h *Handler) readForm(w http.ResponseWriter, r *http.Request) (oauth.Params, *flow, error) {
	return h.readFormBy(w, r, nil)
}

// readFormBy is readForm for a body that is changed before it is read, unless change is
// nil.
func (h *Handler) readFormBy(w http.ResponseWriter, r *http.Request, change func(body string) string) (oauth.Params, *flow, error) {
	form, err := readPlainForm(w, r, change)
	if err != nil {
		return form, nil, err
	}
	f, err := h.openFlow(r, form.First("flow"))
	return form, f, err
}

// readPlainForm reads the form of one of our own pages.
func readPlainForm(w http.ResponseWriter, r *http.Request, change func(body string) string) (oauth.Params, error) {
	var none oauth.Params
	if mediaType(r.Header) != "application/x-www-form-urlencoded" {
		return none, &deniedError{reason: "denied.not_a_form"}
	}
	body, err := readBody(w, r)
	if err != nil {
		return none, err
	}
	text := string(body)
	if change != nil {
		text = change(text)
	}
	form, err := oauth.ParseForm(text)
	if err != nil {
		return none, &deniedError{reason: "denied.too_many_fields"}
	}
	return form, nil
}

// goOn sends the browser to the next page of a flow, so that going back or
// loading a page again never posts a form a second time.
func (h *Handler) goOn(w http.ResponseWriter, r *http.Request, ev *event, f *flow) error {
	f.Consent, f.Challenge = false, nil
	text, err := h.sealFlowWhole(*f)
	if err != nil {
		return err
	}
	return h.redirect(w, r, ev, "/continue?flow="+url.QueryEscape(text))
}

// cancel ends a flow at the person's wish.
func (h *Handler) cancel(w http.ResponseWriter, r *http.Request, ev *event, f *flow) error {
	switch {
	case f.Device != nil:
		return h.redirect(w, r, ev, "/device")
	case f.Security && f.Chosen != "":
		return h.redirect(w, r, ev, securityPath)
	case f.Own != "" && f.Chosen != "":
		return h.redirect(w, r, ev, f.Own)
	case f.Query == "":
		return h.redirect(w, r, ev, "/")
	}
	req, err := f.request()
	if err != nil {
		return err
	}
	return h.next(w, r, ev, f, req, oauth.Actor{Begun: f.Begun, Denied: true})
}

func (h *Handler) showChoose(w http.ResponseWriter, r *http.Request, ev *event, f *flow, answer *oauth.Authorization) error {
	text, err := h.sealFlow(*f)
	if err != nil {
		return err
	}
	p := &ChoosePage{App: NewAppView(answer.App), Flow: text}
	for i := range answer.Accounts {
		p.Accounts = append(p.Accounts, NewAccountView(&answer.Accounts[i]))
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// choose takes the answer of the page that asks which account to connect.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	if form.First("action") == "cancel" {
		return h.cancel(w, r, ev, f)
	}
	account := form.First("account")
	f.Chosen, f.Other = "", account == "other"
	if !f.Other {
		// Whether it is signed in here is decided where the page is shown.
		f.Chosen = symbolon.AccountID(account)
	}
	return h.goOn(w, r, ev, f)
}

func (h *Handler) showConsent(w http.ResponseWriter, r *http.Request, ev *event, f *flow, req *oauth.AuthorizeRequest, answer *oauth.Authorization) error {
	sealed := *f
	sealed.Chosen, sealed.Consent = answer.Account.ID, true
	if r := answer.App.Settings.Registration; r != nil {
		sealed.Said = r.Digest
	}
	text, err := h.sealFlow(sealed)
	if err != nil {
		return err
	}
	p := &ConsentPage{
		App:         NewAppView(answer.App),
		Account:     NewAccountView(&answer.Account),
		Unverified:  NewUnverifiedView(answer.App),
		RedirectURI: req.RedirectURI,
		Details:     answer.Details,
		APIs:        answer.APIs,
		Flow:        text,
		Growth:      len(answer.New) > 0 && len(answer.New) < len(answer.Scope),
	}
	if u, err := url.Parse(req.RedirectURI); err == nil {
		p.RedirectHost = u.Host
		if p.RedirectHost == "" {
			p.RedirectHost = u.Scheme
		}
		// Whoever runs a program on this computer can answer there, under http
		// on loopback as under a scheme of their own.
		p.Loopback = u.Scheme != "https"
	}
	said, err := h.admin.Said(r.Context())
	if err != nil {
		return err
	}
	for _, name := range answer.Scope {
		p.Scopes = append(p.Scopes, scopeView(said, name, p.Growth && answer.New.Has(name)))
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// consent takes the answer of the consent page. What was allowed is what the
// sealed flow says was shown, whatever else the form may hold.
func (h *Handler) consent(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	if f.Consent && f.Device != nil {
		return h.answerDevice(w, r, ev, f, form.First("action"), form.First("label"))
	}
	if !f.Consent || f.Query == "" {
		return &deniedError{reason: "denied.not_consent", retry: f.startAgain()}
	}
	req, err := f.request()
	if err != nil {
		return err
	}
	who := oauth.Actor{Begun: f.Begun, Chosen: f.Chosen, Said: f.Said, Declined: f.Declined}
	switch form.First("action") {
	case "allow":
		who.Allowed, who.Label = true, form.First("label")
	case "deny":
		who.Denied = true
	case "other":
		f.Chosen, f.Other = "", true
		return h.goOn(w, r, ev, f)
	default:
		return h.goOn(w, r, ev, f)
	}
	return h.next(w, r, ev, f, req, who)
}

// home is the front door, for whoever comes to the server's bare address.
func (h *Handler) home(w http.ResponseWriter, r *http.Request, ev *event) error {
	if h.play != nil {
		return h.redirect(w, r, ev, "/playground")
	}
	return h.redirect(w, r, ev, "/docs")
}

// render answers with a page.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, ev *event, status int, p Page) {
	ev.status = status
	if err := h.Pages.render(w, r, status, p, h.language(r, ev), way(r, ev)); err != nil {
		ev.status, ev.detail = http.StatusInternalServerError, err.Error()
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// failPerson tells a person of a refusal: by sending the browser back to the
// app where that is safe, by a page otherwise.
func (h *Handler) failPerson(w http.ResponseWriter, r *http.Request, ev *event, e *oauth.Error) {
	if callback := h.Engine.Callback(e); callback != nil {
		_ = h.callBack(w, r, ev, callback) // it always succeeds
		return
	}
	code := status(e.Refusal, ev.surface, false)
	if code == http.StatusUnauthorized {
		code = status(e.Refusal, page, false) // a browser has nothing to prove itself with
	}
	p := &ErrorPage{
		Status:      code,
		Code:        e.Refusal.Code(),
		Description: e.Description,
		RequestID:   ev.id,
		DocsURL:     "/docs/errors#" + e.Refusal.Code(),
	}
	p.Title, p.WhoMends, p.How = explain(e)
	if e.Mismatch != nil {
		p.Mismatch = NewMismatch(e.Sent, e.Mismatch.RedirectURIs)
	}
	h.render(w, r, ev, p.Status, p)
}

// explain says of a refusal what it is in a few words, who can mend it and how.
func explain(e *oauth.Error) (title, who, how string) {
	switch {
	case e.Testing:
		return "error.title_testing", "error.who_developer", "error.how_testing"
	case e.Mismatch != nil:
		return "error.title_mismatch", "error.who_developer", "error.how_mismatch"
	case e.Refusal == oauth.UnknownClient:
		return "error.title_unknown_client", "error.who_developer", "error.how_unknown_client"
	case e.Refusal == oauth.InvalidDocument:
		return "error.title_document", "error.who_developer", "error.how_document"
	case e.Refusal == oauth.InvalidRequestURI:
		return "error.title_request_uri", "error.who_you_or_developer", "error.how_request_uri"
	case e.Refusal == oauth.AccessDenied:
		return "error.title_access_denied", "error.who_you", "error.how_access_denied"
	case e.Refusal == oauth.LoginRequired:
		return "error.title_login_required", "error.who_developer", "error.how_login_required"
	case e.Refusal == oauth.Unavailable || e.Refusal == oauth.TooManyRequests:
		return "error.title_unavailable", "error.who_operator", "error.how_unavailable"
	case e.Refusal == oauth.ServerError:
		return "error.title_server_error", "error.who_operator", "error.how_server_error"
	default:
		return "error.title_request", "error.who_developer", "error.how_request"
	}
}

func (h *Handler) httpErrorPage(ev *event, e *httpError) *ErrorPage {
	p := &ErrorPage{Status: e.status, Code: e.code, Description: e.description, RequestID: ev.id, DocsURL: "/docs/errors#" + e.code,
		WhoMends: "error.who_link", How: "error.how_link"}
	switch e.status {
	case http.StatusNotFound:
		p.Title = "error.title_not_found"
	case http.StatusMethodNotAllowed:
		p.Title = "error.title_method"
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		p.Title = "error.title_too_large"
	default:
		p.Title = "error.title_bad_request"
	}
	return p
}
