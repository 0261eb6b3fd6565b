package symbolon

import "time"

// Profile is what an account's owner lets apps know of a person, by the names of
// the standard claims (OpenID Connect Core §5.1), beside the name, which is
// Account.Name. What is not known is empty and left out. Stores keep it as one JSON
// object.
type Profile struct {
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	MiddleName string `json:"middle_name,omitempty"`
	Nickname   string `json:"nickname,omitempty"`
	// PreferredUsername is the account's username when it is empty.
	PreferredUsername string `json:"preferred_username,omitempty"`
	// Page is the claim profile; it, Picture and Website are URLs.
	Page    string `json:"profile,omitempty"`
	Picture string `json:"picture,omitempty"`
	Website string `json:"website,omitempty"`
	Gender  string `json:"gender,omitempty"`
	// Birthdate is YYYY-MM-DD, YYYY, or 0000-MM-DD.
	Birthdate string `json:"birthdate,omitempty"`
	// Zone is the claim zoneinfo, as in Europe/Prague; Locale a language tag (BCP 47).
	Zone   string `json:"zoneinfo,omitempty"`
	Locale string `json:"locale,omitempty"`

	// Email is the address, and EmailVerified whether it is known to be the
	// person's. The same of Phone, which is best written as E.164 has it.
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Phone         string `json:"phone_number,omitempty"`
	PhoneVerified bool   `json:"phone_number_verified,omitempty"`

	Address *Address `json:"address,omitempty"`
	// UpdatedAt is when any of this last changed.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Address is a postal address (OpenID Connect Core §5.1.1).
type Address struct {
	Formatted  string `json:"formatted,omitempty"`
	Street     string `json:"street_address,omitempty"`
	Locality   string `json:"locality,omitempty"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"`
}
