// Package jwt makes and reads signed JWTs (RFC 7519): those that this server
// signs with its own keys, and those that apps and others sign for it; and it
// encrypts them to the keys of apps. The JOSE work is done by a library; what is here
// is which keys there are, which algorithms count, and which headers are looked at.
//
// Only asymmetric algorithms are known, so that no public key can be mistaken
// for a shared secret. A key is never taken from a header, except from the proof
// whose very point that is (RFC 9449).
package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// Algorithms are those that this server can sign with, and takes from others
// (RFC 7518 §3.1, RFC 8037 §3.1).
var Algorithms = []string{"ES256", "RS256", "PS256", "EdDSA"}

// known are Algorithms as the library has them.
var known = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}

// rsaBits is the length of the RSA keys that are made (RFC 7518 §3.3: 2048 or
// more).
const rsaBits = 2048

// NewKey returns a fresh signing key for an algorithm, wrapped by the root key.
// An error of kind Invalid means that the algorithm is none of Algorithms.
func NewKey(root *seal.RootKey, algorithm string) (symbolon.Key, error) {
	const op = "new signing key"
	var signer crypto.Signer
	var err error
	switch jose.SignatureAlgorithm(algorithm) {
	case jose.ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256, jose.PS256:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case jose.EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		return symbolon.Key{}, symbolon.Errorf(symbolon.Invalid, op, "there is no algorithm %q", algorithm)
	}
	if err != nil {
		return symbolon.Key{}, symbolon.Wrap(symbolon.Internal, op, err)
	}
	material, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return symbolon.Key{}, symbolon.Wrap(symbolon.Internal, op, err)
	}
	return root.WrapKey(symbolon.Key{ID: symbolon.NewKeyID(), Algorithm: algorithm}, material)
}

// Ring holds the signing keys. It may be used by many goroutines at once, and
// loaded again while it is. Sealing keys are not its business.
type Ring struct {
	generation atomic.Uint64
	keys       atomic.Pointer[[]*signingKey] // in the order of activeFrom; replaced, never changed
}

// signingKey is one signing key, ready for use.
type signingKey struct {
	id         symbolon.KeyID
	kid        string
	algorithm  jose.SignatureAlgorithm
	activeFrom time.Time
	retiredAt  time.Time
	private    crypto.Signer
	public     jose.JSONWebKey

	signers sync.Map // typ → jose.Signer
}

// NewRing returns a ring of the signing keys among keys, which were wrapped by
// one of roots. An error of kind Denied means that some key was wrapped by
// another root key.
func NewRing(roots []*seal.RootKey, keys []symbolon.Key) (*Ring, error) {
	r := new(Ring)
	return r, r.Load(roots, keys)
}

// Load replaces the keys of the ring. After an error it has those from before.
func (r *Ring) Load(roots []*seal.RootKey, keys []symbolon.Key) error {
	const op = "load signing keys"
	list := make([]*signingKey, 0, len(keys))
	for _, k := range keys {
		if k.Algorithm == "" {
			continue // it seals
		}
		if !slices.Contains(Algorithms, k.Algorithm) {
			return symbolon.Errorf(symbolon.Denied, op, "key %s is for the algorithm %q, which this version does not know", k.ID, k.Algorithm)
		}
		material, err := seal.UnwrapKey(k, roots)
		if err != nil {
			return err
		}
		parsed, err := x509.ParsePKCS8PrivateKey(material)
		if err != nil {
			return symbolon.Wrap(symbolon.Internal, op, err)
		}
		private, ok := parsed.(crypto.Signer)
		if !ok {
			return symbolon.Errorf(symbolon.Internal, op, "key %s cannot sign", k.ID)
		}
		list = append(list, &signingKey{
			id: k.ID, kid: k.ID.String(), algorithm: jose.SignatureAlgorithm(k.Algorithm),
			activeFrom: k.ActiveFrom, retiredAt: k.RetiredAt, private: private,
			public: jose.JSONWebKey{Key: private.Public(), KeyID: k.ID.String(), Algorithm: k.Algorithm, Use: "sig"},
		})
	}
	slices.SortStableFunc(list, func(a, b *signingKey) int { return a.activeFrom.Compare(b.activeFrom) })
	r.keys.Store(&list)
	r.generation.Add(1)
	return nil
}

// Keys returns the ring's keys without what is secret in them.
func (r *Ring) Keys() []symbolon.Key {
	var list []symbolon.Key
	for _, k := range *r.keys.Load() {
		list = append(list, symbolon.Key{ID: k.id, Algorithm: string(k.algorithm), ActiveFrom: k.activeFrom, RetiredAt: k.retiredAt})
	}
	return list
}

// Generation grows with each loading and with each key that is retired by now.
// What was opened in an earlier generation must be opened again: its key may be
// gone.
func (r *Ring) Generation(now time.Time) uint64 {
	n := r.generation.Load() << 32
	for _, k := range *r.keys.Load() {
		if !k.live(now) {
			n++
		}
	}
	return n
}

// Retire takes up which of the ring's keys are retired. It needs no root key, so
// that a key can be retired even while that is out of reach.
func (r *Ring) Retire(keys []symbolon.Key) {
	old := r.keys.Load()
	list := slices.Clone(*old)
	for i, own := range list {
		for _, k := range keys {
			if k.ID == own.id && !k.RetiredAt.IsZero() {
				list[i] = &signingKey{
					id: own.id, kid: own.kid, algorithm: own.algorithm, activeFrom: own.activeFrom,
					retiredAt: k.RetiredAt, private: own.private, public: own.public,
				}
			}
		}
	}
	if r.keys.CompareAndSwap(old, &list) { // else Load has just read them all
		r.generation.Add(1)
	}
}

// live reports whether what the key signed is honoured at now.
func (k *signingKey) live(now time.Time) bool {
	return k.retiredAt.IsZero() || now.Before(k.retiredAt)
}

// active returns the key that signs with an algorithm at now, or nil: the last
// one that has become active, or the first when all become active later (this
// node's clock is behind that of the one that made them).
func (r *Ring) active(algorithm string, now time.Time) *signingKey {
	list := *r.keys.Load()
	var first *signingKey
	for i := len(list) - 1; i >= 0; i-- {
		k := list[i]
		if string(k.algorithm) != algorithm || !k.live(now) {
			continue
		}
		if !now.Before(k.activeFrom) {
			return k
		}
		first = k
	}
	return first
}

// Algorithms returns the algorithms that the ring can sign with at now, in the
// order of the package's Algorithms.
func (r *Ring) Algorithms(now time.Time) []string {
	var list []string
	for _, a := range Algorithms {
		if r.active(a, now) != nil {
			list = append(list, a)
		}
	}
	return list
}

// Sign returns the claims as a JWT in the compact form, with typ in its header.
// An error of kind Internal means that there is no key for the algorithm.
func (r *Ring) Sign(typ, algorithm string, claims any, now time.Time) (string, error) {
	const op = "sign"
	key := r.active(algorithm, now)
	if key == nil {
		return "", symbolon.Errorf(symbolon.Internal, op, "there is no key for the algorithm %q", algorithm)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, op, err)
	}
	signer, err := key.signer(typ)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, op, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, op, err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, op, err)
	}
	return text, nil
}

func (k *signingKey) signer(typ string) (jose.Signer, error) {
	if s, ok := k.signers.Load(typ); ok {
		return s.(jose.Signer), nil
	}
	s, err := jose.NewSigner(
		jose.SigningKey{Algorithm: k.algorithm, Key: jose.JSONWebKey{Key: k.private, KeyID: k.kid}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return nil, err
	}
	k.signers.Store(typ, s)
	return s, nil
}

// Set returns the public keys as a JWK Set (RFC 7517 §5): those that are
// announced, those that sign, and those whose signatures still count.
func (r *Ring) Set(now time.Time) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range *r.keys.Load() {
		if k.live(now) {
			set.Keys = append(set.Keys, k.public)
		}
	}
	b, err := json.Marshal(set)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "key set", err)
	}
	return b, nil
}

// Open checks a JWT that this server signed, with this typ in its header, and
// decodes its claims. What the claims say is the caller's to check. An error of
// kind Invalid means that it is none of ours.
func (r *Ring) Open(typ, text string, claims any, now time.Time) error {
	t, err := Parse(text)
	if err != nil {
		return err
	}
	if t.Type != strings.ToLower(typ) { // RFC 7515 §4.1.9: case says nothing
		return symbolon.Errorf(symbolon.Invalid, opParse, "its typ is not %s", typ)
	}
	for _, k := range *r.keys.Load() {
		if k.kid == t.KeyID && string(k.algorithm) == t.Algorithm && k.live(now) {
			payload, err := t.verify(k.public.Key)
			if err != nil {
				return err
			}
			return Decode(payload, claims)
		}
	}
	return symbolon.Errorf(symbolon.Invalid, opParse, "none of our keys has its kid")
}
