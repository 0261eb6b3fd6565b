package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// appView is an app as --json prints it: what RFC 7591 §2 and its kin have a name
// for, under that name.
type appView struct {
	ClientID string `json:"client_id"`
	// ClientSecret is set only by the command that made it.
	ClientSecret  string       `json:"client_secret,omitempty"`
	WebhookSecret string       `json:"webhook_secret,omitempty"`
	Name          string       `json:"name"`
	Home          string       `json:"home,omitempty"`
	Public        bool         `json:"public"`
	Profile       string       `json:"profile"`
	RedirectURIs  []string     `json:"redirect_uris"`
	Scope         string       `json:"scope"`
	Rotation      string       `json:"rotation"`
	RequirePKCE   bool         `json:"require_pkce"`
	Sandbox       bool         `json:"sandbox"`
	CreatedAt     stamp        `json:"created_at"`
	Secrets       []secretView `json:"secrets"`
	settingsView
	// loosened are the rules that its profile loosens for it, by name.
	loosened []string
}

// secretView is a live secret as --json prints it: never the secret itself.
type secretView struct {
	ID        string `json:"id"`
	CreatedAt stamp  `json:"created_at"`
}

// settingsView is the part of an app that its owner need not decide.
type settingsView struct {
	AuthMethod string               `json:"token_endpoint_auth_method"`
	GrantTypes []symbolon.GrantType `json:"grant_types"`
	JWKS       json.RawMessage      `json:"jwks,omitempty"`
	JWKSURI    string               `json:"jwks_uri,omitempty"`

	SubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	SANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	SANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	SANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	SANEmail  string `json:"tls_client_auth_san_email,omitempty"`
	// tlsSubject is the one of these that is set, as the flag takes it.
	tlsSubject string

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
	Registration        *registrationView   `json:"registration,omitempty"`
}

// registrationView is what an app that registered itself said of itself.
type registrationView struct {
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
	ExpiresAt       stamp    `json:"expires_at"`
}

func viewApp(app *symbolon.App) appView {
	v := appView{
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
		CreatedAt:    stamp(app.CreatedAt),
		Secrets:      []secretView{},
		settingsView: viewSettings(app),
	}
	for _, l := range loosened(app) {
		v.loosened = append(v.loosened, l.Name)
	}
	for _, s := range app.Secrets {
		v.Secrets = append(v.Secrets, secretView{ID: s.ID, CreatedAt: stamp(s.CreatedAt)})
	}
	return v
}

func viewSettings(app *symbolon.App) settingsView {
	s := &app.Settings
	v := settingsView{
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
		v.AuthMethod = authSecret
	}
	for _, g := range grantNames {
		if app.MayUse(g.grant) {
			v.GrantTypes = append(v.GrantTypes, g.grant)
		}
	}
	if json.Valid([]byte(s.Keys)) {
		v.JWKS = json.RawMessage(s.Keys)
	}
	v.tlsSubject = s.TLSSubject
	kind, value, _ := strings.Cut(s.TLSSubject, ":")
	if field, ok := map[string]*string{"dn": &v.SubjectDN, "dns": &v.SANDNS, "uri": &v.SANURI, "ip": &v.SANIP, "email": &v.SANEmail}[kind]; ok {
		*field = value
	}
	if r := s.Registration; r != nil {
		v.Registration = &registrationView{
			ClientID: r.ClientID, ByDocument: r.Document, ApplicationType: "web",
			LogoURI: r.LogoURI, PolicyURI: r.PolicyURI, TermsURI: r.TermsURI, ExpiresAt: stamp(r.ExpiresAt),
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

// print prints an app for people: what every app has, and what was decided
// otherwise than by default.
func (v *appView) print(sh *shell) error {
	kind := v.AuthMethod
	switch {
	case v.Public:
		kind = "public: no secret, PKCE required"
	case v.AuthMethod == authSecret:
		kind = "with a secret"
	}
	if v.RequirePKCE && !v.Public {
		kind += ", PKCE required"
	}
	rows := [][]string{
		{"client_id", v.ClientID},
		{"name", v.Name},
		{"home", orDash(v.Home)},
		{"kind", kind},
		{"profile", v.Profile},
		{"scope", orDash(v.Scope)},
		{"rotation", v.Rotation},
		{"created", whenStamp(v.CreatedAt)},
	}
	for i, uri := range v.RedirectURIs {
		rows = append(rows, []string{label(i, "redirect uri"), uri})
	}
	for i, s := range v.Secrets {
		rows = append(rows, []string{label(i, "secrets"), s.ID + "  made " + whenStamp(s.CreatedAt)})
	}
	for i, name := range v.loosened {
		rows = append(rows, []string{label(i, "loosened"), name})
	}
	rows = append(rows, v.rows()...)
	if v.ClientSecret != "" {
		rows = append(rows, []string{"client_secret", v.ClientSecret})
	}
	if v.WebhookSecret != "" {
		rows = append(rows, []string{"webhook secret", v.WebhookSecret})
	}
	return sh.printTable(rows)
}

func (v *settingsView) rows() [][]string {
	var rows [][]string
	add := func(name string, values ...string) {
		i := 0
		for _, value := range values {
			if value != "" {
				rows = append(rows, []string{label(i, name), value})
				i++
			}
		}
	}
	on := func(name string, set bool) {
		if set {
			add(name, "yes")
		}
	}
	for i, g := range v.GrantTypes {
		rows = append(rows, []string{label(i, "grants"), string(g)})
	}
	if len(v.JWKS) > 0 {
		add("keys", "a set of its own, in --json")
	}
	add("keys uri", v.JWKSURI)
	add("tls subject", v.tlsSubject)
	add("resources", v.Resources...)
	add("token format", v.TokenFormat)
	on("api", v.API)
	add("api resources", v.APIResources...)
	on("bound tokens", v.DPoPBound)
	on("tls tokens", v.TLSBound)
	on("pushed requests only", v.RequirePAR)
	on("signed requests only", v.RequireSigned)
	add("request uris", v.RequestURIs...)
	on("signed answers only", v.RequireSignedResponse)
	add("answers by", v.ResponseAlg)
	on("signed introspection", v.SignedIntrospection)
	add("proves itself by", v.AuthAlg)
	add("signs requests by", v.RequestAlg)
	add("id tokens by", v.IDTokenAlg)
	add("id tokens encrypted", strings.Trim(v.IDTokenKey+"/"+v.IDTokenContent, "/"))
	add("userinfo by", v.UserinfoAlg)
	add("userinfo encrypted", strings.Trim(v.UserinfoKey+"/"+v.UserinfoContent, "/"))
	add("pairwise within", v.Sector)
	add("default acr", v.DefaultACR...)
	if v.DefaultMaxAge > 0 {
		add("default max age", fmt.Sprintf("%d s", v.DefaultMaxAge))
	}
	add("after signing out", v.PostLogoutURIs...)
	add("told of sign-outs at", v.BackchannelURI)
	on("told which session", v.BackchannelSession)
	for i, id := range v.ExchangeFor {
		rows = append(rows, []string{label(i, "exchanges for"), string(id)})
	}
	on("impersonates", v.Impersonate)
	on("one connection each", v.OneConnection)
	add("told of events at", v.WebhookURL)
	add("told of", v.WebhookEvents...)
	if r := v.Registration; r != nil {
		add("registered itself as", r.ClientID)
		add("logo", r.LogoURI)
		add("policy", r.PolicyURI)
		add("terms", r.TermsURI)
		add("sector read at", r.SectorURI)
		add("signs people in at", r.InitiateURI)
		add("contacts", r.Contacts...)
	}
	return rows
}

// label is the label of a list's first row only.
func label(i int, s string) string {
	if i > 0 {
		return ""
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
