package natspubsub

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// LiveSubscriber delivers every message that is published after Subscribe has returned to every subscription, in the
// order of the stream. The next message is delivered when the last one is acknowledged; a Nack delivers it again, after
// a delay that doubles from 50 milliseconds to 5 seconds. The broker remembers nothing when a subscription ends. It is for pages that update themselves.
//
// After an interruption the subscription resumes behind the last message that was acknowledged. When the stream has
// discarded messages in between or is another one, the channel is closed. So a channel that is closed while neither ctx
// nor the subscriber has ended means that messages may have been missed: subscribe again, then reload what depends on
// them.
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

// Subscribe delivers what is published to the topic after it has returned, until ctx ends, the subscriber is closed,
// the connection is closed, or messages may have been missed; then the channel is closed.
func (l *LiveSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	subject, err := l.stream.Subject(topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	sub := newLiveSubscription(l, topic, subject)
	if err := l.subscriptions.start(ctx, sub.begin, sub.run); err != nil {
		return nil, fmt.Errorf("subscribe to topic %q: %w", topic, err)
	}

	return sub.out, nil
}

// Close ends all subscriptions and waits for them. It leaves the connection open. It may be called again and returns no
// error.
func (l *LiveSubscriber) Close() error {
	l.subscriptions.close()

	return nil
}
