// Package trail writes down, for the owner of an app, what its last requests were and
// what decided them: symbolon.Trail. It never makes a request wait, and no secret comes
// into it: docs/decisions/0035-the-log-that-explains.md.
package trail

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
)

// Arrived is one thing of a request as it came, secrets and all. It is given to Mask
// at once, and kept nowhere.
type Arrived struct {
	// In is as in symbolon.TrailValue.
	In, Name, Value string
	// Fault is what is wrong with it, such as "is repeated", or empty.
	Fault string
}

// sort is how much of a value may be shown. What stands in no list is a secret.
type sort uint8

const (
	secret sort = iota
	word        // one of a few words, or several of them
	uri
	clientID
	challenge
	plain // a header that says what the body is, and the like
)

// shown is the list of what may be shown, by its name. All else is masked.
var shown = map[string]sort{
	"grant_type": word, "response_type": word, "response_mode": word, "scope": word, "prompt": word, "display": word,
	"code_challenge_method": word, "token_type_hint": word, "max_age": word, "acr_values": word, "ui_locales": word,
	"client_assertion_type": word, "requested_token_type": word, "subject_token_type": word, "actor_token_type": word,
	"dpop_jkt": challenge, "code_challenge": challenge,
	"client_id":    clientID,
	"redirect_uri": uri, "resource": uri, "audience": uri, "post_logout_redirect_uri": uri,
	"htu": uri, "htm": word, "typ": word, // of a DPoP proof, where they are compared
	"Content-Type": plain, "Accept": plain, "Origin": uri, "User-Agent": plain,
}

// known are further names that may be shown, of values that may not.
var known = []string{
	"client_secret", "code", "code_verifier", "refresh_token", "access_token", "token", "state", "nonce", "login_hint", "client_assertion",
	"assertion", "device_code", "user_code", "subject_token", "actor_token", "authorization_details", "request", "request_uri", "claims",
	"id_token_hint", "logout_hint", "username", "password", "Authorization", "DPoP", "Cookie",
}

// maxValues bounds how many values of a request are kept.
const maxValues = 40

// Mask returns what may be kept of what arrived, and how much was left out. What it costs
// is bounded, however much arrived: see maxHidden.
func Mask(arrived []Arrived) (list []symbolon.TrailValue, more int) {
	if more = len(arrived) - maxValues; more > 0 {
		arrived = arrived[:maxValues]
	}
	texts := make([]string, 0, 2*len(arrived))
	for i := range arrived {
		texts = append(append(texts, arrived[i].text(), arrived[i].name()), arrived[i].claims()...)
	}
	g := newGuard(arrived, texts)
	for i := range arrived {
		list = append(list, mask(&arrived[i], g))
	}
	return list, max(more, 0)
}

// text is the value as far as it is shown, if it is; name is the name likewise.
func (a *Arrived) text() string { return Cut(a.Value) }
func (a *Arrived) name() string { return a.Name[:min(len(a.Name), maxName+1)] }

// claims are those of a JWT that may be shown, for the parameters that are one.
func (a *Arrived) claims() []string {
	switch a.Name {
	case "client_assertion", "assertion", "request", "DPoP":
		return claims(a.Value)
	}
	return nil
}

// maxHidden is how many bytes of secrets a request may have for anything else of it to be
// shown that is long enough to hold a part of one. Requests have two or three thousand.
const maxHidden = 16 << 10

// guard knows what of some texts is in a secret of the same request.
type guard struct {
	in map[[minRun]byte]bool // each run of the texts: whether it is in a secret
	no bool                  // nothing is shown
}

// minRun is how many bytes in a row of a secret may be seen nowhere.
const minRun = 12

func newGuard(arrived []Arrived, texts []string) *guard {
	g := &guard{in: make(map[[minRun]byte]bool)}
	hidden, total := secretsOf(arrived), 0
	for _, s := range hidden {
		total += len(s)
	}
	if total > maxHidden {
		g.no = true
		return g
	}
	for _, s := range texts {
		for i := 0; i+minRun <= len(s); i++ {
			g.in[[minRun]byte([]byte(s[i:i+minRun]))] = false
		}
	}
	for _, s := range hidden {
		for i := 0; i+minRun <= len(s); i++ {
			run := [minRun]byte([]byte(s[i : i+minRun]))
			if _, there := g.in[run]; there {
				g.in[run] = true
			}
		}
	}
	return g
}

// shares reports whether one of the texts has a run in it that is in a secret.
func (g *guard) shares(text string) bool {
	for i := 0; i+minRun <= len(text); i++ {
		if g.no || g.in[[minRun]byte([]byte(text[i:i+minRun]))] {
			return true
		}
	}
	return false
}

// secretsOf returns the values that must be seen nowhere else in the same request.
func secretsOf(arrived []Arrived) []string {
	var list []string
	_, method := challengeMethod(arrived)
	for _, a := range arrived {
		switch {
		case shown[a.Name] == secret && len(a.Value) >= minRun:
			list = append(list, a.Value)
			if strings.ContainsAny(a.Value, "%+") {
				if once, err := url.QueryUnescape(a.Value); err == nil {
					list = append(list, once)
				}
			}
		case a.Name == "code_challenge" && method != "S256":
			list = append(list, a.Value) // by "plain" it is the verifier itself
		}
	}
	return list
}

func challengeMethod(arrived []Arrived) (there bool, method string) {
	for _, a := range arrived {
		if a.Name == "code_challenge_method" {
			return true, a.Value
		}
	}
	return false, ""
}

func mask(a *Arrived, g *guard) symbolon.TrailValue {
	v := symbolon.TrailValue{In: a.In, Name: safeName(a, g)}
	if a.Fault != "" {
		v.Notes = append(v.Notes, a.Fault)
	}
	v.Notes = append(v.Notes, odd(a.Value)...)
	if sort, text := shown[a.Name], a.text(); sort != secret && mayShow(sort, text) && !g.shares(text) {
		if v.Value = text; text == "" {
			v.Notes = append(v.Notes, "is empty")
		}
		return v
	}
	v.Masked, v.Length, v.Kind = true, len(a.Value), kindOf(a.Value)
	if a.Name == "Authorization" {
		v.Kind = kindOfAuthorization(a.Value)
	}
	for _, c := range a.claims() {
		if !holdsSecret(c) && !g.shares(c) {
			v.Notes = append(v.Notes, c)
		}
	}
	return v
}

// Explain returns an explanation as it may be shown: in what came there is no more than
// Mask would show of it.
func Explain(why *symbolon.Explanation, arrived []Arrived) *symbolon.Explanation {
	if why == nil {
		return nil
	}
	texts := make([]string, 0, 8)
	for _, c := range why.Compared {
		texts = append(texts, Cut(c.Came))
	}
	for _, s := range why.Facts {
		texts = append(texts, Cut(s))
	}
	g := newGuard(arrived, texts)
	text := func(name, whole string) string {
		s := Cut(whole)
		sort, listed := shown[name]
		if holdsSecret(s) || g.shares(s) || listed && !mayShow(sort, s) {
			return "‹" + kindOf(whole) + "›"
		}
		return s
	}
	e := *why
	e.Compared, e.Facts = nil, nil
	for _, c := range why.Compared {
		expected := make([]string, len(c.Expected))
		for i, s := range c.Expected {
			expected[i] = Cut(s)
		}
		e.Compared = append(e.Compared, symbolon.Comparison{What: c.What, Expected: expected, Came: text(c.What, c.Came)})
	}
	for _, s := range why.Facts {
		e.Facts = append(e.Facts, text("", s))
	}
	return &e
}

// Cut cuts a text to what an entry has room for.
func Cut(s string) string {
	if len(s) <= symbolon.MaxTrailValue {
		return s
	}
	s = s[:symbolon.MaxTrailValue-len("…")]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s[:max(len(s)-1, 0)] + "…"
}

// safeName returns a name as it may be shown. One that we do not know may be a slip of
// the pen, which is good to see, or a secret that came in the wrong place.
func safeName(a *Arrived, g *guard) string {
	name := a.Name
	if _, ok := shown[name]; ok || slices.Contains(known, name) {
		return name
	}
	if a.Value == "" || len(name) > maxName || holdsSecret(name) || g.shares(a.name()) {
		return "(unknown)"
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-' && c != '.' {
			return "(unknown)"
		}
	}
	return name
}

// maxName bounds the names that are shown and that we do not know, in bytes.
const maxName = 24

// mayShow reports whether a value of a sort is what it should be.
func mayShow(s sort, value string) bool {
	if holdsSecret(value) {
		return false
	}
	switch s {
	case clientID:
		return strings.HasPrefix(strings.TrimSpace(value), "sym_") || strings.HasPrefix(value, "https://") && safeURI(value)
	case challenge:
		return len(value) <= 128
	case uri:
		return safeURI(value)
	case plain:
		return true
	}
	for part := range strings.FieldsSeq(value) {
		if random(part) {
			return false
		}
	}
	return true
}

// safeURI reports whether a URI has neither a user nor a parameter that is a secret.
func safeURI(text string) bool {
	if strings.Contains(text, "%") {
		if once, err := url.PathUnescape(text); err == nil && once != text && (holdsSecret(once) || !safeURI(once)) {
			return false
		}
	}
	authority := text
	if _, rest, ok := strings.Cut(text, "//"); ok {
		authority, _, _ = strings.Cut(rest, "/")
	}
	if strings.Contains(authority, "@") {
		return false
	}
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("?&#;", r) }) {
		name, _, ok := strings.Cut(item, "=")
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		for _, word := range []string{"secret", "token", "password", "passwd", "code", "key", "assertion", "verifier", "signature", "auth"} {
			if strings.Contains(name, word) {
				return false
			}
		}
	}
	return true
}

// random reports whether a word looks like something that a machine drew: long, with
// small and capital letters and digits.
func random(s string) bool {
	if len(s) < 20 || strings.Contains(s, ":") {
		return false
	}
	var small, capital, digit bool
	for i := range len(s) {
		c := s[i]
		small = small || 'a' <= c && c <= 'z'
		capital = capital || 'A' <= c && c <= 'Z'
		digit = digit || '0' <= c && c <= '9'
	}
	return digit && (small || capital)
}
