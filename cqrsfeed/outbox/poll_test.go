package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestRelayPollsLessOftenWhileNothingIsFound, and often again after a poll that found messages.
func TestRelayPollsLessOftenWhileNothingIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox()
		publisher := &broker{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		defer stop()
		polls := func(d time.Duration) int {
			before := queue.drainCalls()
			time.Sleep(d) //nolint:forbidigo // virtual time
			synctest.Wait()
			return queue.drainCalls() - before
		}

		assert.Equal(t, 4, polls(141*time.Millisecond), "at the start, and after 20, 40 and 80 milliseconds more")
		polls(10 * time.Second)
		assert.InDelta(t, 60, polls(time.Minute), 1, "an idle outbox is read once each PollInterval")

		queue.addElsewhere(outboxMessage("a", "1"))
		polls(time.Second)
		assert.Len(t, publisher.taken(), 1, "a message waits no longer than PollInterval")
		for _, uuid := range []string{"2", "3", "4", "5"} {
			queue.addElsewhere(outboxMessage("a", uuid))
			polls(2 * time.Second)
		}
		assert.Len(t, publisher.taken(), 5)

		queue.addElsewhere(outboxMessage("a", "6"))
		for len(publisher.taken()) < 6 {
			polls(time.Millisecond)
		}
		for _, uuid := range []string{"7", "8", "9"} {
			queue.addElsewhere(outboxMessage("a", uuid))
			polls(10 * time.Millisecond)
		}
		assert.Len(t, publisher.taken(), 9, "messages that follow wait for 10 milliseconds")
	})
}

// TestRelayIsWokenByCommits at once, and without polling more often.
func TestRelayIsWokenByCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox()
		publisher := &broker{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		defer stop()
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		synctest.Wait()
		before, start := queue.drainCalls(), time.Now()
		for i := range 20 {
			queue.add(outboxMessage("a", "x"))
			synctest.Wait()
			assert.Len(t, publisher.taken(), i+1)
		}
		assert.Zero(t, time.Since(start))
		assert.Equal(t, before+20, queue.drainCalls(), "one drain for each, and none that finds nothing")
	})
}
