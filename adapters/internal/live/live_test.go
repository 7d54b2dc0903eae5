package live_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/adapters/internal/live"
	"github.com/feedmill/feedmill/internal/reload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

func TestABatchIsDecodedAsItWas(t *testing.T) {
	t.Parallel()
	first := message.NewMessage("1", []byte{0, 255, '\n'})
	first.Metadata.Set("key", "ключ \" \\")
	encoded, err := live.Encode("тема", []*message.Message{first, message.NewMessage("2", nil)})
	require.NoError(t, err)
	topic, messages, err := live.Decode(encoded)
	require.NoError(t, err)
	assert.Equal(t, "тема", topic)
	require.Len(t, messages, 2)
	assert.Equal(t, first.UUID, messages[0].UUID)
	assert.Equal(t, first.Metadata, messages[0].Metadata)
	assert.Equal(t, first.Payload, messages[0].Payload)
	assert.Empty(t, messages[1].Payload)
	_, _, err = live.Decode([]byte("{"))
	require.Error(t, err)
}

func TestALargeBatchIsOneReload(t *testing.T) {
	t.Parallel()
	for _, size := range []int{live.MaxBytes / 2, 4 * live.MaxBytes} {
		messages := []*message.Message{message.NewMessage("1", make([]byte, size)), message.NewMessage("2", make([]byte, size))}
		encoded, err := live.Encode("topic", messages)
		require.NoError(t, err)
		topic, messages, err := live.Decode(encoded)
		require.NoError(t, err)
		assert.Equal(t, "topic", topic)
		require.Len(t, messages, 1)
		assert.True(t, reload.Marked(messages[0]))
	}
}

// source is what sessions receive from.
type source struct {
	opened, ended int
	fails         error
	deliver       chan func(topic string, messages []*message.Message)
	breaks        chan error
	over          chan struct{} // receives when a session has ended
}

func newSource() *source {
	return &source{
		deliver: make(chan func(string, []*message.Message), 1), breaks: make(chan error), over: make(chan struct{}, 10),
	}
}

func (s *source) open(context.Context) (live.Receive, error) {
	if s.fails != nil {
		return nil, s.fails
	}
	s.opened++
	return func(ctx context.Context, deliver func(string, []*message.Message)) error {
		s.deliver <- deliver
		defer func() { s.ended++; s.over <- struct{}{} }()
		select {
		case err := <-s.breaks:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}, nil
}

func newSubscriber(t *testing.T, s *source) *live.Subscriber {
	t.Helper()
	subscriber := live.NewSubscriber(s.open, watermill.NopLogger{})
	t.Cleanup(func() { assert.NoError(t, subscriber.Close()) })
	return subscriber
}

func subscribe(t *testing.T, s *live.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return messages
}

// take waits for the next message, calls answer with it and returns its UUID. It returns "" if the channel was closed.
func take(t *testing.T, messages <-chan *message.Message, answer func(*message.Message) bool) string {
	t.Helper()
	select {
	case msg, open := <-messages:
		if !open {
			return ""
		}
		require.True(t, answer(msg))
		return msg.UUID
	case <-time.After(patience):
		require.Fail(t, "nothing comes")
		return ""
	}
}

func of(uuids ...string) (messages []*message.Message) {
	for _, uuid := range uuids {
		messages = append(messages, message.NewMessage(uuid, nil))
	}
	return messages
}

func TestSubscriptionsShareASession(t *testing.T) {
	t.Parallel()
	s := newSource()
	subscriber := newSubscriber(t, s)
	a, also, b := subscribe(t, subscriber, "a"), subscribe(t, subscriber, "a"), subscribe(t, subscriber, "b")
	deliver := <-s.deliver
	deliver("a", of("1", "2"))
	deliver("b", of("3"))
	deliver("c", of("4"))
	assert.Equal(t, "3", take(t, b, (*message.Message).Ack), "another topic does not wait")
	assert.Equal(t, "1", take(t, a, (*message.Message).Nack))
	assert.Equal(t, "1", take(t, a, (*message.Message).Ack), "again after a Nack")
	assert.Equal(t, "2", take(t, a, (*message.Message).Ack))
	assert.Equal(t, "1", take(t, also, (*message.Message).Ack))
	require.NoError(t, subscriber.Close())
	assert.Empty(t, take(t, b, nil), "the channel is closed")
	<-s.over
	assert.Equal(t, 1, s.opened)
	_, err := subscriber.Subscribe(t.Context(), "a")
	require.ErrorIs(t, err, live.ErrClosed)
}

func TestABrokenSessionEndsItsSubscriptions(t *testing.T) {
	t.Parallel()
	s := newSource()
	subscriber := newSubscriber(t, s)
	a, b := subscribe(t, subscriber, "a"), subscribe(t, subscriber, "b")
	<-s.deliver
	s.breaks <- errors.New("cut")
	assert.Empty(t, take(t, a, nil))
	assert.Empty(t, take(t, b, nil))
	again := subscribe(t, subscriber, "a")
	(<-s.deliver)("a", of("1"))
	assert.Equal(t, "1", take(t, again, (*message.Message).Ack))
	assert.Equal(t, 2, s.opened)
}

func TestTheLastSubscriptionEndsTheSession(t *testing.T) {
	t.Parallel()
	s := newSource()
	subscriber := newSubscriber(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	one, err := subscriber.Subscribe(ctx, "a")
	require.NoError(t, err)
	other, err := subscriber.Subscribe(ctx, "b")
	require.NoError(t, err)
	<-s.deliver
	cancel()
	assert.Empty(t, take(t, one, nil))
	assert.Empty(t, take(t, other, nil))
	<-s.over
	assert.Equal(t, 1, s.ended)
	subscribe(t, subscriber, "a")
	<-s.deliver
	assert.Equal(t, 2, s.opened)
}

// TestASlowSubscriptionLoadsAgain: a reload replaces what waits when it is too much. What comes after follows, and others get
// all messages.
func TestASlowSubscriptionLoadsAgain(t *testing.T) {
	t.Parallel()
	s := newSource()
	subscriber := newSubscriber(t, s)
	slow, quick := subscribe(t, subscriber, "a"), subscribe(t, subscriber, "b")
	deliver := <-s.deliver
	for range 2500 {
		deliver("a", of("1"))
	}
	deliver("a", of("last"))
	deliver("b", of("2"))
	assert.Equal(t, "2", take(t, quick, (*message.Message).Ack))
	marked := 0
	for taken := 0; ; taken++ {
		require.LessOrEqual(t, taken, 1001, "the queue is bounded")
		uuid := take(t, slow, func(msg *message.Message) bool {
			if reload.Marked(msg) {
				marked++
			}
			return msg.Ack()
		})
		require.NotEmpty(t, uuid, "the subscription goes on")
		if uuid == "last" {
			break
		}
	}
	assert.Positive(t, marked)
}

// TestMoreThanTheQueueHoldsAtOnce is a reload even for a subscription that waits for it.
func TestMoreThanTheQueueHoldsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSource()
	messages := subscribe(t, newSubscriber(t, s), "a")
	deliver := <-s.deliver
	deliver("a", of(make([]string, 1500)...))
	take(t, messages, func(msg *message.Message) bool { return reload.Marked(msg) && msg.Ack() })
	deliver("a", of("2"))
	assert.Equal(t, "2", take(t, messages, (*message.Message).Ack))
}

func TestSubscribeReturnsTheErrorOfOpen(t *testing.T) {
	t.Parallel()
	s := newSource()
	s.fails = errors.New("no such server")
	subscriber := newSubscriber(t, s)
	_, err := subscriber.Subscribe(t.Context(), "a")
	require.ErrorIs(t, err, s.fails)
	require.ErrorContains(t, err, `subscribe to topic "a"`)
	s.fails = nil
	subscribe(t, subscriber, "a")
	<-s.deliver
}
