package outbox

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// relayTraces continues the traces that messages carry. The messages stay as they are: what reads them is a
// sibling of the publishing, not its child, whichever relay it was.
type relayTraces struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

func newRelayTraces(config RelayConfig) *relayTraces {
	return &relayTraces{tracer: config.TracerProvider.Tracer(relayScope), propagator: config.Propagator}
}

// start begins a span for each message of a sampled trace; a trace of the relay's own has no part in it.
func (t *relayTraces) start(ctx context.Context, topic string, messages []*message.Message) (end func(error)) {
	none := trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	var spans []trace.Span
	for _, msg := range messages {
		parent := t.propagator.Extract(none, propagation.MapCarrier(msg.Metadata))
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
