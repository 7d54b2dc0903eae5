package outbox_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// runRelay runs a relay in a synctest bubble until stop is called.
func runRelay(t *testing.T, config outbox.RelayConfig) (stop func()) {
	t.Helper()
	relay, err := outbox.NewRelay(config, watermill.NopLogger{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

func TestRelayPublishesRunsOfATopicInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"), outboxMessage("a", "2"), outboxMessage("b", "3"), outboxMessage("a", "4"))
		publisher := &recorder{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		synctest.Wait()
		stop()
		assert.Equal(t, []call{{"a", []string{"1", "2"}}, {"b", []string{"3"}}, {"a", []string{"4"}}}, publisher.published())
		assert.Empty(t, queue.queue)
	})
}

func TestRelayKeepsWhatTheBrokerDidNotAcknowledge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"), outboxMessage("b", "2"), outboxMessage("a", "3"))
		publisher := &recorder{}
		publisher.refuse("b", errDown)
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		defer stop()

		time.Sleep(20 * time.Second) //nolint:forbidigo // virtual time: many retries pass
		synctest.Wait()
		require.Equal(t, []call{{"a", []string{"1"}}}, publisher.published(),
			"what follows a refused message must not overtake it")

		publisher.refuse("", nil)
		time.Sleep(cqrsfeedMaxBackoff) //nolint:forbidigo // virtual time
		synctest.Wait()
		assert.Equal(t, []call{{"a", []string{"1"}}, {"b", []string{"2"}}, {"a", []string{"3"}}}, publisher.published())
	})
}

// cqrsfeedMaxBackoff is the documented default of MaxBackoff.
const cqrsfeedMaxBackoff = time.Second

func TestRelayBacksOffWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"))
		queue.setFailure(errDown)
		publisher := &recorder{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		defer stop()

		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		attempts := queue.attempted()
		assert.GreaterOrEqual(t, attempts, 60, "it goes on trying, at least once a MaxBackoff")
		assert.Less(t, attempts, 150, "it backs off: a minute of MinBackoffs would be 1200 attempts")
		queue.setFailure(nil)
		time.Sleep(cqrsfeedMaxBackoff) //nolint:forbidigo // virtual time
		synctest.Wait()
		assert.Equal(t, []call{{"a", []string{"1"}}}, publisher.published())
	})
}

func TestRelayIsWokenByACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox()
		publisher := &recorder{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, PollInterval: time.Hour})
		defer stop()

		synctest.Wait()
		before := time.Now()
		queue.add(outboxMessage("a", "1"))
		synctest.Wait()
		assert.Equal(t, []call{{"a", []string{"1"}}}, publisher.published())
		assert.Zero(t, time.Since(before), "no poll was waited for")
	})
}

func TestRelayPollsForOtherProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox()
		publisher := &recorder{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, PollInterval: time.Minute})
		defer stop()

		synctest.Wait()
		queue.addElsewhere(outboxMessage("a", "1"))
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		synctest.Wait()
		assert.Equal(t, []call{{"a", []string{"1"}}}, publisher.published())
	})
}

func TestRelayDoesNotSleepOnAFullBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var backlog []outbox.Message
		for i := range 25 {
			backlog = append(backlog, outboxMessage("a", strconv.Itoa(i)))
		}
		queue := newMemoryOutbox(backlog...)
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: &recorder{}, BatchSize: 10, PollInterval: time.Hour})
		defer stop()
		synctest.Wait()
		assert.Equal(t, []int{10, 10, 5}, queue.drained())
	})
}

func TestRelayFinishesTheBatchAtHandWhenItIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"), outboxMessage("a", "2"))
		publishing, goOn := make(chan struct{}), make(chan struct{})
		publisher := publisherFunc(func(string, ...*message.Message) error {
			close(publishing)
			<-goOn
			return nil
		})
		relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: publisher}, nil)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- relay.Run(ctx) }()
		<-publishing
		stop()
		synctest.Wait()
		close(goOn)
		require.NoError(t, <-done)
		assert.Empty(t, queue.queue, "what was published must be deleted, or it is published twice")
	})
}

// TestRelayLeavesTheRestWhenItIsStopped: what it has not begun with is not held up by a stop.
func TestRelayLeavesTheRestWhenItIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("a", "1"), outboxMessage("b", "2"))
		publishing, goOn := make(chan struct{}), make(chan struct{})
		relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: publisherFunc(func(topic string, _ ...*message.Message) error {
			assert.Equal(t, "a", topic)
			close(publishing)
			<-goOn
			return nil
		})}, nil)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- relay.Run(ctx) }()
		<-publishing
		stop()
		close(goOn)
		require.NoError(t, <-done)
		require.Len(t, queue.queue, 1)
		assert.Equal(t, "b", queue.queue[0].Topic)
	})
}

func TestRelayConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := outbox.NewRelay(outbox.RelayConfig{
		BatchSize: -1, PollInterval: -1, MinBackoff: 2, MaxBackoff: 1, MaxAttempts: -2, DrainTimeout: -1, MaxLook: -1,
	}, nil)
	for _, field := range []string{
		"no Outbox", "no Publisher", "BatchSize", "PollInterval is", "MaxBackoff 1ns is less than MinBackoff 2ns", "MaxAttempts", "DrainTimeout", "MaxLook is",
	} {
		require.ErrorContains(t, err, field)
	}
	_, err = outbox.NewRelay(outbox.RelayConfig{MinPollInterval: 2, PollInterval: 1}, nil)
	require.ErrorContains(t, err, "PollInterval 1ns is less than MinPollInterval 2ns")
	_, err = outbox.NewRelay(outbox.RelayConfig{MaxLook: 99}, nil)
	require.ErrorContains(t, err, "MaxLook 99 is less than BatchSize 100")
}
