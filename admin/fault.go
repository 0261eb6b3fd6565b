package admin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/symbolon/symbolon"
)

// Fault says what is wrong with what was asked, in words for the person who asked.
type Fault struct {
	// Kind is Invalid, Denied, NotFound or Conflict.
	Kind symbolon.Kind
	// Says is the sentence, without a full stop. What it names it names as the command
	// line does: Plain has the names of the admin API.
	Says string
	// Hint says how to mend it on the command line, or is empty.
	Hint string
}

func (f *Fault) Error() string { return f.Says }

// Unwrap returns the fault as an error of the root package, which has its kind.
func (f *Fault) Unwrap() error {
	return &symbolon.Error{Kind: f.Kind, Op: "admin", Detail: f.Says}
}

// Plain returns the sentence with the names of the admin API in place of flags.
func (f *Fault) Plain() string { return plainNames.Replace(f.Says) }

// Faults returns what is wrong, each by itself, or nil when the error is not about what
// was asked.
func Faults(err error) []*Fault {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*Fault
		for _, e := range joined.Unwrap() {
			list = append(list, Faults(e)...)
		}
		return list
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return []*Fault{f}
	}
	return nil
}

// plainNames are the members of the admin API for flags of the command line. A flag
// that begins with another stands before that.
var plainNames = strings.NewReplacer(
	"--backchannel-logout-session-required", "backchannel_logout_session_required", "--backchannel-logout-uri", "backchannel_logout_uri",
	"--post-logout-redirect-uri", "post_logout_redirect_uris", "--redirect-uri", "redirect_uris", "--default-max-age", "default_max_age",
	"--default-acr", "default_acr_values", "--id-token-encryption", "id_token_encrypted_response_alg", "--userinfo-encryption", "userinfo_encrypted_response_alg",
	"--id-token-alg", "id_token_signed_response_alg", "--userinfo-alg", "userinfo_signed_response_alg", "--response-alg", "authorization_signed_response_alg",
	"--request-alg", "request_object_signing_alg", "--auth-alg", "token_endpoint_auth_signing_alg", "--request-uri", "request_uris", "--api-resource", "api_resources",
	"--resource", "resources", "--exchange-for", "exchange_for", "--impersonate", "impersonate", "--pairwise", "pairwise", "--sector", "sector",
	"--keys-uri", "jwks_uri", "--keys", "jwks", "--tls-subject", "tls_subject", "--tls-tokens", "tls_client_certificate_bound_access_tokens",
	"--token-format", "token_format", "--grant", "grant_types", "--auth", "token_endpoint_auth_method", "--scope", "scope", "--api", "api",
)

// mend adds to a fault what mends it on the command line.
func mend(err error, format string, args ...any) error {
	return &Fault{Kind: symbolon.Invalid, Says: err.Error(), Hint: fmt.Sprintf(format, args...)}
}

// fault makes one of the kind Invalid.
func fault(format string, args ...any) error {
	return &Fault{Kind: symbolon.Invalid, Says: fmt.Sprintf(format, args...)}
}

func denied(format string, args ...any) error {
	return &Fault{Kind: symbolon.Denied, Says: fmt.Sprintf(format, args...)}
}

// detail is the sentence of an error of ours, without what was being done.
func detail(err error) string {
	if e, ok := errors.AsType[*symbolon.Error](err); ok && e.Detail != "" {
		return e.Detail
	}
	return err.Error()
}

// printable replaces what would break a line or turn the text around it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if Unfit(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
