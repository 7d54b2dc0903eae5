package natspubsub_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// fussy is a projection that refuses all until it is mended.
type fussy struct {
	projector.NoSweep

	mended chan struct{}
	taken  chan string
}

func (f fussy) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	select {
	case <-f.mended:
		for _, msg := range batch {
			f.taken <- string(msg.Payload)
		}
		return nil, nil
	default:
	}
	var refused []error
	for _, msg := range batch {
		refused = append(refused, &cqrsfeed.RefusedError{Message: msg, Reason: errors.New("not today")})
	}
	return nil, errors.Join(refused...)
}

func TestPoisonIsLookedThroughReplayedAndRemoved(t *testing.T) {
	t.Parallel()
	stream := ensure(t, connect(t, servers.NATS(t)), natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID()})
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	require.NoError(t, err)
	work, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "work"})
	require.NoError(t, err)
	model := fussy{mended: make(chan struct{}), taken: make(chan string, 10)}
	proj, err := projector.New(projector.Config{
		Name: "fussy", Projection: model, Subscriber: work, Topics: []string{"note-created"}, Publisher: publisher, PoisonTopic: "poison",
	}, watermill.NopLogger{})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- proj.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
		require.NoError(t, work.Close())
		require.NoError(t, publisher.Close())
	})

	poison := stream.Poison("poison")
	none, err := poison.Poisoned(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, none)
	const messages = 5
	for i := range messages {
		require.NoError(t, publisher.Publish("note-created", message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, "%d", i))))
	}
	var all []projector.PoisonedMessage
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		all, err = poison.Poisoned(t.Context(), "", 0)
		assert.NoError(c, err)
		assert.Len(c, all, messages)
	}, time.Minute, 10*time.Millisecond)
	first := all[0].Message
	require.Equal(t, "note-created", first.Metadata.Get(projector.PoisonTopicKey))
	require.Contains(t, first.Metadata.Get(projector.PoisonReasonKey), "not today")
	require.WithinDuration(t, time.Now(), all[0].SetAside, time.Minute)
	page, err := poison.Poisoned(t.Context(), all[1].ID, 2)
	require.NoError(t, err)
	require.Equal(t, []string{all[2].ID, all[3].ID}, []string{page[0].ID, page[1].ID})

	found, ok, err := poison.Lookup(t.Context(), all[2].ID)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, all[2].Message.UUID, found.Message.UUID)
	for _, id := range []string{"1", "999999"} { // another topic's, and none
		_, ok, err = poison.Lookup(t.Context(), id)
		require.NoError(t, err)
		require.False(t, ok)
	}
	_, _, err = poison.Lookup(t.Context(), "x")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)

	close(model.mended)
	require.NoError(t, projector.Replay(publisher, first))
	require.Equal(t, string(first.Payload), <-model.taken)
	removed, err := poison.Remove(t.Context(), all[0].ID, all[0].ID, "1", "999999")
	require.NoError(t, err)
	require.Equal(t, []string{all[0].ID}, removed, "neither twice, nor another topic's, nor what is not there")
	rest, err := poison.Poisoned(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, rest, messages-1)
	_, err = poison.Remove(t.Context(), "x")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = poison.Poisoned(t.Context(), "x", 10)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// TestAPoisonedUpdateMakesNoRoom: a full poison topic loses nothing for an update that is set aside.
func TestAPoisonedUpdateMakesNoRoom(t *testing.T) {
	t.Parallel()
	stream := newSmallStream(t, 40)
	publisher := newPublisher(t, stream)
	publish(t, publisher, "poison", numbered(0, 40)...)
	refusing := &refusalRecorder{Publisher: publisher, refusals: make(chan error, 1)}
	proj, err := projector.New(projector.Config{
		Projection: fussy{}, Subscriber: newDurable(t, stream, natspubsub.DurableConfig{}), Topics: []string{"feed-updated"},
		Publisher: refusing, PoisonTopic: "poison",
	}, watermill.NopLogger{})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- proj.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, <-stopped)
	}()
	<-proj.Running()
	update := numbered(40, 1)[0]
	driver.MarkUpdate(update)
	publish(t, publisher, "feed-updated", update)

	require.ErrorIs(t, <-refusing.refusals, natspubsub.ErrStreamFull)
	all, err := stream.Poison("poison").Poisoned(t.Context(), "", 50)
	require.NoError(t, err)
	require.Len(t, all, 40)
	require.Equal(t, "0", string(all[0].Message.Payload))
}

// refusalRecorder is a publisher that shows the result of its calls.
type refusalRecorder struct {
	message.Publisher

	refusals chan error
}

func (r *refusalRecorder) Publish(topic string, messages ...*message.Message) error {
	err := r.Publisher.Publish(topic, messages...)
	select {
	case r.refusals <- err:
	default: // the test has seen one
	}

	return err
}

// TestPausedProjectorLeavesItsMessages at the broker, and applies them when it is resumed.
func TestPausedProjectorLeavesItsMessages(t *testing.T) {
	t.Parallel()
	stream := ensure(t, connect(t, servers.NATS(t)), natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID()})
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, publisher.Close()) })
	work, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "work"})
	require.NoError(t, err)
	model := fussy{mended: make(chan struct{}), taken: make(chan string, 10)}
	close(model.mended)
	proj, err := projector.New(projector.Config{
		Projection: model, Subscriber: work, Topics: []string{"note-created"}, Publisher: publisher, PoisonTopic: "poison",
	}, watermill.NopLogger{})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- proj.Run(ctx) }()
	<-proj.Running()
	publish := func(payload string) {
		require.NoError(t, publisher.Publish("note-created", message.NewMessage(watermill.NewUUID(), []byte(payload))))
	}
	publish("1")
	require.Equal(t, "1", <-model.taken)
	proj.Pause()
	publish("2")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, err := proj.Status(t.Context())
		assert.NoError(c, err)
		assert.Equal(c, int64(1), status.Backlog)
	}, time.Minute, 10*time.Millisecond)
	require.Empty(t, model.taken)
	proj.Resume()
	require.Equal(t, "2", <-model.taken)
	stop()
	require.NoError(t, <-stopped)
	require.NoError(t, work.Close())
}
