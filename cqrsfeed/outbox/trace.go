package outbox

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// relayTraces continues the traces that messages carry. It does not change the messages: the spans of their consumers are
// siblings of the publishing, not its children.
type relayTraces struct{ tracer trace.Tracer }

// start begins a span for each message whose trace is sampled. It ignores a trace in ctx.
func (t relayTraces) start(ctx context.Context, topic string, messages []*message.Message) (end func(error)) {
	none := trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	var spans []trace.Span
	for _, msg := range messages {
		parent := propagation.TraceContext{}.Extract(none, propagation.MapCarrier(msg.Metadata))
		if !trace.SpanContextFromContext(parent).IsSampled() {
			continue
		}
		_, span := t.tracer.Start(parent, "cqrsfeed publish", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.message.id", msg.UUID),
			attribute.Int("messaging.batch.message_count", len(messages)),
		))
		spans = append(spans, span)
	}
	return func(err error) {
		for _, span := range spans {
			if err != nil {
				span.SetStatus(codes.Error, err.Error())
			}
			span.End()
		}
	}
}
