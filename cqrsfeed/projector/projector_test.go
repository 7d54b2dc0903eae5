package projector_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

const (
	updatesTopic = "updates"
	poisonTopic  = "poison"
)

// handSubscriber delivers what a test sends. It lets any number of messages be unacknowledged at once, as brokers do.
type handSubscriber struct {
	topics map[string]chan *message.Message
	closed chan struct{} // closed when a subscription's context ended
}

func newHandSubscriber(topics ...string) *handSubscriber {
	s := &handSubscriber{topics: map[string]chan *message.Message{}, closed: make(chan struct{})}
	for _, topic := range topics {
		s.topics[topic] = make(chan *message.Message, 1000)
	}
	return s
}

func (s *handSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, ok := s.topics[topic]
	if !ok {
		return nil, errDown
	}
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for {
			select {
			case msg, ok := <-in:
				if !ok {
					return
				}
				select {
				case out <- msg:
				case <-ctx.Done():
					msg.Nack() // never delivered: the broker still has it
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (s *handSubscriber) Close() error { return nil }

func (s *handSubscriber) send(topic string, uuids ...string) []*message.Message {
	var sent []*message.Message
	for _, uuid := range uuids {
		msg := message.NewMessage(uuid, []byte(uuid))
		s.topics[topic] <- msg
		sent = append(sent, msg)
	}
	return sent
}

func newProjector(t *testing.T, config projector.Config) *projector.Projector {
	t.Helper()
	config.UpdatesTopic, config.PoisonTopic = updatesTopic, poisonTopic
	proj, err := projector.New(config, watermill.NopLogger{})
	require.NoError(t, err)
	return proj
}

// runProjector runs a projector until stop is called. wait returns the result of Run.
func runProjector(t *testing.T, config projector.Config) (stop func(), wait func() error) {
	t.Helper()
	proj := newProjector(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- proj.Run(ctx) }()
	wait = sync.OnceValue(func() error { return <-done })
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, wait())
	})
	return cancel, wait
}

func uuidsOf(batch []*message.Message) []string {
	uuids := make([]string, len(batch))
	for i, msg := range batch {
		uuids[i] = msg.UUID
	}
	return uuids
}

func requireAcked(t *testing.T, messages ...*message.Message) {
	t.Helper()
	for _, msg := range messages {
		select {
		case <-msg.Acked():
		case <-msg.Nacked():
			require.Fail(t, "message was nacked", msg.UUID)
		case <-time.After(10 * time.Second):
			require.Fail(t, "message was not acked", msg.UUID)
		}
	}
}

func TestUpdatesArePublishedBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	subscriber, publisher := newHandSubscriber("in"), &recorder{}
	publisher.refuse(updatesTopic, errDown)
	applied := make(chan struct{}, 100)
	runProjector(t, projector.Config{
		Subscriber: subscriber, Topics: []string{"in"}, Publisher: publisher, MaxBackoff: time.Millisecond, MinBackoff: time.Millisecond,
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) {
			applied <- struct{}{}
			return []*message.Message{message.NewMessage("update", nil)}, nil
		}),
	})
	sent := subscriber.send("in", "1")
	for range 3 {
		<-applied // retried because its update could not be published
	}
	select {
	case <-sent[0].Acked():
		require.Fail(t, "acknowledged before its update was published")
	default:
	}
	publisher.refuse("", nil)
	requireAcked(t, sent...)
	assert.Equal(t, []call{{updatesTopic, []string{"update"}}}, publisher.published())
}

func TestAFailedBatchIsRetried(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	var attempts [][]string
	runProjector(t, projector.Config{
		Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{}, MinBackoff: time.Millisecond,
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
			attempts = append(attempts, uuidsOf(batch))
			if len(attempts) < 4 {
				return nil, errDown
			}
			return nil, nil
		}),
	})
	requireAcked(t, subscriber.send("in", "1")...)
	assert.Equal(t, [][]string{{"1"}, {"1"}, {"1"}, {"1"}}, attempts)
}

func TestMessagesGatherWhileABatchIsApplied(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	var batches [][]string
	busy, free := make(chan struct{}, 10), make(chan struct{})
	runProjector(t, projector.Config{
		Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{}, BatchSize: 4,
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
			batches = append(batches, uuidsOf(batch))
			busy <- struct{}{}
			<-free
			return nil, nil
		}),
	})
	sent := subscriber.send("in", "1")
	<-busy
	sent = append(sent, subscriber.send("in", "2", "3", "4", "5", "6", "7", "8")...)
	// When one message is left, the subscriber and the forwarder hold one each, and four are gathered.
	require.Eventually(t, func() bool { return len(subscriber.topics["in"]) == 1 }, time.Minute, time.Millisecond)
	close(free)
	requireAcked(t, sent...)
	assert.Equal(t, []string{"1"}, batches[0], "what comes alone is applied at once")
	assert.Equal(t, []string{"2", "3", "4", "5"}, batches[1], "its followers together, up to BatchSize")
}

func TestRefusedMessagesAreSetAside(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	poisoned := make(chan *message.Message, 1)
	publisher := publisherFunc(func(topic string, messages ...*message.Message) error {
		if topic == poisonTopic {
			poisoned <- messages[0]
		}
		return nil
	})
	applied := make(chan string, 10)
	runProjector(t, projector.Config{
		Name: "tester", Subscriber: subscriber, Topics: []string{"in"}, Publisher: publisher,
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
			var errs []error
			for _, msg := range batch {
				if msg.UUID == "bad" {
					errs = append(errs, &cqrsfeed.RefusedError{Message: msg, Reason: errors.New("not a word")})
				}
			}
			if len(errs) > 0 {
				return nil, errors.Join(errs...)
			}
			for _, msg := range batch {
				applied <- msg.UUID
			}
			return nil, nil
		}),
	})
	requireAcked(t, subscriber.send("in", "good", "bad", "fine")...)
	dead := <-poisoned
	assert.Equal(t, "bad", dead.UUID)
	assert.Equal(t, message.Metadata{
		projector.PoisonReasonKey: "not a word", projector.PoisonTopicKey: "in", projector.PoisonHandlerKey: "tester",
	}, dead.Metadata)
	assert.ElementsMatch(t, []string{"good", "fine"}, []string{<-applied, <-applied})
}

func TestRunFailsWhenASubscriptionEnds(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	proj := newProjector(t, projector.Config{
		Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{},
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) { return nil, nil }),
	})
	close(subscriber.topics["in"])
	require.ErrorContains(t, proj.Run(t.Context()), `subscription to topic "in" ended`)
}

func TestRunningMeansSubscribed(t *testing.T) {
	t.Parallel()
	events := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	t.Cleanup(func() { assert.NoError(t, events.Close()) })
	applied := make(chan string, 1)
	proj := newProjector(t, projector.Config{
		Subscriber: events, Topics: []string{"a", "b"}, Publisher: events,
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
			applied <- batch[0].UUID
			return nil, nil
		}),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- proj.Run(ctx) }()
	<-proj.Running()
	require.NoError(t, events.Publish("b", message.NewMessage("1", nil))) // nothing is kept for later subscribers
	assert.Equal(t, "1", <-applied)
	cancel()
	require.NoError(t, <-done)
}

// topicSubscriber tells what is subscribed to.
type topicSubscriber struct {
	message.Subscriber

	subscribed chan string
}

func (s topicSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.subscribed <- topic
	return s.Subscriber.Subscribe(ctx, topic)
}

// TestATopicThatIsNamedTwice is subscribed to once: each message would be applied twice otherwise.
func TestATopicThatIsNamedTwice(t *testing.T) {
	t.Parallel()
	subscriber := topicSubscriber{newHandSubscriber("a", "b"), make(chan string, 3)}
	proj := newProjector(t, projector.Config{
		Subscriber: subscriber, Topics: []string{"a", "b", "a"}, Publisher: &recorder{},
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) { return nil, nil }),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- proj.Run(ctx) }()
	<-proj.Running()
	cancel()
	require.NoError(t, <-done)
	assert.ElementsMatch(t, []string{"a", "b"}, []string{<-subscriber.subscribed, <-subscriber.subscribed})
	assert.Empty(t, subscriber.subscribed)
}

func TestRunFailsWhenItCannotSubscribe(t *testing.T) {
	t.Parallel()
	proj := newProjector(t, projector.Config{
		Subscriber: newHandSubscriber("in"), Topics: []string{"in", "unknown"}, Publisher: &recorder{},
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) { return nil, nil }),
	})
	err := proj.Run(t.Context())
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, `topic "unknown"`)
}

func TestConfigErrorsNameEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := projector.New(projector.Config{Topics: []string{""}, UpdatesTopic: "updates", Workers: -1}, nil)
	for _, field := range []string{"Subscriber", "Topics[0]", "Projection", "Publisher", "Workers"} {
		require.ErrorContains(t, err, field)
	}
}

func TestUpdatesNeedATopic(t *testing.T) {
	t.Parallel()
	proj, err := projector.New(projector.Config{
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) { return batch, nil }),
	}, watermill.NopLogger{})
	require.NoError(t, err)
	err = proj.Publish("in", message.NewMessage("1", nil))
	require.ErrorContains(t, err, "UpdatesTopic")
}
