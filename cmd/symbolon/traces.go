package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon/metrics"
	"github.com/symbolon/symbolon/traces"
	"github.com/symbolon/symbolon/web"
)

// collectorHeaders is the environment variable with headers for the collector, as
// OpenTelemetry names it: NAME=VALUE, separated by commas, values percent-encoded.
// It is no setting of ours, since it holds a secret as a rule.
const collectorHeaders = "OTEL_EXPORTER_OTLP_HEADERS"

func newTracer(s *watchSettings, version string, env lookup, log *slog.Logger) (*traces.Tracer, error) {
	to, err := collectorURL(s.Traces)
	if err != nil {
		return nil, err
	}
	text, _ := env(collectorHeaders)
	header, err := readHeaders(text)
	if err != nil {
		return nil, err
	}
	log.Info("requests are traced", "collector", to, "ratio", s.TracesRatio)
	return traces.New(traces.Options{
		URL: to, Header: header, Ratio: s.TracesRatio, Version: version,
		Failed: func(err error) {
			log.Warn("traces cannot be sent and are lost; the server goes on", "cause", err.Error())
		},
	}), nil
}

// readHeaders reads what collectorHeaders has. The error does not repeat it.
func readHeaders(text string) (http.Header, error) {
	header := make(http.Header)
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || name == "" || strings.ContainsFunc(name, notInHeaderName) || strings.ContainsFunc(value, notInHeaderValue) {
			return nil, mend(fmt.Errorf("%s cannot be read", collectorHeaders), "write it as authorization=Bearer%%20TOKEN, several separated by commas")
		}
		header.Add(name, value)
	}
	return header, nil
}

func notInHeaderValue(r rune) bool { return r < ' ' || r >= 0x7f }

// traceRequests makes a span of each request. Who sends a traceparent is believed
// only when it is the trusted proxy and the owner says that it sets the header: a
// stranger could otherwise have all of its requests traced, and pay nothing.
func (w *watch) traceRequests(h *web.Handler) {
	if w.tracer == nil {
		return
	}
	h.OnRequest(func(b web.Begun) web.Span {
		r := w.tracer.Begin(b.Request, b.Route, b.ID, b.Trusted && w.parent)
		return web.Span{Context: r.Context, ID: r.ID, End: func(a web.Answered) { r.End(a.Status, a.Code, a.Why) }}
	})
}

// traceStore returns what makes a span of each call of the database, and has one
// made of each batch.
func (w *watch) traceStore(db *database) metrics.Trace {
	if w.tracer == nil {
		return nil
	}
	system := "postgresql"
	if db.file != nil {
		system = "sqlite"
		db.file.OnBatch(w.tracer.Batch)
	} else {
		db.server.OnBatch(w.tracer.Batch)
	}
	return func(ctx context.Context, verb metrics.Verb) (context.Context, func(error)) {
		return w.tracer.Store(ctx, system, verb.String())
	}
}

// traceFetch makes a span of something that is fetched.
func (w *watch) traceFetch(ctx context.Context) (context.Context, func(error)) {
	if w.tracer == nil {
		return ctx, func(error) {}
	}
	return w.tracer.Fetch(ctx)
}
