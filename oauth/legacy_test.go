package oauth

import (
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// The owner's word stays when an app says of itself something else, and no app can give
// itself a profile.
func TestProfileIsTheOwners(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Registration = true })
	body := `{"client_name":"x","redirect_uris":["https://x.test/cb"],"profile":"legacy","token_endpoint_auth_method":"none"}`
	info, err := w.Register(w.ctx, []byte(body), Registrant{Address: "192.0.2.1"})
	w.ok(err)
	app, err := w.App(w.ctx, symbolon.ClientID(info.ClientID))
	w.ok(err)
	if app.Settings.Profile != symbolon.ProfileDefault {
		t.Errorf("it has the profile %s", app.Settings.Profile)
	}
	// A row that says so all the same loosens nothing for it.
	own := *app
	own.Settings.Profile = symbolon.ProfileLegacy
	for _, l := range Loosenings {
		if l.InForce(&own) {
			t.Errorf("%s is loosened for an app that registered itself", l.Name)
		}
	}
}

// What is loosened for an old client, and for no other: each loosening is tried by an
// app of each profile.
func TestLegacy(t *testing.T) {
	plain := []string{"code_challenge=" + verifier, "code_challenge_method=plain"}
	tries := map[string]func(w *world, profile symbolon.AppProfile) (allowed bool){
		"no-challenge": func(w *world, profile symbolon.AppProfile) bool {
			w.edit(w.P1.ID, func(a *symbolon.App) { a.Settings.Profile, a.RedirectURIs = profile, []string{"https://p1.test/cb"} })
			app := w.app(w.P1.ID)
			answer, err := w.Authorize(w.ctx, w.request(&app, "-code_challenge", "-code_challenge_method"), w.allowing())
			if err != nil {
				return false
			}
			_, err = w.redeem(&app, answer.Callback.Code)
			w.refused(err, InvalidGrant) // a verifier without a challenge is a downgrade
			_, err = w.redeem(&app, answer.Callback.Code, "-code_verifier")
			w.ok(err)
			// Not where others on the person's computer could take the code.
			for _, uri := range []string{"com.example.app:/cb", "http://127.0.0.1/cb", "http://localhost/cb"} {
				w.edit(app.ID, func(a *symbolon.App) { a.RedirectURIs = []string{"https://p1.test/cb", uri} })
				_, err = w.Authorize(w.ctx, w.request(&app, "-code_challenge", "-code_challenge_method"), w.allowing())
				w.refused(err, InvalidRequest)
			}
			return true
		},
		"plain-challenge": func(w *world, profile symbolon.AppProfile) bool {
			w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Profile = profile })
			answer, err := w.Authorize(w.ctx, w.request(&w.C1, plain...), w.allowing())
			if err != nil {
				return false
			}
			code := answer.Callback.Code
			for _, wrong := range []string{challenge, challengeOf(verifier), strings.Repeat("x", 43), ""} {
				_, err = w.redeem(&w.C1, code, "code_verifier="+wrong)
				w.refused(err, InvalidGrant)
			}
			_, err = w.redeem(&w.C1, code)
			w.ok(err)
			_, err = w.redeem(&w.C1, w.code(&w.C1, "code_challenge="+verifier, "-code_challenge_method"))
			w.ok(err)
			_, err = w.redeem(&w.C1, w.code(&w.C1)) // S256 as before
			w.ok(err)
			for _, bad := range []string{"x", strings.Repeat("x", 42), strings.Repeat("x", 129), strings.Repeat("x", 42) + "+"} {
				_, err = w.Authorize(w.ctx, w.request(&w.C1, "code_challenge="+bad, "code_challenge_method=plain"), w.allowing())
				w.refused(err, InvalidRequest)
			}
			return true
		},
		"audience-list": func(w *world, profile symbolon.AppProfile) bool {
			J1, key := w.newJ1(func(a *symbolon.App) { a.Settings.Profile = profile })
			if profile == symbolon.ProfileFAPI2 {
				return w.askBy(&J1, key.sign(w.TB, nil, w.assertionOf(&J1).with(claimsOf{"aud": []string{w.cfg.Issuer}}))) == nil
			}
			ok := false
			for _, aud := range [][]string{{w.cfg.Issuer}, {w.cfg.Issuer + "/oauth2/token"}, {w.cfg.Issuer, w.cfg.Issuer + "/oauth2/token"}} {
				ok = w.askBy(&J1, key.sign(w.TB, nil, w.assertionOf(&J1).with(claimsOf{"aud": aud}))) == nil
			}
			for _, aud := range []any{[]string{}, []string{w.cfg.Issuer, "https://evil.test"}, []string{"https://evil.test"}, []any{w.cfg.Issuer, 1}, nil, "https://evil.test"} {
				w.refused(w.askBy(&J1, key.sign(w.TB, nil, w.assertionOf(&J1).with(claimsOf{"aud": aud}))), InvalidClient)
			}
			return ok
		},
		"no-redirect-uri": func(w *world, profile symbolon.AppProfile) bool {
			w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Profile = profile })
			ask := func(app *symbolon.App, changes ...string) error {
				answer, err := w.Authorize(w.ctx, w.request(app, "-code_challenge", "-code_challenge_method"), w.allowing())
				if err != nil {
					return err
				}
				_, err = w.call(app, append([]string{"grant_type=authorization_code", "code=" + answer.Callback.Code}, changes...)...)
				return err
			}
			if ask(&w.C1) != nil {
				return false
			}
			w.refused(ask(&w.C1, "redirect_uri=https://c1.test/other"), InvalidGrant)
			w.edit(w.C2.ID, func(a *symbolon.App) { a.Settings.Profile = profile })
			w.refused(ask(&w.C2), InvalidRequest) // it has two
			return true
		},
		"late-retry": func(w *world, profile symbolon.AppProfile) bool {
			first := w.connected(&w.P1).RefreshToken
			w.edit(w.P1.ID, func(a *symbolon.App) { a.Settings.Profile = profile })
			second, err := w.refresh(&w.P1, first)
			if err != nil {
				return false // of fapi2: a public app gets nothing
			}
			w.clock.pass(time.Hour)
			w.ok(w.feed.Poll(w.ctx))
			again, err := w.refresh(&w.P1, first)
			if err != nil {
				return false
			}
			if again.RefreshToken != second.RefreshToken {
				w.Error("another successor")
			}
			// Once the successor was used, it is a replay, as for all.
			_, err = w.refresh(&w.P1, second.RefreshToken)
			w.ok(err)
			_, err = w.refresh(&w.P1, first)
			w.refused(err, InvalidGrant)
			return true
		},
	}
	for _, l := range Loosenings {
		try := tries[l.Name]
		if try == nil {
			t.Errorf("no test tries what %s loosens", l.Name)
			continue
		}
		for _, profile := range []symbolon.AppProfile{symbolon.ProfileDefault, symbolon.ProfileFAPI2, symbolon.ProfileLegacy, "tomorrow"} {
			t.Run(l.Name+" of "+profile.String(), func(t *testing.T) {
				if got := try(newWorld(t), profile); got != (profile == symbolon.ProfileLegacy) {
					t.Errorf("allowed is %v", got)
				}
			})
		}
	}
	if len(tries) != len(Loosenings) {
		t.Error("something is tried that is not loosened")
	}
}
