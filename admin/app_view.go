package admin

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// AppView is an app as --json prints it: what RFC 7591 §2 and its kin have a name
// for, under that name.
type AppView struct {
	ClientID string `json:"client_id"`
	// ClientSecret is set only by the command that made it.
	ClientSecret string `json:"client_secret,omitempty"`
	// WebhookSecret likewise.
	WebhookSecret string   `json:"webhook_secret,omitempty"`
	Name          string   `json:"name"`
	Home          string   `json:"home,omitempty"`
	Public        bool     `json:"public"`
	Profile       string   `json:"profile"`
	RedirectURIs  []string `json:"redirect_uris"`
	Scope         string   `json:"scope"`
	Rotation      string   `json:"rotation"`
	RequirePKCE   bool     `json:"require_pkce"`
	Sandbox       bool     `json:"sandbox"`
	// Owner is the id of the account that may manage it.
	Owner symbolon.AccountID `json:"owner,omitempty"`
	// Status is live or test, and TestAccounts are those that may connect it in test.
	Status       string               `json:"status"`
	TestAccounts []symbolon.AccountID `json:"test_accounts,omitempty"`
	CreatedAt    Stamp                `json:"created_at"`
	Secrets      []SecretView         `json:"secrets"`
	SettingsView
	// Loosened are the rules that its profile loosens for it, by name.
	Loosened []string `json:"-"`
}

// SecretView is a live secret as --json prints it: never the secret itself.
type SecretView struct {
	ID        string `json:"id"`
	CreatedAt Stamp  `json:"created_at"`
	// UsedAt is when it was last used, to within symbolon.SecretUsePrecision.
	UsedAt Stamp `json:"used_at"`
}

// SettingsView is the part of an app that its owner need not decide.
type SettingsView struct {
	AuthMethod string               `json:"token_endpoint_auth_method"`
	GrantTypes []symbolon.GrantType `json:"grant_types"`
	JWKS       json.RawMessage      `json:"jwks,omitempty"`
	JWKSURI    string               `json:"jwks_uri,omitempty"`

	SubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	SANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	SANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	SANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	SANEmail  string `json:"tls_client_auth_san_email,omitempty"`
	// TLSSubject is the one of these that is set, as the flag takes it.
	TLSSubject string `json:"-"`

	DPoPBound     bool `json:"dpop_bound_access_tokens,omitempty"`
	TLSBound      bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	RequirePAR    bool `json:"require_pushed_authorization_requests,omitempty"`
	RequireSigned bool `json:"require_signed_request_object,omitempty"`

	RequestURIs           []string `json:"request_uris,omitempty"`
	ResponseAlg           string   `json:"authorization_signed_response_alg,omitempty"`
	RequireSignedResponse bool     `json:"require_signed_response,omitempty"`

	AuthAlg         string `json:"token_endpoint_auth_signing_alg,omitempty"`
	RequestAlg      string `json:"request_object_signing_alg,omitempty"`
	IDTokenKey      string `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenContent  string `json:"id_token_encrypted_response_enc,omitempty"`
	UserinfoKey     string `json:"userinfo_encrypted_response_alg,omitempty"`
	UserinfoContent string `json:"userinfo_encrypted_response_enc,omitempty"`

	IDTokenAlg    string   `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg   string   `json:"userinfo_signed_response_alg,omitempty"`
	SubjectType   string   `json:"subject_type,omitempty"`
	DefaultMaxAge int64    `json:"default_max_age,omitempty"`
	DefaultACR    []string `json:"default_acr_values,omitempty"`

	PostLogoutURIs     []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelURI     string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelSession bool     `json:"backchannel_logout_session_required,omitempty"`

	// These have no name elsewhere.
	Sector              string              `json:"sector,omitempty"`
	Resources           []string            `json:"resources,omitempty"`
	TokenFormat         string              `json:"token_format,omitempty"`
	API                 bool                `json:"api,omitempty"`
	APIResources        []string            `json:"api_resources,omitempty"`
	SignedIntrospection bool                `json:"signed_introspection,omitempty"`
	ExchangeFor         []symbolon.ClientID `json:"exchange_for,omitempty"`
	Impersonate         bool                `json:"impersonate,omitempty"`
	OneConnection       bool                `json:"one_connection,omitempty"`
	WebhookURL          string              `json:"webhook_url,omitempty"`
	WebhookEvents       []string            `json:"webhook_events,omitempty"`
	Registration        *RegistrationView   `json:"registration,omitempty"`
}

// RegistrationView is what an app that registered itself said of itself.
type RegistrationView struct {
	ClientID        string   `json:"client_id"`
	ByDocument      bool     `json:"client_id_metadata_document"`
	ApplicationType string   `json:"application_type"`
	LogoURI         string   `json:"logo_uri,omitempty"`
	PolicyURI       string   `json:"policy_uri,omitempty"`
	TermsURI        string   `json:"tos_uri,omitempty"`
	SectorURI       string   `json:"sector_identifier_uri,omitempty"`
	InitiateURI     string   `json:"initiate_login_uri,omitempty"`
	Contacts        []string `json:"contacts,omitempty"`
	AuthTime        bool     `json:"require_auth_time,omitempty"`
	ExpiresAt       Stamp    `json:"expires_at"`
}

// ViewApp returns what is shown of an app.
func ViewApp(app *symbolon.App) AppView {
	v := AppView{
		ClientID:     string(app.ID),
		Name:         app.Name,
		Home:         app.Home,
		Public:       app.Public,
		Profile:      app.Settings.Profile.String(),
		RedirectURIs: append([]string{}, app.RedirectURIs...),
		Scope:        app.Scope.String(),
		Rotation:     string(app.Rotation),
		RequirePKCE:  app.RequirePKCE,
		Sandbox:      app.Sandbox,
		Owner:        app.Owner,
		Status:       app.Settings.Status.String(),
		TestAccounts: app.Settings.TestAccounts,
		CreatedAt:    Stamp(app.CreatedAt),
		Secrets:      []SecretView{},
		SettingsView: viewSettings(app),
	}
	for _, l := range Loosened(app) {
		v.Loosened = append(v.Loosened, l.Name)
	}
	for _, s := range app.Secrets {
		v.Secrets = append(v.Secrets, SecretView{ID: s.ID, CreatedAt: Stamp(s.CreatedAt), UsedAt: Stamp(s.UsedAt)})
	}
	return v
}

func viewSettings(app *symbolon.App) SettingsView {
	s := &app.Settings
	v := SettingsView{
		AuthMethod: string(app.Method()), GrantTypes: []symbolon.GrantType{}, JWKSURI: s.KeysURI,
		DPoPBound: s.BoundTokens, TLSBound: s.TLSTokens, RequirePAR: s.RequirePAR, RequireSigned: s.RequireSigned,
		RequestURIs: s.RequestURIs, ResponseAlg: s.ResponseSigning, RequireSignedResponse: s.RequireSignedResponse,
		Resources: s.Resources, TokenFormat: string(s.Token), API: s.API, APIResources: s.APIResources,
		SignedIntrospection: s.SignedIntrospection, ExchangeFor: s.ExchangeFor, Impersonate: s.Impersonate,
	}
	v.IDTokenAlg, v.UserinfoAlg, v.DefaultMaxAge = s.OpenID.IDTokenSigning, s.OpenID.UserinfoSigning, s.OpenID.DefaultMaxAge
	v.PostLogoutURIs, v.BackchannelURI, v.BackchannelSession = s.OpenID.PostLogoutRedirectURIs, s.OpenID.BackchannelLogoutURI, s.OpenID.BackchannelLogoutSessionRequired
	v.AuthAlg, v.RequestAlg = s.AuthSigning, s.RequestSigning
	v.IDTokenKey, v.IDTokenContent = encryptionNames(s.OpenID.IDTokenEncryption)
	v.UserinfoKey, v.UserinfoContent = encryptionNames(s.OpenID.UserinfoEncryption)
	v.DefaultACR = s.OpenID.DefaultACR
	v.OneConnection = s.OneConnection
	if s.Webhook != nil {
		v.WebhookURL = s.Webhook.URL
		for _, kind := range s.Webhook.Kinds() {
			v.WebhookEvents = append(v.WebhookEvents, string(kind))
		}
	}
	if s.OpenID.Pairwise {
		v.SubjectType, v.Sector = "pairwise", s.OpenID.Sector
	}
	if v.AuthMethod == "" {
		v.AuthMethod = AuthSecret
	}
	for _, g := range GrantNames {
		if app.MayUse(g.Grant) {
			v.GrantTypes = append(v.GrantTypes, g.Grant)
		}
	}
	if json.Valid([]byte(s.Keys)) {
		v.JWKS = json.RawMessage(s.Keys)
	}
	v.TLSSubject = s.TLSSubject
	kind, value, _ := strings.Cut(s.TLSSubject, ":")
	if field, ok := map[string]*string{"dn": &v.SubjectDN, "dns": &v.SANDNS, "uri": &v.SANURI, "ip": &v.SANIP, "email": &v.SANEmail}[kind]; ok {
		*field = value
	}
	if r := s.Registration; r != nil {
		v.Registration = &RegistrationView{
			ClientID: r.ClientID, ByDocument: r.Document, ApplicationType: "web",
			LogoURI: r.LogoURI, PolicyURI: r.PolicyURI, TermsURI: r.TermsURI, ExpiresAt: Stamp(r.ExpiresAt),
			SectorURI: r.SectorURI, InitiateURI: r.InitiateURI, Contacts: r.Contacts, AuthTime: r.AuthTime,
		}
		if r.Native {
			v.Registration.ApplicationType = "native"
		}
	}
	return v
}

// encryptionNames are both names of an encryption, or neither.
func encryptionNames(how symbolon.Encryption) (key, content string) {
	if how.Key == "" {
		return "", ""
	}
	return how.Key, cmp.Or(how.Content, jwt.DefaultContent)
}

// Stamp is a time as programs read it: null while it is zero.
type Stamp time.Time

// MarshalJSON writes RFC 3339, or null.
func (s Stamp) MarshalJSON() ([]byte, error) {
	if time.Time(s).IsZero() {
		return []byte("null"), nil
	}
	return time.Time(s).UTC().MarshalJSON()
}
