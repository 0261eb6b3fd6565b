package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// Certificate is the client certificate of a TLS connection (RFC 8705). Whoever
// ended the TLS has seen that the caller has its key.
type Certificate struct {
	*x509.Certificate
	// Chain are the certificates that were sent beside it.
	Chain []*x509.Certificate
	// Forwarded is set when a trusted proxy ended the TLS and checked the chain.
	Forwarded bool
}

// binding returns what a token that is bound to the certificate says (RFC 8705
// §3.1).
func (c *Certificate) binding() symbolon.Binding {
	return symbolon.Binding{Kind: symbolon.BoundByTLS, Thumbprint: sha256.Sum256(c.Raw)}
}

// checkCertificate checks that an app has the certificate that it is registered
// with (RFC 8705 §2.1, §2.2).
func (e *Engine) checkCertificate(ctx context.Context, app *symbolon.App, c *Certificate, now time.Time) error {
	no := func(why string) *Error { return refuse(InvalidClient, why) }
	if c == nil {
		return no("This app proves itself by its TLS client certificate, and none reached the server.")
	}
	if !isKeyStrong(app, c.PublicKey) { // FAPI 2.0 §5.4.1, 2
		return no("The key of the TLS client certificate is too weak: RSA must have 2048 bits or more.")
	}
	if app.Method() == symbolon.AuthSelfSignedTLS {
		// RFC 8705 §2.2: the chain is not looked at; the key must be registered.
		set, err := e.appKeys(ctx, app, func(s *jwt.Set) bool { return s.Has(c.PublicKey) }, now)
		if err != nil {
			return err
		}
		if !set.Has(c.PublicKey) {
			return no("The key of the TLS client certificate is none that is registered for this app.")
		}
		return nil
	}
	switch {
	case e.cfg.ClientCAs != nil:
		between := x509.NewCertPool()
		for _, further := range c.Chain {
			between.AddCert(further)
		}
		if _, err := c.Verify(x509.VerifyOptions{
			Roots: e.cfg.ClientCAs, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}); err != nil {
			return no("The TLS client certificate was issued by no authority that counts here, or has expired.").detail(err.Error())
		}
	case !c.Forwarded:
		// Nobody has looked at the chain, so anyone may have written the subject.
		return no("This server has no authorities by which to check TLS client certificates; its operator can name them.")
	}
	if !matchSubject(app.Settings.TLSSubject, c.Certificate) {
		return no("The TLS client certificate is for another subject than the one registered for this app.")
	}
	return nil
}

// CheckTLSSubject reports what is wrong with the subject that an app is to be
// registered with, as an error of kind Invalid.
func CheckTLSSubject(text string) error {
	const op = "TLS subject"
	kind, value, found := strings.Cut(text, ":")
	if !found || value == "" {
		return symbolon.Errorf(symbolon.Invalid, op, "it must be one of dn:, dns:, uri:, ip: or email: and the value")
	}
	switch kind {
	case "dns", "uri", "email":
		return nil
	case "ip":
		if _, err := netip.ParseAddr(value); err != nil {
			return symbolon.Errorf(symbolon.Invalid, op, "what follows ip: must be an IP address")
		}
		return nil
	case "dn":
		if _, ok := parseDN(value); !ok {
			return symbolon.Errorf(symbolon.Invalid, op, "what follows dn: must be a distinguished name as in CN=app,O=Example (RFC 4514)")
		}
		return nil
	}
	return symbolon.Errorf(symbolon.Invalid, op, "it must begin with dn:, dns:, uri:, ip: or email:")
}

// matchSubject compares a certificate with the one subject that is registered
// (RFC 8705 §2.1.2). Names are compared whole: no wildcard counts.
func matchSubject(want string, c *x509.Certificate) bool {
	kind, value, _ := strings.Cut(want, ":")
	if value == "" {
		return false
	}
	switch kind {
	case "dn":
		name, ok := parseDN(value)
		return ok && matchDN(name, c.RawSubject)
	case "dns":
		return slices.ContainsFunc(c.DNSNames, func(n string) bool { return strings.EqualFold(n, value) })
	case "uri":
		for _, u := range c.URIs {
			if u.String() == value {
				return true
			}
		}
	case "ip":
		addr, err := netip.ParseAddr(value)
		for _, ip := range c.IPAddresses {
			if own, ok := netip.AddrFromSlice(ip); ok && err == nil && own.Unmap() == addr.Unmap() {
				return true
			}
		}
	case "email":
		return slices.Contains(c.EmailAddresses, value)
	}
	return false
}

// attribute is one AttributeTypeAndValue of a distinguished name; value is a
// string, or the hex of a DER after a NUL.
type attribute struct{ oid, value string }

// attributeNames are the short names of RFC 4514 §3, and those that tools write.
var attributeNames = map[string]string{
	"CN": "2.5.4.3", "L": "2.5.4.7", "ST": "2.5.4.8", "O": "2.5.4.10", "OU": "2.5.4.11", "C": "2.5.4.6", "STREET": "2.5.4.9",
	"DC": "0.9.2342.19200300.100.1.25", "UID": "0.9.2342.19200300.100.1.1",
	"SERIALNUMBER": "2.5.4.5", "SN": "2.5.4.4", "GN": "2.5.4.42", "POSTALCODE": "2.5.4.17",
	"EMAILADDRESS": "1.2.840.113549.1.9.1", "E": "1.2.840.113549.1.9.1", "ORGANIZATIONIDENTIFIER": "2.5.4.97",
}

// parseDN reads a distinguished name in the string form of RFC 4514, the most
// specific part first, into sets of attributes in the order of a certificate.
func parseDN(text string) ([][]attribute, bool) {
	if text == "" || len(text) > 2000 {
		return nil, false
	}
	var name [][]attribute
	set := []attribute{}
	for {
		i := strings.IndexByte(text, '=')
		if i < 0 {
			return nil, false
		}
		typ := strings.TrimSpace(text[:i])
		oid := attributeNames[strings.ToUpper(typ)]
		if oid == "" {
			if oid = strings.TrimPrefix(strings.ToUpper(typ), "OID."); !dotted(oid) {
				return nil, false
			}
		}
		value, sep, rest, ok := unescapeDN(text[i+1:])
		if !ok {
			return nil, false
		}
		set = append(set, attribute{oid, value})
		if sep != '+' {
			name = append(name, sorted(set))
			set = nil
		}
		if sep == 0 {
			break
		}
		text = rest
	}
	slices.Reverse(name)
	return name, true
}

func dotted(oid string) bool {
	parts := strings.Split(oid, ".")
	return len(parts) > 1 && !slices.ContainsFunc(parts, func(p string) bool {
		n, err := strconv.Atoi(p)
		return err != nil || strconv.Itoa(n) != p || n < 0
	})
}

// unescapeDN reads one value and the separator behind it, which is 0 at the end
// (RFC 4514 §2.4, §3).
func unescapeDN(s string) (value string, sep byte, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	var b []byte
	kept := 0 // up to where spaces were escaped, and stay
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+', ';':
			return finishDN(b, kept), c, s[i+1:], true
		case '\\':
			if i+1 == len(s) {
				return "", 0, "", false
			}
			if i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
				b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
				i += 2
			} else if strings.IndexByte(` "#+,;<=>\`, s[i+1]) >= 0 {
				b = append(b, s[i+1])
				i++
			} else {
				return "", 0, "", false
			}
			kept = len(b)
		case '"', '<', '>', 0:
			return "", 0, "", false
		default:
			b = append(b, c)
		}
	}
	return finishDN(b, kept), 0, "", true
}

// finishDN takes off the spaces at the end that were not escaped.
func finishDN(b []byte, kept int) string {
	for len(b) > kept && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	if kept == 0 && len(b) > 0 && b[0] == '#' {
		return "\x00" + strings.ToLower(string(b[1:])) // no string has a NUL in front
	}
	return string(b)
}

func sorted(set []attribute) []attribute {
	slices.SortFunc(set, func(a, b attribute) int {
		if c := strings.Compare(a.oid, b.oid); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	return set
}

// matchDN compares a name with the subject of a certificate. Values are compared
// byte for byte: two names that a certificate authority tells apart stay two.
func matchDN(want [][]attribute, subject []byte) bool {
	type pair struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	var sets []asn1.RawValue
	if rest, err := asn1.Unmarshal(subject, &sets); err != nil || len(rest) > 0 || len(sets) != len(want) {
		return false
	}
	for i, raw := range sets {
		var pairs []pair
		if rest, err := asn1.UnmarshalWithParams(raw.FullBytes, &pairs, "set"); err != nil || len(rest) > 0 {
			return false
		}
		set := make([]attribute, 0, len(pairs))
		hexed := make([]attribute, 0, len(pairs))
		for _, p := range pairs {
			a := attribute{oid: p.Type.String(), value: "\x00" + hex.EncodeToString(p.Value.FullBytes)}
			hexed = append(hexed, a)
			var text any
			if _, err := asn1.Unmarshal(p.Value.FullBytes, &text); err == nil {
				if s, ok := text.(string); ok {
					a.value = s
				}
			}
			set = append(set, a)
		}
		if !slices.Equal(want[i], sorted(set)) && !slices.Equal(want[i], sorted(hexed)) {
			return false
		}
	}
	return true
}
