package oauth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
)

func TestResources(t *testing.T) {
	w := newWide(t)
	w.run("RFC8707-2-a", func(t *testing.T) {
		for _, uri := range []string{"r1.test", "https://r1#x", "https://r1.test#", "https://u@r1.test", "/x", "https://", "%zz", "https://r1.test/" + strings.Repeat("x", 2000)} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=connect", "resource="+uri), w.allowing())
			w.redirected(err, InvalidTarget, uriC1, "xyz")
			_, err = w.own(&w.M1, "resource="+uri)
			w.refused(err, InvalidTarget)
			_, err = w.device(&w.D1, "resource="+uri)
			w.refused(err, InvalidTarget)
		}
		if a, err := w.own(&w.M1, "resource="); err != nil || len(a.Grant.Resource) != 0 { // as if left out
			t.Errorf("%+v %v", a, err)
		}
	})
	w.run("RFC8707-2-b", func(t *testing.T) {
		for _, uri := range []string{"https://evil.test", r3, "http://r1.test", "https://r1.test:444", "https://r1.test/x", "https://r1.test?x", "urn:r1"} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=connect", "resource="+uri), w.allowing())
			w.redirected(err, InvalidTarget, uriC1, "xyz")
			_, err = w.redeeming(&w.C1, nil, "resource="+uri)
			w.refused(err, InvalidTarget)
			a := w.redeemed(&w.C1, nil)
			_, err = w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken, "resource="+uri)
			w.refused(err, InvalidTarget)
			_, err = w.own(&w.M1, "resource="+uri)
			w.refused(err, InvalidTarget)
			_, err = w.exchange(&w.R1, a.AccessToken, "audience="+uri)
			w.refused(err, InvalidTarget)
		}
		// An app may be kept to some of the APIs.
		w.edit(w.M1.ID, func(a *symbolon.App) { a.Settings.Resources = []string{r1} })
		_, err := w.own(&w.M1, "resource="+r2)
		w.refused(err, InvalidTarget)
		_, err = w.own(&w.M1, "resource="+r1)
		w.ok(err)
		w.edit(w.M1.ID, func(a *symbolon.App) { a.Settings.Resources = nil })
	})
	both := []string{"scope=connect read write", "resource=" + r1, "+resource=" + r2}
	w.run("RFC8707-2-c", func(t *testing.T) {
		a := w.redeemed(&w.C1, both)
		if said := w.told(&w.C1, a.AccessToken); !sameSet(said["aud"], r1, r2) {
			t.Errorf("all that was granted: %v", said["aud"])
		}
		b := w.redeemed(&w.C1, both, "resource="+r1)
		if said := w.told(&w.C1, b.AccessToken); !sameSet(said["aud"], r1) {
			t.Errorf("a subset: %v", said["aud"])
		}
		// The refresh token keeps both; and never gets more.
		c := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+b.RefreshToken, "resource="+r2)
		if said := w.told(&w.C1, c.AccessToken); !sameSet(said["aud"], r2) {
			t.Errorf("the other: %v", said["aud"])
		}
		d := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+c.RefreshToken)
		if said := w.told(&w.C1, d.AccessToken); !sameSet(said["aud"], r1, r2) {
			t.Errorf("both again: %v", said["aud"])
		}
		one := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1})
		for _, uri := range []string{r2, r3} {
			_, err := w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+one.RefreshToken, "resource="+uri)
			w.refused(err, InvalidTarget)
			_, err = w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+one.RefreshToken, "resource="+r1, "+resource="+uri)
			w.refused(err, InvalidTarget)
			_, err = w.redeeming(&w.C1, []string{"scope=connect", "resource=" + r1}, "resource="+uri)
			w.refused(err, InvalidTarget)
		}
	})
	w.run("B45", func(t *testing.T) {
		a := w.redeemed(&w.C1, []string{"scope=read", "resource=" + r1})
		for change, want := range map[string]Refusal{"scope=read admin": InvalidScope, "scope=connect": InvalidScope, "scope=a  b": InvalidScope, "resource=" + r3: InvalidTarget, "resource=" + r2: InvalidTarget} {
			_, err := w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken, change)
			w.refused(err, want)
		}
		if b := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken); b.Scope != "read" {
			t.Errorf("%+v", b)
		}
	})
	w.run("RFC8707-2-d", func(t *testing.T) {
		for resource, want := range map[string]string{r1: "connect read", r2: "connect write", "": "connect read write"} {
			if b := w.redeemed(&w.C1, both, "resource="+resource); b.Scope != want {
				t.Errorf("for %q the scope is %q", resource, b.Scope)
			}
			if b, err := w.own(&w.M1, "scope=connect read write", "resource="+resource); err != nil || b.Scope != want {
				t.Errorf("for %q the scope is %+v %v", resource, b, err)
			}
		}
		_, err := w.redeeming(&w.C1, both, "scope=read", "resource="+r2)
		w.ok(err) // scope means nothing at a redemption
		a := w.redeemed(&w.C1, both)
		_, err = w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken, "scope=read", "resource="+r2)
		w.refused(err, InvalidScope)
	})
	w.run("MCP-RES-a", func(t *testing.T) {
		for uri, want := range map[string]string{
			"HTTPS://R1.test/": r1, "https://R1.TEST": r1, "https://r1.test:443": r1, "https://r1.test:443/": r1,
			"https://r2.test/api/": r2, "https://R2.test/api": r2,
		} {
			a, err := w.own(&w.M1, "resource="+uri)
			w.ok(err)
			if said := w.told(&w.M1, a.AccessToken); !sameSet(said["aud"], want) {
				t.Errorf("%s is %v", uri, said["aud"])
			}
		}
		// A resource that was asked for twice, in two spellings, is one.
		a, err := w.own(&w.M1, "resource="+r1, "+resource=https://R1.test/")
		w.ok(err)
		if len(a.Grant.Resource) != 1 {
			t.Errorf("%q", a.Grant.Resource)
		}
		for _, uri := range []string{"https://r2.test/API", "https://r2.test/api//", "https://r2.test", "https://r2.test/%61pi"} {
			if a, err := w.own(&w.M1, "resource="+uri); err == nil {
				t.Errorf("%s is %v", uri, a.Grant.Resource)
			}
		}
	})
	w.run("RFC9068-3-a", func(t *testing.T) {
		own := w.redeemed(&w.C1, nil)
		if said := w.told(&w.C1, own.AccessToken); !sameSet(said["aud"], w.cfg.Issuer) {
			t.Errorf("without a resource, aud is %v", said["aud"])
		}
		w.alive(own)
		// A token for another API is none for this one.
		for _, resource := range []string{r1, r2} {
			other := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + resource})
			w.dead(other)
			if !w.active(&w.C1, other.AccessToken) {
				t.Error("its own app may not know it")
			}
		}
	})
}

// Where the owner names no API, an app may name any, and what it says only later
// changes nothing (docs/divergences.md).
func TestResourcesThatNooneDeclared(t *testing.T) {
	w := newWide(t, func(c *Config) { c.Resources = nil })
	a := w.redeemed(&w.C1, []string{"scope=connect", "resource=https://R3.test/x/"})
	if !sameSet(w.told(&w.C1, a.AccessToken)["aud"], "https://r3.test/x/") {
		t.Errorf("%v", w.told(&w.C1, a.AccessToken)["aud"])
	}
	w.dead(a) // and it is good nowhere else
	if strings.HasPrefix(a.AccessToken, "eyJ") {
		t.Error("a JWT, which no one asked for")
	}
	b := w.redeemed(&w.C1, []string{"scope=connect"}, "resource="+r3)
	w.alive(b)
	own := w.redeemed(&w.C1, []string{"scope=connect", "resource=https://AS.test/"})
	w.alive(own) // this server's own
}

func TestJWTAccessTokens(t *testing.T) {
	w := newWide(t)
	get := func(app *symbolon.App, changes ...string) *TokenResponse {
		w.Helper()
		return w.redeemed(app, append([]string{"scope=connect write", "resource=" + r2}, changes...))
	}
	w.run("RFC9068-2.1-a", func(t *testing.T) {
		header, _ := w.claims(get(&w.C1).AccessToken)
		if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == nil {
			t.Errorf("%v", header)
		}
	})
	w.run("RFC9068-2.2-a", func(t *testing.T) {
		a := get(&w.C1)
		_, c := w.claims(a.AccessToken)
		now := float64(w.clock.Now().Unix())
		if c["iss"] != w.cfg.Issuer || c["aud"] != r2 || c["sub"] != string(w.U1.ID) || c["client_id"] != string(w.C1.ID) || c["iat"] != now || c["exp"] != now+600 || c["jti"] == "" || c["jti"] == nil {
			t.Errorf("%v", c)
		}
		_, second := w.claims(w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+a.RefreshToken).AccessToken)
		if c["jti"] == second["jti"] {
			t.Error("two tokens have one jti")
		}
	})
	w.run("RFC9068-2.2.3-a", func(t *testing.T) {
		_, c := w.claims(get(&w.C1).AccessToken)
		if c["scope"] != "connect write" || c["auth_time"] != float64(w.clock.Now().Add(-time.Second).Unix()) {
			t.Errorf("%v", c)
		}
	})
	w.run("RFC9068-6-a", func(t *testing.T) {
		raw := get(&w.C1).AccessToken
		_, c := w.claims(raw)
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
		if strings.Contains(string(payload), w.U1.Name) || strings.Contains(string(payload), w.U1.Username) {
			t.Errorf("%s", payload)
		}
		for name := range c {
			switch name {
			case "iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "auth_time", "acr":
			default:
				t.Errorf("the claim %s", name)
			}
		}
	})
	w.run("RFC9700-2.3-a", func(t *testing.T) {
		a := get(&w.C1)
		if a.ExpiresIn > 900 || !w.active(&w.R2, a.AccessToken) {
			t.Errorf("%d s", a.ExpiresIn)
		}
		w.clock.pass(600 * time.Second)
		if w.active(&w.R2, a.AccessToken) {
			t.Error("it outlives its expiry")
		}
	})
	w.run("as the app's owner wants", func(t *testing.T) {
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Token = symbolon.TokenJWT })
		own := w.redeemed(&w.C1, nil)
		_, c := w.claims(own.AccessToken)
		if c["aud"] != w.cfg.Issuer {
			t.Errorf("%v", c)
		}
		info, err := w.Info(w.ctx, Bearer(own.AccessToken))
		w.ok(err)
		if info.User != w.U1.Name { // read, since the token does not say it
			t.Errorf("%+v", info)
		}
		_, err = w.Invalidate(w.ctx, Bearer(own.AccessToken))
		w.ok(err)
		w.dead(own)
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Token = symbolon.TokenSealed })
		if a := get(&w.C1); strings.HasPrefix(a.AccessToken, "eyJ") {
			t.Error("a JWT in spite of the owner")
		}
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Token = symbolon.TokenDefault })
		// For two APIs, of which one wants no JWT: sealed.
		if a := w.redeemed(&w.C1, []string{"scope=connect", "resource=" + r1, "+resource=" + r2}); strings.HasPrefix(a.AccessToken, "eyJ") {
			t.Error("a JWT for an API that wants none")
		}
	})
	w.run("it ends like any other", func(t *testing.T) {
		for name, end := range map[string]func(*TokenResponse){
			"the refresh token is revoked": func(a *TokenResponse) { w.ok(w.revoke(&w.C1, a.RefreshToken)) },
			"it is revoked":                func(a *TokenResponse) { w.ok(w.revoke(&w.C1, a.AccessToken)) },
			"step 6":                       func(a *TokenResponse) { _, err := w.Invalidate(w.ctx, Bearer(a.AccessToken)); w.ok(err) },
			"the consent is withdrawn":     func(*TokenResponse) { w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID}) },
			"all of the account is ended":  func(*TokenResponse) { w.end(symbolon.End{Account: w.U1.ID}) },
			"all of the app is ended":      func(*TokenResponse) { w.end(symbolon.End{Client: w.C1.ID}) },
		} {
			w.clock.pass(time.Second)
			a := get(&w.C1)
			if !w.active(&w.R2, a.AccessToken) {
				t.Fatalf("%s: it was dead before", name)
			}
			w.clock.pass(time.Second)
			end(a)
			if w.active(&w.R2, a.AccessToken) {
				t.Errorf("%s, and it lives", name)
			}
		}
		w.clock.pass(time.Second)
	})
	// B55, B56, B57, B59, B60: forged JWTs where a token is taken: as a bearer token,
	// to be exchanged, to be told about, to be revoked.
	key := newPair(t, "mine", "ES256")
	_, good := w.claims(get(&w.C1, "scope=connect").AccessToken)
	head, _ := w.claims(get(&w.C1).AccessToken)
	claims := claimsOf(good).with(claimsOf{"aud": w.cfg.Issuer})
	refuse := func(t *testing.T, forged string) {
		t.Helper()
		_, err := w.Info(w.ctx, Bearer(forged))
		w.refused(err, InvalidToken)
		_, err = w.exchange(&w.R1, forged)
		w.refused(err, InvalidRequest)
		_, err = w.exchange(&w.R1, w.redeemed(&w.C1, nil).AccessToken, "actor_token="+forged, "actor_token_type="+typeAccessToken)
		w.refused(err, InvalidRequest)
		if w.active(&w.C1, forged) {
			t.Error("it is active")
		}
		w.ok(w.revoke(&w.C1, forged))
	}
	b64 := base64.RawURLEncoding.EncodeToString
	w.run("B55", func(t *testing.T) {
		for _, alg := range []string{"none", "None", "nOnE", ""} {
			_, body, _ := strings.Cut(key.sign(t, nil, claims), ".")
			body, signature, _ := strings.Cut(body, ".")
			refuse(t, b64([]byte(`{"alg":"`+alg+`","typ":"at+jwt"}`))+"."+body+".")
			refuse(t, b64([]byte(`{"alg":"`+alg+`","typ":"at+jwt"}`))+"."+body+"."+signature)
		}
	})
	w.run("B56", func(t *testing.T) {
		set, err := w.KeySet()
		w.ok(err)
		for _, secret := range [][]byte{set, []byte(strings.Repeat("k", 32))} {
			k := keyPair{kid: head["kid"].(string), alg: "HS256", private: secret}
			refuse(t, k.sign(t, map[jose.HeaderKey]any{"typ": "at+jwt"}, claims))
		}
	})
	w.run("B57", func(t *testing.T) {
		jwk := set(t, key)
		for _, header := range []map[jose.HeaderKey]any{
			{"kid": head["kid"]}, {"kid": "../../dev/null"}, {"kid": "' OR 1=1"}, {"kid": strings.Repeat("x", 1<<20)}, {"kid": nil},
			{"jku": "https://evil.test/jwks"}, {"x5u": "https://evil.test/x"}, {"jwk": jwk}, {"crit": []string{"exp"}},
		} {
			header["typ"] = "at+jwt"
			refuse(t, key.sign(t, header, claims))
		}
	})
	w.run("B59", func(t *testing.T) {
		refuse(t, "eyJ"+strings.Repeat("a", 1<<20)+".e30.x")
		refuse(t, key.sign(t, map[jose.HeaderKey]any{"typ": "at+jwt", "kid": head["kid"]}, []byte(strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000))))
		refuse(t, key.sign(t, map[jose.HeaderKey]any{"typ": "at+jwt", "kid": head["kid"]}, claims.with(claimsOf{"aud": strings.Split(strings.Repeat("x,", 10_000), ",")})))
		refuse(t, "eyJ.eyJ.eyJ.eyJ.eyJ") // a JWE is none
	})
	w.run("B60", func(t *testing.T) {
		parts := strings.Split(get(&w.C1).AccessToken, ".")
		for _, signature := range [][]byte{make([]byte, 64), {}, make([]byte, 63), []byte(strings.Repeat("\xff", 64))} {
			refuse(t, parts[0]+"."+parts[1]+"."+b64(signature))
		}
	})
	w.run("B98", func(t *testing.T) {
		text := get(&w.C1).AccessToken
		for _, change := range []func(string) string{
			func(s string) string { return s + "=" }, func(s string) string { return s + " " }, func(s string) string { return s[:len(s)-1] },
			func(s string) string { return strings.Replace(s, ".", "=.", 1) }, func(s string) string { return s + "." }, strings.ToUpper,
		} {
			if w.active(&w.C1, change(text)) {
				t.Errorf("a second spelling of one token")
			}
		}
		// The last characters of the signature hold bits that mean nothing.
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			if other := text[:len(text)-1] + string(c); other != text && w.active(&w.C1, other) {
				t.Errorf("a second spelling of one token, with %c at its end", c)
			}
		}
	})
	w.run("its own key signs nothing else that is taken", func(t *testing.T) {
		for _, typ := range []string{"", "JWT", "id_token", "logout+jwt", typIntrospection, "at+jwt+x"} {
			text, err := w.cfg.Signing.Sign(typ, "ES256", claims, w.clock.Now())
			w.ok(err)
			refuse(t, text)
		}
		for name, change := range map[string]claimsOf{
			"another issuer": {"iss": "https://evil.test"}, "none": {"iss": nil}, "no app": {"client_id": nil}, "no audience": {"aud": nil}, "an empty audience": {"aud": []string{}},
			"no jti": {"jti": nil}, "a short jti": {"jti": "AAAA"}, "a broken scope": {"scope": "a  b"}, "a broken binding": {"cnf": map[string]string{"jkt": "AAAA"}}, "an empty binding": {"cnf": map[string]string{}},
			"no expiry": {"exp": nil}, "no issue time": {"iat": nil}, "expired": {"exp": w.clock.Now().Unix()},
		} {
			text, err := w.cfg.Signing.Sign(typAccess, "ES256", claims.with(change), w.clock.Now())
			w.ok(err)
			if w.active(&w.C1, text) {
				t.Errorf("with %s it is active", name)
			}
		}
	})
}
