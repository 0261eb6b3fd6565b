package oauth

import (
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
)

// strict is a world with F1 of the ledger: an app of FAPI 2.0 that proves itself by
// an assertion and has its tokens bound by DPoP. Of its settings only those stand in
// its row that the engine cannot know: the rest is the profile's.
type strict struct {
	*world
	F1        symbolon.App
	key, rsa  keyPair // its keys, of which the second signs by PS256 and RS256
	dpop, alt keyPair // keys of its proofs
}

func newStrict(t *testing.T, change ...func(*symbolon.App)) *strict {
	t.Helper()
	w := &strict{world: newSignIns(t, func(c *Config) { c.CodeLifetime = 5 * time.Minute })}
	w.dpop, w.alt, w.rsa = newPair(t, "", jose.ES256), newPair(t, "", jose.ES256), newPair(t, "k2", jose.PS256)
	w.F1, w.key = w.newJ1(append([]func(*symbolon.App){func(a *symbolon.App) {
		a.ID, a.Name, a.Scope = "sym_app_f1", "f1", symbolon.Scopes{"connect", "read", "openid"}
		a.Settings.Profile = symbolon.ProfileFAPI2
		a.Settings.Grants = append(slices.Clone(Grants), "") // whatever there is
	}}, change...)...)
	w.edit(w.F1.ID, func(a *symbolon.App) {
		if a.Settings.Keys != "" {
			a.Settings.Keys = set(t, w.key, w.rsa)
		}
	})
	w.F1 = w.app(w.F1.ID)
	return w
}

// proves is a good assertion of F1, as parameters.
func (w *strict) proves(changes claimsOf) []string {
	return []string{"client_assertion=" + w.key.sign(w.TB, nil, w.assertionOf(&w.F1).with(changes)), "client_assertion_type=" + AssertionType}
}

// push pushes A(changes) of F1.
func (w *strict) push(changes ...string) (*Pushed, error) {
	w.Helper()
	return w.Push(w.ctx, w.pushRequest(&w.F1, append(w.proves(nil), changes...)...))
}

// uri is a request_uri of F1.
func (w *strict) uri(changes ...string) string {
	w.Helper()
	answer, err := w.push(changes...)
	w.ok(err)
	return answer.RequestURI
}

// strictCode is a code of F1, by a pushed A(changes).
func (w *strict) strictCode(changes ...string) string {
	w.Helper()
	answer, err := w.Authorize(w.ctx, w.byURI(&w.F1, w.uri(changes...)), w.allowing())
	w.ok(err)
	return answer.Callback.Code
}

// ask is a token request of F1, with a proof of a key where there is one.
func (w *strict) ask(key *keyPair, pairs ...string) (*TokenResponse, error) {
	w.Helper()
	req := w.calling(&w.F1, append(w.proves(nil), pairs...)...)
	if key != nil {
		req.Proof = Proof{Method: "POST", URL: tokenURL, DPoP: []string{key.proves(w.TB, w.proofOf("POST", tokenURL))}}
	}
	return w.Token(w.ctx, req)
}

// trade redeems a code of F1.
func (w *strict) trade(key *keyPair, code string, changes ...string) (*TokenResponse, error) {
	w.Helper()
	return w.ask(key, append([]string{"grant_type=authorization_code", "code=" + code, "redirect_uri=" + w.F1.RedirectURIs[0], "code_verifier=" + verifier}, changes...)...)
}

// jkt is the thumbprint of a key, as dpop_jkt has it.
func (w *strict) jkt(k keyPair) string {
	w.Helper()
	b, err := w.checkProof(w.ctx, "", &Proof{Method: "POST", URL: tokenURL, DPoP: []string{k.proves(w.TB, w.proofOf("POST", tokenURL))}}, "", w.clock.Now())
	w.ok(err)
	return confirm(b).JKT
}

// weakRSA is a public key of 1024 bits.
func weakRSA() *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
}

// FAPI2-5.3.2.1-d, FAPI2-5.3.2.2-c: the whole way of an app of FAPI 2.0, with OpenID
// and without.
func TestFAPI2(t *testing.T) {
	w := newStrict(t)
	for _, scope := range []string{"connect", "openid connect", "connect openid"} {
		tokens, err := w.trade(&w.dpop, w.strictCode("scope="+scope))
		w.ok(err)
		if tokens.TokenType != "DPoP" || tokens.ExpiresIn <= 0 || (tokens.IDToken != "") != strings.Contains(scope, "openid") {
			t.Fatalf("%+v", tokens)
		}
		if tokens.IDToken != "" {
			if header, _ := w.claims(tokens.IDToken); header["alg"] != "ES256" {
				t.Errorf("the ID token is signed by %v", header["alg"])
			}
		}
		w.ok(w.show(w.dpop, tokens.AccessToken, nil))
		w.refused(w.show(w.alt, tokens.AccessToken, nil), InvalidToken)
		_, err = w.Info(w.ctx, Bearer(tokens.AccessToken))
		w.refused(err, InvalidToken)

		// The same refresh token again, also late, and with another key (K8).
		for _, key := range []*keyPair{&w.dpop, &w.alt, &w.dpop} {
			next, err := w.ask(key, "grant_type=refresh_token", "refresh_token="+tokens.RefreshToken, "scope="+scope)
			w.ok(err)
			if next.RefreshToken != tokens.RefreshToken {
				t.Fatal("FAPI2-5.3.2.1-d the refresh token is rotated")
			}
			w.ok(w.show(*key, next.AccessToken, nil))
			w.clock.pass(31 * time.Second)
			w.ok(w.feed.Poll(w.ctx))
		}
		// Without a proof: one of the codes that any client reads, status 400.
		_, err = w.ask(nil, "grant_type=refresh_token", "refresh_token="+tokens.RefreshToken)
		w.refused(err, InvalidRequest)
	}
	// In its own name.
	own, err := w.ask(&w.dpop, "grant_type=client_credentials")
	w.ok(err)
	if own.TokenType != "DPoP" || own.RefreshToken != "" {
		t.Errorf("%+v", own)
	}
}

// attacks are what breaks each rule of FAPI 2.0, or "web" where package web keeps it.
var attacks = map[string]func(w *strict){
	"no-passwords": func(w *strict) {
		_, err := w.ask(&w.dpop, "grant_type=password", "username=jane", "password=x")
		w.refused(err, UnsupportedGrantType)
	},
	"confidential": func(w *strict) {
		code := w.strictCode()
		w.edit(w.F1.ID, func(a *symbolon.App) { a.Public = true })
		req := w.calling(&w.F1, "grant_type=authorization_code", "code="+code, "redirect_uri="+w.F1.RedirectURIs[0], "code_verifier="+verifier)
		_, err := w.proven(w.dpop, req)
		w.refused(err, InvalidClient)
		_, err = w.Push(w.ctx, w.pushRequest(&w.F1))
		w.refused(err, InvalidClient)
		_, err = w.Authorize(w.ctx, w.request(&w.F1), w.allowing())
		w.refused(err, InvalidRequest)
		_, err = w.device(&w.F1)
		w.refused(err, UnauthorizedClient)
	},
	"bound-tokens": func(w *strict) {
		code := w.strictCode()
		for _, settings := range []func(s *symbolon.Settings){
			func(*symbolon.Settings) {},
			func(s *symbolon.Settings) { s.BoundTokens = true },
			func(s *symbolon.Settings) { s.Token = symbolon.TokenJWT },
			func(s *symbolon.Settings) { s.TLSTokens = true },
		} {
			w.edit(w.F1.ID, func(a *symbolon.App) { settings(&a.Settings) })
			_, err := w.trade(nil, code)
			w.refused(err, InvalidRequest)
			_, err = w.ask(nil, "grant_type=client_credentials")
			w.refused(err, InvalidRequest)
			_, err = w.Refresh(w.ctx, w.calling(&w.F1, append(w.proves(nil), "refresh_token=x")...)) // the page's
			w.refused(err, InvalidRequest)
			req := w.calling(&w.F1, append(w.proves(nil), "grant_type=authorization_code", "code="+code, "redirect_uri="+w.F1.RedirectURIs[0], "code_verifier="+verifier)...)
			req.Standard = false // the page's
			_, err = w.Token(w.ctx, req)
			w.refused(err, InvalidRequest)
		}
		// An app that uses DPoP is asked for it, also where a certificate came with the
		// request: it may be how the app proves itself, and nothing more.
		w.edit(w.F1.ID, func(a *symbolon.App) { a.Settings.TLSTokens = false })
		req := w.calling(&w.F1, append(w.proves(nil), "grant_type=client_credentials")...)
		req.Proof.Certificate = &Certificate{Certificate: w.certify(w.key, nil, nil)}
		_, err := w.Token(w.ctx, req)
		w.refused(err, InvalidRequest)
		// What was refused has spent nothing.
		answer, err := w.trade(&w.dpop, code)
		w.ok(err)
		if answer.Grant.Binding.Kind != symbolon.BoundByDPoP {
			w.Error("the token is not bound")
		}
	},
	"authentication": func(w *strict) {
		plain, stored := symbolon.NewSecret(w.clock.Now())
		for _, method := range []symbolon.AuthMethod{symbolon.AuthSecret, symbolon.AuthBasic, symbolon.AuthPost, symbolon.AuthNone, "tomorrow"} {
			w.edit(w.F1.ID, func(a *symbolon.App) { a.Settings.Auth, a.Secrets = method, []symbolon.Secret{stored} })
			for _, by := range [][]string{{"client_secret=" + plain}, {"Authorization: " + basic(string(w.F1.ID), plain)}, w.proves(nil), nil} {
				req := w.calling(&w.F1, append(slices.Clone(by), "grant_type=client_credentials")...)
				_, err := w.proven(w.dpop, req)
				w.refused(err, InvalidClient)
				q := w.query(&w.F1, "x", by...)
				_, err = w.Introspect(w.ctx, q)
				w.refused(err, InvalidClient)
			}
			_, err := w.Push(w.ctx, w.pushRequest(&w.F1, "client_secret="+plain))
			w.refused(err, InvalidClient)
		}
	},
	"no-open-redirect": func(w *strict) {
		_, err := w.push("redirect_uri=https://evil.test/cb")
		w.refused(err, InvalidRequest)
		_, err = w.Authorize(w.ctx, w.request(&w.F1, "redirect_uri=https://evil.test/cb"), w.allowing())
		w.page(err, InvalidRequest)
	},
	"issuer-audience": func(w *strict) { // FAPI2-AUD-a
		iss := w.cfg.Issuer
		for _, aud := range []any{
			iss + "/oauth2/token", iss + "/token", iss + "/oauth2/par", []string{iss}, []string{iss, iss + "/oauth2/token"}, []string{iss + "/oauth2/par"},
			iss + "/", strings.ToUpper(iss), "", nil, true, map[string]string{"iss": iss}, "https://evil.test",
		} {
			_, err := w.Push(w.ctx, w.pushRequest(&w.F1, w.proves(claimsOf{"aud": aud})...))
			w.refused(err, InvalidClient)
			_, err = w.proven(w.dpop, w.calling(&w.F1, append(w.proves(claimsOf{"aud": aud}), "grant_type=client_credentials")...))
			w.refused(err, InvalidClient)
		}
	},
	"no-rotation": func(w *strict) {
		w.edit(w.F1.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateAlways })
		tokens, err := w.trade(&w.dpop, w.strictCode())
		w.ok(err)
		for range 3 {
			next, err := w.ask(&w.dpop, "grant_type=refresh_token", "refresh_token="+tokens.RefreshToken)
			w.ok(err)
			if next.RefreshToken != tokens.RefreshToken {
				w.Error("it is rotated")
			}
		}
	},
	"short-code": func(w *strict) { // FAPI2-5.3.2.2-b, though the server allows five minutes
		code := w.strictCode()
		w.clock.pass(60 * time.Second)
		w.ok(w.feed.Poll(w.ctx))
		_, err := w.trade(&w.dpop, code)
		w.refused(err, InvalidGrant)
		code = w.strictCode()
		w.clock.pass(59 * time.Second)
		w.ok(w.feed.Poll(w.ctx))
		_, err = w.trade(&w.dpop, code)
		w.ok(err)
	},
	"key-bound-code": func(w *strict) {
		thumb, other := w.jkt(w.dpop), w.jkt(w.alt)
		_, err := w.trade(&w.alt, w.strictCode("dpop_jkt="+thumb))
		w.refused(err, InvalidGrant)
		_, err = w.trade(&w.dpop, w.strictCode("dpop_jkt="+thumb))
		w.ok(err)
		req := w.pushRequest(&w.F1, append(w.proves(nil), "dpop_jkt="+other)...)
		req.Proof = Proof{Method: "POST", URL: tokenURL, DPoP: []string{w.dpop.proves(w.TB, w.proofOf("POST", tokenURL))}}
		_, err = w.Push(w.ctx, req)
		w.refused(err, InvalidDPoPProof)
		req = w.pushRequest(&w.F1, w.proves(nil)...)
		req.Proof = Proof{Method: "POST", URL: tokenURL, DPoP: []string{w.dpop.proves(w.TB, w.proofOf("POST", tokenURL))}}
		pushed, err := w.Push(w.ctx, req)
		w.ok(err)
		answer, err := w.Authorize(w.ctx, w.byURI(&w.F1, pushed.RequestURI), w.allowing())
		w.ok(err)
		_, err = w.trade(&w.alt, answer.Callback.Code)
		w.refused(err, InvalidGrant)
	},
	"clocks": func(w *strict) { // FAPI2-5.3.2.1-c
		for ahead, want := range map[int64]Refusal{0: 0, 8: 0, 10: 0, 61: InvalidClient, 70: InvalidClient} {
			at := w.clock.Now().Unix() + ahead
			for _, changes := range []claimsOf{{"iat": at, "exp": at + 60}, {"nbf": at, "exp": at + 60}, {"iat": at, "nbf": at, "exp": at + 60}} {
				_, err := w.Push(w.ctx, w.pushRequest(&w.F1, w.proves(changes)...))
				if want == 0 {
					w.ok(err)
				} else {
					w.refused(err, want)
				}
			}
		}
	},
	"codes-only": func(w *strict) {
		for _, typ := range []string{"token", "id_token", "code id_token", "code token"} {
			_, err := w.push("response_type=" + typ)
			w.refused(err, UnsupportedResponseType)
		}
	},
	"pushed": func(w *strict) {
		for _, standard := range []bool{true, false} {
			req := w.request(&w.F1)
			req.Standard = standard
			_, err := w.Authorize(w.ctx, req, w.allowing())
			w.redirected(err, InvalidRequest, w.F1.RedirectURIs[0], "xyz")
		}
		object := w.objectOf(&w.F1)
		_, err := w.Authorize(w.ctx, w.byObject(&w.F1, w.key.sign(w.TB, nil, object)), w.allowing())
		w.refused(err, InvalidRequest)
		for _, changes := range [][]string{{"-client_assertion", "-client_assertion_type"}, {"client_assertion=x"}, {"client_secret=x", "-client_assertion", "-client_assertion_type"}} {
			_, err := w.push(changes...)
			w.refused(err, InvalidClient)
		}
		uri := w.uri()
		_, err = w.Authorize(w.ctx, w.byURI(&w.C2, uri), w.allowing())
		w.page(err, InvalidRequestURI)
		_, err = w.Authorize(w.ctx, w.byURI(&w.F1, uri), w.allowing())
		w.ok(err)
		_, err = w.Authorize(w.ctx, w.byURI(&w.F1, uri), w.allowing())
		w.refused(err, InvalidRequestURI)
		_, err = w.push("request_uri=" + uri)
		w.refused(err, InvalidRequest)
	},
	"challenge": func(w *strict) {
		for _, changes := range [][]string{
			{"-code_challenge", "-code_challenge_method"}, {"code_challenge_method=plain"}, {"-code_challenge_method"}, {"code_challenge=" + verifier, "code_challenge_method=plain"},
		} {
			_, err := w.push(changes...)
			w.refused(err, InvalidRequest)
		}
		for _, changes := range [][]string{{"-code_verifier"}, {"code_verifier=" + strings.Repeat("x", 43)}} {
			_, err := w.trade(&w.dpop, w.strictCode(), changes...)
			w.refused(err, InvalidGrant)
		}
	},
	"named-redirect": func(w *strict) {
		_, err := w.push("-redirect_uri", "scope=connect")
		w.refused(err, InvalidRequest)
	},
	"issuer": func(w *strict) {
		answer, err := w.Authorize(w.ctx, w.byURI(&w.F1, w.uri()), w.allowing())
		w.ok(err)
		if answer.Callback.Issuer != w.cfg.Issuer {
			w.Errorf("iss is %q", answer.Callback.Issuer)
		}
		denied := w.allowing()
		denied.Allowed, denied.Denied = false, true
		_, err = w.Authorize(w.ctx, w.byURI(&w.F1, w.uri()), denied)
		w.redirected(err, AccessDenied, w.F1.RedirectURIs[0], "xyz")
	},
	"encrypted-redirects": func(w *strict) {
		for _, uri := range []string{"http://localhost/cb", "com.example.app:/cb", "http://f1.test/cb"} {
			w.edit(w.F1.ID, func(a *symbolon.App) { a.RedirectURIs = []string{uri, "http://127.0.0.1/cb", "http://[::1]:8000/cb"} })
			_, err := w.push("redirect_uri=" + uri)
			w.refused(err, InvalidRequest)
		}
		for _, uri := range []string{"http://127.0.0.1:1234/cb", "http://[::1]:8000/cb"} {
			_, err := w.push("redirect_uri=" + uri)
			w.ok(err)
		}
	},
	"code-once": func(w *strict) {
		code := w.strictCode()
		tokens, err := w.trade(&w.dpop, code)
		w.ok(err)
		w.clock.pass(time.Second)
		w.ok(w.feed.Poll(w.ctx))
		_, err = w.trade(&w.dpop, code)
		w.refused(err, InvalidGrant)
		w.refused(w.show(w.dpop, tokens.AccessToken, nil), InvalidToken)
	},
	"short-request": func(w *strict) {
		pushed, err := w.push()
		w.ok(err)
		if pushed.ExpiresIn <= 0 || pushed.ExpiresIn >= 600 {
			w.Errorf("it lives %d s", pushed.ExpiresIn)
		}
		w.clock.pass(time.Duration(pushed.ExpiresIn) * time.Second)
		w.ok(w.feed.Poll(w.ctx))
		_, err = w.Authorize(w.ctx, w.byURI(&w.F1, pushed.RequestURI), w.allowing())
		w.page(err, InvalidRequestURI)
	},
	"algorithms": func(w *strict) { // FAPI2-5.4-a
		rs, ps := w.rsa, w.rsa
		rs.alg = jose.RS256
		by := func(k keyPair) []string {
			return []string{"client_assertion=" + k.sign(w.TB, nil, w.assertionOf(&w.F1)), "client_assertion_type=" + AssertionType}
		}
		_, err := w.Push(w.ctx, w.pushRequest(&w.F1, by(rs)...))
		w.refused(err, InvalidClient)
		_, err = w.Push(w.ctx, w.pushRequest(&w.F1, by(ps)...))
		w.ok(err)
		// Its request objects.
		_, err = w.push("request=" + rs.sign(w.TB, nil, w.objectOf(&w.F1)))
		w.refused(err, InvalidRequestObject)
		_, err = w.push("request=" + ps.sign(w.TB, nil, w.objectOf(&w.F1).with(claimsOf{"nbf": w.clock.Now().Unix()})))
		w.ok(err)
		// Its proofs, here and where a token is shown.
		_, err = w.ask(&rs, "grant_type=client_credentials")
		w.refused(err, InvalidDPoPProof)
		tokens, err := w.trade(&ps, w.strictCode("scope=openid connect"))
		w.ok(err)
		w.refused(w.show(rs, tokens.AccessToken, nil), InvalidDPoPProof)
		w.ok(w.show(ps, tokens.AccessToken, nil))
		// What is signed for it, whatever was set.
		for _, algorithm := range []string{"", "RS256", "none", "ES256"} {
			w.edit(w.F1.ID, func(a *symbolon.App) {
				a.Settings.OpenID.IDTokenSigning, a.Settings.OpenID.UserinfoSigning, a.Settings.ResponseSigning = algorithm, algorithm, algorithm
			})
			held, err := w.App(w.ctx, w.F1.ID)
			w.ok(err)
			if o := &held.Settings.OpenID; o.SigningAlgorithm() != "ES256" || held.Settings.ResponseAlgorithm() != "ES256" || o.UserinfoSigning != "ES256" && algorithm != "" {
				w.Errorf("with %q: %+v", algorithm, o)
			}
		}
		// A signed answer to the request (JARM).
		answer, err := w.Authorize(w.ctx, w.byURI(&w.F1, w.uri("response_mode=jwt")), w.allowing())
		w.ok(err)
		if header, _ := w.claims(answer.Callback.response); header["alg"] != "ES256" {
			w.Errorf("the answer is signed by %v", header["alg"])
		}
		w.Engine.cfg.SigningAlgorithm = "RS256"
		if e := w.Engine; e.algorithmFor(&w.F1) != "ES256" || e.algorithmFor(&w.C1) != "RS256" {
			w.Error("access tokens and answers of introspection by RS256")
		}
	},
	"strong-keys": func(w *strict) {
		small := &Certificate{Certificate: &x509.Certificate{PublicKey: weakRSA(), Raw: []byte("small")}}
		w.edit(w.F1.ID, func(a *symbolon.App) { a.Settings.TLSTokens = true })
		req := w.calling(&w.F1, append(w.proves(nil), "grant_type=client_credentials")...)
		req.Proof.Certificate = small
		_, err := w.Token(w.ctx, req)
		w.refused(err, InvalidRequest)
		w.edit(w.F1.ID, func(a *symbolon.App) { a.Settings.Auth = symbolon.AuthSelfSignedTLS })
		_, err = w.shows(&w.F1, small)
		w.refused(err, InvalidClient)
	},
	"grants": func(w *strict) {
		for _, grant := range []symbolon.GrantType{symbolon.GrantDevice, symbolon.GrantAssertion} {
			_, err := w.ask(&w.dpop, "grant_type="+string(grant), "device_code=x", "assertion=x")
			w.refused(err, UnauthorizedClient)
		}
		_, err := w.device(&w.F1)
		w.refused(err, UnauthorizedClient)
		// An exchange brings a bound token, or none.
		w.edit(w.F1.ID, func(a *symbolon.App) { a.Settings.ExchangeFor = []symbolon.ClientID{"*"} })
		pairs := []string{"grant_type=" + string(symbolon.GrantExchange), "subject_token=" + w.connected(&w.C1).AccessToken, "subject_token_type=" + typeAccessToken}
		_, err = w.ask(nil, pairs...)
		w.refused(err, InvalidRequest)
		answer, err := w.ask(&w.dpop, pairs...)
		w.ok(err)
		if answer.TokenType != "DPoP" {
			w.Errorf("%+v", answer)
		}
	},
}

// FAPI2-5.3.2.1-a, FAPI2-5.3.2.1-b, FAPI2-5.3.2.1-c, FAPI2-5.3.2.2-a, FAPI2-5.3.2.2-b, FAPI2-5.4-a,
// FAPI2-AUD-a: each rule is held against an app whose settings say otherwise, so that no
// rule is told to people that nothing keeps.
func TestRulesOfFAPI2(t *testing.T) {
	elsewhere := readElsewhere(t)
	seen := 0
	for _, rule := range Rules[symbolon.ProfileFAPI2] {
		if rule.Choice {
			continue // nobody is held to it
		}
		t.Run(rule.Name, func(t *testing.T) {
			attack := attacks[rule.Name]
			if attack == nil {
				if !regexp.MustCompile(`FAPI2 rule ` + rule.Name + `\b`).MatchString(elsewhere) {
					t.Fatal("no test attacks this rule")
				}
				return
			}
			seen++
			attack(newStrict(t))
		})
	}
	if seen != len(attacks) {
		t.Errorf("%d attacks are on rules that are not there", len(attacks)-seen)
	}
}

// What the CLI sets for a profile meets its rules; each rule that settings can break is
// mended by what it says.
func TestComply(t *testing.T) {
	for _, rule := range Rules[symbolon.ProfileFAPI2] {
		if (rule.met == nil) != (rule.mend == nil) {
			t.Errorf("%s: there is a rule to mend and no way, or a way and no rule", rule.Name)
		}
	}
	w := newStrict(t)
	broken := w.F1
	broken.Settings.Grants = nil
	broken.Settings.OpenID.IDTokenSigning = "RS256"
	names := func(app *symbolon.App) (list []string) {
		for _, r := range RulesOf(symbolon.ProfileFAPI2, app) {
			if r.Of(app) == Broken {
				list = append(list, r.Name)
			}
		}
		return list
	}
	if got := strings.Join(names(&broken), " "); got != "bound-tokens no-rotation pushed challenge algorithms" {
		t.Errorf("broken: %s", got)
	}
	Comply(&broken)
	if got := names(&broken); len(got) > 0 || !broken.Settings.BoundTokens {
		t.Errorf("still broken: %v", got)
	}
	tls := w.F1
	tls.Settings.Grants, tls.Settings.Auth = nil, symbolon.AuthTLS
	if Comply(&tls); !tls.Settings.TLSTokens || tls.Settings.BoundTokens || len(names(&tls)) > 0 {
		t.Errorf("%+v", tls.Settings)
	}
	other := w.C1
	if Comply(&other); !slices.Equal(other.Settings.Grants, w.C1.Settings.Grants) || other.Settings.RequirePAR {
		t.Error("an app of another profile was changed")
	}
}

// FAPI2-5.3.2.1-b by TLS: tokens are bound to the certificate, whichever way the app
// proves itself.
func TestFAPI2ByTLS(t *testing.T) {
	for _, method := range []symbolon.AuthMethod{symbolon.AuthKey, symbolon.AuthSelfSignedTLS} {
		t.Run(string(method), func(t *testing.T) {
			w := newStrict(t, func(a *symbolon.App) { a.Settings.Auth, a.Settings.TLSTokens = method, true })
			cert := &Certificate{Certificate: w.certify(w.key, nil, nil)}
			proof := func() []string {
				if method == symbolon.AuthKey {
					return w.proves(nil)
				}
				return nil
			}
			push := w.pushRequest(&w.F1, proof()...)
			push.Credentials.Certificate, push.Proof.Certificate = cert, cert
			pushed, err := w.Push(w.ctx, push)
			w.ok(err)
			answer, err := w.Authorize(w.ctx, w.byURI(&w.F1, pushed.RequestURI), w.allowing())
			w.ok(err)
			ask := func(c *Certificate, pairs ...string) (*TokenResponse, error) {
				req := w.calling(&w.F1, append(proof(), pairs...)...)
				req.Credentials.Certificate, req.Proof.Certificate = c, c
				return w.Token(w.ctx, req)
			}
			pairs := []string{"grant_type=authorization_code", "code=" + answer.Callback.Code, "redirect_uri=" + w.F1.RedirectURIs[0], "code_verifier=" + verifier}
			_, err = ask(nil, pairs...)
			want := InvalidRequest
			if method != symbolon.AuthKey {
				want = InvalidClient
			}
			w.refused(err, want)
			tokens, err := ask(cert, pairs...)
			w.ok(err)
			if tokens.TokenType != "Bearer" || tokens.Grant.Binding.Kind != symbolon.BoundByTLS {
				t.Errorf("%+v", tokens)
			}
			_, err = w.Info(w.ctx, Shown{Token: tokens.AccessToken, Proof: Proof{Certificate: cert}})
			w.ok(err)
			_, err = w.Info(w.ctx, Bearer(tokens.AccessToken))
			w.refused(err, InvalidToken)
			_, err = ask(nil, "grant_type=refresh_token", "refresh_token="+tokens.RefreshToken)
			w.refused(err, want)
			next, err := ask(cert, "grant_type=refresh_token", "refresh_token="+tokens.RefreshToken)
			w.ok(err)
			if next.RefreshToken != tokens.RefreshToken {
				t.Error("it is rotated")
			}
		})
	}
}

// FAPI2-MSG-a: what FAPI 2.0 Message Signing asks of a request object, beside what is
// asked of all.
func TestSignedRequestOfFAPI2(t *testing.T) {
	w := newStrict(t, func(a *symbolon.App) { a.Settings.RequireSigned = true })
	now := w.clock.Now().Unix()
	good := func(changes claimsOf) string {
		return w.key.sign(t, nil, w.objectOf(&w.F1).with(claimsOf{"nbf": now, "exp": now + 300}).with(changes))
	}
	iss := w.cfg.Issuer
	for name, c := range map[string]struct {
		object string
		want   Refusal
	}{
		"good":                       {good(nil), 0},
		"a list of audiences":        {good(claimsOf{"aud": []string{"https://other.test", iss}}), 0},
		"nbf 8 s ahead":              {good(claimsOf{"nbf": now + 8}), 0},
		"no nbf":                     {good(claimsOf{"nbf": nil}), InvalidRequestObject},
		"no exp":                     {good(claimsOf{"exp": nil}), InvalidRequestObject},
		"expired":                    {good(claimsOf{"exp": now - 300, "nbf": now - 400}), InvalidRequestObject},
		"an exp too far":             {good(claimsOf{"exp": now + 4200}), InvalidRequestObject},
		"an nbf too long ago":        {good(claimsOf{"nbf": now - 4200}), InvalidRequestObject},
		"another audience":           {good(claimsOf{"aud": "https://other.test"}), InvalidRequestObject},
		"no redirect_uri":            {good(claimsOf{"redirect_uri": nil}), InvalidRequest},
		"a request_uri inside":       {good(claimsOf{"request_uri": "urn:x"}), InvalidRequest},
		"signed by another key":      {w.alt.sign(t, map[jose.HeaderKey]any{"kid": "k1"}, w.objectOf(&w.F1)), InvalidRequestObject},
		"the form, and no signature": {"", InvalidRequest},
		"an assertion":               {w.key.sign(t, nil, w.assertionOf(&w.F1).with(claimsOf{"nbf": now})), InvalidRequestObject},
	} {
		w.run("FAPI2-MSG-a "+name, func(t *testing.T) {
			changes := []string{"request=" + c.object}
			if c.object == "" {
				changes = nil
			}
			_, err := w.push(changes...)
			if c.want == 0 {
				w.ok(err)
				return
			}
			w.refused(err, c.want)
		})
	}
}
