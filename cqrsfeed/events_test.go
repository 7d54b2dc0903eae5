package cqrsfeed_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// event is an event of this package.
type event interface {
	Message() (*message.Message, error)
}

func TestItemSurvivesEveryEvent(t *testing.T) {
	t.Parallel()
	item := cqrsfeed.Item[map[string]int]{
		ID: `x"body":{}`, Version: 3, Body: map[string]int{"n": 1, "<": 2}, Deleted: true, Encoded: json.RawMessage(`{ "n" : 1, "<": 2 }`),
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 7000, time.UTC),
	}
	for name, event := range map[string]event{
		"ItemCreated": cqrsfeed.ItemCreated[map[string]int]{Item: item},
		"ItemUpdated": cqrsfeed.ItemUpdated[map[string]int]{Original: &item, Item: item},
		"ItemDeleted": cqrsfeed.ItemDeleted[map[string]int]{Item: item},
	} {
		msg, err := event.Message()
		require.NoError(t, err)
		assert.Equal(t, name, msg.Metadata.Get(cqrsfeed.NameKey))
		got, err := cqrsfeed.DecodeItem[map[string]int](msg)
		require.NoError(t, err)
		assert.Equal(t, item, got)
		again, err := json.Marshal(event)
		require.NoError(t, err)
		assert.JSONEq(t, string(again), string(msg.Payload))
	}
}

// TestEventsHaveTheBodyThatTheApplicationChanged: they must not have what it removed.
func TestEventsHaveTheBodyThatTheApplicationChanged(t *testing.T) {
	t.Parallel()
	type account struct{ Name, Email string }
	item := cqrsfeed.Item[account]{ID: "x", Version: 1, Encoded: json.RawMessage(`{"Name":"Ann","Email":"secret"}`)}
	require.NoError(t, item.DecodeBody())
	item.Body.Email = ""
	for _, event := range []event{
		cqrsfeed.ItemCreated[account]{Item: item},
		cqrsfeed.ItemUpdated[account]{Original: &item, Item: item},
		cqrsfeed.ItemDeleted[account]{Item: item},
	} {
		msg, err := event.Message()
		require.NoError(t, err)
		assert.Contains(t, string(msg.Payload), `"body":{"Name":"Ann","Email":""}`)
		assert.NotContains(t, string(msg.Payload), "secret")
	}
}

// TestEventsKeepBodiesThatAreNotKnown also of tombstones, and of types that cannot always be encoded.
func TestEventsKeepBodiesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"Name":5}`, `null`, `"a"`} {
		item := cqrsfeed.Item[neverZero]{ID: "x", Version: 2, Deleted: true, Encoded: json.RawMessage(body)}
		_ = item.DecodeBody()
		msg, err := cqrsfeed.ItemDeleted[neverZero]{Item: item}.Message()
		require.NoError(t, err, body)
		assert.Contains(t, string(msg.Payload), `"body":`+body)
	}
}

// neverZero cannot be encoded when it is empty.
type neverZero string

func (s neverZero) MarshalJSON() ([]byte, error) {
	if s == "" {
		return nil, errors.New("empty")
	}
	return json.Marshal(string(s))
}

func TestEventThatCannotBeEncodedIsAnError(t *testing.T) {
	t.Parallel()
	_, err := cqrsfeed.NewMessage("Placed", func() {})
	require.ErrorContains(t, err, "encode event Placed")
	_, err = cqrsfeed.ItemCreated[func()]{Item: cqrsfeed.Item[func()]{ID: "x"}}.Message()
	require.ErrorContains(t, err, "encode event ItemCreated")
}

func TestTopicsNameEveryProblem(t *testing.T) {
	t.Parallel()
	require.NoError(t, cqrsfeed.Topics{Created: "a", Updated: "b", Deleted: "c"}.Validate())
	err := cqrsfeed.Topics{Updated: "b"}.Validate()
	require.ErrorContains(t, err, "Created")
	require.ErrorContains(t, err, "Deleted")
}

// FuzzDecodeItem checks that a payload is either refused or decodes to an item that a store can keep.
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
	assert.Equal(t, []string{"note-created", "note-updated", "note-deleted"}, topics.All())
	assert.Equal(t, []string{"notes"}, cqrsfeed.Topics{Created: "notes", Updated: "notes", Deleted: "notes"}.All())
	assert.Equal(t, []string{"a", "b"}, cqrsfeed.Topics{Created: "a", Updated: "b", Deleted: "a"}.All())
}

// TestPartitionsOfAName pins the partitions of some IDs. If a release changed the hash, the events of an item would be in two
// partitions during its rollout.
func TestPartitionsOfAName(t *testing.T) {
	t.Parallel()
	topics := cqrsfeed.PartitionsOf("note")
	require.NoError(t, topics.Validate())
	require.Len(t, topics.All(), 16)
	assert.Equal(t, "note-changed.0", topics.All()[0])
	assert.Equal(t, "note-changed.15", topics.All()[15])
	for id, topic := range map[string]string{"": "note-changed.5", "a": "note-changed.12", "order-1": "note-changed.13"} {
		assert.Equal(t, cqrsfeed.Topics{Created: topic, Updated: topic, Deleted: topic}, topics.Of(id), id)
	}
	several := cqrsfeed.TopicsOf("note")
	assert.Equal(t, several, several.Of("a"))
	several.Partitions = 2
	assert.Equal(t, []string{
		"note-created.0", "note-created.1", "note-updated.0", "note-updated.1", "note-deleted.0", "note-deleted.1",
	}, several.All())
	several.Partitions = -1
	require.ErrorContains(t, several.Validate(), "number of partitions is -1")
}
