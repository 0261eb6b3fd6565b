package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
)

// apiSetting is one of the owner's APIs, as a table of the configuration file.
type apiSetting struct {
	URI         string   `json:"uri"`
	Name        string   `json:"name,omitempty"`         // what the consent page calls it: the uri when it is empty
	Scopes      []string `json:"scopes,omitempty"`       // those that mean something there; all when it is empty
	TokenFormat string   `json:"token_format,omitempty"` // sealed or jwt; sealed when it is empty
}

// issuerSetting is someone whose signed statements about people are believed, as
// a table of the configuration file.
type issuerSetting struct {
	Issuer   string   `json:"issuer"`
	Keys     string   `json:"keys,omitempty"` // a file with a JWK Set
	KeysURI  string   `json:"keys_uri,omitempty"`
	Audience string   `json:"audience,omitempty"` // this server when it is empty
	Apps     []string `json:"apps,omitempty"`     // all that may use the grant when it is empty
	Subject  string   `json:"subject,omitempty"`  // id or username; id when it is empty
}

// detailSetting is a type of authorization_details, as a table of the
// configuration file.
type detailSetting struct {
	Type     string   `json:"type"`
	Sentence string   `json:"sentence"`
	Fields   []string `json:"fields,omitempty"`
	Required []string `json:"required,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *detailSetting) UnmarshalJSON(text []byte) error {
	type plain detailSetting
	return readTable(text, (*plain)(s), "type", "sentence", "fields", "required")
}

// UnmarshalText implements encoding.TextUnmarshaler, for the flag.
func (s *detailSetting) UnmarshalText(text []byte) error { return s.UnmarshalJSON(text) }

func (s detailSetting) String() string { return fmt.Sprintf("%s=%q", s.Type, s.Sentence) }

// UnmarshalJSON implements json.Unmarshaler. A text alone is the URI.
func (s *apiSetting) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &s.URI) == nil {
		return nil
	}
	type plain apiSetting
	return readTable(text, (*plain)(s), "uri", "name", "scopes", "token_format")
}

// UnmarshalText implements encoding.TextUnmarshaler, for the flag.
func (s *apiSetting) UnmarshalText(text []byte) error {
	if !bytes.HasPrefix(text, []byte("{")) {
		s.URI = string(text)
		return nil
	}
	return s.UnmarshalJSON(text)
}

func (s apiSetting) String() string {
	if s.Name == "" {
		return s.URI
	}
	return fmt.Sprintf("%s=%q", s.URI, s.Name)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *issuerSetting) UnmarshalJSON(text []byte) error {
	type plain issuerSetting
	return readTable(text, (*plain)(s), "issuer", "keys", "keys_uri", "audience", "apps", "subject")
}

// UnmarshalText implements encoding.TextUnmarshaler, for the flag.
func (s *issuerSetting) UnmarshalText(text []byte) error { return s.UnmarshalJSON(text) }

func (s issuerSetting) String() string { return s.Issuer }

// wrongTable is a fault in a table, told without how the table came here.
type wrongTable struct{ error }

func tableError(format string, args ...any) error { return &wrongTable{fmt.Errorf(format, args...)} }

// readTable reads one table, which must have no keys but these.
func readTable(text []byte, into any, keys ...string) error {
	var table map[string]json.RawMessage
	if err := json.Unmarshal(text, &table); err != nil {
		return tableError("it is not a table with the keys %s", strings.Join(keys, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(keys, key) {
			return tableError("unknown key %q in a table; its keys are %s", key, strings.Join(keys, ", "))
		}
	}
	err := json.Unmarshal(text, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind := "a text in quotes"
		switch {
		case slices.Contains([]string{"scopes", "apps", "fields", "required", "email_domains"}, wrong.Field):
			kind = "a list of texts"
		case wrong.Field == "create_accounts":
			kind = "true or false"
		}
		return tableError("%s must be %s", wrong.Field, kind)
	}
	return err
}

// checkStandard checks the settings of the standard surface.
func (s *settings) checkStandard(c *checked, note func(error)) {
	seen := make(map[string]bool)
	for _, api := range s.Resources {
		r, err := api.check()
		if err == nil && seen[api.URI] {
			err = fmt.Errorf("resources: %s is there twice", api.URI)
		}
		seen[api.URI] = true
		note(err)
		c.resources = append(c.resources, r)
	}
	seen = make(map[string]bool)
	for _, issuer := range s.TrustedIssuers {
		i, err := issuer.check()
		switch {
		case err != nil:
		case seen[issuer.Issuer]:
			err = fmt.Errorf("trusted_issuers: %s is there twice", printable(issuer.Issuer))
		case issuer.Issuer == s.BaseURL:
			err = mend(fmt.Errorf("trusted_issuers: %s is this server itself", issuer.Issuer), "it trusts itself anyhow; take the table out")
		}
		seen[issuer.Issuer] = true
		note(err)
		c.issuers = append(c.issuers, i)
	}
	seen = make(map[string]bool)
	for _, detail := range s.Details {
		d, err := detail.check()
		if err == nil && seen[d.Type] {
			err = fmt.Errorf("authorization_details: %s is there twice", d.Type)
		}
		seen[d.Type] = true
		note(err)
		c.details = append(c.details, d)
	}
	if name := s.ClientCertificateHeader; name != "" {
		if strings.ContainsFunc(name, notInHeaderName) {
			note(mend(fmt.Errorf("client_certificate_header %q is not the name of a header", printable(name)), "write it as Client-Cert"))
		}
		if len(s.TrustedProxies) == 0 {
			note(mend(fmt.Errorf("client_certificate_header is set and trusted_proxy is not: any caller could claim any certificate"), "name the proxy that sets the header: --trusted-proxy 127.0.0.1/32; where TLS ends here, no header is needed"))
		}
	}
	if s.ClientCA != "" {
		text, err := os.ReadFile(s.ClientCA)
		c.clientCAs = x509.NewCertPool()
		if err == nil && !c.clientCAs.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%s has no certificate in it", s.ClientCA)
		}
		if err != nil {
			note(mend(fmt.Errorf("client_ca cannot be used: %w", err), "it is a PEM file with the certificates of the authorities, which the user that runs the server can read"))
		}
	}
	scopes, err := admin.ParseScope(s.RegistrationScopes)
	if err == nil && len(scopes) == 0 && (s.ClientDocuments || s.Registration) {
		err = mend(fmt.Errorf("registration_scopes is empty, so no app that registers itself could ask for anything"), "set it to connect and what else is safe to ask for")
	}
	note(err)
	c.registrationScopes = scopes
}

// notInHeaderName reports whether a character may not stand in a field name
// (RFC 9110 §5.6.2).
func notInHeaderName(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func (s *apiSetting) check() (oauth.Resource, error) {
	r := oauth.Resource{URI: s.URI, Name: s.Name, Token: symbolon.TokenFormat(s.TokenFormat)}
	if err := oauth.CheckResource(s.URI); err != nil {
		return r, mend(fmt.Errorf("resources: the uri %q: %s", printable(s.URI), detail(err)), "each table needs uri = \"https://api.example.com\"")
	}
	if r.Name == "" {
		r.Name = s.URI
	} else if err := admin.CheckName("name of the resource "+s.URI, s.Name); err != nil {
		return r, err
	}
	var err error
	if len(s.Scopes) > 0 {
		r.Scopes, err = symbolon.ParseScopes(strings.Join(s.Scopes, " "))
	}
	if err != nil || len(r.Scopes) != len(s.Scopes) {
		return r, mend(fmt.Errorf("resources: the scopes of %s are not a list of names", s.URI), "write it as scopes = [\"files.read\", \"files.write\"]")
	}
	switch r.Token {
	case symbolon.TokenDefault, symbolon.TokenSealed, symbolon.TokenJWT:
		return r, nil
	}
	return r, mend(fmt.Errorf("resources: the token_format of %s is %q", s.URI, printable(s.TokenFormat)), "it is sealed or jwt")
}

func (s *detailSetting) check() (oauth.DetailType, error) {
	d := oauth.DetailType{Type: s.Type, Sentence: s.Sentence, Fields: s.Fields, Required: s.Required}
	err := d.Check()
	if err == nil && strings.ContainsFunc(s.Sentence, admin.Unfit) {
		err = fmt.Errorf("its sentence has characters that change the direction of text")
	}
	if err != nil {
		return d, mend(fmt.Errorf("authorization_details: the type %q: %s", printable(s.Type), detail(err)), "each table needs type = \"payment\" and sentence = \"pay {amount} to {creditor}\", and fields = [\"amount\", \"creditor\"]")
	}
	return d, nil
}

func (s *issuerSetting) check() (oauth.TrustedIssuer, error) {
	i := oauth.TrustedIssuer{Issuer: s.Issuer, KeysURI: s.KeysURI, Audience: s.Audience}
	about := "trusted_issuers: " + printable(s.Issuer)
	if s.Issuer == "" || strings.ContainsFunc(s.Issuer, admin.Unfit) {
		return i, mend(fmt.Errorf("trusted_issuers: a table has no issuer"), "each needs issuer = \"https://login.example.com\", as it stands in iss")
	}
	switch {
	case (s.Keys == "") == (s.KeysURI == ""):
		return i, mend(fmt.Errorf("%s needs its public keys, in a file or at a URL", about), "set keys or keys_uri, and not both")
	case s.KeysURI != "":
		if err := admin.CheckKeysURI(s.KeysURI); err != nil {
			return i, mend(fmt.Errorf("%s: %w", about, err), "%s", hintFor(err))
		}
	default:
		text, err := os.ReadFile(s.Keys)
		if err != nil {
			return i, mend(fmt.Errorf("%s: its keys cannot be read: %w", about, err), "keys names a file, a JWK Set, that the user that runs the server can read")
		}
		if i.Keys, err = jwt.ParseSet(text); err != nil {
			return i, mend(fmt.Errorf("%s: its keys in %s: %s", about, s.Keys, detail(err)), "it must be a JWK Set of public keys, {\"keys\":[…]}")
		}
		if !i.Keys.Signs() {
			return i, mend(fmt.Errorf("%s: none of its keys in %s can verify a signature", about, s.Keys), "they must be for %s", strings.Join(jwt.Algorithms, ", "))
		}
	}
	for _, id := range s.Apps {
		if id == "" {
			return i, fmt.Errorf("%s: apps has an empty client_id", about)
		}
		i.Apps = append(i.Apps, symbolon.ClientID(id))
	}
	switch s.Subject {
	case "", "id":
	case "username":
		i.ByUsername = true
	default:
		return i, mend(fmt.Errorf("%s: subject is %q", about, printable(s.Subject)), "it is id or username: what the sub of its statements is here")
	}
	return i, nil
}
