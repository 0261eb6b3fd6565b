package oauth

import (
	"strings"

	"github.com/symbolon/symbolon/seal"
)

// kinds are the sealed values that apps hold, by what their developers call
// them.
var kinds = []struct {
	prefix seal.Prefix
	name   string
}{
	{seal.Code, "an authorization code"},
	{seal.AccessToken, "an access token"},
	{seal.RefreshToken, "a refresh token"},
	{seal.Pushed, "the request_uri of a pushed request"},
	{seal.DeviceCode, "a device code"},
}

// notOurs describes a value that could not be opened as what was wanted, which
// is called name. One that begins like another kind of ours was put in the
// wrong place. Nothing of the value is repeated.
func notOurs(want seal.Prefix, name, text string) string {
	wanted := ""
	for _, k := range kinds {
		if k.prefix == want {
			wanted = k.name
		}
	}
	for _, k := range kinds {
		if k.prefix != want && strings.HasPrefix(text, string(k.prefix)) {
			return "This is " + k.name + "; send " + wanted + "."
		}
	}
	return "The " + name + " is not one that this server made; it may have been cut or changed on the way."
}
