package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestATopicThatFailsWaitsWhileOthersGoOn: it is tried with backoff, and its messages keep their order.
func TestATopicThatFailsWaitsWhileOthersGoOn(t *testing.T) {
	t.Parallel()
	for _, batchSize := range []int{1, 2, 100} {
		t.Run(fmt.Sprint(batchSize), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				down.Store(true)
				lost := many("lost", 0, 250)
				queue := newMemoryOutbox(slices.Concat(lost, many("good", 0, 5))...)
				var attempts atomic.Int64
				publisher := &broker{rule: func(topic string, msg *message.Message) error {
					if topic == "lost" {
						attempts.Add(1)
					}
					return failingTopic("lost", &down)(topic, msg)
				}}
				stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, BatchSize: batchSize})
				synctest.Wait()
				assert.Equal(t, uuidsOf(many("good", 0, 5)), publisher.last(), "behind a full batch that fails")
				for i := range 10 {
					time.Sleep(time.Minute) //nolint:forbidigo // virtual time
					start := time.Now()
					queue.add(many("good", 5+i, 1)...)
					synctest.Wait()
					assert.Zero(t, time.Since(start))
				}
				assert.Equal(t, uuidsOf(many("good", 0, 15)), publisher.last())
				assert.Greater(t, attempts.Load(), int64(600))
				assert.Less(t, attempts.Load(), int64(3*1200), "once or twice a second; other messages are tried too")
				assert.Empty(t, queue.parkedUUIDs())
				assert.Less(t, queue.drainCalls(), 5*600, "the waiting topic makes no difference to polling")

				down.Store(false)
				time.Sleep(time.Second) //nolint:forbidigo // virtual time: MaxBackoff
				stop()
				assert.Equal(t, uuidsOf(slices.Concat(many("good", 0, 15), lost)), publisher.last())
			})
		})
	}
}

// TestTopicsComeBackOneByOne after an outage of a broker whose topics have leaders of their own: nothing is parked.
func TestTopicsComeBackOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lateDown, soonDown atomic.Bool
		lateDown.Store(true)
		soonDown.Store(true)
		batch := slices.Concat(many("late", 0, 3), many("soon", 0, 3))
		queue := newMemoryOutbox(batch...)
		publisher := &broker{rule: func(topic string, msg *message.Message) error {
			if topic == "late" {
				return failingTopic("late", &lateDown)(topic, msg)
			}
			return failingTopic("soon", &soonDown)(topic, msg)
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
		soonDown.Store(false)
		time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
		lateDown.Store(false)
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parkedUUIDs())
		assert.Equal(t, uuidsOf(slices.Concat(many("soon", 0, 3), many("late", 0, 3))), publisher.last())
	})
}

// TestATopicThatHangsTakesAtMostHalfOfTheRelay, and no other message waits longer than for one call.
func TestATopicThatHangsTakesAtMostHalfOfTheRelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const hang, span = 5 * time.Second, 20 * time.Minute
		queue := newMemoryOutbox(many("hangs", 0, 50)...)
		var hanging, worst time.Duration
		publisher := publisherFunc(func(topic string, messages ...*message.Message) error {
			if topic == "hangs" {
				time.Sleep(hang) //nolint:forbidigo // virtual time
				hanging += hang
				return errDown
			}
			for _, m := range messages {
				added, _ := strconv.ParseInt(m.UUID, 10, 64)
				worst = max(worst, time.Since(time.Unix(0, added)))
			}
			return nil
		})
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		for start := time.Now(); time.Since(start) < span; {
			queue.add(outboxMessage("good", strconv.FormatInt(time.Now().UnixNano(), 10)))
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // virtual time
		}
		stop()
		assert.LessOrEqual(t, hanging, span/2+hang)
		assert.GreaterOrEqual(t, hanging, span/2-2*hang, "it is tried again")
		assert.LessOrEqual(t, worst, 2*hang, "a call, and one for another message of the topic")
		assert.Empty(t, queue.parkedUUIDs())
	})
}

// TestTopicsThatHangHoldUpNoOther: however many they are, they take at most half of the relay's time together, and the
// messages of a topic that works come first in each batch.
func TestTopicsThatHangHoldUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const topics, hang, warmUp, span = 8, 3 * time.Second, time.Minute, 20 * time.Minute
		queue := newMemoryOutbox()
		for n := range topics {
			queue.add(many(fmt.Sprint("hangs", n), 0, 5)...)
		}
		start := time.Now()
		var hanging, worst time.Duration
		publisher := publisherFunc(func(topic string, messages ...*message.Message) error {
			if topic != "good" {
				time.Sleep(hang) //nolint:forbidigo // virtual time
				hanging += hang
				return errDown
			}
			for _, m := range messages {
				added, _ := strconv.ParseInt(m.UUID, 10, 64)
				if since := time.Unix(0, added); since.Sub(start) > warmUp {
					worst = max(worst, time.Since(since))
				}
			}
			return nil
		})
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		for time.Since(start) < span {
			queue.add(outboxMessage("good", strconv.FormatInt(time.Now().UnixNano(), 10)))
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // virtual time
		}
		stop()
		assert.LessOrEqual(t, hanging, span*6/10)
		assert.LessOrEqual(t, worst, 15*time.Second, "one drain")
	})
}

// TestTopicsWithoutMessagesAreForgotten: those that failed, and whose messages another relay took, make no other wait longer.
func TestTopicsWithoutMessagesAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const gone, hang = 20, 3 * time.Second
		queue := newMemoryOutbox()
		for n := range gone {
			queue.add(outboxMessage(fmt.Sprint("gone", n), "x"))
		}
		var attempts []time.Time
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisherFunc(func(topic string, _ ...*message.Message) error {
			if topic != "slow" {
				return errDown
			}
			time.Sleep(hang) //nolint:forbidigo // virtual time
			attempts = append(attempts, time.Now())
			return errDown
		})})
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		for n := range gone {
			queue.remove(fmt.Sprint("gone", n))
		}
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		queue.add(outboxMessage("slow", "y"))
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		require.Greater(t, len(attempts), 2)
		assert.LessOrEqual(t, attempts[1].Sub(attempts[0]), 3*hang)
	})
}

// TestMessagesArePublishedOneByOneAfterAFailure, for one batch, and then in whole batches again.
func TestMessagesArePublishedOneByOneAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 30)...)
		var sizes []int
		publisher := publisherFunc(func(_ string, messages ...*message.Message) error {
			sizes = append(sizes, len(messages))
			if len(sizes) == 1 {
				return errDown
			}
			return nil
		})
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, BatchSize: 10})
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []int{10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 10}, sizes)
	})
}

// TestWaitsAreShortAgainAfterASuccess, and failures of different messages never add up to a parked one.
func TestWaitsAreShortAgainAfterASuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("a", 0, 20)...)
		var calls, end atomic.Int64
		start := time.Now()
		publisher := &broker{rule: func(string, *message.Message) error {
			if calls.Add(1)%5 != 0 { // each message fails alone four times
				return errDown
			}
			end.Store(int64(time.Since(start)))
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 5})
		time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.waiting())
		assert.Empty(t, queue.parkedUUIDs())
		assert.Equal(t, uuidsOf(many("a", 0, 20)), publisher.last())
		assert.Less(t, time.Duration(end.Load()), 20*time.Second, "0.75 seconds for each message")
	})
}

// TestABatchEndsAtTheDeadlineBetweenTopics, so that rows are held for DrainTimeout and one call at most.
func TestABatchEndsAtTheDeadlineBetweenTopics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var batch []outbox.Message
		for topic := range 10 {
			batch = append(batch, many(fmt.Sprintf("t%d-", topic), 0, 2)...)
		}
		queue := &timedOutbox{memoryOutbox: newMemoryOutbox(batch...)}
		var end time.Time
		publisher := &broker{rule: func(_ string, msg *message.Message) error {
			deadline, ok := msg.Context().Deadline()
			assert.True(t, ok)
			assert.LessOrEqual(t, time.Until(deadline), 10*time.Second/3)
			time.Sleep(1500 * time.Millisecond) //nolint:forbidigo // virtual time: 3 seconds a call
			end = time.Now()
			return nil
		}}
		start := time.Now()
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, 30*time.Second, end.Sub(start), "the rest follows at once")
		assert.Empty(t, queue.waiting())
		assert.Equal(t, 12*time.Second, slices.Max(queue.took))
		assert.Len(t, publisher.taken(), 10)
	})
}

// timedOutbox measures its drains.
type timedOutbox struct {
	*memoryOutbox

	took []time.Duration
}

func (o *timedOutbox) Drain(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	start := time.Now()
	taken, err := o.memoryOutbox.Drain(ctx, limit, except, publish)
	o.took = append(o.took, time.Since(start))
	return taken, err
}

// TestFailuresAtRandom: topics fail for some time and messages now and then, some messages always and others are
// refused. Nothing is lost, nothing good is parked, and the last deliveries of each topic are in order.
func TestFailuresAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runAtRandom(t, seed) })
		})
	}
}

// runAtRandom names messages by their topic, kind (g good, b bad, r refused) and number.
func runAtRandom(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	topics := []string{"a", "b", "c", "d"}[:1+random.IntN(4)]
	publisher, down := randomBroker(rand.New(rand.NewPCG(seed, 2)), topics)
	queue := newMemoryOutbox()
	stop := runRelay(t, outbox.RelayConfig{
		Outbox: queue, Publisher: publisher, BatchSize: []int{10, 100}[random.IntN(2)], MaxAttempts: 1 + random.IntN(5),
	})
	var all []string
	add := func(topic, kind string) {
		uuid := fmt.Sprintf("%s%s%d", topic, kind, len(all))
		all = append(all, uuid)
		queue.add(outboxMessage(topic, uuid))
	}
	for range 60 {
		topic := topics[random.IntN(len(topics))]
		for range random.IntN(6) {
			add(topic, []string{"g", "g", "g", "g", "g", "g", "b", "r"}[random.IntN(8)])
		}
		if random.IntN(10) == 0 {
			down[topic].Store(!down[topic].Load())
		}
		time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond) //nolint:forbidigo // virtual time
	}
	for topic := range down {
		down[topic].Store(true)
	}
	time.Sleep(time.Minute) //nolint:forbidigo // virtual time
	synctest.Wait()
	before := queue.parkedUUIDs()
	time.Sleep(2 * time.Minute) //nolint:forbidigo // virtual time
	synctest.Wait()
	require.Equal(t, before, queue.parkedUUIDs(), "nothing is parked while its topic takes nothing")
	for _, topic := range topics {
		down[topic].Store(false)
		add(topic, "g")
		add(topic, "g")
	}
	time.Sleep(15 * time.Minute) //nolint:forbidigo // virtual time
	stop()

	require.Empty(t, queue.waiting())
	good, bad := byTopicAndKind(all)
	delivered, _ := byTopicAndKind(publisher.last())
	require.Equal(t, good, delivered)
	require.ElementsMatch(t, bad, queue.parkedUUIDs(), strings.Join(all, " "))
}

// randomBroker takes good messages, some of them with the second attempt only, and of topics that are not down.
func randomBroker(random *rand.Rand, topics []string) (publisher *broker, down map[string]*atomic.Bool) {
	down = map[string]*atomic.Bool{}
	for _, topic := range topics {
		down[topic] = &atomic.Bool{}
	}
	tried := map[string]bool{}
	tell := []func(*message.Message, error) error{named, unnamed}[random.IntN(2)]
	return &broker{
		rule: func(topic string, msg *message.Message) error {
			first := !tried[msg.UUID]
			switch {
			case down[topic].Load() || msg.UUID[1] == 'b':
				return errDown
			case msg.UUID[1] == 'r':
				return errTooLarge
			}
			tried[msg.UUID] = true
			if first && random.IntN(3) == 0 {
				return errDown
			}
			return nil
		},
		tell: func(msg *message.Message, err error) error {
			if errors.Is(err, errTooLarge) {
				return tell(msg, err)
			}
			return err
		},
	}, down
}

// byTopicAndKind returns the good messages of each topic, and all others.
func byTopicAndKind(uuids []string) (good map[string][]string, bad []string) {
	good = map[string][]string{}
	for _, uuid := range uuids {
		if uuid[1] == 'g' {
			good[uuid[:1]] = append(good[uuid[:1]], uuid)
		} else {
			bad = append(bad, uuid)
		}
	}
	return good, bad
}
