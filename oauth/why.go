package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// What a refusal means in full is said to the owner of the app alone
// (symbolon.Explanation): the answer says no more than Description, whatever stands
// here. Nothing here repeats a secret.

// because begins the explanation of a refusal: what was checked, and where the rule
// stands.
func (e *Error) because(check, source string) *Error {
	e.Why = &symbolon.Explanation{Check: check, Source: source}
	return e
}

// compare sets what came beside what was expected.
func (e *Error) compare(what, came string, expected ...string) *Error {
	e.Why.Compared = append(e.Why.Compared, symbolon.Comparison{What: what, Expected: expected, Came: came})
	return e
}

// fact adds a sentence.
func (e *Error) fact(format string, args ...any) *Error {
	e.Why.Facts = append(e.Why.Facts, fmt.Sprintf(format, args...))
	return e
}

// mend says what to do.
func (e *Error) mend(how string) *Error {
	e.Why.Mend = how
	return e
}

// of says what a refusal is about: what was presented could be read, so it came from
// the app.
func (e *Error) of(g *symbolon.Grant) *Error {
	e.Client, e.Account, e.Connection, e.Proven = g.Client, g.Account, g.Connection, true
	return e
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// ago is how long ago something was, as people say it.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "in " + strings.TrimSuffix(ago(-d), " ago")
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f seconds ago", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f minutes ago", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f hours ago", d.Hours())
	}
	return fmt.Sprintf("%.0f days ago", d.Hours()/24)
}

// expired says since when something is.
func (e *Error) expired(what string, issued, until, now time.Time) *Error {
	return e.compare("time", at(now), "before "+at(until)).
		fact("%s was given %s, and was good for %s: it expired %s.", what, ago(now.Sub(issued)), until.Sub(issued).Round(time.Second), ago(now.Sub(until)))
}

// faulty refuses a parameter that is broken.
func faulty(name, fault string) *Error {
	r := refuse(InvalidRequest, "The parameter "+name+" "+fault+".").
		because("each parameter stands once and is whole", "RFC 6749 §3.1, §3.2").compare(name, name+" "+fault, "one value")
	switch fault {
	case faultRepeated:
		return r.mend("Send " + name + " once. Look whether it stands both in the URL that is configured and in the request's own parameters.")
	case faultEscape:
		return r.mend("Percent-encode the value of " + name + ": a % is %25.")
	case faultType:
		return r.mend("In JSON, every value is a string: write " + name + ` as "…".`)
	}
	return r.mend("Send " + name + " as UTF-8, without line breaks and other control characters.")
}

// absent explains a refusal for a parameter that is missing.
func (e *Error) absent(name, source string) *Error {
	return e.because("the parameter "+name+" is there", source).compare(name, "", "a value").
		mend("Send " + name + " in the body, as a form or as JSON. An empty value counts as none; so does another spelling of the name.")
}

// whyURI explains a redirect URI that is not registered.
func (e *Error) whyURI(sent string, registered []string) *Error {
	nearest := slices.Clone(registered)
	slices.SortStableFunc(nearest, func(a, b string) int { return alike(b, sent) - alike(a, sent) })
	return e.because("the redirect_uri is one of those registered, byte for byte", "RFC 9700 §2.1, RFC 6749 §3.1.2.3").
		compare("redirect_uri", sent, nearest[:min(len(nearest), 10)]...).
		mend("Register the address that came, or have the app send one that is registered. They are compared character by character.")
}

// alike is how many characters two texts have in common at both ends.
func alike(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	a, b = a[n:], b[n:]
	for i := 1; i <= len(a) && i <= len(b) && a[len(a)-i] == b[len(b)-i]; i++ {
		n++
	}
	return n
}

// whySameURI explains a redirect URI at the token endpoint that is not that of the code,
// which has the hash alone.
func (e *Error) whySameURI(app *symbolon.App, hash [32]byte, sent string) *Error {
	e.because("the redirect_uri is that of the authorization request", "RFC 6749 §4.1.3")
	for _, uri := range app.RedirectURIs {
		if sha256.Sum256([]byte(uri)) == hash {
			return e.compare("redirect_uri", sent, uri).mend("Send at the token endpoint the very redirect_uri that was sent at the authorization endpoint.")
		}
	}
	return e.compare("redirect_uri", sent).
		fact("The one of the authorization request is none that is registered now, or one with another port: a code holds its hash alone.").
		mend("Send at the token endpoint the very redirect_uri that was sent at the authorization endpoint, port and all.")
}

// whyVerifier explains a code verifier that is not good.
func (e *Error) whyVerifier(code *symbolon.Code, verifier string) *Error {
	const source = "RFC 7636 §4.6"
	challenge := challengeText.EncodeToString(code.Challenge[:])
	switch {
	case !code.HasChallenge:
		return e.because("there is a code_verifier only where there was a code_challenge", "RFC 9700 §4.8.2").compare("code_verifier", fmt.Sprintf("one of %d characters", len(verifier))).
			mend("Send code_challenge and code_challenge_method=S256 in the authorization request, or leave the code_verifier out.")
	case verifier == "":
		return e.because("there is a code_verifier where there was a code_challenge", source).compare("code_verifier", "", "the one whose challenge is "+challenge).
			mend("Send the code_verifier from which the code_challenge was made.")
	case !isVerifier(verifier):
		e.because("a code_verifier has 43 to 128 letters, digits, -, ., _ and ~", "RFC 7636 §4.1").compare("code_verifier", fmt.Sprintf("one of %d characters", len(verifier)), "43 to 128 characters")
		if isVerifier(strings.Trim(strings.TrimSpace(verifier), "=")) {
			e.fact("It would do without the white space or the = at its end.")
		}
		return e.mend("Make the verifier of 32 random bytes in base64url without padding, and send it as it is.")
	}
	hash := sha256.Sum256([]byte(verifier))
	e.because("the code_verifier belongs to the code_challenge", source)
	e.compare("code_challenge, by S256 of the code_verifier", challengeText.EncodeToString(hash[:]), challenge)
	switch again := sha256.Sum256([]byte(challengeText.EncodeToString(hash[:]))); {
	case verifier == challenge:
		return e.fact("The code_verifier that came is the code_challenge itself, as with the method plain. S256 was announced.").
			mend("Send the verifier, not the challenge, to the token endpoint; or make the challenge as BASE64URL(SHA256(verifier)).")
	case again == code.Challenge:
		return e.fact("The challenge was hashed twice: it is S256 of S256 of the verifier.").mend("Hash the verifier once: BASE64URL(SHA256(verifier)).")
	case sha256.Sum256(hash[:]) == code.Challenge:
		return e.fact("The challenge is the hash of the hash's bytes: it was hashed twice.").mend("Hash the verifier once: BASE64URL(SHA256(verifier)).")
	case hashOfDecoded(verifier) == code.Challenge:
		return e.fact("The challenge was made of the bytes that the verifier stands for, not of its characters.").mend("Hash the characters of the verifier, as ASCII, and not what they decode to.")
	}
	return e.fact("Neither is secret. The verifier that came has %d characters.", len(verifier)).
		mend("Keep the verifier of each authorization request beside its state, and send the one that belongs to the code. Two connections that were begun at the same time must not share it.")
}

// hashOfDecoded hashes what a text in base64url stands for.
func hashOfDecoded(text string) (none [32]byte) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return none
	}
	return sha256.Sum256(raw)
}

// whySecret explains a client secret that is wrong.
func (e *Error) whySecret(app *symbolon.App, c *Credentials, secret string) *Error {
	where := "client_secret in the body"
	if c.Basic {
		where = "client_secret by HTTP Basic"
	}
	var live []string
	for _, s := range app.Secrets {
		live = append(live, "secret "+s.ID+", made on "+s.CreatedAt.UTC().Format(time.DateOnly))
	}
	made := strings.HasPrefix(secret, "sym_secret_")
	came := fmt.Sprintf("another secret, of %d characters", len(secret))
	if made && len(secret) == secretLen {
		came = "secret " + symbolon.HashSecret(secret, time.Time{}).ID
	}
	e.because("the client_secret is one of the app's", "RFC 6749 §2.3.1").compare(where, came, live...)
	once, _ := url.QueryUnescape(secret)
	switch trimmed := strings.TrimSpace(secret); {
	case app.CheckSecret(strings.Trim(trimmed, `"'`)):
		return e.fact("It is right but for white space or quotation marks around it.").mend("Take the white space and the quotation marks off the secret that is configured.")
	case once != secret && app.CheckSecret(once):
		return e.fact("It is right, and percent-encoded once too often.").mend("Have the secret encoded once: in a form by the form alone, in HTTP Basic before base64 alone.")
	case secret == string(app.ID) || secret == app.ClientID():
		return e.fact("The client_id was sent in its place.").mend("Send the secret that was shown when the app was registered.")
	case made && len(secret) == secretLen:
		return e.fact("It has the form of a secret of this server, and is none of this app's: a character of it is wrong, or it is retired, or another app's.").
			mend("Copy the secret again. If this app had a secret of that id, it is retired: have the platform use a live one. If it is lost, make a new one, in the console or by “symbolon app rotate-secret " + string(app.ID) + "”.")
	case made:
		return e.fact("It begins like a secret of this server, and has %d characters instead of %d: it was cut, or something was put behind it.", len(secret), secretLen).
			mend("Copy the whole secret again.")
	}
	return e.fact("It is no secret that this server made: those begin with sym_secret_ and have %d characters.", secretLen).
		mend("Copy the secret of this app again. If it is lost, make a new one, in the console or by “symbolon app rotate-secret " + string(app.ID) + "”.")
}

// secretLen is how long the secrets are that NewSecret makes.
const secretLen = len("sym_secret_") + 52

// whyScope explains which scopes may not be had.
func (e *Error) whyScope(asked string, may symbolon.Scopes) *Error {
	var not []string
	for name := range strings.FieldsFuncSeq(asked, func(r rune) bool { return r == ' ' || r == ',' || r == '+' }) {
		if !may.Has(name) && len(not) < 10 {
			not = append(not, name)
		}
	}
	e.because("every scope that is asked for is among the app's", "RFC 6749 §3.3").compare("scope", asked, may.String())
	if len(not) > 0 {
		e.fact("Not among them: %s.", strings.Join(not, ", "))
	}
	return e.mend("Ask for the app's scopes alone, with one space between two; or give the app the scope: symbolon app edit.")
}
