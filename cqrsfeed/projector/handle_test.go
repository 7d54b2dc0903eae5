package projector_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// runHandled runs a projector that is given its messages, until stop is called, which returns what Run returned.
func runHandled(t *testing.T, config projector.Config) (proj *projector.Projector, stop func() error) {
	t.Helper()
	proj = newProjector(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- proj.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return proj, stop
}

// TestProjectorBehindARouter goes through Watermill's Router and its middleware: messages come together in
// batches, fail and are tried again, and one of them is poison.
func TestProjectorBehindARouter(t *testing.T) {
	t.Parallel()
	subscriber := newHandSubscriber("in", "more")
	publisher := &messageRecorder{}
	var mu sync.Mutex
	var attempts [][]string
	busy, free := make(chan struct{}, 100), make(chan struct{})
	proj, stop := runHandled(t, projector.Config{
		Publisher: publisher, MinBackoff: time.Millisecond, BatchSize: 10,
		Projection: funcProjection(func(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
			busy <- struct{}{}
			<-free
			mu.Lock()
			defer mu.Unlock()
			attempts = append(attempts, uuidsOf(batch))
			if len(attempts) < 3 {
				return nil, errDown
			}
			for _, msg := range batch {
				if msg.UUID == "bad" {
					return nil, &cqrsfeed.RefusedError{Message: msg, Reason: errDown}
				}
			}
			return []*message.Message{message.NewMessage("update", nil)}, nil
		}),
	})
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	var through []string
	var failed error
	router.AddMiddleware(func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			produced, err := next(msg)
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
			through = append(through, msg.UUID)
			return produced, err
		}
	})
	router.AddConsumerHandler("in", "in", subscriber, proj.Handle)
	router.AddConsumerHandler("more", "more", subscriber, proj.Handle)
	routed := make(chan error, 1)
	go func() { routed <- router.Run(context.WithoutCancel(t.Context())) }()
	<-router.Running()

	first := subscriber.send("in", "1")
	<-busy
	rest := append(subscriber.send("in", "2", "3", "bad"), subscriber.send("more", "4")...)
	close(free)
	requireAcked(t, append(first, rest...)...)

	require.NoError(t, router.Close())
	require.NoError(t, <-routed)
	require.NoError(t, stop())
	require.NoError(t, failed)
	assert.Equal(t, [][]string{{"1"}, {"1"}, {"1"}}, attempts[:3], "retried")
	assert.ElementsMatch(t, []string{"1", "2", "3", "4", "bad"}, through, "middleware sees each of them once")
	dead := publisher.on(poisonTopic)
	require.Len(t, dead, 1)
	assert.Equal(t, "in", dead[0].Metadata.Get(projector.PoisonTopicKey))
	assert.Equal(t, errDown.Error(), dead[0].Metadata.Get(projector.PoisonReasonKey))
	assert.NotEmpty(t, publisher.on(updatesTopic))
}

// messageRecorder is a publisher that keeps what it was given.
type messageRecorder struct {
	mu    sync.Mutex
	given map[string][]*message.Message
}

func (r *messageRecorder) Publish(topic string, messages ...*message.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given == nil {
		r.given = map[string][]*message.Message{}
	}
	r.given[topic] = append(r.given[topic], messages...)
	return nil
}

func (r *messageRecorder) Close() error { return nil }

func (r *messageRecorder) on(topic string) []*message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.given[topic]
}

func TestHandledMessagesComeInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		projection := &slowProjection{takes: time.Second}
		proj, stop := runHandled(t, projector.Config{Publisher: &recorder{}, Projection: projection, BatchSize: 4})
		var handling sync.WaitGroup
		failed := make(chan error, 10)
		handle := func(uuid string) {
			handling.Go(func() {
				msg := message.NewMessage(uuid, nil)
				if err := proj.Handle(msg); err != nil {
					failed <- err
				}
				select {
				case <-msg.Acked():
					assert.Fail(t, "the acknowledgement is the Router's")
				default:
				}
			})
		}
		handle("1")
		synctest.Wait()
		for _, uuid := range []string{"2", "3", "4", "5", "6"} {
			handle(uuid)
		}
		handling.Wait()
		require.Empty(t, failed)
		require.NoError(t, stop())
		var sizes []int
		for _, batch := range projection.batches {
			sizes = append(sizes, batch.size)
		}
		assert.Equal(t, []int{1, 4, 1}, sizes)
	})
}

// TestHandleEnds when the message's context does, and when the projector does, also for what comes later.
func TestHandleEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proj, stop := runHandled(t, projector.Config{
			Publisher: &recorder{}, BatchSize: 1,
			Projection: funcProjection(func(context.Context, []*message.Message) ([]*message.Message, error) { return nil, errDown }),
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		results := make(chan error, 3)
		for _, within := range []context.Context{t.Context(), ctx, ctx} {
			msg := message.NewMessage("m", nil) // the first is being applied, one waits, one finds no room
			msg.SetContext(within)
			go func() { results <- proj.Handle(msg) }()
			synctest.Wait()
		}
		require.ErrorIs(t, <-results, context.DeadlineExceeded)
		require.ErrorIs(t, <-results, context.DeadlineExceeded)
		require.NoError(t, stop())
		require.ErrorIs(t, <-results, projector.ErrStopped)
		for range 10 {
			require.ErrorIs(t, proj.Handle(message.NewMessage("m", nil)), projector.ErrStopped)
		}
	})
}
