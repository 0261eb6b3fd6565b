package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/upstream"
)

// elsewhere is another OpenID Connect server, which says whatever a test has it say.
type elsewhere struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey

	mu       sync.Mutex
	codes    map[string]spoken
	says     bool // authorization_response_iss_parameter_supported
	userinfo map[string]any
}

// spoken is what a code stands for.
type spoken struct {
	challenge string
	idToken   string
}

func newElsewhere(t *testing.T) *elsewhere {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	e := &elsewhere{t: t, key: key, codes: make(map[string]spoken)}
	mux := http.NewServeMux()
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		answer(w, 200, map[string]any{
			"issuer": e.URL, "authorization_endpoint": e.URL + "/authorize", "token_endpoint": e.URL + "/token", "jwks_uri": e.URL + "/jwks",
			"userinfo_endpoint":                              e.URL + "/userinfo",
			"id_token_signing_alg_values_supported":          []string{"ES256", "HS256", "none"},
			"authorization_response_iss_parameter_supported": e.says,
		})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Use: "sig", Algorithm: "ES256"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		one, found := e.codes[r.FormValue("code")]
		delete(e.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		id, secret, _ := r.BasicAuth()
		if !found || id != "us" || secret != "hush" || base64.RawURLEncoding.EncodeToString(sum[:]) != one.challenge {
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		answer(w, 200, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": one.idToken})
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		answer(w, 200, e.userinfo)
	})
	return e
}

// server is what a handler knows of it.
func (e *elsewhere) server(f *fixture, name string, creates bool) *upstream.Server {
	return upstream.New(upstream.Config{Name: name, Title: "Title of " + name, Issuer: e.URL, ClientID: "us", ClientSecret: "hush", Creates: creates,
		Scopes: []string{"profile", "email"}, Redirect: Callback(f.handler.issuer)}, f.handler.Engine.Now)
}

func (e *elsewhere) sign(claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: e.key, KeyID: "k"}}, nil)
	check(e.t, err)
	text, err := json.Marshal(claims)
	check(e.t, err)
	jws, err := signer.Sign(text)
	check(e.t, err)
	compact, err := jws.CompactSerialize()
	check(e.t, err)
	return compact
}

// claims are a good ID token's for a request, with changes.
func (e *elsewhere) claims(asked url.Values, changes map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{"iss": e.URL, "aud": "us", "sub": "sub-1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "nonce": asked.Get("nonce"),
		"name": "Mary Major", "email": "mary@example.com"}
	maps.Copy(c, changes)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

// back is where the browser is sent back to with a code for an ID token.
func (e *elsewhere) back(asked url.Values, idToken string) string {
	code := symbolon.NewConnectionID(time.Now()).String()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.codes[code] = spoken{asked.Get("code_challenge"), idToken}
	return upstreamPath + "?" + url.Values{"code": {code}, "state": {asked.Get("state")}, "iss": {e.URL}}.Encode()
}

// asked is the query that an answer sends a browser to another site with.
func asked(t *testing.T, resp *http.Response, site string) url.Values {
	t.Helper()
	to := resp.Header.Get("Location")
	u, err := url.Parse(to)
	if err != nil || resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, site) {
		t.Fatalf("%d to %q, not to %s", resp.StatusCode, to, site)
	}
	return u.Query()
}

// offer has the fixture's handler offer other ways to sign in.
func (f *fixture) offer(change func(h *Handler)) {
	change(f.handler)
	f.handler.routes = f.handler.table()
}

// leave goes to another site from the sign-in page.
func (s *maryWorld) leave(b *browserOf, at, by, site string) url.Values {
	s.t.Helper()
	_, page := b.follow(b.get(at))
	resp, _ := b.post("/sign-in", "flow", flowOf(s.t, page), "by", by)
	return asked(s.t, resp, site)
}

func (s *maryWorld) signedIn(b *browserOf, want symbolon.AccountID) symbolon.SignedIn {
	s.t.Helper()
	list := s.sessions(b)
	if len(list) != 1 || want != "" && list[0].Account.ID != want {
		s.t.Fatalf("signed in: %+v", list)
	}
	return list[0]
}

func newUpstream(t *testing.T, creates bool) (*maryWorld, *elsewhere) {
	s := newMary(t)
	e := newElsewhere(t)
	s.offer(func(h *Handler) { h.Upstreams = []*upstream.Server{e.server(s.fixture, "one", creates)} })
	return s, e
}

// By another server: the first time makes an account, the second finds it, and what is
// the same in an address for mail is nobody.
func TestUpstream(t *testing.T) {
	s, e := newUpstream(t, true)
	s.edit(func(a *symbolon.Account) {
		a.Profile = symbolon.Profile{Email: "mary@example.com", EmailVerified: true}
	})
	b := s.browser()
	q := s.leave(b, "/sign-in", "one", e.URL+"/authorize")
	if q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("client_id") != "us" || q.Get("scope") != "openid profile email" ||
		q.Get("redirect_uri") != s.URL+upstreamPath || q.Get("response_type") != "code" || strings.Contains(q.Get("state"), q.Get("nonce")) {
		t.Fatalf("%v", q)
	}
	resp, page := b.follow(b.get(e.back(q, e.sign(e.claims(q, map[string]any{"email_verified": true, "preferred_username": "mary", "auth_time": time.Now().Unix()})))))
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, page)
	}
	first := s.signedIn(b, "")
	if a := first.Account; a.ID == s.mary || a.Username == "mary" || !strings.HasPrefix(a.Username, "mary-") || a.Name != "Mary Major" ||
		a.Profile.Email != "mary@example.com" || !a.Profile.EmailVerified || a.Password != "" || len(a.Identities) != 1 || a.Identities[0].Subject != "sub-1" {
		t.Fatalf("%+v", a)
	}
	if first.Session.ACR != oauth.ACROne {
		t.Errorf("acr %q", first.Session.ACR)
	}
	// Who comes again is the same, whatever they are called now.
	c := s.browser()
	q = s.leave(c, "/sign-in", "one", e.URL)
	c.follow(c.get(e.back(q, e.sign(e.claims(q, map[string]any{"email": "other@example.com", "preferred_username": "root"})))))
	s.signedIn(c, first.Account.ID)
	// And another subject is another.
	d := s.browser()
	q = s.leave(d, "/sign-in", "one", e.URL)
	d.follow(d.get(e.back(q, e.sign(e.claims(q, map[string]any{"sub": "sub-2", "email_verified": "false"})))))
	if other := s.signedIn(d, ""); other.Account.ID == first.Account.ID || other.Account.Profile.EmailVerified {
		t.Errorf("%+v", other.Account)
	}

	// Nobody is called what another's id is: who is managed by one name is one.
	c = s.browser()
	q = s.leave(c, "/sign-in", "one", e.URL)
	c.follow(c.get(e.back(q, e.sign(e.claims(q, map[string]any{"sub": "sub-9", "preferred_username": string(s.mary)})))))
	if a := s.signedIn(c, "").Account; symbolon.AccountID(a.Username).Valid() || a.ID == s.mary {
		t.Errorf("username %s", a.Username)
	}

	t.Run("disabled", func(t *testing.T) {
		list, err := s.store.Accounts(t.Context(), symbolon.AccountQuery{ID: first.Account.ID, Limit: 1})
		check(t, err)
		list[0].DisabledAt = s.handler.Engine.Now()
		check(t, s.store.PutAccount(t.Context(), list[0]))
		b := s.browser()
		q := s.leave(b, "/sign-in", "one", e.URL)
		_, page := b.follow(b.get(e.back(q, e.sign(e.claims(q, nil)))))
		wants(t, page, "disabled or changed")
		if len(s.sessions(b)) != 0 {
			t.Error("signed in")
		}
	})
}

// What another server may leave out of the ID token, its userinfo endpoint says; of
// another subject it says nothing.
func TestUpstreamUserinfo(t *testing.T) {
	s, e := newUpstream(t, true)
	for subject, want := range map[string]string{"sub-3": "Rue Right", "sub-4": "person-"} {
		e.mu.Lock()
		e.userinfo = map[string]any{"sub": "sub-3", "name": "Rue Right", "email": "rue@example.com", "email_verified": true}
		e.mu.Unlock()
		b := s.browser()
		q := s.leave(b, "/sign-in", "one", e.URL)
		b.follow(b.get(e.back(q, e.sign(e.claims(q, map[string]any{"sub": subject, "name": nil, "email": nil})))))
		if a := s.signedIn(b, "").Account; !strings.HasPrefix(a.Name, want) || (a.Profile.Email != "") != (subject == "sub-3") {
			t.Errorf("%s: %+v", subject, a)
		}
	}
}

// Every way in which an answer is to count for nothing.
func TestUpstreamRefuses(t *testing.T) {
	s, e := newUpstream(t, true)
	other := newElsewhere(t)
	s.offer(func(h *Handler) { h.Upstreams = append(h.Upstreams, other.server(s.fixture, "two", true)) })
	count := func() int {
		list, err := s.store.Accounts(t.Context(), symbolon.AccountQuery{Limit: 100})
		check(t, err)
		return len(list)
	}
	accounts := count()
	refused := func(what string, b *browserOf, path string) {
		t.Helper()
		resp, page := b.follow(b.get(path))
		if resp.StatusCode < 400 || len(s.sessions(b)) != 0 || count() != accounts {
			t.Errorf("%s: %d, %d sessions, %d accounts\n%.600s", what, resp.StatusCode, len(s.sessions(b)), count()-accounts, page)
		}
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: e.key.Public()})
	check(t, err)
	for what, token := range map[string]func(q url.Values) string{
		"no nonce":         func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"nonce": nil})) },
		"another nonce":    func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"nonce": "x"})) },
		"another issuer":   func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"iss": other.URL})) },
		"another audience": func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"aud": "them"})) },
		"two audiences":    func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"aud": []string{"us", "them"}})) },
		"another party":    func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"azp": "them"})) },
		"expired": func(q url.Values) string {
			return e.sign(e.claims(q, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}))
		},
		"from the future": func(q url.Values) string {
			return e.sign(e.claims(q, map[string]any{"iat": time.Now().Add(time.Hour).Unix()}))
		},
		"no subject":          func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"sub": nil})) },
		"an endless subject":  func(q url.Values) string { return e.sign(e.claims(q, map[string]any{"sub": strings.Repeat("x", 600)})) },
		"another key":         func(q url.Values) string { return other.sign(e.claims(q, nil)) },
		"alg none":            func(q url.Values) string { return unsigned(t, `{"alg":"none"}`, e.claims(q, nil)) },
		"HS256 by public key": func(q url.Values) string { return hmacked(t, public, e.claims(q, nil)) },
		"no id_token":         func(q url.Values) string { return "" },
	} {
		b := s.browser()
		q := s.leave(b, "/sign-in", "one", e.URL)
		refused(what, b, e.back(q, token(q)))
	}

	b := s.browser()
	q := s.leave(b, "/sign-in", "one", e.URL)
	good := func() string { return e.back(q, e.sign(e.claims(q, nil))) }
	with := func(path string, pairs ...string) string {
		u, _ := url.Parse(path)
		v := u.Query()
		for i := 0; i < len(pairs); i += 2 {
			if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
				v.Del(pairs[i])
			}
		}
		return u.Path + "?" + v.Encode()
	}
	// Login CSRF: the callback of one browser in another, with and without a flow of its own.
	refused("another browser", s.browser(), good())
	busy := s.browser()
	busy.get("/sign-in")
	refused("another browser with a flow", busy, good())
	refused("no state", b, with(good(), "state", ""))
	refused("a state of ours of another kind", b, with(good(), "state", func() string { _, page := b.get("/sign-in"); return flowOf(t, page) }()))
	refused("a state that was changed", b, with(good(), "state", q.Get("state")[:len(q.Get("state"))-1]))
	refused("no code", b, with(good(), "code", ""))
	refused("a code of nobody", b, with(good(), "code", "x"))
	refused("an error", b, with(good(), "code", "", "error", "access_denied"))
	// Mix-up: the answer says that it is of the other, or is of the other and goes on as of the first.
	refused("another iss", b, with(good(), "iss", other.URL))
	toOther := s.leave(b, "/sign-in", "two", other.URL)
	refused("the state of another", b, with(good(), "state", toOther.Get("state")))
	refused("the state of another without iss", b, with(good(), "state", toOther.Get("state"), "iss", ""))
	// A code of someone else's flow, injected into this one, has another verifier.
	mine := s.leave(s.browser(), "/sign-in", "one", e.URL)
	injected, _ := url.Parse(e.back(mine, e.sign(e.claims(mine, nil))))
	refused("an injected code", b, with(good(), "code", injected.Query().Get("code")))
	// The other server says that its answers have an iss; one without is not its.
	third := newElsewhere(t)
	third.says = true
	s.offer(func(h *Handler) { h.Upstreams = append(h.Upstreams, third.server(s.fixture, "three", true)) })
	q3 := s.leave(b, "/sign-in", "three", third.URL)
	refused("no iss where there should be one", b, with(third.back(q3, third.sign(third.claims(q3, nil))), "iss", ""))
	// No such way.
	_, page := b.get("/sign-in")
	if resp, _ := b.post("/sign-in", "flow", flowOf(t, page), "by", "nobody"); resp.StatusCode != 403 {
		t.Errorf("an unknown way: %d", resp.StatusCode)
	}
	if resp, _ := b.post("/sign-in", "flow", flowOf(t, page), "by", "handoff"); resp.StatusCode != 403 {
		t.Errorf("a handoff that is not offered: %d", resp.StatusCode)
	}

	// The same good answer twice: once.
	used := good()
	b.follow(b.get(used))
	accounts++
	s.signedIn(b, "")
	delete(b.jar, "symbolon-session")
	refused("the same answer again", b, used)
	refused("the same state with another code", b, good())
}

// Where no account is made, an unknown person is told what to do; who is signed in links
// the account by themselves, and unlinks it.
func TestUpstreamLink(t *testing.T) {
	s, e := newUpstream(t, false)
	box := new(postbox)
	s.handler.Mail = box.send
	s.edit(func(a *symbolon.Account) { a.Profile.Email, a.Profile.EmailVerified = "mary@example.org", true })
	b := s.browser()
	q := s.leave(b, "/sign-in", "one", e.URL)
	_, page := b.follow(b.get(e.back(q, e.sign(e.claims(q, nil)))))
	wants(t, page, "No account here is linked")
	wants(t, page, `name="password"`)
	if len(s.sessions(b)) != 0 {
		t.Fatal("signed in")
	}
	// Who is not signed in links nothing.
	if resp, _ := b.post("/account/security", "flow", flowOf(t, page), "action", "link", "by", "one"); resp.StatusCode != 403 {
		t.Errorf("%d", resp.StatusCode)
	}

	security := func() string {
		_, page := b.get("/account/security")
		if strings.Contains(page, `name="password"`) {
			_, page = b.password(page)
		}
		return page
	}
	page = security()
	wants(t, page, "Link <bdi>Title of one</bdi>")
	resp, _ := b.post("/account/security", "flow", flowOf(t, page), "action", "link", "by", "one")
	q = asked(t, resp, e.URL)
	if q.Get("prompt") != "login" {
		t.Errorf("%v", q)
	}
	back := e.back(q, e.sign(e.claims(q, nil)))
	// Not in the browser of a stranger, and not without the session.
	stranger := &browserOf{t: t, f: s.fixture, accept: "text/html", jar: map[string]string{"symbolon-flow": b.jar["symbolon-flow"]}}
	stranger.follow(stranger.get(e.back(q, e.sign(e.claims(q, map[string]any{"sub": "attacker"})))))
	if len(s.account().Identities) != 0 {
		t.Fatal("linked without a session")
	}
	resp, _ = b.post("/account/security", "flow", flowOf(t, security()), "action", "link", "by", "one")
	q = asked(t, resp, e.URL)
	back = e.back(q, e.sign(e.claims(q, nil)))
	_, page = b.follow(b.get(back))
	wants(t, page, "mary@example.com")
	if list := s.account().Identities; len(list) != 1 || list[0].Issuer != e.URL || list[0].Subject != "sub-1" {
		t.Fatalf("%+v", list)
	}
	// A new way in is told to whose account it is.
	if list := s.mails(box); len(list) != 1 || list[0].To != "mary@example.org" || !strings.Contains(list[0].Text, "Title of one") {
		t.Errorf("%+v", list)
	}
	c := s.browser()
	q = s.leave(c, "/sign-in", "one", e.URL)
	c.follow(c.get(e.back(q, e.sign(e.claims(q, nil)))))
	s.signedIn(c, s.mary)

	// Another's account takes no identity that is linked.
	hash := s.account().Password
	check(t, s.store.PutAccount(t.Context(), symbolon.Account{ID: symbolon.NewAccountID(), Username: "john", Password: hash, CreatedAt: time.Now()}))
	d := s.browser()
	_, page = d.get("/account/security")
	_, page = d.send("/sign-in", page, "username", "john", "password", maryPassword)
	resp, _ = d.post("/account/security", "flow", flowOf(t, page), "action", "link", "by", "one")
	q = asked(t, resp, e.URL)
	resp, page = d.follow(d.get(e.back(q, e.sign(e.claims(q, nil)))))
	wants(t, page, "Another account here is linked")

	// The last way in stays; with a password it is not the last.
	id := identityID(&s.account().Identities[0])
	s.edit(func(a *symbolon.Account) { a.Password = "" })
	resp, page = b.send("/account/security", security(), "action", "unlink", "id", id)
	wants(t, page, "You sign in by nothing else")
	s.edit(func(a *symbolon.Account) { a.Password = hash })
	b.send("/account/security", security(), "action", "unlink", "id", id)
	if len(s.account().Identities) != 0 {
		t.Error("still linked")
	}
}

// The authenticator app of an account is asked for behind the word of another, too.
func TestUpstreamAndACode(t *testing.T) {
	s, e := newUpstream(t, false)
	s.setUp(s.browser())
	s.edit(func(a *symbolon.Account) {
		a.Identities = []symbolon.Identity{{Issuer: e.URL, Subject: "sub-1", AddedAt: time.Now()}}
	})
	b := s.browser()
	q := s.leave(b, "/sign-in", "one", e.URL)
	long := time.Now().Add(-5 * time.Hour).Unix()
	_, page := b.follow(b.get(e.back(q, e.sign(e.claims(q, map[string]any{"auth_time": long})))))
	wants(t, page, `name="code"`)
	if len(s.sessions(b)) != 0 {
		t.Fatal("signed in by the word of another alone")
	}
	b.send("/sign-in/code", page, "code", s.code())
	if one := s.signedIn(b, s.mary); one.Session.ACR != oauth.ACRTwo || one.Session.AuthAt.Unix() != long {
		t.Errorf("%+v", one.Session)
	}
}

// auth_time is that of the other server, and max_age and prompt=login are asked of it.
func TestUpstreamMaxAge(t *testing.T) {
	s, e := newUpstream(t, true)
	at := func(ago time.Duration) map[string]any {
		return map[string]any{"auth_time": time.Now().Add(-ago).Unix()}
	}
	b := s.browser()
	q := s.leave(b, s.authorize("max_age", "60"), "one", e.URL)
	if q.Get("max_age") != "60" || q.Get("prompt") != "" {
		t.Errorf("%v", q)
	}
	for what, claims := range map[string]map[string]any{"too long ago": at(3 * time.Minute), "nobody says when": nil} {
		_, page := b.follow(b.get(e.back(q, e.sign(e.claims(q, claims)))))
		wants(t, page, "lately")
		if len(s.sessions(b)) != 0 {
			t.Errorf("%s: signed in", what)
		}
		q = s.leave(b, s.authorize("max_age", "60"), "one", e.URL)
	}
	_, page := b.follow(b.get(e.back(q, e.sign(e.claims(q, at(30*time.Second))))))
	wants(t, page, "allow")
	s.signedIn(b, "")

	c := s.browser()
	q = s.leave(c, s.authorize("prompt", "login"), "one", e.URL)
	if q.Get("prompt") != "login" {
		t.Errorf("%v", q)
	}
	// It did not ask anew: the person is asked again, and now it is told to.
	_, page = c.follow(c.get(e.back(q, e.sign(e.claims(q, at(time.Hour))))))
	wants(t, page, `name="by"`)
	resp, _ := c.post("/sign-in", "flow", flowOf(t, page), "by", "one")
	q = asked(t, resp, e.URL)
	if q.Get("prompt") != "login" {
		t.Errorf("%v", q)
	}
	_, page = c.follow(c.get(e.back(q, e.sign(e.claims(q, at(0))))))
	wants(t, page, "allow")

	// What was ended since the sign-in there is not opened by it again.
	mine := s.signedIn(c, "").Account
	mine.NotBefore = s.handler.Engine.Now()
	check(t, s.store.PutAccount(t.Context(), mine))
	d := s.browser()
	q = s.leave(d, "/sign-in", "one", e.URL)
	_, page = d.follow(d.get(e.back(q, e.sign(e.claims(q, at(time.Hour))))))
	wants(t, page, "was ended since")
	resp, _ = d.post("/sign-in", "flow", flowOf(t, page), "by", "one")
	if q = asked(t, resp, e.URL); q.Get("prompt") != "login" {
		t.Errorf("%v", q)
	}
}

// A server that says nothing of when may have asked the person for nothing: they are not
// taken to have just shown who they are, unless it was told to ask.
func TestUpstreamWithoutASignIn(t *testing.T) {
	s, e := newUpstream(t, true)
	b := s.browser()
	q := s.leave(b, "/sign-in", "one", e.URL)
	b.follow(b.get(e.back(q, e.sign(e.claims(q, nil)))))
	mine := s.signedIn(b, "")
	_, page := b.get("/account/data")
	resp, page := b.follow(b.post("/account/data", "flow", flowOf(t, page), "action", "delete", "username", mine.Account.Username))
	if resp.StatusCode != 200 || !strings.Contains(page, `name="by"`) {
		t.Fatalf("%d %.300s", resp.StatusCode, page)
	}
	resp, _ = b.post("/sign-in", "flow", flowOf(t, page), "by", "one")
	if q = asked(t, resp, e.URL); q.Get("prompt") != "login" {
		t.Errorf("%v", q)
	}
	b.follow(b.get(e.back(q, e.sign(e.claims(q, nil)))))
	_, page = b.get("/account/data")
	b.send("/account/data", page, "action", "delete", "username", mine.Account.Username)
	rows, err := s.store.Accounts(t.Context(), symbolon.AccountQuery{ID: mine.Account.ID, Limit: 1})
	check(t, err)
	if len(rows) != 0 {
		t.Error("after it was asked anew, the account is there still")
	}
}

// A server that is away is said to be, and its page leaves other ways.
func TestUpstreamAway(t *testing.T) {
	s, e := newUpstream(t, true)
	e.Close()
	b := s.browser()
	_, page := b.get("/sign-in")
	resp, page := b.send("/sign-in", page, "by", "one")
	wants(t, page, "cannot be reached right now")
	wants(t, page, `name="password"`)
	if resp.StatusCode != 400 {
		t.Error(resp.StatusCode)
	}
}

// Only who has a verified address of a domain is let in, where that is demanded.
func TestUpstreamDomains(t *testing.T) {
	s, e := newUpstream(t, true)
	s.handler.Upstreams[0].EmailDomains = []string{"example.com"}
	for _, one := range []struct {
		email    string
		verified any
		in       bool
	}{{"a@example.com", true, true}, {"b@example.com", false, false}, {"c@example.com", nil, false}, {"d@example.com.evil.test", true, false}, {"e@sub.example.com", true, false}, {"f@EXAMPLE.com", "true", true}} {
		b := s.browser()
		q := s.leave(b, "/sign-in", "one", e.URL)
		b.follow(b.get(e.back(q, e.sign(e.claims(q, map[string]any{"sub": one.email, "email": one.email, "email_verified": one.verified})))))
		if got := len(s.sessions(b)) == 1; got != one.in {
			t.Errorf("%+v: %v", one, got)
		}
	}
}

func unsigned(t *testing.T, header string, claims map[string]any) string {
	text, err := json.Marshal(claims)
	check(t, err)
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
}

func hmacked(t *testing.T, key []byte, claims map[string]any) string {
	text, err := json.Marshal(claims)
	check(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithType("handoff+jwt"))
	check(t, err)
	jws, err := signer.Sign(text)
	check(t, err)
	compact, err := jws.CompactSerialize()
	check(t, err)
	return compact
}
