package oauth

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/storetest"
)

var metadataX1 = map[string]any{
	"client_name":   "X1",
	"redirect_uris": []string{uriX1},
}

// newRegistry is a world in which apps may register themselves.
func newRegistry(t *testing.T, configure ...func(*Config)) *world {
	return newWorld(t, append([]func(*Config){func(c *Config) {
		c.Registration = true
		c.RegistrationScopes = symbolon.Scopes{"connect", "read"}
	}}, configure...)...)
}

func (w *world) register(changes map[string]any) (*ClientInformation, error) {
	return w.Register(w.ctx, []byte(changed(metadataX1, changes)), Registrant{Address: "192.0.2.1"})
}

// joined is an app that has just registered itself.
func (w *world) joined(changes map[string]any) (*ClientInformation, *symbolon.App) {
	w.Helper()
	info, err := w.register(changes)
	w.ok(err)
	app := known(info.ClientID, info.RedirectURIs[0])
	w.secrets[app.ID] = info.ClientSecret
	return info, app
}

// RFC7591-3-a, RFC7591-3.2.1-a, RFC7591-2-b: what is answered.
func TestRegister(t *testing.T) {
	w := newRegistry(t)
	info, app := w.joined(nil)
	text, err := json.Marshal(info)
	w.ok(err)
	var got map[string]any
	w.ok(json.Unmarshal(text, &got))
	for name, want := range map[string]any{
		"client_name": "X1", "redirect_uris": []any{uriX1}, "token_endpoint_auth_method": "client_secret_basic", "scope": "connect read",
		"grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"}, "client_secret_expires_at": 0.0,
		"client_id_issued_at": float64(w.clock.Now().Unix()), "registration_client_uri": "https://as.test/oauth2/register?client_id=" + info.ClientID,
	} {
		if fmt.Sprint(got[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, name := range []string{"application_type", "logo_uri", "jwks", "jwks_uri"} {
		if _, there := got[name]; there {
			t.Errorf("%s is there", name)
		}
	}
	// CLIENTS.md 1: an id that reads raw and percent-encoded alike.
	if !strings.HasPrefix(info.ClientID, "sym_dc_") || strings.Trim(info.ClientID, "abcdefghijklmnopqrstuvwxyz234567_") != "" {
		t.Errorf("client_id %s", info.ClientID)
	}
	if len(info.ClientID) > 700 {
		t.Errorf("a client_id of %d characters", len(info.ClientID))
	}
	if len(info.ClientSecret) < 50 || len(info.RegistrationAccessToken) < 50 {
		t.Errorf("secret %q, token %q", info.ClientSecret, info.RegistrationAccessToken)
	}
	for _, secret := range []string{info.ClientSecret, info.RegistrationAccessToken} {
		if strings.Contains(info.ClientID, strings.ToLower(secret)) {
			t.Error("the client_id holds a secret")
		}
	}
	if n := len(w.rows(idOf(dynamicID, info.ClientID))); n != 0 {
		t.Errorf("%d rows are kept", n)
	}
	another, _ := w.joined(nil)
	if another.ClientID == info.ClientID {
		t.Error("two apps have one client_id")
	}

	// And it goes through every step, with its secret.
	tokens := w.connected(app)
	w.ok(w.feed.Poll(w.ctx))
	w.alive(tokens)
	if rows := w.rows(idOf(dynamicID, info.ClientID)); len(rows) != 1 || !rows[0].Settings.Registration.ExpiresAt.IsZero() {
		t.Errorf("rows %+v", rows)
	}
	_, err = w.refresh(app, tokens.RefreshToken, "client_secret=sym_secret_x")
	w.refused(err, InvalidClient)
	_, err = w.refresh(app, tokens.RefreshToken, "-client_secret")
	w.refused(err, InvalidClient)
	w.alive(w.refreshed(app, tokens.RefreshToken))
	_, err = w.refresh(known(string(idOf(dynamicID, info.ClientID)), uriX1), tokens.RefreshToken)
	w.refused(err, UnknownClient)
}

// A public app: no secret, and PKCE as for all of them.
func TestRegisterPublic(t *testing.T) {
	w := newRegistry(t)
	info, app := w.joined(map[string]any{"token_endpoint_auth_method": "none", "application_type": "native", "redirect_uris": []string{"http://localhost/cb"}})
	if info.ClientSecret != "" || info.ClientSecretExpiresAt != nil || info.ApplicationType != "native" || info.TokenEndpointAuthMethod != "none" {
		t.Errorf("%+v", info)
	}
	w.alive(w.connected(app, "redirect_uri=http://localhost/cb"))
	w.code(app, "redirect_uri=http://localhost:8123/cb")
	_, err := w.Authorize(w.ctx, w.request(app, "-code_challenge"), w.allowing())
	w.redirected(err, InvalidRequest, "http://localhost/cb", "xyz")
}

// K10, RFC7591-3-b: off unless the owner turns it on.
func TestRegistrationIsOff(t *testing.T) {
	w := newRegistry(t)
	_, app := w.joined(nil)
	w.cfg.Registration = false
	w.start()
	_, err := w.Authorize(w.ctx, w.request(app), w.allowing())
	w.page(err, UnknownClient)
	if w.Offers().Registration {
		t.Error("it is offered")
	}
}

// RFC7591-3.2.2-a, OIDCR-2-a, RFC7591-2-a, RFC7591-2-c, RFC7591-3.1.1-a, MCP-2026-07-b.
func TestRegistrationRules(t *testing.T) {
	w := newRegistry(t)
	uris := func(kind any, uris ...string) map[string]any {
		return map[string]any{"application_type": kind, "redirect_uris": uris}
	}
	const taken = ServerError // no refusal
	for _, c := range []struct {
		name    string
		changes map[string]any
		want    Refusal
	}{
		{"MCP-2026-07-b: native with localhost", uris("native", "http://localhost:8080/cb"), taken},
		{"MCP-2026-07-b: web with localhost", uris("web", "http://localhost:8080/cb"), InvalidRedirectURI},
		{"web with localhost by https", uris("web", "https://localhost/cb"), InvalidRedirectURI},
		{"web with loopback", uris("web", "http://127.0.0.1/cb"), InvalidRedirectURI},
		{"web with a scheme of its own", uris("web", "com.example.app:/cb"), InvalidRedirectURI},
		{"CLIENTS-15: web with localhost and a scheme of its own", uris("web", "edu.kit.data.oidc-agent:/redirect", "http://localhost:20746", "http://localhost:8080"), taken},
		{"web with localhost and a site", uris("web", uriX1, "http://localhost:8080"), InvalidRedirectURI},
		{"web", uris("web", uriX1), taken},
		{"web with one that is not", uris("web", uriX1, "http://localhost/cb"), InvalidRedirectURI},
		{"CLIENTS 15: nothing said, with localhost", uris(nil, "http://localhost:8080/cb"), taken},
		{"native with a scheme of its own", uris("native", "com.example.app:/cb"), taken},
		{"native with https", uris("native", uriX1), taken},
		{"OIDCR-2-a: http elsewhere", uris("native", "http://x1.test/cb"), InvalidRedirectURI},
		{"OIDCR-2-a, B78: javascript", uris(nil, "javascript:alert(1)"), InvalidRedirectURI},
		{"OIDCR-2-a, B78: data", uris(nil, "data:text/html,x"), InvalidRedirectURI},
		{"OIDCCRedirectUriRegFrag", uris(nil, uriX1+"#x"), InvalidRedirectURI},
		{"B18: names that the server adds", uris(nil, uriX1+"?code=x"), InvalidRedirectURI},
		{"none", uris(nil), InvalidRedirectURI},
		{"none at all", map[string]any{"redirect_uris": nil}, InvalidRedirectURI},
		{"another type", uris("spa", uriX1), InvalidClientMetadata},
		{"RFC7591-3.1.1-a: a software statement", map[string]any{"software_statement": "eyJ"}, InvalidSoftwareStatement},
		{"client_secret_post", map[string]any{"token_endpoint_auth_method": "client_secret_post"}, taken},
		{"client_secret_jwt", map[string]any{"token_endpoint_auth_method": "client_secret_jwt"}, InvalidClientMetadata},
		{"tls_client_auth", map[string]any{"token_endpoint_auth_method": "tls_client_auth"}, InvalidClientMetadata},
		{"private_key_jwt without keys", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, InvalidClientMetadata},
		{"RFC7591-2-a: more grants than there are", map[string]any{"grant_types": []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}}, taken},
		{"RFC7591-2-a: none that is offered", map[string]any{"grant_types": []string{"implicit"}}, InvalidClientMetadata},
		{"RFC7591-2-a: response types that are not offered", map[string]any{"response_types": []string{"id_token"}}, InvalidClientMetadata},
		{"RFC7591-2-a: more response types than there are", map[string]any{"response_types": []string{"code", "id_token token"}}, taken},
		{"a request_uri by http", map[string]any{"request_uris": []string{"http://x1.test/r"}}, InvalidClientMetadata},
		{"a request_uri with a user in it", map[string]any{"request_uris": []string{"https://user@x1.test/r"}}, InvalidClientMetadata},
		{"eleven request_uris", map[string]any{"request_uris": strings.Split(strings.Repeat("https://x1.test/r ", 11), " ")}, InvalidClientMetadata},
		{"RFC7591-5-a: another scope", map[string]any{"scope": "admin"}, InvalidClientMetadata},
		{"RFC7591-5-a: one more", map[string]any{"scope": "admin connect"}, taken},
		{"too much", map[string]any{"redirect_uris": []string{uriX1 + "?" + strings.Repeat("x", 1900), uriX1 + "?" + strings.Repeat("y", 1900)}}, InvalidClientMetadata},
		{"a flag that is none", map[string]any{"dpop_bound_access_tokens": "true"}, InvalidClientMetadata},
		{"null counts as absent", map[string]any{"client_uri": json.RawMessage("null"), "jwks": json.RawMessage("null")}, taken},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.TB = t
			w.clock.pass(time.Minute)
			info, err := w.register(c.changes)
			if c.want != taken {
				w.refused(err, c.want)
				return
			}
			w.ok(err)
			// What is answered is what it works with.
			app, err := w.App(w.ctx, symbolon.ClientID(info.ClientID))
			w.ok(err)
			back := w.information(app, info.RegistrationAccessToken)
			back.ClientSecret = info.ClientSecret
			if a, b := changed(nil, map[string]any{"": back}), changed(nil, map[string]any{"": info}); a != b {
				t.Errorf("sealed:\n%s\nanswered:\n%s", a, b)
			}
			if info.Scope != "connect" && info.Scope != "connect read" {
				t.Errorf("scope %q", info.Scope)
			}
		})
	}
	w.TB = t
	for _, body := range []string{"", "[]", `{"redirect_uris":["https://x1.test/cb"],"redirect_uris":["https://evil.test/cb"]}`, `{"redirect_uris":["https://x1.test/cb"]}{}`, "client_name=x"} {
		_, err := w.Register(w.ctx, []byte(body), Registrant{})
		w.refused(err, InvalidClientMetadata)
	}
}

// RFC7591-5-b: names are shown to people.
func TestRegisteredNames(t *testing.T) {
	w := newRegistry(t)
	for _, c := range []struct {
		name any
		want string
	}{
		{"Weather Mill", "Weather Mill"},
		{"\u202eevil\u2066 \u200bname\u0000\n\t x", "evil name x"},
		{"<script>alert(1)</script>", "<script>alert(1)</script>"}, // the page escapes it
		{strings.Repeat("\u00e9", 200), strings.Repeat("\u00e9", 80)},
		{"", "x1.test"},
		{"\u202e\u200b ", "x1.test"},
		{nil, "x1.test"},
	} {
		info, _ := w.joined(map[string]any{"client_name": c.name})
		if info.ClientName != c.want {
			t.Errorf("%q becomes %q", c.name, info.ClientName)
		}
	}
}

// OIDCR-2-b: links are https, or not there.
func TestRegisteredLinks(t *testing.T) {
	w := newRegistry(t)
	for link, want := range map[string]string{
		"https://x1.test/a?b": "https://x1.test/a?b", "http://x1.test/": "", "javascript:alert(1)": "", "data:x": "", "//x1.test/": "", "x": "",
		"https://u:p@x1.test/": "", "https://": "", "https://x1.test/\n": "",
	} {
		info, _ := w.joined(map[string]any{"client_uri": link, "logo_uri": link, "policy_uri": link, "tos_uri": link})
		if info.ClientURI != want || info.LogoURI != want || info.PolicyURI != want || info.TermsURI != want {
			t.Errorf("%q: %+v", link, info)
		}
	}
}

// RFC7591-3-b, B88: ten thousand registrations from one address, and from as many.
func TestRegistrationFlood(t *testing.T) {
	w := newRegistry(t)
	body := []byte(changed(metadataX1, nil))
	flood := func(address func(i int) string) (taken int) {
		for i := range 10_000 {
			_, err := w.Register(w.ctx, body, Registrant{Address: address(i)})
			if err == nil {
				taken++
				continue
			}
			if e := w.refused(err, TooManyRequests); e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
				t.Fatalf("Retry-After %v", e.RetryAfter)
			}
		}
		return taken
	}
	if n := flood(func(int) string { return "192.0.2.1" }); n != registrationsPerAddress {
		t.Errorf("%d were taken from one address", n)
	}
	if n := flood(func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }); n != registrationsPerAddress {
		t.Errorf("%d were taken from one network", n)
	}
	if n := flood(func(i int) string { return fmt.Sprintf("10.0.%d.%d", i>>8, i&255) }); n != registrationsInAll-2*registrationsPerAddress {
		t.Errorf("%d were taken from all", n)
	}
	if n := len(w.registrations.count); n > registrationsInAll {
		t.Errorf("%d addresses are counted", n)
	}
	apps, err := w.store.Apps(w.ctx, symbolon.AppQuery{Limit: 1000})
	w.ok(err)
	if len(apps) != 3 {
		t.Errorf("%d apps are kept", len(apps))
	}
	w.clock.pass(time.Minute)
	_, err = w.register(nil)
	w.ok(err)
}

// RFC7591-3-b: an initial access token, when the owner wants one.
func TestInitialAccessToken(t *testing.T) {
	hash := sha256.Sum256([]byte("let me in"))
	w := newRegistry(t, func(c *Config) { c.RegistrationToken = hash[:] })
	body := []byte(changed(metadataX1, nil))
	_, err := w.Register(w.ctx, body, Registrant{})
	w.refused(err, MissingToken)
	_, err = w.Register(w.ctx, body, Registrant{Token: "let me in!"})
	w.refused(err, InvalidToken)
	_, err = w.Register(w.ctx, body, Registrant{Token: "let me in"})
	w.ok(err)
}

// RFC7591-3-b: what is never used expires; CLIENTS.md 18: as an unknown app, so
// that it registers again.
func TestUnusedExpires(t *testing.T) {
	w := newRegistry(t)
	_, unused := w.joined(nil)
	_, used := w.joined(nil)
	tokens := w.connected(used)
	w.ok(w.feed.Poll(w.ctx))
	w.clock.pass(30*24*time.Hour - time.Millisecond)
	w.code(unused)
	_, young := w.joined(nil)
	w.clock.pass(time.Millisecond)
	_, err := w.Authorize(w.ctx, w.request(young), w.allowing())
	w.ok(err)
	_, old := w.joined(nil)
	w.clock.pass(30 * 24 * time.Hour)
	_, err = w.Authorize(w.ctx, w.request(old), w.allowing())
	w.page(err, UnknownClient)
	_, err = w.redeem(old, "sym_ac_x")
	w.refused(err, UnknownClient)
	w.refreshed(used, tokens.RefreshToken)
}

// B97: no other sealed value is a client_id, and none that was changed.
func TestForgedClientIDs(t *testing.T) {
	w := newRegistry(t)
	info, _ := w.joined(nil)
	junk, err := w.ring.Seal(seal.Client, []byte("junk"), w.clock.Now())
	w.ok(err)
	for _, id := range []string{junk, info.ClientID + "a", info.ClientID[:len(info.ClientID)-1], strings.ToUpper(info.ClientID), "sym_dc_", "sym_dc_" + strings.Repeat("a", 6000), "sym_dc_%00"} {
		_, err := w.Authorize(w.ctx, w.request(known(id, uriX1)), w.allowing())
		w.page(err, UnknownClient)
	}
}

// An app that is kept outlives the key that its client_id was sealed with.
func TestKeptOutlivesTheKey(t *testing.T) {
	w := newRegistry(t)
	_, app := w.joined(nil)
	_, other := w.joined(nil)
	w.connected(app)
	w.ok(w.feed.Poll(w.ctx))
	root, err := seal.NewRootKey()
	w.ok(err)
	key, err := root.NewKey()
	w.ok(err)
	w.ok(w.ring.Load([]*seal.RootKey{root}, []symbolon.Key{key}))
	w.code(app)
	_, err = w.Authorize(w.ctx, w.request(other), w.allowing())
	w.page(err, UnknownClient)
}

// RFC7592-2.1-a, RFC7592-3-a.
func TestReadRegistration(t *testing.T) {
	w := newRegistry(t)
	a, app := w.joined(nil)
	b, _ := w.joined(nil)
	for _, kept := range []bool{false, true} {
		if kept {
			w.connected(app)
			w.ok(w.feed.Poll(w.ctx))
		}
		got, err := w.Registered(w.ctx, a.ClientID, a.RegistrationAccessToken)
		w.ok(err)
		want := *a
		want.ClientSecret = ""
		if x, y := changed(nil, map[string]any{"": got}), changed(nil, map[string]any{"": want}); x != y {
			t.Errorf("read:\n%s\nregistered:\n%s", x, y)
		}
		for _, c := range []struct {
			id, token string
			want      Refusal
		}{
			{a.ClientID, "", MissingToken},
			{a.ClientID, "x", InvalidToken},
			{a.ClientID, b.RegistrationAccessToken, InvalidToken},
			{a.ClientID, a.ClientSecret, InvalidToken},
			{b.ClientID, a.RegistrationAccessToken, InvalidToken},
			{"", a.RegistrationAccessToken, InvalidToken},
			{string(w.C1.ID), a.RegistrationAccessToken, InvalidToken},
			{string(idOf(dynamicID, a.ClientID)), a.RegistrationAccessToken, InvalidToken},
			{"sym_dc_x", a.RegistrationAccessToken, InvalidToken},
		} {
			_, err := w.Registered(w.ctx, c.id, c.token)
			w.refused(err, c.want)
			_, err = w.Reregister(w.ctx, c.id, c.token, []byte("{}"), Registrant{})
			w.refused(err, c.want)
			_, err = w.Unregister(w.ctx, c.id, c.token, Registrant{})
			w.refused(err, c.want)
		}
	}
	w.store.FailNext("Apps", storetest.Lost)
	_, err := w.Registered(w.ctx, b.ClientID, b.RegistrationAccessToken)
	w.refused(err, Unavailable)
}

// RFC7592-2.2-a.
func TestReregister(t *testing.T) {
	w := newRegistry(t)
	for _, used := range []bool{false, true} {
		t.Run(fmt.Sprint("used ", used), func(t *testing.T) {
			w.TB = t
			w.clock.pass(time.Minute)
			info, app := w.joined(map[string]any{"tos_uri": "https://x1.test/terms"})
			var tokens *TokenResponse
			if used {
				tokens = w.connected(app)
				w.ok(w.feed.Poll(w.ctx))
			}
			w.clock.pass(time.Second)
			put := func(changes map[string]any) (*ClientInformation, error) {
				all := map[string]any{"client_id": info.ClientID, "client_name": "New", "redirect_uris": []string{"https://x1.test/new"}}
				got, err := w.Reregister(w.ctx, info.ClientID, info.RegistrationAccessToken, []byte(changed(all, changes)), Registrant{Address: "192.0.2.7"})
				w.ok(w.feed.Poll(w.ctx))
				return got, err
			}
			for _, changes := range []map[string]any{
				{"client_id": nil}, {"client_id": "sym_dc_x"}, {"client_id": 7}, {"client_secret": "x"}, {"client_secret": ""},
				{"registration_access_token": info.RegistrationAccessToken}, {"registration_client_uri": "x"}, {"client_secret_expires_at": 0}, {"client_id_issued_at": 1},
				{"scope": "admin"}, {"token_endpoint_auth_method": "x"},
			} {
				_, err := put(changes)
				w.refused(err, InvalidClientMetadata)
			}
			_, err := put(map[string]any{"redirect_uris": nil})
			w.refused(err, InvalidRedirectURI)
			got, err := put(map[string]any{"client_secret": info.ClientSecret})
			w.ok(err)
			if got.ClientID != info.ClientID || got.ClientName != "New" || got.TermsURI != "" || got.RedirectURIs[0] != "https://x1.test/new" || got.ClientSecret != "" || got.ClientIDIssuedAt != info.ClientIDIssuedAt {
				t.Errorf("%+v", got)
			}
			_, err = w.Authorize(w.ctx, w.request(app), w.allowing()) // the old redirect URI
			w.page(err, InvalidRequest)
			app.RedirectURIs = got.RedirectURIs
			// CIMD-8-b: asked again.
			answer, err := w.Authorize(w.ctx, w.request(app), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
			w.ok(err)
			if answer.Need != NeedConsent {
				t.Errorf("need %d", answer.Need)
			}
			if used {
				w.refreshed(app, tokens.RefreshToken)
			} else if expires := w.rows(idOf(dynamicID, info.ClientID))[0].Settings.Registration.ExpiresAt; !expires.Equal(time.Unix(info.ClientIDIssuedAt, 0).Add(30 * 24 * time.Hour)) {
				t.Errorf("the row expires at %v", expires)
			}
			w.alive(w.connected(app))
			if !w.rows(idOf(dynamicID, info.ClientID))[0].Settings.Registration.ExpiresAt.IsZero() {
				t.Error("the row of an app that is used expires")
			}
			// A public app that wants a secret now gets one; and the other way round.
			got, err = put(map[string]any{"token_endpoint_auth_method": "none"})
			w.ok(err)
			if got.ClientSecret != "" || got.ClientSecretExpiresAt != nil {
				t.Errorf("%+v", got)
			}
			got, err = put(map[string]any{"token_endpoint_auth_method": "client_secret_post"})
			w.ok(err)
			if got.ClientSecret == "" || got.ClientSecret == info.ClientSecret {
				t.Errorf("%+v", got)
			}
		})
	}
}

// RFC7592-2.3-a: deleted is deleted, also where nothing was kept.
func TestUnregister(t *testing.T) {
	w := newRegistry(t)
	for _, used := range []bool{false, true} {
		for _, old := range []bool{false, true} {
			if old && !used {
				continue // it has expired
			}
			info, app := w.joined(nil)
			w.TB = t
			var tokens *TokenResponse
			if used {
				tokens = w.connected(app)
				w.ok(w.feed.Poll(w.ctx))
			}
			w.clock.pass(time.Second)
			if old {
				w.clock.pass(31 * 24 * time.Hour)
				tokens = w.connected(app)
				w.clock.pass(time.Second)
			}
			id, err := w.Unregister(w.ctx, info.ClientID, info.RegistrationAccessToken, Registrant{})
			w.ok(err)
			if id != idOf(dynamicID, info.ClientID) {
				t.Errorf("%s is deleted", id)
			}
			gone := func() {
				t.Helper()
				_, err := w.Unregister(w.ctx, info.ClientID, info.RegistrationAccessToken, Registrant{})
				w.refused(err, InvalidToken)
				_, err = w.Registered(w.ctx, info.ClientID, info.RegistrationAccessToken)
				w.refused(err, InvalidToken)
				_, err = w.Authorize(w.ctx, w.request(app), w.allowing())
				w.page(err, UnknownClient)
				_, err = w.App(w.ctx, id)
				w.refused(err, UnknownClient)
				if tokens != nil {
					w.dead(tokens)
					_, err = w.refresh(app, tokens.RefreshToken)
					w.refused(err, UnknownClient)
				}
			}
			gone()
			w.ok(w.feed.Poll(w.ctx))
			gone()
			w.start()
			gone()
			for _, d := range []time.Duration{24 * time.Hour, 29 * 24 * time.Hour, 24 * time.Hour} {
				w.clock.pass(d)
				_, err := w.Expire(w.ctx)
				w.ok(err)
				w.ok(w.feed.Poll(w.ctx))
				gone()
			}
			if rows := w.rows(id); len(rows) != 0 {
				t.Errorf("in the end, rows %+v", rows)
			}
		}
	}
}

// What is over leaves the store; what is used stays, and what is no such app.
func TestExpire(t *testing.T) {
	w := newRegistry(t)
	_, used := w.joined(nil)
	w.connected(used)
	for i := range expireAtOnce + 5 {
		id := idOf(dynamicID, fmt.Sprint(i))
		w.ok(w.store.PutApp(w.ctx, symbolon.App{ID: id, Rotation: symbolon.RotateAlways, CreatedAt: w.clock.Now(),
			Settings: symbolon.Settings{Registration: &symbolon.Registration{ExpiresAt: w.clock.Now().Add(time.Hour)}}}))
	}
	w.ok(w.store.PutApp(w.ctx, symbolon.App{ID: "sym_zzz", Rotation: symbolon.RotateAlways, CreatedAt: w.clock.Now(),
		Settings: symbolon.Settings{Registration: &symbolon.Registration{ExpiresAt: w.clock.Now()}}}))
	count := func() int {
		apps, err := w.store.Apps(w.ctx, symbolon.AppQuery{Limit: 1000})
		w.ok(err)
		return len(apps)
	}
	before := count()
	w.clock.pass(time.Hour)
	if n, err := w.Expire(w.ctx); n != 0 || err != nil || count() != before {
		t.Errorf("%d at once, %v", n, err)
	}
	w.clock.pass(expireSlack)
	if n, err := w.Expire(w.ctx); n != expireAtOnce+5 || err != nil || count() != before-n {
		t.Errorf("%d, %v; %d of %d are left", n, err, count(), before)
	}
	w.store.FailNext("Apps", storetest.Lost)
	_, err := w.Expire(w.ctx)
	w.refused(err, Unavailable)
}

// Whatever is registered: no panic, and what is sealed is what is answered.
func FuzzRegister(f *testing.F) {
	f.Add(changed(metadataX1, nil))
	f.Add(`{"redirect_uris":["http://localhost/cb"],"token_endpoint_auth_method":"none","application_type":"native"}`)
	f.Add(changed(metadataX1, openIDX1))
	e := newRegistrar(f)
	f.Fuzz(func(t *testing.T, text string) {
		m, _, err := e.readRegistration(t.Context(), []byte(text), time.Unix(1_790_000_000, 0))
		if err != nil {
			checkDescription(t, storeError(err).Description)
			return
		}
		cfg := e.cfg
		app := m.app(&cfg, "sym_dyn_x", "sym_dc_x", time.Unix(0, 0))
		checkRegistered(t, e, &app)
		said := whatIsSaid(&app)
		encoded, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, &said); err != nil {
			t.Fatal(err)
		}
		back := said.metadata().app(&cfg, "sym_dyn_x", "sym_dc_x", time.Unix(0, 0))
		if string(digest(&app)) != string(digest(&back)) {
			t.Errorf("%+v comes back as %+v", app, back)
		}
	})
}
