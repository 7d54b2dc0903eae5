package ssestream

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

// maxLinks bounds the messages that one load is linked to in traces, besides the first.
const maxLinks = 16

// cause is why a room loads, as far as messages are the reason.
type cause struct {
	since time.Time // when the first of the messages was published, zero without messages
	spans []trace.SpanContext
}

// add takes in another reason for the same load.
func (c *cause) add(more cause) {
	if c.since.IsZero() || !more.since.IsZero() && more.since.Before(c.since) {
		c.since = more.since
	}
	if room := 1 + maxLinks - len(c.spans); room > 0 {
		c.spans = append(c.spans, more.spans[:min(room, len(more.spans))]...)
	}
}

// tracing follows a change from its message through the load to the writes. Only what a sampled message caused is
// traced.
type tracing struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	published  func(msg *message.Message) time.Time
	logger     watermill.LoggerAdapter
}

func newTracing(config RouterConfig, logger watermill.LoggerAdapter) *tracing {
	return &tracing{
		tracer: config.TracerProvider.Tracer(scope), propagator: config.Propagator, published: config.PublishTime,
		logger: logger,
	}
}

// causeOf reads the trace context and the time of publication out of a message. A panic of the user's functions must not
// take the process down on every instance: what they would have said is only for those who watch.
func (t *tracing) causeOf(msg *message.Message) (c cause) {
	defer func() {
		if p := recover(); p != nil {
			c = cause{since: time.Now()}
			t.logger.Error("Message cannot be traced", fmt.Errorf("panic: %v", p), watermill.LogFields{"message_uuid": msg.UUID})
		}
	}()
	c.since = t.published(msg)
	ctx := t.propagator.Extract(context.Background(), propagation.MapCarrier(msg.Metadata))
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		c.spans = []trace.SpanContext{span}
	}

	return c
}

// startLoad begins the span of a load, below the first message that caused it and linked to the others. Without
// one that is sampled there is no span.
func (t *tracing) startLoad(ctx context.Context, key string, c cause) (context.Context, func(error)) {
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

// startWrite begins the span of the writes of a state, below its load. It ends them with how many clients there
// were.
func (t *tracing) startWrite(s *state) (end func(clients int)) {
	if s == nil || !s.span.IsSampled() {
		return func(int) {}
	}
	_, span := t.tracer.Start(trace.ContextWithSpanContext(context.Background(), s.span), "ssestream write")

	return func(clients int) {
		span.SetAttributes(attribute.Int("ssestream.clients", clients), attribute.Int("ssestream.bytes", len(s.frame)))
		span.End()
	}
}

// batchSpans are the spans of what one batch of a shard writes: one for each state, however many clients it is for.
type batchSpans struct {
	tracing *tracing
	open    map[*state]*batchSpan
}

type batchSpan struct {
	end     func(clients int)
	clients int
}

func (b *batchSpans) write(s *state) {
	if s == nil || !s.span.IsSampled() {
		return
	}
	span, ok := b.open[s]
	if !ok {
		span = &batchSpan{end: b.tracing.startWrite(s)}
		b.open[s] = span
	}
	span.clients++
}

func (b *batchSpans) finish() {
	for s, span := range b.open {
		span.end(span.clients)
		delete(b.open, s)
	}
}
