package oauth

import (
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// Resource is one of the owner's APIs, which tokens can be for (RFC 8707).
type Resource struct {
	// URI names it: an absolute URI without a fragment.
	URI string
	// Name is what the consent page calls it.
	Name string
	// Scopes are those that mean something there; empty means all.
	Scopes symbolon.Scopes
	// Token is the format of the access tokens that are for it.
	Token symbolon.TokenFormat
}

// maxResource bounds all resources of a request together, which stand in every
// token, and a token stands in a header. In bytes.
const maxResource = 2000

// ScopeOffline is what clients ask for to get a refresh token (OpenID Connect
// Core §11). Every app gets one anyhow, so it changes nothing; it stays in the
// scope, since some clients compare what they got with what they asked for.
const ScopeOffline = "offline_access"

// mayHave returns the scopes that an app may have.
func mayHave(app *symbolon.App) symbolon.Scopes {
	if app.Scope.Has(ScopeOffline) || !app.MayUse(symbolon.GrantRefresh) {
		return app.Scope
	}
	return append(slices.Clip(app.Scope), ScopeOffline)
}

// target checks the resources of a request and returns each as it is
// registered. An app may ask for those that it is registered for, or else for
// those that the server knows, or else for any (docs/divergences.md).
func (e *Engine) target(app *symbolon.App, asked []string) ([]string, error) {
	var list []string
	total := 0
	for _, text := range asked {
		if text == "" {
			continue // RFC 6749 §3.1: as if it were left out
		}
		if total += len(text); total > maxResource {
			return nil, refuse(InvalidTarget, "The resources are longer than 2000 bytes together.")
		}
		// RFC 8707 §2: an absolute URI without a fragment.
		uri, ok := canonical(text)
		if !ok {
			return nil, refuse(InvalidTarget, "A resource must be an absolute URI without a fragment.")
		}
		if e.isAdmin(uri) {
			// adminTarget says who may have it.
			uri = e.adminResource()
		} else if e.declares(app) {
			known := app.Settings.Resources
			if len(known) == 0 {
				for _, r := range e.cfg.Resources {
					known = append(known, r.URI)
				}
			}
			i := slices.IndexFunc(known, func(k string) bool { return sameResource(k, text) })
			if i < 0 {
				return nil, refuse(InvalidTarget, "A resource is none that this app may ask tokens for.")
			}
			uri = known[i]
		}
		if !slices.Contains(list, uri) {
			list = append(list, uri)
		}
	}
	return list, nil
}

// stillTargets returns those of the granted resources that the app may ask for
// now.
func (e *Engine) stillTargets(app *symbolon.App, granted []string) []string {
	if !e.declares(app) {
		return granted
	}
	return slices.DeleteFunc(slices.Clone(granted), func(uri string) bool {
		_, err := e.target(app, []string{uri})
		return err != nil
	})
}

// declares reports whether it was said which resources an app may ask for.
func (e *Engine) declares(app *symbolon.App) bool {
	return len(app.Settings.Resources) > 0 || len(e.cfg.Resources) > 0
}

// canonical returns the one spelling of a resource: scheme and host in lower
// case, no default port, no slash alone as path.
func canonical(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() || strings.Contains(text, "#") || u.User != nil {
		return "", false
	}
	if u.Host == "" {
		return text, u.Opaque != "" // a URN, say
	}
	u.Host = strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	if u.Path == "/" {
		u.Path, u.RawPath = "", ""
	}
	return u.String(), true
}

// sameResource reports whether two texts name one resource. Clients add and drop a
// final slash, and no owner means two APIs by that.
func sameResource(a, b string) bool {
	one, ok1 := canonical(a)
	two, ok2 := canonical(b)
	return ok1 && ok2 && strings.TrimSuffix(one, "/") == strings.TrimSuffix(two, "/")
}

// CheckResource reports whether a text may name a resource. The error, of kind
// Invalid, says why not.
func CheckResource(text string) error {
	const op = "resource"
	_, ok := canonical(text)
	switch {
	case len(text) > maxResource:
		return symbolon.Errorf(symbolon.Invalid, op, "it must have at most %d characters", maxResource)
	case !clean(text) || strings.Contains(text, " "):
		return symbolon.Errorf(symbolon.Invalid, op, "it has a space or another character that must be percent-encoded")
	case !ok: // RFC 8707 §2
		return symbolon.Errorf(symbolon.Invalid, op, "it must be an absolute URI without a user or a fragment (#), such as https://api.example.com")
	}
	return nil
}

// narrow returns the grant of an access token: for the resources that are asked
// for now, among those that were granted (RFC 8707 §2.2), with those of the scopes
// that mean something there, and those of the authorization details that are
// asked for (RFC 9396 §6).
func (e *Engine) narrow(c *caller, g symbolon.Grant, scope symbolon.Scopes, req *TokenRequest) (symbolon.Grant, error) {
	list, err := e.target(c.app, req.Resource)
	if err != nil {
		return g, storeError(err).from(c.app.ID)
	}
	for _, uri := range list {
		if len(g.Resource) > 0 && !slices.Contains(g.Resource, uri) {
			return g, c.no(InvalidTarget, "A resource was not among those of the authorization request.")
		}
	}
	// Some clients send a resource here of which they said nothing before, and
	// mean nothing by it; where no API is declared it changes nothing.
	if len(list) > 0 && (len(g.Resource) > 0 || e.declares(c.app)) {
		g.Resource = list
	}
	// An owner who takes an API from the app takes it from its tokens as well; and
	// what is exchanged is for no API that the caller may not ask for.
	had := len(g.Resource) > 0
	if g.Resource = e.stillTargets(c.app, g.Resource); had && len(g.Resource) == 0 {
		return g, c.no(InvalidTarget, "The app may not, or no longer, have tokens for the resource that was granted.")
	}
	if g.Scope = e.meaningful(scope, g.Resource); len(g.Scope) == 0 {
		return g, c.no(InvalidScope, "None of the scopes means anything at the resource that is asked for.")
	}
	if err := e.adminTarget(c.app, g.Scope, g.Resource); err != nil {
		return g, storeError(err).from(c.app.ID)
	}
	if req.Details != "" {
		g.Details, err = e.fewerDetails(c, g.Details, req.Details)
	}
	return g, err
}

// meaningful returns those of the scopes that mean something at one of the
// resources.
func (e *Engine) meaningful(scope symbolon.Scopes, resources []string) symbolon.Scopes {
	if slices.ContainsFunc(resources, e.isAdmin) {
		return scope.Within(symbolon.Scopes{ScopeAdmin, ScopeApps, ScopeOffline})
	}
	scope = withoutAdmin(scope)
	var known symbolon.Scopes
	for _, uri := range resources {
		r := e.resource(uri)
		if r == nil || len(r.Scopes) == 0 {
			return scope
		}
		known = known.With(r.Scopes)
	}
	if known == nil {
		return scope
	}
	return scope.Within(known.With(symbolon.Scopes{ScopeOffline}))
}

// resource returns the owner's API with this URI, or nil.
func (e *Engine) resource(uri string) *Resource {
	for i := range e.cfg.Resources {
		if e.cfg.Resources[i].URI == uri {
			return &e.cfg.Resources[i]
		}
	}
	// An app's settings may spell it in another way.
	for i := range e.cfg.Resources {
		if sameResource(e.cfg.Resources[i].URI, uri) {
			return &e.cfg.Resources[i]
		}
	}
	return nil
}

// called returns what resources are called on the consent page: by the owner, or as
// they are.
func (e *Engine) called(resources []string) []string {
	var names []string
	for _, uri := range resources {
		name, _ := visible(uri, maxShown)
		if e.isAdmin(uri) {
			name = "the administration of this server"
		}
		if r := e.resource(uri); r != nil && r.Name != "" {
			name = r.Name
		}
		names = append(names, name)
	}
	return names
}

// format decides what the access tokens of an app for these resources look like:
// as the app's owner says; or as all of the resources want them; or sealed.
func (e *Engine) format(app *symbolon.App, resources []string) symbolon.TokenFormat {
	if f := app.Settings.Token; f != symbolon.TokenDefault {
		return f
	}
	for _, uri := range resources {
		if r := e.resource(uri); r == nil || r.Token != symbolon.TokenJWT {
			return symbolon.TokenSealed
		}
	}
	if len(resources) == 0 {
		return symbolon.TokenSealed
	}
	return symbolon.TokenJWT
}

// audience returns what a token is for: its resources, or the API that this
// server stands beside, which its own issuer stands for.
func (e *Engine) audience(g *symbolon.Grant) []string {
	if len(g.Resource) > 0 {
		return g.Resource
	}
	return []string{e.cfg.Issuer}
}

// meantForUs reports whether a token may be used at this server's own API: it
// names no resource, or the issuer is among them.
func (e *Engine) meantForUs(g *symbolon.Grant) bool {
	if len(g.Resource) == 0 {
		return true
	}
	return slices.ContainsFunc(g.Resource, func(uri string) bool { return sameResource(uri, e.cfg.Issuer) })
}
