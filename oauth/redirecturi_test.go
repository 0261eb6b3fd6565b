package oauth

import (
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// What may be registered. By ledger id where there is one.
func TestCheckRedirectURI(t *testing.T) {
	for _, uri := range []string{
		"https://c1.test/cb", "https://c1.test", "https://c1.test/", "https://c1.test:8443/cb", "https://192.0.2.1/cb",
		"https://c1.test/cb?a=%2Fb&c", "https://c1.test/cb?", "https://c1.test/%63b", "https://xn--e1afmkfd.test/cb",
		"http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://[::1]/cb", "http://[::1]:3000/", "http://localhost/cb", "http://localhost:8080",
		"com.example.app:/cb", "com.example.app://cb", "com.example.app:cb",
		"https://www.integromat.com/oauth/cb/app", "https://www.make.com/oauth/cb/app",
	} {
		if err := CheckRedirectURI(uri); err != nil {
			t.Errorf("%s may not be registered: %v", uri, err)
		}
	}
	for name, uris := range map[string][]string{
		"RFC6749-3.1.2-a absolute, without a fragment": {"/cb", "cb", "", "//c1.test/cb", "c1.test/cb", "https://c1.test/cb#x", "https://c1.test/cb#", "https://c1.test#", "com.example.app:/cb#"},
		"RFC9700-2.6-b plain http":                     {"http://c1.test/cb", "http://10.0.0.1/cb", "http://127.0.0.2/cb", "http://127.0.0.1.evil.test/cb", "http://localhost.evil/cb", "http://0.0.0.0/cb", "http://127.1/cb", "http://[::ffff:7f00:1]/cb"},
		"B11 a user":                                   {"https://c1.test@evil.test/cb", "https://u:p@c1.test/cb", "https://@c1.test/cb", "http://127.0.0.1:80@evil.test/cb", "http://localhost:8090%25@evil", "https://a@b@c1.test/cb", "com.example.app://u@h/cb"},
		"B12 a fragment":                               {"https://c1.test/cb#code="},
		"B13 characters":                               {"https://c1.test/c b", "https://c1.test/cb\r\nSet-Cookie:x", "https://c1.test/cb\x00", "https://c1.test/cb\x7f", "https://c1.test/cé", `https://c1.test/"cb`, "https://c1.test/<cb>", "https://c1.test/{cb}", "https://c1.test/cb|", "https://c1.test/`cb", "https://c1.test/^cb", "https://c1.test/%zz", "https://c1.test/cb?a=%"},
		"B13 a broken escape in the query's name":      {"https://c1.test/cb?%zz=1", "https://c1.test/cb?a=1&%6=1"},
		"B14 not ASCII, or in upper case":              {"https://С1.test/cb", "https://C1.TEST/cb", "HTTPS://c1.test/cb", "Https://c1.test/cb", "COM.example.app:/cb"},
		"B15 no port":                                  {"https://c1.test:x/cb", "https://:443/cb", "https:///cb", "https://"},
		"B17 backslash, whitespace, scheme-relative":   {`https:\\evil`, `https://c1.test\@evil`, "https:evil", "\thttps://c1.test/cb", "https://c1.test/cb ", " https://c1.test/cb", "https:/c1.test/cb"},
		"B18 reserved names":                           {"https://c1.test/cb?code=x", "https://c1.test/cb?a=1&state=x", "https://c1.test/cb?iss", "https://c1.test/cb?error=", "https://c1.test/cb?error_description=x", "https://c1.test/cb?error_uri=x", "https://c1.test/cb?%63ode=x", "https://c1.test/cb?a;code=x", "https://c1.test/cb?code=x;y", "https://c1.test/cb?co%64e", "com.example.app:cb?code=x"},
		"B78 schemes that run":                         {"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "about:blank", "blob:https://c1.test/x", "ftp://c1.test/cb", "ws://c1.test/cb", "urn:ietf:wg:oauth:2.0:oob", "myapp:/cb"},
		"C47 too long":                                 {"https://c1.test/" + strings.Repeat("x", maxRedirectURI)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, uri := range uris {
				err := CheckRedirectURI(uri)
				if err == nil || symbolon.KindOf(err) != symbolon.Invalid {
					t.Errorf("%q may be registered: %v", uri, err)
				}
			}
		})
	}
}

// What is sent must be what is registered, byte for byte.
func TestMatchRedirectURI(t *testing.T) {
	c1 := &symbolon.App{RedirectURIs: []string{uriC1}}
	for name, uris := range map[string][]string{
		"RFC9700-2.1-a": {"https://c1.test/cb/", "https://C1.test/cb", "https://c1.test:443/cb", "https://c1.test/%63b", "https://c1.test/cb?x", "https://c1.test/./cb", "http://c1.test/cb", "HTTPS://c1.test/cb", "https://c1.test/CB"},
		"B9":            {"https://c1.test/cb/", "https://c1.test/cb/x", "https://c1.test/cbx", "https://c1.test/cb;a", "https://c1.test/c", "https://c1.test", "https://c1.test/", "https://c1.test.evil.test/cb", "https://evilc1.test/cb", "https://evil.test/https://c1.test/cb", ""},
		"B10":           {"https://c1.test/cb/../x", "https://c1.test/cb/%2e%2e/x", "https://c1.test/./cb", "https://c1.test//cb", `https://c1.test/cb\..\x`, "https://c1.test/x/../cb"},
		"B11":           {"https://c1.test@evil.test/cb", "https://evil@c1.test/cb", "https://c1.test:pw@evil.test/cb", "https://@c1.test/cb", "https://a@b@c1.test/cb", "https://c1.test%40evil.test/cb"},
		"B12":           {"https://c1.test/cb#", "https://c1.test/cb#code=", "https://c1.test/cb%23x"},
		"B13":           {"https://c1.test/%63b", "https://c1.test/cb%00", "https://c1.test/cb\x00", "https://c1.test/cb%0d%0aSet-Cookie:x", "https://c1.test/cb\r\nSet-Cookie:x", "https://c1.test/cb%2f", "https://c1.test/cb\xc0\xaf"},
		"B14":           {"https://С1.test/cb", "https://C1.TEST/cb", "https://c1.test./cb", "https://xn--1-7sb.test/cb", "https://c1。test/cb"},
		"B15":           {"https://c1.test:443/cb", "https://c1.test:8443/cb", "https://c1.test:0/cb", "https://c1.test:/cb"},
		"B17":           {`https:\\evil`, "//evil", "//c1.test/cb", "https:evil", "\thttps://c1.test/cb", "https://c1.test/cb ", " https://c1.test/cb", "https://c1.test/cb\n", "https:c1.test/cb", "https:/c1.test/cb", "https:///c1.test/cb"},
		"B18":           {"https://c1.test/cb?code=attacker", "https://c1.test/cb?", "https://c1.test/cb?state=x", "https://c1.test/cb&code=x"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, uri := range uris {
				if matchRedirectURI(c1, uri) {
					t.Errorf("%q passes for %s", uri, uriC1)
				}
			}
		})
	}
	t.Run("RFC6749-3.1.2.2-a", func(t *testing.T) {
		for _, uri := range []string{"", uriC1, "http://127.0.0.1/"} {
			if matchRedirectURI(&symbolon.App{Public: true}, uri) {
				t.Errorf("%q passes for an app without redirect URIs", uri)
			}
		}
	})
	t.Run("several per app", func(t *testing.T) {
		app := &symbolon.App{RedirectURIs: []string{uriC1, "https://www.make.com/oauth/cb/app", "http://127.0.0.1:5678/cb"}}
		for _, uri := range app.RedirectURIs {
			if !matchRedirectURI(app, uri) {
				t.Errorf("%q does not pass", uri)
			}
		}
	})
}

// RFC 8252 §7.3: the port of a loopback address floats, and nothing else.
func TestLoopbackRedirectURI(t *testing.T) {
	native := &symbolon.App{Public: true, RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:4000/cb", "http://localhost/cb", "http://127.0.0.1:9/q?a=1"}}
	for _, uri := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://[::1]/cb", "http://[::1]:5000/cb", "http://localhost:49152/cb", "http://127.0.0.1:33/q?a=1"} {
		if !matchRedirectURI(native, uri) {
			t.Errorf("%s does not pass", uri)
		}
	}
	t.Run("B16", func(t *testing.T) {
		for _, uri := range []string{
			"http://127.1/cb", "http://0x7f000001/cb", "http://2130706433/cb", "http://0.0.0.0/cb", "http://localhost.evil/cb", "http://localhost.evil:80/cb",
			"http://[::ffff:7f00:1]/cb", "http://[::ffff:127.0.0.1]/cb", "http://[0:0:0:0:0:0:0:1]/cb", "http://[::1%25eth0]/cb", "http://127.0.0.1%09/cb", "http://127.0.0.1\t/cb", "http://127.0.0.1./cb",
			"http://127.0.0.01/cb", "http://127.0.0.2/cb", "http://127.0.0.1.evil.test/cb", "http://127.0.0.1evil/cb", "http://LOCALHOST/cb",
		} {
			if matchRedirectURI(native, uri) {
				t.Errorf("%q passes", uri)
			}
		}
	})
	t.Run("B11", func(t *testing.T) {
		for _, uri := range []string{"http://127.0.0.1:80@evil.test/cb", "http://127.0.0.1@evil.test/cb", "http://localhost:8090%25@evil/cb", "http://localhost:80@evil/cb", "http://u@127.0.0.1/cb", "http://u@127.0.0.1:80/cb", "http://127.0.0.1:80:81/cb"} {
			if matchRedirectURI(native, uri) {
				t.Errorf("%q passes", uri)
			}
		}
	})
	t.Run("B15", func(t *testing.T) {
		for _, uri := range []string{"http://127.0.0.1:/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1:080/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:123456/cb", "http://127.0.0.1:8x/cb", "http://127.0.0.1:-1/cb", "http://127.0.0.1:+1/cb", "http://127.0.0.1: 1/cb", "http://127.0.0.1:%38/cb", "http://127.0.0.1:٣/cb"} {
			if matchRedirectURI(native, uri) {
				t.Errorf("%q passes", uri)
			}
		}
	})
	t.Run("nothing but the port", func(t *testing.T) {
		for _, uri := range []string{"https://127.0.0.1:1/cb", "http://127.0.0.1:1/cb/", "http://127.0.0.1:1/cb?x", "http://127.0.0.1:1/CB", "http://127.0.0.1:1", "http://127.0.0.1:1/cb#", "http://127.0.0.1:1//cb", "http://127.0.0.1:33/q", "http://127.0.0.1:33/q?a=2", "http://127.0.0.1:1/cb\\", "http://127.0.0.1:1?/cb"} {
			if matchRedirectURI(native, uri) {
				t.Errorf("%q passes", uri)
			}
		}
	})
	t.Run("localhost floats for public apps only", func(t *testing.T) {
		web := &symbolon.App{RedirectURIs: []string{"http://localhost/cb", "http://127.0.0.1/cb"}}
		if matchRedirectURI(web, "http://localhost:1/cb") {
			t.Error("the port of localhost floats for an app with a secret")
		}
		if !matchRedirectURI(web, "http://127.0.0.1:1/cb") {
			t.Error("the port of 127.0.0.1 does not float for an app with a secret")
		}
	})
	t.Run("one host is not the other", func(t *testing.T) {
		one := &symbolon.App{Public: true, RedirectURIs: []string{"http://127.0.0.1/cb"}}
		for _, uri := range []string{"http://localhost/cb", "http://localhost:1/cb", "http://[::1]:1/cb"} {
			if matchRedirectURI(one, uri) {
				t.Errorf("%s passes for %s", uri, one.RedirectURIs[0])
			}
		}
	})
}

// Whatever passes and may be registered: the URL that the browser is sent to
// goes, for another reader of URLs, to the registered scheme, host and path,
// with the registered query in front and our parameters once behind it.
func FuzzRedirectURI(f *testing.F) {
	for _, uri := range []string{
		uriC1, uriC1 + "/", uriC1 + "?a=%2Fb&c", uriC1 + "?", uriC1 + "?a;b", "https://c1.test@evil.test/cb", "http://127.0.0.1:80@evil.test/cb", "http://127.0.0.1:8080/cb",
		"http://[::1]:1/cb", "http://localhost:123/cb", "com.example.app:/cb", "com.example.app:cb", `https:\\evil`, "https://c1.test/cb#", "javascript:alert(1)", "http://127.0.0.1:1?x", "https://c1.test/%63b", "https://c1.test:443",
	} {
		f.Add(uri, uri)
		f.Add("http://127.0.0.1/cb", uri)
		f.Add("http://localhost/cb", uri)
	}
	f.Fuzz(func(t *testing.T, registered, sent string) {
		if CheckRedirectURI(registered) != nil {
			return
		}
		app := &symbolon.App{Public: true, RedirectURIs: []string{registered}}
		if !matchRedirectURI(app, registered) {
			t.Fatalf("%q does not match itself", registered)
		}
		if !matchRedirectURI(app, sent) {
			return
		}
		if CheckRedirectURI(sent) != nil {
			t.Fatalf("%q passes for %q and may not be registered itself", sent, registered)
		}
		callback := Callback{RedirectURI: sent, Code: "a&b=c d", State: "é#\r\n", Issuer: "https://as.test"}
		got, err := url.Parse(callback.URL())
		if err != nil {
			t.Fatalf("%q: %v", callback.URL(), err)
		}
		want, err := url.Parse(registered)
		if err != nil {
			t.Fatal(err)
		}
		if got.Scheme != want.Scheme || got.Hostname() != want.Hostname() || got.EscapedPath() != want.EscapedPath() || got.Opaque != want.Opaque || got.User != nil || got.Fragment != "" || strings.Contains(callback.URL(), "#") {
			t.Fatalf("%q was registered, %q was sent, and the browser goes to %q", registered, sent, callback.URL())
		}
		if got.Port() != want.Port() && (want.Scheme != "http" || !isLoopback(want.Hostname())) {
			t.Fatalf("%q was registered and the browser goes to %q", registered, callback.URL())
		}
		if !strings.HasPrefix(got.RawQuery, want.RawQuery) {
			t.Fatalf("the query %q becomes %q", want.RawQuery, got.RawQuery)
		}
		ours := strings.TrimPrefix(strings.TrimPrefix(got.RawQuery, want.RawQuery), "&")
		q, err := url.ParseQuery(ours)
		if err != nil || len(q) != 3 || q.Get("code") != callback.Code || q.Get("state") != callback.State || q.Get("iss") != callback.Issuer {
			t.Fatalf("ours is %q", ours)
		}
		for name, values := range got.Query() {
			if (name == "code" || name == "state" || name == "iss") && len(values) != 1 {
				t.Fatalf("%s stands twice in %q", name, callback.URL())
			}
		}
	})
}
