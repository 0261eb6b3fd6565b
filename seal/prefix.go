// Package seal makes and opens the values that travel outside the server:
// codes, access tokens, refresh tokens and the state of pages. A sealed value
// is authenticated and encrypted, so that only this server can read or make it,
// and looks like this:
//
//	sym_at_ <base64url of key id and ciphertext> <base64url of a checksum>
//
// The prefix tells a person and a secret scanner what it is; the checksum tells
// a scanner that it is one and lets us refuse a mistyped one for nothing. Each
// value has exactly one spelling.
//
// The cipher is deterministic (AES-SIV, RFC 5297): the same value sealed by the
// same key gives the same bytes. That is what makes the successor of a refresh
// token the same however often, and on whichever node, it is made again.
package seal

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/symbolon/symbolon"
)

// Prefix says what a sealed value is. A value sealed under one prefix cannot be
// opened under another.
type Prefix string

const (
	// Code is an authorization code.
	Code Prefix = "sym_ac_"
	// AccessToken is what an app shows to the API.
	AccessToken Prefix = "sym_at_"
	// RefreshToken is what an app trades for a fresh access token.
	RefreshToken Prefix = "sym_rt_"
	// DeviceCode is a device code: a connection that no one has allowed yet.
	DeviceCode Prefix = "sym_dg_"
	// Flow is the state of a sign-in or consent page.
	Flow Prefix = "sym_fl_"
	// Device recognises a browser in which an account has signed in before.
	Device Prefix = "sym_dv_"
	// Nonce is what a DPoP proof says to be fresh.
	Nonce Prefix = "sym_dn_"
	// Pushed is an authorization request that an app has pushed.
	Pushed Prefix = "sym_pr_"
	// Play is what the demo's playground remembers, in the browser's cookie.
	Play Prefix = "sym_pg_"
	// Client is the client_id of an app that registered itself. It is spelled with
	// [a-z2-7_] only, since half of the clients percent-encode HTTP Basic.
	Client Prefix = "sym_dc_"
	// Away is what the pages remember while a browser is at another site to sign in.
	Away Prefix = "sym_aw_"
	// Reset lets whoever has the mail set another password.
	Reset Prefix = "sym_rs_"
	// Root is the root key's own spelling; it is not encrypted.
	Root Prefix = "sym_root_"
)

// MaxLen bounds the text of a sealed value, in bytes.
const MaxLen = 16 << 10

// strict has one spelling for each value: no padding and no stray bits.
var strict = base64.RawURLEncoding.Strict()

// lower is the encoding of Client. It has no strict form of its own: read
// compares.
var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// appendEncoded appends data as the prefix is spelled.
func (p Prefix) appendEncoded(text, data []byte) []byte {
	if p == Client {
		return lower.AppendEncode(text, data)
	}
	return strict.AppendEncode(text, data)
}

// decode undoes appendEncoded.
func (p Prefix) decode(text string) ([]byte, error) {
	if p == Client {
		return lower.DecodeString(text)
	}
	return strict.DecodeString(text)
}

// sumLen is the length of the checksum, the 4 bytes of a CRC-32, as text.
func (p Prefix) sumLen() int {
	if p == Client {
		return lower.EncodedLen(4)
	}
	return strict.EncodedLen(4)
}

// spell writes body as text under the prefix.
func (p Prefix) spell(body []byte) string {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	text := append((*scratch)[:0], p...)
	text = p.appendEncoded(text, body)
	text = p.appendSum(text)
	*scratch = text
	return string(text)
}

func (p Prefix) appendSum(text []byte) []byte {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(text))
	return p.appendEncoded(text, sum[:])
}

// read returns the body of a text that spell wrote. The error is of kind
// Invalid and does not hold the text.
func (p Prefix) read(text string) ([]byte, error) {
	rest, ok := strings.CutPrefix(text, string(p))
	switch {
	case !ok:
		return nil, symbolon.Errorf(symbolon.Invalid, "open", "it does not begin with %s", string(p))
	case len(text) > MaxLen || len(rest) <= p.sumLen():
		return nil, symbolon.Errorf(symbolon.Invalid, "open", "its length is wrong: it was cut or joined")
	case strings.ContainsAny(rest, "\r\n"): // the decoder would pass over them
		return nil, symbolon.Errorf(symbolon.Invalid, "open", "it has a line break inside")
	}
	end := len(text) - p.sumLen()
	var buf [512]byte
	if string(p.appendSum(append(buf[:0], text[:end]...))) != text {
		return nil, symbolon.Errorf(symbolon.Invalid, "open", "its checksum is wrong: it was cut, joined or changed on the way")
	}
	body, err := p.decode(text[len(p):end])
	if err != nil || p == Client && lower.EncodeToString(body) != text[len(p):end] {
		return nil, symbolon.Errorf(symbolon.Invalid, "open", "it has characters that do not belong")
	}
	return body, nil
}
