package symbolon

import "time"

// Grant is what a sealed value says about the connection it belongs to. It is
// the same in the code, in the access tokens and in the refresh tokens of one
// connection, so that checking any of them reads nothing from the store.
type Grant struct {
	Connection ConnectionID
	Client     ClientID
	// Account is whom the tokens act for; empty when the app got the token in
	// its own name (RFC 6749 §4.4), so that there is no connection and the id is
	// the token's own.
	Account AccountID
	// Name is the account's display name when it allowed the app.
	Name  string
	Scope Scopes
	// Resource are the APIs that the tokens are meant for (RFC 8707).
	Resource []string
	// Binding is the key that its holder must prove to have. In a refresh token
	// it is set for a public app only, since another proves itself anyhow.
	Binding Binding
	// Details are the authorization details that were granted, a JSON array
	// (RFC 9396 §2), or empty.
	Details string
	// Actor is who acts for the account, a JSON object as in the claim act
	// (RFC 8693 §4.1), or empty.
	Actor string
	// Sources are the apps whose tokens were exchanged for this one (RFC 8693), the
	// first one first: it is over with any of them.
	Sources []ClientID
	// Session is the sign-in at which the person was, the claim sid (OpenID Connect
	// Back-Channel Logout §2.1), and ACR how they had proved who they are (OpenID
	// Connect Core §2). Both are set with the scope openid only.
	Session SessionID
	ACR     string
	// Claims are those that the request named one by one (OpenID Connect Core §5.5),
	// in the one spelling that package oauth gives them, or empty.
	Claims string
	// AuthAt is when the person last proved who they are.
	AuthAt time.Time
	// IssuedAt is when this sealed value was made.
	IssuedAt time.Time
	// ExpiresAt is from when on this sealed value is refused.
	ExpiresAt time.Time
}

// BindingKind is by what a token is bound to a key.
type BindingKind uint8

const (
	// Unbound: whoever holds the token may use it (RFC 6750).
	Unbound BindingKind = iota
	// BoundByDPoP: to the key of a DPoP proof, by its JWK thumbprint (RFC 9449 §6).
	BoundByDPoP
	// BoundByTLS: to a client certificate, by its SHA-256 (RFC 8705 §3).
	BoundByTLS
)

// Binding is the key that a sealed value is bound to. The zero value is none.
type Binding struct {
	Kind BindingKind
	// Thumbprint is a SHA-256.
	Thumbprint [32]byte
}

// Code is an authorization code (RFC 6749 §1.3.1): a connection that is not
// yet born.
type Code struct {
	Grant
	// RedirectURI is the SHA-256 of the redirect URI of the authorization
	// request, which the token request must repeat (RFC 6749 §4.1.3).
	RedirectURI [32]byte
	// Challenge is the S256 code challenge, decoded (RFC 7636 §4.2). It means
	// something only when HasChallenge is set.
	Challenge    [32]byte
	HasChallenge bool
	// ImpliedURI is set when the authorization request named no redirect URI,
	// so that the token request need not either (RFC 6749 §4.1.3).
	ImpliedURI bool
	// Sandbox is set when no one was asked: app and account are sandbox ones.
	// Otherwise the account's consent must still stand at redemption.
	Sandbox bool
	// Nonce is that of the authorization request, for the ID token, or empty
	// (OpenID Connect Core §3.1.2.1).
	Nonce string
	// Label is what the person calls the connection that is to be born, or empty.
	Label string
}

const (
	codeHasChallenge = 1 << iota
	codeSandbox
	codeImpliedURI
	codeNonce
	codeLabel
	codeFlags = 1<<iota - 1 // all that this version knows
)

// AppendBinary appends the encoding of c, which UnmarshalBinary reads.
func (c *Code) AppendBinary(b []byte) ([]byte, error) {
	b, err := c.Grant.appendTo(b)
	if err != nil {
		return nil, err
	}
	var flags byte
	if c.HasChallenge {
		flags |= codeHasChallenge
	}
	if c.Sandbox {
		flags |= codeSandbox
	}
	if c.ImpliedURI {
		flags |= codeImpliedURI
	}
	if c.Nonce != "" {
		flags |= codeNonce
	}
	if c.Label != "" {
		flags |= codeLabel
	}
	b = append(b, flags)
	b = append(b, c.RedirectURI[:]...)
	if c.HasChallenge {
		b = append(b, c.Challenge[:]...)
	}
	if c.Nonce != "" {
		b = appendString(b, c.Nonce)
	}
	if c.Label != "" {
		b = appendString(b, c.Label)
	}
	return b, nil
}

// UnmarshalBinary reads what AppendBinary wrote. The error is of kind Invalid.
func (c *Code) UnmarshalBinary(data []byte) error {
	d := decoder{rest: data}
	*c = Code{Grant: d.grant()}
	flags := d.byte()
	if flags&^codeFlags != 0 {
		d.fail() // a later version means something by it that must not be passed over
	}
	c.HasChallenge = flags&codeHasChallenge != 0
	c.Sandbox = flags&codeSandbox != 0
	c.ImpliedURI = flags&codeImpliedURI != 0
	d.bytes(c.RedirectURI[:])
	if c.HasChallenge {
		d.bytes(c.Challenge[:])
	}
	if flags&codeNonce != 0 {
		if c.Nonce = d.string(); c.Nonce == "" {
			d.fail() // it would have been written without the flag
		}
	}
	if flags&codeLabel != 0 {
		if c.Label = d.string(); c.Label == "" {
			d.fail()
		}
	}
	return d.end("code")
}
