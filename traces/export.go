package traces

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// exporter sends spans by OTLP over HTTP, in its binary encoding. The library's own
// brings all of gRPC along, which is more code than this program
// (docs/decisions/0022).
type exporter struct {
	options *Options
	http    *http.Client
	told    time.Time // when a failure was last told of; the library calls one at a time
}

var _ sdk.SpanExporter = (*exporter)(nil)

func newExporter(o *Options) *exporter {
	return &exporter{options: o, http: &http.Client{
		Timeout: sendTimeout,
		Transport: &http.Transport{
			MaxIdleConns: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		// What is sent is for the collector that was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// failedEvery is how often is told that spans cannot be sent.
const failedEvery = time.Minute

// ExportSpans implements sdk.SpanExporter. Spans that cannot be sent are lost: there
// will be others.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.send(ctx, spans)
	if err != nil && time.Since(e.told) > failedEvery && e.options.Failed != nil {
		e.told = time.Now()
		e.options.Failed(err)
	}
	return nil // the library would write it elsewhere
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.http.CloseIdleConnections()
	return nil
}

func (e *exporter) send(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := proto.Marshal(message(spans))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.options.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range e.options.Header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "symbolon")
	w, err := e.http.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(w.Body, 64<<10)) // so that the connection can be used again
	if w.StatusCode != http.StatusOK {
		return fmt.Errorf("the collector answers %s", w.Status)
	}
	return nil
}

// message is the spans as OTLP has them. All are of one server, so they share one
// resource and one scope.
func message(spans []sdk.ReadOnlySpan) *collector.ExportTraceServiceRequest {
	if len(spans) == 0 {
		return new(collector.ExportTraceServiceRequest)
	}
	scope := &otlp.ScopeSpans{Scope: &common.InstrumentationScope{
		Name: spans[0].InstrumentationScope().Name, Version: spans[0].InstrumentationScope().Version,
	}}
	for _, s := range spans {
		scope.Spans = append(scope.Spans, spanOf(s))
	}
	return &collector.ExportTraceServiceRequest{ResourceSpans: []*otlp.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: attributesOf(spans[0].Resource().Attributes())},
		ScopeSpans: []*otlp.ScopeSpans{scope},
	}}}
}

// kinds are the kinds of spans as OTLP numbers them.
var kinds = map[trace.SpanKind]otlp.Span_SpanKind{
	trace.SpanKindInternal: otlp.Span_SPAN_KIND_INTERNAL,
	trace.SpanKindServer:   otlp.Span_SPAN_KIND_SERVER,
	trace.SpanKindClient:   otlp.Span_SPAN_KIND_CLIENT,
}

func spanOf(s sdk.ReadOnlySpan) *otlp.Span {
	c := s.SpanContext()
	id, span := c.TraceID(), c.SpanID()
	p := &otlp.Span{
		TraceId: id[:], SpanId: span[:], Flags: uint32(c.TraceFlags()), TraceState: c.TraceState().String(),
		Name: s.Name(), Kind: kinds[s.SpanKind()],
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes:             attributesOf(s.Attributes()),
		DroppedAttributesCount: uint32(s.DroppedAttributes()), DroppedLinksCount: uint32(s.DroppedLinks()),
	}
	if parent := s.Parent(); parent.SpanID().IsValid() {
		id := parent.SpanID()
		p.ParentSpanId = id[:]
	}
	for _, l := range s.Links() {
		id, span := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		p.Links = append(p.Links, &otlp.Span_Link{TraceId: id[:], SpanId: span[:], Flags: uint32(l.SpanContext.TraceFlags())})
	}
	if s.Status().Code == codes.Error {
		p.Status = &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR}
	}
	return p
}

// attributesOf turns texts and numbers into those of OTLP; there are no others.
func attributesOf(list []attribute.KeyValue) []*common.KeyValue {
	var out []*common.KeyValue
	for _, a := range list {
		v := &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value.Emit()}}
		if a.Value.Type() == attribute.INT64 {
			v.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		}
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: v})
	}
	return out
}
