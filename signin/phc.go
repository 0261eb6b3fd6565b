package signin

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/symbolon/symbolon"
)

// cost is what one hash takes.
type cost struct {
	memory  uint32 // KiB
	time    uint32 // passes over the memory
	threads uint8
}

// Bounds on a hash that was made elsewhere, so that no row of the store can
// ask for more work than a server has. They admit both recommendations for
// limited memory of RFC 9106 §4 and every one of OWASP.
const (
	maxMemory = 256 << 10 // KiB
	maxTime   = 16
	maxWork   = 1 << 20 // KiB × passes: about a second of one core
	minSalt   = 8
	maxSalt   = 64
	minTag    = 16
	maxTag    = 64
)

// hash is an argon2id hash of a password, as a PHC string says it:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>
type hash struct {
	cost
	salt []byte
	tag  []byte
}

var phcBase64 = base64.RawStdEncoding.Strict()

func (h *hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		phcBase64.EncodeToString(h.salt), phcBase64.EncodeToString(h.tag))
}

// parsePHC reads what String wrote, and only that spelling. The error is of
// kind Invalid and says which part is wrong, never what it is.
func parsePHC(s string) (*hash, error) {
	bad := func(what string) (*hash, error) {
		return nil, symbolon.Errorf(symbolon.Invalid, "password hash", "%s", what)
	}
	if len(s) > 512 {
		return bad("longer than any hash within bounds")
	}
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return bad("not a PHC string of argon2id")
	}
	if part[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("not of argon2 version 1.3")
	}
	var h hash
	field := strings.Split(part[3], ",")
	if len(field) != 3 {
		return bad("parameters are not m, t and p")
	}
	m, okM := parameter(field[0], "m=", maxMemory)
	t, okT := parameter(field[1], "t=", maxTime)
	p, okP := parameter(field[2], "p=", 16)
	if !okM || !okT || !okP || m*t > maxWork {
		return bad("parameters are malformed or beyond bounds")
	}
	if m < 8*p { // RFC 9106 §3.1
		return bad("memory is less than 8 KiB a lane")
	}
	h.cost = cost{memory: uint32(m), time: uint32(t), threads: uint8(p)}
	var err error
	if h.salt, err = phcBase64.DecodeString(part[4]); err != nil || len(h.salt) < minSalt || len(h.salt) > maxSalt {
		return bad("salt is malformed or beyond bounds")
	}
	if h.tag, err = phcBase64.DecodeString(part[5]); err != nil || len(h.tag) < minTag || len(h.tag) > maxTag {
		return bad("tag is malformed or beyond bounds")
	}
	if strings.ContainsAny(s, "\r\n") { // base64 decoders skip them
		return bad("contains a line break")
	}
	return &h, nil
}

// parameter reads a decimal number from 1 to limit, without sign or leading
// zero, behind its name.
func parameter(s, name string, limit uint64) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, name)
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, err == nil && n <= limit
}
