package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/symbolon/symbolon"
)

var challengeText = base64.RawURLEncoding.Strict()

// readChallenge checks the code challenge of an authorization request and puts
// it into the code. It returns what to tell the developer, or "".
func readChallenge(app *symbolon.App, challenge, method string, into *symbolon.Code) string {
	if challenge == "" {
		switch {
		case method != "":
			return "A code_challenge_method was sent without a code_challenge."
		case app.Public && !looseNoChallenge.InForce(app):
			// RFC 9700 §2.1.1: public clients must use PKCE.
			return "This app has no secret, so it must send a code_challenge with code_challenge_method=S256 (PKCE, RFC 7636)."
		case app.RequirePKCE:
			return "The owner of this app requires a code_challenge with code_challenge_method=S256 (PKCE, RFC 7636)."
		}
		return ""
	}
	if (method == "plain" || method == "") && loosePlain.InForce(app) {
		// The verifier is the challenge itself; checkVerifier compares hashes.
		if !isVerifier(challenge) {
			return "The code_challenge must have 43 to 128 letters, digits, hyphens, dots, underscores and tildes."
		}
		into.HasChallenge, into.Challenge = true, sha256.Sum256([]byte(challenge))
		return ""
	}
	// RFC 7636 §4.3: an absent method means "plain", which RFC 9700 §2.1.1
	// advises against and this server does not offer.
	if method != "S256" {
		return "The only code_challenge_method offered is S256; it is case-sensitive and must be sent beside the code_challenge."
	}
	// RFC 7636 §4.2: BASE64URL(SHA256(verifier)), 43 characters, no padding.
	hash, err := challengeText.DecodeString(challenge)
	if err != nil || len(challenge) != 43 || len(hash) != sha256.Size {
		return "The code_challenge must be the SHA-256 of the code_verifier in base64url without padding: 43 characters."
	}
	into.HasChallenge = true
	copy(into.Challenge[:], hash)
	return ""
}

// checkVerifier compares the code verifier of a token request with the code's
// challenge. It returns what to tell the developer, or "".
func checkVerifier(code *symbolon.Code, verifier string) string {
	switch {
	case verifier == "" && !code.HasChallenge:
		return ""
	case verifier == "":
		return "The authorization request had a code_challenge, so the token request must send the code_verifier."
	case !code.HasChallenge:
		// RFC 9700 §4.8.2: a verifier without a challenge is a downgrade.
		return "A code_verifier was sent, but the authorization request had no code_challenge."
	}
	if !isVerifier(verifier) {
		return "The code_verifier must have 43 to 128 characters: letters, digits, hyphens, dots, underscores and tildes."
	}
	// RFC 7636 §4.6.
	hash := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare(hash[:], code.Challenge[:]) != 1 {
		return "The code_verifier does not belong to the code_challenge of the authorization request."
	}
	return ""
}

// isVerifier reports whether text is a code verifier: 43 to 128 unreserved characters
// (RFC 7636 §4.1).
func isVerifier(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return len(text) >= 43 && len(text) <= 128
}
