package projector_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// applied is a projection that records what it applies, and waits in Apply until it may go on.
type applied struct {
	projector.NoSweep

	mu    sync.Mutex
	uuids []string
	begun chan string
	goOn  chan struct{}
}

func (a *applied) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	for _, msg := range batch {
		a.begun <- msg.UUID
		<-a.goOn
		a.mu.Lock()
		a.uuids = append(a.uuids, msg.UUID)
		a.mu.Unlock()
	}
	return nil, nil
}

func (a *applied) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.uuids...)
}

// subscriptions counts those that are open.
type subscriptions struct {
	message.Subscriber

	mu   sync.Mutex
	open int
}

func (s *subscriptions) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	messages, err := s.Subscriber.Subscribe(ctx, topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	})
	return messages, err
}

func (s *subscriptions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func TestPausedProjectorUnsubscribesAndGoesOnWhenItIsResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
		events := &subscriptions{Subscriber: broker}
		model := &applied{begun: make(chan string, 10), goOn: make(chan struct{}, 10)}
		proj, err := projector.New(projector.Config{
			Name: "tester", Subscriber: events, Topics: []string{"topic"}, Projection: model, Publisher: broker, PoisonTopic: "poison",
		}, watermill.NopLogger{})
		require.NoError(t, err)
		proj.Pause()
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- proj.Run(ctx) }()
		<-proj.Running()
		synctest.Wait()
		require.Zero(t, events.count(), "it began paused")
		require.NoError(t, broker.Publish("topic", message.NewMessage("1", nil)))

		proj.Resume()
		require.Equal(t, "1", <-model.begun)
		proj.Pause()
		proj.Pause()
		model.goOn <- struct{}{}
		synctest.Wait()
		require.Equal(t, []string{"1"}, model.all(), "the batch at hand is finished")
		require.Zero(t, events.count())
		status, err := proj.Status(t.Context())
		require.NoError(t, err)
		require.True(t, status.Paused)
		require.Equal(t, "tester", status.Name)
		require.Equal(t, time.Now(), status.Applied)

		require.NoError(t, broker.Publish("topic", message.NewMessage("2", nil)))
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble's clock
		require.Equal(t, []string{"1"}, model.all(), "it is paused")
		model.goOn <- struct{}{}
		model.goOn <- struct{}{} // the Go channel keeps the first one for new subscriptions
		proj.Resume()
		synctest.Wait()
		require.Contains(t, model.all(), "2")
		stop()
		require.NoError(t, <-stopped)
		require.NoError(t, broker.Close())
	})
}

func TestPausedProjectorTakesNothing(t *testing.T) {
	t.Parallel()
	model := &applied{begun: make(chan string, 10), goOn: make(chan struct{}, 10)}
	proj, err := projector.New(projector.Config{Projection: model}, watermill.NopLogger{})
	require.NoError(t, err)
	proj.Pause()
	require.ErrorIs(t, proj.Publish("topic", message.NewMessage("1", nil)), projector.ErrPaused)
	require.Empty(t, model.all())
	proj.Resume()
	model.goOn <- struct{}{}
	require.NoError(t, proj.Publish("topic", message.NewMessage("1", nil)))
	require.Equal(t, []string{"1"}, model.all())
}

// TestStatusTellsWhyAnAttemptFailed keeps the last failure beside the last success.
func TestStatusTellsWhyAnAttemptFailed(t *testing.T) {
	t.Parallel()
	proj, err := projector.New(projector.Config{Projection: own{err: errDown}}, watermill.NopLogger{})
	require.NoError(t, err)
	require.Error(t, proj.Publish("topic", message.NewMessage("1", nil)))
	status, err := proj.Status(t.Context())
	require.NoError(t, err)
	require.Contains(t, status.Failure, "down")
	require.False(t, status.Failed.IsZero())
	require.True(t, status.Applied.IsZero())
}
