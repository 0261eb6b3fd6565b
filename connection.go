package symbolon

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ConnectionID names a connection: 128 bits, of which the first 48 are the
// Unix time in milliseconds and the other 80 are random. Ids that were made at
// the same time lie beside one another in the store, which keeps a write to a
// large table as cheap as to a small one. It is no secret and proves nothing.
type ConnectionID [16]byte

// NewConnectionID returns an id that no other connection has.
func NewConnectionID(now time.Time) ConnectionID {
	var id ConnectionID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(id[:6], ms[2:])
	rand.Read(id[6:])
	return id
}

// Time returns when the id was made, in whole milliseconds.
func (id ConnectionID) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// String returns 32 lower-case hex digits.
func (id ConnectionID) String() string { return hex.EncodeToString(id[:]) }

// ParseConnectionID reads what String wrote. The error is of kind Invalid.
func ParseConnectionID(s string) (ConnectionID, error) {
	var id ConnectionID
	if len(s) != 2*len(id) {
		return id, Errorf(Invalid, "connection id", "want 32 hex digits")
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return id, Errorf(Invalid, "connection id", "want 32 hex digits")
	}
	return id, nil
}

// Connection is one account's grant to one app: what the six steps create, use,
// refresh and end.
type Connection struct {
	ID      ConnectionID
	Account AccountID
	Client  ClientID
	// Scope is all that was granted. A refresh may narrow one access token,
	// never the connection.
	Scope Scopes
	// Session is the sign-in that it came of, where the app is to be told when
	// that ends, and zero otherwise.
	Session SessionID
	// Seq is the sequence number of the refresh token that may be spent next.
	// It is 0 at birth and counts the rotations.
	Seq       uint64
	CreatedAt time.Time
	// RefreshedAt is when Seq last moved; CreatedAt at birth.
	RefreshedAt time.Time
	// ExpiresAt is when the connection dies unless it is refreshed.
	ExpiresAt time.Time
	// Label is what the person calls it, at most MaxLabel characters, or empty.
	Label string
	// UsedFrom is the address of the app's last token or refresh request that moved
	// Seq, or the zero value where it is not known.
	UsedFrom netip.Addr
	// EndedAt is zero while the connection lives.
	EndedAt time.Time
	// EndedBy says why it ended.
	EndedBy Reason
}

// Reason says why a connection ended.
type Reason string

const (
	// ByApp: the app called step 6.
	ByApp Reason = "invalidated by the app"
	// ByOperator: someone ran the command line.
	ByOperator Reason = "ended by the operator"
	// ByCodeReplay: its authorization code was used a second time.
	ByCodeReplay Reason = "authorization code replayed"
	// BySignOut: the session that it came of ended, and it was not granted
	// offline_access (OpenID Connect Back-Channel Logout §2.7).
	BySignOut Reason = "the person signed out"
	// ByNewer: the account connected the app anew, and the app's settings let an
	// account have one connection only.
	ByNewer Reason = "replaced by a newer connection"
	// ByPerson: the person ended it.
	ByPerson Reason = "ended by the person"
	// ByRefreshReplay: a refresh token was used after its successor.
	ByRefreshReplay Reason = "refresh token replayed"
	// ByPassword: the account got another password.
	ByPassword Reason = "the password was changed"
)

// MaxLabel bounds what a person calls a connection, in characters.
const MaxLabel = 64

// CleanLabel returns what a person typed as a label, without control characters and
// needless spaces, cut to MaxLabel characters.
func CleanLabel(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u200c':
			return -1 // what turns the direction of text around it, for one
		case unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > MaxLabel {
		s = strings.TrimSpace(string(runes[:MaxLabel]))
	}
	return s
}

// CheckLabel reports what no store may keep, as an error of kind Invalid.
func CheckLabel(op, label string) error {
	if CleanLabel(label) != label {
		return Errorf(Invalid, op, "the label is longer than %d characters, or has some that no label may have", MaxLabel)
	}
	return nil
}

// AppendAddress appends an address in 16 bytes, as stores keep it: an IPv4 one mapped
// to IPv6 (RFC 4291 §2.5.5.2), and zeros where there is none.
func AppendAddress(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, make([]byte, 16)...)
	}
	text := a.As16()
	return append(b, text[:]...)
}

// AddressOf reads what AppendAddress wrote. Anything else is the zero value.
func AddressOf(b []byte) netip.Addr {
	a, ok := netip.AddrFromSlice(b)
	if !ok || len(b) != 16 || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}
