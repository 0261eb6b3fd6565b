package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// AuthSecret is what symbolon.AuthSecret is called: it has no name of its own.
const AuthSecret = "client_secret"

// GrantName is a grant with the short name that people give it.
type GrantName struct {
	Short string
	Grant symbolon.GrantType
}

// GrantNames are the short names of the grants.
var GrantNames = []GrantName{
	{"code", symbolon.GrantCode},
	{"refresh", symbolon.GrantRefresh},
	{"client_credentials", symbolon.GrantClient},
	{"device", symbolon.GrantDevice},
	{"token-exchange", symbolon.GrantExchange},
	{"jwt-bearer", symbolon.GrantAssertion},
	{"implicit", symbolon.GrantImplicit},
}

func setAuth(app *symbolon.App, text string) error {
	method := symbolon.AuthMethod(text)
	switch method {
	case symbolon.AuthNone:
		if !app.Public {
			return mend(fmt.Errorf("an app with a secret or a key cannot stop proving itself"), "register another with --public")
		}
		return nil
	case AuthSecret:
		method = symbolon.AuthSecret
	case symbolon.AuthBasic, symbolon.AuthPost, symbolon.AuthKey, symbolon.AuthTLS, symbolon.AuthSelfSignedTLS:
	default:
		return mend(fmt.Errorf("there is no way %q for an app to prove itself", printable(text)), "the ways are %s, %s, %s, %s, %s, %s and %s", AuthSecret,
			symbolon.AuthBasic, symbolon.AuthPost, symbolon.AuthKey, symbolon.AuthTLS, symbolon.AuthSelfSignedTLS, symbolon.AuthNone)
	}
	if app.Public {
		return mend(fmt.Errorf("a public app cannot prove itself, by %s as little as otherwise", text), "leave --public out, or --auth")
	}
	app.Settings.Auth = method
	return nil
}

// HasSecret reports whether an app proves itself by a secret.
func HasSecret(app *symbolon.App) bool {
	switch app.Method() {
	case symbolon.AuthSecret, symbolon.AuthBasic, symbolon.AuthPost:
		return true
	}
	return false
}

// signs reports whether a set has a key that a signature can be verified by.
func signs(keys string) bool {
	set, err := jwt.ParseSet([]byte(keys))
	return err == nil && set.Signs()
}

// ParseGrants reads the names of grants, short or whole.
func ParseGrants(names []string) ([]symbolon.GrantType, error) {
	var grants []symbolon.GrantType
	for _, name := range names {
		i := slices.IndexFunc(GrantNames, func(g GrantName) bool { return g.Short == name || string(g.Grant) == name })
		if i < 0 {
			var known []string
			for _, g := range GrantNames {
				known = append(known, g.Short)
			}
			return nil, mend(fmt.Errorf("there is no grant %q", printable(name)), "the grants are %s", strings.Join(known, ", "))
		}
		if !slices.Contains(grants, GrantNames[i].Grant) {
			grants = append(grants, GrantNames[i].Grant)
		}
	}
	return grants, nil
}

// CheckAppSettings holds the settings of an app that is about to be stored to what
// they mean together. The first that is wrong is told.
func CheckAppSettings(app *symbolon.App) error {
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
				return fault("resource %q: %s", printable(uri), detail(err))
			}
		}
	}
	for _, uri := range s.RequestURIs {
		if err := oauth.CheckRequestURI(uri); err != nil || !keys {
			return mend(fmt.Errorf("--request-uri %q cannot be used: %s, and the app needs keys by which it is checked", printable(uri), detail(oauth.CheckRequestURI("x"))), "add --keys FILE or --keys-uri URL, and write it as https://app.example/request.jwt")
		}
	}
	if err := CheckKeysURI(s.KeysURI); err != nil {
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

// CheckKeysURI reports whether a URL may be where keys are published.
func CheckKeysURI(text string) error {
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
	if err := oauth.CheckTLSSubject(text); err != nil || len(text) > 2000 || strings.ContainsFunc(text, Unfit) {
		return mend(fmt.Errorf("%q is not the subject of a certificate", printable(text)), "write dn:CN=app,O=Example, dns:app.example.com, uri:https://app.example, ip:192.0.2.1 or email:app@example.com")
	}
	return nil
}

// ParseScope reads a space-separated list of scopes.
func ParseScope(s string) (symbolon.Scopes, error) {
	scope, err := symbolon.ParseScopes(strings.TrimSpace(s))
	if err != nil {
		return nil, mend(fmt.Errorf("scope %q: %s", printable(s), detail(err)), "write the names with a space between: --scope \"connect files.read\"")
	}
	return scope, nil
}
