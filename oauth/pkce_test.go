package oauth

import (
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

func TestPKCE(t *testing.T) {
	w := newWorld(t)
	badRequest := func(app *symbolon.App, changes ...string) {
		w.Helper()
		who := w.allowing()
		_, err := w.Authorize(w.ctx, w.request(app, changes...), who)
		w.redirected(err, InvalidRequest, app.RedirectURIs[0], "xyz")
	}
	// wrong redeems with a verifier that does not do, then with the one that does.
	wrong := func(app *symbolon.App, change string) {
		w.Helper()
		code := w.code(app)
		_, err := w.redeem(app, code, change)
		w.refused(err, InvalidGrant)
		_, err = w.redeem(app, code)
		w.ok(err)
	}
	w.run("RFC7636-4.2-a", func(t *testing.T) {
		w.connected(&w.C1)
		w.connected(&w.P1)
		if challengeOf(verifier) != challenge {
			t.Error("the example of RFC 7636 is wrong here")
		}
		for _, v := range []string{strings.Repeat("a", 43), strings.Repeat("~", 128), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"} {
			_, err := w.redeem(&w.P1, w.code(&w.P1, "code_challenge="+challengeOf(v)), "code_verifier="+v)
			w.ok(err)
		}
	})
	w.run("RFC7636-4.6-a", func(t *testing.T) {
		wrong(&w.C1, "code_verifier="+strings.Repeat("x", 43))
		wrong(&w.P1, "code_verifier="+strings.ToLower(verifier))
		wrong(&w.P1, "code_verifier="+challenge)
	})
	w.run("RFC7636-4.6-b", func(t *testing.T) {
		for _, app := range []*symbolon.App{&w.C1, &w.P1} {
			wrong(app, "-code_verifier")
			wrong(app, "code_verifier=")
		}
	})
	w.run("RFC6749-3.1-c", func(t *testing.T) { wrong(&w.C1, "code_verifier=") })
	w.run("RFC9700-4.8.2-a", func(t *testing.T) {
		code := w.code(&w.C1, "-code_challenge", "-code_challenge_method")
		_, err := w.redeem(&w.C1, code)
		w.refused(err, InvalidGrant)
		_, err = w.redeem(&w.C1, code, "-code_verifier")
		w.ok(err)
	})
	w.run("B21", func(t *testing.T) {
		// The attacker strips the challenge off; the victim's app still sends
		// its verifier, and gets nothing of the attacker's.
		code := w.code(&w.C1, "code_challenge=", "code_challenge_method=")
		_, err := w.redeem(&w.C1, code)
		w.refused(err, InvalidGrant)
	})
	w.run("OAUTH21-4.1.2.1-a", func(t *testing.T) {
		badRequest(&w.P1, "-code_challenge", "-code_challenge_method")
		badRequest(&w.P1, "code_challenge=", "code_challenge_method=")
	})
	w.run("CLIENTS-12", func(t *testing.T) {
		_, err := w.redeem(&w.C1, w.code(&w.C1, "-code_challenge", "-code_challenge_method"), "-code_verifier")
		w.ok(err)
		w.edit(w.C1.ID, func(a *symbolon.App) { a.RequirePKCE = true })
		badRequest(&w.C1, "-code_challenge", "-code_challenge_method")
		w.connected(&w.C1)
		w.edit(w.C1.ID, func(a *symbolon.App) { a.RequirePKCE = false })
	})
	w.run("RFC7636-4.3-a", func(t *testing.T) {
		badRequest(&w.C1, "-code_challenge_method")
		badRequest(&w.P1, "-code_challenge_method")
		badRequest(&w.C1, "-code_challenge")
	})
	w.run("RFC7636-4.4.1-a", func(t *testing.T) {
		badRequest(&w.C1, "code_challenge_method=S512")
		badRequest(&w.C1, "code_challenge_method=s256")
	})
	w.run("FAPI2-PKCE-a", func(t *testing.T) {
		badRequest(&w.C1, "code_challenge_method=plain", "code_challenge="+verifier)
		badRequest(&w.P1, "code_challenge_method=plain")
	})
	w.run("RFC7636-4.1-a", func(t *testing.T) {
		good := strings.Repeat("a", 42)
		for _, v := range []string{good, strings.Repeat("a", 129), good + "+", good + "/", good + "=", good + " ", good + "é", "a", good + "%"} {
			code := w.code(&w.C1, "code_challenge="+challengeOf(v)) // even if the hash is right
			_, err := w.redeem(&w.C1, code, "code_verifier="+v)
			w.refused(err, InvalidGrant)
		}
	})
	w.run("RFC7636-4.2-b", func(t *testing.T) {
		for _, c := range []string{
			challenge + "=", challenge[:42], challenge + "A", challenge[:42] + "+", challenge[:42] + "/", challenge[:42] + " ", challenge[:42] + ".", "x",
			challenge[:42] + "N", // spare bits that are not zero: another spelling
			strings.Repeat("a", 44), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw_cM=",
		} {
			badRequest(&w.C1, "code_challenge="+c)
			badRequest(&w.P1, "code_challenge="+c)
		}
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "code_challenge="+challenge[:20]+"\n"+challenge[20:]), w.allowing())
		w.redirected(err, InvalidRequest, uriC1, "xyz")
	})
	w.run("RFC7636-4.6-c", func(t *testing.T) {
		// The verifier is in no error, and so in no log.
		secret := strings.Repeat("s3cret-", 7)
		for _, v := range []string{secret, secret + "+", secret[:20]} {
			_, err := w.redeem(&w.C1, w.code(&w.C1), "code_verifier="+v)
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v", err)
			}
		}
	})
}
