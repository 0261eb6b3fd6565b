package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// newHandoff is a server that believes a site, and what that signs.
func newHandoff(t *testing.T, creates bool) (*maryWorld, func(claims map[string]any, typ string) string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "h", Algorithm: "ES256"}}})
	check(t, err)
	keys, err := jwt.ParseSet(set)
	check(t, err)
	s := newMaryWith(t, func(c *oauth.Config) { c.Handoff = &oauth.TrustedIssuer{Issuer: "https://site.test", Keys: keys} })
	s.offer(func(h *Handler) {
		h.Handoff = &HandoffSite{Title: "The Site", URL: "https://site.test/handoff?x=1", Issuer: "https://site.test", Creates: creates}
	})
	return s, func(claims map[string]any, typ string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "h"}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		check(t, err)
		text, err := json.Marshal(claims)
		check(t, err)
		jws, err := signer.Sign(text)
		check(t, err)
		compact, err := jws.CompactSerialize()
		check(t, err)
		return compact
	}
}

func newMaryWith(t *testing.T, configure func(*oauth.Config)) *maryWorld {
	t.Helper()
	s := &maryWorld{fixture: newFixtureAt(t, "", configure), t: t, mary: symbolon.NewAccountID()}
	hash, err := s.handler.Hasher.Hash(t.Context(), maryPassword)
	check(t, err)
	check(t, s.store.PutAccount(t.Context(), symbolon.Account{ID: s.mary, Username: "mary", Name: "Mary Major", Password: hash, CreatedAt: time.Now()}))
	return s
}

func (s *maryWorld) stated(q url.Values, changes map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{"iss": "https://site.test", "aud": s.URL, "sub": "7", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		"jti": symbolon.NewConnectionID(now).String(), "nonce": q.Get("handoff"), "name": "Hana Handed"}
	maps.Copy(c, changes)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

// Handoff: by a form of the other site, which brings none of our cookies, and by a link.
func TestHandoff(t *testing.T) {
	s, sign := newHandoff(t, true)
	b := s.browser()
	q := s.leave(b, s.authorize("state", "of-the-app"), handoffName, "https://site.test/handoff?")
	if q.Get("x") != "1" || q.Get("return_to") != s.URL+handoffPath || q.Get("handoff") == "" {
		t.Fatalf("%v", q)
	}
	token := sign(s.stated(q, nil), "handoff+jwt")
	bare := &browserOf{t: t, f: s.fixture, accept: "text/html"} // the form of another site, without cookies
	resp, _ := bare.post(handoffPath, "token", token)
	to := resp.Header.Get("Location")
	if resp.StatusCode != 303 || !strings.HasPrefix(to, handoffPath+"?posted=") || strings.Contains(to, token) {
		t.Fatalf("%d %s", resp.StatusCode, to)
	}
	_, page := b.follow(b.get(to))
	wants(t, page, "allow") // the consent page of the app
	one := s.signedIn(b, "")
	if one.Account.Name != "Hana Handed" || one.Account.Identities[0].Issuer != "https://site.test" || one.Session.ACR != oauth.ACROne {
		t.Errorf("%+v", one)
	}
	c := s.browser()
	q = s.leave(c, "/sign-in", handoffName, "https://site.test")
	c.follow(c.get(handoffPath + "?token=" + sign(s.stated(q, map[string]any{"name": "Another"}), "handoff+jwt")))
	s.signedIn(c, one.Account.ID)
}

func TestHandoffRefuses(t *testing.T) {
	s, sign := newHandoff(t, true)
	refused := func(what string, b *browserOf, token string) {
		t.Helper()
		resp, page := b.follow(b.get(handoffPath + "?token=" + url.QueryEscape(token)))
		if resp.StatusCode < 400 || len(s.sessions(b)) != 0 {
			t.Errorf("%s: %d\n%.500s", what, resp.StatusCode, page)
		}
		resp, _ = b.follow(b.post(handoffPath, "token", token))
		if resp.StatusCode < 400 || len(s.sessions(b)) != 0 {
			t.Errorf("%s, as a form: %d", what, resp.StatusCode)
		}
	}
	b := s.browser()
	q := s.leave(b, "/sign-in", handoffName, "https://site.test")
	other := s.leave(s.browser(), "/sign-in", handoffName, "https://site.test")
	_, page := b.get("/sign-in")
	flow := flowOf(t, page)
	for what, changes := range map[string]map[string]any{
		"another issuer": {"iss": "https://other.test"}, "no issuer": {"iss": nil}, "another audience": {"aud": "https://other.test"},
		"a list of audiences": {"aud": []string{s.URL, "https://other.test"}}, "the token endpoint": {"aud": s.URL + "/oauth2/token"}, "no audience": {"aud": nil},
		"no subject": {"sub": nil}, "an empty subject": {"sub": ""}, "a subject that is a number": {"sub": 7}, "no jti": {"jti": nil}, "no nonce": {"nonce": nil}, "another nonce": {"nonce": "x"},
		"the nonce of another browser": {"nonce": other.Get("handoff")}, "a flow for a nonce": {"nonce": flow},
		"expired": {"exp": time.Now().Add(-2 * time.Minute).Unix()}, "no end": {"exp": nil}, "too long": {"exp": time.Now().Add(10 * time.Minute).Unix()}, "no iat": {"iat": nil},
		"from the future": {"iat": time.Now().Add(5 * time.Minute).Unix()}, "not yet": {"nbf": time.Now().Add(5 * time.Minute).Unix()},
	} {
		refused(what, b, sign(s.stated(q, changes), "handoff+jwt"))
	}
	refused("another typ", b, sign(s.stated(q, nil), "JWT"))
	refused("alg none", b, unsigned(t, `{"alg":"none","typ":"handoff+jwt"}`, s.stated(q, nil)))
	refused("HS256", b, hmacked(t, []byte("0123456789abcdef0123456789abcdef"), s.stated(q, nil)))
	_, foreign := newHandoff(t, true)
	refused("another key", b, foreign(s.stated(q, nil), "handoff+jwt"))
	refused("nothing", b, "")
	refused("nonsense", b, strings.Repeat("x", 9000))
	refused("another browser", s.browser(), sign(s.stated(q, nil), "handoff+jwt"))
	if resp, _ := b.get(handoffPath + "?posted=" + url.QueryEscape(q.Get("handoff"))); resp.StatusCode != 403 {
		t.Errorf("a challenge for a statement: %d", resp.StatusCode)
	}
	// It is spent by what is right only, and by that at once.
	good := sign(s.stated(q, nil), "handoff+jwt")
	refused("another browser first", s.browser(), good)
	b.follow(b.get(handoffPath + "?token=" + good))
	s.signedIn(b, "")
	delete(b.jar, "symbolon-session")
	refused("the same again", b, good)
	// It is no assertion for a token, and an app's assertion no handoff.
	if resp, body := s.post(t, "/oauth2/token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", sign(s.stated(q, nil), "handoff+jwt")); resp.StatusCode < 400 {
		t.Errorf("%v", body)
	}
}

// Nowhere to but our own pages and the app's registered address, whatever the other site
// sends along.
func TestHandoffLeadsNowhereElse(t *testing.T) {
	s, sign := newHandoff(t, true)
	b := s.browser()
	q := s.leave(b, "/sign-in", handoffName, "https://site.test")
	resp, _ := b.get(handoffPath + "?return_to=https://evil.test/&redirect_uri=https://evil.test/&next=//evil.test&token=" + sign(s.stated(q, nil), "handoff+jwt"))
	if to := resp.Header.Get("Location"); !strings.HasPrefix(to, "/continue?flow=") {
		t.Errorf("%d %s", resp.StatusCode, to)
	}
}

// Where the site is the only way, people go there at once, and come to a page when that
// did not do.
func TestHandoffAtOnce(t *testing.T) {
	s, sign := newHandoff(t, false)
	s.offer(func(h *Handler) { h.NoPassword, h.passkeys, h.Sandbox = true, nil, false })
	b := s.browser()
	resp, _ := b.get(s.authorize())
	q := asked(t, resp, "https://site.test/handoff")
	resp, page := b.follow(b.get(handoffPath + "?token=" + sign(s.stated(q, nil), "handoff+jwt")))
	wants(t, page, "No account here is linked")
	if strings.Contains(page, `name="password"`) || !strings.Contains(page, `name="by"`) || resp.StatusCode != 400 {
		t.Errorf("%d %.3000s", resp.StatusCode, page)
	}
	// A password that somebody posts all the same counts for nothing.
	if resp, _ := b.post("/sign-in", "flow", flowOf(t, page), "username", "mary", "password", maryPassword); resp.StatusCode != 403 || len(s.sessions(b)) != 0 {
		t.Errorf("%d", resp.StatusCode)
	}
}
