package web

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/seal"
)

// flow is the state of the pages between an authorization request and its
// answer. It is sealed into the pages' forms, so that a request that is begun
// and left costs no row, and nothing in it can be changed on the way.
type flow struct {
	// Query is the authorization request, or empty when the person came to
	// sign in by themselves.
	Query string `json:"query,omitempty"`
	// Standard is set when it began at the standard surface.
	Standard bool `json:"standard,omitempty"`
	// Fetched is set when Query has a request object that was fetched.
	Fetched bool `json:"fetched,omitempty"`
	// CrossSite is set when another site sent the browser, or may have.
	CrossSite bool `json:"cross_site,omitempty"`
	// Browser is the SHA-256 of the flow cookie of the browser that began it.
	Browser []byte `json:"browser"`
	// Locales are the languages that the app wishes for the person.
	Locales string `json:"locales,omitempty"`
	// Begun is when it began, Expires until when its pages are good.
	Begun   time.Time `json:"begun"`
	Expires time.Time `json:"expires"`
	// Chosen is the account that the person chose or signed in to, or empty.
	Chosen symbolon.AccountID `json:"chosen,omitempty"`
	// Other is set when the person asked for another account than those that
	// are signed in.
	Other bool `json:"other,omitempty"`
	// Consent is set in the form of the consent page: it shows Query's scopes
	// and Chosen, and posting it is the person's answer to just that.
	Consent bool `json:"consent,omitempty"`
	// Device is set when the person came to connect a device, or nil.
	Device *deviceFlow `json:"device,omitempty"`
	// Logout is the request to sign out that brought the person, or empty.
	Logout string `json:"logout,omitempty"`
	// Said is the digest of what the page shows of an app that registered itself.
	Said []byte `json:"said,omitempty"`
	// Proven is set between the password and the code of an authenticator app, Raise
	// while a person who is signed in is asked for more, and Declined when they chose to
	// go on without.
	Proven   *proven `json:"proven,omitempty"`
	Raise    *raise  `json:"raise,omitempty"`
	Declined bool    `json:"declined,omitempty"`
	// Challenge is what a passkey is to sign on the page that this is sealed into.
	Challenge []byte `json:"challenge,omitempty"`
	// Security is set when the person came for the page of their account's security,
	// and Setup is then the secret of an authenticator app that is being set up.
	Security bool   `json:"security,omitempty"`
	Setup    []byte `json:"setup,omitempty"`
	// Own is the page of ours, a path with its query, that the person came for, if it is
	// one for people who are signed in.
	Own string `json:"own,omitempty"`
	// Came is set when the person came back from another site in this flow: should they
	// be asked again, they have to sign in anew there.
	Came bool `json:"came,omitempty"`
	// Reset is the link of a mail by which a password is reset, or empty.
	Reset string `json:"reset,omitempty"`
	// Try is the attempt to sign in that was just refused, or nil.
	Try *signInTry `json:"try,omitempty"`
}

// flowLifetime is how long a person may look at a page before answering.
const flowLifetime = 30 * time.Minute

// sealFlow writes a flow for a form of our own.
func (h *Handler) sealFlow(f flow) (string, error) {
	f.Try = nil // it is shown once, by the page that the form is on
	return h.sealFlowWhole(f)
}

// sealFlowWhole writes a flow for a URL of our own.
func (h *Handler) sealFlowWhole(f flow) (string, error) {
	now := h.Engine.Now()
	f.Expires = now.Add(flowLifetime)
	plain, err := json.Marshal(f)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, "seal flow", err)
	}
	return h.Ring.Seal(seal.Flow, plain, now)
}

// openFlow reads a flow that this browser brings back. The error is a
// *deniedError: it was made for another browser, has expired, or is not ours.
func (h *Handler) openFlow(r *http.Request, text string) (*flow, error) {
	now := h.Engine.Now()
	f := new(flow)
	plain, err := h.Ring.Open(seal.Flow, text, now)
	if err != nil || json.Unmarshal(plain, f) != nil {
		return nil, &deniedError{reason: "denied.not_ours"}
	}
	if err := h.ofBrowser(r, f); err != nil {
		return nil, err
	}
	return f, nil
}

// ofBrowser reports, as a *deniedError, that a flow is not this browser's, or over.
func (h *Handler) ofBrowser(r *http.Request, f *flow) error {
	// Login CSRF, and consent in another's name: what began in one browser
	// ends in that browser (RFC 6749 §10.12).
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok || subtle.ConstantTimeCompare(browser[:], f.Browser) != 1 {
		return &deniedError{reason: "denied.other_browser", retry: f.startAgain()}
	}
	if !h.Engine.Now().Before(f.Expires) {
		return &deniedError{reason: "denied.too_long", retry: f.startAgain()}
	}
	return nil
}

// startAgain is the path that begins the same flow anew.
func (f *flow) startAgain() string {
	switch {
	case f.Device != nil:
		return "/device"
	case f.Security:
		return securityPath
	case f.Own != "":
		return f.Own
	case f.Reset != "":
		return resetPath
	case f.Logout != "":
		return "/oauth2/logout?" + f.Logout
	case f.Query == "":
		return "/sign-in"
	}
	if f.Standard {
		return "/oauth2/authorize?" + f.Query
	}
	return "/authorize?" + f.Query
}

// request returns the authorization request of the flow.
func (f *flow) request() (*oauth.AuthorizeRequest, error) {
	params, err := oauth.ParseForm(f.Query)
	if err != nil {
		return nil, err
	}
	req := oauth.ReadAuthorize(&params)
	req.Standard, req.Fetched = f.Standard, f.Fetched
	return &req, nil
}

// begin starts a flow: the first page of step 1 for a browser.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, ev *event, req *oauth.AuthorizeRequest) error {
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	f := &flow{Query: req.Query(), Standard: req.Standard, Browser: browser[:], Begun: h.Engine.Now(),
		CrossSite: !ownSite(r)}
	if r.Method == http.MethodPost {
		// Another site's form cannot be sent once more by us; the flow can be gone on with.
		if text, err := h.sealFlowWhole(*f); err == nil {
			ev.back = h.prefix + "/continue?flow=" + url.QueryEscape(text)
		}
	}
	// The request is shown to the engine as it came, with what is wrong in it.
	return h.next(w, r, ev, f, req, oauth.Actor{})
}

// ownSite reports whether the browser says that a page of ours, or the person, and
// no other site sent it here. A browser that is too old to say may have been sent
// by anyone, and so may one that comes from a neighbouring host.
func ownSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	}
	return false
}

// proceed goes on with a flow after one of its forms was posted.
func (h *Handler) proceed(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &deniedError{reason: "denied.broken_address"}
	}
	f, err := h.openFlow(r, params.First("flow"))
	if err != nil {
		return err
	}
	ev.locales = f.Locales
	switch {
	case f.Proven != nil:
		return h.showCode(w, r, ev, f, nil)
	case f.Device != nil:
		return h.nextDevice(w, r, ev, f)
	case f.Security:
		return h.nextSecurity(w, r, ev, f)
	case f.Own != "":
		return h.nextOwn(w, r, ev, f)
	case f.Reset != "":
		return h.showReset(w, r, ev, f)
	case f.Query == "" && f.Try != nil:
		return h.showSignIn(w, r, ev, f, nil, false)
	case f.Query == "":
		return h.redirect(w, r, ev, "/sign-out")
	}
	req, err := f.request()
	if err != nil {
		return err
	}
	return h.next(w, r, ev, f, req, oauth.Actor{Begun: f.Begun, Chosen: f.Chosen, Declined: f.Declined})
}

// next shows the page that the flow needs next, or sends the browser to the app.
func (h *Handler) next(w http.ResponseWriter, r *http.Request, ev *event, f *flow, req *oauth.AuthorizeRequest, who oauth.Actor) error {
	signedIn, err := h.sessions(r)
	if err != nil {
		return err
	}
	who.Interactive, who.SignedIn, who.CrossSite = true, signedIn, f.CrossSite
	if f.Other && who.Chosen == "" && !who.Denied {
		// The person wants to sign in to yet another account; the request is
		// checked all the same.
		who.SignedIn = nil
	}
	ev.sent.flow = f.Query
	named := req.RequestURI
	answer, err := h.Engine.Authorize(r.Context(), req, who)
	f.Locales = firstRunes(req.OpenID.UILocales, maxWishes) // a pushed request is known by now
	ev.locales = f.Locales
	if err != nil {
		return err
	}
	if named != "" && req.RequestURI == "" {
		// It was fetched: the pages go on with what was found there.
		f.Query, f.Fetched = req.Query(), true
	}
	ev.client, ev.account = answer.App.ID, answer.Account.ID
	switch answer.Need {
	case oauth.NeedSignIn:
		if f.Try == nil {
			f.Try = &signInTry{Username: req.LoginHint}
		}
		return h.showSignIn(w, r, ev, f, answer.App, len(signedIn) > 0)
	case oauth.NeedStepUp:
		f.Raise = &raise{Account: answer.Account.ID, ACR: answer.StepUp, Demanded: answer.Demanded, Passkey: answer.Passkey}
		return h.showCode(w, r, ev, f, answer.App)
	case oauth.NeedChoice:
		return h.showChoose(w, r, ev, f, answer)
	case oauth.NeedConsent:
		return h.showConsent(w, r, ev, f, req, answer)
	default:
		return h.callBack(w, r, ev, &answer.Callback)
	}
}

// redirect sends the browser on by GET (RFC 9700 §4.12: 303, so that a body
// with a password is never sent on).
func (h *Handler) redirect(w http.ResponseWriter, _ *http.Request, ev *event, to string) error {
	header := w.Header()
	header["Cache-Control"] = noStore
	header.Set("Referrer-Policy", "no-referrer")
	if strings.HasPrefix(to, "/") {
		to = h.prefix + to
	}
	header.Set("Location", to)
	ev.status = http.StatusSeeOther
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
