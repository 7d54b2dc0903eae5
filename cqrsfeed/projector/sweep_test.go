package projector_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

func TestUpdatesOfAFailedSweepArePublished(t *testing.T) {
	t.Parallel()
	publisher := &messageRecorder{}
	config := projector.Config{Publisher: publisher, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		return []*message.Message{message.NewMessage("found", nil)}, errDown
	}}}
	withBroker(t, config, nil, func(*handSubscriber) {
		require.Equal(t, []string{"found"}, uuidsOf(publisher.on(updatesTopic)))
	})
}

// TestNoSweepWhileUpdatesCannotBePublished: another sweep would not return these updates again.
func TestNoSweepWhileUpdatesCannotBePublished(t *testing.T) {
	t.Parallel()
	publisher := &outage{}
	publisher.down.Store(true)
	var sweeps atomic.Int64
	config := projector.Config{Publisher: publisher, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		n := sweeps.Add(1)
		return []*message.Message{message.NewMessage(fmt.Sprint(n), nil), message.NewMessage(fmt.Sprint(n, " too"), nil)}, nil
	}}}
	withBroker(t, config, nil, func(*handSubscriber) {
		elapse(20 * time.Minute)
		require.Equal(t, int64(1), sweeps.Load())
		publisher.down.Store(false)
		elapse(10 * time.Second)
		require.GreaterOrEqual(t, sweeps.Load(), int64(9), "it sweeps again")
		require.Equal(t, []string{"1", "1 too", "2", "2 too"}, uuidsOf(publisher.on(updatesTopic))[:4])
	})
}

// TestARefusedUpdateOfASweepIsLeftOut: it must not hold up the others.
func TestARefusedUpdateOfASweepIsLeftOut(t *testing.T) {
	t.Parallel()
	publisher := &picky{rule: refuseUUIDs("bad"), tell: unnamed}
	sweeps := 0
	config := projector.Config{Publisher: publisher, Projection: &sweepFunc{sweep: func() ([]*message.Message, error) {
		if sweeps++; sweeps > 1 {
			return nil, nil
		}
		return []*message.Message{message.NewMessage("bad", nil), message.NewMessage("good", nil)}, nil
	}}}
	withBroker(t, config, nil, func(*handSubscriber) {
		elapse(time.Minute)
		require.Equal(t, []string{"good"}, publisher.took())
		require.LessOrEqual(t, publisher.calls.Load(), int64(3))
	})
}

// TestUpdatesAreNotTriedOneByOneDuringAnOutage: each could take as long as the publisher's timeout.
func TestUpdatesAreNotTriedOneByOneDuringAnOutage(t *testing.T) {
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
	withBroker(t, config, nil, func(*handSubscriber) {
		elapse(time.Second)
		require.Equal(t, int64(2), calls.Load())
		elapse(time.Minute)
		require.Equal(t, []string{"1", "2", "3"}, told, "they wait for the broker")
	})
}

// sweepingProjection counts sweeps.
type sweepingProjection struct {
	funcProjection
	sweeps chan int
	count  int
}

func (p *sweepingProjection) Sweep(context.Context) ([]*message.Message, error) {
	p.count++
	p.sweeps <- p.count
	if p.count == 1 {
		return nil, errDown // a failed sweep must not be the last one
	}
	return []*message.Message{message.NewMessage("swept "+strconv.Itoa(p.count), nil)}, nil
}

func TestSweepsGoOnAfterAFailure(t *testing.T) {
	t.Parallel()
	publisher := &recorder{}
	projection := &sweepingProjection{sweeps: make(chan int, 1000)}
	runProjector(t, projector.Config{
		Subscriber: newHandSubscriber("in"), Topics: []string{"in"}, Publisher: publisher, Projection: projection, SweepInterval: time.Millisecond,
	})
	for want := range 3 {
		assert.Equal(t, want+1, <-projection.sweeps)
	}
	assert.Contains(t, publisher.published(), call{updatesTopic, []string{"swept 2"}})
}

// slowSweeper takes a while for each sweep.
type slowSweeper struct {
	funcProjection
	began chan time.Time
}

func (p *slowSweeper) Sweep(context.Context) ([]*message.Message, error) {
	p.began <- time.Now()
	<-time.After(time.Second)
	return nil, nil
}

func TestSweepsTakeATenthOfTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		projection := &slowSweeper{began: make(chan time.Time)}
		ctx, stop := context.WithCancel(t.Context())
		proj, err := projector.New(projector.Config{
			Subscriber: newHandSubscriber("in"), Topics: []string{"in"}, Publisher: &recorder{}, Projection: projection,
			UpdatesTopic: updatesTopic, PoisonTopic: poisonTopic, SweepInterval: 2 * time.Second,
		}, watermill.NopLogger{})
		require.NoError(t, err)
		done := make(chan error)
		go func() { done <- proj.Run(ctx) }()
		first, second := <-projection.began, <-projection.began
		assert.Equal(t, 10*time.Second, second.Sub(first))
		stop()
		require.NoError(t, <-done)
	})
}
