package symbolon

import (
	"bytes"
	"encoding"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// noun is one of the values that are sealed.
type noun interface {
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func nouns() map[string]func() noun {
	return map[string]func() noun{
		"code":          func() noun { return new(Code) },
		"access token":  func() noun { return new(AccessToken) },
		"refresh token": func() noun { return new(RefreshToken) },
	}
}

func drawTime(t *rapid.T, label string) time.Time {
	ms := rapid.Int64Range(0, maxTime).Draw(t, label)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func drawGrant(t *rapid.T) Grant {
	var g Grant
	copy(g.Connection[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "connection"))
	g.Account = AccountID(rapid.StringMatching(`[0-9a-f]{40}`).Draw(t, "account"))
	g.Client = ClientID(rapid.String().Draw(t, "client"))
	g.Name = rapid.String().Draw(t, "name")
	if list := rapid.SliceOf(rapid.String()).Draw(t, "scope"); len(list) > 0 {
		g.Scope = list
	}
	if list := rapid.SliceOf(rapid.String()).Draw(t, "resource"); len(list) > 0 {
		g.Resource = list
	}
	g.AuthAt, g.IssuedAt, g.ExpiresAt = drawTime(t, "auth"), drawTime(t, "issued"), drawTime(t, "expires")
	if g.Account == AccountID(strings.Repeat("0", 40)) || rapid.Bool().Draw(t, "no account") {
		g.Account = ""
	}
	if g.Binding.Kind = BindingKind(rapid.IntRange(0, 2).Draw(t, "binding")); g.Binding.Kind != Unbound {
		copy(g.Binding.Thumbprint[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "thumbprint"))
	}
	if rapid.Bool().Draw(t, "extended") {
		for _, id := range rapid.SliceOf(rapid.StringMatching(`[^ ]*`)).Draw(t, "sources") {
			g.Sources = append(g.Sources, ClientID(id))
		}
		g.Details, g.Actor = rapid.String().Draw(t, "details"), rapid.String().Draw(t, "actor")
		copy(g.Session[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "session"))
		g.ACR, g.Claims = rapid.String().Draw(t, "acr"), rapid.String().Draw(t, "claims")
	}
	return g
}

func TestSealedNounsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grant := drawGrant(t)
		code := &Code{Grant: grant, HasChallenge: rapid.Bool().Draw(t, "has challenge"), Sandbox: rapid.Bool().Draw(t, "sandbox"), ImpliedURI: rapid.Bool().Draw(t, "implied"),
			Nonce: rapid.String().Draw(t, "nonce"), Label: rapid.String().Draw(t, "label")}
		copy(code.RedirectURI[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "uri"))
		if code.HasChallenge {
			copy(code.Challenge[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "challenge"))
		}
		for _, pair := range [][2]noun{
			{code, new(Code)},
			{&AccessToken{Grant: grant}, new(AccessToken)},
			{&RefreshToken{Grant: grant, Seq: rapid.Uint64().Draw(t, "seq")}, new(RefreshToken)},
		} {
			front := []byte("what was there before")
			b, err := pair[0].AppendBinary(bytes.Clone(front))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, front) {
				t.Fatal("AppendBinary changed what was there before")
			}
			if err := pair[1].UnmarshalBinary(b[len(front):]); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Fatalf("wrote %+v\nread  %+v", pair[0], pair[1])
			}
		}
	})
}

// What is read into may hold another value from before.
func TestUnmarshalBinaryLeavesNothingBehind(t *testing.T) {
	small := Grant{Account: AccountID(strings.Repeat("1", 40))}
	big := Code{Grant: Grant{Binding: Binding{BoundByTLS, [32]byte{1}}, Details: "[]", Actor: "{}", Client: "c", Name: "n", Scope: Scopes{"s"}, Resource: []string{"r"}}, HasChallenge: true, Challenge: [32]byte{1}, Sandbox: true}
	b, err := (&Code{Grant: small}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := big.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(big, Code{Grant: small}) {
		t.Errorf("something of the old value is left: %+v", big)
	}
}

func TestUnmarshalBinaryRefusesTheRest(t *testing.T) {
	b, err := (&Code{Grant: Grant{Account: NewAccountID(), Client: "c", Name: "Jane", Scope: Scopes{"connect"}, IssuedAt: time.UnixMilli(1)}, HasChallenge: true}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, data []byte) {
		t.Helper()
		for name, fresh := range nouns() {
			if err := fresh().UnmarshalBinary(data); err == nil || KindOf(err) != Invalid {
				t.Errorf("%s read as %s: %v", what, name, err)
			}
		}
	}
	for n := range len(b) {
		if err := new(Code).UnmarshalBinary(b[:n]); err == nil {
			t.Errorf("a code cut to %d bytes is read", n)
		}
	}
	refused("a code with a byte behind it", append(bytes.Clone(b), 0))
	refused("nothing", nil)
	refused("another version", append([]byte{grantExtended + 1}, b[1:]...))
	refused("an extension that is not there", append([]byte{grantExtended}, b[1:]...))
	flags := len(b) - 32 - 32 - 1
	for bit := range 8 {
		other := bytes.Clone(b)
		other[flags] |= 1 << bit
		if err := new(Code).UnmarshalBinary(other); (err == nil) != (1<<bit&(codeHasChallenge|codeSandbox|codeImpliedURI) != 0) {
			t.Errorf("flag %d: %v", bit, err)
		}
	}
	// A refresh token is a grant and a number: 0 has one spelling.
	token, err := (&RefreshToken{Grant: Grant{Account: NewAccountID()}}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	refused("a long spelling of 0", append(token[:len(token)-1:len(token)-1], 0x80, 0))
	if _, err := (&AccessToken{Grant: Grant{Account: "short"}}).AppendBinary(nil); err == nil {
		t.Error("an account id that is none is written")
	}
}

// Whatever the bytes: no panic, no memory for lengths that are only claimed,
// and what is accepted has exactly one spelling.
func FuzzUnmarshalBinary(f *testing.F) {
	grant := Grant{Account: AccountID(strings.Repeat("ab", 20)), Client: "sym_app_x", Name: "Jane Doe", Scope: Scopes{"connect"}, Resource: []string{"https://r1.test"}, IssuedAt: time.UnixMilli(1_790_000_000_000), ExpiresAt: time.UnixMilli(1_790_000_060_000)}
	bound := grant
	bound.Binding, bound.Details, bound.Actor = Binding{BoundByDPoP, [32]byte{1}}, `[{"type":"t"}]`, `{"sub":"s"}`
	alone := grant
	alone.Account, alone.Binding = "", Binding{BoundByTLS, [32]byte{2}}
	asked := grant
	asked.Session, asked.ACR, asked.Claims = SessionID{3}, "1", `{"id_token":{"acr":null}}`
	for _, n := range []noun{&Code{Grant: asked, Nonce: "n"}, &RefreshToken{Grant: asked}, &Code{Grant: bound, ImpliedURI: true}, &AccessToken{Grant: alone}, &RefreshToken{Grant: bound, Seq: 1}, &Code{Grant: grant, HasChallenge: true}, &Code{Grant: grant, Sandbox: true}, &AccessToken{Grant: grant}, &RefreshToken{Grant: grant, Seq: 300}} {
		b, err := n.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	// A scope list that claims a million names.
	f.Add(append(append([]byte{grantVersion}, make([]byte, 38)...), 0xc0, 0x84, 0x3d, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, fresh := range nouns() {
			n := fresh()
			if n.UnmarshalBinary(data) != nil {
				continue
			}
			again, err := n.AppendBinary(nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(again, data) {
				t.Fatalf("%s has two spellings:\n%x\n%x", name, data, again)
			}
		}
	})
}

func TestUnmarshalBinaryAllocatesLittle(t *testing.T) {
	// Version, ids, empty client and name, then a list that claims 16384 items
	// of which none is there but as many bytes as its limit allows.
	head := append([]byte{grantVersion}, make([]byte, 16+20+1+1)...)
	data := append(head, 0x80, 0x80, 0x01)
	data = append(data, bytes.Repeat([]byte{0x7f}, maxField)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if err := new(Code).UnmarshalBinary(data); err == nil {
			t.Fatal("it is read")
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / 100; each > 24*uint64(len(data)) {
		t.Errorf("%d bytes of input cost %d bytes of memory", len(data), each)
	}
}

// A grant that has nothing of version 2 is written as it always was, so that
// what older versions made and what this one makes is the same.
func TestGrantKeepsItsFirstSpelling(t *testing.T) {
	plain, err := (&AccessToken{Grant: Grant{Account: NewAccountID()}}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain[0] != grantVersion {
		t.Errorf("a plain grant is written in version %d", plain[0])
	}
	extended, err := (&AccessToken{Grant: Grant{Account: NewAccountID(), Details: "[]"}}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if extended[0] != grantExtended {
		t.Errorf("an extended grant is written in version %d", extended[0])
	}
	for what, tail := range map[string][]byte{
		"no end":           {tagDetails, 1, 'd'},
		"another order":    {tagActor, 1, 'a', tagDetails, 1, 'd', tagEnd},
		"a tag twice":      {tagDetails, 1, 'd', tagDetails, 1, 'd', tagEnd},
		"an empty value":   {tagDetails, 0, tagEnd},
		"half a source":    {tagSources, 1, 'x', tagEnd},
		"an unknown tag":   {tagLast, 1, 'x', tagEnd},
		"a short key":      {tagDPoP, 1, 'x', tagEnd},
		"nothing extended": {tagEnd},
		"two keys":         append(append(append([]byte{tagDPoP, 32}, make([]byte, 32)...), append([]byte{tagTLS, 32}, make([]byte, 32)...)...), tagEnd),
	} {
		head := append([]byte{grantExtended}, plain[1:]...)
		if err := new(AccessToken).UnmarshalBinary(append(head, tail...)); err == nil {
			t.Errorf("a grant with %s is read", what)
		}
	}
}
