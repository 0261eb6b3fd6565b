package bearer

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxProof bounds a DPoP proof, and maxProofID its jti, in bytes.
	maxProof   = 8 << 10
	maxProofID = 256
	// maxProofs bounds the proofs that are remembered. One is remembered for
	// 2 minutes at most, so this is about 500 a second.
	maxProofs = 1 << 16
)

// proofClaims are those of a DPoP proof (RFC 9449 §4.2).
type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued moment `json:"iat"`
	Token  string `json:"ath"`
}

// checkProof checks the DPoP proof of a request by the list of RFC 9449 §4.3.
func (v *Verifier) checkProof(r *http.Request, text string, t *Token) *Error {
	headers := r.Header.Values("DPoP")
	if len(headers) != 1 {
		return badProof("A bound access token needs exactly one DPoP header, with a fresh proof.")
	}
	if len(headers[0]) > maxProof {
		return badProof("The DPoP proof is longer than 8 KiB.")
	}
	jws, head := parseJWS(headers[0], "dpop+jwt")
	if jws == nil {
		return badProof("The DPoP proof is not a JWT of type dpop+jwt, signed with an algorithm that counts here.")
	}
	key := head.JSONWebKey
	if key == nil || !key.IsPublic() || !signsWith(key.Key, head.Algorithm) {
		return badProof("The DPoP proof has no public key of the right kind in its header jwk.")
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return badProof("The DPoP proof is not signed by the key in its header.")
	}
	thumb, err := key.Thumbprint(crypto.SHA256)
	if err != nil || !same(base64.RawURLEncoding.EncodeToString(thumb), t.Confirmation.Key) {
		return badProof("The DPoP proof is by another key than the one that the access token is bound to.")
	}
	var c proofClaims
	if decode(payload, &c) != nil || c.ID == "" || len(c.ID) > maxProofID {
		return badProof("The DPoP proof has claims that cannot be read, or no jti of at most 256 bytes.")
	}
	now := v.o.Now()
	issued := c.Issued.time()
	hash := sha256.Sum256([]byte(text))
	switch {
	case c.Method != r.Method:
		return badProof("The DPoP proof is for another method; htm is the method of this request.")
	case !sameURL(c.URL, v.publicURL(r)):
		return badProof("The DPoP proof is for another URL; htu is the URL of this request without query and fragment.")
	case c.Issued == 0 || issued.Before(now.Add(-Leeway)) || issued.After(now.Add(Leeway)):
		return badProof("The DPoP proof is too old or from the future; make one for each request, and compare the clocks.")
	case !same(c.Token, base64.RawURLEncoding.EncodeToString(hash[:])):
		return badProof("The DPoP proof is for another access token; ath is the SHA-256 of this one.")
	}
	// RFC 9449 §11.1. The key comes first, so that nobody can spend another's jti.
	id := sha256.New()
	for _, s := range []string{t.Confirmation.Key, c.Method, normalURL(c.URL), c.ID} {
		id.Write([]byte(s))
		id.Write([]byte{0})
	}
	switch v.proofs.once([32]byte(id.Sum(nil)), issued.Add(Leeway), now) {
	case proofUsed:
		return badProof("The DPoP proof was used before; make one for each request.")
	case proofFull:
		return &Error{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
			Description: "Too many DPoP proofs come at once; send the request again shortly, with a fresh one.", RetryAfter: 5 * time.Second}
	}
	return nil
}

func signsWith(key any, algorithm string) bool {
	for _, a := range keyAlgorithms(key) {
		if a == jose.SignatureAlgorithm(algorithm) {
			return true
		}
	}
	return false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// publicURL is the URL of a request as its sender sees it, as far as it matters
// to a proof. It is empty when that is not known.
func (v *Verifier) publicURL(r *http.Request) string {
	if v.o.Base == "" {
		return ""
	}
	// RequestURI, since http.StripPrefix and the like change URL.
	p := r.URL.EscapedPath()
	if strings.HasPrefix(r.RequestURI, "/") {
		p, _, _ = strings.Cut(r.RequestURI, "?")
	}
	return v.o.Base + p
}

func sameURL(a, b string) bool {
	a, b = normalURL(a), normalURL(b)
	return a != "" && a == b
}

// normalURL normalises by syntax and scheme (RFC 9449 §4.3, RFC 3986 §6.2.2 and
// §6.2.3), without query and fragment. It is empty for what is no http URL. Dots
// and slashes within the path are left: another spelling is another URL.
func normalURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return ""
	}
	p := normalPath(u.EscapedPath())
	return scheme + "://" + strings.TrimSuffix(host, ":") + p
}

// normalPath spells percent-encodings in one way (RFC 3986 §6.2.2.1, §6.2.2.2).
func normalPath(p string) string {
	if p == "" {
		return "/"
	}
	if !strings.Contains(p, "%") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] != '%' || i+2 >= len(p) {
			b.WriteByte(p[i])
			continue
		}
		code := strings.ToUpper(p[i : i+3])
		c, err := url.PathUnescape(code)
		if err == nil && len(c) == 1 && strings.Trim(c, compact+"~") == "" {
			code = c
		}
		b.WriteString(code)
		i += 2
	}
	return b.String()
}

// proofs remembers which proofs were used (RFC 9449 §11.1), in buckets of a
// minute by when they are no longer good.
type proofs struct {
	mu      sync.Mutex
	buckets map[int64]map[[32]byte]struct{}
	count   int
}

type proofState uint8

const (
	proofFresh proofState = iota
	proofUsed
	proofFull
)

// once reports whether a proof, which is good until then, was not used before.
func (p *proofs) once(id [32]byte, until, now time.Time) proofState {
	p.mu.Lock()
	defer p.mu.Unlock()
	minute := now.Unix() / 60
	for m, b := range p.buckets { // three or four
		if m < minute {
			p.count -= len(b)
			delete(p.buckets, m)
		}
	}
	m := until.Unix() / 60
	if _, used := p.buckets[m][id]; used {
		return proofUsed
	}
	if p.count >= maxProofs {
		return proofFull // to forget one would be to take it twice
	}
	if p.buckets == nil {
		p.buckets = make(map[int64]map[[32]byte]struct{})
	}
	if p.buckets[m] == nil {
		p.buckets[m] = make(map[[32]byte]struct{})
	}
	p.buckets[m][id] = struct{}{}
	p.count++
	return proofFresh
}
