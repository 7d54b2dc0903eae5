package driver_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

func TestInjectTraceKeepsATrace(t *testing.T) {
	t.Parallel()
	spans := sdktrace.NewTracerProvider()
	ctx, span := spans.Tracer("test").Start(t.Context(), "a change")
	defer span.End()
	msg := &message.Message{UUID: "m"}
	driver.InjectTrace(t.Context(), msg)
	assert.Empty(t, msg.Metadata)
	driver.InjectTrace(ctx, msg)
	assert.Contains(t, msg.Metadata.Get("traceparent"), span.SpanContext().TraceID().String())
	const otherParent = "00-aaaabbbbccccddddaaaabbbbccccdddd-aaaabbbbccccdddd-01"
	other := message.NewMessage("m", nil)
	other.Metadata.Set("traceparent", otherParent)
	driver.InjectTrace(ctx, other)
	assert.Equal(t, otherParent, other.Metadata.Get("traceparent"))
}
