package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
)

// metadata describes the standard surface (RFC 8414 §2, and the members that the
// other RFCs add, which stand beside them). OpenID Connect Discovery finds the
// same document under its own path. Every value is what the server does.
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	KeySet                string   `json:"jwks_uri"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"` // RFC 7591
	UserinfoEndpoint      string   `json:"userinfo_endpoint,omitempty"`     // OpenID Connect Discovery §3
	EndSessionEndpoint    string   `json:"end_session_endpoint,omitempty"`  // RP-Initiated Logout §2.1
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`         // RFC 8628 §4
	PAREndpoint           string   `json:"pushed_authorization_request_endpoint"` // RFC 9126 §5
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	Grants                []string `json:"grant_types_supported"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms   []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms  []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthAlgs []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAlgs     []string `json:"introspection_signing_alg_values_supported,omitempty"` // RFC 9701 §7
	Challenges            []string `json:"code_challenge_methods_supported"`                     // RFC 7636
	Issuers               bool     `json:"authorization_response_iss_parameter_supported"`       // RFC 9207 §3
	RequirePAR            bool     `json:"require_pushed_authorization_requests,omitempty"`
	RequestObject         bool     `json:"request_parameter_supported"` // RFC 9101 §10.5
	RequestURI            bool     `json:"request_uri_parameter_supported"`
	RequestURIRegistered  bool     `json:"require_request_uri_registration,omitempty"` // OpenID Connect Discovery §3
	RequestAlgorithms     []string `json:"request_object_signing_alg_values_supported,omitempty"`
	DPoPAlgorithms        []string `json:"dpop_signing_alg_values_supported,omitempty"`          // RFC 9449 §5.1
	BoundToCertificate    bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"` // RFC 8705 §3.3
	Details               []string `json:"authorization_details_types_supported,omitempty"`      // RFC 9396 §10
	ClientDocuments       bool     `json:"client_id_metadata_document_supported,omitempty"`      // client ID metadata documents
	Documentation         string   `json:"service_documentation"`
	Languages             []string `json:"ui_locales_supported"`
	Policy                string   `json:"op_policy_uri,omitempty"`
	Terms                 string   `json:"op_tos_uri,omitempty"`
	SubjectTypes          []string `json:"subject_types_supported"`                              // OpenID Connect Discovery §3
	ResponseAlgorithms    []string `json:"authorization_signing_alg_values_supported,omitempty"` // JARM §4
	IDTokenAlgorithms     []string `json:"id_token_signing_alg_values_supported,omitempty"`
	UserinfoAlgorithms    []string `json:"userinfo_signing_alg_values_supported,omitempty"`
	IDTokenKeys           []string `json:"id_token_encryption_alg_values_supported,omitempty"`
	IDTokenContents       []string `json:"id_token_encryption_enc_values_supported,omitempty"`
	UserinfoKeys          []string `json:"userinfo_encryption_alg_values_supported,omitempty"`
	UserinfoContents      []string `json:"userinfo_encryption_enc_values_supported,omitempty"`
	Claims                []string `json:"claims_supported,omitempty"`
	ClaimTypes            []string `json:"claim_types_supported,omitempty"`
	ClaimsParameter       bool     `json:"claims_parameter_supported,omitempty"`
	ACRs                  []string `json:"acr_values_supported,omitempty"`
	Prompts               []string `json:"prompt_values_supported,omitempty"`
	Displays              []string `json:"display_values_supported,omitempty"`
	BackchannelLogout     bool     `json:"backchannel_logout_supported,omitempty"`         // Back-Channel Logout §2.1
	BackchannelSession    bool     `json:"backchannel_logout_session_supported,omitempty"` // Back-Channel Logout §2.1
}

// newMetadata returns the document of a server.
func (h *Handler) newMetadata(added []string) ([]byte, error) {
	offers := h.Engine.Offers()
	for _, name := range added {
		if !slices.Contains(offers.Scopes, name) {
			offers.Scopes = append(offers.Scopes, name)
		}
	}
	at := func(path string) string { return h.issuer + path }
	methods := []string{
		string(symbolon.AuthBasic), string(symbolon.AuthPost), string(symbolon.AuthNone), string(symbolon.AuthKey),
		string(symbolon.AuthTLS), string(symbolon.AuthSelfSignedTLS),
	}
	m := metadata{
		Issuer:                h.issuer,
		AuthorizationEndpoint: at("/oauth2/authorize"),
		TokenEndpoint:         at("/oauth2/token"),
		KeySet:                at("/oauth2/jwks"),
		RevocationEndpoint:    at("/oauth2/revoke"),
		IntrospectionEndpoint: at("/oauth2/introspect"),
		DeviceEndpoint:        at("/oauth2/device_authorization"),
		PAREndpoint:           at("/oauth2/par"),
		Scopes:                append(offers.Scopes, oauth.ScopeOffline),
		ResponseTypes:         responseTypes(offers.Implicit),
		ResponseModes:         modes(len(offers.Algorithms) > 0),
		TokenAuth:             methods,
		TokenAuthAlgorithms:   jwt.Algorithms,
		RevocationAuth:        methods,
		RevocationAlgorithms:  jwt.Algorithms,
		IntrospectionAuth:     slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == string(symbolon.AuthNone) }),
		IntrospectionAuthAlgs: jwt.Algorithms,
		IntrospectionAlgs:     offers.Answers,
		Challenges:            []string{"S256"},
		Issuers:               true,
		RequestObject:         true,
		RequestURI:            offers.Fetched,
		RequestURIRegistered:  offers.Fetched,
		RequestAlgorithms:     jwt.Algorithms,
		DPoPAlgorithms:        jwt.Algorithms,
		BoundToCertificate:    true,
		Details:               offers.Details,
		RequirePAR:            offers.RequirePAR,
		ClientDocuments:       offers.ClientDocuments,
		Documentation:         at("/docs"),
		Languages:             h.Pages.Languages(),
		Policy:                h.Pages.look.Privacy,
		Terms:                 h.Pages.look.Terms,
		SubjectTypes:          []string{"public"},
		ResponseAlgorithms:    offers.Algorithms,
		IDTokenAlgorithms:     offers.Algorithms,
		ACRs:                  []string{oauth.ACROne, oauth.ACRTwo}, // RFC 9470 §7
	}
	if h.OpenID != nil {
		m.UserinfoEndpoint, m.EndSessionEndpoint = at("/oauth2/userinfo"), at("/oauth2/logout")
		m.BackchannelLogout, m.BackchannelSession = true, true
		m.SubjectTypes = append(m.SubjectTypes, "pairwise")
		m.UserinfoAlgorithms = offers.Algorithms
		m.IDTokenKeys, m.IDTokenContents = jwt.KeyAlgorithms, jwt.ContentAlgorithms
		m.UserinfoKeys, m.UserinfoContents = jwt.KeyAlgorithms, jwt.ContentAlgorithms
		m.Claims, m.ClaimTypes, m.ClaimsParameter = oidc.Supported(), []string{"normal"}, true
		m.Prompts = []string{"none", "login", "consent", "select_account"}
		m.Displays = []string{"page"}
	}
	if h.passkeys != nil {
		m.ACRs = append(m.ACRs, oauth.ACRPasskey)
	}
	for _, g := range offers.Grants {
		m.Grants = append(m.Grants, string(g))
	}
	if offers.Implicit {
		m.Grants = append(m.Grants, string(symbolon.GrantImplicit))
	}
	if offers.Registration {
		m.RegistrationEndpoint = at("/oauth2/register")
	}
	return json.Marshal(m)
}

// responseTypes are those that are offered.
func responseTypes(implicit bool) []string {
	if implicit {
		return []string{"code", "id_token", "id_token token"}
	}
	return []string{"code"}
}

// modes are the response modes: without a key that signs, none that is signed.
func modes(signs bool) []string {
	var list []string
	for _, m := range oauth.ResponseModes {
		if signs || !m.Signed() {
			list = append(list, string(m))
		}
	}
	return list
}

// metadataOf is the metadata document, with what it is of: the generation of the keys, and
// the scopes that operators added, which were read at a time.
type metadataOf struct {
	keys  uint64
	added []string
	read  time.Time
	body  []byte
}

// scopesFor is how long the scopes in the metadata may be behind what operators said.
const scopesFor = 10 * time.Second

// describe returns the metadata document. It is made anew when there are other keys,
// since a key may be the first of its algorithm, or the last; and when operators added
// scopes. Those are read for one request at a time, and the others do not wait.
func (h *Handler) describe(ctx context.Context) ([]byte, error) {
	keys, old := h.Engine.KeyGeneration(), h.described.Load()
	made := &metadataOf{keys: keys, added: old.added, read: old.read}
	if now := h.Engine.Now(); now.Sub(old.read) >= scopesFor && h.describing.TryLock() {
		defer h.describing.Unlock()
		var ok bool
		if made.added, ok = h.addedScopes(ctx, old.added); ok {
			made.read = now
		} else {
			made.read = now.Add(time.Second - scopesFor) // look again in a second
		}
	} else if old.keys == keys {
		return old.body, nil
	}
	made.body = old.body
	if old.keys != keys || !slices.Equal(old.added, made.added) {
		var err error
		if made.body, err = h.newMetadata(made.added); err != nil {
			return nil, err
		}
	}
	h.described.Store(made)
	return made.body, nil
}

// addedScopes returns the scopes that operators added, and whether the store could be
// asked: otherwise they are those that there were. A client that goes away has no say in
// what the next one reads.
func (h *Handler) addedScopes(ctx context.Context, before []string) (names []string, ok bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	offered, err := h.admin.Offered(ctx)
	if err != nil {
		return before, false
	}
	for _, s := range offered {
		if s.From == admin.FromOperator {
			names = append(names, s.Name)
		}
	}
	return names, true
}

// metadata answers with the document. It says nothing of what the request says, and is
// served when the store is away.
func (h *Handler) metadata(w http.ResponseWriter, r *http.Request, ev *event) error {
	body, err := h.describe(r.Context())
	if err != nil {
		return err
	}
	return h.writePublic(w, ev, body)
}
