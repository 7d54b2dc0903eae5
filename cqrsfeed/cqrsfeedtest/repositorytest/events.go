package repositorytest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func decodeUpdated(t *testing.T, m outbox.Message) cqrsfeed.ItemUpdated[model.Body] {
	t.Helper()
	var event cqrsfeed.ItemUpdated[model.Body]
	require.NoError(t, json.Unmarshal(m.Message.Payload, &event))
	return event
}

func testEvents(t *testing.T, f Fixture) {
	created := f.mustCreate(t, "one")
	updated := f.mustUpdate(t, "one", setText("new"))
	deleted := f.mustDelete(t, "one")

	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 3)
	seen := map[string]bool{}
	for i, want := range []struct {
		topic, name string
		item        cqrsfeed.Item[model.Body]
	}{
		{f.Topics.Created, "ItemCreated", created},
		{f.Topics.Updated, "ItemUpdated", updated},
		{f.Topics.Deleted, "ItemDeleted", deleted},
	} {
		assert.Equal(t, want.topic, events[i].Topic)
		assert.Equal(t, want.name, events[i].Message.Metadata.Get(cqrsfeed.NameKey))
		item, err := cqrsfeed.DecodeItem[model.Body](events[i].Message)
		require.NoError(t, err)
		assert.Equal(t, want.item, item)
		assert.NotEmpty(t, events[i].Message.UUID)
		assert.Equal(t, want.item.ID, events[i].Message.Metadata.Get(cqrsfeed.PartitionKey))
		assert.False(t, seen[events[i].Message.UUID], "two events have one UUID")
		seen[events[i].Message.UUID] = true
	}
}

func testUpdatedEvent(t *testing.T, f Fixture) {
	created := f.mustCreate(t, "one")
	second := f.mustUpdate(t, "one", setText("second"))
	third := f.mustUpdate(t, "one", setText("third"))

	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 3)
	assert.Equal(t, cqrsfeed.ItemUpdated[model.Body]{Original: &created, Item: second}, decodeUpdated(t, events[1]))
	assert.Equal(t, cqrsfeed.ItemUpdated[model.Body]{Original: &second, Item: third}, decodeUpdated(t, events[2]))
}

func testChangesWake(t *testing.T, f Fixture) {
	outboxes.RequireAsleep(t, f.Outbox)
	f.mustCreate(t, "one")
	outboxes.RequireAwake(t, f.Outbox)
	f.mustUpdate(t, "one", setText("new"))
	outboxes.RequireAwake(t, f.Outbox)
	_, err := f.Repository.Update(t.Context(), "one", setText("new"), cqrsfeed.IfVersion(9))
	require.Error(t, err)
	outboxes.RequireAsleep(t, f.Outbox)
	f.mustDelete(t, "one")
	outboxes.RequireAwake(t, f.Outbox)
}

func testEventTrace(t *testing.T, f Fixture) {
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3, 4}, TraceFlags: trace.FlagsSampled,
	}))
	item, err := f.Repository.Create(ctx, "one", model.Body{})
	require.NoError(t, err)
	_, err = f.Repository.Update(ctx, "one", setText("new"))
	require.NoError(t, err)
	_, err = f.Repository.Delete(ctx, "one")
	require.NoError(t, err)
	f.mustCreate(t, "untraced")

	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 4)
	for _, event := range events[:3] {
		assert.Equal(t, "00-01020000000000000000000000000000-0304000000000000-01", event.Message.Metadata.Get("traceparent"))
	}
	assert.NotContains(t, events[3].Message.Metadata, "traceparent", "nobody traces it")
	assert.WithinDuration(t, item.UpdatedAt, cqrsfeed.MessageTime(events[0].Message), time.Minute)
}
