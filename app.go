package symbolon

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"
)

// ClientID names an app. It is made of letters, digits and "_" only, since some
// clients percent-encode HTTP Basic credentials and some do not.
type ClientID string

// Rotation says what refreshing does to a refresh token.
type Rotation string

const (
	// RotateAlways gives a successor at each use. It is the default.
	RotateAlways Rotation = "always"
	// RotateNever gives the same refresh token again.
	RotateNever Rotation = "never"
)

// App is a registered client (RFC 6749 §2).
type App struct {
	ID   ClientID
	Name string
	// Home is the site of the app's owner, shown on the consent page. An
	// absolute https URL, or empty.
	Home string
	// Public apps cannot keep a secret: they have none and must use PKCE
	// (RFC 6749 §2.1). Their method is AuthNone, whatever Settings.Auth says.
	Public bool
	// Secrets are the live secrets. More than one is live while a rotation
	// overlaps.
	Secrets []Secret
	// RedirectURIs are compared byte for byte; the port of a loopback IP
	// address may differ (RFC 8252 §7.3).
	RedirectURIs []string
	// Scope is all that the app may ask for.
	Scope Scopes
	// Rotation is RotateAlways or RotateNever.
	Rotation Rotation
	// RequirePKCE refuses authorization requests without a code challenge
	// (RFC 7636). Public apps always need one.
	RequirePKCE bool
	// Settings is what else the owner may decide.
	Settings Settings
	// Owner is the account that may manage the app; empty means that operators alone
	// may.
	Owner AccountID
	// Sandbox marks an app of a sandbox server.
	Sandbox   bool
	CreatedAt time.Time
	// NotBefore ends every code, token and connection of the app made up to
	// and including this moment.
	NotBefore time.Time
	// Version counts the changes of the row, for Store.PutApp.
	Version int64
}

// Secret is the stored form of a client secret. The secret itself is 256
// random bits, shown once and never stored, so that a fast hash is right.
type Secret struct {
	// ID names the secret to people: it is a prefix of its hash.
	ID string
	// Hash is the SHA-256 of the secret.
	Hash      [32]byte
	CreatedAt time.Time
	// UsedAt is when an app last proved itself by it, as far as it was recorded: at
	// most once in SecretUsePrecision. Zero when it was never used.
	UsedAt time.Time
}

// SecretUsePrecision is how much later than Secret.UsedAt a secret may have been used
// without a record of it.
const SecretUsePrecision = time.Hour

// ClientIDPrefix begins every client_id that is ours.
const ClientIDPrefix = "sym_app_"

// NewClientID returns a random client id of 128 bits.
func NewClientID() ClientID {
	return ClientID(ClientIDPrefix + strings.ToLower(rand.Text()))
}

// NewSecret returns a random client secret of 256 bits and its stored form.
func NewSecret(now time.Time) (string, Secret) {
	plain := "sym_secret_" + rand.Text() + rand.Text()
	return plain, HashSecret(plain, now)
}

// HashSecret returns the stored form of a secret.
func HashSecret(plain string, now time.Time) Secret {
	return SecretOf(sha256.Sum256([]byte(plain)), now)
}

// SecretOf returns the stored form of the secret with this SHA-256.
func SecretOf(hash [32]byte, createdAt time.Time) Secret {
	s := Secret{Hash: hash, CreatedAt: createdAt}
	const digits = "0123456789abcdef"
	for _, b := range s.Hash[:4] {
		s.ID += string(digits[b>>4]) + string(digits[b&15])
	}
	return s
}

// CheckSecret reports whether plain is one of the app's live secrets. It takes
// the same time whichever it is and wherever it differs.
func (a *App) CheckSecret(plain string) bool { return a.FindSecret(plain) >= 0 }

// FindSecret returns which of the app's live secrets plain is, or -1. It takes as long
// as CheckSecret.
func (a *App) FindSecret(plain string) int {
	hash := sha256.Sum256([]byte(plain))
	found := 0
	for i := range a.Secrets {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], a.Secrets[i].Hash[:]), i+1, found)
	}
	return found - 1
}
