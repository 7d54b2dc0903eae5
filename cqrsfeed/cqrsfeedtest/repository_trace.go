package cqrsfeedtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func testEventTrace(t *testing.T, f RepositoryFixture) {
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3, 4}, TraceFlags: trace.FlagsSampled,
	}))
	item, err := f.Repository.Create(ctx, "one", Body{})
	require.NoError(t, err)
	_, err = f.Repository.Update(ctx, "one", setText("new"))
	require.NoError(t, err)
	_, err = f.Repository.Delete(ctx, "one")
	require.NoError(t, err)
	f.mustCreate(t, "untraced")

	events := drainAll(t, f.Outbox)
	require.Len(t, events, 4)
	for _, event := range events[:3] {
		assert.Equal(t, "00-01020000000000000000000000000000-0304000000000000-01", event.Message.Metadata.Get("traceparent"))
	}
	assert.NotContains(t, events[3].Message.Metadata, "traceparent", "nobody traces it")
	assert.WithinDuration(t, item.UpdatedAt, cqrsfeed.MessageTime(events[0].Message), time.Minute)
}
