// Package web speaks HTTP for the engine: the page's API, the pages for people,
// the demo's playground and the documents. All routes stand in routes.go.
//
// A request goes two hops: from the handler that reads it once into a struct,
// to the engine's step, to one statement of the store. Handlers return errors;
// one wrapper writes the answer and the log line.
package web

import (
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/signin"
)

// Options are what a Handler is made of. All but TrustedProxies, Scopes and the
// playground's are required.
type Options struct {
	Engine   *oauth.Engine
	Store    symbolon.Store
	Ring     *seal.Ring
	Hasher   *signin.Hasher
	Throttle *signin.Throttle
	Pages    *Pages
	// Requests takes one line of JSON for each request, in one Write. It must
	// not block; Lines does not.
	Requests io.Writer
	// Scopes gives scope names the sentences of the consent page.
	Scopes []symbolon.Scope
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// ClientCertHeader is the header in which TrustedProxies forward the client's
	// certificate; empty when none does.
	ClientCertHeader string
	// Sandbox shows the sandbox accounts on the sign-in page and turns on the
	// playground.
	Sandbox bool
	// SandboxApp is the app whose side the playground plays, with its secret.
	SandboxApp    symbolon.ClientID
	SandboxSecret string
	// Registering says who may register apps in the console.
	Registering admin.Registering
	// Settings are those in force, which operators see in the console.
	Settings map[string]string
	// OpenID tells apps who signed in. Nil means that there is no OpenID Connect.
	OpenID *oidc.Teller
	// SessionLifetime is how long a person stays signed in: 7 days when 0.
	SessionLifetime time.Duration
}

// Handler answers every request of the server.
type Handler struct {
	Options
	issuer  string
	prefix  string // the path of the issuer, in front of every path of ours
	secure  bool   // the issuer is https, so cookies are for https only
	routes  map[string]*route
	cross   *http.CrossOriginProtection
	scopes  map[string]string
	leaving atomic.Bool
	served  atomic.Uint64
	// inFlight is how many requests are being answered; tell, unless nil, is told
	// of each that was.
	inFlight atomic.Int64
	tell     func(Answered)
	spans    func(Begun) Span // asked for the span of each request, unless nil
	play     *playground      // nil outside the sandbox
	docs     *docs
	// passkeys checks what passkeys sign; nil where browsers have none.
	passkeys  *signin.Passkeys
	admin     *admin.Service
	described atomic.Pointer[metadataOf] // the metadata, as it was last made
}

// New returns a Handler. The error, of kind Internal, is a fault in what is
// embedded in the program.
func New(o Options) (*Handler, error) {
	if o.SessionLifetime == 0 {
		o.SessionLifetime = 7 * 24 * time.Hour
	}
	h := &Handler{
		Options: o,
		issuer:  o.Engine.Issuer(),
		secure:  strings.HasPrefix(o.Engine.Issuer(), "https://"),
		cross:   http.NewCrossOriginProtection(),
		scopes:  map[string]string{symbolon.ScopeConnect: "allows connection to resources"},
	}
	base, err := url.Parse(h.issuer)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "web", err)
	}
	h.prefix = base.Path
	for _, s := range o.Scopes {
		h.scopes[s.Name] = s.Description
	}
	// Behind a proxy that ends TLS, the Host we see may lack what the browser
	// sees; the issuer is what it must have come from.
	if err := h.cross.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "web", err)
	}
	h.scopes[oauth.ScopeAdmin], h.scopes[oauth.ScopeApps] = adminSentence, appsSentence
	h.admin = &admin.Service{
		Store: h.Store, Now: h.Engine.Now, Sandbox: h.Sandbox, Scopes: h.Scopes, Registering: h.Registering,
		End: h.Engine.EndEverywhere, Changed: h.Engine.ChangedEverywhere, Hash: h.Hasher.Hash,
	}
	if h.passkeys, err = signin.NewPasskeys(h.issuer); err != nil {
		return nil, err
	}
	if h.docs, err = newDocs(h.issuer); err != nil {
		return nil, err
	}
	if _, err := h.describe(); err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "web", err)
	}
	if o.Sandbox {
		if h.play, err = newPlayground(h); err != nil {
			return nil, err
		}
	}
	h.routes = h.table()
	return h, nil
}

// Served returns how many requests were answered since the start.
func (h *Handler) Served() uint64 { return h.served.Load() }

// Leave makes /readyz answer 503, so that no new work is sent here while the
// server stops.
func (h *Handler) Leave() { h.leaving.Store(true) }
