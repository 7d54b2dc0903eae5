package cqrsfeed_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestItemSurvivesEveryEvent(t *testing.T) {
	t.Parallel()
	item := cqrsfeed.Item[map[string]int]{
		ID: "x", Version: 3, Body: map[string]int{"n": 1}, Deleted: true,
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 7000, time.UTC),
	}
	for name, event := range map[string]any{
		"ItemCreated": cqrsfeed.ItemCreated[map[string]int]{Item: item},
		"ItemUpdated": cqrsfeed.ItemUpdated[map[string]int]{Item: item},
		"ItemDeleted": cqrsfeed.ItemDeleted[map[string]int]{Item: item},
	} {
		msg, err := cqrsfeed.NewMessage(name, event)
		require.NoError(t, err)
		assert.Equal(t, name, msg.Metadata.Get(cqrsfeed.NameKey))
		got, err := cqrsfeed.DecodeItem[map[string]int](msg)
		require.NoError(t, err)
		assert.Equal(t, item, got)
	}
}

func TestEventThatCannotBeEncodedIsAnError(t *testing.T) {
	t.Parallel()
	_, err := cqrsfeed.NewMessage("ItemCreated", func() {})
	require.ErrorContains(t, err, "encode event ItemCreated")
}

func TestTopicsNameEveryProblem(t *testing.T) {
	t.Parallel()
	require.NoError(t, cqrsfeed.Topics{Created: "a", Updated: "b", Deleted: "c"}.Validate())
	err := cqrsfeed.Topics{Updated: "b"}.Validate()
	require.ErrorContains(t, err, "Created")
	require.ErrorContains(t, err, "Deleted")
}

// FuzzDecodeItem shows that a payload is either refused or yields an item that a store can keep.
func FuzzDecodeItem(f *testing.F) {
	f.Add([]byte(`{"item":{"id":"x","version":1,"body":"b"}}`))
	f.Add([]byte(`{"item":{"id":"x","version":0}}`))
	f.Add([]byte(`{"item":null}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"item":{"id":"\u0000","version":1}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		item, err := cqrsfeed.DecodeItem[any](message.NewMessage("m", payload))
		if err != nil {
			return
		}
		require.NoError(t, cqrsfeed.FeedChange[any]{Item: item}.Validate())
	})
}

func TestTopicsOfAName(t *testing.T) {
	t.Parallel()
	topics := cqrsfeed.TopicsOf("note")
	assert.Equal(t, cqrsfeed.Topics{Created: "note-created", Updated: "note-updated", Deleted: "note-deleted"}, topics)
	require.NoError(t, topics.Validate())
}
