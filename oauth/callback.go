package oauth

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
)

// callbackNames are the parameters that step 2 adds to a redirect URI.
var callbackNames = []string{"code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token", "access_token", "token_type", "expires_in", "scope"}

// Callback is what step 2 brings to the app's redirect URI (RFC 6749 §4.1.2 and
// §4.1.2.1, RFC 9207 §2).
type Callback struct {
	// App is whom it is for, and Mode how it comes there.
	App         *symbolon.App
	Mode        ResponseMode
	RedirectURI string
	// Code is set on success; Error and Description otherwise.
	Code        string
	Error       string
	Description string
	State       string
	Issuer      string

	// Tokens are brought in place of a code (OpenID Connect Core §3.2.2.5), or nil.
	Tokens *TokenResponse

	response string // the JWT, when Mode is signed
}

// Field is a parameter of a callback.
type Field struct{ Name, Value string }

// Fields returns the parameters, as they are added to the redirect URI or posted
// there.
func (c *Callback) Fields() []Field {
	if c.response != "" {
		return []Field{{"response", c.response}} // JARM §2.3
	}
	return append(c.plain(), Field{"iss", c.Issuer})
}

// plain returns the parameters without the issuer.
func (c *Callback) plain() []Field {
	var list []Field
	for _, f := range []Field{{"code", c.Code}, {"error", c.Error}, {"error_description", c.Description}, {"state", c.State}} {
		if f.Value != "" {
			list = append(list, f)
		}
	}
	if t := c.Tokens; t != nil {
		for _, f := range []Field{{"access_token", t.AccessToken}, {"token_type", t.TokenType}, {"id_token", t.IDToken}} {
			if f.Value != "" {
				list = append(list, f)
			}
		}
		if t.AccessToken != "" {
			list = append(list, Field{"expires_in", strconv.FormatInt(t.ExpiresIn, 10)}, Field{"scope", t.Scope})
		}
	}
	return list
}

// URL returns the redirect URI with the parameters appended, unless Mode is Posted.
// The bytes of the registered URI, its query included, stay as they are (RFC 6749
// §3.1.2).
func (c *Callback) URL() string { return withFields(c.RedirectURI, c.Mode.inFragment(), c.Fields()) }

// withFields returns a registered URI with parameters appended to its query, or as
// its fragment.
func withFields(uri string, inFragment bool, fields []Field) string {
	var b strings.Builder
	b.WriteString(uri)
	sep := byte('?')
	if i := strings.IndexByte(uri, '?'); inFragment {
		sep = '#' // no registered URI has one
	} else if i >= 0 {
		sep = '&'
		if i == len(uri)-1 {
			sep = 0
		}
	}
	for _, f := range fields {
		if sep != 0 {
			b.WriteByte(sep)
		}
		sep = '&'
		b.WriteString(f.Name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(f.Value))
	}
	return b.String()
}

// Callback returns the callback that reports a refusal, or nil when the app and
// its redirect URI were not proven, so that no one may be sent there.
func (e *Engine) Callback(refusal *Error) *Callback {
	if refusal.Redirect == "" {
		return nil
	}
	c := &Callback{
		App:         refusal.app,
		Mode:        refusal.mode,
		RedirectURI: refusal.Redirect,
		Error:       refusal.Refusal.Code(),
		Description: refusal.Description,
		State:       refusal.State,
		Issuer:      e.cfg.Issuer,
	}
	if e.sign(c, e.clock.Now()) != nil {
		// There is no key: it is what the refusal says, and it comes unsigned.
		c.Mode = ModeQuery
	}
	return c
}
