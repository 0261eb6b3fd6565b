package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/seal"
)

var now = time.Unix(1_790_000_000, 500_000_000).UTC()

// jane has all that a profile has; nobody has a name only.
var (
	jane = symbolon.Account{
		ID: "d1b03e513fbc5881651d6c149fd259506f975ae1", Username: "jane", Name: "Jane Doe",
		Profile: symbolon.Profile{
			GivenName: "Jane", FamilyName: "Doe", MiddleName: "Q.", Nickname: "J", PreferredUsername: "jdoe", Page: "https://jane.test/me",
			Picture: "https://jane.test/me.png", Website: "https://jane.test", Gender: "female", Birthdate: "1987-10-16", Zone: "Europe/Prague", Locale: "cs",
			Email: "jane@example.com", EmailVerified: true, Phone: "+420555012345", Address: &symbolon.Address{Formatted: "1 Street\nPraha", Country: "CZ"}, UpdatedAt: now,
		},
	}
	nobody = symbolon.Account{ID: "0000000000000000000000000000000000000001", Username: "nobody", Name: "No Body"}
)

func newTeller(t *testing.T) *Teller {
	t.Helper()
	root, err := seal.NewRootKey()
	check(t, err)
	var keys []symbolon.Key
	for _, algorithm := range jwt.Algorithms {
		key, err := jwt.NewKey(root, algorithm)
		check(t, err)
		keys = append(keys, key)
	}
	ring, err := jwt.NewRing([]*seal.RootKey{root}, keys)
	check(t, err)
	return &Teller{Issuer: "https://as.test", Signing: ring, Lifetime: 10 * time.Minute}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read is the header and the claims of a JWT.
func read(t *testing.T, text string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %.20s", text)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		check(t, err)
		check(t, json.Unmarshal(raw, into))
	}
	return header, claims
}

// asked is a request for an ID token of jane's, for an app with an algorithm.
func asked(algorithm string) *oauth.IDTokenRequest {
	return &oauth.IDTokenRequest{
		App: &symbolon.App{ID: "sym_app_c1", Scope: symbolon.Scopes{"openid", "profile", "email"}, Settings: symbolon.Settings{OpenID: symbolon.OpenID{IDTokenSigning: algorithm}}},
		Grant: symbolon.Grant{
			Client: "sym_app_c1", Account: jane.ID, Scope: symbolon.Scopes{"openid", "email"}, AuthAt: now.Add(-time.Hour), ACR: oauth.ACROne, Session: symbolon.SessionID{1},
		},
		Subject: string(jane.ID), Nonce: "n", AccessToken: "sym_at_x", Now: now,
	}
}

func TestIDToken(t *testing.T) {
	p := newTeller(t)
	t.Run("OIDCC-2-a OIDCC-2-b OIDCC-2-c OIDCC-2-f", func(t *testing.T) {
		text, err := p.IDToken(asked("ES256"))
		check(t, err)
		_, claims := read(t, text)
		delete(claims, "at_hash")
		want := map[string]any{
			"iss": "https://as.test", "sub": string(jane.ID), "aud": "sym_app_c1", "iat": 1.79e9, "exp": 1.79e9 + 600, "auth_time": 1.79e9 - 3600,
			"nonce": "n", "acr": "1", "amr": []any{"pwd"}, "sid": "01000000000000000000000000000000",
		}
		// The scope email is for userinfo: not a word of it is here (Core §5.4).
		if !reflect.DeepEqual(claims, want) {
			t.Errorf("%v", claims)
		}
	})
	t.Run("OIDCC-2-d OIDCC-10.1-b", func(t *testing.T) {
		kids := map[any]bool{}
		for asks, want := range map[string]string{"": "RS256", "RS256": "RS256", "ES256": "ES256", "PS256": "PS256", "EdDSA": "EdDSA"} {
			text, err := p.IDToken(asked(asks))
			check(t, err)
			header, _ := read(t, text)
			if header["alg"] != want || header["typ"] != oauth.TypeIDToken || header["kid"] == nil {
				t.Errorf("%q: %v", asks, header)
			}
			kids[header["kid"]] = true
			check(t, p.Signing.Open(oauth.TypeIDToken, text, new(map[string]any), now))
		}
		if len(kids) != 4 {
			t.Errorf("%d keys", len(kids))
		}
		for _, bad := range []string{"none", "HS256"} {
			if text, err := p.IDToken(asked(bad)); err == nil {
				t.Errorf("%s signs %s", bad, text)
			}
		}
	})
	t.Run("OIDCC-3.1.3.6-a", func(t *testing.T) {
		half256, half512 := sha256.Sum256([]byte("sym_at_x")), sha512.Sum512([]byte("sym_at_x"))
		for algorithm, want := range map[string][]byte{"RS256": half256[:16], "ES256": half256[:16], "PS256": half256[:16], "EdDSA": half512[:32]} {
			text, err := p.IDToken(asked(algorithm))
			check(t, err)
			if _, claims := read(t, text); claims["at_hash"] != base64.RawURLEncoding.EncodeToString(want) {
				t.Errorf("%s: %v", algorithm, claims["at_hash"])
			}
		}
	})
	t.Run("what there is not is absent", func(t *testing.T) {
		r := asked("ES256")
		r.Nonce, r.Grant.Session, r.Grant.ACR, r.AccessToken = "", symbolon.SessionID{}, "", ""
		r.Account, r.Grant.Claims = &nobody, "email given_name name/"
		text, err := p.IDToken(r)
		check(t, err)
		_, claims := read(t, text)
		for _, name := range []string{"nonce", "sid", "acr", "amr", "at_hash", "email", "email_verified", "given_name"} {
			if value, there := claims[name]; there {
				t.Errorf("%s is %v", name, value)
			}
		}
		if claims["name"] != "No Body" {
			t.Errorf("%v", claims)
		}
	})
	t.Run("named claims stand for the person, and never for what the token says of itself", func(t *testing.T) {
		r := asked("ES256")
		r.Account, r.Grant.Claims = &jane, "email email_verified sub auth_time acr phone_number/name"
		text, err := p.IDToken(r)
		check(t, err)
		_, claims := read(t, text)
		if claims["email"] != "jane@example.com" || claims["email_verified"] != true || claims["sub"] != string(jane.ID) || claims["acr"] != "1" {
			t.Errorf("%v", claims)
		}
		if claims["phone_number"] != nil || claims["name"] != nil { // the app may not have phone; name is for userinfo
			t.Errorf("%v", claims)
		}
	})
	t.Run("amr says how", func(t *testing.T) {
		for acr, want := range map[string][]any{oauth.ACROne: {"pwd"}, oauth.ACRTwo: {"pwd", "otp", "mfa"}, oauth.ACRPasskey: {"hwk", "user", "mfa"}} {
			r := asked("ES256")
			r.Grant.ACR = acr
			text, err := p.IDToken(r)
			check(t, err)
			if _, claims := read(t, text); !reflect.DeepEqual(claims["amr"], want) || claims["acr"] != acr {
				t.Errorf("%s: %v", acr, claims["amr"])
			}
		}
	})
}

// OIDCC-5.4-a, OIDCC-5.1-a: what each scope tells, and in which type.
func TestClaims(t *testing.T) {
	told := func(a *symbolon.Account, scopes ...string) map[string]any {
		t.Helper()
		raw, err := json.Marshal(Claims(a, scopes, nil))
		check(t, err)
		var got map[string]any
		check(t, json.Unmarshal(raw, &got))
		return got
	}
	profile := map[string]any{
		"name": "Jane Doe", "given_name": "Jane", "family_name": "Doe", "middle_name": "Q.", "nickname": "J", "preferred_username": "jdoe",
		"profile": "https://jane.test/me", "picture": "https://jane.test/me.png", "website": "https://jane.test", "gender": "female",
		"birthdate": "1987-10-16", "zoneinfo": "Europe/Prague", "locale": "cs", "updated_at": 1.79e9,
	}
	for scope, want := range map[string]map[string]any{
		"openid":  {},
		"connect": {},
		"profile": profile,
		"email":   {"email": "jane@example.com", "email_verified": true},
		"phone":   {"phone_number": "+420555012345", "phone_number_verified": false},
		"address": {"address": map[string]any{"formatted": "1 Street\nPraha", "country": "CZ"}},
	} {
		if got := told(&jane, scope); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", scope, got)
		}
	}
	all := []string{"openid", "profile", "email", "phone", "address"}
	if got := told(&nobody, all...); !reflect.DeepEqual(got, map[string]any{"name": "No Body", "preferred_username": "nobody"}) {
		t.Errorf("of whom nothing is known: %v", got)
	}
	empty := nobody
	empty.Profile.Address = &symbolon.Address{}
	if got := told(&empty, "address"); len(got) != 0 {
		t.Errorf("an empty address: %v", got)
	}
	// OIDCD-3-b: all of it, and what an ID token has, is in the metadata.
	supported := Supported()
	for name := range told(&jane, all...) {
		if !slices.Contains(supported, name) {
			t.Errorf("%s is not said to be supported", name)
		}
	}
	if got := Claims(&jane, nil, []string{"email", "hair", "sub"}); len(got) != 1 || got["email"] != "jane@example.com" {
		t.Errorf("by name: %v", got)
	}
}

// Plain, and as an app has it signed: OIDCC-5.3.2-b.
func TestUserinfo(t *testing.T) {
	p := newTeller(t)
	app := &symbolon.App{ID: "sym_app_c1", Scope: symbolon.Scopes{"openid", "email"}}
	about := &oauth.Userinfo{App: app, Account: jane, Subject: "pairwise", Grant: symbolon.Grant{Scope: symbolon.Scopes{"openid"}, Claims: "name/email phone_number"}}
	answer, err := p.Userinfo(about, now)
	check(t, err)
	if answer.JWT || string(answer.Body) != `{"email":"jane@example.com","sub":"pairwise"}` {
		t.Errorf("%s", answer.Body)
	}
	app.Settings.OpenID.UserinfoSigning = "EdDSA"
	answer, err = p.Userinfo(about, now)
	check(t, err)
	header, claims := read(t, string(answer.Body))
	want := map[string]any{"email": "jane@example.com", "sub": "pairwise", "iss": "https://as.test", "aud": "sym_app_c1"}
	if !answer.JWT || header["alg"] != "EdDSA" || !reflect.DeepEqual(claims, want) {
		t.Errorf("%v %v", header, claims)
	}
	// It is no ID token.
	if err := p.Signing.Open(oauth.TypeIDToken, string(answer.Body), new(map[string]any), now); err == nil {
		t.Error("it could be taken for an ID token")
	}
	app.Settings.OpenID.UserinfoSigning = "none"
	if answer, err := p.Userinfo(about, now); err == nil || len(answer.Body) > 0 {
		t.Errorf("none signs %s", answer.Body)
	}
}

// What is encrypted is first signed, and only the app's key reads it; what userinfo need
// not sign is encrypted as it is.
func TestEncrypted(t *testing.T) {
	p := newTeller(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "e1", Use: "enc"}}})
	check(t, err)
	set, err := jwt.ParseSet(raw)
	check(t, err)
	open := func(text, content string) (jose.Header, string) {
		t.Helper()
		sealed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.ContentEncryption(content)})
		check(t, err)
		plain, err := sealed.Decrypt(key)
		check(t, err)
		return sealed.Header, string(plain)
	}
	for content, want := range map[string]string{"": "A128CBC-HS256", "A256GCM": "A256GCM"} {
		r := asked("ES256")
		r.Reader = set
		o := &r.App.Settings.OpenID
		o.IDTokenEncryption = symbolon.Encryption{Key: "ECDH-ES+A256KW", Content: content}
		text, err := p.IDToken(r)
		check(t, err)
		header, signed := open(text, want)
		if header.KeyID != "e1" || header.ExtraHeaders["cty"] != "JWT" {
			t.Errorf("%v", header)
		}
		claims := make(map[string]any)
		check(t, p.Signing.Open(oauth.TypeIDToken, signed, &claims, now))
		if claims["sub"] != string(jane.ID) || claims["nonce"] != "n" {
			t.Errorf("%v", claims)
		}

		o.UserinfoEncryption = o.IDTokenEncryption
		about := &oauth.Userinfo{App: r.App, Account: jane, Subject: "pairwise", Grant: symbolon.Grant{Scope: symbolon.Scopes{"openid", "email"}}, Reader: set}
		answer, err := p.Userinfo(about, now)
		check(t, err)
		header, plain := open(string(answer.Body), want)
		if !answer.JWT || header.ExtraHeaders["cty"] != nil || plain != `{"aud":"sym_app_c1","email":"jane@example.com","email_verified":true,"iss":"https://as.test","sub":"pairwise"}` {
			t.Errorf("%v %s", header, plain)
		}
		o.UserinfoSigning = "ES256"
		answer, err = p.Userinfo(about, now)
		check(t, err)
		header, signed = open(string(answer.Body), want)
		if inner, claims := read(t, signed); header.ExtraHeaders["cty"] != "JWT" || inner["typ"] != "userinfo+jwt" || claims["sub"] != "pairwise" {
			t.Errorf("%v %v", inner, claims)
		}
	}
	// Never plain when it cannot be encrypted.
	r := asked("ES256")
	r.Reader = set
	r.App.Settings.OpenID.IDTokenEncryption.Key = "RSA1_5"
	if text, err := p.IDToken(r); err == nil || text != "" {
		t.Errorf("%q, %v", text, err)
	}
}
