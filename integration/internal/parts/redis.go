package parts

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/app"
)

// workSubscriptions is how many messages of a topic are processed at once, because each subscription delivers one at a
// time. It is enough for batches that keep up with some hundred messages a second.
const workSubscriptions = 48

// AddRedis adds Redis Streams as the broker, by watermill-redisstream. The projector's instances share a consumer group; the
// router has none, so that every instance receives every event. Each of the three closes its own client.
func AddRedis(t *testing.T, url string, parts *app.Parts) (closeBroker func() error) {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: redis.NewClient(options)}, watermill.NopLogger{})
	require.NoError(t, err)
	pooled := *options
	pooled.PoolSize = workSubscriptions*len(cqrsfeed.TopicsOf(api.Kind).All()) + 8 // each subscription waits on a connection
	work, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        redis.NewClient(&pooled),
		ConsumerGroup: "tag-feeds",
		// A message that a stopped instance has not acknowledged is redelivered after MaxIdleTime. So is one that is
		// processed for longer.
		MaxIdleTime:                   5 * time.Second,
		ClaimInterval:                 2 * time.Second,
		DisableIndefiniteInitialBlock: true, // it would outlive Close
	}, watermill.NopLogger{})
	require.NoError(t, err)
	live, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:                        redis.NewClient(options),
		FanOutOldestId:                now(t, options),
		DisableIndefiniteInitialBlock: true,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	parts.Broker = &feedmill.Broker{Publisher: publisher, Work: work, Live: live, WorkSubscriptions: workSubscriptions}
	return func() error { return errors.Join(publisher.Close(), work.Close(), live.Close()) }
}

// now returns the ID after which a stream's new messages follow. The subscriber's default, "$", is resolved by the server
// some time after Subscribe has returned, and messages that are published before are lost.
func now(t *testing.T, options *redis.Options) string {
	t.Helper()
	client := redis.NewClient(options)
	defer func() { require.NoError(t, client.Close()) }()
	at, err := client.Time(t.Context()).Result()
	require.NoError(t, err)
	return fmt.Sprintf("%d-0", at.UnixMilli())
}
