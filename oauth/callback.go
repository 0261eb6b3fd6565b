package oauth

import (
	"net/url"
	"strings"
)

// callbackNames are the parameters that step 2 adds to a redirect URI.
var callbackNames = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// Callback is what step 2 brings to the app's redirect URI (RFC 6749 §4.1.2 and
// §4.1.2.1, RFC 9207 §2).
type Callback struct {
	RedirectURI string
	// Code is set on success; Error and Description otherwise.
	Code        string
	Error       string
	Description string
	State       string
	Issuer      string
}

// URL returns the redirect URI with the parameters appended. The bytes of the
// registered URI, its query included, stay as they are (RFC 6749 §3.1.2).
func (c *Callback) URL() string {
	var b strings.Builder
	b.WriteString(c.RedirectURI)
	sep := byte('?')
	if i := strings.IndexByte(c.RedirectURI, '?'); i >= 0 {
		sep = '&'
		if i == len(c.RedirectURI)-1 {
			sep = 0
		}
	}
	add := func(name, value string) {
		if value == "" {
			return
		}
		if sep != 0 {
			b.WriteByte(sep)
		}
		sep = '&'
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	add("code", c.Code)
	add("error", c.Error)
	add("error_description", c.Description)
	add("state", c.State)
	add("iss", c.Issuer)
	return b.String()
}

// Callback returns the callback that reports a refusal, or nil when the app and
// its redirect URI were not proven, so that no one may be sent there.
func (e *Engine) Callback(refusal *Error) *Callback {
	if refusal.Redirect == "" {
		return nil
	}
	return &Callback{
		RedirectURI: refusal.Redirect,
		Error:       refusal.Refusal.Code(),
		Description: refusal.Description,
		State:       refusal.State,
		Issuer:      e.cfg.Issuer,
	}
}
