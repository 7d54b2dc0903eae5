// Package outboxtest has the conformance suite of outbox.Outbox and outbox.Orderer:
//
//	func TestOutbox(t *testing.T) {
//		outboxtest.TestOutbox(t, func(t *testing.T) outboxtest.Fixture { return openEmpty(t) })
//	}
package outboxtest

import (
	"context"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// Fixture is an empty outbox. Both outboxes must implement outbox.Orderer.
type Fixture struct {
	Outbox outbox.Outbox
	// Other is the same outbox in another process: a new value on its own connection pool.
	Other outbox.Outbox
	// Transaction calls do in a transaction, with a publisher that puts messages into the outbox. If do returns nil, it
	// commits and wakes the relay, as an application would. Otherwise it rolls back and returns do's error.
	Transaction func(ctx context.Context, do func(publisher message.Publisher) error) error
	// Restart empties the queue, but not the parked messages, and restarts its ids, as TRUNCATE does.
	Restart func(t *testing.T)
	// Before makes Outbox call do with each statement, before the statement is executed.
	Before func(do func(statement string))
	// LocksMessages means that no other Drain of any process takes a message that one Drain is publishing. Otherwise that
	// holds only within one Outbox.
	LocksMessages bool
}

// TestOutbox runs the conformance suite of outbox.Outbox and of the writer's side.
func TestOutbox(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	for _, behaviour := range []struct {
		name string
		test func(t *testing.T, f Fixture)
	}{
		{"Messages leave oldest first", testOrder},
		{"An empty outbox publishes nothing", testEmpty},
		{"Drain takes up to its limit", testLimit},
		{"Kept messages stay in their order", testKept},
		{"Drain leaves out topics", testExcept},
		{"Drain with topics left out takes up to its limit in order", testExceptLimit},
		{"Messages carry the context of Drain", testMessageContext},
		{"A Drain that panics takes nothing", testPanic},
		{"Messages are returned unchanged", testValues},
		{"Huge messages are returned unchanged", testHuge},
		{"Messages that are too large are refused", testTooLarge},
		{"Drain is bounded in bytes", testBytes},
		{"A transaction of many messages is stored whole", testMany},
		{"A rollback leaves nothing", testRollback},
		{"Nothing is visible before the commit", testUncommitted},
		{"Commits wake the relay", testWake},
		{"Concurrent drains lose nothing", testDrains},
		{"A Drain takes no message that another one has", testDisjoint},
		{"A Drain with topics left out takes no message that another one has", testExceptDisjoint},
		{"A deletion does not wait for a Drain with topics left out", testExceptDeletion},
		{"Writers do not wait for a Drain", testWriters},
		{"A late deletion deletes no other message", testLateDeletion},
		{"An ended context takes nothing", testEndedContext},
		{"Published messages are deleted although the context ended", testContextEnds},
		{"Refused messages are parked with their reasons", testParks},
		{"Parked messages are returned unchanged", testParkedValues},
		{"Messages with odd reasons are parked", testParkedReasons},
		{"Parked messages are listed in pages", testParkedPages},
		{"Pages of parked messages are bounded in bytes", testParkedBytes},
		{"Unpark returns messages to their places", testUnpark},
		{"Messages that another process returns are found", testUnparkElsewhere},
		{"Messages of a late commit are found", testLateCommit},
		{"The ids of the queue may start again", testRestart},
		{"Discard deletes for good", testDiscard},
		{"Messages that are not parked are neither returned nor deleted", testUnknownIDs},
		{"Messages are parked although the context ended", testParksContextEnds},
		{"A parked message holds a topic whose order is kept", testHolds},
		{"A Drain takes nothing behind what another one has, where order is kept", testBehind},
		{"A Drain locks nothing behind what another one has, where order is kept", testBehindIsFree},
		{"Versions are published in order", testKeepsOrder},
		{"A late commit keeps its place before what follows", testLateOrder},
		{"A message that returns before a Drain keeps its place, where order is kept", testReturnedBefore},
		{"A message that returns during a Drain keeps its place, where order is kept", testReturnedDuring},
		{"A message that another process returns during a Drain keeps its place, where order is kept", testReturnedDuringElsewhere},
		{"Concurrent parking and returning lose nothing", testParkingRace},
		{"Backlog counts the messages", testBacklog},
		{"Waiting messages are counted by topic", testTopics},
	} {
		t.Run(behaviour.name, func(t *testing.T) {
			t.Parallel()
			behaviour.test(t, open(t))
		})
	}
}

// publish puts messages into the outbox, in a transaction of their own.
func (f Fixture) publish(t *testing.T, topic string, messages ...*message.Message) {
	t.Helper()
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return publisher.Publish(topic, messages...)
	}))
}

// add puts messages with these UUIDs into the outbox, in a transaction of their own.
func (f Fixture) add(t *testing.T, topic string, uuids ...string) {
	t.Helper()
	require.NoError(t, f.tryAdd(t.Context(), topic, uuids...))
}

func (f Fixture) tryAdd(ctx context.Context, topic string, uuids ...string) error {
	ctx, cancel := context.WithTimeout(ctx, outboxes.Patience)
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

// acknowledge publishes as a broker that takes everything.
func acknowledge(_ context.Context, batch []outbox.Message) []outbox.Result {
	return slices.Repeat([]outbox.Result{outboxes.Published()}, len(batch))
}
