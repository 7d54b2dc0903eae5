package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
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
)

// picky is a broker that takes what its rule lets through, message by message, and tells of the others in its
// own way. It stops at the first that it does not take, as publishers do.
type picky struct {
	recorder

	rule  func(topic string, msg *message.Message) error
	tell  func(msg *message.Message, err error) error
	calls atomic.Int64 // of Publish
}

func (p *picky) Publish(topic string, messages ...*message.Message) error {
	p.calls.Add(1)
	for _, msg := range messages {
		if err := p.rule(topic, msg); err != nil {
			return p.tell(msg, err)
		}
		if err := p.recorder.Publish(topic, msg); err != nil {
			return err
		}
	}
	return nil
}

// took returns the UUIDs in the order in which the broker first had them.
func (p *picky) took() []string {
	var uuids []string
	for _, c := range p.published() {
		if !slices.Contains(uuids, c.uuids[0]) {
			uuids = append(uuids, c.uuids[0])
		}
	}
	return uuids
}

func refuseUUIDs(uuids ...string) func(string, *message.Message) error {
	return func(_ string, msg *message.Message) error {
		if slices.Contains(uuids, msg.UUID) {
			return errTooLarge
		}
		return nil
	}
}

// The ways in which publishers tell of a message that was refused.
func named(msg *message.Message, err error) error {
	return fmt.Errorf("publish: %w", errors.Join(errDown, &cqrsfeed.RefusedError{Message: msg, Reason: err}))
}

func unnamed(_ *message.Message, err error) error { return &cqrsfeed.RefusedError{Reason: err} }

func unmarked(_ *message.Message, err error) error { return err }

func numbered(topic string, n int) []outbox.Message {
	batch := make([]outbox.Message, n)
	for i := range batch {
		batch[i] = outboxMessage(topic, strconv.Itoa(i))
	}
	return batch
}

func parkedUUIDs(o *memoryOutbox) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var uuids []string
	for _, p := range o.parked {
		uuids = append(uuids, p.Message.Message.UUID)
	}
	return uuids
}

// TestRelayParksWhatIsRefused at once, with its reason, and publishes the others in their order, whether the
// publisher tells which message it was or not.
func TestRelayParksWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tell  func(*message.Message, error) error
		calls int64
	}{
		"named":   {named, 5},       // once more after each refusal
		"unnamed": {unnamed, 1 + 8}, // each alone
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				queue := newMemoryOutbox(numbered("a", 8)...)
				publisher := &picky{rule: refuseUUIDs("0", "3", "4", "7"), tell: c.tell}
				start := time.Now()
				stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: outbox.Off})
				synctest.Wait()
				stop()
				assert.Zero(t, time.Since(start), "nothing was waited for")
				assert.Equal(t, []string{"1", "2", "5", "6"}, publisher.took())
				assert.Equal(t, c.calls, publisher.calls.Load())
				assert.Empty(t, queue.queue)
				assert.Equal(t, []string{"0", "3", "4", "7"}, parkedUUIDs(queue))
				for _, p := range queue.parked {
					require.ErrorIs(t, p.Reason, errTooLarge)
					assert.Equal(t, errTooLarge.Error(), p.Reason.Error(), "the reason is the publisher's")
					assert.Equal(t, 1, p.Attempts)
				}
			})
		})
	}
}

// TestRelayParksWhatFailsAgainAndAgain while the broker takes others, although no publisher marks it.
func TestRelayParksWhatFailsAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(numbered("a", 6)...)
		publisher := &picky{rule: refuseUUIDs("1", "3"), tell: unmarked}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 10, MaxBackoff: time.Second})
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time: less than ten attempts
		assert.Empty(t, queue.parked)
		assert.Equal(t, []string{"0"}, publisher.took(), "nothing overtakes it before it was given its chances")
		time.Sleep(30 * time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"1", "3"}, parkedUUIDs(queue))
		assert.ElementsMatch(t, []string{"0", "2", "4", "5"}, publisher.took())
		assert.Empty(t, queue.queue)
		for _, p := range queue.parked {
			require.ErrorIs(t, p.Reason, errTooLarge)
			assert.GreaterOrEqual(t, p.Attempts, 10)
		}
	})
}

// TestRelayParksNothingWhileTheBrokerIsAway, however long that is, nor at the moment when it comes back, and the
// order is kept.
func TestRelayParksNothingWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(numbered("a", 5)...)
		var calls, backAt atomic.Int64
		backAt.Store(math.MaxInt64)
		publisher := &picky{tell: unmarked, rule: func(string, *message.Message) error {
			if calls.Add(1) < backAt.Load() {
				return errDown
			}
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 3})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		synctest.Wait()
		assert.Empty(t, publisher.published())
		backAt.Store(calls.Load() + 2) // it is back for the message that the relay tries in place of the first one
		time.Sleep(time.Minute)        //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parked)
		assert.Empty(t, queue.queue)
		assert.ElementsMatch(t, []string{"0", "1", "2", "3", "4"}, publisher.took())
	})
}

// TestRelayGoesOnWhereATopicIsNotTaken: its messages are parked, the first one after MaxAttempts and the others at
// once, until one is taken again.
func TestRelayGoesOnWhereATopicIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(outboxMessage("gone", "g1"), outboxMessage("a", "1"), outboxMessage("a", "2"), outboxMessage("gone", "g2"))
		var back atomic.Bool
		publisher := &picky{tell: unmarked, rule: func(topic string, _ *message.Message) error {
			if topic == "gone" && !back.Load() {
				return errDown
			}
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 10, MaxBackoff: time.Second})
		defer stop()
		time.Sleep(15 * time.Second) //nolint:forbidigo // virtual time: ten attempts, not twenty
		synctest.Wait()
		assert.ElementsMatch(t, []string{"1", "2"}, publisher.took())
		assert.Equal(t, []string{"g1"}, parkedUUIDs(queue), "nobody is behind the last one: it blocks nothing")

		queue.add(outboxMessage("a", "3"), outboxMessage("gone", "g3"), outboxMessage("a", "4"))
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time: a few attempts, not ten for each
		synctest.Wait()
		assert.ElementsMatch(t, []string{"1", "2", "3", "4"}, publisher.took())
		assert.Subset(t, parkedUUIDs(queue), []string{"g1", "g2"})

		back.Store(true)
		queue.add(outboxMessage("gone", "g4"), outboxMessage("a", "5"))
		time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time
		synctest.Wait()
		assert.Contains(t, publisher.took(), "g4")
		assert.Empty(t, queue.queue)
	})
}

// TestRelayFindsABrokerBehindRefusedMessages: the one that is tried in place of the first may be refused itself.
func TestRelayFindsABrokerBehindRefusedMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(numbered("a", 4)...)
		publisher := &picky{rule: refuseUUIDs("0", "1", "2"), tell: unmarked}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 2})
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		queue.add(outboxMessage("a", "4"), outboxMessage("a", "5"))
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.ElementsMatch(t, []string{"3", "4", "5"}, publisher.took())
		assert.ElementsMatch(t, []string{"0", "1", "2"}, parkedUUIDs(queue))
	})
}

func TestRelayThatNeverParksGoesOnTrying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(numbered("a", 3)...)
		publisher := &picky{rule: refuseUUIDs("1"), tell: unmarked}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: outbox.Off})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"0"}, publisher.took())
		assert.Empty(t, queue.parked)
		assert.Len(t, queue.queue, 2)
	})
}

// brokenOutbox has messages that it cannot decode: it parks them itself, with the first Drain.
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

// TestRelayTellsOfWhatTheStoreParks: nobody else could.
func TestRelayTellsOfWhatTheStoreParks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := metric.NewManualReader()
		publisher := &recorder{}
		var log bytes.Buffer
		queue := &brokenOutbox{newMemoryOutbox(numbered("a", 2)...), 3}
		relay, err := outbox.NewRelay(outbox.RelayConfig{
			Name: "mine", Outbox: queue, Publisher: publisher, MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)),
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

// TestRelayStopsBetweenMessagesThatItPublishesAlone, and between the tries of a run of which some are refused: what is left
// comes with the next start.
func TestRelayStopsBetweenMessagesThatItPublishesAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tell  func(*message.Message, error) error
		calls int64 // the run, and the one call during which the relay is stopped
		left  int
	}{"unnamed": {unnamed, 2, 4}, "named": {named, 1, 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				publisher := &picky{tell: test.tell}
				publisher.rule = func(string, *message.Message) error {
					if publisher.calls.Load() == test.calls {
						stop()
					}
					if publisher.calls.Load() == 1 {
						return errTooLarge
					}
					return nil
				}
				queue := newMemoryOutbox(numbered("a", 5)...)
				relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: publisher}, nil)
				require.NoError(t, err)
				require.NoError(t, relay.Run(ctx))
				require.Equal(t, test.calls, publisher.calls.Load())
				require.Len(t, queue.queue, test.left)
			})
		})
	}
}
