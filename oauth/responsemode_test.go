package oauth

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// answered is what a callback brings to the app, however it comes there.
func (w *world) answered(c *Callback) map[string]string {
	w.Helper()
	got := map[string]string{}
	if c.Mode.Posted() {
		for _, f := range c.Fields() {
			got[f.Name] = f.Value
		}
	} else {
		u, err := url.Parse(c.URL())
		w.ok(err)
		text := u.RawQuery
		if c.Mode.inFragment() {
			if text != "" {
				w.Fatalf("%s has a query", c.URL())
			}
			text = u.EscapedFragment()
		}
		q, err := url.ParseQuery(text)
		w.ok(err)
		for name, values := range q {
			got[name] = strings.Join(values, "|")
		}
	}
	if !c.Mode.Signed() {
		return got
	}
	if len(got) != 1 || got["response"] == "" {
		w.Fatalf("%v", got)
	}
	header, claims := w.claims(got["response"])
	if header["alg"] != c.App.Settings.ResponseAlgorithm() || header["typ"] != typResponse || header["kid"] == nil {
		w.Errorf("header %v", header)
	}
	w.ok(w.cfg.Signing.Open(typResponse, got["response"], new(map[string]json.RawMessage), w.clock.Now()))
	if claims["aud"] != c.App.ClientID() || claims["exp"] != float64(w.clock.Now().Add(5*time.Minute).Unix()) {
		w.Errorf("claims %v", claims)
	}
	delete(claims, "aud")
	delete(claims, "exp")
	clear(got)
	for name, value := range claims {
		got[name], _ = value.(string)
	}
	return got
}

// OAUTH-FP-2, FAPI2-MSG-a: the answer comes back as it was asked for, and so does an error.
func TestResponseModes(t *testing.T) {
	w := newWorld(t)
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.ResponseSigning = "ES256" })
	w.C1 = w.app(w.C1.ID)
	for _, m := range append([]ResponseMode{""}, ResponseModes...) {
		w.run("OAUTH-FP-2 "+string(m), func(t *testing.T) {
			mode := "response_mode=" + string(m)
			c := w.authorized(&w.C1, mode)
			if c.Mode != m && m != "" {
				t.Errorf("mode %q", c.Mode)
			}
			got := w.answered(&c)
			if got["state"] != "xyz" || got["iss"] != w.cfg.Issuer || len(got) != 3 {
				t.Errorf("%v", got)
			}
			_, err := w.redeem(&w.C1, got["code"])
			w.ok(err)

			_, err = w.Authorize(w.ctx, w.request(&w.C1, mode, "scope=nothing"), w.allowing())
			failed := w.Callback(w.refused(err, InvalidScope))
			got = w.answered(failed)
			if got["error"] != "invalid_scope" || got["state"] != "xyz" || got["iss"] != w.cfg.Issuer || got["error_description"] == "" || len(got) != 4 {
				t.Errorf("an error: %v", got)
			}
		})
	}
	// What is wrong with the mode itself comes back by the query.
	for name, pairs := range map[string][]string{
		"unknown":                  {"response_mode=web_message"},
		"in capitals":              {"response_mode=Query"},
		"two in one":               {"response_mode=query form_post"},
		"repeated":                 {"+response_mode=form_post", "+response_mode=form_post"},
		"with a control character": {"response_mode=form_post\x00"},
	} {
		w.run(name, func(t *testing.T) {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, pairs...), w.allowing())
			w.redirected(err, InvalidRequest, uriC1, "xyz")
		})
	}
	w.run("a form is posted to no program", func(t *testing.T) {
		for _, m := range []ResponseMode{ModeFormPost, ModeFormPostJWT} {
			_, err := w.Authorize(w.ctx, w.request(&w.P1, "redirect_uri=com.example.app:/cb", "response_mode="+string(m)), w.allowing())
			w.redirected(err, InvalidRequest, "com.example.app:/cb", "xyz")
		}
		c := w.authorized(&w.P1, "redirect_uri=com.example.app:/cb", "response_mode=fragment")
		if !strings.HasPrefix(c.URL(), "com.example.app:/cb#code=") {
			t.Errorf("%s", c.URL())
		}
	})
	w.run("the query of a registered address stays in its query", func(t *testing.T) {
		c := Callback{RedirectURI: uriC1 + "?a=1", Mode: ModeFragment, Code: "c", Issuer: "i"}
		if c.URL() != uriC1+"?a=1#code=c&iss=i" {
			t.Errorf("%s", c.URL())
		}
	})
	w.run("nothing is told while the app is unproven", func(t *testing.T) {
		for _, m := range ResponseModes {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "redirect_uri=https://evil.test/cb", "response_mode="+string(m)), w.allowing())
			w.page(err, InvalidRequest)
		}
	})
	w.run("it is carried through the pages", func(t *testing.T) {
		req := w.request(&w.C1, "response_mode=form_post.jwt")
		params, err := ParseForm(req.Query())
		w.ok(err)
		if again := ReadAuthorize(&params); again.ResponseMode != "form_post.jwt" {
			t.Errorf("%q", again.ResponseMode)
		}
	})
}

// An app may insist on signed answers, and no parameter undoes that.
func TestSignedAnswersOnly(t *testing.T) {
	w := newWorld(t)
	w.edit(w.C1.ID, func(a *symbolon.App) {
		a.Settings.ResponseSigning, a.Settings.RequireSignedResponse = "ES256", true
	})
	w.C1 = w.app(w.C1.ID)
	for _, m := range append([]ResponseMode{"", "x"}, ResponseModes...) {
		a, err := w.Authorize(w.ctx, w.request(&w.C1, "response_mode="+string(m)), w.allowing())
		if m.Signed() {
			w.ok(err)
			if names := slices.Sorted(maps.Keys(w.answered(&a.Callback))); !slices.Equal(names, []string{"code", "iss", "state"}) {
				t.Errorf("%s: %v", m, names)
			}
			continue
		}
		w.refused(err, InvalidRequest)
	}
}

// Without a key nothing is signed, which is told before the person has done anything
// and never by a code that comes unsigned.
func TestNoKeyForAnAnswer(t *testing.T) {
	w := newWorld(t)
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.ResponseSigning = "EdDSA" })
	w.C1 = w.app(w.C1.ID)
	if !slices.Contains(w.cfg.Signing.Algorithms(w.clock.Now()), "ES256") || slices.Contains(w.cfg.Signing.Algorithms(w.clock.Now()), "EdDSA") {
		t.Fatal("the world has other keys")
	}
	for _, who := range []Actor{w.allowing(), {Interactive: true}} {
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "response_mode=jwt"), who)
		w.redirected(err, ServerError, uriC1, "xyz")
	}
}
