package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/signin"
)

// maxPasskeys bounds the passkeys of an account, and maxPasskeyName the name of one, in
// characters.
const (
	maxPasskeys    = 10
	maxPasskeyName = 64
)

// askPasskey puts a new challenge into a flow that is about to be sealed into a page, and
// returns what the page's script asks the browser for: "" where there are no passkeys.
func (h *Handler) askPasskey(f *flow, of []symbolon.Passkey) (string, error) {
	if h.passkeys == nil {
		return "", nil
	}
	f.Challenge = signin.NewChallenge()
	return h.passkeys.Ask(f.Challenge, of)
}

// signInPasskey takes what a passkey signed, on the sign-in page or where more was asked
// of an account, which is then the only one that it may be of.
func (h *Handler) signInPasskey(w http.ResponseWriter, r *http.Request, ev *event, f *flow, typed string, only symbolon.AccountID) error {
	// From before the account is read, as with a password.
	authAt := h.Engine.Now()
	account, err := h.checkPasskey(r, ev, f, typed, only, authAt)
	if err != nil {
		return err
	}
	if account == nil {
		try := &signInTry{Problem: "problem.passkey"}
		if only == "" {
			return h.signInAgain(w, r, ev, f, try)
		}
		f.Try = try
		return h.goOn(w, r, ev, f)
	}
	ev.account = account.ID
	return h.signedIn(w, r, ev, f, account, symbolon.Session{
		ID: symbolon.NewSessionID(), Account: account.ID, AuthAt: authAt, ACR: oauth.ACRPasskey, ExpiresAt: authAt.Add(h.SessionLifetime),
	})
}

// checkPasskey returns the account whose passkey signed the challenge of the flow, or nil.
// What it signed counts once, and the counter of the passkey is compared and set.
func (h *Handler) checkPasskey(r *http.Request, ev *event, f *flow, typed string, only symbolon.AccountID, now time.Time) (*symbolon.Account, error) {
	if h.passkeys == nil || len(f.Challenge) == 0 {
		return nil, &deniedError{reason: "denied.asked_no_passkey", retry: f.startAgain()}
	}
	refused := func(err error) (*symbolon.Account, error) {
		ev.code, ev.why, ev.detail = accessDenied, whySignIn, "passkey refused: "+err.Error()
		return nil, nil
	}
	signed, err := signin.ReadAssertion(typed)
	if err != nil {
		return refused(err)
	}
	if only != "" && signed.Account() != only {
		return refused(symbolon.Errorf(symbolon.Denied, "passkey", "it is another account's"))
	}
	ctx := context.WithoutCancel(r.Context())
	for range maxRaces {
		account, err := h.account(ctx, signed.Account())
		if err != nil {
			return nil, err
		}
		if account == nil {
			return refused(symbolon.Errorf(symbolon.Denied, "passkey", "there is no such account"))
		}
		if err := h.passkeys.Check(signed, f.Challenge, account, now); err != nil {
			return refused(err)
		}
		switch err = h.Store.PutAccount(ctx, *account); {
		case symbolon.KindOf(err) == symbolon.Conflict:
			continue
		case err != nil:
			return nil, err
		}
		key := sha256.Sum256(append([]byte("passkey challenge\x00"), f.Challenge...))
		_, first, err := h.Store.Once(ctx, symbolon.Once{Key: key, ExpiresAt: f.Expires.Add(time.Minute), Now: now})
		if err != nil {
			return nil, err
		}
		if !first {
			return refused(symbolon.Errorf(symbolon.Denied, "passkey", "it signed this before"))
		}
		return account, nil
	}
	return nil, symbolon.Errorf(symbolon.Busy, "check passkey", "the account changes all the time")
}

// addPasskey takes a passkey that was made for the person who is signed in.
func (h *Handler) addPasskey(w http.ResponseWriter, r *http.Request, ev *event, f *flow, typed, name string) error {
	if h.passkeys == nil || len(f.Challenge) == 0 {
		return h.redirect(w, r, ev, securityPath)
	}
	now := h.Engine.Now()
	if name = passkeyName(name); name == "" {
		var err error
		if name, err = h.Pages.Sentence(h.language(r, ev), "passkey.named", "day", day(now)); err != nil {
			return err
		}
	}
	var refusal error
	added := false
	err := h.change(r, f.Chosen, func(account *symbolon.Account) bool {
		added = false
		var key symbolon.Passkey
		if key, refusal = h.passkeys.Made(typed, f.Challenge, account, now); refusal != nil || len(account.Factors.Passkeys) >= maxPasskeys {
			return false
		}
		for _, k := range account.Factors.Passkeys {
			if string(k.ID) == string(key.ID) {
				return false // sent twice
			}
		}
		key.Name = name
		account.Factors.Passkeys = append(account.Factors.Passkeys[:len(account.Factors.Passkeys):len(account.Factors.Passkeys)], key)
		added = true
		return true
	})
	switch {
	case err != nil:
		return err
	case refusal != nil:
		ev.detail = refusal.Error()
		return &deniedError{reason: "denied.passkey_not_taken", retry: securityPath}
	case added:
		ev.detail = "a passkey was added"
	}
	return h.redirect(w, r, ev, securityPath)
}

// passkeyName is a name as it is kept.
func passkeyName(typed string) string {
	return strings.TrimSpace(firstRunes(clean(typed, 4*maxPasskeyName), maxPasskeyName))
}

// editPasskey renames a passkey of an account, or removes it. It reports whether there
// is one.
func editPasskey(account *symbolon.Account, id, name string, remove bool) bool {
	keys := make([]symbolon.Passkey, 0, len(account.Factors.Passkeys))
	found := false
	for _, k := range account.Factors.Passkeys {
		if passkeyID(&k) != id {
			keys = append(keys, k)
			continue
		}
		found = true
		if !remove {
			k.Name = name
			keys = append(keys, k)
		}
	}
	account.Factors.Passkeys = keys
	return found
}

func passkeyID(k *symbolon.Passkey) string { return base64.RawURLEncoding.EncodeToString(k.ID) }
