package symbolon

import (
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"time"
)

// AccountID names an account: 40 lower-case hex digits, never reused.
type AccountID string

// Account is a person of the API, the resource owner of RFC 6749 §1.1.
type Account struct {
	ID AccountID
	// Username is what the person types to sign in, in the normal form that
	// signin.NormalUsername makes. It is unique.
	Username string
	// Name is what apps and pages show: the "user" of GET /info.
	Name string
	// Password is the argon2id hash in PHC format, or empty when the account
	// cannot sign in by password.
	Password string
	// Profile is what else apps may be told of the person.
	Profile Profile
	// Factors are what the person proves who they are with beside the password.
	Factors Factors
	// Identities are what others call the person, in the order in which they were
	// added. Stores keep them apart and give them with the row.
	Identities []Identity
	// Operator may manage every app, account and connection of the server.
	Operator bool
	// Sandbox marks an account of a sandbox server, which anyone may use.
	Sandbox   bool
	CreatedAt time.Time
	// DisabledAt is zero while the account may be used.
	DisabledAt time.Time
	// NotBefore ends everything made for the account up to and including this
	// moment: sessions, codes, tokens and connections.
	NotBefore time.Time
	// Version counts the changes of the row, for Store.PutAccount.
	Version int64
}

// Enabled reports whether the account may sign in and be connected.
func (a *Account) Enabled() bool { return a.DisabledAt.IsZero() }

// NewAccountID returns a random account id of 160 bits.
func NewAccountID() AccountID {
	var b [20]byte
	rand.Read(b[:])
	return AccountID(hex.EncodeToString(b[:]))
}

// Valid reports whether the id is 40 lower-case hex digits.
func (id AccountID) Valid() bool {
	if len(id) != 40 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// SessionID names a sign-in towards apps: 128 random bits. It is no secret and
// proves nothing.
type SessionID [16]byte

// NewSessionID returns an id that no other sign-in has.
func NewSessionID() SessionID {
	var id SessionID
	rand.Read(id[:])
	return id
}

// String returns 32 lower-case hex digits, or nothing for the zero value.
func (id SessionID) String() string {
	if id == (SessionID{}) {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// ParseSessionID reads what String wrote of an id that is not zero. The error is of
// kind Invalid.
func ParseSessionID(s string) (SessionID, error) {
	var id SessionID
	if len(s) != 2*len(id) {
		return SessionID{}, Errorf(Invalid, "session id", "want 32 hex digits")
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id == (SessionID{}) {
		return SessionID{}, Errorf(Invalid, "session id", "want 32 hex digits")
	}
	return id, nil
}

// Session is one account signed in in one browser.
type Session struct {
	// ID names it towards apps. It stays as long as the account is signed in in the
	// browser: Store.SignIn keeps the one that is there.
	ID SessionID
	// Browser is the SHA-256 of the browser's session cookie. Several accounts
	// may be signed in in one browser.
	Browser [32]byte
	Account AccountID
	// AuthAt is when the person last proved who they are, and ACR how: a name of
	// package oauth, or empty for a password alone.
	AuthAt time.Time
	ACR    string
	// ExpiresAt is when the person must sign in again.
	ExpiresAt time.Time
	// Agent is what the browser was, in a few words, at most MaxAgent bytes, and From
	// the address at the sign-in. Both are missing in a sign-in of an older program.
	Agent string
	From  netip.Addr
}

// MaxAgent bounds Session.Agent, in bytes.
const MaxAgent = 100

// Consent is what an account has allowed an app, remembered so that it is not
// asked again until the app wants more.
type Consent struct {
	Account AccountID
	Client  ClientID
	// Scope are the scopes that were allowed wherever they mean something and, as
	// ScopesAt writes them, those that were allowed at some APIs only.
	Scope Scopes
	// GrantedAt is when the person first allowed it, without a break since.
	GrantedAt time.Time
	// Since is for Store.Allow alone: what the account allowed up to and
	// including then counts no more, since the app has changed what it says of
	// itself. Zero means that all of it counts.
	Since time.Time
}
