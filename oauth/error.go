package oauth

import (
	"errors"
	"time"

	"github.com/symbolon/symbolon"
)

// Refusal is why a request was refused. It is finer than the error codes of the
// RFCs: package web has one table from refusal and surface to status.
type Refusal uint8

const (
	// ServerError is a fault of this program.
	ServerError Refusal = iota
	// Unavailable: the store is away or too far behind. Nothing was spent that
	// the same request cannot ask for again.
	Unavailable
	// InvalidRequest: a parameter is missing, repeated or malformed.
	InvalidRequest
	// UnknownClient: no app has this client_id.
	UnknownClient
	// InvalidClient: the app did not prove itself.
	InvalidClient
	// TooManyGuesses: so many wrong secrets that this one is not looked at.
	TooManyGuesses
	// InvalidGrant: the code or refresh token is not, or no longer, good.
	InvalidGrant
	// InvalidScope: a scope is unknown, malformed or not allowed to the app.
	InvalidScope
	// InvalidTarget: a resource is not an absolute URI (RFC 8707 §2).
	InvalidTarget
	// UnsupportedResponseType: response_type is not "code".
	UnsupportedResponseType
	// UnsupportedGrantType: grant_type is none that this endpoint takes.
	UnsupportedGrantType
	// LoginRequired: no one is signed in, and no one can be asked.
	LoginRequired
	// ConsentRequired: the app was not allowed, and no one can be asked.
	ConsentRequired
	// AccessDenied: the person said no.
	AccessDenied
	// MissingToken: no access token was sent.
	MissingToken
	// InvalidToken: the access token is not, or no longer, good.
	InvalidToken
	// InsufficientScope: the access token is good but lacks the scope.
	InsufficientScope
	// UnauthorizedClient: the app may not use this grant or response type.
	UnauthorizedClient
	// InvalidDetails: authorization_details are malformed, or of no known type
	// (RFC 9396 §5).
	InvalidDetails
	// UnsupportedTokenType: the server cannot revoke such a token (RFC 7009 §2.2.1).
	UnsupportedTokenType
	// AuthorizationPending: the person has not answered yet (RFC 8628 §3.5).
	AuthorizationPending
	// SlowDown: as AuthorizationPending, and the app asks too often.
	SlowDown
	// ExpiredToken: the device code has expired.
	ExpiredToken
	// InvalidRequestURI: a request_uri is unknown, expired, used or another
	// app's (RFC 9101 §7, RFC 9126 §2.2).
	InvalidRequestURI
	// InvalidRequestObject: a request object is malformed or not well signed
	// (RFC 9101 §7).
	InvalidRequestObject
	// InvalidDPoPProof: the DPoP proof is missing or not good (RFC 9449 §5, §7.1).
	InvalidDPoPProof
	// UseDPoPNonce: the proof must carry the server's nonce (RFC 9449 §8).
	UseDPoPNonce
	// InvalidClientMetadata: a registration cannot be accepted (RFC 7591 §3.2.2).
	InvalidClientMetadata
	// InvalidRedirectURI: one of a registration's redirect URIs cannot (RFC 7591
	// §3.2.2).
	InvalidRedirectURI
	// InvalidSoftwareStatement: it is not one that counts here (RFC 7591 §3.2.2).
	InvalidSoftwareStatement
	// InvalidDocument: a client ID metadata document could not be fetched, or is
	// not one.
	InvalidDocument
	// TooManyRequests: so many that this one is not looked at.
	TooManyRequests
	// UnmetAuthentication: the person cannot sign in as the app demands (OpenID
	// Connect Core Unmet Authentication Requirements §2).
	UnmetAuthentication
	// InsufficientAuthentication: the access token is good, but the person signed in
	// too long ago or too weakly for this (RFC 9470 §3).
	InsufficientAuthentication
	// RequestNotSupported: nobody signed the request object (OpenID Connect Core
	// §3.1.2.6).
	RequestNotSupported
	// RequestURINotSupported: the request object stands elsewhere, and is not fetched
	// (OpenID Connect Core §3.1.2.6).
	RequestURINotSupported
)

// codes are the error codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1,
// RFC 8707 §2 and OpenID Connect Core §3.1.2.6, and of the RFCs that stand at
// the refusals.
var codes = [...]string{
	ServerError:             "server_error",
	Unavailable:             "temporarily_unavailable",
	InvalidRequest:          "invalid_request",
	UnknownClient:           "invalid_client",
	InvalidClient:           "invalid_client",
	TooManyGuesses:          "invalid_client",
	InvalidGrant:            "invalid_grant",
	InvalidScope:            "invalid_scope",
	InvalidTarget:           "invalid_target",
	UnsupportedResponseType: "unsupported_response_type",
	UnsupportedGrantType:    "unsupported_grant_type",
	LoginRequired:           "login_required",
	ConsentRequired:         "consent_required",
	AccessDenied:            "access_denied",
	MissingToken:            "invalid_token",
	InvalidToken:            "invalid_token",
	InsufficientScope:       "insufficient_scope",

	UnauthorizedClient:       "unauthorized_client",
	InvalidDetails:           "invalid_authorization_details",
	UnsupportedTokenType:     "unsupported_token_type",
	AuthorizationPending:     "authorization_pending",
	SlowDown:                 "slow_down",
	ExpiredToken:             "expired_token",
	InvalidRequestURI:        "invalid_request_uri",
	InvalidRequestObject:     "invalid_request_object",
	InvalidDPoPProof:         "invalid_dpop_proof",
	UseDPoPNonce:             "use_dpop_nonce",
	InvalidClientMetadata:    "invalid_client_metadata",
	InvalidRedirectURI:       "invalid_redirect_uri",
	InvalidSoftwareStatement: "invalid_software_statement",
	InvalidDocument:          "invalid_client",
	TooManyRequests:          "temporarily_unavailable",
	UnmetAuthentication:      "unmet_authentication_requirements",

	InsufficientAuthentication: "insufficient_user_authentication",
	RequestNotSupported:        "request_not_supported",
	RequestURINotSupported:     "request_uri_not_supported",
}

// finer are the names of those refusals that share their code with another.
var finer = map[Refusal]string{
	Unavailable:     "unavailable",
	UnknownClient:   "unknown_client",
	TooManyGuesses:  "too_many_guesses",
	MissingToken:    "missing_token",
	InvalidDocument: "invalid_document",
	TooManyRequests: "too_many_requests",
}

// String returns the refusal's name, for metrics: in lower case, with _ between its
// words, and no two alike.
func (r Refusal) String() string {
	if name := finer[r]; name != "" {
		return name
	}
	return r.Code()
}

// Refusals returns every refusal there is.
func Refusals() []Refusal {
	list := make([]Refusal, len(codes))
	for i := range list {
		list[i] = Refusal(i)
	}
	return list
}

// Code returns the error code that the RFCs give the refusal.
func (r Refusal) Code() string { return codes[r] }

// Error is the one error type of this package.
type Error struct {
	Refusal Refusal
	// Description is one sentence that the app's developer can act on. It is
	// made of %x20-21, %x23-5B and %x5D-7E (RFC 6749 §5.2) and repeats nothing
	// that was sent.
	Description string
	// Detail is for the log only. It holds no secret.
	Detail string
	// Client is the app that asked, as far as it is known.
	Client symbolon.ClientID
	// Redirect is the redirect URI to send a browser's error to. It is set
	// only once app and redirect URI are proven (RFC 6749 §4.1.2.1).
	Redirect string
	// State is what to return beside it.
	State string
	// Mismatch is the app whose registered redirect URIs the one sent does not
	// match, for the page that explains it.
	Mismatch *symbolon.App
	// Sent is that redirect URI. It is shown to the person only.
	Sent string
	// Scope are the scopes that were needed, when they were not connect alone, and
	// Resource is the API, when it was not this server's own.
	Scope    symbolon.Scopes
	Resource string
	// SignIn is how the person must have signed in, with InsufficientAuthentication.
	SignIn *SignIn
	// Shown is set when the request showed an access token, which the refusal is
	// about; DPoP when it is to be shown under that scheme (RFC 9449 §7.1).
	Shown, DPoP bool
	// Why says what decided, for the owner of the app alone, or is nil. No answer
	// repeats it.
	Why *symbolon.Explanation
	// Account and Connection are those that the refusal is about, as far as they are
	// known. Proven is set when the request came from Client: it had a secret, a code or
	// a token of the app's.
	Account    symbolon.AccountID
	Connection symbolon.ConnectionID
	Proven     bool
	// Testing is set when an app is in test and the account may not try it out.
	Testing bool
	// RetryAfter is how long to wait before asking again, or 0.
	RetryAfter time.Duration
	// Err is the cause, or nil.
	Err error

	app  *symbolon.App // whom Redirect belongs to
	mode ResponseMode  // how it is told there
}

func (e *Error) Error() string {
	s := e.Refusal.Code() + ": " + e.Description
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(r Refusal, description string) *Error {
	return &Error{Refusal: r, Description: description}
}

func (e *Error) detail(s string) *Error {
	e.Detail = s
	return e
}

func (e *Error) from(id symbolon.ClientID) *Error {
	e.Client = id
	return e
}

// storeError turns an error of the store into one of this package: what may
// succeed later, or has no known outcome, is Unavailable and never a refusal.
func storeError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	switch symbolon.KindOf(err) {
	case symbolon.Busy, symbolon.Unknown:
		return &Error{
			Refusal:     Unavailable,
			Description: "The server cannot do this right now; send the same request again shortly.",
			RetryAfter:  time.Second,
			Err:         err,
		}
	default:
		return &Error{
			Refusal:     ServerError,
			Description: "The server failed; its operator finds the cause in the log under this request_id.",
			Err:         err,
		}
	}
}
