package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/webhook"
)

// AppEdit are changes of an app, by the names that AppView shows. What is nil stays as
// it is; an empty value takes away.
type AppEdit struct {
	Name         *string             `json:"name"`
	Home         *string             `json:"home"`
	RedirectURIs *[]string           `json:"redirect_uris"`
	Scope        *string             `json:"scope"`
	Rotation     *symbolon.Rotation  `json:"rotation"`
	RequirePKCE  *bool               `json:"require_pkce"`
	Owner        *symbolon.AccountID `json:"owner"`
	// Status is live or test.
	Status       *string               `json:"status"`
	TestAccounts *[]symbolon.AccountID `json:"test_accounts"`

	Profile    *string         `json:"profile"`
	AuthMethod *string         `json:"token_endpoint_auth_method"`
	JWKS       json.RawMessage `json:"jwks"`
	// Keys is JWKS as text.
	Keys    *string `json:"-"`
	JWKSURI *string `json:"jwks_uri"`
	// TLSSubject is one of dn:, dns:, uri:, ip: or email: and the value.
	TLSSubject *string   `json:"tls_subject"`
	GrantTypes *[]string `json:"grant_types"`

	DPoPBound             *bool     `json:"dpop_bound_access_tokens"`
	TLSBound              *bool     `json:"tls_client_certificate_bound_access_tokens"`
	RequirePAR            *bool     `json:"require_pushed_authorization_requests"`
	RequireSigned         *bool     `json:"require_signed_request_object"`
	RequestURIs           *[]string `json:"request_uris"`
	ResponseAlg           *string   `json:"authorization_signed_response_alg"`
	RequireSignedResponse *bool     `json:"require_signed_response"`
	AuthAlg               *string   `json:"token_endpoint_auth_signing_alg"`
	RequestAlg            *string   `json:"request_object_signing_alg"`
	IDTokenAlg            *string   `json:"id_token_signed_response_alg"`
	UserinfoAlg           *string   `json:"userinfo_signed_response_alg"`
	// An encryption is the algorithm of the key and, behind a slash, that of what is in
	// it.
	IDTokenEncryption  *string `json:"id_token_encryption"`
	UserinfoEncryption *string `json:"userinfo_encryption"`

	// SubjectType is public or pairwise; Pairwise is the same as a flag.
	SubjectType        *string   `json:"subject_type"`
	Pairwise           *bool     `json:"-"`
	Sector             *string   `json:"sector"`
	DefaultMaxAge      *int64    `json:"default_max_age"`
	DefaultACR         *[]string `json:"default_acr_values"`
	PostLogoutURIs     *[]string `json:"post_logout_redirect_uris"`
	BackchannelURI     *string   `json:"backchannel_logout_uri"`
	BackchannelSession *bool     `json:"backchannel_logout_session_required"`

	Resources           *[]string            `json:"resources"`
	TokenFormat         *string              `json:"token_format"`
	API                 *bool                `json:"api"`
	APIResources        *[]string            `json:"api_resources"`
	SignedIntrospection *bool                `json:"signed_introspection"`
	ExchangeFor         *[]symbolon.ClientID `json:"exchange_for"`
	Impersonate         *bool                `json:"impersonate"`

	OneConnection *bool `json:"one_connection"`
	// WebhookURL takes the webhook away where it is empty. WebhookEvents are names with
	// or without "connection." in front; empty is all but refreshed.
	WebhookURL    *string   `json:"webhook_url"`
	WebhookEvents *[]string `json:"webhook_events"`
	// RotateWebhookSecret asks for another secret: whoever applies the edit makes it.
	RotateWebhookSecret bool `json:"rotate_webhook_secret"`
}

// Apply makes the changes that are named. It returns whether there were any, and the
// flags of the command line for what a profile has set beside.
func (c *AppEdit) Apply(app *symbolon.App) (changed bool, implied []string, err error) {
	if c.Scope != nil {
		if app.Scope, err = ParseScope(*c.Scope); err != nil {
			return false, nil, err
		}
		changed = true
	}
	if c.Rotation != nil && *c.Rotation != symbolon.RotateAlways && *c.Rotation != symbolon.RotateNever {
		return false, nil, fault("rotation is always or never, and not %q", printable(string(*c.Rotation)))
	}
	set(&app.Name, c.Name, &changed)
	set(&app.Home, c.Home, &changed)
	set(&app.Rotation, c.Rotation, &changed)
	set(&app.RequirePKCE, c.RequirePKCE, &changed)
	set(&app.Owner, c.Owner, &changed)
	setList(&app.RedirectURIs, c.RedirectURIs, &changed)
	if c.Status != nil {
		if *c.Status != symbolon.StatusLive.String() && *c.Status != string(symbolon.StatusTest) {
			return false, nil, fault("the status of an app is live or test, and not %q", printable(*c.Status))
		}
		app.Settings.Status, changed = symbolon.AppStatus(strings.TrimPrefix(*c.Status, symbolon.StatusLive.String())), true
	}
	setList(&app.Settings.TestAccounts, c.TestAccounts, &changed)
	more, implied, err := c.applySettings(app)
	return changed || more, implied, err
}

func (c *AppEdit) applySettings(app *symbolon.App) (changed bool, implied []string, err error) {
	s := &app.Settings
	if c.AuthMethod != nil {
		if err := setAuth(app, *c.AuthMethod); err != nil {
			return false, nil, err
		}
		changed = true
	}
	if c.Profile != nil {
		if !known(*c.Profile) {
			return false, nil, fault("the profiles are oauth2.1, fapi2 and legacy, and not %q", printable(*c.Profile))
		}
		set(&s.TLSTokens, c.TLSBound, &changed)
		implied, changed = AdoptProfile(app, *c.Profile), true
	}
	if c.JWKS != nil {
		text := string(bytes.TrimSpace(c.JWKS))
		if text == "null" {
			text = ""
		} else if _, err := jwt.ParseSet(c.JWKS); err != nil || len(text) > jwt.MaxSet {
			return false, nil, fault("jwks is not a JWK Set of public keys of at most %d KiB; the private keys stay with the app", jwt.MaxSet>>10)
		}
		c.Keys = &text
	}
	if c.GrantTypes != nil {
		if s.Grants, err = ParseGrants(*c.GrantTypes); err != nil {
			return false, nil, err
		}
		changed = true
	}
	if c.TokenFormat != nil {
		switch format := symbolon.TokenFormat(strings.TrimPrefix(*c.TokenFormat, "default")); format {
		case symbolon.TokenDefault, symbolon.TokenSealed, symbolon.TokenJWT:
			s.Token, changed = format, true
		default:
			return false, nil, fault("the format of tokens is default, sealed or jwt, and not %q", printable(*c.TokenFormat))
		}
	}
	if c.SubjectType != nil {
		pairwise := *c.SubjectType == "pairwise"
		if !pairwise && *c.SubjectType != "public" {
			return false, nil, fault("subject_type is public or pairwise, and not %q", printable(*c.SubjectType))
		}
		c.Pairwise = &pairwise
	}
	o := &s.OpenID
	set(&s.Keys, c.Keys, &changed)
	set(&s.KeysURI, c.JWKSURI, &changed)
	set(&s.TLSSubject, c.TLSSubject, &changed)
	set(&s.API, c.API, &changed)
	set(&s.BoundTokens, c.DPoPBound, &changed)
	set(&s.TLSTokens, c.TLSBound, &changed)
	set(&s.RequirePAR, c.RequirePAR, &changed)
	set(&s.RequireSigned, c.RequireSigned, &changed)
	set(&s.RequireSignedResponse, c.RequireSignedResponse, &changed)
	set(&s.ResponseSigning, c.ResponseAlg, &changed)
	set(&s.SignedIntrospection, c.SignedIntrospection, &changed)
	set(&s.Impersonate, c.Impersonate, &changed)
	set(&s.OneConnection, c.OneConnection, &changed)
	if err := c.applyWebhook(s, &changed); err != nil {
		return false, nil, err
	}
	set(&s.RequestSigning, c.RequestAlg, &changed)
	set(&s.AuthSigning, c.AuthAlg, &changed)
	set(&o.IDTokenSigning, c.IDTokenAlg, &changed)
	set(&o.UserinfoSigning, c.UserinfoAlg, &changed)
	setEncryption(&o.IDTokenEncryption, c.IDTokenEncryption, &changed)
	setEncryption(&o.UserinfoEncryption, c.UserinfoEncryption, &changed)
	set(&o.Pairwise, c.Pairwise, &changed)
	set(&o.Sector, c.Sector, &changed)
	set(&o.DefaultMaxAge, c.DefaultMaxAge, &changed)
	set(&o.BackchannelLogoutURI, c.BackchannelURI, &changed)
	set(&o.BackchannelLogoutSessionRequired, c.BackchannelSession, &changed)
	setList(&o.PostLogoutRedirectURIs, c.PostLogoutURIs, &changed)
	setList(&o.DefaultACR, c.DefaultACR, &changed)
	setList(&s.Resources, c.Resources, &changed)
	setList(&s.RequestURIs, c.RequestURIs, &changed)
	setList(&s.APIResources, c.APIResources, &changed)
	setList(&s.ExchangeFor, c.ExchangeFor, &changed)
	return changed, implied, nil
}

func known(profile string) bool {
	for _, p := range Profiles {
		if p.String() == profile {
			return true
		}
	}
	return false
}

func set[T any](field *T, value *T, changed *bool) {
	if value != nil {
		*field, *changed = *value, true
	}
}

func setList[T any](field *[]T, list *[]T, changed *bool) {
	if list != nil {
		*field, *changed = *list, true
		if len(*list) == 0 {
			*field = nil
		}
	}
}

// setEncryption sets how something is encrypted to an app: the algorithm of the key, and
// behind a slash that of what is in it.
func setEncryption(field *symbolon.Encryption, text *string, changed *bool) {
	if text == nil {
		return
	}
	key, content, _ := strings.Cut(*text, "/")
	if content == jwt.DefaultContent {
		content = ""
	}
	*field, *changed = symbolon.Encryption{Key: key, Content: content}, true
}

// DecodeStrict reads one JSON object into v, which must have a field for each member.
func DecodeStrict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fault("the body is not the JSON object that is described: %s", printable(strings.TrimPrefix(fmt.Sprint(err), "json: ")))
	}
	if d.More() {
		return fault("there is something behind the JSON object")
	}
	return nil
}

// applyWebhook makes the changes to an app's webhook that are named.
func (c *AppEdit) applyWebhook(s *symbolon.Settings, changed *bool) error {
	if c.WebhookURL == nil && c.WebhookEvents == nil && !c.RotateWebhookSecret {
		return nil
	}
	*changed = true
	h := symbolon.Webhook{}
	if s.Webhook != nil {
		h = *s.Webhook
	}
	if c.WebhookURL != nil {
		if h.URL = *c.WebhookURL; h.URL == "" {
			s.Webhook = nil
			return nil
		}
	}
	if h.URL == "" {
		return mend(fault("the app has no webhook"), "name its URL as well")
	}
	if c.WebhookEvents != nil {
		kinds, err := webhook.ParseKinds(*c.WebhookEvents)
		if err != nil {
			return mend(fault("there is no such event of a webhook"), "the events are %s", strings.Join(eventNames(), ", "))
		}
		h.Events = kinds
	}
	s.Webhook = &h
	return nil
}

func eventNames() []string {
	var names []string
	for _, kind := range symbolon.EventKinds() {
		names = append(names, strings.TrimPrefix(string(kind), "connection."))
	}
	return names
}
