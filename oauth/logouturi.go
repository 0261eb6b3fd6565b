package oauth

import (
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
)

// MaxPostLogoutURIs bounds the addresses that a person may be sent back to from
// signing out, of one app.
const MaxPostLogoutURIs = 50

// logoutNames are the parameters that signing out adds to such an address.
var logoutNames = []string{"state"}

// CheckPostLogoutURI reports whether a person may be sent back to a URI after
// signing out. The rules are those of redirect URIs. The error, of kind Invalid,
// says why not.
func CheckPostLogoutURI(uri string) error {
	return checkWayBack("post-logout redirect URI", uri, logoutNames)
}

// CheckBackchannelURI reports whether an app may be told at this URI that a session
// has ended. The error, of kind Invalid, says why not.
func CheckBackchannelURI(uri string, sandbox bool) error {
	bad := func(why string) error {
		return symbolon.Errorf(symbolon.Invalid, "back-channel logout URI", "%s", why)
	}
	if err := checkWayBack("back-channel logout URI", uri, nil); err != nil {
		return err
	}
	// Back-Channel Logout §2.2: absolute, https unless there is a reason, no
	// fragment, which the rules of redirect URIs say as well.
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http":
		return bad("it must be https, since this server itself sends to it")
	case u.Scheme == "http" && !sandbox:
		return bad("it must be https")
	case strings.HasSuffix(u.Host, ":") || u.Port() == "0":
		return bad("its port is none")
	}
	return nil
}
