package symbolon

import (
	"encoding/json"
	"time"
)

// Factors are what an account proves who it is with, beside its password. Stores keep
// them as one JSON object in the account's row, which Store.PutAccount compares and
// sets: so a code counts once, on however many nodes.
type Factors struct {
	// App is the authenticator app whose codes are asked for behind the password,
	// or nil.
	App *AuthenticatorApp `json:"app,omitempty"`
	// Recovery are the SHA-256 of the recovery codes that have not been used.
	Recovery [][]byte `json:"recovery,omitempty"`
	// Passkeys sign in alone.
	Passkeys []Passkey `json:"passkeys,omitempty"`
	// Missed counts the wrong codes since the last right one, the last of them at
	// MissedAt.
	Missed   int       `json:"missed,omitempty"`
	MissedAt time.Time `json:"missed_at,omitzero"`
}

// AuthenticatorApp is an app that shows a code every 30 seconds (RFC 6238).
type AuthenticatorApp struct {
	// Secret is the secret that the app has as well, wrapped by seal.Ring.Wrap:
	// whoever has the database alone can make no code.
	Secret []byte `json:"secret"`
	// Step is the number of the step whose code counted last. That and all before
	// it count no more.
	Step    int64     `json:"step"`
	AddedAt time.Time `json:"added_at"`
}

// Passkey is a credential of WebAuthn.
type Passkey struct {
	// ID and Key are the credential's id and its public key (COSE, RFC 9052 §7).
	ID  []byte `json:"id"`
	Key []byte `json:"key"`
	// Name is what the person calls it.
	Name string `json:"name"`
	// Count is the signature counter; 0 for a key that has none.
	Count uint32 `json:"count,omitempty"`
	// Synced says that the key may be copied to other devices, Copied that it was.
	Synced bool `json:"synced,omitempty"`
	Copied bool `json:"copied,omitempty"`
	// Transports are how the browser may reach it, and Model which make it is, or nil.
	Transports []string  `json:"transports,omitempty"`
	Model      []byte    `json:"model,omitempty"`
	AddedAt    time.Time `json:"added_at"`
	UsedAt     time.Time `json:"used_at,omitzero"`
}

// Empty reports whether there is none, so that the password alone signs in and there
// is no other way.
func (f *Factors) Empty() bool { return f.App == nil && len(f.Passkeys) == 0 }

// Kinds returns which there are: "app", "recovery" and "passkey".
func (f *Factors) Kinds() []string {
	var list []string
	if f.App != nil {
		list = append(list, "app")
	}
	if len(f.Recovery) > 0 {
		list = append(list, "recovery")
	}
	if len(f.Passkeys) > 0 {
		list = append(list, "passkey")
	}
	return list
}

// plainFactors are written and read member by member.
type plainFactors Factors

// AppendText appends the factors as stores keep them, with times in whole
// milliseconds: nothing where there are none.
func (f Factors) AppendText(b []byte) ([]byte, error) {
	if f.Empty() && len(f.Recovery) == 0 {
		return b, nil
	}
	whole := func(t time.Time) time.Time {
		if t.IsZero() {
			return time.Time{}
		}
		return time.UnixMilli(t.UnixMilli()).UTC()
	}
	f.MissedAt = whole(f.MissedAt)
	if f.App != nil {
		app := *f.App
		app.AddedAt = whole(app.AddedAt)
		f.App = &app
	}
	keys := make([]Passkey, len(f.Passkeys))
	for i, k := range f.Passkeys {
		k.AddedAt, k.UsedAt = whole(k.AddedAt), whole(k.UsedAt)
		keys[i] = k
	}
	f.Passkeys = keys
	text, err := json.Marshal(plainFactors(f))
	if err != nil {
		return nil, Wrap(Internal, "write factors", err)
	}
	return append(b, text...), nil
}

// UnmarshalText reads what AppendText wrote. The error is of kind Invalid.
func (f *Factors) UnmarshalText(text []byte) error {
	*f = Factors{}
	if len(text) == 0 {
		return nil
	}
	if json.Unmarshal(text, (*plainFactors)(f)) != nil || f.App != nil && len(f.App.Secret) == 0 || f.Missed < 0 {
		*f = Factors{}
		return Errorf(Invalid, "read factors", "they are no factors of an account")
	}
	for _, k := range f.Passkeys {
		if len(k.ID) == 0 || len(k.Key) == 0 {
			*f = Factors{}
			return Errorf(Invalid, "read factors", "a passkey lacks its id or its key")
		}
	}
	return nil
}
