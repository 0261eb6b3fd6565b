package web

import (
	"net/http"

	"github.com/symbolon/symbolon/oauth"
)

// surface is one of the two spellings of the one engine.
type surface uint8

const (
	// page: the paths of "Version 2 (OAuth2)".
	page surface = iota
	// standard: the paths under /oauth2/, which speak the RFCs to the letter.
	standard
	surfaces
)

// statuses is the one table in which the surfaces differ: from refusal and
// surface to HTTP status.
var statuses = [...][surfaces]int{
	oauth.ServerError:             {page: 500, standard: 500},
	oauth.Unavailable:             {page: 503, standard: 503},
	oauth.InvalidRequest:          {page: 400, standard: 400},
	oauth.UnknownClient:           {page: 404, standard: 401},
	oauth.InvalidClient:           {page: 400, standard: 401},
	oauth.TooManyGuesses:          {page: 429, standard: 429},
	oauth.InvalidGrant:            {page: 400, standard: 400},
	oauth.InvalidScope:            {page: 400, standard: 400},
	oauth.InvalidTarget:           {page: 400, standard: 400},
	oauth.UnsupportedResponseType: {page: 501, standard: 400},
	oauth.UnsupportedGrantType:    {page: 501, standard: 400},
	oauth.LoginRequired:           {page: 400, standard: 400},
	oauth.ConsentRequired:         {page: 400, standard: 400},
	oauth.AccessDenied:            {page: 403, standard: 400},
	oauth.MissingToken:            {page: 401, standard: 401},
	oauth.InvalidToken:            {page: 401, standard: 401},
	oauth.InsufficientScope:       {page: 403, standard: 403},

	oauth.UnauthorizedClient:       {page: 400, standard: 400},
	oauth.InvalidDetails:           {page: 400, standard: 400},
	oauth.UnsupportedTokenType:     {page: 400, standard: 400},
	oauth.AuthorizationPending:     {page: 400, standard: 400},
	oauth.SlowDown:                 {page: 400, standard: 400},
	oauth.ExpiredToken:             {page: 400, standard: 400},
	oauth.InvalidRequestURI:        {page: 400, standard: 400},
	oauth.InvalidRequestObject:     {page: 400, standard: 400},
	oauth.InvalidDPoPProof:         {page: 400, standard: 400},
	oauth.UseDPoPNonce:             {page: 400, standard: 400},
	oauth.InvalidClientMetadata:    {page: 400, standard: 400},
	oauth.InvalidRedirectURI:       {page: 400, standard: 400},
	oauth.InvalidSoftwareStatement: {page: 400, standard: 400},
	oauth.InvalidDocument:          {page: 400, standard: 401},
	oauth.TooManyRequests:          {page: 429, standard: 429},
	oauth.UnmetAuthentication:      {page: 400, standard: 400},

	oauth.InsufficientAuthentication: {page: 401, standard: 401},
	oauth.RequestNotSupported:        {page: 400, standard: 400},
	oauth.RequestURINotSupported:     {page: 400, standard: 400},
}

// status returns the HTTP status of a refusal. An app that tried HTTP Basic and
// failed is always answered 401 with a challenge (RFC 6749 §5.2).
func status(r oauth.Refusal, s surface, basic bool) int {
	if basic && r == oauth.InvalidClient {
		return http.StatusUnauthorized
	}
	return statuses[r][s]
}
