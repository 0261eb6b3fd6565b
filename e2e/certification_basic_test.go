//go:build linux

package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// signsInAgain is a module that wants a second sign-in, later than the first.
func signsInAgain(wait time.Duration, pairs ...string) func(*testing.T, *relying) {
	return func(t *testing.T, r *relying) {
		p := r.c.known()
		first := r.visit(t, p).tokens(t)
		time.Sleep(wait)
		v := r.visit(t, p, pairs...)
		if !slices.Contains(v.shown, "/sign-in") {
			t.Errorf("shown %v: the person need not sign in again", v.shown)
		}
		second := v.tokens(t)
		if at := second.whole("auth_time"); at <= first.whole("auth_time") || time.Now().Unix()-at > 60 {
			t.Errorf("auth_time %d after %d", at, first.whole("auth_time"))
		}
		second.userinfo(t, v)
	}
}

// asksNoMore is a module that wants the second visit to be of the same sign-in. With
// silent, no page may be shown.
func asksNoMore(silent bool, more func(first *answer) []string) func(*testing.T, *relying) {
	return func(t *testing.T, r *relying) {
		p := r.c.browser(t)
		first := r.visit(t, p).tokens(t)
		v := r.visit(t, p, more(first)...)
		if slices.Contains(v.shown, "/sign-in") || silent && len(v.shown) > 0 {
			t.Errorf("shown %v", v.shown)
		}
		second := v.tokens(t)
		if second.whole("auth_time") != first.whole("auth_time") || second.id["sub"] != first.id["sub"] {
			t.Errorf("%v after %v", second.id, first.id)
		}
	}
}

// happyWith is a module whose request has something more, and goes well all the same.
func happyWith(pairs ...string) func(*testing.T, *relying) {
	return func(t *testing.T, r *relying) { r.happy(t, r.c.known(), pairs...) }
}

// reused sends a code a second time (RFC 6749 §4.1.2): refused, and then the first access
// token is over.
func reused(wait func()) func(*testing.T, *relying) {
	return func(t *testing.T, r *relying) {
		v := r.visit(t, r.c.known())
		a := v.tokens(t)
		a.userinfo(t, v)
		wait()
		again := r.redeem(t, v.grant(t))
		if again.Status != http.StatusBadRequest || again.text("error") != "invalid_grant" {
			t.Errorf("the code, again: %d %s", again.Status, again.Body)
		}
		isJSON(t, again)
		if r := r.c.ask(t, request(t, "GET", r.c.at("userinfo_endpoint"), nil, bearer(a.text("access_token")))); r.Status != http.StatusUnauthorized {
			t.Errorf("the access token, after its code was used again: %d", r.Status)
		}
	}
}

// basicPlan is the plan Basic OP, for apps that the owner made; with
// response_mode=form_post it is the plan Form Post OP.
var basicPlan = []module{
	{"OIDCCServerTest", func(t *testing.T, r *relying) {
		v, a := r.happy(t, r.c.browser(t))
		if !slices.Equal(v.shown, []string{"/sign-in"}) { // allowed before, in another browser
			t.Errorf("shown %v", v.shown)
		}
		if len(v.code(t)) < 22 || len(a.text("access_token")) < 22 {
			t.Error("128 random bits do not fit in there")
		}
	}},
	{"OIDCCResponseTypeMissing", func(t *testing.T, r *relying) {
		r.visit(t, r.c.known(), "response_type", "").refused(t, "invalid_request", "unsupported_response_type")
	}},
	{"OIDCCUserInfoGet", happyWith()},
	{"OIDCCUserInfoPostHeader", func(t *testing.T, r *relying) {
		v := r.visit(t, r.c.known())
		v.person(t, r.c.ask(t, request(t, "POST", r.c.at("userinfo_endpoint"), nil, bearer(v.tokens(t).text("access_token")))))
	}},
	{"OIDCCUserInfoPostBody", func(t *testing.T, r *relying) {
		v := r.visit(t, r.c.known())
		body := url.Values{"access_token": {v.tokens(t).text("access_token")}}
		v.person(t, r.c.ask(t, request(t, "POST", r.c.at("userinfo_endpoint"), strings.NewReader(body.Encode()), header("Content-Type", "application/x-www-form-urlencoded"))))
	}},
	{"OIDCCEnsureRequestWithoutNonceSucceedsForCodeFlow", happyWith("nonce", "")},
	{"OIDCCScopeProfile", happyWith("scope", "openid profile")},
	{"OIDCCScopeEmail", happyWith("scope", "openid email")},
	{"OIDCCScopeAddress", happyWith("scope", "openid address")},
	{"OIDCCScopePhone", happyWith("scope", "openid phone")},
	{"OIDCCScopeAll", happyWith("scope", "openid email phone address profile")},
	{"OIDCCAlternateHappyFlow", happyWith("scope", "email openid")},
	{"OIDCCDisplayPage", happyWith("display", "page")},
	{"OIDCCDisplayPopup", happyWith("display", "popup")},
	{"OIDCCPromptLogin", signsInAgain(1100*time.Millisecond, "prompt", "login")},
	{"OIDCCPromptNoneNotLoggedIn", func(t *testing.T, r *relying) {
		v := r.visit(t, r.c.browser(t), "prompt", "none", "state", strings.Repeat("aZ0~", 32))
		v.refused(t, "login_required", "interaction_required", "account_selection_required", "consent_required")
		if len(v.shown) > 0 {
			t.Errorf("shown %v", v.shown)
		}
	}},
	{"OIDCCPromptNoneLoggedIn", asksNoMore(true, func(*answer) []string { return []string{"prompt", "none"} })},
	{"OIDCCMaxAge1", signsInAgain(2100*time.Millisecond, "max_age", "1")},
	{"OIDCCMaxAge10000", asksNoMore(false, func(*answer) []string { return []string{"max_age", "10000"} })},
	{"OIDCCEnsureRequestWithUnknownParameterSucceeds", happyWith("extra", "foobar")},
	{"OIDCCIdTokenHint", asksNoMore(true, func(first *answer) []string {
		return []string{"prompt", "none", "id_token_hint", first.text("id_token")}
	})},
	{"OIDCCLoginHint", func(t *testing.T, r *relying) { r.happy(t, r.c.browser(t), "login_hint", "buffy@auth.test") }},
	{"OIDCCUiLocales", func(t *testing.T, r *relying) { r.happy(t, r.c.browser(t), "ui_locales", "se") }},
	{"OIDCCClaimsLocales", happyWith("claims_locales", "se")},
	{"OIDCCEnsureRequestWithAcrValuesSucceeds", func(t *testing.T, r *relying) {
		var all []string
		for _, value := range r.c.meta["acr_values_supported"].([]any) {
			all = append(all, value.(string))
		}
		r.happy(t, r.c.browser(t), "acr_values", strings.Join(all, " "))
	}},
	{"OIDCCAuthCodeReuse", reused(func() {})},
	{"OIDCCAuthCodeReuseAfter30Seconds", func(t *testing.T, r *relying) {
		wait := time.Second
		if long {
			wait = 30 * time.Second
		}
		reused(func() { time.Sleep(wait) })(t, r)
	}},
	{"OIDCCEnsureRegisteredRedirectUri", func(t *testing.T, r *relying) {
		bad := suiteRedirect + "/bad"
		v := r.visit(t, r.c.browser(t), "redirect_uri", bad)
		v.page(t, bad)
	}},
	{"OIDCCEnsurePostRequestSucceeds", func(t *testing.T, r *relying) {
		for _, p := range []*person{r.c.browser(t), r.c.known()} {
			asked := r.asking()
			v := r.walk(t, p, asked, func(endpoint string) *reply {
				return send(t, p.client, request(t, "POST", endpoint, strings.NewReader(asked.Encode()), asBrowser, header("Content-Type", "application/x-www-form-urlencoded"), header("Origin", "https://suite.test")))
			})
			v.tokens(t).userinfo(t, v)
		}
	}},
	{"OIDCCServerTestClientSecretPost", func(t *testing.T, r *relying) {
		post := *r.c.post
		post.mode = r.mode
		post.happy(t, r.c.known())
	}},
	{"OIDCCUnsignedRequestObjectSupportedCorrectlyOrRejectedAsUnsupported", noUnsignedObjects},
	{"OIDCCClaimsEssential", happyWith("claims", `{"userinfo":{"name":{"essential":true}}}`)},
	{"OIDCCEnsureRequestObjectWithRedirectUri", noUnsignedObjects},
	{"OIDCCRefreshToken", refreshes},
	{"OIDCCEnsureRequestWithValidPkceSucceeds", func(t *testing.T, r *relying) {
		verifier, challenge := pkce()
		v := r.visit(t, r.c.known(), "code_challenge", challenge, "code_challenge_method", "S256")
		v.check(t, r.redeem(t, with(v.grant(t), "code_verifier", verifier)), v.asked.Get("nonce")).userinfo(t, v)
	}},
}

// noUnsignedObjects holds the metadata to what makes the suite leave out what is about
// request objects without a signature; and one is refused.
func noUnsignedObjects(t *testing.T, r *relying) {
	list, _ := r.c.meta["request_object_signing_alg_values_supported"].([]any)
	if len(list) == 0 || slices.Contains(list, any("none")) {
		t.Errorf("algorithms of request objects: %v", list)
	}
	v := r.visit(t, r.c.known(), "request", "eyJhbGciOiJub25lIn0.e30.")
	v.refused(t, "invalid_request_object", "request_not_supported")
}

// refreshes is what the suite does with refresh tokens: two apps refresh, each its
// own, and neither the other's.
func refreshes(t *testing.T, r *relying) {
	if list, _ := r.c.meta["scopes_supported"].([]any); !slices.Contains(list, any("offline_access")) {
		t.Error("scopes_supported lacks offline_access")
	}
	two := *r.c.two
	two.mode = r.mode
	refreshesOf(t, r, &two)
}

func refreshesOf(t *testing.T, one, two *relying) {
	var last string
	for i, r := range []*relying{one, two} {
		v := r.visit(t, r.c.known(), "scope", "openid offline_access", "prompt", "consent")
		if !slices.Contains(v.shown, "/consent") {
			t.Errorf("shown %v", v.shown)
		}
		first := v.tokens(t)
		fields := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.text("refresh_token")}}
		if i == 0 {
			fields.Set("scope", first.text("scope")) // the scope that was granted
			if first.text("scope") == "" {
				t.Error("the answer names no scope")
			}
		}
		time.Sleep(1100 * time.Millisecond)
		second := v.check(t, r.redeem(t, fields), "")
		if second.whole("iat") <= first.whole("iat") || second.whole("auth_time") != first.whole("auth_time") || second.id["sid"] != first.id["sid"] ||
			second.text("access_token") == first.text("access_token") || len(second.text("refresh_token")) < 22 {
			t.Errorf("%v after %v", second.id, first.id)
		}
		second.userinfo(t, v)
		last = second.text("refresh_token")
	}
	stolen := one.redeem(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {last}, "scope": {"openid"}})
	if stolen.Status != http.StatusBadRequest || stolen.text("error") != "invalid_grant" {
		t.Errorf("another app's refresh token: %d %s", stolen.Status, stolen.Body)
	}
	isJSON(t, stolen)
}
