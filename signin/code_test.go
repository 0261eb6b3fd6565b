package signin

import (
	"encoding/base32"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// The vectors of RFC 6238 appendix B, cut to six digits.
func TestMatchVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		c, ok := ReadCode(code[:3] + " " + code[3:])
		if step, right := c.Match(secret, 0, time.Unix(at, 0)); !ok || !right || step != at/30 {
			t.Errorf("at %d: %d %v", at, step, right)
		}
	}
}

func TestMatch(t *testing.T) {
	secret, now := NewAppSecret(), time.Unix(1_790_000_010, 0)
	at := now.Unix() / 30
	code := func(drift time.Duration) Code {
		text, err := totp.GenerateCode(base32.StdEncoding.EncodeToString(secret), now.Add(drift))
		if err != nil {
			t.Fatal(err)
		}
		c, _ := ReadCode(text)
		return c
	}
	for drift, good := range map[time.Duration]bool{0: true, -30 * time.Second: true, 30 * time.Second: true, -60 * time.Second: false, 60 * time.Second: false, 24 * time.Hour: false} {
		if _, ok := code(drift).Match(secret, 0, now); ok != good {
			t.Errorf("off by %v: %v", drift, ok)
		}
	}
	// One whose step counted, and those before it, count no more.
	for last, good := range map[int64]bool{at - 1: true, at: false, at + 1: false} {
		if step, ok := code(0).Match(secret, last, now); ok != good || ok && step != at {
			t.Errorf("after %d: %v", last-at, ok)
		}
	}
	if _, ok := code(0).Match(NewAppSecret(), 0, now); ok {
		t.Error("another secret")
	}
	if _, ok := (Code{}).Match(secret, 0, now); ok {
		t.Error("no code")
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes, stored := NewRecoveryCodes()
	if len(codes) != 10 || len(stored) != 10 {
		t.Fatal(len(codes))
	}
	seen := map[string]bool{}
	for i, text := range codes {
		seen[text] = true
		for _, typed := range []string{text, strings.ToUpper(text), strings.ReplaceAll(text, "-", " "), strings.NewReplacer("0", "O", "1", "l").Replace(text)} {
			c, ok := ReadCode(typed)
			if !ok || !c.Recovery() || c.Among(stored) != i {
				t.Errorf("%q: %v, %d", typed, ok, c.Among(stored))
			}
		}
		if strings.Contains(string(stored[i]), text[:4]) {
			t.Error("it is stored as it is")
		}
	}
	if len(seen) != 10 {
		t.Error("two are the same")
	}
	other, _ := NewRecoveryCodes()
	if c, _ := ReadCode(other[0]); c.Among(stored) != -1 {
		t.Error("another's counts")
	}
	if c, _ := ReadCode("123456"); c.Among(stored) != -1 || c.Recovery() {
		t.Error("an app's code is a recovery code")
	}
}

func TestWait(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	total := 0
	for missed, want := range map[int]time.Duration{0: 0, 4: 0, 5: 30 * time.Second, 6: time.Minute, 11: 32 * time.Minute, 12: time.Hour, 1 << 40: time.Hour} {
		if got := Wait(missed, now, now); got != want {
			t.Errorf("after %d: %v", missed, got)
		}
		if Wait(missed, now, now.Add(want)) != 0 {
			t.Errorf("after %d it never ends", missed)
		}
	}
	for at := now; at.Sub(now) < 24*time.Hour; at = at.Add(Wait(total, at, at)) {
		total++
	}
	if total > 40 {
		t.Errorf("%d guesses in a day", total)
	}
}

// What is drawn is what the library drew: every module of it.
func TestQRCode(t *testing.T) {
	link := AppLink(NewAppSecret(), "auth.example.com", "jané@example.com")
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "otpauth" || u.Query().Get("issuer") != "auth.example.com" || strings.Contains(link, "+") {
		t.Fatal(link, err)
	}
	size, path, err := QRCode(link)
	if err != nil {
		t.Fatal(err)
	}
	key, err := otp.NewKeyFromURL(link)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Image(size-1, size-1); err == nil {
		t.Fatalf("it has fewer modules than %d", size)
	}
	want, err := key.Image(size, size) // a pixel each
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[[2]int]bool{}
	for _, run := range strings.Split(path, "z") {
		if run == "" {
			continue
		}
		var x, y, n int
		for i, part := range strings.FieldsFunc(run, func(r rune) bool { return strings.ContainsRune("M hv", r) }) {
			v := 0
			for _, c := range strings.TrimPrefix(part, "-") {
				if c < '0' || c > '9' {
					break
				}
				v = v*10 + int(c-'0')
			}
			switch i {
			case 0:
				x = v
			case 1:
				y = v
			case 2:
				n = v
			}
		}
		for i := range n {
			drawn[[2]int{x + i, y}] = true
		}
	}
	for y := range size {
		for x := range size {
			r, _, _, _ := want.At(x, y).RGBA()
			if drawn[[2]int{x, y}] != (r == 0) {
				t.Fatalf("the module %d,%d differs", x, y)
			}
		}
	}
}

func FuzzReadCode(f *testing.F) {
	for _, s := range []string{"", "123456", "123 456", "abcd-efgh-jkmn-pqrs", "ABCD EFGH JKMN PQRS", "oooo-iiii-llll-0000", "١٢٣٤٥٦", strings.Repeat("1", 70)} {
		f.Add(s)
	}
	secret, now := NewAppSecret(), time.Unix(1_790_000_000, 0)
	_, stored := NewRecoveryCodes()
	f.Fuzz(func(t *testing.T, typed string) {
		c, ok := ReadCode(typed)
		if !ok && c != (Code{}) {
			t.Errorf("%q is refused and is something", typed)
		}
		if ok && !c.Recovery() && len(c.app) != 6 {
			t.Errorf("%q becomes %q", typed, c.app)
		}
		c.Match(secret, 0, now)
		if c.Among(stored) >= 0 {
			t.Errorf("%q is one of ten out of 2^80", typed)
		}
	})
}
