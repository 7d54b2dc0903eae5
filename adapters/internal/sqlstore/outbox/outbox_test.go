package outbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func TestAddRefusesWhatCouldNotBeReadBack(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	tx, err := f.DB.BeginTx(t.Context(), nil)
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
		err := f.Outbox.Add(t.Context(), tx, c.topic, good, c.msg)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
	}
	require.NoError(t, f.Outbox.Add(t.Context(), tx, "topic"), "no messages are no problem")
	require.NoError(t, f.Outbox.Publisher(tx).Publish("topic"))
	require.ErrorIs(t, f.Outbox.Publisher(tx).Publish("topic", nil), cqrsfeed.ErrInvalid)
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
			f := sqlstoretest.Open(t)
			inserts := 0
			f.Faults.Set("INSERT", func(execute func() error) error {
				inserts++
				return execute()
			})
			var msgs []*message.Message
			for range c.messages {
				msgs = append(msgs, message.NewMessage("x", bytes.Repeat([]byte("x"), c.size)))
			}
			tx, err := f.DB.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			require.NoError(t, f.Outbox.Add(t.Context(), tx, "topic", msgs...))
			require.NoError(t, tx.Commit())
			assert.Equal(t, c.inserts, inserts)
			var count int
			require.NoError(t, f.DB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM outbox").Scan(&count))
			assert.Equal(t, c.messages, count)
		})
	}
}

func TestPublisherHeedsTheMessagesContext(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	msg := message.NewMessage("x", nil)
	msg.SetContext(ctx)
	tx, err := f.DB.BeginTx(t.Context(), &sql.TxOptions{})
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	require.ErrorIs(t, f.Outbox.Publisher(tx).Publish("topic", msg), context.Canceled)
}

func TestDrainRefusesNonsense(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	_, err := f.Repository.Create(t.Context(), "two", "")
	require.NoError(t, err)
	for _, limit := range []int{0, -1} {
		_, err := f.Outbox.Drain(t.Context(), limit, nil, nil)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	}
	_, err = f.Outbox.Drain(t.Context(), 10, nil, func(context.Context, []outbox.Message) []outbox.Result {
		return make([]outbox.Result, 2)
	})
	require.ErrorContains(t, err, "publish gave 2 results for 1 messages")
	assert.Equal(t, 1, f.Drain(t), "nothing was taken for published")
}

// TestDrainRetriesTheDeletion, because messages that are not deleted would be published twice.
func TestDrainRetriesTheDeletion(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	_, err := f.Repository.Create(t.Context(), "two", "")
	require.NoError(t, err)
	f.Faults.Set("DELETE", sqlstoretest.Times(2, sqlstoretest.ErrAgain))
	assert.Equal(t, 1, f.Drain(t))
	assert.Zero(t, f.Drain(t))
}

// refuseFirst is a broker that refuses the first message.
func refuseFirst(_ context.Context, batch []outbox.Message) []outbox.Result {
	results := slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	results[0] = outbox.Result{Outcome: outbox.Park, Reason: sqlstoretest.ErrDisk}
	return results
}

// TestWhatCannotBeParkedStays. Messages published with it are deleted. Temporary failures are retried.
func TestWhatCannotBeParkedStays(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	for _, id := range []string{"two", "three"} {
		_, err := f.Repository.Create(t.Context(), id, "")
		require.NoError(t, err)
	}
	f.Faults.Set("INSERT INTO outbox_parked", func(func() error) error { return sqlstoretest.ErrDisk })
	taken, err := f.Outbox.Drain(t.Context(), 10, nil, refuseFirst)
	require.ErrorIs(t, err, sqlstoretest.ErrDisk)
	require.ErrorContains(t, err, "faulty: drain the outbox (table outbox): park message")
	assert.Equal(t, 2, taken)

	f.Faults.Set("INSERT INTO outbox_parked", sqlstoretest.Times(2, sqlstoretest.ErrAgain))
	taken, err = f.Outbox.Drain(t.Context(), 10, nil, refuseFirst)
	require.NoError(t, err)
	assert.Equal(t, 1, taken, "the other one was deleted")
	parked, err := f.Outbox.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	assert.Zero(t, f.Drain(t))
}

// TestParkingIsWholeOrNot: a message is never both waiting and parked.
func TestParkingIsWholeOrNot(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	_, err := f.Repository.Create(t.Context(), "two", "")
	require.NoError(t, err)
	f.Faults.Set("DELETE FROM outbox ", func(func() error) error { return sqlstoretest.ErrDisk })
	_, err = f.Outbox.Drain(t.Context(), 10, nil, refuseFirst)
	require.ErrorIs(t, err, sqlstoretest.ErrDisk)
	f.Faults.Set("", func(execute func() error) error { return execute() })
	backlog, err := f.Outbox.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(1), backlog.Waiting)
	assert.Zero(t, backlog.Parked)
}

// TestUnparkIsTriedAgain: it returns the count of its last try, and wakes the relay if messages may have returned.
func TestUnparkIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	_, err := f.Repository.Create(t.Context(), "two", "")
	require.NoError(t, err)
	<-f.Outbox.Wake()
	_, err = f.Outbox.Drain(t.Context(), 10, nil, refuseFirst)
	require.NoError(t, err)
	parked, err := f.Outbox.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	f.Faults.Set("COMMIT", sqlstoretest.Times(2, sqlstoretest.ErrAgain))
	returned, err := f.Outbox.Unpark(t.Context(), parked[0].ID)
	require.NoError(t, err)
	assert.Equal(t, []string{parked[0].ID}, returned)
	<-f.Outbox.Wake()

	_, err = f.Outbox.Drain(t.Context(), 10, nil, refuseFirst)
	require.NoError(t, err)
	f.Faults.Set("COMMIT", func(execute func() error) error { return errors.Join(execute(), sqlstoretest.ErrLost) })
	_, err = f.Outbox.Unpark(t.Context(), parked[0].ID)
	require.ErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
	<-f.Outbox.Wake()
}

// TestBacklogCountsUpToItsBound, instead of all rows.
func TestBacklogCountsUpToItsBound(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	fill := func(from, to int) {
		_, err := f.DB.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO outbox SELECT i, '', 't', '{}', '', i FROM n`, from, to)
		require.NoError(t, err)
	}
	fill(101, 10_099)
	for _, step := range []struct{ from, to, want int }{{10_100, 10_100, 10_000}, {10_101, 12_000, 10_000}} {
		fill(step.from, step.to)
		backlog, err := f.Outbox.Backlog(t.Context())
		require.NoError(t, err)
		assert.Equal(t, int64(step.want), backlog.Waiting)
		assert.Equal(t, int64(step.want), backlog.Topics[0].Waiting)
		assert.Equal(t, int64(101), backlog.Oldest.UnixMicro())
	}
}

// TestIDsOfParkedMessages: an invalid ID is refused, and nothing changes.
func TestIDsOfParkedMessages(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	_, err := f.Repository.Create(t.Context(), "two", "")
	require.NoError(t, err)
	_, err = f.Outbox.Drain(t.Context(), 10, nil, refuseFirst)
	require.NoError(t, err)
	parked, err := f.Outbox.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	good := parked[0].ID
	for _, bad := range []string{"0", "-1", "1.0", "0x1", "9223372036854775808", " 1", "1,2", "一"} {
		_, err := f.Outbox.Unpark(t.Context(), good, bad)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, bad)
		_, err = f.Outbox.Discard(t.Context(), good, bad)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, bad)
		_, err = f.Outbox.Parked(t.Context(), bad, 10)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, bad)
	}
	returned, err := f.Outbox.Unpark(t.Context(), good, "9223372036854775807", good)
	require.NoError(t, err)
	assert.Equal(t, []string{good}, returned, "it was still parked")
}
