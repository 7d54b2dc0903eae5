package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestAddRefusesWhatCouldNotBeReadBack(t *testing.T) {
	t.Parallel()
	f := open(t)
	tx, err := f.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	good := message.NewMessage("good", nil)
	broken := message.NewMessage("broken", nil)
	broken.Metadata.Set("key", "\xff")
	for name, c := range map[string]struct {
		topic string
		msg   *message.Message
	}{
		"no message":      {"topic", nil},
		"no topic":        {"", good},
		"long topic":      {strings.Repeat("x", 256), good},
		"broken topic":    {"\xff", good},
		"long UUID":       {"topic", message.NewMessage(strings.Repeat("x", 256), nil)},
		"broken UUID":     {"topic", message.NewMessage("\xff", nil)},
		"broken metadata": {"topic", broken},
	} {
		err := f.outbox.Add(t.Context(), tx, c.topic, good, c.msg)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
	}
	require.NoError(t, f.outbox.Add(t.Context(), tx, "topic"), "no messages are no problem")
	require.NoError(t, f.outbox.Publisher(tx).Publish("topic"))
	require.ErrorIs(t, f.outbox.Publisher(tx).Publish("topic", nil), cqrsfeed.ErrInvalid)
}

// TestAddInsertsInBatches counts statements.
func TestAddInsertsInBatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		messages, size, inserts int
	}{
		"small ones together":         {500, 10, 1},
		"not too many":                {1001, 10, 3},
		"not too much":                {5, 600_000, 5},
		"one that is large by itself": {1, 3_000_000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			inserts := 0
			f.faults.set("INSERT", func(execute func() error) error {
				inserts++
				return execute()
			})
			var msgs []*message.Message
			for range c.messages {
				msgs = append(msgs, message.NewMessage("x", bytes.Repeat([]byte("x"), c.size)))
			}
			tx, err := f.db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			require.NoError(t, f.outbox.Add(t.Context(), tx, "topic", msgs...))
			require.NoError(t, tx.Commit())
			assert.Equal(t, c.inserts, inserts)
			var count int
			require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM outbox").Scan(&count))
			assert.Equal(t, c.messages, count)
		})
	}
}

func TestPublisherHeedsTheMessagesContext(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	msg := message.NewMessage("x", nil)
	msg.SetContext(ctx)
	tx, err := f.db.BeginTx(t.Context(), &sql.TxOptions{})
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	require.ErrorIs(t, f.outbox.Publisher(tx).Publish("topic", msg), context.Canceled)
}

func TestDrainRefusesNonsense(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.repository.Create(t.Context(), "two", "")
	require.NoError(t, err)
	for _, limit := range []int{0, -1} {
		_, err := f.outbox.Drain(t.Context(), limit, nil)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	}
	_, err = f.outbox.Drain(t.Context(), 10, func(context.Context, []cqrsfeed.OutboxMessage) []error {
		return make([]error, 2)
	})
	require.ErrorContains(t, err, "publish gave 2 results for 1 messages")
	assert.Equal(t, 1, f.drain(t), "nothing was taken for published")
}

// TestDrainRetriesTheDeletion, because what it could not delete would be published twice.
func TestDrainRetriesTheDeletion(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.repository.Create(t.Context(), "two", "")
	require.NoError(t, err)
	f.faults.set("DELETE", times(2, errAgain))
	assert.Equal(t, 1, f.drain(t))
	assert.Zero(t, f.drain(t))
}
