package symbolon

import (
	"encoding/json"
	"time"
)

// Identity is what another issuer calls a person of ours: who proves to be Subject of
// Issuer signs in to the account that it is linked to. An address for mail links
// nothing, since it can change hands.
type Identity struct {
	// Issuer and Subject are its iss and sub, byte for byte (OpenID Connect Core §2,
	// §5.7). Together they belong to one account at most.
	Issuer, Subject string
	// Name is what the person is called there, for them to know it again.
	Name    string
	AddedAt time.Time
}

// MaxIdentity bounds Issuer, Subject and Name each, in bytes.
const MaxIdentity = 512

// ReadIdentities reads a list of identities as the SQL of the stores writes it: JSON,
// with the time in milliseconds, or nothing. The error is of kind Invalid.
func ReadIdentities(text []byte) ([]Identity, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var rows []struct {
		Issuer  string `json:"issuer"`
		Subject string `json:"subject"`
		Name    string `json:"name"`
		AddedAt int64  `json:"added_at"`
	}
	if json.Unmarshal(text, &rows) != nil {
		return nil, Errorf(Invalid, "read identities", "they are no list of identities")
	}
	var list []Identity
	for _, r := range rows {
		list = append(list, Identity{Issuer: r.Issuer, Subject: r.Subject, Name: r.Name, AddedAt: time.UnixMilli(r.AddedAt).UTC()})
	}
	return list, nil
}
