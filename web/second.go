package web

import (
	"context"
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/signin"
)

// proven is what a flow knows between the password and the code of an authenticator
// app: there is no session yet, and none without the code.
type proven struct {
	Account symbolon.AccountID `json:"account"`
	// At is from before the account was read, so that a password that changes
	// meanwhile ends this too.
	At time.Time `json:"at"`
	// AuthAt is when the person signed in elsewhere, or zero where it was At.
	AuthAt time.Time `json:"auth_at,omitzero"`
}

// raise is what a flow knows of a person who is signed in and is asked for more.
type raise struct {
	Account symbolon.AccountID `json:"account"`
	ACR     string             `json:"acr"`
	// Demanded says that there is no going on without; Passkey that a passkey will do.
	Demanded bool `json:"demanded,omitempty"`
	Passkey  bool `json:"passkey,omitempty"`
}

// provenFor is how long after the password the code may come.
const provenFor = 10 * time.Minute

// showCode asks for a code: behind the password, or for a session that shall be worth
// more.
func (h *Handler) showCode(w http.ResponseWriter, r *http.Request, ev *event, f *flow, app *symbolon.App) error {
	id := symbolon.AccountID("")
	p := &CodePage{Leads: f.Query != ""}
	switch {
	case f.Proven != nil:
		id = f.Proven.Account
	case f.Raise != nil:
		id, p.Raise, p.Optional = f.Raise.Account, true, !f.Raise.Demanded
	}
	account, err := h.account(r.Context(), id)
	if err != nil {
		return err
	}
	if account == nil {
		return h.signInAgain(w, r, ev, f, &signInTry{Problem: accountChanged})
	}
	p.Account = NewAccountView(account)
	p.Code = account.Factors.App != nil && (f.Raise == nil || f.Raise.ACR == oauth.ACRTwo)
	asked := *f
	if len(account.Factors.Passkeys) > 0 && (f.Raise == nil || f.Raise.Passkey) {
		if p.Passkey, err = h.askPasskey(&asked, account.Factors.Passkeys); err != nil {
			return err
		}
	}
	if app != nil {
		view := NewAppView(app)
		p.App = &view
	}
	var code int
	p.Error, p.Wait, code = h.refusedTry(w, f.Try)
	if p.Flow, err = h.sealFlow(asked); err != nil {
		return err
	}
	h.render(w, r, ev, code, p)
	return nil
}

const accountChanged = "problem.account_changed"

// account reads an account, or nil when there is none that may sign in.
func (h *Handler) account(ctx context.Context, id symbolon.AccountID) (*symbolon.Account, error) {
	found, err := h.Store.Accounts(ctx, symbolon.AccountQuery{ID: id, Limit: 1})
	if err != nil || id == "" || len(found) == 0 || !found[0].Enabled() {
		return nil, err
	}
	return &found[0], nil
}

// signInCode takes the answer of the page that asks for a code.
func (h *Handler) signInCode(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	switch form.First("action") {
	case "cancel":
		f.Proven, f.Raise = nil, nil
		return h.cancel(w, r, ev, f)
	case "decline": // what is demanded is asked for again
		f.Declined = f.Raise != nil && !f.Raise.Demanded
		return h.goOn(w, r, ev, f)
	}
	passkey := form.First("action") == "passkey"
	session, err := h.awaited(r, f, passkey)
	if err != nil {
		return err
	}
	if session == nil {
		return h.signInAgain(w, r, ev, f, &signInTry{Problem: "problem.took_too_long"})
	}
	ev.account = session.Account
	if passkey {
		return h.signInPasskey(w, r, ev, f, form.First("passkey"), session.Account)
	}
	account, try, err := h.checkCode(r, ev, session.Account, form.First("code"))
	if err != nil {
		return err
	}
	if account == nil {
		ev.code, ev.why, ev.detail = accessDenied, whySignIn, "code refused"
		f.Try = try
		return h.goOn(w, r, ev, f)
	}
	session.ACR = oauth.ACRTwo
	return h.signedIn(w, r, ev, f, account, *session)
}

// signedIn starts or raises a session and goes on with the flow.
func (h *Handler) signedIn(w http.ResponseWriter, r *http.Request, ev *event, f *flow, account *symbolon.Account, session symbolon.Session) error {
	if err := h.startSession(w, r, session); err != nil {
		if symbolon.KindOf(err) == symbolon.Denied {
			return h.signInAgain(w, r, ev, f, &signInTry{Username: account.Username, Problem: accountChanged})
		}
		return err
	}
	f.Chosen, f.Other, f.Proven, f.Raise, f.Try = account.ID, false, nil, nil, nil
	return h.goOn(w, r, ev, f)
}

// awaited returns the session that a right code starts, or raises; nil when the person
// has to sign in first. What was proven by the password is not made younger by a code.
func (h *Handler) awaited(r *http.Request, f *flow, passkey bool) (*symbolon.Session, error) {
	now := h.Engine.Now()
	switch {
	case f.Proven != nil:
		if now.Sub(f.Proven.At) > provenFor {
			return nil, nil
		}
		authAt := f.Proven.AuthAt
		if authAt.IsZero() {
			authAt = f.Proven.At
		}
		return &symbolon.Session{ID: symbolon.NewSessionID(), Account: f.Proven.Account, AuthAt: authAt, ExpiresAt: f.Proven.At.Add(h.SessionLifetime)}, nil
	case f.Raise != nil:
		signedIn, err := h.sessions(r)
		if err != nil {
			return nil, err
		}
		for i := range signedIn {
			// A passkey's session has no password that a code would be beside.
			if s := &signedIn[i].Session; s.Account == f.Raise.Account && (passkey || s.ACR != oauth.ACRPasskey) {
				return s, nil
			}
		}
		return nil, nil
	}
	return nil, &deniedError{reason: "denied.asked_no_code", retry: f.startAgain()}
}

// maxRaces bounds how often a change of an account is tried again, because another
// came first.
const maxRaces = 20

// checkCode spends a code of an account: it returns the account, or nil with what to
// show. The account's row is compared and set before the answer is given, so that a
// code counts once, and no two guesses are answered by the same count, on any node.
func (h *Handler) checkCode(r *http.Request, ev *event, id symbolon.AccountID, typed string) (*symbolon.Account, *signInTry, error) {
	code, ok := signin.ReadCode(typed)
	if !ok {
		return nil, &signInTry{Problem: "problem.no_code"}, nil
	}
	device := h.device(r)
	key, known := "code "+string(id), device.knows(id) // no username has a space
	if !code.Recovery() {                              // which nobody guesses: whoever does cannot keep its owner out
		if wait := h.Throttle.Attempt(key, ev.address, known); wait > 0 {
			return nil, &signInTry{Until: h.Engine.Now().Add(wait)}, nil
		}
	}
	ctx := context.WithoutCancel(r.Context())
	for range maxRaces {
		account, err := h.account(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if account == nil || account.Factors.App == nil {
			return nil, &signInTry{Problem: accountChanged}, nil
		}
		now, f := h.Engine.Now(), &account.Factors
		if wait := signin.Wait(f.Missed, f.MissedAt, now); wait > 0 && !code.Recovery() {
			return nil, &signInTry{Until: now.Add(wait)}, nil
		}
		right, err := h.spendCode(account, code, now)
		if err != nil {
			return nil, nil, err
		}
		if !right && code.Recovery() {
			return nil, wrongCode(), nil
		}
		if right {
			f.Missed, f.MissedAt = 0, time.Time{}
		} else {
			f.Missed, f.MissedAt = f.Missed+1, now
		}
		switch err = h.Store.PutAccount(ctx, *account); {
		case symbolon.KindOf(err) == symbolon.Conflict:
			continue
		case err != nil:
			return nil, nil, err
		case !right:
			return nil, wrongCode(), nil
		}
		if code.Recovery() {
			ev.detail = "a recovery code was used"
		} else {
			h.Throttle.Succeeded(key, ev.address, known)
		}
		return account, nil, nil
	}
	return nil, nil, symbolon.Errorf(symbolon.Busy, "check code", "the account changes all the time")
}

func wrongCode() *signInTry {
	return &signInTry{Problem: "problem.code"}
}

// spendCode takes a right code out of the account's factors.
func (h *Handler) spendCode(account *symbolon.Account, code signin.Code, now time.Time) (right bool, err error) {
	f := &account.Factors
	if code.Recovery() {
		at := code.Among(f.Recovery)
		if at >= 0 {
			f.Recovery = append(f.Recovery[:at:at], f.Recovery[at+1:]...)
		}
		return at >= 0, nil
	}
	use := appSecretOf(account.ID)
	secret, err := h.Ring.Unwrap(use, f.App.Secret)
	if err != nil {
		return false, symbolon.Wrap(symbolon.Internal, "secret of an authenticator app", err)
	}
	step, right := code.Match(secret, f.App.Step, now)
	if !right {
		return false, nil
	}
	app := *f.App
	f.App = &app // what was read may be others' as well
	// Wrapped anew, it is wrapped by the key that is active now.
	app.Step = step
	app.Secret, err = h.Ring.Wrap(use, secret, now)
	*f.App = app
	return err == nil, err
}

// appSecretOf is what the secret of an account's authenticator app is wrapped for.
func appSecretOf(id symbolon.AccountID) string { return "authenticator app of " + string(id) }
