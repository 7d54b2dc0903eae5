package projector

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// telemetryScope names this package to OpenTelemetry.
const telemetryScope = "github.com/feedmill/feedmill/cqrsfeed"

// projectorTraces makes the spans of a projector. Only what a sampled message caused is traced.
type projectorTraces struct {
	tracer trace.Tracer
	name   string
}

func newProjectorTraces(config Config) projectorTraces {
	return projectorTraces{tracer: config.TracerProvider.Tracer(telemetryScope), name: config.Name}
}

// startApply begins the span of an attempt, below the first sampled message and linked to the others. Without
// one there is no span, and ctx carries on the first message's trace as it is.
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

// traceOf is the trace context that the message's metadata carries; it is not valid where there is none.
func traceOf(msg *message.Message) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier(msg.Metadata))
	return trace.SpanContextFromContext(ctx)
}
