package natspubsub_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// clusterPatience is longer than a live subscription needs to notice that its consumer was lost with a node.
const clusterPatience = time.Minute

// cluster is three brokers.
type cluster []*broker

func startCluster(t *testing.T) cluster {
	t.Helper()
	var ports []int
	var routes []string
	for range 3 {
		port := servers.FreePort(t)
		ports, routes = append(ports, port), append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	var nodes cluster
	for i, port := range ports {
		b := &broker{options: server.Options{
			ServerName: fmt.Sprintf("node%d", i), Host: "127.0.0.1", Port: servers.FreePort(t),
			JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
			Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: port},
			Routes:  server.RoutesFromStr(strings.Join(routes, ",")),
		}}
		b.start(t)
		t.Cleanup(b.stop)
		nodes = append(nodes, b)
	}

	return nodes
}

func (c cluster) url() string {
	urls := make([]string, len(c))
	for i, node := range c {
		urls[i] = "nats://127.0.0.1:" + strconv.Itoa(node.options.Port)
	}

	return strings.Join(urls, ",")
}

// leader returns the node that leads the stream.
func (c cluster) leader(t *testing.T, stream string) *broker {
	t.Helper()
	var leader *broker
	require.Eventually(t, func() bool {
		for _, node := range c {
			if node.running.JetStreamIsStreamLeader("$G", stream) {
				leader = node
			}
		}

		return leader != nil
	}, clusterPatience, 10*time.Millisecond, "the stream has no leader")

	return leader
}

// ensureOnCluster creates a stream with three replicas when the nodes have formed a cluster.
func ensureOnCluster(t *testing.T, nodes cluster, name string) *natspubsub.Stream {
	t.Helper()
	stream, err := natspubsub.NewStream(connect(t, nodes.url()), natspubsub.StreamConfig{Name: name, Replicas: 3}, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return stream.Ensure(t.Context()) == nil }, clusterPatience, 50*time.Millisecond)

	return stream
}

// TestClusterSurvivesTheLossOfANode stops the leader of a stream with three replicas, three times.
func TestClusterSurvivesTheLossOfANode(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	stream := ensureOnCluster(t, nodes, "cluster")
	publisher := newPublisher(t, stream)
	work := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{AckWait: 2 * time.Second}), "posts")
	live := subscribe(t, newLive(t, stream), "posts")
	requireReplicas(t, nodes)

	const count = 100
	for round := range 3 {
		lost := nodes.leader(t, "cluster")
		batch := numbered(round*count, count)
		publish(t, publisher, "posts", batch[:count/2]...)
		lost.stop()
		// A message that was stored without an acknowledgement is not stored again, because of its UUID.
		require.Eventually(t, func() bool { return publisher.Publish("posts", batch...) == nil }, clusterPatience, 100*time.Millisecond)
		for got := map[int]bool{}; len(got) < count; {
			msg := nextOf(t, work)
			i, err := strconv.Atoi(string(msg.Payload))
			require.NoError(t, err)
			msg.Ack()
			if i >= round*count { // an acknowledgement may be lost with a node
				got[i] = true
			}
		}
		var heard []string
		for range count {
			msg := nextOf(t, live)
			heard = append(heard, string(msg.Payload))
			msg.Ack()
		}
		// Messages that failed at first are stored behind the others, and a live subscription has the order of the stream.
		assert.Equal(t, inStream(t, nodes, "cluster", round*count), heard)
		want := make([]string, count)
		for i := range want {
			want[i] = strconv.Itoa(round*count + i)
		}
		assert.ElementsMatch(t, want, heard, "nothing missing, nothing twice")
		lost.start(t)
		requireReplicas(t, nodes)
	}
}

// inStream returns the payloads of the stream's messages, without the first ones.
func inStream(t *testing.T, nodes cluster, name string, first int) (payloads []string) {
	t.Helper()
	js, err := jetstream.New(connect(t, nodes.url()))
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a node may be about to lead
		payloads = nil
		found, err := js.Stream(t.Context(), name)
		if err != nil {
			return false
		}
		for i := first + 1; i <= int(found.CachedInfo().State.LastSeq); i++ {
			msg, err := found.GetMsg(t.Context(), uint64(i))
			if err != nil {
				return false
			}
			payloads = append(payloads, string(msg.Data))
		}

		return true
	}, clusterPatience, 50*time.Millisecond)

	return payloads
}

// nextOf returns the next message, within clusterPatience.
func nextOf(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, open := <-messages:
		require.True(t, open, "the channel was closed")

		return msg
	case <-time.After(clusterPatience):
		require.Fail(t, "no message came")

		return nil
	}
}

// requireReplicas waits until the stream and its durable consumer are current on three nodes.
func requireReplicas(t *testing.T, nodes cluster) {
	t.Helper()
	js, err := jetstream.New(connect(t, nodes.url()))
	require.NoError(t, err)
	current := func(info *jetstream.ClusterInfo) bool {
		return info != nil && info.Leader != "" && len(info.Replicas) == 2 &&
			!slices.ContainsFunc(info.Replicas, func(peer *jetstream.PeerInfo) bool { return peer.Offline || !peer.Current })
	}
	require.Eventually(t, func() bool {
		found, err := js.Stream(t.Context(), "cluster")
		if err != nil || found.CachedInfo().Config.Replicas != 3 || !current(found.CachedInfo().Cluster) {
			return false
		}
		consumer, err := found.Consumer(t.Context(), "work@posts")

		return err == nil && current(consumer.CachedInfo().Cluster)
	}, clusterPatience, 50*time.Millisecond, "not on three nodes")
}
