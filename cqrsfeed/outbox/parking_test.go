package outbox_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/internal/panics/panicstest"
)

// TestRefusedMessagesAreParkedAtOnce with their reasons; the others are published in their order, whether the publisher
// names the message or not.
func TestRefusedMessagesAreParkedAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tell  func(*message.Message, error) error
		calls int64
	}{
		"named":   {named, 5},       // one more after each refusal
		"unnamed": {unnamed, 1 + 8}, // each alone
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				queue := newMemoryOutbox(many("a", 0, 8)...)
				publisher := &broker{rule: failing("a0", "a3", "a4", "a7"), tell: c.tell}
				start := time.Now()
				stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: outbox.Off})
				synctest.Wait()
				stop()
				assert.Zero(t, time.Since(start), "nothing waited")
				assert.Equal(t, []string{"a1", "a2", "a5", "a6"}, publisher.last())
				assert.Equal(t, c.calls, publisher.calls.Load())
				assert.Empty(t, queue.waiting())
				assert.Equal(t, []string{"a0", "a3", "a4", "a7"}, queue.parkedUUIDs())
				for _, p := range queue.parked {
					require.EqualError(t, p.Reason, errTooLarge.Error(), "the reason is the publisher's")
					assert.Equal(t, 1, p.Attempts)
				}
			})
		})
	}
}

// TestRefusalsOfOtherMessagesParkNothing: a publisher may itself publish something that is refused.
func TestRefusalsOfOtherMessagesParkNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 3)...)
		another := message.NewMessage("another", nil)
		publisher := &broker{rule: failing("a0", "a1", "a2"), tell: func(*message.Message, error) error {
			return &cqrsfeed.RefusedError{Message: another, Reason: errTooLarge}
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parkedUUIDs())
		assert.Equal(t, []string{"a0", "a1", "a2"}, queue.waiting())
	})
}

// TestAMessageThatFailsAloneIsParked, after MaxAttempts, when its topic takes others.
func TestAMessageThatFailsAloneIsParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 6)...)
		publisher := &broker{rule: failing("a1", "a3")}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time: less than ten attempts
		synctest.Wait()
		assert.Empty(t, queue.parkedUUIDs())
		assert.Equal(t, []string{"a0"}, publisher.last(), "nothing overtakes it")
		time.Sleep(14 * time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"a1", "a3"}, queue.parkedUUIDs())
		assert.Equal(t, []string{"a0", "a2", "a4", "a5"}, publisher.last())
		assert.Empty(t, queue.waiting())
		for _, p := range queue.parked {
			require.ErrorIs(t, p.Reason, errTooLarge)
			assert.Equal(t, 11, p.Attempts)
		}
	})
}

// TestTheMessageTriedInsteadIsTheNextOne, and it is published again in its place.
func TestTheMessageTriedInsteadIsTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 4)...)
		publisher := &broker{rule: failing("a0")}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 3})
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		one := func(uuid string) call { return call{"a", []string{uuid}} }
		assert.Equal(t, []call{one("a1"), one("a1"), one("a2"), one("a3")}, publisher.taken())
		assert.Equal(t, []string{"a0"}, queue.parkedUUIDs())
	})
}

// TestTheBrokerComesBackForTheMessageTriedInstead: then nothing is parked.
func TestTheBrokerComesBackForTheMessageTriedInstead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 5)...)
		var calls, backAt atomic.Int64
		backAt.Store(math.MaxInt64)
		publisher := &broker{rule: func(string, *message.Message) error {
			if calls.Add(1) < backAt.Load() {
				return errDown
			}
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 3})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		synctest.Wait()
		backAt.Store(calls.Load() + 2)
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parkedUUIDs())
		assert.Empty(t, queue.waiting())
		assert.Equal(t, uuidsOf(many("a", 0, 5)), publisher.last())
	})
}

// TestTheMessagesTriedInsteadMayFailToo: each attempt tries another one.
func TestTheMessagesTriedInsteadMayFailToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 8)...)
		publisher := &broker{rule: failing("a0", "a1", "a2", "a3", "a5")}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(2 * time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"a4", "a6", "a7"}, publisher.last())
		assert.Equal(t, []string{"a0", "a1", "a2", "a3", "a5"}, queue.parkedUUIDs())
	})
}

// TestTheLastMessageOfATopicIsNotParked until another one follows: it holds up only itself.
func TestTheLastMessageOfATopicIsNotParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(slices.Concat(many("a", 0, 1), many("b", 0, 3))...)
		publisher := &broker{rule: failing("a0")}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		synctest.Wait()
		assert.Equal(t, []string{"a0"}, queue.waiting())
		queue.add(many("a", 1, 1)...)
		time.Sleep(time.Second) //nolint:forbidigo // virtual time: MaxBackoff
		stop()
		assert.Equal(t, []string{"a0"}, queue.parkedUUIDs())
		assert.Equal(t, []string{"b0", "b1", "b2", "a1"}, publisher.last())
	})
}

// TestRelayDoesNotParkWhatOthersPublish: their failures do not add up. Relays of a newer release publish the messages of a
// topic that this one's publisher does not know.
func TestRelayDoesNotParkWhatOthersPublish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		queue := newMemoryOutbox()
		publisher := &broker{rule: failingTopic("new", &down)}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		for i := range 100 {
			queue.add(slices.Concat(many("new", 2*i, 2), many("old", i, 1))...)
			time.Sleep(time.Second) //nolint:forbidigo // virtual time: a few attempts
			queue.remove("new")
		}
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parkedUUIDs())
		assert.Equal(t, uuidsOf(many("old", 0, 100)), publisher.last())
	})
}

func TestRelayWithoutMaxAttemptsGoesOnTrying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 3)...)
		publisher := &broker{rule: failing("a1")}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: outbox.Off})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"a0"}, publisher.last())
		assert.Empty(t, queue.parkedUUIDs())
		assert.Equal(t, []string{"a1", "a2"}, queue.waiting())
	})
}

// hanging is a publisher that hangs with one message, until its context ends.
func hanging(uuid string, next *broker) message.Publisher {
	return publisherFunc(func(topic string, messages ...*message.Message) error {
		for _, m := range messages {
			if m.UUID == uuid {
				<-m.Context().Done()
				return m.Context().Err()
			}
		}
		return next.Publish(topic, messages...)
	})
}

// TestAMessageThatHangsIsParked: a drain has time for the calls that show that it fails alone.
func TestAMessageThatHangsIsParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 3)...)
		publisher := &broker{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: hanging("a0", publisher), MaxAttempts: 3})
		time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"a0"}, queue.parkedUUIDs())
		assert.Equal(t, []string{"a1", "a2"}, publisher.last())
	})
}

// TestTheDeadlineParksNothing: a call that the end of a drain cuts short does not count as a failure.
func TestTheDeadlineParksNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("slow", ""), outboxMessage("a", "a0"), outboxMessage("a", "a1"))
		publisher := &broker{}
		calls := 0
		publisher.rule = func(topic string, msg *message.Message) error {
			if topic == "slow" { // it takes most of each drain
				time.Sleep(7 * time.Second) //nolint:forbidigo // virtual time
				if calls < 3 {
					queue.prepend(outboxMessage("slow", ""))
				}
				return nil
			}
			if msg.UUID == "a1" {
				return nil
			}
			switch calls++; calls {
			case 1, 2:
				return errDown
			case 3: // after a1 was taken
				<-msg.Context().Done()
				return msg.Context().Err()
			}
			return nil
		}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 1})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, 4, calls)
		assert.Empty(t, queue.parkedUUIDs())
		assert.Equal(t, []string{"", "a0", "a1"}, publisher.last())
	})
}

// brokenOutbox has messages that it cannot decode: the first Drain parks them.
type brokenOutbox struct {
	*memoryOutbox

	broken int
}

func (o *brokenOutbox) Drain(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	taken, err := o.memoryOutbox.Drain(ctx, limit, except, publish)
	taken += o.broken
	o.broken = 0
	return taken, err
}

func TestRelayReportsWhatTheStoreParks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := metric.NewManualReader()
		var log bytes.Buffer
		queue := &brokenOutbox{newMemoryOutbox(many("a", 0, 2)...), 3}
		relay, err := outbox.NewRelay(outbox.RelayConfig{
			Name: "mine", Outbox: queue, Publisher: &broker{}, MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)),
		}, watermill.NewSlogLogger(slog.New(slog.NewTextHandler(&log, nil))))
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- relay.Run(ctx) }()
		synctest.Wait()
		require.InDelta(t, 3, relayMetrics(t, reader, "mine")["cqrsfeed.relay.parked"], 0)
		stop()
		require.NoError(t, <-done)
		require.Contains(t, log.String(), "messages=3")
		require.Contains(t, log.String(), "cannot decode")
	})
}

// TestAPublisherThatPanics fails like any other, for the message of which it does, and does not end the process.
func TestAPublisherThatPanics(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*message.Message, error) error{
		"itself":    func(*message.Message, error) error { panic("a bug") },
		"its error": func(*message.Message, error) error { return panicstest.NilError() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				queue, publisher := newMemoryOutbox(many("a", 0, 3)...), &broker{rule: failing("a1"), tell: tell}
				config := outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 2}
				relay, err := outbox.NewRelay(config, watermill.NewSlogLogger(slog.New(slog.NewTextHandler(&log, nil))))
				require.NoError(t, err)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- relay.Run(ctx) }()
				time.Sleep(time.Hour) //nolint:forbidigo // virtual time
				stop()
				require.NoError(t, <-ended)
				assert.Equal(t, []string{"a1"}, queue.parkedUUIDs())
				assert.Empty(t, queue.waiting())
				assert.Contains(t, log.String(), "parking_test.go", "the stack")
			})
		})
	}
}
