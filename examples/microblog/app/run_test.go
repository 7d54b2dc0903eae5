package app_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
)

func TestPartsAreRequired(t *testing.T) {
	t.Parallel()
	_, err := app.New(app.Parts{}, nil)
	for _, part := range []string{"Posts", "Outbox", "Feeds", "Publisher", "Work", "Live", "Ping"} {
		require.ErrorContains(t, err, "no "+part)
	}
}

// deaf is a subscriber that cannot subscribe.
type deaf struct{ message.Subscriber }

var errDeaf = errors.New("nobody hears")

func (deaf) Subscribe(context.Context, string) (<-chan *message.Message, error) { return nil, errDeaf }

// TestRunFailsWithItsParts: a microblog does not run without one of its parts.
func TestRunFailsWithItsParts(t *testing.T) {
	t.Parallel()
	for name, breakPart := range map[string]func(*app.Parts){
		"projector": func(p *app.Parts) { p.Work = deaf{} },
		"router":    func(p *app.Parts) { p.Live = deaf{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := embedded(t)
			breakPart(&parts)
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err = newApp(t, parts).Run(ctx, listener)
			require.ErrorIs(t, err, errDeaf)
			require.ErrorContains(t, err, name)
			require.NoError(t, ctx.Err(), "it failed by itself")
			_, err = listener.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

func TestRunFailsWithItsListener(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = newApp(t, embedded(t)).Run(t.Context(), listener)
	require.ErrorContains(t, err, "http server")
}

// TestStopDoesNotWaitForUnusedConnections opens a connection in advance, as browsers do.
func TestStopDoesNotWaitForUnusedConnections(t *testing.T) {
	t.Parallel()
	s := run(t, newApp(t, embedded(t)))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.Equal(t, 200, s.get(t, "/healthz").status, "a connection that came later is served")

	s.stop()
	select {
	case err := <-s.stopped:
		require.NoError(t, err)
	case <-time.After(3 * time.Second): // http.Server.Shutdown alone takes five
		require.Fail(t, "a connection without a request holds up the end")
	}
}

// TestStopFinishesRequests stops a microblog during a request.
func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	parts := embedded(t)
	entered, release := make(chan struct{}), make(chan struct{})
	parts.Ping = func(context.Context) error {
		close(entered)
		<-release
		return nil
	}
	s := run(t, newApp(t, parts))
	answered := make(chan error, 1)
	var ready answer
	go func() {
		var err error
		ready, err = s.fetch(t.Context(), "/readyz")
		answered <- err
	}()
	<-entered

	s.stop()
	require.Eventually(t, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr)
		return err != nil || conn.Close() != nil
	}, patience, 5*time.Millisecond, "new requests are taken")
	close(release)
	require.NoError(t, <-answered)
	require.Equal(t, 200, ready.status)
	require.NoError(t, s.ended(t))
}

// watched is a broker that blocks the publishing of an event, and records the end of the publishing and of the subscription.
type watched struct {
	message.Publisher
	message.Subscriber

	publishing, release, unsubscribed chan struct{}

	mu    sync.Mutex
	ended []string
}

func (w *watched) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, what)
}

func (w *watched) Close() error { return nil }

func (w *watched) Publish(topic string, messages ...*message.Message) error {
	if topic != app.Topics().Created {
		return w.Publisher.Publish(topic, messages...)
	}
	close(w.publishing)
	<-w.release
	defer w.note("publishing")
	return w.Publisher.Publish(topic, messages...)
}

func (w *watched) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic == app.Topics().Created {
		context.AfterFunc(ctx, func() {
			w.note("subscription")
			close(w.unsubscribed)
		})
	}
	return w.Subscriber.Subscribe(ctx, topic)
}

// TestTheProjectorOutlivesTheRelay: a broker without storage would drop what the relay still publishes.
func TestTheProjectorOutlivesTheRelay(t *testing.T) {
	t.Parallel()
	parts := embedded(t)
	broker := &watched{
		Publisher: parts.Publisher, Subscriber: parts.Work,
		publishing: make(chan struct{}), release: make(chan struct{}), unsubscribed: make(chan struct{}),
	}
	parts.Publisher, parts.Work = broker, broker
	s := run(t, newApp(t, parts))
	require.Equal(t, 201, s.post(t, `{"title":"A title","content":"#go","author":"Ada"}`).status)
	<-broker.publishing

	s.stop()
	require.Eventually(t, func() bool {
		select {
		case <-broker.unsubscribed:
			return true
		default:
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr)
			return err != nil || conn.Close() != nil
		}
	}, patience, 50*time.Millisecond, "it does not stop")
	close(broker.release)
	require.NoError(t, s.ended(t))
	<-broker.unsubscribed
	require.Equal(t, []string{"publishing", "subscription"}, broker.ended)
}
