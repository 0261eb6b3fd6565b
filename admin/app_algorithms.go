package admin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// checkAlgorithms holds the algorithms that an app's settings name for its own keys to
// what is known, and to the keys that it has.
func checkAlgorithms(app *symbolon.App) error {
	s := &app.Settings
	var set *jwt.Set
	if s.Keys != "" {
		set, _ = jwt.ParseSet([]byte(s.Keys)) // which was read when it was given
	}
	none := s.Keys == "" && s.KeysURI == ""
	if s.AuthSigning != "" && app.Method() != symbolon.AuthKey {
		return mend(fmt.Errorf("--auth-alg says nothing of an app that does not prove itself by %s", symbolon.AuthKey), "add --auth %s, or take it away: --auth-alg ''", symbolon.AuthKey)
	}
	for _, f := range []struct{ flag, algorithm string }{{"--auth-alg", s.AuthSigning}, {"--request-alg", s.RequestSigning}} {
		switch {
		case f.algorithm == "":
		case !slices.Contains(jwt.Algorithms, f.algorithm):
			return mend(fmt.Errorf("%s: there is no algorithm %q", f.flag, printable(f.algorithm)), "the algorithms are %s", strings.Join(jwt.Algorithms, ", "))
		case none || set != nil && !set.Verifies(f.algorithm):
			return mend(fmt.Errorf("%s %s needs a public key of the app for that", f.flag, f.algorithm), "add one of use sig by --keys FILE, or by --keys-uri URL")
		}
	}
	for _, f := range []struct {
		flag string
		how  symbolon.Encryption
	}{{"--id-token-encryption", s.OpenID.IDTokenEncryption}, {"--userinfo-encryption", s.OpenID.UserinfoEncryption}} {
		switch {
		case f.how == (symbolon.Encryption{}):
		case !slices.Contains(jwt.KeyAlgorithms, f.how.Key):
			return mend(fmt.Errorf("%s: no key is told by %q", f.flag, printable(f.how.Key)), "the algorithms are %s", strings.Join(jwt.KeyAlgorithms, ", "))
		case f.how.Content != "" && !slices.Contains(jwt.ContentAlgorithms, f.how.Content):
			return mend(fmt.Errorf("%s: nothing is encrypted by %q", f.flag, printable(f.how.Content)), "behind the slash stands %s", strings.Join(jwt.ContentAlgorithms, ", "))
		case none || set != nil && !set.Encrypts(f.how.Key):
			return mend(fmt.Errorf("%s %s needs a public key of the app for that", f.flag, f.how.Key), "add one of use enc by --keys FILE, or by --keys-uri URL")
		}
	}
	return nil
}
