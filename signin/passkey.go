package signin

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/symbolon/symbolon"
)

// Passkeys checks what passkeys sign for this server (WebAuthn level 3). A passkey is a
// credential that the authenticator finds by itself and that it uses only for who it
// has recognised: so it signs in alone. It may be used by many goroutines at once.
type Passkeys struct {
	web *webauthn.WebAuthn
	// id and name are the server's as a relying party.
	id, name string
}

// NewPasskeys returns what checks passkeys for a server at this address, or nil where
// browsers have none: at a bare IP address, and by http elsewhere than on localhost.
// Name is what the browser's dialog calls the server; its host when it is empty.
func NewPasskeys(issuer, name string) (*Passkeys, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "passkeys", err)
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || u.Scheme != "https" && host != "localhost" {
		return nil, nil
	}
	name = cmp.Or(name, host)
	web, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: name, RPOrigins: []string{u.Scheme + "://" + u.Host},
	})
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "passkeys", err)
	}
	return &Passkeys{web: web, id: host, name: name}, nil
}

// NewChallenge returns what a passkey is to sign: 256 random bits.
func NewChallenge() []byte {
	challenge := make([]byte, 32)
	rand.Read(challenge)
	return challenge
}

var keyText = base64.RawURLEncoding.Strict()

// credential names one to a browser.
type credential struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

func credentials(list []symbolon.Passkey) []credential {
	named := make([]credential, 0, len(list))
	for _, k := range list {
		named = append(named, credential{"public-key", keyText.EncodeToString(k.ID), k.Transports})
	}
	return named
}

// patience is how long a browser waits for the person, in milliseconds.
const patience = 5 * 60 * 1000

// Ask returns what a script asks the browser for to sign in, in JSON
// (PublicKeyCredentialRequestOptionsJSON). Of a person who is known it names the
// passkeys; of another it names none, and any of this server's will do.
func (p *Passkeys) Ask(challenge []byte, of []symbolon.Passkey) (string, error) {
	return asJSON(map[string]any{
		"challenge": keyText.EncodeToString(challenge), "rpId": p.id, "timeout": patience,
		"userVerification": "required", "allowCredentials": credentials(of),
	})
}

// Offer returns what a script asks the browser for to make a passkey for an account, in
// JSON (PublicKeyCredentialCreationOptionsJSON).
func (p *Passkeys) Offer(challenge []byte, account *symbolon.Account) (string, error) {
	handle, err := handleOf(account.ID)
	if err != nil {
		return "", err
	}
	params := []map[string]any{}
	for _, algorithm := range keyAlgorithms {
		params = append(params, map[string]any{"type": "public-key", "alg": int(algorithm)})
	}
	return asJSON(map[string]any{
		"rp":        map[string]string{"id": p.id, "name": p.name},
		"user":      map[string]string{"id": keyText.EncodeToString(handle), "name": account.Username, "displayName": account.Name},
		"challenge": keyText.EncodeToString(challenge), "pubKeyCredParams": params, "timeout": patience,
		"excludeCredentials":     credentials(account.Factors.Passkeys),
		"authenticatorSelection": map[string]any{"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
		"attestation":            "none",
	})
}

// keyAlgorithms are those that count, the preferred first: what phones, computers and
// security keys have.
var keyAlgorithms = []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256}

func asJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, "passkeys", err)
	}
	return string(text), nil
}

// handleOf is the user handle of an account: its id, in bytes.
func handleOf(id symbolon.AccountID) ([]byte, error) {
	handle, err := hex.DecodeString(string(id))
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "passkeys", err)
	}
	return handle, nil
}

// holder shows an account to the library.
type holder struct {
	handle  []byte
	account *symbolon.Account
}

func (h holder) WebAuthnID() []byte          { return h.handle }
func (h holder) WebAuthnName() string        { return h.account.Username }
func (h holder) WebAuthnDisplayName() string { return h.account.Name }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	var list []webauthn.Credential
	for _, k := range h.account.Factors.Passkeys {
		list = append(list, webauthn.Credential{
			ID: k.ID, PublicKey: k.Key,
			Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: k.Synced, BackupState: k.Copied},
			Authenticator: webauthn.Authenticator{AAGUID: k.Model, SignCount: k.Count},
		})
	}
	return list
}

// Assertion is what a passkey signed, read and not yet checked.
type Assertion struct {
	parsed  *protocol.ParsedCredentialAssertionData
	account symbolon.AccountID
}

// ReadAssertion reads what a script sends of a passkey that signed
// (AuthenticationResponseJSON). The error, of kind Invalid, is for the log.
func ReadAssertion(text string) (*Assertion, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(text))
	if err != nil {
		return nil, symbolon.Errorf(symbolon.Invalid, "passkey", "it cannot be read: %v", err)
	}
	id := symbolon.AccountID(hex.EncodeToString(parsed.Response.UserHandle))
	if !id.Valid() {
		return nil, symbolon.Errorf(symbolon.Invalid, "passkey", "it says no account")
	}
	return &Assertion{parsed, id}, nil
}

// Account is whose passkey it says that it is.
func (a *Assertion) Account() symbolon.AccountID { return a.account }

// Check checks an assertion with a passkey of the account, and records in the account
// that it was used. The error, of kind Denied, is for the log.
func (p *Passkeys) Check(a *Assertion, challenge []byte, account *symbolon.Account, now time.Time) error {
	const op = "passkey"
	handle, err := handleOf(account.ID)
	if err != nil {
		return err
	}
	session := webauthn.SessionData{Challenge: keyText.EncodeToString(challenge), RelyingPartyID: p.id, UserVerification: protocol.VerificationRequired}
	find := func(_, _ []byte) (webauthn.User, error) { return holder{handle, account}, nil }
	found, err := p.web.ValidateDiscoverableLogin(find, session, a.parsed)
	switch {
	case err != nil:
		return symbolon.Errorf(symbolon.Denied, op, "it does not sign in: %v", err)
	case !found.Flags.UserVerified:
		return symbolon.Errorf(symbolon.Denied, op, "the person was not recognised by it")
	case found.Authenticator.CloneWarning:
		return symbolon.Errorf(symbolon.Denied, op, "its counter went back: there are two of it")
	}
	keys := slices.Clone(account.Factors.Passkeys)
	for i := range keys {
		if bytes.Equal(keys[i].ID, found.ID) {
			keys[i].Count, keys[i].Copied, keys[i].UsedAt = found.Authenticator.SignCount, found.Flags.BackupState, now
		}
	}
	account.Factors.Passkeys = keys
	return nil
}

// Made returns the passkey that a script says was made for an account
// (RegistrationResponseJSON), with no name yet. The error, of kind Denied, is for the
// log.
func (p *Passkeys) Made(text string, challenge []byte, account *symbolon.Account, now time.Time) (symbolon.Passkey, error) {
	const op = "new passkey"
	var none symbolon.Passkey
	handle, err := handleOf(account.ID)
	if err != nil {
		return none, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(text))
	if err != nil {
		return none, symbolon.Errorf(symbolon.Denied, op, "it cannot be read: %v", err)
	}
	session := webauthn.SessionData{
		Challenge: keyText.EncodeToString(challenge), RelyingPartyID: p.id, UserID: handle, UserVerification: protocol.VerificationRequired,
	}
	for _, algorithm := range keyAlgorithms {
		session.CredParams = append(session.CredParams, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: algorithm})
	}
	made, err := p.web.CreateCredential(holder{handle, account}, session, parsed)
	switch {
	case err != nil:
		return none, symbolon.Errorf(symbolon.Denied, op, "it is not taken: %v", err)
	case !made.Flags.UserVerified:
		return none, symbolon.Errorf(symbolon.Denied, op, "the person was not recognised by it")
	case len(made.ID) > maxKey || len(made.PublicKey) > maxKey:
		return none, symbolon.Errorf(symbolon.Denied, op, "it is too long")
	}
	key := symbolon.Passkey{
		ID: made.ID, Key: made.PublicKey, Count: made.Authenticator.SignCount, Synced: made.Flags.BackupEligible, Copied: made.Flags.BackupState, AddedAt: now,
	}
	if model := made.Authenticator.AAGUID; len(bytes.Trim(model, "\x00")) > 0 {
		key.Model = model
	}
	for _, t := range made.Transport {
		if text := string(t); len(key.Transports) < 8 && len(text) <= 32 {
			key.Transports = append(key.Transports, text)
		}
	}
	return key, nil
}

// maxKey bounds the id and the public key of a passkey, in bytes: an id has at most
// 1023 (WebAuthn level 3 §4), the longest key is one for RS256.
const maxKey = 1024
