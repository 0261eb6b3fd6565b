package web

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/seal"
)

// maxCarried bounds a request to sign out that came by POST, in bytes: it goes on in
// an address.
const maxCarried = 8 << 10

// logout is where apps send people to sign out (OpenID Connect RP-Initiated Logout
// §2). What it is to become of a request is the engine's to say; the person is shown
// what is wrong with it and may sign out all the same.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request, ev *event) error {
	w.Header().Set("Vary", "Cookie")
	params, err := readBrowserParams(w, r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		return h.carryLogout(w, r, ev, &params)
	}
	if text := params.First("carried"); text != "" {
		if params, err = h.openCarried(text); err != nil {
			return err
		}
	}
	ev.locales = params.First("ui_locales")
	req := oauth.ReadLogout(&params)
	signedIn, err := h.sessions(r)
	if err != nil {
		return err
	}
	answer, err := h.Engine.Logout(r.Context(), &req, signedIn)
	if err != nil {
		return err
	}
	if answer.App != nil {
		ev.client = answer.App.ID
	}
	if answer.Session != nil && r.Method == http.MethodGet {
		s := &answer.Session.Session
		ev.account = s.Account
		if err := h.Engine.SignOut(r.Context(), s.Browser, s.Account); err != nil {
			return err
		}
		return h.signedOut(w, r, ev, answer, len(signedIn) > 1)
	}
	if len(signedIn) == 0 {
		return h.signedOut(w, r, ev, answer, false)
	}
	return h.askLogout(w, r, ev, &req, answer, signedIn)
}

// carryLogout sends the browser to ask the same by GET: with a POST from another site
// it does not show our cookie. The ID token is sealed on the way, so that no history
// has it.
func (h *Handler) carryLogout(w http.ResponseWriter, r *http.Request, ev *event, params *oauth.Params) error {
	req := oauth.ReadLogout(params)
	query := req.Query()
	if len(query) > maxCarried {
		return &httpError{status: http.StatusRequestEntityTooLarge, code: "invalid_request", description: "The request to sign out is longer than 8 KiB."}
	}
	if query == "" {
		return h.redirect(w, r, ev, "/oauth2/logout")
	}
	now := h.Engine.Now()
	// No browser is named: it says no more than the same request by GET.
	plain, err := json.Marshal(flow{Logout: query, Expires: now.Add(flowLifetime)})
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, "carry logout", err)
	}
	text, err := h.Ring.Seal(seal.Flow, plain, now)
	if err != nil {
		return err
	}
	return h.redirect(w, r, ev, "/oauth2/logout?carried="+url.QueryEscape(text))
}

func (h *Handler) openCarried(text string) (oauth.Params, error) {
	var f flow
	now := h.Engine.Now()
	plain, err := h.Ring.Open(seal.Flow, text, now)
	if err != nil || json.Unmarshal(plain, &f) != nil || f.Logout == "" || !now.Before(f.Expires) {
		return oauth.Params{}, &deniedError{reason: "denied.address_over", retry: "/sign-out"}
	}
	return oauth.ParseForm(f.Logout)
}

// askLogout asks the person, who sees who is signed in (RP-Initiated Logout §6: any
// site can send a browser here).
func (h *Handler) askLogout(w http.ResponseWriter, r *http.Request, ev *event, req *oauth.LogoutRequest, answer *oauth.Logout, signedIn []symbolon.SignedIn) error {
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	text, err := h.sealFlow(flow{Browser: browser[:], Begun: h.Engine.Now(), Logout: req.Query()})
	if err != nil {
		return err
	}
	p := &SignOutPage{Flow: text, Wrong: answer.Wrong, Asked: true}
	if answer.App != nil {
		view := NewAppView(answer.App)
		p.App = &view
	}
	if answer.Back != "" {
		p.BackHost = placeOf(answer.Back)
	}
	for i := range signedIn {
		view := NewAccountView(&signedIn[i].Account)
		if signedIn[i].Account.ID == answer.First {
			p.Accounts = append([]AccountView{view}, p.Accounts...)
		} else {
			p.Accounts = append(p.Accounts, view)
		}
	}
	h.render(w, r, ev, wrongStatus(ev, p.Wrong), p)
	return nil
}

// signedOut goes on when nobody is to be asked any more: back to the app, or to the
// page that says that it is done.
func (h *Handler) signedOut(w http.ResponseWriter, r *http.Request, ev *event, answer *oauth.Logout, others bool) error {
	p := &SignedOutPage{Others: others, Wrong: answer.Wrong}
	switch {
	case answer.Back == "":
	case !answer.Stranger:
		return h.redirect(w, r, ev, answer.Back)
	default:
		p.Back, p.BackHost = answer.Back, placeOf(answer.Back)
	}
	h.render(w, r, ev, wrongStatus(ev, p.Wrong), p)
	return nil
}

// backFrom returns where the request of a flow leads after signing out, or "".
func (h *Handler) backFrom(r *http.Request, f *flow) (string, error) {
	if f.Logout == "" {
		return "", nil
	}
	params, err := oauth.ParseForm(f.Logout)
	if err != nil {
		return "", err
	}
	req := oauth.ReadLogout(&params)
	answer, err := h.Engine.Logout(r.Context(), &req, nil)
	if err != nil {
		return "", err
	}
	return answer.Back, nil
}

// wrongStatus is that of a page which says that something is wrong, or not.
func wrongStatus(ev *event, wrong string) int {
	if wrong == "" {
		return http.StatusOK
	}
	ev.code, ev.why = oauth.InvalidRequest.Code(), oauth.InvalidRequest.String()
	return http.StatusBadRequest
}

// placeOf returns the host of a URI or, where it has none, its scheme, for people to
// read.
func placeOf(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return ""
	case u.Host != "":
		return u.Host
	}
	return u.Scheme
}
