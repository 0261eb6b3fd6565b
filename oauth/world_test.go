package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
	"pgregory.net/rapid"
)

// clock is a symbolon.Clock that moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is one node with the fixtures of the ledger: the apps C1 and C2 with a
// secret, the public native app P1, and the accounts U1 and U2, of which U1 has
// allowed all three.
type world struct {
	rapid.TB
	ctx   context.Context
	clock *clock
	store *storetest.Faulty
	open  func(symbolon.Clock) symbolon.Store
	ring  *seal.Ring
	feed  *Feed
	cfg   Config
	*Engine

	C1, C2, P1 symbolon.App
	U1, U2     symbolon.Account
	secrets    map[symbolon.ClientID]string
}

const (
	uriC1 = "https://c1.test/cb"
	uriC2 = "https://c2.test/cb"
	uriP1 = "http://127.0.0.1/cb"

	// verifier and challenge are the example of RFC 7636, appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func newWorld(t rapid.TB, configure ...func(*Config)) *world {
	t.Helper()
	store := storetest.NewMemory()
	return newWorldOn(t, func(symbolon.Clock) symbolon.Store { return store }, configure...)
}

// newWorldOn is a world on any store. Open opens it at each start of the node.
func newWorldOn(t rapid.TB, open func(symbolon.Clock) symbolon.Store, configure ...func(*Config)) *world {
	t.Helper()
	clock := &clock{now: time.UnixMilli(1_790_000_000_000).UTC()}
	w := &world{
		TB:      t,
		ctx:     context.Background(),
		clock:   clock,
		open:    open,
		store:   storetest.NewFaulty(open(clock)),
		cfg:     Config{Issuer: "https://as.test"},
		secrets: make(map[symbolon.ClientID]string),
	}
	for _, f := range configure {
		f(&w.cfg)
	}
	root, err := seal.NewRootKey()
	w.ok(err)
	key, err := root.NewKey()
	w.ok(err)
	w.ring, err = seal.NewRing([]*seal.RootKey{root}, []symbolon.Key{key})
	w.ok(err)
	if w.cfg.Signing == nil {
		signs, err := jwt.NewKey(root, "ES256")
		w.ok(err)
		w.cfg.Signing, err = jwt.NewRing([]*seal.RootKey{root}, []symbolon.Key{signs})
		w.ok(err)
	}

	app := func(name string, public bool, uris ...string) symbolon.App {
		a := symbolon.App{ID: symbolon.ClientID("sym_app_" + name), Name: name, Public: public, RedirectURIs: uris,
			Scope: symbolon.Scopes{"connect", "read"}, Rotation: symbolon.RotateAlways, CreatedAt: w.clock.now}
		if !public {
			plain, stored := symbolon.NewSecret(w.clock.now)
			a.Secrets, w.secrets[a.ID] = []symbolon.Secret{stored}, plain
		}
		w.ok(w.store.PutApp(w.ctx, a))
		return w.app(a.ID)
	}
	w.C1 = app("c1", false, uriC1)
	w.C2 = app("c2", false, uriC2, "https://c2.test/other")
	w.P1 = app("p1", true, uriP1, "http://[::1]/cb", "com.example.app:/cb")
	w.U1 = w.newAccount("jane", "Jane Doe")
	w.U2 = w.newAccount("john", "John Doe")
	w.clock.pass(time.Second)
	for _, a := range []symbolon.App{w.C1, w.C2, w.P1} {
		w.ok(w.store.Allow(w.ctx, symbolon.Consent{Account: w.U1.ID, Client: a.ID, Scope: a.Scope, GrantedAt: w.clock.now}))
	}
	w.clock.pass(time.Second)
	w.start()
	return w
}

// start starts the node, or starts it again on the same store.
func (w *world) start() {
	w.Helper()
	w.store.Store = w.open(w.clock)
	lifetime := w.cfg.withDefaults().AccessLifetime
	w.feed = NewFeed(w.store, w.clock, w.cfg.withDefaults().FeedBound, lifetime)
	w.ok(w.feed.Poll(w.ctx))
	w.Engine = New(w.cfg, w.store, w.ring, w.clock, w.feed)
}

// run runs a subtest, whose failures are its own.
func (w *world) run(name string, test func(t *testing.T)) {
	w.Helper()
	parent := w.TB.(*testing.T)
	parent.Run(name, func(t *testing.T) {
		w.TB = t
		defer func() { w.TB = parent }()
		test(t)
	})
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v", err)
	}
}

func (w *world) app(id symbolon.ClientID) symbolon.App {
	w.Helper()
	apps, err := w.store.Apps(w.ctx, symbolon.AppQuery{ID: id, Limit: 1})
	w.ok(err)
	return apps[0]
}

// edit changes an app, and lets the node hear of it.
func (w *world) edit(id symbolon.ClientID, change func(*symbolon.App)) {
	w.Helper()
	app := w.app(id)
	change(&app)
	w.ok(w.store.PutApp(w.ctx, app))
	w.ok(w.feed.Poll(w.ctx))
}

func (w *world) newAccount(username, name string) symbolon.Account {
	w.Helper()
	a := symbolon.Account{ID: symbolon.NewAccountID(), Username: username, Name: name, CreatedAt: w.clock.Now()}
	w.ok(w.store.PutAccount(w.ctx, a))
	return w.account(a.ID)
}

func (w *world) account(id symbolon.AccountID) symbolon.Account {
	w.Helper()
	accounts, err := w.store.Accounts(w.ctx, symbolon.AccountQuery{ID: id, Limit: 1})
	w.ok(err)
	return accounts[0]
}

// end ends something at this moment, lets the node hear of it, and returns how
// many rows it ended.
func (w *world) end(e symbolon.End) int {
	w.Helper()
	e.Now = w.clock.Now()
	n, err := w.store.End(w.ctx, e)
	w.ok(err)
	w.ok(w.feed.Poll(w.ctx))
	return n
}

// disable disables an account as the command line does.
func (w *world) disable(id symbolon.AccountID) {
	w.Helper()
	a := w.account(id)
	a.DisabledAt, a.NotBefore = w.clock.Now(), w.clock.Now()
	w.ok(w.store.PutAccount(w.ctx, a))
	w.ok(w.feed.Poll(w.ctx))
}

// form changes a list of "name=value" pairs: "name=value" sets, "-name" leaves
// out, "+name=value" adds another, "%name=text" adds text that is not encoded.
func form(pairs, changes []string) string {
	name := func(s string) string { before, _, _ := strings.Cut(s, "="); return before }
	var raw []string
	for _, c := range changes {
		switch c[0] {
		case '+':
			pairs = append(slices.Clone(pairs), c[1:])
		case '%':
			raw = append(raw, c[1:])
		case '-':
			pairs = slices.DeleteFunc(slices.Clone(pairs), func(p string) bool { return name(p) == c[1:] })
		default:
			pairs = append(slices.DeleteFunc(slices.Clone(pairs), func(p string) bool { return name(p) == name(c) }), c)
		}
	}
	var out []string
	for _, p := range pairs {
		n, value, _ := strings.Cut(p, "=")
		out = append(out, url.QueryEscape(n)+"="+url.QueryEscape(value))
	}
	return strings.Join(append(out, raw...), "&")
}

// request is A(changes) of the ledger: a valid authorization request with
// something changed.
func (w *world) request(app *symbolon.App, changes ...string) *AuthorizeRequest {
	w.Helper()
	p, err := ParseForm(form([]string{
		"client_id=" + string(app.ID), "redirect_uri=" + app.RedirectURIs[0], "response_type=code", "scope=connect read",
		"state=xyz", "code_challenge=" + challenge, "code_challenge_method=S256",
	}, changes))
	w.ok(err)
	req := ReadAuthorize(&p)
	return &req
}

// signedIn is a session of each account, the latest first, that began now.
func (w *world) signedIn(accounts ...symbolon.Account) []symbolon.SignedIn {
	var list []symbolon.SignedIn
	for _, a := range accounts {
		list = append(list, symbolon.SignedIn{Account: a, Session: symbolon.Session{Account: a.ID, AuthAt: w.clock.Now().Add(-time.Second)}})
	}
	return list
}

// allowing is U1 in front of a browser who allows what is asked.
func (w *world) allowing() Actor {
	return Actor{Interactive: true, SignedIn: w.signedIn(w.U1), Chosen: w.U1.ID, Allowed: true}
}

// authorized is the callback of A(changes) by U1, who allows what is asked.
func (w *world) authorized(app *symbolon.App, changes ...string) Callback {
	w.Helper()
	answer, err := w.Authorize(w.ctx, w.request(app, changes...), w.allowing())
	w.ok(err)
	if answer.Need != NeedNothing || answer.Callback.Code == "" {
		w.Fatalf("no code: need %d", answer.Need)
	}
	return answer.Callback
}

func (w *world) code(app *symbolon.App, changes ...string) string {
	w.Helper()
	return w.authorized(app, changes...).Code
}

func (w *world) tokenRequest(app *symbolon.App, pairs, changes []string) *TokenRequest {
	w.Helper()
	pairs = append(pairs, "client_id="+string(app.ID))
	if secret := w.secrets[app.ID]; secret != "" {
		pairs = append(pairs, "client_secret="+secret)
	}
	var c Credentials
	changes = slices.DeleteFunc(slices.Clone(changes), func(s string) bool {
		header, found := strings.CutPrefix(s, "Authorization: ")
		if found {
			c.ParseBasic(header)
		}
		return found
	})
	p, err := ParseForm(form(pairs, changes))
	w.ok(err)
	req := ReadToken(&p, c)
	return &req
}

// redeem is T(changes) of the ledger.
func (w *world) redeem(app *symbolon.App, code string, changes ...string) (*TokenResponse, error) {
	w.Helper()
	return w.Token(w.ctx, w.tokenRequest(app, []string{
		"grant_type=authorization_code", "code=" + code, "redirect_uri=" + app.RedirectURIs[0], "code_verifier=" + verifier,
	}, changes))
}

// refresh is F(changes) of the ledger.
func (w *world) refresh(app *symbolon.App, token string, changes ...string) (*TokenResponse, error) {
	w.Helper()
	return w.Refresh(w.ctx, w.tokenRequest(app, []string{"grant_type=refresh_token", "refresh_token=" + token}, changes))
}

// connected is a new connection of U1 to an app.
func (w *world) connected(app *symbolon.App, changes ...string) *TokenResponse {
	w.Helper()
	answer, err := w.redeem(app, w.code(app, changes...))
	w.ok(err)
	return answer
}

func (w *world) refreshed(app *symbolon.App, token string, changes ...string) *TokenResponse {
	w.Helper()
	answer, err := w.refresh(app, token, changes...)
	w.ok(err)
	return answer
}

// alive and dead look at an access token and its connection as step 4 does.
func (w *world) alive(t *TokenResponse) {
	w.Helper()
	if _, err := w.Info(w.ctx, Bearer(t.AccessToken)); err != nil {
		w.Fatalf("the access token is dead: %v", err)
	}
}

func (w *world) dead(t *TokenResponse) {
	w.Helper()
	_, err := w.Info(w.ctx, Bearer(t.AccessToken))
	w.refused(err, InvalidToken)
}

// refused fails unless err is this refusal, and checks what holds for all.
func (w *world) refused(err error, want Refusal) *Error {
	w.Helper()
	var e *Error
	if !errors.As(err, &e) {
		w.Fatalf("error %v, want the refusal %s", err, want.Code())
	}
	if e.Refusal != want {
		w.Fatalf("refused with %v (%d), want %s (%d)", err, e.Refusal, want.Code(), want)
	}
	checkDescription(w, e.Description)
	return e
}

// redirected is redir(e) of the ledger: the refusal goes to the app, with what
// must stand beside it and no code.
func (w *world) redirected(err error, want Refusal, uri, state string) {
	w.Helper()
	e := w.refused(err, want)
	c := w.Callback(e)
	if c == nil {
		w.Fatalf("%v is not sent to the app", err)
	}
	u, err := url.Parse(c.URL())
	w.ok(err)
	if !strings.HasPrefix(c.URL(), uri) {
		w.Fatalf("sent to %s, want %s", c.URL(), uri)
	}
	q := u.Query()
	if q.Get("error") != want.Code() || q.Get("state") != state || q.Has("state") != (state != "") || q.Get("iss") != w.cfg.Issuer || q.Has("code") {
		w.Fatalf("sent to %s", c.URL())
	}
	checkDescription(w, q.Get("error_description"))
}

// page is the refusal that a person sees here, since nothing is proven.
func (w *world) page(err error, want Refusal) *Error {
	w.Helper()
	e := w.refused(err, want)
	if c := w.Callback(e); c != nil {
		w.Fatalf("%v is sent to %s", err, c.URL())
	}
	return e
}

// row is the connection in the store.
func (w *world) row(t *TokenResponse) symbolon.Connection {
	w.Helper()
	rows, err := w.store.Connections(w.ctx, symbolon.ConnectionQuery{ID: t.Grant.Connection, Limit: 1})
	w.ok(err)
	if len(rows) != 1 {
		w.Fatalf("%d rows", len(rows))
	}
	return rows[0]
}

func challengeOf(verifier string) string {
	hash := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}
