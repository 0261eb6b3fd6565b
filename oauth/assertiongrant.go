package oauth

import "context"

func (e *Engine) assertionGrant(ctx context.Context, c *caller, req *TokenRequest) (*TokenResponse, error) {
	return nil, c.no(UnsupportedGrantType, "This grant is not offered yet.")
}
