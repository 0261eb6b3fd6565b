package oauth

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// row says where one requirement or attack of the ledger is tested.
type row struct {
	id string
	// where is the test of this package that names the id; "elsewhere" for one
	// of another package, which names it as well; or "later" for what is not
	// offered yet.
	where string
	// note is, for "elsewhere", the name that the test has instead ("as B24");
	// for "later", the issue and why.
	note string
}

// ledger holds the groups of the requirement ledger that the six steps and the
// standard surface answer for, whole: every id of a group stands here, whether it is done or not.
var ledger = map[string][]row{
	"A1": { // authorization endpoint and redirect URIs
		{"RFC6749-3.1-a", "elsewhere", "as step 1"},
		{"OIDCC-3.1.2.1-a", "elsewhere", ""},
		{"RFC6749-3.1-b", "TestAuthorizeAnswers", ""},
		{"RFC6749-3.1-c", "TestAuthorizeUnproven", ""},
		{"RFC6749-3.1-d", "TestAuthorizeRefusals", ""},
		{"RFC6749-3.1-e", "elsewhere", ""},
		{"RFC6749-3.1.1-a", "TestAuthorizeRefusals", ""},
		{"RFC6749-3.1.1-b", "TestAuthorizeRefusals", ""},
		{"RFC9700-2.1.2-a", "TestAuthorizeRefusals", ""},
		{"RFC6749-3.1.2-a", "TestCheckRedirectURI", ""},
		{"RFC6749-3.1.2-b", "TestAuthorizeAnswers", ""},
		{"RFC9700-2.1-a", "TestMatchRedirectURI", ""},
		{"RFC6749-3.1.2.3-a", "TestAuthorizeUnproven", ""},
		{"OIDCC-3.1.2.1-b", "TestAuthorizeUnproven", ""},
		{"RFC6749-3.1.2.2-a", "TestAuthorizeUnproven", ""},
		{"RFC6749-3.1.2.4-a", "TestAuthorizeUnproven", ""},
		{"RFC6749-4.1.2.1-a", "TestAuthorizeUnproven", ""},
		{"RFC6749-4.1.2.1-b", "TestAuthorizeRefusals", ""},
		{"RFC6749-4.1.2.1-c", "TestAuthorizeRefusals", ""},
		{"RFC6749-4.1.2.1-d", "TestAuthorizeRefusals", ""},
		{"RFC6749-4.1.2.1-e", "TestAuthorizeAnswers", ""},
		{"RFC6749-4.1.2-a", "TestAuthorizeAnswers", ""},
		{"RFC6749-4.1.2-b", "TestAuthorizeAnswers", ""},
		{"RFC6749-3.3-a", "TestAuthorizeAnswers", ""},
		{"RFC6749-3.3-b", "TestAuthorizeRefusals", ""},
		{"RFC6749-3.3-c", "TestAuthorizeAnswers", ""},
		{"RFC6749-3.3-d", "TestAuthorizeRefusals", ""},
		{"ASVS-10.4.11", "TestAuthorizeRefusals", ""},
		{"RFC9207-2-a", "TestAuthorizeAnswers", ""},
		{"RFC9207-2-b", "TestAuthorizeAnswers", ""},
		{"RFC6749-10.12-a", "elsewhere", "as B24"},
		{"RFC9700-4.16-a", "elsewhere", "as B27"},
		{"RFC9700-4.12-a", "elsewhere", ""},
		{"RFC9700-4.11.2-a", "TestUntrustedErrors", ""},
		{"RFC9700-2.6-a", "elsewhere", ""},
		{"RFC9700-2.6-b", "TestCheckRedirectURI", ""},
		{"RFC9700-4.2.4-a", "elsewhere", ""},
		{"OAUTH21-7.9-a", "later", "issue 6: the consent page names all, but a person cannot yet list and end connections"},
		{"RFC6749-10.2-a", "TestPublicAppsAreAskedForEveryTime", ""},
		{"OAUTH-FP-2", "TestResponseModes", ""},
	},
	"A2": { // code and token endpoint
		{"RFC6749-4.1.2-c", "TestToken", ""},
		{"RFC6749-4.1.2-d", "TestCodeReplay", ""},
		{"OAUTH21-4.1.3-a", "TestCodeUnderConcurrency", ""},
		{"RFC6749-4.1.2-e", "TestCodeReplay", ""},
		{"OAUTH21-7.5.2-a", "TestCodeReplay", ""},
		{"OAUTH21-4.1.3-b", "TestCodeReplay", ""},
		{"RFC6749-4.1.3-a", "TestToken", ""},
		{"RFC6749-4.1.3-b", "TestToken", ""},
		{"OAUTH21-10.2-a", "TestToken", ""},
		{"RFC6749-4.1.3-c", "TestClientAuthentication", ""},
		{"RFC6749-4.1.3-d", "TestClientAuthentication", ""},
		{"RFC6749-4.1.3-e", "TestClientAuthentication", ""},
		{"RFC6749-3.2-a", "elsewhere", "as B71"},
		{"RFC6749-3.2-b", "elsewhere", "as B70"},
		{"RFC6749-2.3.1-c", "TestClientAuthentication", ""},
		{"RFC6749-3.2-c", "TestToken", ""},
		{"RFC6749-5.1-a", "TestToken", ""},
		{"RFC6749-5.1-b", "elsewhere", "as no-store"},
		{"RFC6749-5.1-c", "TestToken", ""},
		{"RFC6749-5.2-a", "TestClientAuthentication", ""},
		{"RFC6749-5.2-b", "TestToken", ""},
		{"RFC6749-5.2-c", "TestToken", ""},
		{"RFC6749-5.2-d", "TestClientAuthentication", ""},
		{"RFC6749-5.2-e", "TestToken", ""},
		{"RFC6749-5.2-f", "TestTokenAndAStoreThatFails", ""},
		{"RFC6749-4.4-a", "TestClientCredentials", ""},
		{"RFC6749-4.4.3-a", "TestClientCredentials", ""},
		{"RFC9700-2.4-a", "TestToken", ""},
		{"RFC6749-10.10-a", "TestAuthorizeAnswers", ""},
		{"RFC6749-10.3-a", "TestStoreHoldsNoCredential", ""},
		{"RFC6749-A.12", "elsewhere", ""},
		{"SYM-GRANT-1", "TestCodeAfterEvents", ""},
		{"SYM-GRANT-2", "TestTokenAndAStoreThatFails", ""},
	},
	"A3": { // PKCE
		{"RFC7636-4.6-a", "TestPKCE", ""},
		{"RFC7636-4.6-b", "TestPKCE", ""},
		{"RFC9700-4.8.2-a", "TestPKCE", ""},
		{"OAUTH21-4.1.2.1-a", "TestPKCE", ""},
		{"RFC7636-4.2-a", "TestPKCE", ""},
		{"RFC7636-4.3-a", "TestPKCE", ""},
		{"RFC7636-4.4.1-a", "TestPKCE", ""},
		{"FAPI2-PKCE-a", "TestPKCE", ""},
		{"RFC7636-4.1-a", "TestPKCE", ""},
		{"RFC7636-4.2-b", "TestPKCE", ""},
		{"RFC7636-4.4-a", "TestAuthorizeAnswers", ""},
		{"RFC9700-2.1.1-a", "elsewhere", ""},
		{"RFC7636-4.6-c", "TestPKCE", ""},
	},
	"A4": { // client authentication
		{"RFC6749-2.3.1-a", "TestClientAuthentication", ""},
		{"RFC6749-2.3.1-b", "TestClientAuthentication", ""},
		{"RFC6749-2.3.1-d", "TestClientAuthentication", ""},
		{"RFC6749-2.3.1-e", "TestGuessing", ""},
		{"RFC6749-2.3-a", "TestClientAuthentication", ""},
		{"RFC7591-2-auth", "TestRegisteredMethod", ""},
		{"OAUTH21-8.1-a", "TestPublicAppsAreAskedForEveryTime", ""},
		{"RFC6749-2.3.1-f", "TestClientAuthentication", ""},
		{"SYM-AUTH-1", "TestWrongSecretIsCheap", ""},
		{"RFC7523-2.2-a", "TestAssertion", ""},
		{"RFC7523-3-a", "TestAssertion", ""},
		{"RFC7523-3-b", "TestAssertion", ""},
		{"RFC9126-2-aud", "TestAssertion", ""},
		{"FAPI2-AUD-a", "TestRulesOfFAPI2", ""},
		{"RFC7523-3-c", "TestAssertion", ""},
		{"RFC7523-3-d", "TestAssertion", ""},
		{"OIDCC-9-a", "TestAssertionReplay", ""},
		{"RFC7523-3-e", "TestAssertion", ""},
		{"OIDCC-10.1-a", "TestKeysURI", ""},
		{"RFC7517-4.5", "elsewhere", ""},
		{"RFC7523BIS-typ", "TestAssertion", ""},
		{"RFC8705-2", "TestSelfSignedCertificate", ""},
	},
	"A5": { // refresh tokens
		{"RFC6749-6-a", "TestRefresh", ""},
		{"RFC6749-6-b", "TestRefresh", ""},
		{"RFC6749-6-c", "TestRefresh", ""},
		{"RFC6749-6-d", "TestRefresh", ""},
		{"RFC9700-4.14.2-a", "TestRotation", ""},
		{"RFC9700-4.14.2-b", "TestRotation", ""},
		{"SYM-RT-1", "TestRefreshUnderConcurrency", ""},
		{"SYM-RT-2", "TestRotation", ""},
		{"SYM-RT-3", "TestRotation", ""},
		{"SYM-RT-4", "TestRotation", ""},
		{"SYM-RT-5", "TestRefreshAndAStoreThatFails", ""},
		{"SYM-RT-6", "TestRefreshUnderConcurrency", ""},
		{"RFC6749-6-e", "TestRefreshExpiry", ""},
		{"RFC9700-4.14.2-c", "TestRefreshExpiry", ""},
		{"RFC9700-4.14.2-d", "TestRefreshAfterTheEnd", ""},
		{"OAUTH21-4.3.1-a", "TestRefreshAfterTheEnd", ""},
		{"OIDCC-12.2-a", "TestRefreshedIDToken", ""},
		{"OIDCC-11-a", "TestStandardAuthorize", ""},
		{"RFC6749-10.4-a", "TestRefresh", ""},
		{"RFC9449-5-rt", "TestBoundRefresh", ""},
	},
	"A6": { // OpenID Connect: the request
		{"OIDCC-3.1.2.1-c", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-d", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-e", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-f", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.6-a", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-g", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-h", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-i", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-j", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-k", "TestMaxAge", ""},
		{"OIDCC-3.1.2.1-l", "TestMaxAge", ""},
		{"OIDCC-3.1.2.1-m", "TestMaxAge", ""},
		{"OIDCC-3.1.2.1-n", "TestHintedPerson", ""},
		{"OIDCC-3.1.2.1-o", "TestHintedPerson", ""},
		{"OIDCC-3.1.2.1-p", "elsewhere", ""},
		{"OIDCC-3.1.2.1-q", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.1-r", "TestClaimsParameter", ""},
		{"OIDCC-5.5.1.1-a", "TestClaimsParameter", ""},
		{"OIDCC-5.5-a", "TestClaimsParameter", ""},
		{"OIDCC-5.5-b", "TestHintedPerson", ""},
		{"OIDCC-6.1-a", "TestRequestObjectSignsIn", ""},
		{"OIDCC-4-a", "TestOpenIDRules", ""},
		{"OIDCC-3.1.2.3-a", "elsewhere", "as B24"},
		{"OIDCC-3.1.2.3-b", "TestOpenIDRequest", ""},
		{"OIDCC-3.1.2.4-a", "TestOpenIDRequest", ""},
	},
	"A7": { // ID token, claims, userinfo
		{"OIDCC-2-a", "elsewhere", ""},
		{"OIDCC-2-b", "elsewhere", ""},
		{"OIDCC-2-c", "elsewhere", ""},
		{"OIDCC-2-d", "elsewhere", ""},
		{"OIDCC-2-e", "TestIDTokenFailures", ""},
		{"OIDCC-10.1-b", "elsewhere", ""},
		{"OIDCC-3.1.3.6-a", "elsewhere", ""},
		{"OIDCC-2-f", "elsewhere", ""},
		{"OIDCC-5.4-a", "elsewhere", ""},
		{"OIDCC-5.1-a", "elsewhere", ""},
		{"OIDCC-5.3.1-a", "elsewhere", ""},
		{"OIDCC-5.3.1-b", "elsewhere", ""},
		{"OIDCC-5.3.2-a", "TestUserinfo", ""},
		{"OIDCC-5.3.2-b", "elsewhere", ""},
		{"OIDCC-5.3.3-a", "TestUserinfo", ""},
		{"OIDCC-5.3-a", "TestUserinfo", ""},
		{"OIDCC-5.3-b", "TestUserinfo", ""},
		{"OIDCC-8.1-a", "TestPairwiseSubjects", ""},
		{"OIDCC-8.1-b", "TestSectorURI", ""},
		{"OIDCC-5.7-a", "TestSubjectIsNeverGivenAgain", ""},
		{"OIDCC-10.1.1-a", "elsewhere", ""},
		{"OIDCC-16-a", "elsewhere", ""},
	},
	"A9": { // bearer tokens
		{"RFC6750-2.1-a", "elsewhere", ""},
		{"RFC6750-2.3-a", "elsewhere", ""},
		{"RFC6750-2-a", "elsewhere", ""},
		{"RFC6750-3-a", "TestInfo", ""},
		{"RFC6750-3.1-a", "TestInfo", ""},
		{"RFC6750-3-b", "elsewhere", ""},
		{"RFC9068-2.1-a", "TestJWTAccessTokens", ""},
		{"RFC9068-2.2-a", "TestJWTAccessTokens", ""},
		{"RFC9068-2.2-b", "TestClientCredentials", ""},
		{"RFC9068-2.2.3-a", "TestJWTAccessTokens", ""},
		{"RFC9068-3-a", "TestResources", ""},
		{"RFC9068-5-a", "TestKindsOfTokens", ""},
		{"RFC9068-6-a", "TestJWTAccessTokens", ""},
		{"RFC8707-2-a", "TestAuthorizeRefusals", ""},
		{"RFC8707-2-b", "TestResources", ""},
		{"RFC8707-2-c", "TestResources", ""},
		{"RFC8707-2-d", "TestResources", ""},
		{"MCP-RES-a", "TestResources", ""},
		{"RFC9700-2.3-a", "TestInfo", ""},
	},
	"A8": { // metadata and keys
		{"OIDCD-4-a", "elsewhere", ""},
		{"RFC8414-3-a", "elsewhere", ""},
		{"MCP-DISC-a", "elsewhere", ""},
		{"RFC8414-3.3-a", "elsewhere", ""},
		{"RFC8414-2-a", "elsewhere", ""},
		{"OIDCD-3-a", "elsewhere", ""},
		{"OIDCD-3-b", "elsewhere", ""},
		{"RFC8414-2-b", "elsewhere", ""},
		{"RFC8414-2-c", "elsewhere", ""},
		{"RFC9207-3-a", "elsewhere", ""},
		{"RFC8414-3.2-a", "elsewhere", ""},
		{"OIDCC-10.1-c", "elsewhere", ""},
		{"SYM-META-1", "elsewhere", ""},
		{"SYM-META-2", "elsewhere", ""},
		{"SYM-META-3", "elsewhere", ""},
	},
	"A10": { // revocation and introspection
		{"RFC7009-2.1-a", "TestRevoke", ""},
		{"RFC7009-2.2-a", "TestRevoke", ""},
		{"RFC7009-2.1-b", "TestRevoke", ""},
		{"RFC7009-2.1-c", "TestRevoke", ""},
		{"RFC7009-2.1-d", "TestRevoke", ""},
		{"RFC7009-2.1-e", "TestRevoke", ""},
		{"RFC7009-2.1-f", "TestRevoke", ""},
		{"RFC7009-2.2.1-a", "TestRevoke", ""},
		{"RFC7009-2-a", "TestRevoke", ""},
		{"RFC7009-2.1-g", "TestRevoke", ""},
		{"RFC7662-2.1-a", "TestIntrospect", ""},
		{"RFC7662-2.2-a", "TestIntrospect", ""},
		{"RFC7662-2.2-b", "TestIntrospect", ""},
		{"RFC7662-2.2-c", "TestIntrospect", ""},
		{"RFC7662-4-a", "TestIntrospect", ""},
		{"RFC7662-4-b", "TestIntrospect", ""},
		{"RFC9449-6.2-a", "TestIntrospect", ""},
		{"RFC7662-4-c", "TestIntrospect", ""},
	},
	"A11": { // native apps
		{"RFC8252-7.3-a", "TestNativeApps", ""},
		{"RFC8252-7.3-b", "TestNativeApps", ""},
		{"RFC8252-7.3-c", "TestNativeApps", ""},
		{"RFC8252-8.3-a", "TestNativeApps", ""},
		{"RFC8252-7.1-a", "TestNativeApps", ""},
		{"RFC8252-7.1-b", "TestNativeApps", ""},
		{"RFC8252-7.2-a", "TestNativeApps", ""},
		{"RFC8252-8.5-a", "TestNativeApps", ""},
		{"RFC8252-8.4-a", "TestNativeApps", ""},
	},
	"A14": { // the device grant
		{"RFC8628-3.1-a", "TestDeviceAuthorization", ""},
		{"RFC8628-3.2-a", "TestDeviceAuthorization", ""},
		{"RFC8628-3.2-b", "elsewhere", ""},
		{"RFC8628-3.4-a", "TestDeviceToken", ""},
		{"RFC8628-3.5-a", "TestDeviceToken", ""},
		{"RFC8628-3.5-b", "TestDeviceToken", ""},
		{"RFC8628-3.5-c", "TestDeviceToken", ""},
		{"RFC8628-5.1-a", "TestDeviceAnswer", ""},
		{"RFC8628-5.2-a", "TestDeviceAuthorization", ""},
		{"RFC8628-6.1-a", "TestDeviceAnswer", ""},
		{"RFC8628-5.4-a", "elsewhere", ""},
		{"RFC8628-3.3-a", "TestDeviceToken", ""},
		{"RFC8628-4-a", "elsewhere", ""},
	},
	"A15": { // dynamic registration
		{"RFC7591-3-a", "TestRegister", ""},
		{"RFC7591-3.2.1-a", "TestRegister", ""},
		{"RFC7591-3.2.2-a", "TestRegistrationRules", ""},
		{"RFC7591-2-a", "TestRegistrationRules", ""},
		{"RFC7591-2-b", "TestRegister", ""},
		{"RFC7591-3-b", "TestRegistrationFlood", ""},
		{"RFC7591-5-a", "TestDocumentApp", ""},
		{"OIDCR-2-a", "TestRegistrationRules", ""},
		{"OIDCR-2-b", "TestRegisteredLinks", ""},
		{"RFC7591-2-c", "TestRegistrationRules", ""},
		{"RFC7591-3.1.1-a", "TestRegistrationRules", ""},
		{"RFC7592-2.1-a", "TestReadRegistration", ""},
		{"RFC7592-2.2-a", "TestReregister", ""},
		{"RFC7592-2.3-a", "TestUnregister", ""},
		{"RFC7592-3-a", "TestReadRegistration", ""},
		{"RFC7591-5-b", "TestRegisteredNames", ""},
	},
	"A16": { // MCP and client ID metadata documents
		{"MCP-2025-06-a", "elsewhere", ""},
		{"MCP-2025-11-a", "elsewhere", ""},
		{"MCP-2025-06-d", "TestDocumentApp", ""},
		{"MCP-2025-11-b", "TestDocumentApp", ""},
		{"MCP-2025-11-c", "elsewhere", ""},
		{"MCP-2026-07-b", "TestRegistrationRules", ""},
		{"CIMD-3-a", "TestDocumentURLs", ""},
		{"CIMD-5-a", "elsewhere", ""},
		{"CIMD-4-a", "TestDocuments", ""},
		{"CIMD-4-b", "TestDocuments", ""},
		{"CIMD-4-c", "TestDocumentApp", ""},
		{"CIMD-5.2-a", "elsewhere", ""},
		{"CIMD-8.6-a", "elsewhere", ""},
		{"CIMD-8-a", "TestStrangersFetchNothing", ""},
		{"CIMD-8-b", "TestChangedDocument", ""},
		{"RFC9728-4-a", "elsewhere", ""},
		{"RFC9728-5.1-a", "elsewhere", ""},
	},
	"A17": { // logout
		{"RPL-2-a", "elsewhere", ""},
		{"RPL-2-b", "TestLogout", ""},
		{"RPL-2-c", "TestLogout", ""},
		{"RPL-2-d", "TestLogout", ""},
		{"RPL-3-a", "TestLogout", ""},
		{"RPL-2-e", "TestLogoutHint", ""},
		{"RPL-2-f", "TestLogoutHint", ""},
		{"RPL-2-g", "TestLogoutHint", ""},
		{"RPL-6-a", "TestLogout", ""},
		{"RPL-4-a", "TestLogout", ""},
		{"BCL-2.1-a", "elsewhere", ""},
		{"BCL-2.4-a", "elsewhere", ""},
		{"BCL-2.5-a", "TestSignOut", ""},
		{"BCL-2.5-b", "elsewhere", ""},
		{"BCL-2.7-a", "TestSignOut", ""},
		{"BCL-2.4-b", "TestSignOut", ""},
	},
	"A19": { // token exchange, step-up
		{"RFC8693-2.1-a", "TestExchange", ""},
		{"RFC8693-2.2-a", "TestExchange", ""},
		{"RFC8693-2.2.2-a", "TestExchange", ""},
		{"RFC8693-D", "TestExchange", ""},
		{"RFC8693-4.1-a", "TestExchange", ""},
		{"RFC9470-6-a", "TestStepUpTokens", ""},
		{"RFC9470-7-a", "elsewhere", ""},
	},
	"A12": { // pushed and signed requests
		{"RFC9126-2.1-a", "TestPush", ""},
		{"RFC9126-2.2-a", "TestPush", ""},
		{"RFC9126-2.1-b", "TestPush", ""},
		{"RFC9126-2.1-c", "TestPush", ""},
		{"RFC9126-2.2-b", "TestPushedRequest", ""},
		{"RFC9126-4-a", "TestPushedRequest", ""},
		{"RFC9126-4-b", "TestPushedRequest", ""},
		{"RFC9126-4-c", "TestPushedRequest", ""},
		{"RFC9126-5-a", "TestRequirePAR", ""},
		{"RFC9126-2.4-a", "TestPush", ""},
		{"RFC9126-2.3-a", "TestPush", ""},
		{"RFC9101-5-a", "TestRequestObject", ""},
		{"RFC9101-6.2-a", "TestRequestObject", ""},
		{"RFC9101-6.3-a", "TestRequestObject", ""},
		{"RFC9101-4-a", "TestRequestObject", ""},
		{"RFC9101-10.4-a", "TestFetchedRequestObject", ""},
		{"RFC9101-10.5-a", "TestRequireSigned", ""},
	},
	"A13": { // DPoP
		{"RFC9449-4.3-1", "TestProof", ""},
		{"RFC9449-4.3-2", "TestProof", ""},
		{"RFC9449-4.3-3", "TestProof", ""},
		{"RFC9449-4.3-4", "TestProof", ""},
		{"RFC9449-4.3-5", "TestProof", ""},
		{"RFC9449-11.1-a", "TestProofReplayAtAnotherNode", ""},
		{"RFC9449-4.3-6", "TestProof", ""},
		{"RFC9449-5-a", "elsewhere", ""},
		{"RFC9449-5.2-a", "TestBoundRefresh", ""},
		{"RFC9449-7.1-a", "TestBoundToken", ""},
		{"RFC9449-8-a", "TestNonce", ""},
		{"RFC9449-10-a", "TestCodeBoundToKey", ""},
		{"RFC9449-10.1-a", "TestCodeBoundToKey", ""},
		{"RFC9449-5.1-a", "elsewhere", ""},
		{"RFC9449-8.2-a", "elsewhere", ""},
		{"RFC9449-4.3-7", "elsewhere", ""},
	},
	"A18": { // FAPI 2.0 Security Profile
		{"FAPI2-5.3.2.1-a", "TestRulesOfFAPI2", ""},
		{"FAPI2-5.3.2.1-b", "TestRulesOfFAPI2", ""},
		{"FAPI2-5.3.2.1-c", "TestRulesOfFAPI2", ""},
		{"FAPI2-5.3.2.1-d", "TestFAPI2", ""},
		{"FAPI2-5.3.2.2-a", "TestRulesOfFAPI2", ""},
		{"FAPI2-5.3.2.2-b", "TestRulesOfFAPI2", ""},
		{"FAPI2-5.3.2.2-c", "TestFAPI2", ""},
		{"FAPI2-5.4-a", "TestRulesOfFAPI2", ""},
		{"FAPI2-5.2-a", "elsewhere", ""},
		{"FAPI2-MSG-a", "TestSignedRequestOfFAPI2", ""},
	},
	"A20": { // browser clients, HTTP hygiene
		{"BBA-CORS-a", "elsewhere", ""},
		{"BBA-CORS-b", "TestOrigins", ""},
		{"SYM-HTTP-1", "elsewhere", ""},
		{"SYM-HTTP-2", "elsewhere", ""},
		{"SYM-HTTP-3", "elsewhere", ""},
		{"SYM-HTTP-4", "elsewhere", ""},
		{"SYM-HTTP-5", "elsewhere", ""},
		{"SYM-HTTP-6", "elsewhere", ""},
		{"SYM-LOG-1", "elsewhere", ""},
		{"SYM-AUD-1", "later", "issue 6: the log that explains; today a log that blocks never holds a request"},
	},
	"B": { // attacks 1 to 65
		{"B1", "TestCodeReplay", ""}, {"B2", "TestCodeUnderConcurrency", ""}, {"B3", "TestCodeUnderConcurrency", ""}, {"B4", "TestCodeReplay", ""},
		{"B5", "TestCodeReplay", ""}, {"B6", "TestCodeReplay", ""}, {"B7", "TestCodeAfterEvents", ""},
		{"B8", "elsewhere", "as RFC9207-2"},
		{"B9", "TestMatchRedirectURI", ""}, {"B10", "TestMatchRedirectURI", ""}, {"B11", "TestLoopbackRedirectURI", ""}, {"B12", "TestMatchRedirectURI", ""},
		{"B13", "TestMatchRedirectURI", ""}, {"B14", "TestMatchRedirectURI", ""}, {"B15", "TestLoopbackRedirectURI", ""}, {"B16", "TestLoopbackRedirectURI", ""},
		{"B17", "TestMatchRedirectURI", ""}, {"B18", "TestCheckRedirectURI", ""}, {"B19", "TestAuthorizeUnproven", ""},
		{"B20", "elsewhere", ""},
		{"B21", "TestPKCE", ""}, {"B22", "TestAuthorizeRefusals", ""}, {"B23", "TestCodeReplay", ""},
		{"B24", "elsewhere", ""}, {"B25", "elsewhere", ""}, {"B26", "elsewhere", ""}, {"B27", "elsewhere", ""}, {"B28", "elsewhere", ""},
		{"B29", "TestUntrustedErrors", ""},
		{"B30", "TestBrowserFlow", ""}, {"B31", "TestBrowserFlow", ""},
		{"B32", "elsewhere", ""},
		{"B33", "TestBrowserFlow", ""},
		{"B34", "elsewhere", ""}, {"B35", "elsewhere", ""},
		{"B36", "elsewhere", ""},
		{"B37", "TestIntrospect", ""},
		{"B38", "TestRotation", ""}, {"B39", "TestRefreshUnderConcurrency", ""}, {"B40", "TestRotation", ""}, {"B41", "TestRotation", ""},
		{"B42", "TestRefreshUnderConcurrency", ""}, {"B43", "TestRotation", ""}, {"B44", "TestRotation", ""}, {"B45", "TestRefresh", ""},
		{"B46", "TestRevoke", ""},
		{"B47", "TestIntrospect", ""},
		{"B48", "TestIntrospect", ""},
		{"B49", "elsewhere", ""},
		{"B50", "TestClientAuthentication", ""},
		{"B51", "elsewhere", ""}, {"B52", "elsewhere", ""}, {"B53", "elsewhere", ""},
		{"B54", "TestWrongSecretIsCheap", ""},
		{"B55", "TestAssertion", ""}, {"B56", "TestAssertion", ""}, {"B57", "TestAssertion", ""},
		{"B58", "TestAssertion", ""}, {"B59", "TestAssertion", ""}, {"B60", "elsewhere", ""},
		{"B61", "TestAssertion", ""}, {"B62", "TestAssertionReplay", ""}, {"B63", "TestAssertion", ""}, {"B64", "TestProofReplay", ""}, {"B65", "TestProof", ""},
	},
}

// sizes are how many rows each group of the ledger has: one that is forgotten
// shows.
var sizes = map[string]int{"A1": 40, "A2": 33, "A3": 13, "A4": 22, "A5": 20, "A6": 25, "A7": 22, "A9": 19, "A12": 17, "A13": 16, "A8": 15, "A10": 18, "A11": 9, "A14": 13, "A15": 16, "A16": 17, "A17": 16, "A18": 10, "A19": 7, "A20": 10, "B": 65}

func TestLedger(t *testing.T) {
	named := make(map[string]map[string]bool) // test → the names and comments in it
	for _, file := range source(t, token.NewFileSet(), true) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			words := make(map[string]bool)
			for _, id := range identifier.FindAllString(f.Doc.Text(), -1) {
				words[id] = true
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						words[strings.SplitN(s, " ", 2)[0]] = true
					}
				}
				return true
			})
			named[f.Name.Name] = words
		}
	}
	elsewhere := readElsewhere(t)
	for group, want := range sizes {
		rows := ledger[group]
		if len(rows) != want {
			t.Errorf("group %s has %d rows here and %d in the ledger", group, len(rows), want)
		}
		seen := make(map[string]bool)
		for i, r := range rows {
			if seen[r.id] {
				t.Errorf("%s stands twice in group %s", r.id, group)
			}
			seen[r.id] = true
			if group == "B" && r.id != "B"+strconv.Itoa(i+1) {
				t.Errorf("attack %d is called %s", i+1, r.id)
			}
			switch {
			case r.where == "later":
				if !regexp.MustCompile(`^issue \d: `).MatchString(r.note) {
					t.Errorf("%s is for later, and its note names no issue: %q", r.id, r.note)
				}
			case r.where == "elsewhere":
				name, _ := strings.CutPrefix(r.note, "as ")
				if name == "" {
					name = r.id
				}
				if !regexp.MustCompile(regexp.QuoteMeta(name) + `\.?($|[^0-9A-Za-z.-])`).MatchString(elsewhere) {
					t.Errorf("%s is tested in another package, but no test there names %s", r.id, name)
				}
			case named[r.where] == nil:
				t.Errorf("%s is tested by %s, which is not there", r.id, r.where)
			case !named[r.where][r.id]:
				t.Errorf("%s does not name %s, which it is said to test", r.where, r.id)
			}
		}
	}
}

var identifier = regexp.MustCompile(`[A-Z][A-Za-z0-9]*(-[A-Za-z0-9.]*[A-Za-z0-9])+|B[0-9]+`)

// readElsewhere returns the tests of the other packages.
func readElsewhere(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"../*_test.go", "../[a-np-z]*/*_test.go", "../oidc/*_test.go", "../cmd/symbolon/*_test.go", "../cmd/symbolon/testdata/*.txt*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}
