package app_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
)

// deaf is a subscriber that cannot subscribe.
type deaf struct{ message.Subscriber }

var errDeaf = errors.New("nobody hears")

func (deaf) Subscribe(context.Context, string) (<-chan *message.Message, error) { return nil, errDeaf }

// TestRunFailsWithItsParts: a microblog does not run without one of its parts.
func TestRunFailsWithItsParts(t *testing.T) {
	t.Parallel()
	for name, breakPart := range map[string]func(*feedmill.Broker){
		"projector": func(b *feedmill.Broker) { b.Work = deaf{} },
		"router":    func(b *feedmill.Broker) { b.Live = deaf{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := embedded(t)
			channel := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
			t.Cleanup(func() { require.NoError(t, channel.Close()) })
			parts.Broker = &feedmill.Broker{Publisher: channel, Work: channel, Live: channel}
			breakPart(parts.Broker)
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

// TestStopFinishesRequests stops a microblog during a request.
func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	parts := embedded(t)
	entered, release := make(chan struct{}), make(chan struct{})
	parts.Checks = []func(context.Context) error{func(context.Context) error {
		close(entered)
		<-release
		return nil
	}}
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
