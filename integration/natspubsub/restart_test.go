package natspubsub_test

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
)

// broker is a server that the test can stop and start.
type broker struct {
	options server.Options
	running *server.Server
}

func startBroker(tb testing.TB) *broker {
	tb.Helper()
	b := &broker{options: server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: tb.TempDir(), NoSigs: true, NoLog: true,
	}}
	b.start(tb)
	address, ok := b.running.Addr().(*net.TCPAddr)
	require.True(tb, ok)
	b.options.Port = address.Port
	tb.Cleanup(func() { b.stop() })

	return b
}

func (b *broker) start(tb testing.TB) {
	tb.Helper()
	options := b.options
	running, err := server.NewServer(&options)
	require.NoError(tb, err)
	running.Start()
	require.True(tb, running.ReadyForConnections(patience))
	b.running = running
}

func (b *broker) stop() {
	b.running.Shutdown()
	b.running.WaitForShutdown()
}

func TestSubscriptionsSurviveARestart(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	nc := connect(t, b.running.ClientURL())
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: "restarts"})
	publisher := newPublisher(t, stream)
	durable := newDurable(t, stream, natspubsub.DurableConfig{AckWait: time.Second})
	work := subscribe(t, durable, "posts")
	live := subscribe(t, newLive(t, stream), "posts")
	quiet := subscribe(t, newLive(t, stream), "never before the restart")
	publish(t, publisher, "posts", numbered(0, 10)...)
	assert.Equal(t, "0", payload(t, work))
	assert.Equal(t, "0", payload(t, live))
	held := next(t, work)
	require.Eventually(t, func() bool { // the broker has processed the first acknowledgement
		waiting, err := durable.Backlog(t.Context(), "posts")

		return err == nil && waiting.Messages == 9
	}, patience, time.Millisecond)

	b.stop()
	require.Eventually(t, func() bool { return !nc.IsConnected() }, patience, time.Millisecond)
	b.start(t)
	// A publisher may be back before the subscriptions.
	other := newPublisher(t, ensure(t, connect(t, b.running.ClientURL()), natspubsub.StreamConfig{Name: "restarts"}))
	publish(t, other, "posts", numbered(10, 10)...)
	publish(t, other, "never before the restart", numbered(0, 1)...)
	held.Ack()

	var came []int
	for range 18 {
		n, err := strconv.Atoi(payload(t, work))
		require.NoError(t, err)
		came = append(came, n)
	}
	slices.Sort(came)
	assert.Equal(t, []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, came, "nothing missing, nothing twice")
	silent(t, work, 1500*time.Millisecond) // longer than AckWait
	for i := 1; i < 20; i++ {
		assert.Equal(t, strconv.Itoa(i), payload(t, live), "in order, nothing missing")
	}
	assert.Equal(t, "0", payload(t, quiet))
	require.Eventually(t, func() bool { return publisher.Publish("posts", numbered(20, 1)...) == nil }, patience, 10*time.Millisecond)
	assert.Equal(t, "20", payload(t, work))
	assert.Equal(t, "20", payload(t, live))
}

// TestStreamInMemoryIsLost restarts the server of a stream in memory. The live channel is closed, and the durable
// subscription waits until the stream is created again.
func TestStreamInMemoryIsLost(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	nc := connect(t, b.running.ClientURL())
	config := natspubsub.StreamConfig{Name: "restarts", Storage: jetstream.MemoryStorage}
	stream := ensure(t, nc, config)
	publisher := newPublisher(t, stream)
	work := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	subscriber := newLive(t, stream)
	live := subscribe(t, subscriber, "posts")
	publish(t, publisher, "posts", numbered(0, 2)...)
	assert.Equal(t, "0", payload(t, work))
	assert.Equal(t, "1", payload(t, work))
	assert.Equal(t, "0", payload(t, live))

	b.stop()
	b.start(t)
	require.Eventually(t, func() bool { return stream.Ensure(t.Context()) == nil }, patience, 10*time.Millisecond)
	closed(t, live)
	live = subscribe(t, subscriber, "posts")
	publish(t, publisher, "posts", numbered(2, 1)...)
	assert.Equal(t, "2", payload(t, live))
	assert.Equal(t, "2", payload(t, work))
}

// TestGapClosesTheLiveChannel discards messages that a live subscription has not received.
func TestGapClosesTheLiveChannel(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	var away atomic.Bool
	nc := connectUnless(t, b, &away)
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: "restarts"})
	live := subscribe(t, newLive(t, stream), "posts")

	away.Store(true)
	b.stop()
	b.start(t)
	present := connect(t, b.running.ClientURL())
	publish(t, newPublisher(t, ensure(t, present, natspubsub.StreamConfig{Name: "restarts"})), "posts", numbered(0, 5)...)
	js, err := jetstream.New(present)
	require.NoError(t, err)
	found, err := js.Stream(t.Context(), "restarts")
	require.NoError(t, err)
	require.NoError(t, found.Purge(t.Context(), jetstream.WithPurgeKeep(1)))
	away.Store(false)
	closed(t, live)
}

// TestHeldMessageIsNotRepeated interrupts the connection for longer than AckWait, so that the broker sends a message again
// that is still being handled.
func TestHeldMessageIsNotRepeated(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	var away atomic.Bool
	stream := ensure(t, connectUnless(t, b, &away), natspubsub.StreamConfig{Name: "restarts"})
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{AckWait: time.Second}), "posts")
	publish(t, newPublisher(t, stream), "posts", numbered(0, 1)...)
	held := next(t, messages)

	away.Store(true)
	b.stop()
	b.start(t)
	silent(t, messages, 2*time.Second) // longer than AckWait
	away.Store(false)
	present := connect(t, b.running.ClientURL())
	publish(t, newPublisher(t, ensure(t, present, natspubsub.StreamConfig{Name: "restarts"})), "posts", numbered(1, 1)...)
	assert.Equal(t, "1", payload(t, messages))
	silent(t, messages, 2*time.Second)
	held.Ack()
	silent(t, messages, 1500*time.Millisecond)
}

// connectUnless returns a connection that cannot reconnect while away is set.
func connectUnless(t *testing.T, b *broker, away *atomic.Bool) *nats.Conn {
	t.Helper()

	return connect(t, b.running.ClientURL(), nats.SetCustomDialer(dialer(func(network, address string) (net.Conn, error) {
		if away.Load() {
			return nil, errors.New("away")
		}

		return net.Dial(network, address)
	})))
}

type dialer func(network, address string) (net.Conn, error)

func (d dialer) Dial(network, address string) (net.Conn, error) { return d(network, address) }

func TestSubscriptionsEndWithTheConnection(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	nc := connect(t, b.running.ClientURL())
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: "restarts"})
	work := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	live := subscribe(t, newLive(t, stream), "posts")
	nc.Close()
	closed(t, work)
	closed(t, live)
}

// TestCloseWithoutTheServer checks that a missing broker does not delay Close, and delays Publish by no more than AckTimeout.
func TestCloseWithoutTheServer(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	nc := connect(t, b.running.ClientURL())
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: "restarts"})
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{AckTimeout: 100 * time.Millisecond})
	require.NoError(t, err)
	durable, live := newDurable(t, stream, natspubsub.DurableConfig{}), newLive(t, stream)
	work, pages := subscribe(t, durable, "posts"), subscribe(t, live, "posts")
	publish(t, publisher, "posts", numbered(0, 10)...)
	next(t, work)
	next(t, pages)

	b.stop()
	require.Eventually(t, func() bool { return !nc.IsConnected() }, patience, time.Millisecond)
	began := time.Now()
	require.ErrorContains(t, publisher.Publish("posts", numbered(10, 3)...), "3 of 3 messages failed")
	require.NoError(t, durable.Close())
	require.NoError(t, live.Close())
	require.NoError(t, publisher.Close())
	closed(t, work)
	closed(t, pages)
	assert.Less(t, time.Since(began), 3*time.Second)
}
