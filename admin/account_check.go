package admin

import (
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
)

var (
	birthdate = regexp.MustCompile(`^([0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2})$`)
	zone      = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`)
	language  = regexp.MustCompile(`^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$`)
	telephone = regexp.MustCompile(`^\+?[0-9][0-9 ()./-]{2,30}(;ext=[0-9]{1,10})?$`)
)

// CheckProfile holds a profile to the forms of OpenID Connect Core §5.1. The first
// claim that is wrong is told.
func CheckProfile(p *symbolon.Profile) error {
	for _, c := range []struct {
		claim, value, form string
		fits               func(string) bool
	}{
		{"given_name", p.GivenName, "", nil}, {"family_name", p.FamilyName, "", nil}, {"middle_name", p.MiddleName, "", nil}, {"nickname", p.Nickname, "", nil},
		{"preferred_username", p.PreferredUsername, "", nil}, {"gender", p.Gender, "", nil},
		{"profile", p.Page, "an absolute https or http URL", isLink}, {"picture", p.Picture, "an absolute https or http URL", isLink}, {"website", p.Website, "an absolute https or http URL", isLink},
		{"birthdate", p.Birthdate, "a date such as 1987-10-16, a year, or 0000-10-16 without one", isBirthdate},
		{"zoneinfo", p.Zone, "a time zone such as Europe/Prague", zone.MatchString}, {"locale", p.Locale, "a language such as en-GB", language.MatchString},
		{"email", p.Email, "an address such as jane@example.com", isAddress}, {"phone_number", p.Phone, "a number such as +420555012345", telephone.MatchString},
	} {
		if c.value == "" {
			continue
		}
		if c.fits == nil {
			if err := CheckName(c.claim, c.value); err != nil {
				return err
			}
			continue
		}
		if len(c.value) > 2000 || strings.ContainsFunc(c.value, Unfit) || !c.fits(c.value) {
			return fault("%s: %q is not %s", c.claim, printable(c.value), c.form)
		}
	}
	switch {
	case p.EmailVerified && p.Email == "":
		return mend(fmt.Errorf("there is no email address that could be verified"), "add --email ADDRESS, or --no-email-verified")
	case p.PhoneVerified && p.Phone == "":
		return mend(fmt.Errorf("there is no telephone number that could be verified"), "add --phone NUMBER, or --no-phone-verified")
	}
	if a := p.Address; a != nil {
		for _, line := range []string{a.Formatted, a.Street, a.Locality, a.Region, a.PostalCode, a.Country} {
			if !utf8.ValidString(line) || len(line) > 1000 || strings.ContainsFunc(strings.ReplaceAll(line, "\n", ""), Unfit) {
				return fault("the address has a part that is longer than 1000 bytes, or has control characters")
			}
		}
	}
	return nil
}

func isLink(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
}

func isAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text && a.Name == "" && len(text) <= 254
}

func isBirthdate(text string) bool {
	if !birthdate.MatchString(text) {
		return false
	}
	if len(text) == 4 {
		return true
	}
	if strings.HasPrefix(text, "0000-") {
		text = "2000" + text[4:] // a leap year
	}
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}
