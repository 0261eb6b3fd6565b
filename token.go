package symbolon

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// AccessToken is what an app shows to the API (RFC 6749 §1.4). Nothing about it
// is stored: it is honoured until it expires or its connection ends.
type AccessToken struct {
	Grant
}

// AppendBinary appends the encoding of t, which UnmarshalBinary reads.
func (t *AccessToken) AppendBinary(b []byte) ([]byte, error) { return t.Grant.appendTo(b) }

// UnmarshalBinary reads what AppendBinary wrote. The error is of kind Invalid.
func (t *AccessToken) UnmarshalBinary(data []byte) error {
	d := decoder{rest: data}
	t.Grant = d.grant()
	return d.end("access token")
}

// RefreshToken is what an app trades for a fresh access token (RFC 6749 §1.5).
type RefreshToken struct {
	Grant
	// Seq is the sequence number that this token may spend.
	Seq uint64
}

// AppendBinary appends the encoding of t, which UnmarshalBinary reads.
func (t *RefreshToken) AppendBinary(b []byte) ([]byte, error) {
	b, err := t.Grant.appendTo(b)
	if err != nil {
		return nil, err
	}
	return binary.AppendUvarint(b, t.Seq), nil
}

// UnmarshalBinary reads what AppendBinary wrote. The error is of kind Invalid.
func (t *RefreshToken) UnmarshalBinary(data []byte) error {
	d := decoder{rest: data}
	t.Grant = d.grant()
	t.Seq = d.uvarint()
	return d.end("refresh token")
}

// The encoding of a grant: a version byte, then the fields in order. Strings
// and lists carry their length in front, numbers are unsigned varints, times
// are Unix milliseconds. In version 2, what few grants have follows: a tag and a
// string each, in the order of the tags, and a zero. A grant with none of these
// is always written in version 1, so that it has one spelling.
const (
	grantVersion  = 1
	grantExtended = 2
)

// The tags of version 2.
const (
	tagEnd = iota
	tagDPoP
	tagTLS
	tagDetails
	tagActor
	tagSources
	tagSession
	tagACR
	tagClaims
	tagLast
)

// maxField bounds every string and list in a sealed value, in bytes or items.
const maxField = 16 << 10

// maxTime bounds every time in a sealed value: Unix milliseconds, as many as a
// connection's id can hold, in the year 10889.
const maxTime = 1<<48 - 1

func (g *Grant) appendTo(b []byte) ([]byte, error) {
	extended := g.Binding.Kind != Unbound || g.Details != "" || g.Actor != "" || len(g.Sources) > 0 ||
		g.Session != (SessionID{}) || g.ACR != "" || g.Claims != ""
	if extended {
		b = append(b, grantExtended)
	} else {
		b = append(b, grantVersion)
	}
	b = append(b, g.Connection[:]...)
	switch {
	case g.Account == "":
		b = append(b, make([]byte, accountLen)...)
	case !g.Account.Valid():
		return nil, Errorf(Internal, "seal grant", "account id is not 40 hex digits")
	default:
		b, _ = hex.AppendDecode(b, []byte(g.Account)) // it is hex
	}
	b = appendString(b, string(g.Client))
	b = appendString(b, g.Name)
	b = binary.AppendUvarint(b, uint64(len(g.Scope)))
	for _, s := range g.Scope {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(g.Resource)))
	for _, r := range g.Resource {
		b = appendString(b, r)
	}
	b = appendTime(b, g.AuthAt)
	b = appendTime(b, g.IssuedAt)
	b = appendTime(b, g.ExpiresAt)
	if !extended {
		return b, nil
	}
	switch g.Binding.Kind {
	case Unbound:
	case BoundByDPoP:
		b = appendString(append(b, tagDPoP), string(g.Binding.Thumbprint[:]))
	case BoundByTLS:
		b = appendString(append(b, tagTLS), string(g.Binding.Thumbprint[:]))
	default:
		return nil, Errorf(Internal, "seal grant", "there is no binding of kind %d", g.Binding.Kind)
	}
	if g.Details != "" {
		b = appendString(append(b, tagDetails), g.Details)
	}
	if g.Actor != "" {
		b = appendString(append(b, tagActor), g.Actor)
	}
	if len(g.Sources) > 0 {
		b = append(b, tagSources)
		b = appendString(b, joinIDs(g.Sources))
	}
	if g.Session != (SessionID{}) {
		b = appendString(append(b, tagSession), string(g.Session[:]))
	}
	if g.ACR != "" {
		b = appendString(append(b, tagACR), g.ACR)
	}
	if g.Claims != "" {
		b = appendString(append(b, tagClaims), g.Claims)
	}
	return append(b, tagEnd), nil
}

// joinIDs writes client ids with a space after each, which none has inside.
func joinIDs(ids []ClientID) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(string(id))
		b.WriteByte(' ')
	}
	return b.String()
}

// accountLen is the length of an account's id in bytes.
const accountLen = 20

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendUvarint(b, 0)
	}
	return binary.AppendUvarint(b, uint64(min(max(t.UnixMilli(), 0), maxTime)))
}

// decoder reads an encoding front to back. After the first fault every read
// returns a zero value; end reports the fault.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) fail() { d.bad, d.rest = true, nil }

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *decoder) bytes(into []byte) {
	if len(d.rest) < len(into) {
		d.fail()
		return
	}
	d.rest = d.rest[copy(into, d.rest):]
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	// A last byte of zero is a longer spelling of a shorter number: every
	// sealed value has one spelling.
	if n <= 0 || n > 1 && d.rest[n-1] == 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// length reads the length of a string or list that needs at least one byte an
// item, so that a forged length cannot make us allocate.
func (d *decoder) length() int {
	n := d.uvarint()
	if n > maxField || n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.length()
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) strings() []string {
	n := d.length()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.string())
	}
	return list
}

func (d *decoder) time() time.Time {
	ms := d.uvarint()
	if ms > maxTime {
		d.fail()
	}
	if d.bad || ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func (d *decoder) grant() Grant {
	var g Grant
	version := d.byte()
	if version != grantVersion && version != grantExtended {
		d.fail()
	}
	d.bytes(g.Connection[:])
	var account [accountLen]byte
	d.bytes(account[:])
	if account != [accountLen]byte{} {
		g.Account = AccountID(hex.EncodeToString(account[:]))
	}
	g.Client = ClientID(d.string())
	g.Name = d.string()
	g.Scope = d.strings()
	g.Resource = d.strings()
	g.AuthAt = d.time()
	g.IssuedAt = d.time()
	g.ExpiresAt = d.time()
	if version == grantExtended {
		d.extension(&g)
	}
	return g
}

// extension reads what follows the fields in version 2.
func (d *decoder) extension(g *Grant) {
	for last := byte(tagEnd); ; {
		tag := d.byte()
		if tag == tagEnd {
			if last == tagEnd {
				d.fail() // it would have been written in version 1
			}
			return
		}
		value := d.string()
		if tag <= last || tag >= tagLast || value == "" || tag == tagTLS && last == tagDPoP {
			d.fail() // another order, or what a later version means something by
			return
		}
		last = tag
		switch tag {
		case tagDPoP, tagTLS:
			g.Binding.Kind = BoundByDPoP
			if tag == tagTLS {
				g.Binding.Kind = BoundByTLS
			}
			if copy(g.Binding.Thumbprint[:], value) != len(value) || len(value) != len(g.Binding.Thumbprint) {
				d.fail()
			}
		case tagDetails:
			g.Details = value
		case tagActor:
			g.Actor = value
		case tagSources:
			for id := range strings.SplitAfterSeq(value, " ") {
				if id == "" {
					break
				}
				trimmed, whole := strings.CutSuffix(id, " ")
				if !whole {
					d.fail()
				}
				g.Sources = append(g.Sources, ClientID(trimmed))
			}
		case tagSession:
			if copy(g.Session[:], value) != len(value) || len(value) != len(g.Session) || g.Session == (SessionID{}) {
				d.fail()
			}
		case tagACR:
			g.ACR = value
		case tagClaims:
			g.Claims = value
		}
	}
}

func (d *decoder) end(what string) error {
	if d.bad || len(d.rest) != 0 {
		return Errorf(Invalid, what, "not an encoding of this version")
	}
	return nil
}
