package signin

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/softkey"
)

// Where browsers have no passkeys, there are none.
func TestNewPasskeys(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://auth.example.com": "auth.example.com", "https://auth.example.com:8443/a": "auth.example.com", "http://localhost:8080": "localhost",
		"http://auth.example.com": "", "https://192.0.2.1": "", "http://127.0.0.1:8080": "", "https://[2001:db8::1]": "",
	} {
		p, err := NewPasskeys(issuer, "")
		if err != nil || (p != nil) != (want != "") || p != nil && p.id != want {
			t.Errorf("%s: %+v, %v", issuer, p, err)
		}
	}
}

// The browser's dialog names the service, and not only its host.
func TestPasskeysNameTheService(t *testing.T) {
	for name, want := range map[string]string{"": "auth.example.com", "Weather": "Weather"} {
		p, err := NewPasskeys("https://auth.example.com", name)
		if err != nil {
			t.Fatal(err)
		}
		options, err := p.Offer(NewChallenge(), &symbolon.Account{ID: symbolon.NewAccountID(), Username: "jane"})
		if err != nil || !strings.Contains(options, `"name":"`+want+`"`) {
			t.Errorf("%q: %s, %v", name, options, err)
		}
	}
}

// passkeyed is a server, an account and a passkey of it.
func passkeyed(t *testing.T) (*Passkeys, *symbolon.Account, *softkey.Key) {
	t.Helper()
	p, err := NewPasskeys("https://auth.test:8443", "")
	if err != nil {
		t.Fatal(err)
	}
	account := &symbolon.Account{ID: symbolon.NewAccountID(), Username: "jane", Name: "Jane Doe"}
	handle, _ := hex.DecodeString(string(account.ID))
	return p, account, softkey.New(handle, "auth.test", "https://auth.test:8443")
}

func TestPasskeyIsMade(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	for name, c := range map[string]struct {
		change func(*softkey.Key)
		good   bool
	}{
		"as it should be":     {func(*softkey.Key) {}, true},
		"a synced one":        {func(k *softkey.Key) { k.Flags |= softkey.Synced | softkey.Copied }, true},
		"the person unknown":  {func(k *softkey.Key) { k.Flags &^= softkey.Verified }, false},
		"nobody was there":    {func(k *softkey.Key) { k.Flags = softkey.Verified }, false},
		"at another server":   {func(k *softkey.Key) { k.RPID = "evil.test" }, false},
		"on another page":     {func(k *softkey.Key) { k.Origin = "https://evil.test" }, false},
		"on a neighbour":      {func(k *softkey.Key) { k.Origin = "https://www.auth.test:8443" }, false},
		"on another port":     {func(k *softkey.Key) { k.Origin = "https://auth.test" }, false},
		"by http":             {func(k *softkey.Key) { k.Origin = "http://auth.test:8443" }, false},
		"in a frame":          {func(k *softkey.Key) { k.CrossOrigin = true }, false},
		"what signs in":       {func(k *softkey.Key) { k.Type = "webauthn.get" }, false},
		"copied, not synced":  {func(k *softkey.Key) { k.Flags |= softkey.Copied }, false},
		"with a name too big": {func(k *softkey.Key) { k.ID = make([]byte, 2000) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, account, key := passkeyed(t)
			c.change(key)
			challenge := NewChallenge()
			made, err := p.Made(key.Make(challenge), challenge, account, now)
			if (err == nil) != c.good {
				t.Fatalf("%+v, %v", made, err)
			}
			if err != nil {
				return
			}
			if !bytes.Equal(made.ID, key.ID) || made.Synced != (key.Flags&softkey.Synced != 0) || made.Copied != made.Synced || made.AddedAt != now || len(made.Transports) != 1 || made.Model != nil {
				t.Errorf("%+v", made)
			}
			if _, err := p.Made(key.Make(challenge), NewChallenge(), account, now); err == nil {
				t.Error("another challenge is taken")
			}
		})
	}
}

func TestPasskeySignsIn(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	other := softkey.New(nil, "", "")
	for name, c := range map[string]struct {
		change func(*softkey.Key)
		good   bool
	}{
		"as it should be":     {func(*softkey.Key) {}, true},
		"the counter goes on": {func(k *softkey.Key) { k.Count = 8 }, true},
		"the counter stands":  {func(k *softkey.Key) { k.Count = 7 }, false},
		"the counter is less": {func(k *softkey.Key) { k.Count = 6 }, false},
		"the person unknown":  {func(k *softkey.Key) { k.Flags &^= softkey.Verified }, false},
		"nobody was there":    {func(k *softkey.Key) { k.Flags = softkey.Verified }, false},
		"at another server":   {func(k *softkey.Key) { k.RPID = "evil.test" }, false},
		"on another page":     {func(k *softkey.Key) { k.Origin = "https://evil.test" }, false},
		"in a frame":          {func(k *softkey.Key) { k.CrossOrigin = true }, false},
		"what makes one":      {func(k *softkey.Key) { k.Type = "webauthn.create" }, false},
		"it became synced":    {func(k *softkey.Key) { k.Flags |= softkey.Synced }, false},
		"another key":         {func(k *softkey.Key) { k.Private = other.Private }, false},
		"another name":        {func(k *softkey.Key) { k.ID = other.ID }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, account, key := passkeyed(t)
			challenge := NewChallenge()
			key.Count = 7
			made, err := p.Made(key.Make(challenge), challenge, account, now)
			if err != nil {
				t.Fatal(err)
			}
			account.Factors.Passkeys = []symbolon.Passkey{made}
			key.Count = 8
			c.change(key)
			challenge = NewChallenge()
			a, err := ReadAssertion(key.Sign(challenge))
			if err != nil {
				t.Fatal(err)
			}
			if a.Account() != account.ID {
				t.Errorf("it is %s's", a.Account())
			}
			before := account.Factors.Passkeys
			err = p.Check(a, challenge, account, now)
			if (err == nil) != c.good {
				t.Fatal(err)
			}
			if before[0].Count != 7 {
				t.Error("what was read is changed in place")
			}
			k := account.Factors.Passkeys[0]
			if c.good && (k.Count != 8 || k.UsedAt != now) || !c.good && (k.Count != 7 || !k.UsedAt.IsZero()) {
				t.Errorf("%+v", k)
			}
			if err := p.Check(a, NewChallenge(), account, now); err == nil {
				t.Error("another challenge is taken")
			}
			stranger := &symbolon.Account{ID: symbolon.NewAccountID(), Factors: account.Factors}
			if err := p.Check(a, challenge, stranger, now); err == nil {
				t.Error("it signs in somebody else")
			}
		})
	}
}

// What a script is given says what is demanded.
func TestPasskeyOptions(t *testing.T) {
	p, account, _ := passkeyed(t)
	account.Factors.Passkeys = []symbolon.Passkey{{ID: []byte{1, 2, 3}, Transports: []string{"usb"}}}
	offer, err := p.Offer(NewChallenge(), account)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := p.Ask(NewChallenge(), account.Factors.Passkeys)
	if err != nil {
		t.Fatal(err)
	}
	anyone, err := p.Ask(NewChallenge(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, wants := range map[string][]string{
		offer:  {`"residentKey":"required"`, `"userVerification":"required"`, `"attestation":"none"`, `"id":"auth.test"`, `"excludeCredentials":[{"type":"public-key","id":"AQID"`},
		ask:    {`"userVerification":"required"`, `"rpId":"auth.test"`, `"allowCredentials":[{"type":"public-key","id":"AQID","transports":["usb"]}]`},
		anyone: {`"allowCredentials":[]`},
	} {
		if !json.Valid([]byte(text)) {
			t.Error(text)
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", text, want)
			}
		}
	}
}

func FuzzReadAssertion(f *testing.F) {
	p, err := NewPasskeys("https://auth.test", "")
	if err != nil {
		f.Fatal(err)
	}
	account := &symbolon.Account{ID: symbolon.NewAccountID()}
	handle, _ := hex.DecodeString(string(account.ID))
	key, challenge := softkey.New(handle, "auth.test", "https://auth.test"), NewChallenge()
	for _, s := range []string{"", "{}", "null", `{"id":"AQ","rawId":"AQ","type":"public-key","response":{}}`, key.Sign(challenge), key.Make(challenge)} {
		f.Add(s)
	}
	made, err := p.Made(key.Make(challenge), challenge, account, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	account.Factors.Passkeys = []symbolon.Passkey{made}
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ReadAssertion(text); err == nil {
			who := *account
			if p.Check(a, NewChallenge(), &who, time.Now()) == nil {
				t.Error("a challenge that nobody signed")
			}
		}
		if _, err := p.Made(text, NewChallenge(), account, time.Now()); err == nil {
			t.Error("a challenge that nobody signed")
		}
	})
}
