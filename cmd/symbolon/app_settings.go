package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/webhook"
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

	// implied are the flags that Profile stands for and that were not so before.
	implied []string
}

// authSecret is what AuthSecret is called here: it has no name of its own.
const authSecret = "client_secret"

// grantNames are the short names of the grants.
var grantNames = []struct {
	short string
	grant symbolon.GrantType
}{
	{"code", symbolon.GrantCode},
	{"refresh", symbolon.GrantRefresh},
	{"client_credentials", symbolon.GrantClient},
	{"device", symbolon.GrantDevice},
	{"token-exchange", symbolon.GrantExchange},
	{"jwt-bearer", symbolon.GrantAssertion},
	{"implicit", symbolon.GrantImplicit},
}

// apply makes the changes that were named, and reports whether there were any.
func (c *settingFlags) apply(app *symbolon.App) (changed bool, err error) {
	s := &app.Settings
	if c.Auth != nil {
		if err := setAuth(app, *c.Auth); err != nil {
			return false, err
		}
		changed = true
	}
	if c.Profile != nil {
		set(&s.TLSTokens, c.TLSTokens, &changed)
		c.implied, changed = adoptProfile(app, *c.Profile), true
	}
	if c.Keys != nil {
		if s.Keys, err = readKeys(*c.Keys); err != nil {
			return false, err
		}
		changed = true
	}
	if len(c.Grants) > 0 {
		if s.Grants, err = parseGrants(c.Grants); err != nil {
			return false, err
		}
		changed = true
	}
	if c.TokenFormat != nil {
		s.Token, changed = symbolon.TokenFormat(strings.TrimPrefix(*c.TokenFormat, "default")), true
	}
	if list := listFlag(c.ExchangeFor); list != nil {
		s.ExchangeFor, changed = nil, true
		for _, id := range list {
			s.ExchangeFor = append(s.ExchangeFor, symbolon.ClientID(id))
		}
	}
	set(&s.KeysURI, c.KeysURI, &changed)
	set(&s.TLSSubject, c.TLSSubject, &changed)
	set(&s.API, c.API, &changed)
	set(&s.BoundTokens, c.BoundTokens, &changed)
	set(&s.TLSTokens, c.TLSTokens, &changed)
	set(&s.RequirePAR, c.RequirePAR, &changed)
	set(&s.RequireSigned, c.RequireSigned, &changed)
	set(&s.RequireSignedResponse, c.RequireSignedAnswer, &changed)
	set(&s.ResponseSigning, c.ResponseAlg, &changed)
	set(&s.SignedIntrospection, c.SignedIntrospection, &changed)
	set(&s.Impersonate, c.Impersonate, &changed)
	set(&s.OpenID.IDTokenSigning, c.IDTokenAlg, &changed)
	set(&s.OpenID.UserinfoSigning, c.UserinfoAlg, &changed)
	set(&s.RequestSigning, c.RequestAlg, &changed)
	set(&s.AuthSigning, c.AuthAlg, &changed)
	setEncryption(&s.OpenID.IDTokenEncryption, c.IDTokenEncryption, &changed)
	setEncryption(&s.OpenID.UserinfoEncryption, c.UserinfoEncryption, &changed)
	set(&s.OpenID.Pairwise, c.Pairwise, &changed)
	set(&s.OpenID.Sector, c.Sector, &changed)
	set(&s.OpenID.DefaultMaxAge, c.DefaultMaxAge, &changed)
	setList(&s.OpenID.PostLogoutRedirectURIs, c.PostLogoutURIs, &changed)
	set(&s.OpenID.BackchannelLogoutURI, c.BackchannelURI, &changed)
	set(&s.OpenID.BackchannelLogoutSessionRequired, c.BackchannelSession, &changed)
	setList(&s.Resources, c.Resources, &changed)
	setList(&s.RequestURIs, c.RequestURIs, &changed)
	setList(&s.APIResources, c.APIResources, &changed)
	setList(&s.OpenID.DefaultACR, c.DefaultACR, &changed)
	set(&s.OneConnection, c.OneConnection, &changed)
	if err := c.applyWebhook(s, &changed); err != nil {
		return false, err
	}
	return changed, nil
}

func set[T any](field *T, flag *T, changed *bool) {
	if flag != nil {
		*field, *changed = *flag, true
	}
}

func setList(field *[]string, flag []string, changed *bool) {
	if list := listFlag(flag); list != nil {
		*field, *changed = list, true
		if len(list) == 0 {
			*field = nil
		}
	}
}

// listFlag returns the values of a flag that may be repeated: nil when it was not
// given, and an empty list when it was given empty.
func listFlag(values []string) []string {
	if len(values) == 1 && values[0] == "" {
		return []string{}
	}
	return values
}

func setAuth(app *symbolon.App, text string) error {
	method := symbolon.AuthMethod(text)
	switch method {
	case symbolon.AuthNone:
		if !app.Public {
			return mend(fmt.Errorf("an app with a secret or a key cannot stop proving itself"), "register another with --public")
		}
		return nil
	case authSecret:
		method = symbolon.AuthSecret
	case symbolon.AuthBasic, symbolon.AuthPost, symbolon.AuthKey, symbolon.AuthTLS, symbolon.AuthSelfSignedTLS:
	default:
		return mend(fmt.Errorf("there is no way %q for an app to prove itself", printable(text)), "the ways are %s, %s, %s, %s, %s, %s and %s", authSecret,
			symbolon.AuthBasic, symbolon.AuthPost, symbolon.AuthKey, symbolon.AuthTLS, symbolon.AuthSelfSignedTLS, symbolon.AuthNone)
	}
	if app.Public {
		return mend(fmt.Errorf("a public app cannot prove itself, by %s as little as otherwise", text), "leave --public out, or --auth")
	}
	app.Settings.Auth = method
	return nil
}

// hasSecret reports whether an app proves itself by a secret.
func hasSecret(app *symbolon.App) bool {
	switch app.Method() {
	case symbolon.AuthSecret, symbolon.AuthBasic, symbolon.AuthPost:
		return true
	}
	return false
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

// signs reports whether a set has a key that a signature can be verified by.
func signs(keys string) bool {
	set, err := jwt.ParseSet([]byte(keys))
	return err == nil && set.Signs()
}

func parseGrants(names []string) ([]symbolon.GrantType, error) {
	var grants []symbolon.GrantType
	for _, name := range listFlag(names) {
		i := slices.IndexFunc(grantNames, func(g struct {
			short string
			grant symbolon.GrantType
		}) bool {
			return g.short == name || string(g.grant) == name
		})
		if i < 0 {
			var known []string
			for _, g := range grantNames {
				known = append(known, g.short)
			}
			return nil, mend(fmt.Errorf("there is no grant %q", printable(name)), "the grants are %s", strings.Join(known, ", "))
		}
		if !slices.Contains(grants, grantNames[i].grant) {
			grants = append(grants, grantNames[i].grant)
		}
	}
	return grants, nil
}

// checkSettings holds the settings of an app that is about to be stored to what
// they mean together. The first that is wrong is told.
func checkAppSettings(app *symbolon.App) error {
	s := &app.Settings
	keys := s.Keys != "" || s.KeysURI != ""
	switch method := app.Method(); {
	case s.Keys != "" && s.KeysURI != "":
		// RFC 7591 §2: jwks and jwks_uri must not both be there.
		return mend(fmt.Errorf("an app has its keys in a file or at a URL, not both"), "take one away: --keys '' or --keys-uri ''")
	case (method == symbolon.AuthKey || method == symbolon.AuthSelfSignedTLS) && !keys:
		return mend(fmt.Errorf("%s needs the app's public keys", method), "add --keys FILE or --keys-uri URL")
	case (method == symbolon.AuthKey || s.RequireSigned) && s.Keys != "" && !signs(s.Keys):
		return mend(fmt.Errorf("none of the app's keys can verify what it signs"), "give it one of use sig for %s", strings.Join(jwt.Algorithms, ", "))
	case method == symbolon.AuthTLS && s.TLSSubject == "":
		return mend(fmt.Errorf("%s needs to know what the app's certificate says", method), "add --tls-subject, such as dns:app.example.com")
	case method != symbolon.AuthTLS && s.TLSSubject != "":
		return mend(fmt.Errorf("the subject of a certificate says nothing about an app that does not prove itself by one"), "add --auth %s, or take it away: --tls-subject ''", symbolon.AuthTLS)
	case s.RequireSigned && !keys:
		return mend(fmt.Errorf("signed requests need the app's public keys"), "add --keys FILE or --keys-uri URL")
	case app.Public && slices.Contains(s.Grants, symbolon.GrantClient):
		// RFC 6749 §4.4: only for an app that proves itself.
		return mend(fmt.Errorf("a public app cannot use client_credentials, since anyone may name its client_id"), "register an app with a secret or a key")
	case app.Public && slices.Contains(s.Grants, symbolon.GrantExchange):
		return mend(fmt.Errorf("a public app cannot exchange tokens, since anyone may name its client_id"), "register an app with a secret or a key")
	case app.Public && s.API:
		// RFC 7662 §2.1: whoever asks must prove himself.
		return mend(fmt.Errorf("a public app cannot be an API, since introspection asks for proof"), "register an app with a secret or a key")
	case !s.API && len(s.APIResources) > 0:
		return mend(fmt.Errorf("only an API has --api-resource"), "add --api; --resource is what an app may ask tokens for")
	case len(s.ExchangeFor) > 0 && !app.MayUse(symbolon.GrantExchange):
		return mend(fmt.Errorf("the app may not use the grant token-exchange, which --exchange-for is about"), "name all its grants: --grant token-exchange and those that it has")
	case s.Impersonate && !app.MayUse(symbolon.GrantExchange):
		return mend(fmt.Errorf("the app may not use the grant token-exchange, which --impersonate is about"), "name all its grants: --grant token-exchange and those that it has")
	case slices.Contains(s.ExchangeFor, "*") && len(s.ExchangeFor) > 1:
		return mend(fmt.Errorf("--exchange-for * is all apps already"), "leave the others out")
	}
	for _, list := range [][]string{s.Resources, s.APIResources} {
		for _, uri := range list {
			if err := oauth.CheckResource(uri); err != nil {
				return fmt.Errorf("resource %q: %s", printable(uri), detail(err))
			}
		}
	}
	for _, uri := range s.RequestURIs {
		if err := oauth.CheckRequestURI(uri); err != nil || !keys {
			return mend(fmt.Errorf("--request-uri %q cannot be used: %s, and the app needs keys by which it is checked", printable(uri), detail(oauth.CheckRequestURI("x"))), "add --keys FILE or --keys-uri URL, and write it as https://app.example/request.jwt")
		}
	}
	if err := checkKeysURI(s.KeysURI); err != nil {
		return err
	}
	if err := checkOpenID(app); err != nil {
		return err
	}
	if err := checkAlgorithms(app); err != nil {
		return err
	}
	return checkTLSSubject(s.TLSSubject)
}

func checkKeysURI(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Contains(text, "#") || len(text) > 2000 {
		return mend(fmt.Errorf("the URL of the keys is not an absolute https URL without user and fragment"), "write it as https://app.example/jwks.json")
	}
	return nil
}

func checkTLSSubject(text string) error {
	if text == "" {
		return nil
	}
	if err := oauth.CheckTLSSubject(text); err != nil || len(text) > 2000 || strings.ContainsFunc(text, unfit) {
		return mend(fmt.Errorf("%q is not the subject of a certificate", printable(text)), "write dn:CN=app,O=Example, dns:app.example.com, uri:https://app.example, ip:192.0.2.1 or email:app@example.com")
	}
	return nil
}

// checkOthers looks whether the apps and the keys are there that an app's settings
// name, and whether this server is one that does what they say.
func (d *desk) checkOthers(sh *shell, app *symbolon.App) error {
	if err := checkLogout(app); err != nil {
		return err
	}
	for _, id := range app.Settings.ExchangeFor {
		if id == "*" || id == app.ID {
			continue
		}
		if _, err := d.app(sh.ctx, string(id)); err != nil {
			return err
		}
	}
	if h := app.Settings.Webhook; h != nil {
		if err := webhook.CheckURL(h.URL, app.Sandbox); err != nil {
			return mend(fmt.Errorf("--webhook-url %q: %s", printable(h.URL), detail(err)), "write it as https://app.example/hooks")
		}
	}
	return d.checkSigning(sh, app)
}
