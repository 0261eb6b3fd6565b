package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// Dynamic registration (RFC 7591). What an app may do with its registration later
// stands in registered.go.
//
// Nothing is kept of a registration: the client_id itself is a sealed value that
// carries all that the app said, the hashes of its secret and of its registration
// access token, and when it was made. The row is put at the first consent. An app
// that no one has allowed is gone when its time is over.

// Registrant is who registers an app.
type Registrant struct {
	// Token is the initial access token (RFC 7591 §3), or empty.
	Token string
	// Address is the caller's, for slowing down those who register many.
	Address string
}

// ClientInformation is the answer to a registration (RFC 7591 §3.2.1).
type ClientInformation struct {
	ClientID string `json:"client_id"`
	// ClientIDIssuedAt is in seconds since 1970.
	ClientIDIssuedAt int64 `json:"client_id_issued_at"`
	// ClientSecret is there when it was just made: it is not kept.
	ClientSecret string `json:"client_secret,omitempty"`
	// ClientSecretExpiresAt is 0, never, or nil where there is no secret.
	ClientSecretExpiresAt *int64 `json:"client_secret_expires_at,omitempty"`
	// RegistrationAccessToken and RegistrationClientURI are those of RFC 7592 §3.
	RegistrationAccessToken string `json:"registration_access_token"`
	RegistrationClientURI   string `json:"registration_client_uri"`

	ClientName              string          `json:"client_name,omitempty"`
	RedirectURIs            []string        `json:"redirect_uris"`
	TokenEndpointAuthMethod string          `json:"token_endpoint_auth_method"`
	GrantTypes              []string        `json:"grant_types"`
	ResponseTypes           []string        `json:"response_types"`
	Scope                   string          `json:"scope"`
	ApplicationType         string          `json:"application_type,omitempty"`
	ClientURI               string          `json:"client_uri,omitempty"`
	LogoURI                 string          `json:"logo_uri,omitempty"`
	PolicyURI               string          `json:"policy_uri,omitempty"`
	TermsURI                string          `json:"tos_uri,omitempty"`
	JWKS                    json.RawMessage `json:"jwks,omitempty"`
	JWKSURI                 string          `json:"jwks_uri,omitempty"`
	BoundTokens             bool            `json:"dpop_bound_access_tokens,omitempty"`
	TLSTokens               bool            `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	RequirePAR              bool            `json:"require_pushed_authorization_requests,omitempty"`
	moreInformation

	// App is its id within this server, for the log.
	App symbolon.ClientID `json:"-"`
}

// sealedApp is what a client_id carries.
type sealedApp struct {
	said
	Scope    string `json:"s"`
	IssuedAt int64  `json:"i"` // Unix milliseconds
	Token    []byte `json:"x"` // SHA-256 of the registration access token
	Secret   []byte `json:"y,omitempty"`
}

// maxClientID bounds such a client_id, in bytes: it stands in addresses.
const maxClientID = 5000

// Registrations that are heard in a minute. Each costs some hashing and nothing
// that stays.
const (
	registrationsPerAddress = 30
	registrationsInAll      = 600
)

// Rows that are put in a minute for apps that no one has allowed yet, since they
// replaced or deleted their registration: each stays for UnusedLifetime, so there
// are never more than two million and a half.
const (
	unusedPerAddress = 10
	unusedInAll      = 60
)

// tokenPrefix begins registration access tokens.
const tokenPrefix = "sym_reg_"

// Register registers an app (RFC 7591 §3).
func (e *Engine) Register(ctx context.Context, body []byte, who Registrant) (*ClientInformation, error) {
	if err := e.feed.Fresh(ctx); err != nil {
		return nil, storeError(err)
	}
	now := e.clock.Now()

	// 1. Who asks?
	if want := e.cfg.RegistrationToken; len(want) > 0 {
		hash := sha256.Sum256([]byte(who.Token))
		switch {
		case who.Token == "":
			return nil, refuse(MissingToken, "An initial access token is needed to register here; the server's operator gives one out.")
		case subtle.ConstantTimeCompare(hash[:], want) != 1:
			return nil, refuse(InvalidToken, "This is not the initial access token that is needed to register here.")
		}
	}
	if err := e.registers(who.Address, now); err != nil {
		return nil, err
	}

	// 2. What is presented?
	m, _, err := e.readRegistration(ctx, body, now)
	if err != nil {
		return nil, err
	}

	// 3. Make it: of random secrets, and nothing that is kept.
	app := m.app(&e.cfg, "", "", milliseconds(now))
	if len(app.Scope) == 0 {
		return nil, noScope(&app)
	}
	token := tokenPrefix + rand.Text() + rand.Text()
	tokenHash := sha256.Sum256([]byte(token))
	app.Settings.Registration.Token = tokenHash[:]
	secret := newSecretFor(&app, now)
	clientID, err := e.sealApp(&app, now)
	if err != nil {
		return nil, err
	}
	app.ID, app.Settings.Registration.ClientID = idOf(dynamicID, clientID), clientID
	info := e.information(&app, token)
	info.ClientSecret = secret
	return info, nil
}

// registers counts a registration, and refuses it when there were too many.
func (e *Engine) registers(address string, now time.Time) error {
	if wait := e.registrations.add(address, now); wait > 0 {
		r := refuse(TooManyRequests, "Too many apps are being registered; wait as long as Retry-After says.")
		r.RetryAfter = wait
		return r
	}
	return nil
}

// keeps counts a row that an app is about to be kept in before anyone has allowed
// it, and refuses it when there were too many.
func (e *Engine) keeps(app *symbolon.App, address string, now time.Time) error {
	if app.Version > 0 {
		return nil // it has its row
	}
	if wait := e.unused.add(address, now); wait > 0 {
		r := refuse(TooManyRequests, "Too many apps that no one has allowed yet were changed or deleted; wait as long as Retry-After says.").from(app.ID)
		r.RetryAfter = wait
		return r
	}
	return nil
}

// noScope refuses an app that could ask for nothing.
func noScope(app *symbolon.App) *Error {
	if app.Settings.OpenID.Pairwise {
		return refuse(InvalidClientMetadata, "The field subject_type pairwise leaves this app no scope here: by connect it would learn the account's id, and no other that it names is offered to apps that register themselves.").from(app.ID)
	}
	return refuse(InvalidClientMetadata, "The field scope names none that this server offers to apps that register themselves; leave it out to get them all.").from(app.ID)
}

// readRegistration reads the metadata of a registration request (RFC 7591 §2).
func (e *Engine) readRegistration(ctx context.Context, body []byte, now time.Time) (*metadata, map[string]any, error) {
	object, err := readObject(body)
	if err != nil {
		return nil, nil, refuse(InvalidClientMetadata, "The body must be one JSON object (RFC 7591 section 3.1): "+detailOf(err)+".")
	}
	r := &metadataReader{object: object, implicit: e.offersFront()}
	if statement := object["software_statement"]; statement != nil {
		// RFC 7591 §2.3: it must not be passed over, and no issuer counts here.
		return nil, nil, refuse(InvalidSoftwareStatement, "No issuer of software statements is trusted here; leave software_statement out.")
	}
	m := r.readMetadata(e.cfg.Signing.Algorithms(now), e.cfg.IDToken != nil)
	switch m.method {
	case "", symbolon.AuthNone, symbolon.AuthBasic, symbolon.AuthPost, symbolon.AuthKey:
		// Nothing said means client_secret_basic (RFC 7591 §2), and is taken in the
		// body as well, where half of the clients send it all the same.
	default:
		r.fail(InvalidClientMetadata, "token_endpoint_auth_method must be none, client_secret_basic, client_secret_post or private_key_jwt.")
	}
	if r.why == "" {
		why, err := e.readSectorURI(ctx, m, now)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			r.fail(InvalidClientMetadata, "sector_identifier_uri "+why)
		}
	}
	if why := r.why; why != "" {
		return nil, nil, refuse(r.refusal, "The field "+why)
	}
	return m, object, nil
}

// newSecretFor gives the app a secret when it needs one and has none.
func newSecretFor(app *symbolon.App, now time.Time) string {
	if app.Public || app.Settings.Auth == symbolon.AuthKey {
		app.Secrets = nil
		return ""
	}
	if len(app.Secrets) > 0 {
		return ""
	}
	plain, stored := symbolon.NewSecret(milliseconds(now))
	app.Secrets = []symbolon.Secret{stored}
	return plain
}

// sealApp returns the client_id that carries an app.
func (e *Engine) sealApp(app *symbolon.App, now time.Time) (string, error) {
	s := sealedApp{said: whatIsSaid(app), Scope: app.Scope.String(), IssuedAt: now.UnixMilli(), Token: app.Settings.Registration.Token}
	if len(app.Secrets) > 0 {
		s.Secret = app.Secrets[0].Hash[:]
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", storeError(symbolon.Wrap(symbolon.Internal, "register", err))
	}
	if len(text) > maxMetadata {
		return "", tooLong()
	}
	clientID, err := e.ring.Seal(seal.Client, text, now)
	if err != nil {
		return "", storeError(err)
	}
	return clientID, nil
}

func tooLong() *Error {
	return refuse(InvalidClientMetadata, "The metadata is longer than 2400 bytes in all; leave out what is not needed, and use jwks_uri for keys.")
}

// isSealedApp reports whether a client_id is one that registration gave out.
func (e *Engine) isSealedApp(id string) bool {
	return e.cfg.Registration && strings.HasPrefix(id, string(seal.Client))
}

// sealedApp returns the app of a client_id that registration gave out: its row,
// or what the client_id itself says.
func (e *Engine) sealedApp(ctx context.Context, id string) (*symbolon.App, error) {
	unknown := func() *Error {
		return refuse(UnknownClient, "The app with this client_id is not registered here, or no longer: one that is never used expires, and can register again.")
	}
	if len(id) > maxClientID {
		return nil, unknown()
	}
	now := e.clock.Now()
	// The row first: it outlives the key that the client_id was sealed with.
	row, err := e.apps.get(ctx, idOf(dynamicID, id))
	if err != nil {
		return nil, storeError(err)
	}
	if row != nil {
		if !present(row, now) {
			return nil, unknown()
		}
		return row, nil
	}
	plain, err := e.ring.Open(seal.Client, id, now)
	if err != nil {
		return nil, unknown().detail(err.Error())
	}
	var s sealedApp
	if err := json.Unmarshal(plain, &s); err != nil { // which we wrote
		return nil, unknown().detail("it is of another version")
	}
	issued := time.UnixMilli(s.IssuedAt).UTC()
	if !now.Before(issued.Add(e.cfg.UnusedLifetime)) {
		return nil, unknown().detail("it was not used for too long")
	}
	m := s.metadata()
	if m.scope, err = symbolon.ParseScopes(s.Scope); err != nil {
		return nil, unknown().detail(err.Error())
	}
	app := m.app(&e.cfg, idOf(dynamicID, id), id, issued)
	if len(s.Secret) > 0 {
		app.Secrets = []symbolon.Secret{symbolon.SecretOf([32]byte(s.Secret), issued)}
	}
	app.Settings.Registration.Token = s.Token
	app.Settings.Registration.ExpiresAt = issued.Add(e.cfg.UnusedLifetime)
	app.Settings.Registration.Digest = digest(&app)
	return &app, nil
}

// present reports whether the row of an app that registered itself still stands
// for an app.
func present(row *symbolon.App, now time.Time) bool {
	r := row.Settings.Registration
	return r == nil || r.DeletedAt.IsZero() && (r.ExpiresAt.IsZero() || now.Before(r.ExpiresAt))
}

// information is the answer about an app, with its registration access token.
func (e *Engine) information(app *symbolon.App, token string) *ClientInformation {
	r := app.Settings.Registration
	info := &ClientInformation{
		ClientID:                r.ClientID,
		ClientIDIssuedAt:        app.CreatedAt.Unix(),
		RegistrationAccessToken: token,
		RegistrationClientURI:   e.cfg.Issuer + "/oauth2/register?client_id=" + r.ClientID,
		ClientName:              app.Name,
		RedirectURIs:            app.RedirectURIs,
		TokenEndpointAuthMethod: string(app.Method()),
		ResponseTypes:           []string{"code"},
		Scope:                   app.Scope.String(),
		ClientURI:               app.Home,
		LogoURI:                 r.LogoURI,
		PolicyURI:               r.PolicyURI,
		TermsURI:                r.TermsURI,
		JWKSURI:                 app.Settings.KeysURI,
		BoundTokens:             app.Settings.BoundTokens,
		TLSTokens:               app.Settings.TLSTokens,
		RequirePAR:              app.Settings.RequirePAR,
		moreInformation:         e.moreInformation(app),
		App:                     app.ID,
	}
	if app.Method() == symbolon.AuthSecret {
		info.TokenEndpointAuthMethod = string(symbolon.AuthBasic)
	}
	for _, g := range app.Settings.Grants {
		info.GrantTypes = append(info.GrantTypes, string(g))
		if g == symbolon.GrantImplicit {
			info.ResponseTypes = append(info.ResponseTypes, "id_token", "id_token token")
		}
	}
	switch {
	case r.Native:
		info.ApplicationType = "native"
	case r.Web:
		info.ApplicationType = "web"
	}
	if app.Settings.Keys != "" {
		info.JWKS = json.RawMessage(app.Settings.Keys)
	}
	if len(app.Secrets) > 0 {
		info.ClientSecretExpiresAt = new(int64)
	}
	return info
}
