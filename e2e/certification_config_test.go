//go:build linux

package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// knownMetadata are the members of a server's metadata that the suite knows, of those
// that this server may have; it warns of every other.
const knownMetadata = `issuer authorization_endpoint token_endpoint jwks_uri registration_endpoint scopes_supported response_types_supported
response_modes_supported grant_types_supported token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported
service_documentation ui_locales_supported op_policy_uri op_tos_uri revocation_endpoint revocation_endpoint_auth_methods_supported
revocation_endpoint_auth_signing_alg_values_supported introspection_endpoint introspection_endpoint_auth_methods_supported
introspection_endpoint_auth_signing_alg_values_supported introspection_signing_alg_values_supported introspection_encryption_alg_values_supported
introspection_encryption_enc_values_supported code_challenge_methods_supported userinfo_endpoint end_session_endpoint subject_types_supported
id_token_signing_alg_values_supported id_token_encryption_alg_values_supported id_token_encryption_enc_values_supported
userinfo_signing_alg_values_supported userinfo_encryption_alg_values_supported userinfo_encryption_enc_values_supported
request_object_signing_alg_values_supported request_object_encryption_alg_values_supported request_object_encryption_enc_values_supported
display_values_supported claim_types_supported claims_supported claims_locales_supported claims_parameter_supported request_parameter_supported
request_uri_parameter_supported require_request_uri_registration acr_values_supported frontchannel_logout_supported
frontchannel_logout_session_supported backchannel_logout_supported backchannel_logout_session_supported dpop_signing_alg_values_supported
pushed_authorization_request_endpoint require_pushed_authorization_requests authorization_details_types_supported
authorization_signing_alg_values_supported authorization_encryption_alg_values_supported authorization_encryption_enc_values_supported
mtls_endpoint_aliases tls_client_certificate_bound_access_tokens signed_metadata authorization_response_iss_parameter_supported
device_authorization_endpoint require_signed_request_object prompt_values_supported client_id_metadata_document_supported protected_resources`

// configPlan is the plan Config OP: one module, which needs no browser.
var configPlan = []module{{"OIDCCDiscoveryEndpointVerification", discovers}}

func discovers(t *testing.T, app *relying) {
	c := app.c
	r := c.ask(t, request(t, "GET", c.s.base+"/.well-known/openid-configuration", nil))
	if r.Status != http.StatusOK {
		t.Errorf("status %d", r.Status)
	}
	isJSON(t, r)
	if r.JSON["issuer"] != c.s.base {
		t.Errorf("issuer %v", r.JSON["issuer"])
	}
	known := strings.Fields(knownMetadata)
	for name, value := range r.JSON {
		if !slices.Contains(known, name) {
			t.Errorf("the suite does not know %s", name)
		}
		if !strings.HasSuffix(name, "_endpoint") && !strings.HasSuffix(name, "_uri") {
			continue
		}
		if u, err := url.Parse(value.(string)); err != nil || u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
			t.Errorf("%s is %v", name, value)
		}
	}
	for name, want := range map[string][]string{
		"response_types_supported": {"code"}, "subject_types_supported": {"public"}, "id_token_signing_alg_values_supported": {"RS256"},
		"userinfo_signing_alg_values_supported": {"RS256"}, "request_object_signing_alg_values_supported": {"RS256"},
		"grant_types_supported": {"authorization_code", "refresh_token"}, "scopes_supported": {"openid", "profile", "email", "address", "phone", "offline_access"},
		"claims_supported": {"sub", "name", "email"}, "code_challenge_methods_supported": {"S256"}, "acr_values_supported": {"1"},
		"token_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post", "private_key_jwt"}, "response_modes_supported": {"query", "form_post"},
	} {
		list, _ := r.JSON[name].([]any)
		for _, item := range list {
			if text, ok := item.(string); !ok || text == "" {
				t.Errorf("%s has %v", name, item)
			}
		}
		for _, item := range want {
			if !slices.Contains(list, any(item)) {
				t.Errorf("%s lacks %s: %v", name, item, list)
			}
		}
	}
	for _, item := range r.JSON["ui_locales_supported"].([]any) {
		if !regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$`).MatchString(item.(string)) {
			t.Errorf("ui_locales_supported has %v", item)
		}
	}
	c.keySet(t)
}

// keySet holds the key set to RFC 7517 and to having nothing private in it, and returns
// the ids in it.
func (c *certified) keySet(t *testing.T) []string {
	t.Helper()
	r := c.ask(t, request(t, "GET", c.at("jwks_uri"), nil))
	if r.Status != http.StatusOK {
		t.Fatalf("the key set: %d", r.Status)
	}
	var ids, uses []string
	list, _ := r.JSON["keys"].([]any)
	for _, item := range list {
		key, _ := item.(map[string]any)
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := key[private]; ok {
				t.Errorf("the key set has the member %s", private)
			}
		}
		for _, public := range [][2]string{{"n", "RSA"}, {"x", "EC"}, {"y", "EC"}} {
			if text, _ := key[public[0]].(string); key["kty"] == public[1] && (text == "" || strings.ContainsAny(text, "=+/")) {
				t.Errorf("%s of %v is %q", public[0], key["kid"], text)
			}
		}
		if n, _ := key["n"].(string); key["kty"] == "RSA" && len(n) < 2048/6 {
			t.Errorf("the key %v has fewer than 2048 bits", key["kid"])
		}
		kid, _ := key["kid"].(string)
		if kid == "" || slices.Contains(ids, kid) {
			t.Errorf("two keys have the id %q", kid)
		}
		ids = append(ids, kid)
		use, _ := key["use"].(string)
		alg, _ := key["alg"].(string)
		uses = append(uses, use+" "+alg)
	}
	if !slices.Contains(uses, "sig RS256") {
		t.Errorf("no key signs with RS256: %v", uses)
	}
	return ids
}
