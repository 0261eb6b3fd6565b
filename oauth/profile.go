package oauth

import (
	"crypto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// What an app of each profile is held to, and how the engine holds it. The rules
// that are told to people are in rules.go.

// fapiAlgorithms are those that sign for an app of FAPI 2.0, either way (FAPI 2.0
// §5.4.1).
var fapiAlgorithms = []string{"ES256", "PS256", "EdDSA"}

// isFAPI reports whether an app is held to FAPI 2.0.
func isFAPI(app *symbolon.App) bool { return app.Settings.Profile == symbolon.ProfileFAPI2 }

// byProfile returns the app as its profile makes it: what else its settings say does not
// count. All that the engine knows of apps with a row comes through here.
func byProfile(app *symbolon.App) *symbolon.App {
	if !isFAPI(app) {
		return app
	}
	s := &app.Settings
	app.Rotation = symbolon.RotateNever // FAPI 2.0 §5.3.2.1, 9
	s.RequirePAR = true                 // FAPI 2.0 §5.3.2.2, 3
	app.RequirePKCE = true              // FAPI 2.0 §5.3.2.2, 5
	// FAPI 2.0 §5.4.1: RS256 is the default of OpenID Connect and of JARM, and none of
	// these. Userinfo is plain by default.
	for _, algorithm := range []*string{&s.OpenID.IDTokenSigning, &s.ResponseSigning, &s.OpenID.UserinfoSigning} {
		plain := algorithm == &s.OpenID.UserinfoSigning && *algorithm == ""
		if !plain && !slices.Contains(fapiAlgorithms, *algorithm) {
			*algorithm = fapiAlgorithms[0]
		}
	}
	return app
}

// provesByKey reports whether an app proves itself by a key of its own.
func provesByKey(app *symbolon.App) bool {
	switch app.Method() {
	case symbolon.AuthKey, symbolon.AuthTLS, symbolon.AuthSelfSignedTLS:
		return true
	}
	return false
}

// isKeyStrong reports whether a key that an app shows is good enough for it.
func isKeyStrong(app *symbolon.App, key crypto.PublicKey) bool {
	return !isFAPI(app) || jwt.Weak(key) == ""
}

// mayBeSigned reports whether a JWT of an app may be signed by an algorithm.
func mayBeSigned(app *symbolon.App, algorithm string) bool {
	return !isFAPI(app) || slices.Contains(fapiAlgorithms, algorithm)
}

// algorithmFor returns the algorithm of what is signed for an app, but for ID tokens and
// userinfo.
func (e *Engine) algorithmFor(app *symbolon.App) string {
	if !mayBeSigned(app, e.cfg.SigningAlgorithm) {
		return fapiAlgorithms[0]
	}
	return e.cfg.SigningAlgorithm
}

// fapiCode is how long the code of an app of FAPI 2.0 lives at most (§5.3.2.1, 11).
const fapiCode = 60 * time.Second

// codeLifetime is how long a code of an app may be redeemed.
func (e *Engine) codeLifetime(app *symbolon.App) time.Duration {
	if isFAPI(app) {
		return min(e.cfg.CodeLifetime, fapiCode)
	}
	return e.cfg.CodeLifetime
}

// isSafeRedirect reports whether an answer that is sent to a redirect URI stays on
// an encrypted connection, or on this computer (FAPI 2.0 §5.3.2.2, 8; RFC 8252 §7.3).
func isSafeRedirect(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "127.0.0.1" || host == "::1")
}

// Loosening is a rule that is not asked of an app of the profile legacy, and of no
// other.
type Loosening struct {
	Name string
	// Clause is what is departed from.
	Clause string
	// Says is what such an app may do, as a sentence.
	Says string

	applies func(app *symbolon.App) bool
}

// InForce reports whether a rule is loosened for an app. For one that registered itself
// none ever is.
func (l *Loosening) InForce(app *symbolon.App) bool {
	return app.Settings.Profile == symbolon.ProfileLegacy && app.Settings.Registration == nil && l.applies(app)
}

func isPublic(app *symbolon.App) bool { return app.Public }

// isOnWeb reports whether codes of an app are sent over the web only, where nobody
// else on the person's computer can register for them.
func isOnWeb(app *symbolon.App) bool {
	return len(app.RedirectURIs) > 0 && !slices.ContainsFunc(app.RedirectURIs, func(uri string) bool { return !strings.HasPrefix(uri, "https://") })
}

// What is loosened. There is nothing beside these: docs/decisions/0028-profiles.md says
// what was left out, and why.
var (
	looseNoChallenge = &Loosening{
		Name: "no-challenge", Clause: "RFC 9700 §2.1.1",
		Says:    "A public app may leave out the code_challenge, where all of its redirect URIs are https.",
		applies: func(app *symbolon.App) bool { return app.Public && !app.RequirePKCE && isOnWeb(app) },
	}
	loosePlain = &Loosening{
		Name: "plain-challenge", Clause: "RFC 9700 §2.1.1, RFC 7636 §4.4.1",
		Says:    "The code_challenge_method may be plain, or be left out, which means plain.",
		applies: func(*symbolon.App) bool { return true },
	}
	looseAudience = &Loosening{
		Name: "audience-list", Clause: "RFC 7523 §3",
		Says:    "The aud of a client_assertion may be a list, if every entry is an address of this server.",
		applies: func(app *symbolon.App) bool { return app.Method() == symbolon.AuthKey },
	}
	looseNoRedirect = &Loosening{
		Name: "no-redirect-uri", Clause: "RFC 6749 §4.1.3",
		Says:    "A token request at /oauth2/token may leave out the redirect_uri, where the app has one alone and proves itself.",
		applies: func(app *symbolon.App) bool { return !app.Public && len(app.RedirectURIs) == 1 },
	}
	looseLateRetry = &Loosening{
		Name: "late-retry", Clause: "RFC 9700 §4.14.2",
		Says:    "A public app that lost the answer to a refresh may ask again after 30 seconds, as long as the successor was not used.",
		applies: isPublic,
	}
)

// Loosenings are all that there are.
var Loosenings = []*Loosening{looseNoChallenge, loosePlain, looseAudience, looseNoRedirect, looseLateRetry}
