package natspubsub_test

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestStreamInAnotherDomain uses the stream of a hub from a leaf node that has JetStream of its own.
func TestStreamInAnotherDomain(t *testing.T) {
	t.Parallel()
	hub := &broker{options: server.Options{
		ServerName: "hub", Host: "127.0.0.1", Port: servers.FreePort(t), NoSigs: true, NoLog: true,
		JetStream: true, JetStreamDomain: "hub", StoreDir: t.TempDir(),
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: servers.FreePort(t)},
	}}
	hub.start(t)
	t.Cleanup(hub.stop)
	remote := &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(hub.options.LeafNode.Port))}
	leaf := &broker{options: server.Options{
		ServerName: "leaf", Host: "127.0.0.1", Port: servers.FreePort(t), NoSigs: true, NoLog: true,
		JetStream: true, JetStreamDomain: "leaf", StoreDir: t.TempDir(),
		LeafNode: server.LeafNodeOpts{Remotes: []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}}},
	}}
	leaf.start(t)
	t.Cleanup(leaf.stop)
	require.Eventually(t, func() bool { return hub.running.NumLeafNodes() == 1 }, patience, 10*time.Millisecond)
	nc := connect(t, leaf.running.ClientURL())
	js, err := jetstream.New(nc)
	require.NoError(t, err)

	for _, config := range []natspubsub.StreamConfig{
		{Name: "domain", Domain: "hub"},
		{Name: "prefix", APIPrefix: "$JS.hub.API"},
	} {
		t.Run(config.Name, func(t *testing.T) {
			t.Parallel()
			stream, err := natspubsub.NewStream(nc, config, watermill.NopLogger{})
			require.NoError(t, err)
			require.Eventually(t, func() bool { return stream.Ensure(t.Context()) == nil }, patience, 10*time.Millisecond)
			_, err = js.Stream(t.Context(), config.Name)
			require.ErrorIs(t, err, jetstream.ErrStreamNotFound, "the leaf has no such stream")

			durable := newDurable(t, stream, natspubsub.DurableConfig{})
			work, live := subscribe(t, durable, "posts"), subscribe(t, newLive(t, stream), "posts")
			publish(t, newPublisher(t, stream), "posts", numbered(0, 2)...)
			first := next(t, work)
			assert.Equal(t, "0", string(first.Payload))
			assert.Equal(t, "1", payload(t, work))
			first.Nack()
			assert.Equal(t, "0", payload(t, work), "the negative acknowledgement reached the hub")
			assert.Equal(t, "0", payload(t, live))
			assert.Equal(t, "1", payload(t, live))
			require.Eventually(t, func() bool {
				backlog, err := durable.Backlog(context.WithoutCancel(t.Context()), "posts")

				return err == nil && backlog.Messages == 0
			}, patience, 10*time.Millisecond, "the acknowledgements reached the hub")
		})
	}
}
