package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
)

// typProof is the typ of a DPoP proof (RFC 9449 §4.2).
const typProof = "dpop+jwt"

// proofWindow is how far from now the iat of a proof may lie, unless a nonce of
// ours says that it is fresh (RFC 9449 §11.1).
const proofWindow = 60 * time.Second

// nonceSlot is how long one nonce is given out. It is taken for one slot more.
const nonceSlot = 2 * time.Minute

// proofClaims are those of a proof (RFC 9449 §4.2). Others are ignored, exp and
// nbf too: the proof is good for a moment anyhow.
type proofClaims struct {
	ID       string       `json:"jti"`
	Method   string       `json:"htm"`
	URL      string       `json:"htu"`
	IssuedAt *numericDate `json:"iat"`
	Token    string       `json:"ath"`
	Nonce    string       `json:"nonce"`
}

// checkProof checks the DPoP proof of a request of an app (RFC 9449 §4.3) and returns
// the key that it proves. Where an access token is shown, the proof must be for it.
func (e *Engine) checkProof(ctx context.Context, whose symbolon.ClientID, p *Proof, shown string, now time.Time) (symbolon.Binding, error) {
	var none symbolon.Binding
	if len(p.DPoP) != 1 {
		return none, refuse(InvalidDPoPProof, "There must be exactly one DPoP header.").because("there is one DPoP proof", "RFC 9449 §4.3").compare("DPoP headers", strconv.Itoa(len(p.DPoP)), "1").mend("Send one proof with each request.")
	}
	token, err := jwt.Parse(p.DPoP[0])
	if err != nil {
		return none, refuse(InvalidDPoPProof, "The DPoP proof is not a JWT, signed by ES256, RS256, PS256 or EdDSA, in the compact form.").detail(err.Error())
	}
	if token.Type != typProof {
		return none, refuse(InvalidDPoPProof, "The typ of the DPoP proof must be dpop+jwt.").because("the proof is a DPoP proof", "RFC 9449 §4.2").compare("typ", token.Type, typProof).mend("Set typ in the header of the JWT.")
	}
	if err := e.mayProve(ctx, whose, token.Algorithm); err != nil {
		return none, err
	}
	payload, thumbprint, err := token.VerifyWithOwn()
	if err != nil {
		return none, refuse(InvalidDPoPProof, "The DPoP proof is not signed by the public key in its header jwk, or that is none that counts here.").detail(err.Error())
	}
	var claims proofClaims
	if err := jwt.Decode(payload, &claims); err != nil {
		return none, refuse(InvalidDPoPProof, "The claims of the DPoP proof are not JSON of the right types, or one stands twice.").detail(err.Error())
	}
	own, _ := normalURL(p.URL)
	switch url, ok := normalURL(claims.URL); {
	case claims.ID == "" || len(claims.ID) > maxID:
		return none, refuse(InvalidDPoPProof, "The DPoP proof needs a jti of at most 512 bytes, another each time.")
	case claims.Method != p.Method:
		return none, refuse(InvalidDPoPProof, "The htm of the DPoP proof must be the method of the request.").because("the DPoP proof is for this method", "RFC 9449 §4.3").compare("htm", claims.Method, p.Method).mend("Make a proof for each request, of its own method.")
	case !ok || url != own:
		return none, refuse(InvalidDPoPProof, "The htu of the DPoP proof must be the URL of the request, as the server's metadata has it.").because("the DPoP proof is for this URL", "RFC 9449 §4.3").compare("htu", claims.URL, p.URL).mend("Write into htu the URL that the request is sent to, without query and fragment.")
	case claims.IssuedAt == nil:
		return none, refuse(InvalidDPoPProof, "The DPoP proof needs an iat.")
	}
	if shown != "" {
		// RFC 9449 §4.2: ath.
		hash := sha256.Sum256([]byte(shown))
		if claims.Token != base64.RawURLEncoding.EncodeToString(hash[:]) {
			return none, refuse(InvalidDPoPProof, "The ath of the DPoP proof must be the SHA-256 of the access token, in base64url without padding.")
		}
	}
	until := claims.IssuedAt.Add(proofWindow)
	if age := now.Sub(claims.IssuedAt.Time); claims.Nonce == "" && (age >= proofWindow || age <= -proofWindow) {
		return none, refuse(InvalidDPoPProof, "The iat of the DPoP proof is more than a minute away from now; set the clock of the app, or use the nonce in the header DPoP-Nonce.").
			because("the DPoP proof was made just now", "RFC 9449 §4.3, §11.1").compare("iat", at(claims.IssuedAt.Time), "within a minute of "+at(now)).fact("By the server's clock, the proof was made %s.", ago(age)).mend("Set the clock of the app; or take the nonce of the header DPoP-Nonce into the proof, which counts instead.")
	}
	if claims.Nonce != "" || e.cfg.RequireDPoPNonce {
		// RFC 9449 §8: the nonce vouches for the time, whatever clock the app has.
		if until = e.nonceEnds(claims.Nonce, now); until.IsZero() {
			return none, refuse(UseDPoPNonce, "The DPoP proof must have the nonce that stands in the header DPoP-Nonce of this answer.").because("the DPoP proof has a fresh nonce", "RFC 9449 §8").mend("Send the request again, with a proof that has the nonce of the answer. Libraries for DPoP do so by themselves.")
		}
	}
	if err := e.spendProof(ctx, onceKey("dpop", string(thumbprint[:]), claims.ID, claims.Method, own), until, now); err != nil {
		return none, err
	}
	return symbolon.Binding{Kind: symbolon.BoundByDPoP, Thumbprint: thumbprint}, nil
}

// mayProve refuses a proof by an algorithm that the app's profile does not allow
// (FAPI 2.0 §5.4.1). The app is looked at for the one algorithm that is not among
// those: checking a token reads nothing else of it.
func (e *Engine) mayProve(ctx context.Context, whose symbolon.ClientID, algorithm string) error {
	if slices.Contains(fapiAlgorithms, algorithm) {
		return nil
	}
	app, err := e.apps.get(ctx, whose)
	switch {
	case err != nil:
		return storeError(err)
	case app != nil && !mayBeSigned(app, algorithm):
		return refuse(InvalidDPoPProof, "The DPoP proof of this app must be signed by ES256, PS256 or EdDSA: its profile is fapi2.")
	}
	return nil
}

// spendProof has a proof count once: on this node, and on all of those that share
// the store (RFC 9449 §11.1).
func (e *Engine) spendProof(ctx context.Context, key [32]byte, until, now time.Time) error {
	switch e.proofs.spend(key, until, now) {
	case proofUsed:
		return usedProof()
	case proofsFull:
		r := refuse(Unavailable, "More DPoP proofs came than the server can remember; send the request again shortly.")
		r.RetryAfter = time.Second
		return r
	}
	if !e.cfg.Shared {
		return nil
	}
	_, first, err := e.store.Once(ctx, symbolon.Once{Key: key, ExpiresAt: until, Now: now})
	switch {
	case err != nil:
		return storeError(err)
	case !first:
		return usedProof()
	}
	return nil
}

func usedProof() error {
	return refuse(InvalidDPoPProof, "The DPoP proof was used before; make another one, with another jti, for each request.")
}

// boundTo decides which key the tokens of a request are bound to.
func (e *Engine) boundTo(ctx context.Context, app *symbolon.App, p *Proof, now time.Time) (symbolon.Binding, error) {
	var none symbolon.Binding
	if app.Settings.TLSTokens && len(p.DPoP) > 0 {
		// The owner said to what; a key of the caller's choice binds it to whoever calls.
		return none, refuse(InvalidRequest, "The tokens of this app are bound to its TLS client certificate, never to the key of a DPoP proof; leave the header DPoP out.").from(app.ID)
	}
	if len(p.DPoP) > 0 {
		b, err := e.checkProof(ctx, app.ID, p, "", now)
		if err != nil {
			return none, storeError(err).from(app.ID)
		}
		return b, nil
	}
	switch c := p.Certificate; {
	case app.Settings.TLSTokens && c == nil:
		return none, refuse(InvalidRequest, "The tokens of this app are bound to its TLS client certificate, and none reached the server.").from(app.ID)
	case mayBindTo(app, c):
		if !isKeyStrong(app, c.PublicKey) { // FAPI 2.0 §5.4.1, 2
			return none, refuse(InvalidRequest, "The key of the TLS client certificate is too weak: RSA must have 2048 bits or more.").from(app.ID)
		}
		return c.binding(), nil
	case app.Settings.BoundTokens, isFAPI(app):
		// RFC 9449 §5.2, FAPI 2.0 §5.3.2.1, 4. The proof is missing, not invalid.
		return none, refuse(InvalidRequest, "This app gets only tokens that are bound to a key; send a DPoP proof.").from(app.ID)
	}
	return none, nil
}

// mayBindTo reports whether the tokens of an app are bound to its certificate where
// there is no DPoP proof. One of FAPI 2.0 that is to use DPoP does (RFC 9449 §5.2), also
// where a certificate is how it proves itself.
func mayBindTo(app *symbolon.App, c *Certificate) bool {
	s := &app.Settings
	return c != nil && (s.TLSTokens || s.BoundTokens != isFAPI(app))
}

// Shown is an access token as it was shown, and what proves that whoever shows it
// may.
type Shown struct {
	Token string
	// DPoP is set when it came under the scheme DPoP (RFC 9449 §7.1), not Bearer.
	DPoP  bool
	Proof Proof
}

// Bearer is a token that came alone, under the scheme Bearer.
func Bearer(token string) Shown { return Shown{Token: token} }

// held checks an access token and that whoever shows it has the key that it is
// bound to (RFC 9449 §7.1, RFC 8705 §3).
func (e *Engine) held(ctx context.Context, s *Shown) (*symbolon.AccessToken, error) {
	token, err := e.bearer(ctx, s.Token)
	if err != nil {
		return nil, s.challenged(err)
	}
	switch bound := token.Binding.Kind; {
	case s.DPoP && bound != symbolon.BoundByDPoP:
		return nil, s.challenged(refuse(InvalidToken, "The access token is not bound to the key of a DPoP proof; send it as Authorization: Bearer TOKEN.").from(token.Client))
	case !s.DPoP && bound == symbolon.BoundByDPoP:
		// RFC 9449 §7.2: it must not be taken as a bearer token.
		s.DPoP = true
		return nil, s.challenged(refuse(InvalidToken, "The access token is bound to a key; send it as Authorization: DPoP TOKEN, with a DPoP proof.").of(&token.Grant).because("a token that is bound to a key comes with a proof", "RFC 9449 §7.2").compare("Authorization", "Bearer", "DPoP").mend("Send the token under the scheme DPoP, with a proof by the key with which it was asked for."))
	case bound == symbolon.BoundByDPoP:
		proven, err := e.checkProof(ctx, token.Client, &s.Proof, s.Token, e.clock.Now())
		if err != nil {
			return nil, s.challenged(storeError(err).from(token.Client))
		}
		if proven != token.Binding {
			return nil, s.challenged(refuse(InvalidToken, "The access token is bound to another key than that of the DPoP proof.").of(&token.Grant).whyBinding(token.Binding, proven))
		}
	case bound == symbolon.BoundByTLS:
		if c := s.Proof.Certificate; c == nil || c.binding() != token.Binding {
			return nil, s.challenged(refuse(InvalidToken, "The access token is bound to a TLS client certificate, and the request did not come with that.").from(token.Client))
		}
	}
	return token, nil
}

// challenged marks a refusal as one of a request that showed a token.
func (s *Shown) challenged(err error) error {
	e := storeError(err)
	e.Shown, e.DPoP = true, s.DPoP
	return e
}

// normalURL returns the one spelling of an https or http URL without query and
// fragment (RFC 9449 §4.3, RFC 3986 §6.2.2, §6.2.3).
func normalURL(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || u.Host == "" || len(text) > 4096 {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	path := unreserved(u.EscapedPath())
	if path == "" {
		path = "/"
	}
	return scheme + "://" + strings.TrimSuffix(host, ":") + path, true
}

// unreserved decodes the escapes that say nothing, and spells the others in
// upper case.
func unreserved(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b = append(b, path[i])
			continue
		}
		c := byte(unhex(path[i+1])<<4 | unhex(path[i+2])) // url.Parse has seen to it
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%')
			b = append(b, strings.ToUpper(path[i+1:i+3])...)
		}
		i += 2
	}
	return string(b)
}

// A nonce says in which slot of time it was given out, and nothing else: it is
// sealed, so any node can tell, also after a restart, and nothing is kept
// (RFC 9449 §8).

// nonce is one that was sealed, so that each is sealed once.
type nonce struct {
	slot int64
	keys uint64
	text string
}

func slotAt(t time.Time) int64 { return t.UnixMilli() / nonceSlot.Milliseconds() }

// Nonce returns the value for the header DPoP-Nonce at this moment.
func (e *Engine) Nonce() (string, error) {
	now := e.clock.Now()
	slot, keys := slotAt(now), e.ring.Generation(now)
	if n := e.nonce.Load(); n != nil && n.slot == slot && n.keys == keys {
		return n.text, nil
	}
	text, err := e.ring.Seal(seal.Nonce, binary.AppendUvarint(nil, uint64(slot)), now)
	if err != nil {
		return "", storeError(err)
	}
	e.nonce.Store(&nonce{slot, keys, text})
	return text, nil
}

// nonceEnds returns until when a nonce of ours is taken, or zero when it is not:
// it is of this slot or of the one before, or, by the clock of another node, of
// the next.
func (e *Engine) nonceEnds(text string, now time.Time) time.Time {
	plain, err := e.ring.Open(seal.Nonce, text, now)
	if err != nil {
		return time.Time{}
	}
	slot, n := binary.Uvarint(plain)
	if away := slotAt(now) - int64(slot); n != len(plain) || away < -1 || away > 1 {
		return time.Time{}
	}
	return time.UnixMilli((int64(slot) + 2) * nonceSlot.Milliseconds())
}

// proofs remembers the DPoP proofs that were used on this node, until they would
// be refused for their age: docs/decisions/0016-dpop-proofs.md.
type proofs [proofShards]struct {
	mu   sync.Mutex
	used map[[32]byte]int64 // until when, in Unix milliseconds
}

const (
	proofShards = 64
	// proofsKept bounds each shard: a million in all, about 80 MB.
	proofsKept = 1 << 14
)

type proofOutcome uint8

const (
	proofFresh proofOutcome = iota
	proofUsed
	proofsFull
)

// spend records a proof that would be taken until some time.
func (p *proofs) spend(key [32]byte, until, now time.Time) proofOutcome {
	s := &p[key[0]%proofShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if ends, found := s.used[key]; found && ends > now.UnixMilli() {
		return proofUsed
	}
	if s.used == nil {
		s.used = make(map[[32]byte]int64)
	}
	// A few that are over are forgotten by each that comes; all, when there are
	// too many.
	looked := 0
	for k, ends := range s.used {
		if ends <= now.UnixMilli() {
			delete(s.used, k)
		}
		if looked++; looked >= 4 && len(s.used) < proofsKept {
			break
		}
	}
	if len(s.used) >= proofsKept {
		return proofsFull // to forget one that still counts would be to take it twice
	}
	s.used[key] = until.UnixMilli()
	return proofFresh
}
