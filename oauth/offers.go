package oauth

import (
	"slices"

	"github.com/symbolon/symbolon"
)

// Offers is what the metadata says of this server beside what is always so.
type Offers struct {
	// Scopes are all that the owner's configuration names.
	Scopes []string
	// Grants are those of the token endpoint that can bring a token here.
	Grants []symbolon.GrantType
	// Algorithms are those that the server's keys sign with; Answers is the one of
	// them that signs what introspection says, if there is a key for it.
	Algorithms, Answers []string
	// Details are the types of authorization_details (RFC 9396 §10).
	Details []string
	// ClientDocuments and Registration: apps may register themselves.
	ClientDocuments, Registration bool
	// Implicit: tokens are brought by the browser; Fetched: request objects are fetched.
	Implicit, Fetched bool
	// RequirePAR: authorization requests must be pushed.
	RequirePAR bool
}

// Offers returns what the server offers.
func (e *Engine) Offers() Offers {
	o := Offers{Scopes: []string{symbolon.ScopeConnect}, Algorithms: e.cfg.Signing.Algorithms(e.clock.Now()),
		ClientDocuments: e.cfg.ClientDocuments && e.cfg.Fetch != nil, Registration: e.cfg.Registration, Implicit: e.offersFront(), Fetched: e.cfg.FetchObject != nil, RequirePAR: e.cfg.RequirePAR}
	if slices.Contains(o.Algorithms, e.cfg.SigningAlgorithm) {
		o.Answers = []string{e.cfg.SigningAlgorithm}
	}
	for _, g := range Grants {
		// RFC 8414 §2: what can only be refused is not offered.
		if g != symbolon.GrantAssertion || len(e.cfg.TrustedIssuers) > 0 {
			o.Grants = append(o.Grants, g)
		}
	}
	add := func(names symbolon.Scopes) {
		for _, name := range names {
			if !slices.Contains(o.Scopes, name) {
				o.Scopes = append(o.Scopes, name)
			}
		}
	}
	add(e.cfg.Scopes)
	if o.ClientDocuments || o.Registration {
		add(e.cfg.RegistrationScopes)
	}
	for _, r := range e.cfg.Resources {
		add(r.Scopes)
	}
	for _, d := range e.cfg.Details {
		o.Details = append(o.Details, d.Type)
	}
	return o
}

// KeyGeneration grows with each change of the keys that sign.
func (e *Engine) KeyGeneration() uint64 { return e.cfg.Signing.Generation(e.clock.Now()) }

// KeySet returns the JWK Set of the keys that sign (RFC 7517 §5).
func (e *Engine) KeySet() ([]byte, error) {
	set, err := e.cfg.Signing.Set(e.clock.Now())
	if err != nil {
		return nil, storeError(err)
	}
	return set, nil
}
