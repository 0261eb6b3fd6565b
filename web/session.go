package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// The cookies of a browser. Over https their names begin with "__Host-", which
// browsers take only from this very host, over https, for the path "/".
const (
	// sessionCookie names the browser's sessions; it changes at each sign-in.
	sessionCookie = "symbolon-session"
	// flowCookie binds the pages of a flow to the browser that began it.
	flowCookie = "symbolon-flow"
	// deviceCookie remembers who has signed in here before, so that others
	// cannot slow them down by guessing.
	deviceCookie = "symbolon-device"
)

var cookieText = base64.RawURLEncoding.Strict()

func (h *Handler) cookieName(name string) string {
	if h.secure {
		return "__Host-" + name
	}
	return name // plain HTTP, on loopback only
}

// setCookie sets a cookie; with a zero maxAge it lasts as long as the browser.
func (h *Handler) setCookie(w http.ResponseWriter, name, value string, maxAge time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name:     h.cookieName(name),
		Value:    value,
		Path:     "/",
		MaxAge:   int(maxAge / time.Second),
		Secure:   h.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

// browserCookie returns the SHA-256 of a cookie of 256 random bits, or false
// when there is none that we could have set. A name that appears twice is
// refused: one of the two was planted.
func (h *Handler) browserCookie(r *http.Request, name string) (hash [32]byte, ok bool) {
	cookies := r.CookiesNamed(h.cookieName(name))
	if len(cookies) != 1 {
		return hash, false
	}
	raw, err := cookieText.DecodeString(cookies[0].Value)
	if err != nil || len(raw) != 32 {
		return hash, false
	}
	return sha256.Sum256(raw), true
}

// newBrowserCookie sets a cookie of 256 random bits and returns its SHA-256.
func (h *Handler) newBrowserCookie(w http.ResponseWriter, name string) [32]byte {
	var raw [32]byte
	rand.Read(raw[:])
	h.setCookie(w, name, cookieText.EncodeToString(raw[:]), 0)
	return sha256.Sum256(raw[:])
}

// sessions returns who is signed in in the browser, the latest sign-in first.
func (h *Handler) sessions(r *http.Request) ([]symbolon.SignedIn, error) {
	browser, ok := h.browserCookie(r, sessionCookie)
	if !ok {
		return nil, nil
	}
	return h.Store.Sessions(r.Context(), browser, h.Engine.Now())
}

// deviceLifetime is how long a browser is remembered.
const deviceLifetime = 365 * 24 * time.Hour

// maxDeviceAccounts bounds how many accounts a browser is remembered for.
const maxDeviceAccounts = 10

// device is what the device cookie holds, sealed.
type device struct {
	Accounts []symbolon.AccountID `json:"accounts"`
	Expires  time.Time            `json:"expires"`
}

func (h *Handler) device(r *http.Request) device {
	var d device
	cookies := r.CookiesNamed(h.cookieName(deviceCookie))
	if len(cookies) != 1 {
		return d
	}
	now := h.Engine.Now()
	plain, err := h.Ring.Open(seal.Device, cookies[0].Value, now)
	if err != nil || json.Unmarshal(plain, &d) != nil || !now.Before(d.Expires) {
		return device{}
	}
	return d
}

// knows reports whether the account has signed in in this browser before.
func (d *device) knows(id symbolon.AccountID) bool { return slices.Contains(d.Accounts, id) }

// remember adds an account to the browser's device cookie.
func (h *Handler) remember(w http.ResponseWriter, r *http.Request, id symbolon.AccountID) error {
	d := h.device(r)
	d.Accounts = slices.DeleteFunc(d.Accounts, func(a symbolon.AccountID) bool { return a == id })
	d.Accounts = append([]symbolon.AccountID{id}, d.Accounts...)
	if len(d.Accounts) > maxDeviceAccounts {
		d.Accounts = d.Accounts[:maxDeviceAccounts]
	}
	now := h.Engine.Now()
	d.Expires = now.Add(deviceLifetime)
	plain, err := json.Marshal(d)
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, "device cookie", err)
	}
	text, err := h.Ring.Seal(seal.Device, plain, now)
	if err != nil {
		return err
	}
	h.setCookie(w, deviceCookie, text, deviceLifetime)
	return nil
}
