package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestRelayPollsLessAndLess while nothing comes without a wake-up, and often again as soon as something does.
func TestRelayPollsLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox()
		publisher := &recorder{}
		stop := runRelay(t, outbox.RelayConfig{
			Outbox: queue, Publisher: publisher, MinPollInterval: 10 * time.Millisecond, PollInterval: time.Second,
		})
		defer stop()
		polls := func(d time.Duration) int {
			before := queue.attempted()
			time.Sleep(d) //nolint:forbidigo // virtual time
			synctest.Wait()
			return queue.attempted() - before
		}

		assert.Equal(t, 4, polls(141*time.Millisecond), "at the start, and after 20, 40 and 80 milliseconds more")
		polls(10 * time.Second)
		assert.InDelta(t, 60, polls(time.Minute), 1, "an idle outbox is looked at once a PollInterval")

		queue.addElsewhere(outboxMessage("a", "1"))
		polls(time.Second)
		assert.Len(t, publisher.published(), 1, "a message waits for PollInterval at most")
		for _, uuid := range []string{"2", "3", "4", "5"} {
			queue.addElsewhere(outboxMessage("a", uuid))
			polls(2 * time.Second)
		}
		assert.Len(t, publisher.published(), 5)

		queue.addElsewhere(outboxMessage("a", "6"))
		for len(publisher.published()) < 6 {
			polls(time.Millisecond)
		}
		for _, uuid := range []string{"7", "8", "9"} {
			queue.addElsewhere(outboxMessage("a", uuid))
			polls(10 * time.Millisecond)
		}
		assert.Len(t, publisher.published(), 9, "messages that follow wait for MinPollInterval")
	})
}

// TestRelayIsWokenWhileItPollsRarely: wake-ups neither wait for the poll nor make it more frequent.
func TestRelayIsWokenWhileItPollsRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newMemoryOutbox()
		publisher := &recorder{}
		stop := runRelay(t, outbox.RelayConfig{Outbox: queue, Publisher: publisher})
		defer stop()
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		synctest.Wait()
		before, start := queue.attempted(), time.Now()
		for i := range 20 {
			queue.add(outboxMessage("a", "x"))
			synctest.Wait()
			assert.Len(t, publisher.published(), i+1)
		}
		assert.Zero(t, time.Since(start))
		assert.Equal(t, before+20, queue.attempted(), "one look for each, and none that finds nothing")
	})
}
