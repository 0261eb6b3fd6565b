package admin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// Profiles are those that an app can have, in the order in which they are shown.
var Profiles = []symbolon.AppProfile{symbolon.ProfileDefault, symbolon.ProfileFAPI2, symbolon.ProfileLegacy}

// ProfileTitles say what each is, in a heading.
var ProfileTitles = map[symbolon.AppProfile]string{
	symbolon.ProfileDefault: "OAuth 2.1, by RFC 9700",
	symbolon.ProfileFAPI2:   "FAPI 2.0 Security Profile",
	symbolon.ProfileLegacy:  "OAuth 2.1 with rules loosened for an old client",
}

// ParseProfile returns the profile of a name, which the parser has checked.
func ParseProfile(name string) symbolon.AppProfile {
	return symbolon.AppProfile(strings.TrimPrefix(name, symbolon.ProfileDefault.String()))
}

// AdoptProfile gives an app a profile with all that it implies, and returns what that
// changed, as flags.
func AdoptProfile(app *symbolon.App, name string) []string {
	was := *app
	app.Settings.Profile = ParseProfile(name)
	oauth.Comply(app)
	var flags []string
	say := func(changed bool, flag string) {
		if changed {
			flags = append(flags, flag)
		}
	}
	s, o := &app.Settings, &app.Settings.OpenID
	say(app.Rotation != was.Rotation, "--rotation "+string(app.Rotation))
	say(app.RequirePKCE != was.RequirePKCE, "--require-pkce")
	say(s.RequirePAR != was.Settings.RequirePAR, "--require-par")
	say(s.BoundTokens != was.Settings.BoundTokens, "--bound-tokens")
	say(s.TLSTokens != was.Settings.TLSTokens, "--tls-tokens")
	say(o.IDTokenSigning != was.Settings.OpenID.IDTokenSigning, "--id-token-alg "+o.IDTokenSigning)
	say(s.ResponseSigning != was.Settings.ResponseSigning, "--response-alg "+s.ResponseSigning)
	say(o.UserinfoSigning != was.Settings.OpenID.UserinfoSigning, "--userinfo-alg "+o.UserinfoSigning)
	return flags
}

// checkAppProfile holds an app that is about to be stored to the rules of its profile. All
// that are broken are told.
func checkAppProfile(app *symbolon.App) error {
	profile := app.Settings.Profile
	if profile == symbolon.ProfileDefault {
		return nil // what is asked of all is checked by itself
	}
	if app.Settings.Registration != nil {
		return mend(fmt.Errorf("an app that registered itself cannot have the profile %s: it says itself what it is", profile), "register it with “symbolon app create”")
	}
	var faults []error
	for _, r := range oauth.RulesOf(profile, app) {
		if r.Of(app) != oauth.Broken {
			continue
		}
		fault, how := fmt.Errorf("the profile %s asks (%s): %s", profile, r.Clause, lowerFirst(strings.TrimSuffix(r.Says, "."))), r.Mend(app)
		if strings.HasPrefix(how, "-") {
			how = "add " + how
		}
		faults = append(faults, mend(fault, "%s", how))
	}
	return errors.Join(faults...)
}

func lowerFirst(s string) string {
	if strings.HasPrefix(s, "RSA") {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// Loosened returns the rules that are loosened for an app.
func Loosened(app *symbolon.App) []*oauth.Loosening {
	var list []*oauth.Loosening
	for _, l := range oauth.Loosenings {
		if l.InForce(app) {
			list = append(list, l)
		}
	}
	return list
}
