package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// What apps may say of themselves, wherever they say it: in a client ID metadata
// document (document.go) or at dynamic registration (register.go). Nobody has
// checked any of it.

// metadata is what an app says of itself (RFC 7591 §2), as far as it counts
// here. What is not known is passed over.
type metadata struct {
	name, home, logo, policy, terms string
	redirectURIs                    []string
	// method is empty when nothing was said.
	method symbolon.AuthMethod
	// scope is nil when nothing was said.
	scope         symbolon.Scopes
	keys, keysURI string
	// native and web are application_type, when there is one (OpenID Connect
	// Registration §2).
	native, web                        bool
	boundTokens, tlsTokens, requirePAR bool
	more
}

const (
	// maxRedirectURIs bounds the redirect URIs of an app that registers itself.
	maxRedirectURIs = 20
	// maxAppName bounds its name, in characters.
	maxAppName = 80
	// maxMetadata bounds all that is kept of what it says, in bytes: it has to fit
	// into a client_id.
	maxMetadata = 2400
)

// metadataReader reads the fields of an object; the first fault is kept. It is a
// sentence whose subject is the field: "redirect_uris must be …".
type metadataReader struct {
	object map[string]any
	// implicit: the server offers tokens by the browser.
	implicit bool
	refusal  Refusal
	why      string
}

func (r *metadataReader) fail(refusal Refusal, why string) {
	if r.why == "" {
		r.refusal, r.why = refusal, why
	}
}

// text reads a string; null counts as absent.
func (r *metadataReader) text(name string) string {
	switch v := r.object[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		r.fail(InvalidClientMetadata, name+" must be a string.")
		return ""
	}
}

// list reads a list of strings, and reports whether it is there.
func (r *metadataReader) list(name string) (list []string, there bool) {
	value, ok := r.object[name].([]any)
	if !ok {
		if r.object[name] != nil {
			r.fail(InvalidClientMetadata, name+" must be a list of strings.")
		}
		return nil, false
	}
	for _, item := range value {
		s, ok := item.(string)
		if !ok {
			r.fail(InvalidClientMetadata, name+" must be a list of strings.")
			return nil, true
		}
		list = append(list, s)
	}
	return list, true
}

func (r *metadataReader) flag(name string) bool {
	switch v := r.object[name].(type) {
	case nil:
		return false
	case bool:
		return v
	default:
		r.fail(InvalidClientMetadata, name+" must be true or false.")
		return false
	}
}

// link reads the URL of a page for people. One that is not https is passed over,
// so that nothing else can ever become a link.
func (r *metadataReader) link(name string) string {
	text := r.text(name)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(text) > 500 || !clean(text) {
		return ""
	}
	return u.String()
}

// readMetadata reads what counts of the metadata of an app. Algorithms and openID are
// those of readMore.
func (r *metadataReader) readMetadata(algorithms []string, openID bool) *metadata {
	m := &metadata{
		name:        appName(r.text("client_name")),
		home:        r.link("client_uri"),
		logo:        r.link("logo_uri"),
		policy:      r.link("policy_uri"),
		terms:       r.link("tos_uri"),
		method:      symbolon.AuthMethod(r.text("token_endpoint_auth_method")),
		boundTokens: r.flag("dpop_bound_access_tokens"),
		tlsTokens:   r.flag("tls_client_certificate_bound_access_tokens"),
		requirePAR:  r.flag("require_pushed_authorization_requests"),
	}
	r.readGrants(m)
	r.readRedirectURIs(m)
	r.readKeys(m)
	r.readMore(m, algorithms, openID)
	if text := r.text("scope"); text != "" {
		// RFC 7591 §2: a string of names separated by spaces. None of them is
		// granted by being named, so a broken one is passed over.
		m.scope = symbolon.Scopes{}
		for name := range strings.FieldsSeq(text) {
			if one, err := symbolon.ParseScopes(name); err == nil {
				m.scope = m.scope.With(one)
			}
		}
	}
	return m
}

// readGrants checks that what the app wants to do is what it may (RFC 7591
// §2.1). What else it names is dropped.
func (r *metadataReader) readGrants(m *metadata) {
	types, _ := r.list("response_types")
	if r.implicit && slices.ContainsFunc(types, func(t string) bool { return strings.Contains(t, "id_token") }) {
		// OpenID Connect Registration §2: these go with the grant implicit.
		for _, t := range types {
			if t != "code" && !(&AuthorizeRequest{ResponseType: t, Standard: true}).front().any() {
				r.fail(InvalidClientMetadata, "response_types must be of code, id_token and id_token token.")
			}
		}
		m.implicit = true
		return
	}
	if grants, there := r.list("grant_types"); there && !slices.Contains(grants, string(symbolon.GrantCode)) {
		r.fail(InvalidClientMetadata, "grant_types must have authorization_code: an app that registers itself gets tokens by that grant and by refresh_token only.")
	}
	if _, there := r.object["response_types"].([]any); there && !slices.Contains(types, "code") {
		r.fail(InvalidClientMetadata, "response_types must have code, the only one offered.")
	}
}

// readRedirectURIs reads the redirect URIs by the rules for the type of the app
// (OpenID Connect Registration §2).
func (r *metadataReader) readRedirectURIs(m *metadata) {
	kind := r.text("application_type")
	switch kind {
	case "", "web", "native":
		m.native, m.web = kind == "native", kind == "web"
	default:
		r.fail(InvalidClientMetadata, "application_type must be web or native.")
	}
	uris, _ := r.list("redirect_uris")
	if kind == "web" && mislabelled(uris) {
		kind, m.native, m.web = "native", true, false
	}
	switch {
	case len(uris) == 0:
		r.fail(InvalidRedirectURI, "redirect_uris is missing; it lists every address that codes may be sent to.")
	case len(uris) > maxRedirectURIs:
		r.fail(InvalidRedirectURI, "redirect_uris has more than 20 addresses.")
	}
	for _, uri := range uris {
		if err := CheckRedirectURI(uri); err != nil {
			r.fail(InvalidRedirectURI, "redirect_uris has an address that cannot be registered: "+detailOf(err)+".")
			return
		}
		u, err := url.Parse(uri)
		// Whoever says "web" gets the rule for it; whoever says nothing may be
		// native all the same (docs/divergences.md).
		if err != nil || kind == "web" && (u.Scheme != "https" || isLoopback(u.Hostname())) {
			r.fail(InvalidRedirectURI, "redirect_uris must be https and not on localhost for the application_type web; an app on the person's own computer is native.")
		}
		if !slices.Contains(m.redirectURIs, uri) {
			m.redirectURIs = append(m.redirectURIs, uri)
		}
	}
}

// mislabelled reports whether addresses are those of a native app, whatever it
// says that it is: a scheme of its own and this computer, as oidc-agent registers
// them under "web". RFC 7591 §2 lets a server put the right value in its place.
func mislabelled(uris []string) bool {
	own, here := false, false
	for _, uri := range uris {
		u, err := url.Parse(uri)
		switch {
		case err != nil:
			return false
		case u.Scheme == "http" && isLoopback(u.Hostname()):
			here = true
		case u.Scheme != "http" && u.Scheme != "https":
			own = true
		}
	}
	return own && here
}

// readKeys reads the app's own keys (RFC 7591 §2).
func (r *metadataReader) readKeys(m *metadata) {
	keys := r.object["jwks"]
	m.keysURI = r.text("jwks_uri")
	if keys != nil {
		text, err := json.Marshal(keys)
		if err == nil {
			_, err = jwt.ParseSet(text)
		}
		if err != nil {
			r.fail(InvalidClientMetadata, "jwks cannot be used: "+detailOf(err)+".")
		}
		m.keys = string(text)
	}
	if m.keysURI != "" {
		if !isAppURI(m.keysURI) {
			r.fail(InvalidClientMetadata, "jwks_uri must be an https URL without a fragment.")
		}
	}
	if m.keys != "" && m.keysURI != "" {
		r.fail(InvalidClientMetadata, "jwks and jwks_uri must not both be there.")
	}
	if m.method == symbolon.AuthKey && m.keys == "" && m.keysURI == "" {
		r.fail(InvalidClientMetadata, "jwks or jwks_uri must be there for the token_endpoint_auth_method private_key_jwt.")
	}
}

// detailOf returns what an error says, of characters that may stand in a
// description (RFC 6749 §5.2).
func detailOf(err error) string {
	if e, ok := err.(*symbolon.Error); ok {
		return strings.NewReplacer(`"`, "'", `\`, "/").Replace(e.Detail)
	}
	return "it is malformed"
}

// appName makes a name from outside fit to be kept, in at most 80 characters.
func appName(s string) string {
	name, _ := visible(s, maxAppName)
	return name
}

// visible makes text from outside fit to be shown: one line, nothing in it that
// cannot be seen or turns the text around it, at most so many characters. It
// reports whether there were more.
func visible(s string, most int) (text string, cut bool) {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case r == utf8.RuneError, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point):
			continue
		}
		if n++; n > most {
			return b.String(), true
		}
		if space {
			b.WriteByte(' ')
			space = false
			n++
		}
		b.WriteRune(r)
	}
	return b.String(), false
}

// app returns the app that says this of itself. Scopes are capped to what such
// apps may have: all of that, when it names none.
func (m *metadata) app(cfg *Config, id symbolon.ClientID, clientID string, now time.Time) symbolon.App {
	a := symbolon.App{
		ID:           id,
		Name:         m.name,
		Home:         m.home,
		Public:       m.method == symbolon.AuthNone,
		RedirectURIs: m.redirectURIs,
		Scope:        cfg.RegistrationScopes,
		Rotation:     symbolon.RotateAlways,
		Sandbox:      cfg.Sandbox, // all that a sandbox server has is of the sandbox
		CreatedAt:    now,
		Settings: symbolon.Settings{
			Auth:        m.method,
			Keys:        m.keys,
			KeysURI:     m.keysURI,
			Grants:      []symbolon.GrantType{symbolon.GrantCode, symbolon.GrantRefresh},
			BoundTokens: m.boundTokens,
			TLSTokens:   m.tlsTokens,
			RequirePAR:  m.requirePAR,
			Registration: &symbolon.Registration{
				ClientID:  clientID,
				Native:    m.native,
				Web:       m.web,
				LogoURI:   m.logo,
				PolicyURI: m.policy,
				TermsURI:  m.terms,
			},
		},
	}
	if m.scope != nil {
		a.Scope = m.scope.Within(cfg.RegistrationScopes)
	}
	m.apply(&a)
	if a.Name == "" {
		a.Name = nameless(m.redirectURIs)
	}
	return a
}

// nameless returns what an app without a name is called: the host, or else the
// scheme, of its first redirect URI.
func nameless(uris []string) string {
	for _, uri := range uris {
		if u, err := url.Parse(uri); err == nil {
			if u.Hostname() != "" {
				return appName(u.Hostname())
			}
			return appName(u.Scheme)
		}
	}
	return ""
}

// said is what is kept of an app's metadata, with short names: it is sealed into
// the client_id, and its hash tells whether it has changed.
type said struct {
	Name         string              `json:"n,omitempty"`
	Home         string              `json:"h,omitempty"`
	RedirectURIs []string            `json:"r"`
	Auth         symbolon.AuthMethod `json:"a,omitempty"`
	Keys         string              `json:"k,omitempty"`
	KeysURI      string              `json:"j,omitempty"`
	Native       bool                `json:"v,omitempty"`
	Web          bool                `json:"w,omitempty"`
	Logo         string              `json:"l,omitempty"`
	Policy       string              `json:"p,omitempty"`
	Terms        string              `json:"t,omitempty"`
	BoundTokens  bool                `json:"b,omitempty"`
	TLSTokens    bool                `json:"c,omitempty"`
	RequirePAR   bool                `json:"q,omitempty"`
	More         *saidMore           `json:"o,omitempty"`
}

func whatIsSaid(a *symbolon.App) said {
	r := a.Settings.Registration
	return said{
		Name: a.Name, Home: a.Home, RedirectURIs: a.RedirectURIs, Auth: a.Settings.Auth, Keys: a.Settings.Keys, KeysURI: a.Settings.KeysURI,
		Native: r.Native, Web: r.Web, Logo: r.LogoURI, Policy: r.PolicyURI, Terms: r.TermsURI,
		BoundTokens: a.Settings.BoundTokens, TLSTokens: a.Settings.TLSTokens, RequirePAR: a.Settings.RequirePAR, More: moreIsSaid(a),
	}
}

// metadata undoes whatIsSaid.
func (s *said) metadata() *metadata {
	return &metadata{
		name: s.Name, home: s.Home, redirectURIs: s.RedirectURIs, method: s.Auth, keys: s.Keys, keysURI: s.KeysURI,
		native: s.Native, web: s.Web, logo: s.Logo, policy: s.Policy, terms: s.Terms,
		boundTokens: s.BoundTokens, tlsTokens: s.TLSTokens, requirePAR: s.RequirePAR, more: s.More.metadata(),
	}
}

// digest is the hash of what the app says of itself. What it may ask for is not part of
// it: a person is asked for each scope anyhow.
func digest(a *symbolon.App) []byte {
	text, _ := json.Marshal(whatIsSaid(a)) // strings and flags always have JSON
	hash := sha256.Sum256(text)
	return hash[:]
}

// idOf returns the id within this server of an app that registered itself: 128
// bits of the hash of its client_id.
func idOf(prefix, clientID string) symbolon.ClientID {
	hash := sha256.Sum256([]byte(clientID))
	return symbolon.ClientID(prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:16])))
}

// The prefixes of those ids.
const (
	documentID = "sym_doc_"
	dynamicID  = "sym_dyn_"
)

// keepApp puts the row of an app that registered itself, at the first consent:
// before, nothing is kept. It tolerates that another request came first.
func (e *Engine) keepApp(ctx context.Context, app *symbolon.App) error {
	if app.Settings.Registration == nil || app.Version > 0 && used(app) {
		return nil
	}
	row := cloneRegistered(app)
	row.Settings.Registration.ExpiresAt = time.Time{} // it is used
	ctx = context.WithoutCancel(ctx)
	err := e.store.PutApp(ctx, row)
	if err != nil && symbolon.KindOf(err) == symbolon.Conflict {
		var rows []symbolon.App
		rows, err = e.store.Apps(ctx, symbolon.AppQuery{ID: app.ID, Limit: 1})
		if err == nil && (len(rows) == 0 || !used(&rows[0])) {
			err = symbolon.Errorf(symbolon.Busy, "keep app", "app %s changed in this moment", app.ID)
		}
	}
	e.forget(app.ID)
	return err
}

// used reports whether the row is that of an app that someone has allowed, and
// that is there still.
func used(row *symbolon.App) bool {
	r := row.Settings.Registration
	return r != nil && r.ExpiresAt.IsZero() && r.DeletedAt.IsZero()
}

// forget takes an app out of what this node holds in memory; other nodes learn
// it from the changes.
func (e *Engine) forget(id symbolon.ClientID) {
	c := symbolon.Change{Kind: symbolon.AppChanged, Client: id}
	e.apps.changed(c)
	e.origins.changed(c)
}

// cloneRegistered copies an app as far as this package changes copies of it.
func cloneRegistered(app *symbolon.App) symbolon.App {
	row := *app
	r := *app.Settings.Registration
	row.Settings.Registration = &r
	return row
}

// remembered reports whether a consent still counts. What was allowed up to a
// change of what the app says of itself does not (CIMD-8-b).
func remembered(consent *symbolon.Consent, app *symbolon.App) bool {
	r := app.Settings.Registration
	return r == nil || consent.GrantedAt.After(r.ChangedAt)
}

// milliseconds cuts a time to what stores keep.
func milliseconds(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
