package natspubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestWatermillSuite runs Watermill's own suite on the durable form: once as it is by default, many messages
// at a time, and once strictly one after the other, which is what Watermill calls guaranteed order.
func TestWatermillSuite(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]struct {
		features tests.Features
		config   natspubsub.DurableConfig
	}{
		"many in flight": {
			tests.Features{ConsumerGroups: true, Persistent: true},
			natspubsub.DurableConfig{AckWait: 5 * time.Second},
		},
		"one at a time": {
			tests.Features{ConsumerGroups: true, Persistent: true, GuaranteedOrder: true},
			natspubsub.DurableConfig{
				AckWait: 5 * time.Second, MaxInFlight: 1, MaxAckPending: 1,
				MaxNackDelay: 50 * time.Millisecond, // the suite rejects one message 300 times
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc := connect(t, servers.NATS(t))
			stream := ensure(t, nc, natspubsub.StreamConfig{Name: "suite-" + watermill.NewShortUUID()})
			inGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
				t.Helper()
				publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{AckTimeout: 20 * time.Second})
				require.NoError(t, err)
				config := form.config
				config.Name = group
				subscriber, err := stream.NewDurableSubscriber(config)
				require.NoError(t, err)

				return publisher, subscriber
			}
			tests.TestPubSub(t, form.features,
				func(t *testing.T) (message.Publisher, message.Subscriber) {
					t.Helper()

					return inGroup(t, "suite")
				},
				inGroup,
			)
		})
	}
}
