package oauth

import "context"

func (e *Engine) exchange(ctx context.Context, c *caller, req *TokenRequest) (*TokenResponse, error) {
	return nil, c.no(UnsupportedGrantType, "This grant is not offered yet.")
}

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
