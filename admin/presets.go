package admin

import "strings"

// Preset is what a platform is known to need of its app.
type Preset struct {
	// ID names it in addresses; its name is a trade name, the same in every language.
	ID, Name string
	// RedirectURIs are its callback URLs. A part in braces is the developer's own, which
	// the platform shows them.
	RedirectURIs []string
	// Auth is how it proves itself, by its name of RFC 7591, or AuthSecret where either
	// place will do. Public says that it has no secret.
	Auth   string
	Public bool
	// PKCE says that it always sends a code challenge, so that one may be asked for.
	PKCE bool
}

// Presets are the platforms whose needs are known. The last one is no platform.
var Presets = []Preset{
	{ID: "make", Name: "Make", Auth: AuthSecret, RedirectURIs: []string{"https://www.make.com/oauth/cb/app", "https://www.integromat.com/oauth/cb/app"}},
	{ID: "zapier", Name: "Zapier", Auth: AuthSecret, RedirectURIs: []string{"https://zapier.com/dashboard/auth/oauth/return/{App…CLIAPI}/"}},
	{ID: "n8n", Name: "n8n", Auth: AuthSecret, RedirectURIs: []string{"https://{host}/rest/oauth2-credential/callback"}},
	{ID: "power-automate", Name: "Power Automate", Auth: AuthSecret, RedirectURIs: []string{"https://global.consent.azure-apim.net/redirect/{connector}"}},
	{ID: "pipedream", Name: "Pipedream", Auth: AuthSecret, RedirectURIs: []string{"https://api.pipedream.com/connect/oauth/{oa_id}/callback"}},
	{ID: "claude", Name: "Claude", Auth: AuthSecret, PKCE: true, RedirectURIs: []string{"https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"}},
	{ID: "chatgpt", Name: "ChatGPT", Auth: AuthSecret, RedirectURIs: []string{"https://chatgpt.com/connector_platform_oauth_redirect", "https://chatgpt.com/aip/{g-id}/oauth/callback"}},
	{ID: "postman", Name: "Postman", Auth: AuthSecret, RedirectURIs: []string{"https://oauth.pstmn.io/v1/callback"}},
	{ID: "custom", Auth: AuthSecret},
}

// PresetOf returns the preset with an id, or the last one.
func PresetOf(id string) Preset {
	for _, p := range Presets {
		if p.ID == id {
			return p
		}
	}
	return Presets[len(Presets)-1]
}

// Unfilled reports whether a redirect URI still has a part in braces, which is to be
// filled in.
func Unfilled(uri string) bool { return strings.ContainsAny(uri, "{}") }
