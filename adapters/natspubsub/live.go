package natspubsub

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// LiveSubscriber delivers every message that is published after Subscribe has returned to every subscription, in the
// order of the stream. The next message is delivered when the last one is acknowledged. A Nack redelivers it after a
// delay that doubles from 50 milliseconds to 5 seconds. The broker stores nothing of a subscription after its end. It
// is for pages that update themselves.
//
// After an interruption the subscription resumes after the last acknowledged message. If the stream has discarded
// messages in between, or is another stream, the channel is closed. A channel that is closed before ctx and the
// subscriber have ended therefore means that messages may have been missed: subscribe again, then reload the state that
// depends on them.
//
// A message that cannot be decoded is logged and skipped.
type LiveSubscriber struct {
	stream        *Stream
	subscriptions *subscriptions
}

// NewLiveSubscriber returns a subscriber to the stream's topics. It starts nothing.
func (s *Stream) NewLiveSubscriber() *LiveSubscriber {
	return &LiveSubscriber{stream: s, subscriptions: newSubscriptions()}
}

// Subscribe delivers the messages that are published to the topic after it has returned. It closes the channel when ctx
// ends, the subscriber or the connection is closed, or messages may have been missed.
func (l *LiveSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	subject, err := l.stream.Subject(topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	sub := &liveSubscription{
		subscriber: l, subject: subject, out: make(chan *message.Message),
		logger: l.stream.logger.With(watermill.LogFields{"topic": topic}),
	}
	if err := l.subscriptions.start(ctx, sub.begin, sub.run); err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}
	return sub.out, nil
}

// Close ends all subscriptions and waits for them. It leaves the connection open. It can be called more than once and
// always returns nil.
func (l *LiveSubscriber) Close() error {
	l.subscriptions.close()
	return nil
}
