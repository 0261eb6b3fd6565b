package oauth

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// What apps say of themselves beside what every app does: how they sign what they send,
// and what they want of OpenID Connect (Dynamic Client Registration §2).

// more is that part of metadata. Its zero value is an app that said nothing of it.
type more struct {
	openID symbolon.OpenID
	// authSigning and requestSigning are token_endpoint_auth_signing_alg and
	// request_object_signing_alg; requireSigned is require_signed_request_object.
	authSigning, requestSigning string
	requireSigned               bool
	// responseSigning is authorization_signed_response_alg, implicit that its
	// response_types have more than code.
	responseSigning string
	requestURIs     []string
	implicit        bool

	sectorURI, initiateURI string
	contacts               []string
	authTime               bool
}

const (
	// maxContacts bounds the contacts of an app, and the values of default_acr_values,
	// and maxContact each of them, in characters.
	maxContacts, maxContact = 10, 100
	// maxAppURI bounds the addresses that an app says, in bytes.
	maxAppURI = 500
)

// readMore reads it. Algorithms are those that this server has keys to sign by. Where it
// signs nobody in, what is of OpenID Connect is passed over, as everything that is not
// known.
func (r *metadataReader) readMore(m *metadata, algorithms []string, openID bool) {
	m.contacts = r.shortList("contacts", func(s string) string {
		text, _ := visible(s, maxContact)
		return text
	})
	if m.method == symbolon.AuthKey { // RFC 7591 §2: it says nothing of the others
		m.authSigning = r.oneOf("token_endpoint_auth_signing_alg", jwt.Algorithms)
	}
	m.requestSigning = r.oneOf("request_object_signing_alg", jwt.Algorithms)
	m.requireSigned = r.flag("require_signed_request_object")
	m.responseSigning = r.oneOf("authorization_signed_response_alg", algorithms) // JARM §3
	r.readRequestURIs(m)
	if openID {
		r.readOpenID(m, algorithms)
	}
	r.checkKeys(m)
}

// readRequestURIs reads where the app keeps request objects of its own.
func (r *metadataReader) readRequestURIs(m *metadata) {
	m.requestURIs = r.shortList("request_uris", func(uri string) string {
		if err := CheckRequestURI(uri); err != nil {
			r.fail(InvalidClientMetadata, "request_uris must be https URLs of at most 500 bytes.")
		}
		return uri
	})
}

// readOpenID reads what is of OpenID Connect alone.
func (r *metadataReader) readOpenID(m *metadata, algorithms []string) {
	o := &m.openID
	// none and HS256 are in no server's list: nobody is told something that anyone could
	// have written, or that is signed by a secret of which the hash alone is kept.
	o.IDTokenSigning = r.oneOf("id_token_signed_response_alg", algorithms)
	o.UserinfoSigning = r.oneOf("userinfo_signed_response_alg", algorithms)
	o.IDTokenEncryption = r.encryption("id_token_encrypted_response")
	o.UserinfoEncryption = r.encryption("userinfo_encrypted_response")
	o.DefaultMaxAge = r.seconds("default_max_age")
	o.DefaultACR = r.shortList("default_acr_values", func(s string) string {
		if !printable(s) || len(s) > maxContact {
			r.fail(InvalidClientMetadata, "default_acr_values must be a list of names without spaces, of at most 100 characters.")
		}
		return s
	})
	m.authTime = r.flag("require_auth_time")
	m.sectorURI = r.address("sector_identifier_uri")
	m.initiateURI = r.address("initiate_login_uri") // Core §4: https only
	r.readLogout(o)
	switch r.text("subject_type") {
	case "", "public":
	case "pairwise":
		o.Pairwise = true
	default:
		r.fail(InvalidClientMetadata, "subject_type must be public or pairwise.")
	}
	if o.Pairwise {
		r.readSector(m)
	}
}

// readLogout reads what is of signing out (RP-Initiated Logout §3.1, Back-Channel Logout
// §2.2).
func (r *metadataReader) readLogout(o *symbolon.OpenID) {
	uris, _ := r.list("post_logout_redirect_uris")
	if len(uris) > maxRedirectURIs {
		r.fail(InvalidClientMetadata, "post_logout_redirect_uris has more than 20 addresses.")
		return
	}
	for _, uri := range uris {
		if err := CheckPostLogoutURI(uri); err != nil {
			r.fail(InvalidClientMetadata, "post_logout_redirect_uris has an address that cannot be registered: "+detailOf(err)+".")
			return
		}
		if !slices.Contains(o.PostLogoutRedirectURIs, uri) {
			o.PostLogoutRedirectURIs = append(o.PostLogoutRedirectURIs, uri)
		}
	}
	told := r.flag("backchannel_logout_session_required")
	uri := r.text("backchannel_logout_uri")
	if uri == "" {
		return
	}
	if err := CheckBackchannelURI(uri, false); err != nil || len(uri) > maxAppURI {
		r.fail(InvalidClientMetadata, "backchannel_logout_uri must be an https URL without a fragment, of at most 500 bytes.")
		return
	}
	o.BackchannelLogoutURI, o.BackchannelLogoutSessionRequired = uri, told
}

// readSector reads the sector that goes without saying: the only host of the redirect
// URIs (OpenID Connect Core §8.1). Where anyone can receive what is sent there, as on a
// person's own computer, anyone could say the same of himself, and be of that sector.
func (r *metadataReader) readSector(m *metadata) {
	var hosts []string
	for _, uri := range m.redirectURIs {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "https" || isLoopback(u.Hostname()) {
			r.fail(InvalidClientMetadata, "subject_type pairwise is for apps whose redirect_uris are all https and on a host of their own.")
			return
		}
		if host := sectorOf(u); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	switch {
	case m.sectorURI != "":
	case len(hosts) > 1:
		r.fail(InvalidClientMetadata, "sector_identifier_uri must be there for the subject_type pairwise, since the redirect_uris have several hosts.")
	case len(hosts) == 1:
		m.openID.Sector = hosts[0]
	}
}

// sectorOf is the host by which a sector goes.
func sectorOf(u *url.URL) string { return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") }

// checkKeys holds what is said of keys to those that stand in jwks. Those at a jwks_uri
// are looked at when they are needed.
func (r *metadataReader) checkKeys(m *metadata) {
	none := m.keys == "" && m.keysURI == ""
	var set *jwt.Set
	if m.keys != "" {
		var err error
		if set, err = jwt.ParseSet([]byte(m.keys)); err != nil {
			return // which is said already
		}
	}
	for _, c := range []struct{ field, algorithm string }{
		{"token_endpoint_auth_signing_alg", m.authSigning}, {"request_object_signing_alg", m.requestSigning},
	} {
		if c.algorithm != "" && set != nil && !set.Verifies(c.algorithm) {
			r.fail(InvalidClientMetadata, c.field+" "+c.algorithm+" needs a key for that in jwks, of use sig or of none.")
		}
	}
	signs := m.method == symbolon.AuthKey || m.requireSigned
	switch {
	case m.requireSigned && none:
		r.fail(InvalidClientMetadata, "require_signed_request_object needs jwks or jwks_uri.")
	case signs && set != nil && !set.Signs():
		r.fail(InvalidClientMetadata, "jwks has no key that a signature of the app can be verified by; its use must be sig, or not be there.")
	}
	for field, how := range map[string]symbolon.Encryption{"id_token_encrypted_response_alg": m.openID.IDTokenEncryption, "userinfo_encrypted_response_alg": m.openID.UserinfoEncryption} {
		switch {
		case how.Key == "":
		case none:
			r.fail(InvalidClientMetadata, field+" needs jwks or jwks_uri, with a public key of use enc.")
		case set != nil && !set.Encrypts(how.Key):
			r.fail(InvalidClientMetadata, field+" "+how.Key+" needs a key for that in jwks, of use enc or of none.")
		}
	}
}

// oneOf reads the name of an algorithm, which must be one of those offered.
func (r *metadataReader) oneOf(name string, offered []string) string {
	text := r.text(name)
	if text != "" && !slices.Contains(offered, text) {
		r.fail(InvalidClientMetadata, name+" must be "+orList(offered)+".")
		return ""
	}
	return text
}

// orList joins names as in a sentence.
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// encryption reads how something is to be encrypted, by two fields.
func (r *metadataReader) encryption(name string) symbolon.Encryption {
	how := symbolon.Encryption{Key: r.oneOf(name+"_alg", jwt.KeyAlgorithms), Content: r.oneOf(name+"_enc", jwt.ContentAlgorithms)}
	switch {
	case how.Key == "" && how.Content != "":
		r.fail(InvalidClientMetadata, name+"_enc needs "+name+"_alg beside it.")
	case how.Content == jwt.DefaultContent:
		how.Content = ""
	}
	return how
}

// seconds reads a whole number of seconds, 1 or more.
func (r *metadataReader) seconds(name string) int64 {
	value := r.object[name]
	if value == nil {
		return 0
	}
	number, _ := value.(json.Number)
	n, err := strconv.ParseInt(string(number), 10, 32)
	if err != nil || n < 1 {
		r.fail(InvalidClientMetadata, name+" must be a whole number of seconds, 1 or more; leave it out, and send prompt=login, where each sign-in must be a new one.")
		return 0
	}
	return n
}

// shortList reads a list of a few texts, each as made by fit, without those that are
// then empty.
func (r *metadataReader) shortList(name string, fit func(string) string) []string {
	list, _ := r.list(name)
	if len(list) > maxContacts {
		r.fail(InvalidClientMetadata, name+" has more than 10 values.")
		return nil
	}
	var kept []string
	for _, s := range list {
		if s = fit(s); s != "" && !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// address reads a URL that must be https.
func (r *metadataReader) address(name string) string {
	text := r.text(name)
	if text != "" && !isAppURI(text) {
		r.fail(InvalidClientMetadata, name+" must be an https URL without a fragment, of at most 500 bytes.")
		return ""
	}
	return text
}

func isAppURI(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && !strings.Contains(text, "#") && len(text) <= maxAppURI && printable(text)
}

// saidMore is what is kept of it, with short names; nil where there is nothing.
type saidMore struct {
	IDToken         string   `json:"i,omitempty"`
	IDTokenKey      string   `json:"ik,omitempty"`
	IDTokenContent  string   `json:"ic,omitempty"`
	UserinfoAlg     string   `json:"u,omitempty"`
	UserinfoKey     string   `json:"uk,omitempty"`
	UserinfoContent string   `json:"uc,omitempty"`
	Pairwise        bool     `json:"p,omitempty"`
	Sector          string   `json:"s,omitempty"`
	SectorURI       string   `json:"su,omitempty"`
	MaxAge          int64    `json:"m,omitempty"`
	ACR             []string `json:"a,omitempty"`
	AuthTime        bool     `json:"t,omitempty"`
	Initiate        string   `json:"l,omitempty"`
	Contacts        []string `json:"c,omitempty"`
	AuthSigning     string   `json:"as,omitempty"`
	RequestSigning  string   `json:"rs,omitempty"`
	RequireSigned   bool     `json:"rr,omitempty"`
	ResponseSigning string   `json:"ra,omitempty"`
	RequestURIs     []string `json:"ru,omitempty"`
	Implicit        bool     `json:"im,omitempty"`
	PostLogout      []string `json:"pl,omitempty"`
	Backchannel     string   `json:"bl,omitempty"`
	BackchannelSID  bool     `json:"bs,omitempty"`
}

func moreIsSaid(a *symbolon.App) *saidMore {
	o, r := &a.Settings.OpenID, a.Settings.Registration
	m := saidMore{
		IDToken: o.IDTokenSigning, IDTokenKey: o.IDTokenEncryption.Key, IDTokenContent: o.IDTokenEncryption.Content,
		UserinfoAlg: o.UserinfoSigning, UserinfoKey: o.UserinfoEncryption.Key, UserinfoContent: o.UserinfoEncryption.Content,
		Pairwise: o.Pairwise, Sector: o.Sector, SectorURI: r.SectorURI, MaxAge: o.DefaultMaxAge, ACR: o.DefaultACR, AuthTime: r.AuthTime,
		Initiate: r.InitiateURI, Contacts: r.Contacts,
		ResponseSigning: a.Settings.ResponseSigning, RequestURIs: a.Settings.RequestURIs, Implicit: slices.Contains(a.Settings.Grants, symbolon.GrantImplicit),
		AuthSigning: a.Settings.AuthSigning, RequestSigning: a.Settings.RequestSigning, RequireSigned: a.Settings.RequireSigned,
		PostLogout: o.PostLogoutRedirectURIs, Backchannel: o.BackchannelLogoutURI, BackchannelSID: o.BackchannelLogoutSessionRequired,
	}
	if text, err := json.Marshal(&m); err == nil && string(text) == "{}" {
		return nil
	}
	return &m
}

// metadata undoes moreIsSaid.
func (s *saidMore) metadata() more {
	if s == nil {
		return more{}
	}
	return more{
		openID: symbolon.OpenID{
			IDTokenSigning: s.IDToken, IDTokenEncryption: symbolon.Encryption{Key: s.IDTokenKey, Content: s.IDTokenContent},
			UserinfoSigning: s.UserinfoAlg, UserinfoEncryption: symbolon.Encryption{Key: s.UserinfoKey, Content: s.UserinfoContent},
			Pairwise: s.Pairwise, Sector: s.Sector, DefaultMaxAge: s.MaxAge, DefaultACR: s.ACR,
			PostLogoutRedirectURIs: s.PostLogout, BackchannelLogoutURI: s.Backchannel, BackchannelLogoutSessionRequired: s.BackchannelSID,
		},
		responseSigning: s.ResponseSigning, requestURIs: s.RequestURIs, implicit: s.Implicit,
		authSigning: s.AuthSigning, requestSigning: s.RequestSigning, requireSigned: s.RequireSigned,
		sectorURI: s.SectorURI, initiateURI: s.Initiate, contacts: s.Contacts, authTime: s.AuthTime,
	}
}

// scopeInfo is the scope by which an app learns the account's id, at GET /info.
const scopeInfo = symbolon.ScopeConnect

// apply sets it in an app that registered itself.
func (m *more) apply(a *symbolon.App) {
	s, r := &a.Settings, a.Settings.Registration
	s.ResponseSigning, s.RequestURIs = m.responseSigning, m.requestURIs
	if m.implicit {
		s.Grants = append(s.Grants, symbolon.GrantImplicit)
	}
	s.OpenID, s.AuthSigning, s.RequestSigning, s.RequireSigned = m.openID, m.authSigning, m.requestSigning, m.requireSigned
	r.SectorURI, r.InitiateURI, r.Contacts, r.AuthTime = m.sectorURI, m.initiateURI, m.contacts, m.authTime
	if s.OpenID.Pairwise {
		// By either the app would learn the account's id all the same.
		a.Scope = slices.DeleteFunc(slices.Clone(a.Scope), func(name string) bool { return name == scopeInfo })
	}
}

// moreInformation is what is answered of it (RFC 7591 §3.2.1): all that was taken, and
// what stands in where nothing was said.
type moreInformation struct {
	Contacts        []string `json:"contacts,omitempty"`
	AuthSigning     string   `json:"token_endpoint_auth_signing_alg,omitempty"`
	RequestSigning  string   `json:"request_object_signing_alg,omitempty"`
	RequireSigned   bool     `json:"require_signed_request_object,omitempty"`
	RequestURIs     []string `json:"request_uris,omitempty"`
	ResponseSigning string   `json:"authorization_signed_response_alg,omitempty"`
	IDToken         string   `json:"id_token_signed_response_alg,omitempty"`
	IDTokenKey      string   `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenContent  string   `json:"id_token_encrypted_response_enc,omitempty"`
	UserinfoAlg     string   `json:"userinfo_signed_response_alg,omitempty"`
	UserinfoKey     string   `json:"userinfo_encrypted_response_alg,omitempty"`
	UserinfoContent string   `json:"userinfo_encrypted_response_enc,omitempty"`
	SubjectType     string   `json:"subject_type,omitempty"`
	SectorURI       string   `json:"sector_identifier_uri,omitempty"`
	MaxAge          int64    `json:"default_max_age,omitempty"`
	AuthTime        bool     `json:"require_auth_time,omitempty"`
	ACR             []string `json:"default_acr_values,omitempty"`
	InitiateURI     string   `json:"initiate_login_uri,omitempty"`
	PostLogout      []string `json:"post_logout_redirect_uris,omitempty"`
	Backchannel     string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelSID  bool     `json:"backchannel_logout_session_required,omitempty"`
}

func (e *Engine) moreInformation(app *symbolon.App) moreInformation {
	s, r := &app.Settings, app.Settings.Registration
	info := moreInformation{Contacts: r.Contacts, AuthSigning: s.AuthSigning, RequestSigning: s.RequestSigning, RequireSigned: s.RequireSigned,
		RequestURIs: s.RequestURIs, ResponseSigning: s.ResponseSigning}
	if e.cfg.IDToken == nil {
		return info
	}
	o := &s.OpenID
	info.IDToken, info.UserinfoAlg, info.SubjectType = o.SigningAlgorithm(), o.UserinfoSigning, "public"
	info.IDTokenKey, info.IDTokenContent = bothNames(o.IDTokenEncryption)
	info.UserinfoKey, info.UserinfoContent = bothNames(o.UserinfoEncryption)
	if o.Pairwise {
		info.SubjectType = "pairwise"
	}
	info.SectorURI, info.InitiateURI, info.AuthTime = r.SectorURI, r.InitiateURI, r.AuthTime
	info.MaxAge, info.ACR = o.DefaultMaxAge, o.DefaultACR
	info.PostLogout, info.Backchannel, info.BackchannelSID = o.PostLogoutRedirectURIs, o.BackchannelLogoutURI, o.BackchannelLogoutSessionRequired
	return info
}

// bothNames returns both names of an encryption, or neither.
func bothNames(how symbolon.Encryption) (key, content string) {
	if how.Key != "" && how.Content == "" {
		return how.Key, jwt.DefaultContent
	}
	return how.Key, how.Content
}
