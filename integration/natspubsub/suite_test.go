package natspubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// form is a configuration of the durable subscriber and the features that it then has.
type form struct {
	features tests.Features
	config   natspubsub.DurableConfig
}

// TestWatermillSuite runs Watermill's own suite on the durable subscriber, with its defaults and with one message at a
// time, which Watermill calls guaranteed order. The suite skips two tests in these runs:
// TestNewSubscriberReceivesOldMessages is run below, and TestKillsUnderLoad replaces TestReconnect, which has a data race
// (it reads what it published while it still appends to it).
func TestWatermillSuite(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]form{
		"many in flight": manyInFlight(),
		"one at a time": {
			tests.Features{ConsumerGroups: true, Persistent: true, GuaranteedOrder: true},
			natspubsub.DurableConfig{
				AckWait: 5 * time.Second, MaxInFlight: 1, MaxAckPending: 1,
				MaxNackDelay: 50 * time.Millisecond, // the suite rejects one message 300 times
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.run(t, ensure(t, connect(t, servers.NATS(t)), natspubsub.StreamConfig{Name: "suite-" + watermill.NewShortUUID()}))
		})
	}
}

// TestWatermillSuiteOnACluster runs it on a stream with three replicas.
func TestWatermillSuiteOnACluster(t *testing.T) {
	t.Parallel()
	f := manyInFlight()
	f.features.ForceShort = true // all three servers are in this process
	f.run(t, ensureOnCluster(t, startCluster(t), "suite"))
}

// TestWatermillNewSubscriberReceivesOldMessages runs the test of the suite in which each subscriber has its own name, and so
// begins with the oldest message.
func TestWatermillNewSubscriberReceivesOldMessages(t *testing.T) {
	t.Parallel()
	f := manyInFlight()
	f.features.NewSubscriberReceivesOldMessages = true
	stream, _ := newStream(t)
	tests.TestNewSubscriberReceivesOldMessages(t, tests.TestContext{TestID: tests.NewTestID(), Features: f.features},
		func(t *testing.T) (message.Publisher, message.Subscriber) {
			t.Helper()

			return f.open(t, stream, "reader-"+watermill.NewShortUUID())
		})
}

func manyInFlight() form {
	return form{tests.Features{ConsumerGroups: true, Persistent: true}, natspubsub.DurableConfig{AckWait: 5 * time.Second}}
}

func (f form) run(t *testing.T, stream *natspubsub.Stream) {
	t.Helper()
	tests.TestPubSub(t, f.features, f.constructor(stream), func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		t.Helper()

		return f.open(t, stream, group)
	})
}

func (f form) constructor(stream *natspubsub.Stream) tests.PubSubConstructor {
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		t.Helper()

		return f.open(t, stream, "suite")
	}
}

// open returns what the suite closes itself.
func (f form) open(t *testing.T, stream *natspubsub.Stream, group string) (message.Publisher, message.Subscriber) {
	t.Helper()
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{AckTimeout: 20 * time.Second})
	require.NoError(t, err)
	config := f.config
	config.Name = group
	subscriber, err := stream.NewDurableSubscriber(config)
	require.NoError(t, err)

	return publisher, subscriber
}
