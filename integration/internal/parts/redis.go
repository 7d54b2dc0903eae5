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

	"github.com/feedmill/feedmill/examples/microblog/app"
)

// workSubscriptions is how many messages of a topic are worked on at once, as each subscription hands out one: enough
// for batches that keep up with some hundred a second, though the writers of a SQLite file wait for each other.
const workSubscriptions = 48

// AddRedis fills in Redis Streams as the broker, by watermill-redisstream as it is: the projector's instances share a
// consumer group, and the router reads without one, so that every instance hears everything. Each of the three has a
// client of its own, which it closes.
func AddRedis(t *testing.T, url string, parts *app.Parts) (closeBroker func() error) {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: redis.NewClient(options)}, watermill.NopLogger{})
	require.NoError(t, err)
	manyAtOnce := *options
	manyAtOnce.PoolSize = workSubscriptions*len(app.Topics().All()) + 8 // each subscription waits on a connection
	work, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        redis.NewClient(&manyAtOnce),
		ConsumerGroup: "tag-feeds",
		// What a stopped instance had not acknowledged comes to another one only after MaxIdleTime, and so does what is
		// worked on for longer.
		MaxIdleTime:                   5 * time.Second,
		ClaimInterval:                 2 * time.Second,
		DisableIndefiniteInitialBlock: true, // which would outlive Close
	}, watermill.NopLogger{})
	require.NoError(t, err)
	live, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:                        redis.NewClient(options),
		FanOutOldestId:                now(t, options),
		DisableIndefiniteInitialBlock: true,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	parts.Publisher, parts.Work, parts.Live = publisher, work, live
	parts.WorkSubscriptions = workSubscriptions
	return func() error { return errors.Join(publisher.Close(), work.Close(), live.Close()) }
}

// now is the ID of what a stream gets from now on. The subscriber's own default, "$", is what it gets after the
// request for it has come to the server, some time after Subscribe has returned: what is published in between is
// not heard of.
func now(t *testing.T, options *redis.Options) string {
	t.Helper()
	client := redis.NewClient(options)
	defer func() { require.NoError(t, client.Close()) }()
	at, err := client.Time(t.Context()).Result()
	require.NoError(t, err)
	return fmt.Sprintf("%d-0", at.UnixMilli())
}
