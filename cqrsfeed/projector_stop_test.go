package cqrsfeed_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestProjectorFinishesItsBatchAndGivesBackTheRest(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	busy, free := make(chan struct{}), make(chan struct{})
	stop, wait := runProjector(t, cqrsfeed.ProjectorConfig{
		Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{}, BatchSize: 2,
		Projection: funcProjection(func(ctx context.Context, _ []*message.Message) ([]*message.Message, error) {
			busy <- struct{}{}
			<-free
			return nil, ctx.Err() // the batch at hand may still use the store
		}),
	})
	taken := subscriber.send("in", "1")
	<-busy
	waiting := subscriber.send("in", "2", "3")
	require.Eventually(t, func() bool { return len(subscriber.topics["in"]) == 0 }, 10*time.Second, time.Millisecond)

	stop()
	close(free)
	require.NoError(t, wait())
	requireAcked(t, taken...)
	for _, msg := range waiting {
		select {
		case <-msg.Nacked():
		case <-msg.Acked():
			require.Fail(t, "acknowledged although it was never applied", msg.UUID)
		default:
			require.Fail(t, "neither applied nor given back", msg.UUID)
		}
	}
}

func TestProjectorDoesNotSpinOnRedeliveriesWhileItStops(t *testing.T) {
	t.Parallel()
	events := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 10}, watermill.NopLogger{})
	t.Cleanup(func() { assert.NoError(t, events.Close()) })
	subscriber := &countingSubscriber{Subscriber: events, subscribed: make(chan struct{}, 1)}
	busy, free := make(chan struct{}, 1), make(chan struct{})
	stop, wait := runProjector(t, cqrsfeed.ProjectorConfig{
		Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{}, BatchSize: 1,
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) {
			busy <- struct{}{}
			<-free
			return nil, nil
		}),
	})
	<-subscriber.subscribed
	for _, uuid := range []string{"1", "2", "3", "4"} {
		require.NoError(t, events.Publish("in", message.NewMessage(uuid, nil)))
	}
	<-busy // gochannel brings back at once what is given back
	stop()
	for range 1000 {
		runtime.Gosched()
	}
	assert.LessOrEqual(t, subscriber.delivered.Load(), int64(10), "while it waits for the batch at hand")
	close(free)
	require.NoError(t, wait())
}

// countingSubscriber counts what it delivers.
type countingSubscriber struct {
	message.Subscriber
	subscribed chan struct{}
	delivered  atomic.Int64
}

func (s *countingSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := s.Subscriber.Subscribe(ctx, topic)
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for msg := range in {
			s.delivered.Add(1)
			out <- msg
		}
	}()
	s.subscribed <- struct{}{}
	return out, err
}

func TestProjectorStopsRetryingWhenItIsStopped(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	tried := make(chan struct{}, 1000)
	stop, wait := runProjector(t, cqrsfeed.ProjectorConfig{
		Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{}, CloseTimeout: time.Hour,
		Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) {
			tried <- struct{}{}
			return nil, errDown
		}),
	})
	sent := subscriber.send("in", "1")
	<-tried
	stop()
	require.NoError(t, wait())
	select {
	case <-sent[0].Nacked():
	default:
		require.Fail(t, "a message that was not applied must be given back")
	}
}
