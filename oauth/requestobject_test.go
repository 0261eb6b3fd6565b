package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
)

// objectOf are the claims of a good request object.
func (w *world) objectOf(app *symbolon.App) claimsOf {
	now := w.clock.Now().Unix()
	return claimsOf{
		"iss": app.ClientID(), "aud": w.cfg.Issuer, "exp": now + 300, "nbf": now, "client_id": app.ClientID(),
		"redirect_uri": app.RedirectURIs[0], "response_type": "code", "scope": "connect read", "state": "inside",
		"code_challenge": challenge, "code_challenge_method": "S256",
	}
}

func (w *world) byObject(app *symbolon.App, text string, more ...string) *AuthorizeRequest {
	w.Helper()
	return w.reference(append([]string{"client_id=" + string(app.ID), "request=" + text}, more...)...)
}

func TestRequestObject(t *testing.T) {
	w := newWorld(t)
	J1, key := w.newJ1(func(a *symbolon.App) { a.Settings.Resources = []string{"https://r1.test", "https://r2.test"} })
	const uri = "https://j1.test/cb"
	strange := newPair(t, "k1", jose.ES256)
	now := w.clock.Now().Unix()
	typ := func(s string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"typ": s} }
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	with := func(changes claimsOf) string { return key.sign(t, nil, w.objectOf(&J1).with(changes)) }
	for _, c := range []struct {
		name string
		text string
		want Refusal
	}{
		{"RFC9101-6.2-a", with(nil), 0},
		{"RFC9101-6.2-a its typ", key.sign(t, typ("oauth-authz-req+jwt"), w.objectOf(&J1)), 0},
		{"RFC9101-6.2-a typ JWT", key.sign(t, typ("JWT"), w.objectOf(&J1)), 0},
		{"RFC9101-6.2-a forged", strange.sign(t, nil, w.objectOf(&J1)), InvalidRequestObject},
		{"RFC9101-6.2-a changed", strings.Replace(with(nil), ".", ".e", 1), InvalidRequestObject},
		{"RFC9101-6.2-a none", part(`{"alg":"none"}`) + "." + part(`{"client_id":"sym_app_j1"}`) + ".", RequestNotSupported},
		{"RFC9101-6.2-a none, and a signature", part(`{"alg":"none"}`) + "." + part(`{"client_id":"sym_app_j1"}`) + ".AA", RequestNotSupported},
		{"RFC9101-6.2-a None", part(`{"alg":"None"}`) + "." + part(`{"client_id":"sym_app_j1"}`) + ".", InvalidRequestObject},
		{"RFC9101-6.2-a garbage", "x", InvalidRequestObject},
		{"B56 HS256", keyPair{alg: jose.HS256, private: []byte(J1.Settings.Keys)}.sign(t, nil, w.objectOf(&J1)), InvalidRequestObject},
		{"B57 jwk", strange.sign(t, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: strange.public}}, w.objectOf(&J1)), InvalidRequestObject},
		{"B58 an assertion", key.sign(t, typ("client-authentication+jwt"), w.objectOf(&J1)), InvalidRequestObject},
		{"B58 by its claims", with(claimsOf{"sub": "sym_app_j1"}), InvalidRequestObject},
		{"RFC9101-5-a no client_id", with(claimsOf{"client_id": nil}), InvalidRequestObject},
		{"RFC9101-5-a another client_id", with(claimsOf{"client_id": "sym_app_c1"}), InvalidRequestObject},
		{"RFC9101-5-a another iss", with(claimsOf{"iss": "sym_app_c1"}), InvalidRequestObject},
		{"RFC9101-4-a bad aud", with(claimsOf{"aud": "https://evil.test"}), InvalidRequestObject},
		{"RFC9101-4-a no aud", with(claimsOf{"aud": nil}), InvalidRequestObject},
		{"RFC9101-4-a aud is a list", with(claimsOf{"aud": []string{"https://other.test", "https://as.test"}}), 0},
		{"RFC9101-4-a aud is a list of others", with(claimsOf{"aud": []string{"https://other.test"}}), InvalidRequestObject},
		{"RFC9101-4-a expired", with(claimsOf{"exp": now - 61, "nbf": now - 300}), InvalidRequestObject},
		{"RFC9101-4-a no exp", with(claimsOf{"exp": nil}), InvalidRequestObject},
		{"RFC9101-4-a exp over 60 minutes", with(claimsOf{"exp": now + 3700, "nbf": nil}), InvalidRequestObject},
		{"RFC9101-4-a exp over 60 minutes from nbf", with(claimsOf{"exp": now + 3000, "nbf": now - 1000}), InvalidRequestObject},
		{"RFC9101-4-a nbf over 60 minutes ago", with(claimsOf{"exp": now - 50, "nbf": now - 3640}), InvalidRequestObject},
		{"RFC9101-4-a nbf 8 s ahead", with(claimsOf{"nbf": now + 8}), 0},
		{"RFC9101-4-a nbf 60 s ahead", with(claimsOf{"nbf": now + 60}), InvalidRequestObject},
		{"RFC9126-2.1-b request_uri inside", with(claimsOf{"request_uri": "urn:x"}), InvalidRequest},
		{"RFC9126-2.1-b request inside", with(claimsOf{"request": "x"}), InvalidRequest},
		{"RFC9101-4-a a list of resources", with(claimsOf{"resource": []string{"https://r1.test", "https://r2.test"}}), 0},
		{"B69 a claim twice", key.sign(t, nil, []byte(`{"client_id":"sym_app_c1","client_id":"sym_app_j1"}`)), InvalidRequestObject},
		{"B59 deep", key.sign(t, nil, []byte(`{"client_id":`+strings.Repeat("[", 4000)+strings.Repeat("]", 4000)+`}`)), InvalidRequestObject},
	} {
		w.run(c.name, func(t *testing.T) {
			answer, err := w.Authorize(w.ctx, w.byObject(&J1, c.text), w.allowing())
			if c.want == 0 {
				w.ok(err)
				if answer.Callback.State != "inside" || answer.Callback.RedirectURI != uri {
					t.Errorf("%+v", answer.Callback)
				}
				return
			}
			w.page(err, c.want)
			// The app is told where it is safe: at an address of its own.
			_, err = w.Authorize(w.ctx, w.byObject(&J1, c.text, "redirect_uri="+uri, "state=outside"), w.allowing())
			w.redirected(err, c.want, uri, "outside")
			_, err = w.Authorize(w.ctx, w.byObject(&J1, c.text, "redirect_uri=https://evil.test/"), w.allowing())
			w.page(err, c.want)
		})
	}
	w.run("RFC9101-6.3-a", func(t *testing.T) {
		// State outside does not count, nor does anything else.
		answer, err := w.Authorize(w.ctx, w.byObject(&J1, with(claimsOf{"state": nil, "scope": "connect"}), "state=outside", "scope=connect read", "redirect_uri=https://evil.test/", "prompt=none"), w.allowing())
		w.ok(err)
		if answer.Callback.State != "" || answer.Scope.String() != "connect" {
			t.Errorf("%+v %s", answer.Callback, answer.Scope)
		}
		answer, err = w.Authorize(w.ctx, w.byObject(&J1, with(nil), "state=outside", "code_challenge=x"), w.allowing())
		w.ok(err)
		if answer.Callback.State != "inside" {
			t.Errorf("%+v", answer.Callback)
		}
		_, err = w.Authorize(w.ctx, w.byObject(&J1, with(claimsOf{"redirect_uri": nil}), "redirect_uri="+uri), w.allowing())
		w.page(err, InvalidRequest)
		_, err = w.Authorize(w.ctx, w.byObject(&J1, with(claimsOf{"response_type": "token"})), w.allowing())
		w.redirected(err, UnsupportedResponseType, uri, "inside")
	})
	w.run("RFC9101-5-a another app beside it", func(t *testing.T) {
		_, err := w.Authorize(w.ctx, w.byObject(&w.C1, with(nil)), w.allowing())
		w.page(err, InvalidRequestObject)
		_, err = w.Authorize(w.ctx, w.reference("request="+with(nil)), w.allowing())
		w.page(err, InvalidRequest)
		_, err = w.Authorize(w.ctx, w.byObject(&J1, with(nil), "request_uri=urn:x"), w.allowing())
		w.page(err, InvalidRequest)
	})
	w.run("the pages may take their time", func(t *testing.T) {
		req := w.byObject(&J1, with(claimsOf{"exp": w.clock.Now().Unix() + 5}))
		begun := w.clock.Now()
		w.clock.pass(20 * time.Minute)
		w.ok(w.feed.Poll(w.ctx))
		who := w.allowing()
		who.Begun = begun
		again := *req
		_, err := w.Authorize(w.ctx, req, who)
		w.ok(err)
		if req.Query() != again.Query() {
			t.Errorf("carried as %s", req.Query())
		}
		who.Begun = time.Time{}
		_, err = w.Authorize(w.ctx, &again, who)
		w.page(err, InvalidRequestObject)
	})
}

// RFC9101-10.5-a: who must sign cannot do otherwise, pushed or not.
func TestRequireSigned(t *testing.T) {
	w := newWorld(t)
	J1, key := w.newJ1(func(a *symbolon.App) { a.Settings.RequireSigned = true })
	_, err := w.Authorize(w.ctx, w.request(&J1), w.allowing())
	w.redirected(err, InvalidRequest, J1.RedirectURIs[0], "xyz")
	_, err = w.Authorize(w.ctx, w.byObject(&J1, key.sign(t, nil, w.objectOf(&J1))), w.allowing())
	w.ok(err)
	proves := func() []string {
		return []string{"client_assertion=" + key.sign(t, nil, w.assertionOf(&J1)), "client_assertion_type=" + AssertionType}
	}
	_, err = w.Push(w.ctx, w.pushRequest(&J1, proves()...))
	w.refused(err, InvalidRequest)
	answer, err := w.Push(w.ctx, w.pushRequest(&J1, append(proves(), "request="+key.sign(t, nil, w.objectOf(&J1)), "state=outside")...))
	w.ok(err)
	code, err := w.Authorize(w.ctx, w.byURI(&J1, answer.RequestURI), w.allowing())
	w.ok(err)
	if code.Callback.State != "inside" {
		t.Errorf("%+v", code.Callback)
	}
	for _, bad := range []claimsOf{{"aud": "x"}, {"exp": nil}, {"client_id": "sym_app_c1"}} {
		_, err = w.Push(w.ctx, w.pushRequest(&J1, append(proves(), "request="+key.sign(t, nil, w.objectOf(&J1).with(bad)))...))
		w.refused(err, InvalidRequestObject)
	}
	// RFC7523BIS-typ: neither is the other.
	object := key.sign(t, nil, w.objectOf(&J1).with(claimsOf{"sub": "sym_app_j1", "jti": "x"}))
	_, err = w.Push(w.ctx, w.pushRequest(&J1, "client_assertion="+object, "client_assertion_type="+AssertionType))
	w.refused(err, InvalidClient)
	_, err = w.Authorize(w.ctx, w.byObject(&J1, key.sign(t, nil, w.assertionOf(&J1))), w.allowing())
	w.page(err, InvalidRequestObject)
}

func FuzzRequestObject(f *testing.F) {
	w := newWorld(f)
	J1, key := w.newJ1()
	f.Add(`{"client_id":"sym_app_j1","redirect_uri":"https://j1.test/cb"}`, true)
	f.Add(key.sign(f, nil, w.objectOf(&J1)), false)
	good, err := json.Marshal(w.objectOf(&J1))
	w.ok(err)
	f.Add(string(good), true)
	f.Fuzz(func(t *testing.T, text string, sign bool) {
		if sign {
			text = key.sign(t, nil, []byte(text))
		}
		req := AuthorizeRequest{ClientID: "sym_app_j1", Object: text}
		_, err := w.Authorize(w.ctx, &req, Actor{Interactive: true})
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Refusal == ServerError) {
			t.Fatalf("%v", err)
		}
		if e != nil && e.Redirect != "" && e.Redirect != "https://j1.test/cb" {
			t.Fatalf("sent to %s", e.Redirect)
		}
	})
}
