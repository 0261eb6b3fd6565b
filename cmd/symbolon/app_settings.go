package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/jwt"
)

// settingFlags are what an owner may decide about an app beside what every app
// has. Each that is not given leaves the app as it is.
type settingFlags struct {
	Profile             *string  `enum:"oauth2.1,fapi2,legacy" help:"The rules that the app is held to. “oauth2.1”: those for all, the default. “fapi2”: the FAPI 2.0 Security Profile; it sets what it implies. “legacy”: a few rules are loosened, for an old client. “symbolon app check” tells more."`
	Auth                *string  `placeholder:"METHOD" help:"How the app proves itself: client_secret (in HTTP Basic or in the body), client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, or none for a public app."`
	Keys                *string  `placeholder:"FILE" help:"The app's public keys, a JWK Set; empty for none."`
	KeysURI             *string  `name:"keys-uri" placeholder:"URL" help:"Where the app publishes its JWK Set instead, https; empty for none."`
	TLSSubject          *string  `name:"tls-subject" placeholder:"KIND:VALUE" help:"What the app's certificate must say, for tls_client_auth: dn:, dns:, uri:, ip: or email: and the value; empty for none."`
	Grants              []string `name:"grant" sep:"none" placeholder:"GRANT" help:"A grant that the app may use: code, refresh, client_credentials, device, token-exchange, jwt-bearer, implicit, or its full name. Repeat it for several; empty for code and refresh."`
	Resources           []string `name:"resource" sep:"none" placeholder:"URI" help:"An API that the app may ask tokens for. Repeat it for several; empty for all."`
	TokenFormat         *string  `enum:"default,sealed,jwt" help:"The app's access tokens. “sealed”: only this server reads them. “jwt”: an API can check them by itself. “default”: as the API that they are for says, or else sealed."`
	API                 *bool    `name:"api" negatable:"" help:"The app is an API of yours: it may introspect every token that is for it."`
	APIResources        []string `name:"api-resource" sep:"none" placeholder:"URI" help:"The API that the app is. Repeat it for several; empty for the tokens that name none."`
	BoundTokens         *bool    `negatable:"" help:"Give the app only tokens that are bound to a key of it, by DPoP or by its certificate."`
	TLSTokens           *bool    `name:"tls-tokens" negatable:"" help:"Bind the app's tokens to its TLS certificate."`
	RequirePAR          *bool    `name:"require-par" negatable:"" help:"Refuse authorization requests that were not pushed."`
	RequireSigned       *bool    `negatable:"" help:"Refuse authorization requests that the app did not sign."`
	RequireSignedAnswer *bool    `name:"require-signed-response" negatable:"" help:"Refuse authorization requests that do not ask for a signed answer (response_mode=jwt)."`
	ResponseAlg         *string  `name:"response-alg" placeholder:"ALG" help:"How answers to authorization requests are signed that ask for it: RS256 (the default), ES256, PS256 or EdDSA."`
	RequestURIs         []string `name:"request-uri" sep:"none" placeholder:"URL" help:"Where the app keeps a signed request of its own, https, which it may name by request_uri. Repeat it for several; empty for none."`
	SignedIntrospection *bool    `negatable:"" help:"Sign what introspection answers the app."`
	IDTokenAlg          *string  `name:"id-token-alg" placeholder:"ALG" help:"How ID tokens for the app are signed: RS256 (the default), ES256, PS256 or EdDSA."`
	UserinfoAlg         *string  `name:"userinfo-alg" placeholder:"ALG" help:"Sign what userinfo answers the app: RS256, ES256, PS256 or EdDSA; empty for plain JSON."`
	IDTokenEncryption   *string  `name:"id-token-encryption" placeholder:"ALG/ENC" help:"Encrypt ID tokens to the app's own key, by RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW or ECDH-ES+A256KW, and after a slash A128CBC-HS256 (the default), A256CBC-HS512, A128GCM or A256GCM; empty for not at all."`
	UserinfoEncryption  *string  `name:"userinfo-encryption" placeholder:"ALG/ENC" help:"Encrypt what userinfo answers the app, by the same; empty for not at all."`
	RequestAlg          *string  `name:"request-alg" placeholder:"ALG" help:"The only algorithm that the app signs its authorization requests by: ES256, RS256, PS256 or EdDSA; empty for each of these."`
	AuthAlg             *string  `name:"auth-alg" placeholder:"ALG" help:"The only algorithm that the app proves itself by, with private_key_jwt: one of the same; empty for each."`
	Pairwise            *bool    `negatable:"" help:"The app knows each person by a name (sub) that apps of other sectors cannot tell to be the same person's."`
	Sector              *string  `placeholder:"HOST" help:"The host that stands for the app's sector, with --pairwise; the one of its redirect URIs, when it is left out."`
	DefaultACR          []string `name:"default-acr" sep:"none" placeholder:"ACR" help:"How people had better sign in, the best way first, where a request with the scope openid does not say: 2 or phr. Repeat it for several; empty for any."`
	DefaultMaxAge       *int64   `placeholder:"SECONDS" help:"How long ago a person may have signed in, where a request with the scope openid does not say; 0 is without limit."`
	PostLogoutURIs      []string `name:"post-logout-redirect-uri" sep:"none" placeholder:"URI" help:"Where people may be sent back to after they signed out. Repeat it for several; empty for none."`
	BackchannelURI      *string  `name:"backchannel-logout-uri" placeholder:"URL" help:"Where the app is told that a person's session has ended, https; empty for none."`
	BackchannelSession  *bool    `name:"backchannel-logout-session-required" negatable:"" help:"The app wants to be told which session has ended; it is in either case."`
	ExchangeFor         []string `name:"exchange-for" sep:"none" placeholder:"CLIENT_ID" help:"An app whose tokens this one may exchange, or * for all. Repeat it for several; empty for none."`
	Impersonate         *bool    `negatable:"" help:"The app may exchange tokens without saying in them that it acts."`
	OneConnection       *bool    `negatable:"" help:"An account has one connection to the app at a time: a newer one replaces it."`
	WebhookURL          *string  `name:"webhook-url" placeholder:"URL" help:"Where you are told what happens to the app's connections, https; empty for nowhere."`
	WebhookEvents       []string `name:"webhook-event" sep:"none" placeholder:"EVENT" help:"What to tell: connected, refreshed, failing, expiring, ended or replayed. Repeat it for several; empty for all but refreshed."`
	WebhookRotate       bool     `name:"webhook-rotate-secret" help:"Make a new secret for the webhook and print it, once. The old one signs as well for a day."`
	RootKeyFile         string   `setting:"root_key_file" placeholder:"FILE" help:"Root key, as the server has it; only a webhook's secret needs it."`

	Status       *string  `enum:"live,test" help:"“live”: every account may connect the app, the default. “test”: its owner and its test accounts alone."`
	TestAccounts []string `name:"test-account" sep:"none" placeholder:"USERNAME" help:"An account that may connect the app while it is in test. Repeat it for several; empty for none."`

	// implied are the flags that Profile stands for and that were not so before.
	implied []string
}

// apply makes the changes that were named, and reports whether there were any.
func (c *settingFlags) apply(app *symbolon.App) (changed bool, err error) {
	edit := admin.AppEdit{
		Profile: c.Profile, AuthMethod: c.Auth, JWKSURI: c.KeysURI, TLSSubject: c.TLSSubject, GrantTypes: givenList(c.Grants), Resources: givenList(c.Resources),
		TokenFormat: c.TokenFormat, API: c.API, APIResources: givenList(c.APIResources), DPoPBound: c.BoundTokens, TLSBound: c.TLSTokens,
		RequirePAR: c.RequirePAR, RequireSigned: c.RequireSigned, RequireSignedResponse: c.RequireSignedAnswer, ResponseAlg: c.ResponseAlg,
		RequestURIs: givenList(c.RequestURIs), SignedIntrospection: c.SignedIntrospection, IDTokenAlg: c.IDTokenAlg, UserinfoAlg: c.UserinfoAlg,
		IDTokenEncryption: c.IDTokenEncryption, UserinfoEncryption: c.UserinfoEncryption, RequestAlg: c.RequestAlg, AuthAlg: c.AuthAlg,
		Pairwise: c.Pairwise, Sector: c.Sector, DefaultACR: givenList(c.DefaultACR), DefaultMaxAge: c.DefaultMaxAge, PostLogoutURIs: givenList(c.PostLogoutURIs),
		BackchannelURI: c.BackchannelURI, BackchannelSession: c.BackchannelSession, Impersonate: c.Impersonate, Status: c.Status,
		OneConnection: c.OneConnection, WebhookURL: c.WebhookURL, WebhookEvents: givenList(c.WebhookEvents), RotateWebhookSecret: c.WebhookRotate,
	}
	if list := listFlag(c.ExchangeFor); list != nil {
		ids := []symbolon.ClientID{}
		for _, id := range list {
			ids = append(ids, symbolon.ClientID(id))
		}
		edit.ExchangeFor = &ids
	}
	if c.Keys != nil {
		text, err := readKeys(*c.Keys)
		if err != nil {
			return false, err
		}
		edit.Keys = &text
	}
	changed, c.implied, err = edit.Apply(app)
	return changed, err
}

// givenList is listFlag for an edit.
func givenList(values []string) *[]string {
	if list := listFlag(values); list != nil {
		return &list
	}
	return nil
}

// testAccounts reads --test-account into an app, and reports whether it was given.
func (c *settingFlags) testAccounts(sh *shell, d *desk, app *symbolon.App) (bool, error) {
	list := listFlag(c.TestAccounts)
	if list == nil {
		return false, nil
	}
	app.Settings.TestAccounts = nil
	for _, name := range list {
		account, err := d.account(sh, name)
		if err != nil {
			return false, err
		}
		app.Settings.TestAccounts = append(app.Settings.TestAccounts, account.ID)
	}
	return true, nil
}

// listFlag returns the values of a flag that may be repeated: nil when it was not
// given, and an empty list when it was given empty.
func listFlag(values []string) []string {
	if len(values) == 1 && values[0] == "" {
		return []string{}
	}
	return values
}

// readKeys reads the file with an app's public keys.
func readKeys(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	if info, err := os.Stat(path); err == nil && info.Size() > jwt.MaxSet {
		return "", fmt.Errorf("%s is longer than %d KiB", path, jwt.MaxSet>>10)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", mend(fmt.Errorf("there is no file %s", path), "--keys names a file with the app's public keys, a JWK Set; --keys-uri takes a URL")
	}
	if err != nil {
		return "", fmt.Errorf("the keys cannot be read: %w", err)
	}
	if _, err := jwt.ParseSet(text); err != nil {
		return "", mend(fmt.Errorf("%s: %s", path, detail(err)), "it must be a JWK Set of public keys, {\"keys\":[…]}; the private keys stay with the app")
	}
	return string(text), nil
}
