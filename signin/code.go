package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"image/color"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/symbolon/symbolon"
)

// codeStep is how long an authenticator app shows a code (RFC 6238 §4.1), and
// codeDrift how many steps its clock may be off (§5.2).
const (
	codeStep  = 30 * time.Second
	codeDrift = 1
)

// codeKind are the codes that every authenticator app knows: six digits, by
// HMAC-SHA-1, for which that hash is as good as any.
var codeKind = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// secretText is how the secret of an authenticator app is written.
var secretText = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewAppSecret returns the secret of an authenticator app: 160 random bits (RFC 4226
// §4, R6).
func NewAppSecret() []byte {
	secret := make([]byte, 20)
	rand.Read(secret)
	return secret
}

// AppSecretText returns a secret as a person types it into an app, in groups of four.
func AppSecretText(secret []byte) string {
	var b strings.Builder
	for i, c := range secretText.EncodeToString(secret) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// AppLink returns a secret as a link, which a phone opens in an authenticator app and
// which its camera reads from a QR code.
func AppLink(secret []byte, service, username string) string {
	label := url.PathEscape(strings.ReplaceAll(service, ":", " ") + ":" + strings.ReplaceAll(username, ":", " "))
	q := url.Values{"secret": {secretText.EncodeToString(secret)}, "issuer": {strings.ReplaceAll(service, ":", " ")}}
	// %20 and not +, which some apps show as it is.
	return "otpauth://totp/" + label + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// QRCode draws a link. It returns how many modules the square has on a side, without
// the white around it, and the path (SVG 2 §9.3) of those that are black.
func QRCode(link string) (size int, path string, err error) {
	key, err := otp.NewKeyFromURL(link)
	if err != nil {
		return 0, "", symbolon.Wrap(symbolon.Internal, "qr code", err)
	}
	const side = 1024 // more pixels than a code of this kind has modules
	img, err := key.Image(side, side)
	if err != nil {
		return 0, "", symbolon.Wrap(symbolon.Internal, "qr code", err)
	}
	black := func(x, y int) bool { return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y < 128 }
	// The code has a square of seven modules in its corner, and white around it.
	first := 0
	for first < side && !black(first, first) {
		first++
	}
	last := first
	for last < side && black(last, first) {
		last++
	}
	pixels := (last - first) / 7
	if pixels == 0 {
		return 0, "", symbolon.Errorf(symbolon.Internal, "qr code", "it cannot be read back")
	}
	size = (side - 2*first) / pixels
	var b strings.Builder
	for y := range size {
		for x := 0; x < size; {
			run := 0
			for x+run < size && black(first+(x+run)*pixels+pixels/2, first+y*pixels+pixels/2) {
				run++
			}
			if run > 0 {
				b.WriteString("M" + strconv.Itoa(x) + " " + strconv.Itoa(y) + "h" + strconv.Itoa(run) + "v1h-" + strconv.Itoa(run) + "z")
			}
			x += run + 1
		}
	}
	return size, b.String(), nil
}

// Code is a code as a person typed it.
type Code struct {
	app      string
	recovery [sha256.Size]byte
}

// ReadCode reads what a person typed: six digits of an app, or a recovery code, with
// spaces and hyphens wherever they like. It is false for what can be neither.
func ReadCode(typed string) (Code, bool) {
	if len(typed) > 64 {
		return Code{}, false
	}
	text := strings.Map(func(c rune) rune {
		if c == '-' || unicode.IsSpace(c) {
			return -1
		}
		return unicode.ToLower(c)
	}, typed)
	switch {
	case len(text) == 6 && strings.Trim(text, "0123456789") == "":
		return Code{app: text}, true
	case len(text) == recoveryLen:
		// What is easily misread is none of the letters (Crockford's base32).
		text = strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(text)
		if strings.Trim(text, recoveryLetters) == "" {
			return Code{recovery: sha256.Sum256([]byte(text))}, true
		}
	}
	return Code{}, false
}

// Recovery reports whether it is a recovery code, which nobody can guess.
func (c Code) Recovery() bool { return c.app == "" }

// Match reports whether an app with this secret shows the code at now, and at which step.
// It must be a step after the one whose code counted last (RFC 6238 §5.2).
func (c Code) Match(secret []byte, last int64, now time.Time) (step int64, ok bool) {
	if c.app == "" {
		return 0, false
	}
	at := now.Unix() / int64(codeStep/time.Second)
	for s := at - codeDrift; s <= at+codeDrift; s++ {
		code, err := hotp.GenerateCodeCustom(secretText.EncodeToString(secret), uint64(s), codeKind)
		if err == nil && s > last && subtle.ConstantTimeCompare([]byte(code), []byte(c.app)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}

const (
	recoveryLetters = "0123456789abcdefghjkmnpqrstvwxyz"
	recoveryLen     = 16 // letters of 5 bits: 80 random bits
	recoveryCodes   = 10
)

// NewRecoveryCodes returns ten codes as a person keeps them, and what is stored of them.
func NewRecoveryCodes() (codes []string, stored [][]byte) {
	for range recoveryCodes {
		var raw [recoveryLen]byte
		rand.Read(raw[:])
		for i := range raw {
			raw[i] = recoveryLetters[raw[i]%32] // 256 is a multiple of 32
		}
		text, hash := string(raw[:]), sha256.Sum256(raw[:])
		codes = append(codes, text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:])
		stored = append(stored, hash[:])
	}
	return codes, stored
}

// Among returns the place of a recovery code among those that are stored, or -1.
func (c Code) Among(stored [][]byte) int {
	if c.app != "" {
		return -1
	}
	at := -1
	for i, hash := range stored {
		if subtle.ConstantTimeCompare(hash, c.recovery[:]) == 1 {
			at = i
		}
	}
	return at
}

// Wait returns how long no code of an authenticator app is looked at after so many
// wrong ones in a row, the last of them at this moment. Five are free; then it is half
// a minute and twice as long each time, up to an hour. It is kept with the account, so
// that it counts on all nodes: whoever has the password and guesses for a year gets in
// with a chance of less than three in a hundred.
func Wait(missed int, at, now time.Time) time.Duration {
	const free, first, most = 5, 30 * time.Second, time.Hour
	if missed < free {
		return 0
	}
	wait := most
	if n := missed - free; n < 7 {
		wait = first << n
	}
	return max(0, at.Add(wait).Sub(now))
}
