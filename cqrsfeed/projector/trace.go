package projector

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// telemetryScope is the instrumentation scope of metrics and traces.
const telemetryScope = "github.com/feedmill/feedmill/cqrsfeed"

// projectorTraces makes the spans of a projector, for sampled messages only.
type projectorTraces struct {
	tracer trace.Tracer
	name   string
}

// startApply begins the span of an attempt. It is a child of the first sampled message's span and links to the others. Without
// a sampled message there is no span, and the context has the first message's trace for the updates.
func (t projectorTraces) startApply(ctx context.Context, batch []*message.Message) (context.Context, func(error)) {
	var first trace.SpanContext
	var sampled []trace.Link
	for _, msg := range batch {
		cause := traceOf(msg)
		if !first.IsValid() {
			first = cause
		}
		if cause.IsSampled() {
			sampled = append(sampled, trace.Link{SpanContext: cause})
		}
	}
	if len(sampled) == 0 {
		if first.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, first)
		}
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, sampled[0].SpanContext), "cqrsfeed apply",
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(sampled[1:]...), trace.WithAttributes(
			attribute.String("cqrsfeed.projector", t.name), attribute.Int("cqrsfeed.batch.size", len(batch))))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// traceOf returns the trace context of a message's metadata. It is not valid if there is none.
func traceOf(msg *message.Message) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier(msg.Metadata))
	return trace.SpanContextFromContext(ctx)
}
