package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
)

// openIDX1 is all that X1 may say of OpenID Connect, but for what needs keys.
var openIDX1 = map[string]any{
	"id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "ES256", "subject_type": "pairwise",
	"sector_identifier_uri": "https://sector.test/all.json", "default_max_age": 3600, "require_auth_time": true,
	"default_acr_values": []string{"phr", "2"}, "initiate_login_uri": "https://x1.test/login", "contacts": []string{"ops@x1.test"},
	"request_object_signing_alg": "ES256", "scope": "openid read", "authorization_signed_response_alg": "ES256", "request_uris": []string{"https://x1.test/request.jwt", "https://x1.test/request.jwt#v2"},
	"post_logout_redirect_uris": []string{"https://x1.test/bye"}, "backchannel_logout_uri": "https://x1.test/ended", "backchannel_logout_session_required": true,
}

// newSectors is a registry that signs people in, and where lists of sectors lie.
func newSectors(t *testing.T, configure ...func(*Config)) (*world, *site) {
	s := &site{documents: map[string]string{"https://sector.test/all.json": `["` + uriX1 + `","https://x2.test/cb"]`}, fails: make(map[string]error), maxAge: time.Minute}
	w := newRegistry(t, append([]func(*Config){func(c *Config) {
		c.Fetch = s.fetch
		c.RegistrationScopes = symbolon.Scopes{"connect", "read", "openid", "email"}
		c.PairwiseKey = [32]byte{1}
		c.IDToken = func(r *IDTokenRequest) (string, error) {
			return c.Signing.Sign(TypeIDToken, r.App.Settings.OpenID.SigningAlgorithm(), map[string]any{"iss": c.Issuer, "sub": r.Subject, "aud": r.App.ClientID()}, r.Now)
		}
	}}, configure...)...)
	return w, s
}

// found is the app of a client_id, kept or not.
func (w *world) found(id symbolon.ClientID) *symbolon.App {
	w.Helper()
	app, err := w.App(w.ctx, id)
	w.ok(err)
	return app
}

// answered is an answer as it goes over the wire.
func answered(t *testing.T, info *ClientInformation) map[string]any {
	t.Helper()
	text, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// RFC7591-3-a of OpenID Connect: what is taken is kept, answered, read again, and taken
// away when it is left out.
func TestRegisterOpenID(t *testing.T) {
	w, _ := newSectors(t)
	info, app := w.joined(openIDX1)
	check := func(got map[string]any) {
		t.Helper()
		for name, want := range openIDX1 {
			if fmt.Sprint(got[name]) != fmt.Sprint(want) {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
	}
	check(answered(t, info))
	again, err := w.Registered(w.ctx, info.ClientID, info.RegistrationAccessToken)
	w.ok(err)
	check(answered(t, again))
	if len(info.ClientID) > 1000 {
		t.Errorf("a client_id of %d characters", len(info.ClientID))
	}
	found := w.found(app.ID)
	want := symbolon.OpenID{IDTokenSigning: "ES256", UserinfoSigning: "ES256", Pairwise: true, Sector: "sector.test", DefaultMaxAge: 3600, DefaultACR: []string{"phr", "2"},
		PostLogoutRedirectURIs: []string{"https://x1.test/bye"}, BackchannelLogoutURI: "https://x1.test/ended", BackchannelLogoutSessionRequired: true}
	if !reflect.DeepEqual(found.Settings.OpenID, want) || found.Settings.RequestSigning != "ES256" || found.Settings.ResponseSigning != "ES256" {
		t.Errorf("%+v", found.Settings)
	}

	next, err := w.Reregister(w.ctx, info.ClientID, info.RegistrationAccessToken, []byte(changed(metadataX1, map[string]any{"client_id": info.ClientID})), Registrant{Address: "192.0.2.1"})
	w.ok(err)
	got := answered(t, next)
	for _, name := range []string{"userinfo_signed_response_alg", "sector_identifier_uri", "default_max_age", "require_auth_time", "default_acr_values", "initiate_login_uri", "contacts", "request_object_signing_alg", "authorization_signed_response_alg",
		"post_logout_redirect_uris", "backchannel_logout_uri", "backchannel_logout_session_required"} {
		if got[name] != nil {
			t.Errorf("%s stays as %v", name, got[name])
		}
	}
	// What stands in where nothing was said (Registration §3.2).
	if got["id_token_signed_response_alg"] != "RS256" || got["subject_type"] != "public" || got["scope"] != "connect read openid email" {
		t.Errorf("%v", got)
	}
}

// RFC7591-3.2.2-a, OIDCC-2-e, OIDCC-4-a: what is refused, each with a sentence that names
// the field, and what is passed over.
func TestOpenIDRules(t *testing.T) {
	w, _ := newSectors(t)
	w.cfg.Registration = true
	key, rsa := newPair(t, "k1", jose.ES256), newPair(t, "k2", jose.RS256)
	jwks := func(key keyPair, use string) json.RawMessage { return json.RawMessage(keySetOf(t, key, use)) }
	for _, c := range []struct {
		name  string
		says  map[string]any
		fault string // the field that is refused
	}{
		{"nothing", nil, ""},
		{"OIDCC-2-e: an ID token that nobody signed", map[string]any{"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"},
		{"by the secret", map[string]any{"id_token_signed_response_alg": "HS256"}, "id_token_signed_response_alg"},
		{"by an algorithm without a key here", map[string]any{"id_token_signed_response_alg": "PS512"}, "id_token_signed_response_alg"},
		{"userinfo that nobody signed", map[string]any{"userinfo_signed_response_alg": "none"}, "userinfo_signed_response_alg"},
		{"userinfo by the secret", map[string]any{"userinfo_signed_response_alg": "HS512"}, "userinfo_signed_response_alg"},
		{"request objects that nobody signs", map[string]any{"request_object_signing_alg": "none"}, "request_object_signing_alg"},
		{"request objects by the secret", map[string]any{"request_object_signing_alg": "HS256"}, "request_object_signing_alg"},
		{"answers that nobody signed", map[string]any{"authorization_signed_response_alg": "none"}, "authorization_signed_response_alg"},
		{"answers by the secret", map[string]any{"authorization_signed_response_alg": "HS256"}, "authorization_signed_response_alg"},
		{"assertions by the secret", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(key, "sig"), "token_endpoint_auth_signing_alg": "HS256"}, "token_endpoint_auth_signing_alg"},
		{"an assertion's algorithm of who sends none", map[string]any{"token_endpoint_auth_signing_alg": "HS256"}, ""},
		{"an assertion's algorithm without its key", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(key, "sig"), "token_endpoint_auth_signing_alg": "RS256"}, "token_endpoint_auth_signing_alg"},
		{"request objects without their key", map[string]any{"jwks": jwks(key, "sig"), "request_object_signing_alg": "RS256"}, "request_object_signing_alg"},
		{"a key that only encrypts, to prove oneself by", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(key, "enc")}, "jwks"},
		{"signed requests without keys", map[string]any{"require_signed_request_object": true}, "require_signed_request_object"},
		{"signed requests", map[string]any{"require_signed_request_object": true, "jwks": jwks(key, "sig")}, ""},
		{"a private key", map[string]any{"jwks": json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA","use":"enc"}]}`)}, "jwks"},
		{"a symmetric key", map[string]any{"jwks": json.RawMessage(`{"keys":[{"kty":"oct","k":"AA","use":"enc"}]}`)}, "jwks"},

		{"encrypted", map[string]any{"id_token_encrypted_response_alg": "ECDH-ES", "jwks": jwks(key, "enc")}, ""},
		{"encrypted, by a key without use", map[string]any{"id_token_encrypted_response_alg": "ECDH-ES+A128KW", "id_token_encrypted_response_enc": "A256GCM", "jwks": jwks(key, "")}, ""},
		{"encrypted, at a jwks_uri", map[string]any{"userinfo_encrypted_response_alg": "RSA-OAEP-256", "jwks_uri": "https://x1.test/jwks"}, ""},
		{"encrypted by RSA1_5", map[string]any{"id_token_encrypted_response_alg": "RSA1_5", "jwks": jwks(rsa, "enc")}, "id_token_encrypted_response_alg"},
		{"encrypted by SHA-1", map[string]any{"userinfo_encrypted_response_alg": "RSA-OAEP", "jwks": jwks(rsa, "enc")}, "userinfo_encrypted_response_alg"},
		{"encrypted by the secret", map[string]any{"id_token_encrypted_response_alg": "dir"}, "id_token_encrypted_response_alg"},
		{"encrypted without keys", map[string]any{"id_token_encrypted_response_alg": "ECDH-ES"}, "id_token_encrypted_response_alg"},
		{"encrypted to a key that signs", map[string]any{"id_token_encrypted_response_alg": "ECDH-ES", "jwks": jwks(key, "sig")}, "id_token_encrypted_response_alg"},
		{"encrypted to a key of another kind", map[string]any{"userinfo_encrypted_response_alg": "RSA-OAEP-256", "jwks": jwks(key, "enc")}, "userinfo_encrypted_response_alg"},
		{"enc alone", map[string]any{"id_token_encrypted_response_enc": "A128GCM", "jwks": jwks(key, "enc")}, "id_token_encrypted_response_enc"},
		{"an enc that is none", map[string]any{"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A192GCM", "jwks": jwks(key, "enc")}, "id_token_encrypted_response_enc"},

		{"OIDCC-4-a: by http", map[string]any{"initiate_login_uri": "http://x1.test/login"}, "initiate_login_uri"},
		{"OIDCC-4-a: a script", map[string]any{"initiate_login_uri": "javascript:alert(1)"}, "initiate_login_uri"},
		{"OIDCC-4-a: a name in it", map[string]any{"initiate_login_uri": "https://a@x1.test/login"}, "initiate_login_uri"},
		{"OIDCC-4-a: markup in it", map[string]any{"initiate_login_uri": `https://x1.test/"><script>`}, "initiate_login_uri"},
		{"OIDCC-4-a: long", map[string]any{"initiate_login_uri": "https://x1.test/" + strings.Repeat("a", 500)}, "initiate_login_uri"},
		{"a sector by http", map[string]any{"sector_identifier_uri": "http://sector.test/all.json"}, "sector_identifier_uri"},
		{"subject_type", map[string]any{"subject_type": "private"}, "subject_type"},
		{"pairwise, its host", map[string]any{"subject_type": "pairwise", "scope": "openid"}, ""},
		{"pairwise of two hosts", map[string]any{"subject_type": "pairwise", "redirect_uris": []string{uriX1, "https://x2.test/cb"}}, "sector_identifier_uri"},
		{"pairwise on this computer", map[string]any{"subject_type": "pairwise", "redirect_uris": []string{"http://127.0.0.1/cb"}}, "subject_type"},
		{"pairwise by a scheme", map[string]any{"subject_type": "pairwise", "redirect_uris": []string{"com.example.app:/cb"}}, "subject_type"},
		{"pairwise with connect alone", map[string]any{"subject_type": "pairwise", "scope": "connect"}, "subject_type"},

		{"signing out to a script", map[string]any{"post_logout_redirect_uris": []string{"javascript:alert(1)"}}, "post_logout_redirect_uris"},
		{"signing out to a fragment", map[string]any{"post_logout_redirect_uris": []string{"https://x1.test/#a"}}, "post_logout_redirect_uris"},
		{"told by http", map[string]any{"backchannel_logout_uri": "http://x1.test/ended"}, "backchannel_logout_uri"},
		{"told at a scheme of its own", map[string]any{"backchannel_logout_uri": "com.example.app:/ended"}, "backchannel_logout_uri"},
		{"told nowhere", map[string]any{"backchannel_logout_session_required": true}, ""},

		{"max age 0", map[string]any{"default_max_age": 0}, "default_max_age"},
		{"max age -1", map[string]any{"default_max_age": -1}, "default_max_age"},
		{"max age 1.5", map[string]any{"default_max_age": 1.5}, "default_max_age"},
		{"max age 2^31", map[string]any{"default_max_age": 1 << 31}, "default_max_age"},
		{"max age as a string", map[string]any{"default_max_age": "60"}, "default_max_age"},
		{"null is nothing", map[string]any{"default_max_age": json.RawMessage("null"), "contacts": json.RawMessage("null"), "subject_type": json.RawMessage("null")}, ""},
		{"eleven contacts", map[string]any{"contacts": strings.Split(strings.Repeat("a ", 11), " ")}, "contacts"},
		{"contacts of numbers", map[string]any{"contacts": []int{1}}, "contacts"},
		{"a contact alone", map[string]any{"contacts": "a@x1.test"}, "contacts"},
		{"acr with spaces", map[string]any{"default_acr_values": []string{"a b"}}, "default_acr_values"},
		{"require_auth_time as a string", map[string]any{"require_auth_time": "yes"}, "require_auth_time"},
		{"what is not known", map[string]any{"x": map[string]any{"y": []int{1}}, "frontchannel_logout_uri": "http://x", "client_name#cs": "X"}, ""},
	} {
		w.clock.pass(time.Minute)
		info, err := w.register(c.says)
		if c.fault == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			w.found(symbolon.ClientID(info.ClientID))
			continue
		}
		if err == nil {
			t.Errorf("%s: taken as %v", c.name, answered(t, info))
			continue
		}
		if r := w.refused(err, InvalidClientMetadata); !strings.HasPrefix(r.Description, "The field "+c.fault+" ") || !strings.HasSuffix(r.Description, ".") {
			t.Errorf("%s: %s", c.name, r.Description)
		}
	}
}

// Where a server signs nobody in, what is of OpenID Connect is as everything that is not
// known.
func TestNoOpenIDNoFields(t *testing.T) {
	w := newRegistry(t)
	info, _ := w.joined(map[string]any{"id_token_signed_response_alg": "none", "subject_type": "pairwise", "sector_identifier_uri": "http://x", "initiate_login_uri": "http://x"})
	for _, name := range []string{"id_token_signed_response_alg", "subject_type", "sector_identifier_uri", "initiate_login_uri"} {
		if got := answered(t, info)[name]; got != nil {
			t.Errorf("%s is %v", name, got)
		}
	}
}

// OIDCC-8.1-b: who says a sector must be in its list, whole.
func TestSectorURI(t *testing.T) {
	const uri = "https://sector.test/all.json"
	w, s := newSectors(t)
	register := func(changes map[string]any) (*ClientInformation, error) {
		w.clock.pass(time.Minute)
		all := map[string]any{"subject_type": "pairwise", "sector_identifier_uri": uri, "scope": "openid"}
		for name, value := range changes {
			all[name] = value
		}
		return w.register(all)
	}
	w.run("good", func(t *testing.T) {
		info, err := register(map[string]any{"redirect_uris": []string{uriX1, "https://x2.test/cb"}})
		w.ok(err)
		if app := w.found(symbolon.ClientID(info.ClientID)); app.Settings.OpenID.Sector != "sector.test" || app.Settings.Registration.SectorURI != uri {
			t.Errorf("%+v", app.Settings)
		}
		// Two apps of one sector know a person by one name; of another, by another.
		other, err := register(map[string]any{"redirect_uris": []string{"https://x2.test/cb"}})
		w.ok(err)
		alone, err := register(map[string]any{"sector_identifier_uri": nil})
		w.ok(err)
		of := func(info *ClientInformation) string {
			app := w.found(symbolon.ClientID(info.ClientID))
			return w.SubjectOf(app, w.U1.ID)
		}
		if of(info) != of(other) || of(info) == of(alone) || of(alone) == string(w.U1.ID) {
			t.Errorf("%s, %s, %s", of(info), of(other), of(alone))
		}
	})
	w.run("bad", func(t *testing.T) {
		for name, text := range map[string]string{
			"another's list":    `["https://x2.test/cb"]`,
			"one is missing":    `["` + uriX1 + `/"]`,
			"another case":      `["HTTPS://x1.test/cb"]`,
			"an object":         `{"redirect_uris":["` + uriX1 + `"]}`,
			"a string":          `"` + uriX1 + `"`,
			"null":              `null`,
			"numbers":           `[1]`,
			"not JSON":          `["` + uriX1 + `"`,
			"empty":             ``,
			"deeper than is ok": strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		} {
			s.documents[uri] = text
			for _, kind := range []any{"pairwise", "public", nil} { // suite: whatever the type
				_, err := register(map[string]any{"subject_type": kind})
				if err == nil {
					t.Errorf("%s: taken", name)
					continue
				}
				w.refused(err, InvalidClientMetadata)
			}
		}
	})
	w.run("who chose the address learns nothing of what is there", func(t *testing.T) {
		seen := make(map[string]bool)
		for _, cause := range []error{symbolon.Errorf(symbolon.Denied, "fetch", "10.0.0.1 is not public"), symbolon.Errorf(symbolon.NotFound, "fetch", "404"), context.DeadlineExceeded} {
			s.fails[uri] = cause
			_, err := register(nil)
			seen[w.refused(err, InvalidClientMetadata).Description] = true
		}
		if len(seen) != 1 {
			t.Errorf("%v", seen)
		}
		s.fails[uri] = symbolon.Errorf(symbolon.Busy, "fetch", "too many")
		_, err := register(nil)
		if r := w.refused(err, TooManyRequests); r.RetryAfter <= 0 {
			t.Error("no Retry-After")
		}
		delete(s.fails, uri)
	})
	w.run("not many", func(t *testing.T) {
		w.clock.pass(2 * time.Minute)
		s.documents[uri], s.fetched = `["`+uriX1+`"]`, nil
		for i := range 50 {
			_, err := w.Register(w.ctx, []byte(changed(metadataX1, map[string]any{"sector_identifier_uri": uri})), Registrant{Address: fmt.Sprint(i)})
			if i < strangersPerHost {
				w.ok(err)
				continue
			}
			w.refused(err, TooManyRequests)
		}
		if len(s.fetched) != strangersPerHost {
			t.Errorf("%d fetches", len(s.fetched))
		}
	})
	w.run("the list counts when it is said, and never again", func(t *testing.T) {
		w.clock.pass(2 * time.Minute)
		info, err := register(nil)
		w.ok(err)
		s.documents[uri], s.fetched = `[]`, nil
		w.found(symbolon.ClientID(info.ClientID))
		_, err = w.Registered(w.ctx, info.ClientID, info.RegistrationAccessToken)
		w.ok(err)
		if len(s.fetched) != 0 {
			t.Errorf("fetched %v", s.fetched)
		}
	})
}

// A pairwise app that registered itself gets an ID token about a name of its sector, and
// nothing by which the account could be known.
func TestPairwiseRegistered(t *testing.T) {
	w, _ := newSectors(t)
	info, app := w.joined(map[string]any{"subject_type": "pairwise", "id_token_signed_response_alg": "ES256"})
	if info.Scope != "read openid email" {
		t.Fatalf("scope %s", info.Scope)
	}
	a := w.connected(app, "scope=openid")
	_, claims := w.claims(a.IDToken)
	if claims["sub"] == string(w.U1.ID) || len(claims["sub"].(string)) != 40 {
		t.Errorf("%v", claims)
	}
	_, err := w.Info(w.ctx, Bearer(a.AccessToken))
	w.refused(err, InsufficientScope)
	_, err = w.Authorize(w.ctx, w.request(app, "scope=connect openid"), w.allowing())
	w.redirected(err, InvalidScope, uriX1, "xyz")
}

// A client_id that an older release gave out goes on working, and what it said counts.
func TestOlderClientID(t *testing.T) {
	w, _ := newSectors(t)
	now := w.clock.Now()
	secret, stored := symbolon.NewSecret(now)
	token := sha256.Sum256([]byte("sym_reg_older"))
	// Field by field as release 0.1.0 sealed it.
	plain, err := json.Marshal(map[string]any{
		"n": "Older", "r": []string{uriX1}, "a": "client_secret_post", "w": true, "t": "https://x1.test/terms", "b": false,
		"s": "connect read", "i": now.UnixMilli(), "x": token[:], "y": stored.Hash[:],
	})
	w.ok(err)
	clientID, err := w.ring.Seal(seal.Client, plain, now)
	w.ok(err)
	info, err := w.Registered(w.ctx, clientID, "sym_reg_older")
	w.ok(err)
	if info.ClientName != "Older" || info.Scope != "connect read" || info.TermsURI != "https://x1.test/terms" || info.SubjectType != "public" || info.Contacts != nil {
		t.Errorf("%+v", info)
	}
	app := known(clientID, uriX1)
	w.secrets[app.ID] = secret
	w.alive(w.connected(app))
	// And what such an app says now is sealed as it was then.
	text, err := json.Marshal(whatIsSaid(w.found(app.ID)))
	w.ok(err)
	if string(text) != `{"n":"Older","r":["https://x1.test/cb"],"a":"client_secret_post","w":true,"t":"https://x1.test/terms"}` {
		t.Errorf("its digest changed: it is of %s", text)
	}
}

// The algorithms that an app registered are the only ones.
func TestRegisteredAlgorithms(t *testing.T) {
	w, _ := newSectors(t)
	ec, ed := newPair(t, "k1", jose.ES256), newPair(t, "k2", jose.EdDSA)
	info, app := w.joined(map[string]any{
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "request_object_signing_alg": "EdDSA",
		"jwks": json.RawMessage(set(t, ec, ed)),
	})
	if info.AuthSigning != "ES256" || info.RequestSigning != "EdDSA" || info.ClientSecret != "" {
		t.Errorf("%+v", info)
	}
	w.refused(w.askBy(app, ed.sign(t, nil, w.assertionOf(app))), InvalidClient)
	if err := w.askBy(app, ec.sign(t, nil, w.assertionOf(app))); storeError(err).Refusal == InvalidClient {
		t.Errorf("%v", err)
	}
	object := w.objectOf(app)
	_, err := w.Authorize(w.ctx, w.byObject(app, ec.sign(t, nil, object)), w.allowing())
	w.refused(err, InvalidRequestObject)
	_, err = w.Authorize(w.ctx, w.byObject(app, ed.sign(t, nil, object)), w.allowing())
	w.ok(err)
}

// Metadata that is longer than a client_id can carry is refused, whichever field it is in.
func TestLongOpenIDMetadata(t *testing.T) {
	w, _ := newSectors(t)
	long := make([]string, 10)
	for i := range long {
		long[i] = strings.Repeat(string(rune('a'+i)), maxContact)
	}
	uri := "https://x1.test/" + strings.Repeat("a", 480)
	all := map[string]any{"contacts": long, "default_acr_values": long, "initiate_login_uri": uri}
	_, err := w.register(all)
	w.refused(err, InvalidClientMetadata)
	info, err := w.register(map[string]any{"contacts": long})
	w.ok(err)
	if len(info.ClientID) > maxClientID {
		t.Errorf("%d", len(info.ClientID))
	}
	_, err = w.Reregister(w.ctx, info.ClientID, info.RegistrationAccessToken, []byte(changed(metadataX1, all)), Registrant{Address: "192.0.2.1"})
	w.refused(err, InvalidClientMetadata)
}

// RFC7591-5-b: what is text is one line of what can be seen.
func TestContacts(t *testing.T) {
	w, _ := newSectors(t)
	info, err := w.register(map[string]any{"contacts": []string{"a@x1.test", "\u202e<script>\nx", "", "a@x1.test", strings.Repeat("é", 200)}})
	w.ok(err)
	if !slices.Equal(info.Contacts, []string{"a@x1.test", "<script> x", strings.Repeat("é", 100)}) {
		t.Errorf("%q", info.Contacts)
	}
}

// newRegistrar is an engine that can read registrations, and do nothing else.
func newRegistrar(t rapid.TB) *Engine {
	root, err := seal.NewRootKey()
	if err != nil {
		t.Fatalf("%v", err)
	}
	key, err := jwt.NewKey(root, "ES256")
	if err != nil {
		t.Fatalf("%v", err)
	}
	ring, err := jwt.NewRing([]*seal.RootKey{root}, []symbolon.Key{key})
	if err != nil {
		t.Fatalf("%v", err)
	}
	cfg := Config{
		RegistrationScopes: symbolon.Scopes{"connect", "read", "openid"}, Signing: ring,
		IDToken: func(*IDTokenRequest) (string, error) { return "", nil },
		Fetch: func(context.Context, string) ([]byte, time.Duration, error) {
			return []byte(`["` + uriX1 + `"]`), time.Minute, nil
		},
	}.withDefaults()
	return &Engine{cfg: cfg, strangers: newKeySets()}
}

// checkRegistered holds an app that said all this of itself to what is never taken.
func checkRegistered(t *testing.T, e *Engine, app *symbolon.App) {
	t.Helper()
	o, r := &app.Settings.OpenID, app.Settings.Registration
	for _, algorithm := range []string{o.IDTokenSigning, o.UserinfoSigning, app.Settings.ResponseSigning} {
		if algorithm != "" && algorithm != "ES256" {
			t.Errorf("signs by %s", algorithm)
		}
	}
	for _, algorithm := range []string{app.Settings.AuthSigning, app.Settings.RequestSigning} {
		if algorithm != "" && !slices.Contains(jwt.Algorithms, algorithm) {
			t.Errorf("takes what is signed by %s", algorithm)
		}
	}
	for _, how := range []symbolon.Encryption{o.IDTokenEncryption, o.UserinfoEncryption} {
		if how != (symbolon.Encryption{}) && (!slices.Contains(jwt.KeyAlgorithms, how.Key) || how.Content != "" && !slices.Contains(jwt.ContentAlgorithms, how.Content) || app.Settings.Keys == "" && app.Settings.KeysURI == "") {
			t.Errorf("encrypts by %v", how)
		}
	}
	for _, uri := range []string{r.SectorURI, r.InitiateURI, app.Settings.KeysURI} {
		if uri != "" && !strings.HasPrefix(uri, "https://") {
			t.Errorf("%q is taken", uri)
		}
	}
	if o.Pairwise && (o.Sector == "" || app.Scope.Has("connect") || !claimed(app) || r.SectorURI != "" && !slices.Equal(app.RedirectURIs, []string{uriX1})) {
		t.Errorf("pairwise: %+v", app)
	}
	if len(r.Contacts) > maxContacts || len(o.DefaultACR) > maxContacts || o.DefaultMaxAge < 0 {
		t.Errorf("%+v, %+v", o, r)
	}
}
