package oauth

import (
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// maxRedirectURI bounds a redirect URI, in bytes.
const maxRedirectURI = 2000

// CheckRedirectURI reports whether a redirect URI may be registered. The error,
// of kind Invalid, says why not.
func CheckRedirectURI(uri string) error {
	return checkWayBack("redirect URI", uri, callbackNames)
}

// checkWayBack reports whether a browser may be sent to a URI with parameters of
// these names added to it.
func checkWayBack(what, uri string, names []string) error {
	bad := func(why string) error {
		return symbolon.Errorf(symbolon.Invalid, what, "%s", why)
	}
	if uri == "" || len(uri) > maxRedirectURI {
		return bad("it must have 1 to 2000 characters")
	}
	for i := range len(uri) {
		if c := uri[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte(`"<>\^`+"`{|}", c) >= 0 {
			return bad("it has a space, a backslash or another character that must be percent-encoded")
		}
	}
	// RFC 6749 §3.1.2: absolute, and no fragment, not even an empty one.
	if strings.Contains(uri, "#") {
		return bad("it must not have a fragment (#)")
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return bad("it must be an absolute URI, such as https://app.example/callback")
	}
	if u.Scheme != strings.ToLower(uri[:strings.IndexByte(uri, ':')]) || uri[:len(u.Scheme)] != u.Scheme {
		return bad("its scheme must be in lower case")
	}
	// Some read ";" between parameters as others read "&".
	for item := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value := cut(item, '=')
		name, ok1 := unescape(name)
		if _, ok2 := unescape(value); !ok1 || !ok2 {
			return bad("its query has a broken percent-escape")
		}
		if slices.Contains(names, name) {
			return bad("its query must not have " + name + ", which this server adds")
		}
	}
	switch u.Scheme {
	case "https", "http":
		if u.User != nil || u.Opaque != "" || u.Hostname() == "" {
			return bad("it must name a host, and no user")
		}
		if u.Host != strings.ToLower(u.Host) {
			return bad("its host must be in lower case")
		}
		if u.Scheme == "http" && !isLoopback(u.Hostname()) {
			return bad("plain http is for this computer only (http://127.0.0.1, http://[::1] or http://localhost); use https")
		}
	default:
		// RFC 8252 §7.1: a private-use scheme is a domain name in reverse, so it
		// has a dot; that also rules out javascript:, data: and their like.
		if !strings.Contains(u.Scheme, ".") {
			return bad("its scheme must be https, or a domain name in reverse such as com.example.app")
		}
		if u.User != nil {
			return bad("it must not name a user")
		}
	}
	return nil
}

func isLoopback(host string) bool {
	return host == "127.0.0.1" || host == "::1" || host == "localhost"
}

// matchRedirectURI reports whether uri is one of the app's, byte for byte
// (RFC 9700 §2.1). The port of a loopback IP address may differ (RFC 8252
// §7.3); that of localhost may for public apps only, which is what native
// clients send in spite of RFC 8252 §8.3.
func matchRedirectURI(app *symbolon.App, uri string) bool {
	for _, registered := range app.RedirectURIs {
		if registered == uri {
			return true
		}
		for _, origin := range [...]string{"http://127.0.0.1", "http://[::1]", "http://localhost"} {
			if origin == "http://localhost" && !app.Public {
				continue
			}
			want, ok1 := cutPort(registered, origin)
			got, ok2 := cutPort(uri, origin)
			if ok1 && ok2 && want == got {
				return true
			}
		}
	}
	return false
}

// cutPort returns what follows the origin and its port, if any.
func cutPort(uri, origin string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, origin)
	if !ok {
		return "", false
	}
	if digits, ok := strings.CutPrefix(rest, ":"); ok {
		n, port := 0, 0
		for n < len(digits) && n < 5 && '0' <= digits[n] && digits[n] <= '9' {
			port = port*10 + int(digits[n]-'0')
			n++
		}
		if n == 0 || digits[0] == '0' || port > 65535 {
			return "", false
		}
		rest = digits[n:]
	}
	// What follows must begin a path or a query, or be nothing: otherwise the
	// origin is only the beginning of a longer host.
	if rest != "" && rest[0] != '/' && rest[0] != '?' {
		return "", false
	}
	return rest, true
}
