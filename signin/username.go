package signin

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"github.com/symbolon/symbolon"
)

// MaxUsername is the length of the longest username in its normal form, in
// bytes.
const MaxUsername = 128

// NormalUsername returns the one spelling under which an account is stored and
// looked up: the UsernameCaseMapped profile of PRECIS (RFC 8265 §3.3), so that
// "Ａdmin", "ADMIN" and " admin " are all "admin". What has no such form is
// refused with an error of kind symbolon.Invalid, whose Detail is a sentence
// for the person who chose the name.
func NormalUsername(s string) (string, error) {
	const op = "username"
	refuse := func(sentence string) (string, error) {
		return "", symbolon.Errorf(symbolon.Invalid, op, "%s", sentence)
	}
	if len(s) > 4*MaxUsername { // before any work; width mapping can shorten a name
		return refuse("a username has at most 128 bytes")
	}
	if !utf8.ValidString(s) {
		return refuse("a username is UTF-8 text")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return refuse("a username has no control characters")
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return refuse("a username cannot be empty")
	}
	name, err := precis.UsernameCaseMapped.String(s)
	if err != nil {
		return refuse("a username is made of letters, digits and marks such as . _ - @, without spaces")
	}
	// A normal form that changes when it is taken again would make one account
	// findable under one spelling and unique under another (RFC 8264 §7).
	if again, err := precis.UsernameCaseMapped.String(name); err != nil || again != name || norm.NFKC.String(name) != name {
		return refuse("a username has no characters that stand for others")
	}
	switch {
	case len(name) > MaxUsername:
		return refuse("a username has at most 128 bytes")
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, "."):
		// "admin." is too easily read as "admin" (ledger B102).
		return refuse("a username neither begins nor ends with a dot")
	}
	return name, nil
}
