package oauth

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

const (
	byeC1   = "https://c1.test/bye"
	toldC1  = "https://c1.test/ended"
	nativeC = "com.example.app:/bye"
)

// leaving is a world in which U1 is signed in in a browser, C1 has an ID token of
// that, and both C1 and C2 have addresses for signing out.
type leaving struct {
	*world
	browser [32]byte
	hint    string // the ID token
	tokens  *TokenResponse
	in      []symbolon.SignedIn
}

func newLeaving(t *testing.T, configure ...func(*Config)) *leaving {
	t.Helper()
	w := newSignIns(t, configure...)
	for _, a := range []*symbolon.App{&w.C1, &w.C2} {
		w.edit(a.ID, func(a *symbolon.App) {
			a.Settings.OpenID.PostLogoutRedirectURIs = []string{"https://" + a.Name + ".test/bye", "https://" + a.Name + ".test/bye?x=1", nativeC}
			a.Settings.OpenID.BackchannelLogoutURI = "https://" + a.Name + ".test/ended"
		})
		*a = w.app(a.ID)
	}
	l := &leaving{world: w, browser: [32]byte{1}}
	l.signIn(w.U1)
	l.tokens = l.connect(&w.C1)
	l.hint = l.tokens.IDToken
	return l
}

// signIn signs an account in in the browser, as the pages do.
func (l *leaving) signIn(a symbolon.Account) {
	l.Helper()
	l.clock.pass(time.Second)
	now := l.clock.Now()
	l.ok(l.store.SignIn(l.ctx, symbolon.Session{ID: symbolon.NewSessionID(), Browser: l.browser, Account: a.ID, AuthAt: now, ACR: ACROne, ExpiresAt: now.Add(time.Hour)}, l.browser))
	l.clock.pass(time.Second)
	l.look()
}

// look reads who is signed in.
func (l *leaving) look() []symbolon.SignedIn {
	l.Helper()
	var err error
	l.in, err = l.store.Sessions(l.ctx, l.browser, l.clock.Now())
	l.ok(err)
	return l.in
}

// connect connects an app to who is signed in last, and allows what it asks.
func (l *leaving) connect(app *symbolon.App, changes ...string) *TokenResponse {
	l.Helper()
	who := Actor{Interactive: true, SignedIn: l.in, Chosen: l.in[0].Account.ID, Allowed: true}
	a, err := l.Authorize(l.ctx, l.request(app, append([]string{"scope=openid connect"}, changes...)...), who)
	l.ok(err)
	tokens, err := l.redeem(app, a.Callback.Code)
	l.ok(err)
	return tokens
}

// asked reads a request to sign out.
func (l *leaving) asked(pairs ...string) *Logout {
	l.Helper()
	q := make([]string, 0, len(pairs))
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		q = append(q, name+"="+url.QueryEscape(value))
	}
	p, err := ParseForm(strings.Join(q, "&"))
	l.ok(err)
	req := ReadLogout(&p)
	// What goes through a form of ours means the same.
	again, err := ParseForm(req.Query())
	l.ok(err)
	carried := ReadLogout(&again)
	first, err := l.Logout(l.ctx, &req, l.in)
	l.ok(err)
	second, err := l.Logout(l.ctx, &carried, l.in)
	l.ok(err)
	if first.Back != second.Back || (first.Wrong == "") != (second.Wrong == "") || (first.Session == nil) != (second.Session == nil) {
		l.Errorf("%q: %+v, and carried %+v", pairs, first, second)
	}
	return first
}

// nowhere asks, and fails unless the request leads nowhere and says why.
func (l *leaving) nowhere(t *testing.T, pairs ...string) *Logout {
	t.Helper()
	a := l.asked(pairs...)
	if a.Back != "" || a.Wrong == "" {
		t.Errorf("%.200q: %+v", pairs, a)
	}
	return a
}

// signed is a JWT by a key of the server.
func (w *world) signed(typ string, claims map[string]any) string {
	w.Helper()
	text, err := w.cfg.Signing.Sign(typ, "ES256", claims, w.clock.Now())
	w.ok(err)
	return text
}

// What a request to sign out asks for, and what becomes of it.
func TestLogout(t *testing.T) {
	l := newLeaving(t)
	w := l.world
	hint, back, state := "id_token_hint="+l.hint, "post_logout_redirect_uri="+byeC1, "state=a b&c=\"<x>"
	w.run("RPL-2-b", func(t *testing.T) {
		a := l.asked(hint, back, state, "ui_locales=cs", "unknown=x")
		if a.Session == nil || a.Session.Account.ID != w.U1.ID || a.Wrong != "" || a.Stranger || a.App.ID != w.C1.ID {
			t.Fatalf("%+v", a)
		}
		if u, err := url.Parse(a.Back); err != nil || !strings.HasPrefix(a.Back, byeC1+"?state=") || u.Query().Get("state") != "a b&c=\"<x>" || len(u.Query()) != 1 {
			t.Errorf("back to %s", a.Back)
		}
		if a := l.asked(hint, "client_id="+string(w.C1.ID), back); a.Session == nil || a.Back != byeC1 {
			t.Errorf("with client_id: %+v", a)
		}
		if a := l.asked(hint, "post_logout_redirect_uri="+byeC1+"?x=1", "state=s"); a.Back != byeC1+"?x=1&state=s" {
			t.Errorf("with a query: %+v", a)
		}
		if a := l.asked(hint, "post_logout_redirect_uri="+nativeC, "state=s"); a.Back != nativeC+"?state=s" {
			t.Errorf("native: %+v", a)
		}
	})
	w.run("RPL-2-c", func(t *testing.T) {
		for _, pairs := range [][]string{{hint, back}, {hint, back, "state="}} {
			if a := l.asked(pairs...); a.Back != byeC1 || a.Session == nil {
				t.Errorf("%+v", a)
			}
		}
	})
	w.run("RPL-2-d", func(t *testing.T) {
		for _, pairs := range [][]string{{}, {"state=x"}, {"logout_hint=nobody"}, {"client_id=" + string(w.C1.ID)}} {
			if a := l.asked(pairs...); a.Back != "" || a.Wrong != "" || a.Session != nil {
				t.Errorf("%q: %+v", pairs, a)
			}
		}
		if a := l.asked(hint, state); a.Session == nil || a.Back != "" || a.Wrong != "" {
			t.Errorf("%+v", a)
		}
	})
	w.run("RPL-3-a", func(t *testing.T) {
		for _, uri := range []string{
			byeC1 + "/", byeC1 + "?foo=bar", byeC1 + "#", byeC1 + "%20", "https://C1.test/bye", "https://c1.test:443/bye", "http://c1.test/bye", "https://c1.test/b%79e",
			"https://c1.test/bye?x=1&y=2", "https://c1.test/bye?x=1&state=s", "https://c1.test@evil.test/bye", "//evil.test", "/bye", "evil.test", "javascript:alert(1)", "data:text/html,x",
			"https://c2.test/bye", uriC1, "com.example.app:/bye/", byeC1 + "\t", " " + byeC1, "https://evil.test/?" + byeC1,
		} {
			// The session ends all the same: RPL-4-a.
			if a := l.nowhere(t, hint, "post_logout_redirect_uri="+uri); a.Session == nil {
				t.Errorf("%s keeps the session", uri)
			}
			l.nowhere(t, "client_id="+string(w.C1.ID), "post_logout_redirect_uri="+uri)
		}
		l.nowhere(t, back, state)
		l.nowhere(t, back, "logout_hint=jane")
		l.nowhere(t, back, "client_id=nobody")
		l.nowhere(t, back, "client_id="+string(w.C2.ID))
		l.nowhere(t, hint, back, "client_id="+string(w.C2.ID))
		// An app that is named and nothing more may be gone back to, when the person has said so.
		if a := l.asked("client_id="+string(w.C1.ID), back, state); a.Session != nil || !strings.HasPrefix(a.Back, byeC1+"?state=") || a.Stranger {
			t.Errorf("%+v", a)
		}
	})
	w.run("RPL-4-a", func(t *testing.T) {
		a := l.nowhere(t, hint, "post_logout_redirect_uri=https://evil.test/")
		if a.Session == nil {
			t.Error("the session is kept")
		}
		for _, broken := range []string{"state=a\x00b", "post_logout_redirect_uri=\xff", "ui_locales=\x7f", "logout_hint=\n"} {
			if a := l.nowhere(t, hint, back, broken); a.Session == nil {
				t.Errorf("%q keeps the session", broken)
			}
		}
		for _, name := range logoutParams {
			l.nowhere(t, hint, back, name+"=x", name+"=x")
		}
		// Who asks must be clear before a session ends unasked.
		for _, broken := range []string{"client_id=\x0e", "client_id=\xff"} {
			if a := l.nowhere(t, hint, back, broken); a.Session != nil || a.App != nil {
				t.Errorf("%q: %+v", broken, a)
			}
		}
		if a := l.nowhere(t, hint, "client_id="+string(w.C1.ID), "client_id="+string(w.C1.ID)); a.Session != nil {
			t.Errorf("client_id twice: %+v", a)
		}
	})
	w.run("RPL-6-a", func(t *testing.T) {
		for _, pairs := range [][]string{{}, {"client_id=" + string(w.C1.ID), back}, {"logout_hint=jane"}, {"logout_hint=" + l.in[0].Session.ID.String()}} {
			if a := l.asked(pairs...); a.Session != nil {
				t.Errorf("%q ends a session unasked", pairs)
			}
		}
		if a := l.asked("logout_hint=JANE"); a.First != w.U1.ID {
			t.Errorf("logout_hint: %+v", a)
		}
	})
}

// RPL-2-e, RPL-2-f: which ID tokens count.
func TestLogoutHint(t *testing.T) {
	l := newLeaving(t)
	w := l.world
	_, claims := w.claims(l.hint)
	back := "post_logout_redirect_uri=" + byeC1
	parts := strings.Split(l.hint, ".")
	with := func(change func(map[string]any)) string {
		copied := map[string]any{}
		for name, value := range claims {
			copied[name] = value
		}
		change(copied)
		return w.signed(TypeIDToken, copied)
	}
	set := func(name string, value any) string { return with(func(c map[string]any) { c[name] = value }) }
	encoded := func(v any) string {
		text, err := json.Marshal(v)
		w.ok(err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	root, err := seal.NewRootKey()
	w.ok(err)
	key, err := jwt.NewKey(root, "ES256")
	w.ok(err)
	others, err := jwt.NewRing([]*seal.RootKey{root}, []symbolon.Key{key})
	w.ok(err)
	foreign, err := others.Sign(TypeIDToken, "ES256", claims, w.clock.Now())
	w.ok(err)
	jwtAccess := w.signed("at+jwt", claims)
	w.run("RPL-2-e", func(t *testing.T) {
		for name, hint := range map[string]string{
			"nothing":             "x",
			"alg none":            encoded(map[string]string{"alg": "none", "typ": "JWT"}) + "." + parts[1] + ".",
			"alg none, signed":    encoded(map[string]string{"alg": "none", "typ": "JWT"}) + "." + parts[1] + "." + parts[2],
			"another's key":       foreign,
			"other claims":        parts[0] + "." + encoded(map[string]any{"iss": "https://as.test", "sub": claims["sub"], "aud": claims["aud"]}) + "." + parts[2],
			"cut":                 l.hint[:len(l.hint)-2],
			"another issuer":      set("iss", "https://other.test"),
			"an issuer with /":    set("iss", "https://as.test/"),
			"no issuer":           with(func(c map[string]any) { delete(c, "iss") }),
			"no subject":          with(func(c map[string]any) { delete(c, "sub") }),
			"no audience":         with(func(c map[string]any) { delete(c, "aud") }),
			"two audiences":       set("aud", []string{string(w.C1.ID), string(w.C2.ID)}),
			"an audience object":  set("aud", map[string]any{"a": 1}),
			"an access token":     jwtAccess,
			"a logout token":      w.signed("logout+jwt", claims),
			"signed userinfo":     w.signed("userinfo+jwt", claims),
			"a sealed token":      l.tokens.AccessToken,
			"a refresh token":     l.tokens.RefreshToken,
			"an app that is none": set("aud", "nobody"),
		} {
			if a := l.nowhere(t, "id_token_hint="+hint, back); a.Session != nil {
				t.Errorf("%s ends the session", name)
			}
			// Nor with the app named beside it.
			if a := l.nowhere(t, "id_token_hint="+hint, back, "client_id="+string(w.C1.ID)); a.Session != nil {
				t.Errorf("%s, with client_id, ends the session", name)
			}
		}
		if a := l.asked("id_token_hint="+set("aud", []string{string(w.C1.ID)}), back); a.Session == nil || a.Back != byeC1 {
			t.Errorf("a list of one: %+v", a)
		}
		// That of another app: its own address, and its own session, are all it proves.
		if a := l.nowhere(t, "id_token_hint="+set("aud", string(w.C2.ID)), back); a.App.ID != w.C2.ID {
			t.Errorf("%+v", a)
		}
	})
	w.run("RPL-2-f", func(t *testing.T) {
		old := with(func(c map[string]any) { c["exp"], c["iat"] = 1, 0 })
		if a := l.asked("id_token_hint="+old, back); a.Session == nil || a.Back != byeC1 || a.Wrong != "" {
			t.Errorf("%+v", a)
		}
	})
	w.run("RPL-2-g", func(t *testing.T) {
		for name, hint := range map[string]string{
			"another person":  set("sub", string(w.U2.ID)),
			"another sign-in": set("sid", symbolon.NewSessionID().String()), "no sid": with(func(c map[string]any) { delete(c, "sid") }), "an empty sid": set("sid", ""),
		} {
			if a := l.asked("id_token_hint="+hint, back); a.Session != nil || a.Back != byeC1 || a.Wrong != "" {
				t.Errorf("%s: %+v", name, a)
			}
		}
		// Two are signed in: the one of the token is ended, whoever came last.
		l.signIn(w.U2)
		if a := l.asked("id_token_hint="+l.hint, back); a.Session == nil || a.Session.Account.ID != w.U1.ID {
			t.Errorf("%+v", a)
		}
		if a := l.asked("id_token_hint="+set("sid", "x"), back); a.Session != nil || a.First != w.U1.ID {
			t.Errorf("%+v", a)
		}
		// In another browser nobody is.
		l.in = nil
		if a := l.asked("id_token_hint="+l.hint, back); a.Session != nil || a.Back != byeC1 {
			t.Errorf("%+v", a)
		}
	})
}

// A key that was retired signs nobody out any more.
func TestLogoutRetiredKey(t *testing.T) {
	l := newLeaving(t)
	keys := l.cfg.Signing.Keys()
	keys[0].RetiredAt = l.clock.Now()
	l.cfg.Signing.Retire(keys)
	l.clock.pass(time.Second)
	if a := l.nowhere(t, "id_token_hint="+l.hint, "post_logout_redirect_uri="+byeC1); a.Session != nil {
		t.Error("the session ends")
	}
}

// An app with pairwise subjects is known by its own name for the person.
func TestLogoutPairwise(t *testing.T) {
	l := newLeaving(t)
	l.edit(l.C2.ID, func(a *symbolon.App) { a.Settings.OpenID.Pairwise, a.Settings.OpenID.Sector = true, "c2.test" })
	l.C2 = l.app(l.C2.ID)
	hint := l.connect(&l.C2).IDToken
	if a := l.asked("id_token_hint=" + hint); a.Session == nil || a.App.ID != l.C2.ID {
		t.Errorf("%+v", a)
	}
}

// BCL-2.4-b, BCL-2.5-a, BCL-2.7-a: signing out ends what came of the session, and leaves word
// for each app with the sid of its ID token.
func TestSignOut(t *testing.T) {
	l := newLeaving(t)
	w := l.world
	dies, stays := l.tokens, l.connect(&w.C2, "scope=openid connect offline_access")
	outside := w.connected(&w.C1, "scope=connect")
	_, claims := w.claims(l.hint)
	if row := w.row(dies); row.Session.String() != claims["sid"] {
		t.Errorf("the connection is of session %s, its ID token of %v", row.Session, claims["sid"])
	}
	if row := w.row(outside); row.Session != (symbolon.SessionID{}) {
		t.Error("a connection without sign-in has a session")
	}
	w.clock.pass(time.Minute)
	w.ok(l.SignOut(w.ctx, l.browser, w.U1.ID))
	if len(l.look()) != 0 {
		t.Error("still signed in")
	}
	w.dead(dies)
	w.alive(stays)
	w.alive(outside)
	if row := w.row(dies); row.EndedBy != symbolon.BySignOut {
		t.Errorf("ended by %q", row.EndedBy)
	}
	got, err := w.store.Claim(w.ctx, symbolon.Claim{Limit: 9, PerApp: 9, Lease: time.Minute, Now: w.clock.Now()})
	w.ok(err)
	var told []symbolon.ClientID
	for _, d := range got.Due {
		told = append(told, d.Client)
		if d.Session.String() != claims["sid"] || d.Account != w.U1.ID {
			t.Errorf("%+v", d)
		}
	}
	slices.Sort(told)
	if !slices.Equal(told, []symbolon.ClientID{w.C1.ID, w.C2.ID}) {
		t.Errorf("told are %v", told)
	}
	w.ok(l.SignOut(w.ctx, l.browser, ""))
}

// A code that is redeemed after signing out is refused by an app that would have to
// be told, and by no other.
func TestRedeemAfterSignOut(t *testing.T) {
	for _, told := range []bool{true, false} {
		l := newLeaving(t)
		if !told {
			l.edit(l.C1.ID, func(a *symbolon.App) { a.Settings.OpenID.BackchannelLogoutURI = "" })
		}
		who := Actor{Interactive: true, SignedIn: l.in, Chosen: l.U1.ID, Allowed: true}
		a, err := l.Authorize(l.ctx, l.request(&l.C1, "scope=openid"), who)
		l.ok(err)
		l.ok(l.SignOut(l.ctx, l.browser, l.U1.ID))
		if _, err = l.redeem(&l.C1, a.Callback.Code); told {
			l.refused(err, InvalidGrant)
		} else {
			l.ok(err)
		}
	}
}

// What a session takes with it is over at every node when signing out is answered.
func TestSignOutSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeaving(t, shared)
		time.Sleep(time.Second)
		if got := took(func() { l.ok(l.SignOut(l.ctx, l.browser, "")) }); got < 300*time.Millisecond {
			t.Errorf("answered after %v", got)
		}
		if got := took(func() { l.ok(l.SignOut(l.ctx, l.browser, "")) }); got != 0 {
			t.Errorf("where nothing was ended, answered after %v", got)
		}
		for _, fault := range storetest.Faults {
			l.store.FailNext("End", fault)
			l.refused(l.SignOut(l.ctx, l.browser, ""), Unavailable)
		}
	})
}

// A store that is away is no refusal of the request.
func TestLogoutAway(t *testing.T) {
	l := newLeaving(t)
	l.start()
	l.store.Plan(func(verb string) storetest.Fault {
		if verb == "Apps" {
			return storetest.Lost
		}
		return storetest.NoFault
	})
	p, err := ParseForm("id_token_hint=" + l.hint)
	l.ok(err)
	req := ReadLogout(&p)
	_, err = l.Logout(l.ctx, &req, l.in)
	l.refused(err, Unavailable)
}

// An app that registered itself is not gone back to unseen, unless it has an ID token.
func TestLogoutStranger(t *testing.T) {
	l := newLeaving(t)
	l.edit(l.C1.ID, func(a *symbolon.App) {
		a.Settings.Registration = &symbolon.Registration{ClientID: string(a.ID)}
	})
	back := "post_logout_redirect_uri=" + byeC1
	if a := l.asked("client_id="+string(l.C1.ID), back); !a.Stranger || a.Back != byeC1 {
		t.Errorf("%+v", a)
	}
	if a := l.asked("id_token_hint="+l.hint, back); a.Stranger || a.Back != byeC1 {
		t.Errorf("%+v", a)
	}
}

// What may be registered for signing out.
func TestCheckLogoutURIs(t *testing.T) {
	for _, uri := range []string{byeC1, nativeC, "http://127.0.0.1:9/bye", "https://c1.test/bye?code=x"} {
		if err := CheckPostLogoutURI(uri); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for _, uri := range []string{"", "/bye", "http://c1.test/bye", byeC1 + "#x", byeC1 + "?state=x", byeC1 + "?a;st%61te", "javascript:alert(1)", "myapp:/bye", "https://u@c1.test/", "https://c1.test/<"} {
		if err := CheckPostLogoutURI(uri); symbolon.KindOf(err) != symbolon.Invalid || err == nil {
			t.Errorf("%q: %v", uri, err)
		}
	}
	for _, uri := range []string{toldC1, "https://c1.test/ended?a=b&state=1", "https://192.0.2.1:8443/"} {
		if err := CheckBackchannelURI(uri, false); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for _, uri := range []string{"", nativeC, toldC1 + "#", "http://127.0.0.1/ended", "http://c1.test/ended", "https://u:p@c1.test/", "https:///x", "https://c1.test:0/", "https://c1.test:/", "//c1.test/"} {
		if err := CheckBackchannelURI(uri, false); symbolon.KindOf(err) != symbolon.Invalid || err == nil {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if err := CheckBackchannelURI("http://127.0.0.1:9/ended", true); err != nil {
		t.Error(err)
	}
	if err := CheckBackchannelURI("http://192.0.2.1/ended", true); err == nil {
		t.Error("plain http leaves the computer")
	}
}

// FuzzLogout: whatever is sent, a browser is sent only to what the app registered, and
// no session ends unasked but the one of the ID token.
func FuzzLogout(f *testing.F) {
	f.Add("id_token_hint=HINT&post_logout_redirect_uri=" + url.QueryEscape(byeC1) + "&state=x")
	f.Add("client_id=C1&post_logout_redirect_uri=https%3A%2F%2Fevil.test&logout_hint=jane")
	f.Add("id_token_hint=HINT&id_token_hint=HINT&client_id=C2&ui_locales=%zz")
	f.Add("id_token_hint=HINT.&state=%00%ff")
	f.Add("id_token_hint=HINT&client_id=%0e")
	f.Fuzz(func(t *testing.T, query string) {
		l := fuzzed(t)
		query = strings.NewReplacer("HINT", l.hint, "C1", string(l.C1.ID), "C2", string(l.C2.ID)).Replace(query)
		p, err := ParseForm(query)
		if err != nil {
			return
		}
		req := ReadLogout(&p)
		a, err := l.Logout(l.ctx, &req, l.in)
		if err != nil {
			t.Fatal(err)
		}
		if a.Back != "" {
			ok := a.App != nil && a.Wrong == "" && slices.ContainsFunc(a.App.Settings.OpenID.PostLogoutRedirectURIs, func(uri string) bool {
				return a.Back == uri || strings.HasPrefix(a.Back, uri+"?state=") || strings.HasPrefix(a.Back, uri+"&state=")
			})
			if !ok || strings.ContainsAny(a.Back, "\r\n\t <>\"") {
				t.Errorf("back to %q", a.Back)
			}
		}
		if a.Session != nil && !strings.Contains(query, l.hint) {
			t.Errorf("%q ends a session", query)
		}
		again, err := ParseForm(req.Query())
		if err != nil {
			t.Fatal(err)
		}
		carried := ReadLogout(&again)
		b, err := l.Logout(l.ctx, &carried, l.in)
		if err != nil || b.Back != a.Back || (b.Wrong == "") != (a.Wrong == "") || (b.Session == nil) != (a.Session == nil) {
			t.Errorf("%q: %+v, and carried %+v, %v", query, a, b, err)
		}
	})
}

var fuzzWorld *leaving

// fuzzed is one world for all that a fuzzer tries, which changes nothing in it.
func fuzzed(t *testing.T) *leaving {
	if fuzzWorld == nil {
		fuzzWorld = newLeaving(t)
	}
	return fuzzWorld
}
