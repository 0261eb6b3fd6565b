package seal

import (
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// vectors are sealed values that must be read, and made byte for byte, by every
// release: apps hold them for months. testdata/v1.json was written by another
// implementation of the description in this package's comment (HKDF and AES-SIV
// from another library, in another language), so it is more than our own echo.
// It may grow. What is in it may never change.
type vectors struct {
	RootKey string `json:"root_key"`
	Keys    []struct {
		ID         string
		Wrapped    string
		ActiveFrom int64 `json:"active_from"`
	}
	Grants []struct {
		Connection string
		Account    symbolon.AccountID
		Client     symbolon.ClientID
		Name       string
		Scope      symbolon.Scopes
		Resource   []string
		AuthAt     int64 `json:"auth_at"`
		IssuedAt   int64 `json:"issued_at"`
		ExpiresAt  int64 `json:"expires_at"`
	}
	Values []struct {
		What   string
		Prefix Prefix
		At     int64
		Plain  string
		Text   string
	}
}

func readVectors(t testing.TB) (vectors, []*RootKey, []symbolon.Key) {
	t.Helper()
	raw, err := os.ReadFile("testdata/v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	roots, err := ParseRootKeys(v.RootKey)
	if err != nil {
		t.Fatal(err)
	}
	var keys []symbolon.Key
	for _, k := range v.Keys {
		id := unhexed(t, k.ID)
		keys = append(keys, symbolon.Key{
			ID:         symbolon.KeyID(binary.BigEndian.Uint32(id)),
			Wrapped:    unhexed(t, k.Wrapped),
			ActiveFrom: time.UnixMilli(k.ActiveFrom).UTC(),
		})
	}
	return v, roots, keys
}

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	v, roots, keys := readVectors(t)
	if got := roots[0].Reveal(); got != v.RootKey {
		t.Errorf("the root key is spelled %s, was %s", got, v.RootKey)
	}
	for _, k := range keys {
		again, err := roots[0].Rewrap(k, roots)
		if err != nil || string(again.Wrapped) != string(k.Wrapped) {
			t.Errorf("key %s is wrapped as %x, %v", k.ID, again.Wrapped, err)
		}
	}
	ring, err := NewRing(roots, keys)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Values) < 8 {
		t.Fatalf("%d vectors are left", len(v.Values))
	}
	for _, value := range v.Values {
		t.Run(value.What, func(t *testing.T) {
			at, plain := time.UnixMilli(value.At), unhexed(t, value.Plain)
			text, err := ring.Seal(value.Prefix, plain, at)
			if err != nil || text != value.Text {
				t.Errorf("sealed as %s, %v\n          was %s", text, err, value.Text)
			}
			opened, err := ring.Open(value.Prefix, value.Text, at)
			if err != nil || string(opened) != string(plain) {
				t.Errorf("opened as %x, %v\n          was %x", opened, err, plain)
			}
		})
	}
}

// The nouns inside the vectors, field by field.
func TestVectorsOfNouns(t *testing.T) {
	v, _, _ := readVectors(t)
	grant := func(i int) symbolon.Grant {
		g := v.Grants[i]
		out := symbolon.Grant{Account: g.Account, Client: g.Client, Name: g.Name, Scope: g.Scope, Resource: g.Resource,
			AuthAt: time.UnixMilli(g.AuthAt), IssuedAt: time.UnixMilli(g.IssuedAt), ExpiresAt: time.UnixMilli(g.ExpiresAt)}
		copy(out.Connection[:], unhexed(t, g.Connection))
		if got := out.Connection.Time().UnixMilli(); got != 1790000000000 {
			t.Errorf("the connection's id says %d", got)
		}
		return out
	}
	var uri, challenge [32]byte
	for i := range uri {
		uri[i], challenge[i] = byte(100+i), byte(200+i)
	}
	for i, noun := range []encoding.BinaryAppender{
		&symbolon.Code{Grant: grant(0), RedirectURI: uri, Challenge: challenge, HasChallenge: true},
		&symbolon.Code{Grant: grant(1), RedirectURI: uri, Sandbox: true},
		&symbolon.AccessToken{Grant: grant(0)},
		&symbolon.AccessToken{Grant: grant(1)},
		&symbolon.RefreshToken{Grant: grant(0)},
		&symbolon.RefreshToken{Grant: grant(1), Seq: 300},
	} {
		b, err := noun.AppendBinary(nil)
		if got := hex.EncodeToString(b); err != nil || got != v.Values[i].Plain {
			t.Errorf("%s is encoded as %s, %v\nwas %s", v.Values[i].What, got, err, v.Values[i].Plain)
		}
	}
}
