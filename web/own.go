package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// visit is a person who is signed in, at a page of ours that is for them alone.
type visit struct {
	symbolon.SignedIn
	// Others are the other accounts that are signed in in this browser.
	Others []symbolon.SignedIn
	// flow is for the forms of the page: posting one is about Chosen, in this browser.
	flow flow
}

// visitor returns who is at a page of ours: of those who are signed in in this browser
// and have proven who they are within fresh, if that is not 0, the one whom the query
// names as "as", or else the latest. Where there is none it asks who it is, after which
// the person comes back, and returns nil.
func (h *Handler) visitor(w http.ResponseWriter, r *http.Request, ev *event, fresh time.Duration) (*visit, error) {
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	f := flow{Browser: browser[:], Begun: h.Engine.Now(), Own: ev.route}
	if r.URL.RawQuery != "" && r.Method != http.MethodPost {
		f.Own += "?" + r.URL.RawQuery
	}
	signedIn, err := h.sessions(r)
	if err != nil {
		return nil, err
	}
	v := h.visitOf(signedIn, symbolon.AccountID(r.URL.Query().Get(asParam)), fresh)
	if v == nil {
		return nil, h.showSignIn(w, r, ev, &f, nil, false)
	}
	ev.account, f.Chosen = v.Account.ID, v.Account.ID
	v.flow = f
	return v, nil
}

// asParam names one of several accounts that are signed in.
const asParam = "as"

func (h *Handler) visitOf(signedIn []symbolon.SignedIn, id symbolon.AccountID, fresh time.Duration) *visit {
	var v *visit
	var others []symbolon.SignedIn
	for _, s := range signedIn {
		recent := fresh == 0 || h.Engine.Now().Sub(s.Session.AuthAt) <= fresh
		if v == nil && recent && (id == "" || s.Account.ID == id) {
			v = &visit{SignedIn: s}
			continue
		}
		others = append(others, s)
	}
	if v != nil {
		v.Others = others
	}
	return v
}

// nextOwn goes on with a flow that began at a page of ours: back to it, once the person
// has proven what it takes.
func (h *Handler) nextOwn(w http.ResponseWriter, r *http.Request, ev *event, f *flow) error {
	switch {
	case f.Raise != nil:
		return h.showCode(w, r, ev, f, nil)
	case f.Try != nil || f.Other:
		return h.showSignIn(w, r, ev, f, nil, false)
	}
	return h.redirect(w, r, ev, ownAs(f.Own, f.Chosen))
}

// ownAs returns the path of a page of ours for an account: whoever signed in as another
// than the path names sees their own.
func ownAs(own string, id symbolon.AccountID) string {
	u, err := url.Parse(own)
	if err != nil || id == "" {
		return own
	}
	q := u.Query()
	if q.Has(asParam) {
		q.Set(asParam, string(id))
		u.RawQuery = q.Encode()
	}
	return u.String()
}

// ownedBy reports whether the form that the flow is sealed into is one of a page of ours,
// for a person who is signed in.
func (f *flow) ownedBy(path string) bool {
	own, _, _ := strings.Cut(f.Own, "?")
	return own == path && f.Chosen != ""
}

// ownForm reads a form that a page of ours for people who are signed in has posted to
// its own path, and returns who posted it. It returns nil, with the answer given, where that
// person has to sign in again first, or to prove more: with fresh as for visitor, and
// prove where all that the account is protected by must have been shown.
func (h *Handler) ownForm(w http.ResponseWriter, r *http.Request, ev *event, fresh time.Duration, prove bool) (*visit, *oauth.Params, error) {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return nil, nil, err
	}
	if !f.ownedBy(ev.route) {
		return nil, nil, &deniedError{reason: "denied.other_page", retry: f.startAgain()}
	}
	signedIn, err := h.sessions(r)
	if err != nil {
		return nil, nil, err
	}
	v := h.visitOf(signedIn, f.Chosen, fresh)
	if v == nil { // too long ago, or signed out
		f.Other = true
		return nil, nil, h.goOn(w, r, ev, f)
	}
	ev.account, v.flow = v.Account.ID, *f
	if prove && lacksProof(&v.SignedIn) {
		f.Raise = &raise{Account: v.Account.ID, ACR: oauth.ACRTwo, Demanded: true, Passkey: true}
		return nil, nil, h.goOn(w, r, ev, f)
	}
	return v, &form, nil
}
