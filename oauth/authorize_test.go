package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

// Who is asking is not known to be the app: a page, and no redirect anywhere.
func TestAuthorizeUnproven(t *testing.T) {
	w := newWorld(t)
	page := func(t *testing.T, want Refusal, changes ...string) *Error {
		t.Helper()
		for _, who := range []Actor{{}, w.allowing(), {Interactive: true, Denied: true}} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, changes...), who)
			w.page(err, want)
		}
		_, err := w.Authorize(w.ctx, w.request(&w.C1, changes...), w.allowing())
		return w.page(err, want)
	}
	w.run("RFC6749-4.1.2.1-a", func(t *testing.T) {
		page(t, UnknownClient, "client_id=nope", "redirect_uri=https://evil.test/")
		page(t, UnknownClient, "client_id=sym_app_"+strings.Repeat("x", 200))
		page(t, UnknownClient, "client_id=../../etc")
		page(t, UnknownClient, "client_id=sym_app_c1 ")
		page(t, UnknownClient, "client_id=SYM_APP_C1")
		page(t, InvalidRequest, "-client_id")
		page(t, InvalidRequest, "client_id=")
	})
	w.run("RFC6749-3.1.2.4-a", func(t *testing.T) {
		page(t, InvalidRequest, "redirect_uri=https://evil.test/cb", "scope=bad", "prompt=none", "response_mode=form_post")
		page(t, InvalidRequest, "redirect_uri=https://evil.test/cb", "response_type=token")
		page(t, InvalidRequest, "redirect_uri=javascript:alert(1)")
		page(t, InvalidRequest, "redirect_uri="+uriC2)
	})
	w.run("RFC9700-2.1-a", func(t *testing.T) {
		e := page(t, InvalidRequest, "redirect_uri="+uriC1+"/")
		if e.Mismatch == nil || e.Mismatch.ID != w.C1.ID || e.Client != w.C1.ID {
			t.Errorf("the page cannot explain the mismatch: %+v", e)
		}
	})
	w.run("RFC6749-3.1.2.3-a", func(t *testing.T) {
		_, err := w.Authorize(w.ctx, w.request(&w.C2, "-redirect_uri"), w.allowing())
		w.page(err, InvalidRequest)
	})
	w.run("RFC6749-3.1-c", func(t *testing.T) {
		_, err := w.Authorize(w.ctx, w.request(&w.C2, "redirect_uri="), w.allowing())
		w.page(err, InvalidRequest)
		if c := w.authorized(&w.C1, "state="); strings.Contains(c.URL(), "state=") {
			t.Errorf("an empty state comes back: %s", c.URL())
		}
	})
	w.run("OIDCC-3.1.2.1-b", func(t *testing.T) { page(t, InvalidRequest, "-redirect_uri", "scope=openid") })
	w.run("RFC6749-3.1.2.2-a", func(t *testing.T) {
		bare := symbolon.App{ID: "sym_app_bare", Scope: symbolon.Scopes{"connect"}}
		w.ok(w.store.PutApp(w.ctx, bare))
		bare.RedirectURIs = []string{uriC1} // what the request sends
		_, err := w.Authorize(w.ctx, w.request(&bare), w.allowing())
		w.page(err, InvalidRequest)
	})
	w.run("B19", func(t *testing.T) {
		page(t, InvalidRequest, "+client_id=sym_app_c1")
		page(t, InvalidRequest, "+client_id=sym_app_c2")
		page(t, InvalidRequest, "+redirect_uri=https://evil.test/cb")
		page(t, InvalidRequest, "-redirect_uri", "+redirect_uri=https://evil.test/cb", "+redirect_uri="+uriC1)
		page(t, InvalidRequest, "%client%5fid=x")
	})
	w.run("B68", func(t *testing.T) {
		page(t, InvalidRequest, "client_id=sym_app_c1\x00")
		page(t, InvalidRequest, "-redirect_uri", "%redirect_uri=https://c1.test/cb%0d%0a")
		page(t, InvalidRequest, "-client_id", "%client_id=%zz")
		page(t, InvalidRequest, "-client_id", "%client_id=%ff")
	})
	// B9 to B17 whole: what does not match is a page. The list of what does not
	// match stands in TestMatchRedirectURI.
}

// App and redirect URI are proven: every refusal goes to the app.
func TestAuthorizeRefusals(t *testing.T) {
	w := newWorld(t)
	redirected := func(t *testing.T, want Refusal, changes ...string) {
		t.Helper()
		for _, who := range []Actor{w.allowing(), {Interactive: true}, {Interactive: true, SignedIn: w.signedIn(w.U1)}} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, changes...), who)
			w.redirected(err, want, uriC1, "xyz")
		}
	}
	w.run("RFC6749-3.1.1-a", func(t *testing.T) {
		redirected(t, InvalidRequest, "-response_type")
		redirected(t, InvalidRequest, "response_type=")
	})
	w.run("RFC6749-3.1.1-b", func(t *testing.T) {
		redirected(t, UnsupportedResponseType, "response_type=foo")
		redirected(t, UnsupportedResponseType, "response_type=Code")
		redirected(t, UnsupportedResponseType, "response_type=code ")
	})
	w.run("RFC9700-2.1.2-a", func(t *testing.T) {
		for _, kind := range []string{"token", "id_token token", "code token", "code id_token", "none"} {
			redirected(t, UnsupportedResponseType, "response_type="+kind)
		}
	})
	w.run("RFC6749-4.1.2.1-b", func(t *testing.T) { redirected(t, InvalidScope, "scope=bad") })
	w.run("RFC6749-3.3-d", func(t *testing.T) {
		redirected(t, InvalidRequest, "-scope")
		redirected(t, InvalidRequest, "scope=")
	})
	w.run("RFC6749-3.3-b", func(t *testing.T) {
		for _, scope := range []string{"connect\u00a0read", `"connect"`, "connect  read", " connect", "connect ", `con\nect`, "connéct"} {
			redirected(t, InvalidScope, "scope="+scope)
		}
		redirected(t, InvalidRequest, "scope=connect\tread")
		redirected(t, InvalidRequest, "scope=connect\x00")
	})
	w.run("RFC6749-3.3-a", func(t *testing.T) { redirected(t, InvalidScope, "scope=Connect") })
	w.run("ASVS-10.4.11", func(t *testing.T) { redirected(t, InvalidScope, "scope=connect admin") })
	w.run("RFC6749-4.1.2.1-d", func(t *testing.T) {
		redirected(t, InvalidScope, "scope=\"é`")
		redirected(t, InvalidRequest, "scope=\"é`\r\n")
	})
	w.run("RFC6749-3.1-d", func(t *testing.T) {
		for _, name := range authorizeNames[2:] {
			if name == "state" || name == "resource" {
				continue
			}
			redirected(t, InvalidRequest, name+"=a", "+"+name+"=b")
		}
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "+state=b"), w.allowing())
		w.redirected(err, InvalidRequest, uriC1, "") // which of the two would it be?
		w.code(&w.C1, "+resource=https://r1.test", "+resource=https://r2.test")
	})
	w.run("B22", func(t *testing.T) {
		for _, method := range []string{"plain", "PLAIN", "s256", "S512", ""} {
			redirected(t, InvalidRequest, "code_challenge_method="+method)
		}
		redirected(t, InvalidRequest, "+code_challenge_method=S256")
	})
	w.run("RFC8707-2-a", func(t *testing.T) {
		for _, resource := range []string{"r1.test", "/r1", "https://r1.test#x", "https://r1.test/#", "%"} {
			redirected(t, InvalidTarget, "resource="+resource)
			redirected(t, InvalidTarget, "resource=https://r1.test", "+resource="+resource)
		}
		redirected(t, InvalidTarget, "resource=https://r1.test/"+strings.Repeat("x", maxResource))
	})
	w.run("B66 state", func(t *testing.T) {
		long := strings.Repeat("x", maxState+1)
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "state="+long), w.allowing())
		w.refused(err, InvalidRequest)
	})
	w.run("B68 state", func(t *testing.T) {
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "state=x\x00"), w.allowing())
		w.redirected(err, InvalidRequest, uriC1, "")
	})
	w.run("RFC6749-4.1.2.1-c", func(t *testing.T) {
		who := w.allowing()
		who.Allowed, who.Denied = false, true
		_, err := w.Authorize(w.ctx, w.request(&w.C1), who)
		w.redirected(err, AccessDenied, uriC1, "xyz")

		for _, fault := range storetest.Faults {
			w.store.FailNext("Allow", fault)
			_, err = w.Authorize(w.ctx, w.request(&w.C1), w.allowing())
			w.redirected(err, Unavailable, uriC1, "xyz")
			w.store.FailNext("Consent", fault)
			_, err = w.Authorize(w.ctx, w.request(&w.C1), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
			w.redirected(err, Unavailable, uriC1, "xyz")
		}
	})
	w.run("OIDCC prompt none with another", func(t *testing.T) {
		redirected(t, InvalidRequest, "prompt=none login")
		redirected(t, InvalidRequest, "prompt=consent none")
	})
}

func TestAuthorizeAnswers(t *testing.T) {
	w := newWorld(t)
	w.run("RFC6749-3.1-b", func(t *testing.T) { w.code(&w.C1, "extra=foobar", "access_type=offline", "+extra=again") })
	w.run("RFC6749-4.1.2-b", func(t *testing.T) {
		if c := w.authorized(&w.C1, "-state"); strings.Contains(c.URL(), "state") {
			t.Errorf("state in %s", c.URL())
		}
	})
	w.run("RFC6749-4.1.2-a", func(t *testing.T) {
		for _, state := range []string{"a b", "a+b", "a%2Bb", "a&code=x", "é", "https://x.test/?a=b#c", strings.Repeat("s", 1500), strings.Repeat("s", maxState)} {
			u, err := url.Parse(w.authorizedURL(&w.C1, "state="+state))
			w.ok(err)
			if got := u.Query().Get("state"); got != state {
				t.Errorf("state %q comes back as %q", state, got)
			}
		}
	})
	w.run("RFC9207-2-a", func(t *testing.T) {
		u, err := url.Parse(w.authorizedURL(&w.C1))
		w.ok(err)
		if q := u.Query(); q.Get("iss") != w.Issuer() || !slices.Equal(q["iss"], []string{"https://as.test"}) {
			t.Errorf("iss is %q", q["iss"])
		}
	})
	w.run("RFC9207-2-b", func(t *testing.T) {
		// Every w.redirected compares iss; here once in full.
		_, err := w.Authorize(w.ctx, w.request(&w.C1), Actor{Interactive: true, Denied: true})
		w.redirected(err, AccessDenied, uriC1, "xyz")
	})
	w.run("RFC6749-4.1.2.1-e", func(t *testing.T) {
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "scope=bad"), w.allowing())
		c := w.Callback(w.refused(err, InvalidScope))
		if c == nil || c.Code != "" || strings.Contains(c.URL(), "code=") {
			t.Errorf("%+v", c)
		}
	})
	w.run("RFC6749-3.1.2-b", func(t *testing.T) {
		w.edit(w.C1.ID, func(a *symbolon.App) { a.RedirectURIs = append(a.RedirectURIs, uriC1+"?a=%2Fb&c") })
		got := w.authorizedURL(&w.C1, "redirect_uri="+uriC1+"?a=%2Fb&c")
		if !strings.HasPrefix(got, uriC1+"?a=%2Fb&c&code=sym_ac_") {
			t.Errorf("sent to %s", got)
		}
	})
	w.run("RFC6749-3.3-a", func(t *testing.T) {
		one, two := w.connected(&w.C1, "scope=connect read"), w.connected(&w.C1, "scope=read connect")
		if one.Scope != "connect read" || two.Scope != "read connect" {
			t.Errorf("%q and %q", one.Scope, two.Scope)
		}
	})
	w.run("RFC6749-3.3-c", func(t *testing.T) {
		// What was asked for is granted whole or not at all, and is named always.
		if got := w.connected(&w.C1, "scope=connect").Scope; got != "connect" {
			t.Errorf("scope %q", got)
		}
		if got := w.connected(&w.C1, "scope=read read connect").Scope; got != "read connect" {
			t.Errorf("scope %q", got)
		}
	})
	w.run("RFC6749-3.1.2.4-a loopback", func(t *testing.T) {
		if got := w.authorizedURL(&w.P1, "redirect_uri=http://127.0.0.1:49152/cb"); !strings.HasPrefix(got, "http://127.0.0.1:49152/cb?code=") {
			t.Errorf("sent to %s", got)
		}
	})
	w.run("RFC6749-10.10-a", func(t *testing.T) {
		if a, b := w.code(&w.C1), w.code(&w.C1); a == b || len(a) < 43 {
			t.Errorf("two codes: %s, %s", a, b)
		}
	})
	w.run("RFC7636-4.4-a", func(t *testing.T) {
		// Whoever cannot open the code cannot read the challenge out of it: the
		// same request with another challenge differs in every part.
		code := w.code(&w.C1)
		if strings.Contains(code, challenge) || strings.Contains(code, challenge[:8]) {
			t.Errorf("the code shows the challenge: %s", code)
		}
	})
}

func (w *world) authorizedURL(app *symbolon.App, changes ...string) string {
	w.Helper()
	c := w.authorized(app, changes...)
	return c.URL()
}

// B84, DESIGN 2: a request that is begun and left writes nothing.
func TestAuthorizeWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.store.Plan(func(verb string) storetest.Fault {
		switch verb {
		case "Apps", "Accounts", "Consent", "Changes":
			return storetest.NoFault
		}
		t.Errorf("an authorization request calls %s", verb)
		return storetest.NoFault
	})
	for _, who := range []Actor{{}, {Interactive: true}, {SignedIn: w.signedIn(w.U1)}, {Interactive: true, SignedIn: w.signedIn(w.U1)}, {Interactive: true, SignedIn: w.signedIn(w.U1), Chosen: w.U1.ID, Denied: true}} {
		for _, changes := range [][]string{nil, {"scope=bad"}, {"client_id=nope"}, {"prompt=none"}, {"prompt=consent"}, {"redirect_uri=https://evil.test"}} {
			w.Authorize(w.ctx, w.request(&w.C1, changes...), who) //nolint:errcheck // what it writes matters
		}
	}
}

// A client that hangs up in the moment of consent undoes nothing, and one that
// has hung up before costs nothing.
func TestAuthorizeAndHangUp(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(w.ctx)
	w.store.Plan(func(verb string) storetest.Fault {
		if verb == "Allow" {
			cancel()
		}
		return storetest.NoFault
	})
	who := Actor{Interactive: true, SignedIn: w.signedIn(w.U2), Chosen: w.U2.ID, Allowed: true}
	_, err := w.Authorize(ctx, w.request(&w.C1), who)
	w.ok(err)
	_, err = w.store.Consent(w.ctx, w.U2.ID, w.C1.ID)
	w.ok(err)
}

// What the code says is what was agreed on.
func TestCodeHoldsWhatWasAgreed(t *testing.T) {
	w := newWorld(t)
	who := w.allowing()
	answer, err := w.Authorize(w.ctx, w.request(&w.C1, "resource=https://r1.test"), who)
	w.ok(err)
	var code symbolon.Code
	plain, err := w.ring.Open(seal.Code, answer.Callback.Code, w.clock.Now())
	w.ok(err)
	w.ok(code.UnmarshalBinary(plain))
	now := w.clock.Now()
	if code.Client != w.C1.ID || code.Account != w.U1.ID || code.Name != "Jane Doe" || code.Scope.String() != "connect read" ||
		!slices.Equal(code.Resource, []string{"https://r1.test"}) || !code.IssuedAt.Equal(now) || !code.ExpiresAt.Equal(now.Add(time.Minute)) ||
		!code.AuthAt.Equal(who.SignedIn[0].Session.AuthAt) || !code.HasChallenge || code.Sandbox || !code.Connection.Time().Equal(now) {
		t.Errorf("%+v", code)
	}
}
