package oauth

// askedDetails checks authorization_details (RFC 9396).
func (e *Engine) askedDetails(c *caller, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return "", c.no(InvalidDetails, "No authorization_details are known here.")
}
