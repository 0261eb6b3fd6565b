package trail

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// ours are what this server makes, by how it begins.
var ours = []struct{ prefix, kind string }{
	{"sym_secret_", "client_secret of this server"},
	{"sym_ac_", "authorization code of this server"},
	{"sym_at_", "access token of this server"},
	{"sym_rt_", "refresh token of this server"},
	{"sym_dg_", "device code of this server"},
	{"sym_pr_", "request_uri of this server"},
	{"sym_fl_", "state of a page of this server"},
	{"sym_dv_", "cookie of this server"},
	{"sym_dn_", "nonce of this server"},
	{"sym_pg_", "cookie of this server"},
	{"sym_aw_", "state of a sign-in elsewhere of this server"},
	{"sym_rs_", "link of a mail of this server"},
	{"sym_reg_", "registration access token of this server"},
	{"whsec_", "secret of a webhook of this server"},
	{"sym_root_", "root key of this server"},
	{"sym_dc_", "client_id of this server"},
	{"sym_app_", "client_id of this server"},
}

// holdsSecret reports whether a text has something in it that looks like a secret:
// what this server makes, but a client_id, or a JWT.
func holdsSecret(s string) bool {
	for _, o := range ours {
		if o.prefix == "sym_app_" || o.prefix == "sym_dc_" {
			continue
		}
		for rest := s; ; {
			i := strings.Index(rest, o.prefix)
			if i < 0 {
				break
			}
			if rest = rest[i+len(o.prefix):]; rest != "" && isBase64(rune(rest[0])) {
				return true
			}
		}
	}
	for rest := s; ; {
		i := strings.Index(rest, "eyJ")
		if i < 0 {
			return false
		}
		if rest = rest[i+3:]; len(rest) >= 8 && strings.IndexFunc(rest[:8], func(r rune) bool { return !isBase64(r) }) < 0 {
			return true
		}
	}
}

func isBase64(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '+' || r == '/'
}

// maxLooked is how much of a value is looked at, in bytes: what is longer is no value that
// anyone meant.
const maxLooked = 4 << 10

// kindOf says what a value looks like, and repeats nothing of it.
func kindOf(value string) string {
	value = value[:min(len(value), maxLooked)]
	s := strings.Trim(strings.TrimSpace(value), `"'`)
	if once, err := url.QueryUnescape(s); err == nil {
		s = once
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "Bearer ") {
		return "Bearer, then " + kindOf(s[7:])
	}
	switch s {
	case "":
		return "nothing"
	case "undefined", "null", "None", "nil", "NaN", "[object Object]", "true", "false":
		return "the word " + s
	}
	for _, o := range ours {
		if strings.HasPrefix(s, o.prefix) {
			return o.kind
		}
	}
	parts := strings.Split(s, ".")
	switch {
	case strings.HasPrefix(s, "{{") || strings.HasPrefix(s, "${") || strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">"):
		return "placeholder that nobody filled in"
	case strings.HasPrefix(s, "eyJ") && len(parts) == 3:
		return "JWT"
	case strings.HasPrefix(s, "eyJ") && len(parts) == 5:
		return "encrypted JWT"
	case strings.HasPrefix(s, "{"), strings.HasPrefix(s, "["):
		return "JSON"
	case strings.HasPrefix(s, "https://"), strings.HasPrefix(s, "http://"):
		return "URI"
	case all(s, "0123456789"):
		return "digits"
	case all(s, "0123456789abcdefABCDEF"):
		return "hexadecimal text"
	case len(s) == 36 && all(s, "0123456789abcdefABCDEF-"):
		return "UUID"
	case strings.IndexFunc(s, func(r rune) bool { return !isBase64(r) && r != '=' && r != '.' && r != '~' }) < 0:
		return "text without spaces"
	}
	return "text"
}

// kindOfAuthorization is kindOf for the header Authorization.
func kindOfAuthorization(header string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	switch strings.ToLower(scheme) {
	case "basic":
		return "Basic"
	case "bearer":
		return "Bearer, then " + kindOf(rest)
	case "dpop":
		return "DPoP, then " + kindOf(rest)
	}
	return "another scheme than Basic, Bearer and DPoP: " + kindOf(header)
}

// maxJWT bounds the JWTs that are looked into, in bytes.
const maxJWT = 8 << 10

// claims are those of a JWT that say for whom and until when it is. Nobody has looked
// at its signature.
func claims(text string) []string {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(text) > maxJWT {
		return nil
	}
	var header, body map[string]any
	for i, into := range []*map[string]any{&header, &body} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return []string{"is no JWT: a part of it is not JSON in base64url"}
		}
	}
	var list []string
	say := func(m map[string]any, names ...string) {
		for _, name := range names {
			switch v := m[name].(type) {
			case string:
				if len(v) <= 128 && !random(v) && safeURI(v) {
					list = append(list, name+" is "+v)
				}
			case float64:
				if (name == "exp" || name == "iat") && v > 0 && v < 1e11 {
					list = append(list, name+" is "+time.Unix(int64(v), 0).UTC().Format(time.RFC3339))
				}
			}
		}
	}
	say(header, "alg", "typ")
	say(body, "iss", "aud", "htm", "htu", "iat", "exp")
	return list
}

func all(s, of string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(of, r) }) < 0
}

// odd says what is odd about a value, and repeats nothing of it.
func odd(value string) []string {
	var notes []string
	long := len(value) > maxLooked
	value = value[:min(len(value), maxLooked)]
	s := strings.TrimSpace(value)
	switch {
	case s == "":
		return nil
	case strings.TrimLeftFunc(value, unicode.IsSpace) != value:
		notes = append(notes, "begins with white space")
	case len(s) != len(value):
		notes = append(notes, "ends with white space")
	}
	if strings.ContainsAny(s, "\r\n") {
		notes = append(notes, "has a line break in it")
	}
	if len(s) > 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		notes = append(notes, "stands in quotation marks")
	}
	if once, err := url.PathUnescape(s); err == nil && once != s && all(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~%+") {
		notes = append(notes, "is percent-encoded once too often")
	}
	if long {
		notes = append(notes, "is long")
	}
	return notes
}

// Authorization returns what arrived in an Authorization header.
func Authorization(header string) []Arrived {
	list := []Arrived{{In: "header", Name: "Authorization", Value: header}}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return list
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		list[0].Fault = "is Basic, and what follows is not base64"
		return list
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	if !ok {
		list[0].Fault = "is Basic, and there is no colon in what was encoded"
		return list
	}
	return append(list, Arrived{In: "in Authorization", Name: "client_id", Value: unescaped(id)}, Arrived{In: "in Authorization", Name: "client_secret", Value: unescaped(secret)})
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
