package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/signin"
	"github.com/symbolon/symbolon/upstream"
)

// guest is a person who comes from another site, which says who they are.
type guest struct {
	issuer, title string
	creates       bool
	upstream.Person
}

// maxIdentities bounds the identities of an account.
const maxIdentities = 10

// arrived signs in a person by the word of another site. Only issuer and subject say
// which account it is: an address for mail never does.
func (h *Handler) arrived(w http.ResponseWriter, r *http.Request, ev *event, a *away, who *guest) error {
	f, now := &a.Flow, h.Engine.Now()
	f.Came = true
	again := func(detail, problem string) error {
		ev.code, ev.why, ev.detail = accessDenied, whySignIn, detail
		if a.Link {
			return &deniedError{reason: problem, retry: securityPath}
		}
		return h.signInAgain(w, r, ev, f, &signInTry{Problem: problem})
	}
	// From before the account is read, as with a password.
	authAt := signedInAt(who.SignedIn, f.Begun, now)
	if who.SignedIn.IsZero() && !a.Fresh {
		// Nothing says that they were asked for anything there.
		authAt = now.Add(-unproven)
	}
	if a.MaxAge >= 0 && !authAt.Equal(now) && now.Sub(authAt) > time.Duration(a.MaxAge)*time.Second+awaySkew || a.MaxAge >= 0 && who.SignedIn.IsZero() {
		return again("signed in too long ago, or nobody says when", who.title+" does not say that you signed in there lately, which is asked for here. Sign in there once more, or sign in in another way.")
	}
	if a.Link {
		return h.link(w, r, ev, f, who)
	}
	account, err := h.known(r.Context(), who)
	if err != nil {
		return err
	}
	if account == nil && !who.creates {
		return again("nobody is known by this identity", "No account here is linked with who you are at "+who.title+". Sign in in another way and link it under “How you sign in”, or ask whoever runs this service.")
	}
	if account == nil {
		if account, err = h.born(r, who, now); err != nil {
			return err
		}
		ev.detail = "an account was made for a person who is known elsewhere"
	}
	ev.account = account.ID
	if !account.Enabled() {
		return again("the account is disabled", accountChanged)
	}
	if !account.NotBefore.Before(authAt) {
		return again("all was ended since the sign-in elsewhere", "Everything of your account was ended since you signed in at "+who.title+". Sign in there once more.")
	}
	if account.Factors.App != nil {
		// The word of another is half of it, as a password is.
		f.Proven = &proven{Account: account.ID, At: now, AuthAt: authAt}
		return h.goOn(w, r, ev, f)
	}
	return h.signedIn(w, r, ev, f, account, symbolon.Session{
		ID: symbolon.NewSessionID(), Account: account.ID, AuthAt: authAt, ACR: oauth.ACROne, ExpiresAt: now.Add(h.SessionLifetime),
	})
}

// unproven is how long ago a sign-in elsewhere is taken to have been of which nothing is
// known: too long for whatever takes a recent one.
const unproven = consoleFresh + time.Minute

// signedInAt says by our clock when a person signed in elsewhere. Where that is not said,
// it was now; who signed in since the flow began, by a clock that may
// be off, did so now: it must not count as before.
func signedInAt(said, begun, now time.Time) time.Time {
	if said.IsZero() || said.After(now) || said.Add(awaySkew).After(begun) {
		return now
	}
	return said
}

// known returns the account that is linked to who arrived, or nil.
func (h *Handler) known(ctx context.Context, who *guest) (*symbolon.Account, error) {
	found, err := h.Store.Accounts(ctx, symbolon.AccountQuery{Issuer: who.issuer, Subject: who.Subject, Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (who *guest) identity(now time.Time) symbolon.Identity {
	name := who.Email
	for _, text := range []string{who.Username, who.Name} {
		if name == "" {
			name = text
		}
	}
	return symbolon.Identity{Issuer: who.issuer, Subject: who.Subject, Name: clean(name, maxName), AddedAt: now}
}

// born makes an account for a person whom nobody here knows yet.
func (h *Handler) born(r *http.Request, who *guest, now time.Time) (*symbolon.Account, error) {
	ctx := context.WithoutCancel(r.Context())
	account := symbolon.Account{ID: symbolon.NewAccountID(), CreatedAt: now, Identities: []symbolon.Identity{who.identity(now)}, Profile: who.profile()}
	if account.Profile != (symbolon.Profile{}) {
		account.Profile.UpdatedAt = now
	}
	for range maxRaces {
		account.Username = who.username(account.Username)
		account.Name = account.Username
		for _, text := range []string{who.Name, strings.TrimSpace(who.Given + " " + who.Family)} {
			if text = clean(text, maxName); text != "" {
				account.Name = text
				break
			}
		}
		err := h.Store.PutAccount(ctx, account)
		if symbolon.KindOf(err) != symbolon.Conflict {
			account.Version = 1
			return &account, err
		}
		// The username is taken, or the same person arrived twice at the same moment.
		if other, err := h.known(ctx, who); err != nil || other != nil {
			return other, err
		}
	}
	return nil, symbolon.Errorf(symbolon.Busy, "make account", "no username was free")
}

// username proposes a username: as the person is called there, and something else when
// that was taken. It says nothing about who they are.
func (who *guest) username(taken string) string {
	local, _, _ := strings.Cut(who.Email, "@")
	base := ""
	for _, text := range []string{who.Username, local, who.Name} {
		text = strings.Join(strings.Fields(clean(text, 40)), ".")
		// What has the form of an id is looked up as one, and may be another's.
		if name, err := signin.NormalUsername(text); err == nil && !symbolon.AccountID(name).Valid() {
			base = name
			break
		}
	}
	if base != "" && taken == "" {
		return base
	}
	var random [4]byte
	rand.Read(random[:])
	if base == "" {
		base = "person"
	}
	return base + "-" + hex.EncodeToString(random[:])
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// profile is what is taken over of what the other site says, once.
func (who *guest) profile() symbolon.Profile {
	p := symbolon.Profile{GivenName: clean(who.Given, maxName), FamilyName: clean(who.Family, maxName)}
	if a, err := mail.ParseAddress(who.Email); err == nil && a.Address == who.Email && len(who.Email) <= 254 {
		p.Email, p.EmailVerified = who.Email, who.EmailVerified
	}
	if u, err := url.Parse(who.Picture); err == nil && u.Scheme == "https" && u.Host != "" && len(who.Picture) <= 2000 {
		p.Picture = who.Picture
	}
	if len(who.Locale) <= 35 && languageTag.MatchString(who.Locale) {
		p.Locale = who.Locale
	}
	return p
}

// link lets a person who is signed in here sign in by another site from now on.
func (h *Handler) link(w http.ResponseWriter, r *http.Request, ev *event, f *flow, who *guest) error {
	signedIn, err := h.freshly(r, f.Chosen)
	if err != nil {
		return err
	}
	if signedIn == nil || f.Chosen == "" || lacksProof(signedIn) {
		return h.redirect(w, r, ev, securityPath)
	}
	ev.account = f.Chosen
	other, err := h.known(r.Context(), who)
	if err != nil {
		return err
	}
	if other != nil && other.ID != f.Chosen {
		return &deniedError{reason: "denied.linked_to_another", retry: securityPath}
	}
	full, linked := false, (*symbolon.Account)(nil)
	err = h.change(r, f.Chosen, func(account *symbolon.Account) bool {
		linked = nil
		if slices.ContainsFunc(account.Identities, func(i symbolon.Identity) bool { return i.Issuer == who.issuer && i.Subject == who.Subject }) {
			return false
		}
		if full = len(account.Identities) >= maxIdentities; full {
			return false
		}
		account.Identities = append(slices.Clone(account.Identities), who.identity(h.Engine.Now()))
		linked = account
		return true
	})
	switch {
	case err != nil:
		return err
	case full:
		return &deniedError{reason: "denied.ten_linked", retry: securityPath}
	case linked != nil: // a new way in: whoever's account it is shall know of it
		h.tellPerson(linked, "linked", "other", who.title)
	}
	ev.detail = "another way to sign in was linked"
	return h.redirect(w, r, ev, securityPath)
}

// unlink takes an identity away, unless nothing would be left to sign in with.
func (h *Handler) unlink(w http.ResponseWriter, r *http.Request, ev *event, who *symbolon.SignedIn, id string) error {
	last := false
	err := h.change(r, who.Account.ID, func(account *symbolon.Account) bool {
		at := slices.IndexFunc(account.Identities, func(i symbolon.Identity) bool { return identityID(&i) == id })
		if at < 0 {
			return false
		}
		left := slices.Delete(slices.Clone(account.Identities), at, at+1)
		last = (account.Password == "" || h.NoPassword) && (len(account.Factors.Passkeys) == 0 || h.passkeys == nil) &&
			!slices.ContainsFunc(left, func(i symbolon.Identity) bool { return h.offers(i.Issuer) })
		if last {
			return false
		}
		account.Identities = left
		return true
	})
	switch {
	case err != nil:
		return err
	case last:
		return &deniedError{reason: "denied.only_way", retry: securityPath}
	}
	ev.detail = "a way to sign in was unlinked"
	return h.redirect(w, r, ev, securityPath)
}

// offers reports whether people may sign in by the word of an issuer.
func (h *Handler) offers(issuer string) bool {
	return h.Handoff != nil && h.Handoff.Issuer == issuer || slices.ContainsFunc(h.Upstreams, func(s *upstream.Server) bool { return s.Issuer == issuer })
}

// identityID names an identity in a form.
func identityID(i *symbolon.Identity) string {
	sum := sha256.Sum256([]byte(i.Issuer + "\x00" + i.Subject))
	return hex.EncodeToString(sum[:12])
}

// AwayView is another site by which people sign in, as a page shows it.
type AwayView struct {
	// Name is posted as by; Title is what people call it.
	Name, Title string
}

// aways are those that are offered.
func (h *Handler) aways() []AwayView {
	var list []AwayView
	if h.Handoff != nil {
		list = append(list, AwayView{handoffName, h.Handoff.Title})
	}
	for _, s := range h.Upstreams {
		list = append(list, AwayView{s.Name, s.Title})
	}
	return list
}

// IdentityView is an identity as a page shows it. Its name may be hostile.
type IdentityView struct {
	// ID is posted as id, with action "unlink".
	ID string
	// Title is where it is, Name who the person is there, Added a day.
	Title, Name, Added string
}

func (h *Handler) identities(account *symbolon.Account) []IdentityView {
	var list []IdentityView
	for _, i := range account.Identities {
		v := IdentityView{ID: identityID(&i), Title: i.Issuer, Name: i.Name, Added: day(i.AddedAt)}
		for _, s := range h.Upstreams {
			if s.Issuer == i.Issuer {
				v.Title = s.Title
			}
		}
		if h.Handoff != nil && h.Handoff.Issuer == i.Issuer {
			v.Title = h.Handoff.Title
		}
		list = append(list, v)
	}
	return list
}

// handsOff reports whether a flow goes to the owner's own site at once, since there is
// no other way to sign in and nothing to say first.
func (h *Handler) handsOff(r *http.Request, f *flow) bool {
	quiet := f.Try == nil || f.Try.Problem == "" && f.Try.Until.IsZero()
	return h.Handoff != nil && h.NoPassword && h.passkeys == nil && len(h.Upstreams) == 0 && !h.Sandbox &&
		r.Method == http.MethodGet && quiet && !f.Came && !f.Other
}
