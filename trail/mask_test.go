package trail

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

func TestMask(t *testing.T) {
	jwt := func(header, body string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(body)) + ".c2lnbmF0dXJl"
	}
	for _, c := range []struct {
		name, value string
		want        string // the value, or ‹kind› and the notes
	}{
		{"client_id", "sym_app_qn3y5b7k2m4p6r8t", "sym_app_qn3y5b7k2m4p6r8t"},
		{"client_id", "https://app.example/client.json", "https://app.example/client.json"},
		{"client_id", "sym_app_x ", "sym_app_x ends with white space"},
		{"client_id", "my-own-secret", "‹text without spaces›"},
		{"client_id", "sym_secret_ABCDEFGH", "‹client_secret of this server›"},
		{"redirect_uri", "https://www.make.com/oauth/cb/app?x=1", "https://www.make.com/oauth/cb/app?x=1"},
		{"redirect_uri", "https://jane:pw@app.example/", "‹URI›"},
		{"redirect_uri", "https://app.example/?access_token=abc", "‹URI›"},
		{"redirect_uri", "https://app.example/%3Faccess_token%3Dabc", "‹URI›"},
		{"redirect_uri", "https://app.example/sym_rt_abcdef", "‹URI›"},
		{"redirect_uri", "https%3A%2F%2Fapp.example%2Fcb", "https%3A%2F%2Fapp.example%2Fcb is percent-encoded once too often"},
		{"scope", "connect files.read", "connect files.read"},
		{"scope", "connect wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "‹text›"},
		{"grant_type", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:device_code"},
		{"client_secret", "sym_secret_ABCDEFGH\n", "‹client_secret of this server› ends with white space"},
		{"client_secret", `"quoted"`, "‹text without spaces› stands in quotation marks"},
		{"client_secret", "a%2Bb%3D", "‹text without spaces› is percent-encoded once too often"},
		{"code", "{{connection.code}}", "‹placeholder that nobody filled in›"},
		{"code", "undefined", "‹the word undefined›"},
		{"code", "", "‹nothing›"},
		{"code_verifier", "abc def", "‹text›"},
		{"state", "0123456789abcdef", "‹hexadecimal text›"},
		{"login_hint", "jane@example.com", "‹text›"},
		{"refresh_token", "Bearer sym_rt_abc", "‹Bearer, then refresh token of this server›"},
		{"Authorization", "Bearer sym_at_abc", "‹Bearer, then access token of this server›"},
		{"Authorization", "Basic YTpi", "‹Basic›"},
		{"Authorization", "sym_at_abc", "‹another scheme than Basic, Bearer and DPoP: access token of this server›"},
		{"DPoP", jwt(`{"alg":"ES256","typ":"dpop+jwt"}`, `{"htm":"POST","htu":"https://a.example/token","iat":1800000000,"jti":"hush"}`),
			"‹JWT› alg is ES256 typ is dpop+jwt htm is POST htu is https://a.example/token iat is 2027-01-15T08:00:00Z"},
		{"client_assertion", jwt(`{"alg":"ES256"}`, `{"iss":"sym_app_x","sub":"hush","aud":"https://a.example?token=hush"}`), "‹JWT› alg is ES256 iss is sym_app_x"},
		{"client_assertion", "eyJx.eyJ!.x", "‹JWT› is no JWT: a part of it is not JSON in base64url"},
	} {
		list, more := Mask([]Arrived{{In: "body", Name: c.name, Value: c.value}})
		v := list[0]
		got := v.Value
		if v.Masked {
			got = "‹" + v.Kind + "›"
			if v.Length != len(c.value) {
				t.Errorf("%s %q: %d bytes", c.name, c.value, v.Length)
			}
		}
		if got = strings.TrimSpace(strings.Join(append([]string{strings.TrimSpace(got)}, v.Notes...), " ")); got != c.want || more != 0 {
			t.Errorf("%s %q: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestMaskNames(t *testing.T) {
	for name, want := range map[string]string{
		"code": "code", "redirect_url": "redirect_url", "clientId": "clientId", "hunter2": "(unknown)", `{"client_secret":"x"`: "(unknown)",
		"aVeryLongNameThatCouldBeASecret": "(unknown)", "a b": "(unknown)",
	} {
		list, _ := Mask([]Arrived{{Name: name, Value: "v"}})
		if list[0].Name != want || !list[0].Masked {
			t.Errorf("%q: %+v, want %q", name, list[0], want)
		}
	}
	if list, _ := Mask([]Arrived{{Name: "passphrase"}}); list[0].Name != "(unknown)" {
		t.Errorf("a name without a value is shown: %+v", list[0])
	}
}

// A challenge is no secret, unless the verifier itself stands there.
func TestMaskChallenge(t *testing.T) {
	challenge := strings.Repeat("Ab3_", 11)[:43]
	for method, shown := range map[string]bool{"S256": true, "plain": false, "": false} {
		list, _ := Mask([]Arrived{{Name: "code_challenge", Value: challenge}, {Name: "code_challenge_method", Value: method}})
		if list[0].Masked == shown {
			t.Errorf("%q: %+v", method, list[0])
		}
	}
}

// What is masked in one place is shown in no other of the same request.
func TestMaskElsewhere(t *testing.T) {
	secret := "correcthorsebatterystaple"
	list, _ := Mask([]Arrived{
		{Name: "client_secret", Value: secret}, {Name: "redirect_uri", Value: "https://a.example/" + secret}, {Name: "scope", Value: secret}, {Name: secret, Value: "x"},
		{Name: "User-Agent", Value: "x " + secret[5:19]},
	})
	text, _ := json.Marshal(list)
	for i := 0; i+minRun <= len(secret); i++ {
		if strings.Contains(string(text), secret[i:i+minRun]) {
			t.Fatalf("%s", text)
		}
	}
	why := Explain(&symbolon.Explanation{Facts: []string{"so " + secret}, Compared: []symbolon.Comparison{{What: "redirect_uri", Came: "https://a.example/" + secret}, {What: "redirect_uri", Came: "https://a.example/?code=x"}}},
		[]Arrived{{Name: "client_secret", Value: secret}})
	text, _ = json.Marshal(why)
	if strings.Contains(string(text), secret[:minRun]) || strings.Contains(string(text), "code=x") {
		t.Errorf("%s", text)
	}
}

// However much arrives, and however it is made to be slow, it takes little time.
func TestMaskIsQuick(t *testing.T) {
	var arrived []Arrived
	for range 50 {
		arrived = append(arrived, Arrived{Name: "redirect_uri", Value: "https://" + strings.Repeat("%25", 20_000)}, Arrived{Name: "client_secret", Value: strings.Repeat("a", 60_000)}, Arrived{Name: "scope", Value: strings.Repeat("a", 60_000)})
	}
	start := time.Now()
	list, more := Mask(arrived)
	if took := time.Since(start); took > 200*time.Millisecond { // it is a tenth of that
		t.Errorf("it took %v", took)
	}
	if len(list) != maxValues || more != 150-maxValues || !list[0].Masked || list[0].Length != 60_008 {
		t.Errorf("%d, %d, %+v", len(list), more, list[0])
	}
}

// No run of twelve bytes of a secret is in an entry, wherever it stood and whatever stood
// beside it.
func FuzzMask(f *testing.F) {
	f.Add("code_verifier", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "redirect_uri", "https://a.example/cb")
	f.Add("client_secret", "sym_secret_ABCDEFGHIJKLMNOPQRST", "scope", "sym_secret_ABCDEFGHIJKLMNOPQRST")
	f.Add("Authorization", "Basic c3ltX2FwcF94OnN5bV9zZWNyZXRfQUJDREVGR0hJSktM", "User-Agent", "curl")
	f.Add("", "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZS8ifQ.c2ln", "client_id", "sym_app_x")
	f.Add("assertion", "eyJhbGciOiJBQUFBQUFBQUFBQUFBQUFBIn0.eyJpc3MiOiJBQUFBQUFBQUFBQUFBQUFBIn0.AAAAAAAAAAAA", "resource", "https://a.example/AAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, name, secretValue, beside, other string) {
		if sort, listed := shown[name]; listed && sort != secret || name == "code_challenge" || len(secretValue) < minRun || len(secretValue) > 2000 || !utf8.ValidString(secretValue) {
			return
		}
		arrived := []Arrived{{In: "body", Name: name, Value: secretValue}, {In: "query", Name: beside, Value: other + secretValue}, {In: "body", Name: beside, Value: other}}
		arrived = append(arrived, Authorization("Basic "+base64.StdEncoding.EncodeToString([]byte("sym_app_x:"+secretValue)))...)
		e := symbolon.TrailEntry{Why: Explain(&symbolon.Explanation{Facts: []string{secretValue}, Compared: []symbolon.Comparison{{What: beside, Came: other + secretValue}}}, arrived)}
		e.Sent, e.More = Mask(arrived)
		text, err := e.Encode()
		if err != nil || len(text) > symbolon.MaxTrailEntry {
			t.Fatal(len(text), err)
		}
		var all strings.Builder
		for _, v := range e.Sent {
			all.WriteString(v.Name + "\x00" + v.Value + "\x00" + strings.Join(v.Notes, "\x00") + "\x00")
		}
		all.WriteString(e.Why.Compared[0].Came + "\x00" + strings.Join(e.Why.Facts, "\x00"))
		for i := 0; i+minRun <= len(secretValue); i++ {
			run := secretValue[i : i+minRun]
			// The name may be a word of ours that the fuzzer has found.
			if strings.Contains(all.String(), run) && !strings.Contains(beside, run) && !strings.Contains(name, run) && !strings.Contains(strings.Join(known, " "), run) && !ourWords(run) {
				t.Fatalf("%q of the secret is in %s", run, text)
			}
		}
	})
}

// ourWords reports whether a text stands in what this package itself says.
func ourWords(run string) bool {
	for _, s := range []string{"(unknown)", "sym_app_x", "begins with white space", "ends with white space", "has a line break in it", "stands in quotation marks", "is percent-encoded once too often", "is long",
		"is no JWT: a part of it is not JSON in base64url", "is Basic, and what follows is not base64", "is Basic, and there is no colon in what was encoded", "is empty"} {
		if strings.Contains(s, run) {
			return true
		}
	}
	for name := range shown {
		if strings.Contains(name, run) {
			return true
		}
	}
	return false
}

// What this server makes is known by how it begins, wherever it stands.
func TestOursAreAll(t *testing.T) {
	secrets := []string{"sym_secret_", "sym_reg_", "whsec_"}
	for _, p := range []seal.Prefix{seal.Code, seal.AccessToken, seal.RefreshToken, seal.DeviceCode, seal.Flow, seal.Device, seal.Nonce, seal.Pushed, seal.Play, seal.Away, seal.Reset, seal.Root} {
		secrets = append(secrets, string(p))
	}
	for _, prefix := range secrets {
		value := prefix + strings.Repeat("x", 43)
		list, _ := Mask([]Arrived{{In: "query", Name: "redirect_uri", Value: "https://app.example/" + value}, {In: "header", Name: "User-Agent", Value: "curl " + value}})
		for _, v := range list {
			if !v.Masked || strings.Contains(v.Value, "xxx") {
				t.Errorf("%s: %+v", prefix, v)
			}
		}
		if kind := kindOf(value); !strings.Contains(kind, "of this server") {
			t.Errorf("%s: %s", prefix, kind)
		}
	}
}
