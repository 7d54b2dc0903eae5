// Package middleware_test runs a projector behind Watermill's Router, with the middleware that handlers have there. It is in
// this module for the sake of the modules that the middleware needs.
package middleware_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

const (
	topic  = "notes"
	poison = "poison"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// attempts is a projection that records its attempts and fails as a message says.
type attempts struct {
	projector.NoSweep

	mu    sync.Mutex
	uuids []string
}

func (a *attempts) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	uuid := batch[0].UUID
	a.uuids = append(a.uuids, uuid)
	switch uuid {
	case "panics":
		panic("what now")
	case "fails":
		return nil, errors.New("violates a constraint")
	case "refused":
		return nil, &cqrsfeed.RefusedError{Message: batch[0], Reason: errors.New("no JSON")}
	case "fails once":
		if a.of(uuid) == 1 {
			return nil, errors.New("deadlock")
		}
	case "hangs":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, nil
}

// of returns the number of attempts with a message.
func (a *attempts) of(uuid string) int {
	return len(slices.DeleteFunc(slices.Clone(a.uuids), func(other string) bool { return other != uuid }))
}

// published is a publisher that records UUIDs by topic.
type published struct {
	mu    sync.Mutex
	uuids map[string][]string
}

func (p *published) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, msg := range messages {
		p.uuids[topic] = append(p.uuids[topic], msg.UUID)
	}
	return nil
}

func (p *published) Close() error { return nil }

// handle publishes messages to a router whose handler is a projector, and returns when each of them went through its middleware.
func handle(t *testing.T, proj *projector.Projector, uuids []string, chain ...message.HandlerMiddleware) {
	t.Helper()
	events := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	handled := make(chan string, len(uuids))
	router.AddMiddleware(func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			produced, err := next(msg)
			assert.NoError(t, err, "PoisonQueue takes what fails")
			handled <- msg.UUID
			return produced, err
		}
	})
	router.AddMiddleware(chain...)
	router.AddConsumerHandler("feeds", topic, events, func(msg *message.Message) error { return proj.Publish(topic, msg) })
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.WithoutCancel(t.Context())) }()
	<-router.Running()
	for _, uuid := range uuids {
		require.NoError(t, events.Publish(topic, message.NewMessage(uuid, nil)))
	}
	for range uuids {
		<-handled
	}
	require.NoError(t, router.Close())
	require.NoError(t, <-ended)
	require.NoError(t, events.Close())
}

// TestRetryAndPoisonQueue: failures, panics included, are retried by Retry, and what fails again goes to the topic of
// PoisonQueue. A refusal is not retried where ShouldRetry says so. Timeout ends the projection.
func TestRetryAndPoisonQueue(t *testing.T) {
	t.Parallel()
	projection, pub := &attempts{}, &published{uuids: map[string][]string{}}
	proj, err := projector.New(projector.Config{Projection: projection, Publisher: pub, UpdatesTopic: "updates"}, watermill.NopLogger{})
	require.NoError(t, err)
	poisonQueue, err := middleware.PoisonQueue(pub, poison)
	require.NoError(t, err)
	retry := middleware.Retry{
		MaxRetries: 2, InitialInterval: time.Millisecond, ResetContextOnRetry: true, Logger: watermill.NopLogger{},
		ShouldRetry: func(params middleware.RetryParams) bool {
			_, refused := errors.AsType[*cqrsfeed.RefusedError](params.Err)
			return !refused
		},
	}
	handle(t, proj, []string{"1", "panics", "fails", "fails once", "refused", "hangs", "2"},
		poisonQueue, retry.Middleware, middleware.Timeout(10*time.Millisecond))
	require.ElementsMatch(t, []string{"panics", "fails", "refused", "hangs"}, pub.uuids[poison])
	for uuid, want := range map[string]int{"1": 1, "panics": 3, "fails": 3, "fails once": 2, "refused": 1, "hangs": 3, "2": 1} {
		require.Equal(t, want, projection.of(uuid), uuid)
	}
}

// TestPoisonTopic: with a PoisonTopic the projector publishes refused messages there itself, and middleware does not see them.
func TestPoisonTopic(t *testing.T) {
	t.Parallel()
	pub := &published{uuids: map[string][]string{}}
	proj, err := projector.New(projector.Config{
		Projection: &attempts{}, Publisher: pub, UpdatesTopic: "updates", PoisonTopic: poison,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	poisonQueue, err := middleware.PoisonQueue(pub, "poison of the router")
	require.NoError(t, err)
	handle(t, proj, []string{"1", "refused", "fails"}, poisonQueue)
	require.Equal(t, []string{"refused"}, pub.uuids[poison])
	require.Equal(t, []string{"fails"}, pub.uuids["poison of the router"])
}
