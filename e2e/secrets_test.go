//go:build linux

package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// secretKind says where a secret must not be.
type secretKind uint8

const (
	// kindSecret: codes, tokens, client secrets and passwords. They are in no
	// log and in no file of a data directory.
	kindSecret secretKind = 1 + iota
	// kindPassing: verifiers, cookies and the state of pages. They are in no log.
	kindPassing
)

// gramLen is how many bytes of a secret are looked for: enough that they are
// nowhere by chance, and few enough that a part of a secret is found too.
const gramLen = 16

type gram [gramLen]byte

// noted are the secrets of the suite, by a part of each.
var noted = struct {
	sync.Mutex
	grams map[gram]secretKind
}{grams: make(map[gram]secretKind)}

// secret notes a secret that a test has met.
func secret(kind secretKind, texts ...string) {
	noted.Lock()
	defer noted.Unlock()
	for _, text := range texts {
		if len(text) < gramLen {
			continue // no secret of this suite is so short
		}
		// From the middle: the beginning of a sealed value names its key.
		from := (len(text) - gramLen) / 2
		g := gram([]byte(text[from : from+gramLen]))
		if old := noted.grams[g]; old == 0 || kind < old {
			noted.grams[g] = kind
		}
	}
}

// newPassword returns a password that stands in nothing but itself.
func newPassword() string {
	p := rand.Text()
	secret(kindSecret, p)
	return p
}

// finder looks for all noted secrets at once, by a rolling hash.
type finder struct {
	maybe []uint64 // a bit for each hash of a noted secret
}

const (
	hashBase = 1_099_511_628_211
	hashBits = 23
)

func newFinder() *finder {
	f := &finder{maybe: make([]uint64, 1<<(hashBits-6))}
	for g := range noted.grams {
		var h uint64
		for _, c := range g {
			h = h*hashBase + uint64(c) + 1
		}
		bit := h >> (64 - hashBits)
		f.maybe[bit>>6] |= 1 << (bit & 63)
	}
	return f
}

// find calls found for every noted secret in text.
func (f *finder) find(text []byte, found func(at int, kind secretKind)) {
	var power, h uint64 = 1, 0
	for range gramLen {
		power *= hashBase
	}
	for i, c := range text {
		h = h*hashBase + uint64(c) + 1
		if i >= gramLen {
			h -= power * (uint64(text[i-gramLen]) + 1)
		}
		if i < gramLen-1 {
			continue
		}
		if bit := h >> (64 - hashBits); f.maybe[bit>>6]>>(bit&63)&1 == 0 {
			continue
		}
		if kind := noted.grams[gram(text[i+1-gramLen:i+1])]; kind != 0 {
			found(i+1-gramLen, kind)
		}
	}
}

// mayHold are the files of a data directory that hold secrets on purpose.
var mayHold = map[string]bool{"root.key": true, "sandbox.json": true}

// leaks searches every log and data directory under root for the secrets of
// the suite, and the logs for panics and data races.
func leaks(root string) []string {
	noted.Lock()
	defer noted.Unlock()
	f := newFinder()
	var list []string
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error { //nolint:errcheck // it returns none
		if err != nil || !d.Type().IsRegular() || path == program || mayHold[d.Name()] {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			list = append(list, err.Error())
			return nil
		}
		isLog := strings.HasSuffix(path, ".log")
		name := strings.TrimPrefix(path, root+"/")
		n := 0
		f.find(text, func(at int, kind secretKind) {
			if kind == kindPassing && !isLog {
				return
			}
			if n++; n <= 3 {
				list = append(list, fmt.Sprintf("%s: a secret at %d: …%s", name, at, around(text, at)))
			}
		})
		if isLog {
			for _, bad := range [...]string{"DATA RACE", "panic: ", "goroutine 1 [", "\x1b"} {
				if at := bytes.Index(text, []byte(bad)); at >= 0 {
					list = append(list, fmt.Sprintf("%s: %s", name, text[max(0, at-200):min(len(text), at+3000)]))
				}
			}
		}
		return nil
	})
	return list
}

// around is what stands before a secret, without it.
func around(text []byte, at int) string {
	before := text[max(0, at-100):at]
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return strings.ToValidUTF8(string(before), "?")
}
