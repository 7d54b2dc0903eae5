package projector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

func TestAStopFinishesTheBatchAndGivesBackTheRest(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	busy, free := make(chan struct{}), make(chan struct{})
	stop, wait := runProjector(t, projector.Config{
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
	require.Eventually(t, func() bool { return len(subscriber.topics["in"]) == 0 }, time.Minute, time.Millisecond)

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

func TestAStopDoesNotSpinOnRedeliveries(t *testing.T) {
	t.Parallel()
	events := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 10}, watermill.NopLogger{})
	t.Cleanup(func() { assert.NoError(t, events.Close()) })
	subscriber := &countingSubscriber{Subscriber: events, subscribed: make(chan struct{}, 1)}
	busy, free := make(chan struct{}, 1), make(chan struct{})
	stop, wait := runProjector(t, projector.Config{
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
	<-busy // gochannel redelivers at once what is given back
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

func TestAStopEndsRetries(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in")
	tried := make(chan struct{}, 1000)
	stop, wait := runProjector(t, projector.Config{
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

func TestAStopEndsABatchAfterCloseTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		subscriber := newHandSubscriber("in")
		stop, wait := runProjector(t, projector.Config{
			Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{}, CloseTimeout: 7 * time.Second,
			Projection: funcProjection(func(ctx context.Context, _ []*message.Message) ([]*message.Message, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}),
		})
		sent := subscriber.send("in", "1")
		synctest.Wait()
		start := time.Now()
		stop()
		require.NoError(t, wait())
		assert.Equal(t, 7*time.Second, time.Since(start))
		<-sent[0].Nacked()
	})
}

func TestRefusedMessagesAreAcknowledgedThoughTheRestFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		subscriber := newHandSubscriber("in")
		subscriber.send("in", "alone")
		stop, wait := runProjector(t, projector.Config{
			Subscriber: subscriber, Topics: []string{"in"}, Publisher: &recorder{},
			Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
				for _, msg := range batch {
					switch msg.UUID {
					case "alone": // what arrives meanwhile is the next batch
						pass(time.Second)
						return nil, nil
					case "bad":
						return nil, &cqrsfeed.RefusedError{Message: msg, Reason: errDown}
					}
				}
				return nil, errDown
			}),
		})
		synctest.Wait()
		good, bad := subscriber.send("in", "good")[0], subscriber.send("in", "bad")[0]
		pass(10 * time.Second)
		stop()
		require.NoError(t, wait())
		requireAcked(t, bad) // otherwise it would be set aside a second time
		<-good.Nacked()
	})
}

// queueBroker delivers a queue, up to 50 messages at once. Messages that are given back, or not settled when the subscription
// ends, go to the end of the queue.
type queueBroker struct {
	queue chan string
	acked chan string
}

func (b *queueBroker) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	var handing sync.WaitGroup
	for range 50 {
		handing.Go(func() {
			for {
				select {
				case uuid := <-b.queue:
					b.hand(ctx, uuid, out)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		handing.Wait()
		close(out)
	}()
	return out, nil
}

func (b *queueBroker) hand(ctx context.Context, uuid string, out chan<- *message.Message) {
	msg := message.NewMessage(uuid, nil)
	select {
	case out <- msg:
	case <-ctx.Done():
		b.queue <- uuid
		return
	}
	select {
	case <-msg.Acked():
		b.acked <- uuid
		return
	case <-msg.Nacked():
	case <-ctx.Done():
		select { // it may be settled in time
		case <-msg.Acked():
			b.acked <- uuid
			return
		default:
		}
	}
	b.queue <- uuid
}

func (b *queueBroker) Close() error { return nil }

// TestCleanStopsNeitherLoseNorRepeat stops projectors at random times, one after the other. If the store and the publisher work,
// every message is applied once, and its update is published once.
func TestCleanStopsNeitherLoseNorRepeat(t *testing.T) {
	t.Parallel()
	const messages = 2000
	random := rand.New(rand.NewPCG(4, 2))
	synctest.Test(t, func(t *testing.T) {
		broker := &queueBroker{queue: make(chan string, 2*messages), acked: make(chan string, messages)}
		for i := range messages {
			broker.queue <- fmt.Sprint(i)
		}
		var mu sync.Mutex
		applied, announced := map[string]int{}, map[string]int{}
		projection := funcProjection(func(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
			pass(time.Duration(len(batch)) * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			updates := make([]*message.Message, len(batch))
			for i, msg := range batch {
				applied[msg.UUID]++
				updates[i] = message.NewMessage(msg.UUID, nil)
			}
			return updates, ctx.Err()
		})
		publisher := publisherFunc(func(_ string, updates ...*message.Message) error {
			mu.Lock()
			defer mu.Unlock()
			for _, update := range updates {
				announced[update.UUID]++
			}
			return nil
		})
		stops := 0
		for ; len(broker.acked) < messages && stops < 10_000; stops++ {
			stop, stopped := runProjector(t, projector.Config{
				Subscriber: broker, Topics: []string{"in"}, Publisher: publisher, Projection: projection,
				Workers: 1 + random.IntN(4), BatchSize: 1 + random.IntN(10),
			})
			pass(time.Duration(random.IntN(20)) * time.Millisecond)
			stop()
			require.NoError(t, stopped())
		}
		require.Len(t, broker.acked, messages, "something was lost")
		require.Greater(t, stops, 10)
		for i := range messages {
			require.Equal(t, 1, applied[fmt.Sprint(i)], "message %d", i)
			require.Equal(t, 1, announced[fmt.Sprint(i)], "message %d", i)
		}
	})
}
