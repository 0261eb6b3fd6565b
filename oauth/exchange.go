package oauth

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/symbolon/symbolon"
)

// ExchangeRequest are the parameters of a token exchange (RFC 8693 §2.1).
type ExchangeRequest struct {
	SubjectToken, SubjectTokenType string
	ActorToken, ActorTokenType     string
	RequestedTokenType             string
	Audience                       []string
}

// exchangeNames are those of its parameters that may appear once.
var exchangeNames = []string{"subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type"}

func readExchange(f *fields) ExchangeRequest {
	return ExchangeRequest{
		SubjectToken: f.read("subject_token"), SubjectTokenType: f.read("subject_token_type"),
		ActorToken: f.read("actor_token"), ActorTokenType: f.read("actor_token_type"),
		RequestedTokenType: f.read("requested_token_type"), Audience: f.all("audience"),
	}
}

// The token types that are known here (RFC 8693 §3).
const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// maxSources bounds how often what came of an exchange is exchanged again, and so
// how many act for an account, one behind the other.
const maxSources = 4

// exchange trades an access token of another app for one of the caller's own,
// which acts for the same account: an API that calls another API (RFC 8693). It
// is off unless the owner named the apps whose tokens the caller may exchange.
//
// The new token belongs to the same connection, so it is over with it; it lives
// no longer and may do no more than the one it was made from.
func (e *Engine) exchange(ctx context.Context, c *caller, req *TokenRequest) (*TokenResponse, error) {
	x := &req.Exchange

	// 2. What is presented?
	if c.app.Public {
		return nil, c.no(UnauthorizedClient, "A public app cannot prove itself, so it may not exchange tokens.")
	}
	issued := typeAccessToken
	switch {
	case x.SubjectToken == "" || x.SubjectTokenType == "":
		return nil, c.no(InvalidRequest, "The parameters subject_token and subject_token_type are both needed.")
	case x.SubjectTokenType != typeAccessToken && x.SubjectTokenType != typeJWT:
		return nil, c.no(InvalidRequest, "The subject_token_type must be that of an access token.")
	case (x.ActorToken == "") != (x.ActorTokenType == ""):
		// RFC 8693 §2.1: the type if, and only if, the token is there.
		return nil, c.no(InvalidRequest, "The parameters actor_token and actor_token_type go together.")
	case x.ActorToken != "" && x.ActorTokenType != typeAccessToken && x.ActorTokenType != typeJWT:
		return nil, c.no(InvalidRequest, "The actor_token_type must be that of an access token.")
	case x.RequestedTokenType == typeJWT:
		c.format, issued = symbolon.TokenJWT, typeJWT
	case x.RequestedTokenType != "" && x.RequestedTokenType != typeAccessToken:
		return nil, c.no(InvalidRequest, "The requested_token_type must be that of an access token.")
	}
	subject, err := e.bearer(ctx, x.SubjectToken)
	if err != nil {
		return nil, e.unusable(c, err, "The subject_token is not, or no longer, an access token of this server.")
	}

	// 3. Is it allowed?
	if !slices.Contains(c.app.Settings.ExchangeFor, "*") && !slices.Contains(c.app.Settings.ExchangeFor, subject.Client) {
		return nil, c.no(UnauthorizedClient, "This app may not exchange tokens of the app that the subject_token was given to.")
	}
	switch {
	case subject.Account == "":
		// There is no one to act for; and sub must not become another than it was.
		return nil, c.no(InvalidRequest, "The subject_token is an app's own: there is no account that could be acted for.")
	case !c.app.Admits(subject.Account):
		return nil, c.no(InvalidRequest, "This app is in test, and the account is not one that its owner lets try it out.")
	case len(subject.Sources) >= maxSources:
		return nil, c.no(InvalidRequest, "The token was exchanged too many times, one after the other.")
	}
	grant := subject.Grant
	grant.Client = c.app.ID
	grant.Sources = append(slices.Clone(subject.Sources), subject.Client)
	if grant.Actor, err = e.actor(ctx, c, x, subject); err != nil {
		return nil, err
	}
	scope := subject.Scope.Within(mayHave(c.app))
	if req.Scope != "" {
		if scope, err = e.askedScope(c, req.Scope); err != nil {
			return nil, err
		}
		if !subject.Scope.Covers(scope) {
			return nil, c.no(InvalidScope, "An exchange may ask for fewer scopes than the subject_token has, never for others.")
		}
	}
	// RFC 8693 §2.1: audience and resource name the API that the token is for.
	if list, err := e.target(c.app, slices.Concat(req.Resource, x.Audience)); err != nil {
		return nil, storeError(err).from(c.app.ID)
	} else if len(list) > 0 {
		grant.Resource = list
	}
	if grant, err = e.narrow(c, grant, scope, &TokenRequest{Details: req.Details}); err != nil {
		return nil, err
	}
	c.until = subject.ExpiresAt
	if last := subject.IssuedAt.Add(e.cfg.AccessLifetime); last.Before(c.until) {
		c.until = last // as bearer has it
	}

	// 4. Nothing is spent, nor written. No refresh token: who wants another token
	// shows a subject_token that is still good.
	answer, err := e.issue(c, grant, "", c.now)
	if err == nil {
		answer.IssuedTokenType = issued
	}
	return answer, err
}

// unusable refuses a token that was presented to be exchanged (RFC 8693 §2.2.2),
// unless the server cannot know.
func (e *Engine) unusable(c *caller, err error, description string) error {
	if r := storeError(err); r.Refusal == Unavailable || r.Refusal == ServerError {
		return r.from(c.app.ID)
	}
	return c.no(InvalidRequest, description).detail(err.Error())
}

// actor returns the claim act of the new token (RFC 8693 §4.1): who acts, and
// behind it who acted before. It is empty for an app that may impersonate and
// names no actor.
func (e *Engine) actor(ctx context.Context, c *caller, x *ExchangeRequest, subject *symbolon.AccessToken) (string, error) {
	who := c.app.ClientID()
	if x.ActorToken == "" {
		if c.app.Settings.Impersonate {
			return subject.Actor, nil
		}
	} else {
		token, err := e.bearer(ctx, x.ActorToken)
		if err != nil || token.Client != c.app.ID {
			if err == nil {
				err = refuse(InvalidToken, "It is another app's.")
			}
			return "", e.unusable(c, err, "The actor_token is not, or no longer, an access token that this app got here.")
		}
		who = e.subject(&token.Grant, who)
	}
	act := map[string]any{"sub": who}
	if subject.Actor != "" {
		var before map[string]any
		if err := json.Unmarshal([]byte(subject.Actor), &before); err != nil {
			return "", storeError(symbolon.Wrap(symbolon.Internal, "actor", err))
		}
		act["act"] = before
	}
	text, err := json.Marshal(act)
	if err != nil {
		return "", storeError(symbolon.Wrap(symbolon.Internal, "actor", err))
	}
	return string(text), nil
}
