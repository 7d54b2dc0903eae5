package projector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// sweepFunc is a projection that only sweeps.
type sweepFunc struct {
	sweep func() ([]*message.Message, error)
}

func (*sweepFunc) Apply(context.Context, []*message.Message) ([]*message.Message, error) {
	return nil, nil
}

func (p *sweepFunc) Sweep(context.Context) ([]*message.Message, error) { return p.sweep() }

func feedUpdate(t *testing.T, feed string, revision int64) *message.Message {
	t.Helper()
	msg, err := cqrsfeed.NewMessage(cqrsfeed.FeedUpdatedName, cqrsfeed.FeedUpdated{Feed: feed, Revision: revision})
	require.NoError(t, err)
	return msg
}

func revisionsOf(t *testing.T, updates []*message.Message) map[string]int64 {
	t.Helper()
	revisions := map[string]int64{}
	for _, update := range updates {
		var event cqrsfeed.FeedUpdated
		require.NoError(t, json.Unmarshal(update.Payload, &event))
		require.NotContains(t, revisions, event.Feed, "a feed is announced once")
		revisions[event.Feed] = event.Revision
	}
	return revisions
}

// outage is a publisher that takes nothing while it is down.
type outage struct {
	messageRecorder

	down atomic.Bool
}

func (o *outage) Publish(topic string, messages ...*message.Message) error {
	if o.down.Load() {
		return errDown
	}
	return o.messageRecorder.Publish(topic, messages...)
}

// TestProjectorAnnouncesWhatASweepFoundBeforeItFailed.
func TestProjectorAnnouncesWhatASweepFoundBeforeItFailed(t *testing.T) {
	t.Parallel()
	publisher := &messageRecorder{}
	config := projector.Config{Publisher: publisher, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		return []*message.Message{feedUpdate(t, "go", 3)}, errDown
	}}}
	permanently(t, config, nil, func(*handSubscriber) {
		require.Equal(t, map[string]int64{"go": 3}, revisionsOf(t, publisher.on(updatesTopic)))
	})
}

// TestProjectorRemembersTheNewestOfEachFeed during an outage of the broker, however long that is.
func TestProjectorRemembersTheNewestOfEachFeed(t *testing.T) {
	t.Parallel()
	publisher := &outage{}
	publisher.down.Store(true)
	var sweeps atomic.Int64
	config := projector.Config{Publisher: publisher, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		n := sweeps.Add(1)
		if n > 600 {
			return nil, nil
		}
		return []*message.Message{feedUpdate(t, "go", n), feedUpdate(t, fmt.Sprint("feed ", n%10), n), feedUpdate(t, "go", 0)}, nil
	}}}
	permanently(t, config, nil, func(*handSubscriber) {
		elapse(20 * time.Minute)
		require.Greater(t, sweeps.Load(), int64(1100))
		publisher.down.Store(false)
		elapse(2 * time.Second)
		told := revisionsOf(t, publisher.on(updatesTopic))
		require.Len(t, told, 11)
		assert.Equal(t, int64(600), told["go"])
		assert.Equal(t, int64(599), told["feed 9"])
	})
}

// TestProjectorSweepsNoMoreWhenTooMuchWaits: what is not swept waits in the store.
func TestProjectorSweepsNoMoreWhenTooMuchWaits(t *testing.T) {
	t.Parallel()
	publisher := &outage{}
	publisher.down.Store(true)
	var found atomic.Int64
	config := projector.Config{Publisher: publisher, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		var updates []*message.Message
		for range 1000 {
			updates = append(updates, message.NewMessage(fmt.Sprint(found.Add(1)), nil))
		}
		return updates, nil
	}}}
	permanently(t, config, nil, func(*handSubscriber) {
		elapse(time.Minute)
		require.LessOrEqual(t, found.Load(), int64(11_000))
		publisher.down.Store(false)
		elapse(5 * time.Second)
		require.Len(t, publisher.on(updatesTopic), int(found.Load()), "and nothing of it is lost")
		require.Greater(t, found.Load(), int64(12_000), "it sweeps again")
	})
}

// TestProjectorLeavesOutAnUpdateThatIsRefused, so that it does not keep the others for ever.
func TestProjectorLeavesOutAnUpdateThatIsRefused(t *testing.T) {
	t.Parallel()
	publisher := &picky{rule: refuseUUIDs("bad"), tell: unnamed}
	sweeps := 0
	config := projector.Config{Publisher: publisher, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		if sweeps++; sweeps > 1 {
			return nil, nil
		}
		return []*message.Message{message.NewMessage("bad", nil), message.NewMessage("good", nil)}, nil
	}}}
	permanently(t, config, nil, func(*handSubscriber) {
		elapse(time.Minute)
		require.Equal(t, []string{"good"}, publisher.took())
		require.LessOrEqual(t, publisher.calls.Load(), int64(3))
	})
}

// TestProjectorDoesNotTryEachUpdateWhileTheBrokerIsAway: each could take as long as the publisher is patient.
func TestProjectorDoesNotTryEachUpdateWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	sweeps := 0
	var told []string
	publisher := publisherFunc(func(_ string, updates ...*message.Message) error {
		switch calls.Add(1) {
		case 1:
			return unnamed(updates[0], errTooLarge)
		case 2:
			return errDown
		default:
			told = append(told, uuidsOf(updates)...)
			return nil
		}
	})
	config := projector.Config{Publisher: publisher, SweepInterval: time.Minute, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		if sweeps++; sweeps > 1 {
			return nil, nil
		}
		return []*message.Message{message.NewMessage("1", nil), message.NewMessage("2", nil), message.NewMessage("3", nil)}, nil
	}}}
	permanently(t, config, nil, func(*handSubscriber) {
		elapse(time.Second)
		require.Equal(t, int64(2), calls.Load())
		elapse(time.Minute)
		require.Equal(t, []string{"1", "2", "3"}, told, "they wait for the broker")
	})
}
