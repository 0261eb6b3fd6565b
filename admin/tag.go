package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon"
)

// Tag returns what stands for an app as it is now. It is made of what can be edited and
// not of the row's version, which also moves when it is noted that a secret was used.
func Tag(app *symbolon.App) string {
	as := *app
	as.Version = 0
	as.Secrets = append([]symbolon.Secret(nil), app.Secrets...)
	for i := range as.Secrets {
		as.Secrets[i].UsedAt = time.Time{}
	}
	return tagOf(as)
}

// AccountTag is Tag for an account, whose second factors also change by themselves.
func AccountTag(account *symbolon.Account) string {
	as := *account
	as.Version, as.Factors = 0, symbolon.Factors{}
	return tagOf(as)
}

func tagOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of ours always have JSON
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}
