package outbox_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func TestRelayPublishesEachTopicOfABatchInOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"), outboxMessage("b", "2"), outboxMessage("a", "3"), outboxMessage("b", "4"))
		publisher := &broker{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		synctest.Wait()
		stop()
		assert.Equal(t, []call{{"a", []string{"1", "3"}}, {"b", []string{"2", "4"}}}, publisher.taken())
		assert.Empty(t, queue.queue)
	})
}

func TestRelayBacksOffWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"))
		queue.setFailure(errDown)
		publisher := &broker{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		defer stop()

		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		attempts := queue.drainCalls()
		assert.GreaterOrEqual(t, attempts, 60, "at least one attempt each MaxBackoff")
		assert.Less(t, attempts, 150, "a minute of MinBackoffs would be 1200 attempts")
		queue.setFailure(nil)
		time.Sleep(time.Second) //nolint:forbidigo // virtual time: MaxBackoff
		synctest.Wait()
		assert.Equal(t, []call{{"a", []string{"1"}}}, publisher.taken())
	})
}

func TestRelayDoesNotSleepOnAFullBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 25)...)
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: &broker{}, BatchSize: 10, PollInterval: time.Hour})
		defer stop()
		synctest.Wait()
		assert.Equal(t, []int{10, 10, 5}, queue.drained())
	})
}

// TestRelayDoesNotSleepOnABatchThatIsFullByItsBytes, and asks for no more messages than it gets then.
func TestRelayDoesNotSleepOnABatchThatIsFullByItsBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		messages := many("a", 0, 40)
		for _, m := range messages[:10] {
			m.Message.Payload = make([]byte, limits.MaxBatchBytes/4)
		}
		queue := newMemoryOutbox(messages...)
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: &broker{}, BatchSize: 20, PollInterval: time.Hour})
		defer stop()
		synctest.Wait()
		assert.Equal(t, []int{4, 4, 4, 8, 16, 4}, queue.drained())
	})
}

// blocking is a publisher whose first call tells publishing and then waits for goOn.
func blocking(publishing, goOn chan struct{}, next message.Publisher) message.Publisher {
	first := true
	return publisherFunc(func(topic string, messages ...*message.Message) error {
		if first {
			first = false
			close(publishing)
			<-goOn
		}
		return next.Publish(topic, messages...)
	})
}

func TestRelayFinishesTheCallInProgressWhenItIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"), outboxMessage("a", "2"), outboxMessage("b", "3"))
		publishing, goOn := make(chan struct{}), make(chan struct{})
		relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: blocking(publishing, goOn, &broker{})}, nil)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- relay.Run(ctx) }()
		<-publishing
		stop()
		synctest.Wait()
		close(goOn)
		require.NoError(t, <-done)
		assert.Equal(t, []string{"3"}, queue.waiting(), "published messages are deleted, and no other topic is begun")
	})
}

// TestRelayStopsBetweenCalls for one topic, whether messages are published one by one or again without refused ones.
func TestRelayStopsBetweenCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tell  func(*message.Message, error) error
		calls int64 // the batch, and the call during which the relay is stopped
		left  int
	}{"unnamed": {unnamed, 2, 4}, "named": {named, 1, 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				publisher := &broker{tell: test.tell}
				publisher.rule = func(string, *message.Message) error {
					if publisher.calls.Load() == test.calls {
						stop()
					}
					if publisher.calls.Load() == 1 {
						return errTooLarge
					}
					return nil
				}
				queue := newMemoryOutbox(many("a", 0, 5)...)
				relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: publisher}, nil)
				require.NoError(t, err)
				require.NoError(t, relay.Run(ctx))
				require.Equal(t, test.calls, publisher.calls.Load())
				require.Len(t, queue.waiting(), test.left)
			})
		})
	}
}

// TestRelayStopsBeforeItTriesAnotherMessage, and before it tries the first one again.
func TestRelayStopsBeforeItTriesAnotherMessage(t *testing.T) {
	t.Parallel()
	for _, last := range []int64{2, 3} { // the second call publishes a0 alone, and the third one a1
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			publisher := &broker{}
			publisher.rule = func(_ string, msg *message.Message) error {
				if publisher.calls.Load() == last {
					stop()
				}
				return failing("a0")("a", msg)
			}
			queue := newMemoryOutbox(many("a", 0, 2)...)
			relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 1}, watermill.NopLogger{})
			require.NoError(t, err)
			require.NoError(t, relay.Run(ctx))
			require.Equal(t, last, publisher.calls.Load())
			require.Equal(t, []string{"a0", "a1"}, queue.waiting())
		})
	}
}

func TestRelayRunsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: newMemoryOutbox(), Publisher: &broker{}}, watermill.NopLogger{})
		require.NoError(t, err)
		select {
		case <-relay.Running():
			require.Fail(t, "it is not running yet")
		default:
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- relay.Run(ctx) }()
		<-relay.Running()
		require.EqualError(t, relay.Run(ctx), "relay: Run was called before")
		stop()
		require.NoError(t, <-done)
	})
}

func TestRelayConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := outbox.NewRelay(outbox.RelayConfig{
		BatchSize: -1, PollInterval: -1, MinBackoff: 2, MaxBackoff: 1, MaxAttempts: -2, DrainTimeout: -1,
	}, nil)
	require.EqualError(t, err, "relay config: Outbox is missing\nPublisher is missing\nBatchSize is -1, it must not be negative\n"+
		"PollInterval is -1ns, it must not be negative\nMaxAttempts is -2, it must not be negative, except for Off\n"+
		"DrainTimeout is -1ns, it must not be negative\nMaxBackoff 1ns is less than MinBackoff 2ns")
	_, err = outbox.NewRelay(outbox.RelayConfig{Outbox: newMemoryOutbox(), Publisher: &broker{}, MaxAttempts: outbox.Off}, nil)
	require.NoError(t, err)
}
