package web

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/signin"
)

// signInTry is what became of an attempt to sign in.
type signInTry struct {
	// Username is filled in again.
	Username string `json:"username,omitempty"`
	// Problem says why it was refused, or is empty.
	Problem string `json:"problem,omitempty"`
	// Until is when the next attempt is heard, or zero.
	Until time.Time `json:"until,omitzero"`
}

// maxSandboxShown bounds the buttons of the sign-in page.
const maxSandboxShown = 20

// maxTyped bounds what is filled in again of what a person typed, in characters.
const maxTyped = 256

func (h *Handler) showSignIn(w http.ResponseWriter, r *http.Request, ev *event, f *flow, app *symbolon.App, others bool) error {
	if h.handsOff(r, f) {
		return h.depart(w, r, ev, f, handoffName, false)
	}
	asked := *f
	passkey, err := h.askPasskey(&asked, nil)
	if err != nil {
		return err
	}
	text, err := h.sealFlow(asked)
	if err != nil {
		return err
	}
	p := &SignInPage{Flow: text, Others: others && app != nil, Passkey: passkey, NoPassword: h.NoPassword, Forgot: h.resets(), Aways: h.aways()}
	if app != nil {
		view := NewAppView(app)
		p.App = &view
	}
	if f.Try != nil {
		p.Username = f.Try.Username
	}
	var code int
	p.Error, p.Wait, code = h.refusedTry(w, f.Try)
	if h.Sandbox {
		accounts, err := h.Store.Accounts(r.Context(), symbolon.AccountQuery{Limit: maxSandboxShown})
		if err != nil {
			return err
		}
		for i := range accounts {
			if accounts[i].Sandbox && accounts[i].Enabled() {
				p.Sandbox = append(p.Sandbox, NewAccountView(&accounts[i]))
			}
		}
	}
	h.render(w, r, ev, code, p)
	return nil
}

// signInPage is for a person who comes to sign in without an app.
func (h *Handler) signInPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	return h.showSignIn(w, r, ev, &flow{Browser: browser[:], Begun: h.Engine.Now()}, nil, false)
}

// signIn takes the answer of the sign-in page.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	switch form.First("action") {
	case "cancel":
		return h.cancel(w, r, ev, f)
	case "choose":
		f.Chosen, f.Other = "", false
		return h.goOn(w, r, ev, f)
	}
	f.Proven, f.Raise = nil, nil
	if form.First("action") == "passkey" {
		return h.signInPasskey(w, r, ev, f, form.First("passkey"), "")
	}
	if by := form.First("by"); by != "" {
		return h.depart(w, r, ev, f, by, false)
	}
	// From before the account is read: a password that is changed while this
	// one is looked at ends the sign-in too.
	authAt := h.Engine.Now()
	var account *symbolon.Account
	var try *signInTry
	if id := form.First("sandbox"); id != "" {
		account, err = h.sandboxAccount(r, symbolon.AccountID(id))
	} else if h.NoPassword {
		return &deniedError{reason: "denied.no_password", retry: f.startAgain()}
	} else {
		account, try, err = h.checkPassword(r, ev, &form)
	}
	if err != nil {
		return err
	}
	if account == nil {
		ev.code, ev.why, ev.detail = accessDenied, whySignIn, "sign-in refused: "+try.reason()
		return h.signInAgain(w, r, ev, f, try)
	}
	ev.account = account.ID
	if try != nil && account.Factors.App != nil {
		// By password, which is half of it: no session before the code is right.
		f.Proven, f.Raise = &proven{Account: account.ID, At: authAt}, nil
		return h.goOn(w, r, ev, f)
	}
	return h.signedIn(w, r, ev, f, account, symbolon.Session{
		ID: symbolon.NewSessionID(), Account: account.ID, AuthAt: authAt, ACR: oauth.ACROne, ExpiresAt: authAt.Add(h.SessionLifetime),
	})
}

func (t *signInTry) reason() string {
	if !t.Until.IsZero() {
		return "too many attempts"
	}
	return "wrong username or password"
}

// refusedTry returns what a page says of an attempt that was just refused, if there was
// one: what was wrong, or how many seconds to wait, and the page's status.
func (h *Handler) refusedTry(w http.ResponseWriter, try *signInTry) (problem string, wait, status int) {
	switch {
	case try == nil:
	case try.Until.After(h.Engine.Now()):
		wait = int(math.Ceil(try.Until.Sub(h.Engine.Now()).Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(wait))
		return "", wait, http.StatusTooManyRequests
	case try.Problem != "":
		return try.Problem, 0, http.StatusBadRequest
	}
	return "", 0, http.StatusOK
}

// signInAgain shows the sign-in page of a flow once more, whoever else may have
// signed in meanwhile, and forgets what was proven in it. It goes there by a redirect,
// so that neither the back button nor loading the page again sends the password a
// second time.
func (h *Handler) signInAgain(w http.ResponseWriter, r *http.Request, ev *event, f *flow, try *signInTry) error {
	f.Chosen, f.Other, f.Try = "", true, try
	f.Proven, f.Raise, f.Setup = nil, nil, nil
	return h.goOn(w, r, ev, f)
}

// sandboxAccount returns a sandbox account, which needs no password.
func (h *Handler) sandboxAccount(r *http.Request, id symbolon.AccountID) (*symbolon.Account, error) {
	denied := &deniedError{reason: "denied.no_sandbox_account"}
	if !h.Sandbox || !id.Valid() {
		return nil, denied
	}
	accounts, err := h.Store.Accounts(r.Context(), symbolon.AccountQuery{ID: id, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(accounts) == 0 || !accounts[0].Sandbox {
		return nil, denied
	}
	return &accounts[0], nil
}

// signInPatience is how long a sign-in waits for its turn to be checked: well
// within the time that the server has for an answer, so that a rush ends in
// 503 and never in a connection that is cut.
const signInPatience = 10 * time.Second

// checkPassword returns the account whose username and password were typed, or
// nil with what to show. An unknown name takes the same time and gets the same
// answer as a wrong password.
func (h *Handler) checkPassword(r *http.Request, ev *event, form *oauth.Params) (*symbolon.Account, *signInTry, error) {
	typed, password := form.First("username"), form.First("password")
	try := &signInTry{Username: firstRunes(typed, maxTyped), Problem: "problem.password"}
	username, err := signin.NormalUsername(typed)
	if err != nil || password == "" {
		return nil, try, nil // can be nobody's, so it says nothing about anybody
	}
	accounts, err := h.Store.Accounts(r.Context(), symbolon.AccountQuery{Username: username, Limit: 1})
	if err != nil {
		return nil, try, err
	}
	var account symbolon.Account
	if len(accounts) == 1 {
		account = accounts[0]
	}
	device := h.device(r)
	known := account.ID != "" && device.knows(account.ID)
	if wait := h.Throttle.Attempt(username, ev.address, known); wait > 0 {
		try.Problem, try.Until = "", h.Engine.Now().Add(wait)
		return nil, try, nil
	}
	bound, cancel := context.WithTimeout(r.Context(), signInPatience)
	defer cancel()
	ok, err := h.Hasher.Check(bound, account.Password, password)
	if err != nil {
		h.Throttle.Succeeded(username, ev.address, known) // nothing was learned
		var e *symbolon.Error
		if errors.As(err, &e) && e.Kind == symbolon.Invalid {
			return nil, try, nil // longer than any password may be
		}
		return nil, try, err
	}
	if !ok {
		return nil, try, nil
	}
	h.Throttle.Succeeded(username, ev.address, known)
	return &account, try, nil
}

// startSession signs an account in in this browser, beside those that are. The
// cookie's value changes, so that one planted before is worth nothing.
func (h *Handler) startSession(w http.ResponseWriter, r *http.Request, session symbolon.Session) error {
	previous, _ := h.browserCookie(r, sessionCookie)
	session.Browser = h.newBrowserCookie(w, sessionCookie)
	session.Agent, session.From = agentOf(r.UserAgent()), netipOf(h.address(r))
	if err := h.Store.SignIn(r.Context(), session, previous); err != nil {
		w.Header().Del("Set-Cookie")
		return err
	}
	return h.remember(w, r, session.Account)
}

// signOutPage asks which accounts to sign out.
func (h *Handler) signOutPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	signedIn, err := h.sessions(r)
	if err != nil {
		return err
	}
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	p := new(SignOutPage)
	if p.Flow, err = h.sealFlow(flow{Browser: browser[:], Begun: h.Engine.Now()}); err != nil {
		return err
	}
	for i := range signedIn {
		p.Accounts = append(p.Accounts, NewAccountView(&signedIn[i].Account))
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// signOut ends one or all of the browser's sessions.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	account := form.First("account")
	browser, ok := h.browserCookie(r, sessionCookie)
	if ok && account != "" {
		// Where to afterwards, first: what cannot be known then has ended nothing.
		back, err := h.backFrom(r, f)
		if err != nil {
			return err
		}
		var one symbolon.AccountID
		if account != "all" {
			one = symbolon.AccountID(account)
		}
		if err := h.Engine.SignOut(r.Context(), browser, one); err != nil {
			return err
		}
		if back != "" {
			return h.redirect(w, r, ev, back)
		}
	}
	// By a redirect, so that going back to this page sends no form again.
	return h.redirect(w, r, ev, "/signed-out")
}

// signedOutPage says that it is done.
func (h *Handler) signedOutPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	signedIn, err := h.sessions(r)
	if err != nil {
		return err
	}
	h.render(w, r, ev, http.StatusOK, &SignedOutPage{Others: len(signedIn) > 0})
	return nil
}
