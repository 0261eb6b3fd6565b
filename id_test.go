package symbolon

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAccountID(t *testing.T) {
	seen := make(map[AccountID]bool)
	for range 1000 {
		id := NewAccountID()
		if !id.Valid() || seen[id] {
			t.Fatalf("%q is not valid, or was made before", id)
		}
		seen[id] = true
	}
	for _, id := range []AccountID{"", "d1b0", "D1B03E513FBC5881651D6C149FD259506F975AE1", "d1b03e513fbc5881651d6c149fd259506f975ae", "d1b03e513fbc5881651d6c149fd259506f975ae11", "g1b03e513fbc5881651d6c149fd259506f975ae1", " 1b03e513fbc5881651d6c149fd259506f975ae1"} {
		if id.Valid() {
			t.Errorf("%q is valid", id)
		}
	}
}

// RFC6749-2.3.1-b: what reads the same raw and percent-encoded.
func TestClientIDsAndSecretsNeedNoEncoding(t *testing.T) {
	plain := regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	seen := make(map[string]bool)
	for range 1000 {
		id := string(NewClientID())
		secret, stored := NewSecret(time.Unix(1, 0))
		for _, s := range []string{id, secret} {
			if !plain.MatchString(s) || seen[s] {
				t.Fatalf("%q has another character than letters, digits and _, or was made before", s)
			}
			seen[s] = true
		}
		if !strings.HasPrefix(id, "sym_app_") || !strings.HasPrefix(secret, "sym_secret_") {
			t.Fatalf("%q and %q do not say what they are", id, secret)
		}
		// RFC6749-10.10-a: 32 characters of base32 are 160 bits, 52 are 260.
		if len(id) < len("sym_app_")+26 || len(secret) < len("sym_secret_")+52 {
			t.Fatalf("%q or its secret is too short", id)
		}
		if strings.Contains(fmt.Sprintf("%+v", stored), secret) {
			t.Fatal("the stored form shows the secret")
		}
	}
}

// RFC6749-2.3.1-f: several live secrets, hashed.
func TestCheckSecret(t *testing.T) {
	one, first := NewSecret(time.Unix(1, 0))
	two, second := NewSecret(time.Unix(2, 0))
	app := App{Secrets: []Secret{first, second}}
	for secret, want := range map[string]bool{one: true, two: true, "": false, one + "x": false, one[:len(one)-1]: false, strings.ToLower(one): false, first.ID: false, string(first.Hash[:]): false} {
		if app.CheckSecret(secret) != want {
			t.Errorf("CheckSecret(%q) is not %v", secret, want)
		}
	}
	app.Secrets = app.Secrets[:1]
	if app.CheckSecret(two) {
		t.Error("a retired secret works")
	}
	if new(App).CheckSecret("") {
		t.Error("an app without secrets proves itself with an empty one")
	}
	if want := fmt.Sprintf("%x", first.Hash[:4]); first.ID != want {
		t.Errorf("the id is %s, want %s", first.ID, want)
	}
	if HashSecret(one, first.CreatedAt) != first {
		t.Error("a secret has two stored forms")
	}
}

func TestConnectionID(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_123).UTC()
	seen := make(map[ConnectionID]bool)
	for range 10_000 {
		id := NewConnectionID(now)
		if seen[id] {
			t.Fatal("made twice within one millisecond")
		}
		seen[id] = true
		if !id.Time().Equal(now) {
			t.Fatalf("its time is %v, want %v", id.Time(), now)
		}
		back, err := ParseConnectionID(id.String())
		if err != nil || back != id {
			t.Fatalf("%v is read as %v, %v", id, back, err)
		}
	}
	earlier, later := NewConnectionID(now), NewConnectionID(now.Add(time.Millisecond))
	if bytes.Compare(earlier[:], later[:]) >= 0 {
		t.Error("ids are not in the order of their times")
	}
	for _, s := range []string{"", "00", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("g", 32), strings.Repeat(" ", 32)} {
		if _, err := ParseConnectionID(s); err == nil || KindOf(err) != Invalid {
			t.Errorf("ParseConnectionID(%q): %v", s, err)
		}
	}
}

func TestKeyID(t *testing.T) {
	if got := KeyID(0xab).String(); got != "000000ab" {
		t.Errorf("KeyID(0xab) is %s", got)
	}
	if NewKeyID() == NewKeyID() && NewKeyID() == NewKeyID() {
		t.Error("key ids are not random")
	}
}

func TestKindOf(t *testing.T) {
	inner := Errorf(Busy, "store", "away for %d s", 3)
	outer := fmt.Errorf("around: %w", Wrap(Unknown, "refresh", inner))
	if got := KindOf(outer); got != Unknown {
		t.Errorf("the first Error in the chain is %v, want unknown outcome", got)
	}
	if !errors.Is(outer, inner) {
		t.Error("the cause is lost")
	}
	if got := KindOf(errors.New("another")); got != Internal {
		t.Errorf("an error of another type is %v, want internal", got)
	}
	if got, want := inner.Error(), "store: busy: away for 3 s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for kind, want := range map[Kind]string{Internal: "internal", Invalid: "invalid", Denied: "denied", NotFound: "not found", Conflict: "conflict", Busy: "busy", Unknown: "unknown outcome"} {
		if kind.String() != want {
			t.Errorf("kind %d is %q, want %q", kind, kind, want)
		}
	}
}
