package seal

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

var prefixes = []Prefix{Code, AccessToken, RefreshToken, Flow, Device, Client, Root}

// withSum spells a text anew with the checksum that belongs to it: what anyone
// can do, since it is no secret.
func withSum(text string) string {
	p := Code
	if strings.HasPrefix(text, string(Client)) {
		p = Client
	}
	return string(p.appendSum([]byte(text)))
}

// B97: a value is good only as what it was made for.
func TestPrefixesAreApart(t *testing.T) {
	root := newRoot(t)
	ring := newRing(t, root, newKey(t, root, t0))
	for _, made := range prefixes {
		text := mustSeal(t, ring, made, "the same for all", t0)
		for _, asked := range prefixes {
			if asked == made {
				continue
			}
			refused(t, ring, asked, text, t0)
			// Renamed, with the right checksum: the prefix is under the seal.
			refused(t, ring, asked, withSum(string(asked)+text[len(made):len(text)-made.sumLen()]), t0)
		}
	}
	for i, p := range prefixes {
		for _, q := range prefixes[i+1:] {
			if strings.HasPrefix(string(p), string(q)) || strings.HasPrefix(string(q), string(p)) {
				t.Errorf("%s and %s begin alike", p, q)
			}
		}
	}
}

// B98: exactly one spelling is opened.
func TestOneSpelling(t *testing.T) {
	root := newRoot(t)
	ring := newRing(t, root, newKey(t, root, t0))
	// Three lengths, so that the last character carries 0, 2 and 4 spare bits.
	for _, plain := range []string{"length a", "length ab", "length abc"} {
		text := mustSeal(t, ring, AccessToken, plain, t0)
		no := func(other string) {
			t.Helper()
			if other == text {
				t.Fatal("the test changed nothing")
			}
			refused(t, ring, AccessToken, other, t0)
		}
		end := len(text) - AccessToken.sumLen()
		head, sum := text[:end], text[end:]

		for i := range len(text) {
			for bit := range 8 {
				no(text[:i] + string([]byte{text[i] ^ 1<<bit}) + text[i+1:])
				if i >= len(AccessToken) && i < end {
					no(withSum(text[:i] + string([]byte{text[i] ^ 1<<bit}) + text[i+1:end]))
				}
			}
			no(text[:i])
			no(text[i+1:])
			no(text[:i] + text[i+1:])
			for _, c := range []string{"\n", "\r", " ", "=", "\x00", "A", "\u200b"} {
				if other := text[:i] + c + text[i:]; other != text {
					no(other)
				}
				if i <= end {
					no(withSum(text[:i] + c + text[i:end]))
				}
			}
		}
		for _, tail := range []string{"\n", "\r\n", " ", "\t", "=", "==", "A", ".", "%3D", text} {
			no(text + tail)
			no(tail + text)
			no(withSum(text + tail))
			no(withSum(head + tail))
		}
		no(strings.ToUpper(text))
		no(strings.ToLower(text))
		no(string(AccessToken) + strings.ToUpper(text[len(AccessToken):]))
		no(withSum(string(AccessToken) + strings.ToUpper(text[len(AccessToken):end])))
		no("Bearer " + text)
		no("")

		body, err := ring.Open(AccessToken, text, t0)
		if err != nil || string(body) != plain {
			t.Fatalf("the text itself is opened as %q, %v", body, err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(head[len(AccessToken):])
		if err != nil {
			t.Fatal(err)
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
			other := string(AccessToken) + encoding.EncodeToString(raw)
			if other != head {
				no(other + sum)
				no(withSum(other))
			}
		}
		// The last character's spare bits.
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for _, c := range alphabet {
			if other := head[:len(head)-1] + string(c); other != head {
				no(other + sum)
				no(withSum(other))
			}
			if other := text[:len(text)-1] + string(c); other != text {
				no(other)
			}
		}
		// Every bit of the ciphertext, spelled well and with its checksum.
		for i := range raw {
			for bit := range 8 {
				changed := append([]byte(nil), raw...)
				changed[i] ^= 1 << bit
				no(AccessToken.spell(changed))
			}
			no(AccessToken.spell(raw[:i]))
			no(AccessToken.spell(raw[i+1:]))
		}
		no(AccessToken.spell(append(append([]byte(nil), raw...), 0)))
	}
}

// CLIENTS.md 1: a client_id reads the same raw and percent-encoded, and has one
// spelling as well.
func TestOneSpellingOfAClientID(t *testing.T) {
	ring := twoKeyRing(t)
	for _, plain := range []string{"length a", "length ab", "length abc", "length abcd", "length abcde"} {
		text := mustSeal(t, ring, Client, plain, t0)
		if strings.Trim(text, "abcdefghijklmnopqrstuvwxyz234567_") != "" {
			t.Errorf("%s has other characters", text)
		}
		if body, err := ring.Open(Client, text, t0); err != nil || string(body) != plain {
			t.Fatalf("opened as %q, %v", body, err)
		}
		end := len(text) - Client.sumLen()
		refused(t, ring, Client, strings.ToUpper(text), t0)
		refused(t, ring, Client, withSum(string(Client)+strings.ToUpper(text[len(Client):end])), t0)
		for i := len(Client); i < len(text); i++ {
			for _, c := range []string{"a", "7", "A", "1", "=", "\n", "_"} {
				if c != text[i:i+1] {
					refused(t, ring, Client, text[:i]+c+text[i+1:], t0)
					if i < end {
						refused(t, ring, Client, withSum(text[:i]+c+text[i+1:end]), t0)
					}
				}
				refused(t, ring, Client, text[:i]+c+text[i:], t0)
			}
			refused(t, ring, Client, text[:i], t0)
		}
		for _, tail := range []string{"=", "a", "======", "\n"} {
			refused(t, ring, Client, text+tail, t0)
			refused(t, ring, Client, withSum(text[:end]+tail), t0)
		}
	}
}

// The checksum is the one that the package's comment describes, so that a
// secret scanner can be written from it.
func TestChecksum(t *testing.T) {
	text := mustSeal(t, twoKeyRing(t), Code, "value", t0)
	end := len(text) - 6
	want := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text[:end])))
	if got := text[end:]; got != base64.RawURLEncoding.EncodeToString(want) {
		t.Errorf("the checksum is %s", got)
	}
}

func twoKeyRing(t testing.TB) *Ring {
	root := newRoot(t)
	return newRing(t, root, newKey(t, root, t0), newKey(t, root, t0))
}

// Whatever is sent: no panic, and what is opened is what was sealed.
func FuzzOpen(f *testing.F) {
	v, roots, keys := readVectors(f)
	ring, err := NewRing(roots, keys)
	if err != nil {
		f.Fatal(err)
	}
	for _, value := range v.Values {
		f.Add(string(value.Prefix), value.Text)
		f.Add(string(AccessToken), value.Text)
	}
	f.Add(string(Code), string(Code))
	f.Add(string(Code), withSum(string(Code)+"AAAA"))
	f.Add("", "")
	f.Fuzz(func(t *testing.T, prefix, text string) {
		p := Prefix(prefix)
		plain, err := ring.Open(p, text, t0)
		if err != nil {
			if plain != nil || symbolon.KindOf(err) != symbolon.Invalid {
				t.Fatalf("%q, %v", plain, err)
			}
			// With a checksum that belongs, the next check is reached.
			_, err = ring.Open(p, withSum(prefix+text), t0)
			if err == nil {
				t.Fatalf("%q is opened with a new checksum", text)
			}
			return
		}
		for _, value := range v.Values {
			if value.Text == text && value.Prefix == p {
				return
			}
		}
		t.Fatalf("%q is opened under %q and was never sealed", text, prefix)
	})
}
