package oauth

import (
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// Rule is one rule of a profile.
type Rule struct {
	// Name tells it from the others of its profile.
	Name string
	// Clause is where it stands.
	Clause string
	// Says is the rule, as a sentence.
	Says string
	// Advised marks what is advised and not asked, Choice what is neither, and is there
	// to be chosen.
	Advised, Choice bool

	// met reports whether an app's settings are as the rule has it; nil where the
	// server keeps the rule, whatever they say.
	met func(app *symbolon.App) bool
	// applies reports whether the rule says anything of the app; nil is always.
	applies func(app *symbolon.App) bool
	// mend returns the flags of `symbolon app edit` that mend it, or what else does,
	// which then does not begin with a hyphen.
	mend func(app *symbolon.App) string
}

// Standing is how an app stands to a rule.
type Standing uint8

const (
	// Kept: by its settings.
	Kept Standing = iota
	// KeptByServer: whatever its settings are.
	KeptByServer
	// Broken: it does not keep the rule.
	Broken
	// CouldBeBetter: it does not keep what is advised.
	CouldBeBetter
	// NotChosen: it does without what it may choose.
	NotChosen
)

// RulesOf returns the rules of a profile that say anything of an app.
func RulesOf(profile symbolon.AppProfile, app *symbolon.App) []*Rule {
	var list []*Rule
	for _, r := range Rules[profile] {
		if r.applies == nil || r.applies(app) {
			list = append(list, r)
		}
	}
	return list
}

// Of returns how an app stands to the rule.
func (r *Rule) Of(app *symbolon.App) Standing {
	switch {
	case r.met == nil:
		return KeptByServer
	case r.met(app):
		return Kept
	case r.Advised:
		return CouldBeBetter
	case r.Choice:
		return NotChosen
	}
	return Broken
}

// Mend returns what makes the app keep the rule: flags of `symbolon app edit`, or a
// sentence's beginning in words.
func (r *Rule) Mend(app *symbolon.App) string {
	if r.mend == nil {
		return ""
	}
	return r.mend(app)
}

func flags(s string) func(*symbolon.App) string { return func(*symbolon.App) string { return s } }

func usesCodes(app *symbolon.App) bool { return app.MayUse(symbolon.GrantCode) }

// removals are the flags that take away the redirect URIs that are not as they should
// be.
func removals(good func(uri string) bool) func(app *symbolon.App) string {
	return func(app *symbolon.App) string {
		var list []string
		for _, uri := range app.RedirectURIs {
			if !good(uri) {
				list = append(list, "--remove-redirect-uri "+uri)
			}
		}
		return strings.Join(list, " ")
	}
}

// grantsBut are the flags that leave an app its grants but these.
func grantsBut(app *symbolon.App, these ...symbolon.GrantType) string {
	var list []string
	for _, g := range app.Settings.Grants {
		if !slices.Contains(these, g) {
			list = append(list, "--grant "+string(g))
		}
	}
	if len(list) == 0 {
		return "--grant ''"
	}
	return strings.Join(list, " ")
}

// signsWith reports whether the keys of an app can verify what it signs by one of
// some algorithms. What is at an address is not looked at.
func signsWith(app *symbolon.App, algorithms []string) bool {
	if app.Settings.Keys == "" {
		return true
	}
	set, err := jwt.ParseSet([]byte(app.Settings.Keys))
	return err == nil && slices.ContainsFunc(algorithms, set.Verifies)
}

// Rules are those of each profile. What an app of FAPI 2.0 is asked for, the engine
// holds it to, whatever its settings are; profile_test.go has an attack on each.
var Rules = map[symbolon.AppProfile][]*Rule{
	symbolon.ProfileDefault: {
		{Name: "exact-redirects", Clause: "RFC 9700 §2.1", Says: "A redirect URI is compared character by character."},
		{
			Name: "challenge", Clause: "RFC 9700 §2.1.1", Says: "A public app sends a code challenge, by S256.",
			applies: func(a *symbolon.App) bool { return a.Public && usesCodes(a) },
		},
		{
			Name: "challenge-of-all", Clause: "RFC 9700 §2.1.1", Says: "An app that proves itself is asked for a code challenge as well.", Advised: true,
			applies: func(a *symbolon.App) bool { return !a.Public && usesCodes(a) },
			met:     func(a *symbolon.App) bool { return a.RequirePKCE }, mend: flags("--require-pkce"),
		},
		{
			Name: "codes-only", Clause: "RFC 9700 §2.1.2", Says: "No token comes in a redirect: the one response_type is code.", Advised: true,
			met:  func(a *symbolon.App) bool { return !a.MayUse(symbolon.GrantImplicit) },
			mend: func(a *symbolon.App) string { return grantsBut(a, symbolon.GrantImplicit) },
		},
		{Name: "no-passwords", Clause: "RFC 9700 §2.4", Says: "No app is given a person's password."},
		{
			Name: "guarded-refresh", Clause: "RFC 9700 §2.2.2", Says: "The refresh token of a public app is rotated, or bound to a key.",
			applies: func(a *symbolon.App) bool { return a.Public && a.MayUse(symbolon.GrantRefresh) },
			met:     func(a *symbolon.App) bool { return a.Rotation != symbolon.RotateNever }, mend: flags("--rotation always"),
		},
		{
			Name: "bound-tokens", Clause: "RFC 9700 §2.2.1", Says: "Its access tokens are bound to a key, so that nobody else can use them.", Advised: true,
			met: isBound, mend: flags("--bound-tokens"),
		},
		{
			Name: "keys", Clause: "RFC 9700 §2.5", Says: "It proves itself by a key, which this server does not know.", Advised: true,
			applies: func(a *symbolon.App) bool { return !a.Public },
			met:     provesByKey, mend: mendAuthentication,
		},
		{Name: "issuer", Clause: "RFC 9700 §4.4.2.1", Says: "Every answer to the app names the server, as iss."},
	},
	symbolon.ProfileFAPI2: {
		{Name: "no-passwords", Clause: "FAPI 2.0 §5.3.2.1, 2", Says: "No app is given a person's password."},
		{
			Name: "confidential", Clause: "FAPI 2.0 §5.3.2.1, 3", Says: "The app can prove itself: it is not public.",
			met: func(a *symbolon.App) bool { return !a.Public }, mend: flags("register another app, without --public"),
		},
		{
			Name: "bound-tokens", Clause: "FAPI 2.0 §5.3.2.1, 4 and 5", Says: "Every token is bound to a key, by DPoP or a TLS certificate.",
			met: isBound, mend: flags("--bound-tokens"),
		},
		{
			Name: "authentication", Clause: "FAPI 2.0 §5.3.2.1, 6", Says: "It proves itself by private_key_jwt or a TLS certificate.",
			met: provesByKey, mend: mendAuthentication,
		},
		{Name: "no-open-redirect", Clause: "FAPI 2.0 §5.3.2.1, 7", Says: "Nobody is sent to an address that is not registered."},
		{Name: "issuer-audience", Clause: "FAPI 2.0 §5.3.2.1, 8", Says: "The aud of an assertion is this server's issuer, as one string."},
		{
			Name: "no-rotation", Clause: "FAPI 2.0 §5.3.2.1, 9", Says: "The app keeps its refresh token.",
			met: func(a *symbolon.App) bool { return a.Rotation == symbolon.RotateNever }, mend: flags("--rotation never"),
		},
		{Name: "short-code", Clause: "FAPI 2.0 §5.3.2.1, 11", Says: "A code lives 60 seconds at most."},
		{Name: "key-bound-code", Clause: "FAPI 2.0 §5.3.2.1, 12", Says: "A code can be bound to a DPoP key, by dpop_jkt or a proof beside the pushed request."},
		{Name: "clocks", Clause: "FAPI 2.0 §5.3.2.1, 13", Says: "The clock of the app may be 10 seconds ahead, and not 60."},
		{
			// Ours: docs/divergences.md.
			Name: "grants", Clause: "FAPI 2.0 §5.3.2.1, Note 2", Says: "It uses no grant that goes around the pushed request: neither device codes nor assertions about people.",
			met: func(a *symbolon.App) bool {
				return !slices.Contains(a.Settings.Grants, symbolon.GrantDevice) && !slices.Contains(a.Settings.Grants, symbolon.GrantAssertion)
			},
			mend: func(a *symbolon.App) string { return grantsBut(a, symbolon.GrantDevice, symbolon.GrantAssertion) },
		},
		{Name: "codes-only", Clause: "FAPI 2.0 §5.3.2.2, 1", Says: "The one response_type is code."},
		{
			Name: "pushed", Clause: "FAPI 2.0 §5.3.2.2, 2 to 4", Says: "Authorization requests are pushed, by an app that proves itself.",
			applies: usesCodes,
			met:     func(a *symbolon.App) bool { return a.Settings.RequirePAR }, mend: flags("--require-par"),
		},
		{
			Name: "challenge", Clause: "FAPI 2.0 §5.3.2.2, 5", Says: "Every request has a code challenge, by S256.",
			applies: usesCodes,
			met:     func(a *symbolon.App) bool { return a.RequirePKCE }, mend: flags("--require-pkce"),
		},
		{Name: "named-redirect", Clause: "FAPI 2.0 §5.3.2.2, 6", Says: "A pushed request has a redirect_uri."},
		{Name: "issuer", Clause: "FAPI 2.0 §5.3.2.2, 7", Says: "Every answer to the app names the server, as iss."},
		{
			Name: "encrypted-redirects", Clause: "FAPI 2.0 §5.3.2.2, 8", Says: "Redirect URIs are https, or http to a loopback IP address.",
			met: func(a *symbolon.App) bool {
				return !slices.ContainsFunc(a.RedirectURIs, func(uri string) bool { return !isSafeRedirect(uri) })
			},
			mend: removals(isSafeRedirect),
		},
		{Name: "code-once", Clause: "FAPI 2.0 §5.3.2.2, 9", Says: "A code works once."},
		{Name: "see-other", Clause: "FAPI 2.0 §5.3.2.2, 10 and 11", Says: "Browsers are redirected by 303."},
		{Name: "short-request", Clause: "FAPI 2.0 §5.3.2.2, 12", Says: "A request_uri lives less than 600 seconds."},
		{Name: "no-query-tokens", Clause: "FAPI 2.0 §5.3.4, 2", Says: "No access token is taken from a query."},
		{
			Name: "algorithms", Clause: "FAPI 2.0 §5.4.1, 1", Says: "All is signed by ES256, PS256 or EdDSA, on either side.",
			met: func(a *symbolon.App) bool {
				o := &a.Settings.OpenID
				for _, set := range []string{o.SigningAlgorithm(), o.UserinfoSigning, a.Settings.ResponseAlgorithm(), a.Settings.AuthSigning, a.Settings.RequestSigning} {
					if set != "" && !slices.Contains(fapiAlgorithms, set) {
						return false
					}
				}
				return signsWith(a, fapiAlgorithms)
			},
			mend: func(a *symbolon.App) string {
				var list []string
				if !slices.Contains(fapiAlgorithms, a.Settings.OpenID.SigningAlgorithm()) {
					list = append(list, "--id-token-alg ES256")
				}
				if set := a.Settings.OpenID.UserinfoSigning; set != "" && !slices.Contains(fapiAlgorithms, set) {
					list = append(list, "--userinfo-alg ES256")
				}
				for _, only := range [][2]string{{a.Settings.AuthSigning, "--auth-alg ''"}, {a.Settings.RequestSigning, "--request-alg ''"}} {
					if only[0] != "" && !slices.Contains(fapiAlgorithms, only[0]) {
						list = append(list, only[1])
					}
				}
				if !slices.Contains(fapiAlgorithms, a.Settings.ResponseAlgorithm()) {
					list = append(list, "--response-alg ES256")
				}
				if !signsWith(a, fapiAlgorithms) {
					list = append(list, "--keys FILE")
				}
				return strings.Join(list, " ")
			},
		},
		{Name: "strong-keys", Clause: "FAPI 2.0 §5.4.1, 2 and 3", Says: "RSA keys have 2048 bits or more, keys of elliptic curves 224."},
		{
			Name: "signed-requests", Clause: "Message Signing §5.3", Says: "Its authorization requests are signed.", Choice: true,
			applies: usesCodes,
			met:     func(a *symbolon.App) bool { return a.Settings.RequireSigned }, mend: flags("--require-signed"),
		},
		{
			Name: "signed-answers", Clause: "Message Signing §5.4", Says: "The answers to its requests are signed.", Choice: true,
			applies: usesCodes,
			met:     func(a *symbolon.App) bool { return a.Settings.RequireSignedResponse }, mend: flags("--require-signed-response"),
		},
		{
			Name: "signed-introspection", Clause: "Message Signing §5.5", Says: "What introspection answers it is signed.", Choice: true,
			met: func(a *symbolon.App) bool { return a.Settings.SignedIntrospection }, mend: flags("--signed-introspection"),
		},
	},
}

func isBound(a *symbolon.App) bool { return a.Settings.BoundTokens || a.Settings.TLSTokens }

func mendAuthentication(a *symbolon.App) string {
	switch {
	case a.Public:
		return "register another app, without --public"
	case a.Settings.Keys != "" || a.Settings.KeysURI != "":
		return "--auth private_key_jwt"
	}
	return "--auth private_key_jwt --keys-uri https://app.example/jwks.json"
}

// Comply makes the settings of an app what its profile implies, as far as that goes
// without the owner.
func Comply(app *symbolon.App) {
	if !isFAPI(app) {
		return
	}
	byProfile(app)
	switch method := app.Method(); {
	case isBound(app):
	case method == symbolon.AuthTLS || method == symbolon.AuthSelfSignedTLS:
		app.Settings.TLSTokens = true
	default:
		app.Settings.BoundTokens = true
	}
}
