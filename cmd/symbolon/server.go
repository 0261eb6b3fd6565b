package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
	"github.com/symbolon/symbolon/outbox"
	"github.com/symbolon/symbolon/signin"
	"github.com/symbolon/symbolon/trail"
	"github.com/symbolon/symbolon/web"
	"github.com/symbolon/symbolon/webhook"
)

// server is a server on a data directory, from its settings to its last answer.
// It is what demo and serve share.
type server struct {
	settings
	checked
	// sandbox, when set, makes it a server for trying out.
	sandbox *sandbox
	env     lookup
	log     logs
	// ready is told the address once requests are answered.
	ready func(address net.Addr) error

	clock *usedClock
	store *database
	pair  *pair // when TLS ends here
	watch *watch
	tells *outbox.Deliverer
	trail *trail.Recorder // nil when requests are not written down
	// asks is set once there is an app that shows a certificate of its own.
	asks atomic.Bool
}

// Limits of the HTTP server. What a request may take is set in package web.
const (
	// readTimeout bounds header and body together: one deadline a request, and
	// a body is at most 64 KiB.
	readTimeout  = 5 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 60 * time.Second
	// maxHeaderBytes is where net/http stops reading, and refuses in plain text;
	// package web refuses much less, in JSON.
	maxHeaderBytes = 128 << 10
	// stopTimeout bounds how long requests in flight are waited for.
	stopTimeout = 20 * time.Second
)

// run serves until the context ends, and then until what was accepted is
// answered.
func (s *server) run(ctx context.Context) (err error) {
	if s.TLSCert != "" { // first, so that a wrong path leaves nothing behind
		if s.pair, err = loadPair(s.TLSCert, s.TLSKey, s.log.Logger); err != nil {
			return err
		}
	}
	if err := makeDir(s.Data); err != nil {
		return err
	}
	lock, err := lockDir(s.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	listener, err := listen(s.listen, "--listen")
	if err != nil {
		return err
	}
	defer listener.Close()
	if s.watch, err = newWatch(s); err != nil {
		return err
	}
	defer s.watch.close()
	front := new(web.Front)
	hs, failed := s.start(listener, front)
	defer hs.Close()
	if err := s.await(ctx, s.open); err != nil {
		return s.unlessStopped(err)
	}
	defer func() { err = errors.Join(err, s.store.close()) }()
	s.watch.opened(s.store)

	// What runs beside the requests ends after the last of them.
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer func() {
		stop()
		running.Wait()
	}()
	var handler *web.Handler
	var feed *oauth.Feed
	err = s.await(ctx, func(context.Context) (err error) {
		handler, feed, err = s.handler(beside, listener.Addr())
		return err
	})
	if err != nil {
		return s.unlessStopped(err)
	}
	front.Open(handler)
	running.Go(func() { feed.Run(beside) })
	running.Go(func() { s.tells.Run(beside) })
	if s.trail != nil {
		running.Go(func() { s.trail.Run(beside) })
	}
	if s.store.server != nil {
		running.Go(func() { s.store.server.Listen(beside, feed.Wake) })
	}
	running.Go(func() {
		giveBack(beside, handler.Served, func(ctx context.Context) {
			handler.Engine.Rest()
			if s.store.rest != nil {
				_ = s.store.rest(ctx) // it keeps the memory then, and the next change says what is wrong
			}
		})
	})
	running.Go(func() { tellExpiring(beside, handler.Engine, s.log.Logger) })
	running.Go(func() { expire(beside, handler, s.log.Logger) })
	running.Go(func() { handler.Post(beside) })
	running.Go(func() { recordUses(beside, handler, s.log.Logger) })
	running.Go(func() {
		keepMark(beside, s.Data, s.currentMark, func(err error) {
			s.log.Error("the high-water mark cannot be written; the server goes on", "cause", err.Error())
		})
	})
	if err := lock.tell(s.running(listener.Addr())); err != nil {
		return err
	}
	if err := s.ready(listener.Addr()); err != nil {
		return err
	}
	return s.serve(ctx, hs, failed, handler)
}

// listen opens the socket that a flag names.
func listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, mend(fmt.Errorf("another program listens on %s", address), "stop it, or choose another port with %s; port 0 takes a free one", flag)
	case errors.Is(err, syscall.EACCES):
		return nil, mend(fmt.Errorf("this user may not listen on %s", address), "choose a port from 1024 on; or, with systemd, AmbientCapabilities=CAP_NET_BIND_SERVICE")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, mend(fmt.Errorf("this machine has no address as in %s", address), "choose one that it has with %s", flag)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

// await does what needs the database. One on another machine is waited for, since it
// may start after this server does, or be away for a moment: it is done again then.
func (s *server) await(ctx context.Context, do func(ctx context.Context) error) error {
	for told := false; ; told = true {
		err := do(ctx)
		if err != nil && ctx.Err() != nil {
			return errStopped
		}
		if s.Database == "" || symbolon.KindOf(err) != symbolon.Busy {
			return err
		}
		if !told {
			s.log.Warn("the database cannot be used; requests are answered 503 until it can", "database", publicURL(s.Database), "cause", oneLine(err.Error()), "mend", hintFor(err))
		}
		select {
		case <-time.After(awaitPause):
		case <-ctx.Done():
			return errStopped
		}
	}
}

// errStopped means that the server was told to stop before it had a database.
var errStopped = errors.New("stopped while the database was away")

// unlessStopped returns an error of await, or nil when it was told to stop: that is no
// fault.
func (s *server) unlessStopped(err error) error {
	if errors.Is(err, errStopped) {
		s.log.Info("stopped")
		return nil
	}
	return err
}

// awaitPause is how long after a failure the database is looked for again.
const awaitPause = 500 * time.Millisecond

// open opens the database and the clock, and compares both with the mark.
func (s *server) open(ctx context.Context) error {
	m, merr := readMark(s.Data)
	s.clock = newUsedClock(m.Time)
	store, err := s.openDatabase(ctx, opening{create: true, sandbox: s.sandbox != nil, log: s.log.Logger, clock: s.clock})
	if errors.Is(err, symbolon.ErrMoved) || errors.Is(err, symbolon.ErrMoving) || errors.Is(err, symbolon.ErrNewer) {
		return mend(errors.New(detail(err)), "%s", hintFor(err))
	}
	if symbolon.KindOf(err) == symbolon.Denied {
		hint := "give the server a data directory of its own with --data"
		switch {
		case s.Database != "":
			hint = "give the server a database of its own"
		case s.sandbox != nil:
			hint = "give the demo a data directory of its own: --data .demo"
		}
		return mend(errors.New(detail(err)), "%s", hint)
	}
	if _, ok := errors.AsType[*mendable](err); ok {
		return err
	}
	if err != nil {
		return mend(fmt.Errorf("the database cannot be opened: %w", err), "“symbolon doctor --data %s” says more", s.Data)
	}
	s.store = store
	db, err := s.databaseMark(ctx)
	if err != nil {
		return errors.Join(err, store.close())
	}
	for _, warning := range compareMark(m, merr, db, time.Now()) {
		s.warnOfRollback(warning)
	}
	return nil
}

// warnOfRollback says that the database or the clock is not as it was left.
func (s *server) warnOfRollback(text string) {
	s.log.Warn(text)
	s.watch.warned()
}

// databaseMark returns what the database says of itself.
func (s *server) databaseMark(ctx context.Context) (databaseMark, error) {
	db, err := s.store.mark(ctx)
	if err != nil {
		return databaseMark{}, err
	}
	keys, err := s.store.Keys(ctx, nil, false)
	db.Used = len(keys) > 0
	return db, err
}

func (s *server) currentMark() (mark, error) {
	db, err := s.store.beat(context.Background())
	m := mark{Time: s.clock.highest(), Epoch: db.Epoch, Commits: db.Commits}
	if s.Database != "" {
		m.Database = publicURL(s.Database)
	}
	return m, err
}

// handler makes what answers the requests, and the feed that it needs.
func (s *server) handler(ctx context.Context, address net.Addr) (*web.Handler, *oauth.Feed, error) {
	feed := oauth.NewFeed(s.store, s.clock, feedBound, time.Duration(s.AccessLifetime))
	feed.OnRolledBack(func() {
		s.warnOfRollback("The database was put back to an older state while this server ran, or the server stood still for days. " + rolledBack)
	})
	if err := feed.Poll(ctx); err != nil {
		return nil, nil, err
	}
	// After the first reading of the changes, so that the keys are as new as
	// it; what changes later is told.
	keys := &keyring{source: findRoot(s.Data, s.RootKeyFile, s.env), store: s.store, log: s.log.Logger, sandbox: s.sandbox != nil}
	if err := keys.open(ctx, s.clock.Now()); err != nil {
		return nil, nil, err
	}
	feed.OnChange(func(c symbolon.Change) error {
		if c.Kind != symbolon.KeysChanged {
			return nil
		}
		return keys.changed(ctx)
	})
	feed.OnRolledBack(func() { keys.reload(ctx) })
	if s.pair != nil {
		if err := s.watchApps(ctx, feed); err != nil {
			return nil, nil, err
		}
	}
	cfg := oauth.Config{
		Issuer:             s.BaseURL,
		CodeLifetime:       time.Duration(s.CodeLifetime),
		AccessLifetime:     time.Duration(s.AccessLifetime),
		RefreshLifetime:    time.Duration(s.RefreshLifetime),
		ConnectionLifetime: time.Duration(s.ConnectionLifetime),
		PublicGrace:        time.Duration(s.PublicGrace),
		FeedBound:          feedBound,
		Shared:             s.store.shared,
		Signing:            keys.signing,
		Resources:          s.resources,
		TrustedIssuers:     s.issuers,
		Details:            s.details,
		ClientCAs:          s.clientCAs,
		RequireDPoPNonce:   s.DPoPNonces == "required",
		RequirePAR:         s.RequirePAR,
		Implicit:           s.Implicit,
		ClientDocuments:    s.ClientDocuments,
		Registration:       s.Registration,
		RegistrationScopes: s.registrationScopes,
		Fetch:              s.watch.fetching(s.fetcher()),
		FetchObject:        s.objectFetcher(),
	}
	for _, scope := range s.scopes {
		if _, lang := admin.ScopeLanguage(scope.Name); lang == "" {
			cfg.Scopes = append(cfg.Scopes, scope.Name)
		}
	}
	s.trail = s.logSettings.trail(s.store.trail, s.log.Logger)
	options := web.Options{
		Trail:           s.trail,
		Store:           s.store,
		Ring:            keys.ring,
		Hasher:          signin.NewHasher(),
		Throttle:        signin.NewThrottle(s.clock),
		Requests:        s.log.requests,
		Scopes:          s.scopes,
		TrustedProxies:  s.proxies,
		SessionLifetime: time.Duration(s.SessionLifetime),
		Registering:     admin.Registering(s.ConsoleApps),
		Settings:        s.settings.shown(),

		ClientCertHeader: s.ClientCertificateHeader,
	}
	if s.sandbox != nil {
		if err := s.forTryingOut(ctx, address, &cfg, &options); err != nil {
			return nil, nil, err
		}
	}
	if err := s.signIns(ctx, &cfg, &options); err != nil {
		return nil, nil, err
	}
	base, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, nil, err
	}
	if options.Pages, err = web.NewPages(base.Path, s.look); err != nil {
		return nil, nil, err
	}
	options.Engine = oauth.New(cfg, s.store, keys.ring, s.clock, feed)
	tellsLogouts(s.tells, options.Engine, options.OpenID)
	tellsEvents(s.tells, &webhook.Teller{Ring: keys.ring, Store: s.store, Clock: s.clock, Subject: options.Engine.SubjectOf})
	h, err := web.New(options)
	if err != nil {
		return nil, nil, err
	}
	s.watch.served(s, h, feed, keys, options.Throttle)
	return h, feed, nil
}

// forTryingOut makes it a server with sandbox accounts and a sandbox app.
func (s *server) forTryingOut(ctx context.Context, address net.Addr, cfg *oauth.Config, options *web.Options) error {
	box := s.sandbox
	cfg.Issuer = "http://" + address.String()
	if err := box.seed(ctx, s.store, s.clock, s.Data, options.Hasher); err != nil {
		return err
	}
	issuer, err := box.trusted(s.Data)
	if err != nil {
		return err
	}
	cfg.TrustedIssuers = append(cfg.TrustedIssuers, issuer)
	debug.FreeOSMemory() // hashing the sandbox's passwords took 60 MB
	cfg.Sandbox, cfg.SandboxAccount = true, janeDoe
	cfg.Details = append(cfg.Details, sandboxDetails...)
	options.Sandbox, options.SandboxApp, options.SandboxSecret = true, box.app.ID, box.secret
	return nil
}

// signIns has people sign in, and the server tell apps who did (OpenID Connect).
func (s *server) signIns(ctx context.Context, cfg *oauth.Config, options *web.Options) error {
	if err := s.takeWays(cfg, options); err != nil {
		return err
	}
	mark, err := s.store.mark(ctx)
	if err != nil {
		return err
	}
	// The epoch stays as long as the data does, and nobody outside learns it.
	cfg.PairwiseKey = sha256.Sum256([]byte("pairwise subjects of " + mark.Epoch))
	options.OpenID = &oidc.Teller{Issuer: cfg.Issuer, Signing: cfg.Signing, Lifetime: time.Duration(s.AccessLifetime)}
	cfg.IDToken = options.OpenID.IDToken
	s.tells = s.deliverer()
	cfg.SignedOut = s.tells.Wake
	cfg.Tell = s.store.outbox.Tell
	return nil
}

// showsCertificate reports whether an app must be asked for its certificate. For
// one that registered itself nobody is: a stranger would make every browser show a
// dialog.
func showsCertificate(app *symbolon.App) bool {
	method := app.Method()
	return app.Settings.Registration == nil && (method == symbolon.AuthTLS || method == symbolon.AuthSelfSignedTLS || app.Settings.TLSTokens)
}

// watchApps looks whether there is an app that shows a certificate, now and
// whenever one changes. Once there was, clients are asked until the next start.
func (s *server) watchApps(ctx context.Context, feed *oauth.Feed) error {
	feed.OnChange(func(c symbolon.Change) error {
		if c.Kind != symbolon.AppChanged || s.asks.Load() {
			return nil
		}
		apps, err := s.store.Apps(ctx, symbolon.AppQuery{ID: c.Client, Limit: 1})
		if err != nil || len(apps) == 1 && showsCertificate(&apps[0]) {
			s.asks.Store(true) // asked in vain is better than an app that cannot prove itself
		}
		return nil
	})
	var after symbolon.ClientID
	for {
		apps, err := s.store.Apps(ctx, symbolon.AppQuery{After: after, Limit: page})
		if err != nil {
			return err
		}
		for i := range apps {
			if showsCertificate(&apps[i]) {
				s.asks.Store(true)
			}
		}
		if len(apps) < page || s.asks.Load() {
			return nil
		}
		after = apps[len(apps)-1].ID
	}
}

// start answers requests by the handler. The channel tells when that ends by itself.
func (s *server) start(listener net.Listener, handler http.Handler) (*http.Server, <-chan error) {
	hs := &http.Server{
		Handler:        handler,
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if len(s.proxies) > 0 {
		listener = &guarded{Listener: listener, allowed: s.proxies, log: s.log.Logger}
	}
	if _, set := s.env("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	failed := make(chan error, 1)
	if s.pair != nil {
		hs.TLSConfig = s.pair.config(&s.asks)
		go func() { failed <- hs.ServeTLS(listener, "", "") }()
	} else {
		go func() { failed <- hs.Serve(listener) }()
	}
	return hs, failed
}

// serve waits until the context ends, then stops in order: no new requests, those
// in flight finish.
func (s *server) serve(ctx context.Context, hs *http.Server, failed <-chan error, handler *web.Handler) error {
	select {
	case err := <-failed:
		return fmt.Errorf("the server stopped by itself: %w", err)
	case <-ctx.Done():
	}
	s.log.Info("stopping: requests in flight are finished first; a second signal stops at once")
	handler.Leave()
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := hs.Shutdown(bound); err != nil {
		s.log.Warn("some requests did not finish in time and were cut off", "after", stopTimeout.String())
		return hs.Close()
	}
	s.log.Info("stopped")
	return nil
}
