package natspubsub_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestKillsUnderLoad kills the server twice under 50 publishers, each of which publishes a message until it is
// acknowledged. Every message is delivered.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	server, url := servers.OwnNATS(t)
	stream := ensure(t, connect(t, url), natspubsub.StreamConfig{Name: "kills"})
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{AckTimeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, publisher.Close()) })
	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{AckWait: 2 * time.Second}), "posts")

	const count, publishers = 3000, 50
	unpublished := make(chan *message.Message)
	var publishing sync.WaitGroup
	for range publishers {
		publishing.Go(func() {
			for msg := range unpublished {
				for publisher.Publish("posts", msg) != nil {
					<-time.After(50 * time.Millisecond)
				}
			}
		})
	}
	sent := numbered(0, count)
	publishing.Go(func() {
		defer close(unpublished)
		for _, msg := range sent {
			unpublished <- msg
		}
	})
	defer publishing.Wait()

	missing := map[string]bool{}
	for _, msg := range sent {
		missing[msg.UUID] = true
	}
	for len(missing) > 0 {
		if before := len(missing); before == count*2/3 || before == count/2 {
			server.Kill(t)
			server.Start(t)
		}
		for left := len(missing); len(missing) == left; {
			msg := nextOf(t, messages)
			delete(missing, msg.UUID)
			msg.Ack()
		}
	}
}
