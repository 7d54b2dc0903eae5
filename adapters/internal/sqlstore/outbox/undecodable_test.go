package outbox_test

import (
	"context"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestWhatCannotBeDecodedIsParked with its reason. It does not delay other messages, if there are any.
func TestWhatCannotBeDecodedIsParked(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	add := func(uuid, metadata string) {
		_, err := f.DB.ExecContext(t.Context(),
			"INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES (?, 'topic', ?, 'content', 1)", uuid, metadata)
		require.NoError(t, err)
	}
	var published []*message.Message
	drain := func() int {
		taken, err := f.Outbox.Drain(t.Context(), 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			for _, m := range batch {
				published = append(published, m.Message)
			}
			return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
		})
		require.NoError(t, err)
		return taken
	}

	add("1", `{"key":"value"}`)
	add("broken", "no JSON")
	add("2", "null")
	assert.Equal(t, 3, drain(), "it counts, so that the relay looks for more")
	require.Len(t, published, 2)
	assert.Equal(t, "value", published[0].Metadata.Get("key"))
	published[1].Metadata.Set("may be", "written to")
	add("not text", `{"key":1}`)
	assert.Equal(t, 1, drain())
	assert.Zero(t, drain())
	require.Len(t, published, 2, "publish is not called with nothing")

	parked, err := f.Outbox.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 2)
	for i, uuid := range []string{"broken", "not text"} {
		assert.Equal(t, uuid, parked[i].Message.UUID)
		assert.Equal(t, "content", string(parked[i].Message.Payload))
		assert.Empty(t, parked[i].Message.Metadata)
		assert.Equal(t, 1, parked[i].Attempts)
		assert.Contains(t, parked[i].Reason, "decode metadata")
	}

	_, err = f.DB.ExecContext(t.Context(), `UPDATE outbox_parked SET metadata = '{"key":"repaired"}' WHERE uuid = 'broken'`)
	require.NoError(t, err)
	unparked, err := f.Outbox.Unpark(t.Context(), parked[0].ID, parked[1].ID)
	require.NoError(t, err)
	assert.Len(t, unparked, 2)
	assert.Equal(t, 2, drain())
	require.Len(t, published, 3)
	assert.Equal(t, "repaired", published[2].Metadata.Get("key"))
}
