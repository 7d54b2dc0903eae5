package driver

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceParentKey is W3C's name for it.
const traceParentKey = "traceparent"

// InjectTrace writes the trace context of ctx into the message's metadata (W3C's traceparent), unless there is one already.
// Without a trace it does nothing. Outboxes call it for each message, so that all effects of an event, in any process, join the
// trace of the change.
func InjectTrace(ctx context.Context, msg *message.Message) {
	if !trace.SpanContextFromContext(ctx).IsValid() || msg.Metadata.Get(traceParentKey) != "" {
		return
	}
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(msg.Metadata))
}
