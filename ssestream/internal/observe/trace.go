package observe

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxLinks bounds the messages that the span of a load is linked to, besides its parent.
const maxLinks = 16

// Cause is what is known of the messages that a load is for.
type Cause struct {
	Since time.Time // when the first of them was published, zero without messages
	spans []trace.SpanContext
}

// Add adds another reason for the same load.
func (c *Cause) Add(more Cause) {
	if c.Since.IsZero() || !more.Since.IsZero() && more.Since.Before(c.Since) {
		c.Since = more.Since
	}
	if room := 1 + maxLinks - len(c.spans); room > 0 {
		c.spans = append(c.spans, more.spans[:min(room, len(more.spans))]...)
	}
}

// Traces follows a change from its message through the load to the first write. Only what a sampled message caused is traced.
type Traces struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	published  func(msg *message.Message) time.Time
	logger     watermill.LoggerAdapter
}

// NewTraces returns traces for the provider. published returns when a message was published.
func NewTraces(
	provider trace.TracerProvider, published func(msg *message.Message) time.Time, logger watermill.LoggerAdapter,
) *Traces {
	return &Traces{
		tracer: provider.Tracer(scope), propagator: propagation.TraceContext{}, published: published, logger: logger,
	}
}

// CauseOf reads the trace context and the time of publication from a message. A panic of the user's function must not
// end the process on every instance, for the sake of a metric.
func (t *Traces) CauseOf(msg *message.Message) (c Cause) {
	defer func() {
		if p := recover(); p != nil {
			c = Cause{Since: time.Now()}
			t.logger.Error("PublishTime failed", fmt.Errorf("panic: %v", p), watermill.LogFields{"message_uuid": msg.UUID})
		}
	}()
	c.Since = t.published(msg)
	ctx := t.propagator.Extract(context.Background(), propagation.MapCarrier(msg.Metadata))
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		c.spans = []trace.SpanContext{span}
	}

	return c
}

// StartLoad starts the span of a load, below the first message that caused it and linked to the others. Without a
// sampled message there is no span. The returned function ends it.
func (t *Traces) StartLoad(ctx context.Context, key string, c Cause) (context.Context, func(error)) {
	if len(c.spans) == 0 {
		return ctx, func(error) {}
	}
	links := make([]trace.Link, 0, len(c.spans)-1)
	for _, span := range c.spans[1:] {
		links = append(links, trace.Link{SpanContext: span})
	}
	ctx, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, c.spans[0]), "ssestream load",
		trace.WithAttributes(attribute.String("ssestream.key", key)), trace.WithLinks(links...))

	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// FirstWrite adds the span of the first write of a state, below the span of its load. It starts when the load ended.
func (t *Traces) FirstWrite(load trace.SpanContext, loaded time.Time) {
	_, span := t.tracer.Start(trace.ContextWithSpanContext(context.Background(), load), "ssestream write",
		trace.WithTimestamp(loaded))
	span.End()
}
