package admin

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName bounds the name of an app or an account, in characters.
const MaxName = 100

// CheckName reports whether a name may be shown to people as it is: 1 to 100
// characters, none of which breaks the line or turns the text around it.
func CheckName(what, name string) error {
	switch {
	case !utf8.ValidString(name):
		return fault("the %s is not UTF-8 text", what)
	case strings.TrimSpace(name) == "":
		return fault("the %s is empty", what)
	case strings.TrimSpace(name) != name:
		return fault("the %s begins or ends with a space", what)
	case utf8.RuneCountInString(name) > MaxName:
		return fault("the %s has more than %d characters", what, MaxName)
	case strings.ContainsFunc(name, Unfit):
		return fault("the %s has control characters, or characters that change the direction of text", what)
	}
	return nil
}

// Unfit reports whether a character may not stand in a name: controls, line
// ends, and what sets the direction of text (UAX #9).
func Unfit(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\ufeff':
		return true
	case r == '\u061c', r == '\u200e', r == '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

// CheckHome reports whether a URL may stand on the consent page as the site of
// an app's owner: absolute, https, and without user, or empty.
func CheckHome(home string) error {
	if home == "" {
		return nil
	}
	u, err := url.Parse(home)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return mend(fmt.Errorf("the home is not an absolute https URL"), "write it as https://example.com/")
	case u.User != nil:
		return fault("the home must not name a user")
	case len(home) > 2000 || strings.ContainsFunc(home, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return mend(fmt.Errorf("the home is longer than 2000 characters, or has characters that must be percent-encoded"), "write it as https://example.com/")
	}
	return nil
}
