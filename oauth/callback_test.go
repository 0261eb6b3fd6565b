package oauth

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCallbackURL(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    Callback
		want string
	}{
		{"success", Callback{RedirectURI: uriC1, Code: "c", State: "s", Issuer: "https://as.test"}, "https://c1.test/cb?code=c&state=s&iss=https%3A%2F%2Fas.test"},
		{"RFC6749-4.1.2-b no state", Callback{RedirectURI: uriC1, Code: "c", Issuer: "i"}, "https://c1.test/cb?code=c&iss=i"},
		{"RFC6749-4.1.2.1-e an error without a code", Callback{RedirectURI: uriC1, Error: "access_denied", Description: "No.", State: "s", Issuer: "i"}, "https://c1.test/cb?error=access_denied&error_description=No.&state=s&iss=i"},
		{"RFC6749-3.1.2-b the registered query stays byte for byte", Callback{RedirectURI: uriC1 + "?a=%2Fb&c", Code: "c", Issuer: "i"}, "https://c1.test/cb?a=%2Fb&c&code=c&iss=i"},
		{"an empty query", Callback{RedirectURI: uriC1 + "?", Code: "c", Issuer: "i"}, "https://c1.test/cb?code=c&iss=i"},
		{"a private-use scheme", Callback{RedirectURI: "com.example.app:/cb", Code: "c", Issuer: "i"}, "com.example.app:/cb?code=c&iss=i"},
		{"a bare host", Callback{RedirectURI: "http://127.0.0.1:1234", Code: "c", Issuer: "i"}, "http://127.0.0.1:1234?code=c&iss=i"},
		{"B13 no header injection", Callback{RedirectURI: uriC1, Code: "c", State: "x\r\nSet-Cookie: a=b", Issuer: "i"}, "https://c1.test/cb?code=c&state=x%0D%0ASet-Cookie%3A+a%3Db&iss=i"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.c.URL(); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// RFC6749-4.1.2-a: state comes back as it was sent, whatever it holds.
func TestCallbackState(t *testing.T) {
	check := func(t rapid.TB, state string) {
		u, err := url.Parse((&Callback{RedirectURI: uriC1 + "?a=1", Code: "c", State: state, Issuer: "i"}).URL())
		if err != nil {
			t.Fatal(err)
		}
		if q := u.Query(); q.Get("state") != state || q.Has("state") != (state != "") {
			t.Fatalf("state %q comes back as %q", state, q.Get("state"))
		}
	}
	for _, state := range []string{"a b", "a+b", "a%2Bb", "a&code=x", "é", "#", strings.Repeat("x", 1500), "a:b:c"} {
		check(t, state)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "state")) })
}
