// Package middleware_test runs a projector behind Watermill's Router with the middleware that people have there. It is
// apart from cqrsfeed for the sake of the modules that this middleware needs.
package middleware_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

const (
	projectorsPoison = "poison of the projector"
	routersPoison    = "poison of the router"

	patience = time.Minute
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is a read model that fails, or panics, as a message says.
type model struct {
	mu       sync.Mutex
	down     bool
	attempts int
	applied  []string
}

func (m *model) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts++
	if m.down {
		return nil, errors.New("the store is away")
	}
	for _, msg := range batch {
		switch msg.UUID {
		case "panics":
			panic("what now")
		case "fails":
			return nil, errors.New("violates a constraint")
		case "poison":
			return nil, &cqrsfeed.RefusedError{Message: msg, Reason: errors.New("no JSON")}
		}
		m.applied = append(m.applied, msg.UUID)
	}
	return nil, nil
}

func (m *model) sees(is func() bool) func() bool {
	return func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return is()
	}
}

// published is a publisher that remembers UUIDs by topic.
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

func (p *published) on(topic string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.uuids[topic]
}

// stage is a projector behind a router.
type stage struct {
	events    *gochannel.GoChannel
	published *published
	handled   chan error // what the middleware around the projector answered the router
	stop      func()     // of the projector
	close     func()     // of the router
}

func run(t *testing.T, projection projector.Projection, goesToPoison func(error) bool) stage {
	t.Helper()
	s := stage{
		events:    gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{}),
		published: &published{uuids: map[string][]string{}},
		handled:   make(chan error, 100),
	}
	proj, err := projector.New(projector.Config{
		Projection: projection, Publisher: s.published, UpdatesTopic: "updates", PoisonTopic: projectorsPoison,
		MaxAttempts: 5, MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond,
	}, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- proj.Run(ctx) }()
	s.stop = func() {
		stop()
		require.NoError(t, <-stopped)
	}

	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	poison, err := middleware.PoisonQueueWithFilter(s.published, routersPoison, goesToPoison)
	require.NoError(t, err)
	retry := middleware.Retry{MaxRetries: 2, InitialInterval: time.Millisecond, Logger: watermill.NopLogger{}}
	router.AddMiddleware(s.watch, poison, retry.Middleware, middleware.Recoverer)
	router.AddConsumerHandler("in", "in", s.events, proj.Handle)
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.WithoutCancel(t.Context())) }()
	<-router.Running()
	s.close = func() {
		require.NoError(t, router.Close())
		require.NoError(t, <-ended)
		require.NoError(t, s.events.Close())
	}
	return s
}

func (s stage) watch(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		produced, err := next(msg)
		select {
		case s.handled <- err:
		default: // what was given back comes again and again until the router is closed
		}
		return produced, err
	}
}

func anyError(error) bool { return true }

func noStop(err error) bool {
	return !errors.Is(err, projector.ErrStopped) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// TestProjectorDealsWithWhatFails: panics, errors and poison are the projector's, and the middleware sees none of
// them.
func TestProjectorDealsWithWhatFails(t *testing.T) {
	t.Parallel()
	m := &model{}
	s := run(t, m, anyError)
	for _, uuid := range []string{"1", "panics", "2", "fails", "3", "poison", "4"} {
		require.NoError(t, s.events.Publish("in", message.NewMessage(uuid, nil)))
	}
	for range 7 {
		require.NoError(t, <-s.handled)
	}
	s.close()
	s.stop()
	require.Empty(t, s.published.on(routersPoison))
	require.ElementsMatch(t, []string{"panics", "fails", "poison"}, s.published.on(projectorsPoison))
	require.Subset(t, m.applied, []string{"1", "2", "3", "4"})
}

// TestPoisonQueueAtAStop shows why it has to filter: what a projector gives back when it stops is no poison.
func TestPoisonQueueAtAStop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		goesToPoison func(error) bool
		poison       []string
	}{
		"with a filter":    {noStop, nil},
		"without a filter": {anyError, []string{"waits"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &model{down: true}
			s := run(t, m, c.goesToPoison)
			require.NoError(t, s.events.Publish("in", message.NewMessage("waits", nil)))
			require.Eventually(t, m.sees(func() bool { return m.attempts > 5 }), patience, time.Millisecond)
			s.stop()
			if err := <-s.handled; c.poison == nil {
				require.ErrorIs(t, err, projector.ErrStopped, "the broker has it again")
			} else {
				require.NoError(t, err, "the broker takes it for done")
			}
			s.close()
			require.Equal(t, c.poison, s.published.on(routersPoison))
		})
	}
}
