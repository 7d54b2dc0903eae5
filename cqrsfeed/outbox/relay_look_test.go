package outbox_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// notTaken is a rule of a broker that does not take a topic.
func notTaken(gone string) func(string, *message.Message) error {
	return func(topic string, _ *message.Message) error {
		if topic == gone {
			return errDown
		}
		return nil
	}
}

// many makes messages whose UUIDs begin with their topic.
func many(topic string, from, n int) []outbox.Message {
	batch := make([]outbox.Message, n)
	for i := range batch {
		batch[i] = outboxMessage(topic, fmt.Sprintf("%s%d", topic, from+i))
	}
	return batch
}

func outboxUUIDs(batch []outbox.Message) []string {
	var uuids []string
	for _, m := range batch {
		uuids = append(uuids, m.Message.UUID)
	}
	return uuids
}

// TestRelayFindsWhatIsTakenBehindAFullBatch of messages that are not: they are parked with their reason and do not
// block the others, however small a batch is.
func TestRelayFindsWhatIsTakenBehindAFullBatch(t *testing.T) {
	t.Parallel()
	for _, batchSize := range []int{1, 2, 100} {
		t.Run(fmt.Sprint(batchSize), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gone, good := many("gone", 0, 250), many("a", 0, 5)
				queue := newMemoryOutbox(slices.Concat(gone, good)...)
				publisher := &picky{rule: notTaken("gone"), tell: unmarked}
				stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, BatchSize: batchSize})
				time.Sleep(40 * time.Second) //nolint:forbidigo // virtual time: less than 60 attempts
				synctest.Wait()
				assert.Empty(t, publisher.took(), "nothing overtakes it before it was given its chances")
				assert.Empty(t, parkedUUIDs(queue))
				time.Sleep(5 * time.Minute) //nolint:forbidigo // virtual time
				synctest.Wait()
				assert.Equal(t, outboxUUIDs(good), publisher.took(), "in their order")
				assert.NotEmpty(t, parkedUUIDs(queue))

				queue.add(many("a", 5, 300)...)
				time.Sleep(time.Hour) //nolint:forbidigo // virtual time
				stop()
				assert.ElementsMatch(t, outboxUUIDs(gone), parkedUUIDs(queue))
				assert.Equal(t, outboxUUIDs(many("a", 0, 305)), publisher.took(), "in their order")
				assert.Empty(t, queue.queue)
				for _, p := range queue.parked {
					assert.ErrorIs(t, p.Reason, errDown)
				}
			})
		})
	}
}

// TestRelayParksManyForOneThatIsTaken: a topic that is not taken does not pile up in front of one that has fewer
// messages.
func TestRelayParksManyForOneThatIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(many("gone", 0, 20)...)
		publisher := &picky{rule: notTaken("gone"), tell: unmarked}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 10, MaxLook: 100})
		for i := range 100 {
			queue.add(many("gone", 20*(i+1), 20)...)
			queue.add(many("a", i, 1)...)
			time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time
		}
		time.Sleep(30 * time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, outboxUUIDs(many("a", 0, 100)), publisher.took())
		assert.Less(t, len(queue.queue), 100)
		assert.Greater(t, len(queue.parked), 1900)
	})
}

// TestRelayLooksNoFurtherThanItMay while the broker is away, and parks nothing of all it sees; then all comes in order.
func TestRelayLooksNoFurtherThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		batch := slices.Concat(many("a", 0, 30), many("b", 0, 500))
		queue := newMemoryOutbox(batch...)
		var back atomic.Bool
		publisher := &picky{tell: unmarked, rule: func(string, *message.Message) error {
			if !back.Load() {
				return errDown
			}
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, BatchSize: 10, MaxAttempts: 5, MaxLook: 100})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		synctest.Wait()
		drained := queue.drained()
		assert.Equal(t, 100, slices.Max(drained))
		assert.Equal(t, []int{10, 10, 10, 10, 10, 10, 20, 40, 80, 100, 10}, drained[:11], "long looks are the exception")
		assert.LessOrEqual(t, publisher.calls.Load(), int64(3*len(drained)), "few messages are tried in its place")
		back.Store(true)
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parked)
		assert.Equal(t, outboxUUIDs(batch), publisher.took())
		drained = slices.DeleteFunc(queue.drained(), func(n int) bool { return n == 0 })
		assert.Equal(t, 10, drained[len(drained)-1], "batches are as large as ever")
	})
}

// TestRelayDoesNotParkWhatOthersPublish: failures of messages that another relay takes, as one of a newer release does
// with the messages of a new topic, do not add up.
func TestRelayDoesNotParkWhatOthersPublish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox()
		publisher := &picky{rule: notTaken("new"), tell: unmarked}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 10})
		for i := range 100 {
			queue.add(slices.Concat(many("new", i, 1), many("old", i, 1))...)
			time.Sleep(time.Second) //nolint:forbidigo // virtual time: a few attempts
			queue.remove("new")
		}
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parked)
		assert.Equal(t, outboxUUIDs(many("old", 0, 100)), publisher.took())
	})
}

// TestRelayStopsBehindATopicThatIsTakenAgain: the message that it passed over meanwhile comes next.
func TestRelayStopsBehindATopicThatIsTakenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(slices.Concat(many("gone", 0, 1), many("a", 0, 1), many("gone", 1, 4))...)
		failed := map[string]int{}
		publisher := &picky{tell: unmarked, rule: func(topic string, msg *message.Message) error {
			back := failed["gone1"] > 0 && failed["gone3"] > 0 // the one that is passed over, and the one tried in its place
			if topic == "gone" && (msg.UUID == "gone0" || !back) {
				failed[msg.UUID]++
				return errDown
			}
			return nil
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 3})
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"gone0"}, parkedUUIDs(queue))
		assert.Equal(t, []string{"a0", "gone2", "gone1", "gone3", "gone4"}, publisher.took())
	})
}

// TestRelayGivesMessagesWithoutUUIDTheirOwnChances, although it cannot tell them apart.
func TestRelayGivesMessagesWithoutUUIDTheirOwnChances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := many("gone", 0, 3)
		for _, m := range gone {
			m.Message.UUID = ""
		}
		queue := newMemoryOutbox(slices.Concat(gone, many("a", 0, 1))...)
		publisher := &picky{rule: notTaken("gone"), tell: unmarked}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 3})
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		assert.Len(t, parkedUUIDs(queue), 1)
		queue.add(many("a", 1, 2)...)
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Len(t, queue.parked, 3, "one for each that was taken")
	})
}

// TestAttemptsWhileTheBrokerIsAwayDoNotCount: topics of a broker that comes back need not come back together, as where
// each has a leader of its own.
func TestAttemptsWhileTheBrokerIsAwayDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		batch := slices.Concat(many("late", 0, 3), many("soon", 0, 3))
		queue := newMemoryOutbox(batch...)
		var soon, late atomic.Bool
		publisher := &picky{tell: unmarked, rule: func(topic string, _ *message.Message) error {
			if topic == "soon" && soon.Load() || topic == "late" && late.Load() {
				return nil
			}
			return errDown
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
		soon.Store(true)
		time.Sleep(10 * time.Second) //nolint:forbidigo // virtual time
		late.Store(true)
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.Empty(t, queue.parked)
		assert.ElementsMatch(t, outboxUUIDs(batch), publisher.took())
	})
}

// TestTwoTopicsThatAreNotTaken, each of which is tried in the other's place, are not taken for a broker that is away.
func TestTwoTopicsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone, good := slices.Concat(many("gone", 0, 3), many("lost", 0, 3)), many("a", 0, 20)
		queue := newMemoryOutbox(slices.Concat(gone, good)...)
		publisher := &picky{tell: unmarked, rule: func(topic string, _ *message.Message) error {
			if topic == "a" {
				return nil
			}
			return errDown
		}}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
		stop()
		assert.ElementsMatch(t, outboxUUIDs(gone), parkedUUIDs(queue))
		assert.Equal(t, outboxUUIDs(good), publisher.took())
	})
}
