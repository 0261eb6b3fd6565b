package oauth

import (
	"context"
	"crypto/x509"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
)

// Config is what an owner may set about the protocol. Zero values get the
// defaults that stand at the fields.
type Config struct {
	// Issuer is the server's base URL without a final slash. It is returned
	// byte for byte as iss (RFC 9207).
	Issuer string
	// CodeLifetime is how long a code may be redeemed: 60 s.
	CodeLifetime time.Duration
	// AccessLifetime is how long an access token is honoured: 10 min.
	AccessLifetime time.Duration
	// RefreshLifetime is how long a connection lives without being refreshed:
	// 180 days.
	RefreshLifetime time.Duration
	// ConnectionLifetime is how long a connection lives however often it is
	// refreshed: without limit.
	ConnectionLifetime time.Duration
	// PublicGrace is how long a public app may ask for the same successor of a
	// refresh token again: 30 s.
	PublicGrace time.Duration
	// FeedBound is D of DESIGN 4: how old the knowledge of what has ended may
	// be when a token is honoured: 250 ms.
	FeedBound time.Duration
	// Shared says that other nodes work on the same store: whoever ends something
	// answers only when none of them honours it any more (DESIGN 4).
	Shared bool
	// Scopes are those that the owner has given sentences, for the metadata.
	Scopes symbolon.Scopes
	// Signing are the keys for JWTs; nil means that there are none, and every
	// access token is sealed.
	Signing *jwt.Ring
	// SigningAlgorithm is the one for access tokens: ES256.
	SigningAlgorithm string
	// Resources are the owner's APIs (RFC 8707). When there are none, an app may
	// ask for a token for any, and it is good nowhere else.
	Resources []Resource
	// Details are the types of authorization_details that the APIs know (RFC 9396).
	Details []DetailType
	// TrustedIssuers are those whose signed statements about people are believed.
	TrustedIssuers []TrustedIssuer
	// Handoff is the owner's own site, when it may say who sits at a browser, or nil.
	// Only its Issuer and its keys count.
	Handoff *TrustedIssuer
	// DefaultScope is what an authorization request or a client asks for that
	// names no scope: connect.
	DefaultScope symbolon.Scopes
	// ClientDocuments lets apps be known by the URL of their client ID metadata
	// document, which Fetch gets.
	ClientDocuments bool
	// Registration lets apps register themselves (RFC 7591). When
	// RegistrationToken is set, the SHA-256 of an initial access token, only
	// whoever shows that may.
	Registration      bool
	RegistrationToken []byte
	// RegistrationScopes are all that apps that registered themselves may ask
	// for: DefaultScope.
	RegistrationScopes symbolon.Scopes
	// RequireDPoPNonce demands of every DPoP proof a fresh value that this server
	// gave out (RFC 9449 §8).
	RequireDPoPNonce bool
	// IDToken makes an ID token (OpenID Connect Core §2). Nil means that there are
	// none, and that the scope openid means nothing.
	IDToken func(r *IDTokenRequest) (string, error)
	// SignedOut, unless it is nil, is called when sessions were ended, whose apps are
	// to be told.
	SignedOut func()
	// Tell adds a delivery to the outbox; nil means that webhooks are told only what
	// the store writes itself.
	Tell func(ctx context.Context, d symbolon.Delivery) error
	// PairwiseKey is what pairwise subjects are made with. It never changes.
	PairwiseKey [32]byte
	// UnusedLifetime is how long an app that registered itself may wait for its
	// first consent: 30 days.
	UnusedLifetime time.Duration
	// RequirePAR refuses every authorization request that was not pushed (RFC 9126
	// §5).
	RequirePAR bool
	// PushedLifetime is how long a pushed request waits for the person: 90 s.
	PushedLifetime time.Duration
	// Fetch gets a JSON document from a URL that a stranger chose, and says how
	// long it may be kept. It bounds what it gets and how often, remembers
	// failures for a while, and lets all who ask for the same share. An error of
	// kind Busy says nothing of the document.
	Fetch func(ctx context.Context, url string) (body []byte, maxAge time.Duration, err error)
	// FetchObject gets a request object in the same way; nil means that none is fetched.
	FetchObject func(ctx context.Context, url string) ([]byte, error)
	// Implicit offers the response types that bring tokens by the browser, to apps with
	// the grant implicit (OpenID Connect Core §3.2).
	Implicit bool
	// DeviceLifetime is how long a person may take to allow a device: 10 min.
	DeviceLifetime time.Duration
	// ClientCAs are the authorities whose certificates count for tls_client_auth
	// (RFC 8705 §2.1). Nil means that what a trusted proxy forwards was checked by
	// it, and that no other certificate counts.
	ClientCAs *x509.CertPool
	// Sandbox marks a server for trying out. It decides nothing alone: app and
	// account must be sandbox ones as well.
	Sandbox bool
	// SandboxAccount is for whom an API caller's code is when login_hint names
	// no one.
	SandboxAccount symbolon.AccountID
}

var defaultScope = symbolon.Scopes{symbolon.ScopeConnect}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.CodeLifetime, 60*time.Second)
	set(&c.AccessLifetime, 10*time.Minute)
	set(&c.PushedLifetime, 90*time.Second)
	set(&c.RefreshLifetime, 180*24*time.Hour)
	set(&c.PublicGrace, 30*time.Second)
	set(&c.FeedBound, 250*time.Millisecond)
	set(&c.UnusedLifetime, UnusedLifetime)
	set(&c.DeviceLifetime, 10*time.Minute)
	// RFC 9126 §2.2, and FAPI 2.0 §5.3.2.2: minutes at most.
	c.PushedLifetime = min(c.PushedLifetime, 10*time.Minute-time.Second)
	if c.Signing == nil {
		c.Signing, _ = jwt.NewRing(nil, nil) // of no keys: it cannot fail
	}
	if c.SigningAlgorithm == "" {
		c.SigningAlgorithm = "ES256"
	}
	if c.DefaultScope == nil {
		c.DefaultScope = defaultScope
	}
	if c.RegistrationScopes == nil {
		c.RegistrationScopes = c.DefaultScope
	}
	return c
}

// Engine serves the steps of the protocol. It may be used by many goroutines at
// once. It reaches neither HTTP nor SQL.
type Engine struct {
	cfg   Config
	store symbolon.Store
	ring  *seal.Ring
	clock symbolon.Clock
	feed  *Feed
	apps  *apps
	wrong *guesses
	polls *polls
	// begun and all count the device codes that were given, tried the user codes
	// that were typed and are none.
	begun, all, tried *guesses
	keys              *keySets
	strangers         *keySets // of apps that no one has allowed yet

	proofs *proofs
	nonce  atomic.Pointer[nonce] // the last that was sealed

	origins *origins
	seen    *seen
	uses    uses

	documents *documents
	objects   objects
	settling  atomic.Int64 // requests that wait in settle

	registrations *pace
	unused        *pace // rows of apps that no one has allowed yet

	failures *failures
	watchers watchers

	sandbox atomic.Pointer[sandboxAccount]
}

// New returns an engine on a store. The feed must have been polled once; the
// caller runs it.
func New(cfg Config, store symbolon.Store, ring *seal.Ring, clock symbolon.Clock, feed *Feed) *Engine {
	e := &Engine{
		cfg:   cfg.withDefaults(),
		store: store,
		ring:  ring,
		clock: clock,
		feed:  feed,
		apps:  newApps(store),
		wrong: newGuesses(guessesLimit, guessesPer),
		polls: newPolls(),
		begun: newGuesses(devicesLimit, time.Minute),
		all:   newGuesses(devicesInAll, time.Minute),
		tried: newGuesses(triesLimit, 10*time.Minute),
		keys:  newKeySets(),

		strangers: newStrangers(),

		proofs: new(proofs),

		origins: newOrigins(store),
		seen:    newSeen(),

		failures: newFailures(),
		watchers: watchers{of: make(map[symbolon.ClientID][]*Watcher)},

		documents:     newDocuments(),
		registrations: newPace(registrationsPerAddress, registrationsInAll),
		unused:        newPace(unusedPerAddress, unusedInAll),
	}
	feed.OnChange(e.apps.changed)
	feed.OnChange(e.origins.changed)
	feed.OnChange(e.heardOf)
	feed.OnRolledBack(func() {
		e.apps.forgetAll()
		e.origins.forgetAll()
		e.sandbox.Store(nil)
	})
	return e
}

// Rest gives up memory that only saves work, for when no request has come for some
// time.
func (e *Engine) Rest() { e.seen.forget() }

// Issuer returns the server's base URL, as it stands in iss.
func (e *Engine) Issuer() string { return e.cfg.Issuer }

// Now returns the time by the engine's clock.
func (e *Engine) Now() time.Time { return e.clock.Now() }

// Ready reports whether the store answers.
func (e *Engine) Ready(ctx context.Context) error {
	if err := e.feed.Fresh(ctx); err != nil {
		return storeError(err)
	}
	return nil
}

// App returns the app with a client_id: the id of a registered app, the URL of a
// client ID metadata document, or what dynamic registration gave out. It takes the
// id within this server, too. Nothing new is fetched for it. The refusal for one
// that is not is UnknownClient.
func (e *Engine) App(ctx context.Context, id symbolon.ClientID) (*symbolon.App, error) {
	return e.findApp(ctx, id, false)
}

// client returns the app of a client_id that a request names, which may be no
// other name of it.
func (e *Engine) client(ctx context.Context, id string, mayFetch bool) (*symbolon.App, error) {
	app, err := e.findApp(ctx, symbolon.ClientID(id), mayFetch)
	if err == nil && app.ClientID() != id {
		return nil, unknownClient()
	}
	return app, err
}

func unknownClient() *Error {
	return refuse(UnknownClient, "No app is registered here under this client_id; compare it with the one that was shown when the app was made.").
		because("the client_id is that of an app", "RFC 6749 §2.2").mend("Copy the client_id again. If the app was deleted, or is of another server (the sandbox, perhaps), register it here.")
}

func (e *Engine) findApp(ctx context.Context, id symbolon.ClientID, mayFetch bool) (*symbolon.App, error) {
	// What is held in memory about an app is good only while the feed is.
	if err := e.feed.Fresh(ctx); err != nil {
		return nil, storeError(err)
	}
	switch {
	case e.isDocumentURL(string(id)):
		return e.documentApp(ctx, string(id), mayFetch)
	case e.isSealedApp(string(id)):
		return e.sealedApp(ctx, string(id))
	}
	app, err := e.apps.get(ctx, id)
	if err != nil {
		return nil, storeError(err)
	}
	if app == nil || !present(app, e.clock.Now()) {
		return nil, unknownClient()
	}
	return app, nil
}
