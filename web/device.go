package web

import (
	"net/http"
	"strconv"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// deviceFlow is what a flow knows of a device that is to be connected.
type deviceFlow struct {
	// Code is what the person typed, or what the address brought; Compared is
	// set once the person has sent it off the page that shows it.
	Code     string `json:"code,omitempty"`
	Compared bool   `json:"compared,omitempty"`
	// Problem says why the last code was refused, or is empty.
	Problem string `json:"problem,omitempty"`
	// Done is the answer that the person gave: "allow" or "deny".
	Done string `json:"done,omitempty"`
	// App is the name of the app, once it was answered.
	App string `json:"app,omitempty"`
}

// deviceAuthorization is the device authorization endpoint (RFC 8628 §3.1).
func (h *Handler) deviceAuthorization(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, credentials, err := h.readCaller(w, r, ev)
	if err != nil {
		return err
	}
	req := oauth.ReadDevice(&params, credentials)
	answer, err := h.Engine.AuthorizeDevice(r.Context(), &req)
	if err != nil {
		return err
	}
	ev.client = answer.Client
	page := h.issuer + "/device"
	b := appendField(nil, '{', "device_code", answer.DeviceCode)
	b = appendField(b, ',', "user_code", answer.UserCode)
	b = appendField(b, ',', "verification_uri", page)
	b = appendField(b, ',', "verification_uri_complete", page+"?user_code="+answer.UserCode)
	b = append(b, `,"expires_in":`...)
	b = strconv.AppendInt(b, answer.ExpiresIn, 10)
	b = append(b, `,"interval":`...)
	b = strconv.AppendInt(b, answer.Interval, 10)
	return writeJSON(w, ev, http.StatusOK, append(b, '}'))
}

// devicePage is where a person goes who has read a code off a device (RFC 8628
// §3.3). Who is not signed in signs in first, so that codes cannot be tried out
// by strangers.
func (h *Handler) devicePage(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &deniedError{reason: "denied.broken_address"}
	}
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	f := &flow{Browser: browser[:], Begun: h.Engine.Now(), Device: &deviceFlow{Code: oauth.NormalUserCode(params.First("user_code"))}}
	return h.nextDevice(w, r, ev, f)
}

// deviceCode takes the code that the person typed.
func (h *Handler) deviceCode(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	if f.Device == nil {
		return &deniedError{reason: "denied.not_for_device", retry: f.startAgain()}
	}
	f.Device = &deviceFlow{Code: firstRunes(form.First("user_code"), maxTyped), Compared: true}
	return h.goOn(w, r, ev, f)
}

// nextDevice shows the page that connecting a device needs next: signing in, the
// code, the consent, and that it is done.
func (h *Handler) nextDevice(w http.ResponseWriter, r *http.Request, ev *event, f *flow) error {
	d := f.Device
	if d.Done != "" {
		h.render(w, r, ev, http.StatusOK, &DeviceDonePage{App: d.App, Allowed: d.Done == "allow"})
		return nil
	}
	who, others, err := h.whoConnects(r, f)
	if err != nil {
		return err
	}
	if who == nil {
		return h.showSignIn(w, r, ev, f, nil, others)
	}
	ev.account = who.Account.ID
	if !d.Compared {
		return h.showDevice(w, r, ev, f, http.StatusOK)
	}
	pending, err := h.Engine.Device(r.Context(), d.Code, who.Account.ID, ev.address)
	if err != nil {
		refusal := oauthError(err)
		if refusal.Refusal != oauth.InvalidGrant && refusal.Refusal != oauth.TooManyRequests {
			return err
		}
		h.logRefusal(ev, refusal)
		d.Problem = "problem.device_code"
		code := http.StatusBadRequest
		if refusal.Refusal == oauth.TooManyRequests {
			d.Problem, code = "problem.device_codes", http.StatusTooManyRequests
			w.Header().Set("Retry-After", strconv.Itoa(int(refusal.RetryAfter.Seconds())+1))
		}
		d.Compared = false
		return h.showDevice(w, r, ev, f, code)
	}
	ev.client = pending.App.ID
	sealed := *f
	sealed.Chosen, sealed.Consent = who.Account.ID, true
	text, err := h.sealFlow(sealed)
	if err != nil {
		return err
	}
	p := &ConsentPage{App: NewAppView(pending.App), Account: NewAccountView(&who.Account), Flow: text, Device: shownCode(d.Code), Details: pending.Details, APIs: pending.APIs}
	said, err := h.admin.Said(r.Context())
	if err != nil {
		return err
	}
	for _, name := range pending.Scope {
		p.Scopes = append(p.Scopes, scopeView(said, name, false))
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// whoConnects returns who is signed in and connects the device: whom the person
// chose, or else who signed in last; nil when someone must sign in. Others says
// that there are other accounts to choose among.
func (h *Handler) whoConnects(r *http.Request, f *flow) (who *symbolon.SignedIn, others bool, err error) {
	signedIn, err := h.sessions(r)
	if err != nil || f.Other {
		return nil, len(signedIn) > 0, err
	}
	for i := range signedIn {
		if f.Chosen == "" || signedIn[i].Account.ID == f.Chosen {
			return &signedIn[i], false, nil
		}
	}
	return nil, len(signedIn) > 0, nil
}

func (h *Handler) showDevice(w http.ResponseWriter, r *http.Request, ev *event, f *flow, status int) error {
	p := &DevicePage{Code: shownCode(f.Device.Code), Error: f.Device.Problem}
	sealed := *f
	sealed.Device = &deviceFlow{}
	var err error
	if p.Flow, err = h.sealFlow(sealed); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

// shownCode writes a user code as the device shows it.
func shownCode(typed string) string {
	code := oauth.NormalUserCode(typed)
	if code == "" {
		return typed
	}
	return code[:len(code)/2] + "-" + code[len(code)/2:]
}

// answerDevice takes the person's answer to the consent page for a device.
func (h *Handler) answerDevice(w http.ResponseWriter, r *http.Request, ev *event, f *flow, action, label string) error {
	if action == "other" {
		f.Chosen, f.Other = "", true
		return h.goOn(w, r, ev, f)
	}
	who, _, err := h.whoConnects(r, f)
	if err != nil {
		return err
	}
	if who == nil || who.Account.ID != f.Chosen || action != "allow" && action != "deny" {
		return h.goOn(w, r, ev, f)
	}
	ev.account = who.Account.ID
	pending, err := h.Engine.Device(r.Context(), f.Device.Code, who.Account.ID, ev.address)
	if err == nil {
		ev.client, pending.Label = pending.App.ID, label
		err = h.Engine.Answer(r.Context(), pending, *who, action == "allow")
	}
	switch {
	case err == nil:
	case oauthError(err).Refusal == oauth.InvalidGrant || oauthError(err).Refusal == oauth.TooManyRequests:
		return h.goOn(w, r, ev, f) // which says what became of it
	default:
		return err
	}
	f.Device = &deviceFlow{Done: action, App: pending.App.Name}
	return h.goOn(w, r, ev, f)
}

// DevicePage asks for the code that a device shows. It posts to /device: flow and
// user_code.
type DevicePage struct {
	// Code is filled in: what was typed before, or what the address brought. The
	// person compares it with the device.
	Code string
	// Error is a sentence that says why the last code was refused, or empty.
	Error string
	Flow  string
}

func (*DevicePage) template() string     { return "device" }
func (*DevicePage) headers() pageHeaders { return pageHeaders{} }

// DeviceDonePage says that the device was told.
type DeviceDonePage struct {
	App     string
	Allowed bool
}

func (*DeviceDonePage) template() string     { return "device-done" }
func (*DeviceDonePage) headers() pageHeaders { return pageHeaders{} }
