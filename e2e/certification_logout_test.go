//go:build linux

package e2e

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const suiteSignedOut = "https://suite.test/test/a/symbolon/post_logout_redirect"

// longState is as long as the suite's, to see that it comes back whole.
var longState = strings.Repeat("aZ0~", 32)

// signsOut is a module that signs a person in, and sends their browser to sign out by a
// request of which edit makes another. Where says that the browser must come back by,
// "" that it must stay.
func signsOut(where string, edit func(t *testing.T, r *relying, asked url.Values), says ...string) func(*testing.T, *relying) {
	return func(t *testing.T, r *relying) {
		app := r.c.newRelying(t, "--post-logout-redirect-uri", suiteSignedOut)
		p := r.c.browser(t)
		v := app.visit(t, p, "state", longState)
		asked := url.Values{"id_token_hint": {v.tokens(t).text("id_token")}, "post_logout_redirect_uri": {suiteSignedOut}, "state": {longState}}
		edit(t, app, asked)
		seen := app.signOut(t, p, asked)
		last := p.page
		switch to := last.Header.Get("Location"); {
		case to != where:
			t.Errorf("it leads to %q, want %q", to, where)
		case where == "":
			pageOf(t, last, last.Status)
		}
		for _, words := range says {
			if !strings.Contains(seen, words) {
				t.Errorf("no page says %q:\n%.900s", words, seen)
			}
		}
		app.visit(t, p, "prompt", "none").refused(t, "login_required")
	}
}

// signOut sends a browser to sign out; where the person is asked, they do. It returns
// what was to be read on the way.
func (r *relying) signOut(t *testing.T, p *person, asked url.Values) (seen string) {
	t.Helper()
	p.open(t, strings.TrimPrefix(r.c.at("end_session_endpoint"), r.c.s.base)+"?"+asked.Encode())
	for range 3 {
		seen += visibleText(p.page.Body)
		if !strings.Contains(string(p.page.Body), ` action="/sign-out"`) {
			return seen
		}
		press(t, p, "/sign-out", "sign-out")
		p.submit(t, "/sign-out", "account", "all")
	}
	t.Fatal("it goes on asking")
	return ""
}

func asIs(*testing.T, *relying, url.Values) {}

// without takes parameters out.
func without(names ...string) func(*testing.T, *relying, url.Values) {
	return func(_ *testing.T, _ *relying, asked url.Values) {
		for _, name := range names {
			asked.Del(name)
		}
	}
}

const (
	signedOutSays = "You are signed out"
	unknownURI    = "post_logout_redirect_uri"
	foreignHint   = "id_token_hint"
)

// logoutPlan is the plan RP-Initiated Logout OP. Where nobody is sent back, the suite
// wants a picture of a page that says why.
var logoutPlan = []module{
	{"OIDCCRpInitiatedLogoutDiscoveryEndpointVerification", func(t *testing.T, r *relying) {
		if at := r.c.at("end_session_endpoint"); !strings.HasPrefix(at, "https://") {
			t.Errorf("end_session_endpoint %q", at)
		}
	}},
	{"OIDCCRpInitiatedLogout", signsOut(suiteSignedOut+"?state="+url.QueryEscape(longState), asIs)},
	{"OIDCCRpInitiatedLogoutBadLogoutRedirectUri", signsOut("", func(_ *testing.T, _ *relying, asked url.Values) {
		asked.Set("post_logout_redirect_uri", suiteSignedOut+"/bad")
	}, unknownURI, signedOutSays)},
	{"OIDCCRpInitiatedLogoutModifiedIdTokenHint", signsOut("", func(_ *testing.T, _ *relying, asked url.Values) {
		payload := strings.Split(asked.Get("id_token_hint"), ".")[1]
		asked.Set("id_token_hint", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+payload+".")
	}, foreignHint, signedOutSays)},
	{"OIDCCRpInitiatedLogoutNoIdTokenHint", signsOut("", without("id_token_hint"), unknownURI, signedOutSays)},
	{"OIDCCRpInitiatedLogoutNoParams", signsOut("", without("id_token_hint", "post_logout_redirect_uri", "state"), signedOutSays)},
	{"OIDCCRpInitiatedLogoutNoPostLogoutRedirectUri", signsOut("", without("post_logout_redirect_uri"), signedOutSays)},
	{"OIDCCRpInitiatedLogoutNoState", signsOut(suiteSignedOut, without("state"))},
	{"OIDCCRpInitiatedLogoutOnlyState", signsOut("", without("id_token_hint", "post_logout_redirect_uri"), signedOutSays)},
	{"OIDCCRpInitiatedLogoutQueryAddedToLogoutRedirectUri", signsOut("", func(_ *testing.T, _ *relying, asked url.Values) {
		asked.Set("post_logout_redirect_uri", suiteSignedOut+"?foo=bar")
	}, unknownURI, signedOutSays)},
	{"OIDCCRpInitiatedLogoutBadIdTokenHint", signsOut("", func(t *testing.T, r *relying, asked url.Values) {
		now := time.Now().Unix()
		asked.Set("id_token_hint", signWith(t, jose.RS256, suiteKey(), nil, map[string]any{
			"iss": r.app.ID, "aud": r.c.s.base, "sub": "SubjectID", "nonce": "flibble", "iat": now, "exp": now + 300}))
	}, foreignHint, signedOutSays)},
}

// backchannelPlan is the plan Back-Channel Logout OP.
var backchannelPlan = []module{
	{"OIDCCBackchannelLogoutDiscoveryEndpointVerification", func(t *testing.T, r *relying) {
		for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported"} {
			if r.c.meta[name] != true {
				t.Errorf("%s is %v", name, r.c.meta[name])
			}
		}
	}},
	{"OIDCCBackChannelRpInitiatedLogout", func(t *testing.T, r *relying) {
		const path = "/test/a/symbolon/backchannel_logout"
		app := r.c.newRelying(t, "--post-logout-redirect-uri", suiteSignedOut, "--backchannel-logout-uri", r.c.suite.base+path, "--backchannel-logout-session-required")
		p := r.c.browser(t)
		v := app.visit(t, p)
		first := v.tokens(t)
		app.signOut(t, p, url.Values{"id_token_hint": {first.text("id_token")}, "post_logout_redirect_uri": {suiteSignedOut}, "state": {"s"}})
		if to := p.page.Header.Get("Location"); to != suiteSignedOut+"?state=s" {
			t.Errorf("it leads to %q", to)
		}
		var forms []url.Values
		if !eventually(func() bool {
			r.c.suite.mu.Lock()
			defer r.c.suite.mu.Unlock()
			forms = r.c.suite.heard[path]
			return len(forms) > 0
		}) {
			t.Fatal("the app is not told")
		}
		if names := slices.Sorted(maps.Keys(forms[0])); !slices.Equal(names, []string{"logout_token"}) {
			t.Errorf("it is told %v", names)
		}
		claims := v.verified(t, forms[0].Get("logout_token"))
		events, _ := claims["events"].(map[string]any)
		event, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
		if claims["iss"] != r.c.s.base || claims["aud"] != app.app.ID || claims["sub"] != first.id["sub"] || claims["sid"] != first.id["sid"] || claims["sid"] == nil ||
			claims["jti"] == nil || claims["iat"] == nil || claims["nonce"] != nil || len(events) != 1 || !ok || len(event) != 0 {
			t.Errorf("the logout token says %v", claims)
		}
		app.visit(t, p, "prompt", "none").refused(t, "login_required")
	}},
}
