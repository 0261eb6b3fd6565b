// Package web speaks HTTP for the engine: the page's API, the pages for people,
// the demo's playground and the documents. All routes stand in routes.go.
//
// A request goes two hops: from the handler that reads it once into a struct,
// to the engine's step, to one statement of the store. Handlers return errors;
// one wrapper writes the answer and the log line.
package web

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/mail"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/signin"
	"github.com/symbolon/symbolon/trail"
	"github.com/symbolon/symbolon/upstream"
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
	// Scopes gives scope names the sentences of the consent page. A name with "#" and a
	// language's tag behind it has the sentence in that language.
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
	// Trail writes down the last requests of each app. Nil means that nobody does.
	Trail *trail.Recorder
	// SessionLifetime is how long a person stays signed in: 7 days when 0.
	SessionLifetime time.Duration
	// NoPassword and NoPasskeys take these ways to sign in away.
	NoPassword, NoPasskeys bool
	// Upstreams are other OpenID Connect servers by which people sign in. Their Redirect
	// is Callback.
	Upstreams []*upstream.Server
	// Handoff is the owner's own site, whose word about who sits at a browser counts, or
	// nil. The engine has its keys.
	Handoff *HandoffSite
	// Mail hands a letter on, and says in the log what is wrong with that. Nil means that
	// there is no mail. See Handler.Post.
	Mail func(ctx context.Context, l mail.Letter) error
}

// Callback is where upstream servers send people back to.
func Callback(issuer string) string { return issuer + upstreamPath }

// Handler answers every request of the server.
type Handler struct {
	Options
	issuer  string
	prefix  string // the path of the issuer, in front of every path of ours
	secure  bool   // the issuer is https, so cookies are for https only
	routes  map[string]*route
	cross   *http.CrossOriginProtection
	leaving atomic.Bool
	left    chan struct{} // closed when leaving
	served  atomic.Uint64
	// inFlight is how many requests are being answered; tell, unless nil, is told
	// of each that was.
	inFlight atomic.Int64
	tell     func(Answered)
	spans    func(Begun) Span // asked for the span of each request, unless nil
	play     *playground      // nil outside the sandbox
	docs     *docs
	// passkeys checks what passkeys sign; nil where browsers have none.
	passkeys *signin.Passkeys
	letters  *letters
	// usernames bounds how many an owner types into the console to find accounts.
	usernames *signin.Buckets
	admin     *admin.Service
	described atomic.Pointer[metadataOf] // the metadata, as it was last made; never nil
	// describing is held by the request for which the metadata's scopes are read.
	describing sync.Mutex
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
		left:    make(chan struct{}),
	}
	base, err := url.Parse(h.issuer)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "web", err)
	}
	h.prefix = base.Path
	// Behind a proxy that ends TLS, the Host we see may lack what the browser
	// sees; the issuer is what it must have come from.
	if err := h.cross.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "web", err)
	}
	if !o.NoPasskeys {
		if h.passkeys, err = signin.NewPasskeys(h.issuer, h.Pages.look.Name); err != nil {
			return nil, err
		}
	}
	h.admin = &admin.Service{
		Store: h.Store, Now: h.Engine.Now, Sandbox: h.Sandbox, Scopes: h.Scopes, Registering: h.Registering,
		End: h.Engine.End, Changed: h.Engine.ChangedEverywhere, Hash: h.Hasher.Hash,
	}
	h.letters = newLetters()
	h.usernames = signin.NewBuckets(signin.Rate{Burst: usernamesAtOnce, Every: usernameEvery}, 1<<12)
	if h.docs, err = newDocs(h.issuer); err != nil {
		return nil, err
	}
	body, err := h.newMetadata(nil)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, "web", err)
	}
	h.described.Store(&metadataOf{keys: h.Engine.KeyGeneration(), body: body})
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
// server stops, and ends what is streamed.
func (h *Handler) Leave() {
	if !h.leaving.Swap(true) {
		close(h.left)
	}
}
