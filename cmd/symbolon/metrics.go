package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/symbolon/symbolon/metrics"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/signin"
	"github.com/symbolon/symbolon/web"
)

// watchSettings are how a server can be watched. All of it is off from the start.
type watchSettings struct {
	// MetricsListen is the address and port of a socket of its own.
	MetricsListen string `setting:"metrics_listen" group:"watch" placeholder:"HOST:PORT" help:"Serve metrics for Prometheus at /metrics on this address and port, which only Prometheus should reach. None by default."`
}

// check returns what is wrong with the settings.
func (w *watchSettings) check() error {
	if w.MetricsListen == "" {
		return nil
	}
	if _, _, err := splitListen(w.MetricsListen); err != nil {
		return mend(fmt.Errorf("metrics_listen %q is not HOST:PORT", w.MetricsListen), "write it as 127.0.0.1:9464")
	}
	return nil
}

// watch is what an operator may see of a server: its metrics, on a socket of their
// own. Nil is a server that is not watched; its methods do nothing then.
type watch struct {
	*metrics.Metrics
	http  *http.Server
	store atomic.Pointer[database] // nil until it is open
}

// newWatch opens the socket for metrics and answers there at once, so that a server
// that waits for its database is seen to wait.
func newWatch(s *watchSettings, data string, log *slog.Logger) (*watch, error) {
	if s.MetricsListen == "" {
		return nil, nil //nolint:nilnil // nil is a server that is not watched
	}
	listener, err := listen(s.MetricsListen, "--metrics-listen")
	if err != nil {
		return nil, err
	}
	b := thisBuild()
	w := &watch{Metrics: metrics.New(metrics.Build{Version: b.Version, Commit: b.Commit})}
	w.WatchDatabase(w.database)
	w.WatchDisk(func() (free, used uint64, ok bool) { return diskOf(data) })
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.Handler())
	w.http = &http.Server{Handler: mux, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: 5 * time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() {
		if err := w.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are served no more; the server goes on", "cause", err.Error())
		}
	}()
	log.Info("metrics are served at /metrics", "listen", listener.Addr().String())
	return w, nil
}

// close ends the socket. What is being read of it is cut off.
func (w *watch) close() {
	if w != nil {
		_ = w.http.Close() // nothing was promised there
	}
}

// opened takes up the database once it is open, and counts what is asked of it.
func (w *watch) opened(db *database) {
	if w == nil {
		return
	}
	w.store.Store(&database{file: db.file, server: db.server})
	db.Store = w.Store(db.Store, nil)
}

// database says how the database does, without asking it.
func (w *watch) database() (metrics.Database, bool) {
	db := w.store.Load()
	switch {
	case db == nil:
		return metrics.Database{}, false
	case db.file != nil:
		s := db.file.Stats()
		return metrics.Database{Away: s.Away, Gatherers: []metrics.Gatherer{{Name: "writes", Stats: s.Writes}}}, true
	}
	s := db.server.Stats()
	return metrics.Database{
		Away: s.Away,
		Gatherers: []metrics.Gatherer{
			{Name: "connects", Stats: s.Connects}, {Name: "refreshes", Stats: s.Refreshes}, {Name: "ends", Stats: s.Ends}, {Name: "once", Stats: s.Uses},
		},
		Pools: []metrics.Pool{poolOf("reads", s.Reads), poolOf("writes", s.Writes)},
	}, true
}

func poolOf(name string, p postgres.Pool) metrics.Pool {
	return metrics.Pool{Name: name, Acquired: p.Acquired, Idle: p.Idle, Max: p.Max, Waits: p.Waits, Waited: p.Waited}
}

// served takes up what answers requests.
func (w *watch) served(s *server, h *web.Handler, feed *oauth.Feed, keys *keyring, throttle *signin.Throttle) {
	if w == nil {
		return
	}
	var routes []metrics.Route
	for _, r := range h.Routes() {
		routes = append(routes, metrics.Route(r))
	}
	var reasons []metrics.Reason
	for _, r := range web.Reasons() {
		reasons = append(reasons, metrics.Reason(r))
	}
	requests := w.Requests(routes, reasons, h.InFlight)
	h.OnAnswer(func(a web.Answered) {
		requests.Answered(a.Route, a.Method, a.Status, metrics.Reason{Code: a.Code, Why: a.Why}, a.Took)
	})
	w.WatchFeed(metrics.Feed{Bound: feedBound, Age: feed.Age})
	w.WatchKeys(func() metrics.Keyring {
		return metrics.Keyring{Keys: append(keys.ring.Keys(), keys.signing.Keys()...), Now: s.clock.Now(), Stale: keys.late.Load()}
	})
	w.WatchSignIns(throttle.Refused)
	if s.pair != nil {
		w.WatchCertificate(s.pair.expires)
	}
}

// fetching counts and times what is fetched.
func (w *watch) fetching(fetch func(ctx context.Context, url string) ([]byte, time.Duration, error)) func(ctx context.Context, url string) ([]byte, time.Duration, error) {
	if w == nil {
		return fetch
	}
	return func(ctx context.Context, url string) ([]byte, time.Duration, error) {
		began := time.Now()
		body, age, err := fetch(ctx, url)
		w.Fetched(err, time.Since(began))
		return body, age, err
	}
}

// diskOf returns how many bytes are free where a data directory is, and how many
// its files have.
func diskOf(dir string) (free, used uint64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, false
	}
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if info, err := entry.Info(); err == nil { // else it has just gone
			used += uint64(info.Size())
		}
		return nil
	})
	return st.Bavail * uint64(st.Bsize), used, err == nil
}
