package outbox_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestNothingOvertakesItsItem: while a message fails, the relay tries only the first messages of other items before it parks
// the failing one.
func TestNothingOvertakesItsItem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(steps("a", "bad-0", "bad-1", "good-0", "bad-2", "good-1", "good-2", "bad-3")...)
		publisher := &broker{rule: failing("bad-0", "bad-2")}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 3})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		stop()
		assert.Equal(t, []string{"good-0", "bad-1", "good-1", "good-2", "bad-3"}, publisher.first())
		assert.Equal(t, []string{"bad-0", "bad-2"}, queue.parkedUUIDs())
	})
}

// steps returns messages of items: "a-0" is of the item "a".
func steps(topic string, uuids ...string) []outbox.Message {
	batch := make([]outbox.Message, len(uuids))
	for i, uuid := range uuids {
		batch[i] = outboxMessage(topic, uuid)
		item, _, _ := strings.Cut(uuid, "-")
		batch[i].Message.Metadata.Set(cqrsfeed.PartitionKey, item)
	}
	return batch
}

// TestStepsAreCallsOfTheirOwn where the order of a topic is kept: a publisher may store what is behind a message that fails.
func TestStepsAreCallsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(steps("a", "x-0", "y-0", "x-1", "x-2", "z-0", "y-1", "-0", "-1")...)
		queue.order = []string{"a"}
		publisher := &broker{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		synctest.Wait()
		stop()
		assert.Equal(t, []call{
			{"a", []string{"x-0", "y-0", "z-0", "-0"}}, {"a", []string{"x-1", "y-1", "-1"}}, {"a", []string{"x-2"}},
		}, publisher.taken())
	})
}

// TestNothingOvertakesAFailure where the order of a topic is kept, although the publisher stores all but the message that fails.
func TestNothingOvertakesAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox(steps("a", "x-0", "x-1", "y-0", "x-2", "y-1")...)
		queue.order = []string{"a"}
		var took []string
		failures := map[string]int{"x-0": 2, "x-1": 3, "y-1": 4}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, MaxAttempts: 20, Publisher: publisherFunc(func(_ string, messages ...*message.Message) (err error) {
			for _, msg := range messages {
				if failures[msg.UUID] > 0 {
					failures[msg.UUID]--
					err = errDown
				} else if !slices.Contains(took, msg.UUID) {
					took = append(took, msg.UUID)
				}
			}
			return err
		})})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		stop()
		for item, want := range map[string][]string{"x": {"x-0", "x-1", "x-2"}, "y": {"y-0", "y-1"}} {
			assert.Equal(t, want, slices.DeleteFunc(slices.Clone(took), func(uuid string) bool { return !strings.HasPrefix(uuid, item) }))
		}
	})
}

// TestParkedMessagesHoldWhatIsBehind where the order of a topic is kept, also in the batch that they are parked from.
func TestParkedMessagesHoldWhatIsBehind(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*message.Message, error) error{"named": named, "unnamed": unnamed, "failing": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				queue := newMemoryOutbox(append(steps("a", "x-0", "x-1", "y-0", "x-2", "y-1"), steps("b", "x-0", "x-1")...)...)
				queue.order = []string{"a"}
				publisher := &broker{rule: func(topic string, msg *message.Message) error {
					if topic == "a" && msg.UUID == "x-0" {
						return errTooLarge
					}
					return nil
				}, tell: tell}
				stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher, MaxAttempts: 3})
				time.Sleep(time.Hour) //nolint:forbidigo // virtual time
				stop()
				assert.Equal(t, []string{"x-0"}, queue.parkedUUIDs())
				var took []string
				for _, c := range publisher.taken() {
					if c.topic == "a" {
						took = append(took, c.uuids...)
					}
				}
				assert.Subset(t, []string{"y-0"}, took, "the first of another item may be published before")
				assert.Subset(t, queue.waiting(), []string{"x-1", "x-2", "y-1"})
				assert.NotContains(t, queue.topics(), "b")
			})
		})
	}
}
