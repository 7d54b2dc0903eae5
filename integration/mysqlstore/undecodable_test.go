package mysqlstore_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestWhatCannotBeDecodedIsParked, where rows are locked, and the others are published.
func TestWhatCannotBeDecodedIsParked(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		queue := openOutbox(t, db)
		_, err := db.ExecContext(t.Context(), "INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES "+
			"('1', 'topic', '{}', 'x', 1), ('broken', 'topic', 'no JSON', 'content', 1), ('2', 'topic', '{}', 'x', 1)")
		require.NoError(t, err)
		var published []string
		drain := func() int {
			taken, err := queue.Drain(t.Context(), 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
				for _, m := range batch {
					published = append(published, m.Message.UUID)
				}
				return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
			})
			require.NoError(t, err)
			return taken
		}
		assert.Equal(t, 3, drain())
		assert.Equal(t, []string{"1", "2"}, published)
		parked, err := queue.Parked(t.Context(), "", 10)
		require.NoError(t, err)
		require.Len(t, parked, 1)
		assert.Equal(t, "broken", parked[0].Message.UUID)
		assert.Equal(t, "content", string(parked[0].Message.Payload))
		assert.Contains(t, parked[0].Reason, "decode metadata")

		_, err = queue.Unpark(t.Context(), parked[0].ID)
		require.NoError(t, err)
		assert.Equal(t, 1, drain(), "nothing else is there to be published")
		backlog, err := queue.Backlog(t.Context())
		require.NoError(t, err)
		assert.Equal(t, int64(1), backlog.Parked)
		assert.Zero(t, backlog.Waiting)
	})
}
