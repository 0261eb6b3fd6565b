// Package traces sends what requests do to a collector, as OpenTelemetry's spans: a
// request, the calls of the store that it makes, the batch that its change is in,
// and what is fetched for it.
//
// A span has a name and attributes that stand in the program, and the request's id,
// which is in the log as well: no path and no parameter that was sent, no client_id,
// no account, no token and no code.
package traces

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/gather"
)

// Options are what a Tracer is made of.
type Options struct {
	// URL is where spans are sent to by OTLP over HTTP, in full.
	URL string
	// Header goes with every such request, for a collector that wants to be shown
	// a secret.
	Header http.Header
	// Ratio is how many of the requests are traced, of 1.
	Ratio float64
	// Version is that of the program.
	Version string
	// Failed is told when spans could not be sent, at most once a minute.
	Failed func(error)
}

// What is kept of spans that wait, and for how long. Further ones are dropped.
const (
	maxWaiting  = 2048
	maxTogether = 512
	sendEvery   = time.Second
	// sendTimeout bounds one try to send: nobody waits for it but what waits to be
	// sent.
	sendTimeout = 5 * time.Second
)

// Tracer makes spans and sends them. It may be used by many goroutines at once, and
// makes none of them wait.
type Tracer struct {
	spans  *sdk.TracerProvider
	tracer trace.Tracer
}

// New returns a Tracer. Nothing is sent before there is a span.
func New(o Options) *Tracer {
	t := new(Tracer)
	t.spans = sdk.NewTracerProvider(
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Ratio))),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "symbolon"),
			attribute.String("service.version", o.Version),
		)),
		sdk.WithBatcher(newExporter(&o), sdk.WithMaxQueueSize(maxWaiting), sdk.WithMaxExportBatchSize(maxTogether), sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(sendTimeout)),
	)
	t.tracer = t.spans.Tracer("github.com/symbolon/symbolon", trace.WithInstrumentationVersion(o.Version))
	return t
}

// Close sends what waits, and gives up when ctx ends.
func (t *Tracer) Close(ctx context.Context) error { return t.spans.Shutdown(ctx) }

// Request is a request that is being traced.
type Request struct {
	// Context is the request's, with its span in it.
	Context context.Context
	// ID is the trace's, in lower-case hex, or empty when the request is not traced.
	ID string

	span trace.Span
}

// methods are those that stand in a span.
var methods = map[string]string{"GET": "GET", "HEAD": "HEAD", "POST": "POST", "PUT": "PUT", "DELETE": "DELETE", "OPTIONS": "OPTIONS"}

// Begin begins the span of a request of a route; id is the request's own. With parent
// set it takes part in the trace that a header traceparent names (W3C Trace Context),
// and is traced if that says so: that is for callers who are trusted.
func (t *Tracer) Begin(r *http.Request, route, id string, parent bool) Request {
	ctx := r.Context()
	if parent {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	method := methods[r.Method]
	if method == "" {
		method = "_OTHER" // as the field's conventions have it
	}
	ctx, span := t.tracer.Start(ctx, method+" "+route, trace.WithSpanKind(trace.SpanKindServer))
	if !span.IsRecording() {
		return Request{Context: ctx, span: span}
	}
	span.SetAttributes(
		attribute.String("http.request.method", method),
		attribute.String("http.route", route),
		attribute.String("symbolon.request_id", id),
	)
	return Request{Context: ctx, ID: span.SpanContext().TraceID().String(), span: span}
}

// End ends the span with the answer's status, the error code in it and the reason
// behind that, which are empty when nothing was refused.
func (r *Request) End(status int, code, why string) {
	if r.ID == "" {
		return
	}
	r.span.SetAttributes(attribute.Int("http.response.status_code", status))
	if code != "" {
		r.span.SetAttributes(attribute.String("error.type", code), attribute.String("symbolon.reason", why))
	}
	if status >= 500 {
		r.span.SetStatus(codes.Error, "")
	}
	r.span.End()
}

// Store begins the span of a call of the store, of a database of this system. It is
// none when the request is not traced.
func (t *Tracer) Store(ctx context.Context, system, verb string) (context.Context, func(error)) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, nothing
	}
	return t.call(ctx, "store "+verb, trace.WithAttributes(attribute.String("db.system.name", system), attribute.String("db.operation.name", verb)))
}

// Fetch begins the span of something that is fetched for a request. It is none when
// the request is not traced.
func (t *Tracer) Fetch(ctx context.Context) (context.Context, func(error)) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, nothing
	}
	return t.call(ctx, "fetch", trace.WithSpanKind(trace.SpanKindClient))
}

// call begins a span that ends with an error or without. Only the error's kind is
// told: its text is for the log.
func (t *Tracer) call(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, func(error)) {
	ctx, span := t.tracer.Start(ctx, name, options...)
	return ctx, func(err error) {
		if err != nil {
			kind := symbolon.KindOf(err)
			span.SetAttributes(attribute.String("error.type", kind.String()))
			if kind == symbolon.Busy || kind == symbolon.Unknown || kind == symbolon.Internal {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}

func nothing(error) {}

// maxLinks bounds the callers that a batch names.
const maxLinks = 32

// Batch makes the span of a batch that has run. It belongs to the first of its
// callers that is traced, and is linked to the others.
func (t *Tracer) Batch(gatherer string, b gather.Batch) {
	var first context.Context
	var links []trace.Link
	for _, ctx := range b.Callers {
		span := trace.SpanContextFromContext(ctx)
		switch {
		case !span.IsSampled():
		case first == nil:
			first = trace.ContextWithSpanContext(context.Background(), span)
		case len(links) < maxLinks:
			links = append(links, trace.Link{SpanContext: span})
		}
	}
	if first == nil {
		return
	}
	_, span := t.tracer.Start(first, "batch "+gatherer, trace.WithTimestamp(b.Began), trace.WithLinks(links...),
		trace.WithAttributes(attribute.Int("symbolon.batch.size", len(b.Callers))))
	span.End(trace.WithTimestamp(b.Ended))
}
