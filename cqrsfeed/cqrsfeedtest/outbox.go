package cqrsfeedtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// OutboxFixture is an empty outbox. Both outboxes must implement outbox.Operations.
type OutboxFixture struct {
	Outbox outbox.Outbox
	// Other is the same outbox as another process opens it: a new value on a connection pool of its own.
	Other outbox.Outbox
	// Transaction calls do in a transaction, with a publisher that puts messages into the outbox as part
	// of it. If do returns nil, it commits and wakes the relay, as an application would. Otherwise it
	// rolls back and returns do's error.
	Transaction func(ctx context.Context, do func(publisher message.Publisher) error) error
	// LocksMessages reports whether a message that one Drain is publishing is not given to another one of any
	// process. Otherwise that holds only within one Outbox.
	LocksMessages bool
}

// TestOutbox runs the conformance suite of outbox.Outbox, of outbox.Operations, and of the writer's side.
func TestOutbox(t *testing.T, open func(t *testing.T) OutboxFixture) {
	t.Helper()
	for _, behaviour := range []struct {
		name string
		test func(t *testing.T, f OutboxFixture)
	}{
		{"Messages leave oldest first", testOutboxOrder},
		{"An empty outbox publishes nothing", testOutboxEmpty},
		{"Drain takes up to its limit", testOutboxLimit},
		{"Kept messages stay in their order", testOutboxKept},
		{"Drain leaves out topics", testOutboxExcept},
		{"Drain with topics left out takes up to its limit in order", testOutboxExceptLimit},
		{"Messages carry the context of Drain", testOutboxMessageContext},
		{"A Drain that panics takes nothing", testOutboxPanic},
		{"Messages are returned unchanged", testOutboxValues},
		{"Huge messages are returned unchanged", testOutboxHuge},
		{"A transaction of many messages is stored whole", testOutboxMany},
		{"A rollback leaves nothing", testOutboxRollback},
		{"Nothing is visible before the commit", testOutboxUncommitted},
		{"Commits wake the relay", testOutboxWake},
		{"Concurrent drains lose nothing", testOutboxDrains},
		{"A Drain takes no message that another one has", testOutboxDisjoint},
		{"A Drain with topics left out takes no message that another one has", testOutboxExceptDisjoint},
		{"A deletion does not wait for a Drain with topics left out", testOutboxExceptDeletion},
		{"Writers do not wait for a Drain", testOutboxWriters},
		{"A late deletion deletes no other message", testOutboxLateDeletion},
		{"An ended context takes nothing", testOutboxEndedContext},
		{"Published messages are deleted although the context ended", testOutboxContextEnds},
		{"Refused messages are parked with their reasons", testOutboxParks},
		{"Parked messages are returned unchanged", testOutboxParkedValues},
		{"Messages with odd reasons are parked", testOutboxParkedReasons},
		{"Parked messages are listed in pages", testOutboxParkedPages},
		{"Unpark returns messages to their places", testOutboxUnpark},
		{"Discard deletes for good", testOutboxDiscard},
		{"Messages that are not parked are neither returned nor deleted", testOutboxUnknownIDs},
		{"Messages are parked although the context ended", testOutboxParksContextEnds},
		{"Concurrent parking and returning lose nothing", testOutboxParkingRace},
		{"Backlog counts the messages", testOutboxBacklog},
	} {
		t.Run(behaviour.name, func(t *testing.T) {
			t.Parallel()
			behaviour.test(t, open(t))
		})
	}
}

// patience is how long a call that must not block may take.
const patience = 10 * time.Second

// add puts messages with these UUIDs into the outbox, in a transaction of their own.
func (f OutboxFixture) add(t *testing.T, topic string, uuids ...string) {
	t.Helper()
	require.NoError(t, f.tryAdd(t.Context(), topic, uuids...))
}

func (f OutboxFixture) tryAdd(ctx context.Context, topic string, uuids ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return f.Transaction(ctx, func(publisher message.Publisher) error {
		return publisher.Publish(topic, newMessages(ctx, uuids...)...)
	})
}

func newMessages(ctx context.Context, uuids ...string) []*message.Message {
	msgs := make([]*message.Message, len(uuids))
	for i, uuid := range uuids {
		msgs[i] = message.NewMessage(uuid, []byte("payload of "+uuid))
		msgs[i].SetContext(ctx)
	}
	return msgs
}

// kept is the result for a message that stays in the outbox.
func kept() outbox.Result { return outbox.Result{} }

// published is the result for a message that the broker took.
func published() outbox.Result { return outbox.Result{Outcome: outbox.Published} }

// refused is the result for a message that is to be parked.
func refused(reason string, attempts int) outbox.Result {
	return outbox.Result{Outcome: outbox.Park, Reason: errors.New(reason), Attempts: attempts}
}

// acknowledge is a broker that takes everything.
func acknowledge(_ context.Context, batch []outbox.Message) []outbox.Result {
	return slices.Repeat([]outbox.Result{published()}, len(batch))
}

// drain takes up to limit messages and acknowledges them.
func drain(t *testing.T, queue outbox.Outbox, limit int) []outbox.Message {
	t.Helper()
	messages, err := tryDrain(t.Context(), queue, limit, published())
	require.NoError(t, err)
	return messages
}

// peek returns the oldest messages without acknowledging them.
func peek(t *testing.T, queue outbox.Outbox, limit int) []outbox.Message {
	t.Helper()
	messages, err := tryDrain(t.Context(), queue, limit, kept())
	require.NoError(t, err)
	return messages
}

// tryDrain takes up to limit messages and returns the result for each.
func tryDrain(ctx context.Context, queue outbox.Outbox, limit int, result outbox.Result) ([]outbox.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var messages []outbox.Message
	taken, err := queue.Drain(ctx, limit, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		messages = append(messages, batch...)
		return slices.Repeat([]outbox.Result{result}, len(batch))
	})
	if err == nil && taken != len(messages) {
		err = fmt.Errorf("drain returned %d, publish was given %d messages", taken, len(messages))
	}
	return messages, err
}

// drainAll empties the outbox.
func drainAll(t *testing.T, queue outbox.Outbox) []outbox.Message {
	t.Helper()
	var messages []outbox.Message
	for {
		batch := drain(t, queue, 100)
		if len(batch) == 0 {
			return messages
		}
		messages = append(messages, batch...)
	}
}

func uuidsOf(messages []outbox.Message) []string {
	uuids := make([]string, len(messages))
	for i, m := range messages {
		uuids[i] = m.Message.UUID
	}
	return uuids
}

func requireAwake(t *testing.T, queue outbox.Outbox) {
	t.Helper()
	select {
	case <-queue.Wake():
	case <-time.After(patience):
		require.Fail(t, "the relay was not woken")
	}
}

func requireAsleep(t *testing.T, queue outbox.Outbox) {
	t.Helper()
	select {
	case <-queue.Wake():
		assert.Fail(t, "the relay was woken although nothing was committed")
	default:
	}
}
