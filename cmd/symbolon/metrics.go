package main

import (
	"cmp"
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/symbolon/symbolon/metrics"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/signin"
	"github.com/symbolon/symbolon/web"
)

// opened takes up the database once it is open, and counts what is asked of it.
func (w *watch) opened(db *database) {
	if w == nil {
		return
	}
	w.store.Store(&database{file: db.file, server: db.server})
	db.Store = w.Store(db.Store, w.traceStore(db))
}

// warned counts a warning that the database or the clock is not as it was left.
func (w *watch) warned() {
	if w != nil {
		w.warnings.Add(1)
	}
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
	w.traceRequests(h)
	w.WatchFeed(metrics.Feed{Bound: feedBound, Age: feed.Age, Entries: feed.Entries, Polls: feed.Polls})
	w.WatchKeys(func() metrics.Keyring {
		ring := metrics.Keyring{Now: s.clock.Now(), Stale: keys.late.Load()}
		for _, v := range viewKeys(append(keys.ring.Keys(), keys.signing.Keys()...), ring.Now) {
			ring.Keys = append(ring.Keys, metrics.Key{Kind: cmp.Or(v.Algorithm, v.Use), State: string(v.State), ActiveFrom: time.Time(v.ActiveFrom)})
		}
		return ring
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
		ctx, span := w.traceFetch(ctx)
		body, age, err := fetch(ctx, url)
		span(err)
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
