package oauth

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// pushRequest is a pushed A(changes) of an app.
func (w *world) pushRequest(app *symbolon.App, changes ...string) *PushRequest {
	w.Helper()
	pairs := []string{
		"client_id=" + string(app.ID), "redirect_uri=" + app.RedirectURIs[0], "response_type=code", "scope=connect read",
		"state=xyz", "code_challenge=" + challenge, "code_challenge_method=S256",
	}
	if secret := w.secrets[app.ID]; secret != "" {
		pairs = append(pairs, "client_secret="+secret)
	}
	p, err := ParseForm(form(pairs, changes))
	w.ok(err)
	req := ReadPush(&p, Credentials{})
	return &req
}

// pushed is the request_uri of a pushed A(changes).
func (w *world) pushed(app *symbolon.App, changes ...string) string {
	w.Helper()
	answer, err := w.Push(w.ctx, w.pushRequest(app, changes...))
	w.ok(err)
	return answer.RequestURI
}

// reference is an authorization request that names one that was pushed, or is a
// request object.
func (w *world) reference(pairs ...string) *AuthorizeRequest {
	w.Helper()
	p, err := ParseForm(form(pairs, nil))
	w.ok(err)
	req := ReadAuthorize(&p)
	return &req
}

func (w *world) byURI(app *symbolon.App, uri string, more ...string) *AuthorizeRequest {
	w.Helper()
	return w.reference(append([]string{"client_id=" + string(app.ID), "request_uri=" + uri}, more...)...)
}

func TestPush(t *testing.T) {
	w := newWorld(t)
	w.run("RFC9126-2.2-a", func(t *testing.T) {
		answer, err := w.Push(w.ctx, w.pushRequest(&w.C1))
		w.ok(err)
		if answer.ExpiresIn != 90 || !strings.HasPrefix(answer.RequestURI, "urn:ietf:params:oauth:request_uri:sym_pr_") || answer.Client != w.C1.ID {
			t.Errorf("%+v", answer)
		}
		if again := w.pushed(&w.C1); again == answer.RequestURI {
			t.Error("the same request has the same request_uri")
		}
		w.cfg.PushedLifetime = time.Hour
		w.start()
		if answer, err = w.Push(w.ctx, w.pushRequest(&w.C1)); err != nil || answer.ExpiresIn >= 600 {
			t.Errorf("%+v %v", answer, err)
		}
		w.cfg.PushedLifetime = 0
		w.start()
	})
	for _, c := range []struct {
		name    string
		app     *symbolon.App
		changes []string
		want    Refusal
	}{
		{"RFC9126-2.1-a without client_id beside Basic", &w.C1, nil, 0},
		{"RFC9126-2.1-a no secret", &w.C1, []string{"-client_secret"}, InvalidClient},
		{"RFC9126-2.1-a wrong secret", &w.C1, []string{"client_secret=x"}, InvalidClient},
		{"RFC9126-2.1-a secret twice", &w.C1, []string{"+client_secret=x"}, InvalidRequest},
		{"RFC9126-2.1-a unknown app", &w.C1, []string{"client_id=sym_app_xx"}, UnknownClient},
		{"RFC9126-2.1-a public", &w.P1, nil, 0},
		{"RFC9126-2.1-b", &w.C1, []string{"request_uri=urn:ietf:params:oauth:request_uri:x"}, InvalidRequest},
		{"RFC9126-2.1-b twice", &w.C1, []string{"+request_uri=x", "+request_uri=y"}, InvalidRequest},
		{"RFC9126-2.1-c scope", &w.C1, []string{"scope=other"}, InvalidScope},
		{"RFC9126-2.1-c default scope", &w.C1, []string{"-scope"}, 0},
		{"RFC9126-2.1-c redirect URI", &w.C1, []string{"redirect_uri=https://evil.test/"}, InvalidRequest},
		{"RFC9126-2.1-c the one redirect URI", &w.C1, []string{"-redirect_uri"}, 0},
		{"RFC9126-2.1-c which redirect URI", &w.C2, []string{"-redirect_uri"}, InvalidRequest},
		{"RFC9126-2.1-c response type", &w.C1, []string{"response_type=token"}, UnsupportedResponseType},
		{"RFC9126-2.1-c no PKCE", &w.P1, []string{"-code_challenge", "-code_challenge_method"}, InvalidRequest},
		{"RFC9126-2.1-c plain PKCE", &w.C1, []string{"code_challenge_method=plain"}, InvalidRequest},
		{"RFC9126-2.1-c state twice", &w.C1, []string{"+state=abc"}, InvalidRequest},
		{"RFC9126-2.1-c resource", &w.C1, []string{"resource=x"}, InvalidTarget},
		{"RFC9126-2.1-c dpop_jkt", &w.C1, []string{"dpop_jkt=x"}, InvalidRequest},
		{"RFC9126-2.3-a", &w.C1, []string{"state=" + strings.Repeat("x", 3900)}, InvalidRequest},
		{"RFC9126-2.4-a", &w.C1, []string{"redirect_uri=https://c1.test/new"}, InvalidRequest},
	} {
		w.run(c.name, func(t *testing.T) {
			_, err := w.Push(w.ctx, w.pushRequest(c.app, c.changes...))
			if c.want == 0 {
				w.ok(err)
				return
			}
			if e := w.refused(err, c.want); e.Redirect != "" || e.Mismatch != nil {
				t.Errorf("it is sent to the app: %+v", e)
			}
		})
	}
	w.run("another app's client_id", func(t *testing.T) {
		req := w.pushRequest(&w.C1, "client_id="+string(w.C2.ID), "-client_secret")
		req.Credentials.ParseBasic(basic(string(w.C1.ID), w.secrets[w.C1.ID]))
		_, err := w.Push(w.ctx, req)
		w.refused(err, InvalidRequest)
	})
	w.run("an app without the grant", func(t *testing.T) {
		w.edit(w.C2.ID, func(a *symbolon.App) { a.Settings.Grants = []symbolon.GrantType{symbolon.GrantClient} })
		_, err := w.Push(w.ctx, w.pushRequest(&w.C2))
		w.refused(err, UnauthorizedClient)
	})
}

// RFC9126-4-a, RFC9126-4-b, RFC9126-4-c, RFC9126-2.2-b: from the request_uri to the code.
func TestPushedRequest(t *testing.T) {
	w := newWorld(t)
	redeem := func(code string) {
		t.Helper()
		_, err := w.redeem(&w.C1, code)
		w.ok(err)
	}
	w.run("RFC9126-4-a", func(t *testing.T) {
		req := w.byURI(&w.C1, w.pushed(&w.C1), "state=other", "scope=evil", "redirect_uri=https://evil.test/", "response_type=token", "state=twice", "prompt=none")
		answer, err := w.Authorize(w.ctx, req, w.allowing())
		w.ok(err)
		if answer.Callback.State != "xyz" || answer.Callback.RedirectURI != uriC1 || answer.Scope.String() != "connect read" {
			t.Errorf("%+v", answer.Callback)
		}
		redeem(answer.Callback.Code)
	})
	w.run("RFC9126-4-b", func(t *testing.T) {
		uri := w.pushed(&w.C1)
		page := Actor{Interactive: true}
		for range 3 { // the sign-in page, loaded again and again
			answer, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), page)
			w.ok(err)
			if answer.Need != NeedSignIn {
				t.Fatalf("need %d", answer.Need)
			}
		}
		// The pages carry what was pushed by its name, and may take their time.
		carried := w.byURI(&w.C1, uri)
		_, err := w.Authorize(w.ctx, carried, page)
		w.ok(err)
		if q, _ := url.ParseQuery(carried.Query()); q.Get("request_uri") != uri || q.Get("client_id") != string(w.C1.ID) || len(q) != 2 {
			t.Fatalf("carried as %s", carried.Query())
		}
		begun := w.clock.Now()
		w.clock.pass(20 * time.Minute)
		w.ok(w.feed.Poll(w.ctx))
		who := w.allowing()
		who.Begun = begun
		answer, err := w.Authorize(w.ctx, carried, who)
		w.ok(err)
		redeem(answer.Callback.Code)
		// After that it is used, for the pages and for whoever comes with it.
		_, err = w.Authorize(w.ctx, w.byURI(&w.C1, uri), who)
		w.redirected(err, InvalidRequestURI, uriC1, "xyz")
	})
	w.run("RFC9126-4-b at once", func(t *testing.T) {
		uri := w.pushed(&w.C1)
		answer, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), w.allowing())
		w.ok(err)
		redeem(answer.Callback.Code)
		_, err = w.Authorize(w.ctx, w.byURI(&w.C1, uri), Actor{Interactive: true})
		w.page(err, InvalidRequestURI)
		w.start()
		_, err = w.Authorize(w.ctx, w.byURI(&w.C1, uri), w.allowing())
		w.page(err, InvalidRequestURI)
	})
	w.run("RFC9126-4-c", func(t *testing.T) {
		uri := w.pushed(&w.C1)
		begun := w.clock.Now()
		w.clock.pass(90 * time.Second)
		w.ok(w.feed.Poll(w.ctx))
		_, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), w.allowing())
		w.page(err, InvalidRequestURI)
		// Not for ever, whenever it was begun.
		w.clock.pass(maxFlow)
		w.ok(w.feed.Poll(w.ctx))
		who := w.allowing()
		who.Begun = begun
		_, err = w.Authorize(w.ctx, w.byURI(&w.C1, uri), who)
		w.page(err, InvalidRequestURI)
	})
	w.run("RFC9126-2.2-b", func(t *testing.T) {
		uri := w.pushed(&w.C1)
		_, err := w.Authorize(w.ctx, w.byURI(&w.C2, uri), w.allowing())
		w.page(err, InvalidRequestURI)
		for _, bad := range []string{"x", "urn:ietf:params:oauth:request_uri:", "urn:ietf:params:oauth:request_uri:x", uri[:len(uri)-1], uri + "x", "urn:ietf:params:oauth:request_uri:" + w.code(&w.C1)} {
			_, err := w.Authorize(w.ctx, w.byURI(&w.C1, bad), w.allowing())
			w.page(err, InvalidRequestURI)
		}
		_, err = w.Authorize(w.ctx, w.reference("request_uri="+uri), w.allowing())
		w.page(err, InvalidRequest)
		_, err = w.Authorize(w.ctx, w.byURI(&w.C1, uri, "request_uri=x"), w.allowing())
		if err != nil {
			w.page(err, InvalidRequest)
		}
	})
	w.run("RFC9101-10.4-a", func(t *testing.T) {
		// There is nothing that could fetch it: a fetch would fail the test.
		w.cfg.Fetch = nil
		for _, uri := range []string{"http://169.254.169.254/", "https://c1.test/request.jwt"} {
			_, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), w.allowing())
			w.page(err, RequestURINotSupported)
		}
	})
	w.run("who says no may come back", func(t *testing.T) {
		uri := w.pushed(&w.C1)
		_, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), Actor{Interactive: true, Denied: true})
		w.redirected(err, AccessDenied, uriC1, "xyz")
		answer, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), w.allowing())
		w.ok(err)
		redeem(answer.Callback.Code)
	})
	w.run("the redirect URI went without saying", func(t *testing.T) {
		answer, err := w.Authorize(w.ctx, w.byURI(&w.C1, w.pushed(&w.C1, "-redirect_uri", "-code_challenge", "-code_challenge_method")), w.allowing())
		w.ok(err)
		req := w.tokenRequest(&w.C1, []string{"grant_type=authorization_code", "code=" + answer.Callback.Code}, nil)
		req.Standard = true
		_, err = w.Token(w.ctx, req)
		w.ok(err)
	})
	w.run("a store that is away has used nothing up", func(t *testing.T) {
		uri := w.pushed(&w.C1)
		who := w.allowing()
		who.Begun = w.clock.Now()
		w.store.FailNext("Once", storetest.Lost)
		_, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), who)
		w.refused(err, Unavailable)
		_, err = w.Authorize(w.ctx, w.byURI(&w.C1, uri), who)
		w.ok(err)
	})
	w.run("an app that was edited meanwhile", func(t *testing.T) {
		uri := w.pushed(&w.C1)
		w.edit(w.C1.ID, func(a *symbolon.App) { a.RedirectURIs = []string{"https://c1.test/elsewhere"} })
		_, err := w.Authorize(w.ctx, w.byURI(&w.C1, uri), w.allowing())
		w.page(err, InvalidRequest)
	})
}

// RFC9126-5-a: who must push cannot do otherwise.
func TestRequirePAR(t *testing.T) {
	w := newWorld(t)
	check := func() {
		t.Helper()
		_, err := w.Authorize(w.ctx, w.request(&w.C1), w.allowing())
		w.redirected(err, InvalidRequest, uriC1, "xyz")
		_, err = w.Authorize(w.ctx, w.byURI(&w.C1, w.pushed(&w.C1)), w.allowing())
		w.ok(err)
	}
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.RequirePAR = true })
	check()
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.RequirePAR = false })
	w.authorized(&w.C1)
	w.cfg.RequirePAR = true
	w.start()
	check()
}

// RFC9449-10-a, RFC9449-10.1-a: a code that is bound to a key before it is made.
func TestCodeBoundToKey(t *testing.T) {
	w := newWorld(t)
	key, other := newPair(t, "k", jose.ES256), newPair(t, "k", jose.ES256)
	jkt := func(k keyPair) string {
		b, err := w.checkProof(w.ctx, "", &Proof{Method: "POST", URL: tokenURL, DPoP: []string{k.proves(t, w.proofOf("POST", tokenURL))}}, "", w.clock.Now())
		w.ok(err)
		return confirm(b).JKT
	}
	only := func(code string) {
		t.Helper()
		_, err := w.proven(other, w.codeRequest(&w.C1, code))
		w.refused(err, InvalidGrant)
		_, err = w.redeem(&w.C1, code)
		w.refused(err, InvalidGrant)
		_, err = w.proven(key, w.codeRequest(&w.C1, code)) // B4: nothing was spent
		w.ok(err)
	}
	w.run("RFC9449-10-a", func(t *testing.T) { only(w.code(&w.C1, "dpop_jkt="+jkt(key))) })
	w.run("RFC9449-10-a malformed", func(t *testing.T) {
		for _, bad := range []string{"x", jkt(key) + "A", jkt(key)[:42] + "="} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "dpop_jkt="+bad), w.allowing())
			w.redirected(err, InvalidRequest, uriC1, "xyz")
		}
	})
	const parURL = "https://as.test/oauth2/par"
	push := func(k keyPair, changes ...string) (*Pushed, error) {
		req := w.pushRequest(&w.C1, changes...)
		req.Proof = Proof{Method: "POST", URL: parURL, DPoP: []string{k.proves(t, w.proofOf("POST", parURL))}}
		return w.Push(w.ctx, req)
	}
	w.run("RFC9449-10.1-a", func(t *testing.T) {
		for _, changes := range [][]string{nil, {"dpop_jkt=" + jkt(key)}} {
			answer, err := push(key, changes...)
			w.ok(err)
			code, err := w.Authorize(w.ctx, w.byURI(&w.C1, answer.RequestURI), w.allowing())
			w.ok(err)
			only(code.Callback.Code)
		}
		_, err := push(key, "dpop_jkt="+jkt(other))
		w.refused(err, InvalidDPoPProof)
		req := w.pushRequest(&w.C1)
		req.Proof = Proof{Method: "POST", URL: parURL, DPoP: []string{key.proves(t, w.proofOf("POST", tokenURL))}}
		_, err = w.Push(w.ctx, req)
		w.refused(err, InvalidDPoPProof)
	})
}
