//go:build linux

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// What the OpenID Foundation's conformance suite asks of a server, asked here in our own
// words: TestCertification walks its plans, and each subtest has the name of the module
// of the suite that it answers. It is no run of the suite (docs/certification.md).

// everyClaim is what the suite's person has to have told: every standard claim (OpenID
// Connect Core §5.1), or it warns of the scope whose claims are missing.
const everyClaim = `{"given_name":"Jane","family_name":"Doe","middle_name":"Q.","nickname":"Jay","preferred_username":"jane.doe",
"profile":"https://jane.test/me","picture":"https://jane.test/me.png","website":"https://jane.test","gender":"female",
"birthdate":"1987-10-16","zoneinfo":"Europe/Prague","locale":"en-GB","email":"jane@example.com","email_verified":true,
"phone_number":"+420555012345","phone_number_verified":true,"address":{"formatted":"1 Street\nPraha","country":"CZ"}}`

// certified is a server as the suite meets it: by https, with one person and three apps.
type certified struct {
	s        *server
	client   *http.Client // trusts its certificate
	username string
	password string
	id       string // of the person
	meta     map[string]any
	keys     jose.JSONWebKeySet

	one, two, post *relying
	suite          *suiteHost

	// jar is that of a browser in which the person is signed in and has allowed the
	// first app.
	jar func() *http.Client
}

// relying is one of the suite's apps, and how its module sends it about.
type relying struct {
	c    *certified
	app  *app
	mode string // response_mode, where one is sent
	// prove adds what the app proves itself by.
	prove func(v url.Values) option
}

const suiteRedirect = "https://suite.test/test/a/symbolon/callback"

// prepareCertified does what docs/certification.md tells an owner to do.
func prepareCertified(t *testing.T, more ...string) *certified {
	t.Helper()
	address := freePort(t)
	cert, key, client := certificate(t, address)
	c := &certified{client: client, username: "jane", suite: newSuiteHost(t)}
	dir := newDir()
	moreEnviron.Store(dir, []string{"SSL_CERT_FILE=" + c.suite.cert})
	c.s = startServe(t, dir, address, client, "https://auth.test", append(more, "--tls-cert", cert, "--tls-key", key, "--fetch-network", "127.0.0.1",
		"--dynamic-registration", "--registration-scopes", "openid profile email address phone offline_access")...)
	c.password, c.id = c.s.newAccount(t, c.username, "Jane Doe")
	profile := filepath.Join(t.TempDir(), "profile.json")
	must(t, os.WriteFile(profile, []byte(everyClaim), 0o600))
	c.s.cli(t, "", nil, "account", "edit", c.username, "--profile", profile)
	c.one, c.two, c.post = c.newRelying(t), c.newRelying(t), c.newRelying(t, "--auth", "client_secret_post")
	c.post.prove = func(v url.Values) option {
		v.Set("client_id", c.post.app.ID)
		v.Set("client_secret", c.post.app.Secret)
		return func(*http.Request) {}
	}
	c.meta = c.ask(t, request(t, "GET", c.s.base+"/.well-known/openid-configuration", nil)).JSON
	must(t, json.Unmarshal(c.ask(t, request(t, "GET", c.at("jwks_uri"), nil)).Body, &c.keys))
	// A browser that has been here before.
	p := c.browser(t)
	c.one.visit(t, p)
	home, err := url.Parse(c.s.base)
	must(t, err)
	cookies := p.client.Jar.Cookies(home)
	c.jar = func() *http.Client {
		jar, _ := cookiejar.New(nil) //nolint:errcheck // it never fails
		jar.SetCookies(home, cookies)
		again := *client
		again.Jar = jar
		return &again
	}
	return c
}

func (c *certified) newRelying(t *testing.T, more ...string) *relying {
	t.Helper()
	a := &app{s: c.s, redirect: suiteRedirect}
	c.s.cli(t, "", a, append([]string{"app", "create", "--name", "Suite " + rand.Text()[:6], "--redirect-uri", suiteRedirect,
		"--scope", "openid profile email address phone"}, more...)...)
	secret(kindSecret, a.Secret)
	return &relying{c: c, app: a, prove: func(url.Values) option { return basic(a.ID, a.Secret) }}
}

// at returns an endpoint of the metadata.
func (c *certified) at(name string) string {
	text, _ := c.meta[name].(string)
	return text
}

func (c *certified) ask(t testing.TB, req *http.Request) *reply {
	t.Helper()
	return send(t, c.client, req)
}

// browser is one that has never been here.
func (c *certified) browser(t testing.TB) *person { return c.s.newPerson(t, c.client) }

// known is a browser in which the person is signed in already.
func (c *certified) known() *person { return &person{s: c.s, client: c.jar()} }

// visit is one authorization: what the app asked for, what the person was shown on the
// way, and what the browser brought back to the app.
type visit struct {
	r     *relying
	asked url.Values
	shown []string // the actions of the forms that were filled in
	back  url.Values
	// last is what brought the browser back to the app.
	last *reply
}

// asking is a good authentication request of the app, with changes; an empty value takes one out.
func (r *relying) asking(pairs ...string) url.Values {
	return with(url.Values{"response_type": {"code"}, "client_id": {r.app.ID}, "redirect_uri": {r.app.redirect}, "scope": {"openid"},
		"state": {rand.Text()}, "nonce": {rand.Text()[:10]}}, append([]string{"response_mode", r.mode}, pairs...)...)
}

// visit sends a browser to the authorization endpoint, where the person signs in and
// allows whatever they are asked.
func (r *relying) visit(t testing.TB, p *person, pairs ...string) *visit {
	t.Helper()
	return r.walk(t, p, r.asking(pairs...), nil)
}

// walk goes on from the authorization endpoint; post sends the request as a form.
func (r *relying) walk(t testing.TB, p *person, asked url.Values, open func(endpoint string) *reply) *visit {
	t.Helper()
	v := &visit{r: r, asked: asked}
	endpoint := r.c.at("authorization_endpoint")
	if open == nil {
		p.open(t, strings.TrimPrefix(endpoint, r.c.s.base)+"?"+asked.Encode())
	} else {
		p.follow(t, open(endpoint), endpoint)
	}
	for range 6 {
		page := string(p.page.Body)
		switch {
		case p.page.Header.Get("Location") != "" || v.posted(t, p.page):
			v.leave(t, p.page)
			return v
		case strings.Contains(page, ` action="/sign-in"`):
			v.shown = append(v.shown, "/sign-in")
			press(t, p, "/sign-in", "username", "password", "sign-in")
			p.signIn(t, r.c.username, r.c.password)
		case strings.Contains(page, ` action="/consent"`):
			v.shown = append(v.shown, "/consent")
			press(t, p, "/consent", "allow")
			p.submit(t, "/consent", "action", "allow")
		default:
			v.last = p.page
			return v
		}
	}
	t.Fatalf("it goes on and on: %v", v.shown)
	return nil
}

// press holds a form to having the elements that the suite's browser finds by their ids.
func press(t testing.TB, p *person, action string, ids ...string) {
	t.Helper()
	f := p.form(t, action)
	for _, id := range ids {
		if !strings.Contains(f.text, ` id="`+id+`"`) {
			t.Errorf("the form for %s has no element %q", action, id)
		}
	}
}

var postForm = regexp.MustCompile(`<form[^>]* method="post"`)

// posted reports whether a page posts an answer to the app (OAuth 2.0 Form Post
// Response Mode §2).
func (v *visit) posted(t testing.TB, page *reply) bool {
	t.Helper()
	if v.r.mode != "form_post" {
		return false
	}
	for _, f := range forms(page.Body) {
		if f.action == v.asked.Get("redirect_uri") {
			v.back = f.fields
			v.back.Del("")
			if !postForm.Match(page.Body) || !strings.Contains(f.text, ` id="continue"`) {
				t.Errorf("the answer cannot be sent off without a script: %s", f.text)
			}
			return true
		}
	}
	return false
}

// leave reads what the browser brings to the app.
func (v *visit) leave(t testing.TB, last *reply) {
	t.Helper()
	v.last = last
	if v.back == nil {
		a := *v.r.app
		a.redirect = v.asked.Get("redirect_uri")
		v.back = redirected(t, &a, last)
		if v.r.mode == "form_post" {
			t.Errorf("it went back by the query: %v", v.back)
		}
	}
	secret(kindSecret, v.back.Get("code"))
	for name := range v.back {
		if !slices.Contains([]string{"code", "state", "iss", "error", "error_description", "error_uri"}, name) {
			t.Errorf("the answer has %s", name)
		}
	}
	if v.back.Get("state") != v.asked.Get("state") || v.back.Get("iss") != v.r.c.s.base {
		t.Errorf("state and iss: %v", v.back)
	}
}

// code is what a visit that went well brought.
func (v *visit) code(t testing.TB) string {
	t.Helper()
	code := v.back.Get("code")
	if code == "" || v.back.Has("error") {
		t.Fatalf("no code: %v\n%.400s", v.back, visibleText(v.last.Body))
	}
	return code
}

// refused holds a visit to an error that was brought to the app (OpenID Connect Core
// §3.1.2.6).
func (v *visit) refused(t testing.TB, codes ...string) {
	t.Helper()
	if !slices.Contains(codes, v.back.Get("error")) || v.back.Has("code") {
		t.Fatalf("it brought %v, want one of %v\n%.400s", v.back, codes, visibleText(v.last.Body))
	}
	if d := v.back.Get("error_description"); d != "" && !description.MatchString(d) {
		t.Errorf("error_description %q", d)
	}
}

// page holds a visit to a page that sends the browser nowhere, and shows why: what the
// suite wants a picture of.
func (v *visit) page(t testing.TB, says string) {
	t.Helper()
	if v.back != nil || v.last.Header.Get("Location") != "" {
		t.Fatalf("it left: %v", v.back)
	}
	pageOf(t, v.last, http.StatusBadRequest)
	if text := visibleText(v.last.Body); !strings.Contains(text, says) {
		t.Errorf("the page says nothing of %q:\n%.600s", says, text)
	}
}

// redeem sends a code, or whatever fields are given, to the token endpoint.
func (r *relying) redeem(t testing.TB, fields url.Values) *reply {
	t.Helper()
	v := with(fields)
	proof := r.prove(v)
	return r.c.ask(t, request(t, "POST", r.c.at("token_endpoint"), strings.NewReader(v.Encode()), header("Content-Type", "application/x-www-form-urlencoded"),
		header("Accept", "application/json"), proof))
}

func (v *visit) grant(t testing.TB) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {v.code(t)}, "redirect_uri": {v.asked.Get("redirect_uri")}}
}

// answer is what the token endpoint answered, and what its ID token says.
type answer struct {
	*reply
	id map[string]any
}

// tokens redeems the code of a visit and holds the answer to the standard.
func (v *visit) tokens(t testing.TB) *answer {
	t.Helper()
	return v.check(t, v.r.redeem(t, v.grant(t)), v.asked.Get("nonce"))
}

// check holds an answer of the token endpoint to OpenID Connect Core §3.1.3.3.
func (v *visit) check(t testing.TB, r *reply, nonce string) *answer {
	t.Helper()
	if r.Status != http.StatusOK || r.text("access_token") == "" || r.text("token_type") != "Bearer" {
		t.Fatalf("the token endpoint: %d %s", r.Status, r.Body)
	}
	isJSON(t, r)
	if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Pragma") != "no-cache" {
		t.Errorf("headers %v", r.Header)
	}
	if n, ok := r.JSON["expires_in"].(json.Number); !ok || strings.Contains(n.String(), ".") || n.String() == "0" {
		t.Errorf("expires_in is %v", r.JSON["expires_in"])
	}
	return &answer{r, v.idToken(t, r, nonce)}
}

// verified checks what the server signed, by its key set, and returns the claims.
func (v *visit) verified(t testing.TB, text string) map[string]any {
	t.Helper()
	signed, err := jose.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	keys := v.r.c.keys.Key(signed.Signatures[0].Header.KeyID)
	if len(keys) != 1 || keys[0].Algorithm != "RS256" || keys[0].Use != "sig" {
		t.Fatalf("it is signed by the key %q, of which the set has %d", signed.Signatures[0].Header.KeyID, len(keys))
	}
	payload, err := signed.Verify(keys[0])
	must(t, err)
	claims := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	must(t, d.Decode(&claims))
	return claims
}

// idToken holds an ID token to OpenID Connect Core §2 and §3.1.3.7, and returns its claims.
func (v *visit) idToken(t testing.TB, r *reply, nonce string) map[string]any {
	t.Helper()
	claims := v.verified(t, r.text("id_token"))
	now := time.Now().Unix()
	whole := func(name string) int64 {
		number, _ := claims[name].(json.Number)
		n, err := number.Int64()
		if err != nil {
			t.Errorf("%s is %v, want whole seconds", name, claims[name])
		}
		return n
	}
	if claims["iss"] != v.r.c.s.base || claims["aud"] != v.r.app.ID || claims["sub"] != v.r.c.id || whole("exp") <= now || whole("iat") > now+5 || whole("auth_time") > now+5 {
		t.Errorf("claims %v", claims)
	}
	if got, _ := claims["nonce"].(string); got != nonce {
		t.Errorf("nonce %q, want %q", got, nonce)
	}
	if acr, ok := claims["acr"].(string); !ok || v.asked.Has("acr_values") && !slices.Contains(strings.Fields(v.asked.Get("acr_values")), acr) {
		t.Errorf("acr %v of %q", claims["acr"], v.asked.Get("acr_values"))
	}
	half := sha256.Sum256([]byte(r.text("access_token")))
	if claims["at_hash"] != base64.RawURLEncoding.EncodeToString(half[:16]) {
		t.Errorf("at_hash %v", claims["at_hash"])
	}
	for name := range claims {
		if !slices.Contains([]string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"}, name) {
			t.Errorf("it tells %s, which nobody asked it to", name)
		}
	}
	return claims
}

// userinfo asks userinfo by GET, and holds it to OpenID Connect Core §5.
func (a *answer) userinfo(t testing.TB, v *visit) map[string]any {
	t.Helper()
	return v.person(t, v.r.c.ask(t, request(t, "GET", v.r.c.at("userinfo_endpoint"), nil, bearer(a.text("access_token")))))
}

// person holds an answer of userinfo to the types of OpenID Connect Core §5.1 and to
// telling what the scopes stand for, and no more.
func (v *visit) person(t testing.TB, r *reply) map[string]any {
	t.Helper()
	if r.Status != http.StatusOK || r.JSON["sub"] != v.r.c.id {
		t.Fatalf("userinfo: %d %s", r.Status, r.Body)
	}
	isJSON(t, r)
	want := []string{"sub"}
	for _, scope := range strings.Fields(v.asked.Get("scope")) {
		want = append(want, map[string][]string{
			"profile": {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender",
				"birthdate", "zoneinfo", "locale", "updated_at"},
			"email": {"email", "email_verified"}, "phone": {"phone_number", "phone_number_verified"}, "address": {"address"},
		}[scope]...)
	}
	if strings.Contains(v.asked.Get("claims"), `"name"`) {
		want = append(want, "name")
	}
	for _, name := range want {
		var ok bool
		switch value := r.JSON[name].(type) {
		case string:
			ok = !strings.Contains(name, "_verified") && name != "address" && name != "updated_at"
		case bool:
			ok = strings.HasSuffix(name, "_verified")
		case json.Number:
			ok = name == "updated_at" && !strings.Contains(value.String(), ".")
		case map[string]any:
			ok = name == "address" && value["formatted"] != ""
		}
		if !ok {
			t.Errorf("%s is %v (%T)", name, r.JSON[name], r.JSON[name])
		}
	}
	if len(r.JSON) != len(want) {
		t.Errorf("userinfo tells %v, want %v", slices.Sorted(keys(r.JSON)), want)
	}
	return r.JSON
}

// happy is the whole flow: a code, tokens, userinfo.
func (r *relying) happy(t testing.TB, p *person, pairs ...string) (*visit, *answer) {
	t.Helper()
	v := r.visit(t, p, pairs...)
	a := v.tokens(t)
	a.userinfo(t, v)
	return v, a
}

// whole reads a claim that is a number.
func (a *answer) whole(name string) int64 {
	number, _ := a.id[name].(json.Number)
	n, _ := number.Int64()
	return n
}

// module is one of a plan.
type module struct {
	name string
	run  func(t *testing.T, r *relying)
}

// plan is one of the suite's.
type plan struct {
	name    string
	mode    string // response_mode of every request
	modules []module
}

var plans = []plan{
	{name: "Config", modules: configPlan},
	{name: "Basic", modules: basicPlan},
	{name: "Form Post", mode: "form_post", modules: basicPlan},
	{name: "RP-Initiated Logout", modules: logoutPlan},
	{name: "Back-Channel Logout", modules: backchannelPlan},
}

// TestCertification prepares one server, and walks each plan on it.
func TestCertification(t *testing.T) {
	t.Parallel()
	walkPlans(t, prepareCertified(t), plans)
}

// TestDynamicCertification does so for the plan that needs what is off otherwise.
func TestDynamicCertification(t *testing.T) {
	t.Parallel()
	walkPlans(t, prepareCertified(t, "--implicit"), []plan{{name: "Dynamic", modules: dynamicPlan}})
}

func walkPlans(t *testing.T, c *certified, plans []plan) {
	for _, p := range plans {
		r := *c.one
		r.mode = p.mode
		for _, m := range p.modules {
			t.Run(p.name+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				m.run(t, &r)
			})
		}
	}
}
