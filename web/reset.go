package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/mail"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/signin"
)

// Where a password is reset by mail.
const (
	resetPath     = "/reset"
	resetSentPath = "/reset/sent"
	resetLinkPath = "/reset/new"
	resetDonePath = "/reset/done"
)

const (
	// resetLife is how long the link in the mail is good.
	resetLife = 30 * time.Minute
	// maxLetters bounds the letters that wait to be written, and sendTries how often
	// each is sent, sendPause after the first attempt, and twice as long each time.
	maxLetters = 1000
	sendTries  = 4
	sendPause  = 5 * time.Second
	// atOnceLetters is how many are sent at the same time.
	atOnceLetters = 4
)

// letters are the mails that are still to be written. They wait in memory only: a
// letter holds a link that opens an account, and whoever got none asks again.
type letters struct {
	wait chan func(context.Context) (*mail.Letter, error)
	// account and address bound how many are asked for.
	account, address *signin.Buckets
}

func newLetters() *letters {
	return &letters{
		wait:    make(chan func(context.Context) (*mail.Letter, error), maxLetters),
		account: signin.NewBuckets(signin.Rate{Burst: 3, Every: 20 * time.Minute}, 1<<16),
		address: signin.NewBuckets(signin.Rate{Burst: 10, Every: 6 * time.Minute}, 1<<16),
	}
}

// put has a letter written and sent, unless too many wait.
func (l *letters) put(write func(context.Context) (*mail.Letter, error)) bool {
	select {
	case l.wait <- write:
		return true
	default:
		return false
	}
}

// resets reports whether people may reset their passwords by mail.
func (h *Handler) resets() bool { return h.Mail != nil && !h.NoPassword }

// Post sends mails until the context ends. Letters that wait then are lost.
func (h *Handler) Post(ctx context.Context) {
	if h.Mail == nil {
		return
	}
	var senders sync.WaitGroup
	for range atOnceLetters {
		senders.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case write := <-h.letters.wait:
					h.send(ctx, write)
				}
			}
		})
	}
	senders.Wait()
}

// send writes a letter and hands it on. It is written anew for each attempt, so that
// nothing is sent that counts no more.
func (h *Handler) send(ctx context.Context, write func(context.Context) (*mail.Letter, error)) {
	pause := sendPause
	for try := range sendTries {
		letter, err := write(ctx)
		if err == nil {
			if letter == nil {
				return
			}
			err = h.Mail(ctx, *letter)
		}
		if err == nil || symbolon.KindOf(err) != symbolon.Busy || try == sendTries-1 {
			return // whoever sends has said in the log what was wrong
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// resetPage asks whose password is to be reset.
func (h *Handler) resetPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	text, err := h.sealFlow(flow{Browser: browser[:], Begun: h.Engine.Now()})
	if err != nil {
		return err
	}
	h.render(w, r, ev, http.StatusOK, &ResetPage{Flow: text})
	return nil
}

// reset has a mail sent to who has the account. Nothing of the account is looked at
// before the answer is given: it is the same, and takes the same time, whether there is
// one or not, and whether a mail goes out or not.
func (h *Handler) reset(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, _, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	if username, err := signin.NormalUsername(form.First("username")); err == nil {
		now := h.Engine.Now()
		network := signin.Network(ev.address)
		switch {
		case h.letters.address.Take(now, network) > 0:
			ev.note = "too many mails were asked for from this address"
		case h.letters.account.Take(now, username) > 0:
			ev.note = "too many mails were asked for of one account"
		case !h.letters.put(func(ctx context.Context) (*mail.Letter, error) { return h.resetLetter(ctx, username) }):
			ev.note = "too many mails wait to be sent"
		}
	}
	return h.redirect(w, r, ev, resetSentPath)
}

func (h *Handler) resetSentPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	h.render(w, r, ev, http.StatusOK, &ResetSentPage{Minutes: int(resetLife / time.Minute)})
	return nil
}

// mayReset reports whether an account has a password that its owner may reset, and an
// address that is known to be theirs.
func mayReset(a *symbolon.Account) bool {
	return a.Enabled() && a.Password != "" && a.Profile.Email != "" && a.Profile.EmailVerified
}

// resetLetter writes the letter with the link, or none.
func (h *Handler) resetLetter(ctx context.Context, username string) (*mail.Letter, error) {
	accounts, err := h.Store.Accounts(ctx, symbolon.AccountQuery{Username: username, Limit: 1})
	if err != nil || len(accounts) == 0 || !mayReset(&accounts[0]) {
		return nil, err
	}
	account := &accounts[0]
	now := h.Engine.Now()
	plain, err := json.Marshal(resetLink{Account: account.ID, Stamp: resetStamp(account), Expires: now.Add(resetLife)})
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "reset link", err)
	}
	text, err := h.Ring.Seal(seal.Reset, plain, now)
	if err != nil {
		return nil, err
	}
	return h.letter(account, "reset", "link", h.issuer+resetLinkPath+"?link="+url.QueryEscape(text), "minutes", strconv.Itoa(int(resetLife/time.Minute)))
}

// letter writes a letter of text/, in which host is where this server is.
func (h *Handler) letter(account *symbolon.Account, what string, args ...any) (*mail.Letter, error) {
	host := h.issuer
	if u, err := url.Parse(h.issuer); err == nil {
		host = u.Host
	}
	args = append(args, "host", host, "name", clean(account.Name, maxName), "username", account.Username)
	text, err := h.Pages.letter(account.Profile.Locale, "mail."+what, args...)
	if err != nil {
		return nil, err
	}
	subject, err := h.Pages.letter(account.Profile.Locale, "mail."+what+"_subject", "host", host)
	if err != nil {
		return nil, err
	}
	return &mail.Letter{To: account.Profile.Email, Subject: subject, Text: text}, nil
}

// letter returns a sentence of text/ as the text of a mail, in a language if there is
// such a one.
func (p *Pages) letter(lang, key string, args ...any) (string, error) {
	text := p.speech.byLang[lang]
	if text == nil || text.lacks(key) {
		text = p.speech.all[0]
	}
	if text.lacks(key) {
		text = text.fallback
	}
	plain := func(_ string, v any) (string, error) { return strings.Join(strings.Fields(fmt.Sprint(v)), " "), nil }
	return text.fill(key, func(s string) string { return s }, plain, args)
}

// resetLink is what the link in the mail holds, sealed.
type resetLink struct {
	Account symbolon.AccountID `json:"account"`
	// Stamp is of the account as it was: the link is over when the password or the
	// address changes, or when all is ended. So it counts once, without a row.
	Stamp   []byte    `json:"stamp"`
	Expires time.Time `json:"expires"`
}

func resetStamp(a *symbolon.Account) []byte {
	sum := sha256.Sum256([]byte("symbolon reset\x00" + string(a.ID) + "\x00" + a.Password + "\x00" + a.Profile.Email + "\x00" + strconv.FormatInt(a.NotBefore.UnixMilli(), 10)))
	return sum[:]
}

// openReset returns the account of a link that is good, or nil.
func (h *Handler) openReset(ctx context.Context, text string) (*symbolon.Account, error) {
	now := h.Engine.Now()
	var l resetLink
	plain, err := h.Ring.Open(seal.Reset, text, now)
	if err != nil || json.Unmarshal(plain, &l) != nil || !now.Before(l.Expires) {
		return nil, nil
	}
	account, err := h.account(ctx, l.Account)
	if err != nil || account == nil || !mayReset(account) || subtle.ConstantTimeCompare(l.Stamp, resetStamp(account)) != 1 {
		return nil, err
	}
	return account, nil
}

// resetLinkPage is where the link in the mail leads. It shows a form and changes
// nothing: programs that look at mails follow links, too.
func (h *Handler) resetLinkPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	params, err := oauth.ParseForm(r.URL.RawQuery)
	if err != nil {
		return &deniedError{reason: "denied.broken_address", retry: resetPath}
	}
	browser, ok := h.browserCookie(r, flowCookie)
	if !ok {
		browser = h.newBrowserCookie(w, flowCookie)
	}
	return h.showReset(w, r, ev, &flow{Browser: browser[:], Begun: h.Engine.Now(), Reset: params.First("link")})
}

func (h *Handler) showReset(w http.ResponseWriter, r *http.Request, ev *event, f *flow) error {
	account, err := h.openReset(r.Context(), f.Reset)
	if err != nil {
		return err
	}
	if account == nil {
		ev.code, ev.why = accessDenied, whySignIn
		h.render(w, r, ev, http.StatusBadRequest, &ResetNewPage{Over: true})
		return nil
	}
	ev.account = account.ID
	p := &ResetNewPage{Account: NewAccountView(account), Least: signin.MinPassword}
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

// resetNew sets the password. What the person proves themselves with beside it stays,
// and nobody is signed in: the code of an authenticator app is asked for as ever.
func (h *Handler) resetNew(w http.ResponseWriter, r *http.Request, ev *event) error {
	form, f, err := h.readForm(w, r)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	account, err := h.openReset(ctx, f.Reset)
	if err != nil {
		return err
	}
	if account == nil {
		return h.goOn(w, r, ev, f)
	}
	ev.account = account.ID
	bound, cancel := context.WithTimeout(r.Context(), signInPatience)
	defer cancel()
	hash, err := h.Hasher.Hash(bound, form.First("password"))
	if symbolon.KindOf(err) == symbolon.Invalid {
		f.Try = &signInTry{Problem: "problem.password_unfit"}
		return h.goOn(w, r, ev, f)
	}
	if err != nil {
		return err
	}
	for range maxRaces {
		switch err = h.Engine.SetPassword(ctx, *account, hash); {
		case err == nil:
			ev.detail = "the password was reset by mail"
			h.tellPassword(account)
			return h.redirect(w, r, ev, resetDonePath)
		case symbolon.KindOf(err) != symbolon.Conflict:
			return err
		}
		// It was changed meanwhile: perhaps by the same link.
		if account, err = h.openReset(ctx, f.Reset); err != nil || account == nil {
			return h.goOn(w, r, ev, f)
		}
	}
	return symbolon.Errorf(symbolon.Busy, "reset password", "the account changes all the time")
}

// tellPassword tells a person that their password was changed.
func (h *Handler) tellPassword(account *symbolon.Account) { h.tellPerson(account, "changed") }

// tellPerson sends a person a letter about their account, if there is an address that is known
// to be theirs.
func (h *Handler) tellPerson(account *symbolon.Account, what string, args ...any) {
	told := *account
	if h.Mail != nil && told.Profile.Email != "" && told.Profile.EmailVerified {
		h.letters.put(func(context.Context) (*mail.Letter, error) { return h.letter(&told, what, args...) })
	}
}

func (h *Handler) resetDonePage(w http.ResponseWriter, r *http.Request, ev *event) error {
	h.render(w, r, ev, http.StatusOK, &ResetDonePage{})
	return nil
}
