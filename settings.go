package symbolon

import (
	"slices"
	"time"
)

// AuthMethod is how an app proves itself, by the names of RFC 7591 §2
// (token_endpoint_auth_method) and RFC 8705 §2.
type AuthMethod string

// The ways in which an app may prove itself.
const (
	// AuthSecret: by its secret, in HTTP Basic or in the body. It is the default.
	AuthSecret AuthMethod = ""
	// AuthBasic: by its secret, in HTTP Basic only.
	AuthBasic AuthMethod = "client_secret_basic"
	// AuthPost: by its secret, in the body only.
	AuthPost AuthMethod = "client_secret_post"
	// AuthNone: not at all. It is that of every public app, and of no other.
	AuthNone AuthMethod = "none"
	// AuthKey: by an assertion signed with a key of its own (RFC 7523 §2.2).
	AuthKey AuthMethod = "private_key_jwt"
	// AuthTLS: by a certificate of a known subject (RFC 8705 §2.1).
	AuthTLS AuthMethod = "tls_client_auth"
	// AuthSelfSignedTLS: by a certificate whose key is registered (RFC 8705 §2.2).
	AuthSelfSignedTLS AuthMethod = "self_signed_tls_client_auth"
)

// GrantType is a way to get a token, by its name at the token endpoint.
type GrantType string

// The grants that the token endpoint knows.
const (
	// GrantCode is RFC 6749 §4.1.
	GrantCode GrantType = "authorization_code"
	// GrantRefresh is RFC 6749 §6.
	GrantRefresh GrantType = "refresh_token"
	// GrantClient is RFC 6749 §4.4.
	GrantClient GrantType = "client_credentials"
	// GrantDevice is RFC 8628 §3.4.
	GrantDevice GrantType = "urn:ietf:params:oauth:grant-type:device_code"
	// GrantExchange is RFC 8693 §2.1.
	GrantExchange GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
	// GrantImplicit is OpenID Connect Core §3.2: tokens that the browser brings, without
	// the token endpoint. The server must offer it, too.
	GrantImplicit GrantType = "implicit"
	// GrantAssertion is RFC 7523 §2.1.
	GrantAssertion GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// TokenFormat is what an access token looks like.
type TokenFormat string

const (
	// TokenDefault: as the API says that the token is for, or else sealed.
	TokenDefault TokenFormat = ""
	// TokenSealed: readable by this server only.
	TokenSealed TokenFormat = "sealed"
	// TokenJWT: a signed JWT that an API can check by itself (RFC 9068).
	TokenJWT TokenFormat = "jwt"
)

// AppProfile is the set of rules that an app is held to.
type AppProfile string

const (
	// ProfileDefault is OAuth 2.1, with RFC 9700, as this server keeps it for all.
	ProfileDefault AppProfile = ""
	// ProfileFAPI2 is the FAPI 2.0 Security Profile: stricter, whatever else the
	// settings say.
	ProfileFAPI2 AppProfile = "fapi2"
	// ProfileLegacy loosens a few named rules, for an old client that cannot keep
	// them.
	ProfileLegacy AppProfile = "legacy"
)

// String returns the profile by the name that people give it.
func (p AppProfile) String() string {
	if p == ProfileDefault {
		return "oauth2.1"
	}
	return string(p)
}

// Settings are what an app's owner may decide beside the fields of App. The
// zero value is the default of each. Stores keep it as one JSON object.
type Settings struct {
	// Profile is the set of rules that the app is held to.
	Profile AppProfile `json:"profile,omitempty"`

	// Auth is how the app proves itself.
	Auth AuthMethod `json:"auth,omitempty"`
	// Keys is the app's own set of public keys, a JWK Set (RFC 7517 §5).
	Keys string `json:"keys,omitempty"`
	// KeysURI is where the set is fetched from instead: an https URL.
	KeysURI string `json:"keys_uri,omitempty"`
	// AuthSigning is the only algorithm that the app's assertions may be signed by, where
	// it proves itself by one (token_endpoint_auth_signing_alg); every one when it is
	// empty.
	AuthSigning string `json:"auth_signing,omitempty"`
	// TLSSubject is what a certificate must say for AuthTLS: one of dn:, dns:,
	// uri:, ip: or email: and the value (RFC 8705 §2.1.2).
	TLSSubject string `json:"tls_subject,omitempty"`

	// Grants are the grants that the app may use; empty means the default set.
	Grants []GrantType `json:"grants,omitempty"`
	// Resources are the APIs that the app may ask tokens for (RFC 8707); empty
	// means every one that the server knows.
	Resources []string `json:"resources,omitempty"`
	// Token is the format of the app's access tokens.
	Token TokenFormat `json:"token,omitempty"`
	// API marks the app as an API of the owner, which may introspect every token
	// that is meant for it (RFC 7662 §4): those for one of APIResources, and,
	// when that is empty, those that name no resource.
	API          bool     `json:"api,omitempty"`
	APIResources []string `json:"api_resources,omitempty"`

	// BoundTokens: the app gets only tokens bound to a key, by DPoP (RFC 9449
	// §5.2, dpop_bound_access_tokens) or by its TLS certificate (RFC 8705 §3).
	BoundTokens bool `json:"bound_tokens,omitempty"`
	// TLSTokens: the app's tokens are bound to its TLS certificate (RFC 8705
	// §3.4, tls_client_certificate_bound_access_tokens).
	TLSTokens bool `json:"tls_tokens,omitempty"`
	// RequirePAR refuses authorization requests that were not pushed (RFC 9126 §6).
	RequirePAR bool `json:"require_par,omitempty"`
	// RequireSigned refuses authorization requests that are not a signed request
	// object (RFC 9101 §10.5).
	RequireSigned bool `json:"require_signed,omitempty"`
	// RequestSigning is the only algorithm that request objects of the app may be signed
	// by (request_object_signing_alg); every one when it is empty.
	RequestSigning string `json:"request_signing,omitempty"`
	// RequestURIs are where the app keeps request objects of its own, which a request may
	// name instead of itself (OpenID Connect Registration §2, request_uris): https URLs,
	// compared byte for byte.
	RequestURIs []string `json:"request_uris,omitempty"`
	// SignedIntrospection: the app gets signed answers (RFC 9701).
	SignedIntrospection bool `json:"signed_introspection,omitempty"`

	// ResponseSigning is how answers to authorization requests are signed, where a
	// request asks for one that is (JARM §3, authorization_signed_response_alg); that
	// of ResponseAlgorithm when it is empty. RequireSignedResponse refuses requests
	// that do not ask for it.
	ResponseSigning       string `json:"authorization_signed_response_alg,omitempty"`
	RequireSignedResponse bool   `json:"require_signed_response,omitempty"`

	// OpenID is what the app wants of OpenID Connect.
	OpenID OpenID `json:"openid,omitzero"`

	// ExchangeFor are the apps whose tokens this app may exchange (RFC 8693);
	// "*" means those of all. Impersonate lets it leave out who acts.
	ExchangeFor []ClientID `json:"exchange_for,omitempty"`
	Impersonate bool       `json:"impersonate,omitempty"`

	// OneConnection lets an account have one connection to the app at a time: when it
	// connects the app anew, what it had before ends.
	OneConnection bool `json:"one_connection,omitempty"`
	// Webhook is where the app's owner is told what happens to connections, or nil.
	Webhook *Webhook `json:"webhook,omitempty"`

	// Registration is set for an app that registered itself.
	Registration *Registration `json:"registration,omitempty"`

	// Status says who may connect the app, and TestAccounts, beside its owner, while it
	// is in test.
	Status       AppStatus   `json:"status,omitempty"`
	TestAccounts []AccountID `json:"test_accounts,omitempty"`
}

// AppStatus is how far an app has come.
type AppStatus string

const (
	// StatusLive: every account may connect the app. It is that of apps that were made
	// before there was a status.
	StatusLive AppStatus = ""
	// StatusTest: its owner and its test accounts alone may.
	StatusTest AppStatus = "test"
)

// String returns the status by the name that people give it.
func (s AppStatus) String() string {
	if s == StatusLive {
		return "live"
	}
	return string(s)
}

// Admits reports whether an account may be connected to the app.
func (a *App) Admits(account AccountID) bool {
	return a.Settings.Status != StatusTest || account != "" && (account == a.Owner || slices.Contains(a.Settings.TestAccounts, account))
}

// OpenID are the settings of an app that signs people in (OpenID Connect Dynamic
// Client Registration §2). An algorithm is named as in JWS (RFC 7518 §3.1).
type OpenID struct {
	// IDTokenSigning is that of SigningAlgorithm when it is empty.
	IDTokenSigning string `json:"id_token_signed_response_alg,omitempty"`
	// Userinfo answers as plain JSON when UserinfoSigning is empty, and so is
	// UserinfoEncryption.
	UserinfoSigning string `json:"userinfo_signed_response_alg,omitempty"`
	// IDTokenEncryption and UserinfoEncryption: only the app can read these, by a key of
	// its own set.
	IDTokenEncryption  Encryption `json:"id_token_encrypted_response,omitzero"`
	UserinfoEncryption Encryption `json:"userinfo_encrypted_response,omitzero"`
	// Pairwise gives the app another sub than other apps of other sectors get
	// (OpenID Connect Core §8.1). Sector is the host that stands for the sector.
	Pairwise bool   `json:"pairwise,omitempty"`
	Sector   string `json:"sector,omitempty"`
	// DefaultMaxAge is how old a sign-in may be, in seconds, where the request does
	// not say; 0 is without limit.
	DefaultMaxAge int64 `json:"default_max_age,omitempty"`
	// DefaultACR is how a person had better sign in, the best way first, where the
	// request does not say (default_acr_values).
	DefaultACR []string `json:"default_acr_values,omitempty"`

	// PostLogoutRedirectURIs are where a person may be sent back to after signing
	// out (RP-Initiated Logout §2.1). They are compared byte for byte.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURI is where the app is told that a session has ended
	// (Back-Channel Logout §2.2), or empty. With BackchannelLogoutSessionRequired the
	// app wants to know which one; it is told in either case.
	BackchannelLogoutURI             string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired bool   `json:"backchannel_logout_session_required,omitempty"`
}

// ResponseAlgorithm returns the algorithm of the app's signed answers: RS256 when it
// registered none, as the standard has it.
func (s *Settings) ResponseAlgorithm() string {
	if s.ResponseSigning == "" {
		return "RS256"
	}
	return s.ResponseSigning
}

// SigningAlgorithm returns the algorithm of the app's ID tokens: RS256 when it
// registered none, as the standard has it.
func (o *OpenID) SigningAlgorithm() string {
	if o.IDTokenSigning == "" {
		return "RS256"
	}
	return o.IDTokenSigning
}

// Encryption is how something is encrypted to an app, by the names of JWE (RFC 7518
// §4, §5). The zero value is not at all.
type Encryption struct {
	// Key is how the key is told, alg, and Content how what is in it is encrypted, enc:
	// A128CBC-HS256 when it is empty.
	Key     string `json:"alg,omitempty"`
	Content string `json:"enc,omitempty"`
}

// Registration is what an app that registered itself said of itself. Nobody has
// checked it.
type Registration struct {
	// ClientID is the client_id that the app uses: a URL (client ID metadata
	// document), or what dynamic registration gave it. App.ID stands for it
	// within this server.
	ClientID string `json:"client_id"`
	// Document marks a client ID metadata document.
	Document bool `json:"document,omitempty"`
	// Digest is the SHA-256 of the metadata. ChangedAt is when it last changed:
	// what was allowed up to then is asked again.
	Digest    []byte    `json:"digest,omitempty"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
	// Native and Web are the application_type, when the app said one (OpenID
	// Connect Registration §2).
	Native bool `json:"native,omitempty"`
	Web    bool `json:"web,omitempty"`
	// LogoURI, PolicyURI and TermsURI are https URLs.
	LogoURI   string `json:"logo_uri,omitempty"`
	PolicyURI string `json:"policy_uri,omitempty"`
	TermsURI  string `json:"tos_uri,omitempty"`
	// SectorURI is where the app's sector was read (sector_identifier_uri), InitiateURI
	// where someone else may send people to sign in at the app (initiate_login_uri);
	// both https.
	SectorURI   string `json:"sector_identifier_uri,omitempty"`
	InitiateURI string `json:"initiate_login_uri,omitempty"`
	// Contacts are ways to reach whoever is responsible, and AuthTime says that the app
	// wants auth_time, which every ID token has.
	Contacts []string `json:"contacts,omitempty"`
	AuthTime bool     `json:"require_auth_time,omitempty"`
	// Token is the SHA-256 of the registration access token (RFC 7592).
	Token []byte `json:"token,omitempty"`
	// ExpiresAt is when the app is gone if it was never used by then.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// DeletedAt is when the app was deleted, by itself (RFC 7592 §2.3) or by the owner. The row stays
	// until ExpiresAt, since the client_id alone would bring the app back.
	DeletedAt time.Time `json:"deleted_at,omitzero"`
}

// Method returns how the app proves itself.
func (a *App) Method() AuthMethod {
	if a.Public {
		return AuthNone
	}
	return a.Settings.Auth
}

// ClientID returns the client_id that the app is known by outside.
func (a *App) ClientID() string {
	if r := a.Settings.Registration; r != nil {
		return r.ClientID
	}
	return string(a.ID)
}

// MayUse reports whether the app may use a grant. By default it may use codes
// and refresh tokens; a sandbox app may also try client credentials (unless it
// is public) and the device grant. With ProfileFAPI2 none may that goes around the
// pushed request of an app that proves itself.
func (a *App) MayUse(g GrantType) bool {
	if a.Settings.Profile == ProfileFAPI2 && (g == GrantDevice || g == GrantAssertion) {
		return false
	}
	if len(a.Settings.Grants) > 0 {
		return slices.Contains(a.Settings.Grants, g)
	}
	switch g {
	case GrantCode, GrantRefresh:
		return true
	case GrantDevice:
		return a.Sandbox
	case GrantClient:
		return a.Sandbox && !a.Public
	}
	return false
}
