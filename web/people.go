package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// readForm reads the form of one of our own pages and the flow in it.
func (h *Handler) readForm(w http.ResponseWriter, r *http.Request) (oauth.Params, *flow, error) {
	return h.readFormBy(w, r, func(body string) string { return body })
}

// readFormBy is readForm for a body that is changed before it is read.
func (h *Handler) readFormBy(w http.ResponseWriter, r *http.Request, change func(body string) string) (oauth.Params, *flow, error) {
	var none oauth.Params
	if mediaType(r.Header) != "application/x-www-form-urlencoded" {
		return none, nil, &deniedError{reason: "This page was not sent as a form. Nothing was done."}
	}
	body, err := readBody(w, r)
	if err != nil {
		return none, nil, err
	}
	form, err := oauth.ParseForm(change(string(body)))
	if err != nil {
		return none, nil, &deniedError{reason: "This page has too many fields. Nothing was done."}
	}
	f, err := h.openFlow(r, form.First("flow"))
	return form, f, err
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
	case f.Console != "" && f.Chosen != "":
		return h.redirect(w, r, ev, f.Console)
	case f.Security && f.Chosen != "":
		return h.redirect(w, r, ev, securityPath)
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
	for _, name := range answer.Scope {
		p.Scopes = append(p.Scopes, ScopeView{Name: name, Description: h.scopes[name], New: p.Growth && answer.New.Has(name)})
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
		return h.answerDevice(w, r, ev, f, form.First("action"))
	}
	if !f.Consent || f.Query == "" {
		return &deniedError{reason: "This page was not a consent page. Nothing was done.", retry: f.startAgain()}
	}
	req, err := f.request()
	if err != nil {
		return err
	}
	who := oauth.Actor{Begun: f.Begun, Chosen: f.Chosen, Said: f.Said, Declined: f.Declined}
	switch form.First("action") {
	case "allow":
		who.Allowed = true
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
	if err := h.Pages.Render(w, r, status, p); err != nil {
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
		return "This app is still being tried out", "The developer of the app", "Ask them to add your account to those that may try it, or wait until it is open to everyone. If you have another account that may, sign out first."
	case e.Mismatch != nil:
		return "This address is not one of the app's", "The developer of the app", "Register the address that was sent, or send one that is registered, the same character by character."
	case e.Refusal == oauth.UnknownClient:
		return "No such app", "The developer of the app", "Compare the client_id in the link with the one that was shown when the app was registered."
	case e.Refusal == oauth.InvalidDocument:
		return "The app's own description cannot be used", "The developer of the app", "Mend the document at the address that the app uses as its client_id, as the sentence above says."
	case e.Refusal == oauth.InvalidRequestURI:
		return "This link cannot be used, or not any more", "You, or the developer of the app", "Go back to the app and start again from there; if that brings you here again, the developer must mend it."
	case e.Refusal == oauth.AccessDenied:
		return "Nothing was connected", "You", "Go back to the app and start again from there, if you want to."
	case e.Refusal == oauth.LoginRequired:
		return "No one is signed in", "The developer of the app", "Send people here without prompt=none, so that they can sign in."
	case e.Refusal == oauth.Unavailable || e.Refusal == oauth.TooManyRequests:
		return "Not right now", "The operator of this server", "Wait a moment and load this page again. Nothing was lost."
	case e.Refusal == oauth.ServerError:
		return "Something broke here", "The operator of this server", "Tell them the request id below: the cause is in the log under it."
	default:
		return "The app sent a request that cannot be understood", "The developer of the app", "Change the link that the app sends people to, as the sentence above says."
	}
}

func (h *Handler) httpErrorPage(ev *event, e *httpError) *ErrorPage {
	p := &ErrorPage{Status: e.status, Code: e.code, Description: e.description, RequestID: ev.id, DocsURL: "/docs/errors#" + e.code,
		WhoMends: "Whoever made the link", How: "Check the address, or go back to where you came from."}
	p.Title = strings.ToUpper(http.StatusText(e.status)[:1]) + strings.ToLower(http.StatusText(e.status)[1:])
	return p
}
