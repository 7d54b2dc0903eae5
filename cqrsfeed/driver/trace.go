package driver

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceParentKey is W3C's name for it.
const traceParentKey = "traceparent"

// InjectTrace writes the trace context of ctx into the message's metadata, as W3C has it ("traceparent"), unless
// there is one already. Without a trace it does nothing. Outboxes call it for what is added to them, so that
// whatever an event causes, in whichever process, joins the trace of the change.
func InjectTrace(ctx context.Context, msg *message.Message) {
	if !trace.SpanContextFromContext(ctx).IsValid() || msg.Metadata.Get(traceParentKey) != "" {
		return
	}
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(msg.Metadata))
}
