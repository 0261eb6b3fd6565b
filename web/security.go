package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/signin"
)

// securityPath is the page on which a person sets up what they sign in with.
const securityPath = "/account/security"

// freshFor is how long after a sign-in a person may change what they sign in with.
const freshFor = 10 * time.Minute

// freshly returns the session of a person who has signed in within freshFor, of that
// account if one is named, or nil.
func (h *Handler) freshly(r *http.Request, id symbolon.AccountID) (*symbolon.SignedIn, error) {
	signedIn, err := h.sessions(r)
	if err != nil {
		return nil, err
	}
	for i := range signedIn {
		s := &signedIn[i]
		if (id == "" || s.Account.ID == id) && h.Engine.Now().Sub(s.Session.AuthAt) <= freshFor {
			return s, nil
		}
	}
	return nil, nil
}

// securityPage shows what an account signs in with.
func (h *Handler) securityPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	f := &flow{Browser: browser[:], Begun: h.Engine.Now(), Security: true}
	who, err := h.freshly(r, "")
	if err != nil {
		return err
	}
	if who == nil {
		return h.showSignIn(w, r, ev, f, nil, false)
	}
	ev.account, f.Chosen = who.Account.ID, who.Account.ID
	p := &SecurityPage{Visit: newVisitView(&visit{SignedIn: *who}, securityPath), Account: NewAccountView(&who.Account), Recovery: len(who.Account.Factors.Recovery), Possible: h.passkeys != nil, More: lacksProof(who), NoPassword: who.Account.Password == "" || h.NoPassword}
	p.Identities = h.identities(&who.Account)
	for _, s := range h.Upstreams {
		p.Links = append(p.Links, AwayView{s.Name, s.Title})
	}
	if app := who.Account.Factors.App; app != nil {
		p.AppSince = day(app.AddedAt)
	}
	for _, k := range who.Account.Factors.Passkeys {
		v := PasskeyView{ID: passkeyID(&k), Name: k.Name, Added: day(k.AddedAt), Copied: k.Copied}
		if !k.UsedAt.IsZero() {
			v.Used = day(k.UsedAt)
		}
		p.Passkeys = append(p.Passkeys, v)
	}
	if p.Possible && !p.More && len(p.Passkeys) < maxPasskeys {
		f.Challenge = signin.NewChallenge()
		if p.Offer, err = h.passkeys.Offer(f.Challenge, &who.Account); err != nil {
			return err
		}
	}
	if p.Flow, err = h.sealFlow(*f); err != nil {
		return err
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// lacksProof reports whether a person has to prove more before they may change what
// protects the account: who has the password alone must not, where it is not all there
// is.
func lacksProof(who *symbolon.SignedIn) bool {
	return !who.Account.Factors.Empty() && who.Session.ACR != oauth.ACRTwo && who.Session.ACR != oauth.ACRPasskey
}

// day is a date as it is handed to a page, which writes it out in its language: in UTC.
func day(t time.Time) string { return t.UTC().Format(dayForm) }

// nextSecurity goes on with a flow that began at the page of an account's security.
func (h *Handler) nextSecurity(w http.ResponseWriter, r *http.Request, ev *event, f *flow) error {
	if f.Raise != nil {
		return h.showCode(w, r, ev, f, nil)
	}
	if f.Try != nil && f.Setup == nil {
		return h.showSignIn(w, r, ev, f, nil, false)
	}
	if f.Setup == nil {
		return h.redirect(w, r, ev, securityPath)
	}
	who, err := h.freshly(r, f.Chosen)
	if err != nil {
		return err
	}
	if who == nil {
		return h.redirect(w, r, ev, securityPath)
	}
	ev.account = who.Account.ID
	service, err := url.Parse(h.issuer)
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, "security page", err)
	}
	p := &SetupPage{Account: NewAccountView(&who.Account), Secret: signin.AppSecretText(f.Setup), Link: signin.AppLink(f.Setup, cmp.Or(h.Pages.look.Name, service.Host), who.Account.Username)}
	if p.QRSize, p.QRPath, err = signin.QRCode(p.Link); err != nil {
		return err
	}
	code := http.StatusOK
	if f.Try != nil {
		p.Error, code = f.Try.Problem, http.StatusBadRequest
	}
	if p.Flow, err = h.sealFlow(*f); err != nil {
		return err
	}
	h.render(w, r, ev, code, p)
	return nil
}

// security takes the answers of the pages of an account's security.
func (h *Handler) security(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	if !f.Security || f.Chosen == "" {
		return &deniedError{reason: "denied.not_security", retry: f.startAgain()}
	}
	who, err := h.freshly(r, f.Chosen)
	if err != nil {
		return err
	}
	if who == nil { // too long ago, or signed out
		return h.redirect(w, r, ev, securityPath)
	}
	ev.account = who.Account.ID
	action := form.First("action")
	if lacksProof(who) && action != "cancel" {
		f.Raise = &raise{Account: who.Account.ID, ACR: oauth.ACRTwo, Demanded: true, Passkey: true}
		return h.goOn(w, r, ev, f)
	}
	switch action {
	case "link":
		return h.depart(w, r, ev, f, form.First("by"), true)
	case "unlink":
		return h.unlink(w, r, ev, who, form.First("id"))
	case "app":
		if who.Account.Factors.App != nil {
			return h.redirect(w, r, ev, securityPath)
		}
		f.Setup = signin.NewAppSecret()
		return h.goOn(w, r, ev, f)
	case "confirm":
		return h.confirmApp(w, r, ev, f, form.First("code"))
	case "app-off", "recovery":
		return h.editApp(w, r, ev, who, action)
	case "passkey":
		return h.addPasskey(w, r, ev, f, form.First("passkey"), form.First("name"))
	case "rename", "remove":
		id, name := form.First("id"), passkeyName(form.First("name"))
		if action == "rename" && name == "" {
			return h.redirect(w, r, ev, securityPath)
		}
		found := false
		err := h.change(r, who.Account.ID, func(account *symbolon.Account) bool {
			found = editPasskey(account, id, name, action == "remove")
			return found
		})
		if err == nil && found {
			ev.detail = "a passkey was " + action + "d"
		}
		if err != nil {
			return err
		}
	}
	return h.redirect(w, r, ev, securityPath)
}

// editApp turns the authenticator app off, or makes the recovery codes anew.
func (h *Handler) editApp(w http.ResponseWriter, r *http.Request, ev *event, who *symbolon.SignedIn, action string) error {
	var codes []string
	err := h.change(r, who.Account.ID, func(account *symbolon.Account) bool {
		f := &account.Factors
		if f.App == nil {
			return false
		}
		if action == "recovery" {
			codes, f.Recovery = signin.NewRecoveryCodes()
			return true
		}
		f.App, f.Recovery, f.Missed, f.MissedAt = nil, nil, 0, time.Time{}
		return true
	})
	switch {
	case err != nil:
		return err
	case codes != nil:
		ev.detail = "the recovery codes were made anew"
		h.render(w, r, ev, http.StatusOK, &RecoveryPage{Account: NewAccountView(&who.Account), Codes: codes})
		return nil
	}
	ev.detail = "the authenticator app was turned off"
	return h.redirect(w, r, ev, securityPath)
}

// confirmApp turns an authenticator app on, once a code shows that it has the secret.
func (h *Handler) confirmApp(w http.ResponseWriter, r *http.Request, ev *event, f *flow, typed string) error {
	if f.Setup == nil {
		return h.redirect(w, r, ev, securityPath)
	}
	now := h.Engine.Now()
	code, ok := signin.ReadCode(typed)
	var step int64
	if ok {
		step, ok = code.Match(f.Setup, 0, now)
	}
	if !ok {
		f.Try = &signInTry{Problem: "problem.setup_code"}
		return h.goOn(w, r, ev, f)
	}
	wrapped, err := h.Ring.Wrap(appSecretOf(f.Chosen), f.Setup, now)
	if err != nil {
		return err
	}
	var codes []string
	err = h.change(r, f.Chosen, func(account *symbolon.Account) bool {
		factors := &account.Factors
		if factors.App != nil {
			return false
		}
		codes, factors.Recovery = signin.NewRecoveryCodes()
		factors.App = &symbolon.AuthenticatorApp{Secret: wrapped, Step: step, AddedAt: now}
		return true
	})
	switch {
	case err != nil:
		return err
	case codes == nil:
		return h.redirect(w, r, ev, securityPath)
	}
	ev.detail = "an authenticator app was set up"
	account, err := h.account(r.Context(), f.Chosen)
	if err != nil || account == nil {
		account = new(symbolon.Account) // the codes must be shown all the same
	}
	h.render(w, r, ev, http.StatusOK, &RecoveryPage{Account: NewAccountView(account), Codes: codes})
	return nil
}

// change changes what an account signs in with, unless edit says that there is nothing
// to change. Another change that comes first is not undone: edit sees what it left.
func (h *Handler) change(r *http.Request, id symbolon.AccountID, edit func(*symbolon.Account) bool) error {
	ctx := context.WithoutCancel(r.Context())
	for range maxRaces {
		account, err := h.account(ctx, id)
		if err != nil {
			return err
		}
		if account == nil {
			return &deniedError{reason: accountChanged, retry: securityPath}
		}
		if !edit(account) {
			return nil
		}
		if err = h.Store.PutAccount(ctx, *account); symbolon.KindOf(err) != symbolon.Conflict {
			return err
		}
	}
	return symbolon.Errorf(symbolon.Busy, "change factors", "the account changes all the time")
}
