// Package softkey is a passkey in software, for tests: it signs as an authenticator does
// (WebAuthn level 3 §6), and whatever a test wants it to.
package softkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
)

// The flags of authenticator data (WebAuthn level 3 §6.1).
const (
	// Present: somebody was there.
	Present = 1 << 0
	// Verified: it recognised who.
	Verified = 1 << 2
	// Synced: the key may be copied to other devices.
	Synced = 1 << 3
	// Copied: it was.
	Copied   = 1 << 4
	attested = 1 << 6
)

// Key is a passkey. Its fields may be changed before it signs.
type Key struct {
	ID      []byte
	Private *ecdsa.PrivateKey
	// Handle is the user handle that it says.
	Handle []byte
	// RPID and Origin are where it believes to be, CrossOrigin that it was asked from a
	// frame.
	RPID, Origin string
	CrossOrigin  bool
	// Type is what is signed for: webauthn.get or webauthn.create when empty.
	Type  string
	Flags byte
	Count uint32
}

// New returns a passkey of a person at a server. It panics when there is no randomness.
func New(handle []byte, rpID, origin string) *Key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	id := make([]byte, 32)
	rand.Read(id)
	return &Key{ID: id, Private: private, Handle: handle, RPID: rpID, Origin: origin, Flags: Present | Verified}
}

var text = base64.RawURLEncoding

// client is the client data for a challenge.
func (k *Key) client(kind string, challenge []byte) []byte {
	if k.Type != "" {
		kind = k.Type
	}
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": text.EncodeToString(challenge), "origin": k.Origin, "crossOrigin": k.CrossOrigin}) // it has JSON
	return b
}

// data is the authenticator data, up to where attested data begins.
func (k *Key) data(flags byte) []byte {
	hash := sha256.Sum256([]byte(k.RPID))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), k.Count)
}

// Make returns what a script sends of a passkey that was made
// (RegistrationResponseJSON).
func (k *Key) Make(challenge []byte) string {
	data := append(k.data(k.Flags|attested), make([]byte, 16)...) // no model
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(data, k.ID...)
	point, _ := k.Private.PublicKey.Bytes() // P-256 has them
	// A COSE key: kty EC2, alg ES256, crv P-256, x, y.
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20)
	data = append(data, point[1:33]...)
	data = append(append(data, 0x22, 0x58, 0x20), point[33:]...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"), byte(len(data)>>8), byte(len(data)))
	return k.say(map[string]any{
		"clientDataJSON": text.EncodeToString(k.client("webauthn.create", challenge)), "attestationObject": text.EncodeToString(append(object, data...)),
		"transports": []string{"internal"},
	})
}

// Sign returns what a script sends of a passkey that signed
// (AuthenticationResponseJSON).
func (k *Key) Sign(challenge []byte) string {
	data, client := k.data(k.Flags), k.client("webauthn.get", challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, _ := ecdsa.SignASN1(rand.Reader, k.Private, digest[:]) // of 32 bytes
	return k.say(map[string]any{
		"clientDataJSON": text.EncodeToString(client), "authenticatorData": text.EncodeToString(data),
		"signature": text.EncodeToString(signature), "userHandle": text.EncodeToString(k.Handle),
	})
}

func (k *Key) say(response map[string]any) string {
	id := text.EncodeToString(k.ID)
	b, _ := json.Marshal(map[string]any{"id": id, "rawId": id, "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response}) // it has JSON
	return string(b)
}
