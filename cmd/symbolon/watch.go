package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/metrics"
	"github.com/symbolon/symbolon/traces"
)

// watchSettings are how a server can be watched. All of it is off from the start.
type watchSettings struct {
	// MetricsListen is the address and port of a socket of its own.
	MetricsListen string `setting:"metrics_listen" group:"watch" placeholder:"HOST:PORT" help:"Serve metrics for Prometheus at /metrics on this address and port, which only Prometheus should reach. None by default."`
	// Traces is where a collector takes spans by OTLP over HTTP.
	Traces string `setting:"traces" group:"watch" placeholder:"URL" help:"Send traces to this OpenTelemetry collector, by OTLP over HTTP: http://127.0.0.1:4318. None by default."`
	// TracesRatio is how many requests are traced, of 1.
	TracesRatio float64 `setting:"traces_ratio" group:"watch" default:"0.01" placeholder:"RATIO" help:"How many of the requests are traced, above 0 and up to 1 (${default})."`
	// TracesParent believes the header traceparent of TrustedProxies.
	TracesParent bool `setting:"traces_parent" name:"traces-parent" group:"watch" help:"Take part in the traces of the trusted proxy: believe its header traceparent, which it must set itself and not hand on from callers."`
}

// check returns what is wrong with the settings; proxied says that there is a trusted
// proxy.
func (w *watchSettings) check(proxied bool) error {
	var faults []error
	if w.MetricsListen != "" {
		if _, _, err := splitListen(w.MetricsListen); err != nil {
			faults = append(faults, mend(fmt.Errorf("metrics_listen %q is not HOST:PORT", w.MetricsListen), "write it as 127.0.0.1:9464"))
		}
	}
	if w.Traces != "" {
		_, err := collectorURL(w.Traces)
		faults = append(faults, err)
		if !(w.TracesRatio > 0 && w.TracesRatio <= 1) { // nor is it, when it is no number
			faults = append(faults, mend(fmt.Errorf("traces_ratio is %v", w.TracesRatio), "choose a number above 0 and up to 1, such as 0.01 for one request of a hundred; to have no traces, leave out traces"))
		}
	}
	if w.TracesParent && !proxied {
		faults = append(faults, mend(errors.New("traces_parent is set and trusted_proxy is not: any caller could have its requests traced"), "name the proxy that sets traceparent: --trusted-proxy 127.0.0.1/32"))
	}
	return errors.Join(faults...)
}

// collectorURL returns where spans are sent to. A URL without a path is that of a
// collector, which takes them at /v1/traces.
func collectorURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", mend(errors.New("traces is not an absolute URL"), "write it as http://127.0.0.1:4318")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// Not repeated, since there may be a secret in it.
		return "", mend(errors.New("traces has more than a host, a port and a path"), "write it as http://127.0.0.1:4318; what the collector wants to be shown goes into %s", collectorHeaders)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// watch is what an operator may see of a server: its metrics, on a socket of their
// own, and its traces. Nil is a server that is not watched; its methods do nothing
// then.
type watch struct {
	*metrics.Metrics
	tracer *traces.Tracer // nil when nothing is traced
	parent bool           // TracesParent
	log    *slog.Logger
	http   *http.Server             // nil when metrics are not served
	store  atomic.Pointer[database] // nil until it is open
	// warnings counts those that the database or the clock is not as it was left.
	warnings atomic.Uint64
}

// newWatch opens the socket for metrics and answers there at once, so that a server
// that waits for its database is seen to wait.
func newWatch(s *server) (*watch, error) {
	if s.MetricsListen == "" && s.Traces == "" {
		return nil, nil //nolint:nilnil // nil is a server that is not watched
	}
	b := thisBuild()
	w := &watch{Metrics: metrics.New(metrics.Build{Version: b.Version, Commit: b.Commit}), log: s.log.Logger, parent: s.TracesParent}
	w.WatchDatabase(w.database)
	w.WatchRollbacks(w.warnings.Load)
	w.WatchDisk(func() (free, used uint64, ok bool) { return diskOf(s.Data) })
	if s.MetricsListen != "" {
		if err := w.listen(s.MetricsListen); err != nil {
			return nil, err
		}
	}
	if s.Traces != "" {
		var err error
		if w.tracer, err = newTracer(&s.watchSettings, b.Version, s.env, s.log.Logger); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *watch) listen(address string) error {
	listener, err := listen(address, "--metrics-listen")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.Handler())
	w.http = &http.Server{Handler: mux, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: 5 * time.Minute, ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug)}
	go func() {
		if err := w.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			w.log.Error("metrics are served no more; the server goes on", "cause", err.Error())
		}
	}()
	w.log.Info("metrics are served at /metrics", "listen", listener.Addr().String())
	return nil
}

// flushTimeout bounds how long a server that stops waits for the collector to take
// the last spans.
const flushTimeout = 2 * time.Second

// close sends the last spans and ends the socket. What is being read of it is cut
// off.
func (w *watch) close() {
	if w == nil {
		return
	}
	if w.http != nil {
		_ = w.http.Close() // nothing was promised there
	}
	if w.tracer != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		if err := w.tracer.Close(ctx); err != nil {
			w.log.Warn("the last traces were not taken in time and are lost", "after", flushTimeout.String())
		}
	}
}
