package web

import (
	"math"
	"net/url"
	"strings"
)

// Part is a run of characters of a URI.
type Part struct {
	Text string
	// Differs says that the run is not in the other URI. An empty run that
	// differs is a place where the other URI has something more.
	Differs bool
}

// Candidate is a registered redirect URI.
type Candidate struct {
	URI   string
	Parts []Part
	// Nearest is set for the one that is most like what was sent.
	Nearest bool
}

// Mismatch sets a redirect URI that was sent beside those registered, and shows
// where it differs from the nearest of them. What cannot be seen in a URI is
// spelled out ("‹U+0020›").
type Mismatch struct {
	Sent       string
	SentParts  []Part
	Registered []Candidate
	// Hint names the difference, when it is one of the usual ones: "slash",
	// "scheme", "port", "host", "www", "case", "query", "fragment", "space", "path",
	// "encoding"; or it is empty.
	Hint string
}

// maxCompared bounds the work and the page, in characters of a URI.
const maxCompared = 2048

// maxRegistered bounds how many registered URIs are shown.
const maxRegistered = 20

// NewMismatch compares what was sent with what is registered.
func NewMismatch(sent string, registered []string) *Mismatch {
	raw := firstRunes(sent, maxCompared)
	sent = visible(raw)
	m := &Mismatch{Sent: sent, SentParts: []Part{{Text: sent, Differs: true}}}
	nearest, best := -1, math.MinInt
	for i, uri := range registered[:min(len(registered), maxRegistered)] {
		uri = visible(firstRunes(uri, maxCompared))
		m.Registered = append(m.Registered, Candidate{URI: uri, Parts: []Part{{Text: uri}}})
		if alike := likeness(sent, uri); alike > best {
			nearest, best = i, alike
		}
	}
	if nearest >= 0 {
		c := &m.Registered[nearest]
		c.Nearest = true
		m.SentParts, c.Parts = differ(sent, c.URI)
		m.Hint = hint(raw, registered[nearest])
		// The nearest first: it is the one to read.
		first := *c
		copy(m.Registered[1:], m.Registered[:nearest])
		m.Registered[0] = first
	}
	return m
}

// differ splits two strings into what they have in common at the front and at
// the back, and the middles that differ. Equal strings are one part each.
func differ(a, b string) (partsA, partsB []Part) {
	if a == b {
		return []Part{{Text: a}}, []Part{{Text: b}}
	}
	ra, rb := []rune(a), []rune(b)
	front := commonPrefix(ra, rb)
	back := commonSuffix(ra[front:], rb[front:])
	if left := slide(ra, rb, front, back); left > 0 {
		front, back = front-left, back+left
	} else {
		front -= labelBegun(ra[:front], ra[front:len(ra)-back], rb[front:len(rb)-back])
	}
	split := func(r []rune) []Part {
		var parts []Part
		if front > 0 {
			parts = append(parts, Part{Text: string(r[:front])})
		}
		parts = append(parts, Part{Text: string(r[front : len(r)-back]), Differs: true})
		if back > 0 {
			parts = append(parts, Part{Text: string(r[len(r)-back:])})
		}
		return parts
	}
	return split(ra), split(rb)
}

// slide returns how far to the left the middle reads better when one string has
// only something more than the other: "www." rather than "ww.w" before
// "weathermill". It is 0 unless some place begins at a delimiter.
func slide(a, b []rune, front, back int) int {
	more := a
	if len(b) > len(a) {
		more = b
	}
	if min(len(a), len(b)) != front+back {
		return 0
	}
	const delimiters = "/.:?#&="
	for left := 0; left < front; left++ {
		start, end := front-left, len(more)-back-left
		if strings.ContainsRune(delimiters, more[start-1]) || strings.ContainsRune(delimiters, more[start]) {
			return left
		}
		if more[start-1] != more[end-1] {
			return 0
		}
	}
	return 0
}

// labelBegun returns how many runes at the end of front belong to a label of the
// host that goes on in both middles, when one of them reaches beyond that
// label: "www.other" against "weathermill" reads better than "ww.other" against
// "eathermill".
func labelBegun(front, a, b []rune) int {
	const ends = "./:?#"
	if len(a) == 0 || len(b) == 0 || strings.ContainsRune(ends, a[0]) || strings.ContainsRune(ends, b[0]) {
		return 0 // the label ends here, in one of them
	}
	if !strings.ContainsAny(string(a), ends) && !strings.ContainsAny(string(b), ends) {
		return 0
	}
	_, host, ok := strings.Cut(string(front), "://")
	if !ok || strings.ContainsAny(host, "/?#") {
		return 0 // the host is whole
	}
	return len([]rune(host[strings.LastIndexAny(host, ".:@")+1:]))
}

// likeness is how much of two strings is in common at both ends, four times
// over, less what is not, in characters.
func likeness(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	front := commonPrefix(ra, rb)
	back := commonSuffix(ra[front:], rb[front:])
	common := front + back
	return 4*common - (len(ra) - common) - (len(rb) - common)
}

func commonPrefix(a, b []rune) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []rune) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// hint names the difference between what was sent and what is registered, if
// it is one of the usual mistakes.
func hint(sent, registered string) string {
	switch {
	case strings.TrimSpace(sent) == registered:
		return "space"
	case strings.TrimRight(sent, "/") == strings.TrimRight(registered, "/"):
		return "slash"
	case strings.EqualFold(sent, registered):
		return "case"
	}
	s, errS := url.Parse(sent)
	r, errR := url.Parse(registered)
	if errS != nil || errR != nil {
		return ""
	}
	if s.Fragment != "" && withoutFragment(sent) == registered {
		return "fragment"
	}
	if unescaped(sent) == registered {
		return "encoding"
	}
	// Exactly one component differs.
	var differs []string
	for _, c := range []struct {
		name string
		same bool
	}{
		{"scheme", s.Scheme == r.Scheme},
		{"host", s.Hostname() == r.Hostname()},
		{"port", s.Port() == r.Port()},
		{"path", s.EscapedPath() == r.EscapedPath()},
		{"query", s.RawQuery == r.RawQuery},
	} {
		if !c.same {
			differs = append(differs, c.name)
		}
	}
	if len(differs) == 1 && differs[0] == "host" && strings.TrimPrefix(s.Hostname(), "www.") == strings.TrimPrefix(r.Hostname(), "www.") {
		return "www"
	}
	if len(differs) == 1 && s.Fragment == "" && r.Fragment == "" {
		return differs[0]
	}
	return ""
}

func withoutFragment(uri string) string {
	before, _, _ := strings.Cut(uri, "#")
	return before
}

func unescaped(uri string) string {
	if plain, err := url.PathUnescape(uri); err == nil {
		return plain
	}
	return uri
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
