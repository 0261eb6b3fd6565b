package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Lengths to which texts of apps and accounts are cut, in characters.
const (
	maxName     = 80
	maxSentence = 240
	maxURI      = 400
	maxPassage  = 800
)

// clean makes a text from outside fit to stand in a page of ours: one line
// without what cannot be seen or turns the text around it, with at most two
// marks on a letter, cut to limit characters. It may be empty then.
func clean(s string, limit int) string {
	var b strings.Builder
	n, marks := 0, 0
	space := false
	for _, r := range s {
		switch {
		case r == utf8.RuneError, hidden(r):
			continue
		case unicode.IsSpace(r), r == '\u2800': // a braille cell without dots
			space = b.Len() > 0
			continue
		case unicode.Is(unicode.M, r):
			if marks++; marks > 2 || b.Len() == 0 {
				continue
			}
		case r == '\u200c', r == '\u200d': // joiners, which some scripts need within words
			if b.Len() == 0 || space || marks > 2 {
				continue
			}
			marks = 3 // no second one
		default:
			marks = 0
		}
		if n >= limit {
			return strings.TrimRight(b.String(), " \u200c\u200d") + "…"
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimRight(b.String(), "\u200c\u200d")
}

// hidden reports whether a character has no picture of its own: controls,
// directions, joiners of words, tags, private use, and the letters that are
// blank.
func hidden(r rune) bool {
	switch r {
	case '\u200c', '\u200d':
		return false // see clean
	case '\u115f', '\u1160', '\u17b4', '\u17b5', '\u3164', '\uffa0':
		return true
	case '\t', '\n', '\v', '\f', '\r', '\u0085':
		return false // spaces
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point)
}

// visible spells out what cannot be seen in a URI: spaces, what is hidden, and
// bytes that are no text.
func visible(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, "‹%02X›", s[i])
				continue
			}
			b.WriteRune(r)
		case hidden(r), unicode.IsSpace(r), unicode.Is(unicode.M, r), r == '\u200c', r == '\u200d', r == '\u2800':
			fmt.Fprintf(&b, "‹%U›", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isolate wraps a cleaned text so that its direction stays its own.
func isolate(s string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(s) + "</bdi>")
}

// readableURI is a URI from outside for people to read, cut to a bound.
func readableURI(s string) template.HTML {
	s = visible(s)
	if cut := firstRunes(s, maxURI); cut != s {
		s = cut + "…"
	}
	return template.HTML(`<bdi dir="ltr">` + template.HTMLEscapeString(s) + "</bdi>")
}

// readableHost is a host for people to read: in ASCII, so that no letter passes
// for another ("xn--…").
func readableHost(s string) template.HTML {
	if ascii, err := idna.Punycode.ToASCII(s); err == nil {
		s = ascii
	}
	s = visible(s)
	if cut := firstRunes(s, 253); cut != s {
		s = cut + "…"
	}
	return template.HTML(`<bdi dir="ltr">` + template.HTMLEscapeString(s) + "</bdi>")
}

// outsideLink returns s if it may become a link: https, or http on this very
// computer; else "".
func outsideLink(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || len(s) > 2048 {
		return ""
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return u.String()
	}
	return ""
}

// retryLink returns s if it is a path of this server or an outside link.
func retryLink(s string) string {
	// Browsers leave out tabs and line ends, and read "\" as "/".
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return ""
	}
	if strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") {
		return s
	}
	return outsideLink(s)
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
